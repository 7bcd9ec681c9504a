//! The attributes of a child that only some systems have, as the caller set them.

use crate::config::c_path::c_path;
use crate::config::capability::CapabilitySet;
use crate::config::seccomp::SeccompFilter;
use crate::config::source::FdSource;
use crate::error::{InputError, Operand, PathRole};
use forkexec_core::{Attribute, CapabilitySets, Fd, IoPriority, MemoryPolicy, Scheduler, Stage, Unveil};
use std::collections::BTreeSet;
use std::ffi::{CString, c_ulong};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes<'fd> {
    pub(crate) clocks: ClockOffsets,
    pub(crate) jail: Option<i32>,
    pub(crate) autogroup: Option<i32>,
    pub(crate) cpus: Option<BTreeSet<usize>>,
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) io_priority: Option<IoPriority>,
    pub(crate) memory: Option<(MemoryPolicy, BTreeSet<usize>)>,
    pub(crate) timer_slack: Option<Duration>,
    pub(crate) oom_score: Option<i32>,
    pub(crate) fixed_addresses: bool,
    pub(crate) bounding: Option<CapabilitySet>,
    pub(crate) securebits: Option<u32>,
    pub(crate) inheritable: Option<CapabilitySet>,
    pub(crate) ambient: Option<CapabilitySet>,
    pub(crate) session_keyring: bool,
    /// Paths and their permissions.
    pub(crate) unveiled: Vec<(PathBuf, String)>,
    pub(crate) promises: Option<String>,
    pub(crate) landlock: Option<FdSource<'fd>>,
    pub(crate) seccomp: Option<SeccompFilter>,
    pub(crate) start_suspended: bool,
}

/// The values of attributes that the kernel reads in another form. A prepared command has them ready.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    clocks: Vec<u8>,
    pub(crate) cpus: Vec<c_ulong>,
    nodes: Vec<c_ulong>,
    unveiled: Vec<(CString, CString)>,
    promises: CString,
}

/// The offsets of the clocks of a new time namespace, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClockOffsets {
    pub(crate) monotonic: Option<i64>,
    pub(crate) boottime: Option<i64>,
}

impl ClockOffsets {
    pub(crate) fn is_empty(self) -> bool {
        self.named().next().is_none()
    }

    fn named(self) -> impl Iterator<Item = (&'static str, i64)> {
        let clocks = [("monotonic", self.monotonic), ("boottime", self.boottime)];
        clocks.into_iter().filter_map(|(clock, offset)| Some((clock, offset?)))
    }

    /// The content of `timens_offsets`: seconds and nanoseconds (time_namespaces(7)).
    fn lines(self) -> Vec<u8> {
        self.named().flat_map(|(clock, seconds)| format!("{clock} {seconds} 0\n").into_bytes()).collect()
    }
}

/// One more than the highest processor number. No Linux kernel has more (`NR_CPUS`).
pub(crate) const PROCESSORS: usize = 8192;

/// One more than the highest node number. No Linux kernel has more (`MAX_NUMNODES`).
pub(crate) const NODES: usize = 1024;

/// The shortest runtime of `SCHED_DEADLINE`, in nanoseconds (sched(7)).
const SHORTEST_RUNTIME: i64 = 1024;

/// `SECUREBITS` and `SECURE_ALL_LOCKS` of `linux/securebits.h`.
const SECUREBITS: u32 = 0xff;

/// `BPF_MAXINSNS`.
const MOST_INSTRUCTIONS: usize = 4096;

