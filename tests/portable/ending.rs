//! The end of a child, by its descriptor where the system has one.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use crate::child::command;
use crate::harness::say;
use forkexec::{Operation, Stdio, reap_dropped, supports};

const LONG: Duration = Duration::from_mins(5);

/// Some may have ended before the library asks for their descriptor.
pub(crate) fn each_of_many_short_children_is_seen_to_end() {
    let mut watched = 0;
    for code in 0..60_u8 {
        let mut child = command("exit").arg(code.to_string()).spawn().expect("the child starts");
        watched += usize::from(child.exit_fd().is_some());
        assert!(child.ends_within(LONG).expect("the end can be waited for"));
        assert_eq!(child.wait().expect("the child ends").code(), Some(code.into()));
    }
    say(&format!("{watched} of 60 children had a descriptor"));
}

/// The child waits for the end of its input.
pub(crate) fn running_child_is_not_taken_for_ended() {
    let mut child =
        command("echo").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the child starts");
    assert!(!child.ends_within(Duration::from_millis(50)).expect("the end can be waited for"));
    assert_eq!(child.try_wait().expect("the child can be asked about"), None);
    child.kill().expect("the child is ours");
    assert!(child.ends_within(LONG).expect("the end can be waited for"));
    assert_eq!(child.wait().expect("the child ends").signal(), Some(libc::SIGKILL));
}

/// Its pid may be that of another process.
pub(crate) fn child_that_was_waited_for_gets_no_signal() {
    let mut child = command("exit").arg("3").spawn().expect("the child starts");
    assert_eq!(child.wait().expect("the child ends").code(), Some(3));
    child.kill().expect("nothing is sent");
    assert!(child.ends_within(Duration::ZERO).expect("its status is known"));
    assert_eq!(child.wait().expect("its status is known").code(), Some(3));
}

/// The kernel reaps it, or the library does.
pub(crate) fn autoreaped_child_has_its_status_everywhere() {
    let mut reaped = 0;
    for code in 0..20_u8 {
        let mut child =
            command("exit").arg(code.to_string()).autoreap(true).spawn().expect("the child starts");
        assert!(!child.is_autoreaped() || supports(Operation::Autoreap));
        assert_eq!(child.parent_death(), None);
        reaped += usize::from(child.is_autoreaped());
        assert_eq!(child.wait().expect("the child ends").code(), Some(code.into()));
    }
    drop(command("exit").arg("0").autoreap(true).spawn().expect("the child starts"));
    while reap_dropped() > 0 {
        std::thread::yield_now();
    }
    say(&format!("{reaped} of 20 children were reaped by the kernel"));
}
