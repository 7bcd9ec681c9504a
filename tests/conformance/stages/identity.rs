//! Users, groups, privileges: as the child sees them.
//!
//! `capabilities` makes some that are not lost with the user.

pub(crate) mod capabilities;

use std::os::unix::process::CommandExt;

use forkexec::{BorrowingCommand, Command, Error, InputError};
use forkexec_core::Operation;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::{Ids, Seen};
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{NOBODY, as_root, check, has, is_emulated, is_privileged, without_privileges};
use crate::start::{probe, report};

/// Faults: S7
#[rstest]
#[case::user_last(|it: &mut BorrowingCommand<'_>| { it.groups([7, 8]).gid(1234).uid(4321); })]
#[case::user_first(|it: &mut BorrowingCommand<'_>| { it.uid(4321).gid(1234).groups([7, 8]); })]
fn ids_change_in_the_right_order_for_any_order_of_calls(#[case] ask: fn(&mut BorrowingCommand<'_>)) {
    as_root(|| {
        assert_eq!(ids(&everybodys(ask)), (Ids::all(4321), Ids::all(1234), vec![7, 8]));
    });
}

/// The result is that of id(1), which also looks the user up.
#[test]
fn named_user_has_all_ids_of_its_own() {
    as_root(|| {
        let of = |option: &str, name: &str| {
            let output = Command::new("id").args([option, name]).output().expect("there is id");
            let text = String::from_utf8(output.stdout).expect("it is ASCII");
            let mut ids: Vec<u32> = text.split_whitespace().map(|id| id.parse().expect("a number")).collect();
            ids.sort_unstable();
            ids
        };
        for name in ["root", "nobody", "daemon"] {
            let seen = report(probe(&[]).user(name));
            let [uid, gid] = ["-u", "-g"].map(|option| of(option, name)[0]);
            let mut groups = seen.groups;
            groups.sort_unstable();
            assert_eq!(
                (seen.uids, seen.gids, groups),
                (Ids::all(uid), Ids::all(gid), of("-G", name)),
                "{name}"
            );
        }
    });
}

#[test]
fn ids_that_are_set_take_precedence_over_the_named_users() {
    as_root(|| {
        let seen = report(probe(&[]).uid(4321).user("nobody").groups([7]));
        assert_eq!((seen.uids, seen.groups), (Ids::all(4321), vec![7]));
        let seen = report(probe(&[]).gid(1234).user("nobody"));
        assert_eq!((seen.uids, seen.gids, seen.groups), (Ids::all(NOBODY), Ids::all(1234), vec![1234]));
        let before = report(&mut probe(&[]));
        let seen = report(probe(&[]).user("nobody").keep_groups());
        assert_eq!((seen.uids, seen.gids, seen.groups), (Ids::all(NOBODY), before.gids, before.groups));
    });
}

#[rstest]
#[case::unknown("no-such-user")]
#[case::empty("")]
#[case::with_a_nul("nobody\0")]
#[case::number("4321")]
fn unknown_user_starts_nothing(#[case] name: &str) {
    isolated(|| {
        let error = probe(&["true"]).user(name).spawn().map(drop).expect_err("it is refused");
        assert!(matches!(&error, Error::Input(InputError::NoSuchUser { name: named }) if named == name));
        assert_eq!(error.to_string(), format!("cannot look up the user {name:?}: it does not exist"));
    });
}

/// The parent has capabilities that outlive a change of user, and exec. The kernel keeps each set in two 32-bit words.
///
/// Faults: S9
#[rstest]
#[case::of_the_low_word(BIND_LOW_PORTS)]
#[case::of_the_high_word(SYSLOG)]
fn no_capability_outlives_a_change_of_user(#[case] capability: u32) {
    isolated(|| {
        if !is_privileged() || is_emulated("keeps no capabilities") {
            return;
        }
        if cfg!(forkexec_backend = "posix") {
            return skip("the floor knows of no capabilities");
        }
        if let Err(error) = capabilities::make_ambient(capability) {
            return skip(&format!("capabilities cannot be made ambient: {error}"));
        }
        let held = |ask: fn(&mut BorrowingCommand<'_>)| {
            let mut command = Command::new("/bin/cat");
            ask(command.arg("/proc/self/status").current_dir("/"));
            let status = String::from_utf8(command.output().expect("it starts").stdout).expect("it is ASCII");
            capabilities::of(&status)
        };
        let [kept, dropped] = [
            held(|_| ()),
            held(|it| {
                it.uid(4321).gid(1234).groups([]);
            }),
        ];
        assert!(kept.contains(&(1 << capability)), "{kept:x?}");
        assert_eq!(dropped, [0; 3], "effective, permitted, ambient");
    });
}

/// `CAP_NET_BIND_SERVICE` of `linux/capability.h`.
const BIND_LOW_PORTS: u32 = 10;

/// `CAP_SYSLOG` of `linux/capability.h`.
const SYSLOG: u32 = 34;

