//! Failures by size and number: arguments that are too large, users with too many processes.

use forkexec::{BorrowingCommand, Cause, Command, Errno, Resource, SpawnError, Stdio};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{NOBODY, as_root, is_emulated, is_privileged};
use crate::start::{failure, probe, words};

#[expect(clippy::allow_attributes, reason = "the constant's type differs by C library")]
#[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]
const NPROC: Resource = Resource(libc::RLIMIT_NPROC as i32);

/// The longest string that exec takes, without its NUL (`MAX_ARG_STRLEN`).
const LONGEST: usize = 131_071;

/// Faults: E5
#[test]
fn longest_argument_of_exec_is_accepted() {
    isolated(|| {
        let status = small(&["report", "--to", "2"]).arg("x".repeat(LONGEST)).stderr(Stdio::null()).status();
        assert!(status.expect("it can be started").success());
    });
}

/// Faults: E24, N27, E5
#[rstest]
#[case::argument(
    |it: &mut BorrowingCommand<'_>| { it.arg("x".repeat(LONGEST + 1)); },
    format!("argument 2 has {} bytes, and the limit for one string is {LONGEST}", LONGEST + 1),
)]
#[case::second_of_two(
    |it: &mut BorrowingCommand<'_>| { it.args([&*"x".repeat(LONGEST), &*"y".repeat(LONGEST + 9)]); },
    format!("argument 3 has {} bytes, and the limit for one string is {LONGEST}", LONGEST + 9),
)]
#[case::variable(
    |it: &mut BorrowingCommand<'_>| { it.env("A", "x").env("V", "x".repeat(LONGEST - 1)); },
    format!("the environment variable \"V\" has {} bytes, and the limit for one string is {LONGEST}", LONGEST + 1),
)]
#[case::odd_variable(
    |it: &mut BorrowingCommand<'_>| { it.env("=V", "x".repeat(LONGEST)); },
    format!("the environment variable \"=V\" has {} bytes, and the limit for one string is {LONGEST}", LONGEST + 3),
)]
fn error_names_the_string_that_is_too_long(
    #[case] add: fn(&mut BorrowingCommand<'_>),
    #[case] cause: String,
) {
    isolated(|| {
        let mut command = small(&["true"]);
        add(&mut command);
        let path = forkexec_tests::probe::path();
        let text = format!("cannot execute {path:?}: {}, because {cause}", words(Errno::TOOBIG));
        assert_eq!(failure(&mut command).to_string(), text);
    });
}

/// Under a stack limit of 8 MiB, a quarter of it.
///
/// Faults: E24, N27, E5
#[rstest]
#[case::large_ones(|it: &mut BorrowingCommand<'_>| { it.args(vec!["x".repeat(100_000); 80]); }, 80, 100_000)]
#[case::many_small_ones(|it: &mut BorrowingCommand<'_>| { it.args(vec!["x"; 700_000]); }, 700_000, 0)]
fn error_for_too_large_arguments_gives_the_limit(
    #[case] add: fn(&mut BorrowingCommand<'_>),
    #[case] count: usize,
    #[case] length: usize,
) {
    isolated(|| {
        let mut command = small(&["true"]);
        add(command.rlimit(Resource::STACK, Some(8 << 20), Some(8 << 20)));
        let failure = failure(&mut command);
        let Some(Cause::TooLarge { total, longest, limit }) = failure.cause() else { panic!("{failure}") };
        let path = forkexec_tests::probe::path();
        let text = format!(
            "cannot execute {path:?}: {}, because the arguments and the environment have {total} bytes, and the limit is 2097152",
            words(Errno::TOOBIG)
        );
        assert_eq!(failure.to_string(), text);
        // Each with its NUL and a pointer; the path and the verb come on top. A length of 0 means one byte.
        let beside = 1 + size_of::<usize>();
        let added = count * (length.max(1) + beside);
        let head = path.as_os_str().len() + "true".len() + 2 * beside;
        let sizes = (head + added, length.max(path.as_os_str().len()), Some(2 << 20));
        assert_eq!((*total, *longest, *limit), sizes);
    });
}

/// No limit is named that the arguments do not break.
///
/// Faults: E24, E5
#[test]
fn error_names_no_limit_that_is_not_exceeded() {
    isolated(|| {
        if !Deny::new().errno(libc::SYS_execve, libc::E2BIG).installed() {
            return;
        }
        let failure = failure(&mut small(&["true"]));
        assert!(matches!(failure.cause(), Some(Cause::TooLarge { limit: None, .. })), "{failure}");
    });
}

/// A filter returns the errno that the kernel has for too many processes.
///
/// Faults: E18
#[rstest]
#[case::without_another_user(|_: &mut BorrowingCommand<'_>| ())]
#[case::with_another_user(|it: &mut BorrowingCommand<'_>| { it.uid(NOBODY - 18).gid(NOBODY).rlimit(NPROC, Some(1000), Some(1000)); })]
fn eagain_below_the_process_limit_has_no_cause(#[case] ask: fn(&mut BorrowingCommand<'_>)) {
    isolated(|| {
        if !is_privileged() || !Deny::new().errno(libc::SYS_execve, libc::EAGAIN).installed() {
            return;
        }
        let mut command = small(&["true"]);
        ask(&mut command);
        let failure = failure(&mut command);
        assert_eq!((failure.errno(), failure.cause()), (Errno::AGAIN, None));
    });
}

/// Faults: N28, E5
#[test]
fn stack_limit_of_the_child_bounds_its_arguments() {
    isolated(|| {
        if is_emulated("makes the stack of the program itself, whatever the limit") {
            return;
        }
        let answers = [1, 2].map(|count| {
            let mut command = small(&["exit", "0"]);
            command
                .rlimit(Resource::STACK, Some(512 << 10), Some(512 << 10))
                .env("V", "x".repeat(count * 60_000));
            command.env("W", "x".repeat(count * 40_000));
            command.status().map_err(|error| error.as_spawn().map(SpawnError::errno))
        });
        assert!(matches!(answers, [Ok(_), Err(Some(Errno::TOOBIG))]), "{answers:?}");
    });
}

/// A probe without an environment.
fn small<'fd>(args: &[&str]) -> BorrowingCommand<'fd> {
    let mut command = probe(args);
    command.env_clear();
    command
}

/// Faults: S11
#[test]
fn error_names_the_process_limit_of_the_user() {
    as_root(|| {
        let root = world::empty_chroot();
        let program = root.path().join("probe");
        let of_a_user = || {
            let mut command = Command::new(&program);
            command.uid(NOBODY - 17).gid(NOBODY).groups([]);
            command
        };
        let mut other = of_a_user();
        let mut other = other.arg("sleep-on-stdin").stdin(Stdio::piped()).spawn().expect("it can be started");
        let failure = failure(of_a_user().rlimit(NPROC, Some(0), Some(0)));
        other.wait().expect("its input ends");
        let seen = match () {
            () if cfg!(forkexec_backend = "posix") => "",
            () => ", because the user has reached the process limit (RLIMIT_NPROC)",
        };
        assert_eq!(failure.to_string(), format!("cannot execute {program:?}: {}{seen}", words(Errno::AGAIN)));
    });
}
