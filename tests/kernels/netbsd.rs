//! The decisions of the NetBSD backend: `F_CLOSEM` keeps nothing, and `F_MAXFD` may have no answer.
//!
//! - `attributes`: processors and policies

mod attributes;

use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closer, Errno, Fd, FdEnumerator, Gap, KeepList, LOOP_CEILING, Operation, Sys,
    Unlisted, close_except,
};
use forkexec_netbsd::{MaxFd, Netbsd};

use crate::sim::{Listing, SimKernel};
use crate::{
    CHANNEL, HIGHEST, RUN, World, close_over, crowded, keep_list, left_open, misstep, sparse, strings,
    with_channel,
};

/// The errno if fcntl(2) returns -1 without a failure.
pub(crate) const NO_ERRNO: Errno = Errno::from_raw(0);

/// The errnos of fcntl(2) for any command, and of a kernel or an emulation without the command.
pub(crate) const OF_FCNTL: [Errno; 11] = [
    NO_ERRNO,
    Errno::ACCES,
    Errno::AGAIN,
    Errno::BADF,
    Errno::INTR,
    Errno::INVAL,
    Errno::MFILE,
    Errno::NOENT,
    Errno::NOMEM,
    Errno::NOSYS,
    Errno::PERM,
];

/// Refuses both commands.
pub(crate) fn refusing_both(kernel: SimKernel, closem: Errno, max_fd: Errno) -> SimKernel {
    kernel.refusing("closem", closem).refusing("max_fd", max_fd)
}

#[rstest]
#[case::good(|it: SimKernel| it, Closer::Bulk)]
#[case::good_with_gaps_closed_whole_as_nothing_is_said_to_be_open(
    |it: SimKernel| it.refusing("max_fd", NO_ERRNO), Closer::Bulk)]
#[case::good_with_gaps_closed_whole_as_the_highest_is_unknown(
    |it: SimKernel| it.refusing("max_fd", Errno::INVAL), Closer::Bulk)]
#[case::closem_unknown(|it: SimKernel| it.refusing("closem", Errno::INVAL), Closer::Enumerator(0))]
#[case::closem_not_emulated(|it: SimKernel| it.refusing("closem", Errno::NOSYS), Closer::Enumerator(0))]
#[case::closem_denied(|it: SimKernel| it.refusing("closem", Errno::PERM), Closer::Enumerator(0))]
#[case::closem_denied_otherwise(|it: SimKernel| it.refusing("closem", Errno::ACCES), Closer::Enumerator(0))]
#[case::closem_interrupted(|it: SimKernel| it.refusing("closem", Errno::INTR), Closer::Enumerator(0))]
#[case::neither_known(|it: SimKernel| refusing_both(it, Errno::INVAL, Errno::INVAL), Closer::Loop)]
#[case::neither_emulated(|it: SimKernel| refusing_both(it, Errno::NOSYS, Errno::NOSYS), Closer::Loop)]
#[case::neither_and_nothing_is_said_to_be_open(
    |it: SimKernel| refusing_both(it, Errno::NOSYS, NO_ERRNO), Closer::Loop)]
#[case::neither_and_no_limit(
    |it: SimKernel| refusing_both(it, Errno::NOSYS, Errno::NOSYS).with_limit(u64::MAX), Closer::Loop)]
#[case::neither_and_no_limit_but_the_system_limit(
    |it: SimKernel| refusing_both(it, Errno::NOSYS, NO_ERRNO).with_limit(u64::MAX).with_open_max(30_000),
    Closer::Loop)]
#[case::neither_and_the_limit_is_not_known(
    |it: SimKernel| refusing_both(it, Errno::PERM, Errno::PERM).refusing("descriptor_limit", Errno::PERM),
    Closer::Loop)]
fn close_leaves_exactly_the_kept_fds(
    #[case] world: World,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let keep = with_channel(keep, channel);
    let backend = Netbsd::new(world(crowded()));
    let before = backend.sys().open_fds();
    assert_eq!(close_over(&backend, keep, CloseStrategy::Bulk), (Ok(by), left_open(&before, keep)));
    assert_eq!(misstep(backend.sys(), keep, &["max_fd", "descriptor_limit"]), None);
}

