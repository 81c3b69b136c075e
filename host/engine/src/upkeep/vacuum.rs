//! Files that nobody needs any more are removed: what no version refers to that is younger than the
//! retention, and what crashed runs left.
//!
//! A file is removed only if it is older than the retention by the store's time, so what a run at
//! work has written and not yet decided is safe while the run is shorter than the retention. What a
//! decision names that is not applied yet is kept however old it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use deltalake_core::DeltaTable;
use deltalake_core::table::config::TablePropertiesExt;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStoreExt};
use serde::Serialize;
use uuid::Uuid;
use weir_pipeline::TableName;

use super::decided::{Applied, Decided};
use super::log::{Entry, TableLog};
use super::{AT_ONCE, Place, display, is_damage, moment, places, unreadable};
use crate::delta;
use crate::error::{Error, Result};
use crate::lake::{Lake, Location};
use crate::record::RunRecord;

/// How long files are kept, if nothing else is said: seven days.
pub const RETENTION: Duration = Duration::from_secs(7 * 86_400);
/// A shorter retention than this would reach what runs at work have written.
pub const LEAST_RETENTION: Duration = Duration::from_secs(3_600);

/// What vacuum is told.
#[derive(Debug, Clone)]
pub struct VacuumOptions {
    /// The tables, as `zone.table`; empty for all, with what lies beside them.
    pub tables: Vec<String>,
    /// How long a version can be read, and a file that is in none is kept.
    pub retention: Duration,
    /// The time.
    pub now: DateTime<Utc>,
    /// Remove nothing, only say what would be.
    pub dry_run: bool,
    /// Accept a retention below [`LEAST_RETENTION`], and tables into which the runs of other lakes
    /// write.
    pub force: bool,
}

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vacuumed {
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// Files older than this were looked at, in RFC 3339.
    pub older_than: String,
    /// The tables.
    pub tables: Vec<TableVacuumed>,
    /// Folders of runs below `_weir/staging`; their files are in `staged`.
    pub staging: Vec<String>,
    /// The files in them.
    pub staged: Removed,
    /// What writes that were cut off left on a local disk beside the files they were to become.
    pub torn: Removed,
}

/// What was removed of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableVacuumed {
    /// The table, as `zone.table`.
    pub table: String,
    /// Data files.
    pub data: Removed,
    /// Old entries and checkpoints of its log.
    pub log: Removed,
    /// Old files that were kept because a decision names them that is not applied yet.
    pub kept_for_decisions: u64,
    /// Why data files, or the log, were left alone, if they were.
    pub left_alone: Vec<String>,
}

/// Files that were removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Their paths below the table, the lake, or on the disk.
    pub files: Vec<String>,
    /// Their sizes together.
    pub bytes: u64,
}

impl TableVacuumed {
    fn nothing(place: &Place) -> TableVacuumed {
        TableVacuumed {
            table: place.name.clone(),
            data: Removed::default(),
            log: Removed::default(),
            kept_for_decisions: 0,
            left_alone: Vec::new(),
        }
    }
}

/// A folder in a zone: a table, or what was to become one.
pub(super) struct Folder {
    pub(super) place: Place,
    /// Whether it has a log.
    pub(super) table: bool,
}

