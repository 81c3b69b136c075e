//! The scan of a database's table as a node of a physical plan.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt};
use weir_pipeline::TableName;

use super::{Part, Relation};

/// Reads a relation in parts, each by a connection of its own.
pub(super) struct DatabaseScan {
    name: TableName,
    relation: Arc<dyn Relation>,
    columns: Vec<usize>,
    schema: SchemaRef,
    condition: Option<String>,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl DatabaseScan {
    pub(super) fn new(
        name: TableName,
        relation: Arc<dyn Relation>,
        columns: Vec<usize>,
        schema: SchemaRef,
        condition: Option<String>,
        limit: Option<usize>,
        parts: usize,
    ) -> DatabaseScan {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(parts),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        DatabaseScan {
            name,
            relation,
            columns,
            schema,
            condition,
            limit,
            properties: Arc::new(properties),
        }
    }
}

/// A condition may hold values, so it is not shown.
impl fmt::Debug for DatabaseScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseScan({})", self.name)
    }
}

impl DisplayAs for DatabaseScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DatabaseScan: table={}, condition={}, limit={:?}",
            self.name,
            self.condition.is_some(),
            self.limit
        )
    }
}

impl ExecutionPlan for DatabaseScan {
    fn name(&self) -> &str {
        "DatabaseScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
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
        let rows = self.relation.read(Part {
            index: partition,
            of: self.properties.partitioning.partition_count(),
            columns: self.columns.clone(),
            schema: Arc::clone(&self.schema),
            condition: self.condition.clone(),
            limit: self.limit,
            batch_rows: context.session_config().batch_size(),
            env: context.runtime_env(),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows.map_err(|error| error.into()).boxed(),
        )))
    }
}
