//! Receiving a datagram with the descriptors and the credentials that come with it.
//!
//! nix does not show the control messages of a truncated message, and so leaks the descriptors in them. Here each
//! received descriptor gets an owner before anything else can fail.

use crate::sys::system::{CMSG_CLOEXEC, senders};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::{ptr, slice};

/// A received datagram.
#[derive(Debug)]
pub(crate) struct Datagram {
    /// The number of bytes in the buffer.
    pub(crate) length: usize,
    /// The datagram is longer than the buffer.
    pub(crate) is_cut: bool,
    /// The descriptors, close-on-exec. None, if not all of them could be received.
    pub(crate) fds: Vec<OwnedFd>,
    /// The process id of the sender, if the kernel attached it.
    pub(crate) sender: Option<u32>,
}

/// Room for control messages, with the alignment of their headers. Linux passes at most 253 descriptors in one
/// message (`SCM_MAX_FD`), about a kilobyte, and the credentials.
#[repr(C)]
union Control {
    bytes: [u8; 4096],
    _alignment: libc::cmsghdr,
}

/// Receives a datagram without waiting. Returns `None` if there is none.
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control { bytes: [0; 4096] };
    // SAFETY: each field is a number or a pointer, and null is a valid value of the pointers.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    #[expect(clippy::allow_attributes, reason = "the type differs by system")]
    #[allow(clippy::cast_possible_truncation)]
    {
        message.msg_controllen = size_of::<Control>() as _;
    }
    let flags = libc::MSG_DONTWAIT | CMSG_CLOEXEC;
    // SAFETY: the message points to the buffer, to `part` and to `control`, which outlive the call.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let Ok(length) = usize::try_from(length) else {
        let error = io::Error::last_os_error();
        let is_later = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
        return if is_later { Ok(None) } else { Err(error) };
    };
    let mut datagram =
        Datagram { length, is_cut: message.msg_flags & libc::MSG_TRUNC != 0, fds: Vec::new(), sender: None };
    // SAFETY: recvmsg(2) filled the message, and `control` is unchanged since.
    unsafe { take_control(&message, &mut datagram) };
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        datagram.fds.clear();
    }
    Ok(Some(datagram))
}

/// Takes the descriptors and the sender from the control messages.
///
/// # Safety
///
/// recvmsg(2) just filled the message, its control buffer has not been changed since, and nothing else took the
/// descriptors in it.
unsafe fn take_control(message: &libc::msghdr, datagram: &mut Datagram) {
    #[expect(clippy::allow_attributes, reason = "the type differs by system")]
    #[allow(clippy::unnecessary_cast)]
    let end = message.msg_control as usize + message.msg_controllen as usize;
    // SAFETY: the message is valid.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: a header is null or in the control buffer, and aligned there.
    while let Some(header) = unsafe { next.as_ref() } {
        // SAFETY: the header is in the control buffer.
        let data = unsafe { libc::CMSG_DATA(header) };
        #[expect(clippy::allow_attributes, reason = "the type differs by system")]
        #[allow(clippy::unnecessary_cast)]
        let whole = header.cmsg_len as usize;
        let from_header = data as usize - ptr::from_ref(header) as usize;
        // The length of a message that was cut may be the original one.
        let length = whole.saturating_sub(from_header).min(end.saturating_sub(data as usize));
        // SAFETY: the data is in the control buffer, up to `end` at most.
        let data = unsafe { slice::from_raw_parts(data, length) };
        if (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: the kernel just opened these descriptors, and the caller promises that nothing else took them.
            datagram.fds.extend(numbers(data).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
        datagram.sender = senders::pid_in(header, data).or(datagram.sender);
        // SAFETY: the message is valid, and the header is one of its headers.
        next = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    for fd in &datagram.fds {
        // Setting the flag of an open descriptor cannot fail. If `CMSG_CLOEXEC` is 0, it is not set before.
        let _ = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}

/// Reads the numbers of descriptors.
fn numbers(data: &[u8]) -> impl Iterator<Item = RawFd> {
    data.chunks_exact(size_of::<RawFd>())
        .filter_map(|bytes| bytes.first_chunk().map(|bytes| RawFd::from_ne_bytes(*bytes)))
        .filter(|&fd| fd >= 0)
}
