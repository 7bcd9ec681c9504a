//! Refused system calls.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc;
use std::thread;

use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use forkexec_tests::world::is_root;

use crate::{probe, seen};

#[test]
fn denied_call_fails_with_its_errno() {
    isolated(|| {
        Deny::new().errno(libc::SYS_getppid, libc::EXDEV).install().expect("a filter is taken");
        assert_eq!(getppid(), Err(Some(libc::EXDEV)));
    });
}

#[test]
fn call_is_denied_only_with_its_flag() {
    const UNSHARE: i32 = 1 << 1;
    isolated(|| {
        let close_none = |flags: i32| {
            // SAFETY: no descriptor has this number.
            let result = unsafe { libc::syscall(libc::SYS_close_range, u32::MAX, u32::MAX, flags) };
            if result < 0 { io::Error::last_os_error().raw_os_error() } else { None }
        };
        let before = [0, UNSHARE].map(close_none);
        let deny = Deny::new().errno_with(libc::SYS_close_range, 2, UNSHARE, libc::EXDEV);
        deny.errno(libc::SYS_getppid, libc::EDOM).install().expect("a filter is taken");
        assert_eq!([0, UNSHARE].map(close_none), [before[0], Some(libc::EXDEV)]);
        assert_eq!(getppid(), Err(Some(libc::EDOM)), "the rule behind it");
    });
}

#[test]
fn other_calls_pass() {
    isolated(|| {
        Deny::new().errno(libc::SYS_close_range, libc::EPERM).install().expect("a filter is taken");
        assert!(getppid().is_ok());
    });
}

#[test]
fn calls_of_running_threads_are_denied() {
    isolated(|| {
        let (go, wait) = mpsc::channel::<()>();
        let thread = thread::spawn(move || wait.recv().map(|()| getppid()));
        Deny::new().errno(libc::SYS_getppid, libc::EPERM).install().expect("a filter is taken");
        go.send(()).expect("the thread waits");
        let answer = thread.join().expect("the thread does not panic");
        assert_eq!(answer, Ok(Err(Some(libc::EPERM))));
    });
}

#[test]
fn calls_of_programs_started_later_are_denied() {
    isolated(|| {
        Deny::new().errno(libc::SYS_getsid, libc::EPERM).install().expect("a filter is taken");
        assert_eq!(seen(&mut probe(&["report"])).sid, -1);
    });
}

#[test]
fn deadly_call_kills() {
    isolated(|| {
        Deny::new().kill(libc::SYS_getsid).install().expect("a filter is taken");
        let output = probe(&["report"]).output().expect("the probe can be started");
        assert_eq!(output.status.signal(), Some(libc::SIGSYS));
    });
}

#[test]
fn trapped_call_ends_a_program_without_a_handler() {
    isolated(|| {
        Deny::new().trap(libc::SYS_getsid).install().expect("a filter is taken");
        let output = probe(&["report"]).output().expect("the probe can be started");
        assert_eq!(output.status.signal(), Some(libc::SIGSYS));
    });
}

#[test]
fn every_call_that_starts_a_process_can_be_denied() {
    isolated(|| {
        Deny::new().starts(libc::EXDEV).install().expect("a filter is taken");
        // SAFETY: nothing is started.
        let forked = unsafe { libc::fork() };
        assert_eq!((forked, io::Error::last_os_error().raw_os_error()), (-1, Some(libc::EXDEV)));
        let spawned = probe(&["true"]).spawn().map_err(|error| error.raw_os_error());
        assert_eq!(spawned.map(|child| child.id()), Err(Some(libc::EXDEV)));
    });
}

#[test]
fn no_new_privs_is_set_only_where_needed() {
    isolated(|| {
        let was_set = seen(&mut probe(&["report"])).no_new_privs;
        Deny::new().errno(libc::SYS_getppid, libc::EPERM).install().expect("a filter is taken");
        let is_set = seen(&mut probe(&["report"])).no_new_privs;
        assert_eq!(is_set, was_set || !is_root());
    });
}

fn getppid() -> Result<libc::c_long, Option<i32>> {
    // SAFETY: the call takes nothing and touches no memory.
    match unsafe { libc::syscall(libc::SYS_getppid) } {
        -1 => Err(io::Error::last_os_error().raw_os_error()),
        pid => Ok(pid),
    }
}
