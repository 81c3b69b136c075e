//! Loads into databases of servers: what a decision says of one, and what all servers have in common.
//!
//! Rows are staged as files, and loaded in one transaction with a row of the ledger `_weir_loads`. Whatever is
//! answered, or not, the ledger says afterwards whether it was done, so a load can be repeated at any time.

use std::fmt;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use futures::StreamExt;
use futures::stream::BoxStream;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use serde::{Deserialize, Serialize};
use weir_pipeline::{
    Ddl, Dist, DistStyle, Fault, PartitionBy, PartitionPart, ScopeValue, ServerKind,
};

use crate::adbc;
use crate::commit::Applier;
use crate::connections::Connections;
use crate::delta::{Applied, Mode, files_are_there, rows_are_gone};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Location;
use crate::merge::Merging;
use crate::mysql;
use crate::parquet_io::ObjectReader;
use crate::postgres;
use crate::redshift;
use crate::segment::WrittenFile;
use crate::store::Stores;
use crate::types::type_text;

/// How often a load is tried again where a repeat may help.
const ATTEMPTS: u32 = 6;
/// Rows of a batch of staged rows.
const BATCH_ROWS: usize = 8192;
/// The table that says what has been loaded, beside each table that is.
pub(crate) const LEDGER: &str = "_weir_loads";

/// What a decision says of one table of a server's database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerCommit {
    /// What the server is.
    #[serde(with = "kind_name")]
    pub kind: ServerKind,
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
    /// Whether a table that is there gets those that it has not.
    #[serde(default)]
    pub evolves: bool,
    /// What the table has besides when it is made.
    #[serde(default)]
    pub options: TableOptions,
    /// Scope columns and the values that all rows get, as Delta writes them.
    pub scope: Vec<(String, String)>,
    /// The folder of the staged files: an absolute URL.
    pub staging: String,
    /// The staged files.
    pub files: Vec<WrittenFile>,
}

/// What decisions call a server.
mod kind_name {
    use serde::Serializer;
    use serde::de::{Deserialize, Deserializer, Error};
    use weir_pipeline::ServerKind;

    const ALL: [ServerKind; 4] = [
        ServerKind::Postgres,
        ServerKind::Mysql,
        ServerKind::Redshift,
        ServerKind::Adbc,
    ];

    fn name(kind: ServerKind) -> &'static str {
        match kind {
            ServerKind::Postgres => "postgres",
            ServerKind::Mysql => "mysql",
            ServerKind::Redshift => "redshift",
            ServerKind::Adbc => "adbc",
        }
    }

    pub(super) fn serialize<S: Serializer>(kind: &ServerKind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(name(*kind))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ServerKind, D::Error> {
        let text = String::deserialize(from)?;
        let kind = ALL.into_iter().find(|kind| name(*kind) == text);
        kind.ok_or_else(|| D::Error::custom(format!("'{text}' is no kind of server")))
    }
}

/// What a table has besides its columns when it is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableOptions {
    /// The columns of its primary key.
    pub primary_key: Vec<String>,
    /// The columns of each index.
    pub indexes: Vec<Vec<String>>,
    /// What it is partitioned by, from the outside in.
    #[serde(default)]
    pub partition_by: Vec<Level>,
    /// Roles that may read it.
    pub grants: Vec<String>,
    /// Redshift: how its rows are spread; absent: as the warehouse sees fit.
    #[serde(default)]
    pub dist: Option<Distribution>,
    /// Redshift: the columns by which its rows are sorted.
    #[serde(default)]
    pub sort_key: Vec<String>,
}

/// How rows are spread over a Redshift warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Those with one value of the column are together.
    Key(String),
    /// In turn.
    Even,
    /// All of them on each node.
    All,
}

/// What the partitions of one level of a table have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The column.
    pub column: String,
    /// How long a time each is of; absent: each is of one value.
    pub span: Option<Span>,
}

/// How long a time a partition is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Span {
    /// A year.
    Year,
    /// A month.
    Month,
    /// A day.
    Day,
}

impl TableOptions {
    /// Those that a pipeline file says.
    pub(crate) fn of(ddl: Option<&Ddl>) -> TableOptions {
        ddl.map_or_else(TableOptions::default, |ddl| TableOptions {
            primary_key: ddl.primary_key.clone(),
            indexes: ddl.indexes.clone(),
            partition_by: ddl.partition_by.iter().map(Level::of).collect(),
            grants: ddl.grants.clone(),
            dist: ddl.dist.as_ref().map(|dist| match dist {
                Dist::Key(column) => Distribution::Key(column.clone()),
                Dist::Style(DistStyle::Even) => Distribution::Even,
                Dist::Style(DistStyle::All) => Distribution::All,
            }),
            sort_key: ddl.sort_key.clone(),
        })
    }
}

