//! Children that the kernel reaps (`CLONE_AUTOREAP`, Linux 7.1). On an older kernel the library reaps them, which each test says and
//! checks.

use std::env;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use forkexec::{
    BorrowingCommand, Child, Command, Containment, Coverage, Error, OnDrop, Operation, ParentDeath,
    SpawnMethod, SpawnPolicy, Stage, Stdio, reap_dropped, wait_any,
};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, isolated_for, isolated_if, skip};
use forkexec_tests::process::state;
use rstest::rstest;

use crate::child::dropped::{Threads, has_pidfds};
use crate::ground::{check, has, opens_descendants};
use crate::held::Acting;
use crate::start::{failure, probe};

/// The number of starts beside a thread that takes all statuses. `FORKEXEC_AUTOREAP_ROUNDS` sets another one.
const ROUNDS: usize = 10_000;
/// The same on a kernel where it takes some of them.
const OLDER_ROUNDS: usize = 300;

/// A probe that the kernel reaps.
pub(super) fn autoreaped<'fd>(args: &[&str]) -> BorrowingCommand<'fd> {
    let mut command = probe(args);
    command.autoreap(true);
    command
}

pub(super) fn start(args: &[&str]) -> Child {
    autoreaped(args).spawn().expect("it starts")
}

/// Returns true if the kernel reaps this child. Says so if not.
pub(super) fn by_kernel(child: &Child) -> bool {
    let is_autoreaped = child.is_autoreaped();
    if !is_autoreaped {
        skip("this kernel reaps no child by itself, so the library does: checked that way");
    }
    is_autoreaped
}

/// Returns true if the kernel reaps a child of this process. Says so if not.
pub(super) fn kernel_reaps() -> bool {
    let mut child = start(&["true"]);
    child.wait().expect("nothing else takes it");
    by_kernel(&child)
}

/// waitpid(2) for any child. Returns true if it returned one.
fn takes_any(options: i32) -> bool {
    // SAFETY: nothing is written. The statuses are those of the test's own children.
    unsafe { libc::waitpid(-1, ptr::null_mut(), options) > 0 }
}

/// A thread that waits for all children until this is dropped.
struct Thief {
    is_over: &'static AtomicBool,
    stolen: &'static AtomicUsize,
    thread: Option<thread::JoinHandle<()>>,
}

impl Thief {
    fn new() -> Self {
        let is_over: &AtomicBool = Box::leak(Box::default());
        let stolen: &AtomicUsize = Box::leak(Box::default());
        let steal = || {
            while !is_over.load(Ordering::Relaxed) {
                if takes_any(0) {
                    stolen.fetch_add(1, Ordering::Relaxed);
                } else {
                    thread::yield_now();
                }
            }
        };
        Self { is_over, stolen, thread: Some(thread::spawn(steal)) }
    }

    fn stolen(&self) -> usize {
        self.stolen.load(Ordering::Relaxed)
    }
}

impl Drop for Thief {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().map(thread::JoinHandle::join);
    }
}

/// Faults: W2, W22
#[test]
fn no_other_code_takes_the_status() {
    isolated_for(Duration::from_mins(20), || {
        let is_autoreaped = kernel_reaps();
        let asked =
            env::var("FORKEXEC_AUTOREAP_ROUNDS").ok().map(|count| count.parse().expect("it is a number"));
        let rounds = asked.unwrap_or(if is_autoreaped { ROUNDS } else { OLDER_ROUNDS });
        let thief = Thief::new();
        for round in 0..rounds {
            let code = i32::try_from(round % 256).expect("it is small");
            let mut command = autoreaped(&["exit", &code.to_string()]);
            if round % 2 == 1 && has(Operation::NoNewPrivs) {
                command.no_new_privs();
            }
            let mut child = command.spawn().expect("it starts");
            assert_eq!(child.is_autoreaped(), is_autoreaped);
            match child.wait() {
                Ok(status) => assert_eq!(status.code(), Some(code)),
                Err(Error::StatusLost { .. }) if !is_autoreaped => {}
                lost => panic!("{lost:?} in round {round}"),
            }
        }
        let stolen = thief.stolen();
        println!("{stolen} statuses stolen");
        assert!(!is_autoreaped || stolen == 0, "{stolen} stolen");
    });
}

/// Faults: S3, W22
#[test]
fn ignored_sigchld_loses_no_status() {
    isolated(|| {
        let _acting = Acting::new(libc::SIGCHLD, libc::SIG_IGN);
        for code in [0, 3, 255] {
            let mut child = start(&["exit", &code.to_string()]);
            let is_autoreaped = by_kernel(&child);
            match child.wait() {
                Ok(status) => assert_eq!(status.code(), Some(code)),
                lost => assert!(!is_autoreaped && matches!(lost, Err(Error::StatusLost { .. })), "{lost:?}"),
            }
        }
    });
}

