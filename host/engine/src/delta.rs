//! Delta tables: reading them, and committing to them once.
//!
//! delta-rs commits the same application version twice, and a lower one after a higher. So each
//! commit here loads one snapshot, asks it for the application's version, stops if that is not
//! lower, and commits against that same snapshot with no retry; after any error it looks again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use deltalake_core::kernel::engine::arrow_conversion::TryFromArrow;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, Add, MetadataExt, StructType, Transaction, new_metadata};
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

use crate::data_file::statistics_of;
use crate::error::{Error, ErrorKind, Result};
use crate::files::FILE_COLUMN;
use crate::lake::Location;
use crate::segment::WrittenFile;
use crate::store::Stores;

/// How often a commit looks again after an error before it gives up.
const ATTEMPTS: u32 = 12;
/// A checkpoint is written after each so many commits, so that readers need not replay them all.
const CHECKPOINT_EVERY: u64 = 10;

/// What a decision says of one Delta table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeltaCommit {
    /// How people call the table.
    pub table: String,
    /// Its folder: an absolute URL.
    pub url: String,
    /// Whose commits are counted.
    pub app_id: String,
    /// `append`, `replace` or `replace-partition`.
    pub mode: Mode,
    /// The partition columns, in order, with the value that all files have.
    pub scope: Vec<(String, String)>,
    /// The table's schema, as Delta's log writes it.
    pub schema: serde_json::Value,
    /// The files to add.
    pub files: Vec<WrittenFile>,
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
}

