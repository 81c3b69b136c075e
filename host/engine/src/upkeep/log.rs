//! A table's log, version by version: what delta-rs keeps to itself once a snapshot is made.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use chrono::{DateTime, Utc};
use deltalake_core::DeltaTable;
use deltalake_core::kernel::LogicalFileView;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as StorePath;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use serde::Deserialize;
use url::Url;

use super::{AT_ONCE, COMMAND_KEY, Made};
use crate::delta::{self, MODE_KEY, Mode, RUN_KEY};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Location;
use crate::parquet_io::ObjectReader;

/// The log of a table, as its folder lists it.
#[derive(Debug)]
pub(super) struct TableLog {
    root: Location,
    /// The entries by version, with the time the store has for each.
    entries: BTreeMap<u64, DateTime<Utc>>,
    /// The versions with a checkpoint in one file, which is how Weir writes them.
    checkpoints: BTreeSet<u64>,
}

/// One entry: the actions of one version that matter here.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The version.
    pub(crate) version: u64,
    /// When it was made: by the entry itself, else by the store.
    pub(super) at: DateTime<Utc>,
    /// What Delta calls the operation.
    pub(super) operation: Option<String>,
    /// The program, as it calls itself.
    pub(super) engine: Option<String>,
    /// The command of `weir lake` that made it.
    pub(super) made: Option<Made>,
    /// The application transactions: identifier and version.
    pub(super) transactions: Vec<(String, i64)>,
    /// The files it adds.
    pub(super) added: Vec<(FilePath, FileState)>,
    /// The files it takes away, with their bytes where it says them.
    pub(super) removed: Vec<(FilePath, Option<u64>)>,
    /// The run whose rows it adds, and how.
    pub(crate) by: Option<(String, Mode)>,
    /// Whether files that it adds hold rows that were not there, or it does not say.
    pub(crate) adds_rows: bool,
    /// Whether files that it takes away hold rows that are not there any more, or it does not say.
    pub(crate) removes_rows: bool,
}

/// A data file as a log names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum FilePath {
    /// Below the table's folder.
    Inside(StorePath),
    /// Anywhere, by an absolute URL or path: another program's doing.
    Outside(String),
}

/// What a log says of a data file.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileState {
    /// Its size.
    pub(super) bytes: u64,
    /// Its rows, those that a deletion vector takes away not counted.
    pub(super) rows: Option<u64>,
    /// The rows that a deletion vector takes away.
    pub(super) deleted: u64,
}

impl FilePath {
    /// Of a path as the log writes it, or with its escapes resolved (`resolved`).
    fn new(path: &str, resolved: bool) -> FilePath {
        if path.starts_with('/') || Url::parse(path).is_ok() {
            return FilePath::Outside(path.to_owned());
        }
        let parsed = match resolved {
            true => StorePath::parse(path),
            false => StorePath::from_url_path(path),
        };
        // What is no path is what delta-rs makes one of.
        FilePath::Inside(parsed.unwrap_or_else(|_| StorePath::from(path)))
    }

    /// Of a file of a snapshot.
    pub(crate) fn of(view: &LogicalFileView) -> FilePath {
        FilePath::new(&view.path(), true)
    }

    /// Its path in the store whose folder `root` is; none if it lies elsewhere.
    pub(super) fn below(&self, root: &Location) -> Option<StorePath> {
        match self {
            FilePath::Inside(path) => Some(root.path().parts().chain(path.parts()).collect()),
            FilePath::Outside(_) => None,
        }
    }

    /// How a person would write it.
    pub(super) fn display(&self) -> String {
        match self {
            FilePath::Inside(path) => path.to_string(),
            FilePath::Outside(path) => path.clone(),
        }
    }
}

/// A file of a snapshot as the format tells files apart: with the rows that are taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct FileKey {
    /// Where it is.
    pub(super) path: FilePath,
    /// Which deletion vector it has.
    vector: Option<(String, Option<i32>)>,
}

impl FileKey {
    /// Of a file of a snapshot.
    pub(super) fn of(view: &LogicalFileView) -> FileKey {
        FileKey {
            path: FilePath::of(view),
            vector: view.deletion_vector_descriptor().map(|vector| {
                let id = format!("{}{}", vector.storage_type, vector.path_or_inline_dv);
                (id, vector.offset)
            }),
        }
    }
}

