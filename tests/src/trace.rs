//! The system calls that a program makes, as strace sees them.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

use crate::isolate::skip;

/// A system call, in the order of its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The thread that made it.
    pub pid: i32,
    /// The call with its arguments and its result, as strace writes it.
    pub text: String,
}

impl Call {
    /// Returns the name of the call: the text before the parenthesis.
    pub fn name(&self) -> &str {
        self.text.split('(').next().unwrap_or_default()
    }
}

/// Runs a program, with its descendants, under strace.
///
/// The program reads nothing. Its outputs are those of this process. `None`, after a [`skip`], if there is no strace or
/// it may not trace.
pub fn syscalls_of<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = S>,
) -> Option<Vec<Call>> {
    let list = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(list.path()).arg("--").arg(program).args(args).stdin(Stdio::null());
    if let Err(error) = strace.status() {
        skip(&format!("strace does not run: {error}"));
        return None;
    }
    let text = fs::read_to_string(&list).expect("strace writes UTF-8");
    if text.is_empty() {
        skip("strace may not trace, or cannot start the program");
        return None;
    }
    Some(parse(&text))
}

/// Reads the list that `strace -f -o` writes.
///
/// A call that another thread's interrupted is made whole again; signals and
/// ends of processes are left out.
pub fn parse(list: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished = HashMap::new();
    for (pid, text) in list.lines().filter_map(split) {
        if text.starts_with("---") || text.starts_with("+++") {
            continue;
        }
        if let Some((_, rest)) = text.strip_prefix("<... ").and_then(|it| it.split_once(" resumed>")) {
            if let Some(index) = unfinished.remove(&pid) {
                let call: &mut Call = &mut calls[index];
                call.text.push_str(rest);
            }
            continue;
        }
        let start = text.strip_suffix(" <unfinished ...>");
        if start.is_some() {
            unfinished.insert(pid, calls.len());
        }
        calls.push(Call { pid, text: start.unwrap_or(text).to_owned() });
    }
    calls
}

fn split(line: &str) -> Option<(i32, &str)> {
    let (pid, text) = line.split_once(' ')?;
    Some((pid.parse().ok()?, text.trim_start()))
}
