//! The seccomp filter that Android puts before apps, on this host.
//!
//! It is made of bionic's lists (`android/calls.txt`): a call that the release does not list is trapped
//! (`SECCOMP_RET_TRAP`), which ends a process without a handler for SIGSYS. It judges the calls that this program makes
//! itself: those from its own code, and those by `syscall` of the C library. The C library's other calls are the host's: bionic
//! makes others in their place, which its lists allow. Programs that are started later lie at other addresses, and are not
//! judged either; the child of a start is judged up to its exec.
//!
//! Set in the environment: `FORKEXEC_ANDROID_API` is the API level, for suites that are built with
//! `--cfg forkexec_release="environment"` (`ci/android`). The library reads the same variable then.

use std::ffi::c_long;
use std::ops::Range;
use std::{env, fs, io};

use libc::sock_filter;

use crate::deny::{self, instruction};

const CALLS: &str = include_str!("android/calls.txt");

/// The API levels of the list: Android 8.0 to 15.
pub const LEVELS: std::ops::RangeInclusive<u32> = 26..=35;

/// `linux/bpf_common.h`: `BPF_JMP | BPF_JA`, `BPF_JMP | BPF_JGE | BPF_K`, `BPF_JMP | BPF_JGT | BPF_K`.
const JUMP: u32 = 0x05;
const JUMP_IF_NOT_LESS: u32 = 0x35;
const JUMP_IF_ABOVE: u32 = 0x25;

/// The offset of the call's address in `struct seccomp_data`. Both architectures of the list are little-endian.
const ADDRESS_LOW: u32 = 8;
const ADDRESS_HIGH: u32 = 12;

/// `syscall` of the C libraries is shorter than that.
const LENGTH_OF_SYSCALL: u64 = 64;

/// The column of the list that has this architecture's numbers, if one has.
const COLUMN: Option<usize> = if cfg!(target_arch = "x86_64") {
    Some(1)
} else if cfg!(target_arch = "aarch64") {
    Some(2)
} else {
    None
};

/// The API level that the environment tells, if the suites are built for that.
pub fn level() -> Option<u32> {
    let level =
        cfg!(forkexec_release = "environment").then(|| env::var("FORKEXEC_ANDROID_API").ok()).flatten()?;
    Some(level.parse().expect("an API level"))
}

/// Returns true if the filter of the API level in the environment allows this call (`libc::SYS_*`), or if there is no
/// such level.
pub fn lets(call: c_long) -> bool {
    let calls = level().and_then(allowed);
    calls.is_none_or(|calls| calls.iter().any(|&number| u32::try_from(call) == Ok(number)))
}

/// Installs the filter of the API level that the environment tells.
pub fn install_if_told() {
    if let Some(level) = level() {
        install(level).expect("the filter is taken");
    }
}

/// Traps the calls that an app of this API level may not make, in every thread of this process and in its children
/// before exec.
///
/// # Errors
///
/// As [`deny::Deny::install`], and `Unsupported` if the list has no numbers for this architecture.
pub fn install(level: u32) -> io::Result<()> {
    let calls = allowed(level).ok_or(io::ErrorKind::Unsupported)?;
    deny::install(&program(&calls, &judged()?))
}

/// Returns true if the filter of this API level lets the call of this name through.
pub fn lists(level: u32, name: &str) -> bool {
    listed(level).any(|fields| fields[0] == name)
}

/// The numbers of the calls that the filter of this API level lets through.
fn allowed(level: u32) -> Option<Vec<u32>> {
    let column = COLUMN?;
    Some(listed(level).filter_map(|fields| fields[column].parse().ok()).collect())
}

/// The lines of the list that apply to this API level, as fields.
fn listed(level: u32) -> impl Iterator<Item = Vec<&'static str>> {
    assert!(LEVELS.contains(&level), "the list has no API level {level}");
    let lines = CALLS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(' ').collect::<Vec<_>>()).filter(move |fields| {
        let first: u32 = fields[3].parse().expect("the first level");
        (first..=fields[4].parse().unwrap_or(u32::MAX)).contains(&level)
    })
}

