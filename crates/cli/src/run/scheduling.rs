//! When and where the program runs: processors, policies, priorities.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use forkexec::{Command, IoPriority, MemoryPolicy, Scheduler};

use crate::duration;

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Scheduling (Linux; others where named)")]
#[group(skip)]
pub(super) struct Options {
    /// Set the processors that may run the program, such as 0-3,8 (not OpenBSD, macOS)
    ///
    /// A list of numbers and ranges, as for taskset(1). A range with a step, such as 0-6:2, has each second number.
    /// Solaris and illumos can bind the program to one processor.
    #[arg(long, value_name = "LIST", value_parser = processors, allow_hyphen_values = true)]
    cpus: Option<Processors>,

    /// Set the scheduling policy: other, batch, idle, fifo:N, rr:N or deadline:RUN:END:PERIOD (not OpenBSD)
    ///
    /// fifo and rr are real-time policies with a priority from 1 to 99. With deadline, the program runs for RUN before END in each
    /// PERIOD, such as deadline:2ms:5ms:10ms. The three need privileges. The policies are those of chrt(1).
    /// FreeBSD has other, idle, fifo and rr up to 31, DragonFly has these but fifo. NetBSD has other, fifo and rr up to 63, Solaris and
    /// illumos up to 59. macOS has other, and idle for the background.
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    scheduler: Option<Scheduler>,

    /// Set the I/O priority: idle, best-effort[:N] or realtime[:N] (Linux, macOS)
    ///
    /// N is the level from 0 (highest priority) to 7. The default is 4, as for ionice(1). realtime needs privileges. macOS has
    /// idle, which throttles disk access.
    #[arg(long, value_name = "CLASS", value_parser = io_priority)]
    io_priority: Option<IoPriority>,

    /// Take memory from these NUMA nodes: bind:LIST, interleave:LIST, preferred:N or local
    ///
    /// LIST has numbers and ranges, such as 0-3,8, as for numactl(8).
    #[arg(long, value_name = "POLICY", value_parser = memory_policy)]
    memory_policy: Option<Memory>,

    /// Set the nice value of the autogroup of the program's session, from -20 to 19
    ///
    /// It needs --setsid. See sched(7).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(-20..=19), allow_hyphen_values = true)]
    autogroup_nice: Option<i32>,

    /// Let the timers of the program expire late by this duration, such as 1ms
    ///
    /// The units are ns, us, ms and s.
    #[arg(long, value_name = "DURATION", value_parser = slack, allow_hyphen_values = true)]
    timer_slack: Option<Duration>,

    /// Set the OOM score adjustment, from -1000 (never killed) to 1000 (killed first)
    ///
    /// A value below that of forkexec needs privileges.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(-1000..=1000), allow_hyphen_values = true)]
    oom_score_adj: Option<i32>,

    /// Load the program at fixed addresses, without address space randomization (Linux, FreeBSD, illumos, macOS)
    #[arg(long)]
    fixed_addresses: bool,
}

/// A set of processors. For a bare set, clap would allow a repeated option.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Processors(BTreeSet<usize>);

/// A memory policy and its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Memory(MemoryPolicy, BTreeSet<usize>);

/// The library allows the numbers 0 to 8191. A longer range would only take memory.
const HIGHEST: usize = 8191;

/// The library allows the nodes 0 to 1023.
const HIGHEST_NODE: usize = 1023;

fn processors(text: &str) -> Result<Processors, String> {
    numbers(text, "processor", HIGHEST).map(Processors)
}

/// Parses a list of numbers and ranges of these things.
fn numbers(text: &str, thing: &str, highest: usize) -> Result<BTreeSet<usize>, String> {
    text.split(',').try_fold(BTreeSet::new(), |mut all, part| {
        all.extend(range(part, thing, highest)?);
        Ok(all)
    })
}

