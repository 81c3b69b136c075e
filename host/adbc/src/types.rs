//! The SQL types that columns of Arrow's types are kept in, without a loss.

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit};

use crate::error::{Doing, Error, What};
use crate::vendor::{Table, Vendor, quote_identifier};

/// The statement that creates a table for rows of a schema, if there is none: `CREATE TABLE IF NOT
/// EXISTS`, with `NOT NULL` where a column is not nullable.
///
/// For DuckDB each type is the one that gives the same values back. For other vendors types are those of
/// standard SQL, in the vendor's words where it has its own.
///
/// # Errors
///
/// [`What::CannotConvert`] with the column and its type, if the vendor has no type that keeps all its
/// values; [`What::NulInText`] and [`What::NameEmpty`] for names.
pub fn create_table_sql(
    vendor: Vendor,
    table: &Table<'_>,
    schema: &Schema,
) -> Result<String, Error> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = quote_identifier(vendor, field.name())?;
        let of_type = kept_as(vendor, table, field)?;
        let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
        columns.push(format!("{name} {of_type}{not_null}"));
    }
    Ok(format!(
        "CREATE TABLE IF NOT EXISTS {} ({})",
        table.quoted(vendor)?,
        columns.join(", ")
    ))
}

/// The type that keeps the values of a column, in the vendor's words.
///
/// # Errors
///
/// As [`create_table_sql`], for the column alone.
pub fn column_type(vendor: Vendor, table: &Table<'_>, field: &Field) -> Result<String, Error> {
    kept_as(vendor, table, field)
}

/// The type that keeps a column, or an error that names it.
pub(crate) fn kept_as(vendor: Vendor, table: &Table<'_>, field: &Field) -> Result<String, Error> {
    sql_type(vendor, field.data_type())?.ok_or_else(|| {
        Error::new(
            Doing::CreateTable(table.to_string()),
            What::CannotConvert {
                column: Some(field.name().clone()),
                data_type: Some(field.data_type().to_string()),
            },
        )
    })
}

/// The type that keeps a column, or None if there is none.
fn sql_type(vendor: Vendor, data_type: &DataType) -> Result<Option<String>, Error> {
    if let DataType::Dictionary(_, values) = data_type {
        return match values.as_ref() {
            text @ (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
                sql_type(vendor, text)
            }
            _ => Ok(None),
        };
    }
    match vendor {
        Vendor::DuckDb => duckdb_type(data_type),
        Vendor::Sqlite
        | Vendor::PostgreSql
        | Vendor::Snowflake
        | Vendor::BigQuery
        | Vendor::MySql
        | Vendor::Databricks
        | Vendor::Ansi => Ok(standard_type(vendor, data_type)),
    }
}

fn duckdb_type(data_type: &DataType) -> Result<Option<String>, Error> {
    let list = |field: &Field, size: Option<i32>| {
        let of_type = sql_type(Vendor::DuckDb, field.data_type())?;
        let size = size.map(|size| size.to_string()).unwrap_or_default();
        Ok(of_type.map(|of_type| format!("{of_type}[{size}]")))
    };
    let name = match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "UTINYINT",
        DataType::UInt16 => "USMALLINT",
        DataType::UInt32 => "UINTEGER",
        DataType::UInt64 => "UBIGINT",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "BLOB",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(TimeUnit::Second | TimeUnit::Millisecond)
        | DataType::Time64(TimeUnit::Microsecond) => "TIME",
        DataType::Time64(TimeUnit::Nanosecond) => "TIME_NS",
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP_S",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP_MS",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP_NS",
        // In microseconds: of nanoseconds something would be lost.
        DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond,
            Some(_),
        ) => "TIMESTAMPTZ",
        DataType::Duration(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond)
        | DataType::Interval(IntervalUnit::YearMonth) => "INTERVAL",
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            return Ok(decimal("DECIMAL", *precision, *scale, 38, 38));
        }
        DataType::List(field) | DataType::LargeList(field) => return list(field, None),
        DataType::FixedSizeList(field, size) => return list(field, Some(*size)),
        DataType::Struct(fields) if !fields.is_empty() => {
            let mut members = Vec::with_capacity(fields.len());
            for field in fields {
                let name = quote_identifier(Vendor::DuckDb, field.name())?;
                match sql_type(Vendor::DuckDb, field.data_type())? {
                    Some(of_type) => members.push(format!("{name} {of_type}")),
                    None => return Ok(None),
                }
            }
            return Ok(Some(format!("STRUCT({})", members.join(", "))));
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Ok(None);
            };
            let [key, value] = &**fields else {
                return Ok(None);
            };
            let key = sql_type(Vendor::DuckDb, key.data_type())?;
            let value = sql_type(Vendor::DuckDb, value.data_type())?;
            return Ok(key
                .zip(value)
                .map(|(key, value)| format!("MAP({key}, {value})")));
        }
        DataType::Null
        | DataType::Float16
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(_, _)
        | DataType::Duration(_)
        // Of days and milliseconds the driver makes one number, a wrong one.
        | DataType::Interval(_)
        | DataType::Decimal256(_, _)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Struct(_)
        | DataType::Union(_, _)
        | DataType::Dictionary(_, _)
        | DataType::RunEndEncoded(_, _) => return Ok(None),
    };
    Ok(Some(name.to_owned()))
}

