//! What an exec that fails is said to fail by: the whole text of each error.
//!
//! - `limits`: failures by size and number
//! - `surroundings`: failures that lie beside the program

mod limits;
mod surroundings;

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use forkexec::{Command, Stage};
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe;
use rstest::rstest;
use tempfile::TempDir;

use crate::ground::check;
use crate::start::failure;

/// A directory for files that cannot be executed.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).expect("it is ours");
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("it can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
        path
    }

    /// Scripts `0`, `1` …, each the interpreter of the next, and the last of them.
    fn nested(&self, count: usize) -> PathBuf {
        let mut interpreter = probe::path().to_owned();
        for index in 0..count {
            interpreter = self.file(&index.to_string(), format!("#!{}\n", interpreter.display()));
        }
        interpreter
    }
}

/// Makes something in a place: a path to execute.
type Make = fn(&Place) -> PathBuf;

const MISSING: &str = "No such file or directory (os error 2)";
const DENIED: &str = "Permission denied (os error 13)";
const NOT_RECOGNISED: &str = "Exec format error (os error 8)";
const TOO_MANY: &str = "Too many levels of symbolic links (os error 40)";

#[rstest]
#[case::e01_missing_program(|at: &Place| at.path("missing"), MISSING, ": there is no such program")]
#[case::e01_dangling_link(dangling, MISSING, ": there is no such program")]
#[case::e01_missing_interpreter(
    |at: &Place| at.file("script", "#!/no/such/interpreter\n"),
    MISSING,
    r#": the script's interpreter "/no/such/interpreter" is missing"#,
)]
#[case::e01_missing_interpreter_with_an_argument(
    |at: &Place| at.file("script", "#! /no/such/interpreter -x\n"),
    MISSING,
    r#": the script's interpreter "/no/such/interpreter" is missing"#,
)]
#[case::e01_windows_line_end(
    |at: &Place| at.file("script", "#!/bin/sh\r\necho ran\r\n"),
    MISSING,
    r#": the script's interpreter "/bin/sh\r" is missing"#,
)]
#[case::e01_missing_loader(
    with_another_loader,
    MISSING,
    r#": the program's loader "/no/such/loader" is missing"#
)]
#[case::e02_empty_file(|at: &Place| at.file("empty", ""), NOT_RECOGNISED, ": the file is empty")]
#[case::e02_no_interpreter_line(
    |at: &Place| at.file("text", "echo ran\n"),
    NOT_RECOGNISED,
    r##": it is neither a program nor a script with a "#!" line"##,
)]
#[case::e02_foreign_program(foreign, NOT_RECOGNISED, ": it is not a program for this machine")]
#[case::e02_no_interpreter_named(
    |at: &Place| at.file("script", "#!\n"),
    NOT_RECOGNISED,
    r##": its "#!" line names no interpreter, or is too long"##,
)]
#[case::e02_interpreter_line_of_256_bytes(
    |at: &Place| at.file("script", format!("#!/{}\n", "x".repeat(253))),
    NOT_RECOGNISED,
    r##": its "#!" line names no interpreter, or is too long"##,
)]
#[case::e07_directory(|at: &Place| at.0.path().to_owned(), DENIED, ": it is a directory")]
#[case::e07_pipe(pipe, DENIED, ": it is not a regular file")]
#[case::e07_device(|_: &Place| PathBuf::from("/dev/null"), DENIED, ": it is not a regular file")]
#[case::e07_socket(socket, DENIED, ": it is not a regular file")]
#[case::e07_no_permission(no_permission, DENIED, ": it has no execute permission")]
#[case::e07_interpreter_without_permission(
    interpreter_without_permission,
    DENIED,
    r#": the script's interpreter "/etc/passwd" may not be executed"#
)]
#[case::e07_interpreter_that_is_a_directory(
    |at: &Place| at.file("script", "#!/etc\n"),
    DENIED,
    r#": the script's interpreter "/etc" may not be executed"#,
)]
#[case::e07_scripts_nested_too_deeply(
    |at: &Place| at.nested(6),
    TOO_MANY,
    ": scripts are nested too deeply as interpreters",
)]
#[case::e07_link_to_itself(link_to_itself, TOO_MANY, "")]
#[case::e07_below_a_file(|_: &Place| PathBuf::from("/etc/passwd/x"), "Not a directory (os error 20)", "")]
#[case::e07_long_name(|_: &Place| PathBuf::from(format!("/{}", "x".repeat(256))), "File name too long (os error 36)", "")]
#[case::e07_long_path(|_: &Place| PathBuf::from("/x".repeat(2048)), "File name too long (os error 36)", "")]
fn an_exec_that_fails_says_why(#[case] make: Make, #[case] errno: &str, #[case] cause: &str) {
    isolated(|| {
        let place = Place::new();
        let path = make(&place);
        let failure = failure(&mut Command::new(&path));
        assert_eq!(
            (failure.stage(), failure.to_string()),
            (Stage::Exec, format!("exec {path:?}: {errno}{cause}"))
        );
    });
}

