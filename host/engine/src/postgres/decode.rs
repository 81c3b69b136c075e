//! Rows of PostgreSQL's binary COPY format as Arrow: what [`super::copy`] writes, read.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, ListArray, RecordBatch,
    RecordBatchOptions, StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use tokio_postgres::types::{Kind, Type};

use super::copy::{EPOCH_DAYS, EPOCH_MICROS, HEADER, Target, numeric_bounds};
use super::table::quoted;
use crate::error::{Error, ErrorKind, Result};

/// A batch is given away once its values have so many bytes, or its rows are enough.
const BATCH_BYTES: usize = 8 << 20;
/// A day has so many microseconds.
const DAY_MICROS: i64 = 86_400_000_000;

/// How a column is asked for, and how its values are read.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    name: Arc<str>,
    from: From,
    /// What the server makes of the column before it sends it.
    cast: Option<&'static str>,
    /// As a condition compares it.
    operand: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum From {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// Precision and scale.
    Numeric(u8, i8),
    Text,
    /// Text after a version byte.
    Jsonb,
    Uuid,
    Bytea,
    Date,
    Time,
    /// Whether it is a moment in UTC.
    Timestamp(bool),
    List(Box<From>),
}

/// Types that have a text which says all of them, and no type of Arrow's that does.
const AS_TEXT: &[Type] = &[
    Type::INTERVAL,
    Type::TIMETZ,
    Type::INET,
    Type::CIDR,
    Type::MACADDR,
    Type::MACADDR8,
    Type::XML,
    Type::BIT,
    Type::VARBIT,
    Type::MONEY,
    Type::OID,
    Type::PG_LSN,
];

impl Reader {
    /// How the values of a column are read, or why they cannot be.
    ///
    /// | PostgreSQL | rows |
    /// |---|---|
    /// | boolean, smallint, integer, bigint | bool, int16, int32, int64 |
    /// | real, double precision | float32, float64 |
    /// | numeric(p,s) of at most 38 digits | decimal(p,s) |
    /// | numeric without bounds, or of more digits | string, as the server writes it |
    /// | text, varchar, char, name, enums, json, jsonb, uuid | string |
    /// | bytea | binary |
    /// | date, time, timestamp | date, time, timestamp (µs) |
    /// | timestamptz | timestamptz (µs, UTC) |
    /// | interval, timetz, inet, cidr, macaddr, xml, bit, money, oid | string, as the server writes it |
    /// | an array of one of the types above the last row | a list of it |
    /// | a domain | as the type beneath |
    pub(super) fn new(column: &Target) -> Result<Reader, String> {
        let (from, cast) = reads(&column.data_type, column.modifier).ok_or_else(|| {
            format!(
                "column '{}' is {}, which has no type of Arrow's",
                column.name,
                column.type_name()
            )
        })?;
        let name = quoted(&column.name);
        let as_text = || Some(format!("cast({name} as text)"));
        let operand = match &from {
            From::Float4 | From::Float8 | From::Bytea | From::List(_) => None,
            // What is compared is what is read, and no text is too strange to be compared with.
            From::Uuid | From::Jsonb => as_text(),
            From::Text if cast.is_some() => as_text(),
            From::Text => match column.data_type.kind() {
                Kind::Simple if column.data_type != Type::JSON => Some(name),
                _ => as_text(),
            },
            From::Bool
            | From::Int2
            | From::Int4
            | From::Int8
            | From::Numeric(..)
            | From::Date
            | From::Time
            | From::Timestamp(_) => Some(name),
        };
        Ok(Reader {
            name: column.name.as_str().into(),
            from,
            cast,
            operand,
        })
    }

    /// As a condition compares it; none if no condition on it is pushed down.
    pub(super) fn operand(&self) -> Option<String> {
        self.operand.clone()
    }

    /// The type of its values in Arrow.
    pub(super) fn data_type(&self) -> DataType {
        self.from.data_type()
    }

    /// As a query asks for it.
    pub(super) fn expression(&self) -> String {
        match self.cast {
            None => quoted(&self.name),
            Some(to) => format!("cast({} as {to})", quoted(&self.name)),
        }
    }
}

