//! What the commits of a table have added to it since one of its versions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::DataFrame;
use deltalake_core::DeltaTable;
use futures::{StreamExt, TryStreamExt};

use crate::delta::{self, Mode};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{Location, RUN_COLUMN};
use crate::upkeep::log::{self, Entry, FilePath};

/// Entries of a log that are read at once.
const AT_ONCE: usize = 8;

/// The commits of a table since one of its versions that changed its rows, oldest first.
#[derive(Debug)]
pub(crate) struct Changes {
    root: Location,
    commits: Vec<Entry>,
}

impl Changes {
    /// Those after version `from`, up to `to`; none if the log does not go back so far.
    ///
    /// # Errors
    /// As the store fails, or the log is damaged.
    pub(crate) async fn between(root: &Location, from: u64, to: u64) -> Result<Option<Changes>> {
        let entries: Vec<Option<Entry>> = futures::stream::iter(from.saturating_add(1)..=to)
            .map(|version| log::read(root, version))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let entries: Option<Vec<Entry>> = entries.into_iter().collect();
        Ok(entries.map(|entries| Changes {
            root: root.clone(),
            commits: entries
                .into_iter()
                .filter(|entry| entry.adds_rows || entry.removes_rows)
                .collect(),
        }))
    }

    /// Whether there is one.
    pub(crate) fn any(&self) -> bool {
        !self.commits.is_empty()
    }

    /// The version and the operation of the first that has taken rows away; where rows are replaced by
    /// key (`merging`), merges have not.
    pub(crate) fn removing(&self, merging: bool) -> Option<(u64, &str)> {
        let merges = |entry: &Entry| matches!(entry.by, Some((_, Mode::Merge)));
        let mut removing = self.commits.iter().filter(|entry| entry.removes_rows);
        removing
            .find(|entry| !(merging && merges(entry)))
            .map(|entry| (entry.version, entry.operation()))
    }

    /// The version and the operation of the first that has rewritten files of which nobody can say which rows
    /// are new: another program's, or a restore.
    pub(crate) fn rewriting(&self) -> Option<(u64, &str)> {
        let mut entries = self.commits.iter();
        entries
            .find(|entry| entry.by.is_none() && entry.adds_rows && entry.removes_rows)
            .map(|entry| (entry.version, entry.operation()))
    }

    /// The rows that each of them has added, as it added them: a row that was merged twice is there
    /// twice. `table` is the table after the last of them.
    ///
    /// # Errors
    /// Input, if a file is gone that a commit has added and another has rewritten since, and the rows
    /// cannot be told apart by their run.
    pub(crate) async fn each(
        self,
        context: &SessionContext,
        table: &DeltaTable,
        with_file: bool,
    ) -> Result<Arc<dyn TableProvider>> {
        let live = paths(table).await?;
        let mut additions = Vec::with_capacity(self.commits.len());
        for commit in self.commits {
            additions.push(Addition::of(&self.root, commit, &live).await?);
        }
        let mut gone: BTreeMap<String, (u64, Option<u64>)> = BTreeMap::new();
        for addition in additions.iter().filter(|addition| addition.is_gone) {
            let run = addition.run.clone().unwrap_or_default();
            gone.entry(run).or_insert((addition.version, Some(0)));
        }
        for addition in &additions {
            let run = addition.run.as_deref().unwrap_or_default();
            if let Some((_, rows)) = gone.get_mut(run) {
                *rows = rows.zip(addition.rows).map(|(all, rows)| all + rows);
            }
        }
        let mut parts = Vec::new();
        for (run, (version, rows)) in &gone {
            let of_run = of_run(context, table, run, with_file).await?;
            // A run that has also committed before, or whose rows were changed since, has other rows.
            let there = of_run.clone().count().await? as u64;
            if run.is_empty() || *rows != Some(there) {
                return Err(vacuumed(&self.root, *version));
            }
            parts.push(of_run);
        }
        let mut whole = Vec::new();
        for addition in additions {
            if gone.contains_key(addition.run.as_deref().unwrap_or_default()) {
                continue;
            }
            // Of a commit that rewrites files only the rows of its own run are new.
            let run = addition.run.filter(|_| addition.rewrites);
            match (addition.then, run) {
                (None, None) => whole.extend(addition.paths),
                (then, run) => {
                    let table = then.as_ref().unwrap_or(table);
                    parts.push(of_files(context, table, addition.paths, run, with_file).await?);
                }
            }
        }
        if !whole.is_empty() {
            parts.push(of_files(context, table, whole, None, with_file).await?);
        }
        union(parts, table, with_file).await
    }

