//! The calls that trace: one system call each, and what it answers.
//!
//! nix has most of them, but its signals have no real-time ones among them: it can neither say that one came nor pass it on.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_int, c_long, c_ulong, pid_t, sock_filter};

/// The C libraries disagree on the type of a request, and not all of them name each: these are those of linux/ptrace.h.
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

/// `PTRACE_O_*`: stops at calls are told from traps, children are traced, too, and all that is traced dies with the tracer.
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

/// How far a stopped task runs.
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
    /// It begins.
    Begins { number: c_long, args: [u64; 6] },
    /// It ends with this result, which is a negative error number if it failed.
    Ends { result: i64 },
    /// The task is stopped for something else.
    None,
}

/// `struct ptrace_syscall_info` of linux/ptrace.h, whose union is words here: the number and the arguments, or the result.
#[repr(C)]
#[derive(Default)]
struct SyscallInfo {
    op: u8,
    padding: [u8; 3],
    arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    words: [u64; 8],
}

/// `PTRACE_SYSCALL_INFO_*`.
const OP_ENTRY: u8 = 1;
const OP_EXIT: u8 = 2;
const OP_SECCOMP: u8 = 3;

/// Begins to trace a process, which keeps running.
pub(super) fn seize(pid: pid_t) -> io::Result<()> {
    // SAFETY: no address is read: the data are options.
    check(unsafe { libc::ptrace(SEIZE, pid, ptr::null_mut::<u8>(), c_long::from(OPTIONS)) })
}

/// Stops a task that is traced.
pub(super) fn interrupt(tid: pid_t) -> io::Result<()> {
    // SAFETY: no address is read.
    check(unsafe { libc::ptrace(INTERRUPT, tid, ptr::null_mut::<u8>(), ptr::null_mut::<u8>()) })
}

/// Lets a stopped task run, with a signal delivered to it; 0 is none.
pub(super) fn resume(tid: pid_t, until: Until, signal: c_int) -> io::Result<()> {
    let request = match until {
        Until::Event => CONTINUE,
        Until::Call => TO_NEXT_CALL,
    };
    // SAFETY: no address is read: the data are a signal.
    check(unsafe { libc::ptrace(request, tid, ptr::null_mut::<u8>(), c_long::from(signal)) })
}

/// Leaves a task stopped that a stop signal stopped, until it is continued as any other.
pub(super) fn leave_stopped(tid: pid_t) -> io::Result<()> {
    // SAFETY: no address is read.
    check(unsafe { libc::ptrace(LISTEN, tid, ptr::null_mut::<u8>(), ptr::null_mut::<u8>()) })
}

/// What the event is about at which a task is stopped: the id of the other task.
pub(super) fn event_message(tid: pid_t) -> io::Result<pid_t> {
    let mut message: c_ulong = 0;
    // SAFETY: one unsigned long is written.
    check(unsafe { libc::ptrace(GET_EVENT_MESSAGE, tid, ptr::null_mut::<u8>(), &raw mut message) })?;
    pid_t::try_from(message).map_err(io::Error::other)
}

/// The system call at which a task is stopped.
pub(super) fn syscall(tid: pid_t) -> io::Result<Syscall> {
    let mut info = SyscallInfo::default();
    // SAFETY: at most as many bytes are written as are said to be there, and they are.
    check(unsafe { libc::ptrace(GET_SYSCALL_INFO, tid, size_of::<SyscallInfo>(), &raw mut info) })?;
    let [number, args @ .., _] = info.words;
    Ok(match info.op {
        OP_ENTRY | OP_SECCOMP => Syscall::Begins { number: number.cast_signed(), args },
        OP_EXIT => Syscall::Ends { result: number.cast_signed() },
        _ => Syscall::None,
    })
}

/// The next task that stopped or ended, whose status is left; `None` if there is none left.
pub(super) fn next() -> io::Result<Option<pid_t>> {
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | libc::__WALL;
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: a `siginfo_t` is written.
        if unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options) } == 0 {
            // SAFETY: the call succeeded, so it is filled.
            let info = unsafe { info.assume_init() };
            // SAFETY: a task's number is in it.
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

/// How a task stopped or ended; `None` if it runs again.
pub(super) fn take_status(tid: pid_t) -> Option<c_int> {
    let mut status = 0;
    // SAFETY: one int is written.
    let taken = unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL | libc::WNOHANG) };
    (taken == tid).then_some(status)
}

/// Whether two tasks have one table of descriptors; an error where the kernel does not tell (kcmp(2)).
pub(super) fn share_a_table(one: pid_t, other: pid_t) -> io::Result<bool> {
    // SAFETY: no address is read.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, one, other, SAME_TABLE, 0, 0) };
    if order < 0 { Err(io::Error::last_os_error()) } else { Ok(order == 0) }
}

/// Lets the filter judge the calls of this process, which has one thread, from now on. It allocates nothing: a child between
/// fork and exec may call it.
///
/// Without privilege that takes that exec gives none either, which it does not for a traced program anyway.
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
