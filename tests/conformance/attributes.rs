//! The attributes that only some systems have, as the child has them, and as they fail.
//!
//! - `confined`: capabilities, rulesets and filters: what the program can no longer do
//! - `suspended`: programs that start stopped

mod confined;
mod suspended;

use std::fs;
use std::io;
use std::time::Duration;

use forkexec::{
    BorrowingCommand, Error, InputError, IoPriority, MemoryPolicy, Namespace, Operand, Scheduler,
    SpawnPolicy, Stage,
};
use forkexec_core::Operation;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world::{self, processor};
use rstest::rstest;

use crate::ground::{as_root, capabilities, has, is_emulated, is_privileged, without_privileges};
use crate::start::{failure, probe, words};

type Ask = fn(&mut BorrowingCommand<'_>);

/// A line of `/proc/PID/status`.
fn status(pid: &str, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("there is procfs");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

fn file(pid: i32, name: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{name}")).expect("it can be read").trim().to_owned()
}

/// `SCHED_RESET_ON_FORK`: children of a deadline program get another policy.
const RESET_ON_FORK: i64 = 0x4000_0000;

fn policy(pid: i32) -> String {
    let mut priority = 0;
    // SAFETY: the kernel writes one int.
    unsafe { libc::syscall(libc::SYS_sched_getparam, pid, &raw mut priority) };
    // SAFETY: reads an attribute of a process.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, pid) };
    format!("{policy} {priority}")
}

fn io_priority(pid: i32) -> String {
    let process = 1;
    // SAFETY: reads an attribute of a process.
    format!("{:#x}", unsafe { libc::syscall(libc::SYS_ioprio_get, process, pid) })
}

/// The nice value of the autogroup (proc_pid_autogroup(5)).
fn autogroup_nice(pid: i32) -> String {
    let group = file(pid, "autogroup");
    group.rsplit(' ').next().expect("the value comes last").to_owned()
}

/// The policy of the first mapping (numa_maps, numa(7)).
fn memory_policy(pid: i32) -> String {
    let maps = file(pid, "numa_maps");
    maps.split_whitespace().nth(1).expect("the policy is the second field").to_owned()
}

/// Starts a program that waits, and reads what it has.
fn read_from(command: &mut BorrowingCommand<'_>, read: fn(i32) -> String) -> String {
    let mut child = command.spawn().expect("it starts");
    let seen = read(i32::try_from(child.id()).expect("it is a pid"));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    seen
}

/// All rows in which the system lacks the operation refuse it. The attribute is that of the child alone.
#[rstest]
#[case::cpu_affinity(
    Operation::CpuAffinity, |it: &mut BorrowingCommand<'_>| { it.cpu_affinity([processor()]); },
    |pid: i32| status(&pid.to_string(), "Cpus_allowed_list"), &|| processor().to_string()
)]
#[case::batch(
    Operation::Scheduler, |it: &mut BorrowingCommand<'_>| { it.scheduler(Scheduler::Batch); }, policy, &|| "3 0".to_owned()
)]
#[case::idle(
    Operation::Scheduler, |it: &mut BorrowingCommand<'_>| { it.scheduler(Scheduler::Idle); }, policy, &|| "5 0".to_owned()
)]
#[case::io_priority(
    Operation::IoPriority, |it: &mut BorrowingCommand<'_>| { it.io_priority(IoPriority::BestEffort(6)); }, io_priority,
    &|| "0x4006".to_owned()
)]
#[case::io_idle(
    Operation::IoPriority, |it: &mut BorrowingCommand<'_>| { it.io_priority(IoPriority::Idle); }, io_priority,
    &|| "0x6000".to_owned()
)]
#[case::autogroup(
    Operation::Autogroup, |it: &mut BorrowingCommand<'_>| { it.setsid().autogroup_nice(7); }, autogroup_nice, &|| "7".to_owned()
)]
#[case::memory_policy(
    Operation::MemoryPolicy, |it: &mut BorrowingCommand<'_>| { it.memory_policy(MemoryPolicy::Bind, [0]); }, memory_policy,
    &|| "bind:0".to_owned()
)]
#[case::local_memory(
    Operation::MemoryPolicy, |it: &mut BorrowingCommand<'_>| { it.memory_policy(MemoryPolicy::Local, []); }, memory_policy,
    &|| "local".to_owned()
)]
#[case::timer_slack(
    Operation::TimerSlack, |it: &mut BorrowingCommand<'_>| { it.timer_slack(Duration::from_micros(77)); },
    |pid| file(pid, "timerslack_ns"), &|| "77000".to_owned()
)]
#[case::oom_score(
    Operation::OomScore, |it: &mut BorrowingCommand<'_>| { it.oom_score_adj(777); }, |pid| file(pid, "oom_score_adj"),
    &|| "777".to_owned()
)]
#[case::fixed_addresses(
    Operation::FixedAddresses, |it: &mut BorrowingCommand<'_>| { it.fixed_addresses(); },
    |pid| file(pid, "personality"), &|| "00040000".to_owned()
)]
fn attribute_is_that_of_the_child_alone(
    #[case] operation: Operation,
    #[case] ask: Ask,
    #[case] read: fn(i32) -> String,
    #[case] expected: &dyn Fn() -> String,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if is_emulated("has attributes of its own") {
            return;
        }
        let mut command = probe(&["pause"]);
        ask(command.spawn_policy(launch));
        if !capabilities().has(operation) {
            let system = capabilities().system;
            assert!(
                matches!(command.spawn(), Err(Error::Unsupported { system: named, .. }) if named == system)
            );
            return;
        }
        if !has(operation) {
            return;
        }
        let own = i32::try_from(std::process::id()).expect("it is a pid");
        let before = read(own);
        let seen = read_from(&mut command, read);
        assert_eq!((seen, read(own)), (expected(), before));
    });
}

