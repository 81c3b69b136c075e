//! Masks: values replaced by others that tell less.
//!
//! | method | gives | for |
//! |---|---|---|
//! | `hmac` | HMAC-SHA-256 of the value's [text](texts), 64 hex digits | what has a text |
//! | `token` | a random token that a [vault](crate::vault) keeps, 32 hex digits | what has a text |
//! | `null` | null | everything |
//! | `year` | the year, `int32` | dates and timestamps |
//! | `partial` | the last characters, `*` for those before | texts and whole numbers |
//!
//! Null stays null. A stage replaces the columns of its rows by these; quarantine, which keeps the row
//! that a segment read, replaces those of them that any stage of the step replaces later.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::array::{Int32Array, new_null_array};
use arrow::compute::{CastOptions, DatePart, cast_with_options, date_part};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use weir_pipeline::{SecretSource, TableName};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::hex;
use crate::types::type_text;
use crate::vault::Vaults;

/// A shorter key could be guessed.
const SHORTEST_KEY: usize = 16;

/// By what the values of a column are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// HMAC-SHA-256 of its text.
    Hmac(MaskKey),
    /// A token of this vault, which gets values with these labels of sensitive data.
    Token(TableName, BTreeSet<String>),
    /// Null.
    Null,
    /// The year.
    Year,
    /// So many characters at the end stay.
    Partial(u8),
}

/// A key, with where it came from: the key itself is never shown.
#[derive(Clone)]
pub struct MaskKey {
    source: SecretSource,
    mac: Hmac<Sha256>,
}

impl MaskKey {
    /// The key that `source` has given.
    ///
    /// # Errors
    /// What is wrong with it, without anything of it.
    pub fn new(source: &SecretSource, key: &str) -> Result<MaskKey, String> {
        if key.len() < SHORTEST_KEY {
            return Err(format!("the key has fewer than {SHORTEST_KEY} bytes"));
        }
        let mac = Hmac::new_from_slice(key.as_bytes()).map_err(|error| error.to_string())?;
        Ok(MaskKey {
            source: source.clone(),
            mac,
        })
    }

    fn code(&self, text: &str) -> String {
        let mut mac = self.mac.clone();
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes(), 64)
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaskKey({:?})", self.source)
    }
}

impl PartialEq for MaskKey {
    fn eq(&self, other: &MaskKey) -> bool {
        self.source == other.source
    }
}

impl Eq for MaskKey {}

impl Method {
    /// Its name in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Method::Hmac(_) => "hmac",
            Method::Token(..) => "token",
            Method::Null => "null",
            Method::Year => "year",
            Method::Partial(_) => "partial",
        }
    }

    /// The type of what it makes of a column of `data_type`.
    ///
    /// # Errors
    /// Why it can make nothing of it.
    pub fn masked(&self, data_type: &DataType) -> Result<DataType, String> {
        let refused = |able: &str| Err(format!("is {}, not {able}", type_text(data_type)));
        match self {
            Method::Null => Ok(data_type.clone()),
            Method::Hmac(_) | Method::Token(..) if has_text(data_type) => Ok(DataType::Utf8),
            Method::Hmac(_) | Method::Token(..) => {
                refused("a text, whole number, decimal, date, timestamp, or true and false")
            }
            Method::Year if is_dated(data_type) => Ok(DataType::Int32),
            Method::Year => refused("a date or timestamp"),
            Method::Partial(_) if is_written(data_type) => Ok(DataType::Utf8),
            Method::Partial(_) => refused("a text or whole number"),
        }
    }

    fn apply(&self, column: &ArrayRef, vaults: &Vaults) -> Result<ArrayRef> {
        Ok(match self {
            Method::Null => new_null_array(column.data_type(), column.len()),
            Method::Hmac(key) => {
                let texts = texts(column)?;
                let codes = texts.iter().map(|text| text.map(|text| key.code(text)));
                Arc::new(codes.collect::<StringArray>())
            }
            Method::Token(vault, _) => Arc::new(vaults.get(vault)?.tokens(&texts(column)?)?),
            Method::Year => years(column)?,
            Method::Partial(keep) => {
                let texts = texts(column)?;
                let parts = texts.iter().map(|text| Some(partial(text?, *keep)));
                Arc::new(parts.collect::<StringArray>())
            }
        })
    }
}

/// Whether values have one text that stands for them, whatever table they are in.
fn has_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean | DataType::Decimal128(_, _) => true,
        DataType::Dictionary(_, value) => has_text(value),
        other => is_written(other) || is_dated(other),
    }
}

fn is_written(data_type: &DataType) -> bool {
    let is_text = matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    is_text || data_type.is_integer()
}

