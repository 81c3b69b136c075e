//! Lines over days, numbers or labels.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Drawn, FAINT, Failed, GRID, WIDTH, colour, shortened, width, write};
use crate::number;
use crate::plot::{Line, Plot, Point};

const HEIGHT: u32 = 320;
const MOST_LABELS: usize = 5_000;
const MOST_LINES: usize = 8;
/// Below the lines.
const AXIS: i32 = 28;
/// Between two labels of the axis.
const BETWEEN: i32 = 18;

pub(crate) fn draw(mut plot: Plot, unit: Option<&str>) -> Result<Drawn, Failed> {
    let mut notes: Vec<String> = plot.cut(MOST_LABELS, MOST_LINES).into_iter().collect();
    if plot
        .lines
        .iter()
        .any(|line| line.points.contains(&Point::Few))
    {
        notes.push("Gaps are where too few people stand behind a value.".to_owned());
    }
    let places: Vec<f64> = match &plot.places {
        Some(places) => places.clone(),
        None => (0..plot.labels.len()).map(|at| at as f64).collect(),
    };
    let bounds = places
        .iter()
        .copied()
        .fold(None, |bounds: Option<(f64, f64)>, place| {
            let (first, last) = bounds.unwrap_or((place, place));
            Some((first.min(place), last.max(place)))
        });
    let (first, last) = match bounds {
        Some((first, last)) if first < last => (first, last),
        Some((only, _)) => (only - 0.5, only + 0.5),
        None => (0.0, 1.0),
    };
    let (least, most) = match plot.range() {
        (0.0, 0.0) => (0.0, 1.0),
        (least, most) => {
            let room = (most - least) * 0.06;
            let below = if least < 0.0 { room } else { 0.0 };
            (least - below, most + room)
        }
    };
    let ends =
        [least, most, (least + most) / 2.0, most / 3.0].map(|v| width(&number::short(v, unit)));
    let labels: Vec<String> = plot
        .labels
        .iter()
        .map(|label| shortened(label, 150))
        .collect();
    // Half of the label at either end stands out over the axis.
    let over = labels.iter().map(|label| width(label) / 2 + 6).max();
    let right = over.unwrap_or(0).max(20);
    let left = ends.into_iter().max().unwrap_or(0).max(right) + 12;

    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin_top(10)
            .margin_right(right)
            .margin_bottom(AXIS)
            .y_label_area_size(left)
            .build_cartesian_2d(first..last, least..most)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_labels(6)
            .y_label_formatter(&|value| number::short(*value, unit))
            .label_style(super::style(FAINT, HPos::Right, VPos::Center))
            .axis_style(GRID)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .draw()?;
        chart.draw_series([PathElement::new([(first, 0.0), (last, 0.0)], FAINT)])?;
        for (index, line) in plot.lines.iter().enumerate() {
            for piece in pieces(line, &places) {
                let style = colour(index).stroke_width(2);
                match piece.as_slice() {
                    [alone] => {
                        chart.draw_series([Circle::new(*alone, 3, colour(index).filled())])?;
                    }
                    _ => {
                        chart.draw_series(LineSeries::new(piece, style))?;
                    }
                }
            }
        }
        let at = |place: f64| chart.backend_coord(&(place, least)).0;
        let widths: Vec<(i32, i32)> = places
            .iter()
            .zip(&labels)
            .map(|(place, label)| (at(*place), width(label)))
            .collect();
        for index in ticks(&widths) {
            let (Some((x, _)), Some(label)) = (widths.get(index), labels.get(index)) else {
                continue;
            };
            let under = HEIGHT as i32 - AXIS;
            area.draw(&PathElement::new([(*x, under), (*x, under + 5)], FAINT))?;
            write(
                &area,
                label,
                (*x, under + AXIS / 2 + 3),
                (FAINT, HPos::Center),
            )?;
        }
        area.present()?;
    }
    Ok(Drawn {
        svg,
        legend: super::legend(&plot),
        notes,
    })
}

/// The points of a line from gap to gap, from left to right.
fn pieces(line: &Line, places: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let mut points: Vec<(f64, Option<f64>)> = places
        .iter()
        .copied()
        .zip(line.points.iter().map(Point::value))
        .collect();
    points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut pieces = vec![Vec::new()];
    for (place, value) in points {
        match (value, pieces.last_mut()) {
            (Some(value), Some(piece)) => piece.push((place, value)),
            _ => pieces.push(Vec::new()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Which of the labels, each with its middle and its width, are written: evenly apart, none over another.
fn ticks(labels: &[(i32, i32)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|index| labels.get(*index).map(|(x, _)| *x));
    'steps: for step in 1..=labels.len() {
        let mut chosen = Vec::new();
        let mut end = i32::MIN;
        for index in order.iter().copied().step_by(step) {
            let Some((x, width)) = labels.get(index) else {
                continue;
            };
            if x - width / 2 < end {
                continue 'steps;
            }
            end = x + width / 2 + BETWEEN;
            chosen.push(index);
        }
        return chosen;
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_axis_stand_apart() {
        let days: Vec<(i32, i32)> = (0..224).map(|day| (60 + day * 4, 70)).collect();
        let chosen = ticks(&days);
        assert!(chosen.len() > 5, "{chosen:?}");
        for pair in chosen.windows(2) {
            let ((a, wide), (b, _)) = (days[pair[0]], days[pair[1]]);
            assert!(b - a >= wide + BETWEEN);
        }
        assert_eq!(ticks(&[]), [0; 0]);
        assert_eq!(ticks(&[(10, 500)]), [0]);
    }

    #[test]
    fn a_gap_ends_a_line() {
        let value = |value: f64| Point::Value {
            value,
            text: String::new(),
        };
        let line = Line {
            name: String::new(),
            points: vec![value(1.0), Point::Few, value(3.0), value(4.0), Point::None],
        };
        let pieces = pieces(&line, &[0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(pieces, [vec![(0.0, 1.0)], vec![(2.0, 3.0), (3.0, 4.0)]]);
    }
}
