//! From a checked pipeline to a typed plan: every step's input, stages, outputs and targets with
//! their schemas, before data moves.

mod fingerprint;
mod plugin_stage;
mod schema_fit;
mod stages;
mod target_schema;
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use sha2::{Digest, Sha256};
use weir_pipeline::{
    CheckKind, Fault, FileFormat, Pipeline, ReadSource, StageAction, Step, TableName, Target,
    find_cycle,
};
use weir_sandbox::Sandbox;

pub(crate) use schema_fit::gains_naive;
pub use stages::{PlannedStage, PlannedWork, WholeTableCheck, WholeTableKind};
pub use targets::{PlannedTarget, PlannedWrite, QuarantinePlan};
pub(crate) use targets::{both, is_incremental, sequence};

use crate::delta;
use crate::error::{Error, Result};
use crate::files::{self, InputFile};
use crate::lake::Lake;
use crate::plugins::{self, LoadedPlugin};
use crate::segment::EnvelopeExec;
use crate::session::{self, Resources};
use crate::store::Stores;

/// A pipeline that can run: names resolved, plugins bound, all schemas known.
pub struct Plan {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// Its lake.
    pub lake: Lake,
    /// Its steps, in an order in which each comes after those it depends on.
    pub steps: Vec<PlannedStep>,
    /// Names the bound parameters: hex of a digest.
    pub params_hash: String,
    /// The plugins in use.
    pub plugins: BTreeMap<String, LoadedPlugin>,
}

/// A step that can run.
pub struct PlannedStep {
    /// The step as the file has it.
    pub step: Step,
    /// The indices in [`Plan::steps`] of the steps whose tables it reads.
    pub depends_on: BTreeSet<usize>,
    /// The tables it reads.
    pub tables: BTreeSet<TableName>,
    /// The files it reads, where it reads files.
    pub files: Option<Vec<InputFile>>,
    /// The schema of what it reads.
    pub input: SchemaRef,
    /// Its segments; at least one.
    pub segments: Vec<PlannedSegment>,
    /// Its targets.
    pub writes: Vec<PlannedWrite>,
    /// Where its rejected rows go, where it can reject any.
    pub quarantine: Option<QuarantinePlan>,
    /// Digest of all that shapes its output.
    pub fingerprint: String,
}

/// A run of row-wise stages.
pub struct PlannedSegment {
    /// What it reads.
    pub source: SegmentSource,
    /// The schema of what it reads; in a tolerant read all columns may be null.
    pub input: SchemaRef,
    /// Its row-wise stages.
    pub stages: Vec<PlannedStage>,
    /// The checks over all of its rows.
    pub whole: Vec<WholeTableCheck>,
    /// Names and schemas of its outputs.
    pub outputs: Vec<(String, SchemaRef)>,
}

/// What a segment reads.
pub enum SegmentSource {
    /// What the step reads.
    Read,
    /// A query over the accepted rows of the segment before, known to it as `input`.
    Sql(String),
}

/// What planning needs besides the pipeline.
pub struct Planner<'a> {
    /// Loads and binds plugins.
    pub sandbox: &'a Sandbox,
    /// Where their components are kept, and how a lock is used.
    pub components: weir_components::Settings,
    /// Opens the lake and the input, where it is not to be by the pipeline's own settings.
    pub stores: Option<Stores>,
    /// The lake, where it is not the pipeline's.
    pub lake: Option<&'a str>,
    /// Whether zones with an URL of their own lie in the lake all the same.
    pub isolate: bool,
    /// Whether steps that add files are to read all of them, and replace what they have added.
    pub full_refresh: bool,
    /// Whether rejected rows are to be replayed, of steps that may not reject any now.
    pub replay: bool,
    /// What queries may use.
    pub resources: Resources,
}

