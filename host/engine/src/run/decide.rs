//! What a step's decision says: every file of every target, and how its rows meet what is there.

use weir_pipeline::{ScopeValue, WriteMode};

use super::step::StepRun;
use super::work::Work;
use crate::commit::{Decision, TargetCommit};
use crate::delta::{self, DeltaCommit, Mode, Since};
use crate::error::{Error, Result};
use crate::merge::Merging;
use crate::plan::{PlannedStep, PlannedTarget, PlannedWrite, with_labels};
use crate::server::ServerCommit;
use crate::sqlite::{self, ScopeText, SqliteCommit};
use crate::types::scope_text;

/// What a decision is about.
pub(super) enum Kind {
    /// What the step reads.
    Run,
    /// All that the step has ever read, in place of what it has written.
    Refresh,
    /// What the step reads, in part once more: how those rows are marked that it had rejected.
    Again(Box<DeltaCommit>),
    /// Rows that it has rejected, and how they are marked.
    Replay(Box<DeltaCommit>),
}

impl Kind {
    /// How rows meet what is there, for a target of this mode.
    pub(super) fn modes(&self) -> fn(WriteMode) -> Mode {
        match self {
            Kind::Run | Kind::Again(_) => Mode::from,
            Kind::Refresh => |mode| match mode {
                WriteMode::Append | WriteMode::Merge => Mode::Replace,
                WriteMode::Replace | WriteMode::ReplacePartition | WriteMode::ReplaceDynamic => {
                    mode.into()
                }
            },
            // They come to those that are there.
            Kind::Replay(_) => |mode| match mode {
                WriteMode::Merge => Mode::Merge,
                WriteMode::Append
                | WriteMode::Replace
                | WriteMode::ReplacePartition
                | WriteMode::ReplaceDynamic => Mode::Append,
            },
        }
    }
}

impl StepRun {
    /// The decision `n` about what `work` has written.
    ///
    /// # Errors
    /// Internal, for a schema that passed the plan and cannot be written down.
    pub(super) fn decision(
        &self,
        planned: &PlannedStep,
        n: u64,
        input: Vec<crate::files::InputFile>,
        work: &mut Work,
        kind: Kind,
    ) -> Result<Decision> {
        let mut targets = Vec::with_capacity(planned.writes.len() + 1);
        let refresh = matches!(kind, Kind::Refresh);
        // Rows that are replayed were not made from the table's state.
        let replay = matches!(kind, Kind::Replay(_));
        let mode = kind.modes();
        let mut quarantine = planned.quarantine.as_ref();
        if let Kind::Replay(rewrite) | Kind::Again(rewrite) = kind {
            // First: if the rows have changed meanwhile, nothing else must have been done.
            targets.push(TargetCommit::Delta(*rewrite));
            quarantine = None;
        }
        for (write, files) in planned.writes.iter().zip(&work.accepted) {
            let in_lake = matches!(write.target, PlannedTarget::Table { .. });
            if self.options.dry_run && !in_lake {
                continue;
            }
            targets.push(match &write.target {
                PlannedTarget::Table { .. } => TargetCommit::Delta(DeltaCommit {
                    table: write.target.display(),
                    url: write.root.url().to_string(),
                    run: self.run.to_string(),
                    app_id: self.application(&write.app_id),
                    mode: mode(write.mode),
                    scope: scope_texts(&write.scope),
                    by: write.by.iter().map(|column| column.name.clone()).collect(),
                    merge: write.merge.clone(),
                    replaces: Vec::new(),
                    since: match replay {
                        true => None,
                        false => since(planned, &write.target, work),
                    },
                    schema: delta::schema_json(&with_labels(&write.written_schema, &write.labels))?,
                    evolves: write.evolves,
                    files: files.clone(),
                }),
                PlannedTarget::Sqlite {
                    connection,
                    path,
                    table,
                    remakes: _,
                } => TargetCommit::Sqlite(SqliteCommit {
                    target: write.target.display(),
                    connection: Some(connection.clone()),
                    path: std::path::absolute(path).map_err(|error| {
                        Error::usage("the database's path cannot be used").with_source(error)
                    })?,
                    table: table.clone(),
                    run: self.run.to_string(),
                    app_id: self.application(&write.app_id),
                    mode: mode(write.mode),
                    merge: within_scope(write),
                    columns: sqlite::columns(&write.written_schema)?,
                    evolves: write.evolves,
                    scope: write
                        .scope
                        .iter()
                        .map(|(name, value)| {
                            let text = match value {
                                ScopeValue::Int(number) => ScopeText::Int(*number),
                                other => ScopeText::Text(scope_text(other)),
                            };
                            (name.clone(), text)
                        })
                        .collect(),
                    staging: self.root(write, planned).url().to_string(),
                    files: files.clone(),
                }),
                PlannedTarget::Server {
                    kind,
                    connection,
                    table,
                    remakes: _,
                    columns,
                    options,
                } => TargetCommit::Server(ServerCommit {
                    kind: *kind,
                    target: write.target.display(),
                    connection: connection.clone(),
                    table: table.clone(),
                    run: self.run.to_string(),
                    app_id: self.application(&write.app_id),
                    mode: mode(write.mode),
                    merge: within_scope(write),
                    columns: columns.clone(),
                    evolves: write.evolves,
                    options: options.clone(),
                    scope: scope_texts(&write.scope),
                    staging: self.root(write, planned).url().to_string(),
                    files: files.clone(),
                }),
            });
        }
        if let Some(quarantine) = quarantine {
            targets.push(TargetCommit::Delta(DeltaCommit {
                table: format!("{}.{}", quarantine.name.zone, quarantine.name.table),
                url: quarantine.root.url().to_string(),
                run: self.run.to_string(),
                app_id: self.application(&quarantine.app_id),
                mode: mode(quarantine.mode),
                scope: scope_texts(&quarantine.scope),
                by: Vec::new(),
                merge: None,
                replaces: Vec::new(),
                since: None,
                schema: delta::schema_json(&with_labels(
                    &quarantine.written_schema,
                    &quarantine.labels,
                ))?,
                evolves: true,
                files: work.quarantined.clone(),
            }));
        }
        // First the one that cannot be made any more once others have changed the table, then databases,
        // which may refuse rows: then nothing has been done.
        targets.sort_by_key(|target| match target.delta() {
            Some(commit) if commit.may_be_stale() => 0,
            None => 1,
            Some(_) => 2,
        });
        Ok(Decision {
            input,
            tables: work.tables.clone(),
            position: work.position.clone(),
            refresh,
            counts: work.counts,
            ..self.decided(planned, n, targets)
        })
    }
}

/// The state of the table that the step writes from which its rows were made.
fn since(planned: &PlannedStep, target: &PlannedTarget, work: &Work) -> Option<Since> {
    match (&planned.own, target) {
        (Some((own, _)), PlannedTarget::Table { name }) if own == name => Some(Since {
            version: work.tables.get(&own.to_string()).copied(),
        }),
        _ => None,
    }
}

pub(super) fn scope_texts(scope: &[(String, ScopeValue)]) -> Vec<(String, String)> {
    scope
        .iter()
        .map(|(name, value)| (name.clone(), scope_text(value)))
        .collect()
}

/// How rows are matched in a table of a database: those of other scopes are other rows. A lake table has them in
/// other partitions.
fn within_scope(write: &PlannedWrite) -> Option<Merging> {
    let mut merging = write.merge.clone()?;
    let scope = write.scope.iter().map(|(name, _)| name.clone());
    merging.key.extend(scope);
    Some(merging)
}
