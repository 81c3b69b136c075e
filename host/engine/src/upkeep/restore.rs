//! A table becomes what it was in an earlier version, by a new commit.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deltalake_core::DeltaTable;
use deltalake_core::kernel::{Action, Add, LogicalFileView};
use deltalake_core::protocol::DeltaOperation;
use serde::Serialize;

use super::history::{Maker, Version, history};
use super::log::{FileKey, FilePath, FileState, TableLog, views};
use super::{Place, Proposal, Settled, moment, open, place, settle};
use crate::delta;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;

/// What a table is to become again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// What it was in this version.
    Version(u64),
    /// What it was at this moment.
    Time(DateTime<Utc>),
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The table, as `zone.table`.
    pub table: String,
    /// The version that it is again.
    pub restored: u64,
    /// The version before: restoring it undoes this.
    pub before: u64,
    /// The version that was made; absent where the table is what it was.
    pub version: Option<u64>,
    /// Files that are in the table again.
    pub files_added: u64,
    /// Files that were taken out of it; they stay on the store.
    pub files_removed: u64,
    /// Rows of the files that are in again, by their statistics.
    pub rows_added: Option<u64>,
    /// Rows of the files that were taken out, by their statistics.
    pub rows_removed: Option<u64>,
    /// The steps whose commits are undone, as `pipeline/step`.
    pub steps: Vec<String>,
}

/// Makes the table `name` (`zone.table`) what it was.
///
/// Which decisions have been applied stays as it is: a step that appends does not add again what was
/// taken out. The quarantine table beside is a table of its own.
///
/// # Errors
/// Usage, if there is no such table or its log does not go back so far; input, if a data file is gone;
/// conflict, if somebody else changes the table at the same time.
pub async fn restore(lake: &Lake, name: &str, goal: Goal) -> Result<Restored> {
    let place = place(lake, name).await?;
    let log = TableLog::list(&place.root).await?;
    let target = version(&place, &log, goal).await?;
    let latest = open(&place).await?;
    let before = latest.snapshot()?.version();
    if target > before {
        return Err(no_version(&place, &log, target));
    }
    let old = delta::open_version(&place.root, target).await?;
    let wanted = views(&old).await?;
    files_are_there(&place, &wanted).await?;

    let mut restored = Restored {
        table: place.name.clone(),
        restored: target,
        before,
        version: None,
        files_added: 0,
        files_removed: 0,
        rows_added: Some(0),
        rows_removed: Some(0),
        steps: Vec::new(),
    };
    let steps = undone(lake, &place, target, before).await?;
    let mut return_to = Return {
        target,
        before,
        old: &old,
        wanted: &wanted,
        added: Vec::new(),
        removed: Vec::new(),
        same: false,
    };
    let settled = settle(&place, "restore", &mut return_to).await?;
    restored.files_added = return_to.added.len() as u64;
    restored.files_removed = return_to.removed.len() as u64;
    restored.rows_added = return_to.added.iter().map(|state| state.rows).sum();
    restored.rows_removed = return_to.removed.iter().map(|state| state.rows).sum();
    match settled {
        Settled::Done(version) => {
            restored.version = Some(version);
            restored.steps = steps;
            // Somebody may have removed what was there a moment ago.
            files_are_there(&place, &wanted).await.map_err(|error| {
                error.with_hint(format!(
                    "the table names files that are not there: undo this with `weir lake restore {} --version {before}`",
                    place.name
                ))
            })?;
            Ok(restored)
        }
        Settled::Lost if return_to.same => Ok(restored),
        Settled::Lost => Err(Error::new(
            ErrorKind::Conflict,
            format!("{}: somebody has changed the table meanwhile", place.name),
        )
        .with_hint(
            "nothing was restored: look at `weir lake history`, then run the same command again",
        )),
    }
}

/// The way back to an earlier version.
struct Return<'a> {
    target: u64,
    /// The version from which it leads.
    before: u64,
    old: &'a DeltaTable,
    /// The files of the version that it leads to.
    wanted: &'a [LogicalFileView],
    added: Vec<FileState>,
    removed: Vec<FileState>,
    /// Whether it leads nowhere: the table is what it was.
    same: bool,
}

