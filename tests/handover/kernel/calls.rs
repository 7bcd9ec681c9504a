//! The calls of both sides: the effect on the two processes, and the result.

use std::ffi::{CStr, c_int, c_ulong};
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;

use forkexec_core::{
    Access, CStrArray, Disposition, Errno, Fd, FileId, Limit, ParentSys, Pid, Resource, SharingSys, Signal,
    SignalSet, Sys, Top, VforkSys,
};
use forkexec_linux::{
    AttributeCall, CapabilityMasks, CloneSys, KernelAction, LinuxSys, PidfdEvent, Release, Start, Started,
};
use forkexec_posix::PosixSys;

/// More than the parent's patience, which is a hundred.
const MOST_PAUSES: usize = 150;

use super::{
    CHILD, Event, Gone, Kernel, Memory, PARENT, PARENTS, PIDFD, READER, State, Tells, WRITER, leave,
};

/// Calls that change nothing that matters here.
macro_rules! nothing {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {$(
        fn $name(&self $(, $arg: $type)*) -> Result<(), Errno> {
            $(let _ = $arg;)*
            self.childs(stringify!($name))
        }
    )*};
}

// SAFETY: the kernel is simulated: it makes no process, and its descriptors are numbers in its own state.
unsafe impl Sys for Kernel {
    type Executed = ();

    nothing! {
        set_cloexec(fd: Fd, cloexec: bool);
        set_limit(limit: Limit);
        chroot(path: &CStr);
        chdir(path: &CStr);
        fchdir(directory: Fd);
        set_disposition(signal: Signal, ignored: bool);
        setsid();
        set_process_group(group: Pid);
        set_controlling_tty(terminal: Fd);
        tcsetpgrp(terminal: Fd);
        set_nice(nice: i32);
        set_groups(groups: &[u32]);
        set_gid(gid: u32);
        set_uid(uid: u32);
    }

    /// Source: close(2): a descriptor that one process closes stays open in the others.
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

    /// Source: dup2(2): the file that had the number is closed.
    fn dup2(&self, _from: Fd, to: Fd) -> Result<(), Errno> {
        self.childs("dup2")?;
        if to == WRITER {
            let mut state = self.state();
            state.note(Event::Close);
            state.replaced = true;
        }
        Ok(())
    }

    /// Source: `F_DUPFD_CLOEXEC` of fcntl(2): EMFILE at the limit.
    fn dup_min(&self, _fd: Fd, _lowest: Fd) -> Result<Fd, Errno> {
        Err(Errno::MFILE)
    }

    /// Source: `O_CLOEXEC` of pipe2(2).
    fn is_cloexec(&self, _fd: Fd) -> Result<bool, Errno> {
        Ok(true)
    }

    /// Source: write(2): EBADF for a closed descriptor.
    fn write(&self, _fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
        self.childs("write")?;
        let mut state = self.state();
        if state.recorded.iter().any(|step| step.event == Event::Close) {
            return Err(Errno::BADF);
        }
        state.note(Event::Write);
        Ok(bytes.len())
    }

    /// Source: fstat(2): EBADF for a closed descriptor.
    fn file_id(&self, _fd: Fd) -> Result<FileId, Errno> {
        let state = self.state();
        if state.recorded.iter().any(|step| step.event == Event::Close) && !state.replaced {
            return Err(Errno::BADF);
        }
        Ok(FileId { device: 1, inode: if state.replaced { 2 } else { 1 } })
    }

    /// Source: open(2): ENOENT for a missing path.
    fn open_directory(&self, _path: &CStr) -> Result<Fd, Errno> {
        Err(Errno::NOENT)
    }

    /// Source: getrlimit(2).
    fn descriptor_limit(&self) -> Result<u64, Errno> {
        Ok(64)
    }

    fn open_max(&self) -> Option<u64> {
        None
    }

    fn set_umask(&self, _mask: u32) {}

    /// Source: sigaction(2).
    fn disposition(&self, _signal: Signal) -> Result<Disposition, Errno> {
        Ok(Disposition::Default)
    }

    /// The parent calls it, too, to restore its mask.
    ///
    /// Source: sigprocmask(2).
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

    fn getpid(&self) -> Pid {
        PARENT
    }

    fn getppid(&self) -> Pid {
        PARENT
    }

