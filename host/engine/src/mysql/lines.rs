//! Rows as `LOAD DATA` takes them: a line for each, fields between tabs, a backslash before what would
//! mean something else, `\N` for a null.
//!
//! Of a value that its column cannot hold as it is the server would make another, with a warning. So each
//! is held against its column here, and texts of other character sets than UTF-8 are the server's to check.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike, NaiveDate, Timelike};

use super::table::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::types::type_text;

/// Days from the first of year 1 to 1970.
const DAYS_TO_EPOCH: i32 = 719_163;
/// The last second that a `timestamp` may be.
const LAST_TIMESTAMP: i64 = 2_147_483_647;

/// How the values of a column are written.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    name: Arc<str>,
    to: To,
    nullable: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum To {
    Bool,
    /// The least and the greatest number.
    Int(i128, i128),
    Float,
    Double,
    /// The scale of the values, and the digits that the column has before the point.
    Decimal(i8, u32),
    /// At most so many characters, and bytes.
    Text(Option<u64>, u64),
    /// At most so many characters, without spaces at the end.
    Char(u64),
    /// One of these: a number would be taken for a place among them.
    Member(Arc<BTreeSet<String>>),
    /// At most so many bytes.
    Bytes(u64),
    Date,
    Time,
    /// Whether only moments of a `timestamp` fit.
    Moment(bool),
}

impl Writer {
    /// How values of type `from` are written to a column, or why they cannot be.
    pub(super) fn new(from: &DataType, target: &Target) -> Result<Writer, String> {
        Ok(Writer {
            name: target.name.as_str().into(),
            to: writes(from, target)?,
            nullable: target.nullable,
        })
    }
}

