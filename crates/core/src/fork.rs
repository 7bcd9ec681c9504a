//! The launcher that every Unix has: fork(2).
//!
//! Two things lead from the child to its parent. A *slot* in memory that both share holds the report: no descriptor
//! operation of the plan or of a pre-exec closure can hit it. A close-on-exec *pipe* tells when to read it: the child
//! writes one byte right before exec, and the kernel closes the pipe at exec or at death. Success is the byte and the end
//! of the pipe, and no report. An end without the byte is a child that died before exec.
//!
//! A stranger's child that was forked meanwhile has a copy of the pipe until its own exec, and may take its time. So the
//! end is not all that is waited for: when nothing comes for a moment, the system is asked whether the child has ended, or
//! executed a program.
//!
//! The pipe's writing end is given a number that no target of the plan has.

use crate::{
    Backend, ChildContext, Closed, Errno, Fd, FileId, LaunchError, Launched, Launcher, ParentSys, Pid, Plan,
    Report, Reporter, SharedMemory, SharedReport, SignalSet, SpawnMethod, Stage, Sys, Timeline, child_exec,
};
use core::ffi::c_int;

/// Starts children by fork(2).
#[derive(Clone, Copy, Debug)]
pub struct ForkLauncher<'b, B: ?Sized> {
    backend: &'b B,
}

impl<'b, B: Backend<Sys: ParentSys> + ?Sized> ForkLauncher<'b, B> {
    /// A launcher over this backend.
    pub const fn new(backend: &'b B) -> Self {
        Self { backend }
    }
}

// SAFETY: `Ok` follows from the mark of a child that reached exec, and from its number, which nobody has waited for. A
// child without it is reaped by `bury`. `Channel` closes both its ends, and `fork` sets back the mask.
unsafe impl<B: Backend<Sys: ParentSys + Sync> + ?Sized> Launcher for ForkLauncher<'_, B> {
    fn method(&self) -> SpawnMethod {
        SpawnMethod::Fork
    }

    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        self.backend.before_launch();
        let sys = self.backend.sys();
        let memory = SharedMemory::<_, SharedReport>::new(sys).map_err(at(Stage::Setup))?;
        let slot = &*memory;
        let mut channel = Channel::open(sys, plan).map_err(at(Stage::Setup))?;
        let started = plan.timed.then(|| sys.now());

        let parent = sys.getpid();
        let pid = self.start(plan, parent, slot, &channel)?;
        channel.close_writer();
        let is_over = |end| {
            let execs = end == End::Marked && self.backend.has_execed(pid, parent) == Some(true);
            execs || sys.has_ended(pid)
        };
        let end = channel.wait(is_over);

        // A pre-exec closure may write to the pipe, but not to the slot.
        let marked = end == End::Marked && slot.entered() == Stage::Exec && slot.failure().is_none();
        if !marked || self.backend.has_execed(pid, parent) == Some(false) {
            return Err(bury(sys, pid, slot, end));
        }
        let closed = slot.how_closed();
        self.backend.learn(&closed);
        let timeline = started.map(|started| Timeline::of(slot).with(Stage::Start, started));
        Ok(Launched { pid, pidfd: None, method: SpawnMethod::Fork, closed, timeline })
    }
}

impl<B: Backend<Sys: ParentSys + Sync> + ?Sized> ForkLauncher<'_, B> {
    /// Forks a child that tells `reporter` alone how it goes. Nothing is waited for: it is the caller's, failed or not.
    ///
    /// # Errors
    ///
    /// [`LaunchError::Parent`]: there is no child.
    pub fn spawn_unreaped<R: Reporter + ?Sized>(
        &self,
        plan: &Plan<'_>,
        reporter: &R,
    ) -> Result<Pid, LaunchError> {
        self.backend.before_launch();
        self.fork(self.backend.sys().getpid(), |birth| run_forked(self.backend, plan, &birth, reporter))
    }

    /// Forks for a report through `slot` and `channel`.
    fn start(
        &self,
        plan: &Plan<'_>,
        parent: Pid,
        slot: &SharedReport,
        channel: &Channel<'_, B::Sys>,
    ) -> Result<Pid, LaunchError> {
        let Channel { writer, id, .. } = *channel;
        self.fork(parent, |birth| ForkedChild { backend: self.backend, plan, birth, slot, writer, id }.run())
    }

    /// Forks. `child` does not return.
    fn fork(&self, parent: Pid, child: impl FnOnce(ChildContext) -> c_int) -> Result<Pid, LaunchError> {
        let birth = |mask| ChildContext {
            parent,
            mask,
            shares_table: false,
            handlers_cleared: false,
            in_cgroup: false,
        };
        // SAFETY: all that the child's branch does is `run_forked`, which does not return. It keeps to the contract of `Sys`:
        // its object code calls nothing but what is listed, no allocator and no lock.
        unsafe { fork(self.backend.sys(), |mask| child(birth(mask))) }
    }
}

/// Forks a child that runs `child` and exits with its result.
///
/// All signals are blocked, so that no handler of the parent runs in the child. `child` gets the former mask.
///
/// # Errors
///
/// [`LaunchError::Parent`]: there is no child.
///
/// # Safety
///
/// `child` keeps to the contract of [`Sys`].
pub unsafe fn fork<S: ParentSys>(
    sys: &S,
    child: impl FnOnce(SignalSet) -> c_int,
) -> Result<Pid, LaunchError> {
    let mask = sys.block_signals().map_err(at(Stage::Setup))?;
    // SAFETY: all signals are blocked, the child runs `child`, whose contract the caller promises, and exits.
    let forked = match unsafe { sys.fork() } {
        Ok(None) => sys.exit(child(mask)),
        Ok(Some(pid)) => Ok(pid),
        Err(errno) => Err(at(Stage::Start)(errno)),
    };
    // Setting back a mask that was in force a moment ago cannot fail: the set is valid.
    let _ = sys.set_mask(mask);
    forked
}