/// A decimal type, if there can be as many digits and places.
fn decimal(name: &str, precision: u8, scale: i8, most: u8, most_places: u8) -> Option<String> {
    let places = u8::try_from(scale).ok()?;
    (precision <= most && places <= precision && places <= most_places)
        .then(|| format!("{name}({precision}, {places})"))
}

fn standard_type(vendor: Vendor, data_type: &DataType) -> Option<String> {
    // The digits of a second that the vendor's times and timestamps keep.
    let digits = match vendor {
        Vendor::Snowflake | Vendor::Ansi | Vendor::Sqlite => 9,
        Vendor::PostgreSql | Vendor::BigQuery | Vendor::MySql | Vendor::Databricks => 6,
        Vendor::DuckDb => return None,
    };
    let precise = |unit: &TimeUnit| {
        let needed = match unit {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 9,
        };
        (needed <= digits).then_some(needed)
    };
    let name = match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "SMALLINT",
        DataType::Int32 | DataType::UInt16 => "INTEGER",
        DataType::Int64 | DataType::UInt32 => "BIGINT",
        // SQLite keeps long decimals as floats.
        DataType::UInt64 => match vendor {
            Vendor::Sqlite => return None,
            Vendor::BigQuery => "NUMERIC(20)",
            Vendor::DuckDb
            | Vendor::PostgreSql
            | Vendor::Snowflake
            | Vendor::MySql
            | Vendor::Databricks
            | Vendor::Ansi => "DECIMAL(20, 0)",
        },
        DataType::Float32 => match vendor {
            Vendor::BigQuery => "FLOAT64",
            Vendor::MySql => "FLOAT",
            Vendor::DuckDb
            | Vendor::Sqlite
            | Vendor::PostgreSql
            | Vendor::Snowflake
            | Vendor::Databricks
            | Vendor::Ansi => "REAL",
        },
        DataType::Float64 => match vendor {
            Vendor::BigQuery => "FLOAT64",
            Vendor::Databricks => "DOUBLE",
            Vendor::DuckDb
            | Vendor::Sqlite
            | Vendor::PostgreSql
            | Vendor::Snowflake
            | Vendor::MySql
            | Vendor::Ansi => "DOUBLE PRECISION",
        },
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => match vendor {
            Vendor::PostgreSql | Vendor::Sqlite => "TEXT",
            Vendor::BigQuery | Vendor::Databricks => "STRING",
            Vendor::MySql => "LONGTEXT",
            Vendor::DuckDb | Vendor::Snowflake | Vendor::Ansi => "VARCHAR",
        },
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => match vendor {
            Vendor::PostgreSql => "BYTEA",
            Vendor::BigQuery => "BYTES",
            Vendor::MySql => "LONGBLOB",
            Vendor::Snowflake | Vendor::Databricks => "BINARY",
            Vendor::DuckDb | Vendor::Sqlite | Vendor::Ansi => "BLOB",
        },
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let digits = precise(unit)?;
            return match vendor {
                Vendor::Databricks => None,
                Vendor::BigQuery => Some("TIME".to_owned()),
                Vendor::DuckDb
                | Vendor::Sqlite
                | Vendor::PostgreSql
                | Vendor::Snowflake
                | Vendor::MySql
                | Vendor::Ansi => Some(format!("TIME({digits})")),
            };
        }
        DataType::Timestamp(unit, None) => {
            let digits = precise(unit)?;
            return Some(match vendor {
                Vendor::Snowflake => format!("TIMESTAMP_NTZ({digits})"),
                Vendor::MySql => format!("DATETIME({digits})"),
                Vendor::BigQuery => "DATETIME".to_owned(),
                Vendor::Databricks => "TIMESTAMP_NTZ".to_owned(),
                Vendor::DuckDb | Vendor::Sqlite | Vendor::PostgreSql | Vendor::Ansi => {
                    format!("TIMESTAMP({digits})")
                }
            });
        }
        DataType::Timestamp(unit, Some(_)) => {
            let digits = precise(unit)?;
            return match vendor {
                Vendor::Snowflake => Some(format!("TIMESTAMP_TZ({digits})")),
                Vendor::BigQuery | Vendor::Databricks => Some("TIMESTAMP".to_owned()),
                // Its type for moments ends in 2038.
                Vendor::MySql => None,
                Vendor::DuckDb | Vendor::Sqlite | Vendor::PostgreSql | Vendor::Ansi => {
                    Some(format!("TIMESTAMP({digits}) WITH TIME ZONE"))
                }
            };
        }
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            return match vendor {
                Vendor::Sqlite => None,
                Vendor::PostgreSql => decimal("DECIMAL", precision, scale, u8::MAX, u8::MAX),
                Vendor::MySql => decimal("DECIMAL", precision, scale, 65, 30),
                Vendor::BigQuery => match decimal("NUMERIC", precision, scale, 38, 9) {
                    // 29 digits before the point and 9 behind; the larger type has 38 of each.
                    Some(name) if i16::from(precision) - i16::from(scale) <= 29 => Some(name),
                    _ => decimal("BIGNUMERIC", precision, scale, 76, 38)
                        .filter(|_| i16::from(precision) - i16::from(scale) <= 38),
                },
                Vendor::DuckDb | Vendor::Snowflake | Vendor::Databricks | Vendor::Ansi => {
                    decimal("DECIMAL", precision, scale, 38, 38)
                }
            };
        }
        DataType::Null
        | DataType::Float16
        | DataType::Duration(_)
        | DataType::Interval(_)
        | DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(_, _)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Struct(_)
        | DataType::Map(_, _)
        | DataType::Union(_, _)
        | DataType::Dictionary(_, _)
        | DataType::RunEndEncoded(_, _) => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vendor: Vendor, data_type: &DataType) -> Option<String> {
        sql_type(vendor, data_type).unwrap()
    }

    #[test]
    fn other_vendors_have_the_types_of_standard_sql_in_their_words() {
        let moment = |unit, zone: Option<&str>| DataType::Timestamp(unit, zone.map(Into::into));
        let cases = [
            (Vendor::Ansi, DataType::UInt32, Some("BIGINT")),
            (Vendor::Ansi, DataType::UInt64, Some("DECIMAL(20, 0)")),
            (Vendor::Sqlite, DataType::UInt64, None),
            (Vendor::Ansi, DataType::Float64, Some("DOUBLE PRECISION")),
            (Vendor::Ansi, DataType::Utf8, Some("VARCHAR")),
            (Vendor::PostgreSql, DataType::Utf8View, Some("TEXT")),
            (Vendor::PostgreSql, DataType::Binary, Some("BYTEA")),
            (Vendor::BigQuery, DataType::Float32, Some("FLOAT64")),
            (
                Vendor::BigQuery,
                DataType::Decimal128(38, 9),
                Some("NUMERIC(38, 9)"),
            ),
            (
                Vendor::BigQuery,
                DataType::Decimal128(30, 0),
                Some("BIGNUMERIC(30, 0)"),
            ),
            (
                Vendor::BigQuery,
                DataType::Decimal256(76, 38),
                Some("BIGNUMERIC(76, 38)"),
            ),
            (Vendor::BigQuery, DataType::Decimal256(76, 0), None),
            (Vendor::Snowflake, DataType::Decimal256(39, 0), None),
            (
                Vendor::Snowflake,
                DataType::Decimal128(38, 38),
                Some("DECIMAL(38, 38)"),
            ),
            (Vendor::PostgreSql, moment(TimeUnit::Nanosecond, None), None),
            (
                Vendor::PostgreSql,
                moment(TimeUnit::Microsecond, Some("UTC")),
                Some("TIMESTAMP(6) WITH TIME ZONE"),
            ),
            (
                Vendor::Snowflake,
                moment(TimeUnit::Nanosecond, None),
                Some("TIMESTAMP_NTZ(9)"),
            ),
            (Vendor::MySql, moment(TimeUnit::Second, Some("UTC")), None),
            (
                Vendor::Databricks,
                DataType::Time64(TimeUnit::Microsecond),
                None,
            ),
            (
                Vendor::Ansi,
                DataType::Time32(TimeUnit::Second),
                Some("TIME(0)"),
            ),
            (Vendor::Ansi, DataType::new_list(DataType::Int8, true), None),
            (
                Vendor::Ansi,
                DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
                Some("VARCHAR"),
            ),
        ];
        for (vendor, data_type, expected) in cases {
            let found = of(vendor, &data_type);
            assert_eq!(found.as_deref(), expected, "{vendor}: {data_type}");
        }
    }
}
