//! Pseudo-terminals: the child's side, the controller end, and the caller's own terminal.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use forkexec::{
    BorrowingCommand, Cause, Command, Error, Foreground, InputError, Pty, RawMode, Stage, Stdio, WindowSize,
};
use forkexec_tests::deny::Deny;
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;
use nix::sys::signal::Signal;
use nix::sys::termios::{InputFlags, LocalFlags, OutputFlags, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgid, getpgrp, tcgetpgrp, tcsetpgrp};
use rstest::rstest;

use crate::ground::is_emulated;
use crate::start::{failure, memory_file, probe, report, written};

const SIZE: WindowSize = WindowSize::new(30, 100);

/// Opens a pseudo-terminal. Skips the test if there is none.
fn open() -> Option<Pty> {
    match Pty::open(SIZE) {
        Ok(pty) => Some(pty),
        Err(error) => {
            skip(&error.to_string());
            None
        }
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Starts a command on the terminal and returns all its output.
fn output(mut pty: &Pty, command: &mut Command) -> String {
    let mut child = command.pty(pty).spawn().expect("it starts");
    let mut text = String::new();
    pty.read_to_string(&mut text).expect("it is text");
    assert!(child.wait().expect("it ends").success(), "{text}");
    text
}

fn modes(terminal: impl AsFd) -> Termios {
    tcgetattr(terminal).expect("it is a terminal")
}

/// The modes that the kernel has. The record of musl has more bytes, which nothing sets.
fn known(modes: &Termios) -> impl PartialEq + std::fmt::Debug {
    let Termios { input_flags, output_flags, control_flags, local_flags, control_chars, .. } = modes;
    let control_chars = control_chars.get(..=libc::VEOL2).map(<[u8]>::to_vec);
    (*input_flags, *output_flags, *control_flags, *local_flags, control_chars)
}

/// Runs an ignored test of this binary as the leader of a session on a pseudo-terminal.
fn run_on_terminal(name: &str) {
    let Some(mut pty) = open() else { return };
    let mut leader = Command::new(env::current_exe().expect("a process knows its program"));
    leader.args([&format!("terminals::{name}"), "--exact", "--ignored", "--nocapture"]);
    let mut child = leader.pty(&pty).spawn().expect("it starts");
    let mut said = String::new();
    pty.read_to_string(&mut said).expect("it is text");
    assert!(child.wait().expect("it ends").success() && said.contains("1 passed"), "{said}");
}

#[test]
fn child_on_a_pty_leads_its_session_and_has_its_streams_only() {
    isolated(|| {
        let Some(pty) = open() else { return };
        let file = memory_file();
        let mut command = probe(&["report"]);
        let status = command.pty(&pty).stdout(file.try_clone().expect("it can be duplicated")).status();
        assert!(status.expect("it starts").success());
        let seen = written(&file);
        assert_eq!(seen.fds, [0, 1, 2]);
        assert_eq!((seen.sid, seen.pgid, seen.tpgid), (seen.pid, seen.pid, Some(seen.pid)));
        assert_eq!(seen.facts[&0].ino, seen.facts[&2].ino);
    });
}

#[test]
fn streams_of_a_child_on_a_pty_are_its_controlling_terminal() {
    isolated(|| {
        let Some(pty) = open() else { return };
        let script = "test -t 0 && test -t 1 && test -t 2 && tty && tty <&1 && tty <&2 && \
            set -- $(cat /proc/$$/stat) && echo $5 $6 $8 && stty size </dev/tty";
        let text = output(&pty, &mut shell(&format!("{script}; echo pid $$")));
        let path = pty.path().expect("it has one").display().to_string();
        let lines: Vec<_> = text.lines().collect();
        let pid = lines.last().and_then(|line| line.strip_prefix("pid ")).expect("it is said");
        let ids = format!("{pid} {pid} {pid}");
        assert_eq!(lines[..5], [&path, &path, &path, ids.as_str(), "30 100"]);
    });
}

/// The parent has the controller end, and for a moment the user end.
#[rstest]
fn no_end_of_a_pty_leaks(#[values(false, true)] inherit_all: bool) {
    isolated(|| {
        let Some(pty) = open() else { return };
        let before = Snapshot::take();
        let mut other = shell("for fd in /proc/$$/fd/*; do readlink $fd; done; :");
        if inherit_all {
            other.inherit_all();
        }
        let seen = String::from_utf8(other.output().expect("it starts").stdout).expect("it is text");
        assert!(!seen.contains("/dev/pt"), "{seen}");
        let mut command = shell("read line");
        let child = command.pty(&pty).create_pidfd(false).spawn().expect("it starts");
        let open = fs::read_dir("/proc/self/fd").expect("there is a list").filter_map(Result::ok);
        let ends = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        let ends: Vec<_> =
            ends.filter(|file| file.starts_with("/dev/pts") || file.ends_with("ptmx")).collect();
        assert_eq!(ends.len(), 1, "{ends:?}");
        (&pty).write_all(b"\n").expect("it is open");
        child.wait_with_output().expect("it ends");
        assert_eq!(before.differences(&Snapshot::take()).len(), 1, "the user end is closed");
    });
}

#[test]
fn user_end_avoids_the_numbers_that_the_child_gets() {
    isolated(|| {
        let Some(pty) = open() else { return };
        let mut command = probe(&[]);
        for target in 3..40 {
            command.fd(target, memory_file());
        }
        let seen = report(command.pty(&pty).stdout(Stdio::piped()));
        assert_eq!((seen.fds, seen.tpgid), ((0..40).collect(), Some(seen.pid)));
    });
}

/// Linux reports it as `EIO`.
#[test]
fn read_returns_end_of_file_when_the_last_user_has_closed() {
    isolated(|| {
        let Some(mut pty) = open() else { return };
        let mut child = shell("(sleep 0.3; echo late) & echo early; trap '' HUP").pty(&pty).spawn();
        let child = child.as_mut().expect("it starts");
        child.wait().expect("it ends");
        let mut text = String::new();
        pty.read_to_string(&mut text).expect("the end is no error");
        assert!(text.starts_with("early\r\n"), "{text}");
        for _ in 0..2 {
            assert_eq!(pty.read(&mut [0; 10]).expect("the end stays"), 0);
        }
    });
}

#[test]
fn read_waits_for_the_first_program() {
    isolated(|| {
        let Some(pty) = open() else { return };
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            let mut reader = pty.clone();
            scope.spawn(move || {
                let mut text = String::new();
                let read = reader.read_to_string(&mut text).map(|_| text);
                sender.send(read).expect("it is expected");
            });
            receiver.recv_timeout(Duration::from_millis(100)).expect_err("there is no program");
            shell("echo hello").pty(&pty).status().expect("it starts");
            assert_eq!(receiver.recv().expect("it ends").expect("it is text"), "hello\r\n");
        });
    });
}