/// A child that fork(2) just made: all that it needs for its life before exec.
///
/// It is public so that a machine can look at the object code that is reachable from [`run`](Self::run).
pub struct ForkedChild<'a, B: ?Sized> {
    /// The system.
    pub backend: &'a B,
    /// What to do.
    pub plan: &'a Plan<'a>,
    /// What it knows of its birth.
    pub birth: ChildContext,
    /// Memory shared with the parent.
    pub slot: &'a SharedReport,
    /// The writing end of the pipe whose end the parent waits for.
    pub writer: Fd,
    /// The file that `writer` refers to.
    pub id: FileId,
}

impl<B: Backend<Sys: ParentSys> + ?Sized> ForkedChild<'_, B> {
    /// Runs the plan. Comes back neither from exec nor from a failure.
    pub fn run(&self) -> ! {
        let reporter =
            SlotAndPipe { sys: self.backend.sys(), slot: self.slot, writer: self.writer, id: self.id };
        run_forked(self.backend, self.plan, &self.birth, &reporter)
    }
}

/// The life of a forked child before exec, whoever forked it and whatever is told. Comes back neither from exec nor from a
/// failure.
pub fn run_forked<B, R>(backend: &B, plan: &Plan<'_>, birth: &ChildContext, reporter: &R) -> !
where
    B: Backend<Sys: ParentSys> + ?Sized,
    R: Reporter + ?Sized,
{
    if let Err(report) = child_exec(backend, plan, birth, reporter) {
        reporter.fail(report);
    }
    backend.sys().exit(EXIT_OF_A_FAILED_CHILD)
}

/// Nobody reads it: the report says what happened.
const EXIT_OF_A_FAILED_CHILD: i32 = 255;

fn at(stage: Stage) -> impl Fn(Errno) -> LaunchError {
    move |errno| LaunchError::Parent { stage, errno }
}

struct SlotAndPipe<'a, S> {
    sys: &'a S,
    slot: &'a SharedReport,
    writer: Fd,
    id: FileId,
}

// SAFETY: each method stores to the slot or calls `S`, which meets the requirements of `Sys`.
unsafe impl<S: ParentSys> Reporter for SlotAndPipe<'_, S> {
    fn enter(&self, stage: Stage, at: Option<u64>) -> Result<(), Errno> {
        self.slot.enter(stage, at);
        if stage == Stage::Exec { write_mark(self.sys, self.writer) } else { Ok(()) }
    }

    fn closed(&self, closed: Closed) {
        self.slot.closed(closed);
    }

    fn intact(&self) -> Result<(), Errno> {
        let id = self.sys.file_id(self.writer)?;
        let cloexec = self.sys.is_cloexec(self.writer)?;
        if id == self.id && cloexec { Ok(()) } else { Err(Errno::BADF) }
    }

    fn fail(&self, report: Report) {
        self.slot.fail(report);
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

/// The pipe whose end says that the child execs or is dead.
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
        channel.leave_the_targets(plan)?;
        channel.id = sys.file_id(channel.writer)?;
        Ok(channel)
    }

    /// Moves the writing end to a number that the plan does not use. The free number that the kernel gives may be a
    /// target of the plan, too; then the next one is asked for. At the descriptor limit that is `EINVAL`, and means
    /// that no number is free.
    fn leave_the_targets(&mut self, plan: &Plan<'_>) -> Result<(), Errno> {
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

    /// Waits for the end of the pipe, or until nothing more can come of the child, whoever else has the pipe.
    ///
    /// What the child wrote before it was over is read in any case. Where poll(2) is refused, the end is waited for.
    fn wait(&self, is_over: impl Fn(End) -> bool) -> End {
        let mut end = End::Unmarked;
        let mut byte = [0];
        let mut over = false;
        loop {
            match self.sys.readable(self.reader, if over { 0 } else { PATIENCE }) {
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

/// After how many milliseconds without news the parent looks for itself.
const PATIENCE: u8 = 10;

/// How the pipe ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The child said that it execs.
    Marked,
    /// The child is dead, or a pre-exec closure closed the pipe.
    Unmarked,
    /// The parent cannot tell: the child may even run its program.
    Unreadable,
}

const CLOSED: Fd = -1;

impl<S: ParentSys> Drop for Channel<'_, S> {
    fn drop(&mut self) {
        self.close_writer();
        let _ = self.sys.close(self.reader);
    }
}

/// Waits for a child that did not reach exec, and tells why. One that still lives was robbed of the pipe by a pre-exec
/// closure, and will say so when that comes to its end. Only where nothing is known is it killed.
fn bury<S: ParentSys>(sys: &S, pid: Pid, slot: &SharedReport, end: End) -> LaunchError {
    if end == End::Unreadable {
        let _ = sys.kill(pid, libc::SIGKILL);
    }
    let status = sys.reap(pid);
    match slot.failure() {
        Some(report) => LaunchError::Child(report),
        None => LaunchError::Died { stage: slot.entered(), status },
    }
}
