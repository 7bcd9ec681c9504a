//! The filter of Android's apps.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::{fs, io};

use forkexec_linux::{AndroidCall, Release};
use forkexec_tests::android::{self, LEVELS};
use forkexec_tests::deny::Deny;
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

/// Tests deny calls under the filter of a release.
#[test]
fn filter_of_a_test_judges_calls_under_that_of_apps() {
    isolated(|| {
        match android::install(33) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return skip("the list has no numbers of this architecture");
            }
            installed => installed.expect("the filter is taken"),
        }
        Deny::new().errno(libc::SYS_getpriority, libc::EDOM).install().expect("the filter is taken");
    });
}

/// The names after `SYS_` in the sources below a directory.
fn calls_below(directory: &Path, calls: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("the sources can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            calls_below(&path, calls);
        } else {
            let text = fs::read_to_string(&path).expect("a source is text");
            let is_name = |byte: char| byte.is_ascii_alphanumeric() || byte == '_';
            calls.extend(
                text.split("libc::SYS_")
                    .skip(1)
                    .map(|rest| rest.split(|c| !is_name(c)).next().unwrap().into()),
            );
        }
    }
}

/// Calls that are not made on Android, or only where another call of the same operation is allowed.
const OTHERWISE_DECIDED: [(&str, &str); 8] = [
    ("pidfd_getfd", "never made on Android"),
    ("get_mempolicy", "after set_mempolicy"),
    ("getresuid32", "x86 of 32 bits"),
    ("getresgid32", "x86 of 32 bits"),
    ("getgroups32", "x86 of 32 bits"),
    ("setresuid32", "x86 of 32 bits"),
    ("setresgid32", "x86 of 32 bits"),
    ("setgroups32", "x86 of 32 bits"),
];

/// Faults: Q-android
#[test]
fn each_call_of_the_library_is_allowed_to_apps_or_decided() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut calls = BTreeSet::new();
    for sources in ["platforms/linux/src", "crates/unix/src", "crates/forkexec/src"] {
        calls_below(&root.join(sources), &mut calls);
    }
    assert!(calls.len() > 40, "{calls:?}");
    for call in calls {
        let decided = AndroidCall::ALL.into_iter().find(|it| it.name() == call);
        for level in LEVELS {
            let release = Release::Android(level);
            let is_listed = android::lists(level, &call);
            match decided {
                Some(decided) => assert_eq!(release.allows(decided), is_listed, "{call} at {level}"),
                None => assert!(
                    is_listed || OTHERWISE_DECIDED.iter().any(|(name, _)| *name == call),
                    "{call} at {level}"
                ),
            }
        }
    }
}
