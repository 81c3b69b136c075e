//! SQLite: the warehouse that needs no server.
//!
//! A load is one transaction: a row in `_weir_loads`, the scope's old rows deleted, the new ones
//! inserted. What was staged as files is what is loaded, so a load can be repeated at any time.

mod ledger;
mod merge;
mod source;
mod sql;
mod turn;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use futures::StreamExt;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};
pub(crate) use source::{Snapshot, literal, read_schema};
pub(crate) use sql::{is_done, run};
use tokio::sync::mpsc;

use crate::connections::Connections;
use crate::delta::{Applied, Mode, files_are_there, rows_are_gone};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Location;
use crate::merge::Merging;
use crate::parquet_io::ObjectReader;
use crate::segment::WrittenFile;
use crate::server::{number, was_done};
use crate::store::Stores;
use crate::types::sqlite_type;

/// What a decision says of one SQLite table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SqliteCommit {
    /// How people call the table.
    pub target: String,
    /// The connection, as the pipeline names it.
    #[serde(default)]
    pub connection: Option<String>,
    /// The database file, unless the pipeline names another one by now.
    pub path: PathBuf,
    /// The table's name in it.
    pub table: String,
    /// The run whose rows the files hold.
    #[serde(default)]
    pub run: String,
    /// Whose loads are counted.
    pub app_id: String,
    /// How rows meet what is there.
    pub mode: Mode,
    /// How rows are matched, where they are merged.
    #[serde(default)]
    pub merge: Option<Merging>,
    /// The columns and their SQLite types, scope columns last.
    pub columns: Vec<(String, String)>,
    /// Whether the table gets those that it has not.
    #[serde(default)]
    pub evolves: bool,
    /// Scope columns and the values that all rows get, as SQLite keeps them.
    pub scope: Vec<(String, ScopeText)>,
    /// The folder of the staged files: an absolute URL.
    pub staging: String,
    /// The staged files.
    pub files: Vec<WrittenFile>,
}

/// A scope column's value in SQLite.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScopeText {
    /// A number.
    Int(i64),
    /// A text, dates among them.
    Text(String),
}

impl From<&ScopeText> for Value {
    fn from(value: &ScopeText) -> Value {
        match value {
            ScopeText::Int(number) => Value::Integer(*number),
            ScopeText::Text(text) => Value::Text(text.clone()),
        }
    }
}

/// The columns of a SQLite table for rows of `schema`.
pub fn columns(schema: &Schema) -> Result<Vec<(String, String)>> {
    schema
        .fields()
        .iter()
        .map(|field| {
            let kept = sqlite_type(field.data_type()).map_err(Error::usage)?;
            Ok((field.name().clone(), kept))
        })
        .collect()
}

