//! Capabilities, keyrings, rulesets and filters: what the program can no longer do.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;

use forkexec::{
    BorrowingCommand, Capability, Command, Errno, Error, Operand, SeccompFilter, SpawnPolicy, Stage,
};
use forkexec_core::Operation;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use rstest::rstest;

use super::Ask;
use crate::ground::{has, is_emulated, is_privileged, without_privileges};
use crate::stages::identity::capabilities;
use crate::start::{failure, probe, report, words};

/// The five sets, as `/proc/PID/status` has them.
const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

const CHOWN: u64 = 1;
const NET_BIND_SERVICE: u64 = 1 << 10;

/// Runs a program that reads its own sets.
fn sets(ask: impl FnOnce(&mut Command)) -> [u64; 5] {
    let mut command = Command::new("/bin/cat");
    ask(command.arg("/proc/self/status").current_dir("/"));
    let status = String::from_utf8(command.output().expect("it starts").stdout).expect("it is ASCII");
    SETS.map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
        u64::from_str_radix(line.expect("it is there"), 16).expect("it is hexadecimal")
    })
}

fn has_capabilities() -> bool {
    has(Operation::Capabilities) && is_privileged() && !is_emulated("keeps no capabilities")
}

/// Faults: S9
#[rstest]
fn other_user_gets_its_ambient_capabilities_and_nothing_else(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
    #[values(false, true)] no_new_privs: bool,
) {
    isolated(|| {
        if !has_capabilities() {
            return;
        }
        let whole = sets(|_| ());
        let [inheritable, permitted, effective, bounding, ambient] = sets(|command| {
            command.uid(4321).gid(1234).groups([]).spawn_policy(launch);
            command.ambient_capabilities([Capability::NET_BIND_SERVICE]);
            if no_new_privs {
                command.no_new_privs();
            }
        });
        let only = NET_BIND_SERVICE;
        assert_eq!([inheritable, permitted, effective, ambient], [only; 4]);
        assert_eq!(bounding, whole[3]);
        assert_eq!(sets(|_| ()), whole, "the parent's have changed");
    });
}

/// setpriv(1) of util-linux makes the same calls after its own exec.
#[test]
fn capability_sets_are_those_of_setpriv() {
    const TOOL: &str = "/usr/bin/setpriv";
    const IDS: [&str; 5] = ["--reuid", "4321", "--regid", "1234", "--clear-groups"];
    const SETS: [&str; 3] = [
        "--inh-caps=-all,+net_bind_service,+chown",
        "--ambient-caps=-all,+net_bind_service",
        "--bounding-set=-all,+net_bind_service,+chown",
    ];
    isolated(|| {
        if !has_capabilities() {
            return;
        }
        if !fs::exists(TOOL).unwrap_or(false) {
            return skip("setpriv(1) is missing");
        }
        let own = sets(|command| {
            command.uid(4321).gid(1234).groups([]);
            command.inheritable_capabilities([Capability::NET_BIND_SERVICE, Capability::CHOWN]);
            command.ambient_capabilities([Capability::NET_BIND_SERVICE]);
            command.bounding_capabilities([Capability::NET_BIND_SERVICE, Capability::CHOWN]);
        });
        let theirs = sets(|command| {
            *command = Command::new(TOOL);
            command.args(IDS).args(SETS).args(["/bin/cat", "/proc/self/status"]);
        });
        assert_eq!(own, theirs);
        let both = NET_BIND_SERVICE | CHOWN;
        assert_eq!(own, [both, NET_BIND_SERVICE, NET_BIND_SERVICE, both, NET_BIND_SERVICE]);
    });
}

#[test]
fn bounding_set_limits_what_root_gets() {
    isolated(|| {
        if !has_capabilities() {
            return;
        }
        let [_, permitted, effective, bounding, ambient] =
            sets(|command| _ = command.bounding_capabilities([Capability::CHOWN]));
        assert_eq!([permitted, effective, bounding, ambient], [CHOWN, CHOWN, CHOWN, 0]);
    });
}

#[test]
fn inheritable_capabilities_are_not_effective() {
    isolated(|| {
        if !has_capabilities() {
            return;
        }
        let [inheritable, permitted, effective, _, ambient] = sets(|command| {
            command.uid(4321).gid(1234).groups([]).inheritable_capabilities([Capability::CHOWN]);
        });
        assert_eq!([inheritable, permitted, effective, ambient], [CHOWN, 0, 0, 0]);
    });
}

#[test]
fn securebits_take_the_privileges_of_root() {
    const NOROOT: u32 = 1;
    isolated(|| {
        if !has_capabilities() {
            return;
        }
        let [_, permitted, effective, ..] = sets(|command| _ = command.securebits(NOROOT));
        assert_eq!([permitted, effective], [0, 0]);
    });
}