fn reads(data_type: &Type, modifier: i32) -> Option<(From, Option<&'static str>)> {
    let from = match data_type {
        &Type::BOOL => From::Bool,
        &Type::INT2 => From::Int2,
        &Type::INT4 => From::Int4,
        &Type::INT8 => From::Int8,
        &Type::FLOAT4 => From::Float4,
        &Type::FLOAT8 => From::Float8,
        &Type::NUMERIC => {
            let bounds = (modifier >= 4).then(|| numeric_bounds(modifier));
            let fits = bounds.and_then(|(precision, scale)| {
                let precision = u8::try_from(precision)
                    .ok()
                    .filter(|digits| *digits <= 38)?;
                // PostgreSQL's scale may be negative, or above the precision; Arrow's likewise, but few
                // read it.
                let scale = i8::try_from(scale).ok()?;
                (0..=i8::try_from(precision).ok()?)
                    .contains(&scale)
                    .then_some((precision, scale))
            });
            match fits {
                Some((precision, scale)) => From::Numeric(precision, scale),
                None => return Some((From::Text, Some("text"))),
            }
        }
        &Type::TEXT | &Type::VARCHAR | &Type::BPCHAR | &Type::NAME | &Type::JSON => From::Text,
        &Type::JSONB => From::Jsonb,
        &Type::UUID => From::Uuid,
        &Type::BYTEA => From::Bytea,
        &Type::DATE => From::Date,
        &Type::TIME => From::Time,
        &Type::TIMESTAMP => From::Timestamp(false),
        &Type::TIMESTAMPTZ => From::Timestamp(true),
        other if AS_TEXT.contains(other) => return Some((From::Text, Some("text"))),
        other => match other.kind() {
            Kind::Enum(_) => From::Text,
            Kind::Array(item) => match reads(item, modifier)? {
                (From::List(_), _) => return None,
                // An array of what is read as text would be read as one, too.
                (From::Text, Some(_)) => {
                    return Some((From::List(Box::new(From::Text)), Some("text[]")));
                }
                (inner, _) => From::List(Box::new(inner)),
            },
            _ => return None,
        },
    };
    Some((from, None))
}

impl From {
    fn data_type(&self) -> DataType {
        match self {
            From::Bool => DataType::Boolean,
            From::Int2 => DataType::Int16,
            From::Int4 => DataType::Int32,
            From::Int8 => DataType::Int64,
            From::Float4 => DataType::Float32,
            From::Float8 => DataType::Float64,
            From::Numeric(precision, scale) => DataType::Decimal128(*precision, *scale),
            From::Text | From::Jsonb | From::Uuid => DataType::Utf8,
            From::Bytea => DataType::Binary,
            From::Date => DataType::Date32,
            From::Time => DataType::Time64(TimeUnit::Microsecond),
            From::Timestamp(false) => DataType::Timestamp(TimeUnit::Microsecond, None),
            From::Timestamp(true) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            From::List(inner) => DataType::List(Arc::new(item(inner))),
        }
    }
}

fn item(inner: &From) -> Field {
    Field::new_list_field(inner.data_type(), true)
}

/// The values of one column so far.
enum Values {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Numeric(Decimal128Builder, i8),
    Text(StringBuilder),
    Jsonb(StringBuilder),
    Uuid(StringBuilder),
    Bytea(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    List {
        items: Box<Values>,
        field: Arc<Field>,
        ends: Vec<i32>,
        valid: Vec<bool>,
    },
}

impl Values {
    fn new(from: &From) -> Values {
        match from {
            From::Bool => Values::Bool(BooleanBuilder::new()),
            From::Int2 => Values::Int2(Int16Builder::new()),
            From::Int4 => Values::Int4(Int32Builder::new()),
            From::Int8 => Values::Int8(Int64Builder::new()),
            From::Float4 => Values::Float4(Float32Builder::new()),
            From::Float8 => Values::Float8(Float64Builder::new()),
            From::Numeric(_, scale) => Values::Numeric(
                Decimal128Builder::new().with_data_type(from.data_type()),
                *scale,
            ),
            From::Text => Values::Text(StringBuilder::new()),
            From::Jsonb => Values::Jsonb(StringBuilder::new()),
            From::Uuid => Values::Uuid(StringBuilder::new()),
            From::Bytea => Values::Bytea(BinaryBuilder::new()),
            From::Date => Values::Date(Date32Builder::new()),
            From::Time => Values::Time(Time64MicrosecondBuilder::new()),
            From::Timestamp(_) => Values::Timestamp(
                TimestampMicrosecondBuilder::new().with_data_type(from.data_type()),
            ),
            From::List(inner) => Values::List {
                items: Box::new(Values::new(inner)),
                field: Arc::new(item(inner)),
                ends: vec![0],
                valid: Vec::new(),
            },
        }
    }

