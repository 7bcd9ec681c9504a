//! Takes descriptors from a suspended parent, by the first means that is not refused.
//!
//! 1. `/proc/PARENT/fd/N` opens the file anew. That needs the permissions to read the process and to open the file, and no more.
//!    The path may lead elsewhere: `/proc` may be another filesystem, or belong to another pid namespace. So stat(2) must show
//!    the file of the parent before it is opened, and fstat(2) must show that file again. No other filesystem can have the
//!    device number of a pipe.
//! 2. pidfd_getfd(2) duplicates the descriptor. That needs what ptrace(2) needs, and works for every file.
//!
//! A means counts as refused from its first use until it has worked. So if a filter answers with SIGSYS, the next child does not
//! use it.

use crate::LinuxSys;
use core::ffi::CStr;
use core::sync::atomic::{AtomicU8, Ordering};
use forkexec_core::{Access, Errno, Fd, FileId, Lender, Pid, Taking, Wanted};

/// The means, and the knowledge about each.
#[derive(Debug)]
pub(crate) struct TakeMeans {
    reopen: Means,
    /// pidfd_getfd(2) of a thread group leader.
    of_leader: Means,
    /// pidfd_getfd(2) of another thread.
    of_thread: Means,
}

/// The knowledge about one means.
#[derive(Debug)]
struct Means(AtomicU8);

const UNTRIED: u8 = 0;
/// It is refused, or a child is trying it for the first time.
const REFUSED: u8 = 1;
const WORKS: u8 = 2;

impl Means {
    const fn new() -> Self {
        Self(AtomicU8::new(UNTRIED))
    }

    fn is_refused(&self) -> bool {
        self.0.load(Ordering::Relaxed) == REFUSED
    }

    fn works(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WORKS
    }

    fn forget_success(&self) {
        let _ = self.0.compare_exchange(WORKS, UNTRIED, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Makes an attempt, and remembers its outcome. A child that shares the table also shares this memory.
    fn attempt(&self, attempt: impl FnOnce() -> Result<Fd, Errno>) -> Result<Fd, Errno> {
        let before = self.0.load(Ordering::Relaxed);
        if before != WORKS {
            self.0.store(REFUSED, Ordering::Relaxed);
        }
        let taken = attempt();
        match taken {
            Ok(_) if before != WORKS => self.0.store(WORKS, Ordering::Relaxed),
            Ok(_) => {}
            Err(errno) if is_of_the_moment(errno) => self.0.store(before, Ordering::Relaxed),
            Err(_) => self.0.store(REFUSED, Ordering::Relaxed),
        }
        taken
    }
}

impl TakeMeans {
    pub(crate) const fn new() -> Self {
        Self { reopen: Means::new(), of_leader: Means::new(), of_thread: Means::new() }
    }

    /// A means that worked counts as untried. A filter that was installed since then may answer it with SIGSYS.
    pub(crate) fn forget_success(&self) {
        [&self.reopen, &self.of_leader, &self.of_thread].into_iter().for_each(Means::forget_success);
    }

    /// Returns whether a child of any thread may take a descriptor.
    pub(crate) fn may(&self, reopens: bool) -> bool {
        reopens && !self.reopen.is_refused() || !self.of_leader.is_refused() && !self.of_thread.is_refused()
    }

    /// Returns how a child of this thread may take a descriptor.
    ///
    /// The duplicate is cheaper, most of all the second one. But it is not tried for a file that can be opened anew, as
    /// long as it is not known to work: Yama logs each attempt that it refuses.
    pub(crate) fn can<S: LinuxSys>(&self, sys: &S, lender: Pid, reopen: Option<Access>) -> Option<Taking> {
        let by_path = reopen.filter(|_| !self.reopen.is_refused()).map(Taking::Reopen);
        if by_path.is_some() && !self.of_leader.works() && !self.of_thread.works() {
            return by_path;
        }
        match self.duplicate(sys, lender) {
            Some((_, means)) if by_path.is_none() || means.works() => Some(Taking::Duplicate),
            _ => by_path,
        }
    }

    /// Returns whether the lender is a thread group leader, and the means to duplicate its descriptors, unless that is refused.
    /// A child outside of the parent's pid namespace cannot name the parent: getppid(2) returns 0.
    fn duplicate<S: LinuxSys>(&self, sys: &S, lender: Pid) -> Option<(bool, &Means)> {
        let process = sys.getppid();
        let leads = process == lender;
        let means = if leads { &self.of_leader } else { &self.of_thread };
        (process != 0 && !means.is_refused()).then_some((leads, means))
    }

    /// Takes a descriptor.
    pub(crate) fn take<S: LinuxSys>(&self, sys: &S, lender: &Lender, wanted: &Wanted) -> Result<Fd, Errno> {
        if let Some((access, id)) = wanted.reopen.filter(|_| !self.reopen.is_refused()) {
            if let Ok(fd) = self.reopen.attempt(|| reopen(sys, lender.thread, wanted.fd, access, id)) {
                return Ok(fd);
            }
        }
        let (leads, means) = self.duplicate(sys, lender.thread).ok_or(Errno::PERM)?;
        means.attempt(|| duplicate(sys, lender, leads, wanted.fd))
    }
}

/// The names of the means, in the order in which a child tries them.
pub(crate) const NAMES: &[&str] = &["/proc/PID/fd", "pidfd_getfd"];

/// Takes a descriptor of the thread group leader `lender` by the means with this index.
pub(crate) fn take_by<S: LinuxSys>(sys: &S, index: usize, lender: Pid, wanted: &Wanted) -> Result<Fd, Errno> {
    match (index, wanted.reopen) {
        (0, Some((access, id))) => reopen(sys, lender, wanted.fd, access, id),
        (1, _) => {
            let lender = Lender::new(lender);
            let fd = duplicate(sys, &lender, true, wanted.fd);
            if let Some(pidfd) = lender.remove_handle(0) {
                sys.close(pidfd)?;
            }
            fd
        }
        _ => Err(Errno::NOSYS),
    }
}

/// Opens the file anew, if the path leads to the file with this identity before and after that.
fn reopen<S: LinuxSys>(sys: &S, lender: Pid, fd: Fd, access: Access, id: FileId) -> Result<Fd, Errno> {
    let path = FdPath::new(lender, fd);
    let path = path.as_c_str().ok_or(Errno::NAMETOOLONG)?;
    if sys.path_id(path)? != id {
        return Err(Errno::NOENT);
    }
    let opened = sys.open_file(path, access)?;
    if sys.file_id(opened)? == id { Ok(opened) } else { Err(Errno::NOENT) }
}

/// Duplicates the descriptor. A thread group leader may have another table than the lender, so it cannot stand for it.
fn duplicate<S: LinuxSys>(sys: &S, lender: &Lender, leads: bool, fd: Fd) -> Result<Fd, Errno> {
    let pidfd = lender.handle_or_open(|| sys.open_pidfd_of(lender.thread, leads))?;
    sys.pidfd_getfd(pidfd, fd)
}

/// Returns whether a call may succeed at another time: descriptors or memory ran out, a signal interrupted it, or the plan names a
/// descriptor that is not open.
fn is_of_the_moment(errno: Errno) -> bool {
    matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR | Errno::BADF)
}

/// `/proc/PID/fd/FD`, with its NUL.
struct FdPath([u8; LENGTH]);

/// Room for two numbers of ten digits.
const LENGTH: usize = b"/proc//fd/".len() + 2 * 10 + 1;

impl FdPath {
    fn new(process: Pid, fd: Fd) -> Self {
        let mut path = [0; LENGTH];
        let mut room = path.iter_mut();
        let mut put = |bytes: &mut dyn Iterator<Item = u8>| {
            for byte in bytes {
                if let Some(place) = room.next() {
                    *place = byte;
                }
            }
        };
        put(&mut b"/proc/".iter().copied());
        put(&mut digits(process));
        put(&mut b"/fd/".iter().copied());
        put(&mut digits(fd));
        Self(path)
    }

    fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.0).ok()
    }
}

/// The decimal digits of a number that is not negative.
fn digits(number: i32) -> impl Iterator<Item = u8> {
    let number = number.unsigned_abs();
    let mut unit = 1_u32;
    while number.checked_div(unit).is_some_and(|rest| rest >= 10) {
        unit = unit.wrapping_mul(10);
    }
    core::iter::from_fn(move || {
        let rest = number.checked_div(unit)?;
        unit /= 10;
        Some(b'0' + (rest % 10) as u8)
    })
}

#[cfg(test)]
mod tests {
    use super::{Errno, FdPath, Means};
    use rstest::rstest;
    use std::format;

    #[rstest]
    fn path_has_both_numbers_in_decimal(
        #[values(1, 9, 10, 4_194_304, i32::MAX)] process: i32,
        #[values(0, 64, 19_000, i32::MAX)] fd: i32,
    ) {
        let path = FdPath::new(process, fd);
        assert_eq!(path.as_c_str().unwrap().to_str().unwrap(), format!("/proc/{process}/fd/{fd}"));
    }

    /// A filter that answers with SIGSYS ends the child in the call, so that nothing is recorded after it.
    #[test]
    fn means_counts_as_refused_until_it_has_worked() {
        let means = Means::new();
        let attempt = || means.attempt(|| Ok(i32::from(means.is_refused())));
        assert_eq!((attempt(), means.is_refused()), (Ok(1), false));
        assert_eq!((attempt(), means.is_refused()), (Ok(0), false));
        means.forget_success();
        assert_eq!((attempt(), means.is_refused()), (Ok(1), false));
    }

    #[rstest]
    #[case::refused(Errno::PERM, true)]
    #[case::of_the_moment(Errno::MFILE, false)]
    fn refusal_is_remembered_and_not_forgotten(
        #[case] errno: Errno,
        #[case] refused: bool,
        #[values(false, true)] worked: bool,
    ) {
        let means = Means::new();
        if worked {
            assert_eq!(means.attempt(|| Ok(3)), Ok(3));
        }
        assert_eq!((means.attempt(|| Err(errno)), means.is_refused()), (Err(errno), refused));
        means.forget_success();
        assert_eq!(means.is_refused(), refused);
    }
}
