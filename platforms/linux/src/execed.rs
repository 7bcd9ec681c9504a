//! Whether a child of this process has executed a program: the kernel's flag `PF_FORKNOEXEC`.
//!
//! Fork sets the flag. Exec clears it, past the point of no return and before it closes close-on-exec descriptors
//! (`begin_new_exec` of fs/exec.c), and a zombie keeps it. So once the report channel has ended, the flag tells a child
//! that execs from one that a seccomp filter, or the out-of-memory killer, ended in execve(2).
//!
//! One call shows it: setpgid(2) refuses a child that has executed a program with `EACCES`. It is asked for a group that
//! cannot be, so that it changes nothing. A filter may answer `EACCES` to whoever asks; then it does so of the asking process,
//! too, which the kernel refuses with `EPERM`, and tells nothing. A child in a session of its own is refused for that first; then the flags in
//! `/proc/PID/stat` (proc(5)) tell, at ten times the cost.

use crate::LinuxSys;
use core::ffi::CStr;
use forkexec_core::{Errno, Pid};

/// `include/linux/sched.h`: forked, but did not exec. The value has not changed since Linux 1.3.
const PF_FORKNOEXEC: u32 = 0x40;

/// Whether child `pid` of process `parent` has executed a program, `None` if that cannot be told.
pub(crate) fn has_execed<S: LinuxSys>(sys: &S, pid: Pid, parent: Pid) -> Option<bool> {
    match sys.join_no_group(pid) {
        Err(Errno::ACCES) if sys.join_no_group(parent) != Err(Errno::ACCES) => Some(true),
        _ => by_procfs(sys, pid, parent),
    }
}

/// The same by `/proc` alone: `None` if there is none, or if it is that of another pid namespace, where the number is a
/// stranger's.
pub(crate) fn by_procfs<S: LinuxSys>(sys: &S, pid: Pid, parent: Pid) -> Option<bool> {
    let mut path = [0; PATH];
    let mut stat = [0; STAT];
    let length = sys.read_file(path_of(pid, &mut path)?, &mut stat).ok()?;
    let stat = Stat::parse(stat.get(..length)?)?;
    let is_the_child = stat.pid == pid && stat.parent == parent;
    is_the_child.then_some(stat.flags & PF_FORKNOEXEC == 0)
}

/// `/proc/2147483647/stat` and its NUL.
const PATH: usize = 22;

/// More than the fields up to the flags take: two numbers, a name of 16 bytes in parentheses, and six fields.
const STAT: usize = 256;

struct Stat {
    pid: Pid,
    parent: Pid,
    flags: u32,
}

impl Stat {
    /// `PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS …`. The name may hold anything, so the last parenthesis counts.
    fn parse(stat: &[u8]) -> Option<Self> {
        let open = stat.iter().position(|&byte| byte == b'(')?;
        let close = stat.iter().rposition(|&byte| byte == b')')?;
        let pid = number(stat.get(..open)?.trim_ascii())?;
        let mut fields = stat.get(close.checked_add(1)?..)?.trim_ascii().split(|&byte| byte == b' ');
        let parent = number(fields.nth(1)?)?;
        let flags = number(fields.nth(4)?)?;
        Some(Self { pid: Pid::try_from(pid).ok()?, parent: Pid::try_from(parent).ok()?, flags })
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// `/proc/PID/stat`, without an allocation.
fn path_of(pid: Pid, path: &mut [u8; PATH]) -> Option<&CStr> {
    let mut digits = [0; 10];
    let mut rest = u32::try_from(pid).ok()?;
    let mut length = 0;
    for digit in &mut digits {
        *digit = b'0'.wrapping_add(u8::try_from(rest % 10).ok()?);
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    let digits = digits.get(..length)?.iter().rev();
    let bytes = b"/proc/".iter().chain(digits).chain(b"/stat\0");
    path.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    CStr::from_bytes_until_nul(path).ok()
}

#[cfg(test)]
mod tests {
    use super::{PATH, Pid, Stat, path_of};
    use rstest::rstest;

    #[rstest]
    #[case::plain("12 (sh) S 3 12 12 0 -1 4194304 1", Some((12, 3, 0x40_0000)))]
    #[case::forked_only("12 (sh) Z 3 12 12 0 -1 4194368 1", Some((12, 3, 0x40_0040)))]
    #[case::a_name_like_the_rest("12 (a) S 9 (b) S 3 12 12 0 -1 64 1", Some((12, 3, 64)))]
    #[case::cut_before_the_flags("12 (sh) S 3 12 12 0 -1", None)]
    #[case::empty("", None)]
    #[case::no_name("12 S 3 12 12 0 -1 64", None)]
    #[case::parentheses_the_wrong_way("12 )sh( S 3 12 12 0 -1 64 1", None)]
    fn the_flags_are_found_behind_any_name(#[case] stat: &str, #[case] expected: Option<(Pid, Pid, u32)>) {
        let stat = Stat::parse(stat.as_bytes()).map(|stat| (stat.pid, stat.parent, stat.flags));
        assert_eq!(stat, expected);
    }

    #[rstest]
    #[case::short(7, Some("/proc/7/stat"))]
    #[case::with_zeros(30_100, Some("/proc/30100/stat"))]
    #[case::longest(Pid::MAX, Some("/proc/2147483647/stat"))]
    #[case::negative(-1, None)]
    fn the_path_fits_any_pid(#[case] pid: Pid, #[case] path: Option<&str>) {
        let mut buffer = [0; PATH];
        assert_eq!(path_of(pid, &mut buffer).map(|path| path.to_str().unwrap()), path);
    }
}
