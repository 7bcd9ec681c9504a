//! Failures that lie in the surroundings of a program: directories, roots, mounts, writers.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use rstest::rstest;

use forkexec::{BorrowingCommand, Cause, Command, Errno, Stage, Stdio};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe;

use super::{Place, deepest_nesting, dynamic_program, no_permission};
use crate::ground::{as_root, check, is_emulated, is_privileged};
use crate::start::{failure, words};

/// Faults: E1
#[test]
fn missing_directory_is_reported_before_missing_program() {
    isolated(|| {
        let failure = failure(Command::new("/no/such/program").current_dir("/no/such/directory"));
        let text =
            format!("cannot enter the working directory \"/no/such/directory\": {}", words(Errno::NOENT));
        assert_eq!((failure.stage(), failure.to_string()), (Stage::Chdir, text));
    });
}

/// Faults: E1
#[test]
fn error_names_the_loader_that_the_new_root_lacks() {
    isolated(|| {
        if !is_privileged() || is_emulated("starts in the program's place, and misses the loader itself") {
            return;
        }
        let place = Place::new();
        // The parent's root has it.
        place.file("dynamic", dynamic_program(b"/etc/passwd\0"));
        let text = failure(Command::new("/dynamic").chroot(place.0.path())).to_string();
        let words = words(Errno::NOENT);
        assert_eq!(
            text,
            format!(
                r#"cannot execute "/dynamic": {words}, because the program's loader "/etc/passwd" does not exist"#
            )
        );
    });
}

