//! MySQL and MariaDB: rows come by `LOAD DATA LOCAL` from a stream, into the table or, to be merged, into a
//! temporary one first.
//!
//! Statements that make or change tables end a transaction there, so they come before it. The transaction
//! deletes the scope's rows, loads the new ones, writes the ledger and commits.

mod client;
mod ledger;
mod lines;
mod source;
mod sql;
mod table;

use std::sync::{Arc, Mutex};

use arrow::datatypes::Schema;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use client::connect;
use ledger::Ledger;
use lines::{LineWriter, Writer};
pub(crate) use source::{Snapshot, read_schema};
pub(crate) use sql::{is_done, run};
use table::{Target, quoted};
pub(crate) use table::{literal, made, path};

use crate::commit::Applier;
use crate::connections::Connections;
use crate::delta::{Applied, Mode};
use crate::error::{Error, ErrorKind, Result};
use crate::server::{Failure, FoundColumn, Incoming, ServerCommit, TablePath, number, was_done};
use crate::types::type_text;

/// Bytes of a stream that are sent at a time.
const CHUNK: usize = 1 << 18;
/// What is wrong with a table of which a load that fails would be there in part.
const NO_TRANSACTIONS: &str = "is a view, or a table whose engine has no transactions: a load that fails would be there in part";

/// The columns of the table, as rows meet them; none if there is no table. For a step that is planned.
///
/// # Errors
/// Usage, for a table of which a load that fails would be there in part; storage, if the server cannot be
/// reached.
pub(crate) async fn found(
    connections: &Connections,
    connection: &str,
    table: &TablePath,
    incoming: &Incoming<'_>,
) -> Result<Option<Vec<FoundColumn>>> {
    let name = format!("{connection}:{table}");
    let told = |failure: Failure| failure.told(&name);
    let mut conn = connect(&connections.get(connection)?).await?;
    let there = table::columns(&mut conn, table).await.map_err(told)?;
    let takes_back = table::is_transactional(&mut conn, table).await;
    if !takes_back.map_err(told)? {
        return Err(Error::usage(format!("{name} {NO_TRANSACTIONS}")).with_hint(
            "write a table, and give it another engine: alter table … engine = InnoDB",
        ));
    }
    if there.is_empty() {
        return Ok(None);
    }
    let find = |name: &str| table::find(&there, name).map(|found| found.name.as_str());
    let found = |target: &Target| {
        let name = incoming.named(&target.name, find);
        let data_type = incoming.data_type(name);
        FoundColumn {
            name: name.to_owned(),
            told: target.column_type.clone(),
            natural: target.natural(),
            misfit: data_type.and_then(|data_type| Writer::new(data_type, target).err()),
            nullable: target.nullable,
            filled: target.filled,
        }
    };
    Ok(Some(there.iter().map(found).collect()))
}

