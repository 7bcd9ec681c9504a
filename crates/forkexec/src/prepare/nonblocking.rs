//! `O_NONBLOCK` of the descriptors that a command hands over.

use super::Defaults;
use crate::config::settings::Settings;
use crate::config::stdio::Kind;
use crate::error::{SpawnError, failed};
use crate::sys::fd::{is_nonblocking, set_nonblocking};
use forkexec_core::Fd;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Returns the descriptors of the parent that the child gets and that are in non-blocking mode, sorted.
pub(crate) fn nonblocking<'s>(settings: &'s Settings<'_>, defaults: &'s Defaults) -> Vec<BorrowedFd<'s>> {
    let set = settings.streams.iter().zip(defaults).zip(0..).filter_map(|((set, default), fd)| {
        let is_elsewhere =
            settings.pty.is_some() || settings.mappings.iter().any(|(_, target)| *target == fd);
        match set.as_ref().map(|stdio| &stdio.0) {
            None if is_elsewhere => None,
            set => of_stream(set.unwrap_or(default), fd),
        }
    });
    let named = settings.mappings.iter().map(|(source, _)| source).chain(&settings.keep);
    let all = set.chain(named.map(AsFd::as_fd));
    let mut found: Vec<_> = all.filter(|fd| is_nonblocking(fd).unwrap_or(false)).collect();
    found.sort_unstable_by_key(AsRawFd::as_raw_fd);
    found.dedup_by_key(|fd| fd.as_raw_fd());
    found
}

fn of_stream(kind: &Kind, fd: Fd) -> Option<BorrowedFd<'_>> {
    match kind {
        Kind::Inherit => Some(of_parent(fd)),
        Kind::Fd(source) => Some(source.as_fd()),
        Kind::Parent(source) => Some(of_parent(*source)),
        Kind::Null | Kind::Piped(_) | Kind::Closed | Kind::Merged => None,
    }
}

/// Borrows a standard stream of this process, for calls that fail if it is closed.
fn of_parent(fd: Fd) -> BorrowedFd<'static> {
    // SAFETY: the number is 0, 1 or 2. These belong to the whole process, and std borrows them in the same way
    // (`Stdin::as_fd`). If the number is closed, fcntl(2) fails with EBADF.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Clears the flag of all of them, if the command asks for it.
pub(super) fn clear(settings: &Settings<'_>, defaults: &Defaults) -> Result<(), SpawnError> {
    if !settings.clear_nonblocking {
        return Ok(());
    }
    let failed = |error| failed("clear O_NONBLOCK", &error);
    let found = nonblocking(settings, defaults);
    found.into_iter().try_for_each(|fd| set_nonblocking(fd, false).map(drop).map_err(failed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::FdSource;
    use crate::config::stdio::Stdio;
    use rstest::rstest;
    use std::sync::{Arc, Weak};

    fn plain() -> Settings<'static> {
        Settings::new("true".into())
    }

    /// Standard output is in non-blocking mode by default, and nothing else is.
    #[rstest]
    #[case::default(plain(), true)]
    #[case::set(Settings { streams: [None, Some(Stdio::null()), None], ..plain() }, false)]
    #[case::other_stream_set(Settings { streams: [None, None, Some(Stdio::null())], ..plain() }, true)]
    #[case::terminal(Settings { pty: Some(Weak::new()), ..plain() }, false)]
    fn stream_is_found_unless_another_takes_its_place(
        #[case] settings: Settings<'static>,
        #[case] is_found: bool,
    ) {
        let (_reader, writer) = os_pipe::pipe().expect("a pipe can be made");
        set_nonblocking(writer.as_fd(), true).expect("it is open");
        let number = writer.as_raw_fd();
        let output = Kind::Fd(Arc::new(writer.into()));
        let found = |settings: &Settings<'_>| {
            let defaults = [Kind::Null, output.clone(), Kind::Null];
            nonblocking(settings, &defaults).iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>()
        };
        let expected: &[Fd] = if is_found { &[number] } else { &[] };
        assert_eq!(found(&settings), expected);
        for (target, expected) in [(1, &[][..]), (2, expected)] {
            let source = std::fs::File::open("/dev/null").expect("there is a null device");
            let mappings = vec![(FdSource::from(source), target)];
            assert_eq!(found(&Settings { mappings, ..settings.clone() }), expected, "{target}");
        }
    }
}
