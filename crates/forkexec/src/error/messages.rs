//! One example of each message, with its text and what to do about it.
//!
//! `ci/errors-page` writes `docs/errors.md` from these lists. A list matches all variants of its type, so that a new variant
//! without an example does not compile.

use super::{
    ActivationError, Cause, Error, ExecError, InputError, Operand, PathRole, SignalUse, SpawnError, failed,
};
use forkexec_core::{Errno, FallbackReason, Stage};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;
use std::{env, fs};

/// An example of a message.
struct Example {
    /// The type and the name of the variant.
    variant: &'static str,
    error: Error,
    /// The expected text. `{}` stands for the text of the error number.
    text: &'static str,
    /// The advice for the user.
    advice: &'static str,
}

/// Makes the examples of one type. `$error` makes an error of a value of that type.
macro_rules! examples {
    ($type:ident $(| $rest:tt)?, $error:expr; $($variant:ident: $value:expr, $text:literal, $advice:literal;)*) => {{
        fn variant(value: &$type) -> &'static str {
            match value { $($type::$variant { .. } => stringify!($variant),)* $($rest => "")? }
        }
        vec![$({
            let value: $type = $value;
            assert_eq!(variant(&value), stringify!($variant));
            let variant = concat!(stringify!($type), "::", stringify!($variant));
            Example { variant, error: $error(value).into(), text: $text, advice: $advice }
        },)*]
    }};
}

/// Makes the examples of the stages. `Stage` belongs to `core`, where it is non-exhaustive, so the length of the array stands
/// for the exhaustive match.
macro_rules! stage_examples {
    ($($stage:ident($operand:expr, $errno:expr): $text:literal, $advice:literal;)*) => {
        [$(Example {
            variant: concat!("Stage::", stringify!($stage)),
            error: call(Stage::$stage, $operand, $errno, None).into(),
            text: $text,
            advice: $advice,
        },)*]
    };
}

fn call(stage: Stage, operand: Operand, errno: Errno, cause: Option<Cause>) -> SpawnError {
    SpawnError::new(stage, operand, errno, cause)
}

fn script() -> Operand {
    Operand::Path("./script".into())
}

fn errors() -> Vec<Example> {
    let perm = || io::Error::from_raw_os_error(libc::EPERM);
    examples! { Error, |error: Error| error;
        Input: InputError::NiceOutOfRange { nice: 20 }.into(),
            "cannot set the nice value (20): the range is -20 to 19",
            "Correct the command: see [`InputError`](#inputerror).";
        Unsupported: Error::Unsupported { operation: "set the parent-death signal", system: "OpenBSD" },
            "cannot set the parent-death signal: OpenBSD does not support it",
            "Do not ask for the operation on this system. `forkexec::supports` tells which operations it has.";
        ForkRequired: Error::ForkRequired { reason: FallbackReason::Closure },
            "cannot start the child without fork: a pre-exec closure may change the shared memory",
            "Allow fork (`SpawnPolicy::Auto`), or remove the reason: see [`FallbackReason`](#fallbackreason).";
        Spawn: call(Stage::Exec, script(), Errno::TXTBSY, None).into(),
            "cannot execute \"./script\": {}",
            "See the [stage](#stage), the [operand](#operand) and the [cause](#cause).";
        Died: Error::Died { stage: Stage::PreExec, status: Some(ExitStatus::from_raw(9)) },
            "cannot start the child: it ended before exec, at stage pre-exec (signal: 9 (SIGKILL))",
            "Find what ended the child: its own closure, a seccomp filter, or the out-of-memory killer.";
        StatusLost: Error::StatusLost { pid: 4711 },
            "cannot get the status of child 4711: other code reaped it, or SIGCHLD is ignored",
            "Do not ignore `SIGCHLD`, and do not wait for any child (`waitpid(-1)`) in other code.";
        Activation: ActivationError::TakenBefore.into(),
            "cannot take the passed sockets: an earlier call took them",
            "See [`ActivationError`](#activationerror).";
        Notify: Error::Notify { what: "send the notification", error: io::Error::from_raw_os_error(libc::ECONNREFUSED) },
            "cannot send the notification: {}",
            "See the error number. `ECONNREFUSED` means that the supervisor closed its socket.";
        InPipeline: Error::InPipeline {
                index: 1,
                program: "prog".into(),
                error: Box::new(call(Stage::Exec, Operand::Path("prog".into()), Errno::NOENT, None).into()),
            },
            "cannot start command 2 of the pipeline (\"prog\"): cannot execute \"prog\": {}",
            "Correct that command, as its error says.";
        Terminal: Error::Terminal {
                what: "open a pseudo-terminal",
                error: io::Error::from_raw_os_error(libc::ENOSPC),
            },
            "cannot open a pseudo-terminal: {}",
            "See the error number. With `ENOSPC`, the system has as many as it allows (`/proc/sys/kernel/pty/max` on Linux). With \
             `ENOENT`, `/dev/ptmx` or `/dev/pts` is missing, as in some containers.";
        Child: Error::Child { what: "signal the child", error: perm() },
            "cannot signal the child: {}",
            "See the error number. A signal fails with `EPERM` if the child changed its user.";
    }
}