#[test]
fn capability_that_the_parent_lacks_is_an_error() {
    isolated(|| {
        if !has_capabilities() {
            return;
        }
        capabilities::give_up_chown().expect("a capability can be given up");
        let failure = failure(probe(&["true"]).ambient_capabilities([Capability::CHOWN]));
        let operand = Operand::Value("chown".to_owned());
        let whole = (failure.stage(), failure.operand(), failure.errno());
        assert_eq!(whole, (Stage::Capabilities, &operand, Errno::PERM));
        let text = format!("cannot set the capabilities (chown): {}", words(Errno::PERM));
        assert_eq!(failure.to_string(), text);
    });
}

/// A filter answers 0 to the call, and the kernel does nothing.
///
/// Faults: S14
#[rstest]
#[case::bounding_set(libc::SYS_prctl, Stage::BoundingSet, |it: &mut BorrowingCommand<'_>| { it.bounding_capabilities([]); })]
#[case::securebits(libc::SYS_prctl, Stage::SecureBits, |it: &mut BorrowingCommand<'_>| { it.securebits(1); })]
#[case::capset(
    libc::SYS_capset, Stage::Capabilities,
    |it: &mut BorrowingCommand<'_>| { it.inheritable_capabilities([Capability::CHOWN]); }
)]
#[case::capget(
    libc::SYS_capget, Stage::Capabilities, |it: &mut BorrowingCommand<'_>| { it.ambient_capabilities([]); }
)]
#[case::ambient(
    libc::SYS_prctl, Stage::Capabilities,
    |it: &mut BorrowingCommand<'_>| { it.ambient_capabilities([Capability::CHOWN]); }
)]
fn pretended_change_never_execs(
    #[case] call: libc::c_long,
    #[case] stage: Stage,
    #[case] ask: Ask,
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    const PRETENDED: i32 = 0;
    isolated(|| {
        if !has_capabilities() {
            return;
        }
        if Deny::new().errno(call, PRETENDED).installed() {
            let mut command = probe(&["true"]);
            ask(command.spawn_policy(launch));
            let failure = failure(&mut command);
            assert_eq!((failure.stage(), failure.errno()), (stage, Errno::PERM));
        }
    });
}

/// A key that only its possessor sees.
fn add_private_key() -> io::Result<()> {
    const OF_THE_SESSION: i32 = -3;
    const SETPERM: i32 = 5;
    const POSSESSOR: u32 = 0x3f00_0000;
    let (kind, name, secret) = (c"user", c"forkexec-private", b"x");
    // SAFETY: the kernel reads two C strings and one byte.
    let key = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            name.as_ptr(),
            secret.as_ptr(),
            1_usize,
            OF_THE_SESSION,
        )
    };
    // SAFETY: the arguments are numbers.
    let done = key >= 0 && unsafe { libc::syscall(libc::SYS_keyctl, SETPERM, key, POSSESSOR) } >= 0;
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[test]
fn new_session_keyring_has_no_key_of_the_parent() {
    isolated(|| {
        if !has(Operation::SessionKeyring) || is_emulated("has no keys") {
            return;
        }
        // The keys of the session in which the tests run are left alone.
        // SAFETY: without a name, the call creates a keyring.
        unsafe { libc::syscall(libc::SYS_keyctl, 1, 0_usize) };
        if let Err(error) = add_private_key() {
            return skip(&format!("no key can be added: {error}"));
        }
        let sees = |ask: fn(&mut Command)| {
            let mut command = Command::new("/bin/cat");
            ask(command.arg("/proc/keys").current_dir("/"));
            let keys = command.output().expect("it starts").stdout;
            String::from_utf8_lossy(&keys).contains("forkexec-private")
        };
        assert_eq!([sees(|_| ()), sees(|it| _ = it.session_keyring())], [true, false]);
    });
}

/// A ruleset that permits to read and execute below these directories, and to read no other file.
fn ruleset(directories: &[&str]) -> io::Result<OwnedFd> {
    const EXECUTE: u64 = 1 << 0;
    const READ_FILE: u64 = 1 << 2;
    const PATH_BENEATH: i32 = 1;
    #[repr(C, packed)]
    struct PathBeneath {
        access: u64,
        parent: i32,
    }
    let handled = EXECUTE | READ_FILE;
    // SAFETY: the kernel reads 8 bytes.
    let fd = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size_of_val(&handled), 0_i32)
    };
    #[expect(clippy::allow_attributes, reason = "the width of the answer differs by architecture")]
    #[allow(clippy::useless_conversion)]
    let fd = i32::try_from(fd).expect("a descriptor is an int");
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and has no other owner.
    let ruleset = unsafe { OwnedFd::from_raw_fd(fd) };
    for directory in directories.iter().filter_map(|path| File::open(path).ok()) {
        let rule = PathBeneath { access: handled, parent: directory.as_raw_fd() };
        // SAFETY: the kernel reads the structure, and borrows the descriptors for the call.
        let added = unsafe {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                ruleset.as_raw_fd(),
                PATH_BENEATH,
                &raw const rule,
                0_i32,
            )
        };
        if added < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(ruleset)
}

