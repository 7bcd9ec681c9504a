//! The child's side: this program again, which reports what it inherited, one fact per line.

use forkexec::{BorrowingCommand, SpawnPolicy, Stdio};
use std::collections::BTreeMap;
use std::env;
use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::FromRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The argument that makes a process of this program a child.
pub(crate) const FLAG: &str = "--as-child";

/// Up to which number descriptors are looked for, unless the limit is higher.
const FLOOR: u64 = 65_536;
const CEILING: u64 = 1 << 20;

/// Returns the path of this program.
pub(crate) fn program() -> PathBuf {
    env::current_exe().expect("the system knows which program this is")
}

/// True if all cases fork. Otherwise each start uses the fastest method.
pub(crate) static BY_FORK: AtomicBool = AtomicBool::new(false);

/// A command that starts this program as a child with a verb.
pub(crate) fn command<'fd>(verb: &str) -> BorrowingCommand<'fd> {
    let mut command = BorrowingCommand::new(program());
    command.args([FLAG, verb]);
    if BY_FORK.load(Relaxed) {
        command.spawn_policy(SpawnPolicy::Fork);
    }
    command
}

/// Starts the child, and returns its report.
pub(crate) fn seen(command: &mut BorrowingCommand<'_>) -> Seen {
    let child = command.stdout(Stdio::piped()).spawn().expect("the child starts");
    let output = child.wait_with_output().expect("the child can be read");
    assert!(output.status.success(), "{output:?}");
    Seen::parse(&String::from_utf8(output.stdout).expect("a report is text"))
}

/// The report of a child.
#[derive(Debug)]
pub(crate) struct Seen(BTreeMap<String, String>);

impl Seen {
    fn parse(text: &str) -> Self {
        let facts = text.lines().filter_map(|line| line.split_once(": "));
        Self(facts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// A fact, by its name.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The descriptors that were open.
    pub(crate) fn descriptors(&self) -> Vec<i32> {
        self.get("fds").split(' ').filter_map(|fd| fd.parse().ok()).collect()
    }
}

/// The descriptors that this process has open, found by asking for each number.
pub(crate) fn open_descriptors() -> Vec<i32> {
    let [_, hard] = descriptor_limit();
    let end = i32::try_from(if hard > CEILING { FLOOR } else { hard.max(FLOOR) }).unwrap_or(i32::MAX);
    // SAFETY: the call reads a flag of the descriptor and changes nothing, whichever code owns it.
    (0..end).filter(|&fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } != -1).collect()
}

/// The soft and the hard limit of descriptors.
fn descriptor_limit() -> [u64; 2] {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is written.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    #[expect(
        clippy::allow_attributes,
        reason = "its type differs by system, and no limit is a number that is not negative"
    )]
    #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions)]
    [limit.rlim_cur, limit.rlim_max].map(|limit| u64::try_from(limit).unwrap_or(u64::MAX))
}

/// Runs the verb of the first argument.
pub(crate) fn run(arguments: &[String]) -> i32 {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["report", ..] => put(1, report(&arguments).as_bytes()),
        ["report-to", fd, ..] => put(number(fd), report(&arguments).as_bytes()),
        ["exit", code] => number(code),
        // SAFETY: signals the calling process alone.
        ["kill", signal] => unsafe { libc::raise(number(signal)) },
        ["echo"] => i32::from(io::copy(&mut *stream(0), &mut *stream(1)).is_err()),
        ["spew"] => put(1, &vec![b'.'; 1 << 17]) | put(2, &vec![b'!'; 1 << 17]),
        _ => 99,
    }
}

