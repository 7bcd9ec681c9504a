//! Pipelines: the ends of each child, the statuses, and the cleanup of a pipeline that could not start.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::ptr;
use std::time::{Duration, Instant};

use forkexec::{
    BorrowingCommand, BorrowingPipeline, Children, Command, Error, InputError, Pipeline, SpawnPolicy, Stage,
    Stdio, StopReason,
};
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::Seen;
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::check;
use crate::start::{high_memory_file, identity, probe, table, written};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_mins(1);

fn sleeping() -> Pipeline {
    let sleep = || {
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        sleep
    };
    Pipeline::new(sleep()).pipe(sleep()).pipe(sleep())
}

fn signals(children: &mut Children) -> Vec<Option<i32>> {
    let status = children.wait().expect("they can be waited for");
    status.as_slice().iter().map(ExitStatusExt::signal).collect()
}

#[rstest]
#[case::one(1)]
#[case::two(2)]
#[case::many(12)]
fn megabyte_passes_through_all_commands(#[case] length: usize) {
    isolated(|| {
        let input: Vec<u8> = (0..1_usize << 20).map(|at| at.to_le_bytes()[1]).collect();
        let pipeline = (1..length).fold(Pipeline::new(probe(&["echo"])), |all, _| all.pipe(probe(&["echo"])));
        let children = pipeline.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("they start");
        let output = children.communicate(&input).expect("it is no error");
        assert!(output.stdout == input && output.status.success());
        assert_eq!(output.status.as_slice().len(), length);
    });
}

/// Starts four commands, and returns the report of each, which it writes to a file of its own: inherited descriptors,
/// its own ends, and no others. Also returns true if all share one pipe as standard error.
fn reports(launch: SpawnPolicy, inherit_all: bool, shares_stderr: bool) -> Vec<Seen> {
    let files: Vec<File> = (0..4).map(|_| high_memory_file()).collect();
    let mut commands = files.iter().map(|file| {
        let mut command = probe(&["report", "--to", "9"]);
        command.fd(9, file).spawn_policy(launch);
        if inherit_all {
            command.inherit_all();
        }
        command
    });
    let first = BorrowingPipeline::new(commands.next().expect("there are four"));
    let pipeline =
        commands.by_ref().fold(first, BorrowingPipeline::pipe).stdin(Stdio::null()).stdout(Stdio::null());
    let pipeline = if shares_stderr { pipeline.stderr(Stdio::piped()) } else { pipeline };
    let mut children = pipeline.spawn().expect("they start");
    let status = children.wait().expect("they can be waited for");
    assert_eq!(status.failures().count(), 0, "{status:?}");
    drop(pipeline);
    drop(commands);
    files.iter().map(written).collect()
}

#[track_caller]
fn each_has_its_own(reports: &[Seen]) {
    for pair in reports.windows(2) {
        assert_eq!(table(&pair[0])[1].1, table(&pair[1])[0].1, "what one writes, the next reads");
    }
    let all: BTreeSet<_> = reports[..3].iter().map(|seen| table(seen)[1]).collect();
    assert_eq!(all.len(), 3, "they are different pipes");
}

#[rstest]
fn no_child_holds_a_pipe_end_of_another(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
    #[values(true, false)] inherit_all: bool,
    #[values(true, false)] shares_stderr: bool,
) {
    isolated(|| {
        let reports = reports(launch, inherit_all, shares_stderr);
        for seen in &reports {
            assert_eq!(seen.fds, [0, 1, 2, 9]);
        }
        each_has_its_own(&reports);
        let errors: BTreeSet<_> = reports.iter().map(|seen| table(seen)[2]).collect();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors.first().map(|error| error.1) == Some(identity(io::stderr())), !shares_stderr);
    });
}

/// A new pipe takes the number that is free: a child that inherits it must not get that.
///
/// Faults: D2
#[rstest]
fn pipe_end_never_becomes_a_stream_that_the_parent_closed(#[values(1, 2, 3, 4, 5, 6, 7)] closed: i32) {
    isolated(|| {
        let closed: Vec<i32> = (0..3).filter(|fd| closed >> fd & 1 == 1).collect();
        let reopen = world::close_stdio(&closed);
        let reports = std::panic::catch_unwind(|| reports(SpawnPolicy::Auto, false, false));
        drop(reopen);
        let reports = reports.expect("they start");
        each_has_its_own(&reports);
        let expected: &[i32] = if closed.contains(&2) { &[0, 1, 9] } else { &[0, 1, 2, 9] };
        assert!(reports.iter().all(|seen| seen.fds == expected), "{reports:?}");
    });
}

#[test]
fn writer_to_an_ended_stage_dies_of_sigpipe() {
    isolated(|| {
        let pipeline =
            Pipeline::new(Command::new("yes")).pipe(Command::new("cat")).pipe(probe(&["exit", "3"]));
        let status = pipeline.stdin(Stdio::null()).status().expect("they start");
        let signals: Vec<_> = status.as_slice().iter().map(ExitStatusExt::signal).collect();
        assert_eq!(signals, [Some(libc::SIGPIPE), Some(libc::SIGPIPE), None]);
        assert_eq!((status.last().code(), status.pipefail().code()), (Some(3), Some(3)));
    });
}

