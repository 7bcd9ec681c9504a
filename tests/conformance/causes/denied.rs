//! Permission bits that deny the child's user a program, its interpreter or its directory.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use forkexec::{BorrowingCommand, Cause, Command, Errno, SpawnError, Stage};
use forkexec_tests::isolate::isolated;
use rstest::rstest;

use super::{Place, dynamic_program};
use crate::ground::{NOBODY, as_root, check, is_emulated, is_privileged};
use crate::start::{failure, words};

/// Starts a program of another user, and returns the error.
fn denied(
    ask: impl FnOnce(&mut BorrowingCommand<'_>, &Place),
    program: fn(&Place) -> PathBuf,
) -> Option<(Place, SpawnError)> {
    if !is_privileged() {
        return None;
    }
    let place = Place::new();
    let mut command = Command::new(program(&place));
    ask(command.uid(NOBODY).gid(NOBODY).groups([]), &place);
    let failure = failure(&mut command);
    assert_eq!(failure.errno(), Errno::ACCES, "{failure}");
    Some((place, failure))
}

/// A directory for root alone, with a script in it.
fn private(at: &Place, text: &str) -> PathBuf {
    let directory = at.path("private");
    fs::create_dir(&directory).expect("it can be made");
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).expect("it is ours");
    at.file("private/inner", text)
}

/// A script with this interpreter, owner, group and mode.
fn script_of(at: &Place, interpreter: &Path, owner: Option<u32>, group: Option<u32>, mode: u32) -> PathBuf {
    let path = at.file("outer", format!("#!{}\n", interpreter.display()));
    chown(&path, owner, group).expect("root may");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
    path
}

fn searching(at: &Place) -> Cause {
    let directory = fs::canonicalize(at.path("private")).expect("it is there");
    Cause::SearchDenied { directory, mode: 0o700, user: NOBODY }
}

/// Faults: E26
#[rstest]
#[case::program(|at: &Place| private(at, "#!/bin/sh\n"))]
#[case::program_that_is_not_there(|at: &Place| private(at, "").with_file_name("missing"))]
#[case::interpreter(|at: &Place| { let inner = private(at, "#!/bin/sh\n"); at.file("outer", format!("#!{}\n", inner.display())) })]
// The bits of the class that decides allow the script itself.
#[case::interpreter_of_its_owner(|at: &Place| { let inner = private(at, "#!/bin/sh\n"); script_of(at, &inner, Some(NOBODY), None, 0o100) })]
#[case::interpreter_of_its_group(|at: &Place| { let inner = private(at, "#!/bin/sh\n"); script_of(at, &inner, None, Some(NOBODY), 0o010) })]
#[case::link(|at: &Place| {
    let inner = private(at, "#!/bin/sh\n");
    std::os::unix::fs::symlink(inner, at.path("link")).expect("it can be made");
    at.path("link")
})]
#[case::way_back(|at: &Place| { private(at, ""); at.file("outer", "#!/bin/sh\n"); at.path("private/../outer") })]
fn error_names_the_directory_that_denies_search(#[case] program: fn(&Place) -> PathBuf) {
    isolated(|| {
        let Some((place, failure)) = denied(|_, _| (), program) else { return };
        assert_eq!(failure.cause(), Some(&searching(&place)));
        let directory = fs::canonicalize(place.path("private")).expect("it is there");
        let cause = format!(
            ", because directory {directory:?} (mode 0700) appears to deny search permission to user {NOBODY}"
        );
        assert!(failure.to_string().ends_with(&format!("{}{cause}", words(Errno::ACCES))), "{failure}");
    });
}

/// Faults: E26
#[test]
fn error_names_the_directory_that_hides_the_loader() {
    isolated(|| {
        if is_emulated("starts in the program's place, and misses the loader itself") {
            return;
        }
        let loader = |at: &Place| {
            let inner = private(at, "loader");
            at.file("dynamic", dynamic_program(format!("{}\0", inner.display()).as_bytes()))
        };
        let Some((place, failure)) = denied(|_, _| (), loader) else { return };
        assert_eq!(failure.cause(), Some(&searching(&place)));
    });
}

/// A script for its owner alone.
fn for_the_owner(at: &Place) -> PathBuf {
    let path = at.file("program", "#!/bin/sh\n");
    fs::set_permissions(&path, Permissions::from_mode(0o744)).expect("it is ours");
    path
}

/// Faults: E26
#[rstest]
#[case::program(for_the_owner)]
#[case::interpreter(|at: &Place| { let inner = for_the_owner(at); at.file("outer", format!("#!{}\n", inner.display())) })]
fn error_names_the_file_that_denies_execution(#[case] program: fn(&Place) -> PathBuf) {
    isolated(|| {
        let Some((place, failure)) = denied(|_, _| (), program) else { return };
        let file = fs::canonicalize(place.path("program")).expect("it is there");
        assert_eq!(failure.cause(), Some(&Cause::ExecuteDenied { file, mode: 0o744, user: NOBODY }));
    });
}

