//! Tables of databases as sources: one snapshot of each, read by several tasks, with columns and
//! conditions that the database picks out itself.

mod columns;
mod filter;
mod scan;
pub(crate) mod script;
mod turns;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::BoxStream;
use tokio::sync::Mutex;
use weir_pipeline::{Pipeline, ServerKind, TableName};

pub(crate) use columns::{Rows, Values, Why};
pub(crate) use filter::Dialect;
use scan::DatabaseScan;
pub(crate) use turns::{Turn, Turns};

use crate::connections::Connections;
use crate::error::{Error, Result};
use crate::server::Column;
use crate::{mysql, postgres, sqlite};

/// A table of a database, as one snapshot has it.
#[async_trait]
pub(crate) trait Relation: Send + Sync + 'static {
    /// The columns as Weir reads them.
    fn schema(&self) -> &SchemaRef;

    /// How its database writes conditions.
    fn dialect(&self) -> Dialect;

    /// A column as a condition compares it; none if no condition on it is to be pushed down.
    fn operand(&self, column: usize) -> Option<String>;

    /// Into how many parts it can be read at once, at most so many.
    fn parts(&self, most: usize) -> usize;

    /// The rows of a part.
    fn read(&self, part: Part) -> BoxStream<'static, Result<RecordBatch>>;
}

/// What a task reads of a relation.
pub(crate) struct Part {
    /// Which of how many parts.
    pub(crate) index: usize,
    pub(crate) of: usize,
    /// The columns, by their place in the schema, in this order.
    pub(crate) columns: Vec<usize>,
    /// Their schema.
    pub(crate) schema: SchemaRef,
    /// A condition in the database's words.
    pub(crate) condition: Option<String>,
    /// At most so many rows.
    pub(crate) limit: Option<usize>,
    /// Rows of a batch, at most.
    pub(crate) batch_rows: usize,
    /// Where rows may be spilled.
    pub(crate) env: Arc<RuntimeEnv>,
}

/// A relation, for queries.
pub(crate) struct DatabaseTable {
    name: TableName,
    relation: Arc<dyn Relation>,
}

impl fmt::Debug for DatabaseTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseTable({})", self.name)
    }
}

impl DatabaseTable {
    fn condition(&self, filter: &Expr) -> Option<String> {
        let relation = &self.relation;
        filter::condition(filter, relation.schema(), relation.dialect(), &|column| {
            relation.operand(column)
        })
    }
}

#[async_trait]
impl TableProvider for DatabaseTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.relation.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        // Collations and types of databases have their own ideas of what is equal: rows that they leave out
        // would be left out by the filter as well, and of those that they give some may be.
        let supports = |filter: &&Expr| match self.condition(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(supports).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let conditions: Vec<String> = filters
            .iter()
            .filter_map(|filter| self.condition(filter))
            .collect();
        let condition = (!conditions.is_empty()).then(|| conditions.join(" and "));
        let all = self.relation.schema();
        let columns: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..all.fields().len()).collect(),
        };
        // A condition may leave few rows, which an index finds at once; several parts would each look.
        let parts = match (&condition, limit) {
            (None, None) => self
                .relation
                .parts(state.config().target_partitions())
                .max(1),
            _ => 1,
        };
        let schema = Arc::new(all.project(&columns)?);
        Ok(Arc::new(DatabaseScan::new(
            self.name.clone(),
            Arc::clone(&self.relation),
            columns,
            schema,
            condition,
            limit,
            parts,
        )))
    }
}

/// One snapshot of each database that a step reads, opened when it is first asked for.
pub(crate) struct Snapshots {
    connections: Connections,
    open: Mutex<BTreeMap<String, Snapshot>>,
}

/// One moment of a database.
#[derive(Clone)]
enum Snapshot {
    Postgres(Arc<postgres::Snapshot>),
    Mysql(Arc<mysql::Snapshot>),
    Sqlite(Arc<sqlite::Snapshot>),
}

impl Snapshot {
    async fn relation(&self, table: &str) -> Result<Option<Arc<dyn Relation>>> {
        match self {
            Snapshot::Postgres(snapshot) => snapshot.relation(table).await,
            Snapshot::Mysql(snapshot) => snapshot.relation(table).await,
            Snapshot::Sqlite(snapshot) => snapshot.relation(table).await,
        }
    }

