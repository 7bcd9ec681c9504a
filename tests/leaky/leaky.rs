//! A program over std, with threads and children, some of which inherit too much.
//!
//! It is an ordinary program: `forkexec leaks` reports the same of others. See [`main`] for its verbs.

use std::env;
use std::ffi::c_int;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};
use std::thread;

unsafe extern "C" {
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    safe fn kill(pid: c_int, signal: c_int) -> c_int;
}

const F_SETFD: c_int = 2;
const WUNTRACED: c_int = 2;
const SIGCONT: c_int = 18;

/// Runs the verb of the first argument.
fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["keeps", path, ref program @ ..] => keeps(path, program, false),
        ["leaks", path, ref program @ ..] => keeps(path, program, true),
        ["execs-in-a-thread", ref program @ ..] => execs_in_a_thread(program),
        ["starts", threads, times, ref program @ ..] => starts(threads, times, program),
        ["continues", ref program @ ..] => continues(program),
        _ => exit(98),
    }
}

fn command(program: &[&str]) -> Command {
    let (program, args) = program.split_first().expect("a program is named");
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Starts a program with a file open, which it can be made to inherit.
fn keeps(path: &str, program: &[&str], leaks: bool) {
    let file = File::open(path).expect("it can be opened");
    if leaks {
        // SAFETY: the command takes a number and touches no memory.
        unsafe { fcntl(file.as_raw_fd(), F_SETFD, 0) };
    }
    let status = command(program).status().expect("it starts");
    exit(status.code().unwrap_or(97));
}

/// Lets another thread than the first exec, while there are more.
fn execs_in_a_thread(program: &[&str]) {
    for _ in 0..2 {
        thread::spawn(|| loop { thread::park() });
    }
    let mut command = command(program);
    let _ = thread::spawn(move || command.exec()).join();
    exit(97);
}

/// Starts a program so many times in each of so many threads. Each must end well.
fn starts(threads: &str, times: &str, program: &[&str]) {
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let (threads, times) = (number(threads), number(times));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..times {
                    assert!(command(program).status().expect("it starts").success());
                }
            });
        }
    });
}

/// Starts a program that stops itself, sees that, and lets it go on.
fn continues(program: &[&str]) {
    let mut child = command(program).spawn().expect("it starts");
    let pid = i32::try_from(child.id()).expect("a pid");
    let mut status = 0;
    // SAFETY: one int is written.
    let stopped = unsafe { waitpid(pid, &mut status, WUNTRACED) };
    assert_eq!((stopped, status & 0xff), (pid, 0x7f), "it is not stopped");
    kill(pid, SIGCONT);
    exit(child.wait().expect("it ends").code().unwrap_or(97));
}
