//! Bad inputs, and unusual valid ones, that no other module covers. Each has its number in the catalogue of faults.

use std::fs;
use std::iter;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe;
use forkexec_tests::world;
use rstest::rstest;
use tempfile::TempDir;

use crate::{answer, forkexec, run, said, seen};

/// Faults: N8
#[test]
fn keep_accepts_a_hundred_thousand_entries() {
    isolated(|| {
        let _held = world::place(tempfile::tempfile().expect("a file can be made"), 9);
        let many = iter::repeat_n("9", 20_000).collect::<Vec<_>>().join(",");
        let options: Vec<_> = iter::repeat_n(["--keep", &many], 5).flatten().collect();
        assert_eq!(seen(&options).fds, [0, 1, 2, 9]);
    });
}

/// Faults: N14
#[test]
fn descriptor_mapped_to_itself_is_open() {
    isolated(|| {
        let _held = world::place(tempfile::tempfile().expect("a file can be made"), 7);
        assert_eq!(seen(&["--map", "7:7"]).fds, [0, 1, 2, 7]);
    });
}

/// Makes a script whose interpreter is a script, and so on.
fn nested(directory: &Path, depth: usize) -> String {
    let mut interpreter = "/bin/sh".to_owned();
    for level in 0..depth {
        let script = directory.join(level.to_string());
        fs::write(&script, format!("#!{interpreter}\n")).expect("a file can be made");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        interpreter = script.display().to_string();
    }
    interpreter
}

/// Makes a link to itself.
fn looped(directory: &Path, _: usize) -> String {
    let link = directory.join("itself");
    symlink("itself", &link).expect("it can be made");
    link.display().to_string()
}

/// Faults: N24
#[rstest]
#[case::link_to_itself(looped, "\n")]
#[case::scripts_in_scripts(nested, ", because too many scripts name each other as interpreters\n")]
fn looping_path_exits_126_and_is_named(#[case] make: fn(&Path, usize) -> String, #[case] message: &str) {
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        let program = make(directory.path(), 6);
        let (code, _, complaint) = answer(&["run", &program]);
        assert_eq!(code, Some(126), "{complaint}");
        assert!(complaint.contains("Too many levels of symbolic links"), "{complaint}");
        let (_, cause) = complaint.split_once("(os error 40)").expect("it is named");
        assert_eq!(cause, message);
    });
}

/// Faults: N25
#[rstest]
#[case::component("/tmp/", 256)]
#[case::path("/", 4_096)]
fn name_that_is_too_long_exits_126(#[case] head: &str, #[case] length: usize) {
    let components = if length > 256 { "x/".repeat(length / 2) } else { "x".repeat(length) };
    let (code, _, complaint) = answer(&["run", &format!("{head}{components}")]);
    assert_eq!(code, Some(126), "{complaint}");
    assert!(complaint.contains("File name too long"), "{complaint}");
}

/// Faults: N37
#[test]
fn chdir_fd_that_is_no_directory_exits_125() {
    isolated(|| {
        let _held = world::place(tempfile::tempfile().expect("a file can be made"), 9);
        let (code, _, complaint) = said(&run(&["--chdir-fd", "9"], &["true"]).output().expect("it starts"));
        assert_eq!(code, Some(125), "{complaint}");
        assert!(
            complaint.contains("cannot enter the open working directory (fd 9): Not a directory"),
            "{complaint}"
        );
    });
}

/// Faults: N42
#[test]
fn group_can_be_listed_twice() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root may set groups");
        }
        assert_eq!(seen(&["--groups", "7,7"]).groups, [7, 7]);
    });
}

/// Faults: N43
#[rstest]
#[case::minus_one("-1", "-1 is not in 0..=2147483647")]
#[case::minus_five("-5", "-5 is not in 0..=2147483647")]
#[case::too_high("2147483648", "2147483648 is not in 0..=2147483647")]
fn invalid_process_group_exits_125(#[case] group: &str, #[case] message: &str) {
    let (code, _, complaint) = answer(&["run", "--pgroup", group, "/no/such/program"]);
    assert_eq!(code, Some(125), "{complaint}");
    assert!(
        complaint.contains(&format!("invalid value '{group}' for '--pgroup <N>': {message}")),
        "{complaint}"
    );
}

/// Faults: N45
#[test]
fn session_leader_can_ask_for_its_own_process_group() {
    let seen = seen(&["--setsid", "--pgroup", "0"]);
    assert_eq!((seen.sid, seen.pgid), (seen.pid, seen.pid));
}

/// Faults: N47
#[test]
fn limit_above_the_hard_one_exits_125_without_privilege() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root can become a user without privileges");
        }
        let place = world::empty_chroot();
        let command = place.path().join("forkexec");
        fs::copy(env!("CARGO_BIN_EXE_forkexec"), &command).expect("it can be copied");
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let unprivileged =
            ["run", "--user", "1234", "--group", "1234", "--groups", "none", "--limit", "core=0"];
        let mut outer = forkexec(&unprivileged);
        outer.arg(&command).args(["run", "--limit", "core=0:1"]).arg(place.path().join("probe")).arg("true");
        let (code, _, complaint) = said(&outer.output().expect("it starts"));
        assert_eq!(code, Some(125), "{complaint}");
        assert!(
            complaint.contains("cannot set the resource limit (core=0:1): Operation not permitted"),
            "{complaint}"
        );
    });
}

/// The kernel refuses to start the command itself with a string of this length, or with a NUL in it.
///
/// Faults: N27
#[test]
fn string_too_long_for_exec_does_not_reach_the_command() {
    let output = forkexec(&["run", "--"]).arg(probe::path()).arg("x".repeat(131_072)).output();
    assert_eq!(output.expect_err("it cannot be started").kind(), std::io::ErrorKind::ArgumentListTooLong);
}
