//! Rows of a database as batches, value by value.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder,
    Float32Builder, Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder,
    RecordBatch, RecordBatchOptions, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};

use crate::error::{Error, Result};

/// A batch is given away once its values have so many bytes, or its rows are enough.
pub(crate) const BATCH_BYTES: usize = 8 << 20;

/// Why a value cannot be read, to follow "in column 'x'".
pub(crate) type Why = &'static str;

/// The values of one column so far.
pub(crate) enum Values {
    Bool(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    /// Whether they are in UTC.
    Timestamp(TimestampMicrosecondBuilder, bool),
}

/// What a value of a class that its column does not have is told as.
const OTHER_CLASS: Why = "a value has another type than the column";

impl Values {
    fn new(data_type: &DataType) -> Result<Values> {
        Ok(match data_type {
            DataType::Boolean => Values::Bool(BooleanBuilder::new()),
            DataType::Int8 => Values::Int8(Int8Builder::new()),
            DataType::Int16 => Values::Int16(Int16Builder::new()),
            DataType::Int32 => Values::Int32(Int32Builder::new()),
            DataType::Int64 => Values::Int64(Int64Builder::new()),
            DataType::Float32 => Values::Float32(Float32Builder::new()),
            DataType::Float64 => Values::Float64(Float64Builder::new()),
            DataType::Decimal128(precision, scale) => Values::Decimal(
                Decimal128Builder::new().with_data_type(data_type.clone()),
                *precision,
                *scale,
            ),
            DataType::Utf8 => Values::Text(StringBuilder::new()),
            DataType::Binary => Values::Bytes(BinaryBuilder::new()),
            DataType::Date32 => Values::Date(Date32Builder::new()),
            DataType::Time64(TimeUnit::Microsecond) => {
                Values::Time(Time64MicrosecondBuilder::new())
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => Values::Timestamp(
                TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()),
                zone.is_some(),
            ),
            other => return Err(Error::internal(format!("no database gives {other}"))),
        })
    }

    pub(crate) fn null(&mut self) {
        match self {
            Values::Bool(values) => values.append_null(),
            Values::Int8(values) => values.append_null(),
            Values::Int16(values) => values.append_null(),
            Values::Int32(values) => values.append_null(),
            Values::Int64(values) => values.append_null(),
            Values::Float32(values) => values.append_null(),
            Values::Float64(values) => values.append_null(),
            Values::Decimal(values, ..) => values.append_null(),
            Values::Text(values) => values.append_null(),
            Values::Bytes(values) => values.append_null(),
            Values::Date(values) => values.append_null(),
            Values::Time(values) => values.append_null(),
            Values::Timestamp(values, _) => values.append_null(),
        }
    }

    /// A whole number; of a column of truths 0 or 1, of dates days, of times and moments microseconds.
    pub(crate) fn int(&mut self, number: i64) -> Result<(), Why> {
        const TOO_LARGE: Why = "a number is too large for the column's type";
        match self {
            Values::Bool(values) => match number {
                0 | 1 => values.append_value(number == 1),
                _ => return Err("a number is neither 0 nor 1"),
            },
            Values::Int8(values) => {
                values.append_value(i8::try_from(number).map_err(|_| TOO_LARGE)?);
            }
            Values::Int16(values) => {
                values.append_value(i16::try_from(number).map_err(|_| TOO_LARGE)?);
            }
            Values::Int32(values) => {
                values.append_value(i32::try_from(number).map_err(|_| TOO_LARGE)?);
            }
            Values::Int64(values) => values.append_value(number),
            Values::Decimal(values, precision, scale) => {
                values.append_value(decimal(&number.to_string(), *precision, *scale)?);
            }
            Values::Date(values) => {
                values.append_value(i32::try_from(number).map_err(|_| "its date is too far away")?);
            }
            Values::Time(values) => values.append_value(number),
            Values::Timestamp(values, _) => values.append_value(number),
            Values::Float64(values) => {
                // 2^53: from here on not every whole number is a float.
                if number.unsigned_abs() > 1 << 53 {
                    return Err("a whole number has more digits than a float keeps");
                }
                values.append_value(number as f64);
            }
            Values::Float32(_) | Values::Text(_) | Values::Bytes(_) => return Err(OTHER_CLASS),
        }
        Ok(())
    }

