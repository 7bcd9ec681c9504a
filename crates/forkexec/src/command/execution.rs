//! Settings for finding, starting and executing the program, and for the child afterwards.

use super::CommandBuilder;
use crate::config::containment::Containment;
use crate::config::search_path::SearchPath;
use crate::config::settings::{EnoexecFallback, OnDrop, SpawnPolicy};
use crate::config::source::FdSource;
use crate::spawn::panics;
use forkexec_core::{Errno, HookError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl<'fd, M> CommandBuilder<'fd, M> {
    /// Sets the list of directories in which a program without a slash is searched.
    ///
    /// # Examples
    ///
    /// See [`SearchPath`].
    pub fn search_path(&mut self, path: SearchPath) -> &mut Self {
        self.settings.search = path;
        self
    }

    /// Executes this open file (execveat(2), Linux), and searches no path. The name passed to [`new`](Self::new) is only the zeroth
    /// argument.
    ///
    /// The program that was opened and checked is the one that runs, whatever its path leads to by then. A program in memory
    /// (memfd_create(2)) has no path at all. The program does not get the descriptor, unless [`keep_fd`](Self::keep_fd) passes it as
    /// well. A script needs that: the kernel names `/dev/fd/N` to its interpreter.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::NotOpen`](crate::InputError::NotOpen) if the descriptor is not open, and
    ///   [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Exec`](crate::Stage::Exec) if it cannot be executed, with
    ///   [`Cause::ScriptNotKept`](crate::Cause::ScriptNotKept) for a script that is not kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation, supports};
    /// use std::fs::File;
    ///
    /// if supports(Operation::ExecuteFile) {
    ///     let shell = File::open("/bin/sh")?;
    ///     // … checks the file …
    ///     let status = Command::new("sh").args(["-c", "exit 7"]).executable(shell).status()?;
    ///     assert_eq!(status.code(), Some(7));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn executable(&mut self, file: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.executable = Some(file.into());
        self
    }

    /// Sets what exec does with an executable file that has no `#!` line and is not in a format of this
    /// system.
    ///
    /// # Examples
    ///
    /// See [`EnoexecFallback`].
    pub fn enoexec_fallback(&mut self, policy: EnoexecFallback) -> &mut Self {
        self.settings.enoexec_fallback = policy;
        self
    }

    /// Starts the program stopped, before its first instruction (Linux, macOS). [`Child::resume`](crate::Child::resume) lets it run. The
    /// default is `false`.
    ///
    /// A debugger can attach to the child, and other code can change it from outside, before the program does anything. The child
    /// is stopped by `SIGSTOP` and has no tracer, so `SIGCONT` from any process continues it.
    /// [`status`](CommandBuilder::status) and [`output`](CommandBuilder::output) wait until that happens.
    ///
    /// # Platform-specific behavior
    ///
    /// macOS: a flag of posix_spawn(2), `POSIX_SPAWN_START_SUSPENDED`, with no further consequence.
    ///
    /// Linux: the child asks its parent to trace it (`PTRACE_TRACEME` of ptrace(2)), so that execve(2) stops it. The parent ends the
    /// tracing before the start returns. This has consequences:
    ///
    /// - A set-user-ID or set-group-ID bit and file capabilities have no effect, unless the parent has `CAP_SYS_PTRACE`.
    /// - A [`seccomp`](Self::seccomp) filter must also allow ptrace(2), rt_sigprocmask(2) and poll(2).
    /// - The parent gets `SIGCHLD` for each stop, unless it has set `SA_NOCLDSTOP`. A thread that waits for any child may get the
    ///   status of the first stop: waitpid(2) returns it for a traced child without `WUNTRACED`.
    ///
    /// # Errors
    ///
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Suspend`](crate::Stage::Suspend) if ptrace(2) is
    ///   refused: by a filter, by the security module Yama, or because strace(1) or a debugger already traces the child.
    /// - [`exec`](Self::exec) returns [`InputError::NotWithExec`](crate::InputError::NotWithExec), because it creates no child.
    ///
    /// # Examples
    ///
    /// ```
    /// # use forkexec::{Operation, supports};
    /// use forkexec::Command;
    ///
    /// # if supports(Operation::StartSuspended) {
    /// let mut child = Command::new("true").start_suspended(true).spawn()?;
    /// println!("attach a debugger to process {}", child.id());
    /// child.resume()?;
    /// assert!(child.wait()?.success());
    /// # }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn start_suspended(&mut self, suspended: bool) -> &mut Self {
        self.settings.attributes.start_suspended = suspended;
        self
    }

    /// Sets which system calls may start the child. By default it is the fastest method that works.
    ///
    /// # Errors
    ///
    /// With [`SpawnPolicy::NoFork`], preparing or starting the command
    ///
    /// - returns [`InputError::ClosureNeedsFork`](crate::InputError::ClosureNeedsFork) if the command has a
    ///   [`pre_exec`](Self::pre_exec) closure;
    /// - returns [`Error::Unsupported`](crate::Error::Unsupported) if the system has no method but fork(2);
    /// - returns [`Error::ForkRequired`](crate::Error::ForkRequired) if the kernel, a filter or an emulator
    ///   refuses the other methods, or if they lack a setting of the command.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, SpawnPolicy, SpawnMethod};
    ///
    /// let mut child = Command::new("true").spawn_policy(SpawnPolicy::Fork).spawn()?;
    /// assert_eq!(child.method(), SpawnMethod::Fork);
    /// child.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn spawn_policy(&mut self, policy: SpawnPolicy) -> &mut Self {
        self.settings.spawn_policy = policy;
        self
    }

    /// Sets what happens to a child whose [`Child`](crate::Child) is dropped before it was waited for, for
    /// example by an early return or a panic.
    ///
    /// # Examples
    ///
    /// See [`OnDrop`].
    pub fn on_drop(&mut self, policy: OnDrop) -> &mut Self {
        self.settings.on_drop = policy;
        self
    }

    /// Chooses whether a thread of this library reaps the child as soon as it ends, if it was dropped while it
    /// ran. The default is `false`: see [`OnDrop::Leave`].
    ///
    /// One thread waits for all such children, and lives as long as there are any. It has a pipe, holds the
    /// [`exit_fd`](crate::Child::exit_fd) of each child and blocks all signals. A child without such a
    /// descriptor gets a thread of its own. A process with a second thread cannot enter a user namespace
    /// (`CLONE_NEWUSER` of unshare(2)).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// // The program starts nothing else for a long time, and leaves no zombie.
    /// drop(Command::new("sleep").arg("1").reaper_thread(true).spawn()?);
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn reaper_thread(&mut self, enabled: bool) -> &mut Self {
        self.settings.reaper_thread = enabled;
        self
    }

    /// Sets how the child and its descendants are kept together, so that
    /// [`Child::kill_tree`](crate::Child::kill_tree) can kill all of them.
    ///
    /// With a process group or a session, a child that was waited for stays a zombie until its
    /// [`Child`](crate::Child) is dropped, so that its pid is not reused. This needs a system on which a
    /// status can be left in place: Linux, with a [`pidfd`](crate::Child::pidfd). On other systems, kill the
    /// tree before you wait for the child.
    ///
    /// # Errors
    ///
    /// - Preparing or starting the command returns the errors that [`Containment`] lists.
    /// - The start returns [`InputError::TreeInOtherGroup`](crate::InputError::TreeInOtherGroup) if the
    ///   command asks for a process group of its own and joins another one.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Coverage, Containment};
    ///
    /// let mut job = Command::new("sh").args(["-c", "sleep 600 & sleep 600"]).containment(Containment::Auto).spawn()?;
    /// let killed = job.kill_tree()?;
    /// assert!(killed.coverage() >= Coverage::Group);
    /// # job.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn containment(&mut self, containment: Containment) -> &mut Self {
        self.settings.containment = Some(containment);
        self
    }

    /// Chooses whether the child has an [`exit_fd`](crate::Child::exit_fd) and a
    /// [`pidfd`](crate::Child::pidfd), if the system supports them.
    ///
    /// A pidfd refers to this child only, even if other code reaps the child and its pid is reused. It costs
    /// one descriptor in the parent, and about 4 µs per start. With `true`, a child has one as long as a
    /// number is free.
    ///
    /// By default, a child has one unless descriptors are scarce: if its number is 24 or more and among the
    /// last quarter of those that the soft limit (`RLIMIT_NOFILE`) allows, it is closed, and that quarter is
    /// left to the program. The child is then waited for and signalled by its pid, as by std. A child whose
    /// [`containment`](Self::containment) needs the descriptor keeps it, and a child of the module `tokio`
    /// gets it again, because a thread would wait for it otherwise. The limit is read only for numbers from
    /// 24 up, at 0.1 µs.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut child = Command::new("true").create_pidfd(false).spawn()?;
    /// assert!(child.exit_fd().is_none() && child.pidfd().is_none());
    /// child.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn create_pidfd(&mut self, create: bool) -> &mut Self {
        self.settings.pidfd = Some(create);
        self
    }

    /// Records when each stage of the child begins: see [`Child::stage_times`](crate::Child::stage_times).
    ///
    /// On macOS, illumos and Solaris such a child is forked, because no code runs in a child of posix_spawn(2).
    ///
    /// # Examples
    ///
    /// See [`Child::stage_times`](crate::Child::stage_times).
    pub fn time_stages(&mut self) -> &mut Self {
        self.settings.timed = true;
        self
    }

    /// Adds a closure that runs in the child, after all other settings took effect and before other
    /// descriptors are closed.
    ///
    /// Closures run in the order in which they were added. The first error ends the child. The start then
    /// returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::PreExec`](crate::Stage::PreExec), as it does
    /// after a panic. If the error has no errno, such as one of [`io::Error::other`], the errno is `EINVAL`
    /// and the cause is [`Cause::NoErrno`](crate::Cause::NoErrno). Its text is lost, because the child must
    /// not allocate.
    ///
    /// Prefer the other methods of this type: they need no closure and have none of its dangers. A command
    /// with a closure is started by fork(2), whose cost grows with the memory of the parent.
    /// [`SpawnPolicy::NoFork`] refuses such a command.
    ///
    /// A panic ends the child without running the panic hook. For this, the first closure that a program adds
    /// wraps the panic hook of the process. If the program sets another hook later, that hook runs in the
    /// child, where it may wait forever for a lock that another thread held.
    ///
    /// The closure is `Fn` and not `FnMut`, because several threads may start the same command at once.
    ///
    /// # Safety
    ///
    /// The closure runs in a copy of the process that has only one thread. Locks that other threads held at
    /// the time of the fork, such as that of the allocator, are never released. The closure must call only
    /// async-signal-safe functions (signal-safety(7)). It must uphold the invariants that the rest of the
    /// program relies on, for every descriptor and all memory that it touches. If the closure forks a
    /// process, the start does not return while that process holds the descriptors that it inherited.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut command = Command::new("true");
    /// // SAFETY: getpriority(2) is one system call, and touches no memory.
    /// unsafe {
    ///     command.pre_exec(|| match libc::getpriority(libc::PRIO_PROCESS, 0) {
    ///         -1 => Err(std::io::Error::last_os_error()),
    ///         _ => Ok(()),
    ///     });
    /// }
    /// assert!(command.status()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub unsafe fn pre_exec<F>(&mut self, closure: F) -> &mut Self
    where
        F: Fn() -> io::Result<()> + Send + Sync + 'fd,
    {
        panics::wrap_hook();
        self.settings.hooks.push(Arc::new(move || match catch_unwind(AssertUnwindSafe(&closure)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.raw_os_error().map_or(HookError::NoErrno, of_errno)),
            Err(_) => Err(HookError::Panicked),
        }));
        self
    }
}

fn of_errno(raw: i32) -> HookError {
    HookError::Errno(Errno::from_raw(raw))
}