impl FileState {
    /// Of a file of a snapshot.
    pub(super) fn of(view: &LogicalFileView) -> FileState {
        let deleted = view
            .deletion_vector_descriptor()
            .map_or(0, |vector| vector.cardinality.unsigned_abs());
        FileState {
            bytes: view.size().unsigned_abs(),
            rows: view
                .num_records()
                .map(|rows| (rows as u64).saturating_sub(deleted)),
            deleted,
        }
    }
}

/// The files of a table in the version that `table` has open.
pub(super) async fn views(table: &DeltaTable) -> Result<Vec<LogicalFileView>> {
    let state = table.snapshot()?;
    let views = state.snapshot().file_views(&table.log_store(), None);
    Ok(views.try_collect().await?)
}

/// The files of a table in the version that `table` has open, by path.
pub(super) async fn files(table: &DeltaTable) -> Result<HashMap<FilePath, FileState>> {
    let views = views(table).await?;
    Ok(views
        .iter()
        .map(|view| (FilePath::of(view), FileState::of(view)))
        .collect())
}

impl TableLog {
    /// The log of the table at `root`; empty where there is none.
    pub(super) async fn list(root: &Location) -> Result<TableLog> {
        let folder = root.child(&["_delta_log"]);
        let listing = folder
            .store()
            .list_with_delimiter(Some(folder.path()))
            .await?;
        let mut log = TableLog {
            root: root.clone(),
            entries: BTreeMap::new(),
            checkpoints: BTreeSet::new(),
        };
        for object in listing.objects {
            let Some((number, kind)) = object
                .location
                .filename()
                .and_then(|name| name.split_once('.'))
            else {
                continue;
            };
            let Ok(version) = number.parse() else {
                continue;
            };
            match kind {
                "json" => {
                    log.entries.insert(version, object.last_modified);
                }
                "checkpoint.parquet" => {
                    log.checkpoints.insert(version);
                }
                _ => {}
            }
        }
        Ok(log)
    }

    /// Reads all of the log at `root`.
    ///
    /// # Errors
    /// Only if the store fails: not for what is in the log, or is missing in it.
    pub(super) async fn probe(root: &Location) -> Result<()> {
        let log = TableLog::list(root).await?;
        let entries = log.entries.keys().map(|version| log.entry(*version));
        let checkpoints = log.checkpoints.iter().map(|v| log.checkpoint(*v));
        for file in entries.chain(checkpoints) {
            file.read().await?;
        }
        Ok(())
    }

    fn entry(&self, version: u64) -> Location {
        self.root
            .child(&["_delta_log", &format!("{version:020}.json")])
    }

    fn checkpoint(&self, version: u64) -> Location {
        self.root
            .child(&["_delta_log", &format!("{version:020}.checkpoint.parquet")])
    }

    /// The latest version that has an entry.
    pub(super) fn latest(&self) -> Option<u64> {
        self.entries.keys().next_back().copied()
    }

    /// The oldest version that can be read: the first one, or the first with a checkpoint.
    pub(super) fn oldest(&self) -> Option<u64> {
        match self.is_whole() {
            true => Some(0),
            false => self.checkpoints.first().copied(),
        }
    }

    /// Whether no entry was ever cleaned away.
    pub(super) fn is_whole(&self) -> bool {
        self.entries.contains_key(&0)
    }

    /// The versions that have an entry, newest first.
    pub(super) fn versions(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().rev().copied()
    }

    /// The version that was the latest at `moment`, by the store's times; none if the log does not
    /// go back so far, or the table was not there yet.
    pub(super) fn latest_at(&self, moment: DateTime<Utc>) -> Option<u64> {
        let after = self
            .entries
            .iter()
            .find(|(_, written)| **written >= moment)
            .map(|(version, _)| *version);
        match after {
            Some(version) => version.checked_sub(1),
            None => self.latest(),
        }
    }

    /// The entry of `version`; none where there is none.
    pub(super) async fn read(&self, version: u64) -> Result<Option<Entry>> {
        read(&self.root, version).await
    }

    /// All entries that are there, oldest first.
    pub(super) async fn entries(&self) -> Result<Vec<Entry>> {
        let entries: Vec<Option<Entry>> = futures::stream::iter(self.entries.keys().copied())
            .map(|version| self.read(version))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(entries.into_iter().flatten().collect())
    }

