//! The closing chain over every backend. A case names its backend, so that a filter such as `netbsd` runs its cases, too.
//!
//! The decisions of one backend alone are in its own file.

use rstest::rstest;

use forkexec_core::{
    Attribute, CloseStrategy, Closed, Closer, Errno, Fd, Gap, KeepList, LOOP_CEILING, Operation, Stage, Sys,
    Unlisted, child_exec, close_except,
};

use crate::freebsd::{CAPMODE, INTEGRITY, dragonfly, new, old};
use crate::netbsd::NO_ERRNO;
use crate::sim::directory::record;
use crate::sim::rich;
use crate::sim::solaris::dirent64;
use crate::sim::{Call, File, Listing, Recorder, SimKernel};
use crate::solaris::{loop_only, without_bulk};
use crate::systems::{APPLE, FREEBSD, LINUX, NETBSD, OPENBSD, POSIX, SOLARIS, System};
use crate::{apple, close_over, crowded, keep_list, left_open, netbsd, openbsd, strings, with_channel};

#[rstest]
#[case::apple(APPLE, "macOS")]
#[case::linux(LINUX, "Linux")]
#[case::netbsd(NETBSD, "NetBSD")]
#[case::openbsd(OPENBSD, "OpenBSD")]
#[case::solaris(SOLARIS, "Solaris")]
fn capabilities_name_the_enumerators(#[case] system: System, #[case] name: &str) {
    let backend = system(SimKernel::new());
    let names: Vec<_> = backend.enumerators().iter().map(|it| it.name()).collect();
    let capabilities = backend.capabilities();
    assert_eq!((names.as_slice(), name), (capabilities.enumerators, capabilities.system));
}

#[rstest]
#[case::apple(APPLE, false)]
#[case::netbsd(NETBSD, true)]
#[case::openbsd(OPENBSD, true)]
// Faults: Q-floor
#[case::posix(POSIX, false)]
#[case::solaris(SOLARIS, true)]
fn missing_operation_fails_without_a_call(#[case] system: System, #[case] closes_gaps: bool) {
    let backend = system(crowded());
    let gap = Gap::new(3, Fd::MAX).expect("it is not empty");
    let answers = [
        if closes_gaps { Err(Errno::NOSYS) } else { backend.close_gap(gap) },
        backend.own_table(2).map(drop),
        backend.die_with_parent(libc::SIGTERM),
        backend.no_new_privs(),
        backend.set_attribute(Attribute::SessionKeyring),
    ];
    assert_eq!((answers, backend.sys().calls()), ([Err(Errno::NOSYS); 5], vec![]));
    let missing = [Operation::DieWithParent, Operation::NoNewPrivs, Operation::SessionKeyring];
    assert!(missing.into_iter().all(|operation| !backend.capabilities().has(operation)));
}

