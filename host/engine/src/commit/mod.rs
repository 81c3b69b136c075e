//! Decisions: what a step has decided to write, before any target changes.
//!
//! `_weir/commits/<pipeline>/<step>/<params>/<n>.json` is created exclusively. Creating it
//! decides batch *n*; whoever comes later rolls it forward and never runs a plugin again. One that can
//! never be applied is closed by `<n>.abandoned`.
//! `_weir/offsets/…/<n>.json` names the input of *n* before work starts, where rows are added.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::connections::Connections;
use crate::delta::{Applied, DeltaCommit, Mode, files_are_there};
use crate::error::{Error, ErrorKind, Result};
use crate::files::InputFile;
use crate::lake::{FORMAT, Lake, Location, newer};
use crate::plan::hex;
use crate::segment::WrittenFile;
use crate::server::ServerCommit;
use crate::session::Resources;
use crate::sql_commit::SqlCommit;
use crate::sqlite::SqliteCommit;
use crate::store::Stores;

/// What decisions are applied with.
#[derive(Debug, Clone)]
pub struct Applier {
    /// Opens the targets.
    pub stores: Stores,
    /// The databases.
    pub connections: Connections,
    /// The memory of queries.
    pub runtime: Arc<RuntimeEnv>,
    /// What queries may use.
    pub resources: Resources,
}

/// Everything that applying batch *n* of a step needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decision {
    /// The version of this layout.
    pub format: u32,
    /// Who decided: settles an ambiguous answer of the store.
    pub writer: Uuid,
    /// The run.
    pub run: String,
    /// The pipeline.
    pub pipeline: String,
    /// The step.
    pub step: String,
    /// The parameters.
    pub params: BTreeMap<String, String>,
    /// The batch's number, from 0.
    pub n: u64,
    /// Digest of all that shaped the output.
    pub fingerprint: String,
    /// The lake's root, as a URL: a lake may be moved or copied, and its decisions with it.
    pub lake: String,
    /// When, in RFC 3339.
    pub decided_at: String,
    /// The files read, where files were read.
    pub input: Vec<InputFile>,
    /// The lake tables read, with their versions.
    #[serde(default)]
    pub tables: BTreeMap<String, u64>,
    /// How far it has read the table of which it reads new rows.
    #[serde(default)]
    pub position: Option<Position>,
    /// Whether it took the place of all that earlier decisions had added.
    #[serde(default)]
    pub refresh: bool,
    /// What was counted.
    pub counts: Counts,
    /// The targets, quarantine last.
    pub targets: Vec<TargetCommit>,
}

impl Decision {
    /// The decision as it is in a lake at `root`: what lay in the old lake lies in the new one.
    fn moved_to(mut self, root: &Location) -> Decision {
        let new = root.url().as_str();
        if self.lake == new {
            return self;
        }
        let old = std::mem::replace(&mut self.lake, new.to_owned());
        let folder = |url: &str| url::Url::parse(url).ok()?.to_file_path().ok();
        for target in &mut self.targets {
            let url = match target {
                TargetCommit::Delta(commit) => &mut commit.url,
                TargetCommit::Sqlite(commit) => {
                    if let (Some(old), Some(new)) = (folder(&old), root.local())
                        && let Ok(inside) = commit.path.strip_prefix(old)
                    {
                        commit.path = new.join(inside);
                    }
                    &mut commit.staging
                }
                TargetCommit::Server(commit) => &mut commit.staging,
                TargetCommit::Sql(_) => continue,
            };
            if let Some(inside) = url.strip_prefix(&old) {
                *url = format!("{new}{inside}");
            }
        }
        self
    }

