//! The user and groups, by number or name.

use std::fmt;

use clap::Args;
use forkexec::Command;
use nix::unistd::Group;

use crate::exit::Failure;

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Identity")]
#[group(skip)]
pub(super) struct Options {
    /// Set the user, by number or name
    ///
    /// A name also sets the group and the supplementary groups of that user. Digits are always a number, never a name. As root, a
    /// number needs --group or --keep-groups, and without --groups the supplementary groups are dropped.
    #[arg(long, value_name = "USER", value_parser = who, allow_hyphen_values = true)]
    user: Option<Who>,

    /// Set the real, effective and saved group, by number or name
    #[arg(long, value_name = "GROUP", value_parser = who, allow_hyphen_values = true)]
    group: Option<Who>,

    /// Set the supplementary groups: none, or a list of numbers and names
    #[arg(long, value_name = "none|GROUPS", value_parser = several, allow_hyphen_values = true)]
    groups: Option<Several>,

    /// With --user, keep the group and supplementary groups of forkexec that no option sets
    #[arg(long)]
    keep_groups: bool,

    /// Set no_new_privs: exec cannot grant privileges to the program or its descendants (Linux, FreeBSD)
    #[arg(long)]
    no_new_privs: bool,
}

/// A user or a group, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Id(u32),
    Name(String),
}

/// A list. For a `Vec`, clap would allow a repeated option.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Several(Vec<Who>);

fn who(text: &str) -> Result<Who, String> {
    match text.strip_prefix(['-', '+']).unwrap_or(text) {
        "" => Err("expected a number or a name".to_owned()),
        digits if !digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Who::Name(text.to_owned())),
        // For the kernel, the highest number means "leave unchanged".
        _ => match text.parse() {
            Ok(id) if id != u32::MAX && !text.starts_with('+') => Ok(Who::Id(id)),
            _ => Err(format!("expected a number from 0 to {}", u32::MAX - 1)),
        },
    }
}

fn several(text: &str) -> Result<Several, String> {
    if text == "none" {
        return Ok(Several(Vec::new()));
    }
    text.split(',').map(who).collect::<Result<_, _>>().map(Several)
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl Who {
    /// Returns the id of the group. Looks up a name.
    fn group(&self, option: &str) -> Result<u32, Failure> {
        let name = match self {
            Self::Id(id) => return Ok(*id),
            Self::Name(name) => name,
        };
        match Group::from_name(name) {
            Ok(Some(group)) => Ok(group.gid.as_raw()),
            Ok(None) => {
                Err(Failure::refused(format!("{option} {name}: cannot look up the group: it does not exist")))
            }
            Err(errno) => {
                Err(Failure::refused(format!("{option} {name}: cannot look up the group")).because(errno))
            }
        }
    }
}

impl Options {
    /// Looks up groups, and applies the options to the command.
    ///
    /// # Errors
    ///
    /// Fails if there is no such group.
    pub(super) fn apply(&self, command: &mut Command) -> Result<(), Failure> {
        match &self.user {
            Some(Who::Id(id)) => _ = command.uid(*id),
            Some(Who::Name(name)) => _ = command.user(name),
            None => {}
        }
        if let Some(group) = &self.group {
            command.gid(group.group("--group")?);
        }
        if let Some(Several(groups)) = &self.groups {
            let ids: Vec<_> = groups.iter().map(|group| group.group("--groups")).collect::<Result<_, _>>()?;
            command.groups(ids);
        }
        if self.keep_groups {
            command.keep_groups();
        }
        if self.no_new_privs {
            command.no_new_privs();
        }
        Ok(())
    }

    /// Returns the user as it was typed.
    pub(super) fn typed_user(&self) -> String {
        self.user.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_number_and_other_text_is_a_name() {
        assert_eq!(who("1000"), Ok(Who::Id(1000)));
        assert_eq!(who("www-data"), Ok(Who::Name("www-data".into())));
        assert_eq!(who("1st"), Ok(Who::Name("1st".into())));
        for text in ["", "-", "-1", "+1", "4294967295", "4294967296"] {
            assert!(who(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn groups_are_a_list_or_none() {
        assert_eq!(several("none"), Ok(Several(vec![])));
        assert_eq!(several("1,wheel"), Ok(Several(vec![Who::Id(1), Who::Name("wheel".into())])));
        assert!(several("").is_err());
        assert!(several("1,").is_err());
    }
}
