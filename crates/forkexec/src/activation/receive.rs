//! The started side.

use super::{COUNT, FIRST, NAMES, PID};
use crate::platform::backend;
use crate::{ActivationError, Error};
use forkexec_core::{Backend, Sys};
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::process;
use std::sync::{Mutex, PoisonError};

/// A descriptor that was handed to this program by socket activation: see [`listen_fds`].
#[derive(Debug)]
pub struct ListenFd {
    /// The name that it was given, `unknown` if it was given none (`sd_listen_fds_with_names(3)`).
    pub name: String,
    /// The descriptor. What kind of socket it is has to be known, or asked: std's sockets are made from it
    /// (`TcpListener::from(fd)`).
    pub fd: OwnedFd,
}

/// Takes the sockets that this program was handed by socket activation, in their order; none, if it was started without.
///
/// It understands what [`Command::listen_fd`](crate::Command::listen_fd), systemd and others say in `LISTEN_PID`,
/// `LISTEN_FDS` and `LISTEN_FDNAMES` (`sd_listen_fds(3)`). They are taken once: each descriptor is found to have
/// survived exec, and made close-on-exec, so that this program's own children do not inherit it.
///
/// The variables stay as they are, because changing the environment of a program with several threads is not safe. The
/// children of this program see from `LISTEN_PID` that they are not meant.
///
/// # Errors
///
/// [`Error::Activation`] if the variables mean this process and make no sense, or a descriptor is not open or is
/// close-on-exec: then it was not inherited, or was taken already. None is taken then.
///
/// # Examples
///
/// ```
/// use forkexec::listen_fds;
/// use std::net::TcpListener;
///
/// let mut handed = listen_fds()?;
/// let listener = match handed.pop() {
///     Some(socket) => TcpListener::from(socket.fd),
///     None => TcpListener::bind("127.0.0.1:0")?, // started by hand
/// };
/// # let _ = listener;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn listen_fds() -> Result<Vec<ListenFd>, Error> {
    // Two threads must not both find what only one can take.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _taking = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let names = announced(|name| env::var_os(name))?;
    let fds = FIRST..;
    for fd in fds.clone().take(names.len()) {
        was_inherited(fd)?;
    }
    Ok(fds.zip(names).map(|(fd, name)| ListenFd { name, fd: take(fd) }).collect())
}

/// The names of the descriptors that this process is meant by.
fn announced(variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<String>, ActivationError> {
    let Some(pid) = variable(PID) else { return Ok(Vec::new()) };
    if number(PID, &pid)? != process::id() {
        return Ok(Vec::new());
    }
    let Some(count) = variable(COUNT) else { return Ok(Vec::new()) };
    let room = RawFd::MAX.abs_diff(FIRST);
    let count = number(COUNT, &count).ok().filter(|&count| count <= room);
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

/// What this program opened itself is close-on-exec, if it was opened by std, or is none of these numbers.
fn was_inherited(fd: RawFd) -> Result<(), ActivationError> {
    match backend().sys().is_cloexec(fd) {
        Ok(false) => Ok(()),
        Ok(true) => Err(ActivationError::Taken { fd }),
        Err(_) => Err(ActivationError::NotOpen { fd }),
    }
}

fn take(fd: RawFd) -> OwnedFd {
    // That it is open was just seen.
    let _ = backend().sys().set_cloexec(fd, true);
    // SAFETY: whoever started this process says, to this process and no other, that the descriptor is for whoever asks first.
    // That is the caller of `listen_fds`: the next one finds it close-on-exec, and so does one who asks for a number under
    // which std opened something else.
    unsafe { OwnedFd::from_raw_fd(fd) }
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
    #[case::too_few_names(Some("2"), Some("http"), Err("LISTEN_FDS says 2, and LISTEN_FDNAMES has 1 names"))]
    #[case::not_a_number(Some("two"), None, Err("LISTEN_FDS is \"two\""))]
    #[case::negative(Some("-1"), None, Err("LISTEN_FDS is \"-1\""))]
    #[case::beyond_all_descriptors(Some("2147483647"), None, Err("LISTEN_FDS is \"2147483647\""))]
    fn what_is_said_to_this_process_is_understood_or_refused(
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
    fn a_process_id_that_is_none_is_refused() {
        assert_eq!(answer("me", Some("1"), None), Err("LISTEN_PID is \"me\"".to_owned()));
    }
}
