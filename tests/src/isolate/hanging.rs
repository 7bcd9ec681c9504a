//! A description of the processes of a test that does not end.

use std::fmt::Write;
use std::fs;

/// The number of processes that are listed.
const MOST: usize = 30;

/// Describes the processes of a group and the children of its leader: number, name, state, and the function of the kernel in
/// which they wait.
pub(super) fn describe(leader: u32) -> String {
    let leader = leader.to_string();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<String> = pids.filter_map(|pid| line(pid.file_name().to_str()?, &leader)).collect();
    let mut text = format!("It had {} processes:\n", all.len());
    for line in all.iter().take(MOST) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Uses the field order of proc_pid_stat(5).
fn line(pid: &str, leader: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let (state, parent, group) = (fields.next()?, fields.next()?, fields.next()?);
    let place = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    (pid == leader || parent == leader || group == leader).then(|| format!("{name}) {state} {place}"))
}
