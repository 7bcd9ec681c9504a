//! All that descends from a child, ended as a whole, against descendants that get away in every way they can.
//!
//! They are counted where they cannot get away from: in a control group of the test's own, frozen for the count.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::ptr;
use std::thread;
use std::time::Duration;

use forkexec::{
    BorrowingCommand, Child, Command, Containment, Coverage, Errno, Error, InputError, OnDrop, Stage, Stdio,
};
use forkexec_core::Operation;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, isolated_if, skip};
use forkexec_tests::world::{Cgroup, limit, set_limit};
use rstest::rstest;

use crate::child::dropped::Threads;
use crate::ground::{as_root, capabilities, check, has, is_emulated, opens_descendants};
use crate::start::{failure, probe};

/// The names of the processes that the probe starts, and its own.
const FAMILY: [&str; 7] = ["daemon", "hopper", "orphan", "probe", "rover", "stays", "strayed"];

/// The number of bytes that the family writes: one for each member.
const BYTES: usize = FAMILY.len();

const LONG: Duration = Duration::from_mins(1);

/// Makes a control group, or skips the test. This process becomes the parent of orphans, and must reap them.
fn world() -> Option<Cgroup> {
    if !has(Operation::Cgroup) || is_emulated("makes nobody the parent of orphans") {
        return None;
    }
    let world = Cgroup::new().map_err(|reason| skip(&reason)).ok()?;
    // SAFETY: changes the calling process alone, which is the test's own.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) });
    Some(world)
}

