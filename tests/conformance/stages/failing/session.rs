//! Impossible sessions, groups and terminals.

use std::fs::File;
use std::os::fd::AsRawFd;

use forkexec::{Errno, Operand, Stage, Stdio};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;
use rstest::rstest;

use super::assert_failure;
use crate::stages::session::Terminal;
use crate::start::{failure, memory_file, probe};

#[test]
fn refused_session_is_reported() {
    isolated(|| {
        if !Deny::new().errno(libc::SYS_setsid, libc::EPERM).installed() {
            return;
        }
        let failure = failure(probe(&[]).setsid());
        let text = "cannot create a session";
        assert_failure(&failure, Stage::Session, &Operand::None, Errno::PERM, text);
    });
}

/// Faults: N44, S5
#[test]
fn missing_process_group_is_reported() {
    isolated(|| {
        let failure = failure(probe(&[]).process_group(i32::MAX));
        let text = "cannot join the process group (2147483647)";
        assert_failure(&failure, Stage::ProcessGroup, &Operand::Number(i32::MAX.into()), Errno::PERM, text);
    });
}

/// Faults: N44, S5
#[test]
fn process_group_of_another_session_is_reported() {
    isolated(|| {
        let mut leader = probe(&["sleep-on-stdin"]);
        let mut leader = leader.setsid().stdin(Stdio::piped()).spawn().expect("it can be started");
        let group = leader.id().cast_signed();
        let failure = failure(probe(&[]).process_group(group));
        leader.wait().expect("its input ends");
        let text = format!("cannot join the process group ({group})");
        assert_failure(&failure, Stage::ProcessGroup, &Operand::Number(group.into()), Errno::PERM, &text);
    });
}

#[rstest]
#[case::on_a_free_number(8)]
#[case::on_a_target(7)]
fn fd_that_is_no_terminal_is_reported(#[case] target: i32) {
    isolated(|| {
        let file = world::place(File::open("/dev/null").expect("it is there"), 7);
        let mut command = probe(&[]);
        let failure = failure(command.setsid().controlling_terminal(&file).fd(target, memory_file()));
        let text = "cannot set the controlling terminal (fd 7)";
        assert_failure(&failure, Stage::Terminal, &Operand::Fd(7), Errno::NOTTY, text);
    });
}

#[test]
fn terminal_of_another_session_is_reported() {
    isolated(|| {
        let Some(terminal) = Terminal::open() else { return };
        let mut holder = probe(&["sleep-on-stdin"]);
        holder.setsid().controlling_terminal(&terminal.childs).stdin(Stdio::piped());
        let mut holder = holder.spawn().expect("it can be started");
        let failure = failure(probe(&[]).setsid().controlling_terminal(&terminal.childs));
        holder.wait().expect("its input ends");
        let fd = terminal.childs.as_raw_fd();
        let text = format!("cannot set the controlling terminal (fd {fd})");
        assert_failure(&failure, Stage::Terminal, &Operand::Fd(fd), Errno::PERM, &text);
    });
}

#[test]
fn foreground_of_a_non_controlling_terminal_is_reported() {
    isolated(|| {
        let Some(terminal) = Terminal::open() else { return };
        let placed = world::place(&terminal.childs, 7);
        let mut command = probe(&[]);
        let failure = failure(command.setsid().foreground(&placed).fd(7, memory_file()));
        let text = "cannot make the process group the foreground group of the terminal (fd 7)";
        assert_failure(&failure, Stage::Foreground, &Operand::Fd(7), Errno::NOTTY, text);
    });
}
