//! The `Debug` forms of a command: `{:?}` is a line for a shell, `{:#?}` shows every setting.

use super::{Directory, Settings};
use crate::config::attributes::{Attributes, ClockOffsets};
use crate::config::namespaces::Namespaces;
use crate::config::supervision::Supervision;
use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;

impl fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { every_setting(self, f) } else { shell_line(self, f) }
    }
}

/// Formats as std does: `cd "/tmp" && env -u A B="x" "prog" "arg"`. `env` appears only if the shell's own
/// syntax cannot express the change.
fn shell_line(settings: &Settings<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(Directory::Path(path)) = &settings.directory {
        // A path that begins with `-` would be parsed as an option, or as the previous directory.
        let prefix = if path.as_os_str().as_bytes().starts_with(b"-") { "./" } else { "" };
        write!(f, "cd {prefix}{} && ", Quoted(path.as_os_str()))?;
    }
    let changes = || settings.env.changes();
    let arg0 = settings.args.first().filter(|arg0| **arg0 != settings.program);
    let is_odd = |name: &OsStr| !is_identifier(name);
    let removes = settings.env.is_cleared() || changes().any(|(_, value)| value.is_none());
    if removes || arg0.is_some() || changes().any(|(name, _)| is_odd(name)) {
        f.write_str("env ")?;
    }
    if settings.env.is_cleared() {
        f.write_str("-i ")?;
    }
    for (name, _) in changes().filter(|(_, value)| value.is_none()) {
        write!(f, "-u {} ", Word(name))?;
    }
    if let Some(arg0) = arg0 {
        write!(f, "-a {} ", Quoted(arg0))?;
    }
    for (name, value) in changes().filter_map(|(name, value)| Some((name, value?))) {
        write!(f, "{}={} ", Word(name), Quoted(value))?;
    }
    write!(f, "{}", Quoted(&settings.program))?;
    settings.args.iter().skip(1).try_for_each(|arg| write!(f, " {}", Quoted(arg)))
}

/// Lists the fields, so that a setting which is missing here does not compile.
#[expect(clippy::too_many_lines, reason = "two for each setting")]
fn every_setting(settings: &Settings<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Settings {
        program,
        executable,
        args,
        env,
        search,
        enoexec_fallback,
        streams: [stdin, stdout, stderr],
        keep,
        mappings,
        sockets,
        supervision: Supervision { notify_socket, watchdog },
        clear_nonblocking,
        close,
        directory,
        root,
        cgroup,
        umask,
        ignored,
        ignore,
        mask,
        session,
        process_group,
        terminal,
        foreground,
        pty,
        limits,
        nice,
        user: named,
        uid,
        gid,
        groups,
        keep_groups,
        attributes: of_some_systems,
        namespaces: Namespaces { new, join, user, group },
        no_new_privs,
        die_with_parent,
        pdeathsig_thread,
        autoreap,
        hooks,
        pidfd,
        on_drop,
        reaper_thread,
        containment,
        timed,
        spawn_policy,
    } = settings;
    let mut fields = f.debug_struct("Command");
    fields
        .field("program", program)
        .field("executable", executable)
        .field("args", args)
        .field("env", env)
        .field("search_path", search)
        .field("enoexec_fallback", enoexec_fallback)
        .field("stdin", stdin)
        .field("stdout", stdout)
        .field("stderr", stderr)
        .field("keep_fd", keep)
        .field("fd", mappings)
        .field("listen_fd", sockets)
        .field("notify_socket", notify_socket)
        .field("watchdog", watchdog)
        .field("clear_nonblocking", clear_nonblocking)
        .field("close_strategy", close)
        .field("current_dir", directory)
        .field("chroot", root)
        .field("cgroup", cgroup)
        .field("unshare", &format_args!("{new}"))
        .field("setns", join)
        .field("map_user", user)
        .field("map_group", group)
        .field("umask", umask)
        .field("ignored_signals", ignored)
        .field("ignore_signal", ignore)
        .field("signal_mask", mask)
        .field("setsid", session)
        .field("process_group", process_group)
        .field("controlling_terminal", terminal)
        .field("foreground", foreground)
        .field("pty", &pty.as_ref().map(|pty| pty.upgrade().and_then(|ends| ends.path.clone())))
        .field("limits", limits)
        .field("nice", nice)
        .field("user", named)
        .field("uid", uid)
        .field("gid", gid)
        .field("groups", groups)
        .field("keep_groups", keep_groups)
        .field("no_new_privs", no_new_privs)
        .field("die_with_parent", die_with_parent)
        .field("pdeathsig_thread", pdeathsig_thread)
        .field("autoreap", autoreap)
        .field("pre_exec", &format_args!("{} closures", hooks.len()))
        .field("create_pidfd", pidfd)
        .field("on_drop", on_drop)
        .field("reaper_thread", reaper_thread)
        .field("containment", containment)
        .field("time_stages", timed)
        .field("spawn_policy", spawn_policy);
    attributes(of_some_systems, &mut fields);
    fields.finish()
}

