//! Tables of PostgreSQL as sources.
//!
//! A snapshot is a transaction that is open for as long as it is read, and whose snapshot others take
//! (`pg_export_snapshot`): all parts of all tables are read as they were at one moment. The rows of a part
//! come by `COPY … TO STDOUT` in binary. A large table is read in ranges of its pages, which the server finds
//! without an index.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tokio_postgres::Client;

use super::client::connect;
use super::decode::{CopyReader, Reader};
use super::table;
use crate::connections::Connections;
use crate::database::{Dialect, Part, Relation};
use crate::error::{Error, Result};
use crate::server::{Column, Failure, TablePath};

/// A table of fewer pages is read by one task: 8 MiB, with the pages that servers have.
const PAGES_OF_A_PART: i64 = 1024;
/// From this version on the server goes straight to a range of pages.
const RANGES_SINCE: i32 = 140_000;
/// So many names of tables a hint has at most.
const NAMES: i64 = 20;

/// One moment of a database.
pub(crate) struct Snapshot {
    connections: Connections,
    connection: String,
    /// Whose transaction keeps the snapshot.
    leader: Client,
    /// By which others take it.
    id: String,
    version: i32,
}

impl Snapshot {
    /// The database as it is now.
    ///
    /// # Errors
    /// Storage, if the server cannot be reached; input, if it does not let the user in.
    pub(crate) async fn open(connections: &Connections, connection: &str) -> Result<Arc<Snapshot>> {
        let leader = connect(&connections.get(connection)?).await?;
        let told = |failure: Failure| failure.told(&format!("connection '{connection}'"));
        let (id, version) = begin(&leader).await.map_err(told)?;
        Ok(Arc::new(Snapshot {
            connections: connections.clone(),
            connection: connection.to_owned(),
            leader,
            id,
            version,
        }))
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
        let Some(found) = self.find(&path).await.map_err(told)? else {
            return Ok(None);
        };
        if !found.readable {
            return Err(Error::input(format!(
                "{target}: the user of the connection may not read it"
            ))
            .with_hint("grant it select on the table, or on the columns that are read"));
        }
        let columns = table::columns(&self.leader, &path).await.map_err(told)?;
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
                reader.data_type(),
                !column.not_null,
            ));
            readers.push(reader);
        }
        Ok(Some(Arc::new(Table {
            snapshot: Arc::clone(self),
            path,
            target,
            schema: Arc::new(Schema::new(fields)),
            readers,
            pages: found.pages,
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

    async fn find(&self, path: &TablePath) -> Result<Option<Found>, Failure> {
        // Of what is not a table with pages of its own (a view, a partitioned or foreign table) none are known.
        let row = self
            .leader
            .query_opt(
                "select has_any_column_privilege(c.oid, 'select'),
                        case when c.relkind in ('r', 'm') then pg_relation_size(c.oid) / current_setting('block_size')::bigint else 0 end
                 from pg_class c where c.oid = to_regclass($1) and c.relkind in ('r', 'm', 'v', 'p', 'f')",
                &[&table::quoted_path(path)],
            )
            .await?;
        let found = row.map(|row| -> Result<Found, Failure> {
            Ok(Found {
                readable: row.try_get(0)?,
                pages: row.try_get(1)?,
            })
        });
        found.transpose()
    }

    /// Tables that can be read, as a step names them.
    async fn names(&self) -> Result<Vec<String>, Failure> {
        let rows = self
            .leader
            .query(
                "select case when pg_table_is_visible(c.oid) then c.relname::text else n.nspname::text || '.' || c.relname end as name
                 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where c.relkind in ('r', 'm', 'v', 'p', 'f') and not c.relispartition
                   and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
                   and c.relname !~ '^_weir_' and has_any_column_privilege(c.oid, 'select')
                 order by 1 limit $1",
                &[&NAMES],
            )
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// A connection that sees this snapshot.
    async fn reader(&self) -> Result<Client> {
        let client = connect(&self.connections.get(&self.connection)?).await?;
        let begun = client
            .batch_execute(&format!(
                "begin isolation level repeatable read read only; set transaction snapshot {}",
                table::literal(&self.id)
            ))
            .await;
        begun.map_err(|error| {
            Failure::from(error).told(&format!("connection '{}'", self.connection))
        })?;
        Ok(client)
    }
}

/// The columns of a table that is made with `columns`, as they are read from it.
///
/// # Errors
/// Usage, if they cannot be read.
pub(crate) fn read_schema(columns: &[Column]) -> Result<SchemaRef> {
    let fields = columns.iter().map(|column| {
        let reader = Reader::new(&table::target(column)).map_err(Error::usage)?;
        Ok(Field::new(&column.name, reader.data_type(), true))
    });
    Ok(Arc::new(Schema::new(
        fields.collect::<Result<Vec<Field>>>()?,
    )))
}

/// Begins the transaction that keeps a snapshot; gives the snapshot's name and the server's version.
async fn begin(leader: &Client) -> Result<(String, i32), Failure> {
    leader
        .batch_execute(
            "set idle_in_transaction_session_timeout = 0; begin isolation level repeatable read read only",
        )
        .await?;
    let row = leader
        .query_one(
            "select pg_export_snapshot(), current_setting('server_version_num')::int",
            &[],
        )
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

struct Found {
    readable: bool,
    pages: i64,
}

/// A table of a snapshot.
struct Table {
    snapshot: Arc<Snapshot>,
    path: TablePath,
    /// As people call it.
    target: String,
    schema: SchemaRef,
    readers: Vec<Reader>,
    /// Its size; 0 where it cannot be read in ranges of pages.
    pages: i64,
}

impl Table {
    fn query(&self, part: &Part) -> Result<(String, Vec<Reader>)> {
        let readers = part
            .columns
            .iter()
            .map(|column| self.readers.get(*column).cloned())
            .collect::<Option<Vec<Reader>>>()
            .ok_or_else(|| Error::internal("a column is not there"))?;
        let columns: Vec<String> = readers.iter().map(Reader::expression).collect();
        let mut sql = format!(
            "select {} from {}",
            columns.join(", "),
            table::quoted_path(&self.path)
        );
        let mut conditions: Vec<String> = part.condition.iter().cloned().collect();
        let page = |index: usize| {
            let (index, of) = (index as i128, part.of.max(1) as i128);
            i128::from(self.pages) * index / of
        };
        // The table may have grown since its size was asked for: the last part has no end.
        if part.index > 0 {
            conditions.push(format!("ctid >= '({},0)'::tid", page(part.index)));
        }
        if part.index + 1 < part.of {
            conditions.push(format!("ctid < '({},0)'::tid", page(part.index + 1)));
        }
        if !conditions.is_empty() {
            sql.push_str(&format!(" where {}", conditions.join(" and ")));
        }
        if let Some(limit) = part.limit {
            sql.push_str(&format!(" limit {limit}"));
        }
        Ok((sql, readers))
    }
}

impl Relation for Table {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn operand(&self, column: usize) -> Option<String> {
        self.readers.get(column).and_then(Reader::operand)
    }

    fn parts(&self, most: usize) -> usize {
        if self.snapshot.version < RANGES_SINCE {
            return 1;
        }
        let parts = usize::try_from(self.pages / PAGES_OF_A_PART).unwrap_or(1);
        parts.clamp(1, most.max(1))
    }

    fn read(&self, part: Part) -> BoxStream<'static, Result<RecordBatch>> {
        let query = self.query(&part);
        let (snapshot, target) = (Arc::clone(&self.snapshot), self.target.clone());
        let stream = async_stream::try_stream! {
            let (sql, readers) = query?;
            let told = |error: tokio_postgres::Error| Failure::from(error).told(&target);
            let client = snapshot.reader().await?;
            let messages = client
                .copy_out(&format!("copy ({sql}) to stdout (format binary)"))
                .await
                .map_err(told)?;
            let mut messages = std::pin::pin!(messages);
            let mut rows = CopyReader::new(&readers, Arc::clone(&part.schema), part.batch_rows);
            while let Some(message) = messages.try_next().await.map_err(told)? {
                let batch = rows.read(&message).map_err(|error| error.within(&target))?;
                if let Some(batch) = batch {
                    yield batch;
                }
            }
            if let Some(batch) = rows.finish().map_err(|error| error.within(&target))? {
                yield batch;
            }
        };
        stream.boxed()
    }
}
