//! Delta tables: reading them, and committing to them once.
//!
//! delta-rs commits the same application version twice, and a lower one after a higher. So each
//! commit here loads one snapshot, asks it for the application's version, stops if that is not
//! lower, and commits against that same snapshot with no retry; after any error it looks again.

mod columns;

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use deltalake_core::delta_datafusion::DeltaScanNext;
use deltalake_core::kernel::engine::arrow_conversion::TryFromArrow;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{
    Action, Add, LogicalFileView, MetadataExt, StructType, Transaction, new_metadata,
};
use deltalake_core::logstore::{
    LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaResult, DeltaTable, DeltaTableBuilder, DeltaTableError, checkpoints};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use url::Url;
use weir_pipeline::WriteMode;

use self::columns::TableColumns;
use crate::changes::Changes;
use crate::commit::Applier;
use crate::data_file::statistics_of;
use crate::error::{Error, ErrorKind, Result};
use crate::files::FILE_COLUMN;
use crate::lake::Location;
use crate::merge::{Merged, Merging, merge};
use crate::plan::plain;
use crate::segment::WrittenFile;
use crate::store::Stores;

/// How often a commit looks again after an error before it gives up.
const ATTEMPTS: u32 = 12;
/// A checkpoint is written after each so many commits, so that readers need not replay them all.
const CHECKPOINT_EVERY: u64 = 10;
/// The key of a commit's information under which the run stands whose rows it adds.
pub(crate) const RUN_KEY: &str = "weirRun";
/// The key under which it stands how they meet what was there.
pub(crate) const MODE_KEY: &str = "weirMode";

/// What a decision says of one Delta table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeltaCommit {
    /// How people call the table.
    pub table: String,
    /// Its folder: an absolute URL.
    pub url: String,
    /// The run whose rows the files hold.
    #[serde(default)]
    pub run: String,
    /// Whose commits are counted.
    pub app_id: String,
    /// How the files meet what is there.
    pub mode: Mode,
    /// The first partition columns, in order, with the value that all files have.
    pub scope: Vec<(String, String)>,
    /// The other partition columns, in order, of which each file has values of its own.
    #[serde(default)]
    pub by: Vec<String>,
    /// How rows are matched, where they are merged.
    #[serde(default)]
    pub merge: Option<Merging>,
    /// The files that are rewritten, by their paths: the commit can only be made while the table has
    /// all of them.
    #[serde(default)]
    pub replaces: Vec<String>,
    /// The state of the table from which its new rows were made: the commit can only be made while its
    /// rows are the same.
    #[serde(default)]
    pub since: Option<Since>,
    /// The columns that are written, as Delta's log writes them. A table that is made, or replaced whole,
    /// has these; any other has them all.
    pub schema: serde_json::Value,
    /// Whether the table gets those of them that it has not.
    #[serde(default)]
    pub evolves: bool,
    /// The files to add.
    pub files: Vec<WrittenFile>,
}

/// A state of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The version; absent where there was no table.
    pub version: Option<u64>,
}

/// A write mode as decisions keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Files are added.
    Append,
    /// All other files are removed.
    Replace,
    /// All other files of the scope are removed.
    ReplacePartition,
    /// All other files of the partitions of the files are removed.
    ReplaceDynamic,
    /// Rows with the keys of the files' rows are replaced, in the files that have some.
    Merge,
    /// Certain files are rewritten.
    Rewrite,
}

impl From<WriteMode> for Mode {
    fn from(mode: WriteMode) -> Mode {
        match mode {
            WriteMode::Append => Mode::Append,
            WriteMode::Replace => Mode::Replace,
            WriteMode::ReplacePartition => Mode::ReplacePartition,
            WriteMode::ReplaceDynamic => Mode::ReplaceDynamic,
            WriteMode::Merge => Mode::Merge,
        }
    }
}

/// The schema as Delta's log writes it.
pub fn schema_json(schema: &Schema) -> Result<serde_json::Value> {
    let schema = StructType::try_from_arrow(schema)
        .map_err(|error| Error::internal("Delta cannot hold a schema").with_source(error))?;
    serde_json::to_value(schema).map_err(|error| Error::internal("no JSON").with_source(error))
}

