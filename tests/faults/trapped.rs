//! Calls of a child that a seccomp filter traps (`SECCOMP_RET_TRAP`), through the public face.
//!
//! The trap is a SIGSYS, which ends a child before exec: all signals are blocked there, and the kernel forces a blocked one
//! to its default action. One child is lost, the next method starts the program, and later starts lose no child.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use rstest::rstest;

use forkexec::{
    BorrowingCommand, CloseStrategy, Command, Error, IoPriority, MemoryPolicy, Namespace, Scheduler,
    SeccompFilter, SpawnMethod, SpawnPolicy, Stage, Stdio,
};
use forkexec_core::{Backend, KeepList, Plan};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world;

use crate::failing::Failing;
use crate::launcher::plan;
use crate::shared::{launch, over};

const OPEN: [i32; 4] = [60, 61, 500, 20];
const KEPT: i32 = 60;
const CLOSE_RANGE_UNSHARE: i32 = 1 << 1;

/// The trapped call, or flag.
#[derive(Clone, Copy, Debug)]
enum Trapped {
    Nothing,
    CloseRange,
    /// close_range(2) with `CLOSE_RANGE_UNSHARE` alone.
    Unsharing,
    /// `CLOSE_RANGE_UNSHARE` fails, and unshare(2), which is next, is trapped.
    Unshare,
    /// fstatfs(2), by which a list is found to be the true one, is trapped, and close_range(2) fails.
    Listing,
    /// Both are trapped.
    RangeAndListing,
}

use Trapped::{CloseRange, Listing, Nothing, RangeAndListing, Unshare, Unsharing};

#[cfg(not(all(target_os = "android", target_arch = "aarch64")))]
const FSTATFS: libc::c_long = libc::SYS_fstatfs;
/// The number of asm-generic/unistd.h. The libc crate lacks it there.
#[cfg(all(target_os = "android", target_arch = "aarch64"))]
const FSTATFS: libc::c_long = 44;

impl Trapped {
    fn install(self) {
        let [range, list, unshare] = [libc::SYS_close_range, FSTATFS, libc::SYS_unshare];
        let deny = Deny::new();
        let deny = match self {
            Nothing => return,
            CloseRange => deny.trap(range),
            Unsharing => deny.trap_with(range, 2, CLOSE_RANGE_UNSHARE),
            Unshare => deny.errno_with(range, 2, CLOSE_RANGE_UNSHARE, libc::EPERM).trap(unshare),
            Listing => deny.errno(range, libc::EPERM).trap(list),
            RangeAndListing => deny.trap(range).trap(list),
        };
        deny.install().expect("a filter is taken");
    }
}

/// The floor makes none of these calls.
fn is_the_floor() -> bool {
    cfg!(forkexec_backend = "posix")
}

/// Starts a child that keeps one of the open descriptors, and checks what it has.
fn start(fds: &[OwnedFd], launch: SpawnPolicy) -> (SpawnMethod, &'static str) {
    let mut command = probe::command(&["report"]);
    command.stdout(Stdio::piped()).spawn_policy(launch);
    command.keep_fd(fds.iter().find(|fd| fd.as_raw_fd() == KEPT).expect("it is open"));
    let child = command.spawn().expect("a trapped call has a next method");
    let told = (child.method(), child.close_method().name());
    let output = child.wait_with_output().expect("the probe ends");
    let seen = Seen::of(&output.stdout);
    assert_eq!(seen.fds, [0, 1, 2, KEPT]);
    told
}

const BULK: &str = "close_range";
const LIST: &str = "/proc/self/fd";

/// Faults: F16
#[rstest]
#[case::nothing(Nothing, SpawnMethod::Shared, BULK)]
#[case::close_range(CloseRange, SpawnMethod::Vfork, LIST)]
#[case::unsharing(Unsharing, SpawnMethod::Vfork, LIST)]
#[case::unshare(Unshare, SpawnMethod::Vfork, BULK)]
#[case::listing(Listing, SpawnMethod::Vfork, "loop")]
#[case::range_and_listing(RangeAndListing, SpawnMethod::Vfork, "loop")]
fn trapped_call_falls_back_to_the_next_method(
    #[case] trapped: Trapped,
    #[case] method: SpawnMethod,
    #[case] closer: &'static str,
) {
    isolated(|| {
        let fds = world::open_at(&OPEN);
        trapped.install();
        let told = [(); 3].map(|()| start(&fds, SpawnPolicy::Auto));
        if !is_the_floor() {
            assert_eq!(told[1..], [(method, closer); 2]);
        }
    });
}

/// Faults: F16
#[rstest]
#[case::close_range(CloseRange, LIST)]
#[case::unsharing(Unsharing, BULK)]
fn trapped_call_of_a_forked_child_counts(#[case] trapped: Trapped, #[case] closer: &'static str) {
    isolated(|| {
        let fds = world::open_at(&OPEN);
        trapped.install();
        let told = [(); 2].map(|()| start(&fds, SpawnPolicy::Fork));
        if !is_the_floor() {
            assert_eq!(told, [(SpawnMethod::Fork, closer); 2]);
        }
    });
}

