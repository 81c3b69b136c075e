//! What a driver hands over is looked at before anything is made of it.
//!
//! Arrow's own import trusts the other side: it reads the offsets that it is told to, and asserts the
//! rest. So counts and pointers are compared with the schema first, and what was imported is validated
//! in full, text for UTF-8 too.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use arrow::array::{RecordBatch, RecordBatchOptions, StructArray, layout};
use arrow::datatypes::{DataType, Schema, SchemaRef};

use crate::error::{Doing, Error, What};

/// More than any memory holds, and few enough that bits of it can be counted.
const MOST: i64 = i64::MAX / 256;
/// Deeper than any schema is.
const DEPTH: usize = 64;

fn fault(doing: impl FnOnce() -> Doing, fault: &'static str) -> Error {
    Error::new(doing(), What::DriverFault { fault })
}

/// A schema that a driver gave.
pub(super) fn schema(schema: &FFI_ArrowSchema, doing: impl Fn() -> Doing) -> Result<Schema, Error> {
    if schema.release.is_none() {
        return Err(fault(doing, "it gave no schema and no error"));
    }
    schema_pointers(schema, DEPTH).map_err(|what| fault(&doing, what))?;
    match catch_unwind(AssertUnwindSafe(|| Schema::try_from(schema))) {
        Ok(Ok(schema)) => Ok(schema),
        Ok(Err(error)) => {
            Err(fault(doing, "its schema has a type that Arrow does not know").because(error))
        }
        Err(_) => Err(fault(doing, "its schema is malformed")),
    }
}

fn schema_pointers(schema: &FFI_ArrowSchema, depth: usize) -> Result<(), &'static str> {
    if depth == 0 {
        return Err("its schema is too deep");
    }
    for text in [schema.format, schema.name] {
        if text.is_null() {
            continue;
        }
        // SAFETY: by the C data interface these texts end with a NUL and live as long as the schema.
        let text = unsafe { CStr::from_ptr(text) };
        if text.to_str().is_err() {
            return Err("a name in its schema is no UTF-8");
        }
    }
    if schema.format.is_null() {
        return Err("a field of its schema has no type");
    }
    let children =
        usize::try_from(schema.n_children).map_err(|_| "its schema has a negative count")?;
    if children > 0 && schema.children.is_null() {
        return Err("the fields of its schema are missing");
    }
    for index in 0..children {
        // SAFETY: by the C data interface there are `n_children` pointers, each null or to a schema.
        let child = unsafe { schema.children.add(index).read_unaligned().as_ref() };
        schema_pointers(child.ok_or("a field of its schema is missing")?, depth - 1)?;
    }
    // SAFETY: by the C data interface the pointer is null or to a schema.
    match unsafe { schema.dictionary.as_ref() } {
        Some(values) => schema_pointers(values, depth - 1),
        None => Ok(()),
    }
}

/// A batch that a driver gave for a schema.
pub(super) fn batch(
    array: FFI_ArrowArray,
    schema: &SchemaRef,
    doing: &impl Fn() -> Doing,
) -> Result<RecordBatch, Error> {
    let rows = usize::try_from(array.length)
        .map_err(|_| fault(doing, "a batch of its has a negative count"))?;
    if rows == 0 {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    let data_type = DataType::Struct(schema.fields().clone());
    array_pointers(&array, &data_type).map_err(|what| fault(doing, what))?;
    let imported = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: counts, pointers and offsets agree with the type; that the buffers are as long as
        // they should be is the driver's word.
        let data = unsafe { from_ffi_and_data_type(array, data_type) }?;
        data.validate_full()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = StructArray::from(data).into_parts().1;
        RecordBatch::try_new_with_options(schema.clone(), columns, &options)
    }));
    match imported {
        Ok(Ok(batch)) => Ok(batch),
        // The text of the error could quote a value.
        Ok(Err(error)) => {
            Err(fault(doing, "a batch of its does not fit its schema").saying(error.to_string()))
        }
        Err(_) => Err(fault(doing, "a batch of its is malformed")),
    }
}

