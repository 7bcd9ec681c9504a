//! Children whose handle is dropped, or lost to a panic, between any two steps.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{ChildStdin, ExitStatus};
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use forkexec::{BorrowingCommand, Child, Command, Containment, OnDrop, Stdio, reap_dropped};
use forkexec_tests::android;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, isolated_for, skip};
use forkexec_tests::process::state;
use nix::unistd::gettid;
use rstest::rstest;

use crate::child::forked::in_a_forked_process;
use crate::ground::check;
use crate::held::Acting;
use crate::start::probe;

const LONG: Duration = Duration::from_mins(1);

/// The threads of this process at one moment, to compare with later. The library's threads end when they have no work.
pub(super) struct Threads(usize);

impl Threads {
    pub(super) fn now() -> Self {
        // The list of threads can end early if one of them ends.
        let status = fs::read_to_string("/proc/self/status").expect("it is there");
        let count = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("it is said");
        Self(count.trim().parse().expect("it is a number"))
    }

    /// Waits until there are no more than then.
    pub(super) fn await_no_more(&self) {
        self.await_no_more_than(0);
    }

    /// Waits until at most `more` additional threads are left. Threads end without notice, so the test counts them.
    pub(super) fn await_no_more_than(&self, more: usize) {
        let end = Instant::now() + LONG;
        while self.more() > more {
            assert!(Instant::now() < end, "a thread of the library's is left");
            thread::yield_now();
        }
    }

    /// Returns how many threads there are in addition to those of then.
    pub(super) fn more(&self) -> usize {
        Self::now().0.saturating_sub(self.0)
    }

    /// Waits until all dropped children are reaped. Without the library's thread, this thread reaps them, and there has
    /// been no other.
    pub(super) fn await_reaped(&self, by_thread: bool) {
        assert!(by_thread || self.more() == 0, "a thread was started");
        let end = Instant::now() + LONG;
        while reap_dropped() > 0 {
            assert!(Instant::now() < end, "a dropped child does not end");
            thread::yield_now();
        }
        self.await_no_more();
    }
}

/// Starts a child that the thread reaps after its drop. It ends when its input is closed.
fn waiting_for_input() -> (Child, ChildStdin) {
    let mut command = probe(&["sleep-on-stdin"]);
    let mut child = command.stdin(Stdio::piped()).reaper_thread(true).spawn().expect("it starts");
    let stdin = child.stdin.take().expect("it is piped");
    (child, stdin)
}

/// Returns true if this process has a child, running or zombie.
fn has_child() -> bool {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: nothing is written.
    unsafe { libc::waitid(libc::P_ALL, 0, ptr::null_mut(), options) == 0 }
}

