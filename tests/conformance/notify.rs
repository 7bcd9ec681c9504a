//! Notifications and the watchdog: what a child is told, what it sends, and who else may send.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, IoSlice, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process;
use std::thread::sleep;
use std::time::{Duration, Instant};

use forkexec::{
    ActivationError, Child, Command, Error, NotifyOutcome, NotifySocket, SpawnPolicy, Stdio, notify,
    watchdog_enabled,
};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::Seen;
use forkexec_tests::world::{open_many, set_limit};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use rstest::rstest;
use tempfile::TempDir;

use crate::activation::{again, is_inside, passes};
use crate::ground::POLLS;
use crate::start::{high_memory_file, is_cloexec, probe, report};

/// Long enough for any child to start.
const LONG: Duration = Duration::from_mins(1);
/// Long enough for a message that was sent before.
const SHORT: Duration = Duration::from_millis(100);

/// Sends a datagram with descriptors.
fn send(to: &NotifySocket, text: &[u8], fds: &[RawFd]) {
    let name = to.address().as_bytes().strip_prefix(b"@").expect("the address is abstract");
    let address = UnixAddr::new_abstract(name).expect("the name is short");
    let socket = UnixDatagram::unbound().expect("a socket can be made");
    let rights = [ControlMessage::ScmRights(fds)];
    let control = if fds.is_empty() { &[][..] } else { &rights };
    sendmsg(socket.as_raw_fd(), &[IoSlice::new(text)], control, MsgFlags::empty(), Some(&address))
        .expect("the receiver lives");
}

fn socket() -> NotifySocket {
    NotifySocket::new().expect("Linux has abstract addresses")
}

/// A child that does nothing until its input ends.
fn silent(socket: &NotifySocket) -> Child {
    probe(&["sleep-on-stdin"])
        .stdin(Stdio::piped())
        .notify_socket(socket)
        .spawn()
        .expect("the probe can be started")
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("it is mounted").count()
}

/// Ends a child and returns the message, if there is one.
#[track_caller]
fn message(outcome: NotifyOutcome, mut child: Child) -> forkexec::Notification {
    child.kill().expect("it can be killed");
    child.wait().expect("it was not waited for");
    match outcome {
        NotifyOutcome::Notified(message) => message,
        other => panic!("{other:?}"),
    }
}

#[rstest]
fn ready_child_is_noticed(#[values(true, false)] by_path: bool, #[values(true, false)] pidfd: bool) {
    if is_inside() {
        assert!(notify("STATUS=loading").expect("the supervisor lives"));
        assert!(notify("READY=1\nSTATUS=serving\nMAINPID=7").expect("the supervisor lives"));
        return sleep(LONG);
    }
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        let path = directory.path().join("notify");
        let socket = if by_path { NotifySocket::bind(path).expect("it is free") } else { socket() };
        let name = format!(
            "notify::ready_child_is_noticed::by_path_{}_{by_path}::pidfd_{}_{pidfd}",
            if by_path { 1 } else { 2 },
            if pidfd { 1 } else { 2 }
        );
        let mut command = again(&name);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .create_pidfd(pidfd)
            .notify_socket(&socket)
            .spawn()
            .expect("the test can be started");
        let mut seen = Vec::new();
        let outcome = socket.wait_for(&mut child, LONG, |message| {
            seen.extend(message.status().map(str::to_owned));
            message.is_ready()
        });
        let id = child.id();
        let message = message(outcome.expect("the socket works"), child);
        assert_eq!((message.status(), message.main_pid()), (Some("serving"), Some(7)));
        assert_eq!((message.sender(), seen), (Some(id), vec!["loading".to_owned(), "serving".to_owned()]));
    });
}

#[rstest]
fn child_that_ends_before_it_is_ready_is_noticed(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let socket = socket();
        let mut child = probe(&["exit", "3"])
            .create_pidfd(pidfd)
            .notify_socket(&socket)
            .spawn()
            .expect("the probe can be started");
        let outcome = socket.wait_ready(&mut child, LONG).expect("the socket works");
        assert!(matches!(&outcome, NotifyOutcome::Ended(status) if status.code() == Some(3)), "{outcome:?}");
        assert_eq!(child.wait().expect("the status is known").code(), Some(3));
    });
}