/// Faults: E1
#[test]
fn error_names_the_interpreter_that_the_new_root_lacks() {
    as_root(|| {
        let place = Place::new();
        place.file("script", "#!/bin/sh\n");
        let text = failure(Command::new("/script").chroot(place.0.path())).to_string();
        let words = words(Errno::NOENT);
        let cause = r#"the script's interpreter "/bin/sh" does not exist"#;
        let whole = format!(r#"cannot execute "/script": {words}, because {cause}"#);
        assert_eq!(text, whole);
    });
}

/// Faults: E1
#[test]
fn error_names_a_script_by_the_path_where_search_found_it() {
    isolated(|| {
        let place = Place::new();
        let script = place.file("no-such-script", "#!/no/such/interpreter\n");
        let mut command = Command::new("no-such-script");
        let failure = failure(command.env("PATH", format!("/no/such:{}:/bin", place.0.path().display())));
        let text = format!(
            "cannot execute {script:?}: {}, because the script's interpreter \"/no/such/interpreter\" does not exist",
            words(Errno::NOENT)
        );
        assert_eq!(failure.to_string(), text);
    });
}

/// Faults: E23
#[test]
fn error_names_the_directory_of_a_relative_program() {
    isolated(|| {
        let place = Place::new();
        let directory = place.0.path();
        let words = words(Errno::NOENT);
        let by_path = failure(Command::new("./here.sh").current_dir(directory)).to_string();
        let cause = format!("the program does not exist, relative to {directory:?}");
        assert_eq!(by_path, format!(r#"cannot execute "./here.sh": {words}, because {cause}"#));
        let open = File::open(directory).expect("it is there");
        let by_fd = failure(BorrowingCommand::new("./here.sh").current_dir_fd(&open)).to_string();
        let cause = format!("the program does not exist, relative to fd {}", open.as_raw_fd());
        assert_eq!(by_fd, format!(r#"cannot execute "./here.sh": {words}, because {cause}"#));
        let mut command = Command::new("here.sh");
        let searched = failure(command.env("PATH", "bin:/no/such").current_dir(directory)).to_string();
        let cause = format!(r#"the program does not exist in "bin:/no/such", relative to {directory:?}"#);
        assert_eq!(searched, format!(r#"cannot execute "here.sh": {words}, because {cause}"#));
    });
}

/// The parent does not look in its own directory.
///
/// Faults: E18, E23
#[test]
fn relative_interpreter_resolves_from_the_open_directory() {
    isolated(|| {
        let place = Place::new();
        let script = place.file("script", "#!./no-such-interpreter\n");
        place.file("no-such-interpreter", "");
        fs::create_dir(place.path("below")).expect("it can be made");
        let below = File::open(place.path("below")).expect("it is there");
        let failure = failure(BorrowingCommand::new(&script).current_dir_fd(&below));
        let missing = Cause::InterpreterMissing("./no-such-interpreter".into());
        assert_eq!(failure.cause(), Some(&missing));
    });
}

#[test]
fn relative_program_resolves_from_the_open_directory() {
    isolated(|| {
        let place = Place::new();
        no_permission(&place);
        let directory = File::open(place.0.path()).expect("it is there");
        let failure = failure(BorrowingCommand::new("./program").current_dir_fd(&directory));
        assert_eq!((failure.errno(), failure.cause()), (Errno::ACCES, Some(&Cause::NotExecutable)));
    });
}

#[test]
fn scripts_run_at_the_deepest_allowed_nesting() {
    isolated(|| {
        let place = Place::new();
        let script = place.nested(deepest_nesting());
        // The probe is called with the paths of the scripts, none of which is a verb of its.
        let status = Command::new(&script).stderr(Stdio::null()).status().expect("it can be started");
        assert_eq!(status.code(), Some(99));
    });
}

/// Faults: N20, E7
#[test]
fn error_names_the_noexec_mount() {
    isolated(|| {
        let place = Place::new();
        if let Err(reason) = mount(place.0.path(), libc::MS_NOEXEC) {
            return skip(&reason);
        }
        let program = probe::copy_to(place.0.path());
        let text = failure(&mut Command::new(&program)).to_string();
        unmount(place.0.path());
        let cause = "its file system is mounted noexec";
        let whole = format!("cannot execute {program:?}: {}, because {cause}", words(Errno::ACCES));
        assert_eq!(text, whole);
    });
}

/// The flag of another mount option is not taken for `noexec`.
///
/// Faults: Q-mount-flags
#[rstest]
fn other_mount_options_do_not_count_as_noexec(
    #[values(0, libc::MS_NOSUID, libc::MS_NODEV, libc::MS_NOATIME, libc::MS_SYNCHRONOUS)]
    flags: libc::c_ulong,
) {
    isolated(|| {
        let place = Place::new();
        if let Err(reason) = mount(place.0.path(), flags) {
            return skip(&reason);
        }
        let interpreter = place.0.path().join("plain");
        fs::write(&interpreter, "").expect("the filesystem is writable");
        let script = place.file("script", format!("#!{}\n", interpreter.display()));
        let text = failure(&mut Command::new(&script)).to_string();
        unmount(place.0.path());
        assert!(text.contains("is not executable") && !text.contains("noexec"), "{text}");
    });
}

/// Mounts a new filesystem on a directory, for this thread and its children alone.
fn mount(directory: &Path, flags: libc::c_ulong) -> Result<(), String> {
    let failed = |what: &str| Err(format!("{what}: {}", io::Error::last_os_error()));
    // SAFETY: changes the calling process alone, which is the test's own.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return failed("no mount namespace is to be had");
    }
    let (root, tmpfs) = (c"/".as_ptr(), c"tmpfs".as_ptr());
    let nothing = ptr::null();
    // SAFETY: all are C strings or null, where null is allowed.
    if unsafe { libc::mount(tmpfs, root, nothing, libc::MS_REC | libc::MS_PRIVATE, nothing.cast()) } != 0 {
        return failed("mounts cannot be made private");
    }
    let target = CString::new(directory.as_os_str().as_bytes()).expect("it holds no NUL");
    // SAFETY: as above.
    if unsafe { libc::mount(tmpfs, target.as_ptr(), tmpfs, flags, nothing.cast()) } != 0 {
        return failed("nothing can be mounted");
    }
    Ok(())
}

fn unmount(directory: &Path) {
    let target = CString::new(directory.as_os_str().as_bytes()).expect("it holds no NUL");
    // SAFETY: the path is a C string.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) });
}

#[test]
fn etxtbsy_has_no_further_cause() {
    isolated(|| {
        let place = Place::new();
        let program = probe::copy_to(place.0.path());
        let _writer = OpenOptions::new().append(true).open(&program).expect("it is ours");
        let text = failure(&mut Command::new(&program)).to_string();
        assert_eq!(text, format!("cannot execute {program:?}: {}", words(Errno::TXTBSY)));
    });
}
