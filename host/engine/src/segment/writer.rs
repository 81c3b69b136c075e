//! `SegmentWriterExec`: the root of a segment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, StringBuilder, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type, UInt64Type};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::{AHEAD, properties};
use crate::data_file::{DataFileWriter, Lasting};
use crate::envelope::{Envelope, EnvelopeLayout, InputRows, READ_STAGE, write_stage};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Location;
use crate::mask::Masks;
use crate::partition::{PartitionColumn, PartitionedWriter};
use crate::quarantine;
use crate::vault::Vaults;
use crate::widening::fitting;

/// The column of a quarantine table that holds the text of records that could not be read.
pub(crate) const RAW_COLUMN: &str = "_weir_raw";
/// What a stage says of a rejected row.
pub(crate) const MESSAGE_COLUMN: &str = "_weir_message";

/// Where one output's rows are written to, as data files.
#[derive(Debug, Clone)]
pub struct SegmentOutput {
    /// The output's index in the layout.
    pub output: usize,
    /// The table's folder (or a staging folder).
    pub root: Location,
    /// The folder below it for this scope; empty for none.
    pub folder: String,
    /// The schema of the files: the output's, with types as they are kept, without scope columns.
    pub schema: SchemaRef,
    /// For each column of the files its index in the output.
    pub columns: Vec<usize>,
    /// The columns of the files of which values that do not fit their type become null.
    pub lossy: Vec<usize>,
    /// Scope columns that the output itself has: index, name, and the value every row must have.
    pub pinned: Vec<(usize, String, ArrayRef)>,
    /// Partition columns whose values rows have; each file has one partition.
    pub by: Arc<[PartitionColumn]>,
    /// Columns in which every row must have a value: index and name.
    pub required: Vec<(usize, String)>,
    /// The run, where rows say which wrote them: the last column of the files.
    pub run: Option<Arc<str>>,
    /// How long the files are there.
    pub lasting: Lasting,
}

impl SegmentOutput {
    /// The names of its partition columns.
    pub(crate) fn by_names(&self) -> Arc<[String]> {
        self.by.iter().map(|column| column.name.clone()).collect()
    }
}

/// Where rejected input rows are written to.
#[derive(Debug, Clone)]
pub struct Quarantine {
    /// The quarantine table's folder.
    pub root: Location,
    /// The folder below it for this scope; empty for none.
    pub folder: String,
    /// The schema of the files; see [`Quarantine::schema`].
    pub schema: SchemaRef,
    /// The run's identifier.
    pub run: Arc<str>,
    /// The step's name.
    pub step: Arc<str>,
    /// The segment's number in the step, from 0.
    pub segment: i32,
    /// The stages of the step.
    pub stages: Arc<StageNames>,
    /// What is masked of input rows, since a stage masks it later.
    pub masks: Arc<Masks>,
    /// Whether texts of records that could not be read are left out, since they may hold what is masked.
    pub without_texts: bool,
    /// The tokens of masks.
    pub vaults: Arc<Vaults>,
}

/// A stage as quarantine and run records name it.
#[derive(Debug, Clone)]
pub struct StageName {
    /// How people call it.
    pub label: Arc<str>,
    /// Its plugin, where it has one.
    pub plugin: Option<PluginName>,
}

/// A plugin as quarantine names it.
#[derive(Debug, Clone)]
pub struct PluginName {
    /// Its name in the file.
    pub name: Arc<str>,
    /// The version that it says it has.
    pub version: Arc<str>,
    /// SHA-256 of its component.
    pub digest: Arc<str>,
}

/// The stages of a step by their numbers, the read and the writes by their own.
#[derive(Debug, Clone)]
pub struct StageNames {
    stages: Vec<StageName>,
    read: StageName,
    writes: Vec<StageName>,
}

impl StageNames {
    /// The names of `stages`, in their order, of a step that writes `targets`. `decoder` decodes what it reads.
    pub fn new(
        stages: Vec<StageName>,
        decoder: Option<PluginName>,
        targets: &[String],
    ) -> StageNames {
        let plain = |label: &str| StageName {
            label: label.into(),
            plugin: None,
        };
        StageNames {
            stages,
            read: StageName {
                plugin: decoder,
                ..plain(quarantine::READ)
            },
            writes: targets
                .iter()
                .map(|target| plain(&format!("write {target}")))
                .collect(),
        }
    }

