//! One segment as a DataFusion plan, and its execution.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{FieldRef, Fields, Int64Type, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, JoinType};
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column as PhysicalColumn};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect_partitioned};
use datafusion::prelude::{DataFrame, ParquetReadOptions};
use datafusion::scalar::ScalarValue;
use weir_pipeline::{FailAction, ReadSource};

use super::incremental::NewRows;
use super::side_rows::SideRows;
use super::step::StepRun;
use crate::database::{Snapshots, is_of_database};
use crate::delta;
use crate::dynamodb::{Items, Patience};
use crate::envelope::{ANY_RULE, EnvelopeLayout, READ_STAGE};
use crate::error::{Error, Result};
use crate::files::elsewhere::Progress;
use crate::files::{Decoding, Elsewhere, FileScanExec, InputFile, Sources};
use crate::lake::Location;
use crate::partition::PartitionColumn;
use crate::plan::{
    PlannedSegment, PlannedStep, PlannedWork, SegmentSource, WholeTableCheck, WholeTableKind,
    read_label,
};
use crate::segment::{
    CheckExec, CheckRule, EnvelopeExec, FailingKeys, FileKind, FoldExec, MaskExec, PluginExec,
    PluginTally, Quarantine, SegmentOutput, SegmentResult, SegmentWriterExec, StageFate,
    WrittenFile, written,
};
use crate::session;
use crate::types::type_text;
use crate::vault::Vaults;

/// What one segment is executed with.
pub(super) struct SegmentRun<'a> {
    pub(super) shared: &'a StepRun,
    pub(super) planned: &'a PlannedStep,
    pub(super) segment: &'a PlannedSegment,
    pub(super) context: &'a SessionContext,
    /// The files to read, for a segment that reads files.
    pub(super) files: &'a [InputFile],
    /// The table to read, for a segment that reads one whole.
    pub(super) table: Option<Arc<dyn TableProvider>>,
    /// How far to read a stream, for a segment that reads one.
    pub(super) progress: Option<Arc<Progress>>,
    /// The rows to read instead of what the segment reads.
    pub(super) replay: Option<DataFrame>,
    /// Where accepted rows go.
    pub(super) outputs: Arc<[SegmentOutput]>,
    /// Where rejected rows go.
    pub(super) quarantine: Option<Arc<Quarantine>>,
    /// The tokens of masks.
    pub(super) vaults: &'a Arc<Vaults>,
    /// What each plugin stage used, by stage.
    pub(super) tallies: &'a BTreeMap<u32, Arc<Mutex<PluginTally>>>,
    /// The reference tables that its plugins are handed.
    pub(super) side_rows: &'a SideRows,
}

