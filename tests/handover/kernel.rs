//! A kernel with one parent and one child, whose steps interleave in every order.
//!
//! The child's code is real. It runs once, alone, and the steps that its parent could observe are recorded ([`Script`]).
//! The parent's code is real, too, and runs once for each interleaving. It observes the child in the results of the calls
//! below and in the memory of the report, so the kernel chooses the child's progress after each such result.

mod autoreap;
mod calls;

use std::ffi::c_int;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use forkexec_core::{Autoreap, Errno, Fd, Pid, Stage};

pub(crate) use autoreap::Autoreaps;

use super::choices::Choices;
use super::script::{Event, Script, Step};

pub(crate) const PARENT: Pid = 100;
pub(crate) const CHILD: Pid = 101;
const READER: Fd = 10;
pub(crate) const WRITER: Fd = 11;
const PIDFD: Fd = 12;

/// The means by which the kernel shows that a child has executed a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// setpgid(2) does.
    ByGroup,
    /// The child is in a new session, so that only `/proc` shows it.
    ByProc,
    /// Nothing does, as on the floor.
    Never,
}

/// A process that another thread forked during the spawn, with a copy of the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sibling {
    Absent,
    /// It closes it at some time.
    Passing,
    /// It never does.
    Hanging,
}

/// Other conditions of a run.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is so or not, whatever the others are")]
pub(crate) struct World {
    pub(crate) tells: Tells,
    pub(crate) sibling: Sibling,
    /// Another thread waits for any child, and takes the status as soon as there is one.
    pub(crate) thief: bool,
    /// A signal interrupts the first poll(2), read(2) and waitpid(2).
    pub(crate) interrupted: bool,
    /// poll(2) is refused.
    pub(crate) no_poll: bool,
    /// read(2) never gives anything.
    pub(crate) unreadable: bool,
    /// An emulator copies the memory that a child is to share, and whether it announces the child's end by `SIGCHLD` all the same.
    pub(crate) copies: Option<bool>,
    /// The flags of Linux 7.1, if the kernel has them.
    pub(crate) autoreap: Option<Autoreaps>,
}

/// The kernel.
pub(crate) struct Kernel(Mutex<State>);

#[expect(clippy::struct_excessive_bools, reason = "as above")]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) choices: Choices,
    /// The steps of the child, and how many are done.
    pub(crate) script: Script,
    pub(crate) done: usize,
    /// The child's own code runs.
    child_runs: bool,
    /// The parent polls, so often that the child makes one step at most between two calls.
    polls: bool,
    /// The last contents of the report, if stores are recorded.
    recording: Option<Vec<u32>>,
    pub(crate) recorded: Script,
    /// The errno of execve(2), and of the other calls that fail.
    pub(crate) fails: Vec<(&'static str, Errno)>,
    /// At which of its calls a child that shares memory is killed, and how many it made.
    pub(crate) killed_at: Option<usize>,
    pub(crate) calls: Vec<&'static str>,
    memory: Option<Memory>,
    executed: bool,
    bytes: usize,
    /// True for each holder of the writing end: parent, child, sibling.
    writers: [bool; 3],
    reader: bool,
    replaced: bool,
    pidfd: bool,
    blocked: bool,
    ended: Option<c_int>,
    pub(crate) reaped: bool,
    interrupted: Vec<&'static str>,
    idle: usize,
    /// The kernel reaps the child.
    autoreaped: Option<Autoreap>,
    /// The kernel has released the child, and its pidfd has the status.
    released: bool,
    /// The calls of the parent that name the child by its number, which may already be that of another process.
    pub(crate) by_number: Vec<&'static str>,
    /// Its calls on a pidfd.
    pub(crate) by_pidfd: Vec<&'static str>,
    /// The calls of clone3(2) with unknown flags.
    pub(crate) refused_starts: usize,
}

const INTERRUPTIBLE: [&str; 3] = ["readable", "read", "wait"];

/// The index of the word that holds the last entered stage.
const ENTERED: usize = 4;

const PARENTS: usize = 0;
const CHILDS: usize = 1;
const SIBLINGS: usize = 2;

/// The slot's, and how many words it has.
#[derive(Clone, Copy)]
struct Memory(NonNull<u8>, usize);

// SAFETY: all access to it is atomic, and to the value itself under the lock of the kernel.
unsafe impl Send for Memory {}

