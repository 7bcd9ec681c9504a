//! Namespaces that the child creates or joins.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;

use forkexec::{
    BorrowingCommand, Command, Errno, Error, InputError, Namespace, Operand, SpawnMethod, SpawnPolicy, Stage,
    Stdio,
};
use forkexec_core::Operation;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{check, has, is_emulated, is_privileged, method, without_privileges};
use crate::start::{failure, memory_file, probe, report, words};

const OTHERS: [Namespace; 6] =
    [Namespace::Mount, Namespace::Pid, Namespace::Net, Namespace::Ipc, Namespace::Uts, Namespace::Cgroup];

/// The name of a kind below `/proc/PID/ns`.
fn file(namespace: Namespace) -> &'static str {
    if namespace == Namespace::Mount { "mnt" } else { namespace.name() }
}

fn own(namespace: Namespace) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{}", file(namespace))).expect("there is procfs");
    link.into_os_string().into_string().expect("it is ASCII")
}

/// The namespace of a program, as it sees it.
fn seen(namespace: Namespace, ask: impl FnOnce(&mut Command)) -> Result<String, Error> {
    let mut command = Command::new("readlink");
    ask(command.arg(format!("/proc/self/ns/{}", file(namespace))));
    let output = command.output()?;
    Ok(String::from_utf8(output.stdout).expect("it is ASCII").trim().to_owned())
}

/// Returns true if this process may create the kinds. Skips the test if not.
fn may_create(namespaces: &[Namespace]) -> bool {
    let has_time = || !namespaces.contains(&Namespace::Time) || has(Operation::TimeNamespace);
    if !has(Operation::Namespaces) || !has_time() || is_emulated("creates no namespaces") {
        return false;
    }
    let tried = probe(&["true"]).unshare(namespaces.iter().copied()).status();
    tried.map_err(|error| skip(&format!("no such namespace can be created: {error}"))).is_ok()
}

#[rstest]
fn new_namespace_is_that_of_the_child_alone(
    #[values(
        Namespace::User,
        Namespace::Mount,
        Namespace::Pid,
        Namespace::Net,
        Namespace::Ipc,
        Namespace::Uts,
        Namespace::Cgroup,
        Namespace::Time
    )]
    namespace: Namespace,
    #[values(SpawnPolicy::Auto, SpawnPolicy::NoFork, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if !is_privileged() || !may_create(&[namespace]) {
            return;
        }
        let before = own(namespace);
        let seen = seen(namespace, |command| _ = command.unshare([namespace]).spawn_policy(launch));
        if namespace == Namespace::Pid && launch == SpawnPolicy::Fork {
            assert!(matches!(seen, Err(Error::Input(InputError::PidNamespaceNeedsClone))));
        } else {
            let seen = seen.expect("it starts");
            assert_ne!((seen.as_str(), seen.is_empty()), (before.as_str(), true));
        }
        assert_eq!(own(namespace), before);
    });
}

/// A user namespace gives the privilege for all others.
#[rstest]
fn ordinary_user_gets_all_kinds_with_a_user_namespace(
    #[values(false, true)] captured: bool,
    #[values(0, 900)] highest: i32,
) {
    isolated(|| {
        if !is_privileged() || is_emulated("creates no namespaces") || !has(Operation::Namespaces) {
            return;
        }
        let _file = (highest > 0).then(|| world::place(memory_file(), highest));
        // The saved id of the superuser would give it back its privileges.
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::setresgid(4321, 4321, 4321) });
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::setresuid(4321, 4321, 4321) });
        // The change of the user made this process undumpable, so the files below `/proc/self` are those of root.
        // SAFETY: changes the calling process alone.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
        if !may_create(&[Namespace::User]) {
            return;
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", "id -u; id -g; echo $$; readlink /proc/self/ns/net; grep CapEff /proc/self/status"]);
        command
            .unshare([Namespace::User].into_iter().chain(OTHERS))
            .map_user(0)
            .map_group(0)
            .current_dir("/");
        let before = own(Namespace::Net);
        let output =
            if captured { command.output() } else { command.spawn_policy(SpawnPolicy::NoFork).output() };
        let output = output.expect("it starts");
        let text = String::from_utf8(output.stdout).expect("it is ASCII");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..3], ["0", "0", "1"], "{text}");
        assert_ne!((lines[3], lines[3].is_empty()), (before.as_str(), true));
        assert_ne!(lines[4], "CapEff:\t0000000000000000", "{text}");
        assert_eq!(own(Namespace::Net), before);
    });
}

