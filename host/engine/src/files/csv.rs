//! Delimiter-separated text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::csv::reader::{Decoder, ReaderBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use weir_pipeline::{Column, Compression, CsvOptions};

use super::{InputFile, fault, open};
use crate::error::{Error, Result};

/// A header longer than this is no header.
const LONGEST_HEADER: usize = 1 << 20;

/// The rows of one file, of `schema`, in order.
pub(super) async fn read(
    file: InputFile,
    compression: Compression,
    options: CsvOptions,
    columns: Arc<[Column]>,
    schema: SchemaRef,
    batch_rows: usize,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let mut bytes = open(&file, compression).await?;
    // The header decides where each column is; until it is whole nothing can be decoded.
    let mut head = Vec::new();
    let header = loop {
        let chunk = bytes.try_next().await?;
        let ended = chunk.is_none();
        head.extend_from_slice(&chunk.unwrap_or_default());
        if head.starts_with(b"\xEF\xBB\xBF") {
            head.drain(..3);
        }
        match first_record(&head, &options, ended) {
            Some(record) => break record,
            None if ended => break Vec::new(),
            None if head.len() > LONGEST_HEADER => {
                return Err(fault(&file, "line 1", "the first row is longer than 1 MiB")
                    .with_hint("check the delimiter, the quote, and that this is a text file"));
            }
            None => {}
        }
    };
    if header.is_empty() {
        if options.header {
            return Err(
                fault(&file, "line 1", "the file is empty, without even a header")
                    .with_hint("remove the file, or set `header = false`"),
            );
        }
        return Ok(futures::stream::empty().boxed());
    }
    let layout = Layout::of(&file, &header, &options, &columns)?;
    let mut decoder = layout.decoder(&options, batch_rows)?;

    let head = futures::stream::iter([Ok(bytes::Bytes::from(head))]);
    let mut bytes = head.chain(bytes);
    let mut rest = bytes::Bytes::new();
    let mut ended = false;
    let mut row = 0_u64;
    let mut last = b'\n';
    let stream = async_stream::try_stream! {
        loop {
            // Decode until a batch is full or the file has ended.
            while decoder.capacity() > 0 && !ended {
                if rest.is_empty() {
                    match bytes.try_next().await? {
                        Some(chunk) if chunk.is_empty() => continue,
                        Some(chunk) => {
                            last = chunk.last().copied().unwrap_or(last);
                            rest = chunk;
                        }
                        None => {
                            ended = true;
                            // After the end of a line only an open quote can still hold a row.
                            if last != b'\n' {
                                decoder.decode(b"\n").map_err(|error| decode_fault(&file, error))?;
                            }
                            let room = decoder.capacity();
                            decoder.decode(&[]).map_err(|error| decode_fault(&file, error))?;
                            if decoder.capacity() < room {
                                Err(fault(&file, &format!("after row {row}"), "a quote is never closed")
                                    .with_hint("mend the file, or check `quote` and `escape` of the step's `read`"))?;
                            }
                            break;
                        }
                    }
                }
                // An empty slice tells the decoder that the file has ended.
                let used = decoder.decode(&rest).map_err(|error| decode_fault(&file, error))?;
                rest = rest.slice(used..);
            }
            let Some(text) = decoder.flush().map_err(|error| decode_fault(&file, error))? else {
                break;
            };
            let batch = layout.typed(&file, &text, &schema, row)?;
            row += batch.num_rows() as u64;
            yield batch;
        }
    };
    Ok(stream.boxed())
}

/// The fields of the first row, once it is whole.
fn first_record(bytes: &[u8], options: &CsvOptions, ended: bool) -> Option<Vec<Vec<u8>>> {
    let mut builder = csv_core::ReaderBuilder::new();
    builder.delimiter(options.delimiter).quote(options.quote);
    if let Some(escape) = options.escape {
        builder.escape(Some(escape)).double_quote(false);
    }
    let mut reader = builder.build();
    let mut output = vec![0; bytes.len() + 1];
    let mut ends = vec![0; bytes.len() + 1];
    let (result, _, written, fields) = reader.read_record(bytes, &mut output, &mut ends);
    let (written, fields) = match result {
        csv_core::ReadRecordResult::Record => (written, fields),
        csv_core::ReadRecordResult::InputEmpty if ended && !bytes.is_empty() => {
            let (_, _, more, last) =
                reader.read_record(&[], output.get_mut(written..)?, ends.get_mut(fields..)?);
            (written + more, fields + last)
        }
        _ => return None,
    };
    let mut start = 0;
    ends.get(..fields)?
        .iter()
        .map(|end| {
            let field = output.get(start..(*end).min(written)).map(<[u8]>::to_vec);
            start = *end;
            field
        })
        .collect()
}

