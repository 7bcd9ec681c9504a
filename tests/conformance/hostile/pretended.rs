//! A filter refuses a change of identity, or reports success without a change: no program runs.
//!
//! Emulators of the superuser in containers do the latter, so that package managers believe that they changed their
//! user.

use std::os::fd::AsRawFd;

use forkexec::{BorrowingCommand, Command, SpawnPolicy, Stage, Stdio};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;
use rstest::rstest;
use tempfile::TempDir;

use crate::ground::{check, is_emulated, is_privileged};
use crate::stages::identity::capabilities;
use crate::start::{failure, memory_file, nothing_said, probe, report};

/// On 32 bits those with ids of that size.
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
const CALLS: [libc::c_long; 3] = [libc::SYS_setgroups, libc::SYS_setresgid, libc::SYS_setresuid];
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
const CALLS: [libc::c_long; 3] = [libc::SYS_setgroups32, libc::SYS_setresgid32, libc::SYS_setresuid32];

/// The calls that verify the change.
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
const LOOKS: [libc::c_long; 3] = [libc::SYS_getgroups, libc::SYS_getresgid, libc::SYS_getresuid];
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
const LOOKS: [libc::c_long; 3] = [libc::SYS_getgroups32, libc::SYS_getresgid32, libc::SYS_getresuid32];

/// Answers 0 and does nothing.
const PRETENDED: i32 = 0;

type Ask = fn(&mut BorrowingCommand<'_>);

fn all(command: &mut BorrowingCommand<'_>) {
    command.groups([7, 8]).gid(1234).uid(4321);
}

/// Starts a program that would leave a file, and returns the error. No file may appear.
fn refusal(launch: SpawnPolicy, ask: Ask) -> (Stage, i32) {
    refusal_in(&world::empty_chroot(), launch, ask)
}

fn refusal_in(root: &TempDir, launch: SpawnPolicy, ask: Ask) -> (Stage, i32) {
    let file = memory_file();
    let mut command = Command::new(root.path().join("probe"));
    command
        .args(["write", "1", "it ran"])
        .spawn_policy(launch)
        .stdout(Stdio::from(file.try_clone().expect("it is open")));
    ask(&mut command);
    let failure = failure(&mut command);
    assert_eq!(file.metadata().expect("it is open").len(), 0, "descriptor {}", file.as_raw_fd());
    (failure.stage(), failure.errno().raw())
}

/// Returns true if this backend verifies the change of ids.
fn verifies() -> bool {
    if cfg!(forkexec_backend = "posix") {
        skip("the floor believes what the system says");
    }
    !cfg!(forkexec_backend = "posix")
}

/// Faults: S14
#[rstest]
#[case::groups(CALLS[0], Stage::Groups, all)]
#[case::groups_as_many_as_the_parents(CALLS[0], Stage::Groups, |it: &mut BorrowingCommand<'_>| { it.groups([9, 11]); })]
#[case::groups_whose_first_is_the_parents(CALLS[0], Stage::Groups, |it: &mut BorrowingCommand<'_>| { it.groups([5, 11]); })]
#[case::no_groups(CALLS[0], Stage::Groups, |it: &mut BorrowingCommand<'_>| { it.groups([]); })]
#[case::more_groups_than_are_compared(CALLS[0], Stage::Groups, |it: &mut BorrowingCommand<'_>| { it.groups(0..300); })]
#[case::gid(CALLS[1], Stage::Gid, all)]
#[case::gid_alone(CALLS[1], Stage::Gid, |it: &mut BorrowingCommand<'_>| { it.keep_groups().gid(1234); })]
#[case::uid(CALLS[2], Stage::Uid, all)]
#[case::uid_alone(CALLS[2], Stage::Uid, |it: &mut BorrowingCommand<'_>| { it.keep_groups().uid(4321); })]
#[case::no_new_privs(libc::SYS_prctl, Stage::NoNewPrivs, |it: &mut BorrowingCommand<'_>| { it.no_new_privs(); })]
fn failed_or_pretended_change_of_ids_never_execs(
    #[case] call: libc::c_long,
    #[case] stage: Stage,
    #[case] ask: Ask,
    #[values(PRETENDED, libc::EPERM, libc::EAGAIN, libc::ENOSYS)] errno: i32,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if !is_privileged() || !verifies() {
            return;
        }
        // SAFETY: two ids are read.
        check(unsafe { libc::setgroups(2, [5, 6].as_ptr()) });
        if Deny::new().errno(call, errno).installed() {
            let told = if errno == PRETENDED { libc::EPERM } else { errno };
            assert_eq!(refusal(launch, ask), (stage, told));
        }
    });
}

