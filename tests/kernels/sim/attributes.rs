//! The attributes that only Linux has.
//!
//! Each rule is of the page of its call, and of capabilities(7).

use std::ffi::{CStr, c_ulong};

use forkexec_core::{Errno, Fd, Namespace, NamespaceSet};
use forkexec_linux::{AttributeCall, CapabilityMasks, Deadline};

use super::{Call, File, State};

/// The processors of this machine.
pub(super) const PROCESSORS: c_ulong = 0xff;

/// The nodes of this machine.
const NODES: c_ulong = 0b11;
const LOCAL: i32 = 4;

/// The capabilities of Linux 5.9 and later: `CAP_LAST_CAP` is 40.
const CAPABILITIES: u32 = 41;
pub(crate) const ALL: u64 = (1 << CAPABILITIES) - 1;
const SETPCAP: u64 = 1 << 8;
const SYS_ADMIN: u64 = 1 << 21;
const SYS_NICE: u64 = 1 << 23;
const SYS_TIME: u64 = 1 << 25;
const KEEP_CAPS: u32 = 1 << 4;
const NO_CAP_AMBIENT_RAISE: u32 = 1 << 6;
const REALTIME: [i32; 2] = [1, 2];
const REALTIME_IO: u32 = 1;
const QUERY: u32 = 0xffff_ffff;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// The jail of FreeBSD that it is in.
    pub(crate) jail: Option<i32>,
    pub(crate) autogroup_nice: i32,
    pub(crate) affinity: c_ulong,
    pub(crate) scheduler: (i32, i32),
    /// The parameters of `SCHED_DEADLINE`, if that is the policy.
    pub(crate) deadline: Option<Deadline>,
    pub(crate) memory_policy: (i32, c_ulong),
    pub(crate) io_priority: u32,
    pub(crate) timer_slack: u64,
    pub(crate) oom_score: i32,
    pub(crate) personality: u32,
    pub(crate) securebits: u32,
    pub(crate) bounding: u64,
    pub(crate) ambient: u64,
    pub(crate) masks: CapabilityMasks,
    /// The files of the namespaces that it joined.
    pub(crate) joined: Vec<u64>,
    pub(crate) unshared: NamespaceSet,
    /// The content of `timens_offsets` of its time namespace.
    pub(crate) clock_offsets: String,
    /// The contents of `setgroups`, `gid_map` and `uid_map` of its user namespace.
    pub(crate) maps: Vec<String>,
    /// The promises of its next program (pledge(2)).
    pub(crate) exec_promises: Option<String>,
    /// The unveiled paths and their permissions (unveil(2)).
    pub(crate) unveiled: Vec<(String, String)>,
    pub(crate) unveil_locked: bool,
    /// The session keyrings that it has left.
    pub(crate) keyrings_left: u32,
    /// The rulesets that it enforces.
    pub(crate) rulesets: u32,
    /// The instructions of its filters.
    pub(crate) filters: Vec<usize>,
    pub(crate) is_traced: bool,
    /// The program is stopped before its first instruction.
    pub(crate) is_stopped: bool,
}

impl Attributes {
    /// Those of root.
    pub(crate) fn of_root() -> Self {
        Self {
            jail: None,
            autogroup_nice: 0,
            affinity: PROCESSORS,
            scheduler: (0, 0),
            deadline: None,
            memory_policy: (0, 0),
            io_priority: 0,
            timer_slack: 50_000,
            oom_score: 0,
            personality: 0,
            securebits: 0,
            bounding: ALL,
            ambient: 0,
            masks: CapabilityMasks { effective: ALL, permitted: ALL, inheritable: 0 },
            joined: Vec::new(),
            unshared: NamespaceSet::EMPTY,
            clock_offsets: String::new(),
            maps: Vec::new(),
            exec_promises: None,
            unveiled: Vec::new(),
            unveil_locked: false,
            keyrings_left: 0,
            rulesets: 0,
            filters: Vec::new(),
            is_traced: false,
            is_stopped: false,
        }
    }

    /// Source: capabilities(7): the kernel checks the effective set.
    fn has(&self, capability: u64, otherwise: Errno) -> Result<(), Errno> {
        if self.masks.effective & capability == 0 { Err(otherwise) } else { Ok(()) }
    }

    /// The capabilities after a change from user 0 to another one.
    ///
    /// Source: `cap_emulate_setxuid` of security/commoncap.c.
    pub(super) fn after_root(&mut self) {
        if self.securebits & KEEP_CAPS == 0 {
            self.masks.permitted = 0;
        }
        (self.masks.effective, self.ambient) = (0, 0);
    }

