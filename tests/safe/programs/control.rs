//! Starts a child with a borrowed and an owned descriptor: this safe code compiles.
#![forbid(unsafe_code)]

use forkexec::BorrowingCommand;
use std::fs::File;
use std::io;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (reader, writer) = io::pipe()?;
    let mut command = BorrowingCommand::new("true");
    command.fd(3, &reader).keep_fd(&writer).fd(4, File::open("/dev/null")?);
    command.status()?;
    Ok(())
}
