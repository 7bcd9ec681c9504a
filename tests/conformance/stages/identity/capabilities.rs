//! Capabilities of the calling thread (capabilities(7)). The C library has no functions for them.

use std::io;

/// `linux/capability.h`: version 3, two words for each set.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `linux/securebits.h`: a change of the user takes no capability.
const NO_SETUID_FIXUP: libc::c_ulong = 1 << 2;

/// Makes a capability one that outlives a change of the user, and exec.
pub(crate) fn make_ambient(capability: u32) -> io::Result<()> {
    change(capability / 32, |sets| sets.inheritable |= 1 << (capability % 32))?;
    let raise = libc::c_ulong::try_from(libc::PR_CAP_AMBIENT_RAISE).expect("a small number");
    // SAFETY: changes the calling process alone, which is the test's own.
    done(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, libc::c_ulong::from(capability), 0, 0) })?;
    without_fixup()
}

/// Gives up the capabilities by which the superuser reads and searches any directory.
pub(crate) fn obey_permission_bits() -> io::Result<()> {
    // `CAP_DAC_OVERRIDE` and `CAP_DAC_READ_SEARCH` of `linux/capability.h`.
    let given_up = (1 << 1) | (1 << 2);
    change(0, |sets| {
        sets.effective &= !given_up;
        sets.permitted &= !given_up;
    })
}

/// Gives up the capability to change the owner of files (`CAP_CHOWN`, 0).
pub(crate) fn give_up_chown() -> io::Result<()> {
    change(0, |sets| {
        sets.effective &= !1;
        sets.permitted &= !1;
    })
}

/// Changes one of the two words of each set.
fn change(word: u32, how: impl FnOnce(&mut Sets)) -> io::Result<()> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut sets = [Sets::default(); 2];
    // SAFETY: both outlive the call, which writes two sets.
    done(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) })?;
    how(&mut sets[word as usize]);
    // SAFETY: as above; they are read.
    done(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) })
}

/// Lets a change of the user take no capability.
pub(crate) fn without_fixup() -> io::Result<()> {
    // SAFETY: changes the calling process alone, which is the test's own.
    done(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0) })
}

/// Lets a change of the user take no permitted capability, up to the next exec.
pub(crate) fn keep() -> io::Result<()> {
    let yes: libc::c_ulong = 1;
    // SAFETY: changes the calling process alone, which is the test's own.
    done(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, yes, 0, 0, 0) })
}

fn done(answer: impl Into<i64>) -> io::Result<()> {
    if answer.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Effective, permitted and ambient capabilities, as `/proc/PID/status` has them.
pub(crate) fn of(status: &str) -> [u64; 3] {
    ["CapEff:", "CapPrm:", "CapAmb:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let digits = line.unwrap_or_else(|| panic!("no {name} in {status}"));
        u64::from_str_radix(digits.trim(), 16).expect("it is hexadecimal")
    })
}
