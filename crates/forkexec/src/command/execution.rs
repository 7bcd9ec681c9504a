//! How the program is found and executed.

use super::Command;
use crate::config::containment::Containment;
use crate::config::search_path::SearchPath;
use crate::config::settings::{EnoexecFallback, OnDrop, SpawnPolicy};
use crate::spawn::panics;
use forkexec_core::{Errno, HookError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<'fd> Command<'fd> {
    /// Sets where a program named without a slash is searched.
    pub fn search_path(&mut self, path: SearchPath) -> &mut Self {
        self.settings.search = path;
        self
    }

    /// Sets what becomes of an executable file without a `#!` line that is no program of this machine's either.
    pub fn enoexec_fallback(&mut self, policy: EnoexecFallback) -> &mut Self {
        self.settings.enoexec_fallback = policy;
        self
    }

    /// Sets by which means the child may be started: the fastest that can be had, unless this says otherwise.
    ///
    /// # Errors
    ///
    /// With [`SpawnPolicy::NoFork`], when the command is prepared or started:
    /// - [`InputError::ClosureNeedsFork`](crate::InputError::ClosureNeedsFork) if it has a
    ///   [`pre_exec`](Self::pre_exec) closure;
    /// - [`Error::Unsupported`](crate::Error::Unsupported) where there is no means but fork(2).
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

    /// Sets what becomes of a child whose [`Child`](crate::Child) is dropped before it was waited for, by an early return or a
    /// panic.
    pub fn on_drop(&mut self, policy: OnDrop) -> &mut Self {
        self.settings.on_drop = policy;
        self
    }

    /// Sets what is to hold together all that descends from the child, so that
    /// [`Child::kill_tree`](crate::Child::kill_tree) can end it as a whole.
    ///
    /// With a process group or a session, the number of a child that was waited for stays its own (it stays a zombie) until
    /// its [`Child`](crate::Child) is dropped, where the system can leave a status: on Linux, if there is a
    /// [`pidfd`](crate::Child::pidfd). Elsewhere a tree is to be ended before its child is waited for.
    ///
    /// # Errors
    ///
    /// When the command is prepared or started: see [`Containment`]. And
    /// [`InputError::TreeInOtherGroup`](crate::InputError::TreeInOtherGroup) if a process group is asked for, and another
    /// one to be joined.
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

    /// Whether [`Child::exit_fd`](crate::Child::exit_fd) and [`Child::pidfd`](crate::Child::pidfd) are to be there, if the
    /// system can give them: they are, by default.
    ///
    /// A pidfd names this child and no other, whoever takes its status and whatever becomes of its number. It takes a
    /// descriptor of the parent's, and some 4 µs of a start.
    pub fn create_pidfd(&mut self, create: bool) -> &mut Self {
        self.settings.pidfd = create;
        self
    }

    /// Records when each stage of the child began: see [`Child::stage_times`](crate::Child::stage_times).
    pub fn time_stages(&mut self) -> &mut Self {
        self.settings.timed = true;
        self
    }

    /// Adds a closure that runs in the child, after everything else was set up and before the other descriptors are
    /// closed. Closures run in the order in which they were added; the first error ends the child and is reported at
    /// [`Stage::PreExec`](crate::Stage::PreExec), as is a panic. An error that has no errno, such as one of
    /// [`io::Error::other`], is reported as `EINVAL` with [`Cause::NoErrno`](crate::Cause::NoErrno): its text stays in
    /// the child, which may not allocate.
    ///
    /// Whatever the other methods here can do needs no closure, and is done without the dangers of one. A command with a
    /// closure is started by fork(2), which takes time in proportion to the parent's memory
    /// ([`SpawnPolicy::NoFork`] refuses it).
    ///
    /// A panic ends the child without running the panic hook: the first closure that a program adds wraps the hook of the
    /// process for that. A hook that the program sets later runs in the child, where it may wait forever for a lock that
    /// another thread held.
    ///
    /// # Safety
    ///
    /// The closure runs in a copy of the process that has only one thread. Locks that other threads held, that of
    /// the allocator perhaps, are held for ever. It must do nothing but call async-signal-safe functions
    /// (signal-safety(7)), and must uphold what the rest of the program relies on for every descriptor and all memory it
    /// touches. A process that it forks keeps the start of this command waiting while it holds the descriptors that it
    /// inherited.
    pub unsafe fn pre_exec(&mut self, closure: impl Fn() -> io::Result<()> + Send + Sync + 'fd) -> &mut Self {
        panics::wrap_hook();
        self.settings.hooks.push(Box::new(move || match catch_unwind(AssertUnwindSafe(&closure)) {
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