fn is_dated(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _)
    )
}

/// The texts that stand for values: a number in digits, without zeros behind its point; a date
/// `2026-01-05`, a timestamp `2026-01-05T10:11:12` with the fraction that it has, with a zone in UTC
/// and with `Z`. So a value has the same text in every table, whatever the type of its column.
pub fn texts(column: &ArrayRef) -> Result<StringArray> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    // What arrow says of a value may quote it.
    let cast = |column: &ArrayRef, to: &DataType| {
        cast_with_options(column, to, &options).map_err(|_| {
            Error::new(ErrorKind::Input, "a column to be masked has a value that cannot be written as text")
                .with_hint("look for dates and timestamps far in the past or future; mask the column with \"null\", or reject such rows before")
        })
    };
    let column = match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            cast(column, &DataType::Timestamp(*unit, Some("UTC".into())))?
        }
        DataType::Date64 => cast(column, &DataType::Date32)?,
        _ => Arc::clone(column),
    };
    let written = cast(&column, &DataType::Utf8)?;
    let written = written.as_string::<i32>();
    Ok(match column.data_type() {
        DataType::Decimal128(_, scale) if *scale > 0 => written
            .iter()
            .map(|text| text.map(|text| text.trim_end_matches('0').trim_end_matches('.')))
            .collect(),
        _ => written.clone(),
    })
}

fn years(column: &ArrayRef) -> Result<ArrayRef> {
    let column = match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            arrow::compute::cast(column, &DataType::Timestamp(*unit, Some("UTC".into())))?
        }
        _ => Arc::clone(column),
    };
    let years = date_part(&column, DatePart::Year)?;
    let years: &Int32Array = years.as_primitive::<Int32Type>();
    Ok(Arc::new(years.clone()))
}

/// `*` for each character but the last `keep`; for all, where there are no more than that.
fn partial(text: &str, keep: u8) -> String {
    let length = text.chars().count();
    let kept = match length > usize::from(keep) {
        true => usize::from(keep),
        false => 0,
    };
    let mut masked = "*".repeat(length - kept);
    masked.extend(text.chars().skip(length - kept));
    masked
}

/// Masks of some columns of rows.
#[derive(Debug, Clone)]
pub struct Masks {
    columns: Vec<(usize, Method)>,
    schema: SchemaRef,
}

