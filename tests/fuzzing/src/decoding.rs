//! What holds of every decoder of files.

use std::collections::BTreeSet;

use arrow::array::Array;
use bytes::Bytes;
use weir_decode::{
    Decode, DecodeError, Decoded, RAW_KEPT, RecordOptions, arrow_schema, nullable_schema,
};
use weir_pipeline::{Column, Encoding, Undeclared};

/// Bytes at the beginning of an input that say how the rest is decoded.
pub(crate) const HEAD: usize = 24;

/// Texts up to this long are also given byte by byte.
const BY_BYTE: usize = 300;

/// The batches of a file, or the fault and its hint.
pub(crate) type Rows = Result<Vec<Decoded>, (String, String)>;

/// Tolerant reading of records of a length, and from an encoding, that `seed` decides.
pub(crate) fn tolerant(seed: u32) -> RecordOptions {
    RecordOptions {
        tolerant: true,
        longest: [None, None, Some(7), Some(60)][seed as usize % 4],
        encoding: match seed % 64 {
            60.. => Encoding::Latin1,
            _ => Encoding::Utf8,
        },
        undeclared: Undeclared::Discard,
    }
}

/// Whether strict and tolerant reading found the same rows, and the latter nothing wrong with them.
pub(crate) fn same_rows(strict: &[Decoded], tolerant: &[Decoded]) -> bool {
    let columns = |decoded: &[Decoded]| -> Vec<_> {
        let batches = decoded.iter().map(|decoded| &decoded.batch);
        batches.map(|batch| batch.columns().to_vec()).collect()
    };
    columns(strict) == columns(tolerant)
        && tolerant.iter().all(|decoded| decoded.rejects.is_empty())
}

/// What `new` makes of `text`, which must be the same wherever the text is split, and valid.
pub(crate) fn decode<D: Decode>(
    new: impl Fn() -> D,
    columns: &[Column],
    batch_rows: usize,
    options: RecordOptions,
    text: &[u8],
    splits: u32,
) -> Rows {
    let whole = rows(new(), [text]);
    match &whole {
        Ok(batches) => {
            let declared = arrow_schema(columns);
            let nullable = nullable_schema(&declared);
            let (last, full) = match batches.split_last() {
                Some((last, full)) => (Some(last), full),
                None => (None, batches.as_slice()),
            };
            let rows = |decoded: &Decoded| decoded.batch.num_rows();
            assert!(full.iter().all(|decoded| rows(decoded) == batch_rows));
            assert!(last.is_none_or(|last| (1..=batch_rows).contains(&rows(last))));
            for Decoded { batch, rejects } in batches {
                match options.tolerant {
                    true => assert_eq!(batch.schema_ref(), &nullable),
                    false => {
                        assert_eq!(batch.schema_ref(), &declared);
                        assert!(rejects.is_empty());
                    }
                }
                let bad: BTreeSet<usize> = rejects.iter().map(|reject| reject.row).collect();
                assert_eq!(bad.len(), rejects.len());
                assert!(rejects.is_sorted_by_key(|reject| (reject.row, reject.line)));
                for (column, field) in batch.columns().iter().zip(declared.fields()) {
                    column.to_data().validate_full().expect("valid Arrow");
                    for row in 0..batch.num_rows() {
                        match bad.contains(&row) {
                            true => assert!(column.is_null(row)),
                            false => assert!(field.is_nullable() || column.is_valid(row)),
                        }
                    }
                }
                for reject in rejects {
                    assert!(reject.row < batch.num_rows());
                    let lines = text.iter().filter(|byte| matches!(byte, b'\n' | b'\r'));
                    assert!((1..=1 + lines.count() as u64).contains(&reject.line));
                    let (place, what) = reject.message.split_once(": ").unwrap();
                    assert_eq!(place, format!("line {}", reject.line));
                    assert!(!what.is_empty() && !what.contains(char::is_control));
                    assert!(!reject.rule.name().is_empty() && !reject.rule.hint().is_empty());
                    assert!(reject.raw.len() <= RAW_KEPT * 3);
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
