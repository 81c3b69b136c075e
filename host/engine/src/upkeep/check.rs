//! Whether a lake holds what it should: files, rows, decisions.

mod decisions;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::error::Error as StdError;

use chrono::{DateTime, Utc};
use deltalake_core::DeltaTable;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as StorePath;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use serde::Serialize;

use super::decided::{Applied, Decided};
use super::log::{Entry, FilePath, FileState, TableLog, files};
use super::vacuum::{Folder, data_files, folders, is_ours};
use super::{APPLICATION, AT_ONCE, is_damage};
use crate::commit::{Decision, TargetCommit};
use crate::delta::{self, Mode};
use crate::error::{Error, Result};
use crate::lake::{Lake, Location};
use crate::parquet_io::ObjectReader;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The worst of all findings.
    pub verdict: Verdict,
    /// The tables, and folders in which one was to be made.
    pub tables: Vec<TableChecked>,
    /// What was found of decisions.
    pub decisions: Vec<Finding>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Well,
    /// Nothing is lost, and somebody may want to know.
    Look,
    /// Something is not there, or is not what it was.
    Damaged,
}

/// What was found of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableChecked {
    /// The table, as `zone.table`.
    pub table: String,
    /// Its latest version; absent where there is no table, or it cannot be read.
    pub version: Option<u64>,
    /// The files of that version.
    pub files: u64,
    /// Their bytes, by the log.
    pub bytes: u64,
    /// Their rows, by their statistics.
    pub rows: Option<u64>,
    /// The rows that decisions say they have written; only where all of them append, and nothing
    /// but them has changed the table.
    pub rows_by_decisions: Option<u64>,
    /// What is not as it should be, or worth to know.
    pub findings: Vec<Finding>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// What it is.
    pub kind: Kind,
    /// The same, and what to do about it, for people.
    pub text: String,
    /// The files that it is about.
    pub files: Vec<String>,
    /// Their sizes together, where they are there.
    pub bytes: u64,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A table's log cannot be read.
    UnreadableTable,
    /// Files of the latest version are gone.
    MissingFiles,
    /// Files of the latest version have another size than the log says.
    OtherSize,
    /// Files of the latest version cannot be read, or hold other rows than their statistics say.
    OtherRows,
    /// Files that no version names and no decision either.
    Orphans,
    /// The table has other rows than decisions have written.
    RowsDiffer,
    /// Commits of other programs.
    ForeignCommits,
    /// Commits of steps of which this lake has no decision.
    UnknownSteps,
    /// The table was restored to an earlier version.
    Restored,
    /// Rows could not be compared.
    NotCompared,
    /// A decision is not applied yet.
    Pending,
    /// A decision is not applied yet and its files are gone.
    PendingFilesGone,
    /// A decision cannot be looked at from here.
    NotSeen,
    /// A decision was given up.
    Abandoned,
    /// A decision is gone.
    MissingDecision,
}

impl Finding {
    fn new(verdict: Verdict, kind: Kind, text: impl Into<String>) -> Finding {
        Finding {
            verdict,
            kind,
            text: text.into(),
            files: Vec::new(),
            bytes: 0,
        }
    }

    fn of_files(self, mut files: Vec<String>, bytes: u64) -> Finding {
        files.sort();
        Finding {
            files,
            bytes,
            ..self
        }
    }
}

