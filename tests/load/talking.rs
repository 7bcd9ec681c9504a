//! Children that read and write at once, a megabyte each way, in random pieces, and close early. No pipe deadlocks, and
//! every byte is accounted for.
//!
//! `FORKEXEC_SEED` repeats a run.

use std::cell::RefCell;
use std::env;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forkexec::{Child, Command, CommunicateOutput, Communicator, Stdio, StopReason};
use forkexec_tests::isolate::isolated_for;
use forkexec_tests::probe;

use crate::in_threads;
use crate::random::seed;

const LIMIT: Duration = Duration::from_mins(30);
const WHOLE: usize = 1_000_000;
/// No pipe of a child holds more.
const PIPE: usize = 1 << 16;
/// A round that takes longer is stuck.
const STUCK: Duration = Duration::from_mins(1);

pub(crate) fn rounds() -> usize {
    env::var("FORKEXEC_TALK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(300)
}

/// Numbers that follow from a seed: splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 16).expect("48 bits") % end
    }

    /// All of it, in two rounds of three.
    fn whole_or_part(&mut self) -> usize {
        if self.below(3) > 0 { WHOLE } else { self.below(WHOLE) }
    }
}

/// The bytes of a round.
struct Round {
    seed: u64,
    /// The number of bytes that the child reads, and writes to its output and error, before it closes each stream.
    closes_after: [usize; 3],
}

impl Round {
    fn new(seed: u64, random: &mut Random) -> Self {
        Self { seed, closes_after: [(); 3].map(|()| random.whole_or_part()) }
    }

    fn stream(&self, stream: usize, length: usize) -> Vec<u8> {
        (0..length).map(|at| probe::byte(self.seed, stream, at)).collect()
    }

    fn start(&self, report: io::PipeWriter) -> Child {
        let mut command = Command::new(probe::path());
        command.args(["exchange", &self.seed.to_string()]);
        command.args(self.closes_after.map(|count| count.to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).fd(3, report);
        command.spawn().expect("it can be started")
    }
}

/// The sum of all runs of a communication.
struct Sum {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    last: CommunicateOutput,
    /// The number of stops by a limit, and by the time.
    stops: [usize; 2],
}

/// Talks until it is over, in one go or in many: with limits of size or time, and standard output line by line.
fn talk(child: &mut Child, input: &[u8], random: &mut Random) -> Sum {
    let lines = RefCell::new(Vec::new());
    let (way, by_lines) = (random.below(3), random.below(3) == 0);
    let mut talk = child.communicator();
    say_in_pieces(&mut talk, input, random);
    if by_lines {
        talk.line_limit(2 * WHOLE).on_stdout_line(|line| lines.borrow_mut().push(line.to_vec()));
    }
    let (mut stdout, mut stderr, mut stops) = (Vec::new(), Vec::new(), [0; 2]);
    loop {
        let both = random.below(WHOLE);
        match way {
            0 => talk.timeout(STUCK),
            1 => talk.timeout(STUCK).limit(both).stdout_limit(random.below(WHOLE)),
            _ => talk.timeout(Duration::from_micros(random.below(2_000) as u64)),
        };
        let mut heard = talk.run().expect("it is no error");
        assert!(heard.stdout.len() + heard.stderr.len() <= both || way != 1, "a limit was passed");
        stdout.append(&mut heard.stdout);
        stderr.append(&mut heard.stderr);
        match heard.stopped {
            StopReason::Ended => {
                drop(talk);
                let lines = lines.take();
                let stdout = if by_lines { lines.join(&b'\n') } else { stdout };
                return Sum { stdout, stderr, last: heard, stops };
            }
            StopReason::Limit => stops[0] += 1,
            StopReason::Timeout if way == 2 => stops[1] += 1,
            other => panic!("it stopped by {other:?}"),
        }
    }
}

/// Some of it borrowed, some owned.
fn say_in_pieces<'c>(talk: &mut Communicator<'c>, mut input: &'c [u8], random: &mut Random) {
    while !input.is_empty() {
        let (piece, rest) = input.split_at((1 + random.below(WHOLE)).min(input.len()));
        if random.below(2) == 0 {
            talk.input(piece)
        } else {
            talk.input(piece.to_vec())
        };
        input = rest;
    }
}

/// Returns the errors in the accounts of a round.
fn check(round: &Round, sum: &Sum, report: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut hold = |is_so: bool, what: &str| {
        if !is_so {
            wrong.push(what.to_owned());
        }
    };
    let [reads, out, err] = round.closes_after;
    let mut expected = round.stream(1, out);
    // Of lines the last newline is not known.
    let at_its_end = expected.last() == Some(&b'\n') && sum.stdout.len() + 1 == out;
    expected.truncate(if at_its_end { out - 1 } else { out });
    hold(sum.stdout == expected, "stdout");
    hold(sum.stderr == round.stream(2, err), "stderr");
    let report = report.split_once(' ').map(|(count, wrong)| (count.parse::<usize>(), wrong));
    hold(report == Some((Ok(reads), "0")), "what the child read");
    hold(sum.last.status.is_some_and(|status| status.success()), "the status");
    let CommunicateOutput { written, left_unread, .. } = sum.last;
    match left_unread {
        Some(left) => hold(written - left == reads, "what was left unread"),
        // The child closed its end, if it did, with no more unread than a pipe holds.
        None => hold(written == WHOLE && reads + PIPE >= WHOLE, "what was written"),
    }
    wrong
}

#[test]
fn every_byte_is_accounted_for_whatever_closes_early() {
    isolated_for(LIMIT, || {
        let (first, rounds) = (seed(), rounds());
        let [early, limits, timeouts] = [(); 3].map(|()| AtomicUsize::new(0));
        let count = |_, numbers: Range<usize>| {
            let fails = |number: &usize| {
                let seed = first.wrapping_add(*number as u64);
                let mut random = Random(seed);
                let round = Round::new(seed, &mut random);
                let input = round.stream(0, WHOLE);
                let (mut reader, writer) = io::pipe().expect("a pipe can be made");
                let mut child = round.start(writer);
                let sum = talk(&mut child, &input, &mut random);
                let mut report = String::new();
                reader.read_to_string(&mut report).expect("it is ASCII");
                early.fetch_add(usize::from(sum.last.left_unread.is_some()), Ordering::Relaxed);
                limits.fetch_add(sum.stops[0], Ordering::Relaxed);
                timeouts.fetch_add(sum.stops[1], Ordering::Relaxed);
                let wrong = check(&round, &sum, &report);
                if !wrong.is_empty() {
                    eprintln!("FORKEXEC_SEED={seed} FORKEXEC_TALK_ROUNDS=1: {wrong:?} {report:?}");
                }
                !wrong.is_empty()
            };
            numbers.filter(fails).count()
        };
        let failed = in_threads(rounds, count);
        println!(
            "{rounds} rounds from seed {first}: {early:?} closed early, {limits:?} limits, {timeouts:?} timeouts"
        );
        assert_eq!(failed, 0, "of {rounds}");
        assert!(early.into_inner() > 0 || rounds < 100, "no child closed early");
    });
}
