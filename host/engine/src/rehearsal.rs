//! A stage tried while its plugin is written (`weir dev`): the rows that a run would give the plugin now, and what
//! the whole step makes of them.
//!
//! What comes before the stage is planned and run as a step of its own, whose rows go to a folder that the caller
//! removes; so is the whole step, as [`compare`](crate::compare) tries it. Nothing is decided, and no target is
//! touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::prelude::ParquetReadOptions;
use tokio_util::sync::CancellationToken;
use weir_components::{LockUse, Settings};
use weir_pipeline::{
    FileSchema, Pipeline, Read, ReadSource, Step, TableName, Target, Write, WriteMode, Zone,
};
use weir_sandbox::{BindRequest, GuestSink, Plugin, Speech, Terms, World};

use crate::commit::{Applier, Counts};
use crate::connections::Connections;
use crate::database::Snapshots;
use crate::error::{Error, Result};
use crate::lake::Location;
use crate::plan::{Aside, Labels, Plan, PlannedStep, Planner};
use crate::plugins;
use crate::record::RuleCount;
use crate::run::{Ground, Trial, Tried, attempt, handed};
use crate::segment::PluginCall;
use crate::session;
use crate::types::in_types;
use crate::vault::Vaults;

pub use crate::plan::{Chosen, choose};

/// What is tried.
pub struct Request<'a> {
    /// Which stage.
    pub chosen: &'a Chosen,
    /// At most so many rows are read.
    pub limit: u64,
    /// A folder of the local disk in which nothing is. The caller removes it.
    pub folder: &'a str,
    /// Hears what the plugin of a read says.
    pub heard: Arc<dyn GuestSink>,
    /// Stops at a batch.
    pub stop: CancellationToken,
}

/// A stage with all that its plugin would be called with.
pub struct Rehearsal {
    /// How people call the stage.
    pub label: String,
    /// The plugin.
    pub plugin: Plugin,
    /// What the stage gives it and holds it to.
    pub terms: Terms,
    /// What it is bound with, side inputs with their rows.
    pub bind: BindRequest,
    /// The rows that it is given; of a plugin that reads, those that it has made.
    pub rows: RecordBatch,
    /// The columns of `rows` that are sensitive.
    pub sensitive: BTreeSet<String>,
    /// Whether all that it makes of them is.
    pub makes_sensitive: bool,
    /// What the step as a whole makes of what it reads, or why it would fail.
    pub step: Result<StepOutcome>,
}

/// What a step makes of the rows that it reads.
pub struct StepOutcome {
    /// How many were read, and what became of them.
    pub counts: Counts,
    /// Rejected rows by stage and rule.
    pub rejected: Vec<RuleCount>,
    /// Rows that a check warns of, likewise.
    pub warned: Vec<RuleCount>,
    /// Why a run would not keep them.
    pub refusal: Option<Error>,
}

