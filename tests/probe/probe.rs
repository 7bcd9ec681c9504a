//! The program that the tests start: it reports what it inherited.
//!
//! `report [--to N]` writes one line per fact to descriptor N (default 1). With `--below N` it checks only descriptors
//! below N. It ignores further arguments, but reports them. The other verbs do one thing each, see [`main`]. The
//! program is linked statically, and needs neither `/proc` nor any file, so that it runs in an empty chroot.
//!
//! There is no Rust `main`: the runtime opens `/dev/null` if 0, 1 or 2 is closed, and ignores SIGPIPE, which would
//! falsify the report. For the same reason the report opens nothing.
//!
//! Bytes outside printable ASCII are written as `\xNN`, `\` as `\\`.

#![no_main]

mod escape;

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::exit;

unsafe extern "C" {
    safe fn getpid() -> c_int;
    safe fn getppid() -> c_int;
    safe fn getpgid(pid: c_int) -> c_int;
    safe fn getsid(pid: c_int) -> c_int;
    safe fn tcgetpgrp(fd: c_int) -> c_int;
    safe fn getresuid(real: &mut c_uint, effective: &mut c_uint, saved: &mut c_uint) -> c_int;
    safe fn getresgid(real: &mut c_uint, effective: &mut c_uint, saved: &mut c_uint) -> c_int;
    safe fn getpriority(which: c_int, who: c_uint) -> c_int;
    safe fn umask(mask: c_uint) -> c_uint;
    safe fn raise(signal: c_int) -> c_int;
    fn close(fd: c_int) -> c_int;
    safe fn alarm(seconds: c_uint) -> c_uint;
    safe fn setsid() -> c_int;
    safe fn setpgid(pid: c_int, group: c_int) -> c_int;
    safe fn pause() -> c_int;
    safe fn sched_yield() -> c_int;
    safe fn usleep(microseconds: c_uint) -> c_int;
    safe fn _exit(code: c_int) -> !;
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn getgroups(size: c_int, list: *mut c_uint) -> c_int;
    fn sigprocmask(how: c_int, set: *const c_void, old: *mut c_void) -> c_int;
    fn prctl(operation: c_int, ...) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
}

/// The kernel's `struct rlimit64`.
#[repr(C)]
#[derive(Default)]
struct Limit {
    soft: u64,
    hard: u64,
}

const F_GETFD: c_int = 1;
const F_GETFL: c_int = 3;
const PRIO_PROCESS: c_int = 0;
const PR_GET_PDEATHSIG: c_int = 2;
const PR_SET_NAME: c_int = 15;
const PR_GET_NO_NEW_PRIVS: c_int = 39;
const SIG_IGN: usize = 1;
/// The numbers of rt_sigaction and prlimit64, from the `unistd.h` of each processor. C libraries hide signals 32 and
/// 33, and 32-bit ones have 32-bit limits, so the probe calls the kernel.
const NUMBERS: [c_long; 2] = if cfg!(target_arch = "x86_64") {
    [13, 302]
} else if cfg!(target_arch = "x86") {
    [174, 340]
} else if cfg!(target_arch = "arm") {
    [174, 369]
} else if cfg!(target_arch = "s390x") {
    [174, 334]
} else if cfg!(target_arch = "powerpc64") {
    [173, 325]
} else {
    [134, 261]
};
const SYS_RT_SIGACTION: c_long = NUMBERS[0];
const SYS_PRLIMIT64: c_long = NUMBERS[1];

/// By `RLIMIT_*` number.
const LIMITS: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];
const NOFILE: c_int = 7;

type Text = String;
type Words = [&'static [u8]];

/// Runs the verb of the first argument.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    let (given, environment) = (words(argv), words(envp));
    let verb: Vec<&str> = given.iter().skip(1).map(|arg| std::str::from_utf8(arg).unwrap_or("?")).collect();
    match verb[..] {
        ["report", "--to", fd, ..] => put(number(fd), report(&given, &environment, None).as_bytes()),
        ["report", "--below", end, ..] => put(1, report(&given, &environment, Some(number(end))).as_bytes()),
        ["report", ..] => put(1, report(&given, &environment, None).as_bytes()),
        ["escape"] => {
            let mut text = report(&given, &environment, None);
            escape::escape(&mut text);
            report_ids(&mut text);
            put(1, text.as_bytes());
        }
        ["exit", code] => exit(number(code)),
        ["kill", signal] => drop(raise(number(signal))),
        ["echo"] => copy(0, Some(1)),
        ["sleep-on-stdin"] => copy(0, None),
        ["write", fd, text] => put(number(fd), text.as_bytes()),
        ["spew", out, err] => spew(number(out), number(err)),
        ["exchange", seed, reads, out, err] => {
            exchange(number(seed), [number(reads), number(out), number(err)]);
        }
        ["touch", mib] => touch(number(mib)),
        ["family"] => family(),
        ["forkers", count] => forkers(number(count)),
        ["pause"] => drop(pause()),
        ["true"] => {}
        _ => die("usage: probe report|escape|exit|kill|echo|sleep-on-stdin|write|spew|exchange|touch|family|forkers|pause|true"),
    }
    0
}