/// How each column of `schema` is written to the table's.
fn writers(schema: &Schema, there: &[Target]) -> Result<Vec<Writer>, String> {
    let mut writers = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let Some(target) = table::find(there, field.name()) else {
            return Err(format!("the table has no column '{}'", field.name()));
        };
        let writer = Writer::new(field.data_type(), target).map_err(|why| {
            format!(
                "column '{}' is {} in the rows and {} in the table: {why}",
                field.name(),
                type_text(field.data_type()),
                target.column_type
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
    let mut conn = connect(&connections.get(&commit.connection)?).await?;
    let n = number(n)?;
    let ledger = Ledger::of(commit.table.ledger(), &commit.app_id);
    let version = ledger.version(&mut conn).await;
    let version = version.map_err(|failure| failure.told(&commit.target))?;
    Ok(version.is_some_and(|version| version >= n))
}

/// One attempt to load decision `n`.
pub(crate) async fn load(
    commit: &ServerCommit,
    applier: &Applier,
    n: i64,
) -> Result<Applied, Failure> {
    let load = Load::of(commit);
    let ledger = Ledger::of(commit.table.ledger(), &commit.app_id);
    let mut conn = connect(&applier.connections.get(&commit.connection)?).await?;
    load.take_turn(&mut conn).await?;
    let version = ledger.version(&mut conn).await?;
    if was_done(&commit.target, n, version)? {
        return Ok(Applied::Before);
    }
    if version.is_none() {
        ledger.make(&mut conn).await?;
    }
    let there = load.make_table(&mut conn).await?;
    if !table::is_transactional(&mut conn, &commit.table).await? {
        let what = format!("the target {NO_TRANSACTIONS}");
        return Err(Failure::Refused(
            what,
            "give the table another engine: alter table … engine = InnoDB",
        ));
    }
    if commit.merge.is_some() && !commit.files.is_empty() {
        load.stage(&mut conn, applier, &there).await?;
    }
    conn.query_drop("start transaction").await?;
    load.change(&mut conn, applier, &there).await?;
    ledger.write(&mut conn, n, &commit.run).await?;
    // Whether a commit that was not answered was made, the ledger says at the next attempt.
    conn.query_drop("commit").await?;
    // The lock ends with the connection; that it has ended need not be waited for.
    if let Err(error) = conn.disconnect().await {
        tracing::debug!(target = %commit.target, error = %error, "a connection was not closed well");
    }
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
            table: table::table(&commit.table),
        }
    }

    /// Loads into one table take turns.
    async fn take_turn(&self, conn: &mut Conn) -> Result<(), Failure> {
        let database: Option<Option<String>> = match &self.commit.table.schema {
            Some(schema) => Some(Some(schema.clone())),
            None => conn.query_first("select database()").await?,
        };
        let database = database.flatten().unwrap_or_default();
        ledger::take_turn(conn, &format!("{database}.{}", self.commit.table.table)).await
    }

    /// Makes the table if it is not there, or adds the columns that it is to get; gives its columns.
    async fn make_table(&self, conn: &mut Conn) -> Result<Vec<Target>, Failure> {
        let commit = self.commit;
        let there = table::columns(conn, &commit.table).await?;
        let statement = match there.is_empty() {
            true => Some(table::create(&self.table, &commit.columns, &commit.options)),
            false if commit.evolves => table::add_columns(&self.table, &there, &commit.columns),
            false => None,
        };
        let Some(statement) = statement else {
            return Ok(there);
        };
        conn.query_drop(statement).await?;
        table::columns(conn, &self.commit.table).await
    }

    /// Loads the rows that are to be merged into a temporary table.
    async fn stage(
        &self,
        conn: &mut Conn,
        applier: &Applier,
        there: &[Target],
    ) -> Result<(), Failure> {
        conn.query_drop(table::make_stage(&self.commit.table, &self.commit.columns))
            .await?;
        self.fill(conn, applier, table::STAGE, there).await?;
        if let Some(merging) = &self.commit.merge {
            for statement in table::settle_stage(there, merging) {
                conn.query_drop(statement).await?;
            }
        }
        Ok(())
    }

    /// What the transaction does to the table.
    async fn change(
        &self,
        conn: &mut Conn,
        applier: &Applier,
        there: &[Target],
    ) -> Result<(), Failure> {
        let (commit, table) = (self.commit, &self.table);
        match commit.mode {
            Mode::Append | Mode::Merge | Mode::ReplaceDynamic | Mode::Rewrite => {}
            Mode::Replace => conn.query_drop(format!("delete from {table}")).await?,
            Mode::ReplacePartition => {
                let scope: Vec<String> = commit
                    .scope
                    .iter()
                    .map(|(name, value)| table::is_value(there, name, value))
                    .collect();
                conn.query_drop(format!("delete from {table} where {}", scope.join(" and ")))
                    .await?;
            }
        }
        if commit.files.is_empty() {
            return Ok(());
        }
        let Some(merging) = &commit.merge else {
            return self.fill(conn, applier, table, there).await;
        };
        for statement in table::merge(&commit.table, &commit.columns, there, merging) {
            conn.query_drop(statement).await?;
        }
        Ok(())
    }

    /// Loads the staged rows into a table.
    async fn fill(
        &self,
        conn: &mut Conn,
        applier: &Applier,
        into: &str,
        there: &[Target],
    ) -> Result<(), Failure> {
        let commit = self.commit;
        let (send, receive) = mpsc::channel::<Bytes>(4);
        let there_too = there.to_vec();
        let (encoded, stores) = (commit.clone(), applier.stores.clone());
        // Decoding and encoding go on while the server takes what was sent before.
        let feeding = tokio::spawn(async move {
            let mut rows = encoded.rows(&stores)?;
            feed(&encoded, &mut rows, &there_too, &send).await
        });
        // An end that was cut off is told from the end of the rows by who was feeding.
        let fed = Fed::default();
        let said = Arc::clone(&fed);
        conn.set_infile_handler(async move { Ok(sent(receive, feeding, said)) });
        let loaded = conn.query_drop(self.load_data(into, there)).await;
        let fed = fed.lock().ok().and_then(|mut fed| fed.take());
        let rows = match fed {
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(rows)) => rows,
            None => {
                loaded?;
                return Err(Error::internal("the server did not ask for the rows").into());
            }
        };
        loaded?;
        // A client's file is loaded with warnings where another would be refused.
        let (warnings, written) = (conn.get_warnings(), conn.affected_rows());
        if warnings > 0 || written != rows {
            return Err(self.unlike(conn, rows, written).await?);
        }
        Ok(())
    }

    fn load_data(&self, into: &str, there: &[Target]) -> String {
        let commit = self.commit;
        let mut names = Vec::with_capacity(commit.columns.len());
        let mut set = Vec::new();
        for (index, column) in commit.columns.iter().enumerate() {
            let name = quoted(&column.name);
            let target = table::find(there, &column.name);
            // What the bytes of a text mean, the server is told where it would not take them as they are.
            match target.is_some_and(Target::is_converted) {
                false => names.push(name),
                true => {
                    names.push(format!("@weir{index}"));
                    set.push(format!("{name} = convert(@weir{index} using utf8mb4)"));
                }
            }
        }
        let set = match set.is_empty() {
            true => String::new(),
            false => format!(" set {}", set.join(", ")),
        };
        format!(
            "load data local infile 'weir' into table {into} character set binary
             fields terminated by '\\t' escaped by '\\\\' lines terminated by '\\n' ({}){set}",
            names.join(", ")
        )
    }

    /// That the server has made other rows of those that it was sent; what its warnings quote is not said.
    async fn unlike(&self, conn: &mut Conn, rows: u64, written: u64) -> Result<Failure, Failure> {
        let warnings: Vec<(String, u16, String)> = conn.query("show warnings limit 20").await?;
        let codes: std::collections::BTreeSet<u16> =
            warnings.iter().map(|(_, code, _)| *code).collect();
        let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
        let place = warnings.iter().find_map(|(_, _, message)| place(message));
        let place = place.map_or(String::new(), |place| format!(", first at {place}"));
        Ok(Failure::Unfit(
            format!(
                "the server does not take all rows as they are (warnings {}{place}; {written} of {rows} rows)",
                codes.join(", ")
            ),
            "check the rows before they are written (1062: unique, 1048: not_null, 3819, 4025: a check of the table, 4038: JSON, 1264, 1265, 1292, 1366, 1406: values), or change the table",
        ))
    }
}

