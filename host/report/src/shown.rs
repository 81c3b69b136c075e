//! The cells of a figure, without those that stand for too few people.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::array::{Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use weir_pipeline::ChartKind;

use crate::{Error, number};

/// Rows, and how they are to be drawn.
#[derive(Debug, Clone, Copy)]
pub struct Figure<'a> {
    /// The line above it.
    pub title: &'a str,
    /// What a reader should know of it.
    pub description: Option<&'a str>,
    /// How it is drawn.
    pub chart: ChartKind,
    /// What the values are.
    pub unit: Option<&'a str>,
    /// The rows, in order.
    pub rows: &'a RecordBatch,
    /// Whether there are more of them.
    pub more: bool,
    /// The column along the axis, or of states.
    pub x: Option<usize>,
    /// The columns of values.
    pub y: &'a [usize],
    /// The column whose values are lines or colours of their own.
    pub series: Option<usize>,
    /// Which rows stand for too few people.
    pub few: Option<Few>,
}

impl Figure<'_> {
    /// Whether a column says what a row is, and nothing of the people it stands for: labels and series of a chart,
    /// text of a table.
    fn names_a_row(&self, column: usize) -> bool {
        match self.chart {
            ChartKind::Table => self
                .rows
                .schema_ref()
                .fields()
                .get(column)
                .is_some_and(|field| field.data_type().is_string()),
            _ => [self.x, self.series].contains(&Some(column)),
        }
    }

    /// Whether its rows lie where their days, times or numbers are, whatever their order.
    pub(crate) fn has_an_axis(&self) -> bool {
        let axis = self.x.and_then(|x| self.rows.columns().get(x));
        let kind = axis
            .filter(|column| column.null_count() == 0)
            .map(|column| column.data_type());
        let far = |kind: &DataType| {
            kind.is_numeric()
                || matches!(
                    kind,
                    DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _)
                )
        };
        self.chart == ChartKind::Line && kind.is_some_and(far)
    }
}

/// Which rows stand for too few people to be shown.
#[derive(Debug, Clone, Copy)]
pub struct Few {
    /// The column that says for how many a row stands.
    pub count: usize,
    /// The fewest of whom values are shown.
    pub below: u64,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// There is no value.
    Null,
    /// It stands for too few people.
    Few,
    Text(String),
    Number {
        value: f64,
        text: String,
    },
}

/// What a figure shows.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The names of the columns.
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// How many rows stand for too few people.
    pub(crate) few: usize,
}

impl Shown {
    /// # Errors
    /// If a column has a type that cannot be written as text.
    pub(crate) fn of(figure: &Figure<'_>) -> Result<Shown, Error> {
        let unreadable = |error: arrow::error::ArrowError| Error {
            title: figure.title.to_owned(),
            what: format!("cannot be written as text: {error}"),
            hint: "cast the column in the query".to_owned(),
        };
        let schema = figure.rows.schema();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (index, column) in figure.rows.columns().iter().enumerate() {
            let unit = figure.unit.filter(|_| figure.y.contains(&index));
            columns.push(cells(column.as_ref(), unit).map_err(unreadable)?);
        }
        let mut rows: Vec<Vec<Cell>> = (0..figure.rows.num_rows())
            .map(|row| {
                let cells = columns.iter().map(|column| column.get(row));
                cells
                    .map(|cell| cell.cloned().unwrap_or(Cell::Null))
                    .collect()
            })
            .collect();
        let suppressed = suppressed(figure, &rows);
        let mut few = Vec::new();
        if let Some(Few { count, .. }) = figure.few {
            for (row, hidden) in rows.iter_mut().zip(&suppressed) {
                for (index, cell) in row.iter_mut().enumerate() {
                    if *hidden && (index == count || !figure.names_a_row(index)) {
                        *cell = Cell::Few;
                    }
                }
            }
            // A row's place among others says how much it has. Along an axis of days or numbers it says nothing.
            if !figure.has_an_axis() {
                let mut hidden = suppressed.iter();
                let (last, first): (Vec<_>, Vec<_>) = rows
                    .into_iter()
                    .partition(|_| hidden.next().copied().unwrap_or(false));
                rows = first;
                few = last;
                few.sort_by_key(|row| row.iter().map(text).collect::<Vec<_>>());
            }
        }
        rows.append(&mut few);
        Ok(Shown {
            columns: schema.fields().iter().map(|f| f.name().clone()).collect(),
            rows,
            few: suppressed.iter().filter(|hidden| **hidden).count(),
        })
    }
}

