//! One thread waits for a child while another one kills it again and again, in a pid namespace where pids are few.
//!
//! Long-lived bystanders hold most of the pids, and short-lived ones take each pid as soon as it is free. A signal to the
//! pid of a child that was reaped would hit one of them. The last test shows that: it signals by the pid alone.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use forkexec::{Child, ChildChange, Error, Signaler, reap_dropped, wait_any};
use forkexec_tests::probe;
use rstest::rstest;

use crate::few_numbers::{FIRST, HIGHEST, with_few_numbers_for};
use crate::ground::check;

const LIMIT: Duration = Duration::from_hours(1);
const LONG: Duration = Duration::from_mins(1);

/// The pids that the long-lived bystanders leave to the children, the others and the threads.
const FREE: u32 = 12;

pub(crate) fn rounds() -> u32 {
    env::var("FORKEXEC_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1_000)
}

/// The signals to one child.
struct Target {
    kill: Box<dyn Fn() + Send>,
    /// The child was waited for.
    is_over: Arc<AtomicBool>,
}

/// Kills each target until it was waited for, and a few times after that. Returns the number of signals.
fn kill_all(targets: &Receiver<Target>) -> u64 {
    let mut count = 0;
    for Target { kill, is_over } in targets {
        let mut after = 0;
        while after < 4 {
            kill();
            count += 1;
            after += u32::from(is_over.load(Ordering::Acquire));
            thread::yield_now();
        }
    }
    count
}

/// Starts processes that end by themselves after a moment, until it is told to stop. Returns how many there were, and how
/// many a signal has hit.
fn pass_by(stop: &AtomicBool) -> (u64, u64) {
    let (mut count, mut hit) = (0, 0);
    let mut running = std::collections::VecDeque::new();
    while !stop.load(Ordering::Acquire) || !running.is_empty() {
        if !stop.load(Ordering::Acquire) && running.len() < 4 {
            // SAFETY: the forked process makes two system calls.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                // SAFETY: the process sleeps.
                unsafe { libc::usleep(200) };
                // SAFETY: the process ends.
                unsafe { libc::_exit(0) };
            }
            // No pid may be free for a moment.
            if pid > 0 {
                running.push_back(pid);
                count += 1;
            }
            continue;
        }
        let Some(pid) = running.pop_front() else { continue };
        let mut status = 0;
        // SAFETY: the process is a child of this thread's, and was not waited for. One int is written.
        check(unsafe { libc::waitpid(pid, &raw mut status, 0) });
        hit += u64::from(!ExitStatus::from_raw(status).success());
    }
    (count, hit)
}

/// A child that runs until it is killed, or ends at about the time of the first signal. Returns `None` if a signal for
/// another one has hit it before it executed its program.
fn start(round: u32, pidfd: bool) -> Option<Child> {
    let words: &[&str] = if round.is_multiple_of(2) { &["pause"] } else { &["exit", "3"] };
    loop {
        match probe::command(words).create_pidfd(pidfd).spawn() {
            Ok(child) => return Some(child),
            Err(Error::Died { .. }) => return None,
            // No pid may be free for a moment.
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{error}");
                thread::yield_now();
            }
        }
    }
}

/// Waits in one of several ways, and returns the status.
fn wait(mut child: Child, round: u32) -> Option<ExitStatus> {
    match round / 2 % 5 {
        0 => Some(child.wait().expect("no status is lost")),
        1 => child.wait_timeout(LONG).expect("no status is lost"),
        2 => wait_any([&mut child], None).expect("no status is lost").map(|(_, status)| status),
        3 => loop {
            if let ChildChange::Exited(status) = child.wait_change().expect("no status is lost") {
                return Some(status);
            }
        },
        _ => {
            drop(child);
            while reap_dropped() > 0 {
                thread::yield_now();
            }
            None
        }
    }
}

/// The signals by the pid alone, as std sends them.
fn by_number(child: &Child) -> Box<dyn Fn() + Send> {
    let pid = child.id().cast_signed();
    Box::new(move || {
        // SAFETY: the number is that of a process of this namespace, all of which are the test's.
        let _ = unsafe { libc::kill(pid, libc::SIGKILL) };
    })
}

fn by_signaler(signaler: Signaler) -> Box<dyn Fn() + Send> {
    Box::new(move || signaler.kill().expect("it is ours, or was reaped"))
}

/// Returns how many bystanders a signal has hit in `rounds` rounds.
fn hit_bystanders(rounds: u32, pidfd: bool, aim: impl Fn(&mut Child) -> Box<dyn Fn() + Send>) -> u64 {
    let began = Instant::now();
    let (sender, targets) = sync_channel(0);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let killer = scope.spawn(move || kill_all(&targets));
        let passing = scope.spawn(|| pass_by(&stop));
        let staying: Vec<_> = (0..HIGHEST - FIRST - FREE).map_while(|_| staying()).collect();

        // If a check below fails, the other threads end as well.
        let stopping = Stopping(&stop);
        let (mut statuses, mut hit) = ([0; 2], 0);
        for round in 0..rounds {
            let Some(mut child) = start(round, pidfd) else {
                hit += 1;
                continue;
            };
            let is_over = Arc::new(AtomicBool::new(false));
            let target = Target { kill: aim(&mut child), is_over: Arc::clone(&is_over) };
            sender.send(target).expect("the thread lives");
            let status = wait(child, round);
            is_over.store(true, Ordering::Release);
            if let Some(status) = status {
                let is_killed = status.signal() == Some(libc::SIGKILL);
                assert!(is_killed || status.code() == Some(3), "round {round}: {status}");
                statuses[usize::from(is_killed)] += 1;
            }
        }

        drop(sender);
        let signals = killer.join().expect("it does not panic");
        drop(stopping);
        let (passed, hit_by_passing) = passing.join().expect("it does not panic");
        hit += hit_by_passing;
        let count = staying.len();
        for mut bystander in staying {
            hit += u64::from(!runs(&mut bystander));
            bystander.kill().expect("it is ours");
            bystander.wait().expect("it is ours");
        }
        println!(
            "{rounds} rounds in {:.1?}: {signals} signals, {} children killed, {} ended by themselves, {hit} of {} bystanders hit",
            began.elapsed(),
            statuses[1],
            statuses[0],
            passed + u64::try_from(count).expect("it is small"),
        );
        hit
    })
}

/// Stops the thread that starts processes.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A bystander that stays.
fn staying() -> Option<process::Child> {
    process::Command::new(probe::path()).arg("pause").spawn().ok()
}

fn runs(bystander: &mut process::Child) -> bool {
    bystander.try_wait().expect("it is ours").is_none()
}

/// Faults: W1, W18
#[rstest]
fn signal_during_a_wait_hits_no_process_with_a_reused_pid(#[values(true, false)] pidfd: bool) {
    with_few_numbers_for(LIMIT, || {
        let hit = hit_bystanders(rounds(), pidfd, |child| by_signaler(child.signaler()));
        assert_eq!(hit, 0);
    });
}

/// The bystanders notice a signal by the pid alone, in few rounds.
///
/// Faults: W1
#[test]
fn bystander_notices_a_signal_to_a_reused_pid() {
    with_few_numbers_for(LIMIT, || {
        let mut hit = 0;
        for _ in 0..100 {
            hit += hit_bystanders(100, false, |child| by_number(child));
            if hit > 0 {
                return;
            }
        }
        panic!("no bystander was hit");
    });
}