/// Waits for the end of a child, which may have been reaped.
fn await_end(pidfd: &impl AsFd) {
    let mut polled = libc::pollfd { fd: pidfd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry is read and written.
    check(unsafe { libc::poll(&raw mut polled, 1, 60_000) });
    assert_ne!(polled.revents, 0, "it does not end");
}

/// A descriptor of a child that outlives its handle.
fn own(child: &Child) -> Option<OwnedFd> {
    let pidfd = child.pidfd().map(|pidfd| pidfd.try_clone_to_owned().expect("a number is free"));
    if pidfd.is_none() {
        skip("a child has no descriptor here");
    }
    pidfd
}

/// A child that ends with its input.
fn waiting(policy: OnDrop) -> Child {
    probe(&["sleep-on-stdin"]).stdin(Stdio::piped()).on_drop(policy).spawn().expect("it starts")
}

/// Faults: W10
#[rstest]
fn detached_child_runs_on_and_leaves_no_zombie(
    #[values(true, false)] pidfd: bool,
    #[values(true, false)] by_thread: bool,
) {
    isolated(|| {
        let threads = Threads::now();
        let mut command = probe(&["sleep-on-stdin"]);
        command.stdin(Stdio::piped()).create_pidfd(pidfd).reaper_thread(by_thread);
        let mut child = command.spawn().expect("it starts");
        let (pid, stdin) = (child.id().cast_signed(), child.stdin.take());
        drop(child);
        // SAFETY: the process is the test's own, and was not waited for.
        assert_eq!(unsafe { libc::kill(pid, 0) }, 0, "it runs");
        drop(stdin);
        threads.await_reaped(by_thread);
        assert!(!has_child());
    });
}

/// Faults: W10
#[test]
fn abandoned_child_stays_a_zombie_as_with_std() {
    isolated(|| {
        let mut child = waiting(OnDrop::Abandon);
        let (pid, stdin) = (child.id().cast_signed(), child.stdin.take());
        drop(child);
        let mut status = 0;
        // SAFETY: one int is written.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) }, 0, "it runs");
        drop(stdin);
        // SAFETY: one int is written.
        assert_eq!(check(unsafe { libc::waitpid(pid, &raw mut status, 0) }), pid);
        assert_eq!(status, 0);
    });
}

#[rstest]
fn child_killed_on_drop_leaves_no_zombie(
    #[values(OnDrop::Kill, OnDrop::KillAndWait)] policy: OnDrop,
    #[values(true, false)] pidfd: bool,
    #[values(true, false)] by_thread: bool,
) {
    isolated(|| {
        let threads = Threads::now();
        let mut command = Command::new("sleep");
        command.arg("600").on_drop(policy).create_pidfd(pidfd).reaper_thread(by_thread);
        drop(command.spawn().expect("it starts"));
        if policy == OnDrop::KillAndWait {
            assert!(!has_child());
        }
        threads.await_reaped(by_thread);
        assert!(!has_child());
    });
}

#[test]
fn child_that_ended_before_its_drop_needs_no_thread() {
    isolated(|| {
        let mut child = waiting(OnDrop::Leave);
        let Some(pidfd) = own(&child) else { return drop(child.wait()) };
        drop(child.stdin.take());
        await_end(&pidfd);
        drop(child);
        assert!(!has_child());
    });
}

#[test]
fn one_thread_reaps_many_dropped_children() {
    isolated(|| {
        let threads = Threads::now();
        let mut inputs = Vec::new();
        for _ in 0..200 {
            inputs.push(waiting_for_input().1);
        }
        let more = threads.more();
        assert!(more <= 1 || !has_pidfds(), "{more} threads");
        drop(inputs);
        threads.await_no_more();
        assert!(!has_child());
    });
}

/// Starts children that end with the returned input, and drops them.
fn dropped_with_one_input(count: usize) -> (io::PipeWriter, Vec<OwnedFd>) {
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    let start = |_| {
        let mut command = probe(&["sleep-on-stdin"]);
        let child = command.stdin(reader.try_clone().expect("a number is free")).spawn().expect("it starts");
        own(&child)
    };
    let pidfds = (0..count).filter_map(start).collect();
    (writer, pidfds)
}

/// The thread, which waits for the first child, is told of the second one.
#[test]
fn thread_that_waits_gets_more_children() {
    isolated(|| {
        let threads = Threads::now();
        let waiting = || {
            let (child, stdin) = waiting_for_input();
            (stdin, child.id())
        };
        let first = waiting();
        thread::sleep(Duration::from_millis(50));
        let (input, second) = waiting();
        drop(input);
        let end = Instant::now() + LONG;
        while state(second).is_some() {
            assert!(Instant::now() < end, "the second one is not reaped");
            thread::yield_now();
        }
        drop(first);
        threads.await_reaped(true);
    });
}

/// The number of children of this process that have ended and are not reaped.
fn zombies() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("it is there").flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let all: Vec<String> =
        children.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    all.iter().filter(|pid| state(pid) == Some('Z')).count()
}

/// An action of the library that also reaps dropped children.
type Action = fn(&mut Child);

const ACTIONS: [(&str, Action); 4] = [
    ("start", |_| {
        probe(&["true"]).status().expect("it starts");
    }),
    ("try_wait", |child| assert_eq!(child.try_wait().expect("it is ours"), None)),
    ("wait_timeout", |child| assert_eq!(child.wait_timeout(Duration::ZERO).expect("it is ours"), None)),
    ("drop", |_| {
        let mut command = probe(&["true"]);
        drop(command.on_drop(OnDrop::KillAndWait).spawn().expect("it starts"));
    }),
];