fn writes(from: &DataType, target: &Target) -> Result<To, String> {
    let mismatch = || Err("a cast is needed".to_owned());
    let is_text = matches!(
        from,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    let is_bytes = matches!(
        from,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    );
    let int = |bits: u32| {
        let (least, most) = match target.is_unsigned() {
            true => (0, (1_i128 << bits) - 1),
            false => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        };
        match from {
            DataType::Boolean => Ok(To::Bool),
            from if from.is_integer() => Ok(To::Int(least, most)),
            _ => mismatch(),
        }
    };
    let seconds = |unit: &TimeUnit, what: To| {
        let needed = match unit {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => return mismatch(),
        };
        if target.fraction < needed {
            return Err(format!(
                "the column has {} digits of a second's fraction and would round the rest: make it {}({needed})",
                target.fraction, target.data_type
            ));
        }
        Ok(what)
    };
    if target.generated {
        return Err("the server makes its values itself".to_owned());
    }
    match (target.data_type.as_str(), from) {
        ("float" | "double", _) if target.column_type.contains('(') => Err(
            "the column rounds to a number of digits: make it float or double without them"
                .to_owned(),
        ),
        ("tinyint", _) => int(8),
        ("smallint", _) => int(16),
        ("mediumint", _) => int(24),
        ("int", _) => int(32),
        ("bigint", _) => int(64),
        ("float", DataType::Float16 | DataType::Float32) => Ok(To::Float),
        ("double", from) if from.is_floating() => Ok(To::Double),
        ("decimal", from) => {
            let scale = match from {
                DataType::Decimal128(_, scale) => *scale,
                from if from.is_integer() => 0,
                _ => return mismatch(),
            };
            if i64::from(scale) > target.scale {
                return Err(format!(
                    "{} has more digits after the point than the column, which would round them",
                    type_text(from)
                ));
            }
            let before = target.precision.saturating_sub(target.scale);
            Ok(To::Decimal(
                scale,
                u32::try_from(before).unwrap_or_default(),
            ))
        }
        ("char", _) if is_text => Ok(To::Char(target.length)),
        ("varchar", _) if is_text => Ok(To::Text(Some(target.length), u64::MAX)),
        ("tinytext" | "text" | "mediumtext" | "longtext", _) if is_text => {
            Ok(To::Text(None, target.length))
        }
        ("json", _) if is_text => Ok(To::Text(None, u64::MAX)),
        ("enum", _) if is_text => Ok(To::Member(Arc::new(target.members()))),
        ("uuid" | "inet6" | "inet4", _) if is_text => Ok(To::Text(None, u64::MAX)),
        ("binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob", _)
            if is_bytes =>
        {
            Ok(To::Bytes(target.length))
        }
        ("date", DataType::Date32) => Ok(To::Date),
        ("time", DataType::Time32(unit) | DataType::Time64(unit)) => seconds(unit, To::Time),
        ("datetime", DataType::Timestamp(unit, _)) => seconds(unit, To::Moment(false)),
        ("timestamp", DataType::Timestamp(unit, Some(_))) => seconds(unit, To::Moment(true)),
        ("timestamp", DataType::Timestamp(_, None)) => Err(
            "the column is a moment, and nobody has said in which zone the rows' time is"
                .to_owned(),
        ),
        _ => mismatch(),
    }
}

/// A column's values in the class that its writer takes.
enum Values {
    Bool(BooleanArray),
    Array(ArrayRef),
}

/// Writes batches, one after the other, as one stream.
pub(super) struct LineWriter {
    writers: Vec<Writer>,
    /// What all lines end with: columns that have one value.
    end: Vec<u8>,
    /// Rows so far.
    rows: u64,
}

impl LineWriter {
    /// `constants` are the values of the columns after those that are written, as texts.
    pub(super) fn new(writers: Vec<Writer>, constants: &[&str]) -> LineWriter {
        let mut end = Vec::new();
        for (index, constant) in constants.iter().enumerate() {
            if index > 0 || !writers.is_empty() {
                end.push(b'\t');
            }
            escaped(constant.as_bytes(), &mut end);
        }
        end.push(b'\n');
        LineWriter {
            writers,
            end,
            rows: 0,
        }
    }

    /// Appends a batch's rows to `to`.
    ///
    /// # Errors
    /// Input, for a value that its column cannot hold: with the column and the row's number among those
    /// that are loaded, without the value.
    pub(super) fn write(&mut self, batch: &RecordBatch, to: &mut Vec<u8>) -> Result<()> {
        let columns = batch
            .columns()
            .iter()
            .zip(&self.writers)
            .map(|(column, writer)| values(column, &writer.to))
            .collect::<Result<Vec<Values>>>()?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            for (index, (values, writer)) in columns.iter().zip(&self.writers).enumerate() {
                if index > 0 {
                    to.push(b'\t');
                }
                value(values, row, writer, to).map_err(|why| {
                    Error::new(
                        ErrorKind::Input,
                        format!(
                            "column '{}', row {} of those to be loaded: {why}",
                            writer.name, self.rows
                        ),
                    )
                    .with_hint("check the rows before they are written (range, pattern), or give the column another type")
                })?;
            }
            to.extend_from_slice(&self.end);
        }
        Ok(())
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }
}

/// The column in the one type of which the values are read.
fn values(column: &ArrayRef, to: &To) -> Result<Values> {
    let as_type =
        |data_type: DataType| -> Result<Values> { Ok(Values::Array(cast(column, &data_type)?)) };
    match to {
        To::Bool => Ok(Values::Bool(column.as_boolean().clone())),
        To::Int(..) => match column.data_type() {
            DataType::UInt64 => as_type(DataType::Decimal128(20, 0)),
            _ => as_type(DataType::Int64),
        },
        To::Float => as_type(DataType::Float32),
        To::Double => as_type(DataType::Float64),
        To::Decimal(..) => match column.data_type() {
            DataType::Decimal128(..) => Ok(Values::Array(Arc::clone(column))),
            _ => as_type(DataType::Decimal128(20, 0)),
        },
        To::Text(..) | To::Char(_) | To::Member(_) => as_type(DataType::Utf8),
        To::Bytes(_) => as_type(DataType::Binary),
        To::Date => as_type(DataType::Date32),
        To::Time => as_type(DataType::Time64(TimeUnit::Microsecond)),
        To::Moment(_) => {
            let zone = match column.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            as_type(DataType::Timestamp(TimeUnit::Microsecond, zone))
        }
    }
}