/// Unwinds the child's code when the child ends or executes a program.
struct Gone;

impl Kernel {
    pub(crate) fn new(world: World) -> Self {
        Self(Mutex::new(State {
            world,
            choices: Choices::default(),
            script: Vec::new(),
            done: 0,
            child_runs: false,
            polls: false,
            recording: None,
            recorded: Vec::new(),
            fails: Vec::new(),
            killed_at: None,
            calls: Vec::new(),
            memory: None,
            executed: false,
            bytes: 0,
            writers: [false; 3],
            reader: false,
            replaced: false,
            pidfd: false,
            blocked: false,
            ended: None,
            reaped: false,
            interrupted: Vec::new(),
            idle: 0,
            autoreaped: None,
            released: false,
            by_number: Vec::new(),
            by_pidfd: Vec::new(),
            refused_starts: 0,
        }))
    }

    /// Lets the next fork be seen from the child, which is written down.
    pub(crate) fn record(&self) {
        self.state().recording = Some(Vec::new());
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call of the child's: it may fail, or be the one at which the child is killed.
    fn childs(&self, name: &'static str) -> Result<(), Errno> {
        let mut state = self.state();
        state.note_stores();
        state.calls.push(name);
        if state.killed_at == Some(state.calls.len() - 1) {
            state.apply(Event::Close);
            state.apply(Event::End(libc::SIGKILL));
            leave(state);
        }
        state.fails.iter().find(|(fails, _)| *fails == name).map_or(Ok(()), |(_, errno)| Err(*errno))
    }

    /// A call of the parent whose result can depend on the child. The child then makes the chosen steps.
    fn parents<T>(
        &self,
        name: &'static str,
        answer: impl FnOnce(&mut State) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut state = self.state();
        if state.world.interrupted && INTERRUPTIBLE.contains(&name) && !state.interrupted.contains(&name) {
            state.interrupted.push(name);
            return Err(Errno::INTR);
        }
        let answer = answer(&mut state);
        state.let_the_child_go_on();
        answer
    }
}

/// The child's code is over.
fn leave(mut state: MutexGuard<'_, State>) -> ! {
    state.child_runs = false;
    drop(state);
    resume_unwind(Box::new(Gone))
}

impl State {
    /// Resets the kernel for the next interleaving.
    pub(crate) fn reset(&mut self, script: &Script) {
        self.script.clone_from(script);
        self.done = 0;
        self.recorded.clear();
        self.calls.clear();
        self.interrupted.clear();
        (self.bytes, self.writers, self.reader, self.replaced) = (0, [false; 3], false, false);
        (self.ended, self.reaped, self.executed, self.idle) = (None, false, false, 0);
        (self.autoreaped, self.released) = (None, false);
        self.by_number.clear();
        self.by_pidfd.clear();
        self.refused_starts = 0;
    }

    /// Returns the parent's resources that are left over.
    pub(crate) fn leftovers(&self) -> Vec<&'static str> {
        let all = [
            (self.memory.is_some(), "memory"),
            (self.reader, "the reading end"),
            (self.writers[PARENTS], "the writing end"),
            (self.pidfd, "the pidfd"),
            (self.blocked, "the mask"),
        ];
        all.into_iter().filter(|(left, _)| *left).map(|(_, what)| what).collect()
    }

    /// The stage that the child has entered.
    pub(crate) fn stage(&self) -> Stage {
        self.done.checked_sub(1).map_or(Stage::Start, |last| self.script[last].stage)
    }

    pub(crate) fn has(&self, event: Event) -> bool {
        self.executed && event == Event::Exec
            || self.script[..self.done].iter().any(|step| step.event == event)
    }

    fn words(&self) -> &[AtomicU32] {
        let Some(Memory(memory, length)) = self.memory else { return &[] };
        // SAFETY: `map_shared` made so many zeroed words, which live until `unmap`; all access to them is atomic.
        unsafe { slice::from_raw_parts(memory.cast().as_ptr(), length) }
    }

    /// Records which words of the report have changed. The first word says that the report is complete, and is written
    /// last.
    fn note_stores(&mut self) {
        let Some(before) = self.recording.take() else { return };
        let now: Vec<u32> = self.words().iter().map(|word| word.load(Ordering::Relaxed)).collect();
        for word in (0..now.len()).rev().filter(|&word| before.get(word).copied().unwrap_or(0) != now[word]) {
            self.push(Event::Store(word, now[word]));
        }
        self.recording = Some(now);
    }

