//! `PluginExec`: a plugin at work on one output of a segment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef, Fields, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt};
use weir_components::Provenance;
use weir_pipeline::GuestText;
use weir_sandbox::{
    BindRequest, GuestSink, Instance, MemoryBudget, Output, Plugin, Processed, Speech, Stream,
    Terms,
};

use super::{Layouts, StageFate, properties};
use crate::envelope::{Envelope, EnvelopeLayout, Finding, concat};
use crate::error::{Error, Result};
use crate::granted::{Granted, joined_arrays};
use crate::outbound::HttpAccess;
use crate::plan::PlannedSideInput;

/// What a plugin does in a segment.
#[derive(Debug, Clone)]
pub enum PluginRole {
    /// It replaces the output by others.
    Transform {
        /// The schema of what the plugin emits to each of its outputs.
        emitted: Vec<SchemaRef>,
        /// How that is joined with the rows it comes from.
        joining: Joining,
    },
    /// It judges rows and changes nothing.
    Check,
    /// It makes rows of this schema of the bytes of files.
    Decoder {
        /// What it was bound with.
        schema: SchemaRef,
    },
    /// It makes rows of this schema of all rows.
    Fold {
        /// What it was bound with.
        schema: SchemaRef,
    },
    /// It reads rows somewhere else.
    Source {
        /// What it reads, as it was when the run was planned.
        stream: Stream,
    },
}

/// How the rows that a transform emits are joined with the rows they come from.
#[derive(Debug, Clone)]
pub enum Joining {
    /// What the plugin emits, then what it was not given.
    Behind {
        /// The fields that it was not given.
        rest: Vec<FieldRef>,
    },
    /// All columns as they were before, then those that the plugin may add. Whatever else it emits is
    /// left out.
    Adds {
        /// Where the added columns are in what it emits.
        columns: Vec<usize>,
        /// Their fields, as the contract has them.
        fields: Fields,
    },
}

/// What a plugin's instances used, summed over partitions; for people, never for results.
#[derive(Debug, Default, Clone)]
pub struct PluginTally {
    /// Time spent in the guest.
    pub guest_time: std::time::Duration,
    /// The most memory that an instance had, in bytes.
    pub peak_memory: u64,
    /// Calls into it.
    pub calls: u64,
    /// Lines of its log that were dropped, its budget being spent.
    pub log_lines_dropped: u64,
    /// What the plugin counted by `metric`.
    pub metrics: BTreeMap<String, f64>,
}

/// Sends each batch of one output through a plugin.
///
/// An instance serves one partition of one execution: instantiated and bound when the stream is
/// first polled, given each batch (split to fit), told to finish, and dropped; dropped at once
/// after any error. No filter, limit or projection passes through, nor is any claimed.
#[derive(Debug)]
pub struct PluginExec {
    input: Arc<dyn ExecutionPlan>,
    work: Arc<PluginWork>,
    properties: Arc<PlanProperties>,
}

/// A plugin with what it is called with.
#[derive(Clone)]
pub struct PluginCall {
    /// The plugin.
    pub plugin: Plugin,
    /// Where its component is from, and what vouches for it.
    pub provenance: Provenance,
    /// What its stage gives it and holds it to. Where its words go, and the memory that the host holds
    /// for it, are added when it runs.
    pub terms: Terms,
    /// What it may reach, where it may reach anything.
    pub http: Option<HttpAccess>,
    /// What it is bound with; of reference tables the rows are added when it runs.
    pub bind: BindRequest,
    /// The reference tables that it is handed.
    pub side_inputs: Vec<PlannedSideInput>,
    /// What it does.
    pub role: PluginRole,
    /// The schema of the output that it works on, of which it is given a part.
    pub seen_of: SchemaRef,
    /// Which part.
    pub granted: Granted,
    /// Where its free text goes.
    pub text: GuestText,
    /// Whether a later stage masks something: then quarantine does not get what the plugin says of rows,
    /// which may hold values, but what its rules demand.
    pub words_kept_out: bool,
}

impl PluginCall {
    /// What quarantine says of a row that broke `rule`.
    pub(crate) fn message<'a>(&'a self, rule: &str, said: &'a str) -> &'a str {
        if !self.words_kept_out {
            return said;
        }
        let rules = self.terms.contract.rules.as_ref();
        rules
            .and_then(|rules| rules.get(rule))
            .map_or("", String::as_str)
    }

