//! Starts a child with a borrowed and an owned descriptor: this safe code compiles.
#![forbid(unsafe_code)]

use forkexec::Command;
use std::fs::File;
use std::io;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new("true");
    command.map_fd(&reader, 3).keep_fd(&writer).map_fd(File::open("/dev/null")?, 4);
    command.status()?;
    Ok(())
}
