//! Children while other threads change everything that a child has from its process: descriptors, environment, working
//! directory, umask, signal handlers, ids.
//!
//! A child has its requested settings. Each other setting is that of the process at one moment; two settings can be
//! from two moments. The ids are those of the thread that starts the child, all from one moment.

use std::env;
use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use forkexec::{Command, SpawnPolicy, Stdio};
use forkexec_tests::isolate::{isolated_for, skip};
use forkexec_tests::probe::{Ids, Seen};
use forkexec_tests::world;

use crate::ground::{NOBODY, check, is_privileged};
use crate::held::Acting;
use crate::{in_threads, rounds};

const LIMIT: Duration = Duration::from_mins(10);
const NAME: &str = "FORKEXEC_RACE";
const MASKS: [u32; 2] = [0o022, 0o077];
const OTHER_MASK: u32 = 0o027;

/// Repeats an action until `over` is set. Returns how often it ran.
fn again(over: &AtomicBool, meddle: impl Fn(u64)) -> u64 {
    let mut times = 0;
    while !over.load(Ordering::Relaxed) {
        meddle(times);
        times += 1;
        if times.is_multiple_of(16) {
            thread::sleep(Duration::from_micros(200));
        }
    }
    times
}

/// A duplicate that survives exec, at the first free number from this one up.
fn duplicate(file: &File, lowest: RawFd) -> OwnedFd {
    // SAFETY: the command takes an int.
    let copy = check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, lowest) });
    // SAFETY: the descriptor is new and has no other owner.
    unsafe { OwnedFd::from_raw_fd(copy) }
}

fn open_and_close(null: &File, _: u64) {
    let _few = [duplicate(null, 3), duplicate(null, 3), duplicate(null, 300)];
    drop(world::open_many(3));
}

/// The table grows beyond each size for which the kernel makes it anew.
fn grow(null: &File, times: u64) {
    let sizes = [64, 256, 512, 1_000, 2_000, 3_000];
    let count = usize::try_from(times % 6).expect("it is small") + 1;
    let _many: Vec<OwnedFd> = sizes[..count].iter().map(|lowest| duplicate(null, *lowest)).collect();
}

static PARENT: AtomicI32 = AtomicI32::new(0);
/// Runs of the handlers, and those in another process that shares this memory.
static HANDLED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

extern "C" fn handle(_: libc::c_int) {
    // SAFETY: it touches no memory.
    let is_here = unsafe { libc::getpid() } == PARENT.load(Ordering::Relaxed);
    HANDLED[usize::from(!is_here)].fetch_add(1, Ordering::Relaxed);
}

/// Handled or ignored, and sent in either case.
fn change_handler(times: u64) {
    // SAFETY: all zeroes are an action without flags or mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_flags = libc::SA_RESTART;
    action.sa_sigaction = if times.is_multiple_of(2) { handle as *const () as usize } else { libc::SIG_IGN };
    // SAFETY: the handler is async-signal-safe, and the action is borrowed for the call.
    check(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) });
    // SAFETY: the signal is handled or ignored.
    check(unsafe { libc::kill(PARENT.load(Ordering::Relaxed), libc::SIGUSR1) });
}

/// The changing state of the process.
struct Changing {
    directories: [PathBuf; 2],
    values: [String; 2],
    files: Vec<OwnedFd>,
    /// The signals that a child ignores while nothing changes.
    ignored: Vec<i32>,
}

