//! Rows that differ, counted and paired: those of one key come one after the other, and where each side
//! has one of them it is the same row, changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::row::{OwnedRow, RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::report::{Both, Cell, ChangedCell, ChangedRow, Row, Rows, Shown};
use crate::error::{Error, Result};

/// The columns of the rows, without the last one, which says how often the new side has the row more.
pub(super) struct Layout {
    columns: Vec<LaidColumn>,
    /// Where the columns of the key are.
    key: Vec<usize>,
}

struct LaidColumn {
    name: String,
    hidden: bool,
}

impl Layout {
    pub(super) fn of(names: &[String], key: &[String], hidden: &BTreeSet<String>) -> Layout {
        let columns = names.iter().map(|name| LaidColumn {
            name: name.clone(),
            hidden: hidden.contains(name),
        });
        let places = key
            .iter()
            .filter_map(|key| names.iter().position(|name| name == key));
        Layout {
            columns: columns.collect(),
            key: places.collect(),
        }
    }

    fn cell(&self, batch: &RecordBatch, row: usize, index: usize) -> Result<Cell> {
        let column = self.columns.get(index).ok_or_else(missing)?;
        Ok(Cell {
            column: column.name.clone(),
            value: match column.hidden {
                true => Shown::Withheld { withheld: true },
                false => shown(array(batch, index)?, row)?,
            },
        })
    }

    fn cells(&self, one: &Found, indices: impl Iterator<Item = usize>) -> Result<Vec<Cell>> {
        indices
            .map(|index| self.cell(&one.batch, one.row, index))
            .collect()
    }
}

/// A row where it was found.
struct Found {
    batch: Arc<RecordBatch>,
    row: usize,
    times: u64,
}

/// The rows of one key.
#[derive(Default)]
struct Group {
    key: Option<OwnedRow>,
    old: Kept,
    new: Kept,
}

/// The rows that one side has, and the first of them.
#[derive(Default)]
struct Kept {
    rows: u64,
    first: Vec<Found>,
}

impl Kept {
    fn add(&mut self, found: Found, most: usize) {
        self.rows += found.times;
        if self.first.len() < most {
            self.first.push(found);
        }
    }
}

/// Gathers what differs, from rows that are in order by their key.
pub(super) struct Gatherer {
    layout: Layout,
    show: usize,
    keys: Option<RowConverter>,
    group: Group,
    rows: Rows,
}

impl Gatherer {
    pub(super) fn new(layout: Layout, show: usize) -> Gatherer {
        Gatherer {
            layout,
            show,
            keys: None,
            group: Group::default(),
            rows: Rows::default(),
        }
    }

    /// Takes the next rows.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let last = self.layout.columns.len();
        let more = array(batch, last)?
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(missing)?
            .clone();
        let keys = self.keys_of(batch)?;
        let batch = Arc::new(batch.clone());
        for row in 0..batch.num_rows() {
            let key = keys.as_ref().and_then(|keys| keys.get(row));
            // Without a key each row is one of its own.
            if key.is_none() || key != self.group.key.as_ref() {
                self.flush()?;
                self.group.key = key.cloned();
            }
            let times = more.value(row);
            let found = Found {
                batch: Arc::clone(&batch),
                row,
                times: times.unsigned_abs(),
            };
            let side = match times < 0 {
                true => &mut self.group.old,
                false => &mut self.group.new,
            };
            side.add(found, self.show.max(1));
        }
        Ok(())
    }

    /// What was found.
    pub(super) fn finish(mut self) -> Result<Rows> {
        self.flush()?;
        Ok(self.rows)
    }

    fn keys_of(&mut self, batch: &RecordBatch) -> Result<Option<Vec<OwnedRow>>> {
        if self.layout.key.is_empty() {
            return Ok(None);
        }
        let columns = self.layout.key.iter();
        let columns: Vec<ArrayRef> = columns
            .map(|index| array(batch, *index).cloned())
            .collect::<Result<_>>()?;
        let keys = match &mut self.keys {
            Some(keys) => keys,
            None => {
                let fields = columns
                    .iter()
                    .map(|column| SortField::new(column.data_type().clone()));
                self.keys.insert(RowConverter::new(fields.collect())?)
            }
        };
        let rows = keys.convert_columns(&columns)?;
        Ok(Some(rows.iter().map(|row| row.owned()).collect()))
    }

    /// Settles what the rows of the last key are.
    fn flush(&mut self) -> Result<()> {
        let Group { key, old, new } = std::mem::take(&mut self.group);
        if key.is_some()
            && let ([one], [other]) = (old.first.as_slice(), new.first.as_slice())
            && (old.rows, new.rows) == (1, 1)
        {
            return self.changed(one, other);
        }
        self.rows.only_old += old.rows;
        self.rows.only_new += new.rows;
        let layout = &self.layout;
        for (kept, examples) in [
            (old, &mut self.rows.old_examples),
            (new, &mut self.rows.new_examples),
        ] {
            let room = self.show.saturating_sub(examples.len());
            for found in kept.first.iter().take(room) {
                examples.push(Row {
                    times: found.times,
                    values: layout.cells(found, 0..layout.columns.len())?,
                });
            }
        }
        Ok(())
    }

    /// Two rows of one key.
    fn changed(&mut self, old: &Found, new: &Found) -> Result<()> {
        let layout = &self.layout;
        let has_room = self.rows.changed_examples.len() < self.show;
        self.rows.changed += 1;
        let mut values = Vec::new();
        for (index, column) in layout.columns.iter().enumerate() {
            let one = array(&old.batch, index)?.slice(old.row, 1);
            let other = array(&new.batch, index)?.slice(new.row, 1);
            if one.as_ref() == other.as_ref() {
                continue;
            }
            *self
                .rows
                .changed_columns
                .entry(column.name.clone())
                .or_default() += 1;
            if has_room {
                values.push(ChangedCell {
                    column: column.name.clone(),
                    values: Both {
                        old: layout.cell(&old.batch, old.row, index)?.value,
                        new: layout.cell(&new.batch, new.row, index)?.value,
                    },
                });
            }
        }
        if has_room {
            let key = layout.cells(old, layout.key.iter().copied())?;
            self.rows.changed_examples.push(ChangedRow { key, values });
        }
        Ok(())
    }
}

