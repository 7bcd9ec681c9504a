//! A program that starts its children by std, and what of it changes.
//!
//! Run it with `cargo run --example from_std`.

use forkexec::{Error, StdCommandExt};
use std::error::Error as _;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Somebody forgot to mark this one close-on-exec.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let number = listener.as_raw_fd();
    nix::fcntl::fcntl(&listener, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))?;

    let mut command = Command::new("sh");
    command.args(["-c", &format!("if test -S /dev/fd/{number}; then echo has it; else echo has it not; fi")]);
    command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).stdout(Stdio::piped());

    // One word is another.
    let by_std = command.spawn()?.wait_with_output()?;
    let by_us = command.spawn_exact()?.wait_with_output()?;
    print!("the child of std {}", String::from_utf8_lossy(&by_std.stdout));
    print!("the child of forkexec {}", String::from_utf8_lossy(&by_us.stdout));
    assert_eq!(by_us.stdout, b"has it not\n");

    // What is to be handed over is said, and so is what std does not show.
    let mut exact = command.to_exact()?;
    let handed = exact.map_fd(&listener, number).setsid().output()?;
    print!("the child that is handed it {}", String::from_utf8_lossy(&handed.stdout));
    assert_eq!(handed.stdout, b"has it\n");

    // It is never dropped in silence.
    let refused: Error = command.process_group(0).spawn_exact().expect_err("std does not show it");
    println!("{refused}");
    assert!(refused.source().is_none());
    Ok(())
}
