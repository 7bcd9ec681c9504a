//! Programs that are executed by their descriptor.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};

use forkexec::{BorrowingCommand, Cause, Errno, Error, Operand, SpawnPolicy, Stage};
use forkexec_core::Operation;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use forkexec_tests::{probe, world};
use rstest::rstest;

use crate::ground::has;
use crate::start::{failure, memory_file, report};

fn open_probe(number: i32) -> OwnedFd {
    world::place(File::open(probe::path()).expect("it can be opened"), number)
}

/// The number does not matter, nor whether exec would close the descriptor.
#[rstest]
fn open_program_runs_and_is_not_inherited(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
    #[values(5, 900)] number: i32,
    #[values(false, true)] inheritable: bool,
) {
    isolated(|| {
        if !has(Operation::ExecuteFile) {
            return;
        }
        let program = open_probe(number);
        if inheritable {
            // SAFETY: changes a flag of a descriptor of this test.
            unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
        }
        let mut command = BorrowingCommand::new("no-such-name");
        command.executable(&program).spawn_policy(launch);
        let seen = report(&mut command);
        assert_eq!((seen.fds, seen.args[0].to_str()), (vec![0, 1, 2], Some("no-such-name")));
        // The target of a mapping may have the number of the program.
        let mapped = memory_file();
        let mut command = BorrowingCommand::new("p");
        command.executable(&program).fd(number, &mapped).spawn_policy(launch);
        assert_eq!(report(&mut command).fds, [0, 1, 2, number]);
    });
}

#[test]
fn program_in_memory_runs() {
    isolated(|| {
        if !has(Operation::ExecuteFile) {
            return;
        }
        let mut program = memory_file();
        program.write_all(&std::fs::read(probe::path()).expect("it can be read")).expect("there is memory");
        // A file that is open for writing is busy.
        let reading = File::open(format!("/proc/self/fd/{}", program.as_raw_fd())).expect("there is procfs");
        drop(program);
        let mut command = BorrowingCommand::new("memory");
        assert_eq!(report(command.executable(&reading)).fds, [0, 1, 2]);
    });
}

#[rstest]
fn script_runs_only_if_it_is_kept(#[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy) {
    isolated(|| {
        if !has(Operation::ExecuteFile) {
            return;
        }
        let mut writer = memory_file();
        writer.write_all(b"#!/bin/sh\nexit 7\n").expect("there is memory");
        let script = File::open(format!("/proc/self/fd/{}", writer.as_raw_fd())).expect("there is procfs");
        drop(writer);
        let mut command = BorrowingCommand::new("script");
        let failure = failure(command.executable(&script).spawn_policy(launch));
        let operand = Operand::Fd(script.as_raw_fd());
        let whole = (failure.stage(), failure.operand(), failure.errno(), failure.cause());
        assert_eq!(whole, (Stage::Exec, &operand, Errno::NOENT, Some(&Cause::ScriptNotKept)));
        let status = command.keep_fd(&script).status().expect("it starts");
        assert_eq!(status.code(), Some(7));
        let high = world::place(&script, 900);
        let mut command = BorrowingCommand::new("script");
        command.executable(&high).keep_fd(&high).spawn_policy(launch);
        assert_eq!(command.status().expect("it starts").code(), Some(7));
    });
}

#[test]
fn file_that_is_no_program_is_an_error() {
    isolated(|| {
        if !has(Operation::ExecuteFile) {
            return;
        }
        let file = File::open("/etc/passwd").expect("it can be opened");
        let failure = failure(BorrowingCommand::new("file").executable(&file));
        let operand = Operand::Fd(file.as_raw_fd());
        assert_eq!(
            (failure.stage(), failure.operand(), failure.errno()),
            (Stage::Exec, &operand, Errno::ACCES)
        );
    });
}

#[rstest]
fn refused_execveat_is_an_error(#[values(libc::EPERM, libc::ENOSYS)] errno: i32) {
    isolated(|| {
        if !has(Operation::ExecuteFile) {
            return;
        }
        let program = open_probe(5);
        if Deny::new().errno(libc::SYS_execveat, errno).installed() {
            let failure = failure(BorrowingCommand::new("p").executable(&program));
            assert_eq!((failure.stage(), failure.errno().raw()), (Stage::Exec, errno));
        }
    });
}

#[test]
fn system_without_the_call_is_named() {
    isolated(|| {
        let program = open_probe(5);
        let started = BorrowingCommand::new("p").arg("true").executable(&program).status();
        let expected = crate::ground::capabilities().has(Operation::ExecuteFile);
        assert_eq!(started.is_ok(), expected, "{started:?}");
        assert!(expected || matches!(started, Err(Error::Unsupported { .. })));
    });
}