fn attributes(attributes: &Attributes<'_>, fields: &mut fmt::DebugStruct<'_, '_>) {
    let Attributes {
        clocks: ClockOffsets { monotonic, boottime },
        jail,
        autogroup,
        cpus,
        scheduler,
        io_priority,
        memory,
        timer_slack,
        oom_score,
        fixed_addresses,
        bounding,
        securebits,
        inheritable,
        ambient,
        session_keyring,
        unveiled,
        promises,
        landlock,
        seccomp,
        start_suspended,
    } = attributes;
    fields
        .field("monotonic_offset", monotonic)
        .field("boottime_offset", boottime)
        .field("jail", jail)
        .field("autogroup_nice", autogroup)
        .field("cpu_affinity", cpus)
        .field("scheduler", scheduler)
        .field("io_priority", io_priority)
        .field("memory_policy", memory)
        .field("timer_slack", timer_slack)
        .field("oom_score_adj", oom_score)
        .field("fixed_addresses", fixed_addresses)
        .field("bounding_capabilities", bounding)
        .field("securebits", securebits)
        .field("inheritable_capabilities", inheritable)
        .field("ambient_capabilities", ambient)
        .field("session_keyring", session_keyring)
        .field("unveil", unveiled)
        .field("pledge", promises)
        .field("landlock", landlock)
        .field("seccomp", seccomp)
        .field("start_suspended", start_suspended);
}

/// Returns true if a shell parses `NAME=` as an assignment.
fn is_identifier(name: &OsStr) -> bool {
    let starts_with_digit = name.as_bytes().first().is_none_or(u8::is_ascii_digit);
    !starts_with_digit && name.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Formats the name of a variable, quoted only if necessary.
struct Word<'a>(&'a OsStr);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_identifier(self.0) { write!(f, "{}", self.0.to_string_lossy()) } else { Quoted(self.0).fmt(f) }
    }
}

/// Formats a word that a shell parses as exactly this string.
///
/// As in std the word is in double quotes if no character in it is special between them, and in single quotes
/// otherwise. A control character or a byte that is not UTF-8 is written in the form `$'\n'` of POSIX.1-2024,
/// which bash, zsh and ksh support.
struct Quoted<'a>(&'a OsStr);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_str() {
            Some(text) if text.chars().any(char::is_control) => escaped(self.0.as_bytes(), f),
            None => escaped(self.0.as_bytes(), f),
            Some(text) if text.contains(['"', '$', '`', '\\', '!']) => {
                write!(f, "'{}'", text.replace('\'', r"'\''"))
            }
            Some(text) => write!(f, "\"{text}\""),
        }
    }
}

/// Octal escapes have three digits, so that a digit can follow.
fn escaped(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("$'")?;
    for &byte in bytes {
        match byte {
            b'\n' => f.write_str(r"\n")?,
            b'\t' => f.write_str(r"\t")?,
            b'\'' | b'\\' => write!(f, "\\{}", char::from(byte))?,
            b' '..=b'~' => f.write_char(byte.into())?,
            _ => write!(f, "\\{byte:03o}")?,
        }
    }
    f.write_char('\'')
}

#[cfg(test)]
mod tests {
    use crate::command::{BorrowingCommand, Command};
    use crate::config::stdio::Stdio;
    use rstest::rstest;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::process;

