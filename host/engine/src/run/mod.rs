//! Running a plan: steps in dependency order, independent ones at once; each step's files, then
//! its decision, then its targets.

mod decide;
mod execute;
mod incremental;
mod side_rows;
mod step;
mod step_record;
mod trial;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::guest_log::GuestLogFile;
use crate::lake::FORMAT;
use crate::plan::{Plan, PlannedStep, is_incremental};
use crate::record::{Meter, RunRecord, RunRequest, Status, StepRecord};
use crate::session::{self, Resources};

pub(crate) use trial::{Ground, Trial, Tried, Used, attempt, handed};

/// What a run is told.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Run only these steps (and what the file calls by these names with `each`); empty for all.
    pub only: Vec<String>,
    /// Read at most this many rows from files in each step that reads files.
    pub limit: Option<u64>,
    /// Leave databases alone. What is written to the lake is as ever: plan with
    /// [`Planner::isolate`](crate::plan::Planner::isolate) and a lake that nobody needs.
    pub dry_run: bool,
    /// What it may use.
    pub resources: Resources,
    /// Stops the run when cancelled: no step is begun any more, and those at work stop at a batch, unless
    /// they have decided. What is decided is finished.
    pub stop: CancellationToken,
    /// Steps that read only what is new read everything, and replace what they have added before.
    pub full_refresh: bool,
    /// Run rows that the steps have rejected, instead of reading anything.
    pub replay: Option<Replay>,
    /// What it was asked for, for whoever runs the rest of it again.
    pub request: Option<RunRequest>,
}

/// Which rejected rows are run again.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// Those that broke this rule; all that are open, without one.
    pub rule: Option<String>,
}

/// Something a person may want to see while a run goes on.
#[derive(Debug, Clone)]
pub enum Progress {
    /// A step begins.
    Began {
        /// The step.
        step: String,
    },
    /// A step is done, failed or blocked.
    Ended {
        /// What became of it.
        record: Box<StepRecord>,
    },
}

/// What became of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The record, as it was saved.
    pub record: RunRecord,
    /// The first failure, if there was one.
    pub error: Option<Error>,
}