    fn null(&mut self) {
        match self {
            Values::Bool(values) => values.append_null(),
            Values::Int2(values) => values.append_null(),
            Values::Int4(values) => values.append_null(),
            Values::Int8(values) => values.append_null(),
            Values::Float4(values) => values.append_null(),
            Values::Float8(values) => values.append_null(),
            Values::Numeric(values, _) => values.append_null(),
            Values::Text(values) | Values::Jsonb(values) | Values::Uuid(values) => {
                values.append_null();
            }
            Values::Bytea(values) => values.append_null(),
            Values::Date(values) => values.append_null(),
            Values::Time(values) => values.append_null(),
            Values::Timestamp(values) => values.append_null(),
            Values::List { ends, valid, .. } => {
                ends.push(ends.last().copied().unwrap_or_default());
                valid.push(false);
            }
        }
    }

    /// Adds a value as the server's `send` functions write it.
    fn push(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        match self {
            Values::Bool(values) => values.append_value(array::<1>(bytes)? != [0]),
            Values::Int2(values) => values.append_value(i16::from_be_bytes(array(bytes)?)),
            Values::Int4(values) => values.append_value(i32::from_be_bytes(array(bytes)?)),
            Values::Int8(values) => values.append_value(i64::from_be_bytes(array(bytes)?)),
            Values::Float4(values) => values.append_value(f32::from_be_bytes(array(bytes)?)),
            Values::Float8(values) => values.append_value(f64::from_be_bytes(array(bytes)?)),
            Values::Numeric(values, scale) => values.append_value(numeric(bytes, *scale)?),
            Values::Text(values) => values.append_value(text(bytes)?),
            Values::Jsonb(values) => match bytes.split_first() {
                Some((1, rest)) => values.append_value(text(rest)?),
                _ => return Err("its JSON has a format that is not known"),
            },
            Values::Uuid(values) => {
                let id = uuid::Uuid::from_bytes(array(bytes)?);
                let mut buffer = uuid::Uuid::encode_buffer();
                values.append_value(id.hyphenated().encode_lower(&mut buffer));
            }
            Values::Bytea(values) => values.append_value(bytes),
            Values::Date(values) => {
                let days = i32::from_be_bytes(array(bytes)?);
                if matches!(days, i32::MIN | i32::MAX) {
                    return Err("its date is infinite");
                }
                values.append_value(
                    days.checked_add(EPOCH_DAYS)
                        .ok_or("its date is too far away")?,
                );
            }
            Values::Time(values) => {
                let micros = i64::from_be_bytes(array(bytes)?);
                if micros >= DAY_MICROS {
                    return Err("its time of day is 24:00:00, which no day has");
                }
                values.append_value(micros);
            }
            Values::Timestamp(values) => {
                let micros = i64::from_be_bytes(array(bytes)?);
                if matches!(micros, i64::MIN | i64::MAX) {
                    return Err("its timestamp is infinite");
                }
                values.append_value(
                    micros
                        .checked_add(EPOCH_MICROS)
                        .ok_or("its timestamp is too far away")?,
                );
            }
            Values::List {
                items, ends, valid, ..
            } => {
                let before = ends.last().copied().unwrap_or_default();
                let count = list(bytes, items)?;
                ends.push(before.checked_add(count).ok_or("its lists are too long")?);
                valid.push(true);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Values::Bool(values) => Arc::new(values.finish()),
            Values::Int2(values) => Arc::new(values.finish()),
            Values::Int4(values) => Arc::new(values.finish()),
            Values::Int8(values) => Arc::new(values.finish()),
            Values::Float4(values) => Arc::new(values.finish()),
            Values::Float8(values) => Arc::new(values.finish()),
            Values::Numeric(values, _) => Arc::new(values.finish()),
            Values::Text(values) | Values::Jsonb(values) | Values::Uuid(values) => {
                Arc::new(values.finish())
            }
            Values::Bytea(values) => Arc::new(values.finish()),
            Values::Date(values) => Arc::new(values.finish()),
            Values::Time(values) => Arc::new(values.finish()),
            Values::Timestamp(values) => Arc::new(values.finish()),
            Values::List {
                items,
                field,
                ends,
                valid,
            } => {
                let offsets = OffsetBuffer::new(std::mem::replace(ends, vec![0]).into());
                let nulls = NullBuffer::from(std::mem::take(valid));
                let items = items.finish()?;
                let nulls = (nulls.null_count() > 0).then_some(nulls);
                Arc::new(ListArray::try_new(
                    Arc::clone(field),
                    offsets,
                    items,
                    nulls,
                )?)
            }
        })
    }
}

/// So many bytes.
fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], &'static str> {
    bytes
        .try_into()
        .map_err(|_| "it has another length than its type")
}

