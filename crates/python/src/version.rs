//! What differs from one version of CPython to the next.

use core::ffi::CStr;
use pyo3_ffi as ffi;
use std::sync::OnceLock;

/// The minor version of the interpreter: 13 of 3.13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u8);

impl Version {
    /// The one that runs.
    pub(crate) fn running() -> Self {
        static RUNNING: OnceLock<Version> = OnceLock::new();
        *RUNNING.get_or_init(|| {
            // SAFETY: a question.
            let text = unsafe { ffi::Py_GetVersion() };
            // SAFETY: a static text of the interpreter's.
            let text = unsafe { CStr::from_ptr(text) };
            Self::of(text.to_bytes()).unwrap_or(Self(14))
        })
    }

    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b"3.")?;
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        core::str::from_utf8(digits.get(..end)?).ok()?.parse().ok().map(Self)
    }

    /// How many arguments `fork_exec` takes.
    pub(crate) fn arguments(self) -> isize {
        match self.0 {
            ..=8 => 17,
            9..=10 => 21,
            11..=13 => 23,
            14.. => 22,
        }
    }

    /// gid, groups, uid and umask.
    pub(crate) fn has_ids(self) -> bool {
        self.0 >= 9
    }

    pub(crate) fn has_process_group(self) -> bool {
        self.0 >= 11
    }

    pub(crate) fn has_allow_vfork(self) -> bool {
        (11..=13).contains(&self.0)
    }

    /// Arguments are converted by what the Argument Clinic makes, whose texts differ from the older parser's.
    pub(crate) fn has_clinic(self) -> bool {
        self.0 >= 12
    }

    /// A pid has its own width, and one that is too large is no error on 3.12.
    pub(crate) fn truncates_pid(self) -> bool {
        self.0 == 12
    }

    /// The lock was given up around exec since then, so the environment was read without it.
    pub(crate) fn releases_lock(self) -> bool {
        self.0 >= 12
    }

    /// An interpreter at its end refuses `preexec_fn`.
    pub(crate) fn refuses_preexec_at_end(self) -> bool {
        self.0 >= 12
    }

    /// That end begins before the functions of `atexit` are called.
    pub(crate) fn ends_early(self) -> bool {
        self.0 == 12
    }

    /// `fork_exec` is an audit event.
    pub(crate) fn audits(self) -> bool {
        self.0 >= 14
    }

    /// Subinterpreters may be isolated, and then start no process.
    pub(crate) fn refuses_isolated(self) -> bool {
        (9..=11).contains(&self.0)
    }

    /// `subprocess` tells a failed chdir from other failures; asked only where it was not imported.
    pub(crate) fn names_chdir(self) -> bool {
        self.0 >= 13
    }

    /// The name that `extra_groups` has in messages.
    pub(crate) fn groups_name(self) -> &'static str {
        if self.0 >= 12 { "extra_groups" } else { "groups" }
    }
}