/// The addresses of this program's own code, and of `syscall` in the C library.
fn judged() -> io::Result<Vec<Range<u64>>> {
    let program = env::current_exe()?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    let range = |line: &str| {
        let mut fields = line.split_whitespace();
        let (addresses, permissions) = (fields.next()?, fields.next()?);
        let is_code =
            permissions.contains('x') && fields.nth(3).is_some_and(|path| program.as_os_str() == path);
        let (start, end) = addresses.split_once('-').filter(|_| is_code)?;
        Some(u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
    };
    let mut ranges: Vec<_> = maps.lines().filter_map(range).collect();
    assert!(!ranges.is_empty(), "this program has code");
    let call: unsafe extern "C" fn(c_long, ...) -> c_long = libc::syscall;
    let address = call as usize as u64;
    assert!(!ranges.iter().any(|range| range.contains(&address)), "the C library is a library of its own");
    ranges.push(address..address + LENGTH_OF_SYSCALL);
    Ok(ranges)
}

fn program(calls: &[u32], judged: &[Range<u64>]) -> Vec<sock_filter> {
    let mut program = deny::of_this_architecture(libc::SECCOMP_RET_KILL_PROCESS);
    let blocks: Vec<_> = judged.iter().flat_map(halves).collect();
    for (index, (high, low)) in blocks.iter().enumerate() {
        // To the comparison of calls, which comes after the other blocks and a return.
        let rest = (blocks.len() - 1 - index) * BLOCK + 1;
        let rest = u32::try_from(rest).expect("there are few");
        program.push(instruction(deny::LOAD, ADDRESS_HIGH, 0));
        program.push(instruction(deny::JUMP_IF_EQUAL, *high, 4));
        program.push(instruction(deny::LOAD, ADDRESS_LOW, 0));
        program.push(instruction(JUMP_IF_NOT_LESS, *low.start(), 2));
        program.push(sock_filter { jt: 1, ..instruction(JUMP_IF_ABOVE, *low.end(), 0) });
        program.push(instruction(JUMP, rest, 0));
    }
    program.push(instruction(deny::RETURN, libc::SECCOMP_RET_ALLOW, 0));
    program.push(instruction(deny::LOAD, deny::NUMBER, 0));
    for &call in calls.iter().chain(&[deny::MARKER.0.into()]) {
        program.push(instruction(deny::JUMP_IF_EQUAL, call, 1));
        program.push(instruction(deny::RETURN, libc::SECCOMP_RET_ALLOW, 0));
    }
    program.push(instruction(deny::RETURN, libc::SECCOMP_RET_TRAP, 0));
    program
}

/// The instructions for one range.
const BLOCK: usize = 6;

/// A range as upper halves and inclusive ranges of lower ones: BPF compares 32 bits.
fn halves(range: &Range<u64>) -> Vec<(u32, std::ops::RangeInclusive<u32>)> {
    let (start, last) = (range.start, range.end - 1);
    let part = |high: u64| {
        let from = start.max(high << 32);
        let to = last.min(high << 32 | u64::from(u32::MAX));
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of one number")]
        (high as u32, from as u32..=to as u32)
    };
    (start >> 32..=last >> 32).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::{LEVELS, allowed, halves};

    #[test]
    fn each_release_lists_calls_and_some_list_close_range() {
        let has = |level, call| allowed(level).is_none_or(|calls| calls.contains(&call));
        for level in LEVELS {
            assert!(has(level, libc::SYS_close.try_into().unwrap()));
            if allowed(level).is_some() {
                assert_eq!(has(level, libc::SYS_close_range.try_into().unwrap()), level >= 33);
                assert_eq!(has(level, libc::SYS_setgroups.try_into().unwrap()), level <= 27);
            }
        }
    }

    #[test]
    fn range_across_a_32_bit_boundary_becomes_two() {
        assert_eq!(halves(&(0x1_0000_0010..0x1_0000_0020)), [(1, 0x10..=0x1f)]);
        assert_eq!(halves(&(0xffff_fff0..0x1_0000_0008)), [(0, 0xffff_fff0..=u32::MAX), (1, 0..=7)]);
    }
}
