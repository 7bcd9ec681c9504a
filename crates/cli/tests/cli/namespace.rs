//! Orphans and signals, as PID 1 of a pid namespace and with `--reap`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use forkexec_tests::isolate::{isolated_for, skip};
use rstest::rstest;

use crate::pty::code;
use crate::wrappers::{OURS, Wrapper};

const LIMIT: Duration = Duration::from_secs(120);

const REAP: Wrapper = Wrapper(&["forkexec", "run", "--reap"]);
const TINI: Wrapper = Wrapper(&["tini", "-s", "--"]);

/// A script that makes an orphan and waits until it is reaped. Exits with 1 if the wrapper is not the parent of the orphan,
/// and with 2 if the orphan stays a zombie.
const ORPHAN: &str = "o=$(sh -c 'sleep 0.3 > /dev/null & echo $!')
    read -r stat < /proc/$o/stat; set -- ${stat##*) }; [ $2 = $PPID ] || exit 1
    n=0; while [ -e /proc/$o ]; do n=$((n + 1)); [ $n -lt 400 ] || exit 2; sleep 0.05; done";

/// Returns a command that runs the wrapper as PID 1, and the script in a shell below it. Returns `None`, after a [`skip`],
/// if no pid namespace can be made.
fn as_pid_1(wrapper: Wrapper, script: &str) -> Option<Command> {
    let words = wrapper.words()?;
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        unshare
    };
    let succeeds = unshare().arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !succeeds {
        skip("no pid namespace can be made");
        return None;
    }
    let mut command = unshare();
    command.args(words).args(["sh", "-c", script]);
    Some(command)
}

/// Faults: C8
#[rstest]
fn pid_1_reaps_orphans(#[values(OURS, Wrapper(&["tini", "--"]), Wrapper(&["dumb-init"]))] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let Some(mut command) = as_pid_1(wrapper, ORPHAN) else { return };
        assert_eq!(command.status().expect("it starts").code(), Some(0));
    });
}

/// Faults: C8
#[rstest]
fn orphans_are_adopted_and_reaped_on_request(#[values(REAP, TINI)] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let Some(mut command) = wrapper.around(ORPHAN) else { return };
        assert_eq!(command.status().expect("it starts").code(), Some(0));
    });
}

#[test]
fn orphans_are_not_adopted_by_default() {
    isolated_for(LIMIT, || {
        let mut command = OURS.around(ORPHAN).expect("it is there");
        assert_eq!(command.status().expect("it starts").code(), Some(1));
    });
}

#[rstest]
fn no_wrapper_waits_for_orphans(
    #[values(OURS, REAP, TINI, Wrapper(&["dumb-init"]), Wrapper(&["timeout", "600"]))] wrapper: Wrapper,
) {
    isolated_for(LIMIT, || {
        let Some(mut command) = wrapper.around("sleep 600 & exit 3") else { return };
        assert_eq!(command.status().expect("it starts").code(), Some(3));
    });
}

/// In the namespace of PID 1, the sender has no pid.
///
/// Faults: C2
#[rstest]
fn pid_1_forwards_signals_from_outside(
    #[values(OURS, Wrapper(&["tini", "--"]), Wrapper(&["dumb-init"]))] wrapper: Wrapper,
    #[values(libc::SIGINT, libc::SIGTERM, libc::SIGUSR1)] signal: i32,
) {
    isolated_for(LIMIT, || {
        let script = format!("trap 'exit 9' {signal}; echo ready; sleep 600 & wait");
        let Some(mut command) = as_pid_1(wrapper, &script) else { return };
        let mut unshare = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(unshare.stdout.take().expect("it is a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it is text");
        assert_eq!(line, "ready\n");
        let pid = unshare.id();
        let children =
            fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("the kernel lists it");
        let wrapper: i32 = children.trim().parse().expect("unshare has one child");
        // SAFETY: kill(2) accesses no memory, and the parent of the process did not end.
        assert_eq!(unsafe { libc::kill(wrapper, signal) }, 0);
        assert_eq!(code(unshare.wait().expect("it was not waited for")), 9);
    });
}

/// PID 1 cannot kill itself with a signal.
#[rstest]
fn pid_1_exits_as_the_program_does(
    #[values(OURS, Wrapper(&["tini", "--"]), Wrapper(&["dumb-init"]))] wrapper: Wrapper,
    #[values(("exit 3", 3), ("kill -KILL $$", 137), ("kill -INT $$", 130))] ends: (&str, i32),
) {
    isolated_for(LIMIT, || {
        let (script, expected) = ends;
        let Some(mut command) = as_pid_1(wrapper, script) else { return };
        assert_eq!(command.status().expect("it starts").code(), Some(expected));
    });
}