#[rstest]
#[case::freebsd_not_there(FREEBSD, Some(Errno::NOSYS), CloseStrategy::Enumerate)]
#[case::freebsd_jail(FREEBSD, Some(Errno::PERM), CloseStrategy::Enumerate)]
#[case::freebsd_policy(FREEBSD, Some(Errno::ACCES), CloseStrategy::Enumerate)]
#[case::freebsd_unknown(FREEBSD, Some(Errno::INVAL), CloseStrategy::Enumerate)]
#[case::freebsd_capability_mode(FREEBSD, Some(CAPMODE), CloseStrategy::Enumerate)]
#[case::freebsd_gap_too_long_for_this_list(FREEBSD, Some(Errno::OVERFLOW), CloseStrategy::Bulk)]
#[case::freebsd_no_memory_this_time(FREEBSD, Some(Errno::NOMEM), CloseStrategy::Bulk)]
#[case::freebsd_interrupted(FREEBSD, Some(Errno::INTR), CloseStrategy::Bulk)]
#[case::freebsd_not_refused(FREEBSD, None, CloseStrategy::Bulk)]
#[case::linux_old_kernel(LINUX, Some(Errno::NOSYS), CloseStrategy::Enumerate)]
#[case::linux_seccomp(LINUX, Some(Errno::PERM), CloseStrategy::Enumerate)]
#[case::linux_other_seccomp(LINUX, Some(Errno::ACCES), CloseStrategy::Enumerate)]
// Faults: Q-linux-range
#[case::linux_unknown_flag(LINUX, Some(Errno::INVAL), CloseStrategy::Enumerate)]
#[case::linux_no_memory_this_time(LINUX, Some(Errno::NOMEM), CloseStrategy::Bulk)]
#[case::linux_interrupted(LINUX, Some(Errno::INTR), CloseStrategy::Bulk)]
#[case::linux_not_refused(LINUX, None, CloseStrategy::Bulk)]
#[case::netbsd_unknown(NETBSD, Some(Errno::INVAL), CloseStrategy::Enumerate)]
#[case::netbsd_not_emulated(NETBSD, Some(Errno::NOSYS), CloseStrategy::Enumerate)]
#[case::netbsd_denied(NETBSD, Some(Errno::PERM), CloseStrategy::Enumerate)]
#[case::netbsd_interrupted(NETBSD, Some(Errno::INTR), CloseStrategy::Bulk)]
#[case::netbsd_gap_too_long_this_time(NETBSD, Some(Errno::OVERFLOW), CloseStrategy::Bulk)]
#[case::netbsd_not_refused(NETBSD, None, CloseStrategy::Bulk)]
#[case::openbsd_promise_is_missing(OPENBSD, Some(Errno::NOSYS), CloseStrategy::Enumerate)]
#[case::openbsd_denied(OPENBSD, Some(Errno::PERM), CloseStrategy::Enumerate)]
#[case::openbsd_interrupted(OPENBSD, Some(Errno::INTR), CloseStrategy::Bulk)]
#[case::openbsd_gap_too_long_this_time(OPENBSD, Some(Errno::OVERFLOW), CloseStrategy::Bulk)]
#[case::openbsd_not_refused(OPENBSD, None, CloseStrategy::Bulk)]
#[case::solaris_older(SOLARIS, Some(Errno::INVAL), CloseStrategy::Enumerate)]
#[case::solaris_illumos(SOLARIS, Some(Errno::NOSYS), CloseStrategy::Enumerate)]
#[case::solaris_denied(SOLARIS, Some(Errno::PERM), CloseStrategy::Enumerate)]
#[case::solaris_denied_otherwise(SOLARIS, Some(Errno::ACCES), CloseStrategy::Enumerate)]
#[case::solaris_interrupted(SOLARIS, Some(Errno::INTR), CloseStrategy::Bulk)]
#[case::solaris_gap_too_wide_this_time(SOLARIS, Some(Errno::TOOBIG), CloseStrategy::Bulk)]
#[case::solaris_not_refused(SOLARIS, None, CloseStrategy::Bulk)]
fn only_permanent_refusals_are_remembered(
    #[case] system: System,
    #[case] bulk_refused: Option<Errno>,
    #[case] next: CloseStrategy,
) {
    let backend = system(SimKernel::new());
    assert_eq!(backend.first_strategy(), CloseStrategy::Bulk);
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused });
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused: None });
    assert_eq!(backend.first_strategy(), next);
}

#[rstest]
#[case::netbsd(NETBSD, "closem", CloseStrategy::Enumerate, Closer::Enumerator(0))]
#[case::netbsd(NETBSD, "closem", CloseStrategy::Loop, Closer::Loop)]
#[case::openbsd(OPENBSD, "closefrom", CloseStrategy::Enumerate, Closer::Enumerator(0))]
#[case::openbsd(OPENBSD, "closefrom", CloseStrategy::Loop, Closer::Loop)]
#[case::solaris(SOLARIS, "close_from", CloseStrategy::Enumerate, Closer::Enumerator(0))]
#[case::solaris(SOLARIS, "close_from", CloseStrategy::Loop, Closer::Loop)]
fn strategies_before_the_first_are_not_tried(
    #[case] system: System,
    #[case] bulk: &str,
    #[case] link: CloseStrategy,
    #[case] by: Closer,
) {
    let backend = system(crowded());
    let closed = close_except(&*backend, 3, keep_list(&[60]), link);
    assert_eq!(
        (closed, backend.sys().open_fds()),
        (Ok(Closed { by, bulk_refused: None }), vec![0, 1, 2, 60])
    );
    assert_eq!(backend.sys().calls_of(bulk), [""; 0]);
    let opened = backend.sys().calls_of("open_directory").len();
    assert!(opened == 0 || link == CloseStrategy::Enumerate, "{opened} directories opened");
}

#[rstest]
// Faults: Q-netbsd
#[case::netbsd_nothing_kept(NETBSD, &[], None, &["closem(3)"])]
#[case::netbsd_first_kept(NETBSD, &[3], None, &["closem(4)"])]
#[case::netbsd_adjacent_have_no_gap_between(NETBSD, &[3, 4, 5], None, &["closem(6)"])]
#[case::netbsd_one_below(NETBSD, &[4], None, &["max_fd()", "close(3)", "closem(5)"])]
#[case::netbsd_two_gaps(
    NETBSD, &[4, 6], None, &["max_fd()", "close(3)", "max_fd()", "close(5)", "closem(7)"])]
#[case::netbsd_channel_above_the_last(NETBSD, &[3], Some(5), &["max_fd()", "close(4)", "closem(6)"])]
#[case::netbsd_channel_below_the_last(NETBSD, &[5], Some(3), &["max_fd()", "close(4)", "closem(6)"])]
#[case::netbsd_channel_alone(NETBSD, &[], Some(3), &["closem(4)"])]
#[case::netbsd_gap_ends_at_the_highest_open(
    NETBSD, &[9_000], None, &["max_fd()", "close(3)", "close(4)", "close(5)", "closem(9001)"])]
