//! The state machine between the start of a child and exec.
//!
//! It walks [`Stage::ORDER`] and does for each stage what the plan requests. The first call that fails ends it, with the
//! stage, the operand and the errno. It does not allocate, takes no lock and cannot panic; `ci/child-symbols` checks that.

use core::cell::Cell;

use crate::{
    Attribute, Backend, CStrArray, CloseStrategy, Closed, Disposition, Errno, FIRST_HIGH, Fd, HighFds,
    HookError, KeepList, Lender, Mask, Move, Namespaces, Pid, Plan, Report, Reporter, Resource, Signal,
    SignalSet, Stage, Sys, Taking, Wanted, WorkingDirectory,
    candidates::{NotExecuted, execute_first, retry_busy},
    close::{Known, close_except_knowing},
    take::Taken,
};
use core::ffi::CStr;

/// The circumstances in which a child was started.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the start")]
#[derive(Clone, Copy, Debug)]
pub struct ChildContext {
    /// The process that started the child.
    pub parent: Pid,
    /// The signal mask of the thread that started it. All signals are blocked until [`Stage::Mask`].
    pub mask: SignalSet,
    /// True if the child shares the descriptor table with its parent. Then it touches no descriptor, not even its flags,
    /// before it has a table of its own.
    pub shares_table: bool,
    /// The thread that started the child, if it is suspended until exec, and the child may take descriptors from it.
    pub lender: Option<Pid>,
    /// True if the kernel has reset the signal handlers of the parent. Then only ignored signals are left to reset.
    pub handlers_cleared: bool,
    /// True if the child was created in the control group of the plan.
    pub in_cgroup: bool,
    /// True if the child was created in the new namespaces of the plan.
    pub in_namespaces: bool,
}

impl ChildContext {
    /// The context of a child with a descriptor table and signal actions of its own, as fork(2) and vfork(2) start it.
    pub const fn forked(parent: Pid, mask: SignalSet) -> Self {
        Self {
            parent,
            mask,
            shares_table: false,
            lender: None,
            handlers_cleared: false,
            in_cgroup: false,
            in_namespaces: false,
        }
    }
}

/// Executes the plan and the program. On a real kernel it returns only if a call fails. A simulated kernel returns its result
/// of a successful exec.
///
/// # Errors
///
/// Returns the [`Report`] of the first call that failed. The reporter has not got it yet.
pub fn child_exec<B, R>(
    backend: &B,
    plan: &Plan<'_>,
    context: &ChildContext,
    reporter: &R,
) -> Result<<B::Sys as Sys>::Executed, Report>
where
    B: Backend + ?Sized,
    R: Reporter + ?Sized,
{
    let child = Child {
        backend,
        sys: backend.sys(),
        plan,
        context,
        reporter,
        loop_bound: Cell::new(None),
        emptied: Cell::new(None),
        taken: Taken::new(),
    };
    for stage in Stage::ORDER {
        let at = plan.timed.then(|| child.sys.now());
        let done = reporter.enter(stage, at).map_err(Failure::from).and_then(|()| child.perform(stage));
        if let Err(Failure { errno, operand }) = done {
            return Err(Report { stage, errno, operand });
        }
    }
    child.exec()
}

struct Failure {
    errno: Errno,
    operand: i32,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self { errno, operand: 0 }
    }
}

/// Adds the operand to a failed call.
fn on(operand: i32) -> impl Fn(Errno) -> Failure {
    move |errno| Failure { errno, operand }
}

type Done = Result<(), Failure>;

struct Child<'a, B: Backend + ?Sized, R: ?Sized> {
    backend: &'a B,
    sys: &'a B::Sys,
    plan: &'a Plan<'a>,
    context: &'a ChildContext,
    reporter: &'a R,
    /// The bound of the closing loop before the plan lowered the limit, which closes nothing.
    loop_bound: Cell<Option<Result<Fd, Errno>>>,
    /// From this number on, only descriptors of the plan are open, since the child got its own table.
    emptied: Cell<Option<Fd>>,
    /// The descriptors of the parent that have another number here.
    taken: Taken,
}

