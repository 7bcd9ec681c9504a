//! What holds the tree of a command's children together, as far as it is known before a start.

use crate::config::containment::Containment;
use crate::config::settings::Settings;
use crate::sys::cgroup::{self, CgroupFds, ChildCgroup, Identity};
use crate::sys::orphans::Calls;
use crate::sys::system;
use crate::sys::tree_means::{Leads, TreeMeans};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What a command's children are held together by, as far as it is known before a start.
pub(crate) struct TreeSetup {
    /// Where control groups are made, if that is to be tried.
    base: Option<PathBuf>,
    /// It is an error if none can be made.
    needs_cgroup: bool,
    /// It was tried, and is not allowed.
    is_refused: AtomicBool,
    /// The child's, where that is not this process's user.
    identity: Option<Identity>,
    leads: Leads,
    reaps: bool,
    /// The command said that there is a tree to be ended.
    is_chosen: bool,
}

impl TreeSetup {
    pub(crate) fn new(settings: &Settings<'_>) -> Self {
        let tries =
            matches!(settings.containment, Some(Containment::Auto | Containment::Cgroup)) && has_cgroups();
        let leads = match settings.joins_group() {
            _ if settings.starts_session() => Leads::Session,
            Some(0) => Leads::Group,
            _ => Leads::Nothing,
        };
        Self {
            base: tries.then(|| settings.cgroup.clone().or_else(cgroup::own)).flatten(),
            needs_cgroup: settings.containment == Some(Containment::Cgroup),
            is_refused: AtomicBool::new(false),
            identity: settings.uid.map(|uid| identity(uid, settings)),
            leads,
            reaps: settings.containment == Some(Containment::Reaper),
            is_chosen: settings.containment.is_some(),
        }
    }

    /// The control group of one start, if there is to be one and it can be made.
    ///
    /// # Errors
    ///
    /// If it is needed, with the directory below which it cannot be made.
    pub(crate) fn leaf(&self) -> Result<Option<(ChildCgroup, CgroupFds)>, (PathBuf, io::Error)> {
        let base = match &self.base {
            Some(base) => base,
            None if self.needs_cgroup => {
                return Err(("/sys/fs/cgroup".into(), io::Error::from_raw_os_error(libc::ENOENT)));
            }
            None => return Ok(None),
        };
        if self.is_refused.load(Relaxed) && !self.needs_cgroup {
            return Ok(None);
        }
        match ChildCgroup::make(base, self.identity.as_ref()) {
            Ok(made) => Ok(Some(made)),
            Err(error) if self.needs_cgroup => Err((base.clone(), error)),
            Err(error) => {
                // The lack of something is no refusal: the next start may have it.
                self.is_refused.fetch_or(!is_lack(&error), Relaxed);
                Ok(None)
            }
        }
    }

    /// Whether a child that may not enter its control group is started without: it will not be tried again.
    pub(crate) fn go_without(&self) -> bool {
        self.is_refused.store(true, Relaxed);
        !self.needs_cgroup
    }

    /// What is to be done in this process before a start.
    pub(crate) fn prepare_process(&self) -> io::Result<()> {
        if self.reaps { system::reaper::Kernel.acquire() } else { Ok(()) }
    }

    /// What holds the tree of a child that was started.
    pub(crate) fn hold(&self, leaf: Option<ChildCgroup>) -> TreeMeans {
        TreeMeans { is_chosen: self.is_chosen, leaf, leads: self.leads, reaps: self.reaps }
    }
}

fn identity(uid: u32, settings: &Settings<'_>) -> Identity {
    let gid = settings.gid.unwrap_or_else(|| nix::unistd::getegid().as_raw());
    Identity { uid, gid, groups: settings.groups.clone() }
}

/// Whether something was missing that may be there later.
fn is_lack(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN | libc::EINTR)
    )
}

fn has_cgroups() -> bool {
    crate::sys::backend::capabilities().has(forkexec_core::Operation::Cgroup)
}
