//! Small files of a partition become large ones; the rows stay what they are.
//!
//! delta-rs has an operation for this, but not one that fits: it commits with retries of its own and
//! takes no answer of the store for possibly wrong, it cleans the log behind each commit, and its
//! files have other statistics than ours.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use deltalake_core::DeltaTable;
use deltalake_core::kernel::{Action, Add, LogicalFileView};
use deltalake_core::protocol::DeltaOperation;
use futures::TryStreamExt;
use serde::Serialize;

use super::log::{FileKey, FilePath, FileState, TableLog, views};
use super::{Place, Proposal, Settled, is_damage, open, places, settle, unreadable};
use crate::data_file::DataFileWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::segment::WrittenFile;
use crate::session::{self, Resources};

/// How large files become, if nothing else is said: 256 MiB.
pub const TARGET_BYTES: u64 = 256 << 20;

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Optimized {
    /// The table, as `zone.table`.
    pub table: String,
    /// The version that was made; absent where nothing was to be done.
    pub version: Option<u64>,
    /// Small files that were read and taken out of the table.
    pub files_removed: u64,
    /// Files that hold their rows now.
    pub files_added: u64,
    /// Bytes of the files that were taken out.
    pub bytes_removed: u64,
    /// Bytes of the files that were added.
    pub bytes_added: u64,
    /// Rows that were written anew.
    pub rows: u64,
    /// Files that a writer took away while they were read: what was made of them is dropped.
    pub files_lost: u64,
    /// Why the table was left alone, if it was.
    pub left_alone: Option<String>,
}

impl Optimized {
    fn nothing(place: &Place) -> Optimized {
        Optimized {
            table: place.name.clone(),
            version: None,
            files_removed: 0,
            files_added: 0,
            bytes_removed: 0,
            bytes_added: 0,
            rows: 0,
            files_lost: 0,
            left_alone: None,
        }
    }
}

/// Files of one partition that are to be one file.
struct Bin {
    partition: HashMap<String, Option<String>>,
    files: Vec<(FileKey, FileState)>,
}

/// A bin, and the files that hold its rows.
struct Rewritten {
    bin: Bin,
    written: Vec<WrittenFile>,
}

/// Writes the small files of tables together: of each partition those below half of
/// `target_bytes`, to files of about `target_bytes`. All tables where none is named (`zone.table`).
///
/// A writer that is at work on the table meanwhile is not disturbed: what it adds stays, what it
/// replaces is replaced. The old files stay on the store until [`vacuum`](super::vacuum) takes them.
///
/// # Errors
/// Usage, if a table is not there; conflict or storage, if the commit did not go through. Files
/// that were written for it are then left to vacuum.
pub async fn optimize(
    lake: &Lake,
    names: &[String],
    target_bytes: u64,
    resources: Resources,
    mut done: impl FnMut(&Optimized),
) -> Result<Vec<Optimized>> {
    let mut all = Vec::new();
    for place in places(lake, names).await? {
        let mut optimized = table(&place, target_bytes, resources).await;
        if optimized.as_ref().is_err_and(is_damage) {
            TableLog::probe(&place.root).await?;
            optimized = table(&place, target_bytes, resources).await;
        }
        let optimized = match optimized {
            Err(error) if is_damage(&error) => Optimized {
                left_alone: Some(unreadable(&error)),
                ..Optimized::nothing(&place)
            },
            optimized => optimized?,
        };
        done(&optimized);
        all.push(optimized);
    }
    Ok(all)
}

async fn table(place: &Place, target_bytes: u64, resources: Resources) -> Result<Optimized> {
    let table = open(place).await?;
    let mut outcome = Optimized {
        left_alone: unfit(&table)?.map(str::to_owned),
        ..Optimized::nothing(place)
    };
    if outcome.left_alone.is_none() {
        let rewritten = rewritten(place, &table, target_bytes, resources).await?;
        if !rewritten.is_empty() {
            commit(place, target_bytes, &rewritten, &mut outcome).await?;
        }
    }
    Ok(outcome)
}

/// Writes the files that are to take the place of small ones; nobody knows of them yet.
async fn rewritten(
    place: &Place,
    table: &DeltaTable,
    target_bytes: u64,
    resources: Resources,
) -> Result<Vec<Rewritten>> {
    let mut all = Vec::new();
    for bin in bins(&views(table).await?, target_bytes) {
        all.push(rewrite(place, table, bin, target_bytes, resources).await?);
    }
    Ok(all)
}