#[case::netbsd_gap_above_the_highest_open(
    NETBSD, &[5, 9_000], None, &["max_fd()", "close(3)", "close(4)", "max_fd()", "closem(9001)"])]
#[case::netbsd_highest_possible_kept(
    NETBSD, &[Fd::MAX], None, &["max_fd()", "close(3)", "close(4)", "close(5)"])]
#[case::netbsd_below_the_highest_possible(
    NETBSD, &[Fd::MAX - 1], None, &["max_fd()", "close(3)", "close(4)", "close(5)", "closem(2147483647)"])]
#[case::openbsd_nothing_kept(OPENBSD, &[], None, &["closefrom(3)"])]
#[case::openbsd_first_kept(OPENBSD, &[3], None, &["closefrom(4)"])]
#[case::openbsd_adjacent_have_no_gap_between(OPENBSD, &[3, 4, 5], None, &["closefrom(6)"])]
#[case::openbsd_one_below(OPENBSD, &[4], None, &["close(3)", "closefrom(5)"])]
#[case::openbsd_two_gaps(OPENBSD, &[4, 6], None, &["close(3)", "close(5)", "closefrom(7)"])]
#[case::openbsd_channel_above_the_last(OPENBSD, &[3], Some(5), &["close(4)", "closefrom(6)"])]
#[case::openbsd_channel_below_the_last(OPENBSD, &[5], Some(3), &["close(4)", "closefrom(6)"])]
#[case::openbsd_channel_alone(OPENBSD, &[], Some(3), &["closefrom(4)"])]
#[case::openbsd_gap_above_the_highest_open(
    OPENBSD, &[3, 7], None, &["close(4)", "close(5)", "close(6)", "closefrom(8)"])]
#[case::solaris_nothing_kept(SOLARIS, &[], None, &["close_from(3)"])]
#[case::solaris_first_kept(SOLARIS, &[3], None, &["close_from(4)"])]
#[case::solaris_adjacent_have_no_gap_between(SOLARIS, &[3, 4, 5], None, &["close_from(6)"])]
#[case::solaris_one_below(SOLARIS, &[4], None, &["close(3)", "close_from(5)"])]
#[case::solaris_two_gaps(SOLARIS, &[4, 6], None, &["close(3)", "close(5)", "close_from(7)"])]
#[case::solaris_channel_above_the_last(SOLARIS, &[3], Some(5), &["close(4)", "close_from(6)"])]
#[case::solaris_channel_below_the_last(SOLARIS, &[5], Some(3), &["close(4)", "close_from(6)"])]
#[case::solaris_channel_alone(SOLARIS, &[], Some(3), &["close_from(4)"])]
#[case::solaris_above_all_that_is_open(SOLARIS, &[3, 4, 5, 6], None, &["close_from(7)"])]
fn bulk_close_begins_above_the_last_kept_fd(
    #[case] system: System,
    #[case] keep: &[Fd],
    #[case] channel: Option<Fd>,
    #[case] calls: &[&str],
) {
    let backend = system(SimKernel::new().with_open(&[3, 4, 5]));
    let closed = close_except(&*backend, 3, with_channel(keep, channel), CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Bulk, bulk_refused: None }));
    assert_eq!(backend.sys().calls(), strings(calls));
}

/// Faults: F13
#[rstest]
#[case::linux_enosys(LINUX, crowded(), Errno::NOSYS)]
#[case::linux_eperm(LINUX, crowded(), Errno::PERM)]
#[case::linux_enomem(LINUX, crowded(), Errno::NOMEM)]
#[case::linux_eintr(LINUX, crowded(), Errno::INTR)]
#[case::freebsd_enosys(FREEBSD, new(), Errno::NOSYS)]
#[case::freebsd_eperm(FREEBSD, new(), Errno::PERM)]
#[case::freebsd_enomem(FREEBSD, new(), Errno::NOMEM)]
#[case::freebsd_eintr(FREEBSD, new(), Errno::INTR)]
#[case::freebsd_ecapmode(FREEBSD, new(), CAPMODE)]
fn bulk_close_refused_half_way_leaks_nothing(
    #[case] system: System,
    #[case] kernel: SimKernel,
    #[case] errno: Errno,
    #[values(0, 1, 2)] gaps_closed: usize,
) {
    let backend = system(kernel.refusing_some("close_range", gaps_closed..9, errno));
    let closed = close_except(&*backend, 3, keep_list(&[60, 70]), CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Enumerator(0), bulk_refused: Some(errno) }));
    assert_eq!(backend.sys().open_fds(), [0, 1, 2, 60, 70]);
}

