//! The expected calls.

use std::fs::File;
use std::iter;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use forkexec::{
    Capability, CapabilitySet, Command, IoPriority, MemoryPolicy, Namespace, Resource, Scheduler,
    SeccompFilter, SpawnPolicy, Stdio,
};

use crate::{probe, world};

/// The name of a call, and its purpose.
pub type Known = (&'static str, &'static str);

/// Calls in the order in which the processes make them.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// The parent's.
    pub parent: &'static [Known],
    /// The child's, its exec among them.
    pub child: &'static [Known],
}

/// The calls of a start without options.
pub const BY_CLONE: Cost = Cost {
    parent: &[
        ("rt_sigprocmask", "blocks all signals, so no handler of the parent runs in the child"),
        ("clone3", "starts the child with shared memory and descriptor table, and returns its pidfd"),
        ("rt_sigprocmask", "restores the mask"),
        ("wait4", "`__WCLONE`, without waiting: detects a child that died inside execve"),
    ],
    child: &[
        (
            "close_range",
            "`CLOSE_RANGE_UNSHARE`: gives the child its own table, without copying numbers above the highest that it needs",
        ),
        ("rt_sigaction", "sets the default action of `SIGPIPE`"),
        ("rt_sigaction", "sets the default action of `SIGCHLD`"),
        ("rt_sigaction", "sets the default action of `SIGXFSZ`"),
        ("rt_sigprocmask", "sets the program's mask"),
        ("execve", "runs the program"),
    ],
};

/// The calls of a start by fork(2) without options. Other calls of the C library's fork(3) are not listed, nor are those for
/// signals: [`LOOKS`], and one more for each signal that gets another disposition.
pub const BY_FORK: Cost = Cost {
    parent: &[
        ("mmap", "maps shared memory for the report"),
        ("pipe2", "creates a pipe that tells when to read the report"),
        ("fstat", "identifies the pipe, because a pre-exec closure may replace it"),
        ("getpid", "gets the parent's id, for `die_with_parent` and `/proc`"),
        ("rt_sigprocmask", "blocks all signals, so no handler of the parent runs in the child"),
        (
            "rt_sigprocmask",
            "unblocks the signal for changes of ids: a thread that changes ids may hold a lock that fork or its handlers wait for",
        ),
        ("fork", "starts the child"),
        ("rt_sigprocmask", "restores the mask"),
        ("close", "closes the pipe's writing end"),
        ("ppoll", "waits for the child; after a moment the parent checks by itself"),
        ("read", "reads the child's byte: it is about to exec"),
        ("ppoll", "as above"),
        ("read", "reads end of file: the child executed its program, or died"),
        ("setpgid", "moves the child to an impossible group: `EACCES` means that it runs a program"),
        ("setpgid", "the same for the parent: another errno shows that no filter answers"),
        ("close", "closes the pipe's reading end"),
        ("munmap", "unmaps the shared memory"),
        ("pidfd_open", "opens the child's pidfd"),
    ],
    child: &[
        ("rt_sigprocmask", "sets the program's mask"),
        ("close_range", "closes everything below the pipe's number"),
        ("close_range", "closes everything above it"),
        ("write", "writes a byte: it is about to exec"),
        ("execve", "runs the program"),
    ],
};

/// The signals that a forked child checks, because it inherits its parent's handlers.
pub const LOOKS: usize = 64;

/// The call for each gap between descriptors of the program, below the highest one that the child needs.
pub const GAP: Known = ("close_range", "closes a gap between descriptors of the program");

/// The parent's calls for a child with other ids that shares its memory, once for user and group.
pub const NEW_IDS: [Known; 3] = [
    ("getpid", "checks whether this process was forked since its last start with other ids"),
    ("prctl", "reads whether the memory may be traced, because a change of ids clears that"),
    ("prctl", "makes the memory as traceable as before"),
];

const TID: Known = ("gettid", "names the thread from which the child takes descriptors");

/// An operation of a command.
pub struct Operation {
    /// Its name on a command line.
    pub name: &'static str,
    /// Its method, as the document shows it.
    pub method: &'static str,
    /// Its calls besides the constant.
    pub cost: Cost,
    /// The gaps that the child closes if this is the only operation.
    pub gaps: usize,
    /// True if the child gets other ids: [`NEW_IDS`].
    pub changes_ids: bool,
    /// True if it needs root.
    pub is_privileged: bool,
    /// Adds it to a command.
    pub ask: for<'a> fn(&'a mut Command) -> &'a mut Command,
}