#[test]
fn input_is_echoed_and_control_characters_are_keys() {
    isolated(|| {
        let Some(pty) = open() else { return };
        // Without noflsh, the kernel discards output after it has sent the signal, and the answer may be lost.
        let script = "stty noflsh; trap 'echo hit; exit 3' INT; echo ready; while :; do sleep 0.1; done";
        let mut child = shell(script).pty(&pty).spawn().expect("it starts");
        let mut lines = BufReader::new(&pty).lines();
        assert_eq!(lines.next().expect("it says more").expect("it is text"), "ready");
        (&pty).write_all(b"\x03").expect("it is open");
        assert_eq!(lines.next().expect("it says more").expect("it is text"), "^Chit");
        assert_eq!(child.wait().expect("it ends").code(), Some(3));
    });
}

#[test]
fn resize_sends_sigwinch_to_the_foreground() {
    isolated(|| {
        let Some(pty) = open() else { return };
        assert_eq!(pty.size().expect("it has one"), SIZE);
        let script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done";
        let mut child = shell(script).pty(&pty).spawn().expect("it starts");
        let mut lines = BufReader::new(&pty).lines().map(|line| line.expect("it is text"));
        assert_eq!(lines.next().expect("it says more"), "ready");
        let size = WindowSize { rows: 50, columns: 132, pixel_width: 800, pixel_height: 600 };
        pty.resize(size).expect("it takes it");
        assert_eq!(lines.next().expect("it says more"), "50 132");
        child.wait().expect("it ends");
        assert_eq!(pty.size().expect("it has one"), size);
    });
}

