//! make's jobserver: a real make shares its jobs with a make below a child.

use std::env;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::process;

use forkexec::{ActivationError, Command, Error, Jobserver};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world::place;
use rstest::rstest;
use tempfile::TempDir;

use crate::activation::{again, is_inside, passes};
use crate::ground::check;
use crate::start::{identity, memory_file, probe, report, set_cloexec, table};

/// Finds the jobserver of this process.
fn find() -> Result<Option<Jobserver>, Error> {
    // SAFETY: a test's own process inherited the descriptors that are announced to it, or opened them for this purpose.
    unsafe { Jobserver::from_env() }
}

/// Three jobs that meet only if all of them run at once, and wait for each other up to a number of tries.
const SUB: &str = "
all: 1 2 3
1 2 3:
\t@touch here.$@; \\
\tfor try in $$(seq $(TRIES)); do test -e here.1 -a -e here.2 -a -e here.3 && touch met.$@ && break; sleep 0.05; done; true
";

/// Runs this test below a make with four jobs, and returns what was printed.
fn below_make(directory: &Path, prefix: &str, test: &str) -> (bool, String) {
    let program = env::current_exe().expect("it has a name");
    let rule = format!("all:\n\t{prefix}{} {test} --exact --nocapture\n", program.display());
    fs::write(directory.join("Makefile"), rule).expect("the directory is new");
    fs::write(directory.join("sub.mk"), SUB).expect("the directory is new");
    // std's, so that nothing under test is between make and this process.
    let output = process::Command::new("make")
        .arg("-j4")
        .current_dir(directory)
        .env("FORKEXEC_TAKES", "1")
        .env_remove("MAKEFLAGS")
        .env_remove("CARGO_MAKEFLAGS")
        .output()
        .expect("make can be started");
    let all = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&all).into_owned())
}

fn lacks_make() -> bool {
    let lacks = process::Command::new("make").arg("--version").output().is_err();
    if lacks {
        skip("needs GNU make");
    }
    lacks
}

/// Faults: D22
#[rstest]
#[case::kept(true)]
#[case::not_kept(false)]
fn make_below_a_child_shares_the_jobs_of_make(#[case] keeps: bool) {
    let test = if keeps { "case_1_kept" } else { "case_2_not_kept" };
    if is_inside() {
        let jobserver = find().expect("it is valid").expect("make announces it");
        let mut command = Command::new("make");
        // A job that runs alone waits a second, and one that runs with others up to a minute.
        command.args(["-f", "sub.mk", if keeps { "TRIES=1200" } else { "TRIES=20" }]);
        if keeps {
            command.keep_jobserver(&jobserver);
        }
        command.status().expect("make can be started");
        return;
    }
    isolated(|| {
        if lacks_make() {
            return;
        }
        let directory = TempDir::new().expect("a directory can be made");
        let name = format!("jobserver::make_below_a_child_shares_the_jobs_of_make::{test}");
        let (succeeds, said) = below_make(directory.path(), "+", &name);
        let have_met = ["met.1", "met.2", "met.3"].map(|name| directory.path().join(name).exists());
        assert!(succeeds, "{said}");
        assert_eq!(said.contains("jobserver unavailable"), !keeps, "{said}");
        // Without tokens the jobs run one after the other. The last one sees all of them.
        assert_eq!(have_met, if keeps { [true; 3] } else { [false, false, true] }, "{said}");
    });
}

#[test]
fn jobserver_that_make_does_not_share_is_closed() {
    if is_inside() {
        let error = find().expect_err("make has closed it");
        return assert!(
            matches!(&error, Error::Activation(ActivationError::JobserverClosed { fd }) if *fd > 2),
            "{error}"
        );
    }
    isolated(|| {
        if lacks_make() {
            return;
        }
        let directory = TempDir::new().expect("a directory can be made");
        let test = "jobserver::jobserver_that_make_does_not_share_is_closed";
        let (succeeds, said) = below_make(directory.path(), "", test);
        assert!(succeeds, "{said}");
    });
}

/// A pipe whose ends this process inherits under these numbers.
fn pipe_at(command: &mut Command, read: RawFd, write: RawFd) {
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    command.fd(read, reader).fd(write, writer);
}