    /// Whether all files are there that the decision names.
    pub(crate) async fn files_are_there(&self, stores: &Stores) -> Result<bool> {
        for target in &self.targets {
            if !target.files_are_there(stores).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a target has it.
    async fn is_begun(&self, applier: &Applier) -> Result<bool> {
        for target in &self.targets {
            let applied = match target {
                TargetCommit::Delta(commit) => commit.is_applied(&applier.stores, self.n).await?,
                TargetCommit::Sqlite(commit) => {
                    commit.placed(&applier.connections)?.is_loaded(self.n)?
                }
                TargetCommit::Server(commit) => {
                    commit.is_loaded(&applier.connections, self.n).await?
                }
                TargetCommit::Sql(commit) => commit.is_done(&applier.connections, self.n).await?,
            };
            if applied {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it must not be given up: what is given up is read again, and a target has it already.
    async fn is_kept_by(&self, applier: &Applier) -> Result<bool> {
        Ok((self.adds() || self.refresh || self.is_sql()) && self.is_begun(applier).await?)
    }

    /// Whether a database runs SQL, which to do again is to do twice.
    fn is_sql(&self) -> bool {
        let mut targets = self.targets.iter();
        targets.any(|target| matches!(target, TargetCommit::Sql(_)))
    }

    /// Whether it adds rows that no later decision will bring.
    fn adds(&self) -> bool {
        self.targets.iter().any(|target| match target.mode() {
            Mode::Append | Mode::Merge | Mode::Rewrite => true,
            Mode::Replace | Mode::ReplacePartition | Mode::ReplaceDynamic => false,
        })
    }
}

/// How far a step has read a table, or a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Position {
    /// All that is in this version.
    Version {
        /// The table, as people call it.
        table: String,
        /// Delta's identifier of the table: one that is made anew has another.
        id: String,
        /// The version.
        version: u64,
    },
    /// All rows up to a value of a column.
    Cursor {
        /// The table, as people call it.
        table: String,
        /// The column.
        column: String,
        /// The value, as Arrow writes it.
        value: String,
        /// The version of the table, where tables have versions.
        #[serde(default)]
        version: Option<u64>,
    },
    /// What a plugin has read of a stream.
    Source {
        /// The stream, as people call it: the plugin's name in the file, and the stream's.
        stream: String,
        /// What the plugin said last of how far it had come, by shard.
        states: BTreeMap<String, String>,
    },
}

/// Rows of a step, by input row: `read = accepted + quarantined + dropped`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows read.
    pub read: u64,
    /// Rows that passed.
    pub accepted: u64,
    /// Rows kept in quarantine.
    pub quarantined: u64,
    /// Rows counted and left out.
    pub dropped: u64,
}

impl Counts {
    /// Both together.
    pub(crate) fn and(self, other: Counts) -> Counts {
        Counts {
            read: self.read + other.read,
            accepted: self.accepted + other.accepted,
            quarantined: self.quarantined + other.quarantined,
            dropped: self.dropped + other.dropped,
        }
    }
}

/// One target's part of a decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TargetCommit {
    /// A Delta table.
    Delta(DeltaCommit),
    /// A table of a SQLite file.
    Sqlite(SqliteCommit),
    /// SQL that a database runs.
    Sql(SqlCommit),
    /// A table of a server's database; which kind of server, the commit's own `kind` says.
    #[serde(untagged)]
    Server(ServerCommit),
}

impl TargetCommit {
    /// How people call the target.
    pub fn name(&self) -> &str {
        match self {
            TargetCommit::Delta(commit) => &commit.table,
            TargetCommit::Sqlite(commit) => &commit.target,
            TargetCommit::Server(commit) => &commit.target,
            TargetCommit::Sql(commit) => &commit.target,
        }
    }

    /// How rows meet what is there.
    pub(crate) fn mode(&self) -> Mode {
        match self {
            TargetCommit::Delta(commit) => commit.mode,
            TargetCommit::Sqlite(commit) => commit.mode,
            TargetCommit::Server(commit) => commit.mode,
            // What was not done is done by the next run.
            TargetCommit::Sql(_) => Mode::Replace,
        }
    }

    /// The commit, if it is one of a lake table.
    pub(crate) fn delta(&self) -> Option<&DeltaCommit> {
        match self {
            TargetCommit::Delta(commit) => Some(commit),
            TargetCommit::Sqlite(_) | TargetCommit::Server(_) | TargetCommit::Sql(_) => None,
        }
    }

    /// Its files.
    pub fn files(&self) -> &[WrittenFile] {
        match self {
            TargetCommit::Delta(commit) => &commit.files,
            TargetCommit::Sqlite(commit) => &commit.files,
            TargetCommit::Server(commit) => &commit.files,
            TargetCommit::Sql(_) => &[],
        }
    }

    /// The rows of its files.
    pub fn rows(&self) -> u64 {
        self.files().iter().map(|file| file.rows).sum()
    }

    /// The bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.files().iter().map(|file| file.bytes).sum()
    }

    /// Whether its files are there: in the table's folder, or staged for a database.
    pub(crate) async fn files_are_there(&self, stores: &Stores) -> Result<bool> {
        match self {
            TargetCommit::Delta(commit) => {
                let root = Location::at_url(stores, &commit.url)?;
                files_are_there(&root, &commit.files).await
            }
            TargetCommit::Sqlite(commit) => {
                files_are_there(&commit.staging(stores)?, &commit.files).await
            }
            TargetCommit::Server(commit) => {
                files_are_there(&commit.staging(stores)?, &commit.files).await
            }
            TargetCommit::Sql(_) => Ok(true),
        }
    }

    /// Removes rows that are staged for a database and will not be loaded.
    async fn clear(&self, stores: &Stores) -> Result<()> {
        match self {
            TargetCommit::Delta(_) | TargetCommit::Sql(_) => Ok(()),
            TargetCommit::Sqlite(commit) => commit.staging(stores)?.remove_folder().await,
            TargetCommit::Server(commit) => commit.staging(stores)?.remove_folder().await,
        }
    }

    async fn apply(&self, applier: &Applier, n: u64, recovering: bool) -> Result<Applied> {
        match self {
            TargetCommit::Delta(commit) => commit.apply(applier, n, recovering).await,
            TargetCommit::Sqlite(commit) => {
                let commit = commit.placed(&applier.connections)?;
                let applied = commit.apply(&applier.stores, n, recovering).await?;
                // Loaded, the staged files have served.
                commit.staging(&applier.stores)?.remove_folder().await?;
                Ok(applied)
            }
            TargetCommit::Server(commit) => commit.apply(applier, n, recovering).await,
            TargetCommit::Sql(commit) => commit.apply(&applier.connections, n).await,
        }
    }
}

/// The decisions of one step under one set of parameters.
#[derive(Debug, Clone)]
pub struct Decisions {
    lake: Location,
    commits: Location,
    offsets: Location,
}

/// After so many decisions it is summed up what was loaded, so that not all of them need be read.
const SUMMARISED: usize = 50;
/// Decisions that are read at once.
const AT_ONCE: usize = 8;

/// What there is of a sequence, by number, ascending.
struct Listed {
    numbers: Vec<u64>,
    /// Those that were given up.
    abandoned: BTreeSet<u64>,
    summaries: Vec<u64>,
}

/// What decisions have loaded, all before one of them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Loaded {
    format: u32,
    /// The first decision that is not among them.
    next: u64,
    /// For each target the files whose rows it was given, since it was last replaced; each as it was when it was
    /// last read.
    targets: BTreeMap<String, BTreeSet<InputFile>>,
}