    /// What is called by this number.
    pub fn get(&self, stage: u32) -> Option<&StageName> {
        match stage {
            READ_STAGE => Some(&self.read),
            stage => self.stages.get(stage as usize).or_else(|| {
                let mut writes = self.writes.iter().enumerate();
                writes.find_map(|(index, name)| (write_stage(index) == stage).then_some(name))
            }),
        }
    }
}

/// Why a row is kept in quarantine.
struct Why {
    stage: u32,
    rule: String,
    message: String,
    raw: Option<String>,
}

impl Quarantine {
    /// The columns of a quarantine table: why, then the input row whole, masked. With `raw`, the text of
    /// records that could not be read is among the former.
    pub fn schema(input: &Schema, raw: bool) -> Schema {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let mut fields = vec![
            text("_weir_rule"),
            text(MESSAGE_COLUMN),
            text("_weir_step"),
            text("_weir_stage"),
            Field::new("_weir_segment", DataType::Int32, true),
            text("_weir_plugin"),
            text("_weir_plugin_version"),
            text("_weir_plugin_digest"),
            text("_weir_run"),
            text("_weir_file"),
            Field::new("_weir_ordinal", DataType::Int64, true),
            text(quarantine::STATE),
            text(quarantine::STATE_NOTE),
        ];
        if raw {
            fields.push(Field::new(RAW_COLUMN, DataType::Utf8, true));
        }
        fields.extend(input.fields().iter().map(|field| field.as_ref().clone()));
        Schema::new(fields)
    }

    fn rows(&self, found: &InputRows, why: &[Why]) -> Result<RecordBatch> {
        let rows = why.len();
        let same = |text: &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                text, rows,
            )))
        };
        let mut labels = StringBuilder::new();
        let mut plugins = StringBuilder::new();
        let mut versions = StringBuilder::new();
        let mut digests = StringBuilder::new();
        for entry in why {
            let name = self
                .stages
                .get(entry.stage)
                .ok_or_else(|| Error::internal("a rejection names no stage"))?;
            let plugin = name.plugin.as_ref();
            labels.append_value(&name.label);
            plugins.append_option(plugin.map(|plugin| &plugin.name));
            versions.append_option(plugin.map(|plugin| &plugin.version));
            digests.append_option(plugin.map(|plugin| &plugin.digest));
        }
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(
                why.iter().map(|entry| &entry.rule),
            )),
            Arc::new(StringArray::from_iter_values(
                why.iter().map(|entry| &entry.message),
            )),
            same(&self.step),
            Arc::new(labels.finish()),
            Arc::new(Int32Array::from(vec![self.segment; rows])),
            Arc::new(plugins.finish()),
            Arc::new(versions.finish()),
            Arc::new(digests.finish()),
            same(&self.run),
            arrow::compute::cast(&found.file, &DataType::Utf8)?,
            arrow::compute::cast(&found.ordinal, &DataType::Int64)?,
            same(quarantine::OPEN),
            match quarantine::masked_note(&self.masks) {
                Some(note) => same(&note),
                None => Arc::new(StringArray::new_null(rows)),
            },
        ];
        if self.schema.index_of(RAW_COLUMN).is_ok() {
            let kept = !self.without_texts;
            let raw = why
                .iter()
                .map(|entry| entry.raw.as_deref().filter(|_| kept));
            columns.push(Arc::new(raw.collect::<StringArray>()));
        }
        let masked = self.masks.apply(&found.rows, &self.vaults)?;
        columns.extend(masked.columns().iter().cloned());
        kept(&self.schema, columns)
    }
}

