//! Tables of SQLite files as sources.
//!
//! A snapshot is a read transaction. In a file with a rollback journal it keeps writers waiting; in one with a
//! write-ahead log it does not. Values have the types that they have, whatever their columns are declared as:
//! each is held against the column's type, and one of another is told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::kernels::cast_utils::string_to_datetime;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{NaiveDate, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc;

use super::{may_pass, quoted};
use crate::connections::Connections;
use crate::database::{Dialect, Part, Relation, Rows, Turn, Turns, Values, Why};
use crate::error::{Error, ErrorKind, Result};

/// How long a commit of somebody else is waited for.
const BUSY: Duration = Duration::from_secs(30);
/// So many names of tables a hint has at most.
const NAMES: u32 = 20;

/// One moment of a file.
pub(crate) struct Snapshot {
    connection: String,
    turns: Turns<Connection>,
}

impl Snapshot {
    /// The file as it is now.
    ///
    /// # Errors
    /// Input, if it is not there; storage, if it cannot be read.
    pub(crate) async fn open(connections: &Connections, connection: &str) -> Result<Arc<Snapshot>> {
        let Some(path) = connections.sqlite(connection).cloned() else {
            return Err(Error::usage(format!(
                "connection '{connection}': the lake is remote, so its warehouse file needs a path"
            ))
            .with_hint("give `path` in the connection"));
        };
        let name = connection.to_owned();
        let opened = tokio::task::spawn_blocking(move || open(&name, &path)).await;
        let opened = opened
            .map_err(|error| Error::internal("a look-up was cancelled").with_source(error))?;
        Ok(Arc::new(Snapshot {
            connection: connection.to_owned(),
            turns: Turns::new(opened?),
        }))
    }

    /// Ends the transaction: writers go on.
    pub(crate) async fn close(&self) {
        drop(self.turns.close().await);
    }

    /// A table or view, if it is there.
    ///
    /// # Errors
    /// Usage, if it has a column that cannot be read.
    pub(crate) async fn relation(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<Option<Arc<dyn Relation>>> {
        let target = format!("{}:{name}", self.connection);
        let mut turn = self.turns.take().await;
        let connection = turn.connection()?;
        let found = columns(connection, name).map_err(|error| failed(&target, error))?;
        if found.is_empty() {
            return Ok(None);
        }
        let stored = in_utf8(connection).map_err(|error| failed(&target, error))?
            && is_stored(connection, name).map_err(|error| failed(&target, error))?;
        let mut fields = Vec::with_capacity(found.len());
        for column in &found {
            let data_type = reads(&column.declared).ok_or_else(|| {
                let what = match column.declared.as_str() {
                    "" => "has no declared type".to_owned(),
                    declared => format!("is {declared}, which has no type of Arrow's"),
                };
                Error::usage(format!("{target}: column '{}' {what}", column.name)).with_hint(
                    "make a view that casts the column or leaves it out, and read the view",
                )
            })?;
            fields.push(Field::new(&column.name, data_type, !column.not_null));
        }
        Ok(Some(Arc::new(Table {
            snapshot: Arc::clone(self),
            name: name.to_owned(),
            target,
            schema: Arc::new(Schema::new(fields)),
            texts: found
                .iter()
                .map(|column| stored && is_text(&column.declared))
                .collect(),
        })))
    }

    /// That a table is not there, and which are.
    pub(crate) async fn is_missing(&self, name: &str) -> Error {
        let target = format!("{}:{name}", self.connection);
        let mut turn = self.turns.take().await;
        let names = turn
            .connection()
            .and_then(|connection| names(connection).map_err(|error| failed(&target, error)));
        let hint = match names {
            Err(error) => return error,
            Ok(names) if names.is_empty() => {
                "the file has no tables: check the path of the connection".to_owned()
            }
            Ok(names) => format!("the tables are {}", names.join(", ")),
        };
        Error::usage(format!("there is no table {target}")).with_hint(hint)
    }
}

/// Opens a file that is there, and begins to read it.
fn open(name: &str, path: &Path) -> Result<Connection> {
    if !path.is_file() {
        return Err(Error::input(format!(
            "connection '{name}': there is no file '{}'",
            path.display()
        ))
        .with_hint(
            "check the path of the connection, or run the step that writes the file first",
        ));
    }
    // To be able to write is needed to mend what a crash has left. Nothing is written otherwise.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let begin = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.execute_batch("pragma query_only = on; begin")?;
        // It begins with what is read first.
        connection.query_row("select count(*) from sqlite_master", [], |_| Ok(()))?;
        Ok(connection)
    };
    begin().map_err(|error: rusqlite::Error| failed(&format!("connection '{name}'"), error))
}