impl Planner<'_> {
    /// Plans `pipeline`.
    ///
    /// # Errors
    /// Usage, with the place in the file, for whatever does not fit together; input, where the
    /// input shows that it cannot be read; plugin, where one refuses its stage.
    pub async fn plan(&self, pipeline: Pipeline) -> Result<Plan> {
        let pipeline = Arc::new(pipeline);
        let stores = match &self.stores {
            Some(stores) => stores.clone(),
            None => Stores::of(&pipeline)?,
        };
        let lake = Lake::of(&pipeline, self.lake, self.isolate, &stores)?;
        let plugins = plugins::load(self.sandbox, &pipeline, &self.components).await?;
        let runtime = session::runtime(self.resources)?;
        let params_hash = params_hash(&pipeline);
        let reads = self.reads(&pipeline, &runtime)?;
        let order = order(&pipeline.steps, &reads)?;

        let mut known: BTreeMap<TableName, SchemaRef> = BTreeMap::new();
        let mut steps: Vec<PlannedStep> = Vec::with_capacity(order.len());
        let mut position = BTreeMap::new();
        for (index, (original, depends_on)) in order.into_iter().enumerate() {
            position.insert(original, index);
            let (Some(step), Some(tables)) = (pipeline.steps.get(original), reads.get(original))
            else {
                continue;
            };
            let depends_on = depends_on
                .iter()
                .filter_map(|original| position.get(original).copied())
                .collect();
            let context = self.context(&runtime, &lake, step, tables, &known).await?;
            let planned = stages::StepPlanner {
                pipeline: &pipeline,
                sandbox: self.sandbox,
                resources: self.resources,
                lake: &lake,
                plugins: &plugins,
                context: &context,
                known: &known,
                params_hash: &params_hash,
                isolated: self.isolate,
                full_refresh: self.full_refresh,
                replay: self.replay,
            }
            .plan(step.clone(), depends_on, tables.clone())
            .await?;
            for write in &planned.writes {
                if let PlannedTarget::Table { name, .. } = &write.target {
                    known.insert(name.clone(), Arc::clone(&write.table_schema));
                }
            }
            if let Some(quarantine) = &planned.quarantine {
                known.insert(
                    quarantine.name.clone(),
                    Arc::clone(&quarantine.table_schema),
                );
            }
            steps.push(planned);
        }
        Ok(Plan {
            pipeline,
            lake,
            steps,
            params_hash,
            plugins,
        })
    }

    /// For each step the tables of the lake that it reads.
    fn reads(
        &self,
        pipeline: &Pipeline,
        runtime: &Arc<RuntimeEnv>,
    ) -> Result<Vec<BTreeSet<TableName>>> {
        let context = session::session(runtime, self.resources);
        let mut all = Vec::with_capacity(pipeline.steps.len());
        for step in &pipeline.steps {
            let mut tables = BTreeSet::new();
            match &step.read.source {
                ReadSource::Files(_) => {}
                ReadSource::Table(name) => {
                    tables.insert(name.clone());
                }
                ReadSource::Sql(sql) => {
                    let (named, input) = session::tables_of(&context, sql)
                        .map_err(|error| at(error, &step.read.place))?;
                    if input {
                        return Err(Fault::new("a step's first query has no `input`")
                            .at(&step.read.place)
                            .hint("name tables as zone.table")
                            .into());
                    }
                    tables.extend(named);
                }
            }
            for stage in &step.stages {
                match &stage.action {
                    StageAction::Sql(sql) => {
                        let (named, _) = session::tables_of(&context, sql)
                            .map_err(|error| at(error, &stage.place))?;
                        tables.extend(named);
                    }
                    StageAction::Checks(stage) => {
                        tables.extend(stage.checks.iter().filter_map(|check| match &check.kind {
                            CheckKind::References { table, .. } => Some(table.clone()),
                            _ => None,
                        }));
                    }
                    StageAction::Transform(_) | StageAction::PluginCheck(_) => {}
                }
            }
            all.push(tables);
        }
        Ok(all)
    }

    /// A session that knows the schemas of the tables the step reads: as an earlier step will
    /// write them, else as they are in the lake.
    async fn context(
        &self,
        runtime: &Arc<RuntimeEnv>,
        lake: &Lake,
        step: &Step,
        tables: &BTreeSet<TableName>,
        known: &BTreeMap<TableName, SchemaRef>,
    ) -> Result<SessionContext> {
        let context = session::session(runtime, self.resources);
        let mut providers = BTreeMap::new();
        for name in tables {
            let schema = match known.get(name) {
                Some(schema) => session::read_schema(name, schema),
                None => match delta::schema(&lake.table(name)?).await? {
                    Some(schema) => session::read_schema(name, &EnvelopeExec::visible(&schema)),
                    None => {
                        return Err(Fault::new(format!(
                            "step '{}' reads {}.{}, which is not in the lake and which no step writes",
                            step.name, name.zone, name.table
                        ))
                        .at(&step.read.place)
                        .hint("check the name, or the lake (--lake)")
                        .into());
                    }
                },
            };
            providers.insert(name.clone(), Arc::new(EmptyTable::new(schema)) as _);
        }
        session::register(&context, providers)?;
        Ok(context)
    }
}