/// Two honest records, and more bytes.
pub(crate) fn garbage(dirent: fn(&[u8]) -> Vec<u8>, rest: &[u8]) -> Listing {
    Listing::Raw(vec![[dirent(b"46"), dirent(b"45"), rest.to_vec()].concat()])
}

/// Two honest records, and one with a false length field.
fn with_length(dirent: fn(&[u8]) -> Vec<u8>, name: &[u8], length: u16) -> Listing {
    let mut record = dirent(name);
    record[16..18].copy_from_slice(&length.to_ne_bytes());
    garbage(dirent, &record)
}

/// Names that the kernel's own file system lists.
pub(crate) fn named(names: &[&str]) -> Listing {
    Listing::Static { names: strings(names), on_procfs: true }
}

#[rstest]
// Faults: F4
#[case::linux_static_list(LINUX, Listing::plain(0..3))]
#[case::linux_plain_files_that_name_the_directory_too(LINUX, Listing::plain(0..60))]
#[case::linux_list_on_procfs_without_itself(LINUX, named(&["0", "1", "2"]))]
#[case::linux_empty(LINUX, Listing::Raw(vec![]))]
// Faults: F4, F13
#[case::linux_names_that_are_no_numbers(LINUX, named(&["x3", "4x"]))]
#[case::linux_record_of_length_zero(LINUX, with_length(record, b"44", 0))]
#[case::linux_record_of_a_header_only(LINUX, with_length(record, b"44", 18))]
// Faults: F4, F13
#[case::linux_record_longer_than_the_batch(LINUX, with_length(record, b"44", 32))]
#[case::linux_record_without_a_nul(LINUX, with_length(record, b"44444", 24))]
// Faults: F4, F13
#[case::linux_record_cut_off(LINUX, garbage(record, &record(b"44")[..12]))]
#[case::solaris_static_list(SOLARIS, Listing::plain(0..3))]
#[case::solaris_plain_files_that_name_the_directory_too(SOLARIS, Listing::plain(0..64))]
#[case::solaris_list_on_procfs_without_itself(SOLARIS, named(&["0", "1", "2"]))]
#[case::solaris_empty(SOLARIS, Listing::Raw(vec![]))]
#[case::solaris_names_that_are_no_numbers(SOLARIS, named(&["x3", "4x"]))]
#[case::solaris_record_of_length_zero(SOLARIS, with_length(dirent64, b"44", 0))]
#[case::solaris_record_within_its_header(SOLARIS, with_length(dirent64, b"44", 17))]
#[case::solaris_record_of_a_header_only(SOLARIS, with_length(dirent64, b"44", 18))]
#[case::solaris_record_longer_than_the_batch(SOLARIS, with_length(dirent64, b"44", 32))]
#[case::solaris_record_without_a_nul(SOLARIS, with_length(dirent64, b"444444", 24))]
#[case::solaris_record_cut_off(SOLARIS, garbage(dirent64, &dirent64(b"44")[..12]))]
#[case::solaris_records_of_linux(SOLARIS, Listing::Raw(vec![record(b"44")]))]
fn impossible_fd_list_is_not_believed(#[case] system: System, #[case] listing: Listing) {
    let kernel = crowded().refusing("close_range", Errno::PERM).refusing("close_from", Errno::PERM);
    let backend = system(kernel.with_listing(&listing));
    let closed = close_except(&*backend, 3, keep_list(&[60]), CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Loop, bulk_refused: Some(Errno::PERM) }));
    assert_eq!(backend.sys().open_fds(), [0, 1, 2, 60]);
}

#[rstest]
#[case::freebsd_not_there(FREEBSD, new().without_listings(), Unlisted::Refused(Errno::NOENT))]
#[case::freebsd_capability_mode(
    FREEBSD, new().refusing("open_directory", CAPMODE), Unlisted::Refused(CAPMODE))]
#[case::freebsd_no_free_number(
    FREEBSD, new().refusing("open_directory", Errno::MFILE), Unlisted::Refused(Errno::MFILE))]
#[case::freebsd_kind_unknown(FREEBSD, new().refusing("file_system", Errno::IO), Unlisted::Untrusted)]
#[case::freebsd_first_batch(
    FREEBSD, new().refusing("getdirentries", Errno::PERM), Unlisted::Refused(Errno::PERM))]
#[case::freebsd_second_batch(
    FREEBSD, new().refusing_some("getdirentries", 1..2, INTEGRITY), Unlisted::Refused(INTEGRITY))]
#[case::freebsd_end(
    FREEBSD, new().refusing_some("getdirentries", 5..6, Errno::IO), Unlisted::Refused(Errno::IO))]
#[case::linux_not_there(LINUX, crowded().without_listings(), Unlisted::Refused(Errno::NOENT))]
#[case::linux_not_to_be_opened(
    LINUX, crowded().refusing("open_directory", Errno::ACCES), Unlisted::Refused(Errno::ACCES))]