impl Level {
    fn of(by: &PartitionBy) -> Level {
        Level {
            column: by.column.clone(),
            span: match by.part {
                PartitionPart::Whole => None,
                PartitionPart::Year => Some(Span::Year),
                PartitionPart::Month => Some(Span::Month),
                PartitionPart::Day => Some(Span::Day),
            },
        }
    }
}

/// A table, with its schema or database unless it is where the connection looks first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePath {
    /// The schema, or MySQL's database.
    #[serde(default)]
    pub schema: Option<String>,
    /// The table.
    pub table: String,
}

impl fmt::Display for TablePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

impl TablePath {
    /// `table`, or `schema.table`, if `fits` finds nothing wrong with either.
    ///
    /// # Errors
    /// Usage, with what `fits` says of a name.
    pub(crate) fn read(text: &str, fits: impl Fn(&str) -> Result<(), String>) -> Result<TablePath> {
        let (schema, table) = match text.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, text),
        };
        for name in schema.into_iter().chain([table]) {
            is_name(name, &fits)?;
        }
        Ok(TablePath {
            schema: schema.map(str::to_owned),
            table: table.to_owned(),
        })
    }

    /// The table as SQL writes it, whose names are written by `quoted`.
    pub(crate) fn sql(&self, quoted: impl Fn(&str) -> String) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&self.table)),
            None => quoted(&self.table),
        }
    }

    /// The ledger of the loads into this table.
    pub(crate) fn ledger(&self) -> TablePath {
        TablePath {
            schema: self.schema.clone(),
            table: LEDGER.to_owned(),
        }
    }
}

/// That a server keeps a name as it is: it is one, and `fits` finds nothing wrong with it.
///
/// # Errors
/// Usage, with what is wrong.
pub(crate) fn is_name(name: &str, fits: impl Fn(&str) -> Result<(), String>) -> Result<()> {
    let why = match name {
        "" => Err("a name is empty".to_owned()),
        name if name.contains('\0') => Err(format!("'{}' holds a NUL", name.escape_debug())),
        name => fits(name),
    };
    why.map_err(|why| Error::usage(why).with_hint("choose another name"))
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type with which it is made.
    pub data_type: String,
}

/// Rows that are to go to a table, and how.
pub(crate) struct Incoming<'a> {
    /// Their columns, those of the scope last.
    pub(crate) schema: &'a Schema,
    /// The columns with which the table is made.
    pub(crate) columns: &'a [Column],
    /// How they meet what is there.
    pub(crate) mode: Mode,
    /// Whether the table takes the columns of the rows, whatever it had: it is made anew where they differ.
    pub(crate) remakes: bool,
    /// Whether it may get columns that it has not.
    pub(crate) evolves: bool,
}

impl Incoming<'_> {
    /// The rows' column of this name.
    pub(crate) fn data_type(&self, name: &str) -> Option<&DataType> {
        let field = self.schema.field_with_name(name).ok()?;
        Some(field.data_type())
    }

    /// How the rows write the name of the table's column `there`, where names are not told apart by case: `find`
    /// gives the table's name for the rows'.
    pub(crate) fn named<'n, 't>(
        &'n self,
        there: &'n str,
        find: impl Fn(&str) -> Option<&'t str>,
    ) -> &'n str {
        let mut names = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str());
        names
            .find(|name| find(name) == Some(there))
            .unwrap_or(there)
    }
}

/// A column of a table that is there, as rows meet it.
#[derive(Debug)]
pub(crate) struct FoundColumn {
    /// Its name, as the rows write it where they have it.
    pub(crate) name: String,
    /// Its type, as the server calls it.
    pub(crate) told: String,
    /// The type of rows that has exactly its values, if there is one that it takes.
    pub(crate) natural: Option<DataType>,
    /// Why it does not take the rows' column of this name as it is.
    pub(crate) misfit: Option<String>,
    /// Whether it may be null.
    pub(crate) nullable: bool,
    /// Whether the server has a value of its own for it where rows have none.
    pub(crate) filled: bool,
}

