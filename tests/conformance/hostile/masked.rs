//! `/proc` hidden, masked, forged or away, also for a caller without privileges, and an empty root.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use forkexec::{Error, SpawnMethod, SpawnPolicy, Stage};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::skip;
use forkexec_tests::{probe, world};
use rstest::rstest;

use super::namespaces::{Namespaces, inside};
use super::ordinary::{Ordinary, anything, nothing};
use crate::ground::{as_root, check, without_privileges};

/// Puts something in the place of `/proc`.
type Mask = fn(&Path) -> Result<(), String>;

fn made(done: std::io::Result<()>) -> Result<(), String> {
    done.map_err(|error| error.to_string())
}

fn masked_by(directory: &Path, make: fn(&Path) -> std::io::Result<()>) -> Result<(), String> {
    made(make(directory))?;
    world::masked_proc(directory)
}

fn make_fifo(path: &Path) -> std::io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is a C string.
    check(unsafe { libc::mkfifo(path.as_ptr(), 0o666) });
    Ok(())
}

fn in_self(at: &Path, make: fn(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
    fs::create_dir(at.join("self")).and_then(|()| make(&at.join("self/fd")))
}

/// Faults: F3, F4, F12
#[rstest]
#[case::hiding_other_users(|_: &Path| world::hiding_proc())]
#[case::away(|_: &Path| world::without_proc())]
#[case::empty(|at: &Path| masked_by(at, |_| Ok(())))]
#[case::false_listing(world::false_proc)]
#[case::file_for_the_process(|at: &Path| masked_by(at, |at| fs::write(at.join("self"), "0 1 2")))]
#[case::file_for_the_list(|at: &Path| masked_by(at, |at| in_self(at, |fd| fs::write(fd, "0 1 2"))))]
#[case::pipe_for_the_list(|at: &Path| masked_by(at, |at| in_self(at, make_fifo)))]
#[case::link_in_a_circle(|at: &Path| masked_by(at, |at| in_self(at, |fd| symlink("fd", fd))))]
#[case::link_to_nothing(|at: &Path| masked_by(at, |at| symlink("nobody", at.join("self"))))]
#[case::another_directory(|at: &Path| masked_by(at, |at| in_self(at, |fd| symlink("/dev", fd))))]
fn child_has_exact_fds_whatever_is_mounted_on_proc(
    #[case] mask: Mask,
    #[values(false, true)] privileged: bool,
) {
    as_root(|| {
        let (root, directory) = (world::empty_chroot(), world::empty_chroot());
        let ordinary = Ordinary::new(&root.path().join("probe"));
        if let Err(reason) = mask(directory.path()) {
            return skip(&reason);
        }
        let _unprivileged = if privileged { None } else { without_privileges() };
        ordinary.check(nothing, anything);
    });
}

/// Faults: F3
#[test]
fn child_spawned_in_an_empty_root_is_the_same() {
    as_root(|| {
        let root = world::empty_chroot();
        let done = inside(Namespaces::NONE, || {
            let ordinary = Ordinary::new(Path::new("/probe"));
            std::os::unix::fs::chroot(root.path()).expect("it is a directory");
            std::env::set_current_dir("/").expect("it is a directory");
            ordinary.check(nothing, anything);
        });
        done.expect("no namespace is asked for");
    });
}

/// The flags of a forged `/proc/PID/stat`: every process has executed a program, or has only forked.
const EXECUTED: u32 = 0;
const FORKED: u32 = 0x40;

/// Files for all that may be the number of a child of the first process.
fn forge(at: &Path, flags: u32) {
    for pid in 2..60 {
        let directory = at.join(pid.to_string());
        fs::create_dir(&directory).expect("it is ours");
        let stat = format!("{pid} (probe) S 1 1 1 0 -1 {flags} 0 0");
        fs::write(directory.join("stat"), stat).expect("it is ours");
    }
}

const OWN_PIDS: Namespaces = Namespaces { flags: libc::CLONE_NEWPID, setgroups_denied: false };

/// Runs a test as the first process of its namespace, with a forged `/proc`.
fn with_forged_proc(forge: impl FnOnce(&Path), test: impl FnOnce()) {
    let directory = world::empty_chroot();
    forge(directory.path());
    let done = inside(OWN_PIDS, || {
        if let Err(reason) = world::masked_proc(directory.path()) {
            return skip(&reason);
        }
        test();
    });
    if let Err(reason) = done {
        skip(&reason);
    }
}

/// Faults: E9, F4
#[rstest]
fn forged_proc_hides_no_death_in_execve(#[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy) {
    as_root(|| {
        with_forged_proc(
            |at| forge(at, EXECUTED),
            || {
                if !Deny::new().kill(libc::SYS_execve).installed() {
                    return;
                }
                let spawned = probe::command(&["true"]).spawn_policy(launch).spawn();
                if cfg!(forkexec_backend = "posix") {
                    return assert!(
                        !spawned.expect("the floor cannot tell").wait().expect("it ends").success()
                    );
                }
                // The group cannot be queried, and a forged file proves nothing: the status decides.
                match spawned {
                    Err(Error::Died { stage: Stage::Exec, .. }) => {}
                    Ok(mut child) => {
                        assert!(
                            child.method() == SpawnMethod::Fork && !child.wait().expect("it ends").success()
                        );
                    }
                    other => panic!("a child that was killed is {other:?}"),
                }
            },
        );
    });
}

/// Only `/proc` shows the state of a child in a new session.
///
/// Faults: E13, F4
#[rstest]
#[case::says_that_it_only_forked(|at: &Path| forge(at, FORKED))]
#[case::never_says_anything(|at: &Path| {
    for pid in 2..60 {
        let directory = at.join(pid.to_string());
        fs::create_dir(&directory).and_then(|()| make_fifo(&directory.join("stat"))).expect("it is ours");
    }
})]
fn forged_proc_does_not_delay_a_successful_spawn(
    #[case] forge: fn(&Path),
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    as_root(|| {
        with_forged_proc(forge, || {
            let mut command = probe::command(&["sleep-on-stdin"]);
            command.stdin(forkexec::Stdio::piped()).spawn_policy(launch).setsid();
            let mut child = command.spawn().expect("it runs");
            drop(child.stdin.take());
            assert!(child.wait().expect("its input ends").success());
        });
    });
}