/// What was read, where a batch must read the same again after a crash.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    format: u32,
    files: Vec<InputFile>,
}

impl Decisions {
    /// Those of `step` of `pipeline` in `lake`; `sequence` names those that count together.
    pub fn of(lake: &Lake, pipeline: &str, step: &str, sequence: &str) -> Decisions {
        Decisions::in_folders(lake, pipeline, &step_folder(step), sequence)
    }

    fn in_folders(lake: &Lake, pipeline: &str, step: &str, sequence: &str) -> Decisions {
        let place = |kind: &str| lake.weir().child(&[kind, pipeline, step, sequence]);
        Decisions {
            lake: lake.root().clone(),
            commits: place("commits"),
            offsets: place("offsets"),
        }
    }

    fn numbered(folder: &Location, n: u64) -> Location {
        folder.child(&[&format!("{n:020}.json")])
    }

    /// The numbers of all decisions, ascending.
    async fn numbers(&self) -> Result<Vec<u64>> {
        Ok(self.listed().await?.numbers)
    }

    async fn listed(&self) -> Result<Listed> {
        let objects = self.commits.list().await?;
        let ending = |ending: &str| -> Vec<u64> {
            let names = objects
                .iter()
                .filter_map(|object| object.location.filename());
            names
                .filter_map(|name| name.strip_suffix(ending)?.parse().ok())
                .collect()
        };
        Ok(Listed {
            numbers: ending(".json"),
            abandoned: ending(".abandoned").into_iter().collect(),
            summaries: ending(".loaded"),
        })
    }