/// Writes one value, or says why it cannot be one.
fn value(
    values: &Values,
    row: usize,
    writer: &Writer,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let null = |out: &mut Vec<u8>| {
        // Of a null the server would make a value, such as the time that it is.
        if !writer.nullable {
            return Err("it is null, and the column takes no null");
        }
        out.extend_from_slice(b"\\N");
        Ok(())
    };
    let array = match values {
        Values::Bool(array) if array.is_null(row) => return null(out),
        Values::Bool(array) => {
            out.push(b'0' + u8::from(array.value(row)));
            return Ok(());
        }
        Values::Array(array) => array,
    };
    if array.is_null(row) {
        return null(out);
    }
    let mut digits = itoa::Buffer::new();
    match &writer.to {
        To::Bool => return Err("it is no boolean"),
        To::Int(least, most) => {
            let number = match array.data_type() {
                DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row),
                _ => i128::from(array.as_primitive::<Int64Type>().value(row)),
            };
            if number < *least || number > *most {
                return Err("it is out of the column's range");
            }
            out.extend_from_slice(digits.format(number).as_bytes());
        }
        // As the double that it is: the greatest float's own shortest text is above it.
        To::Float => float(array.as_primitive::<Float32Type>().value(row).into(), out)?,
        To::Double => float(array.as_primitive::<Float64Type>().value(row), out)?,
        To::Decimal(scale, before) => {
            let number = array.as_primitive::<Decimal128Type>().value(row);
            decimal(number, *scale, *before, out)?;
        }
        To::Text(characters, bytes) => {
            let text = array.as_string::<i32>().value(row);
            let too_long =
                |most: u64| text.len() as u64 > most && text.chars().count() as u64 > most;
            if text.len() as u64 > *bytes || characters.is_some_and(too_long) {
                return Err("it is longer than the column");
            }
            escaped(text.as_bytes(), out);
        }
        To::Char(characters) => {
            let text = array.as_string::<i32>().value(row);
            if text.ends_with(' ') {
                return Err("it ends with a space, which the column does not keep");
            }
            if text.chars().count() as u64 > *characters {
                return Err("it is longer than the column");
            }
            escaped(text.as_bytes(), out);
        }
        To::Member(members) => {
            let text = array.as_string::<i32>().value(row);
            if !members.contains(text) {
                return Err("it is none of the values of the column's enum");
            }
            escaped(text.as_bytes(), out);
        }
        To::Bytes(most) => {
            let bytes = array.as_binary::<i32>().value(row);
            if bytes.len() as u64 > *most {
                return Err("it is longer than the column");
            }
            escaped(bytes, out);
        }
        To::Date => {
            let days = array.as_primitive::<Date32Type>().value(row);
            let day = days
                .checked_add(DAYS_TO_EPOCH)
                .and_then(NaiveDate::from_num_days_from_ce_opt)
                .ok_or("MySQL has no such date")?;
            date(day, out)?;
        }
        To::Time => {
            let micros = array.as_primitive::<Time64MicrosecondType>().value(row);
            let micros = u64::try_from(micros).map_err(|_| "it is no time of day")?;
            let seconds = micros / 1_000_000;
            let parts = [seconds / 3600, seconds / 60 % 60, seconds % 60];
            time(parts, micros % 1_000_000, out);
        }
        To::Moment(is_timestamp) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let moment = DateTime::from_timestamp_micros(micros)
                .ok_or("MySQL has no such moment")?
                .naive_utc();
            if *is_timestamp && !(1..=LAST_TIMESTAMP).contains(&micros.div_euclid(1_000_000)) {
                return Err("it is no moment between 1970 and 2038, and the column is a timestamp");
            }
            date(moment.date(), out)?;
            out.push(b' ');
            let parts = [moment.hour(), moment.minute(), moment.second()].map(u64::from);
            time(parts, u64::from(moment.nanosecond() / 1000), out);
        }
    }
    Ok(())
}

/// Doubles every character that means something else in a line.
fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    loop {
        let first = memchr::memchr3(b'\t', b'\n', b'\\', rest);
        let before = rest.get(..first.unwrap_or(rest.len())).unwrap_or_default();
        // A NUL means nothing in a line.
        out.extend_from_slice(before);
        let Some((special, after)) = rest.get(before.len()..).and_then(|rest| rest.split_first())
        else {
            return;
        };
        out.push(b'\\');
        out.push(match special {
            b'\t' => b't',
            b'\n' => b'n',
            other => *other,
        });
        rest = after;
    }
}

