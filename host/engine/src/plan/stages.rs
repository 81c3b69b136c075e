//! Stages, bound: what each does to which output, and the schemas below and above it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{Expr, Operator, binary_expr, cast, lit};
use weir_decode::nullable_schema;
use weir_pipeline::{
    Check, CheckKind, CheckStage, FailAction, Fault, FileFormat, OnFail, Pipeline, Place, Read,
    ReadSource, Stage, StageAction, Step, TableName,
};
use weir_sandbox::{Sandbox, World};

use super::ahead::Ahead;
use super::sensitivity::{self, Labels, SegmentLabels};
use super::{
    PlannedSegment, PlannedStep, SegmentSource, at, incremental, mask_stage, read_schema, targets,
};
use crate::connections::Connections;
use crate::error::{Error, Result};
use crate::files::InputFile;
use crate::lake::Lake;
use crate::mask::Masks;
use crate::plugins::LoadedPlugin;
use crate::segment::{CheckRule, EnvelopeExec, PluginCall, StageFate};
use crate::session::{self, Resources};

/// A row-wise stage that can run.
pub struct PlannedStage {
    /// Its place in the step, and what becomes of the rows it finds wanting.
    pub fate: StageFate,
    /// Thresholds on those rows.
    pub on_fail: OnFail,
    /// The output it works on.
    pub output: usize,
    /// What it does.
    pub work: PlannedWork,
    /// Names and schemas of the outputs above it.
    pub above: Vec<(String, SchemaRef)>,
    /// Where it is defined.
    pub place: Place,
}

/// What a row-wise stage does.
pub enum PlannedWork {
    /// Calls a plugin.
    Plugin(Box<PluginCall>),
    /// Judges by expressions.
    Checks(Arc<[CheckRule]>),
    /// Replaces values.
    Mask(Arc<Masks>),
}

/// A check over all rows of a segment: a query over what the segment wrote finds the failing
/// keys, and if there are any the segment runs again with them as a rule.
#[derive(Debug, Clone)]
pub struct WholeTableCheck {
    /// The stage, and what becomes of failing rows.
    pub fate: StageFate,
    /// Thresholds on those rows.
    pub on_fail: OnFail,
    /// The output judged.
    pub output: usize,
    /// The columns of the key in that output.
    pub columns: Vec<usize>,
    /// Their names.
    pub names: Vec<String>,
    /// The rule's name.
    pub rule: Arc<str>,
    /// What it demands.
    pub message: Arc<str>,
    /// What is demanded of the keys.
    pub kind: WholeTableKind,
    /// Where it is defined.
    pub place: Place,
}

/// What a whole-table check demands.
#[derive(Debug, Clone)]
pub enum WholeTableKind {
    /// No key occurs twice.
    Unique,
    /// Every key occurs in a table.
    References {
        /// The table.
        table: TableName,
        /// Its column.
        key: String,
    },
}

/// What is needed to plan one step.
pub(super) struct StepPlanner<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) sandbox: &'a Sandbox,
    pub(super) resources: Resources,
    pub(super) lake: &'a Lake,
    /// Where its targets lie, if not in the lake.
    pub(super) targets: &'a Lake,
    pub(super) plugins: &'a BTreeMap<String, LoadedPlugin>,
    pub(super) context: &'a SessionContext,
    pub(super) known: &'a BTreeMap<TableName, SchemaRef>,
    /// The tables of databases that steps before change.
    pub(super) ahead: &'a Ahead,
    /// The labels of the tables that are read.
    pub(super) labels: &'a BTreeMap<TableName, Labels>,
    pub(super) params_hash: &'a str,
    pub(super) isolated: bool,
    pub(super) full_refresh: bool,
    pub(super) replay: bool,
}

/// A step without what it writes.
pub(super) struct Before {
    /// The plugin that decodes its files, or reads in their place.
    pub(super) reader: Option<PluginCall>,
    /// The schema of what it reads.
    pub(super) input: SchemaRef,
    /// The files that it reads.
    pub(super) files: Option<Vec<InputFile>>,
    /// Its segments.
    pub(super) segments: Vec<PlannedSegment>,
}

