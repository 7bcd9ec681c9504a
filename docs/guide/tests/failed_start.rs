//! A failed start that command-fds reports as a success. It has a process of its own, in which the number of std's pipe does not change.

#![cfg(target_os = "linux")]

use command_fds::{CommandFdExt, FdMapping};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

#[test]
fn command_fds_hides_a_failed_start_at_some_target() {
    let lost = (3..=12).filter(|&child_fd| {
        let null = File::open("/dev/null").unwrap();
        let mut command = Command::new("/missing");
        command
            .stderr(Stdio::null())
            .fd_mappings(vec![FdMapping { parent_fd: null.into(), child_fd }])
            .unwrap();
        command.spawn().is_ok_and(|mut child| child.wait().unwrap().signal().is_some())
    });
    assert!(lost.count() > 0);
}
