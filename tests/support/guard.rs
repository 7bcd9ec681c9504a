//! Each thing that a test may not leave behind.

use std::env;
use std::fs::File;
use std::io;
use std::mem;
use std::process::Stdio;
use std::ptr;

use rstest::rstest;

use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;

use crate::{complaint_of, probe};

#[rstest]
#[case::new_descriptor(open_one, ": is new")]
#[case::closed_descriptor(close_input, "descriptor 0: is gone")]
#[case::replaced_descriptor(replace_input, "descriptor 0: was")]
#[case::closed_by_exec(mark_input, "closed_by_exec: true")]
#[case::nonblocking(make_input_nonblocking, "descriptor 0: was")]
#[case::blocked_signal(block_signal, "blocked signals: was")]
#[case::ignored_signal(ignore_signal, "action of signal 10: was")]
#[case::umask(change_umask, "umask: was")]
#[case::working_directory(change_directory, "working directory: was")]
#[case::zombie(leave_zombie, "children: was None, is Zombie(")]
#[case::running_child(leave_running, "children: was None, is Running")]
fn guard_reports_leftovers(#[case] leave: fn(), #[case] told: &str) {
    let complaint = complaint_of(|| isolated(leave));
    assert!(complaint.contains("left its process changed") && complaint.contains(told), "{complaint}");
}

#[test]
fn guard_reports_nothing_that_was_restored() {
    isolated(|| {
        drop(File::open("/dev/null").expect("/dev/null is there"));
        probe(&["true"]).status().expect("the probe can be started");
    });
}

#[test]
fn every_difference_has_a_line() {
    isolated(|| {
        let before = Snapshot::take();
        let files = [(); 3].map(|()| File::open("/dev/null").expect("/dev/null is there"));
        assert_eq!(before.differences(&Snapshot::take()).len(), files.len());
    });
}

fn open_one() {
    mem::forget(File::open("/dev/null"));
}

fn close_input() {
    // SAFETY: nothing here reads the input.
    unsafe { libc::close(0) };
}

fn replace_input() {
    // SAFETY: nothing here reads the input.
    unsafe { libc::dup2(1, 0) };
}

fn mark_input() {
    // SAFETY: the command takes an int.
    unsafe { libc::fcntl(0, libc::F_SETFD, libc::FD_CLOEXEC) };
}

fn make_input_nonblocking() {
    // SAFETY: the command takes an int.
    unsafe { libc::fcntl(0, libc::F_SETFL, libc::O_NONBLOCK) };
}

fn block_signal() {
    // SAFETY: all zeroes are an empty set.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGUSR1) };
    // SAFETY: the set outlives the call, and the old mask is not returned.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) };
}

fn ignore_signal() {
    // SAFETY: ignoring runs no handler.
    unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
}

fn change_umask() {
    // SAFETY: umask touches no memory.
    unsafe { libc::umask(0o123) };
}

fn change_directory() {
    env::set_current_dir("/dev").expect("the directory can be entered");
}

#[expect(clippy::zombie_processes, reason = "that is the point")]
fn leave_zombie() {
    let (mut ended, writer) = io::pipe().expect("a pipe can be made");
    let child = probe(&["true"]).stdout(writer).spawn().expect("the probe can be started");
    io::copy(&mut ended, &mut io::sink()).expect("the pipe can be read");
    // The pipe ends a little before the process does.
    let mut about = mem::MaybeUninit::<libc::siginfo_t>::uninit();
    // SAFETY: `about` has room for the answer.
    unsafe { libc::waitid(libc::P_PID, child.id(), about.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT) };
}

fn leave_running() {
    let child = probe(&["sleep-on-stdin"]).stdin(Stdio::piped()).spawn();
    mem::forget(child.expect("the probe can be started"));
}
