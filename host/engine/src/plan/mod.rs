//! From a checked pipeline to a typed plan: every step's input, stages, outputs and targets with
//! their schemas, before data moves.

mod ahead;
mod database_sql;
mod fingerprint;
mod given;
mod incremental;
mod mask_stage;
mod plugin_stage;
mod quarantine_target;
mod reader;
mod reports;
mod schema_fit;
mod sensitivity;
mod server_target;
mod side_input;
mod stages;
mod target_schema;
mod targets;
mod write_columns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use sha2::{Digest, Sha256};
use weir_pipeline::{
    CheckKind, ConnectionKind, FailAction, Fault, FileFormat, Pipeline, Read, ReadSource,
    StageAction, Step, TableName, Target, Write, WriteMode, find_cycle,
};
use weir_sandbox::Sandbox;

pub use database_sql::PlannedSql;
pub use given::{Chosen, Given, StageOf, choose};
pub use quarantine_target::QuarantinePlan;
pub(crate) use reader::read_label;
pub use reports::PlannedReport;
pub(crate) use schema_fit::gains_naive;
pub(crate) use sensitivity::{FIELD_KEY as LABELS_KEY, marks, of_schema, plain, with_labels};
pub use sensitivity::{Labels, SegmentLabels};
pub use side_input::PlannedSideInput;
pub(crate) use stages::distinct_names;
pub use stages::{PlannedStage, PlannedWork, WholeTableCheck, WholeTableKind};
pub use targets::is_incremental;
pub use targets::{PlannedTarget, PlannedWrite};
pub(crate) use targets::{both, sequence};

use ahead::Ahead;

use crate::connections::Connections;
use crate::database::{self, Snapshots};
use crate::delta;
use crate::difference::SchemaDifference;
use crate::dynamodb::{Items, Patience};
use crate::envelope::READ_STAGE;
use crate::error::{Error, Result};
use crate::files::{self, InputFile, elsewhere};
use crate::lake::Lake;
use crate::mask::Masks;
use crate::plugins::{self, LoadedPlugin};
use crate::segment::{EnvelopeExec, PluginCall, StageFate};
use crate::session::{self, Resources};
use crate::sqlite;
use crate::store::Stores;
use crate::types::arrow_schema;

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
    /// Its reports; none in a plan for a lake of its own, in which they are not shown.
    pub reports: Vec<PlannedReport>,
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
    /// The plugin that decodes them, or reads in their place, where one does.
    pub reader: Option<Arc<PluginCall>>,
    /// The table that it writes and reads as it was before, with the columns it reads.
    pub own: Option<(TableName, SchemaRef)>,
    /// The schema of what it reads.
    pub input: SchemaRef,
    /// Its segments; none where a database runs SQL.
    pub segments: Vec<PlannedSegment>,
    /// Its targets.
    pub writes: Vec<PlannedWrite>,
    /// What a database is to run, in place of rows that are moved.
    pub sql: Option<PlannedSql>,
    /// Where its rejected rows go, where it can reject any.
    pub quarantine: Option<QuarantinePlan>,
    /// Digest of all that shapes its output.
    pub fingerprint: String,
}

impl PlannedStep {
    /// Its plugins, each with what becomes of what it rejects; the one of its read first.
    pub fn plugins(&self) -> Vec<(StageFate, &PluginCall)> {
        let reader = self.reader.as_ref().map(|call| {
            let fate = StageFate {
                stage: READ_STAGE,
                label: read_label(&self.step).into(),
                action: match &self.step.read.source {
                    ReadSource::Files(read) => read.on_fail.action,
                    ReadSource::Table(_) | ReadSource::Sql(_) | ReadSource::Nothing => {
                        FailAction::Fail
                    }
                },
            };
            (fate, call.as_ref())
        });
        let calls = self.segments.iter().flat_map(|segment| {
            let fold = match &segment.source {
                SegmentSource::Fold(fold) => Some((fold.fate.clone(), &fold.call)),
                SegmentSource::Read | SegmentSource::Sql(_) => None,
            };
            let stages = segment.stages.iter();
            let staged = stages.filter_map(|stage| match &stage.work {
                PlannedWork::Plugin(call) => Some((stage.fate.clone(), call.as_ref())),
                PlannedWork::Checks(_) | PlannedWork::Mask(_) => None,
            });
            fold.into_iter().chain(staged)
        });
        reader.into_iter().chain(calls).collect()
    }
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
    /// What is sensitive of its input and outputs.
    pub labels: SegmentLabels,
    /// Where it reads a query: for its columns those of the rows before that they are made of.
    pub made_of: Labels,
    /// What is masked of input rows that go to quarantine.
    pub kept: Arc<Masks>,
}