#[rstest]
#[case::exited(&["exit", "7"], Some(7), None)]
#[case::killed(&["kill", "9"], None, Some(9))]
fn every_wait_returns_the_same_status(
    #[case] args: &[&str],
    #[case] code: Option<i32>,
    #[case] signal: Option<i32>,
    #[values(false, true)] shared: bool,
) {
    isolated(|| {
        let mut child = start(args);
        by_kernel(&child);
        if shared {
            drop(child.signaler());
        }
        assert!(child.ends_within(Duration::MAX).expect("it ends"));
        let status = child.try_wait().expect("it is ours").expect("it has ended");
        assert_eq!((status.code(), status.signal()), (code, signal));
        assert_eq!(child.wait().expect("it is known"), status);
        assert_eq!(child.wait_timeout(Duration::ZERO).expect("it is known"), Some(status));
        assert_eq!(wait_any([&mut child], None).expect("it is known"), Some((0, status)));
        child.kill().expect("a signal to a reaped child is no error");
        assert!(!takes_any(libc::WNOHANG), "nothing is left");
    });
}

#[test]
fn several_children_are_waited_for_at_once() {
    isolated(|| {
        let mut children = [(); 3]
            .map(|()| autoreaped(&["sleep-on-stdin"]).stdin(Stdio::piped()).spawn().expect("it starts"));
        by_kernel(&children[0]);
        let inputs = [0, 1, 2].map(|index: usize| children[index].stdin.take());
        children[1].kill().expect("it is ours");
        let (index, status) = wait_any(&mut children, None).expect("it is ours").expect("one was killed");
        assert_eq!((index, status.signal()), (1, Some(libc::SIGKILL)));
        drop(inputs);
        for child in &mut children {
            child.wait().expect("its input has ended");
        }
    });
}

