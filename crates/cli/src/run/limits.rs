//! `--limit`: resource limits, with units.

use forkexec::{Command, Resource, capabilities};

/// A resource limit. A side that was not given stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    resource: Resource,
    soft: Option<u64>,
    hard: Option<u64>,
}

type Units = &'static [(&'static str, u64)];

/// As for ulimit(1) and systemd, the prefixes are powers of 1024.
const BYTES: Units = &[
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
    ("T", 1 << 40),
    ("TiB", 1 << 40),
];

const SECONDS: Units = &[("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
const MICROSECONDS: Units = &[("us", 1), ("ms", 1_000), ("s", 1_000_000)];

/// Returns the units of a resource. A count has none.
fn units(name: &str) -> Units {
    match name {
        "as" | "core" | "data" | "fsize" | "memlock" | "msgqueue" | "rss" | "sbsize" | "stack" | "swap"
        | "vmem" => BYTES,
        "cpu" => SECONDS,
        "rttime" => MICROSECONDS,
        _ => &[],
    }
}

/// Parses `NAME=VALUE`, `NAME=SOFT:HARD`, `NAME=SOFT:` or `NAME=:HARD`.
///
/// # Errors
///
/// Returns a message if there is no such resource, or a value is none.
pub(super) fn parse(text: &str) -> Result<Limit, String> {
    let (name, values) = text.split_once('=').ok_or("expected NAME=SOFT[:HARD]")?;
    let known = capabilities().resources;
    let Some(&(_, resource)) = known.iter().find(|(known, _)| *known == name) else {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "there is no resource {name:?} on this system; the resources are {}",
            names.join(", ")
        ));
    };
    let bound = |text: &str| bound(text, units(name));
    let side = |text: &str| if text.is_empty() { Ok(None) } else { bound(text).map(Some) };
    let (soft, hard) = match values.split_once(':') {
        None => (Some(bound(values)?), Some(bound(values)?)),
        Some(("", "")) => return Err("expected a soft limit, a hard limit or both".to_owned()),
        Some((soft, hard)) => (side(soft)?, side(hard)?),
    };
    match (soft, hard) {
        (Some(soft), Some(hard)) if soft > hard => Err("the soft limit is above the hard limit".to_owned()),
        _ => Ok(Limit { resource, soft, hard }),
    }
}

/// Parses one bound. For the library, `u64::MAX` means no limit, so that number is refused.
fn bound(text: &str, units: Units) -> Result<u64, String> {
    if text == "unlimited" {
        return Ok(u64::MAX);
    }
    let digits = text.trim_end_matches(|end: char| end.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let factor = match unit {
        "" => Some(1),
        unit => units.iter().find(|(known, _)| *known == unit).map(|(_, factor)| *factor),
    };
    let Some(factor) = factor.filter(|_| is_decimal) else { return Err(expected(text, units)) };
    let bound = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bound.filter(|&bound| bound != u64::MAX).ok_or_else(|| format!("{text} is too large"))
}

fn expected(text: &str, units: Units) -> String {
    let units: Vec<_> = units.iter().map(|(unit, _)| *unit).collect();
    match units.split_last() {
        None => format!("{text:?} is neither a number nor \"unlimited\""),
        Some((last, others)) => {
            format!("{text:?} is neither a number, in {} or {last}, nor \"unlimited\"", others.join(", "))
        }
    }
}

impl Limit {
    /// Applies the limit to the command.
    pub(super) fn apply(self, command: &mut Command) {
        match (self.soft, self.hard) {
            (Some(_), Some(_)) => command.rlimit(self.resource, self.soft, self.hard),
            (Some(_), None) => command.rlimit_soft(self.resource, self.soft),
            (None, _) => command.rlimit_hard(self.resource, self.hard),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_a_known_name_and_one_or_two_bounds() {
        let nofile = |soft, hard| Ok(Limit { resource: Resource::NOFILE, soft, hard });
        assert_eq!(parse("nofile=64"), nofile(Some(64), Some(64)));
        assert_eq!(parse("nofile=64:unlimited"), nofile(Some(64), Some(u64::MAX)));
        assert_eq!(parse("nofile=64:"), nofile(Some(64), None));
        assert_eq!(parse("nofile=:64"), nofile(None, Some(64)));
        for text in [
            "nofile",
            "nofile=",
            "nofile=:",
            "nofile=x",
            "nofile=-1",
            "nofile=2:1",
            "nofile=unlimited:1",
            "foo=1",
            "=1",
            "nofile=1:2:3",
            "nofile=1K",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse("nofile=18446744073709551615").is_err());
    }

    #[test]
    fn unit_is_that_of_the_resource() {
        let soft = |text: &str| parse(text).map(|limit| limit.soft);
        assert_eq!(soft("stack=8MiB"), Ok(Some(8 << 20)));
        assert_eq!(soft("core=2G:unlimited"), Ok(Some(2 << 30)));
        for (index, prefix) in ["K", "M", "G", "T"].into_iter().enumerate() {
            let bytes = 1024_u64.pow(u32::try_from(index).expect("it is small") + 1);
            for unit in [prefix.to_owned(), format!("{prefix}iB")] {
                assert_eq!(soft(&format!("data=3{unit}")), Ok(Some(3 * bytes)), "{unit}");
            }
        }
        for (unit, seconds) in [("s", 1), ("m", 60), ("h", 3600), ("d", 86400)] {
            for text in [format!("cpu=2{unit}"), format!("cpu=2{unit}:")] {
                assert_eq!(soft(&text), Ok(Some(2 * seconds)), "{text}");
            }
        }
        for (unit, microseconds) in [("us", 1), ("ms", 1_000), ("s", 1_000_000)] {
            assert_eq!(bound(&format!("2{unit}"), units("rttime")), Ok(2 * microseconds), "{unit}");
        }
        for text in ["stack=8MB", "stack=8m", "cpu=5M", "cpu=ms", "stack=K", "stack=1.5K"] {
            let error = parse(text).expect_err("it is invalid");
            assert!(error.contains(" is neither a number"), "{error}");
        }
        assert_eq!(parse("stack=16777216T").expect_err("it is invalid"), "16777216T is too large");
    }
}
