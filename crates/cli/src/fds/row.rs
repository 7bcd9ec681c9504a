//! One open descriptor, independent of the source of the data.

use forkexec::fds::{FdKind, OpenFd};
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag};
use serde::Serialize;

/// One open descriptor. Values that the system does not show are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    pub(crate) fd: i32,
    pub(crate) mode: Mode,
    pub(crate) cloexec: Option<bool>,
    pub(crate) flags: Vec<&'static str>,
    #[serde(flatten)]
    pub(crate) kind: Kind,
    pub(crate) target: Option<String>,
}

/// The access mode of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Mode {
    #[serde(rename = "r")]
    Read,
    #[serde(rename = "w")]
    Write,
    #[serde(rename = "rw")]
    ReadWrite,
    #[serde(rename = "-")]
    Neither,
}

/// The type of file behind a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Kind {
    File,
    Dir,
    Pipe,
    Socket,
    Char,
    Block,
    Link,
    Anon { name: String },
    Other,
}

/// Names of flags and their words. Not each system has each flag.
const FLAGS: [(&str, &str); 8] = [
    ("O_APPEND", "append"),
    ("O_NONBLOCK", "nonblock"),
    ("O_PATH", "path"),
    ("O_ASYNC", "async"),
    ("O_DIRECT", "direct"),
    ("O_SYNC", "sync"),
    ("O_DSYNC", "dsync"),
    ("O_NOATIME", "noatime"),
];

impl Row {
    /// Makes a row from the results of fcntl(2) or `/proc/PID/fdinfo`, `/proc/PID/fd` and stat(2).
    pub(super) fn new(
        fd: i32,
        cloexec: Option<bool>,
        flags: Option<OFlag>,
        target: Option<String>,
        stat: Option<&FileStat>,
    ) -> Self {
        Self {
            fd,
            mode: flags.map_or(Mode::Neither, Mode::of),
            cloexec,
            flags: flags.map(words).unwrap_or_default(),
            kind: Kind::of(target.as_deref(), stat),
            target,
        }
    }
}

impl From<&OpenFd> for Row {
    fn from(fd: &OpenFd) -> Self {
        let flags = fd.status_flags().map(OFlag::from_bits_retain);
        let target = fd.target().map(|target| target.to_string_lossy().into_owned());
        let row = Self::new(fd.number(), fd.is_cloexec(), flags, target, None);
        Self { kind: Kind::from(fd.kind()), ..row }
    }
}

/// A terminal is a character device in the command's output.
impl From<&FdKind> for Kind {
    fn from(kind: &FdKind) -> Self {
        match kind {
            FdKind::File => Self::File,
            FdKind::Directory => Self::Dir,
            FdKind::Pipe => Self::Pipe,
            FdKind::Socket => Self::Socket,
            FdKind::Terminal | FdKind::CharDevice => Self::Char,
            FdKind::BlockDevice => Self::Block,
            FdKind::Symlink => Self::Link,
            FdKind::Anonymous(name) => Self::Anon { name: name.clone() },
            _ => Self::Other,
        }
    }
}

/// Returns the words for the flags of an open file.
fn words(flags: OFlag) -> Vec<&'static str> {
    let is_set = |name| OFlag::from_name(name).is_some_and(|flag| flags.contains(flag));
    FLAGS.iter().filter(|(name, _)| is_set(name)).map(|&(_, word)| word).collect()
}

impl Mode {
    /// Returns the access mode among the flags of an open file.
    fn of(flags: OFlag) -> Self {
        if OFlag::from_name("O_PATH").is_some_and(|path| flags.contains(path)) {
            return Self::Neither;
        }
        match flags & OFlag::O_ACCMODE {
            OFlag::O_RDONLY => Self::Read,
            OFlag::O_WRONLY => Self::Write,
            OFlag::O_RDWR => Self::ReadWrite,
            _ => Self::Neither,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Write => "w",
            Self::ReadWrite => "rw",
            Self::Neither => "-",
        }
    }
}

