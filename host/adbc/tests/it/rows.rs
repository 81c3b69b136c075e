//! Rows to load, and what a table has.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchIterator, RecordBatchReader,
    StringArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use weir_adbc::{Connection, Ingest, Mode, Table};

/// `id` not null, `name`.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
    ]))
}

/// Rows with the numbers from `first` on; each third has no name.
pub(crate) fn batch(first: i64, count: i64) -> RecordBatch {
    let ids = first..first + count;
    let names: StringArray = ids
        .clone()
        .map(|id| (id % 3 != 0).then(|| format!("row {id}")))
        .collect();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
    RecordBatch::try_new(schema(), vec![ids, Arc::new(names)]).unwrap()
}

pub(crate) type Batches = Vec<Result<RecordBatch, ArrowError>>;

pub(crate) fn reader(batches: Batches) -> Box<dyn RecordBatchReader + Send> {
    Box::new(RecordBatchIterator::new(batches, schema()))
}

/// Any batches of one schema.
pub(crate) fn reader_of(batch: RecordBatch) -> Box<dyn RecordBatchReader + Send> {
    let schema = batch.schema();
    Box::new(RecordBatchIterator::new([Ok(batch)], schema))
}

pub(crate) fn append(table: &str) -> Ingest<'_> {
    Ingest {
        table: Table::from(table),
        mode: Mode::Append,
        temporary: false,
    }
}

/// The numbers that a query gives, in one column.
pub(crate) fn numbers(connection: &mut Connection, sql: &str) -> Vec<i64> {
    let rows = connection.query(sql, None).unwrap();
    let mut numbers = Vec::new();
    for batch in rows {
        let batch = batch.unwrap();
        let column = arrow::compute::cast(batch.column(0), &DataType::Int64).unwrap();
        assert_eq!(column.null_count(), 0);
        numbers.extend_from_slice(column.as_primitive::<Int64Type>().values());
    }
    numbers
}

pub(crate) fn number(connection: &mut Connection, sql: &str) -> i64 {
    let numbers = numbers(connection, sql);
    assert_eq!(numbers.len(), 1, "{sql}");
    numbers[0]
}

pub(crate) fn texts(connection: &mut Connection, sql: &str) -> Vec<String> {
    let rows = connection.query(sql, None).unwrap();
    let mut texts = Vec::new();
    for batch in rows {
        let batch = batch.unwrap();
        let column = batch.column(0).as_string::<i32>().clone();
        texts.extend(column.iter().map(|text| text.unwrap().to_owned()));
    }
    texts
}
