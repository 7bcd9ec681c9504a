//! The exit codes of `run`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;
use rstest::rstest;
use tempfile::TempDir;

use crate::settings::terminal;
use crate::{answer, forkexec, run, said};

#[rstest]
#[case::success(&["true"], 0)]
#[case::failure(&["exit", "1"], 1)]
#[case::code_of_forkexec_itself(&["exit", "125"], 125)]
#[case::highest(&["exit", "255"], 255)]
#[case::killed(&["kill", "9"], 137)]
#[case::terminated(&["kill", "15"], 143)]
fn exit_code_is_that_of_the_program(#[case] probe: &[&str], #[case] code: i32) {
    let output = run(&[], probe).output().expect("it starts");
    assert_eq!(said(&output), (Some(code), String::new(), String::new()));
}

#[rstest]
// Faults: N16
#[case::empty_name("", 127, "cannot execute the program: its name is empty")]
// Faults: N21
#[case::path(
    "/no/such",
    127,
    "cannot execute \"/no/such\": No such file or directory (os error 2), because the program does not exist"
)]
// Faults: N21
#[case::searched_name("no-such-program", 127, ", because the program does not exist in \"/usr/bin:/bin\"")]
// Faults: N19
#[case::directory("/usr", 126, "it is a directory")]
// Faults: N19
#[case::device("/dev/null", 126, "it is not a regular file")]
#[case::path_below_a_file("/etc/passwd/x", 126, "Not a directory")]
// Faults: N20
#[case::no_permission("/etc/passwd", 126, "it has no execute permission")]
fn failed_start_names_the_program(#[case] program: &str, #[case] code: i32, #[case] message: &str) {
    let output = forkexec(&["run", program]).env("PATH", "/usr/bin:/bin").output().expect("it starts");
    let (got, _, complaint) = said(&output);
    assert_eq!(got, Some(code), "{complaint}");
    assert!(complaint.starts_with("forkexec: run: ") && complaint.contains(message), "{complaint}");
}

#[rstest]
// Faults: N22
#[case::missing_interpreter(
    "#!/no/interpreter\n",
    "the script's interpreter \"/no/interpreter\" does not exist"
)]
// Faults: N22
#[case::windows_line_end("#!/bin/sh\r\n", "the script's interpreter \"/bin/sh\\r\" does not exist; convert")]
// Faults: N23
#[case::empty("", "the file is empty")]
// Faults: N23
#[case::no_interpreter("text\n", "it is neither a program nor a script")]
// Faults: N23
#[case::cut_off("\x7fELF", "it ends within its ELF header")]
fn unrunnable_program_exits_126(#[case] content: &str, #[case] message: &str) {
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        let path = directory.path().join("script");
        fs::write(&path, content).expect("a file can be made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let (code, _, complaint) = said(&forkexec(&["run"]).arg(&path).output().expect("it starts"));
        assert_eq!(code, Some(126), "{complaint}");
        assert!(complaint.contains(message), "{complaint}");
    });
}

/// Runs a copy of this command with a missing loader.
///
/// Faults: E18
#[rstest]
#[case::readable(0o755, "the program's loader \"")]
#[case::execute_only(0o711, "the program exists, but its interpreter or loader may be missing")]
fn missing_loader_exits_126(#[case] mode: u32, #[case] message: &str) {
    isolated(|| {
        let mut program = fs::read(env!("CARGO_BIN_EXE_forkexec")).expect("it can be read");
        let Some(at) = program.windows(4).position(|bytes| bytes == b"/ld-") else {
            return skip("this command is linked statically");
        };
        program[at..at + 4].copy_from_slice(b"/no-");
        let place = world::empty_chroot();
        let (path, command) = (place.path().join("program"), place.path().join("forkexec"));
        fs::write(&path, &program).expect("a file can be made");
        fs::copy(env!("CARGO_BIN_EXE_forkexec"), &command).expect("it can be copied");
        for (file, mode) in [(&path, mode), (&command, 0o755)] {
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("it is ours");
        }
        let mut outer = forkexec(&["run"]);
        if world::is_root() {
            outer.args(["--user", "1234", "--group", "1234"]);
        }
        let (code, _, complaint) =
            said(&outer.arg(command).args(["run", "--"]).arg(path).output().expect("it starts"));
        assert_eq!(code, Some(126), "{complaint}");
        // Its owner may read it in any case.
        assert!(complaint.contains(message) || !world::is_root(), "{complaint}");
    });
}

