//! How schemas and batches cross the sandbox boundary (`wit/0.1/types.wit`).
//!
//! A schema crosses as its fields in preorder, a batch as the buffers of the Arrow columnar
//! format, depth first. Inward, buffers move into Arrow without a copy; outward, they are lent.
//! Only a slice that begins within a byte, or offsets that do not begin at zero, are copied.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayDataBuilder, make_array};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::Error;
use crate::bindings::transform::weir::plugin::types as wit;

/// A batch on its way to the host.
pub(crate) struct Parts {
    pub(crate) rows: u32,
    pub(crate) nodes: Vec<wit::Node>,
    pub(crate) buffers: Vec<Buffer>,
}

/// The fields of a schema in preorder.
///
/// # Errors
/// [`Error::Fatal`] that names the column whose type cannot cross, or whose name another one beside
/// it has; and for one without a name. The host would refuse them too.
pub(crate) fn schema_to_wit(schema: &Schema) -> Result<Vec<wit::Field>, Error> {
    let mut fields = Vec::with_capacity(schema.fields().len());
    fields_to_wit(schema.fields(), &mut fields)?;
    Ok(fields)
}

/// Fields side by side: columns, or what is within one.
fn fields_to_wit(beside: &[Arc<Field>], fields: &mut Vec<wit::Field>) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    for field in beside {
        let name = field.name().as_str();
        if name.is_empty() {
            return Err(Error::fatal("a column has an empty name"));
        }
        if !names.insert(name) {
            return Err(Error::fatal(format!("two columns are named `{name}`")));
        }
        field_to_wit(field, fields)?;
    }
    Ok(())
}

fn field_to_wit(field: &Field, fields: &mut Vec<wit::Field>) -> Result<(), Error> {
    let children: &[Arc<Field>] = match field.data_type() {
        DataType::List(child) => std::slice::from_ref(child),
        DataType::Struct(children) => children,
        _ => &[],
    };
    fields.push(wit::Field {
        name: field.name().clone(),
        data_type: type_to_wit(field)?,
        nullable: field.is_nullable(),
        children: length(children.len())?,
    });
    fields_to_wit(children, fields)
}

fn type_to_wit(field: &Field) -> Result<wit::DataType, Error> {
    Ok(match field.data_type() {
        DataType::Boolean => wit::DataType::Boolean,
        DataType::Int8 => wit::DataType::Int8,
        DataType::Int16 => wit::DataType::Int16,
        DataType::Int32 => wit::DataType::Int32,
        DataType::Int64 => wit::DataType::Int64,
        DataType::UInt8 => wit::DataType::Uint8,
        DataType::UInt16 => wit::DataType::Uint16,
        DataType::UInt32 => wit::DataType::Uint32,
        DataType::UInt64 => wit::DataType::Uint64,
        DataType::Float16 => wit::DataType::Float16,
        DataType::Float32 => wit::DataType::Float32,
        DataType::Float64 => wit::DataType::Float64,
        DataType::Utf8 => wit::DataType::Utf8,
        DataType::Binary => wit::DataType::Binary,
        DataType::Date32 => wit::DataType::Date32,
        DataType::Date64 => wit::DataType::Date64,
        DataType::Time32(unit @ (TimeUnit::Second | TimeUnit::Millisecond)) => {
            wit::DataType::Time32(unit_to_wit(*unit))
        }
        DataType::Time64(unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond)) => {
            wit::DataType::Time64(unit_to_wit(*unit))
        }
        DataType::Timestamp(unit, zone) => wit::DataType::Timestamp(wit::TimestampType {
            unit: unit_to_wit(*unit),
            zone: zone.as_deref().map(str::to_owned),
        }),
        DataType::Decimal128(precision, scale) => wit::DataType::Decimal128(wit::DecimalType {
            precision: *precision,
            scale: *scale,
        }),
        DataType::List(_) => wit::DataType::List,
        DataType::Struct(children) if !children.is_empty() => wit::DataType::Struct,
        other => {
            return Err(Error::fatal(format!(
                "column `{}` has type {other}, which cannot leave a plugin\nhint: cast it to a type of `wit/0.1/types.wit`",
                field.name()
            )));
        }
    })
}

fn unit_to_wit(unit: TimeUnit) -> wit::TimeUnit {
    match unit {
        TimeUnit::Second => wit::TimeUnit::Second,
        TimeUnit::Millisecond => wit::TimeUnit::Millisecond,
        TimeUnit::Microsecond => wit::TimeUnit::Microsecond,
        TimeUnit::Nanosecond => wit::TimeUnit::Nanosecond,
    }
}

