//! A conversation with a child, as a state machine.
//!
//! It decides what is written and read, and when a run stops. It makes no system call and reads no clock. A driver does
//! both: it passes in the time and the result of each call. There are two drivers, one over poll(2)
//! ([`Communicator`](super::Communicator)) and one over tokio.

use super::StopReason;
use super::deadline::Deadline;
use super::drain::Drain;
use super::feed::Feed;
use std::io;
use std::time::{Duration, Instant};

/// The most bytes of one read: as many as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// `I` and `O` are the driver's pipes, `T` is its callback for lines.
#[derive(Debug)]
pub(crate) struct Conversation<'c, I, O, T> {
    pub(crate) feed: Feed<'c, I>,
    /// Standard output and standard error.
    pub(crate) outputs: [Drain<O, T>; 2],
    /// The time that a run may take.
    pub(crate) timeout: Option<Duration>,
    /// The time for which outputs are read after the child has exited.
    pub(crate) drain_limit: Option<Duration>,
    /// The most bytes that a run reads of both outputs together.
    pub(crate) limit: Option<usize>,
    /// The number of bytes that are left of this limit.
    room: usize,
    /// When the run times out.
    pub(crate) deadline: Deadline,
    /// Set when the child has exited, if there is a drain limit.
    drain_deadline: Option<Deadline>,
    buffer: Vec<u8>,
}