/// The text of a cell.
pub(crate) fn text(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Few => "few".to_owned(),
        Cell::Text(text) | Cell::Number { text, .. } => text.clone(),
    }
}

fn cells(column: &dyn Array, unit: Option<&str>) -> arrow::error::Result<Vec<Cell>> {
    let options = FormatOptions::default();
    let texts = ArrayFormatter::try_new(column, &options)?;
    let values = match column.data_type().is_numeric() {
        true => Some(cast(column, &DataType::Float64)?),
        false => None,
    };
    let values = values
        .as_ref()
        .map(|values| values.as_primitive::<Float64Type>());
    let is_float = column.data_type().is_floating();
    Ok((0..column.len())
        .map(|row| {
            if column.is_null(row) {
                return Cell::Null;
            }
            match values {
                None => Cell::Text(texts.value(row).to_string()),
                Some(values) => {
                    let value = values.value(row);
                    let digits = match is_float {
                        true => number::float(value),
                        false => texts.value(row).to_string(),
                    };
                    Cell::Number {
                        value,
                        text: number::with_unit(&digits, unit),
                    }
                }
            }
        })
        .collect())
}

/// For each row whether it is suppressed: those that stand for too few people, and beside one that would be alone in
/// its total the one that stands for the next fewest, since what is left of a total would tell it. A row without
/// a count is one of too few; a row of nobody is not.
fn suppressed(figure: &Figure<'_>, rows: &[Vec<Cell>]) -> Vec<bool> {
    let Some(few) = figure.few else {
        return vec![false; rows.len()];
    };
    let counts: Vec<Option<f64>> = rows
        .iter()
        .map(|row| match row.get(few.count) {
            Some(Cell::Number { value, .. }) => Some(*value),
            _ => None,
        })
        .collect();
    let mut hidden: Vec<bool> = counts
        .iter()
        .map(|count| count.is_none_or(|count| count != 0.0 && count < few.below as f64))
        .collect();
    let groups = groups(figure, rows);
    let mut groups_of: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    for (index, group) in groups.iter().enumerate() {
        for row in group {
            if let Some(of) = groups_of.get_mut(*row) {
                of.push(index);
            }
        }
    }
    let size = |row: usize| counts.get(row).copied().flatten().unwrap_or(0.0);
    let mut open: BTreeSet<usize> = (0..groups.len()).collect();
    while let Some(group) = open.pop_first().and_then(|index| groups.get(index)) {
        let mut alone = group.iter().filter(|row| hidden.get(**row) == Some(&true));
        if alone.next().is_none() || alone.next().is_some() {
            continue;
        }
        let next = group
            .iter()
            .copied()
            .filter(|row| hidden.get(*row) == Some(&false) && size(*row) > 0.0)
            .min_by(|a, b| size(*a).total_cmp(&size(*b)));
        // One more row is hidden: the other totals that it is of are looked at again.
        let Some(next) = next else { continue };
        if let Some(hidden) = hidden.get_mut(next) {
            *hidden = true;
        }
        open.extend(groups_of.get(next).into_iter().flatten());
    }
    hidden
}