/// The schema whose fields in preorder are `fields`.
///
/// # Errors
/// [`Error::Fatal`] if they do not form a tree.
pub(crate) fn schema_from_wit(fields: Vec<wit::Field>) -> Result<SchemaRef, Error> {
    let mut fields = fields.into_iter();
    let mut columns = Vec::with_capacity(fields.len());
    while fields.len() > 0 {
        columns.push(field_from_wit(&mut fields)?);
    }
    Ok(Arc::new(Schema::new(columns)))
}

fn field_from_wit(fields: &mut std::vec::IntoIter<wit::Field>) -> Result<Field, Error> {
    let wit::Field {
        name,
        data_type,
        nullable,
        children,
    } = fields
        .next()
        .ok_or_else(|| Error::fatal("the schema ends within a nested field"))?;
    let mut nested = Vec::new();
    for _ in 0..children {
        nested.push(Arc::new(field_from_wit(fields)?));
    }
    let data_type = match (data_type, nested.as_slice()) {
        (wit::DataType::List, [child]) => DataType::List(child.clone()),
        (wit::DataType::Struct, [_, ..]) => DataType::Struct(Fields::from(nested)),
        (wit::DataType::List | wit::DataType::Struct, _) | (_, [_, ..]) => {
            return Err(Error::fatal(format!(
                "column `{name}` cannot have {children} children"
            )));
        }
        (leaf, []) => leaf_from_wit(leaf),
    };
    Ok(Field::new(name, data_type, nullable))
}

fn leaf_from_wit(leaf: wit::DataType) -> DataType {
    match leaf {
        wit::DataType::Boolean => DataType::Boolean,
        wit::DataType::Int8 => DataType::Int8,
        wit::DataType::Int16 => DataType::Int16,
        wit::DataType::Int32 => DataType::Int32,
        wit::DataType::Int64 => DataType::Int64,
        wit::DataType::Uint8 => DataType::UInt8,
        wit::DataType::Uint16 => DataType::UInt16,
        wit::DataType::Uint32 => DataType::UInt32,
        wit::DataType::Uint64 => DataType::UInt64,
        wit::DataType::Float16 => DataType::Float16,
        wit::DataType::Float32 => DataType::Float32,
        wit::DataType::Float64 => DataType::Float64,
        wit::DataType::Utf8 => DataType::Utf8,
        wit::DataType::Binary => DataType::Binary,
        wit::DataType::Date32 => DataType::Date32,
        wit::DataType::Date64 => DataType::Date64,
        wit::DataType::Time32(unit) => DataType::Time32(unit_from_wit(unit)),
        wit::DataType::Time64(unit) => DataType::Time64(unit_from_wit(unit)),
        wit::DataType::Timestamp(wit::TimestampType { unit, zone }) => {
            DataType::Timestamp(unit_from_wit(unit), zone.map(Arc::from))
        }
        wit::DataType::Decimal128(wit::DecimalType { precision, scale }) => {
            DataType::Decimal128(precision, scale)
        }
        // The caller has taken these.
        wit::DataType::List | wit::DataType::Struct => DataType::Null,
    }
}