/// A set-user-id program of the superuser's: its real user is another. It may change users, and has groups to give up.
#[rstest]
#[case::user_and_group(|it: &mut BorrowingCommand<'_>| { it.uid(4321).gid(1234); })]
#[case::user_alone(|it: &mut BorrowingCommand<'_>| { it.uid(4321); })]
fn child_of_a_set_uid_parent_keeps_none_of_its_groups(#[case] ask: fn(&mut BorrowingCommand<'_>)) {
    as_root(|| {
        let root = world::empty_chroot();
        let mut command = Command::new(root.path().join("probe"));
        ask(command.arg("report").current_dir("/"));
        let groups = [0, 7];
        // SAFETY: two ids are read.
        check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) });
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::setresuid(NOBODY, 0, 0) });
        let output = command.output();
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::setresuid(0, 0, 0) });
        match output {
            // It is refused, because the child would keep them.
            Err(Error::Input(_)) => {}
            output => {
                let report = output.expect("it starts").stdout;
                let seen = Seen::of(&report);
                assert_eq!(ids(&seen), (Ids::all(4321), Ids::all(1234), vec![]));
            }
        }
    });
}

#[test]
fn empty_group_list_leaves_no_groups() {
    as_root(|| {
        let seen = everybodys(|command| {
            command.groups([]).gid(1234).uid(4321);
        });
        assert_eq!(ids(&seen), (Ids::all(4321), Ids::all(1234), vec![]));
    });
}

/// Faults: S17
#[test]
fn user_with_a_gid_drops_the_groups_as_in_std() {
    as_root(|| {
        // SAFETY: the list has one element.
        check(unsafe { libc::setgroups(1, [77].as_ptr()) });
        let of_std = {
            let root = world::empty_chroot();
            let mut command = std::process::Command::new(root.path().join("probe"));
            let output = command.arg("report").uid(NOBODY).gid(NOBODY).output().expect("it starts");
            Seen::of(&output.stdout)
        };
        let seen = everybodys(|command| {
            command.uid(NOBODY).gid(NOBODY);
        });
        assert_eq!(ids(&seen), (Ids::all(NOBODY), Ids::all(NOBODY), vec![]));
        assert_eq!(ids(&seen), ids(&of_std));
        let kept = everybodys(|command| {
            command.uid(NOBODY).gid(NOBODY).keep_groups();
        });
        // SAFETY: an empty list is not read.
        check(unsafe { libc::setgroups(0, std::ptr::null()) });
        assert_eq!(kept.groups, [77]);
    });
}

/// Faults: S17
#[test]
fn effective_user_decides_if_groups_are_dropped() {
    as_root(|| {
        // SAFETY: the list has one element.
        check(unsafe { libc::setgroups(1, [77].as_ptr()) });
        // As in a set-user-id program: the real user is another.
        // SAFETY: the ids are this process's own.
        check(unsafe { libc::setresuid(4321, 0, 0) });
        let seen = everybodys(|command| {
            command.uid(NOBODY).gid(NOBODY);
        });
        assert_eq!(ids(&seen), (Ids::all(NOBODY), Ids::all(NOBODY), vec![]));
        let refused = probe(&["true"]).uid(NOBODY).spawn();
        // SAFETY: as above.
        check(unsafe { libc::setresuid(0, 0, 0) });
        // SAFETY: an empty list is not read.
        check(unsafe { libc::setgroups(0, std::ptr::null()) });
        let Err(Error::Input(InputError::UserWithoutGroup { uid: NOBODY })) = refused else {
            panic!("{refused:?}")
        };
    });
}

/// Faults: N42
#[test]
fn group_can_be_listed_twice() {
    as_root(|| {
        assert_eq!(report(probe(&[]).groups([9, 7, 9])).groups, [7, 9, 9]);
    });
}

#[test]
fn keep_groups_keeps_the_groups_of_the_parent() {
    as_root(|| {
        let parent = report(&mut probe(&[]));
        let seen = everybodys(|command| {
            command.uid(4321).keep_groups();
        });
        assert_eq!(ids(&seen), (Ids::all(4321), parent.gids, parent.groups));
    });
}

#[test]
fn gid_alone_can_be_changed() {
    as_root(|| {
        let seen = report(probe(&[]).gid(1234));
        assert_eq!((seen.uids, seen.gids), (Ids::all(0), Ids::all(1234)));
    });
}

#[test]
fn user_can_become_itself_without_setting_groups() {
    isolated(|| {
        let root = world::empty_chroot();
        let _unprivileged = without_privileges();
        // SAFETY: the call reads about the calling process and changes nothing.
        let me = unsafe { libc::geteuid() };
        assert_eq!(report(Command::new(root.path().join("probe")).uid(me)).uids, Ids::all(me));
    });
}

/// Faults: S13
#[test]
fn nice_value_is_set_before_privilege_is_dropped() {
    as_root(|| {
        let seen = everybodys(|command| {
            command.uid(NOBODY).gid(NOBODY).groups([]).nice(-5);
        });
        assert_eq!((seen.uids, seen.nice), (Ids::all(NOBODY), -5));
    });
}

#[test]
fn no_new_privs_is_set() {
    isolated(|| {
        if has(Operation::NoNewPrivs) {
            assert!(report(probe(&[]).no_new_privs()).no_new_privs);
        }
    });
}

/// Returns the report of a probe that every user can run.
fn everybodys(ask: impl FnOnce(&mut BorrowingCommand<'_>)) -> Seen {
    let root = world::empty_chroot();
    let mut command = Command::new(root.path().join("probe"));
    ask(&mut command);
    report(&mut command)
}

fn ids(seen: &Seen) -> (Ids, Ids, Vec<u32>) {
    (seen.uids, seen.gids, seen.groups.clone())
}