    /// execve(2) clears `SECBIT_KEEP_CAPS` on Linux. Without promises for the program, it drops the unveiled paths on OpenBSD.
    ///
    /// Source: `sys_execve` of sys/kern/kern_exec.c of OpenBSD: `unveil_destroy` unless `PS_EXECPLEDGE`.
    pub(super) fn at_exec(&mut self) {
        self.securebits &= !KEEP_CAPS;
        if self.exec_promises.is_none() {
            self.unveiled.clear();
            self.unveil_locked = false;
        }
    }

    /// unveil(2): ENOENT for a path for which no entry qualifies, EACCES if the entry does not permit to execute it.
    pub(super) fn may_execute(&self, path: &CStr) -> Result<(), Errno> {
        let path = path.to_str().map_err(|_| Errno::NOENT)?;
        let covers = |entry: &&(String, String)| path.starts_with(&entry.0);
        match self.unveiled.iter().filter(covers).max_by_key(|(above, _)| above.len()) {
            None if self.unveiled.is_empty() => Ok(()),
            None => Err(Errno::NOENT),
            Some((_, permissions)) if permissions.contains('x') => Ok(()),
            Some(_) => Err(Errno::ACCES),
        }
    }

    /// capset(2). Source: `cap_capset` of security/commoncap.c.
    fn set_masks(&mut self, new: CapabilityMasks) -> Result<(), Errno> {
        let old = self.masks;
        let within = |part: u64, whole: u64| if part & !whole == 0 { Ok(()) } else { Err(Errno::PERM) };
        if self.has(SETPCAP, Errno::PERM).is_err() {
            within(new.inheritable, old.inheritable | old.permitted)?;
        }
        within(new.inheritable, old.inheritable | self.bounding)?;
        within(new.permitted, old.permitted)?;
        within(new.effective, new.permitted)?;
        self.masks = new;
        self.ambient &= new.permitted & new.inheritable;
        Ok(())
    }
}

/// Scheduling.
impl Attributes {
    /// sched(7): EINVAL unless 1024 ns <= runtime <= deadline <= period. sched_setattr(2): EPERM without privilege.
    fn set_deadline(&mut self, deadline: Deadline) -> Result<(), Errno> {
        let times = [1024, deadline.runtime, deadline.deadline, deadline.period];
        if !times.is_sorted() {
            return Err(Errno::INVAL);
        }
        self.has(SYS_NICE, Errno::PERM)?;
        self.deadline = Some(deadline);
        Ok(())
    }

    /// set_mempolicy(2): EINVAL if no node of the mask is there, or if there are nodes for a policy that takes none.
    fn set_memory_policy(&mut self, mode: i32, nodes: &[c_ulong]) -> Result<(), Errno> {
        let there = nodes.first().copied().unwrap_or(0) & NODES;
        if (mode == LOCAL) != (there == 0) {
            return Err(Errno::INVAL);
        }
        self.memory_policy = (mode, there);
        Ok(())
    }
}

/// The length of a mask in bits.
fn bits(mask: &[c_ulong]) -> usize {
    mask.len() * c_ulong::BITS as usize
}

