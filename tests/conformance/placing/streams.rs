//! 0, 1 and 2, in a parent that lacks some of them.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::os::fd::{AsFd, RawFd};

use forkexec::{Command, Errno, Error, InputError, Stage, Stdio};
use forkexec_tests::isolate::isolated;
use rstest::rstest;

use super::plan::{Is, Plan, Stream, Table};

/// Every stream may be each of these; `Own(9)` is a file of the caller's.
const KINDS: [Option<Stream>; 6] = [
    None,
    Some(Stream::Inherit),
    Some(Stream::Null),
    Some(Stream::Piped),
    Some(Stream::Closed),
    Some(Stream::Own(9)),
];

/// Faults: D2
#[rstest]
fn streams_are_right_whatever_the_parent_has_closed(
    #[values(&[], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2])] closed: &[RawFd],
) {
    isolated(|| {
        for plan in plans(closed) {
            assert_eq!(plan.carry_out(), Ok((plan.expected(), vec![])), "{plan:?}");
        }
    });
}

/// Faults: D2
#[rstest]
fn missing_program_is_an_error_whatever_the_parent_has_closed(
    #[values(&[], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2])] closed: &[RawFd],
) {
    isolated(|| {
        for plan in plans(closed) {
            assert_eq!(plan.miss(), Some((Stage::Exec, Errno::NOENT, vec![])), "{plan:?}");
        }
    });
}

/// All three streams of the same kind, and each kind for one of them among pipes.
fn plans(closed: &[RawFd]) -> Vec<Plan> {
    let open: BTreeSet<_> = [0, 1, 2, 9].into_iter().filter(|fd| !closed.contains(fd)).collect();
    let same = KINDS.map(|kind| [kind; 3]);
    let among_pipes = KINDS.into_iter().flat_map(|kind| {
        [0, 1, 2].map(|index| {
            let mut streams = [Some(Stream::Piped); 3];
            streams[index] = kind;
            streams
        })
    });
    let plan = |streams| Plan { open: open.clone(), streams, report: 60, ..Plan::default() };
    same.into_iter().chain(among_pipes).map(plan).collect()
}

/// Files of the caller's that have the numbers of streams.
#[rstest]
#[case::input_is_input([Some(Stream::Own(0)), None, None], &[(0, Is::Fd(0)), (1, Is::Fd(1)), (2, Is::Fd(2))])]
#[case::input_is_output([None, Some(Stream::Own(0)), None], &[(0, Is::Fd(0)), (1, Is::Fd(0)), (2, Is::Fd(2))])]
#[case::output_is_input([Some(Stream::Own(1)), None, None], &[(0, Is::Fd(1)), (1, Is::Fd(1)), (2, Is::Fd(2))])]
#[case::they_swap(
    [Some(Stream::Own(1)), Some(Stream::Own(0)), None],
    &[(0, Is::Fd(1)), (1, Is::Fd(0)), (2, Is::Fd(2))],
)]
#[case::they_turn(
    [Some(Stream::Own(1)), Some(Stream::Own(2)), Some(Stream::Own(0))],
    &[(0, Is::Fd(1)), (1, Is::Fd(2)), (2, Is::Fd(0))],
)]
#[case::error_is_all(
    [Some(Stream::Own(2)), Some(Stream::Own(2)), Some(Stream::Own(2))],
    &[(0, Is::Fd(2)), (1, Is::Fd(2)), (2, Is::Fd(2))],
)]
#[case::one_goes_where_another_is_closed(
    [Some(Stream::Closed), Some(Stream::Own(0)), Some(Stream::Null)],
    &[(1, Is::Fd(0)), (2, Is::Null)],
)]
fn file_on_a_stream_number_can_be_any_stream(
    #[case] streams: [Option<Stream>; 3],
    #[case] expected: &[(RawFd, Is)],
    #[values(&[], &[0, 1, 2])] cloexec: &[RawFd],
) {
    isolated(|| {
        let cloexec = cloexec.iter().copied().collect();
        let plan = Plan { cloexec, streams, ..Plan::with_open([]) };
        let expected: Table = expected.iter().copied().chain([(plan.report, Is::Report)]).collect();
        assert_eq!(plan.carry_out(), Ok((expected, vec![])));
    });
}

#[rstest]
fn close_on_exec_stream_is_still_inherited(#[values(None, Some(Stream::Inherit))] kind: Option<Stream>) {
    isolated(|| {
        let plan = Plan { streams: [kind; 3], cloexec: BTreeSet::from([0, 1, 2]), ..Plan::with_open([]) };
        assert_eq!(plan.carry_out(), Ok((plan.expected(), vec![])));
    });
}

#[test]
fn stderr_can_be_the_stdout_of_the_parent() {
    isolated(|| {
        let saved = io::stdout().as_fd().try_clone_to_owned().expect("1 is open");
        let (mut reader, writer) = io::pipe().expect("a pipe can be made");
        nix::unistd::dup2_stdout(&writer).expect("1 is ours");
        drop(writer);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo heard >&2"]).stderr(Stdio::from(io::stdout())).stdout(Stdio::null());
        assert!(command.status().expect("it starts").success());
        nix::unistd::close(1).expect("1 is ours");
        let refused = command.status().expect_err("1 is closed");
        nix::unistd::dup2_stdout(&saved).expect("1 is ours");
        let mut heard = String::new();
        reader.read_to_string(&mut heard).expect("it can be read");
        assert_eq!(heard, "heard\n");
        assert!(matches!(refused, Error::Input(InputError::NotOpen { fd: 1 })), "{refused}");
    });
}