/// Removes what nobody needs any more.
///
/// # Errors
/// Usage, if the retention is too short or a table is not there; storage, if the store fails, after
/// which the same command goes on.
pub async fn vacuum(lake: &Lake, options: &VacuumOptions) -> Result<Vacuumed> {
    if options.retention < LEAST_RETENTION && !options.force {
        return Err(Error::usage(format!(
            "a retention of {:?} is shorter than runs may take: files that they have written would be removed",
            options.retention
        ))
        .with_hint("give 1h or more; or --force, if no run is at work and none will begin meanwhile"));
    }
    let cutoff = chrono::Duration::from_std(options.retention)
        .ok()
        .and_then(|retention| options.now.checked_sub_signed(retention))
        .ok_or_else(|| Error::usage("the retention reaches back before all time"))?;
    let mut outcome = Vacuumed {
        dry_run: options.dry_run,
        older_than: moment(cutoff),
        tables: Vec::new(),
        staging: Vec::new(),
        staged: Removed::default(),
        torn: Removed::default(),
    };
    // Before the tables are looked at: one that is no longer the latest has been applied by now, and
    // one that is made from now on names files that are younger.
    let decisions = Decided::of(lake).await?;
    for folder in folders(lake, &options.tables).await? {
        let mut vacuumed = table(&decisions, &folder, cutoff, options).await;
        if vacuumed.as_ref().is_err_and(is_damage) {
            TableLog::probe(&folder.place.root).await?;
            vacuumed = table(&decisions, &folder, cutoff, options).await;
        }
        let vacuumed = match vacuumed {
            Err(error) if is_damage(&error) => TableVacuumed {
                left_alone: vec![unreadable(&error)],
                ..TableVacuumed::nothing(&folder.place)
            },
            vacuumed => vacuumed?,
        };
        outcome.tables.push(vacuumed);
        torn(&folder.place.root, cutoff, options, &mut outcome.torn)?;
    }
    if options.tables.is_empty() {
        staging(lake, &decisions, cutoff, options, &mut outcome).await?;
        torn(&lake.weir(), cutoff, options, &mut outcome.torn)?;
    }
    Ok(outcome)
}

/// The tables that are named; where none is, every folder of every zone.
pub(super) async fn folders(lake: &Lake, names: &[String]) -> Result<Vec<Folder>> {
    let mut folders: Vec<Folder> = places(lake, names)
        .await?
        .into_iter()
        .map(|place| Folder { place, table: true })
        .collect();
    if !names.is_empty() {
        return Ok(folders);
    }
    let known: BTreeSet<String> = folders
        .iter()
        .map(|folder| folder.place.name.clone())
        .collect();
    for (zone, location) in lake.zones() {
        let listing = location
            .store()
            .list_with_delimiter(Some(location.path()))
            .await?;
        for name in listing
            .common_prefixes
            .iter()
            .filter_map(StorePath::filename)
        {
            let shown = display(&TableName {
                zone: zone.clone(),
                table: name.to_owned(),
            });
            if !name.starts_with(['_', '.']) && !known.contains(&shown) {
                folders.push(Folder {
                    place: Place {
                        root: location.child(&[name]),
                        name: shown,
                    },
                    table: false,
                });
            }
        }
    }
    Ok(folders)
}

async fn table(
    decisions: &Decided,
    folder: &Folder,
    cutoff: DateTime<Utc>,
    options: &VacuumOptions,
) -> Result<TableVacuumed> {
    let place = &folder.place;
    let mut outcome = TableVacuumed::nothing(place);
    let mut old = data_files(&place.root).await?;
    old.retain(|object| object.last_modified < cutoff);
    let log = TableLog::list(&place.root).await?;
    let entries = log.entries().await?;
    let table = match delta::open(&place.root).await? {
        Some(table) => Some(Applied::read(table, &log, &entries).await?),
        None => None,
    };
    let mut kept = HashSet::new();
    match &table {
        Some(table) => {
            if !options.force
                && let Some(stranger) = decisions.stranger(&entries)
            {
                outcome.left_alone.push(format!(
                    "'{stranger}' writes into it, of which this lake has no decision: give the pipeline file that knows both with --pipeline, or --force if no run of it is at work"
                ));
                return Ok(outcome);
            }
            for path in log
                .named_since(cutoff, &entries, &table.table)
                .await?
                .into_keys()
            {
                match path.below(&place.root) {
                    Some(path) => {
                        kept.insert(path);
                    }
                    None => {
                        outcome.left_alone.push(
                            "its log names files by absolute paths, which cannot be compared"
                                .to_owned(),
                        );
                        return Ok(outcome);
                    }
                }
            }
        }
        // Somebody else's files may be here. Ours have names like no other.
        None => old.retain(|object| object.location.filename().is_some_and(is_ours)),
    }
    old.retain(|object| !kept.contains(&object.location));
    let pending = decisions.pending(&place.root, table.as_ref()).await?;
    let all = old.len();
    old.retain(|object| {
        let name = object.location.filename();
        !name.is_some_and(|name| pending.contains(name))
    });
    outcome.kept_for_decisions = (all - old.len()) as u64;
    outcome.data = remove(&place.root, old, options.dry_run).await?;
    if let Some(table) = &table {
        clean(place, &log, &entries, &table.table, options, &mut outcome).await?;
    }
    Ok(outcome)
}

