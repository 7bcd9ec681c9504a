//! Rules of a launcher beyond the start of a child. The first child of a process may be started in another way than later ones,
//! because it shows whether memory is shared. So each case starts more than one.

use std::hint;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::child::command;
use crate::harness::{say, skip};
use forkexec::{BorrowingCommand, Command, Error, Resource, SpawnMethod, SpawnPolicy, Stage, capabilities};

const ROUNDS: usize = 3;

/// Starts a child that ends at once, and waits for it.
fn start() -> SpawnMethod {
    start_child(&mut command("exit"))
}

fn start_child(command: &mut BorrowingCommand<'_>) -> SpawnMethod {
    let mut child = command.arg("0").spawn().expect("the child starts");
    assert!(child.wait().expect("the child ends").success());
    child.method()
}

fn stage_of_failure(command: &mut BorrowingCommand<'_>) -> Stage {
    let error = command.spawn().expect_err("nothing starts");
    error.as_spawn().unwrap_or_else(|| panic!("another error: {error}")).stage()
}

pub(crate) fn later_children_report_as_the_first_does() {
    for _ in 0..ROUNDS {
        assert_eq!(stage_of_failure(&mut Command::new("/no/such/program")), Stage::Exec);
        assert_eq!(stage_of_failure(command("exit").current_dir("/no/such/directory")), Stage::Chdir);
        start();
    }
}

/// The signals in a set that a call writes.
fn signals_in(read: impl FnOnce(*mut libc::sigset_t) -> libc::c_int) -> Vec<i32> {
    let mut set = MaybeUninit::uninit();
    assert_eq!(read(set.as_mut_ptr()), 0);
    // SAFETY: the call succeeded, so it wrote the set.
    let set: libc::sigset_t = unsafe { set.assume_init() };
    // SAFETY: the set is borrowed. A number that is no signal is not a member.
    (1..32).filter(|signal| unsafe { libc::sigismember(&raw const set, *signal) } == 1).collect()
}

/// The signals that this thread blocks, and those that are pending.
fn signals() -> [Vec<i32>; 2] {
    // SAFETY: it writes the old mask to the set, and changes nothing without a new one.
    let blocked = signals_in(|set| unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), set) });
    // SAFETY: it writes the set.
    [blocked, signals_in(|set| unsafe { libc::sigpending(set) })]
}

pub(crate) fn signals_of_the_starting_thread_stay() {
    let before = signals();
    for _ in 0..ROUNDS {
        start();
        assert_eq!(signals(), before, "after a start");
        stage_of_failure(&mut Command::new("/no/such/program"));
        assert_eq!(signals(), before, "after a failure");
    }
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// The child gets the default action, and the parent keeps its handler.
pub(crate) fn handler_of_the_parent_runs_in_the_parent_alone() {
    // SAFETY: the handler adds to an atomic number.
    let before = unsafe { libc::signal(libc::SIGUSR1, count as *const () as libc::sighandler_t) };
    for round in 0..ROUNDS {
        let status = command("kill").arg(libc::SIGUSR1.to_string()).status().expect("the child runs");
        assert_eq!(status.signal(), Some(libc::SIGUSR1));
        assert_eq!(HANDLED.load(Ordering::SeqCst), round, "a handler ran for the child");
        // SAFETY: the signal has a handler.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
        assert_eq!(HANDLED.load(Ordering::SeqCst), round + 1, "the parent lost its handler");
    }
    // SAFETY: the action that was there before.
    unsafe { libc::signal(libc::SIGUSR1, before) };
}

/// Uses about `depth` KiB of the stack.
fn recurse(depth: usize) -> usize {
    let frame = [depth; 128];
    if depth == 0 { frame.len() } else { hint::black_box(&frame)[0].min(1) + recurse(depth - 1) }
}

/// On BSD, setrlimit(2) changes the protection of the stack of the memory that a child may share. NetBSD refuses a limit below
/// what the stack has used, so the stack is tried last.
pub(crate) fn limit_of_the_stack_leaves_the_parent_alone() {
    let mut child = command("exit");
    child.arg("0").rlimit(Resource::STACK, Some(256 << 10), None);
    for _ in 0..ROUNDS {
        assert!(child.status().expect("the child runs").success());
        start();
    }
    assert!(recurse(hint::black_box(1 << 10)) > 128, "a MiB of the stack can be used");
}

/// A limit of its memory lets some systems refuse the program, and others end the process that executes it.
pub(crate) fn child_that_dies_in_exec_is_no_success() {
    let Some(&(_, limit)) = capabilities().resources.iter().find(|(name, _)| *name == "as") else {
        return skip("this system limits no address space");
    };
    for _ in 0..ROUNDS {
        let outcome = match command("exit").arg("7").rlimit(limit, Some(4096), Some(4096)).status() {
            Ok(status) if status.code() == Some(7) => return skip("an emulator ignores this limit"),
            Ok(status) => {
                assert!(status.signal().is_some(), "{status}");
                format!("a child that ended: {status}")
            }
            Err(Error::Spawn(failure)) => {
                assert_eq!(failure.stage(), Stage::Exec, "{failure}");
                failure.to_string()
            }
            // The process is ended by exec itself, which its parent must not take for a program.
            Err(error @ Error::Died { stage: Stage::Exec, .. }) => error.to_string(),
            Err(error) => panic!("another error: {error}"),
        };
        say(&format!("death in exec is reported as: {outcome}"));
    }
}

/// The median time of a few starts, each with a wait.
fn time_of_a_start(policy: SpawnPolicy) -> Duration {
    let mut times: Vec<_> = (0..15)
        .map(|_| {
            let began = Instant::now();
            let status = command("exit").arg("0").spawn_policy(policy).status();
            assert!(status.expect("the child runs").success());
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Prints ratios of times, which no test may depend on.
pub(crate) fn start_is_timed_with_much_memory() {
    let policies = [SpawnPolicy::Auto, SpawnPolicy::Fork];
    let small = policies.map(time_of_a_start);
    let mut memory = vec![0_u8; 128 << 20];
    memory.iter_mut().step_by(4096).for_each(|page| *page = 1);
    let large = policies.map(time_of_a_start);
    assert_eq!(hint::black_box(&memory)[4096], 1);
    let [by_method, by_fork] = [0, 1].map(|it| large[it].as_secs_f64() / small[it].as_secs_f64());
    let [of_fork, of_fork_with_memory] =
        [small, large].map(|[by_method, by_fork]| by_method.as_secs_f64() / by_fork.as_secs_f64());
    let method = start_child(command("exit").spawn_policy(SpawnPolicy::Auto)).name();
    say(&format!(
        "with 128 MiB, a start by {method} takes {by_method:.2} of its time without, one by fork takes {by_fork:.2}"
    ));
    say(&format!(
        "a start by {method} takes {of_fork:.2} of the time of one by fork, with 128 MiB {of_fork_with_memory:.2}"
    ));
}
