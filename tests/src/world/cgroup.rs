//! A control group of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use tempfile::TempDir;

use super::proc::private_mounts;
use crate::sys;

/// A control group, version 2, below the root of a hierarchy that is mounted for this process alone. It is removed when
/// dropped, if no process is left in it.
pub struct Cgroup {
    path: PathBuf,
    _mount: TempDir,
}

impl Cgroup {
    /// Mounts the hierarchy, and makes the group.
    ///
    /// # Errors
    ///
    /// The reason to skip the test, where that is not allowed.
    pub fn new() -> Result<Self, String> {
        let mount = TempDir::new().map_err(|error| error.to_string())?;
        let path = mount.path().join(format!("forkexec-{}", process::id()));
        let made = private_mounts().and_then(|()| sys::mount_cgroups(mount.path()));
        let made = made.and_then(|()| fs::create_dir(&path));
        made.map_err(|error| format!("no control group can be made: {error}"))?;
        Ok(Self { path, _mount: mount })
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a process in it reads in its `/proc/self/cgroup`.
    pub fn line(&self) -> String {
        format!("0::/{}", self.path.file_name().unwrap_or_default().display())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}
