//! What is written down.

use std::fs::File;
use std::io;
use std::iter;
use std::os::fd::{AsFd, OwnedFd};

use forkexec::{Command, Resource, SpawnPolicy, Stdio};

use crate::world;

/// A call by its name, and what it is for.
pub type Known = (&'static str, &'static str);

/// Calls in the order in which they are made.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// The parent's.
    pub parent: &'static [Known],
    /// The child's, its exec among them.
    pub child: &'static [Known],
}

/// What a start costs that asks for nothing.
pub const BY_CLONE: Cost = Cost {
    parent: &[
        ("rt_sigprocmask", "blocks all signals: no handler of the parent's runs in the child"),
        ("clone3", "starts the child, which borrows memory and descriptor table, and gives a pidfd of it"),
        ("rt_sigprocmask", "sets the mask back"),
        (
            "wait4",
            "`__WCLONE`, without waiting: a child that died in its exec is told from one that runs its program",
        ),
    ],
    child: &[
        (
            "close_range",
            "`CLOSE_RANGE_UNSHARE`: a table of its own, of which what lies above the highest number needed is not even copied",
        ),
        ("rt_sigaction", "`SIGPIPE` is not ignored any more"),
        ("rt_sigaction", "`SIGCHLD` is not ignored any more"),
        ("rt_sigaction", "`SIGXFSZ` is not ignored any more"),
        ("rt_sigprocmask", "sets the program's mask"),
        ("execve", "runs the program"),
    ],
};

/// What a start by fork(2) costs that asks for nothing, but for what the C library's fork(3) does beside, and for signals:
/// [`LOOKS`], and one more for each signal that gets another disposition.
pub const BY_FORK: Cost = Cost {
    parent: &[
        ("mmap", "memory that stays shared: the child reports in it"),
        ("pipe2", "a pipe whose end says when to look there"),
        ("fstat", "which file that is: a pre-exec closure may have put another in its place"),
        ("getpid", "what the child's parent is, for dying with it and for `/proc`"),
        ("rt_sigprocmask", "blocks all signals: no handler of the parent's runs in the child"),
        (
            "rt_sigprocmask",
            "takes part in changes of ids again: who changes them may hold what fork or its handlers wait for",
        ),
        ("fork", "starts the child"),
        ("rt_sigprocmask", "sets the mask back"),
        ("close", "the pipe's writing end"),
        ("ppoll", "waits for the child, or for a moment: then the parent looks for itself"),
        ("read", "the child's byte: it is about to exec"),
        ("ppoll", "as above"),
        ("read", "the end of the pipe: it did, or died"),
        ("setpgid", "of the child, to a group that cannot be: `EACCES` says that it runs a program"),
        ("setpgid", "of the parent itself: another answer says that it is not a filter's"),
        ("close", "the pipe's reading end"),
        ("munmap", "the shared memory"),
        ("pidfd_open", "a pidfd of the child"),
    ],
    child: &[
        ("rt_sigprocmask", "sets the program's mask"),
        ("close_range", "what lies below the pipe's number"),
        ("close_range", "what lies above it"),
        ("write", "a byte: it is about to exec"),
        ("execve", "runs the program"),
    ],
};

/// What a child costs that was born with its parent's handlers: a look at each signal.
pub const LOOKS: usize = 64;

/// What each gap costs between descriptors that the program gets, below the highest one that the child needs.
pub const GAP: Known = ("close_range", "a gap between what the program gets");

/// What a child of other ids costs the parent that shares memory with it, once for user and group.
pub const NEW_IDS: [Known; 3] = [
    ("getpid", "whether this process was forked since its last start under other ids"),
    ("prctl", "whether the memory may be traced, which a change of ids takes from it"),
    ("prctl", "gives that back"),
];

/// Something that may be asked of a command.
pub struct Operation {
    /// How it is called on a command line.
    pub name: &'static str,
    /// How it is asked for, as the document has it.
    pub method: &'static str,
    /// What it costs beside the constant.
    pub cost: Cost,
    /// How many gaps it leaves to be closed, where it is the only one that is asked for.
    pub gaps: usize,
    /// Whether the child gets other ids: [`NEW_IDS`].
    pub changes_ids: bool,
    /// Whether only the superuser may have it.
    pub is_privileged: bool,
    /// Asks for it.
    pub ask: for<'a> fn(&'a mut Command<'static>) -> &'a mut Command<'static>,
}

