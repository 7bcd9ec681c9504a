//! The whole text of each exec error.
//!
//! - `decoys`: errors whose cause the parent cannot observe
//! - `denied`: permission bits on the way to a program, its interpreter and its directory
//! - `limits`: failures by size and number
//! - `surroundings`: failures outside of the program file

mod decoys;
mod denied;
mod limits;
mod surroundings;

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use forkexec::{Command, Errno, Stage};
use forkexec_tests::isolate::isolated;
use forkexec_tests::{probe, world};
use rstest::rstest;
use tempfile::TempDir;

use crate::ground::{check, is_emulated};
use crate::start::{failure, words};

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

#[rstest]
// Faults: N21, E1
#[case::missing_program(|at: &Place| at.path("missing"), Errno::NOENT, ", because the program does not exist")]
// Faults: E1
#[case::dangling_link(dangling, Errno::NOENT, ", because the program does not exist")]
// Faults: N22, E1
#[case::missing_interpreter(
    |at: &Place| at.file("script", "#!/no/such/interpreter\n"),
    Errno::NOENT,
    r#", because the script's interpreter "/no/such/interpreter" does not exist"#,
)]
// Faults: E1
#[case::missing_interpreter_with_an_argument(
    |at: &Place| at.file("script", "#! /no/such/interpreter -x\n"),
    Errno::NOENT,
    r#", because the script's interpreter "/no/such/interpreter" does not exist"#,
)]
// Faults: N22, E1
#[case::windows_line_end(
    |at: &Place| at.file("script", "#!/bin/sh\r\necho ran\r\n"),
    Errno::NOENT,
    r#", because the script's interpreter "/bin/sh\r" does not exist; convert the script's line endings to LF"#,
)]
// Faults: N23, E2
#[case::empty_file(|at: &Place| at.file("empty", ""), Errno::NOEXEC, ", because the file is empty")]
// Faults: N23, E2
#[case::no_interpreter_line(
    |at: &Place| at.file("text", "echo ran\n"),
    Errno::NOEXEC,
    ", because it is neither a program nor a script; a script starts with a line such as #!/bin/sh",
)]
// Faults: N23, E2
#[case::foreign_program(foreign, Errno::NOEXEC, ", because it is a program for another machine")]
// Faults: E2
#[case::no_interpreter_named(
    |at: &Place| at.file("script", "#!\n"),
    Errno::NOEXEC,
    ", because its #! line names no interpreter or is too long",
)]
// Faults: E2
#[case::interpreter_line_of_256_bytes(
    |at: &Place| at.file("script", format!("#!/{}\n", "x".repeat(253))),
    Errno::NOEXEC,
    ", because its #! line names no interpreter or is too long",
)]
// Faults: N19, E7
#[case::directory(|at: &Place| at.0.path().to_owned(), Errno::ACCES, ", because it is a directory")]
// Faults: N19, E7
#[case::pipe(pipe, Errno::ACCES, ", because it is not a regular file")]
// Faults: N19, E7
#[case::device(|_: &Place| PathBuf::from("/dev/null"), Errno::ACCES, ", because it is not a regular file")]
// Faults: E7
#[case::socket(socket, Errno::ACCES, ", because it is not a regular file")]
// Faults: N20, E7
#[case::no_permission(
    no_permission,
    Errno::ACCES,
    ", because it has no execute permission; set it with chmod +x"
)]
#[case::no_permission_after_a_way_back(
    |at: &Place| { fs::create_dir(at.path("below")).expect("it can be made"); no_permission(at); at.path("below/../program") },
    Errno::ACCES,
    ", because it has no execute permission; set it with chmod +x"
)]
#[case::no_permission_after_the_most_links(
    most_links,
    Errno::ACCES,
    ", because it has no execute permission; set it with chmod +x"
)]
// Faults: E7
#[case::interpreter_without_permission(
    interpreter_without_permission,
    Errno::ACCES,
    r#", because the script's interpreter "/etc/passwd" is not executable"#
)]
// Faults: E7
#[case::interpreter_that_is_a_directory(
    |at: &Place| at.file("script", "#!/etc\n"),
    Errno::ACCES,
    r#", because the script's interpreter "/etc" is not executable"#,
)]
// Faults: N24, E7
#[case::link_to_itself(link_to_itself, Errno::LOOP, "")]
// Faults: E7
#[case::below_a_file(|_: &Place| PathBuf::from("/etc/passwd/x"), Errno::NOTDIR, "")]
// Faults: N25, E7
#[case::long_name(|_: &Place| PathBuf::from(format!("/{}", "x".repeat(256))), Errno::NAMETOOLONG, "")]
// Faults: N25, E7
#[case::long_path(|_: &Place| PathBuf::from("/x".repeat(2048)), Errno::NAMETOOLONG, "")]
fn exec_failure_has_the_right_cause(#[case] make: Make, #[case] errno: Errno, #[case] cause: &str) {
    isolated(|| assert_told(make, errno, cause));
}

