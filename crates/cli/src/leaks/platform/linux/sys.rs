//! Bindings for tracing: one system call each, and its result.
//!
//! nix has most of them, but no real-time signals: it can neither report nor deliver one.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_int, c_long, c_ulong, pid_t, sock_filter};

/// The type of a request, which differs between C libraries. Some do not name all requests, so these are the numbers of
/// linux/ptrace.h.
#[cfg(target_env = "gnu")]
type Request = libc::c_uint;
#[cfg(not(target_env = "gnu"))]
type Request = c_int;

const CONTINUE: Request = 7;
const TO_NEXT_CALL: Request = 24;
const GET_EVENT_MESSAGE: Request = 0x4201;
const SEIZE: Request = 0x4206;
const INTERRUPT: Request = 0x4207;
const LISTEN: Request = 0x4208;
const GET_SYSCALL_INFO: Request = 0x420e;

/// `PTRACE_O_*`: distinguishes stops at calls from traps, traces children, too, and kills all tracees if the tracer dies.
const OPTIONS: c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEEXIT
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_EXITKILL;

/// `KCMP_FILES` of linux/kcmp.h.
const SAME_TABLE: c_int = 2;

/// The point up to which a stopped task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// The next event.
    Event,
    /// The next beginning or end of a system call, or event.
    Call,
}

/// A system call at which a task is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syscall {
    /// The call begins.
    Begins { number: c_long, args: [u64; 6] },
    /// The call ends with this result, which is a negative error number if it failed.
    Ends { result: i64 },
    /// The task is stopped for another reason.
    None,
}

/// `struct ptrace_syscall_info` of linux/ptrace.h, with its union: the number and the arguments, or the result.
#[repr(C)]
#[derive(Default)]
struct SyscallInfo {
    op: u8,
    padding: [u8; 3],
    arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    number_or_result: i64,
    words: [u64; 7],
}

/// `PTRACE_SYSCALL_INFO_*`.
const OP_ENTRY: u8 = 1;
const OP_EXIT: u8 = 2;
const OP_SECCOMP: u8 = 3;

/// Starts tracing a process, which keeps running.
pub(super) fn seize(pid: pid_t) -> io::Result<()> {
    // SAFETY: the call accesses no memory: the data are options.
    check(unsafe { libc::ptrace(SEIZE, pid, ptr::null_mut::<u8>(), c_long::from(OPTIONS)) })
}

/// Stops a traced task.
pub(super) fn interrupt(tid: pid_t) -> io::Result<()> {
    // SAFETY: the call accesses no memory.
    check(unsafe { libc::ptrace(INTERRUPT, tid, ptr::null_mut::<u8>(), ptr::null_mut::<u8>()) })
}

/// Lets a stopped task run, and delivers a signal to it. 0 is no signal.
pub(super) fn resume(tid: pid_t, until: Until, signal: c_int) -> io::Result<()> {
    let request = match until {
        Until::Event => CONTINUE,
        Until::Call => TO_NEXT_CALL,
    };
    // SAFETY: the call accesses no memory: the data are a signal.
    check(unsafe { libc::ptrace(request, tid, ptr::null_mut::<u8>(), c_long::from(signal)) })
}

/// Leaves a task stopped after a stop signal, until `SIGCONT`.
pub(super) fn leave_stopped(tid: pid_t) -> io::Result<()> {
    // SAFETY: the call accesses no memory.
    check(unsafe { libc::ptrace(LISTEN, tid, ptr::null_mut::<u8>(), ptr::null_mut::<u8>()) })
}

/// Returns the message of the event at which a task is stopped: the id of the other task.
pub(super) fn event_message(tid: pid_t) -> io::Result<pid_t> {
    let mut message: c_ulong = 0;
    // SAFETY: the call writes one unsigned long.
    check(unsafe { libc::ptrace(GET_EVENT_MESSAGE, tid, ptr::null_mut::<u8>(), &raw mut message) })?;
    pid_t::try_from(message).map_err(io::Error::other)
}

/// Returns the system call at which a task is stopped.
pub(super) fn syscall(tid: pid_t) -> io::Result<Syscall> {
    let mut info = SyscallInfo::default();
    // SAFETY: the call writes at most `size_of::<SyscallInfo>()` bytes.
    check(unsafe { libc::ptrace(GET_SYSCALL_INFO, tid, size_of::<SyscallInfo>(), &raw mut info) })?;
    let [args @ .., _] = info.words;
    Ok(match info.op {
        OP_ENTRY | OP_SECCOMP => Syscall::Begins { number: info.number_or_result, args },
        OP_EXIT => Syscall::Ends { result: info.number_or_result },
        _ => Syscall::None,
    })
}

/// Waits for the next task that stops or ends, without taking its status. Returns `None` if no task is left.
pub(super) fn next() -> io::Result<Option<pid_t>> {
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | libc::__WALL;
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the call writes a `siginfo_t`.
        if unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options) } == 0 {
            // SAFETY: the call succeeded, so it filled the value.
            let info = unsafe { info.assume_init() };
            // SAFETY: waitid fills the field.
            return Ok(Some(unsafe { info.si_pid() }));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// Takes the status of a task that stopped or ended. Returns `None` if it runs again.
pub(super) fn take_status(tid: pid_t) -> Option<c_int> {
    let mut status = 0;
    // SAFETY: the call writes one int.
    let taken = unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL | libc::WNOHANG) };
    (taken == tid).then_some(status)
}

/// Returns true if two tasks share a descriptor table. Fails if the kernel has no kcmp(2), or refuses it.
pub(super) fn share_a_table(one: pid_t, other: pid_t) -> io::Result<bool> {
    // SAFETY: the call accesses no memory.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, one, other, SAME_TABLE, 0, 0) };
    if order < 0 { Err(io::Error::last_os_error()) } else { Ok(order == 0) }
}

/// Installs the filter for this process, which has one thread. Allocates nothing, so a child may call it between fork and
/// exec.
///
/// Without privileges, the filter needs no_new_privs. A traced program gets no privileges by exec anyway.
pub(super) fn filter_calls(program: &[sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let install = || {
        // SAFETY: the kernel reads `len` instructions, and writes none.
        check(unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
        })
    };
    let Err(error) = install() else { return Ok(()) };
    if error.raw_os_error() != Some(libc::EACCES) {
        return Err(error);
    }
    let (yes, none): (c_ulong, c_ulong) = (1, 0);
    // SAFETY: the operation takes no address.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, none, none, none) }.into())?;
    install()
}

fn check(result: c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