/// The rows that one total may be made of: all of them, and with a series those of a label and of a value of
/// the series.
fn groups(figure: &Figure<'_>, rows: &[Vec<Cell>]) -> Vec<Vec<usize>> {
    let mut all = vec![(0..rows.len()).collect()];
    if let (Some(x), Some(series)) = (figure.x, figure.series) {
        for column in [x, series] {
            let mut by: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for (index, row) in rows.iter().enumerate() {
                let label = row.get(column).map(text).unwrap_or_default();
                by.entry(label).or_default().push(index);
            }
            all.extend(by.into_values());
        }
    }
    all
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray};

    use super::*;

    pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
            .unwrap()
    }

    pub(crate) fn figure<'a>(rows: &'a RecordBatch, chart: ChartKind) -> Figure<'a> {
        Figure {
            title: "t",
            description: None,
            chart,
            unit: None,
            rows,
            more: false,
            x: Some(0),
            y: &[1],
            series: None,
            few: None,
        }
    }

    fn people(counts: Vec<Option<i64>>) -> RecordBatch {
        let names: Vec<String> = (0..counts.len()).map(|row| format!("town {row}")).collect();
        let costs: Vec<i64> = (0..counts.len() as i64).map(|row| 1000 - row).collect();
        batch(vec![
            ("town", Arc::new(StringArray::from(names))),
            ("cost", Arc::new(Int64Array::from(costs))),
            ("patients", Arc::new(Int64Array::from(counts))),
        ])
    }

    fn hidden(shown: &Shown) -> Vec<String> {
        let rows = shown.rows.iter().filter(|row| row[1] == Cell::Few);
        rows.map(|row| text(&row[0])).collect()
    }

    #[test]
    fn few_people_have_no_value_and_come_last() {
        let rows = people(vec![Some(3), Some(11), None, Some(0), Some(500)]);
        let few = Some(Few {
            count: 2,
            below: 11,
        });
        let shown = Shown::of(&Figure {
            few,
            ..figure(&rows, ChartKind::Bars)
        })
        .unwrap();
        assert_eq!(shown.few, 2);
        assert_eq!(hidden(&shown), ["town 0", "town 2"]);
        let order: Vec<String> = shown.rows.iter().map(|row| text(&row[0])).collect();
        assert_eq!(order, ["town 1", "town 3", "town 4", "town 0", "town 2"]);
        assert!(
            shown
                .rows
                .iter()
                .all(|row| (row[1] == Cell::Few) == (row[2] == Cell::Few))
        );
    }

    #[test]
    fn what_is_left_of_a_total_does_not_tell_the_only_one() {
        let rows = people(vec![Some(40), Some(3), Some(20), Some(0)]);
        let few = Some(Few {
            count: 2,
            below: 11,
        });
        let shown = Shown::of(&Figure {
            few,
            ..figure(&rows, ChartKind::Table)
        })
        .unwrap();
        assert_eq!(hidden(&shown), ["town 1", "town 2"]);
    }

    #[test]
    fn totals_of_labels_and_of_series_do_not_tell_either() {
        let rows = batch(vec![
            (
                "year",
                Arc::new(StringArray::from(vec!["a", "a", "b", "b", "c", "c"])),
            ),
            ("cost", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 6]))),
            (
                "sex",
                Arc::new(StringArray::from(vec!["f", "m", "f", "m", "f", "m"])),
            ),
            ("n", Arc::new(Int64Array::from(vec![5, 90, 80, 70, 60, 50]))),
        ]);
        let few = Some(Few {
            count: 3,
            below: 11,
        });
        let shown = Shown::of(&Figure {
            few,
            series: Some(2),
            ..figure(&rows, ChartKind::Line)
        });
        let shown = shown.unwrap();
        // Of each year and of each sex there are none or at least two.
        let hidden: Vec<bool> = shown.rows.iter().map(|row| row[1] == Cell::Few).collect();
        assert_eq!(hidden, [false, false, true, true, true, true]);
        let years: Vec<String> = shown.rows.iter().map(|row| text(&row[0])).collect();
        assert_eq!(years, ["b", "b", "a", "a", "c", "c"]);
    }

    #[test]
    fn values_have_their_unit_and_their_decimals() {
        let rows = batch(vec![
            ("who", Arc::new(StringArray::from(vec![Some("a"), None]))),
            (
                "cost",
                Arc::new(
                    Decimal128Array::from(vec![Some(1_234_567), None])
                        .with_precision_and_scale(12, 2)
                        .unwrap(),
                ),
            ),
        ]);
        let shown = Shown::of(&Figure {
            unit: Some("$"),
            ..figure(&rows, ChartKind::Bars)
        })
        .unwrap();
        assert_eq!(text(&shown.rows[0][1]), "$12,345.67");
        assert_eq!(shown.rows[1], [Cell::Null, Cell::Null]);
    }
}
