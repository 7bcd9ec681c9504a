//! Medians and ratios.

/// Returns a quantile by the nearest rank. Returns NaN for an empty slice.
pub(super) fn quantile(numbers: &[f64], at: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let rank = (at * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(rank).copied().unwrap_or(f64::NAN)
}

/// Returns the median.
pub(super) fn median(numbers: &[f64]) -> f64 {
    quantile(numbers, 0.5)
}

/// Returns the median of the quotients within rounds. A disturbance of a round affects both values.
pub(super) fn ratio(numbers: &[f64], to: &[f64]) -> f64 {
    let quotients: Vec<f64> = numbers.iter().zip(to).map(|(a, b)| a / b).collect();
    median(&quotients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_value() {
        assert!((median(&[5.0, 1.0, 3.0]) - 3.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratio_is_taken_per_round() {
        assert!((ratio(&[2.0, 20.0, 200.0], &[1.0, 10.0, 100.0]) - 2.0).abs() < f64::EPSILON);
    }
}