/// Parses `3`, `0-7` or `0-7:2`.
fn range(text: &str, thing: &str, highest: usize) -> Result<impl Iterator<Item = usize>, String> {
    let number = |text: &str| {
        let number = decimal(text).ok_or_else(|| format!("{text:?} is not the number of a {thing}"))?;
        if number <= highest {
            Ok(number)
        } else {
            Err(format!("{text} is above the highest {thing}, {highest}"))
        }
    };
    let (range, step) = match text.split_once(':') {
        Some((range, step)) if range.contains('-') => {
            let step = decimal(step).filter(|&step| step > 0);
            (range, step.ok_or_else(|| format!("{text:?} has a step that is not a number from 1 up"))?)
        }
        _ => (text, 1),
    };
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(range)?, number(range)?),
    };
    if last < first { Err(format!("{last} is below {first}")) } else { Ok((first..=last).step_by(step)) }
}

/// Parses a number without a sign. One that is too large is the largest.
fn decimal(text: &str) -> Option<usize> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| text.parse().unwrap_or(usize::MAX))
}

fn policy(text: &str) -> Result<Scheduler, String> {
    let (name, number) = named(text);
    let priority = || level(number, None, 1, 99);
    match (name, text.contains(':')) {
        ("other", false) => Ok(Scheduler::Other),
        ("batch", false) => Ok(Scheduler::Batch),
        ("idle", false) => Ok(Scheduler::Idle),
        ("fifo", _) => priority().map(Scheduler::Fifo),
        ("rr", _) => priority().map(Scheduler::RoundRobin),
        ("deadline", true) => deadline(number.unwrap_or_default()),
        _ => Err("expected other, batch, idle, fifo:N, rr:N or deadline:RUN:END:PERIOD".to_owned()),
    }
}

/// Parses the three durations of `deadline:2ms:5ms:10ms`.
fn deadline(durations: &str) -> Result<Scheduler, String> {
    let durations: Vec<Duration> = durations.split(':').map(duration::parse).collect::<Result<_, _>>()?;
    match durations[..] {
        [runtime, deadline, period] => Ok(Scheduler::Deadline { runtime, deadline, period }),
        _ => Err("expected three durations after deadline, such as deadline:2ms:5ms:10ms".to_owned()),
    }
}

fn memory_policy(text: &str) -> Result<Memory, String> {
    let nodes = |list: &str| numbers(list, "node", HIGHEST_NODE);
    match named(text) {
        ("local", None) => Ok(Memory(MemoryPolicy::Local, BTreeSet::new())),
        ("bind", Some(list)) => Ok(Memory(MemoryPolicy::Bind, nodes(list)?)),
        ("interleave", Some(list)) => Ok(Memory(MemoryPolicy::Interleave, nodes(list)?)),
        ("preferred", Some(node)) => Ok(Memory(MemoryPolicy::Preferred, nodes(node)?)),
        _ => Err("expected bind:LIST, interleave:LIST, preferred:N or local".to_owned()),
    }
}

fn io_priority(text: &str) -> Result<IoPriority, String> {
    /// That of ionice(1).
    const DEFAULT: u8 = 4;
    let (class, number) = named(text);
    let level = || level(number, Some(DEFAULT), 0, 7);
    match (class, number) {
        ("idle", None) => Ok(IoPriority::Idle),
        ("best-effort", _) => level().map(IoPriority::BestEffort),
        ("realtime", _) => level().map(IoPriority::RealTime),
        _ => Err("expected idle, best-effort[:N] or realtime[:N]".to_owned()),
    }
}

fn named(text: &str) -> (&str, Option<&str>) {
    text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)))
}

fn level(text: Option<&str>, default: Option<u8>, lowest: u8, highest: u8) -> Result<u8, String> {
    let number = match text {
        None => default,
        Some(text) => decimal(text).and_then(|number| u8::try_from(number).ok()),
    };
    let number = number.filter(|number| (lowest..=highest).contains(number));
    number.ok_or_else(|| format!("expected a number from {lowest} to {highest} after the colon"))
}

fn slack(text: &str) -> Result<Duration, String> {
    if text.ends_with(|last: char| last.is_ascii_digit()) {
        return Err(format!("{text:?} has no unit: expected ns, us, ms or s"));
    }
    let slack = duration::parse(text)?;
    if slack.is_zero() { Err("the shortest slack is 1ns".to_owned()) } else { Ok(slack) }
}

