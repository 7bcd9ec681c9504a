//! Facts about the simulated systems that no backend relies on yet.

mod seen;

use rstest::rstest;

use forkexec_core::Errno;

use seen::{FREEBSD, Facts, NETBSD, OPENBSD, Sigsys, Unknown};

#[test]
fn each_fact_names_the_kernel_it_was_seen_on() {
    for Facts { source, .. } in [FREEBSD, OPENBSD, NETBSD] {
        assert!(source.starts_with("seen on ") && source.contains(char::is_numeric), "{source:?}");
    }
}

/// Faults: Q-freebsd-list
#[rstest]
#[case::default(Sigsys::Default, Unknown::Killed)]
#[case::ignored(Sigsys::Ignored, Unknown::Fails { pending: false })]
#[case::blocked(Sigsys::Blocked, Unknown::Fails { pending: true })]
fn unknown_system_call_raises_sigsys(#[case] sigsys: Sigsys, #[case] answer: Unknown) {
    for facts in [FREEBSD, OPENBSD] {
        assert_eq!(facts.unknown_call(9_999, sigsys), answer, "{}", facts.source);
    }
    assert_eq!(NETBSD.unknown_call(511, sigsys), answer);
    assert_eq!(NETBSD.unknown_call(9_999, sigsys), Unknown::OtherCall(9_999 % 512), "it is masked");
}

#[test]
fn vfork_child_shares_memory_and_errno_except_on_openbsd() {
    for facts in [FREEBSD, NETBSD] {
        let vfork = facts.vfork;
        assert!(vfork.memory && vfork.errno && !vfork.holds_fork_locks, "{}", facts.source);
        assert!(!vfork.needs_map_stack, "{}", facts.source);
    }
    let vfork = OPENBSD.vfork;
    assert!(!vfork.memory && !vfork.errno && vfork.holds_fork_locks && vfork.needs_map_stack);
}

#[test]
fn blocked_fault_signal_kills_except_on_netbsd() {
    let ends = [FREEBSD, OPENBSD, NETBSD].map(|facts| facts.blocked_fault_ends);
    assert_eq!(ends, [true, true, false]);
}

#[test]
fn kqueue_refuses_children_that_have_ended() {
    let ended = [FREEBSD, OPENBSD, NETBSD].map(|facts| facts.watch_of_ended);
    assert_eq!(ended, [Ok(()), Err(Errno::SRCH), Err(Errno::SRCH)]);
    let set_uid = [FREEBSD, OPENBSD, NETBSD].map(|facts| facts.watch_of_set_uid);
    assert_eq!(set_uid, [Ok(()), Ok(()), Err(Errno::ACCES)]);
}
