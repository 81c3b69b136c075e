//! One step: recover, settle the input, write files, decide, apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::Expr;
use uuid::Uuid;
use weir_pipeline::{ReadSource, WriteMode};

use super::decide::{Kind, scope_texts};
use super::execute::{SegmentRun, register_input, tables};
use super::incremental::NewRows;
use super::side_rows::SideRows;
use super::step_record::{blank_record, differences, sql_record, stage_names};
use super::work::{Work, judge, rejected_of_changed, tell_of_touched};
use super::{Replay, RunOptions, files_were_taken, interrupted, now, timed_out};
use crate::commit::{Applier, Counts, Decision, Decisions, TargetCommit};
use crate::connections::Connections;
use crate::data_file::Lasting;
use crate::database::Snapshots;
use crate::delta::{self, Applied, DeltaCommit};
use crate::envelope::READ_STAGE;
use crate::error::{Error, ErrorKind, Result};
use crate::files::elsewhere::{Outcome, Progress};
use crate::files::first_batch;
use crate::guest_log::GuestLogFile;
use crate::lake::{FORMAT, Location, RUN_COLUMN};
use crate::merge;
use crate::plan::QuarantinePlan;
use crate::plan::{
    Plan, PlannedSegment, PlannedSql, PlannedStep, PlannedTarget, PlannedWork, PlannedWrite,
    SegmentSource, is_incremental, sequence, with_labels,
};
use crate::quarantine::{self, Found, Selection};
use crate::record::{HeldRows, RunRecord, Status, StepRecord, TargetRecord};
use crate::segment::{Quarantine, SegmentOutput, WrittenFile};
use crate::session;
use crate::sql_commit::SqlCommit;
use crate::types::lake_schema;
use crate::upkeep::vacuum::LEAST_RETENTION;
use crate::vault::{Turns, Vaults};

/// What all steps of a run share.
pub(super) struct StepRun {
    pub(super) plan: Arc<Plan>,
    pub(super) run: Arc<str>,
    /// Which lake it is.
    pub(super) lake: Uuid,
    pub(super) runtime: Arc<RuntimeEnv>,
    pub(super) options: RunOptions,
    pub(super) guest_log: Arc<GuestLogFile>,
    pub(super) turns: Turns,
    /// Where files lie that are nobody's in the end.
    pub(super) staging: Location,
}

