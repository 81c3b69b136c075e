//! The upkeep of a lake: what its tables were, are, and take up.
//!
//! | module | command |
//! |---|---|
//! | [`history`] | `weir lake history`: the versions of a table, and which run made each |
//! | [`optimize`] | `weir lake optimize`: small files become large ones |
//! | [`vacuum`] | `weir lake vacuum`: files that nobody needs any more are removed |
//! | [`restore`] | `weir lake restore`: a table becomes what it was |
//! | [`check`] | `weir lake check`: whether everything is there that should be |
//!
//! What is changed is changed as a run does it: one commit against one snapshot, no retry of
//! delta-rs, and after any error the log is looked at again ([`settle`]). These commits carry no
//! application transaction, so what decisions have been applied stays as it was.

pub mod check;
mod decided;
pub mod history;
pub(crate) mod log;
pub mod optimize;
pub mod restore;
#[cfg(test)]
mod tests;
pub mod vacuum;

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use deltalake_core::DeltaTable;
use deltalake_core::kernel::Action;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::protocol::DeltaOperation;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use weir_pipeline::TableName;

use crate::delta;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{Lake, Location};
use crate::query;

/// How often a commit looks again after an error before it gives up.
const ATTEMPTS: u32 = 12;
/// Objects of a store that are read, or removed, at once.
const AT_ONCE: usize = 16;
/// Where a commit says which command made it, in Delta's `commitInfo`.
const COMMAND_KEY: &str = "weir";

/// The beginning of the identifiers of Weir's own application transactions.
const APPLICATION: &str = "weir/";

/// What a commit of this module says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    /// The command: `optimize` or `restore`.
    command: String,
    /// Settles whether a commit whose answer was an error went through.
    id: Uuid,
    /// The version of weir.
    version: String,
}

/// A table, and where it lies.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    name: String,
    root: Location,
}

/// How people write a table's name.
fn display(name: &TableName) -> String {
    format!("{}.{}", name.zone, name.table)
}

/// The tables of `lake` that are named as `zone.table`; all of them where none is named.
///
/// # Errors
/// Usage, if one is not there.
async fn places(lake: &Lake, names: &[String]) -> Result<Vec<Place>> {
    let there = query::tables(lake).await?;
    let wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let known: BTreeSet<String> = there.iter().map(display).collect();
    if let Some(missing) = wanted.iter().find(|name| !known.contains(**name)) {
        return Err(Error::usage(format!(
            "there is no table {missing} in '{}'",
            lake.root().display()
        ))
        .with_hint(match known.is_empty() {
            true => "there is no table at all there: check --lake".to_owned(),
            false => format!(
                "the tables are {}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            ),
        }));
    }
    let mut places = Vec::new();
    for name in &there {
        let shown = display(name);
        if wanted.is_empty() || wanted.contains(shown.as_str()) {
            places.push(Place {
                root: lake.table(name)?,
                name: shown,
            });
        }
    }
    Ok(places)
}

/// The one table of a name.
async fn place(lake: &Lake, name: &str) -> Result<Place> {
    let mut found = places(lake, &[name.to_owned()]).await?;
    found
        .pop()
        .ok_or_else(|| Error::internal("a table that is there was not found"))
}

/// The table at a place, in its latest version.
async fn open(place: &Place) -> Result<DeltaTable> {
    delta::open(&place.root).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::Conflict,
            format!("{}: the table has been taken away meanwhile", place.name),
        )
        .with_hint("run the same command again")
    })
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// It is this version of the table.
    Done(u64),
    /// There is nothing left to commit: others were faster. It is not there, and will not come.
    Lost,
}

/// What somebody wants to commit.
#[async_trait]
trait Proposal: Send {
    /// What is to be committed on top of the latest version, which `table` has open; `None` if there
    /// is nothing left to commit. Asked again after each commit of somebody else.
    async fn on(&mut self, table: &DeltaTable) -> Result<Option<(Vec<Action>, DeltaOperation)>>;
}

/// Commits once what `proposal` makes of the table's latest version, whatever the store answers.
///
/// # Errors
/// Conflict or storage, if it did not go through, or it is not known whether it did.
async fn settle(place: &Place, command: &str, proposal: &mut dyn Proposal) -> Result<Settled> {
    let made = Made {
        command: command.to_owned(),
        id: Uuid::new_v4(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let said = serde_json::to_value(&made)
        .map_err(|error| Error::internal("cannot write JSON").with_source(error))?;
    let mut looked_at: Option<u64> = None;
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        let outcome = async {
            let table = open(place).await?;
            let version = table.snapshot()?.version();
            // An attempt that was answered with an error may have gone through.
            for version in looked_at.unwrap_or(version) + 1..=version {
                let entry = log::read(&place.root, version).await?;
                if entry.is_some_and(|entry| entry.made.as_ref() == Some(&made)) {
                    return Ok(Settled::Done(version));
                }
            }
            looked_at = Some(version);
            let Some((actions, operation)) = proposal.on(&table).await? else {
                return Ok(Settled::Lost);
            };
            let properties = CommitProperties::default()
                .with_max_retries(0)
                .with_create_checkpoint(false)
                .with_cleanup_expired_logs(Some(false))
                .with_metadata([(COMMAND_KEY.to_owned(), said.clone())]);
            let commit = CommitBuilder::from(properties)
                .with_actions(actions)
                .build(Some(table.snapshot()?), table.log_store(), operation)
                .await?;
            Ok::<_, Error>(Settled::Done(commit.version()))
        };
        match outcome.await {
            Ok(settled) => {
                if let Settled::Done(version) = settled {
                    delta::checkpoint(&place.name, &place.root, version).await;
                }
                return Ok(settled);
            }
            Err(error) if !error.is_retryable() => return Err(error),
            Err(error) => {
                tracing::debug!(table = %place.name, attempt, error = %error, "commit did not go through, looking again");
                last = Some(error);
                let pause = 10_u64.saturating_mul(1 << attempt.min(6));
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
    }
    let error = Error::new(
        ErrorKind::Conflict,
        format!(
            "{}: the commit did not go through in {ATTEMPTS} attempts",
            place.name
        ),
    )
    .with_hint(
        "other writers are busy on the table, or the store fails: look at `weir lake history`, then run the same command again",
    );
    Err(match last {
        Some(cause) => error.with_source(cause),
        None => error,
    })
}

/// Whether an error may say that a table is broken. What the kernel of delta-rs reports of a store
/// that failed cannot be told from that: [`log::TableLog::probe`] can, and a second attempt.
fn is_damage(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Storage | ErrorKind::Input | ErrorKind::Internal => {}
        ErrorKind::Usage
        | ErrorKind::Plugin
        | ErrorKind::Check
        | ErrorKind::Conflict
        | ErrorKind::Interrupted => return false,
    }
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<object_store::Error>() {
            return matches!(error, object_store::Error::NotFound { .. });
        }
        cause = current.source();
    }
    true
}

/// Why a table is left alone whose log cannot be read.
fn unreadable(error: &Error) -> String {
    format!("it cannot be read ({error}): see `weir lake check`")
}

/// A moment as Weir writes it everywhere.
fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