fn float(number: f64, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if !number.is_finite() {
        return Err("it is no finite number, and MySQL has no other");
    }
    // The shortest text from which the same number is read. Memory takes any text.
    let _ = write!(out, "{number:?}");
    Ok(())
}

fn decimal(value: i128, scale: i8, before: u32, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value.unsigned_abs()).as_bytes();
    let fraction = usize::from(scale.max(0).unsigned_abs());
    let zeros = usize::from(scale.min(0).unsigned_abs());
    let whole = digits.len().saturating_sub(fraction);
    let significant = match value {
        0 => 0,
        _ => whole + zeros,
    };
    if significant > before as usize {
        return Err("it has more digits than the column");
    }
    if value < 0 {
        out.push(b'-');
    }
    let (head, tail) = digits.split_at(whole);
    out.extend_from_slice(if head.is_empty() { b"0" } else { head });
    if value != 0 {
        out.extend(std::iter::repeat_n(b'0', zeros));
    }
    if fraction > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', fraction - tail.len()));
        out.extend_from_slice(tail);
    }
    Ok(())
}

fn date(day: NaiveDate, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if !(1..=9999).contains(&day.year()) {
        return Err("MySQL has no such year");
    }
    let year = day.year().unsigned_abs();
    out.extend([1000, 100, 10, 1].map(|unit| digit(u64::from(year) / unit)));
    for part in [day.month(), day.day()] {
        out.push(b'-');
        two(u64::from(part), out);
    }
    Ok(())
}

fn time([hours, minutes, seconds]: [u64; 3], micros: u64, out: &mut Vec<u8>) {
    two(hours, out);
    out.push(b':');
    two(minutes, out);
    out.push(b':');
    two(seconds, out);
    if micros > 0 {
        out.push(b'.');
        out.extend([100_000, 10_000, 1000, 100, 10, 1].map(|unit| digit(micros / unit)));
    }
}

fn two(number: u64, out: &mut Vec<u8>) {
    out.extend([digit(number / 10), digit(number)]);
}

/// The last digit of a number.
fn digit(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_is_escaped() {
        let mut out = Vec::new();
        escaped(b"a\tb\nc\\N\0\r", &mut out);
        assert_eq!(out, b"a\\tb\\nc\\\\N\0\r");
        let writer = LineWriter::new(Vec::new(), &["x\ty", "2024-01-01"]);
        assert_eq!(writer.end, b"x\\ty\t2024-01-01\n");
    }

    #[test]
    fn decimals_have_their_digits() {
        for (value, scale, before, text) in [
            (0, 0, 1, Some("0")),
            (0, 2, 0, Some("0.00")),
            (5, 3, 0, Some("0.005")),
            (-12_345, 2, 3, Some("-123.45")),
            (12, -2, 4, Some("1200")),
            (12, -2, 3, None),
            (12_345, 2, 2, None),
        ] {
            let mut out = Vec::new();
            let written = decimal(value, scale, before, &mut out);
            assert_eq!(written.is_ok(), text.is_some(), "{value} {scale}");
            if let Some(text) = text {
                assert_eq!(String::from_utf8(out).unwrap(), text);
            }
        }
    }

    fn moment(is_timestamp: bool) -> Writer {
        Writer {
            name: "at".into(),
            to: To::Moment(is_timestamp),
            nullable: true,
        }
    }

    #[test]
    fn moments_are_written_in_utc() {
        let column: ArrayRef = Arc::new(
            arrow::array::TimestampMicrosecondArray::from(vec![1_709_164_800_000_001, -1])
                .with_timezone("UTC"),
        );
        let values = values(&column, &To::Moment(false)).unwrap();
        for (row, text) in [
            (0, "2024-02-29 00:00:00.000001"),
            (1, "1969-12-31 23:59:59.999999"),
        ] {
            let mut out = Vec::new();
            value(&values, row, &moment(false), &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = Vec::new();
        assert!(value(&values, 1, &moment(true), &mut out).is_err());
    }
}