    /// Source: execve(2): close-on-exec descriptors are closed.
    fn execve(&self, _: &CStr, _: CStrArray<'_>, _: Option<CStrArray<'_>>) -> Result<(), Errno> {
        self.childs("execve")?;
        let mut state = self.state();
        state.note(Event::Exec);
        state.note(Event::Close);
        leave(state)
    }

    fn now(&self) -> u64 {
        1
    }

    /// The parent polls. A child with a copy of the memory makes a step in that time, as long as it runs.
    fn pause(&self, _milliseconds: u8) {
        let mut state = self.state();
        if state.remaining() > 0 {
            return state.step();
        }
        state.idle += 1;
        assert!(state.idle < MOST_PAUSES, "the parent asks for ever: {:?}", state.script);
    }
}

// SAFETY: the kernel is simulated: it makes no process, and its descriptors are numbers in its own state.
unsafe impl LinuxSys for Kernel {
    nothing! {
        close_range(first: u32, last: u32);
        close_range_unshare(first: u32, last: u32);
        close_range_cloexec(first: u32, last: u32);
        unshare_files();
        set_parent_death_signal(signal: Signal);
        set_no_new_privs();
    }

    /// No plan here has an open file.
    ///
    /// Source: execveat(2) on a kernel without it.
    fn execveat(&self, _program: Fd, _argv: CStrArray<'_>, _env: Option<CStrArray<'_>>) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// No plan here has an attribute.
    ///
    /// Source: sched_getaffinity(2) on a kernel without it.
    fn affinity(&self, _mask: &mut [c_ulong]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    /// Source: get_mempolicy(2) on a kernel without it.
    fn memory_policy(&self, _nodes: &mut [c_ulong]) -> Result<i32, Errno> {
        Err(Errno::NOSYS)
    }

    /// Source: capget(2) on a kernel without it.
    fn capget(&self) -> Result<CapabilityMasks, Errno> {
        Err(Errno::NOSYS)
    }

    /// Source: prctl(2) on a kernel without it.
    fn attribute(&self, _call: AttributeCall<'_>) -> Result<u64, Errno> {
        Err(Errno::NOSYS)
    }

    /// Source: getdents(2) on a kernel without it.
    fn getdents64(&self, _directory: Fd, _records: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    /// Source: fstatfs(2).
    fn is_on_procfs(&self, _fd: Fd) -> Result<bool, Errno> {
        Ok(false)
    }

    /// Source: proc_pid_stat(5): `PF_FORKNOEXEC` (include/linux/sched.h) until exec.
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

    /// No parent here has a high descriptor, so no child takes one.
    ///
    /// Source: stat(2) without procfs.
    fn path_id(&self, _path: &CStr) -> Result<FileId, Errno> {
        Err(Errno::NOENT)
    }

    /// Source: open(2) without procfs.
    fn open_file(&self, _path: &CStr, _access: Access) -> Result<Fd, Errno> {
        Err(Errno::NOENT)
    }

    /// Source: pidfd_open(2) on a kernel without it.
    fn open_pidfd_of(&self, _thread: Pid, _leads: bool) -> Result<Fd, Errno> {
        Err(Errno::NOSYS)
    }

    /// Source: pidfd_getfd(2) on a kernel without it.
    fn pidfd_getfd(&self, _pidfd: Fd, _fd: Fd) -> Result<Fd, Errno> {
        Err(Errno::NOSYS)
    }

    fn release(&self) -> Release {
        Release::Linux
    }

    /// uname(2).
    fn kernel_release(&self) -> Result<[u8; 65], Errno> {
        Ok([0; 65])
    }

    /// Source: `PR_GET_SECCOMP` of prctl(2).
    fn is_filtered(&self) -> Result<bool, Errno> {
        Ok(false)
    }

    /// Source: setpgid(2): EACCES after exec, EPERM before it and in another session, ESRCH once reaped.
    fn join_no_group(&self, child: Pid) -> Result<(), Errno> {
        if child == PARENT {
            return Err(Errno::PERM);
        }
        self.parents("join_no_group", |state| match state.world.tells {
            _ if state.reaped => Err(Errno::SRCH),
            Tells::ByGroup if state.has(Event::Exec) => Err(Errno::ACCES),
            _ => Err(Errno::PERM),
        })
    }
}

// SAFETY: as above. `fork` answers `None` while it records the child's code, and `map_shared` leaks its memory for `unmap`
// to free.
unsafe impl ParentSys for Kernel {
    /// Source: fork(2): the child, and any process forked during the spawn, have copies of the descriptors.
    unsafe fn fork(&self) -> Result<Option<Pid>, Errno> {
        let mut state = self.state();
        if state.recording.is_some() {
            state.child_runs = true;
            return Ok(None);
        }
        state.copy_the_writing_end();
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

    /// Source: pipe(2).
    fn pipe(&self) -> Result<(Fd, Fd), Errno> {
        let mut state = self.state();
        (state.reader, state.writers[PARENTS]) = (true, true);
        Ok((READER, WRITER))
    }

    /// Source: pipe(7): the end comes when no process has the writing end.
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

    /// Source: poll(2).
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
        // Without `__WCLONE`, a child that is not announced by `SIGCHLD` is none.
        let is_unseen = state.world.copies == Some(false) && !state.has(Event::Exec);
        let ended = state.ended.is_some() || is_unseen;
        state.let_the_child_go_on();
        ended
    }

    /// Source: waitpid(2): ECHILD if another thread took the status.
    fn wait(&self, _pid: Pid) -> Result<c_int, Errno> {
        self.state().by_number.push("wait");
        self.parents("wait", State::reap)
    }

    /// Source: kill(2), signal(7).
    fn kill(&self, _pid: Pid, signal: Signal) -> Result<(), Errno> {
        let mut state = self.state();
        if state.ended.is_none() {
            let done = state.done;
            state.script.truncate(done);
            state.apply(Event::Close);
            state.apply(Event::End(signal));
        }
        Ok(())
    }

    /// Source: sigprocmask(2).
    fn block_signals(&self) -> Result<SignalSet, Errno> {
        self.state().blocked = true;
        Ok(SignalSet::EMPTY)
    }

    /// Source: `MAP_SHARED` of mmap(2).
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
        // SAFETY: `map_shared` leaked it with this length, and nothing refers to it any more.
        drop(unsafe { Box::from_raw(words) });
    }
}

impl Kernel {
    /// A child that shares memory runs while its parent is suspended, without any choice. A child with a copy runs beside
    /// its parent, as after fork(2). Returns after the child's code has ended, or runs none.
    fn suspend_for(&self, child: &dyn Fn() -> c_int) {
        let copies = {
            let mut state = self.state();
            let copies = state.world.copies;
            if copies.is_some() && state.recording.is_none() {
                return state.let_the_child_go_on();
            }
            (state.ended, state.reaped, state.executed, state.child_runs) = (None, false, false, true);
            state.released = false;
            copies
        };
        let finished = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        let mut state = self.state();
        match finished {
            Ok(status) if copies.is_some() => {
                state.note(Event::End(status << 8));
                leave(state)
            }
            Ok(status) => {
                state.ended = Some(status << 8);
                state.release_at_end();
            }
            Err(gone) if gone.is::<Gone>() && copies.is_none() => {}
            Err(panic) => {
                drop(state);
                resume_unwind(panic)
            }
        }
        state.child_runs = false;
    }
}

// SAFETY: as above. `suspend_for` returns after the child's code has ended, or runs none.
unsafe impl CloneSys for Kernel {
    /// Source: `CLONE_VFORK` and `CLONE_VM` of clone(2): the parent is suspended, and memory is shared.
    unsafe fn start(&self, start: Start, _top: Top, child: &dyn Fn() -> c_int) -> Result<Started, Errno> {
        let mut state = self.state();
        state.begin_autoreap(start)?;
        (state.pidfd, state.polls) = (start.pidfd, state.world.copies.is_some());
        drop(state);
        self.suspend_for(child);
        Ok(Started { pid: CHILD, pidfd: start.pidfd.then_some(PIDFD) })
    }

