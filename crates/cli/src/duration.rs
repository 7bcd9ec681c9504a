//! Durations as text: parsed from options, and formatted for messages.

use std::time::Duration;

/// Units in milliseconds. `s` comes last, because others end in `s`.
const UNITS: [(&str, f64); 7] =
    [("ns", 1e-6), ("us", 1e-3), ("ms", 1.0), ("m", 60e3), ("h", 3_600e3), ("d", 86_400e3), ("s", 1e3)];

/// Parses a number with an optional fraction and an optional unit, such as `1.5`, `200ms` or `2h`. The default unit is
/// seconds.
///
/// # Errors
///
/// Returns a message if `text` is not such a number.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let unit = UNITS.iter().find_map(|&(unit, millis)| Some((text.strip_suffix(unit)?, millis)));
    let (number, millis) = unit.unwrap_or((text, 1e3));
    let is_decimal = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let value = number.parse::<f64>().ok().filter(|_| is_decimal);
    let value = value
        .ok_or_else(|| format!("{text:?} is not a number with one of the units ns, us, ms, s, m, h and d"))?;
    Duration::try_from_secs_f64(value * millis / 1e3).map_err(|_| format!("{text} is too long"))
}

/// Formats a duration: `59.9 s` below a minute, `1:05` below an hour, else `1:02:03`.
pub(crate) fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}.{} s", duration.subsec_millis() / 100),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_fractions_and_units() {
        let cases = [
            ("10", 10_000),
            ("1.5", 1_500),
            ("0", 0),
            (".5s", 500),
            ("200ms", 200),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1", "+1", "1e3", "inf", "1 s", "1w", "1.2.3", "1ss"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert_eq!(parse("50us"), Ok(Duration::from_micros(50)));
        assert_eq!(parse("7ns"), Ok(Duration::from_nanos(7)));
        assert_eq!(parse("99999999999999999999d"), Err("99999999999999999999d is too long".to_owned()));
    }

    #[test]
    fn long_durations_have_minutes_and_hours() {
        let cases = [(0, "0.0 s"), (59_990, "59.9 s"), (65_000, "1:05"), (3_723_000, "1:02:03")];
        for (millis, text) in cases {
            assert_eq!(written(Duration::from_millis(millis)), text);
        }
    }
}
