//! Directory, root, umask, limits, nice value, death of the parent: as the child sees them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use forkexec::{BorrowingCommand, Command, Errno, Resource, Stage};
use forkexec_core::Operation;
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;

use crate::ground::{as_root, has, is_emulated, is_privileged};
use crate::start::{failure, probe, report, words};

#[test]
fn child_starts_in_the_requested_directory() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = fs::canonicalize(directory.path()).expect("it is there");
        assert_eq!(report(probe(&[]).current_dir(&path)).cwd, Some(path));
    });
}

#[test]
fn directory_can_be_an_open_descriptor() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = fs::canonicalize(directory.path()).expect("it is there");
        let open = fs::File::open(&path).expect("it can be opened");
        assert_eq!(report(probe(&[]).current_dir_fd(&open)).cwd, Some(path));
    });
}

#[test]
fn relative_program_resolves_in_the_childs_directory() {
    isolated(|| {
        let directory = world::empty_chroot();
        let path = fs::canonicalize(directory.path()).expect("it is there");
        assert_eq!(report(Command::new("./probe").current_dir(&path)).cwd, Some(path));
    });
}

#[test]
fn new_root_becomes_the_directory() {
    as_root(|| {
        let root = world::empty_chroot();
        let seen = report(Command::new("/probe").chroot(root.path()));
        assert_eq!((seen.root, seen.cwd), (Some(place_of(root.path())), Some(PathBuf::from("/"))));
    });
}

/// Faults: N49
#[test]
fn directory_is_resolved_in_the_new_root() {
    as_root(|| {
        let root = world::empty_chroot();
        fs::create_dir(root.path().join("below")).expect("it can be made");
        let seen = report(Command::new("../probe").chroot(root.path()).current_dir("/below"));
        assert_eq!((seen.root, seen.cwd), (Some(place_of(root.path())), Some(PathBuf::from("/below"))));
    });
}

fn place_of(path: &Path) -> (u64, u64) {
    let about = path.metadata().expect("it is there");
    (about.dev(), about.ino())
}

#[test]
fn umask_is_as_requested_and_the_parents_stays() {
    isolated(|| {
        assert_eq!([0, 0o27, 0o777].map(|mask| report(probe(&[]).umask(mask)).umask), [0, 0o27, 0o777]);
    });
}

#[test]
fn limits_are_set_as_requested_and_in_order() {
    isolated(|| {
        let mut command = probe(&[]);
        command
            .rlimit(Resource::NOFILE, Some(100), Some(200))
            .rlimit(Resource::CORE, Some(0), Some(0))
            .rlimit(Resource::NOFILE, Some(50), Some(60));
        let limits = report(&mut command).limits;
        assert_eq!((limits["nofile"], limits["core"]), ((50, 60), (0, 0)));
    });
}

/// The other side is that of an earlier setting, or the parent's when the command is prepared.
#[test]
fn one_side_of_a_limit_can_be_set() {
    isolated(|| {
        world::set_limit(libc::RLIMIT_NOFILE, 300, 400).expect("limits can be lowered");
        let nofile = |command: &mut BorrowingCommand<'_>| report(command).limits["nofile"];
        assert_eq!(nofile(probe(&[]).rlimit_soft(Resource::NOFILE, Some(350))), (350, 400));
        assert_eq!(nofile(probe(&[]).rlimit_hard(Resource::NOFILE, Some(350))), (300, 350));
        let mut both = probe(&[]);
        both.rlimit_soft(Resource::NOFILE, Some(20)).rlimit_hard(Resource::NOFILE, Some(30));
        assert_eq!(nofile(&mut both), (20, 30));
        let raised = probe(&["true"]).rlimit_soft(Resource::NOFILE, None).spawn().map(drop);
        let text =
            "cannot set the resource limit (nofile=unlimited:400): the soft limit is above the hard limit";
        assert_eq!(raised.expect_err("it is refused").to_string(), text);
        let lowered = probe(&["true"]).rlimit_hard(Resource::NOFILE, Some(299)).spawn().map(drop);
        let text = "cannot set the resource limit (nofile=300:299): the soft limit is above the hard limit";
        assert_eq!(lowered.expect_err("it is refused").to_string(), text);
    });
}

#[test]
fn one_side_of_an_unknown_limit_is_an_error() {
    isolated(|| {
        let failure = failure(probe(&["true"]).rlimit_soft(Resource(i32::MAX), Some(0)));
        let text = format!("cannot read a resource limit: {}", words(Errno::INVAL));
        assert_eq!((failure.stage(), failure.to_string()), (Stage::Setup, text));
    });
}

#[test]
fn limits_of_the_parent_stay() {
    isolated(|| {
        let before = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        report(probe(&[]).rlimit(Resource::NOFILE, Some(50), Some(60)));
        assert_eq!(world::limit(libc::RLIMIT_NOFILE).expect("the limit is known"), before);
    });
}

#[test]
fn limits_can_equal_the_parents_hard_limit() {
    isolated(|| {
        let (_, hard) = world::limit(libc::RLIMIT_CPU).expect("the limit is known");
        assert_eq!(
            report(probe(&[]).rlimit(Resource::CPU, Some(hard), Some(hard))).limits["cpu"],
            (hard, hard)
        );
    });
}

/// The kernel has given up the old program by the time it finds that the new one does not fit.
///
/// Faults: E11
#[test]
fn limit_too_small_for_the_program_ends_it_after_exec() {
    isolated(|| {
        if is_emulated("makes the stack of the program itself, whatever the limit") {
            return;
        }
        let status =
            probe(&["true"]).rlimit(Resource::STACK, Some(4096), Some(4096)).status().expect("exec succeeds");
        assert!(matches!(status.signal(), Some(libc::SIGSEGV | libc::SIGKILL)), "{status}");
    });
}

#[test]
fn nice_value_is_as_requested() {
    isolated(|| assert_eq!(report(probe(&[]).nice(19)).nice, 19));
}

#[test]
fn privileged_child_can_lower_its_nice_value() {
    as_root(|| {
        assert_eq!(report(probe(&[]).nice(-20)).nice, -20);
    });
}

#[test]
fn death_signal_is_set() {
    isolated(|| {
        if has(Operation::DieWithParent) {
            assert_eq!(report(probe(&[]).die_with_parent(libc::SIGTERM)).pdeathsig, libc::SIGTERM);
        }
    });
}

/// Faults: S12
#[test]
fn death_signal_outlives_a_change_of_user() {
    isolated(|| {
        if !has(Operation::DieWithParent) || !is_privileged() {
            return;
        }
        let root = world::empty_chroot();
        let mut command = Command::new(root.path().join("probe"));
        command.uid(1234).gid(1234).groups([]).die_with_parent(libc::SIGKILL);
        let seen = report(&mut command);
        assert_eq!((seen.uids.real, seen.pdeathsig), (1234, libc::SIGKILL));
    });
}
