//! Signals every 100 microseconds, with handlers that write, while children are started.
//!
//! The children must not show any of that, and the parent's mask must not change.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rstest::rstest;

use forkexec::{BorrowingCommand, Command, Stdio};
use forkexec_tests::isolate::isolated_for;
use forkexec_tests::probe::{self, Seen};

use crate::ground::check;
use crate::held::{Acting, Blocked};
use crate::rounds;

const LIMIT: Duration = Duration::from_mins(10);
const EVERY: Duration = Duration::from_micros(100);

/// The process of the handler, the pipe that it writes to, how often it ran, and how often it ran in another process
/// with the same memory.
static PARENT: AtomicI32 = AtomicI32::new(0);
static PIPE: AtomicI32 = AtomicI32::new(-1);
static HANDLED: AtomicUsize = AtomicUsize::new(0);
static ASTRAY: AtomicUsize = AtomicUsize::new(0);

/// Counts, and writes the process in which it ran: a forked child has a copy of the counter, but shares the pipe.
extern "C" fn handler(_: i32) {
    let before = nix::errno::Errno::last();
    // SAFETY: the call reads about the calling process and changes nothing.
    let process = unsafe { libc::getpid() };
    HANDLED.fetch_add(1, Ordering::Relaxed);
    if process != PARENT.load(Ordering::Relaxed) {
        ASTRAY.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the number outlives the call. A full pipe is not waited for.
    unsafe { libc::write(PIPE.load(Ordering::Relaxed), (&raw const process).cast(), size_of::<i32>()) };
    before.set();
}

/// The pipe that the handler writes to, and a thread that counts the bytes of other processes.
struct Witness {
    writer: Option<OwnedFd>,
    reader: Option<JoinHandle<usize>>,
}

impl Witness {
    fn new() -> Self {
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two descriptors.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) });
        // SAFETY: the descriptors are new and have no other owner.
        let [reader, writer] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let process = std::process::id().cast_signed();
        PARENT.store(process, Ordering::Relaxed);
        PIPE.store(writer.as_raw_fd(), Ordering::Relaxed);
        let count = move || {
            let (mut strangers, mut bytes) = (0, [0; 4]);
            let mut reader = File::from(reader);
            loop {
                match reader.read(&mut bytes) {
                    Ok(4) => strangers += usize::from(i32::from_ne_bytes(bytes) != process),
                    Ok(_) => return strangers,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(EVERY),
                    Err(_) => {}
                }
            }
        };
        Self { writer: Some(writer), reader: Some(thread::spawn(count)) }
    }

    /// Checks that the handler ran, and only in this process.
    fn judge(mut self, what: &str) {
        drop(self.writer.take());
        let reader = self.reader.take().expect("it was started");
        let strangers = reader.join().expect("it does not panic");
        let (handled, astray) = (HANDLED.load(Ordering::Relaxed), ASTRAY.load(Ordering::Relaxed));
        println!("{what}: the handler ran {handled} times, and {} times in a child", strangers + astray);
        assert!(handled > 0);
        assert_eq!((strangers, astray), (0, 0), "the handler ran in a child");
    }
}

/// A timer that sends its signals to this thread until it is dropped.
struct Timer(libc::timer_t);

impl Timer {
    fn new(signal: i32) -> Self {
        // SAFETY: all zeroes are an event.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_signo = signal;
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        // SAFETY: the call reads about the calling thread and changes nothing.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer = ptr::null_mut();
        // SAFETY: both outlive the call.
        check(unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) });
        let every = libc::timespec { tv_sec: 0, tv_nsec: 100_000 };
        let setting = libc::itimerspec { it_interval: every, it_value: every };
        // SAFETY: the timer was just made, and the setting outlives the call.
        check(unsafe { libc::timer_settime(timer, 0, &raw const setting, ptr::null_mut()) });
        Self(timer)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: it was made, and is deleted once.
        check(unsafe { libc::timer_delete(self.0) });
    }
}

/// The signals that this thread blocks, as bits from 0.
fn blocked() -> u64 {
    let mut set = 0_u64;
    let none: *const u64 = ptr::null();
    // SAFETY: no new mask is given, and the kernel writes as many bytes as requested.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, none, &raw mut set, 8) };
    assert_eq!(result, 0);
    set
}