impl Attributes<'_> {
    /// Checks the ranges of all values. `highest_priority` is that of the system.
    pub(crate) fn check(&self, highest_priority: u8) -> Result<(), InputError> {
        if self.cpus.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(InputError::NoProcessor);
        }
        let priority = match self.scheduler {
            Some(Scheduler::Fifo(priority) | Scheduler::RoundRobin(priority)) => Some(priority.into()),
            _ => None,
        };
        let level = match self.io_priority {
            Some(IoPriority::RealTime(level) | IoPriority::BestEffort(level)) => Some(level.into()),
            _ => None,
        };
        let nanoseconds = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        // Without this policy, both are in their range.
        let [runtime, deadline, period] = match self.scheduler {
            Some(Scheduler::Deadline { runtime, deadline, period }) => {
                [runtime, deadline, period].map(nanoseconds)
            }
            _ => [SHORTEST_RUNTIME; 3],
        };
        let (fewest, most) = match self.memory {
            Some((MemoryPolicy::Local, _)) => (0, 0),
            Some((MemoryPolicy::Preferred, _)) => (1, 1),
            _ => (1, wide(NODES)),
        };
        let nodes = self.memory.as_ref().map(|(_, nodes)| nodes);
        let highest = self.cpus.as_ref().and_then(BTreeSet::last).map(|&highest| wide(highest));
        let slack = self.timer_slack.map(nanoseconds);
        // An `unsigned long` is as wide as a `usize` on every Unix. The highest number stands for all that do not fit.
        let most_slack = wide(usize::MAX).min(i64::MAX - 1);
        let instructions = self.seccomp.as_ref().map(|filter| wide(filter.len()));
        [
            (Stage::Autogroup, self.autogroup.map(Into::into), -20, 19),
            (Stage::CpuAffinity, highest, 0, wide(PROCESSORS - 1)),
            (Stage::Scheduler, priority, 1, highest_priority.into()),
            (Stage::Scheduler, Some(runtime), SHORTEST_RUNTIME, deadline),
            (Stage::Scheduler, Some(deadline), runtime, period),
            (Stage::Scheduler, Some(period), deadline, i64::MAX - 1),
            (Stage::MemoryPolicy, nodes.map(|nodes| wide(nodes.len())), fewest, most),
            (
                Stage::MemoryPolicy,
                nodes.and_then(BTreeSet::last).map(|&highest| wide(highest)),
                0,
                wide(NODES - 1),
            ),
            (Stage::IoPriority, level, 0, 7),
            (Stage::TimerSlack, slack, 1, most_slack),
            (Stage::OomScore, self.oom_score.map(Into::into), -1000, 1000),
            (Stage::SecureBits, self.securebits.map(Into::into), 0, SECUREBITS.into()),
            (Stage::Seccomp, instructions, 1, wide(MOST_INSTRUCTIONS)),
        ]
        .into_iter()
        .try_for_each(|(stage, value, lowest, highest)| match value {
            Some(value) if !(lowest..=highest).contains(&value) => {
                Err(InputError::AttributeOutOfRange { stage, value, lowest, highest })
            }
            _ => Ok(()),
        })
    }

    pub(crate) fn has_more_processors_than(&self, most: usize) -> bool {
        self.cpus.as_ref().is_some_and(|cpus| cpus.len() > most)
    }

    /// The values as the kernel reads them.
    pub(crate) fn encode(&self) -> Result<Encoded, InputError> {
        let unveiled = self.unveiled.iter().map(|(path, permissions)| {
            let is_known = permissions.bytes().all(|letter| b"rwxc".contains(&letter));
            let letters = CString::new(permissions.as_str()).ok().filter(|_| is_known);
            let bad = || InputError::BadUnveilPermissions { permissions: permissions.clone() };
            Ok((c_path(PathRole::Unveiled, path)?, letters.ok_or_else(bad)?))
        });
        let promises = self.promises.as_ref().map(|promises| {
            let is_list =
                promises.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b' ');
            let list = CString::new(promises.as_str()).ok().filter(|_| is_list);
            list.ok_or_else(|| InputError::BadPromises { promises: promises.clone() })
        });
        Ok(Encoded {
            unveiled: unveiled.collect::<Result<_, _>>()?,
            promises: promises.transpose()?.unwrap_or_default(),
            clocks: self.clocks.lines(),
            cpus: self.cpus.as_ref().map(mask).unwrap_or_default(),
            nodes: self.memory.as_ref().map(|(_, nodes)| mask(nodes)).unwrap_or_default(),
        })
    }

    /// The attributes of the plan. Their operations depend on `self` alone, so they are known before the values are encoded. `changes_user` is true if the child changes its user ID, and `ruleset` is the descriptor of the
    /// ruleset in the plan.
    pub(crate) fn list<'a>(
        &'a self,
        encoded: &'a Encoded,
        changes_user: bool,
        ruleset: Option<Fd>,
    ) -> Vec<Attribute<'a>> {
        let unveiled = (0..).zip(&encoded.unveiled).map(|(index, (path, permissions))| Unveil {
            index,
            path,
            permissions,
        });
        let lock = (!self.unveiled.is_empty()).then_some(Attribute::LockUnveil);
        let nanoseconds = |slack: Duration| u64::try_from(slack.as_nanos()).unwrap_or(u64::MAX);
        let sets = self.capability_sets(changes_user);
        [
            (!self.clocks.is_empty()).then_some(Attribute::ClockOffsets(&encoded.clocks)),
            self.jail.map(Attribute::Jail),
            self.autogroup.map(Attribute::AutogroupNice),
            self.cpus.as_ref().map(|_| Attribute::CpuAffinity(&encoded.cpus)),
            self.scheduler.map(Attribute::Scheduler),
            self.io_priority.map(Attribute::IoPriority),
            self.memory.as_ref().map(|(policy, _)| Attribute::MemoryPolicy(*policy, &encoded.nodes)),
            self.timer_slack.map(nanoseconds).map(Attribute::TimerSlack),
            self.oom_score.map(Attribute::OomScore),
            self.fixed_addresses.then_some(Attribute::FixedAddresses),
            self.bounding.map(|set| Attribute::BoundingSet(set.bits())),
            self.securebits.map(Attribute::SecureBits),
            sets.filter(|sets| sets.nothing_else && sets.inheritable != 0)
                .map(|_| Attribute::KeepCapabilities),
            sets.map(Attribute::Capabilities),
            self.session_keyring.then_some(Attribute::SessionKeyring),
            self.promises.as_ref().map(|_| Attribute::Pledge(&encoded.promises)),
            ruleset.map(Attribute::Landlock),
            self.seccomp.as_ref().map(|filter| Attribute::Seccomp(filter.as_plan())),
            self.start_suspended.then_some(Attribute::Suspended),
        ]
        .into_iter()
        .flatten()
        .chain(unveiled.map(Attribute::Unveil).chain(lock))
        .collect()
    }

    /// An ambient capability must be inheritable. A child with another user keeps no other capability.
    fn capability_sets(&self, changes_user: bool) -> Option<CapabilitySets> {
        if self.inheritable.is_none() && self.ambient.is_none() {
            return None;
        }
        let [inheritable, ambient] =
            [self.inheritable, self.ambient].map(|set| set.unwrap_or_default().bits());
        Some(CapabilitySets { inheritable: inheritable | ambient, ambient, nothing_else: changes_user })
    }

    /// The value that a stage sets.
    pub(crate) fn operand(&self, stage: Stage, index: i32) -> Operand {
        let number = |value: Option<i64>| value.map_or(Operand::None, Operand::Number);
        let text = |value: Option<String>| value.map_or(Operand::None, Operand::Value);
        match stage {
            Stage::ClockOffsets => {
                let clocks: Vec<_> =
                    self.clocks.named().map(|(clock, seconds)| format!("{clock} {seconds}")).collect();
                Operand::Value(clocks.join(", "))
            }
            Stage::Jail => number(self.jail.map(Into::into)),
            Stage::Autogroup => number(self.autogroup.map(Into::into)),
            Stage::MemoryPolicy => text(self.memory.as_ref().map(|(policy, nodes)| {
                let nodes = ranges(nodes);
                let colon = if nodes.is_empty() { "" } else { ":" };
                format!("{}{colon}{nodes}", policy.name())
            })),
            Stage::CpuAffinity => text(self.cpus.as_ref().map(ranges)),
            Stage::Scheduler => text(self.scheduler.map(|policy| policy.to_string())),
            Stage::IoPriority => text(self.io_priority.map(|priority| priority.to_string())),
            Stage::TimerSlack => text(self.timer_slack.map(|slack| format!("{slack:?}"))),
            Stage::Unveil => {
                // The lock comes after all paths.
                let path = usize::try_from(index).ok().and_then(|index| self.unveiled.get(index));
                path.map_or(Operand::None, |(path, _)| Operand::Path(path.clone()))
            }
            Stage::Pledge => text(self.promises.clone()),
            Stage::OomScore => number(self.oom_score.map(Into::into)),
            Stage::BoundingSet => text(self.bounding.map(|set| set.to_string())),
            Stage::SecureBits => text(self.securebits.map(|bits| format!("{bits:#x}"))),
            Stage::Capabilities => text(self.ambient.or(self.inheritable).map(|set| set.to_string())),
            Stage::Landlock => self.landlock.as_ref().map_or(Operand::None, |fd| Operand::Fd(fd.as_raw_fd())),
            _ => Operand::None,
        }
    }
}

