//! Each call except those of the launcher and the closers, refused with each errno. The child has exactly what it was
//! given, or the error has the errno. (The suite `faults` refuses the calls of the launcher and the closers.)
//!
//! Each filter is in a forked process of its own.

use std::fs::File;
use std::os::fd::OwnedFd;

use forkexec::{BorrowingCommand, Error, SpawnPolicy, Stdio};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use forkexec_tests::{android, probe, world};
use rstest::rstest;

use super::namespaces::{Namespaces, inside};
use crate::start::{high_memory_file, written};

/// Asks for an operation.
type Ask = fn(&mut BorrowingCommand<'_>);

const NOTHING: Ask = |_| ();

/// A call, whether a plain spawn works without it, and the operation that needs it.
struct Refusal {
    name: &'static str,
    call: libc::c_long,
    dispensable: bool,
    ask: Ask,
}

const fn refusal(name: &'static str, call: libc::c_long, dispensable: bool, ask: Ask) -> Refusal {
    Refusal { name, call, dispensable, ask }
}

/// The signal mask is not among them: without it, the parent could not even be restored. Nor is prctl(2), which the
/// probe needs.
const REFUSALS: [Refusal; 16] = [
    refusal("clone3", libc::SYS_clone3, true, NOTHING),
    refusal("close_range", libc::SYS_close_range, true, NOTHING),
    refusal("getdents64", libc::SYS_getdents64, true, NOTHING),
    refusal("unshare", libc::SYS_unshare, true, NOTHING),
    refusal("pidfd_open", libc::SYS_pidfd_open, true, NOTHING),
    refusal("pidfd_send_signal", libc::SYS_pidfd_send_signal, true, NOTHING),
    refusal("waitid", libc::SYS_waitid, true, NOTHING),
    refusal("ppoll", libc::SYS_ppoll, true, NOTHING),
    refusal("setpgid", libc::SYS_setpgid, true, |it| {
        it.process_group(0);
    }),
    refusal("setsid", libc::SYS_setsid, true, |it| {
        it.setsid();
    }),
    refusal("chroot", libc::SYS_chroot, true, |it| {
        it.chroot("/");
    }),
    refusal("chdir", libc::SYS_chdir, true, |it| {
        it.current_dir("/");
    }),
    refusal("setpriority", libc::SYS_setpriority, true, |it| {
        it.nice(5);
    }),
    refusal("fcntl", libc::SYS_fcntl, false, NOTHING),
    refusal("dup3", libc::SYS_dup3, false, NOTHING),
    refusal("rt_sigaction", libc::SYS_rt_sigaction, false, NOTHING),
];

/// The result of a spawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    Exactly,
    Refused,
}

/// A file, and a descriptor of it for the child.
type Output = (File, OwnedFd);

/// Made while nothing is refused.
fn output() -> Output {
    let file = high_memory_file();
    let other = file.try_clone().expect("it is open").into();
    (file, other)
}

fn start(kept: &OwnedFd, (output, to): Output, launch: SpawnPolicy, ask: Ask, errno: i32) -> Went {
    let mut command = BorrowingCommand::new(probe::path());
    command.args(["report"]).spawn_policy(launch).keep_fd(kept).stdout(Stdio::from(to));
    ask(&mut command);
    let told = |error: &Error| match error {
        Error::Spawn(error) => Some(error.errno().raw()),
        Error::Child { error, .. } => error.raw_os_error(),
        _ => None,
    };
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            assert_eq!(told(&error), Some(errno), "{error}");
            assert_eq!(output.metadata().expect("it is open").len(), 0, "no program ran");
            return Went::Refused;
        }
    };
    match child.wait() {
        Ok(status) => assert!(status.success(), "{status}"),
        // If the status cannot be read, the test reaps the child itself.
        Err(error) => {
            assert_eq!(told(&error), Some(errno), "{error}");
            assert!(world::wait_for(-1).success());
        }
    }
    assert_eq!(written(&output).fds, [0, 1, 2, 61]);
    Went::Exactly
}

/// Faults: F1, F2
#[rstest]
fn refused_call_leaves_exact_fds_or_a_clear_error(
    #[values(libc::ENOSYS, libc::EPERM, libc::EACCES, libc::EINVAL)] errno: i32,
) {
    isolated(|| {
        let null = File::open("/dev/null").expect("it is there");
        let files = [60, 61, 500].map(|number| world::place(&null, number));
        // An Android release never makes a call that its filter traps.
        let made = REFUSALS.into_iter().filter(|refusal| android::lets(refusal.call));
        for Refusal { name, call, dispensable, ask } in made {
            let mut outputs = [(); 6].map(|()| output()).into_iter();
            let mut next = || outputs.next().expect("there are enough");
            let done = inside(Namespaces::NONE, || {
                if !Deny::new().errno(call, errno).installed() {
                    return;
                }
                for launch in [SpawnPolicy::Auto, SpawnPolicy::Fork] {
                    let plain = [(); 2].map(|()| start(&files[1], next(), launch, NOTHING, errno));
                    let asking = start(&files[1], next(), launch, ask, errno);
                    println!("{name}, {errno}, {launch:?}: {plain:?}, and asked for it: {asking:?}");
                    assert!(!dispensable || plain == [Went::Exactly; 2], "{name} is not needed");
                }
                let mut status = 0;
                // SAFETY: one int is written.
                let left = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
                assert_eq!(left, -1, "no child is left");
            });
            done.expect("no namespace is asked for");
        }
    });
}
