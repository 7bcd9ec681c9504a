//! A filter that is fed and read at once: neither side can make the other wait for ever, whatever the sizes.
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