/// Looks through the tables `names` (`zone.table`), or all of them, and through the decisions that
/// are about them. `deep` reads every data file. Changes nothing.
///
/// # Errors
/// Usage, if a table is not there; storage, if a store fails. What is damaged is a finding.
pub async fn check(lake: &Lake, names: &[String], deep: bool) -> Result<Checked> {
    // Before the tables: what is decided from now on is not missed in them.
    let decided = Decided::of(lake).await?;
    let parts = parts(&decided).await?;
    let mut tables = Vec::new();
    let mut roots = BTreeSet::new();
    let mut opened = HashMap::new();
    for folder in folders(lake, names).await? {
        let root = &folder.place.root;
        roots.insert(root.url().to_string());
        let mut checked = blank(&folder);
        let mut looked = table(&folder, &decided, &parts, deep, &mut checked).await;
        if looked.as_ref().is_err_and(is_damage) {
            TableLog::probe(root).await?;
            checked = blank(&folder);
            looked = table(&folder, &decided, &parts, deep, &mut checked).await;
        }
        match looked {
            Ok(Some(table)) => {
                opened.insert(root.url().to_string(), Some(table));
            }
            Ok(None) => {}
            Err(error) if is_damage(&error) => {
                let text = format!(
                    "the table cannot be read ({error}): restore its folder _delta_log from a backup"
                );
                checked
                    .findings
                    .push(Finding::new(Verdict::Damaged, Kind::UnreadableTable, text));
            }
            Err(error) => return Err(error),
        }
        // A folder that has nothing to do with Weir.
        if folder.table || !checked.findings.is_empty() {
            tables.push(checked);
        }
    }
    let about = |decision: &Decision| {
        names.is_empty()
            || decision
                .targets
                .iter()
                .filter_map(TargetCommit::delta)
                .any(|commit| roots.contains(&commit.url))
    };
    let mut findings = Vec::new();
    for known in &decided.sequences {
        if known.latest.as_ref().is_none_or(about) {
            decisions::look(known, lake, &mut opened, &mut findings).await?;
        }
    }
    let verdict = tables
        .iter()
        .flat_map(|table| &table.findings)
        .chain(&findings)
        .map(|finding| finding.verdict)
        .max();
    Ok(Checked {
        verdict: verdict.unwrap_or(Verdict::Well),
        tables,
        decisions: findings,
    })
}

fn blank(folder: &Folder) -> TableChecked {
    TableChecked {
        table: folder.place.name.clone(),
        version: None,
        files: 0,
        bytes: 0,
        rows: None,
        rows_by_decisions: None,
        findings: Vec::new(),
    }
}

async fn table(
    folder: &Folder,
    decided: &Decided,
    parts: &[Part],
    deep: bool,
    checked: &mut TableChecked,
) -> Result<Option<Applied>> {
    let place = &folder.place;
    let Some(table) = delta::open(&place.root).await? else {
        if folder.table {
            checked.findings.push(Finding::new(
                Verdict::Damaged,
                Kind::UnreadableTable,
                "its log has no version: restore the folder _delta_log from a backup",
            ));
        }
        let here = data_files(&place.root).await?;
        let ours = here
            .into_iter()
            .filter(|object| object.location.filename().is_some_and(is_ours));
        let pending = decided.pending(&place.root, None).await?;
        orphans(&place.root, ours, &HashSet::new(), &pending, checked);
        return Ok(None);
    };
    let state = files(&table).await?;
    checked.version = table.version();
    checked.files = state.len() as u64;
    checked.bytes = state.values().map(|state| state.bytes).sum();
    checked.rows = state.values().map(|state| state.rows).sum();

    // The log was read first, so what it names was there before it was looked for.
    let here = data_files(&place.root).await?;
    let there: HashMap<&StorePath, u64> = here
        .iter()
        .map(|object| (&object.location, object.size))
        .collect();
    let mut whole = Vec::new();
    let (mut missing, mut other) = (Vec::new(), Vec::new());
    for (path, state) in &state {
        // What lies elsewhere is another program's doing; reading it will tell.
        let Some(below) = path.below(&place.root) else {
            continue;
        };
        match there.get(&below) {
            Some(bytes) if *bytes == state.bytes => whole.push((path, below, *state)),
            Some(_) => other.push(path.display()),
            None => missing.push(path.display()),
        }
    }
    if !missing.is_empty() {
        let text = format!(
            "{} of its files are gone: restore them from a backup, or the table with `weir lake restore`",
            missing.len()
        );
        let finding = Finding::new(Verdict::Damaged, Kind::MissingFiles, text);
        checked.findings.push(finding.of_files(missing, 0));
    }
    if !other.is_empty() {
        let text = format!(
            "{} of its files have another size than the log says: restore them from a backup",
            other.len()
        );
        let finding = Finding::new(Verdict::Damaged, Kind::OtherSize, text);
        checked.findings.push(finding.of_files(other, 0));
    }
    if deep {
        read_files(&place.root, whole, checked).await?;
    }

    // What was committed while the folder was listed is no orphan.
    let latest = super::open(place).await?;
    let log = TableLog::list(&place.root).await?;
    let entries = log.entries().await?;
    let named = log
        .named_since(DateTime::<Utc>::MIN_UTC, &entries, &latest)
        .await?;
    let named: HashSet<StorePath> = named
        .keys()
        .filter_map(|path| path.below(&place.root))
        .collect();
    let latest = Applied::read(latest, &log, &entries).await?;
    let pending = decided.pending(&place.root, Some(&latest)).await?;
    orphans(&place.root, here.into_iter(), &named, &pending, checked);
    origins(&entries, decided, checked);
    rows(&place.root, &table, &log, parts, checked).await?;
    Ok(Some(latest))
}