impl StepPlanner<'_> {
    pub(super) async fn plan(
        &self,
        step: Step,
        depends_on: BTreeSet<usize>,
        tables: BTreeSet<TableName>,
        own: Option<(TableName, SchemaRef)>,
    ) -> Result<PlannedStep> {
        let Before {
            reader,
            input,
            files,
            mut segments,
        } = self.before_writes(&step).await?;
        mask_stage::keep_masked(&mut segments)?;
        let mut planned = targets::StepTargets {
            pipeline: self.pipeline,
            lake: self.targets,
            known: self.known,
            ahead: self.ahead,
            plugins: self.plugins,
            params_hash: self.params_hash,
            isolated: self.isolated,
            full_refresh: self.full_refresh,
            replay: self.replay,
        }
        .plan(step, depends_on, (tables, own), input, files, segments)
        .await?;
        planned.reader = reader.map(Arc::new);
        sensitivity::settle(&mut planned, self.pipeline)?;
        Ok(planned)
    }

    /// What the step reads, and its stages.
    pub(super) async fn before_writes(&self, step: &Step) -> Result<Before> {
        if let Some(new) = &step.read.incremental {
            let schema = session::schema_of(self.context, &new.table).await?;
            // What a connection may hold is said of all of its columns, and of none in particular.
            let labels = match self.pipeline.connections.contains_key(&new.table.zone) {
                true => None,
                false => self.labels.get(&new.table),
            };
            incremental::check(step, new, &schema, labels.unwrap_or(&Labels::new()))?;
        }
        let reader = match &step.read.source {
            ReadSource::Files(read) => match &read.format {
                FileFormat::Decoder(plugin) => Some(self.decoder(step, read, plugin).await?),
                FileFormat::Source(source) => Some(self.source(step, read, source).await?),
                _ => None,
            },
            ReadSource::Table(_) | ReadSource::Sql(_) | ReadSource::Nothing => None,
        };
        let (input, files) = read_schema(
            self.pipeline,
            self.context,
            &step.read,
            self.lake.root().stores(),
            &Connections::of(self.pipeline, self.lake),
            reader.as_ref(),
        )
        .await?;
        let mut labels = self.read_labels(&step.read).await?;
        if let Some(reader) = &reader {
            sensitivity::add(&mut labels, &sensitivity::handed(reader, &input));
        }
        let mut segments = vec![PlannedSegment {
            labels: SegmentLabels::of(labels),
            made_of: Labels::new(),
            kept: unmasked(&input)?,
            source: SegmentSource::Read,
            outputs: vec![("out".to_owned(), Arc::clone(&input))],
            input: match &step.read.source {
                // A record that cannot be read is a row of nulls.
                ReadSource::Files(read) if read.is_tolerant() => nullable_schema(&input),
                ReadSource::Files(_)
                | ReadSource::Table(_)
                | ReadSource::Sql(_)
                | ReadSource::Nothing => Arc::clone(&input),
            },
            stages: Vec::new(),
            whole: Vec::new(),
        }];
        for (index, stage) in (0_u32..).zip(&step.stages) {
            let label: Arc<str> = format!("step '{}' {}", step.name, stage.label).into();
            let segment = segments
                .last_mut()
                .ok_or_else(|| Error::internal("a step has no segment"))?;
            let fate = |on_fail: &OnFail| StageFate {
                stage: index,
                label: Arc::clone(&label),
                action: on_fail.action,
            };
            match &stage.action {
                StageAction::Sql(sql) => {
                    let next = self.sql(segment, stage, sql).await?;
                    segments.push(next);
                }
                StageAction::Checks(checks) => {
                    self.checks(segment, stage, checks, fate(&checks.on_fail))
                        .await?;
                }
                StageAction::Transform(plugin) => {
                    if plugin.on_fail.action == FailAction::Warn {
                        return Err(Fault::new("a transform's rejected rows cannot stay")
                            .at(&stage.place)
                            .hint("use on_fail = \"quarantine\", \"drop\" or \"fail\"")
                            .into());
                    }
                    if let Some(check) = segment.whole.first() {
                        return Err(Fault::new(format!(
                            "'{}' is judged over the rows that the step writes, and this transform changes them",
                            check.rule
                        ))
                        .at(&stage.place)
                        .hint("put unique and references checks after the last transform")
                        .into());
                    }
                    let fate = fate(&plugin.on_fail);
                    self.plugin(segment, step, (stage, plugin), fate, World::Transform)
                        .await?;
                    sensitivity::through_plugin(segment);
                }
                StageAction::PluginCheck(plugin) => {
                    let fate = fate(&plugin.on_fail);
                    self.plugin(segment, step, (stage, plugin), fate, World::Check)
                        .await?;
                }
                StageAction::Fold(plugin) => {
                    let fold = fate(&plugin.on_fail);
                    let next = self.fold(segment, step, (stage, plugin), fold).await?;
                    segments.push(next);
                }
                StageAction::Mask(masks) => self.mask(segment, (index, stage), masks, &label)?,
                StageAction::Declassify(columns) => {
                    sensitivity::declassify(segment, stage, columns)?;
                }
            }
        }
        if let (Some(_), Some(check)) = (
            step.read.elsewhere(),
            segments.first().and_then(|segment| segment.whole.first()),
        ) {
            return Err(Fault::new(format!(
                "'{}' is judged over all rows, for which they are read twice, and a source may give others the second time",
                check.rule
            ))
            .at(&check.place)
            .hint("write the rows to a table first, and check them in a step that reads it; or put a `sql` stage before the check")
            .into());
        }
        Ok(Before {
            reader,
            input,
            files,
            segments,
        })
    }

    /// The labels of what is read.
    pub(super) async fn read_labels(&self, read: &Read) -> Result<Labels> {
        Ok(match &read.source {
            ReadSource::Nothing => Labels::new(),
            ReadSource::Files(_) => sensitivity::of_files(&read.source),
            ReadSource::Table(name) => self.labels.get(name).cloned().unwrap_or_default(),
            ReadSource::Sql(sql) => {
                let query = session::query(self.context, sql, &self.pipeline.params).await?;
                sensitivity::marks(query.logical_plan(), &|table, column| {
                    self.table_labels(table, column)
                })
            }
        })
    }

    fn table_labels(&self, table: &TableReference, column: &str) -> BTreeSet<String> {
        let labels = sensitivity::table_of(table).and_then(|name| self.labels.get(&name));
        let labels = labels.and_then(|labels| labels.get(column));
        labels.cloned().unwrap_or_default()
    }

    async fn sql(
        &self,
        segment: &PlannedSegment,
        stage: &Stage,
        sql: &str,
    ) -> Result<PlannedSegment> {
        let output = output_index(&segment.outputs, stage)?;
        if segment.outputs.len() > 1 {
            return Err(Fault::new("SQL after a transform with several outputs")
                .at(&stage.place)
                .hint("write the outputs, and query them in a step of its own")
                .into());
        }
        let (_, schema) = at_index(&segment.outputs, output)?;
        self.context.deregister_table("input")?;
        self.context
            .register_table("input", Arc::new(EmptyTable::new(Arc::clone(schema))))?;
        let frame = session::query(self.context, sql, &self.pipeline.params)
            .await
            .map_err(|error| at(error, &stage.place))?;
        let schema = EnvelopeExec::visible(frame.schema().as_arrow());
        distinct_names(frame.schema().as_arrow()).map_err(|error| at(error, &stage.place))?;
        let before = segment.labels.outputs.get(output);
        let labels = sensitivity::marks(frame.logical_plan(), &|table, column| {
            if sensitivity::table_of(table).is_some() {
                return self.table_labels(table, column);
            }
            let labels = before.and_then(|labels| labels.get(column));
            labels.cloned().unwrap_or_default()
        });
        let made_of =
            sensitivity::marks(
                frame.logical_plan(),
                &|table, column| match sensitivity::table_of(table) {
                    Some(_) => BTreeSet::new(),
                    None => BTreeSet::from([column.to_owned()]),
                },
            );
        Ok(PlannedSegment {
            labels: SegmentLabels::of(labels),
            made_of,
            kept: unmasked(&schema)?,
            source: SegmentSource::Sql(sql.to_owned()),
            outputs: vec![("out".to_owned(), Arc::clone(&schema))],
            input: schema,
            stages: Vec::new(),
            whole: Vec::new(),
        })
    }

    async fn checks(
        &self,
        segment: &mut PlannedSegment,
        stage: &Stage,
        checks: &CheckStage,
        fate: StageFate,
    ) -> Result<()> {
        let output = output_index(&segment.outputs, stage)?;
        let (_, schema) = at_index(&segment.outputs, output)?.clone();
        let mut rules = Vec::new();
        for check in &checks.checks {
            let message: Arc<str> = demand(&check.kind).into();
            let whole = |names: &[String], kind: WholeTableKind| -> Result<WholeTableCheck> {
                Ok(WholeTableCheck {
                    fate: fate.clone(),
                    on_fail: checks.on_fail.clone(),
                    output,
                    columns: names
                        .iter()
                        .map(|name| column_index(&schema, name, &check.place))
                        .collect::<Result<_>>()?,
                    names: names.to_vec(),
                    rule: check.rule.as_str().into(),
                    message: Arc::clone(&message),
                    kind,
                    place: check.place.clone(),
                })
            };
            match &check.kind {
                CheckKind::Unique { columns } => {
                    segment.whole.push(whole(columns, WholeTableKind::Unique)?);
                }
                CheckKind::References { column, table, key } => {
                    let index = column_index(&schema, column, &check.place)?;
                    self.referable(&check.place, schema.field(index).data_type(), table, key)
                        .await?;
                    let kind = WholeTableKind::References {
                        table: table.clone(),
                        key: key.clone(),
                    };
                    segment
                        .whole
                        .push(whole(std::slice::from_ref(column), kind)?);
                }
                _ => rules.push(CheckRule::Violated {
                    rule: check.rule.as_str().into(),
                    message,
                    when: self.violation(check, &schema)?,
                }),
            }
        }
        if !rules.is_empty() {
            segment.stages.push(PlannedStage {
                fate,
                on_fail: checks.on_fail.clone(),
                output,
                work: PlannedWork::Checks(rules.into()),
                above: segment.outputs.clone(),
                place: stage.place.clone(),
            });
        }
        Ok(())
    }

    /// Whether a column can refer to another: it is there, and both are text or neither is.
    async fn referable(
        &self,
        place: &Place,
        data_type: &DataType,
        table: &TableName,
        key: &str,
    ) -> Result<()> {
        let reference = session::reference(table);
        let frame = self.context.table(reference).await?;
        let there = EnvelopeExec::visible(frame.schema().as_arrow());
        let found = there
            .field(column_index(&there, key, place)?)
            .data_type()
            .clone();
        if (*data_type == DataType::Utf8) != (found == DataType::Utf8) {
            return Err(Fault::new(format!(
                "{table}.{key} is {found}, the column that refers to it {data_type}"
            ))
            .at(place)
            .hint("refer to a column of the same type, or cast one of them in a query")
            .into());
        }
        Ok(())
    }

    /// An expression that is true where a row breaks the check.
    fn violation(
        &self,
        check: &Check,
        schema: &SchemaRef,
    ) -> Result<Arc<dyn datafusion::physical_expr::PhysicalExpr>> {
        let df_schema = DFSchema::try_from(Arc::clone(schema))?;
        let typed = |name: &str| -> Result<(Expr, DataType)> {
            let index = column_index(schema, name, &check.place)?;
            let data_type = schema.field(index).data_type().clone();
            Ok((Expr::Column(Column::from_name(name)), data_type))
        };
        let text = |name: &str| -> Result<Expr> {
            Ok(match typed(name)? {
                (column, DataType::Utf8) => column,
                (column, _) => cast(column, DataType::Utf8),
            })
        };
        let expression = match &check.kind {
            CheckKind::NotNull { column } => typed(column)?.0.is_null(),
            CheckKind::Accepted { column, values } => {
                let values = values.iter().map(|value| lit(value.as_str())).collect();
                text(column)?.in_list(values, true)
            }
            CheckKind::Range { column, min, max } => {
                let (column, data_type) = typed(column)?;
                let bound = |literal: &String| -> Result<Expr> {
                    ScalarValue::try_from_string(literal.clone(), &data_type)
                        .map(lit)
                        .map_err(|_| {
                            Fault::new(format!("'{literal}' is no {data_type}"))
                                .at(&check.place)
                                .hint("give the bound as a value of the column's type")
                                .into()
                        })
                };
                let low = min.as_ref().map(&bound).transpose()?;
                let high = max.as_ref().map(&bound).transpose()?;
                match (low, high) {
                    (Some(low), Some(high)) => column.clone().lt(low).or(column.gt(high)),
                    (Some(low), None) => column.lt(low),
                    (None, Some(high)) => column.gt(high),
                    (None, None) => lit(false),
                }
            }
            CheckKind::Pattern { column, regex } => binary_expr(
                text(column)?,
                Operator::RegexNotMatch,
                lit(format!("^(?:{regex})$")),
            ),
            CheckKind::Expression { sql } => {
                let demanded = self
                    .context
                    .parse_sql_expr(sql, &df_schema)
                    .and_then(|demanded| session::with_params(demanded, &self.pipeline.params))
                    .map_err(|error| at(session::sql_error(error), &check.place))?;
                !demanded
            }
            CheckKind::Unique { .. } | CheckKind::References { .. } => {
                return Err(Error::internal("a whole-table check is no expression"));
            }
        };
        let physical = session::expression(self.context, expression, &df_schema)
            .map_err(|error| at(session::sql_error(error), &check.place))?;
        if physical.data_type(schema)? != DataType::Boolean {
            return Err(Fault::new("the expression is not true or false")
                .at(&check.place)
                .hint("write a condition that good rows fulfil, such as \"paid <= total\"")
                .into());
        }
        Ok(physical)
    }
}

