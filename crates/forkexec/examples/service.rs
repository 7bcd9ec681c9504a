//! A service of an ordinary user that may bind port 80: one capability and no other, a set of processors, an
//! OOM score, a control group of its own, and a socket that was open before it ran.
//!
//! Run it as root with `cargo run --example service`. It needs Linux. The service is the example itself.
//! Without privileges the example prints what it leaves out.

use forkexec::{Capability, Command, Containment, Resource, listen_fds};
use std::error::Error;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::{env, fs};

const NOBODY: u32 = 65_534;

fn main() -> Result<(), Box<dyn Error>> {
    // SAFETY: this is the first call in `main`: no other code has opened a descriptor.
    let sockets = unsafe { listen_fds() }?;
    if sockets.is_empty() { supervise() } else { serve(sockets) }
}

fn supervise() -> Result<(), Box<dyn Error>> {
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    let status = fs::read_to_string("/proc/self/status")?;
    let program = env::current_exe()?;
    // The user need not be able to reach the file.
    let mut service = Command::new(&program);
    service.executable(File::open(program)?);
    service.listen_fd(socket, "http").current_dir("/").no_new_privs().oom_score_adj(500);
    service.cpu_affinity(first_processor(&status)).rlimit_soft(Resource::CORE, Some(0));
    if status.contains("Uid:\t0\t0") {
        service.uid(NOBODY).gid(NOBODY).ambient_capabilities([Capability::NET_BIND_SERVICE]);
    } else {
        println!("not root: the user stays, and port 80 may be refused");
    }
    let client = TcpStream::connect(address)?;
    let status = service.containment(Containment::Auto).status()?;
    drop(client);
    if status.success() { Ok(()) } else { Err("the service failed".into()) }
}

fn first_processor(status: &str) -> Option<usize> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim().split(['-', ',']).next()?.parse().ok()
}

/// Runs as the service.
fn serve(sockets: Vec<forkexec::ListenFd>) -> Result<(), Box<dyn Error>> {
    let shown = ["Uid:", "CapEff:", "CapBnd:", "Cpus_allowed_list:", "NoNewPrivs:"];
    let status = fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .filter(|line| shown.iter().any(|name| line.starts_with(name)))
        .for_each(|line| println!("{line}"));
    println!("OOM score: {}", fs::read_to_string("/proc/self/oom_score_adj")?.trim());
    println!("control group: {}", fs::read_to_string("/proc/self/cgroup")?.trim().replace('\n', " "));
    println!("port 80: {:?}", TcpListener::bind("127.0.0.1:80").map(drop).map_err(|error| error.kind()));
    let socket = sockets.into_iter().next().ok_or("no socket")?;
    let (_, client) = TcpListener::from(socket.fd).accept()?;
    println!("the socket that was handed over has a client: {}", client.ip());
    Ok(())
}
