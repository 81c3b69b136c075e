//! Columns that hold decimals: read as text, then made numbers by our own parser.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, ListArray, StructArray};
use arrow::datatypes::{DataType, Field};

use crate::decimal::decimal;

/// The type with text for each decimal in it; none if there is no decimal in it.
pub(super) fn as_text(data_type: &DataType) -> Option<DataType> {
    let with =
        |field: &Arc<Field>, data_type| Arc::new(field.as_ref().clone().with_data_type(data_type));
    match data_type {
        DataType::Decimal128(..) => Some(DataType::Utf8),
        DataType::List(item) => Some(DataType::List(with(item, as_text(item.data_type())?))),
        DataType::Struct(fields) => {
            let texts: Vec<Option<DataType>> = fields
                .iter()
                .map(|field| as_text(field.data_type()))
                .collect();
            texts.iter().any(Option::is_some).then(|| {
                DataType::Struct(
                    fields
                        .iter()
                        .zip(texts)
                        .map(|(field, text)| match text {
                            Some(text) => with(field, text),
                            None => Arc::clone(field),
                        })
                        .collect(),
                )
            })
        }
        _ => None,
    }
}

/// What was read as text, as the type it should have; none if a text is no such decimal.
pub(super) fn from_text(read: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    match wanted {
        DataType::Decimal128(precision, scale) => {
            let texts = read.as_string_opt::<i32>()?;
            let mut values = Vec::with_capacity(texts.len());
            for text in texts {
                values.push(match text {
                    Some(text) => Some(decimal(text, *precision, *scale)?),
                    None => None,
                });
            }
            let values = Decimal128Array::from(values);
            let typed = values.with_precision_and_scale(*precision, *scale);
            Some(Arc::new(typed.ok()?))
        }
        DataType::List(item) => {
            let lists = read.as_list_opt::<i32>()?;
            let values = from_text(lists.values(), item.data_type())?;
            let offsets = lists.offsets().clone();
            let typed =
                ListArray::try_new(Arc::clone(item), offsets, values, lists.nulls().cloned());
            Some(Arc::new(typed.ok()?))
        }
        DataType::Struct(fields) => {
            let structs = read.as_struct_opt()?;
            let columns = structs
                .columns()
                .iter()
                .zip(fields)
                .map(|(column, field)| from_text(column, field.data_type()))
                .collect::<Option<Vec<_>>>()?;
            let nulls = structs.nulls().cloned();
            let typed =
                StructArray::try_new_with_length(fields.clone(), columns, nulls, structs.len());
            Some(Arc::new(typed.ok()?))
        }
        _ => Some(Arc::clone(read)),
    }
}
