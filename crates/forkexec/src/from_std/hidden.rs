//! What a command of std's holds and has no method to show.
//!
//! Its debug output, in the long form, shows all but the closures: a field in a line, its name after four blanks, and strings
//! escaped, so that none of them begins a line. That form is nobody's promise. So what is not exactly as expected is
//! refused, never taken for nothing.

use crate::Stdio;
use std::process::Command;

/// What can be carried over all the same.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    pub(super) clears_environment: bool,
    pub(super) streams: [Option<Stdio>; 3],
}

/// What std keeps in the place of a string that holds a NUL byte.
const NUL: &str = "<string-with-nul>";

/// Reads it, or says what cannot be carried over.
pub(super) fn read(command: &Command) -> Result<Hidden, &'static str> {
    let directory = command.get_current_dir().map(std::path::Path::as_os_str);
    let mut strings = command.get_args().chain([command.get_program()]).chain(directory);
    if strings.any(|string| string == NUL) {
        return Err("a string with a NUL byte");
    }
    read_text(&format!("{command:#?}"))
}

/// A field, and the lines of its value.
type Field<'t> = (&'t str, Vec<&'t str>);

fn read_text(text: &str) -> Result<Hidden, &'static str> {
    let fields = fields(text).ok_or("settings that this std shows in an unknown form")?;
    let value = |name: &str| fields.iter().find(|(this, _)| *this == name).map(|(_, value)| value.as_slice());
    // The zeroth argument, which is the program unless it was set.
    let (Some([program]), Some(["[", zeroth, .., "]"])) = (value("program"), value("args")) else {
        return Err("settings that this std shows in an unknown form");
    };
    if program != zeroth {
        return Err("a zeroth argument (arg0)");
    }
    let mut hidden = Hidden::default();
    for (name, value) in &fields {
        match *name {
            "program" | "args" | "cwd" | "create_pidfd" => {}
            "env" => hidden.clears_environment = is_cleared(value)?,
            "stdin" => hidden.streams[0] = Some(stream(value, "a standard input that is a descriptor")?),
            "stdout" => hidden.streams[1] = Some(stream(value, "a standard output that is a descriptor")?),
            "stderr" => hidden.streams[2] = Some(stream(value, "a standard error that is a descriptor")?),
            "uid" => return Err("a user id (uid)"),
            "gid" => return Err("a group id (gid)"),
            "groups" => return Err("supplementary groups (groups)"),
            "pgroup" => return Err("a process group (process_group)"),
            "setsid" => return Err("a session of its own (setsid)"),
            "chroot" => return Err("a root directory (chroot)"),
            _ => return Err("a setting of an unknown kind"),
        }
    }
    Ok(hidden)
}

/// The fields of the long form, without the commas at the end of lines.
fn fields(text: &str) -> Option<Vec<Field<'_>>> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    for line in text.strip_prefix("Command {\n")?.strip_suffix("\n}")?.lines() {
        let line = line.strip_prefix("    ")?;
        match line.split_once(": ") {
            Some((name, value)) if is_name(name) => fields.push((name, vec![bare(value)])),
            _ => fields.last_mut()?.1.push(bare(line.trim_start())),
        }
    }
    Some(fields)
}

/// Lines within a value begin with a blank, or close it.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn bare(line: &str) -> &str {
    line.strip_suffix(',').unwrap_or(line)
}

fn is_cleared(value: &[&str]) -> Result<bool, &'static str> {
    match value {
        ["CommandEnv {", "clear: false", ..] => Ok(false),
        ["CommandEnv {", "clear: true", ..] => Ok(true),
        _ => Err("an environment that this std shows in an unknown form"),
    }
}

fn stream(value: &[&str], other: &'static str) -> Result<Stdio, &'static str> {
    match value {
        ["Some(", "Inherit", ")"] => Ok(Stdio::inherit()),
        ["Some(", "Null", ")"] => Ok(Stdio::null()),
        ["Some(", "MakePipe", ")"] => Ok(Stdio::piped()),
        _ => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{read, read_text};
    use rstest::rstest;
    use std::fs::File;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn what_std_hides_is_refused_by_name() {
        let file = || File::open("/dev/null").expect("it is there");
        for (command, what) in [
            (strange().arg0("other"), "a zeroth argument (arg0)"),
            (strange().uid(0), "a user id (uid)"),
            (strange().gid(0), "a group id (gid)"),
            (strange().process_group(0), "a process group (process_group)"),
            (strange().stdin(file()), "a standard input that is a descriptor"),
            (strange().stdout(file()), "a standard output that is a descriptor"),
            (strange().stderr(file()), "a standard error that is a descriptor"),
            (strange().arg("a\0b"), "a string with a NUL byte"),
            (strange().current_dir("a\0b"), "a string with a NUL byte"),
            (&mut Command::new("a\0b"), "a string with a NUL byte"),
        ] {
            assert_eq!(read(command).err(), Some(what), "{command:#?}");
        }
    }

    /// Whatever a string holds, it is not taken for a field.
    #[test]
    fn what_std_shows_is_no_obstacle() {
        for (command, cleared) in [
            (&mut Command::new("true"), false),
            (&mut strange(), false),
            (strange().env_clear(), true),
            (Command::new("true").env_clear().env("clear", "false"), true),
        ] {
            let hidden = read(command).unwrap_or_else(|what| panic!("{what}: {command:#?}"));
            assert_eq!(hidden.clears_environment, cleared, "{command:#?}");
        }
    }

    /// A command whose strings look like fields.
    fn strange() -> Command {
        let mut command = Command::new("tr\nue");
        command.arg("\n    uid: Some(\n        0,\n    ),\n").current_dir("\n    setsid: true,\n}");
        command.env("\n    clear: true,", "\n    clear: true,");
        command
    }

    #[test]
    fn streams_without_a_descriptor_are_told_apart() {
        let mut command = Command::new("true");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let streams = read(&command).expect("nothing is hidden").streams;
        let streams = streams.map(|stream| format!("{stream:?}"));
        assert_eq!(streams, ["Some(Stdio(Null))", "Some(Stdio(Piped))", "Some(Stdio(Inherit))"]);
    }

    #[rstest]
    #[case::nothing("", "settings that this std shows in an unknown form")]
    #[case::the_short_form("\"true\"", "settings that this std shows in an unknown form")]
    #[case::no_arguments(
        "Command {\n    program: \"true\",\n}",
        "settings that this std shows in an unknown form"
    )]
    #[case::a_new_field(
        "Command {\n    program: \"a\",\n    args: [\n        \"a\",\n    ],\n    jail: Some(\n        1,\n    ),\n}",
        "a setting of an unknown kind"
    )]
    #[case::another_environment(
        "Command {\n    program: \"a\",\n    args: [\n        \"a\",\n    ],\n    env: None,\n}",
        "an environment that this std shows in an unknown form"
    )]
    fn a_form_that_is_not_known_is_refused(#[case] text: &str, #[case] what: &str) {
        assert_eq!(read_text(text).err(), Some(what));
    }
}