fn fallbacks() -> Vec<Example> {
    let refused = || FallbackReason::Refused(Errno::PERM);
    // The enum belongs to `core`, where it is non-exhaustive. `ci/errors-page` compares its variants with these.
    examples! { FallbackReason | _, |reason: FallbackReason| Error::ForkRequired { reason };
        NoSuchMethod: FallbackReason::NoSuchMethod,
            "cannot start the child without fork: the system has no other method",
            "Allow fork (`SpawnPolicy::Auto`).";
        Closure: FallbackReason::Closure,
            "cannot start the child without fork: a pre-exec closure may change the shared memory",
            "Replace the closure by methods of `Command`, or allow fork.";
        NotShared: FallbackReason::NotShared,
            "cannot start the child without fork: the child does not share memory, as under an emulator",
            "Allow fork under QEMU's user emulation and Valgrind.";
        Sanitizer: FallbackReason::Sanitizer,
            "cannot start the child without fork: the program contains a sanitizer, which a child with shared memory \
             would mislead",
            "Allow fork in programs that are built with a sanitizer.";
        MemoryLimit: FallbackReason::MemoryLimit,
            "cannot start the child without fork: a limit of the stack would change the shared memory",
            "Remove the limit, or allow fork.";
        Busy: FallbackReason::Busy,
            "cannot start the child without fork: another thread is changing the attributes of the shared memory",
            "Try again, or allow fork.";
        Refused: refused(),
            "cannot start the child without fork: {}",
            "Allow the call in the seccomp filter, or allow fork. `forkexec doctor` shows what is refused.";
        Inexpressible: FallbackReason::Inexpressible(Stage::Uid),
            "cannot start the child without fork: posix_spawn(2) cannot set the user id with these settings",
            "Remove the setting, or allow fork. macOS has no other call that starts a child without copying memory.";
    }
}