/// Each action looks at a few of many dropped children. All have been looked at after as many as it takes, and no thread
/// was started.
#[test]
fn many_dropped_children_are_reaped_step_by_step() {
    const CHILDREN: usize = 100;
    isolated(|| {
        if !has_pidfds() {
            return skip("a child has no descriptor here");
        }
        let mut other = waiting(OnDrop::KillAndWait);
        let _input = other.stdin.take();
        for (name, act) in ACTIONS {
            let threads = Threads::now();
            let (input, pidfds) = dropped_with_one_input(CHILDREN);
            drop(input);
            pidfds.iter().for_each(await_end);
            drop(pidfds);
            assert!(zombies() > CHILDREN / 2, "{name}");
            // A start, its wait and its drop look at eight children each.
            act(&mut other);
            assert!(zombies() > CHILDREN / 4, "{name} looks at all of them");
            (0..CHILDREN / 8).for_each(|_| act(&mut other));
            assert_eq!(zombies(), 0, "{name}");
            assert_eq!(threads.more(), 0, "{name}");
        }
    });
}

/// A start that lacks descriptors reaps all dropped children first, however many still run.
#[test]
fn start_without_free_descriptors_reaps_dropped_children() {
    isolated(|| {
        if !has_pidfds() {
            return skip("a child has no descriptor here");
        }
        let (running, _) = dropped_with_one_input(40);
        let (input, pidfds) = dropped_with_one_input(20);
        drop(input);
        pidfds.iter().for_each(await_end);
        drop(pidfds);
        // All numbers below the limit are taken, those of the dropped children among them.
        let _many = fill_numbers();
        let output = probe(&["echo"]).stdin(Stdio::null()).output().expect("numbers are free again");
        assert!(output.status.success());
        drop(running);
        Threads::now().await_reaped(false);
    });
}

/// Opens descriptors until no number is free.
fn fill_numbers() -> Vec<fs::File> {
    let opened: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    assert!(!opened.is_empty());
    opened
}

/// A process with a second thread may not enter a user namespace.
#[rstest]
fn dropped_child_lets_its_parent_enter_a_user_namespace(#[values(true, false)] by_thread: bool) {
    isolated(|| {
        // A forked process has one thread.
        let enters = |drops: bool| {
            in_a_forked_process(|| {
                let mut command = Command::new("sleep");
                command.arg("600").on_drop(OnDrop::Leave).reaper_thread(by_thread);
                let pid = drops.then(|| command.spawn().expect("it starts").id());
                // SAFETY: the call takes flags only.
                let entered = unsafe { libc::unshare(libc::CLONE_NEWUSER) } == 0;
                if let Some(pid) = pid {
                    // SAFETY: the child was not waited for: it still runs.
                    check(unsafe { libc::kill(pid.cast_signed(), libc::SIGKILL) });
                }
                entered
            })
            .success()
        };
        if !enters(false) {
            return skip("no user namespace is to be had");
        }
        assert_eq!(enters(true), !by_thread);
    });
}

