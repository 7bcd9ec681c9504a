//! Stages that an unprivileged user may not go through.

use forkexec::{Errno, Operand, Resource, Stage};
use forkexec_tests::isolate::{isolated, isolated_if};
use forkexec_tests::world;

use super::assert_failure;
use crate::ground::{changes_ids, without_privileges};
use crate::start::{failure, probe};

/// Faults: N49
#[test]
fn chroot_without_privilege_is_reported() {
    isolated(|| {
        let _unprivileged = without_privileges();
        let failure = failure(probe(&[]).chroot("/tmp"));
        let text = r#"cannot enter the root directory "/tmp""#;
        assert_failure(&failure, Stage::Chroot, &Operand::Path("/tmp".into()), Errno::PERM, text);
    });
}

/// Faults: N47
#[test]
fn limit_above_the_hard_limit_is_reported() {
    isolated(|| {
        world::set_limit(libc::RLIMIT_CORE, 0, 0).expect("a limit can be lowered");
        let _unprivileged = without_privileges();
        let failure = failure(probe(&[]).rlimit(Resource::NOFILE, Some(50), Some(60)).rlimit(
            Resource::CORE,
            Some(0),
            None,
        ));
        let operand = Operand::Limit { name: "core".to_owned(), soft: 0, hard: u64::MAX };
        let text = "cannot set the resource limit (core=0:unlimited)";
        assert_failure(&failure, Stage::Limits, &operand, Errno::PERM, text);
    });
}

#[test]
fn lower_nice_value_without_privilege_is_reported() {
    isolated(|| {
        world::set_limit(libc::RLIMIT_NICE, 0, 0).expect("a limit can be lowered");
        let _unprivileged = without_privileges();
        let failure = failure(probe(&[]).nice(-5));
        let text = "cannot set the nice value (-5)";
        assert_failure(&failure, Stage::Nice, &Operand::Number(-5), Errno::ACCES, text);
    });
}

#[test]
fn groups_without_privilege_are_reported() {
    isolated(|| {
        let _unprivileged = without_privileges();
        let failure = failure(probe(&[]).groups([7, 8]));
        let text = "cannot set the supplementary groups (7, 8)";
        assert_failure(&failure, Stage::Groups, &Operand::Groups(vec![7, 8]), Errno::PERM, text);
    });
}

#[test]
fn gid_without_privilege_is_reported() {
    isolated(|| {
        let _unprivileged = without_privileges();
        let failure = failure(probe(&[]).gid(1234));
        let text = "cannot set the group id (1234)";
        assert_failure(&failure, Stage::Gid, &Operand::Number(1234), Errno::PERM, text);
    });
}

/// Faults: N41
#[test]
fn uid_without_privilege_is_reported() {
    isolated_if(changes_ids, || {
        let _unprivileged = without_privileges();
        let failure = failure(probe(&[]).uid(u32::MAX - 1).gid(65_534));
        let text = "cannot set the user id (4294967294)";
        assert_failure(&failure, Stage::Uid, &Operand::Number(4_294_967_294), Errno::PERM, text);
    });
}
