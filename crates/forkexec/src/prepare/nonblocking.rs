//! `O_NONBLOCK` of the descriptors that a command hands over.

use super::Defaults;
use crate::config::settings::Settings;
use crate::config::stdio::Kind;
use crate::error::{SpawnError, failed};
use crate::sys::fd::{clear_nonblocking, is_nonblocking};
use forkexec_core::Fd;
use std::os::fd::AsRawFd;

/// Returns the descriptors of the parent that the child gets and that are in non-blocking mode, sorted.
pub(crate) fn nonblocking(settings: &Settings<'_>, defaults: &Defaults) -> Vec<Fd> {
    let set = settings.streams.iter().zip(defaults).zip(0..).filter_map(|((set, default), fd)| {
        let is_elsewhere =
            settings.pty.is_some() || settings.mappings.iter().any(|(_, target)| *target == fd);
        match set.as_ref().map(|stdio| &stdio.0) {
            None if is_elsewhere => None,
            set => of_stream(set.unwrap_or(default), fd),
        }
    });
    let named = settings.mappings.iter().map(|(source, _)| source).chain(&settings.keep);
    let mut all: Vec<Fd> =
        set.chain(named.map(AsRawFd::as_raw_fd)).filter(|&fd| is_nonblocking(fd)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn of_stream(kind: &Kind, fd: Fd) -> Option<Fd> {
    match kind {
        Kind::Inherit => Some(fd),
        Kind::Fd(source) => Some(source.as_raw_fd()),
        Kind::Parent(source) => Some(*source),
        Kind::Null | Kind::Piped(_) | Kind::Closed | Kind::Merged => None,
    }
}

/// Clears the flag of all of them, if the command asks for it.
pub(super) fn clear(settings: &Settings<'_>, defaults: &Defaults) -> Result<(), SpawnError> {
    if !settings.clear_nonblocking {
        return Ok(());
    }
    let failed = |error| failed("clear O_NONBLOCK", &error);
    nonblocking(settings, defaults).into_iter().try_for_each(|fd| clear_nonblocking(fd).map_err(failed))
}
