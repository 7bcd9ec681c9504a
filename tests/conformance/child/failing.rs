//! Spawns that fail half-way leave nothing.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use forkexec::{
    BorrowingCommand, CloseStrategy, Command, Errno, Error, SpawnMethod, SpawnPolicy, Stage, Stdio,
};
use forkexec_tests::deny::Deny;
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{capabilities, method};
use crate::start::{high_memory_file, probe, seen, words};

/// With three pipes a start needs six numbers, and two more for the report where memory is not shared; the first that
/// lacks is named.
///
/// Faults: D10
#[rstest]
fn spawn_without_free_fds_names_the_operand_and_leaks_none(
    #[values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)] free: usize,
) {
    isolated(|| {
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        let shares_memory = method() != SpawnMethod::Fork;
        let soft = u64::try_from(3 + free).expect("a small number");
        world::set_limit(libc::RLIMIT_NOFILE, soft, hard).expect("a limit can be lowered");
        let before = Snapshot::take();
        let mut command = probe(&["true"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let answer = command.status().map(|status| status.success()).map_err(|error| error.to_string());
        let lacks = [
            "create the pipe for standard input",
            "create the pipe for standard output",
            "create the pipe for standard error",
            "create the report channel",
        ];
        let lacks = if shares_memory { &lacks[..3] } else { &lacks[..] };
        let expected = match lacks.get(free / 2) {
            Some(lack) => Err(format!("cannot {lack}: {}", words(Errno::MFILE))),
            None => Ok(true),
        };
        assert_eq!((answer, before.differences(&Snapshot::take())), (expected, vec![]));
    });
}

/// Faults: D10
#[test]
fn dev_null_needs_a_descriptor() {
    isolated(|| {
        world::set_limit(libc::RLIMIT_NOFILE, 3, 1000).expect("a limit can be lowered");
        let answer = probe(&["true"]).stdin(Stdio::null()).status();
        assert_eq!(
            answer.expect_err("there is none").to_string(),
            format!("cannot open /dev/null: {}", words(Errno::MFILE))
        );
    });
}

/// Faults: D10
#[test]
fn copy_of_a_directory_needs_a_descriptor() {
    isolated(|| {
        let root = std::fs::File::open("/").expect("it is there");
        world::set_limit(libc::RLIMIT_NOFILE, 4, 1000).expect("a limit can be lowered");
        let stderr = io::stderr();
        let mut command = probe(&["true"]);
        let answer = command.current_dir_fd(&root).fd(3, &stderr).status();
        let text = format!("cannot duplicate a descriptor: {}", words(Errno::MFILE));
        assert_eq!(answer.expect_err("there is none").to_string(), text);
    });
}

#[rstest]
// Faults: E8
#[case::that_exits_well(exit_well, "exit status: 0")]
// Faults: E8
#[case::that_exits_badly(exit_badly, "exit status: 7")]
// Faults: E9
#[case::that_is_killed(kill_itself, "signal: 9 (SIGKILL)")]
// Faults: E9
#[case::that_crashes(abort, "signal: 6 (SIGABRT)")]
fn closure_that_ends_the_child_is_reported_with_its_stage(
    #[case] end: fn(),
    #[case] status: &str,
    #[values("/no/such/program", "/bin/true")] program: &str,
) {
    isolated(|| {
        let mut command = Command::new(program);
        // SAFETY: the functions are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                end();
                Ok(())
            })
        };
        let error = command.spawn().expect_err("it dies");
        assert!(matches!(error, Error::Died { stage: Stage::PreExec, .. }), "{error:?}");
        let text = format!("cannot start the child: it ended before exec, at stage pre-exec ({status})");
        assert_eq!(error.to_string(), text);
    });
}

fn exit_well() {
    // SAFETY: ends the child.
    unsafe { libc::_exit(0) }
}

fn exit_badly() {
    // SAFETY: ends the child.
    unsafe { libc::_exit(7) }
}

fn kill_itself() {
    // SAFETY: ends the child.
    unsafe { libc::raise(libc::SIGKILL) };
}

fn abort() {
    // SAFETY: ends the child.
    unsafe { libc::raise(libc::SIGABRT) };
}

