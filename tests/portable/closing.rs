//! Each strategy closes all that the child is not to inherit.

use crate::child::{command, file, open_descriptors, seen, text_of};
use crate::harness::skip;
use forkexec::{CloseStrategy, Resource};
use forkexec_core::{KeepList, close_except};
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread;

const LINKS: [CloseStrategy; 3] = [CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop];

/// A descriptor that a child would inherit, at or above a number.
pub(crate) fn inheritable(lowest: i32) -> OwnedFd {
    try_inheritable(lowest).expect("a descriptor is free")
}

fn try_inheritable(lowest: i32) -> io::Result<OwnedFd> {
    let file = File::open("/dev/null")?;
    // SAFETY: the test owns the descriptor.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, lowest) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the descriptor is new and has no other owner.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}

/// One end of a pipe whose other end is closed: a unique file.
pub(crate) fn unique() -> PipeReader {
    io::pipe().expect("a pipe can be made").0
}

pub(crate) fn child_gets_only_its_streams() {
    let _open = [inheritable(3), inheritable(10), inheritable(50)];
    assert_eq!(seen(&mut command("report")).descriptors(), [0, 1, 2]);
}

pub(crate) fn each_strategy_closes_all_other_descriptors() {
    let _open: Vec<_> = (3..60).map(inheritable).collect();
    let kept = inheritable(20);
    for link in LINKS {
        let seen = seen(command("report").keep_fd(&kept).close_strategy(link));
        assert_eq!(seen.descriptors(), [0, 1, 2, kept.as_raw_fd()], "{link:?}");
    }
}

pub(crate) fn adjacent_and_scattered_descriptors_stay() {
    let open: Vec<_> = (0..40).map(|_| inheritable(3)).collect();
    let kept: Vec<_> = [0, 1, 2, 7, 20, 21, 39].iter().map(|&index| &open[index]).collect();
    let mut expected: Vec<_> = [0, 1, 2].into_iter().chain(kept.iter().map(|fd| fd.as_raw_fd())).collect();
    expected.sort_unstable();
    for link in LINKS {
        let mut command = command("report");
        for fd in &kept {
            command.keep_fd(*fd);
        }
        assert_eq!(seen(command.close_strategy(link)).descriptors(), expected, "{link:?}");
    }
}

pub(crate) fn thousand_descriptors_are_closed() {
    let open: Vec<_> = (0..1_000).map_while(|_| try_inheritable(3).ok()).collect();
    if open.len() < 900 {
        return skip(&format!("the hard limit allows {} descriptors only", open.len()));
    }
    for link in LINKS {
        let seen = seen(command("report").close_strategy(link));
        assert_eq!(seen.descriptors(), [0, 1, 2], "{link:?}");
    }
}

pub(crate) fn high_descriptor_is_closed() {
    let highest = [60_000, 15_000, 4_000, 900].into_iter().find_map(|number| try_inheritable(number).ok());
    let Some(_open) = highest else {
        return skip("the hard limit allows no descriptor above 900");
    };
    for link in LINKS {
        let seen = seen(command("report").close_strategy(link));
        assert_eq!(seen.descriptors(), [0, 1, 2], "{link:?}");
    }
}

pub(crate) fn descriptor_above_a_lowered_limit_is_closed() {
    let Ok(_open) = try_inheritable(200) else {
        return skip("the hard limit allows no descriptor above 200");
    };
    for link in LINKS {
        let seen = seen(command("report").rlimit(Resource::NOFILE, Some(64), Some(64)).close_strategy(link));
        assert_eq!((seen.descriptors(), seen.get("nofile")), (vec![0, 1, 2], "64 64"), "{link:?}");
    }
}

pub(crate) fn inherit_all_passes_on_all_descriptors() {
    let open = inheritable(30);
    let seen = seen(command("report").inherit_all());
    assert!(seen.descriptors().contains(&open.as_raw_fd()), "{seen:?}");
}

pub(crate) fn children_of_concurrent_threads_share_no_descriptors() {
    let start = || {
        let (mut reader, writer) = io::pipe().expect("a pipe can be made");
        let mut command = command("report-to");
        command.arg("9").fd(9, writer);
        let mut child = command.spawn().expect("the child starts");
        drop(command);
        let report = text_of(&mut reader);
        assert!(child.wait().expect("the child ends").success());
        assert!(report.starts_with("fds: 0 1 2 9\n"), "{report}");
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || (0..4).for_each(|_| start()));
        }
    });
}

/// The closing chain of core, over the portable backend, which exists on every system.
pub(crate) fn floor_closes_all_by_each_strategy() {
    let _open: Vec<_> = (3..60).map(inheritable).collect();
    let kept = unique();
    let identity = file(kept.as_raw_fd());
    let streams: Vec<_> = open_descriptors().into_iter().filter(|&fd| fd < 3).collect();
    for link in LINKS {
        let closes = || {
            // SAFETY: this is a forked child.
            let backend = forkexec_posix::Posix::new(unsafe { forkexec_posix::Kernel::new() });
            let numbers = [kept.as_raw_fd()];
            let keep = KeepList::new(&numbers).expect("one number is sorted");
            let closed = close_except(&backend, 3, keep, link);
            let left = [&streams[..], &numbers].concat();
            closed.is_ok() && open_descriptors() == left && file(kept.as_raw_fd()) == identity
        };
        match in_a_child(closes) {
            Some(true) => {}
            Some(false) => panic!("{link:?} left something open, or closed what was kept"),
            None => return skip("fork(2) is refused"),
        }
    }
}

/// Returns the answer to a question in a forked child. The harness's other thread only sleeps, so that no lock is held.
fn in_a_child(question: impl FnOnce() -> bool) -> Option<bool> {
    // SAFETY: the child at most allocates, and ends.
    match unsafe { libc::fork() } {
        -1 => None,
        // SAFETY: ends the process.
        0 => unsafe { libc::_exit(i32::from(!question())) },
        child => {
            let mut status = 0;
            // SAFETY: one int is written.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            Some(status == 0)
        }
    }
}
