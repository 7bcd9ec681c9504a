//! Children that take high descriptors from their parent, and parents that do not let them.
//!
//! In every case the child must see the same descriptors as without that, and the parent must keep its own.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use forkexec::{
    BorrowingCommand, Command, Errno, HighFds, Namespace, Operation, Outcome, ProbeKind, SpawnMethod,
    SpawnPolicy, Stdio, low_fds,
};
use forkexec_tests::deny::Deny;
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::{isolated, isolated_if, skip};
use forkexec_tests::probe::Seen;
use forkexec_tests::world;
use rstest::rstest;
use tempfile::TempDir;

use crate::ground::{check, has, is_emulated, takes_fds, without_privileges};
use crate::start::{identity, memory_file, probe, seen, table};

/// Opens so many descriptors, as far as the hard limit allows. Leaves room for those of the test.
fn crowd(count: usize) -> Vec<OwnedFd> {
    let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
    let limit = hard.min(count as u64 + 200);
    world::set_limit(libc::RLIMIT_NOFILE, limit, hard).expect("within the hard limit");
    world::open_many(count.min(usize::try_from(limit).expect("it fits") - 100))
}

/// Captures both streams of the probe, and returns what it saw.
fn output(command: &mut BorrowingCommand<'_>) -> Seen {
    let output = command.output().expect("it starts");
    assert_eq!((output.status.success(), output.stderr), (true, vec![]));
    Seen::of(&output.stdout)
}

#[rstest]
fn output_is_captured_among_any_number_of_fds(#[values(0, 40, 62, 64, 1_000, 19_000)] count: usize) {
    isolated(|| {
        let _crowd = crowd(count);
        let before = Snapshot::take();
        for _ in 0..3 {
            let seen = output(&mut probe(&["report"]));
            assert_eq!(seen.fds, [0, 1, 2]);
            assert_eq!(table(&seen)[0].1, identity(File::open("/dev/null").expect("it is there")));
            let streams = [table(&seen)[1].1, table(&seen)[2].1];
            assert_ne!(streams[0], streams[1]);
        }
        assert_eq!(before.differences(&Snapshot::take()), [""; 0]);
    });
}

#[test]
fn child_reads_from_a_high_pipe_to_its_end() {
    isolated(|| {
        let _crowd = crowd(100);
        let mut cat = Command::new("cat");
        let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut input = child.stdin.take().expect("it is a pipe");
        input.write_all(b"hello").expect("there is room");
        drop(input);
        assert_eq!(child.wait_with_output().expect("it ends").stdout, b"hello");
    });
}

/// The child gets the open file description, not another one of the same file.
#[test]
fn high_file_shares_its_position_with_the_child() {
    isolated(|| {
        let _crowd = crowd(100);
        let mut file = memory_file();
        file.write_all(b"one\ntwo\n").expect("there is room");
        file.rewind().expect("a file can be rewound");
        let mut shell = BorrowingCommand::new("/bin/sh");
        shell.args(["-c", "read -r line <&5; test \"$line\" = one"]).fd(5, &file);
        assert!(shell.status().expect("it starts").success());
        let mut rest = String::new();
        (&file).read_to_string(&mut rest).expect("it is text");
        assert_eq!(rest, "two\n");
    });
}

/// A call or a tree that the system refuses to children of this process.
#[derive(Clone, Copy, Debug)]
enum Refused {
    Nothing,
    /// As Yama refuses it, a filter of a container, and an old kernel.
    Duplicating(i32),
    Opening(i32),
    TrapOfDuplicating,
    TrapOfOpening,
    TrapOfReopening,
    AllTraps,
    Reopening,
    NoProc,
    FalseProc,
    HidingProc,
    /// As a set-user-ID program is.
    Undumpable,
}

use Refused::{
    AllTraps, Duplicating, FalseProc, HidingProc, NoProc, Nothing, Opening, Reopening, TrapOfDuplicating,
    TrapOfOpening, TrapOfReopening, Undumpable,
};

impl Refused {
    /// Returns false, and skips the test, if this system cannot refuse it.
    fn install(self, directory: &TempDir) -> bool {
        let (getfd, open, write) = (libc::SYS_pidfd_getfd, libc::SYS_pidfd_open, libc::O_WRONLY);
        let deny = Deny::new();
        let deny = match self {
            Nothing => return true,
            Duplicating(errno) => deny.errno(getfd, errno),
            Opening(errno) => deny.errno(open, errno),
            TrapOfDuplicating => deny.trap(getfd),
            TrapOfOpening => deny.trap(open),
            TrapOfReopening => deny.trap_with(libc::SYS_openat, 2, write),
            AllTraps => deny.trap_with(libc::SYS_openat, 2, write).trap(open),
            Reopening => deny.errno_with(libc::SYS_openat, 2, write, libc::EACCES),
            NoProc => return installed(world::without_proc()),
            FalseProc => return installed(world::false_proc(directory.path())),
            HidingProc => return installed(world::hiding_proc()),
            // SAFETY: the option takes a number.
            Undumpable => return check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }) == 0,
        };
        deny.installed()
    }
}

