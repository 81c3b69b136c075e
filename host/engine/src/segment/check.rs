//! `CheckExec`: declared checks.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Fields};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;

use super::{StageFate, properties};
use crate::envelope::{Envelope, EnvelopeLayout, Finding};
use crate::error::{Error, Result};
use crate::widening::fitting;

/// A rule that each derived row is held against.
#[derive(Debug, Clone)]
pub enum CheckRule {
    /// True where the row breaks the rule; null passes.
    Violated {
        /// The rule's name.
        rule: Arc<str>,
        /// What it demands.
        message: Arc<str>,
        /// Over the output's columns.
        when: Arc<dyn PhysicalExpr>,
    },
    /// The row has a value that its target cannot keep.
    Unkept {
        /// The rule's name.
        rule: Arc<str>,
        /// What it demands.
        message: Arc<str>,
        /// The column in the output.
        column: usize,
        /// The type that the target has for it; none: it has no such column, and every value is one.
        kept_as: Option<DataType>,
    },
    /// The row's key is among those that a query over all rows found wanting.
    Key {
        /// The rule's name.
        rule: Arc<str>,
        /// What it demands.
        message: Arc<str>,
        /// The columns of the key in the output.
        columns: Vec<usize>,
        /// The failing keys.
        failing: Arc<FailingKeys>,
    },
}

/// The keys for which a whole-table check failed.
pub struct FailingKeys {
    converter: RowConverter,
    keys: HashSet<OwnedRow>,
}

impl fmt::Debug for FailingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FailingKeys({})", self.keys.len())
    }
}

impl FailingKeys {
    /// The keys that `batches` hold, one a row, all columns being the key.
    pub fn new(fields: &Fields, batches: &[RecordBatch]) -> Result<FailingKeys> {
        let converter = RowConverter::new(
            fields
                .iter()
                .map(|field| SortField::new(field.data_type().clone()))
                .collect(),
        )?;
        let mut keys = HashSet::new();
        for batch in batches {
            let rows = converter.convert_columns(batch.columns())?;
            keys.extend(rows.iter().map(|row| row.owned()));
        }
        Ok(FailingKeys { converter, keys })
    }

    fn failing_rows(&self, batch: &RecordBatch, columns: &[usize]) -> Result<Vec<usize>> {
        let key = batch.project(columns)?;
        let rows = self.converter.convert_columns(key.columns())?;
        Ok(rows
            .iter()
            .enumerate()
            .filter(|(_, row)| self.keys.contains(&row.owned()))
            .map(|(index, _)| index)
            .collect())
    }
}

/// Holds the rows of one output against rules, in order.
#[derive(Debug)]
pub struct CheckExec {
    input: Arc<dyn ExecutionPlan>,
    layout: Arc<EnvelopeLayout>,
    output: usize,
    rules: Arc<[CheckRule]>,
    fate: StageFate,
    properties: Arc<PlanProperties>,
}

impl CheckExec {
    /// A node above `input`, whose batches have `layout`, that judges its output `output`.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        layout: Arc<EnvelopeLayout>,
        output: usize,
        rules: Arc<[CheckRule]>,
        fate: StageFate,
    ) -> CheckExec {
        CheckExec {
            properties: properties(
                &input,
                Arc::clone(layout.schema()),
                EmissionType::Incremental,
            ),
            input,
            layout,
            output,
            rules,
            fate,
        }
    }
}

fn judge(
    layout: &EnvelopeLayout,
    output: usize,
    rules: &[CheckRule],
    fate: &StageFate,
    batch: &RecordBatch,
) -> Result<RecordBatch> {
    let mut envelope = Envelope::open(layout, batch)?;
    let derived = envelope.output(output)?;
    let parents = derived.parents();
    let mut findings = Vec::new();
    for rule in rules {
        let (rule, message, failing) = match rule {
            CheckRule::Violated {
                rule,
                message,
                when,
            } => {
                let value = when
                    .evaluate(&derived.rows)?
                    .into_array(derived.rows.num_rows())?;
                let violated = value
                    .as_boolean_opt()
                    .ok_or_else(|| Error::internal("a check is no true-or-false"))?;
                let violated = match violated.nulls() {
                    Some(nulls) => violated.values() & nulls.inner(),
                    None => violated.values().clone(),
                };
                (rule, message, violated.set_indices().collect::<Vec<_>>())
            }
            CheckRule::Unkept {
                rule,
                message,
                column,
                kept_as,
            } => {
                let values = derived.rows.columns().get(*column);
                let values = values.ok_or_else(|| Error::internal("a column is not there"))?;
                let unkept = match kept_as {
                    Some(data_type) => fitting(values, data_type)?.1.set_indices().collect(),
                    None => (0..values.len())
                        .filter(|row| values.is_valid(*row))
                        .collect(),
                };
                (rule, message, unkept)
            }
            CheckRule::Key {
                rule,
                message,
                columns,
                failing,
            } => (rule, message, failing.failing_rows(&derived.rows, columns)?),
        };
        for row in failing {
            let parent = parents
                .get(row)
                .ok_or_else(|| Error::internal("a check judged a row that is not there"))?;
            findings.push(Finding {
                row: *parent,
                rule: Arc::clone(rule),
                message: Arc::clone(message),
            });
        }
    }
    // One input row that breaks a rule in several derived rows breaks it once.
    findings.sort_by_key(|finding| finding.row);
    findings.dedup_by(|a, b| a.row == b.row && a.rule == b.rule);
    fate.apply(&mut envelope, &findings)?;
    envelope.close(layout)
}

impl DisplayAs for CheckExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CheckExec: {}, rules={}",
            self.fate.label,
            self.rules.len()
        )
    }
}

impl ExecutionPlan for CheckExec {
    fn name(&self) -> &str {
        "CheckExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(match children.pop() {
            Some(input) => Arc::new(CheckExec::new(
                input,
                Arc::clone(&self.layout),
                self.output,
                Arc::clone(&self.rules),
                self.fate.clone(),
            )),
            None => self,
        })
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let layout = Arc::clone(&self.layout);
        let rules = Arc::clone(&self.rules);
        let fate = self.fate.clone();
        let output = self.output;
        let stream = input.map(move |batch| Ok(judge(&layout, output, &rules, &fate, &batch?)?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(self.layout.schema()),
            stream,
        )))
    }
}
