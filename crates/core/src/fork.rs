//! The launcher that every Unix has: fork(2).
//!
//! The child reports through memory that it shares with its parent, which no descriptor operation of the plan or of a
//! pre-exec closure can affect. A close-on-exec pipe tells the parent when to read the report. The child writes one byte right
//! before exec, and the kernel closes the pipe at exec or at the death of the child. The byte, the end of the pipe and an empty
//! report mean success. The end without the byte means that the child died before exec.
//!
//! A child that another thread forked meanwhile has a copy of the pipe until its own exec, which may take long. So if the pipe
//! is silent for a moment, the parent checks whether the child has ended or executed a program.
//!
//! The writing end of the pipe gets a number that no target of the plan has.

use crate::borrowing_child::EXIT_OF_A_FAILED_CHILD;
use crate::{
    Backend, ChildContext, Closed, Errno, Fd, FileId, HighFds, LaunchError, Launched, Launcher, ParentSys,
    Pid, Plan, Report, Reporter, SharedMemory, SharedReport, SignalSet, SpawnMethod, Stage, Sys, Timeline,
    child_exec,
};
use core::ffi::c_int;

/// Starts children by fork(2).
#[derive(Clone, Copy, Debug)]
pub struct ForkLauncher<'b, B: ?Sized> {
    backend: &'b B,
}

impl<'b, B: Backend<Sys: ParentSys> + ?Sized> ForkLauncher<'b, B> {
    /// Creates a launcher over this backend.
    pub const fn new(backend: &'b B) -> Self {
        Self { backend }
    }
}

// SAFETY: `Ok` follows from the byte of a child that reached exec, and from its process ID, which no code has reaped.
// `reap_failed` reaps a child without the byte. `Channel` closes both its ends, and `fork` restores the mask.
unsafe impl<B: Backend<Sys: ParentSys + Sync> + ?Sized> Launcher for ForkLauncher<'_, B> {
    fn method(&self) -> SpawnMethod {
        SpawnMethod::Fork
    }

    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        self.backend.before_launch();
        let start = |parent, child: &dyn Fn(ChildContext) -> c_int| {
            // SAFETY: the child runs `ForkedChild::run` only, which does not return. It meets the requirements of `Sys`: its
            // object code calls only listed functions, and neither allocates nor locks.
            unsafe { fork(self.backend.sys(), |mask| child(ChildContext::forked(parent, mask))) }
        };
        self.launch_by(plan, || false, start)
    }
}

impl<B: Backend<Sys: ParentSys + Sync> + ?Sized> ForkLauncher<'_, B> {
    /// Forks a child that reports to `reporter` only. The caller reaps it, whether it fails or not.
    ///
    /// # Errors
    ///
    /// Returns [`LaunchError::Parent`] if there is no child.
    pub fn spawn_unreaped<R: Reporter + ?Sized>(
        &self,
        plan: &Plan<'_>,
        reporter: &R,
    ) -> Result<Pid, LaunchError> {
        self.backend.before_launch();
        let sys = self.backend.sys();
        let _uncancelled = Uncancelled::new(sys);
        let parent = sys.getpid();
        let child = |mask| run_forked(self.backend, plan, &ChildContext::forked(parent, mask), reporter);
        // SAFETY: as in `launch`, with `run_forked`.
        unsafe { fork(sys, child) }
    }

    /// Starts a child by `start`, and waits until it has executed a program or ended.
    ///
    /// `start` gets the process ID of the parent and the code of the child. It calls the code in the child only, and returns the
    /// child's process ID. After that, `was_suspended` tells whether it returned only when the child had executed a program or ended.
    pub(crate) fn launch_by(
        &self,
        plan: &Plan<'_>,
        was_suspended: impl Fn() -> bool,
        start: impl FnOnce(Pid, &dyn Fn(ChildContext) -> c_int) -> Result<Pid, LaunchError>,
    ) -> Result<Launched, LaunchError> {
        let sys = self.backend.sys();
        let _uncancelled = Uncancelled::new(sys);
        let memory = SharedMemory::<_, SharedReport>::new(sys).map_err(at(Stage::Setup))?;
        let shared = &*memory;
        let mut channel = Channel::open(sys, plan).map_err(at(Stage::Setup))?;
        let started = plan.timed.then(|| sys.now());

        let parent = sys.getpid();
        let Channel { writer, id, .. } = channel;
        let pid = start(parent, &|context| {
            ForkedChild { backend: self.backend, plan, context, shared, writer, id }.run()
        })?;
        channel.close_writer();
        let is_over = |end| {
            let execs = end == End::Marked && self.backend.has_execed(pid, parent) == Some(true);
            execs || sys.has_ended(pid)
        };
        let end = channel.wait(was_suspended(), is_over);

        // A pre-exec closure may write to the pipe, but not to the shared report.
        let marked = end == End::Marked && shared.entered() == Stage::Exec && shared.failure().is_none();
        if !marked || self.died_in_exec(pid, parent) {
            return Err(reap_failed(sys, pid, shared, end));
        }
        let closed = shared.how_closed();
        self.backend.learn(&closed);
        let timeline = started.map(|started| Timeline::of(shared).with(Stage::Start, started));
        Ok(Launched {
            pid,
            pidfd: None,
            autoreap: None,
            method: SpawnMethod::Fork,
            closed,
            high_fds: HighFds::Copied,
            timeline,
        })
    }

    /// Returns whether a child that closed its pipe in execve(2) has died there.
    ///
    /// exec may close descriptors before it shows that a program runs, as Linux 7.2.12 does. So only a child that has ended tells.
    fn died_in_exec(&self, pid: Pid, parent: Pid) -> bool {
        let has_not_execed = || self.backend.has_execed(pid, parent) == Some(false);
        let sys = self.backend.sys();
        while has_not_execed() {
            if sys.has_ended(pid) {
                return has_not_execed();
            }
            sys.pause(1);
        }
        false
    }
}

