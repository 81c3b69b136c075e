//! An item as AWS's client gives it, as JSON text.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::fault::Wrong;
use crate::plain::{self, DEEPEST};

/// Appends an item to `out` as one JSON object without a line's end, its attributes sorted by name.
/// The text is the one that [`ExportLines`](crate::ExportLines) makes of the same item.
///
/// # Errors
/// What is wrong with the item; then `out` is as it was.
pub fn item_json(item: &HashMap<String, AttributeValue>, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let before = out.len();
    let written = attributes(item, 0, out);
    if written.is_err() {
        out.truncate(before);
    }
    written
}

fn attributes(
    attributes: &HashMap<String, AttributeValue>,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Wrong> {
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (index, (name, attribute)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        plain::string(out, name);
        out.push(b':');
        value(attribute, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// `depth` is how many lists and maps the value lies in.
fn value(value: &AttributeValue, depth: usize, out: &mut Vec<u8>) -> Result<(), Wrong> {
    match value {
        AttributeValue::S(text) => plain::string(out, text),
        AttributeValue::N(digits) => plain::number(out, digits.as_bytes())?,
        AttributeValue::B(bytes) => plain::binary(out, bytes.as_ref()),
        AttributeValue::Bool(true) => out.extend_from_slice(b"true"),
        AttributeValue::Bool(false) => out.extend_from_slice(b"false"),
        AttributeValue::Null(true) => out.extend_from_slice(b"null"),
        AttributeValue::Null(false) => return Err(Wrong::OtherType),
        AttributeValue::M(inner) => attributes(inner, deeper(depth)?, out)?,
        AttributeValue::L(values) => {
            let depth = deeper(depth)?;
            array(values, out, |inner, out| self::value(inner, depth, out))?;
        }
        AttributeValue::Ss(texts) => array(texts, out, |text, out| {
            plain::string(out, text);
            Ok(())
        })?,
        AttributeValue::Ns(numbers) => {
            array(numbers, out, |digits, out| {
                plain::number(out, digits.as_bytes())
            })?;
        }
        AttributeValue::Bs(all) => array(all, out, |bytes, out| {
            plain::binary(out, bytes.as_ref());
            Ok(())
        })?,
        // The enum may grow; a type that is not known here has no text here.
        _ => return Err(Wrong::UnknownType),
    }
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, Wrong> {
    match depth {
        DEEPEST.. => Err(Wrong::Deep),
        depth => Ok(depth + 1),
    }
}

fn array<T>(
    values: &[T],
    out: &mut Vec<u8>,
    mut write: impl FnMut(&T, &mut Vec<u8>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    out.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(value, out)?;
    }
    out.push(b']');
    Ok(())
}
