//! Signals by name and by number.

use nix::sys::signal::Signal;

/// The number of a signal written as `SIGTERM`, `TERM`, `term` or `15`.
///
/// # Errors
///
/// It is neither a number nor a name. Whether the number is a signal's is not looked at.
pub(crate) fn parse(text: &str) -> Result<i32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    name.parse::<Signal>().map(|signal| signal as i32).map_err(|_| format!("no signal is named {text:?}"))
}

/// `SIGTERM`, or `signal 40` where there is no name.
pub(crate) fn name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read() {
        let cases = [
            ("SIGTERM", Ok(libc::SIGTERM)),
            ("term", Ok(libc::SIGTERM)),
            ("SigHup", Ok(libc::SIGHUP)),
            ("15", Ok(15)),
            ("-1", Ok(-1)),
            ("SIGNOTHING", Err("no signal is named \"SIGNOTHING\"".to_owned())),
            ("", Err("no signal is named \"\"".to_owned())),
        ];
        for (text, number) in cases {
            assert_eq!(parse(text), number, "{text}");
        }
    }

    #[test]
    fn every_number_has_words() {
        assert_eq!((name(libc::SIGKILL).as_str(), name(40).as_str()), ("SIGKILL", "signal 40"));
    }
}