    /// A rule and what it demands, in the words of `describe`.
    pub(crate) fn demand(&self, rule: &str) -> String {
        let rules = self.terms.contract.rules.as_ref();
        match rules.and_then(|rules| rules.get(rule)) {
            Some(demand) if !demand.is_empty() => format!("{rule} ({demand})"),
            _ => rule.to_owned(),
        }
    }
}

impl PluginCall {
    /// An instance that is not bound yet, and what its memory takes of the run's. `guest_log` gets its words
    /// where they are kept.
    ///
    /// # Errors
    /// Plugin, if there is not that much memory left, or the sandbox refuses.
    pub(crate) async fn instance(
        &self,
        label: &str,
        pool: &Arc<dyn MemoryPool>,
        guest_log: &Arc<dyn GuestSink>,
    ) -> Result<(Instance, MemoryReservation)> {
        let reservation = self.consumer("").register(pool);
        let memory = self.terms.limits.memory;
        reservation
            .try_grow(usize::try_from(memory).unwrap_or(usize::MAX))
            .map_err(|_| {
                Error::new(
                    crate::ErrorKind::Plugin,
                    format!(
                        "{label}: {} MiB of memory are granted to plugin '{}', more than is left",
                        memory >> 20,
                        self.plugin.name()
                    ),
                )
                .with_hint("lower `grant.memory` of the stage, or raise WEIR_MEMORY (such as 2GiB)")
            })?;
        let mut terms = self.terms.clone();
        let budget = self.consumer("'s output").register(pool);
        terms.budget = Some(Arc::new(PoolBudget(budget)));
        if self.text == GuestText::GuestLog {
            terms.speech = Speech::Kept(Arc::clone(guest_log));
        }
        let instance = self.plugin.instantiate(label, &terms).await?;
        Ok((instance, reservation))
    }

    /// The same, at work: what it uses is added to `tally` when it ends.
    ///
    /// # Errors
    /// As [`instance`](PluginCall::instance).
    pub(crate) async fn running(
        &self,
        label: &str,
        pool: &Arc<dyn MemoryPool>,
        guest_log: &Arc<dyn GuestSink>,
        tally: &Arc<Mutex<PluginTally>>,
    ) -> Result<Running> {
        let (instance, reservation) = self.instance(label, pool, guest_log).await?;
        Ok(Running {
            instance,
            tally: Arc::clone(tally),
            _reservation: reservation,
        })
    }

    fn consumer(&self, what: &str) -> MemoryConsumer {
        MemoryConsumer::new(format!("plugin {}{what}", self.plugin.name()))
    }

    /// That a plugin has bound to what the run was planned with.
    ///
    /// # Errors
    /// Plugin.
    pub(crate) fn as_planned(
        &self,
        label: &str,
        outputs: &[Output],
        planned: &[&SchemaRef],
    ) -> Result<()> {
        let same = outputs.len() == planned.len()
            && outputs
                .iter()
                .zip(planned)
                .all(|(output, planned)| output.schema.fields() == planned.fields());
        match same {
            true => Ok(()),
            false => Err(Error::new(
                crate::ErrorKind::Plugin,
                format!(
                    "{label}: plugin '{}' bound to other outputs than when the run was planned",
                    self.plugin.name()
                ),
            )
            .with_hint("`bind` must give the same answer for the same arguments: mend the plugin")),
        }
    }
}

/// An instance at work, with what its memory takes of the run's. What it has used is counted however it ends.
pub(crate) struct Running {
    pub(crate) instance: Instance,
    tally: Arc<Mutex<PluginTally>>,
    _reservation: MemoryReservation,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(mut tally) = self.tally.lock() {
            tally.count(&self.instance);
        }
    }
}

/// Everything an execution needs, shared by its partitions.
struct PluginWork {
    call: PluginCall,
    /// The output worked on.
    output: usize,
    fate: StageFate,
    tally: Arc<Mutex<PluginTally>>,
    guest_log: Arc<dyn GuestSink>,
    layouts: Layouts,
}