fn unit_from_wit(unit: wit::TimeUnit) -> TimeUnit {
    match unit {
        wit::TimeUnit::Second => TimeUnit::Second,
        wit::TimeUnit::Millisecond => TimeUnit::Millisecond,
        wit::TimeUnit::Microsecond => TimeUnit::Microsecond,
        wit::TimeUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}

/// Takes a batch apart. Buffers are shared with the batch wherever its layout allows.
///
/// # Errors
/// [`Error::Fatal`] if the batch has more rows than 32 bits count.
pub(crate) fn disassemble(batch: &RecordBatch) -> Result<Parts, Error> {
    let mut parts = Parts {
        rows: length(batch.num_rows())?,
        nodes: Vec::with_capacity(batch.num_columns()),
        buffers: Vec::with_capacity(batch.num_columns() * 3),
    };
    for column in batch.columns() {
        take_apart(&column.to_data(), &mut parts)?;
    }
    Ok(parts)
}

fn take_apart(data: &ArrayData, parts: &mut Parts) -> Result<(), Error> {
    parts.nodes.push(wit::Node {
        length: length(data.len())?,
        null_count: length(data.null_count())?,
    });
    parts.buffers.push(match data.nulls() {
        Some(nulls) if nulls.null_count() > 0 => packed_bits(nulls.inner()),
        _ => Buffer::default(),
    });
    match data.data_type() {
        DataType::Struct(_) => {
            for child in data.child_data() {
                take_apart(&child.slice(data.offset(), data.len()), parts)?;
            }
        }
        DataType::List(_) => {
            let (offsets, first, end) = offsets_from_zero(data)?;
            parts.buffers.push(offsets);
            let child = data
                .child_data()
                .first()
                .ok_or_else(|| Error::fatal("a list without items"))?;
            take_apart(&child.slice(first, end - first), parts)?;
        }
        DataType::Utf8 | DataType::Binary => {
            let (offsets, first, end) = offsets_from_zero(data)?;
            parts.buffers.push(offsets);
            let bytes = data.buffers().get(1).cloned().unwrap_or_default();
            parts
                .buffers
                .push(bytes.slice_with_length(first, end - first));
        }
        DataType::Boolean => {
            let bits = data.buffers().first().cloned().unwrap_or_default();
            parts.buffers.push(packed_bits(&BooleanBuffer::new(
                bits,
                data.offset(),
                data.len(),
            )));
        }
        other => {
            let width = other
                .primitive_width()
                .ok_or_else(|| Error::fatal(format!("type {other} cannot leave a plugin")))?;
            let values = data.buffers().first().cloned().unwrap_or_default();
            parts
                .buffers
                .push(values.slice_with_length(data.offset() * width, data.len() * width));
        }
    }
    Ok(())
}

/// The bits from the start of a byte, in as many bytes as they need.
fn packed_bits(bits: &BooleanBuffer) -> Buffer {
    bits.sliced().slice_with_length(0, bits.len().div_ceil(8))
}

/// The `length + 1` offsets of an array, counted from its own first value, and where in the
/// values (the bytes, the items) they begin and end.
fn offsets_from_zero(data: &ArrayData) -> Result<(Buffer, usize, usize), Error> {
    const WIDTH: usize = size_of::<i32>();
    let Some(buffer) = data.buffers().first().filter(|buffer| !buffer.is_empty()) else {
        return Ok((Buffer::from_slice_ref([0_i32]), 0, 0)); // Arrow lets an empty array have none.
    };
    let own = buffer.slice_with_length(data.offset() * WIDTH, (data.len() + 1) * WIDTH);
    let offsets = own.typed_data::<i32>();
    let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
        return Err(Error::fatal("an array without offsets"));
    };
    let own = if first == 0 {
        own
    } else {
        Buffer::from_vec(
            offsets
                .iter()
                .map(|offset| offset - first)
                .collect::<Vec<i32>>(),
        )
    };
    let position =
        |offset: i32| usize::try_from(offset).map_err(|_| Error::fatal("a negative offset"));
    Ok((own, position(first)?, position(last)?))
}

fn length(length: usize) -> Result<u32, Error> {
    u32::try_from(length).map_err(|_| Error::fatal("a batch holds more than 32 bits can count"))
}

/// Puts together a batch that the host sent. Its buffers move in without a copy.
///
/// # Errors
/// [`Error::Fatal`] if nodes or buffers do not match the schema.
pub(crate) fn assemble(
    schema: &SchemaRef,
    rows: u32,
    nodes: Vec<wit::Node>,
    buffers: Vec<Vec<u8>>,
) -> Result<RecordBatch, Error> {
    let mut parts = Incoming {
        nodes: nodes.into_iter(),
        buffers: buffers.into_iter(),
    };
    let columns = schema
        .fields()
        .iter()
        .map(|field| Ok(make_array(parts.array(field.data_type())?)))
        .collect::<Result<Vec<_>, Error>>()?;
    if parts.nodes.len() > 0 || parts.buffers.len() > 0 {
        return Err(Error::fatal("the host sent more than the schema bound has"));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows as usize));
    Ok(RecordBatch::try_new_with_options(
        schema.clone(),
        columns,
        &options,
    )?)
}

struct Incoming {
    nodes: std::vec::IntoIter<wit::Node>,
    buffers: std::vec::IntoIter<Vec<u8>>,
}