#[test]
fn unmapped_user_has_no_capability_after_exec() {
    isolated(|| {
        if !may_create(&[Namespace::User]) {
            return;
        }
        let seen = report(probe(&[]).unshare([Namespace::User]));
        assert_eq!((seen.uids.real, seen.gids.real), (65_534, 65_534));
        let seen = report(probe(&[]).unshare([Namespace::User]).map_user(77).map_group(78));
        assert_eq!((seen.uids.real, seen.gids.real), (77, 78));
    });
}

/// Memory is shared, so this costs no copy.
#[test]
fn child_in_namespaces_shares_memory_until_exec() {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::Uts]) {
            return;
        }
        let plain = method();
        let mut child = probe(&["true"]).unshare(OTHERS).spawn().expect("it starts");
        assert!(child.wait().expect("it ends").success());
        assert_eq!(child.method(), plain);
        assert_ne!(plain, SpawnMethod::Fork);
    });
}

/// The parent is outside of the namespace, and getppid(2) returns 0.
#[rstest]
fn init_of_a_new_namespace_has_what_was_asked_for(#[values(900, 7)] number: i32) {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::Pid]) {
            return;
        }
        let file = world::place(memory_file(), number);
        let mut command = probe(&[]);
        command.unshare([Namespace::Pid]).die_with_parent(libc::SIGTERM).keep_fd(&file).setsid().umask(0o027);
        let seen = report(&mut command);
        let of_process = (seen.pid, seen.ppid, seen.sid, seen.pdeathsig, seen.umask);
        assert_eq!(of_process, (1, 0, 1, libc::SIGTERM, 0o027));
        assert_eq!(seen.fds, [0, 1, 2, number]);
    });
}

/// The offsets are written by the child, so they need the capabilities of its own user namespace alone.
#[rstest]
fn clocks_of_a_new_namespace_have_their_offsets(
    #[values(SpawnPolicy::Auto, SpawnPolicy::NoFork, SpawnPolicy::Fork)] launch: SpawnPolicy,
    #[values(&[], &[Namespace::User], &[Namespace::User, Namespace::Pid])] others: &[Namespace],
) {
    isolated(|| {
        let kinds: Vec<_> = others.iter().copied().chain([Namespace::Time]).collect();
        let is_possible = launch != SpawnPolicy::Fork || !kinds.contains(&Namespace::Pid);
        if !is_privileged() || !is_possible || !may_create(&kinds) {
            return;
        }
        let offsets = |command: &mut Command| {
            let output = command.output().expect("it starts");
            String::from_utf8(output.stdout).expect("it is ASCII")
        };
        let show = || {
            let mut command = Command::new("cat");
            command.args(["/proc/self/timens_offsets", "/proc/uptime"]).spawn_policy(launch);
            command
        };
        let before = offsets(&mut show());
        let mut shifted = show();
        shifted.unshare(kinds).monotonic_offset(-1).boottime_offset(8_640_000);
        let seen = offsets(&mut shifted);
        let words: Vec<_> = seen.split_whitespace().collect();
        assert_eq!(words[..6], ["monotonic", "-1", "0", "boottime", "8640000", "0"], "{seen}");
        let uptime: f64 = words[6].parse().expect("it is a number");
        assert!(uptime > 8_640_000.0, "{seen}");
        let after = offsets(&mut show());
        assert_eq!(before.lines().next(), after.lines().next());
        assert_eq!(after.split_whitespace().nth(1), Some("0"), "{after}");
    });
}