fn text(bytes: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(bytes).map_err(|_| "its text is no UTF-8")
}

/// Digits in groups of four: how many groups, the weight of the first, the sign, how many digits after
/// the point are shown, and the groups.
fn numeric(bytes: &[u8], scale: i8) -> Result<i128, &'static str> {
    const BROKEN: &str = "its number has a format that is not known";
    let (head, groups) = bytes.split_at_checked(8).ok_or(BROKEN)?;
    let head: [u8; 8] = array(head)?;
    let [n0, n1, w0, w1, s0, s1, _, _] = head;
    let (count, weight) = (i16::from_be_bytes([n0, n1]), i16::from_be_bytes([w0, w1]));
    let negative = match u16::from_be_bytes([s0, s1]) {
        0 => false,
        0x4000 => true,
        0xC000 => return Err("its number is NaN, which no decimal is"),
        _ => return Err("its number is infinite"),
    };
    if groups.len() != 2 * usize::from(count.unsigned_abs()) {
        return Err(BROKEN);
    }
    const TOO_LARGE: &str = "its number has more digits than its type";
    let mut value: i128 = 0;
    for (index, group) in (0_i32..).zip(groups.chunks_exact(2)) {
        let digits = i128::from(i16::from_be_bytes(array(group)?));
        // The power of ten of this group's last digit, in units of the scale.
        let power = 4 * (i32::from(weight) - index) + i32::from(scale);
        let part = match u32::try_from(power) {
            Ok(power) => 10_i128
                .checked_pow(power)
                .and_then(|unit| digits.checked_mul(unit))
                .ok_or(TOO_LARGE)?,
            Err(_) => {
                let unit = 10_i128.checked_pow(power.unsigned_abs()).ok_or(TOO_LARGE)?;
                if digits % unit != 0 {
                    return Err("its number has more digits after the point than its type");
                }
                digits / unit
            }
        };
        value = value.checked_add(part).ok_or(TOO_LARGE)?;
    }
    Ok(if negative { -value } else { value })
}

/// The items of an array of one dimension, added to `items`; gives their number.
fn list(bytes: &[u8], items: &mut Values) -> Result<i32, &'static str> {
    let mut rest = Cursor { bytes };
    let dimensions = rest.int()?;
    let (_nulls, _type) = (rest.int()?, rest.int()?);
    match dimensions {
        0 => return Ok(0),
        1 => {}
        _ => return Err("its array has several dimensions"),
    }
    let (count, _from) = (rest.int()?, rest.int()?);
    for _ in 0..count {
        match rest.value()? {
            None => items.null(),
            Some(value) => items.push(value)?,
        }
    }
    Ok(count)
}

/// Bytes from which values are taken.
struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or("the server's answer ends within a value")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn int(&mut self) -> Result<i32, &'static str> {
        Ok(i32::from_be_bytes(array(self.take(4)?)?))
    }

    /// A length and as many bytes; none for a null.
    fn value(&mut self) -> Result<Option<&'a [u8]>, &'static str> {
        match usize::try_from(self.int()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }
}

/// Reads the messages of one stream.
pub(super) struct CopyReader {
    schema: SchemaRef,
    names: Vec<Arc<str>>,
    columns: Vec<Values>,
    /// Rows that are not in a batch yet.
    rows: usize,
    bytes: usize,
    most: usize,
    begun: bool,
    ended: bool,
}

