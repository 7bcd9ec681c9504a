//! Socket activation, the receiving side.

use crate::error::{ActivationError, Error};
use crate::exec::listen_vars::{COUNT, FIRST, NAMES, PID};
use crate::sys::backend;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

/// A descriptor that this program received by socket activation: see [`listen_fds`].
///
/// # Examples
///
/// See [`listen_fds`].
#[derive(Debug)]
pub struct ListenFd {
    /// The name of the descriptor, or `unknown` if it has none (`sd_listen_fds_with_names(3)`).
    pub name: String,
    /// The descriptor. The caller must know, or ask the kernel, which kind of socket it is. std's sockets are
    /// created from it (`TcpListener::from(fd)`).
    pub fd: OwnedFd,
}

/// Takes the sockets that this program received by socket activation, in order. Returns an empty list if the
/// program was started without socket activation.
///
/// The function reads `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` (`sd_listen_fds(3)`), as
/// [`Command::listen_fd`](crate::Command::listen_fd), systemd and others set them. Each descriptor must be
/// open and not close-on-exec, as after an exec. The function makes it close-on-exec, so that children of
/// this program do not inherit it. It need not be a socket: systemd also passes pipes, devices and memory
/// files.
///
/// The sockets can be taken once: a later call in the process returns an error.
///
/// The variables stay set, because changing the environment of a multi-threaded program is not safe. Children
/// of this program see from `LISTEN_PID` that the variables are not for them.
///
/// # Safety
///
/// No other code of this process may own the descriptors that the variables announce: the numbers from 3 up.
/// That holds at the start of `main`. Later, a library may have opened one of these numbers itself, and this
/// function would give the descriptor a second owner. The checks refuse descriptors that std opened, but they
/// cannot refuse all others: the environment is no proof of ownership.
///
/// # Errors
///
/// In each of these cases no descriptor is taken, and all stay open.
///
/// - Returns [`Error::Activation`] if the variables are for this process and are not valid.
/// - Returns [`Error::Activation`] if a descriptor is not open or is close-on-exec.
/// - Returns [`Error::Activation`] if the sockets were taken before.
///
/// # Examples
///
/// ```
/// use forkexec::listen_fds;
/// use std::net::TcpListener;
///
/// // SAFETY: this is the first call in `main`: no other code has opened a descriptor.
/// let mut sockets = unsafe { listen_fds() }?;
/// let listener = match sockets.pop() {
///     Some(socket) => TcpListener::from(socket.fd),
///     None => TcpListener::bind("127.0.0.1:0")?, // started by hand
/// };
/// # let _ = listener;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub unsafe fn listen_fds() -> Result<Vec<ListenFd>, Error> {
    // No lock: if another thread holds it at a fork(2), it stays locked in the new process.
    static ARE_TAKEN: AtomicBool = AtomicBool::new(false);
    let names = announced(|name| env::var_os(name))?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if ARE_TAKEN.load(Ordering::SeqCst) {
        return Err(ActivationError::TakenBefore.into());
    }
    let fds = FIRST..;
    for fd in fds.clone().take(names.len()) {
        was_inherited(fd)?;
    }
    if ARE_TAKEN.swap(true, Ordering::SeqCst) {
        return Err(ActivationError::TakenBefore.into());
    }
    // SAFETY: the check above showed that each descriptor is open. The caller promises that no other code
    // owns it, and `ARE_TAKEN` that no earlier call took it.
    let take = |fd| unsafe { take(fd) };
    Ok(fds.zip(names).map(|(fd, name)| ListenFd { name, fd: take(fd) }).collect())
}