fn failed(what: &str, error: rusqlite::Error) -> Error {
    let passing = may_pass(&error);
    let message = format!("{what}: the file cannot be read");
    match passing {
        true => Error::storage(message, error)
            .with_hint("check that nobody else locks the file, then run the same command again"),
        false => Error::new(ErrorKind::Input, message)
            .with_source(error)
            .with_hint("check that it is a SQLite file, and that it is whole"),
    }
}

struct Declared {
    name: String,
    declared: String,
    not_null: bool,
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Declared>> {
    connection
        // Generated columns are among them; those of virtual tables that are hidden are not.
        .prepare("select name, type, \"notnull\" from pragma_table_xinfo(?1) where hidden <> 1")?
        .query_map([table], |row| {
            Ok(Declared {
                name: row.get(0)?,
                declared: row.get(1)?,
                not_null: row.get(2)?,
            })
        })?
        .collect()
}

/// Whether the file keeps texts in UTF-8: texts of others are ordered otherwise.
fn in_utf8(connection: &Connection) -> rusqlite::Result<bool> {
    let encoding: String = connection.query_row("pragma encoding", [], |row| row.get(0))?;
    Ok(encoding == "UTF-8")
}

/// Whether it is a table: what a view says of its columns, the values of a union may not keep to.
fn is_stored(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "select count(*) > 0 from sqlite_master where type = 'table' and name = ?1 collate nocase",
        [table],
        |row| row.get(0),
    )
}

fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare(
            "select name from sqlite_master
             where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\' and name not like '\\_weir\\_%' escape '\\'
             order by 1 limit ?1",
        )?
        .query_map([NAMES], |row| row.get(0))?
        .collect()
}

/// The columns of a table that Weir makes for rows of `schema`, as they are read from it.
pub(crate) fn read_schema(schema: &Schema) -> Result<SchemaRef> {
    let fields = schema.fields().iter().map(|field| {
        let declared = crate::types::sqlite_type(field.data_type()).map_err(Error::usage)?;
        let data_type = reads(&declared)
            .ok_or_else(|| Error::internal(format!("{declared} cannot be read")))?;
        Ok(Field::new(field.name(), data_type, true))
    });
    Ok(Arc::new(Schema::new(
        fields.collect::<Result<Vec<Field>>>()?,
    )))
}

/// The type of a column's values by its declaration; none if it says too little.
///
/// | declared with | rows |
/// |---|---|
/// | BOOL | bool: 0 and 1 |
/// | TIMESTAMPTZ, … WITH TIME ZONE | timestamptz (µs, UTC): texts of ISO 8601; without a zone they are in UTC |
/// | TIMESTAMP, DATETIME | timestamp (µs): texts of ISO 8601 without a zone |
/// | DATE | date: texts `2026-01-05` |
/// | INT | int64 |
/// | CHAR, CLOB, TEXT; STRING, JSON, UUID, TIME | string |
/// | BLOB, BINARY | binary |
/// | REAL, FLOA, DOUB | float64 |
/// | DECIMAL(p,s), NUMERIC(p,s) of at most 38 digits | decimal(p,s) |
/// | DECIMAL, NUMERIC and NUM without digits | float64 |
pub(super) fn reads(declared: &str) -> Option<DataType> {
    let upper = declared.to_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
    let word = upper.split(['(', ' ']).next().unwrap_or_default();
    Some(match word {
        _ if has(&["BOOL"]) => DataType::Boolean,
        _ if has(&["TIMESTAMPTZ", "WITH TIME ZONE"]) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        _ if has(&["TIMESTAMP", "DATETIME"]) => DataType::Timestamp(TimeUnit::Microsecond, None),
        "DATE" => DataType::Date32,
        "STRING" | "JSON" | "UUID" | "TIME" => DataType::Utf8,
        _ if has(&["INT"]) => DataType::Int64,
        _ if has(&["CHAR", "CLOB", "TEXT"]) => DataType::Utf8,
        _ if has(&["BLOB", "BINARY"]) => DataType::Binary,
        _ if has(&["REAL", "FLOA", "DOUB"]) => DataType::Float64,
        "DECIMAL" | "NUMERIC" | "NUM" | "NUMBER" => match upper.split_once('(') {
            None => DataType::Float64,
            Some((_, digits)) => {
                let digits = digits.trim_end().strip_suffix(')')?;
                let (precision, scale) = digits.split_once(',').unwrap_or((digits, "0"));
                let precision: u8 = precision.trim().parse().ok()?;
                let scale: i8 = scale.trim().parse().ok()?;
                let fits = (1..=38).contains(&precision)
                    && (0..=i8::try_from(precision).ok()?).contains(&scale);
                fits.then_some(DataType::Decimal128(precision, scale))?
            }
        },
        _ => return None,
    })
}

