//! Warehouses behind ADBC drivers: a load is what `weir_adbc::load` does, in one transaction with the ledger.
//!
//! Drivers block, and may keep a file for one database of a process: they are called on a thread for that, one
//! call of the process at a time.

use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, Date32Array, Int64Array, RecordBatch, RecordBatchReader, StringArray,
};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use futures::StreamExt;
use tokio::sync::mpsc;
use weir_adbc::{
    Connection, Database, Driver, Load, Merge, OptionValue, Outcome, Table, Vendor, Via, What,
    column_type, quote_identifier, quote_text,
};

use crate::commit::Applier;
use crate::connections::{Connections, Driven};
use crate::delta::{Applied, Mode};
use crate::error::{Error, Result};
use crate::server::{Column, Failure, ServerCommit, TablePath, number, was_done};
use crate::types::type_text;
use crate::widening::holds;

/// One call at a time: two databases of one file in one process would not see each other's locks.
static TURN: Mutex<()> = Mutex::new(());

/// `table`, `schema.table`, or `catalog.schema.table`.
///
/// # Errors
/// Usage, for a name with a part that is empty.
pub(crate) fn path(text: &str) -> Result<TablePath> {
    let (schema, table) = match text.rsplit_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, text),
    };
    if table.is_empty() || schema.is_some_and(|schema| schema.split('.').any(str::is_empty)) {
        return Err(Error::usage(format!("'{text}' does not name a table"))
            .with_hint("write \"table\", \"schema.table\" or \"catalog.schema.table\""));
    }
    Ok(TablePath {
        schema: schema.map(str::to_owned),
        table: table.to_owned(),
    })
}

fn table(path: &TablePath) -> Table<'_> {
    let (catalog, schema) = match path.schema.as_deref() {
        None => (None, None),
        Some(schema) => match schema.split_once('.') {
            Some((catalog, schema)) => (Some(catalog), Some(schema)),
            None => (None, Some(schema)),
        },
    };
    Table {
        catalog,
        schema,
        name: &path.table,
    }
}

/// Runs `work` with a connection, on a thread that may block.
async fn with<T: Send + 'static>(
    connections: &Connections,
    name: &str,
    work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let driven = connections.adbc(name)?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = TURN
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut connect(&driven)?)
    });
    done.await
        .map_err(|error| Error::internal("a call of a driver was cancelled").with_source(error))?
}

fn connect(driven: &Driven) -> Result<Connection, Failure> {
    let driver = Driver::load(&driven.driver, driven.entry_point.as_deref()).map_err(told)?;
    let options: Vec<(String, OptionValue)> = driven
        .options
        .iter()
        .map(|(name, value)| (name.clone(), OptionValue::text(value.as_str())))
        .collect();
    let database = Database::open(&driver, &options).map_err(told)?;
    database.connect().map_err(told)
}

/// What a driver's failure means. Its own words may quote values, so they are not said.
fn told(error: weir_adbc::Error) -> Failure {
    let hint = error.hint();
    let what = error.to_string();
    match error.what() {
        What::Conflict | What::ConnectionBroken | What::TimedOut => {
            Failure::Passing(Error::storage(what, error).with_hint(hint))
        }
        What::ConstraintViolated | What::CannotConvert { .. } => Failure::Unfit(what, hint),
        _ => Failure::Refused(what, hint),
    }
}

/// The columns with which the table is made, of which one that is there has to have those that are written.
///
/// # Errors
/// Usage, if a column has no type there, or the table cannot take the rows' values as they are; input and storage,
/// as the driver says.
pub(crate) async fn plan(
    connections: &Connections,
    connection: &str,
    path: &TablePath,
    schema: &SchemaRef,
    merges: bool,
) -> Result<Vec<Column>> {
    let name = format!("{connection}:{path}");
    let (at, schema) = (path.clone(), Arc::clone(schema));
    let planned = with(connections, connection, move |connection| {
        let table = table(&at);
        let vendor = connection.vendor().map_err(told)?;
        if merges && !vendor.merges() {
            return Err(Failure::Refused(
                format!("rows are not merged into {vendor} through an ADBC driver"),
                "write with another mode, or use the connection's own kind: sqlite, mysql",
            ));
        }
        let columns = columns(vendor, &table, &schema)?;
        if let Some(there) = connection.table_schema(&table).map_err(told)? {
            fits(&schema, &there)?;
        }
        Ok(columns)
    });
    planned.await.map_err(|failure| failure.told(&name))
}

