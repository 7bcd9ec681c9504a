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

const TERMINAL: &[&str] = &[
    "With --pty, the program has a terminal and a session of its own. If a user is",
    "at standard input and output, the calling terminal is in raw mode while the",
    "program runs, and is restored when the program ends or forkexec stops. Keys",
    "act in the program's terminal. The kernel discards its suspend key for a",
    "program that leads the session, but not for the jobs of a shell.",
    "",
    "If one of the two is not a terminal, the calling terminal keeps its modes and",
    "its keys. A key that stops the job stops forkexec, and with it the copying.",
    "The program's terminal then has no echo and writes a line end as one newline.",
    "The end of the input becomes one key for end of file. A line of the input is",
    "at most as long as a terminal takes (4095 bytes on Linux).",
    "",
    "In the background, forkexec does not read the calling terminal, and the",
    "program runs on. If the output takes no more (EPIPE), and when the program",
    "ends, the terminal hangs up: processes that are still there get SIGHUP.",
];

const ORPHANS: &[&str] = &[
    "As PID 1 and with --reap, orphaned descendants of the program become children",
    "of forkexec, which reaps them. forkexec does not wait for orphans: it exits",
    "when the program ends.",
];

/// Returns the sections.
pub(super) fn sections() -> String {
    let sections = [
        ("Signals", SIGNALS),
        ("Job control", JOB_CONTROL),
        ("Own terminal", TERMINAL),
        ("Orphans", ORPHANS),
    ];
    let text = |(heading, rows): (&str, &[&str])| {
        section(heading, &rows.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    sections.map(text).join("\n\n")
}