impl SegmentRun<'_> {
    /// Executes the segment, again if a whole-table check rejects rows.
    pub(super) async fn execute(&self) -> Result<SegmentResult> {
        let mut result = self.pass(&[]).await?;
        let mut failing = Vec::new();
        let mut warned = Vec::new();
        for check in &self.segment.whole {
            let (keys, rows) = self.failing_keys(check, &result).await?;
            if rows == 0 {
                continue;
            }
            match check.fate.action {
                FailAction::Warn => warned.push((check, rows)),
                FailAction::Fail => {
                    self.discard(&result).await?;
                    return Err(Error::new(
                        crate::ErrorKind::Check,
                        format!("{}: {rows} rows break the rule '{}'", check.fate.label, check.rule),
                    )
                    .with_hint(
                        "mend the input; or let the stage keep such rows aside with `on_fail = \"quarantine\"`",
                    ));
                }
                FailAction::Quarantine | FailAction::Drop => {
                    let columns = check.columns.clone();
                    let rule = CheckRule::Key {
                        rule: Arc::clone(&check.rule),
                        message: Arc::clone(&check.message),
                        columns,
                        failing: Arc::new(keys),
                    };
                    failing.push((check, rule));
                }
            }
        }
        if !failing.is_empty() {
            // The input is pinned and plugins are deterministic, so the second pass sees the
            // rows of the first; what the first wrote is nobody's.
            self.discard(&result).await?;
            result = self.pass(&failing).await?;
            for (check, _) in &failing {
                let (_, rows) = self.failing_keys(check, &result).await?;
                if rows > 0 {
                    self.discard(&result).await?;
                    return Err(Error::new(
                        crate::ErrorKind::Check,
                        format!(
                            "{}: '{}' still fails after its rows were taken out",
                            check.fate.label, check.rule
                        ),
                    )
                    .with_hint(
                        "the step does not read the same rows twice: order a query that has a limit, and leave out random()",
                    ));
                }
            }
        }
        for (check, rows) in warned {
            for rule in [check.rule.as_ref(), ANY_RULE] {
                let by = (check.fate.stage, rule.to_owned());
                *result.warned_by.entry(by).or_default() += rows;
            }
        }
        Ok(result)
    }

    async fn discard(&self, result: &SegmentResult) -> Result<()> {
        for (kind, file) in &result.files {
            self.location(*kind, file)?.remove().await?;
        }
        Ok(())
    }

    fn location(&self, kind: FileKind, file: &WrittenFile) -> Result<Location> {
        let root = match kind {
            FileKind::Accepted(index) => self.outputs.get(index).map(|output| &output.root),
            FileKind::Quarantined => self.quarantine.as_ref().map(|quarantine| &quarantine.root),
        };
        root.map(|root| root.file(&file.path))
            .ok_or_else(|| Error::internal("a file was written for no target"))
    }

    async fn pass(&self, failing: &[(&WholeTableCheck, CheckRule)]) -> Result<SegmentResult> {
        let plan = self.plan(failing).await?;
        tracing::debug!(
            step = %self.planned.step.name,
            plan = %names_of(plan.as_ref()),
            "executing a segment"
        );
        let batches = collect_partitioned(plan, self.context.task_ctx()).await?;
        written(&batches.concat())
    }

    async fn plan(
        &self,
        failing: &[(&WholeTableCheck, CheckRule)],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let source = self.source().await?;
        let derived = match &self.segment.source {
            SegmentSource::Read => &self.planned.input,
            SegmentSource::Sql(_) | SegmentSource::Fold(_) => &self.segment.input,
        };
        let drops = match &self.planned.step.read.source {
            ReadSource::Files(read) => read.on_fail.action == FailAction::Drop,
            ReadSource::Table(_) | ReadSource::Sql(_) | ReadSource::Nothing => false,
        };
        let envelope = EnvelopeExec::new(source, &self.segment.input, derived, drops);
        let mut layout = Arc::clone(envelope.layout());
        let mut plan: Arc<dyn ExecutionPlan> = Arc::new(envelope);
        for stage in &self.segment.stages {
            match &stage.work {
                PlannedWork::Checks(rules) => {
                    plan = Arc::new(CheckExec::new(
                        plan,
                        Arc::clone(&layout),
                        stage.output,
                        Arc::clone(rules),
                        stage.fate.clone(),
                    ));
                }
                PlannedWork::Mask(masks) => {
                    let above = Arc::new(EnvelopeLayout::new(
                        Arc::clone(&self.segment.input),
                        stage.above.clone(),
                    ));
                    plan = Arc::new(MaskExec::new(
                        plan,
                        (layout, Arc::clone(&above)),
                        stage.output,
                        Arc::clone(masks),
                        Arc::clone(self.vaults),
                    ));
                    layout = above;
                }
                PlannedWork::Plugin(call) => {
                    let above = Arc::new(EnvelopeLayout::new(
                        Arc::clone(&self.segment.input),
                        stage.above.clone(),
                    ));
                    let tally = self
                        .tallies
                        .get(&stage.fate.stage)
                        .cloned()
                        .unwrap_or_default();
                    plan = Arc::new(PluginExec::new(
                        plan,
                        (layout, Arc::clone(&above)),
                        self.side_rows.given_to(stage.fate.stage, call),
                        stage.output,
                        stage.fate.clone(),
                        tally,
                        Arc::clone(&self.shared.guest_log) as _,
                    ));
                    layout = above;
                }
            }
        }
        for (check, rule) in failing {
            plan = Arc::new(CheckExec::new(
                plan,
                Arc::clone(&layout),
                check.output,
                Arc::from([rule.clone()]),
                StageFate::clone(&check.fate),
            ));
        }
        Ok(Arc::new(SegmentWriterExec::new(
            plan,
            layout,
            Arc::clone(&self.outputs),
            self.quarantine.clone(),
        )))
    }

    /// What the segment reads, planned by DataFusion where it is a query.
    async fn source(&self) -> Result<Arc<dyn ExecutionPlan>> {
        let read = &self.planned.step.read;
        let limit = match (&read.source, self.shared.options.limit, read.limit) {
            (ReadSource::Files(_), Some(run), Some(step)) => Some(run.min(step)),
            (ReadSource::Files(_), Some(run), None) => Some(run),
            (_, _, step) => step,
        };
        let params = &self.shared.plan.pipeline.params;
        let frame = match (&self.segment.source, &read.source) {
            _ if let Some(rows) = &self.replay => rows.clone(),
            (SegmentSource::Fold(fold), _) => {
                let rows = self.context.table("input").await?;
                let rows = rows.create_physical_plan().await?;
                let tally = self.tallies.get(&fold.fate.stage).cloned();
                return Ok(Arc::new(FoldExec::new(
                    rows,
                    self.side_rows.given_to(fold.fate.stage, &fold.call),
                    fold.fate.clone(),
                    tally.unwrap_or_default(),
                    Arc::clone(&self.shared.guest_log) as _,
                )?));
            }
            (SegmentSource::Sql(sql), _) => session::query(self.context, sql, params).await?,
            (SegmentSource::Read, ReadSource::Nothing) => {
                return Err(Error::internal("a segment reads nothing"));
            }
            (SegmentSource::Read, ReadSource::Sql(sql)) => {
                limited(session::query(self.context, sql, params).await?, limit)?
            }
            (SegmentSource::Read, ReadSource::Table(name)) => {
                // One snapshot for all passes, however often the table changes meanwhile.
                let provider = self
                    .table
                    .clone()
                    .ok_or_else(|| Error::internal(format!("table {name} was not opened")))?;
                limited(self.context.read_table(provider)?, limit)?
            }
            (SegmentSource::Read, ReadSource::Files(files)) => {
                let connections = self.shared.applier().connections;
                let sources = Sources {
                    stores: self.shared.plan.lake.root().stores().clone(),
                    items: Items::of(files, &connections, Patience::Run).await?,
                    decoder: self.decoding(),
                    elsewhere: self.elsewhere(),
                };
                let scan: Arc<dyn ExecutionPlan> = Arc::new(FileScanExec::new(
                    files.clone(),
                    Arc::clone(&self.segment.input),
                    self.files.to_vec(),
                    self.shared.options.resources.partitions,
                    sources,
                ));
                return Ok(match limit {
                    None => scan,
                    Some(limit) => {
                        let one: Arc<dyn ExecutionPlan> =
                            if scan.output_partitioning().partition_count() > 1 {
                                Arc::new(CoalescePartitionsExec::new(scan))
                            } else {
                                scan
                            };
                        let rows = usize::try_from(limit).unwrap_or(usize::MAX);
                        Arc::new(GlobalLimitExec::new(one, 0, Some(rows)))
                    }
                });
            }
        };
        self.as_planned(frame.schema().as_arrow())?;
        let plan = frame.create_physical_plan().await?;
        self.in_planned_types(plan)
    }

    /// The plugin that decodes the step's files, if one does.
    fn decoding(&self) -> Option<Decoding> {
        let call = self.planned.reader.as_ref()?;
        Some(Decoding {
            call: Arc::new(self.side_rows.given_to(READ_STAGE, call)),
            label: read_label(&self.planned.step).into(),
            tally: self.tallies.get(&READ_STAGE).cloned().unwrap_or_default(),
            guest_log: Arc::clone(&self.shared.guest_log) as _,
        })
    }

    /// The plugin that reads in place of files, if one does.
    fn elsewhere(&self) -> Option<Elsewhere> {
        let call = self.planned.reader.as_ref()?;
        Some(Elsewhere {
            call: Arc::clone(call),
            label: read_label(&self.planned.step).into(),
            tally: self.tallies.get(&READ_STAGE).cloned().unwrap_or_default(),
            guest_log: Arc::clone(&self.shared.guest_log) as _,
            progress: Arc::clone(self.progress.as_ref()?),
        })
    }

    /// That what a query gives now is what the step was planned with: a lake table may have changed since.
    fn as_planned(&self, now: &Schema) -> Result<()> {
        let now = EnvelopeExec::visible(now);
        let planned = self.segment.input.fields();
        let lacks = |among: &Fields, field: &FieldRef| {
            let same = |other: &FieldRef| {
                other.name() == field.name() && other.data_type() == field.data_type()
            };
            !among.iter().any(same)
        };
        let text = |field: &FieldRef| format!("{} {}", field.name(), type_text(field.data_type()));
        let new = now.fields().iter().filter(|field| lacks(planned, field));
        let old = planned.iter().filter(|field| lacks(now.fields(), field));
        let differing: Vec<String> = new
            .map(text)
            .chain(old.map(|field| format!("no {}", text(field))))
            .collect();
        let names = |fields: &Fields| -> Vec<String> {
            fields.iter().map(|field| field.name().clone()).collect()
        };
        if differing.is_empty() && names(now.fields()) == names(planned) {
            return Ok(());
        }
        Err(Error::new(
            crate::ErrorKind::Conflict,
            format!(
                "step '{}': its input has other columns than when the run was planned: {}",
                self.planned.step.name,
                differing.join(", ")
            ),
        )
        .with_hint("another run has changed the table: run the same command again"))
    }

    /// Casts where DataFusion's optimizer has changed a type, as it does of sums of decimals.
    fn in_planned_types(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = plan.schema();
        let visible = EnvelopeExec::visible(&schema);
        let wanted = |field: &FieldRef| {
            let planned = self.segment.input.field_with_name(field.name()).ok()?;
            let now = visible.field_with_name(field.name()).ok()?;
            (planned.data_type() != now.data_type()).then(|| planned.data_type().clone())
        };
        if schema.fields().iter().all(|field| wanted(field).is_none()) {
            return Ok(plan);
        }
        let columns = schema.fields().iter().enumerate().map(|(index, field)| {
            let column: Arc<dyn PhysicalExpr> = Arc::new(PhysicalColumn::new(field.name(), index));
            let column = match wanted(field) {
                Some(data_type) => Arc::new(CastExpr::new(column, data_type, None)),
                None => column,
            };
            (column, field.name().clone())
        });
        let columns: Vec<_> = columns.collect();
        Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
    }

    /// The rows of files of one output, with those of its partition columns that are among `names` and
    /// which the files do not have.
    async fn written_rows(
        &self,
        output: &SegmentOutput,
        files: &[&WrittenFile],
        names: &[String],
    ) -> Result<DataFrame> {
        let needed: Vec<(usize, &PartitionColumn)> = output
            .by
            .iter()
            .enumerate()
            .filter(|(_, column)| names.contains(&column.name))
            .collect();
        let mut parts: BTreeMap<Vec<Option<String>>, Vec<String>> = BTreeMap::new();
        for file in files {
            let values = needed
                .iter()
                .map(|(index, _)| file.partition.get(*index).cloned().flatten())
                .collect();
            let path = output.root.file(&file.path).url().to_string();
            parts.entry(values).or_default().push(path);
        }
        let mut all: Option<DataFrame> = None;
        for (values, paths) in parts {
            let options = ParquetReadOptions::default().schema(&output.schema);
            let mut frame = self.context.read_parquet(paths, options).await?;
            for ((_, column), value) in needed.iter().zip(values) {
                let value = cast(lit(ScalarValue::Utf8(value)), column.data_type.clone());
                frame = frame.with_column(&column.name, value)?;
            }
            all = Some(match all {
                None => frame,
                Some(before) => before.union(frame)?,
            });
        }
        all.ok_or_else(|| Error::internal("no file was given"))
    }

    /// The keys for which `check` fails among what the segment wrote, and how many rows have them.
    async fn failing_keys(
        &self,
        check: &WholeTableCheck,
        result: &SegmentResult,
    ) -> Result<(FailingKeys, u64)> {
        let (_, schema) = self
            .segment
            .outputs
            .get(check.output)
            .ok_or_else(|| Error::internal("a check judges no output"))?;
        let fields: Fields = check
            .columns
            .iter()
            .filter_map(|index| schema.fields().get(*index).cloned())
            .collect();
        let Some((target, output)) = self
            .outputs
            .iter()
            .enumerate()
            .find(|(_, output)| output.output == check.output)
        else {
            return Err(Error::internal("a checked output was not written"));
        };
        let files: Vec<&WrittenFile> = result
            .files
            .iter()
            .filter(|(kind, _)| *kind == FileKind::Accepted(target))
            .map(|(_, file)| file)
            .collect();
        if files.is_empty() {
            return Ok((FailingKeys::new(&fields, &[])?, 0));
        }
        output.root.register(&self.context.runtime_env());
        let mut frame = self.written_rows(output, &files, &check.names).await?;
        // Pinned columns are the same in every row, and not in the files.
        for (_, name, value) in &output.pinned {
            if check.names.contains(name) {
                let scalar = ScalarValue::try_from_array(value, 0)?;
                frame = frame.with_column(name, lit(scalar))?;
            }
        }
        let named = |name: &String| Expr::Column(Column::from_name(name));
        let keys: Vec<Expr> = check.names.iter().map(named).collect();
        for key in &keys {
            frame = frame.filter(key.clone().is_not_null())?;
        }
        let grouped = frame.aggregate(keys, vec![count(lit(1_i64)).alias("__weir_rows")])?;
        let failing = match &check.kind {
            WholeTableKind::Unique => {
                grouped.filter(named(&"__weir_rows".to_owned()).gt(lit(1_i64)))?
            }
            WholeTableKind::References { table, key } => {
                let reference = session::reference(table);
                let data_type = fields
                    .first()
                    .map(|field| field.data_type().clone())
                    .ok_or_else(|| Error::internal("a reference has no column"))?;
                let known = self
                    .context
                    .table(reference)
                    .await?
                    .select(vec![cast(named(key), data_type).alias("__weir_known")])?
                    .distinct()?;
                let column = check.names.first().map(String::as_str).unwrap_or_default();
                grouped.join(
                    known,
                    JoinType::LeftAnti,
                    &[column],
                    &["__weir_known"],
                    None,
                )?
            }
        };
        let total = failing
            .clone()
            .aggregate(
                Vec::new(),
                vec![sum(named(&"__weir_rows".to_owned())).alias("rows")],
            )?
            .collect()
            .await?;
        let rows = total
            .iter()
            .filter(|batch| batch.num_rows() > 0)
            .filter_map(|batch| batch.column(0).as_primitive_opt::<Int64Type>())
            .map(|sums| sums.iter().flatten().sum::<i64>())
            .sum::<i64>()
            .unsigned_abs();
        if rows == 0 || check.fate.action == FailAction::Warn {
            return Ok((FailingKeys::new(&fields, &[])?, rows));
        }
        let names: Vec<Expr> = check.names.iter().map(named).collect();
        let collected = failing.select(names)?.collect().await?;
        let plain: SchemaRef = Arc::new(Schema::new(fields.clone()));
        let batches = collected
            .iter()
            .map(|batch| {
                let columns = batch
                    .columns()
                    .iter()
                    .zip(plain.fields())
                    .map(|(column, field)| arrow::compute::cast(column, field.data_type()))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(RecordBatch::try_new(Arc::clone(&plain), columns)?)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok((FailingKeys::new(&fields, &batches)?, rows))
    }
}

/// The nodes of a plan from top to bottom. What they compare with may be values of rows, and is left out.
fn names_of(plan: &dyn ExecutionPlan) -> String {
    let below: Vec<String> = plan
        .children()
        .into_iter()
        .map(|child| names_of(child.as_ref()))
        .collect();
    match below.is_empty() {
        true => plan.name().to_owned(),
        false => format!("{}({})", plan.name(), below.join(", ")),
    }
}

pub(super) fn limited(frame: DataFrame, limit: Option<u64>) -> Result<DataFrame> {
    Ok(match limit {
        Some(limit) => frame.limit(0, Some(usize::try_from(limit).unwrap_or(usize::MAX)))?,
        None => frame,
    })
}

/// The tables that a step reads, as they are in the lake now: each one snapshot, for all passes.
pub(super) struct Tables {
    /// For queries.
    pub(super) providers: BTreeMap<weir_pipeline::TableName, Arc<dyn TableProvider>>,
    /// The one that the step reads whole, each row with its data file.
    pub(super) whole: Option<Arc<dyn TableProvider>>,
    /// Their versions.
    pub(super) versions: BTreeMap<String, u64>,
}

/// Opens the tables that a step reads.
pub(super) async fn tables(
    shared: &StepRun,
    context: &SessionContext,
    planned: &PlannedStep,
    new: Option<&NewRows>,
    snapshots: &Snapshots,
) -> Result<Tables> {
    let mut tables = Tables {
        providers: BTreeMap::new(),
        whole: None,
        versions: BTreeMap::new(),
    };
    for name in &planned.tables {
        let whole = matches!(&planned.step.read.source, ReadSource::Table(whole) if whole == name);
        if let Some(new) = new.filter(|new| new.name == *name) {
            if let Some(version) = new.version {
                tables.versions.insert(name.to_string(), version);
            }
            tables.providers.insert(name.clone(), Arc::clone(&new.rows));
            if whole {
                tables.whole = Some(Arc::clone(&new.with_file));
            }
            continue;
        }
        if is_of_database(&shared.plan.pipeline, name) {
            let provider = snapshots.table(name).await?;
            tables.providers.insert(name.clone(), Arc::clone(&provider));
            if whole {
                tables.whole = Some(provider);
            }
            continue;
        }
        let root = shared.plan.lake.table(name)?;
        let opened = delta::open(&root).await?;
        if let (None, Some((own, schema))) = (&opened, &planned.own)
            && own == name
        {
            let empty: Arc<dyn TableProvider> = Arc::new(EmptyTable::new(Arc::clone(schema)));
            tables.providers.insert(name.clone(), Arc::clone(&empty));
            if whole {
                tables.whole = Some(empty);
            }
            continue;
        }
        let Some(table) = opened else {
            return Err(Error::input(format!(
                "step '{}': {}.{} is not in the lake",
                planned.step.name, name.zone, name.table
            ))
            .with_hint("run the step that writes it first (leave out --step)"));
        };
        if let Some(version) = table.version() {
            tables.versions.insert(name.to_string(), version);
        }
        let provider = delta::provider_of(&table).await?;
        let provider = session::read_table(context, name, provider)?;
        tables.providers.insert(name.clone(), provider);
        if whole {
            let provider = delta::provider_with_file(&table).await?;
            tables.whole = Some(session::read_table(context, name, provider)?);
        }
    }
    Ok(tables)
}

/// Makes the accepted rows of the segment before known as `input`.
pub(super) async fn register_input(
    context: &SessionContext,
    output: &SegmentOutput,
    files: &[WrittenFile],
) -> Result<()> {
    context.deregister_table("input")?;
    if files.is_empty() {
        context.register_table(
            "input",
            Arc::new(EmptyTable::new(Arc::clone(&output.schema))),
        )?;
        return Ok(());
    }
    let paths: Vec<String> = files
        .iter()
        .map(|file| output.root.file(&file.path).url().to_string())
        .collect();
    let options = ParquetReadOptions::default().schema(&output.schema);
    output.root.register(&context.runtime_env());
    let frame = context.read_parquet(paths, options).await?;
    context.register_table("input", frame.into_view())?;
    Ok(())
}
