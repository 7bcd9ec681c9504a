//! Errors of the command's own calls, in an environment that denies them.

use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use rstest::rstest;

use crate::start_with::denied;
use crate::{answer, forkexec, said};

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
const POLL: libc::c_long = libc::SYS_poll;
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
const POLL: libc::c_long = libc::SYS_ppoll;

/// A bit of `F_DUPFD_CLOEXEC` that the other commands of fcntl(2) here do not have.
const DUPLICATES: i32 = 1024;

#[rstest]
#[case::adoption(&["run", "--reap"], || Deny::new().errno(libc::SYS_prctl, libc::EPERM),
    "run: --reap: cannot adopt orphans: Operation not permitted (os error 1)")]
#[case::signal_pipe(&["run"], || Deny::new().errno_with(libc::SYS_fcntl, 1, libc::F_SETFL, libc::EPERM),
    "run: cannot handle signals: Operation not permitted (os error 1)")]
#[case::wait(&["run"], || Deny::new().errno(POLL, libc::EINVAL),
    "run: cannot wait for signals: Invalid argument (os error 22)")]
#[case::terminal(&["run", "--foreground", "0"],
    || Deny::new().errno_with(libc::SYS_fcntl, 1, DUPLICATES, libc::EMFILE),
    "run: --foreground 0: cannot duplicate the terminal: Too many open files (os error 24)")]
#[case::stream(&["run", "--stdout", "file:/dev/null", "--stderr", "stdout"],
    || Deny::new().errno_with(libc::SYS_fcntl, 1, DUPLICATES, libc::EMFILE),
    "run: --stdout: cannot duplicate the file of the other stream: Too many open files (os error 24)")]
#[case::forwarder(&["leaks"], || Deny::new().starts(libc::EAGAIN),
    "leaks: cannot handle signals: Resource temporarily unavailable (os error 11)")]
fn denied_call_is_reported(#[case] args: &'static [&str], #[case] deny: fn() -> Deny, #[case] message: &str) {
    isolated(|| {
        let mut command = forkexec(args);
        denied(&mut command, deny);
        let (code, _, complaint) = said(&command.args(["--", "sleep", "1"]).output().expect("it starts"));
        assert_eq!((code, complaint), (Some(125), format!("forkexec: {message}\n")));
    });
}

#[rstest]
#[case::report(&["leaks", "--json", "--output", "/dev/full", "--", "true"],
    "leaks: cannot write the report: No space left on device (os error 28)")]
#[case::report_file(&["leaks", "--output", "/no/such/file", "--", "true"],
    "leaks: --output: cannot open \"/no/such/file\": No such file or directory (os error 2)")]
#[case::manual(&["man", "--dir", "/dev/null/man"],
    "man: cannot write \"/dev/null/man\": Not a directory (os error 20)")]
fn unwritable_file_is_reported(#[case] args: &[&str], #[case] message: &str) {
    let (code, _, complaint) = answer(args);
    assert_eq!((code, complaint), (Some(125), format!("forkexec: {message}\n")));
}
