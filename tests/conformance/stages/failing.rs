//! One real failure for each stage, with the whole error.
//!
//! - `privileges`: operations that need privileges
//! - `session`: impossible sessions, groups and terminals

mod privileges;
mod session;

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;

use forkexec::{Cause, Errno, Operand, SpawnError, SpawnMethod, Stage};
use forkexec_core::Operation;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{as_root, has, method, without_privileges};
use crate::start::{failure, memory_file, probe, words};

/// Checks the whole error: stage, operand, errno, and the text, to which the errno's words are added.
#[track_caller]
fn assert_failure(failure: &SpawnError, stage: Stage, operand: &Operand, errno: Errno, refused: &str) {
    let whole = (failure.stage(), failure.operand(), failure.errno(), failure.to_string());
    assert_eq!(whole, (stage, operand, errno, format!("{refused}: {}", words(errno))));
}

/// Faults: E16
#[rstest]
#[case::eagain(Errno::AGAIN)]
#[case::enomem(Errno::NOMEM)]
fn refused_clone_is_reported(#[case] errno: Errno) {
    isolated(|| {
        if !Deny::new().starts(errno.raw()).installed() {
            return;
        }
        let failure = failure(&mut probe(&["true"]));
        assert_failure(&failure, Stage::Start, &Operand::None, errno, "cannot create the child process");
    });
}

/// The ring needs one more number than there is. If memory is not shared, the report takes two.
#[test]
fn ring_without_a_free_number_is_reported() {
    isolated(|| {
        let [one, other] = [3, 4].map(|number| world::place(memory_file_at(800), number));
        let report = if method() == SpawnMethod::Fork { 2 } else { 0 };
        world::set_limit(libc::RLIMIT_NOFILE, 5 + report, 20).expect("a limit can be lowered");
        let mut command = probe(&["true"]);
        let failure = failure(command.fd(4, &one).fd(3, &other));
        let text = "cannot place the descriptor (fd 3)";
        assert_failure(&failure, Stage::DupFds, &Operand::Fd(3), Errno::MFILE, text);
    });
}

/// The effective user of this process.
fn own_user() -> u32 {
    // SAFETY: the call returns a number and touches no memory of this program.
    unsafe { libc::geteuid() }
}

fn memory_file_at(number: i32) -> OwnedFd {
    world::place(memory_file(), number)
}

#[rstest]
#[case::missing(
    Stage::Chroot,
    "/no/such/root",
    Errno::NOENT,
    r#"cannot enter the root directory "/no/such/root""#
)]
#[case::file(Stage::Chroot, "/dev/null", Errno::NOTDIR, r#"cannot enter the root directory "/dev/null""#)]
#[case::missing(
    Stage::Chdir,
    "/no/such/directory",
    Errno::NOENT,
    r#"cannot enter the working directory "/no/such/directory""#
)]
#[case::file(Stage::Chdir, "/dev/null", Errno::NOTDIR, r#"cannot enter the working directory "/dev/null""#)]
#[case::below_a_file(
    Stage::Chdir,
    "/dev/null/x",
    Errno::NOTDIR,
    r#"cannot enter the working directory "/dev/null/x""#
)]
fn bad_directory_is_reported(
    #[case] stage: Stage,
    #[case] path: &str,
    #[case] errno: Errno,
    #[case] text: &str,
) {
    isolated(|| {
        let mut command = probe(&[]);
        let command = if stage == Stage::Chroot { command.chroot(path) } else { command.current_dir(path) };
        assert_failure(&failure(command), stage, &Operand::Path(path.into()), errno, text);
    });
}

/// Faults: N49
#[test]
fn directory_missing_in_the_new_root_is_reported() {
    as_root(|| {
        let root = world::empty_chroot();
        let failure = failure(probe(&[]).chroot(root.path()).current_dir("/tmp"));
        let text = r#"cannot enter the working directory "/tmp""#;
        assert_failure(&failure, Stage::Chdir, &Operand::Path("/tmp".into()), Errno::NOENT, text);
    });
}

/// Faults: N36
#[test]
fn unsearchable_directory_is_reported() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path();
        fs::set_permissions(path, Permissions::from_mode(0o000)).expect("it is ours");
        let _unprivileged = without_privileges();
        let failure = failure(probe(&[]).current_dir(path));
        let whole = (failure.stage(), failure.operand(), failure.errno(), failure.cause());
        let denied = Cause::SearchDenied { directory: path.into(), mode: 0, user: own_user() };
        let operand = Operand::Path(path.into());
        assert_eq!(whole, (Stage::Chdir, &operand, Errno::ACCES, Some(&denied)));
    });
}

/// Faults: N37
#[rstest]
#[case::on_a_free_number(8)]
#[case::on_a_target(7)]
fn file_as_open_directory_is_reported(#[case] target: i32) {
    isolated(|| {
        let (file, other) = (world::place(memory_file(), 7), memory_file());
        let failure = failure(probe(&[]).current_dir_fd(&file).fd(target, &other));
        let text = "cannot enter the open working directory (fd 7)";
        assert_failure(&failure, Stage::EarlyChdir, &Operand::Fd(7), Errno::NOTDIR, text);
    });
}

#[test]
fn refused_no_new_privs_is_reported() {
    isolated(|| {
        if has(Operation::NoNewPrivs) && Deny::new().errno(libc::SYS_prctl, libc::EINVAL).installed() {
            let failure = failure(probe(&[]).no_new_privs());
            let text = "cannot set no_new_privs";
            assert_failure(&failure, Stage::NoNewPrivs, &Operand::None, Errno::INVAL, text);
        }
    });
}

#[test]
fn refused_death_signal_is_reported() {
    isolated(|| {
        if has(Operation::DieWithParent) && Deny::new().errno(libc::SYS_prctl, libc::EINVAL).installed() {
            let failure = failure(probe(&[]).die_with_parent(libc::SIGTERM).pdeathsig_thread(false));
            let text = "cannot set the parent-death signal (15)";
            assert_failure(&failure, Stage::DieWithParent, &Operand::Number(15), Errno::INVAL, text);
        }
    });
}