    async fn get(&self, n: u64) -> Result<Decision> {
        let place = Decisions::numbered(&self.commits, n);
        let decision: Decision = place.read_json().await?.ok_or_else(|| {
            Error::new(ErrorKind::Conflict, format!("decision {n} has vanished"))
                .with_hint("somebody removes files below _weir/: stop that, and run again")
        })?;
        if decision.format > FORMAT {
            return Err(newer("a decision was written", decision.format));
        }
        Ok(decision.moved_to(&self.lake))
    }

    /// The latest decision.
    pub async fn latest(&self) -> Result<Option<Decision>> {
        match self.numbers().await?.last() {
            Some(n) => self.get(*n).await.map(Some),
            None => Ok(None),
        }
    }

    /// Rolls the latest decision forward; gives the next number, and the decision if it had not
    /// been applied to all of its targets.
    pub async fn recover(&self, applier: &Applier) -> Result<(u64, Option<Decision>)> {
        let Some(decision) = self.latest().await? else {
            return Ok((0, None));
        };
        let next = decision.n + 1;
        let mut rolled = false;
        if self.is_abandoned(decision.n).await? {
            return Ok((next, None));
        }
        for (index, target) in decision.targets.iter().enumerate() {
            let applied = match target.apply(applier, decision.n, true).await {
                Err(error) if is_closed_by(&error, &decision, index) => {
                    // It will never apply. What it was to replace is replaced by this run, what it was to
                    // add is read again.
                    tracing::warn!(
                        step = %decision.step,
                        n = decision.n,
                        error = %error,
                        "a decision cannot be applied and is given up"
                    );
                    match self.give_up(&decision, applier).await? {
                        true => return Ok((next, None)),
                        false => return Err(error.after_decision(decision.n)),
                    }
                }
                outcome => outcome?,
            };
            match applied {
                Applied::Before => {}
                Applied::Now(_) => rolled = true,
                Applied::Stale => {
                    // Files are rewritten before anything else is done: nothing else has been.
                    tracing::warn!(
                        target = target.name(),
                        n = decision.n,
                        "the rows that a decision was made from have changed before it was applied: it is given up"
                    );
                    self.abandon(&decision).await?;
                    return Ok((next, None));
                }
                Applied::Unfit(why) => {
                    if decision.is_kept_by(applier).await? {
                        return Err(half_unfit(target.name(), decision.n, &why));
                    }
                    tracing::warn!(
                        target = target.name(),
                        n = decision.n,
                        why = %why,
                        "the table has got other columns since this was decided, which is given up"
                    );
                    self.abandon(&decision).await?;
                    return Ok((next, None));
                }
                Applied::Gone => {
                    tracing::warn!(
                        target = target.name(),
                        n = decision.n,
                        "what was decided is gone, this run replaces it"
                    );
                }
            }
        }
        Ok((next, rolled.then_some(decision)))
    }

