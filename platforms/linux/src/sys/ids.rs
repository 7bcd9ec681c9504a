//! Changes users, groups and privileges, and verifies each change.
//!
//! A seccomp filter may answer 0 and do nothing (`SECCOMP_RET_ERRNO` with 0, seccomp(2)). Filters that emulate the superuser in
//! a container do so for just these calls. Without the check, the program would run with the IDs of its parent.

use super::attributes::{call, capget};
use super::call::{check, done};
use crate::attributes::capabilities::{NO_CAPABILITY, capabilities};
use crate::attributes::verify;
use crate::{AttributeCall, CapabilityMasks};
use core::ffi::c_long;
use core::ptr;
use forkexec_core::Errno;

/// The 32-bit architectures have a second set of calls for IDs of more than 16 bits (setresuid(2), NOTES).
#[cfg(any(target_arch = "x86", target_arch = "arm", target_arch = "sparc", target_arch = "m68k"))]
mod calls {
    pub(super) use libc::{
        SYS_getgroups32 as GETGROUPS, SYS_getresgid32 as GETRESGID, SYS_getresuid32 as GETRESUID,
        SYS_setgroups32 as SETGROUPS, SYS_setresgid32 as SETRESGID, SYS_setresuid32 as SETRESUID,
    };
}
#[cfg(not(any(target_arch = "x86", target_arch = "arm", target_arch = "sparc", target_arch = "m68k")))]
mod calls {
    pub(super) use libc::{
        SYS_getgroups as GETGROUPS, SYS_getresgid as GETRESGID, SYS_getresuid as GETRESUID,
        SYS_setgroups as SETGROUPS, SYS_setresgid as SETRESGID, SYS_setresuid as SETRESUID,
    };
}

/// Up to so many groups are compared one by one. More would not fit on the stack, so only their number is compared.
const COMPARED: usize = 256;

pub(super) fn set_groups(groups: &[u32]) -> Result<(), Errno> {
    // SAFETY: the kernel reads `len` IDs of 32 bits from the slice.
    done(unsafe { syscall!(calls::SETGROUPS, groups.len(), groups.as_ptr()) })?;
    verify(has_groups(groups)?)
}

pub(super) fn set_gid(gid: u32) -> Result<(), Errno> {
    // SAFETY: changes the calling thread alone, which is the only one of a child. `Kernel::new` allows it.
    done(unsafe { syscall!(calls::SETRESGID, gid, gid, gid) })?;
    // SAFETY: the call is one of the two.
    verify(unsafe { three_ids(calls::GETRESGID) }? == [gid; 3])
}

pub(super) fn set_uid(uid: u32) -> Result<(), Errno> {
    // SAFETY: changes the calling thread alone, which is the only one of a child. `Kernel::new` allows it.
    done(unsafe { syscall!(calls::SETRESUID, uid, uid, uid) })?;
    // SAFETY: the call is one of the two.
    verify(unsafe { three_ids(calls::GETRESUID) }? == [uid; 3])?;
    give_up_ambient_capabilities()
}

pub(super) fn set_no_new_privs() -> Result<(), Errno> {
    // SAFETY: changes the calling process alone, which `Kernel::new` allows.
    done(unsafe { syscall!(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1_i32, 0_i32, 0_i32, 0_i32) })?;
    // SAFETY: reads an attribute of the calling process.
    verify(
        check(unsafe { syscall!(libc::SYS_prctl, libc::PR_GET_NO_NEW_PRIVS, 0_i32, 0_i32, 0_i32, 0_i32) })?
            == 1,
    )
}

/// Returns the real, the effective and the saved ID.
///
/// # Safety
///
/// The call is getresuid(2) or getresgid(2).
unsafe fn three_ids(call: c_long) -> Result<[u32; 3], Errno> {
    let mut ids = [0; 3];
    let [real, effective, saved] = ids.each_mut().map(ptr::from_mut::<u32>);
    // SAFETY: the kernel writes three IDs of 32 bits, each to its place. The caller promises that the call does so.
    done(unsafe { syscall!(call, real, effective, saved) })?;
    Ok(ids)
}

/// The kernel keeps duplicates, and sorts the groups.
fn has_groups(groups: &[u32]) -> Result<bool, Errno> {
    let mut found = [0_u32; COMPARED];
    let room = if groups.len() <= COMPARED { COMPARED } else { 0 };
    // SAFETY: the kernel writes at most `room` IDs of 32 bits. If `room` is 0, it only counts.
    let count = match check(unsafe { syscall!(calls::GETGROUPS, room, found.as_mut_ptr()) }) {
        // There are more groups than there is room for.
        Err(Errno::INVAL) => return Ok(false),
        count => usize::try_from(count?).map_err(|_| Errno::IO)?,
    };
    let mut found = found.iter().take(if room == 0 { 0 } else { count });
    Ok(count == groups.len() && found.all(|group| groups.contains(group)))
}

/// exec keeps ambient capabilities. The kernel clears them if a superuser changes to another user. It does not if a service has
/// the capability to change its user, and if `SECBIT_NO_SETUID_FIXUP` is set (capabilities(7)). An ambient capability is also
/// permitted and inheritable, so usually there is nothing to clear.
///
/// Before Linux 4.3 there are none, and the call fails with `EINVAL`. A filter may answer that, too, so it counts as an error.
fn give_up_ambient_capabilities() -> Result<(), Errno> {
    let CapabilityMasks { permitted, inheritable, .. } = capget()?;
    let possible = permitted & inheritable;
    if possible == 0 {
        return Ok(());
    }
    call(AttributeCall::ClearAmbient)?;
    for capability in capabilities(possible) {
        verify(call(AttributeCall::IsAmbient(capability)) != Ok(1))?;
    }
    // A filter that answers 0 to everything also does for a capability that no kernel has.
    verify(call(AttributeCall::IsAmbient(NO_CAPABILITY)) == Err(Errno::INVAL))
}
