//! Labels of sensitive data: which column carries which, and whether it may go where it goes.
//!
//! Files declare labels, tables keep them in their schema. A column keeps its labels through checks and
//! plugins; what a plugin gives carries those of all that it was granted; what a query gives carries
//! those of all that it is made of. A mask takes them away, and so does the word of the file's author
//! (`declassify`). Zones and connections say which labels they may hold.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, TableReference};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Subquery};
use weir_pipeline::{
    ColumnMask, FailAction, Fault, FileSchema, MaskMethod, Pipeline, ReadSource, Stage,
};

use super::stages::{column_index, output_index};
use super::{PlannedSegment, PlannedStep, PlannedTarget, PlannedWork};
use crate::error::Result;
use crate::segment::{Joining, MESSAGE_COLUMN, PluginCall, PluginRole, RAW_COLUMN};

/// The labels of columns by their names; columns without one are not there.
pub type Labels = BTreeMap<String, BTreeSet<String>>;

/// The labels of what a segment reads, and of its outputs.
#[derive(Debug, Clone, Default)]
pub struct SegmentLabels {
    /// Of its input.
    pub input: Labels,
    /// Of each output.
    pub outputs: Vec<Labels>,
}

impl SegmentLabels {
    /// Those of a segment without stages, whose rows have `labels`.
    pub(super) fn of(labels: Labels) -> SegmentLabels {
        SegmentLabels {
            input: labels.clone(),
            outputs: vec![labels],
        }
    }
}

/// Where a table's schema keeps the labels of a field, with commas between them.
pub(crate) const FIELD_KEY: &str = "weir.sensitivity";

/// The labels that a table's schema has.
pub(crate) fn of_schema(schema: &Schema) -> Labels {
    let fields = schema.fields().iter();
    fields
        .filter_map(|field| {
            let text = field.metadata().get(FIELD_KEY)?;
            let labels = text.split(',').map(str::to_owned).collect();
            Some((field.name().clone(), labels))
        })
        .collect()
}

/// The schema with labels.
pub(crate) fn with_labels(schema: &Schema, labels: &Labels) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let field = Field::clone(field);
        match labels.get(field.name()) {
            Some(labels) => {
                let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                let entry = (FIELD_KEY.to_owned(), labels.join(","));
                field.with_metadata([entry].into())
            }
            None => field,
        }
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// Adds the labels of `more`.
pub(super) fn add(labels: &mut Labels, more: &Labels) {
    for (column, of) in more {
        let known = labels.entry(column.clone()).or_default();
        known.extend(of.iter().cloned());
    }
}

/// The labels that a step's files declare.
pub(super) fn of_files(source: &ReadSource) -> Labels {
    let ReadSource::Files(read) = source else {
        return Labels::new();
    };
    let FileSchema::Declared(columns) = &read.schema else {
        return Labels::new();
    };
    columns
        .iter()
        .filter(|column| !column.sensitivity.is_empty())
        .map(|column| {
            let labels = column.sensitivity.iter().cloned().collect();
            (column.name.clone(), labels)
        })
        .collect()
}

/// Takes the labels of columns away, on the word of the file's author.
pub(super) fn declassify(
    segment: &mut PlannedSegment,
    stage: &Stage,
    columns: &[String],
) -> Result<()> {
    let output = output_index(&segment.outputs, stage)?;
    if let Some((_, schema)) = segment.outputs.get(output) {
        for column in columns {
            column_index(schema, column, &stage.place)?;
        }
    }
    if let Some(labels) = segment.labels.outputs.get_mut(output) {
        labels.retain(|name, _| !columns.contains(name));
    }
    Ok(())
}

