//! Tables of MySQL and MariaDB as sources.
//!
//! A snapshot is a transaction that sees the database as it was when it began. No other connection can be
//! given it, so all tables are read by this one, one after the other. Rows come by the binary protocol, in which
//! floats are what they are.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::NaiveDate;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use super::client::connect;
use super::table::{self, Target, quoted};
use crate::connections::Connections;
use crate::database::{Dialect, Part, Relation, Rows, Turn, Turns, Values, Why};
use crate::error::{Error, Result};
use crate::server::{Column, Failure, TablePath};

/// So many names of tables a hint has at most.
const NAMES: u32 = 20;
/// The character set in which texts are asked for, and in which conditions are written.
const UTF8: &str = "utf8mb4";

/// One moment of a database.
pub(crate) struct Snapshot {
    connection: String,
    turns: Turns<Conn>,
}

impl Snapshot {
    /// The database as it is now.
    ///
    /// # Errors
    /// Storage, if the server cannot be reached; input, if it does not let the user in.
    pub(crate) async fn open(connections: &Connections, connection: &str) -> Result<Arc<Snapshot>> {
        let mut conn = connect(&connections.get(connection)?).await?;
        let told = |failure: Failure| failure.told(&format!("connection '{connection}'"));
        begin(&mut conn).await.map_err(told)?;
        Ok(Arc::new(Snapshot {
            connection: connection.to_owned(),
            turns: Turns::new(conn),
        }))
    }

    /// Ends the transaction.
    pub(crate) async fn close(&self) {
        if let Some(conn) = self.turns.close().await
            && let Err(error) = conn.disconnect().await
        {
            tracing::debug!(connection = %self.connection, error = %error, "a connection was not closed well");
        }
    }

    /// A table, if it is there.
    ///
    /// # Errors
    /// Input, if it may not be read; usage, if it has a column that cannot be.
    pub(crate) async fn relation(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<Option<Arc<dyn Relation>>> {
        let path = table::path(name)?;
        let target = format!("{}:{path}", self.connection);
        let told = |failure: Failure| failure.told(&target);
        let mut turn = self.turns.take().await;
        let conn = turn.connection()?;
        let columns = table::columns(conn, &path).await.map_err(told)?;
        if columns.is_empty() {
            return Ok(None);
        }
        let mut readers = Vec::with_capacity(columns.len());
        let mut fields = Vec::with_capacity(columns.len());
        for column in &columns {
            let reader = Reader::new(column).map_err(|why| {
                Error::usage(format!("{target}: {why}")).with_hint(
                    "make a view that casts the column or leaves it out, and read the view",
                )
            })?;
            fields.push(Field::new(
                &column.name,
                reader.data_type.clone(),
                column.nullable,
            ));
            readers.push(reader);
        }
        // Whether it may be read the server says at once.
        conn.query_drop(format!("select 1 from {} limit 0", table::table(&path)))
            .await
            .map_err(|error| told(error.into()))?;
        Ok(Some(Arc::new(Table {
            snapshot: Arc::clone(self),
            path,
            target,
            schema: Arc::new(Schema::new(fields)),
            readers,
        })))
    }

    /// That a table is not there, and which are.
    pub(crate) async fn is_missing(&self, name: &str) -> Error {
        let target = format!("{}:{name}", self.connection);
        let hint = match self.names().await {
            Err(failure) => return failure.told(&target),
            Ok(names) if names.is_empty() => {
                "the user of the connection sees no table: check the database, and what the user may read"
                    .to_owned()
            }
            Ok(names) => format!("the tables are {}", names.join(", ")),
        };
        Error::usage(format!("there is no table {target}")).with_hint(hint)
    }

    /// Tables of the connection's database, as a step names them.
    async fn names(&self) -> Result<Vec<String>, Failure> {
        let mut turn = self.turns.take().await;
        let conn = turn.connection().map_err(Failure::Other)?;
        Ok(conn
            .query(format!(
                "select table_name from information_schema.tables
                 where table_schema = database() and table_name not like '\\_weir\\_%' order by 1 limit {NAMES}"
            ))
            .await?)
    }
}

async fn begin(conn: &mut Conn) -> Result<(), Failure> {
    conn.query_drop("set session transaction isolation level repeatable read")
        .await?;
    // Rows may be taken as slowly as a plugin works.
    conn.query_drop("set session net_write_timeout = 31536000")
        .await?;
    conn.query_drop("start transaction with consistent snapshot, read only")
        .await?;
    Ok(())
}

/// The columns of a table that is made with `columns`, as they are read from it.
///
/// # Errors
/// Usage, if they cannot be read.
pub(crate) fn read_schema(columns: &[Column]) -> Result<SchemaRef> {
    let fields = columns.iter().map(|column| {
        let reader = Reader::new(&table::made_target(column)).map_err(Error::usage)?;
        Ok(Field::new(&column.name, reader.data_type, true))
    });
    Ok(Arc::new(Schema::new(
        fields.collect::<Result<Vec<Field>>>()?,
    )))
}

/// A table of a snapshot.
struct Table {
    snapshot: Arc<Snapshot>,
    path: TablePath,
    /// As people call it.
    target: String,
    schema: SchemaRef,
    readers: Vec<Reader>,
}

impl Table {
    fn query(&self, part: &Part) -> Result<String> {
        let columns = part
            .columns
            .iter()
            .map(|column| self.readers.get(*column).map(|reader| quoted(&reader.name)))
            .collect::<Option<Vec<String>>>()
            .ok_or_else(|| Error::internal("a column is not there"))?;
        // A query has at least one column.
        let columns = match columns.is_empty() {
            true => "1".to_owned(),
            false => columns.join(", "),
        };
        let mut sql = format!("select {columns} from {}", table::table(&self.path));
        if let Some(condition) = &part.condition {
            sql.push_str(&format!(" where {condition}"));
        }
        if let Some(limit) = part.limit {
            sql.push_str(&format!(" limit {limit}"));
        }
        Ok(sql)
    }
}

impl Relation for Table {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    fn operand(&self, column: usize) -> Option<String> {
        self.readers.get(column).and_then(Reader::operand)
    }

