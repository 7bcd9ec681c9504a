//! The program that runs, its arguments, environment and closures.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use forkexec::{BorrowingCommand, Cause, Command, EnoexecFallback, Errno, SearchPath, Stage};
use forkexec_tests::isolate::isolated;
use forkexec_tests::{probe as program, world};
use rstest::rstest;
use tempfile::TempDir;

use crate::ground::is_emulated;
use crate::start::{failure, memory_file, nothing_said, probe, report, seen, words};

#[test]
fn arguments_arrive_byte_by_byte() {
    isolated(|| {
        let odd = OsString::from_vec((1..=255).collect());
        let mut command = probe(&["report"]);
        let args = seen(command.arg(&odd).args(["", "last"])).args;
        let path = program::path().as_os_str().to_owned();
        assert_eq!(args, [path, "report".into(), odd, "".into(), "last".into()]);
    });
}

/// Faults: N30
#[rstest]
#[case::another("another")]
#[case::empty("")]
fn zeroth_argument_can_be_anything(#[case] name: &str) {
    isolated(|| assert_eq!(report(probe(&[]).arg0(name)).args, [name, "report"]));
}

#[rstest]
#[case::nothing(nothing_said, &["KEPT=1", "REMOVED=2"])]
#[case::one_more(|it: &mut BorrowingCommand<'_>| { it.env("NEW", "3"); }, &["KEPT=1", "NEW=3", "REMOVED=2"])]
#[case::one_replaced(|it: &mut BorrowingCommand<'_>| { it.env("KEPT", ""); }, &["KEPT=", "REMOVED=2"])]
#[case::one_removed(|it: &mut BorrowingCommand<'_>| { it.env_remove("REMOVED"); }, &["KEPT=1"])]
#[case::one_removed_and_set(|it: &mut BorrowingCommand<'_>| { it.env_remove("REMOVED").env("REMOVED", "4"); }, &["KEPT=1", "REMOVED=4"])]
// Faults: N33
#[case::one_set_twice(|it: &mut BorrowingCommand<'_>| { it.env("KEPT", "5").env("KEPT", "6"); }, &["KEPT=6", "REMOVED=2"])]
#[case::all_cleared(|it: &mut BorrowingCommand<'_>| { it.env("NEW", "3").env_clear(); }, &[])]
#[case::all_cleared_and_one_set(|it: &mut BorrowingCommand<'_>| { it.env_clear().env("NEW", "3"); }, &["NEW=3"])]
// Faults: N34
#[case::odd_names(|it: &mut BorrowingCommand<'_>| { it.env_clear().envs([("1 x", "a=b"), ("é", "\n")]); }, &["1 x=a=b", "é=\n"])]
// Faults: E21
#[case::leading_equals_sign(|it: &mut BorrowingCommand<'_>| { it.env_clear().envs([("=A", "x"), ("=", "y")]); }, &["==y", "=A=x"])]
// Faults: E21
#[case::leading_equals_sign_removed(|it: &mut BorrowingCommand<'_>| { it.env("=A", "x").env_remove("=A"); }, &["KEPT=1", "REMOVED=2"])]
fn environment_is_the_parents_with_the_changes(
    #[case] ask: fn(&mut BorrowingCommand<'_>),
    #[case] expected: &[&str],
) {
    isolated(|| {
        if expected.contains(&"==y") && is_emulated("drops a variable whose name is =") {
            return;
        }
        // The environment can name the probe, and the Android release that the first spawn looks up.
        report(&mut probe(&[]));
        let names: Vec<_> = env::vars_os().map(|(name, _)| name).collect();
        // SAFETY: no other thread of this process reads the environment.
        names.iter().for_each(|name| unsafe { env::remove_var(name) });
        // SAFETY: as above.
        [("KEPT", "1"), ("REMOVED", "2")]
            .iter()
            .for_each(|(name, value)| unsafe { env::set_var(name, value) });
        let mut command = probe(&[]);
        ask(&mut command);
        let mut environment = report(&mut command).env;
        if world::emulator().is_some() {
            environment.sort(); // it hands over the same strings in an order of its own
        }
        assert_eq!(environment, expected.iter().map(OsString::from).collect::<Vec<_>>());
    });
}

/// Faults: N34
#[test]
fn variable_can_hold_any_bytes_but_nul() {
    isolated(|| {
        let value = OsString::from_vec((1..=255).collect());
        let seen = report(probe(&[]).env_clear().env("1 \u{fe}", &value));
        assert_eq!(seen.var("1 \u{fe}"), Some(value.as_os_str()));
    });
}

/// Directories with a `prog` that runs, one that may not be executed, none, and a file instead of a directory.
struct Places(TempDir);

