//! Writes to a filter and reads from it at the same time. No size of input or output leads to a deadlock.
//!
//! Run it with `cargo run --example capture`.

use forkexec::{Command, Error, Stdio};

fn main() -> Result<(), Error> {
    let lines = "to be or not to be
"
    .repeat(100_000);

    let mut tr = Command::new("tr");
    tr.args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let output = tr.spawn()?.communicate(lines.as_bytes())?;

    assert!(output.status.success());
    assert_eq!(output.stdout, lines.to_ascii_uppercase().into_bytes());
    println!("{} bytes there and back", output.stdout.len());
    Ok(())
}