#[test]
fn dropped_pty_hangs_up_although_the_command_lives() {
    isolated(|| {
        let Some(pty) = open() else { return };
        let mut command = Command::new("sleep");
        command.arg("600").pty(&pty);
        let mut child = command.spawn().expect("it starts");
        let clone = pty.clone();
        drop(pty);
        assert!(child.try_wait().expect("it is ours").is_none());
        drop(clone);
        assert_eq!(child.wait().expect("it ends").signal(), Some(libc::SIGHUP));
        let error = failure(&mut command);
        assert_eq!(error.stage(), Stage::Setup);
        let cause = io::Error::from_raw_os_error(libc::EIO);
        assert_eq!(error.to_string(), format!("cannot open the user end of the pseudo-terminal: {cause}"));
    });
}

#[test]
fn pty_is_the_terminal_of_one_session_at_a_time() {
    isolated(|| {
        let Some(mut pty) = open() else { return };
        let mut command = shell("read line; echo got $line");
        let mut first = command.pty(&pty).spawn().expect("it starts");
        let error = failure(&mut command);
        assert_eq!(error.stage(), Stage::Terminal);
        // Linux does not tell the session of a terminal that is not the caller's, by its user end.
        assert!(matches!(error.cause(), None | Some(Cause::TerminalOfSession(_))), "{error}");
        if let Some(Cause::TerminalOfSession(session)) = error.cause() {
            let is_it = *session == first.id().cast_signed();
            assert!(is_it || is_emulated("does not return the session of a terminal"), "{error}");
        }
        pty.write_all(b"one\n").expect("it is open");
        first.wait().expect("it ends");
        (&pty).write_all(b"two\n").expect("it is open");
        assert!(output(&pty, &mut command).contains("got two"));
    });
}

#[test]
fn prepared_command_starts_again_and_again_on_a_pty() {
    isolated(|| {
        let Some(pty) = open() else { return };
        let file = memory_file();
        let mut command = shell("tty >&3; test -t 1");
        command.pty(&pty).fd(3, &file);
        let prepared = command.prepare().expect("it means something");
        for _ in 0..5 {
            assert!(prepared.status().expect("it starts").success());
        }
        drop(prepared);
        assert!(command.status().expect("it starts").success());
    });
}

#[test]
fn stream_that_a_command_sets_is_not_on_its_pty() {
    isolated(|| {
        let Some(pty) = open() else { return };
        let script = "test -t 0; echo $?; test -t 2; echo $?; echo on >&2; : </dev/tty && echo has";
        let output = shell(script).stdout(Stdio::piped()).stdin(Stdio::null()).pty(&pty).output();
        let output = output.expect("it starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n0\nhas\n");
        let mut line = String::new();
        BufReader::new(&pty).read_line(&mut line).expect("it is text");
        assert_eq!(line, "on\r\n");
        let mapped = memory_file();
        let mut command = shell("test -t 0 && echo mapped");
        assert!(command.fd(1, &mapped).pty(&pty).status().expect("it starts").success());
        assert_eq!(mapped.metadata().expect("it is open").len(), 7);
    });
}

#[test]
fn contradictions_of_a_pty_are_refused() {
    isolated(|| {
        let Some(pty) = open() else { return };
        let group = shell(":").pty(&pty).process_group(7).spawn();
        assert!(
            matches!(group, Err(Error::Input(InputError::SessionInOtherGroup { group: 7 }))),
            "{group:?}"
        );
        let stdin = io::stdin();
        let kept = shell(":").pty(&pty).keep_fd(&stdin).spawn().map(drop);
        assert!(matches!(kept, Err(Error::Input(InputError::ClaimedTwice { target: 0 }))), "{kept:?}");
    });
}

