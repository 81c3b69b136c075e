//! The rows of reference tables that plugins of a step are handed: read once, before the step's first
//! segment, so that all instances and passes are given the same ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::execution::context::SessionContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::TryStreamExt;
use weir_pipeline::ReadSource;
use weir_sandbox::SideInput;

use super::execute::limited;
use super::step::StepRun;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, FileScanExec, Sources};
use crate::plan::{PlannedSideInput, PlannedStep};
use crate::segment::{PluginCall, StageFate};
use crate::session;
use crate::types::in_types;

/// The rows of all reference tables of a step, by the stage whose plugin is handed them.
pub(super) struct SideRows {
    by_stage: BTreeMap<u32, Vec<SideInput>>,
    /// What they take of the run's memory.
    _held: MemoryReservation,
}

impl SideRows {
    /// Reads them, in a session that knows the tables that the step reads.
    ///
    /// # Errors
    /// Input, if there are more than a plugin can be given, or fewer columns than were planned.
    pub(super) async fn read(
        shared: &StepRun,
        planned: &PlannedStep,
        context: &SessionContext,
    ) -> Result<SideRows> {
        let pool = &context.runtime_env().memory_pool;
        let held = MemoryConsumer::new("side inputs").register(pool);
        let mut by_stage = BTreeMap::new();
        for (fate, call) in planned.plugins() {
            if call.side_inputs.is_empty() {
                continue;
            }
            // Of all tables of one plugin together.
            let mut left = weir_sandbox::side_input_bytes(call.terms.limits.memory);
            let mut tables = Vec::with_capacity(call.side_inputs.len());
            for side in &call.side_inputs {
                let within = |error: Error| {
                    error.within(&format!("{} side input '{}'", fate.label, side.name))
                };
                let plan = plan_of(shared, context, side).await.map_err(within)?;
                let rows = rows_of(plan, context, side, (call, &fate), &mut left, &held)
                    .await
                    .map_err(within)?;
                tables.push(side.with_rows(rows.into()));
            }
            by_stage.insert(fate.stage, tables);
        }
        Ok(SideRows {
            by_stage,
            _held: held,
        })
    }

    /// The call of a stage's plugin, with the rows that it is handed.
    pub(super) fn given_to(&self, stage: u32, call: &PluginCall) -> PluginCall {
        let mut call = call.clone();
        if let Some(tables) = self.by_stage.get(&stage) {
            call.bind.side_inputs.clone_from(tables);
        }
        call
    }
}

async fn plan_of(
    shared: &StepRun,
    context: &SessionContext,
    side: &PlannedSideInput,
) -> Result<Arc<dyn ExecutionPlan>> {
    let frame = match &side.read.source {
        ReadSource::Table(name) => context.table(session::reference(name)).await?,
        ReadSource::Sql(sql) => session::query(context, sql, &shared.plan.pipeline.params).await?,
        ReadSource::Files(read) => {
            let stores = shared.plan.lake.root().stores();
            let found = files::list(&shared.plan.pipeline.dir, read, stores).await?;
            let sources = Sources {
                stores: stores.clone(),
                items: None,
                decoder: None,
                elsewhere: None,
            };
            // One task, so that rows come in the order of the files.
            return Ok(Arc::new(FileScanExec::new(
                read.clone(),
                Arc::clone(&side.schema),
                found,
                1,
                sources,
            )));
        }
        ReadSource::Nothing => return Err(Error::internal("a side input reads nothing")),
    };
    Ok(limited(frame, side.read.limit)?
        .create_physical_plan()
        .await?)
}

/// All rows that `plan` gives, in the columns and types that were planned.
async fn rows_of(
    plan: Arc<dyn ExecutionPlan>,
    context: &SessionContext,
    side: &PlannedSideInput,
    (call, fate): (&PluginCall, &StageFate),
    left: &mut u64,
    held: &MemoryReservation,
) -> Result<Vec<RecordBatch>> {
    let mut rows = Vec::new();
    let mut wanted = match side.read.source {
        ReadSource::Files(_) => side.read.limit,
        _ => None,
    };
    for partition in 0..plan.output_partitioning().partition_count() {
        let mut stream = plan.execute(partition, context.task_ctx())?;
        while let Some(batch) = stream.try_next().await? {
            let mut batch = in_types(&batch, &side.schema)?;
            if let Some(wanted) = &mut wanted {
                let taken = batch
                    .num_rows()
                    .min(usize::try_from(*wanted).unwrap_or(usize::MAX));
                batch = batch.slice(0, taken);
                *wanted = wanted.saturating_sub(taken as u64);
            }
            let bytes = weir_sandbox::crossing_bytes(&batch);
            *left = left.checked_sub(bytes).ok_or_else(|| {
                Error::new(
                    ErrorKind::Input,
                    format!(
                        "it is larger than plugin '{}' should hold: all side inputs together may have {} MiB, a quarter of its memory",
                        call.plugin.name(),
                        weir_sandbox::side_input_bytes(call.terms.limits.memory) >> 20
                    ),
                )
                .with_hint("raise `memory` in the stage's grant, or select fewer rows and columns with `sql`")
            })?;
            held.try_grow(batch.get_array_memory_size()).map_err(|_| {
                Error::new(
                    ErrorKind::Plugin,
                    format!("{}: no memory is left for side inputs", fate.label),
                )
                .with_hint("raise WEIR_MEMORY (such as 2GiB), or lower WEIR_PARTITIONS")
            })?;
            rows.push(batch);
            if wanted == Some(0) {
                return Ok(rows);
            }
        }
    }
    Ok(rows)
}
