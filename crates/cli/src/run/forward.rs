//! Which signals are forwarded to the program: the rules, without a system call.

use crate::system;
use crate::system::Sender;

/// The processes between which a signal is forwarded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parties {
    /// This process.
    pub(crate) own: i32,
    pub(crate) program: i32,
    /// Both are in one process group, so that the terminal signals both.
    pub(crate) share_group: bool,
    /// This process leads its session, so that a hang-up reaches it alone.
    pub(crate) leads_session: bool,
}

/// Higher than any signal's number. The system refuses numbers that are none.
const END: i32 = 129;

/// Signals that stay with this process: two cannot be handled, `SIGCHLD` tells of its own children, and the rest are its own
/// faults. `SIGABRT` is not among them: a watchdog sends it to get a core dump.
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

/// From the kernel, these are about what this process itself wrote or used.
const OF_OWN_USE: [i32; 3] = [libc::SIGPIPE, libc::SIGXCPU, libc::SIGXFSZ];

/// The terminal sends these to its foreground group, or a hang-up sends them.
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

/// These stop a process unless it handles or ignores them.
pub(crate) const STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// All signals that may be forwarded.
pub(crate) fn candidates() -> impl Iterator<Item = i32> {
    (1..END).filter(|signal| !NEVER.contains(signal))
}

/// Whether the program is sent a signal that this process got.
pub(crate) fn is_forwarded(signal: i32, sender: Sender, parties: Parties) -> bool {
    match sender {
        // The program signalled a group that includes this process, or its parent. Sent back, it might do so again.
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
    fn only_a_process_sends_what_both_did_not_get() {
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGWINCH, libc::SIGTSTP] {
            assert!(!is_forwarded(signal, Sender::Kernel, TOGETHER));
            assert!(is_forwarded(signal, Sender::Kernel, APART));
            for sender in [0, 1, 99] {
                assert!(is_forwarded(signal, Sender::Process(sender), TOGETHER));
            }
        }
    }

    #[test]
    fn the_programs_own_signals_do_not_come_back() {
        for parties in [APART, TOGETHER] {
            for sender in [Sender::Process(10), Sender::Process(11)] {
                assert!(!is_forwarded(libc::SIGTERM, sender, parties));
            }
        }
    }

    #[test]
    fn a_hangup_of_a_session_leader_is_forwarded() {
        for signal in [libc::SIGHUP, libc::SIGCONT] {
            assert!(!is_forwarded(signal, Sender::Kernel, TOGETHER));
            assert!(is_forwarded(signal, Sender::Kernel, Parties { leads_session: true, ..TOGETHER }));
        }
    }

    #[test]
    fn only_own_use_of_the_kernels_other_signals_stays() {
        assert!(is_forwarded(libc::SIGALRM, Sender::Kernel, TOGETHER));
        assert!(!is_forwarded(libc::SIGXCPU, Sender::Kernel, APART));
        assert!(is_forwarded(libc::SIGXCPU, Sender::Process(1), APART));
    }

    #[test]
    fn faults_and_what_cannot_be_handled_are_no_candidates() {
        let candidates: Vec<_> = candidates().collect();
        assert!(NEVER.iter().all(|signal| !candidates.contains(signal)));
        assert!(
            [libc::SIGABRT, libc::SIGUSR1, libc::SIGALRM, 40]
                .iter()
                .all(|signal| candidates.contains(signal))
        );
    }
}
