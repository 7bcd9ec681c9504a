//! Programs that start stopped, before their first instruction.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forkexec::{
    BorrowingCommand, Child, ChildChange, Error, InputError, Namespace, SpawnPolicy, Stage, Stdio,
};
use forkexec_core::Operation;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe;
use nix::sys::signal::{SigSet, Signal};
use rstest::rstest;

use super::{Ask, status};
use crate::ground::{has, is_emulated, is_privileged, without_privileges};
use crate::start::failure;

fn can_suspend() -> bool {
    has(Operation::StartSuspended) && !is_emulated("traces no child")
}

/// Starts the probe suspended.
fn suspended(args: &[&str], ask: impl FnOnce(&mut BorrowingCommand<'_>)) -> Child {
    let mut command = probe::command(args);
    ask(command.start_suspended(true));
    command.spawn().expect("it starts")
}

fn resumed(mut child: Child) {
    child.resume().expect("it is a child of this process");
    assert!(child.wait().expect("it ends").success());
}

/// Waits until the child is stopped, and has no tracer.
fn await_stop(child: &Child) {
    let pid = child.id().to_string();
    let end = Instant::now() + Duration::from_secs(20);
    while status(&pid, "State") != "T (stopped)" {
        assert!(Instant::now() < end, "{}", status(&pid, "State"));
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(status(&pid, "TracerPid"), "0");
}

/// The address at which the process continues.
fn next_instruction(pid: u32) -> u64 {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).expect("the kernel has it");
    let last = call.split_whitespace().next_back().expect("it has fields");
    u64::from_str_radix(last.trim_start_matches("0x"), 16).expect("it is an address")
}

/// `AT_ENTRY` of getauxval(3).
fn entry(pid: u32) -> u64 {
    const AT_ENTRY: u64 = 9;
    let bytes = fs::read(format!("/proc/{pid}/auxv")).expect("it can be read");
    let words: Vec<u64> = bytes
        .chunks_exact(size_of::<usize>())
        .map(|word| usize::from_ne_bytes(word.try_into().expect("it has that length")) as u64)
        .collect();
    words.chunks_exact(2).find(|pair| pair[0] == AT_ENTRY).expect("each program has it")[1]
}

/// Another thread starts the child, so that the spawner thread does.
fn on_another_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().expect("it does not panic"))
}

/// The probe is linked statically, so its first instruction is the first one of the process.
#[rstest]
#[case::default(|_: &mut BorrowingCommand<'_>| ())]
#[case::forked(|it: &mut BorrowingCommand<'_>| { it.spawn_policy(SpawnPolicy::Fork); })]
#[case::confined(|it: &mut BorrowingCommand<'_>| { it.no_new_privs(); })]
#[case::tied_to_the_parent(|it: &mut BorrowingCommand<'_>| { it.die_with_parent(libc::SIGKILL); })]
#[case::session(|it: &mut BorrowingCommand<'_>| { it.setsid(); })]
fn program_has_run_no_instruction(#[case] ask: Ask) {
    isolated(|| {
        if !can_suspend() {
            return;
        }
        on_another_thread(|| {
            for _ in 0..20 {
                let child = suspended(&["true"], ask);
                await_stop(&child);
                assert_eq!(next_instruction(child.id()), entry(child.id()));
                resumed(child);
            }
        });
    });
}

/// In a new pid namespace the child is the init, which ignores other signals than those of its ancestors.
#[test]
fn init_of_a_namespace_can_start_suspended() {
    isolated(|| {
        if !can_suspend() || !is_privileged() {
            return;
        }
        let child = suspended(&["true"], |it| {
            it.unshare([Namespace::Pid, Namespace::User]);
        });
        await_stop(&child);
        assert_eq!(next_instruction(child.id()), entry(child.id()));
        resumed(child);
    });
}

/// The parent writes the map. exec has dropped the capabilities before, because no user was mapped. A later exec gives them.
#[test]
fn range_of_ids_is_mapped_before_the_program_runs() {
    isolated(|| {
        if !can_suspend() || !is_privileged() {
            return;
        }
        let mut command = BorrowingCommand::new("sh");
        let script = "id -u; cat /proc/self/uid_map; grep CapEff /proc/self/status";
        command.args(["-c", script]).unshare([Namespace::User]).stdout(Stdio::piped()).start_suspended(true);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return skip(&format!("no user namespace can be created: {error}")),
        };
        fs::write(format!("/proc/{}/uid_map", child.id()), "0 0 1\n1 100000 65536\n").expect("root may");
        assert_eq!(status(&child.id().to_string(), "CapEff"), "0000000000000000");
        child.resume().expect("it is a child");
        let output = child.wait_with_output().expect("it ends").stdout;
        let text = String::from_utf8(output).expect("it is ASCII");
        let words: Vec<_> = text.split_whitespace().collect();
        let (capabilities, map) = words.split_last().expect("it wrote something");
        assert_eq!(map, ["0", "0", "0", "1", "1", "100000", "65536", "CapEff:"]);
        assert_ne!(*capabilities, "0000000000000000");
    });
}

/// `SIGCONT` may come before the child has stopped.
#[rstest]
fn resumed_child_runs(#[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy) {
    isolated(|| {
        if !can_suspend() {
            return;
        }
        for _ in 0..200 {
            resumed(suspended(&["true"], |it| {
                it.spawn_policy(launch);
            }));
        }
    });
}