/// A filter that traps a call only later, when the first children have used it.
///
/// Faults: F16
#[rstest]
fn call_that_is_trapped_later_is_noticed(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        let fds = world::open_at(&OPEN);
        start(&fds, launch);
        CloseRange.install();
        start(&fds, launch);
        if !is_the_floor() {
            assert_eq!(start(&fds, launch).1, LIST);
        }
    });
}

/// The closure has run in the child that died: no other child may run it for the same start. The next start knows.
///
/// Faults: F16, E17
#[test]
fn trap_after_a_closure_starts_no_second_child() {
    isolated(|| {
        if is_the_floor() {
            return skip("the floor does not call close_range");
        }
        let fds = world::open_at(&OPEN);
        let ran = world::place(tempfile::tempfile().expect("a file can be made"), 70);
        CloseRange.install();
        let mut command = probe::command(&["true"]);
        command.keep_fd(&ran);
        let written = || std::fs::metadata(format!("/proc/self/fd/{}", ran.as_raw_fd())).map(|it| it.len());
        let number = ran.as_raw_fd();
        let closure = move || {
            // SAFETY: one byte is read, and the descriptor is open in the child.
            let _ = unsafe { libc::write(number, b"x".as_ptr().cast(), 1) };
            Ok(())
        };
        // SAFETY: it makes one system call.
        unsafe { command.pre_exec(closure) };
        let error = command.spawn().map(drop).expect_err("its child dies");
        let Error::Died { stage: Stage::Close, status: Some(status) } = error else { panic!("{error:?}") };
        assert_eq!((status.signal(), written().ok()), (Some(libc::SIGSYS), Some(1)));
        assert!(command.status().expect("the next start knows").success());
        assert_eq!(written().ok(), Some(2));
        drop(fds);
    });
}

fn null() -> File {
    File::open("/dev/null").expect("there is a null device")
}