/// Carries labels through the transform that the segment ends with.
pub(super) fn through_plugin(segment: &mut PlannedSegment) {
    let Some(stage) = segment.stages.last() else {
        return;
    };
    let PlannedWork::Plugin(call) = &stage.work else {
        return;
    };
    let PluginRole::Transform { emitted, joining } = &call.role else {
        return;
    };
    let outputs = &mut segment.labels.outputs;
    let Some(before) = outputs.get(stage.output).cloned() else {
        return;
    };
    let granted = granted(call, &before);
    let after: Vec<Labels> = emitted
        .iter()
        .map(|schema| match joining {
            Joining::Behind { rest } => {
                let mut labels = all_carry(schema, &granted);
                let rest = rest.iter().filter_map(|field| {
                    let of = before.get(field.name())?;
                    Some((field.name().clone(), of.clone()))
                });
                add(&mut labels, &rest.collect());
                labels
            }
            Joining::Adds { fields, .. } => {
                let mut labels = all_carry(&Schema::new(fields.clone()), &granted);
                add(&mut labels, &before);
                labels
            }
        })
        .collect();
    outputs.splice(stage.output..=stage.output, after);
}

/// The labels of what a fold makes: all columns carry what it was granted.
pub(super) fn folded(call: &PluginCall, before: &Labels, made: &Schema) -> Labels {
    all_carry(made, &granted(call, before))
}

/// The labels of what a plugin makes of the reference tables that it is handed: all columns carry them.
pub(super) fn handed(call: &PluginCall, made: &Schema) -> Labels {
    let labels = call.side_inputs.iter().flat_map(|side| &side.labels);
    all_carry(made, &labels.cloned().collect())
}

/// The labels of all that a plugin is given: columns that it is granted, and reference tables.
fn granted(call: &PluginCall, labels: &Labels) -> BTreeSet<String> {
    let columns = labels
        .iter()
        .filter(|(name, _)| call.granted.touches(&call.seen_of, name))
        .flat_map(|(_, labels)| labels);
    let side_inputs = call.side_inputs.iter().flat_map(|side| &side.labels);
    columns.chain(side_inputs).cloned().collect()
}

fn all_carry(schema: &Schema, labels: &BTreeSet<String>) -> Labels {
    if labels.is_empty() {
        return Labels::new();
    }
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.map(|name| (name, labels.clone())).collect()
}

/// What a column of a table, or of `input`, is marked with.
pub(crate) type Marks<'a> = &'a dyn Fn(&TableReference, &str) -> BTreeSet<String>;

/// For each column of a query's result the marks of all columns that it is made of. Rows that are left
/// out, and how rows are put in order, leave no mark.
pub(crate) fn marks(plan: &LogicalPlan, of: Marks<'_>) -> Labels {
    let found = traced(plan, of);
    let names = plan.schema().fields().iter();
    names
        .zip(found)
        .filter(|(_, marks)| !marks.is_empty())
        .map(|(field, marks)| (field.name().clone(), marks))
        .collect()
}