    /// Every data file that a version names which was the latest at `since` or later, as far back
    /// as the log goes. `entries` are those of this log, `table` is the table in its latest version.
    pub(super) async fn named_since(
        &self,
        since: DateTime<Utc>,
        entries: &[Entry],
        table: &DeltaTable,
    ) -> Result<HashMap<FilePath, FileState>> {
        let mut named = files(table).await?;
        let Some(oldest) = self.oldest() else {
            return Err(damaged(
                &self.root,
                "it has neither its first entry nor a checkpoint",
            ));
        };
        let first = self.latest_at(since).unwrap_or_default().max(oldest);
        let now = table.snapshot()?.version();
        if first < now {
            named.extend(files(&delta::open_version(&self.root, first).await?).await?);
        }
        let since = entries.iter().filter(|entry| entry.version > first);
        for (version, entry) in (first + 1..).zip(since) {
            if entry.version != version {
                let what = format!("the entry of version {version} is not there");
                return Err(damaged(&self.root, &what));
            }
            named.extend(entry.added.iter().cloned());
        }
        Ok(named)
    }

    /// What each application has applied, as far as the entries and the latest checkpoint say it.
    /// A checkpoint in several files is passed over: what it says is not among them.
    pub(super) async fn applied(&self, entries: &[Entry]) -> Result<HashMap<String, i64>> {
        let mut applied: HashMap<String, i64> = HashMap::new();
        let mut put = |application: String, n: i64| {
            let latest = applied.entry(application).or_insert(n);
            *latest = n.max(*latest);
        };
        if let Some(checkpoint) = self.checkpoints.last() {
            let broken = |error: parquet::errors::ParquetError| {
                let what = format!("the checkpoint of version {checkpoint} cannot be read");
                damaged(&self.root, &what).with_source(error)
            };
            let reader = ObjectReader::new(&self.checkpoint(*checkpoint));
            let builder = ParquetRecordBatchStreamBuilder::new(reader)
                .await
                .map_err(broken)?;
            let mask =
                ProjectionMask::columns(builder.parquet_schema(), ["txn.appId", "txn.version"]);
            let mut batches = builder.with_projection(mask).build().map_err(broken)?;
            while let Some(batch) = batches.try_next().await.map_err(broken)? {
                let txn = batch
                    .column_by_name("txn")
                    .and_then(|txn| txn.as_struct_opt());
                let Some(txn) = txn else {
                    break;
                };
                let column = |name: &str| txn.column_by_name(name).cloned();
                let (Some(ids), Some(versions)) = (column("appId"), column("version")) else {
                    break;
                };
                let ids = arrow::compute::cast(&ids, &DataType::Utf8)?;
                let versions = arrow::compute::cast(&versions, &DataType::Int64)?;
                let ids = ids.as_string::<i32>().iter();
                for (id, n) in ids.zip(versions.as_primitive::<Int64Type>()) {
                    if let (Some(id), Some(n)) = (id, n) {
                        put(id.to_owned(), n);
                    }
                }
            }
        }
        for (application, n) in entries.iter().flat_map(|entry| &entry.transactions) {
            put(application.clone(), *n);
        }
        Ok(applied)
    }

    /// What may be cleaned away without anybody missing it who asks for a version that was the
    /// latest at `since` or later: entries and checkpoints before the last checkpoint that is no
    /// younger. The checkpoint's version, and the files, oldest first.
    pub(super) fn cleanable(&self, since: DateTime<Utc>) -> Option<(u64, Vec<Location>)> {
        let wanted = self.latest_at(since)?;
        let keep = *self.checkpoints.range(..=wanted).next_back()?;
        let mut files = Vec::new();
        let mut versions: BTreeSet<u64> = self.entries.range(..keep).map(|(v, _)| *v).collect();
        versions.extend(self.checkpoints.range(..keep));
        for version in versions {
            if self.entries.contains_key(&version) {
                files.push(self.entry(version));
            }
            if self.checkpoints.contains(&version) {
                files.push(self.checkpoint(version));
            }
        }
        Some((keep, files))
    }
}

