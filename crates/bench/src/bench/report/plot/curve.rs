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

/// A method, and its medians.
pub(super) struct Curve {
    pub(super) title: String,
    pub(super) points: Vec<(f64, f64)>,
    kind: Kind,
    exact: bool,
}

/// A curve for each method that was measured in every column of the table.
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
    /// Blue for us, black for the floor, grey for a peer that closes, orange for what leaks.
    pub(super) fn colour(&self) -> RGBColor {
        match self.kind {
            _ if !self.exact => LEAKS,
            Kind::Ours => OURS,
            Kind::Floor => FLOOR,
            Kind::Peer => CLOSES,
        }
    }

    /// Ours is broad.
    pub(super) fn style(&self) -> ShapeStyle {
        self.colour().stroke_width(if self.kind == Kind::Ours { 3 } else { 1 })
    }

    /// Of its dots.
    pub(super) fn radius(&self) -> i32 {
        if self.kind == Kind::Ours { 4 } else { 2 }
    }
}
