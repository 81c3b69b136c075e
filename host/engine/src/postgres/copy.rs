//! Rows as PostgreSQL's binary COPY format takes them.
//!
//! The format, and that of each type, is what the server's manual says of COPY and what its `recv`
//! functions read: a signature, then for each row the number of its columns and for each value its length
//! and its bytes in network order, -1 for a null.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{Kind, Type};

use crate::error::{Error, ErrorKind, Result};
use crate::types::type_text;

/// What a stream begins with: the signature, no flags, no further header.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
const TRAILER: i16 = -1;
/// Days from 1970 to 2000, where PostgreSQL's dates begin.
pub(super) const EPOCH_DAYS: i32 = 10_957;
/// Microseconds between the same.
pub(super) const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;
/// The days that a date may be, counted from 2000: 4713 BC to 5874897 AD.
const DAYS: RangeInclusive<i32> = -2_451_545..=2_145_031_948;
/// The microseconds that a timestamp may be, counted from 2000: 4713 BC to 294276 AD.
const MICROS: RangeInclusive<i64> = -211_813_488_000_000_000..=9_223_371_331_199_999_999;

/// A column of the table that is loaded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    /// Its name.
    pub(super) name: String,
    /// Its type; of a domain, the type beneath.
    pub(super) data_type: Type,
    /// What its type is restricted to: the length of a text, precision and scale of a number.
    pub(super) modifier: i32,
    /// Whether it takes no null.
    pub(super) not_null: bool,
    /// Whether the server has a value of its own where rows have none.
    pub(super) filled: bool,
}

impl Target {
    /// The type as SQL writes it.
    pub(super) fn type_name(&self) -> String {
        match (&self.data_type, self.modifier) {
            (&Type::NUMERIC, modifier) if modifier >= 4 => {
                let (precision, scale) = numeric_bounds(modifier);
                format!("numeric({precision},{scale})")
            }
            (&Type::VARCHAR, modifier) if modifier >= 4 => {
                format!("character varying({})", modifier - 4)
            }
            (&Type::BPCHAR, modifier) if modifier >= 4 => format!("character({})", modifier - 4),
            (data_type, _) => data_type.name().to_owned(),
        }
    }

    /// The type of rows that has exactly its values; none where no type has.
    pub(super) fn natural(&self) -> Option<DataType> {
        Some(match (&self.data_type, self.modifier) {
            (&Type::BOOL, _) => DataType::Boolean,
            (&Type::INT2, _) => DataType::Int16,
            (&Type::INT4, _) => DataType::Int32,
            (&Type::INT8, _) => DataType::Int64,
            (&Type::FLOAT4, _) => DataType::Float32,
            (&Type::FLOAT8, _) => DataType::Float64,
            (&Type::NUMERIC, modifier) if modifier >= 4 => {
                let (precision, scale) = numeric_bounds(modifier);
                let precision = u8::try_from(precision).ok().filter(|most| *most <= 38)?;
                let scale = i8::try_from(scale).ok().filter(|scale| *scale >= 0)?;
                DataType::Decimal128(precision, scale)
            }
            (&Type::TEXT, _) | (&Type::VARCHAR, -1) => DataType::Utf8,
            (&Type::BYTEA, _) => DataType::Binary,
            (&Type::DATE, _) => DataType::Date32,
            (&Type::TIMESTAMP, -1) => DataType::Timestamp(TimeUnit::Microsecond, None),
            (&Type::TIMESTAMPTZ, -1) => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            _ => return None,
        })
    }
}

/// How the values of a column are written.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    name: Arc<str>,
    to: To,
}

#[derive(Debug, Clone, PartialEq)]
enum To {
    Bool,
    Int(Width),
    Float4,
    Float8,
    /// Numbers and decimals, of this scale.
    Numeric(i8),
    /// Text of at most so many characters.
    Text(Option<usize>),
    /// Text after a version byte.
    Jsonb,
    Uuid,
    Bytea,
    Date,
    Time,
    Timestamp,
    List(Box<To>, u32),
}

/// How many bytes a whole number has.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Width {
    Two,
    Four,
    Eight,
}

/// Precision and scale of a number's modifier.
pub(super) fn numeric_bounds(modifier: i32) -> (i32, i32) {
    let bounds = modifier - 4;
    // Scale has eleven bits, and a sign.
    ((bounds >> 16) & 0xffff, ((bounds & 0x7ff) ^ 1024) - 1024)
}

