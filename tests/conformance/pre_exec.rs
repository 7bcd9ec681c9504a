//! Pre-exec closures: none runs twice, and a panic of one waits for no other thread.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::panic::{self, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use forkexec::{
    BorrowingCommand, Cause, Command, EnoexecFallback, Errno, SpawnPolicy, Stage, Stdio, low_fds,
    reserve_low_fds,
};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;
use rstest::rstest;

use crate::start::{failure, probe};

/// A pipe into which a closure writes a byte each time it runs.
struct Runs(io::PipeReader);

impl Runs {
    /// Adds a closure that answers with this errno, or succeeds.
    fn of(command: &mut BorrowingCommand<'_>, answer: Option<i32>) -> Self {
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        let closure = move || {
            (&writer).write_all(b".")?;
            answer.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
        };
        // SAFETY: the closure writes a byte to its own descriptor.
        unsafe { command.pre_exec(closure) };
        Self(reader)
    }

    /// Returns how often the closure ran. The command is dropped, and with it the closure's end of the pipe.
    fn count(mut self) -> usize {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).expect("it can be read")
    }
}

/// Faults: E17
#[rstest]
fn closure_that_fails_runs_once(
    #[values(
        libc::EMFILE,
        libc::ENFILE,
        libc::EAGAIN,
        libc::EINTR,
        libc::EBUSY,
        libc::ENOSYS,
        libc::EPERM,
        libc::EINVAL,
        libc::ENOMEM,
        libc::ETXTBSY,
        libc::ENOEXEC
    )]
    errno: i32,
) {
    isolated(|| {
        reserve_low_fds(4).expect("there is room");
        let before = low_fds();
        let mut command = probe(&["true"]);
        let runs = Runs::of(&mut command, Some(errno));
        let failure = failure(&mut command);
        assert_eq!((failure.stage(), failure.errno()), (Stage::PreExec, Errno::from_raw(errno)));
        drop(command);
        assert_eq!((runs.count(), low_fds()), (1, before));
        reserve_low_fds(0).expect("they can be given up");
    });
}

/// execve(2) is tried again for a busy file, and a shell for one without an interpreter: the closure is not.
/// Faults: E17
#[rstest]
#[case::busy("busy", Err(libc::ETXTBSY))]
#[case::script("script", Ok(()))]
#[case::missing("missing", Err(libc::ENOENT))]
fn closure_runs_once_before_a_program_that_is_tried_again(#[case] name: &str, #[case] ends: Result<(), i32>) {
    isolated(|| {
        let root = world::empty_chroot();
        let script = root.path().join("script");
        fs::write(&script, "exit 0\n").expect("there is room");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let busy = root.path().join("busy");
        fs::copy(root.path().join("probe"), &busy).expect("there is room");
        let open = File::options().append(true).open(&busy).expect("it is ours");
        let mut command = Command::new(root.path().join(name));
        command.arg("true").enoexec_fallback(EnoexecFallback::Shell);
        let runs = Runs::of(&mut command, None);
        let status = command.status();
        drop((command, open));
        assert_eq!(runs.count(), 1, "{status:?}");
        match (status, ends) {
            (Ok(status), Ok(())) => assert!(status.success()),
            (Err(error), Err(errno)) => {
                let words = io::Error::from_raw_os_error(errno).to_string();
                assert!(name == "missing" || error.to_string().contains(&words), "{error}");
            }
            (status, _) => panic!("{status:?}"),
        }
    });
}

