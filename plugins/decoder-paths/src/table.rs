//! Rows on their way into batches.

use std::sync::Arc;

use weir_plugin::arrow::array::{ArrayRef, Int32Builder, Int64Builder, ListBuilder, StringBuilder};
use weir_plugin::arrow::datatypes::{DataType, Field, SchemaRef};
use weir_plugin::arrow::record_batch::RecordBatch;
use weir_plugin::{Error, Rows};

/// The most rows of a batch.
const ROWS: usize = 8_192;
/// So many bytes of text end a batch too: it stays small however large its rows are.
const BYTES: usize = 4 << 20;

/// The type of a column that holds a list of text.
pub fn list_of_text() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

/// Gathers rows of numbers, text and lists of text, and emits them in batches.
pub struct Table {
    schema: SchemaRef,
    cells: Vec<Cells>,
    rows: usize,
    bytes: usize,
}

enum Cells {
    Int32(Int32Builder),
    Int64(Int64Builder),
    Text(StringBuilder),
    List(ListBuilder<StringBuilder>),
}

/// The row that is written, one column after the other. A value for a column of another type is
/// not taken; the batch then cannot be made, which ends the run.
pub struct Row<'a> {
    cells: std::slice::IterMut<'a, Cells>,
    bytes: &'a mut usize,
}

impl Table {
    /// A table with this schema: columns of int32, int64, utf8, and lists of utf8.
    ///
    /// # Errors
    /// [`Error::Fatal`] for a column of another type.
    pub fn new(schema: SchemaRef) -> Result<Self, Error> {
        let cells = schema.fields().iter().map(|field| match field.data_type() {
            DataType::Int32 => Ok(Cells::Int32(Int32Builder::new())),
            DataType::Int64 => Ok(Cells::Int64(Int64Builder::new())),
            DataType::Utf8 => Ok(Cells::Text(StringBuilder::new())),
            DataType::List(item) if item.data_type() == &DataType::Utf8 => {
                let list = ListBuilder::new(StringBuilder::new());
                Ok(Cells::List(list.with_field(Arc::clone(item))))
            }
            other => Err(Error::fatal(format!("a table has no columns of {other}"))),
        });
        let cells = cells.collect::<Result<_, _>>()?;
        Ok(Self {
            schema,
            cells,
            rows: 0,
            bytes: 0,
        })
    }

    /// Begins a row. Every column is to be written before [`Table::end_row`].
    pub fn row(&mut self) -> Row<'_> {
        Row {
            cells: self.cells.iter_mut(),
            bytes: &mut self.bytes,
        }
    }

    /// Ends a row, and emits a batch if it is full.
    ///
    /// # Errors
    /// [`Error::Fatal`] where a column was not written.
    pub fn end_row(&mut self, out: &mut Rows<'_>) -> Result<(), Error> {
        self.rows += 1;
        if self.rows < ROWS && self.bytes < BYTES {
            return Ok(());
        }
        self.flush(out)
    }

    /// Emits the rows that are there.
    ///
    /// # Errors
    /// [`Error::Fatal`] where a column was not written.
    pub fn flush(&mut self, out: &mut Rows<'_>) -> Result<(), Error> {
        if self.rows == 0 {
            return Ok(());
        }
        let columns = self.cells.iter_mut().map(|cells| -> ArrayRef {
            match cells {
                Cells::Int32(cells) => Arc::new(cells.finish()),
                Cells::Int64(cells) => Arc::new(cells.finish()),
                Cells::Text(cells) => Arc::new(cells.finish()),
                Cells::List(cells) => Arc::new(cells.finish()),
            }
        });
        let columns = columns.collect();
        (self.rows, self.bytes) = (0, 0);
        out.emit(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
        Ok(())
    }
}

impl Row<'_> {
    /// Writes the next column, one of int32.
    pub fn int32(&mut self, value: Option<i32>) {
        if let Some(Cells::Int32(cells)) = self.cells.next() {
            cells.append_option(value);
        }
    }

    /// Writes the next column, one of int64.
    pub fn int64(&mut self, value: Option<i64>) {
        if let Some(Cells::Int64(cells)) = self.cells.next() {
            cells.append_option(value);
        }
    }

    /// Writes the next column, one of text.
    pub fn text(&mut self, value: Option<&str>) {
        if let Some(Cells::Text(cells)) = self.cells.next() {
            *self.bytes += value.map_or(0, str::len);
            cells.append_option(value);
        }
    }

    /// Writes the next column, one of lists of text.
    pub fn list<T: AsRef<str>>(&mut self, items: Option<impl IntoIterator<Item = Option<T>>>) {
        if let Some(Cells::List(cells)) = self.cells.next() {
            let is_there = items.is_some();
            for item in items.into_iter().flatten() {
                // An item costs its offset too.
                *self.bytes += 4 + item.as_ref().map_or(0, |item| item.as_ref().len());
                cells.values().append_option(item);
            }
            cells.append(is_there);
        }
    }
}
