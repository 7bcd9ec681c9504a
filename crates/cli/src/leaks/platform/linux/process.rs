//! The data that `/proc` has about a stopped process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use crate::leaks::platform::report::Program;

/// The identity of a file: device and inode.
pub(super) type FileId = (u64, u64);

/// Returns the program of a process.
pub(super) fn program(pid: i32) -> Program {
    let file = fs::read_link(format!("/proc/{pid}/exe"));
    let program = file.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    Program { program, args: strings(pid, "cmdline") }
}

/// Returns the environment of a process as it was at exec.
pub(super) fn environment(pid: i32) -> Vec<String> {
    strings(pid, "environ")
}

fn strings(pid: i32, what: &str) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let text = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    if text.is_empty() && bytes.is_empty() {
        return Vec::new();
    }
    text.split(|&byte| byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// Returns the file behind a descriptor, if the descriptor is open.
pub(super) fn file(tid: i32, fd: i32) -> Option<FileId> {
    fs::metadata(format!("/proc/{tid}/fd/{fd}")).ok().map(|file| (file.dev(), file.ino()))
}

/// Reads the two numbers that a call wrote to this address.
pub(super) fn pair_at(tid: i32, address: u64) -> io::Result<[i32; 2]> {
    let mut bytes = [0; 8];
    File::open(format!("/proc/{tid}/mem"))?.read_exact_at(&mut bytes, address)?;
    let (first, second) = bytes.split_at(4);
    let number = |bytes: &[u8]| bytes.try_into().map_or(-1, i32::from_ne_bytes);
    Ok([number(first), number(second)])
}

/// Returns the process of a task, if the task exists.
pub(super) fn of_task(tid: i32) -> Option<i32> {
    in_status(tid, "Tgid:")
}

/// Returns the parent of a process, if the process exists.
pub(super) fn parent(pid: i32) -> Option<i32> {
    in_status(pid, "PPid:")
}

fn in_status(tid: i32, key: &str) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(key))?.trim().parse().ok()
}
