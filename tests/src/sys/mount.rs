//! Mounts.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use libc::c_ulong;

use super::check;

/// Returns true if the path is on procfs.
pub(crate) fn is_proc(path: &Path) -> io::Result<bool> {
    let mut about = MaybeUninit::<libc::statfs>::uninit();
    let path = c_string(path)?;
    // SAFETY: the path is a C string, and `about` has room for the answer.
    check(unsafe { libc::statfs(path.as_ptr(), about.as_mut_ptr()) })?;
    // SAFETY: statfs succeeded, so it has filled it.
    Ok(unsafe { about.assume_init() }.f_type == 0x9fa0) // PROC_SUPER_MAGIC, whose type varies
}

/// Gives the calling thread a mount namespace of its own.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: unshare touches no memory.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) }).map(drop)
}

/// Mounts without a file system type or data: a bind, or a change of flags.
pub(crate) fn mount(source: &Path, target: &Path, flags: c_ulong) -> io::Result<()> {
    let (source, target) = (c_string(source)?, c_string(target)?);
    // SAFETY: both paths are C strings; type and data may be null for these flags.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), ptr::null(), flags, ptr::null()) }).map(drop)
}

/// Mounts the hierarchy of control groups, version 2.
pub(crate) fn mount_cgroups(target: &Path) -> io::Result<()> {
    let (kind, target) = (c"cgroup2", c_string(target)?);
    // SAFETY: source, path and type are C strings; this type takes no data.
    check(unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, ptr::null()) }).map(drop)
}

/// Mounts a file system of the kernel's processes that hides those of others (proc(5)).
pub(crate) fn mount_hiding_proc(target: &Path) -> io::Result<()> {
    let (kind, target) = (c"proc", c_string(target)?);
    let data = c"hidepid=2".as_ptr().cast();
    // SAFETY: source, path, type and data are C strings.
    check(unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, data) }).map(drop)
}

/// Takes the mount, and all below it, out of the tree at once.
pub(crate) fn detach(target: &Path) -> io::Result<()> {
    let target = c_string(target)?;
    // SAFETY: the path is a C string.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) }).map(drop)
}

fn c_string(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}