impl Places {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let places = Self(directory);
        for name in ["runs", "denied", "empty"] {
            fs::create_dir(places.path(name)).expect("it can be made");
        }
        fs::copy(program::copy_to(&places.path("runs")), places.path("runs/prog")).expect("it can be copied");
        fs::write(places.path("denied/prog"), "#!/bin/sh\n").expect("it can be written");
        fs::set_permissions(places.path("denied/prog"), Permissions::from_mode(0o644)).expect("it is ours");
        fs::write(places.path("file"), "").expect("it can be written");
        places
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn list(&self, names: &[&str]) -> OsString {
        env::join_paths(names.iter().map(|name| self.path(name))).expect("no colon is in them")
    }
}

/// Faults: E3
#[rstest]
#[case::missing_goes_on(&["empty", "runs"])]
#[case::file_for_a_directory_is_skipped(&["file", "runs"])]
#[case::denied_goes_on(&["denied", "runs"])]
#[case::first(&["runs", "denied"])]
fn search_runs_the_first_candidate_that_can_run(#[case] list: &[&str]) {
    isolated(|| {
        let places = Places::new();
        let mut command = Command::new("prog");
        command.search_path(SearchPath::Given(places.list(list)));
        assert_eq!(report(&mut command).args, ["prog", "report"]);
    });
}

/// Faults: E3
#[rstest]
#[case::before_missing(&["denied", "empty"])]
#[case::after_missing(&["empty", "denied"])]
#[case::after_a_file_for_a_directory(&["file", "denied"])]
#[case::before_a_file_for_a_directory(&["denied", "file"])]
fn search_reports_denied_candidates_before_missing_ones(#[case] list: &[&str]) {
    isolated(|| {
        let places = Places::new();
        let mut command = Command::new("prog");
        let failure = failure(command.search_path(SearchPath::Given(places.list(list))));
        let denied = places.path("denied/prog");
        let text = format!(
            "cannot execute {denied:?}: {}, because it has no execute permission; set it with chmod +x",
            words(Errno::ACCES)
        );
        assert_eq!((failure.to_string(), failure.cause()), (text, Some(&Cause::NotExecutable)));
    });
}

/// Faults: N21, E3
#[test]
fn error_for_a_program_missing_everywhere_lists_the_path() {
    isolated(|| {
        let places = Places::new();
        let list = places.list(&["file", "empty"]);
        let mut command = Command::new("prog");
        let failure = failure(command.search_path(SearchPath::Given(list.clone())));
        assert_eq!((failure.stage(), failure.kind()), (Stage::Exec, io::ErrorKind::NotFound));
        let text = format!(
            "cannot execute \"prog\": {}, because the program does not exist in {list:?}",
            words(Errno::NOENT)
        );
        assert_eq!(failure.to_string(), text);
    });
}

/// Faults: E3
#[test]
fn search_reports_the_last_candidate_if_all_are_missing() {
    isolated(|| {
        let places = Places::new();
        let mut command = Command::new("prog");
        let failure = failure(command.search_path(SearchPath::Given(places.list(&["empty", "file"]))));
        let text = format!("cannot execute {:?}: {}", places.path("file/prog"), words(Errno::NOTDIR));
        assert_eq!(failure.to_string(), text);
    });
}

#[rstest]
#[case::nowhere("", Errno::NOENT)]
#[case::empty_elements_are_not_the_working_directory("::", Errno::NOENT)]
fn search_path_without_a_directory_finds_nothing(#[case] list: &str, #[case] errno: Errno) {
    isolated(|| {
        let places = Places::new();
        let mut command = Command::new("prog");
        command.current_dir(places.path("runs")).search_path(SearchPath::Given(list.into()));
        assert_eq!(failure(&mut command).errno(), errno);
    });
}

#[test]
fn relative_path_element_resolves_in_the_childs_directory() {
    isolated(|| {
        let places = Places::new();
        let mut command = Command::new("prog");
        command.current_dir(places.path("empty")).search_path(SearchPath::Given("../runs".into()));
        assert_eq!(report(&mut command).args, ["prog", "report"]);
    });
}

/// Faults: N35, E4
#[rstest]
#[case::childs_path(SearchPath::Child, "runs")]
#[case::parents_path(SearchPath::Parent, "empty")]
fn search_uses_the_path_of_the_chosen_process(#[case] policy: SearchPath, #[case] of_the_child: &str) {
    isolated(|| {
        let places = Places::new();
        let of_the_parent = if of_the_child == "runs" { "empty" } else { "runs" };
        // SAFETY: no other thread of this process reads the environment.
        unsafe { env::set_var("PATH", places.path(of_the_parent)) };
        let mut command = Command::new("prog");
        command.env("PATH", places.path(of_the_child)).search_path(policy);
        assert_eq!(report(&mut command).args, ["prog", "report"]);
    });
}