/// Tries a stage. The planner's `aside` is not looked at.
///
/// # Errors
/// Whatever keeps a plan from being made, or the rows before the stage from being read.
pub async fn rehearse(
    planner: &Planner<'_>,
    pipeline: Pipeline,
    request: &Request<'_>,
) -> Result<Rehearsal> {
    let mut pipeline = pipeline;
    pipeline
        .steps
        .retain(|step| step.name == request.chosen.step);
    let [step] = pipeline.steps.as_mut_slice() else {
        return Err(Error::internal("the step is not there"));
    };
    step.read.limit = Some(match step.read.limit {
        Some(own) => own.min(request.limit),
        None => request.limit,
    });
    // A component that was just built is not the one that was locked.
    let settings = Settings {
        lock: LockUse::Ignore,
        ..planner.components.clone()
    };
    let loaded = plugins::load(planner.sandbox, &pipeline, &settings).await?;
    // One task reads, so that the first rows are the same each time.
    let resources = session::Resources {
        partitions: 1,
        ..planner.resources
    };
    let plan = |pipeline: Pipeline| {
        let planner = Planner {
            sandbox: planner.sandbox,
            components: settings.clone(),
            stores: planner.stores.clone(),
            lake: planner.lake,
            isolate: false,
            full_refresh: false,
            replay: false,
            aside: Some(Aside {
                plugins: loaded.clone(),
                targets: request.folder,
            }),
            resources,
        };
        async move { planner.plan(pipeline).await }
    };
    let whole = Arc::new(plan(pipeline.clone()).await?);
    let mut labels = all_labels(&pipeline);
    for segment in &one_step(&whole)?.segments {
        let outputs = segment.labels.outputs.iter();
        let of_rows = outputs.chain([&segment.labels.input]);
        labels.extend(of_rows.flat_map(Labels::values).flatten().cloned());
    }
    let before = rows_before(pipeline, request.chosen.stage, labels)?;
    let mut before = plan(before).await?;
    for step in &mut before.steps {
        if let (None, Some(reader)) = (request.chosen.stage, &mut step.reader) {
            Arc::make_mut(reader).terms.speech = Speech::Heard(Arc::clone(&request.heard));
        }
    }
    let ground = ground(&whole, request, resources).await?;
    let before = Arc::new(before);
    let written = match Box::pin(attempt(Arc::clone(&before), &ground, "before")).await? {
        Tried::Written(written) => *written,
        Tried::Ended(error) => return Err(error),
    };
    let (call, label) = called(&whole, request.chosen)?;
    let call = Box::pin(handed(&whole, &ground, &call, request.chosen.stage)).await?;
    let write = one_step(&before)?
        .writes
        .first()
        .ok_or_else(|| Error::internal("rows before a stage go nowhere"))?;
    let all = rows_of(&ground, &written, &write.file_schema).await?;
    let sensitive: BTreeSet<String> = write.labels.keys().cloned().collect();
    let rows = match call.plugin.world() {
        World::Decoder | World::Source => in_types(&all, &one_step(&before)?.input)?,
        World::Transform | World::Check | World::Fold => {
            call.granted.project(&in_types(&all, &call.seen_of)?)?
        }
    };
    let makes_sensitive = call.side_inputs.iter().any(|side| !side.labels.is_empty())
        || rows
            .schema()
            .fields()
            .iter()
            .any(|field| sensitive.contains(field.name()));
    let step = Box::pin(attempt(Arc::clone(&whole), &ground, "whole")).await;
    ground.snapshots.close().await;
    Ok(Rehearsal {
        label,
        plugin: call.plugin,
        terms: call.terms,
        bind: call.bind,
        rows,
        sensitive,
        makes_sensitive,
        step: match step {
            Ok(Tried::Written(trial)) => Ok(outcome(*trial)),
            Ok(Tried::Ended(error)) | Err(error) => Err(error),
        },
    })
}

fn outcome(trial: Trial) -> StepOutcome {
    StepOutcome {
        counts: trial.record.counts,
        rejected: trial.record.rejected,
        warned: trial.record.warned,
        refusal: trial.refusal,
    }
}

/// The pipeline with the rows before a stage of its one step as the step's result, or what is read.
fn rows_before(
    mut pipeline: Pipeline,
    stage: Option<usize>,
    labels: BTreeSet<String>,
) -> Result<Pipeline> {
    let mut zone = "rehearsal".to_owned();
    while pipeline.zones.contains_key(&zone) {
        zone.push('_');
    }
    let [step] = pipeline.steps.as_mut_slice() else {
        return Err(Error::internal("a rehearsal is one of one step"));
    };
    let output = stage.and_then(|stage| step.stages.get(stage)?.output.clone());
    let like = step
        .writes
        .first()
        .ok_or_else(|| Error::internal("a step writes nothing"))?;
    step.writes = vec![Write {
        output,
        target: Target::Table(TableName {
            zone: zone.clone(),
            table: "rows".to_owned(),
        }),
        mode: WriteMode::Replace,
        partition: Vec::new(),
        partition_by: Vec::new(),
        merge: None,
        schema_change: like.schema_change.clone(),
        ddl: None,
        place: like.place.clone(),
    }];
    step.stages.truncate(stage.unwrap_or_default());
    // All of what is read is tried, the step's own table too.
    step.read.incremental = None;
    step.read.own = None;
    let place = step.place.clone();
    pipeline.zones.insert(
        zone,
        Zone {
            url: None,
            sensitivity: labels.into_iter().collect(),
            retention: None,
            place,
        },
    );
    Ok(pipeline)
}

