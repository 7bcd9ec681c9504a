//! The calls in a strace log.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use forkexec::{Command, Prepared, SpawnPolicy};
use tempfile::TempDir;

use super::{Operation, Start};
use crate::trace::{self, Call};
use crate::{probe, world};

/// The spawn of the traced process: operations, separated by commas.
const ASKED: &str = "FORKEXEC_STARTS_ASKED";
/// Set where it is to start it by fork(2).
const BY_FORK: &str = "FORKEXEC_STARTS_BY_FORK";

/// The calls of a traced process, by name. Names differ by C library and processor: these are those of Linux on x86_64,
/// without the widths that others add.
#[derive(Debug, Default)]
pub struct Traced {
    /// The first start of the process.
    pub first: Side,
    /// The calls that prepare the second command.
    pub preparing: Vec<String>,
    /// A start of it.
    pub start: Side,
    /// Waiting for the child, and dropping it.
    pub ending: Vec<String>,
}

/// The calls of both.
#[derive(Debug, Default)]
pub struct Side {
    /// The parent's.
    pub parent: Vec<String>,
    /// The child's, its exec among them.
    pub child: Vec<String>,
    /// The calls in the order in which they began: `true` for the child's.
    pub order: Vec<(bool, String)>,
}

const MARKS: [&str; 6] =
    ["mark: first", "mark: is there", "mark: prepare", "mark: start", "mark: runs", "mark: end"];

/// Spawns what the environment names, twice, under [`trace()`].
pub fn perform() {
    let list = env::var(ASKED).unwrap_or_default();
    let asked: Vec<_> = list.split(',').filter(|name| !name.is_empty()).map(Operation::named).collect();
    let directory = TempDir::new().expect("a temporary directory can be made");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    // The build directory may be closed to the user that the child becomes.
    let program = if world::is_root() { probe::copy_to(directory.path()) } else { probe::path().to_owned() };
    let [first, is_there, prepare, start, runs, end] = MARKS;

    let prepared = prepared(&program, &asked);
    mark(first);
    let mut child = prepared.spawn().expect("it starts");
    mark(is_there);
    child.wait().expect("it ends");
    drop(prepared);

    let command = command(&program, &asked);
    mark(prepare);
    let prepared = command.into_prepared().expect("it means something");
    mark(start);
    let mut child = prepared.spawn().expect("it starts");
    mark(runs);
    child.wait().expect("it ends");
    drop(child);
    mark(end);
}

fn prepared(program: &Path, asked: &[&Operation]) -> Prepared<'static> {
    command(program, asked).into_prepared().expect("it means something")
}

fn command(program: &Path, asked: &[&Operation]) -> Command {
    let mut command = Command::new(program);
    command.arg("true");
    let forked = env::var_os(BY_FORK).is_some();
    command.spawn_policy(if forked { SpawnPolicy::Fork } else { SpawnPolicy::NoFork });
    for operation in asked {
        (operation.ask)(&mut command);
    }
    command
}

/// A call that strace shows, and that does nothing.
fn mark(word: &str) {
    let _ = Path::new(word).symlink_metadata();
}

/// Traces a program that calls [`perform`] with the operations of this spawn.
///
/// `None`, after a [`skip`](crate::isolate::skip), if nothing can be traced.
pub fn trace<S: AsRef<OsStr>>(
    start: &Start<'_>,
    program: &OsStr,
    args: impl IntoIterator<Item = S>,
) -> Option<Traced> {
    let list = format!("{ASKED}={}", start.asked.join(","));
    let way = (start.launch == SpawnPolicy::Fork).then(|| format!("{BY_FORK}=yes"));
    let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    let line = [list].into_iter().chain(way).map(PathBuf::from).map(Into::into);
    let line = line.chain([program.to_owned()]).chain(args);
    let calls = trace::syscalls_of("env", line)?;
    let mut parts = parts(&calls);
    let mut part = || parts.next().unwrap_or_else(|| panic!("it did not come to its end: {calls:?}"));
    let first = side(part());
    let [_, preparing, start, ending] = [part(), part(), part(), part()];
    Some(Traced { first, preparing: side(preparing).parent, start: side(start), ending: side(ending).parent })
}

/// Returns the calls between each mark and the next.
fn parts(calls: &[Call]) -> impl Iterator<Item = &[Call]> {
    let positions = MARKS.map(|word| calls.iter().position(|call| call.text.contains(word)));
    let pairs = positions.into_iter().zip(positions.into_iter().skip(1)).collect::<Vec<_>>();
    pairs.into_iter().map_while(|(from, to)| calls.get(from?..to?))
}

/// The first call is the parent's mark.
fn side(calls: &[Call]) -> Side {
    let Some((mark, calls)) = calls.split_first() else { return Side::default() };
    let mut side = Side::default();
    let parents: Vec<_> = calls.iter().filter(|call| call.pid == mark.pid).collect();
    let Some(exec) = calls.iter().position(|call| matches!(call.name(), "execve" | "execveat")) else {
        let own = parents.iter().filter(|call| !is_not_ours(call, &parents));
        side.parent = own.map(|call| plain_name(call)).collect();
        return side;
    };
    for (position, call) in calls.iter().enumerate() {
        // The process may have other threads.
        let is_childs = call.pid == calls[exec].pid && position <= exec;
        let is_parents = call.pid == mark.pid;
        if !is_childs && !is_parents || is_not_ours(call, &parents) {
            continue;
        }
        let name = plain_name(call);
        let own = if is_childs { &mut side.child } else { &mut side.parent };
        own.push(name.clone());
        side.order.push((is_childs, name));
    }
    side
}

/// Returns true for calls of other code. std checks a descriptor before it closes it, in a debug build. fork(3) of the
/// C library registers the thread. The parent of a forked child makes more calls because strace delays it.
fn is_not_ours(call: &Call, parents: &[&Call]) -> bool {
    if call.name() == "waitid" || call.text.contains("= 0 (Timeout)") {
        return true;
    }
    if matches!(call.name(), "set_robust_list" | "rseq" | "set_tid_address") {
        return true;
    }
    let Some(fd) = call.text.strip_prefix("fcntl(").and_then(|rest| rest.split_once(", F_GETFD)")) else {
        return false;
    };
    let position = parents.iter().position(|other| std::ptr::eq(*other, call));
    let next = position.and_then(|position| parents.get(position + 1));
    next.is_some_and(|next| next.text.starts_with(&format!("close({})", fd.0)))
}

fn plain_name(call: &Call) -> String {
    let name = call.name();
    match name {
        "newfstatat" | "fstat64" | "fstatat64" => "fstat",
        "mmap2" => "mmap",
        "fcntl64" => "fcntl",
        "fork" | "vfork" => "fork",
        "clone" if !call.text.contains("CLONE_VM") => "fork",
        name => name.strip_suffix("32").unwrap_or(name),
    }
    .to_owned()
}