fn report(args: &Words, environment: &Words, below: Option<c_int>) -> Text {
    let mut text = Text::new();
    report_descriptors(&mut text, below);
    report_ids(&mut text);
    report_places(&mut text);
    report_signals(&mut text);
    report_limits(&mut text);
    put_line(&mut text, "argv", args.len());
    for (index, arg) in args.iter().enumerate() {
        put_line(&mut text, &format!("arg {index}"), escaped(arg));
    }
    for entry in environment {
        writeln!(text, "env {}", escaped(entry)).expect("writing to a string succeeds");
    }
    text
}

/// Checks every number that can be open, without a cap and without a listing.
///
/// A descriptor can lie above a limit that was lowered later, hence at least 65,536. A caller that knows an upper bound
/// passes it as `below`.
fn report_descriptors(text: &mut Text, below: Option<c_int>) {
    let all = || c_int::try_from(limit(NOFILE).hard.max(65_536)).unwrap_or(c_int::MAX);
    let highest = below.map_or_else(all, |end| end - 1);
    let open: Vec<c_int> = (0..=highest).filter(|&fd| ask(fd, F_GETFD) >= 0).collect();
    put_line(text, "scanned", highest);
    put_line(text, "fds", list(&open));
    for fd in open {
        let flags = ask(fd, F_GETFL);
        let facts = match descriptor(fd).metadata() {
            Ok(about) => format!("dev={} ino={} mode={}", about.dev(), about.ino(), kind(about.mode())),
            Err(_) => "dev=0 ino=0 mode=other".to_owned(),
        };
        put_line(text, &format!("fd {fd}"), format!("{facts} flags={flags:#x}"));
    }
}

fn ask(fd: c_int, command: c_int) -> c_int {
    // SAFETY: both commands take no argument, and a closed descriptor is an error.
    unsafe { fcntl(fd, command) }
}

fn kind(mode: u32) -> &'static str {
    match mode & 0o170_000 {
        0o010_000 => "pipe",
        0o020_000 => "char",
        0o040_000 => "dir",
        0o060_000 => "block",
        0o100_000 => "file",
        0o140_000 => "socket",
        _ => "other",
    }
}

fn report_ids(text: &mut Text) {
    put_line(text, "pid", getpid());
    put_line(text, "ppid", getppid());
    put_line(text, "pgid", getpgid(0));
    put_line(text, "sid", getsid(0));
    match tcgetpgrp(0) {
        group if group >= 0 => put_line(text, "tpgid", group),
        _ => put_line(text, "tpgid", "none"),
    }
    for (names, ask) in [
        (
            ["ruid", "euid", "suid"],
            getresuid as extern "C" fn(&mut c_uint, &mut c_uint, &mut c_uint) -> c_int,
        ),
        (["rgid", "egid", "sgid"], getresgid),
    ] {
        let [mut real, mut effective, mut saved] = [0; 3];
        ask(&mut real, &mut effective, &mut saved);
        for (name, id) in names.into_iter().zip([real, effective, saved]) {
            put_line(text, name, id);
        }
    }
    let mut groups = vec![0; 65_536]; // NGROUPS_MAX
    // SAFETY: the list has the stated length.
    let count = unsafe { getgroups(65_536, groups.as_mut_ptr()) };
    groups.truncate(usize::try_from(count).unwrap_or(0));
    put_line(text, "groups", list(&groups));
}

fn report_places(text: &mut Text) {
    let cwd = std::env::current_dir();
    put_line(text, "cwd", cwd.map_or("none".to_owned(), |path| escaped(path.as_os_str().as_bytes())));
    let root = fs::metadata("/");
    put_line(text, "root", root.map_or("none".to_owned(), |it| format!("{} {}", it.dev(), it.ino())));
    let mask = umask(0);
    umask(mask);
    put_line(text, "umask", format!("{mask:03o}"));
}