#[case::linux_no_free_number(
    LINUX, crowded().refusing("open_directory", Errno::MFILE), Unlisted::Refused(Errno::MFILE))]
#[case::linux_kind_unknown(LINUX, crowded().refusing("is_on_procfs", Errno::NOSYS), Unlisted::Untrusted)]
#[case::linux_not_procfs(LINUX, crowded().with_listing(&Listing::plain(0..3)), Unlisted::Untrusted)]
#[case::linux_first_batch(
    LINUX, crowded().refusing("getdents64", Errno::PERM), Unlisted::Refused(Errno::PERM))]
// Faults: F2
#[case::linux_second_batch(
    LINUX, crowded().refusing_some("getdents64", 1..2, Errno::IO), Unlisted::Refused(Errno::IO))]
#[case::linux_end(
    LINUX, crowded().refusing_some("getdents64", 3..4, Errno::IO), Unlisted::Refused(Errno::IO))]
#[case::linux_garbage(
    LINUX, crowded().with_listing(&garbage(record, &[0; 24])), Unlisted::Refused(Errno::IO))]
#[case::solaris_not_there(SOLARIS, crowded().without_listings(), Unlisted::Refused(Errno::NOENT))]
#[case::solaris_not_to_be_opened(
    SOLARIS, crowded().refusing("open_directory", Errno::ACCES), Unlisted::Refused(Errno::ACCES))]
#[case::solaris_no_free_number(
    SOLARIS, crowded().refusing("open_directory", Errno::MFILE), Unlisted::Refused(Errno::MFILE))]
#[case::solaris_kind_unknown(SOLARIS, crowded().refusing("is_on_procfs", Errno::NOSYS), Unlisted::Untrusted)]
#[case::solaris_not_procfs(SOLARIS, crowded().with_listing(&Listing::plain(0..64)), Unlisted::Untrusted)]
#[case::solaris_first_batch(
    SOLARIS, crowded().refusing("getdents", Errno::PERM), Unlisted::Refused(Errno::PERM))]
#[case::solaris_second_batch(
    SOLARIS, crowded().refusing_some("getdents", 1..2, Errno::IO), Unlisted::Refused(Errno::IO))]
#[case::solaris_end(
    SOLARIS, crowded().refusing_some("getdents", 3..4, Errno::IO), Unlisted::Refused(Errno::IO))]
// Faults: Q-solaris
#[case::solaris_inode_too_large_for_a_small_form(
    SOLARIS, crowded().refusing("getdents", Errno::OVERFLOW), Unlisted::Refused(Errno::OVERFLOW))]
#[case::solaris_garbage(
    SOLARIS, crowded().with_listing(&garbage(dirent64, &[0; 24])), Unlisted::Refused(Errno::IO))]
fn failed_enumeration_is_an_error_and_leaves_nothing_open(
    #[case] system: System,
    #[case] kernel: SimKernel,
    #[case] why: Unlisted,
) {
    let backend = system(kernel);
    let before = backend.sys().open_fds();
    let listed = backend.enumerators()[0].visit(backend.sys(), 3, &mut |_| {});
    assert_eq!((listed, backend.sys().open_fds()), (Err(why), before));
}

#[rstest]
#[case::freebsd_all_open(FREEBSD, new(), &[])]
#[case::freebsd_below_the_first_visited(FREEBSD, new(), &[1])]
#[case::freebsd_old_all_open(FREEBSD, old(), &[])]
#[case::freebsd_old_below_the_first_visited(FREEBSD, old(), &[1])]
#[case::freebsd_dragonfly_all_open(FREEBSD, dragonfly(), &[])]
#[case::freebsd_dragonfly_below_the_first_visited(FREEBSD, dragonfly(), &[1])]
// Faults: D14
#[case::linux_lowest_free(LINUX, crowded(), &[])]
#[case::linux_below_the_first_visited(LINUX, crowded(), &[1])]
// Faults: Q-solaris
#[case::solaris_lowest_free_above_many(SOLARIS, crowded(), &[])]
#[case::solaris_below_the_first_visited(SOLARIS, crowded(), &[1])]
#[case::solaris_first_visited(SOLARIS, crowded(), &[3])]
#[case::solaris_among_the_visited(SOLARIS, crowded(), &[44])]
fn enumerator_hides_its_directory_and_closes_it(
    #[case] system: System,
    #[case] kernel: SimKernel,
    #[case] closed: &[Fd],
) {
    let backend = system(kernel.without_open(closed));
    let before = backend.sys().open_fds();
    let mut seen = Vec::new();
    let listed = backend.enumerators()[0].visit(backend.sys(), 3, &mut |fd| seen.push(fd));
    assert_eq!((listed, backend.sys().open_fds()), (Ok(()), before.clone()));
    assert_eq!(seen, before.into_iter().filter(|&fd| fd >= 3).collect::<Vec<_>>());
}