/// Digits before the point, and after it, that a type's values may have.
fn digits(data_type: &DataType) -> Option<(i32, i32)> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal128(precision, scale) => (
            i32::from(*precision) - i32::from(*scale),
            i32::from(*scale).max(0),
        ),
        _ => return None,
    })
}

impl Writer {
    /// For values of `from` in the column `to`.
    ///
    /// # Errors
    /// Why such values do not belong there: it would change them, or PostgreSQL has no such thing.
    pub(super) fn new(from: &DataType, to: &Target) -> Result<Writer, String> {
        Ok(Writer {
            name: to.name.as_str().into(),
            to: writes(from, &to.data_type, to.modifier)?,
        })
    }
}

fn writes(from: &DataType, to: &Type, modifier: i32) -> Result<To, String> {
    let mismatch = || Err(format!("{} is no {}", type_text(from), to.name()));
    let is_text = matches!(
        from,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    let length = || usize::try_from(modifier - 4).ok();
    Ok(match (to, from) {
        (&Type::BOOL, DataType::Boolean) => To::Bool,
        (&Type::INT2, from) if from.is_integer() => To::Int(Width::Two),
        (&Type::INT4, from) if from.is_integer() => To::Int(Width::Four),
        (&Type::INT8, from) if from.is_integer() => To::Int(Width::Eight),
        (&Type::FLOAT4, DataType::Float16 | DataType::Float32) => To::Float4,
        (&Type::FLOAT8, from) if from.is_floating() => To::Float8,
        (&Type::NUMERIC, from) => {
            let Some((_, fraction)) = digits(from) else {
                return mismatch();
            };
            if modifier >= 4 && numeric_bounds(modifier).1 < fraction {
                return Err(format!(
                    "{} has more digits after the point than the column, which would round them",
                    type_text(from)
                ));
            }
            match from {
                DataType::Decimal128(_, scale) => To::Numeric(*scale),
                _ => To::Numeric(0),
            }
        }
        (&Type::TEXT | &Type::JSON, _) if is_text => To::Text(None),
        (&Type::VARCHAR | &Type::BPCHAR, _) if is_text => To::Text(length()),
        (&Type::JSONB, _) if is_text => To::Jsonb,
        (&Type::UUID, _) if is_text => To::Uuid,
        (&Type::BYTEA, DataType::Binary | DataType::LargeBinary | DataType::BinaryView) => {
            To::Bytea
        }
        (&Type::DATE, DataType::Date32) => To::Date,
        (&Type::TIME, DataType::Time32(unit) | DataType::Time64(unit)) => {
            keeps_fraction(*unit, modifier)?;
            To::Time
        }
        (&Type::TIMESTAMP, DataType::Timestamp(unit, None))
        | (&Type::TIMESTAMPTZ, DataType::Timestamp(unit, Some(_))) => {
            keeps_fraction(*unit, modifier)?;
            To::Timestamp
        }
        (to, from) => match (to.kind(), from) {
            (Kind::Enum(_), _) if is_text => To::Text(None),
            (Kind::Array(item), DataType::List(field)) => {
                if field.data_type().is_nested() {
                    return Err("lists of lists are not loaded; cast them to text".to_owned());
                }
                let inner = writes(field.data_type(), item, modifier)?;
                To::List(Box::new(inner), item.oid())
            }
            _ => return mismatch(),
        },
    })
}

/// That a column keeps so much of a second: its modifier says how many digits after the point it has.
fn keeps_fraction(unit: TimeUnit, modifier: i32) -> Result<(), String> {
    let digits = match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => return Err("a cast is needed".to_owned()),
    };
    match modifier {
        -1 => Ok(()),
        kept if kept >= digits => Ok(()),
        kept => Err(format!(
            "the column has {kept} digits of a second's fraction and would round the rest"
        )),
    }
}

/// A column's values in the class that its writer takes.
enum Values {
    Bool(BooleanArray),
    Array(ArrayRef),
}

/// Writes batches, one after the other, as one stream.
pub(super) struct CopyWriter {
    writers: Vec<Writer>,
    /// What all rows end with: columns that have one value.
    constants: Vec<(Writer, ArrayRef)>,
    begun: bool,
    /// Rows so far.
    rows: u64,
}

impl CopyWriter {
    pub(super) fn new(writers: Vec<Writer>, constants: Vec<(Writer, ArrayRef)>) -> CopyWriter {
        CopyWriter {
            writers,
            constants,
            begun: false,
            rows: 0,
        }
    }

