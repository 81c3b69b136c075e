//! `batch`: whatever a plugin emits, `verify` gives a valid batch made of its bytes, or a reason.
//!
//! An input is read as a schema, then as a batch of it. The batch is sound, or sound but for a few
//! mutations, or made of any nodes and bytes at all. A sound one must be accepted.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use arrow::array::{Array, ArrayData, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use weir_verify::schema::normalise_schema;
use weir_verify::verify::{Node, Shape, verify};

use crate::{fields, noise};

/// Values of one batch over all its arrays, as far as the generator adds any.
const MOST_VALUES: usize = 600;

/// What a guest would send.
#[derive(Debug, Default)]
struct Sent {
    rows: u32,
    nodes: Vec<Node>,
    buffers: Vec<Vec<u8>>,
}

/// Runs the target on one input.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    // An input that is too short to say everything stands for less.
    let _ = attempt(&mut u);
}

fn attempt(u: &mut Unstructured<'_>) -> Result<()> {
    let mut columns = (0..u.int_in_range(0..=3)?)
        .map(|column| fields::field(u, ["x", "y", "z"][column], 3))
        .collect::<Result<Vec<_>>>()?;
    let crosses = !u.ratio(1, 64)?;
    if !crosses {
        columns.push(Arc::new(Field::new("f", fields::foreign(u)?, true)));
    }
    let schema: SchemaRef = Arc::new(Schema::new(columns));
    let mutations = u.int_in_range(0..=4)?;
    let sent = match mutations {
        4 => any(u, &schema)?,
        _ => {
            let mut sent = sound(u, &schema)?;
            for _ in 0..mutations {
                mutate(u, &mut sent)?;
            }
            sent
        }
    };
    let buffers: Vec<&[u8]> = sent.buffers.iter().map(Vec::as_slice).collect();
    match verify(&schema, sent.rows, &sent.nodes, &buffers) {
        Ok(batch) => valid(&batch, &schema, &sent),
        Err(bad) => {
            assert!(!bad.to_string().is_empty());
            assert!(
                mutations > 0 || !crosses,
                "a sound batch was refused: {bad}\n{schema:?}\n{sent:?}"
            );
        }
    }
    Ok(())
}

/// A batch as an honest plugin would send it.
fn sound(u: &mut Unstructured<'_>, schema: &Schema) -> Result<Sent> {
    let rows = u.int_in_range(0..=20_usize)?;
    let mut sent = Sent {
        rows: u32::try_from(rows).unwrap(),
        ..Sent::default()
    };
    for field in schema.fields() {
        push(u, field, rows, &mut sent)?;
    }
    Ok(sent)
}

