//! The state of the error pipe before a child is started.

use crate::arguments::Pipes;
use core::mem::MaybeUninit;
use forkexec_core::Fd;

/// Returns true if the parent can write the report instead of the child.
///
/// The child must not replace or close the descriptor. Both ends must belong to one pipe, so that there is a reader. The
/// pipe must be empty, so that the write does not block.
pub(crate) fn takes_a_report(pipes: Pipes) -> bool {
    let Pipes { p2cwrite, c2pread, errread, errpipe_read, errpipe_write, .. } = pipes;
    if errpipe_write <= 2 || [p2cwrite, c2pread, errread, errpipe_read].contains(&errpipe_write) {
        return false;
    }
    let (reader, writer) = (file(errpipe_read), file(errpipe_write));
    reader.is_some() && reader == writer && is_empty(errpipe_read)
}

/// Returns the device and the inode of a pipe.
fn file(fd: Fd) -> Option<(libc::dev_t, libc::ino_t)> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the call writes the structure.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it wrote the structure.
    let status = unsafe { status.assume_init() };
    (status.st_mode & libc::S_IFMT == libc::S_IFIFO).then_some((status.st_dev, status.st_ino))
}

fn is_empty(fd: Fd) -> bool {
    let mut waiting: libc::c_int = 1;
    // SAFETY: the call writes an int.
    let answered = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut waiting) } == 0;
    answered && waiting == 0
}
