//! The names at the ends of the lines, moved apart so that they do not overlap.

use super::curve::Curve;
use super::{SIZE, text};
use crate::bench::Failure;
use plotters::coord::Shift;
use plotters::prelude::*;

/// The distance from one name to the next.
const STEP: i32 = 14;
/// The distance from the end of a line to its name.
const AWAY: i32 = 24;

/// Draws the names, and a thin line from each to its curve.
pub(super) fn draw(
    root: &DrawingArea<SVGBackend<'_>, Shift>,
    mut ends: Vec<((i32, i32), &Curve)>,
) -> Result<(), Failure> {
    ends.sort_by_key(|((_, y), _)| *y);
    let heights = apart(&ends.iter().map(|((_, y), _)| *y).collect::<Vec<_>>());
    for (((x, y), curve), height) in ends.into_iter().zip(heights) {
        let colour = curve.colour();
        let leader = vec![(x + 5, y), (x + AWAY - 3, height)];
        root.draw(&PathElement::new(leader, colour.mix(0.4))).map_err(text)?;
        let font = ("sans-serif", 12).into_font().color(&colour);
        root.draw(&Text::new(curve.title.clone(), (x + AWAY, height - 6), font)).map_err(text)?;
    }
    Ok(())
}

/// Returns the heights in the same order, at least one step apart, and above the lower edge.
fn apart(sorted: &[i32]) -> Vec<i32> {
    let mut heights = sorted.to_vec();
    for index in 1..heights.len() {
        heights[index] = heights[index].max(heights[index - 1] + STEP);
    }
    let lowest = i32::try_from(SIZE.1).unwrap_or(i32::MAX) - STEP;
    let mut below = lowest + STEP;
    for height in heights.iter_mut().rev() {
        *height = (*height).min(below - STEP);
        below = *height;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_overlap() {
        assert_eq!(apart(&[10, 11, 100]), [10, 10 + STEP, 100]);
    }

    #[test]
    fn names_stay_in_the_drawing() {
        assert_eq!(apart(&[565, 566]), [566 - STEP, 566]);
    }
}