/// Masks nothing of `schema`.
pub(super) fn unmasked(schema: &Schema) -> Result<Arc<Masks>> {
    let masks = Masks::new(schema, Vec::new());
    Ok(Arc::new(masks.map_err(|_| {
        Error::internal("nothing could not be masked")
    })?))
}

/// What a check demands, as quarantine says it. Never a value of a row.
fn demand(kind: &CheckKind) -> String {
    match kind {
        CheckKind::NotNull { column } => format!("{column} must have a value"),
        CheckKind::Unique { columns } => {
            format!("no two rows may share ({})", columns.join(", "))
        }
        CheckKind::Accepted { column, values } => {
            format!("{column} must be one of {}", values.join(", "))
        }
        CheckKind::Range { column, min, max } => match (min, max) {
            (Some(min), Some(max)) => format!("{column} must lie between {min} and {max}"),
            (Some(min), None) => format!("{column} must be at least {min}"),
            (None, Some(max)) => format!("{column} must be at most {max}"),
            (None, None) => format!("{column} has no bounds"),
        },
        CheckKind::Pattern { column, regex } => format!("{column} must match {regex}"),
        CheckKind::Expression { sql } => format!("must hold: {sql}"),
        CheckKind::References { column, table, key } => {
            format!(
                "{column} must occur in {}.{}.{key}",
                table.zone, table.table
            )
        }
    }
}

