//! The child's side of `sd_notify(3)`.

use crate::error::{ActivationError, Error};
use crate::exec::notify_vars::SOCKET;
use crate::sys::system::senders;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, UnixAddr, sendto};
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;

/// Sends a message to the supervisor of this process, as `sd_notify(3)` does. Returns false if there is none, because the
/// variable `NOTIFY_SOCKET` is not set.
///
/// `message` has lines of the form `NAME=value`:
///
/// | line | meaning |
/// |---|---|
/// | `READY=1` | this process is ready |
/// | `RELOADING=1` | it reloads its configuration; `READY=1` follows |
/// | `STOPPING=1` | it is about to end |
/// | `STATUS=text` | its state, for people |
/// | `WATCHDOG=1` | it works ([`watchdog_enabled`](crate::watchdog_enabled)) |
/// | `MAINPID=n` | the main process of the service |
/// | `ERRNO=n` | it failed with this error number |
///
/// The supervisor is systemd, a [`NotifySocket`](crate::NotifySocket), or another program with this protocol. The call
/// waits if the supervisor has not received earlier messages yet. The variable stays set, so children of this process
/// can send messages, too.
///
/// # Errors
///
/// - Returns [`Error::Activation`] if the variable holds neither an absolute path nor an abstract address. A `vsock:`
///   address, for the supervisor of a virtual machine, is not supported.
/// - Returns [`Error::Notify`] if the message cannot be sent.
///
/// # Examples
///
/// ```
/// let is_supervised = forkexec::notify("READY=1\nSTATUS=accepting connections")?;
/// # let _ = is_supervised;
/// # Ok::<(), forkexec::Error>(())
/// ```
pub fn notify(message: impl AsRef<OsStr>) -> Result<bool, Error> {
    let Some(value) = env::var_os(SOCKET).filter(|value| !value.is_empty()) else { return Ok(false) };
    let invalid = || ActivationError::Variable { name: SOCKET, value: value.clone() };
    let address = match address(&value).ok_or_else(invalid)? {
        Address::Path(path) => UnixAddr::new(path).map_err(io::Error::from),
        Address::Abstract(name) => senders::abstract_address(name),
    };
    address
        .and_then(|address| send(&address, message.as_ref().as_bytes()))
        .map_err(|error| Error::Notify { what: "send the notification", error })?;
    Ok(true)
}

fn send(address: &UnixAddr, message: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    loop {
        match sendto(socket.as_raw_fd(), message, address, MsgFlags::empty()) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The address of a supervisor.
#[derive(Debug, PartialEq)]
enum Address<'a> {
    Path(&'a OsStr),
    /// The name, without the `@` that stands for its first byte.
    Abstract(&'a [u8]),
}

fn address(value: &OsStr) -> Option<Address<'_>> {
    match value.as_bytes() {
        [b'/', _, ..] => Some(Address::Path(value)),
        [b'@', name @ ..] if !name.is_empty() => Some(Address::Abstract(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, address};
    use rstest::rstest;
    use std::ffi::OsStr;

    #[rstest]
    #[case::path("/run/notify", Some(Address::Path(OsStr::new("/run/notify"))))]
    #[case::abstract_name("@forkexec", Some(Address::Abstract(b"forkexec")))]
    #[case::relative_path("run/notify", None)]
    #[case::virtual_machine("vsock:2:1234", None)]
    #[case::no_name("@", None)]
    #[case::root("/", None)]
    #[case::empty("", None)]
    fn supervisor_has_a_path_or_an_abstract_name(#[case] value: &str, #[case] expected: Option<Address<'_>>) {
        assert_eq!(address(OsStr::new(value)), expected);
    }
}