#[rstest]
// Faults: D14
#[case::linux(LINUX)]
#[case::solaris(SOLARIS)]
fn visitor_may_close_each_descriptor_it_gets(#[case] system: System) {
    let backend = system(crowded());
    let kernel = backend.sys();
    let close = &mut |fd| kernel.close(fd).expect("what is listed is open");
    assert_eq!(backend.enumerators()[0].visit(kernel, 3, close), Ok(()));
    assert_eq!(kernel.open_fds(), [0, 1, 2]);
}

#[rstest]
#[case::linux(LINUX, crowded().refusing("close_range", Errno::PERM))]
#[case::solaris(SOLARIS, without_bulk(crowded()))]
fn kept_descriptor_need_not_be_a_plain_file(#[case] system: System, #[case] kernel: SimKernel) {
    let kernel = kernel.with_files(&[70_000], File::Terminal, true).with_files(&[47], File::Directory, false);
    let (closed, left) = close_over(&*system(kernel), keep_list(&[47, 70_000]), CloseStrategy::Bulk);
    assert_eq!((closed.is_ok(), left), (true, vec![0, 1, 2, 47, 70_000]));
}

#[rstest]
#[case::netbsd_refused(NETBSD, crowded().refusing("closem", Errno::INVAL), CloseStrategy::Bulk)]
#[case::netbsd_without_the_highest(NETBSD, crowded().refusing("max_fd", Errno::INVAL), CloseStrategy::Bulk)]
#[case::openbsd_refused(OPENBSD, crowded().refusing("closefrom", Errno::NOSYS), CloseStrategy::Bulk)]
#[case::openbsd_without_a_count(OPENBSD, crowded().refusing("open_count", Errno::NOSYS), CloseStrategy::Bulk)]
#[case::solaris_bulk(SOLARIS, crowded(), CloseStrategy::Bulk)]
#[case::solaris_list(SOLARIS, crowded(), CloseStrategy::Enumerate)]
#[case::solaris_loop(SOLARIS, crowded(), CloseStrategy::Loop)]
fn closed_standard_streams_make_no_difference(
    #[case] system: System,
    #[case] kernel: SimKernel,
    #[case] link: CloseStrategy,
    #[values(&[0, 1, 2], &[0], &[2])] closed: &[Fd],
) {
    let backend = system(kernel.without_open(closed));
    let before = backend.sys().open_fds();
    let (closed, left) = close_over(&*backend, keep_list(&[60]), link);
    assert_eq!((closed.is_ok(), left), (true, left_open(&before, keep_list(&[60]))));
}

#[rstest]
#[case::netbsd(NETBSD)]
#[case::solaris(SOLARIS)]
fn table_with_nothing_to_close_is_no_error(#[case] system: System) {
    let closed = close_over(&*system(SimKernel::new()), keep_list(&[4]), CloseStrategy::Bulk);
    assert_eq!(closed, (Ok(Closer::Bulk), vec![0, 1, 2]));
}

/// This number is open, and above the limit.
fn lowered(highest: Fd) -> SimKernel {
    crowded().with_open(&[highest]).with_limit(64)
}

#[rstest]
// Faults: F6
#[case::linux_by_enumeration(LINUX, lowered(65_535).refusing("close_range", Errno::NOSYS))]
// Faults: F6
#[case::linux_by_the_loop(LINUX, lowered(65_535).refusing("close_range", Errno::NOSYS).without_listings())]
#[case::netbsd_by_closem(NETBSD, lowered(70_000))]
#[case::netbsd_by_max_fd(NETBSD, lowered(70_000).refusing("closem", Errno::NOSYS))]
#[case::netbsd_by_the_loop_to_max_fd(
    NETBSD, lowered(70_000).refusing("closem", Errno::NOSYS).refusing_some("max_fd", 0..1, Errno::INTR))]
#[case::openbsd_by_closefrom(OPENBSD, lowered(70_000))]
#[case::openbsd_by_the_count(OPENBSD, lowered(70_000).refusing("closefrom", Errno::NOSYS))]
#[case::solaris_by_close_from(SOLARIS, lowered(65_535).without_open(&[44]))]
#[case::solaris_by_the_list(SOLARIS, without_bulk(lowered(65_535).without_open(&[44])))]
#[case::solaris_by_the_loop(SOLARIS, loop_only(lowered(65_535).without_open(&[44])))]
fn limit_below_open_descriptors_hides_none(#[case] system: System, #[case] kernel: SimKernel) {
    let (closed, left) = close_over(&*system(kernel), KeepList::EMPTY, CloseStrategy::Bulk);
    assert_eq!((closed.is_ok(), left), (true, vec![0, 1, 2]));
}

