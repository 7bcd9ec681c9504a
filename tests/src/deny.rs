//! System calls that fail, or kill, in this process and all its children.
//!
//! The module writes a seccomp filter. Children inherit it, also across exec, so it applies to the launched program, too. It
//! cannot be removed: install it in an isolated test, and deny nothing that the test harness needs to end.
//!
//! Man page: [seccomp(2)](https://man7.org/linux/man-pages/man2/seccomp.2.html).

use std::io;

use libc::{c_int, c_long, sock_filter};

use crate::isolate::skip;
use crate::sys;

const AUDIT_ARCH: u32 = if cfg!(target_arch = "x86_64") {
    0xC000_003E
} else if cfg!(target_arch = "aarch64") {
    0xC000_00B7
} else if cfg!(target_arch = "x86") {
    0x4000_0003
} else if cfg!(target_arch = "arm") {
    0x4000_0028
} else if cfg!(target_arch = "s390x") {
    0x8000_0016
} else if cfg!(target_arch = "riscv64") {
    0xC000_00F3
} else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
    0xC000_0015
} else {
    panic!("the number of this architecture is unknown: see linux/audit.h")
};

/// `linux/bpf_common.h`: `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K`, `BPF_JMP | BPF_JSET | BPF_K`,
/// `BPF_RET | BPF_K`. The libc crate does not have them for every C library.
pub(crate) const LOAD: u32 = 0x20;
pub(crate) const JUMP_IF_EQUAL: u32 = 0x15;
const JUMP_IF_ANY_SET: u32 = 0x45;
pub(crate) const RETURN: u32 = 0x06;

/// The offsets of the call's number, of the architecture, and of the lower half of the first argument in `struct
/// seccomp_data`.
pub(crate) const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = if cfg!(target_endian = "big") { 20 } else { 16 };

/// The calls that make a process. A C library forks by one of them, and not all by the same.
const STARTS: &[c_long] = &[
    libc::SYS_clone,
    libc::SYS_clone3,
    #[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64")))]
    libc::SYS_fork,
    #[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64")))]
    libc::SYS_vfork,
];

/// The calls that open a file by its path. musl opens by the older one where the architecture has it.
const OPENS: &[c_long] = &[
    libc::SYS_openat,
    #[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64")))]
    libc::SYS_open,
];

/// A call that no kernel has, and the error with which each filter answers it.
pub(crate) const MARKER: (u16, c_int) = (9_999, 4_094);

/// The calls to deny, and how.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is denied before `install`"]
pub struct Deny {
    rules: Vec<Rule>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    call: u32,
    /// Only with one of these flags in this argument.
    flags: Option<(u32, u32)>,
    action: u32,
}

impl Deny {
    /// Denies nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a call (`libc::SYS_*`) fail with an error number.
    ///
    /// The first rule for a call wins.
    ///
    /// # Panics
    ///
    /// If the kernel could not report the number: it is not in `0..=4095`.
    pub fn errno(self, call: c_long, errno: c_int) -> Self {
        self.rule(call, None, failing(errno))
    }

    /// Lets a call fail with an error number if its argument `index`, counted from 0, has one of these flags.
    pub fn errno_with(self, call: c_long, index: u32, flags: c_int, errno: c_int) -> Self {
        self.rule(call, Some((index, flags)), failing(errno))
    }

    /// Lets every call that makes a process fail with an error number.
    pub fn starts(self, errno: c_int) -> Self {
        STARTS.iter().fold(self, |deny, &call| deny.errno(call, errno))
    }

    /// Lets every call that opens a file by its path fail with an error number.
    pub fn opens(self, errno: c_int) -> Self {
        OPENS.iter().fold(self, |deny, &call| deny.errno(call, errno))
    }

    /// Lets a call kill the process with SIGSYS.
    pub fn kill(self, call: c_long) -> Self {
        self.rule(call, None, libc::SECCOMP_RET_KILL_PROCESS)
    }