/// Whether a column keeps texts as texts, whatever they look like.
fn is_text(declared: &str) -> bool {
    let upper = declared.to_uppercase();
    !upper.contains("INT")
        && ["CHAR", "CLOB", "TEXT"]
            .iter()
            .any(|word| upper.contains(word))
}

/// A text as a literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A table of a snapshot.
struct Table {
    snapshot: Arc<Snapshot>,
    name: String,
    /// As people call it.
    target: String,
    schema: SchemaRef,
    /// Which columns keep texts as texts.
    texts: Vec<bool>,
}

impl Table {
    fn query(&self, part: &Part) -> String {
        let columns: Vec<String> = part
            .schema
            .fields()
            .iter()
            .map(|field| quoted(field.name()))
            .collect();
        let columns = match columns.is_empty() {
            true => "1".to_owned(),
            false => columns.join(", "),
        };
        let mut sql = format!("select {columns} from {}", quoted(&self.name));
        if let Some(condition) = &part.condition {
            sql.push_str(&format!(" where {condition}"));
        }
        if let Some(limit) = part.limit {
            sql.push_str(&format!(" limit {limit}"));
        }
        sql
    }
}

impl Relation for Table {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn operand(&self, column: usize) -> Option<String> {
        let field = self.schema.fields().get(column)?;
        let compared = match field.data_type() {
            DataType::Int64 | DataType::Date32 => true,
            // Other columns turn texts that look like numbers into numbers, which are ordered otherwise.
            DataType::Utf8 => self.texts.get(column).copied().unwrap_or_default(),
            _ => false,
        };
        compared.then(|| quoted(field.name()))
    }

    fn parts(&self, _: usize) -> usize {
        1
    }

    fn read(&self, part: Part) -> BoxStream<'static, Result<RecordBatch>> {
        let sql = self.query(&part);
        let target = self.target.clone();
        let (env, schema) = (Arc::clone(&part.env), Arc::clone(&part.schema));
        self.snapshot.turns.scan(env, schema, move |turn| {
            let (send, mut receive) = mpsc::channel(2);
            let reading = tokio::task::spawn_blocking(move || read(turn, &sql, &part, &target, &send));
            async_stream::try_stream! {
                while let Some(batch) = receive.recv().await {
                    yield batch;
                }
                let ended = reading.await;
                ended.map_err(|error| Error::internal("a file is not read any more").with_source(error))??;
            }
            .boxed()
        })
    }
}

fn read(
    mut turn: Turn<Connection>,
    sql: &str,
    part: &Part,
    target: &str,
    send: &mpsc::Sender<RecordBatch>,
) -> Result<()> {
    let told = |error: rusqlite::Error| failed(target, error);
    let mut statement = turn.connection()?.prepare(sql).map_err(told)?;
    let mut rows = Rows::new(Arc::clone(&part.schema), part.batch_rows)?;
    let columns = part.schema.fields().len();
    let mut found = statement.query([]).map_err(told)?;
    while let Some(row) = found.next().map_err(told)? {
        let mut bytes = 0;
        for index in 0..columns {
            bytes += match row.get_ref(index).map_err(told)? {
                ValueRef::Text(text) | ValueRef::Blob(text) => text.len(),
                _ => 8,
            };
        }
        let batch = rows.add(bytes, |index, values| {
            push(row.get_ref(index).unwrap_or(ValueRef::Null), values)
        });
        let batch = batch.map_err(|error| error.within(target))?;
        if let Some(batch) = batch
            && send.blocking_send(batch).is_err()
        {
            return Ok(());
        }
    }
    if let Some(batch) = rows.finish()? {
        // Nobody may want it.
        let _ = send.blocking_send(batch);
    }
    Ok(())
}

