//! The versions of a table: what each changed, and who made it.

use std::collections::HashMap;

use serde::Serialize;

use super::log::{Entry, FilePath, TableLog, files};
use super::{APPLICATION, moment, place};
use crate::commit::{Decision, Sequence, TargetCommit};
use crate::delta;
use crate::error::Result;
use crate::lake::Lake;

/// One version of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Its number.
    pub version: u64,
    /// When it was made, in RFC 3339.
    pub at: String,
    /// What Delta calls the operation: `WRITE`, `CREATE TABLE`, `OPTIMIZE`, `RESTORE` …
    pub operation: Option<String>,
    /// Who made it.
    pub made_by: Maker,
    /// Files that it added.
    pub files_added: u64,
    /// Files that it took away.
    pub files_removed: u64,
    /// Bytes of the files that it added.
    pub bytes_added: u64,
    /// Bytes of the files that it took away.
    pub bytes_removed: u64,
    /// Rows of the files that it added, by their statistics; absent where a file has none.
    pub rows_added: Option<u64>,
    /// Rows of the files that it took away, by their statistics; absent where they are not known.
    pub rows_removed: Option<u64>,
}

/// Who made a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Maker {
    /// A step of a run.
    Step {
        /// The run.
        run: String,
        /// The pipeline.
        pipeline: String,
        /// The step.
        step: String,
        /// The decision's number.
        n: u64,
    },
    /// A step whose decision is not in this lake: another lake's, or it was removed.
    UnknownStep {
        /// The application of the transaction.
        application: String,
        /// The decision's number.
        n: i64,
    },
    /// A command of `weir lake`.
    Upkeep {
        /// `optimize` or `restore`.
        command: String,
    },
    /// Another program.
    Other {
        /// As it calls itself.
        engine: Option<String>,
    },
}

/// The latest `last` versions of the table `name` (`zone.table`), newest first, as far as its log
/// goes back.
///
/// # Errors
/// Usage, if there is no such table.
pub async fn history(lake: &Lake, name: &str, last: usize) -> Result<Vec<Version>> {
    let place = place(lake, name).await?;
    let log = TableLog::list(&place.root).await?;
    let mut entries = Vec::new();
    for version in log.versions().take(last) {
        // One that was cleaned away meanwhile is history no more.
        entries.extend(log.read(version).await?);
    }
    let makers = Makers {
        sequences: Sequence::all(lake).await?,
    };
    // What a version takes away says no rows: those are in the version before.
    let mut rows: HashMap<FilePath, Option<u64>> = HashMap::new();
    if let Some(before) = entries
        .last()
        .and_then(|first| first.version.checked_sub(1))
        && log.oldest().is_some_and(|oldest| oldest <= before)
    {
        let table = delta::open_version(&place.root, before).await?;
        let there = files(&table).await?;
        rows.extend(there.into_iter().map(|(path, state)| (path, state.rows)));
    }
    let mut versions = Vec::with_capacity(entries.len());
    for entry in entries.iter().rev() {
        let taken: Vec<Option<u64>> = entry
            .removed
            .iter()
            .map(|(path, _)| rows.remove(path).flatten())
            .collect();
        for (path, state) in &entry.added {
            rows.insert(path.clone(), state.rows);
        }
        versions.push(Version {
            version: entry.version,
            at: moment(entry.at),
            operation: entry.operation.clone(),
            made_by: makers.of(entry).await?,
            files_added: entry.added.len() as u64,
            files_removed: entry.removed.len() as u64,
            bytes_added: entry.added.iter().map(|(_, state)| state.bytes).sum(),
            bytes_removed: entry.removed.iter().filter_map(|(_, bytes)| *bytes).sum(),
            rows_added: entry.added.iter().map(|(_, state)| state.rows).sum(),
            rows_removed: taken.into_iter().sum(),
        });
    }
    versions.reverse();
    Ok(versions)
}

/// Finds who made a version.
struct Makers {
    sequences: Vec<Sequence>,
}

impl Makers {
    async fn of(&self, entry: &Entry) -> Result<Maker> {
        let transaction = entry
            .transactions
            .iter()
            .find(|(application, _)| application.starts_with(APPLICATION));
        if let Some((application, n)) = transaction {
            return Ok(match self.decision(application, *n).await? {
                Some(decision) => Maker::Step {
                    run: decision.run,
                    pipeline: decision.pipeline,
                    step: decision.step,
                    n: decision.n,
                },
                None => Maker::UnknownStep {
                    application: application.clone(),
                    n: *n,
                },
            });
        }
        Ok(match &entry.made {
            Some(made) => Maker::Upkeep {
                command: made.command.clone(),
            },
            None => Maker::Other {
                engine: entry.engine.clone(),
            },
        })
    }

    /// The decision that `application` has applied as its version `n`.
    async fn decision(&self, application: &str, n: i64) -> Result<Option<Decision>> {
        let Ok(n) = u64::try_from(n) else {
            return Ok(None);
        };
        for sequence in &self.sequences {
            if !sequence.counts(application) || sequence.numbers.binary_search(&n).is_err() {
                continue;
            }
            let decision = sequence.get(n).await?;
            let mut commits = decision.targets.iter().filter_map(TargetCommit::delta);
            if commits.any(|commit| commit.app_id == application) {
                return Ok(Some(decision));
            }
        }
        Ok(None)
    }
}
