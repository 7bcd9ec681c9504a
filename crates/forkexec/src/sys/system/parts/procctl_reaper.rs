//! FreeBSD's reapers: procctl(2), with the structures of `sys/procctl.h`.

use crate::sys::orphans::{Calls, Descendant, Sent};
use std::io;
use std::ptr;

/// True if the system has such reapers.
pub(crate) const IS_THERE: bool = true;

/// The real kernel.
pub(crate) struct Kernel;

/// `struct procctl_reaper_kill`.
#[repr(C)]
struct Kill {
    signal: libc::c_int,
    flags: libc::c_uint,
    subtree: libc::pid_t,
    killed: libc::c_uint,
    failed: libc::pid_t,
    padding: [libc::c_uint; 15],
}

/// `struct procctl_reaper_pidinfo`.
#[repr(C)]
#[derive(Clone, Copy)]
struct PidInfo {
    pid: libc::pid_t,
    subtree: libc::pid_t,
    flags: libc::c_uint,
    padding: [libc::c_uint; 15],
}

/// `struct procctl_reaper_pids`.
#[repr(C)]
struct Pids {
    count: libc::c_uint,
    padding: [libc::c_uint; 15],
    found: *mut PidInfo,
}

const REAPER_KILL_SUBTREE: libc::c_uint = 2;
const REAPER_PIDINFO_VALID: libc::c_uint = 1;
const REAPER_PIDINFO_CHILD: libc::c_uint = 2;

fn control(command: libc::c_int, data: *mut libc::c_void) -> io::Result<()> {
    // SAFETY: getpid(2) has no preconditions.
    let own = unsafe { libc::getpid() };
    // SAFETY: `data` is null, or points to the structure that the command takes. The structure and what it
    // points to outlive the call.
    if unsafe { libc::procctl(libc::P_PID, own.into(), command, data) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

impl Calls for Kernel {
    fn acquire(&self) -> io::Result<()> {
        match control(libc::PROC_REAP_ACQUIRE, ptr::null_mut()) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(()),
            acquired => acquired,
        }
    }

    fn signal(&self, child: i32, signal: i32) -> io::Result<Sent> {
        let mut kill = Kill {
            signal,
            flags: REAPER_KILL_SUBTREE,
            subtree: child,
            killed: 0,
            failed: 0,
            padding: [0; 15],
        };
        control(libc::PROC_REAP_KILL, (&raw mut kill).cast())?;
        let count = usize::try_from(kill.killed).unwrap_or(usize::MAX);
        // -1 if there is none: procctl(2).
        Ok(Sent { count, refused: (kill.failed != -1).then_some(kill.failed) })
    }

    fn descendants(&self) -> io::Result<Vec<Descendant>> {
        const NONE: PidInfo = PidInfo { pid: 0, subtree: 0, flags: 0, padding: [0; 15] };
        let mut room = 64;
        loop {
            let mut found = vec![NONE; room];
            let count = libc::c_uint::try_from(room).unwrap_or(libc::c_uint::MAX);
            let mut pids = Pids { count, padding: [0; 15], found: found.as_mut_ptr() };
            control(libc::PROC_REAP_GETPIDS, (&raw mut pids).cast())?;
            let filled = found.iter().take_while(|it| it.flags & REAPER_PIDINFO_VALID != 0).count();
            if filled == room {
                // There may be more.
                room *= 2;
                continue;
            }
            let describe = |it: &PidInfo| Descendant {
                pid: it.pid,
                subtree: it.subtree,
                is_child: it.flags & REAPER_PIDINFO_CHILD != 0,
            };
            return Ok(found[..filled].iter().map(describe).collect());
        }
    }

    fn await_end(&self, child: i32) -> io::Result<()> {
        crate::sys::waitid::await_end(child)
    }

    fn take_status(&self, child: i32) -> io::Result<()> {
        // SAFETY: waitpid(2) writes no status to a null pointer.
        let taken = unsafe { libc::waitpid(child, ptr::null_mut(), libc::WNOHANG) };
        if taken >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::ECHILD) { Ok(()) } else { Err(error) }
    }
}