impl<B: Backend + ?Sized, R: Reporter + ?Sized> Child<'_, B, R> {
    fn perform(&self, stage: Stage) -> Done {
        let (sys, plan) = (self.sys, self.plan);
        match stage {
            Stage::UnshareFiles => self.own_table(),
            Stage::TakeFds => self.take_fds(),
            Stage::KeepFds => self.inherit(),
            Stage::DupFds => self.put_in_place(),
            Stage::Cgroup => self.enter_cgroup(),
            Stage::Namespaces => self.enter_namespaces(),
            Stage::IdMaps => if_requested(plan.namespaces.maps, |maps| self.backend.map_ids(maps)),
            Stage::Chroot => if_requested(plan.root, |path| self.change_root(path)),
            Stage::EarlyChdir => self.change_directory(plan.early_directory),
            Stage::Umask => if_requested(plan.umask, |mask| {
                sys.set_umask(mask);
                Ok(())
            }),
            Stage::Signals => self.set_dispositions(),
            Stage::Session => if_requested(plan.session.then_some(()), |()| sys.setsid()),
            Stage::ProcessGroup => if_requested(plan.process_group, |group| sys.set_process_group(group)),
            Stage::Terminal => {
                if_requested(plan.terminal, |terminal| sys.set_controlling_tty(self.taken.number(terminal)))
            }
            Stage::Foreground => {
                if_requested(plan.foreground, |terminal| sys.tcsetpgrp(self.taken.number(terminal)))
            }
            Stage::Limits => self.set_limits(),
            Stage::Nice => if_requested(plan.nice, |nice| sys.set_nice(nice)),
            Stage::Groups => if_requested(plan.groups, |groups| sys.set_groups(groups)),
            Stage::Gid => if_requested(plan.gid, |gid| sys.set_gid(gid)),
            Stage::Uid => if_requested(plan.uid, |uid| sys.set_uid(uid)),
            Stage::Chdir => self.change_directory(plan.directory),
            Stage::NoNewPrivs => {
                if_requested(plan.no_new_privs.then_some(()), |()| self.backend.no_new_privs())
            }
            Stage::DieWithParent => self.die_with_parent(),
            Stage::Mask => Ok(sys.set_mask(self.mask())?),
            Stage::PreExec => self.run_hook(),
            Stage::Close => self.close_others(),
            // The stages of the parent, and the last one, which `exec` performs.
            Stage::Setup | Stage::Start | Stage::Exec => Ok(()),
            Stage::Suspend => if_requested(plan.is_suspended().then_some(()), |()| self.suspend()),
            Stage::Landlock => if_requested(plan.ruleset(), |ruleset| self.enforce(ruleset)),
            attributes => self.set_attributes(attributes),
        }
    }

    fn own_table(&self) -> Done {
        if !self.context.shares_table {
            return Ok(());
        }
        let highest = self.note_high_fds().unwrap_or_else(|| {
            self.taken.clear();
            self.highest_needed()
        });
        self.reporter.high_fds(match highest {
            FIRST_HIGH.. => HighFds::Copied,
            _ if self.taken.is_empty() => HighFds::NotNeeded,
            _ => HighFds::Taken,
        });
        if self.backend.own_table(highest)? {
            self.emptied.set(highest.checked_add(1));
        } else {
            self.taken.clear();
        }
        Ok(())
    }

    /// Notes the high descriptors, to take them from the parent. Returns the highest of the others, or `None` if one of the high
    /// ones cannot be taken. Reads the shared table, and changes nothing.
    fn note_high_fds(&self) -> Option<Fd> {
        let (lender, plan) = (self.context.lender?, self.plan);
        if plan.needs_any_fd() {
            return None;
        }
        let mut highest = self.reporter.channel().unwrap_or_default().max(HIGHEST_OF_THE_STANDARD);
        for fd in plan.read(self.context.in_cgroup).chain(plan.unmoved()) {
            if fd < FIRST_HIGH {
                highest = highest.max(fd);
            } else if !self.taken.contains(fd) {
                let reopen = match self.backend.can_take(lender, plan.access_to(fd))? {
                    Taking::Duplicate => None,
                    Taking::Reopen(access) => Some((access, self.sys.file_id(fd).ok()?)),
                };
                self.taken.note(Wanted { fd, reopen })?;
            }
        }
        Some(highest)
    }

    fn take_fds(&self) -> Done {
        let Some(thread) = self.context.lender else { return Ok(()) };
        let lender = Lender::new(thread);
        self.taken.take_each(|wanted| self.take(&lender, wanted).map_err(on(wanted.fd)))?;
        if_requested(lender.remove_handle(0), |handle| self.sys.close(handle))
    }

    /// Takes one descriptor. If the plan claims its number, it gets that number again, because the moves are in an order that
    /// relies on it. Otherwise it gets a number that no move writes to. exec closes that one.
    fn take(&self, lender: &Lender, wanted: &Wanted) -> Result<Fd, Errno> {
        let taken = self.backend.take(lender, wanted)?;
        // A descriptor that is still to be taken may need its number.
        if let Some(handle) = lender.remove_handle(FIRST_HIGH) {
            self.sys.close(handle)?;
        }
        let number = match (self.plan.claims(wanted.fd), self.plan.claims(taken)) {
            (true, _) if taken == wanted.fd => return Ok(taken),
            (true, _) => dup2(self.sys, taken, wanted.fd).map(|()| wanted.fd)?,
            (false, true) => self.save(taken)?,
            (false, false) => return Ok(taken),
        };
        self.sys.close(taken)?;
        Ok(number)
    }

    /// The highest descriptor that a later stage or the program needs. It is the highest possible one if the plan closes
    /// nothing, or if a closure runs, which may use any.
    fn highest_needed(&self) -> Fd {
        let plan = self.plan;
        if plan.needs_any_fd() {
            return Fd::MAX;
        }
        let kept = plan.unmoved().take(1).chain(self.reporter.channel());
        kept.chain(plan.read(self.context.in_cgroup)).fold(HIGHEST_OF_THE_STANDARD, Fd::max)
    }

    fn inherit(&self) -> Done {
        self.plan.inherit.iter().try_for_each(|&fd| self.sys.set_cloexec(fd, false).map_err(on(fd)))
    }

    fn put_in_place(&self) -> Done {
        let mut saved = None;
        for step in self.plan.moves {
            self.take_step(*step, &mut saved)?;
        }
        Ok(())
    }

    fn take_step(&self, step: Move, saved: &mut Option<Fd>) -> Done {
        let sys = self.sys;
        match step {
            Move::Copy { from, to } => self.copy(from.number(self.plan.ends), to),
            Move::ClearCloexec(fd) => self.copy(fd, fd),
            Move::SaveTemp(from) => {
                let from = from.number(self.plan.ends);
                *saved = Some(self.save(self.taken.number(from)).map_err(on(from))?);
                Ok(())
            }
            Move::RestoreTemp(to) => {
                let from = saved.take().ok_or(Errno::BADF).map_err(on(to))?;
                dup2(sys, from, to).map_err(on(to))?;
                sys.close(from).map_err(on(from))
            }
            Move::CloseOpen(fd) => sys.close(self.taken.number(fd)).map_err(on(fd)),
            Move::Close(fd) => match sys.close(fd) {
                Ok(()) | Err(Errno::BADF) => Ok(()),
                Err(errno) => Err(on(fd)(errno)),
            },
        }
    }

    /// dup2(2) of a number onto itself would not change close-on-exec.
    fn copy(&self, from: Fd, to: Fd) -> Done {
        let source = self.taken.number(from);
        let copied = if source == to { self.sys.set_cloexec(to, false) } else { dup2(self.sys, source, to) };
        copied.map_err(on(from))
    }

    /// Copies the descriptor to a number that no later step writes to. After the table was emptied, a target may be free.
    fn save(&self, from: Fd) -> Result<Fd, Errno> {
        let mut copy = self.sys.dup_min(from, 0)?;
        while self.plan.claims(copy) {
            let next = self.sys.dup_min(from, copy.saturating_add(1));
            self.sys.close(copy)?;
            // At the descriptor limit, `EINVAL` is about the requested number.
            copy = next.map_err(|errno| if errno == Errno::INVAL { Errno::MFILE } else { errno })?;
        }
        Ok(copy)
    }

    /// A process that writes 0 moves itself (cgroups(7)).
    fn enter_cgroup(&self) -> Done {
        match self.plan.cgroup {
            Some(cgroup) if !self.context.in_cgroup => {
                Ok(self.sys.write(self.taken.number(cgroup.procs), b"0").map(drop)?)
            }
            _ => Ok(()),
        }
    }

    fn enter_namespaces(&self) -> Done {
        let Namespaces { join, new, .. } = self.plan.namespaces;
        let mut index = 0_i32;
        for &fd in join {
            self.backend.join_namespace(self.taken.number(fd)).map_err(on(index))?;
            index = index.saturating_add(1);
        }
        let missing = if self.context.in_namespaces { new.of_child() } else { new };
        if missing.is_empty() { Ok(()) } else { self.backend.unshare(missing).map_err(on(index)) }
    }

    /// chroot(2) does not change the working directory, so a relative path would lead outside of the new root.
    fn change_root(&self, path: &CStr) -> Result<(), Errno> {
        self.sys.chroot(path)?;
        self.sys.chdir(c"/")
    }

    fn change_directory(&self, directory: Option<WorkingDirectory<'_>>) -> Done {
        match directory {
            None => Ok(()),
            Some(WorkingDirectory::Path(path)) => Ok(self.sys.chdir(path)?),
            Some(WorkingDirectory::Fd(fd)) => self.sys.fchdir(self.taken.number(fd)).map_err(on(fd)),
        }
    }

    /// A handler of the parent must not run in the child: it would act on the descriptors of the parent, or on its data if
    /// memory is shared. Exec resets handlers anyway.
    fn set_dispositions(&self) -> Done {
        if self.context.handlers_cleared {
            self.plan.reset.iter().try_for_each(|signal| self.make_default(signal))?;
        } else {
            (1..=self.sys.highest_signal()).try_for_each(|signal| self.look_at(signal))?;
        }
        let mut ignored = self.plan.ignore.iter();
        ignored.try_for_each(|signal| self.sys.set_disposition(signal, true).map_err(on(signal)))
    }

    fn look_at(&self, signal: Signal) -> Done {
        let becomes_default = match self.sys.disposition(signal) {
            Err(Errno::INVAL) if self.may_be_untouchable(signal) => false,
            Ok(Disposition::Default) => false,
            Ok(Disposition::Handled) => true,
            Ok(Disposition::Ignored) => self.plan.reset.contains(signal),
            Err(errno) => return Err(on(signal)(errno)),
        };
        if becomes_default { self.sys.set_disposition(signal, false).map_err(on(signal)) } else { Ok(()) }
    }

    /// A signal whose disposition cannot be set is not ignored either.
    fn make_default(&self, signal: Signal) -> Done {
        match self.sys.set_disposition(signal, false) {
            Ok(()) => Ok(()),
            Err(Errno::INVAL) if self.may_be_untouchable(signal) => Ok(()),
            Err(errno) => Err(on(signal)(errno)),
        }
    }

    /// Returns whether sigaction(2) may always refuse this signal. The backend knows the signals that the system or the C library
    /// reserves, and a number from 32 up may be no signal. For any other, an `EINVAL` comes from a filter, and would leave the
    /// signal ignored.
    fn may_be_untouchable(&self, signal: Signal) -> bool {
        matches!(signal, libc::SIGKILL | libc::SIGSTOP)
            || signal > HIGHEST_OF_THE_CLASSIC
            || self.backend.capabilities().reserved_signals.contains(&signal)
    }

    fn set_limits(&self) -> Done {
        if self.plan.limits.iter().any(|limit| limit.resource == Resource::NOFILE) {
            self.loop_bound.set(Some(self.backend.loop_bound()));
        }
        let mut index = 0_i32;
        for limit in self.plan.limits {
            self.sys.set_limit(*limit).map_err(on(index))?;
            index = index.saturating_add(1);
        }
        Ok(())
    }

    fn set_attributes(&self, stage: Stage) -> Done {
        let of_stage = self.plan.attributes.iter().filter(|attribute| attribute.stage() == stage);
        of_stage
            .copied()
            .try_for_each(|attribute| self.backend.set_attribute(attribute).map_err(on(attribute.operand())))
    }

    /// The program gets the descriptor of the ruleset only if the plan keeps it, even if it is not close-on-exec.
    fn enforce(&self, ruleset: Fd) -> Result<(), Errno> {
        let number = self.taken.number(ruleset);
        self.backend.set_attribute(Attribute::Landlock(number))?;
        if self.plan.claims(number) { Ok(()) } else { self.sys.close(number) }
    }

    /// A signal stops a traced child until its tracer continues it, and the tracer is suspended until exec. A filter answers some
    /// calls with a signal. So the child makes each call of its exec once before, in a form that changes nothing.
    fn suspend(&self) -> Result<(), Errno> {
        const NO_FD: Fd = -1;
        self.sys.getpid();
        self.sys.pause(0);
        let _ = match self.plan.executable {
            Some(executable) => {
                self.keep_from_program(self.taken.number(executable))?;
                self.backend.execute(NO_FD, CStrArray::EMPTY, Some(CStrArray::EMPTY))
            }
            None => self.backend.execve(c"", CStrArray::EMPTY, Some(CStrArray::EMPTY)),
        };
        self.backend.set_attribute(Attribute::Suspended)
    }

    /// If the parent died before the request, the signal never comes. getppid(2) detects that, because the child then has
    /// another parent.
    ///
    /// For a parent outside of the child's pid namespace, getppid(2) returns 0 (pid_namespaces(7)). If such a parent dies, a
    /// later child of that namespace gets its init as parent. The init itself gets a parent outside, which is 0 again. So if
    /// the parent of an init dies between the start and this stage, the child cannot detect it.
    fn die_with_parent(&self) -> Done {
        let Some(signal) = self.plan.die_with_parent else { return Ok(()) };
        self.backend.die_with_parent(signal)?;
        let parent = self.sys.getppid();
        let is_alive = parent == self.context.parent || parent == OUTSIDE_OF_THE_NAMESPACE;
        if is_alive { Ok(()) } else { Err(Errno::SRCH.into()) }
    }

    fn mask(&self) -> SignalSet {
        match self.plan.mask {
            Mask::Inherit => self.context.mask,
            Mask::Set(mask) => mask,
        }
    }

    fn run_hook(&self) -> Done {
        let Some(hook) = self.plan.hook else { return Ok(()) };
        match hook.call() {
            Ok(()) => self.reporter.intact().map_err(on(CHANNEL_REPLACED)),
            Err(HookError::Errno(errno)) => Err(errno.into()),
            Err(HookError::NoErrno) => Err(on(HOOK_WITHOUT_ERRNO)(Errno::INVAL)),
            Err(HookError::Panicked) => Err(on(HOOK_PANICKED)(Errno::CANCELED)),
        }
    }

    fn close_others(&self) -> Done {
        let Some(strategy) = self.plan.close else { return Ok(()) };
        let closed = self.close_from(strategy.max(self.backend.first_strategy()))?;
        self.reporter.closed(closed);
        Ok(())
    }

    /// Closes the descriptors that exec was to close and did not, for this reason.
    fn close_before_retry(&self, refusal: Errno) -> Result<(), Errno> {
        let closed = self.close_from(CloseStrategy::Enumerate)?;
        self.reporter.closed(Closed { bulk_refused: Some(refusal), ..closed });
        Ok(())
    }

    fn close_from(&self, strategy: CloseStrategy) -> Result<Closed, Errno> {
        let known = Known { emptied: self.emptied.get(), loop_bound: self.loop_bound.get() };
        close_except_knowing(self.backend, FIRST_TO_CLOSE, self.open_until_exec(), strategy, known)
    }

    fn open_until_exec(&self) -> KeepList<'_> {
        let used = [self.plan.ruleset(), self.plan.executable].into_iter().flatten();
        let used = used.map(|fd| self.taken.number(fd));
        self.reporter.channel().into_iter().chain(used).fold(self.plan.keep, KeepList::and)
    }

    fn exec(&self) -> Result<<B::Sys as Sys>::Executed, Report> {
        if !self.plan.own_pids.is_empty() {
            let pid = self.sys.getpid();
            self.plan.own_pids.iter().for_each(|variable| variable.write(pid));
        }
        if let Some(executable) = self.plan.executable {
            let fail = |errno| Report { stage: Stage::Exec, errno, operand: 0 };
            return self.execute_file(self.taken.number(executable)).map_err(fail);
        }
        let executed = execute_first(&self.plan.exec, |path, argv| self.execute(path, argv))?;
        executed.map_err(|NotExecuted { errno, index }| Report { stage: Stage::Exec, errno, operand: index })
    }

    /// The program gets the descriptor of its file only if the plan keeps it.
    fn keep_from_program(&self, executable: Fd) -> Result<(), Errno> {
        if self.plan.claims(executable) { Ok(()) } else { self.sys.set_cloexec(executable, true) }
    }

    /// Executes an open file.
    fn execute_file(&self, executable: Fd) -> Result<<B::Sys as Sys>::Executed, Errno> {
        self.keep_from_program(executable)?;
        let exec = self.plan.exec;
        let execute = || self.backend.execute(executable, exec.argv, exec.env);
        match execute() {
            Err(Errno::TXTBSY) => retry_busy(self.sys, execute),
            answer => answer,
        }
    }

    /// Executes one program. A failed execve(2) is an `Ok` with its errno. A [`Report`] means that the descriptors could not
    /// be closed, and ends the child.
    fn execute(&self, path: &CStr, argv: CStrArray<'_>) -> Attempt<B> {
        let execve = || self.backend.execve(path, argv, self.plan.exec.env);
        match execve() {
            Err(errno) if self.backend.owes_closing(errno) => {
                let fail = |errno| Report { stage: Stage::Close, errno, operand: 0 };
                self.close_before_retry(errno).map_err(fail)?;
                Ok(execve())
            }
            Err(Errno::TXTBSY) => Ok(retry_busy(self.sys, execve)),
            answer => Ok(answer),
        }
    }
}