#[test]
fn child_gets_the_pipe_under_its_numbers_whatever_has_them() {
    if is_inside() {
        let [read, write] = [7, 9].map(|number| {
            // SAFETY: the test inherited the number, and nothing has closed it.
            identity(unsafe { BorrowedFd::borrow_raw(number) })
        });
        let jobserver = find().expect("it is valid").expect("it is announced");
        let again = find().expect("it is valid").expect("it is announced");
        // Other code closes one number, and opens something else under the other one.
        // SAFETY: nothing else uses it.
        check(unsafe { libc::close(7) });
        let secret = memory_file();
        // SAFETY: 9 is this test's.
        check(unsafe { libc::dup2(secret.as_raw_fd(), 9) });
        for kept in [jobserver.clone(), jobserver, again] {
            let seen = report(probe(&[]).keep_jobserver(&kept));
            assert_eq!(table(&seen)[3..], [(7, read), (9, write)]);
        }
        return;
    }
    isolated(|| {
        let mut command = again("jobserver::child_gets_the_pipe_under_its_numbers_whatever_has_them");
        command.env("MAKEFLAGS", " -j4 --jobserver-auth=7,9").env_remove("CARGO_MAKEFLAGS");
        pipe_at(&mut command, 7, 9);
        passes(&mut command);
    });
}

#[rstest]
#[case::named("--jobserver-auth=fifo:/tmp/GMfifo1", Some(0))]
#[case::not_for_this_process("--jobserver-auth=-2,-2", None)]
#[case::none("-k", None)]
fn jobserver_without_fds_adds_none(#[case] flags: &str, #[case] expected: Option<usize>) {
    if is_inside() {
        let found = find().expect("it is valid");
        assert_eq!(found.is_some(), expected.is_some());
        if let Some(jobserver) = found {
            assert_eq!(report(probe(&[]).keep_jobserver(&jobserver)).fds, [0, 1, 2]);
        }
        return;
    }
    isolated(|| {
        let case = ["case_1_named", "case_2_not_for_this_process", "case_3_none"];
        let case = case[if flags == "-k" { 2 } else { usize::from(expected.is_none()) }];
        let mut command = again(&format!("jobserver::jobserver_without_fds_adds_none::{case}"));
        passes(command.env("MAKEFLAGS", flags).env_remove("CARGO_MAKEFLAGS").env_remove("MFLAGS"));
    });
}

/// Faults: U7
#[rstest]
#[case::file("7,9", "9")]
#[case::ends_exchanged("6,5", "6")]
#[case::output("5,1", "1")]
#[case::opened_by_this_process("20,21", "20")]
fn other_files_are_no_jobserver(#[case] numbers: &str, #[case] refused: &str) {
    if is_inside() {
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        let own = [place(reader, 20), place(writer, 21)];
        own.iter().for_each(set_cloexec);
        let error = find().expect_err("it is none");
        let refused: RawFd = refused.parse().expect("it is a number");
        assert!(
            matches!(&error, Error::Activation(ActivationError::NotJobserver { fd }) if *fd == refused),
            "{error}"
        );
        return;
    }
    isolated(|| {
        let case = match numbers {
            "7,9" => "case_1_file",
            "6,5" => "case_2_ends_exchanged",
            "5,1" => "case_3_output",
            _ => "case_4_opened_by_this_process",
        };
        let mut command = again(&format!("jobserver::other_files_are_no_jobserver::{case}"));
        pipe_at(&mut command, 7, 6);
        let (reader, _) = io::pipe().expect("a pipe can be made");
        command.fd(9, memory_file()).fd(5, reader);
        command.env("MAKEFLAGS", format!("--jobserver-auth={numbers}")).env_remove("CARGO_MAKEFLAGS");
        command.stdout(forkexec::Stdio::from(memory_file()));
        let file = memory_file();
        command.stdout(file.try_clone().expect("it is open"));
        assert!(command.status().expect("the test can be started").success());
    });
}

/// A FIFO that is open for both directions can have one number.
#[test]
fn one_number_can_be_both_ends() {
    if is_inside() {
        let jobserver = find().expect("it is valid").expect("it is announced");
        assert_eq!(report(probe(&[]).keep_jobserver(&jobserver)).fds, [0, 1, 2, 8]);
        return;
    }
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        let path = directory.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("the directory is new");
        let fifo: OwnedFd = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .expect("both directions do not wait")
            .into();
        let mut command = again("jobserver::one_number_can_be_both_ends");
        command.fd(8, fifo).env("MAKEFLAGS", "--jobserver-fds=8,8").env_remove("CARGO_MAKEFLAGS");
        passes(&mut command);
    });
}
