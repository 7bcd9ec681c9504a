//! Standard input, output and error, through pipes.

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use forkexec::{Errno, Stdio};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use rstest::rstest;

use crate::ground::{POLLS, check};
use crate::held::Acting;
use crate::start::{identity, probe, report, table, words};

const MIB: usize = 1 << 20;

#[rstest]
#[case::nothing(0)]
#[case::byte(1)]
#[case::what_a_pipe_holds(65_536)]
#[case::one_more_than_a_pipe_holds(65_537)]
// Faults: W5
#[case::far_more_than_a_pipe_holds(MIB)]
fn child_echoes_its_whole_input(#[case] length: usize) {
    isolated(|| {
        let input: Vec<u8> =
            (0..length).map(|index| index.to_le_bytes()[0] ^ index.to_le_bytes()[1]).collect();
        let child = probe(&["echo"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let output = child.expect("it can be started").communicate(&input).expect("it talks");
        assert!(output.status.success() && output.stdout == input && output.stderr.is_empty());
    });
}

#[rstest]
// Faults: W6
#[case::output_alone(MIB, 0)]
// Faults: W6
#[case::error_alone(0, MIB)]
// Faults: W6
#[case::both_in_turn(MIB, MIB)]
fn all_output_of_the_child_is_read(#[case] out: usize, #[case] err: usize) {
    isolated(|| {
        let output =
            probe(&["spew", &out.to_string(), &err.to_string()]).output().expect("it can be started");
        assert_eq!((output.stdout.len(), output.stderr.len()), (out, err));
        assert!(output.status.success());
    });
}

/// Faults: W7
#[rstest]
#[case::ignored(libc::SIG_IGN)]
#[case::default(libc::SIG_DFL)]
fn child_that_does_not_read_causes_no_error_and_no_sigpipe(#[case] action: usize) {
    isolated(|| {
        let _acting = Acting::new(libc::SIGPIPE, action);
        let child = probe(&["exit", "3"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let output = child.expect("it can be started").communicate(&vec![b'.'; MIB]).expect("it is no error");
        assert_eq!(output.status.code(), Some(3));
    });
}

/// `O_NONBLOCK` belongs to the open file description. A child that sets it must not affect the parent's ends.
///
/// Faults: D20
#[test]
fn nonblocking_end_of_the_child_leaves_ours_blocking() {
    isolated(|| {
        let mut command = probe(&["true"]);
        let stop_waiting = || {
            for fd in [0, 1] {
                // SAFETY: the command takes an int.
                check(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) });
            }
            Ok(())
        };
        // SAFETY: fcntl is async-signal-safe.
        unsafe { command.pre_exec(stop_waiting) };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let stdin = child.stdin.as_ref().expect("it is a pipe").as_raw_fd();
        let stdout = child.stdout.as_ref().expect("it is a pipe").as_raw_fd();
        // SAFETY: the command takes no argument.
        let flags = [stdin, stdout].map(|fd| check(unsafe { libc::fcntl(fd, libc::F_GETFL) }));
        assert!(child.wait().expect("it ends").success());
        assert_eq!(flags.map(|flags| flags & libc::O_NONBLOCK), [0; 2]);
    });
}

/// Faults: D20
#[test]
fn communication_works_over_nonblocking_pipes() {
    isolated(|| {
        let child = probe(&["echo"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let child = child.expect("it can be started");
        for fd in
            [child.stdin.as_ref().map(AsRawFd::as_raw_fd), child.stdout.as_ref().map(AsRawFd::as_raw_fd)]
        {
            // SAFETY: the command takes an int.
            check(unsafe { libc::fcntl(fd.expect("it is a pipe"), libc::F_SETFL, libc::O_NONBLOCK) });
        }
        let input = vec![b'.'; MIB];
        assert!(child.communicate(&input).expect("it talks").stdout == input);
    });
}

#[test]
fn input_without_a_pipe_is_discarded() {
    isolated(|| {
        let child = probe(&["echo"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let output = child.expect("it can be started").communicate(b"unheard").expect("it is no error");
        assert!(output.status.success() && output.stdout.is_empty());
    });
}

#[test]
fn output_gives_the_child_no_input() {
    isolated(|| {
        let about = fs::metadata("/dev/null").expect("it is there");
        assert_eq!(table(&report(&mut probe(&[])))[0], (0, (about.dev(), about.ino())));
    });
}

#[test]
fn spawn_lets_the_child_inherit_all_three() {
    isolated(|| {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        let mut command = probe(&["report", "--to", "5"]);
        let mut child = command.fd(5, writer).spawn().expect("it can be started");
        drop(command);
        let mut text = String::new();
        { reader }.read_to_string(&mut text).expect("a report is ASCII");
        child.wait().expect("it can be waited for");
        let seen = forkexec_tests::probe::Seen::parse(&text);
        let own = [identity(std::io::stdin()), identity(std::io::stdout()), identity(std::io::stderr())];
        assert_eq!(table(&seen)[..3], [(0, own[0]), (1, own[1]), (2, own[2])]);
    });
}

#[test]
fn uncaptured_output_goes_to_its_destination() {
    isolated(|| {
        let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
        let output = probe(&["write", "2", "told"]).stderr(writer).output().expect("it can be started");
        let mut told = [0; 4];
        reader.read_exact(&mut told).expect("it was written");
        assert_eq!((&told, output.stderr.len()), (b"told", 0));
    });
}

#[test]
fn child_that_closes_its_output_is_waited_for() {
    isolated(|| {
        let child = probe(&["sleep-on-stdin"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let output = child.expect("it can be started").wait_with_output().expect("it is no error");
        assert!(output.status.success());
    });
}

/// Its input does not end: only being killed ends it, and the guard sees whether it is gone.
///
/// Faults: W10
#[test]
fn child_without_communication_is_killed_and_reaped() {
    isolated(|| {
        if !Deny::new().installed() {
            return;
        }
        let (reader, _writer) = std::io::pipe().expect("a pipe can be made");
        let child = probe(&["sleep-on-stdin"]).stdin(reader).stdout(Stdio::piped()).spawn();
        let child = child.expect("it can be started");
        let deny = POLLS.iter().fold(Deny::new(), |deny, &call| deny.errno(call, libc::EDOM));
        deny.install().expect("a filter is taken");
        let error = child.wait_with_output().expect_err("it cannot be polled");
        let words = words(Errno::from_raw(libc::EDOM));
        assert_eq!(error.to_string(), format!("cannot communicate with the child: {words}"));
    });
}
