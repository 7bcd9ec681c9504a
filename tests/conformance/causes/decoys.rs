//! An error names a cause only if the parent observed it. Each case here looks like another one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use forkexec::{Cause, Command, Errno, Stage};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe;
use rstest::rstest;

use super::{Place, dynamic_program};
use crate::ground::{as_root, check, is_emulated, is_privileged, without_privileges};
use crate::start::failure;

/// Faults: E18
#[rstest]
#[case::loader(|at: &Place| at.file("program", dynamic_program(b"/no/such/loader\0")))]
#[case::interpreter(|at: &Place| at.file("program", "#!/no/such/interpreter\n"))]
fn unreadable_program_is_not_reported_missing(#[case] make: fn(&Place) -> std::path::PathBuf) {
    isolated(|| {
        if !is_privileged() || is_emulated("starts in the program's place, and misses the loader itself") {
            return;
        }
        let place = Place::new();
        let path = make(&place);
        fs::set_permissions(&path, Permissions::from_mode(0o711)).expect("it is ours");
        let _unprivileged = without_privileges();
        for mut command in [Command::new(&path), searched(&place)] {
            let failure = failure(&mut command);
            // The kernel cannot read a script that its user cannot read. The interpreter reports it, if there is one.
            assert_eq!((failure.errno(), failure.cause()), (Errno::NOENT, Some(&Cause::PartMissing)));
            assert!(failure.to_string().contains(path.to_str().unwrap_or_default()), "{failure}");
        }
    });
}

fn searched(place: &Place) -> Command {
    let mut command = Command::new("program");
    command.env("PATH", format!("/no/such:{}", place.0.path().display()));
    command
}

/// Faults: E18
#[test]
fn unsearchable_interpreter_is_not_reported_missing() {
    as_root(|| {
        let place = Place::new();
        fs::create_dir(place.path("private")).expect("it can be made");
        let interpreter = place.path("private").join("sh");
        symlink("/no/such/interpreter", &interpreter).expect("it can be made");
        let script = place.file("script", format!("#!{}\n", interpreter.display()));
        fs::set_permissions(place.path("private"), Permissions::from_mode(0o700)).expect("it is ours");
        if !Deny::new().errno(libc::SYS_execve, libc::ENOENT).installed() {
            return;
        }
        let _unprivileged = without_privileges();
        assert_eq!(failure(&mut Command::new(&script)).cause(), None);
    });
}

/// There may be such a program.
#[test]
fn unsearchable_program_is_not_reported_missing() {
    as_root(|| {
        let place = Place::new();
        fs::create_dir(place.path("private")).expect("it can be made");
        fs::set_permissions(place.path("private"), Permissions::from_mode(0o700)).expect("it is ours");
        if !Deny::new().errno(libc::SYS_execve, libc::ENOENT).installed() {
            return;
        }
        let _unprivileged = without_privileges();
        assert_eq!(failure(&mut Command::new(place.path("private/program"))).cause(), None);
    });
}

/// Faults: E18
#[test]
fn error_names_the_interpreter_of_an_interpreter() {
    isolated(|| {
        let place = Place::new();
        let inner = place.file("inner", "#!/no/such/interpreter\n");
        let outer = place.file("outer", format!("#!{}\n", inner.display()));
        let missing = Cause::InterpreterMissing("/no/such/interpreter".into());
        assert_eq!(failure(&mut Command::new(&outer)).cause(), Some(&missing));
    });
}

/// In the parent's root there is an interpreter by that name.
///
/// Faults: E18
#[test]
fn symlink_in_a_new_root_resolves_below_it() {
    as_root(|| {
        let place = Place::new();
        place.file("script", "#!/interpreter\n");
        symlink("/bin/sh", place.path("interpreter")).expect("it can be made");
        let failure = failure(Command::new("/script").chroot(place.0.path()));
        let missing = Cause::InterpreterMissing("/interpreter".into());
        assert_eq!((failure.errno(), failure.cause()), (Errno::NOENT, Some(&missing)));
    });
}

/// The closure may have changed the root, and the parent would look elsewhere.
///
/// Faults: E18
#[test]
fn no_cause_is_sought_after_a_closure() {
    as_root(|| {
        let place = Place::new();
        place.file("only-there", "#!/no/such/interpreter\n");
        let root =
            std::ffi::CString::new(place.0.path().to_str().unwrap_or_default()).expect("it holds no NUL");
        let mut command = Command::new("/only-there");
        let enter = move || {
            // SAFETY: the string outlives the call, and the root is the child's own.
            check(unsafe { libc::chroot(root.as_ptr()) });
            Ok(())
        };
        // SAFETY: chroot is a system call alone, which is async-signal-safe.
        unsafe { command.pre_exec(enter) };
        let failure = failure(&mut command);
        assert_eq!((failure.errno(), failure.cause()), (Errno::NOENT, None));
    });
}

/// Faults: E18
#[rstest]
#[case::program_of_this_machine(|_: &Place| probe::path().to_owned(), libc::ENOEXEC, None)]
#[case::cut_off(|at: &Place| at.file("program", "\x7fELF"), libc::ENOEXEC, Some(Cause::CutOff))]
#[case::interpreter_of_this_machine(
    |at: &Place| at.file("script", format!("#!{}\n", probe::path().display())), libc::ENOEXEC, None)]
#[case::circle_of_links(
    |at: &Place| {
        symlink(at.path("link"), at.path("link")).expect("it can be made");
        at.file("script", format!("#!{}\n", at.path("link").display()))
    },
    libc::ELOOP, None)]
#[case::circle_of_interpreters(
    |at: &Place| at.file("script", format!("#!{}\n", at.path("script").display())), libc::ENOENT, None)]
#[case::plain_program(|_: &Place| probe::path().to_owned(), libc::ELOOP, None)]
#[case::program_that_is_there(|_: &Place| probe::path().to_owned(), libc::ENOENT, None)]
#[case::program_that_may_be_run(|_: &Place| probe::path().to_owned(), libc::EACCES, None)]
fn errno_without_a_visible_reason_has_no_cause(
    #[case] make: fn(&Place) -> std::path::PathBuf,
    #[case] errno: i32,
    #[case] cause: Option<Cause>,
) {
    isolated(|| {
        let place = Place::new();
        let path = make(&place);
        if !Deny::new().errno(libc::SYS_execve, errno).installed() {
            return;
        }
        let failure = failure(&mut Command::new(&path));
        assert_eq!((failure.stage(), failure.cause()), (Stage::Exec, cause.as_ref()));
    });
}