#[rstest]
#[case::static_dev_fd(Listing::plain(0..64))]
#[case::live_proc(Listing::Live)]
fn no_directory_is_ever_read(#[case] listing: Listing) {
    let kernel = refusing_both(crowded().with_listing(&listing), Errno::NOSYS, Errno::NOSYS);
    let backend = Netbsd::new(kernel);
    let (closed, _) = close_over(&backend, KeepList::EMPTY, CloseStrategy::Bulk);
    assert_eq!((closed, backend.sys().calls_of("open_directory")), (Ok(Closer::Loop), vec![]));
}

#[rstest]
fn any_answer_of_fcntl_leaks_nothing(
    #[values("closem", "max_fd")] name: &str,
    #[values(0, 1, 2, 3)] from: usize,
    #[values(1, usize::MAX)] times: usize,
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] link: CloseStrategy,
) {
    for errno in OF_FCNTL {
        let which = from..from.saturating_add(times);
        let backend = Netbsd::new(sparse().refusing_some(name, which, errno));
        let (closed, left) = close_over(&backend, keep_list(&[60, 70]), link);
        assert_eq!((closed.is_ok(), left), (true, vec![0, 1, 2, 60, 70]), "{errno}");
    }
}

#[rstest]
fn any_answer_of_fcntl_and_the_limit_leaks_nothing(
    #[values(Errno::FAULT, Errno::INVAL, Errno::PERM)] of_getrlimit: Errno,
    #[values(0, 1)] from: usize,
) {
    for errno in OF_FCNTL {
        let kernel = sparse().refusing("closem", errno).refusing_some("max_fd", from..usize::MAX, errno);
        let backend = Netbsd::new(kernel.refusing("descriptor_limit", of_getrlimit));
        let (closed, left) = close_over(&backend, keep_list(&[60, 70]), CloseStrategy::Bulk);
        assert_eq!((closed.is_ok(), left), (true, vec![0, 1, 2, 60, 70]), "{errno}");
    }
}

#[rstest]
#[case::kept(&[LOOP_CEILING + 1], Err(Errno::OVERFLOW))]
#[case::kept_as_far_as_one_may_be(&[LOOP_CEILING], Ok(Closer::Bulk))]
#[case::not_kept(&[], Ok(Closer::Bulk))]
fn high_fd_is_an_error_if_kept_and_fine_if_closed(
    #[case] keep: &[Fd],
    #[case] answer: Result<Closer, Errno>,
) {
    let kernel = SimKernel::new().with_open(&[9, LOOP_CEILING, LOOP_CEILING + 1]).with_limit(u64::MAX);
    let (closed, left) = close_over(&Netbsd::new(kernel), keep_list(keep), CloseStrategy::Bulk);
    assert_eq!((closed, keep.iter().all(|fd| left.contains(fd))), (answer, true));
}

#[test]
fn max_fd_jumps_over_all_that_is_not_open() {
    let kernel = SimKernel::new().with_open(&[5, 70_000, Fd::MAX]);
    let close = &mut |fd| {
        kernel.close(fd).expect("what is handed over is open");
    };
    assert_eq!(MaxFd.visit(&kernel, 3, close), Ok(()));
    let calls =
        ["max_fd()", "close(2147483647)", "max_fd()", "close(70000)", "max_fd()", "close(5)", "max_fd()"];
    assert_eq!(kernel.calls(), strings(&calls));
}

#[test]
fn below_the_highest_kept_every_number_is_closed() {
    let backend = Netbsd::new(SimKernel::new().with_open(&[4, 6, 900]));
    assert!(close_except(&backend, 3, keep_list(&[6]), CloseStrategy::Enumerate).is_ok());
    let first_pass = ["max_fd()", "close(900)", "max_fd()", "max_fd()", "close(5)", "close(4)", "close(3)"];
    let nothing_left = ["max_fd()", "max_fd()", "close(5)", "close(4)", "close(3)"];
    assert_eq!(backend.sys().calls(), strings(&[&first_pass[..], &nothing_left].concat()));
}