/// The real, the effective or the saved ID differs from the ID that the command sets. The kernel does not change it, and a
/// filter answers that it does.
///
/// Faults: S14
#[rstest]
fn all_three_ids_are_verified(
    #[values(Stage::Gid, Stage::Uid)] stage: Stage,
    #[values(0, 1, 2)] differs: usize,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if !is_privileged() || !verifies() {
            return;
        }
        let root = world::empty_chroot();
        let mut ids = [4321; 3];
        ids[differs] = 0;
        let [real, effective, saved] = ids;
        let (call, ask): (_, Ask) = if stage == Stage::Gid {
            // SAFETY: changes the calling process alone, which is the test's own.
            check(unsafe { libc::setresgid(real, effective, saved) });
            (CALLS[1], |it| _ = it.keep_groups().gid(4321))
        } else {
            // SAFETY: as above.
            check(unsafe { libc::setresuid(real, effective, saved) });
            (CALLS[2], |it| _ = it.keep_groups().uid(4321))
        };
        let told = Deny::new().errno(call, PRETENDED).installed().then(|| refusal_in(&root, launch, ask));
        // By a call that the filter lets pass. The effective user may be no superuser now, and must be one to set the real one.
        for real in [libc::uid_t::MAX, 0] {
            // SAFETY: as above.
            check(unsafe { libc::setreuid(real, 0) });
        }
        assert_eq!(told.unwrap_or((stage, libc::EPERM)), (stage, libc::EPERM));
    });
}

/// If the ids cannot be verified, the program does not run.
///
/// Faults: S14
#[rstest]
#[case::groups(LOOKS[0], Stage::Groups)]
#[case::gid(LOOKS[1], Stage::Gid)]
#[case::uid(LOOKS[2], Stage::Uid)]
fn program_does_not_run_if_ids_cannot_be_verified(
    #[case] call: libc::c_long,
    #[case] stage: Stage,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if is_privileged() && verifies() && Deny::new().errno(call, libc::ENOSYS).installed() {
            assert_eq!(refusal(launch, all), (stage, libc::ENOSYS));
        }
    });
}

/// A capability that executed programs inherit, and a filter that prevents dropping it.
///
/// Faults: S9, S14
#[rstest]
fn child_ends_if_it_cannot_drop_a_capability(
    #[values(PRETENDED, libc::EPERM, libc::EINVAL, libc::ENOSYS)] errno: i32,
    #[values(libc::SYS_prctl, libc::SYS_capget)] call: libc::c_long,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if !is_privileged() || is_emulated("keeps no capabilities") || !verifies() {
            return;
        }
        if let Err(error) = capabilities::make_ambient(BIND_LOW_PORTS) {
            return skip(&format!("capabilities cannot be made ambient: {error}"));
        }
        if !Deny::new().errno(call, errno).installed() {
            return;
        }
        if (call, errno) == (libc::SYS_capget, PRETENDED) {
            // If the capability sets cannot be read, the child gives up all of them.
            let root = world::empty_chroot();
            let mut command = Command::new(root.path().join("probe"));
            command.args(["true"]).spawn_policy(launch);
            all(&mut command);
            return assert!(command.status().expect("it starts").success());
        }
        let told = if errno == PRETENDED { libc::EPERM } else { errno };
        assert_eq!(refusal(launch, all), (Stage::Uid, told));
    });
}

/// `CAP_NET_BIND_SERVICE` of `linux/capability.h`.
const BIND_LOW_PORTS: u32 = 10;

#[test]
fn ids_that_are_already_set_are_accepted() {
    isolated(|| {
        let pretend = |deny: Deny, call: &libc::c_long| deny.errno(*call, PRETENDED);
        if !is_privileged() || !CALLS.iter().fold(Deny::new(), pretend).installed() {
            return;
        }
        let mut command = probe(&[]);
        nothing_said(&mut command);
        let own = report(&mut command);
        let again = report(probe(&[]).groups(own.groups.clone()).gid(own.gids.real).uid(own.uids.real));
        assert_eq!((again.uids, again.gids, again.groups), (own.uids, own.gids, own.groups));
    });
}