#[expect(clippy::too_many_lines, reason = "one entry for each variant")]
fn inputs() -> Vec<Example> {
    examples! { InputError, |error: InputError| error;
        EmptyProgram: InputError::EmptyProgram,
            "cannot execute the program: its name is empty",
            "Give the name or the path of a program.";
        NulInProgram: InputError::NulInProgram { program: "a\0b".into(), position: 1 },
            "cannot execute \"a\\0b\": the name contains a NUL byte at position 1",
            "Remove the byte: the kernel takes names as C strings.";
        NulInArgument: InputError::NulInArgument { index: 2, argument: "b\0".into(), position: 1 },
            "cannot pass argument 2 (\"b\\0\"): it contains a NUL byte at position 1",
            "Remove the byte: a program gets its arguments as C strings.";
        EmptyEnvName: InputError::EmptyEnvName,
            "cannot set or remove an environment variable: its name is empty",
            "Give the name of the variable.";
        EqualsInEnvName: InputError::EqualsInEnvName { name: "A=B".into() },
            "cannot set or remove the environment variable \"A=B\": its name contains an equals sign",
            "Remove the equals sign: the program would see another name.";
        NulInEnv: InputError::NulInEnv { name: "A".into() },
            "cannot set or remove the environment variable \"A\": it contains a NUL byte",
            "Remove the byte from the name or the value.";
        NotWithExec: InputError::NotWithExec { setting: "a pipe" },
            "cannot replace the calling process with a pipe set: no parent remains to use it",
            "Spawn a child instead, or leave out the setting.";
        NulInSearchPath: InputError::NulInSearchPath { list: "/bin:/a\0b".into() },
            "cannot search \"/bin:/a\\0b\" for the program: the list contains a NUL byte",
            "Correct the search path, or `PATH` if it is the list.";
        EmptyPath: InputError::EmptyPath { what: PathRole::WorkingDirectory },
            "cannot enter the working directory: its path is empty",
            "Give a path. `.` is the current directory.";
        NulInPath: InputError::NulInPath { what: PathRole::RootDirectory, path: "a\0b".into() },
            "cannot enter the root directory \"a\\0b\": the path contains a NUL byte",
            "Remove the byte.";
        TargetOutOfRange: InputError::TargetOutOfRange { target: 2048, highest: 1023 },
            "cannot map a descriptor to fd 2048: the descriptor limit allows 0 to 1023",
            "Choose a number in the range, or raise the limit (`RLIMIT_NOFILE`) of this process.";
        ClaimedTwice: InputError::ClaimedTwice { target: 7 },
            "cannot pass fd 7 to the child: it is claimed twice",
            "Keep or map each number once. A stream that is set claims 0, 1 or 2.";
        NotOpen: InputError::NotOpen { fd: 9 },
            "cannot use fd 9: it is not open",
            "Open the descriptor before the start, and keep it open.";
        IdOutOfRange: InputError::IdOutOfRange { what: "user", id: u32::MAX },
            "cannot set the user id (4294967295): to the kernel this number means \"leave unchanged\"",
            "Correct the id. It is often -1 from a failed lookup.";
        UserWithoutGroup: InputError::UserWithoutGroup { uid: 1000 },
            "cannot set the user id (1000): the child would keep the parent's group; call gid or keep_groups",
            "Set the group with `gid`, or call `keep_groups` if the child should keep it.";
        TooManyGroups: InputError::TooManyGroups { count: 65_537, limit: 65_536 },
            "cannot set 65537 supplementary groups: the system allows 65536",
            "Pass fewer groups.";
        NegativeProcessGroup: InputError::NegativeProcessGroup { group: -5 },
            "cannot join the process group (-5): the number is negative",
            "Pass the number of a process group, or 0 for a new one.";
        SessionInOtherGroup: InputError::SessionInOtherGroup { group: 7 },
            "cannot join the process group (7): the leader of a new session cannot leave its own group",
            "Ask for a new session or for the process group, not for both.";
        TreeInOtherGroup: InputError::TreeInOtherGroup { group: 7 },
            "cannot join the process group (7): the containment needs a process group of the child's own",
            "Choose another `Containment`, or do not join a process group.";
        TerminalWithoutSession: InputError::TerminalWithoutSession,
            "cannot set the controlling terminal: only the leader of a new session can; call setsid",
            "Call `setsid` as well.";
        UmaskOutOfRange: InputError::UmaskOutOfRange { mask: 0o1000 },
            "cannot set the umask (0o1000): the maximum is 0o777",
            "Pass the nine permission bits alone.";
        SoftAboveHard: InputError::SoftAboveHard { name: "nofile".to_owned(), soft: 20, hard: 10 },
            "cannot set the resource limit (nofile=20:10): the soft limit is above the hard limit",
            "Lower the soft limit, or raise the hard limit.";
        NiceOutOfRange: InputError::NiceOutOfRange { nice: 20 },
            "cannot set the nice value (20): the range is -20 to 19",
            "Choose a value in the range.";
        NoSuchUser: InputError::NoSuchUser { name: "www".to_owned() },
            "cannot look up the user \"www\": it does not exist",
            "Create the user, or correct the name.";
        MapWithoutUserNamespace: InputError::MapWithoutUserNamespace,
            "cannot map the ids of the user namespace: the child gets no new one; call unshare",
            "Call `unshare` with `Namespace::User`.";
        ClockWithoutTimeNamespace: InputError::ClockWithoutTimeNamespace,
            "cannot set the clock offsets: the child gets no new time namespace; call unshare",
            "Call `unshare` with `Namespace::Time`.";
        PidNamespaceNeedsClone: InputError::PidNamespaceNeedsClone,
            "cannot enter the namespaces (pid): only a start without fork creates a child in a new pid namespace",
            "Do without closures and `SpawnPolicy::Fork`, or without the pid namespace.";
        DieWithParentInPidNamespace: InputError::DieWithParentInPidNamespace { fd: 7 },
            "cannot enter the namespaces (fd 7): a child with a parent-death signal cannot join a pid namespace",
            "Do without `die_with_parent`, or without the pid namespace.";
        UnveilWithoutPledge: InputError::UnveilWithoutPledge,
            "cannot unveil the path: exec drops the list unless the program has promises; call pledge",
            "Call `pledge` with all that the program needs.";
        BadUnveilPermissions: InputError::BadUnveilPermissions { permissions: "ra".to_owned() },
            "cannot unveil the path: the permissions \"ra\" have another letter than r, w, x and c",
            "Pass letters of `rwxc`, or none to hide the path.";
        BadPromises: InputError::BadPromises { promises: "stdio,rpath".to_owned() },
            "cannot set the promises (\"stdio,rpath\"): they are words with spaces between them",
            "Separate the promises by spaces.";
        AutogroupWithoutSession: InputError::AutogroupWithoutSession,
            "cannot set the nice value of the autogroup: the child creates no session; call setsid",
            "Call `setsid`, so that the child has an autogroup of its own.";
        NoProcessor: InputError::NoProcessor,
            "cannot set the CPU affinity: the set of processors is empty",
            "Name at least one processor.";
        AttributeOutOfRange: InputError::AttributeOutOfRange { stage: Stage::OomScore, value: 2000, lowest: -1000, highest: 1000 },
            "cannot set the OOM score adjustment (2000): the range is -1000 to 1000",
            "Choose a value in the range.";
        FilterLength: InputError::FilterLength { length: 7 },
            "cannot install the seccomp filter: 7 bytes are not a multiple of 8",
            "Pass the whole array of `struct sock_filter`.";
        ClosureNeedsFork: InputError::ClosureNeedsFork,
            "cannot run the pre-exec closure: it needs fork, and the spawn policy excludes fork",
            "Replace the closure by methods of `Command`, or set another `SpawnPolicy`.";
        WatchdogTooShort: InputError::WatchdogTooShort { interval: Duration::ZERO },
            "cannot set the watchdog interval (0ns): the minimum is 1 microsecond",
            "Pass a longer interval.";
        BadSocketName: InputError::BadSocketName { name: "a:b".to_owned() },
            "cannot name the socket \"a:b\": a name is printable ASCII without a colon, at most 255 bytes",
            "Choose another name.";
        StreamInPipeline: InputError::StreamInPipeline { stream: "input" },
            "cannot set standard input: the pipeline connects it to the adjacent command",
            "Set only the input of the first command and the output of the last one.";
        BadSignal: InputError::BadSignal { signal: 9, verb: SignalUse::Blocked },
            "cannot block signal 9: it is not a signal that a process can block",
            "Choose another signal. `SIGKILL`, `SIGSTOP` and those of the C library cannot be changed.";
    }
}

