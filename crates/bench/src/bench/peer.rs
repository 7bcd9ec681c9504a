//! The methods that this machine has, and those that it lacks.

mod c;
mod languages;
pub(super) mod native;

use super::cli::Options;
use super::method::Kind;
use super::toolbox::Toolbox;
use std::ffi::OsString;

/// A process that spawns for the driver.
pub(super) struct Worker {
    /// Its name, for files and messages.
    pub(super) id: String,
    /// Its command line.
    pub(super) command: Vec<OsString>,
    /// True if it opens its descriptors on request. Otherwise it inherits them.
    pub(super) opens_late: bool,
}

/// A row of the tables.
pub(super) struct Row {
    /// Its name on the command line.
    pub(super) id: String,
    /// Its name in the table.
    pub(super) title: String,
    /// The kind of the method.
    pub(super) kind: Kind,
    /// The word for the method in the protocol.
    pub(super) method: String,
    /// The index of its worker.
    pub(super) worker: usize,
}

/// A method that the machine lacks.
pub(super) struct Missing {
    /// Its name.
    pub(super) title: String,
    /// The reason.
    pub(super) reason: String,
}

/// The methods that were found.
#[derive(Default)]
pub(super) struct Peers {
    pub(super) workers: Vec<Worker>,
    pub(super) rows: Vec<Row>,
    pub(super) missing: Vec<Missing>,
    /// The patterns of `--only`.
    only: Vec<String>,
}

impl Peers {
    /// Adds a worker with one method, or the reason why it is missing. `make` returns its version and command line.
    fn add(
        &mut self,
        id: &str,
        title: &str,
        make: impl FnOnce() -> Result<(String, Vec<OsString>), super::Failure>,
    ) {
        if !self.wants(id, Kind::Peer) {
            return;
        }
        match make() {
            Ok((version, command)) => {
                self.rows.push(Row {
                    id: id.to_owned(),
                    title: format!("{title} ({version})"),
                    kind: Kind::Peer,
                    method: "spawn".to_owned(),
                    worker: self.workers.len(),
                });
                self.workers.push(Worker { id: id.to_owned(), command, opens_late: false });
            }
            Err(reason) => self.missing(title, &reason.to_string()),
        }
    }

    fn missing(&mut self, title: &str, reason: &str) {
        self.missing.push(Missing { title: title.to_owned(), reason: reason.to_owned() });
    }

    /// Returns true if the method is selected. The floor is always selected.
    fn wants(&self, id: &str, kind: Kind) -> bool {
        kind == Kind::Floor
            || self.only.is_empty()
            || self.only.iter().any(|pattern| id.contains(pattern.as_str()))
    }
}

/// Finds all methods, and builds their workers.
pub(super) fn find(toolbox: &Toolbox, options: &Options) -> Peers {
    let mut peers = Peers { only: options.only.clone(), ..Peers::default() };
    native::find(toolbox, options.portable.as_deref(), &mut peers);
    c::find(toolbox, &mut peers);
    languages::find(toolbox, &mut peers);
    peers
}
