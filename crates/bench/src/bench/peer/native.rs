//! The methods of this executable.

use super::{Peers, Row, Worker};
use crate::bench::method::{self, Kind};
use crate::bench::toolbox::Toolbox;
use std::ffi::OsString;
use std::path::Path;

/// Compiles the shared object, and adds the workers that the methods need.
///
/// `portable` is a build of this benchmark whose library has the portable backend.
pub(super) fn find(toolbox: &Toolbox, portable: Option<&Path>, peers: &mut Peers) {
    let library = toolbox.file("floor.c", include_str!("../../../workers/floor.c")).and_then(|floor| {
        let posix_spawn = include_str!("../../../workers/posix_spawn.c");
        toolbox.c("posix_spawn.so", posix_spawn, [&*floor, Path::new("-shared"), Path::new("-fPIC")])
    });
    let executable = match std::env::current_exe() {
        Ok(executable) => executable,
        Err(reason) => return peers.missing("all methods in Rust", &reason.to_string()),
    };
    let mut arguments = vec![OsString::from("worker")];
    match library {
        Ok(library) => arguments.extend(["--bare".into(), library.into()]),
        Err(reason) => peers.missing("floor, posix_spawn", &reason.to_string()),
    }
    let command = [vec![OsString::from(executable)], arguments.clone()].concat();
    for method in method::ALL.iter().filter(|method| peers.wants(method.id, method.kind)).collect::<Vec<_>>()
    {
        let worker = worker_of(peers, method.worker, &command);
        peers.rows.push(Row {
            id: method.id.to_owned(),
            title: method.title.to_owned(),
            kind: method.kind,
            method: method.id.to_owned(),
            worker,
        });
    }
    let Some(build) = portable.filter(|_| peers.wants(PORTABLE, Kind::Peer)) else { return };
    let worker = worker_of(peers, PORTABLE, &[vec![build.into()], arguments].concat());
    peers.rows.push(Row {
        id: PORTABLE.to_owned(),
        title: "forkexec over the portable backend: Prepared".to_owned(),
        kind: Kind::Peer,
        method: method::PREPARED.to_owned(),
        worker,
    });
}

/// The id of our method in another build of this benchmark.
pub(in crate::bench) const PORTABLE: &str = "ours-portable";

fn worker_of(peers: &mut Peers, id: &str, command: &[OsString]) -> usize {
    peers.workers.iter().position(|worker| worker.id == id).unwrap_or_else(|| {
        peers.workers.push(Worker { id: id.to_owned(), command: command.to_vec(), opens_late: true });
        peers.workers.len() - 1
    })
}
