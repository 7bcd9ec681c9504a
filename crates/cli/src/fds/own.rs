//! The descriptors that this process was started with, as the library lists them.
//!
//! The library keeps no descriptor open for the list, so all that it lists were open before.

use std::path::Path;

use forkexec::fds;

use super::Listing;
use super::row::Row;
use super::sockets;
use crate::exit::Failure;
use crate::started;

/// The directory that has targets on Linux.
const TARGETS: &str = "/proc/self/fd";

/// Lists the open descriptors, by the best method that the system has.
///
/// # Errors
///
/// Fails if the system has no list, and too many numbers to try each.
pub(super) fn list() -> Result<Listing, Failure> {
    let cannot = |error| Failure::refused("cannot list the descriptors of this process").because(error);
    let fds = fds::list().map_err(cannot)?;
    let mut rows: Vec<Row> =
        fds.iter().filter(|fd| !started::was_closed(fd.number())).map(Row::from).collect();
    sockets::name(&mut rows, Path::new("/proc/self/net"));
    let has_targets = rows.is_empty() || rows.iter().any(|row| row.target.is_some());
    let note = (!has_targets).then(|| format!("{TARGETS} is missing: targets are unknown"));
    Ok(Listing { rows, note })
}

#[cfg(test)]
mod tests {
    use super::super::row::{Kind, Mode};
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;

    #[test]
    fn row_has_what_the_library_tells() {
        let file = File::open("/").expect("/ can be opened");
        let fds = fds::list().expect("they can be listed");
        let fd = fds.iter().find(|fd| fd.number() == file.as_raw_fd()).expect("it is open");
        let row = Row::from(fd);
        assert_eq!((row.mode, row.cloexec, row.kind), (Mode::Read, Some(true), Kind::Dir));
    }
}