#[rstest]
#[case::kept_is_the_highest(HIGHEST)]
#[case::kept_is_in_the_middle(300)]
#[case::kept_is_the_first(3)]
fn every_open_descriptor_is_visited_and_none_below_the_first(#[case] kept: Fd) {
    let kernel = crowded();
    let open: Vec<Fd> = kernel.open_fds().into_iter().filter(|&fd| fd >= 3).collect();
    let mut seen = Vec::new();
    let listed = MaxFd.visit(&kernel, 3, &mut |fd| {
        seen.push(fd);
        if fd != kept {
            let _ = kernel.close(fd);
        }
    });
    let unseen: Vec<Fd> = open.into_iter().filter(|fd| !seen.contains(fd)).collect();
    assert_eq!((listed, unseen, seen.iter().min()), (Ok(()), vec![], Some(&3)));
}

#[rstest]
#[case::not_asked_to_close(|it: SimKernel| it)]
#[case::no_answer_the_second_time(|it: SimKernel| it.refusing_some("max_fd", 1..2, Errno::INTR))]
#[case::nothing_open_the_second_time(|it: SimKernel| it.refusing_some("max_fd", 1..2, NO_ERRNO))]
fn visitor_that_closes_nothing_gets_each_number_once(#[case] world: World) {
    let mut seen = Vec::new();
    assert_eq!(MaxFd.visit(&world(crowded()), 3, &mut |fd| seen.push(fd)), Ok(()));
    assert!(seen.into_iter().eq((3..=HIGHEST).rev()));
}

/// Faults: Q-netbsd
#[rstest]
#[case::nothing_open(NO_ERRNO)]
#[case::unknown(Errno::INVAL)]
#[case::not_emulated(Errno::NOSYS)]
#[case::denied(Errno::PERM)]
fn enumerator_visits_nothing_without_a_first_answer(#[case] errno: Errno) {
    let kernel = crowded().refusing("max_fd", errno);
    let mut visits = 0;
    let listed = MaxFd.visit(&kernel, 3, &mut |_| visits += 1);
    assert_eq!((listed, visits), (Err(Unlisted::Refused(errno)), 0));
}

/// Faults: Q-netbsd
#[test]
fn kernel_without_open_descriptors_has_no_answer() {
    let kernel = SimKernel::new().without_open(&[0, 1, 2]);
    assert_eq!(MaxFd.visit(&kernel, 3, &mut |_| {}), Err(Unlisted::Refused(NO_ERRNO)));
}

#[rstest]
#[case::at_the_ceiling(LOOP_CEILING, Ok(()))]
#[case::above_it(LOOP_CEILING + 1, Err(Unlisted::Untrusted))]
#[case::far_above_it(Fd::MAX, Err(Unlisted::Untrusted))]
fn enumeration_without_a_bound_is_not_begun(#[case] kept: Fd, #[case] answer: Result<(), Unlisted>) {
    let kernel = SimKernel::new().with_open(&[kept]);
    let mut visits = 0;
    let listed = MaxFd.visit(&kernel, 3, &mut |_| visits += 1);
    assert_eq!((listed, visits > 1), (answer, answer.is_ok()));
}

#[test]
fn gap_of_one_number_is_one_close() {
    let backend = Netbsd::new(crowded());
    let gap = Gap::new(7, 7).expect("it has one number");
    assert_eq!(backend.close_gap(gap), Ok(()));
    assert_eq!(backend.sys().calls(), strings(&["max_fd()", "close(7)"]));
}

/// No release that this backend supports lacks one of them.
#[test]
fn operations_are_those_of_the_capabilities() {
    let backend = Netbsd::new(SimKernel::new());
    let has = [Operation::CpuAffinity, Operation::Scheduler, Operation::Cgroup].map(|it| backend.has(it));
    assert_eq!(has, [true, true, false]);
}
