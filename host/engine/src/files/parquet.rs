//! Apache Parquet.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::ProjectionMask;
use weir_decode::Rule;
use weir_pipeline::Undeclared;

use super::{InputFile, changed, fault};
use crate::error::{Error, Result};
use crate::lake::{Location, RUN_COLUMN};
use crate::parquet_io::ObjectReader;
use crate::store::Stores;

async fn builder(
    file: &InputFile,
    stores: &Stores,
) -> Result<ParquetRecordBatchStreamBuilder<ObjectReader>> {
    let location = Location::parse(&file.path, stores)?;
    ParquetRecordBatchStreamBuilder::new(ObjectReader::of_content(&location, file.etag.clone()))
        .await
        .map_err(|error| not_parquet(file, error))
}

fn not_parquet(file: &InputFile, error: parquet::errors::ParquetError) -> Error {
    let error = match error {
        parquet::errors::ParquetError::External(cause) => {
            match cause.downcast::<object_store::Error>() {
                Ok(cause) => return changed(file, *cause),
                Err(cause) => parquet::errors::ParquetError::External(cause),
            }
        }
        other => other,
    };
    Error::input(format!("'{}' is no whole Parquet file", file.path))
        .with_source(error)
        .with_hint("the file may be truncated, or of another format than `format` says")
}

/// The file's own schema.
pub(super) async fn file_schema(file: &InputFile, stores: &Stores) -> Result<SchemaRef> {
    Ok(Arc::clone(builder(file, stores).await?.schema()))
}

/// The rows of one file, cast to `schema`, columns matched by name.
pub(super) async fn read(
    file: InputFile,
    schema: SchemaRef,
    sources: Arc<[String]>,
    undeclared: Undeclared,
    batch_rows: usize,
    stores: &Stores,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let builder = builder(&file, stores).await?;
    let own = Arc::clone(builder.schema());
    if undeclared == Undeclared::Freeze {
        let known = |name: &String| sources.contains(name) || name == RUN_COLUMN;
        if let Some(field) = own.fields().iter().find(|field| !known(field.name())) {
            let what = format!("column '{}' is not declared", field.name().escape_debug());
            return Err(fault(&file, "schema", what).with_hint(Rule::NewColumn.hint()));
        }
    }
    let mut roots = Vec::new();
    for source in sources.iter() {
        match own.index_of(source) {
            Ok(index) => roots.push(index),
            Err(_) => {
                return Err(
                    fault(&file, "schema", format!("there is no column '{source}'")).with_hint(
                        format!(
                            "the file has: {}; mend the file, or the `schema` of the step's `read`",
                            own.fields()
                                .iter()
                                .map(|field| field.name().as_str())
                                .collect::<Vec<_>>()
                                .join(", ")
                        ),
                    ),
                );
            }
        }
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let stream = builder
        .with_projection(mask)
        .with_batch_size(batch_rows)
        .build()
        .map_err(|error| not_parquet(&file, error))?;
    let mut row = 0_u64;
    Ok(stream
        .map_err({
            let file = file.clone();
            move |error| not_parquet(&file, error)
        })
        .and_then(move |batch| {
            let typed = typed(&file, &batch, &schema, &sources, row);
            row += batch.num_rows() as u64;
            futures::future::ready(typed)
        })
        .boxed())
}

fn typed(
    file: &InputFile,
    batch: &RecordBatch,
    schema: &SchemaRef,
    sources: &[String],
    row: u64,
) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for (field, source) in schema.fields().iter().zip(sources) {
        let column = batch
            .column_by_name(source)
            .ok_or_else(|| fault(file, "schema", format!("there is no column '{source}'")))?;
        let typed = cast_with_options(column, field.data_type(), &CastOptions::default())
            .map_err(|error| fault(file, "schema", error))?;
        if typed.null_count() > column.null_count()
            || (!field.is_nullable() && typed.null_count() > 0)
        {
            let place = (0..typed.len())
                .find(|index| {
                    typed.is_null(*index) && (!column.is_null(*index) || !field.is_nullable())
                })
                .unwrap_or_default();
            return Err(fault(
                file,
                &format!("row {}", row + place as u64 + 1),
                format!(
                    "column '{}' does not fit {}{}",
                    field.name(),
                    field.data_type(),
                    if field.is_nullable() { "" } else { " not null" }
                ),
            )
            .with_hint("mend the file, or the `schema` of the step's `read`"));
        }
        columns.push(typed);
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