fn dangling(at: &Place) -> PathBuf {
    symlink("/no/such/target", at.path("link")).expect("it can be made");
    at.path("link")
}

fn link_to_itself(at: &Place) -> PathBuf {
    symlink(at.path("link"), at.path("link")).expect("it can be made");
    at.path("link")
}

fn pipe(at: &Place) -> PathBuf {
    let path = at.path("pipe");
    let name = CString::new(path.as_os_str().as_bytes()).expect("it holds no NUL");
    // SAFETY: the path is a C string.
    check(unsafe { libc::mkfifo(name.as_ptr(), 0o755) });
    path
}

fn socket(at: &Place) -> PathBuf {
    drop(UnixListener::bind(at.path("socket")).expect("it can be made"));
    at.path("socket")
}

fn no_permission(at: &Place) -> PathBuf {
    let path = at.file("program", "#!/bin/sh\n");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("it is ours");
    path
}

fn interpreter_without_permission(at: &Place) -> PathBuf {
    at.file("script", "#!/etc/passwd\n")
}

/// The probe, as a program of a machine that there is not.
fn foreign(at: &Place) -> PathBuf {
    let mut program = fs::read(probe::path()).expect("it can be read");
    program[18..20].copy_from_slice(&[0xfe, 0xfe]);
    at.file("foreign", program)
}

/// This test binary's head, with a loader of another name: enough for the kernel to look for that.
fn with_another_loader(at: &Place) -> PathBuf {
    at.file("dynamic", dynamic_program(b"/no/such/loader\0"))
}

/// A program of this machine with one segment: the name of its loader (elf(5)).
fn dynamic_program(loader: &[u8]) -> Vec<u8> {
    let mut program = fs::read(probe::path()).expect("it can be read")[..64].to_vec();
    let word = |value: usize| u64::try_from(value).expect("64 bits").to_ne_bytes();
    program[32..40].copy_from_slice(&word(64)); // where the segments' table lies
    program[56..58].copy_from_slice(&1_u16.to_ne_bytes()); // how many there are
    program.extend(3_u32.to_ne_bytes()); // PT_INTERP
    program.extend(4_u32.to_ne_bytes());
    for field in [120, 0, 0, loader.len(), loader.len(), 1] {
        program.extend(word(field));
    }
    program.extend(loader);
    program
}

#[test]
fn e02_an_interpreter_that_is_no_program_is_told() {
    isolated(|| {
        let place = Place::new();
        let interpreter = place.file("text", "echo ran\n");
        let script = place.file("script", format!("#!{}\n", interpreter.display()));
        let text = failure(&mut Command::new(&script)).to_string();
        let whole = format!(
            "exec {script:?}: Exec format error (os error 8): \
             the script's interpreter {interpreter:?} is not a program for this machine"
        );
        assert_eq!(text, whole);
    });
}
