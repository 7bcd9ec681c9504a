//! The decisions of the portable floor: there is no bulk call, and `/dev/fd` is often a static directory.

use rstest::rstest;

use forkexec_core::{
    Attribute, Backend, CloseStrategy, Closed, Closer, Errno, Fd, FdEnumerator, Gap, IdMaps, IoPriority,
    Lender, NamespaceSet, Operation, Scheduler, Unlisted, Wanted, close_by, close_except,
};
use forkexec_posix::{DevFd, Posix};

use crate::sim::directory::record;
use crate::sim::{Listing, SimKernel};
use crate::{HIGHEST, World, crowded, keep_list, left_open};

#[rstest]
#[case::live(|it: SimKernel| it, Closer::Enumerator(0))]
#[case::stale(|it: SimKernel| it.with_listing(&Listing::TakenAtOpen), Closer::Enumerator(0))]
#[case::moving_up(|it: SimKernel| it.with_listing(&Listing::Moving), Closer::Enumerator(0))]
#[case::static_list(|it: SimKernel| it.with_listing(&Listing::plain(0..3)), Closer::Loop)]
#[case::not_there(|it: SimKernel| it.without_listings(), Closer::Loop)]
#[case::not_to_be_read_without_allocation(|it: SimKernel| it.refusing("read_directory", Errno::NOSYS), Closer::Loop)]
#[case::breaks_off(|it: SimKernel| it.refusing_some("read_directory", 1..9, Errno::IO), Closer::Loop)]
#[case::garbage(|it: SimKernel| it.with_listing(&Listing::Raw(vec![vec![0; 40]])), Closer::Loop)]
#[case::empty(|it: SimKernel| it.with_listing(&Listing::Raw(vec![])), Closer::Loop)]
#[case::no_limit(|it: SimKernel| it.without_listings().with_limit(u64::MAX), Closer::Loop)]
#[case::no_limit_but_the_system_limit(
    |it: SimKernel| it.without_listings().with_limit(u64::MAX).with_open_max(30_000), Closer::Loop)]
fn close_leaves_exactly_the_kept_fds(
    #[case] world: World,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &[HIGHEST])] keep: &[Fd],
) {
    let backend = Posix::new(world(crowded()));
    let before = backend.sys().open_fds();
    let closed = close_except(&backend, 3, keep_list(keep), backend.first_strategy());
    assert_eq!(closed, Ok(Closed { by, bulk_refused: None }));
    assert_eq!(backend.sys().open_fds(), left_open(&before, keep_list(keep)));
}

#[rstest]
#[case::static_list(Listing::plain(0..3), Err(Unlisted::Untrusted))]
#[case::no_entry(Listing::Raw(vec![]), Err(Unlisted::Untrusted))]
#[case::cut_off(Listing::Raw(vec![record(b"46")[..20].to_vec()]), Err(Unlisted::Refused(Errno::IO)))]
#[case::live(Listing::Live, Ok(()))]
fn list_is_believed_if_it_has_its_own_descriptor(
    #[case] listing: Listing,
    #[case] answer: Result<(), Unlisted>,
) {
    let kernel = crowded().with_listing(&listing);
    let before = kernel.open_fds();
    let listed = DevFd.visit(&kernel, 3, &mut |_| {});
    assert_eq!((listed, kernel.open_fds()), (answer, before));
}

/// Faults: Q-floor
#[test]
fn posix_backend_has_nothing_to_learn() {
    let backend = Posix::new(SimKernel::new());
    backend.learn(&Closed { by: Closer::Loop, bulk_refused: Some(Errno::NOSYS) });
    assert_eq!(backend.first_strategy(), CloseStrategy::Enumerate);
}

#[test]
fn posix_backend_claims_no_feature_of_other_systems() {
    let backend = Posix::new(crowded());
    assert_eq!(backend.own_table(9), Err(Errno::NOSYS));
    assert_eq!(backend.has_execed(101, 100), None);
    assert!(!backend.owes_closing(Errno::INVAL));
    assert!(!backend.capabilities().has(Operation::Cgroup));
}

/// The floor overrides none of them.
#[test]
fn backend_without_a_feature_refuses_it() {
    let backend = Posix::new(crowded());
    let wanted = Wanted { fd: 3, reopen: None };
    assert_eq!(backend.take(&Lender::new(1), &wanted), Err(Errno::NOSYS));
    assert_eq!(backend.take_by(0, 1, &wanted), Err(Errno::NOSYS));
    let refused = [
        backend.set_gap_cloexec(Gap::new(3, 9).expect("it has numbers")),
        backend.join_namespace(3),
        backend.unshare(NamespaceSet::EMPTY),
        backend.map_ids(IdMaps { users: None, groups: None }),
        backend.set_attribute(Attribute::Suspended),
    ];
    assert_eq!(refused, [Err(Errno::NOSYS); 5]);
}

/// A caller asks for these only if the backend has the operation.
#[test]
fn backend_that_names_no_limit_has_that_of_most_systems() {
    let backend = Posix::new(crowded());
    assert!(!backend.has(Operation::Cgroup));
    assert!(backend.has_scheduler(Scheduler::Other) && backend.has_io_priority(IoPriority::Idle));
    assert_eq!((backend.highest_priority(), backend.most_processors()), (99, usize::MAX));
    let mut processors = [0, 0];
    assert_eq!((backend.processors(&mut processors), processors), (Ok(()), [1, 0]));
    assert_eq!(backend.processors(&mut []), Err(Errno::INVAL));
}

#[rstest]
#[case::nothing(Closer::Nothing, Ok(()), false)]
#[case::bulk(Closer::Bulk, Err(Unlisted::Refused(Errno::NOSYS)), false)]
#[case::list(Closer::Enumerator(0), Ok(()), true)]
#[case::missing_list(Closer::Enumerator(9), Err(Unlisted::Refused(Errno::NOSYS)), false)]
#[case::each_number(Closer::Loop, Ok(()), true)]
fn one_means_alone_closes_or_says_why_not(
    #[case] by: Closer,
    #[case] answer: Result<(), Unlisted>,
    #[case] closes: bool,
) {
    let backend = Posix::new(crowded());
    let before = backend.sys().open_fds();
    assert_eq!(close_by(&backend, by, 3, keep_list(&[60])), answer);
    let after = if closes { left_open(&before, keep_list(&[60])) } else { before };
    assert_eq!(backend.sys().open_fds(), after);
}