/// A child has no pidfd if few numbers are left, unless it must have one.
#[rstest]
#[case::low_number(10, |_: &mut Command| {}, true)]
#[case::number_of_the_last_quarter(190, |_: &mut Command| {}, false)]
#[case::number_before_it(180, |_: &mut Command| {}, true)]
#[case::pidfd_asked_for(190, |command: &mut Command| { command.create_pidfd(true); }, true)]
#[case::containment_that_needs_it(190, |command: &mut Command| { command.containment(Containment::Group); }, true)]
#[case::containment_that_does_not(190, |command: &mut Command| { command.setsid(); }, false)]
fn pidfd_leaves_the_last_numbers_free(
    #[case] taken: usize,
    #[case] ask: fn(&mut Command),
    #[case] has_pidfd: bool,
) {
    isolated(|| {
        if !has_pidfds() {
            return skip("a child has no descriptor here");
        }
        let (_, hard) = forkexec_tests::world::limit(libc::RLIMIT_NOFILE).expect("it is known");
        forkexec_tests::world::set_limit(libc::RLIMIT_NOFILE, 256, hard).expect("it is lower");
        let _many: Vec<_> =
            (0..taken).map(|_| fs::File::open("/dev/null").expect("a number is free")).collect();
        let mut command = probe(&["sleep-on-stdin"]);
        ask(command.stdin(Stdio::piped()));
        let mut child = command.spawn().expect("it starts");
        assert_eq!((child.pidfd().is_some(), child.exit_fd().is_some()), (has_pidfd, has_pidfd));
        assert_eq!(child.wait_timeout(LONG).expect("it is ours").and_then(|status| status.code()), Some(0));
    });
}

/// By `exit_fd`, so that a child whose `pidfd` is lost is not skipped.
pub(crate) fn has_pidfds() -> bool {
    let mut child = Command::new("true").spawn().expect("it starts");
    child.wait().expect("it ends");
    child.exit_fd().is_some()
}

#[test]
fn drop_with_ignored_sigchld_leaves_nothing_and_never_hangs() {
    isolated(|| {
        let threads = Threads::now();
        let acting = Acting::new(libc::SIGCHLD, libc::SIG_IGN);
        for policy in [OnDrop::Leave, OnDrop::Kill, OnDrop::KillAndWait, OnDrop::Abandon] {
            drop(waiting(policy));
            let mut command = probe(&["sleep-on-stdin"]);
            command.stdin(Stdio::piped()).on_drop(policy).reaper_thread(true);
            drop(command.spawn().expect("it starts"));
        }
        threads.await_reaped(true);
        let mut child = waiting(OnDrop::Leave);
        drop(child.stdin.take());
        if let Some(pidfd) = child.exit_fd() {
            await_end(pidfd);
        }
        assert!(child.wait().is_err(), "nobody is to know how it ended");
        while has_child() {
            thread::yield_now();
        }
        drop(acting);
    });
}

/// Without a free descriptor for the shared thread, each child has its own thread.
#[test]
fn dropped_child_leaves_no_zombie_without_free_descriptors() {
    isolated(|| {
        let threads = Threads::now();
        let (child, stdin) = waiting_for_input();
        let before = forkexec_tests::world::limit(libc::RLIMIT_NOFILE).expect("it is known");
        forkexec_tests::world::set_limit(libc::RLIMIT_NOFILE, 3, before.1).expect("it is lower");
        drop(child);
        forkexec_tests::world::set_limit(libc::RLIMIT_NOFILE, before.0, before.1).expect("it was so");
        drop(stdin);
        threads.await_no_more();
        assert!(!has_child());
    });
}

/// poll(2) refuses more descriptors than the limit allows, so that the thread waits for one child after the other.
#[test]
fn thread_reaps_more_children_than_descriptors_are_allowed() {
    isolated(|| {
        let threads = Threads::now();
        let free = [(); 2].map(|()| fs::File::open("/dev/null").expect("a number is free"));
        let highest = free[1].as_raw_fd().unsigned_abs();
        let mut children: Vec<_> =
            (0..8).map(|_| waiting_for_input()).map(|(child, stdin)| (stdin, child.id())).collect();
        let before = forkexec_tests::world::limit(libc::RLIMIT_NOFILE).expect("it is known");
        forkexec_tests::world::set_limit(libc::RLIMIT_NOFILE, u64::from(highest) + 1, before.1)
            .expect("it is lower");
        drop(free);
        // The thread polls the others after the end of this one.
        let (stdin, first) = children.remove(0);
        drop(stdin);
        let end = Instant::now() + LONG;
        while state(first).is_some() {
            assert!(Instant::now() < end, "the first one is not reaped");
            thread::yield_now();
        }
        drop(children);
        threads.await_no_more();
        assert!(!has_child());
        forkexec_tests::world::set_limit(libc::RLIMIT_NOFILE, before.0, before.1).expect("it was so");
    });
}