impl Operation {
    /// Returns the operation of this name.
    ///
    /// # Panics
    ///
    /// If no operation has this name.
    pub fn named(name: &str) -> &'static Self {
        let found = OPERATIONS.iter().find(|operation| operation.name == name);
        found.unwrap_or_else(|| panic!("no operation is called {name}"))
    }
}

const fn costing(parent: &'static [Known], child: &'static [Known]) -> Operation {
    Operation {
        name: "",
        method: "",
        cost: Cost { parent, child },
        gaps: 0,
        changes_ids: false,
        is_privileged: false,
        ask: |command| command,
    }
}

const NOBODY: u32 = 65_534;

/// Removes one capability. The child asks about that one alone.
const BOUNDING_SET: &[Known] = &[
    ("prctl", "asks whether the capability is in the set"),
    ("prctl", "removes the capability"),
    ("prctl", "verifies that"),
    ("prctl", "asks for a capability that no kernel has, to detect a filter that answers 0"),
];

/// All operations that the document counts.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "null",
        method: "`stdin(Stdio::null())`",
        gaps: 1,
        ask: |command| command.stdin(Stdio::null()),
        ..costing(&[], &[("dup3", "moves `/dev/null` to 0")])
    },
    Operation {
        name: "captured",
        method: "`stdout(Stdio::piped())`",
        gaps: 1,
        ask: |command| command.stdout(Stdio::piped()),
        ..costing(
            &[("pipe2", "creates the pipe"), ("close", "closes the child's end")],
            &[("dup3", "moves the pipe to 1")],
        )
    },
    Operation {
        name: "kept",
        method: "`keep_fd`, twice",
        gaps: 1,
        ask: |command| command.keep_fd(pipe_at(20)).keep_fd(pipe_at(21)),
        ..costing(
            &[],
            &[
                ("fcntl", "clears close-on-exec of the first"),
                ("fcntl", "clears close-on-exec of the second"),
            ],
        )
    },
    Operation {
        name: "mapped",
        method: "`fd`",
        gaps: 1,
        ask: |command| command.fd(10, OwnedFd::from(os_pipe::pipe().expect("a pipe can be made").0)),
        ..costing(&[], &[("dup3", "duplicates the source to the target")])
    },
    Operation {
        name: "high",
        method: "`fd` of a number from 64 up, which the child takes",
        ask: |command| command.fd(11, pipe_at(200)),
        ..costing(
            &[TID],
            &[
                (
                    "getppid",
                    "checks that the calling thread is the first one: a pidfd of another needs a flag",
                ),
                ("getppid", "as above"),
                ("pidfd_open", "opens a pidfd of the parent"),
                ("pidfd_getfd", "duplicates the source"),
                ("close", "closes the pidfd"),
                ("dup3", "duplicates the descriptor to the target"),
            ],
        )
    },
    Operation {
        name: "crowded",
        method: "`stdout(Stdio::piped())`, if the numbers below 64 are in use",
        ask: |command| {
            crowd();
            command.stdout(Stdio::piped())
        },
        ..costing(
            &[
                ("pipe2", "creates the pipe"),
                TID,
                ("prlimit64", "reads the limit, because the pidfd's number is 24 or more"),
                ("close", "closes the child's end"),
            ],
            &[
                ("fstat", "identifies the pipe in the shared table"),
                ("fstat", "checks that `/proc/PARENT/fd/N` leads to that pipe"),
                ("openat", "opens it"),
                ("fstat", "checks that it is that pipe"),
                ("dup3", "moves the pipe to 1"),
            ],
        )
    },
    Operation {
        name: "root",
        method: "`chroot`",
        is_privileged: true,
        ask: |command| command.chroot("/"),
        ..costing(&[], &[("chroot", "sets the new root"), ("chdir", "enters it")])
    },
    Operation {
        name: "directory",
        method: "`current_dir`",
        ask: |command| command.current_dir("/"),
        ..costing(&[], &[("chdir", "enters the working directory")])
    },
    Operation {
        name: "open-directory",
        method: "`current_dir_fd`",
        gaps: 1,
        ask: |command| command.current_dir_fd(File::open("/").expect("there is a root")),
        ..costing(&[], &[("fchdir", "enters the working directory")])
    },
    Operation {
        name: "umask",
        method: "`umask`",
        ask: |command| command.umask(0o027),
        ..costing(&[], &[("umask", "sets the mask")])
    },
    Operation {
        name: "ignored",
        method: "`ignore_signal`",
        ask: |command| command.ignore_signal(libc::SIGHUP),
        ..costing(&[], &[("rt_sigaction", "ignores the signal")])
    },
    Operation {
        name: "mask",
        method: "`signal_mask`",
        ask: |command| command.signal_mask([libc::SIGHUP]),
        ..costing(&[], &[])
    },
    Operation {
        name: "session",
        method: "`setsid`",
        ask: |command| command.setsid(),
        ..costing(&[], &[("setsid", "starts the session")])
    },
    Operation {
        name: "group",
        method: "`process_group`",
        ask: |command| command.process_group(0),
        ..costing(&[], &[("setpgid", "sets the process group")])
    },
    Operation {
        name: "limit",
        method: "`rlimit`",
        ask: |command| command.rlimit(Resource::CORE, Some(0), Some(0)),
        ..costing(&[], &[("prlimit64", "sets the limit")])
    },
    Operation {
        name: "number-limit",
        method: "`rlimit` of `Resource::NOFILE`",
        ask: |command| command.rlimit(Resource::NOFILE, Some(64), Some(64)),
        ..costing(
            &[],
            &[
                ("prlimit64", "reads the old limit, the bound of a loop that closes"),
                ("prlimit64", "sets the limit"),
            ],
        )
    },
    Operation {
        name: "nice",
        method: "`nice`",
        ask: |command| command.nice(5),
        ..costing(&[], &[("setpriority", "sets the nice value")])
    },
    Operation {
        name: "groups",
        method: "`groups`",
        is_privileged: true,
        ask: |command| command.groups([]),
        ..costing(&[], &[("setgroups", "sets the supplementary groups"), ("getgroups", "verifies them")])
    },
    Operation {
        name: "gid",
        method: "`gid`",
        changes_ids: true,
        is_privileged: true,
        ask: |command| command.keep_groups().gid(NOBODY),
        ..costing(&[], &[("setresgid", "sets all three group ids"), ("getresgid", "verifies them")])
    },
    Operation {
        name: "uid",
        method: "`uid`",
        changes_ids: true,
        is_privileged: true,
        ask: |command| command.keep_groups().uid(NOBODY),
        ..costing(
            &[],
            &[
                ("setresuid", "sets all three user ids"),
                ("getresuid", "verifies them"),
                ("capget", "checks for capabilities that would survive"),
            ],
        )
    },
    Operation {
        name: "no-new-privs",
        method: "`no_new_privs`",
        ask: |command| command.no_new_privs(),
        ..costing(&[], &[("prctl", "sets no-new-privs"), ("prctl", "verifies it")])
    },
    Operation {
        name: "die-with-parent",
        method: "`die_with_parent`",
        // The traced thread starts the child.
        ask: |command| command.die_with_parent(libc::SIGKILL).pdeathsig_thread(false),
        ..costing(
            &[("getpid", "gets the parent's id")],
            &[("prctl", "sets the parent-death signal"), ("getppid", "checks that the parent still runs")],
        )
    },
    Operation {
        name: "unshare",
        method: "`unshare`",
        is_privileged: true,
        ask: |command| command.unshare([Namespace::Uts]),
        ..costing(&[], &[])
    },
    Operation {
        name: "group-map",
        method: "`unshare` of a user namespace, `map_group`",
        is_privileged: true,
        ask: |command| command.unshare([Namespace::User]).map_group(0),
        ..costing(
            &[("getegid", "gets the id outside of the namespace")],
            &[
                ("openat", "opens `/proc/self/setgroups`"),
                ("fstatfs", "checks that it is on a procfs"),
                ("write", "gives up setgroups(2), as the map of the groups demands"),
                ("close", "closes the file"),
                ("openat", "opens `/proc/self/gid_map`"),
                ("fstatfs", "checks that it is on a procfs"),
                ("write", "maps the id"),
                ("close", "closes the file"),
            ],
        )
    },
    Operation {
        name: "map-user",
        method: "`unshare` of a user namespace, `map_user`",
        is_privileged: true,
        ask: |command| command.unshare([Namespace::User]).map_user(0),
        ..costing(
            &[("geteuid", "gets the id outside of the namespace")],
            &[
                ("openat", "opens `/proc/self/uid_map`"),
                ("fstatfs", "checks that it is on a procfs"),
                ("write", "maps the id"),
                ("close", "closes the file"),
            ],
        )
    },
    Operation {
        name: "time-namespace",
        method: "`unshare` of a time namespace, `monotonic_offset`",
        is_privileged: true,
        ask: |command| command.unshare([Namespace::Time]).monotonic_offset(60),
        ..costing(
            &[],
            &[
                ("unshare", "creates the namespace"),
                ("openat", "opens `/proc/self/timens_offsets`"),
                ("fstatfs", "checks that it is on a procfs"),
                ("write", "sets the offset"),
                ("close", "closes the file"),
            ],
        )
    },
    Operation {
        name: "setns",
        method: "`setns`",
        is_privileged: true,
        changes_ids: true,
        gaps: 1,
        ask: |command| command.setns(File::open("/proc/self/ns/uts").expect("there is procfs")),
        ..costing(&[], &[("setns", "joins the namespace")])
    },
    Operation {
        name: "cpus",
        method: "`cpu_affinity`",
        ask: |command| command.cpu_affinity([world::processor()]),
        ..costing(
            &[],
            &[
                ("sched_setaffinity", "sets the processors"),
                ("sched_getaffinity", "verifies that none is missing"),
            ],
        )
    },
    Operation {
        name: "scheduler",
        method: "`scheduler`",
        ask: |command| command.scheduler(Scheduler::Batch),
        ..costing(&[], &[("sched_setscheduler", "sets the policy")])
    },
    Operation {
        name: "io-priority",
        method: "`io_priority`",
        ask: |command| command.io_priority(IoPriority::Idle),
        ..costing(&[], &[("ioprio_set", "sets the class and the level")])
    },
    Operation {
        name: "memory-policy",
        method: "`memory_policy`",
        ask: |command| command.memory_policy(MemoryPolicy::Local, []),
        ..costing(
            &[],
            &[("set_mempolicy", "sets the policy"), ("get_mempolicy", "verifies that no node is missing")],
        )
    },
    Operation {
        name: "autogroup",
        method: "`setsid`, `autogroup_nice`",
        ask: |command| command.setsid().autogroup_nice(1),
        ..costing(
            &[],
            &[
                ("setsid", "creates the session"),
                ("openat", "opens `/proc/self/autogroup`"),
                ("fstatfs", "checks that it is on a procfs"),
                ("write", "sets the nice value"),
                ("close", "closes the file"),
            ],
        )
    },
    Operation {
        name: "timer-slack",
        method: "`timer_slack`",
        ask: |command| command.timer_slack(Duration::from_millis(1)),
        ..costing(&[], &[("prctl", "sets the timer slack")])
    },
    Operation {
        name: "oom-score",
        method: "`oom_score_adj`",
        ask: |command| command.oom_score_adj(1000),
        ..costing(
            &[],
            &[
                ("openat", "opens `/proc/self/oom_score_adj`"),
                ("fstatfs", "checks that it is on a procfs"),
                ("write", "sets the score"),
                ("close", "closes the file"),
            ],
        )
    },
    Operation {
        name: "fixed-addresses",
        method: "`fixed_addresses`",
        ask: |command| command.fixed_addresses(),
        ..costing(
            &[],
            &[("personality", "reads the personality"), ("personality", "adds `ADDR_NO_RANDOMIZE`")],
        )
    },
    Operation {
        name: "bounding-set",
        method: "`bounding_capabilities`, without one capability",
        is_privileged: true,
        ask: |command| command.bounding_capabilities(CapabilitySet::ALL.without(Capability::CHOWN)),
        ..costing(&[], BOUNDING_SET)
    },
    Operation {
        name: "securebits",
        method: "`securebits`",
        is_privileged: true,
        ask: |command| command.securebits(0),
        ..costing(&[], &[("prctl", "sets the securebits"), ("prctl", "verifies them")])
    },
    Operation {
        name: "capabilities",
        method: "`ambient_capabilities`, one",
        is_privileged: true,
        ask: |command| command.ambient_capabilities([Capability::NET_BIND_SERVICE]),
        ..costing(
            &[],
            &[
                ("capget", "reads the permitted and the effective set"),
                ("prctl", "clears the ambient set"),
                ("capset", "sets the inheritable set"),
                ("capget", "verifies it"),
                ("prctl", "raises the ambient capability"),
                ("prctl", "verifies it"),
                ("prctl", "asks for a capability that no kernel has, to detect a filter that answers 0"),
            ],
        )
    },
    Operation {
        name: "session-keyring",
        method: "`session_keyring`",
        ask: |command| command.session_keyring(),
        ..costing(&[], &[("keyctl", "creates the keyring")])
    },
    Operation {
        name: "seccomp",
        method: "`seccomp`",
        is_privileged: true,
        ask: |command| command.seccomp(SeccompFilter::new([(0x06, 0, 0, 0x7fff_0000)])),
        ..costing(
            &[],
            &[
                ("seccomp", "passes an invalid filter, to detect a filter that answers 0"),
                ("seccomp", "installs the filter"),
            ],
        )
    },
    Operation {
        name: "landlock",
        method: "`landlock`",
        is_privileged: true,
        ask: |command| command.landlock(world::ruleset().expect("there is Landlock")),
        ..costing(
            &[],
            &[
                ("landlock_restrict_self", "enforces the ruleset"),
                ("landlock_restrict_self", "passes no ruleset, to detect a filter that answers 0"),
                ("close", "closes the ruleset"),
            ],
        )
    },
    Operation {
        name: "executable",
        method: "`executable`, in the place of `execve`",
        ask: |command| command.executable(File::open(probe::path()).expect("the program can be read")),
        ..costing(
            &[],
            &[
                ("fcntl", "sets close-on-exec on the file, because the program does not get it"),
                ("execveat", "runs the program of the file"),
            ],
        )
    },
    Operation {
        name: "no-pidfd",
        method: "`create_pidfd(false)`",
        ask: |command| command.create_pidfd(false),
        ..costing(&[], &[])
    },
];

