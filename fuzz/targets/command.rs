//! Commands of any words, numbers and descriptors: each is prepared, or refused with an error; nothing panics, and no descriptor
//! is lost or left.

#![no_main]

use forkexec::{
    BorrowingCommand, CapabilitySet, Command, IgnoredSignals, IoPriority, MemoryPolicy, Resource, Scheduler,
    SearchPath, SeccompFilter, Stdio,
};
use libfuzzer_sys::{arbitrary, fuzz_target};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

#[derive(arbitrary::Arbitrary, Debug)]
enum Step {
    Arg(Vec<u8>),
    Arg0(Vec<u8>),
    Env(Vec<u8>, Vec<u8>),
    EnvRemove(Vec<u8>),
    EnvClear,
    SearchPath(Vec<u8>),
    CurrentDir(Vec<u8>),
    Chroot(Vec<u8>),
    Map(i32),
    Keep,
    Listen(String),
    Stream(u8, u8),
    Umask(u32),
    Nice(i32),
    Limit(u8, u64, u64),
    Uid(u32),
    Gid(u32),
    Groups(Vec<u32>),
    KeepGroups,
    Session,
    ProcessGroup(i32),
    Mask(Vec<i32>),
    Ignore(i32),
    RestoreAll,
    DieWithParent(i32),
    SoftLimit(u8, u64),
    HardLimit(u8, u64),
    Cpus(Vec<u16>),
    Scheduler(u8),
    IoPriority(u8),
    TimerSlack(u64),
    Deadline(u64, u64, u64),
    AutogroupNice(i32),
    MemoryPolicy(u8, Vec<u16>),
    OomScore(i32),
    Capabilities(u64, u64, u64),
    Securebits(u32),
    Landlock,
    Seccomp(Vec<u8>),
    StartSuspended(bool),
}

fuzz_target!(
    // The first command that hands something over would reserve these, and keep them.
    init: drop(forkexec::reserve_low_fds(4)),
    |input: (Vec<u8>, Vec<Step>)| {
    let (program, steps) = input;
    let file = File::open("/dev/null").expect("it is there");
    let before = open();
    {
        let mut command = Command::new(OsString::from_vec(program));
        for step in steps {
            say(&mut command, step, &file);
        }
        match command.prepare() {
            Ok(prepared) => drop(prepared),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    assert_eq!(open(), before);
}
);

fn say<'fd>(command: &mut BorrowingCommand<'fd>, step: Step, file: &'fd File) {
    let word = OsString::from_vec;
    match step {
        Step::Arg(text) => command.arg(word(text)),
        Step::Arg0(text) => command.arg0(word(text)),
        Step::Env(name, value) => command.env(word(name), word(value)),
        Step::EnvRemove(name) => command.env_remove(word(name)),
        Step::EnvClear => command.env_clear(),
        Step::SearchPath(list) => command.search_path(SearchPath::Given(word(list))),
        Step::CurrentDir(path) => command.current_dir(word(path)),
        Step::Chroot(path) => command.chroot(word(path)),
        Step::Map(target) => command.fd(target, file),
        Step::Keep => command.keep_fd(file),
        Step::Listen(name) => command.listen_fd(file, name),
        Step::Stream(0, kind) => command.stdin(stdio(kind)),
        Step::Stream(1, kind) => command.stdout(stdio(kind)),
        Step::Stream(_, kind) => command.stderr(stdio(kind)),
        Step::Umask(mask) => command.umask(mask),
        Step::Nice(nice) => command.nice(nice),
        Step::Limit(resource, soft, hard) => {
            command.rlimit(Resource(resource.into()), Some(soft), Some(hard))
        }
        Step::Uid(uid) => command.uid(uid),
        Step::Gid(gid) => command.gid(gid),
        Step::Groups(groups) => command.groups(groups),
        Step::KeepGroups => command.keep_groups(),
        Step::Session => command.setsid(),
        Step::ProcessGroup(group) => command.process_group(group),
        Step::Mask(signals) => command.signal_mask(signals),
        Step::Ignore(signal) => command.ignore_signal(signal),
        Step::RestoreAll => command.ignored_signals(IgnoredSignals::RestoreAll),
        Step::DieWithParent(signal) => command.die_with_parent(signal),
        Step::SoftLimit(resource, soft) => command.rlimit_soft(Resource(resource.into()), Some(soft)),
        Step::HardLimit(resource, hard) => command.rlimit_hard(Resource(resource.into()), Some(hard)),
        Step::Cpus(cpus) => command.cpu_affinity(cpus.into_iter().map(usize::from)),
        Step::Scheduler(priority) => command.scheduler(Scheduler::Fifo(priority)),
        Step::IoPriority(level) => command.io_priority(IoPriority::BestEffort(level)),
        Step::Deadline(runtime, deadline, period) => {
            let [runtime, deadline, period] = [runtime, deadline, period].map(Duration::from_nanos);
            command.scheduler(Scheduler::Deadline { runtime, deadline, period })
        }
        Step::AutogroupNice(nice) => command.autogroup_nice(nice),
        Step::MemoryPolicy(policy, nodes) => {
            let all =
                [MemoryPolicy::Preferred, MemoryPolicy::Bind, MemoryPolicy::Interleave, MemoryPolicy::Local];
            command.memory_policy(all[usize::from(policy % 4)], nodes.into_iter().map(usize::from))
        }
        Step::TimerSlack(nanoseconds) => command.timer_slack(Duration::from_nanos(nanoseconds)),
        Step::OomScore(score) => command.oom_score_adj(score),
        Step::Capabilities(bounding, inheritable, ambient) => command
            .bounding_capabilities(CapabilitySet::from_bits(bounding))
            .inheritable_capabilities(CapabilitySet::from_bits(inheritable))
            .ambient_capabilities(CapabilitySet::from_bits(ambient)),
        Step::Securebits(bits) => command.securebits(bits),
        Step::Landlock => command.landlock(file),
        Step::Seccomp(bytes) => match SeccompFilter::from_bytes(&bytes) {
            Ok(filter) => command.seccomp(filter),
            Err(error) => {
                assert!(bytes.len() % 8 != 0 && !error.to_string().is_empty());
                command
            }
        },
        Step::StartSuspended(suspended) => command.start_suspended(suspended),
    };
}

fn stdio(kind: u8) -> Stdio {
    match kind % 4 {
        0 => Stdio::inherit(),
        1 => Stdio::null(),
        2 => Stdio::piped(),
        _ => Stdio::closed(),
    }
}

/// Returns the number of open descriptors, with that of the listing.
fn open() -> usize {
    fs::read_dir("/proc/self/fd").expect("there is a /proc").count()
}