/// Returns the names of the announced descriptors, if they are for this process.
fn announced(variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<String>, ActivationError> {
    let Some(pid) = variable(PID) else { return Ok(Vec::new()) };
    if number(PID, &pid)? != process::id() {
        return Ok(Vec::new());
    }
    let Some(count) = variable(COUNT) else { return Ok(Vec::new()) };
    let highest_count = RawFd::MAX.abs_diff(FIRST);
    let count = number(COUNT, &count).ok().filter(|&count| count <= highest_count);
    let count = count.ok_or_else(|| bad(COUNT, &variable(COUNT).unwrap_or_default()))?;
    let Some(names) = variable(NAMES) else { return Ok(unnamed(count)) };
    let words = names.to_str().ok_or_else(|| bad(NAMES, &names))?;
    let words: Vec<String> = words.split(':').map(str::to_owned).collect();
    match usize::try_from(count) {
        Ok(0) => Ok(Vec::new()),
        Ok(count) if count == words.len() => Ok(words),
        _ => Err(ActivationError::Names { count, names: words.len() }),
    }
}

fn unnamed(count: u32) -> Vec<String> {
    (0..count).map(|_| "unknown".to_owned()).collect()
}

fn number(name: &'static str, value: &OsStr) -> Result<u32, ActivationError> {
    value.to_str().and_then(|value| value.parse().ok()).ok_or_else(|| bad(name, value))
}

fn bad(name: &'static str, value: &OsStr) -> ActivationError {
    ActivationError::Variable { name, value: value.to_owned() }
}

/// Checks that a descriptor can be one that survived exec. Each descriptor that std opens is close-on-exec.
fn was_inherited(fd: RawFd) -> Result<(), ActivationError> {
    match backend::is_cloexec(fd) {
        Ok(false) => Ok(()),
        Ok(true) => Err(ActivationError::Taken { fd }),
        Err(_) => Err(ActivationError::NotOpen { fd }),
    }
}

/// The descriptor is open, and nothing owns it.
unsafe fn take(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller promises that the descriptor is open and has no owner.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // Setting the flag of an open descriptor cannot fail.
    let _ = fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    fd
}

#[cfg(test)]
mod tests {
    use super::announced;
    use rstest::rstest;
    use std::ffi::OsString;
    use std::process;

    fn answer(pid: &str, count: Option<&str>, names: Option<&str>) -> Result<Vec<String>, String> {
        let announced = announced(|name| {
            let value = match name {
                "LISTEN_PID" => Some(pid),
                "LISTEN_FDS" => count,
                _ => names,
            };
            value.map(OsString::from)
        });
        announced.map_err(|error| error.to_string())
    }

    #[rstest]
    #[case::no_count(None, None, Ok(&[][..]))]
    #[case::none(Some("0"), None, Ok(&[][..]))]
    #[case::none_with_an_empty_name(Some("0"), Some(""), Ok(&[][..]))]
    #[case::without_names(Some("2"), None, Ok(&["unknown", "unknown"][..]))]
    #[case::with_names(Some("2"), Some("http:admin"), Ok(&["http", "admin"][..]))]
    #[case::with_an_empty_name(Some("1"), Some(""), Ok(&[""][..]))]
    #[case::too_few_names(
        Some("2"),
        Some("http"),
        Err("cannot use LISTEN_FDNAMES: the number of names is 1, and LISTEN_FDS is 2")
    )]
    #[case::not_a_number(Some("two"), None, Err("cannot use LISTEN_FDS: its value \"two\" is invalid"))]
    #[case::negative(Some("-1"), None, Err("cannot use LISTEN_FDS: its value \"-1\" is invalid"))]
    #[case::beyond_all_descriptors(
        Some("2147483647"),
        None,
        Err("cannot use LISTEN_FDS: its value \"2147483647\" is invalid")
    )]
    fn listen_variables_are_understood_or_refused(
        #[case] count: Option<&str>,
        #[case] names: Option<&str>,
        #[case] expected: Result<&[&str], &str>,
    ) {
        let own = process::id().to_string();
        let expected = expected.map(|names| names.iter().copied().map(String::from).collect::<Vec<_>>());
        assert_eq!(answer(&own, count, names), expected.map_err(str::to_owned));
        assert_eq!(answer("1", count, names), Ok(Vec::new()));
    }

    #[test]
    fn listen_pid_that_is_no_number_is_refused() {
        assert_eq!(
            answer("me", Some("1"), None),
            Err("cannot use LISTEN_PID: its value \"me\" is invalid".to_owned())
        );
    }
}