#[rstest]
fn wait_for_a_silent_child_times_out(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let socket = socket();
        let mut child = probe(&["sleep-on-stdin"])
            .create_pidfd(pidfd)
            .stdin(Stdio::piped())
            .notify_socket(&socket)
            .spawn()
            .expect("the probe can be started");
        let (start, before) = (Instant::now(), descriptors());
        let outcome = socket.wait_ready(&mut child, SHORT).expect("the socket works");
        assert!(matches!(outcome, NotifyOutcome::TimedOut), "{outcome:?}");
        assert_eq!(descriptors(), before);
        assert!((SHORT..LONG).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert!(child.wait().expect("its input has ended").success());
    });
}

/// As in a process to which others send signals all the time.
#[test]
fn end_is_noticed_although_each_wait_is_interrupted() {
    if is_inside() {
        assert!(notify("STATUS=running").expect("the supervisor lives"));
        io::stdin().read_to_end(&mut Vec::new()).expect("it is a pipe");
        return;
    }
    isolated(|| {
        let socket = socket();
        let mut command = again("notify::end_is_noticed_although_each_wait_is_interrupted");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).notify_socket(&socket);
        let mut child = command.spawn().expect("the test can be started");
        let mut stdin = child.stdin.take();
        if POLLS.iter().fold(Deny::new(), |deny, &call| deny.errno(call, libc::EINTR)).installed() {
            let outcome = socket.wait_for(&mut child, LONG, |message| {
                assert_eq!((message.status(), stdin.take().is_some()), (Some("running"), true));
                false
            });
            let outcome = outcome.expect("the socket works");
            assert!(matches!(outcome, NotifyOutcome::Ended(status) if status.success()), "{outcome:?}");
        }
        drop(stdin);
        child.wait().expect("its input has ended");
    });
}

#[test]
fn message_of_a_child_that_ended_is_received() {
    if is_inside() {
        return assert!(notify("READY=1").expect("the supervisor lives"));
    }
    isolated(|| {
        let socket = socket();
        let mut command = again("notify::message_of_a_child_that_ended_is_received");
        let mut child =
            command.stdout(Stdio::null()).notify_socket(&socket).spawn().expect("the test can be started");
        assert!(child.wait().expect("it ends").success());
        let first = socket.wait_ready(&mut child, LONG).expect("the socket works");
        assert!(matches!(first, NotifyOutcome::Notified(_)), "{first:?}");
        let second = socket.wait_ready(&mut child, LONG).expect("the socket works");
        assert!(matches!(second, NotifyOutcome::Ended(status) if status.success()), "{second:?}");
    });
}

/// The parent is no descendant of its child, and neither is another child.
///
/// Faults: W18
#[test]
fn stranger_cannot_make_a_child_ready() {
    if is_inside() {
        assert!(notify("READY=1").expect("the supervisor lives"));
        return sleep(LONG);
    }
    isolated(|| {
        let socket = socket();
        let mut victim = silent(&socket);
        let mut command = again("notify::stranger_cannot_make_a_child_ready");
        let mut stranger =
            command.stdout(Stdio::null()).notify_socket(&socket).spawn().expect("the test can be started");
        let message = socket.recv(LONG).expect("the socket works").expect("the stranger sends it");
        let (theirs, own) = (stranger.id(), process::id());
        assert!(message.is_ready() && message.is_from(theirs) && message.is_from(own));
        assert!(!message.is_from(victim.id()));

        for _ in 0..3 {
            send(&socket, b"READY=1", &[]);
        }
        let outcome = socket.wait_ready(&mut victim, SHORT).expect("the socket works");
        assert!(matches!(outcome, NotifyOutcome::TimedOut), "{outcome:?}");
        stranger.kill().expect("it runs");
        stranger.wait().expect("it was killed");
        assert!(victim.wait().expect("its input has ended").success());
    });
}