#[test]
fn usage_of_an_autoreaped_child_is_unsupported() {
    isolated(|| {
        let mut child = start(&["exit", "5"]);
        let is_autoreaped = by_kernel(&child);
        match child.wait_usage() {
            Ok((status, _)) => assert!(!is_autoreaped && status.code() == Some(5)),
            Err(Error::Unsupported { operation, .. }) => {
                assert!(is_autoreaped && operation.ends_with("a child that the kernel reaps"), "{operation}");
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(child.wait().expect("it is known").code(), Some(5));
    });
}

#[test]
fn dropped_child_needs_no_thread_and_leaves_no_zombie() {
    isolated(|| {
        let threads = Threads::now();
        let (mut lives, life) = io::pipe().expect("a pipe can be made");
        let (input, output) = io::pipe().expect("a pipe can be made");
        let mut command = autoreaped(&["sleep-on-stdin"]);
        command.stdin(input).fd(3, OwnedFd::from(life));
        let child = command.spawn().expect("it starts");
        drop(command);
        let (pid, is_autoreaped) = (child.id(), by_kernel(&child));
        drop(child);
        assert!(state(pid).is_some(), "it runs");
        assert_eq!((threads.more(), reap_dropped()), (0, usize::from(!is_autoreaped)));
        drop(output);
        assert_eq!(lives.read(&mut [0]).expect("it can be read"), 0, "it has ended");
        if !is_autoreaped {
            threads.await_reaped(false);
        }
        while state(pid).is_some_and(|state| state != 'Z') {
            thread::yield_now();
        }
        assert_eq!(state(pid), None);
    });
}

#[rstest]
fn policy_of_a_drop_kills_an_autoreaped_child(#[values(OnDrop::Kill, OnDrop::KillAndWait)] policy: OnDrop) {
    isolated(|| {
        let (mut lives, life) = io::pipe().expect("a pipe can be made");
        let mut command = autoreaped(&["pause"]);
        command.fd(3, OwnedFd::from(life)).on_drop(policy);
        let child = command.spawn().expect("it starts");
        drop(command);
        by_kernel(&child);
        drop(child);
        assert_eq!(lives.read(&mut [0]).expect("it can be read"), 0);
        while reap_dropped() > 0 {
            thread::yield_now();
        }
    });
}

/// The pid may be that of another process, so that nothing but the pidfd is signalled.
#[test]
fn group_of_an_autoreaped_child_is_killed_by_its_pidfd() {
    isolated_if(opens_descendants, || {
        let (mut lives, life) = io::pipe().expect("a pipe can be made");
        let mut command = BorrowingCommand::new("sh");
        command
            .args(["-c", "sleep 600 & exec sleep 600"])
            .fd(3, OwnedFd::from(life))
            .process_group(0)
            .autoreap(true);
        let mut child = command.spawn().expect("it starts");
        drop(command);
        by_kernel(&child);
        let killed = child.kill_tree().expect("it is ours");
        assert_eq!((killed.coverage(), killed.failure()), (Coverage::Group, None));
        assert_eq!(child.wait().expect("it was killed").signal(), Some(libc::SIGKILL));
        assert_eq!(lives.read(&mut [0]).expect("it can be read"), 0, "no member is left");
        let again = child.kill_tree().expect("nothing is left").coverage();
        assert_eq!(again, if child.is_autoreaped() { Coverage::Group } else { Coverage::Nothing });
    });
}

#[test]
fn tree_of_an_autoreaped_child_gets_sigterm_first() {
    isolated_if(opens_descendants, || {
        let mut command = Command::new("sh");
        command.args(["-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done"]);
        let mut child =
            command.stdout(Stdio::piped()).process_group(0).autoreap(true).spawn().expect("it starts");
        by_kernel(&child);
        let output = child.stdout.as_mut().expect("it was piped");
        output.read_exact(&mut [0; 6]).expect("it says that it is ready");
        let (status, killed) = child.terminate_tree_then_kill(Duration::from_mins(1)).expect("it is ours");
        assert_eq!((status.code(), killed.failure()), (Some(9), None));
    });
}

#[rstest]
#[case::group(|it: &mut BorrowingCommand<'_>| { it.containment(Containment::Group); })]
#[case::no_pidfd(|it: &mut BorrowingCommand<'_>| { it.create_pidfd(false); })]
#[case::forked(|it: &mut BorrowingCommand<'_>| { it.spawn_policy(SpawnPolicy::Fork); })]
#[case::clone3_refused(|_: &mut BorrowingCommand<'_>| { Deny::new().errno(libc::SYS_clone3, libc::ENOSYS).installed(); })]
#[case::status_refused(|_: &mut BorrowingCommand<'_>| { Deny::new().errno_with(libc::SYS_ioctl, 1, 0x4000_0000, libc::EPERM).installed(); })]
fn library_reaps_a_child_that_the_kernel_cannot(#[case] ask: fn(&mut BorrowingCommand<'_>)) {
    isolated(|| {
        let mut command = autoreaped(&["exit", "4"]);
        command.die_with_parent(libc::SIGKILL);
        ask(&mut command);
        if !has(Operation::DieWithParent) {
            return;
        }
        for _ in 0..2 {
            let mut child = command.spawn().expect("it starts");
            assert!(!child.is_autoreaped());
            assert_eq!(child.parent_death(), Some(ParentDeath::Signal));
            assert_eq!(child.wait().expect("it is ours").code(), Some(4));
            assert!(child.wait_usage().is_ok());
        }
    });
}

/// A trapped call kills the first child. Its end is read from the pidfd.
#[test]
fn trapped_call_of_an_autoreaped_child_is_avoided() {
    isolated(|| {
        let is_autoreaped = kernel_reaps();
        if !Deny::new().trap(libc::SYS_close_range).installed() {
            return;
        }
        for _ in 0..2 {
            let mut child = start(&["exit", "2"]);
            assert_eq!(
                (child.wait().expect("it ends").code(), child.is_autoreaped()),
                (Some(2), is_autoreaped)
            );
        }
    });
}

#[test]
fn failed_start_of_an_autoreaped_child_leaves_nothing() {
    isolated(|| {
        kernel_reaps();
        let mut command = BorrowingCommand::new("/no/such/program");
        if has(Operation::DieWithParent) {
            command.die_with_parent(libc::SIGKILL);
        }
        for policy in [OnDrop::Leave, OnDrop::Abandon] {
            let failed = failure(command.autoreap(true).on_drop(policy));
            assert_eq!((failed.stage(), failed.errno().raw()), (Stage::Exec, libc::ENOENT));
        }
        assert_eq!(failure(autoreaped(&["true"]).current_dir("/no/such")).stage(), Stage::Chdir);
        while reap_dropped() > 0 {
            thread::yield_now();
        }
        assert!(!takes_any(libc::WNOHANG), "nothing is left");
    });
}

#[test]
fn pidfd_of_an_autoreaped_child_is_close_on_exec() {
    isolated(|| {
        if !has_pidfds() {
            return skip("a child has no descriptor here");
        }
        let mut child = autoreaped(&["pause"]).spawn().expect("it starts");
        by_kernel(&child);
        let flags = |fd: BorrowedFd<'_>| {
            // SAFETY: reads the flags of an open descriptor.
            check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) })
        };
        assert_eq!(child.pidfd().map(flags), Some(libc::FD_CLOEXEC));
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
    });
}

#[test]
fn autoreaped_child_shares_memory_as_any_other() {
    isolated(|| {
        let mut child = start(&["true"]);
        if by_kernel(&child) {
            assert_ne!(child.method(), SpawnMethod::Fork);
        }
        child.wait().expect("it ends");
    });
}