#[rstest]
#[case::linux(LINUX, crowded().refusing("close_range", Errno::PERM))]
#[case::solaris(SOLARIS, without_bulk(crowded()))]
fn full_table_is_closed_by_the_loop(#[case] system: System, #[case] kernel: SimKernel) {
    let full = kernel.with_process(|it| it.limits.values_mut().for_each(|it| it.0 = 3));
    let closed = close_over(&*system(full), KeepList::EMPTY, CloseStrategy::Bulk);
    assert_eq!(closed, (Ok(Closer::Loop), vec![0, 1, 2]));
}

/// `most`: the number of descriptors that can be closed before the error.
#[rstest]
#[case::apple(APPLE, apple::unbounded(), &[], 0)]
#[case::freebsd(FREEBSD, dragonfly().refusing("closefrom", Errno::PERM).without_listings().with_limit(1 << 30), &[], 0)]
// Faults: F7
#[case::linux_only_the_directory_is_closed(
    LINUX, crowded().refusing("close_range", Errno::PERM).refusing("getdents64", Errno::PERM).with_limit(1 << 30), &[], 1)]
#[case::netbsd_nothing_kept(
    NETBSD, netbsd::refusing_both(crowded(), Errno::PERM, Errno::PERM).with_limit(1 << 30), &[], 59)]
#[case::netbsd_gaps_to_close_whole(
    NETBSD, netbsd::refusing_both(crowded(), Errno::PERM, Errno::PERM).with_limit(1 << 30), &[60, Fd::MAX], 59)]
#[case::openbsd_nothing_kept(OPENBSD, openbsd::refusing_both(crowded(), Errno::PERM).with_limit(1 << 30), &[], 59)]
#[case::openbsd_gap_without_a_bound(
    OPENBSD, openbsd::refusing_both(crowded(), Errno::PERM).with_limit(1 << 30), &[60, Fd::MAX], 59)]
#[case::posix(POSIX, crowded().without_listings().with_limit(1 << 30), &[], 0)]
#[case::solaris_huge_limit(SOLARIS, loop_only(crowded()).with_limit(1 << 30), &[], 0)]
#[case::solaris_one_too_high(SOLARIS, loop_only(crowded()).with_limit((1 << 20) + 1), &[], 0)]
#[case::solaris_larger_than_a_descriptor(SOLARIS, loop_only(crowded()).with_limit(1 << 40), &[], 0)]
fn close_without_a_bound_on_time_is_an_error(
    #[case] system: System,
    #[case] kernel: SimKernel,
    #[case] keep: &[Fd],
    #[case] most: usize,
) {
    let backend = system(kernel);
    assert_eq!(close_over(&*backend, keep_list(keep), CloseStrategy::Bulk).0, Err(Errno::OVERFLOW));
    let closes = backend.sys().calls_of("close");
    assert!(closes.len() <= most, "{closes:?}");
}

/// A kernel with this hard limit.
fn limited(hard: u64) -> SimKernel {
    SimKernel::new().with_limit(hard)
}

/// A kernel without a highest descriptor, and with no limit except the system's.
fn system_limited(open_max: u64) -> SimKernel {
    limited(u64::MAX).with_open_max(open_max).refusing("max_fd", NO_ERRNO)
}

#[rstest]
#[case::linux_usual(LINUX, limited(20_000), Ok(65_536))]
#[case::linux_above_the_floor(LINUX, limited(65_537), Ok(65_537))]
#[case::linux_highest_that_is_walked(LINUX, limited(1 << 20), Ok(LOOP_CEILING))]
#[case::linux_one_too_many(LINUX, limited(1 + (1 << 20)), Err(Errno::OVERFLOW))]
// Faults: F7
#[case::linux_old_container(LINUX, limited(1 << 30), Err(Errno::OVERFLOW))]
#[case::linux_more_than_a_descriptor(LINUX, limited(u64::MAX - 1), Err(Errno::OVERFLOW))]
#[case::linux_none_at_all(LINUX, limited(u64::MAX), Ok(LOOP_CEILING))]
#[case::linux_none_but_the_system_says_one(LINUX, system_limited(70_000), Ok(70_000))]
#[case::linux_none_and_the_system_says_a_huge_one(LINUX, system_limited(1 << 31), Err(Errno::OVERFLOW))]
#[case::linux_unreadable_so_the_system_limit(
    LINUX, system_limited(100_000).refusing("descriptor_limit", Errno::PERM), Ok(100_000))]