/// Puts them in the place of the small ones, where these are still in the table.
async fn commit(
    place: &Place,
    target_bytes: u64,
    rewritten: &[Rewritten],
    outcome: &mut Optimized,
) -> Result<()> {
    let mut replacement = Replacement {
        lost: vec![false; rewritten.len()],
        rewritten,
        target_bytes,
    };
    let settled = settle(place, "optimize", &mut replacement).await?;
    if let Settled::Done(version) = settled {
        outcome.version = Some(version);
    }
    for (one, lost) in rewritten.iter().zip(replacement.lost) {
        let read = one.bin.files.len() as u64;
        if lost {
            // Somebody else has that version, so these can never be in the table.
            for file in &one.written {
                if let Err(error) = place.root.file(&file.path).remove().await {
                    tracing::warn!(table = %place.name, file = %file.path, error = %error, "a file of no use is left to vacuum");
                }
            }
            outcome.files_lost += read;
            continue;
        }
        outcome.files_removed += read;
        outcome.files_added += one.written.len() as u64;
        outcome.bytes_removed += one
            .bin
            .files
            .iter()
            .map(|(_, state)| state.bytes)
            .sum::<u64>();
        outcome.bytes_added += one.written.iter().map(|file| file.bytes).sum::<u64>();
        outcome.rows += one.written.iter().map(|file| file.rows).sum::<u64>();
    }
    Ok(())
}

/// Large files in the place of small ones.
struct Replacement<'a> {
    rewritten: &'a [Rewritten],
    /// Those of which a writer has taken files away: what it took stays away.
    lost: Vec<bool>,
    target_bytes: u64,
}

#[async_trait]
impl Proposal for Replacement<'_> {
    async fn on(&mut self, table: &DeltaTable) -> Result<Option<(Vec<Action>, DeltaOperation)>> {
        let now: HashMap<FileKey, LogicalFileView> = views(table)
            .await?
            .into_iter()
            .map(|view| (FileKey::of(&view), view))
            .collect();
        let mut actions = Vec::new();
        for (one, lost) in self.rewritten.iter().zip(&mut self.lost) {
            let files = one.bin.files.iter();
            let old: Option<Vec<&LogicalFileView>> = files.map(|(key, _)| now.get(key)).collect();
            match old {
                Some(old) if !*lost => {
                    let removes = old.iter().map(|view| view.remove_action(false));
                    actions.extend(removes.map(Action::Remove));
                    actions.extend(one.adds());
                }
                _ => *lost = true,
            }
        }
        let operation = DeltaOperation::Optimize {
            predicate: None,
            target_size: i64::try_from(self.target_bytes).unwrap_or(i64::MAX),
        };
        Ok((!actions.is_empty()).then_some((actions, operation)))
    }
}

/// Why a table cannot be written by this code, if it cannot: another program made it so.
fn unfit(table: &DeltaTable) -> Result<Option<&'static str>> {
    let state = table.snapshot()?;
    let configuration = state.metadata().configuration();
    let is = |key: &str, off: &str| configuration.get(key).is_some_and(|value| value != off);
    Ok(if is("delta.columnMapping.mode", "none") {
        Some("its columns are mapped to other names")
    } else if is("delta.enableRowTracking", "false") {
        Some("its rows are tracked")
    } else {
        None
    })
}

/// The files that are to be written together: by partition, in the order in which they came.
fn bins(views: &[LogicalFileView], target_bytes: u64) -> Vec<Bin> {
    let mut partitions: BTreeMap<Vec<(String, Option<String>)>, Vec<&LogicalFileView>> =
        BTreeMap::new();
    for view in views {
        let state = FileState::of(view);
        let inside = matches!(FilePath::of(view), FilePath::Inside(_));
        if inside && state.bytes < target_bytes / 2 {
            let mut key: Vec<_> = view.partition_values_map().into_iter().collect();
            key.sort();
            partitions.entry(key).or_default().push(view);
        }
    }
    let mut bins = Vec::new();
    for (partition, mut small) in partitions {
        small.sort_by_key(|view| (view.modification_time(), view.path().into_owned()));
        let mut bin = Vec::new();
        let mut bytes = 0;
        for view in small {
            let state = FileState::of(view);
            if bytes + state.bytes > target_bytes {
                bins.push((partition.clone(), std::mem::take(&mut bin)));
                bytes = 0;
            }
            bytes += state.bytes;
            bin.push((FileKey::of(view), state));
        }
        bins.push((partition, bin));
    }
    bins.into_iter()
        .filter(|(_, files)| files.len() > 1)
        .map(|(partition, files)| Bin {
            partition: partition.into_iter().collect(),
            files,
        })
        .collect()
}