fn columns(vendor: Vendor, table: &Table<'_>, schema: &Schema) -> Result<Vec<Column>, Failure> {
    let of = |field: &Arc<Field>| {
        Ok(Column {
            name: field.name().clone(),
            data_type: column_type(vendor, table, field)?,
        })
    };
    let columns: Result<_, weir_adbc::Error> = schema.fields().iter().map(of).collect();
    columns.map_err(told)
}

/// That a table which is there holds all values of the rows as they are.
fn fits(rows: &Schema, there: &Schema) -> Result<(), Failure> {
    for field in rows.fields() {
        let Ok(kept) = there.field_with_name(field.name()) else {
            return Err(Failure::Refused(
                format!("the table has no column '{}'", field.name()),
                "add it to the table, leave it out in a query, or drop the table: it is made anew",
            ));
        };
        let (from, to) = (plain(field.data_type()), plain(kept.data_type()));
        if from != to && !holds(&to, &from) {
            return Err(Failure::Refused(
                format!(
                    "column '{}' is {} in the rows and {} in the table, which does not hold all of them",
                    field.name(),
                    type_text(field.data_type()),
                    type_text(kept.data_type())
                ),
                "cast it in a query, change the table, or drop it: it is made anew",
            ));
        }
    }
    Ok(())
}

/// The type without what only says how values lie in memory.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => plain(values),
        // All zones say the same moment.
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            DataType::List(Arc::new(Field::new_list_field(
                plain(item.data_type()),
                true,
            )))
        }
        other => other.clone(),
    }
}

/// Whether the ledger has decision `n` or a later one.
pub(crate) async fn is_loaded(
    commit: &ServerCommit,
    connections: &Connections,
    n: u64,
) -> Result<bool> {
    let (of, n) = (commit.clone(), number(n)?);
    let version = with(connections, &commit.connection, move |connection| {
        weir_adbc::loaded(connection, table(&of.table), &of.app_id).map_err(told)
    });
    let version = version
        .await
        .map_err(|failure| failure.told(&commit.target))?;
    Ok(version.is_some_and(|version| version >= n))
}

/// One attempt to load decision `n`.
pub(crate) async fn load(
    commit: &ServerCommit,
    applier: &Applier,
    n: i64,
) -> Result<Applied, Failure> {
    let (send, receive) = mpsc::channel(4);
    let broken = Arc::new(Mutex::new(None));
    let (staged, noted) = (commit.rows(&applier.stores)?, Arc::clone(&broken));
    let feeding = tokio::spawn(async move {
        let mut staged = staged;
        while let Some(batch) = staged.next().await {
            let batch = match batch {
                Ok(batch) => Some(batch),
                Err(error) => {
                    if let Ok(mut noted) = noted.lock() {
                        *noted = Some(error);
                    }
                    return;
                }
            };
            if send.send(batch).await.is_err() {
                return;
            }
        }
        // Without it the end would look like a failure.
        let _ = send.send(None).await;
    });
    let of = commit.clone();
    let loaded = with(
        &applier.connections,
        &commit.connection,
        move |connection| into(connection, &of, n, receive),
    );
    let loaded = loaded.await;
    feeding.abort();
    // What kept the rows from coming is the cause of what the driver says.
    if let Some(error) = broken.lock().ok().and_then(|mut broken| broken.take()) {
        return Err(error.into());
    }
    match loaded? {
        Outcome::Loaded { left, .. } => {
            if let Some(left) = left {
                tracing::warn!(target = %commit.target, table = %left, "a staging table was not dropped: drop it");
            }
            Ok(Applied::Now(n.unsigned_abs()))
        }
        Outcome::AlreadyLoaded { version } => {
            was_done(&commit.target, n, Some(version))?;
            Ok(Applied::Before)
        }
    }
}

fn into(
    connection: &mut Connection,
    commit: &ServerCommit,
    n: i64,
    mut receive: mpsc::Receiver<Option<RecordBatch>>,
) -> Result<Outcome, Failure> {
    let vendor = connection.vendor().map_err(told)?;
    let table = table(&commit.table);
    let sql = Sql::of(vendor, &table, commit).map_err(told)?;
    let first = match receive.blocking_recv() {
        Some(first) => first,
        None => {
            return Err(Error::internal("the staged rows ended without an end").into());
        }
    };
    let schema = match &first {
        Some(batch) => with_scope(&batch.schema(), commit),
        None => Arc::new(Schema::new(
            commit
                .columns
                .iter()
                .map(|column| Field::new(&column.name, DataType::Utf8, true))
                .collect::<Vec<_>>(),
        )),
    };
    let rows = Rows {
        ended: first.is_none(),
        first,
        receive,
        schema,
        scope: commit.scope.clone(),
    };
    let merge = commit.merge.as_ref().map(|merging| Merge {
        key: &merging.key,
        order: &merging.order,
        keep: merging.keep,
    });
    let load = Load {
        table,
        application: &commit.app_id,
        run: &commit.run,
        version: n,
        create: Some(&sql.create),
        delete: sql.delete.as_deref(),
        rows: Box::new(rows),
        via: Via::Auto,
        merge,
    };
    weir_adbc::load(connection, load).map_err(told)
}

