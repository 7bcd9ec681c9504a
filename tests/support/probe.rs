//! The report of the probe, and its verbs.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{self, ExitStatus, Stdio};

use rstest::rstest;

use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::{self as library, Ids, Kind};
use forkexec_tests::world;

use crate::{probe, seen};

#[test]
fn arguments_and_environment_are_reported_byte_by_byte() {
    let odd = OsString::from_vec((1..=255).collect());
    let mut command = probe(&["report"]);
    command.arg0(&odd).env_clear().env("FIRST", &odd).env("SECOND", r"\x41\\n: none");
    let seen = seen(&mut command);
    let values = ["FIRST", "SECOND", "SEC"].map(|name| seen.var(name).map(ToOwned::to_owned));
    assert_eq!(values, [Some(odd.clone()), Some(r"\x41\\n: none".into()), None]);
    assert_eq!(seen.args, [odd, "report".into()]);
}

#[test]
fn probe_reports_the_kind_of_each_descriptor() {
    isolated(|| {
        let (socket, _other) = std::os::unix::net::UnixStream::pair().expect("a pair can be made");
        let placed = [
            world::place(&socket, 70_000.min(highest())),
            world::place(std::fs::File::open("/").expect("the root can be opened"), 40),
        ];
        let seen = seen(probe(&["report"]).stdin(Stdio::null()));
        let kinds = [0, 1, 40, 70_000.min(highest())].map(|fd| seen.facts[&fd].kind);
        assert_eq!(kinds, [Kind::Char, Kind::Pipe, Kind::Dir, Kind::Socket]);
        drop(placed);
    });
}

/// The highest number that the soft limit allows.
fn highest() -> i32 {
    let (soft, _) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
    i32::try_from(soft - 1).unwrap_or(i32::MAX)
}

#[rstest]
#[case::input(0)]
#[case::error(2)]
fn probe_leaves_closed_streams_closed(#[case] number: i32) {
    let mut command = probe(&["report"]);
    let close = move || {
        // SAFETY: the child execs without using it.
        unsafe { libc::close(number) };
        Ok(())
    };
    // SAFETY: close is async-signal-safe.
    unsafe { command.pre_exec(close) };
    assert!(!seen(&mut command).fds.contains(&number));
}

#[test]
fn probe_reports_its_parent_group_and_directory() {
    let seen = seen(probe(&["report"]).process_group(0).current_dir("/"));
    assert_eq!((seen.ppid.cast_unsigned(), seen.pgid), (process::id(), seen.pid));
    assert_eq!(seen.cwd.as_deref(), Some(Path::new("/")));
}

#[test]
fn probe_reports_its_ids() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root may change its ids");
        }
        let directory = world::empty_chroot();
        let mut command = process::Command::new(directory.path().join("probe"));
        let seen = seen(command.arg("report").uid(1234).gid(4321));
        assert_eq!((seen.uids, seen.gids, seen.groups), (Ids::all(1234), Ids::all(4321), vec![]));
    });
}

#[test]
fn probe_reports_signals_umask_and_priority() {
    let mut command = probe(&["report"]);
    // SAFETY: all that is called is async-signal-safe.
    unsafe { command.pre_exec(change_everything) };
    let seen = seen(&mut command);
    assert_eq!((seen.umask, seen.nice, seen.pdeathsig), (0o027, 7, libc::SIGTERM));
    assert!(seen.ignored.contains(&libc::SIGUSR1) && seen.handled.is_empty(), "{seen:?}");
    assert!(seen.blocked.contains(&libc::SIGUSR2), "{seen:?}");
}

#[expect(clippy::unnecessary_wraps, reason = "the signature that std wants")]
fn change_everything() -> io::Result<()> {
    // SAFETY: umask touches no memory.
    unsafe { libc::umask(0o027) };
    // SAFETY: setpriority touches no memory.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 7) };
    // SAFETY: ignoring runs no handler.
    unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
    // SAFETY: the operation takes no address.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
    // SAFETY: all zeroes are an empty set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGUSR2) };
    // SAFETY: the set outlives the call, and the old mask is not returned.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    Ok(())
}

#[rstest]
#[case::truth(&["true"], 0)]
#[case::code(&["exit", "42"], 42 << 8)]
#[case::signal(&["kill", "15"], 15)]
#[case::nonsense(&["dance"], 99 << 8)]
fn probe_ends_as_requested(#[case] args: &[&str], #[case] status: i32) {
    let output = probe(args).output().expect("the probe can be started");
    assert_eq!(output.status, ExitStatus::from_raw(status));
}

#[rstest]
#[case::spew(&["spew", "10000", "1"], 10_000, 1)]
#[case::write(&["write", "2", "text"], 0, 4)]
#[case::echo_of_nothing(&["echo"], 0, 0)]
fn probe_writes_as_requested(#[case] args: &[&str], #[case] out: usize, #[case] err: usize) {
    let output = probe(args).output().expect("the probe can be started");
    assert_eq!((output.stdout.len(), output.stderr.len()), (out, err));
}

#[test]
fn echo_writes_its_whole_input() {
    let (reader, mut writer) = io::pipe().expect("a pipe can be made");
    io::Write::write_all(&mut writer, b"there and back").expect("the pipe has room");
    drop(writer);
    let output = probe(&["echo"]).stdin(reader).output().expect("the probe can be started");
    assert_eq!(output.stdout, b"there and back");
}

#[test]
fn report_goes_to_the_requested_destination() {
    let output = probe(&["report", "--to", "2", "and", "more"]).output().expect("the probe can be started");
    let text = String::from_utf8(output.stderr).expect("a report is ASCII");
    assert_eq!(library::Seen::parse(&text).args.len(), 6);
}

#[test]
fn broken_pipe_kills_the_probe() {
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    drop(reader);
    let status = probe(&["write", "1", "text"]).stdout(writer).status().expect("the probe can be started");
    assert_eq!(status.signal(), Some(libc::SIGPIPE));
}
