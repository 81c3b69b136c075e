//! Values by label and series: what bars and lines are drawn of.

use std::collections::HashMap;

use crate::shown::{self, Cell, Shown};
use crate::{Error, Figure};

/// Lines, or groups of bars, over labels.
#[derive(Debug)]
pub(crate) struct Plot {
    /// Along the axis, in the order in which they come.
    pub(crate) labels: Vec<String>,
    /// Where the labels lie on the axis, if they are days, times or numbers.
    pub(crate) places: Option<Vec<f64>>,
    pub(crate) lines: Vec<Line>,
}

/// One value for each label.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Point {
    /// There is no row.
    None,
    /// It stands for too few people.
    Few,
    Value {
        value: f64,
        text: String,
    },
}

/// Farther values are none that people measure, and no axis reaches them: they are in the table below the chart.
const MOST: f64 = 1e100;

impl Point {
    fn of(cell: Option<&Cell>) -> Point {
        match cell {
            Some(Cell::Few) => Point::Few,
            Some(Cell::Number { value, text }) if value.abs() <= MOST => Point::Value {
                value: *value,
                text: text.clone(),
            },
            _ => Point::None,
        }
    }

    pub(crate) fn value(&self) -> Option<f64> {
        match self {
            Point::Value { value, .. } => Some(*value),
            Point::None | Point::Few => None,
        }
    }
}

impl Plot {
    /// # Errors
    /// If there are two values for one label of one series.
    pub(crate) fn of(
        figure: &Figure<'_>,
        shown: &Shown,
        places: Option<&dyn Fn(usize) -> Option<f64>>,
    ) -> Result<Plot, Error> {
        let label = |row: &[Cell]| {
            figure
                .x
                .and_then(|x| row.get(x))
                .map(shown::text)
                .unwrap_or_default()
        };
        let Some(series) = figure.series else {
            let lines = figure.y.iter().map(|y| Line {
                name: shown
                    .columns
                    .get(*y)
                    .map(|name| words(name))
                    .unwrap_or_default(),
                points: shown
                    .rows
                    .iter()
                    .map(|row| Point::of(row.get(*y)))
                    .collect(),
            });
            return Ok(Plot {
                labels: shown.rows.iter().map(|row| label(row)).collect(),
                places: places.and_then(|place| (0..shown.rows.len()).map(place).collect()),
                lines: lines.collect(),
            });
        };
        let mut plot = Plot {
            labels: Vec::new(),
            places: places.map(|_| Vec::new()),
            lines: Vec::new(),
        };
        let mut known: HashMap<String, usize> = HashMap::new();
        for (index, row) in shown.rows.iter().enumerate() {
            let label = label(row);
            let name = row.get(series).map(shown::text).unwrap_or_default();
            let at = match known.get(&label) {
                Some(at) => *at,
                None => {
                    known.insert(label.clone(), plot.labels.len());
                    let place = places.and_then(|place| place(index));
                    plot.places = plot.places.zip(place).map(|(mut places, place)| {
                        places.push(place);
                        places
                    });
                    plot.labels.push(label.clone());
                    plot.labels.len() - 1
                }
            };
            let line = match plot.lines.iter().position(|line| line.name == name) {
                Some(line) => line,
                None => {
                    plot.lines.push(Line {
                        name: name.clone(),
                        points: Vec::new(),
                    });
                    plot.lines.len() - 1
                }
            };
            let Some(line) = plot.lines.get_mut(line) else {
                continue;
            };
            if line.points.len() <= at {
                line.points.resize(at + 1, Point::None);
            }
            let Some(point) = line.points.get_mut(at) else {
                continue;
            };
            if *point != Point::None {
                return Err(Error {
                    title: figure.title.to_owned(),
                    what: format!("has two rows for '{label}' and '{name}'"),
                    hint: "add them up in the query: group by the column along the axis and the series".to_owned(),
                });
            }
            *point = Point::of(figure.y.first().and_then(|y| row.get(*y)));
        }
        for line in &mut plot.lines {
            line.points.resize(plot.labels.len(), Point::None);
        }
        Ok(plot)
    }

