//! Kills children at random, also between fork and exec.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A thread that kills one child of this process after the other, until it is dropped.
pub(super) struct Killer {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Killer {
    pub(super) fn new() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let kill = move || {
            while !ends.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_micros(1_500));
                kill_one();
            }
        };
        Self { is_over, thread: Some(thread::spawn(kill)) }
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().expect("it was started").join().expect("it does not panic");
    }
}

/// The last child that a thread has. The directory of processes may be refused, so each thread's own list is read.
fn kill_one() {
    let own = std::process::id();
    let mut children = (own..own + 64).filter_map(|thread| {
        let list = fs::read_to_string(format!("/proc/self/task/{thread}/children")).ok()?;
        list.split_whitespace().next_back()?.parse::<i32>().ok()
    });
    if let Some(child) = children.next() {
        // The child may have ended, and its PID may be reused.
        kill_child(child, own);
    }
}

/// An open `/proc/PID` refers to that process alone, even if its PID is reused.
fn kill_child(child: i32, parent: u32) {
    let Ok(process) = File::open(Path::new("/proc").join(child.to_string())) else { return };
    let Some(stat) = read_in(&process, c"stat") else { return };
    let parents = stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)?.parse().ok());
    if parents == Some(parent) {
        // SAFETY: the process descends from the test. A descriptor of a process's directory stands for it (pidfd_send_signal(2)).
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, 0, 0) };
    }
}

fn read_in(directory: &File, name: &std::ffi::CStr) -> Option<String> {
    // SAFETY: the name is a C string borrowed for the call.
    let fd = unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if fd < 0 {
        return None;
    }
    // SAFETY: the descriptor is new and has no other owner.
    std::io::read_to_string(File::from(unsafe { OwnedFd::from_raw_fd(fd) })).ok()
}
