//! Children that hang between fork and exec. Each has a copy of all descriptors that were open at the fork, such as the
//! report pipe of another spawn.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use forkexec::{Command, Errno, Error, SpawnPolicy, Stage};
use forkexec_tests::isolate::isolated_for;

use crate::start::probe;

/// As many as make it sure that some are forked while others have their pipes open.
const HANGING: usize = 16;

/// Far more than a start takes that nothing holds up.
const PATIENCE: Duration = Duration::from_secs(40);

/// An emulated kernel takes minutes.
const LIMIT: Duration = Duration::from_mins(10);

/// Keeps children hanging in a closure until it is opened, or for as long as patience lasts.
struct Gate {
    opened: PipeReader,
    opens: Option<PipeWriter>,
    hangs: PipeWriter,
    counted: PipeReader,
}

impl Gate {
    fn new() -> Self {
        let (opened, opens) = io::pipe().expect("a pipe can be made");
        let (counted, hangs) = io::pipe().expect("a pipe can be made");
        Self { opened, opens: Some(opens), hangs, counted }
    }

    /// A command whose child reports that it hangs, and hangs.
    fn hanging(&self) -> Command {
        let (says, waits) = (self.hangs.as_raw_fd(), self.opened.as_raw_fd());
        let opens = self.opens.as_ref().expect("it is shut").as_raw_fd();
        let mut command = probe(&["true"]);
        let hang = move || {
            let mut byte = [0_u8];
            // SAFETY: the child's own copy of the end, which is not read until the gate opens.
            unsafe { libc::close(opens) };
            // SAFETY: one byte is read from valid memory.
            unsafe { libc::write(says, byte.as_ptr().cast(), 1) };
            // SAFETY: one byte is written to valid memory. The call ends with the pipe.
            unsafe { libc::read(waits, byte.as_mut_ptr().cast(), 1) };
            Ok(())
        };
        // SAFETY: the calls are async-signal-safe.
        unsafe { command.pre_exec(hang) };
        command
    }
}

/// Makes starts by fork while others hang: nothing of `start`'s waits for them.
fn start_among_hanging_ones(start: impl Fn() + Sync) {
    let mut gate = Gate::new();
    let was_held_up = AtomicBool::new(false);
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        let starting = {
            let start = &start;
            let ending = &was_held_up;
            scope.spawn(move || {
                let mut rounds = 0;
                while rounds < 200 && !ending.load(Ordering::Acquire) {
                    start();
                    rounds += 1;
                    let _ = done.send(());
                }
            })
        };
        for _ in 0..HANGING {
            let mut command = gate.hanging();
            scope.spawn(move || {
                assert!(command.status().expect("it is let go on").success());
            });
            // The next one is begun when this one hangs, so that they come at many moments of the starts above.
            gate.counted.read_exact(&mut [0]).expect("it says so");
        }
        let ended = loop {
            if let Err(ended) = is_done.recv_timeout(PATIENCE) {
                break ended;
            }
        };
        was_held_up.store(ended == mpsc::RecvTimeoutError::Timeout, Ordering::Release);
        drop(gate.opens.take());
        starting.join().expect("it does not panic");
    });
    assert!(
        !was_held_up.load(Ordering::Acquire),
        "a start waited for what a stranger's child does before exec"
    );
}

/// Faults: E13
#[test]
fn running_child_is_reported_while_others_hang_before_exec() {
    isolated_for(LIMIT, || {
        start_among_hanging_ones(|| {
            let mut child = probe(&["true"]).spawn_policy(SpawnPolicy::Fork).spawn().expect("it starts");
            assert!(child.wait().expect("it ends").success());
        });
    });
}

/// Faults: E13
#[test]
fn missing_program_is_reported_while_others_hang_before_exec() {
    isolated_for(LIMIT, || {
        start_among_hanging_ones(|| {
            let error = Command::new("/no/such/program")
                .spawn_policy(SpawnPolicy::Fork)
                .spawn()
                .expect_err("it is missing");
            assert_eq!(error.as_spawn().map(forkexec::SpawnError::errno), Some(Errno::NOENT));
        });
    });
}

/// Faults: E13
#[test]
fn dead_child_is_reported_while_others_hang_before_exec() {
    isolated_for(LIMIT, || {
        start_among_hanging_ones(|| {
            let mut command = probe(&["true"]);
            // SAFETY: ends the child.
            let die = || unsafe { libc::_exit(3) };
            // SAFETY: _exit is async-signal-safe.
            unsafe { command.pre_exec(die) };
            let error = command.spawn().expect_err("it dies");
            assert!(matches!(error, Error::Died { stage: Stage::PreExec, status: Some(_) }), "{error}");
        });
    });
}
