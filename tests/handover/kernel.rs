//! A kernel with one parent and one child, of which the one makes its steps between those of the other in every way.
//!
//! The child's code is the real one: it runs once, alone, and what its parent could see of it is written down
//! ([`Script`]). The parent's code is the real one, too, and runs once for each interleaving. It sees the child in the answers of
//! the calls below and in the memory of the slot, so after each such answer it is chosen how far the child goes on.

use std::ffi::{CStr, c_int};
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use forkexec_core::{
    CStrArray, Disposition, Errno, Fd, FileId, Limit, ParentSys, Pid, Signal, SignalSet, Stage, Sys,
};
use forkexec_linux::{CloneSys, LinuxSys, Start, Started, Top};

use super::choices::Choices;
use super::script::{Event, Script, Step};

pub(crate) const PARENT: Pid = 100;
pub(crate) const CHILD: Pid = 101;
const READER: Fd = 10;
pub(crate) const WRITER: Fd = 11;
const PIDFD: Fd = 12;

/// How the kernel tells whether a child has executed a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// setpgid(2) does.
    ByGroup,
    /// The child is in a session of its own, so that only `/proc` does.
    ByProc,
    /// Nothing does, as on the floor.
    Never,
}

/// A stranger that was forked meanwhile, and has a copy of the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sibling {
    Absent,
    /// It closes it at some time.
    Passing,
    /// It never does.
    Hanging,
}

/// What else is so.
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
}

/// The kernel.
pub(crate) struct Kernel(Mutex<State>);

#[expect(clippy::struct_excessive_bools, reason = "as above")]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) choices: Choices,
    /// What the child does, and how much of it is done.
    pub(crate) script: Script,
    pub(crate) done: usize,
    /// The child's own code runs.
    child_runs: bool,
    /// It is written down: what the slot held last.
    recording: Option<Vec<u32>>,
    pub(crate) recorded: Script,
    /// What execve(2) answers, and the other calls that fail.
    pub(crate) fails: Vec<(&'static str, Errno)>,
    /// At which of its calls a child that shares memory is killed, and how many it made.
    pub(crate) killed_at: Option<usize>,
    pub(crate) calls: Vec<&'static str>,
    memory: Option<Memory>,
    executed: bool,
    bytes: usize,
    /// Who has the writing end: parent, child, sibling.
    writers: [bool; 3],
    reader: bool,
    replaced: bool,
    pidfd: bool,
    blocked: bool,
    ended: Option<c_int>,
    pub(crate) reaped: bool,
    interrupted: Vec<&'static str>,
    idle: usize,
}

const INTERRUPTIBLE: [&str; 3] = ["readable", "read", "wait"];

/// Which word of the slot holds the stage that was entered last.
const ENTERED: usize = 4;

const PARENTS: usize = 0;
const CHILDS: usize = 1;
const SIBLINGS: usize = 2;

/// The slot's, and how many words it has.
#[derive(Clone, Copy)]
struct Memory(NonNull<u8>, usize);

// SAFETY: all access to it is atomic, and to the value itself under the lock of the kernel.
unsafe impl Send for Memory {}

/// What a child's code is left by that ends or executes a program.
struct Gone;