#[rstest]
#[case::fifo(Scheduler::Fifo(3), "1 3")]
#[case::round_robin(Scheduler::RoundRobin(4), "2 4")]
#[case::deadline(
    Scheduler::Deadline {
        runtime: Duration::from_millis(2), deadline: Duration::from_millis(5), period: Duration::from_millis(10)
    },
    "6 0"
)]
fn realtime_policy_needs_privilege(#[case] scheduler: Scheduler, #[case] expected: &str) {
    isolated(|| {
        if !has(Operation::Scheduler) || !is_privileged() || is_emulated("schedules itself") {
            return;
        }
        let mut command = probe(&["pause"]);
        command.scheduler(scheduler);
        let _unprivileged = match command.spawn() {
            // A container may lack `CAP_SYS_NICE`.
            Err(_) => None,
            Ok(mut child) => {
                let policy = policy(i32::try_from(child.id()).expect("it is a pid"));
                let (number, priority) = policy.split_once(' ').expect("there are two");
                let number = number.parse::<i64>().expect("it is a number") & !RESET_ON_FORK;
                assert_eq!(format!("{number} {priority}"), expected);
                child.kill().expect("it runs");
                child.wait().expect("it ends");
                without_privileges()
            }
        };
        let failure = failure(&mut command);
        let text = format!("cannot set the scheduling policy ({scheduler}): {}", words(failure.errno()));
        let whole = (failure.stage(), failure.errno().raw(), failure.to_string());
        assert_eq!(whole, (Stage::Scheduler, libc::EPERM, text));
    });
}

/// A process with this policy cannot create one that has it, too (sched(7)).
#[test]
fn deadline_program_can_start_children() {
    isolated(|| {
        if !has(Operation::Scheduler) || !is_privileged() || is_emulated("schedules itself") {
            return;
        }
        let mut command = BorrowingCommand::new("sh");
        match command.args(["-c", "/bin/true && echo started"]).scheduler(deadline(2, 5, 10)).output() {
            Ok(output) => assert_eq!(output.stdout, b"started\n"),
            Err(error) => skip(&format!("the policy is not permitted: {error}")),
        }
    });
}

