//! Types of pipeline files, of Arrow, of Delta and of SQLite, and what becomes of one in another.

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;
use weir_pipeline::ScopeValue;

use crate::error::{Error, ErrorKind, Result};

pub use weir_decode::{arrow_schema, arrow_type, type_text};

/// The columns of `schema` of a batch, by name and in its types: readers give some in other encodings, sums of
/// decimals come wider than they were planned, and a lake keeps some types as others.
///
/// # Errors
/// Conflict for a column that is not there any more; a value that does not fit its type.
pub(crate) fn in_types(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    // A value that does not fit is an error, not a null.
    let exact = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name()).ok_or_else(|| {
            Error::new(
                ErrorKind::Conflict,
                format!("column '{}' is not there any more", field.name()),
            )
            .with_hint("another run has changed the table: run the same command again")
        })?;
        Ok(match column.data_type() == field.data_type() {
            true => Arc::clone(column),
            false => cast_with_options(column, field.data_type(), &exact)?,
        })
    });
    Ok(RecordBatch::try_new(
        Arc::clone(schema),
        columns.collect::<Result<_>>()?,
    )?)
}

/// The type that a value of a scope column has.
pub fn scope_type(value: &ScopeValue) -> DataType {
    match value {
        ScopeValue::String(_) => DataType::Utf8,
        ScopeValue::Int(_) => DataType::Int64,
        ScopeValue::Date(_) => DataType::Date32,
    }
}

/// How Delta writes the value of a partition column.
pub fn scope_text(value: &ScopeValue) -> String {
    match value {
        ScopeValue::String(text) => text.clone(),
        ScopeValue::Int(number) => number.to_string(),
        ScopeValue::Date(day) => day.format("%Y-%m-%d").to_string(),
    }
}

/// The type in which a lake table keeps a column, or why it cannot.
///
/// | comes as | is kept as |
/// |---|---|
/// | bool, int8–int64, float32, float64, utf8, binary, date32, decimal128 | itself |
/// | uint8, uint16, uint32 | int16, int32, int64 |
/// | float16 | float32 |
/// | date64 | date32 |
/// | timestamp (s, ms, µs) without zone | timestamp (µs) without zone |
/// | timestamp (s, ms, µs) with zone | timestamp (µs) in UTC, the same moment |
/// | large and view texts and bytes, dictionaries | what they stand for |
/// | list, struct | themselves, of kept types |
/// | uint64, time, timestamp (ns), decimal256, others | refused: it would lose values |
pub fn lake_type(data_type: &DataType) -> Result<DataType, String> {
    let refused = |advice: &str| Err(format!("Delta Lake has no {data_type}; {advice}"));
    Ok(match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32
        | DataType::Decimal128(_, _) => data_type.clone(),
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => return refused("cast it to decimal(20,0) or int64"),
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            return refused("cast it to a timestamp in microseconds");
        }
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, Some(_)) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            return refused("keep a time of day as text, or as a number of seconds");
        }
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => lake_type(value)?,
        DataType::List(item) | DataType::LargeList(item) => DataType::List(Arc::new(
            Field::new_list_field(lake_type(item.data_type())?, true),
        )),
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| lake_field(field).map(Arc::new))
                .collect::<Result<Fields, String>>()?,
        ),
        DataType::Null => return refused("give the column a type with a cast"),
        _ => return refused("cast it to a type that Delta Lake has"),
    })
}

fn lake_field(field: &FieldRef) -> Result<Field, String> {
    // Nullable throughout: a later version of the step may bring nulls, and Delta cannot take
    // back a `not null`.
    Ok(Field::new(
        field.name(),
        lake_type(field.data_type())?,
        true,
    ))
}

/// Names of columns must differ by more than case: tables and databases do not tell them apart.
pub fn names_differ(schema: &Schema) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for field in schema.fields() {
        if !seen.insert(field.name().to_lowercase()) {
            return Err(Error::usage(format!(
                "two columns are called '{}', but for case",
                field.name()
            ))
            .with_hint("give one of them another name"));
        }
    }
    Ok(())
}

/// The schema in which a lake table keeps rows of `schema`.
pub fn lake_schema(schema: &Schema, table: &str) -> Result<SchemaRef> {
    names_differ(schema)?;
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        if field
            .name()
            .contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='])
        {
            return Err(Error::usage(format!(
                "Delta Lake cannot have a column called '{}'",
                field.name().escape_debug()
            ))
            .with_hint("leave out spaces and ,;{}()= in names of columns"));
        }
        fields.push(lake_field(field).map_err(|why| {
            Error::usage(format!(
                "column '{}' cannot be kept in {table}: {why}",
                field.name()
            ))
            .with_hint("change the type in the plugin's or query's output")
        })?);
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The column type that a SQLite table is created with. SQLite keeps any value in any column;
/// the type chooses how texts that look like numbers are kept.
pub fn sqlite_type(data_type: &DataType) -> Result<String, String> {
    Ok(match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => "INTEGER".to_owned(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "REAL".to_owned(),
        // SQLite makes a float of such a column's values, which holds 15 digits; more are text.
        DataType::Decimal128(precision @ 0..=15, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::Decimal128(_, _) => "TEXT".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "TEXT".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BLOB".to_owned(),
        DataType::Date32 | DataType::Date64 => "DATE".to_owned(),
        DataType::Timestamp(_, None) => "TIMESTAMP".to_owned(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMPTZ".to_owned(),
        DataType::Dictionary(_, value) => sqlite_type(value)?,
        other => return Err(format!("SQLite has no {other}; cast it to text")),
    })
}
