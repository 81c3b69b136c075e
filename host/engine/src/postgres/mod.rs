//! PostgreSQL: a load is one transaction.
//!
//! It takes a lock that belongs to the ledger's application, asks whether the decision has been loaded, deletes
//! the scope's rows, copies the new ones in binary, writes the ledger and commits.

mod client;
mod copy;
mod decode;
mod ledger;
mod partitions;
mod source;
mod sql;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema};
use bytes::{Bytes, BytesMut};
use datafusion::common::ScalarValue;
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Transaction};

use client::connect;
pub(crate) use client::open;
use copy::{CopyWriter, Target, Writer};
use ledger::Ledger;
use partitions::Key;
pub(crate) use source::{Snapshot, read_schema};
pub(crate) use sql::{is_done, run};
pub(crate) use table::{literal, made, path, quoted};

use crate::commit::Applier;
use crate::connections::Connections;
use crate::delta::{Applied, Mode};
use crate::error::{Error, ErrorKind, Result};
use crate::server::{
    Column, Failure, FoundColumn, Incoming, ServerCommit, TableOptions, TablePath, number, was_done,
};
use crate::types::type_text;

/// Bytes of a stream that are sent at a time.
const CHUNK: usize = 1 << 18;

/// The columns of the table, as rows meet them; none if there is no table. For a step that is planned.
///
/// # Errors
/// Usage, if the table would not take the rows once it is made; input, if the user may not load it; storage, if
/// the server cannot be reached.
pub(crate) async fn found(
    connections: &Connections,
    connection: &str,
    table: &TablePath,
    incoming: &Incoming<'_>,
) -> Result<Option<Vec<FoundColumn>>> {
    let name = format!("{connection}:{table}");
    let told = |failure: Failure| failure.told(&name);
    let mut client = connect(&connections.get(connection)?).await?;
    let there = table::columns(&client, table).await.map_err(told)?;
    let (is_there, remakes) = (!there.is_empty(), incoming.remakes);
    let gains = is_there && incoming.evolves && !remakes && !has_all(&there, incoming.columns);
    let lacks = table::lacks(&client, table, is_there, incoming.mode, gains).await;
    if let Some((what, hint)) = lacks.map_err(told)? {
        return Err(Error::input(format!("{name}: {what}")).with_hint(hint));
    }
    let mut made = Vec::new();
    if !is_there || remakes {
        made = match table::made(incoming.schema)? == incoming.columns {
            true => incoming.columns.iter().map(table::target).collect(),
            // Types that the file says: what they are, the server knows.
            false => {
                let shape = async {
                    let transaction = client.transaction().await?;
                    shape_of(&transaction, incoming.columns).await
                };
                shape.await.map_err(told)?
            }
        };
        writers(incoming.schema, &made).map_err(|why| {
            Error::usage(format!("{name}: {why}"))
                .with_hint("cast the column in a query, or give it another type in `ddl`")
        })?;
    }
    if !is_there {
        return Ok(None);
    }
    let found = |target: &Target| {
        let same = |made: &&Target| made.name == target.name;
        let misfit = match incoming.data_type(&target.name) {
            None => None,
            Some(_) if remakes => match made.iter().find(same) {
                Some(made) if made.type_name() != target.type_name() => {
                    Some(format!("it is made as {}", made.type_name()))
                }
                _ => None,
            },
            Some(data_type) => Writer::new(data_type, target).err(),
        };
        FoundColumn {
            name: target.name.clone(),
            told: target.type_name(),
            natural: target.natural(),
            misfit,
            nullable: !target.not_null,
            filled: target.filled,
        }
    };
    Ok(Some(there.iter().map(found).collect()))
}

/// What a table that is made anew would lose, besides its rows and columns: what neither a load nor `options` make
/// again. Empty for none, and if there is no table.
///
/// # Errors
/// Storage, if the server cannot be reached.
pub(crate) async fn loses(
    connections: &Connections,
    connection: &str,
    table: &TablePath,
    options: &TableOptions,
) -> Result<Vec<String>> {
    let client = connect(&connections.get(connection)?).await?;
    let belongings = table::belongings(&client, table, options).await;
    belongings.map_err(|failure| failure.told(&format!("{connection}:{table}")))
}

