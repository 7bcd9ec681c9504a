//! The working directory: with which ids it is entered, and from which root it is seen.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use forkexec::{Command, Errno, Operand, Stage};
use forkexec_tests::isolate::skip;
use forkexec_tests::probe::Ids;
use forkexec_tests::world;
use tempfile::TempDir;

use super::identity::capabilities;
use crate::ground::{NOBODY, as_root};
use crate::start::{failure, report};

/// A directory that one user alone may enter.
fn private(user: u32) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).expect("it is ours");
    chown(&directory, Some(user), Some(user)).expect("the superuser may");
    directory
}

/// The probe, run by a user other than the superuser.
fn probe_of(user: u32, root: &TempDir) -> Command {
    let mut command = Command::new(root.path().join("probe"));
    command.uid(user).gid(user).groups([]);
    command
}

/// The superuser without the capability to search every directory stands for root on an NFS export with root_squash.
///
/// Faults: S16
#[test]
fn new_user_enters_its_private_directory() {
    as_root(|| {
        let (root, home) = (world::empty_chroot(), private(NOBODY));
        if let Err(error) = capabilities::obey_permission_bits() {
            return skip(&format!("capabilities cannot be given up: {error}"));
        }
        assert!(fs::read_dir(&home).is_err(), "the parent itself may not enter it");
        let seen = report(probe_of(NOBODY, &root).current_dir(home.path()));
        assert_eq!(
            (seen.uids, seen.cwd),
            (Ids::all(NOBODY), Some(fs::canonicalize(home.path()).unwrap_or_default()))
        );
    });
}

/// Faults: S16
#[test]
fn root_only_directory_refuses_the_new_user() {
    as_root(|| {
        let (root, roots) = (world::empty_chroot(), private(0));
        let failure = failure(probe_of(NOBODY, &root).current_dir(roots.path()));
        let operand = Operand::Path(roots.path().to_owned());
        assert_eq!(
            (failure.stage(), failure.errno(), failure.operand()),
            (Stage::Chdir, Errno::ACCES, &operand)
        );
    });
}

/// fchdir(2) checks search permission at the time of the call, so it precedes the change of ids.
///
/// Faults: S16
#[test]
fn root_opens_a_directory_for_the_new_user() {
    as_root(|| {
        let (root, roots) = (world::empty_chroot(), private(0));
        let open = File::open(roots.path()).expect("root may");
        let seen = report(probe_of(NOBODY, &root).current_dir_fd(&open));
        assert_eq!(
            (seen.uids, seen.cwd),
            (Ids::all(NOBODY), Some(fs::canonicalize(roots.path()).unwrap_or_default()))
        );
    });
}

/// chroot(2) leaves the working directory outside of the root, and a relative path would start there.
///
/// Faults: S16
#[test]
fn relative_directory_resolves_below_the_new_root() {
    as_root(|| {
        let (root, elsewhere) = (world::empty_chroot(), tempfile::tempdir().expect("it can be made"));
        fs::create_dir(root.path().join("below")).expect("it can be made");
        fs::create_dir(elsewhere.path().join("below")).expect("it can be made");
        let before = std::env::current_dir().expect("it is there");
        std::env::set_current_dir(elsewhere.path()).expect("it is there");
        let seen = report(Command::new("/probe").chroot(root.path()).current_dir("below"));
        std::env::set_current_dir(before).expect("it is there");
        assert_eq!(seen.cwd, Some(PathBuf::from("/below")));
    });
}

/// Faults: S16
#[test]
fn new_root_is_entered_before_the_ids_change() {
    as_root(|| {
        let root = world::empty_chroot();
        fs::create_dir(root.path().join("home")).expect("it can be made");
        chown(root.path().join("home"), Some(NOBODY), Some(NOBODY)).expect("root may");
        let mut command = Command::new("/probe");
        command.uid(NOBODY).gid(NOBODY).groups([]).chroot(root.path()).current_dir("/home");
        let seen = report(&mut command);
        assert_eq!((seen.uids, seen.cwd), (Ids::all(NOBODY), Some(PathBuf::from("/home"))));
    });
}