/// Runs `plan`.
///
/// The record is saved when the run begins and when it ends; after a crash it says `running`.
/// A failed step blocks those that depend on it, others go on.
///
/// # Errors
/// Only if the run could not begin, or its record could not be saved; a failed step is in the
/// outcome.
pub async fn run(
    plan: Arc<Plan>,
    options: RunOptions,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<Outcome> {
    let chosen = chosen(&plan, &options.only)?;
    if options.full_refresh {
        alone_on_their_tables(&plan, &chosen)?;
    }
    let meter = Meter::start();
    let weir = plan.lake.weir();
    plan.lake.root().create_folder().await?;
    let lake = plan.lake.claim_format().await?;
    let mut record = RunRecord {
        format: FORMAT,
        run: Uuid::now_v7().to_string(),
        pipeline: plan.pipeline.name.clone(),
        owner: plan.pipeline.owner.clone(),
        params: plan
            .pipeline
            .params
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect(),
        status: Status::Running,
        started_at: now(),
        finished_at: None,
        weir: env!("CARGO_PKG_VERSION").to_owned(),
        request: options.request.clone(),
        usage: None,
        steps: Vec::new(),
    };
    record.save(&weir).await?;
    tracing::info!(run = %record.run, pipeline = %record.pipeline, steps = chosen.len(), "run began");
    let runtime = session::runtime(options.resources)?;
    let shared = Arc::new(step::StepRun {
        plan: Arc::clone(&plan),
        run: record.run.as_str().into(),
        lake,
        runtime,
        options: options.clone(),
        guest_log: Arc::new(GuestLogFile::of(&weir, &record.run)),
        turns: Default::default(),
        staging: weir.child(&["staging", &record.run]),
    });

    let mut waiting: BTreeSet<usize> = chosen.clone();
    let mut ended: BTreeMap<usize, bool> = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    let mut in_use = 0;
    let mut first_error = None;
    loop {
        // Begin what can begin. Steps at once have no more partitions together than there are
        // cores: more would only share them, and hold more memory.
        let ready: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|index| {
                plan.steps.get(*index).is_some_and(|step| {
                    step.depends_on
                        .iter()
                        .all(|needed| !chosen.contains(needed) || ended.contains_key(needed))
                })
            })
            .collect();
        for index in ready {
            let Some(planned) = plan.steps.get(index) else {
                continue;
            };
            let blocked = planned
                .depends_on
                .iter()
                .any(|needed| ended.get(needed) == Some(&false));
            let stopped = options.stop.is_cancelled();
            if blocked || stopped {
                waiting.remove(&index);
                ended.insert(index, false);
                let status = match stopped {
                    true => Status::Interrupted,
                    false => Status::Blocked,
                };
                let entry = step_record::blank_record(planned, status);
                progress(Progress::Ended {
                    record: Box::new(entry.clone()),
                });
                record.steps.push(entry);
                continue;
            }
            let partitions = partitions(planned, options.resources);
            if in_use > 0 && in_use + partitions > options.resources.partitions {
                continue;
            }
            in_use += partitions;
            waiting.remove(&index);
            progress(Progress::Began {
                step: planned.step.name.clone(),
            });
            let shared = Arc::clone(&shared);
            running.push(async move {
                let began = Instant::now();
                let outcome = tokio::spawn(async move { shared.run(index).await }).await;
                (index, began, outcome)
            });
        }
        let Some((index, began, outcome)) = running.next().await else {
            if waiting.is_empty() || waiting.iter().all(|index| ended.contains_key(index)) {
                break;
            }
            // Something was blocked in this round, which may have made others ready.
            continue;
        };
        let Some(planned) = plan.steps.get(index) else {
            continue;
        };
        in_use -= partitions(planned, options.resources);
        let outcome = outcome.unwrap_or_else(|error| {
            Err(
                Error::internal(format!("step '{}' was cut off", planned.step.name))
                    .with_source(error)
                    .with_hint("this is a fault of weir: please report it with the log")
                    .into(),
            )
        });
        let mut entry = match outcome {
            Ok(entry) => entry,
            Err(step::Stopped { error, done }) => {
                let status = match error.kind() {
                    ErrorKind::Interrupted => Status::Interrupted,
                    _ => Status::Failed,
                };
                let done = done.map(|done| *done);
                let mut entry = StepRecord {
                    status,
                    ..done.unwrap_or_else(|| step_record::blank_record(planned, status))
                };
                entry.n = error.decided().or(entry.n);
                entry.error = Some(error.to_string());
                entry.hint = error.hint().map(str::to_owned);
                tracing::info!(step = %planned.step.name, error = %error, "step failed");
                if first_error.is_none() {
                    first_error = Some(error);
                }
                entry
            }
        };
        entry.seconds = began.elapsed().as_secs_f64();
        tracing::info!(
            step = %entry.step,
            status = %entry.status,
            read = entry.counts.read,
            accepted = entry.counts.accepted,
            quarantined = entry.counts.quarantined,
            dropped = entry.counts.dropped,
            seconds = entry.seconds,
            "step ended"
        );
        ended.insert(index, entry.status.is_done());
        progress(Progress::Ended {
            record: Box::new(entry.clone()),
        });
        record.steps.push(entry);
        // A run that is killed leaves a record of the steps that ended.
        record.save(&weir).await?;
    }

    // What a failed step has decided may still need its staged files.
    if first_error.is_none() {
        weir.child(&["staging", &record.run])
            .remove_folder()
            .await?;
    }
    record.status = overall(&record.steps);
    record.finished_at = Some(now());
    record.usage = Some(meter.usage());
    record.save(&weir).await?;
    tracing::info!(run = %record.run, status = %record.status, "run ended");
    Ok(Outcome {
        record,
        error: first_error,
    })
}