/// A call that the command needs has no alternative: the error names the stage and the signal.
///
/// Faults: F16
#[rstest]
#[case::no_new_privs(libc::SYS_prctl, Stage::NoNewPrivs, |it: &mut BorrowingCommand<'_>| { it.no_new_privs(); })]
#[case::session(libc::SYS_setsid, Stage::Session, |it: &mut BorrowingCommand<'_>| { it.setsid(); })]
#[case::root(libc::SYS_chroot, Stage::Chroot, |it: &mut BorrowingCommand<'_>| { it.chroot("/"); })]
#[case::nice(libc::SYS_setpriority, Stage::Nice, |it: &mut BorrowingCommand<'_>| { it.nice(5); })]
#[case::cpu_affinity(libc::SYS_sched_setaffinity, Stage::CpuAffinity, |it: &mut BorrowingCommand<'_>| { it.cpu_affinity([0]); })]
#[case::scheduler(libc::SYS_sched_setscheduler, Stage::Scheduler, |it: &mut BorrowingCommand<'_>| { it.scheduler(Scheduler::Batch); })]
#[case::io_priority(libc::SYS_ioprio_set, Stage::IoPriority, |it: &mut BorrowingCommand<'_>| { it.io_priority(IoPriority::Idle); })]
#[case::deadline(libc::SYS_sched_setattr, Stage::Scheduler, |it: &mut BorrowingCommand<'_>| {
    let [runtime, deadline, period] = [2, 5, 10].map(Duration::from_millis);
    it.scheduler(Scheduler::Deadline { runtime, deadline, period });
})]
#[case::autogroup(FSTATFS, Stage::Autogroup, |it: &mut BorrowingCommand<'_>| { it.setsid().autogroup_nice(1); })]
#[case::memory_policy(libc::SYS_set_mempolicy, Stage::MemoryPolicy, |it: &mut BorrowingCommand<'_>| { it.memory_policy(MemoryPolicy::Local, []); })]
#[case::memory_policy_read(libc::SYS_get_mempolicy, Stage::MemoryPolicy, |it: &mut BorrowingCommand<'_>| { it.memory_policy(MemoryPolicy::Local, []); })]
#[case::timer_slack(libc::SYS_prctl, Stage::TimerSlack, |it: &mut BorrowingCommand<'_>| { it.timer_slack(Duration::from_millis(1)); })]
#[case::oom_score(FSTATFS, Stage::OomScore, |it: &mut BorrowingCommand<'_>| { it.oom_score_adj(1000); })]
#[case::fixed_addresses(libc::SYS_personality, Stage::FixedAddresses, |it: &mut BorrowingCommand<'_>| { it.fixed_addresses(); })]
#[case::bounding_set(libc::SYS_prctl, Stage::BoundingSet, |it: &mut BorrowingCommand<'_>| { it.bounding_capabilities([]); })]
#[case::securebits(libc::SYS_prctl, Stage::SecureBits, |it: &mut BorrowingCommand<'_>| { it.securebits(0); })]
#[case::capabilities_read(libc::SYS_capget, Stage::Capabilities, |it: &mut BorrowingCommand<'_>| { it.ambient_capabilities([]); })]
#[case::capabilities(libc::SYS_capset, Stage::Capabilities, |it: &mut BorrowingCommand<'_>| { it.ambient_capabilities([]); })]
#[case::session_keyring(libc::SYS_keyctl, Stage::SessionKeyring, |it: &mut BorrowingCommand<'_>| { it.session_keyring(); })]
#[case::suspended(libc::SYS_ptrace, Stage::Suspend, |it: &mut BorrowingCommand<'_>| { it.start_suspended(true); })]
#[case::exec_of_a_suspended_child(libc::SYS_execve, Stage::Suspend, |it: &mut BorrowingCommand<'_>| { it.start_suspended(true); })]
#[case::file_of_a_suspended_child(
    libc::SYS_execveat, Stage::Suspend, |it: &mut BorrowingCommand<'_>| { it.start_suspended(true).executable(null()); }
)]
#[case::open_file(libc::SYS_execveat, Stage::Exec, |it: &mut BorrowingCommand<'_>| { it.executable(null()); })]
#[case::namespace(libc::SYS_setns, Stage::Namespaces, |it: &mut BorrowingCommand<'_>| { it.setns(null()); })]
#[case::time_namespace(libc::SYS_unshare, Stage::Namespaces, |it: &mut BorrowingCommand<'_>| { it.unshare([Namespace::Time]); })]
#[case::ruleset(libc::SYS_landlock_restrict_self, Stage::Landlock, |it: &mut BorrowingCommand<'_>| { it.no_new_privs().landlock(null()); })]
#[case::filter(libc::SYS_seccomp, Stage::Seccomp, |it: &mut BorrowingCommand<'_>| { it.no_new_privs().seccomp(SeccompFilter::new([(6, 0, 0, 0x7fff_0000)])); })]
fn trapped_operation_is_an_error_with_its_stage(
    #[case] call: libc::c_long,
    #[case] expected: Stage,
    #[case] ask: fn(&mut BorrowingCommand<'_>),
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if is_the_floor() {
            return skip("the floor makes some of these calls by other names");
        }
        Deny::new().trap(call).install().expect("a filter is taken");
        let mut command = Command::new(probe::path());
        ask(command.arg("true").spawn_policy(launch));
        for _ in 0..2 {
            let error = command.spawn().map(drop).expect_err("its child dies");
            if let Error::Unsupported { operation, .. } = error {
                return skip(&format!("this kernel cannot {operation}"));
            }
            let Error::Died { stage, status: Some(status) } = error else { panic!("{error:?}") };
            assert_eq!((stage, status.signal()), (expected, Some(libc::SIGSYS)));
        }
    });
}

/// The chain starts with the chosen strategy, even if an earlier one would be trapped.
///
/// Faults: F16
#[test]
fn chosen_close_strategy_skips_an_earlier_trapped_one() {
    isolated(|| {
        let fds = world::open_at(&OPEN);
        CloseRange.install();
        let mut command = probe::command(&["report"]);
        command.keep_fd(&fds[0]).close_strategy(CloseStrategy::Enumerate);
        let output = command.output().expect("the list is not trapped");
        assert_eq!(Seen::of(&output.stdout).fds, [0, 1, 2, OPEN[0]]);
    });
}

/// One child is lost for each link of the chain that does not close, and none after the first start.
///
/// Faults: F16
#[rstest]
#[case::nothing(Nothing, 0)]
#[case::close_range(CloseRange, 1)]
#[case::unsharing(Unsharing, 1)]
#[case::unshare(Unshare, 1)]
#[case::listing(Listing, 2)]
#[case::range_and_listing(RangeAndListing, 2)]
fn trap_costs_one_child_once(#[case] trapped: Trapped, #[case] lost: usize) {
    isolated(|| {
        let (backend, launcher) = over(Failing::nothing);
        // The first child of a launcher shows whether memory is shared, and this one closes nothing.
        launch(backend, &launcher, &Plan { close: None, ..plan() }).expect("it starts");
        backend.sys().take_starts();
        trapped.install();
        let keeps_one = KeepList::new(&[KEPT]).expect("the list is sorted");
        let starts = [(); 3].map(|()| {
            let started = launch(backend, &launcher, &Plan { keep: keeps_one, ..plan() });
            started.expect("a trapped call has a next method");
            backend.sys().take_starts().len()
        });
        assert_eq!(starts, [1 + lost, 1, 1]);
    });
}
