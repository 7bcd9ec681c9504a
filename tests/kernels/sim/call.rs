//! A recorded system call.

use std::ffi::{CStr, CString};
use std::fmt;

use forkexec_core::Stage;

/// The calls that can be refused: the methods of the traits of system calls that have an errno.
pub(crate) const NAMES: &[&str] = &[
    "add_chdir",
    "add_close",
    "add_closefrom",
    "add_dup2",
    "add_fchdir",
    "affinity",
    "aslr",
    "capget",
    "capset",
    "chdir",
    "chroot",
    "class_id",
    "clear_ambient",
    "close",
    "close_from",
    "close_range",
    "close_range_cloexec",
    "close_range_unshare",
    "closefrom",
    "closem",
    "cpuset_setaffinity",
    "descriptor_limit",
    "descriptor_list",
    "descriptor_list_room",
    "disable_aslr",
    "disposition",
    "drop_from_bounding_set",
    "dup2",
    "dup_min",
    "exec_spawn",
    "execve",
    "execveat",
    "fchdir",
    "file_id",
    "file_system",
    "files_per_process",
    "getaffinity",
    "getdents",
    "getdents64",
    "getdirentries",
    "getdirentries64",
    "inherit",
    "is_ambient",
    "is_cloexec",
    "is_in_bounding_set",
    "is_on_devfs",
    "is_on_procfs",
    "jail_attach",
    "join_namespace",
    "join_no_group",
    "join_session_keyring",
    "keep_capabilities",
    "kernel_release",
    "lock_unveil",
    "max_fd",
    "may_execute",
    "memory_policy",
    "no_new_privs",
    "open_count",
    "open_directory",
    "open_file",
    "open_pidfd_of",
    "parent",
    "path_id",
    "personality",
    "pidfd_getfd",
    "pledge_exec",
    "process",
    "process_entry",
    "processor_bind",
    "processors",
    "psecflags",
    "raise_ambient",
    "read_directory",
    "read_file",
    "release",
    "restrict_self",
    "rtprio",
    "sched_setaffinity",
    "sched_setparam",
    "securebits",
    "set_affinity",
    "set_background",
    "set_class",
    "set_cloexec",
    "set_controlling_tty",
    "set_deadline",
    "set_disposition",
    "set_gid",
    "set_groups",
    "set_io_policy",
    "set_io_priority",
    "set_limit",
    "set_mask",
    "set_memory_policy",
    "set_nice",
    "set_no_new_privs",
    "set_parent_death_signal",
    "set_process_group",
    "set_scheduler",
    "set_seccomp_filter",
    "set_securebits",
    "set_timer_slack",
    "set_uid",
    "set_umask",
    "setsid",
    "signal_mask",
    "spawn",
    "spawn_child",
    "tcsetpgrp",
    "trace_me",
    "unshare",
    "unshare_files",
    "unveil",
    "write",
];

/// The one call of the traits that has no errno and is noted all the same.
pub(super) const CANNOT_FAIL: &str = "pause";

/// A call, and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) stage: Option<Stage>,
    /// The first two arguments that are numbers.
    pub(crate) numbers: [Option<i64>; 2],
    path: Option<CString>,
}

impl Call {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, stage: None, numbers: [None; 2], path: None }
    }

    pub(crate) fn on(name: &'static str, number: impl Into<i64>) -> Self {
        Self { numbers: [Some(number.into()), None], ..Self::new(name) }
    }

    pub(crate) fn on_two(name: &'static str, first: impl Into<i64>, second: impl Into<i64>) -> Self {
        Self { numbers: [Some(first.into()), Some(second.into())], ..Self::new(name) }
    }

    pub(crate) fn at(name: &'static str, path: &CStr) -> Self {
        Self { path: Some(path.to_owned()), ..Self::new(name) }
    }
}

/// As strace writes it: `dup2(9, 0)`.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.numbers.iter().flatten().map(i64::to_string);
        let path = self.path.iter().map(|path| path.to_string_lossy().into_owned());
        write!(f, "{}({})", self.name, numbers.chain(path).collect::<Vec<_>>().join(", "))
    }
}