#[rstest]
fn impossible_clock_is_an_error(#[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy) {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::Time]) {
            return;
        }
        let mut command = probe(&["true"]);
        command.unshare([Namespace::Time]).spawn_policy(launch).monotonic_offset(7).boottime_offset(i64::MIN);
        let failure = failure(&mut command);
        let operand = Operand::Value(format!("monotonic 7, boottime {}", i64::MIN));
        let whole = (failure.stage(), failure.operand(), failure.errno().raw());
        assert_eq!(whole, (Stage::ClockOffsets, &operand, libc::ERANGE));
    });
}

/// setns(2) moves only a process that shares its memory with no other.
#[test]
fn time_namespace_is_joined_by_a_forked_child_alone() {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::Time]) {
            return;
        }
        let mut other = probe(&["pause"]).unshare([Namespace::Time]).spawn().expect("it starts");
        let path = format!("/proc/{}/ns/time", other.id());
        let expected = fs::read_link(&path).expect("it runs");
        let namespace = File::open(path).expect("it can be opened");
        let join = |policy| {
            let mut command = BorrowingCommand::new("readlink");
            command.arg("/proc/self/ns/time").setns(&namespace).spawn_policy(policy).output()
        };
        let output = join(SpawnPolicy::Fork).expect("root may join it");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected.to_string_lossy());
        if method() != SpawnMethod::Fork {
            let error = join(SpawnPolicy::NoFork).expect_err("memory is shared");
            let refused = error.as_spawn().map(|failure| (failure.stage(), failure.errno().raw()));
            assert_eq!(refused, Some((Stage::Namespaces, libc::EUSERS)));
        }
        other.kill().expect("it runs");
        other.wait().expect("it ends");
    });
}

#[test]
fn killed_init_ends_its_namespace() {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::Pid]) {
            return;
        }
        let mut child = probe(&["pause"]).unshare([Namespace::Pid]).spawn().expect("it starts");
        child.kill().expect("it runs");
        assert_eq!(child.wait().expect("it ends").signal(), Some(libc::SIGKILL));
    });
}

#[rstest]
fn child_joins_a_namespace(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
    #[values(5, 900)] number: i32,
) {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::Uts]) {
            return;
        }
        let mut other = probe(&["pause"]).unshare([Namespace::Uts]).spawn().expect("it starts");
        let path = format!("/proc/{}/ns/uts", other.id());
        let expected =
            fs::read_link(&path).expect("it runs").into_os_string().into_string().expect("it is ASCII");
        let namespace = world::place(File::open(path).expect("it can be opened"), number);
        let mut command = BorrowingCommand::new("readlink");
        command.arg("/proc/self/ns/uts").setns(&namespace).spawn_policy(launch);
        let output = command.output().expect("it starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected);
        // The target of a mapping may have the number of the namespace.
        let mapped = memory_file();
        let mut command = probe(&[]);
        command.setns(&namespace).fd(number, &mapped).spawn_policy(launch);
        assert_eq!(report(&mut command).fds, [0, 1, 2, number]);
        other.kill().expect("it runs");
        other.wait().expect("it ends");
    });
}

/// A joined mount namespace may have files that the parent does not see, and lack some that it sees. So the parent does not check
/// paths, and reports no cause that it cannot observe.
#[test]
fn path_is_that_of_the_joined_namespace() {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::Mount]) {
            return;
        }
        let hidden = "/tmp/forkexec-of-another-mount-namespace";
        let script = format!(
            "mount --make-rprivate / && mount -t tmpfs none /tmp && mkdir {hidden} && echo ready && exec sleep 600"
        );
        let mut other = Command::new("sh");
        other.args(["-c", &script]).unshare([Namespace::Mount]).stdout(Stdio::piped());
        let mut other = other.spawn().expect("it starts");
        let mut ready = String::new();
        let stdout = other.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut ready).expect("it can be read");
        let namespace = File::open(format!("/proc/{}/ns/mnt", other.id())).expect("it runs");
        if ready == "ready\n" {
            let mut command = Command::new("pwd");
            let output =
                command.current_dir(hidden).setns(namespace.try_clone().expect("there is a number")).output();
            assert_eq!(
                String::from_utf8_lossy(&output.expect("the directory is there").stdout).trim(),
                hidden
            );
            let missing = BorrowingCommand::new("/no/such/program").setns(&namespace).spawn().map(drop);
            let missing = missing.expect_err("there is no program");
            let cause = missing.as_spawn().map(|failure| (failure.stage(), failure.cause().cloned()));
            assert_eq!(cause, Some((Stage::Exec, None)));
        } else {
            skip("this process may not mount");
        }
        other.kill().expect("it runs");
        other.wait().expect("it ends");
    });
}

