//! The stack of a child that shares memory: an overflow kills the child alone, and no code comes near its end.

use std::ffi::CStr;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closer, Errno, LaunchError, Launcher, Plan, Report, SpawnMethod, Stage,
    WorkingDirectory,
};
use forkexec_linux::{Call, Linux, LinuxLauncher, Start};
use forkexec_tests::isolate::{isolated, isolated_if, skip};
use forkexec_tests::world;

use crate::failing::Failing;
use crate::launcher::plan;
use crate::shared::{Ran, guards, launch, over, reported};

/// Before Linux 5.16 a signal that dumps core killed every process that shared the memory of the one that got it.
pub(crate) fn dies_alone() -> bool {
    let mut name = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: uname fills it.
    assert_eq!(unsafe { libc::uname(name.as_mut_ptr()) }, 0);
    // SAFETY: it was filled.
    let name = unsafe { name.assume_init() };
    // SAFETY: the kernel ends it with a NUL.
    let release = unsafe { CStr::from_ptr(name.release.as_ptr()) }.to_str().expect("a release is ASCII");
    let mut numbers = release.split(|it: char| !it.is_ascii_digit()).map_while(|it| it.parse::<u32>().ok());
    let is_new = (numbers.next(), numbers.next()) >= (Some(5), Some(16));
    if !is_new {
        skip(&format!("Linux {release} kills all that share memory with a process that dumps core"));
    }
    is_new
}

/// Calls itself until no stack is left.
pub(crate) fn overflow() {
    fn deeper(depth: usize) -> usize {
        let frame = black_box([depth; 64]);
        if black_box(depth) == usize::MAX { 0 } else { deeper(depth + 1) + frame[depth % 64] }
    }
    black_box(deeper(0));
}

fn no_clone3(start: Start) -> Option<Errno> {
    (start.call == Call::Clone3).then_some(Errno::NOSYS)
}

/// A child that inherits handlers has one for SIGSEGV, which std set; it blocks the signal, and dies of it all the same.
///
/// Faults: M6
#[rstest]
#[case::without_handlers(|_| None)]
#[case::with_handlers(no_clone3)]
fn child_that_overflows_its_stack_dies_alone(
    #[case] refuse: fn(Start) -> Option<Errno>,
    #[values(("chdir", Stage::Chdir), ("execve", Stage::Exec))] (call, stage): (&'static str, Stage),
) {
    isolated_if(dies_alone, || {
        let (_, hard) = world::limit(libc::RLIMIT_CORE).expect("the limit is known");
        world::set_limit(libc::RLIMIT_CORE, 0, hard).expect("a limit can be lowered");
        let (backend, launcher) =
            over(|kernel| Failing::nothing(kernel).acting(call, overflow).refusing(refuse));
        let plan = Plan { directory: Some(WorkingDirectory::Path(c"/")), ..plan() };
        for _ in 0..5 {
            let launched = launch(backend, &launcher, &plan);
            let Err(LaunchError::Died { stage: told, status: Some(status) }) = launched else {
                panic!("a child without a stack is {launched:?}");
            };
            assert!(libc::WIFSIGNALED(status), "{status:#x}");
            assert_eq!((told, libc::WTERMSIG(status)), (stage, libc::SIGSEGV));
        }
        assert_eq!(guards(), 1, "the same stack each time");
        if call == "chdir" {
            // The stack of the dead is as good as any other for the next one.
            let next = launch(backend, &launcher, &Plan { directory: None, ..plan });
            assert!(matches!(next, Ok(Ran { method: SpawnMethod::Shared, .. })), "{next:?}");
        }
    });
}

/// As many children as there are threads are on their way at once: each waits for the others. They share the counter.
static ON_THEIR_WAY: AtomicUsize = AtomicUsize::new(0);
const AT_ONCE: usize = 20;

fn await_the_others() {
    ON_THEIR_WAY.fetch_add(1, Ordering::SeqCst);
    while ON_THEIR_WAY.load(Ordering::SeqCst) < AT_ONCE {
        // SAFETY: waits, and changes nothing.
        unsafe { libc::usleep(1_000) };
    }
}

/// 16 are kept.
#[test]
fn stack_that_is_not_kept_is_unmapped_with_its_guard() {
    const LENGTH: usize = 2 << 16;
    isolated(|| {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).acting("chdir", await_the_others));
        let plan = Plan { directory: Some(WorkingDirectory::Path(c"/")), ..plan() };
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| launch(backend, &launcher, &plan).expect("it starts"));
            }
        });
        let kept = backend.sys().take_mapped();
        assert_eq!(kept.iter().map(|(_, length)| length).sum::<usize>(), 16 * LENGTH, "{kept:x?}");
        assert!(kept.iter().all(|(_, length)| *length == LENGTH), "{kept:x?}");
    });
}

#[test]
fn stack_whose_guard_cannot_be_made_is_unmapped_whole() {
    isolated(|| {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).denying(&["forbid"], Errno::NOMEM));
        let answer = launch(backend, &launcher, &plan());
        assert_eq!(answer, Err(LaunchError::Parent { stage: Stage::Setup, errno: Errno::NOMEM }));
        assert_eq!(backend.sys().take_mapped(), []);
    });
}

/// The richest plan, by each way of closing and as far as a failure.
///
/// Faults: M6
#[test]
fn child_uses_less_than_half_of_its_stack() {
    isolated(|| {
        let secrets = world::open_many(50);
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).measuring_stacks());
        let mut used = Vec::new();
        for (link, closer) in [
            (CloseStrategy::Bulk, Closer::Bulk),
            (CloseStrategy::Enumerate, Closer::Enumerator(0)),
            (CloseStrategy::Loop, Closer::Loop),
        ] {
            let (ran, seen) = reported(backend, &launcher, link).expect("the plan works");
            let method = if link == CloseStrategy::Bulk { SpawnMethod::Shared } else { SpawnMethod::Vfork };
            assert_eq!((ran.method, ran.by, seen.fds), (method, closer, vec![0, 1, 2]));
            used.push(backend.sys().stack_used().expect("it is measured"));
        }
        assert_eq!(launch_missing(backend, &launcher), Some(Stage::Chroot));
        let (most, of) = backend.sys().stack_used().expect("it is measured");
        println!("the stack of a child: {most} of {of} bytes at most; bulk call, list, loop: {used:?}");
        assert!(most > 0 && most < of / 2, "{most} of {of}");
        drop(secrets);
    });
}

fn launch_missing(
    backend: &Linux<Failing<forkexec_linux::Kernel>>,
    launcher: &LinuxLauncher<'_, Failing<forkexec_linux::Kernel>>,
) -> Option<Stage> {
    assert!(backend.sys().stack_used().is_some());
    match launcher.launch(&Plan { root: Some(c"/no/such/root"), ..plan() }) {
        Err(LaunchError::Child(Report { stage, .. })) => Some(stage),
        _ => None,
    }
}