    fn parts(&self, _: usize) -> usize {
        1
    }

    fn read(&self, part: Part) -> BoxStream<'static, Result<RecordBatch>> {
        let query = self.query(&part);
        let target = self.target.clone();
        let (env, schema) = (Arc::clone(&part.env), Arc::clone(&part.schema));
        self.snapshot.turns.scan(env, schema, |turn| {
            let rows = rows(turn, query, part, target.clone());
            rows.map_err(move |error| error.within(&target)).boxed()
        })
    }
}

fn rows(
    mut turn: Turn<Conn>,
    query: Result<String>,
    part: Part,
    target: String,
) -> impl futures::Stream<Item = Result<RecordBatch>> + Send + 'static {
    async_stream::try_stream! {
        let told = |error: mysql_async::Error| Failure::from(error).told(&target);
        let mut rows = Rows::new(Arc::clone(&part.schema), part.batch_rows)?;
        let query = query?;
        let asking = turn.asking()?;
        let found = turn.connection()?.exec_iter(query, ()).await;
        // A scan that is left before this point leaves an answer behind that is not the next one's.
        asking.answered();
        let mut found = found.map_err(told)?;
        while let Some(row) = found.next().await.map_err(told)? {
            let bytes = (0..row.len()).map(|index| size(row.as_ref(index))).sum();
            let batch = rows.add(bytes, |index, values| {
                let value = row.as_ref(index).unwrap_or(&Value::NULL);
                push(value, values)
            })?;
            if let Some(batch) = batch {
                yield batch;
            }
        }
        if let Some(batch) = rows.finish()? {
            yield batch;
        }
    }
}

fn size(value: Option<&Value>) -> usize {
    match value {
        Some(Value::Bytes(bytes)) => bytes.len(),
        _ => 8,
    }
}