#[test]
fn change_of_state_shows_the_stop() {
    isolated(|| {
        if !can_suspend() {
            return;
        }
        let mut child = suspended(&["pause"], |_| ());
        assert_eq!(child.wait_change().expect("it is a child"), ChildChange::Stopped(libc::SIGSTOP));
        child.resume().expect("it is a child");
        assert_eq!(child.wait_change().expect("it is a child"), ChildChange::Continued);
        child.kill().expect("it runs");
        assert!(matches!(child.wait_change().expect("it is a child"), ChildChange::Exited(_)));
        child.resume().expect("it has no effect");
    });
}

/// Another thread takes whatever waitpid(2) reports.
#[test]
fn other_waits_do_not_keep_the_child_from_its_stop() {
    isolated(|| {
        if !can_suspend() {
            return;
        }
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let mut status = 0;
                    // SAFETY: the kernel writes one int.
                    unsafe {
                        libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::WUNTRACED | libc::__WALL)
                    };
                }
            });
            for _ in 0..100 {
                let mut child = suspended(&["pause"], |_| ());
                await_stop(&child);
                child.kill().expect("it is a child");
                // The other thread may have taken the status.
                let _ = child.wait();
            }
            ended.store(true, Ordering::Relaxed);
        });
    });
}

/// The stop needs `SIGTRAP`, and the program gets its own mask all the same.
#[rstest]
#[case::given(true)]
#[case::inherited(false)]
fn signals_of_the_program_are_those_of_the_command(
    #[case] is_given: bool,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if !can_suspend() {
            return;
        }
        let blocked = [libc::SIGTRAP, libc::SIGUSR2];
        let start = || {
            suspended(&["true"], |it| {
                it.spawn_policy(launch).ignore_signal(libc::SIGTRAP);
                if is_given {
                    it.signal_mask(blocked);
                } else {
                    block(blocked);
                    it.inherit_signal_mask();
                }
            })
        };
        let child = on_another_thread(start);
        let mask = blocked.into_iter().fold(0_u64, |mask, signal| mask | 1 << (signal - 1));
        let pid = child.id().to_string();
        assert_eq!(status(&pid, "SigBlk"), format!("{mask:016x}"));
        let ignored = u64::from_str_radix(&status(&pid, "SigIgn"), 16).expect("it is hexadecimal");
        assert_ne!(ignored & 1 << (libc::SIGTRAP - 1), 0);
        resumed(child);
    });
}

fn block(signals: [i32; 2]) {
    let set: SigSet =
        signals.into_iter().map(|signal| Signal::try_from(signal).expect("it exists")).collect();
    set.thread_block().expect("the set is valid");
}

/// Signals of a group reach the child as soon as it is in it. The terminal sends these.
#[test]
fn signal_before_the_stop_takes_effect_after_it() {
    isolated(|| {
        if !can_suspend() {
            return;
        }
        let child = suspended(&["pause"], |_| ());
        child.send_signal(libc::SIGTERM).expect("it is a child");
        await_stop(&child);
        let mut child = child;
        child.resume().expect("it is a child");
        let status = child.wait().expect("it ends");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGTERM));
    });
}

#[test]
fn debugger_can_attach_to_a_suspended_child() {
    isolated(|| {
        if !can_suspend() {
            return;
        }
        let child = suspended(&["true"], |_| ());
        await_stop(&child);
        let pid = i32::try_from(child.id()).expect("it is a pid");
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: traces a child of this process, and touches no memory.
        let attached = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, nothing, nothing) };
        assert_eq!(attached, 0, "{}", std::io::Error::last_os_error());
        assert_ne!(status(&pid.to_string(), "TracerPid"), "0");
        child.kill().expect("it is a child");
        let mut child = child;
        child.wait().expect("it ends");
    });
}

/// A program that ignores its set-user-ID bit gets no privileges. execve(2): the bit has no effect for a traced process.
#[test]
fn suspended_program_does_not_change_its_user() {
    isolated(|| {
        if !can_suspend() || !is_privileged() {
            return;
        }
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let program = directory.path().join("id");
        fs::copy(probe::path(), &program).expect("the probe can be copied");
        chown(&program, Some(4321), None).expect("root may do that");
        let permit = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        permit(&program, 0o4755).expect("the file is ours");
        permit(&directory.path().to_owned(), 0o755).expect("the directory is ours");
        assert_eq!(fs::metadata(&program).expect("it is there").uid(), 4321);
        let _unprivileged = without_privileges();
        let user = |suspended| {
            let mut command = BorrowingCommand::new(&program);
            let mut child = command.arg("pause").start_suspended(suspended).spawn().expect("it starts");
            let ids = status(&child.id().to_string(), "Uid");
            child.kill().expect("it is a child");
            child.wait().expect("it ends");
            ids.split('\t').nth(1).expect("the second is the effective one").to_owned()
        };
        if user(false) != "4321" {
            return skip("the bit has no effect here");
        }
        assert_ne!(user(true), "4321");
    });
}

#[test]
fn missing_program_of_a_suspended_start_is_reported() {
    isolated(|| {
        if !can_suspend() {
            return;
        }
        let failure = failure(BorrowingCommand::new("/no/such/program").start_suspended(true));
        assert_eq!((failure.stage(), failure.errno().raw()), (Stage::Exec, libc::ENOENT));
    });
}

/// exec in place creates no child that could stop.
#[test]
fn suspended_exec_is_refused() {
    isolated(|| {
        let failed = BorrowingCommand::new("true").start_suspended(true).exec();
        let is_expected = match failed.error() {
            Error::Input(InputError::NotWithExec { setting }) => *setting == "a suspended start",
            Error::Unsupported { .. } => true,
            _ => false,
        };
        assert!(is_expected, "{failed}");
    });
}