    /// The model has one thread per process.
    ///
    /// Source: clone(2).
    unsafe fn run_thread(&self, _top: Top, _thread: &dyn Fn() -> c_int) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Source: rt_sigaction(2), which only exec in place calls.
    fn action(&self, _signal: Signal) -> Result<KernelAction, Errno> {
        Err(Errno::NOSYS)
    }

    /// Source: as for `action`.
    unsafe fn set_action(&self, _signal: Signal, _action: &KernelAction) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// No plan here is suspended.
    ///
    /// Source: ptrace(2): ESRCH for a process that the caller does not trace.
    fn set_mask_of(&self, _child: Pid, _mask: SignalSet) -> Result<(), Errno> {
        Err(Errno::SRCH)
    }

    /// Source: as for `set_mask_of`.
    fn detach(&self, _child: Pid, _signal: Signal) -> Result<(), Errno> {
        Err(Errno::SRCH)
    }

    fn gettid(&self) -> Pid {
        PARENT
    }

    fn lowest_realtime_signal(&self) -> Signal {
        34
    }

    /// Source: `__WCLONE` of waitpid(2), and execve(2): the termination signal becomes SIGCHLD.
    fn reap_unexecuted(&self, _child: Pid) -> Result<Option<c_int>, Errno> {
        let copies = self.state().world.copies;
        if let Some(announced) = copies {
            return self.parents("reap_unexecuted", |state| state.reap_copy(announced));
        }
        let mut state = self.state();
        state.by_number.push("reap_unexecuted");
        if state.world.tells == Tells::ByProc {
            return Ok(None);
        }
        let status = state.ended.ok_or(Errno::CHILD)?;
        state.reaped = true;
        Ok(Some(status))
    }

