//! A caller in new namespaces: the first process of a pid namespace, the superuser of a user namespace.

use forkexec::{BorrowingCommand, Command, Errno, Operation, SpawnPolicy, Stage, Stdio};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::Ids;
use forkexec_tests::world;
use rstest::rstest;

use super::namespaces::{MAPPED, Namespaces, inside};
use super::ordinary::{Ordinary, anything, nothing};
use crate::ground::{as_root, check, has, is_emulated, is_privileged};
use crate::start::{failure, probe, seen, words};

/// Runs a test in these namespaces, with a program that all users can run.
fn run_inside(namespaces: Namespaces, test: impl FnOnce(&std::path::Path)) {
    as_root(|| {
        let root = world::empty_chroot();
        let program = root.path().join("probe");
        if let Err(reason) = inside(namespaces, || test(&program)) {
            skip(&reason);
        }
    });
}

const fn with(flags: libc::c_int) -> Namespaces {
    Namespaces { flags, setgroups_denied: false }
}

/// `/proc` belongs to the outer namespace, where the same PIDs are other processes.
///
/// Faults: F12
#[rstest]
#[case::with_proc_of_another_namespace(libc::CLONE_NEWPID, false)]
#[case::with_its_own_proc(libc::CLONE_NEWPID, true)]
#[case::and_of_users(libc::CLONE_NEWPID | libc::CLONE_NEWUSER, false)]
#[case::and_of_users_with_its_own_proc(libc::CLONE_NEWPID | libc::CLONE_NEWUSER | libc::CLONE_NEWNS, true)]
fn first_process_of_a_pid_namespace_spawns_as_usual(#[case] flags: libc::c_int, #[case] own_proc: bool) {
    run_inside(with(flags), |program| {
        assert_eq!(std::process::id(), 1);
        if own_proc && let Err(reason) = world::hiding_proc() {
            return skip(&reason);
        }
        Ordinary::new(program).check(nothing, |seen| seen.ppid == 1);
    });
}

#[test]
fn child_in_a_user_namespace_has_the_mapped_ids() {
    run_inside(with(libc::CLONE_NEWUSER), |program| {
        let ask = |command: &mut BorrowingCommand<'_>| {
            command.groups([7]).gid(1234).uid(4321);
        };
        let ordinary = Ordinary::new(program);
        ordinary.check(nothing, anything);
        ordinary.check(ask, |seen| {
            (seen.uids, seen.gids, &seen.groups[..]) == (Ids::all(4321), Ids::all(1234), &[7])
        });
    });
}

#[test]
fn denied_setgroups_is_reported_unless_groups_are_kept() {
    let denied = Namespaces { flags: libc::CLONE_NEWUSER, setgroups_denied: true };
    run_inside(denied, |program| {
        let ordinary = Ordinary::new(program);
        let ask = |command: &mut BorrowingCommand<'_>| {
            command.keep_groups().gid(1234).uid(4321);
        };
        ordinary.check(ask, |seen| (seen.uids, seen.gids) == (Ids::all(4321), Ids::all(1234)));
        let failure = failure(Command::new(program).groups([7]).gid(1234).uid(4321));
        assert_eq!((failure.stage(), failure.errno()), (Stage::Groups, Errno::PERM));
    });
}

#[rstest]
#[case::user(|it: &mut BorrowingCommand<'_>| { it.keep_groups().uid(MAPPED + 1); }, Stage::Uid)]
#[case::group(|it: &mut BorrowingCommand<'_>| { it.keep_groups().gid(MAPPED + 1); }, Stage::Gid)]
#[case::groups(|it: &mut BorrowingCommand<'_>| { it.groups([MAPPED + 1]); }, Stage::Groups)]
fn unmapped_id_is_reported(#[case] ask: fn(&mut BorrowingCommand<'_>), #[case] stage: Stage) {
    run_inside(with(libc::CLONE_NEWUSER), |program| {
        let mut command = Command::new(program);
        ask(&mut command);
        let failure = failure(&mut command);
        assert_eq!((failure.stage(), failure.errno()), (stage, Errno::INVAL));
    });
}

/// In a pid namespace without processes, the first one becomes its init, whose end closes the namespace.
/// Faults: F15
#[rstest]
#[case::auto(nothing)]
#[case::own_table(|it: &mut BorrowingCommand<'_>| { it.inherit_all(); })]
#[case::by_fork(|it: &mut BorrowingCommand<'_>| { it.spawn_policy(SpawnPolicy::Fork); })]
#[case::with_a_closure(|it: &mut BorrowingCommand<'_>| {
    // SAFETY: the closure does nothing.
    unsafe { it.pre_exec(|| Ok(())) };
})]
fn first_child_is_the_init_of_a_new_pid_namespace(#[case] ask: fn(&mut BorrowingCommand<'_>)) {
    as_root(|| {
        if is_emulated("starts threads, which take numbers") {
            return;
        }
        // SAFETY: no memory is passed; the test has this process for itself.
        check(unsafe { libc::unshare(libc::CLONE_NEWPID) });
        let mut init = probe(&["echo"]);
        ask(init.stdin(Stdio::piped()));
        let mut init = init.spawn().expect("it starts");
        for round in 0..5 {
            let mut command = probe(&["report"]);
            ask(&mut command);
            let seen = seen(&mut command);
            assert_eq!((seen.pid, seen.ppid), (2 + round, 0), "nothing else was started");
        }
        drop(init.stdin.take());
        assert!(init.wait().expect("it ends").success());
        let after = probe(&["true"]).spawn().expect_err("the namespace is closed");
        assert!(after.to_string().contains(&words(Errno::NOMEM)), "{after}");
    });
}

/// A parent outside of the child's pid namespace is 0 to it.
/// Faults: S15
#[rstest]
#[case::auto(SpawnPolicy::Auto)]
#[case::by_fork(SpawnPolicy::Fork)]
fn child_of_a_new_pid_namespace_dies_with_its_parent(#[case] launch: SpawnPolicy) {
    isolated(|| {
        if !is_privileged() || !has(Operation::DieWithParent) {
            return;
        }
        // SAFETY: no memory is passed; the test has this process for itself.
        check(unsafe { libc::unshare(libc::CLONE_NEWPID) });
        let tied = |verb: &'static str| {
            let mut command = probe(&[verb]);
            // The namespace belongs to this thread. The spawner thread does not have it.
            command.spawn_policy(launch).die_with_parent(libc::SIGKILL).pdeathsig_thread(false);
            command
        };
        let mut init = tied("echo").stdin(Stdio::piped()).spawn().expect("it starts");
        for _ in 0..2 {
            let seen = seen(&mut tied("report"));
            assert_eq!((seen.ppid, seen.pdeathsig), (0, libc::SIGKILL));
        }
        drop(init.stdin.take());
        assert!(init.wait().expect("it ends").success());
    });
}