fn activations() -> Vec<Example> {
    examples! { ActivationError, |error: ActivationError| error;
        Variable: ActivationError::Variable { name: "LISTEN_FDS", value: "two".into() },
            "cannot use LISTEN_FDS: its value \"two\" is invalid",
            "Correct the program that starts this one: see sd_listen_fds(3), sd_notify(3), or the manual of make.";
        Names: ActivationError::Names { count: 2, names: 1 },
            "cannot use LISTEN_FDNAMES: the number of names is 1, and LISTEN_FDS is 2",
            "Correct the program that starts this one: it sets one name for each descriptor, or none.";
        NotOpen: ActivationError::NotOpen { fd: 3 },
            "cannot take the passed socket (fd 3): it is not open",
            "Do not close the descriptor before the call.";
        Taken: ActivationError::Taken { fd: 3 },
            "cannot take the passed socket (fd 3): it is close-on-exec, so it was already taken or is another file",
            "Call `listen_fds` before anything else opens or takes descriptors.";
        JobserverClosed: ActivationError::JobserverClosed { fd: 3 },
            "cannot use make's jobserver (fd 3): it is not open; begin the rule with + or call $(MAKE)",
            "Begin the rule with `+`, so that make shares its jobs, or do without the jobserver.";
        NotJobserver: ActivationError::NotJobserver { fd: 3 },
            "cannot use make's jobserver (fd 3): it is not an inherited end of a pipe",
            "Call `Jobserver::from_env` before anything else opens descriptors.";
        TakenBefore: ActivationError::TakenBefore,
            "cannot take the passed sockets: an earlier call took them",
            "Call `listen_fds` once, and pass its result on.";
    }
}

fn operands() -> Vec<Example> {
    examples! { Operand, |operand: Operand| match operand {
            Operand::Setup(step) => failed(step, &io::Error::from_raw_os_error(libc::EMFILE)),
            operand => call(stage_with(&operand), operand, Errno::PERM, None),
        };
        None: Operand::None, "cannot create a session: {}", "See the [stage](#stage).";
        Setup: Operand::Setup("open /dev/null"), "cannot open /dev/null: {}", "See the stage `setup`.";
        Path: Operand::Path("/srv/new".into()), "cannot enter the root directory \"/srv/new\": {}", "Check the path.";
        Fd: Operand::Fd(7), "cannot set the controlling terminal (fd 7): {}", "Check what the descriptor refers to.";
        Number: Operand::Number(1000), "cannot set the user id (1000): {}", "Check the number.";
        Value: Operand::Value("0-3".to_owned()), "cannot set the CPU affinity (0-3): {}", "Check the value.";
        Groups: Operand::Groups(vec![7, 8]), "cannot set the supplementary groups (7, 8): {}", "Check the groups.";
        Limit: Operand::Limit { name: "core".to_owned(), soft: 0, hard: u64::MAX },
            "cannot set the resource limit (core=0:unlimited): {}", "Check the limits.";
    }
}

/// A stage whose operand can be this one.
fn stage_with(operand: &Operand) -> Stage {
    match operand {
        Operand::None => Stage::Session,
        Operand::Setup(_) => Stage::Setup,
        Operand::Path(_) => Stage::Chroot,
        Operand::Fd(_) => Stage::Terminal,
        Operand::Number(_) => Stage::Uid,
        Operand::Value(_) => Stage::CpuAffinity,
        Operand::Groups(_) => Stage::Groups,
        Operand::Limit { .. } => Stage::Limits,
    }
}