/// What went wrong at a server.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What may pass: the connection broke, the server restarts, others were in the way.
    Passing(Error),
    /// What the server refuses, as long as somebody mends it: a login, a right, a name, a limit.
    Refused(String, &'static str),
    /// What the server refuses for the rows' sake, now and whenever it is asked.
    Unfit(String, &'static str),
    /// Something else.
    Other(Error),
}

impl Failure {
    /// As an error of `target`.
    pub(crate) fn told(self, target: &str) -> Error {
        match self {
            Failure::Passing(error) => error.within(target),
            Failure::Refused(what, hint) => {
                Error::new(ErrorKind::Input, format!("{target}: {what}")).with_hint(hint)
            }
            Failure::Unfit(what, hint) => Error::new(ErrorKind::Input, format!("{target}: {what}"))
                .into_refusal()
                .with_hint(hint),
            Failure::Other(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Other(error)
    }
}

impl ServerCommit {
    /// The folder of the staged files.
    ///
    /// # Errors
    /// Internal, if a decision names no folder.
    pub fn staging(&self, stores: &Stores) -> Result<Location> {
        Location::at_url(stores, &self.staging)
    }

    /// Makes the load of decision `n`, unless it has been made. `recovering` says that it is not the run which
    /// staged the files that asks.
    ///
    /// # Errors
    /// Conflict, if a later decision of the same application has been loaded; input, if the table does not
    /// take the rows; storage, if the server keeps failing.
    pub(crate) async fn apply(
        &self,
        applier: &Applier,
        n: u64,
        recovering: bool,
    ) -> Result<Applied> {
        if recovering && !files_are_there(&self.staging(&applier.stores)?, &self.files).await? {
            let is_loaded = self.is_loaded(&applier.connections, n).await?;
            return match (is_loaded, self.mode) {
                (true, _) => Ok(Applied::Before),
                (false, Mode::Append | Mode::Merge | Mode::Rewrite) => {
                    Err(rows_are_gone(&self.target))
                }
                (false, Mode::Replace | Mode::ReplacePartition | Mode::ReplaceDynamic) => {
                    Ok(Applied::Gone)
                }
            };
        }
        let n = number(n)?;
        let load = || self.load(applier, n);
        let applied = persist(&self.target, "the load", load).await?;
        // Loaded, the staged files have served.
        self.staging(&applier.stores)?.remove_folder().await?;
        Ok(applied)
    }

    /// The staged rows.
    pub(crate) fn rows(&self, stores: &Stores) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        self.rows_of(stores, None)
    }

    /// The staged rows, of these columns only; those of the scope are not among them.
    pub(crate) fn rows_of(
        &self,
        stores: &Stores,
        columns: Option<Vec<String>>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let root = self.staging(stores)?;
        let files = self.files.clone();
        let rows = async_stream::try_stream! {
            for file in files {
                let broken = |error| {
                    Error::storage(
                        format!("the staged file '{}' cannot be read", file.path),
                        error,
                    )
                    .with_hint("run the step again with the same command")
                };
                let builder = ParquetRecordBatchStreamBuilder::new(ObjectReader::new(&root.file(&file.path)))
                    .await
                    .map_err(broken)?;
                let builder = match &columns {
                    None => builder,
                    Some(columns) => {
                        let names = columns.iter().map(String::as_str);
                        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
                        builder.with_projection(mask)
                    }
                };
                let mut batches = builder.with_batch_size(BATCH_ROWS).build().map_err(broken)?;
                while let Some(batch) = batches.next().await {
                    yield batch.map_err(broken)?;
                }
            }
        };
        Ok(rows.boxed())
    }
}

/// Whether a ledger which has `version` says that decision `n` is done to `target`.
///
/// # Errors
/// Conflict, if a later one is.
pub(crate) fn was_done(target: &str, n: i64, version: Option<i64>) -> Result<bool> {
    match version {
        Some(version) if version > n => Err(Error::new(
            ErrorKind::Conflict,
            format!("{target}: decision {n} is late, decision {version} has been loaded"),
        )
        .with_hint("another run of this step has overtaken this one; nothing needs to be done")),
        version => Ok(version == Some(n)),
    }
}

/// Does what `once` does, again where a repeat may help.
///
/// # Errors
/// What it gave; storage, if it keeps failing.
pub(crate) async fn persist<T, F>(target: &str, what: &str, once: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        match once().await {
            Ok(done) => return Ok(done),
            Err(Failure::Passing(error)) => last = Some(error),
            // A server that starts is waited for as well.
            Err(Failure::Other(error)) if error.is_retryable() => last = Some(error),
            Err(failure) => return Err(failure.told(target)),
        }
        tracing::debug!(target, attempt, error = ?last, "{what} did not go through, looking again");
        let pause = 100_u64.saturating_mul(1 << attempt);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    let error = Error::new(
        ErrorKind::Storage,
        format!("{target}: {what} did not go through in {ATTEMPTS} attempts"),
    )
    .with_hint(
        "the server fails or is busy: run the same command again, it goes on from the decision",
    );
    Err(match last {
        Some(cause) => error.with_source(cause),
        None => error,
    })
}

/// A decision's number as ledgers keep it.
pub(crate) fn number(n: u64) -> Result<i64> {
    i64::try_from(n).map_err(|_| Error::internal("a decision's number is too large"))
}

/// What a server is told of a table, in the words of its kind.
///
/// # Errors
/// Usage, for a name that the server would not keep as it is.
pub(crate) fn path(kind: ServerKind, text: &str) -> Result<TablePath> {
    match kind {
        ServerKind::Postgres => postgres::path(text),
        ServerKind::Mysql => mysql::path(text),
        ServerKind::Redshift => redshift::path(text),
        ServerKind::Adbc => adbc::path(text),
    }
}

/// The columns of a table for rows of `schema`, with the types that `said` gives; `keys` are those by which rows
/// are told apart.
///
/// # Errors
/// Usage, for a type or a name that the server does not have.
pub(crate) fn made(
    kind: ServerKind,
    schema: &Schema,
    keys: &[String],
    said: impl Fn(&Field) -> Option<String>,
) -> Result<Vec<Column>> {
    let mut columns = match kind {
        ServerKind::Postgres => postgres::made(schema)?,
        ServerKind::Mysql => mysql::made(schema, keys)?,
        ServerKind::Redshift => redshift::made(schema)?,
        // Only the driver knows the types; see `adbc::plan`.
        ServerKind::Adbc => return Err(Error::internal("the types of a driver are not known")),
    };
    for (column, field) in columns.iter_mut().zip(schema.fields()) {
        if let Some(data_type) = said(field) {
            column.data_type = data_type;
        }
    }
    Ok(columns)
}

/// The columns by which rows are told apart or found.
pub(crate) fn keys(
    scope: &[(String, ScopeValue)],
    merge: Option<&Merging>,
    ddl: Option<&Ddl>,
) -> Vec<String> {
    let scope = scope.iter().map(|(name, _)| name.clone());
    let merge = merge.into_iter().flat_map(|merge| merge.key.clone());
    let ddl = ddl.into_iter().flat_map(|ddl| {
        ddl.primary_key
            .iter()
            .chain(ddl.indexes.iter().flatten())
            .cloned()
    });
    scope.chain(merge).chain(ddl).collect()
}

/// That all columns are there which `ddl` names.
///
/// # Errors
/// Usage, with the place in the file.
pub(crate) fn has_named(schema: &Schema, ddl: &Ddl) -> Result<()> {
    let named = ddl
        .types
        .keys()
        .chain(&ddl.primary_key)
        .chain(ddl.indexes.iter().flatten())
        .chain(ddl.partition_by.iter().map(|by| &by.column))
        .chain(ddl.dist.iter().filter_map(|dist| match dist {
            Dist::Key(column) => Some(column),
            Dist::Style(_) => None,
        }))
        .chain(&ddl.sort_key);
    for name in named {
        if schema.field_with_name(name).is_err() {
            let names: Vec<&str> = schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            return Err(Fault::new(format!(
                "`ddl` names a column '{name}', which is not written"
            ))
            .at(&ddl.place)
            .hint(format!("the columns are {}", names.join(", ")))
            .into());
        }
    }
    Ok(())
}

/// That all columns are there which `ddl` names, and that the server can do what it says.
///
/// # Errors
/// Usage, with the place in the file.
pub(crate) fn check(kind: ServerKind, schema: &Schema, ddl: &Ddl) -> Result<()> {
    has_named(schema, ddl)?;
    let fault = |what: String, hint: &str| Err(Fault::new(what).at(&ddl.place).hint(hint).into());
    if kind == ServerKind::Adbc {
        return fault(
            "`ddl` belongs to PostgreSQL, MySQL and Redshift".to_owned(),
            "leave it out, or make the table yourself: Weir loads it as it is",
        );
    }
    if kind != ServerKind::Redshift && (ddl.dist.is_some() || !ddl.sort_key.is_empty()) {
        return fault(
            "`dist_key`, `dist_style` and `sort_key` belong to Redshift".to_owned(),
            "leave them out: other databases have `indexes`",
        );
    }
    if kind == ServerKind::Redshift && !ddl.indexes.is_empty() {
        return fault(
            "Redshift has no indexes".to_owned(),
            "leave `indexes` out, and write `sort_key` for the columns by which rows are found",
        );
    }
    if kind == ServerKind::Redshift && !ddl.partition_by.is_empty() {
        return fault(
            "`partition_by` belongs to PostgreSQL".to_owned(),
            "leave it out, and write `sort_key` for the columns by which rows are found",
        );
    }
    if kind == ServerKind::Mysql && !ddl.grants.is_empty() {
        return fault(
            "`grants` belongs to PostgreSQL and Redshift".to_owned(),
            "leave it out: users of MySQL have a host as well; grant what they need at the server",
        );
    }
    if kind == ServerKind::Mysql && !ddl.partition_by.is_empty() {
        return fault(
            "`partition_by` belongs to PostgreSQL".to_owned(),
            "leave it out, and make a partitioned table at the server: Weir loads it as it is",
        );
    }
    for by in &ddl.partition_by {
        let data_type = schema
            .field_with_name(&by.column)
            .map(|field| field.data_type());
        let Ok(data_type) = data_type else {
            continue;
        };
        let (fits, wanted) = match by.part {
            PartitionPart::Whole => (
                data_type.is_integer()
                    || data_type.is_string()
                    || matches!(data_type, DataType::Boolean | DataType::Date32),
                "texts, whole numbers, dates, or true and false",
            ),
            PartitionPart::Year | PartitionPart::Month | PartitionPart::Day => (
                matches!(data_type, DataType::Date32 | DataType::Timestamp(..)),
                "dates or timestamps",
            ),
        };
        if !fits {
            return fault(
                format!(
                    "a table cannot be partitioned by '{}', which is {}",
                    by.name(),
                    type_text(data_type)
                ),
                &format!("partition by {wanted}"),
            );
        }
        if !ddl.primary_key.is_empty() && !ddl.primary_key.contains(&by.column) {
            return fault(
                format!(
                    "the primary key does not have '{}', by which the table is partitioned",
                    by.column
                ),
                "add it to `primary_key`: PostgreSQL keeps keys apart within partitions only",
            );
        }
    }
    Ok(())
}

/// The columns of the table, as rows meet them; none if there is no table. For a step that is planned.
///
/// # Errors
/// Usage, if the table cannot be loaded whatever its columns are, or would not take the rows once it is made;
/// input, if the user may not load it; storage, if the server cannot be reached.
pub(crate) async fn found(
    kind: ServerKind,
    connections: &Connections,
    connection: &str,
    table: &TablePath,
    incoming: &Incoming<'_>,
) -> Result<Option<Vec<FoundColumn>>> {
    match kind {
        ServerKind::Postgres => postgres::found(connections, connection, table, incoming).await,
        ServerKind::Mysql => mysql::found(connections, connection, table, incoming).await,
        ServerKind::Redshift => redshift::found(connections, connection, table, incoming).await,
        ServerKind::Adbc => Err(Error::internal("a driver is asked in its own way")),
    }
}

impl ServerCommit {
    /// Whether the ledger has decision `n` or a later one.
    pub(crate) async fn is_loaded(&self, connections: &Connections, n: u64) -> Result<bool> {
        match self.kind {
            ServerKind::Postgres => postgres::is_loaded(self, connections, n).await,
            ServerKind::Mysql => mysql::is_loaded(self, connections, n).await,
            ServerKind::Redshift => redshift::is_loaded(self, connections, n).await,
            ServerKind::Adbc => adbc::is_loaded(self, connections, n).await,
        }
    }

    async fn load(&self, applier: &Applier, n: i64) -> Result<Applied, Failure> {
        match self.kind {
            ServerKind::Postgres => postgres::load(self, applier, n).await,
            ServerKind::Mysql => mysql::load(self, applier, n).await,
            ServerKind::Redshift => redshift::load(self, applier, n).await,
            ServerKind::Adbc => adbc::load(self, applier, n).await,
        }
    }
}
