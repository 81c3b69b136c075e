//! Bars: a label to the left, its bars beside it, and the value at the end of each.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{Drawn, FAINT, Failed, GRID, INK, WIDTH, colour, shortened, width, write};
use crate::number;
use crate::plot::{Plot, Point};

/// More are not read, and are better shown as a table.
const MOST_LABELS: usize = 40;
const MOST_LINES: usize = 8;
/// The most room for labels.
const LABELS: i32 = 300;
/// The most room for a value.
const VALUES: i32 = 160;
/// Below the bars.
const AXIS: u32 = 26;

pub(crate) fn draw(mut plot: Plot, unit: Option<&str>) -> Result<Drawn, Failed> {
    let notes = plot.cut(MOST_LABELS, MOST_LINES).into_iter().collect();
    let bars = plot.lines.len().max(1);
    let (thick, gap) = if bars == 1 { (18, 8) } else { (14, 10) };
    let group = thick * bars as u32 + gap;
    let height = group * plot.labels.len() as u32 + AXIS + 8;
    let labels: Vec<String> = plot
        .labels
        .iter()
        .map(|label| shortened(label, LABELS))
        .collect();
    let of_labels = labels.iter().map(|label| width(label)).max().unwrap_or(0);
    // Texts of both sides and the labels leave room for the bars, however long a unit is.
    for point in plot.lines.iter_mut().flat_map(|line| &mut line.points) {
        if let Point::Value { text, .. } = point {
            *text = shortened(text, VALUES);
        }
    }
    let points = || plot.lines.iter().flat_map(|line| &line.points);
    let widest = |negative: bool| {
        let texts = points().filter_map(|point| match point {
            Point::Value { value, text } if (*value < 0.0) == negative => Some(width(text)),
            Point::Few if !negative => Some(width(FEW)),
            _ => None,
        });
        texts.max().map_or(0, |text| text + 8)
    };
    let (left, right) = (of_labels + 12 + widest(true), widest(false) + 4);
    let (least, most) = match plot.range() {
        (0.0, 0.0) => (0.0, 1.0),
        range => range,
    };

    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let all = f64::from(group * plot.labels.len() as u32);
        let mut chart = ChartBuilder::on(&area)
            .margin_top(4)
            .margin_left(left)
            .margin_right(right)
            .x_label_area_size(AXIS)
            .build_cartesian_2d(least..most, 0.0..all)?;
        let room = (WIDTH as i32 - left - right).max(100) as usize;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_labels((room / 110).clamp(2, 8))
            .x_label_formatter(&|value| number::short(*value, unit))
            .label_style(super::style(
                FAINT,
                HPos::Center,
                plotters::style::text_anchor::VPos::Top,
            ))
            .axis_style(GRID)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (index, label) in labels.iter().enumerate() {
            // The axis goes up, and labels come from above.
            let top = all - f64::from(group * index as u32) - f64::from(gap) / 2.0;
            for (line, of) in plot.lines.iter().enumerate() {
                let upper = top - f64::from(thick * line as u32);
                let lower = upper - f64::from(thick) + 1.0;
                let middle = (upper + lower) / 2.0;
                match of.points.get(index) {
                    Some(Point::Value { value, text }) => {
                        let bar =
                            Rectangle::new([(0.0, upper), (*value, lower)], colour(line).filled());
                        chart.draw_series([bar])?;
                        let (x, y) = chart.backend_coord(&(*value, middle));
                        let (x, across) = match *value < 0.0 {
                            true => (x - 5, HPos::Right),
                            false => (x + 5, HPos::Left),
                        };
                        write(&area, text, (x, y), (INK, across))?;
                    }
                    Some(Point::Few) => {
                        let (x, y) = chart.backend_coord(&(0.0, middle));
                        write(&area, FEW, (x + 5, y), (FAINT, HPos::Left))?;
                    }
                    Some(Point::None) | None => {}
                }
            }
            let (_, y) = chart.backend_coord(&(0.0, top - f64::from(thick * bars as u32) / 2.0));
            write(&area, label, (of_labels + 4, y), (INK, HPos::Right))?;
        }
        if least < 0.0 {
            let zero = PathElement::new([(0.0, 0.0), (0.0, all)], FAINT);
            chart.draw_series([zero])?;
        }
        area.present()?;
    }
    Ok(Drawn {
        svg,
        legend: super::legend(&plot),
        notes,
    })
}

/// In place of a bar.
const FEW: &str = "too few to show";