    /// Appends a batch's rows to `to`.
    ///
    /// # Errors
    /// Input, for a value that its column cannot hold: with the column and the row's number among those
    /// that are loaded, without the value.
    pub(super) fn write(&mut self, batch: &RecordBatch, to: &mut BytesMut) -> Result<()> {
        self.begin(to);
        let columns = batch
            .columns()
            .iter()
            .zip(&self.writers)
            .map(|(column, writer)| values(column, &writer.to))
            .collect::<Result<Vec<Values>>>()?;
        let constants = self
            .constants
            .iter()
            .map(|(writer, value)| values(value, &writer.to))
            .collect::<Result<Vec<Values>>>()?;
        let count = columns.len() + constants.len();
        let count = i16::try_from(count).map_err(|_| Error::internal("too many columns"))?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            to.put_i16(count);
            let own = columns.iter().zip(&self.writers);
            let own = own.map(|(values, writer)| (values, writer, row));
            let same = constants.iter().zip(&self.constants);
            let same = same.map(|(values, (writer, _))| (values, writer, 0));
            for (values, writer, row) in own.chain(same) {
                value(values, row, &writer.to, to).map_err(|why| {
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
        }
        Ok(())
    }

    /// Appends what ends the stream.
    pub(super) fn finish(&mut self, to: &mut BytesMut) {
        self.begin(to);
        to.put_i16(TRAILER);
    }

    fn begin(&mut self, to: &mut BytesMut) {
        if !self.begun {
            to.put_slice(HEADER);
            self.begun = true;
        }
    }
}

/// The column in the one type of which the values are read.
fn values(column: &ArrayRef, to: &To) -> Result<Values> {
    let as_type =
        |data_type: DataType| -> Result<Values> { Ok(Values::Array(cast(column, &data_type)?)) };
    match to {
        To::Bool => Ok(Values::Bool(column.as_boolean().clone())),
        To::Int(_) => match column.data_type() {
            // Beyond 64 bits with a sign there is no whole number in PostgreSQL.
            DataType::UInt64 => as_type(DataType::Decimal128(20, 0)),
            _ => as_type(DataType::Int64),
        },
        To::Float4 => as_type(DataType::Float32),
        To::Float8 => as_type(DataType::Float64),
        To::Numeric(_) => match column.data_type() {
            DataType::Decimal128(..) => Ok(Values::Array(Arc::clone(column))),
            _ => as_type(DataType::Decimal128(20, 0)),
        },
        To::Text(_) | To::Jsonb | To::Uuid => as_type(DataType::Utf8),
        To::Bytea => as_type(DataType::Binary),
        To::Date => as_type(DataType::Date32),
        To::Time => as_type(DataType::Time64(TimeUnit::Microsecond)),
        To::Timestamp => {
            let zone = match column.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            as_type(DataType::Timestamp(TimeUnit::Microsecond, zone))
        }
        To::List(..) => Ok(Values::Array(Arc::clone(column))),
    }
}

/// Writes one value with its length, or says why it cannot be one.
fn value(values: &Values, row: usize, to: &To, out: &mut BytesMut) -> Result<(), &'static str> {
    let array = match values {
        Values::Bool(array) => {
            if array.is_null(row) {
                out.put_i32(-1);
            } else {
                out.put_i32(1);
                out.put_u8(array.value(row).into());
            }
            return Ok(());
        }
        Values::Array(array) => array,
    };
    if array.is_null(row) {
        out.put_i32(-1);
        return Ok(());
    }
    match to {
        To::Bool => return Err("it is no boolean"),
        To::Int(width) => int(array, row, *width, out)?,
        To::Float4 => {
            out.put_i32(4);
            out.put_f32(array.as_primitive::<Float32Type>().value(row));
        }
        To::Float8 => {
            out.put_i32(8);
            out.put_f64(array.as_primitive::<Float64Type>().value(row));
        }
        To::Numeric(scale) => {
            numeric(
                array.as_primitive::<Decimal128Type>().value(row),
                *scale,
                out,
            );
        }
        To::Text(length) => {
            let text = array.as_string::<i32>().value(row);
            // What is too long by spaces only, PostgreSQL cuts.
            if length.is_some_and(|most| text.len() > most && text.chars().count() > most) {
                return Err("it is longer than the column");
            }
            bytes(without_nul(text)?.as_bytes(), None, out)?;
        }
        To::Jsonb => {
            let text = without_nul(array.as_string::<i32>().value(row))?;
            bytes(text.as_bytes(), Some(1), out)?;
        }
        To::Uuid => {
            let text = array.as_string::<i32>().value(row);
            let id = uuid::Uuid::try_parse(text).map_err(|_| "it is no UUID")?;
            bytes(id.as_bytes(), None, out)?;
        }
        To::Bytea => bytes(array.as_binary::<i32>().value(row), None, out)?,
        To::Date => {
            let days = array.as_primitive::<Date32Type>().value(row);
            let days = days.checked_sub(EPOCH_DAYS);
            let days = days.filter(|days| DAYS.contains(days));
            out.put_i32(4);
            out.put_i32(days.ok_or("PostgreSQL has no such date")?);
        }
        To::Time => {
            out.put_i32(8);
            out.put_i64(array.as_primitive::<Time64MicrosecondType>().value(row));
        }
        To::Timestamp => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let micros = micros.checked_sub(EPOCH_MICROS);
            let micros = micros.filter(|micros| MICROS.contains(micros));
            out.put_i32(8);
            out.put_i64(micros.ok_or("PostgreSQL has no such moment")?);
        }
        To::List(inner, oid) => {
            let items = array.as_list::<i32>().value(row);
            list(&items, inner, *oid, out)?;
        }
    }
    Ok(())
}