impl Refused {
    /// The way in which a child gets a socket with a high number. Only pidfd_getfd(2) duplicates one.
    fn leaves(self) -> HighFds {
        match self {
            Nothing | TrapOfReopening | Reopening | NoProc | FalseProc | HidingProc => HighFds::Taken,
            Duplicating(_) | Opening(_) | TrapOfDuplicating | TrapOfOpening | AllTraps | Undumpable => {
                HighFds::Copied
            }
        }
    }
}

fn installed(result: Result<(), String>) -> bool {
    result.map_err(|reason| skip(&reason)).is_ok()
}

#[rstest]
#[case::nothing(Nothing)]
#[case::duplicating_by_yama(Duplicating(libc::EPERM))]
#[case::duplicating_by_an_old_kernel(Duplicating(libc::ENOSYS))]
#[case::opening_a_pidfd(Opening(libc::EPERM))]
#[case::opening_a_pidfd_of_a_thread(Opening(libc::EINVAL))]
#[case::trap_of_duplicating(TrapOfDuplicating)]
#[case::trap_of_opening_a_pidfd(TrapOfOpening)]
#[case::trap_of_reopening(TrapOfReopening)]
#[case::trap_of_all(AllTraps)]
#[case::reopening(Reopening)]
#[case::no_proc(NoProc)]
#[case::forged_proc(FalseProc)]
#[case::hiding_proc(HidingProc)]
#[case::undumpable(Undumpable)]
fn refused_taking_leads_to_the_same_children(#[case] refused: Refused) {
    isolated_if(takes_fds, || {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let _crowd = crowd(1_100);
        let (socket, _other) = UnixStream::pair().expect("a pair can be made");
        let file = memory_file();
        let number = [socket.as_raw_fd(), file.as_raw_fd()];
        let mut expected =
            [(number[0], identity(&socket)), (number[1], identity(&file)), (7, identity(&socket))];
        expected.sort_unstable();
        if !refused.install(&directory) {
            return;
        }
        // The superuser may read any process.
        let _unprivileged = matches!(refused, Undumpable).then(without_privileges);
        let before = Snapshot::take();
        for _ in 0..3 {
            assert_eq!(output(&mut probe(&["report"])).fds, [0, 1, 2]);
            let mut command = probe(&["report"]);
            command.keep_fd(&socket).keep_fd(&file).fd(7, &socket).stdout(Stdio::piped());
            let child = command.spawn().expect("it starts");
            let shares = child.method() == SpawnMethod::Shared;
            assert_eq!(child.high_fds(), if shares { refused.leaves() } else { HighFds::Copied });
            let output = child.wait_with_output().expect("it ends");
            assert_eq!(table(&Seen::of(&output.stdout))[3..], expected);
        }
        assert_eq!(before.differences(&Snapshot::take()), [""; 0]);
    });
}

/// pidfd_getfd(2) needs rights over the parent that a child in a new user namespace does not have.
#[test]
fn child_in_a_new_user_namespace_gets_its_high_fds() {
    isolated(|| {
        if !has(Operation::Namespaces) || is_emulated("creates no namespaces") {
            return;
        }
        let _crowd = crowd(200);
        let (socket, _other) = UnixStream::pair().expect("a pair can be made");
        for _ in 0..3 {
            let mut command = probe(&["report"]);
            command.keep_fd(&socket).unshare([Namespace::User]).stdout(Stdio::piped());
            let child = command.spawn().expect("it starts");
            assert_eq!(child.high_fds(), HighFds::Copied);
            let output = child.wait_with_output().expect("it ends");
            assert_eq!(table(&Seen::of(&output.stdout))[3..], [(socket.as_raw_fd(), identity(&socket))]);
        }
    });
}

