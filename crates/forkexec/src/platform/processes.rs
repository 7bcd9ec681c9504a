//! The processes of the system, as Linux lists them: proc_pid_stat(5).

use crate::platform::pidfd;
use crate::tree::walk::Entry;
use forkexec_core::Resource;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process;

/// All that this process can see.
///
/// # Errors
///
/// Where `/proc` is not mounted, or is that of another pid namespace: its numbers would be strangers'.
pub(crate) fn all() -> io::Result<Vec<Entry>> {
    let own = fs::read_link("/proc/self")?;
    if own.to_str().and_then(|name| name.parse().ok()) != Some(process::id()) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let numbers = fs::read_dir("/proc")?.filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok());
    Ok(numbers.filter_map(one).collect())
}

/// One of them, if there is one with this number.
fn one(pid: i32) -> Option<Entry> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// A descriptor of the process that the entry is about: it has the same number since the same moment.
pub(crate) fn open(entry: &Entry) -> io::Result<OwnedFd> {
    let opened = pidfd::open(entry.pid)?;
    match one(entry.pid) {
        Some(now) if now.is_same(entry) => Ok(opened),
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// The name, in parentheses, may hold anything, parentheses and blanks, too.
fn parse(line: &str) -> Option<Entry> {
    let (pid, rest) = line.split_once(" (")?;
    let fields: Vec<&str> = rest.rsplit_once(") ")?.1.split(' ').collect();
    // The state is the third field of proc_pid_stat(5), and the first here.
    let number = |field: usize| fields.get(field - 3)?.trim_end().parse::<i64>().ok();
    let id = |field: usize| i32::try_from(number(field)?).ok();
    let is_dead = matches!(*fields.first()?, "Z" | "X");
    Some(Entry {
        pid: pid.parse().ok()?,
        parent: id(4)?,
        group: id(5)?,
        session: id(6)?,
        started: number(22)?,
        // The first thread may have ended before others.
        ended: is_dead && number(20)? <= 1,
    })
}

/// The limit of the processes of a user.
#[expect(clippy::allow_attributes, reason = "the constant's type differs by C library")]
#[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]
pub(crate) const LIMIT: Option<Resource> = Some(Resource(libc::RLIMIT_NPROC as i32));

/// Whether a user has as many threads as this soft limit allows, or that of this process. `None` if that cannot be seen.
pub(crate) fn is_at_limit(user: u32, set: Option<u64>) -> Option<bool> {
    let limit = set.or_else(|| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is written, and lives until the call returns.
        let answer = unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &raw mut limit) };
        #[expect(clippy::allow_attributes, reason = "the type differs by C library")]
        #[allow(clippy::useless_conversion)]
        (answer == 0).then(|| u64::from(limit.rlim_cur))
    })?;
    let threads: u64 = all().ok()?.iter().filter_map(|entry| threads_of(user, entry.pid)).sum();
    Some(threads >= limit)
}

/// The threads of a process, if this is its real user: proc_pid_status(5).
fn threads_of(user: u32, pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    let is_theirs = field("Uid:")?.parse() == Ok(user);
    is_theirs.then_some(field("Threads:")?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::{all, one, parse};
    use std::process;

    #[test]
    fn a_name_may_hold_what_it_likes() {
        let rest = "S 1 2 3 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0";
        for name in ["sh", "a) S 9 9 9", " (", ") Z 1"] {
            let entry = parse(&format!("42 ({name}) {rest}\n")).expect("it is one");
            assert_eq!(
                (entry.pid, entry.parent, entry.group, entry.session, entry.started),
                (42, 1, 2, 3, 77)
            );
            assert!(!entry.ended);
        }
    }

    #[test]
    fn a_leader_whose_threads_live_on_has_not_ended() {
        let line = |threads: i32| format!("42 (x) Z 1 2 3 0 -1 4 0 0 0 0 0 0 0 0 20 0 {threads} 0 77 0 0");
        assert!(parse(&line(1)).expect("it is one").ended);
        assert!(!parse(&line(2)).expect("it is one").ended);
    }

    #[test]
    fn what_is_cut_short_is_none() {
        assert!(["", "1", "1 (x)", "1 (x) S 1 2 3", "1 (x) "].into_iter().all(|line| parse(line).is_none()));
    }

    #[test]
    fn this_process_is_among_them() {
        let pid = process::id().cast_signed();
        let own = one(pid).expect("it runs");
        assert!(all().expect("they are listed").iter().any(|entry| entry.is_same(&own)));
    }
}
