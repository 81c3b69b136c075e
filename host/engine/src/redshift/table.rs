//! Tables of Redshift: their names, columns and types, and the statements of a load.
//!
//! Statements keep to what Amazon's "SQL commands" and "Data types" document. Redshift is not the PostgreSQL
//! that it descends from: keys and indexes are not enforced, there is no `on conflict`, `truncate` commits, and
//! a backslash in a text begins an escape.

use arrow::datatypes::{DataType, Schema, TimeUnit};

use crate::delta::Mode;
use crate::error::{Error, Result};
use crate::merge::{Merging, not_older};
pub(super) use crate::postgres::quoted;
use crate::server::{Column, Distribution, ServerCommit, TableOptions, TablePath, is_name};
use crate::types::type_text;

/// A longer name Redshift refuses, in bytes.
const LONGEST_NAME: usize = 127;
/// The bytes that a text may have.
pub(super) const LONGEST_TEXT: usize = 65_535;
/// The bytes that a binary value may have.
pub(super) const LONGEST_BINARY: usize = 1_024_000;
/// The session's table of rows that are to be added.
pub(super) const STAGE: &str = "_weir_stage";

/// `table`, or `schema.table`.
///
/// # Errors
/// Usage, for what Redshift would not keep as it is.
pub(crate) fn path(text: &str) -> Result<TablePath> {
    TablePath::read(text, fits)
}

/// What is wrong with a name that is one.
fn fits(name: &str) -> Result<(), String> {
    match name.len() > LONGEST_NAME {
        true => Err(format!(
            "'{name}' has more than {LONGEST_NAME} bytes, which Redshift refuses"
        )),
        false => Ok(()),
    }
}

/// A table as SQL writes it.
pub(super) fn quoted_path(path: &TablePath) -> String {
    path.sql(quoted)
}

/// A text as an expression, whatever is in it: a backslash would begin an escape, so it is named by its number.
pub(crate) fn literal(text: &str) -> String {
    let parts: Vec<String> = text
        .split('\\')
        .map(|part| format!("'{}'", part.replace('\'', "''")))
        .collect();
    match parts.len() {
        0 | 1 => parts.concat(),
        _ => format!("({})", parts.join(" || chr(92) || ")),
    }
}

/// The columns of a table for rows of `schema`.
///
/// # Errors
/// Usage, for a type or a name that Redshift does not have.
pub(crate) fn made(schema: &Schema) -> Result<Vec<Column>> {
    schema
        .fields()
        .iter()
        .map(|field| {
            is_name(field.name(), fits)?;
            let data_type = made_as(field.data_type()).map_err(|why| {
                Error::usage(format!("column '{}' cannot be kept: {why}", field.name()))
                    .with_hint("cast it in a query, or leave it out")
            })?;
            Ok(Column {
                name: field.name().clone(),
                data_type,
            })
        })
        .collect()
}

/// The type with which a column is made.
///
/// | rows | Redshift |
/// |---|---|
/// | bool | boolean |
/// | int8, int16, uint8 | smallint |
/// | int32, uint16 | integer |
/// | int64, uint32 | bigint |
/// | uint64 | numeric(20,0) |
/// | float16, float32; float64 | real; double precision |
/// | decimal(p,s) | numeric(p,s) |
/// | string | varchar(65535) |
/// | binary | varbyte(1024000) |
/// | date, time | date, time |
/// | timestamp, timestamptz | timestamp, timestamptz |
fn made_as(data_type: &DataType) -> Result<String, String> {
    Ok(match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "integer".to_owned(),
        DataType::Int64 | DataType::UInt32 => "bigint".to_owned(),
        DataType::UInt64 => "numeric(20,0)".to_owned(),
        DataType::Float16 | DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double precision".to_owned(),
        DataType::Decimal128(precision, scale) if (0..=37).contains(scale) => {
            format!("numeric({precision},{scale})")
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            format!("varchar({LONGEST_TEXT})")
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            format!("varbyte({LONGEST_BINARY})")
        }
        DataType::Date32 => "date".to_owned(),
        DataType::Time32(_) | DataType::Time64(TimeUnit::Microsecond) => "time".to_owned(),
        DataType::Timestamp(unit, zone) if *unit != TimeUnit::Nanosecond => match zone {
            Some(_) => "timestamptz".to_owned(),
            None => "timestamp".to_owned(),
        },
        DataType::Dictionary(_, values) => made_as(values)?,
        other => return Err(format!("Redshift tables take no {}", type_text(other))),
    })
}