    type Ask = fn(&mut BorrowingCommand<'_>);

    /// Faults: E19
    #[rstest]
    #[case::nothing(|_: &mut BorrowingCommand<'_>| (), r#""prog""#)]
    #[case::arguments(|it: &mut BorrowingCommand<'_>| { it.args(["arg", "two words", ""]); }, r#""prog" "arg" "two words" """#)]
    #[case::everything(
        |it: &mut BorrowingCommand<'_>| { it.current_dir("/tmp").env("B", "x").env_remove("A").arg("arg"); },
        r#"cd "/tmp" && env -u A B="x" "prog" "arg""#
    )]
    #[case::variable(|it: &mut BorrowingCommand<'_>| { it.env("B", "x y"); }, r#"B="x y" "prog""#)]
    #[case::cleared_environment(|it: &mut BorrowingCommand<'_>| { it.env_clear().env("B", "x"); }, r#"env -i B="x" "prog""#)]
    #[case::no_identifier(|it: &mut BorrowingCommand<'_>| { it.env("1 b", "x"); }, r#"env "1 b"="x" "prog""#)]
    #[case::no_identifier_after_a_letter(|it: &mut BorrowingCommand<'_>| { it.env("a b", "x"); }, r#"env "a b"="x" "prog""#)]
    #[case::digit_first(|it: &mut BorrowingCommand<'_>| { it.env("1b", "x"); }, r#"env "1b"="x" "prog""#)]
    #[case::underscores(|it: &mut BorrowingCommand<'_>| { it.env("_A_1", "x"); }, r#"_A_1="x" "prog""#)]
    #[case::another_name(|it: &mut BorrowingCommand<'_>| { it.arg0("-sh"); }, r#"env -a "-sh" "prog""#)]
    #[case::directory_like_an_option(|it: &mut BorrowingCommand<'_>| { it.current_dir("-P"); }, r#"cd ./"-P" && "prog""#)]
    #[case::what_a_shell_expands(|it: &mut BorrowingCommand<'_>| { it.arg("$HOME `id`"); }, r#""prog" '$HOME `id`'"#)]
    #[case::quotes(|it: &mut BorrowingCommand<'_>| { it.arg(r#"it's "so""#); }, r#""prog" 'it'\''s "so"'"#)]
    #[case::line_end(|it: &mut BorrowingCommand<'_>| { it.arg("a\nb'"); }, r#""prog" $'a\nb\''"#)]
    #[case::tab(|it: &mut BorrowingCommand<'_>| { it.arg("a\tb"); }, r#""prog" $'a\tb'"#)]
    #[case::no_text(|it: &mut BorrowingCommand<'_>| { it.arg(OsStr::from_bytes(b"\xff1")); }, r#""prog" $'\3771'"#)]
    fn debug_prints_a_command_line_for_a_shell(#[case] ask: Ask, #[case] shown: &str) {
        let mut command = Command::new("prog");
        ask(&mut command);
        assert_eq!(format!("{command:?}"), shown);
    }

    /// Faults: E19
    #[rstest]
    #[case::in_the_form_of_std(|it: &mut process::Command| { it.current_dir("/tmp").env("B", "x").env_remove("A").arg("arg"); },
        |it: &mut BorrowingCommand<'_>| { it.current_dir("/tmp").env("B", "x").env_remove("A").arg("arg"); })]
    #[case::cleared(|it: &mut process::Command| { it.env_clear().env("B", "x y"); },
        |it: &mut BorrowingCommand<'_>| { it.env_clear().env("B", "x y"); })]
    fn debug_prints_a_command_as_std_does(#[case] std: fn(&mut process::Command), #[case] ours: Ask) {
        let (mut stds, mut command) = (process::Command::new("prog"), Command::new("prog"));
        std(&mut stds);
        ours(&mut command);
        assert_eq!(format!("{command:?}"), format!("{stds:?}"));
    }

    /// Covers every byte but NUL, and the characters that are special to a shell.
    ///
    /// Faults: E19
    #[rstest]
    #[case::sh("/bin/sh", " !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~ \u{e9}".as_bytes().to_vec())]
    #[case::bash("/bin/bash", (1..=255).collect())]
    fn shell_reads_the_printed_command_unchanged(#[case] shell: &str, #[case] odd: Vec<u8>) {
        if !std::path::Path::new(shell).exists() {
            eprintln!("skipped: there is no {shell}");
            return;
        }
        let odd = OsStr::from_bytes(&odd);
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"printf '%s|%s|%s' "$PWD" "$B" "$1""#, "sh"])
            .arg(odd)
            .env("B", odd)
            .current_dir("/");
        let line = format!("{command:?}");
        let output = process::Command::new(shell).args(["-c", &line]).output().expect("it starts");
        let expected = [&b"/|"[..], odd.as_bytes(), b"|", odd.as_bytes()].concat();
        assert_eq!(output.stdout, expected, "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Faults: E19
    #[test]
    fn alternate_debug_form_prints_every_setting() {
        let mut command = Command::new("prog");
        command.uid(7).groups([8]).stdin(Stdio::null()).chroot("/srv").umask(0o27).die_with_parent(15);
        let shown = format!("{command:#?}");
        let settings =
            ["uid: Some(", "umask", "die_with_parent", "closures", "cpu_affinity", "start_suspended"];
        for part in ["\"prog\"", "Null", "\"/srv\""].into_iter().chain(settings) {
            assert!(shown.contains(part), "{part} is missing in {shown}");
        }
    }
}