/// Gives an error of a query its place in the file.
fn at(error: Error, place: &weir_pipeline::Place) -> Error {
    let mut fault = Fault::new(error.to_string()).at(place);
    if let Some(hint) = error.hint() {
        fault = fault.hint(hint);
    }
    match error.kind() {
        crate::ErrorKind::Usage if error.faults().is_none() => fault.into(),
        crate::ErrorKind::Input => {
            let mut placed = Error::input(format!("{error}\n --> {place}"));
            if let Some(hint) = error.hint() {
                placed = placed.with_hint(hint);
            }
            placed
        }
        _ => error,
    }
}

/// Names the bound parameters: the first 16 hex digits of the SHA-256 of their JSON.
fn params_hash(pipeline: &Pipeline) -> String {
    let params: BTreeMap<&String, String> = pipeline
        .params
        .iter()
        .map(|(name, value)| (name, value.to_string()))
        .collect();
    let text = serde_json::to_string(&params).unwrap_or_default();
    hex(&Sha256::digest(text.as_bytes()), 16)
}

/// The first `digits` hex digits of a digest.
pub(crate) fn hex(digest: &[u8], digits: usize) -> String {
    let mut text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(digits);
    text
}

/// The steps in an order in which each comes after those whose tables it reads; ties as in the
/// file. With each step the steps it depends on, as indices in the file.
fn order(steps: &[Step], reads: &[BTreeSet<TableName>]) -> Result<Vec<(usize, BTreeSet<usize>)>> {
    let mut edges: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (reader, tables) in reads.iter().enumerate() {
        let writers = steps.iter().enumerate().filter(|(_, step)| {
            step.writes.iter().any(|write| match &write.target {
                Target::Table(name) => {
                    tables.contains(name) || tables.contains(&crate::quarantine::beside(name))
                }
                Target::Database { .. } => false,
            })
        });
        edges.insert(reader, writers.map(|(index, _)| index).collect());
    }
    if let Some(cycle) = find_cycle(&edges) {
        let names: Vec<&str> = cycle
            .iter()
            .filter_map(|index| steps.get(*index))
            .map(|step| step.name.as_str())
            .collect();
        let mut fault = Fault::new(format!("steps wait for each other: {}", names.join(" → ")));
        if let Some(step) = cycle.first().and_then(|index| steps.get(*index)) {
            fault = fault.at(&step.place);
        }
        return Err(fault
            .hint("a step may read only what steps before it write")
            .into());
    }
    let mut done = BTreeSet::new();
    let mut ordered = Vec::with_capacity(steps.len());
    while ordered.len() < steps.len() {
        let Some((next, needs)) = edges
            .iter()
            .find(|(index, needs)| !done.contains(*index) && needs.is_subset(&done))
            .map(|(index, needs)| (*index, needs.clone()))
        else {
            return Err(Error::internal("steps cannot be ordered"));
        };
        done.insert(next);
        ordered.push((next, needs));
    }
    Ok(ordered)
}

/// The schema and files of a step's read, at plan time.
async fn read_schema(
    pipeline: &Pipeline,
    context: &SessionContext,
    step: &Step,
    stores: &Stores,
) -> Result<(SchemaRef, Option<Vec<InputFile>>)> {
    match &step.read.source {
        ReadSource::Files(read) => {
            let found = files::list(&pipeline.dir, read, stores)
                .await
                .map_err(|error| at(error, &step.read.place))?;
            let schema = files::schema(read, &found, stores).await?;
            if let (FileFormat::Csv(_), Some(field)) = (
                &read.format,
                schema
                    .fields()
                    .iter()
                    .find(|field| field.data_type().is_nested()),
            ) {
                return Err(Fault::new(format!(
                    "column '{}' is a list or struct, which a CSV file cannot hold",
                    field.name()
                ))
                .at(&step.read.place)
                .hint("declare it as string, and take it apart in a plugin")
                .into());
            }
            Ok((schema, Some(found)))
        }
        ReadSource::Table(name) => {
            let reference = datafusion::common::TableReference::partial(
                name.zone.as_str(),
                name.table.as_str(),
            );
            let frame = context.table(reference).await?;
            Ok((EnvelopeExec::visible(frame.schema().as_arrow()), None))
        }
        ReadSource::Sql(sql) => {
            let frame = session::query(context, sql, &pipeline.params)
                .await
                .map_err(|error| at(error, &step.read.place))?;
            let schema = EnvelopeExec::visible(frame.schema().as_arrow());
            stages::distinct_names(frame.schema().as_arrow())
                .map_err(|error| at(error, &step.read.place))?;
            Ok((schema, None))
        }
    }
}