/// The type that a column of rows has in the files that Redshift reads: one that it reads as it is. Of moments
/// and times of day, which readers of Parquet understand in several ways, that is their text.
pub(super) fn staged_as(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Timestamp(..)
        | DataType::Time32(_)
        | DataType::Time64(_) => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => staged_as(values),
        other => other.clone(),
    }
}

/// A column of a table that is there.
#[derive(Debug, Clone)]
pub(super) struct There {
    pub(super) name: String,
    /// As the catalogue calls it: `character varying`, `numeric`.
    pub(super) data_type: String,
    /// Digits in all, and after the point, of a number.
    pub(super) digits: Option<(i64, i64)>,
    /// Whether it may be null.
    pub(super) nullable: bool,
    /// Whether the server has a value of its own where rows have none.
    pub(super) filled: bool,
}

impl There {
    /// The type of rows that has exactly its values; none where no type has.
    pub(super) fn natural(&self) -> Option<DataType> {
        Some(match self.data_type.as_str() {
            "boolean" => DataType::Boolean,
            "smallint" => DataType::Int16,
            "integer" => DataType::Int32,
            "bigint" => DataType::Int64,
            "real" => DataType::Float32,
            "double precision" => DataType::Float64,
            "numeric" => {
                let (precision, scale) = self.digits?;
                let precision = u8::try_from(precision).ok().filter(|most| *most <= 38)?;
                DataType::Decimal128(precision, i8::try_from(scale).ok()?)
            }
            "character varying" => DataType::Utf8,
            "binary varying" | "varbyte" => DataType::Binary,
            "date" => DataType::Date32,
            "timestamp without time zone" => DataType::Timestamp(TimeUnit::Microsecond, None),
            "timestamp with time zone" => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            _ => return None,
        })
    }
}

/// The column of that name; case does not tell names apart.
pub(super) fn find<'a>(there: &'a [There], name: &str) -> Option<&'a There> {
    let exact = there.iter().find(|column| column.name == name);
    exact.or_else(|| {
        there
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    })
}

/// The statements that add those of the columns which a table lacks: Redshift adds one at a time.
pub(super) fn add_columns<'a>(
    table: &str,
    there: &[There],
    columns: &'a [Column],
) -> Vec<(&'a Column, String)> {
    let lacking = columns
        .iter()
        .filter(|column| find(there, &column.name).is_none());
    lacking
        .map(|column| {
            let statement = format!(
                "alter table {table} add column {} {}",
                quoted(&column.name),
                column.data_type
            );
            (column, statement)
        })
        .collect()
}

/// Whether a column holds all values of a type as they are. How long texts may be, the load finds out.
pub(super) fn takes(column: &There, data_type: &DataType) -> bool {
    let is = column.data_type.as_str();
    // Digits before and after the point that a number has.
    let numeric = |before: i64, after: i64| {
        is == "numeric"
            && column
                .digits
                .is_none_or(|(precision, scale)| scale >= after && precision - scale >= before)
    };
    match data_type {
        DataType::Boolean => is == "boolean",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => {
            ["smallint", "integer", "bigint"].contains(&is) || numeric(5, 0)
        }
        DataType::Int32 | DataType::UInt16 => ["integer", "bigint"].contains(&is) || numeric(10, 0),
        DataType::Int64 | DataType::UInt32 => is == "bigint" || numeric(19, 0),
        DataType::UInt64 => numeric(20, 0),
        DataType::Float16 | DataType::Float32 => ["real", "double precision"].contains(&is),
        DataType::Float64 => is == "double precision",
        DataType::Decimal128(precision, scale) => {
            numeric(i64::from(*precision) - i64::from(*scale), i64::from(*scale))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            ["character varying", "text"].contains(&is)
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            ["binary varying", "varbyte"].contains(&is)
        }
        DataType::Date32 => is == "date",
        DataType::Time32(_) | DataType::Time64(_) => is == "time without time zone",
        DataType::Timestamp(_, None) => is == "timestamp without time zone",
        DataType::Timestamp(_, Some(_)) => is == "timestamp with time zone",
        DataType::Dictionary(_, values) => takes(column, values),
        _ => false,
    }
}

