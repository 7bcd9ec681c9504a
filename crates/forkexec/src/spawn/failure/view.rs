//! Resolves paths in the parent as the child sees them.

use crate::config::settings::{Directory, Settings};
use nix::sys::stat::fstat;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// The root and the working directory of the child.
pub(crate) struct View {
    /// The path of the child's root in the parent.
    root: PathBuf,
    /// The path of the child's working directory in the parent, if it is known.
    directory: Option<PathBuf>,
}

impl View {
    /// Returns the view before the child enters its working directory. `None` if the child joins a namespace, which may have other
    /// mounts.
    pub(crate) fn of_directory(settings: &Settings<'_>) -> Option<Self> {
        let root = settings.root.clone();
        settings.child_has_the_same_files().then(|| Self {
            directory: Some(root.clone().unwrap_or_else(|| ".".into())),
            root: root.unwrap_or_else(|| "/".into()),
        })
    }

    /// Returns the view at exec. `None` if the command has a closure, which may change both directories.
    pub(crate) fn of_exec(settings: &Settings<'_>) -> Option<Self> {
        if !settings.hooks.is_empty() {
            return None;
        }
        let before = Self::of_directory(settings)?;
        let directory = match &settings.directory {
            None => before.directory,
            Some(Directory::Path(path)) => before.follow(path, &mut Vec::new()).ok(),
            Some(Directory::Fd(fd)) => of_descriptor(fd),
        };
        Some(Self { directory, root: before.root })
    }

    /// Resolves a path as the kernel does for the child (path_resolution(7)), with links below the child's root. Returns the
    /// path in the parent, and adds each directory in which a name is looked up to `searched`.
    pub(crate) fn follow(&self, path: &Path, searched: &mut Vec<PathBuf>) -> io::Result<PathBuf> {
        let start = if path.is_absolute() { Some(&self.root) } else { self.directory.as_ref() };
        let root = fs::canonicalize(&self.root)?;
        let mut at = fs::canonicalize(start.ok_or(io::ErrorKind::Unsupported)?)?;
        let mut rest = names(path);
        let mut links = 0;
        while let Some(name) = rest.pop() {
            searched.push(at.clone());
            if name == ".." {
                if at != root {
                    at.pop();
                }
                continue;
            }
            let next = at.join(name);
            if !fs::symlink_metadata(&next)?.is_symlink() {
                at = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            let target = fs::read_link(next)?;
            if target.is_absolute() {
                at.clone_from(&root);
            }
            rest.extend(names(&target));
        }
        Ok(at)
    }

    /// Resolves a path of the child to a path in the parent.
    pub(crate) fn find(&self, path: &Path) -> io::Result<PathBuf> {
        self.follow(path, &mut Vec::new())
    }

    /// Returns whether a path was observed to be missing.
    pub(crate) fn is_missing(&self, path: &Path) -> bool {
        self.find(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }
}

/// The number of links that Linux follows. Other systems follow fewer.
const MOST_LINKS: usize = 40;

/// Returns the names of a path in reverse order.
fn names(path: &Path) -> Vec<OsString> {
    let is_name = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(is_name).map(|part| part.as_os_str().to_owned()).collect()
}

/// Returns the path of an open directory in `/dev/fd`, if that path leads to the directory.
fn of_descriptor(fd: &crate::FdSource<'_>) -> Option<PathBuf> {
    let path = PathBuf::from(format!("/dev/fd/{}", fd.as_raw_fd()));
    let (by_path, open) = (fs::metadata(&path).ok()?, fstat(fd).ok()?);
    #[expect(clippy::allow_attributes, reason = "the types differ by system")]
    #[allow(clippy::cast_lossless, clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let is_same = (by_path.dev(), by_path.ino()) == (open.st_dev as u64, open.st_ino as u64);
    is_same.then_some(path)
}