fn array(batch: &RecordBatch, index: usize) -> Result<&ArrayRef> {
    batch.columns().get(index).ok_or_else(missing)
}

fn missing() -> Error {
    Error::internal("rows that differ lack a column")
}

fn shown(array: &ArrayRef, row: usize) -> Result<Shown> {
    if array.is_null(row) {
        return Ok(Shown::Null);
    }
    let options = FormatOptions::default().with_null("null");
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
    let text = formatter.value(row).try_to_string()?;
    Ok(Shown::Text(text))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    /// Rows of an identifier and a name, with how often the new side has them more.
    fn batch(rows: &[(i64, &str, i64)]) -> RecordBatch {
        let ids = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
        let names = StringArray::from_iter_values(rows.iter().map(|row| row.1));
        let more = Int64Array::from_iter_values(rows.iter().map(|row| row.2));
        RecordBatch::try_from_iter([
            ("id", Arc::new(ids) as ArrayRef),
            ("name", Arc::new(names)),
            ("more", Arc::new(more)),
        ])
        .unwrap()
    }

    fn gathered(key: &[&str], hidden: &[&str], show: usize, batches: &[RecordBatch]) -> Rows {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (names, key): (Vec<String>, Vec<String>) = (owned(&["id", "name"]), owned(key));
        let hidden = hidden.iter().map(|name| (*name).to_owned()).collect();
        let mut gatherer = Gatherer::new(Layout::of(&names, &key, &hidden), show);
        for batch in batches {
            gatherer.take(batch).unwrap();
        }
        gatherer.finish().unwrap()
    }

    #[test]
    fn rows_of_one_key_are_one_row_changed() {
        // The pair of 2 is cut in two by the batches.
        let rows = gathered(
            &["id"],
            &[],
            5,
            &[
                batch(&[(1, "a", -1), (2, "b", -1)]),
                batch(&[
                    (2, "c", 1),
                    (3, "d", 2),
                    (4, "e", -1),
                    (4, "f", -1),
                    (4, "g", 1),
                ]),
            ],
        );
        assert_eq!((rows.only_old, rows.only_new, rows.changed), (3, 3, 1));
        assert_eq!(rows.changed_columns, [("name".to_owned(), 1)].into());
        let text = |text: &str| Shown::Text(text.to_owned());
        let changed = &rows.changed_examples[0];
        assert_eq!(changed.key[0].value, text("2"));
        assert_eq!(
            changed.values,
            [ChangedCell {
                column: "name".to_owned(),
                values: Both {
                    old: text("b"),
                    new: text("c"),
                },
            }]
        );
        assert_eq!(rows.new_examples[0].times, 2);
    }

    #[test]
    fn without_a_key_no_row_is_another() {
        let rows = gathered(
            &[],
            &[],
            1,
            &[batch(&[(1, "a", -1), (1, "b", 1), (2, "c", 1)])],
        );
        assert_eq!((rows.only_old, rows.only_new, rows.changed), (1, 2, 0));
        assert_eq!((rows.old_examples.len(), rows.new_examples.len()), (1, 1));
    }

    #[test]
    fn what_is_sensitive_is_not_told() {
        let rows = gathered(
            &["id"],
            &["id", "name"],
            3,
            &[batch(&[(1, "canary", -1), (1, "bird", 1), (2, "wren", 1)])],
        );
        let text = format!("{rows:?}");
        assert!(
            !["canary", "bird", "wren"]
                .iter()
                .any(|word| text.contains(word)),
            "{text}"
        );
        assert_eq!((rows.changed, rows.only_new), (1, 1));
        // Nothing is shown, and everything counted.
        let rows = gathered(&[], &[], 0, &[batch(&[(1, "a", -1), (2, "b", 1)])]);
        assert_eq!((rows.only_old, rows.only_new), (1, 1));
        assert!(rows.old_examples.is_empty());
    }
}
