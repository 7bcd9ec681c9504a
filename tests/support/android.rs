//! The filter of Android's apps.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use forkexec_tests::android::{self, LEVELS};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;
use rstest::rstest;

/// Makes a call in a forked child, and returns its status.
fn call(number: libc::c_long) -> ExitStatus {
    // SAFETY: the child makes two system calls.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: no call of this test does anything with such arguments.
        let _ = unsafe { libc::syscall(number, -1, -1, -1) };
        // SAFETY: ends the child.
        unsafe { libc::_exit(3) };
    }
    world::wait_for(child)
}

#[rstest]
fn unlisted_call_is_trapped(#[values(26, 28, 31, 33, 35)] level: u32) {
    isolated(|| {
        match android::install(level) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return skip("the list has no numbers of this architecture");
            }
            installed => installed.expect("the filter is taken"),
        }
        let traps = |number| match call(number).signal() {
            Some(libc::SIGSYS) => true,
            None => false,
            Some(other) => panic!("signal {other}"),
        };
        assert!(LEVELS.contains(&level));
        assert_eq!(traps(libc::SYS_close_range), level < 33);
        assert_eq!(traps(libc::SYS_setgroups), level > 27);
        assert_eq!(traps(libc::SYS_pidfd_send_signal), level < 31);
        assert!(traps(libc::SYS_kcmp) && !traps(libc::SYS_close));
    });
}