/// The entry of `version` in the log of the table at `root`; none where there is none.
pub(crate) async fn read(root: &Location, version: u64) -> Result<Option<Entry>> {
    let place = root.child(&["_delta_log", &format!("{version:020}.json")]);
    let found = match place
        .store()
        .get_opts(place.path(), Default::default())
        .await
    {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let written = found.meta.last_modified;
    let bytes = found.bytes().await?;
    let mut entry = Entry {
        version,
        at: written,
        operation: None,
        engine: None,
        made: None,
        transactions: Vec::new(),
        added: Vec::new(),
        removed: Vec::new(),
        by: None,
        adds_rows: false,
        removes_rows: false,
    };
    for line in serde_json::Deserializer::from_slice(&bytes).into_iter::<Line>() {
        let line = line.map_err(|error| {
            // Without what the parser says: it may quote statistics, which are values of rows.
            let what = format!(
                "the entry of version {version} cannot be read at line {}, column {}",
                error.line(),
                error.column()
            );
            damaged(root, &what)
        })?;
        entry.take(line);
    }
    Ok(Some(entry))
}

/// The log of a table is not as it should be.
fn damaged(root: &Location, what: &str) -> Error {
    Error::new(
        ErrorKind::Input,
        format!("the log of the table in '{}': {what}", root.display()),
    )
    .with_hint("restore the folder _delta_log from a backup")
}

impl Entry {
    /// What Delta calls the operation.
    pub(crate) fn operation(&self) -> &str {
        self.operation.as_deref().unwrap_or("an unnamed operation")
    }

    /// The rows of the files that it adds; none if it does not say.
    pub(crate) fn rows_added(&self) -> Option<u64> {
        self.added.iter().map(|(_, state)| state.rows).sum()
    }

    /// The files it adds.
    pub(crate) fn into_added(self) -> impl Iterator<Item = FilePath> {
        self.added.into_iter().map(|(path, _)| path)
    }

    fn take(&mut self, line: Line) {
        let Line {
            add,
            remove,
            txn,
            commit_info,
        } = line;
        if let Some(Added {
            path,
            size,
            stats,
            deletion_vector,
            data_change,
        }) = add
        {
            self.adds_rows |= data_change;
            let deleted = deletion_vector.map_or(0, |vector| vector.cardinality);
            let rows = stats
                .and_then(|stats| serde_json::from_str::<Statistics>(&stats).ok())
                .and_then(|stats| stats.num_records)
                .map(|rows| rows.saturating_sub(deleted));
            let state = FileState {
                bytes: size,
                rows,
                deleted,
            };
            self.added.push((FilePath::new(&path, false), state));
        }
        if let Some(Removed {
            path,
            size,
            data_change,
        }) = remove
        {
            self.removes_rows |= data_change;
            self.removed.push((FilePath::new(&path, false), size));
        }
        if let Some(Txn { app_id, version }) = txn {
            self.transactions.push((app_id, version));
        }
        if let Some(mut info) = commit_info {
            let text = |value: Option<&serde_json::Value>| {
                value.and_then(|value| value.as_str()).map(str::to_owned)
            };
            self.operation = text(info.get("operation"));
            self.engine = text(info.get("engineInfo").or_else(|| info.get("clientVersion")));
            let millis = info.get("timestamp").and_then(serde_json::Value::as_i64);
            if let Some(at) = millis.and_then(DateTime::from_timestamp_millis) {
                self.at = at;
            }
            let mode = info.remove(MODE_KEY);
            let mode = mode.and_then(|mode| serde_json::from_value(mode).ok());
            self.by = text(info.get(RUN_KEY)).zip(mode);
            self.made = info
                .remove(COMMAND_KEY)
                .and_then(|made| serde_json::from_value(made).ok());
        }
    }
}

/// One line of an entry. Actions that do not matter here are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    add: Option<Added>,
    remove: Option<Removed>,
    txn: Option<Txn>,
    commit_info: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    path: String,
    size: u64,
    stats: Option<String>,
    deletion_vector: Option<DeletionVector>,
    #[serde(default = "unless_said")]
    data_change: bool,
}

#[derive(Deserialize)]
struct DeletionVector {
    cardinality: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Removed {
    path: String,
    size: Option<u64>,
    #[serde(default = "unless_said")]
    data_change: bool,
}

/// Rows change unless an action says that they do not.
fn unless_said() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    num_records: Option<u64>,
}
