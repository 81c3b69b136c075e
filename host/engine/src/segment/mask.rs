//! `MaskExec`: values of some columns replaced.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
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

use super::{Layouts, properties};
use crate::envelope::{Envelope, EnvelopeLayout};
use crate::error::Result;
use crate::mask::Masks;
use crate::vault::Vaults;

/// Masks the rows of one output. The input rows, which quarantine may get, stay as they were read: they
/// are masked where they are written.
#[derive(Debug)]
pub struct MaskExec {
    input: Arc<dyn ExecutionPlan>,
    work: Arc<MaskWork>,
    properties: Arc<PlanProperties>,
}

/// What all partitions share.
#[derive(Debug)]
struct MaskWork {
    layouts: Layouts,
    output: usize,
    masks: Arc<Masks>,
    vaults: Arc<Vaults>,
}

impl MaskExec {
    /// A node above `input`, whose batches have the layout `below`; it gives batches of `above`.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        (below, above): (Arc<EnvelopeLayout>, Arc<EnvelopeLayout>),
        output: usize,
        masks: Arc<Masks>,
        vaults: Arc<Vaults>,
    ) -> MaskExec {
        let layouts = Layouts { below, above };
        MaskExec::of(
            input,
            Arc::new(MaskWork {
                layouts,
                output,
                masks,
                vaults,
            }),
        )
    }

    fn of(input: Arc<dyn ExecutionPlan>, work: Arc<MaskWork>) -> MaskExec {
        let schema = Arc::clone(work.layouts.above.schema());
        MaskExec {
            properties: properties(&input, schema, EmissionType::Incremental),
            input,
            work,
        }
    }
}

impl MaskWork {
    fn mask(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut envelope = Envelope::open(&self.layouts.below, batch)?;
        let rows = &envelope.output(self.output)?.rows;
        let masked = self.masks.apply(rows, &self.vaults)?;
        envelope.replace_output(self.output, vec![(masked, None)])?;
        envelope.close(&self.layouts.above)
    }
}

impl DisplayAs for MaskExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.work.masks.columns();
        let columns: Vec<String> = columns
            .map(|(column, method)| format!("{column} {}", method.name()))
            .collect();
        write!(f, "MaskExec: {}", columns.join(", "))
    }
}

impl ExecutionPlan for MaskExec {
    fn name(&self) -> &str {
        "MaskExec"
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
            Some(input) => Arc::new(MaskExec::of(input, Arc::clone(&self.work))),
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
        let work = Arc::clone(&self.work);
        let stream = input.map(move |batch| Ok(work.mask(&batch?)?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(self.work.layouts.above.schema()),
            stream,
        )))
    }
}