    /// Keeps so many labels and lines, and says what is left out, if anything is.
    pub(crate) fn cut(&mut self, labels: usize, lines: usize) -> Option<String> {
        let (all_labels, all_lines) = (self.labels.len(), self.lines.len());
        self.labels.truncate(labels);
        if let Some(places) = &mut self.places {
            places.truncate(labels);
        }
        self.lines.truncate(lines);
        for line in &mut self.lines {
            line.points.truncate(labels);
        }
        match (all_labels > labels, all_lines > lines) {
            (false, false) => None,
            (true, false) => Some(format!("Drawn are the first {labels} of {all_labels}.")),
            (false, true) => Some(format!(
                "Drawn are the first {lines} of {all_lines} series."
            )),
            (true, true) => Some(format!(
                "Drawn are the first {labels} of {all_labels}, and {lines} of {all_lines} series."
            )),
        }
    }

    /// The least and the greatest value, and zero.
    pub(crate) fn range(&self) -> (f64, f64) {
        let values = self
            .lines
            .iter()
            .flat_map(|line| &line.points)
            .filter_map(Point::value);
        values.fold((0.0, 0.0), |(least, most), value| {
            (value.min(least), value.max(most))
        })
    }
}

/// A column's name as words.
pub(crate) fn words(column: &str) -> String {
    column.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use weir_pipeline::ChartKind;

    use super::*;
    use crate::shown::tests::{batch, figure};

    #[test]
    fn series_are_lines_over_all_labels() {
        let rows = batch(vec![
            ("day", Arc::new(StringArray::from(vec!["1", "1", "2", "3"]))),
            ("n", Arc::new(Int64Array::from(vec![10, 20, 30, 40]))),
            (
                "payer",
                Arc::new(StringArray::from(vec!["a", "b", "b", "a"])),
            ),
        ]);
        let figure = Figure {
            series: Some(2),
            ..figure(&rows, ChartKind::Line)
        };
        let shown = Shown::of(&figure).unwrap();
        let mut plot = Plot::of(&figure, &shown, None).unwrap();
        assert_eq!(plot.labels, ["1", "2", "3"]);
        let values = |line: usize| -> Vec<Option<f64>> {
            plot.lines[line].points.iter().map(Point::value).collect()
        };
        assert_eq!(values(0), [Some(10.0), None, Some(40.0)]);
        assert_eq!(values(1), [Some(20.0), Some(30.0), None]);
        assert_eq!(
            plot.cut(2, 1).unwrap(),
            "Drawn are the first 2 of 3, and 1 of 2 series."
        );
        assert_eq!(plot.range(), (0.0, 10.0));
    }

    #[test]
    fn what_no_axis_reaches_is_not_drawn() {
        let point = |value| {
            Point::of(Some(&Cell::Number {
                value,
                text: String::new(),
            }))
        };
        for value in [f64::MAX, f64::MIN, f64::INFINITY, f64::NAN, 1e200] {
            assert_eq!(point(value), Point::None, "{value}");
        }
        assert_eq!(point(-1e99).value(), Some(-1e99));
    }

    #[test]
    fn one_place_has_one_value() {
        let rows = batch(vec![
            ("day", Arc::new(StringArray::from(vec!["1", "1"]))),
            ("n", Arc::new(Int64Array::from(vec![10, 20]))),
            ("payer", Arc::new(StringArray::from(vec!["a", "a"]))),
        ]);
        let figure = Figure {
            series: Some(2),
            ..figure(&rows, ChartKind::Line)
        };
        let shown = Shown::of(&figure).unwrap();
        let error = Plot::of(&figure, &shown, None).unwrap_err();
        assert_eq!(error.to_string(), "report 't' has two rows for '1' and 'a'");
    }
}