#[test]
fn user_end_opens_again_as_the_same_terminal() {
    isolated(|| {
        let Some(mut pty) = open() else { return };
        let user = pty.open_user().expect("it can be opened");
        let flags = nix::fcntl::fcntl(&user, nix::fcntl::FcntlArg::F_GETFD).expect("it is open");
        assert_eq!((flags & libc::FD_CLOEXEC, user.is_terminal()), (libc::FD_CLOEXEC, true));
        let path = fs::read_link(format!("/proc/self/fd/{}", user.as_raw_fd())).expect("it has one");
        assert_eq!(Some(path.as_path()), pty.path());
        let mut user = File::from(user);
        user.write_all(b"hello\n").expect("it is open");
        let mut bytes = [0; 7];
        pty.read_exact(&mut bytes).expect("it was written");
        assert_eq!(&bytes, b"hello\r\n");
    });
}

#[test]
fn nonblocking_read_of_a_pty_does_not_wait() {
    isolated(|| {
        let Some(mut pty) = open() else { return };
        for _ in 0..2 {
            pty.set_nonblocking(true).expect("it can be set");
        }
        let error = pty.clone().read(&mut [0; 10]).expect_err("there is nothing");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        pty.set_nonblocking(false).expect("it can be set");
        shell("sleep 0.1; echo hi").pty(&pty).spawn().expect("it starts").wait().expect("it ends");
        assert_eq!(pty.read(&mut [0; 10]).expect("it waits"), 4);
    });
}

#[test]
fn pty_opens_without_the_call_for_its_user_end() {
    isolated(|| {
        if open().is_none() {
            return;
        }
        // No other operation on a pseudo-terminal has this bit.
        let deny = Deny::new().errno_with(libc::SYS_ioctl, 1, 0x40, libc::EINVAL);
        if !deny.installed() {
            return;
        }
        let Some(pty) = open() else { return };
        let mut command = shell("tty");
        for _ in 0..2 {
            let text = output(&pty, &mut command);
            assert_eq!(text.trim_end(), pty.path().expect("it has one").to_string_lossy());
        }
    });
}

#[rstest]
#[case::none_left(libc::ENOSPC)]
#[case::no_device(libc::ENOENT)]
#[case::no_descriptor(libc::EMFILE)]
fn pty_that_cannot_be_opened_is_an_error(#[case] errno: i32) {
    isolated(|| {
        if errno == libc::EMFILE {
            let open = fs::read_dir("/proc/self/fd").expect("there is a list").count();
            world::set_limit(libc::RLIMIT_NOFILE, open as u64, 1024).expect("it can be lowered");
        } else {
            let deny = Deny::new().opens(errno);
            if !deny.installed() {
                return;
            }
        }
        let before = Snapshot::take();
        for _ in 0..3 {
            let error = Pty::open(SIZE).expect_err("it cannot be opened");
            assert!(matches!(error, Error::Terminal { .. }), "{error:?}");
            // musl's posix_openpt(3) returns `EAGAIN` instead, as POSIX has it.
            let is_musl = cfg!(target_env = "musl") && errno == libc::ENOSPC;
            let errno = if is_musl { libc::EAGAIN } else { errno };
            assert_eq!(error.raw_os_error(), Some(errno));
            let text = error.to_string();
            assert!(text.starts_with("cannot open ") && text.contains("pseudo-terminal: "), "{text}");
            assert!(text.ends_with(&io::Error::from_raw_os_error(errno).to_string()), "{text}");
        }
        assert!(before.differences(&Snapshot::take()).is_empty());
    });
}

#[test]
fn start_without_a_free_descriptor_leaves_the_pty_usable() {
    isolated(|| {
        let Some(pty) = open() else { return };
        let mut command = shell("echo hello");
        command.pty(&pty);
        // The first start uses the user end that was opened with the terminal.
        assert!(command.status().expect("it starts").success());
        let (soft, hard) = world::limit(libc::RLIMIT_NOFILE).expect("there is one");
        let mut crowd = Vec::new();
        // The first starts give up the low numbers that the library has reserved.
        let error = (0..3).find_map(|_| {
            crowd.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
            command.spawn().map(|mut child| child.wait()).err()
        });
        let error = error.expect("no number is free");
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        drop(crowd);
        world::set_limit(libc::RLIMIT_NOFILE, soft, hard).expect("it was set");
        assert!(command.status().expect("it starts").success());
    });
}