    async fn is_missing(&self, table: &str) -> Error {
        match self {
            Snapshot::Postgres(snapshot) => snapshot.is_missing(table).await,
            Snapshot::Mysql(snapshot) => snapshot.is_missing(table).await,
            Snapshot::Sqlite(snapshot) => snapshot.is_missing(table).await,
        }
    }
}

impl Snapshots {
    pub(crate) fn new(connections: Connections) -> Snapshots {
        Snapshots {
            connections,
            open: Mutex::new(BTreeMap::new()),
        }
    }

    /// A table as its database's snapshot has it.
    ///
    /// # Errors
    /// Usage, if it is not there or has a column that cannot be read; storage, if the database cannot be
    /// reached.
    pub(crate) async fn table(&self, name: &TableName) -> Result<Arc<dyn TableProvider>> {
        let snapshot = self.snapshot(&name.zone).await?;
        match snapshot.relation(&name.table).await? {
            Some(relation) => Ok(Arc::new(DatabaseTable {
                name: name.clone(),
                relation,
            })),
            None => Err(snapshot.is_missing(&name.table).await),
        }
    }

    /// The columns of a table, where there is one.
    ///
    /// # Errors
    /// As [`Snapshots::table`].
    pub(crate) async fn schema(&self, name: &TableName) -> Result<Option<SchemaRef>> {
        // The step before may make the file.
        if self.connections.is_to_be_made(&name.zone) {
            return Ok(None);
        }
        let relation = self
            .snapshot(&name.zone)
            .await?
            .relation(&name.table)
            .await?;
        Ok(relation.map(|relation| Arc::clone(relation.schema())))
    }

    /// Ends all snapshots: what they keep others from doing, a load of the same step may be about to do.
    pub(crate) async fn close(&self) {
        for snapshot in std::mem::take(&mut *self.open.lock().await).into_values() {
            match snapshot {
                // It ends with its last user; nobody waits for it.
                Snapshot::Postgres(_) => {}
                Snapshot::Mysql(snapshot) => snapshot.close().await,
                Snapshot::Sqlite(snapshot) => snapshot.close().await,
            }
        }
    }

    async fn snapshot(&self, connection: &str) -> Result<Snapshot> {
        let mut open = self.open.lock().await;
        if let Some(snapshot) = open.get(connection) {
            return Ok(snapshot.clone());
        }
        let connections = &self.connections;
        let snapshot = match connections.kind(connection) {
            Some(ServerKind::Postgres) => {
                Snapshot::Postgres(postgres::Snapshot::open(connections, connection).await?)
            }
            Some(ServerKind::Mysql) => {
                Snapshot::Mysql(mysql::Snapshot::open(connections, connection).await?)
            }
            Some(ServerKind::Redshift) => {
                return Err(Error::usage(format!(
                    "tables of connection '{connection}' are not read: it is Redshift"
                ))
                .with_hint("unload the table to Parquet files on S3, and read those"));
            }
            Some(ServerKind::Adbc) => {
                return Err(Error::usage(format!(
                    "tables of connection '{connection}' are not read: it is an ADBC driver"
                ))
                .with_hint("read the lake table that was written there"));
            }
            None => Snapshot::Sqlite(sqlite::Snapshot::open(connections, connection).await?),
        };
        open.insert(connection.to_owned(), snapshot.clone());
        Ok(snapshot)
    }
}

/// The columns of a table that is made with `columns`, as they are read from it.
///
/// # Errors
/// Usage, if they cannot be read.
pub(crate) fn made(kind: ServerKind, columns: &[Column]) -> Result<SchemaRef> {
    match kind {
        ServerKind::Postgres => postgres::read_schema(columns),
        ServerKind::Mysql => mysql::read_schema(columns),
        ServerKind::Redshift => Err(Error::usage(
            "a table that is written to Redshift is not read back",
        )
        .with_hint("read the lake table that was written there")),
        ServerKind::Adbc => Err(Error::usage(
            "a table that is written through an ADBC driver is not read back",
        )
        .with_hint("read the lake table that was written there")),
    }
}

/// Whether a table's name begins with that of a connection.
pub(crate) fn is_of_database(pipeline: &Pipeline, name: &TableName) -> bool {
    pipeline.connections.contains_key(&name.zone)
}