/// The name under which a call is recorded.
fn name(call: AttributeCall<'_>) -> &'static str {
    match call {
        AttributeCall::SetAffinity(_) => "set_affinity",
        AttributeCall::SetScheduler(..) => "set_scheduler",
        AttributeCall::SetDeadline(_) => "set_deadline",
        AttributeCall::SetMemoryPolicy(..) => "set_memory_policy",
        AttributeCall::SetIoPriority(_) => "set_io_priority",
        AttributeCall::SetTimerSlack(_) => "set_timer_slack",
        AttributeCall::Personality(_) => "personality",
        AttributeCall::IsInBoundingSet(_) => "is_in_bounding_set",
        AttributeCall::DropFromBoundingSet(_) => "drop_from_bounding_set",
        AttributeCall::SecureBits => "securebits",
        AttributeCall::SetSecureBits(_) => "set_securebits",
        AttributeCall::KeepCapabilities => "keep_capabilities",
        AttributeCall::SetCapabilities(_) => "capset",
        AttributeCall::ClearAmbient => "clear_ambient",
        AttributeCall::RaiseAmbient(_) => "raise_ambient",
        AttributeCall::IsAmbient(_) => "is_ambient",
        AttributeCall::JoinNamespace(_) => "join_namespace",
        AttributeCall::Unshare(_) => "unshare",
        AttributeCall::JoinSessionKeyring => "join_session_keyring",
        AttributeCall::RestrictSelf(_) => "restrict_self",
        AttributeCall::SetSeccompFilter(..) => "set_seccomp_filter",
        AttributeCall::TraceMe => "trace_me",
    }
}

/// The record of a call, with its number if there is one.
pub(super) fn record(call: AttributeCall<'_>) -> Call {
    match call {
        AttributeCall::IsInBoundingSet(number) | AttributeCall::IsAmbient(number) => {
            Call::on(name(call), number)
        }
        AttributeCall::RestrictSelf(fd) | AttributeCall::JoinNamespace(fd) => Call::on(name(call), fd),
        AttributeCall::SetSeccompFilter(program, _) => {
            Call::on(name(call), i64::try_from(program.len()).expect("a filter is short"))
        }
        _ => Call::new(name(call)),
    }
}

impl State {
    /// sched_getaffinity(2): EINVAL if the mask of the kernel does not fit. This kernel is built for the most processors
    /// (`NR_CPUS`).
    pub(super) fn affinity(&self, mask: &mut [c_ulong]) -> Result<usize, Errno> {
        if bits(mask) < 8192 {
            return Err(Errno::INVAL);
        }
        mask[0] = self.process.attributes.affinity;
        Ok(size_of::<c_ulong>())
    }

    /// get_mempolicy(2): EINVAL if the mask of the kernel does not fit. This kernel is built for the most nodes (`NODES_SHIFT`).
    /// `copy_nodes_to_user` of mm/mempolicy.c: EINVAL for more than a page.
    pub(super) fn memory_policy(&self, nodes: &mut [c_ulong]) -> Result<i32, Errno> {
        if !(1024..=8 * 4096).contains(&bits(nodes)) {
            return Err(Errno::INVAL);
        }
        let (mode, there) = self.process.attributes.memory_policy;
        nodes[0] = there;
        Ok(mode)
    }

    /// `proc_sched_autogroup_set_nice` of kernel/sched/autogroup.c: EINVAL outside of the range, EPERM below 0 without privilege.
    pub(super) fn write_autogroup(&mut self, text: &[u8]) -> Result<(), Errno> {
        let nice = str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Errno::INVAL)?;
        if !(-20..=19).contains(&nice) {
            return Err(Errno::INVAL);
        }
        if nice < 0 && self.process.uid != 0 {
            return Err(Errno::PERM);
        }
        self.process.attributes.autogroup_nice = nice;
        Ok(())
    }

    /// time_namespaces(7): EPERM without privilege, EACCES if a process is in the namespace, EINVAL for another line, ERANGE for a
    /// clock below zero.
    ///
    /// Source: `proc_timens_set_offset` of kernel/time/namespace.c.
    pub(super) fn write_clock_offsets(&mut self, text: &[u8]) -> Result<(), Errno> {
        let text = str::from_utf8(text).map_err(|_| Errno::INVAL)?;
        let attributes = &mut self.process.attributes;
        attributes.has(SYS_TIME, Errno::PERM)?;
        for line in text.lines() {
            let [clock, seconds, "0"] = line.split(' ').collect::<Vec<_>>()[..] else {
                return Err(Errno::INVAL);
            };
            let seconds: i64 = seconds.parse().map_err(|_| Errno::INVAL)?;
            if !["monotonic", "boottime"].contains(&clock) {
                return Err(Errno::INVAL);
            }
            if seconds < 0 {
                return Err(Errno::from_raw(libc::ERANGE));
            }
        }
        if !attributes.unshared.contains(Namespace::Time) {
            return Err(Errno::ACCES);
        }
        text.clone_into(&mut attributes.clock_offsets);
        Ok(())
    }

    /// user_namespaces(7): EPERM for groups before setgroups(2) is given up.
    pub(super) fn write_map(&mut self, file: File, text: &[u8]) -> Result<(), Errno> {
        let maps = &mut self.process.attributes.maps;
        let denied = maps.iter().any(|map| map == "deny");
        if file == File::GroupMap && !denied && self.process.uid != 0 {
            return Err(Errno::PERM);
        }
        maps.push(String::from_utf8_lossy(text).into_owned());
        Ok(())
    }

    /// proc_pid_oom_score_adj(5): EACCES for less than before without privilege, EINVAL outside of the range.
    pub(super) fn write_oom_score(&mut self, text: &[u8]) -> Result<(), Errno> {
        let score = str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Errno::INVAL)?;
        if !(-1000..=1000).contains(&score) {
            return Err(Errno::INVAL);
        }
        if score < self.process.attributes.oom_score && self.process.uid != 0 {
            return Err(Errno::ACCES);
        }
        self.process.attributes.oom_score = score;
        Ok(())
    }

    /// Source: the page of each call: sched_setaffinity(2), sched_setscheduler(2), sched_setattr(2), set_mempolicy(2), ioprio_set(2), prctl(2), personality(2), capset(2),
    /// keyctl(2), landlock_restrict_self(2), seccomp(2), ptrace(2).
    pub(super) fn attribute(&mut self, call: AttributeCall<'_>) -> Result<u64, Errno> {
        let no_new_privs = self.process.no_new_privs;
        let attributes = &mut self.process.attributes;
        let may_confine = |attributes: &Attributes, otherwise| {
            if no_new_privs { Ok(()) } else { attributes.has(SYS_ADMIN, otherwise) }
        };
        let is_capability =
            |number: u32| if number < CAPABILITIES { Ok(1 << number) } else { Err(Errno::INVAL) };
        match call {
            // EINVAL if no processor of the mask is there. Others are ignored.
            AttributeCall::SetAffinity(mask) => {
                let there = mask.first().copied().unwrap_or(0) & PROCESSORS;
                if there == 0 {
                    return Err(Errno::INVAL);
                }
                attributes.affinity = there;
            }
            // EINVAL for a policy with a priority that it does not have.
            AttributeCall::SetScheduler(policy, priority) => {
                let is_realtime = REALTIME.contains(&policy);
                if is_realtime != (1..=99).contains(&priority) {
                    return Err(Errno::INVAL);
                }
                if is_realtime {
                    attributes.has(SYS_NICE, Errno::PERM)?;
                }
                attributes.scheduler = (policy, priority);
            }
            AttributeCall::SetDeadline(deadline) => attributes.set_deadline(deadline)?,
            AttributeCall::SetMemoryPolicy(mode, nodes) => attributes.set_memory_policy(mode, nodes)?,
            AttributeCall::SetIoPriority(priority) => {
                if priority >> 13 == REALTIME_IO {
                    attributes.has(SYS_NICE, Errno::PERM)?;
                }
                attributes.io_priority = priority;
            }
            AttributeCall::SetTimerSlack(nanoseconds) => attributes.timer_slack = nanoseconds,
            AttributeCall::Personality(persona) => {
                let before = attributes.personality;
                if persona != QUERY {
                    attributes.personality = persona;
                }
                return Ok(before.into());
            }
            AttributeCall::IsInBoundingSet(number) => {
                return is_capability(number).map(|bit| u64::from(attributes.bounding & bit != 0));
            }
            AttributeCall::DropFromBoundingSet(number) => {
                attributes.has(SETPCAP, Errno::PERM)?;
                attributes.bounding &= !is_capability(number)?;
            }
            AttributeCall::SecureBits => return Ok(attributes.securebits.into()),
            AttributeCall::SetSecureBits(bits) => {
                attributes.has(SETPCAP, Errno::PERM)?;
                attributes.securebits = bits;
            }
            AttributeCall::KeepCapabilities => attributes.securebits |= KEEP_CAPS,
            AttributeCall::SetCapabilities(masks) => attributes.set_masks(masks)?,
            AttributeCall::ClearAmbient => attributes.ambient = 0,
            AttributeCall::RaiseAmbient(number) => {
                let bit = is_capability(number)?;
                let may = attributes.masks.permitted & attributes.masks.inheritable & bit != 0;
                if !may || attributes.securebits & NO_CAP_AMBIENT_RAISE != 0 {
                    return Err(Errno::PERM);
                }
                attributes.ambient |= bit;
            }
            AttributeCall::IsAmbient(number) => {
                return is_capability(number).map(|bit| u64::from(attributes.ambient & bit != 0));
            }
            // setns(2): EPERM without privilege, EINVAL if it is no namespace.
            AttributeCall::JoinNamespace(fd) => {
                attributes.has(SYS_ADMIN, Errno::PERM)?;
                let entry = self.table.get(fd)?;
                if entry.kind != File::Namespace {
                    return Err(Errno::INVAL);
                }
                self.process.attributes.joined.push(entry.file);
            }
            // unshare(2): EPERM without privilege, unless a user namespace gives it.
            AttributeCall::Unshare(namespaces) => {
                if !namespaces.contains(Namespace::User) {
                    attributes.has(SYS_ADMIN, Errno::PERM)?;
                }
                attributes.unshared = namespaces;
            }
            AttributeCall::JoinSessionKeyring => attributes.keyrings_left += 1,
            AttributeCall::RestrictSelf(ruleset) => {
                may_confine(attributes, Errno::PERM)?;
                is_ruleset(self, ruleset)?;
                self.process.attributes.rulesets += 1;
            }
            AttributeCall::SetSeccompFilter(program, _) => {
                if program.is_empty() {
                    return Err(Errno::INVAL);
                }
                may_confine(attributes, Errno::ACCES)?;
                attributes.filters.push(program.len());
            }
            // ptrace(2): EPERM if the process is already traced.
            AttributeCall::TraceMe if attributes.is_traced => return Err(Errno::PERM),
            AttributeCall::TraceMe => attributes.is_traced = true,
        }
        Ok(0)
    }
}

/// landlock_restrict_self(2): EBADF and EBADFD.
fn is_ruleset(state: &State, fd: Fd) -> Result<(), Errno> {
    if state.table.get(fd)?.kind == File::Ruleset { Ok(()) } else { Err(Errno::from_raw(libc::EBADFD)) }
}
