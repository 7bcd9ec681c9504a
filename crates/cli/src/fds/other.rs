//! The descriptors of another process, from `/proc/PID`.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::kill;
use nix::sys::stat::stat;
use nix::unistd::Pid;

use super::Listing;
use super::row::Row;
use super::sockets;
use crate::exit::Failure;

/// Lists the descriptors of `pid`.
///
/// # Errors
///
/// Fails if there is no such process, no permission to inspect it, or no `/proc`.
pub(super) fn list(pid: i32) -> Result<Listing, Failure> {
    let mut rows = rows(pid).map_err(|error| refusal(pid, error))?;
    sockets::name(&mut rows, &directory(pid).join("net"));
    Ok(Listing { rows, note: None })
}

/// Returns the descriptors of `pid` in order, sockets without addresses.
pub(crate) fn rows(pid: i32) -> io::Result<Vec<Row>> {
    let process = directory(pid);
    let mut numbers = numbers(&process.join("fd"))?;
    numbers.sort_unstable();
    Ok(numbers.into_iter().filter_map(|fd| row(&process, fd)).collect())
}

/// Returns the directory of a process in `/proc`.
pub(crate) fn directory(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

fn numbers(dir: &Path) -> io::Result<Vec<i32>> {
    let names = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// Explains why the descriptors of `pid` cannot be listed.
fn refusal(pid: i32, error: io::Error) -> Failure {
    let cannot = format!("cannot list the descriptors of process {pid}");
    if error.kind() == ErrorKind::PermissionDenied {
        return Failure::refused(cannot).because(error);
    }
    match kill(Pid::from_raw(pid), None) {
        Err(Errno::ESRCH) => Failure::refused(cannot).because(io::Error::from(Errno::ESRCH)),
        _ => Failure::refused(format!("{cannot}: /proc/{pid}/fd")).because(error),
    }
}

/// Returns the row of `fd`, or `None` if it was closed since it was listed.
fn row(process: &Path, fd: i32) -> Option<Row> {
    let link = process.join(format!("fd/{fd}"));
    let target = match fs::read_link(&link) {
        Ok(target) => Some(target.to_string_lossy().into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(_) => None,
    };
    let info = fs::read_to_string(process.join(format!("fdinfo/{fd}"))).ok();
    let flags = info.as_deref().and_then(flags_in);
    let cloexec = flags.map(|flags| flags.contains(OFlag::O_CLOEXEC));
    Some(Row::new(fd, cloexec, flags, target, stat(&link).ok().as_ref()))
}

/// Parses the flags in `/proc/PID/fdinfo/FD`, which are octal and include `O_CLOEXEC`.
fn flags_in(info: &str) -> Option<OFlag> {
    let digits = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    libc::c_int::from_str_radix(digits.trim(), 8).ok().map(OFlag::from_bits_retain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_octal() {
        let flags = flags_in("pos:\t0\nflags:\t02\nmnt_id:\t9\n");
        assert_eq!(flags, Some(OFlag::O_RDWR));
        assert_eq!(flags_in("pos:\t0\n"), None);
        assert_eq!(flags_in("flags:\t9\n"), None);
    }

    #[test]
    fn closed_descriptor_has_no_row() {
        assert_eq!(row(Path::new("/proc/self"), 99_999), None);
        // Another error hides only the file.
        let hidden = row(Path::new("/dev/null"), 3).expect("it may be open");
        assert_eq!((hidden.fd, hidden.cloexec, hidden.target), (3, None, None));
    }
}
