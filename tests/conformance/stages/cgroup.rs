//! Control groups: a child that starts in one, one that enters it, and one that cannot.

use std::fs;
use std::path::PathBuf;

use forkexec::{BorrowingCommand, Cause, Command, Errno, Error, Operand, SpawnPolicy, Stage};
use forkexec_core::Operation;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world::Cgroup;
use rstest::rstest;

use crate::ground::{capabilities, has};
use crate::start::{failure, memory_file};

/// Makes a control group, or skips the test.
fn group() -> Option<Cgroup> {
    if !has(Operation::Cgroup) {
        return None;
    }
    Cgroup::new().map_err(|reason| skip(&reason)).ok()
}

fn groups_of(command: &mut BorrowingCommand<'_>) -> String {
    String::from_utf8(command.output().expect("it starts").stdout).expect("it is text")
}

fn cat(group: &Cgroup) -> Command {
    let mut command = Command::new("cat");
    command.arg("/proc/self/cgroup").cgroup(group.path());
    command
}

#[rstest]
#[case::by_itself(|| true)]
#[case::where_clone3_is_refused(|| deny(libc::SYS_clone3))]
fn child_starts_in_its_cgroup(
    #[case] world: fn() -> bool,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        let Some(group) = group() else { return };
        if !world() {
            return;
        }
        let seen = groups_of(cat(&group).spawn_policy(launch));
        assert!(seen.lines().any(|line| line == group.line()), "{seen}");
        let own = fs::read_to_string("/proc/self/cgroup").expect("it can be read");
        assert!(!own.contains(&group.line()), "{own}");
    });
}

fn deny(call: libc::c_long) -> bool {
    Deny::new().errno(call, libc::ENOSYS).installed()
}

#[test]
fn mapping_onto_the_cgroup_fd_number_is_harmless() {
    isolated(|| {
        let Some(group) = group() else { return };
        let file = memory_file();
        let mut command = cat(&group);
        for target in 3..40 {
            command.fd(target, &file);
        }
        let seen = groups_of(command.spawn_policy(SpawnPolicy::Fork));
        assert!(seen.lines().any(|line| line == group.line()), "{seen}");
    });
}

#[rstest]
fn removed_cgroup_is_reported(#[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy) {
    isolated(|| {
        let Some(group) = group() else { return };
        let mut command = cat(&group);
        let prepared = command.spawn_policy(launch).prepare().expect("it is there");
        fs::remove_dir(group.path()).expect("nobody is in it");
        let error = prepared.spawn().expect_err("it is gone");
        let failure = error.as_spawn().expect("a call failed");
        assert_eq!(
            (failure.stage(), failure.errno()),
            (Stage::Cgroup, Errno::from_raw(libc::ENODEV)),
            "{error}"
        );
        assert_eq!(failure.operand(), &Operand::Path(group.path().to_owned()));
    });
}

#[test]
fn missing_cgroup_is_reported() {
    isolated(|| {
        let mut command = Command::new("true");
        command.cgroup("/no/such");
        if !capabilities().has(Operation::Cgroup) {
            let refused = command.spawn();
            return assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
        }
        let failure = failure(&mut command);
        assert_eq!((failure.stage(), failure.errno()), (Stage::Cgroup, Errno::NOENT));
    });
}

/// Faults: E27
#[test]
fn directory_that_is_no_cgroup_is_reported() {
    isolated(|| {
        if !has(Operation::Cgroup) {
            return;
        }
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let failure = failure(Command::new("true").cgroup(directory.path()));
        assert_eq!((failure.stage(), failure.cause()), (Stage::Cgroup, Some(&Cause::NotCgroup)));
    });
}

/// Faults: E27
#[rstest]
fn cgroup_that_takes_no_processes_is_reported(
    #[values(below_a_threaded_one, inner)] make: fn(&Cgroup) -> Option<Unfit>,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        let Some(group) = group() else { return };
        let Some((path, errno, cause)) = make(&group) else { return };
        let failure = failure(cat(&group).cgroup(path).spawn_policy(launch));
        for below in group.below() {
            let _ = fs::remove_dir(below.join("inner"));
            fs::remove_dir(below).expect("it is empty");
        }
        assert_eq!((failure.stage(), failure.errno()), (Stage::Cgroup, errno), "{failure}");
        assert_eq!(failure.cause(), Some(&cause));
    });
}

/// A group that takes no process, and the expected error.
type Unfit = (PathBuf, Errno, Cause);

/// A threaded group takes whole processes, and the groups below it none before they are threaded, too.
fn below_a_threaded_one(group: &Cgroup) -> Option<Unfit> {
    let threaded = group.path().join("below");
    fs::create_dir(&threaded).expect("it can be made");
    if let Err(error) = fs::write(threaded.join("cgroup.type"), "threaded") {
        fs::remove_dir(threaded).expect("it is empty");
        skip(&format!("no group can be threaded: {error}"));
        return None;
    }
    let path = threaded.join("inner");
    fs::create_dir(&path).expect("it can be made");
    let cause = Cause::CgroupType { kind: "domain invalid".to_owned() };
    Some((path, Errno::from_raw(libc::EOPNOTSUPP), cause))
}

/// A group that distributes a controller.
fn inner(group: &Cgroup) -> Option<Unfit> {
    let path = group.path();
    let controllers = fs::read_to_string(path.join("cgroup.controllers")).expect("it can be read");
    let Some(controller) = controllers.split_whitespace().find(|name| ["memory", "pids"].contains(name))
    else {
        skip("this hierarchy has no controller to distribute");
        return None;
    };
    fs::write(path.join("cgroup.subtree_control"), format!("+{controller}")).expect("it can be distributed");
    fs::create_dir(path.join("below")).expect("it can be made");
    Some((path.to_owned(), Errno::BUSY, Cause::CgroupInner { controllers: controller.to_owned() }))
}