    /// Applies a decision to all of its targets; harmless to repeat.
    ///
    /// # Errors
    /// With the decision's number ([`Error::decided`]) where the next run finishes it. Without, the decision
    /// is closed, and no target has changed that the next run does not replace. Conflict, if rows that the
    /// first target's were made from are not there any more.
    pub async fn apply(
        &self,
        decision: &Decision,
        applier: &Applier,
    ) -> Result<Vec<(String, Applied)>> {
        let mut applied = Vec::with_capacity(decision.targets.len());
        for (index, target) in decision.targets.iter().enumerate() {
            let state = match target.apply(applier, decision.n, false).await {
                Err(error) if is_closed_by(&error, decision, index) => {
                    let given_up = self.give_up(decision, applier).await;
                    // Where it cannot be told whether a target has it, the next run finds out.
                    return Err(
                        match given_up.map_err(|error| error.after_decision(decision.n))? {
                            true => error,
                            false => error.after_decision(decision.n),
                        },
                    );
                }
                outcome => outcome.map_err(|error| error.after_decision(decision.n))?,
            };
            match &state {
                Applied::Stale => {
                    self.abandon(decision).await?;
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        format!("{} was changed by another run meanwhile", target.name()),
                    )
                    .with_hint("no target has changed: run the same command again"));
                }
                Applied::Unfit(why) => {
                    let kept = decision.is_kept_by(applier).await;
                    if kept.map_err(|error| error.after_decision(decision.n))? {
                        return Err(half_unfit(target.name(), decision.n, why));
                    }
                    self.abandon(decision).await?;
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        format!("{} has got other columns meanwhile: {why}", target.name()),
                    )
                    .with_hint(
                        "no target has changed: run the same command again, which plans anew",
                    ));
                }
                Applied::Now(_) | Applied::Before | Applied::Gone => {}
            }
            applied.push((target.name().to_owned(), state));
        }
        Ok(applied)
    }

    /// Gives a decision up, unless a target has it whose rows would be read again. Whether one has it is asked
    /// now: where that cannot be told, nothing is given up.
    async fn give_up(&self, decision: &Decision, applier: &Applier) -> Result<bool> {
        if decision.is_kept_by(applier).await? {
            return Ok(false);
        }
        self.abandon(decision).await?;
        for target in &decision.targets {
            target.clear(&applier.stores).await?;
        }
        Ok(true)
    }

    fn abandoned(&self, n: u64) -> Location {
        self.commits.child(&[&format!("{n:020}.abandoned")])
    }

    pub(crate) async fn is_abandoned(&self, n: u64) -> Result<bool> {
        Ok(self.abandoned(n).read().await?.is_some())
    }

    /// Closes a decision that can never be applied; harmless if somebody else has.
    async fn abandon(&self, decision: &Decision) -> Result<()> {
        let place = self.abandoned(decision.n);
        place.create_json(&decision.writer).await.map(|_| ())
    }

    /// The files whose rows are in `targets` by a decision, since the last one that replaced them, each as it was
    /// when it was last read. All decisions have been rolled forward or given up.
    ///
    /// # Errors
    /// Usage, if a file is in some of them only: adding it would double it there, leaving it out
    /// would lose it here.
    pub async fn loaded_files(&self, targets: &[String]) -> Result<BTreeSet<InputFile>> {
        let loaded = self.loaded().await?;
        let none = BTreeSet::new();
        let of = |target: &String| loaded.targets.get(target).unwrap_or(&none);
        let mut sets = targets.iter().map(of);
        let first = sets.next().unwrap_or(&none);
        if sets.any(|other| other != first) {
            return Err(Error::usage(format!(
                "{} have been given different files so far, so one step cannot append to them",
                targets.join(" and ")
            ))
            .with_hint("append to the new table in a step of its own"));
        }
        Ok(first.clone())
    }

    /// What all decisions together have loaded.
    async fn loaded(&self) -> Result<Loaded> {
        let listed = self.listed().await?;
        let mut loaded = match listed.summaries.last() {
            Some(n) => self.summary(*n).read_json::<Loaded>().await?,
            None => None,
        }
        .unwrap_or_default();
        if loaded.format > FORMAT {
            return Err(newer("a summary of decisions was written", loaded.format));
        }
        let new = listed.numbers.into_iter().filter(|n| *n >= loaded.next);
        let decisions: Vec<Decision> = futures::stream::iter(new)
            .map(|n| self.get(n))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let last = decisions.len().saturating_sub(1);
        for (index, decision) in decisions.into_iter().enumerate() {
            // The last may have been made by another run since, which may still give it up.
            if index == last && index >= SUMMARISED {
                loaded.format = FORMAT;
                // It only spares reading: that it cannot be written is no failure.
                let place = self.summary(loaded.next - 1);
                if let Err(error) = place.write_json(&loaded).await {
                    tracing::warn!(error = %error, "no summary of decisions was written");
                }
            }
            loaded.next = decision.n + 1;
            // What was given up was loaded by nobody.
            if listed.abandoned.contains(&decision.n) {
                continue;
            }
            if decision.refresh {
                loaded.targets.clear();
            }
            let read: BTreeSet<&str> = decision
                .input
                .iter()
                .map(|file| file.path.as_str())
                .collect();
            for target in &decision.targets {
                let files = loaded.targets.entry(target.name().to_owned()).or_default();
                // What a file was before it changed, it may become again.
                files.retain(|file| !read.contains(file.path.as_str()));
                files.extend(decision.input.iter().cloned());
            }
        }
        Ok(loaded)
    }

    /// Where it stands what decision `n` and all before it have loaded.
    fn summary(&self, n: u64) -> Location {
        self.commits.child(&[&format!("{n:020}.loaded")])
    }

    /// How far the table has been read whose new rows are in `targets`; none where all of it is new.
    ///
    /// # Errors
    /// Usage, if one of the targets has not been given what was read before.
    pub async fn position(&self, targets: &[String]) -> Result<Option<Position>> {
        for n in self.numbers().await?.into_iter().rev() {
            let decision = self.get(n).await?;
            // What was given up was read by nobody; rows that are replayed say nothing of the table.
            let Some(position) = decision.position else {
                continue;
            };
            if self.is_abandoned(n).await? {
                continue;
            }
            let given = |target: &String| decision.targets.iter().any(|to| to.name() == target);
            if let Some(new) = targets.iter().find(|target| !given(target)) {
                return Err(Error::usage(format!(
                    "{new} has not been given the rows that the step has read before"
                ))
                .with_hint("write it in a step of its own, or run the step with --full-refresh"));
            }
            return Ok(Some(position));
        }
        Ok(None)
    }

    /// Settles which files batch `n` reads: `files`, unless an earlier attempt has settled it and
    /// all of what it settled is still among `files`. Nothing has been decided of a batch that an
    /// earlier attempt only settled, so a file that was mended or taken away since is no loss.
    pub async fn intend(&self, n: u64, files: Vec<InputFile>) -> Result<Vec<InputFile>> {
        let place = Decisions::numbered(&self.offsets, n);
        let intent = Intent {
            format: FORMAT,
            files,
        };
        if place.create_json(&intent).await? {
            return Ok(intent.files);
        }
        let settled: Option<Intent> = place.read_json().await?;
        match settled {
            Some(settled) if settled.files.iter().all(|file| intent.files.contains(file)) => {
                Ok(settled.files)
            }
            _ => {
                tracing::warn!(
                    n,
                    "input that an earlier attempt had settled has changed, settling it anew"
                );
                place.write_json(&intent).await?;
                Ok(intent.files)
            }
        }
    }

    /// Decides. Whoever loses the race for a number gets a conflict.
    pub async fn decide(&self, decision: &Decision) -> Result<()> {
        let place = Decisions::numbered(&self.commits, decision.n);
        let outcome = place.create_json(decision).await;
        if matches!(outcome, Ok(true)) {
            return Ok(());
        }
        // The store may have said no, or nothing, after it had done it: the writer's own
        // identifier settles it.
        let there: Option<Decision> = place.read_json().await?;
        match there {
            // Written once more: what failed may have been the last step to the disk.
            Some(there) if there.writer == decision.writer => place.write_json(decision).await,
            Some(there) => Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "step '{}': another run ({}) has decided batch {} first",
                    decision.step, there.run, decision.n
                ),
            )
            .with_hint("nothing was changed by this run; run the same command again if its input was newer")),
            None => {
                outcome?;
                // Somebody's write was in the way and came to nothing, ours too.
                Err(Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "step '{}': the store says that batch {} has been decided, and there is no decision",
                        decision.step, decision.n
                    ),
                )
                .with_hint("nothing was changed: run the same command again"))
            }
        }
    }
}

