//! A command that was checked once, to be started many times.

use crate::config::settings::Settings;
use crate::exec::c_array::{CStringArray, CStringArrays, CStrings};
use crate::fds::layout::{Descriptors, Layout};
use crate::prepare::tree_setup::TreeSetup;
use crate::sys::per_process::Published;
use forkexec_core::SignalSet;
use std::ffi::{CString, OsString};
use std::fmt;
use std::ops::Deref;

/// A command whose every word was checked, searched and put in order: what is left to do for a start are system calls.
///
/// [`Command::prepare`](crate::Command::prepare) makes one that borrows the command,
/// [`Command::into_prepared`](crate::Command::into_prepared) one that lives by itself. It may be started many times, by
/// many threads at once, and no start allocates memory unless it fails, hands over sockets with
/// [`listen_fd`](crate::Command::listen_fd), or makes a control group for [`containment`](crate::Command::containment).
///
/// What a start would look up is looked up when the command is prepared, and is fixed by then:
/// - the environment, and the `PATH` by which the program is searched. The program itself is looked for at each
///   start, in the directories of that `PATH`;
/// - whether 0, 1 and 2 are open in the parent and close-on-exec, where the child inherits them;
/// - `/dev/null`, where a stream is that, and a second number for a directory or a terminal that lies where the child
///   gets something else: these descriptors stay open, close-on-exec, as long as it lives;
/// - the soft descriptor limit, below which targets must lie;
/// - on FreeBSD, DragonFly and macOS the effective group ID of the parent, if the command sets supplementary groups and no
///   group ID: a child has the one of that moment.
///
/// A relative working directory, and a relative program, are seen from wherever the parent is at each start. What
/// was borrowed for the command stays borrowed, and what the command owns stays open.
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
    /// The directories that are searched for the program.
    pub(crate) searched: Option<OsString>,
    pub(crate) argv: CStringArray,
    pub(crate) env: CStringArray,
    /// For each candidate, what the shell is to be called with.
    pub(crate) shell_argvs: CStringArrays,
    pub(crate) root: Option<CString>,
    pub(crate) directory: Option<CString>,
    pub(crate) descriptors: Descriptors,
    pub(crate) layout: Layout,
    /// The layout for [`output`](Self::output), once that was asked for.
    pub(crate) capturing: Published<Layout>,
    /// Whether the child gives up the supplementary groups of the parent, although none are set.
    pub(crate) drops_groups: bool,
    pub(crate) reset: SignalSet,
    pub(crate) ignore: SignalSet,
    pub(crate) mask: Option<SignalSet>,
    /// The list for setgroups(2), which may begin with the effective group.
    pub(crate) group_list: Option<Vec<u32>>,
    pub(crate) trees: TreeSetup,
}

/// The settings of a command, or of one that is no more.
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

/// `{:?}` is a line that can be pasted into a shell, in the form of std's:
/// `cd "/tmp" && env -u A B="x" "prog" "arg"`. `{:#?}` shows every setting.
impl fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Prepared;

    #[test]
    fn it_can_be_shared_by_threads() {
        fn is_shared<T: Send + Sync>() {}
        is_shared::<Prepared<'_>>();
    }
}