/// The data files below a folder: Parquet, and not below a folder of the format's own.
pub(super) async fn data_files(root: &Location) -> Result<Vec<ObjectMeta>> {
    let mut found = root.list().await?;
    found.retain(|object| {
        let Some(parts) = object.location.prefix_match(root.path()) else {
            return false;
        };
        let hidden = |part: &str| {
            // A folder `_day=1` is one of a partition.
            part.starts_with('.') || (part.starts_with('_') && !part.contains('='))
        };
        let mut parts = parts.peekable();
        parts.peek().is_some()
            && object.location.as_ref().ends_with(".parquet")
            && !parts.any(|part| hidden(part.as_ref()))
    });
    Ok(found)
}

/// Whether Weir gives such names to data files.
pub(super) fn is_ours(name: &str) -> bool {
    name.strip_prefix("part-")
        .and_then(|rest| {
            rest.strip_suffix(".zstd.parquet")
                .or_else(|| rest.strip_suffix(".snappy.parquet"))
        })
        .is_some_and(|id| Uuid::try_parse(id).is_ok())
}

/// Removes objects below `root`.
async fn remove(root: &Location, objects: Vec<ObjectMeta>, dry_run: bool) -> Result<Removed> {
    let mut removed = Removed::default();
    for object in &objects {
        let parts = object.location.prefix_match(root.path());
        let path: StorePath = parts.into_iter().flatten().collect();
        removed.files.push(path.to_string());
        removed.bytes += object.size;
    }
    if !dry_run {
        futures::stream::iter(objects)
            .map(|object| async move {
                match root.store().delete(&object.location).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                    Err(error) => Err(Error::from(error)),
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    Ok(removed)
}

/// Cleans the log of a table: what lies before a checkpoint that is older than the table's log
/// retention, if that checkpoint knows all that was applied before it.
async fn clean(
    place: &Place,
    log: &TableLog,
    entries: &[Entry],
    table: &DeltaTable,
    options: &VacuumOptions,
    outcome: &mut TableVacuumed,
) -> Result<()> {
    let properties = table.snapshot()?.table_config();
    let since = chrono::Duration::from_std(properties.log_retention_duration())
        .ok()
        .and_then(|retention| options.now.checked_sub_signed(retention));
    let Some((keep, files)) = since.and_then(|since| log.cleanable(since)) else {
        return Ok(());
    };
    if files.is_empty() || !properties.enable_expired_log_cleanup() {
        return Ok(());
    }
    // The entries that go are the last to say what was applied, but for the checkpoint.
    let mut applied: BTreeMap<&str, i64> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.version < keep) {
        for (application, n) in &entry.transactions {
            let latest = applied.entry(application).or_insert(*n);
            *latest = (*latest).max(*n);
        }
    }
    let at_checkpoint = delta::open_version(&place.root, keep).await?;
    for (application, n) in applied {
        let known = at_checkpoint
            .snapshot()?
            .transaction_version(&at_checkpoint.log_store(), application)
            .await?;
        if known.is_none_or(|known| known < n) {
            outcome.left_alone.push(format!(
                "the log was not cleaned: the checkpoint of version {keep} does not know that '{application}' has applied {n}"
            ));
            return Ok(());
        }
    }
    for file in files {
        let size = match file.store().head(file.path()).await {
            Ok(found) => found.size,
            Err(object_store::Error::NotFound { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        // One after the other, the oldest first: what is left is always without a gap.
        if !options.dry_run {
            file.remove().await?;
        }
        let name = file.path().filename().unwrap_or_default();
        outcome.log.files.push(format!("_delta_log/{name}"));
        outcome.log.bytes += size;
    }
    Ok(())
}

/// Removes what is staged for runs that have ended, and what is older than the retention.
async fn staging(
    lake: &Lake,
    decisions: &Decided,
    cutoff: DateTime<Utc>,
    options: &VacuumOptions,
    outcome: &mut Vacuumed,
) -> Result<()> {
    let weir = lake.weir();
    let root = weir.child(&["staging"]);
    let mut runs: BTreeMap<String, Vec<ObjectMeta>> = BTreeMap::new();
    for object in root.list().await? {
        let run = object
            .location
            .prefix_match(root.path())
            .and_then(|mut parts| parts.next())
            .map(|run| run.as_ref().to_owned());
        if let Some(run) = run {
            runs.entry(run).or_default().push(object);
        }
    }
    let needed = decisions.staged();
    for (run, mut objects) in runs {
        let place = weir.child(&["runs", &format!("{run}.json")]);
        let record: Option<RunRecord> = place.read_json().await?;
        let ended = record.is_some_and(|record| record.finished_at.is_some());
        let old = objects.iter().all(|object| object.last_modified < cutoff);
        let all = objects.len();
        objects.retain(|object| {
            let name = object.location.filename();
            !name.is_some_and(|name| needed.contains(name))
        });
        if !(ended || old) || objects.is_empty() {
            continue;
        }
        let whole = objects.len() == all;
        let removed = remove(lake.root(), objects, options.dry_run).await?;
        outcome.staged.files.extend(removed.files);
        outcome.staged.bytes += removed.bytes;
        if whole && !options.dry_run {
            // With the empty folders that a local disk keeps.
            root.child(&[&run]).remove_folder().await?;
        }
        outcome.staging.push(run);
    }
    Ok(())
}

/// Removes what writes that were cut off left on a local disk, which no listing of the store shows:
/// names that end in `#` and digits.
fn torn(
    root: &Location,
    cutoff: DateTime<Utc>,
    options: &VacuumOptions,
    removed: &mut Removed,
) -> Result<()> {
    let Some(path) = root.local() else {
        return Ok(());
    };
    torn_below(path, SystemTime::from(cutoff), options.dry_run, removed).map_err(|error| {
        Error::storage(
            format!("'{}' cannot be looked through", path.display()),
            error,
        )
        .with_hint("check that you may read and write the folder, then run the same command again")
    })
}

fn torn_below(
    folder: &Path,
    cutoff: SystemTime,
    dry_run: bool,
    removed: &mut Removed,
) -> std::io::Result<()> {
    let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let entries = match std::fs::read_dir(folder) {
        Err(error) if gone(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // What vanishes meanwhile was a write at work.
        let metadata = match entry.metadata() {
            Err(error) if gone(&error) => continue,
            metadata => metadata?,
        };
        if metadata.is_dir() {
            torn_below(&entry.path(), cutoff, dry_run, removed)?;
            continue;
        }
        let is_torn = entry.file_name().to_str().is_some_and(|name| {
            name.rsplit_once('#').is_some_and(|(_, digits)| {
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            })
        });
        if is_torn && metadata.is_file() && metadata.modified()? < cutoff {
            if !dry_run {
                match std::fs::remove_file(entry.path()) {
                    Err(error) if gone(&error) => {}
                    outcome => outcome?,
                }
            }
            removed.files.push(entry.path().display().to_string());
            removed.bytes += metadata.len();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_are_ours() {
        assert!(is_ours(&format!("part-{}.zstd.parquet", Uuid::now_v7())));
        for other in [
            "part-00000-0190.c000.snappy.parquet",
            "part-.zstd.parquet",
            "part-x.zstd.parquet",
            "data.parquet",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