impl<I, O, T: FnMut(&[u8]) -> bool> Conversation<'_, I, O, T> {
    pub(crate) fn new(stdin: Option<I>, outputs: [Option<O>; 2]) -> Self {
        Self {
            feed: Feed::new(stdin),
            outputs: outputs.map(Drain::new),
            timeout: None,
            drain_limit: None,
            limit: None,
            room: usize::MAX,
            deadline: Deadline::NEVER,
            drain_deadline: None,
            buffer: Vec::new(),
        }
    }

    /// Begins a run: the limits count from here. Returns a reason if it stops at a line that an earlier run has read.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<StopReason> {
        self.deadline = Deadline::after(now, self.timeout);
        self.drain_deadline = None;
        self.room = self.limit.unwrap_or(usize::MAX);
        self.outputs.iter_mut().for_each(Drain::begin);
        if self.outputs.iter_mut().any(Drain::tell_lines) {
            return Some(StopReason::Line);
        }
        self.feed.close_if_done();
        None
    }

    /// Returns true if all input is written or refused, and both outputs have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.feed.is_done() && !self.outputs.iter().any(Drain::is_open)
    }

    /// Returns true if the run must learn when the child exits.
    pub(crate) fn awaits_exit(&self) -> bool {
        self.drain_limit.is_some() && self.drain_deadline.is_none()
    }

    /// Notes that the child has exited. The driver calls [`Drain::owe`] for each output next.
    pub(crate) fn note_exit(&mut self, now: Instant) {
        self.drain_deadline = Some(Deadline::after(now, self.drain_limit));
    }

    /// Until when a driver may wait.
    pub(crate) fn next_deadline(&self) -> Deadline {
        self.drain_deadline.map_or(self.deadline, |drain| drain.earlier(self.deadline))
    }

    /// The pipe of an output, and the buffer to read into. It has room for what the limits allow.
    pub(crate) fn reading(&mut self, index: usize) -> Option<(&mut O, &mut [u8])> {
        let output = &mut self.outputs[index];
        let most = CHUNK.min(self.room).min(output.room);
        let pipe = output.pipe()?;
        self.buffer.resize(CHUNK, 0);
        // At a limit, a read of one byte finds the end of a pipe that has nothing unread.
        Some((pipe, &mut self.buffer[..most.max(1)]))
    }

    /// Returns true if a limit allows no more bytes of an output.
    pub(crate) fn is_full(&self, index: usize) -> bool {
        self.room.min(self.outputs[index].room) == 0
    }

    /// Notes what a read into the buffer of [`reading`](Self::reading) returned.
    ///
    /// # Errors
    ///
    /// The error of the read, once: the output is not read any more.
    pub(crate) fn heard(&mut self, index: usize, read: io::Result<usize>) -> io::Result<Option<StopReason>> {
        let output = &mut self.outputs[index];
        let count = output.note(&self.buffer, read)?;
        self.room = self.room.saturating_sub(count);
        Ok(output.tell_lines().then_some(StopReason::Line))
    }

    /// Returns a reason if the run stops after the driver has done all that it can do without waiting. `None`
    /// if the run goes on or is over.
    pub(crate) fn stop_reason(&mut self, now: Instant) -> Option<StopReason> {
        if self.is_over() {
            return None;
        }
        if self.deadline.has_passed(now) {
            return Some(StopReason::Timeout);
        }
        let is_owed = self.outputs.iter().any(|output| output.owed > 0);
        let is_drained = !is_owed && self.drain_deadline.is_some_and(|drain| drain.has_passed(now));
        is_drained.then(|| self.give_up_the_rest())
    }

    /// The child has exited, so that another process holds the outputs: a partial last line counts as a line.
    fn give_up_the_rest(&mut self) -> StopReason {
        let stops = self.outputs.each_mut().map(Drain::tell_rest);
        if stops.contains(&true) { StopReason::Line } else { StopReason::DrainLimit }
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Conversation, StopReason};
    use rstest::rstest;
    use std::cell::RefCell;
    use std::io;
    use std::rc::{Rc, Weak};
    use std::time::{Duration, Instant};

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    /// Neither a descriptor nor anything else: a test sees whether the conversation has dropped it.
    type Pipe = Rc<()>;
    type Talk<'c> = Conversation<'c, Pipe, Pipe, Box<dyn FnMut(&[u8]) -> bool + 'c>>;

    /// A conversation over three pipes, and what tells whether each is still there.
    fn talk<'c>() -> (Talk<'c>, [Weak<()>; 3]) {
        let [stdin, stdout, stderr] = [(); 3].map(Rc::new);
        let seen = [&stdin, &stdout, &stderr].map(Rc::downgrade);
        (Conversation::new(Some(stdin), [Some(stdout), Some(stderr)]), seen)
    }

    fn are_open(pipes: &[Weak<()>; 3]) -> [bool; 3] {
        pipes.each_ref().map(|pipe| pipe.strong_count() > 0)
    }

    fn is_ended(talk: &mut Talk<'_>, outputs: [usize; 2]) -> bool {
        for index in outputs {
            assert_eq!(talk.heard(index, Ok(0)).unwrap(), None);
        }
        talk.is_over()
    }

    /// Has an output say this, as a driver that reads it.
    fn say(talk: &mut Talk<'_>, index: usize, bytes: &[u8]) -> Option<StopReason> {
        let (_, buffer) = talk.reading(index).expect("the output is open");
        buffer[..bytes.len()].copy_from_slice(bytes);
        talk.heard(index, Ok(bytes.len())).unwrap()
    }

    fn errno(number: i32) -> io::Error {
        io::Error::from_raw_os_error(number)
    }

    #[rstest]
    #[case::closed(false, [false, true, true])]
    #[case::kept_open(true, [true, true, true])]
    fn input_is_written_in_order_and_then_closed(#[case] keep: bool, #[case] open: [bool; 3]) {
        let (mut talk, pipes) = talk();
        talk.feed.keep_open = keep;
        for piece in [b"to ".as_slice(), b"", b"be"] {
            talk.feed.add(piece.into());
        }
        assert_eq!(talk.begin(Instant::now()), None);
        let mut written = Vec::new();
        while let Some((_, bytes)) = talk.feed.pending() {
            let count = bytes.len().min(2);
            written.extend_from_slice(&bytes[..count]);
            assert!(written.len() <= 5, "{written:?}");
            assert!(talk.feed.wrote(Ok(count)).unwrap().is_none());
        }
        assert_eq!((written.as_slice(), talk.feed.written), (b"to be".as_slice(), 5));
        assert_eq!(are_open(&pipes), open);
        assert!(is_ended(&mut talk, [0, 1]));
    }

    #[test]
    fn stdin_without_input_is_closed_at_the_beginning() {
        let (mut talk, pipes) = talk();
        assert_eq!(are_open(&pipes), [true; 3]);
        assert_eq!(talk.begin(Instant::now()), None);
        assert_eq!(are_open(&pipes), [false, true, true]);
        talk.feed.add(b"late".into());
        assert!(talk.feed.pending().is_none() && is_ended(&mut talk, [1, 0]));
    }

    #[test]
    fn refused_input_is_no_error_and_gives_back_the_pipe() {
        let (mut talk, pipes) = talk();
        talk.feed.add(b"unread".into());
        assert_eq!(talk.begin(Instant::now()), None);
        assert!(talk.feed.wrote(Ok(2)).unwrap().is_none());
        let refused = talk.feed.wrote(Err(errno(libc::EPIPE))).expect("it is no error");
        assert_eq!((refused.is_some(), talk.feed.written, are_open(&pipes)), (true, 2, [true; 3]));
        drop(refused);
        assert_eq!(are_open(&pipes), [false, true, true]);
        assert!(is_ended(&mut talk, [0, 1]));
    }

    #[rstest]
    #[case::would_block(libc::EAGAIN)]
    #[case::interrupted(libc::EINTR)]
    fn temporary_error_changes_nothing(#[case] number: i32) {
        let (mut talk, pipes) = talk();
        talk.feed.add(b"x".into());
        assert_eq!(talk.begin(Instant::now()), None);
        assert!(talk.feed.wrote(Err(errno(number))).unwrap().is_none());
        assert_eq!([0, 1].map(|index| talk.heard(index, Err(errno(number))).unwrap()), [None; 2]);
        assert_eq!((are_open(&pipes), talk.feed.pending().is_some()), ([true; 3], true));
        assert!(!talk.is_over());
    }

    #[test]
    fn failed_pipe_is_not_used_and_can_be_taken_back() {
        let (mut talk, pipes) = talk();
        talk.feed.add(b"x".into());
        assert_eq!(talk.begin(Instant::now()), None);
        talk.feed.wrote(Err(errno(libc::EIO))).expect_err("it is returned");
        assert_eq!(say(&mut talk, 0, b"early"), None);
        talk.heard(0, Err(errno(libc::EIO))).expect_err("it is returned");
        talk.outputs[1].owe(Err(errno(libc::EIO))).expect_err("it is returned");
        assert!(talk.feed.pending().is_none() && [0, 1].iter().all(|&index| talk.reading(index).is_none()));
        assert!(talk.is_over() && talk.begin(Instant::now()).is_none());
        assert_eq!((talk.outputs[0].read.as_slice(), are_open(&pipes)), (b"early".as_slice(), [true; 3]));
        let taken = talk.outputs.each_mut().map(super::Drain::take_pipe);
        assert!(talk.feed.take_pipe().is_some() && taken.iter().all(Option::is_some));
    }

    #[rstest]
    #[case::without_a_limit([None; 3], [CHUNK; 2])]
    #[case::of_both([Some(5), None, None], [5, 2])]
    #[case::of_each([None, Some(9), Some(4)], [9, 4])]
    #[case::of_all([Some(5), Some(4), Some(3)], [4, 2])]
    fn reads_are_as_long_as_the_limits_allow(#[case] limits: [Option<usize>; 3], #[case] rooms: [usize; 2]) {
        let (mut talk, _pipes) = talk();
        [talk.limit, talk.outputs[0].limit, talk.outputs[1].limit] = limits;
        for _run in 0..2 {
            assert_eq!(talk.begin(Instant::now()), None);
            assert_eq!(talk.reading(0).map(|(_, buffer)| buffer.len()), Some(rooms[0]));
            say(&mut talk, 0, b"abc");
            assert_eq!(talk.reading(1).map(|(_, buffer)| buffer.len()), Some(rooms[1]));
        }
        assert_eq!(talk.outputs[0].read, b"abcabc");
    }

    /// The driver asks how much is unread, and reads the end if nothing is.
    #[test]
    fn full_output_can_still_end() {
        let (mut talk, pipes) = talk();
        talk.outputs[0].limit = Some(3);
        assert_eq!(talk.begin(Instant::now()), None);
        assert!(!talk.is_full(0));
        say(&mut talk, 0, b"abc");
        assert_eq!([0, 1].map(|index| talk.is_full(index)), [true, false]);
        assert_eq!(talk.reading(0).map(|(_, buffer)| buffer.len()), Some(1));
        assert!(is_ended(&mut talk, [0, 1]));
        assert_eq!(are_open(&pipes), [false; 3]);
    }

    #[test]
    fn run_stops_at_its_deadline_unless_it_is_over() {
        let (mut talk, _pipes) = talk();
        let start = Instant::now();
        talk.timeout = Some(SHORT);
        for start in [start, start + LONG] {
            assert_eq!(talk.begin(start), None);
            assert_eq!(talk.next_deadline().rest(start), Some(SHORT));
            assert_eq!(
                [start, start + SHORT].map(|now| talk.stop_reason(now)),
                [None, Some(StopReason::Timeout)]
            );
        }
        assert!(is_ended(&mut talk, [0, 1]));
        assert_eq!(talk.stop_reason(start + 2 * LONG), None);
    }

    #[test]
    fn drain_limit_counts_from_the_exit() {
        let (mut talk, _pipes) = talk();
        let start = Instant::now();
        assert!(talk.begin(start).is_none() && !talk.awaits_exit());
        talk.drain_limit = Some(SHORT);
        for start in [start, start + LONG] {
            assert_eq!(talk.begin(start), None);
            assert!(talk.awaits_exit() && talk.next_deadline().rest(start).is_none());
            assert_eq!(talk.stop_reason(start + LONG), None);
            let exit = start + SHORT;
            talk.note_exit(exit);
            assert_eq!((talk.awaits_exit(), talk.next_deadline().rest(exit)), (false, Some(SHORT)));
            let stops = [exit, exit + SHORT].map(|now| talk.stop_reason(now));
            assert_eq!(stops, [None, Some(StopReason::DrainLimit)]);
        }
    }

    #[rstest]
    #[case::after_the_drain_limit(Some(LONG), StopReason::DrainLimit)]
    #[case::before_the_drain_limit(Some(SHORT), StopReason::Timeout)]
    fn earlier_deadline_stops_a_run(#[case] timeout: Option<Duration>, #[case] stop: StopReason) {
        let (mut talk, _pipes) = talk();
        let start = Instant::now();
        (talk.timeout, talk.drain_limit) = (timeout, Some(2 * SHORT));
        assert_eq!(talk.begin(start), None);
        talk.note_exit(start);
        let rest = talk.next_deadline().rest(start).expect("there is a deadline");
        assert_eq!(talk.stop_reason(start + rest), Some(stop));
    }

    #[test]
    fn output_left_by_the_child_is_read_despite_the_drain_limit() {
        let (mut talk, _pipes) = talk();
        let start = Instant::now();
        talk.drain_limit = Some(Duration::ZERO);
        assert_eq!(talk.begin(start), None);
        talk.note_exit(start);
        talk.outputs[0].owe(Ok(5)).unwrap();
        talk.outputs[1].owe(Ok(2)).unwrap();
        say(&mut talk, 0, b"abcdef");
        assert_eq!(talk.stop_reason(start), None, "standard error has two bytes");
        assert_eq!(talk.heard(1, Ok(0)).unwrap(), None);
        assert_eq!(talk.stop_reason(start), Some(StopReason::DrainLimit));
    }

    #[test]
    fn end_of_an_output_makes_the_rest_a_line() {
        let told = RefCell::new(Vec::new());
        let (mut talk, _pipes) = talk();
        talk.outputs[0].tell(Box::new(|line| {
            told.borrow_mut().push(line.to_vec());
            line == b"b"
        }));
        assert_eq!(talk.begin(Instant::now()), None);
        assert_eq!(say(&mut talk, 0, b"a\nb"), None);
        assert_eq!(told.take(), [b"a"]);
        assert_eq!(talk.heard(0, Ok(0)).unwrap(), Some(StopReason::Line));
        assert_eq!((told.take(), talk.outputs[0].read.len()), (vec![b"b".to_vec()], 0));
    }

    #[test]
    fn lines_after_the_awaited_one_are_for_the_next_run() {
        let told = RefCell::new(Vec::new());
        let (mut talk, pipes) = talk();
        talk.outputs[1].tell(Box::new(|line| {
            told.borrow_mut().push(line.to_vec());
            line == b"ready"
        }));
        talk.outputs[1].collects_lines = true;
        assert_eq!(talk.begin(Instant::now()), None);
        assert_eq!(say(&mut talk, 1, b"ready\nb\nready\nc"), Some(StopReason::Line));
        assert_eq!(talk.begin(Instant::now()), Some(StopReason::Line));
        assert_eq!(told.take(), [b"ready".as_slice(), b"b", b"ready"]);
        assert_eq!(talk.begin(Instant::now()), None);
        assert_eq!((told.take().len(), are_open(&pipes)), (0, [false, true, true]));
        assert_eq!(talk.outputs[1].read, b"ready\nb\nready\nc");
    }

    /// Both get their partial line, whichever asked to stop.
    #[rstest]
    #[case::neither([false, false], StopReason::DrainLimit)]
    #[case::standard_output([true, false], StopReason::Line)]
    #[case::standard_error([false, true], StopReason::Line)]
    fn drain_limit_makes_both_rests_a_line(#[case] awaited: [bool; 2], #[case] stop: StopReason) {
        let told = RefCell::new(Vec::new());
        let (mut talk, _pipes) = talk();
        let start = Instant::now();
        talk.drain_limit = Some(Duration::ZERO);
        for (output, stops) in talk.outputs.iter_mut().zip(awaited) {
            let told = &told;
            output.tell(Box::new(move |line| {
                told.borrow_mut().push(line.to_vec());
                stops
            }));
        }
        assert_eq!(talk.begin(start), None);
        say(&mut talk, 0, b"out");
        say(&mut talk, 1, b"err");
        talk.note_exit(start);
        assert_eq!(talk.stop_reason(start), Some(stop));
        assert_eq!(told.take(), [b"out", b"err"]);
    }
}
