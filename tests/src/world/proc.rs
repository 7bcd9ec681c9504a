//! `/proc` away, or false, for the calling thread and the children it starts.

use std::fs;
use std::io;
use std::path::Path;

use crate::sys;

const PROC: &str = "/proc";

/// Takes `/proc` away, for good.
///
/// # Errors
///
/// The reason to skip the test, where mounts may not be changed.
pub fn without_proc() -> Result<(), String> {
    let result = private_mounts().and_then(|()| {
        while fs::exists("/proc/self")? {
            sys::detach(Path::new(PROC))?;
        }
        Ok(())
    });
    result.map_err(|error| format!("/proc cannot be taken away: {error}"))
}

/// Puts a directory in the place of `/proc`, for good.
///
/// In it, `self/fd` is made to hold plain files named 0, 1 and 2: a listing
/// that looks true and is not, as a static `/dev/fd` is.
///
/// # Errors
///
/// The reason to skip the test, where mounts may not be changed.
pub fn false_proc(directory: &Path) -> Result<(), String> {
    let result = make_listing(directory)
        .and_then(|()| private_mounts())
        .and_then(|()| sys::mount(directory, Path::new(PROC), libc::MS_BIND));
    result.map_err(|error| format!("/proc cannot be replaced: {error}"))
}

/// Puts a directory in the place of `/proc` as it is, for good.
///
/// # Errors
///
/// The reason to skip the test, where mounts may not be changed.
pub fn masked_proc(directory: &Path) -> Result<(), String> {
    let result = private_mounts().and_then(|()| sys::mount(directory, Path::new(PROC), libc::MS_BIND));
    result.map_err(|error| format!("/proc cannot be replaced: {error}"))
}

/// Mounts a `/proc` that hides the processes of others (`hidepid=2`), for good.
///
/// # Errors
///
/// The reason to skip the test, where it may not be mounted.
pub fn hiding_proc() -> Result<(), String> {
    let result = private_mounts().and_then(|()| sys::mount_hiding_proc(Path::new(PROC)));
    result.map_err(|error| format!("no /proc that hides processes can be mounted: {error}"))
}

fn make_listing(directory: &Path) -> io::Result<()> {
    let list = directory.join("self/fd");
    fs::create_dir_all(&list)?;
    ["0", "1", "2"].into_iter().try_for_each(|name| fs::write(list.join(name), ""))
}

/// A mount namespace from which nothing gets back to the one it was copied from.
pub(super) fn private_mounts() -> io::Result<()> {
    sys::unshare_mounts()?;
    sys::mount(Path::new("none"), Path::new("/"), libc::MS_REC | libc::MS_PRIVATE)
}