/// The statements that make a table.
pub(super) fn create(table: &str, columns: &[Column], options: &TableOptions) -> Vec<String> {
    let mut parts: Vec<String> = columns
        .iter()
        .map(|column| format!("{} {}", quoted(&column.name), column.data_type))
        .collect();
    if !options.primary_key.is_empty() {
        parts.push(format!("primary key ({})", list(&options.primary_key)));
    }
    let dist = match &options.dist {
        Some(Distribution::Key(column)) => format!(" diststyle key distkey ({})", quoted(column)),
        Some(Distribution::Even) => " diststyle even".to_owned(),
        Some(Distribution::All) => " diststyle all".to_owned(),
        None => String::new(),
    };
    let sort = match options.sort_key.is_empty() {
        true => String::new(),
        false => format!(" sortkey ({})", list(&options.sort_key)),
    };
    let mut statements = vec![format!(
        "create table {table} ({}){dist}{sort}",
        parts.join(", ")
    )];
    for role in &options.grants {
        statements.push(format!("grant select on {table} to role {}", quoted(role)));
    }
    statements
}

fn list(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

/// The statement that makes the session's table for the columns of the files, in their order.
pub(super) fn create_stage(staged: &Schema) -> Result<String> {
    let mut columns = Vec::with_capacity(staged.fields().len());
    for (index, field) in staged.fields().iter().enumerate() {
        let data_type = made_as(field.data_type()).map_err(Error::internal)?;
        columns.push(format!("c{index} {data_type}"));
    }
    Ok(format!(
        "create temp table {STAGE} ({})",
        columns.join(", ")
    ))
}

/// The columns of rows, and how each is had from the session's table; those of the scope are behind them.
pub(super) struct Rows {
    /// Names of columns and expressions of their values.
    columns: Vec<(String, String)>,
}

impl Rows {
    /// Those of rows of `schema`, which `commit` adds.
    pub(super) fn of(schema: &Schema, commit: &ServerCommit) -> Rows {
        let of_rows = schema.fields().iter().enumerate().map(|(index, field)| {
            let value = match field.data_type() {
                DataType::Timestamp(_, Some(_)) => {
                    format!("cast(c{index} as timestamp) at time zone 'UTC'")
                }
                DataType::Timestamp(_, None) => format!("cast(c{index} as timestamp)"),
                DataType::Time32(_) | DataType::Time64(_) => format!("cast(c{index} as time)"),
                _ => format!("c{index}"),
            };
            (field.name().clone(), value)
        });
        let of_scope = commit
            .scope
            .iter()
            .map(|(name, value)| (name.clone(), constant(commit, name, value)));
        Rows {
            columns: of_rows.chain(of_scope).collect(),
        }
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        names.join(", ")
    }

    /// The rows with the columns' own names.
    fn select(&self) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(name, value)| format!("{value} as {}", quoted(name)))
            .collect();
        format!("select {} from {STAGE}", columns.join(", "))
    }

    /// The statement that adds all rows to a table.
    pub(super) fn add(&self, table: &str) -> String {
        format!("insert into {table} ({}) {}", self.names(), self.select())
    }

    /// The statements that merge the rows into a table. Of rows with one key the greatest stays, nulls are
    /// least; of equal ones the one that comes in.
    pub(super) fn merge(&self, table: &str, how: &Merging) -> Vec<String> {
        let keys: Vec<String> = how.key.iter().map(|name| quoted(name)).collect();
        let one_each = match how.order.is_empty() {
            true => self.select(),
            false => {
                let order: Vec<String> = how
                    .order
                    .iter()
                    .map(|name| format!("{} desc nulls last", quoted(name)))
                    .collect();
                format!(
                    "select {} from (select r.*, row_number() over (partition by {} order by {}) as _weir_place from ({}) r) ranked where _weir_place = 1",
                    self.names(),
                    keys.join(", "),
                    order.join(", "),
                    self.select()
                )
            }
        };
        let same = |a: &str, b: &str| {
            let same = keys.iter().map(|key| format!("{a}.{key} = {b}.{key}"));
            same.collect::<Vec<_>>().join(" and ")
        };
        let mut statements = vec![format!("create temp table _weir_merged as {one_each}")];
        let set: Vec<String> = self
            .columns
            .iter()
            .filter(|(name, _)| !how.key.contains(name))
            .map(|(name, _)| format!("{0} = s.{0}", quoted(name)))
            .collect();
        if !how.keep && !set.is_empty() {
            statements.push(format!(
                "update {table} as t set {} from _weir_merged s where {} and {}",
                set.join(", "),
                same("t", "s"),
                not_older(&how.order, &|of, name| format!("{of}.{}", quoted(name)))
            ));
        }
        let probe = keys.first().map_or("", String::as_str);
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|(name, _)| format!("s.{}", quoted(name)))
            .collect();
        statements.push(format!(
            "insert into {table} ({}) select {} from _weir_merged s left join {table} t on {} where t.{probe} is null",
            self.names(),
            names.join(", "),
            same("t", "s"),
        ));
        statements
    }
}