/// Columns in the types in which they are kept.
pub(crate) fn kept(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let columns = columns
        .into_iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(column)
            } else {
                let options = arrow::compute::CastOptions {
                    safe: false,
                    ..Default::default()
                };
                arrow::compute::cast_with_options(&column, field.data_type(), &options)
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Drains its input and writes accepted and rejected rows to new files. Its own rows say which:
/// only files that a successful execution returned count, all others are orphans.
#[derive(Debug)]
pub struct SegmentWriterExec {
    input: Arc<dyn ExecutionPlan>,
    layout: Arc<EnvelopeLayout>,
    outputs: Arc<[SegmentOutput]>,
    quarantine: Option<Arc<Quarantine>>,
    properties: Arc<PlanProperties>,
}

impl SegmentWriterExec {
    /// The root above `input`, whose batches have `layout`. Without `quarantine` a rejected row
    /// that is not dropped is an error.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        layout: Arc<EnvelopeLayout>,
        outputs: Arc<[SegmentOutput]>,
        quarantine: Option<Arc<Quarantine>>,
    ) -> SegmentWriterExec {
        SegmentWriterExec {
            properties: properties(&input, written_schema(), EmissionType::Final),
            input,
            layout,
            outputs,
            quarantine,
        }
    }
}

/// What a row of a [`SegmentWriterExec`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    /// A file of accepted rows of the output at this index of the writer's outputs.
    Accepted(usize),
    /// A file of rejected input rows.
    Quarantined,
}

/// A file that was written, whole and durable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Its path below the root it was written for, with `/` between segments.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its values of the partition columns that come from rows, in order, as Delta writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition: Vec<Option<String>>,
    /// Delta statistics as JSON. They hold values of rows, so a decision does not keep them:
    /// whoever rolls it forward reads them from the file again.
    #[serde(skip)]
    pub stats: Option<String>,
}

/// What a segment wrote and counted, over all partitions.
#[derive(Debug, Default)]
pub struct SegmentResult {
    /// The files.
    pub files: Vec<(FileKind, WrittenFile)>,
    /// Input rows.
    pub read: u64,
    /// Input rows that were not rejected.
    pub accepted: u64,
    /// Input rows rejected into quarantine.
    pub quarantined: u64,
    /// Input rows rejected and dropped.
    pub dropped: u64,
    /// Rejections by (stage, rule).
    pub rejected_by: BTreeMap<(u32, String), u64>,
    /// Warnings by (stage, rule).
    pub warned_by: BTreeMap<(u32, String), u64>,
}

fn written_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("kind", DataType::Utf8, false),
        Field::new("index", DataType::UInt32, false),
        Field::new("name", DataType::Utf8, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("bytes", DataType::UInt64, false),
        Field::new("stats", DataType::Utf8, true),
        Field::new("partition", DataType::Utf8, true),
    ]))
}

/// The rows that a writer gives, under construction: files, and counts beside them.
#[derive(Default)]
struct Report {
    kind: Vec<&'static str>,
    index: Vec<u32>,
    name: Vec<String>,
    rows: Vec<u64>,
    bytes: Vec<u64>,
    stats: Vec<Option<String>>,
    /// As JSON.
    partition: Vec<Option<String>>,
}

impl Report {
    fn file(&mut self, kind: &'static str, index: usize, file: WrittenFile) -> Result<()> {
        let partition = serde_json::to_string(&file.partition)
            .map_err(|error| Error::internal("no JSON").with_source(error))?;
        self.kind.push(kind);
        self.index.push(u32::try_from(index).unwrap_or(u32::MAX));
        self.name.push(file.path);
        self.rows.push(file.rows);
        self.bytes.push(file.bytes);
        self.stats.push(file.stats);
        self.partition.push(Some(partition));
        Ok(())
    }

    fn count(&mut self, kind: &'static str, index: u32, name: &str, rows: u64) {
        self.kind.push(kind);
        self.index.push(index);
        self.name.push(name.to_owned());
        self.rows.push(rows);
        self.bytes.push(0);
        self.stats.push(None);
        self.partition.push(None);
    }

    fn batch(self) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(
            written_schema(),
            vec![
                Arc::new(StringArray::from(self.kind)),
                Arc::new(UInt32Array::from(self.index)),
                Arc::new(StringArray::from(self.name)),
                Arc::new(UInt64Array::from(self.rows)),
                Arc::new(UInt64Array::from(self.bytes)),
                Arc::new(StringArray::from(self.stats)),
                Arc::new(StringArray::from(self.partition)),
            ],
        )?)
    }
}

