//! The latest decisions of a lake, and which of them are not applied yet.

use std::collections::HashSet;

use deltalake_core::DeltaTable;

use super::APPLICATION;
use super::log::Entry;
use crate::commit::{Decision, Sequence, TargetCommit};
use crate::error::{Error, Result};
use crate::lake::{Lake, Location};

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
        let mut sequences = Vec::new();
        for sequence in Sequence::all(lake).await? {
            let latest = match sequence.numbers.last() {
                Some(n) => Some(sequence.get(*n).await?),
                None => None,
            };
            sequences.push(Known { sequence, latest });
        }
        Ok(Decided { sequences })
    }

    /// Whether the transactions of `application` are of a step whose decisions are here.
    pub(super) fn counts(&self, application: &str) -> bool {
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

    /// The names of the files that a next run would still put into the table at `root`, which is
    /// `table` in its latest version. Those for other tables are among them: names are unique, and
    /// one folder may have two URLs.
    pub(super) async fn pending(
        &self,
        root: &Location,
        table: Option<&DeltaTable>,
    ) -> Result<HashSet<String>> {
        let mut names = HashSet::new();
        for decision in self.sequences.iter().filter_map(Known::standing) {
            for target in &decision.targets {
                let TargetCommit::Delta(commit) = target else {
                    continue;
                };
                if commit.url == root.url().as_str()
                    && let Some(table) = table
                    && is_applied(table, &commit.app_id, decision.n).await?
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
                TargetCommit::Delta(_) => None,
            })
            .flatten()
            .filter_map(|file| file.path.rsplit('/').next())
            .collect()
    }
}

/// Whether a table has decision `n` of an application, or a later one.
pub(super) async fn is_applied(table: &DeltaTable, application: &str, n: u64) -> Result<bool> {
    let version = table
        .snapshot()?
        .transaction_version(&table.log_store(), application)
        .await?;
    let n = i64::try_from(n).map_err(|_| Error::internal("a decision's number is too large"))?;
    Ok(version.is_some_and(|version| version >= n))
}