/// The statement that takes away what the rows replace; none if they replace nothing.
pub(super) fn delete(table: &str, commit: &ServerCommit) -> Option<String> {
    match commit.mode {
        Mode::Append | Mode::Merge | Mode::ReplaceDynamic | Mode::Rewrite => None,
        // Not truncated: that commits.
        Mode::Replace => Some(format!("delete from {table}")),
        Mode::ReplacePartition => {
            let scope: Vec<String> = commit
                .scope
                .iter()
                .map(|(name, value)| {
                    format!("{} = {}", quoted(name), constant(commit, name, value))
                })
                .collect();
            Some(format!("delete from {table} where {}", scope.join(" and ")))
        }
    }
}

/// A value of the scope, in its column's type.
fn constant(commit: &ServerCommit, name: &str, value: &str) -> String {
    let column = commit.columns.iter().find(|column| column.name == name);
    let data_type = column.map_or("varchar", |column| &column.data_type);
    format!("cast({} as {data_type})", literal(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_or_refused() {
        let named = path("ca\"re.sel'ect").unwrap();
        assert_eq!(quoted_path(&named), "\"ca\"\"re\".\"sel'ect\"");
        for bad in ["", ".t", "s.", "a\0b", &"é".repeat(64)] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
        assert!(path(&"é".repeat(63)).is_ok());
    }

    #[test]
    fn texts_are_literals_whatever_is_in_them() {
        assert_eq!(literal("O'Neil"), "'O''Neil'");
        assert_eq!(literal(r"a\'b"), r"('a' || chr(92) || '''b')");
        assert_eq!(literal(""), "''");
    }

    #[test]
    fn a_column_takes_what_it_holds_as_it_is() {
        let column = |data_type: &str, digits| There {
            name: "c".to_owned(),
            data_type: data_type.to_owned(),
            digits,
            nullable: true,
            filled: false,
        };
        let decimal = DataType::Decimal128;
        for (there, digits, rows, taken) in [
            ("bigint", None, DataType::Int32, true),
            ("integer", None, DataType::Int64, false),
            ("numeric", Some((19, 0)), DataType::Int64, true),
            ("numeric", Some((18, 0)), DataType::Int64, false),
            ("numeric", Some((12, 2)), decimal(12, 2), true),
            ("numeric", Some((12, 2)), decimal(12, 3), false),
            ("numeric", Some((12, 2)), decimal(13, 2), false),
            ("double precision", None, DataType::Float32, true),
            ("real", None, DataType::Float64, false),
            ("character varying", None, DataType::Utf8, true),
            ("character", None, DataType::Utf8, false),
            ("date", None, DataType::Date32, true),
            ("super", None, DataType::Utf8, false),
        ] {
            let column = column(there, digits);
            assert_eq!(takes(&column, &rows), taken, "{there} {digits:?} {rows}");
        }
    }
}
