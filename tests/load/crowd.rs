//! Two thousand children with a time limit each, and one thread that waits for all of them: by their descriptors and
//! epoll(7), by `wait_any`, and by runtimes.
//!
//! The process does no work while they sleep. The test measures and prints its processor time and the elapsed time:
//! `FORKEXEC_ISOLATED=1 cargo test -p forkexec-tests --features tokio --test load crowd -- --nocapture --test-threads
//! 1`.

#[cfg(feature = "tokio")]
mod under_tokio;

use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use forkexec::{Child, Command, OnDrop, Stdio, wait_any};
use forkexec_tests::isolate::isolated;
use forkexec_tests::{probe, world};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::time::{ClockId, clock_gettime};

const CHILDREN: usize = 2_000;

/// The time that all of them sleep.
const QUIET: Duration = Duration::from_secs(3);

/// The limits lie so far apart.
const STEP: Duration = Duration::from_micros(250);

/// The share of a processor that a waiting thread may use.
const SHARE: f64 = 0.01;

/// The input of the children. A child with an even number ends with it. The others sleep until they are killed.
struct Inputs {
    ending: PipeReader,
    endless: PipeReader,
    /// Held until the end.
    _writer: PipeWriter,
}

impl Inputs {
    /// Also returns the pipe end that ends the even children when it is dropped.
    fn new() -> (Self, PipeWriter) {
        let (ending, ends) = io::pipe().expect("a pipe can be made");
        let (endless, writer) = io::pipe().expect("a pipe can be made");
        (Self { ending, endless, _writer: writer }, ends)
    }

    fn command(&self, number: usize) -> Command {
        let input = if ends_by_itself(number) { &self.ending } else { &self.endless };
        let mut command = probe::command(&["sleep-on-stdin"]);
        command.stdin(input.try_clone().expect("there is a number left"));
        command.stdout(Stdio::null()).on_drop(OnDrop::KillAndWait);
        command
    }
}

fn ends_by_itself(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// Returns true if the child with this number ended as expected.
fn ended_as_expected(number: usize, status: ExitStatus) -> bool {
    if ends_by_itself(number) { status.success() } else { status.signal() == Some(libc::SIGKILL) }
}

/// The time limit of the child with this number. Those that end by themselves get enough.
fn limit_of(number: usize, quiet: Instant) -> Instant {
    let after = if ends_by_itself(number) {
        Duration::from_mins(1)
    } else {
        STEP * u32::try_from(number).expect("it is small")
    };
    quiet + after
}

/// Has room for a descriptor each.
fn make_room() {
    let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("it can be asked for");
    world::set_limit(libc::RLIMIT_NOFILE, hard, hard).expect("it can be raised");
}

/// The processor time of this process, all threads of it.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("there is such a clock").into()
}

/// Holds the waiter to its share since then.
fn judge(who: &str, before: Duration, began: Instant) {
    let (taken, passed) = (processor_time().saturating_sub(before), began.elapsed());
    let share = taken.as_secs_f64() / passed.as_secs_f64();
    println!(
        "{who}: {CHILDREN} children slept for {passed:.2?}, the waiter took {taken:.2?}, {:.3} %",
        share * 100.0
    );
    assert!(share < SHARE, "{taken:?} in {passed:?}");
}

#[test]
fn epoll_waits_for_many_children_without_cpu_time() {
    isolated(|| {
        make_room();
        let (inputs, ends) = Inputs::new();
        let start = |number| inputs.command(number).spawn().expect("it can be started");
        let mut crowd = Crowd::new((0..CHILDREN).map(start).collect());

        let (began, before) = (Instant::now(), processor_time());
        let quiet = began + QUIET;
        assert_eq!(crowd.wait_until(quiet), 0, "nobody ends while all sleep");
        judge("epoll", before, began);

        drop(ends);
        crowd.wait_with_limits(quiet);
    });
}

#[test]
fn wait_any_waits_for_many_children_without_cpu_time() {
    isolated(|| {
        make_room();
        let (inputs, ends) = Inputs::new();
        // Even numbers only: they end with their input.
        let start = |number| inputs.command(2 * number).spawn().expect("it can be started");
        let mut children: Vec<Child> = (0..CHILDREN / 2).map(start).collect();

        let (began, before) = (Instant::now(), processor_time());
        assert_eq!(wait_any(&mut children, Some(QUIET)).expect("they are ours"), None);
        judge("wait_any", before, began);

        drop(ends);
        let began = Instant::now();
        while let Some((index, status)) = wait_any(&mut children, None).expect("they are ours") {
            assert!(status.success(), "{status}");
            drop(children.swap_remove(index));
        }
        println!("wait_any: {} children reaped in {:.2?}", CHILDREN / 2, began.elapsed());
        assert!(children.is_empty());
    });
}

/// Running children, and the descriptors that show their ends.
struct Crowd {
    children: Vec<Child>,
    running: usize,
    epoll: Epoll,
}

impl Crowd {
    fn new(children: Vec<Child>) -> Self {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("the kernel has it");
        for (number, child) in (0..).zip(&children) {
            let pidfd = child.pidfd().expect("the kernel gives it");
            epoll.add(pidfd, EpollEvent::new(EpollFlags::EPOLLIN, number)).expect("it can be watched");
        }
        Self { running: children.len(), children, epoll }
    }

    /// Reaps the children that end until then, or until none is left. Returns their number.
    fn wait_until(&mut self, until: Instant) -> usize {
        let mut events = [EpollEvent::empty(); 64];
        let mut ended = 0;
        while self.running > 0 {
            let rest = until.saturating_duration_since(Instant::now());
            // It counts milliseconds, and sleeps for all of one that has begun.
            let millis = u16::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(u16::MAX);
            let count =
                self.epoll.wait(&mut events, EpollTimeout::from(millis)).expect("it can be waited for");
            for event in &events[..count] {
                self.see(usize::try_from(event.data()).expect("it is a number of ours"));
            }
            ended += count;
            if count == 0 && Instant::now() >= until {
                break;
            }
        }
        ended
    }

    fn see(&mut self, number: usize) {
        let child = &mut self.children[number];
        let status = child.try_wait().expect("it is ours").expect("it has ended");
        assert!(ended_as_expected(number, status), "child {number}: {status}");
        self.epoll.delete(child.pidfd().expect("it is watched")).expect("it is watched");
        self.running -= 1;
    }

    /// Kills each that is late.
    fn wait_with_limits(&mut self, quiet: Instant) {
        for number in (0..self.children.len()).filter(|&number| !ends_by_itself(number)) {
            self.wait_until(limit_of(number, quiet));
            self.children[number].kill().expect("it is ours");
        }
        self.wait_until(limit_of(0, quiet));
        assert_eq!(self.running, 0);
    }
}
