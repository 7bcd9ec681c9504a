//! Settings: the program to trace, and the leaks that are not reported.

use std::ffi::OsString;
use std::ops::RangeInclusive;

use crate::fds::{Kind, Row};

/// The settings of a trace.
pub(in crate::leaks) struct Settings {
    /// The program and its arguments.
    pub(in crate::leaks) command: Vec<OsString>,
    /// The descriptors that the program gets in addition to 0, 1 and 2.
    pub(in crate::leaks) keep: Vec<RangeInclusive<i32>>,
    /// Numbers that are not reported.
    pub(in crate::leaks) allowed: Vec<RangeInclusive<i32>>,
    /// Kinds that are not reported, as `fds` names them. `anon` matches each kind with a name.
    pub(in crate::leaks) ignored_kinds: Vec<String>,
}

/// All kinds but `anon:NAME`.
const KINDS: [&str; 9] = ["file", "dir", "pipe", "socket", "char", "block", "link", "other", "anon"];

/// Parses a kind.
///
/// # Errors
///
/// Returns a message if there is no such kind.
pub(in crate::leaks) fn kind(text: &str) -> Result<String, String> {
    let is_named = text.strip_prefix("anon:").is_some_and(|name| !name.is_empty());
    if is_named || KINDS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("there is no kind {text:?}; the kinds are {} and anon:NAME", KINDS.join(", ")))
}

impl Settings {
    /// Returns true if this descriptor is not reported.
    pub(in crate::leaks) fn ignores(&self, row: &Row) -> bool {
        let is_anon = matches!(row.kind, Kind::Anon { .. });
        let is_ignored = |kind: &String| *kind == row.kind.word() || is_anon && kind == "anon";
        self.allowed.iter().any(|range| range.contains(&row.fd)) || self.ignored_kinds.iter().any(is_ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fds::Mode;

    #[test]
    fn kind_is_one_that_fds_prints() {
        for text in ["file", "anon", "anon:eventfd"] {
            assert_eq!(kind(text).as_deref(), Ok(text));
        }
        for text in ["", "files", "anon:", "File"] {
            assert!(kind(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn named_numbers_and_kinds_are_ignored() {
        let row =
            |fd, kind| Row { fd, mode: Mode::Read, cloexec: Some(false), flags: vec![], kind, target: None };
        let settings = |allowed: &[RangeInclusive<i32>], kinds: &[&str]| Settings {
            command: vec![],
            keep: vec![],
            allowed: allowed.to_vec(),
            ignored_kinds: kinds.iter().map(ToString::to_string).collect(),
        };
        let event = || Kind::Anon { name: "eventfd".into() };
        let cases = [
            (settings(&[], &[]), row(7, Kind::File), false),
            (settings(&[3..=6], &[]), row(7, Kind::File), false),
            (settings(&[3..=7], &[]), row(7, Kind::File), true),
            (settings(&[], &["pipe", "file"]), row(7, Kind::File), true),
            (settings(&[], &["anon"]), row(7, event()), true),
            (settings(&[], &["anon:eventfd"]), row(7, event()), true),
            (settings(&[], &["anon:inotify", "file"]), row(7, event()), false),
        ];
        for (settings, row, ignored) in cases {
            assert_eq!(settings.ignores(&row), ignored, "{row:?}");
        }
    }
}