#[test]
fn all_stderr_goes_to_one_pipe_unless_a_command_sets_its_own() {
    isolated(|| {
        let mut apart = probe(&["write", "2", "c"]);
        apart.stderr(Stdio::piped());
        let pipeline =
            Pipeline::new(probe(&["write", "2", "a"])).pipe(probe(&["write", "2", "b"])).pipe(&apart);
        let mut children = pipeline.stderr(Stdio::piped()).spawn().expect("they start");
        let mut own = children.as_mut_slice()[2].stderr.take().expect("it has a pipe of its own");
        let mut said = String::new();
        own.read_to_string(&mut said).expect("it is ASCII");
        let mut stderr = children.wait_with_output().expect("it is no error").stderr;
        stderr.sort_unstable();
        assert_eq!((stderr.as_slice(), said.as_str()), (b"ab".as_slice(), "c"));
    });
}

#[test]
fn output_is_collected_and_the_first_command_reads_nothing() {
    isolated(|| {
        let output = Pipeline::new(probe(&["echo"]))
            .pipe(probe(&["spew", "300000", "200000"]))
            .pipe(probe(&["echo"]))
            .output()
            .expect("they start");
        assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 200_000));
        assert!(output.status.pipefail().success(), "{:?}", output.status);
    });
}

/// The guard sees whether a child or a descriptor is left. Children that are not killed would run for a minute.
#[rstest]
#[case::first(0)]
#[case::one_between(1)]
#[case::last(2)]
fn failed_pipeline_leaves_nothing(#[case] missing: usize) {
    isolated(|| {
        let sleep = || {
            let mut sleep = Command::new("sleep");
            sleep.arg("60");
            sleep
        };
        let command = |index| if index == missing { Command::new("/no/such") } else { sleep() };
        let pipeline = Pipeline::new(command(0)).pipe(command(1)).pipe(command(2));
        let begin = Instant::now();
        let error = pipeline.stderr(Stdio::piped()).output().expect_err("it is missing");
        assert_eq!(error.as_spawn().map(forkexec::SpawnError::stage), Some(Stage::Exec));
        let Error::InPipeline { index, program, .. } = error else { panic!("{error:?}") };
        assert_eq!((index, program.to_str()), (missing, Some("/no/such")));
        assert!(begin.elapsed() < LONG / 2, "all are killed");
    });
}

#[rstest]
#[case::what_means_nothing(|it: &mut BorrowingCommand<'_>| { it.arg("a\0b"); })]
#[case::missing_directory(|it: &mut BorrowingCommand<'_>| { it.current_dir("/no/such"); })]
#[case::input_of_its_own(|it: &mut BorrowingCommand<'_>| { it.stdin(Stdio::null()); })]
#[case::input_that_is_mapped(|it: &mut BorrowingCommand<'_>| { it.fd(0, high_memory_file()); })]
fn invalid_pipeline_is_refused_before_anything_starts(#[case] change: fn(&mut BorrowingCommand<'_>)) {
    isolated(|| {
        let (mut reader, writer) = io::pipe().expect("a pipe can be made");
        let mut first = probe(&["write", "9", "started"]);
        first.fd(9, writer);
        let mut last = Command::new("true");
        change(&mut last);
        let pipeline = Pipeline::new(first).pipe(last);
        let error = pipeline.spawn().expect_err("it is refused");
        assert!(matches!(error, Error::InPipeline { index: 1, .. }), "{error:?}");
        drop(pipeline);
        let mut said = String::new();
        reader.read_to_string(&mut said).expect("it is ASCII");
        assert_eq!(said, "");
    });
}

#[test]
fn stdout_setting_is_refused_except_on_the_last_command() {
    isolated(|| {
        let mut first = Command::new("true");
        first.stdout(Stdio::null());
        let error = Pipeline::new(&first).pipe(Command::new("true")).spawn().expect_err("it is refused");
        let Error::InPipeline { index: 0, error: cause, .. } = error else { panic!("{error:?}") };
        assert!(matches!(*cause, Error::Input(InputError::StreamInPipeline { stream: "output" })));
        let status = Pipeline::new(Command::new("true")).pipe(&first).status().expect("it is the last");
        assert!(status.success());
    });
}

/// With any count of free numbers, the pipeline starts, or fails because they are used up and closes what it opened.
///
/// Faults: D10
#[test]
fn failed_pipeline_without_descriptors_leaks_nothing() {
    isolated(|| {
        let held = world::open_many(20);
        let mut outcomes = BTreeSet::new();
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("there is one");
        for limit in 24..60 {
            world::set_limit(libc::RLIMIT_NOFILE, limit, hard).expect("it is lowered");
            let pipeline = Pipeline::new(probe(&["echo"])).pipe(probe(&["echo"])).pipe(probe(&["echo"]));
            outcomes.insert(
                pipeline
                    .output()
                    .map(|output| output.status.success())
                    .map_err(|error| error.as_spawn().map(|spawn| spawn.errno().raw())),
            );
        }
        drop(held);
        assert_eq!(outcomes, BTreeSet::from([Ok(true), Err(Some(libc::EMFILE))]));
    });
}