// Faults: Q-netbsd
#[case::netbsd_highest_open(NETBSD, SimKernel::new().with_open(&[19_999]), Ok(20_000))]
#[case::netbsd_standard_streams_only(NETBSD, SimKernel::new(), Ok(3))]
#[case::netbsd_last_that_is_walked(NETBSD, SimKernel::new().with_open(&[LOOP_CEILING - 1]), Ok(LOOP_CEILING))]
#[case::netbsd_one_too_high(NETBSD, SimKernel::new().with_open(&[LOOP_CEILING]), Err(Errno::OVERFLOW))]
#[case::netbsd_highest_possible(NETBSD, SimKernel::new().with_open(&[Fd::MAX]), Err(Errno::OVERFLOW))]
#[case::netbsd_unlimited_process(NETBSD, limited(u64::MAX).with_open(&[90]), Ok(91))]
#[case::netbsd_huge_limit(NETBSD, limited(1 << 30).with_open(&[90]), Ok(91))]
#[case::netbsd_nothing_open(NETBSD, SimKernel::new().without_open(&[0, 1, 2]), Ok(65_536))]
#[case::netbsd_no_answer_so_the_limit(NETBSD, limited(90_000).refusing("max_fd", Errno::INVAL), Ok(90_000))]
#[case::netbsd_no_answer_and_no_limit_so_the_system_limit(NETBSD, system_limited(80_000), Ok(80_000))]
#[case::netbsd_no_answer_at_all(
    NETBSD, SimKernel::new().refusing("max_fd", NO_ERRNO).refusing("descriptor_limit", Errno::PERM), Ok(LOOP_CEILING))]
#[case::netbsd_no_answer_and_a_huge_limit(
    NETBSD, limited(1 << 30).refusing("max_fd", NO_ERRNO), Err(Errno::OVERFLOW))]
#[case::openbsd_usual(OPENBSD, limited(20_000), Ok(65_536))]
#[case::openbsd_above_the_floor(OPENBSD, limited(65_537), Ok(65_537))]
#[case::openbsd_highest_that_is_walked(OPENBSD, limited(1 << 20), Ok(LOOP_CEILING))]
#[case::openbsd_one_too_many(OPENBSD, limited(1 + (1 << 20)), Err(Errno::OVERFLOW))]
#[case::openbsd_none_at_all(OPENBSD, limited(u64::MAX), Ok(LOOP_CEILING))]
#[case::openbsd_none_but_the_system_says_one(OPENBSD, system_limited(70_000), Ok(70_000))]
#[case::solaris_hard_limit(SOLARIS, limited(90_000), Ok(90_000))]
#[case::solaris_low_limit_is_not_believed(SOLARIS, limited(256), Ok(65_536))]
#[case::solaris_as_many_as_are_walked(SOLARIS, limited(1 << 20), Ok(LOOP_CEILING))]
#[case::solaris_one_too_many(SOLARIS, limited((1 << 20) + 1), Err(Errno::OVERFLOW))]
#[case::solaris_no_limit_so_the_system_limit(SOLARIS, system_limited(80_000), Ok(80_000))]
#[case::solaris_unreadable_so_the_system_limit(
    SOLARIS, system_limited(80_000).refusing("descriptor_limit", Errno::PERM), Ok(80_000))]
#[case::solaris_no_answer_at_all(
    SOLARIS, SimKernel::new().refusing("descriptor_limit", Errno::PERM), Ok(LOOP_CEILING))]
fn loop_ends_at_the_limit_or_the_highest_open_fd(
    #[case] system: System,
    #[case] kernel: SimKernel,
    #[case] bound: Result<Fd, Errno>,
) {
    assert_eq!(system(kernel).loop_bound(), bound);
}

#[rstest]
#[case::netbsd(NETBSD, rich::kernel())]
#[case::netbsd_without_closem(NETBSD, rich::kernel().refusing("closem", Errno::INVAL))]
#[case::netbsd_without_either(NETBSD, netbsd::refusing_both(rich::kernel(), Errno::INVAL, NO_ERRNO))]
#[case::openbsd(OPENBSD, rich::kernel())]
#[case::openbsd_without_closefrom(OPENBSD, rich::kernel().refusing("closefrom", Errno::NOSYS))]
#[case::openbsd_without_either(OPENBSD, openbsd::refusing_both(rich::kernel(), Errno::NOSYS))]
#[case::solaris(SOLARIS, rich::kernel())]
#[case::solaris_without_close_from(SOLARIS, without_bulk(rich::kernel()))]
#[case::solaris_without_either(SOLARIS, loop_only(rich::kernel()))]
fn full_plan_sets_exactly_the_requested_state(#[case] system: System, #[case] kernel: SimKernel) {
    let plan = rich::portable_plan();
    let backend = system(kernel);
    let recorder = Recorder::new(backend.sys()).with_channel(rich::CHANNEL);
    let result = child_exec(&*backend, &plan, &rich::BIRTH, &recorder);
    assert!(result.as_ref().is_ok_and(rich::is_as_asked), "{result:?}");
    let keep = plan.keep.and(rich::CHANNEL);
    let closing = |call: &&Call| call.stage == Some(Stage::Close) && call.name.starts_with("close");
    let log = backend.sys().log();
    let mut closed = log.iter().filter(closing).filter_map(|call| Fd::try_from(call.numbers[0]?).ok());
    assert!(closed.all(|fd| !keep.contains(fd)));
}