/// Where each declared column is in a file.
struct Layout {
    /// How many fields a row has.
    width: usize,
    /// For each declared column its position.
    positions: Vec<usize>,
}

impl Layout {
    fn of(
        file: &InputFile,
        first: &[Vec<u8>],
        options: &CsvOptions,
        columns: &[Column],
    ) -> Result<Layout> {
        if !options.header {
            if first.len() != columns.len() {
                return Err(fault(
                    file,
                    "line 1",
                    format!("{} fields, but {} columns are declared", first.len(), columns.len()),
                )
                .with_hint("columns are matched by position where `header = false`: declare all of them, in order"));
            }
            return Ok(Layout {
                width: first.len(),
                positions: (0..columns.len()).collect(),
            });
        }
        let names: Vec<String> = first
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        let mut positions = Vec::with_capacity(columns.len());
        let mut missing = Vec::new();
        for column in columns {
            let wanted = column.source.as_ref().unwrap_or(&column.name);
            let exact = names.iter().position(|name| name == wanted);
            let folded = || {
                names
                    .iter()
                    .position(|name| name.eq_ignore_ascii_case(wanted))
            };
            match exact.or_else(folded) {
                Some(position) => positions.push(position),
                None => missing.push(wanted.as_str()),
            }
        }
        if !missing.is_empty() {
            return Err(fault(
                file,
                "line 1",
                format!(
                    "the header lacks {} '{}'",
                    if missing.len() == 1 {
                        "column"
                    } else {
                        "columns"
                    },
                    missing.join("', '")
                ),
            )
            .with_hint(format!(
                "the file has: {}; mend the file, or the `schema` of the step's `read`",
                names.join(", ")
            )));
        }
        for (position, name) in names.iter().enumerate() {
            if !positions.contains(&position) {
                tracing::warn!(file = %file.path, column = %name, "a column is not declared and was not read");
            }
        }
        Ok(Layout {
            width: names.len(),
            positions,
        })
    }

    /// Decodes text only: types come afterwards, so that a value that does not fit can be
    /// reported by its place without showing it.
    fn decoder(&self, options: &CsvOptions, batch_rows: usize) -> Result<Decoder> {
        let schema = Schema::new(
            (0..self.width)
                .map(|index| Field::new(index.to_string(), DataType::Utf8, true))
                .collect::<Vec<_>>(),
        );
        let mut builder = ReaderBuilder::new(Arc::new(schema))
            .with_header(options.header)
            .with_delimiter(options.delimiter)
            .with_quote(options.quote)
            .with_batch_size(batch_rows)
            .with_projection(self.sorted());
        if let Some(escape) = options.escape {
            builder = builder.with_escape(escape);
        }
        if options.nulls.iter().any(|text| !text.is_empty()) || options.nulls.is_empty() {
            let any = options
                .nulls
                .iter()
                .map(|text| regex::escape(text))
                .collect::<Vec<_>>()
                .join("|");
            let null = match options.nulls.is_empty() {
                // Nothing at all matches, not even the empty text.
                true => regex::Regex::new(r"[^\s\S]"),
                false => regex::Regex::new(&format!("^(?:{any})$")),
            };
            builder = builder.with_null_regex(
                null.map_err(|error| Error::usage("`nulls` cannot be used").with_source(error))?,
            );
        }
        Ok(builder.build_decoder())
    }

    /// The positions that are read, each once, ascending.
    fn sorted(&self) -> Vec<usize> {
        let mut sorted = self.positions.clone();
        sorted.sort_unstable();
        sorted.dedup();
        sorted
    }

