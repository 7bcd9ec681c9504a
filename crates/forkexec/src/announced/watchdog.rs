//! The child's side of a watchdog (`sd_watchdog_enabled(3)`).

use crate::error::{ActivationError, Error};
use crate::exec::notify_vars::{LONGEST, WATCHDOG, WATCHDOG_PID};
use std::env;
use std::ffi::OsString;
use std::process;
use std::time::Duration;

/// Returns the interval of the watchdog of this process, or `None` if it has none: its supervisor expects
/// [`notify("WATCHDOG=1")`](crate::notify) at least once per interval. Half the interval is a good pause.
///
/// The function reads `WATCHDOG_USEC` and `WATCHDOG_PID` (`sd_watchdog_enabled(3)`), as
/// [`Command::watchdog`](crate::Command::watchdog), systemd and others set them. A watchdog for another process is none.
///
/// # Errors
///
/// Returns [`Error::Activation`] if a variable has an invalid value.
///
/// # Examples
///
/// ```
/// if let Some(interval) = forkexec::watchdog_enabled()? {
///     std::thread::spawn(move || {
///         while let Ok(true) = forkexec::notify("WATCHDOG=1") {
///             std::thread::sleep(interval / 2);
///         }
///     });
/// }
/// # Ok::<(), forkexec::Error>(())
/// ```
pub fn watchdog_enabled() -> Result<Option<Duration>, Error> {
    Ok(interval(|name| env::var_os(name), process::id())?)
}

fn interval(
    variable: impl Fn(&str) -> Option<OsString>,
    own: u32,
) -> Result<Option<Duration>, ActivationError> {
    let number = |name: &'static str, most: u64| {
        let parse = |value: OsString| match value.to_str().and_then(|text| text.parse().ok()) {
            Some(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(ActivationError::Variable { name, value }),
        };
        variable(name).map(parse).transpose()
    };
    let Some(micros) = number(WATCHDOG, LONGEST)? else { return Ok(None) };
    let pid = number(WATCHDOG_PID, u32::MAX.into())?;
    Ok(pid.is_none_or(|pid| pid == own.into()).then(|| Duration::from_micros(micros)))
}

#[cfg(test)]
mod tests {
    use super::interval;
    use proptest::prelude::*;
    use rstest::rstest;
    use std::time::Duration;

    fn answer(micros: Option<&str>, pid: Option<&str>) -> Result<Option<Duration>, String> {
        let variable = |name: &str| if name == "WATCHDOG_USEC" { micros } else { pid }.map(Into::into);
        interval(variable, 42).map_err(|error| error.to_string())
    }

    #[rstest]
    #[case::none(None, None, None)]
    #[case::pid_alone(None, Some("42"), None)]
    #[case::for_this_process(Some("1500000"), Some("42"), Some(1_500_000))]
    #[case::for_any_process(Some("1"), None, Some(1))]
    #[case::for_another_process(Some("1"), Some("43"), None)]
    #[case::longest(Some("18446744073709551614"), None, Some(u64::MAX - 1))]
    fn watchdog_is_for_one_process(
        #[case] micros: Option<&str>,
        #[case] pid: Option<&str>,
        #[case] expected: Option<u64>,
    ) {
        assert_eq!(answer(micros, pid), Ok(expected.map(Duration::from_micros)));
    }

    #[rstest]
    #[case::zero("0", "42", "WATCHDOG_USEC: its value \"0\"")]
    #[case::infinite("18446744073709551615", "42", "WATCHDOG_USEC: its value \"18446744073709551615\"")]
    #[case::negative("-1", "42", "WATCHDOG_USEC: its value \"-1\"")]
    #[case::empty("", "42", "WATCHDOG_USEC: its value \"\"")]
    #[case::no_pid("1", "me", "WATCHDOG_PID: its value \"me\"")]
    #[case::pid_of_no_process("1", "0", "WATCHDOG_PID: its value \"0\"")]
    #[case::pid_above_all("1", "4294967296", "WATCHDOG_PID: its value \"4294967296\"")]
    fn invalid_watchdog_is_refused(#[case] micros: &str, #[case] pid: &str, #[case] part: &str) {
        assert_eq!(answer(Some(micros), Some(pid)), Err(format!("cannot use {part} is invalid")));
    }

    proptest! {
        #[test]
        fn any_watchdog_is_understood_or_refused(micros in ".{0,25}", pid in ".{0,12}") {
            if let Ok(Some(interval)) = answer(Some(&micros), Some(&pid)) {
                prop_assert!(interval.as_micros() > 0 && pid.parse() == Ok(42));
            }
        }
    }
}