#[test]
fn lower_oom_score_needs_privilege() {
    as_root(|| {
        if !has(Operation::OomScore) {
            return;
        }
        let _unprivileged = without_privileges();
        let failure = failure(probe(&["true"]).oom_score_adj(-500));
        let whole = (failure.stage(), failure.operand(), failure.errno().raw());
        assert_eq!(whole, (Stage::OomScore, &Operand::Number(-500), libc::EACCES));
    });
}

/// A plain file below `/proc` could be that of another program.
#[test]
fn oom_score_is_written_to_procfs_alone() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = directory.path().join("self/oom_score_adj");
        fs::create_dir(directory.path().join("self")).expect("the directory is ours");
        fs::write(&file, "").expect("the directory is ours");
        if !has(Operation::OomScore) {
            return;
        }
        if let Err(reason) = world::masked_proc(directory.path()) {
            return skip(&reason);
        }
        let failure = failure(probe(&["true"]).oom_score_adj(1000));
        assert_eq!((failure.stage(), failure.errno().raw()), (Stage::OomScore, libc::ENOENT));
        assert_eq!(fs::read(&file).expect("the file is there"), b"");
    });
}

/// Faults: S18
#[test]
fn node_that_does_not_exist_is_an_error() {
    isolated(|| {
        if !has(Operation::MemoryPolicy) || is_emulated("has nodes of its own") {
            return;
        }
        let failure = failure(probe(&["true"]).memory_policy(MemoryPolicy::Interleave, [0, 1023]));
        let operand = Operand::Value("interleave:0,1023".to_owned());
        let whole = (failure.stage(), failure.operand(), failure.errno().raw());
        assert_eq!(whole, (Stage::MemoryPolicy, &operand, libc::EINVAL));
    });
}

/// The autogroup of a child without a session is that of its parent.
#[test]
fn autogroup_needs_a_session() {
    isolated(|| {
        if !has(Operation::Autogroup) {
            return;
        }
        let error = probe(&["true"]).autogroup_nice(1).spawn().map(drop).expect_err("it is refused");
        assert!(matches!(error, Error::Input(InputError::AutogroupWithoutSession)), "{error}");
    });
}

/// exec drops the list of paths otherwise. No system accepts that.
#[test]
fn unveiled_path_needs_promises() {
    isolated(|| {
        let error = probe(&["true"]).unveil("/", "r").spawn().map(drop).expect_err("it is refused");
        assert!(matches!(error, Error::Input(InputError::UnveilWithoutPledge)), "{error}");
    });
}

/// A process without privilege may only raise the value, ten times in a second (sched(7)).
#[test]
fn lower_autogroup_value_needs_privilege() {
    as_root(|| {
        if !has(Operation::Autogroup) || !fs::exists("/proc/self/autogroup").unwrap_or(false) {
            return;
        }
        let _unprivileged = without_privileges();
        // The change of ids gave the files below /proc/self to root.
        // SAFETY: changes an attribute of this process, which is the test's own.
        crate::ground::check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) });
        let failure = failure(probe(&["true"]).setsid().autogroup_nice(-5));
        let whole = (failure.stage(), failure.operand(), failure.errno().raw());
        assert_eq!(whole, (Stage::Autogroup, &Operand::Number(-5), libc::EPERM));
    });
}

/// Faults: S18
#[test]
fn processor_that_does_not_exist_is_an_error() {
    isolated(|| {
        if !has(Operation::CpuAffinity) || is_emulated("has processors of its own") {
            return;
        }
        let failure = failure(probe(&["true"]).cpu_affinity([processor(), 8191]));
        let operand = Operand::Value(format!("{},8191", processor()));
        let whole = (failure.stage(), failure.operand(), failure.errno().raw());
        assert_eq!(whole, (Stage::CpuAffinity, &operand, libc::EINVAL));
    });
}