impl Kind {
    /// Returns the kind, from the text of the link in `/proc` and the result of stat(2), if there are any.
    fn of(link: Option<&str>, stat: Option<&FileStat>) -> Self {
        if let Some(name) = link.and_then(anon_name) {
            return Self::Anon { name: name.to_owned() };
        }
        let Some(stat) = stat else { return Self::Other };
        match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFREG => Self::File,
            SFlag::S_IFDIR => Self::Dir,
            SFlag::S_IFIFO => Self::Pipe,
            SFlag::S_IFSOCK => Self::Socket,
            SFlag::S_IFCHR => Self::Char,
            SFlag::S_IFBLK => Self::Block,
            SFlag::S_IFLNK => Self::Link,
            _ => Self::Other,
        }
    }

    pub(crate) fn word(&self) -> String {
        match self {
            Self::File => "file".into(),
            Self::Dir => "dir".into(),
            Self::Pipe => "pipe".into(),
            Self::Socket => "socket".into(),
            Self::Char => "char".into(),
            Self::Block => "block".into(),
            Self::Link => "link".into(),
            Self::Anon { name } => format!("anon:{name}"),
            Self::Other => "other".into(),
        }
    }
}

/// Returns the name in `anon_inode:[eventfd]`, `anon_inode:inotify`, `pidfd:[42]` or `net:[4026531840]`.
fn anon_name(link: &str) -> Option<&str> {
    if let Some(name) = link.strip_prefix("anon_inode:") {
        return Some(name.trim_matches(['[', ']']));
    }
    let (name, number) = link.strip_suffix(']')?.split_once(":[")?;
    let is_anon = !name.contains('/') && name != "pipe" && name != "socket" && number.parse::<u64>().is_ok();
    is_anon.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_anonymous_inodes_have_names() {
        let cases = [
            ("anon_inode:[eventfd]", Some("eventfd")),
            ("anon_inode:inotify", Some("inotify")),
            ("anon_inode:bpf-map", Some("bpf-map")),
            ("pidfd:[42]", Some("pidfd")),
            ("net:[4026531840]", Some("net")),
            ("pipe:[42]", None),
            ("socket:[42]", None),
            ("/tmp/a:[42]", None),
            ("/memfd:x (deleted)", None),
            ("(unreachable)/x", None),
        ];
        for (link, name) in cases {
            assert_eq!(anon_name(link), name, "{link}");
        }
    }

    #[test]
    fn own_and_other_descriptors_have_the_same_kinds() {
        let kinds = [
            (FdKind::File, SFlag::S_IFREG, Kind::File),
            (FdKind::Directory, SFlag::S_IFDIR, Kind::Dir),
            (FdKind::Pipe, SFlag::S_IFIFO, Kind::Pipe),
            (FdKind::Socket, SFlag::S_IFSOCK, Kind::Socket),
            (FdKind::CharDevice, SFlag::S_IFCHR, Kind::Char),
            (FdKind::Terminal, SFlag::S_IFCHR, Kind::Char),
            (FdKind::BlockDevice, SFlag::S_IFBLK, Kind::Block),
            (FdKind::Symlink, SFlag::S_IFLNK, Kind::Link),
        ];
        let mut stat = nix::sys::stat::stat("/").expect("every system has a root");
        for (own, of_stat, kind) in kinds {
            stat.st_mode = of_stat.bits();
            assert_eq!([Kind::from(&own), Kind::of(None, Some(&stat))], [kind.clone(), kind]);
        }
        let eventfd = Kind::Anon { name: "eventfd".to_owned() };
        assert_eq!(Kind::from(&FdKind::Anonymous("eventfd".to_owned())), eventfd);
        assert_eq!(Kind::of(Some("anon_inode:[eventfd]"), Some(&stat)), eventfd);
        assert_eq!([Kind::from(&FdKind::Other), Kind::of(None, None)], [Kind::Other, Kind::Other]);
    }

    #[test]
    fn json_names_a_kind_as_the_table_does() {
        let kinds = [
            Kind::File,
            Kind::Dir,
            Kind::Pipe,
            Kind::Socket,
            Kind::Char,
            Kind::Block,
            Kind::Link,
            Kind::Other,
        ];
        for kind in kinds {
            let object = serde_json::to_value(&kind).expect("it has no keys but text");
            assert_eq!(object["kind"], kind.word(), "{kind:?}");
        }
    }

    #[test]
    fn flags_become_a_mode_and_words() {
        let cases = [
            (OFlag::O_RDONLY, Mode::Read, &[][..]),
            (OFlag::O_WRONLY | OFlag::O_APPEND, Mode::Write, &["append"]),
            (OFlag::O_RDWR | OFlag::O_NONBLOCK, Mode::ReadWrite, &["nonblock"]),
            (OFlag::O_ACCMODE, Mode::Neither, &[]),
        ];
        for (flags, mode, expected) in cases {
            assert_eq!((Mode::of(flags), words(flags).as_slice()), (mode, expected), "{flags:?}");
        }
    }
}