/// A name as an identifier; SQLite doubles quotes in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl SqliteCommit {
    /// The commit to the file that the connection names now: somebody may have moved the file, or mended
    /// where it is to be.
    pub(crate) fn placed(&self, connections: &Connections) -> Result<SqliteCommit> {
        let mut commit = self.clone();
        let named = self.connection.as_deref();
        if let Some(path) = named.and_then(|name| connections.sqlite(name)) {
            commit.path = std::path::absolute(path).map_err(|error| {
                Error::usage("the database's path cannot be used").with_source(error)
            })?;
        }
        Ok(commit)
    }

    /// Makes the load of decision `n`, unless it has been made. `recovering` says that it is not
    /// the run which staged the files that asks.
    ///
    /// # Errors
    /// Conflict, if a later decision of the same application has been loaded; storage, if the
    /// file cannot be written.
    pub async fn apply(&self, stores: &Stores, n: u64, recovering: bool) -> Result<Applied> {
        if recovering && !files_are_there(&self.staging(stores)?, &self.files).await? {
            let commit = self.clone();
            let applied = tokio::task::spawn_blocking(move || commit.is_loaded(n))
                .await
                .map_err(|error| Error::internal("a look-up was cancelled").with_source(error))??;
            return match (applied, self.mode) {
                (true, _) => Ok(Applied::Before),
                (false, Mode::Append | Mode::Merge | Mode::Rewrite) => {
                    Err(rows_are_gone(&self.target))
                }
                (false, Mode::Replace | Mode::ReplacePartition | Mode::ReplaceDynamic) => {
                    Ok(Applied::Gone)
                }
            };
        }
        let _turn = turn::wait(&self.path).await;
        let (send, receive) = mpsc::channel::<RecordBatch>(4);
        let commit = self.clone();
        let load = tokio::task::spawn_blocking(move || commit.load(n, receive));
        let fed = self.feed(stores, send).await;
        let loaded = load
            .await
            .map_err(|error| Error::internal("a load was cancelled").with_source(error))?;
        match (loaded, fed) {
            // The loader hangs up early where there is nothing left to do.
            (Ok(Applied::Before), _) => Ok(Applied::Before),
            (Ok(applied), Ok(())) => Ok(applied),
            // A loader that was left without rows only says so.
            (_, Err(error)) | (Err(error), _) => Err(error),
        }
    }

    /// The folder of the staged files.
    pub fn staging(&self, stores: &Stores) -> Result<Location> {
        Location::at_url(stores, &self.staging)
    }

    /// Whether the ledger has decision `n` or a later one; false where there is no database.
    pub(crate) fn is_loaded(&self, n: u64) -> Result<bool> {
        if !self.path.exists() {
            return Ok(false);
        }
        let connection = connect(&self.path)?;
        let failed =
            |error| load_error(format!("{}: the ledger cannot be read", self.target), error);
        let version = ledger::version(&connection, &self.app_id).map_err(failed)?;
        Ok(version.is_some_and(|version| i64::try_from(n).is_ok_and(|n| version >= n)))
    }

    /// Sends the staged rows; the end is an empty batch, so that a broken stream is not mistaken
    /// for it.
    async fn feed(&self, stores: &Stores, send: mpsc::Sender<RecordBatch>) -> Result<()> {
        let root = self.staging(stores)?;
        let mut schema = None;
        for file in &self.files {
            let location = root.file(&file.path);
            let reader = ObjectReader::new(&location);
            let broken = |error| {
                Error::storage(
                    format!("the staged file '{}' cannot be read", file.path),
                    error,
                )
                .with_hint("run the step again with the same command")
            };
            let builder = ParquetRecordBatchStreamBuilder::new(reader)
                .await
                .map_err(broken)?;
            schema = Some(Arc::clone(builder.schema()));
            let mut batches = builder.with_batch_size(8192).build().map_err(broken)?;
            while let Some(batch) = batches.next().await {
                if send.send(batch.map_err(broken)?).await.is_err() {
                    return Ok(());
                }
            }
        }
        let end = RecordBatch::new_empty(schema.unwrap_or_else(|| Arc::new(Schema::empty())));
        // A loader that has hung up needs no end.
        let _ = send.send(end).await;
        Ok(())
    }

    fn load(&self, n: u64, mut batches: mpsc::Receiver<RecordBatch>) -> Result<Applied> {
        let failed = |what: &str| {
            let text = format!("{}: {what}", self.target);
            move |error: rusqlite::Error| load_error(text.clone(), error)
        };
        if matches!(self.mode, Mode::ReplaceDynamic | Mode::Rewrite) {
            return Err(Error::usage(format!(
                "{}: a SQLite file has no partitions to be replaced as rows say",
                self.target
            ))
            .with_hint("write mode = \"replace\", \"replace-partition\" with `partition`, \"merge\" or \"append\""));
        }
        let mut connection = connect(&self.path)?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed("the database is busy"))?;
        ledger::make(&transaction).map_err(failed("the ledger cannot be made"))?;
        let n = number(n)?;
        let before = ledger::version(&transaction, &self.app_id)
            .map_err(failed("the ledger cannot be read"))?;
        if was_done(&self.target, n, before)? {
            return Ok(Applied::Before);
        }
        self.prepare(&transaction)
            .map_err(failed("the table cannot be prepared"))?;
        match &self.merge {
            None => self.insert(&transaction, &quoted(&self.table), &mut batches)?,
            Some(how) => {
                let failed = failed("the rows cannot be merged");
                transaction
                    .execute_batch(&merge::stage(&self.table, &self.columns))
                    .map_err(&failed)?;
                self.insert(&transaction, merge::STAGE, &mut batches)?;
                transaction
                    .execute_batch(&merge::merge(&self.table, &self.columns, how)?)
                    .map_err(&failed)?;
            }
        }
        ledger::write(&transaction, &self.app_id, n, &self.run)
            .map_err(failed("the ledger cannot be written"))?;
        transaction
            .commit()
            .map_err(failed("the load cannot be committed"))?;
        Ok(Applied::Now(n.unsigned_abs()))
    }

    /// Whether a table with these columns is the one that the rows go to, whatever words it is declared in.
    fn has_columns_of(&self, existing: &[(String, String)]) -> bool {
        let is_there = |(name, kept): &(String, String)| {
            let mut there = existing.iter();
            there.any(|(other, declared)| other == name && keeps_as(kept, declared))
        };
        existing.len() == self.columns.len() && self.columns.iter().all(is_there)
    }

    /// The table as it must be before rows are added.
    fn prepare(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let table = quoted(&self.table);
        let existing = table_columns(transaction, &self.table)?;
        // A whole replacement may change the columns. DDL is part of SQLite's transactions.
        if self.mode == Mode::Replace && !existing.is_empty() && !self.has_columns_of(&existing) {
            transaction.execute_batch(&format!("drop table {table}"))?;
        }
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(name, kept)| format!("{} {kept}", quoted(name)))
            .collect();
        transaction.execute_batch(&format!(
            "create table if not exists {table} ({})",
            columns.join(", ")
        ))?;
        if self.evolves && !existing.is_empty() && self.mode != Mode::Replace {
            let is_new = |name: &str| existing.iter().all(|(there, _)| there != name);
            for (name, kept) in self.columns.iter().filter(|(name, _)| is_new(name)) {
                let column = format!("{} {kept}", quoted(name));
                transaction.execute_batch(&format!("alter table {table} add column {column}"))?;
            }
        }
        match self.mode {
            // All but the first are refused before.
            Mode::Append | Mode::ReplaceDynamic | Mode::Merge | Mode::Rewrite => {}
            Mode::Replace => {
                transaction.execute(&format!("delete from {table}"), [])?;
            }
            Mode::ReplacePartition => {
                let scope: Vec<String> = self
                    .scope
                    .iter()
                    .enumerate()
                    .map(|(index, (name, _))| format!("{} = ?{}", quoted(name), index + 1))
                    .collect();
                transaction.execute(
                    &format!("delete from {table} where {}", scope.join(" and ")),
                    rusqlite::params_from_iter(
                        self.scope.iter().map(|(_, value)| Value::from(value)),
                    ),
                )?;
            }
        }
        Ok(())
    }

    fn insert(
        &self,
        transaction: &Transaction<'_>,
        into: &str,
        batches: &mut mpsc::Receiver<RecordBatch>,
    ) -> Result<()> {
        let failed = |error| load_error(format!("{}: rows cannot be inserted", self.target), error);
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        let marks: Vec<String> = (1..=names.len()).map(|index| format!("?{index}")).collect();
        let mut statement = transaction
            .prepare(&format!(
                "insert into {into} ({}) values ({})",
                names.join(", "),
                marks.join(", ")
            ))
            .map_err(failed)?;
        let scope: Vec<Value> = self
            .scope
            .iter()
            .map(|(_, value)| Value::from(value))
            .collect();
        let mut before = 0_usize;
        loop {
            let batch = batches
                .blocking_recv()
                .ok_or_else(|| Error::internal("staged rows stopped coming"))?;
            if batch.num_rows() == 0 {
                return Ok(());
            }
            let columns = batch
                .columns()
                .iter()
                .map(SqlColumn::of)
                .collect::<Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                let mut index = 1;
                for (column, (name, _)) in columns.iter().zip(&self.columns) {
                    if column.is_nan(row) {
                        return Err(self.not_a_number(name, before + row));
                    }
                    statement
                        .raw_bind_parameter(index, ToSqlOutput::Borrowed(column.value(row)))
                        .map_err(failed)?;
                    index += 1;
                }
                for value in &scope {
                    statement.raw_bind_parameter(index, value).map_err(failed)?;
                    index += 1;
                }
                statement.raw_execute().map_err(failed)?;
            }
            before += batch.num_rows();
        }
    }

    /// SQLite has no NaN, and would keep a null without a word.
    fn not_a_number(&self, column: &str, row: usize) -> Error {
        Error::new(
            ErrorKind::Input,
            format!(
                "{}: column '{column}' is NaN in row {} of those that are loaded, and SQLite has none",
                self.target,
                row + 1
            ),
        )
        .into_refusal()
        .with_hint("make it null in a query (case when isnan(x) then null else x end), or write the column as text")
    }
}