/// Bits for these numbers.
fn mask(numbers: &BTreeSet<usize>) -> Vec<c_ulong> {
    let bits = c_ulong::BITS as usize;
    let mut mask = vec![0; numbers.last().map_or(0, |highest| highest / bits + 1)];
    for number in numbers {
        mask[number / bits] |= 1 << (number % bits);
    }
    mask
}

fn wide(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes numbers as taskset(1) does: `0-3,8`.
fn ranges(numbers: &BTreeSet<usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |&(first, last): &(usize, usize)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Capability;
    use rstest::rstest;
    use std::collections::HashSet;

    fn on(cpus: &[usize]) -> Attributes<'static> {
        Attributes { cpus: Some(cpus.iter().copied().collect()), ..Attributes::default() }
    }

    #[rstest]
    #[case::one(&[0], &[1], "0")]
    #[case::a_run(&[1, 2, 3], &[0b1110], "1-3")]
    #[case::runs(&[0, 1, 2, 5, 7, 8], &[0b1_1010_0111], "0-2,5,7-8")]
    fn processors_are_bits_and_ranges(#[case] cpus: &[usize], #[case] mask: &[c_ulong], #[case] text: &str) {
        assert_eq!(on(cpus).encode().expect("it is valid").cpus, mask);
        assert_eq!(on(cpus).operand(Stage::CpuAffinity, 0), Operand::Value(text.to_owned()));
    }

    #[rstest]
    #[case::one(None, Some(-7), "boottime -7 0\n", "boottime -7")]
    #[case::both(Some(86_400), Some(0), "monotonic 86400 0\nboottime 0 0\n", "monotonic 86400, boottime 0")]
    fn clock_offsets_are_lines_of_seconds(
        #[case] monotonic: Option<i64>,
        #[case] boottime: Option<i64>,
        #[case] lines: &str,
        #[case] text: &str,
    ) {
        let attributes = Attributes { clocks: ClockOffsets { monotonic, boottime }, ..Attributes::default() };
        assert_eq!(attributes.encode().expect("it is valid").clocks, lines.as_bytes());
        assert_eq!(attributes.operand(Stage::ClockOffsets, 0), Operand::Value(text.to_owned()));
    }

    #[test]
    fn processors_are_counted() {
        assert!(on(&[0, 9]).has_more_processors_than(1));
        assert!(!on(&[9]).has_more_processors_than(1));
        assert!(!Attributes::default().has_more_processors_than(1));
    }

    #[test]
    fn processor_of_the_second_word_is_its_first_bit() {
        assert_eq!(on(&[c_ulong::BITS as usize]).encode().expect("it is valid").cpus, [0, 1]);
    }

    fn none() -> Attributes<'static> {
        Attributes::default()
    }

    #[rstest]
    #[case::processor(|highest| on(&[highest]), Stage::CpuAffinity, 8191)]
    #[case::node(|highest| Attributes { memory: Some((MemoryPolicy::Bind, BTreeSet::from([highest]))), ..none() }, Stage::MemoryPolicy, 1023)]
    #[case::securebits(|highest| Attributes { securebits: u32::try_from(highest).ok(), ..none() }, Stage::SecureBits, 0xff)]
    #[case::oom_score(|highest| Attributes { oom_score: i32::try_from(highest).ok(), ..none() }, Stage::OomScore, 1000)]
    fn highest_value_is_in_the_range(
        #[case] with: fn(usize) -> Attributes<'static>,
        #[case] stage: Stage,
        #[case] highest: usize,
    ) {
        assert_eq!(with(highest).check(99), Ok(()));
        let above = with(highest + 1).check(99).expect_err("it is too high");
        let is_named = |at, value| at == stage && value == wide(highest + 1);
        assert!(
            matches!(above, InputError::AttributeOutOfRange { stage, value, .. } if is_named(stage, value)),
            "{above:?}"
        );
    }

    /// A time too long for the kernel's number counts as the highest number, which stands for all of them.
    #[rstest]
    #[case::slack(Attributes { timer_slack: Some(Duration::MAX), ..none() }, Stage::TimerSlack)]
    #[case::period(Attributes { scheduler: Some(deadline_in(Duration::MAX)), ..none() }, Stage::Scheduler)]
    fn endless_time_is_out_of_range(#[case] attributes: Attributes<'static>, #[case] at: Stage) {
        let error = attributes.check(99).expect_err("it is too long");
        assert!(
            matches!(error, InputError::AttributeOutOfRange { stage, value: i64::MAX, .. } if stage == at),
            "{error:?}"
        );
    }

    fn deadline_in(period: Duration) -> Scheduler {
        let [runtime, deadline] = [1, 2].map(Duration::from_millis);
        Scheduler::Deadline { runtime, deadline, period }
    }

    #[rstest]
    #[case::jail(Attributes { jail: Some(3), ..none() }, Stage::Jail, Operand::Number(3))]
    #[case::autogroup(Attributes { autogroup: Some(-5), ..none() }, Stage::Autogroup, Operand::Number(-5))]
    #[case::oom_score(Attributes { oom_score: Some(-9), ..none() }, Stage::OomScore, Operand::Number(-9))]
    #[case::slack(
        Attributes { timer_slack: Some(Duration::from_millis(2)), ..none() },
        Stage::TimerSlack,
        Operand::Value("2ms".to_owned())
    )]
    #[case::securebits(Attributes { securebits: Some(0x2f), ..none() }, Stage::SecureBits, Operand::Value("0x2f".to_owned()))]
    #[case::bounding_set(
        Attributes { bounding: Some([Capability::CHOWN].into_iter().collect()), ..none() },
        Stage::BoundingSet,
        Operand::Value("chown".to_owned())
    )]
    #[case::scheduler(
        Attributes { scheduler: Some(Scheduler::Fifo(7)), ..none() },
        Stage::Scheduler,
        Operand::Value("fifo:7".to_owned())
    )]
    #[case::io_priority(
        Attributes { io_priority: Some(IoPriority::BestEffort(6)), ..none() },
        Stage::IoPriority,
        Operand::Value("best-effort:6".to_owned())
    )]
    #[case::memory(
        Attributes { memory: Some((MemoryPolicy::Bind, BTreeSet::from([0, 1]))), ..none() },
        Stage::MemoryPolicy,
        Operand::Value("bind:0-1".to_owned())
    )]
    #[case::local_memory(
        Attributes { memory: Some((MemoryPolicy::Local, BTreeSet::new())), ..none() },
        Stage::MemoryPolicy,
        Operand::Value("local".to_owned())
    )]
    #[case::promises(
        Attributes { promises: Some("stdio".to_owned()), ..none() },
        Stage::Pledge,
        Operand::Value("stdio".to_owned())
    )]
    #[case::capabilities(
        Attributes { inheritable: Some([Capability::CHOWN].into_iter().collect()), ..none() },
        Stage::Capabilities,
        Operand::Value("chown".to_owned())
    )]
    #[case::not_set(none(), Stage::Jail, Operand::None)]
    fn operand_is_the_value(
        #[case] attributes: Attributes<'static>,
        #[case] stage: Stage,
        #[case] operand: Operand,
    ) {
        assert_eq!(attributes.operand(stage, 0), operand);
    }

    fn unveiling(path: &str, permissions: &str, promises: &str) -> Attributes<'static> {
        let unveiled = vec![(path.into(), permissions.to_owned()), ("/data".into(), String::new())];
        Attributes { unveiled, promises: Some(promises.to_owned()), ..Attributes::default() }
    }

    #[test]
    fn unveiled_paths_come_before_the_lock() {
        let attributes = unveiling("/bin", "rx", "stdio rpath");
        let encoded = attributes.encode().expect("it is valid");
        let list = attributes.list(&encoded, false, None);
        let expected = [
            Attribute::Pledge(c"stdio rpath"),
            Attribute::Unveil(Unveil { index: 0, path: c"/bin", permissions: c"rx" }),
            Attribute::Unveil(Unveil { index: 1, path: c"/data", permissions: c"" }),
            Attribute::LockUnveil,
        ];
        assert_eq!(list, expected);
        assert_eq!(attributes.operand(Stage::Unveil, 1), Operand::Path("/data".into()));
        assert_eq!(attributes.operand(Stage::Unveil, 2), Operand::None);
    }

    #[rstest]
    #[case::letter("/bin", "ra", "stdio", InputError::BadUnveilPermissions { permissions: "ra".to_owned() })]
    #[case::comma("/bin", "r", "stdio,rpath", InputError::BadPromises { promises: "stdio,rpath".to_owned() })]
    #[case::nul("/bin", "r", "stdio\0", InputError::BadPromises { promises: "stdio\0".to_owned() })]
    #[case::empty_path("", "r", "stdio", InputError::EmptyPath { what: PathRole::Unveiled })]
    fn invalid_unveil_or_pledge_is_refused(
        #[case] path: &str,
        #[case] permissions: &str,
        #[case] promises: &str,
        #[case] error: InputError,
    ) {
        assert_eq!(unveiling(path, permissions, promises).encode().map(drop), Err(error));
    }

    #[test]
    fn operations_are_known_before_the_values_are_encoded() {
        let attributes = Attributes {
            clocks: ClockOffsets { monotonic: Some(1), boottime: None },
            cpus: on(&[0]).cpus,
            memory: Some((MemoryPolicy::Bind, BTreeSet::from([0]))),
            ..unveiling("/bin", "rx", "stdio")
        };
        let encoded = attributes.encode().expect("it is valid");
        let [before, after] = [&Encoded::default(), &encoded].map(|encoded| {
            let list = attributes.list(encoded, false, None);
            list.into_iter().map(Attribute::operation).collect::<HashSet<_>>()
        });
        assert_eq!(before, after);
    }

    #[test]
    fn ambient_capabilities_survive_a_change_of_the_user() {
        let [one, other] = [1, 2].map(CapabilitySet::from_bits);
        let attributes = Attributes { ambient: Some(one), inheritable: Some(other), ..Attributes::default() };
        let sets = |nothing_else| CapabilitySets { inheritable: 3, ambient: 1, nothing_else };
        let none = Encoded::default();
        let same_user = attributes.list(&none, false, None);
        assert_eq!(same_user, [Attribute::Capabilities(sets(false))]);
        let other_user = attributes.list(&none, true, None);
        assert_eq!(other_user, [Attribute::KeepCapabilities, Attribute::Capabilities(sets(true))]);
    }
}
