//! A command that was checked once and can be started many times.

use crate::config::settings::Settings;
use crate::exec::c_array::{CStringArray, CStringArrays, CStrings};
use crate::fds::layout::{Descriptors, Layout};
use crate::prepare::tree_setup::TreeSetup;
use crate::sys::per_process::Published;
use forkexec_core::SignalSet;
use std::ffi::{CString, OsString};
use std::fmt;
use std::ops::Deref;

/// A command that is checked, resolved and laid out, so that only system calls are left for a start.
///
/// [`Command::prepare`](crate::Command::prepare) returns one that borrows the command,
/// [`Command::into_prepared`](crate::Command::into_prepared) one that owns its settings. It can be started
/// many times, and by many threads at once. A start allocates no memory unless it fails, passes sockets with
/// [`listen_fd`](crate::Command::listen_fd), or creates a control group for
/// [`containment`](crate::Command::containment).
///
/// These are resolved when the command is prepared, and do not change afterwards:
///
/// - The environment, and the `PATH` in which the program is searched. The program itself is looked up at
///   each start, in the directories of that `PATH`.
/// - For streams that the child inherits: whether 0, 1 and 2 are open in the parent, and close-on-exec.
/// - `/dev/null` for a stream that uses it, and a duplicate of a directory or a terminal whose number the
///   child uses for something else. These descriptors stay open, close-on-exec, as long as the value lives.
/// - The soft descriptor limit, below which targets must lie.
/// - On FreeBSD, DragonFly and macOS, the effective group id of the parent, if the command sets supplementary
///   groups and no group id.
///
/// A relative working directory or program is resolved from the parent's working directory at each start.
/// Descriptors that the command borrows stay borrowed, and those that it owns stay open.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Prepared, Stdio};
/// use std::io::Read;
/// use std::thread;
///
/// let mut command = Command::new("echo");
/// command.arg("hello").stdout(Stdio::piped());
/// let prepared: Prepared<'static> = command.into_prepared()?;
///
/// thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| {
///             let child = prepared.spawn().expect("echo can be started");
///             assert_eq!(child.wait_with_output().expect("it ends").stdout, b"hello\n");
///         });
///     }
/// });
/// # Ok::<(), forkexec::Error>(())
/// ```
pub struct Prepared<'fd> {
    pub(crate) settings: SettingsRef<'fd>,
    pub(crate) candidates: CStrings,
    /// The list of directories in which the program is searched.
    pub(crate) searched: Option<OsString>,
    pub(crate) argv: CStringArray,
    pub(crate) env: CStringArray,
    /// The arguments of the shell, for each candidate.
    pub(crate) shell_argvs: CStringArrays,
    pub(crate) root: Option<CString>,
    pub(crate) directory: Option<CString>,
    pub(crate) descriptors: Descriptors,
    pub(crate) layout: Layout,
    /// The layout for [`output`](Self::output), created by its first call.
    pub(crate) capturing: Published<Layout>,
    /// True if the child drops the parent's supplementary groups although none are set.
    pub(crate) drops_groups: bool,
    pub(crate) reset: SignalSet,
    pub(crate) ignore: SignalSet,
    pub(crate) mask: Option<SignalSet>,
    /// The list for setgroups(2). On some systems it begins with the effective group.
    pub(crate) group_list: Option<Vec<u32>>,
    pub(crate) trees: TreeSetup,
}

/// The settings of a command, borrowed from it or taken over.
pub(crate) enum SettingsRef<'fd> {
    Borrowed(&'fd Settings<'fd>),
    Owned(Box<Settings<'fd>>),
}

impl<'fd> Deref for SettingsRef<'fd> {
    type Target = Settings<'fd>;

    fn deref(&self) -> &Settings<'fd> {
        match self {
            Self::Borrowed(settings) => settings,
            Self::Owned(settings) => settings,
        }
    }
}

impl Prepared<'_> {
    /// The supplementary groups that the child sets.
    pub(crate) fn groups(&self) -> Option<&[u32]> {
        if self.drops_groups { Some(&[]) } else { self.settings.groups.as_deref() }
    }
}

/// Formats the command as [`Command`](crate::Command) does.
impl fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Prepared;

    #[test]
    fn prepared_command_can_be_shared_by_threads() {
        fn is_shared<T: Send + Sync>() {}
        is_shared::<Prepared<'_>>();
    }
}