fn push(u: &mut Unstructured<'_>, field: &Field, length: usize, sent: &mut Sent) -> Result<()> {
    let node = sent.nodes.len();
    sent.nodes.push(Node {
        length: u32::try_from(length).unwrap(),
        null_count: 0,
    });
    let validity = sent.buffers.len();
    sent.buffers.push(Vec::new());
    if field.is_nullable() && u.arbitrary()? {
        let bits = bytes(u, length.div_ceil(8))?;
        let nulls = (0..length).filter(|bit| bits[bit / 8] >> (bit % 8) & 1 == 0);
        sent.nodes[node].null_count = u32::try_from(nulls.count()).unwrap();
        sent.buffers[validity] = bits;
    }
    match field.data_type() {
        DataType::Boolean => {
            let bits = bytes(u, length.div_ceil(8))?;
            sent.buffers.push(bits);
        }
        DataType::Utf8 => {
            const PARTS: [&str; 8] = ["", "a", "é", "数", "🦀", "weir", "\0", "\u{7f}\u{80}"];
            let mut text = String::new();
            let mut offsets = vec![0];
            for _ in 0..length {
                text.push_str(u.choose(&PARTS)?);
                offsets.push(text.len());
            }
            sent.buffers.push(written(&offsets));
            sent.buffers.push(text.into_bytes());
        }
        DataType::Binary => {
            let offsets = offsets(u, length, MOST_VALUES)?;
            let values = bytes(u, *offsets.last().unwrap())?;
            sent.buffers.push(written(&offsets));
            sent.buffers.push(values);
        }
        DataType::List(item) => {
            let held: usize = sent.nodes.iter().map(|node| node.length as usize).sum();
            let offsets = offsets(u, length, MOST_VALUES.saturating_sub(held))?;
            // Values that no list reaches are allowed, and left behind.
            let values = offsets.last().unwrap() + usize::from(u.ratio(1, 8)?);
            sent.buffers.push(written(&offsets));
            push(u, item, values, sent)?;
        }
        DataType::Struct(fields) => {
            for child in fields {
                push(u, child, length, sent)?;
            }
        }
        DataType::Decimal128(precision, _) => {
            let most = 10_i128.pow(u32::from(*precision)) - 1;
            let mut values = Vec::new();
            for _ in 0..length {
                let value = match u.arbitrary::<u8>()? {
                    0 => most,
                    1 => -most,
                    small => i128::from(small) % (most + 1),
                };
                values.extend(value.to_le_bytes());
            }
            sent.buffers.push(values);
        }
        other => {
            let values = bytes(u, length * other.primitive_width().unwrap_or(0))?;
            sent.buffers.push(values);
        }
    }
    Ok(())
}

/// Rising offsets of `length` values; the last is `most` or less.
fn offsets(u: &mut Unstructured<'_>, length: usize, most: usize) -> Result<Vec<usize>> {
    let mut offsets = vec![0];
    let mut end = 0;
    for _ in 0..length {
        end = (end + u.int_in_range(0..=3)?).min(most);
        offsets.push(end);
    }
    Ok(offsets)
}

fn written(offsets: &[usize]) -> Vec<u8> {
    let offsets = offsets.iter().map(|end| i32::try_from(*end).unwrap());
    offsets.flat_map(i32::to_le_bytes).collect()
}

/// The next bytes of the input, and zeros after its end.
fn bytes(u: &mut Unstructured<'_>, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    u.fill_buffer(&mut bytes)?;
    Ok(bytes)
}

/// A count as a hostile plugin would choose it.
fn count(u: &mut Unstructured<'_>, near: u32) -> Result<u32> {
    Ok(match u.int_in_range(0..=5)? {
        0 => near.wrapping_add(1),
        1 => near.wrapping_sub(1),
        2 => near.wrapping_mul(2),
        3 => *u.choose(&[0, 1, 8, 0x7fff_ffff, 0x8000_0000, u32::MAX])?,
        _ => u.arbitrary()?,
    })
}

