//! Children that are stopped when they are asked to end.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use forkexec::{BorrowingCommand, Child, Command, Containment, Coverage, Errno, Pipeline, Stdio};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, isolated_if};
use forkexec_tests::process::state;
use rstest::rstest;

use crate::ground::opens_descendants;

/// More than a child takes that notices the signal.
const GRACE: Duration = Duration::from_secs(30);

/// Prints its PID, and stops.
const STOPS: &str = "trap 'exit 7' TERM; echo $$; kill -STOP $$; while :; do sleep 0.01; done";

fn stopping(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Waits until the processes have printed their PIDs, and are stopped.
fn await_stop(said: impl std::io::Read, count: usize) {
    let end = Instant::now() + GRACE;
    for pid in BufReader::new(said).lines().take(count) {
        let pid = pid.expect("it is text");
        while state(&pid) != Some('T') {
            assert!(Instant::now() < end, "{pid} does not stop");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn stopped(command: &mut BorrowingCommand<'_>, count: usize) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    await_stop(child.stdout.take().expect("it was piped"), count);
    child
}

/// Ends it, and returns its code and signal. The grace was not over.
fn ended(end: impl FnOnce() -> ExitStatus) -> (Option<i32>, Option<i32>) {
    let began = Instant::now();
    let status = end();
    assert!(began.elapsed() < GRACE, "{status:?} after {:?}", began.elapsed());
    (status.code(), status.signal())
}

/// Faults: W15
#[rstest]
fn stopped_child_notices_sigterm(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let mut child = stopped(stopping(STOPS).create_pidfd(pidfd), 1);
        assert_eq!(ended(|| child.terminate_then_kill(GRACE).expect("it is ours")), (Some(7), None));
    });
}

/// Faults: W15
#[test]
fn each_stopped_child_of_a_pipeline_notices_sigterm() {
    isolated(|| {
        let stops = STOPS.replace("echo $$", "echo $$ >&2");
        let command = || stopping(&stops);
        let mut children =
            Pipeline::new(command()).pipe(command()).stderr(Stdio::piped()).spawn().expect("they start");
        await_stop(children.stderr.take().expect("it was piped"), 2);
        let began = Instant::now();
        let status = children.terminate_then_kill(GRACE).expect("they are ours");
        assert!(began.elapsed() < GRACE);
        let codes: Vec<_> = status.as_slice().iter().map(ExitStatus::code).collect();
        assert_eq!(codes, [Some(7); 2]);
    });
}

/// Starts a child that is stopped, and has a stopped child itself.
fn stopped_family(tree: Containment) -> Child {
    let script = format!("sh -c '{}' & {STOPS}", STOPS.replace('\'', "\""));
    stopped(stopping(&script).containment(tree), 2)
}

/// Faults: W15
#[rstest]
#[case::of_a_group(Containment::Group)]
#[case::of_a_session(Containment::Session)]
#[case::of_the_best(Containment::Auto)]
fn stopped_descendants_notice_sigterm(#[case] tree: Containment) {
    isolated_if(opens_descendants, || {
        let mut child = stopped_family(tree);
        let mut killed = None;
        let status = ended(|| {
            let (status, tree) = child.terminate_tree_then_kill(GRACE).expect("they are ours");
            killed = Some(tree);
            status
        });
        assert_eq!(status, (Some(7), None));
        let killed = killed.expect("it was told");
        // The floor lists no processes: it counts a group as one, and the child's number is not its own after the wait.
        let (least, coverage) =
            if cfg!(forkexec_backend = "posix") { (1, Coverage::Nothing) } else { (2, Coverage::Group) };
        assert!(killed.found() >= least && killed.coverage() >= coverage, "{killed:?}");
        assert_eq!(killed.failure(), None);
    });
}

/// Without pidfd_open(2), a process cannot be told from a successor with the same PID, so only the group is signalled.
///
/// Faults: W15, W17
#[rstest]
#[case::of_a_group(Containment::Group)]
#[case::of_a_session(Containment::Session)]
fn stopped_group_notices_sigterm_without_pidfds(#[case] tree: Containment) {
    isolated(|| {
        if !Deny::new().errno(libc::SYS_pidfd_open, libc::ENOSYS).installed() {
            return;
        }
        let mut child = stopped_family(tree);
        let mut failure = None;
        let status = ended(|| {
            let (status, killed) = child.terminate_tree_then_kill(GRACE).expect("they are ours");
            failure = killed.failure();
            status
        });
        // The floor does not ask for pidfds.
        let refused = (!cfg!(forkexec_backend = "posix")).then(|| Errno::from_raw(libc::ENOSYS));
        assert_eq!((status, failure), ((Some(7), None), refused));
    });
}

/// As above, without a group.
///
/// Faults: W15, W17
#[test]
fn stopped_child_of_no_group_notices_sigterm_without_pidfds() {
    isolated(|| {
        if !Deny::new().errno(libc::SYS_pidfd_open, libc::ENOSYS).installed() {
            return;
        }
        let mut child = stopped(&mut stopping(STOPS), 1);
        let status = ended(|| child.terminate_tree_then_kill(GRACE).expect("it is ours").0);
        assert_eq!(status, (Some(7), None));
    });
}
