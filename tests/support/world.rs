//! Each hostile surrounding.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;

use rstest::rstest;

use forkexec_tests::deny::Deny;
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;

use crate::{probe, seen};

#[test]
fn many_descriptors_survive_exec() {
    isolated(|| {
        let before = seen(&mut probe(&["report"])).fds.len();
        let many = world::open_many(200);
        assert_eq!(seen(&mut probe(&["report"])).fds.len(), before + many.len());
    });
}

#[test]
fn placed_descriptor_survives_exec() {
    isolated(|| {
        let file = File::open("/").expect("the root can be opened");
        let placed = world::place(&file, 77);
        let seen = seen(&mut probe(&["report"]));
        assert_eq!(seen.facts[&placed.as_raw_fd()].ino, file.metadata().expect("it is open").ino());
    });
}

#[test]
#[should_panic(expected = "descriptor 1 is open already")]
fn nothing_is_placed_over_an_open_descriptor() {
    let file = File::open("/").expect("the root can be opened");
    world::place(&file, 1);
}

#[rstest]
#[case::input(&[0])]
#[case::output(&[1])]
#[case::all(&[0, 1, 2])]
fn closed_stdio_is_closed_and_restored(#[case] numbers: &[i32]) {
    isolated(|| {
        let reopen = world::close_stdio(numbers);
        // SAFETY: the command takes no argument.
        let are_closed = numbers.iter().all(|&fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1);
        drop(reopen); // the guard sees whether they are what they were
        assert!(are_closed);
    });
}

#[test]
fn without_proc_the_guard_sees_the_same() {
    isolated(|| {
        let files = world::open_many(3);
        let before = Snapshot::take();
        if let Err(reason) = world::without_proc() {
            return skip(&reason);
        }
        assert!(!Path::new("/proc/self").exists());
        assert_eq!(before.differences(&Snapshot::take()), [""; 0]);
        drop(files);
    });
}

#[test]
fn false_proc_misleads_listings_but_not_the_guard() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let files = world::open_many(3);
        let before = Snapshot::take();
        if let Err(reason) = world::false_proc(directory.path()) {
            return skip(&reason);
        }
        let listed = fs::read_dir("/proc/self/fd").expect("the false list is there").count();
        assert_eq!(listed, 3);
        assert_eq!(before.differences(&Snapshot::take()), [""; 0]);
        drop(files);
    });
}

#[test]
fn limit_is_set_and_inherited() {
    isolated(|| {
        world::set_limit(libc::RLIMIT_NOFILE, 100, 200).expect("a limit can be lowered");
        assert_eq!(world::limit(libc::RLIMIT_NOFILE).expect("the limit is known"), (100, 200));
        assert_eq!(seen(&mut probe(&["report"])).limits["nofile"], (100, 200));
    });
}

#[test]
fn probe_runs_in_an_empty_chroot() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root may change the root");
        }
        let root = world::empty_chroot();
        let mut command = Command::new("/probe");
        let path = root.path().to_owned();
        // SAFETY: chroot is a system call, and the child has its memory for itself.
        unsafe { command.pre_exec(move || std::os::unix::fs::chroot(&path)) };
        let seen = seen(command.arg("report").current_dir(root.path()));
        let about = root.path().metadata().expect("the directory is there");
        assert_eq!(seen.root, Some((about.dev(), about.ino())));
    });
}

#[test]
fn close_range_is_missing_where_it_is_refused() {
    isolated(|| {
        Deny::new().errno(libc::SYS_close_range, libc::ENOSYS).install().expect("a filter is taken");
        assert!(!world::has_close_range());
    });
}

#[test]
fn asking_for_close_range_closes_nothing() {
    isolated(|| {
        let many = world::open_many(3);
        let before = Snapshot::take();
        world::has_close_range();
        assert_eq!((before.differences(&Snapshot::take()), many.len()), (vec![], 3));
    });
}

/// These tests run on the machine that they are built on.
#[test]
fn tests_run_without_an_emulator() {
    isolated(|| assert_eq!(world::emulator(), None));
}

/// It would outlive the suite.
#[test]
fn failed_test_leaves_no_process_in_its_control_group() {
    isolated(|| {
        let world = match world::Cgroup::new() {
            Ok(world) => world,
            Err(reason) => return skip(&reason),
        };
        let mut child = Command::new("sleep").arg("600").spawn().expect("it starts");
        fs::write(world.path().join("cgroup.procs"), child.id().to_string()).expect("it can be moved");
        let failed = catch_unwind(AssertUnwindSafe(|| {
            let _world = world;
            resume_unwind(Box::new("the test fails"));
        }));
        assert!(failed.is_err());
        assert_eq!(child.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
    });
}
