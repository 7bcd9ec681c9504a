//! The filter that stops a traced program at calls on descriptors, and at no others.

use libc::sock_filter;

use super::calls::{self, COMMANDS, Does, REQUESTS};

/// `AUDIT_ARCH_*` of linux/audit.h. Calls with the numbers of another architecture do not stop.
const AUDIT_ARCH: u32 = if cfg!(target_arch = "x86_64") {
    0xC000_003E
} else if cfg!(target_arch = "aarch64") {
    0xC000_00B7
} else {
    0xC000_00F3
};

/// `linux/bpf_common.h`: `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K`, `BPF_RET | BPF_K`.
const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// The offsets of the call's number, the architecture and the lower half of the second argument in `struct seccomp_data`,
/// on a little-endian processor.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const SECOND_ARGUMENT: u32 = 24;

/// Returns the filter. It allows all calls, and stops some of them for the tracer first.
pub(super) fn program() -> Vec<sock_filter> {
    let mut program = vec![load(ARCH), skip_unless(AUDIT_ARCH, 0), allow(), load(NUMBER)];
    program[1] = sock_filter { jt: 1, jf: 0, ..program[1] };
    for call in calls::all() {
        let number = u32::try_from(call.number).expect("a call's number");
        match call.does {
            Does::Controls => program.extend(by_second_argument(number, &COMMANDS.map(i32::unsigned_abs))),
            Does::Marks => program.extend(by_second_argument(number, &REQUESTS.map(lower_half))),
            Does::Filters => {}
            _ => program.extend([skip_unless(number, 1), stop()]),
        }
    }
    program.push(allow());
    program
}

/// Stops a call if its second argument is one of these.
fn by_second_argument(number: u32, values: &[u32]) -> Vec<sock_filter> {
    let mut part = vec![load(SECOND_ARGUMENT)];
    part.extend(values.iter().flat_map(|&value| [skip_unless(value, 1), stop()]));
    part.push(allow());
    let length = u8::try_from(part.len()).expect("a short list");
    part.insert(0, skip_unless(number, length));
    part
}

#[expect(clippy::cast_possible_truncation, reason = "the function truncates")]
fn lower_half(value: u64) -> u32 {
    value as u32
}

fn load(from: u32) -> sock_filter {
    sock_filter { code: LOAD, jt: 0, jf: 0, k: from }
}

/// Skips so many instructions unless the loaded value is `value`.
fn skip_unless(value: u32, instructions: u8) -> sock_filter {
    sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: instructions, k: value }
}

fn stop() -> sock_filter {
    sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_TRACE }
}

fn allow() -> sock_filter {
    sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter for a call. Implements only the instructions that the filter uses.
    fn judged(arch: u32, number: u32, second: u32) -> u32 {
        let program = program();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            match code {
                LOAD => {
                    loaded = [(NUMBER, number), (ARCH, arch), (SECOND_ARGUMENT, second)]
                        .into_iter()
                        .find_map(|(place, value)| (place == k).then_some(value))
                        .expect("only these are loaded");
                }
                JUMP_IF_EQUAL => at += usize::from(if loaded == k { jt } else { jf }),
                _ => return k,
            }
        }
    }

    #[test]
    fn filter_stops_exactly_the_calls_on_descriptors() {
        let number = |call: libc::c_long| u32::try_from(call).expect("a call's number");
        let cases = [
            (libc::SYS_openat, 0, true),
            (libc::SYS_fsmount, 0, true),
            (libc::SYS_dup3, 0, true),
            (libc::SYS_unshare, 0, true),
            (libc::SYS_fcntl, libc::F_SETFD.unsigned_abs(), true),
            (libc::SYS_fcntl, libc::F_DUPFD_CLOEXEC.unsigned_abs(), true),
            (libc::SYS_fcntl, libc::F_GETFL.unsigned_abs(), false),
            (libc::SYS_ioctl, lower_half(REQUESTS[1]), true),
            (libc::SYS_ioctl, 0x5401, false),
            (libc::SYS_read, 0, false),
            (libc::SYS_close, 0, false),
            (libc::SYS_seccomp, 0, false),
        ];
        for (call, second, stops) in cases {
            let expected = if stops { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
            assert_eq!(judged(AUDIT_ARCH, number(call), second), expected, "{call} {second}");
        }
        assert_eq!(judged(0x4000_0003, number(libc::SYS_openat), 0), libc::SECCOMP_RET_ALLOW);
    }
}
