//! Sessions, groups and terminals: as the child sees them.

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr;

use forkexec::{BorrowingCommand, Stdio};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;

use crate::start::{memory_file, probe, report, set_cloexec};

#[test]
fn child_leads_its_new_session() {
    isolated(|| {
        let seen = report(probe(&[]).setsid());
        assert_eq!((seen.sid, seen.pgid), (seen.pid, seen.pid));
    });
}

/// Faults: N45, S5
#[test]
fn session_leader_can_ask_for_its_own_process_group() {
    isolated(|| {
        let seen = report(probe(&[]).setsid().process_group(0));
        assert_eq!((seen.sid, seen.pgid), (seen.pid, seen.pid));
    });
}

#[test]
fn new_process_group_is_in_the_parents_session() {
    isolated(|| {
        let (group, session) = (report(probe(&[]).process_group(0)), report(&mut probe(&[])).sid);
        assert_eq!((group.pgid, group.sid), (group.pid, session));
    });
}

#[test]
fn child_can_join_a_process_group() {
    isolated(|| {
        let mut leader = probe(&["sleep-on-stdin"]);
        let mut leader = leader.process_group(0).stdin(Stdio::piped()).spawn().expect("it can be started");
        let group = leader.id().cast_signed();
        let seen = report(probe(&[]).process_group(group));
        leader.wait().expect("its input ends");
        assert_eq!(seen.pgid, group);
    });
}

/// Faults: S6
#[test]
fn terminal_becomes_the_controlling_terminal() {
    isolated(|| {
        let Some(terminal) = Terminal::open() else { return };
        let mut command = probe(&[]);
        command.setsid().controlling_terminal(&terminal.childs).stdin(terminal.copy());
        let seen = report(&mut command);
        assert_eq!((seen.sid, seen.tpgid), (seen.pid, Some(seen.pid)));
    });
}

#[test]
fn new_session_has_no_controlling_terminal() {
    isolated(|| {
        let Some(terminal) = Terminal::open() else { return };
        let seen = report(probe(&[]).setsid().stdin(terminal.copy()));
        assert_eq!((seen.sid, seen.tpgid), (seen.pid, None));
    });
}

#[test]
fn terminal_on_a_target_number_still_becomes_controlling() {
    isolated(|| {
        let Some(terminal) = Terminal::open() else { return };
        let placed = world::place(&terminal.childs, 7);
        let mut command = probe(&[]);
        command.setsid().controlling_terminal(&placed).foreground(&placed).stdin(terminal.copy());
        let seen = report(command.fd(7, memory_file()));
        assert_eq!((seen.fds, seen.tpgid), (vec![0, 1, 2, 7], Some(seen.pid)));
    });
}

#[test]
fn terminal_fd_is_not_inherited() {
    isolated(|| {
        let Some(terminal) = Terminal::open() else { return };
        let seen = report(probe(&[]).setsid().controlling_terminal(&terminal.childs));
        assert_eq!(seen.fds, [0, 1, 2]);
    });
}

/// The test runs again as the leader of a session with a terminal, and starts a child in the background there.
///
/// Faults: S6
#[test]
fn background_child_comes_to_the_foreground() {
    isolated(|| {
        let Some(terminal) = Terminal::open() else { return };
        let mut leader = BorrowingCommand::new(env::current_exe().expect("a process knows its program"));
        leader.args(["stages::session::starts_a_child_in_the_foreground", "--exact", "--ignored"]);
        leader.setsid().controlling_terminal(&terminal.childs).stdin(terminal.copy());
        let output = leader.output().expect("it can be started");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
    });
}

#[test]
#[ignore = "is started by the one above"]
fn starts_a_child_in_the_foreground() {
    let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") else {
        return skip("has no controlling terminal");
    };
    let mut command = probe(&[]);
    command.process_group(0).foreground(&terminal);
    command.stdin(terminal.try_clone().expect("it can be duplicated"));
    let seen = report(&mut command);
    assert_eq!((seen.pgid, seen.tpgid, seen.blocked), (seen.pid, Some(seen.pid), vec![]));
}

/// A pseudoterminal.
pub(super) struct Terminal {
    pub(super) childs: OwnedFd,
    _parents: OwnedFd,
}

impl Terminal {
    /// Opens a new terminal. Skips the test if there is none.
    pub(super) fn open() -> Option<Self> {
        let (mut parents, mut childs) = (-1, -1);
        let nothing = ptr::null_mut();
        // SAFETY: two descriptors are written, and the other results are not requested.
        let result =
            unsafe { libc::openpty(&raw mut parents, &raw mut childs, nothing, ptr::null(), ptr::null()) };
        if result != 0 {
            skip(&format!("no pseudoterminal is to be had: {}", io::Error::last_os_error()));
            return None;
        }
        // SAFETY: the descriptor is new and has no other owner.
        let ends = [parents, childs].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        ends.iter().for_each(set_cloexec);
        let [parents, childs] = ends;
        Some(Self { childs, _parents: parents })
    }

    pub(super) fn copy(&self) -> OwnedFd {
        self.childs.as_fd().try_clone_to_owned().expect("it can be duplicated")
    }
}