impl Incoming {
    fn array(&mut self, data_type: &DataType) -> Result<ArrayData, Error> {
        let node = self.nodes.next().ok_or_else(too_few)?;
        let validity = self.buffer()?;
        let mut array = ArrayDataBuilder::new(data_type.clone())
            .len(node.length as usize)
            .align_buffers(true); // An empty `Vec<u8>` is aligned to one byte only.
        if node.null_count > 0 {
            array = array.null_bit_buffer(Some(validity));
        }
        let array = match data_type {
            DataType::Struct(fields) => {
                let children = fields.iter().map(|child| self.array(child.data_type()));
                array.child_data(children.collect::<Result<_, _>>()?)
            }
            DataType::List(child) => {
                let array = array.add_buffer(self.buffer()?);
                array.add_child_data(self.array(child.data_type())?)
            }
            DataType::Utf8 | DataType::Binary => {
                let array = array.add_buffer(self.buffer()?);
                array.add_buffer(self.buffer()?)
            }
            _ => array.add_buffer(self.buffer()?),
        };
        build(array)
    }

    fn buffer(&mut self) -> Result<Buffer, Error> {
        self.buffers
            .next()
            .map(Buffer::from_vec)
            .ok_or_else(too_few)
    }
}

fn too_few() -> Error {
    Error::fatal("the host sent less than the schema bound has")
}

/// The host verifies every batch before it sends it, and a guest has to trust its host anyway:
/// verifying again would read each byte twice.
#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "the host has verified the batch by contract")]
fn build(array: ArrayDataBuilder) -> Result<ArrayData, Error> {
    // SAFETY: only `bindings` reach this in a component, with a batch from the host, which sends
    // valid Arrow data of the schema bound (`wit/0.1/types.wit`, record `batch`).
    Ok(unsafe { array.build_unchecked() })
}

