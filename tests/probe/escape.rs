//! A program after a change of its user: its ids and capabilities, and the result of each attempt to regain privileges.
//!
//! It uses only system calls, because `/proc` may be missing. The C library's `set*id` apply to the whole program,
//! which has one thread.

use std::ffi::{c_char, c_int, c_uint, c_ulong};
use std::fmt::Write as _;
use std::io;

use super::{Text, prctl, put_line};

unsafe extern "C" {
    safe fn setuid(uid: c_uint) -> c_int;
    safe fn seteuid(uid: c_uint) -> c_int;
    safe fn setreuid(real: c_uint, effective: c_uint) -> c_int;
    safe fn setresuid(real: c_uint, effective: c_uint, saved: c_uint) -> c_int;
    safe fn setfsuid(uid: c_uint) -> c_int;
    safe fn setgid(gid: c_uint) -> c_int;
    safe fn setegid(gid: c_uint) -> c_int;
    safe fn setresgid(real: c_uint, effective: c_uint, saved: c_uint) -> c_int;
    safe fn setfsgid(gid: c_uint) -> c_int;
    fn setgroups(count: usize, groups: *const c_uint) -> c_int;
    fn chroot(path: *const c_char) -> c_int;
    safe fn kill(pid: c_int, signal: c_int) -> c_int;
    safe fn setpriority(which: c_int, who: c_uint, nice: c_int) -> c_int;
    safe fn unshare(flags: c_int) -> c_int;
    fn capget(header: *mut Header, sets: *mut Sets) -> c_int;
    fn capset(header: *mut Header, sets: *const Sets) -> c_int;
}

/// `linux/capability.h`: version 3, two words for each set.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: c_int,
}

impl Header {
    fn of_this_process() -> Self {
        Self { version: VERSION, pid: 0 }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const UNCHANGED: c_uint = c_uint::MAX;
const CLONE_NEWNS: c_int = 0x2_0000;
const PR_CAPBSET_READ: c_int = 23;
const PR_SET_SECUREBITS: c_int = 28;
const PR_CAP_AMBIENT: c_int = 47;
const IS_SET: c_ulong = 1;
const RAISE: c_ulong = 2;
const CAPABILITIES: u64 = 64;
/// `CAP_SETUID`.
const SETUID: c_ulong = 7;

/// Writes the privileges before the attempts, makes them, and writes the privileges after them.
pub(super) fn escape(text: &mut Text) {
    put_left(text, "before");
    for (name, attempt) in ATTEMPTS {
        let answer = attempt();
        let errno = if answer == 0 { 0 } else { io::Error::last_os_error().raw_os_error().unwrap_or(-1) };
        writeln!(text, "try {name}: {errno}").expect("writing to a string succeeds");
    }
    put_left(text, "after");
}

type Attempt = fn() -> c_int;

const ATTEMPTS: [(&str, Attempt); 19] = [
    ("setuid", || setuid(0)),
    ("seteuid", || seteuid(0)),
    ("setreuid", || setreuid(0, 0)),
    ("setresuid", || setresuid(0, 0, 0)),
    ("setresuid-effective", || setresuid(UNCHANGED, 0, UNCHANGED)),
    ("setresuid-saved", || setresuid(UNCHANGED, UNCHANGED, 0)),
    ("setfsuid", || took(setfsuid, 0)),
    ("setgid", || setgid(0)),
    ("setegid", || setegid(0)),
    ("setresgid", || setresgid(0, 0, 0)),
    ("setfsgid", || took(setfsgid, 0)),
    ("setgroups", || {
        // SAFETY: one id is read.
        unsafe { setgroups(1, &raw const ROOT) }
    }),
    ("setgroups-none", || {
        // SAFETY: nothing is read.
        unsafe { setgroups(0, std::ptr::null()) }
    }),
    ("capset", take_all_capabilities),
    ("ambient", || of_prctl(PR_CAP_AMBIENT, [RAISE, SETUID])),
    ("securebits", || of_prctl(PR_SET_SECUREBITS, [0, 0])),
    ("chroot", || {
        // SAFETY: the path is a C string.
        unsafe { chroot(c"/".as_ptr()) }
    }),
    ("unshare", || unshare(CLONE_NEWNS)),
    ("kill-or-hurry", || kill(1, 0).min(setpriority(0, 0, -20))),
];

static ROOT: c_uint = 0;

/// These return the old value, and no error.
fn took(set: extern "C" fn(c_uint) -> c_int, id: c_uint) -> c_int {
    set(id);
    if c_int::try_from(id) == Ok(set(UNCHANGED)) { 0 } else { -1 }
}

fn take_all_capabilities() -> c_int {
    let all = Sets { effective: u32::MAX, permitted: u32::MAX, inheritable: u32::MAX };
    let high = Sets { effective: 0x1ff, permitted: 0x1ff, inheritable: 0x1ff };
    let mut header = Header::of_this_process();
    // SAFETY: both outlive the call, which reads two sets.
    unsafe { capset(&raw mut header, [all, high].as_ptr()) }
}

fn of_prctl(operation: c_int, [second, third]: [c_ulong; 2]) -> c_int {
    let none: c_ulong = 0;
    // SAFETY: the requested operations take only numbers.
    unsafe { prctl(operation, second, third, none, none) }
}

fn put_left(text: &mut Text, when: &str) {
    let mut sets = [Sets::default(); 2];
    let mut header = Header::of_this_process();
    // SAFETY: both outlive the call, which writes two sets.
    unsafe { capget(&raw mut header, sets.as_mut_ptr()) };
    let whole = |part: fn(&Sets) -> u32| u64::from(part(&sets[1])) << 32 | u64::from(part(&sets[0]));
    let all = |is_set: fn(c_ulong) -> c_int| {
        (0..CAPABILITIES).filter(|&it| is_set(it as c_ulong) == 1).fold(0_u64, |set, it| set | 1 << it)
    };
    for (name, set) in [
        ("permitted", whole(|sets| sets.permitted)),
        ("effective", whole(|sets| sets.effective)),
        ("inheritable", whole(|sets| sets.inheritable)),
        ("ambient", all(|it| of_prctl(PR_CAP_AMBIENT, [IS_SET, it]))),
        ("bounding", all(|it| of_prctl(PR_CAPBSET_READ, [it, 0]))),
    ] {
        put_line(text, &format!("{when} {name}"), set);
    }
    put_line(text, &format!("{when} fsuid"), setfsuid(UNCHANGED));
    put_line(text, &format!("{when} fsgid"), setfsgid(UNCHANGED));
}
