//! A shell's pipeline, `printf … | tr | sort | uniq -c | sort -rn | head -n 2`, with the status of each
//! command.
//!
//! Run it with `cargo run --example pipeline`.

use forkexec::{Command, Error, Pipeline};
use std::os::unix::process::ExitStatusExt;

const TEXT: &str = "to be or not to be that is the question";

fn main() -> Result<(), Error> {
    let output = Pipeline::new(Command::new("printf").args(["%s", TEXT]))
        .pipe(Command::new("tr").args([" ", "\\n"]))
        .pipe(Command::new("sort").env("LC_ALL", "C"))
        .pipe(Command::new("uniq").arg("-c"))
        .pipe(Command::new("sort").args(["-k1,1rn", "-k2"]).env("LC_ALL", "C"))
        .pipe(Command::new("head").args(["-n", "2"]))
        .output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{output:?}");

    // `SIGPIPE` ends a command whose reader has exited, as in a shell.
    let endless = Pipeline::new(Command::new("yes")).pipe(Command::new("head").args(["-n", "1"])).output()?;
    let signals: Vec<_> = endless.status.as_slice().iter().map(ExitStatusExt::signal).collect();
    println!("signals: {signals:?}");
    assert!(endless.status.success() && !endless.status.pipefail().success());

    // If one command cannot be started, the others are killed and reaped.
    let error = Pipeline::new(Command::new("yes")).pipe(Command::new("no-such-program")).output();
    println!("{}", error.expect_err("there is none"));
    Ok(())
}