#[rstest]
fn namespace_without_privilege_is_an_error(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if !has(Operation::Namespaces) || !is_privileged() || is_emulated("creates no namespaces") {
            return;
        }
        let _unprivileged = without_privileges();
        let mut command = probe(&["true"]);
        let failure = failure(command.unshare([Namespace::Uts, Namespace::Net]).spawn_policy(launch));
        let operand = Operand::Value("net,uts".to_owned());
        let whole = (failure.stage(), failure.operand(), failure.errno());
        assert_eq!(whole, (Stage::Namespaces, &operand, Errno::PERM));
        assert_eq!(
            failure.to_string(),
            format!("cannot enter the namespaces (net,uts): {}", words(Errno::PERM))
        );
        // A refusal of namespaces says nothing about memory.
        assert_ne!(method(), SpawnMethod::Fork);
    });
}

#[test]
fn descriptor_that_is_no_namespace_is_an_error() {
    isolated(|| {
        if !has(Operation::Namespaces) || is_emulated("has no namespaces") {
            return;
        }
        let file = memory_file();
        let failure = failure(probe(&["true"]).setns(&file));
        let operand = Operand::Fd(std::os::fd::AsRawFd::as_raw_fd(&file));
        assert_eq!((failure.stage(), failure.operand()), (Stage::Namespaces, &operand));
        assert_eq!(failure.errno(), Errno::INVAL);
    });
}

#[test]
fn impossible_namespaces_start_nothing() {
    isolated(|| {
        if !has(Operation::Namespaces) {
            return;
        }
        let refusal = |command: &mut BorrowingCommand<'_>| match command.spawn() {
            Err(Error::Input(error)) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal(probe(&["true"]).map_user(0)), InputError::MapWithoutUserNamespace);
        assert_eq!(
            refusal(probe(&["true"]).unshare([Namespace::Net]).map_group(0)),
            InputError::MapWithoutUserNamespace
        );
        for clock in [BorrowingCommand::monotonic_offset, BorrowingCommand::boottime_offset] {
            let mut command = probe(&["true"]);
            let error = refusal(clock(command.unshare([Namespace::Uts]), 1));
            assert_eq!(error, InputError::ClockWithoutTimeNamespace);
        }
        let mut command = probe(&["true"]);
        // SAFETY: the closure does nothing.
        unsafe { command.pre_exec(|| Ok(())) };
        assert_eq!(refusal(command.unshare([Namespace::Pid])), InputError::PidNamespaceNeedsClone);
        let pids = world::place(File::open("/proc/self/ns/pid").expect("there is procfs"), 40);
        let mut command = probe(&["true"]);
        command.setns(&pids).die_with_parent(libc::SIGTERM);
        assert_eq!(refusal(&mut command), InputError::DieWithParentInPidNamespace { fd: 40 });
        let failed = probe(&["true"]).setns(&pids).exec();
        let is_expected = match failed.error() {
            Error::Input(InputError::NotWithExec { setting }) => *setting == "a joined pid namespace",
            Error::Unsupported { .. } => true,
            _ => false,
        };
        assert!(is_expected, "{failed}");
    });
}

