//! One process: its refused calls, and the checks for losses.

use std::fs;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forkexec::reap_dropped;
use forkexec_tests::deny::Deny;
use forkexec_tests::guard::Snapshot;

use super::killer::Killer;
use super::start::{Ground, Outcome};
use crate::draw::Draw;
use crate::in_threads;

/// The start of the line with the counts.
pub(super) const COUNTED: &str = "batch ";

const ERRNOS: [i32; 4] = [libc::EPERM, libc::ENOSYS, libc::EACCES, libc::EINVAL];

/// Calls with an alternative: the child starts whatever they return.
const HAVE_ANOTHER_WAY: [libc::c_long; 4] =
    [libc::SYS_close_range, libc::SYS_getdents64, libc::SYS_unshare, libc::SYS_pidfd_open];

/// Calls that a plan needs: it fails at them if they are refused.
pub(super) const ASKED_FOR: [libc::c_long; 4] =
    [libc::SYS_setsid, libc::SYS_setpriority, libc::SYS_setpgid, libc::SYS_chdir];

/// The calls that this process cannot make.
pub(super) struct Refused(Vec<libc::c_long>);

impl Refused {
    /// Each one in four times, for good.
    fn drawn(draw: &mut Draw) -> Self {
        let mut deny = Deny::new();
        let mut refused = Vec::new();
        // The C library creates its threads by another call only if this one is missing.
        if draw.below(4) == 0 {
            deny = deny.errno(libc::SYS_clone3, libc::ENOSYS);
        }
        for call in HAVE_ANOTHER_WAY.into_iter().chain(ASKED_FOR) {
            if draw.below(4) == 0 {
                deny = deny.errno(call, ERRNOS[draw.below(ERRNOS.len())]);
                refused.push(call);
            }
        }
        deny.install().expect("a filter is taken");
        Self(refused)
    }

    pub(super) fn has(&self, call: libc::c_long) -> bool {
        self.0.contains(&call)
    }
}

/// The counts of all spawns.
#[derive(Debug, Default)]
struct Counts {
    ended: AtomicUsize,
    killed: AtomicUsize,
    died: AtomicUsize,
    refused: AtomicUsize,
    missing: AtomicUsize,
    left: AtomicUsize,
}

impl Counts {
    fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Ended => &self.ended,
            Outcome::Killed => &self.killed,
            Outcome::Died => &self.died,
            Outcome::Refused => &self.refused,
            Outcome::Missing => &self.missing,
            Outcome::Left => &self.left,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Makes this many spawns. Memory is measured after some of them, when the library's caches exist.
pub(super) fn run(seed: u64, starts: usize) {
    let mut draw = Draw::of(seed);
    let ground = Ground::new();
    let refused = Refused::drawn(&mut draw);
    let kills = draw.below(2) == 0;
    println!("refused: {:?}, kills: {kills}", refused.0);
    let before = Snapshot::take();
    let counts = Counts::default();
    let some = |range: Range<usize>| {
        let killer = kills.then(Killer::new);
        in_threads(range.len(), |thread, numbers| {
            let first = u64::try_from(range.start + thread * 1_000).expect("it is small");
            let mut draw = Draw::of(seed.wrapping_mul(31).wrapping_add(first));
            for _ in numbers {
                counts.count(ground.start(&mut draw, &refused, kills));
            }
            0
        });
        drop(killer);
        nothing_is_left(&before);
    };
    some(0..starts / 5);
    let memory = Memory::now();
    some(starts / 5..starts);
    memory.has_not_grown();
    println!("{COUNTED}{seed}: {counts:?}, kills: {kills}, refused: {:?}", refused.0);
}

/// Dropped children need a moment to end and to be reaped, by this thread or by the library's.
fn nothing_is_left(before: &Snapshot) {
    const PATIENCE: Duration = Duration::from_mins(1);
    let began = Instant::now();
    loop {
        reap_dropped();
        let differences = before.differences(&Snapshot::take());
        if differences.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{differences:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The memory of this process: mappings, and kilobytes.
#[derive(Debug)]
struct Memory(usize, usize);

impl Memory {
    fn now() -> Self {
        let read = |path| fs::read_to_string(path).expect("a process can look at its memory");
        let status = read("/proc/self/status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux counts it");
        let kilobytes = resident.trim().trim_end_matches(" kB").parse().expect("it is a number");
        Self(read("/proc/self/maps").lines().count(), kilobytes)
    }

    /// Threads keep stacks and arenas, as many as run at once. A leaked mapping for each spawn would be hundreds.
    fn has_not_grown(&self) {
        const PIECES: usize = 100;
        const KILOBYTES: usize = 16 << 10;
        let now = Self::now();
        assert!(now.0 < self.0 + PIECES && now.1 < self.1 + KILOBYTES, "was {self:?}, is {now:?}");
    }
}