/// The labels that the pipeline's file knows. The rows stay where nobody else sees them.
fn all_labels(pipeline: &Pipeline) -> BTreeSet<String> {
    let zones = pipeline.zones.values().flat_map(|zone| &zone.sensitivity);
    let connections = pipeline.connections.values();
    let connections = connections.flat_map(|connection| &connection.sensitivity);
    let mut labels: BTreeSet<String> = zones.chain(connections).cloned().collect();
    let mut of_files = |read: &Read| {
        if let ReadSource::Files(files) = &read.source
            && let FileSchema::Declared(columns) = &files.schema
        {
            let declared = columns.iter().flat_map(|column| &column.sensitivity);
            labels.extend(declared.cloned());
        }
    };
    for step in &pipeline.steps {
        of_files(&step.read);
        for plugin in Step::plugins(step) {
            plugin
                .side_inputs
                .iter()
                .for_each(|side| of_files(&side.read));
        }
    }
    labels
}

async fn ground(
    plan: &Plan,
    request: &Request<'_>,
    resources: session::Resources,
) -> Result<Ground> {
    let stores = plan.lake.root().stores().clone();
    let folder = Location::parse(request.folder, &stores)?;
    folder.create_folder().await?;
    let runtime = session::runtime(resources)?;
    let connections = Connections::of(&plan.pipeline, &plan.lake);
    let applier = Applier {
        stores,
        connections: connections.clone(),
        runtime: Arc::clone(&runtime),
        resources,
    };
    let vaults = one_step(plan)?.vaults();
    let vaults = Vaults::open(&vaults, &plan.lake, &applier, &Default::default()).await?;
    Ok(Ground {
        folder,
        runtime,
        resources,
        stop: request.stop.clone(),
        snapshots: Snapshots::new(connections),
        vaults: Arc::new(vaults),
    })
}

fn one_step(plan: &Plan) -> Result<&PlannedStep> {
    let [step] = plan.steps.as_slice() else {
        return Err(Error::internal("a rehearsal is one of one step"));
    };
    Ok(step)
}

/// The call of the stage's plugin, and how people call the stage.
fn called(plan: &Plan, chosen: &Chosen) -> Result<(PluginCall, String)> {
    let calls = one_step(plan)?.plugins().into_iter();
    let mut calls = calls.filter(|(fate, call)| match chosen.stage {
        None => matches!(call.plugin.world(), World::Decoder | World::Source),
        Some(stage) => usize::try_from(fate.stage) == Ok(stage),
    });
    let found = calls.next();
    let (fate, call) = found.ok_or_else(|| Error::internal("a stage has no plugin"))?;
    Ok((call.clone(), fate.label.to_string()))
}

/// The rows that were written.
async fn rows_of(ground: &Ground, trial: &Trial, schema: &SchemaRef) -> Result<RecordBatch> {
    let Some((root, files)) = trial
        .accepted
        .first()
        .filter(|(_, files)| !files.is_empty())
    else {
        return Ok(RecordBatch::new_empty(Arc::clone(schema)));
    };
    let context = session::session(&ground.runtime, ground.resources);
    root.register(&context.runtime_env());
    let paths: Vec<String> = files
        .iter()
        .map(|file| root.file(&file.path).url().to_string())
        .collect();
    let options = ParquetReadOptions::default().schema(schema);
    let batches = context
        .read_parquet(paths, options)
        .await?
        .collect()
        .await?;
    let batches: Vec<RecordBatch> = batches
        .iter()
        .map(|batch| in_types(batch, schema))
        .collect::<Result<_>>()?;
    Ok(concat_batches(schema, &batches)?)
}