/// The directories of programs and libraries.
const PROGRAMS: [&str; 5] = ["/bin", "/usr", "/lib", "/lib64", "/system"];

fn can_restrict(directories: &[&str]) -> Option<OwnedFd> {
    if !has(Operation::Landlock) || is_emulated("has no Landlock") {
        return None;
    }
    ruleset(directories).map_err(|error| skip(&format!("there is no Landlock: {error}"))).ok()
}

/// Neither the number of the ruleset nor a close-on-exec flag decides who gets it.
///
/// Faults: S20
#[rstest]
fn ruleset_confines_the_program_and_is_not_inherited(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
    #[values(20, 900)] number: i32,
    #[values(false, true)] inheritable: bool,
) {
    isolated(|| {
        let Some(ruleset) = can_restrict(&PROGRAMS) else { return };
        let ruleset = forkexec_tests::world::place(ruleset, number);
        if inheritable {
            // SAFETY: changes a flag of a descriptor of this test.
            unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
        }
        let mut command = BorrowingCommand::new("/bin/cat");
        command.arg("/etc/passwd").current_dir("/").no_new_privs().landlock(&ruleset).spawn_policy(launch);
        let output = command.output().expect("it starts");
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        let mut command = BorrowingCommand::new("/bin/sh");
        // The shell opens no file for this.
        let script = format!("exec 3<&{number}");
        command.args(["-c", &script]).current_dir("/").no_new_privs().landlock(&ruleset).spawn_policy(launch);
        assert!(!command.output().expect("it starts").status.success(), "the program has the ruleset");
    });
}

#[test]
fn program_may_keep_its_ruleset() {
    isolated(|| {
        let Some(ruleset) = can_restrict(&["/"]) else { return };
        let mut command = probe(&[]);
        let fd = ruleset.as_raw_fd();
        command.no_new_privs().landlock(&ruleset).keep_fd(&ruleset);
        assert_eq!(report(&mut command).fds, [0, 1, 2, fd]);
    });
}

#[test]
fn program_that_the_ruleset_forbids_is_an_error() {
    isolated(|| {
        let Some(ruleset) = can_restrict(&["/dev"]) else { return };
        let failure = failure(probe(&["true"]).no_new_privs().landlock(&ruleset));
        assert_eq!((failure.stage(), failure.errno()), (Stage::Exec, Errno::ACCES));
    });
}

#[test]
fn ruleset_without_no_new_privs_needs_privilege() {
    isolated(|| {
        let Some(ruleset) = can_restrict(&["/"]) else { return };
        let _unprivileged = without_privileges();
        let failure = failure(probe(&["true"]).landlock(&ruleset));
        let whole = (failure.stage(), failure.operand(), failure.errno());
        assert_eq!(whole, (Stage::Landlock, &Operand::Fd(ruleset.as_raw_fd()), Errno::PERM));
    });
}

/// Other chains close before the ruleset is enforced, so they may list.
///
/// Faults: S20
#[test]
fn ruleset_does_not_hinder_the_closing() {
    isolated(|| {
        let Some(ruleset) = can_restrict(&PROGRAMS) else { return };
        let _secret = forkexec_tests::world::place(crate::start::memory_file(), 700);
        if !Deny::new().errno(libc::SYS_close_range, libc::EPERM).installed() {
            return;
        }
        let mut command = BorrowingCommand::new("/bin/sh");
        command.args(["-c", "exec 3<&700"]).current_dir("/").no_new_privs().landlock(&ruleset);
        assert!(!command.output().expect("it starts").status.success(), "the program has a secret");
    });
}

const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;

/// A filter that gives one answer to some calls, and allows the others.
fn filter(calls: &[libc::c_long], answer: u32) -> SeccompFilter {
    let number = |call: libc::c_long| u32::try_from(call).expect("a number of a call");
    let rules = calls.iter().flat_map(|&call| [(EQUAL, 0, 1, number(call)), (RETURN, 0, 0, answer)]);
    SeccompFilter::new([(LOAD, 0, 0, 0)].into_iter().chain(rules).chain([(RETURN, 0, 0, ALLOW)]))
}

fn can_filter() -> bool {
    has(Operation::Seccomp) && !is_emulated("has no filters") && Deny::new().installed()
}