fn without_nul(text: &str) -> Result<&str, &'static str> {
    match memchr::memchr(0, text.as_bytes()) {
        Some(_) => Err("it holds the character NUL, which PostgreSQL's texts cannot"),
        None => Ok(text),
    }
}

fn bytes(bytes: &[u8], before: Option<u8>, out: &mut BytesMut) -> Result<(), &'static str> {
    let length = bytes.len() + usize::from(before.is_some());
    out.put_i32(i32::try_from(length).map_err(|_| "it has more than 2 GiB")?);
    if let Some(before) = before {
        out.put_u8(before);
    }
    out.put_slice(bytes);
    Ok(())
}

fn int(array: &ArrayRef, row: usize, width: Width, out: &mut BytesMut) -> Result<(), &'static str> {
    let number = match array.data_type() {
        DataType::Decimal128(..) => {
            i64::try_from(array.as_primitive::<Decimal128Type>().value(row)).ok()
        }
        _ => Some(array.as_primitive::<Int64Type>().value(row)),
    };
    let number = number.ok_or("it is out of the range of bigint")?;
    match width {
        Width::Two => {
            out.put_i32(2);
            out.put_i16(i16::try_from(number).map_err(|_| "it is out of the range of smallint")?);
        }
        Width::Four => {
            out.put_i32(4);
            out.put_i32(i32::try_from(number).map_err(|_| "it is out of the range of integer")?);
        }
        Width::Eight => {
            out.put_i32(8);
            out.put_i64(number);
        }
    }
    Ok(())
}

/// Digits in groups of four around the point, the first group's weight, the sign, and how many digits
/// after the point are shown.
fn numeric(value: i128, scale: i8, out: &mut BytesMut) {
    const BASE: u128 = 10_000;
    let shown = i16::from(scale.max(0));
    let mut rest = value.unsigned_abs();
    // With a negative scale the value stands for so many zeros more; 38 digits and 38 zeros at most
    // fit no integer, so they are added as groups.
    let groups_behind = (shown + 3) / 4;
    let pad = match scale >= 0 {
        true => u32::from((groups_behind * 4 - shown).unsigned_abs()),
        false => u32::from(scale.unsigned_abs() % 4),
    };
    let zeros_behind = match scale >= 0 {
        true => 0,
        false => i16::from(scale.unsigned_abs() / 4),
    };
    // The lowest group takes the padding by itself, so that nothing overflows.
    let mut groups: Vec<i16> = Vec::with_capacity(12);
    let group = |digits: u128| i16::try_from(digits).unwrap_or_default();
    if pad > 0 {
        let low = 10_u128.pow(4 - pad);
        groups.push(group(rest % low * 10_u128.pow(pad)));
        rest /= low;
    }
    while rest > 0 {
        groups.push(group(rest % BASE));
        rest /= BASE;
    }
    let count = i16::try_from(groups.len()).unwrap_or_default();
    let weight = count - groups_behind - 1 + zeros_behind;
    // Zeros in front and behind are not kept.
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let dropped = count - i16::try_from(groups.len()).unwrap_or_default();
    let behind = groups.iter().take_while(|group| **group == 0).count();
    let kept = groups.get(behind..).unwrap_or_default();
    let length = i16::try_from(kept.len()).unwrap_or_default();
    out.put_i32(8 + 2 * i32::from(length));
    out.put_i16(length);
    out.put_i16(if length == 0 { 0 } else { weight - dropped });
    out.put_u16(if value < 0 { 0x4000 } else { 0 });
    out.put_i16(shown);
    for group in kept.iter().rev() {
        out.put_i16(*group);
    }
}

