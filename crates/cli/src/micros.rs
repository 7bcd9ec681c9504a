//! Durations in microseconds, for text and JSON.

use std::time::Duration;

/// Returns microseconds, rounded to one decimal.
pub(crate) fn micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micros_are_rounded_to_one_decimal() {
        assert_eq!(micros(Duration::from_nanos(123_456)).to_string(), "123.5");
        assert_eq!(micros(Duration::from_secs(2)).to_string(), "2000000");
        assert_eq!(micros(Duration::from_nanos(49)).to_string(), "0");
    }
}