impl Operation {
    /// The one of this name.
    ///
    /// # Panics
    ///
    /// If there is none.
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

/// All that is counted.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "null",
        method: "`stdin(Stdio::null())`",
        gaps: 1,
        ask: |command| command.stdin(Stdio::null()),
        ..costing(&[], &[("dup3", "`/dev/null` onto 0")])
    },
    Operation {
        name: "captured",
        method: "`stdout(Stdio::piped())`",
        gaps: 1,
        ask: |command| command.stdout(Stdio::piped()),
        ..costing(&[("pipe2", "the pipe"), ("close", "the child's end")], &[("dup3", "the pipe onto 1")])
    },
    Operation {
        name: "kept",
        method: "`keep_fd`, twice",
        gaps: 1,
        ask: |command| command.keep_fd(pipe_at(20)).keep_fd(pipe_at(21)),
        ..costing(&[], &[("fcntl", "the first survives exec"), ("fcntl", "the second survives exec")])
    },
    Operation {
        name: "mapped",
        method: "`map_fd`",
        gaps: 1,
        ask: |command| command.map_fd(io::pipe().expect("a pipe can be made").0, 10),
        ..costing(&[], &[("dup3", "the source onto the target")])
    },
    Operation {
        name: "high",
        method: "`map_fd` of a number from 64 up, which is lent a low one",
        gaps: 2,
        ask: |command| command.map_fd(pipe_at(200), 11),
        ..costing(
            &[
                ("fstat", "whether the low number still is ours"),
                ("dup3", "onto the low number"),
                ("fstat", "which file that is"),
                ("fstat", "afterwards: whether it is that file still"),
                ("fstat", "whether the placeholder still is ours"),
                ("dup3", "the placeholder onto the low number"),
                ("fstat", "whether it is there"),
            ],
            &[("dup3", "the low number onto the target")],
        )
    },
    Operation {
        name: "root",
        method: "`chroot`",
        is_privileged: true,
        ask: |command| command.chroot("/"),
        ..costing(&[], &[("chroot", "the new root"), ("chdir", "into it")])
    },
    Operation {
        name: "directory",
        method: "`current_dir`",
        ask: |command| command.current_dir("/"),
        ..costing(&[], &[("chdir", "the working directory")])
    },
    Operation {
        name: "open-directory",
        method: "`current_dir_fd`",
        gaps: 1,
        ask: |command| command.current_dir_fd(File::open("/").expect("there is a root")),
        ..costing(&[], &[("fchdir", "the working directory")])
    },
    Operation {
        name: "umask",
        method: "`umask`",
        ask: |command| command.umask(0o027),
        ..costing(&[], &[("umask", "the mask of modes")])
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
        ..costing(&[], &[("setsid", "the session")])
    },
    Operation {
        name: "group",
        method: "`process_group`",
        ask: |command| command.process_group(0),
        ..costing(&[], &[("setpgid", "the process group")])
    },
    Operation {
        name: "limit",
        method: "`limit`",
        ask: |command| command.rlimit(Resource::CORE, Some(0), Some(0)),
        ..costing(&[], &[("prlimit64", "the limit")])
    },
    Operation {
        name: "number-limit",
        method: "`limit` of `Resource::NOFILE`",
        ask: |command| command.rlimit(Resource::NOFILE, Some(64), Some(64)),
        ..costing(
            &[],
            &[
                ("prlimit64", "the limit as it was: how far a loop would have to close, if it came to that"),
                ("prlimit64", "the limit"),
            ],
        )
    },
    Operation {
        name: "nice",
        method: "`nice`",
        ask: |command| command.nice(5),
        ..costing(&[], &[("setpriority", "the nice value")])
    },
    Operation {
        name: "groups",
        method: "`groups`",
        is_privileged: true,
        ask: |command| command.groups([]),
        ..costing(
            &[],
            &[("setgroups", "the supplementary groups"), ("getgroups", "whether it has these and no other")],
        )
    },
    Operation {
        name: "gid",
        method: "`gid`",
        changes_ids: true,
        is_privileged: true,
        ask: |command| command.keep_groups().gid(NOBODY),
        ..costing(&[], &[("setresgid", "all three group ids"), ("getresgid", "whether it has them")])
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
                ("setresuid", "all three user ids"),
                ("getresuid", "whether it has them"),
                ("capget", "whether a capability may outlive them"),
            ],
        )
    },
    Operation {
        name: "no-new-privs",
        method: "`no_new_privs`",
        ask: |command| command.no_new_privs(),
        ..costing(&[], &[("prctl", "no new privileges by exec"), ("prctl", "whether that is so")])
    },
    Operation {
        name: "die-with-parent",
        method: "`die_with_parent`",
        // By the thread whose calls are looked at.
        ask: |command| command.die_with_parent(libc::SIGKILL).pdeathsig_thread(false),
        ..costing(
            &[("getpid", "what the child's parent is")],
            &[("prctl", "a signal when the parent ends"), ("getppid", "whether it has ended already")],
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
    /// What it is, in words.
    pub title: &'static str,
    /// The operations that are asked for, by name.
    pub asked: &'a [&'static str],
    /// How many gaps are closed.
    pub gaps: usize,
    /// How it is launched.
    pub launch: SpawnPolicy,
}

impl Start<'_> {
    /// What it costs, in the order of the operations: the parent's calls and the child's.
    pub fn expected(&self) -> [Vec<Known>; 2] {
        let constant = if self.launch == SpawnPolicy::Fork { BY_FORK } else { BY_CLONE };
        let operations = self.asked.iter().map(|name| Operation::named(name).cost);
        let costs: Vec<_> = [constant].into_iter().chain(operations).collect();
        let changes_ids = self.asked.iter().any(|name| Operation::named(name).changes_ids);
        let new_ids = NEW_IDS.into_iter().filter(|_| changes_ids && self.launch != SpawnPolicy::Fork);
        let parent = costs.iter().flat_map(|cost| cost.parent).copied().chain(new_ids);
        let child = costs.iter().flat_map(|cost| cost.child).copied();
        [parent.collect(), child.chain(iter::repeat_n(GAP, self.gaps)).collect()]
    }
}

/// All that the document shows.
pub const STARTS: &[Start<'static>] = &[
    Start { title: "nothing asked", asked: &[], gaps: 0, launch: SpawnPolicy::NoFork },
    Start { title: "captured output", asked: &["captured"], gaps: 1, launch: SpawnPolicy::NoFork },
    Start { title: "two kept descriptors", asked: &["kept"], gaps: 1, launch: SpawnPolicy::NoFork },
    Start {
        title: "everything asked",
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
    Start { title: "by fork, nothing asked", asked: &[], gaps: 0, launch: SpawnPolicy::Fork },
];

/// A pipe's end under this number.
fn pipe_at(number: i32) -> OwnedFd {
    let (reader, _) = io::pipe().expect("a pipe can be made");
    world::place(reader.as_fd(), number)
}