/// A flood must not keep the supervisor past its deadline.
#[test]
fn flood_of_a_stranger_delays_no_deadline() {
    if is_inside() {
        let text = if env::var_os("FORKEXEC_INVALID").is_some() { "READY=1\0\n" } else { "READY=1" };
        while notify(text).is_ok() {}
        return;
    }
    isolated(|| {
        for invalid in [false, true] {
            let socket = socket();
            let mut victim = silent(&socket);
            let mut command = again("notify::flood_of_a_stranger_delays_no_deadline");
            if invalid {
                command.env("FORKEXEC_INVALID", "1");
            }
            let mut stranger = command
                .stdout(Stdio::null())
                .notify_socket(&socket)
                .spawn()
                .expect("the test can be started");
            sleep(SHORT);
            let start = Instant::now();
            let outcome = socket.wait_ready(&mut victim, SHORT * 3).expect("the socket works");
            assert!(matches!(outcome, NotifyOutcome::TimedOut), "{outcome:?}");
            assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
            stranger.kill().expect("it runs");
            stranger.wait().expect("it was killed");
            assert!(victim.wait().expect("its input has ended").success());
        }
    });
}

#[test]
fn descendant_can_speak_for_its_child() {
    if is_inside() {
        assert!(notify("READY=1").expect("the supervisor lives"));
        return sleep(LONG);
    }
    isolated(|| {
        let socket = socket();
        let test = again("notify::descendant_can_speak_for_its_child");
        let mut command = Command::new("sh");
        // The second command keeps the shell from replacing itself by the first one.
        command
            .args(["-c", "\"$@\" >/dev/null & wait; true", "sh"])
            .arg(test.get_program())
            .args(test.get_args());
        for (name, value) in test.get_envs() {
            command.env(name, value.expect("it is set"));
        }
        let mut child =
            command.notify_socket(&socket).process_group(0).spawn().expect("the shell can be started");
        let outcome = socket.wait_ready(&mut child, LONG).expect("the socket works");
        let id = child.id();
        child.kill_tree().expect("it can be killed");
        let message = message(outcome, child);
        assert!(message.sender().is_some_and(|sender| sender != id), "{message:?}");
        assert!(!message.is_from(id), "the child and its descendants have ended");
    });
}

#[rstest]
#[case::longest(4096, true)]
#[case::longer(4097, false)]
#[case::much_longer(100_000, false)]
fn message_that_is_too_long_is_discarded(#[case] length: usize, #[case] is_taken: bool) {
    isolated(|| {
        let socket = socket();
        let mut text = b"READY=1\nX=".to_vec();
        text.resize(length, b'x');
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        send(&socket, &text, &[writer.as_raw_fd()]);
        drop(writer);
        send(&socket, b"STATUS=next", &[]);
        let message = socket.recv(SHORT).expect("the socket works").expect("there is one");
        assert_eq!((message.is_ready(), message.status().is_some()), (is_taken, !is_taken));
        assert_end(reader);
    });
}

/// Checks that no process holds the other end of the pipe.
fn assert_end(mut reader: impl Read) {
    assert_eq!(reader.read(&mut [0]).expect("it can be read"), 0);
}

#[rstest]
#[case::one("READY=1", 1)]
#[case::hundred("READY=1", 100)]
// SCM_MAX_FD: unix(7)
#[case::most("READY=1\nSTATUS=full", 253)]
#[case::barrier("BARRIER=1", 1)]
#[case::barrier_with_more("BARRIER=1\nFDSTORE=1", 3)]
fn descriptors_that_are_not_stored_are_closed(#[case] text: &str, #[case] count: usize) {
    isolated(|| {
        let socket = socket();
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        let before = descriptors();
        send(&socket, text.as_bytes(), &vec![writer.as_raw_fd(); count]);
        drop(writer);
        let mut message = socket.recv(SHORT).expect("the socket works").expect("it was sent");
        assert_eq!(message.get("READY").or(message.get("BARRIER")), Some("1"));
        assert_eq!((descriptors(), message.take_fds().len()), (before - 1, 0));
        assert_end(reader);
    });
}

#[test]
fn stored_descriptors_are_handed_out_cloexec() {
    isolated(|| {
        let socket = socket();
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        let before = descriptors();
        send(&socket, b"FDSTORE=1\nFDNAME=db", &[writer.as_raw_fd(); 100]);
        drop(writer);
        let mut message = socket.recv(SHORT).expect("the socket works").expect("it was sent");
        assert_eq!((message.get("FDNAME"), descriptors()), (Some("db"), before + 99));
        let stored: Vec<OwnedFd> = message.take_fds();
        assert!(stored.len() == 100 && stored.iter().all(is_cloexec));
        drop(stored);
        assert_end(reader);
    });
}