/// Takes the status of all that fell to this process. All have ended.
fn bury_all() {
    // SAFETY: nothing is written.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

/// A family in the group, each where it is to be.
fn family(world: &Cgroup, tree: Option<Containment>) -> Child {
    let mut command = probe(&["family"]);
    command.cgroup(world.path()).stdout(Stdio::piped());
    if let Some(tree) = tree {
        command.containment(tree);
    }
    let mut child = command.spawn().expect("it starts");
    let stdout = child.stdout.as_mut().expect("it was piped");
    stdout.read_exact(&mut [0; BYTES]).expect("each says that it is there");
    child
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Faults: W9
#[rstest]
#[case::by_descent_orphans_are_left(
    None,
    Coverage::Walk,
    &["daemon", "hopper", "orphan", "rover", "strayed"]
)]
#[case::of_a_group_who_left_it_and_has_no_parent_in_it(
    Some(Containment::Group),
    Coverage::Group,
    &["daemon", "rover", "strayed"]
)]
#[case::of_a_session_who_started_another(Some(Containment::Session), Coverage::Session, &["daemon", "rover"])]
#[case::of_a_cgroup_none(Some(Containment::Cgroup), Coverage::Cgroup, &[])]
#[case::of_the_best_none(Some(Containment::Auto), Coverage::Cgroup, &[])]
fn survivors_of_a_tree_match_its_coverage(
    #[case] tree: Option<Containment>,
    #[case] guarantee: Coverage,
    #[case] left: &[&str],
) {
    isolated_if(opens_descendants, || {
        let Some(world) = world() else { return };
        let mut child = family(&world, tree);
        let killed = child.kill_tree().expect("they are ours");
        assert_eq!((killed.coverage(), killed.refused()), (guarantee, 0), "{killed:?}");
        // At the moment of the count, a hopper can be two processes, or none in the list.
        assert!((BYTES - left.len() - 1..=BYTES + 4).contains(&killed.found()), "{killed:?}");
        let seen = world.names();
        world.kill();
        assert_eq!(seen, names(left));
        assert_eq!(child.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
        drop(child);
        bury_all();
        assert_eq!(world.below(), [""; 0].map(std::path::PathBuf::from), "no group is left");
    });
}

/// Without descent, too: it was waited for before.
#[rstest]
#[case::of_a_group(Containment::Group, Coverage::Group)]
#[case::of_a_session(Containment::Session, Coverage::Session)]
#[case::of_a_control_group(Containment::Cgroup, Coverage::Cgroup)]
fn descendant_that_outlives_the_child_stays_in_its_tree(
    #[case] tree: Containment,
    #[case] guarantee: Coverage,
) {
    isolated(|| {
        let Some(world) = world() else { return };
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & exit 3"]).cgroup(world.path()).containment(tree);
        let mut child = command.spawn().expect("it starts");
        assert_eq!(child.wait().expect("it ends").code(), Some(3));
        let killed = child.kill_tree().expect("they are ours");
        assert_eq!((killed.coverage(), killed.found()), (guarantee, 1), "{killed:?}");
        // Without pidfds the call waits for no descendant.
        while killed.refused() > 0 && !world.names().is_empty() {
            thread::yield_now();
        }
        assert_eq!(world.names(), names(&[]));
        assert_eq!(child.wait().expect("it is known").code(), Some(3));
        drop(child);
        bury_all();
    });
}

/// A descendant moves itself to the group above, if it may.
///
/// Faults: W13
#[rstest]
#[case::user_of_the_parent(None, None, Coverage::Cgroup)]
#[case::superuser(Some(0), None, Coverage::Cgroup)]
#[case::user_without_access(Some(4321), None, Coverage::SealedCgroup)]
#[case::owner_of_the_group_above(Some(4321), Some(4321), Coverage::Cgroup)]
fn coverage_says_if_a_child_can_leave_its_cgroup(
    #[case] user: Option<u32>,
    #[case] owner: Option<u32>,
    #[case] guarantee: Coverage,
) {
    as_root(|| {
        let Some(world) = world() else { return };
        let above = world.path().join("cgroup.procs");
        let mount = world.path().parent().expect("it is below the mount");
        fs::set_permissions(mount, fs::Permissions::from_mode(0o755)).expect("it is ours");
        unix::fs::chown(&above, owner, None).expect("it is ours");
        let leaves = format!("echo $$ 2>&- >{}; echo there; exec sleep 600", above.display());
        let script = format!("sh -c '{leaves}' 2>&- & wait");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .stdout(Stdio::piped())
            .cgroup(world.path())
            .containment(Containment::Cgroup);
        if let Some(user) = user {
            command.uid(user).gid(user).groups([]).current_dir("/");
        }
        let mut child = command.spawn().expect("it starts");
        let stdout = child.stdout.as_mut().expect("it was piped");
        stdout.read_exact(&mut [0; 6]).expect("it says that it is there");
        let killed = child.kill_tree().expect("it is ours");
        assert_eq!((killed.coverage(), killed.failure()), (guarantee, None), "{killed:?}");
        let left = world.names();
        world.kill();
        assert_eq!(left.is_empty(), guarantee.is_complete(), "{left:?}");
        child.wait().expect("it is ours");
        drop(child);
        bury_all();
    });
}

/// A look at the processes takes two descriptors at a time. Without it, members of the group that are in another session
/// are not known.
///
/// Faults: W12
#[rstest]
#[case::none(0, Some(libc::EMFILE), [Coverage::Group; 2])]
#[case::too_few(1, Some(libc::EMFILE), [Coverage::Group; 2])]
#[case::enough(2, None, [Coverage::Group, Coverage::Session])]
fn lack_of_descriptors_is_reported_and_leaves_none_stopped(
    #[case] free: usize,
    #[case] failure: Option<i32>,
    #[case] guarantees: [Coverage; 2],
    #[values(Containment::Group, Containment::Session)] tree: Containment,
) {
    isolated_if(opens_descendants, || {
        let Some(world) = world() else { return };
        let mut child = family(&world, Some(tree));
        let mut held = Vec::new();
        let (_, hard) = limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        set_limit(libc::RLIMIT_NOFILE, 64, hard).expect("a limit can be lowered");
        while let Ok(file) = fs::File::open("/dev/null") {
            held.push(file);
        }
        held.truncate(held.len() - free);
        let killed = child.kill_tree().expect("it is ours");
        drop(held);
        assert_eq!(killed.coverage(), guarantees[usize::from(tree == Containment::Session)]);
        assert_eq!(killed.failure(), failure.map(Errno::from_raw), "{killed:?}");
        assert_eq!(stopped_children(), 0);
        world.kill();
        child.wait().expect("it is ours");
        drop(child);
        bury_all();
    });
}

/// The group gets `SIGTERM`, and its answer is that descriptors are free again before the kill. Processes outside of the group
/// were not asked to end.
///
/// Faults: W23
#[test]
fn lack_of_descriptors_while_a_tree_is_terminated_is_reported() {
    isolated_if(
        || opens_descendants() && Path::new("/usr/bin/prlimit").exists(),
        || {
            let (_, hard) = limit(libc::RLIMIT_NOFILE).expect("the limit is known");
            set_limit(libc::RLIMIT_NOFILE, 64, hard).expect("a limit can be lowered");
            let script =
                "trap 'prlimit --pid $PPID --nofile=80:; exit 3' TERM; echo ready; while :; do :; done";
            let mut command = Command::new("sh");
            command.args(["-c", script]).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.containment(Containment::Group).spawn().expect("it starts");
            let mut ready = [0; 6];
            child.stdout.as_mut().expect("it is a pipe").read_exact(&mut ready).expect("it is ready");
            let mut held = Vec::new();
            while let Ok(file) = fs::File::open("/dev/null") {
                held.push(file);
            }
            let (status, killed) = child.terminate_tree_then_kill(LONG).expect("it is ours");
            assert_eq!(status.code(), Some(3));
            // The floor looks for no processes.
            let expected = (!cfg!(forkexec_backend = "posix")).then_some(Errno::MFILE);
            assert_eq!(killed.failure(), expected, "{killed:?}");
        },
    );
}

/// As a program that changed its user refuses it. The call does not wait for such a process.
#[test]
fn process_that_refuses_the_signal_is_counted() {
    isolated_if(opens_descendants, || {
        let mut child = probe(&["sleep-on-stdin"]).stdin(Stdio::piped()).spawn().expect("it starts");
        let stdin = child.stdin.take();
        let deny = Deny::new().errno(libc::SYS_pidfd_send_signal, libc::EPERM);
        if !deny.errno(libc::SYS_kill, libc::EPERM).installed() {
            return;
        }
        let killed = child.kill_tree();
        if cfg!(forkexec_backend = "posix") {
            killed.expect_err("the floor finds no process");
        } else {
            let killed = killed.expect("its process is found");
            assert_eq!((killed.coverage(), killed.found(), killed.refused()), (Coverage::Walk, 1, 1));
            assert_eq!(killed.failure(), Some(Errno::from_raw(libc::EPERM)));
        }
        assert_eq!(child.try_wait().expect("it is ours"), None);
        drop(stdin);
        assert!(child.wait().expect("its input has ended").success());
    });
}

/// Each member is killed by a descriptor of its own.
#[test]
fn group_that_refuses_the_signal_is_killed_one_by_one() {
    isolated_if(opens_descendants, || {
        if cfg!(forkexec_backend = "posix") {
            return skip("the floor finds no process");
        }
        let mut child =
            Command::new("sleep").arg("600").containment(Containment::Group).spawn().expect("it starts");
        if Deny::new().errno(libc::SYS_kill, libc::EPERM).installed() {
            let killed = child.kill_tree().expect("its process is found");
            assert_eq!((killed.coverage(), killed.found(), killed.refused()), (Coverage::Group, 1, 0));
        } else {
            child.kill().expect("it is ours");
        }
        assert_eq!(child.wait().expect("it was killed").signal(), Some(libc::SIGKILL));
    });
}

/// Returns how many children of this process are stopped. Orphans count, too.
fn stopped_children() -> usize {
    let is_stopped = format!(") T {} ", std::process::id());
    let all = fs::read_dir("/proc").expect("it is there").flatten();
    let stats = all.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    stats.filter(|stat| stat.contains(&is_stopped)).count()
}

/// Faults: W9
#[test]
fn tree_kill_signals_no_pid_of_a_reaped_child() {
    isolated(|| {
        let mut child = Command::new("true").process_group(0).spawn().expect("it starts");
        child.wait().expect("it ends");
        let killed = child.kill_tree().expect("no process is left");
        assert_eq!((killed.coverage(), killed.found()), (Coverage::Nothing, 0));
    });
}

#[rstest]
fn tree_can_be_killed_twice(
    #[values(Containment::Group, Containment::Session, Containment::Auto)] tree: Containment,
) {
    isolated(|| {
        let mut child = Command::new("sleep").arg("600").containment(tree).spawn().expect("it starts");
        child.kill_tree().expect("it is ours");
        child.kill_tree().expect("it is a zombie");
        assert_eq!(child.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
        child.kill_tree().expect("no process is left");
    });
}

/// Some programs react differently to a second signal.
#[rstest]
#[case::alone(None)]
#[case::of_a_group(Some(Containment::Group))]
#[case::of_a_session(Some(Containment::Session))]
fn program_is_asked_to_end_once(#[case] tree: Option<Containment>) {
    isolated(|| {
        let mut command = Command::new("sh");
        let script = "trap 'echo asked; is_asked=yes' TERM; echo ready; until [ $is_asked ]; do sleep 0.01; done; sleep 0.2";
        command.args(["-c", script]).stdout(Stdio::piped());
        if let Some(tree) = tree {
            command.containment(tree);
        }
        let mut child = command.spawn().expect("it starts");
        let mut stdout = child.stdout.take().expect("it is piped");
        stdout.read_exact(&mut [0; 6]).expect("it is ready");
        let (status, _) = child.terminate_tree_then_kill(Duration::from_mins(1)).expect("it is ours");
        assert_eq!(status.code(), Some(0));
        let mut said = String::new();
        stdout.read_to_string(&mut said).expect("it is text");
        assert_eq!(said, "asked\n");
    });
}

#[rstest]
#[case::of_a_group(Containment::Group)]
#[case::of_a_control_group(Containment::Cgroup)]
fn tree_is_terminated_then_killed(#[case] tree: Containment, #[values(true, false)] all_will: bool) {
    isolated_if(opens_descendants, || {
        let Some(world) = world() else { return };
        let refuses = if all_will { "" } else { "trap '' TERM" };
        let script = format!(
            "sh -c 'trap \"echo gone; exit\" TERM; echo there; while :; do sleep 0.01; done' &
             sh -c \"{refuses}
             echo there; while :; do sleep 0.01; done\" &
             trap 'wait; exit 7' TERM; echo there; wait; wait"
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdout(Stdio::piped()).cgroup(world.path()).containment(tree);
        let mut child = command.spawn().expect("it starts");
        let mut stdout = child.stdout.take().expect("it was piped");
        stdout.read_exact(&mut [0; 18]).expect("each says that it is there");
        let grace = if all_will { LONG } else { Duration::from_secs(2) };
        let (status, killed) = child.terminate_tree_then_kill(grace).expect("they are ours");
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).expect("the pipe has no writer");
        assert_eq!(rest, "gone\n");
        let expected = if all_will { (Some(7), None) } else { (None, Some(libc::SIGKILL)) };
        assert_eq!((status.code(), status.signal()), expected, "{killed:?}");
        assert!(killed.found() >= 3, "{killed:?}");
        drop(child);
        bury_all();
    });
}

#[rstest]
#[case::of_a_group(Containment::Group)]
#[case::of_a_control_group(Containment::Cgroup)]
fn drop_of_a_child_kills_its_tree(
    #[case] tree: Containment,
    #[values(OnDrop::Kill, OnDrop::KillAndWait)] policy: OnDrop,
    #[values(true, false)] was_waited_for: bool,
    #[values(true, false)] by_thread: bool,
) {
    isolated(|| {
        let threads = Threads::now();
        let Some(world) = world() else { return };
        let script = if was_waited_for { "sleep 600 &" } else { "sleep 600 & echo; sleep 600" };
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped()).cgroup(world.path()).containment(tree);
        let mut child = command.on_drop(policy).reaper_thread(by_thread).spawn().expect("it starts");
        let mut stdout = child.stdout.take().expect("it was piped");
        if was_waited_for {
            child.wait().expect("it ends");
        } else {
            stdout.read_exact(&mut [0]).expect("it says that it is there");
        }
        drop(child);
        // Ends when no process has the pipe any more.
        stdout.read_to_end(&mut Vec::new()).expect("it can be read");
        threads.await_reaped(by_thread);
        await_no_child();
        assert_eq!(world.names(), names(&[]));
    });
}

/// The policy is about the child alone if its command sets no containment.
#[rstest]
fn drop_of_a_child_without_containment_kills_it_alone(
    #[values(OnDrop::Kill, OnDrop::KillAndWait)] policy: OnDrop,
) {
    isolated(|| {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3<&0; cat <&3 & wait"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.on_drop(policy).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = child.stdout.take().expect("it is piped");
        let mut echoes = || {
            stdin.write_all(b"a").expect("it is read");
            stdout.read_exact(&mut [0]).expect("it is written back");
        };
        echoes();
        drop(child);
        echoes();
        drop(stdin);
        stdout.read_to_end(&mut Vec::new()).expect("the pipe has no writer");
        Threads::now().await_reaped(false);
    });
}

/// A group that outlives its `Child` is removed with the last process in it.
#[rstest]
fn released_tree_leaves_no_cgroup(#[values(true, false)] by_thread: bool) {
    isolated(|| {
        let threads = Threads::now();
        let Some(world) = world() else { return };
        let mut command = probe(&["sleep-on-stdin"]);
        command.stdin(Stdio::piped()).cgroup(world.path()).containment(Containment::Cgroup);
        let mut child = command.reaper_thread(by_thread).spawn().expect("it starts");
        let stdin = child.stdin.take();
        drop(child);
        assert_eq!((world.below().len(), world.names().len()), (1, 1));
        fs::write(world.path().join("cgroup.freeze"), "0").expect("it can be thawed");
        drop(stdin);
        threads.await_reaped(by_thread);
        await_no_child();
        assert_eq!(world.below().len(), 0);
    });
}

/// Below a threaded group none can be a group of processes.
#[test]
fn tree_falls_back_to_process_group_if_cgroup_entry_is_denied() {
    isolated(|| {
        let Some(world) = world() else { return };
        fs::write(world.path().join("cgroup.type"), "threaded").expect("the root is one, too");
        let mut command = Command::new("sleep");
        command.arg("600").cgroup(world.path());
        let refused = failure(command.containment(Containment::Cgroup));
        assert_eq!((refused.stage(), refused.errno()), (Stage::Cgroup, Errno::from_raw(libc::EOPNOTSUPP)));
        assert_eq!(world.below().len(), 0, "no group is left of it");
        is_ended_by_its_group(command.containment(Containment::Auto));
    });
}

#[test]
fn tree_falls_back_to_process_group_without_cgroups() {
    isolated(|| {
        if !has(Operation::Cgroup) {
            return;
        }
        let directory = tempfile::tempdir().expect("one can be made");
        fs::write(directory.path().join("cgroup.procs"), "").expect("it is ours");
        let mut command = Command::new("sleep");
        command.arg("600").cgroup(directory.path());
        let refused = failure(command.containment(Containment::Cgroup));
        assert_eq!((refused.stage(), refused.errno()), (Stage::Cgroup, Errno::NOENT));
        assert_eq!(fs::read_dir(directory.path()).expect("it is ours").count(), 1, "nothing is left of it");
        is_ended_by_its_group(command.containment(Containment::Auto));
    });
}

fn is_ended_by_its_group(command: &mut BorrowingCommand<'_>) {
    let mut child = command.spawn().expect("it starts");
    assert_eq!(child.kill_tree().expect("it is ours").coverage(), Coverage::Group);
    assert_eq!(child.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
}

#[test]
fn auto_containment_is_at_least_a_process_group() {
    isolated(|| {
        let mut child =
            Command::new("sleep").arg("600").containment(Containment::Auto).spawn().expect("it starts");
        let killed = child.kill_tree().expect("it is ours");
        assert!(killed.coverage() >= Coverage::Group, "{killed:?}");
        assert_eq!(child.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn impossible_tree_is_refused_before_anything_starts() {
    isolated(|| {
        let unsupported = Command::new("true").containment(Containment::Reaper).spawn();
        assert!(matches!(unsupported, Err(Error::Unsupported { .. })), "{unsupported:?}");
        if !capabilities().has(Operation::Cgroup) {
            let unsupported = Command::new("true").containment(Containment::Cgroup).spawn();
            assert!(matches!(unsupported, Err(Error::Unsupported { .. })), "{unsupported:?}");
        }
        let other = Command::new("true").process_group(5).containment(Containment::Group).spawn();
        assert!(matches!(other, Err(Error::Input(InputError::TreeInOtherGroup { group: 5 }))), "{other:?}");
        let other = Command::new("true").process_group(5).containment(Containment::Session).spawn();
        assert!(
            matches!(other, Err(Error::Input(InputError::SessionInOtherGroup { group: 5 }))),
            "{other:?}"
        );
    });
}

/// Waits until this process has no child: the status of each is taken by this test, or by the library's thread.
fn await_no_child() {
    // SAFETY: nothing is written.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } > 0 {}
}