    /// The rows of `table` that any of them has added or changed, as they are after the last of them.
    pub(crate) async fn latest(
        self,
        context: &SessionContext,
        table: &DeltaTable,
        with_file: bool,
    ) -> Result<Arc<dyn TableProvider>> {
        let live = paths(table).await?;
        let says_runs = table
            .snapshot()?
            .snapshot()
            .arrow_schema()
            .field_with_name(RUN_COLUMN)
            .is_ok();
        let mut runs = BTreeSet::new();
        let mut files = Vec::new();
        for commit in self.commits {
            match commit.by.clone() {
                Some((run, _)) if says_runs && !run.is_empty() => {
                    runs.insert(run);
                }
                // Another program's, or of a table of another program's: its rows say no run.
                _ => files.extend(
                    commit
                        .into_added()
                        .filter_map(|path| live.get(&path).cloned()),
                ),
            }
        }
        let mut parts = Vec::new();
        let runs: Vec<Expr> = runs.into_iter().map(lit).collect();
        if !files.is_empty() {
            let rows = of_files(context, table, files, None, with_file).await?;
            // Rows of the runs are found below, wherever they lie now.
            parts.push(match runs.is_empty() {
                true => rows,
                false => {
                    let run = named(RUN_COLUMN);
                    let others = run.clone().in_list(runs.clone(), true);
                    rows.filter(run.is_null().or(others))?
                }
            });
        }
        if !runs.is_empty() {
            let rows = context.read_table(provider(table, with_file).await?)?;
            parts.push(rows.filter(named(RUN_COLUMN).in_list(runs, false))?);
        }
        union(parts, table, with_file).await
    }
}

fn named(column: &str) -> Expr {
    Expr::Column(Column::from_name(column))
}

async fn provider(table: &DeltaTable, with_file: bool) -> Result<Arc<dyn TableProvider>> {
    match with_file {
        true => delta::provider_with_file(table).await,
        false => delta::provider_of(table).await,
    }
}

/// The paths of the table's files, as its scan is given them.
async fn paths(table: &DeltaTable) -> Result<HashMap<FilePath, String>> {
    let views = delta::live_files(table).await?;
    Ok(views
        .iter()
        .map(|view| (FilePath::of(view), view.path().into_owned()))
        .collect())
}

/// The rows of some files of the table, those of `run` only if one is given.
async fn of_files(
    context: &SessionContext,
    table: &DeltaTable,
    paths: Vec<String>,
    run: Option<String>,
    with_file: bool,
) -> Result<DataFrame> {
    let rows = context.read_table(delta::provider_of_files(table, paths).await?)?;
    let rows = match with_file {
        true => rows,
        false => rows.drop_columns(&[crate::files::FILE_COLUMN])?,
    };
    Ok(match run {
        Some(run) => rows.filter(named(RUN_COLUMN).eq(lit(run)))?,
        None => rows,
    })
}

async fn union(
    parts: Vec<DataFrame>,
    table: &DeltaTable,
    with_file: bool,
) -> Result<Arc<dyn TableProvider>> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else {
        let schema = provider(table, with_file).await?.schema();
        return Ok(Arc::new(EmptyTable::new(schema)));
    };
    let all = parts.try_fold(first, DataFrame::union)?;
    Ok(all.into_view())
}

/// The rows of `run`.
async fn of_run(
    context: &SessionContext,
    table: &DeltaTable,
    run: &str,
    with_file: bool,
) -> Result<DataFrame> {
    let rows = context.read_table(provider(table, with_file).await?)?;
    Ok(rows.filter(named(RUN_COLUMN).eq(lit(run)))?)
}

/// What one commit has added.
struct Addition {
    version: u64,
    run: Option<String>,
    /// How many rows its files had, where the log says so.
    rows: Option<u64>,
    /// Whether it took files away too.
    rewrites: bool,
    /// The table as it left it, where others have rewritten the files since.
    then: Option<DeltaTable>,
    paths: Vec<String>,
    /// Whether a file is there no more.
    is_gone: bool,
}

impl Addition {
    /// Of `commit`, where the table has the files `live` now.
    async fn of(
        root: &Location,
        commit: Entry,
        live: &HashMap<FilePath, String>,
    ) -> Result<Addition> {
        let mut addition = Addition {
            version: commit.version,
            run: commit.by.as_ref().map(|(run, _)| run.clone()),
            rows: commit.rows_added(),
            rewrites: commit.removes_rows,
            then: None,
            paths: Vec::new(),
            is_gone: false,
        };
        let added: Vec<FilePath> = commit.into_added().collect();
        let found: Option<Vec<String>> = added.iter().map(|path| live.get(path).cloned()).collect();
        if let Some(paths) = found {
            addition.paths = paths;
            return Ok(addition);
        }
        let then = delta::open_version(root, addition.version).await?;
        let mut paths = paths(&then).await?;
        addition.paths = added.iter().filter_map(|path| paths.remove(path)).collect();
        addition.then = Some(then);
        for path in &addition.paths {
            if !delta::is_there(&root.file(path)).await? {
                addition.is_gone = true;
                break;
            }
        }
        Ok(addition)
    }
}

/// The files of a commit are gone.
fn vacuumed(root: &Location, version: u64) -> Error {
    Error::new(
        ErrorKind::Input,
        format!(
            "the rows that version {version} of '{}' added are gone: they were rewritten, and the old files vacuumed",
            root.display()
        ),
    )
    .with_hint("run the step with --full-refresh; vacuum with a retention longer than the time between its runs")
}
