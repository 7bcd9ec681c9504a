//! Descriptors that the arguments or the environment of a program mention. They count as asked for.

use std::ops::Range;

/// Directories whose entries are numbers of descriptors.
const DIRECTORIES: [&str; 3] = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"];

/// Options of make's job server in `MAKEFLAGS` and `CARGO_MAKEFLAGS`, which name two descriptors.
const JOB_SERVER: [&str; 2] = ["--jobserver-auth=", "--jobserver-fds="];

/// The text that a program gets: its arguments and environment, with its process id.
pub(in crate::leaks) struct Mentions<'a> {
    pub(in crate::leaks) args: &'a [String],
    pub(in crate::leaks) env: &'a [String],
    pub(in crate::leaks) pid: i32,
}

impl Mentions<'_> {
    /// Returns true if the text mentions this descriptor:
    /// - as a path below `/dev/fd`, in an argument or a variable;
    /// - as `…fd=N`, or as `…fd` and then `N`, in the arguments, such as `gpg --status-fd 7`;
    /// - in a variable whose name ends in `FD` or `FDS` and whose value is a list of numbers, such as `NODE_CHANNEL_FD`;
    /// - by `LISTEN_FDS` (sd_listen_fds(3)), unless `LISTEN_PID` is another process;
    /// - as one of the two descriptors of make's job server.
    pub(in crate::leaks) fn include(&self, fd: i32) -> bool {
        let number = fd.to_string();
        self.args.iter().chain(self.env).any(|text| names_path(text, &number))
            || self.args.iter().any(|arg| is_fd_equals(arg, &number))
            || self.args.windows(2).any(|pair| ends_in_fd(&pair[0]) && pair[1] == number)
            || self.env.iter().any(|variable| is_in_variable(variable, &number))
            || self.listened().contains(&fd)
    }

    fn listened(&self) -> Range<i32> {
        let value = |name: &str| {
            let mut of_name = self.env.iter().filter_map(|variable| variable.split_once('='));
            of_name.find_map(|(key, value)| (key == name).then(|| value.parse::<i32>()))
        };
        let is_for_it = value("LISTEN_PID").is_none_or(|pid| pid == Ok(self.pid));
        match value("LISTEN_FDS") {
            Some(Ok(count)) if is_for_it => 3..count.saturating_add(3),
            _ => 0..0,
        }
    }
}

fn names_path(text: &str, number: &str) -> bool {
    DIRECTORIES.iter().any(|directory| {
        text.match_indices(directory).any(|(at, _)| leading_number(&text[at + directory.len()..]) == number)
    })
}

fn leading_number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

fn is_fd_equals(arg: &str, number: &str) -> bool {
    arg.split_once('=').is_some_and(|(name, value)| ends_in_fd(name) && value == number)
}

fn ends_in_fd(text: &str) -> bool {
    text.ends_with("fd") || text.ends_with("FD")
}

fn is_in_variable(variable: &str, number: &str) -> bool {
    let Some((name, value)) = variable.split_once('=') else { return false };
    if name.ends_with("MAKEFLAGS") {
        let options = value.split_ascii_whitespace();
        let mut pairs =
            options.filter_map(|option| JOB_SERVER.iter().find_map(|name| option.strip_prefix(name)));
        return pairs.any(|pair| pair.split(',').any(|fd| fd == number));
    }
    let is_list = (name.ends_with("FD") || name.ends_with("FDS")) && name != "LISTEN_FDS";
    is_list && value.split([',', ':', ' ']).any(|fd| fd == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(args: &[&str], env: &[&str], fd: i32) -> bool {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        Mentions { args: &owned(args), env: &owned(env), pid: 42 }.include(fd)
    }

    #[test]
    fn arguments_mention_a_descriptor_by_path_or_option() {
        let cases = [
            (&["cat", "/dev/fd/63"][..], true),
            (&["cat", "--from=/proc/self/fd/63/x"], true),
            (&["cat", "/dev/fd/6", "/dev/fd/630"], false),
            (&["gpg", "--status-fd", "63"], true),
            (&["gpg", "--status-fd=63"], true),
            (&["-add-fd", "fd=63,set=1"], false),
            (&["sleep", "63"], false),
            (&["63"], false),
        ];
        for (args, expected) in cases {
            assert_eq!(mentions(args, &[], 63), expected, "{args:?}");
        }
    }

    #[test]
    fn variables_mention_a_descriptor_by_their_names() {
        let cases = [
            ("NODE_CHANNEL_FD=3", true),
            ("SOME_FDS=7:3", true),
            ("SOME_FDS=33", false),
            ("TERM=3", false),
            ("MAKEFLAGS= -j8 --jobserver-auth=3,4", true),
            ("CARGO_MAKEFLAGS=-j --jobserver-fds=2,3 --jobserver-auth=fifo:/x", true),
            ("MAKEFLAGS=-j3 --jobserver-auth=fifo:3", false),
            ("X=/dev/fd/3", true),
        ];
        for (variable, expected) in cases {
            assert_eq!(mentions(&[], &[variable], 3), expected, "{variable}");
        }
    }

    #[test]
    fn listen_fds_counts_only_for_its_process() {
        let cases = [
            (&["LISTEN_FDS=2"][..], 4, true),
            (&["LISTEN_FDS=2"], 5, false),
            (&["LISTEN_FDS=2", "LISTEN_PID=42"], 3, true),
            (&["LISTEN_FDS=2", "LISTEN_PID=43"], 3, false),
            (&["LISTEN_FDS=x"], 3, false),
            (&["LISTEN_FDS=2147483647"], 1000, true),
        ];
        for (env, fd, expected) in cases {
            assert_eq!(mentions(&[], env, fd), expected, "{env:?} {fd}");
        }
    }
}