/// A thread that is not cancelled while it starts a child. It would leave a stack, a mask and a child behind, and a child that
/// shares its memory would run its cleanup. Launchers hold one.
#[derive(Debug)]
#[must_use]
pub struct Uncancelled<'s, S: ParentSys> {
    sys: &'s S,
    before: c_int,
}

impl<'s, S: ParentSys> Uncancelled<'s, S> {
    /// Disables the cancellation of this thread, until the value is dropped.
    pub fn new(sys: &'s S) -> Self {
        Self { sys, before: sys.disable_cancellation() }
    }
}

impl<S: ParentSys> Drop for Uncancelled<'_, S> {
    fn drop(&mut self) {
        self.sys.restore_cancellation(self.before);
    }
}

/// Forks a child that runs `child` and exits with its result.
///
/// Blocks all signals before, so that no handler of the parent runs in the child. `child` gets the previous mask.
///
/// # Errors
///
/// Returns [`LaunchError::Parent`] if there is no child.
///
/// # Safety
///
/// `child` meets the requirements of [`Sys`].
pub unsafe fn fork<S: ParentSys>(
    sys: &S,
    child: impl FnOnce(SignalSet) -> c_int,
) -> Result<Pid, LaunchError> {
    let mask = sys.block_signals().map_err(at(Stage::Setup))?;
    // SAFETY: all signals are blocked. The child runs `child`, which meets the requirements by the caller's promise, and exits.
    let forked = match unsafe { sys.fork() } {
        Ok(None) => sys.exit(child(mask)),
        Ok(Some(pid)) => Ok(pid),
        Err(errno) => Err(at(Stage::Start)(errno)),
    };
    // This cannot fail: the mask was in effect before, so the set is valid.
    let _ = sys.set_mask(mask);
    forked
}

/// A child that reports through a pipe, with all that it needs before exec: a child of fork(2), or one that may have a copy of
/// the memory.
///
/// It is public so that `ci/child-symbols` can check the object code that is reachable from [`run`](Self::run).
pub struct ForkedChild<'a, B: ?Sized> {
    /// The system.
    pub backend: &'a B,
    /// The plan.
    pub plan: &'a Plan<'a>,
    /// The circumstances in which it was started.
    pub context: ChildContext,
    /// The report, in memory shared with the parent.
    pub shared: &'a SharedReport,
    /// The writing end of the pipe.
    pub writer: Fd,
    /// The file that `writer` refers to.
    pub id: FileId,
}

impl<B: Backend<Sys: ParentSys> + ?Sized> ForkedChild<'_, B> {
    /// Executes the plan. Never returns.
    pub fn run(&self) -> ! {
        let marks = if self.plan.is_filtered() { Stage::Seccomp } else { Stage::Exec };
        let (sys, shared) = (self.backend.sys(), self.shared);
        let reporter = PipeReporter { sys, shared, writer: self.writer, id: self.id, marks };
        run_forked(self.backend, self.plan, &self.context, &reporter)
    }
}

/// Executes the plan in a forked child, with any reporter. Never returns.
pub fn run_forked<B, R>(backend: &B, plan: &Plan<'_>, context: &ChildContext, reporter: &R) -> !
where
    B: Backend<Sys: ParentSys> + ?Sized,
    R: Reporter + ?Sized,
{
    if let Err(report) = child_exec(backend, plan, context, reporter) {
        reporter.fail(report);
    }
    backend.sys().exit(EXIT_OF_A_FAILED_CHILD)
}

fn at(stage: Stage) -> impl Fn(Errno) -> LaunchError {
    move |errno| LaunchError::Parent { stage, errno }
}

struct PipeReporter<'a, S> {
    sys: &'a S,
    shared: &'a SharedReport,
    writer: Fd,
    id: FileId,
    /// The stage that begins with the mark: the first one after which the plan may forbid write(2).
    marks: Stage,
}