pub(super) fn names(schema: &Schema) -> String {
    schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn column_index(schema: &Schema, name: &str, place: &Place) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        Fault::new(format!("there is no column '{name}'"))
            .at(place)
            .hint(format!("the columns here are {}", names(schema)))
            .into()
    })
}

pub(super) fn at_index<T>(items: &[T], index: usize) -> Result<&T> {
    items
        .get(index)
        .ok_or_else(|| Error::internal("an output is not there"))
}

pub(super) fn output_index(outputs: &[(String, SchemaRef)], stage: &Stage) -> Result<usize> {
    named_output(outputs, stage.output.as_deref(), &stage.place)
}

/// The output of that name; without a name the only one.
pub(super) fn named_output(
    outputs: &[(String, SchemaRef)],
    name: Option<&str>,
    place: &Place,
) -> Result<usize> {
    let choices = || {
        let names: Vec<&str> = outputs.iter().map(|(name, _)| name.as_str()).collect();
        format!("the outputs here are {}", names.join(", "))
    };
    match name {
        Some(name) => outputs
            .iter()
            .position(|(candidate, _)| candidate == name)
            .ok_or_else(|| {
                Fault::new(format!("there is no output '{name}'"))
                    .at(place)
                    .hint(choices())
                    .into()
            }),
        None if outputs.len() == 1 => Ok(0),
        None => Err(
            Fault::new("there are several outputs: say which with `output`")
                .at(place)
                .hint(choices())
                .into(),
        ),
    }
}

/// No two columns may share a name.
pub(crate) fn distinct_names(schema: &Schema) -> Result<()> {
    let mut seen = BTreeSet::new();
    for field in schema.fields() {
        if field.name().starts_with("__weir_") {
            return Err(
                Error::usage(format!("a column cannot be called '{}'", field.name()))
                    .with_hint("names that begin with __weir_ are Weir's own"),
            );
        }
        if !seen.insert(field.name()) {
            return Err(
                Error::usage(format!("two columns are called '{}'", field.name()))
                    .with_hint("give one of them another name with `as`"),
            );
        }
    }
    Ok(())
}
