//! PostgreSQL: rows are staged as files, and loaded in one transaction with a row of the ledger.
//!
//! The transaction takes a lock that belongs to the ledger's application, asks whether the decision has been
//! loaded, deletes the scope's rows, copies the new ones in binary, writes the ledger and commits. Whatever
//! is answered, or not, the ledger says afterwards whether it was done, so a load can be repeated at any
//! time.

mod client;
mod copy;
mod table;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::{Bytes, BytesMut};
use datafusion::common::ScalarValue;
use futures::{SinkExt, StreamExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_postgres::{Client, Transaction};

use client::{Failure, connect};
use copy::{CopyWriter, Target, Writer};
pub use table::{Column, TablePath};

use crate::commit::Applier;
use crate::connections::Connections;
use crate::delta::{Applied, Mode, files_are_there, rows_are_gone};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Location;
use crate::merge::Merging;
use crate::parquet_io::ObjectReader;
use crate::segment::WrittenFile;
use crate::store::Stores;
use crate::types::type_text;

/// How often a load is tried again where a repeat may help.
const ATTEMPTS: u32 = 6;
/// Bytes of a stream that are sent at a time.
const CHUNK: usize = 1 << 18;

/// What a decision says of one table of a PostgreSQL database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PostgresCommit {
    /// How people call the table.
    pub target: String,
    /// The connection, as the pipeline names it.
    pub connection: String,
    /// The table in the database.
    pub table: TablePath,
    /// The run whose rows the files hold.
    pub run: String,
    /// Whose loads are counted.
    pub app_id: String,
    /// How rows meet what is there.
    pub mode: Mode,
    /// How rows are matched, where they are merged.
    pub merge: Option<Merging>,
    /// The columns, scope columns last, and the types with which the table is made.
    pub columns: Vec<Column>,
    /// Scope columns and the values that all rows get, as Delta writes them.
    pub scope: Vec<(String, String)>,
    /// The folder of the staged files: an absolute URL.
    pub staging: String,
    /// The staged files.
    pub files: Vec<WrittenFile>,
}

/// Whether rows of `schema` fit the table that is there, if there is one: for a step that is planned.
///
/// # Errors
/// Usage, if a column is missing or has a type that cannot take the rows' values; storage, if the server
/// cannot be reached.
pub async fn compatible(
    connections: &Connections,
    connection: &str,
    table: &TablePath,
    schema: &Schema,
    mode: Mode,
) -> Result<()> {
    let client = connect(&connections.get(connection)?).await?;
    let there = table::columns(&client, table).await;
    let there = there.map_err(|failure| failure.told(&format!("{connection}:{table}")))?;
    // A whole replacement makes the table anew where its columns differ.
    if there.is_empty() || mode == Mode::Replace {
        return Ok(());
    }
    writers(schema, &there).map(|_| ()).map_err(|why| {
        Error::usage(format!("{connection}:{table}: {why}"))
            .with_hint("cast the column in a query, change the table, or replace it whole with mode = \"replace\"")
    })
}

/// How each column of `schema` is written to the table's.
fn writers(schema: &Schema, there: &[Target]) -> Result<Vec<Writer>, String> {
    let mut writers = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let Some(target) = there.iter().find(|target| target.name == *field.name()) else {
            return Err(format!("the table has no column '{}'", field.name()));
        };
        let writer = Writer::new(field.data_type(), target).map_err(|why| {
            format!(
                "column '{}' is {} in the rows and {} in the table: {why}",
                field.name(),
                type_text(field.data_type()),
                target.type_name()
            )
        })?;
        writers.push(writer);
    }
    Ok(writers)
}