    /// Source: pidfd_open(2) on a kernel without it.
    fn open_pidfd(&self, _child: Pid) -> Result<Fd, Errno> {
        Err(Errno::NOSYS)
    }

    fn signal_that_ended(&self, _child: Pid) -> Option<Signal> {
        None
    }

    /// Source: `PIDFD_GET_INFO` of ioctl_pidfd(2), as [`State`] says.
    fn pidfd_exit_status(&self, pidfd: Fd) -> Result<Option<c_int>, Errno> {
        self.state().pidfd_exit_status(pidfd)
    }

    /// Source: pidfd_open(2), as [`State`] says.
    fn poll_pidfd(&self, _pidfd: Fd, event: PidfdEvent, limit: Option<u8>) -> Result<bool, Errno> {
        Ok(self.state().poll_pidfd(event, limit))
    }

    /// Source: `P_PIDFD` of waitid(2), as [`State`] says.
    fn reap_by_pidfd(&self, _pidfd: Fd) -> Result<Option<c_int>, Errno> {
        self.state().reap_by_pidfd()
    }

    /// Source: `__WCLONE` of waitid(2), as [`State`] says.
    fn find_unexecuted(&self, _pidfd: Fd) -> Result<(), Errno> {
        self.state().find_unexecuted()
    }
}

// SAFETY: no child runs on the memory of `map_private`, which is never freed.
unsafe impl SharingSys for Kernel {
    /// Source: `PR_GET_DUMPABLE` of prctl(2).
    fn is_dumpable(&self) -> Result<bool, Errno> {
        Ok(true)
    }

    /// Source: `PR_SET_DUMPABLE` of prctl(2).
    fn make_dumpable(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn is_sanitized(&self) -> bool {
        false
    }

    /// No child runs on it.
    ///
    /// Source: mmap(2).
    fn map_private(&self, length: usize) -> Result<NonNull<u8>, Errno> {
        static STACK: OnceLock<Box<[u8]>> = OnceLock::new();
        let stack = STACK.get_or_init(|| vec![0; length].into_boxed_slice());
        Ok(NonNull::from(&**stack).cast())
    }

    /// Source: mprotect(2).
    unsafe fn mprotect_none(&self, _memory: NonNull<u8>, _length: usize) -> Result<(), Errno> {
        Ok(())
    }
}

// SAFETY: as for `CloneSys`.
unsafe impl VforkSys for Kernel {
    fn has_vfork(&self) -> bool {
        true
    }

    fn limit_changes_memory(&self, _resource: Resource) -> bool {
        false
    }

    /// Source: vfork(2): the parent is suspended, and memory is shared. The child has a copy of the descriptors.
    unsafe fn vfork(&self, _top: Top, child: &dyn Fn() -> c_int) -> Result<Pid, Errno> {
        self.state().copy_the_writing_end();
        self.suspend_for(child);
        Ok(CHILD)
    }
}

// SAFETY: as above.
unsafe impl PosixSys for Kernel {
    /// Source: getdents(2) on a kernel without it.
    fn read_directory(&self, _directory: Fd, _records: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }
}