/// The decisions of a step, whatever the parameters, that `run` made: newest first.
///
/// # Errors
/// As the store fails.
pub(crate) async fn of_run(
    lake: &Lake,
    pipeline: &str,
    step: &str,
    run: &str,
) -> Result<Vec<Decision>> {
    let folder = lake
        .weir()
        .child(&["commits", pipeline, &step_folder(step)]);
    let mut sequences: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for object in folder.list().await? {
        let mut parts = object.location.parts().rev();
        let (Some(name), Some(sequence)) = (parts.next(), parts.next()) else {
            continue;
        };
        let number = name.as_ref().strip_suffix(".json");
        if let Some(n) = number.and_then(|number| number.parse().ok()) {
            let sequence = sequence.as_ref().to_owned();
            sequences.entry(sequence).or_default().push(n);
        }
    }
    let mut found = Vec::new();
    for (sequence, mut numbers) in sequences {
        let decisions = Decisions::of(lake, pipeline, step, &sequence);
        numbers.sort_unstable();
        for n in numbers.into_iter().rev() {
            let decision = decisions.get(n).await?;
            match decision.run == run {
                true => found.push(decision),
                // Those of one run follow each other; identifiers of runs sort by time.
                false if decision.run.as_str() < run => break,
                false => {}
            }
        }
    }
    Ok(found)
}