/// Files that nobody names.
fn orphans(
    root: &Location,
    here: impl Iterator<Item = object_store::ObjectMeta>,
    named: &HashSet<StorePath>,
    pending: &HashSet<String>,
    checked: &mut TableChecked,
) {
    let (mut paths, mut bytes) = (Vec::new(), 0);
    for object in here {
        let name = object.location.filename().unwrap_or_default();
        if named.contains(&object.location) || pending.contains(name) {
            continue;
        }
        let parts = object.location.prefix_match(root.path());
        let path: StorePath = parts.into_iter().flatten().collect();
        paths.push(path.to_string());
        bytes += object.size;
    }
    if !paths.is_empty() {
        let text = format!(
            "no version names {} of the files that are there, {bytes} bytes: a run that was cut off left them, or one at work has written them; `weir lake vacuum` removes them when they are old enough",
            paths.len()
        );
        let finding = Finding::new(Verdict::Look, Kind::Orphans, text);
        checked.findings.push(finding.of_files(paths, bytes));
    }
}

/// Who made the versions that the log has.
fn origins(entries: &[Entry], decided: &Decided, checked: &mut TableChecked) {
    let list = |versions: &[u64]| {
        let shown: Vec<String> = versions.iter().take(5).map(u64::to_string).collect();
        match versions.len() > shown.len() {
            true => format!(
                "{} and {} more",
                shown.join(", "),
                versions.len() - shown.len()
            ),
            false => shown.join(", "),
        }
    };
    let (mut foreign, mut unknown, mut restored) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        let mut ours = entry
            .transactions
            .iter()
            .map(|(application, _)| application)
            .filter(|application| application.starts_with(APPLICATION))
            .peekable();
        if ours.peek().is_some() {
            if !ours.all(|application| decided.counts(application)) {
                unknown.push(entry.version);
            }
        } else if entry.operation.as_deref() == Some("RESTORE") {
            restored.push(entry.version);
        } else if entry.made.is_none() {
            foreign.push(entry.version);
        }
    }
    if !foreign.is_empty() {
        let text = format!(
            "other programs have committed to it: version {}",
            list(&foreign)
        );
        checked
            .findings
            .push(Finding::new(Verdict::Look, Kind::ForeignCommits, text));
    }
    if !unknown.is_empty() {
        let text = format!(
            "steps have committed to it of which this lake has no decision: version {}; if another lake's pipeline writes into it, give that one with --pipeline",
            list(&unknown)
        );
        checked
            .findings
            .push(Finding::new(Verdict::Look, Kind::UnknownSteps, text));
    }
    if !restored.is_empty() {
        let text = format!(
            "it was restored to an earlier version: version {}",
            list(&restored)
        );
        checked
            .findings
            .push(Finding::new(Verdict::Well, Kind::Restored, text));
    }
}