fn report_signals(text: &mut Text) {
    let mut blocked = [0_u64; 16];
    // SAFETY: no set is given, and the 128 bytes hold any C library's sigset_t.
    unsafe { sigprocmask(0, std::ptr::null(), blocked.as_mut_ptr().cast()) };
    let signals = 1..=64;
    let is_blocked = |signal: &c_int| blocked[0] >> (signal - 1) & 1 == 1;
    put_line(text, "blocked", list(&signals.clone().filter(is_blocked).collect::<Vec<_>>()));
    let is_ignored = |signal: &c_int| disposition(*signal) == SIG_IGN;
    put_line(text, "ignored", list(&signals.clone().filter(is_ignored).collect::<Vec<_>>()));
    let is_handled = |signal: &c_int| disposition(*signal) > SIG_IGN;
    put_line(text, "handled", list(&signals.filter(is_handled).collect::<Vec<_>>()));
    let mut death_signal: c_int = 0;
    // SAFETY: the kernel writes one int to the address.
    unsafe { prctl(PR_GET_PDEATHSIG, &raw mut death_signal) };
    put_line(text, "pdeathsig", death_signal);
}

fn disposition(signal: c_int) -> usize {
    let mut action = [0_usize; 16]; // the handler comes first
    // SAFETY: no action is given, and the kernel's structure is shorter than `action`.
    unsafe { syscall(SYS_RT_SIGACTION, c_long::from(signal), 0_usize, action.as_mut_ptr(), 8_usize) };
    action[0]
}

fn report_limits(text: &mut Text) {
    put_line(text, "nice", getpriority(PRIO_PROCESS, 0));
    let none: c_ulong = 0;
    // SAFETY: this operation takes no address.
    put_line(text, "no_new_privs", unsafe { prctl(PR_GET_NO_NEW_PRIVS, none, none, none, none) });
    for (resource, name) in (0..).zip(LIMITS) {
        let limit = limit(resource);
        put_line(text, &format!("limit {name}"), format!("{} {}", limit.soft, limit.hard));
    }
}

fn limit(resource: c_int) -> Limit {
    let mut limit = Limit::default();
    // SAFETY: no new limit is given, and the old one is written.
    unsafe { syscall(SYS_PRLIMIT64, 0_usize, c_long::from(resource), 0_usize, &raw mut limit) };
    limit
}

fn copy(from: c_int, to: Option<c_int>) {
    let mut buffer = [0; 4096];
    loop {
        match descriptor(from).read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => to.map_or((), |to| put(to, &buffer[..count])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => die(&error.to_string()),
        }
    }
}

/// Writes a block to each in turn, so that a reader of only one of them hangs.
fn spew(mut out: usize, mut err: usize) {
    let block = [b'.'; 4096];
    while out + err > 0 {
        for (fd, left) in [(1, &mut out), (2, &mut err)] {
            let count = block.len().min(*left);
            put(fd, &block[..count]);
            *left -= count;
        }
    }
}

/// Reads and writes the given numbers of bytes, in blocks and an order that follow from the seed, and closes each
/// stream after its last byte. Reports on 3 how many bytes it read, and how many of them differ from [`byte`].
fn exchange(seed: u64, mut left: [usize; 3]) {
    let mut random = seed | 1;
    let mut done = [0_usize; 3];
    let mut wrong = 0;
    let mut block = vec![0; 1 << 17];
    let mut open = vec![0_usize, 1, 2];
    while !open.is_empty() {
        let place = draw(&mut random) % open.len();
        let stream = open[place];
        let most = block.len().min(1 << (draw(&mut random) % 18)).min(left[stream]);
        let count = match stream {
            0 => take_and_check(seed, done[0], &mut block[..most], &mut wrong),
            _ => say(seed, stream, done[stream], &mut block[..most]),
        };
        done[stream] += count;
        left[stream] -= count;
        if count == 0 || left[stream] == 0 {
            open.swap_remove(place);
            let fd = c_int::try_from(stream).expect("it is small");
            // SAFETY: nothing reads or writes it after this.
            unsafe { close(fd) };
        }
    }
    put(3, format!("{} {wrong}", done[0]).as_bytes());
}

fn take_and_check(seed: u64, at: usize, block: &mut [u8], wrong: &mut usize) -> usize {
    let count = loop {
        match descriptor(0).read(block) {
            Ok(count) => break count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => die(&error.to_string()),
        }
    };
    *wrong += (at..).zip(&block[..count]).filter(|(at, read)| byte(seed, 0, *at) != **read).count();
    count
}

fn say(seed: u64, stream: usize, at: usize, block: &mut [u8]) -> usize {
    for (at, place) in (at..).zip(&mut *block) {
        *place = byte(seed, stream, at);
    }
    put(c_int::try_from(stream).expect("it is small"), block);
    block.len()
}

