//! A server passes a listening socket to a worker, as descriptor 3, and no other descriptor.
//!
//! Run it with `cargo run --example exact`.

use forkexec::{BorrowingCommand, Error};
use std::fs::File;
use std::net::TcpListener;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let _log = File::create("/dev/null")?; // the server's own

    let mut worker = BorrowingCommand::new("sh");
    worker.args(["-c", "echo \"worker $$ has:\"; ls -l /dev/fd/ | sed 1d"]).fd(3, &listener);

    let mut child = worker.spawn().map_err(explain)?;
    println!("started by {}, descriptors closed by {}", child.method().name(), child.close_method().name());
    let status = child.wait()?;
    println!("the worker ended with {status}");
    Ok(())
}

/// Prints what an error holds besides its message.
fn explain(error: Error) -> Error {
    if let Some(failed) = error.as_spawn() {
        eprintln!(
            "stage {:?}, operand {:?}, errno {:?}, cause {:?}",
            failed.stage(),
            failed.operand(),
            failed.errno(),
            failed.cause()
        );
    }
    error
}