/// One dimension, from 1.
fn list(items: &ArrayRef, inner: &To, oid: u32, out: &mut BytesMut) -> Result<(), &'static str> {
    let length_at = out.len();
    out.put_i32(0);
    out.put_i32(i32::from(!items.is_empty()));
    out.put_i32(i32::from(items.null_count() > 0));
    out.put_u32(oid);
    if !items.is_empty() {
        out.put_i32(i32::try_from(items.len()).map_err(|_| "it has too many items")?);
        out.put_i32(1);
        let values = values(items, inner).map_err(|_| "its items have another type")?;
        for row in 0..items.len() {
            value(&values, row, inner, out)?;
        }
    }
    let length = i32::try_from(out.len() - length_at - 4).map_err(|_| "it has more than 2 GiB")?;
    if let Some(place) = out.get_mut(length_at..length_at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sign, digits before and after the point, as `numeric_out` would write them.
    fn written(value: i128, scale: i8) -> String {
        let mut out = BytesMut::new();
        numeric(value, scale, &mut out);
        let int = |at: usize| i16::from_be_bytes([out[at], out[at + 1]]);
        assert_eq!(
            i32::from_be_bytes([out[0], out[1], out[2], out[3]]),
            out.len() as i32 - 4
        );
        let (groups, weight, sign, shown) = (int(4), int(6), int(8), int(10));
        let group = |index: i16| match index {
            index if (0..groups).contains(&index) => int(12 + 2 * index as usize),
            _ => 0,
        };
        let mut before = String::new();
        for index in 0..=weight {
            before.push_str(&format!("{:04}", group(index)));
        }
        let mut after = String::new();
        let mut index = weight + 1;
        while (after.len() as i16) < shown {
            match index < 0 {
                true => after.push_str("0000"),
                false => after.push_str(&format!("{:04}", group(index))),
            }
            index += 1;
        }
        after.truncate(shown as usize);
        let before = before.trim_start_matches('0');
        let before = if before.is_empty() { "0" } else { before };
        let sign = if sign == 0x4000 { "-" } else { "" };
        match shown {
            0 => format!("{sign}{before}"),
            _ => format!("{sign}{before}.{after}"),
        }
    }

    #[test]
    fn numbers_are_written_in_groups_of_four_digits() {
        for (value, scale, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (1, 0, "1"),
            (-10_000, 0, "-10000"),
            (12_345, 2, "123.45"),
            (5, 4, "0.0005"),
            (5, 5, "0.00005"),
            (-100_005, 5, "-1.00005"),
            (12, -1, "120"),
            (7, -5, "700000"),
            (1_000_000, 6, "1.000000"),
            (i128::MAX, 0, "170141183460469231731687303715884105727"),
            (
                99_999_999_999_999_999_999_999_999_999_999_999_999,
                37,
                "9.9999999999999999999999999999999999999",
            ),
            (1, 38, "0.00000000000000000000000000000000000001"),
        ] {
            assert_eq!(written(value, scale), text, "{value} e-{scale}");
        }
    }

    #[test]
    fn a_modifier_says_precision_and_scale() {
        assert_eq!(numeric_bounds(((10 << 16) | 2) + 4), (10, 2));
        // numeric(5,-3): the scale in eleven bits.
        assert_eq!(numeric_bounds(((5 << 16) | 0x7fd) + 4), (5, -3));
    }

    #[test]
    fn what_would_be_changed_is_refused() {
        let target = |data_type: Type, modifier| Target {
            name: "x".to_owned(),
            data_type,
            modifier,
            not_null: false,
            filled: false,
        };
        let number = |precision, scale| DataType::Decimal128(precision, scale);
        let two = ((10 << 16) | 2) + 4;
        assert!(Writer::new(&number(10, 2), &target(Type::NUMERIC, two)).is_ok());
        assert!(Writer::new(&number(10, 3), &target(Type::NUMERIC, two)).is_err());
        assert!(Writer::new(&number(10, 3), &target(Type::NUMERIC, -1)).is_ok());
        assert!(Writer::new(&DataType::Float64, &target(Type::FLOAT4, -1)).is_err());
        assert!(Writer::new(&DataType::Utf8, &target(Type::INT4, -1)).is_err());
        let zone = Some("UTC".into());
        let moment = DataType::Timestamp(TimeUnit::Microsecond, zone);
        assert!(Writer::new(&moment, &target(Type::TIMESTAMP, -1)).is_err());
        assert!(Writer::new(&moment, &target(Type::TIMESTAMPTZ, -1)).is_ok());
    }
}
