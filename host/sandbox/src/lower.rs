//! Batches on their way in: encodings unpacked, slices compacted, cut to a size a guest can take.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::types::{Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, RecordBatch, RunArray, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};

use crate::verify::Node;

/// Most rows of a batch given to a plugin: what stays in cache.
pub const MAX_BATCH_ROWS: usize = 8192;

/// A batch as it crosses. The buffers are slices of the batch's own where that is possible.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) rows: u32,
    pub(crate) nodes: Vec<Node>,
    pub(crate) buffers: Vec<Buffer>,
}

impl Lowered {
    pub(crate) fn bytes(&self) -> u64 {
        self.buffers.iter().map(|buffer| wide(buffer.len())).sum()
    }
}

/// Cuts `batch` into batches of at most [`MAX_BATCH_ROWS`] rows and a quarter of `memory` (an
/// instance's grant) each, in order, without copying. A single row larger than that stays as a batch
/// of its own, which `process` refuses with [`RowTooLarge`](crate::SandboxError::RowTooLarge). An empty
/// batch gives none.
pub fn split(batch: &RecordBatch, memory: u64) -> Vec<RecordBatch> {
    let allowed = batch_bytes(memory);
    let mut out = Vec::new();
    let mut start = 0;
    while start < batch.num_rows() {
        let rows = (batch.num_rows() - start).min(MAX_BATCH_ROWS);
        halve(&batch.slice(start, rows), allowed, &mut out);
        start += rows;
    }
    out
}

fn halve(batch: &RecordBatch, allowed: u64, out: &mut Vec<RecordBatch>) {
    let rows = batch.num_rows();
    if rows <= 1 || unpacked_bytes(batch) <= allowed {
        out.push(batch.clone());
    } else {
        halve(&batch.slice(0, rows / 2), allowed, out);
        halve(&batch.slice(rows / 2, rows - rows / 2), allowed, out);
    }
}

/// The most bytes that all reference tables of an instance granted `memory` may have together.
pub fn side_input_bytes(memory: u64) -> u64 {
    batch_bytes(memory)
}

/// Size of `batch` as it crosses: once every encoding is unpacked.
pub fn crossing_bytes(batch: &RecordBatch) -> u64 {
    unpacked_bytes(batch)
}

/// Bytes of a file that a decoder is given at once: at most 1 MiB, and a quarter of its memory.
pub fn decoder_chunk(memory: u64) -> usize {
    usize::try_from(batch_bytes(memory).min(1 << 20))
        .unwrap_or(usize::MAX)
        .max(1)
}

/// The most bytes of a batch for an instance granted `memory`.
pub(crate) fn batch_bytes(memory: u64) -> u64 {
    memory / 4
}

/// Size of `batch` once every encoding is unpacked.
pub(crate) fn unpacked_bytes(batch: &RecordBatch) -> u64 {
    batch
        .columns()
        .iter()
        .map(|column| array_bytes(column))
        .fold(0, u64::saturating_add)
}