#[rstest]
#[case::none(&[], HighFds::NotNeeded)]
#[case::low(&[20], HighFds::NotNeeded)]
#[case::last_low(&[63], HighFds::NotNeeded)]
#[case::first_high(&[64], HighFds::Taken)]
#[case::both(&[20, 64], HighFds::Taken)]
#[case::many(&[100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116], HighFds::Copied)]
fn child_tells_how_it_got_its_high_fds(#[case] numbers: &[i32], #[case] high_fds: HighFds) {
    isolated_if(takes_fds, || {
        let _crowd = crowd(200);
        let mut command = BorrowingCommand::new("true");
        for &number in numbers {
            // SAFETY: it is open in the crowd, which outlives the command.
            command.keep_fd(unsafe { BorrowedFd::borrow_raw(number) });
        }
        for policy in [SpawnPolicy::Auto, SpawnPolicy::Fork] {
            let mut child = command.spawn_policy(policy).spawn().expect("it starts");
            let shares = child.method() == SpawnMethod::Shared;
            assert_eq!(child.high_fds(), if shares { high_fds } else { HighFds::Copied });
            assert!(child.wait().expect("it ends").success());
        }
    });
}

#[rstest]
#[case::nothing(Nothing, Outcome::Works, Outcome::Works)]
#[case::duplicating(Duplicating(libc::EPERM), Outcome::Works, Outcome::Refused(Errno::PERM))]
#[case::opening(Opening(libc::ENOSYS), Outcome::Works, Outcome::Refused(Errno::NOSYS))]
#[case::trap_of_duplicating(TrapOfDuplicating, Outcome::Works, Outcome::Trapped)]
#[case::reopening(Reopening, Outcome::Refused(Errno::ACCES), Outcome::Works)]
#[case::all_traps(AllTraps, Outcome::Trapped, Outcome::Trapped)]
#[case::no_proc(NoProc, Outcome::Refused(Errno::NOENT), Outcome::Works)]
#[case::forged_proc(FalseProc, Outcome::Refused(Errno::NOENT), Outcome::Works)]
fn probe_tells_which_means_to_take_are_refused(
    #[case] refused: Refused,
    #[case] reopens: Outcome,
    #[case] duplicates: Outcome,
) {
    isolated_if(takes_fds, || {
        let directory = TempDir::new().expect("a temporary directory can be made");
        if is_emulated("has no pidfd_getfd") || !refused.install(&directory) {
            return;
        }
        let trials = forkexec::probe().trials;
        let taking = trials.iter().filter(|trial| trial.kind == ProbeKind::TakeFd);
        let found: Vec<_> = taking.map(|trial| (trial.name, trial.outcome)).collect();
        if cfg!(forkexec_backend = "posix") {
            assert_eq!(found, []);
        } else {
            assert_eq!(found, [("/proc/PID/fd", reopens), ("pidfd_getfd", duplicates)]);
        }
    });
}

/// A thread can have a descriptor table of its own. Then `/proc/PID` and a pidfd of the process lead to other descriptors.
#[rstest]
fn thread_with_its_own_table_lends_its_own_descriptors(#[values(false, true)] duplicates_alone: bool) {
    isolated(|| {
        let _crowd = crowd(100);
        let (of_process, of_thread) = (memory_file(), memory_file());
        let number = of_process.as_raw_fd();
        if duplicates_alone && !installed(world::without_proc()) {
            return;
        }
        let expected = identity(&of_thread);
        let (table, of_process_after) = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // SAFETY: the other threads keep their table, and this one uses no descriptor of theirs but these.
                check(unsafe { libc::unshare(libc::CLONE_FILES) });
                // SAFETY: only the table of this thread changes.
                check(unsafe { libc::dup2(of_thread.as_raw_fd(), number) });
                // SAFETY: it is open in the table of this thread until the thread ends.
                let kept = unsafe { BorrowedFd::borrow_raw(number) };
                let mut command = probe(&["report"]);
                command.keep_fd(kept).fd(5, kept);
                table(&output(&mut command))
            });
            (thread.join().expect("it does not panic"), identity(&of_process))
        });
        assert_eq!(table[3..], [(5, expected), (number, expected)]);
        assert_ne!(of_process_after, expected);
    });
}

/// A process that starts children holds exactly the descriptors that it held before.
#[test]
fn start_leaves_no_descriptor_in_the_parent() {
    isolated_if(takes_fds, || {
        let _crowd = crowd(200);
        let file = memory_file();
        let before = open_fds();
        for _ in 0..3 {
            let mut command = probe(&["report"]);
            assert_eq!(seen(command.keep_fd(&file)).fds, [0, 1, 2, file.as_raw_fd()]);
        }
        assert_eq!((open_fds(), low_fds()), (before, vec![]));
    });
}

fn open_fds() -> Vec<i32> {
    // SAFETY: the call reads a flag of a number, and changes nothing.
    (0..4_096).filter(|&fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0).collect()
}
