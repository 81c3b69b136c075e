//! The columns of a write that are not data: those of its scope, those that rows are partitioned by, and those by
//! which they are merged.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use weir_pipeline::{Fault, PartitionPart, ScopeValue, WhenMatched, Write};

use crate::error::{Error, Result};
use crate::merge::Merging;
use crate::partition::{self, PartitionColumn};
use crate::types::{lake_type, scope_text, scope_type, type_text};

/// The schema with the partition columns behind.
pub(super) fn with_partitions(
    schema: &SchemaRef,
    scope: &[(String, ScopeValue)],
    by: &[PartitionColumn],
) -> SchemaRef {
    let fields = schema.fields().iter().cloned();
    let fields = fields.chain(partition_fields(scope, by));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The partition columns, as a table has them.
pub(super) fn partition_fields(
    scope: &[(String, ScopeValue)],
    by: &[PartitionColumn],
) -> Vec<Arc<Field>> {
    let scope = scope
        .iter()
        .map(|(name, value)| Arc::new(Field::new(name, scope_type(value), true)));
    let by = by.iter().map(|column| Arc::new(column.field()));
    scope.chain(by).collect()
}

/// A column of the output that a write names.
pub(super) fn named_column(schema: &Schema, name: &str, write: &Write) -> Result<usize> {
    super::stages::column_index(schema, name, &write.place)
}

/// The partition columns whose values the rows of an output have.
pub(super) fn partition_columns(write: &Write, schema: &Schema) -> Result<Arc<[PartitionColumn]>> {
    let mut columns = Vec::with_capacity(write.partition_by.len());
    for by in &write.partition_by {
        let index = named_column(schema, &by.column, write)?;
        let source = schema.field(index).data_type();
        let fault = |why: String, hint: &str| -> Error {
            Fault::new(why).at(&write.place).hint(hint).into()
        };
        let kept = lake_type(source).map_err(|why| {
            fault(
                format!("'{}' cannot be a partition column: {why}", by.column),
                "partition by another column",
            )
        })?;
        let data_type = PartitionColumn::data_type(by.part, &kept).map_err(|able| {
            fault(
                format!(
                    "'{}' is {}, and this partition column needs {able}",
                    by.column,
                    type_text(source)
                ),
                "partition by another column, or cast it in a query",
            )
        })?;
        let name = by.name();
        if by.part != PartitionPart::Whole && schema.field_with_name(&name).is_ok() {
            return Err(fault(
                format!("the rows have a column '{name}', the name of the partition column"),
                "partition by that column, or give it another name in a query",
            ));
        }
        columns.push(PartitionColumn {
            name,
            index,
            part: by.part,
            data_type,
        });
    }
    Ok(columns.into())
}

/// How a write merges, and the columns in which its rows must have a value.
#[expect(clippy::type_complexity, reason = "a pair of two lists")]
pub(super) fn merging(
    write: &Write,
    schema: &Schema,
) -> Result<(Option<Merging>, Vec<(usize, String)>)> {
    let Some(merge) = &write.merge else {
        return Ok((None, Vec::new()));
    };
    let fault =
        |why: String, hint: &str| -> Error { Fault::new(why).at(&write.place).hint(hint).into() };
    let mut required = Vec::with_capacity(merge.key.len());
    for name in merge.key.iter().chain(&merge.order) {
        let index = named_column(schema, name, write)?;
        let data_type = schema.field(index).data_type();
        let ordered = merge.order.contains(name);
        if data_type.is_nested() || (data_type.is_floating() && !ordered) {
            return Err(fault(
                format!(
                    "'{name}' is {}, by which rows cannot be told apart",
                    type_text(data_type)
                ),
                "name a text, number, date or timestamp; cast floats to decimals in a query",
            ));
        }
        if write.partition.iter().any(|(scope, _)| scope == name) {
            return Err(fault(
                format!("'{name}' has one value in all rows, by `partition`"),
                "leave it out of `key` and `order`",
            ));
        }
        if merge.key.contains(name) {
            required.push((index, name.clone()));
        }
    }
    if let Some(by) = write
        .partition_by
        .iter()
        .find(|by| !merge.key.contains(&by.column))
    {
        return Err(fault(
            format!(
                "rows with one key could be in several partitions: '{}' is not part of the key",
                by.column
            ),
            "add the column to `key`, or leave it out of `partition_by`",
        ));
    }
    let merging = Merging {
        key: merge.key.clone(),
        order: merge.order.clone(),
        keep: match merge.when_matched {
            WhenMatched::Update => false,
            WhenMatched::Keep => true,
        },
    };
    Ok((Some(merging), required))
}

/// The scope's value as an array of one.
pub(super) fn scope_array(value: &ScopeValue) -> Result<ArrayRef> {
    let text = scope_text(value);
    let scalar = match scope_type(value) {
        DataType::Utf8 => ScalarValue::Utf8(Some(text)),
        data_type => ScalarValue::try_from_string(text, &data_type)?,
    };
    Ok(scalar.to_array()?)
}

/// The folder of a scope's files.
pub(super) fn scope_folder(scope: &[(String, ScopeValue)]) -> String {
    let texts: Vec<(&str, String)> = scope
        .iter()
        .map(|(name, value)| (name.as_str(), scope_text(value)))
        .collect();
    partition::folder(
        texts
            .iter()
            .map(|(name, value)| (*name, Some(value.as_str()))),
    )
}
