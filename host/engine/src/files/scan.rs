//! The scan of files as a node of a physical plan.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use weir_pipeline::{Column, FileFormat, FileRead, FileSchema};

use super::decoder::{Decoding, read_decoded};
use super::elsewhere::{Elsewhere, read_elsewhere};
use super::{FILE_COLUMN, FileRows, InputFile, ORDINAL_COLUMN, REJECT_COLUMN, parquet, text};
use crate::dynamodb::Items;
use crate::envelope::Unread;
use crate::error::{Error, Result};
use crate::segment::AHEAD;
use crate::store::Stores;

/// Where what is read lies.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Opens files.
    pub stores: Stores,
    /// The table of DynamoDB whose segments are read in place of files.
    pub(crate) items: Option<Items>,
    /// The plugin that decodes the files, where one does.
    pub(crate) decoder: Option<Decoding>,
    /// The plugin that reads in place of files, where one does.
    pub(crate) elsewhere: Option<Elsewhere>,
}

/// Reads files, each whole by one partition, and adds to each row the file and its place in it
/// (from 1) as the last two columns. A tolerant read adds a third, which says of a row of nulls why the
/// record that it stands for cannot be read.
///
/// Files are dealt to partitions by size when the plan is made, never at run time: the same
/// files give the same partitions.
#[derive(Debug)]
pub struct FileScanExec {
    read: Arc<FileRead>,
    /// Without the hidden columns.
    file_schema: SchemaRef,
    groups: Vec<Vec<InputFile>>,
    sources: Sources,
    properties: Arc<PlanProperties>,
}

impl FileScanExec {
    /// A scan of `files` by at most `partitions` tasks; `schema` is what [`super::schema`] says.
    pub fn new(
        read: FileRead,
        schema: SchemaRef,
        files: Vec<InputFile>,
        partitions: usize,
        sources: Sources,
    ) -> FileScanExec {
        let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(
            FILE_COLUMN,
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            true,
        )));
        fields.push(Arc::new(Field::new(ORDINAL_COLUMN, DataType::UInt64, true)));
        if read.is_tolerant() {
            let reject = DataType::Struct(Unread::fields());
            fields.push(Arc::new(Field::new(REJECT_COLUMN, reject, true)));
        }
        let groups = deal(files, partitions);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::new(fields))),
            Partitioning::UnknownPartitioning(groups.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        FileScanExec {
            read: Arc::new(read),
            file_schema: schema,
            groups,
            sources,
            properties: Arc::new(properties),
        }
    }
}

/// Largest first, each to the group that has least so far; files of a group in order of path.
fn deal(mut files: Vec<InputFile>, partitions: usize) -> Vec<Vec<InputFile>> {
    let count = partitions.min(files.len()).max(1);
    let mut groups: Vec<(u64, Vec<InputFile>)> = vec![(0, Vec::new()); count];
    files.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
    for file in files {
        if let Some(group) = groups.iter_mut().min_by_key(|group| group.0) {
            group.0 += file.size;
            group.1.push(file);
        }
    }
    groups
        .into_iter()
        .map(|(_, mut files)| {
            files.sort();
            files
        })
        .collect()
}

