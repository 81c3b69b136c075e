//! What the commits of a table have added to it since one of its versions.

use std::collections::{BTreeSet, HashMap};
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

    /// The rows that each of them has added, as it added them: a row that was merged twice is there
    /// twice. `table` is the table after the last of them.
    ///
    /// # Errors
    /// Usage, if a file is gone that a commit has added and another has taken away since.
    pub(crate) async fn each(
        self,
        context: &SessionContext,
        table: &DeltaTable,
        with_file: bool,
    ) -> Result<Arc<dyn TableProvider>> {
        let live = paths(table).await?;
        let mut whole = Vec::new();
        let mut parts = Vec::new();
        for commit in self.commits {
            // Of a commit that rewrites files only the rows of its own run are new.
            let run = commit.by.clone().map(|(run, _)| run);
            let run = run.filter(|_| commit.removes_rows);
            let version = commit.version;
            let added: Vec<FilePath> = commit.into_added().collect();
            let found: Option<Vec<String>> =
                added.iter().map(|path| live.get(path).cloned()).collect();
            match found {
                Some(paths) if run.is_none() => whole.extend(paths),
                Some(paths) => parts.push(of_files(context, table, paths, run, with_file).await?),
                None => {
                    let then = delta::open_version(&self.root, version).await?;
                    let paths = self::paths(&then).await?;
                    let paths: Vec<String> = added
                        .iter()
                        .filter_map(|path| paths.get(path).cloned())
                        .collect();
                    for path in &paths {
                        there(&self.root, path, version).await?;
                    }
                    parts.push(of_files(context, &then, paths, run, with_file).await?);
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
        let mut runs = BTreeSet::new();
        let mut files = Vec::new();
        for commit in self.commits {
            match commit.by.clone() {
                Some((run, _)) if !run.is_empty() => {
                    runs.insert(run);
                }
                // Another program's: its rows say no run.
                _ => files.extend(
                    commit
                        .into_added()
                        .filter_map(|path| live.get(&path).cloned()),
                ),
            }
        }
        let mut parts = Vec::new();
        if !runs.is_empty() {
            let runs: Vec<Expr> = runs.into_iter().map(lit).collect();
            let rows = context.read_table(provider(table, with_file).await?)?;
            parts.push(rows.filter(named(RUN_COLUMN).in_list(runs, false))?);
        }
        if !files.is_empty() {
            parts.push(of_files(context, table, files, None, with_file).await?);
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

/// That a file is there which the table has no more.
async fn there(root: &Location, path: &str, version: u64) -> Result<()> {
    if delta::is_there(&root.file(path)).await? {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Input,
        format!(
            "the rows that version {version} of '{}' added are gone: they were rewritten, and the old files vacuumed",
            root.display()
        ),
    )
    .with_hint("run the step with --full-refresh; vacuum with a retention longer than the time between its runs"))
}
