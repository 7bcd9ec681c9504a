//! Exact starts of std's and tokio's commands.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use forkexec::fds::{InheritOnly, KeptFds};
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world;

use crate::all_fds::open;
use crate::child::{Outcome, in_child, own_table};

fn null_at(fd: RawFd) -> OwnedFd {
    world::place(File::open("/dev/null").expect("it is there"), fd)
}

fn reporter() -> Command {
    let mut command = Command::new(probe::path());
    command.arg("report");
    command
}

/// The descriptors that the program reports.
fn inherited(command: &mut Command) -> Vec<RawFd> {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    Seen::of(&output.stdout).fds
}

/// Faults: D11
#[test]
fn std_child_has_only_the_kept_fds() {
    isolated(|| {
        let _open = open(&[(3, false), (50, false), (61, true), (1_000, false)].into());
        assert_eq!(inherited(&mut reporter()), [0, 1, 2, 3, 50, 1_000], "std passes them on");
        assert_eq!(inherited(reporter().inherit_only(KeptFds::new())), [0, 1, 2]);
        let kept = KeptFds::new().keep(null_at(60)).keep(null_at(900)).keep(null_at(40));
        let mut command = reporter();
        let before = own_table();
        assert_eq!(inherited(command.inherit_only(kept)), [0, 1, 2, 40, 60, 900]);
        assert_eq!(inherited(&mut command), [0, 1, 2, 40, 60, 900], "a second start is the same");
        assert_eq!(own_table(), before, "the parent's flags change");
    });
}

/// A file with close-on-exec, as std opens it, keeps its flag in the parent.
#[test]
fn kept_fd_belongs_to_the_command() {
    isolated(|| {
        let file = File::open("/etc/passwd").expect("it is there");
        let number = file.as_raw_fd();
        let mut command = reporter();
        command.inherit_only(KeptFds::new().keep(file));
        assert_eq!(own_table().get(&number), Some(&true));
        assert_eq!(inherited(&mut command), [0, 1, 2, number]);
        drop(command);
        assert_eq!(own_table().get(&number), None);
    });
}

/// The pipe by which std reports a failed exec lives until exec.
///
/// Faults: D23
#[test]
fn failed_exec_is_still_reported_by_std() {
    isolated(|| {
        let _open = open(&(3..200).map(|fd| (fd, false)).collect());
        for kept in [KeptFds::new(), KeptFds::new().keep(null_at(300))] {
            let spawned = Command::new("/no/such/program").inherit_only(kept).spawn();
            assert_eq!(spawned.expect_err("it is not there").kind(), ErrorKind::NotFound);
        }
    });
}

/// Faults: D11
#[test]
fn std_child_has_nothing_that_another_thread_opens() {
    isolated(|| {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    drop(world::open_many(5));
                }
            });
            for _ in 0..100 {
                assert_eq!(inherited(reporter().inherit_only(KeptFds::new())), [0, 1, 2]);
            }
            is_over.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn streams_of_std_work_with_it() {
    isolated(|| {
        let _open = open(&[(50, false)].into());
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).inherit_only(KeptFds::new());
        let mut child = command.spawn().expect("cat is there");
        let mut stdin = child.stdin.take().expect("it is piped");
        io::Write::write_all(&mut stdin, b"text").expect("cat reads");
        drop(stdin);
        assert_eq!(child.wait_with_output().expect("cat ends").stdout, b"text");
    });
}

/// std has put a stream under that number.
#[test]
fn kept_standard_stream_number_is_an_error() {
    isolated(|| {
        let _reopened = world::close_stdio(&[0]);
        let file = File::open("/etc/passwd").expect("it is there");
        assert_eq!(file.as_raw_fd(), 0);
        let spawned = reporter().stdin(Stdio::null()).inherit_only(KeptFds::new().keep(file)).spawn();
        assert_eq!(spawned.expect_err("0 is the null device").raw_os_error(), Some(libc::EINVAL));
    });
}

/// A failed exec in this process would leave the flags of others changed.
#[test]
fn exec_in_place_is_refused_and_changes_no_flag() {
    isolated(|| {
        let _open = open(&[(50, false), (60, true)].into());
        let before = own_table();
        // std changes the signal mask before the closure runs, so the process is a child.
        let refused = in_child(|| {
            let error = reporter().inherit_only(KeptFds::new()).exec();
            if error.raw_os_error() == Some(libc::ENOTSUP) { Ok(()) } else { Err(error) }
        });
        assert_eq!(refused, Outcome::Done(before));
    });
}

#[test]
fn closure_after_it_can_pass_another_fd() {
    isolated(|| {
        let file = File::open("/etc/passwd").expect("it is there");
        let number = file.as_raw_fd();
        let mut command = reporter();
        command.inherit_only(KeptFds::new());
        // SAFETY: the call changes the flag of a descriptor of this test, in the child.
        let clear = move || match unsafe { libc::fcntl(number, libc::F_SETFD, 0) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        // SAFETY: the closure makes one system call.
        unsafe { command.pre_exec(clear) };
        assert_eq!(inherited(&mut command), [0, 1, 2, number]);
        drop(file);
    });
}

#[test]
fn last_list_of_two_applies() {
    isolated(|| {
        let mut command = reporter();
        command.inherit_only(KeptFds::new().keep(null_at(60)));
        command.inherit_only(KeptFds::new().keep(null_at(61)));
        assert_eq!(inherited(&mut command), [0, 1, 2, 61]);
    });
}

/// `TcpListener` and a duplicate of a file, by one list.
#[test]
fn any_owner_of_an_fd_can_be_kept() {
    isolated(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a local address can be bound");
        let file = File::open("/etc/passwd").expect("it is there");
        let copy = file.try_clone().expect("it can be duplicated");
        let mut numbers = [listener.as_raw_fd(), copy.as_raw_fd()];
        numbers.sort_unstable();
        let kept = KeptFds::new().keep(listener).keep(copy);
        assert_eq!(inherited(reporter().inherit_only(kept)), [&[0, 1, 2][..], &numbers].concat());
    });
}

#[cfg(feature = "tokio-process")]
mod under_tokio {
    use super::{KeptFds, null_at};
    use crate::all_fds::open;
    use crate::child::{Outcome, in_child};
    use forkexec::fds::InheritOnly;
    use forkexec_tests::isolate::isolated;
    use forkexec_tests::probe::{self, Seen};
    use std::io::{Error, ErrorKind};
    use tokio::process::Command;

    /// tokio keeps a handler and a pipe for `SIGCHLD`, so the runtime is in a child.
    #[test]
    fn tokio_child_has_only_the_kept_fds() {
        isolated(|| {
            let _open = open(&[(50, false), (61, true), (1_000, false)].into());
            let outcome = in_child(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let mut command = Command::new(probe::path());
                    command.arg("report").inherit_only(KeptFds::new().keep(null_at(70)));
                    let output = command.output().await?;
                    let spawned = Command::new("/no/such/program").inherit_only(KeptFds::new()).spawn();
                    let is_reported = spawned.is_err_and(|error| error.kind() == ErrorKind::NotFound);
                    let is_exact = Seen::of(&output.stdout).fds == [0, 1, 2, 70];
                    if is_exact && is_reported { Ok(()) } else { Err(Error::from_raw_os_error(libc::EDOM)) }
                })
            });
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        });
    }
}