/// Adds a value, which may be of any of SQLite's classes.
fn push(value: ValueRef<'_>, values: &mut Values) -> Result<(), Why> {
    match (value, &mut *values) {
        (ValueRef::Null, _) => values.null(),
        (ValueRef::Integer(_), Values::Date(_) | Values::Timestamp(..)) => {
            return Err("a day or moment is a number, and not written as ISO 8601");
        }
        // The digits of a whole number have one form.
        (ValueRef::Integer(number), Values::Text(_)) => {
            values.text(number.to_string().as_bytes())?;
        }
        (ValueRef::Integer(number), _) => values.int(number)?,
        (ValueRef::Real(_), Values::Date(_) | Values::Timestamp(..)) => {
            return Err("a day or moment is a number, and not written as ISO 8601");
        }
        (ValueRef::Real(_), Values::Int64(_) | Values::Bool(_)) => {
            return Err("a value is a float, and not a whole number");
        }
        (ValueRef::Real(_), Values::Text(_)) => return Err("a value is a float, and not a text"),
        (ValueRef::Real(number), _) => values.float(number)?,
        (ValueRef::Text(text), Values::Date(_)) => {
            values.int(i64::from(
                day(text).ok_or("a date is not written YYYY-MM-DD")?,
            ))?;
        }
        (ValueRef::Text(text), Values::Timestamp(_, zoned)) => {
            let micros = moment(text, *zoned)?;
            values.int(micros)?;
        }
        (ValueRef::Text(text), Values::Text(_) | Values::Decimal(..)) => values.text(text)?,
        (ValueRef::Text(_), _) => return Err("a value is a text, and not what the column says"),
        (ValueRef::Blob(bytes), Values::Bytes(_)) => values.bytes(bytes)?,
        (ValueRef::Blob(_), _) => return Err("a value is a blob, and not what the column says"),
    }
    Ok(())
}

/// Days since 1970 of `YYYY-MM-DD`.
fn day(text: &[u8]) -> Option<i32> {
    let (&[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2], []) = text.split_first_chunk::<10>()?
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + u32::from(digit - b'0'))
        })
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(days).ok()
}

/// Microseconds since 1970 of a moment as ISO 8601 writes it.
fn moment(text: &[u8], zoned: bool) -> Result<i64, Why> {
    const OTHER: Why = "a moment is not written as ISO 8601 (2026-01-05T10:11:12)";
    let text = std::str::from_utf8(text).map_err(|_| OTHER)?;
    let time = text.get(10..).ok_or(OTHER)?;
    // Names of zones are letters after the first, which may be a T.
    let named = time.bytes().skip(1).any(|byte| byte.is_ascii_alphabetic());
    if !zoned && (named || time.contains(['Z', 'z', '+', '-'])) {
        return Err("a moment has a zone, and the column is not declared with one (TIMESTAMPTZ)");
    }
    let fraction = time.split_once('.').map_or("", |(_, fraction)| fraction);
    if fraction.bytes().take_while(u8::is_ascii_digit).count() > 6 {
        return Err("a moment has more than six digits of a second's fraction");
    }
    let moment = string_to_datetime(&Utc, text).map_err(|_| OTHER)?;
    Ok(moment.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_are_read() {
        for (declared, data_type) in [
            ("INTEGER", Some(DataType::Int64)),
            ("bigint unsigned", Some(DataType::Int64)),
            ("VARCHAR(20)", Some(DataType::Utf8)),
            ("boolean", Some(DataType::Boolean)),
            ("decimal(10, 2)", Some(DataType::Decimal128(10, 2))),
            ("NUMERIC(5)", Some(DataType::Decimal128(5, 0))),
            ("numeric", Some(DataType::Float64)),
            ("DECIMAL(40,2)", None),
            ("DECIMAL(2,5)", None),
            ("DATE", Some(DataType::Date32)),
            (
                "datetime",
                Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
            ),
            ("varbinary(3)", Some(DataType::Binary)),
            ("", None),
            ("ANY", None),
        ] {
            assert_eq!(reads(declared), data_type, "{declared}");
        }
    }

    #[test]
    fn days_and_moments_are_exact_or_told() {
        assert_eq!(day(b"1970-01-02"), Some(1));
        assert_eq!(day(b"1969-12-31"), Some(-1));
        for bad in [
            "1970-1-2",
            "1970-02-30",
            "1970-01-02 ",
            "1970-01-02T00:00",
            "",
            "197a-01-02",
        ] {
            assert_eq!(day(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(moment(b"1970-01-01T00:00:01.000001", false), Ok(1_000_001));
        assert_eq!(moment(b"1970-01-01 00:00:01", false), Ok(1_000_000));
        assert_eq!(moment(b"1970-01-01T02:00:00+02:00", true), Ok(0));
        assert_eq!(moment(b"1970-01-01T00:00:00Z", true), Ok(0));
        for (bad, why) in [
            ("1970-01-01T00:00:00Z", "zone"),
            ("1970-01-01T00:00:00.1234567", "six digits"),
            ("yesterday", "ISO 8601"),
            ("1970-01-01T00:00:00 Europe/Berlin", "zone"),
            ("1970-01-01T99:00:00", "ISO 8601"),
        ] {
            assert!(
                moment(bad.as_bytes(), false).unwrap_err().contains(why),
                "{bad}"
            );
        }
    }
}
