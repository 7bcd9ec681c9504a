//! A control group of the test's own.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;

use tempfile::TempDir;

use super::proc::private_mounts;
use crate::sys;

/// A control group, version 2, below the root of a hierarchy that is mounted for this process alone. The drop removes it,
/// and kills what a failed test left in it.
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

    /// The names of all processes in it and in the groups below it, at one moment: they are frozen for it.
    pub fn names(&self) -> BTreeSet<String> {
        self.freeze();
        let name = |pid: String| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
        self.members().into_iter().filter_map(name).map(|name| name.trim_end().to_owned()).collect()
    }

    /// Stops all its processes, and waits until none runs.
    fn freeze(&self) {
        fs::write(self.path.join("cgroup.freeze"), "1").expect("the group can be frozen");
        self.wait_for("frozen 1");
    }

    /// Kills all its processes, and waits until it is empty. Without the freeze, the kernel can miss one that is being
    /// created.
    pub fn kill(&self) {
        self.freeze();
        fs::write(self.path.join("cgroup.kill"), "1").expect("the group can be killed");
        self.wait_for("populated 0");
    }

    /// The groups below it.
    pub fn below(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }

    /// The numbers of the processes in it and in the groups below it.
    fn members(&self) -> Vec<String> {
        let groups = std::iter::once(self.path.clone()).chain(self.below());
        let listed = groups.filter_map(|group| fs::read_to_string(group.join("cgroup.procs")).ok());
        listed.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// Returns true if no process is in it or in a group below it.
    pub fn is_empty(&self) -> bool {
        let events = fs::read_to_string(self.path.join("cgroup.events")).expect("it is there");
        events.lines().any(|line| line == "populated 0")
    }

    /// Waits for a line of `cgroup.events`.
    fn wait_for(&self, line: &str) {
        let mut events = fs::File::open(self.path.join("cgroup.events")).expect("it is there");
        loop {
            let mut text = String::new();
            events.rewind().expect("it can be read again");
            events.read_to_string(&mut text).expect("it can be read");
            if text.lines().any(|found| found == line) {
                return;
            }
            sys::await_change(&events).expect("it can be waited for");
        }
    }

    /// Returns the line that a process in it reads from its `/proc/self/cgroup`.
    pub fn line(&self) -> String {
        format!("0::/{}", self.path.file_name().unwrap_or_default().to_string_lossy())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if thread::panicking() {
            // A second panic would end the test without its message.
            for file in ["cgroup.freeze", "cgroup.kill"] {
                let _ = fs::write(self.path.join(file), "1");
            }
        }
        let _ = fs::remove_dir(&self.path);
    }
}
