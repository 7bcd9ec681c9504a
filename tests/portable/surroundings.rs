//! Makes surroundings that differ from host to host the same for all cases.

use std::fs::File;
use std::os::fd::{AsRawFd, IntoRawFd};

/// The customary soft descriptor limit. OpenBSD's is 512.
const DESCRIPTORS: libc::rlim_t = 1_024;

/// Opens the standard streams that are closed, and raises a low soft descriptor limit.
pub(crate) fn settle() {
    open_streams();
    raise_descriptor_limit();
}

fn open_streams() {
    while let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        if null.as_raw_fd() > 2 {
            break;
        }
        let _stays_open = null.into_raw_fd();
    }
}

/// Up to the hard limit. The cases that it is too low for are skipped.
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` has room for the answer.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    if known && limit.rlim_cur < DESCRIPTORS {
        limit.rlim_cur = limit.rlim_max.min(DESCRIPTORS);
        // SAFETY: the call reads `limit` alone.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}
