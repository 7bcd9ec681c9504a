//! Socket activation: the sockets and variables that a child gets, and the program that takes them.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::thread;

use forkexec::{ActivationError, BorrowingCommand, Command, Error, ListenFd, SpawnPolicy};
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::Seen;
use rstest::rstest;

use crate::ground::check;
use crate::start::{high_memory_file, identity, is_cloexec, memory_file, probe, report, set_cloexec, table};

/// The variables that speak of sockets.
fn announced(seen: &Seen) -> BTreeSet<OsString> {
    let of_sockets = |entry: &&OsString| entry.to_string_lossy().starts_with("LISTEN_");
    seen.env.iter().filter(of_sockets).cloned().collect()
}

fn expected(pid: i32, count: usize, names: &str) -> BTreeSet<OsString> {
    let variables =
        [format!("LISTEN_PID={pid}"), format!("LISTEN_FDS={count}"), format!("LISTEN_FDNAMES={names}")];
    variables.into_iter().map(OsString::from).collect()
}

#[rstest]
fn sockets_start_at_fd_3_and_variables_name_the_child(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
    #[values(0, 1, 3)] files: usize,
) {
    isolated(|| {
        let sockets: Vec<_> = (0..files).map(|_| memory_file()).collect();
        let names = ["http", "", "my admin"];
        let mut command = probe(&[]);
        command.spawn_policy(launch);
        for (socket, name) in sockets.iter().zip(names) {
            command.listen_fd(socket, name);
        }
        let seen = report(&mut command);
        let handed: Vec<_> = (3..).zip(sockets.iter().map(identity)).collect();
        assert_eq!(table(&seen)[3..], handed);
        let variables =
            if files == 0 { BTreeSet::new() } else { expected(seen.pid, files, &names[..files].join(":")) };
        assert_eq!(announced(&seen), variables);
    });
}

#[test]
fn child_does_not_inherit_the_activation_of_its_parent() {
    isolated(|| {
        let socket = high_memory_file();
        let mut command = probe(&[]);
        command.envs([("LISTEN_PID", "1"), ("LISTEN_FDS", "7"), ("LISTEN_FDNAMES", "a:b")]);
        command.listen_fd(&socket, "own");
        let seen = report(&mut command);
        assert_eq!(announced(&seen), expected(seen.pid, 1, "own"));
        assert_eq!(
            seen.env.iter().filter(|entry| entry.to_string_lossy().starts_with("LISTEN_PID=")).count(),
            1
        );
        let cleared = report(probe(&[]).env_clear().listen_fd(&socket, "own"));
        assert_eq!(cleared.env.iter().cloned().collect::<BTreeSet<_>>(), expected(cleared.pid, 1, "own"));
    });
}

/// A child that shares memory writes its number into memory of the parent's: each start has its own.
#[test]
fn concurrent_children_each_see_their_own_listen_pid() {
    isolated(|| {
        let socket = high_memory_file();
        let mut command = probe(&["report"]);
        command.listen_fd(&socket, "shared");
        let prepared = command.prepare().expect("it means something");
        let start = || {
            for _ in 0..50 {
                let output = prepared.output().expect("the probe can be started");
                let seen = Seen::of(&output.stdout);
                assert_eq!(announced(&seen), expected(seen.pid, 1, "shared"));
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(start))));
    });
}

/// Tells the second process of a test what to do.
const INSIDE: &str = "FORKEXEC_TAKES";

pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// A command that runs this test again, in a process that receives the sockets of the command.
pub(crate) fn again(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("it has a name"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(INSIDE, "1");
    command
}

#[track_caller]
pub(crate) fn passes(command: &mut BorrowingCommand<'_>) {
    let output = command.output().expect("the tests can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let all = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("test result: ok. 1 passed"), "{all}");
}

/// Takes the announced sockets.
fn take() -> Result<Vec<ListenFd>, Error> {
    // SAFETY: nothing in a test's own process opens a descriptor by the numbers that are announced to it.
    unsafe { forkexec::listen_fds() }
}

/// Faults: U5
#[test]
fn program_takes_its_sockets_only_once() {
    if is_inside() {
        let handed = take().expect("they make sense");
        let numbers: Vec<RawFd> = handed.iter().map(|socket| socket.fd.as_raw_fd()).collect();
        assert_eq!(numbers, [3, 4]);
        assert!(handed.iter().all(|socket| is_cloexec(&socket.fd)));
        let again = take().map(|handed| handed.len());
        assert!(matches!(again, Err(Error::Activation(ActivationError::TakenBefore))), "{again:?}");
        let [http, admin] = <[_; 2]>::try_from(handed).expect("there are two");
        assert_eq!((http.name.as_str(), admin.name.as_str()), ("http", "admin"));
        drop(TcpListener::from(http.fd).accept().expect("somebody connects"));
        drop(TcpListener::from(admin.fd));
        // Other code may have the number by now, and inheritable.
        let reused = own_number(3);
        let once_more = take().map(|handed| handed.len());
        assert!(matches!(once_more, Err(Error::Activation(ActivationError::TakenBefore))), "{once_more:?}");
        return drop(reused);
    }
    isolated(|| {
        let bind = || TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
        let (http, admin) = (bind(), bind());
        let mut command = again("activation::program_takes_its_sockets_only_once");
        command.listen_fd(&http, "http").listen_fd(&admin, "admin");
        let client = TcpStream::connect(http.local_addr().expect("it is bound")).expect("it listens");
        passes(&mut command);
        drop(client);
    });
}

/// Opens something under a free number, inheritable.
fn own_number(number: RawFd) -> OwnedFd {
    let file = high_memory_file();
    // SAFETY: the number is free.
    check(unsafe { libc::dup2(file.as_raw_fd(), number) });
    // SAFETY: dup2 opened it, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Faults: U5
#[test]
fn failed_take_leaves_all_fds_open() {
    if is_inside() {
        // SAFETY: the test inherited 3 and 4, and no code has taken them.
        let [third, fourth] = [3, 4].map(|number| unsafe { BorrowedFd::borrow_raw(number) });
        let before = identity(third);
        let is_left = || identity(third) == before && !is_cloexec(&third);

        set_cloexec(&fourth);
        let taken = take().map(|handed| handed.len());
        assert!(matches!(taken, Err(Error::Activation(ActivationError::Taken { fd: 4 }))), "{taken:?}");
        assert!(is_left());

        // SAFETY: nothing owns it.
        check(unsafe { libc::close(4) });
        let closed = take().map(|handed| handed.len());
        assert!(matches!(closed, Err(Error::Activation(ActivationError::NotOpen { fd: 4 }))), "{closed:?}");
        assert!(is_left());

        std::mem::forget(own_number(4));
        return assert_eq!(take().expect("both are open").len(), 2);
    }
    isolated(|| {
        let file = high_memory_file();
        let mut command = again("activation::failed_take_leaves_all_fds_open");
        passes(command.listen_fd(&file, "first").listen_fd(&file, "second"));
    });
}

#[test]
fn program_without_sockets_takes_none() {
    if is_inside() {
        return assert_eq!(take().expect("nothing is wrong").len(), 0);
    }
    isolated(|| {
        let test = "activation::program_without_sockets_takes_none";
        passes(&mut again(test));
        let file = high_memory_file();
        passes(again(test).env("LISTEN_PID", "1").env("LISTEN_FDS", "1").fd(3, &file));
        passes(again(test).env("LISTEN_FDS", "1").fd(3, &file));
    });
}