/// Exit handlers and unwritten buffers belong to the parent: a child that ends early runs and writes none of them.
///
/// Faults: M9
#[rstest]
#[case::missing_program(|it: &mut BorrowingCommand<'_>| { it.current_dir("/"); }, "/no/such/program")]
#[case::refused_stage(|it: &mut BorrowingCommand<'_>| { it.process_group(i32::MAX); }, "/bin/true")]
fn failed_child_runs_no_exit_handler_of_its_parent(
    #[case] ask: fn(&mut BorrowingCommand<'_>),
    #[case] program: &str,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        let (mut reader, writer) = io::pipe().expect("a pipe can be made");
        AT_EXIT.store(writer.as_raw_fd(), Ordering::Relaxed);
        // SAFETY: the function lives as long as the program.
        assert_eq!(unsafe { libc::atexit(say_at_exit) }, 0);
        let copy = writer.try_clone().expect("it can be duplicated").into_raw_fd();
        // SAFETY: the number is the file's from here on, and the mode is a C string.
        let file = unsafe { libc::fdopen(copy, c"w".as_ptr()) };
        assert!(!file.is_null());
        // SAFETY: it was just opened, and a buffer that is full of nothing is not written.
        assert!(unsafe { libc::fputs(c"unwritten".as_ptr(), file) } >= 0);
        for _ in 0..3 {
            let mut command = Command::new(program);
            // Nothing is closed before exec, so that the exit handler could write to the pipe.
            ask(command.spawn_policy(launch).inherit_all());
            command.spawn().expect_err("it cannot be started");
        }
        AT_EXIT.store(-1, Ordering::Relaxed);
        drop(writer);
        // SAFETY: the file is not used afterwards. Now the parent writes it.
        assert_eq!(unsafe { libc::fclose(file) }, 0);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is ASCII");
        assert_eq!(text, "unwritten");
    });
}

static AT_EXIT: AtomicI32 = AtomicI32::new(-1);

extern "C" fn say_at_exit() {
    // SAFETY: one byte is read from valid memory.
    unsafe { libc::write(AT_EXIT.load(Ordering::Relaxed), b"!".as_ptr().cast(), 1) };
}

/// Faults: F11, F16
#[rstest]
#[case::kill(Deny::kill)]
#[case::trap(Deny::trap)]
fn call_that_kills_a_child_falls_back_to_the_next_method(#[case] deny: fn(Deny, libc::c_long) -> Deny) {
    isolated(|| {
        if capabilities().bulk_closer != Some("close_range") {
            return skip("this backend does not call close_range");
        }
        if deny(Deny::new(), libc::SYS_close_range).installed() {
            assert!(probe(&["true"]).status().expect("another child starts").success());
        }
    });
}

/// Faults: F1
#[rstest]
fn refused_bulk_close_costs_only_time(
    #[values(libc::EPERM, libc::ENOSYS, libc::EACCES, libc::EINVAL)] errno: i32,
    #[values(CloseStrategy::Bulk, CloseStrategy::Loop)] link: CloseStrategy,
) {
    isolated(|| {
        let files = [50, 60, 61, 500].map(|number| world::place(high_memory_file(), number));
        if !Deny::new().errno(libc::SYS_close_range, errno).installed() {
            return;
        }
        let mut command = probe(&["report"]);
        command.close_strategy(link).keep_fd(&files[1]).keep_fd(&files[2]);
        let tables = [(); 2].map(|()| seen(&mut command).fds);
        assert_eq!(tables, [(); 2].map(|()| vec![0, 1, 2, 60, 61]));
    });
}

/// Faults: F2
#[rstest]
fn refused_bulk_close_and_listing_cost_only_time(
    #[values(libc::EPERM, libc::ENOSYS, libc::EACCES, libc::EINVAL)] errno: i32,
) {
    isolated(|| {
        let files = [50, 60, 61, 500].map(|number| world::place(high_memory_file(), number));
        let deny = Deny::new().errno(libc::SYS_close_range, errno).errno(libc::SYS_getdents64, errno);
        if !deny.installed() {
            return;
        }
        let mut command = probe(&["report"]);
        command.keep_fd(&files[1]).keep_fd(&files[2]);
        assert_eq!(seen(&mut command).fds, [0, 1, 2, 60, 61]);
    });
}