/// The place that a warning names: a column and a row, or a constraint. What it quotes of a value stands before.
fn place(message: &str) -> Option<String> {
    let name = |quoted: &str| -> Option<String> {
        let last = quoted.rsplit('.').next()?;
        let bare = last.trim_matches(|quote| quote == '`' || quote == '\'');
        let plain = !bare.is_empty() && !bare.contains(['`', '\'', '"']);
        plain.then(|| bare.to_owned())
    };
    if let Some(rest) = message.strip_prefix("CONSTRAINT ") {
        let (constraint, _) = rest.split_once(" failed for ")?;
        return Some(format!("constraint '{}'", name(constraint)?));
    }
    let (_, place) = message.rsplit_once(" for column ")?;
    let (column, row) = place.rsplit_once(" at row ")?;
    let row: u64 = row.parse().ok()?;
    Some(format!("column '{}' in row {row}", name(column)?))
}

/// How encoding has ended: the number of rows, once all are sent.
type Fed = Arc<Mutex<Option<Result<u64>>>>;

/// The chunks, and an error in place of the end where not all rows were encoded.
fn sent(
    mut chunks: mpsc::Receiver<Bytes>,
    feeding: JoinHandle<Result<u64>>,
    fed: Fed,
) -> BoxStream<'static, std::io::Result<Bytes>> {
    let lines = async_stream::stream! {
        while let Some(chunk) = chunks.recv().await {
            yield Ok(chunk);
        }
        let ended = feeding
            .await
            .map_err(|error| Error::internal("encoding was cancelled").with_source(error))
            .flatten();
        let failed = ended.is_err();
        if let Ok(mut fed) = fed.lock() {
            *fed = Some(ended);
        }
        if failed {
            yield Err(std::io::Error::other("the rows cannot be encoded"));
        }
    };
    lines.boxed()
}