fn mutate(u: &mut Unstructured<'_>, sent: &mut Sent) -> Result<()> {
    let nodes = sent.nodes.len();
    let buffers = sent.buffers.len();
    match u.int_in_range(0..=12)? {
        0 => sent.rows = count(u, sent.rows)?,
        1 if nodes > 0 => {
            let node = &mut sent.nodes[u.choose_index(nodes)?];
            node.length = count(u, node.length)?;
        }
        2 if nodes > 0 => {
            let node = &mut sent.nodes[u.choose_index(nodes)?];
            node.null_count = count(u, node.null_count)?;
        }
        3 if nodes > 0 => {
            let node = sent.nodes.remove(u.choose_index(nodes)?);
            sent.nodes.insert(u.choose_index(nodes)?, node);
        }
        4 if u.ratio(1, 8)? => {
            sent.nodes.pop();
        }
        5 if u.ratio(1, 8)? => sent.buffers.push(vec![0; 4]),
        6 if buffers > 0 => {
            let buffer = &mut sent.buffers[u.choose_index(buffers)?];
            let length = u.int_in_range(0..=buffer.len())?;
            buffer.truncate(length);
        }
        7 if buffers > 0 => {
            let more = u.int_in_range(0..=40_usize)?;
            let more = bytes(u, more)?;
            sent.buffers[u.choose_index(buffers)?].extend(more);
        }
        8 if buffers > 0 => {
            let (a, b) = (u.choose_index(buffers)?, u.choose_index(buffers)?);
            sent.buffers.swap(a, b);
        }
        _ if buffers > 0 => {
            let buffer = &mut sent.buffers[u.choose_index(buffers)?];
            if !buffer.is_empty() {
                let at = u.choose_index(buffer.len())?;
                // One byte, or a whole offset.
                match u.arbitrary()? {
                    true => buffer[at] = u.arbitrary()?,
                    false => {
                        let offset = (at / 4 * 4).min(buffer.len().saturating_sub(4));
                        let value = count(u, 3)?.to_le_bytes();
                        let places = buffer[offset..].iter_mut();
                        places.zip(value).for_each(|(place, byte)| *place = byte);
                    }
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// As many nodes and buffers as the schema has, or nearly, filled with anything.
fn any(u: &mut Unstructured<'_>, schema: &Schema) -> Result<Sent> {
    let shape = Shape::of(schema);
    let rows = match u.arbitrary()? {
        true => u.int_in_range(0..=9)?,
        false => u.arbitrary()?,
    };
    let more = usize::from(u.ratio(1, 32)?);
    let mut sent = Sent {
        rows,
        ..Sent::default()
    };
    for _ in 0..shape.nodes + more {
        sent.nodes.push(Node {
            length: if u.arbitrary()? {
                rows
            } else {
                count(u, rows)?
            },
            null_count: if u.arbitrary()? { 0 } else { count(u, 0)? },
        });
    }
    for _ in 0..shape.buffers {
        let length = u.int_in_range(0..=64)?;
        let buffer = bytes(u, length)?;
        sent.buffers.push(buffer);
    }
    Ok(sent)
}

/// What was accepted is valid Arrow of the schema, and made of the bytes that were sent.
fn valid(batch: &RecordBatch, schema: &SchemaRef, sent: &Sent) {
    assert!(Arc::ptr_eq(batch.schema_ref(), schema));
    assert_eq!(batch.num_rows(), sent.rows as usize);
    assert_eq!(batch.num_columns(), schema.fields().len());
    assert_eq!(
        normalise_schema(schema).as_ref(),
        Ok(schema),
        "only types that cross are accepted"
    );
    let mut buffers = sent.buffers.iter().map(Vec::as_slice);
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        assert_eq!(column.data_type(), field.data_type());
        assert_eq!(column.len(), batch.num_rows());
        assert!(field.is_nullable() || column.logical_null_count() == 0);
        let data = column.to_data();
        data.validate_full().expect("what is accepted is valid");
        explained(&data, &mut buffers);
    }
    assert_eq!(buffers.next(), None);
}

/// Every buffer of `data` is the beginning of the one that was sent for it.
fn explained<'a>(data: &ArrayData, sent: &mut impl Iterator<Item = &'a [u8]>) {
    let validity = sent.next().unwrap();
    let null = |index: &usize| !validity.is_empty() && validity[index / 8] >> (index % 8) & 1 == 0;
    for index in 0..data.len() {
        assert_eq!(data.is_null(index), null(&index));
    }
    let offsets_of_none = [0; 4];
    for buffer in data.buffers() {
        let sent = sent.next().unwrap();
        let begins = match data.data_type() {
            // The one offset of no values need not be sent.
            DataType::Utf8 | DataType::Binary | DataType::List(_) if sent.is_empty() => {
                offsets_of_none.starts_with(buffer)
            }
            _ => sent.starts_with(buffer),
        };
        assert!(begins, "a buffer holds what was not sent");
    }
    for child in data.child_data() {
        explained(child, sent);
    }
}

/// Inputs that are read as batches of many schemas.
pub fn seeds() -> Vec<Vec<u8>> {
    (0..1500)
        .map(|seed| noise(seed, 24 + (seed as usize % 12) * 40))
        .collect()
}