impl CopyReader {
    /// Reads the columns of `schema`, in batches of at most `most` rows.
    pub(super) fn new(readers: &[Reader], schema: SchemaRef, most: usize) -> CopyReader {
        CopyReader {
            schema,
            names: readers
                .iter()
                .map(|reader| Arc::clone(&reader.name))
                .collect(),
            columns: readers
                .iter()
                .map(|reader| Values::new(&reader.from))
                .collect(),
            rows: 0,
            bytes: 0,
            most,
            begun: false,
            ended: false,
        }
    }

    /// Reads one message, which is one row; gives a batch if that is full now.
    ///
    /// # Errors
    /// Input, for a value that Arrow has not, with its column and without the value.
    pub(super) fn read(&mut self, message: &[u8]) -> Result<Option<RecordBatch>> {
        let broken = |what: &str| {
            Error::new(
                ErrorKind::Storage,
                format!("the server's answer cannot be read: {what}"),
            )
            .with_hint("run the same command again")
        };
        let mut rest = Cursor { bytes: message };
        if !self.begun {
            // The signature, flags, and the length of a further header, which nobody has used yet.
            let (signature, more) = HEADER.split_at(HEADER.len() - 4);
            let head = rest.take(signature.len()).map_err(broken)?;
            let further = rest.take(more.len()).map_err(broken)?;
            if head != signature || further != more {
                return Err(broken("it begins otherwise than COPY in binary"));
            }
            self.begun = true;
            if rest.bytes.is_empty() {
                return Ok(None);
            }
        }
        let count = i16::from_be_bytes(rest.take(2).and_then(array).map_err(broken)?);
        if count == -1 {
            self.ended = true;
            return Ok(None);
        }
        if usize::try_from(count) != Ok(self.columns.len()) {
            return Err(broken("a row has another number of columns"));
        }
        for (values, name) in self.columns.iter_mut().zip(&self.names) {
            let value = rest.value().map_err(broken)?;
            let read = match value {
                None => {
                    values.null();
                    Ok(())
                }
                Some(bytes) => values.push(bytes),
            };
            read.map_err(|why| {
                Error::input(format!("a row cannot be read: in column '{name}' {why}"))
                    .with_hint("leave the row or the column out in a query of `read`, or let a view of the database say what it means")
            })?;
        }
        if !rest.bytes.is_empty() {
            return Err(broken("a row has more bytes than its columns"));
        }
        self.rows += 1;
        self.bytes += message.len();
        if self.rows >= self.most || self.bytes >= BATCH_BYTES {
            return self.batch().map(Some);
        }
        Ok(None)
    }