/// The columns of a table with their declared types; none if there is no table.
fn table_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare("select name, type from pragma_table_info(?1)")?
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The columns of the table that is there, with their declared types; `None` if there is none.
///
/// # Errors
/// Storage, if the file cannot be read.
pub fn describe(path: &Path, table: &str) -> Result<Option<Vec<(String, String)>>> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = connect(path)?;
    let existing = table_columns(&connection, table).map_err(|error| {
        Error::storage(
            format!("the database '{}' cannot be read", path.display()),
            error,
        )
        .with_hint("check that it is a SQLite file that nobody else locks")
    })?;
    Ok((!existing.is_empty()).then_some(existing))
}

/// Whether a column that is declared so keeps values of the type `rows` as they are, which are `kept` in a table
/// that Weir makes: other names for the same, and more digits. (Zones were not declared once.)
pub(crate) fn is_alike(kept: &str, rows: &DataType, declared: &str) -> bool {
    if kept == "TIMESTAMPTZ" && declared.eq_ignore_ascii_case("TIMESTAMP") {
        return true;
    }
    let is_truth = source::reads(declared) == Some(DataType::Boolean);
    keeps_as(kept, declared) && (!is_truth || *rows == DataType::Boolean)
}

/// The same, of values that are `kept` in a table that Weir makes; those of truths are whole numbers.
fn keeps_as(kept: &str, declared: &str) -> bool {
    if declared.eq_ignore_ascii_case(kept) {
        return true;
    }
    match (kept, source::reads(declared)) {
        ("INTEGER", Some(DataType::Int64 | DataType::Boolean))
        | ("REAL", Some(DataType::Float64))
        | ("BLOB", Some(DataType::Binary))
        | ("DATE", Some(DataType::Date32))
        | ("TIMESTAMP", Some(DataType::Timestamp(_, None)))
        | ("TIMESTAMPTZ", Some(DataType::Timestamp(_, Some(_)))) => true,
        // Of others SQLite makes numbers where texts look like some.
        ("TEXT", Some(DataType::Utf8)) => {
            let upper = declared.to_ascii_uppercase();
            ["CHAR", "CLOB", "TEXT"]
                .iter()
                .any(|word| upper.contains(word))
        }
        (_, Some(DataType::Decimal128(precision, scale))) => match source::reads(kept) {
            Some(DataType::Decimal128(own, of)) => {
                let whole = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
                scale >= of && whole(precision, scale) >= whole(own, of)
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether trying again may help: the file is busy, or its disk failed.
fn may_pass(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OperationInterrupted, SystemIoFailure,
    };
    let passing = [
        CannotOpen,
        DatabaseBusy,
        DatabaseLocked,
        DiskFull,
        OperationInterrupted,
        SystemIoFailure,
    ];
    error
        .sqlite_error_code()
        .is_some_and(|code| passing.contains(&code))
}

fn load_error(message: String, error: rusqlite::Error) -> Error {
    if may_pass(&error) {
        return Error::storage(message, error).with_hint(
            "check that the file may be written and nobody else locks it, then run the same command again",
        );
    }
    let refusal = Error::new(ErrorKind::Input, message).into_refusal();
    // What a trigger says may hold values of the row.
    let raised = match &error {
        rusqlite::Error::SqliteFailure(code, _) => {
            code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER
        }
        _ => false,
    };
    match raised {
        true => refusal.with_hint(
            "a trigger of the table refuses a row, in words that are not repeated since they may hold values: look at its triggers, and check the rows before they are written",
        ),
        false => refusal.with_source(error).with_hint(
            "look at the cause: the table or its triggers and constraints do not take the rows",
        ),
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::storage(
            format!("the database '{}' cannot be opened", path.display()),
            error,
        )
        .with_hint("check that it is a SQLite file in a folder that you may write to")
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(error.into()))?;
    }
    let connection = Connection::open(path).map_err(|error| failed(error.into()))?;
    connection
        .busy_timeout(std::time::Duration::from_secs(30))
        .map_err(|error| failed(error.into()))?;
    // A crash of the machine must not lose what the lake takes for loaded. The file keeps its journal: with a
    // write-ahead log, too, a commit is on the disk then.
    connection
        .execute_batch("pragma synchronous = full")
        .map_err(|error| failed(error.into()))?;
    Ok(connection)
}

/// A column in one of the five classes that SQLite keeps.
enum SqlColumn {
    Int(arrow::array::ArrayRef),
    Real(arrow::array::ArrayRef),
    Text(arrow::array::ArrayRef),
    Blob(arrow::array::ArrayRef),
}

impl SqlColumn {
    fn of(column: &arrow::array::ArrayRef) -> Result<SqlColumn> {
        Ok(match column.data_type() {
            DataType::Boolean => SqlColumn::Int(cast(column, &DataType::Int64)?),
            data_type if data_type.is_integer() => SqlColumn::Int(cast(column, &DataType::Int64)?),
            data_type if data_type.is_floating() => {
                SqlColumn::Real(cast(column, &DataType::Float64)?)
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                SqlColumn::Blob(cast(column, &DataType::Binary)?)
            }
            // Dates and moments as ISO 8601; decimals digit by digit, which a column of DECIMAL
            // turns into numbers and one of TEXT keeps (see `types::sqlite_type`).
            _ => SqlColumn::Text(cast(column, &DataType::Utf8)?),
        })
    }

    fn is_nan(&self, row: usize) -> bool {
        match self {
            SqlColumn::Real(column) => {
                column.is_valid(row) && column.as_primitive::<Float64Type>().value(row).is_nan()
            }
            SqlColumn::Int(_) | SqlColumn::Text(_) | SqlColumn::Blob(_) => false,
        }
    }

    fn value(&self, row: usize) -> ValueRef<'_> {
        let column = match self {
            SqlColumn::Int(column) | SqlColumn::Real(column) => column,
            SqlColumn::Text(column) | SqlColumn::Blob(column) => column,
        };
        if column.is_null(row) {
            return ValueRef::Null;
        }
        match self {
            SqlColumn::Int(column) => {
                ValueRef::Integer(column.as_primitive::<Int64Type>().value(row))
            }
            SqlColumn::Real(column) => {
                ValueRef::Real(column.as_primitive::<Float64Type>().value(row))
            }
            SqlColumn::Text(column) => {
                ValueRef::Text(column.as_string::<i32>().value(row).as_bytes())
            }
            SqlColumn::Blob(column) => ValueRef::Blob(column.as_binary::<i32>().value(row)),
        }
    }
}
