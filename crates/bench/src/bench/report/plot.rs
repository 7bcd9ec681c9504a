//! Drawings: a line for each method, with its name at the end.

mod curve;
mod labels;

use crate::bench::Failure;
use crate::bench::cli::GroupName;
use crate::bench::measure::{Results, Table};
use crate::bench::peer::Peers;
use crate::bench::report::table;
use curve::Curve;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use std::fs;
use std::path::Path;

const SIZE: (u32, u32) = (1000, 580);
/// The space for the names.
const RIGHT: u32 = 335;

/// Draws each table that has an axis.
pub(super) fn draw(results: &Results, peers: &Peers, directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory)?;
    for table in results.tables.iter().filter(|table| table.columns.len() > 1) {
        let Some(first) = table.columns.first() else { continue };
        let task = first.scenario.task;
        match table.group {
            GroupName::Descriptors => {
                let curves = curve::all(table, peers, |world| f64::from(world.descriptors));
                let (least, most) = span(&curves, 0);
                let path = directory.join(format!("descriptors-{task}.svg"));
                chart(&path, table, "descriptors open", &curves, (least..most).log_scale())?;
            }
            GroupName::Memory => {
                let curves = curve::all(table, peers, |world| gib(world.memory));
                let path = directory.join(format!("memory-{task}.svg"));
                chart(&path, table, "GiB touched", &curves, 0.0..span(&curves, 0).1)?;
            }
            GroupName::Threads => {}
        }
    }
    Ok(())
}

fn gib(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for a drawing")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 30)
}

/// Returns the lowest and the highest value of the points on an axis.
fn span(curves: &[Curve], axis: usize) -> (f64, f64) {
    let values = || curves.iter().flat_map(|curve| &curve.points).map(|point| [point.0, point.1][axis]);
    (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max))
}

fn chart<X>(path: &Path, table: &Table, x_title: &str, curves: &[Curve], x: X) -> Result<(), Failure>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    if curves.is_empty() {
        return Ok(());
    }
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(text)?;
    let (least, most) = span(curves, 1);
    let mut chart = ChartBuilder::on(&root)
        .caption(&table.title, ("sans-serif", 18))
        .margin(12)
        .margin_right(RIGHT)
        .x_label_area_size(42)
        .y_label_area_size(70)
        .build_cartesian_2d(x, (least * 0.8..most * 1.25).log_scale())
        .map_err(text)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_labels(5).x_label_formatter(&|value| axis(*value)).y_label_formatter(&|value| axis(*value));
    mesh.light_line_style(TRANSPARENT).x_desc(x_title).y_desc("µs for one spawn and the wait");
    mesh.label_style(("sans-serif", 13)).draw().map_err(text)?;
    let mut ends = Vec::new();
    for curve in curves {
        chart.draw_series(LineSeries::new(curve.points.iter().copied(), curve.style())).map_err(text)?;
        let dots =
            curve.points.iter().map(|&point| Circle::new(point, curve.radius(), curve.colour().filled()));
        chart.draw_series(dots).map_err(text)?;
        ends.extend(curve.points.last().map(|end| (chart.backend_coord(end), curve)));
    }
    labels::draw(&root, ends)?;
    root.present().map_err(text)
}

/// Formats a number on an axis.
fn axis(value: f64) -> String {
    match value {
        _ if value.fract() != 0.0 => value.to_string(),
        _ if value < 100.0 => format!("{value:.0}"),
        _ => table::number(value),
    }
}

/// Converts an error of the drawing, which borrows the drawing area.
fn text(error: impl std::fmt::Display) -> Failure {
    error.to_string().into()
}