    /// Traps a call: the kernel sends SIGSYS to the thread, which ends a process that has no handler for it or blocks it.
    pub fn trap(self, call: c_long) -> Self {
        self.rule(call, None, libc::SECCOMP_RET_TRAP)
    }

    /// Traps a call if its argument `index`, counted from 0, has one of these flags.
    pub fn trap_with(self, call: c_long, index: u32, flags: c_int) -> Self {
        self.rule(call, Some((index, flags)), libc::SECCOMP_RET_TRAP)
    }

    fn rule(mut self, call: c_long, flags: Option<(u32, c_int)>, action: u32) -> Self {
        let call = u32::try_from(call).expect("a system call's number");
        let flags = flags.map(|(index, flags)| (index, u32::from_ne_bytes(flags.to_ne_bytes())));
        self.rules.push(Rule { call, flags, action });
        self
    }

    /// Denies the calls to every thread of this process from now on.
    ///
    /// `no_new_privs` is set only for a process without `CAP_SYS_ADMIN`, which cannot filter without it. Children inherit it.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if it rejects the filter, and `Other` if a thread cannot get it.
    ///
    /// # Panics
    ///
    /// If the filter does not judge the calls of this process.
    pub fn install(self) -> io::Result<()> {
        install(&self.program())?;
        let (call, errno) = MARKER;
        assert_eq!(sys::unknown_call(call).raw_os_error(), Some(errno), "the filter judges no call");
        Ok(())
    }

    /// Like [`install`](Self::install). Returns false, after a [`skip`], if there are no filters, as in an emulator.
    pub fn installed(self) -> bool {
        match self.install() {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
                skip("there are no filters of system calls here: seccomp(2) is missing");
                false
            }
            result => {
                result.expect("a filter is taken");
                true
            }
        }
    }

    /// Programs of another architecture are not filtered: the machine's own shell, in a test of 32 bits.
    fn program(&self) -> Vec<sock_filter> {
        let mut program = of_this_architecture(libc::SECCOMP_RET_ALLOW);
        program.push(instruction(LOAD, NUMBER, 0));
        let marker = Rule { call: MARKER.0.into(), flags: None, action: failing(MARKER.1) };
        for &Rule { call, flags, action } in [marker].iter().chain(&self.rules) {
            let Some((index, flags)) = flags else {
                program.push(instruction(JUMP_IF_EQUAL, call, 1));
                program.push(instruction(RETURN, action, 0));
                continue;
            };
            program.push(instruction(JUMP_IF_EQUAL, call, 4));
            program.push(instruction(LOAD, ARGUMENTS + 8 * index, 0));
            program.push(instruction(JUMP_IF_ANY_SET, flags, 1));
            program.push(instruction(RETURN, action, 0));
            program.push(instruction(LOAD, NUMBER, 0));
        }
        program.push(instruction(RETURN, libc::SECCOMP_RET_ALLOW, 0));
        program
    }
}

/// Applies a filter to all threads, as [`Deny::install`] does.
pub(crate) fn install(program: &[sock_filter]) -> io::Result<()> {
    match sys::filter_calls(program) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            sys::set_no_new_privs()?;
            sys::filter_calls(program)
        }
        result => result,
    }
}

/// The start of a filter, with the action for a call by another architecture's numbers.
pub(crate) fn of_this_architecture(other: u32) -> Vec<sock_filter> {
    let mut program = vec![
        instruction(LOAD, ARCH, 0),
        instruction(JUMP_IF_EQUAL, AUDIT_ARCH, 0),
        instruction(RETURN, other, 0),
    ];
    program[1].jt = 1;
    program
}

fn failing(errno: c_int) -> u32 {
    let errno = u32::try_from(errno).ok().filter(|&errno| errno <= 4095);
    libc::SECCOMP_RET_ERRNO | errno.expect("an error number the kernel can report")
}

/// `skip`: the number of instructions to skip if a comparison fails.
pub(crate) fn instruction(code: u32, operand: u32, skip: u8) -> sock_filter {
    let code = u16::try_from(code).expect("an instruction's code");
    sock_filter { code, jt: 0, jf: skip, k: operand }
}