/// How often a batch is begun again because other runs have added to its vaults.
const ATTEMPTS: u32 = 8;
/// What a batch reads.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// All that the step reads, or those of its files that are given.
    All,
    /// Of one table only these rows.
    New(&'a NewRows),
    /// Of a stream what is not read yet, or all of it.
    Stream(&'a Arc<Progress>),
    /// Rows in quarantine.
    Quarantine(&'a Found),
}

/// Why a step ended before its end.
pub(super) struct Stopped {
    pub(super) error: Error,
    /// The batches that were done before.
    pub(super) done: Option<Box<StepRecord>>,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped { error, done: None }
    }
}

impl StepRun {
    /// Runs the step at `index` of the plan.
    ///
    /// # Errors
    /// With the record of the batches that were done before, which stay.
    pub(super) async fn run(&self, index: usize) -> Result<StepRecord, Stopped> {
        let planned = self
            .plan
            .steps
            .get(index)
            .ok_or_else(|| Error::internal("a step is not there"))?;
        if let Some(replay) = &self.options.replay {
            return self.replay(planned, replay).await;
        }
        if let Some(sql) = &planned.sql {
            return self.database_sql(planned, sql).await.map_err(Stopped::from);
        }
        // Batches after the first add to what it has replaced.
        let refresh = self.options.full_refresh && is_incremental(&planned.step);
        let (mut record, mut more) = self.batch(planned, refresh).await?;
        while more {
            match self.batch(planned, false).await {
                Ok((next, still_more)) => {
                    record = record.and(next);
                    more = still_more;
                }
                Err(Stopped { error, done }) => {
                    let done = match done {
                        Some(failed) => record.and(*failed),
                        None => record,
                    };
                    return Err(Stopped {
                        error,
                        done: Some(Box::new(done)),
                    });
                }
            }
        }
        Ok(record)
    }

    /// Has a database run SQL, under a decision like any other. A dry run has it run nothing.
    async fn database_sql(&self, planned: &PlannedStep, sql: &PlannedSql) -> Result<StepRecord> {
        if self.options.dry_run {
            return Ok(blank_record(planned, Status::Succeeded));
        }
        let decisions = self.decisions(planned);
        let applier = self.applier();
        let n = self.recover(planned, &decisions, &applier).await?;
        if self.options.stop.is_cancelled() {
            return Err(interrupted(planned));
        }
        if let Some(n) = self.unfinished(planned, &decisions).await? {
            return Ok(sql_record(planned, sql, n));
        }
        let commit = TargetCommit::Sql(SqlCommit {
            target: sql.target.clone(),
            connection: sql.connection.clone(),
            run: self.run.to_string(),
            app_id: self.application(&sql.app_id),
            work: sql.work.clone(),
        });
        let decision = self.decided(planned, n, vec![commit]);
        decisions.decide(&decision).await?;
        decisions.apply(&decision, &applier).await?;
        Ok(sql_record(planned, sql, n))
    }

    /// The decision of a run that did not come to say that it was done, of the same SQL: recovered, it is what
    /// this run was to do.
    async fn unfinished(
        &self,
        planned: &PlannedStep,
        decisions: &Decisions,
    ) -> Result<Option<u64>> {
        let Some(latest) = decisions.latest().await? else {
            return Ok(None);
        };
        if latest.fingerprint != planned.fingerprint || decisions.is_abandoned(latest.n).await? {
            return Ok(None);
        }
        let record = RunRecord::get(&self.plan.lake.weir(), &latest.run).await?;
        let steps = record.map_or_else(Vec::new, |record| record.steps);
        let said = steps.iter().any(|step| {
            step.step == latest.step && step.n == Some(latest.n) && step.status.is_done()
        });
        Ok((!said).then_some(latest.n))
    }

    /// A decision that has read nothing.
    pub(super) fn decided(
        &self,
        planned: &PlannedStep,
        n: u64,
        targets: Vec<TargetCommit>,
    ) -> Decision {
        let params = self.plan.pipeline.params.iter();
        Decision {
            format: FORMAT,
            writer: Uuid::new_v4(),
            run: self.run.to_string(),
            pipeline: self.plan.pipeline.name.clone(),
            step: planned.step.name.clone(),
            params: params
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            n,
            fingerprint: planned.fingerprint.clone(),
            lake: self.plan.lake.root().url().to_string(),
            decided_at: now(),
            input: Vec::new(),
            tables: BTreeMap::new(),
            position: None,
            refresh: false,
            counts: Counts::default(),
            targets,
        }
    }

    /// Runs open rows of quarantine through the step, and marks them there under the same decision.
    async fn replay(&self, planned: &PlannedStep, replay: &Replay) -> Result<StepRecord, Stopped> {
        let Some(quarantine) = &planned.quarantine else {
            return Err(Error::usage(format!(
                "step '{}' keeps no rows in quarantine",
                planned.step.name
            ))
            .with_hint("replay a step that has a check or plugin with on_fail = \"quarantine\"")
            .into());
        };
        let decisions = self.decisions(planned);
        let applier = self.applier();
        let n = self.recover(planned, &decisions, &applier).await?;
        let up_to_date = || blank_record(planned, Status::UpToDate);
        let Some(table) = delta::open(&quarantine.root).await? else {
            return Ok(up_to_date());
        };
        let context = session::session(&self.runtime, self.options.resources);
        let selection = Selection::open_of(&planned.step.name, replay.rule.as_deref());
        let scope = scope_texts(&quarantine.scope);
        let found = Found::of(&context, &table, &quarantine.root, &selection, &scope).await?;
        if found.rows == 0 {
            return Ok(up_to_date());
        }
        let snapshots = Snapshots::new(applier.connections.clone());
        let rows = Source::Quarantine(&found);
        let written = self.write_files(planned, &[], rows, &snapshots);
        let mut work = self.in_time(planned, written).await?;
        snapshots.close().await;
        if let Err(error) = self.distinct_keys(planned, &work).await {
            self.abandon(planned, &work).await?;
            return Err(error.into());
        }
        if !work.vaults.keep(&applier, &self.run).await? {
            self.abandon(planned, &work).await?;
            return Err(vault_is_busy(planned).into());
        }
        let marked = found
            .marked(&context, quarantine::REPLAYED, &self.run)
            .await?;
        let rewrite = self.rewrite(quarantine, &found, marked, &mut work)?;
        let decision = self.decision(
            planned,
            n,
            Vec::new(),
            &mut work,
            Kind::Replay(Box::new(rewrite)),
        )?;
        self.settle(planned, (&decisions, &applier), decision, work, false)
            .await
            .map_err(Stopped::from)
    }

    /// The commit that puts `marked` rows, and those that `work` rejects, in the place of those found.
    fn rewrite(
        &self,
        quarantine: &QuarantinePlan,
        found: &Found,
        marked: Vec<WrittenFile>,
        work: &mut Work,
    ) -> Result<DeltaCommit> {
        // What is rejected again is open again, in rows of its own.
        let scope: Vec<Option<String>> = scope_texts(&quarantine.scope)
            .into_iter()
            .map(|(_, value)| Some(value))
            .collect();
        let again = work.quarantined.drain(..).map(|file| WrittenFile {
            partition: scope.clone(),
            ..file
        });
        let files = marked.into_iter().chain(again).collect();
        let app_id = self.application(&quarantine.app_id);
        let more = Arc::new(with_labels(&quarantine.written_schema, &quarantine.labels));
        found.commit(&quarantine.name, app_id, &self.run, files, &more)
    }

    /// How rows that the step had rejected are marked where it has read them again.
    async fn read_again(
        &self,
        planned: &PlannedStep,
        again: &Expr,
        work: &mut Work,
    ) -> Result<Option<DeltaCommit>> {
        let Some(quarantine) = &planned.quarantine else {
            return Ok(None);
        };
        let Some(table) = delta::open(&quarantine.root).await? else {
            return Ok(None);
        };
        let context = session::session(&self.runtime, self.options.resources);
        let selection = Selection {
            condition: Some(again.clone()),
            readable: false,
            ..Selection::open_of(&planned.step.name, None)
        };
        let scope = scope_texts(&quarantine.scope);
        let found = Found::of(&context, &table, &quarantine.root, &selection, &scope).await?;
        if found.rows == 0 {
            return Ok(None);
        }
        let marked = found
            .marked(&context, quarantine::READ_AGAIN, &self.run)
            .await?;
        self.rewrite(quarantine, &found, marked, work).map(Some)
    }

    /// Whose loads are counted. Decisions are numbered in each lake, so that those of two lakes which write
    /// one table must not be taken for each other.
    pub(super) fn application(&self, planned: &str) -> String {
        format!("{planned}@{}", self.lake)
    }

    fn decisions(&self, planned: &PlannedStep) -> Decisions {
        Decisions::of(
            &self.plan.lake,
            &self.plan.pipeline.name,
            &planned.step.name,
            sequence(&planned.step, &self.plan.params_hash),
        )
    }

    /// Finishes what is decided; gives the number of the next decision.
    async fn recover(
        &self,
        planned: &PlannedStep,
        decisions: &Decisions,
        applier: &Applier,
    ) -> Result<u64> {
        let (n, recovered) = decisions.recover(applier).await?;
        if let Some(decision) = recovered {
            tracing::info!(step = %planned.step.name, n = decision.n, run = %decision.run, "rolled a decision forward");
        }
        Ok(n)
    }

    /// The work of a step, unless its time is over or it is asked to stop before it is done. Dropped at
    /// a batch, it leaves files that nobody knows of.
    pub(super) async fn in_time(
        &self,
        planned: &PlannedStep,
        work: impl Future<Output = Result<Work>>,
    ) -> Result<Work> {
        // What is decided is finished, however long it takes: only the work before has a limit.
        let limited = async {
            match planned.step.timeout {
                None => work.await,
                Some(limit) => tokio::time::timeout(limit, work)
                    .await
                    .unwrap_or_else(|_| Err(timed_out(planned, limit))),
            }
        };
        tokio::select! {
            biased;
            () = self.options.stop.cancelled() => Err(interrupted(planned)),
            work = limited => work,
        }
    }

    /// Decides, applies, and says what was done.
    async fn settle(
        &self,
        planned: &PlannedStep,
        (decisions, applier): (&Decisions, &Applier),
        decision: Decision,
        work: Work,
        warned: bool,
    ) -> Result<StepRecord> {
        // Younger files no vacuum may take.
        if work.began.elapsed() >= LEAST_RETENTION
            && !decision.files_are_there(&applier.stores).await?
        {
            return Err(files_were_taken(planned));
        }
        decisions.decide(&decision).await?;
        let applied = decisions.apply(&decision, applier).await?;
        let mut record = self.record(planned, &work, warned);
        record.n = Some(decision.n);
        record.files = decision.input.len() as u64;
        record.bytes_read = decision.input.iter().map(|file| file.size).sum();
        record.targets = decision
            .targets
            .iter()
            .zip(applied)
            .map(|(target, (name, applied))| TargetRecord {
                schema_changes: differences(planned, &name),
                target: name,
                rows: target.rows(),
                bytes: target.bytes(),
                version: match (target, applied) {
                    (TargetCommit::Delta(_), Applied::Now(version)) => Some(version),
                    _ => None,
                },
            })
            .collect();
        // Staged files have served; what is left of them after a crash is harmless.
        for folder in &work.staged {
            folder.remove_folder().await?;
        }
        Ok(record)
    }

    /// One batch, from its input to its targets; and whether there is more to read.
    async fn batch(
        &self,
        planned: &PlannedStep,
        refresh: bool,
    ) -> Result<(StepRecord, bool), Stopped> {
        for _ in 0..ATTEMPTS {
            if let Some(done) = self.attempt(planned, refresh).await? {
                return Ok(done);
            }
        }
        Err(vault_is_busy(planned).into())
    }

    /// The same; nothing, and nothing is changed, if another run has added to a vault meanwhile.
    async fn attempt(
        &self,
        planned: &PlannedStep,
        refresh: bool,
    ) -> Result<Option<(StepRecord, bool)>, Stopped> {
        let outcome = self.try_batch(planned, refresh).await;
        if !matches!(outcome, Ok(Some(_))) {
            self.clear_segments(planned).await;
        }
        outcome
    }

    /// Removes the rows between segments of work that came to nothing: a later stage might have masked them.
    async fn clear_segments(&self, planned: &PlannedStep) {
        for index in 1..planned.segments.len() {
            let folder = self.between_segments(planned, index - 1);
            // What is left `weir lake vacuum` removes; the step has an error of its own.
            if let Err(error) = folder.remove_folder().await {
                tracing::warn!(step = %planned.step.name, error = %error, "staged rows were not removed");
            }
        }
    }

    /// Where the rows lie that a segment gives to the next one.
    fn between_segments(&self, planned: &PlannedStep, index: usize) -> Location {
        self.staging(planned, &format!("segment-{index}"))
    }

    async fn try_batch(
        &self,
        planned: &PlannedStep,
        refresh: bool,
    ) -> Result<Option<(StepRecord, bool)>, Stopped> {
        let decisions = self.decisions(planned);
        let incremental = is_incremental(&planned.step);
        let applier = self.applier();
        let n = self.recover(planned, &decisions, &applier).await?;
        // The input, settled before work starts.
        let mut files = planned.files.clone().unwrap_or_default();
        let mut more = false;
        let mut new = None;
        let mut changed = None;
        let stream = stream_of(planned);
        let mut progress = stream.map(|stream| Arc::new(Progress::whole(stream)));
        let snapshots = Snapshots::new(applier.connections.clone());
        if incremental && (self.options.limit.is_some() || planned.step.read.limit.is_some()) {
            return Err(Error::usage(format!(
                "step '{}' adds what is new whole and once, so it cannot have a limit",
                planned.step.name
            ))
            .with_hint("leave out the limit, or leave the step out with --step")
            .into());
        }
        if incremental {
            let targets: Vec<String> = planned
                .writes
                .iter()
                .map(|write| write.target.display())
                .collect();
            if let Some(incremental) = &planned.step.read.incremental {
                let before = match refresh {
                    true => None,
                    false => decisions.position(&targets).await?,
                };
                new = NewRows::find(self, planned, incremental, before, &snapshots).await?;
                if new.is_none() {
                    return Ok(Some((blank_record(planned, Status::UpToDate), false)));
                }
            } else if let (Some(stream), Some(source)) = (stream, planned.step.read.elsewhere()) {
                let before = match refresh {
                    true => None,
                    false => decisions.position(&targets).await?,
                };
                let mut modes = planned.writes.iter().map(|write| write.mode);
                let merges = modes.all(|mode| mode == WriteMode::Merge);
                let behind = Progress::behind(stream, before, source.max_rows, merges);
                let behind = behind
                    .map_err(|error| error.within(&format!("step '{}'", planned.step.name)))?;
                progress = Some(Arc::new(behind));
            } else {
                let mut loaded = BTreeSet::new();
                if !refresh {
                    loaded = decisions.loaded_files(&targets).await?;
                    files.retain(|file| !loaded.contains(file));
                    tell_of_touched(planned, &files, &loaded);
                }
                // Where no file has ever come, the tables are made all the same: other steps read them.
                let idle = files.is_empty() && !refresh;
                if idle && (!loaded.is_empty() || self.tables_are_there(planned).await?) {
                    return Ok(Some((blank_record(planned, Status::UpToDate), false)));
                }
                let unread = files.len();
                if let ReadSource::Files(read) = &planned.step.read.source {
                    (files, _) = first_batch(files, read);
                }
                files = decisions.intend(n, files).await?;
                more = files.len() < unread;
                changed = rejected_of_changed(planned, &files, &loaded);
            }
        }

        let source = match (&new, &progress) {
            (Some(new), _) => Source::New(new),
            (None, Some(progress)) => Source::Stream(progress),
            (None, None) => Source::All,
        };
        let written = self.write_files(planned, &files, source, &snapshots);
        let mut work = self.in_time(planned, written).await?;
        snapshots.close().await;
        if let (true, Some(progress)) = (incremental, &progress) {
            match progress.outcome() {
                Ok(Outcome::Read {
                    position,
                    more: behind,
                }) => {
                    work.position = Some(position);
                    more = behind;
                }
                Ok(Outcome::Nothing) if refresh => work.position = Some(progress.beginning()),
                nothing => {
                    self.abandon(planned, &work).await?;
                    nothing?;
                    return Ok(Some((blank_record(planned, Status::UpToDate), false)));
                }
            }
        }
        let warned = match judge(planned, &work, &self.run) {
            Ok(warned) => warned || !work.quarantined.is_empty(),
            Err(error) => {
                // A token that people are shown is one that the vault knows.
                let done = match work.vaults.keep(&applier, &self.run).await? {
                    true => self.hold(planned, &mut work).map(Box::new),
                    false => None,
                };
                self.abandon(planned, &work).await?;
                return Err(Stopped { error, done });
            }
        };
        if let Err(error) = self.distinct_keys(planned, &work).await {
            self.abandon(planned, &work).await?;
            return Err(error.into());
        }
        if !work.vaults.keep(&applier, &self.run).await? {
            self.abandon(planned, &work).await?;
            return Ok(None);
        }
        let within_lag = new.as_ref().and_then(|new| new.again.as_ref());
        let again = match within_lag.or(changed.as_ref()) {
            Some(again) => self.read_again(planned, again, &mut work).await?,
            None => None,
        };
        let kind = match again {
            Some(marked) => Kind::Again(Box::new(marked)),
            None if refresh => Kind::Refresh,
            None => Kind::Run,
        };
        let decision = self.decision(planned, n, files, &mut work, kind)?;
        let record = self
            .settle(planned, (&decisions, &applier), decision, work, warned)
            .await?;
        Ok(Some((record, more)))
    }

    /// Whether all lake tables are there that the step writes.
    async fn tables_are_there(&self, planned: &PlannedStep) -> Result<bool> {
        for write in &planned.writes {
            let in_lake = matches!(write.target, PlannedTarget::Table { .. });
            if in_lake && delta::open(&write.root).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps the rejected rows of a step that fails because of them, for people to look at.
    fn hold(&self, planned: &PlannedStep, work: &mut Work) -> Option<StepRecord> {
        let quarantine = planned.quarantine.as_ref()?;
        let files = std::mem::take(&mut work.quarantined);
        let mut record = self.record(planned, work, false);
        if !files.is_empty() {
            record.held = Some(HeldRows {
                step: planned.step.name.clone(),
                url: quarantine.root.url().to_string(),
                rows: files.iter().map(|file| file.rows).sum(),
                files: files.into_iter().map(|file| file.path).collect(),
            });
        }
        Some(record)
    }

    pub(super) fn applier(&self) -> Applier {
        Applier {
            stores: self.plan.lake.root().stores().clone(),
            connections: Connections::of(&self.plan.pipeline, &self.plan.lake),
            runtime: Arc::clone(&self.runtime),
            resources: self.options.resources,
        }
    }

    /// Whether rows that are merged without an order have different keys: once it is decided, it must
    /// be possible to apply it.
    pub(super) async fn distinct_keys(&self, planned: &PlannedStep, work: &Work) -> Result<()> {
        for (write, files) in planned.writes.iter().zip(&work.accepted) {
            let Some(merging) = &write.merge else {
                continue;
            };
            if !merging.order.is_empty() || files.is_empty() {
                continue;
            }
            let rows = merge::shared_keys(
                &self.applier(),
                &self.root(write, planned),
                &write.file_schema,
                &merging.key,
                files,
            )
            .await?;
            if rows > 0 {
                return Err(merge::ambiguous(
                    &write.target.display(),
                    &merging.key,
                    rows,
                ));
            }
        }
        Ok(())
    }

    /// Removes the files of work that comes to nothing.
    async fn abandon(&self, planned: &PlannedStep, work: &Work) -> Result<()> {
        for (write, files) in planned.writes.iter().zip(&work.accepted) {
            for file in files {
                self.root(write, planned).file(&file.path).remove().await?;
            }
        }
        if let Some(quarantine) = &planned.quarantine {
            for file in &work.quarantined {
                quarantine.root.file(&file.path).remove().await?;
            }
        }
        Ok(())
    }

    /// Where a write's files lie: a database's in a folder of this run.
    pub(super) fn root(&self, write: &PlannedWrite, planned: &PlannedStep) -> Location {
        match &write.target {
            PlannedTarget::Table { .. } => write.root.clone(),
            PlannedTarget::Sqlite { .. } | PlannedTarget::Server { .. } => {
                // Two databases may have tables of one name, and two names the same harmless characters.
                let target = write.target.display();
                let digest = <sha2::Sha256 as sha2::Digest>::digest(target.as_bytes());
                let digest = crate::plan::hex(&digest, 12);
                let target = target.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
                self.staging(planned, &format!("{target}-{digest}-{}", write.output))
            }
        }
    }

    fn staging(&self, planned: &PlannedStep, name: &str) -> Location {
        let step = crate::plan::hex(
            &<sha2::Sha256 as sha2::Digest>::digest(planned.step.name.as_bytes()),
            12,
        );
        self.staging.child(&[&step, name])
    }

    /// Executes all segments; nothing is visible to anyone yet.
    async fn write_files(
        &self,
        planned: &PlannedStep,
        files: &[crate::files::InputFile],
        source: Source<'_>,
        snapshots: &Snapshots,
    ) -> Result<Work> {
        let vaults = Vaults::open(
            &planned.vaults(),
            &self.plan.lake,
            &self.applier(),
            &self.turns,
        )
        .await?;
        self.write_with(planned, files, source, (snapshots, Arc::new(vaults)))
            .await
    }

    /// The same, with vaults that are open.
    pub(super) async fn write_with(
        &self,
        planned: &PlannedStep,
        files: &[crate::files::InputFile],
        source: Source<'_>,
        (snapshots, vaults): (&Snapshots, Arc<Vaults>),
    ) -> Result<Work> {
        let (replay, new, progress) = match source {
            Source::All => (None, None, None),
            Source::New(new) => (None, Some(new), None),
            Source::Stream(progress) => (None, None, Some(progress)),
            Source::Quarantine(found) => (Some(found), None, None),
        };
        let context = session::session(&self.runtime, self.options.resources);
        let read = tables(self, &context, planned, new, snapshots).await?;
        session::register(&context, read.providers)?;
        let side_rows = Box::pin(SideRows::read(self, planned, &context)).await?;
        let mut work = Work {
            vaults,
            counts: Counts::default(),
            accepted: vec![Vec::new(); planned.writes.len()],
            quarantined: Vec::new(),
            rejected_by: BTreeMap::new(),
            warned_by: BTreeMap::new(),
            tallies: BTreeMap::new(),
            staged: Vec::new(),
            tables: read.versions,
            position: new.and_then(|new| new.position.clone()),
            began: Instant::now(),
        };
        let stages = stage_names(&self.plan, planned);
        let last = planned.segments.len().saturating_sub(1);
        for (index, segment) in planned.segments.iter().enumerate() {
            let number = i32::try_from(index).unwrap_or(i32::MAX);
            let replay = match replay {
                None => None,
                // What a query makes of rows it makes of all of them: only what comes after is run again.
                Some(_) if index < last => continue,
                Some(found) => Some(found.input(&context, &segment.input, number).await?),
            };
            let first = index == 0 || replay.is_some();
            let outputs: Arc<[SegmentOutput]> = if index == last {
                planned
                    .writes
                    .iter()
                    .map(|write| self.segment_output(write, planned))
                    .collect()
            } else {
                let staged = self.between_segments(planned, index);
                work.staged.push(staged.clone());
                Arc::from([between(segment, staged)?])
            };
            let quarantine = planned.quarantine.as_ref().and_then(|plan| {
                let schema = plan.file_schemas.get(index)?;
                Some(Arc::new(Quarantine {
                    root: plan.root.clone(),
                    folder: plan.folder.clone(),
                    schema: Arc::clone(schema),
                    run: Arc::clone(&self.run),
                    step: planned.step.name.as_str().into(),
                    segment: number,
                    stages: Arc::clone(&stages),
                    masks: Arc::clone(&segment.kept),
                    without_texts: planned.masks(),
                    vaults: Arc::clone(&work.vaults),
                }))
            });
            if planned.reader.is_some() {
                work.tallies.entry(READ_STAGE).or_default();
            }
            if let SegmentSource::Fold(fold) = &segment.source {
                work.tallies.entry(fold.fate.stage).or_default();
            }
            for stage in &segment.stages {
                if matches!(stage.work, PlannedWork::Plugin(_)) {
                    work.tallies.entry(stage.fate.stage).or_default();
                }
            }
            let result = SegmentRun {
                shared: self,
                planned,
                segment,
                context: &context,
                files,
                table: read.whole.clone(),
                progress: progress.cloned(),
                replay,
                outputs: Arc::clone(&outputs),
                quarantine,
                vaults: &work.vaults,
                tallies: &work.tallies,
                side_rows: &side_rows,
            }
            .execute()
            .await?;
            let accepted = work.take(result, first, index == last);
            if index < last
                && let Some(output) = outputs.first()
            {
                register_input(&context, output, &accepted).await?;
            }
        }
        Ok(work)
    }

    fn segment_output(&self, write: &PlannedWrite, planned: &PlannedStep) -> SegmentOutput {
        SegmentOutput {
            output: write.output,
            root: self.root(write, planned),
            folder: write.folder.clone(),
            schema: Arc::clone(&write.file_schema),
            columns: write.columns.clone(),
            lossy: write.lossy.clone(),
            pinned: write.pinned.clone(),
            by: Arc::clone(&write.by),
            required: write.required.clone(),
            lasting: match &write.target {
                PlannedTarget::Table { .. } => Lasting::Kept,
                PlannedTarget::Sqlite { .. } | PlannedTarget::Server { .. } => Lasting::Passing,
            },
            run: match &write.target {
                PlannedTarget::Table { .. } => {
                    let keeps = write.file_schema.field_with_name(RUN_COLUMN).is_ok();
                    keeps.then(|| Arc::clone(&self.run))
                }
                PlannedTarget::Sqlite { .. } | PlannedTarget::Server { .. } => None,
            },
        }
    }
}

/// How people call the stream that a step reads, if it reads one.
pub(super) fn stream_of(planned: &PlannedStep) -> Option<&str> {
    match &planned.step.read.source {
        ReadSource::Files(read) if planned.step.read.elsewhere().is_some() => Some(&read.glob),
        _ => None,
    }
}

/// What becomes of a step whose vaults others keep adding to.
fn vault_is_busy(planned: &PlannedStep) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!(
            "step '{}': other runs add tokens to the same vault again and again",
            planned.step.name
        ),
    )
    .with_hint("no target has changed: run the same command again once they are done")
}

/// Accepted rows on their way to the next segment's query.
fn between(segment: &PlannedSegment, root: Location) -> Result<SegmentOutput> {
    let (_, schema) = segment
        .outputs
        .first()
        .ok_or_else(|| Error::internal("a segment has no output"))?;
    Ok(SegmentOutput {
        output: 0,
        root,
        folder: String::new(),
        schema: lake_schema(schema, "the rows between two stages")?,
        columns: (0..schema.fields().len()).collect(),
        lossy: Vec::new(),
        pinned: Vec::new(),
        by: Arc::new([]),
        required: Vec::new(),
        run: None,
        lasting: Lasting::Passing,
    })
}
