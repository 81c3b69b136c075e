//! The check between a guest's bytes and a `RecordBatch`.
//!
//! Everything here is a pure function of what the guest sent and the schema the host bound: no
//! wasmtime types, no `unsafe`, nothing that panics or aborts whatever the bytes are, and no
//! allocation before the bytes that fill it have been seen to exist. The fuzz target `batch` calls
//! [`verify`] directly.

use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayData;
use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, ListArray, RecordBatch,
    RecordBatchOptions, StringArray, StructArray, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Decimal128Type, DecimalType, Field, FieldRef, Schema, SchemaRef};

use crate::schema::is_leaf;

#[cfg(target_endian = "big")]
compile_error!("batches cross in little-endian order; this crate reads them in place");

/// Length and null count of one array, as the guest states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Node {
    /// Values in the array.
    pub length: u32,
    /// Nulls among them.
    pub null_count: u32,
}

/// How many nodes and buffers a batch of some schema has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Shape {
    /// One for each field at every level.
    pub nodes: usize,
    /// The validity of each field, and what its type adds.
    pub buffers: usize,
}

impl Shape {
    /// The shape of batches of `schema`.
    pub fn of(schema: &Schema) -> Shape {
        fn add(field: &Field, shape: &mut Shape) {
            shape.nodes += 1;
            match field.data_type() {
                DataType::Struct(fields) => {
                    shape.buffers += 1;
                    fields.iter().for_each(|field| add(field, shape));
                }
                DataType::List(item) => {
                    shape.buffers += 2;
                    add(item, shape);
                }
                DataType::Utf8 | DataType::Binary => shape.buffers += 3,
                _ => shape.buffers += 2,
            }
        }
        let mut shape = Shape::default();
        schema
            .fields()
            .iter()
            .for_each(|field| add(field, &mut shape));
        shape
    }
}

/// Why what a guest emitted is not a batch. Holds no values, only places, names and counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadBatch {
    column: String,
    why: String,
}

impl BadBatch {
    fn new(column: &str, why: impl Into<String>) -> BadBatch {
        BadBatch {
            column: column.to_owned(),
            why: why.into(),
        }
    }
}

impl fmt::Display for BadBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.column.is_empty() {
            f.write_str(&self.why)
        } else {
            write!(f, "column '{}': {}", self.column, self.why)
        }
    }
}

impl std::error::Error for BadBatch {}

/// Builds the batch of `rows` rows of `schema` that `nodes` and `buffers` describe, or says why they
/// describe none. Each buffer is copied once, into memory aligned for Arrow; bytes beyond what the
/// counts call for are left behind.
///
/// The schema is the host's and must be normalised ([`normalise_schema`](crate::schema::normalise_schema)).
///
/// # Errors
/// [`BadBatch`] for anything that Arrow's columnar format or the schema does not allow.
pub fn verify(
    schema: &SchemaRef,
    rows: u32,
    nodes: &[Node],
    buffers: &[&[u8]],
) -> Result<RecordBatch, BadBatch> {
    let shape = Shape::of(schema);
    if nodes.len() != shape.nodes {
        return Err(BadBatch::new(
            "",
            format!("{} nodes where the schema has {}", nodes.len(), shape.nodes),
        ));
    }
    if buffers.len() != shape.buffers {
        return Err(BadBatch::new(
            "",
            format!(
                "{} buffers where the schema has {}",
                buffers.len(),
                shape.buffers
            ),
        ));
    }
    let mut reader = Reader {
        nodes: nodes.iter(),
        buffers: buffers.iter(),
    };
    let rows = size(rows);
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let column = reader.array(field, Some(rows))?;
        if !field.is_nullable() && column.null_count() > 0 {
            return Err(BadBatch::new(
                field.name(),
                "nulls in a column that has none by its schema",
            ));
        }
        columns.push(column);
    }
    RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )
    .map_err(|_| BadBatch::new("", "the columns do not make a batch of the schema"))
}

/// Walks nodes and buffers in the order of the schema's fields.
struct Reader<'a> {
    nodes: std::slice::Iter<'a, Node>,
    buffers: std::slice::Iter<'a, &'a [u8]>,
}

impl<'a> Reader<'a> {
    /// The next array, which must have `expected` values where that is known.
    fn array(&mut self, field: &FieldRef, expected: Option<usize>) -> Result<ArrayRef, BadBatch> {
        let name = field.name();
        let bad = |why: &str| BadBatch::new(name, why);
        let node = self
            .nodes
            .next()
            .ok_or_else(|| bad("its node is missing"))?;
        let length = size(node.length);
        if expected.is_some_and(|expected| expected != length) {
            return Err(BadBatch::new(
                name,
                format!(
                    "{length} values where there must be {}",
                    expected.unwrap_or(0)
                ),
            ));
        }
        let nulls = self.nulls(name, length, size(node.null_count))?;
        match field.data_type() {
            DataType::Boolean => {
                let bits = self.copy(name, length.div_ceil(8))?;
                Ok(Arc::new(BooleanArray::new(
                    BooleanBuffer::new(bits, 0, length),
                    nulls,
                )))
            }
            DataType::Utf8 => {
                let (offsets, values) = self.variable(name, length)?;
                StringArray::try_new(offsets, values, nulls)
                    .map(|array| Arc::new(array) as ArrayRef)
                    .map_err(|_| {
                        bad("text that is not UTF-8, or an offset that splits a character")
                    })
            }
            DataType::Binary => {
                let (offsets, values) = self.variable(name, length)?;
                BinaryArray::try_new(offsets, values, nulls)
                    .map(|array| Arc::new(array) as ArrayRef)
                    .map_err(|_| bad("its offsets do not fit its bytes"))
            }
            DataType::List(item) => {
                let (offsets, end) = self.offsets(name, length)?;
                let values = self.array(item, None)?;
                if values.len() < end {
                    return Err(bad("its offsets reach past its values"));
                }
                ListArray::try_new(Arc::clone(item), offsets, values.slice(0, end), nulls)
                    .map(|array| Arc::new(array) as ArrayRef)
                    .map_err(|_| bad("its values do not fit the list"))
            }
            DataType::Struct(fields) => {
                let children = fields
                    .iter()
                    .map(|child| self.array(child, Some(length)))
                    .collect::<Result<Vec<_>, _>>()?;
                StructArray::try_new(fields.clone(), children, nulls)
                    .map(|array| Arc::new(array) as ArrayRef)
                    .map_err(|_| bad("nulls in a field that has none by its schema"))
            }
            DataType::Decimal128(precision, _) => {
                let array = Decimal128Array::from(self.fixed(field, length, nulls)?);
                // The array's own check takes a negative scale for a large one.
                let fits = |value| Decimal128Type::is_valid_decimal_precision(value, *precision);
                if !array.iter().flatten().all(fits) {
                    return Err(bad("a value with more digits than its precision"));
                }
                Ok(Arc::new(array))
            }
            _ => self.fixed(field, length, nulls).map(make_array),
        }
    }

