//! System calls of which one fails, or some always fail.

use std::ffi::{CStr, c_int, c_ulong};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::errno::Errno as ThreadErrno;

use forkexec_core::{
    Access, CStrArray, Disposition, Errno, Fd, FileId, Limit, NamespaceSet, ParentSys, Pid, Resource,
    SharingSys, Signal, SignalSet, Sys, Top, VforkSys,
};
use forkexec_linux::{
    AttributeCall, Call, CapabilityMasks, CloneSys, KernelAction, LinuxSys, PidfdEvent, Release, Start,
    Started,
};
use forkexec_posix::PosixSys;

use crate::script::{About, Made, Script};

/// The call that fails, and its errno.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) side: Side,
    /// Calls of this name only are counted, or all.
    pub(crate) name: Option<&'static str>,
    /// The index of the call among those of its name, from 0.
    pub(crate) index: usize,
    pub(crate) errno: Errno,
}

impl Fault {
    /// No call fails.
    pub(crate) const NONE: Self =
        Self { side: Side::Parent, name: None, index: usize::MAX, errno: Errno::from_raw(0) };
}

/// The process that makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Parent,
    Child,
}

/// A call that always fails: its name, its errno, and how often it was made.
#[derive(Debug)]
struct Denied(&'static str, Errno, AtomicUsize);

/// An emulator that copies the memory that a child should share: the other flags that it honours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copies {
    /// `CLONE_VFORK`: the parent waits all the same, as FEX does.
    pub(crate) waits: bool,
    /// `CLONE_FILES`.
    pub(crate) shares_table: bool,
    /// The child's end is announced by `SIGCHLD` in any case, as QEMU's `linux-user` demands.
    pub(crate) announces: bool,
}

impl Copies {
    /// clone(2) without `CLONE_VM`, and without a new stack: the child continues in a copy of this frame.
    ///
    /// # Safety
    ///
    /// As for fork(2).
    unsafe fn start(self, start: Start, live: &dyn Fn() -> c_int) -> Result<Started, Errno> {
        let signal = if self.announces || start.exit_signal { libc::SIGCHLD } else { 0 };
        let waits = if self.waits { libc::CLONE_VFORK } else { 0 };
        let table = if self.shares_table && start.shares_table { libc::CLONE_FILES } else { 0 };
        let flags = libc::c_long::from(signal | waits | table);
        // SAFETY: the caller's promise; no stack and no address is passed.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
        if pid == 0 {
            let status = live();
            // SAFETY: ends the child.
            unsafe { libc::_exit(status) }
        }
        let pid = Pid::try_from(pid).ok().filter(|&pid| pid > 0).ok_or(Errno::AGAIN)?;
        Ok(Started { pid, pidfd: None })
    }
}

/// The code of a child.
type Child<'a> = &'a dyn Fn() -> c_int;