/// Reads the rows that the partitions of a [`SegmentWriterExec`] gave.
pub fn written(batches: &[RecordBatch]) -> Result<SegmentResult> {
    let wrong = || Error::internal("a segment's writer gave other rows than it should");
    let mut result = SegmentResult::default();
    for batch in batches {
        let [kind, index, name, rows, bytes, stats, partition] = batch.columns() else {
            return Err(wrong());
        };
        let kind = kind.as_string_opt::<i32>().ok_or_else(wrong)?;
        let index = index.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
        let name = name.as_string_opt::<i32>().ok_or_else(wrong)?;
        let rows = rows.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
        let bytes = bytes.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
        let stats = stats.as_string_opt::<i32>().ok_or_else(wrong)?;
        let partition = partition.as_string_opt::<i32>().ok_or_else(wrong)?;
        for row in 0..batch.num_rows() {
            let count = rows.value(row);
            let stage = (index.value(row), name.value(row).to_owned());
            let file = || -> Result<WrittenFile> {
                Ok(WrittenFile {
                    path: name.value(row).to_owned(),
                    rows: count,
                    bytes: bytes.value(row),
                    partition: serde_json::from_str(partition.value(row)).map_err(|_| wrong())?,
                    stats: stats.is_valid(row).then(|| stats.value(row).to_owned()),
                })
            };
            match kind.value(row) {
                "accepted" => {
                    let kind = FileKind::Accepted(index.value(row) as usize);
                    result.files.push((kind, file()?));
                }
                "quarantined" => result.files.push((FileKind::Quarantined, file()?)),
                "read rows" => result.read += count,
                "accepted rows" => result.accepted += count,
                "quarantined rows" => result.quarantined += count,
                "dropped rows" => result.dropped += count,
                "rejected by" => *result.rejected_by.entry(stage).or_default() += count,
                "warned by" => *result.warned_by.entry(stage).or_default() += count,
                _ => return Err(wrong()),
            }
        }
    }
    if result.read != result.accepted + result.quarantined + result.dropped {
        return Err(Error::internal(format!(
            "rows do not balance: {} read, {} accepted, {} quarantined, {} dropped",
            result.read, result.accepted, result.quarantined, result.dropped
        )));
    }
    Ok(result)
}

/// One partition's open files and counts.
struct Partition {
    layout: Arc<EnvelopeLayout>,
    outputs: Vec<(SegmentOutput, PartitionedWriter)>,
    quarantine: Option<(Arc<Quarantine>, DataFileWriter)>,
    result: SegmentResult,
}

