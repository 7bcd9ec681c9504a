//! Errors of children that did not start.

use crate::child::{command, program};
use crate::harness::say;
use forkexec::{
    BorrowingCommand, Command, Errno, Error, IoPriority, MemoryPolicy, Namespace, Operation, Scheduler,
    SeccompFilter, Stage, Stdio, capabilities, supports,
};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::time::Duration;

/// The stage and the errno of a start that has to fail.
fn failure(command: &mut BorrowingCommand<'_>) -> (Stage, Errno, String) {
    let error = command.spawn().expect_err("nothing starts");
    let text = error.to_string();
    let spawn = error.as_spawn().unwrap_or_else(|| panic!("another error: {text}"));
    (spawn.stage(), spawn.errno(), text)
}

pub(crate) fn missing_program_is_reported() {
    let (stage, errno, _) = failure(&mut Command::new("/no/such/program"));
    assert_eq!((stage, errno), (Stage::Exec, Errno::NOENT));
}

pub(crate) fn missing_directory_is_reported() {
    let (stage, errno, text) = failure(command("report").current_dir("/no/such/directory"));
    assert_eq!((stage, errno), (Stage::Chdir, Errno::NOENT));
    assert!(text.contains("/no/such/directory"), "{text}");
}

pub(crate) fn missing_interpreter_is_reported() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let script = directory.path().join("script");
    fs::write(&script, "#!/no/such/interpreter\n").expect("a script can be written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("the script is ours");
    let (stage, errno, text) = failure(&mut Command::new(&script));
    assert_eq!((stage, errno), (Stage::Exec, Errno::NOENT));
    assert!(text.contains("interpreter") && text.contains("/no/such/interpreter"), "{text}");
}

pub(crate) fn directory_is_no_program() {
    let (stage, errno, _) = failure(&mut Command::new("/"));
    assert_eq!((stage, errno), (Stage::Exec, Errno::ACCES));
}

/// std reports success if the number is that of its channel.
pub(crate) fn no_target_hits_the_report() {
    let file = File::open("/dev/null").expect("there is a null device");
    let mut command = BorrowingCommand::new("/no/such/program");
    for target in 3..40 {
        command.fd(target, &file);
    }
    let (stage, errno, _) = failure(&mut command);
    assert_eq!((stage, errno), (Stage::Exec, Errno::NOENT));
}

pub(crate) fn failing_closure_is_reported() {
    let mut command = Command::new(program());
    // SAFETY: the closure makes an error of a number, which allocates nothing.
    unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(libc::EDOM))) };
    let (stage, errno, _) = failure(&mut command);
    assert_eq!((stage, errno.raw()), (Stage::PreExec, libc::EDOM));
}

pub(crate) fn invalid_command_starts_nothing() {
    let refused = |command: &mut BorrowingCommand<'_>| matches!(command.spawn(), Err(Error::Input(_)));
    let file = File::open("/dev/null").expect("there is a null device");
    assert!(refused(&mut BorrowingCommand::new("")));
    assert!(refused(command("report").arg("a\0b")));
    assert!(refused(command("report").fd(-1, &file)));
    assert!(refused(command("report").fd(7, &file).fd(7, &file)));
    assert!(refused(command("report").umask(0o1000)));
}