fn traced(plan: &LogicalPlan, of: Marks<'_>) -> Vec<BTreeSet<String>> {
    let width = plan.schema().fields().len();
    let below = |plan: &LogicalPlan| -> Vec<BTreeSet<String>> {
        let inputs = plan.inputs().into_iter();
        inputs.flat_map(|input| traced(input, of)).collect()
    };
    let made = match plan {
        LogicalPlan::TableScan(scan) => scan
            .projected_schema
            .fields()
            .iter()
            .map(|field| of(&scan.table_name, field.name()))
            .collect(),
        LogicalPlan::Projection(projection) => {
            let below = Below::of(&projection.input, of);
            projection.expr.iter().map(|e| below.marks(e)).collect()
        }
        LogicalPlan::Distinct(Distinct::On(on)) => {
            let below = Below::of(&on.input, of);
            on.select_expr.iter().map(|e| below.marks(e)).collect()
        }
        LogicalPlan::Aggregate(aggregate) => {
            let below = Below::of(&aggregate.input, of);
            let expressions = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
            expressions.map(|e| below.marks(e)).collect()
        }
        LogicalPlan::Window(window) => {
            let below = Below::of(&window.input, of);
            let windows: Vec<_> = window.window_expr.iter().map(|e| below.marks(e)).collect();
            below.marks.into_iter().chain(windows).collect()
        }
        LogicalPlan::Join(join) => {
            let (left, right) = (traced(&join.left, of), traced(&join.right, of));
            match join.join_type {
                JoinType::LeftSemi | JoinType::LeftAnti => left,
                JoinType::RightSemi | JoinType::RightAnti => right,
                _ => left.into_iter().chain(right).collect(),
            }
        }
        LogicalPlan::Union(union) => {
            let mut all = vec![BTreeSet::new(); width];
            for input in &union.inputs {
                for (marks, more) in all.iter_mut().zip(traced(input, of)) {
                    marks.extend(more);
                }
            }
            all
        }
        LogicalPlan::Subquery(subquery) => traced(&subquery.subquery, of),
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => vec![BTreeSet::new(); width],
        LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => below(plan),
        // Whatever else there is: all columns are made of everything.
        _ => Vec::new(),
    };
    if made.len() == width {
        return made;
    }
    let mut everything: BTreeSet<String> = below(plan).into_iter().flatten().collect();
    // An expression of a node that is not known here may have a query in it.
    let _ = plan.apply_expressions(|expression| {
        everything.extend(queries_in(expression, of));
        Ok(TreeNodeRecursion::Continue)
    });
    vec![everything; width]
}

/// What an expression is over.
struct Below<'a> {
    schema: &'a DFSchema,
    marks: Vec<BTreeSet<String>>,
    of: Marks<'a>,
}

impl<'a> Below<'a> {
    fn of(plan: &'a LogicalPlan, of: Marks<'a>) -> Below<'a> {
        Below {
            schema: plan.schema(),
            marks: traced(plan, of),
            of,
        }
    }

    fn column(&self, column: &Column) -> BTreeSet<String> {
        match self.schema.maybe_index_of_column(column) {
            Some(index) => self.marks.get(index).cloned().unwrap_or_default(),
            // Not to be found: it could be any.
            None => self.marks.iter().flatten().cloned().collect(),
        }
    }

    fn marks(&self, expression: &Expr) -> BTreeSet<String> {
        let mut marks = queries_in(expression, self.of);
        for column in expression.column_refs() {
            marks.extend(self.column(column));
        }
        // A query inside may name columns that are outside of it.
        let _ = expression.apply(|part| {
            if let Some(query) = query_of(part) {
                for outer in &query.outer_ref_columns {
                    if let Expr::OuterReferenceColumn(_, column) = outer {
                        marks.extend(self.column(column));
                    }
                }
            }
            Ok(TreeNodeRecursion::Continue)
        });
        marks
    }
}