/// Delta's view of the table at `root`, through the store that the location has.
fn builder(root: &Location) -> Result<DeltaTableBuilder, DeltaTableError> {
    /// Plain conditional writes, whatever the store: delta-rs knows them for local folders only.
    #[derive(Debug)]
    struct ConditionalPuts;

    impl LogStoreFactory for ConditionalPuts {
        fn with_options(
            &self,
            prefixed: ObjectStoreRef,
            root: ObjectStoreRef,
            location: &Url,
            options: &StorageConfig,
        ) -> DeltaResult<Arc<dyn LogStore>> {
            Ok(default_logstore(prefixed, root, location, options))
        }
    }

    let scheme = Url::parse(&format!("{}://", root.url().scheme()))
        .map_err(|_| DeltaTableError::InvalidTableLocation(root.url().to_string()))?;
    logstore_factories()
        .entry(scheme)
        .or_insert_with(|| Arc::new(ConditionalPuts));
    Ok(DeltaTableBuilder::from_url(root.url().clone())?
        .with_storage_backend(Arc::clone(root.store()), root.url().clone()))
}

/// The table at `root` in its latest version; `None` where there is no table.
pub(crate) async fn open(root: &Location) -> Result<Option<DeltaTable>> {
    // Spares the listing of a folder that is not there.
    if let Some(path) = root.local()
        && !path.join("_delta_log").is_dir()
    {
        return Ok(None);
    }
    match builder(root)?.load().await {
        Ok(table) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The table at `root` as it was in `version`.
pub(crate) async fn open_version(root: &Location, version: u64) -> Result<DeltaTable> {
    Ok(builder(root)?.with_version(version).load().await?)
}

/// The table's schema; `None` where there is no table.
pub async fn schema(root: &Location) -> Result<Option<SchemaRef>> {
    match open(root).await? {
        Some(table) => schema_of(&table).map(Some),
        None => Ok(None),
    }
}

/// The schema of the table's snapshot, with what its fields are labelled.
pub(crate) fn schema_of(table: &DeltaTable) -> Result<SchemaRef> {
    Ok(table.snapshot()?.snapshot().arrow_schema())
}

/// The table's schema and partition columns; `None` where there is no table.
pub async fn describe(root: &Location) -> Result<Option<(SchemaRef, Vec<String>)>> {
    let Some(table) = open(root).await? else {
        return Ok(None);
    };
    let state = table.snapshot()?;
    let partitions = state.metadata().partition_columns().to_vec();
    Ok(Some((state.snapshot().arrow_schema(), partitions)))
}

/// The table's version and row count by its statistics; `None` where there is no table.
pub async fn state(root: &Location) -> Result<Option<(u64, u64)>> {
    let Some(table) = open(root).await? else {
        return Ok(None);
    };
    let state = table.snapshot()?;
    let views = live_files(&table).await?;
    let rows = views
        .iter()
        .filter_map(|view| view.num_records())
        .sum::<usize>();
    Ok(Some((state.version(), rows as u64)))
}

/// The table for queries, in its latest version; `None` where there is no table.
pub async fn provider(root: &Location) -> Result<Option<Arc<dyn TableProvider>>> {
    match open(root).await? {
        Some(table) => provider_of(&table).await.map(Some),
        None => Ok(None),
    }
}

/// The table's snapshot for queries.
pub(crate) async fn provider_of(table: &DeltaTable) -> Result<Arc<dyn TableProvider>> {
    Ok(table.table_provider().await?)
}

/// The table's snapshot for a step that reads it whole: each row with the data file it lies in, as the
/// hidden column that a file scan has too.
pub(crate) async fn provider_with_file(table: &DeltaTable) -> Result<Arc<dyn TableProvider>> {
    Ok(table.table_provider().with_file_column(FILE_COLUMN).await?)
}

/// The files of the table's snapshot.
pub(crate) async fn live_files(table: &DeltaTable) -> Result<Vec<LogicalFileView>> {
    Ok(table
        .snapshot()?
        .snapshot()
        .file_views(&table.log_store(), None)
        .try_collect()
        .await?)
}

/// Some files of the table's snapshot, by their paths, for queries: each row with its file.
pub(crate) async fn provider_of_files(
    table: &DeltaTable,
    paths: Vec<String>,
) -> Result<Arc<dyn TableProvider>> {
    let provider = provider_with_file(table).await?;
    let scan = (provider.as_ref() as &dyn Any)
        .downcast_ref::<DeltaScanNext>()
        .ok_or_else(|| Error::internal("a table is read in another way than expected"))?;
    Ok(Arc::new(scan.clone().with_file_paths(paths)))
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It was made, as this version of the table.
    Now(u64),
    /// It had been made before.
    Before,
    /// It had not been made, and cannot be any more: the table or its files were taken away by
    /// somebody. The next batch replaces what they held.
    Gone,
    /// It had not been made, and cannot be any more: files that it rewrites are not the table's now, or
    /// rows that it was made from are not.
    Stale,
    /// It had not been made, and cannot be: the table has got other columns since, as it says.
    Unfit(String),
}

/// Whether a decision that is rolled forward still has its files.
pub(crate) async fn files_are_there(root: &Location, files: &[WrittenFile]) -> Result<bool> {
    for file in files {
        if !is_there(&root.file(&file.path)).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a file is there.
pub(crate) async fn is_there(file: &Location) -> Result<bool> {
    match file.store().head(file.path()).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What to say where rows that were to be added are gone.
pub(crate) fn rows_are_gone(target: &str) -> Error {
    Error::new(
        ErrorKind::Input,
        format!("{target}: it does not hold what was appended to it, and the files are gone"),
    )
    .with_hint("restore the files; or, to load all files anew into an empty table, remove the step's folder below _weir/commits")
}

impl DeltaCommit {
    /// Makes the commit of decision `n`, unless it has been made. `recovering` says that it is
    /// not the run which wrote the files that asks.
    ///
    /// # Errors
    /// Conflict, if a later decision of the same application has been committed; storage, if the
    /// store keeps failing.
    pub async fn apply(&self, applier: &Applier, n: u64, recovering: bool) -> Result<Applied> {
        let root = Location::at_url(&applier.stores, &self.url)?;
        let mut verified = !recovering;
        let n =
            i64::try_from(n).map_err(|_| Error::internal("a decision's number is too large"))?;
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            let outcome = match open(&root).await? {
                Some(table) => {
                    let log = table.log_store();
                    match table
                        .snapshot()?
                        .transaction_version(&log, &self.app_id)
                        .await?
                    {
                        Some(version) if version == n => return Ok(Applied::Before),
                        Some(version) if version > n => {
                            return Err(Error::new(
                                ErrorKind::Conflict,
                                format!(
                                    "{}: decision {n} is late, decision {version} has been committed",
                                    self.table
                                ),
                            )
                            .with_hint("another run of this step has overtaken this one; nothing needs to be done"));
                        }
                        _ if self.is_stale(&table, &root).await? => return Ok(Applied::Stale),
                        _ if !verified => Ok(None),
                        _ => match self.columns_in(&table)? {
                            Err(why) => return Ok(Applied::Unfit(why)),
                            Ok(_) => self.commit(&table, &root, n, applier).await,
                        },
                    }
                }
                None if self.mode == Mode::Rewrite || self.was_there() => {
                    return Ok(Applied::Stale);
                }
                None if verified => self.create(&root, n, applier).await,
                None => Ok(None),
            };
            match outcome {
                Ok(None) => {
                    if !files_are_there(&root, &self.files).await? {
                        return match self.mode {
                            Mode::Append | Mode::Merge => Err(rows_are_gone(&self.table)),
                            Mode::Replace | Mode::ReplacePartition | Mode::ReplaceDynamic => {
                                Ok(Applied::Gone)
                            }
                            Mode::Rewrite => Ok(Applied::Stale),
                        };
                    }
                    verified = true;
                }
                Ok(Some(version)) => {
                    checkpoint(&self.table, &root, version).await;
                    return Ok(Applied::Now(version));
                }
                // What the rows or the query are to blame for does not pass.
                Err(error) if !error.is_retryable() => return Err(error),
                Err(error) => {
                    tracing::debug!(table = %self.table, attempt, error = %error, "commit did not go through, looking again");
                    last = Some(error);
                    let pause = 10_u64.saturating_mul(1 << attempt.min(6));
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
            }
        }
        let error = Error::new(
            ErrorKind::Conflict,
            format!("{}: the commit did not go through in {ATTEMPTS} attempts", self.table),
        )
        .with_hint("other writers are busy on the table, or the store fails: run the same command again, it goes on from the decision");
        Err(match last {
            Some(cause) => error.with_source(cause),
            None => error,
        })
    }

    /// Whether the commit of decision `n`, or of a later one, has been made.
    pub(crate) async fn is_applied(&self, stores: &Stores, n: u64) -> Result<bool> {
        let root = Location::at_url(stores, &self.url)?;
        let Some(table) = open(&root).await? else {
            return Ok(false);
        };
        let version = table
            .snapshot()?
            .transaction_version(&table.log_store(), &self.app_id)
            .await?;
        Ok(version.is_some_and(|version| i64::try_from(n).is_ok_and(|n| version >= n)))
    }

    /// Makes the commit on this version of the table (where there is none: makes the table), or says that
    /// it cannot be made on that any more. After an error it may say so of a commit that was made and that
    /// others have built on.
    ///
    /// # Errors
    /// Storage and conflict, if the store keeps failing.
    pub(crate) async fn apply_on(&self, version: Option<u64>, applier: &Applier) -> Result<bool> {
        let root = Location::at_url(&applier.stores, &self.url)?;
        let mut last = Error::internal("a commit was not tried");
        for attempt in 0..ATTEMPTS {
            let outcome = match (open(&root).await?, version) {
                (Some(table), Some(version)) if table.version() == Some(version) => {
                    let n = i64::try_from(version + 1).unwrap_or(i64::MAX);
                    self.commit(&table, &root, n, applier).await
                }
                (None, None) => self.create(&root, 0, applier).await,
                (Some(table), _) => {
                    let live = live_files(&table).await?;
                    let there =
                        |file: &WrittenFile| live.iter().any(|live| live.path() == file.path);
                    return Ok(self.files.iter().all(there));
                }
                (None, Some(_)) => return Ok(false),
            };
            match outcome {
                Ok(Some(version)) => {
                    checkpoint(&self.table, &root, version).await;
                    return Ok(true);
                }
                Ok(None) => return Err(Error::internal("a commit has no version")),
                Err(error) if !error.is_retryable() => return Err(error),
                Err(error) => last = error,
            }
            let pause = 10_u64.saturating_mul(1 << attempt.min(6));
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Err(last)
    }

    /// Whether it cannot be made any more once others have changed the table.
    pub(crate) fn may_be_stale(&self) -> bool {
        self.mode == Mode::Rewrite || self.since.is_some()
    }

    /// Whether new rows were made from the table.
    fn was_there(&self) -> bool {
        self.since.is_some_and(|since| since.version.is_some())
    }

    /// Whether the table lacks files that are to be rewritten, or has not the rows from which new ones
    /// were made.
    async fn is_stale(&self, table: &DeltaTable, root: &Location) -> Result<bool> {
        if let Some(since) = self.since {
            let now = table.snapshot()?.version();
            let Some(version) = since.version.filter(|version| *version <= now) else {
                return Ok(true);
            };
            let changes = Changes::between(root, version, now).await?;
            return Ok(changes.is_none_or(|changes| changes.any()));
        }
        if self.mode != Mode::Rewrite {
            return Ok(false);
        }
        let there: HashSet<String> = live_files(table)
            .await?
            .iter()
            .map(|file| file.path().into_owned())
            .collect();
        Ok(!self.replaces.iter().all(|path| there.contains(path)))
    }

    async fn adds(&self, root: &Location, files: &[WrittenFile]) -> Result<Vec<Action>> {
        let mut adds = Vec::with_capacity(files.len());
        for file in files {
            let stats = match &file.stats {
                Some(stats) => stats.clone(),
                None => statistics_of(&root.file(&file.path)).await?,
            };
            let scope = self
                .scope
                .iter()
                .map(|(name, value)| (name.clone(), Some(value.clone())));
            let by = self.by.iter().cloned().zip(file.partition.iter().cloned());
            let partition_values: HashMap<String, Option<String>> = scope.chain(by).collect();
            adds.push(Action::Add(Add {
                path: file.path.clone(),
                partition_values,
                size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
                modification_time: chrono::Utc::now().timestamp_millis(),
                data_change: true,
                stats: Some(stats),
                ..Add::default()
            }));
        }
        Ok(adds)
    }

    fn properties(&self, n: i64) -> CommitProperties {
        let mode = serde_json::to_value(self.mode).unwrap_or_default();
        CommitProperties::default()
            .with_metadata([
                (RUN_KEY.to_owned(), self.run.as_str().into()),
                (MODE_KEY.to_owned(), mode),
            ])
            .with_max_retries(0)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false))
            .with_application_transaction(Transaction::new_with_last_update(
                &self.app_id,
                n,
                Some(chrono::Utc::now().timestamp_millis()),
            ))
    }

    fn struct_type(&self) -> Result<StructType> {
        serde_json::from_value(self.schema.clone())
            .map_err(|error| Error::internal("a decision's schema is no schema").with_source(error))
    }

    fn partition_columns(&self) -> Vec<&str> {
        let scope = self.scope.iter().map(|(name, _)| name.as_str());
        scope.chain(self.by.iter().map(String::as_str)).collect()
    }

    /// The schema of data files with these columns of the table: those without the partition columns.
    pub(crate) fn file_schema(&self, columns: &StructType) -> Result<SchemaRef> {
        let table = columns::arrow_of(columns)?;
        let partitions = self.partition_columns();
        let table = plain(&Arc::new(table));
        let fields = table.fields().iter();
        let fields = fields.filter(|field| !partitions.contains(&field.name().as_str()));
        Ok(Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>())))
    }

    /// Whether a file with the partition values `of` is of the scope, and of the partition that has
    /// `values` in the columns that come from rows.
    pub(crate) fn is_of_partition(
        &self,
        of: &HashMap<String, Option<String>>,
        values: &[Option<String>],
    ) -> bool {
        let value = |name: &str| of.get(name).and_then(Option::as_deref);
        self.is_of_scope(of)
            && self
                .by
                .iter()
                .zip(values)
                .all(|(name, wanted)| value(name) == wanted.as_deref())
    }

    fn is_of_scope(&self, of: &HashMap<String, Option<String>>) -> bool {
        self.scope
            .iter()
            .all(|(name, wanted)| of.get(name).and_then(Option::as_deref) == Some(wanted.as_str()))
    }

    /// Makes the table, with its rows.
    async fn create(&self, root: &Location, n: i64, applier: &Applier) -> Result<Option<u64>> {
        root.create_folder().await?;
        let log = builder(root)?.build()?.log_store();
        let columns = TableColumns::of_new(self.struct_type()?);
        let merged = self.merged(None, &columns, root, applier).await?;
        let outcome = async {
            let adds = self.adds(root, self.adding(merged.as_ref())).await?;
            let table = CreateBuilder::new()
                .with_log_store(log)
                .with_save_mode(SaveMode::ErrorIfExists)
                .with_columns(columns.schema.fields().cloned())
                .with_partition_columns(self.partition_columns())
                .with_actions(adds)
                .with_commit_properties(self.properties(n))
                .await?;
            table
                .version()
                .ok_or_else(|| Error::internal("a new table has no version"))
        };
        self.settled(root, merged.as_ref(), outcome.await).await
    }

    /// One attempt on one snapshot, which does not look whether it has been made.
    pub(crate) async fn commit(
        &self,
        table: &DeltaTable,
        root: &Location,
        n: i64,
        applier: &Applier,
    ) -> Result<Option<u64>> {
        let columns = self.columns_in(table)?.map_err(|why| {
            Error::new(
                ErrorKind::Conflict,
                format!(
                    "{}: the table has other columns than the rows: {why}",
                    self.table
                ),
            )
        })?;
        let merged = self.merged(Some(table), &columns, root, applier).await?;
        let outcome = async {
            let state = table.snapshot()?;
            let log = table.log_store();
            let mut actions = Vec::new();
            actions.extend(columns.metadata(table)?);
            actions.extend(self.metadata(table)?);
            match (self.mode, &merged) {
                (Mode::Merge, Some(merged)) => {
                    actions.extend(merged.removes.iter().cloned().map(Action::Remove));
                }
                _ => actions.extend(self.removes(table).await?),
            }
            actions.extend(self.adds(root, self.adding(merged.as_ref())).await?);
            let commit = CommitBuilder::from(self.properties(n))
                .with_actions(actions)
                .build(Some(state), log, self.operation())
                .await?;
            Ok(commit.version())
        };
        self.settled(root, merged.as_ref(), outcome.await).await
    }

    async fn merged(
        &self,
        table: Option<&DeltaTable>,
        columns: &TableColumns,
        root: &Location,
        applier: &Applier,
    ) -> Result<Option<Merged>> {
        let schema = self.file_schema(&columns.schema)?;
        match (&self.mode, &self.merge) {
            (Mode::Merge, Some(how)) => {
                let merged = merge(self, how, table, &schema, root, applier).await?;
                Ok(Some(merged))
            }
            // What was merged is merged anew, into nothing.
            (Mode::Replace, Some(how)) => {
                let merged = merge(self, how, None, &schema, root, applier).await?;
                Ok(Some(merged))
            }
            (Mode::Merge, None) => Err(Error::internal("a decision does not say how to merge")),
            _ => Ok(None),
        }
    }

    /// The files that the commit adds.
    fn adding<'a>(&'a self, merged: Option<&'a Merged>) -> &'a [WrittenFile] {
        merged.map_or(&self.files, |merged| &merged.adds)
    }

    /// Removes the files of a merge that are nobody's, whatever came of the commit.
    async fn settled(
        &self,
        root: &Location,
        merged: Option<&Merged>,
        outcome: Result<u64>,
    ) -> Result<Option<u64>> {
        let Some(merged) = merged else {
            return outcome.map(Some);
        };
        let added = |file: &&WrittenFile| merged.adds.iter().any(|add| add.path == file.path);
        let nobodys: Vec<&WrittenFile> = match &outcome {
            Ok(_) => self.files.iter().filter(|file| !added(file)).collect(),
            // An error may stand for a commit that was made: then its files are the table's.
            Err(_) => Vec::new(),
        };
        for file in nobodys {
            if let Err(error) = root.file(&file.path).remove().await {
                tracing::warn!(table = %self.table, error = %error, "a file that was merged stays behind");
            }
        }
        outcome.map(Some)
    }

    /// The table's metadata, where a whole replacement changes it.
    fn metadata(&self, table: &DeltaTable) -> Result<Option<Action>> {
        if self.mode != Mode::Replace {
            return Ok(None);
        }
        let state = table.snapshot()?;
        let wanted = self.struct_type()?;
        let partitions = self.partition_columns();
        let same = *state.schema() == wanted
            && state
                .metadata()
                .partition_columns()
                .iter()
                .eq(partitions.iter());
        if same {
            return Ok(None);
        }
        let kept = state.metadata().configuration().clone();
        let metadata = new_metadata(&wanted, partitions, kept)
            .and_then(|metadata| metadata.with_table_id(state.metadata().id().to_owned()))
            .map_err(DeltaTableError::from)?;
        Ok(Some(Action::Metadata(metadata)))
    }

    /// The removal of the files whose place the decision's files take.
    async fn removes(&self, table: &DeltaTable) -> Result<Vec<Action>> {
        let found: HashSet<&[Option<String>]> = self
            .files
            .iter()
            .map(|file| file.partition.as_slice())
            .collect();
        let replaces: HashSet<&str> = self.replaces.iter().map(String::as_str).collect();
        let inside = |file: &LogicalFileView| match self.mode {
            Mode::Append | Mode::Merge => false,
            Mode::Replace => true,
            Mode::ReplacePartition => self.is_of_scope(&file.partition_values_map()),
            Mode::ReplaceDynamic => {
                let values = file.partition_values_map();
                found
                    .iter()
                    .any(|partition| self.is_of_partition(&values, partition))
            }
            Mode::Rewrite => replaces.contains(file.path().as_ref()),
        };
        if matches!(self.mode, Mode::Append | Mode::Merge) {
            return Ok(Vec::new());
        }
        Ok(live_files(table)
            .await?
            .iter()
            .filter(|file| inside(file))
            .map(|file| Action::Remove(file.remove_action(true)))
            .collect())
    }

    /// What other writers, and people, are told of the commit.
    fn operation(&self) -> DeltaOperation {
        let predicate = (self.mode == Mode::ReplacePartition).then(|| {
            self.scope
                .iter()
                .map(|(name, value)| {
                    format!(
                        "\"{}\" = '{}'",
                        name.replace('"', "\"\""),
                        value.replace('\'', "''")
                    )
                })
                .collect::<Vec<_>>()
                .join(" AND ")
        });
        DeltaOperation::Write {
            mode: match self.mode {
                Mode::Append => SaveMode::Append,
                Mode::Replace
                | Mode::ReplacePartition
                | Mode::ReplaceDynamic
                | Mode::Merge
                | Mode::Rewrite => SaveMode::Overwrite,
            },
            partition_by: Some(
                self.partition_columns()
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
            ),
            predicate,
        }
    }
}

/// Writes a checkpoint where `version` is one that has one. It only spares readers work: that it
/// fails is no failure of the commit.
pub(crate) async fn checkpoint(table: &str, root: &Location, version: u64) {
    if version == 0 || !version.is_multiple_of(CHECKPOINT_EVERY) {
        return;
    }
    let outcome = async {
        match open(root).await? {
            Some(table) => checkpoints::create_checkpoint(&table, None)
                .await
                .map_err(Error::from),
            None => Ok(()),
        }
    };
    if let Err(error) = outcome.await {
        tracing::warn!(table, error = %error, "no checkpoint was written");
    }
}