fn array_bytes(array: &dyn Array) -> u64 {
    let length = wide(array.len());
    let validity = if array.null_count() > 0 {
        length.div_ceil(8)
    } else {
        0
    };
    let children = |arrays: &[ArrayRef]| {
        arrays
            .iter()
            .map(|child| array_bytes(child))
            .fold(0, u64::saturating_add)
    };
    let offsets = length.saturating_add(1).saturating_mul(4);
    let values = match array.data_type() {
        DataType::Boolean => length.div_ceil(8),
        DataType::Utf8 => offsets.saturating_add(span(array.as_string::<i32>().offsets())),
        DataType::LargeUtf8 => offsets.saturating_add(span(array.as_string::<i64>().offsets())),
        DataType::Binary => offsets.saturating_add(span(array.as_binary::<i32>().offsets())),
        DataType::LargeBinary => offsets.saturating_add(span(array.as_binary::<i64>().offsets())),
        DataType::Utf8View => {
            offsets.saturating_add(array.as_string_view().lengths().map(u64::from).sum())
        }
        DataType::BinaryView => {
            offsets.saturating_add(array.as_binary_view().lengths().map(u64::from).sum())
        }
        DataType::List(_) => offsets.saturating_add(list_bytes(array.as_list::<i32>())),
        DataType::LargeList(_) => offsets.saturating_add(list_bytes(array.as_list::<i64>())),
        DataType::ListView(_) => {
            let lists = array.as_list_view::<i32>();
            offsets.saturating_add(
                (0..lists.len())
                    .map(|i| array_bytes(&lists.value(i)))
                    .fold(0, u64::saturating_add),
            )
        }
        DataType::LargeListView(_) => {
            let lists = array.as_list_view::<i64>();
            offsets.saturating_add(
                (0..lists.len())
                    .map(|i| array_bytes(&lists.value(i)))
                    .fold(0, u64::saturating_add),
            )
        }
        DataType::FixedSizeList(_, _) => {
            offsets.saturating_add(array_bytes(array.as_fixed_size_list().values()))
        }
        DataType::Struct(_) => children(array.as_struct().columns()),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            match cast(dictionary.keys(), &DataType::UInt64) {
                Ok(keys) => picked_bytes(
                    dictionary.values(),
                    keys.as_primitive::<UInt64Type>()
                        .iter()
                        .flatten()
                        .filter_map(|key| usize::try_from(key).ok()),
                    length,
                ),
                Err(_) => u64::MAX,
            }
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => run_bytes(array.as_run_opt::<Int16Type>()),
            DataType::Int32 => run_bytes(array.as_run_opt::<Int32Type>()),
            DataType::Int64 => run_bytes(array.as_run_opt::<Int64Type>()),
            _ => u64::MAX,
        },
        other => length.saturating_mul(wide(other.primitive_width().unwrap_or(16))),
    };
    validity.saturating_add(values)
}

fn run_bytes<R: RunEndIndexType>(array: Option<&RunArray<R>>) -> u64 {
    match array {
        Some(runs) => picked_bytes(
            runs.values(),
            (0..runs.len()).map(|i| runs.get_physical_index(i)),
            wide(runs.len()),
        ),
        None => u64::MAX,
    }
}

/// Size of `length` values picked out of `values` by index.
fn picked_bytes(values: &ArrayRef, picks: impl Iterator<Item = usize>, length: u64) -> u64 {
    if let Some(width) = values.data_type().primitive_width() {
        return length
            .saturating_mul(wide(width))
            .saturating_add(length.div_ceil(8));
    }
    let mut sizes: Vec<Option<u64>> = vec![None; values.len()];
    let mut sum = 0u64;
    for pick in picks {
        if let Some(known) = sizes.get_mut(pick) {
            let size = *known.get_or_insert_with(|| array_bytes(&values.slice(pick, 1)));
            sum = sum.saturating_add(size);
        }
    }
    sum.saturating_add(length.div_ceil(8))
}

fn list_bytes<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> u64 {
    let (first, length) = window(list.offsets());
    array_bytes(&list.values().slice(first, length))
}

fn span<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> u64 {
    wide(window(offsets).1)
}

/// Where a sliced array's values begin, and how many there are.
fn window<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (usize, usize) {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => (first.as_usize(), last.as_usize() - first.as_usize()),
        _ => (0, 0),
    }
}

/// Unpacks and flattens `batch`, whose columns must be those of `bound` by name and normalised type.
pub(crate) fn lower(batch: &RecordBatch, bound: &Schema) -> Result<Lowered, String> {
    if batch.num_columns() != bound.fields().len() {
        return Err(format!(
            "{} columns where {} were bound",
            batch.num_columns(),
            bound.fields().len()
        ));
    }
    let mut out = Lowered {
        rows: u32::try_from(batch.num_rows()).map_err(|_| "too many rows".to_owned())?,
        ..Lowered::default()
    };
    let schema = batch.schema_ref();
    for ((column, field), given) in batch
        .columns()
        .iter()
        .zip(bound.fields())
        .zip(schema.fields())
    {
        if given.name() != field.name() {
            return Err(format!(
                "column '{}' where '{}' was bound",
                given.name(),
                field.name()
            ));
        }
        if !field.is_nullable() && column.is_nullable() && column.logical_null_count() > 0 {
            return Err(format!(
                "nulls in column '{}', which has none by its schema",
                field.name()
            ));
        }
        push(&plain(column, field)?, field, None, &mut out)?;
    }
    Ok(out)
}