#[test]
fn size_and_raw_mode_need_a_terminal() {
    isolated(|| {
        let null = File::open("/dev/null").expect("it can be opened");
        let size = WindowSize::of(&null).expect_err("it is no terminal");
        let raw = RawMode::enter(&null).expect_err("it is no terminal");
        let foreground = Foreground::save(&null).expect_err("it is no terminal");
        let cause = io::Error::from_raw_os_error(libc::ENOTTY);
        assert_eq!(size.to_string(), format!("cannot get the window size: {cause}"));
        assert_eq!(raw.to_string(), format!("cannot get the modes of the terminal: {cause}"));
        assert_eq!(foreground.to_string(), format!("cannot get the foreground process group: {cause}"));
    });
}

#[rstest]
fn raw_mode_is_restored_on_drop(#[values(false, true)] panics: bool) {
    isolated(|| {
        let Some(mut pty) = open() else { return };
        let user = pty.open_user().expect("it can be opened");
        let before = modes(&user);
        let work = std::panic::AssertUnwindSafe(|| {
            let _raw = RawMode::enter(&user).expect("it is a terminal");
            let raw = modes(&user);
            assert!(!raw.local_flags.intersects(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG));
            assert!(!raw.output_flags.contains(OutputFlags::OPOST));
            assert!(!raw.input_flags.intersects(InputFlags::ICRNL | InputFlags::IXON));
            (&pty).write_all(b"\x03\r").expect("it is open");
            let mut keys = [0; 2];
            File::from(user.try_clone().expect("it can be duplicated"))
                .read_exact(&mut keys)
                .expect("two keys");
            assert_eq!(&keys, b"\x03\r");
            assert!(!panics, "as asked");
        });
        assert_eq!(std::panic::catch_unwind(work).is_err(), panics);
        assert_eq!(known(&modes(&user)), known(&before));
        (&pty).write_all(b"x\n").expect("it is open");
        let mut echo = [0; 3];
        pty.read_exact(&mut echo).expect("there is an echo");
        assert_eq!(&echo, b"x\r\n");
    });
}

fn tty() -> File {
    File::options().read(true).write(true).open("/dev/tty").expect("there is a terminal")
}

#[test]
fn foreground_returns_from_jobs_to_its_previous_owner() {
    isolated(|| run_on_terminal("lends_its_foreground"));
}

#[test]
#[ignore = "is started by the one above"]
fn lends_its_foreground() {
    let tty = tty();
    let foreground = || tcgetpgrp(&tty).expect("it is ours");
    let own = foreground();
    assert_eq!(own, getpgrp());

    // A job that ends, one that does not start, and one that still runs.
    let saved = Foreground::save(&tty).expect("it is ours");
    let mut job = BorrowingCommand::new("sleep");
    job.arg("0.05").process_group(0).foreground(&tty);
    assert!(job.status().expect("it starts").success());
    assert_ne!(foreground(), own);
    drop(saved);
    assert_eq!(foreground(), own);

    let saved = Foreground::save(&tty).expect("it is ours");
    BorrowingCommand::new("/no/such")
        .process_group(0)
        .foreground(&tty)
        .spawn()
        .expect_err("there is no program");
    drop(saved);
    assert_eq!(foreground(), own);

    let saved = Foreground::save(&tty).expect("it is ours");
    let mut job = BorrowingCommand::new("sleep");
    let mut running = job.arg("600").process_group(0).foreground(&tty).spawn().expect("it starts");
    assert_eq!(foreground(), Pid::from_raw(running.id().cast_signed()));
    drop(saved);
    assert_eq!(foreground(), own);
    running.kill().expect("it runs");
    running.wait().expect("it ends");

    // A job that leaves a process behind, which is no child of this one.
    let mut saved = Foreground::save(&tty).expect("it is ours");
    let (mut reader, writer) = io::pipe().expect("a pipe can be made");
    let mut job = shell("sleep 600 & echo $! >&3");
    let mut job = job.process_group(0).fd(3, writer).spawn().expect("it starts");
    saved.set(job.id().cast_signed()).expect("it is in this session");
    job.wait().expect("it ends");
    let mut orphan = String::new();
    BufReader::new(&mut reader).read_line(&mut orphan).expect("it is said");
    let orphan = Pid::from_raw(orphan.trim().parse().expect("it is a number"));
    assert_eq!(Some(foreground()), getpgid(Some(orphan)).ok());
    drop(saved);
    assert_eq!(foreground(), own);
    nix::sys::signal::kill(orphan, Signal::SIGKILL).expect("it runs");
    let error = Foreground::save(&tty).expect("it is ours").set(orphan.as_raw() + 1_000_000);
    assert!(error.is_err(), "there is no such group");
}