/// Adds a value as the server's binary protocol has it.
fn push(value: &Value, values: &mut Values) -> Result<(), Why> {
    match value {
        Value::NULL => values.null(),
        Value::Int(number) => values.int(*number)?,
        Value::UInt(number) => match i64::try_from(*number) {
            Ok(number) => values.int(number)?,
            Err(_) => values.text(number.to_string().as_bytes())?,
        },
        Value::Float(number) => values.float32(*number)?,
        Value::Double(number) => values.float(*number)?,
        Value::Bytes(bytes) => match values {
            Values::Bytes(_) => values.bytes(bytes)?,
            // A bit.
            Values::Bool(_) => match bytes.as_slice() {
                [bit @ (0 | 1)] => values.int(i64::from(*bit))?,
                _ => return Err("a bit is neither 0 nor 1"),
            },
            _ => values.text(bytes)?,
        },
        Value::Date(year, month, day, hour, minute, second, micros) => {
            let date =
                NaiveDate::from_ymd_opt(i32::from(*year), u32::from(*month), u32::from(*day))
                    .ok_or("a date is no day of the calendar (0000-00-00, or a zero in it)")?;
            if let Values::Date(_) = values {
                let days = date.signed_duration_since(NaiveDate::default()).num_days();
                return values.int(days);
            }
            let moment = date
                .and_hms_micro_opt(
                    u32::from(*hour),
                    u32::from(*minute),
                    u32::from(*second),
                    *micros,
                )
                .ok_or("a moment has no time of the day")?;
            values.int(moment.and_utc().timestamp_micros())?;
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            if *negative || *days > 0 {
                return Err(
                    "a time is a span, and not one of the day: below 0, or 24 hours and more",
                );
            }
            let seconds = i64::from(*hours) * 3600 + i64::from(*minutes) * 60 + i64::from(*seconds);
            values.int(seconds * 1_000_000 + i64::from(*micros))?;
        }
    }
    Ok(())
}

/// How a column is read.
#[derive(Debug, Clone)]
struct Reader {
    name: String,
    data_type: DataType,
    /// Whether it has texts of another character set, or what is compared otherwise than its text.
    converted: bool,
    is_year: bool,
}

impl Reader {
    /// How the values of a column are read, or why they cannot be.
    ///
    /// | MySQL | rows |
    /// |---|---|
    /// | tinyint(1), bit(1) | bool: 0 and 1 |
    /// | tinyint, smallint, mediumint, int, bigint | int8, int16, int32, int32, int64 |
    /// | the same, unsigned | int16, int32, int32, int64, decimal(20,0) |
    /// | year | int16 |
    /// | float, double | float32, float64 |
    /// | decimal(p,s) of at most 38 digits | decimal(p,s) |
    /// | char, varchar, texts, enum, set, json; uuid, inet4, inet6 | string |
    /// | binary, varbinary, blobs | binary |
    /// | date, datetime | date, timestamp (µs) |
    /// | time | time (µs), within a day |
    /// | timestamp | timestamptz (µs, UTC) |
    fn new(column: &Target) -> Result<Reader, String> {
        let data_type = reads(column).ok_or_else(|| {
            format!(
                "column '{}' is {}, which has no type of Arrow's",
                column.name, column.column_type
            )
        })?;
        let own = column.charset.as_deref() == Some(UTF8);
        Ok(Reader {
            name: column.name.clone(),
            converted: data_type == DataType::Utf8 && !own,
            is_year: column.data_type == "year",
            data_type,
        })
    }

    /// As a condition compares it; none if no condition on it is pushed down.
    fn operand(&self) -> Option<String> {
        let name = quoted(&self.name);
        match self.data_type {
            DataType::Float32 | DataType::Float64 | DataType::Binary | DataType::Boolean => None,
            // Of a number of two digits the server would make a year.
            _ if self.is_year => None,
            // A literal that the column's character set has not would be an error.
            _ if self.converted => Some(format!("convert({name} using {UTF8})")),
            _ => Some(name),
        }
    }
}

fn reads(column: &Target) -> Option<DataType> {
    let unsigned = column.is_unsigned();
    let column_type = column.column_type.to_lowercase();
    Some(match column.data_type.as_str() {
        "tinyint" if column_type.starts_with("tinyint(1)") && !unsigned => DataType::Boolean,
        "tinyint" if unsigned => DataType::Int16,
        "tinyint" => DataType::Int8,
        "smallint" if unsigned => DataType::Int32,
        "smallint" | "year" => DataType::Int16,
        "mediumint" => DataType::Int32,
        "int" if unsigned => DataType::Int64,
        "int" => DataType::Int32,
        "bigint" if unsigned => DataType::Decimal128(20, 0),
        "bigint" => DataType::Int64,
        "bit" if column_type == "bit(1)" => DataType::Boolean,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "decimal" => {
            let precision = u8::try_from(column.precision).ok()?;
            let scale = i8::try_from(column.scale).ok()?;
            (1..=38)
                .contains(&precision)
                .then_some(DataType::Decimal128(precision, scale))?
        }
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
        | "json" | "uuid" | "inet4" | "inet6" => DataType::Utf8,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            DataType::Binary
        }
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "datetime" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => return None,
    })
}
