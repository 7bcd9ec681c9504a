//! The line of a method.

use crate::bench::measure::Table;
use crate::bench::method::Kind;
use crate::bench::peer::Peers;
use crate::bench::scenario::World;
use plotters::style::{Color as _, RGBColor, ShapeStyle};

const OURS: RGBColor = RGBColor(0, 90, 200);
const FLOOR: RGBColor = RGBColor(0, 0, 0);
const CLOSES: RGBColor = RGBColor(110, 110, 110);
const LEAKS: RGBColor = RGBColor(205, 120, 60);

/// A method with its medians.
pub(super) struct Curve {
    pub(super) title: String,
    pub(super) points: Vec<(f64, f64)>,
    kind: Kind,
    exact: bool,
}

/// Returns a curve for each method that has a result in each column of the table.
pub(super) fn all(table: &Table, peers: &Peers, at: impl Fn(World) -> f64) -> Vec<Curve> {
    let of_row = |index: usize| {
        let cells =
            table.columns.iter().map(|column| Some((column.scenario.world, column.cells[index].measured()?)));
        cells.collect::<Option<Vec<_>>>()
    };
    let rows = peers.rows.iter().enumerate().filter_map(|(index, row)| Some((row, of_row(index)?)));
    rows.map(|(row, cells)| {
        let exact = cells.iter().all(|(_, measured)| measured.exact);
        Curve {
            title: if exact { row.title.clone() } else { format!("{} (leaks)", row.title) },
            points: cells.iter().map(|(world, measured)| (at(*world), measured.median())).collect(),
            kind: row.kind,
            exact,
        }
    })
    .collect()
}

impl Curve {
    /// Returns blue for this library, black for the floor, grey for a peer that closes, and orange for a leak.
    pub(super) fn colour(&self) -> RGBColor {
        match self.kind {
            _ if !self.exact => LEAKS,
            Kind::Ours => OURS,
            Kind::Floor => FLOOR,
            Kind::Peer => CLOSES,
        }
    }

    /// Returns the style of the line, which is broad for this library.
    pub(super) fn style(&self) -> ShapeStyle {
        self.colour().stroke_width(if self.kind == Kind::Ours { 3 } else { 1 })
    }

    /// Returns the radius of the dots.
    pub(super) fn radius(&self) -> i32 {
        if self.kind == Kind::Ours { 4 } else { 2 }
    }
}