/// The bits of the owner count for the owner, those of the group for each of its members, and no others.
///
/// Faults: E26
#[rstest]
#[case::owner(Some(NOBODY), None, 0o677, &[])]
#[case::group(None, Some(NOBODY), 0o767, &[])]
#[case::supplementary_group(None, Some(4321), 0o767, &[4321])]
#[case::others(None, None, 0o776, &[])]
fn permission_bits_of_one_class_decide(
    #[case] owner: Option<u32>,
    #[case] group: Option<u32>,
    #[case] mode: u32,
    #[case] groups: &[u32],
) {
    as_root(|| {
        let place = Place::new();
        let path = place.file("program", "#!/bin/sh\n");
        chown(&path, owner.or(Some(0)), group.or(Some(0))).expect("root may");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
        let mut command = Command::new(&path);
        let failure = failure(command.uid(NOBODY).gid(NOBODY).groups(groups.iter().copied()));
        let file = fs::canonicalize(&path).expect("it is there");
        assert_eq!(failure.cause(), Some(&Cause::ExecuteDenied { file, mode, user: NOBODY }));
    });
}

#[test]
fn groups_that_the_child_keeps_decide() {
    as_root(|| {
        let groups = [4321];
        // SAFETY: the list has so many groups.
        check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) });
        let place = Place::new();
        let path = place.file("program", "#!/bin/sh\n");
        chown(&path, Some(0), Some(groups[0])).expect("root may");
        fs::set_permissions(&path, Permissions::from_mode(0o767)).expect("it is ours");
        let failure = failure(Command::new(&path).uid(NOBODY).gid(NOBODY).keep_groups());
        let file = fs::canonicalize(&path).expect("it is there");
        assert_eq!(failure.cause(), Some(&Cause::ExecuteDenied { file, mode: 0o767, user: NOBODY }));
    });
}

/// Faults: E26
#[test]
fn error_names_the_working_directory_that_denies_search() {
    isolated(|| {
        let ask = |it: &mut BorrowingCommand<'_>, at: &Place| {
            private(at, "");
            fs::create_dir(at.path("private/below")).expect("it can be made");
            it.current_dir(at.path("private/below"));
        };
        let Some((place, failure)) = denied(ask, |_| "/bin/true".into()) else { return };
        assert_eq!((failure.stage(), failure.cause()), (Stage::Chdir, Some(&searching(&place))));
    });
}

/// An access control list decides, and is not read.
///
/// Faults: E26
#[test]
fn access_control_list_leaves_the_cause_unknown() {
    isolated(|| {
        let ask = |it: &mut BorrowingCommand<'_>, at: &Place| {
            private(at, "");
            if !admit(&at.path("private"), NOBODY) {
                eprintln!("there are no access control lists here");
            }
            fs::create_dir(at.path("inner")).expect("it can be made");
            fs::set_permissions(at.path("inner"), Permissions::from_mode(0o700)).expect("it is ours");
            fs::rename(at.path("inner"), at.path("private/inner-directory")).expect("it is ours");
            it.current_dir(at.path("private/inner-directory"));
        };
        let Some((place, failure)) = denied(ask, |_| "/bin/true".into()) else { return };
        let directory = fs::canonicalize(place.path("private/inner-directory")).expect("it is there");
        let inner = Cause::SearchDenied { directory, mode: 0o700, user: NOBODY };
        let expected = if has_list(&place.path("private")) { inner } else { searching(&place) };
        assert_eq!(failure.cause(), Some(&expected));
    });
}

/// Adds an entry for one user, in the form of `linux/posix_acl_xattr.h`. Returns false if the file system has no such
/// lists.
fn admit(path: &Path, user: u32) -> bool {
    const NONE: u32 = u32::MAX;
    // Owner, this user, the group, the mask, the others.
    let entries =
        [(0x01_u16, 7_u16, NONE), (0x02, 7, user), (0x04, 0, NONE), (0x10, 7, NONE), (0x20, 0, NONE)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, bits, id) in entries {
        list.extend([tag.to_le_bytes(), bits.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    let directory = File::open(path).expect("it is there");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&directory);
    let name = c"system.posix_acl_access";
    // SAFETY: the descriptor is this function's own, the name a C string, and so many bytes are read.
    unsafe { libc::fsetxattr(fd, name.as_ptr(), list.as_ptr().cast(), list.len(), 0) == 0 }
}

fn has_list(path: &Path) -> bool {
    // With a list the bits of the group are those of the mask.
    fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o070 == 0o070)
}
