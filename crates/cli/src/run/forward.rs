//! The rules for forwarding signals to the program, without system calls.

use crate::system;
use crate::system::Sender;

/// The processes between which a signal is forwarded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parties {
    /// This process.
    pub(crate) own: i32,
    pub(crate) program: i32,
    /// True if both are in one process group: the terminal signals both.
    pub(crate) share_group: bool,
    /// True if this process leads its session: a hang-up reaches only this process.
    pub(crate) leads_session: bool,
}

/// Above the highest signal. The system refuses numbers that are not signals.
const END: i32 = 129;

/// Signals that are not forwarded. `SIGKILL` and `SIGSTOP` cannot be handled. `SIGCHLD` is about children of this process.
/// The others are faults of this process. `SIGABRT` is forwarded: a watchdog sends it to get a core dump.
const NEVER: [i32; 9] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGCHLD,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// If the kernel sends one of these, it is about this process's own writes and resources.
const OF_OWN_USE: [i32; 3] = [libc::SIGPIPE, libc::SIGXCPU, libc::SIGXFSZ];

/// The terminal sends these to its foreground group, for keys, stops and hang-ups.
const OF_THE_TERMINAL: [i32; 8] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGWINCH,
    libc::SIGHUP,
    libc::SIGCONT,
];

/// Signals that stop a process which neither handles nor ignores them.
pub(crate) const STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// Returns all signals that may be forwarded.
pub(crate) fn candidates() -> impl Iterator<Item = i32> {
    (1..END).filter(|signal| !NEVER.contains(signal))
}

/// Returns true if a signal that arrived at this process is forwarded to the program.
pub(crate) fn is_forwarded(signal: i32, sender: Sender, parties: Parties) -> bool {
    match sender {
        // The program signalled its parent, or a group that includes this process. If it got the signal back, it might do
        // so again.
        Sender::Process(pid) => pid != parties.own && pid != parties.program,
        Sender::Kernel if OF_OWN_USE.contains(&signal) => false,
        Sender::Kernel if is_of_the_terminal(signal) => {
            let is_hangup = matches!(signal, libc::SIGHUP | libc::SIGCONT);
            !parties.share_group || (is_hangup && parties.leads_session)
        }
        Sender::Kernel => true,
    }
}

fn is_of_the_terminal(signal: i32) -> bool {
    OF_THE_TERMINAL.contains(&signal) || system::STATUS_KEY == Some(signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Parties = Parties { own: 10, program: 11, share_group: false, leads_session: false };
    const TOGETHER: Parties = Parties { share_group: true, ..APART };

    /// Faults: C2
    #[test]
    fn terminal_signals_are_forwarded_only_to_another_group() {
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGWINCH, libc::SIGTSTP] {
            assert!(!is_forwarded(signal, Sender::Kernel, TOGETHER));
            assert!(is_forwarded(signal, Sender::Kernel, APART));
            for sender in [0, 1, 99] {
                assert!(is_forwarded(signal, Sender::Process(sender), TOGETHER));
            }
        }
    }

    #[test]
    fn signals_of_the_program_itself_are_not_forwarded() {
        for parties in [APART, TOGETHER] {
            for sender in [Sender::Process(10), Sender::Process(11)] {
                assert!(!is_forwarded(libc::SIGTERM, sender, parties));
            }
        }
    }

    #[test]
    fn session_leader_forwards_a_hangup() {
        for signal in [libc::SIGHUP, libc::SIGCONT] {
            assert!(!is_forwarded(signal, Sender::Kernel, TOGETHER));
            assert!(is_forwarded(signal, Sender::Kernel, Parties { leads_session: true, ..TOGETHER }));
        }
    }

    #[test]
    fn kernel_signals_about_own_resources_are_not_forwarded() {
        assert!(is_forwarded(libc::SIGALRM, Sender::Kernel, TOGETHER));
        assert!(!is_forwarded(libc::SIGXCPU, Sender::Kernel, APART));
        assert!(is_forwarded(libc::SIGXCPU, Sender::Process(1), APART));
    }

    #[test]
    fn candidates_exclude_faults_and_unhandleable_signals() {
        let candidates: Vec<_> = candidates().collect();
        assert!(NEVER.iter().all(|signal| !candidates.contains(signal)));
        assert!(
            [libc::SIGABRT, libc::SIGUSR1, libc::SIGALRM, 40]
                .iter()
                .all(|signal| candidates.contains(signal))
        );
    }
}