fn array_pointers(array: &FFI_ArrowArray, data_type: &DataType) -> Result<(), &'static str> {
    let count = |n: i64| usize::try_from(n).map_err(|_| "a batch of its has a negative count");
    count(array.length)?;
    count(array.offset)?;
    let end = array
        .length
        .checked_add(array.offset)
        .filter(|end| *end < MOST);
    let end = count(end.ok_or("a batch of its has an absurd count")?)?;
    let buffers = count(array.n_buffers)?;
    if buffers > 0 && array.buffers.is_null() {
        return Err("the buffers of a batch are missing");
    }
    let keys = match data_type {
        DataType::Dictionary(keys, _) => keys.as_ref(),
        other => other,
    };
    let layout = layout(data_type);
    let masks = usize::from(layout.can_contain_null_mask);
    let fixed = layout.buffers.len() + masks;
    let fits = if layout.variadic {
        buffers > fixed
    } else {
        buffers == fixed
    };
    if !fits {
        return Err("a column has another number of buffers than its type");
    }
    // SAFETY (of each call): `index` is below `n_buffers`, and by the C data interface there are as many pointers.
    let buffer = |index: usize| unsafe { array.buffers.add(index).read_unaligned() }.cast::<u8>();
    if end > 0 {
        let has_data = match keys {
            DataType::Utf8 | DataType::Binary => {
                let last = last_offset::<i32>(buffer(masks), end)?;
                last == 0 || !buffer(masks + 1).is_null()
            }
            DataType::LargeUtf8 | DataType::LargeBinary => {
                let last = last_offset::<i64>(buffer(masks), end)?;
                last == 0 || !buffer(masks + 1).is_null()
            }
            DataType::List(_) | DataType::Map(_, _) => {
                last_offset::<i32>(buffer(masks), end)?;
                true
            }
            DataType::LargeList(_) => {
                last_offset::<i64>(buffer(masks), end)?;
                true
            }
            DataType::Utf8View | DataType::BinaryView => {
                let lengths = buffer(buffers - 1).cast::<i64>();
                let datas = buffers - fixed - 1;
                if datas > 0 && (lengths.is_null() || !lengths.is_aligned()) {
                    return Err("the lengths of a column of views are missing");
                }
                let mut there = !buffer(masks).is_null();
                for index in 0..datas {
                    // SAFETY: the pointer is aligned and not null, and there are as many lengths as buffers.
                    let length = unsafe { *lengths.add(index) };
                    there &= (0..MOST).contains(&length)
                        && (length == 0 || !buffer(fixed + index).is_null());
                }
                there
            }
            DataType::FixedSizeBinary(width) => *width == 0 || !buffer(masks).is_null(),
            _ => (masks..fixed).all(|index| !buffer(index).is_null()),
        };
        if !has_data {
            return Err("a buffer of a column is missing");
        }
    }
    children(array, data_type, count(array.n_children)?)
}

/// The last of the offsets of `end` values, which is the length of what they are offsets into.
fn last_offset<O: Copy + Into<i64>>(offsets: *const u8, end: usize) -> Result<i64, &'static str> {
    let offsets = offsets.cast::<O>();
    if offsets.is_null() {
        return Err("the offsets of a column are missing");
    }
    if !offsets.is_aligned() {
        return Err("the offsets of a column are not aligned");
    }
    // SAFETY: the pointer is aligned and not null, and by the C data interface there is one more than values.
    let last: i64 = unsafe { *offsets.add(end) }.into();
    if (0..MOST).contains(&last) {
        Ok(last)
    } else {
        Err("the offsets of a column are negative")
    }
}

fn children(
    array: &FFI_ArrowArray,
    data_type: &DataType,
    there: usize,
) -> Result<(), &'static str> {
    let types: Vec<&DataType> = match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => vec![field.data_type()],
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field.data_type()).collect(),
        DataType::RunEndEncoded(ends, values) => vec![ends.data_type(), values.data_type()],
        _ => Vec::new(),
    };
    if there != types.len() {
        return Err("a column has another number of children than its type");
    }
    if there > 0 && array.children.is_null() {
        return Err("the children of a column are missing");
    }
    for (index, data_type) in types.into_iter().enumerate() {
        // SAFETY: by the C data interface there are `n_children` pointers, each null or to an array.
        let child = unsafe { array.children.add(index).read_unaligned().as_ref() };
        array_pointers(child.ok_or("a child of a column is missing")?, data_type)?;
    }
    // SAFETY: by the C data interface the pointer is null or to an array.
    match (unsafe { array.dictionary.as_ref() }, data_type) {
        (Some(values), DataType::Dictionary(_, data_type)) => array_pointers(values, data_type),
        (None, DataType::Dictionary(_, _)) => Err("the values of a dictionary are missing"),
        (Some(_), _) => Err("a column that is no dictionary has the values of one"),
        (None, _) => Ok(()),
    }
}