/// Starts so many children by such commands, one after the other. Some of them report.
fn start(rounds: usize, prepare: impl Fn(&mut BorrowingCommand<'_>, usize), look: impl Fn(&Seen, usize)) {
    const REPORTING: usize = 100;
    let before = blocked();
    for round in 0..rounds {
        let reports = round.is_multiple_of(REPORTING);
        let mut command = Command::new(probe::path());
        command.arg(if reports { "report" } else { "true" });
        if reports {
            command.stdout(Stdio::piped());
        }
        prepare(&mut command, round);
        let child = command.spawn().expect("it starts");
        assert_eq!(blocked(), before, "round {round}");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "round {round}: {}", output.status);
        if reports {
            look(&Seen::of(&output.stdout), round);
        }
    }
}

/// This thread blocks one signal, which shows if its mask changes. The children have none, one or two.
///
/// Faults: E12
#[rstest]
#[case::calls_go_on(libc::SA_RESTART)]
#[case::calls_are_interrupted(0)]
fn timer_signals_change_nothing(#[case] flags: i32) {
    isolated_for(LIMIT, || {
        let witness = Witness::new();
        {
            let _handled = Acting::with_flags(libc::SIGALRM, handler as *const () as usize, flags);
            let _blocked = Blocked::new(libc::SIGUSR2);
            let _timer = Timer::new(libc::SIGALRM);
            let masks: [&[i32]; 3] = [&[], &[libc::SIGTERM], &[libc::SIGHUP, libc::SIGUSR2]];
            start(
                rounds() / 2,
                |command, round| {
                    command.signal_mask(masks[round % 3].iter().copied());
                    if round.is_multiple_of(2) {
                        command.ignore_signal(libc::SIGUSR1);
                    }
                },
                |seen, round| {
                    assert_eq!(seen.blocked, masks[round % 3]);
                    assert_eq!(seen.ignored.contains(&libc::SIGUSR1), round.is_multiple_of(2));
                    assert_eq!((&seen.handled[..], &seen.fds[..]), (&[][..], &[0, 1, 2][..]));
                },
            );
        }
        witness.judge("timer");
    });
}

/// A closure forces fork(2), whose child has the parent's handlers.
#[test]
fn timer_signals_change_nothing_if_children_are_forked() {
    isolated_for(LIMIT, || {
        let witness = Witness::new();
        {
            let _handled = Acting::with_flags(libc::SIGALRM, handler as *const () as usize, libc::SA_RESTART);
            let _timer = Timer::new(libc::SIGALRM);
            let prepare = |command: &mut BorrowingCommand<'_>, _| {
                // SAFETY: it does nothing.
                unsafe { command.pre_exec(|| Ok(())) };
            };
            start(rounds() / 20, prepare, |seen, _| assert_eq!(seen.blocked, [0; 0]));
        }
        witness.judge("timer, fork");
    });
}

/// Signals to the whole process group reach a child between its start and its exec, too. It blocks or ignores them from
/// its first moment to its last, so that they do nothing to it.
///
/// Faults: M3
#[test]
fn signals_to_the_group_reach_no_handler_in_a_child() {
    isolated_for(LIMIT, || {
        let witness = Witness::new();
        {
            let _handled = Acting::with_flags(libc::SIGUSR1, handler as *const () as usize, libc::SA_RESTART);
            let ending = &AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(move || {
                    while !ending.load(Ordering::Relaxed) {
                        // SAFETY: the group is the test's own.
                        check(unsafe { libc::kill(0, libc::SIGUSR1) });
                        thread::sleep(EVERY);
                    }
                });
                start(
                    rounds() / 5,
                    |command, round| {
                        if round.is_multiple_of(2) {
                            command.ignore_signal(libc::SIGUSR1);
                        } else {
                            command.signal_mask([libc::SIGUSR1]);
                        }
                    },
                    // The reporting children are those of even rounds.
                    |seen, _| assert!(seen.ignored.contains(&libc::SIGUSR1)),
                );
                ending.store(true, Ordering::Relaxed);
            });
        }
        witness.judge("group");
    });
}
