//! clone3(2) and clone(2) for a child that runs on a stack of its own.

use super::call::{Word, done, errno, int};
use super::{pidfd, signals};
use crate::{Call, CloneSys, Kernel, KernelAction, PidfdEvent, Start, Started};
use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};
use forkexec_core::{Autoreap, Errno, Fd, Namespace, Pid, SharingSys, Signal, SignalSet, Sys, Top};

// SAFETY: each method makes the call that the trait names. `start` returns only in the parent, after the child has executed a
// program or ended.
unsafe impl CloneSys for Kernel {
    unsafe fn start(&self, start: Start, top: Top, child: &dyn Fn() -> c_int) -> Result<Started, Errno> {
        // The child has no thread-local memory of its own, so its calls change the errno of this thread.
        let before = ::errno::errno();
        let mut pidfd: Fd = -1;
        let argument = (&raw const child).cast_mut().cast::<c_void>();
        let pid = match start.call {
            // SAFETY: the caller promises it. `argument` outlives the call: the parent returns from it only when the child
            // no longer shares its memory.
            Call::Clone3 => unsafe { clone3(start, top, &mut pidfd, argument) },
            // SAFETY: as above.
            Call::Clone => unsafe { clone(start, top, &mut pidfd, argument) },
        };
        ::errno::set_errno(before);
        // A kernel without CLONE_PIDFD does not write the number.
        Ok(Started { pid: pid?, pidfd: (pidfd >= 0).then_some(pidfd) })
    }

    unsafe fn run_thread(&self, top: Top, thread: &dyn Fn() -> c_int) -> Result<(), Errno> {
        let before = ::errno::errno();
        let argument = (&raw const thread).cast_mut().cast::<c_void>();
        let flags = libc::CLONE_VM
            | libc::CLONE_VFORK
            | libc::CLONE_THREAD
            | libc::CLONE_SIGHAND
            | libc::CLONE_SYSVSEM;
        let thread = if cfg!(target_env = "musl") {
            // musl's clone(3) refuses `CLONE_THREAD`.
            let args = CloneArgs::new(u64::from(flags.unsigned_abs()), top);
            // SAFETY: as below.
            unsafe { clone3_call(&args, run, argument) }
        } else {
            // SAFETY: the caller guarantees the state of stack and signals. `argument` outlives the call, which returns when the
            // thread does not use this process's memory any more.
            int(unsafe { libc::clone(run, top.as_ptr(), flags, argument) }.word())
        };
        let ended = thread.map(|thread| wait_for_thread(self.getpid(), thread));
        ::errno::set_errno(before);
        ended
    }

    fn action(&self, signal: Signal) -> Result<KernelAction, Errno> {
        signals::action(signal)
    }

    unsafe fn set_action(&self, signal: Signal, action: &KernelAction) -> Result<(), Errno> {
        // SAFETY: the caller guarantees the conditions.
        unsafe { signals::set_action(signal, action) }
    }

    fn lowest_realtime_signal(&self) -> Signal {
        libc::SIGRTMIN()
    }

    fn gettid(&self) -> Pid {
        // SAFETY: reads an attribute of the calling thread, and changes nothing.
        int(unsafe { syscall!(libc::SYS_gettid) }).unwrap_or(0)
    }

    fn reap_unexecuted(&self, child: Pid) -> Result<Option<c_int>, Errno> {
        // The usual result is an error, so a successful start must restore errno.
        let before = ::errno::errno();
        let mut status: c_int = 0;
        let usage: *mut u8 = ptr::null_mut();
        let options = libc::WNOHANG | libc::__WCLONE;
        // SAFETY: the kernel writes one int. The pointer for the usage is null. The C library's wait4 is a cancellation point.
        let reaped = int(unsafe { syscall!(libc::SYS_wait4, child, &raw mut status, options, usage) });
        ::errno::set_errno(before);
        Ok((reaped? != 0).then_some(status))
    }

    fn open_pidfd(&self, child: Pid) -> Result<Fd, Errno> {
        // SAFETY: opens a descriptor of a process, and does nothing to it. The caller owns the descriptor.
        int(unsafe { syscall!(libc::SYS_pidfd_open, child, 0_i32) })
    }

    fn set_mask_of(&self, child: Pid, mask: SignalSet) -> Result<(), Errno> {
        // It fails until the child has stopped, so a successful start must restore errno.
        let before = ::errno::errno();
        let done = signals::set_mask_of(child, mask);
        ::errno::set_errno(before);
        done
    }

    fn detach(&self, child: Pid, signal: Signal) -> Result<(), Errno> {
        // SAFETY: the arguments are numbers, and the kernel refuses a process that this thread does not trace.
        done(unsafe { syscall!(libc::SYS_ptrace, libc::PTRACE_DETACH, child, 0_i32, signal) })
    }