impl Changing {
    /// Runs the work while threads change everything. Returns how often each did.
    fn during<T>(&self, work: impl FnOnce() -> T) -> (T, [u64; 6]) {
        let null = File::open("/dev/null").expect("it is there");
        let (over, null) = (AtomicBool::new(false), &null);
        let one = |times: u64| usize::from(times.is_multiple_of(2));
        thread::scope(|scope| {
            let over = &over;
            let threads = [
                scope.spawn(move || again(over, |times| open_and_close(null, times))),
                scope.spawn(move || again(over, |times| grow(null, times))),
                scope.spawn(move || {
                    again(over, |times| {
                        // SAFETY: all code of this process goes through std.
                        unsafe { env::set_var(NAME, &self.values[one(times)]) };
                    })
                }),
                scope.spawn(move || {
                    again(over, |times| {
                        env::set_current_dir(&self.directories[one(times)]).expect("it is there");
                    })
                }),
                scope.spawn(move || {
                    again(over, |times| {
                        // SAFETY: it touches no memory.
                        unsafe { libc::umask(MASKS[one(times)]) };
                    })
                }),
                scope.spawn(move || again(over, change_handler)),
            ];
            let done = work();
            over.store(true, Ordering::Relaxed);
            (done, threads.map(|thread| thread.join().expect("it does not panic")))
        })
    }

    /// Starts a child with some settings. Returns what is wrong with it.
    fn wrong(&self, program: &Path, round: usize) -> Vec<String> {
        let is_asked = |bit: usize| round >> bit & 1 == 1;
        let kept = &self.files[round % self.files.len()];
        let mut command = Command::new(program);
        command.arg("report").stdin(Stdio::null()).stderr(Stdio::null()).keep_fd(kept);
        command.spawn_policy(if is_asked(0) { SpawnPolicy::Fork } else { SpawnPolicy::Auto });
        if is_asked(1) {
            command.current_dir("/").umask(OTHER_MASK);
        }
        if is_asked(2) {
            command.env(NAME, "mine");
        }
        let output = if is_asked(3) {
            command.prepare().expect("it means something").output()
        } else {
            command.output()
        };
        let output = output.expect("it can be started");
        let seen = Seen::of(&output.stdout);
        let directories = if is_asked(1) {
            vec![Path::new("/")]
        } else {
            self.directories.iter().map(|it| &**it).collect()
        };
        let masks = if is_asked(1) { vec![OTHER_MASK] } else { MASKS.to_vec() };
        let values = if is_asked(2) { vec!["mine"] } else { self.values.iter().map(|it| &**it).collect() };
        let is_ignored = |signal: &i32| *signal == libc::SIGUSR1 || self.ignored.contains(signal);
        let variables = seen.env.iter().filter(|entry| entry.to_string_lossy().starts_with(NAME)).count();
        let checks = [
            (seen.fds == [0, 1, 2, kept.as_raw_fd()], format!("descriptors {:?}", seen.fds)),
            (
                seen.cwd.as_deref().is_some_and(|cwd| directories.contains(&cwd)),
                format!("directory {:?}", seen.cwd),
            ),
            (masks.contains(&seen.umask), format!("umask {:o}", seen.umask)),
            (seen.var(NAME).is_some_and(|value| values.iter().any(|it| value == *it)), "variable".to_owned()),
            (variables == 1, format!("{variables} variables")),
            (
                seen.handled.is_empty() && seen.blocked.is_empty(),
                format!("{:?}, {:?}", seen.handled, seen.blocked),
            ),
            (seen.ignored.iter().all(is_ignored), format!("ignores {:?}", seen.ignored)),
        ];
        checks
            .into_iter()
            .filter(|(right, _)| !right)
            .map(|(_, what)| format!("round {round}: {what}"))
            .collect()
    }
}

/// More than any test here opens.
const MANY: u64 = 4_096;