/// `column` in the plain layout of `field`.
fn plain(column: &ArrayRef, field: &Field) -> Result<ArrayRef, String> {
    if same_layout(column.data_type(), field.data_type()) {
        return Ok(Arc::clone(column));
    }
    if !unpacks_to(column.data_type(), field.data_type()) {
        return Err(format!(
            "column '{}' has type {} where {} was bound",
            field.name(),
            column.data_type(),
            field.data_type()
        ));
    }
    cast(column, field.data_type())
        .map_err(|_| format!("column '{}' cannot be unpacked", field.name()))
}

/// Whether the types differ in no more than nullability, metadata and the names of list items.
fn same_layout(given: &DataType, bound: &DataType) -> bool {
    match (given, bound) {
        (DataType::List(a), DataType::List(b)) => same_layout(a.data_type(), b.data_type()),
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.name() == b.name() && same_layout(a.data_type(), b.data_type()))
        }
        _ => given == bound,
    }
}

/// Whether `given` is some encoding of `bound`.
fn unpacks_to(given: &DataType, bound: &DataType) -> bool {
    match (given, bound) {
        (DataType::Dictionary(_, values), _) => unpacks_to(values, bound),
        (DataType::RunEndEncoded(_, values), _) => unpacks_to(values.data_type(), bound),
        (DataType::LargeUtf8 | DataType::Utf8View, DataType::Utf8) => true,
        (DataType::LargeBinary | DataType::BinaryView, DataType::Binary) => true,
        (
            DataType::List(a)
            | DataType::LargeList(a)
            | DataType::ListView(a)
            | DataType::LargeListView(a)
            | DataType::FixedSizeList(a, _),
            DataType::List(b),
        ) => unpacks_to(a.data_type(), b.data_type()),
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.name() == b.name() && unpacks_to(a.data_type(), b.data_type()))
        }
        _ => same_layout(given, bound),
    }
}

/// Adds `array` to `out`. What lies under a null, its own or one of the structs around it (`above`),
/// is cleared: a query may have hidden a value by nothing but its validity bit.
fn push(
    array: &dyn Array,
    field: &Field,
    above: Option<&NullBuffer>,
    out: &mut Lowered,
) -> Result<(), String> {
    let narrow = |count: usize| {
        u32::try_from(count).map_err(|_| format!("column '{}' is too long", field.name()))
    };
    out.nodes.push(Node {
        length: narrow(array.len())?,
        null_count: narrow(array.null_count())?,
    });
    out.buffers
        .push(match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            Some(nulls) => nulls.inner().sliced(),
            None => Buffer::default(),
        });
    let seen = NullBuffer::union(array.nulls(), above).filter(|nulls| nulls.null_count() > 0);
    let seen = seen.as_ref();
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean().values();
            out.buffers.push(match seen {
                Some(seen) => (values & seen.inner()).sliced(),
                None => values.sliced(),
            });
        }
        DataType::Utf8 => {
            let strings = array.as_string::<i32>();
            push_variable(strings.offsets(), strings.values(), seen, out);
        }
        DataType::Binary => {
            let binary = array.as_binary::<i32>();
            push_variable(binary.offsets(), binary.values(), seen, out);
        }
        DataType::List(item) => {
            let lists = array.as_list::<i32>();
            let kept = seen.and_then(|seen| kept_ranges(lists.offsets(), seen));
            let values = match kept {
                None => {
                    let (first, length) = window(lists.offsets());
                    out.buffers.push(rebase(lists.offsets()));
                    lists.values().slice(first, length)
                }
                Some((offsets, ranges)) => {
                    out.buffers.push(offsets);
                    let items = ranges.into_iter().flatten().map(wide);
                    let items = items.collect::<UInt64Array>();
                    take(lists.values(), &items, None)
                        .map_err(|_| format!("column '{}' cannot be cut", field.name()))?
                }
            };
            push(&values, item, None, out)?;
        }
        DataType::Struct(fields) => {
            for (child, field) in array.as_struct().columns().iter().zip(fields) {
                push(child, field, seen, out)?;
            }
        }
        other => {
            let width = other
                .primitive_width()
                .ok_or_else(|| format!("type {other} does not cross"))?;
            let data = array.to_data();
            let values = data
                .buffers()
                .first()
                .ok_or_else(|| format!("column '{}' has no values", field.name()))?;
            let values = values.slice_with_length(data.offset() * width, array.len() * width);
            out.buffers.push(match seen {
                Some(seen) => cleared(values, width, seen),
                None => values,
            });
        }
    }
    Ok(())
}

