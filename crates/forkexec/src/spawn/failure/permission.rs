//! The permission bits of files, as they apply to the child's user.

use super::Cause;
use super::view::View;
use crate::config::settings::Settings;
use crate::prepare::checked::CheckedCommand;
use crate::sys::system;
use nix::unistd::{getegid, geteuid};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::ptr;

/// A user with its groups.
pub(crate) struct Person {
    user: u32,
    group: u32,
    groups: Vec<u32>,
}

/// The bit that lets others execute a file or search a directory.
const EXECUTE: u32 = 0o1;

impl Person {
    /// Returns the user of the child. `None` for the superuser, because capabilities override the bits, and for ids of another
    /// user namespace.
    pub(crate) fn of_child(prepared: &CheckedCommand<'_>) -> Option<Self> {
        let settings = &prepared.settings;
        if sets_ids(settings) && !settings.namespaces.has_the_same_ids() {
            return None;
        }
        let user = settings.uid.unwrap_or_else(|| geteuid().as_raw());
        let group = settings.gid.unwrap_or_else(|| getegid().as_raw());
        let groups = prepared.groups().map_or_else(own_groups, <[u32]>::to_vec);
        (user != 0).then_some(Self { user, group, groups })
    }

    /// Returns whether the bits deny execution or search. Exactly one set of bits applies: that of the owner, the group or
    /// others (path_resolution(7)).
    fn is_denied(&self, about: &Metadata) -> bool {
        let is_member = about.gid() == self.group || self.groups.contains(&about.gid());
        let place = match () {
            () if about.uid() == self.user => 6,
            () if is_member => 3,
            () => 0,
        };
        about.mode() >> place & EXECUTE == 0
    }

    /// Resolves a path, or returns the first directory on it that denies search permission.
    pub(super) fn search(&self, view: &View, path: &Path) -> Result<Option<PathBuf>, Cause> {
        let mut searched = Vec::new();
        let found = view.follow(path, &mut searched);
        searched.iter().try_for_each(|directory| self.search_one(directory))?;
        Ok(found.ok())
    }

    fn search_one(&self, directory: &Path) -> Result<(), Cause> {
        match self.denies(directory) {
            Some(mode) => Err(Cause::SearchDenied { directory: directory.to_owned(), mode, user: self.user }),
            None => Ok(()),
        }
    }

    /// Returns an error if the bits of a file deny execution.
    pub(super) fn execute(&self, file: &Path) -> Result<(), Cause> {
        match self.denies(file) {
            Some(mode) => Err(Cause::ExecuteDenied { file: file.to_owned(), mode, user: self.user }),
            None => Ok(()),
        }
    }

    /// Returns the mode of a file whose bits deny access. `None` if an access control list decides.
    fn denies(&self, path: &Path) -> Option<u32> {
        let about = fs::metadata(path).ok()?;
        (self.is_denied(&about) && !system::has_acl(path)).then_some(about.mode() & 0o7777)
    }
}

fn sets_ids(settings: &Settings<'_>) -> bool {
    settings.uid.is_some() || settings.gid.is_some() || settings.groups.is_some()
}

/// Returns the directory that keeps the child from entering its working directory.
pub(crate) fn of_directory(prepared: &CheckedCommand<'_>, path: &Path) -> Option<Cause> {
    let person = Person::of_child(prepared)?;
    match person.search(&View::of_directory(&prepared.settings)?, path) {
        Err(cause) => Some(cause),
        Ok(found) => person.search_one(&found?).err(),
    }
}

/// Returns the supplementary groups of this process. nix lacks the call on Apple's systems.
fn own_groups() -> Vec<u32> {
    // SAFETY: with a length of 0 nothing is written.
    let count = unsafe { libc::getgroups(0, ptr::null_mut()) };
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: the buffer has room for `count` groups.
    let count = unsafe { libc::getgroups(count.max(0), groups.as_mut_ptr()) };
    groups.truncate(usize::try_from(count).unwrap_or(0));
    groups
}

#[cfg(test)]
mod tests {
    use super::sets_ids;
    use crate::config::settings::Settings;
    use rstest::rstest;

    #[rstest]
    #[case::none(None, None, None, false)]
    #[case::user(Some(5), None, None, true)]
    #[case::group(None, Some(5), None, true)]
    #[case::no_supplementary_groups(None, None, Some(&[][..]), true)]
    fn each_id_that_is_set_counts(
        #[case] uid: Option<u32>,
        #[case] gid: Option<u32>,
        #[case] groups: Option<&[u32]>,
        #[case] expected: bool,
    ) {
        let mut settings = Settings::new("true".into());
        (settings.uid, settings.gid, settings.groups) = (uid, gid, groups.map(<[u32]>::to_vec));
        assert_eq!(sets_ids(&settings), expected);
    }
}
