//! Signal masks and dispositions: as the child sees them.

use std::io::Read;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use forkexec::{BorrowingCommand, Error, IgnoredSignals, Stage, Stdio};
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::Seen;
use libc::{SIGCHLD, SIGHUP, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use rstest::rstest;

use crate::held::{Acting, Blocked, KEPT};
use crate::start::{nothing_said, probe, report};

/// Faults: S1
#[rstest]
#[case::none_by_default(nothing_said, &[])]
#[case::those_of_the_starting_thread_on_request(|it: &mut BorrowingCommand<'_>| { it.inherit_signal_mask(); }, &[SIGTERM])]
#[case::those_that_are_named(|it: &mut BorrowingCommand<'_>| { it.signal_mask([SIGUSR1, SIGHUP]); }, &[SIGHUP, SIGUSR1])]
#[case::none_if_none_is_named(|it: &mut BorrowingCommand<'_>| { it.signal_mask([]); }, &[])]
#[case::last_setting_wins(
    |it: &mut BorrowingCommand<'_>| { it.inherit_signal_mask().signal_mask([SIGHUP]); },
    &[SIGHUP],
)]
fn child_blocks_only_the_signals_of_its_policy(
    #[case] ask: fn(&mut BorrowingCommand<'_>),
    #[case] blocked: &[i32],
) {
    isolated(|| {
        let _blocked = Blocked::new(SIGTERM);
        let mut command = probe(&[]);
        ask(&mut command);
        assert_eq!(report(&mut command).blocked, blocked);
    });
}

/// Faults: S2
#[rstest]
#[case::by_default(nothing_said, &[SIGUSR1])]
#[case::if_all_are_restored(|it: &mut BorrowingCommand<'_>| { it.ignored_signals(IgnoredSignals::RestoreAll); }, &[])]
#[case::if_they_are_kept(
    |it: &mut BorrowingCommand<'_>| { it.ignored_signals(IgnoredSignals::Keep); },
    &[SIGUSR1, SIGPIPE, SIGCHLD, SIGXFSZ],
)]
#[case::if_one_more_is_named(|it: &mut BorrowingCommand<'_>| { it.ignore_signal(SIGHUP); }, &[SIGHUP, SIGUSR1])]
#[case::if_one_that_is_restored_is_named(
    |it: &mut BorrowingCommand<'_>| { it.ignore_signal(SIGPIPE); },
    &[SIGUSR1, SIGPIPE],
)]
#[case::if_one_is_named_and_all_others_restored(
    |it: &mut BorrowingCommand<'_>| { it.ignore_signal(SIGHUP).ignored_signals(IgnoredSignals::RestoreAll); },
    &[SIGHUP],
)]
fn child_ignores_only_the_signals_of_its_policy(
    #[case] ask: fn(&mut BorrowingCommand<'_>),
    #[case] ignored: &[i32],
) {
    isolated(|| {
        let _default = Acting::by_default();
        let _ignored = [SIGUSR1, SIGPIPE, SIGXFSZ, SIGCHLD].map(|signal| Acting::new(signal, libc::SIG_IGN));
        let mut command = probe(&["report"]);
        ask(&mut command);
        assert_eq!(ignored_of(&mut command), ignored);
    });
}

/// The child's status is lost where `SIGCHLD` is ignored, so its report is read to the end instead.
fn ignored_of(command: &mut BorrowingCommand<'_>) -> Vec<i32> {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the probe can be started");
    let mut text = String::new();
    let mut stdout = child.stdout.take().expect("it is a pipe");
    stdout.read_to_string(&mut text).expect("a report is ASCII");
    assert!(matches!(child.wait(), Err(Error::StatusLost { .. })));
    usual(Seen::parse(&text).ignored)
}

/// Removes the signals that a C library does not let a process restore.
fn usual(signals: Vec<i32>) -> Vec<i32> {
    signals.into_iter().filter(|signal| !KEPT.contains(signal)).collect()
}

/// Faults: S4
#[test]
fn handled_signals_of_the_parent_are_default_in_the_child() {
    isolated(|| {
        let _default = Acting::by_default();
        let _handled = Acting::new(SIGUSR1, count as *const () as usize);
        let seen = report(&mut probe(&[]));
        assert_eq!((seen.handled, usual(seen.ignored), seen.blocked), (vec![], vec![], vec![]));
    });
}

/// The group, the child among it, is signalled all the while; the child's number is never the handler's.
///
/// Faults: M3
#[test]
fn signal_handler_of_the_parent_never_runs_in_the_child() {
    isolated(|| {
        let _handled = Acting::new(SIGUSR1, count as *const () as usize);
        PARENT.store(pid(), Ordering::Relaxed);
        let strangers = Shared::new();
        STRANGERS.store(strangers.0, Ordering::Relaxed);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // SAFETY: the test leads the group, which is its own.
                    unsafe { libc::kill(0, SIGUSR1) };
                    thread::yield_now();
                }
            });
            for _ in 0..200 {
                let _ = probe(&["true"]).status();
            }
            done.store(true, Ordering::Relaxed);
        });
        // SAFETY: the mapping lives until the end of the test.
        let runs = unsafe { &*strangers.0 }.load(Ordering::Relaxed);
        assert_eq!((runs, RUNS.load(Ordering::Relaxed) > 0), (0, true));
    });
}

#[test]
fn handled_signal_raised_by_a_closure_ends_the_child() {
    isolated(|| {
        let _handled = Acting::new(SIGUSR2, count as *const () as usize);
        let mut command = probe(&["true"]);
        let raise = || {
            // SAFETY: kill touches no memory.
            unsafe { libc::kill(pid(), SIGUSR2) };
            Ok(())
        };
        // SAFETY: kill and getpid are async-signal-safe.
        unsafe { command.pre_exec(raise) };
        let error = command.spawn().expect_err("it dies");
        assert!(matches!(error, Error::Died { stage: Stage::PreExec, .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "cannot start the child: it ended before exec, at stage pre-exec (signal: 12 (SIGUSR2))"
        );
    });
}

static PARENT: AtomicI32 = AtomicI32::new(0);
static RUNS: AtomicUsize = AtomicUsize::new(0);
static STRANGERS: AtomicPtr<AtomicUsize> = AtomicPtr::new(ptr::null_mut());

extern "C" fn count(_: i32) {
    RUNS.fetch_add(1, Ordering::Relaxed);
    let strangers = STRANGERS.load(Ordering::Relaxed);
    if PARENT.load(Ordering::Relaxed) != pid() && !strangers.is_null() {
        // SAFETY: it points to a mapping that lives as long as the handler is set.
        unsafe { &*strangers }.fetch_add(1, Ordering::Relaxed);
    }
}

fn pid() -> i32 {
    // SAFETY: getpid touches no memory.
    unsafe { libc::getpid() }
}

/// A counter that forked children share.
struct Shared(*mut AtomicUsize);

impl Shared {
    fn new() -> Self {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, anywhere.
        let memory = unsafe { libc::mmap(ptr::null_mut(), size_of::<AtomicUsize>(), access, kind, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED, "there is memory");
        Self(memory.cast())
    }
}