impl Kernel {
    pub(crate) fn new(world: World) -> Self {
        Self(Mutex::new(State {
            world,
            choices: Choices::default(),
            script: Vec::new(),
            done: 0,
            child_runs: false,
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
            state.ended = Some(libc::SIGKILL);
            leave(state);
        }
        state.fails.iter().find(|(fails, _)| *fails == name).map_or(Ok(()), |(_, errno)| Err(*errno))
    }

    /// A call of the parent's in whose answer it may see the child: after it the child goes on, as is chosen.
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
    /// Makes the kernel as it was before a start, for the next interleaving.
    pub(crate) fn reset(&mut self, script: &Script) {
        self.script.clone_from(script);
        self.done = 0;
        self.calls.clear();
        self.interrupted.clear();
        (self.bytes, self.writers, self.reader, self.replaced) = (0, [false; 3], false, false);
        (self.ended, self.reaped, self.executed, self.idle) = (None, false, false, 0);
    }

    /// What of the parent's is left over.
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

    /// Writes down which words of the slot have changed: the one that says that a report is there is the first word, and
    /// written last.
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

    fn note(&mut self, event: Event) {
        self.note_stores();
        self.push(event);
    }

    /// How many steps the child has still to make. What it stores between two calls is one step, as long as it says nothing of a
    /// report: the parent looks at the slot only where it has heard something.
    fn remaining(&self) -> usize {
        let rest = &self.script[self.done..];
        rest.len() - rest.windows(2).filter(|two| two.iter().all(|step| step.event.is_silent())).count()
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
        match event {
            Event::Store(word, value) => self.words()[word].store(value, Ordering::Relaxed),
            Event::Write => self.bytes += 1,
            Event::Close => self.writers[CHILDS] = false,
            Event::Exec => {}
            Event::End(status) => {
                self.ended = Some(status);
                self.reaped = self.world.thief;
            }
        }
    }

    fn let_the_child_go_on(&mut self) {
        let steps = self.remaining();
        let steps = self.choices.choose(steps + 1);
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

    /// The parent's patience is over: the child has made a step meanwhile, if it has any to make.
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

    /// What the parent gets by waiting.
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

/// Calls that change nothing that matters here.
macro_rules! nothing {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {$(
        fn $name(&self $(, $arg: $type)*) -> Result<(), Errno> {
            $(let _ = $arg;)*
            self.childs(stringify!($name))
        }
    )*};
}

impl Sys for Kernel {
    type Executed = ();

    nothing! {
        set_cloexec(fd: Fd, cloexec: bool);
        set_limit(limit: Limit);
        chroot(path: &CStr);
        chdir(path: &CStr);
        fchdir(directory: Fd);
        set_disposition(signal: Signal, ignored: bool);
        start_session();
        set_process_group(group: Pid);
        take_terminal(terminal: Fd);
        come_to_foreground(terminal: Fd);
        set_nice(nice: i32);
        set_groups(groups: &[u32]);
        set_gid(gid: u32);
        set_uid(uid: u32);
    }

    fn close(&self, fd: Fd) -> Result<(), Errno> {
        let mut state = self.state();
        match fd {
            WRITER if state.child_runs => state.note(Event::Close),
            WRITER => state.writers[PARENTS] = false,
            READER => state.reader = false,
            PIDFD => state.pidfd = false,
            _ => return Err(Errno::BADF),
        }
        Ok(())
    }

    fn dup_onto(&self, _from: Fd, to: Fd) -> Result<(), Errno> {
        self.childs("dup_onto")?;
        if to == WRITER {
            let mut state = self.state();
            state.note(Event::Close);
            state.replaced = true;
        }
        Ok(())
    }

    fn dup_from(&self, _fd: Fd, _lowest: Fd) -> Result<Fd, Errno> {
        Err(Errno::MFILE)
    }

    fn is_cloexec(&self, _fd: Fd) -> Result<bool, Errno> {
        Ok(true)
    }

    fn write(&self, _fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
        self.childs("write")?;
        let mut state = self.state();
        if state.recorded.iter().any(|step| step.event == Event::Close) {
            return Err(Errno::BADF);
        }
        state.note(Event::Write);
        Ok(bytes.len())
    }

    fn file_id(&self, _fd: Fd) -> Result<FileId, Errno> {
        let state = self.state();
        if state.recorded.iter().any(|step| step.event == Event::Close) && !state.replaced {
            return Err(Errno::BADF);
        }
        Ok(FileId { device: 1, inode: if state.replaced { 2 } else { 1 } })
    }

    fn open_directory(&self, _path: &CStr) -> Result<Fd, Errno> {
        Err(Errno::NOENT)
    }

    fn descriptor_limit(&self) -> Result<u64, Errno> {
        Ok(64)
    }

    fn open_max(&self) -> Option<u64> {
        None
    }

    fn set_umask(&self, _mask: u32) {}

    fn disposition(&self, _signal: Signal) -> Result<Disposition, Errno> {
        Ok(Disposition::Default)
    }

    /// Of the parent's side, too: it sets back what it was.
    fn set_mask(&self, _mask: SignalSet) -> Result<(), Errno> {
        let mut state = self.state();
        if state.child_runs {
            drop(state);
            return self.childs("set_mask");
        }
        state.blocked = false;
        Ok(())
    }

    fn highest_signal(&self) -> Signal {
        3
    }

    fn process(&self) -> Pid {
        PARENT
    }

    fn parent(&self) -> Pid {
        PARENT
    }

    fn execve(&self, _: &CStr, _: CStrArray<'_>, _: Option<CStrArray<'_>>) -> Result<(), Errno> {
        self.childs("execve")?;
        let mut state = self.state();
        state.note(Event::Exec);
        state.note(Event::Close);
        state.executed = true;
        leave(state)
    }

    fn now(&self) -> u64 {
        1
    }

    fn pause(&self, _milliseconds: u8) {}
}

impl LinuxSys for Kernel {
    nothing! {
        close_range(first: u32, last: u32);
        close_range_unshare(first: u32, last: u32);
        unshare_files();
        set_parent_death_signal(signal: Signal);
        set_no_new_privs();
    }

    fn getdents64(&self, _directory: Fd, _records: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    fn is_on_procfs(&self, _fd: Fd) -> Result<bool, Errno> {
        Ok(false)
    }

    fn read_file(&self, _path: &CStr, bytes: &mut [u8]) -> Result<usize, Errno> {
        self.parents("read_file", |state| {
            if state.world.tells == Tells::Never || state.reaped {
                return Err(Errno::NOENT);
            }
            let flags = if state.has(Event::Exec) { 0 } else { 0x40 };
            let stat = format!("{CHILD} (a) S {PARENT} 1 1 0 -1 {flags} 0");
            bytes[..stat.len()].copy_from_slice(stat.as_bytes());
            Ok(stat.len())
        })
    }

    fn join_no_group(&self, _child: Pid) -> Result<(), Errno> {
        self.parents("join_no_group", |state| match state.world.tells {
            _ if state.reaped => Err(Errno::SRCH),
            Tells::ByGroup if state.has(Event::Exec) => Err(Errno::ACCES),
            _ => Err(Errno::PERM),
        })
    }
}

impl ParentSys for Kernel {
    unsafe fn fork(&self) -> Result<Option<Pid>, Errno> {
        let mut state = self.state();
        if state.recording.is_some() {
            state.child_runs = true;
            return Ok(None);
        }
        state.writers[CHILDS] = true;
        state.writers[SIBLINGS] = state.world.sibling != Sibling::Absent;
        state.let_the_child_go_on();
        Ok(Some(CHILD))
    }

    fn exit(&self, status: c_int) -> ! {
        let mut state = self.state();
        if !state.recorded.iter().any(|step| step.event == Event::Close) {
            state.note(Event::Close);
        }
        state.note(Event::End(status << 8));
        leave(state)
    }

    fn pipe(&self) -> Result<(Fd, Fd), Errno> {
        let mut state = self.state();
        (state.reader, state.writers[PARENTS]) = (true, true);
        Ok((READER, WRITER))
    }

    fn read(&self, _fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.parents("read", |state| {
            if state.world.unreadable {
                return Err(Errno::IO);
            }
            while !state.is_readable() {
                state.wait_for_something();
            }
            let count = state.bytes.min(buffer.len());
            state.bytes -= count;
            Ok(count)
        })
    }

    fn readable(&self, _fd: Fd, milliseconds: u8) -> Result<bool, Errno> {
        self.parents("readable", |state| {
            if state.world.no_poll {
                return Err(Errno::NOSYS);
            }
            let ready = state.is_readable();
            if !ready && milliseconds > 0 {
                state.time_passes();
            }
            Ok(ready)
        })
    }

    fn has_ended(&self, _child: Pid) -> bool {
        let mut state = self.state();
        let ended = state.ended.is_some();
        state.let_the_child_go_on();
        ended
    }

    fn wait(&self, _pid: Pid) -> Result<c_int, Errno> {
        self.parents("wait", State::reap)
    }

    fn kill(&self, _pid: Pid, signal: Signal) -> Result<(), Errno> {
        let mut state = self.state();
        if state.ended.is_none() {
            let done = state.done;
            state.script.truncate(done);
            state.writers[CHILDS] = false;
            state.ended = Some(signal);
            state.reaped = state.world.thief;
        }
        Ok(())
    }

    fn block_signals(&self) -> Result<SignalSet, Errno> {
        self.state().blocked = true;
        Ok(SignalSet::EMPTY)
    }

    fn map_shared(&self, length: usize) -> Result<NonNull<u8>, Errno> {
        let words: Box<[AtomicU32]> = (0..length.div_ceil(4)).map(|_| AtomicU32::new(0)).collect();
        let count = words.len();
        let memory = NonNull::from(Box::leak(words)).cast();
        self.state().memory = Some(Memory(memory, count));
        Ok(memory)
    }

    unsafe fn unmap(&self, memory: NonNull<u8>, length: usize) {
        self.state().memory = None;
        let words =
            std::ptr::slice_from_raw_parts_mut(memory.cast::<AtomicU32>().as_ptr(), length.div_ceil(4));
        // SAFETY: `map_shared` leaked it, with this length, and nobody refers to it any more.
        drop(unsafe { Box::from_raw(words) });
    }
}

/// A child that shares memory runs while its parent is suspended: nothing is chosen here.
impl CloneSys for Kernel {
    unsafe fn start(&self, start: Start, _top: Top, child: &dyn Fn() -> c_int) -> Result<Started, Errno> {
        let is_probe = !start.shares_table && !start.pidfd;
        {
            let mut state = self.state();
            (state.ended, state.reaped, state.executed, state.child_runs) = (None, false, false, !is_probe);
        }
        let finished = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        let mut state = self.state();
        match finished {
            Ok(_) if is_probe => state.ended = Some(0),
            Ok(status) => state.ended = Some(status << 8),
            Err(gone) if gone.is::<Gone>() => {}
            Err(panic) => resume_unwind(panic),
        }
        state.child_runs = false;
        state.pidfd = start.pidfd;
        Ok(Started { pid: CHILD, pidfd: start.pidfd.then_some(PIDFD) })
    }

    fn reap_unexecuted(&self, _child: Pid) -> Result<Option<c_int>, Errno> {
        let mut state = self.state();
        if state.world.tells == Tells::ByProc {
            return Ok(None);
        }
        let status = state.ended.ok_or(Errno::CHILD)?;
        state.reaped = true;
        Ok(Some(status))
    }

    fn open_pidfd(&self, _child: Pid) -> Result<Fd, Errno> {
        Err(Errno::NOSYS)
    }

    fn is_dumpable(&self) -> Result<bool, Errno> {
        Ok(true)
    }

    fn make_dumpable(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn give_way(&self) {}

    fn is_sanitized(&self) -> bool {
        false
    }

    /// No child runs on it.
    fn map_private(&self, length: usize) -> Result<NonNull<u8>, Errno> {
        static STACK: OnceLock<Box<[u8]>> = OnceLock::new();
        let stack = STACK.get_or_init(|| vec![0; length].into_boxed_slice());
        Ok(NonNull::from(&**stack).cast())
    }

    unsafe fn forbid(&self, _memory: NonNull<u8>, _length: usize) -> Result<(), Errno> {
        Ok(())
    }
}