/// Whether the table has columns of all these names.
fn has_all(there: &[Target], columns: &[Column]) -> bool {
    let has = |column: &Column| there.iter().any(|target| target.name == column.name);
    columns.iter().all(has)
}

/// The columns of a table that is made with `columns`, as the server sees them: of a temporary one, which ends
/// with the transaction.
async fn shape_of(
    transaction: &Transaction<'_>,
    columns: &[Column],
) -> Result<Vec<Target>, Failure> {
    let definitions: Vec<String> = columns.iter().map(table::definition).collect();
    transaction
        .batch_execute(&format!(
            "create temporary table _weir_shape ({}) on commit drop",
            definitions.join(", ")
        ))
        .await?;
    let shape = TablePath {
        schema: Some("pg_temp".to_owned()),
        table: "_weir_shape".to_owned(),
    };
    table::columns(transaction.client(), &shape).await
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

/// Whether the ledger has decision `n` or a later one.
pub(crate) async fn is_loaded(
    commit: &ServerCommit,
    connections: &Connections,
    n: u64,
) -> Result<bool> {
    let client = connect(&connections.get(&commit.connection)?).await?;
    let told = |failure: Failure| failure.told(&commit.target);
    let placed = table::placed(&client, &commit.table).await.map_err(told)?;
    let ledger = Ledger::of(&placed.ledger(), &commit.app_id);
    if !ledger.is_there(&client).await.map_err(told)? {
        return Ok(false);
    }
    let n = number(n)?;
    let version = ledger.version(&client).await.map_err(told)?;
    Ok(version.is_some_and(|version| version >= n))
}

/// One attempt to load decision `n`.
pub(crate) async fn load(
    commit: &ServerCommit,
    applier: &Applier,
    n: i64,
) -> Result<Applied, Failure> {
    let load = Load::of(commit);
    let mut client = connect(&applier.connections.get(&commit.connection)?).await?;
    let placed = table::placed(&client, &commit.table).await?;
    let ledger = Ledger::of(&placed.ledger(), &commit.app_id);
    ledger.make(&mut client).await?;
    // What has been loaded needs no partitions and columns; the transaction looks again.
    if was_done(&commit.target, n, ledger.version(&client).await?)? {
        return Ok(Applied::Before);
    }
    let partitions = match commit.options.partition_by.is_empty() {
        true => BTreeSet::new(),
        false => partitions::needed(commit, &applier.stores).await?,
    };
    load.add_columns(&client).await?;
    load.make_partitions(&mut client, &partitions).await?;
    let transaction = client.transaction().await?;
    // Two runs of one step take turns.
    let version = ledger.take_turn(&transaction).await?;
    if was_done(&commit.target, n, version)? {
        return Ok(Applied::Before);
    }
    load.prepare(&transaction, &partitions).await?;
    load.fill(&transaction, applier).await?;
    ledger.write(&transaction, n, &commit.run).await?;
    // Whether a commit that was not answered was made, the ledger says at the next attempt.
    transaction.commit().await?;
    Ok(Applied::Now(n.unsigned_abs()))
}

/// A load and the table that it writes, as SQL writes it.
struct Load<'a> {
    commit: &'a ServerCommit,
    table: String,
}

