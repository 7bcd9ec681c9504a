//! Durations in microseconds, for people and for JSON.

use std::time::Duration;

/// Microseconds with one decimal.
pub(crate) fn micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_decimal_and_no_noise() {
        assert_eq!(micros(Duration::from_nanos(123_456)).to_string(), "123.5");
        assert_eq!(micros(Duration::from_secs(2)).to_string(), "2000000");
        assert_eq!(micros(Duration::from_nanos(49)).to_string(), "0");
    }
}