    pub(crate) fn float(&mut self, number: f64) -> Result<(), Why> {
        match self {
            Values::Float64(values) => values.append_value(number),
            Values::Decimal(values, precision, scale) => {
                // The shortest text that is this float: the decimal that it was, up to 15 digits.
                values.append_value(decimal(&format!("{number:e}"), *precision, *scale)?);
            }
            _ => return Err(OTHER_CLASS),
        }
        Ok(())
    }

    pub(crate) fn float32(&mut self, number: f32) -> Result<(), Why> {
        match self {
            Values::Float32(values) => values.append_value(number),
            _ => return Err(OTHER_CLASS),
        }
        Ok(())
    }

    /// A text, or the digits of a decimal.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Why> {
        let text = std::str::from_utf8(text).map_err(|_| "a text is not UTF-8")?;
        match self {
            Values::Text(values) => values.append_value(text),
            Values::Decimal(values, precision, scale) => {
                values.append_value(decimal(text, *precision, *scale)?);
            }
            _ => return Err(OTHER_CLASS),
        }
        Ok(())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Why> {
        match self {
            Values::Bytes(values) => values.append_value(bytes),
            _ => return Err(OTHER_CLASS),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Values::Bool(values) => ArrayBuilder::finish(values),
            Values::Int8(values) => ArrayBuilder::finish(values),
            Values::Int16(values) => ArrayBuilder::finish(values),
            Values::Int32(values) => ArrayBuilder::finish(values),
            Values::Int64(values) => ArrayBuilder::finish(values),
            Values::Float32(values) => ArrayBuilder::finish(values),
            Values::Float64(values) => ArrayBuilder::finish(values),
            Values::Decimal(values, ..) => ArrayBuilder::finish(values),
            Values::Text(values) => ArrayBuilder::finish(values),
            Values::Bytes(values) => ArrayBuilder::finish(values),
            Values::Date(values) => ArrayBuilder::finish(values),
            Values::Time(values) => ArrayBuilder::finish(values),
            Values::Timestamp(values, _) => ArrayBuilder::finish(values),
        }
    }
}

fn decimal(text: &str, precision: u8, scale: i8) -> Result<i128, Why> {
    weir_decode::decimal(text, precision, scale)
        .ok_or("a value is no number, or has more digits than the column's type")
}

/// Rows on their way to a batch.
pub(crate) struct Rows {
    schema: SchemaRef,
    columns: Vec<Values>,
    rows: usize,
    bytes: usize,
    most: usize,
}

impl Rows {
    /// Batches of at most `most` rows of `schema`.
    pub(crate) fn new(schema: SchemaRef, most: usize) -> Result<Rows> {
        let columns = schema.fields().iter();
        let columns = columns.map(|field| Values::new(field.data_type()));
        Ok(Rows {
            columns: columns.collect::<Result<Vec<Values>>>()?,
            schema,
            rows: 0,
            bytes: 0,
            most,
        })
    }

    /// Adds a row, of about so many bytes: `push` is called with each column's place. Gives a batch where
    /// that makes one full.
    ///
    /// # Errors
    /// Input, for a value that cannot be read: it names the column, and not the value.
    pub(crate) fn add(
        &mut self,
        bytes: usize,
        mut push: impl FnMut(usize, &mut Values) -> Result<(), Why>,
    ) -> Result<Option<RecordBatch>> {
        for (index, values) in self.columns.iter_mut().enumerate() {
            push(index, values).map_err(|why| unreadable(self.schema.field(index).name(), why))?;
        }
        self.rows += 1;
        self.bytes += bytes;
        match self.rows >= self.most || self.bytes >= BATCH_BYTES {
            true => self.batch().map(Some),
            false => Ok(None),
        }
    }

    /// The rows that are left.
    pub(crate) fn finish(&mut self) -> Result<Option<RecordBatch>> {
        match self.rows {
            0 => Ok(None),
            _ => self.batch().map(Some),
        }
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Values::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &options,
        )?)
    }
}

/// That a row has a value that cannot be read.
pub(crate) fn unreadable(column: &str, why: Why) -> Error {
    Error::input(format!("a row cannot be read: in column '{column}' {why}"))
        .with_hint("leave the row or the column out in a query of `read`, or let a view of the database say what it means")
}