impl Load<'_> {
    fn of(commit: &ServerCommit) -> Load<'_> {
        Load {
            commit,
            table: table::quoted_path(&commit.table),
        }
    }

    /// Adds the columns that a table which is there lacks, before the load: readers wait for the moment that it
    /// takes, not until the rows are loaded.
    async fn add_columns(&self, client: &Client) -> Result<(), Failure> {
        let commit = self.commit;
        if !commit.evolves || commit.mode == Mode::Replace {
            return Ok(());
        }
        let there = table::columns(client, &commit.table).await?;
        if there.is_empty() || has_all(&there, &commit.columns) {
            return Ok(());
        }
        let statement = table::add_columns(&self.table, &commit.columns);
        client.batch_execute(&statement).await?;
        Ok(())
    }

    /// Makes the partitions that rows need, and the table if it is missing, before the load: to attach one
    /// keeps other loads from attaching theirs until the transaction ends.
    async fn make_partitions(
        &self,
        client: &mut Client,
        partitions: &BTreeSet<Vec<Key>>,
    ) -> Result<(), Failure> {
        let commit = self.commit;
        if commit.options.partition_by.is_empty() {
            return Ok(());
        }
        let transaction = client.transaction().await?;
        partitions::take_turn(&transaction, &commit.table).await?;
        let there = table::columns(transaction.client(), &commit.table).await?;
        // Made anew within the load, it gets its partitions there.
        if commit.mode == Mode::Replace
            && !there.is_empty()
            && !self.fits(&transaction, &there).await?
        {
            return Ok(());
        }
        if there.is_empty() {
            self.create(&transaction).await?;
        }
        self.attach(&transaction, partitions).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn create(&self, transaction: &Transaction<'_>) -> Result<(), Failure> {
        let commit = self.commit;
        for statement in table::create(&self.table, &commit.columns, &commit.options) {
            transaction.batch_execute(&statement).await?;
        }
        Ok(())
    }

    /// Makes the partitions that are missing, if the table is partitioned at all.
    async fn attach(
        &self,
        transaction: &Transaction<'_>,
        needed: &BTreeSet<Vec<Key>>,
    ) -> Result<(), Failure> {
        let commit = self.commit;
        match partitions::is_partitioned(transaction, &commit.table).await? {
            false => Ok(()),
            true => {
                let levels = &commit.options.partition_by;
                partitions::make(transaction, &commit.table, levels, needed).await
            }
        }
    }

    /// The table as it must be before rows are added.
    async fn prepare(
        &self,
        transaction: &Transaction<'_>,
        partitions: &BTreeSet<Vec<Key>>,
    ) -> Result<(), Failure> {
        let (commit, table) = (self.commit, &self.table);
        let there = table::columns(transaction.client(), &commit.table).await?;
        let mut missing = there.is_empty();
        if commit.mode == Mode::Replace && !missing && !self.fits(transaction, &there).await? {
            // Asked again: the plan may be older than what is there.
            let lost = table::belongings(transaction.client(), &commit.table, &commit.options);
            let lost = lost.await?;
            if !lost.is_empty() {
                return Err(Failure::Refused(
                    format!(
                        "the table has other columns than the rows, and would lose, made anew with those, {}",
                        lost.join(", ")
                    ),
                    "give the table the columns at the server (alter table), or drop it: it is made anew then",
                ));
            }
            // What depends on the table stops this, and is told.
            transaction
                .batch_execute(&format!("drop table {table}"))
                .await?;
            missing = true;
        }
        if missing {
            self.create(transaction).await?;
            return self.attach(transaction, partitions).await;
        }
        match commit.mode {
            Mode::Append | Mode::Merge | Mode::ReplaceDynamic | Mode::Rewrite => {}
            Mode::Replace => {
                // Not truncated: readers go on with the rows that they see.
                transaction
                    .batch_execute(&format!("delete from {table}"))
                    .await?;
            }
            Mode::ReplacePartition => {
                let scope: Vec<String> = commit
                    .scope
                    .iter()
                    .map(|(name, value)| {
                        let column = commit.columns.iter().find(|column| column.name == *name);
                        let data_type = column.map_or("text", |column| &column.data_type);
                        format!(
                            "{} = cast({} as {data_type})",
                            table::quoted(name),
                            literal(value)
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

    /// Whether the table has these columns, and no others but those that the server fills by itself.
    async fn fits(&self, transaction: &Transaction<'_>, there: &[Target]) -> Result<bool, Failure> {
        let columns = &self.commit.columns;
        let is_ours = |target: &&Target| {
            !target.filled || columns.iter().any(|column| column.name == target.name)
        };
        let same = |name: &str, data_type: &str| {
            there
                .iter()
                .any(|target| target.name == name && target.type_name() == data_type)
        };
        if columns.len() != there.iter().filter(is_ours).count() {
            return Ok(false);
        }
        if columns
            .iter()
            .all(|column| same(&column.name, &table::kept_as(column)))
        {
            return Ok(true);
        }
        // A type may have several names.
        let shape = shape_of(transaction, columns).await?;
        Ok(shape
            .iter()
            .all(|target| same(&target.name, &target.type_name())))
    }

    /// Adds the rows of the staged files.
    async fn fill(&self, transaction: &Transaction<'_>, applier: &Applier) -> Result<(), Failure> {
        let (commit, table) = (self.commit, &self.table);
        if commit.files.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = commit
            .columns
            .iter()
            .map(|column| table::quoted(&column.name))
            .collect();
        let names = names.join(", ");
        let Some(merging) = &commit.merge else {
            return self.copy(transaction, applier, table, &names).await;
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
        for statement in table::merge(table, &commit.columns, merging) {
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
        let there = table::columns(transaction.client(), &self.commit.table).await?;
        let (send, mut receive) = mpsc::channel::<Result<Bytes>>(4);
        let (commit, stores) = (self.commit.clone(), applier.stores.clone());
        // Decoding and encoding go on while the server takes what was sent before.
        let feeding = tokio::spawn(async move {
            let rows = commit.rows(&stores);
            if let Err(error) = feed(&commit, rows, &there, &send).await {
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
}

/// Sends rows as one stream, its end included.
async fn feed(
    commit: &ServerCommit,
    rows: Result<futures::stream::BoxStream<'static, Result<arrow::array::RecordBatch>>>,
    there: &[Target],
    send: &mpsc::Sender<Result<Bytes>>,
) -> Result<()> {
    let unfit = |why: String| {
        Error::new(ErrorKind::Input, format!("{}: {why}", commit.target))
            .into_refusal()
            .with_hint("cast the column in a query, or change the table")
    };
    let mut rows = rows?;
    let mut writer: Option<CopyWriter> = None;
    let mut out = BytesMut::with_capacity(CHUNK * 2);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => {
                let writers = writers(&batch.schema(), there).map_err(unfit)?;
                let constants = constants(commit, there).map_err(unfit)?;
                writer.insert(CopyWriter::new(writers, constants))
            }
        };
        writer
            .write(&batch, &mut out)
            .map_err(|error| error.within(&commit.target).into_refusal())?;
        if out.len() >= CHUNK && send.send(Ok(out.split().freeze())).await.is_err() {
            return Ok(());
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
fn constants(commit: &ServerCommit, there: &[Target]) -> Result<Vec<(Writer, ArrayRef)>, String> {
    let mut constants = Vec::with_capacity(commit.scope.len());
    for (name, value) in &commit.scope {
        let Some(target) = there.iter().find(|target| target.name == *name) else {
            return Err(format!("the table has no column '{name}'"));
        };
        let data_type = match target.data_type {
            Type::INT2 | Type::INT4 | Type::INT8 | Type::NUMERIC => DataType::Int64,
            Type::DATE => DataType::Date32,
            _ => DataType::Utf8,
        };
        let value = match data_type {
            DataType::Utf8 => ScalarValue::Utf8(Some(value.clone())),
            _ => ScalarValue::try_from_string(value.clone(), &data_type)
                .map_err(|_| format!("the value of '{name}' is no {}", type_text(&data_type)))?,
        };
        let array = value.to_array().map_err(|error| error.to_string())?;
        let writer = Writer::new(&data_type, target)
            .map_err(|why| format!("column '{name}' of the partition: {why}"))?;
        constants.push((writer, Arc::clone(&array)));
    }
    Ok(constants)
}