type Ask = fn(&mut BorrowingCommand<'_>);

/// Each has its stage. A kernel that is too old for one, an emulator or a filter refuses it there.
const ATTRIBUTES: [(Operation, Stage, Ask); 19] = [
    (Operation::Namespaces, Stage::Namespaces, |it| _ = it.unshare([Namespace::User])),
    (Operation::TimeNamespace, Stage::Namespaces, |it| _ = it.unshare([Namespace::User, Namespace::Time])),
    (Operation::Pledge, Stage::Pledge, |it| _ = it.pledge("stdio rpath prot_exec")),
    (Operation::Unveil, Stage::Unveil, |it| _ = it.pledge("stdio rpath prot_exec").unveil("/", "rx")),
    // There is no such jail.
    (Operation::Jail, Stage::Jail, |it| _ = it.jail(i32::MAX)),
    (Operation::ExecuteFile, Stage::Exec, |it| {
        it.executable(File::open(program()).expect("the program can be read"));
    }),
    (Operation::Autogroup, Stage::Autogroup, |it| _ = it.setsid().autogroup_nice(1)),
    (Operation::MemoryPolicy, Stage::MemoryPolicy, |it| _ = it.memory_policy(MemoryPolicy::Local, [])),
    (Operation::CpuAffinity, Stage::CpuAffinity, |it| _ = it.cpu_affinity([0])),
    (Operation::Scheduler, Stage::Scheduler, |it| _ = it.scheduler(Scheduler::Other)),
    (Operation::IoPriority, Stage::IoPriority, |it| _ = it.io_priority(IoPriority::Idle)),
    (Operation::TimerSlack, Stage::TimerSlack, |it| _ = it.timer_slack(Duration::from_millis(1))),
    (Operation::OomScore, Stage::OomScore, |it| _ = it.oom_score_adj(1000)),
    (Operation::FixedAddresses, Stage::FixedAddresses, |it| _ = it.fixed_addresses()),
    (Operation::Capabilities, Stage::Capabilities, |it| _ = it.ambient_capabilities([])),
    (Operation::SessionKeyring, Stage::SessionKeyring, |it| _ = it.session_keyring()),
    // The descriptor is no ruleset.
    (Operation::Landlock, Stage::Landlock, |it| {
        it.no_new_privs().landlock(File::open("/dev/null").expect("there is a null device"));
    }),
    (Operation::Seccomp, Stage::Seccomp, |it| {
        const RETURN: u16 = 6;
        const ALLOW: u32 = 0x7fff_0000;
        it.no_new_privs().seccomp(SeccompFilter::new([(RETURN, 0, 0, ALLOW)]));
    }),
    (Operation::StartSuspended, Stage::Suspend, |it| _ = it.start_suspended(true)),
];

/// Runs a command whose child may start suspended.
fn run(command: &mut BorrowingCommand<'_>) -> Result<Output, Error> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.resume()?;
    child.wait_with_output()
}

pub(crate) fn missing_attribute_is_named() {
    let has = capabilities();
    for (operation, stage, ask) in ATTRIBUTES {
        let mut command = command("report");
        ask(&mut command);
        match run(&mut command) {
            Ok(output) => {
                assert!(supports(operation) && output.status.success(), "{operation:?}: {output:?}");
            }
            Err(Error::Unsupported { system, .. }) => {
                assert!(!supports(operation) && system == has.system, "{operation:?}: {system}");
            }
            Err(Error::Spawn(failure)) => {
                assert!(supports(operation) && failure.stage() == stage, "{operation:?}: {failure}");
                say(&format!("REFUSED HERE {}: {operation:?}: {failure}", has.system));
            }
            Err(error) => panic!("{operation:?}: {error}"),
        }
    }
}

/// Entering a missing group fails at its stage. The test checks only that groups are known.
fn in_no_cgroup() -> Result<Output, Error> {
    match command("report").cgroup("/no/such").output() {
        Err(Error::Spawn(failure)) if failure.stage() == Stage::Cgroup => command("report").output(),
        answer => answer,
    }
}

pub(crate) fn missing_operation_is_named() {
    let has = capabilities();
    for (operation, result) in [
        (Operation::Cgroup, in_no_cgroup()),
        (Operation::DieWithParent, command("report").die_with_parent(libc::SIGTERM).output()),
        (Operation::NoNewPrivs, command("report").no_new_privs().output()),
    ] {
        match result {
            Ok(output) => {
                assert!(supports(operation) && output.status.success(), "{operation:?}: {output:?}");
            }
            Err(Error::Unsupported { system, .. }) => {
                assert!(!supports(operation) && system == has.system, "{operation:?}: {system}");
            }
            Err(error) => panic!("{operation:?}: {error}"),
        }
    }
}