impl fmt::Debug for PluginWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginWork")
            .field("plugin", &self.call.plugin.name())
            .field("role", &self.call.role)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

impl PluginExec {
    /// A node above `input`, whose batches have layout `below`; it gives batches of `above`.
    ///
    /// `guest_log` gets the words of a plugin whose words are kept.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        (below, above): (Arc<EnvelopeLayout>, Arc<EnvelopeLayout>),
        call: PluginCall,
        output: usize,
        fate: StageFate,
        tally: Arc<Mutex<PluginTally>>,
        guest_log: Arc<dyn GuestSink>,
    ) -> PluginExec {
        PluginExec {
            properties: properties(
                &input,
                Arc::clone(above.schema()),
                EmissionType::Incremental,
            ),
            input,
            work: Arc::new(PluginWork {
                call,
                output,
                fate,
                tally,
                guest_log,
                layouts: Layouts { below, above },
            }),
        }
    }
}

impl PluginWork {
    /// A bound instance whose memory is reserved, and whose answer is still what was planned.
    async fn start(
        &self,
        context: &TaskContext,
    ) -> Result<(Instance, MemoryReservation, MemoryReservation)> {
        let pool = context.memory_pool();
        let (mut instance, reservation) = self
            .call
            .instance(&self.fate.label, pool, &self.guest_log)
            .await?;
        let outputs = instance.bind(&self.call.bind).await?;
        if let PluginRole::Transform { emitted, .. } = &self.call.role {
            let planned: Vec<&SchemaRef> = emitted.iter().collect();
            self.call.as_planned(&self.fate.label, &outputs, &planned)?;
        }
        let joined_rows = self.call.consumer("'s joined rows").register(pool);
        Ok((instance, reservation, joined_rows))
    }

    /// Sends one batch of envelopes through the plugin. `joined_rows` is resized to what the columns that
    /// are joined back on take, which one row may need many times.
    async fn batch(
        &self,
        instance: &mut Instance,
        joined_rows: &MemoryReservation,
        batch: &RecordBatch,
    ) -> Result<RecordBatch> {
        let mut envelope = Envelope::open(&self.layouts.below, batch)?;
        let derived = envelope.output(self.output)?.clone();
        let parents = derived.parents();
        let granted = self.call.granted.project(&derived.rows)?;
        let mut findings = Vec::new();
        let mut emitted = Emitted::new(&self.call.role);
        // The output of all pieces is held until the batch is done, and so is its share of the memory.
        let mut reserved = Vec::new();
        let mut start = 0_u32;
        for piece in weir_sandbox::split(&granted, self.call.terms.limits.memory) {
            let rows = u32::try_from(piece.num_rows())
                .map_err(|_| Error::internal("a batch has more rows than can be counted"))?;
            match instance.process(&piece).await {
                Ok(processed) => {
                    reserved.push(processed.reserved.clone());
                    for finding in &processed.findings {
                        let rule: Arc<str> = finding.rule.as_str().into();
                        let message = self.call.message(&finding.rule, &finding.message);
                        let message: Arc<str> = message.into();
                        for row in &finding.rows {
                            findings.push(Finding {
                                row: parent(&parents, start + row)?,
                                rule: Arc::clone(&rule),
                                message: Arc::clone(&message),
                            });
                        }
                    }
                    emitted.take(processed, start, rows)?;
                }
                // One row alone that does not fit into the grant: its problem, not the step's.
                Err(weir_sandbox::SandboxError::RowTooLarge { .. }) if rows == 1 => {
                    findings.push(Finding {
                        row: parent(&parents, start)?,
                        rule: "row_too_large".into(),
                        message: "the row alone is larger than a quarter of the plugin's memory"
                            .into(),
                    });
                }
                Err(error) => return Err(error.into()),
            }
            start += rows;
        }
        if let PluginRole::Transform {
            emitted: schemas,
            joining,
        } = &self.call.role
        {
            let above = self.layouts.above.outputs();
            let mut outputs = Vec::with_capacity(schemas.len());
            let rest = match joining {
                Joining::Behind { .. } => self.call.granted.rest(&derived.rows)?,
                Joining::Adds { .. } => derived.rows.columns().to_vec(),
            };
            joined_rows.free();
            for (index, schema) in schemas.iter().enumerate() {
                let (rows, origin) = emitted.output(index, schema, derived.rows.num_rows())?;
                if let Some(origin) = &origin {
                    self.reserve_joined(joined_rows, &rest, origin)?;
                }
                let (_, full) = above
                    .get(self.output + index)
                    .ok_or_else(|| Error::internal("a plugin has more outputs than planned"))?;
                outputs.push((
                    joined(rows, origin.as_deref(), &rest, joining, full)?,
                    origin,
                ));
            }
            envelope.replace_output(self.output, outputs)?;
        }
        self.fate.apply(&mut envelope, &findings)?;
        let done = envelope.close(&self.layouts.above);
        drop(reserved);
        done
    }

