//! A forked child that runs one operation and stops, and the descriptors that `/proc` shows of a process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The open descriptors of a process, and whether exec closes them.
pub(crate) type Table = BTreeMap<RawFd, bool>;

/// The end of an operation in a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It succeeded, and left this table.
    Done(Table),
    /// It failed with this errno.
    Failed(i32),
    /// A signal ended the child.
    Died(i32),
}

/// Runs an operation in a forked child.
///
/// # Panics
///
/// If the operation fails without an errno.
pub(crate) fn in_child<T>(operation: impl FnOnce() -> io::Result<T>) -> Outcome {
    // SAFETY: no other thread of the test's process holds a lock: the thread of the harness waits.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", io::Error::last_os_error());
    if child == 0 {
        let code = match operation() {
            Ok(_) => {
                // SAFETY: stops the child until the parent has read its table.
                unsafe { libc::raise(libc::SIGSTOP) };
                0
            }
            Err(error) => error.raw_os_error().unwrap_or(255),
        };
        // SAFETY: ends the child, without destructors.
        unsafe { libc::_exit(code) };
    }
    let status = wait(child, libc::WUNTRACED);
    if status.stopped_signal().is_some() {
        let table = table_of(child);
        // SAFETY: the child is this test's, and was not waited for.
        unsafe { libc::kill(child, libc::SIGKILL) };
        wait(child, 0);
        return Outcome::Done(table);
    }
    match (status.code(), status.signal()) {
        (Some(255), _) => panic!("the operation failed without an errno"),
        (Some(errno), _) => Outcome::Failed(errno),
        (None, signal) => Outcome::Died(signal.expect("it ended")),
    }
}

fn wait(child: i32, options: i32) -> ExitStatus {
    let mut status = 0;
    // SAFETY: one int is written.
    let waited = unsafe { libc::waitpid(child, &raw mut status, options) };
    assert_eq!(waited, child);
    ExitStatus::from_raw(status)
}

/// Reads the descriptors of a process from `/proc`: proc_pid_fd(5), proc_pid_fdinfo(5).
pub(crate) fn table_of(process: i32) -> Table {
    let names = fs::read_dir(format!("/proc/{process}/fd")).expect("the process is there");
    names
        .map(|entry| {
            let name = entry.expect("it is listed").file_name().into_string().expect("it is a number");
            let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{name}")).expect("it is open");
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("it has flags");
            let flags = i32::from_str_radix(flags.trim(), 8).expect("they are octal");
            (name.parse().expect("it is a number"), flags & libc::O_CLOEXEC != 0)
        })
        .collect()
}

/// The table of this process, without the descriptor that reads it.
pub(crate) fn own_table() -> Table {
    match in_child(|| Ok(())) {
        Outcome::Done(table) => table,
        other => panic!("a child that does nothing is {other:?}"),
    }
}