/// The filter forbids every call of the start that comes before it, and those after exec that the program does not make.
///
/// Faults: S19
#[rstest]
fn filter_forbids_nothing_of_the_start(#[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy) {
    isolated(|| {
        if !can_filter() {
            return;
        }
        let calls = [
            libc::SYS_close_range,
            libc::SYS_unshare,
            libc::SYS_setsid,
            libc::SYS_chdir,
            libc::SYS_setresuid,
            libc::SYS_seccomp,
            libc::SYS_write,
            libc::SYS_dup3,
        ];
        let mut command = probe(&["exit", "7"]);
        command.setsid().current_dir("/").no_new_privs().spawn_policy(launch);
        let status = command.seccomp(filter(&calls, KILL_PROCESS)).status().expect("it starts");
        assert_eq!(status.code(), Some(7));
    });
}

#[rstest]
fn program_cannot_do_what_the_filter_forbids(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if !can_filter() {
            return;
        }
        let mut command = probe(&["write", "1", "x"]);
        command.no_new_privs().spawn_policy(launch).seccomp(filter(&[libc::SYS_write], KILL_PROCESS));
        let output = command.output().expect("it starts");
        assert_eq!((output.status.signal(), output.stdout), (Some(libc::SIGSYS), Vec::new()));
    });
}

/// The filter forbids execve(2) itself. Nothing starts, and the error names the stage.
#[rstest]
fn filter_that_forbids_exec_is_an_error(#[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy) {
    isolated(|| {
        if !can_filter() {
            return;
        }
        let calls = [libc::SYS_execve, libc::SYS_execveat];
        let mut command = probe(&["true"]);
        command.no_new_privs().spawn_policy(launch);
        let failure = failure(command.seccomp(filter(&calls, ERRNO | 1)));
        assert_eq!((failure.stage(), failure.errno()), (Stage::Exec, Errno::PERM));
        let error = command.seccomp(filter(&calls, KILL_PROCESS)).spawn().map(drop).expect_err("it dies");
        match error {
            Error::Died { stage: Stage::Exec, status } => {
                assert_eq!(status.and_then(|status| status.signal()), Some(libc::SIGSYS));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn filter_without_no_new_privs_needs_privilege() {
    isolated(|| {
        if !can_filter() {
            return;
        }
        let _unprivileged = without_privileges();
        let failure = failure(probe(&["true"]).seccomp(filter(&[], ALLOW)));
        let whole = (failure.stage(), failure.errno(), failure.to_string());
        let text = format!("cannot install the seccomp filter: {}", words(Errno::ACCES));
        assert_eq!(whole, (Stage::Seccomp, Errno::ACCES, text));
    });
}

#[rstest]
#[case::without_an_end(SeccompFilter::new([(LOAD, 0, 0, 0)]))]
#[case::jump_out_of_it(SeccompFilter::new([(EQUAL, 9, 9, 0), (RETURN, 0, 0, ALLOW)]))]
fn invalid_filter_is_an_error(#[case] filter: SeccompFilter) {
    isolated(|| {
        if !can_filter() {
            return;
        }
        let failure = failure(probe(&["true"]).no_new_privs().seccomp(filter));
        assert_eq!((failure.stage(), failure.errno()), (Stage::Seccomp, Errno::INVAL));
    });
}

#[rstest]
#[case::empty(0)]
#[case::too_long(4097)]
fn filter_of_no_possible_length_starts_nothing(#[case] length: usize) {
    isolated(|| {
        if !has(Operation::Seccomp) {
            return;
        }
        let filter = SeccompFilter::new(vec![(RETURN, 0, 0, ALLOW); length]);
        let error = probe(&["true"]).seccomp(filter).spawn().map(drop).expect_err("it is refused");
        let text = format!("cannot install the seccomp filter ({length}): the range is 1 to 4096");
        assert_eq!(error.to_string(), text);
    });
}

/// A filter of the surroundings answers 0 to seccomp(2), and installs nothing.
///
/// Faults: S14
#[test]
fn pretended_filter_never_execs() {
    isolated(|| {
        if can_filter() && Deny::new().errno(libc::SYS_seccomp, 0).installed() {
            let failure = failure(probe(&["true"]).no_new_privs().seccomp(filter(&[], ALLOW)));
            assert_eq!((failure.stage(), failure.errno()), (Stage::Seccomp, Errno::PERM));
        }
    });
}

/// Faults: S14
#[test]
fn pretended_ruleset_never_execs() {
    isolated(|| {
        let Some(ruleset) = can_restrict(&["/"]) else { return };
        if Deny::new().errno(libc::SYS_landlock_restrict_self, 0).installed() {
            let failure = failure(probe(&["true"]).no_new_privs().landlock(&ruleset));
            assert_eq!((failure.stage(), failure.errno()), (Stage::Landlock, Errno::PERM));
        }
    });
}