#[expect(clippy::too_many_lines, reason = "one entry for each stage")]
fn stages() -> Vec<Example> {
    let path = |path: &str| Operand::Path(path.into());
    let value = |value: &str| Operand::Value(value.to_owned());
    let limit = || Operand::Limit { name: "core".to_owned(), soft: 0, hard: u64::MAX };
    let examples: [Example; Stage::COUNT] = stage_examples! {
        Setup(Operand::Setup("create the pipe for standard input"), Errno::MFILE):
            "cannot create the pipe for standard input: {}",
            "Close descriptors, or raise the limit of open files.";
        Start(Operand::None, Errno::AGAIN): "cannot create the child process: {}",
            "Raise the process limits (`RLIMIT_NPROC`, `pids.max`), free memory, or allow the call in the seccomp filter.";
        UnshareFiles(Operand::None, Errno::NOMEM): "cannot unshare the descriptor table: {}",
            "Free kernel memory, or allow unshare(2) in the seccomp filter.";
        TakeFds(Operand::Fd(900), Errno::PERM): "cannot take the descriptor from the parent (fd 900): {}",
            "Only a child that is killed in this stage reports it. After any error, another child copies the descriptor table.";
        KeepFds(Operand::Fd(3), Errno::BADF): "cannot make the kept descriptor inheritable (fd 3): {}",
            "Do not close a kept descriptor while the child starts.";
        DupFds(Operand::Fd(3), Errno::MFILE): "cannot place the descriptor (fd 3): {}",
            "Raise the limit of open files: the child may need one spare number.";
        Cgroup(path("/sys/fs/cgroup/job"), Errno::ACCES): "cannot enter the cgroup \"/sys/fs/cgroup/job\": {}",
            "Create the cgroup, and permit this user to write to its `cgroup.procs`.";
        Namespaces(value("user,net"), Errno::PERM): "cannot enter the namespaces (user,net): {}",
            "Start the child as root, add `Namespace::User`, or permit that to users (`kernel.unprivileged_userns_clone`, AppArmor).";
        IdMaps(Operand::None, Errno::PERM): "cannot map the ids of the user namespace: {}",
            "Mount `/proc`, and do not change the user namespace of the parent meanwhile.";
        ClockOffsets(value("monotonic -86400"), Errno::from_raw(libc::ERANGE)): "cannot set the clock offsets (monotonic -86400): {}",
            "Choose offsets with which no clock is below zero. `EPERM` without `CAP_SYS_TIME` in the user namespace of the child.";
        Jail(Operand::Number(7), Errno::INVAL): "cannot enter the jail (7): {}",
            "Name a running jail by its id, as jls(8) lists it. `EPERM` without privilege, or if the parent has open directories.";
        Chroot(path("/srv/root"), Errno::PERM): "cannot enter the root directory \"/srv/root\": {}",
            "Start the child as root or with `CAP_SYS_CHROOT`, and check that the directory exists.";
        EarlyChdir(Operand::Fd(7), Errno::NOTDIR): "cannot enter the open working directory (fd 7): {}",
            "Pass an open directory that the parent may search.";
        Umask(Operand::None, Errno::NOSYS): "cannot set the umask: {}",
            "Allow umask(2) in the seccomp filter.";
        Signals(Operand::Number(10), Errno::INVAL): "cannot set the disposition of the signal (10): {}",
            "Allow sigaction(2) in the seccomp filter.";
        Session(Operand::None, Errno::PERM): "cannot create a session: {}",
            "Allow setsid(2) in the seccomp filter.";
        ProcessGroup(Operand::Number(4711), Errno::PERM): "cannot join the process group (4711): {}",
            "Join a group of the same session while one of its processes runs, or 0 for a new group.";
        Terminal(Operand::Fd(7), Errno::NOTTY): "cannot set the controlling terminal (fd 7): {}",
            "Pass a terminal that no other session controls.";
        Foreground(Operand::Fd(7), Errno::NOTTY):
            "cannot make the process group the foreground group of the terminal (fd 7): {}",
            "Pass the controlling terminal of the child's session.";
        Limits(limit(), Errno::PERM): "cannot set the resource limit (core=0:unlimited): {}",
            "Do not raise a hard limit without `CAP_SYS_RESOURCE`.";
        Nice(Operand::Number(-5), Errno::ACCES): "cannot set the nice value (-5): {}",
            "Do not lower the nice value without `CAP_SYS_NICE` or `RLIMIT_NICE`.";
        Autogroup(Operand::Number(-5), Errno::PERM): "cannot set the nice value of the autogroup (-5): {}",
            "Do not lower the value without `CAP_SYS_NICE` or `RLIMIT_NICE`. `ENOENT` if the kernel has no autogroups.";
        CpuAffinity(value("0-3"), Errno::INVAL): "cannot set the CPU affinity (0-3): {}",
            "Name processors that exist, are online and are in the cpuset of the parent.";
        Scheduler(value("fifo:10"), Errno::PERM): "cannot set the scheduling policy (fifo:10): {}",
            "Start the child with `CAP_SYS_NICE`, or within its `RLIMIT_RTPRIO`.";
        IoPriority(value("realtime:4"), Errno::PERM): "cannot set the I/O priority (realtime:4): {}",
            "Start the child with `CAP_SYS_NICE`, or choose another class.";
        MemoryPolicy(value("bind:0-1"), Errno::INVAL): "cannot set the memory policy (bind:0-1): {}",
            "Name nodes that exist, have memory and are in the cpuset of the parent.";
        TimerSlack(value("1ms"), Errno::INVAL): "cannot set the timer slack (1ms): {}",
            "Allow prctl(2) in the seccomp filter.";
        OomScore(Operand::Number(-500), Errno::ACCES): "cannot set the OOM score adjustment (-500): {}",
            "Do not lower the score without `CAP_SYS_RESOURCE`, and mount `/proc`.";
        FixedAddresses(Operand::None, Errno::PERM): "cannot disable address space randomization: {}",
            "Allow personality(2) in the seccomp filter.";
        BoundingSet(value("none"), Errno::PERM): "cannot reduce the capability bounding set (none): {}",
            "Start the child with `CAP_SETPCAP`.";
        SecureBits(value("0x1"), Errno::PERM): "cannot set the securebits (0x1): {}",
            "Start the child with `CAP_SETPCAP`, and do not change a locked bit.";
        Groups(Operand::Groups(vec![7, 8]), Errno::PERM): "cannot set the supplementary groups (7, 8): {}",
            "Start the child as root or with `CAP_SETGID`.";
        Gid(Operand::Number(1000), Errno::PERM): "cannot set the group id (1000): {}",
            "Start the child as root or with `CAP_SETGID`.";
        Uid(Operand::Number(1000), Errno::PERM): "cannot set the user id (1000): {}",
            "Start the child as root or with `CAP_SETUID`.";
        Capabilities(value("net_bind_service"), Errno::PERM): "cannot set the capabilities (net_bind_service): {}",
            "Name only capabilities that the parent has (`CapPrm` in `/proc/self/status`).";
        SessionKeyring(Operand::None, Errno::NOSYS): "cannot create a session keyring: {}",
            "Allow keyctl(2) in the seccomp filter.";
        Chdir(path("/srv/missing"), Errno::NOENT): "cannot enter the working directory \"/srv/missing\": {}",
            "Create the directory, and permit the child's user to search it. A new root applies to the path.";
        NoNewPrivs(Operand::None, Errno::INVAL): "cannot set no_new_privs: {}",
            "Use a kernel that has the flag (Linux 3.5, FreeBSD 14).";
        DieWithParent(Operand::Number(15), Errno::INVAL): "cannot set the parent-death signal (15): {}",
            "Allow prctl(2) in the seccomp filter.";
        Mask(Operand::None, Errno::INVAL): "cannot set the signal mask: {}",
            "Allow sigprocmask(2) in the seccomp filter.";
        PreExec(Operand::None, Errno::PERM): "cannot run the pre-exec closure: {}",
            "Correct the closure: the error number is the one that it returned.";
        Close(Operand::None, Errno::MFILE): "cannot close the other descriptors: {}",
            "Lower the descriptor limit, or mount `/proc`. `forkexec doctor` shows what the child can use.";
        Unveil(path("/srv/www"), Errno::NOENT): "cannot unveil the path \"/srv/www\": {}",
            "Create the directory of the path, and unveil it as the child sees it. `EPERM` if the parent has locked its own list.";
        Pledge(value("stdio rpaht"), Errno::INVAL): "cannot set the promises (stdio rpaht): {}",
            "Name promises of pledge(2). `EPERM` if the parent may not pass them on.";
        Landlock(Operand::Fd(7), Errno::PERM): "cannot enforce the Landlock ruleset (fd 7): {}",
            "Call `no_new_privs` as well, and pass a descriptor of landlock_create_ruleset(2).";
        Seccomp(Operand::None, Errno::ACCES): "cannot install the seccomp filter: {}",
            "Call `no_new_privs` as well, or start the child with `CAP_SYS_ADMIN`.";
        Suspend(Operand::None, Errno::PERM): "cannot suspend the program at its start: {}",
            "Allow ptrace(2) in the seccomp filter and in Yama (`kernel.yama.ptrace_scope`), and do not trace the parent.";
        Exec(path("./script"), Errno::TXTBSY): "cannot execute \"./script\": {}",
            "See the [cause](#cause).";
    };
    examples.into()
}