/// It has a copy of the pipe, by which the child tells that the program runs.
#[test]
fn start_does_not_wait_for_a_process_that_the_closure_started() {
    if cfg!(forkexec_backend = "posix") {
        return skip("the floor learns of exec only by the end of the pipe");
    }
    isolated(|| {
        let mut command = probe(&["sleep-on-stdin"]);
        command.stdin(Stdio::piped()).process_group(0);
        let fork_and_stay = || {
            // SAFETY: the calls are async-signal-safe, and the new process waits for a signal that ends it.
            if unsafe { libc::fork() } == 0 {
                loop {
                    // SAFETY: as above.
                    unsafe { libc::pause() };
                }
            }
            Ok(())
        };
        // SAFETY: the closure makes async-signal-safe calls only.
        unsafe { command.pre_exec(fork_and_stay) };
        let mut child = command.spawn().expect("it starts");
        assert_eq!(child.try_wait().expect("it is ours"), None, "the program runs");
        let group = i32::try_from(child.id()).expect("it is a pid");
        // SAFETY: the group is that of the child, which was not waited for.
        assert_eq!(unsafe { libc::killpg(group, libc::SIGKILL) }, 0);
        child.wait().expect("it is ours");
    });
}

fn panicking<'fd>() -> BorrowingCommand<'fd> {
    let mut command = probe(&["true"]);
    // SAFETY: a panic ends the child, and nothing else happens.
    unsafe { command.pre_exec(|| panic!("on purpose")) };
    command
}

#[track_caller]
fn assert_panics(command: &mut BorrowingCommand<'_>) {
    let failure = failure(command);
    assert_eq!((failure.stage(), failure.cause()), (Stage::PreExec, Some(&Cause::Panicked)));
}

static HOOK_RUNS: AtomicUsize = AtomicUsize::new(0);

/// The hook of the program runs for panics of the program, and for none of a child.
/// Faults: M14
#[test]
fn closure_that_panics_runs_no_hook() {
    isolated(|| {
        let (mut reader, writer) = io::pipe().expect("a pipe can be made");
        let copy = writer.as_fd().try_clone_to_owned().expect("a number is free");
        panic::set_hook(Box::new(move |_| {
            HOOK_RUNS.fetch_add(1, Ordering::Relaxed);
            let _ = File::from(copy.try_clone().expect("a number is free")).write_all(b"!");
        }));
        for _ in 0..3 {
            assert_panics(&mut panicking());
        }
        assert!(catch_unwind(|| panic!("the program's own")).is_err());
        assert_eq!(HOOK_RUNS.load(Ordering::Relaxed), 1);
        drop((panic::take_hook(), writer));
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).expect("it can be read");
        assert_eq!(bytes, b"!");
    });
}

/// Threads that panic hold the locks of the hook, of the backtrace and of the loader at most times.
/// Faults: M14
#[test]
fn closure_that_panics_waits_for_no_thread_that_does() {
    isolated(|| {
        // SAFETY: no other thread of this process reads the environment.
        unsafe { env::set_var("RUST_BACKTRACE", "1") };
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        assert!(catch_unwind(|| panic!("caught")).is_err());
                    }
                });
            }
            (0..200).for_each(|_| assert_panics(&mut panicking()));
            stop.store(true, Ordering::Relaxed);
        });
    });
}

static LOCK: Mutex<()> = Mutex::new(());

/// Faults: M14
#[test]
fn closure_that_panics_waits_for_no_lock_of_the_hook() {
    isolated(|| {
        panic::set_hook(Box::new(|_| drop(LOCK.lock())));
        let (held, done) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                let guard = LOCK.lock().expect("nothing panics under it");
                held.store(true, Ordering::Release);
                while !done.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                drop(guard);
            });
            while !held.load(Ordering::Acquire) {
                thread::yield_now();
            }
            assert_panics(&mut panicking());
            done.store(true, Ordering::Release);
        });
        drop(panic::take_hook());
    });
}

/// A child that ends in its closure did not panic.
/// Faults: M14
#[test]
fn closure_that_exits_is_no_panic() {
    isolated(|| {
        let end = || {
            // SAFETY: the child ends itself.
            unsafe { libc::_exit(255) }
        };
        let mut command = probe(&["true"]);
        // SAFETY: the closure does nothing but that.
        unsafe { command.spawn_policy(SpawnPolicy::Auto).pre_exec(end) };
        let error = command.spawn().expect_err("it has no program");
        assert!(matches!(error, forkexec::Error::Died { stage: Stage::PreExec, .. }), "{error}");
    });
}