// SAFETY: each method stores to the shared report or calls `S`, which meets the requirements of `Sys`.
unsafe impl<S: ParentSys> Reporter for PipeReporter<'_, S> {
    fn enter(&self, stage: Stage, at: Option<u64>) -> Result<(), Errno> {
        self.shared.enter(stage, at);
        if stage == self.marks { write_mark(self.sys, self.writer) } else { Ok(()) }
    }

    fn closed(&self, closed: Closed) {
        self.shared.closed(closed);
    }

    fn intact(&self) -> Result<(), Errno> {
        let id = self.sys.file_id(self.writer)?;
        let cloexec = self.sys.is_cloexec(self.writer)?;
        if id == self.id && cloexec { Ok(()) } else { Err(Errno::BADF) }
    }

    fn fail(&self, report: Report) {
        self.shared.fail(report);
    }

    fn channel(&self) -> Option<Fd> {
        Some(self.writer)
    }
}

fn write_mark<S: ParentSys>(sys: &S, writer: Fd) -> Result<(), Errno> {
    loop {
        match sys.write(writer, &[1]) {
            Ok(1) => return Ok(()),
            Ok(_) => return Err(Errno::IO),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The pipe that ends when the child executes a program or dies.
struct Channel<'s, S: ParentSys> {
    sys: &'s S,
    reader: Fd,
    writer: Fd,
    id: FileId,
}

impl<'s, S: ParentSys> Channel<'s, S> {
    fn open(sys: &'s S, plan: &Plan<'_>) -> Result<Self, Errno> {
        let (reader, writer) = sys.pipe()?;
        let mut channel = Channel { sys, reader, writer, id: FileId { device: 0, inode: 0 } };
        channel.move_off_the_targets(plan)?;
        channel.id = sys.file_id(channel.writer)?;
        Ok(channel)
    }

    /// Moves the writing end to a number that the plan does not use. If the next free number is a target of the plan, too, it
    /// requests a higher one. At the descriptor limit that fails with `EINVAL`, which means that no number is free.
    fn move_off_the_targets(&mut self, plan: &Plan<'_>) -> Result<(), Errno> {
        while plan.claims(self.writer) {
            let above = self.writer.saturating_add(1);
            let moved = match self.sys.dup_min(self.writer, above) {
                Err(Errno::INVAL) => return Err(Errno::MFILE),
                moved => moved?,
            };
            self.close_writer();
            self.writer = moved;
        }
        Ok(())
    }

    fn close_writer(&mut self) {
        let writer = core::mem::replace(&mut self.writer, CLOSED);
        if writer != CLOSED {
            let _ = self.sys.close(writer);
        }
    }

    /// Waits for the end of the pipe, or until the child can write nothing more, even if another process has the pipe open.
    ///
    /// Reads all that the child wrote in any case. If poll(2) is refused, waits for the end of the pipe. `over` means that the child
    /// has already written all.
    fn wait(&self, mut over: bool, is_over: impl Fn(End) -> bool) -> End {
        let mut end = End::Unmarked;
        let mut byte = [0];
        loop {
            match self.sys.readable(self.reader, if over { 0 } else { POLL_TIMEOUT_MS }) {
                Ok(false) if over => return end,
                Ok(false) => {
                    over = is_over(end);
                    continue;
                }
                Err(Errno::INTR) => continue,
                Ok(true) | Err(_) => {}
            }
            match self.sys.read(self.reader, &mut byte) {
                Ok(0) => return end,
                Ok(_) => end = End::Marked,
                Err(Errno::INTR) => {}
                Err(_) => return End::Unreadable,
            }
        }
    }
}

/// The number of milliseconds without data on the pipe after which the parent checks on the child.
const POLL_TIMEOUT_MS: u8 = 10;

/// The end of the pipe.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The child wrote the byte before exec.
    Marked,
    /// The child is dead, or a pre-exec closure closed the pipe.
    Unmarked,
    /// The parent cannot read the pipe. The child may run its program.
    Unreadable,
}

const CLOSED: Fd = -1;

impl<S: ParentSys> Drop for Channel<'_, S> {
    fn drop(&mut self) {
        self.close_writer();
        let _ = self.sys.close(self.reader);
    }
}

/// Reaps a child that did not reach exec, and returns the reason. If the child still runs, a pre-exec closure has closed its
/// pipe; the child reports that after the closure returns. The child is killed only if the pipe is unreadable.
fn reap_failed<S: ParentSys>(sys: &S, pid: Pid, shared: &SharedReport, end: End) -> LaunchError {
    if end == End::Unreadable {
        let _ = sys.kill(pid, libc::SIGKILL);
    }
    let status = sys.reap(pid);
    match shared.failure() {
        Some(report) => LaunchError::Child(report),
        None => LaunchError::Died { stage: shared.entered(), status },
    }
}
