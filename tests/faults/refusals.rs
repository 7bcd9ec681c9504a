//! Every optional call of the memory-sharing launcher refused, one at a time and all together, through the public API.
//! The child is the same, nothing leaks, and the method is reported.

use std::env;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::thread;

use rstest::rstest;

use forkexec::{Command, SpawnMethod, Stdio};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, isolated_if, skip};
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::trace::{self, Call};
use forkexec_tests::world;

/// The call, or the flag, that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Clone3,
    CloseRange,
    /// close_range(2) with `CLOSE_RANGE_UNSHARE`.
    Unsharing,
    Unshare,
    /// clone(2) with `CLONE_PIDFD`.
    Pidfd,
    /// clone(2) with `CLONE_FILES`.
    Table,
    /// clone(2) with `CLONE_VM`.
    Memory,
    /// setpgid(2), which tells whether a child runs its program.
    Group,
}

use Refused::{Clone3, CloseRange, Group, Memory, Pidfd, Table, Unshare, Unsharing};

const ALL: [Refused; 8] = [Clone3, CloseRange, Unsharing, Unshare, Pidfd, Table, Memory, Group];

/// clone(2), NOTES: here the stack comes first.
const FLAGS_OF_CLONE: u32 = if cfg!(target_arch = "s390x") { 1 } else { 0 };
const CLOSE_RANGE_UNSHARE: i32 = 1 << 1;

impl Refused {
    fn add_to(self, deny: Deny, errno: i32) -> Deny {
        let clone_with = |deny: Deny, flags| deny.errno_with(libc::SYS_clone, FLAGS_OF_CLONE, flags, errno);
        match self {
            Clone3 => deny.errno(libc::SYS_clone3, errno),
            CloseRange => deny.errno(libc::SYS_close_range, errno),
            Unsharing => deny.errno_with(libc::SYS_close_range, 2, CLOSE_RANGE_UNSHARE, errno),
            Unshare => deny.errno(libc::SYS_unshare, errno),
            Pidfd => clone_with(deny, libc::CLONE_PIDFD),
            Table => clone_with(deny, libc::CLONE_FILES),
            Memory => clone_with(deny, libc::CLONE_VM),
            Group => deny.errno(libc::SYS_setpgid, errno),
        }
    }
}

fn refuse(refused: &[Refused], errno: i32) {
    let deny = refused.iter().fold(Deny::new(), |deny, refused| refused.add_to(deny, errno));
    deny.install().expect("a filter is taken");
}

/// The parent's facts about a child.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    method: SpawnMethod,
    closer: &'static str,
    pidfd: bool,
}

const OPEN: [i32; 5] = [60, 61, 500, 20, 21];
const KEPT: [i32; 2] = [20, 60];

/// Starts a child that keeps two of the open descriptors and writes into a pipe, and checks what it has.
fn start(fds: &[OwnedFd]) -> Told {
    let mut command = probe::command(&["report"]);
    command.stdout(Stdio::piped());
    for fd in fds.iter().filter(|fd| KEPT.contains(&fd.as_raw_fd())) {
        command.keep_fd(fd);
    }
    let child = command.spawn().expect("what is refused has a next way");
    let told =
        Told { method: child.method(), closer: child.close_method().name(), pidfd: child.pidfd().is_some() };
    let output = child.wait_with_output().expect("the probe ends");
    let seen = Seen::of(&output.stdout);
    assert_eq!(seen.fds, [0, 1, 2, KEPT[0], KEPT[1]]);
    assert_eq!(seen.blocked, [0; 0]);
    told
}

/// Returns true if every call works here while nothing is refused. Skips the test if not. The portable floor has one
/// method, whatever is refused.
fn all_is_there() -> bool {
    if cfg!(forkexec_backend = "posix") {
        return false;
    }
    // SAFETY: the range has no open descriptors.
    let has_range = unsafe { libc::syscall(libc::SYS_close_range, u32::MAX, u32::MAX, 0) } == 0;
    let nothing: *const u8 = std::ptr::null();
    // SAFETY: arguments of no length are refused before they are read.
    let answer = unsafe { libc::syscall(libc::SYS_clone3, nothing, 0) };
    let has_clone3 = answer < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL);
    if !has_range || !has_clone3 {
        skip("the kernel, or a filter of its own, refuses some of it already");
    }
    has_range && has_clone3
}

const BULK: &str = "close_range";
const LIST: &str = "/proc/self/fd";

