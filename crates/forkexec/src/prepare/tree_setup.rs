//! The containment of a command's children, as far as it is known before a start.

use crate::config::containment::Containment;
use crate::config::settings::Settings;
use crate::sys::cgroup::{self, CgroupFds, ChildCgroup, Identity};
use crate::sys::orphans::Calls;
use crate::sys::system;
use crate::sys::tree_means::{Leads, TreeMeans};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The containment of a command's children, as far as it is known before a start.
pub(crate) struct TreeSetup {
    /// The directory below which control groups are created, if that is to be tried.
    base: Option<PathBuf>,
    /// A control group is required: the start fails without one.
    needs_cgroup: bool,
    /// An attempt was refused.
    is_refused: AtomicBool,
    /// The ids of the child, if it has another user than this process.
    identity: Option<Identity>,
    leads: Leads,
    reaps: bool,
    /// The command set a containment.
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

    /// Creates the control group of one start, if one is wanted and can be created.
    ///
    /// # Errors
    ///
    /// Returns an error with the base directory if a required group cannot be created.
    pub(crate) fn create_cgroup(&self) -> Result<Option<(ChildCgroup, CgroupFds)>, (PathBuf, io::Error)> {
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
                // A temporary lack of resources is not a refusal: the next start may succeed.
                self.is_refused.fetch_or(!is_lack(&error), Relaxed);
                Ok(None)
            }
        }
    }

    /// Called if a child may not enter its control group. Records the refusal, and returns true if the child
    /// may start without one.
    pub(crate) fn go_without(&self) -> bool {
        self.is_refused.store(true, Relaxed);
        !self.needs_cgroup
    }

    /// Prepares this process before a start.
    pub(crate) fn prepare_process(&self) -> io::Result<()> {
        if self.reaps { system::reaper::Kernel.acquire() } else { Ok(()) }
    }

    /// Returns how the tree of a started child is contained.
    pub(crate) fn means(&self, cgroup: Option<ChildCgroup>) -> TreeMeans {
        TreeMeans { is_chosen: self.is_chosen, cgroup, leads: self.leads, reaps: self.reaps }
    }
}

fn identity(uid: u32, settings: &Settings<'_>) -> Identity {
    let gid = settings.gid.unwrap_or_else(|| nix::unistd::getegid().as_raw());
    Identity { uid, gid, groups: settings.groups.clone() }
}

/// Returns true for a lack of resources that may pass.
fn is_lack(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN | libc::EINTR)
    )
}

fn has_cgroups() -> bool {
    crate::sys::backend::capabilities().has(forkexec_core::Operation::Cgroup)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn setup(base: Option<&str>, containment: Containment) -> TreeSetup {
        let settings = Settings { containment: Some(containment), ..Settings::new("true".into()) };
        TreeSetup { base: base.map(PathBuf::from), ..TreeSetup::new(&settings) }
    }

    #[rstest]
    #[case::no_base(None, "/sys/fs/cgroup")]
    #[case::missing_base(Some("/no/such/directory"), "/no/such/directory")]
    fn required_group_is_never_left_out(#[case] base: Option<&str>, #[case] named: &str) {
        let setup = setup(base, Containment::Cgroup);
        for _ in 0..2 {
            let refused =
                setup.create_cgroup().map(drop).map_err(|(path, error)| (path, error.raw_os_error()));
            assert_eq!(refused, Err((named.into(), Some(libc::ENOENT))));
            assert!(!setup.go_without());
        }
    }

    #[rstest]
    #[case::no_base(None, false)]
    #[case::missing_base(Some("/no/such/directory"), true)]
    fn group_that_is_not_required_is_tried_once(#[case] base: Option<&str>, #[case] is_refused: bool) {
        let setup = setup(base, Containment::Auto);
        assert!(setup.create_cgroup().is_ok_and(|group| group.is_none()));
        assert_eq!(setup.is_refused.load(Relaxed), is_refused);
        assert!(setup.go_without() && setup.is_refused.load(Relaxed));
        assert!(setup.create_cgroup().is_ok_and(|group| group.is_none()));
    }

    #[test]
    fn lack_of_resources_is_no_refusal() {
        let is_lack = |errno| is_lack(&io::Error::from_raw_os_error(errno));
        assert_eq!(
            [libc::EMFILE, libc::EINTR, libc::EACCES, libc::ENOENT].map(is_lack),
            [true, true, false, false]
        );
    }
}