/// If the receiver's limit is too low for all descriptors, the kernel opens the first ones and sets `MSG_CTRUNC`.
///
/// Faults: W19
#[test]
fn descriptors_beyond_the_limit_leak_none() {
    isolated(|| {
        let socket = socket();
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        send(&socket, b"FDSTORE=1\nREADY=1", &[writer.as_raw_fd(); 100]);
        drop(writer);
        let _many = open_many(50);
        let before = descriptors();
        let highest = fs::read_dir("/proc/self/fd").expect("it is mounted").count();
        set_limit(libc::RLIMIT_NOFILE, highest as u64 + 20, 1_024).expect("a limit can be lowered");
        let mut message = socket.recv(SHORT).expect("the socket works").expect("it was sent");
        assert!(message.is_ready() && message.take_fds().is_empty());
        assert_eq!(descriptors(), before);
        assert_end(reader);
    });
}

#[rstest]
#[case::receives(&[libc::SYS_recvmsg])]
#[case::waits(POLLS)]
fn failed_call_is_no_missing_message(#[case] calls: &[libc::c_long]) {
    isolated(|| {
        let socket = socket();
        if !calls.iter().fold(Deny::new(), |deny, &call| deny.errno(call, libc::EDOM)).installed() {
            return;
        }
        let error = socket.recv(SHORT).expect_err("a call fails");
        let is_told =
            matches!(&error, Error::Notify { error, .. } if error.raw_os_error() == Some(libc::EDOM));
        assert!(is_told, "{error}");
    });
}

#[test]
fn dropped_socket_releases_a_barrier() {
    isolated(|| {
        let socket = socket();
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        send(&socket, b"BARRIER=1", &[writer.as_raw_fd()]);
        drop(writer);
        drop(socket);
        assert_end(reader);
    });
}

/// Starts a program of another project that sends `READY=1`.
fn by_others(program: &str, args: &[&str]) {
    let exists =
        env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|it| it.join(program).exists()));
    if !exists {
        return skip(&format!("needs {program}"));
    }
    for by_path in [false, true] {
        let directory = TempDir::new().expect("a directory can be made");
        let path = directory.path().join("notify");
        let socket = if by_path { NotifySocket::bind(path).expect("it is free") } else { socket() };
        let mut child = Command::new("sh")
            .args(["-c", "\"$@\"; sleep 60", "sh", program])
            .args(args)
            .process_group(0)
            .notify_socket(&socket)
            .spawn()
            .expect("the shell can be started");
        let outcome = socket.wait_ready(&mut child, LONG).expect("the socket works");
        // A barrier follows.
        let barrier = socket.recv(LONG).expect("the socket works");
        child.kill_tree().expect("it can be killed");
        let message = message(outcome, child);
        assert_eq!(message.status(), Some("by others"));
        assert_eq!(barrier.and_then(|barrier| Some(barrier.get("BARRIER")? == "1")), Some(true));
    }
}

#[test]
fn systemd_notify_makes_a_child_ready() {
    isolated(|| by_others("systemd-notify", &["--ready", "--status=by others"]));
}

#[test]
fn python_makes_a_child_ready() {
    const SCRIPT: &str = "
import array, os, select, socket
address = os.environ['NOTIFY_SOCKET']
if address[0] == '@':
    address = '\\0' + address[1:]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.sendto(b'STATUS=by others\\nREADY=1', address)
    reader, writer = os.pipe()
    out.sendmsg([b'BARRIER=1'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [writer]))], 0, address)
    os.close(writer)
    assert os.read(reader, 1) == b''
";
    isolated(|| by_others("python3", &["-c", SCRIPT]));
}

/// The variables that speak of the supervisor.
fn announced(seen: &Seen) -> Vec<OsString> {
    let of_supervisor = |entry: &&OsString| {
        ["NOTIFY", "WATCHDOG", "LISTEN"].iter().any(|part| entry.to_string_lossy().starts_with(part))
    };
    let mut variables: Vec<_> = seen.env.iter().filter(of_supervisor).cloned().collect();
    variables.sort_unstable();
    variables
}

