//! What a child used of the machine.

use std::time::Duration;

use forkexec::Error;
use forkexec_tests::isolate::isolated;
use rstest::rstest;

use crate::ground::is_emulated;
use crate::held::Acting;
use crate::start::probe;

const MIB: u64 = 1 << 20;

#[rstest]
fn what_a_child_used_is_its_own(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        if is_emulated("does not tell what a child used") {
            return;
        }
        let mut child = probe(&["touch", "64"]).create_pidfd(pidfd).spawn().expect("it starts");
        let (status, usage) = child.wait_usage().expect("it ends");
        assert!(status.success());
        assert!(usage.max_rss().is_some_and(|peak| (64 * MIB..256 * MIB).contains(&peak)), "{usage:?}");
        assert!(usage.minor_faults() >= 64 * MIB / 65_536, "{usage:?}");
        assert!(usage.user_time() + usage.system_time() > Duration::ZERO, "{usage:?}");
        let again = child.wait_usage().expect("it is known");
        assert_eq!((again, child.wait().expect("it is known")), ((status, usage), status));
    });
}

/// Linux counts the memory that a child had before exec, its parent's.
#[test]
fn a_peak_that_may_be_the_parent_s_is_not_told() {
    isolated(|| {
        if is_emulated("does not tell what a child used") {
            return;
        }
        std::hint::black_box(vec![1_u8; 64 << 20]);
        let (_, usage) = probe(&["touch", "16"]).spawn().and_then(|mut it| it.wait_usage()).expect("it ends");
        assert_eq!(usage.max_rss(), None, "{usage:?}");
    });
}

#[test]
fn a_child_that_waits_gives_up_its_processor() {
    isolated(|| {
        if is_emulated("does not tell what a child used") {
            return;
        }
        let mut sleeper = forkexec::Command::new("sleep");
        let (_, usage) = sleeper.arg("0.01").spawn().and_then(|mut it| it.wait_usage()).expect("it ends");
        assert!(usage.voluntary_switches() > 0, "{usage:?}");
    });
}

#[test]
fn what_a_child_used_is_lost_with_its_status() {
    isolated(|| {
        let _acting = Acting::new(libc::SIGCHLD, libc::SIG_IGN);
        let lost = probe(&["true"]).spawn().expect("it starts").wait_usage();
        assert!(matches!(lost, Err(Error::StatusLost { .. })), "{lost:?}");
    });
}