    fn signal_that_ended(&self, child: Pid) -> Option<Signal> {
        let about = super::look_at(child).ok()?;
        let is_killed = matches!(about.si_code, libc::CLD_KILLED | libc::CLD_DUMPED);
        // SAFETY: waitid fills the status of a child that a signal ended.
        is_killed.then(|| unsafe { about.si_status() })
    }

    fn pidfd_exit_status(&self, pidfd: Fd) -> Result<Option<c_int>, Errno> {
        pidfd::exit_status(pidfd)
    }

    fn poll_pidfd(&self, pidfd: Fd, event: PidfdEvent, milliseconds: Option<u8>) -> Result<bool, Errno> {
        pidfd::poll(pidfd, event, milliseconds)
    }

    fn reap_by_pidfd(&self, pidfd: Fd) -> Result<Option<c_int>, Errno> {
        pidfd::reap(pidfd)
    }

    fn find_unexecuted(&self, pidfd: Fd) -> Result<(), Errno> {
        pidfd::find_unexecuted(pidfd)
    }
}

// SAFETY: each method makes the call that the trait names. The mapping of `map_private` stays until `unmap`.
unsafe impl SharingSys for Kernel {
    fn is_dumpable(&self) -> Result<bool, Errno> {
        // SAFETY: reads an attribute of the calling process, and changes nothing.
        int(unsafe { syscall!(libc::SYS_prctl, libc::PR_GET_DUMPABLE, 0_i32, 0_i32, 0_i32, 0_i32) })
            .map(|how| how == 1)
    }

    fn make_dumpable(&self) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { syscall!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1_i32, 0_i32, 0_i32, 0_i32) })
    }

    fn is_sanitized(&self) -> bool {
        forkexec_core::is_sanitized!()
    }

    fn map_private(&self, length: usize) -> Result<NonNull<u8>, Errno> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let memory = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(errno());
        }
        NonNull::new(memory.cast()).ok_or(Errno::NOMEM)
    }

    unsafe fn mprotect_none(&self, memory: NonNull<u8>, length: usize) -> Result<(), Errno> {
        // SAFETY: the caller guarantees the conditions.
        done(unsafe { syscall!(libc::SYS_mprotect, memory.as_ptr(), length, libc::PROT_NONE) })
    }
}

/// The main function of the child. `argument` points to the `&dyn Fn` of [`CloneSys::start`].
extern "C" fn child_main(argument: *mut c_void) -> c_int {
    // SAFETY: `CloneSys::start` made it of a reference in its own frame, which exists while the parent is suspended in the
    // call. If the parent is not suspended, this process has a copy of that memory.
    let child = unsafe { *argument.cast::<&dyn Fn() -> c_int>() };
    let status = child();
    loop {
        // SAFETY: ends the child, and not the thread whose memory it shares. `_exit` of the C library does not return, and
        // AddressSanitizer cleans the stack of the thread before a call of such a function.
        unsafe { syscall!(libc::SYS_exit_group, status) };
    }
}

/// As [`child_main`], for a thread of [`CloneSys::run_thread`].
extern "C" fn run(argument: *mut c_void) -> c_int {
    // SAFETY: `CloneSys::run_thread` made it from a reference in its own frame, which stays while the caller is suspended.
    let thread = unsafe { *argument.cast::<&dyn Fn() -> c_int>() };
    let status = thread();
    loop {
        // SAFETY: ends this thread alone.
        unsafe { syscall!(libc::SYS_exit, status) };
    }
}

/// Waits until the kernel has closed the descriptors of a thread whose code has ended.
///
/// `CLONE_VFORK` waits only for the memory. The kernel closes the descriptors next, and then removes the thread
/// (`do_exit` in kernel/exit.c).
fn wait_for_thread(process: Pid, thread: Pid) {
    for _ in 0..MOST_YIELDS {
        // SAFETY: signal 0 does nothing to the thread.
        let found = done(unsafe { syscall!(libc::SYS_tgkill, process, thread, 0_i32) });
        if found == Err(Errno::SRCH) {
            return;
        }
        // SAFETY: lets other threads run, and touches no memory.
        unsafe { syscall!(libc::SYS_sched_yield) };
    }
}

/// A bound, because another thread of this process may get the same number in the meantime.
const MOST_YIELDS: u32 = 10_000;

/// The termination signal, which clone(2) takes in the lowest byte of its flags.
fn termination(start: Start) -> c_int {
    if start.exit_signal { libc::SIGCHLD } else { 0 }
}

fn flags(start: Start) -> c_int {
    let wanted = [(start.pidfd, libc::CLONE_PIDFD), (start.shares_table, libc::CLONE_FILES)];
    let wanted = wanted.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, flag)| flag);
    let namespaces = start.namespaces.iter().map(flag);
    wanted.chain(namespaces).fold(libc::CLONE_VM | libc::CLONE_VFORK, |flags, flag| flags | flag)
}

