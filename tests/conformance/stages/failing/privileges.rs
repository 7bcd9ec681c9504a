//! Stages that fail without privileges.

use forkexec::{BorrowingCommand, Errno, Operand, Resource, Stage};
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;
use rstest::rstest;

use super::assert_failure;
use crate::ground::{changes_ids, without_privileges};
use crate::start::{failure, probe};

type Ask = fn(&mut BorrowingCommand<'_>);

#[rstest]
// Faults: N49
#[case::chroot(
    |it: &mut BorrowingCommand<'_>| { it.chroot("/tmp"); },
    Stage::Chroot, Operand::Path("/tmp".into()), Errno::PERM, r#"cannot enter the root directory "/tmp""#)]
// Faults: N47
#[case::limit_above_the_hard_limit(
    |it: &mut BorrowingCommand<'_>| {
        it.rlimit(Resource::NOFILE, Some(50), Some(60)).rlimit(Resource::CORE, Some(0), None);
    },
    Stage::Limits, Operand::Limit { name: "core".to_owned(), soft: 0, hard: u64::MAX }, Errno::PERM,
    "cannot set the resource limit (core=0:unlimited)")]
#[case::lower_nice_value(
    |it: &mut BorrowingCommand<'_>| { it.nice(-5); },
    Stage::Nice, Operand::Number(-5), Errno::ACCES, "cannot set the nice value (-5)")]
#[case::groups(
    |it: &mut BorrowingCommand<'_>| { it.groups([7, 8]); },
    Stage::Groups, Operand::Groups(vec![7, 8]), Errno::PERM, "cannot set the supplementary groups (7, 8)")]
#[case::gid(
    |it: &mut BorrowingCommand<'_>| { it.gid(1234); },
    Stage::Gid, Operand::Number(1234), Errno::PERM, "cannot set the group id (1234)")]
// Faults: N41
#[case::uid(
    |it: &mut BorrowingCommand<'_>| { it.uid(u32::MAX - 1).gid(65_534); },
    Stage::Uid, Operand::Number(4_294_967_294), Errno::PERM, "cannot set the user id (4294967294)")]
fn operation_without_privilege_is_reported(
    #[case] ask: Ask,
    #[case] stage: Stage,
    #[case] operand: Operand,
    #[case] errno: Errno,
    #[case] text: &str,
) {
    isolated(|| {
        if stage == Stage::Uid && !changes_ids() {
            return;
        }
        for resource in [i64::from(libc::RLIMIT_CORE), i64::from(libc::RLIMIT_NICE)] {
            world::set_limit(resource, 0, 0).expect("a limit can be lowered");
        }
        let _unprivileged = without_privileges();
        let mut command = probe(&[]);
        ask(&mut command);
        assert_failure(&failure(&mut command), stage, &operand, errno, text);
    });
}