#[rstest]
fn variables_name_the_child_and_its_supervisor(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] policy: SpawnPolicy,
    #[values(true, false)] clear: bool,
) {
    isolated(|| {
        let socket = socket();
        let file = high_memory_file();
        let mut command = probe(&[]);
        command.notify_socket(&socket).watchdog(Duration::from_millis(1500)).listen_fd(&file, "http");
        command.envs([("WATCHDOG_PID", "1"), ("WATCHDOG_USEC", "7"), ("NOTIFY_SOCKET", "/run/notify")]);
        if clear {
            command.env_clear();
        }
        let seen = report(command.spawn_policy(policy));
        let expected = [
            "LISTEN_FDNAMES=http".to_owned(),
            "LISTEN_FDS=1".to_owned(),
            format!("LISTEN_PID={}", seen.pid),
            format!("NOTIFY_SOCKET={}", socket.address().to_string_lossy()),
            format!("WATCHDOG_PID={}", seen.pid),
            "WATCHDOG_USEC=1500000".to_owned(),
        ];
        assert_eq!(announced(&seen), expected.map(OsString::from));
        assert_eq!(seen.fds, [0, 1, 2, 3]);
    });
}

#[test]
fn watchdog_notices_that_a_child_hangs() {
    const INTERVAL: Duration = Duration::from_secs(3);
    if is_inside() {
        assert_eq!(watchdog_enabled().expect("it is valid"), Some(INTERVAL));
        assert!(notify("READY=1").expect("the supervisor lives"));
        for _ in 0..4 {
            sleep(INTERVAL / 10);
            assert!(notify("WATCHDOG=1").expect("the supervisor lives"));
        }
        return sleep(LONG);
    }
    isolated(|| {
        let socket = socket();
        let mut command = again("notify::watchdog_notices_that_a_child_hangs");
        command.stdout(Stdio::null()).notify_socket(&socket).watchdog(INTERVAL);
        let mut child = command.spawn().expect("the test can be started");
        let ready = socket.wait_ready(&mut child, LONG).expect("the socket works");
        assert!(matches!(ready, NotifyOutcome::Notified(_)), "{ready:?}");
        let start = Instant::now();
        let outcome = socket.wait_watchdog(&mut child, INTERVAL).expect("the socket works");
        assert!(matches!(outcome, NotifyOutcome::TimedOut), "{outcome:?}");
        assert!(start.elapsed() > INTERVAL + INTERVAL / 10, "{:?}", start.elapsed());
        child.kill().expect("it runs");
        let end = socket.wait_watchdog(&mut child, LONG).expect("the socket works");
        assert!(matches!(end, NotifyOutcome::Ended(status) if !status.success()), "{end:?}");
    });
}

#[test]
fn child_can_trigger_its_watchdog() {
    if is_inside() {
        assert!(notify("WATCHDOG=trigger").expect("the supervisor lives"));
        return sleep(LONG);
    }
    isolated(|| {
        let socket = socket();
        let mut command = again("notify::child_can_trigger_its_watchdog");
        let mut child =
            command.stdout(Stdio::null()).notify_socket(&socket).spawn().expect("the test can be started");
        let outcome = socket.wait_watchdog(&mut child, LONG).expect("the socket works");
        assert!(matches!(outcome, NotifyOutcome::TimedOut), "{outcome:?}");
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
    });
}

#[test]
fn program_without_a_supervisor_sends_nothing() {
    if is_inside() {
        assert_eq!(watchdog_enabled().expect("there is none"), None);
        return match env::var_os("NOTIFY_SOCKET") {
            None => assert!(!notify("READY=1").expect("there is nothing to do")),
            Some(value) if Path::new(&value).is_absolute() => {
                let error = notify("READY=1").expect_err("nothing is bound there");
                assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
            }
            Some(_) => {
                let error = notify("READY=1").expect_err("it is no address");
                let is_known = matches!(&error, Error::Activation(ActivationError::Variable { name, .. }) if *name == "NOTIFY_SOCKET");
                assert!(is_known, "{error}");
            }
        };
    }
    isolated(|| {
        let test = "notify::program_without_a_supervisor_sends_nothing";
        passes(again(test).env_remove("NOTIFY_SOCKET"));
        passes(again(test).env("NOTIFY_SOCKET", "/no/such/socket"));
        passes(again(test).env("NOTIFY_SOCKET", "vsock:2:1234"));
        passes(again(test).env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1").env_remove("NOTIFY_SOCKET"));
    });
}
