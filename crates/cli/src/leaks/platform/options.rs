//! What is traced, and which leaks are worth a report.

use std::ffi::OsString;
use std::ops::RangeInclusive;

use crate::fds::{Kind, Row};

/// What was asked for.
pub(in crate::leaks) struct Wanted {
    /// The program and its arguments.
    pub(in crate::leaks) command: Vec<OsString>,
    /// The descriptors that the program is to have beside 0, 1 and 2.
    pub(in crate::leaks) keep: Vec<RangeInclusive<i32>>,
    /// Numbers that anybody may inherit.
    pub(in crate::leaks) allowed: Vec<RangeInclusive<i32>>,
    /// Kinds that anybody may inherit, as `fds` names them; `anon` is all of those with a name.
    pub(in crate::leaks) ignored_kinds: Vec<String>,
}

/// The kinds without a name of their own.
const KINDS: [&str; 9] = ["file", "dir", "pipe", "socket", "char", "block", "link", "other", "anon"];

/// A kind as it is typed.
///
/// # Errors
///
/// There is no such kind.
pub(in crate::leaks) fn kind(text: &str) -> Result<String, String> {
    let is_named = text.strip_prefix("anon:").is_some_and(|name| !name.is_empty());
    if is_named || KINDS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("there is no kind {text:?}, only {} and anon:NAME", KINDS.join(", ")))
}

impl Wanted {
    /// Whether it may be inherited without being asked for.
    pub(in crate::leaks) fn lets_pass(&self, row: &Row) -> bool {
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
    fn a_kind_is_one_that_fds_prints() {
        for text in ["file", "anon", "anon:eventfd"] {
            assert_eq!(kind(text).as_deref(), Ok(text));
        }
        for text in ["", "files", "anon:", "File"] {
            assert!(kind(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_and_kinds_pass_where_they_are_named() {
        let row =
            |fd, kind| Row { fd, mode: Mode::Read, cloexec: Some(false), flags: vec![], kind, target: None };
        let wanted = |allowed: &[RangeInclusive<i32>], kinds: &[&str]| Wanted {
            command: vec![],
            keep: vec![],
            allowed: allowed.to_vec(),
            ignored_kinds: kinds.iter().map(ToString::to_string).collect(),
        };
        let event = || Kind::Anon { name: "eventfd".into() };
        let cases = [
            (wanted(&[], &[]), row(7, Kind::File), false),
            (wanted(&[3..=6], &[]), row(7, Kind::File), false),
            (wanted(&[3..=7], &[]), row(7, Kind::File), true),
            (wanted(&[], &["pipe", "file"]), row(7, Kind::File), true),
            (wanted(&[], &["anon"]), row(7, event()), true),
            (wanted(&[], &["anon:eventfd"]), row(7, event()), true),
            (wanted(&[], &["anon:inotify", "file"]), row(7, event()), false),
        ];
        for (wanted, row, passes) in cases {
            assert_eq!(wanted.lets_pass(&row), passes, "{row:?}");
        }
    }
}