    /// Reserves what `rest` takes once each row of it is there as often as `origin` says.
    fn reserve_joined(
        &self,
        joined_rows: &MemoryReservation,
        rest: &[ArrayRef],
        origin: &[u32],
    ) -> Result<()> {
        let bytes = rest
            .iter()
            .map(|column| taken_bytes(column, origin))
            .fold(0_usize, usize::saturating_add);
        joined_rows.try_grow(bytes).map_err(|_| {
            Error::new(
                crate::ErrorKind::Plugin,
                format!(
                    "{}: plugin '{}' gave {} rows for a batch; with the columns joined back on they need {} MiB, more than is left",
                    self.fate.label,
                    self.call.plugin.name(),
                    origin.len(),
                    bytes >> 20
                ),
            )
            .with_hint("set `rows_out` in the stage's grant to what is meant, or raise WEIR_MEMORY (such as 2GiB)")
        })
    }

    fn count(&self, instance: &Instance) {
        if let Ok(mut tally) = self.tally.lock() {
            tally.count(instance);
        }
    }
}

impl PluginTally {
    /// Adds what an instance has used.
    pub(crate) fn count(&mut self, instance: &Instance) {
        let usage = instance.usage();
        self.guest_time += usage.guest_time;
        self.peak_memory = self.peak_memory.max(usage.peak_memory);
        self.calls += usage.calls;
        self.log_lines_dropped += usage.log_lines_dropped;
        // A name is the guest's word and ends up in the run record: only a name may be one.
        let plain = |name: &&String| {
            name.len() <= 64
                && name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        for (name, value) in usage.metrics.iter().filter(|(name, _)| plain(name)) {
            *self.metrics.entry(name.clone()).or_default() += value;
        }
    }
}

fn parent(parents: &[u32], row: u32) -> Result<u32> {
    parents
        .get(row as usize)
        .copied()
        .ok_or_else(|| Error::internal("a plugin judged a row that is not there"))
}

/// Emitted rows with what `rest` has for the rows they come from.
fn joined(
    rows: RecordBatch,
    origin: Option<&[u32]>,
    rest: &[ArrayRef],
    joining: &Joining,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let rest: Vec<ArrayRef> = match origin {
        None => rest.to_vec(),
        Some(origin) => {
            let origin = UInt32Array::from(origin.to_vec());
            rest.iter()
                .map(|column| take(column, &origin, None))
                .collect::<std::result::Result<_, _>>()?
        }
    };
    let columns = match joining {
        Joining::Behind { rest: fields } => joined_arrays(
            (rows.schema_ref().fields(), rows.columns()),
            (fields, &rest),
        )?,
        Joining::Adds { columns, .. } => {
            let mut all = rest;
            for index in columns {
                let added = rows.columns().get(*index);
                all.push(added.cloned().ok_or_else(|| {
                    Error::internal("a plugin lacks a column that it was bound with")
                })?);
            }
            all
        }
    };
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Bytes of `column` with each of its rows as often as `origin` says: exact for text and bytes, by the
/// average row for what nests.
fn taken_bytes(column: &ArrayRef, origin: &[u32]) -> usize {
    let lengths = |offsets: &[i32]| -> usize {
        origin
            .iter()
            .map(|row| {
                let row = *row as usize;
                match (offsets.get(row), offsets.get(row + 1)) {
                    (Some(start), Some(end)) => usize::try_from(end - start).unwrap_or(0) + 4,
                    _ => 0,
                }
            })
            .fold(0, usize::saturating_add)
    };
    match column.data_type() {
        DataType::Utf8 => lengths(column.as_string::<i32>().value_offsets()),
        DataType::Binary => lengths(column.as_binary::<i32>().value_offsets()),
        _ => column
            .get_array_memory_size()
            .div_ceil(column.len().max(1))
            .saturating_mul(origin.len()),
    }
}

/// A share of the run's memory pool, for what the host holds of a plugin's output.
#[derive(Debug)]
struct PoolBudget(MemoryReservation);

impl MemoryBudget for PoolBudget {
    fn try_take(&self, bytes: u64) -> bool {
        usize::try_from(bytes).is_ok_and(|bytes| self.0.try_grow(bytes).is_ok())
    }

    fn give_back(&self, bytes: u64) {
        self.0.shrink(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
}

/// What was emitted to each output over the pieces of one batch.
struct Emitted {
    outputs: Vec<Pieces>,
}

#[derive(Default, Clone)]
struct Pieces {
    batches: Vec<RecordBatch>,
    /// Rows of the whole batch, not of the piece.
    origin: Vec<u32>,
    /// Whether all of them came one for one and in order.
    identity: bool,
}

impl Emitted {
    fn new(role: &PluginRole) -> Emitted {
        let count = match role {
            PluginRole::Transform { emitted, .. } => emitted.len(),
            PluginRole::Check
            | PluginRole::Decoder { .. }
            | PluginRole::Fold { .. }
            | PluginRole::Source { .. } => 0,
        };
        let empty = Pieces {
            identity: true,
            ..Pieces::default()
        };
        Emitted {
            outputs: vec![empty; count],
        }
    }

    fn take(&mut self, processed: Processed, start: u32, rows: u32) -> Result<()> {
        for emission in processed.emitted {
            let pieces = self
                .outputs
                .get_mut(emission.output)
                .ok_or_else(|| Error::internal("a plugin emitted to an output it does not have"))?;
            // A second emission for the same rows, or one with an origin, ends the simple case.
            let in_order = emission.origin.is_none() && pieces.origin.len() == start as usize;
            pieces.identity &= in_order;
            match emission.origin {
                Some(origin) => pieces.origin.extend(origin.iter().map(|row| start + row)),
                None => pieces.origin.extend(start..start + rows),
            }
            pieces.batches.push(emission.batch);
        }
        Ok(())
    }

    fn output(
        &mut self,
        index: usize,
        schema: &SchemaRef,
        input_rows: usize,
    ) -> Result<(RecordBatch, Option<Vec<u32>>)> {
        let pieces = self
            .outputs
            .get_mut(index)
            .map(std::mem::take)
            .ok_or_else(|| Error::internal("a plugin lacks an output"))?;
        let identity = pieces.identity && pieces.origin.len() == input_rows;
        let rows = concat(schema, &pieces.batches)?;
        Ok((rows, (!identity).then_some(pieces.origin)))
    }
}

impl DisplayAs for PluginExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugin = &self.work.call.plugin;
        write!(
            f,
            "PluginExec: plugin={}, world={}, digest={}",
            plugin.name(),
            plugin.world(),
            plugin.digest().get(..12).unwrap_or_default()
        )
    }
}

impl ExecutionPlan for PluginExec {
    fn name(&self) -> &str {
        "PluginExec"
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
        let Some(input) = children.pop() else {
            return Ok(self);
        };
        let above = Arc::clone(self.work.layouts.above.schema());
        Ok(Arc::new(PluginExec {
            properties: properties(&input, above, EmissionType::Incremental),
            input,
            work: Arc::clone(&self.work),
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
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let mut input = self.input.execute(partition, Arc::clone(&context))?;
        let work = Arc::clone(&self.work);
        let stream = async_stream::try_stream! {
            let (mut instance, _memory, joined_rows) = work.start(&context).await?;
            while let Some(batch) = input.try_next().await.map_err(Error::from)? {
                let above = work.batch(&mut instance, &joined_rows, &batch).await;
                if above.is_err() {
                    work.count(&instance);
                }
                yield above?;
            }
            let finished = instance.finish().await;
            work.count(&instance);
            finished.map_err(Error::from)?;
        };
        let stream = stream.map_err(|error: Error| error.into());
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            stream.boxed(),
        )))
    }
}
