//! User and groups, by number or by name.

use std::fmt;

use clap::Args;
use forkexec::Command;
use nix::unistd::{Group, User};

use crate::exit::Failure;

// No doc comment: clap would take it for the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Identity")]
#[group(skip)]
pub(super) struct Options {
    /// The user, by number or name
    ///
    /// Real, effective and saved. As root it needs --group or --keep-groups; without --groups the
    /// supplementary groups are dropped. A number is never looked up as a name.
    #[arg(long, value_name = "USER", value_parser = who, allow_hyphen_values = true)]
    user: Option<Who>,

    /// The group, by number or name: real, effective and saved
    #[arg(long, value_name = "GROUP", value_parser = who, allow_hyphen_values = true)]
    group: Option<Who>,

    /// The supplementary groups: a list, or none
    #[arg(long, value_name = "none|GROUPS", value_parser = several, allow_hyphen_values = true)]
    groups: Option<Several>,

    /// Let the program keep our group and groups where none are set, although its user is another
    #[arg(long)]
    keep_groups: bool,

    /// Let no exec of the program or its descendants grant privileges (Linux, FreeBSD)
    #[arg(long)]
    no_new_privs: bool,
}

/// A user or a group, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Id(u32),
    Name(String),
}

/// A list, which clap would take for a repeated option if it were a `Vec`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Several(Vec<Who>);

fn who(text: &str) -> Result<Who, String> {
    match text.strip_prefix(['-', '+']).unwrap_or(text) {
        "" => Err("a user or group has a number or a name".to_owned()),
        digits if !digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Who::Name(text.to_owned())),
        // The highest number means "leave unchanged" to the kernel.
        _ => match text.parse() {
            Ok(id) if id != u32::MAX && !text.starts_with('+') => Ok(Who::Id(id)),
            _ => Err(format!("an id is a number from 0 to {}", u32::MAX - 1)),
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
    /// The number, looked up by `by_name` if need be.
    fn id(
        &self,
        option: &str,
        what: &str,
        by_name: impl Fn(&str) -> nix::Result<Option<u32>>,
    ) -> Result<u32, Failure> {
        let name = match self {
            Self::Id(id) => return Ok(*id),
            Self::Name(name) => name,
        };
        match by_name(name) {
            Ok(Some(id)) => Ok(id),
            Ok(None) => Err(Failure::refused(format!("{option} {name}: no such {what}"))),
            Err(errno) => {
                Err(Failure::refused(format!("{option} {name}: cannot look up the {what}")).because(errno))
            }
        }
    }

    fn user(&self, option: &str) -> Result<u32, Failure> {
        self.id(option, "user", |name| Ok(User::from_name(name)?.map(|user| user.uid.as_raw())))
    }

    fn group(&self, option: &str) -> Result<u32, Failure> {
        self.id(option, "group", |name| Ok(Group::from_name(name)?.map(|group| group.gid.as_raw())))
    }
}

impl Options {
    /// Looks names up and applies all.
    ///
    /// # Errors
    ///
    /// There is no such user or group.
    pub(super) fn apply(&self, command: &mut Command<'_>) -> Result<(), Failure> {
        if let Some(user) = &self.user {
            command.uid(user.user("--user")?);
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

    /// The user as it was typed.
    pub(super) fn typed_user(&self) -> String {
        self.user.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_number_and_anything_else_a_name() {
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
