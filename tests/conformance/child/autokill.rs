//! Children that end with their parent although the kernel reaps them (`CLONE_PIDFD_AUTOKILL`, Linux 7.1).

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::thread;

use forkexec::{BorrowingCommand, Command, OnDrop, Operation, ParentDeath, Stdio, reap_dropped};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::process::state;
use forkexec_tests::world;
use rstest::rstest;

use crate::child::autoreap::{autoreaped, by_kernel, kernel_reaps};
use crate::child::dropped::Threads;
use crate::ground::has;
use crate::start::probe;

const ROLE: &str = "FORKEXEC_TEST_AUTOREAP_PARENT";

/// The parent's descriptors: a pipe that only the child keeps, and one on which the parent writes.
const LIVES: i32 = 24;
const SAYS: i32 = 23;

fn inherited(number: i32) -> OwnedFd {
    // SAFETY: the descriptor was inherited for this purpose, and is taken once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Starts a child from a thread that ends then, and waits to be killed.
fn be_the_parent(no_new_privs: bool, is_dropped: bool, program: Option<OsString>) -> ! {
    let threads = Threads::now();
    let start = move || {
        let mut command = program.map_or_else(|| probe(&[]), BorrowingCommand::new);
        command.arg("pause").autoreap(true).fd(3, inherited(LIVES)).die_with_parent(libc::SIGKILL);
        if no_new_privs {
            command.no_new_privs();
        }
        command.spawn().expect("it starts")
    };
    let child = thread::spawn(start).join().expect("it does not panic");
    let by_pidfd = child.parent_death() == Some(ParentDeath::Pidfd);
    assert!(!by_pidfd || child.is_autoreaped());
    // The library's thread sends the signal on an older kernel.
    threads.await_no_more_than(usize::from(!by_pidfd));
    assert_eq!(threads.more(), usize::from(!by_pidfd));
    let (pid, _child) = (child.id(), if is_dropped { None } else { Some(child) });
    assert!(
        reap_dropped() <= 1 && state(pid).is_some_and(|state| state != 'Z'),
        "it outlives the thread and the handle"
    );
    io::PipeWriter::from(inherited(SAYS)).write_all(&[u8::from(by_pidfd)]).expect("the test listens");
    loop {
        thread::park();
    }
}

/// Runs the calling test once more as a parent, and kills that once it has its child. Returns whether closing the pidfd kills the child,
/// and a pipe that only the child keeps open.
fn kill_a_parent(role: &OsStr, privileged: bool) -> (bool, PipeReader) {
    let [(mut hears, says), (lives, life)] = [(); 2].map(|()| io::pipe().expect("a pipe can be made"));
    let name = thread::current().name().expect("a test's thread has the test's name").to_owned();
    let mut command = Command::new(env::current_exe().expect("the system knows"));
    command.args([&name, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command.fd(SAYS, says).fd(LIVES, life).stdout(Stdio::null());
    if !privileged {
        // The program of root gets no capability that is not in the bounding set.
        command.bounding_capabilities([]);
    }
    let mut parent = command.spawn().expect("it starts");
    drop(command);
    let mut by_pidfd = [0];
    hears.read_exact(&mut by_pidfd).expect("the child runs");
    parent.kill().expect("it is ours");
    parent.wait().expect("it was killed");
    (by_pidfd == [1], lives)
}

/// Faults: S12, N49
#[rstest]
fn killed_parent_leaves_no_child_whatever_thread_started_it(
    #[values(false, true)] no_new_privs: bool,
    #[values(false, true)] is_dropped: bool,
    #[values(false, true)] privileged: bool,
) {
    isolated(|| {
        if env::var_os(ROLE).is_some() {
            be_the_parent(no_new_privs, is_dropped, None);
        }
        if !has(Operation::DieWithParent) {
            return;
        }
        if !privileged && !world::is_root() {
            return skip("needs the superuser, to give up the privilege");
        }
        let autoreaps = kernel_reaps();
        let (by_pidfd, mut lives) = kill_a_parent(OsStr::new("1"), privileged);
        let may_kill = no_new_privs || (privileged && world::is_root());
        assert_eq!(by_pidfd, autoreaps && may_kill);
        assert_end(&mut lives);
    });
}

/// execve(2) of a set-user-ID program clears a parent-death signal. The kill by the pidfd remains.
#[test]
fn killed_parent_leaves_no_set_uid_program() {
    isolated(|| {
        if let Some(program) = env::var_os(ROLE) {
            be_the_parent(false, false, Some(program));
        }
        if !kernel_reaps() {
            return;
        }
        if !world::is_root() {
            return skip("needs the superuser, to own the program of another user");
        }
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let program = directory.path().join("probe");
        fs::copy(forkexec_tests::probe::path(), &program).expect("the probe can be copied");
        chown(&program, Some(4321), None).expect("root may do that");
        fs::set_permissions(&program, Permissions::from_mode(0o4755)).expect("the file is ours");
        let (by_pidfd, mut lives) = kill_a_parent(program.as_os_str(), true);
        assert!(by_pidfd);
        assert_end(&mut lives);
    });
}

/// The end of the pipe shows that the child is gone.
fn assert_end(lives: &mut PipeReader) {
    assert_eq!(lives.read(&mut [0]).expect("it can be read"), 0);
}

/// The child has another signal, or nothing that keeps its pidfd open.
#[rstest]
#[case::other_signal(libc::SIGTERM, OnDrop::Leave)]
#[case::abandoned(libc::SIGKILL, OnDrop::Abandon)]
fn parent_death_signal_remains_where_closing_cannot_kill(#[case] signal: i32, #[case] policy: OnDrop) {
    isolated(|| {
        if !has(Operation::DieWithParent) {
            return;
        }
        let mut command = autoreaped(&["pause"]);
        command.no_new_privs().die_with_parent(signal).pdeathsig_thread(false).on_drop(policy);
        let mut child = command.spawn().expect("it starts");
        by_kernel(&child);
        assert_eq!(child.parent_death(), Some(ParentDeath::Signal));
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
    });
}