/// A start that the document shows.
pub struct Start<'a> {
    /// Its title.
    pub title: &'static str,
    /// The names of its operations.
    pub asked: &'a [&'static str],
    /// The gaps that the child closes.
    pub gaps: usize,
    /// The policy of the start.
    pub launch: SpawnPolicy,
}

impl Start<'_> {
    /// Returns the calls of the parent and of the child, in the order of the operations.
    pub fn expected(&self) -> [Vec<Known>; 2] {
        let constant = if self.launch == SpawnPolicy::Fork { BY_FORK } else { BY_CLONE };
        let operations = self.asked.iter().map(|name| Operation::named(name).cost);
        let costs: Vec<_> = [constant].into_iter().chain(operations).collect();
        let changes_ids = self.asked.iter().any(|name| Operation::named(name).changes_ids);
        let new_ids = NEW_IDS.into_iter().filter(|_| changes_ids && self.launch != SpawnPolicy::Fork);
        let parent = costs.iter().flat_map(|cost| cost.parent).copied().chain(new_ids);
        let child = costs.iter().flat_map(|cost| cost.child).copied();
        let executes_a_file = child.clone().any(|(name, _)| name == "execveat");
        let child = child.filter(|(name, _)| !executes_a_file || *name != "execve");
        [parent.collect(), child.chain(iter::repeat_n(GAP, self.gaps)).collect()]
    }
}