/// Writes the rows of a bin as a query of these files gives them.
async fn rewrite(
    place: &Place,
    table: &DeltaTable,
    bin: Bin,
    target_bytes: u64,
    resources: Resources,
) -> Result<Rewritten> {
    let state = table.snapshot()?;
    let partitions = state.metadata().partition_columns();
    let fields: Vec<_> = state
        .snapshot()
        .arrow_schema()
        .fields()
        .iter()
        .filter(|field| !partitions.contains(field.name()))
        .cloned()
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let paths: Vec<String> = bin
        .files
        .iter()
        .map(|(key, _)| key.path.display())
        .collect();
    let provider = table.table_provider().with_file_paths(paths).await?;
    // One task, so that rows stay in the order of their files.
    let resources = Resources {
        partitions: 1,
        ..resources
    };
    let context = session::session(&session::runtime(resources)?, resources);
    let mut rows = context.read_table(provider)?.execute_stream().await?;
    let file_bytes = usize::try_from(target_bytes.saturating_mul(2)).unwrap_or(usize::MAX);
    let mut writer =
        DataFileWriter::new(&place.root, &folder(&bin), &schema).with_file_bytes(file_bytes);
    while let Some(batch) = rows.try_next().await? {
        writer.write(&shaped(&batch, &schema)?).await?;
    }
    let written = writer.finish().await?;
    let read: Option<u64> = bin.files.iter().map(|(_, state)| state.rows).sum();
    let rows: u64 = written.iter().map(|file| file.rows).sum();
    if read.is_some_and(|read| read != rows) {
        return Err(Error::new(
            ErrorKind::Input,
            format!(
                "{}: files that should hold {} rows by their statistics hold {rows}",
                place.name,
                read.unwrap_or_default()
            ),
        )
        .with_hint(format!(
            "nothing was changed; see `weir lake check {} --deep`",
            place.name
        )));
    }
    Ok(Rewritten { bin, written })
}

/// A batch with the columns of `schema`, in the types in which a file keeps them.
fn shaped(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let column = batch
                .column_by_name(field.name())
                .ok_or_else(|| Error::internal("a table was read without one of its columns"))?;
            match column.data_type() == field.data_type() {
                true => Ok(Arc::clone(column)),
                false => Ok(cast_with_options(column, field.data_type(), &options)?),
            }
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// The folder of a bin's files: that of its first one. Its name only helps people, so one that a
/// store or URL would write in another way is left out.
fn folder(bin: &Bin) -> String {
    let plain = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.=/".contains(c))
    };
    let first = bin.files.first().map(|(key, _)| key.path.display());
    match first.as_deref().and_then(|path| path.rsplit_once('/')) {
        Some((folder, _)) if plain(folder) => folder.to_owned(),
        _ => String::new(),
    }
}

impl Rewritten {
    fn adds(&self) -> impl Iterator<Item = Action> {
        self.written.iter().map(|file| {
            Action::Add(Add {
                path: file.path.clone(),
                partition_values: self.bin.partition.clone(),
                size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
                modification_time: chrono::Utc::now().timestamp_millis(),
                // The rows are those of the files that go.
                data_change: false,
                stats: file.stats.clone(),
                ..Add::default()
            })
        })
    }
}

/// The two halves of it, for what happens between them.
#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Files, and what they are to take the place of.
    pub(in crate::upkeep) struct Written(Vec<Rewritten>);

    pub(in crate::upkeep) async fn rewritten(place: &Place, table: &DeltaTable) -> Written {
        let resources = Resources::for_partitions(1);
        let all = super::rewritten(place, table, TARGET_BYTES, resources).await;
        Written(all.unwrap())
    }

    pub(in crate::upkeep) async fn commit(place: &Place, written: &Written) -> Optimized {
        let mut outcome = Optimized::nothing(place);
        let committed = super::commit(place, TARGET_BYTES, &written.0, &mut outcome).await;
        committed.unwrap();
        outcome
    }
}
