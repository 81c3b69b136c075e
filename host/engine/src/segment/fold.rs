//! `FoldExec`: a plugin that makes few rows of all rows of a segment.

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream,
};
use futures::stream::FuturesOrdered;
use futures::{StreamExt, TryStreamExt};
use weir_sandbox::{GuestSink, split};

use super::StageFate;
use super::plugin::{PluginCall, PluginRole, PluginTally, Running};
use crate::error::{Error, Result};

/// Sends all rows of all partitions through a plugin of the world `fold`, and gives its result as one partition.
///
/// Each partition is folded by an instance of its own; their states are merged, in the order of the partitions, by one
/// more, which emits the result. No filter, limit or projection passes through, nor is any claimed.
#[derive(Debug)]
pub struct FoldExec {
    input: Arc<dyn ExecutionPlan>,
    work: Arc<FoldWork>,
    properties: Arc<PlanProperties>,
}

struct FoldWork {
    call: PluginCall,
    schema: SchemaRef,
    fate: StageFate,
    tally: Arc<Mutex<PluginTally>>,
    guest_log: Arc<dyn GuestSink>,
}

impl fmt::Debug for FoldWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoldWork")
            .field("plugin", &self.call.plugin.name())
            .finish_non_exhaustive()
    }
}

impl FoldExec {
    /// A node above `input`, whose columns are those that the stage was planned with.
    ///
    /// # Errors
    /// Internal, for a plugin that was planned as something else.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        call: PluginCall,
        fate: StageFate,
        tally: Arc<Mutex<PluginTally>>,
        guest_log: Arc<dyn GuestSink>,
    ) -> Result<FoldExec> {
        let PluginRole::Fold { schema } = &call.role else {
            return Err(Error::internal("a fold was not planned as one"));
        };
        let schema = Arc::clone(schema);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Ok(FoldExec {
            input,
            work: Arc::new(FoldWork {
                call,
                schema,
                fate,
                tally,
                guest_log,
            }),
            properties: Arc::new(properties),
        })
    }
}

impl FoldWork {
    async fn start(&self, pool: &Arc<dyn MemoryPool>) -> Result<Running> {
        let (label, log) = (&self.fate.label, &self.guest_log);
        let mut running = self.call.running(label, pool, log, &self.tally).await?;
        let outputs = running.instance.bind(&self.call.bind).await?;
        self.call.as_planned(label, &outputs, &[&self.schema])?;
        Ok(running)
    }

    /// The state of one partition.
    async fn part(
        &self,
        mut rows: SendableRecordBatchStream,
        pool: Arc<dyn MemoryPool>,
    ) -> Result<Vec<u8>> {
        let mut running = self.start(&pool).await?;
        while let Some(batch) = rows.try_next().await? {
            let granted = self.call.granted.project(&batch)?;
            for piece in split(&granted, self.call.terms.limits.memory) {
                running.instance.process(&piece).await?;
            }
        }
        Ok(running.instance.snapshot().await?)
    }

    /// The result of all partitions, with what it takes of the run's memory.
    async fn result(
        self: Arc<Self>,
        parts: Vec<SendableRecordBatchStream>,
        pool: Arc<dyn MemoryPool>,
    ) -> Result<(Vec<RecordBatch>, MemoryReservation)> {
        let mut states = parts
            .into_iter()
            .map(|rows| {
                let (work, pool) = (Arc::clone(&self), Arc::clone(&pool));
                // A step that ends before takes its parts along.
                SpawnedTask::spawn(async move { work.part(rows, pool).await }).join()
            })
            .collect::<FuturesOrdered<_>>();
        let held = MemoryConsumer::new(format!("states of plugin {}", self.call.plugin.name()));
        let held = held.register(&pool);
        let mut merged = Vec::new();
        while let Some(state) = states.next().await {
            let state =
                state.map_err(|_| Error::internal("a part of a fold ended by itself"))??;
            held.try_grow(state.len())?;
            merged.push(state);
        }
        let mut last = self.start(&pool).await?;
        for state in merged {
            last.instance.merge(&state).await?;
        }
        let given = last.instance.finish().await?;
        let batches: Vec<RecordBatch> = given
            .emitted
            .into_iter()
            .map(|emitted| emitted.batch)
            .collect();
        let bytes = batches.iter().map(RecordBatch::get_array_memory_size).sum();
        held.try_resize(bytes)?;
        Ok((batches, held))
    }
}

impl DisplayAs for FoldExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FoldExec: plugin={}", self.work.call.plugin.name())
    }
}

impl ExecutionPlan for FoldExec {
    fn name(&self) -> &str {
        "FoldExec"
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
        let input = match (children.pop(), children.pop()) {
            (Some(input), None) => input,
            _ => {
                return Err(Error::internal("a fold reads one thing").into());
            }
        };
        Ok(Arc::new(FoldExec {
            input,
            work: Arc::clone(&self.work),
            properties: Arc::clone(&self.properties),
        }))
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
        _: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let partitions = self.input.output_partitioning().partition_count();
        let parts = (0..partitions)
            .map(|partition| self.input.execute(partition, Arc::clone(&context)))
            .collect::<DataFusionResult<Vec<_>>>()?;
        let work = Arc::clone(&self.work);
        let pool = Arc::clone(context.memory_pool());
        let result = async move { work.result(parts, pool).await };
        let rows = futures::stream::once(result)
            .map_ok(|(batches, held)| {
                let rows = batches.into_iter().map(move |batch| {
                    // The rows are charged until the last of them has gone on.
                    let _held = &held;
                    Ok(batch)
                });
                futures::stream::iter(rows)
            })
            .try_flatten()
            .map_err(|error: Error| error.into());
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.work.schema),
            rows.boxed(),
        )))
    }
}
