//! What a worker has open and has touched.

use super::spawning::Refusal;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::ptr;

/// Descriptors with low numbers: a source for the mapping, and two to be kept until others are opened. Their numbers are neither the
/// target of the mapping nor taken by what a spawn opens.
pub(super) fn low_descriptors() -> io::Result<[RawFd; 3]> {
    let null = File::open("/dev/null")?;
    Ok([copy_at(&null, 16)?, copy_at(&null, 18)?, copy_at(&null, 19)?])
}

fn copy_at(file: &File, least: RawFd) -> io::Result<RawFd> {
    // SAFETY: the call takes numbers alone.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) } {
        -1 => Err(io::Error::last_os_error()),
        fd => Ok(fd),
    }
}

/// Touches every page of so much memory, and keeps it for the life of the process.
pub(super) fn touch(bytes: usize) -> Result<(), Refusal> {
    if bytes == 0 {
        return Ok(());
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at a place of the kernel's choice, from no file.
    let start =
        unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error().into());
    }
    for at in (0..bytes).step_by(4096) {
        // SAFETY: `at` is below `bytes`, the size of the mapping.
        let page = unsafe { start.cast::<u8>().add(at) };
        // SAFETY: the mapping can be written to, and nobody else knows of it.
        unsafe { page.write_volatile(1) };
    }
    Ok(())
}