impl From<WriteMode> for Mode {
    fn from(mode: WriteMode) -> Mode {
        match mode {
            WriteMode::Append => Mode::Append,
            WriteMode::Replace => Mode::Replace,
            WriteMode::ReplacePartition => Mode::ReplacePartition,
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
        Some(table) => Ok(Some(table.snapshot()?.snapshot().arrow_schema())),
        None => Ok(None),
    }
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
    let views: Vec<_> = state
        .snapshot()
        .file_views(&table.log_store(), None)
        .try_collect()
        .await?;
    let rows = views
        .iter()
        .filter_map(|view| view.num_records())
        .sum::<usize>();
    Ok(Some((state.version(), rows as u64)))
}

/// The table for queries, in its latest version; `None` where there is no table.
pub async fn provider(root: &Location) -> Result<Option<Arc<dyn TableProvider>>> {
    match open(root).await? {
        Some(table) => Ok(Some(table.table_provider().await?)),
        None => Ok(None),
    }
}

/// The table for a step that reads it whole: each row with the data file it lies in, as the hidden
/// column that a file scan has too.
pub async fn provider_with_file(root: &Location) -> Result<Option<Arc<dyn TableProvider>>> {
    match open(root).await? {
        Some(table) => Ok(Some(
            table.table_provider().with_file_column(FILE_COLUMN).await?,
        )),
        None => Ok(None),
    }
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was made, as this version of the table.
    Now(u64),
    /// It had been made before.
    Before,
    /// It had not been made, and cannot be any more: the table or its files were taken away by
    /// somebody. The next batch replaces what they held.
    Gone,
}

/// Whether a decision that is rolled forward still has its files.
pub(crate) async fn files_are_there(root: &Location, files: &[WrittenFile]) -> Result<bool> {
    for file in files {
        let location = root.file(&file.path);
        match location.store().head(location.path()).await {
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
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
    pub async fn apply(&self, stores: &Stores, n: u64, recovering: bool) -> Result<Applied> {
        let root = Location::at_url(stores, &self.url)?;
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
                        _ if verified => self.commit(&table, &root, n).await,
                        _ => Ok(None),
                    }
                }
                None if verified => self.create(&root, n).await,
                None => Ok(None),
            };
            match outcome {
                Ok(None) => {
                    if !files_are_there(&root, &self.files).await? {
                        return match self.mode {
                            Mode::Append => Err(rows_are_gone(&self.table)),
                            Mode::Replace | Mode::ReplacePartition => Ok(Applied::Gone),
                        };
                    }
                    verified = true;
                }
                Ok(Some(version)) => {
                    checkpoint(&self.table, &root, version).await;
                    return Ok(Applied::Now(version));
                }
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

    async fn adds(&self, root: &Location) -> Result<Vec<Action>> {
        let values: HashMap<String, Option<String>> = self
            .scope
            .iter()
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .collect();
        let mut adds = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let stats = match &file.stats {
                Some(stats) => stats.clone(),
                None => statistics_of(&root.file(&file.path)).await?,
            };
            adds.push(Action::Add(Add {
                path: file.path.clone(),
                partition_values: values.clone(),
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
        CommitProperties::default()
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
        self.scope.iter().map(|(name, _)| name.as_str()).collect()
    }

    async fn create(&self, root: &Location, n: i64) -> Result<Option<u64>, DeltaTableError> {
        let made = root.create_folder().await;
        made.map_err(|error| DeltaTableError::Generic(error.to_string()))?;
        let log = builder(root)?.build()?.log_store();
        let schema = self
            .struct_type()
            .map_err(|error| DeltaTableError::Generic(error.to_string()))?;
        let adds = self.adds(root).await;
        let adds = adds.map_err(|error| DeltaTableError::Generic(error.to_string()))?;
        let table = CreateBuilder::new()
            .with_log_store(log)
            .with_save_mode(SaveMode::ErrorIfExists)
            .with_columns(schema.fields().cloned())
            .with_partition_columns(self.partition_columns())
            .with_actions(adds)
            .with_commit_properties(self.properties(n))
            .await?;
        table
            .version()
            .map(Some)
            .ok_or_else(|| DeltaTableError::Generic("a new table has no version".to_owned()))
    }

    /// One attempt on one snapshot, which does not look whether it has been made.
    pub(crate) async fn commit(
        &self,
        table: &DeltaTable,
        root: &Location,
        n: i64,
    ) -> Result<Option<u64>, DeltaTableError> {
        let state = table.snapshot()?;
        let log = table.log_store();
        let mut actions = Vec::new();
        if self.mode == Mode::Replace {
            let wanted = self
                .struct_type()
                .map_err(|error| DeltaTableError::Generic(error.to_string()))?;
            let partitions = self.partition_columns();
            let same = *state.schema() == wanted
                && state
                    .metadata()
                    .partition_columns()
                    .iter()
                    .eq(partitions.iter());
            if !same {
                let kept = state.metadata().configuration().clone();
                let metadata = new_metadata(&wanted, partitions, kept)?
                    .with_table_id(state.metadata().id().to_owned())?;
                actions.push(Action::Metadata(metadata));
            }
        }
        if self.mode != Mode::Append {
            let scope: HashSet<(&str, &str)> = self
                .scope
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let files: Vec<_> = state
                .snapshot()
                .file_views(&log, None)
                .try_collect()
                .await?;
            for file in files {
                let values = file.partition_values_map();
                let inside = self.mode == Mode::Replace
                    || scope.iter().all(|(name, value)| {
                        values.get(*name).and_then(Option::as_deref) == Some(*value)
                    });
                if inside {
                    actions.push(Action::Remove(file.remove_action(true)));
                }
            }
        }
        let adds = self.adds(root).await;
        actions.extend(adds.map_err(|error| DeltaTableError::Generic(error.to_string()))?);
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
        let operation = DeltaOperation::Write {
            mode: match self.mode {
                Mode::Append => SaveMode::Append,
                Mode::Replace | Mode::ReplacePartition => SaveMode::Overwrite,
            },
            partition_by: Some(
                self.partition_columns()
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
            ),
            predicate,
        };
        let commit = CommitBuilder::from(self.properties(n))
            .with_actions(actions)
            .build(Some(state), log, operation)
            .await?;
        Ok(Some(commit.version()))
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