#[expect(clippy::too_many_lines, reason = "one entry for each variant")]
fn causes() -> Vec<Example> {
    examples! { Cause, |cause: Cause| {
            let (stage, operand, errno) = failure_with(&cause);
            call(stage, operand, errno, Some(cause))
        };
        ProgramMissing: Cause::ProgramMissing { searched: Some("/usr/bin:/bin".into()), from: None },
            "cannot execute \"./script\": {}, because the program does not exist in \"/usr/bin:/bin\"",
            "Install the program, or correct the name, `PATH` or the working directory.";
        PartMissing: Cause::PartMissing,
            "cannot execute \"./script\": {}, because the program exists, but its interpreter or loader may be missing",
            "Check the first line of the script, or the loader of the program (`readelf -l`).";
        InterpreterMissing: Cause::InterpreterMissing("/bin/bsah".into()),
            "cannot execute \"./script\": {}, because the script's interpreter \"/bin/bsah\" does not exist",
            "Install the interpreter, or correct the first line of the script.";
        LoaderMissing: Cause::LoaderMissing("/lib/ld.so".into()),
            "cannot execute \"./script\": {}, because the program's loader \"/lib/ld.so\" does not exist",
            "Install the C library that the program was built for, or copy it below the new root.";
        InterpreterNotExecutable: Cause::InterpreterNotExecutable("/etc".into()),
            "cannot execute \"./script\": {}, because the script's interpreter \"/etc\" is not executable",
            "Correct the first line of the script, or the permissions of the interpreter.";
        IsDirectory: Cause::IsDirectory,
            "cannot execute \"./script\": {}, because it is a directory",
            "Give the path of a program.";
        NotRegular: Cause::NotRegular,
            "cannot execute \"./script\": {}, because it is not a regular file",
            "Give the path of a program.";
        NotExecutable: Cause::NotExecutable,
            "cannot execute \"./script\": {}, because it has no execute permission; set it with chmod +x",
            "Set the permission with `chmod +x`.";
        SearchDenied: Cause::SearchDenied { directory: "/srv".into(), mode: 0o700, user: 1000 },
            "cannot execute \"./script\": {}, because directory \"/srv\" (mode 0700) appears to deny search permission to \
             user 1000",
            "Permit the user to search the directory, or choose another directory.";
        ExecuteDenied: Cause::ExecuteDenied { file: "/srv/prog".into(), mode: 0o744, user: 1000 },
            "cannot execute \"./script\": {}, because file \"/srv/prog\" (mode 0744) appears to deny execute permission to \
             user 1000",
            "Permit the user to execute the file.";
        MountedNoexec: Cause::MountedNoexec,
            "cannot execute \"./script\": {}, because its file system is mounted noexec",
            "Copy the program to another file system, or mount this one without `noexec`.";
        ForeignInterpreter: Cause::ForeignInterpreter("/bin/arm-sh".into()),
            "cannot execute \"./script\": {}, because the script's interpreter \"/bin/arm-sh\" is neither a program for this \
             machine nor a script",
            "Install the interpreter for this machine, or correct the first line of the script.";
        EmptyFile: Cause::EmptyFile,
            "cannot execute \"./script\": {}, because the file is empty",
            "Write or copy the program again.";
        NoInterpreterLine: Cause::NoInterpreterLine,
            "cannot execute \"./script\": {}, because it is neither a program nor a script; a script starts with a line such \
             as #!/bin/sh",
            "Add a `#!` line, or call `enoexec_fallback` to run such a file by `/bin/sh`.";
        BadInterpreterLine: Cause::BadInterpreterLine,
            "cannot execute \"./script\": {}, because its #! line names no interpreter or is too long",
            "Name an interpreter by a shorter path.";
        ForeignProgram: Cause::ForeignProgram,
            "cannot execute \"./script\": {}, because it is a program for another machine",
            "Install the program for this machine.";
        CutOff: Cause::CutOff,
            "cannot execute \"./script\": {}, because it ends within its ELF header",
            "Copy the program again.";
        ScriptNotKept: Cause::ScriptNotKept,
            "cannot execute \"./script\": {}, because it is a script, and exec closes the descriptor that its interpreter needs; \
             keep it",
            "Call `keep_fd` with the same descriptor.";
        NestedInterpreters: Cause::NestedInterpreters,
            "cannot execute \"./script\": {}, because too many scripts name each other as interpreters",
            "Name a program as the interpreter, not a script.";
        ProcessLimit: Cause::ProcessLimit,
            "cannot execute \"./script\": {}, because the user has reached the process limit (RLIMIT_NPROC)",
            "End processes of that user, or raise the limit.";
        ArgumentTooLong: Cause::ArgumentTooLong { index: 2, length: 140_000, limit: 131_071 },
            "cannot execute \"./script\": {}, because argument 2 has 140000 bytes, and the limit for one string is 131071",
            "Pass long data by a file or a pipe.";
        VariableTooLong: Cause::VariableTooLong { name: "V".into(), length: 140_000, limit: 131_071 },
            "cannot execute \"./script\": {}, because the environment variable \"V\" has 140000 bytes, and the limit for one \
             string is 131071",
            "Pass long data by a file or a pipe.";
        TooLarge: Cause::TooLarge { total: 3_000_000, longest: 9, limit: Some(2_097_152) },
            "cannot execute \"./script\": {}, because the arguments and the environment have 3000000 bytes, and the limit is \
             2097152",
            "Pass fewer arguments at a time, or raise the child's stack limit.";
        TerminalOfSession: Cause::TerminalOfSession(4711),
            "cannot set the controlling terminal (fd 7): {}, because it is the controlling terminal of session 4711",
            "Use another terminal, or end that session.";
        NotCgroup: Cause::NotCgroup,
            "cannot enter the cgroup \"/sys/fs/cgroup/job\": {}, because it is not a cgroup of version 2",
            "Give a directory below the mount point of version 2.";
        CgroupInner: Cause::CgroupInner { controllers: "cpu memory".to_owned() },
            "cannot enter the cgroup \"/sys/fs/cgroup/job\": {}, because it enables \"cpu memory\" for its child groups and \
             cannot contain processes; use a child group",
            "Use a child group, or disable the controllers in `cgroup.subtree_control`.";
        CgroupType: Cause::CgroupType { kind: "domain invalid".to_owned() },
            "cannot enter the cgroup \"/sys/fs/cgroup/job\": {}, because its type is \"domain invalid\", below a threaded \
             group; write \"threaded\" to its cgroup.type first",
            "Write `threaded` to its `cgroup.type`, or use a group that is not below a threaded one.";
        NoErrno: Cause::NoErrno,
            "cannot run the pre-exec closure: {}, because its error has no error number",
            "Return `io::Error::from_raw_os_error` or `io::Error::last_os_error` from the closure.";
        Panicked: Cause::Panicked,
            "cannot run the pre-exec closure: {}, because it panicked",
            "Correct the closure. Its panic message stays in the child.";
        ChannelReplaced: Cause::ChannelReplaced,
            "cannot run the pre-exec closure: {}, because it closed or replaced the descriptor of the report channel",
            "Close and replace only descriptors that the closure opened.";
        StageUnknown: Cause::StageUnknown,
            "cannot create the child process: {}, because a stage of the start failed, and posix_spawn(2) does not tell which",
            "Allow fork (`SpawnPolicy::Auto`): a forked child reports the stage.";
    }
}