/// Sends lines in chunks that every server takes as one packet; false, if nobody takes them.
async fn send_all(mut lines: Bytes, send: &mpsc::Sender<Bytes>) -> bool {
    while !lines.is_empty() {
        let chunk = lines.split_to(CHUNK.min(lines.len()));
        if send.send(chunk).await.is_err() {
            return false;
        }
    }
    true
}

/// Sends rows as lines; gives their number.
async fn feed(
    commit: &ServerCommit,
    rows: &mut BoxStream<'static, Result<arrow::array::RecordBatch>>,
    there: &[Target],
    send: &mpsc::Sender<Bytes>,
) -> Result<u64> {
    let mut writer: Option<LineWriter> = None;
    let mut out = Vec::with_capacity(CHUNK * 2);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => {
                let writers = writers(&batch.schema(), there).map_err(|why| {
                    Error::new(ErrorKind::Input, format!("{}: {why}", commit.target))
                        .into_refusal()
                        .with_hint("cast the column in a query, or change the table")
                })?;
                let constants: Vec<&str> = commit.scope.iter().map(|(_, value)| &**value).collect();
                writer.insert(LineWriter::new(writers, &constants))
            }
        };
        writer
            .write(&batch, &mut out)
            .map_err(|error| error.within(&commit.target).into_refusal())?;
        if out.len() >= CHUNK {
            let lines = std::mem::replace(&mut out, Vec::with_capacity(CHUNK * 2));
            if !send_all(lines.into(), send).await {
                break;
            }
        }
    }
    // A receiver that is gone has an error of its own.
    send_all(out.into(), send).await;
    Ok(writer.map_or(0, |writer| writer.rows()))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn places_of_warnings_are_read_and_values_are_not() {
        for (message, expected) in [
            (
                "Data truncated for column 'n' at row 3",
                Some("column 'n' in row 3"),
            ),
            (
                "Incorrect string value: '\\xF0\\x9F' for column `care`.`visits`.`note` at row 12",
                Some("column 'note' in row 12"),
            ),
            (
                "Incorrect integer value: 'x for column 'y' at row 1' for column 'n' at row 2",
                Some("column 'n' in row 2"),
            ),
            (
                "CONSTRAINT `positive` failed for `care`.`visits`",
                Some("constraint 'positive'"),
            ),
            ("Duplicate entry 'secret' for key 'PRIMARY'", None),
            ("Incorrect value: 'a' for column 'b' at row x", None),
        ] {
            assert_eq!(place(message).as_deref(), expected, "{message}");
        }
    }
}
