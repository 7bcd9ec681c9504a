//! The contract of `run` as a wrapper: sections of `--help` and of the manual page. docs/wrapper.md compares it with other
//! wrappers.

use crate::help::section;

const SIGNALS: &[&str] = &[
    "forkexec forwards each signal that a process sends to it, including real-time",
    "signals, whose values are lost. With --kill-tree, it forwards to the process",
    "group of the program. A signal that arrives before the program runs is kept",
    "until it runs. A signal that was blocked at the start is forwarded, too.",
    "",
    "forkexec does not forward:",
    "- signals that the terminal sends to both: keys, size changes, stops;",
    "- signals that the program itself sends to its parent or to the whole group;",
    "- SIGCHLD, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP and SIGSYS, which are",
    "  about forkexec itself, and SIGKILL and SIGSTOP, which cannot be handled;",
    "- signals that were ignored when forkexec started: both keep ignoring them;",
    "- signals that arrive while --kill-tree ends the program and its descendants.",
    "",
    "The kernel sends a hang-up only to the leader of the session. If that is",
    "forkexec, it forwards the hang-up.",
];

const JOB_CONTROL: &[&str] = &[
    "The program is in the process group of forkexec, unless an option sets its",
    "group. If forkexec's group is in the foreground, --kill-tree and --foreground",
    "make the program's group the foreground group, so that it can read the",
    "terminal.",
    "",
    "When the program stops, forkexec takes the terminal back and stops, too. For",
    "the shell, both are one job. When forkexec is continued, it continues the",
    "program. If the shell made forkexec's group the foreground group, the program",
    "gets the terminal first. When the program ends, forkexec takes the terminal",
    "back.",
    "",
    "forkexec stops only if it has a terminal, and a shell that can continue it. If",
    "a time limit passes while both are stopped, forkexec ends the program at once",
    "on Linux. On other systems it does so when it is continued.",
];

const ORPHANS: &[&str] = &[
    "As PID 1 and with --reap, orphaned descendants of the program become children",
    "of forkexec, which reaps them. forkexec does not wait for orphans: it exits",
    "when the program ends.",
];

/// Returns the sections.
pub(super) fn sections() -> String {
    let sections = [("Signals", SIGNALS), ("Job control", JOB_CONTROL), ("Orphans", ORPHANS)];
    let text = |(heading, rows): (&str, &[&str])| {
        section(heading, &rows.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    sections.map(text).join("\n\n")
}
