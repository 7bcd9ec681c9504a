//! Reads `/proc/PID/stat` (proc_pid_stat(5)).
//!
//! It does not allocate, and runs in the parent only.

use crate::LinuxSys;
use core::ffi::CStr;
use forkexec_core::{Errno, Pid};

/// The line of the kernel about one process.
#[derive(Clone, Debug)]
pub struct Stat {
    line: [u8; LONGEST],
    /// The end of field 1, the process ID.
    pid: usize,
    /// The start of field 3, the state.
    state: usize,
    end: usize,
}

/// Room for 52 fields of 20 digits, and a name of 64 bytes in parentheses (`proc_task_name` and `do_task_stat` of Linux).
const LONGEST: usize = 1280;

/// `/proc/2147483647/stat` and its NUL.
const PATH: usize = 22;

impl Stat {
    /// Reads the line of process `pid`.
    ///
    /// # Errors
    ///
    /// Returns `ENOENT` or `ESRCH` if there is no such process, or if `/proc` is not on procfs. Returns `EIO` for an invalid
    /// line.
    pub fn read<S: LinuxSys>(sys: &S, pid: Pid) -> Result<Self, Errno> {
        let mut path = [0; PATH];
        let path = path_of(pid, &mut path).ok_or(Errno::INVAL)?;
        let mut line = [0; LONGEST];
        let end = sys.read_file(path, &mut line)?;
        Self::new(&line, end).ok_or(Errno::IO)
    }

    /// The name in parentheses may contain any byte, also parentheses and blanks. So it ends at the last parenthesis.
    fn new(line: &[u8; LONGEST], end: usize) -> Option<Self> {
        let filled = line.get(..end)?;
        let pid = filled.iter().position(|&byte| byte == b' ')?;
        let name = filled.iter().rposition(|&byte| byte == b')')?;
        (pid < name).then_some(Self { line: *line, pid, state: name.checked_add(2)?, end })
    }

    /// Field 1, the process ID.
    pub fn pid(&self) -> Option<Pid> {
        text(self.line.get(..self.pid)?)?.parse().ok()
    }

    /// Field 3, the state: `R`, `S`, `Z` and others.
    pub fn state(&self) -> Option<char> {
        self.fields()?.next()?.chars().next()
    }

    /// A field from 4 on, as proc_pid_stat(5) counts them. All of these are numbers.
    pub fn field(&self, number: usize) -> Option<i64> {
        self.fields()?.nth(number.checked_sub(3)?)?.parse().ok()
    }

    /// The fields from the state on.
    fn fields(&self) -> Option<impl Iterator<Item = &str>> {
        Some(text(self.line.get(self.state..self.end)?)?.split_ascii_whitespace())
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok()
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
    use super::{LONGEST, PATH, Pid, Stat, path_of};
    use rstest::rstest;
    use std::format;

    fn stat(text: &[u8]) -> Option<Stat> {
        let mut line = [0; LONGEST];
        line[..text.len()].copy_from_slice(text);
        Stat::new(&line, text.len())
    }

    const REST: &str = "S 3 12 13 0 -1 64 0 0 0 0 0 0 0 0 20 0 7 0 18446744073709551 0 0\n";

    #[rstest]
    #[case::plain("sh")]
    #[case::like_the_rest("a) S 9 9 9")]
    #[case::opening_parenthesis(" (")]
    #[case::closing_parenthesis(") Z 1")]
    #[case::empty("")]
    fn fields_are_found_after_any_name(#[case] name: &str) {
        let stat = stat(format!("42 ({name}) {REST}").as_bytes()).unwrap();
        assert_eq!((stat.pid(), stat.state()), (Some(42), Some('S')));
        assert_eq!([4, 5, 6, 9].map(|field| stat.field(field)), [3, 12, 13, 64].map(Some));
        assert_eq!([20, 22].map(|field| stat.field(field)), [7, 18_446_744_073_709_551].map(Some));
    }

    #[test]
    fn name_need_not_be_utf_8() {
        let stat = stat(&[b"42 (\xff) ".as_slice(), REST.as_bytes()].concat()).unwrap();
        assert_eq!((stat.pid(), stat.field(4)), (Some(42), Some(3)));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::number("1")]
    #[case::no_name("12 S 3 12 12 0 -1 64")]
    #[case::parenthesis_first(")1 (")]
    #[case::cut_before_the_field("1 (x) S 1 2 3")]
    #[case::cut_after_the_name("1 (x)")]
    fn truncated_line_lacks_the_field(#[case] line: &str) {
        assert_eq!(stat(line.as_bytes()).and_then(|stat| stat.field(9)), None);
    }

    #[rstest]
    #[case::short(7, Some("/proc/7/stat"))]
    #[case::with_zeros(30_100, Some("/proc/30100/stat"))]
    #[case::longest(Pid::MAX, Some("/proc/2147483647/stat"))]
    #[case::negative(-1, None)]
    fn path_fits_any_pid(#[case] pid: Pid, #[case] path: Option<&str>) {
        let mut buffer = [0; PATH];
        assert_eq!(path_of(pid, &mut buffer).map(|path| path.to_str().unwrap()), path);
    }
}