/// An action before a call: the side, the call, the action.
type Act = (Side, &'static str, fn());

/// Makes all system calls except one.
///
/// A forked child has a copy of this value, which knows that it is in the child. A child that shares memory sets a flag
/// here.
#[derive(Debug)]
pub(crate) struct Failing<S> {
    inner: S,
    fault: Fault,
    /// The hard limit of descriptors that replaces the real one.
    limit: Option<u64>,
    denied: Vec<Denied>,
    /// Actions before calls.
    acts: Vec<Act>,
    /// The errno of a start that is not made.
    refuse: fn(Start) -> Option<Errno>,
    /// Every requested start.
    starts: Mutex<Vec<Start>>,
    /// Set if a child that should share memory gets a copy instead.
    copies: Option<Copies>,
    sanitized: bool,
    /// The release that replaces the real one, and whether a filter applies.
    release: Option<(Release, bool)>,
    /// True if exec sets the termination signal of a child to `SIGCHLD`.
    announces_exec: bool,
    /// Bytes of a stack above its guard, and how many of them a child used at most, if that is looked at.
    stack: AtomicUsize,
    most_used: Option<AtomicUsize>,
    in_child: AtomicBool,
    counted: AtomicUsize,
    failed: OnceLock<&'static str>,
    /// Records all calls, and decides what happens at some.
    script: Option<&'static Script>,
    /// Address and length of each mapped stack. An unmapped part is removed.
    mapped: Mutex<Vec<(usize, usize)>>,
}

impl<S> Failing<S> {
    /// A value that was not forked is in the parent. Here it plays a child.
    pub(crate) fn child(inner: S, fault: Fault) -> Self {
        Self { in_child: AtomicBool::new(true), ..Self::parent(inner, fault) }
    }

    pub(crate) fn parent(inner: S, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            limit: None,
            denied: Vec::new(),
            acts: Vec::new(),
            refuse: |_| None,
            starts: Mutex::default(),
            copies: None,
            sanitized: false,
            release: None,
            announces_exec: true,
            stack: AtomicUsize::new(0),
            most_used: None,
            in_child: AtomicBool::new(false),
            counted: AtomicUsize::new(0),
            failed: OnceLock::new(),
            script: None,
            mapped: Mutex::default(),
        }
    }

    /// All calls are done.
    pub(crate) fn nothing(inner: S) -> Self {
        Self::parent(inner, Fault::NONE)
    }

    /// Records all calls in a script, which decides what happens at some.
    pub(crate) fn following(inner: S, script: &'static Script) -> Self {
        Self { script: Some(script), ..Self::nothing(inner) }
    }

    /// Calls of these names are never done, on either side.
    pub(crate) fn denying(self, names: &[&'static str], errno: Errno) -> Self {
        let denied = names.iter().map(|&name| Denied(name, errno, AtomicUsize::new(0))).collect();
        Self { denied, ..self }
    }

    /// A start for which there is an answer is not made.
    pub(crate) fn refusing(self, refuse: fn(Start) -> Option<Errno>) -> Self {
        Self { refuse, ..self }
    }

    /// A child that is to share memory gets a copy.
    pub(crate) fn copying(self, copies: Copies) -> Self {
        Self { copies: Some(copies), ..self }
    }

    /// A sanitizer is part of the program. Without this call the launcher sees none, even in a sanitized build, so that
    /// the tests cover all of it.
    pub(crate) fn sanitized(self) -> Self {
        Self { sanitized: true, ..self }
    }

    /// The system is a release of Android, for a process with its filter of apps or without.
    pub(crate) fn on_android(self, level: u32, is_filtered: bool) -> Self {
        Self { release: Some((Release::Android(level), is_filtered)), ..self }
    }

    /// The termination signal of a child does not change at exec, as on kernels that do not report it: a wait for a
    /// child whose signal exec has not changed finds every child, and reaps none.
    pub(crate) fn announcing_no_exec(self) -> Self {
        Self { announces_exec: false, ..self }
    }

    /// The child does this before each call of this name.
    pub(crate) fn acting(self, name: &'static str, act: fn()) -> Self {
        self.acting_as(Side::Child, name, act)
    }

    /// This side does this before each call of this name.
    pub(crate) fn acting_as(mut self, side: Side, name: &'static str, act: fn()) -> Self {
        self.acts.push((side, name, act));
        self
    }

    /// Looks at how deep the stacks of children are used.
    pub(crate) fn measuring_stacks(self) -> Self {
        Self { most_used: Some(AtomicUsize::new(0)), ..self }
    }

    /// Returns how many bytes of its stack a child used at most, and the size of the stack.
    pub(crate) fn stack_used(&self) -> Option<(usize, usize)> {
        let used = self.most_used.as_ref()?.load(Ordering::Relaxed);
        Some((used, self.stack.load(Ordering::Relaxed)))
    }

    /// Returns how often denied calls were made.
    pub(crate) fn denials(&self) -> usize {
        self.denied.iter().map(|Denied(_, _, count)| count.load(Ordering::Relaxed)).sum()
    }

    /// Returns the starts that were requested since the last call.
    pub(crate) fn take_starts(&self) -> Vec<Start> {
        std::mem::take(&mut self.starts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn pretending_limit(self, limit: Option<u64>) -> Self {
        Self { limit, ..self }
    }

    pub(crate) fn inner(&self) -> &S {
        &self.inner
    }

    /// The call that failed, if it was made on this side.
    pub(crate) fn failed(&self) -> Option<&'static str> {
        self.failed.get().copied()
    }

    /// The memory that is mapped for stacks since the last time that this was asked: addresses and lengths.
    pub(crate) fn take_mapped(&self) -> Vec<(usize, usize)> {
        std::mem::take(&mut self.mapped.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs the actions before this call.
    fn act(&self, side: Side, name: &str) {
        let acts = self.acts.iter().filter(|(who, before, _)| (*who, *before) == (side, name));
        acts.for_each(|(.., act)| act());
    }

    fn fault(&self, made: Made) -> Result<(), Errno> {
        let name = made.name;
        let side = if self.in_child.load(Ordering::Relaxed) { Side::Child } else { Side::Parent };
        self.act(side, name);
        if let Some(Denied(_, errno, count)) = self.denied.iter().find(|Denied(denied, ..)| *denied == name) {
            count.fetch_add(1, Ordering::Relaxed);
            return Err(*errno);
        }
        if let Some(script) = self.script {
            return script.follow(side, made);
        }
        if side != self.fault.side || self.fault.name.is_some_and(|only| only != name) {
            return Ok(());
        }
        if self.counted.fetch_add(1, Ordering::Relaxed) != self.fault.index {
            return Ok(());
        }
        let _ = self.failed.set(name);
        Err(self.fault.errno)
    }

    /// A call that is not done if it fails.
    pub(crate) fn instead<T>(
        &self,
        made: impl Into<Made>,
        call: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        self.fault(made.into()).and_then(|()| call())
    }

    /// A call that is done, and then fails.
    fn after<T>(&self, made: impl Into<Made>, call: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
        let done = call();
        self.fault(made.into()).and(done)
    }

    /// From here on calls are a child's.
    fn be_child(&self) {
        self.in_child.store(true, Ordering::Relaxed);
        if let Some(script) = self.script {
            script.begin_child();
        }
    }
}

macro_rules! calls {
    ($($how:ident: $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        fn $name(&self $(, $arg: $type)*) -> Result<$answer, Errno> {
            let made = Made::new(stringify!($name), &[$(About::number(&$arg)),*]);
            self.$how(made, || self.inner.$name($($arg),*))
        }
    )*};
}

// SAFETY: each method fails with an errno, or makes the call of `S`, which meets the requirements.
unsafe impl<S: Sys> Sys for Failing<S> {
    type Executed = S::Executed;

    calls! {
        // The number is free whatever close(2) answers (NOTES).
        after: close(fd: Fd) -> ();
        instead: dup2(from: Fd, to: Fd) -> ();
        instead: dup_min(fd: Fd, lowest: Fd) -> Fd;
        instead: is_cloexec(fd: Fd) -> bool;
        instead: set_cloexec(fd: Fd, cloexec: bool) -> ();
        instead: write(fd: Fd, bytes: &[u8]) -> usize;
        instead: file_id(fd: Fd) -> FileId;
        instead: open_directory(path: &CStr) -> Fd;
        instead: set_limit(limit: Limit) -> ();
        instead: chroot(path: &CStr) -> ();
        instead: chdir(path: &CStr) -> ();
        instead: fchdir(directory: Fd) -> ();
        instead: disposition(signal: Signal) -> Disposition;
        instead: set_disposition(signal: Signal, ignored: bool) -> ();
        instead: set_mask(mask: SignalSet) -> ();
        instead: setsid() -> ();
        instead: set_process_group(group: Pid) -> ();
        instead: set_controlling_tty(terminal: Fd) -> ();
        instead: tcsetpgrp(terminal: Fd) -> ();
        instead: set_nice(nice: i32) -> ();
        instead: set_groups(groups: &[u32]) -> ();
        instead: set_gid(gid: u32) -> ();
        instead: set_uid(uid: u32) -> ();
        instead: execve(path: &CStr, argv: CStrArray<'_>, env: Option<CStrArray<'_>>) -> S::Executed;
    }

    fn descriptor_limit(&self) -> Result<u64, Errno> {
        let limit = || self.limit.map_or_else(|| self.inner.descriptor_limit(), Ok);
        self.instead("descriptor_limit", limit)
    }

    fn open_max(&self) -> Option<u64> {
        self.inner.open_max()
    }

    /// Counted, and done in any case: umask(2) cannot fail.
    fn set_umask(&self, mask: u32) {
        let _ = self.fault("set_umask".into());
        self.inner.set_umask(mask);
    }

    fn highest_signal(&self) -> Signal {
        self.inner.highest_signal()
    }

    fn getpid(&self) -> Pid {
        self.inner.getpid()
    }

    /// Counted, and done in any case: getppid(2) cannot fail.
    fn getppid(&self) -> Pid {
        let _ = self.fault("parent".into());
        self.inner.getppid()
    }

    /// The parent's acts alone: a child pauses between two tries of its exec.
    fn pause(&self, milliseconds: u8) {
        self.act(Side::Parent, "pause");
        self.inner.pause(milliseconds);
    }

    /// A timed child reads the clock once at the beginning of each stage.
    fn now(&self) -> u64 {
        if let Some(script) = self.script.filter(|_| self.in_child.load(Ordering::Relaxed)) {
            script.begin_stage();
        }
        self.inner.now()
    }
}

// SAFETY: each method fails with an errno, or makes the call of `S`, which meets the requirements.
unsafe impl<S: LinuxSys> LinuxSys for Failing<S> {
    calls! {
        instead: close_range(first: u32, last: u32) -> ();
        instead: close_range_unshare(first: u32, last: u32) -> ();
        instead: close_range_cloexec(first: u32, last: u32) -> ();
        instead: unshare_files() -> ();
        instead: getdents64(directory: Fd, records: &mut [u8]) -> usize;
        instead: is_on_procfs(fd: Fd) -> bool;
        instead: read_file(path: &CStr, bytes: &mut [u8]) -> usize;
        instead: path_id(path: &CStr) -> FileId;
        instead: open_file(path: &CStr, access: Access) -> Fd;
        instead: open_pidfd_of(thread: Pid, leads: bool) -> Fd;
        instead: pidfd_getfd(pidfd: Fd, fd: Fd) -> Fd;
        instead: join_no_group(child: Pid) -> ();
        instead: set_parent_death_signal(signal: Signal) -> ();
        instead: set_no_new_privs() -> ();
        instead: execveat(program: Fd, argv: CStrArray<'_>, env: Option<CStrArray<'_>>) -> S::Executed;
        instead: affinity(mask: &mut [c_ulong]) -> usize;
        instead: memory_policy(nodes: &mut [c_ulong]) -> i32;
        instead: capget() -> CapabilityMasks;
        instead: attribute(call: AttributeCall<'_>) -> u64;
    }

    fn release(&self) -> Release {
        self.release.map_or_else(|| self.inner.release(), |(release, _)| release)
    }

    fn kernel_release(&self) -> Result<[u8; 65], Errno> {
        self.inner.kernel_release()
    }

    fn is_filtered(&self) -> Result<bool, Errno> {
        self.release.map_or_else(|| self.inner.is_filtered(), |(_, is_filtered)| Ok(is_filtered))
    }
}

// SAFETY: each method fails with an errno, or makes the call of `S`, which meets the requirements.
unsafe impl<S: ParentSys> ParentSys for Failing<S> {
    calls! {
        instead: pipe() -> (Fd, Fd);
        instead: read(fd: Fd, buffer: &mut [u8]) -> usize;
        instead: readable(fd: Fd, milliseconds: u8) -> bool;
        instead: kill(pid: Pid, signal: Signal) -> ();
        instead: block_signals() -> SignalSet;
        instead: map_shared(length: usize) -> NonNull<u8>;
    }

    fn disable_cancellation(&self) -> c_int {
        self.inner.disable_cancellation()
    }

    fn restore_cancellation(&self, state: c_int) {
        self.inner.restore_cancellation(state);
    }

    unsafe fn fork(&self) -> Result<Option<Pid>, Errno> {
        // SAFETY: the caller's promise.
        let forked = self.instead("fork", || unsafe { self.inner.fork() });
        if forked == Ok(None) {
            self.be_child();
        }
        forked
    }

    fn exit(&self, status: i32) -> ! {
        self.inner.exit(status)
    }

    fn has_ended(&self, child: Pid) -> bool {
        self.inner.has_ended(child)
    }

    /// If interrupted, it has done nothing. `ECHILD` means that other code reaped the child (wait(2), ERRORS).
    fn wait(&self, pid: Pid) -> Result<i32, Errno> {
        match self.fault("wait".into()) {
            Err(Errno::INTR) => Err(Errno::INTR),
            fault => fault.and(self.inner.wait(pid)),
        }
    }

    unsafe fn unmap(&self, memory: NonNull<u8>, length: usize) {
        note(&self.mapped, |mapped| {
            for (address, mapped) in &mut *mapped {
                if *address == memory.addr().get() {
                    (*address, *mapped) = (*address + length, *mapped - length);
                }
            }
            mapped.retain(|(_, length)| *length > 0);
        });
        // SAFETY: the caller's promise.
        unsafe { self.inner.unmap(memory, length) }
    }
}

// SAFETY: each method fails with an errno, or makes the call of `S`, which meets the requirements.
unsafe impl<S: CloneSys> CloneSys for Failing<S> {
    calls! {
        instead: open_pidfd(child: Pid) -> Fd;
        instead: set_mask_of(child: Pid, mask: SignalSet) -> ();
        instead: detach(child: Pid, signal: Signal) -> ();
        instead: pidfd_exit_status(pidfd: Fd) -> Option<c_int>;
        instead: reap_by_pidfd(pidfd: Fd) -> Option<c_int>;
        instead: find_unexecuted(pidfd: Fd) -> ();
    }

    fn gettid(&self) -> Pid {
        self.inner.gettid()
    }

    fn reap_unexecuted(&self, child: Pid) -> Result<Option<c_int>, Errno> {
        let reap = || if self.announces_exec { self.inner.reap_unexecuted(child) } else { Ok(None) };
        self.instead(Made::new("reap_unexecuted", &[child]), reap)
    }

    fn signal_that_ended(&self, child: Pid) -> Option<Signal> {
        self.inner.signal_that_ended(child)
    }

    fn poll_pidfd(&self, pidfd: Fd, event: PidfdEvent, milliseconds: Option<u8>) -> Result<bool, Errno> {
        self.instead(Made::new("poll_pidfd", &[pidfd]), || self.inner.poll_pidfd(pidfd, event, milliseconds))
    }

    unsafe fn start(&self, start: Start, top: Top, child: &dyn Fn() -> c_int) -> Result<Started, Errno> {
        note(&self.starts, |starts| starts.push(start));
        if let Some(errno) = (self.refuse)(start) {
            return Err(errno);
        }
        let made = Made::new("start", &[i32::from(start.pidfd), i32::from(start.cgroup.is_some())]);
        // SAFETY: the caller's promise.
        let call = |live: Child<'_>| unsafe { self.inner.start(start, top, live) };
        // SAFETY: as above.
        unsafe { self.start_child(made, start, top, child, &call) }
    }

    unsafe fn run_thread(&self, top: Top, thread: &dyn Fn() -> c_int) -> Result<(), Errno> {
        let live = || {
            self.be_child();
            thread()
        };
        // SAFETY: the caller's promise; storing a byte adds nothing to what the thread calls.
        let ran = self.instead("run_thread", || unsafe { self.inner.run_thread(top, &live) });
        self.in_child.store(false, Ordering::Relaxed);
        ran
    }

    fn action(&self, signal: Signal) -> Result<KernelAction, Errno> {
        self.inner.action(signal)
    }

    unsafe fn set_action(&self, signal: Signal, action: &KernelAction) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { self.inner.set_action(signal, action) }
    }

    fn lowest_realtime_signal(&self) -> Signal {
        self.inner.lowest_realtime_signal()
    }
}

// SAFETY: each method fails with an errno, or makes the call of `S`, which meets the requirements.
unsafe impl<S: SharingSys> SharingSys for Failing<S> {
    calls! {
        instead: is_dumpable() -> bool;
        instead: make_dumpable() -> ();
    }

    fn is_sanitized(&self) -> bool {
        self.sanitized
    }

    fn map_private(&self, length: usize) -> Result<NonNull<u8>, Errno> {
        self.stack.store(length, Ordering::Relaxed);
        let memory = self.instead("map_private", || self.inner.map_private(length))?;
        note(&self.mapped, |mapped| mapped.push((memory.addr().get(), length)));
        Ok(memory)
    }

    unsafe fn mprotect_none(&self, memory: NonNull<u8>, length: usize) -> Result<(), Errno> {
        self.stack.fetch_sub(length, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        self.instead("forbid", || unsafe { self.inner.mprotect_none(memory, length) })
    }
}

impl<S> Failing<S> {
    /// The child shares this value, which is on the child's side until the parent continues.
    ///
    /// # Safety
    ///
    /// As for the call that starts a child on this stack.
    unsafe fn start_child(
        &self,
        made: Made,
        start: Start,
        top: Top,
        child: &dyn Fn() -> c_int,
        call: &dyn Fn(Child<'_>) -> Result<Started, Errno>,
    ) -> Result<Started, Errno> {
        let live = || {
            self.be_child();
            child()
        };
        let stack = Paint { top: top.cast(), length: self.stack.load(Ordering::Relaxed) };
        if self.most_used.is_some() {
            // SAFETY: the caller's promise: nothing is on it.
            unsafe { stack.paint() };
        }
        // Storing a byte adds nothing to the child's calls.
        let started = self.instead(made, || match self.copies {
            // SAFETY: the caller's promise.
            Some(copies) => unsafe { copies.start(start, &live) },
            None => call(&live),
        });
        self.in_child.store(false, Ordering::Relaxed);
        if let Some(most) = &self.most_used {
            // SAFETY: it was painted, and the child does not share this memory any more.
            most.fetch_max(unsafe { stack.touched() }, Ordering::Relaxed);
        }
        started
    }
}

// SAFETY: each method fails with an errno, or makes the call of `S`, which meets the requirements.
unsafe impl<S: VforkSys> VforkSys for Failing<S> {
    /// Denied as a call of this name.
    fn has_vfork(&self) -> bool {
        !self.denied.iter().any(|Denied(name, ..)| *name == "has_vfork") && self.inner.has_vfork()
    }

    /// As on BSD, if denied as a call of this name.
    fn limit_changes_memory(&self, resource: Resource) -> bool {
        let as_on_bsd = self.denied.iter().any(|Denied(name, ..)| *name == "limit_changes_memory");
        (as_on_bsd && resource == Resource::STACK) || self.inner.limit_changes_memory(resource)
    }

    unsafe fn vfork(&self, top: Top, child: &dyn Fn() -> c_int) -> Result<Pid, Errno> {
        let call = |live: Child<'_>| {
            // SAFETY: the caller's promise.
            unsafe { self.inner.vfork(top, live) }.map(|pid| Started { pid, pidfd: None })
        };
        // A child of vfork(2) with a copy of the memory is one of fork(2).
        let copied = Start {
            call: Call::Clone,
            pidfd: false,
            shares_table: false,
            exit_signal: true,
            cgroup: None,
            namespaces: NamespaceSet::EMPTY,
            autoreap: None,
            no_new_privs: false,
        };
        // SAFETY: as above.
        unsafe { self.start_child("vfork".into(), copied, top, child, &call) }.map(|started| started.pid)
    }
}

// SAFETY: as above.
unsafe impl<S: PosixSys> PosixSys for Failing<S> {
    calls! {
        instead: read_directory(directory: Fd, records: &mut [u8]) -> usize;
    }
}

/// Waiting for a lock may change the errno of the thread, which is looked at.
fn note<T>(list: &Mutex<T>, change: impl FnOnce(&mut T)) {
    let before = ThreadErrno::last_raw();
    change(&mut list.lock().unwrap_or_else(PoisonError::into_inner));
    ThreadErrno::set_raw(before);
}

/// A stack full of one byte.
struct Paint {
    top: NonNull<u8>,
    length: usize,
}

impl Paint {
    const COLOUR: u8 = 0xA5;

    /// # Safety
    ///
    /// So many bytes below the top are a stack that has nothing on it.
    unsafe fn paint(&self) {
        // SAFETY: the caller's promise.
        let bottom = unsafe { self.top.byte_sub(self.length) };
        // SAFETY: as above.
        unsafe { bottom.write_bytes(Self::COLOUR, self.length) };
    }

    /// Returns how many bytes lie above the lowest changed one.
    ///
    /// # Safety
    ///
    /// The stack was painted, and no code uses it.
    unsafe fn touched(&self) -> usize {
        // SAFETY: the caller's promise.
        let bottom = unsafe { self.top.byte_sub(self.length) };
        // SAFETY: as above.
        let bytes = unsafe { std::slice::from_raw_parts(bottom.as_ptr(), self.length) };
        bytes.iter().position(|&byte| byte != Self::COLOUR).map_or(0, |lowest| self.length - lowest)
    }
}