/// The refusals; the method of the first child, and that of later ones; what closes; whether there is a pidfd.
#[rstest]
#[case::nothing(&[], SpawnMethod::Shared, SpawnMethod::Shared, BULK, true)]
// Faults: F8
#[case::clone3(&[Clone3], SpawnMethod::Vfork, SpawnMethod::Shared, BULK, true)]
#[case::close_range(&[CloseRange], SpawnMethod::Shared, SpawnMethod::Vfork, LIST, true)]
#[case::unsharing(&[Unsharing], SpawnMethod::Shared, SpawnMethod::Vfork, BULK, true)]
#[case::unshare(&[Unshare], SpawnMethod::Shared, SpawnMethod::Shared, BULK, true)]
#[case::pidfd(&[Pidfd], SpawnMethod::Shared, SpawnMethod::Shared, BULK, true)]
#[case::table(&[Table], SpawnMethod::Shared, SpawnMethod::Shared, BULK, true)]
#[case::memory(&[Memory], SpawnMethod::Shared, SpawnMethod::Shared, BULK, true)]
#[case::group(&[Group], SpawnMethod::Shared, SpawnMethod::Shared, BULK, true)]
// Faults: F10
#[case::clone3_and_pidfd(&[Clone3, Pidfd], SpawnMethod::Vfork, SpawnMethod::Shared, BULK, false)]
#[case::clone3_and_table(&[Clone3, Table], SpawnMethod::Vfork, SpawnMethod::Vfork, BULK, true)]
// Faults: F9
#[case::clone3_and_memory(&[Clone3, Memory], SpawnMethod::Fork, SpawnMethod::Fork, BULK, true)]
#[case::clone3_pidfd_and_table(&[Clone3, Pidfd, Table], SpawnMethod::Vfork, SpawnMethod::Vfork, BULK, false)]
// Faults: D18
#[case::unsharing_and_unshare(&[Unsharing, Unshare], SpawnMethod::Vfork, SpawnMethod::Vfork, BULK, true)]
#[case::close_range_and_unshare(&[CloseRange, Unshare], SpawnMethod::Vfork, SpawnMethod::Vfork, LIST, true)]
#[case::close_range_clone3_and_pidfd(&[CloseRange, Clone3, Pidfd], SpawnMethod::Vfork, SpawnMethod::Vfork, LIST, false)]
#[case::all_but_memory(
    &[Clone3, CloseRange, Unsharing, Unshare, Pidfd, Table, Group], SpawnMethod::Vfork, SpawnMethod::Vfork, LIST, false)]
#[case::all(&ALL, SpawnMethod::Fork, SpawnMethod::Fork, LIST, true)]
fn child_is_the_same_and_spawn_method_is_reported_on_refusal(
    #[case] refused: &'static [Refused],
    #[case] first: SpawnMethod,
    #[case] then: SpawnMethod,
    #[case] closer: &'static str,
    #[case] pidfd: bool,
    #[values(libc::ENOSYS, libc::EPERM, libc::EACCES, libc::EINVAL)] errno: i32,
) {
    isolated(|| {
        let (fds, knows) = (world::open_at(&OPEN), all_is_there());
        refuse(refused, errno);
        let told = [start(&fds), start(&fds)];
        if knows {
            let expected = [first, then].map(|method| Told { method, closer, pidfd });
            assert_eq!(told, expected);
        }
    });
}

/// A call can be refused later: a program may install a filter after its first child.
///
/// Faults: F8
#[rstest]
// Faults: F8
#[case::clone3(&[Clone3], SpawnMethod::Shared, BULK)]
#[case::close_range(&[CloseRange], SpawnMethod::Vfork, LIST)]
// Faults: D18
#[case::unsharing_and_unshare(&[Unsharing, Unshare], SpawnMethod::Vfork, BULK)]
#[case::clone3_and_table(&[Clone3, Table], SpawnMethod::Vfork, BULK)]
// Faults: F9
#[case::clone3_and_memory(&[Clone3, Memory], SpawnMethod::Fork, BULK)]
#[case::all(&ALL, SpawnMethod::Fork, LIST)]
fn later_refusal_is_noticed(
    #[case] refused: &'static [Refused],
    #[case] then: SpawnMethod,
    #[case] closer: &'static str,
    #[values(libc::ENOSYS, libc::EPERM)] errno: i32,
) {
    isolated(|| {
        let (fds, knows) = (world::open_at(&OPEN), all_is_there());
        let before = start(&fds);
        refuse(refused, errno);
        start(&fds);
        let after = start(&fds);
        if knows {
            assert_eq!((before.method, before.closer, before.pidfd), (SpawnMethod::Shared, BULK, true));
            assert_eq!((after.method, after.closer), (then, closer));
        }
    });
}

