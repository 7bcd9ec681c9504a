//! A supervisor that holds two listening sockets and keeps a worker running. If a connection arrives while no
//! worker runs, it waits for the next worker, and none is refused.
//!
//! Run it with `cargo run --example activation`. The example starts itself as its worker, which serves one
//! connection and exits with an error. After three such exits the supervisor stops.

use forkexec::{BorrowingCommand, listen_fds};
use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

const CRASHES: usize = 3;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // SAFETY: this is the first call in `main`: no other code has opened a descriptor.
    let sockets = unsafe { listen_fds() }?;
    if sockets.is_empty() { supervise() } else { serve(sockets) }
}

fn supervise() -> Result<ExitCode, Box<dyn Error>> {
    let http = TcpListener::bind("127.0.0.1:0")?;
    let admin = TcpListener::bind("127.0.0.1:0")?;
    let address = http.local_addr()?;
    let client = thread::spawn(move || (0..CRASHES).try_for_each(|_| ask(address)));

    let mut worker = BorrowingCommand::new(env::current_exe()?);
    worker.listen_fd(&http, "http").listen_fd(&admin, "admin");
    // If the system supports it, the worker dies with its supervisor.
    if forkexec::supports(forkexec::Operation::DieWithParent) {
        worker.die_with_parent(15);
    }
    let worker = worker.prepare()?;
    for _ in 0..CRASHES {
        let mut running = worker.spawn()?;
        let id = running.id();
        println!("worker {id} ended with {}", running.wait()?);
    }
    client.join().expect("the client does not panic")?;
    Ok(ExitCode::SUCCESS)
}

fn ask(address: SocketAddr) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    print!("{answer}");
    Ok(())
}

/// Runs as the worker, which finds its sockets by name.
fn serve(sockets: Vec<forkexec::ListenFd>) -> Result<ExitCode, Box<dyn Error>> {
    let names: Vec<_> = sockets.iter().map(|socket| socket.name.clone()).collect();
    let http = sockets.into_iter().find(|socket| socket.name == "http").ok_or("no socket is called http")?;
    let (mut connection, _) = TcpListener::from(http.fd).accept()?;
    writeln!(connection, "worker {} has {names:?}", process::id())?;
    Ok(ExitCode::from(70))
}