impl PostgresCommit {
    /// Makes the load of decision `n`, unless it has been made. `recovering` says that it is not the run
    /// which staged the files that asks.
    ///
    /// # Errors
    /// Conflict, if a later decision of the same application has been loaded; input, if the table does not
    /// take the rows; storage, if the server keeps failing.
    pub async fn apply(&self, applier: &Applier, n: u64, recovering: bool) -> Result<Applied> {
        if recovering && !files_are_there(&self.staging(&applier.stores)?, &self.files).await? {
            return match (self.is_loaded(&applier.connections, n).await?, self.mode) {
                (true, _) => Ok(Applied::Before),
                (false, Mode::Append | Mode::Merge | Mode::Rewrite) => {
                    Err(rows_are_gone(&self.target))
                }
                (false, Mode::Replace | Mode::ReplacePartition | Mode::ReplaceDynamic) => {
                    Ok(Applied::Gone)
                }
            };
        }
        let n =
            i64::try_from(n).map_err(|_| Error::internal("a decision's number is too large"))?;
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            match self.load(applier, n).await {
                Ok(applied) => return Ok(applied),
                Err(Failure::Passing(error)) => {
                    tracing::debug!(target = %self.target, attempt, error = %error, "a load did not go through, looking again");
                    last = Some(error);
                    let pause = 100_u64.saturating_mul(1 << attempt);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Err(failure) => return Err(failure.told(&self.target)),
            }
        }
        let error = Error::new(
            ErrorKind::Storage,
            format!(
                "{}: the load did not go through in {ATTEMPTS} attempts",
                self.target
            ),
        )
        .with_hint(
            "the server fails or is busy: run the same command again, it goes on from the decision",
        );
        Err(match last {
            Some(cause) => error.with_source(cause),
            None => error,
        })
    }

    /// The folder of the staged files.
    pub fn staging(&self, stores: &Stores) -> Result<Location> {
        Location::at_url(stores, &self.staging)
    }

    /// Whether the ledger has decision `n` or a later one.
    pub(crate) async fn is_loaded(&self, connections: &Connections, n: u64) -> Result<bool> {
        let client = connect(&connections.get(&self.connection)?).await?;
        let told = |failure: Failure| failure.told(&self.target);
        if !self.has_ledger(&client).await.map_err(told)? {
            return Ok(false);
        }
        let version = self.version(&client).await.map_err(told)?;
        Ok(version.is_some_and(|version| i64::try_from(n).is_ok_and(|n| version >= n)))
    }

    fn ledger(&self) -> String {
        self.table.beside("_weir_loads").quoted()
    }

    async fn has_ledger(&self, client: &Client) -> Result<bool, Failure> {
        let row = client
            .query_one("select to_regclass($1) is not null", &[&self.ledger()])
            .await?;
        Ok(row.try_get(0)?)
    }