/// Faults: E4
#[test]
fn search_without_path_uses_the_default_directories() {
    isolated(|| {
        let failure = failure(Command::new("no-such-program").env_remove("PATH"));
        let searched = Some(OsString::from(SearchPath::FALLBACK));
        assert_eq!(failure.cause(), Some(&Cause::ProgramMissing { searched, from: None }));
    });
}

/// Faults: E2
#[rstest]
#[case::by_path(false)]
#[case::by_name(true)]
fn shell_runs_script_without_interpreter_line_only_on_request(#[case] by_name: bool) {
    isolated(|| {
        let (directory, script) = script("echo \"$0 $1\"\n");
        let program = if by_name { OsStr::new("script") } else { script.as_os_str() };
        let mut command = Command::new(program);
        command.arg("told").search_path(SearchPath::Given(directory.path().into()));
        let refused = failure(&mut command).errno();
        let output = command.enoexec_fallback(EnoexecFallback::Shell).output().expect("the shell runs it");
        let said = [script.as_os_str().as_bytes(), b" told\n"].concat();
        assert_eq!((refused, output.stdout), (Errno::NOEXEC, said));
    });
}

/// Faults: E2
#[test]
fn script_with_an_interpreter_line_needs_no_shell() {
    isolated(|| {
        let (_directory, script) = script("#!/bin/sh\necho ran\n");
        assert_eq!(Command::new(&script).output().expect("it runs").stdout, b"ran\n");
    });
}

fn script(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let script = directory.path().join("script");
    write_executable(&script, text);
    (directory, script)
}

fn write_executable(path: &Path, text: &str) {
    fs::write(path, text).expect("it can be written");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
}

#[test]
fn closures_run_in_their_order_up_to_the_first_error() {
    isolated(|| {
        let file = memory_file();
        let fd = file.as_raw_fd();
        let mut command = probe(&["true"]);
        for (letter, answer) in [(b'a', None), (b'b', Some(libc::EDOM)), (b'c', None)] {
            // SAFETY: write is async-signal-safe, and the error is made without allocation.
            unsafe { command.pre_exec(move || noting(fd, letter, answer)) };
        }
        let failure = failure(&mut command);
        let text = format!("cannot run the pre-exec closure: {}", words(Errno::from_raw(libc::EDOM)));
        let ran = fs::read(format!("/proc/self/fd/{fd}")).expect("it can be read");
        assert_eq!((failure.to_string(), ran), (text, b"ab".to_vec()));
    });
}

fn noting(fd: i32, letter: u8, answer: Option<i32>) -> io::Result<()> {
    // SAFETY: one byte is read.
    unsafe { libc::write(fd, (&raw const letter).cast(), 1) };
    answer.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
}

#[test]
fn panic_of_a_closure_is_an_error() {
    isolated(|| {
        let mut command = probe(&["true"]);
        // SAFETY: it touches nothing.
        unsafe { command.pre_exec(|| panic!("on purpose")) };
        let text =
            format!("cannot run the pre-exec closure: {}, because it panicked", words(Errno::CANCELED));
        assert_eq!(failure(&mut command).to_string(), text);
    });
}

#[test]
fn closure_error_without_an_errno_is_einval() {
    isolated(|| {
        let mut command = probe(&["true"]);
        // SAFETY: the error is made without allocation.
        unsafe { command.pre_exec(|| Err(io::ErrorKind::Other.into())) };
        assert_eq!(failure(&mut command).errno(), Errno::INVAL);
    });
}

/// Faults: E28
#[rstest]
#[case::without(|| Err(io::ErrorKind::Other.into()), Errno::INVAL, ", because its error has no error number")]
#[case::with_that_one(|| Err(io::Error::from_raw_os_error(libc::EINVAL)), Errno::INVAL, "")]
#[case::with_another(|| Err(io::Error::from_raw_os_error(libc::EDOM)), Errno::from_raw(libc::EDOM), "")]
fn error_says_if_a_closure_error_had_no_errno(
    #[case] closure: fn() -> io::Result<()>,
    #[case] errno: Errno,
    #[case] cause: &str,
) {
    isolated(|| {
        let mut command = probe(&["true"]);
        // SAFETY: the error is made without allocation.
        unsafe { command.pre_exec(closure) };
        let text = format!("cannot run the pre-exec closure: {}{cause}", words(errno));
        assert_eq!(failure(&mut command).to_string(), text);
    });
}

/// Faults: D19
#[test]
fn descriptor_opened_by_a_closure_is_closed() {
    isolated(|| {
        let mut command = probe(&[]);
        let open = || {
            // SAFETY: the path is a C string.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY) };
            Ok(())
        };
        // SAFETY: open is async-signal-safe.
        unsafe { command.pre_exec(open) };
        assert_eq!(report(&mut command).fds, [0, 1, 2]);
    });
}
