//! Commands that mean nothing, of which nothing starts.
//!
//! Every start here is forbidden by a filter that would show in the error: an input that was refused only after a child
//! was made would fail otherwise.
//!
//! `inputs` is the table of them.

mod inputs;

use std::io::{self, ErrorKind};

use forkexec::{BorrowingCommand, Command, Errno, Error, InputError, SearchPath, SpawnMethod, SpawnPolicy};
use forkexec_core::Operation;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use rstest::rstest;

use crate::ground::{as_root, capabilities};
use crate::start::{probe, words};

/// The error of a valid command if no process can start.
fn started() -> String {
    format!("cannot create the child process: {}", words(Errno::from_raw(libc::EXDEV)))
}

/// Forbids this process to start others. Returns false, and skips the test, if that is not possible. Then only the
/// error can be checked.
fn forbid_starts() -> bool {
    Deny::new().starts(libc::EXDEV).installed()
}

fn refusal(command: &mut BorrowingCommand<'_>) -> (ErrorKind, String) {
    let error = io::Error::from(command.spawn().expect_err("it is refused"));
    (error.kind(), error.to_string())
}

#[track_caller]
fn assert_refused(command: &mut BorrowingCommand<'_>, kind: ErrorKind, text: &str) {
    forbid_starts();
    assert_eq!(refusal(command), (kind, text.to_owned()));
}

type Ask = fn(&mut BorrowingCommand<'_>);

#[rstest]
// Faults: N16
#[case::empty_program("", ErrorKind::NotFound, "cannot execute the program: its name is empty")]
// Faults: N18, E14
#[case::nul_in_the_program(
    "a\0b",
    ErrorKind::InvalidInput,
    r#"cannot execute "a\0b": the name contains a NUL byte at position 1"#
)]
fn invalid_program_name_is_reported(#[case] program: &str, #[case] kind: ErrorKind, #[case] text: &str) {
    isolated(|| assert_refused(&mut Command::new(program), kind, text));
}

/// Faults: N35
#[test]
fn nul_in_the_search_path_is_reported() {
    isolated(|| {
        let mut command = Command::new("true");
        command.search_path(SearchPath::Given("/bin:/a\0b".into()));
        let text = r#"cannot search "/bin:/a\0b" for the program: the list contains a NUL byte"#;
        assert_refused(&mut command, ErrorKind::InvalidInput, text);
    });
}

#[rstest]
// Faults: N40, S8
#[case::alone(|it: &mut BorrowingCommand<'_>| { it.uid(1000); })]
#[case::with_supplementary_groups_alone(|it: &mut BorrowingCommand<'_>| { it.uid(1000).groups([]); })]
fn superuser_that_changes_the_uid_must_set_a_gid(#[case] ask: Ask) {
    as_root(|| {
        let mut command = probe(&["true"]);
        ask(&mut command);
        let text =
            "cannot set the user id (1000): the child would keep the parent's group; call gid or keep_groups";
        assert_refused(&mut command, ErrorKind::InvalidInput, text);
    });
}

/// Faults: N50
#[test]
fn closure_without_fork_is_reported() {
    isolated(|| {
        let mut command = probe(&["true"]);
        // SAFETY: the closure does nothing, and never runs.
        unsafe { command.pre_exec(|| Ok(())) };
        let text = "cannot run the pre-exec closure: it needs fork, and the spawn policy excludes fork";
        assert_refused(command.spawn_policy(SpawnPolicy::NoFork), ErrorKind::InvalidInput, text);
    });
}

#[test]
fn system_without_a_fast_method_is_reported() {
    isolated(|| {
        let capabilities = capabilities();
        let lacks = format!("cannot start a child without fork: {} does not support it", capabilities.system);
        let has = capabilities.launchers.iter().any(|method| *method != SpawnMethod::Fork);
        let can_start = !forbid_starts();
        if has && can_start {
            return;
        }
        let (_, text) = refusal(probe(&["true"]).spawn_policy(SpawnPolicy::NoFork));
        assert_eq!(text, if has { started() } else { lacks });
    });
}

/// Every C library of Linux keeps this signal for itself.
const KEPT: i32 = 32;

/// Faults: N48
#[rstest]
#[case::blocked(|it: &mut BorrowingCommand<'_>, signal| { it.signal_mask([signal]); }, "block")]
#[case::ignored(|it: &mut BorrowingCommand<'_>, signal| { it.ignore_signal(signal); }, "ignore")]
fn internal_signal_of_the_c_library_is_reported(
    #[case] ask: fn(&mut BorrowingCommand<'_>, i32),
    #[case] verb: &str,
) {
    isolated(|| {
        let mut command = probe(&["true"]);
        ask(&mut command, KEPT);
        let text = format!("cannot {verb} signal {KEPT}: it is not a signal that a process can {verb}");
        assert_refused(&mut command, ErrorKind::InvalidInput, &text);
    });
}

#[rstest]
#[case::no_new_privs(Operation::NoNewPrivs, |it: &mut BorrowingCommand<'_>| { it.no_new_privs(); }, "set no_new_privs")]
#[case::death_signal(
    Operation::DieWithParent,
    // The spawner thread would be another start, by a call that differs between C libraries.
    |it: &mut BorrowingCommand<'_>| { it.die_with_parent(15).pdeathsig_thread(false); },
    "set the parent-death signal",
)]
fn missing_feature_of_the_system_is_reported(
    #[case] operation: Operation,
    #[case] ask: Ask,
    #[case] words: &str,
) {
    isolated(|| {
        let mut command = probe(&["true"]);
        ask(&mut command);
        let capabilities = capabilities();
        let lacks = format!("cannot {words}: {} does not support it", capabilities.system);
        let can_start = !forbid_starts();
        let expected = if capabilities.has(operation) { started() } else { lacks };
        if expected == started() && can_start {
            return;
        }
        assert_eq!(refusal(&mut command).1, expected);
    });
}

/// Faults: N36
#[rstest]
#[case::missing("/no/such/directory", ErrorKind::NotFound, Errno::NOENT)]
#[case::file("/etc/passwd", ErrorKind::NotADirectory, Errno::NOTDIR)]
fn file_as_directory_is_reported_before_anything_starts(
    #[case] path: &str,
    #[case] kind: ErrorKind,
    #[case] errno: Errno,
) {
    isolated(|| {
        let text = format!("cannot enter the working directory {path:?}: {}", words(errno));
        assert_refused(probe(&["true"]).current_dir(path), kind, &text);
    });
}

#[test]
fn error_can_be_downcast_from_an_io_error() {
    isolated(|| {
        let error = io::Error::from(probe(&["true"]).nice(20).spawn().expect_err("it is refused"));
        let inner = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
        assert!(matches!(inner, Some(Error::Input(InputError::NiceOutOfRange { nice: 20 }))), "{error:?}");
    });
}

/// A valid command reaches the filter.
#[test]
fn spawn_of_a_valid_command_reaches_the_filter() {
    isolated(|| {
        if forbid_starts() {
            assert_eq!(refusal(&mut probe(&["true"])), (ErrorKind::CrossesDevices, started()));
        }
    });
}