    /// The rows that are left, once the stream has ended.
    ///
    /// # Errors
    /// Storage, if the server has not said that these are all.
    pub(super) fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if !self.ended {
            return Err(
                Error::new(ErrorKind::Storage, "the server's answer has no end")
                    .with_hint("run the same command again"),
            );
        }
        match self.rows {
            0 => Ok(None),
            _ => self.batch().map(Some),
        }
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let columns = self
            .columns
            .iter_mut()
            .map(Values::finish)
            .collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &options,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Decimal128Type, Schema};
    use bytes::{BufMut, BytesMut};

    use super::super::copy::{CopyWriter, Writer};
    use super::*;

    fn target(data_type: Type, modifier: i32) -> Target {
        Target {
            name: "x".to_owned(),
            data_type,
            modifier,
            not_null: false,
            filled: false,
        }
    }

    /// What our own writer writes is what the server would send.
    fn round_trip(column: ArrayRef, target: &Target) -> ArrayRef {
        let field = Field::new("x", column.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let rows = column.len();
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
        let writer = Writer::new(schema.field(0).data_type(), target).unwrap();
        let mut copy = CopyWriter::new(vec![writer], Vec::new());
        let mut out = BytesMut::new();
        let reader = Reader::new(target).unwrap();
        let field = Field::new("x", reader.data_type(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let mut reading = CopyReader::new(&[reader], schema, 1 << 20);
        for row in 0..rows {
            copy.write(&batch.slice(row, 1), &mut out).unwrap();
            assert!(reading.read(&out.split()).unwrap().is_none());
        }
        copy.finish(&mut out);
        assert!(reading.read(&out).unwrap().is_none());
        let batch = reading.finish().unwrap().unwrap();
        Arc::clone(batch.column(0))
    }

    #[test]
    fn numbers_come_back_whatever_their_scale() {
        for (precision, scale) in [(38, 37), (38, 38), (38, 0), (10, 2), (5, 5), (7, 3)] {
            let most = 10_i128.pow(u32::from(precision)) - 1;
            let values: Vec<Option<i128>> = [0, 1, -1, 7, 10_000, 123_456, most, -most, most / 7]
                .into_iter()
                .filter(|value: &i128| value.abs() <= most)
                .map(Some)
                .chain([None])
                .collect();
            let column = arrow::array::Decimal128Array::from(values)
                .with_precision_and_scale(precision, scale)
                .unwrap();
            let modifier = ((i32::from(precision) << 16) | i32::from(scale)) + 4;
            let back = round_trip(Arc::new(column.clone()), &target(Type::NUMERIC, modifier));
            assert_eq!(back.as_primitive::<Decimal128Type>(), &column);
        }
    }

    #[test]
    fn what_no_decimal_is_has_a_reason() {
        let number = |sign: u16, groups: &[i16], weight: i16| {
            let mut out = BytesMut::new();
            out.put_i16(groups.len() as i16);
            out.put_i16(weight);
            out.put_u16(sign);
            out.put_i16(0);
            groups.iter().for_each(|group| out.put_i16(*group));
            out
        };
        assert_eq!(numeric(&number(0x4000, &[12, 3400], 0), 2), Ok(-1234));
        assert!(
            numeric(&number(0xC000, &[], 0), 2)
                .unwrap_err()
                .contains("NaN")
        );
        assert!(
            numeric(&number(0xD000, &[], 0), 2)
                .unwrap_err()
                .contains("infinite")
        );
        assert!(
            numeric(&number(0, &[1], 10), 2)
                .unwrap_err()
                .contains("digits")
        );
        assert!(
            numeric(&number(0, &[1], -1), 2)
                .unwrap_err()
                .contains("after the point")
        );
        assert!(numeric(&number(0, &[1], -20), 2).is_err());
        assert!(numeric(&[0, 1, 0, 0], 2).is_err());
        assert!(numeric(&[0x80, 0, 0, 0, 0, 0, 0, 0], 2).is_err());
    }

    #[test]
    fn lists_and_texts_come_back() {
        let mut lists = arrow::array::ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("a"), None, Some("\u{1F600}")]);
        lists.append_value(Vec::<Option<&str>>::new());
        lists.append_null();
        let lists = lists.finish();
        let back = round_trip(Arc::new(lists.clone()), &target(Type::TEXT_ARRAY, -1));
        assert_eq!(back.as_list::<i32>(), &lists);
        let uuid = arrow::array::StringArray::from(vec!["0191d0a0-0000-7000-8000-00000000ffff"]);
        let back = round_trip(Arc::new(uuid.clone()), &target(Type::UUID, -1));
        assert_eq!(back.as_string::<i32>(), &uuid);
    }

    #[test]
    fn broken_answers_are_errors() {
        let reader = Reader::new(&target(Type::INT4, -1)).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int32, true)]));
        let fresh = || CopyReader::new(std::slice::from_ref(&reader), Arc::clone(&schema), 10);
        let row = |bytes: &[u8]| [HEADER, bytes].concat();
        for broken in [
            b"PGCOPX".to_vec(),
            row(&[0]),
            row(&[0, 2, 0, 0, 0, 4, 0, 0, 0, 1]),
            row(&[0, 1, 0, 0, 0, 9, 0]),
            row(&[0, 1, 0, 0, 0, 2, 0, 1]),
            row(&[0, 1, 0xff, 0xff, 0xff, 0xff, 0]),
        ] {
            assert!(fresh().read(&broken).is_err(), "{broken:?}");
        }
        let mut cut = fresh();
        cut.read(&row(&[0, 1, 0xff, 0xff, 0xff, 0xff])).unwrap();
        assert!(cut.finish().unwrap_err().to_string().contains("no end"));
    }
}
