//! Senders of datagrams on Linux: abstract addresses, and credentials that the kernel attaches to each message.

use nix::sys::socket::{UnixAddr, bind, getsockname, setsockopt, sockopt::PassCred};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::process;

/// The longest chain of ancestors that is followed.
const MOST_ANCESTORS: usize = 4096;

/// Lets the kernel attach the sender's process id to each message.
pub(crate) fn attach(socket: &UnixDatagram) -> io::Result<()> {
    Ok(setsockopt(socket, PassCred, &true)?)
}

/// Binds the socket to a free abstract address, which the kernel chooses, and returns the name without its NUL
/// byte.
pub(crate) fn bind_abstract(socket: &UnixDatagram) -> io::Result<Vec<u8>> {
    bind(socket.as_raw_fd(), &UnixAddr::new_unnamed())?;
    let address: UnixAddr = getsockname(socket.as_raw_fd())?;
    address.as_abstract().map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Returns the abstract address with this name.
pub(crate) fn abstract_address(name: &[u8]) -> io::Result<UnixAddr> {
    Ok(UnixAddr::new_abstract(name)?)
}

/// Returns the process id in a control message, if it has one.
pub(crate) fn pid_in(header: &libc::cmsghdr, data: &[u8]) -> Option<u32> {
    if (header.cmsg_level, header.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) {
        return None;
    }
    // `pid` is the first field of `struct ucred`: unix(7).
    let pid = data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))?;
    u32::try_from(pid).ok().filter(|&pid| pid > 0)
}

/// Returns true if `sender` is the process `ancestor` or a running descendant of it. A message without a
/// sender comes from a pid namespace that this process cannot see.
pub(crate) fn is_within(sender: Option<u32>, ancestor: u32) -> bool {
    let Some(sender) = sender else { return false };
    sender == ancestor || sees_itself() && descends(sender, ancestor)
}

/// Returns true if `/proc` shows the processes of this pid namespace.
fn sees_itself() -> bool {
    let own = fs::read_link("/proc/self").ok();
    own.and_then(|name| name.to_str()?.parse().ok()) == Some(process::id())
}

fn descends(pid: u32, ancestor: u32) -> bool {
    let mut chain = std::iter::successors(Some(pid), |&pid| parent(pid)).take(MOST_ANCESTORS);
    chain.any(|pid| pid == ancestor)
}

/// Returns the parent of a process: proc_pid_status(5).
fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    parent.trim().parse().ok().filter(|&parent| parent > 0)
}

#[cfg(test)]
mod tests {
    use super::{is_within, parent, pid_in};
    use rstest::rstest;
    use std::os::unix::process::parent_id;
    use std::process;

    #[rstest]
    #[case::itself(Some(process::id()), process::id(), true)]
    #[case::parent_of_this_one(Some(process::id()), parent_id(), true)]
    #[case::child_of_that_one(Some(parent_id()), process::id(), false)]
    #[case::no_process(Some(u32::MAX), process::id(), false)]
    #[case::unknown(None, process::id(), false)]
    fn sender_is_within_its_ancestors(#[case] sender: Option<u32>, #[case] of: u32, #[case] is: bool) {
        assert_eq!(is_within(sender, of), is);
    }

    #[test]
    fn parent_of_a_process_is_its_parent() {
        assert_eq!(parent(process::id()), Some(parent_id()));
        assert_eq!((parent(1), parent(u32::MAX)), (None, None));
    }

    #[rstest]
    #[case::usual(7_i32, Some(7))]
    #[case::unseen(0, None)]
    #[case::negative(-1, None)]
    fn pid_of_a_message_is_positive(#[case] pid: i32, #[case] expected: Option<u32>) {
        // SAFETY: all fields are numbers.
        let mut header: libc::cmsghdr = unsafe { std::mem::zeroed() };
        (header.cmsg_level, header.cmsg_type) = (libc::SOL_SOCKET, libc::SCM_CREDENTIALS);
        assert_eq!(pid_in(&header, &pid.to_ne_bytes()), expected);
        assert_eq!(pid_in(&header, &[1, 0]), None);
        header.cmsg_type = libc::SCM_RIGHTS;
        assert_eq!(pid_in(&header, &pid.to_ne_bytes()), None);
    }
}