/// A failure that can have this cause.
fn failure_with(cause: &Cause) -> (Stage, Operand, Errno) {
    let exec = |errno| (Stage::Exec, script(), errno);
    let cgroup = |errno| (Stage::Cgroup, Operand::Path("/sys/fs/cgroup/job".into()), Errno::from_raw(errno));
    let hook = |errno| (Stage::PreExec, Operand::None, errno);
    match cause {
        Cause::ProgramMissing { .. }
        | Cause::PartMissing
        | Cause::ScriptNotKept
        | Cause::InterpreterMissing(_)
        | Cause::LoaderMissing(_) => exec(Errno::NOENT),
        Cause::InterpreterNotExecutable(_)
        | Cause::IsDirectory
        | Cause::NotRegular
        | Cause::NotExecutable
        | Cause::SearchDenied { .. }
        | Cause::ExecuteDenied { .. }
        | Cause::MountedNoexec => exec(Errno::ACCES),
        Cause::ForeignInterpreter(_)
        | Cause::EmptyFile
        | Cause::NoInterpreterLine
        | Cause::BadInterpreterLine
        | Cause::ForeignProgram
        | Cause::CutOff => exec(Errno::NOEXEC),
        Cause::NestedInterpreters => exec(Errno::LOOP),
        Cause::ProcessLimit => exec(Errno::AGAIN),
        Cause::ArgumentTooLong { .. } | Cause::VariableTooLong { .. } | Cause::TooLarge { .. } => {
            exec(Errno::TOOBIG)
        }
        Cause::TerminalOfSession(_) => (Stage::Terminal, Operand::Fd(7), Errno::PERM),
        Cause::NotCgroup => cgroup(libc::ENOENT),
        Cause::CgroupInner { .. } => cgroup(libc::EBUSY),
        Cause::CgroupType { .. } => cgroup(libc::EOPNOTSUPP),
        Cause::NoErrno => hook(Errno::INVAL),
        Cause::Panicked => hook(Errno::CANCELED),
        Cause::ChannelReplaced => hook(Errno::BADF),
        Cause::StageUnknown => (Stage::Start, Operand::None, Errno::PERM),
    }
}