#[track_caller]
fn assert_told(make: Make, errno: Errno, cause: &str) {
    let place = Place::new();
    let path = make(&place);
    let failure = failure(&mut Command::new(&path));
    let whole = format!("cannot execute {path:?}: {}{cause}", words(errno));
    assert_eq!((failure.stage(), failure.to_string()), (Stage::Exec, whole));
}

/// Faults: E1
#[test]
fn error_names_the_missing_loader() {
    isolated(|| {
        if is_emulated("starts in the program's place, and misses the loader itself") {
            return;
        }
        let make = |at: &Place| at.file("dynamic", dynamic_program(b"/no/such/loader\0"));
        assert_told(make, Errno::NOENT, r#", because the program's loader "/no/such/loader" does not exist"#);
    });
}

/// Faults: N24, E7
#[test]
fn scripts_nested_too_deeply_are_reported() {
    isolated(|| {
        let make = |at: &Place| at.nested(deepest_nesting() + 1);
        assert_told(make, Errno::LOOP, ", because too many scripts name each other as interpreters");
    });
}

/// Returns how many nested scripts the kernel runs. An emulator that the kernel starts is an interpreter, too.
fn deepest_nesting() -> usize {
    if world::emulator().is_some() { 4 } else { 5 }
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

/// As many links as Linux follows, each to the one before it, and the first to a program without permission.
fn most_links(at: &Place) -> PathBuf {
    no_permission(at);
    let directory = fs::canonicalize(at.0.path()).expect("it is there");
    (0..40).fold(directory.join("program"), |target, index| {
        let link = directory.join(index.to_string());
        symlink(target, &link).expect("it can be made");
        link
    })
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

/// The probe's head with one segment, the name of its loader (elf(5)): enough for the kernel to look for that.
fn dynamic_program(loader: &[u8]) -> Vec<u8> {
    let wide = cfg!(target_pointer_width = "64");
    // Lengths of the header and of an entry of the segment table, and the offsets of its position and its length in the
    // header.
    let (header, entry, table_at, count_at) = if wide { (64, 56, 32, 56) } else { (52, 32, 28, 44) };
    let mut program = fs::read(probe::path()).expect("it can be read")[..header].to_vec();
    program[table_at..][..size_of::<usize>()].copy_from_slice(&header.to_ne_bytes());
    program[count_at..][..2].copy_from_slice(&1_u16.to_ne_bytes());
    let (interp, readable) = (3_u32.to_ne_bytes(), 4_u32.to_ne_bytes());
    program.extend(interp);
    program.extend(readable.iter().filter(|_| wide));
    for field in [header + entry, 0, 0, loader.len(), loader.len()] {
        program.extend(field.to_ne_bytes());
    }
    program.extend(readable.iter().filter(|_| !wide));
    program.extend(1_usize.to_ne_bytes());
    program.extend(loader);
    program
}

/// The kernel does not read the whole of a long script.
///
/// Faults: E2
#[rstest]
#[case::text(|at: &Place| at.file("text", "echo ran\n"), 0)]
#[case::text_for_a_long_script(|at: &Place| at.file("text", "echo ran\n"), 300)]
#[case::foreign_program(foreign, 0)]
fn error_names_the_interpreter_that_is_no_program(#[case] make: Make, #[case] length: usize) {
    isolated(|| {
        let place = Place::new();
        let interpreter = make(&place);
        let script = place.file("script", format!("#!{}\n{}", interpreter.display(), "#".repeat(length)));
        let text = failure(&mut Command::new(&script)).to_string();
        let cause = "neither a program for this machine nor a script";
        let whole = format!(
            "cannot execute {script:?}: {}, because the script's interpreter {interpreter:?} is {cause}",
            words(Errno::NOEXEC)
        );
        assert_eq!(text, whole);
    });
}