/// The decisions of one sequence, as a lake has them.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    /// The pipeline's folder: its name.
    pub(crate) pipeline: String,
    /// The step's folder: its name, or the harmless beginning of it, a dot and a digest.
    pub(crate) step: String,
    /// The numbers of all decisions, ascending.
    pub(crate) numbers: Vec<u64>,
    /// Those that were given up.
    pub(crate) abandoned: BTreeSet<u64>,
    decisions: Decisions,
}

impl Sequence {
    /// All that `lake` has, in order of their folders.
    pub(crate) async fn all(lake: &Lake) -> Result<Vec<Sequence>> {
        let commits = lake.weir().child(&["commits"]);
        let mut found: BTreeMap<(String, String, String), Sequence> = BTreeMap::new();
        for object in commits.list().await? {
            let Some(parts) = object.location.prefix_match(commits.path()) else {
                continue;
            };
            let parts: Vec<_> = parts.collect();
            let [pipeline, step, sequence, file] = parts.as_slice() else {
                continue;
            };
            let Some((number, kind)) = file.as_ref().split_once('.') else {
                continue;
            };
            let Ok(number) = number.parse() else {
                continue;
            };
            let names = [pipeline, step, sequence].map(|part| part.as_ref().to_owned());
            let [pipeline, step, sequence] = names;
            let key = (pipeline.clone(), step.clone(), sequence.clone());
            let entry = found.entry(key).or_insert_with(|| Sequence {
                decisions: Decisions::in_folders(lake, &pipeline, &step, &sequence),
                pipeline,
                step,
                numbers: Vec::new(),
                abandoned: BTreeSet::new(),
            });
            match kind {
                "json" => entry.numbers.push(number),
                "abandoned" => {
                    entry.abandoned.insert(number);
                }
                _ => {}
            }
        }
        Ok(found.into_values().collect())
    }

    /// Whether the transactions of `application` are of this step: `weir/<pipeline>/<step>/…`.
    pub(crate) fn counts(&self, application: &str) -> bool {
        let (plain, whole) = match self.step.split_once('.') {
            Some((plain, _)) => (plain, false),
            None => (self.step.as_str(), true),
        };
        let rest = application
            .strip_prefix("weir/")
            .and_then(|rest| rest.strip_prefix(&self.pipeline))
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.strip_prefix(plain));
        rest.is_some_and(|rest| match whole {
            true => rest.starts_with('/'),
            false => !rest.starts_with('/') && !rest.starts_with(harmless),
        })
    }

    /// The decision of a number.
    pub(crate) async fn get(&self, n: u64) -> Result<Decision> {
        self.decisions.get(n).await
    }
}

/// What to say where some targets have a decision's rows and another one cannot take them any more.
fn half_unfit(target: &str, n: u64, why: &str) -> Error {
    Error::input(format!(
        "{target} has got other columns since decision {n} was made, of which other targets have the rows already: {why}"
    ))
    .with_hint(format!(
        "give {target} back the columns that it had (`weir lake restore`), then run the same command again, which completes the decision"
    ))
}

/// Whether an error that target `index` gave while a decision was applied closes the decision: it will give
/// it again, and what was done is replaced by the next decision; or nothing was done, and what it was to add
/// is read again.
fn is_closed_by(error: &Error, decision: &Decision, index: usize) -> bool {
    match decision.adds() || decision.refresh || decision.is_sql() {
        true => index == 0 && error.is_refusal(),
        false => !error.is_retryable(),
    }
}

/// A step's name as one harmless path segment: `ingest[2008]` keeps its name before the bracket
/// and a digest of the whole.
fn step_folder(step: &str) -> String {
    if !step.is_empty() && step.chars().all(harmless) {
        return step.to_owned();
    }
    let plain: String = step.chars().take_while(|c| harmless(*c)).collect();
    format!("{plain}.{}", hex(&Sha256::digest(step.as_bytes()), 12))
}

fn harmless(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}
