//! Resource usage of a child.

use std::time::Duration;

use forkexec::{Command, Error};
use forkexec_tests::isolate::isolated;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use rstest::rstest;

use crate::ground::is_emulated;
use crate::held::Acting;
use crate::start::probe;

const MIB: u64 = 1 << 20;

#[rstest]
fn resource_usage_covers_one_child_alone(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        if is_emulated("does not tell what a child used") {
            return;
        }
        let mut child = probe(&["touch", "64"]).create_pidfd(pidfd).spawn().expect("it starts");
        let (status, usage) = child.wait_usage().expect("it ends");
        assert!(status.success());
        assert!(usage.max_rss().is_some_and(|peak| (64 * MIB..256 * MIB).contains(&peak)), "{usage:?}");
        // One fault may bring a huge page.
        assert!(usage.minor_faults() >= 64 / 2, "{usage:?}");
        assert!(usage.user_time() + usage.system_time() > Duration::ZERO, "{usage:?}");
        let again = child.wait_usage().expect("it is known");
        assert_eq!((again, child.wait().expect("it is known")), ((status, usage), status));
    });
}

/// Linux counts the memory that a child had before exec, its parent's.
#[test]
fn peak_memory_that_may_be_the_parents_is_not_reported() {
    isolated(|| {
        if is_emulated("does not tell what a child used") {
            return;
        }
        std::hint::black_box(vec![1_u8; 64 << 20]);
        let (_, usage) = probe(&["touch", "16"]).spawn().and_then(|mut it| it.wait_usage()).expect("it ends");
        assert_eq!(usage.max_rss(), None, "{usage:?}");
    });
}

/// The child is the only one of its process. It works in user space, touches memory, and waits several times.
#[rstest]
fn child_usage_is_that_of_getrusage(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        if is_emulated("does not tell what a child used") {
            return;
        }
        let script =
            "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; for i in 1 2 3 4; do sleep 0.001; done";
        let mut shell = Command::new("sh");
        let mut child = shell.args(["-c", script]).create_pidfd(pidfd).spawn().expect("it starts");
        let (_, usage) = child.wait_usage().expect("it ends");
        let all = getrusage(UsageWho::RUSAGE_CHILDREN).expect("it is always told");
        let time = |time: TimeVal| Duration::from_micros(time.num_microseconds().unsigned_abs());
        let times =
            [(usage.user_time(), time(all.user_time())), (usage.system_time(), time(all.system_time()))];
        // The kernel adds a child to the sum before it tells its usage (`wait_task_zombie` of kernel/exit.c). In between, the
        // child can be switched out for the last time.
        let last = Duration::from_millis(1);
        assert!(times.iter().all(|(own, all)| own.abs_diff(*all) <= last), "{times:?}");
        let count = |count: libc::c_long| u64::try_from(count).expect("it is a number of events");
        let faults = [
            (usage.minor_faults(), count(all.minor_page_faults())),
            (usage.major_faults(), count(all.major_page_faults())),
        ];
        assert!(faults.iter().all(|(own, all)| own == all), "{faults:?}");
        let switches = [
            (usage.voluntary_switches(), count(all.voluntary_context_switches())),
            (usage.involuntary_switches(), count(all.involuntary_context_switches())),
        ];
        assert!(switches.iter().all(|(own, all)| own.abs_diff(*all) <= 1), "{switches:?}");
    });
}

#[test]
fn resource_usage_is_lost_with_the_status() {
    isolated(|| {
        let _acting = Acting::new(libc::SIGCHLD, libc::SIG_IGN);
        let lost = probe(&["true"]).spawn().expect("it starts").wait_usage();
        assert!(matches!(lost, Err(Error::StatusLost { .. })), "{lost:?}");
    });
}
