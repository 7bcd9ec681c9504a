//! The contract of `run` as a wrapper: sections of `--help` and of the manual page. docs/wrapper.md compares it with others.

use crate::help::section;

const SIGNALS: &[&str] = &[
    "Every signal that a process sends to forkexec is forwarded to the program,",
    "real-time signals too (their values are lost). With --kill-tree, all of its",
    "process group gets it. A signal that arrives before the program runs is kept",
    "for it.",
    "",
    "Not forwarded are",
    "- what the terminal sent to both: keys, changes of its size, stops;",
    "- what the program itself sent, to its parent or to the whole group;",
    "- SIGCHLD, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS: those are",
    "  forkexec's own, and SIGKILL and SIGSTOP, which cannot be handled;",
    "- signals that forkexec was started with ignored: they stay so in both;",
    "- signals that arrive while --kill-tree ends what is overdue.",
    "",
    "A hang-up reaches the leader of a session alone, and is forwarded by it.",
    "Signals that were blocked at the start are forwarded as well.",
];

const JOB_CONTROL: &[&str] = &[
    "The program has forkexec's process group, unless an option says otherwise. If",
    "forkexec's group is in the foreground, --kill-tree and --foreground bring the",
    "program's group there, so that it can read the terminal.",
    "",
    "When the program stops, forkexec takes the terminal back and stops, too: for",
    "the shell, both are one job. When forkexec is continued, it gives the terminal",
    "to the program again, if the shell gave it to forkexec, and continues it. When",
    "the program ends, forkexec takes the terminal back.",
    "",
    "forkexec stops only where it has a terminal, and a shell to continue it.",
    "A deadline that passes while both are stopped is acted on at once (Linux), or",
    "when forkexec is continued.",
];

const ORPHANS: &[&str] = &[
    "As PID 1, and with --reap, orphans of the program become children of forkexec,",
    "which reaps them. It does not wait for them: it exits when the program does.",
];

/// The sections.
pub(super) fn sections() -> String {
    let sections = [("Signals", SIGNALS), ("Job control", JOB_CONTROL), ("Orphans", ORPHANS)];
    let text = |(heading, rows): (&str, &[&str])| {
        section(heading, &rows.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    sections.map(text).join("\n\n")
}