/// The statements of a load.
struct Sql {
    create: String,
    delete: Option<String>,
}

impl Sql {
    fn of(
        vendor: Vendor,
        table: &Table<'_>,
        commit: &ServerCommit,
    ) -> Result<Sql, weir_adbc::Error> {
        let name = table.quoted(vendor)?;
        let mut columns = Vec::with_capacity(commit.columns.len());
        for column in &commit.columns {
            let name = quote_identifier(vendor, &column.name)?;
            columns.push(format!("{name} {}", column.data_type));
        }
        let delete = match commit.mode {
            Mode::Append | Mode::Merge | Mode::ReplaceDynamic | Mode::Rewrite => None,
            Mode::Replace => Some(format!("DELETE FROM {name} WHERE 1 = 1")),
            Mode::ReplacePartition => {
                let mut scope = Vec::with_capacity(commit.scope.len());
                for (column, value) in &commit.scope {
                    let data_type = type_of(commit, column);
                    scope.push(format!(
                        "{} = CAST({} AS {data_type})",
                        quote_identifier(vendor, column)?,
                        quote_text(vendor, value)?
                    ));
                }
                Some(format!("DELETE FROM {name} WHERE {}", scope.join(" AND ")))
            }
        };
        Ok(Sql {
            create: format!("CREATE TABLE IF NOT EXISTS {name} ({})", columns.join(", ")),
            delete,
        })
    }
}

fn type_of<'a>(commit: &'a ServerCommit, column: &str) -> &'a str {
    let found = commit.columns.iter().find(|of| of.name == column);
    found.map_or("VARCHAR", |column| &column.data_type)
}

/// The columns of staged rows, and behind them those of the scope.
fn with_scope(rows: &Schema, commit: &ServerCommit) -> SchemaRef {
    let scope = commit.scope.iter().map(|(name, value)| {
        let data_type = constant(type_of(commit, name), value, 0)
            .data_type()
            .clone();
        Arc::new(Field::new(name, data_type, true))
    });
    Arc::new(Schema::new(
        rows.fields()
            .iter()
            .cloned()
            .chain(scope)
            .collect::<Vec<_>>(),
    ))
}

/// A value of the scope, so many times: a whole number, a day or a text, as its column is made.
fn constant(data_type: &str, value: &str, rows: usize) -> ArrayRef {
    let is = |word: &str| data_type.to_uppercase().contains(word);
    if is("INT")
        && let Ok(number) = value.parse::<i64>()
    {
        return Arc::new(Int64Array::from(vec![number; rows]));
    }
    if is("DATE")
        && let Ok(day) = value.parse::<chrono::NaiveDate>()
    {
        let day = Date32Type::from_naive_date(day);
        return Arc::new(Date32Array::from(vec![day; rows]));
    }
    Arc::new(StringArray::from(vec![value; rows]))
}

/// Staged rows on their way to a driver.
struct Rows {
    first: Option<RecordBatch>,
    receive: mpsc::Receiver<Option<RecordBatch>>,
    ended: bool,
    schema: SchemaRef,
    scope: Vec<(String, String)>,
}

impl Rows {
    fn whole(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = batch.columns().to_vec();
        for ((_, value), field) in self
            .scope
            .iter()
            .zip(self.schema.fields().iter().skip(columns.len()))
        {
            let kind = match field.data_type() {
                DataType::Int64 => "INT",
                DataType::Date32 => "DATE",
                _ => "TEXT",
            };
            columns.push(constant(kind, value, batch.num_rows()));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(self.whole(&first));
        }
        if self.ended {
            return None;
        }
        match self.receive.blocking_recv() {
            Some(Some(batch)) => Some(self.whole(&batch)),
            Some(None) => {
                self.ended = true;
                None
            }
            // Whoever fed them knows why.
            None => {
                self.ended = true;
                Some(Err(ArrowError::ComputeError(
                    "the staged rows ended without an end".to_owned(),
                )))
            }
        }
    }
}

impl RecordBatchReader for Rows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
