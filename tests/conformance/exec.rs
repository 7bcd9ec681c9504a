//! exec in the calling process: what the program gets, and what a failure leaves.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process;
use std::thread;
use std::time::Duration;

use nix::unistd::getpgrp;
use rstest::rstest;

use forkexec::{
    BorrowingCommand, Containment, Error, ExecError, InputError, Namespace, Operation, Pty, Resource,
    Scheduler, Stage, Stdio, WindowSize,
};
use forkexec_tests::android;
use forkexec_tests::isolate::{isolated_if, skip};
use forkexec_tests::probe::Seen;
use forkexec_tests::world;

use crate::ground::{check, has, is_emulated, is_privileged, without_privileges};
use crate::start::{high_memory_file, memory_file, probe};

/// exec in place needs a thread with a descriptor table of its own, which only Linux itself makes.
fn has_thread() -> bool {
    if cfg!(forkexec_backend = "posix") {
        skip("the backend refuses exec in place");
    } else if world::emulator().is_some() {
        skip("the emulator makes no such thread");
    } else {
        return true;
    }
    false
}

/// Forks, calls `exec` in the child with the probe's report on its standard output, and parses that.
fn exec_in_fork(configure: impl FnOnce(&mut BorrowingCommand<'_>)) -> (i32, Seen) {
    let mut report = memory_file();
    // SAFETY: this process has one thread beside the one that waits for it, and the C library's locks are handled by fork.
    let child = check(unsafe { libc::fork() });
    if child == 0 {
        let mut command = probe(&["report"]);
        command.stdout(Stdio::from(report.try_clone().expect("it can be duplicated")));
        configure(&mut command);
        eprintln!("{}", command.exec());
        process::exit(1);
    }
    assert!(world::wait_for(child).success());
    let mut text = String::new();
    report.rewind().expect("memory can be read again");
    report.read_to_string(&mut text).expect("a report is ASCII");
    (child, Seen::parse(&text))
}

#[test]
fn program_keeps_pid_and_parent() {
    isolated_if(has_thread, || {
        let (child, seen) = exec_in_fork(|_| {});
        assert_eq!((seen.pid, seen.ppid), (child, process::id().cast_signed()));
    });
}

#[test]
fn program_gets_exactly_the_named_fds() {
    isolated_if(has_thread, || {
        let [inheritable, mapped, kept] = [(); 3].map(|()| high_memory_file());
        // SAFETY: the test owns the descriptor.
        check(unsafe { libc::fcntl(inheritable.as_raw_fd(), libc::F_SETFD, 0) });
        let kept_number = kept.as_raw_fd();
        let (_, seen) = exec_in_fork(move |command| {
            command.fd(5, mapped).keep_fd(kept);
        });
        assert_eq!(seen.fds, [0, 1, 2, 5, kept_number]);
    });
}

#[test]
fn program_is_what_the_command_says() {
    isolated_if(
        || has_thread() && is_privileged(),
        || {
            let (child, seen) = exec_in_fork(|command| {
                command.setsid().umask(0o027).current_dir("/dev").uid(4321).gid(4322).groups([4323]);
                command.rlimit(Resource::CORE, Some(0), Some(0)).ignore_signal(libc::SIGUSR1).no_new_privs();
            });
            assert_eq!((seen.sid, seen.pgid, seen.umask), (child, child, 0o027));
            assert_eq!(seen.cwd.as_deref(), Some(Path::new("/dev")));
            assert_eq!((seen.uids.real, seen.uids.saved, seen.gids.real), (4321, 4321, 4322));
            assert_eq!((seen.groups, seen.no_new_privs), (vec![4323], true));
            // The program inherits what posix_spawn(3) of glibc left ignored: signals of the C library.
            let ignored: Vec<_> = seen.ignored.into_iter().filter(|&signal| signal < 32).collect();
            assert_eq!((ignored, seen.handled, seen.blocked), (vec![libc::SIGUSR1], vec![], vec![]));
        },
    );
}

/// A thread that is not the first gives its program the process id, and the other threads end.
#[test]
fn any_thread_can_exec() {
    isolated_if(has_thread, || {
        let (child, seen) = exec_in_fork(|command| {
            thread::scope(|scope| {
                scope.spawn(|| thread::sleep(Duration::from_mins(10)));
                scope.spawn(|| eprintln!("{}", command.exec()));
            });
        });
        assert_eq!(seen.pid, child);
    });
}

/// The program leads a new session, and the pseudo-terminal controls it.
#[test]
fn program_on_a_pty_leads_its_session() {
    isolated_if(has_thread, || {
        let pty = match Pty::open(WindowSize::new(30, 100)) {
            Ok(pty) => pty,
            Err(error) => return skip(&error.to_string()),
        };
        let (child, seen) = exec_in_fork(|command| _ = command.pty(&pty));
        assert_eq!((seen.pid, seen.sid, seen.pgid, seen.tpgid), (child, child, child, Some(child)));
        assert_eq!((seen.fds, seen.facts[&0].ino), (vec![0, 1, 2], seen.facts[&2].ino));
    });
}

/// Returns the process-specific state as text.
fn own_state() -> String {
    let limit = world::limit(libc::RLIMIT_CORE).expect("it is known");
    let directory = env::current_dir().expect("it exists");
    format!("{} {} {limit:?} {directory:?}", world::own_status(), getpgrp())
}

fn missing<'fd>() -> BorrowingCommand<'fd> {
    BorrowingCommand::new("/no/such/program")
}

/// The guard of the test compares descriptors, children, mask and handlers.
#[test]
fn failed_exec_changes_nothing_that_can_be_set_back() {
    isolated_if(has_thread, || {
        let (_, hard) = world::limit(libc::RLIMIT_CORE).expect("it is known");
        let before = own_state();
        let file = memory_file();
        let mut command = missing();
        command.umask(0o077).current_dir("/dev").process_group(0).nice(7).ignore_signal(libc::SIGUSR1);
        command.fd(0, &file).fd(9, &file).rlimit(Resource::CORE, Some(0), Some(hard)).no_new_privs();
        if world::is_root() && android::lets(libc::SYS_setgroups) {
            command.uid(4321).gid(4322).groups([4323]);
        }
        let failed = command.exec();
        assert_eq!((stage(&failed), failed.changed()), (Some(Stage::Exec), &[][..]), "{failed}");
        assert_eq!(own_state(), before);
    });
}

/// The attributes are those of the thread that runs the plan, except for the OOM score.
#[rstest]
fn failed_exec_changes_no_attribute(#[values(false, true)] privileged: bool) {
    isolated_if(has_thread, || {
        if !has(Operation::OomScore) || !is_privileged() || is_emulated("has attributes of its own") {
            return;
        }
        let attributes = || {
            let status = fs::read_to_string("/proc/self/status").expect("there is procfs");
            let lines =
                status.lines().filter(|line| line.starts_with("Cpus_allowed") || line.starts_with("Cap"));
            // SAFETY: reads an attribute of this thread.
            let slack = unsafe { libc::prctl(libc::PR_GET_TIMERSLACK, 0, 0, 0, 0) };
            // SAFETY: as above.
            (lines.collect::<Vec<_>>().join(" "), slack, unsafe { libc::personality(0xffff_ffff) })
        };
        let score = || fs::read_to_string("/proc/self/oom_score_adj").expect("there is procfs");
        let _unprivileged = (!privileged).then(without_privileges);
        // The files below `/proc/self` are those of root after a change of the user.
        // SAFETY: changes the calling process alone, which is the test's own.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
        let before = (attributes(), score());
        let mut command = missing();
        command.cpu_affinity([0]).scheduler(Scheduler::Batch).timer_slack(Duration::from_millis(1));
        command.fixed_addresses().oom_score_adj(777);
        let failed = command.exec();
        assert_eq!((stage(&failed), failed.changed()), (Some(Stage::Exec), &[][..]), "{failed}");
        assert_eq!((attributes(), score()), before);
    });
}

#[test]
fn exec_in_place_creates_namespaces_but_no_process() {
    isolated_if(has_thread, || {
        if !has(Operation::Namespaces) || !is_privileged() || is_emulated("creates no namespaces") {
            return;
        }
        let refused = |namespace| match missing().unshare([namespace]).exec().error() {
            Error::Input(InputError::NotWithExec { setting }) => *setting == "a new user or pid namespace",
            _ => false,
        };
        assert!([Namespace::User, Namespace::Pid].into_iter().all(refused));
        let link = || fs::read_link("/proc/self/ns/uts").expect("there is procfs");
        let before = link();
        let failed = missing().unshare([Namespace::Uts]).exec();
        assert_eq!((stage(&failed), link()), (Some(Stage::Exec), before), "{failed}");
    });
}

fn stage(failed: &ExecError) -> Option<Stage> {
    failed.error().as_spawn().map(forkexec::SpawnError::stage)
}

#[test]
fn failed_exec_reports_a_new_session() {
    isolated_if(has_thread, || {
        // SAFETY: the child execs or exits.
        let child = check(unsafe { libc::fork() });
        if child == 0 {
            let failed = missing().setsid().exec();
            let told = failed.to_string();
            let is_right =
                failed.changed() == [Stage::Session, Stage::ProcessGroup] && told.contains("session");
            process::exit(i32::from(!is_right));
        }
        let mut status = 0;
        // SAFETY: waits for the child that was just forked.
        check(unsafe { libc::waitpid(child, &raw mut status, 0) });
        assert_eq!(status, 0);
    });
}

#[test]
fn failed_exec_reports_a_lowered_hard_limit() {
    isolated_if(has_thread, || {
        if world::is_root() {
            // SAFETY: changes the ids of this process, which is the test's own.
            check(unsafe { libc::setuid(4321) });
        }
        let (soft, hard) = world::limit(libc::RLIMIT_STACK).expect("it is known");
        let lower = soft.min(hard - 4096);
        let failed = missing().rlimit(Resource::STACK, Some(lower / 2), Some(lower)).exec();
        assert_eq!((stage(&failed), failed.changed()), (Some(Stage::Exec), &[Stage::Limits][..]), "{failed}");
        assert_eq!(world::limit(libc::RLIMIT_STACK).expect("it is known"), (lower, lower));
    });
}

/// A closure runs in this process. Its panic is an error, and its effects stay.
#[rstest]
fn failing_closure_is_reported_as_a_change(#[values(false, true)] panics: bool) {
    isolated_if(has_thread, || {
        let mut command = missing();
        let closure =
            move || if panics { panic!("no") } else { Err(io::Error::from_raw_os_error(libc::EBUSY)) };
        // SAFETY: the closure does nothing but fail, in this process.
        unsafe { command.pre_exec(closure) };
        let failed = command.exec();
        assert_eq!(
            (stage(&failed), failed.changed()),
            (Some(Stage::PreExec), &[Stage::PreExec][..]),
            "{failed}"
        );
    });
}

#[test]
fn settings_that_need_a_parent_are_refused() {
    let piped = missing().stdout(Stdio::piped()).exec();
    let contained = missing().containment(Containment::Group).exec();
    for failed in [piped, contained] {
        assert!(matches!(failed.error(), Error::Input(InputError::NotWithExec { .. })), "{failed}");
        assert!(failed.changed().is_empty());
    }
}

#[test]
fn error_converts_to_that_of_std() {
    isolated_if(has_thread, || {
        assert_eq!(io::Error::from(missing().exec()).kind(), io::ErrorKind::NotFound);
    });
}

#[cfg(forkexec_backend = "posix")]
#[test]
fn exec_is_refused_by_a_backend_without_such_threads() {
    let failed = missing().exec();
    assert!(matches!(failed.error(), Error::Unsupported { .. }), "{failed}");
}

/// A file that only the failed exec had open would stay locked.
#[test]
fn failed_exec_closes_its_copies_before_it_returns() {
    isolated_if(has_thread, || {
        let directory = tempfile::tempdir().expect("it can be made");
        let path = directory.path().join("lock");
        for _ in 0..200 {
            let locked = File::create(&path).expect("there is room");
            locked.lock().expect("no other process has it");
            let failed = missing().exec();
            assert_eq!(stage(&failed), Some(Stage::Exec));
            drop(locked);
            let again = File::create(&path).expect("there is room");
            again.try_lock().expect("the last descriptor was closed");
        }
    });
}
