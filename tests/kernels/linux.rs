//! The decisions of the Linux backend: which strategy to use, which list to believe, which refusal to remember.

use rstest::rstest;

use forkexec_core::{Backend, CloseStrategy, Closed, Closer, Errno, Fd};
use forkexec_linux::{Linux, Release};

use crate::sim::{Call, Listing, SimKernel};
use crate::{CHANNEL, HIGHEST, RUN, World, close_over, crowded, keep_list, left_open, strings, with_channel};

fn refusing_all(kernel: SimKernel, errno: Errno) -> SimKernel {
    kernel.refusing("close_range", errno).refusing("getdents64", errno)
}

#[rstest]
#[case::good(|it: SimKernel| it, Closer::Bulk)]
// Faults: Q-linux-range
#[case::too_old(|it: SimKernel| it.refusing("close_range", Errno::NOSYS), Closer::Enumerator(0))]
#[case::contained_eperm(|it: SimKernel| it.refusing("close_range", Errno::PERM), Closer::Enumerator(0))]
#[case::contained_eacces(|it: SimKernel| it.refusing("close_range", Errno::ACCES), Closer::Enumerator(0))]
#[case::contained_einval(|it: SimKernel| it.refusing("close_range", Errno::INVAL), Closer::Enumerator(0))]
#[case::stale_list(
    |it: SimKernel| it.refusing("close_range", Errno::PERM).with_listing(&Listing::TakenAtOpen), Closer::Enumerator(0))]
// Faults: D15
#[case::list_that_moves_up(
    |it: SimKernel| it.refusing("close_range", Errno::PERM).with_listing(&Listing::Moving), Closer::Enumerator(0))]
#[case::all_refused_enosys(|it: SimKernel| refusing_all(it, Errno::NOSYS), Closer::Loop)]
#[case::all_refused_eperm(|it: SimKernel| refusing_all(it, Errno::PERM), Closer::Loop)]
#[case::all_refused_eacces(|it: SimKernel| refusing_all(it, Errno::ACCES), Closer::Loop)]
#[case::all_refused_einval(|it: SimKernel| refusing_all(it, Errno::INVAL), Closer::Loop)]
#[case::list_breaks_off(
    |it: SimKernel| it.refusing("close_range", Errno::PERM).refusing_some("getdents64", 1..9, Errno::IO), Closer::Loop)]
// Faults: F3
#[case::no_proc(|it: SimKernel| it.refusing("close_range", Errno::NOSYS).without_listings(), Closer::Loop)]
#[case::limit_not_known(
    |it: SimKernel| refusing_all(it, Errno::PERM).refusing("descriptor_limit", Errno::PERM), Closer::Loop)]
fn close_leaves_exactly_the_kept_fds(
    #[case] world: World,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let keep = with_channel(keep, channel);
    let backend = Linux::new(world(crowded()));
    let before = backend.sys().open_fds();
    assert_eq!(close_over(&backend, keep, CloseStrategy::Bulk), (Ok(by), left_open(&before, keep)));
}

/// bionic, libc/SECCOMP_ALLOWLIST_COMMON.TXT: close_range(2) is listed since android-13.0.0_r1.
///
/// Faults: Q-android
#[rstest]
#[case::unknown(0, Closer::Enumerator(0))]
#[case::android_12(32, Closer::Enumerator(0))]
#[case::android_13(33, Closer::Bulk)]
fn no_trapped_call_closes_on_android(#[case] level: u32, #[case] by: Closer) {
    // The second child tries the bulk call in any case, as the probe of a system does.
    for first_strategy in [Linux::first_strategy, |_: &Linux<SimKernel>| CloseStrategy::Bulk] {
        let backend = Linux::new(crowded().with_release(Release::Android(level)));
        let closed = close_over(&backend, keep_list(&[60]), first_strategy(&backend));
        assert_eq!(closed, (Ok(by), vec![0, 1, 2, 60]));
        assert_eq!(backend.sys().calls_of("close_range").is_empty(), by != Closer::Bulk);
    }
}