/// No other thread can be started when the child ends.
#[test]
fn thread_reaps_a_child_that_has_ended_by_itself() {
    isolated(|| {
        if !has_pidfds() {
            return skip("a child has no descriptor here");
        }
        let threads = Threads::now();
        let (child, stdin) = waiting_for_input();
        drop(child);
        if Deny::new().starts(libc::EAGAIN).installed() {
            drop(stdin);
            threads.await_no_more();
            assert!(!has_child());
        }
    });
}

#[test]
fn dropped_child_is_reaped_later_if_no_thread_can_start() {
    isolated(|| {
        let threads = Threads::now();
        let (child, stdin) = waiting_for_input();
        if !Deny::new().starts(libc::EAGAIN).installed() {
            return;
        }
        drop(child);
        assert_eq!(reap_dropped(), 1, "it runs");
        drop(stdin);
        threads.await_reaped(false);
        assert!(!has_child());
    });
}

/// The child cannot be signalled, so that it outlives the drop.
#[test]
fn drop_that_only_kills_waits_for_nothing() {
    isolated(|| {
        let threads = Threads::now();
        let mut child = waiting(OnDrop::Kill);
        let (pid, stdin) = (child.id(), child.stdin.take());
        let deny = Deny::new().errno(libc::SYS_pidfd_send_signal, libc::EPERM);
        if !deny.errno(libc::SYS_kill, libc::EPERM).installed() {
            return;
        }
        drop(child);
        assert!(state(pid).is_some_and(|state| state != 'Z'), "it runs");
        drop(stdin);
        threads.await_reaped(false);
        assert!(!has_child());
    });
}

/// The steps of a child's life, in order. Each child is dropped before, between and after all of them.
type Step = (&'static str, fn(&mut Child, &mut Held));

/// Parts that the steps took from the child. It is dropped before or after the child.
#[derive(Default)]
struct Held {
    streams: Vec<OwnedFd>,
    statuses: Vec<ExitStatus>,
}

fn take_streams(child: &mut Child, held: &mut Held) {
    held.streams.extend(child.stdin.take().map(OwnedFd::from));
    held.streams.extend(child.stdout.take().map(OwnedFd::from));
    held.streams.extend(child.stderr.take().map(OwnedFd::from));
}

fn look(child: &mut Child, held: &mut Held) {
    held.statuses.extend(child.try_wait().expect("it can be waited for"));
}

fn wait_a_little(child: &mut Child, held: &mut Held) {
    // It closes standard input, unless that was taken.
    let ended = child.wait_timeout(Duration::from_millis(1)).expect("it can be waited for");
    held.statuses.extend(ended);
}

fn signal(child: &mut Child, _: &mut Held) {
    child.send_signal(libc::SIGCONT).expect("it is ours");
}

fn kill(child: &mut Child, _: &mut Held) {
    child.kill().expect("it is ours");
}

fn wait(child: &mut Child, held: &mut Held) {
    held.statuses.push(child.wait().expect("it was killed"));
}

fn kill_tree(child: &mut Child, _: &mut Held) {
    child.kill_tree().expect("it is ours");
}

fn use_up(child: &mut Child, _: &mut Held) {
    child.wait_usage().map(drop).or_else(|_| child.wait().map(drop)).expect("it was killed");
}

const STEPS: [Step; 9] = [
    ("take the streams", take_streams),
    ("look whether it has ended", look),
    ("wait a little", wait_a_little),
    ("signal", signal),
    ("kill", kill),
    ("wait", wait),
    ("end its tree", kill_tree),
    ("ask what it used", use_up),
    ("look again", look),
];

/// The loss of the child between two steps.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Drop,
    Panic,
    /// It is dropped by another thread.
    Elsewhere,
}

