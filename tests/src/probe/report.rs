//! The text form of a report: a `name: value` a line, and the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::os::unix::ffi::OsStringExt;
use std::str::FromStr;

use super::Ids;

pub(super) struct Report<'t> {
    text: &'t str,
    values: BTreeMap<&'t str, &'t str>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let facts = text.lines().filter(|line| !line.starts_with("env "));
        Self { text, values: facts.filter_map(|line| line.split_once(": ")).collect() }
    }

    pub(super) fn value(&self, name: &str) -> &'t str {
        self.values.get(name).unwrap_or_else(|| panic!("no `{name}` in this report:\n{}", self.text))
    }

    pub(super) fn optional(&self, name: &str) -> Option<&'t str> {
        Some(self.value(name)).filter(|&value| value != "none")
    }

    pub(super) fn number<T: FromStr<Err: Debug>>(&self, name: &str) -> T {
        number(self.value(name))
    }

    pub(super) fn list<T: FromStr<Err: Debug>>(&self, name: &str) -> Vec<T> {
        self.value(name).split_whitespace().map(number).collect()
    }

    pub(super) fn ids(&self, [real, effective, saved]: [&str; 3]) -> Ids {
        Ids { real: self.number(real), effective: self.number(effective), saved: self.number(saved) }
    }

    /// All `head KEY: value` lines.
    pub(super) fn table<K, V>(&self, head: &str, parse: fn(&str) -> V) -> BTreeMap<K, V>
    where
        K: FromStr<Err: Debug> + Ord,
    {
        let key = |name: &'t str| name.strip_prefix(head)?.strip_prefix(' ');
        self.values.iter().filter_map(|(name, value)| Some((number(key(name)?), parse(value)))).collect()
    }

    pub(super) fn environment(&self) -> Vec<OsString> {
        self.text.lines().filter_map(|line| line.strip_prefix("env ")).map(unescaped).collect()
    }
}

pub(super) fn number<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error:?}"))
}

pub(super) fn pair(text: &str) -> (u64, u64) {
    let (first, second) = text.split_once(' ').unwrap_or_else(|| panic!("`{text}` is no pair"));
    (number(first), number(second))
}

/// Undoes the probe's escaping: `\\`, and `\xNN` for a byte.
pub(super) fn unescaped(text: &str) -> OsString {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    while let Some(piece) = pieces.next() {
        if let Some((byte, rest)) = piece.strip_prefix('x').and_then(|rest| rest.split_at_checked(2)) {
            bytes.push(u8::from_str_radix(byte, 16).expect("two hexadecimal digits"));
            bytes.extend(rest.bytes());
        } else {
            // A double backslash: the rest is literal.
            bytes.push(b'\\');
            bytes.extend(pieces.next().unwrap_or_default().bytes());
        }
    }
    OsString::from_vec(bytes)
}