/// Faults: D1
#[rstest]
fn no_closed_range_is_empty(
    #[values(&[], &[3], &[60, 61], &[3, 4], &RUN, &[HIGHEST], &[Fd::MAX - 1, Fd::MAX])] keep: &[Fd],
    #[values(None, Some(4), Some(41), Some(62), Some(HIGHEST - 1))] channel: Option<Fd>,
) {
    let keep = with_channel(keep, channel);
    let backend = Linux::new(crowded());
    let (closed, _) = close_over(&backend, keep, CloseStrategy::Bulk);
    let is_empty = |it: &&Call| it.numbers[0] > it.numbers[1];
    assert_eq!((closed, backend.sys().log().iter().find(is_empty)), (Ok(Closer::Bulk), None));
}

#[rstest]
#[case::nothing_kept(&[], &["close_range(3, 4294967295)"])]
#[case::first_kept(&[3], &["close_range(4, 4294967295)"])]
#[case::adjacent(&[60, 61], &["close_range(3, 59)", "close_range(62, 4294967295)"])]
#[case::highest_possible(&[Fd::MAX], &["close_range(3, 2147483646)"])]
fn each_gap_is_one_call(#[case] keep: &[Fd], #[case] calls: &[&str]) {
    let backend = Linux::new(crowded());
    assert_eq!(close_over(&backend, keep_list(keep), CloseStrategy::Bulk).0, Ok(Closer::Bulk));
    assert_eq!(backend.sys().calls(), calls);
}

#[rstest]
#[case::fallback_after_one_gap(CloseStrategy::Bulk, 1)]
#[case::enumerate_at_once(CloseStrategy::Enumerate, 0)]
#[case::loop_at_once(CloseStrategy::Loop, 0)]
fn strategies_before_the_first_are_not_tried(#[case] link: CloseStrategy, #[case] bulk: usize) {
    let backend = Linux::new(crowded().refusing("close_range", Errno::NOSYS).without_listings());
    let (closed, _) = close_over(&backend, keep_list(&[60]), link);
    let asked = ["close_range", "open_directory"].map(|name| backend.sys().calls_of(name).len());
    assert_eq!((closed, asked), (Ok(Closer::Loop), [bulk, usize::from(link < CloseStrategy::Loop)]));
}

#[test]
fn learned_refusal_outlives_a_child_that_did_not_ask() {
    let backend = Linux::new(SimKernel::new());
    backend.learn(&Closed { by: Closer::Loop, bulk_refused: Some(Errno::PERM) });
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused: None });
    assert_eq!(backend.first_strategy(), CloseStrategy::Enumerate);
}

/// Faults: D17
#[rstest]
#[case::nothing_needed(2, "close_range_unshare(3, 4294967295)", true)]
#[case::above_the_highest(60, "close_range_unshare(61, 4294967295)", true)]
#[case::nothing_lies_above(Fd::MAX, "unshare_files()", false)]
fn shared_table_is_unshared_above_the_highest_needed_fd(
    #[case] highest: Fd,
    #[case] call: &str,
    #[case] emptied: bool,
) {
    let backend = Linux::new(crowded());
    let parents = backend.sys().table();
    assert_eq!(backend.own_table(highest), Ok(emptied));
    assert_eq!((backend.sys().calls(), backend.sys().parents_table()), (strings(&[call]), parents));
}

#[rstest]
fn refused_unsharing_close_falls_back_to_unshare(
    #[values(Errno::NOSYS, Errno::PERM, Errno::ACCES, Errno::INVAL, Errno::NOMEM)] errno: Errno,
) {
    let backend = Linux::new(crowded().refusing("close_range_unshare", errno));
    let before = backend.sys().open_fds();
    assert_eq!(backend.own_table(60), Ok(false));
    let calls = ["close_range_unshare(61, 4294967295)", "unshare_files()"];
    assert_eq!((backend.sys().calls(), backend.sys().open_fds()), (strings(&calls), before));
}

