//! The effects of the options of `run`, except those for descriptors and signals.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::{self, Ids};
use forkexec_tests::world::{self, place};
use rstest::rstest;
use tempfile::TempDir;

use crate::{forkexec, reported, run, said, seen};

#[test]
fn working_directory_is_a_path_or_a_descriptor() {
    isolated(|| {
        assert_eq!(seen(&["--chdir", "/usr"]).cwd.as_deref(), Some(Path::new("/usr")));
        let _usr = place(File::open("/usr").expect("it is there"), 5);
        let seen = seen(&["--chdir-fd", "5"]);
        assert_eq!((seen.cwd.as_deref(), seen.fds), (Some(Path::new("/usr")), vec![0, 1, 2]));
    });
}

#[test]
fn root_is_changed() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root may change the root");
        }
        let root = world::empty_chroot();
        let path = root.path().to_str().expect("its name is text");
        let seen = reported(&mut forkexec(&["run", "--chroot", path, "/probe", "report"]));
        let about = root.path().metadata().expect("it is there");
        assert_eq!(seen.root, Some((about.dev(), about.ino())));
        assert_eq!(seen.cwd.as_deref(), Some(Path::new("/")));
    });
}

#[test]
fn umask_nice_and_limits_reach_the_program() {
    let seen = seen(&["--umask", "027", "--nice", "19", "--limit", "nofile=32:64", "--limit", "core=0"]);
    assert_eq!((seen.umask, seen.nice), (0o027, 19));
    assert_eq!((seen.limits["nofile"], seen.limits["core"]), ((32, 64), (0, 0)));
}

#[test]
fn one_limit_can_be_set_and_limits_have_units() {
    let before = seen(&[]).limits;
    let seen = seen(&[
        "--limit",
        "nofile=32:",
        "--limit",
        "core=0:",
        "--limit",
        "stack=4MiB:",
        "--limit",
        "cpu=2h:",
    ]);
    let soft_alone = |name: &str, soft| assert_eq!(seen.limits[name], (soft, before[name].1), "{name}");
    soft_alone("nofile", 32);
    soft_alone("core", 0);
    soft_alone("stack", 4 << 20);
    soft_alone("cpu", 7200);
    let hard = crate::seen(&["--limit", "nofile=20:", "--limit", "nofile=:40"]).limits["nofile"];
    assert_eq!(hard, (20, 40));
}

#[test]
fn unlimited_is_no_limit() {
    isolated(|| {
        if world::limit(i64::from(libc::RLIMIT_FSIZE)).ok() != Some((u64::MAX, u64::MAX)) {
            return skip("file sizes are limited here");
        }
        assert_eq!(seen(&["--limit", "fsize=1:unlimited"]).limits["fsize"], (1, u64::MAX));
    });
}

#[test]
fn program_leads_its_session_or_group() {
    let session = seen(&["--setsid"]);
    assert_eq!((session.sid, session.pgid), (session.pid, session.pid));
    let group = seen(&["--pgroup", "0"]);
    assert_eq!(group.pgid, group.pid);
    assert_ne!(group.sid, group.pid);
}

#[test]
fn ctty_sets_the_controlling_terminal() {
    isolated(|| {
        let (_ours, theirs) = terminal().expect("a terminal can be made");
        let _theirs = place(theirs, 7);
        let seen = seen(&["--map", "7:0", "--setsid", "--ctty", "7", "--foreground", "7"]);
        assert_eq!((seen.tpgid, seen.sid, seen.fds), (Some(seen.pid), seen.pid, vec![0, 1, 2]));
    });
}

/// Returns both ends of a new terminal.
pub(crate) fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut ours, mut theirs) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: the call writes two numbers. The name and the settings can be null.
    let made = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, none, none.cast(), none.cast()) };
    if made != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both descriptors are new, so this is the only owner.
    let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
    Ok((own(ours), own(theirs)))
}