/// The inner command asks for the terminal of the outer command's session.
///
/// Faults: E25
#[test]
fn error_names_the_session_of_the_terminal() {
    isolated(|| {
        let (_ours, theirs) = terminal().expect("a terminal can be made");
        let mut outer = forkexec(&["run", "--setsid", "--ctty", "0", "--"]);
        outer.arg(env!("CARGO_BIN_EXE_forkexec")).args(["run", "--setsid", "--ctty", "0", "true"]);
        let (code, _, complaint) = said(&outer.stdin(theirs).output().expect("it starts"));
        assert_eq!(code, Some(125), "{complaint}");
        assert!(
            complaint.contains("(os error 1), because it is the controlling terminal of session "),
            "{complaint}"
        );
    });
}

/// The limit is a quarter of the program's stack limit.
///
/// Faults: N28
#[test]
fn arguments_that_are_too_long_exit_126() {
    let long = "x".repeat(100_000);
    let (code, _, complaint) = answer(&["run", "--limit", "stack=400000", "/bin/true", &long, &long]);
    assert_eq!(code, Some(126), "{complaint}");
    assert!(complaint.contains("Argument list too long"), "{complaint}");
    assert!(complaint.contains("bytes, and the limit is 131072"), "{complaint}");
}

#[rstest]
// Faults: N36
#[case::directory(&["--chdir", "/no/such"], "cannot enter the working directory \"/no/such\": No such file or directory")]
// Faults: N36
#[case::directory_is_a_file(&["--chdir", "/etc/passwd"], "cannot enter the working directory \"/etc/passwd\": Not a directory")]
#[case::cgroup(&["--cgroup", "/no/such"], "cannot enter the cgroup \"/no/such\": No such file or directory")]
#[case::root(&["--chroot", "/no/such"], "cannot enter the root directory \"/no/such\": No such file or directory")]
// Faults: N44
#[case::missing_process_group(&["--pgroup", "2147483647"], "cannot join the process group (2147483647): ")]
fn failed_setup_exits_125(#[case] options: &[&str], #[case] message: &str) {
    let (code, _, complaint) = said(&run(options, &["true"]).output().expect("it starts"));
    assert_eq!(code, Some(125), "{complaint}");
    assert!(complaint.contains(message), "{complaint}");
}

/// Faults: N41, N49
#[test]
fn privileged_option_without_privilege_exits_125() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root can become a user without privileges");
        }
        let place = world::empty_chroot();
        let command = place.path().join("forkexec");
        fs::copy(env!("CARGO_BIN_EXE_forkexec"), &command).expect("it can be copied");
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let unprivileged = ["run", "--user", "1234", "--group", "1234", "--groups", "none"];
        for (option, value, message) in [
            ("--user", "1", "cannot set the user id (1): Operation not permitted"),
            ("--chroot", "/", "cannot enter the root directory \"/\": Operation not permitted"),
            ("--nice", "-20", "cannot set the nice value (-20): Permission denied"),
        ] {
            let mut outer = forkexec(&unprivileged);
            outer.arg(&command).args(["run", option, value]).arg(place.path().join("probe")).arg("true");
            let (code, _, complaint) = said(&outer.output().expect("it starts"));
            assert_eq!(code, Some(125), "{complaint}");
            assert!(complaint.contains(message), "{complaint}");
        }
    });
}
