//! Waits for any or all of several children.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use forkexec::{Child, Command, Error, Stdio, wait_all, wait_any};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::process::state;
use forkexec_tests::world;
use nix::unistd::{getpid, gettid};
use rstest::rstest;

use crate::child::dropped::Threads;
use crate::ground::{check, is_emulated};
use crate::held::Acting;
use crate::start::probe;

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_mins(1);

/// The descriptors that the children have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Descriptors {
    All,
    None,
    Every2nd,
    /// And none can be opened, so that threads wait.
    NoneFree,
}

impl Descriptors {
    fn wants(self, index: usize) -> bool {
        self == Self::All || self == Self::Every2nd && index.is_multiple_of(2)
    }

    /// Takes all descriptors that are free, for the time of the test.
    fn take_free(self) -> Option<Limited> {
        (self == Self::NoneFree).then(Limited::new)
    }
}

struct Limited((u64, u64));

impl Limited {
    fn new() -> Self {
        let before = world::limit(libc::RLIMIT_NOFILE).expect("it is known");
        world::set_limit(libc::RLIMIT_NOFILE, 3, before.1).expect("it is lower");
        File::open("/dev/null").expect_err("no descriptor is free");
        Self(before)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let (soft, hard) = self.0;
        world::set_limit(libc::RLIMIT_NOFILE, soft, hard).expect("it was so");
    }
}

/// Children that sleep until they are killed or their input ends.
fn sleeping(count: usize, descriptors: Descriptors) -> Vec<Child> {
    let start = |index| {
        let mut command = Command::new("sleep");
        command.arg("600").stdin(Stdio::null()).create_pidfd(descriptors.wants(index));
        command.spawn().expect("it starts")
    };
    (0..count).map(start).collect()
}

fn end(children: &mut [Child]) {
    for child in &*children {
        child.kill().expect("it is ours");
    }
    wait_all(children, None).expect("they are ours").expect("they were killed");
}

#[rstest]
fn wait_any_returns_the_child_that_ended(
    #[values(Descriptors::All, Descriptors::None, Descriptors::Every2nd, Descriptors::NoneFree)]
    descriptors: Descriptors,
) {
    isolated(|| {
        let threads = Threads::now();
        let mut children = sleeping(5, descriptors);
        let limited = descriptors.take_free();
        for index in [3, 0, 2] {
            assert_eq!(wait_any(&mut children, Some(SHORT)).expect("they are ours"), None);
            let signaler = children[index].signaler();
            let killer = thread::spawn(move || {
                thread::sleep(SHORT);
                signaler.kill().expect("it is ours");
            });
            let (seen, status) = wait_any(&mut children, None).expect("they are ours").expect("one ended");
            assert_eq!((seen, status.signal()), (index, Some(libc::SIGKILL)));
            killer.join().expect("it does not panic");
            // Its end counts until it is removed.
            let again = wait_any(&mut children, Some(Duration::ZERO)).expect("they are ours");
            assert_eq!(again, Some((index, status)));
            drop(children.remove(index));
        }
        drop(limited);
        end(&mut children);
        threads.await_no_more();
    });
}

/// The threads of earlier waits serve the next ones.
#[test]
fn repeated_waits_without_descriptors_share_their_threads() {
    isolated(|| {
        let threads = Threads::now();
        let mut children = sleeping(3, Descriptors::NoneFree);
        let limited = Descriptors::NoneFree.take_free();
        for _ in 0..20 {
            let waited = wait_any(&mut children, Some(Duration::from_millis(1))).expect("they are ours");
            assert_eq!(waited, None);
            assert_eq!(children[0].wait_timeout(Duration::from_millis(1)).expect("it is ours"), None);
        }
        drop(limited);
        let more = threads.more();
        assert!(more <= 3, "{more} threads");
        end(&mut children);
        threads.await_no_more();
    });
}

#[test]
fn wait_any_returns_a_seen_end_first_and_then_in_order() {
    isolated(|| {
        let mut children: Vec<Child> = ["1", "2", "3"]
            .map(|code| Command::new("sh").args(["-c", &format!("exit {code}")]).spawn().expect("it starts"))
            .into();
        for child in &mut children {
            assert!(child.ends_within(LONG).expect("it is ours"));
        }
        children[2].wait().expect("it is ours");
        for expected in [3, 1, 2] {
            let (index, status) = wait_any(&mut children, None).expect("they are ours").expect("it waits");
            assert_eq!(status.code(), Some(expected));
            drop(children.remove(index));
        }
    });
}

#[rstest]
fn wait_any_keeps_to_its_time(
    #[values(Descriptors::All, Descriptors::None, Descriptors::NoneFree)] descriptors: Descriptors,
) {
    isolated(|| {
        let mut children = sleeping(3, descriptors);
        let limited = descriptors.take_free();
        let began = Instant::now();
        assert_eq!(wait_any(&mut children, Some(SHORT)).expect("they are ours"), None);
        assert!((SHORT..LONG).contains(&began.elapsed()), "{:?}", began.elapsed());
        drop(limited);
        end(&mut children);
    });
}

#[test]
fn wait_for_no_child_returns_at_once() {
    isolated(|| {
        assert_eq!(wait_any([], None).expect("there is nothing to fail"), None);
        assert_eq!(wait_all([], None).expect("there is nothing to fail"), Some(Vec::new()));
    });
}