    async fn version(&self, client: &Client) -> Result<Option<i64>, Failure> {
        let sql = format!("select version from {} where app_id = $1", self.ledger());
        let row = client.query_opt(&sql, &[&self.app_id]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// One attempt.
    async fn load(&self, applier: &Applier, n: i64) -> Result<Applied, Failure> {
        let mut client = connect(&applier.connections.get(&self.connection)?).await?;
        if !self.has_ledger(&client).await? {
            self.make_ledger(&mut client).await?;
        }
        let transaction = client.transaction().await?;
        // Two runs of one step take turns; the lock ends with the transaction.
        transaction
            .execute(
                "select pg_advisory_xact_lock(hashtextextended($1, 0))",
                &[&self.app_id],
            )
            .await?;
        match self.version(transaction.client()).await? {
            Some(version) if version == n => return Ok(Applied::Before),
            Some(version) if version > n => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "{}: decision {n} is late, decision {version} has been loaded",
                        self.target
                    ),
                )
                .with_hint(
                    "another run of this step has overtaken this one; nothing needs to be done",
                )
                .into());
            }
            _ => {}
        }
        self.prepare(&transaction).await?;
        self.fill(&transaction, applier).await?;
        transaction
            .execute(
                &format!(
                    "insert into {} (app_id, version, run, loaded_at) values ($1, $2, $3, now())
                     on conflict (app_id) do update set version = excluded.version,
                     run = excluded.run, loaded_at = excluded.loaded_at",
                    self.ledger()
                ),
                &[&self.app_id, &n, &self.run],
            )
            .await?;
        // Whether a commit that was not answered was made, the ledger says at the next attempt.
        transaction.commit().await?;
        Ok(Applied::Now(n.unsigned_abs()))
    }

    async fn make_ledger(&self, client: &mut Client) -> Result<(), Failure> {
        let transaction = client.transaction().await?;
        // `if not exists` alone fails where two make a table at once.
        transaction
            .execute(
                "select pg_advisory_xact_lock(hashtextextended('weir/ledger', 0))",
                &[],
            )
            .await?;
        transaction
            .batch_execute(&format!(
                "create table if not exists {} (app_id text primary key, version bigint not null, run text not null, loaded_at timestamptz not null)",
                self.ledger()
            ))
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The table as it must be before rows are added.
    async fn prepare(&self, transaction: &Transaction<'_>) -> Result<(), Failure> {
        let table = self.table.quoted();
        let there = table::columns(transaction.client(), &self.table).await?;
        let mut missing = there.is_empty();
        if self.mode == Mode::Replace && !missing && !self.fits(&there) {
            // What depends on the table stops this, and is told.
            transaction
                .batch_execute(&format!("drop table {table}"))
                .await?;
            missing = true;
        }
        if missing {
            let columns: Vec<String> = self.columns.iter().map(Column::definition).collect();
            transaction
                .batch_execute(&format!("create table {table} ({})", columns.join(", ")))
                .await?;
            return Ok(());
        }
        match self.mode {
            Mode::Append | Mode::Merge | Mode::ReplaceDynamic | Mode::Rewrite => {}
            Mode::Replace => {
                // Not truncated: readers go on with the rows that they see.
                transaction
                    .batch_execute(&format!("delete from {table}"))
                    .await?;
            }
            Mode::ReplacePartition => {
                let scope: Vec<String> = self
                    .scope
                    .iter()
                    .map(|(name, value)| {
                        let column = self.columns.iter().find(|column| column.name == *name);
                        let data_type = column.map_or("text", |column| &column.data_type);
                        format!(
                            "{} = cast({} as {data_type})",
                            table::quoted(name),
                            table::literal(value)
                        )
                    })
                    .collect();
                transaction
                    .batch_execute(&format!(
                        "delete from {table} where {}",
                        scope.join(" and ")
                    ))
                    .await?;
            }
        }
        Ok(())
    }

    /// Whether the table has these columns, and no others.
    fn fits(&self, there: &[Target]) -> bool {
        self.columns.len() == there.len()
            && self.columns.iter().all(|column| {
                there.iter().any(|target| {
                    target.name == column.name && target.type_name() == column.kept_as()
                })
            })
    }

    /// Adds the rows of the staged files.
    async fn fill(&self, transaction: &Transaction<'_>, applier: &Applier) -> Result<(), Failure> {
        if self.files.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| table::quoted(&column.name))
            .collect();
        let names = names.join(", ");
        let table = self.table.quoted();
        let Some(merging) = &self.merge else {
            return self.copy(transaction, applier, &table, &names).await;
        };
        transaction
            .batch_execute(&format!(
                "create temporary table _weir_stage on commit drop as select {names} from {table} with no data"
            ))
            .await?;
        self.copy(transaction, applier, "_weir_stage", &names)
            .await?;
        // Nobody else may add a key between the look and the insert.
        transaction
            .batch_execute(&format!("lock table {table} in share row exclusive mode"))
            .await?;
        for statement in table::merge(&self.table, &self.columns, merging) {
            transaction.batch_execute(&statement).await?;
        }
        Ok(())
    }

    /// Copies the staged rows into a table.
    async fn copy(
        &self,
        transaction: &Transaction<'_>,
        applier: &Applier,
        into: &str,
        names: &str,
    ) -> Result<(), Failure> {
        let there = table::columns(transaction.client(), &self.table).await?;
        let root = self.staging(&applier.stores)?;
        let (send, mut receive) = mpsc::channel::<Result<Bytes>>(4);
        let commit = self.clone();
        // Decoding and encoding go on while the server takes what was sent before.
        let feeding = tokio::spawn(async move {
            if let Err(error) = commit.feed(&root, &there, &send).await {
                // A receiver that is gone has an error of its own.
                let _ = send.send(Err(error)).await;
            }
        });
        let sql = format!("copy {into} ({names}) from stdin binary");
        let sink = transaction.copy_in::<_, Bytes>(&sql).await?;
        let mut sink = std::pin::pin!(sink);
        while let Some(chunk) = receive.recv().await {
            sink.send(chunk?).await?;
        }
        // One that died sends no end, and the server takes nothing without it.
        feeding
            .await
            .map_err(|error| Error::internal("encoding was cancelled").with_source(error))?;
        sink.finish().await?;
        Ok(())
    }

    /// Sends the staged rows as one stream, its end included.
    async fn feed(
        &self,
        root: &Location,
        there: &[Target],
        send: &mpsc::Sender<Result<Bytes>>,
    ) -> Result<()> {
        let unfit = |why: String| {
            Error::new(ErrorKind::Input, format!("{}: {why}", self.target))
                .into_refusal()
                .with_hint("cast the column in a query, or change the table")
        };
        let mut writer: Option<CopyWriter> = None;
        let mut out = BytesMut::with_capacity(CHUNK * 2);
        for file in &self.files {
            let location = root.file(&file.path);
            let broken = |error| {
                Error::storage(
                    format!("the staged file '{}' cannot be read", file.path),
                    error,
                )
                .with_hint("run the step again with the same command")
            };
            let builder = ParquetRecordBatchStreamBuilder::new(ObjectReader::new(&location))
                .await
                .map_err(broken)?;
            if writer.is_none() {
                let schema: SchemaRef = Arc::clone(builder.schema());
                let writers = writers(&schema, there).map_err(unfit)?;
                let constants = self.constants(there).map_err(unfit)?;
                writer = Some(CopyWriter::new(writers, constants));
            }
            let Some(writer) = &mut writer else {
                continue;
            };
            let mut batches = builder.with_batch_size(8192).build().map_err(broken)?;
            while let Some(batch) = batches.next().await {
                writer
                    .write(&batch.map_err(broken)?, &mut out)
                    .map_err(|error| error.within(&self.target).into_refusal())?;
                if out.len() >= CHUNK && send.send(Ok(out.split().freeze())).await.is_err() {
                    return Ok(());
                }
            }
        }
        if let Some(mut writer) = writer {
            writer.finish(&mut out);
            // A receiver that is gone needs no end.
            let _ = send.send(Ok(out.freeze())).await;
        }
        Ok(())
    }

    /// The scope's columns, each with its one value.
    fn constants(&self, there: &[Target]) -> Result<Vec<(Writer, ArrayRef)>, String> {
        let mut constants = Vec::with_capacity(self.scope.len());
        for (name, value) in &self.scope {
            let Some(target) = there.iter().find(|target| target.name == *name) else {
                return Err(format!("the table has no column '{name}'"));
            };
            let column = self.columns.iter().find(|column| column.name == *name);
            let data_type = match column.map(|column| column.data_type.as_str()) {
                Some("bigint") => DataType::Int64,
                Some("date") => DataType::Date32,
                _ => DataType::Utf8,
            };
            let value = match data_type {
                DataType::Utf8 => ScalarValue::Utf8(Some(value.clone())),
                _ => ScalarValue::try_from_string(value.clone(), &data_type).map_err(|_| {
                    format!("the value of '{name}' is no {}", type_text(&data_type))
                })?,
            };
            let array = value.to_array().map_err(|error| error.to_string())?;
            let writer = Writer::new(&data_type, target)
                .map_err(|why| format!("column '{name}' of the partition: {why}"))?;
            constants.push((writer, array));
        }
        Ok(constants)
    }
}
