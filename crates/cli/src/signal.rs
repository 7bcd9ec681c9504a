//! Names and numbers of signals.

use nix::sys::signal::Signal;

/// Parses a signal, such as `SIGTERM`, `TERM`, `term` or `15`. Any number is accepted.
///
/// # Errors
///
/// Returns a message if `text` is neither a number nor the name of a signal.
pub(crate) fn parse(text: &str) -> Result<i32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    name.parse::<Signal>().map(|signal| signal as i32).map_err(|_| format!("there is no signal {text:?}"))
}

/// Returns the name of a signal, such as `SIGTERM`, or `signal 40` if it has none.
pub(crate) fn name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_names_and_numbers() {
        let cases = [
            ("SIGTERM", Ok(libc::SIGTERM)),
            ("term", Ok(libc::SIGTERM)),
            ("SigHup", Ok(libc::SIGHUP)),
            ("15", Ok(15)),
            ("-1", Ok(-1)),
            ("SIGNOTHING", Err("there is no signal \"SIGNOTHING\"".to_owned())),
            ("", Err("there is no signal \"\"".to_owned())),
        ];
        for (text, number) in cases {
            assert_eq!(parse(text), number, "{text}");
        }
    }

    #[test]
    fn signal_without_a_name_is_a_number() {
        assert_eq!((name(libc::SIGKILL).as_str(), name(40).as_str()), ("SIGKILL", "signal 40"));
    }
}