#[test]
fn guards_leave_the_foreground_of_others_alone() {
    isolated(|| {
        let name =
            Command::new("timeout").args(["9", "readlink", "/proc/self/exe"]).output().expect("they start");
        if name.stdout.ends_with(b"busybox\n") {
            return skip("the timeout(1) of busybox makes no process group");
        }
        run_on_terminal("leaves_the_foreground_of_others");
    });
}

/// A grandchild has the foreground, as a job that a shell put there.
#[test]
#[ignore = "is started by the one above"]
fn leaves_the_foreground_of_others() {
    let tty = tty();
    let before = modes(&tty);
    let (mut reader, writer) = io::pipe().expect("a pipe can be made");
    // timeout(1) makes a process group of its own.
    let mut shell = shell("timeout 600 sleep 600 & echo $! >&3; read line");
    let mut shell = shell.stdin(Stdio::piped()).fd(3, writer).spawn().expect("it starts");
    let mut pid = String::new();
    BufReader::new(&mut reader).read_line(&mut pid).expect("it is said");
    let other = Pid::from_raw(pid.trim().parse().expect("it is a number"));
    while getpgid(Some(other)) != Ok(other) {
        thread::yield_now();
    }

    let saved = Foreground::save(&tty).expect("it is ours");
    let raw = RawMode::enter(&tty).expect("it is ours");
    let changed = modes(&tty);
    assert_ne!(known(&changed), known(&before));
    tcsetpgrp(&tty, other).expect("it is in this session");
    drop(raw);
    drop(saved);
    assert_eq!(tcgetpgrp(&tty), Ok(other));
    assert_eq!(known(&modes(&tty)), known(&changed));

    nix::sys::signal::killpg(other, Signal::SIGKILL).expect("it runs");
    drop(shell.stdin.take());
    shell.wait().expect("it ends");
    // The shell of the session takes the terminal back.
    let mut stop = nix::sys::signal::SigSet::empty();
    stop.add(Signal::SIGTTOU);
    stop.thread_block().expect("it can be blocked");
    tcsetpgrp(&tty, getpgrp()).expect("it is in this session");
    tcsetattr(&tty, nix::sys::termios::SetArg::TCSANOW, &before).expect("it is ours");
}

#[test]
fn raw_mode_gives_the_foreground_back() {
    isolated(|| run_on_terminal("is_raw_around_a_job"));
}

#[test]
#[ignore = "is started by the one above"]
fn is_raw_around_a_job() {
    let tty = tty();
    let before = modes(&tty);
    let raw = RawMode::enter(&tty).expect("it is ours");
    let mut job = BorrowingCommand::new("true");
    assert!(job.process_group(0).foreground(&tty).status().expect("it starts").success());
    assert_ne!(tcgetpgrp(&tty), Ok(getpgrp()));
    drop(raw);
    assert_eq!(tcgetpgrp(&tty), Ok(getpgrp()));
    assert_eq!(known(&modes(&tty)), known(&before));
}