#[async_trait]
impl Proposal for Return<'_> {
    async fn on(&mut self, table: &DeltaTable) -> Result<Option<(Vec<Action>, DeltaOperation)>> {
        if table.snapshot()?.version() != self.before {
            return Ok(None);
        }
        let there = views(table).await?;
        let mut actions = Vec::new();
        let (was, is) = (
            self.old.snapshot()?.metadata(),
            table.snapshot()?.metadata(),
        );
        if was != is {
            actions.push(Action::Metadata(was.clone()));
        }
        let removed = only_in(&there, self.wanted);
        let added = only_in(self.wanted, &there);
        let removes = removed.iter().map(|view| view.remove_action(true));
        actions.extend(removes.map(Action::Remove));
        actions.extend(added.iter().map(|view| Action::Add(again(view))));
        self.removed = removed.into_iter().map(FileState::of).collect();
        self.added = added.into_iter().map(FileState::of).collect();
        self.same = actions.is_empty();
        let operation = DeltaOperation::Restore {
            version: Some(self.target),
            datetime: None,
        };
        Ok((!self.same).then_some((actions, operation)))
    }
}

/// The files of `some` that are not, or not with the same rows, in `others`.
fn only_in<'a>(
    some: &'a [LogicalFileView],
    others: &[LogicalFileView],
) -> Vec<&'a LogicalFileView> {
    let others: HashSet<FileKey> = others.iter().map(FileKey::of).collect();
    some.iter()
        .filter(|view| !others.contains(&FileKey::of(view)))
        .collect()
}

/// The file again, with the statistics it had.
fn again(view: &LogicalFileView) -> Add {
    Add {
        path: view.path().into_owned(),
        partition_values: view.partition_values_map(),
        size: view.size(),
        modification_time: view.modification_time(),
        data_change: true,
        stats: view.stats(),
        deletion_vector: view.deletion_vector_descriptor(),
        ..Add::default()
    }
}

/// The version that is meant.
async fn version(place: &Place, log: &TableLog, goal: Goal) -> Result<u64> {
    let time = match goal {
        Goal::Version(version) => {
            return match (log.oldest(), log.latest()) {
                (Some(oldest), Some(latest)) if (oldest..=latest).contains(&version) => Ok(version),
                _ => Err(no_version(place, log, version)),
            };
        }
        Goal::Time(time) => time,
    };
    let mut first = None;
    for version in log.versions() {
        if let Some(entry) = log.read(version).await? {
            if entry.at <= time {
                return match log.oldest() {
                    Some(oldest) if oldest <= version => Ok(version),
                    _ => Err(no_version(place, log, version)),
                };
            }
            first = Some(entry.at);
        }
    }
    Err(Error::usage(format!(
        "{}: the table's log does not go back to {}",
        place.name,
        moment(time)
    ))
    .with_hint(match first {
        Some(first) => format!("it begins at {}", moment(first)),
        None => "it has no entry".to_owned(),
    }))
}

fn no_version(place: &Place, log: &TableLog, version: u64) -> Error {
    let range = match (log.oldest(), log.latest()) {
        (Some(oldest), Some(latest)) => format!("versions {oldest} to {latest} can be read"),
        _ => "no version can be read".to_owned(),
    };
    Error::usage(format!(
        "{}: there is no version {version}, or it cannot be read any more",
        place.name
    ))
    .with_hint(format!(
        "{range}; `weir lake history {}` lists them",
        place.name
    ))
}

/// Refuses a version whose data files are not all there, as they were.
async fn files_are_there(place: &Place, wanted: &[LogicalFileView]) -> Result<()> {
    for view in wanted {
        let path = FilePath::of(view);
        let Some(below) = path.below(&place.root) else {
            // Where another program put it; a query will tell.
            continue;
        };
        let gone =
            match object_store::ObjectStoreExt::head(place.root.store().as_ref(), &below).await {
                Ok(found) => found.size != FileState::of(view).bytes,
                Err(object_store::Error::NotFound { .. }) => true,
                Err(error) => return Err(error.into()),
            };
        if gone {
            return Err(Error::input(format!(
                "{}: the data file '{}' of that version is gone, or is not what it was",
                place.name,
                path.display()
            ))
            .with_hint("nothing was changed: choose a later version (vacuum removes the files of old ones), or restore the file from a backup"));
        }
    }
    Ok(())
}

/// The steps that made the versions after `target`.
async fn undone(lake: &Lake, place: &Place, target: u64, before: u64) -> Result<Vec<String>> {
    let count = usize::try_from(before - target).unwrap_or(usize::MAX);
    let versions: Vec<Version> = history(lake, &place.name, count).await?;
    let mut steps = BTreeSet::new();
    for version in versions {
        if version.version <= target {
            continue;
        }
        match version.made_by {
            Maker::Step { pipeline, step, .. } => {
                steps.insert(format!("{pipeline}/{step}"));
            }
            Maker::UnknownStep { application, .. } => {
                steps.insert(application);
            }
            Maker::Upkeep { .. } | Maker::Other { .. } => {}
        }
    }
    Ok(steps.into_iter().collect())
}