/// What a segment reads.
pub enum SegmentSource {
    /// What the step reads.
    Read,
    /// A query over the accepted rows of the segment before, known to it as `input`.
    Sql(String),
    /// What a plugin makes of all accepted rows of the segment before.
    Fold(Box<PlannedFold>),
}

/// A plugin that folds.
pub struct PlannedFold {
    /// The stage. Nothing is rejected.
    pub fate: StageFate,
    /// The plugin.
    pub call: PluginCall,
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
    /// How a step is planned that is only tried; none for a plan that is to be run.
    pub aside: Option<Aside<'a>>,
    /// What queries may use.
    pub resources: Resources,
}

/// What is other of a plan whose steps are tried, with nothing kept of what they write.
pub struct Aside<'a> {
    /// The plugins, loaded.
    pub plugins: BTreeMap<String, LoadedPlugin>,
    /// The folder in which lake tables and SQLite files are taken to lie that are written, and in which
    /// nothing is; what is read lies where it does otherwise.
    pub targets: &'a str,
}

/// What planning has come to.
enum Planned {
    /// Its end.
    Whole(Box<Plan>),
    /// The stage at which it was to end.
    Given(Given),
}

impl Planner<'_> {
    /// Plans `pipeline`.
    ///
    /// # Errors
    /// Usage, with the place in the file, for whatever does not fit together; input, where the
    /// input shows that it cannot be read; plugin, where one refuses its stage.
    pub async fn plan(&self, pipeline: Pipeline) -> Result<Plan> {
        match self.planned(pipeline, None).await? {
            Planned::Whole(plan) => Ok(*plan),
            Planned::Given(_) => Err(Error::internal("planning has ended at a stage")),
        }
    }

    /// Plans `pipeline`, or only up to a stage of one of its steps.
    async fn planned(&self, pipeline: Pipeline, until: Option<&StageOf>) -> Result<Planned> {
        let pipeline = Arc::new(pipeline);
        let stores = match &self.stores {
            Some(stores) => stores.clone(),
            None => Stores::of(&pipeline)?,
        };
        let lake = Lake::of(&pipeline, self.lake, self.isolate, &stores)?;
        let (plugins, targets) = match &self.aside {
            Some(aside) => (
                aside.plugins.clone(),
                Lake::of(&pipeline, Some(aside.targets), true, &stores)?,
            ),
            None => (
                plugins::load(self.sandbox, &pipeline, &self.components).await?,
                lake.clone(),
            ),
        };
        let runtime = session::runtime(self.resources)?;
        let params_hash = params_hash(&pipeline);
        let reads = self.reads(&pipeline, &runtime)?;
        let order = order(&pipeline.steps, &reads)?;

        vaults_stand_alone(&pipeline, &reads)?;
        // A plan for a lake of its own, or of what is only tried, shows nobody anything.
        let shown = match self.isolate || self.aside.is_some() {
            true => Vec::new(),
            false => self.shown(&pipeline, &runtime)?,
        };
        let is_read = |name: &TableName| {
            let shown = shown.iter().map(|(_, tables)| tables);
            reads
                .iter()
                .chain(shown)
                .any(|tables| tables.contains(name))
        };

        let snapshots = Snapshots::new(Connections::of(&pipeline, &lake));
        let mut known: BTreeMap<TableName, SchemaRef> = BTreeMap::new();
        let mut ahead = Ahead::default();
        let mut labels: BTreeMap<TableName, Labels> = BTreeMap::new();
        let mut steps: Vec<PlannedStep> = Vec::with_capacity(order.len());
        let mut position = BTreeMap::new();
        for (index, (original, depends_on)) in order.into_iter().enumerate() {
            position.insert(original, index);
            let (Some(step), Some(tables)) = (pipeline.steps.get(original), reads.get(original))
            else {
                continue;
            };
            let depends_on: BTreeSet<usize> = depends_on
                .iter()
                .filter_map(|original| position.get(original).copied())
                .collect();
            if let Some(planned) = database_sql::plan(&pipeline, step, &depends_on, &params_hash)? {
                steps.push(planned);
                continue;
            }
            let own = own_table(step, tables)?;
            let context = self
                .context(
                    (&pipeline, &runtime, &lake, &snapshots),
                    step,
                    (tables, own),
                    &known,
                    &mut labels,
                )
                .await?;
            let own = match own {
                Some(name) => Some((name.clone(), session::schema_of(&context, name).await?)),
                None => None,
            };
            let planner = stages::StepPlanner {
                pipeline: &pipeline,
                sandbox: self.sandbox,
                resources: self.resources,
                lake: &lake,
                targets: &targets,
                plugins: &plugins,
                context: &context,
                known: &known,
                ahead: &ahead,
                labels: &labels,
                params_hash: &params_hash,
                isolated: self.isolate || self.aside.is_some(),
                full_refresh: self.full_refresh,
                replay: self.replay,
            };
            if let Some(stage) = until.filter(|stage| stage.is_of(step)) {
                return planner.given(step, stage).await.map(Planned::Given);
            }
            let mut planned = planner
                .plan(step.clone(), depends_on, tables.clone(), own)
                .await?;
            // What an earlier step makes of a table is there only once it has.
            planned.depends_on.extend(ahead.before(&planned.writes));
            for write in &planned.writes {
                ahead.planned(write, index)?;
                match &write.target {
                    PlannedTarget::Table { name, .. } => {
                        known.insert(name.clone(), Arc::clone(&write.table_schema));
                        // Rows that stay have the labels that they had.
                        if is_read(name) && write.mode != WriteMode::Replace {
                            let there = delta::schema(&lake.table(name)?).await?;
                            let there = there.map(|schema| sensitivity::of_schema(&schema));
                            let labels = labels.entry(name.clone()).or_default();
                            sensitivity::add(labels, &there.unwrap_or_default());
                        }
                        sensitivity::add(labels.entry(name.clone()).or_default(), &write.labels);
                    }
                    PlannedTarget::Server {
                        kind,
                        connection,
                        table,
                        remakes,
                        columns,
                        ..
                    } => {
                        let name = TableName {
                            zone: connection.clone(),
                            table: table.to_string(),
                        };
                        if !reads.iter().any(|tables| tables.contains(&name)) {
                            continue;
                        }
                        // A table that is there keeps its types, unless it is made anew.
                        let made = database::made(*kind, columns)?;
                        let changes = write
                            .differences
                            .iter()
                            .any(SchemaDifference::changes_table);
                        let schema = match *remakes && changes {
                            true => made,
                            false => match snapshots.schema(&name).await? {
                                Some(there) => both(&there, &made),
                                None => made,
                            },
                        };
                        known.insert(name, schema);
                    }
                    PlannedTarget::Sqlite {
                        connection,
                        table,
                        remakes,
                        ..
                    } => {
                        let name = TableName {
                            zone: connection.clone(),
                            table: table.clone(),
                        };
                        if !reads.iter().any(|tables| tables.contains(&name)) {
                            continue;
                        }
                        let made = sqlite::read_schema(&write.table_schema)?;
                        let changes = write
                            .differences
                            .iter()
                            .any(SchemaDifference::changes_table);
                        let schema = match *remakes && changes {
                            true => made,
                            false => match snapshots.schema(&name).await? {
                                Some(there) => both(&there, &made),
                                None => made,
                            },
                        };
                        known.insert(name, schema);
                    }
                }
            }
            if let Some(quarantine) = &planned.quarantine {
                known.insert(
                    quarantine.name.clone(),
                    Arc::clone(&quarantine.table_schema),
                );
                let there = match is_read(&quarantine.name) {
                    true => delta::schema(&quarantine.root).await?,
                    false => None,
                };
                let there = there.map(|schema| sensitivity::of_schema(&schema));
                let labels = labels.entry(quarantine.name.clone()).or_default();
                sensitivity::add(labels, &there.unwrap_or_default());
                sensitivity::add(labels, &quarantine.labels);
            }
            steps.push(planned);
        }
        let mut reports = Vec::with_capacity(shown.len());
        for (report, tables) in shown {
            let ground = (pipeline.as_ref(), &runtime, &lake);
            reports.push(
                self.report(ground, (report, tables), &known, &mut labels)
                    .await?,
            );
        }
        Ok(Planned::Whole(Box::new(Plan {
            pipeline,
            lake,
            steps,
            params_hash,
            plugins,
            reports,
        })))
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
            let mut tables = tables_of(&context, &step.read)?;
            if let Some(incremental) = &step.read.incremental
                && !tables.contains(&incremental.table)
            {
                return Err(Fault::new(format!(
                    "the query does not read {}, whose new rows it is to see",
                    incremental.table
                ))
                .at(&incremental.place)
                .hint("name a table of the query in `of`")
                .into());
            }
            for plugin in step.plugins() {
                for side in &plugin.side_inputs {
                    let named = tables_of(&context, &side.read)?;
                    let listed: Vec<TableName> = named.iter().cloned().collect();
                    only_in_the_read(step, &listed, &side.read.place)?;
                    tables.extend(named);
                }
            }
            for stage in &step.stages {
                match &stage.action {
                    StageAction::Sql(sql) => {
                        let (named, _) = session::tables_of(&context, sql)
                            .map_err(|error| at(error, &stage.place))?;
                        only_in_the_read(step, &named, &stage.place)?;
                        tables.extend(named);
                    }
                    StageAction::Checks(checks) => {
                        let named: Vec<TableName> = checks
                            .checks
                            .iter()
                            .filter_map(|check| match &check.kind {
                                CheckKind::References { table, .. } => Some(table.clone()),
                                _ => None,
                            })
                            .collect();
                        only_in_the_read(step, &named, &stage.place)?;
                        tables.extend(named);
                    }
                    StageAction::Transform(_)
                    | StageAction::PluginCheck(_)
                    | StageAction::Fold(_)
                    | StageAction::Mask(_)
                    | StageAction::Declassify(_) => {}
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
        (pipeline, runtime, lake, snapshots): (&Pipeline, &Arc<RuntimeEnv>, &Lake, &Snapshots),
        step: &Step,
        (tables, own): (&BTreeSet<TableName>, Option<&TableName>),
        known: &BTreeMap<TableName, SchemaRef>,
        labels: &mut BTreeMap<TableName, Labels>,
    ) -> Result<SessionContext> {
        let context = session::session(runtime, self.resources);
        let mut providers = BTreeMap::new();
        for name in tables {
            if let Some(connection) = pipeline.connections.get(&name.zone) {
                if matches!(connection.kind, ConnectionKind::Dynamodb(_)) {
                    return Err(Fault::new(format!("'{name}' is a table of DynamoDB, which queries do not see"))
                        .at(&step.read.place)
                        .hint(format!("read it in a step of its own, read = {{ connection = \"{}\", table = \"{}\", schema = … }}, and query the lake table that the step writes", name.zone, name.table))
                        .into());
                }
                let schema = match known.get(name) {
                    Some(schema) => Arc::clone(schema),
                    None => {
                        let found = snapshots.table(name).await;
                        found.map_err(|error| at(error, &step.read.place))?.schema()
                    }
                };
                let held = sensitivity::of_database(&schema, &connection.sensitivity);
                labels.insert(name.clone(), held);
                providers.insert(name.clone(), Arc::new(EmptyTable::new(schema)) as _);
                continue;
            }
            let schema = match known.get(name) {
                Some(schema) => session::read_schema(name, schema),
                None => match delta::schema(&lake.table(name)?).await? {
                    Some(schema) => {
                        labels.insert(name.clone(), sensitivity::of_schema(&schema));
                        session::read_schema(name, &EnvelopeExec::visible(&schema))
                    }
                    None if own == Some(name) => declared(step, name)?,
                    None if self.aside.is_some() => {
                        return Err(Fault::new(format!(
                            "step '{}' reads {name}, which is not in the lake",
                            step.name
                        ))
                        .at(&step.read.place)
                        .hint("run the steps before it first; or check the lake (--lake)")
                        .into());
                    }
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

/// The tables that a read names.
fn tables_of(context: &SessionContext, read: &Read) -> Result<BTreeSet<TableName>> {
    Ok(match &read.source {
        ReadSource::Files(_) | ReadSource::Nothing => BTreeSet::new(),
        ReadSource::Table(name) => BTreeSet::from([name.clone()]),
        ReadSource::Sql(sql) => {
            let (named, input) =
                session::tables_of(context, sql).map_err(|error| at(error, &read.place))?;
            if input {
                return Err(Fault::new("this query has no `input`")
                    .at(&read.place)
                    .hint("name tables as zone.table; `input` is what a `sql` stage reads")
                    .into());
            }
            named.into_iter().collect()
        }
    })
}

/// The table that the step writes and reads as it was before.
fn own_table<'a>(step: &Step, tables: &'a BTreeSet<TableName>) -> Result<Option<&'a TableName>> {
    if step.read.own.is_none() {
        return Ok(None);
    }
    let fault = |what: String, hint: &str| -> Result<Option<&'a TableName>> {
        Err(Fault::new(what).at(&step.read.place).hint(hint).into())
    };
    let writes = |name: &TableName| {
        let to = |write: &&Write| matches!(&write.target, Target::Table(to) if to == name);
        step.writes.iter().filter(to).count()
    };
    let own: Vec<&TableName> = tables.iter().filter(|name| writes(name) > 0).collect();
    match own.as_slice() {
        [one] if writes(one) > 1 => fault(
            format!("the step reads {one} as it was, and writes it more than once"),
            "write it once, or in several steps",
        ),
        [one]
            if step
                .read
                .incremental
                .as_ref()
                .is_some_and(|new| new.table == **one) =>
        {
            fault(
                format!("the step would read only new rows of {one}, which it writes itself"),
                "leave out `incremental`, or say another table in it",
            )
        }
        [one] => Ok(Some(one)),
        [] => fault(
            "the step reads no table that it writes itself, so `as_of` means nothing".to_owned(),
            "leave out `as_of`: other tables are read as they are when the steps that write them are done",
        ),
        [..] => fault(
            "the step reads several of the tables that it writes itself".to_owned(),
            "read and write them in steps of their own",
        ),
    }
}

/// The columns of the step's own table while it is not there.
fn declared(step: &Step, name: &TableName) -> Result<SchemaRef> {
    let columns = step.read.own.as_ref().and_then(|own| own.columns.as_ref());
    match columns {
        Some(columns) => Ok(arrow_schema(columns)),
        None => Err(Fault::new(format!(
            "step '{}' reads {name} as it was before, and it is not in the lake yet",
            step.name
        ))
        .at(&step.read.place)
        .hint("say in `schema` which columns it has while there is no row, as `files` do")
        .into()),
    }
}

/// That a stage does not name the table of which the step's read sees new rows only.
fn only_in_the_read(step: &Step, named: &[TableName], place: &weir_pipeline::Place) -> Result<()> {
    match &step.read.incremental {
        Some(incremental) if named.contains(&incremental.table) => Err(Fault::new(format!(
            "{} is named here, and the step reads only new rows of it",
            incremental.table
        ))
        .at(place)
        .hint("read it in the step's `read` only, or leave out `incremental`")
        .into()),
        _ => Ok(()),
    }
}

/// No step of a pipeline that makes tokens reads a zone in which their values lie. What the grammar can
/// see of this it has refused; tables that queries name are known only now.
fn vaults_stand_alone(pipeline: &Pipeline, reads: &[BTreeSet<TableName>]) -> Result<()> {
    let zones: BTreeSet<&str> = pipeline
        .steps
        .iter()
        .flat_map(mask_stage::vaults)
        .map(|vault| vault.zone.as_str())
        .collect();
    for (step, tables) in pipeline.steps.iter().zip(reads) {
        if let Some(name) = tables
            .iter()
            .find(|name| zones.contains(name.zone.as_str()))
        {
            return Err(Fault::new(format!("step '{}' reads {name}, in the zone of a vault", step.name))
                .at(&step.read.place)
                .hint("a pipeline that makes tokens does not look them up; `weir sql` does, for whoever may read the zone")
                .into());
        }
    }
    Ok(())
}

/// Gives an error of a query its place in the file.
pub(crate) fn at(error: Error, place: &weir_pipeline::Place) -> Error {
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
        let own = steps
            .get(reader)
            .is_some_and(|step| step.read.own.is_some());
        let others = steps
            .iter()
            .enumerate()
            .filter(|(writer, _)| !(own && *writer == reader));
        let writers = others.filter(|(_, step)| {
            step.writes.iter().any(|write| match &write.target {
                Target::Table(name) => {
                    tables.contains(name) || tables.contains(&crate::quarantine::beside(name))
                }
                Target::Database { connection, table } => tables.contains(&TableName {
                    zone: connection.clone(),
                    table: table.clone(),
                }),
            })
        });
        edges.insert(reader, writers.map(|(index, _)| index).collect());
    }
    for (index, before) in database_sql::barriers(steps, reads) {
        edges.entry(index).or_default().extend(before);
    }
    if let Some(cycle) = find_cycle(&edges) {
        let names: Vec<&str> = cycle
            .iter()
            .filter_map(|index| steps.get(*index))
            .map(|step| step.name.as_str())
            .collect();
        let (what, hint) = match names.as_slice() {
            [one] => (
                format!("step '{one}' reads a table that it writes itself"),
                "read another table, or this one as it was before: as_of = \"before-run\"",
            ),
            _ => (
                format!("steps wait for each other: {}", names.join(" → ")),
                "a step may read only what steps before it write; one that runs SQL comes after all above it that use its connection",
            ),
        };
        let mut fault = Fault::new(what);
        if let Some(step) = cycle.first().and_then(|index| steps.get(*index)) {
            fault = fault.at(&step.place);
        }
        return Err(fault.hint(hint).into());
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

/// The schema and files of a read, at plan time. `reader`: the plugin that makes rows of them, or in their
/// place.
async fn read_schema(
    pipeline: &Pipeline,
    context: &SessionContext,
    read: &Read,
    stores: &Stores,
    connections: &Connections,
    reader: Option<&PluginCall>,
) -> Result<(SchemaRef, Option<Vec<InputFile>>)> {
    let place = &read.place;
    match &read.source {
        ReadSource::Files(read) => {
            let made = reader.and_then(|call| Some((call, reader::made(call)?)));
            if let Some((call, (schema, Some(stream)))) = made {
                let shards = elsewhere::shards(call.plugin.name(), stream);
                return Ok((Arc::clone(schema), Some(shards)));
            }
            let found = files::list(&pipeline.dir, read, stores)
                .await
                .map_err(|error| at(error, place))?;
            let looked = async {
                match Items::of(read, connections, Patience::Plan).await? {
                    Some(items) => items.look().await,
                    None => Ok(()),
                }
            };
            looked.await.map_err(|error| at(error, place))?;
            let schema = match made {
                Some((_, (schema, _))) => Arc::clone(schema),
                None => files::schema(read, &found, stores).await?,
            };
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
                .at(place)
                .hint("declare it as string, and take it apart in a plugin")
                .into());
            }
            Ok((schema, Some(found)))
        }
        ReadSource::Table(name) => {
            let frame = context.table(session::reference(name)).await?;
            Ok((EnvelopeExec::visible(frame.schema().as_arrow()), None))
        }
        ReadSource::Nothing => Err(Error::internal("a step reads nothing")),
        ReadSource::Sql(sql) => {
            let frame = session::query(context, sql, &pipeline.params)
                .await
                .map_err(|error| at(error, place))?;
            let schema = EnvelopeExec::visible(frame.schema().as_arrow());
            stages::distinct_names(frame.schema().as_arrow()).map_err(|error| at(error, place))?;
            Ok((schema, None))
        }
    }
}