fn report(arguments: &[&str]) -> String {
    let mut text = String::new();
    let fds = open_descriptors();
    line(&mut text, "fds", list(&fds));
    for fd in fds {
        line(&mut text, &format!("file {fd}"), file(fd));
    }
    line(&mut text, "arguments", arguments[1..].join("|"));
    line(&mut text, "variable", env::var("FORKEXEC_PORTABLE").unwrap_or_default());
    line(&mut text, "variables", env::vars_os().count());
    line(&mut text, "directory", env::current_dir().unwrap_or_default().display());
    // SAFETY: changes the calling process alone, which is the test's own.
    line(&mut text, "umask", format!("{:03o}", unsafe { libc::umask(0) }));
    ids(&mut text);
    signals(&mut text);
    // SAFETY: the call reads about the calling process and changes nothing.
    line(&mut text, "nice", unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) });
    let [soft, hard] = descriptor_limit();
    line(&mut text, "nofile", format!("{soft} {hard}"));
    text
}

fn ids(text: &mut String) {
    // SAFETY: the call reads about the calling process and changes nothing.
    let pid = unsafe { libc::getpid() };
    // SAFETY: as above.
    let group = unsafe { libc::getpgrp() };
    // SAFETY: as above.
    let session = unsafe { libc::getsid(0) };
    line(text, "leads", format!("group={} session={}", group == pid, session == pid));
    // SAFETY: as above.
    let [real, effective] = [unsafe { libc::getuid() }, unsafe { libc::geteuid() }];
    line(text, "users", format!("{real} {effective}"));
    // SAFETY: as above.
    let [real, effective] = [unsafe { libc::getgid() }, unsafe { libc::getegid() }];
    line(text, "groups", format!("{real} {effective}"));
    line(text, "more groups", more_groups().iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
}

/// The result of getgroups(2), sorted.
fn more_groups() -> Vec<libc::gid_t> {
    // SAFETY: a length of 0 returns the number of groups, and writes nothing.
    let count = unsafe { libc::getgroups(0, std::ptr::null_mut()) };
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: the vector has room for so many groups.
    unsafe { libc::getgroups(count, groups.as_mut_ptr()) };
    groups.sort_unstable();
    groups
}

/// Of the signals that every system has.
fn signals(text: &mut String) {
    let mut mask = MaybeUninit::uninit();
    // SAFETY: no set is given, and the present one is written.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, std::ptr::null(), mask.as_mut_ptr()) };
    // SAFETY: asking for the mask cannot fail.
    let mask = unsafe { mask.assume_init() };
    // SAFETY: the set is initialised.
    let is_blocked = |signal: &i32| unsafe { libc::sigismember(&raw const mask, *signal) } == 1;
    line(text, "blocked", list(&(1..32).filter(is_blocked).collect::<Vec<_>>()));
    line(text, "ignored", list(&(1..32).filter(|&signal| is_ignored(signal)).collect::<Vec<_>>()));
}

fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no action is given, and the present one is written, unless there is no such signal.
    unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeroed is an action, too.
    unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Identifies the file behind a descriptor.
pub(crate) fn file(fd: i32) -> String {
    let mut about = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: a `stat` is written, unless the descriptor is closed.
    unsafe { libc::fstat(fd, about.as_mut_ptr()) };
    // SAFETY: zeroed is a `stat`, too.
    let about = unsafe { about.assume_init() };
    format!("{}:{}", about.st_dev, about.st_ino)
}

fn stream(fd: i32) -> ManuallyDrop<File> {
    // SAFETY: nothing here closes descriptors, and the file is not dropped.
    ManuallyDrop::new(unsafe { File::from_raw_fd(fd) })
}

fn put(fd: i32, bytes: &[u8]) -> i32 {
    i32::from(stream(fd).write_all(bytes).is_err())
}

fn line(text: &mut String, name: &str, value: impl Display) {
    writeln!(text, "{name}: {value}").expect("writing to a string succeeds");
}

fn list(numbers: &[i32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn number(text: &str) -> i32 {
    text.parse().unwrap_or(99)
}

/// All of a descriptor, which is not closed by that.
pub(crate) fn text_of(mut from: impl io::Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).expect("the report can be read");
    text
}