/// Natively there is no host, so data is verified.
#[cfg(not(target_family = "wasm"))]
fn build(array: ArrayDataBuilder) -> Result<ArrayData, Error> {
    let array = array.build()?;
    array.validate_full()?;
    Ok(array)
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, ListArray,
        StringArray, StructArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    fn round_trip(batch: &RecordBatch) -> RecordBatch {
        let schema = schema_from_wit(schema_to_wit(batch.schema_ref()).unwrap()).unwrap();
        assert_eq!(&schema, batch.schema_ref());
        let Parts {
            rows,
            nodes,
            buffers,
        } = disassemble(batch).unwrap();
        for (node, name) in nodes.iter().zip(0..) {
            assert!(node.null_count <= node.length, "node {name}");
        }
        let buffers = buffers.iter().map(|buffer| buffer.to_vec()).collect();
        assemble(&schema, rows, nodes, buffers).unwrap()
    }

    fn every_type(rows: usize) -> RecordBatch {
        let some = |row: usize| (!row.is_multiple_of(3)).then_some(row);
        let text: StringArray = (0..rows)
            .map(|row| some(row).map(|row| format!("é{row}")))
            .collect();
        let dense: StringArray = (0..rows).map(|row| Some("x".repeat(row % 5))).collect();
        let bytes: BinaryArray = (0..rows)
            .map(|row| some(row).map(|row| vec![row as u8; row % 4]))
            .collect();
        let flags: BooleanArray = (0..rows)
            .map(|row| some(row).map(|row| row % 2 == 0))
            .collect();
        let ints: Int64Array = (0..rows)
            .map(|row| some(row).map(|row| row as i64))
            .collect();
        let dates: Date32Array = (0..rows).map(|row| Some(row as i32)).collect();
        let money: Decimal128Array = (0..rows)
            .map(|row| some(row).map(|row| row as i128))
            .collect();
        let money = money.with_precision_and_scale(12, 2).unwrap();
        let stamps: TimestampMicrosecondArray = (0..rows).map(|row| Some(row as i64)).collect();
        let stamps = stamps.with_timezone("+02:00");
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>((0..rows).map(|row| {
            some(row).map(|row| {
                (0..row % 4)
                    .map(|item| Some(item as i32))
                    .collect::<Vec<_>>()
            })
        }));
        let nested = StructArray::from(vec![
            (
                Arc::new(Field::new("text", DataType::Utf8, true)),
                Arc::new(text.clone()) as ArrayRef,
            ),
            (
                Arc::new(Field::new("lists", lists.data_type().clone(), true)),
                Arc::new(lists.clone()) as ArrayRef,
            ),
        ]);
        RecordBatch::try_from_iter_with_nullable([
            ("text", Arc::new(text) as ArrayRef, true),
            ("dense", Arc::new(dense), false),
            ("bytes", Arc::new(bytes), true),
            ("flags", Arc::new(flags), true),
            ("ints", Arc::new(ints), true),
            ("dates", Arc::new(dates), false),
            ("money", Arc::new(money), true),
            ("stamps", Arc::new(stamps), true),
            ("lists", Arc::new(lists), true),
            ("nested", Arc::new(nested), true),
        ])
        .unwrap()
    }

    #[test]
    fn batches_survive_the_crossing() {
        for rows in [0, 1, 7, 8, 9, 100] {
            let batch = every_type(rows);
            assert_eq!(round_trip(&batch), batch, "{rows} rows");
        }
    }

    #[test]
    fn slices_cross_as_if_they_began_at_zero() {
        let whole = every_type(100);
        for (offset, rows) in [(0, 8), (1, 9), (8, 16), (13, 0), (13, 87), (100, 0)] {
            let slice = whole.slice(offset, rows);
            let parts = disassemble(&slice).unwrap();
            let sizes: usize = parts.buffers.iter().map(Buffer::len).sum();
            assert!(sizes <= rows * 160 + 64, "{offset}+{rows}: {sizes} bytes");
            assert_eq!(round_trip(&slice), slice, "{offset}+{rows}");
        }
    }

    #[test]
    fn buffers_are_shared_with_the_batch() {
        let batch = every_type(64);
        let parts = disassemble(&batch).unwrap();
        let dense = batch.column(1).to_data();
        assert_eq!(parts.buffers[5].as_ptr(), dense.buffers()[1].as_ptr());
        assert_eq!(parts.buffers[0].len(), 8, "64 bits of validity");
        assert!(parts.buffers[3].is_empty(), "no nulls, no validity");
    }

    #[test]
    fn a_batch_may_have_rows_but_no_columns() {
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let batch =
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        assert_eq!(round_trip(&batch).num_rows(), 3);
    }

    #[test]
    fn a_type_outside_the_contract_is_named() {
        let schema = Schema::new(vec![Field::new("wide", DataType::LargeUtf8, true)]);
        let error = schema_to_wit(&schema).unwrap_err();
        assert!(
            error
                .message()
                .starts_with("column `wide` has type LargeUtf8"),
            "{error}"
        );
    }

    #[test]
    fn names_beside_each_other_are_distinct_and_not_empty() {
        let field = |name: &str| Field::new(name, DataType::Int8, true);
        let within = |fields: Vec<Field>| Field::new_struct("s", fields, true);
        let list = |item: Field| Field::new_list("l", item, true);
        for (columns, fault) in [
            (vec![field("id"), field("id")], "two columns are named `id`"),
            (
                vec![within(vec![field("b"), field("a"), field("b")])],
                "two columns are named `b`",
            ),
            (vec![field("id"), field("")], "a column has an empty name"),
            (
                vec![list(within(vec![field("")]))],
                "a column has an empty name",
            ),
        ] {
            let error = schema_to_wit(&Schema::new(columns)).unwrap_err();
            assert_eq!(error, Error::fatal(fault));
        }
        let apart = vec![
            field("a"),
            within(vec![field("a"), field("s")]),
            list(field("l")),
        ];
        assert_eq!(schema_to_wit(&Schema::new(apart)).unwrap().len(), 6);
    }

    #[test]
    fn a_schema_that_is_no_tree_is_refused() {
        let field = |data_type, children| wit::Field {
            name: "x".into(),
            data_type,
            nullable: true,
            children,
        };
        for fields in [
            vec![field(wit::DataType::List, 1)],
            vec![field(wit::DataType::Struct, 0)],
            vec![field(wit::DataType::Int8, 1), field(wit::DataType::Int8, 0)],
        ] {
            assert!(matches!(schema_from_wit(fields), Err(Error::Fatal(_))));
        }
    }

    #[test]
    fn a_batch_of_another_shape_is_refused() {
        let batch = every_type(9);
        let take = || {
            let Parts {
                rows,
                nodes,
                buffers,
            } = disassemble(&batch).unwrap();
            (
                rows,
                nodes,
                buffers
                    .iter()
                    .map(|buffer| buffer.to_vec())
                    .collect::<Vec<_>>(),
            )
        };
        let (rows, nodes, mut buffers) = take();
        buffers.pop();
        assert!(assemble(batch.schema_ref(), rows, nodes, buffers).is_err());
        let (rows, nodes, mut buffers) = take();
        buffers.push(vec![]);
        assert!(assemble(batch.schema_ref(), rows, nodes, buffers).is_err());
        let (rows, mut nodes, buffers) = take();
        nodes[0].length = 8;
        assert!(assemble(batch.schema_ref(), rows, nodes, buffers).is_err());
        let (rows, nodes, mut buffers) = take();
        buffers[2].truncate(3); // The text's bytes.
        assert!(assemble(batch.schema_ref(), rows, nodes, buffers).is_err());
    }
}
