//! JSON: one object a line, or an array of objects.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::ReaderBuilder;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use weir_pipeline::Compression;

use super::{InputFile, fault, open};
use crate::error::{Error, Result};

/// The rows of one file, of `schema`, in order. With `array`, the brackets and commas of an
/// outermost array are passed over.
pub(super) async fn read(
    file: InputFile,
    compression: Compression,
    array: bool,
    schema: SchemaRef,
    batch_rows: usize,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let mut bytes = open(&file, compression).await?;
    let mut decoder = ReaderBuilder::new(schema)
        .with_batch_size(batch_rows)
        .build_decoder()?;
    let mut peeler = array.then(ArrayPeeler::default);
    let mut rest = Bytes::new();
    let mut ended = false;
    let mut rows = 0_u64;
    let stream = async_stream::try_stream! {
        loop {
            // The decoder stops of itself where a batch is full.
            while !ended {
                if rest.is_empty() {
                    match bytes.try_next().await? {
                        Some(chunk) if chunk.is_empty() => continue,
                        Some(chunk) => rest = match &mut peeler {
                            Some(peeler) => peeler.peel(&chunk).ok_or_else(|| {
                                fault(
                                    &file,
                                    &format!("after row {rows}"),
                                    "the array's objects are not set apart by commas, or something stands beside them",
                                )
                                .with_hint("mend the file: it is no JSON array of objects")
                            })?,
                            None => chunk,
                        },
                        None => {
                            ended = true;
                            if peeler.as_ref().is_some_and(ArrayPeeler::is_open) {
                                Err(fault(
                                    &file,
                                    &format!("after row {rows}"),
                                    "the file ends in the middle of an array",
                                )
                                .with_hint("mend the file: it is truncated, fetch it again"))?;
                            }
                            break;
                        }
                    }
                }
                let used = decoder.decode(&rest).map_err(|error| json_fault(&file, rows, &error))?;
                rest = rest.slice(used..);
                if !rest.is_empty() {
                    break;
                }
            }
            let Some(batch) = decoder.flush().map_err(|error| json_fault(&file, rows, &error))? else {
                if ended { break; }
                continue;
            };
            rows += batch.num_rows() as u64;
            yield batch;
        }
    };
    Ok(stream.boxed())
}

/// arrow's messages quote the value that did not fit, which must not reach a log.
fn json_fault(file: &InputFile, rows: u64, error: &arrow::error::ArrowError) -> Error {
    let text = error.to_string();
    let what = if text.contains("truncated") || text.contains("Truncated") {
        "the file ends in the middle of a document"
    } else if text.contains("UTF-8") || text.contains("utf-8") {
        "the text is not UTF-8"
    } else if text.contains("non-nullable") {
        "a column that is declared `not null` has no value"
    } else if text.contains("expected") || text.contains("whilst parsing") {
        "the text is not JSON, or a value does not fit the type that is declared for it"
    } else {
        "a value does not fit the type that is declared for it"
    };
    fault(file, &format!("after row {rows}"), what)
        .with_hint("mend the file, or the `schema` of the step's `read`")
}

/// Blanks out the brackets and commas of an outermost array, so that what is left is one object
/// after the other, and says whether they stood where they must. Works on any split of the text.
/// A file without an outermost array is passed through: objects one after the other.
#[derive(Default)]
struct ArrayPeeler {
    /// Brackets and braces open, the outermost array's not counted.
    depth: usize,
    in_string: bool,
    escaped: bool,
    place: Place,
}

/// What the outermost level may go on with.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Nothing has been seen.
    #[default]
    Start,
    /// There is no outermost array.
    Bare,
    /// An element, or the array's end where there is no element yet.
    First,
    /// An element.
    Element,
    /// A comma, or the array's end.
    Comma,
    /// Nothing but white space.
    End,
}

impl ArrayPeeler {
    /// Whether an array was begun and has not ended.
    fn is_open(&self) -> bool {
        matches!(self.place, Place::First | Place::Element | Place::Comma)
    }

    /// The bytes to decode; `None` if the array is not well formed.
    fn peel(&mut self, chunk: &[u8]) -> Option<Bytes> {
        let mut out = chunk.to_vec();
        for byte in &mut out {
            if self.in_string {
                match *byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            if self.depth > 0 || self.place == Place::Bare {
                match *byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                continue;
            }
            self.place = match (self.place, *byte) {
                (place, b' ' | b'\t' | b'\r' | b'\n') => place,
                (Place::Start, b'[') => {
                    *byte = b' ';
                    Place::First
                }
                (Place::Start, other) => {
                    self.depth = usize::from(matches!(other, b'{'));
                    Place::Bare
                }
                (Place::First | Place::Element, b'{') => {
                    self.depth = 1;
                    Place::Comma
                }
                (Place::Comma, b',') => {
                    *byte = b' ';
                    Place::Element
                }
                (Place::First | Place::Comma, b']') => {
                    *byte = b' ';
                    Place::End
                }
                _ => return None,
            };
        }
        Some(Bytes::from(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_peeled_wherever_it_is_split() {
        let text = br#"[{"a": "x],[\"y"}, {"b": [1, {"c": 2}]}]"#;
        let whole = ArrayPeeler::default().peel(text).unwrap();
        assert_eq!(
            std::str::from_utf8(&whole).unwrap().trim(),
            r#"{"a": "x],[\"y"}  {"b": [1, {"c": 2}]}"#
        );
        for split in 0..text.len() {
            let mut peeler = ArrayPeeler::default();
            let mut out = peeler.peel(&text[..split]).unwrap().to_vec();
            out.extend_from_slice(&peeler.peel(&text[split..]).unwrap());
            assert_eq!(out, whole, "split at {split}");
        }
    }

    #[test]
    fn an_array_with_more_or_less_than_objects_and_commas_is_none() {
        for text in [
            r#"[{"a":1}{"a":2}]"#,
            r#"[{"a":1}],{"a":2}]"#,
            r#"[{"a":1},]"#,
            r#"[,{"a":1}]"#,
            r#"[1]"#,
        ] {
            assert!(
                ArrayPeeler::default().peel(text.as_bytes()).is_none(),
                "{text}"
            );
        }
        for text in ["[]", r#" [ {"a":[1,2]} , {} ] "#, r#"{"a":1} {"a":2}"#] {
            let mut peeler = ArrayPeeler::default();
            assert!(
                peeler.peel(text.as_bytes()).is_some() && !peeler.is_open(),
                "{text}"
            );
        }
    }
}
