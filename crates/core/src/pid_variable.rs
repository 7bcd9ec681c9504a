//! An environment variable whose value is the process ID of the program. Only the child can write it.

use crate::Pid;
use core::sync::atomic::{AtomicU8, Ordering};

/// Room for the name, the equals sign, ten digits and the NUL.
const LENGTH: usize = 32;
const DIGITS_AND_NUL: usize = 11;

/// `NAME=`, after which the child writes its process id before exec.
///
/// Each start needs one of its own, because a child that shares memory writes into that of the parent.
#[derive(Debug)]
pub struct PidVariable {
    /// The name, the equals sign and the digits. The rest is NUL.
    bytes: [AtomicU8; LENGTH],
    /// The index of the first digit.
    value: usize,
}

impl PidVariable {
    /// Creates a variable. Returns `None` if the name is empty, is longer than 20 bytes, or contains `=` or a NUL byte.
    pub fn new(name: &str) -> Option<Self> {
        let value = name.len() + 1;
        if name.is_empty() || value + DIGITS_AND_NUL > LENGTH || name.contains(['=', '\0']) {
            return None;
        }
        let bytes = [const { AtomicU8::new(0) }; LENGTH];
        for (place, byte) in bytes.iter().zip(name.bytes().chain([b'='])) {
            place.store(byte, Ordering::Relaxed);
        }
        Some(Self { bytes, value })
    }

    /// Writes the process ID, without leading zeros.
    pub(crate) fn write(&self, pid: Pid) {
        let pid = pid.unsigned_abs();
        let mut unit = 1_u32;
        while pid.checked_div(unit).is_some_and(|rest| rest >= 10) {
            unit = unit.wrapping_mul(10);
        }
        for place in self.bytes.iter().skip(self.value) {
            let Some(rest) = pid.checked_div(unit) else { break };
            place.store(b'0' + (rest % 10) as u8, Ordering::Relaxed);
            unit /= 10;
        }
    }

    /// The first byte.
    pub(crate) const fn first(&self) -> &AtomicU8 {
        let [first, ..] = &self.bytes;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::PidVariable;
    use core::sync::atomic::Ordering;
    use rstest::rstest;
    use std::string::String;

    fn text(variable: &PidVariable) -> String {
        let bytes = variable.bytes.iter().map(|byte| byte.load(Ordering::Relaxed));
        bytes.take_while(|&byte| byte != 0).map(char::from).collect()
    }

    #[rstest]
    #[case::one_digit(7)]
    #[case::ten(10)]
    #[case::round_number(32_000)]
    #[case::highest_of_linux(4_194_304)]
    #[case::highest_there_can_be(i32::MAX)]
    #[case::none(0)]
    fn pid_is_written_in_decimal(#[case] pid: i32) {
        let variable = PidVariable::new("LISTEN_PID").unwrap();
        assert_eq!(text(&variable), "LISTEN_PID=");
        variable.write(pid);
        assert_eq!(text(&variable), std::format!("LISTEN_PID={pid}"));
    }

    #[rstest]
    #[case::empty("")]
    #[case::with_an_equals_sign("A=B")]
    #[case::with_a_nul("A\0")]
    #[case::too_long("ABCDEFGHIJKLMNOPQRSTU")]
    fn invalid_variable_name_is_refused(#[case] name: &str) {
        assert!(PidVariable::new(name).is_none());
    }

    #[test]
    fn longest_name_leaves_room_for_the_longest_pid() {
        let variable = PidVariable::new("ABCDEFGHIJKLMNOPQRST").unwrap();
        variable.write(i32::MAX);
        assert_eq!(text(&variable), "ABCDEFGHIJKLMNOPQRST=2147483647");
    }
}