/// Returns the byte at a place of a stream. The tests have the same function.
fn byte(seed: u64, stream: usize, at: usize) -> u8 {
    let mixed = (seed ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(8);
    mixed.to_le_bytes()[stream]
}

/// Marsaglia's xorshift64.
fn draw(random: &mut u64) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    usize::try_from(*random >> 33).expect("31 bits")
}

/// Has so much memory at one time.
fn touch(mib: usize) {
    let memory = vec![1_u8; mib << 20];
    std::hint::black_box(&memory);
}

/// Starts descendants that escape from it, each by another method, and stays. Each has its kind as its name, and writes
/// a byte to standard output when it has escaped.
fn family() {
    bear("stays", None, settle);
    for (kind, middle, end) in [
        ("orphan", nothing as fn(), settle as fn()),
        ("strayed", nothing, stray),
        ("hopper", nothing, hop),
        ("daemon", start_session, settle),
        ("rover", start_session, hop),
    ] {
        let parent = bear(kind, Some(middle), end);
        // SAFETY: nothing is written.
        unsafe { waitpid(parent, std::ptr::null_mut(), 0) };
    }
    settle();
}

/// Starts a child of this kind. If `middle` is given, a child that ends starts it, after this action.
fn bear(kind: &str, middle: Option<fn()>, end: fn()) -> c_int {
    // SAFETY: the probe has one thread.
    let child = unsafe { fork() };
    if child != 0 {
        return child;
    }
    if let Some(middle) = middle {
        middle();
        let parent = getpid();
        // SAFETY: as above.
        if unsafe { fork() } != 0 {
            _exit(0);
        }
        while getppid() == parent {
            sched_yield();
        }
    }
    let name = format!("{kind}\0");
    // SAFETY: the name is a C string.
    unsafe { prctl(PR_SET_NAME, name.as_ptr()) };
    end();
    _exit(0)
}

fn nothing() {}

fn start_session() {
    setsid();
}

/// Stays, but not longer than any test: a suite may have been killed.
fn settle() {
    put(1, b".");
    settle_silently();
}

fn settle_silently() {
    alarm(600);
    loop {
        pause();
    }
}

fn stray() {
    setpgid(0, 0);
    settle();
}

/// Is another process every millisecond, and stays after so many: a test that hangs may not fill the table of processes
/// with zombies.
fn hop() {
    put(1, b".");
    hop_with_pauses(10_000, 1_000);
    settle_silently();
}

/// Is another process so many times.
fn hop_with_pauses(times: u32, micros: u32) {
    for _ in 0..times {
        if micros > 0 {
            usleep(micros);
        }
        // SAFETY: the probe has one thread.
        if unsafe { fork() } > 0 {
            _exit(0);
        }
    }
}

/// Starts processes that fork without a pause, and stays.
fn forkers(count: usize) {
    for _ in 0..count {
        bear("forker", None, || {
            put(1, b".");
            hop_with_pauses(2_000, 0);
            settle_silently();
        });
    }
    settle_silently();
}

fn put(fd: c_int, bytes: &[u8]) {
    if let Err(error) = descriptor(fd).write_all(bytes) {
        die(&format!("descriptor {fd}: {error}"));
    }
}

fn descriptor(fd: c_int) -> ManuallyDrop<File> {
    // SAFETY: nothing here closes descriptors, and the file is not dropped.
    ManuallyDrop::new(unsafe { File::from_raw_fd(fd) })
}

fn put_line(text: &mut Text, name: &str, value: impl std::fmt::Display) {
    writeln!(text, "{name}: {value}").expect("writing to a string succeeds");
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

fn escaped(bytes: &[u8]) -> String {
    let escape = |&byte: &u8| match byte {
        b'\\' => r"\\".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!(r"\x{byte:02x}"),
    };
    bytes.iter().map(escape).collect()
}

fn words(list: *const *const c_char) -> Vec<&'static [u8]> {
    // SAFETY: argv and envp end with a null pointer, which ends the walk.
    let places = (0..).map(|index| unsafe { list.add(index) });
    // SAFETY: as above.
    let pointers = places.map(|place| unsafe { *place });
    // SAFETY: up to there each points to a string that lasts as long as the process.
    pointers.take_while(|it| !it.is_null()).map(|it| unsafe { CStr::from_ptr(it) }.to_bytes()).collect()
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| die("not a number"))
}

fn die(reason: &str) -> ! {
    let _ = descriptor(2).write_all(format!("probe: {reason}\n").as_bytes());
    exit(99)
}