type Attempt<B> = Result<Result<<<B as Backend>::Sys as Sys>::Executed, Errno>, Report>;

/// The operand of a [`Stage::PreExec`] report if the closure panicked.
pub const HOOK_PANICKED: i32 = 1;

/// The operand of a [`Stage::PreExec`] report if the closure closed or replaced the channel to the parent.
pub const CHANNEL_REPLACED: i32 = 2;

/// The operand of a [`Stage::PreExec`] report if the error of the closure had no errno. The errno is `EINVAL`, as in std.
pub const HOOK_WITHOUT_ERRNO: i32 = 3;

/// The result of getppid(2) if the parent is not in the pid namespace of the caller.
const OUTSIDE_OF_THE_NAMESPACE: Pid = 0;

/// 0, 1 and 2 are put in place, and never closed.
const FIRST_TO_CLOSE: Fd = 3;
const HIGHEST_OF_THE_STANDARD: Fd = 2;

/// Performs an operation of the plan, if the plan requests it.
fn if_requested<T>(operand: Option<T>, call: impl FnOnce(T) -> Result<(), Errno>) -> Done {
    operand.map_or(Ok(()), |operand| Ok(call(operand)?))
}

const HIGHEST_OF_THE_CLASSIC: Signal = 31;

/// Retries dup2(2) on `EINTR`, and on `EBUSY`, with which Linux fails while another thread opens a file under that number
/// (dup(2), ERRORS).
fn dup2<S: Sys>(sys: &S, from: Fd, to: Fd) -> Result<(), Errno> {
    loop {
        match sys.dup2(from, to) {
            Err(Errno::INTR | Errno::BUSY) => {}
            done => return done,
        }
    }
}