    /// The declared columns, in their order and types. `row` counts the rows before this batch.
    fn typed(
        &self,
        file: &InputFile,
        text: &RecordBatch,
        schema: &SchemaRef,
        row: u64,
    ) -> Result<RecordBatch> {
        let sorted = self.sorted();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (field, position) in schema.fields().iter().zip(&self.positions) {
            let index = sorted
                .binary_search(position)
                .map_err(|_| Error::internal("a CSV column was not decoded"))?;
            columns.push(typed_column(file, text.column(index), field, row)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

/// Text as a declared type; a value that does not fit is named by its place.
pub(super) fn typed_column(
    file: &InputFile,
    text: &ArrayRef,
    field: &Field,
    row: u64,
) -> Result<ArrayRef> {
    let typed = match field.data_type() {
        DataType::Utf8 => Arc::clone(text),
        DataType::Binary => {
            let options = CastOptions::default();
            cast_with_options(text, &DataType::Binary, &options)?
        }
        other => {
            let trimmed: StringArray = text
                .as_string::<i32>()
                .iter()
                .map(|value| value.map(str::trim))
                .collect();
            // Safe: what does not parse becomes null, and shows as a null that was none before.
            let typed = cast_with_options(&trimmed, other, &CastOptions::default())?;
            let lost = |index: &usize| {
                !trimmed.is_null(*index)
                    && (typed.is_null(*index) || !exact(trimmed.value(*index), other))
            };
            if let Some(place) = (0..typed.len()).find(lost) {
                return Err(fault(
                    file,
                    &format!("row {}", row + place as u64 + 1),
                    format!("column '{}' is no {other}", field.name()),
                )
                .with_hint("mend the file, declare the column as string and type it in a plugin, or add what stands for nothing to `nulls`"));
            }
            typed
        }
    };
    if !field.is_nullable() && typed.null_count() > 0 {
        let place = (0..typed.len())
            .find(|index| typed.is_null(*index))
            .unwrap_or_default();
        return Err(fault(
            file,
            &format!("row {}", row + place as u64 + 1),
            format!(
                "column '{}' is empty, but declared `not null`",
                field.name()
            ),
        )
        .with_hint("mend the file, or declare the column nullable and check it with `not_null`"));
    }
    Ok(typed)
}

/// Whether the type holds all of the text: arrow rounds decimals, takes the day of a moment for a
/// date and cuts what is finer than a microsecond.
fn exact(text: &str, data_type: &DataType) -> bool {
    let fraction = || {
        let digits = text.rsplit_once('.').map_or("", |(_, fraction)| fraction);
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        digits
            .get(..end)
            .unwrap_or_default()
            .trim_end_matches('0')
            .len()
    };
    match data_type {
        DataType::Decimal128(_, scale) => {
            !text.contains(['e', 'E'])
                && usize::try_from(*scale).is_ok_and(|scale| fraction() <= scale)
        }
        DataType::Date32 => text.len() <= 10,
        DataType::Timestamp(_, _) | DataType::Time64(_) => fraction() <= 6,
        _ => true,
    }
}

/// What arrow's decoder says, which names line and field and never a value.
fn decode_fault(file: &InputFile, error: ArrowError) -> Error {
    let what = match error {
        ArrowError::CsvError(what) => what,
        other => other.to_string(),
    };
    let hint = if what.contains("number of fields") {
        "the row is ragged: mend it, or check `delimiter`, `quote` and `escape` of the step's `read`"
    } else if what.contains("UTF-8") {
        "save the file as UTF-8"
    } else {
        "mend the file, or check the options of the step's `read`"
    };
    Error::input(format!("{}: {what}", file.path)).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_holds_all_of_a_text_or_does_not() {
        let cents = DataType::Decimal128(10, 2);
        for (text, holds) in [
            ("1.25", true),
            ("1.2500", true),
            ("7", true),
            ("1.259", false),
            ("1e3", false),
        ] {
            assert_eq!(exact(text, &cents), holds, "{text}");
        }
        assert!(exact("2026-01-05", &DataType::Date32));
        assert!(!exact("2026-01-05T23:00:00", &DataType::Date32));
        let moment = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        assert!(exact("2026-01-05T23:00:00.123456000", &moment));
        assert!(!exact("2026-01-05T23:00:00.123456789", &moment));
        assert!(exact("2026-01-05T23:00:00.5+02:00", &moment));
    }
}
