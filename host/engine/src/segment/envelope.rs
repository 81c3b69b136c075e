//! `EnvelopeExec`: rows enter a segment.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
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

use super::properties;
use crate::envelope::{Envelope, EnvelopeLayout, Unread, file_type};
use crate::error::Result;
use crate::files::{FILE_COLUMN, ORDINAL_COLUMN, REJECT_COLUMN};

/// Wraps each row of its input; the hidden columns of a scan become the row's origin, and the rejection
/// of a record that could not be read.
#[derive(Debug)]
pub struct EnvelopeExec {
    input: Arc<dyn ExecutionPlan>,
    layout: Arc<EnvelopeLayout>,
    /// Whether records that could not be read are dropped.
    drops: bool,
    properties: Arc<PlanProperties>,
}

impl EnvelopeExec {
    /// A node above `input`, whose columns but the hidden ones have the names and types of
    /// `schema`. What is derived from its rows has `derived`, the same columns, of which some may be
    /// `not null` that are null in a row that stands for no record.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        schema: &SchemaRef,
        derived: &SchemaRef,
        drops: bool,
    ) -> EnvelopeExec {
        let layout = Arc::new(EnvelopeLayout::new(
            Arc::clone(schema),
            vec![("out".to_owned(), Arc::clone(derived))],
        ));
        EnvelopeExec::of(input, layout, drops)
    }

    fn of(input: Arc<dyn ExecutionPlan>, layout: Arc<EnvelopeLayout>, drops: bool) -> EnvelopeExec {
        EnvelopeExec {
            properties: properties(
                &input,
                Arc::clone(layout.schema()),
                EmissionType::Incremental,
            ),
            input,
            layout,
            drops,
        }
    }

    /// The layout of the batches it gives.
    pub fn layout(&self) -> &Arc<EnvelopeLayout> {
        &self.layout
    }

    /// A schema without the hidden columns, and with plain types: views and dictionaries that a
    /// query engine likes inside are not part of what a step promises.
    pub fn visible(schema: &Schema) -> SchemaRef {
        Arc::new(Schema::new(
            schema
                .fields()
                .iter()
                .filter(|field| !is_hidden(field))
                .map(|field| {
                    let plain = plain_type(field.data_type());
                    field
                        .as_ref()
                        .clone()
                        .with_data_type(plain)
                        .with_metadata(Default::default())
                })
                .collect::<Vec<_>>(),
        ))
    }
}

/// Whether a column is a scan's own, not one of the rows'.
fn is_hidden(field: &Field) -> bool {
    [FILE_COLUMN, ORDINAL_COLUMN, REJECT_COLUMN].contains(&field.name().as_str())
}

fn plain_type(data_type: &DataType) -> DataType {
    let plain = |field: &Arc<Field>| {
        Arc::new(
            field
                .as_ref()
                .clone()
                .with_data_type(plain_type(field.data_type())),
        )
    };
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        // Formats call a list's item this or that; it has no name for us.
        DataType::List(item) | DataType::LargeList(item) => DataType::List(Arc::new(
            Field::new_list_field(plain_type(item.data_type()), true),
        )),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        other => other.clone(),
    }
}

fn wrap(batch: &RecordBatch, layout: &EnvelopeLayout, drops: bool) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let hidden = |name: &str, data_type: &DataType| match batch.column_by_name(name) {
        Some(column) if column.data_type() == data_type => Ok(Arc::clone(column)),
        Some(column) => arrow::compute::cast(column, data_type),
        None => Ok(new_null_array(data_type, rows)),
    };
    let mut columns = Vec::with_capacity(layout.input().fields().len());
    let schema = batch.schema();
    let visible = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| !is_hidden(field));
    for (field, (_, column)) in layout.input().fields().iter().zip(visible) {
        columns.push(if column.data_type() == field.data_type() {
            Arc::clone(column)
        } else {
            arrow::compute::cast(column, field.data_type())?
        });
    }
    let input = RecordBatch::try_new(Arc::clone(layout.input()), columns)?;
    let mut envelope = Envelope::wrap(
        input,
        hidden(FILE_COLUMN, &file_type())?,
        hidden(ORDINAL_COLUMN, &DataType::UInt64)?,
    );
    if let Some(column) = batch.column_by_name(REJECT_COLUMN) {
        envelope.reject_unread(drops, &Unread::of(column)?)?;
    }
    envelope.close(layout)
}

impl DisplayAs for EnvelopeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopeExec")
    }
}

impl ExecutionPlan for EnvelopeExec {
    fn name(&self) -> &str {
        "EnvelopeExec"
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
            Some(input) => {
                let layout = Arc::clone(&self.layout);
                Arc::new(EnvelopeExec::of(input, layout, self.drops))
            }
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
        let drops = self.drops;
        let stream = input.map(move |batch| Ok(wrap(&batch?, &layout, drops)?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(self.layout.schema()),
            stream,
        )))
    }
}