fn all() -> impl Iterator<Item = Example> {
    let lists = [errors(), inputs(), stages(), operands(), causes(), fallbacks(), activations()];
    lists.into_iter().flatten()
}

fn words(error: &Error) -> String {
    let errno = error.raw_os_error().map(io::Error::from_raw_os_error);
    errno.map(|error| error.to_string()).unwrap_or_default()
}

/// With `FORKEXEC_ERRORS` it also writes the examples to the file of that name, for `ci/errors-page`.
///
/// Faults: E20
#[test]
fn each_message_has_its_text() {
    for Example { variant, error, text, .. } in all() {
        assert_eq!(error.to_string(), text.replace("{}", &words(&error)), "{variant}");
    }
    let line = |example: Example| format!("{}\t{}\t{}\n", example.variant, example.error, example.advice);
    if let Some(path) = env::var_os("FORKEXEC_ERRORS") {
        fs::write(path, all().map(line).collect::<String>()).expect("the file is writable");
    }
}

/// The form is `cannot VERB OPERAND: CAUSE`, in lower case and without a full stop.
#[test]
fn each_message_has_the_same_form() {
    for Example { variant, error, .. } in all() {
        let text = error.to_string();
        let (action, cause) = text.split_once(": ").unwrap_or_default();
        let verb = action.strip_prefix("cannot ").unwrap_or_default();
        assert!(verb.starts_with(|first: char| first.is_ascii_lowercase()), "{variant}: {text}");
        assert!(!cause.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{variant}: {text}");
    }
}

#[test]
fn exec_error_names_what_it_changed() {
    let error = || InputError::NiceOutOfRange { nice: 20 }.into();
    let text = "cannot set the nice value (20): the range is -20 to 19";
    assert_eq!(ExecError { error: error(), changed: vec![] }.to_string(), text);
    let failed = ExecError { error: error(), changed: vec![Stage::Umask, Stage::Session] };
    assert_eq!(failed.to_string(), format!("{text} (already changed in this process: umask, session)"));
}
