//! Directory, session, signals, limits and streams, as the child sees them.

use std::collections::BTreeSet;

use crate::child::{Seen, command, seen};
use crate::harness::skip;
use forkexec::{Resource, Stdio};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;

const NOBODY: u32 = 65_534;

pub(crate) fn arguments_and_environment_arrive() {
    let mut command = command("report");
    command.args(["", "a b", "=", "ä"]).env_clear().env("FORKEXEC_PORTABLE", "here it is");
    let seen = seen(&mut command);
    assert_eq!((seen.get("arguments"), seen.get("variable")), ("|a b|=|ä", "here it is"));
}

pub(crate) fn child_starts_in_the_set_directory() {
    assert_eq!(seen(command("report").current_dir("/")).get("directory"), "/");
}

pub(crate) fn directory_can_be_a_descriptor() {
    let root = File::open("/").expect("there is a root");
    let seen = seen(command("report").current_dir_fd(&root));
    assert_eq!((seen.get("directory"), seen.descriptors()), ("/", vec![0, 1, 2]));
}

pub(crate) fn umask_is_set() {
    for (mask, text) in [(0, "000"), (0o27, "027"), (0o777, "777")] {
        assert_eq!(seen(command("report").umask(mask)).get("umask"), text);
    }
}

pub(crate) fn session_is_started() {
    assert_eq!(seen(command("report").setsid()).get("leads"), "group=true session=true");
    assert_eq!(seen(&mut command("report")).get("leads"), "group=false session=false");
}

pub(crate) fn process_group_is_joined() {
    assert_eq!(seen(command("report").process_group(0)).get("leads"), "group=true session=false");
}

pub(crate) fn no_signal_is_blocked() {
    assert_eq!(seen(&mut command("report")).get("blocked"), "");
}

pub(crate) fn mask_is_set() {
    let signals = [libc::SIGHUP, libc::SIGTERM];
    assert_eq!(seen(command("report").signal_mask(signals)).get("blocked"), "1 15");
}

pub(crate) fn signal_is_ignored() {
    let ignored = |signals: &[i32]| {
        let mut command = command("report");
        for &signal in signals {
            command.ignore_signal(signal);
        }
        let seen = seen(&mut command);
        seen.get("ignored").split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    // The test runner may ignore some signals: a shell does so for background jobs.
    let mut expected = ignored(&[]);
    expected.extend(["2", "15"].map(str::to_owned));
    assert_eq!(ignored(&[libc::SIGINT, libc::SIGTERM]), expected);
}

pub(crate) fn limit_is_lowered() {
    assert_eq!(seen(command("report").rlimit(Resource::NOFILE, Some(50), Some(60))).get("nofile"), "50 60");
}

pub(crate) fn nice_value_is_set() {
    assert_eq!(seen(command("report").nice(19)).get("nice"), "19");
}

pub(crate) fn output_is_captured() {
    let output = command("spew").output().expect("the child runs");
    assert_eq!((output.stdout.len(), output.stderr.len()), (1 << 17, 1 << 17));
}

pub(crate) fn input_and_output_cross() {
    let input = vec![b'x'; 1 << 20];
    let mut command = command("echo");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the child starts");
    let output = child.communicate(&input).expect("the two talk");
    assert!(output.stdout == input, "{} bytes came back", output.stdout.len());
}

pub(crate) fn codes_and_signals_come_back() {
    for code in [0, 1, 99, 255] {
        let status = command("exit").arg(code.to_string()).status().expect("the child runs");
        assert_eq!((status.code(), status.signal()), (Some(code), None));
    }
    let status = command("kill").arg("9").status().expect("the child runs");
    assert_eq!((status.code(), status.signal()), (None, Some(9)));
}

pub(crate) fn command_starts_more_than_once() {
    let mut command = command("exit");
    command.arg("7");
    for _ in 0..3 {
        assert_eq!(command.status().expect("the child runs").code(), Some(7));
    }
}

/// Starts this program with other IDs.
fn with_ids(set: impl FnOnce(&mut forkexec::BorrowingCommand<'_>)) -> Option<Seen> {
    // SAFETY: the call reads about the calling process and changes nothing.
    if unsafe { libc::geteuid() } != 0 {
        skip("only the superuser may change ids");
        return None;
    }
    if forkexec::probe().android.is_some_and(|android| android.not_called.contains(&"setgroups")) {
        skip("this Android release lets no app change its groups");
        return None;
    }
    let directory = tempfile::tempdir().expect("a directory can be made");
    // The program may lie where only the superuser can go.
    let program = directory.path().join("portable");
    std::fs::copy(crate::child::program(), &program).expect("the program can be copied");
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), everyone).expect("the directory is ours");
    let mut command = forkexec::Command::new(&program);
    command.args([crate::child::FLAG, "report"]).current_dir("/");
    set(&mut command);
    Some(seen(&mut command))
}

/// Returns the groups of a child besides the effective one. Some systems list the effective group among them.
fn other_groups(seen: &Seen) -> Vec<&str> {
    let effective = seen.get("groups").split(' ').nth(1);
    seen.get("more groups").split_whitespace().filter(|group| Some(*group) != effective).collect()
}

pub(crate) fn superuser_gives_up_all_ids() {
    let Some(seen) = with_ids(|command| {
        command.uid(NOBODY).gid(NOBODY).groups([]);
    }) else {
        return;
    };
    let ids = format!("{NOBODY} {NOBODY}");
    assert_eq!(other_groups(&seen), [""; 0], "{seen:?}");
    assert_eq!((seen.get("users"), seen.get("groups")), (ids.as_str(), ids.as_str()));
}

/// Some systems keep the effective group ID in the list of groups.
pub(crate) fn groups_and_group_id_are_set_together() {
    for groups in [&[100][..], &[100, 101], &[50, 100], &[100, 50]] {
        let Some(seen) = with_ids(|command| {
            command.uid(60).gid(50).groups(groups.iter().copied());
        }) else {
            return;
        };
        let others: Vec<_> = groups.iter().filter(|group| **group != 50).map(ToString::to_string).collect();
        assert_eq!((seen.get("users"), seen.get("groups")), ("60 60", "50 50"));
        assert_eq!(other_groups(&seen), others, "{groups:?}: {seen:?}");
    }
}

pub(crate) fn groups_alone_leave_the_group_id() {
    // SAFETY: no memory is passed.
    let own = unsafe { libc::getegid() };
    for groups in [&[][..], &[100], &[100, 101]] {
        let Some(seen) = with_ids(|command| {
            command.groups(groups.iter().copied());
        }) else {
            return;
        };
        assert_eq!(seen.get("groups"), format!("{own} {own}"), "{groups:?}: {seen:?}");
        let others: Vec<_> = groups.iter().map(ToString::to_string).collect();
        assert_eq!(other_groups(&seen), others, "{groups:?}: {seen:?}");
    }
}
