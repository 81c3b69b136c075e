//! What holds of every decoder of files.

use arrow::array::{Array, RecordBatch};
use bytes::Bytes;
use weir_decode::{Decode, DecodeError, arrow_schema};
use weir_pipeline::Column;

/// Bytes at the beginning of an input that say how the rest is decoded.
pub(crate) const HEAD: usize = 24;

/// Texts up to this long are also given byte by byte.
const BY_BYTE: usize = 300;

/// The batches of a file, or the fault and its hint.
pub(crate) type Rows = Result<Vec<RecordBatch>, (String, String)>;

/// What `new` makes of `text`, which must be the same wherever the text is split, and valid.
pub(crate) fn decode<D: Decode>(
    new: impl Fn() -> D,
    columns: &[Column],
    batch_rows: usize,
    text: &[u8],
    splits: u32,
) -> Rows {
    let whole = rows(new(), [text]);
    match &whole {
        Ok(batches) => {
            let schema = arrow_schema(columns);
            let (last, full) = match batches.split_last() {
                Some((last, full)) => (Some(last), full),
                None => (None, batches.as_slice()),
            };
            assert!(full.iter().all(|batch| batch.num_rows() == batch_rows));
            assert!(last.is_none_or(|last| (1..=batch_rows).contains(&last.num_rows())));
            for batch in batches {
                assert_eq!(batch.schema_ref(), &schema);
                for (column, field) in batch.columns().iter().zip(schema.fields()) {
                    column.to_data().validate_full().expect("valid Arrow");
                    assert!(field.is_nullable() || column.null_count() == 0);
                }
            }
        }
        Err((what, _)) => {
            assert!(
                !what.is_empty() && !what.contains(char::is_control),
                "{what:?}"
            );
        }
    }
    assert_eq!(rows(new(), parts(text, splits)), whole, "in parts");
    if text.len() <= BY_BYTE {
        assert_eq!(rows(new(), text.chunks(1)), whole, "byte by byte");
    }
    whole
}

fn rows<'a>(mut decoder: impl Decode, chunks: impl IntoIterator<Item = &'a [u8]>) -> Rows {
    let told = |error| match error {
        DecodeError::Fault(fault) => (fault.to_string(), fault.hint().to_owned()),
        DecodeError::Arrow(error) => (error.to_string(), String::new()),
    };
    let mut batches = Vec::new();
    let mut chunks = chunks.into_iter();
    let mut ended = false;
    loop {
        loop {
            match decoder.batch() {
                Ok(Some(batch)) => batches.push(batch),
                Ok(None) => break,
                Err(error) => {
                    assert!(matches!(decoder.batch(), Ok(None)), "an error is the end");
                    return Err(told(error));
                }
            }
        }
        match chunks.next() {
            Some(chunk) => decoder.push(Bytes::copy_from_slice(chunk)),
            None if ended => return Ok(batches),
            None => {
                ended = true;
                decoder.finish();
            }
        }
    }
}

/// `text` in parts whose lengths `seed` decides, some of them empty.
fn parts(mut text: &[u8], seed: u32) -> Vec<&[u8]> {
    let mut state = seed | 1;
    let mut parts = Vec::new();
    while !text.is_empty() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let length = (state >> 8) as usize % (text.len().min(40) + 1);
        let (part, rest) = text.split_at(length);
        parts.push(part);
        text = rest;
    }
    parts
}
