//! A step tried: its files are written aside, and nothing is decided.

use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::RunOptions;
use super::execute::tables;
use super::side_rows::SideRows;
use super::step::{Source, StepRun, stream_of};
use super::work::judge;
use crate::database::Snapshots;
use crate::envelope::READ_STAGE;
use crate::error::{Error, ErrorKind, Result};
use crate::files::elsewhere::Progress;
use crate::guest_log::GuestLogFile;
use crate::lake::Location;
use crate::plan::{Plan, PlannedStep};
use crate::record::StepRecord;
use crate::segment::{PluginCall, WrittenFile};
use crate::session::{self, Resources};
use crate::vault::Vaults;

/// What several trials of a step have in common, so that they see the same rows.
pub(crate) struct Ground {
    /// Where files are written.
    pub(crate) folder: Location,
    pub(crate) runtime: Arc<RuntimeEnv>,
    pub(crate) resources: Resources,
    /// Stops them at a batch.
    pub(crate) stop: CancellationToken,
    /// The databases that are read, each at one moment.
    pub(crate) snapshots: Snapshots,
    /// One value has one token in all of them. None is kept.
    pub(crate) vaults: Arc<Vaults>,
}

/// What became of a trial.
pub(crate) enum Tried {
    /// Its files are written.
    Written(Box<Trial>),
    /// A row broke a rule that ends the step.
    Ended(Error),
}

/// A trial that has come to its end.
pub(crate) struct Trial {
    /// What the record of a run would say.
    pub(crate) record: StepRecord,
    /// For each write of the step the folder of its files, and these.
    pub(crate) accepted: Vec<(Location, Vec<WrittenFile>)>,
    /// The files of rejected rows, below the folder of the quarantine table.
    pub(crate) quarantined: Vec<WrittenFile>,
    /// What each stage with a plugin used.
    pub(crate) used: Vec<Used>,
    /// Why a run would not decide on what was written.
    pub(crate) refusal: Option<Error>,
}

/// What a plugin used in a stage.
pub(crate) struct Used {
    /// Its name in the file.
    pub(crate) plugin: String,
    /// The stage's label within its step.
    pub(crate) stage: String,
    /// Time in the guest, over all instances.
    pub(crate) guest_time: Duration,
    /// The most memory that an instance had, in bytes.
    pub(crate) peak_memory: u64,
}

/// Tries the one step of `plan`; `name` tells its files from those of other trials.
///
/// # Errors
/// As a run's step, but that a rule which ends the step is no error.
pub(crate) async fn attempt(plan: Arc<Plan>, ground: &Ground, name: &str) -> Result<Tried> {
    let [planned] = plan.steps.as_slice() else {
        return Err(Error::internal("a trial is one of one step"));
    };
    let shared = shared(&plan, ground, name);
    let files = planned.files.as_deref().unwrap_or_default();
    let with = (&ground.snapshots, Arc::clone(&ground.vaults));
    let progress = stream_of(planned).map(|stream| Arc::new(Progress::whole(stream)));
    let source = progress.as_ref().map_or(Source::All, Source::Stream);
    let written = shared.write_with(planned, files, source, with);
    let work = match shared.in_time(planned, written).await {
        Ok(work) => work,
        Err(error) if error.kind() == ErrorKind::Check => return Ok(Tried::Ended(error)),
        Err(error) => return Err(error),
    };
    let refusal = match judge(planned, &work, name) {
        Ok(_) => shared.distinct_keys(planned, &work).await.err(),
        Err(error) => Some(error),
    };
    let record = shared.record(planned, &work, false);
    let roots = planned
        .writes
        .iter()
        .map(|write| shared.root(write, planned));
    Ok(Tried::Written(Box::new(Trial {
        record,
        used: used(planned, &work),
        accepted: roots.zip(work.accepted).collect(),
        quarantined: work.quarantined,
        refusal,
    })))
}

fn shared(plan: &Arc<Plan>, ground: &Ground, name: &str) -> StepRun {
    StepRun {
        plan: Arc::clone(plan),
        run: name.into(),
        lake: Uuid::nil(),
        runtime: Arc::clone(&ground.runtime),
        options: RunOptions {
            resources: ground.resources,
            dry_run: true,
            stop: ground.stop.clone(),
            ..RunOptions::default()
        },
        guest_log: Arc::new(GuestLogFile::of(&ground.folder, name)),
        turns: Default::default(),
        staging: ground.folder.child(&["staging", name]),
    }
}

/// The call of a plugin of the one step of `plan`, with the rows of the reference tables that it is handed.
/// `stage`: none for the plugin of the read.
///
/// # Errors
/// As a run's step that reads them.
pub(crate) async fn handed(
    plan: &Arc<Plan>,
    ground: &Ground,
    call: &PluginCall,
    stage: Option<usize>,
) -> Result<PluginCall> {
    let [planned] = plan.steps.as_slice() else {
        return Err(Error::internal("a trial is one of one step"));
    };
    if call.side_inputs.is_empty() {
        return Ok(call.clone());
    }
    let shared = shared(plan, ground, "handed");
    let context = session::session(&ground.runtime, ground.resources);
    let read = tables(&shared, &context, planned, None, &ground.snapshots).await?;
    session::register(&context, read.providers)?;
    let rows = SideRows::read(&shared, planned, &context).await?;
    let stage = match stage {
        None => READ_STAGE,
        Some(stage) => {
            u32::try_from(stage).map_err(|_| Error::internal("a stage has no number"))?
        }
    };
    Ok(rows.given_to(stage, call))
}

fn used(planned: &PlannedStep, work: &super::work::Work) -> Vec<Used> {
    let mut all = Vec::new();
    let of_step = format!("step '{}' ", planned.step.name);
    for (fate, call) in planned.plugins() {
        let tally = work.tallies.get(&fate.stage).and_then(|tally| {
            let tally = tally.lock().ok()?;
            Some((tally.guest_time, tally.peak_memory))
        });
        let (guest_time, peak_memory) = tally.unwrap_or_default();
        all.push(Used {
            plugin: call.plugin.name().to_owned(),
            stage: fate
                .label
                .strip_prefix(&of_step)
                .unwrap_or(&fate.label)
                .to_owned(),
            guest_time,
            peak_memory,
        });
    }
    all
}
