//! A supervisor that holds two listening sockets and keeps a worker running on them: a connection that comes while no
//! worker is there waits for the next one, and none is refused.
//!
//! Run it with `cargo run --example supervisor`. It starts itself again as its worker, which serves one connection and
//! crashes; after three crashes it is content.

use forkexec::{Command, listen_fds};
use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

const CRASHES: usize = 3;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // SAFETY: it is the first call of the program: nothing else has opened a descriptor.
    let handed = unsafe { listen_fds() }?;
    if handed.is_empty() { supervise() } else { serve(handed) }
}

fn supervise() -> Result<ExitCode, Box<dyn Error>> {
    let http = TcpListener::bind("127.0.0.1:0")?;
    let admin = TcpListener::bind("127.0.0.1:0")?;
    let address = http.local_addr()?;
    let client = thread::spawn(move || (0..CRASHES).try_for_each(|_| ask(address)));

    let mut worker = Command::new(env::current_exe()?);
    worker.listen_fd(&http, "http").listen_fd(&admin, "admin");
    // The worker dies with its supervisor where the system can do that, and is not left to run alone.
    if forkexec::capabilities().has(forkexec::Operation::DieWithParent) {
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

/// What the worker does: it finds its sockets by their names.
fn serve(handed: Vec<forkexec::ListenFd>) -> Result<ExitCode, Box<dyn Error>> {
    let names: Vec<_> = handed.iter().map(|socket| socket.name.clone()).collect();
    let http = handed.into_iter().find(|socket| socket.name == "http").ok_or("no socket is called http")?;
    let (mut connection, _) = TcpListener::from(http.fd).accept()?;
    writeln!(connection, "worker {} has {names:?}", process::id())?;
    Ok(ExitCode::from(70))
}
