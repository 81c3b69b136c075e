//! The columns in which a quarantine table keeps rejected rows, whatever their step has come to read.
//!
//! A column's values lie under its own name, where the table's type holds them, and under another name
//! that says the type where it does not. Rows that are replayed get them back from either.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, Operator, binary_expr, cast, lit, try_cast};
use datafusion::prelude::DataFrame;
use datafusion::scalar::ScalarValue;
use sha2::{Digest, Sha256};

use super::named;
use crate::error::{Error, Result};
use crate::plan::{gains_naive, hex};
use crate::types::{lake_type, type_text};
use crate::widening::{holds, may_fit};

/// The name under which a quarantine table keeps the values of a column whose own name is taken there by
/// values of a type that does not hold them.
fn variant(name: &str, data_type: &DataType) -> String {
    let text = type_text(data_type);
    let plain: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    match data_type.is_nested() {
        true => format!("{name}__x{}", hex(&Sha256::digest(text.as_bytes()), 12)),
        false => format!("{name}__{}", plain.trim_end_matches('_')),
    }
}

/// The columns `rows` of rejected rows as the quarantine table of the schema `table` keeps them: in its
/// types where these hold all values, else under another name. So it takes whatever a step comes to read.
/// If the table is replaced `whole`, it takes the columns as they are, but for what it cannot gain.
///
/// # Errors
/// Usage, where it has a list or struct with timestamps without a zone, which the table cannot gain.
pub(crate) fn columns_for(rows: &Schema, table: &Schema, whole: bool) -> Result<SchemaRef> {
    let mut columns = Vec::with_capacity(rows.fields().len());
    for field in rows.fields() {
        let own = field.data_type();
        let kept = |name: &str| table.field_with_name(name).ok().map(Field::data_type);
        let renamed = |data_type: DataType| {
            Arc::new(Field::new(
                variant(field.name(), &data_type),
                data_type,
                true,
            ))
        };
        let taken = table
            .fields()
            .iter()
            .any(|there| there.name().eq_ignore_ascii_case(field.name()));
        columns.push(match kept(field.name()) {
            Some(there) if !whole && holds(there, own) => {
                Arc::new(Field::new(field.name(), there.clone(), true))
            }
            _ if gains_naive(table, own) && own.is_nested() => {
                return Err(Error::usage(format!(
                    "column '{}' has timestamps without a zone, and the quarantine table was made without one and cannot gain one",
                    field.name()
                ))
                .with_hint("make them timestamptz or string, or write another table"));
            }
            _ if gains_naive(table, own) => renamed(DataType::Utf8),
            _ if whole => Arc::clone(field),
            None if !taken => Arc::clone(field),
            _ => renamed(own.clone()),
        });
    }
    Ok(Arc::new(Schema::new(columns)))
}

/// Whether a quarantine table of the schema `there` keeps values of `field`.
pub(super) fn is_kept(field: &Field, there: &Schema) -> bool {
    !names_of(field, there).is_empty()
}

/// The values of `field`, a column of a segment's input, in `rows` of a quarantine table whose columns are
/// `there`.
///
/// # Errors
/// Usage, if some of them cannot be read as `field` is read now.
pub(super) async fn value_of(rows: &DataFrame, there: &Schema, field: &Field) -> Result<Expr> {
    let mut values = Vec::new();
    for name in names_of(field, there) {
        let kept = there.field_with_name(&name)?.data_type();
        if is_kept_as(field, kept) || fit_back(rows, &name, kept, field).await? {
            values.push(cast(named(&name), field.data_type().clone()));
        }
    }
    Ok(match values.len() {
        0 => cast(lit(ScalarValue::Null), field.data_type().clone()),
        1 => values.swap_remove(0),
        _ => coalesce(values),
    })
}

/// The type in which a lake keeps values of `field`, a column of a segment's input.
fn lake_type_of(field: &Field) -> DataType {
    lake_type(field.data_type()).unwrap_or_else(|_| field.data_type().clone())
}

/// Whether `kept` is that type.
fn is_kept_as(field: &Field, kept: &DataType) -> bool {
    type_text(&lake_type_of(field)) == type_text(kept)
}

/// The columns in which a quarantine table may keep values of `field`.
fn names_of(field: &Field, there: &Schema) -> Vec<String> {
    let mut names = vec![field.name().clone()];
    for data_type in [lake_type_of(field), DataType::Utf8] {
        names.push(variant(field.name(), &data_type));
    }
    names.dedup();
    names.retain(|name| there.field_with_name(name).is_ok());
    names
}

/// Whether the column `name`, which is kept as another type than that of `field`, has values for it.
///
/// # Errors
/// Usage, if some of its values cannot be read as `field` is read now.
async fn fit_back(rows: &DataFrame, name: &str, kept: &DataType, field: &Field) -> Result<bool> {
    let able = may_fit(kept, &lake_type_of(field));
    let misfit = match able {
        true => {
            let there = try_cast(named(name), field.data_type().clone());
            let back = try_cast(there, kept.clone());
            binary_expr(back, Operator::IsDistinctFrom, named(name))
        }
        false => named(name).is_not_null(),
    };
    match rows.clone().filter(misfit)?.count().await? {
        0 => Ok(able),
        lost => Err(Error::usage(format!(
            "{lost} of the rows were rejected when '{}' was {}, and have a value there that is no {}",
            field.name(),
            type_text(kept),
            type_text(field.data_type())
        ))
        .with_hint("run the step again on its input; or acknowledge such rows with `weir quarantine ack`")),
    }
}
