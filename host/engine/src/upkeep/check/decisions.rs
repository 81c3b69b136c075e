//! What a check finds of decisions.

use std::collections::HashMap;

use super::super::decided::{Applied, Known};
use super::super::is_damage;
use super::super::log::TableLog;
use super::{Finding, Kind, Verdict};
use crate::commit::{Decision, TargetCommit};
use crate::delta::{self, Mode};
use crate::error::{Error, Result};
use crate::lake::{Lake, Location};

fn name(known: &Known) -> String {
    match &known.latest {
        Some(decision) => format!("{}/{}", decision.pipeline, decision.step),
        None => format!("{}/{}", known.sequence.pipeline, known.sequence.step),
    }
}

/// What is to be said of a sequence.
pub(super) async fn look(
    known: &Known,
    lake: &Lake,
    opened: &mut HashMap<String, Option<Applied>>,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let name = name(known);
    let Some(decision) = &known.latest else {
        return Ok(());
    };
    let appends = decision.targets.iter().any(|target| match target.mode() {
        Mode::Append | Mode::Merge | Mode::Rewrite => true,
        Mode::Replace | Mode::ReplacePartition | Mode::ReplaceDynamic => false,
    });
    let missing = decision.n + 1 - known.sequence.numbers.len() as u64;
    if missing > 0 {
        let (verdict, so) = match appends {
            true => (
                Verdict::Damaged,
                "files that they added would be added again: restore them from a backup",
            ),
            false => (Verdict::Look, "later ones have replaced what they wrote"),
        };
        findings.push(Finding::new(
            verdict,
            Kind::MissingDecision,
            format!(
                "{name}: {missing} decisions before {} are gone; {so}",
                decision.n
            ),
        ));
    }
    let given_up = known.sequence.abandoned.len();
    if known.sequence.abandoned.contains(&decision.n) {
        findings.push(Finding::new(
                Verdict::Look,
                Kind::Abandoned,
                format!(
                    "{name}: decision {} of run {} could not be applied and was given up: run the pipeline again, which replaces what it was to write",
                    decision.n, decision.run
                ),
            ));
        return Ok(());
    }
    if given_up > 0 {
        findings.push(Finding::new(
                Verdict::Well,
                Kind::Abandoned,
                format!("{name}: {given_up} decisions were given up, and later ones have replaced what they were to write"),
            ));
    }
    for target in &decision.targets {
        findings.extend(pending(lake, opened, decision, target, &name).await?);
    }
    Ok(())
}

/// What is to be said of one target of the latest decision of a sequence.
async fn pending(
    lake: &Lake,
    opened: &mut HashMap<String, Option<Applied>>,
    decision: &Decision,
    target: &TargetCommit,
    name: &str,
) -> Result<Option<Finding>> {
    let stores = lake.root().stores();
    let what = format!(
        "{name}: decision {} of run {} is not applied to {}",
        decision.n,
        decision.run,
        target.name()
    );
    let (mode, applied) = match target {
        TargetCommit::Delta(commit) => {
            if !opened.contains_key(&commit.url) {
                let root = Location::at_url(stores, &commit.url)?;
                let mut table = delta::open(&root).await;
                if table.as_ref().is_err_and(is_damage) {
                    TableLog::probe(&root).await?;
                    table = delta::open(&root).await;
                }
                match table {
                    Ok(table) => {
                        opened.insert(commit.url.clone(), table.map(Applied::of));
                    }
                    // Of a table of this lake it was said already.
                    Err(error) if is_damage(&error) => {
                        let text = format!(
                            "{name}: {} cannot be read, so it is not known whether decision {} is applied",
                            target.name(),
                            decision.n
                        );
                        return Ok(Some(Finding::new(Verdict::Look, Kind::NotSeen, text)));
                    }
                    Err(error) => return Err(error),
                }
            }
            let applied = match opened.get(&commit.url) {
                Some(Some(table)) => table.has(&commit.app_id, decision.n).await?,
                Some(None) | None => false,
            };
            (commit.mode, applied)
        }
        TargetCommit::Server(commit) => {
            // Loaded, the staged files are removed; and only the pipeline knows the server.
            let staged = !commit.files.is_empty() && target.files_are_there(stores).await?;
            let text = format!(
                "{name}: {} is on a server that is not asked from here, so it is not known whether decision {} is loaded",
                target.name(),
                decision.n
            );
            return Ok(staged.then(|| Finding::new(Verdict::Look, Kind::NotSeen, text)));
        }
        // Only the pipeline knows the database; the next run sees to it.
        TargetCommit::Sql(_) => return Ok(None),
        TargetCommit::Sqlite(commit) => {
            let (of, n) = (commit.clone(), decision.n);
            let loaded = tokio::task::spawn_blocking(move || of.is_loaded(n))
                .await
                .map_err(|error| Error::internal("a look-up was cancelled").with_source(error))??;
            let staged = !commit.files.is_empty() && target.files_are_there(stores).await?;
            if !commit.path.exists() && !staged {
                let text = format!(
                    "{name}: the database of {} is not here, so it is not known whether decision {} is loaded",
                    target.name(),
                    decision.n
                );
                return Ok(Some(Finding::new(Verdict::Well, Kind::NotSeen, text)));
            }
            (commit.mode, loaded)
        }
    };
    if applied {
        return Ok(None);
    }
    Ok(Some(match (target.files_are_there(stores).await?, mode) {
        (true, _) => Finding::new(
            Verdict::Look,
            Kind::Pending,
            format!("{what} yet: the next run of the pipeline does it"),
        ),
        (false, Mode::Append | Mode::Merge) => Finding::new(
            Verdict::Damaged,
            Kind::PendingFilesGone,
            format!("{what}, and its files are gone: restore them, or the rows are lost"),
        ),
        (false, Mode::Rewrite) => Finding::new(
            Verdict::Look,
            Kind::PendingFilesGone,
            format!("{what}, and its files are gone: the rows are replayed again"),
        ),
        (false, Mode::Replace | Mode::ReplacePartition | Mode::ReplaceDynamic) => Finding::new(
            Verdict::Look,
            Kind::PendingFilesGone,
            format!(
                "{what}, and its files are gone: the next run of the pipeline replaces what they held"
            ),
        ),
    }))
}