/// Compares the rows of a table to which rows are only added with what decisions say.
async fn rows(
    root: &Location,
    table: &DeltaTable,
    log: &TableLog,
    parts: &[Part],
    checked: &mut TableChecked,
) -> Result<()> {
    let mut written: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for part in parts.iter().filter(|part| part.url == root.url().as_str()) {
        match part.mode {
            Mode::Append => {}
            Mode::Replace
            | Mode::ReplacePartition
            | Mode::ReplaceDynamic
            | Mode::Merge
            | Mode::Rewrite => return Ok(()),
        }
        let of = written.entry(part.app_id.as_str()).or_default();
        of.push((part.n, part.rows));
    }
    let told_apart = |finding: &Finding| {
        matches!(
            finding.kind,
            Kind::ForeignCommits | Kind::UnknownSteps | Kind::Restored
        )
    };
    if written.is_empty() || checked.findings.iter().any(told_apart) {
        return Ok(());
    }
    let mut sum = 0;
    for (application, batches) in &written {
        let applied = table
            .snapshot()?
            .transaction_version(&table.log_store(), *application)
            .await?;
        let Some(applied) = applied.and_then(|applied| u64::try_from(applied).ok()) else {
            continue;
        };
        if batches.iter().all(|(n, _)| *n < applied) {
            let text =
                "its rows were not compared with what decisions say, since a run is at work on it";
            checked
                .findings
                .push(Finding::new(Verdict::Well, Kind::NotCompared, text));
            return Ok(());
        }
        let before = batches.iter().filter(|(n, _)| *n <= applied);
        sum += before.map(|(_, rows)| rows).sum::<u64>();
    }
    checked.rows_by_decisions = Some(sum);
    let Some(there) = checked.rows.filter(|there| *there != sum) else {
        return Ok(());
    };
    let finding = match log.is_whole() {
        true => Finding::new(
            Verdict::Damaged,
            Kind::RowsDiffer,
            format!(
                "it has {there} rows, and decisions say that {sum} were added: compare `weir lake history` with the decisions below _weir/commits"
            ),
        ),
        // Somebody else may have committed what the log does not say any more.
        false => Finding::new(
            Verdict::Look,
            Kind::RowsDiffer,
            format!(
                "it has {there} rows, and decisions say that {sum} were added; the beginning of its log is gone, which could say why"
            ),
        ),
    };
    checked.findings.push(finding);
    Ok(())
}

/// Reads files whole, and compares their rows with what the log says.
async fn read_files(
    root: &Location,
    whole: Vec<(&FilePath, StorePath, FileState)>,
    checked: &mut TableChecked,
) -> Result<()> {
    let read: Vec<Option<String>> = futures::stream::iter(whole)
        .map(|(path, below, state)| async move {
            let rows = match rows_of(root, below).await {
                Ok(rows) => Some(rows),
                Err(error) => match store_failed(&error) {
                    true => {
                        let text = format!("'{}' cannot be read", path.display());
                        return Err(Error::storage(text, error)
                            .with_hint("run the same command again once the store answers"));
                    }
                    false => None,
                },
            };
            let said = state.rows.map(|rows| rows + state.deleted);
            let well = rows.is_some_and(|rows| said.is_none_or(|said| said == rows));
            Ok((!well).then(|| path.display()))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let wrong: Vec<String> = read.into_iter().flatten().collect();
    if !wrong.is_empty() {
        let text = format!(
            "{} of its files cannot be read, or hold other rows than the log says: restore them from a backup",
            wrong.len()
        );
        let finding = Finding::new(Verdict::Damaged, Kind::OtherRows, text);
        checked.findings.push(finding.of_files(wrong, 0));
    }
    Ok(())
}

async fn rows_of(root: &Location, path: StorePath) -> Result<u64, parquet::errors::ParquetError> {
    let reader = ObjectReader::of_object(root.store(), path);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
    let mut batches = builder.with_batch_size(8192).build()?;
    let mut rows = 0;
    while let Some(batch) = batches.try_next().await? {
        rows += batch.num_rows() as u64;
    }
    Ok(rows)
}

/// Whether a file could not be read because the store failed, not because of what is in it.
fn store_failed(error: &parquet::errors::ParquetError) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<object_store::Error>() {
            return !matches!(error, object_store::Error::NotFound { .. });
        }
        cause = current.source();
    }
    false
}

/// What a decision has for one table.
struct Part {
    n: u64,
    url: String,
    app_id: String,
    mode: Mode,
    rows: u64,
}

/// What all decisions have for tables.
async fn parts(decided: &Decided) -> Result<Vec<Part>> {
    let numbers = decided.sequences.iter().flat_map(|known| {
        let sequence = &known.sequence;
        let numbers = sequence.numbers.iter();
        // What was given up has put no row anywhere.
        let standing = numbers.filter(|n| !sequence.abandoned.contains(n));
        standing.map(move |n| (sequence, *n))
    });
    let mut decisions = futures::stream::iter(numbers)
        .map(|(sequence, n)| sequence.get(n))
        .buffered(AT_ONCE);
    let mut parts = Vec::new();
    while let Some(decision) = decisions.try_next().await? {
        for target in &decision.targets {
            if let TargetCommit::Delta(commit) = target {
                parts.push(Part {
                    n: decision.n,
                    url: commit.url.clone(),
                    app_id: commit.app_id.clone(),
                    mode: commit.mode,
                    rows: target.rows(),
                });
            }
        }
    }
    Ok(parts)
}