impl Options {
    /// Applies the options to the command.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Some(Processors(cpus)) = &self.cpus {
            command.cpu_affinity(cpus.iter().copied());
        }
        if let Some(policy) = self.scheduler {
            command.scheduler(policy);
        }
        if let Some(priority) = self.io_priority {
            command.io_priority(priority);
        }
        if let Some(Memory(policy, nodes)) = &self.memory_policy {
            command.memory_policy(*policy, nodes.iter().copied());
        }
        if let Some(nice) = self.autogroup_nice {
            command.autogroup_nice(nice);
        }
        if let Some(slack) = self.timer_slack {
            command.timer_slack(slack);
        }
        if let Some(score) = self.oom_score_adj {
            command.oom_score_adj(score);
        }
        if self.fixed_addresses {
            command.fixed_addresses();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_a_list_of_numbers_ranges_and_steps() {
        let cases: [(&str, &[usize]); 6] = [
            ("0", &[0]),
            ("0-3,8", &[0, 1, 2, 3, 8]),
            ("8,0-1,1", &[0, 1, 8]),
            ("0-6:2", &[0, 2, 4, 6]),
            ("0-5:4,8191", &[0, 4, 8191]),
            ("3-3", &[3]),
        ];
        for (text, numbers) in cases {
            assert_eq!(processors(text), Ok(Processors(numbers.iter().copied().collect())), "{text}");
        }
        for text in [
            "",
            ",",
            "0,",
            "-1",
            "1-",
            "3-1",
            "0-3:0",
            "0-3:",
            "3:1",
            "x",
            "0x3",
            "8192",
            "0-99999999999999999999",
        ] {
            assert!(processors(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn policy_has_a_priority_if_it_is_real_time() {
        let policies = [
            Scheduler::Other,
            Scheduler::Batch,
            Scheduler::Idle,
            Scheduler::Fifo(1),
            Scheduler::RoundRobin(99),
            Scheduler::Deadline {
                runtime: Duration::from_millis(2),
                deadline: Duration::from_micros(5500),
                period: Duration::from_secs(1),
            },
        ];
        for known in policies {
            assert_eq!(policy(&known.to_string()), Ok(known));
        }
        for text in [
            "",
            "fifo",
            "fifo:",
            "fifo:0",
            "rr:100",
            "rr:-1",
            "batch:1",
            "idle:",
            "FIFO:1",
            "deadline",
            "deadline:1ms",
        ] {
            assert!(policy(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn io_priority_has_a_level_unless_it_is_idle() {
        for known in [IoPriority::Idle, IoPriority::BestEffort(0), IoPriority::RealTime(7)] {
            assert_eq!(io_priority(&known.to_string()), Ok(known));
        }
        assert_eq!(io_priority("best-effort"), Ok(IoPriority::BestEffort(4)));
        for text in ["", "idle:1", "idle:", "best-effort:", "realtime:8", "2", "realtime:256"] {
            assert!(io_priority(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn memory_policy_has_nodes_unless_it_is_local() {
        let memory = |policy, nodes: &[usize]| Ok(Memory(policy, nodes.iter().copied().collect()));
        assert_eq!(memory_policy("bind:0-1,7"), memory(MemoryPolicy::Bind, &[0, 1, 7]));
        assert_eq!(memory_policy("interleave:0-1"), memory(MemoryPolicy::Interleave, &[0, 1]));
        assert_eq!(memory_policy("preferred:1023"), memory(MemoryPolicy::Preferred, &[1023]));
        assert_eq!(memory_policy("local"), memory(MemoryPolicy::Local, &[]));
        for text in ["", "bind", "bind:", "local:0", "preferred:1024", "bind:x", "weighted:0"] {
            assert!(memory_policy(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn timer_slack_has_a_unit() {
        assert_eq!(slack("50us"), Ok(Duration::from_micros(50)));
        assert_eq!(slack("1ns"), Ok(Duration::from_nanos(1)));
        for text in ["", "50", "0ms", "0.1ns", "-1ms", "1 ms"] {
            assert!(slack(text).is_err(), "{text:?}");
        }
    }
}