fn query_of(expression: &Expr) -> Option<&Subquery> {
    match expression {
        Expr::ScalarSubquery(query) => Some(query),
        Expr::InSubquery(within) => Some(&within.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        _ => None,
    }
}

/// The marks of the results of queries inside an expression.
fn queries_in(expression: &Expr, of: Marks<'_>) -> BTreeSet<String> {
    let mut marks = BTreeSet::new();
    let _ = expression.apply(|part| {
        if let Some(query) = query_of(part) {
            marks.extend(traced(&query.subquery, of).into_iter().flatten());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    marks
}

/// Whether the zones of vaults may hold what is masked by tokens: a vault has the values.
pub(super) fn vaults_may_hold(
    pipeline: &Pipeline,
    segment: &PlannedSegment,
    output: usize,
    masks: &[ColumnMask],
) -> Result<()> {
    for mask in masks {
        let MaskMethod::Token { vault } = &mask.method else {
            continue;
        };
        let labels = segment.labels.outputs.get(output);
        let labels = labels.and_then(|labels| labels.get(&mask.column));
        let zone = format!("zone.{}", vault.zone);
        let held = &pipeline
            .zones
            .get(&vault.zone)
            .map(|zone| &zone.sensitivity);
        let missing = missing(labels, held.map_or(&[], Vec::as_slice));
        if !missing.is_empty() {
            return Err(Fault::new(format!(
                "'{}' is {}, which zone '{}' of its vault may not hold",
                mask.column,
                missing.join(", "),
                vault.zone
            ))
            .at(&mask.place)
            .hint(format!(
                "let the zone of the vault hold it: [{zone}] sensitivity = {missing:?}; or use method \"hmac\", which keeps no values"
            ))
            .into());
        }
    }
    Ok(())
}

fn missing<'a>(labels: Option<&'a BTreeSet<String>>, held: &[String]) -> Vec<&'a str> {
    let labels = labels.into_iter().flatten().map(String::as_str);
    labels
        .filter(|label| !held.iter().any(|held| held == label))
        .collect()
}

/// Settles the labels of the step's tables, and whether they may go there.
///
/// # Errors
/// Usage, at the write, with columns, labels and the zone.
pub(super) fn settle(planned: &mut PlannedStep, pipeline: &Pipeline) -> Result<()> {
    let Some(last) = planned.segments.last() else {
        return Ok(());
    };
    for (write, of) in planned.writes.iter_mut().zip(&planned.step.writes) {
        let all = last.labels.outputs.get(write.output);
        let mut labels = all.cloned().unwrap_or_default();
        for by in write.by.iter() {
            let (_, schema) = match last.outputs.get(write.output) {
                Some(output) => output,
                None => continue,
            };
            let source = schema.fields().get(by.index).map(|field| field.name());
            if let Some(of) = source.and_then(|source| labels.get(source)).cloned() {
                labels.entry(by.name.clone()).or_default().extend(of);
            }
        }
        let (place, section, held) = match &write.target {
            PlannedTarget::Table { name } => {
                let zone = pipeline.zones.get(&name.zone);
                let held = zone.map(|zone| zone.sensitivity.as_slice());
                (
                    format!("zone '{}'", name.zone),
                    format!("zone.{}", name.zone),
                    held,
                )
            }
            PlannedTarget::Sqlite { connection, .. } | PlannedTarget::Server { connection, .. } => {
                let known = pipeline.connections.get(connection);
                let held = known.map(|known| known.sensitivity.as_slice());
                let section = format!("connections.{connection}");
                (format!("connection '{connection}'"), section, held)
            }
        };
        if let Some((columns, missing)) = refused(&labels, held.unwrap_or_default()) {
            return Err(Fault::new(format!("{columns}, which {place} may not hold"))
                .at(&of.place)
                .hint(format!(
                    "mask it in a stage before, leave it out, or let it be held there: [{section}] sensitivity = {missing:?}"
                ))
                .into());
        }
        write.labels = labels;
    }
    quarantine(planned, pipeline)
}

/// Rejected rows are the input of their segment, but for what is masked in them.
fn quarantine(planned: &mut PlannedStep, pipeline: &Pipeline) -> Result<()> {
    let Some(plan) = &mut planned.quarantine else {
        return Ok(());
    };
    let tolerant = match &planned.step.read.source {
        ReadSource::Files(read) => read.on_fail.action == FailAction::Quarantine,
        ReadSource::Table(_) | ReadSource::Sql(_) | ReadSource::Nothing => false,
    };
    let zone = pipeline.zones.get(&plan.name.zone);
    let held = zone.map_or(&[][..], |zone| zone.sensitivity.as_slice());
    let mut all = Labels::new();
    for (index, segment) in planned.segments.iter().enumerate() {
        let stages = segment.stages.iter().map(|stage| stage.fate.action);
        let mut actions = stages.chain(segment.whole.iter().map(|check| check.fate.action));
        let keeps = actions.any(|action| action == FailAction::Quarantine);
        if !(keeps || (tolerant && index == 0)) {
            continue;
        }
        let masked: BTreeSet<&str> = segment.kept.columns().map(|(name, _)| name).collect();
        let mut labels = segment.labels.input.clone();
        labels.retain(|name, _| !masked.contains(name.as_str()));
        // A plugin may say what it was handed, too.
        let staged = segment.stages.iter().filter_map(|stage| match &stage.work {
            PlannedWork::Plugin(call) => Some(call.as_ref()),
            PlannedWork::Checks(_) | PlannedWork::Mask(_) => None,
        });
        let reader = planned.reader.as_deref().filter(|_| index == 0);
        let said: BTreeSet<String> = staged
            .chain(reader)
            .flat_map(|call| &call.side_inputs)
            .flat_map(|side| side.labels.iter().cloned())
            .collect();
        if !said.is_empty() {
            let message = labels.entry(MESSAGE_COLUMN.to_owned()).or_default();
            message.extend(said);
        }
        if let Some((columns, missing)) = refused(&labels, held) {
            return Err(Fault::new(format!(
                "{columns}, and rejected rows have it in quarantine, which zone '{}' may not hold",
                plan.name.zone
            ))
            .at(&planned.step.place)
            .hint(format!(
                "mask it in the step, by the name that it has where the step reads it; use on_fail = \"drop\" or \"fail\"; or let it be held there: [zone.{}] sensitivity = {missing:?}",
                plan.name.zone
            ))
            .into());
        }
        let held: BTreeSet<String> = labels.values().flatten().cloned().collect();
        if !held.is_empty() {
            // The record as it was read has all of its columns, and a plugin may say what it was given.
            let plugins = segment
                .stages
                .iter()
                .any(|stage| matches!(stage.work, PlannedWork::Plugin(_)));
            let plugins = plugins || (index == 0 && planned.step.read.plugin().is_some());
            let raw = (tolerant && index == 0).then_some(RAW_COLUMN);
            for column in raw.into_iter().chain(plugins.then_some(MESSAGE_COLUMN)) {
                all.entry(column.to_owned())
                    .or_default()
                    .extend(held.iter().cloned());
            }
        }
        // What does not fit the column that is there is kept beside it.
        for (name, labels) in &labels {
            let beside = format!("{name}__");
            for field in plan.table_schema.fields() {
                if field.name().starts_with(&beside) {
                    let known = all.entry(field.name().clone()).or_default();
                    known.extend(labels.iter().cloned());
                }
            }
        }
        add(&mut all, &labels);
    }
    plan.labels = all;
    Ok(())
}

/// Which columns carry labels that are not held, in words; and the labels.
fn refused<'a>(labels: &'a Labels, held: &[String]) -> Option<(String, Vec<&'a str>)> {
    let found: Vec<(&str, Vec<&str>)> = labels
        .iter()
        .map(|(column, labels)| (column.as_str(), missing(Some(labels), held)))
        .filter(|(_, missing)| !missing.is_empty())
        .collect();
    let columns: Vec<String> = found
        .iter()
        .map(|(column, missing)| format!("'{column}' is {}", missing.join(", ")))
        .collect();
    let missing: BTreeSet<&str> = found
        .iter()
        .flat_map(|(_, missing)| missing.iter().copied())
        .collect();
    (!found.is_empty()).then(|| (columns.join(", "), missing.into_iter().collect()))
}

/// The name of the table that a query reads under this reference.
pub(super) use crate::session::table_of;

/// Every column of a database's table may be what its connection may hold.
pub(super) fn of_database(schema: &Schema, held: &[String]) -> Labels {
    if held.is_empty() {
        return Labels::new();
    }
    let labels: BTreeSet<String> = held.iter().cloned().collect();
    let fields = schema.fields().iter();
    fields
        .map(|field| (field.name().clone(), labels.clone()))
        .collect()
}

/// A schema without what tables keep in it of labels.
pub(crate) fn plain(schema: &SchemaRef) -> Schema {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| Field::clone(field).with_metadata(Default::default()));
    Schema::new(fields.collect::<Vec<_>>())
}