/// # Safety
///
/// As [`CloneSys::start`], and `argument` is that of [`child_main`].
unsafe fn clone(start: Start, top: Top, pidfd: &mut Fd, argument: *mut c_void) -> Result<Pid, Errno> {
    let flags = flags(start) | termination(start);
    // SAFETY: the caller promises the stack and blocked signals, and `child_main` gets its argument. The kernel writes the
    // descriptor to `pidfd`, which is borrowed for the call.
    let pid = unsafe { libc::clone(child_main, top.as_ptr(), flags, argument, ptr::from_mut(pidfd)) };
    int(pid.word())
}

/// `linux/sched.h`: handled signals get their default action. The flag does not fit into the 32 bits of clone(2).
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
/// `linux/sched.h`: the child is created in a control group.
const CLONE_INTO_CGROUP: u64 = 1 << 33;
/// `linux/sched.h`, Linux 7.1: the kernel reaps the child when it ends.
const CLONE_AUTOREAP: u64 = 1 << 34;
/// `linux/sched.h`, Linux 7.1: the child has no-new-privs.
const CLONE_NNP: u64 = 1 << 35;
/// `linux/sched.h`, Linux 7.1: the child is killed when the last copy of its pidfd is closed.
const CLONE_PIDFD_AUTOKILL: u64 = 1 << 36;

/// The flags that do not fit into the 32 bits of clone(2).
fn high_flags(start: Start) -> u64 {
    let autoreap = match start.autoreap {
        None => 0,
        Some(Autoreap::Reap) => CLONE_AUTOREAP,
        Some(Autoreap::ReapAndKill) => CLONE_AUTOREAP | CLONE_PIDFD_AUTOKILL,
    };
    let wanted = [(start.cgroup.is_some(), CLONE_INTO_CGROUP), (start.no_new_privs, CLONE_NNP)];
    let wanted = wanted.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, flag)| flag);
    wanted.fold(CLONE_CLEAR_SIGHAND | autoreap, |flags, flag| flags | flag)
}

/// `struct clone_args` of clone3(2). A field that a kernel does not know must be zero or left out.
#[repr(C, align(8))]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    /// This and the following fields are from Linux 5.5 and 5.7.
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

impl CloneArgs {
    /// The size of the first version, which suffices without a control group.
    const FIRST: usize = 64;

    /// A call with these flags, and a stack that begins at `top`.
    fn new(flags: u64, top: Top) -> Self {
        /// The kernel adds it to the address of the stack, and requires that it is not zero.
        const STACK_SIZE: usize = 16;
        Self {
            flags,
            pidfd: 0,
            child_tid: 0,
            parent_tid: 0,
            exit_signal: 0,
            stack: address(top.as_ptr()).wrapping_sub(STACK_SIZE as u64),
            stack_size: STACK_SIZE as u64,
            tls: 0,
            set_tid: 0,
            set_tid_size: 0,
            cgroup: 0,
        }
    }

    fn size(&self) -> usize {
        if self.flags & CLONE_INTO_CGROUP == 0 { Self::FIRST } else { size_of::<Self>() }
    }
}

/// The main function of a child or a thread. It does not return.
type Main = extern "C" fn(*mut c_void) -> c_int;

/// # Safety
///
/// As [`CloneSys::start`], and `argument` is that of [`child_main`].
unsafe fn clone3(start: Start, top: Top, pidfd: &mut Fd, argument: *mut c_void) -> Result<Pid, Errno> {
    let args = CloneArgs {
        pidfd: address(ptr::from_mut(pidfd)),
        exit_signal: u64::from(termination(start).unsigned_abs()),
        cgroup: start.cgroup.map_or(0, |directory| u64::from(directory.unsigned_abs())),
        ..CloneArgs::new(u64::from(flags(start).unsigned_abs()) | high_flags(start), top)
    };
    // SAFETY: the caller promises the stack and blocked signals.
    unsafe { clone3_call(&args, child_main, argument) }
}

/// Makes the call. The child continues with `main` on the stack of `args`, and never returns to this frame.
///
/// # Safety
///
/// As [`CloneSys::start`], and `argument` is that of `main`.
unsafe fn clone3_call(args: &CloneArgs, main: Main, argument: *mut c_void) -> Result<Pid, Errno> {
    // SAFETY: the caller promises the stack and blocked signals. The structure has this size, and the memory that it points to
    // is borrowed for the call.
    let result = unsafe { clone3_raw(args, args.size(), main, argument) };
    match c_int::try_from(result) {
        Ok(pid) if pid >= 0 => Ok(pid),
        Ok(errno) => Err(Errno::from_raw(errno.wrapping_neg())),
        Err(_) => Err(Errno::INVAL),
    }
}