#[rstest]
#[case::processor(
    |it: &mut BorrowingCommand<'_>| { it.cpu_affinity([8192]); }, "set the CPU affinity (8192): the range is 0 to 8191"
)]
#[case::low_priority(
    |it: &mut BorrowingCommand<'_>| { it.scheduler(Scheduler::Fifo(0)); },
    "set the scheduling policy (0): the range is 1 to 99"
)]
#[case::high_priority(
    |it: &mut BorrowingCommand<'_>| { it.scheduler(Scheduler::RoundRobin(100)); },
    "set the scheduling policy (100): the range is 1 to 99"
)]
#[case::no_runtime(
    |it: &mut BorrowingCommand<'_>| { it.scheduler(deadline(0, 5, 10)); },
    "set the scheduling policy (0): the range is 1024 to 5000000"
)]
#[case::runtime_above_the_deadline(
    |it: &mut BorrowingCommand<'_>| { it.scheduler(deadline(6, 5, 10)); },
    "set the scheduling policy (6000000): the range is 1024 to 5000000"
)]
#[case::deadline_above_the_period(
    |it: &mut BorrowingCommand<'_>| { it.scheduler(deadline(2, 11, 10)); },
    "set the scheduling policy (11000000): the range is 2000000 to 10000000"
)]
#[case::autogroup(
    |it: &mut BorrowingCommand<'_>| { it.setsid().autogroup_nice(20); },
    "set the nice value of the autogroup (20): the range is -20 to 19"
)]
#[case::node(
    |it: &mut BorrowingCommand<'_>| { it.memory_policy(MemoryPolicy::Bind, [1024]); },
    "set the memory policy (1024): the range is 0 to 1023"
)]
#[case::no_node(
    |it: &mut BorrowingCommand<'_>| { it.memory_policy(MemoryPolicy::Interleave, []); },
    "set the memory policy (0): the range is 1 to 1024"
)]
#[case::two_preferred_nodes(
    |it: &mut BorrowingCommand<'_>| { it.memory_policy(MemoryPolicy::Preferred, [0, 1]); },
    "set the memory policy (2): the range is 1 to 1"
)]
#[case::node_of_local_memory(
    |it: &mut BorrowingCommand<'_>| { it.memory_policy(MemoryPolicy::Local, [0]); },
    "set the memory policy (1): the range is 0 to 0"
)]
#[case::io_level(
    |it: &mut BorrowingCommand<'_>| { it.io_priority(IoPriority::RealTime(8)); },
    "set the I/O priority (8): the range is 0 to 7"
)]
#[case::no_timer_slack(
    |it: &mut BorrowingCommand<'_>| { it.timer_slack(Duration::ZERO); }, "set the timer slack (0): the range is 1 to "
)]
#[case::high_oom_score(
    |it: &mut BorrowingCommand<'_>| { it.oom_score_adj(1001); },
    "set the OOM score adjustment (1001): the range is -1000 to 1000"
)]
#[case::low_oom_score(
    |it: &mut BorrowingCommand<'_>| { it.oom_score_adj(-1001); },
    "set the OOM score adjustment (-1001): the range is -1000 to 1000"
)]
#[case::securebits(
    |it: &mut BorrowingCommand<'_>| { it.securebits(0x100); }, "set the securebits (256): the range is 0 to 255"
)]
#[case::no_processor(
    |it: &mut BorrowingCommand<'_>| { it.cpu_affinity([]); }, "set the CPU affinity: the set of processors is empty"
)]
fn attribute_out_of_range_starts_nothing(#[case] ask: Ask, #[case] text: &str) {
    isolated(|| {
        let mut command = probe(&["true"]);
        ask(&mut command);
        let error = command.spawn().map(drop).expect_err("it is refused");
        if matches!(error, Error::Unsupported { .. }) {
            assert_eq!(capabilities().operations, [], "{error}");
            return;
        }
        let inner = match &error {
            Error::Input(inner) => inner,
            other => panic!("{other:?}"),
        };
        assert!(matches!(inner, InputError::AttributeOutOfRange { .. } | InputError::NoProcessor));
        assert!(error.to_string().starts_with(&format!("cannot {text}")), "{error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidInput);
    });
}

/// Milliseconds.
fn deadline(runtime: u64, deadline: u64, period: u64) -> Scheduler {
    let [runtime, deadline, period] = [runtime, deadline, period].map(Duration::from_millis);
    Scheduler::Deadline { runtime, deadline, period }
}

/// No call in the parent is refused here: all of them are made by the child.
#[rstest]
#[case::time_namespace(
    Operation::TimeNamespace, libc::SYS_unshare, Stage::Namespaces,
    |it: &mut BorrowingCommand<'_>| { it.unshare([Namespace::Time]); }
)]
#[case::cpu_affinity(
    Operation::CpuAffinity, libc::SYS_sched_setaffinity, Stage::CpuAffinity,
    |it: &mut BorrowingCommand<'_>| { it.cpu_affinity([0]); }
)]
#[case::scheduler(
    Operation::Scheduler, libc::SYS_sched_setscheduler, Stage::Scheduler,
    |it: &mut BorrowingCommand<'_>| { it.scheduler(Scheduler::Batch); }
)]
#[case::io_priority(
    Operation::IoPriority, libc::SYS_ioprio_set, Stage::IoPriority,
    |it: &mut BorrowingCommand<'_>| { it.io_priority(IoPriority::Idle); }
)]
#[case::deadline(
    Operation::Scheduler, libc::SYS_sched_setattr, Stage::Scheduler,
    |it: &mut BorrowingCommand<'_>| { it.scheduler(deadline(2, 5, 10)); }
)]
#[case::autogroup(
    Operation::Autogroup, libc::SYS_openat, Stage::Autogroup,
    |it: &mut BorrowingCommand<'_>| { it.setsid().autogroup_nice(1); }
)]
#[case::memory_policy(
    Operation::MemoryPolicy, libc::SYS_set_mempolicy, Stage::MemoryPolicy,
    |it: &mut BorrowingCommand<'_>| { it.memory_policy(MemoryPolicy::Local, []); }
)]
#[case::timer_slack(
    Operation::TimerSlack, libc::SYS_prctl, Stage::TimerSlack,
    |it: &mut BorrowingCommand<'_>| { it.timer_slack(Duration::from_nanos(1)); }
)]
#[case::oom_score(
    Operation::OomScore, libc::SYS_openat, Stage::OomScore, |it: &mut BorrowingCommand<'_>| { it.oom_score_adj(1); }
)]
#[case::fixed_addresses(
    Operation::FixedAddresses, libc::SYS_personality, Stage::FixedAddresses,
    |it: &mut BorrowingCommand<'_>| { it.fixed_addresses(); }
)]
#[case::bounding_set(
    Operation::Capabilities, libc::SYS_prctl, Stage::BoundingSet,
    |it: &mut BorrowingCommand<'_>| { it.bounding_capabilities([]); }
)]
#[case::securebits(
    Operation::Capabilities, libc::SYS_prctl, Stage::SecureBits, |it: &mut BorrowingCommand<'_>| { it.securebits(0); }
)]
#[case::capabilities(
    Operation::Capabilities, libc::SYS_capget, Stage::Capabilities,
    |it: &mut BorrowingCommand<'_>| { it.ambient_capabilities([]); }
)]
#[case::session_keyring(
    Operation::SessionKeyring, libc::SYS_keyctl, Stage::SessionKeyring,
    |it: &mut BorrowingCommand<'_>| { it.session_keyring(); }
)]
#[case::suspended(
    Operation::StartSuspended, libc::SYS_ptrace, Stage::Suspend,
    |it: &mut BorrowingCommand<'_>| { it.start_suspended(true); }
)]
fn refused_attribute_is_reported(
    #[case] operation: Operation,
    #[case] call: libc::c_long,
    #[case] stage: Stage,
    #[case] ask: Ask,
    #[values(libc::EPERM, libc::ENOSYS)] errno: i32,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        let mut command = probe(&["true"]);
        // A pipe or a stream of the parent could need the refused call.
        ask(command.spawn_policy(launch));
        if has(operation) && Deny::new().errno(call, errno).installed() {
            let failure = failure(&mut command);
            let whole = (failure.stage(), failure.errno().raw());
            assert_eq!(whole, (stage, errno));
            let text = format!("cannot {}", stage.describe());
            assert!(failure.to_string().starts_with(&text), "{failure}");
        }
    });
}
