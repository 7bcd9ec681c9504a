//! The report of a probe that tried to regain privileges.

use std::collections::BTreeMap;

use super::report::{Report, number};
use super::seen::Seen;

/// The report of the verb `escape`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escape {
    /// The inherited state. Its ids are those after the attempts.
    pub seen: Seen,
    /// Its privileges before the attempts.
    pub before: Left,
    /// Its privileges after the attempts.
    pub after: Left,
    /// The errno of each try, 0 where it succeeded.
    pub tries: BTreeMap<String, i32>,
}

/// Capabilities, a bit each, and the ids that rule the access to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Left {
    pub permitted: u64,
    pub effective: u64,
    pub inheritable: u64,
    pub ambient: u64,
    pub bounding: u64,
    pub fsuid: u32,
    pub fsgid: u32,
}

impl Escape {
    /// Reads what it said.
    ///
    /// # Panics
    ///
    /// If the text is not whole; the message holds the text.
    pub fn parse(text: &str) -> Self {
        let report = Report::new(text);
        let [before, after] = ["before", "after"].map(|when| Left::of(&report, when));
        Self { seen: Seen::parse(text), before, after, tries: report.table("try", number) }
    }

    /// The tries that succeeded.
    pub fn successes(&self) -> Vec<&str> {
        self.tries.iter().filter(|(_, errno)| **errno == 0).map(|(name, _)| name.as_str()).collect()
    }
}

impl Left {
    fn of(report: &Report<'_>, when: &str) -> Self {
        let name = |what: &str| format!("{when} {what}");
        let set = |what: &str| report.number(&name(what));
        let id = |what: &str| report.number(&name(what));
        Self {
            permitted: set("permitted"),
            effective: set("effective"),
            inheritable: set("inheritable"),
            ambient: set("ambient"),
            bounding: set("bounding"),
            fsuid: id("fsuid"),
            fsgid: id("fsgid"),
        }
    }
}