#[test]
fn pipeline_wait_times_out_and_kill_ends_all() {
    isolated(|| {
        let mut children = sleeping().spawn().expect("they start");
        assert_eq!(children.try_wait().expect("they run"), None);
        assert_eq!(children.wait_timeout(SHORT).expect("they run"), None);
        children.as_mut_slice()[2].kill().expect("it is ours");
        children.as_mut_slice()[2].wait().expect("it is ours");
        assert_eq!(children.try_wait().expect("two run"), None);
        children.kill().expect("they are ours");
        assert!(children.wait_timeout(LONG).expect("they are ours").is_some());
        assert_eq!(signals(&mut children), [Some(libc::SIGKILL); 3]);
        assert!(children.try_wait().expect("it is known").is_some());
    });
}

#[test]
fn pipeline_terminate_ends_all() {
    isolated(|| {
        let mut children = sleeping().spawn().expect("they start");
        children.terminate_then_kill(LONG).expect("they are ours");
        assert_eq!(signals(&mut children), [Some(libc::SIGTERM); 3]);
    });
}

/// Ends the first child, and takes its status as other code does that waits for all children.
fn lose_first_status(children: &Children) {
    let first = children.as_slice()[0].id().cast_signed();
    // SAFETY: the process is a child of this test, which nothing waited for.
    check(unsafe { libc::kill(first, libc::SIGKILL) });
    // SAFETY: nothing is written.
    check(unsafe { libc::waitpid(first, ptr::null_mut(), 0) });
}

#[test]
fn pipeline_waits_for_all_after_a_lost_status() {
    isolated(|| {
        let mut children = sleeping().spawn().expect("they start");
        lose_first_status(&children);
        children.kill().expect("a child that is gone needs no signal");
        assert!(matches!(children.wait(), Err(Error::StatusLost { .. })));
        // SAFETY: nothing is written.
        let left = unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) };
        assert_eq!((left, io::Error::last_os_error().raw_os_error()), (-1, Some(libc::ECHILD)));
    });
}

#[test]
fn pipeline_signals_all_after_a_lost_status() {
    isolated(|| {
        let mut children = sleeping().spawn().expect("they start");
        lose_first_status(&children);
        children.as_mut_slice()[0].wait().expect_err("its status is lost");
        assert!(matches!(children.kill(), Err(Error::StatusLost { .. })));
        for child in &mut children.as_mut_slice()[1..] {
            let status = child.wait_timeout(LONG).expect("it is ours");
            assert_eq!(status.and_then(|status| status.signal()), Some(libc::SIGKILL));
        }
    });
}

#[test]
fn pipeline_communicates_within_limits() {
    isolated(|| {
        let pipeline = Pipeline::new(probe(&["echo"])).pipe(probe(&["echo"])).stdin(Stdio::piped());
        let mut children = pipeline.stdout(Stdio::piped()).spawn().expect("they start");
        let mut talk = children.communicator();
        talk.keep_stdin_open(true).until_stdout_line(|line| line == b"ready");
        assert_eq!(talk.input(b"ready\n").run().expect("it is no error").stopped, StopReason::Line);
        let heard = talk.timeout(SHORT).run().expect("it is no error");
        assert_eq!((heard.stopped, heard.status), (StopReason::Timeout, None));
        let heard = talk.keep_stdin_open(false).timeout(LONG).run().expect("it is no error");
        assert_eq!(heard.stopped, StopReason::Ended);
        assert!(heard.status.is_some_and(|status| status.as_slice().len() == 2 && status.success()));
    });
}

/// The last command leaves a process behind that holds its output, and ends before the first command.
#[rstest]
fn drain_limit_starts_when_all_have_ended(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let shell = |script| {
            let mut shell = Command::new("sh");
            shell.args(["-c", script]).create_pidfd(pidfd);
            shell
        };
        let pipeline = Pipeline::new(shell("exec sleep 600")).pipe(shell("sleep 600 & echo left"));
        let mut children = pipeline.stdout(Stdio::piped()).spawn().expect("they start");
        let mut talk = children.communicator();
        talk.drain_limit(Duration::ZERO).until_stdout_line(|line| line == b"left");
        assert_eq!(talk.run().expect("it is no error").stopped, StopReason::Line);
        talk.partner().as_mut_slice()[1].wait().expect("it ends");
        let heard = talk.timeout(SHORT).run().expect("it is no error");
        assert_eq!((heard.stopped, heard.status), (StopReason::Timeout, None));
        talk.partner().as_mut_slice()[0].kill().expect("it is ours");
        let heard = talk.timeout(LONG).run().expect("it is no error");
        assert_eq!(heard.stopped, StopReason::DrainLimit);
    });
}
