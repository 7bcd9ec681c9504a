//! The descriptors and the memory of a worker.

use super::spawning::Refusal;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::ptr;

/// Opens three descriptors with low numbers: the source of the mapping, and two to keep until others are opened. Their
/// numbers are not the target of the mapping, and no spawn opens them.
pub(super) fn low_descriptors() -> io::Result<[RawFd; 3]> {
    let null = File::open("/dev/null")?;
    Ok([copy_at(&null, 16)?, copy_at(&null, 18)?, copy_at(&null, 19)?])
}

fn copy_at(file: &File, least: RawFd) -> io::Result<RawFd> {
    // SAFETY: the call takes only numbers.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) } {
        -1 => Err(io::Error::last_os_error()),
        fd => Ok(fd),
    }
}

/// Touches each page of so much memory, and keeps the memory until the process ends.
pub(super) fn touch(bytes: usize) -> Result<(), Refusal> {
    if bytes == 0 {
        return Ok(());
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the call makes a new anonymous mapping at an address that the kernel selects.
    let start =
        unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error().into());
    }
    for at in (0..bytes).step_by(4096) {
        // SAFETY: `at` is below `bytes`, the size of the mapping.
        let page = unsafe { start.cast::<u8>().add(at) };
        // SAFETY: the mapping is writable, and no other code has a reference to it.
        unsafe { page.write_volatile(1) };
    }
    Ok(())
}