impl Partition {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let envelope = Envelope::open(&self.layout, batch)?;
        let total = envelope.rows() as u64;
        self.result.read += total;
        envelope.count_warnings(&mut self.result.warned_by)?;
        let rejections = envelope.rejections()?;
        let mut kept_rows = Vec::new();
        let mut why = Vec::new();
        let mut rejected = 0;
        if !rejections.is_empty() {
            for row in (0_u32..).take(envelope.rows()) {
                let Some(found) = rejections.get(row as usize) else {
                    continue;
                };
                rejected += 1;
                let by = (found.stage, found.rule.to_owned());
                *self.result.rejected_by.entry(by).or_default() += 1;
                if found.dropped {
                    self.result.dropped += 1;
                } else {
                    self.result.quarantined += 1;
                    kept_rows.push(row);
                    why.push(Why {
                        stage: found.stage,
                        rule: found.rule.to_owned(),
                        message: found.message.to_owned(),
                        raw: found.raw.map(str::to_owned),
                    });
                }
            }
        }
        self.result.accepted += total - rejected;
        if !why.is_empty() {
            let (quarantine, writer) = self
                .quarantine
                .as_mut()
                .ok_or_else(|| Error::internal("a row was rejected where none could be"))?;
            let found = envelope.input_rows(&self.layout, &UInt32Array::from(kept_rows))?;
            writer.write(&quarantine.rows(&found, &why)?).await?;
        }
        for (output, writer) in &mut self.outputs {
            let rows = &envelope.output(output.output)?.rows;
            for (column, name, value) in &output.pinned {
                pinned(rows.column(*column), value, name)?;
            }
            for (column, name) in &output.required {
                required(rows.column(*column), name)?;
            }
            let mut columns: Vec<ArrayRef> = output
                .columns
                .iter()
                .map(|index| Arc::clone(rows.column(*index)))
                .collect();
            for index in &output.lossy {
                if let (Some(column), Some(field)) =
                    (columns.get_mut(*index), output.schema.fields().get(*index))
                {
                    (*column, _) = fitting(column, field.data_type())?;
                }
            }
            if let Some(run) = &output.run {
                let run = std::iter::repeat_n(run.as_ref(), rows.num_rows());
                columns.push(Arc::new(StringArray::from_iter_values(run)));
            }
            let values = output
                .by
                .iter()
                .map(|by| by.texts(rows.column(by.index)))
                .collect::<Result<Vec<_>>>()?;
            writer
                .write(&kept(&output.schema, columns)?, &values)
                .await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<RecordBatch> {
        let mut report = Report::default();
        for (index, (_, writer)) in self.outputs.into_iter().enumerate() {
            for file in writer.finish().await? {
                report.file("accepted", index, file)?;
            }
        }
        if let Some((_, writer)) = self.quarantine.take() {
            for file in writer.finish().await? {
                report.file("quarantined", 0, file)?;
            }
        }
        let result = self.result;
        report.count("read rows", 0, "", result.read);
        report.count("accepted rows", 0, "", result.accepted);
        report.count("quarantined rows", 0, "", result.quarantined);
        report.count("dropped rows", 0, "", result.dropped);
        for ((stage, rule), rows) in &result.rejected_by {
            report.count("rejected by", *stage, rule, *rows);
        }
        for ((stage, rule), rows) in &result.warned_by {
            report.count("warned by", *stage, rule, *rows);
        }
        report.batch()
    }
}

/// Every row must lie in the scope that the write names.
fn pinned(column: &ArrayRef, value: &ArrayRef, name: &str) -> Result<()> {
    let scalar = arrow::array::Scalar::new(Arc::clone(value));
    let column = arrow::compute::cast(column, value.data_type())?;
    let outside = arrow::compute::kernels::cmp::distinct(&column, &scalar)?;
    match outside.true_count() {
        0 => Ok(()),
        count => Err(Error::new(
            ErrorKind::Check,
            format!("{count} rows of a batch lie outside the scope: '{name}' has another value"),
        )
        .with_hint(format!(
            "filter the rows, or take '{name}' out of the output so that the scope's value is added"
        ))),
    }
}

/// Whether every row has a value: rows are known by it.
fn required(column: &ArrayRef, name: &str) -> Result<()> {
    match column.null_count() {
        0 => Ok(()),
        count => Err(Error::new(
            ErrorKind::Input,
            format!("{count} rows of a batch have no '{name}', which is part of the key"),
        )
        .with_hint(format!(
            "keep such rows aside with check = {{ not_null = [\"{name}\"] }}, or filter them out"
        ))),
    }
}

impl DisplayAs for SegmentWriterExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SegmentWriterExec: outputs={}, quarantine={}",
            self.outputs.len(),
            self.quarantine.is_some()
        )
    }
}

impl ExecutionPlan for SegmentWriterExec {
    fn name(&self) -> &str {
        "SegmentWriterExec"
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
            Some(input) => Arc::new(SegmentWriterExec::new(
                input,
                Arc::clone(&self.layout),
                Arc::clone(&self.outputs),
                self.quarantine.clone(),
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
        // While a batch is written the stages work on the next one, on another core.
        let mut input = spawn_buffered(self.input.execute(partition, context)?, AHEAD);
        let mut state = Partition {
            layout: Arc::clone(&self.layout),
            outputs: self
                .outputs
                .iter()
                .map(|output| {
                    let writer = PartitionedWriter::new(
                        &output.root,
                        &output.folder,
                        &output.schema,
                        output.by_names(),
                    )
                    .lasting(output.lasting);
                    (output.clone(), writer)
                })
                .collect(),
            quarantine: self.quarantine.as_ref().map(|quarantine| {
                let writer =
                    DataFileWriter::new(&quarantine.root, &quarantine.folder, &quarantine.schema);
                (Arc::clone(quarantine), writer)
            }),
            result: SegmentResult::default(),
        };
        let stream = futures::stream::once(async move {
            while let Some(batch) = input.try_next().await? {
                state.write(&batch).await?;
            }
            Ok(state.finish().await?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            written_schema(),
            stream,
        )))
    }
}