/// A kernel gives the descriptor of a child, and a filter refuses the signal by it.
///
/// Faults: F10
#[rstest]
fn child_is_signalled_without_pidfd_send_signal(#[values(libc::ENOSYS, libc::EPERM)] errno: i32) {
    isolated(|| {
        Deny::new().errno(libc::SYS_pidfd_send_signal, errno).install().expect("a filter is taken");
        let mut child = Command::new("sleep").arg("1000").spawn().expect("it starts");
        child.kill().expect("the signal goes by number");
        assert_eq!(child.wait().expect("it ends").signal(), Some(libc::SIGKILL));
        child.send_signal(libc::SIGTERM).expect("a child that was waited for gets no signal");
    });
}

/// waitid(2) takes `__WCLONE` since Linux 4.7 only (wait(2), NOTES). Nothing that runs is taken for dead without it.
///
/// Faults: Q-linux-pidfd
#[test]
fn spawn_result_is_right_without_calls_that_old_kernels_lack() {
    isolated(|| {
        let deny = Deny::new().errno_with(libc::SYS_waitid, 3, libc::__WCLONE, libc::EINVAL);
        deny.install().expect("a filter is taken");
        let start = |round: usize| {
            let mut command = probe::command(&["true"]);
            if round.is_multiple_of(2) {
                command.setsid();
            }
            assert!(command.status().expect("it runs").success());
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..250).for_each(start));
            }
        });
    });
}

/// The refusals for the traced test: a number for each, separated by commas.
const UNDER: &str = "FORKEXEC_FAULTS_REFUSED";

#[test]
#[ignore = "is traced by the other"]
fn starts_three_children() {
    let list = env::var(UNDER).unwrap_or_default();
    let numbers = list.split(',').filter_map(|number| number.parse::<usize>().ok());
    let refused: Vec<Refused> = numbers.map(|number| ALL[number]).collect();
    refuse(&refused, libc::EPERM);
    for _ in 0..3 {
        assert!(probe::command(&["true"]).status().expect("it starts").success());
    }
}

/// The calls that start a child and unshare its table: how many are refused for the first two children. None is refused
/// for the third. Before the second child, clone(2) does not share the table.
#[rstest]
#[case::nothing(&[], 0)]
// Faults: F8
#[case::clone3(&[Clone3], 1)]
#[case::close_range(&[CloseRange], 2)]
#[case::unsharing(&[Unsharing], 1)]
// Faults: F10
#[case::clone3_and_pidfd(&[Clone3, Pidfd], 2)]
#[case::clone3_and_table(&[Clone3, Table], 3)]
// Faults: F9
#[case::clone3_and_memory(&[Clone3, Memory], 3)]
#[case::close_range_and_unshare(&[CloseRange, Unshare], 3)]
#[case::all_but_memory(&[Clone3, CloseRange, Unsharing, Unshare, Pidfd, Table, Group], 3)]
#[case::all(&ALL, 4)]
fn refusals_cost_nothing_after_the_first_child(#[case] refused: &'static [Refused], #[case] refusals: usize) {
    isolated_if(all_is_there, || {
        let numbers = ALL.iter().enumerate().filter(|(_, one)| refused.contains(one));
        let numbers: Vec<String> = numbers.map(|(number, _)| number.to_string()).collect();
        let me = env::current_exe().expect("a process knows its program");
        let under = format!("{UNDER}={}", numbers.join(","));
        let test = ["refusals::starts_three_children", "--exact", "--ignored", "--test-threads=1"];
        let args = [under.as_ref(), me.as_os_str()].into_iter().chain(test.map(AsRef::as_ref));
        let Some(calls) = trace::syscalls_of("env", args) else { return };
        let runs_probe = |call: &Call| call.name() == "execve" && call.text.contains("\"true\"");
        let mut executed =
            calls.iter().enumerate().filter(|(_, call)| runs_probe(call)).map(|(index, _)| index);
        let second = executed.nth(1).unwrap_or_else(|| panic!("no second child: {calls:?}"));
        let is_refused = |call: &&Call| {
            let starts = matches!(call.name(), "clone" | "clone3" | "close_range" | "unshare");
            starts && call.text.contains(" = -1 EPERM")
        };
        let (before, after) = calls.split_at(second);
        assert_eq!(after.iter().filter(is_refused).collect::<Vec<_>>(), [] as [&Call; 0]);
        let before: Vec<_> = before.iter().filter(is_refused).collect();
        assert_eq!(before.len(), refusals, "{before:?}");
    });
}