impl Masks {
    /// Masks of columns of `schema` by their indices.
    ///
    /// # Errors
    /// The index of a column of which its method can make nothing, and why.
    pub fn new(
        schema: &Schema,
        columns: Vec<(usize, Method)>,
    ) -> std::result::Result<Masks, (usize, String)> {
        let mut fields: Vec<Field> = schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone())
            .collect();
        for (index, method) in &columns {
            let Some(field) = fields.get_mut(*index) else {
                continue;
            };
            let masked = method
                .masked(field.data_type())
                .map_err(|why| (*index, why))?;
            let nullable = field.is_nullable() || *method == Method::Null;
            *field = Field::new(field.name(), masked, nullable);
        }
        Ok(Masks {
            columns,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// The schema of masked rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Names of the columns with their methods.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Method)> {
        let name = |index: usize| self.schema.fields().get(index).map(|field| field.name());
        self.columns
            .iter()
            .filter_map(move |(index, method)| Some((name(*index)?.as_str(), method)))
    }

    /// Whether nothing is masked.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// `rows` with the columns masked.
    pub fn apply(&self, rows: &RecordBatch, vaults: &Vaults) -> Result<RecordBatch> {
        let mut columns = rows.columns().to_vec();
        for (index, method) in &self.columns {
            let column = columns
                .get_mut(*index)
                .ok_or_else(|| Error::internal("a column to be masked is not there"))?;
            *column = method.apply(column, vaults)?;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &options,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Date32Array, Decimal128Array, Int64Array, TimestampMicrosecondArray, TimestampSecondArray,
    };

    const KEY: &str = "a key of 16 bytes, or more";

    fn hmac(key: &str) -> Method {
        let source = SecretSource::Env("PII_KEY".to_owned());
        Method::Hmac(MaskKey::new(&source, key).unwrap())
    }

    fn masked(method: &Method, column: ArrayRef) -> Vec<Option<String>> {
        let field = Field::new("c", column.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let masks = Masks::new(&schema, vec![(0, method.clone())]).unwrap();
        let rows = RecordBatch::try_new(schema, vec![column]).unwrap();
        let rows = masks.apply(&rows, &Vaults::default()).unwrap();
        let texts = arrow::compute::cast(rows.column(0), &DataType::Utf8).unwrap();
        let texts = texts.as_string::<i32>();
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    fn strings(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn hmac_is_what_rfc_4231_says_and_what_openssl_gives() {
        // RFC 4231, test case 1, whose key is 20 bytes of 0x0b.
        let rfc = "\x0b".repeat(20);
        assert_eq!(
            masked(&hmac(&rfc), strings(&[Some("Hi There"), None])),
            [
                Some("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7".to_owned()),
                None
            ]
        );
        // printf %s 123456789 | openssl dgst -sha256 -hmac 'a key of 16 bytes, or more'
        let known = "30849e99d1252f6808de5042d209646636e8fb88fe8bf83ebce6d177257b5dea";
        let column: ArrayRef = Arc::new(Int64Array::from(vec![123_456_789]));
        assert_eq!(masked(&hmac(KEY), column), [Some(known.to_owned())]);
        assert_eq!(
            masked(&hmac(KEY), strings(&[Some("123456789")])),
            [Some(known.to_owned())]
        );
    }

    #[test]
    fn a_value_has_one_text_whatever_its_type() {
        let text = |column: ArrayRef| -> Vec<String> {
            let texts = texts(&column).unwrap();
            texts.iter().flatten().map(str::to_owned).collect()
        };
        let decimal = |value: i128, scale: i8| -> ArrayRef {
            let array = Decimal128Array::from(vec![value]);
            Arc::new(array.with_precision_and_scale(20, scale).unwrap())
        };
        assert_eq!(text(decimal(150, 2)), ["1.5"]);
        assert_eq!(text(decimal(15_000, 4)), ["1.5"]);
        assert_eq!(text(decimal(-10_000, 2)), ["-100"]);
        assert_eq!(text(decimal(100, 0)), ["100"]);
        assert_eq!(text(Arc::new(Date32Array::from(vec![0]))), ["1970-01-01"]);
        let seconds = TimestampSecondArray::from(vec![61]);
        let micros = TimestampMicrosecondArray::from(vec![61_000_000]);
        assert_eq!(text(Arc::new(seconds)), ["1970-01-01T00:01:01"]);
        assert_eq!(text(Arc::new(micros.clone())), ["1970-01-01T00:01:01"]);
        let oslo = micros.with_timezone("+01:00");
        assert_eq!(text(Arc::new(oslo)), ["1970-01-01T00:01:01Z"]);
    }

    #[test]
    fn partial_keeps_the_end_and_never_all() {
        let phones = strings(&[
            Some("0047 12345678"),
            Some("5678"),
            Some("ÆØÅæø"),
            Some(""),
            None,
        ]);
        let expected = ["*********5678", "****", "*ØÅæø", ""];
        let mut expected: Vec<_> = expected.map(|text| Some(text.to_owned())).into();
        expected.push(None);
        assert_eq!(masked(&Method::Partial(4), phones), expected);
    }

    #[test]
    fn the_year_is_that_of_the_day_or_of_the_moment_in_utc() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(-1), Some(0), None]));
        let expected = [Some("1969".to_owned()), Some("1970".to_owned()), None];
        assert_eq!(masked(&Method::Year, days), expected);
        // A minute past midnight in Oslo is the old year in UTC.
        let moment = TimestampMicrosecondArray::from(vec![-3_540_000_000]).with_timezone("+01:00");
        assert_eq!(
            masked(&Method::Year, Arc::new(moment)),
            [Some("1969".to_owned())]
        );
    }

    #[test]
    fn null_is_null_and_may_be() {
        let schema = Schema::new(vec![Field::new("c", DataType::Int64, false)]);
        let masks = Masks::new(&schema, vec![(0, Method::Null)]).unwrap();
        assert!(masks.schema().field(0).is_nullable());
        let column: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        assert_eq!(masked(&Method::Null, column), [None]);
    }

    #[test]
    fn methods_refuse_what_they_make_nothing_of() {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        for (method, data_type) in [
            (hmac(KEY), DataType::Float64),
            (hmac(KEY), list.clone()),
            (hmac(KEY), DataType::Binary),
            (Method::Year, DataType::Utf8),
            (Method::Partial(2), DataType::Date32),
        ] {
            assert!(method.masked(&data_type).is_err(), "{method:?} {data_type}");
        }
        assert_eq!(Method::Null.masked(&list), Ok(list));
    }

    #[test]
    fn a_key_is_long_and_never_shown() {
        let source = SecretSource::Env("PII_KEY".to_owned());
        let why = MaskKey::new(&source, "fifteen bytes !").unwrap_err();
        assert_eq!(why, "the key has fewer than 16 bytes");
        assert_eq!(
            format!("{:?}", hmac(KEY)),
            "Hmac(MaskKey(Env(\"PII_KEY\")))"
        );
    }
}