#[rstest]
#[case::of_the_flag("close_range_unshare")]
#[case::of_the_call("close_range")]
fn refused_unshare_costs_once(
    #[case] call: &'static str,
    #[values(Errno::NOSYS, Errno::PERM, Errno::ACCES, Errno::INVAL)] errno: Errno,
) {
    let backend = Linux::new(crowded().refusing("close_range_unshare", errno));
    match call {
        "close_range" => backend.learn(&Closed { by: Closer::Loop, bulk_refused: Some(errno) }),
        _ => assert_eq!(backend.own_table(60), Ok(false)),
    }
    let before = backend.sys().calls().len();
    assert_eq!(backend.own_table(60), Ok(false));
    assert_eq!(backend.sys().calls()[before..], strings(&["unshare_files()"]));
}

/// Another time there may be memory.
#[rstest]
fn other_errors_are_not_remembered_as_refusals(#[values(Errno::NOMEM, Errno::MFILE)] errno: Errno) {
    let backend = Linux::new(crowded().refusing("close_range_unshare", errno));
    assert_eq!([(); 2].map(|()| backend.own_table(60)), [Ok(false), Ok(false)]);
    assert_eq!(backend.sys().calls_of("close_range_unshare").len(), 2);
}

/// Faults: D18
#[test]
fn table_that_cannot_be_unshared_is_not_touched() {
    let refusing = |it: SimKernel| it.refusing("close_range_unshare", Errno::PERM);
    let backend = Linux::new(refusing(crowded()).refusing("unshare_files", Errno::PERM));
    let before = backend.sys().table();
    assert_eq!(backend.own_table(60), Err(Errno::PERM));
    assert_eq!(backend.sys().table(), before);
}

/// A child of process 100. The flag 64 means that it was forked and has not executed a program.
#[rstest]
#[case::without_the_flag(|it: SimKernel| it.with_stat("101 (sh) S 100 101 101 0 -1 4194304 1"), Some(true))]
#[case::with_the_flag(|it: SimKernel| it.with_stat("101 (sh) Z 100 101 101 0 -1 4194368 1"), Some(false))]
#[case::with_no_other_flag(|it: SimKernel| it.with_stat("101 (sh) S 100 101 101 0 -1 64 1"), Some(false))]
#[case::pid_of_another_process(|it: SimKernel| it.with_stat("102 (sh) S 100 101 101 0 -1 64 1"), None)]
#[case::child_of_another_process(|it: SimKernel| it.with_stat("101 (sh) S 99 101 101 0 -1 64 1"), None)]
#[case::cut_off(|it: SimKernel| it.with_stat("101 (sh) S 100 101"), None)]
#[case::not_there(|it: SimKernel| it, None)]
#[case::refused(
    |it: SimKernel| it.with_stat("101 (sh) S 100 101 101 0 -1 0 1").refusing("read_file", Errno::PERM), None)]
fn exec_check_of_a_child_is_right_or_unknown(#[case] world: World, #[case] answer: Option<bool>) {
    let backend = Linux::new(world(SimKernel::new()));
    assert_eq!(backend.has_execed(101, 100), answer);
    assert_eq!(backend.sys().calls_of("read_file"), ["read_file(/proc/101/stat)"]);
}

/// The flag says the contrary, and is not read.
#[test]
fn two_calls_show_that_a_child_runs_its_program() {
    let kernel = SimKernel::new().with_stat("101 (sh) S 100 101 101 0 -1 64 1");
    let backend = Linux::new(kernel.refusing_some("join_no_group", 0..1, Errno::ACCES));
    assert_eq!(backend.has_execed(101, 100), Some(true));
    assert_eq!(backend.sys().calls(), ["join_no_group(101)", "join_no_group(100)"]);
}

/// Faults: E9
#[test]
fn answer_to_any_caller_proves_nothing_about_a_child() {
    let kernel = SimKernel::new().with_stat("101 (sh) S 100 101 101 0 -1 64 1");
    let backend = Linux::new(kernel.refusing("join_no_group", Errno::ACCES));
    assert_eq!(backend.has_execed(101, 100), Some(false));
}
