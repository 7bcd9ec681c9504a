//! The differences between versions of CPython.

use core::ffi::CStr;
use pyo3_ffi as ffi;
use std::sync::OnceLock;

/// The minor version of the interpreter, such as 13 for 3.13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u8);

impl Version {
    /// Returns the running version.
    pub(crate) fn running() -> Self {
        static RUNNING: OnceLock<Version> = OnceLock::new();
        *RUNNING.get_or_init(|| {
            // SAFETY: the call takes no arguments.
            let text = unsafe { ffi::Py_GetVersion() };
            // SAFETY: the text is a static of the interpreter.
            let text = unsafe { CStr::from_ptr(text) };
            Self::of(text.to_bytes()).unwrap_or(Self(14))
        })
    }

    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b"3.")?;
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        core::str::from_utf8(digits.get(..end)?).ok()?.parse().ok().map(Self)
    }

    /// Returns the number of arguments of `fork_exec`.
    pub(crate) fn arguments(self) -> isize {
        match self.0 {
            ..=8 => 17,
            9..=10 => 21,
            11..=13 => 23,
            14.. => 22,
        }
    }

    /// Returns true if `fork_exec` has the arguments gid, groups, uid and umask.
    pub(crate) fn has_ids(self) -> bool {
        self.0 >= 9
    }

    pub(crate) fn has_process_group(self) -> bool {
        self.0 >= 11
    }

    pub(crate) fn has_allow_vfork(self) -> bool {
        (11..=13).contains(&self.0)
    }

    /// Returns true if the Argument Clinic converts the arguments. Its messages differ from those of the older parser.
    pub(crate) fn has_clinic(self) -> bool {
        self.0 >= 12
    }

    /// Returns true if a pid that is too large is truncated, without an error.
    pub(crate) fn truncates_pid(self) -> bool {
        self.0 == 12
    }

    /// Returns true if CPython reads the environment without the lock: since 3.12 it releases the lock around exec.
    pub(crate) fn releases_lock(self) -> bool {
        self.0 >= 12
    }

    /// Returns true if `preexec_fn` is refused while the interpreter shuts down.
    pub(crate) fn refuses_preexec_at_end(self) -> bool {
        self.0 >= 12
    }

    /// Returns true if the shutdown begins before the functions of `atexit` are called.
    pub(crate) fn ends_early(self) -> bool {
        self.0 == 12
    }

    /// Returns true if `fork_exec` is an audit event.
    pub(crate) fn audits(self) -> bool {
        self.0 >= 14
    }

    /// Returns true if isolated subinterpreters start no process.
    pub(crate) fn refuses_isolated(self) -> bool {
        (9..=11).contains(&self.0)
    }

    /// Returns true if `subprocess` distinguishes a failed chdir. Used only if `subprocess` is not imported.
    pub(crate) fn names_chdir(self) -> bool {
        self.0 >= 13
    }

    /// Returns the name of `extra_groups` in messages.
    pub(crate) fn groups_name(self) -> &'static str {
        if self.0 >= 12 { "extra_groups" } else { "groups" }
    }
}