/// As every wait, it closes the input of a child that would wait for more of it.
#[test]
fn waits_for_several_close_their_input() {
    isolated(|| {
        let start = || probe(&["sleep-on-stdin"]).stdin(Stdio::piped()).spawn().expect("it starts");
        let mut children = [start(), start()];
        // This one is waited for with its input open.
        let input = children[0].stdin.take();
        let (index, status) = wait_any(&mut children, Some(LONG)).expect("they are ours").expect("one ends");
        assert!(index == 1 && status.success());
        assert_eq!(wait_all(&mut children, Some(SHORT)).expect("they are ours"), None);
        drop(input);
        let statuses = wait_all(&mut children, Some(LONG)).expect("they are ours").expect("they end");
        assert_eq!(statuses, [status; 2]);
    });
}

#[rstest]
fn wait_for_several_names_the_child_with_a_lost_status(
    #[values(Descriptors::All, Descriptors::None, Descriptors::NoneFree)] descriptors: Descriptors,
) {
    isolated(|| {
        let mut children = sleeping(3, descriptors);
        let lost = children[1].id();
        children[1].kill().expect("it is ours");
        // SAFETY: the process is the test's own, and nothing is written.
        check(unsafe { libc::waitpid(lost.cast_signed(), ptr::null_mut(), 0) });
        let limited = descriptors.take_free();
        let waited = wait_any(&mut children, Some(LONG));
        assert!(matches!(waited, Err(Error::StatusLost { pid }) if pid == lost), "{waited:?}");
        drop(limited);
        children[0].kill().expect("it is ours");
        children[2].kill().expect("it is ours");
        let waited = wait_all(&mut children, Some(LONG));
        assert!(matches!(waited, Err(Error::StatusLost { pid }) if pid == lost), "{waited:?}");
        assert!(children[2].try_wait().expect("it is ours").is_some(), "all others were waited for");
    });
}

#[test]
fn wait_all_returns_the_statuses_in_order() {
    isolated(|| {
        let start = |code: &str| Command::new("sh").args(["-c", code]).spawn().expect("it starts");
        let mut children = [start("sleep 0.05; exit 1"), start("exit 2"), start("exit 3")];
        let statuses = wait_all(&mut children, None).expect("they are ours").expect("there is no limit");
        assert_eq!(statuses.iter().map(ExitStatus::code).collect::<Vec<_>>(), [1, 2, 3].map(Some));
    });
}

#[rstest]
#[case::for_any(|children: &mut Vec<Child>| wait_any(children, None).map(|ended| ended.expect("it was killed").1))]
#[case::for_one(|children: &mut Vec<Child>| children[0].wait())]
fn wait_goes_on_after_a_signal_to_its_thread(#[case] wait: fn(&mut Vec<Child>) -> Result<ExitStatus, Error>) {
    isolated(|| {
        let _acting = Acting::interrupting(libc::SIGUSR1);
        let mut children = sleeping(1, Descriptors::All);
        let (signaler, own, waiting) = (children[0].signaler(), getpid().as_raw(), gettid().as_raw());
        let interrupter = thread::spawn(move || {
            for _ in 0..20 {
                thread::sleep(Duration::from_millis(1));
                // SAFETY: the thread has a handler for the signal.
                unsafe { libc::syscall(libc::SYS_tgkill, own, waiting, libc::SIGUSR1) };
            }
            signaler.kill().expect("it is ours");
        });
        assert_eq!(wait(&mut children).expect("it is ours").signal(), Some(libc::SIGKILL));
        interrupter.join().expect("it does not panic");
    });
}

/// Another process that traces a child until it is dropped. The kernel tells it first of the end of the child.
struct Tracer(libc::pid_t, Option<io::PipeWriter>);

impl Tracer {
    fn of(child: &Child) -> Option<Self> {
        /// `linux/ptrace.h`. The type of the constant differs by C library.
        const SEIZE: u16 = 0x4206;
        let (mut ends, end) = io::pipe().expect("a pipe can be made");
        let (mut hears, mut says) = io::pipe().expect("a pipe can be made");
        // SAFETY: the forked process makes system calls only.
        let pid = check(unsafe { libc::fork() });
        if pid == 0 {
            drop(end);
            let nothing = ptr::null_mut::<libc::c_void>();
            // SAFETY: the request reads and writes no memory of this process.
            let traced = unsafe { libc::ptrace(SEIZE.into(), child.id().cast_signed(), nothing, nothing) };
            if traced == 0 {
                let _ = says.write(b".").and_then(|_| ends.read(&mut [0]));
            }
            // SAFETY: the process ends.
            unsafe { libc::_exit(0) }
        }
        drop(says);
        let tracer = Self(pid, Some(end));
        (hears.read(&mut [0]).expect("it can be read") == 1).then_some(tracer)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        drop(self.1.take());
        world::wait_for(self.0);
    }
}

#[rstest]
fn wait_any_looks_again_at_a_child_that_a_debugger_holds(
    #[values(Descriptors::All, Descriptors::None)] descriptors: Descriptors,
) {
    isolated(|| {
        if is_emulated("traces nothing") {
            return;
        }
        let mut children = sleeping(2, descriptors);
        let Some(tracer) = Tracer::of(&children[1]) else {
            end(&mut children);
            return skip("no process may be traced");
        };
        children[1].kill().expect("it is ours");
        while state(children[1].id()) != Some('Z') {
            thread::yield_now();
        }
        let began = Instant::now();
        assert_eq!(wait_any(&mut children, Some(SHORT)).expect("they are ours"), None);
        assert!(began.elapsed() >= SHORT);
        let began = Instant::now();
        let releaser = thread::spawn(move || {
            thread::sleep(SHORT);
            drop(tracer);
        });
        let (index, status) =
            wait_any(&mut children, Some(LONG)).expect("they are ours").expect("one has ended");
        assert_eq!((index, status.signal()), (1, Some(libc::SIGKILL)));
        assert!(began.elapsed() < LONG, "it is looked at again soon");
        releaser.join().expect("it does not panic");
        end(&mut children);
    });
}