/// Faults: D11, M3, M8
#[test]
fn child_state_is_whole_whatever_other_threads_change() {
    isolated_for(LIMIT, || {
        // `grow` opens descriptors up to 3,000.
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        if hard < MANY {
            return skip("the hard limit of descriptors is too low");
        }
        world::set_limit(libc::RLIMIT_NOFILE, MANY, hard).expect("it is below the hard limit");
        let before = env::current_dir().expect("it is there");
        PARENT.store(std::process::id().cast_signed(), Ordering::Relaxed);
        let null = File::open("/dev/null").expect("it is there");
        let homes = [(); 2].map(|()| tempfile::tempdir().expect("a temporary directory can be made"));
        let probe = forkexec_tests::probe::path();
        let usual = Command::new(probe).arg("report").output().expect("it can be started").stdout;
        let usual = Seen::of(&usual);
        let changing = Changing {
            ignored: usual.ignored,
            directories: homes.each_ref().map(|it| it.path().canonicalize().expect("it is there")),
            values: ["a", "b"].map(|letter| letter.repeat(3_000)),
            files: (700..706).map(|number| world::place(&null, number)).collect(),
        };
        // SAFETY: no other thread reads it yet.
        unsafe { env::set_var(NAME, &changing.values[0]) };
        env::set_current_dir(&changing.directories[0]).expect("it is there");
        // SAFETY: it touches no memory.
        let umask = unsafe { libc::umask(MASKS[0]) };
        let handling = Acting::with_flags(libc::SIGUSR1, libc::SIG_IGN, 0);

        let rounds = rounds() / 20;
        let (wrong, times) = changing.during(|| {
            in_threads(rounds, |_, numbers: Range<usize>| {
                let wrong: Vec<_> = numbers.flat_map(|round| changing.wrong(probe, round)).collect();
                if !wrong.is_empty() {
                    println!("{}", wrong.join("\n"));
                }
                wrong.len()
            })
        });

        drop(handling);
        // SAFETY: it touches no memory.
        unsafe { libc::umask(umask) };
        env::set_current_dir(&before).expect("it is there");
        let handled = HANDLED.each_ref().map(|count| count.load(Ordering::Relaxed));
        println!("{rounds} children; changed {times:?} times; handlers {handled:?}");
        assert_eq!((wrong, handled[1]), (0, 0));
        assert!(times.iter().all(|times| *times > 0) && handled[0] > 0);
    });
}

/// The superuser that works for a user now and then: seteuid(2), which the C library does for all threads.
///
/// Faults: M5
#[test]
fn child_has_the_ids_of_its_thread_at_one_moment() {
    isolated_for(LIMIT, || {
        if !is_privileged() {
            return;
        }
        let root = world::empty_chroot();
        let program = root.path().join("probe");
        let over = AtomicBool::new(false);
        // The real id stays, and exec saves the effective one (execve(2)).
        let one_of = |effective: u32| Ids { real: 0, effective, saved: effective };
        let may_be = [0, NOBODY].map(one_of);
        let is_mixed = |round: usize| {
            let mut command = Command::new(&program);
            command.arg("report").current_dir("/").stdin(Stdio::null());
            command.spawn_policy(if round.is_multiple_of(2) { SpawnPolicy::Auto } else { SpawnPolicy::Fork });
            let output = command.output().expect("it can be started");
            let seen = Seen::of(&output.stdout);
            (!may_be.contains(&seen.uids) || !may_be.contains(&seen.gids), seen.uids.effective == NOBODY)
        };
        let (mixed, changes) = thread::scope(|scope| {
            let changing = scope.spawn(|| {
                again(&over, |times| {
                    let effective = if times.is_multiple_of(2) { NOBODY } else { 0 };
                    // Only the superuser can change its group.
                    if effective == 0 {
                        // SAFETY: changes the calling process alone, which is the test's own.
                        check(unsafe { libc::seteuid(effective) });
                    }
                    // SAFETY: as above.
                    check(unsafe { libc::setegid(effective) });
                    // SAFETY: as above.
                    check(unsafe { libc::seteuid(effective) });
                })
            });
            let others = AtomicU64::new(0);
            let mixed = in_threads(rounds() / 50, |_, numbers: Range<usize>| {
                let count = |round: usize| {
                    let (mixed, other) = is_mixed(round);
                    others.fetch_add(u64::from(other), Ordering::Relaxed);
                    mixed
                };
                numbers.filter(|round| count(*round)).count()
            });
            over.store(true, Ordering::Relaxed);
            println!("{} children were the other user's", others.into_inner());
            (mixed, changing.join().expect("it does not panic"))
        });
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::seteuid(0) });
        // SAFETY: as above.
        check(unsafe { libc::setegid(0) });
        println!("the ids changed {changes} times");
        assert_eq!(mixed, 0);
        assert!(changes > 0);
    });
}