#[test]
fn user_and_groups_are_set() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root may change its user");
        }
        let place = world::empty_chroot();
        let probe = place.path().join("probe");
        let with = |options: &[&str]| reported(forkexec(&["run"]).args(options).arg(&probe).arg("report"));

        let seen = with(&["--user", "1234", "--group", "2345", "--groups", "7,8"]);
        assert_eq!((seen.uids, seen.gids, seen.groups), (Ids::all(1234), Ids::all(2345), vec![7, 8]));
        let seen = with(&["--user", "nobody"]);
        assert_eq!((seen.uids.real, seen.groups.contains(&seen.gids.real)), (65_534, true));
        let seen = with(&["--user", "root", "--group", "root", "--groups", "none", "--no-new-privs"]);
        assert_eq!((seen.uids, seen.gids, seen.groups), (Ids::all(0), Ids::all(0), vec![]));
        assert!(seen.no_new_privs);
        let seen = with(&["--user", "1234", "--keep-groups"]);
        assert_eq!((seen.uids, seen.gids), (Ids::all(1234), Ids::all(0)));
        let seen = with(&["--groups", "root,5"]);
        assert_eq!((seen.uids, seen.groups), (Ids::all(0), vec![0, 5]));
    });
}

/// Faults: N33
#[test]
fn variables_are_set_and_removed() {
    let mut command =
        run(&["--unset", "GONE", "--env", "NEW=a=b", "--env", "TWICE=1", "--env", "TWICE=2"], &["report"]);
    let seen = reported(command.env("GONE", "1").env("STAYS", "1"));
    let value = |name: &str| seen.var(name).map(|value| value.to_str().expect("it is text"));
    assert_eq!(["GONE", "STAYS", "NEW", "TWICE"].map(value), [None, Some("1"), Some("a=b"), Some("2")]);
}

/// Faults: N34
#[test]
fn environment_can_begin_empty_and_hold_any_bytes() {
    let mut command = forkexec(&["run", "--clear-env", "--env", "ONE=1", "--env"]);
    command.arg(OsStr::from_bytes(b"1 x=\xff")).arg(probe::path()).arg("report");
    assert_eq!(reported(&mut command).env, [OsStr::from_bytes(b"1 x=\xff"), OsStr::new("ONE=1")]);
}

/// Faults: N30
#[test]
fn arg0_can_be_any_text() {
    assert_eq!(seen(&["--arg0", "-login"]).args, ["-login", "report"]);
    assert_eq!(seen(&["--arg0", ""]).args, ["", "report"]);
}

#[rstest]
#[case::in_the_path_of_the_child(&["--env", "PATH=HERE"], "", Some(0))]
#[case::also_by_name(&["--search", "child", "--env", "PATH=HERE"], "", Some(0))]
#[case::not_in_our_own_then(&["--env", "PATH=/nowhere"], "HERE", Some(127))]
#[case::in_our_own_if_asked(&["--search", "parent", "--env", "PATH=/nowhere"], "HERE", Some(0))]
#[case::in_a_list(&["--search", "/nowhere:HERE"], "", Some(0))]
// Faults: N35
#[case::empty_part_is_not_the_working_directory(&["--search", "::", "--chdir", "HERE"], "", Some(127))]
#[case::dot_is(&["--search", ".", "--chdir", "HERE"], "", Some(0))]
fn program_is_searched_in_the_right_path(
    #[case] options: &[&str],
    #[case] path: &str,
    #[case] code: Option<i32>,
) {
    isolated(|| {
        let directory = world::empty_chroot();
        let here = |text: &str| text.replace("HERE", directory.path().to_str().expect("its name is text"));
        let mut command = forkexec(&["run"]);
        command.args(options.iter().map(|option| here(option))).args(["probe", "true"]);
        let output = command.env("PATH", here(path)).output().expect("it starts");
        assert_eq!(output.status.code(), code, "{output:?}");
    });
}

#[test]
fn file_without_interpreter_runs_by_enoexec_shell() {
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        let script = directory.path().join("script");
        fs::write(&script, "exit $1\n").expect("a file can be made");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let with = |options: &[&str]| {
            said(&forkexec(&["run"]).args(options).arg(&script).arg("7").output().expect("it starts"))
        };
        assert_eq!(with(&["--enoexec-shell"]).0, Some(7));
        let (code, _, complaint) = with(&[]);
        assert_eq!(code, Some(126));
        assert!(
            complaint
                .contains("neither a program nor a script; a script starts with a line such as #!/bin/sh"),
            "{complaint}"
        );
    });
}