/// A step that reads only what is new can be refreshed if nobody else adds to its tables.
fn alone_on_their_tables(plan: &Plan, chosen: &BTreeSet<usize>) -> Result<()> {
    let targets = |planned: &PlannedStep| -> BTreeSet<String> {
        planned
            .writes
            .iter()
            .map(|write| write.target.display())
            .collect()
    };
    for planned in chosen.iter().filter_map(|index| plan.steps.get(*index)) {
        if !is_incremental(&planned.step) {
            continue;
        }
        let own = targets(planned);
        for other in &plan.steps {
            let shared = targets(other).intersection(&own).next().cloned();
            if let Some(table) = shared.filter(|_| other.step.name != planned.step.name) {
                return Err(Error::usage(format!(
                    "step '{}' cannot be refreshed: '{}' adds to {table} too, and its rows would be lost",
                    planned.step.name, other.step.name
                ))
                .with_hint("leave the step out with --step, or write tables of their own"));
            }
        }
    }
    Ok(())
}

/// How many tasks work on a step's data at once: files are read whole, tables and queries by all.
fn partitions(planned: &PlannedStep, resources: Resources) -> usize {
    match &planned.files {
        Some(files) => files.len().clamp(1, resources.partitions.max(1)),
        None => resources.partitions.max(1),
    }
}

fn overall(steps: &[StepRecord]) -> Status {
    let any = |status: Status| steps.iter().any(|step| step.status == status);
    if any(Status::Interrupted) {
        Status::Interrupted
    } else if any(Status::Failed) || any(Status::Blocked) {
        Status::Failed
    } else if any(Status::Warned) {
        Status::Warned
    } else {
        Status::Succeeded
    }
}

/// Whether `name` means the step `step`: by its own name, or by the one that the file has for all that
/// `each` makes of it (`ingest` for `ingest[2008]`).
pub fn is_step(name: &str, step: &str) -> bool {
    let rest = step.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
}

/// The steps to run, by index.
fn chosen(plan: &Plan, only: &[String]) -> Result<BTreeSet<usize>> {
    if only.is_empty() {
        return Ok((0..plan.steps.len()).collect());
    }
    let of = |name: &str| -> Vec<usize> {
        plan.steps
            .iter()
            .enumerate()
            .filter(|(_, planned)| is_step(name, &planned.step.name))
            .map(|(index, _)| index)
            .collect()
    };
    let mut chosen = BTreeSet::new();
    for name in only {
        let found = of(name);
        if found.is_empty() {
            let names: Vec<&str> = plan
                .steps
                .iter()
                .map(|planned| planned.step.name.as_str())
                .collect();
            return Err(Error::usage(format!("there is no step '{name}'"))
                .with_hint(format!("the steps are {}", names.join(", "))));
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

pub(crate) fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// What becomes of a step that is asked to stop before it has decided.
pub(crate) fn interrupted(planned: &PlannedStep) -> Error {
    Error::new(
        ErrorKind::Interrupted,
        format!(
            "step '{}' was stopped at a batch",
            planned.step.name
        ),
    )
    .with_hint("what it had decided is written, nothing else; run it again, or the rest of the run with `weir retry`")
}

/// What becomes of a step whose time is over before it has decided.
pub(crate) fn timed_out(planned: &PlannedStep, limit: std::time::Duration) -> Error {
    Error::new(
        ErrorKind::Storage,
        format!("step '{}' took longer than {:?}", planned.step.name, limit),
    )
    .with_hint("raise `timeout` of the step, or give it less to do; nothing was written that was not decided before")
}

/// What becomes of a step whose files are gone before it has decided.
pub(crate) fn files_were_taken(planned: &PlannedStep) -> Error {
    Error::new(
        ErrorKind::Storage,
        format!(
            "step '{}': files that it wrote are gone, nothing was decided",
            planned.step.name
        ),
    )
    .with_hint("the step takes longer than a vacuum keeps files: give `weir lake vacuum` a longer --retention, then run the same command again")
}
