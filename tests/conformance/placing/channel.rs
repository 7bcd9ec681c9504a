//! A failed exec is never a success, whatever has the number of the report pipe.

use std::io;
use std::ops::{Range, RangeInclusive};
use std::os::fd::RawFd;

use forkexec::{BorrowingCommand, Cause, CloseStrategy, Command, Errno, SpawnError, Stage, Stdio};
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe;
use rstest::rstest;

use crate::start::{failure, high_memory_file, words};

/// The numbers that new descriptors get in a process that has few.
const NUMBERS: RangeInclusive<RawFd> = 3..=40;

const MISSING: &str = "/no/such/program";

/// Faults: D5
#[rstest]
#[case::inherited(Stdio::inherit)]
#[case::piped(Stdio::piped)]
#[case::null(Stdio::null)]
#[case::closed(Stdio::closed)]
fn missing_program_is_an_error_with_any_mapping(#[case] stdio: fn() -> Stdio) {
    isolated(|| {
        let file = high_memory_file();
        let errors = NUMBERS.map(|number| {
            let mut command = BorrowingCommand::new(MISSING);
            command.stdin(stdio()).stdout(stdio()).stderr(stdio()).fd(number, &file);
            stage_and_errno(&failure(&mut command))
        });
        assert_eq!(errors.collect::<Vec<_>>(), vec![(Stage::Exec, Errno::NOENT); NUMBERS.count()]);
    });
}

/// Faults: D5
#[rstest]
#[case::closing_all(Some(CloseStrategy::Bulk))]
#[case::inheriting_all(None)]
fn missing_program_is_an_error_if_all_numbers_are_mapped(#[case] close: Option<CloseStrategy>) {
    isolated(|| {
        let file = high_memory_file();
        let mut command = BorrowingCommand::new(MISSING);
        let command = match close {
            Some(link) => command.close_strategy(link),
            None => command.inherit_all(),
        };
        for number in NUMBERS {
            command.fd(number, &file);
        }
        assert_eq!(stage_and_errno(&failure(command)), (Stage::Exec, Errno::NOENT));
    });
}

/// Faults: D5
#[rstest]
#[case::of_a_missing_program(MISSING)]
#[case::of_a_program_that_is_there(probe_path())]
fn closure_that_hits_all_numbers_is_an_error(
    #[case] program: &str,
    #[values(close, replace)] hit: fn(RawFd),
) {
    isolated(|| {
        let mut command = Command::new(program);
        // SAFETY: close and dup2 are async-signal-safe, and the child uses nothing from 3 up.
        unsafe { command.pre_exec(to_each(3..1000, hit)) };
        assert_replaced(&failure(&mut command));
    });
}

/// One number after the other: of all of them one leads to the parent.
///
/// Faults: D5
#[rstest]
#[case::closing(close)]
#[case::replacing(replace)]
fn closure_is_an_error_only_if_it_hits_the_report_pipe(#[case] hit: fn(RawFd)) {
    isolated(|| {
        let causes = NUMBERS.map(|number| {
            let mut command = Command::new(MISSING);
            // SAFETY: close and dup2 are async-signal-safe, and the child uses nothing from 3 up.
            unsafe { command.pre_exec(to_each(number..number + 1, hit)) };
            let failure = failure(&mut command);
            (failure.stage(), failure.cause().cloned())
        });
        let replaced = (Stage::PreExec, Some(Cause::ChannelReplaced));
        // After a closure, the parent does not know what the child sees.
        let missing = (Stage::Exec, None);
        let (hits, misses): (Vec<_>, Vec<_>) = causes.partition(|cause| *cause == replaced);
        assert_eq!((hits.len(), misses), (1, vec![missing; NUMBERS.count() - 1]));
    });
}

#[test]
fn closure_that_clears_cloexec_of_the_report_pipe_is_an_error() {
    isolated(|| {
        let mut command = Command::new(probe::path());
        // SAFETY: fcntl is async-signal-safe.
        unsafe { command.arg("true").pre_exec(to_each(3..1000, keep_through_exec)) };
        assert_replaced(&failure(&mut command));
    });
}

/// Faults: E12
#[test]
fn closure_that_writes_to_the_report_pipe_forges_no_success() {
    isolated(|| {
        let mut command = Command::new(MISSING);
        // SAFETY: write is async-signal-safe.
        unsafe { command.pre_exec(to_each(3..40, scribble)) };
        assert_eq!(stage_and_errno(&failure(&mut command)), (Stage::Exec, Errno::NOENT));
    });
}

/// The child is killed after it forges the mark that says "about to exec".
///
/// Faults: E8
#[test]
fn closure_that_forges_success_and_exits_is_no_success() {
    isolated(|| {
        let mut command = Command::new(probe::path());
        let forge = || {
            (3..40).for_each(scribble);
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) }
        };
        // SAFETY: write and _exit are async-signal-safe.
        unsafe { command.pre_exec(forge) };
        assert!(command.spawn().is_err());
    });
}

fn assert_replaced(failure: &SpawnError) {
    assert_eq!(
        failure.to_string(),
        format!(
            "cannot run the pre-exec closure: {}, because it closed or replaced the descriptor of the report channel",
            words(Errno::BADF)
        )
    );
}

fn stage_and_errno(failure: &SpawnError) -> (Stage, Errno) {
    (failure.stage(), failure.errno())
}

fn probe_path() -> &'static str {
    probe::path().to_str().expect("the probe's path is ASCII")
}

/// A closure that does this to each of the numbers.
fn to_each(numbers: Range<RawFd>, what: fn(RawFd)) -> impl Fn() -> io::Result<()> + Send + Sync + 'static {
    move || {
        numbers.clone().for_each(what);
        Ok(())
    }
}

fn close(fd: RawFd) {
    // SAFETY: this runs in a child, which uses nothing from 3 up.
    unsafe { libc::close(fd) };
}

/// Puts standard input there.
fn replace(fd: RawFd) {
    // SAFETY: as for `close`.
    unsafe { libc::dup2(0, fd) };
}

fn keep_through_exec(fd: RawFd) {
    // SAFETY: the command takes an int.
    unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
}

fn scribble(fd: RawFd) {
    // SAFETY: one byte is read.
    unsafe { libc::write(fd, [1_u8].as_ptr().cast(), 1) };
}