/// Only the child is in the namespace, in which it is not the first process.
#[rstest]
fn joined_pid_namespace_is_that_of_the_child_alone(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
    #[values(false, true)] inherits_mask: bool,
) {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::Pid]) {
            return;
        }
        let mut init = probe(&["pause"]).unshare([Namespace::Pid]).spawn().expect("it was tried");
        let path = format!("/proc/{}/ns/pid", init.id());
        let namespace = File::open(&path).expect("the process runs");
        let later = || fs::read_link("/proc/thread-self/ns/pid_for_children").expect("there is procfs");
        let before = later();
        for id in 2..4 {
            let mut command = Command::new("sh");
            let script = "echo $$ $PPID $(readlink /proc/self/ns/pid) && exec grep SigBlk /proc/self/status";
            command.args(["-c", script]).setns(namespace.try_clone().expect("it can be duplicated"));
            command.spawn_policy(launch);
            if inherits_mask {
                command.inherit_signal_mask();
            }
            let output = command.output().expect("root may join it");
            let inside = fs::read_link(&path).expect("the process runs");
            // The substitution of the shell is one more process.
            let id = id * 2 - 2;
            let expected = format!("{id} 0 {}\nSigBlk:\t0000000000000000\n", inside.display());
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        }
        assert_eq!(later(), before);
        init.kill().expect("it runs");
        init.wait().expect("it ends");
    });
}

#[test]
fn refused_pid_namespace_is_an_error_with_its_descriptor() {
    isolated(|| {
        if !has(Operation::Namespaces) || is_emulated("has no namespaces") {
            return;
        }
        let pids = world::place(File::open("/proc/self/ns/pid").expect("there is procfs"), 40);
        let uts = File::open("/proc/self/ns/uts").expect("there is procfs");
        let _unprivileged = without_privileges();
        let failure = failure(probe(&["true"]).setns(&uts).setns(&pids));
        let whole = (failure.stage(), failure.operand(), failure.errno());
        assert_eq!(whole, (Stage::Namespaces, &Operand::Fd(40), Errno::PERM));
    });
}

/// The thread that joins the namespace can start it suspended, too.
#[test]
fn child_of_a_joined_pid_namespace_can_start_suspended() {
    isolated(|| {
        if !is_privileged() || !has(Operation::StartSuspended) || !may_create(&[Namespace::Pid]) {
            return;
        }
        let pids = File::open("/proc/self/ns/pid").expect("there is procfs");
        let mut child =
            probe(&["true"]).setns(&pids).start_suspended(true).spawn().expect("root may join it");
        child.resume().expect("it is a child");
        assert!(child.wait().expect("it ends").success());
    });
}

#[rstest]
#[case::clone3_unknown(|deny: Deny| deny.errno(libc::SYS_clone3, libc::ENOSYS))]
#[case::clone3_forbidden(|deny: Deny| deny.errno(libc::SYS_clone3, libc::EPERM))]
fn older_call_creates_namespaces_too(#[case] deny: fn(Deny) -> Deny) {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::Uts]) || !deny(Deny::new()).installed() {
            return;
        }
        let before = own(Namespace::Uts);
        let seen = seen(Namespace::Uts, |command| _ = command.unshare([Namespace::Uts, Namespace::Pid]));
        assert_ne!(seen.expect("clone(2) does it"), before);
    });
}

#[test]
fn limit_of_namespaces_is_an_error_of_that_stage() {
    isolated(|| {
        if !is_privileged() || !may_create(&[Namespace::User, Namespace::Uts]) {
            return;
        }
        // The limit of a namespace holds for those below it.
        let script = "echo 0 > /proc/sys/user/max_uts_namespaces && exec \"$0\" \"$@\"";
        let probe = forkexec_tests::probe::path();
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(std::env::current_exe().expect("it has a path"));
        command.args(["--exact", "stages::namespaces::inner_limit", "--ignored", "--nocapture"]);
        command.env("FORKEXEC_PROBE", probe).unshare([Namespace::User]).map_user(0).map_group(0);
        let output = command.output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    });
}

#[test]
#[ignore = "run by limit_of_namespaces_is_an_error_of_that_stage"]
fn inner_limit() {
    let failure = failure(Command::new("true").unshare([Namespace::Uts]));
    assert_eq!((failure.stage(), failure.errno().raw()), (Stage::Namespaces, libc::ENOSPC));
}