    fn push(&mut self, event: Event) {
        let before = self.recorded.last().map_or(Stage::Start, |step| step.stage);
        let entered = if let Event::Store(ENTERED, stage) = event { u8::try_from(stage).ok() } else { None };
        let stage = entered.and_then(Stage::from_u8).unwrap_or(before);
        self.recorded.push(Step { event, stage });
    }

    /// Records a step, or makes it if the child runs while its parent is suspended.
    fn note(&mut self, event: Event) {
        self.note_stores();
        self.push(event);
        if self.recording.is_none() {
            self.apply(event);
        }
    }

    /// Returns how many steps the child has left. Its stores between two calls are one step, as long as they complete
    /// no report: the parent reads the report only after it was notified.
    fn remaining(&self) -> usize {
        let rest = &self.script[self.done..];
        rest.len() - rest.windows(2).filter(|two| two.iter().all(|step| step.event.is_silent())).count()
    }

    /// The child, and any process forked during the spawn, have copies of the descriptors.
    fn copy_the_writing_end(&mut self) {
        self.writers[CHILDS] = true;
        self.writers[SIBLINGS] = self.world.sibling != Sibling::Absent;
    }

    /// The child makes its next step.
    fn step(&mut self) {
        loop {
            let was_silent = self.script[self.done].event.is_silent();
            self.step_once();
            let next = self.script.get(self.done);
            if !was_silent || !next.is_some_and(|step| step.event.is_silent()) {
                return;
            }
        }
    }

    fn step_once(&mut self) {
        let Step { event, .. } = self.script[self.done];
        self.done += 1;
        self.idle = 0;
        self.apply(event);
    }

    /// The effect of a step.
    fn apply(&mut self, event: Event) {
        match event {
            Event::Store(word, value) => self.words()[word].store(value, Ordering::Relaxed),
            Event::Write => self.bytes += 1,
            Event::Close => self.writers[CHILDS] = false,
            Event::Exec => self.executed = true,
            Event::End(status) => {
                self.ended = Some(status);
                self.reaped = self.world.thief && self.autoreaped.is_none();
                self.release_at_end();
            }
        }
    }

    fn let_the_child_go_on(&mut self) {
        let most = if self.polls { 1 } else { usize::MAX };
        let steps = self.choices.choose(self.remaining().min(most) + 1);
        (0..steps).for_each(|_| self.step());
        if self.writers[SIBLINGS] && self.world.sibling == Sibling::Passing {
            self.writers[SIBLINGS] = self.choices.choose(2) == 0;
        }
    }

    /// Something has to happen, because the parent waits: a step of the child's, or the sibling's.
    fn wait_for_something(&mut self) {
        if self.remaining() > 0 {
            return self.step();
        }
        assert_eq!(self.world.sibling, Sibling::Passing, "the parent hangs: {:?}", self.calls);
        self.writers[SIBLINGS] = false;
    }

    fn is_readable(&self) -> bool {
        self.bytes > 0 || self.writers == [false; 3]
    }

    /// The parent's timeout expires: the child has made a step in that time, if it has any left.
    fn time_passes(&mut self) {
        if self.remaining() > 0 {
            return self.step();
        }
        self.idle += 1;
        if self.world.sibling == Sibling::Passing && self.idle > 2 {
            self.writers[SIBLINGS] = false;
        } else {
            assert!(self.idle < 5, "the parent asks for ever: {:?}", self.script);
        }
    }

    /// wait4(2) with `__WCLONE | WNOHANG`: exec makes the termination signal `SIGCHLD`.
    fn reap_copy(&mut self, announced: bool) -> Result<Option<c_int>, Errno> {
        if announced || self.has(Event::Exec) || self.reaped {
            return Err(Errno::CHILD);
        }
        self.reaped = self.ended.is_some();
        Ok(self.ended)
    }

    /// Returns the result of the parent's wait.
    fn reap(&mut self) -> Result<c_int, Errno> {
        while self.ended.is_none() {
            assert!(self.remaining() > 0, "the parent waits for a child that never ends");
            self.step();
        }
        if self.reaped {
            return Err(Errno::CHILD);
        }
        self.reaped = true;
        self.ended.ok_or(Errno::CHILD)
    }
}