/// Does the first steps, and then loses the child.
fn lose_after(count: usize, command: &mut BorrowingCommand<'_>, way: Loss) {
    let mut held = Held::default();
    let steps = |child: &mut Child, held: &mut Held| {
        STEPS[..count].iter().for_each(|(_, step)| step(child, held));
    };
    let mut child = command.spawn().expect("it starts");
    match way {
        Loss::Drop => {
            steps(&mut child, &mut held);
            drop(child);
        }
        Loss::Panic => {
            let lost = catch_unwind(AssertUnwindSafe(|| {
                let mut child = child;
                steps(&mut child, &mut held);
                resume_unwind(Box::new("somebody goes early"));
            }));
            assert_eq!(lost.unwrap_err().downcast_ref(), Some(&"somebody goes early"));
        }
        Loss::Elsewhere => {
            steps(&mut child, &mut held);
            let dropping = thread::spawn(move || {
                drop(child);
                gettid()
            });
            let thread = dropping.join().expect("dropping does not panic");
            // The kernel lists a thread for a moment after its end.
            while Path::new("/proc/self/task").join(thread.to_string()).exists() {
                thread::yield_now();
            }
        }
    }
}

/// After each step: no zombie, no descriptor, and only the children are killed that the policy kills. `isolated` checks
/// that nothing else has changed.
#[rstest]
#[case::leave(OnDrop::Leave)]
#[case::kill(OnDrop::Kill)]
#[case::kill_and_wait(OnDrop::KillAndWait)]
#[case::abandon(OnDrop::Abandon)]
fn child_can_be_lost_between_any_two_steps(
    #[case] policy: OnDrop,
    #[values(None, Some(Containment::Group), Some(Containment::Auto))] tree: Option<Containment>,
    #[values(true, false)] pidfd: bool,
    #[values(true, false)] by_thread: bool,
) {
    isolated_for(Duration::from_mins(5), || {
        let threads = Threads::now();
        // Without a descriptor, a thread waits with a time limit, and ends with the child.
        let opens = pidfd || android::lets(libc::SYS_pidfd_open);
        let by_thread = by_thread || !has_pidfds() || !opens;
        for way in [Loss::Drop, Loss::Panic, Loss::Elsewhere] {
            for count in 0..=STEPS.len() {
                let said = || format!("{way:?} before {:?}", STEPS.get(count).map(|(name, _)| name));
                let (mut ended, writer) = io::pipe().expect("a pipe can be made");
                let mut command = probe(&["pause"]);
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).fd(3, writer);
                command.on_drop(policy).create_pidfd(pidfd).reaper_thread(by_thread);
                if let Some(tree) = tree {
                    command.containment(tree);
                }
                lose_after(count, &mut command, way);
                drop(command);
                let was_killed = STEPS[..count].iter().any(|(name, _)| *name == "kill");
                let policy_kills = matches!(policy, OnDrop::Kill | OnDrop::KillAndWait);
                // The child alone holds the pipe.
                let runs = !is_at_its_end(&ended, was_killed || policy_kills);
                assert_eq!(runs, !was_killed && !policy_kills, "{}", said());
                if runs {
                    end_all_that_run();
                }
                io::copy(&mut ended, &mut io::sink()).expect("it can be read");
                threads.await_reaped(by_thread);
                if policy == OnDrop::Abandon {
                    // SAFETY: nothing is written.
                    while unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } > 0 {}
                }
                assert!(!has_child(), "{}", said());
            }
        }
    });
}

/// Returns true if no process has the other end of the pipe. Waits for that if `is_to_come`.
fn is_at_its_end(pipe: &impl AsRawFd, is_to_come: bool) -> bool {
    let mut polled = libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry is read and written.
    check(unsafe { libc::poll(&raw mut polled, 1, if is_to_come { 60_000 } else { 0 }) });
    polled.revents & libc::POLLHUP != 0
}

/// Ends the children of this process, which are those of the step at hand.
fn end_all_that_run() {
    let tasks = fs::read_dir("/proc/self/task").expect("it is there").flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    for child in children.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()) {
        // SAFETY: it is a child of this process, and only the library's thread waits for it afterwards.
        check(unsafe { libc::kill(child.parse().expect("it is a number"), libc::SIGKILL) });
    }
}
