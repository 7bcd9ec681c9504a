//! A command that was checked once and can be started many times.

use crate::child_fds::layout::{Descriptors, Layout};
use crate::config::attributes::Encoded;
use crate::config::settings::Settings;
use crate::exec::c_array::{CStringArray, CStringArrays, CStrings};
use crate::prepare::tree_setup::TreeSetup;
use crate::sys::per_process::Published;
use forkexec_core::{Limit, SignalSet};
use std::ffi::{CString, OsString};
use std::ops::Deref;

/// The content of [`Prepared`](crate::Prepared).
pub(crate) struct CheckedCommand<'fd> {
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
    pub(crate) limits: Vec<Limit>,
    pub(crate) descriptors: Descriptors,
    pub(crate) layout: Layout,
    /// The layout for `output`, created by its first call.
    pub(crate) capturing: Published<Layout>,
    /// True if the child drops the parent's supplementary groups although none are set.
    pub(crate) drops_groups: bool,
    pub(crate) reset: SignalSet,
    pub(crate) ignore: SignalSet,
    pub(crate) mask: Option<SignalSet>,
    /// The list for setgroups(2). On some systems it begins with the effective group.
    pub(crate) group_list: Option<Vec<u32>>,
    /// The attributes that the kernel reads in another form.
    pub(crate) encoded: Encoded,
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

impl CheckedCommand<'_> {
    /// The supplementary groups that the child sets.
    pub(crate) fn groups(&self) -> Option<&[u32]> {
        if self.drops_groups { Some(&[]) } else { self.settings.groups.as_deref() }
    }
}