/// The kernel uses the address as a pointer: it writes a descriptor there, or the child uses it as its stack.
fn address<T>(pointer: *mut T) -> u64 {
    pointer.expose_provenance() as u64
}

/// The instructions of [`clone3_call`].
///
/// # Safety
///
/// As [`clone3_call`].
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
unsafe fn clone3_raw(args: &CloneArgs, size: usize, main: Main, argument: *mut c_void) -> i64 {
    let result;
    // SAFETY: in the parent this is a system call like any other, which changes rax, rcx and r11. The child has the same
    // registers except for rax and its stack, which is empty and aligned to 16 bytes, as the caller promises. It leaves this
    // block by jumping to `main`, which does not return. Its return address and rbp are zero, where unwinding ends.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "push 0",
            "jmp r13",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") ptr::from_ref(args),
            in("rsi") size,
            in("r12") argument,
            in("r13") main,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// Does the same for AArch64. x29 and x30 are the frame and the return address.
///
/// # Safety
///
/// As [`clone3_call`].
#[cfg(target_arch = "aarch64")]
unsafe fn clone3_raw(args: &CloneArgs, size: usize, main: Main, argument: *mut c_void) -> i64 {
    let result;
    // SAFETY: as for x86_64. The call changes x0 alone. The child has `main` and its argument in x21 and x20.
    unsafe {
        core::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x20",
            "br x21",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") ptr::from_ref(args) => result,
            in("x1") size,
            in("x20") argument,
            in("x21") main,
        );
    }
    result
}

/// Does the same for RISC-V. ra is the return address.
///
/// # Safety
///
/// As [`clone3_call`].
#[cfg(target_arch = "riscv64")]
unsafe fn clone3_raw(args: &CloneArgs, size: usize, main: Main, argument: *mut c_void) -> i64 {
    let result;
    // SAFETY: as for x86_64. The call changes a0 alone. The child has `main` and its argument in s3 and s2.
    unsafe {
        core::arch::asm!(
            "ecall",
            "bnez a0, 2f",
            "mv ra, zero",
            "mv a0, s2",
            "jr s3",
            "2:",
            in("a7") libc::SYS_clone3,
            inlateout("a0") ptr::from_ref(args) => result,
            in("a1") size,
            in("s2") argument,
            in("s3") main,
        );
    }
    result
}

/// On other architectures the launcher uses clone(2) alone.
///
/// # Safety
///
/// Nothing is done.
#[cfg(not(any(
    all(target_arch = "x86_64", target_pointer_width = "64"),
    target_arch = "aarch64",
    target_arch = "riscv64"
)))]
unsafe fn clone3_raw(_args: &CloneArgs, _size: usize, _main: Main, _argument: *mut c_void) -> i64 {
    -i64::from(libc::ENOSYS)
}

/// The flag of clone(2) and unshare(2) that creates a namespace (`linux/sched.h`).
pub(super) const fn flag(namespace: Namespace) -> c_int {
    match namespace {
        Namespace::Time => 0x0000_0080,
        Namespace::Mount => 0x0002_0000,
        Namespace::Cgroup => 0x0200_0000,
        Namespace::Uts => 0x0400_0000,
        Namespace::Ipc => 0x0800_0000,
        Namespace::User => 0x1000_0000,
        Namespace::Pid => 0x2000_0000,
        Namespace::Net => 0x4000_0000,
        // A kind that this backend does not know: the kernel refuses two flags that exclude each other (`CLONE_NEWNS`, `CLONE_FS`).
        _ => 0x0002_0200,
    }
}

#[cfg(test)]
mod tests {
    use super::{Autoreap, Call, Start, high_flags};
    use forkexec_core::NamespaceSet;
    use rstest::rstest;

    const PLAIN: Start = Start {
        call: Call::Clone3,
        pidfd: true,
        shares_table: true,
        exit_signal: false,
        cgroup: None,
        namespaces: NamespaceSet::EMPTY,
        autoreap: None,
        no_new_privs: false,
    };

    /// The bits of `linux/sched.h`. The first clears the handlers.
    #[rstest]
    #[case::plain(PLAIN, &[32])]
    #[case::cgroup(Start { cgroup: Some(9), ..PLAIN }, &[32, 33])]
    #[case::reaped(Start { autoreap: Some(Autoreap::Reap), ..PLAIN }, &[32, 34])]
    #[case::no_new_privs(Start { no_new_privs: true, ..PLAIN }, &[32, 35])]
    #[case::killed(Start { autoreap: Some(Autoreap::ReapAndKill), ..PLAIN }, &[32, 34, 36])]
    fn flags_beyond_those_of_clone_have_their_bits(#[case] start: Start, #[case] bits: &[u32]) {
        assert_eq!(high_flags(start), bits.iter().map(|bit| 1 << bit).sum::<u64>());
    }
}