/// All starts that the document shows.
pub const STARTS: &[Start<'static>] = &[
    Start { title: "no options", asked: &[], gaps: 0, launch: SpawnPolicy::NoFork },
    Start { title: "captured output", asked: &["captured"], gaps: 1, launch: SpawnPolicy::NoFork },
    Start { title: "captured output, high", asked: &["crowded"], gaps: 0, launch: SpawnPolicy::NoFork },
    Start { title: "two kept descriptors", asked: &["kept"], gaps: 1, launch: SpawnPolicy::NoFork },
    Start {
        title: "many options",
        asked: &[
            "captured",
            "kept",
            "mapped",
            "directory",
            "umask",
            "session",
            "limit",
            "nice",
            "groups",
            "gid",
            "uid",
            "no-new-privs",
            "die-with-parent",
        ],
        gaps: 2,
        launch: SpawnPolicy::NoFork,
    },
    Start {
        title: "attributes of Linux",
        asked: &[
            "cpus",
            "scheduler",
            "io-priority",
            "timer-slack",
            "oom-score",
            "fixed-addresses",
            "securebits",
            "gid",
            "uid",
            "session-keyring",
            "no-new-privs",
            "seccomp",
        ],
        gaps: 0,
        launch: SpawnPolicy::NoFork,
    },
    Start { title: "by fork, no options", asked: &[], gaps: 0, launch: SpawnPolicy::Fork },
];

/// Uses all numbers below 64, for good.
fn crowd() {
    while File::open("/dev/null").expect("every system has it").into_raw_fd() < 64 {}
}

/// Creates a pipe and moves its reading end to this number.
fn pipe_at(number: i32) -> OwnedFd {
    let (reader, _) = os_pipe::pipe().expect("a pipe can be made");
    world::place(reader.as_fd(), number)
}