    /// An array of fixed-width values.
    fn fixed(
        &mut self,
        field: &Field,
        length: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayData, BadBatch> {
        let name = field.name();
        let crosses = is_leaf(field.data_type());
        let width = field.data_type().primitive_width().filter(|_| crosses);
        let width = width.ok_or_else(|| BadBatch::new(name, "a type that does not cross"))?;
        let bytes = length
            .checked_mul(width)
            .ok_or_else(|| BadBatch::new(name, "more values than memory holds"))?;
        let values = self.copy(name, bytes)?;
        ArrayData::builder(field.data_type().clone())
            .len(length)
            .nulls(nulls)
            .add_buffer(values)
            .build()
            .map_err(|_| BadBatch::new(name, "values that do not fit its type"))
    }

    /// The next validity bitmap; none if there are no nulls.
    fn nulls(
        &mut self,
        name: &str,
        length: usize,
        null_count: usize,
    ) -> Result<Option<NullBuffer>, BadBatch> {
        let bytes = *self
            .buffers
            .next()
            .ok_or_else(|| BadBatch::new(name, "a buffer is missing"))?;
        if bytes.is_empty() {
            return match null_count {
                0 => Ok(None),
                _ => Err(BadBatch::new(name, "nulls, but no validity bitmap")),
            };
        }
        let bits = prefix(name, bytes, length.div_ceil(8))?;
        let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from(bits), 0, length));
        if nulls.null_count() != null_count {
            let why = format!(
                "{null_count} nulls by count, {} by its validity bitmap",
                nulls.null_count()
            );
            return Err(BadBatch::new(name, why));
        }
        Ok((null_count > 0).then_some(nulls))
    }

    /// Offsets, and the values they reach into, no longer than they reach.
    fn variable(
        &mut self,
        name: &str,
        length: usize,
    ) -> Result<(OffsetBuffer<i32>, Buffer), BadBatch> {
        let (offsets, end) = self.offsets(name, length)?;
        Ok((offsets, self.copy(name, end)?))
    }

    /// The next `length + 1` offsets, from zero and never falling, and the last of them.
    fn offsets(
        &mut self,
        name: &str,
        length: usize,
    ) -> Result<(OffsetBuffer<i32>, usize), BadBatch> {
        let bad = |why: &str| BadBatch::new(name, why);
        let bytes = *self
            .buffers
            .next()
            .ok_or_else(|| bad("a buffer is missing"))?;
        if length == 0 && bytes.is_empty() {
            return Ok((OffsetBuffer::new_empty(), 0));
        }
        let count = length
            .checked_add(1)
            .ok_or_else(|| bad("more values than memory holds"))?;
        let wanted = count
            .checked_mul(4)
            .ok_or_else(|| bad("more values than memory holds"))?;
        let values = ScalarBuffer::<i32>::new(Buffer::from(prefix(name, bytes, wanted)?), 0, count);
        if values.first() != Some(&0) {
            return Err(bad("its offsets do not begin at zero"));
        }
        // One pass without branches, so that it runs as vector code.
        let falls = values
            .iter()
            .zip(values.iter().skip(1))
            .fold(false, |falls, (a, b)| falls | (a > b));
        if falls {
            return Err(bad("its offsets fall"));
        }
        let end = values
            .last()
            .and_then(|end| usize::try_from(*end).ok())
            .ok_or_else(|| bad("its offsets fall"))?;
        // `new` panics on what was just excluded.
        Ok((OffsetBuffer::new(values), end))
    }

    /// Copies the first `wanted` bytes of the next buffer.
    fn copy(&mut self, name: &str, wanted: usize) -> Result<Buffer, BadBatch> {
        let bytes = *self
            .buffers
            .next()
            .ok_or_else(|| BadBatch::new(name, "a buffer is missing"))?;
        Ok(Buffer::from(prefix(name, bytes, wanted)?))
    }
}

/// The first `wanted` bytes, if there are that many.
fn prefix<'b>(name: &str, bytes: &'b [u8], wanted: usize) -> Result<&'b [u8], BadBatch> {
    bytes.get(..wanted).ok_or_else(|| {
        BadBatch::new(
            name,
            format!(
                "a buffer of {} bytes where {wanted} are needed",
                bytes.len()
            ),
        )
    })
}

fn size(count: u32) -> usize {
    // No target of this crate has pointers of 16 bits; a wrong answer would only refuse the batch.
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