/// The rows that are not seen.
fn hidden(seen: &NullBuffer) -> BooleanBuffer {
    !seen.inner()
}

/// Values of `width` bytes with zeros where they are not seen; as they are if they are zero there.
fn cleared(values: Buffer, width: usize, seen: &NullBuffer) -> Buffer {
    let hidden = hidden(seen);
    let at = |row: usize| row * width..(row + 1) * width;
    let clear = |row| {
        values
            .get(at(row))
            .is_none_or(|value| value.iter().all(|byte| *byte == 0))
    };
    if hidden.set_indices().all(clear) {
        return values;
    }
    let mut out = values.to_vec();
    for row in hidden.set_indices() {
        if let Some(value) = out.get_mut(at(row)) {
            value.fill(0);
        }
    }
    out.into()
}

/// Offsets in which rows that are not seen are empty, and the ranges of values that are left; none if
/// those rows are empty already.
fn kept_ranges(
    offsets: &OffsetBuffer<i32>,
    seen: &NullBuffer,
) -> Option<(Buffer, Vec<Range<usize>>)> {
    let length = |row: usize| match (offsets.get(row), offsets.get(row + 1)) {
        (Some(start), Some(end)) => end - start,
        _ => 0,
    };
    if hidden(seen).set_indices().all(|row| length(row) == 0) {
        return None;
    }
    let mut end = 0_i32;
    let mut rebuilt = Vec::with_capacity(offsets.len());
    rebuilt.push(end);
    for row in 0..seen.len() {
        if seen.is_valid(row) {
            end += length(row);
        }
        rebuilt.push(end);
    }
    let ranges = seen
        .valid_slices()
        .filter_map(|(start, stop)| {
            let (first, last) = (offsets.get(start)?, offsets.get(stop)?);
            Some(usize::try_from(*first).ok()?..usize::try_from(*last).ok()?)
        })
        .collect();
    Some((rebuilt.into(), ranges))
}

fn push_variable(
    offsets: &OffsetBuffer<i32>,
    values: &Buffer,
    seen: Option<&NullBuffer>,
    out: &mut Lowered,
) {
    match seen.and_then(|seen| kept_ranges(offsets, seen)) {
        None => {
            let (first, length) = window(offsets);
            out.buffers.push(rebase(offsets));
            out.buffers.push(values.slice_with_length(first, length));
        }
        Some((offsets, ranges)) => {
            let kept: Vec<&[u8]> = ranges
                .into_iter()
                .filter_map(|range| values.get(range))
                .collect();
            out.buffers.push(offsets);
            out.buffers.push(kept.concat().into());
        }
    }
}

/// The offsets counted from the first of them.
fn rebase(offsets: &OffsetBuffer<i32>) -> Buffer {
    match offsets.first() {
        Some(&first) if first != 0 => offsets
            .iter()
            .map(|offset| offset - first)
            .collect::<Vec<i32>>()
            .into(),
        _ => offsets.inner().inner().clone(),
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
