//! Waiting, signalling, communicating, and children that never reach exec.
//!
//! - `autoreap`: children that the kernel reaps
//! - `changing_ids`: a thread that changes the ids of the process while another one forks
//! - `changes`: children that are stopped and continued, or traced
//! - `conversing`: limits of size and time, line callbacks, and a run that stops early
//! - `dropped`: children whose handle is dropped at any point
//! - `ending`: exit statuses, known and lost
//! - `failing`: spawns that fail half-way, and what they leave
//! - `forked`: other threads while one forks, and the forked process
//! - `kept`: a child that dies with its parent, but not with a thread
//! - `reused`: a PID that another process has reused
//! - `siblings`: spawns while other children hang before exec
//! - `signalling`: signals of other threads while one waits
//! - `several`: waits for any or all of several children
//! - `stopped`: stopped children that receive SIGTERM
//! - `talking`: standard input, output and error, through pipes
//! - `trees`: all descendants of a child, killed as a whole
//! - `used`: resource usage of a child
//! - `waiting`: waits with a limit, and forced termination

mod autokill;
mod autoreap;
mod changes;
#[cfg(not(target_os = "android"))]
mod changing_ids;
mod conversing;
mod dropped;
mod ending;
mod failing;
mod forked;
mod kept;
mod reused;
mod several;
mod siblings;
mod signalling;
mod stopped;
mod talking;
mod trees;
mod used;
mod waiting;

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::thread;

use forkexec::{Error, Stage, Stdio};
use forkexec_tests::isolate::isolated;

use crate::ground::{capabilities, check};
use crate::held::Acting;
use crate::start::{probe, report};

#[test]
fn id_is_the_pid_that_the_child_sees() {
    isolated(|| {
        let child = probe(&["report"]).stdout(Stdio::piped()).spawn().expect("it can be started");
        let id = child.id();
        let output = child.wait_with_output().expect("it can be waited for");
        let seen = forkexec_tests::probe::Seen::of(&output.stdout);
        assert_eq!((seen.pid.cast_unsigned(), seen.ppid.cast_unsigned()), (id, std::process::id()));
    });
}

#[test]
fn spawn_method_is_one_of_the_backends() {
    isolated(|| {
        let mut child = probe(&["true"]).spawn().expect("it can be started");
        child.wait().expect("it can be waited for");
        assert!(capabilities().launchers.contains(&child.method()), "{child:?}");
    });
}

#[test]
fn stages_are_timed_in_their_order_on_request() {
    isolated(|| {
        let mut child = probe(&["true"]).time_stages().spawn().expect("it can be started");
        child.wait().expect("it can be waited for");
        let times: Vec<_> = child.stage_times().expect("they were asked for").collect();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(times.last().map(|(stage, _)| *stage), Some(Stage::Exec));
    });
}

#[test]
fn stages_are_not_timed_by_default() {
    isolated(|| {
        let mut child = probe(&["true"]).spawn().expect("it can be started");
        child.wait().expect("it can be waited for");
        assert!(child.stage_times().is_none());
    });
}

/// Faults: M7
#[test]
fn children_of_many_threads_each_get_their_own() {
    isolated(|| {
        let mixed = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || mixed_up(thread))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it does not panic")).sum::<usize>()
        });
        assert_eq!(mixed, 0);
    });
}

/// Returns how many children of a thread had the pipe, argument or limit of another one, or one pipe too many.
fn mixed_up(thread: usize) -> usize {
    let wrong = |index: &usize| {
        let mark = format!("{thread}-{index}");
        let (mut reader, writer) = io::pipe().expect("a pipe can be made");
        let mut command = probe(&["report", "--to", "9", &mark]);
        let mut child = command.fd(9, writer).stdin(Stdio::null()).spawn().expect("it can be started");
        drop(command);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("a report is ASCII");
        let seen = forkexec_tests::probe::Seen::parse(&text);
        let ended_well = child.wait().expect("it can be waited for").success();
        !ended_well || seen.fds != [0, 1, 2, 9] || seen.args.last() != Some(&mark.into())
    };
    (0..15).filter(wrong).count()
}

#[test]
fn each_child_is_another_process() {
    isolated(|| {
        let pids: BTreeSet<_> = (0..5).map(|_| report(&mut probe(&[])).pid).collect();
        assert_eq!(pids.len(), 5);
    });
}

/// A timer's signals interrupt what they can, as its handler does not ask for restarts.
///
/// Faults: E12
#[test]
fn interrupted_calls_are_retried() {
    isolated(|| {
        let _handled = Acting::interrupting(libc::SIGALRM);
        let _timer = Timer::every_millisecond();
        let errors: Vec<Error> = (0..100)
            .filter_map(|_| {
                let mut command = probe(&["echo"]);
                let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
                child.and_then(|child| child.communicate(&[b'.'; 10_000])).err()
            })
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    });
}

/// Signals that come every millisecond, until it is dropped.
struct Timer;

impl Timer {
    fn every_millisecond() -> Self {
        set_timer(1_000);
        Self
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        set_timer(0);
    }
}

fn set_timer(microseconds: i32) {
    #[expect(clippy::allow_attributes, reason = "a number of 32 bits on some architectures")]
    #[allow(clippy::useless_conversion)]
    let time = libc::timeval { tv_sec: 0, tv_usec: microseconds.into() };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: the timer outlives the call, and no old value is returned. 0 is ITIMER_REAL, which the libc crate lacks
    // on Android.
    check(unsafe { libc::setitimer(0, &raw const timer, std::ptr::null_mut()) });
}