async fn read_file(
    read: Arc<FileRead>,
    schema: SchemaRef,
    file: InputFile,
    batch_rows: usize,
    (sources, pool): (&Sources, &Arc<dyn MemoryPool>),
) -> Result<BoxStream<'static, Result<FileRows>>> {
    let stores = &sources.stores;
    let columns: Arc<[Column]> = match &read.schema {
        FileSchema::Declared(columns) => columns.clone().into(),
        FileSchema::FromFile => Arc::new([]),
    };
    let decoded = match &read.format {
        FileFormat::Decoder(_) => {
            let decoder = sources.decoder.as_ref();
            let decoder = decoder.ok_or_else(|| Error::internal("a decoder was not planned"))?;
            let place = (pool, stores);
            return read_decoded(&read, file, decoder, schema, batch_rows, place).await;
        }
        FileFormat::Source(_) => {
            let elsewhere = sources.elsewhere.as_ref();
            let elsewhere = elsewhere.ok_or_else(|| Error::internal("a source was not planned"))?;
            return read_elsewhere(&read, file, elsewhere, schema, batch_rows, pool);
        }
        FileFormat::Csv(options) => {
            let options = options.clone();
            text::read_csv(&read, file, options, columns, batch_rows, stores).await?
        }
        FileFormat::JsonLines => {
            text::read_json(&read, file, false, columns, batch_rows, stores).await?
        }
        FileFormat::JsonArray => {
            text::read_json(&read, file, true, columns, batch_rows, stores).await?
        }
        FileFormat::DynamodbJson { item_column } => {
            let items = sources.items.as_ref();
            let how = (item_column.as_deref(), items);
            text::read_items(&read, file, how, columns, batch_rows, stores).await?
        }
        FileFormat::Parquet => {
            let sources = match columns.is_empty() {
                true => schema
                    .fields()
                    .iter()
                    .map(|field| field.name().clone())
                    .collect(),
                false => columns
                    .iter()
                    .map(|column| column.source.clone().unwrap_or_else(|| column.name.clone()))
                    .collect(),
            };
            let batches =
                parquet::read(file, schema, sources, read.undeclared, batch_rows, stores).await?;
            let rows = |batch| FileRows {
                batch,
                unread: Vec::new(),
            };
            return Ok(batches.map_ok(rows).boxed());
        }
    };
    Ok(decoded.map_ok(FileRows::from).boxed())
}

/// Adds the hidden columns.
fn with_origin(
    read: &FileRows,
    schema: &SchemaRef,
    path: &Arc<StringArray>,
    before: u64,
) -> Result<RecordBatch> {
    let batch = &read.batch;
    let rows = batch.num_rows();
    let file = DictionaryArray::<Int32Type>::try_new(
        Int32Array::from(vec![0; rows]),
        Arc::clone(path) as ArrayRef,
    )?;
    let ordinal = UInt64Array::from_iter_values((0..rows as u64).map(|row| before + row + 1));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(file));
    columns.push(Arc::new(ordinal));
    if columns.len() < schema.fields().len() {
        columns.push(Unread::column(&read.unread, rows)?);
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

impl DisplayAs for FileScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.groups.iter().map(Vec::len).sum();
        write!(f, "FileScanExec: glob={}, files={files}", self.read.glob)
    }
}

impl ExecutionPlan for FileScanExec {
    fn name(&self) -> &str {
        "FileScanExec"
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
        let files = self.groups.get(partition).cloned().unwrap_or_default();
        let batch_rows = context.session_config().batch_size();
        let read = Arc::clone(&self.read);
        let sources = self.sources.clone();
        let pool = Arc::clone(context.memory_pool());
        let file_schema = Arc::clone(&self.file_schema);
        let schema = self.schema();
        let output = Arc::clone(&schema);
        let stream = async_stream::try_stream! {
            for file in files {
                let path = Arc::new(StringArray::from(vec![file.path.as_str()]));
                let mut batches =
                    read_file(Arc::clone(&read), Arc::clone(&file_schema), file, batch_rows, (&sources, &pool)).await?;
                let mut before = 0;
                while let Some(read) = batches.try_next().await? {
                    let rows = read.batch.num_rows() as u64;
                    yield with_origin(&read, &output, &path, before)?;
                    before += rows;
                }
            }
        };
        let stream = stream.map_err(|error: crate::Error| error.into());
        let stream = Box::pin(RecordBatchStreamAdapter::new(schema, stream.boxed()));
        Ok(match self.read.format {
            // What a plugin has read counts as read: it is not asked for more than is wanted.
            FileFormat::Source(_) | FileFormat::Decoder(_) => stream,
            FileFormat::Csv(_)
            | FileFormat::JsonLines
            | FileFormat::JsonArray
            | FileFormat::DynamodbJson { .. }
            | FileFormat::Parquet => spawn_buffered(stream, AHEAD),
        })
    }
}
