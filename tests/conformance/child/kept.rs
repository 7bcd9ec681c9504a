//! A child that is to die with its parent, and with nothing less: not with the thread that started it.
//!
//! The parent is this program again. It writes a byte when the thread that started the child is gone, and ends with its
//! input.

use std::env;
use std::io::{self, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::process;
use std::thread;

use forkexec::{BorrowingCommand, Command, Error, Stdio};
use forkexec_core::Operation;
use forkexec_tests::isolate::isolated;
use rstest::rstest;

use crate::child::dropped::Threads;
use crate::ground::has;
use crate::start::{probe, seen};

const ROLE: &str = "FORKEXEC_TEST_PARENT";

/// The parent's descriptors: the child's input and output, its own ends, and one that only the child keeps.
const INPUT: i32 = 20;
const OUTPUT: i32 = 21;
const END: i32 = 22;
const SAYS: i32 = 23;
const LIVES: i32 = 24;

fn inherited(number: i32) -> OwnedFd {
    // SAFETY: the descriptor was inherited for this purpose, and is taken once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Starts a child that echoes, from a thread that ends then.
fn be_the_parent(by_spawner: bool) -> ! {
    let threads = Threads::now();
    let start = move || {
        let mut command = probe(&["echo"]);
        command.stdin(inherited(INPUT)).stdout(inherited(OUTPUT)).fd(3, inherited(LIVES));
        command.die_with_parent(libc::SIGKILL).pdeathsig_thread(by_spawner).spawn().expect("it starts")
    };
    let _child = thread::spawn(start).join().expect("it does not panic");
    // All but the spawner thread.
    threads.await_no_more_than(usize::from(by_spawner));
    io::PipeWriter::from(inherited(SAYS)).write_all(b".").expect("somebody listens");
    let _ = io::PipeReader::from(inherited(END)).read(&mut [0]);
    process::exit(0)
}

/// Faults: S12, N49
#[rstest]
#[case::by_the_spawner_thread(true)]
#[case::by_the_thread_itself(false)]
fn child_outlives_its_thread_and_not_its_parent_process(#[case] by_spawner: bool) {
    isolated(|| {
        if env::var_os(ROLE).is_some() {
            be_the_parent(by_spawner);
        }
        if !has(Operation::DieWithParent) {
            return;
        }
        let [
            (child_in, mut input),
            (mut output, child_out),
            (end, ends),
            (mut hears, says),
            (mut lives, life),
        ] = [(); 5].map(|()| io::pipe().expect("a pipe can be made"));
        let name = thread::current().name().expect("a test's thread has the test's name").to_owned();
        let mut command = Command::new(env::current_exe().expect("the system knows"));
        command.args([&name, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, "1");
        command.fd(INPUT, child_in).fd(OUTPUT, child_out).fd(END, end);
        command.fd(SAYS, says).fd(LIVES, life).stdout(Stdio::null());
        let mut parent = command.spawn().expect("it starts");
        drop(command);
        hears.read_exact(&mut [0]).expect("the thread ended");
        // A killed child does not answer.
        let answered = input.write_all(b"?").and_then(|()| output.read_exact(&mut [0])).is_ok();
        assert_eq!(answered, by_spawner);
        drop(ends);
        parent.wait().expect("it ends");
        // The end of the pipe: the child is gone, though its input is still open.
        assert_eq!(lives.read(&mut [0]).expect("it can be read"), 0);
        drop(input);
    });
}

/// Nothing of the spawner thread's own: all signals are blocked there.
#[test]
fn signals_blocked_by_the_spawner_thread_are_not_inherited() {
    isolated(|| {
        if !has(Operation::DieWithParent) {
            return;
        }
        let of = |ask: fn(&mut BorrowingCommand<'_>)| {
            let mut command = probe(&["report"]);
            ask(command.die_with_parent(libc::SIGKILL));
            seen(&mut command).blocked
        };
        let _blocked = crate::held::Blocked::new(libc::SIGUSR1);
        assert!(of(|_| ()).is_empty());
        assert_eq!(
            of(|it| {
                it.inherit_signal_mask();
            }),
            [libc::SIGUSR1]
        );
    });
}

#[test]
fn failure_on_the_spawner_thread_is_reported_as_usual() {
    isolated(|| {
        if !has(Operation::DieWithParent) {
            return;
        }
        let mut command = Command::new("/no/such/program");
        let failed = command.die_with_parent(libc::SIGKILL).spawn();
        assert!(matches!(failed, Err(Error::Spawn(_))), "{failed:?}");
        let mut command = probe(&["true"]);
        // SAFETY: it does nothing that a forked child may not.
        unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(libc::EDOM))) };
        let failed = command.die_with_parent(libc::SIGKILL).spawn();
        assert!(matches!(failed, Err(Error::Spawn(_))), "{failed:?}");
    });
}
