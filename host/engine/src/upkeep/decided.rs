//! The latest decisions of a lake, and which of them are not applied yet.

use std::collections::{HashMap, HashSet};

use deltalake_core::DeltaTable;
use futures::{StreamExt, TryStreamExt};

use super::log::{Entry, TableLog};
use super::{APPLICATION, AT_ONCE};
use crate::commit::{Decision, Sequence, TargetCommit};
use crate::error::{Error, Result};
use crate::lake::{Lake, Location};
use crate::quarantine::ACKNOWLEDGEMENT;
use crate::vault;

/// All sequences of a lake, each with its latest decision.
pub(super) struct Decided {
    pub(super) sequences: Vec<Known>,
}

/// A sequence.
pub(super) struct Known {
    pub(super) sequence: Sequence,
    /// Its latest decision.
    pub(super) latest: Option<Decision>,
}

impl Known {
    /// The decision that a next run applies, if it has not been applied: the latest, unless it was
    /// given up.
    pub(super) fn standing(&self) -> Option<&Decision> {
        self.latest
            .as_ref()
            .filter(|decision| !self.sequence.abandoned.contains(&decision.n))
    }
}

impl Decided {
    pub(super) async fn of(lake: &Lake) -> Result<Decided> {
        let sequences = futures::stream::iter(Sequence::all(lake).await?)
            .map(|sequence| async move {
                let latest = match sequence.numbers.last() {
                    Some(n) => Some(sequence.get(*n).await?),
                    None => None,
                };
                Ok::<_, Error>(Known { sequence, latest })
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(Decided { sequences })
    }

    /// Whether the transactions of `application` are of a step whose decisions are here.
    pub(super) fn counts(&self, application: &str) -> bool {
        // What was acknowledged in quarantine, or added to a vault, is done in one commit, and decides
        // nothing.
        if application.starts_with(ACKNOWLEDGEMENT) || application == vault::APPLICATION {
            return true;
        }
        let mut sequences = self.sequences.iter();
        sequences.any(|known| known.sequence.counts(application))
    }

    /// An application of ours that has written to a table, and whose decisions are not here: what it
    /// decides next is not to be seen from here either.
    pub(super) fn stranger<'a>(&self, entries: &'a [Entry]) -> Option<&'a str> {
        let applications = entries.iter().flat_map(|entry| &entry.transactions);
        applications
            .map(|(application, _)| application.as_str())
            .filter(|application| application.starts_with(APPLICATION))
            .find(|application| !self.counts(application))
    }

    /// The names of the files that a next run would still put into the table at `root`. Those for other tables are among them: names are unique, and
    /// one folder may have two URLs.
    pub(super) async fn pending(
        &self,
        root: &Location,
        table: Option<&Applied>,
    ) -> Result<HashSet<String>> {
        let mut names = HashSet::new();
        for decision in self.sequences.iter().filter_map(Known::standing) {
            for target in &decision.targets {
                let TargetCommit::Delta(commit) = target else {
                    continue;
                };
                if commit.url == root.url().as_str()
                    && let Some(table) = table
                    && table.has(&commit.app_id, decision.n).await?
                {
                    continue;
                }
                let of = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
                names.extend(commit.files.iter().map(|file| of(&file.path)));
            }
        }
        Ok(names)
    }

    /// The names of the staged files that a load of a database may still need.
    pub(super) fn staged(&self) -> HashSet<&str> {
        self.sequences
            .iter()
            .filter_map(Known::standing)
            .flat_map(|decision| &decision.targets)
            .filter_map(|target| match target {
                TargetCommit::Sqlite(commit) => Some(&commit.files),
                TargetCommit::Server(commit) => Some(&commit.files),
                TargetCommit::Delta(_) | TargetCommit::Sql(_) => None,
            })
            .flatten()
            .filter_map(|file| file.path.rsplit('/').next())
            .collect()
    }
}

/// A table, and what has been applied to it.
pub(super) struct Applied {
    pub(super) table: DeltaTable,
    /// What is known without asking the table; the rest it is asked for.
    known: HashMap<String, i64>,
}

impl Applied {
    /// Of a table of which only a few questions are asked.
    pub(super) fn of(table: DeltaTable) -> Applied {
        Applied {
            table,
            known: HashMap::new(),
        }
    }

    /// Of a table whose log was read: to ask the table for each of a thousand sequences would read
    /// its checkpoint as often.
    pub(super) async fn read(
        table: DeltaTable,
        log: &TableLog,
        entries: &[Entry],
    ) -> Result<Applied> {
        // Where transactions are forgotten, what a run is told is not what the log says.
        let properties = table.snapshot()?.table_config();
        let known = match properties.set_transaction_retention_duration {
            Some(_) => HashMap::new(),
            None => log.applied(entries).await?,
        };
        Ok(Applied { table, known })
    }

    /// Whether the table has decision `n` of an application, or a later one.
    pub(super) async fn has(&self, application: &str, n: u64) -> Result<bool> {
        let n =
            i64::try_from(n).map_err(|_| Error::internal("a decision's number is too large"))?;
        if self.known.get(application).is_some_and(|known| *known >= n) {
            return Ok(true);
        }
        let version = self
            .table
            .snapshot()?
            .transaction_version(&self.table.log_store(), application)
            .await?;
        Ok(version.is_some_and(|version| version >= n))
    }
}
