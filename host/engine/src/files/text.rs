//! Files of text, CSV and JSON: opened here, decoded by `weir-decode`.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use weir_decode::{
    Convert, Csv, Decode, DecodeError, Decoded, Items as Decoder, Json, NoItem, RecordOptions,
};
use weir_dynamodb::ExportLines;
use weir_pipeline::{Column, CsvOptions, FileRead};

use super::{InputFile, open};
use crate::dynamodb::Items;
use crate::error::{Error, Result};
use crate::store::Stores;

/// The rows of one CSV file, in order.
pub(super) async fn read_csv(
    read: &FileRead,
    file: InputFile,
    options: CsvOptions,
    columns: Arc<[Column]>,
    batch_rows: usize,
    stores: &Stores,
) -> Result<BoxStream<'static, Result<Decoded>>> {
    let decoder = Csv::new(options, &columns, batch_rows).with_records(record_options(read));
    let warn = |decoder: &mut Csv, file: &InputFile| {
        for column in decoder.take_undeclared() {
            tracing::warn!(file = %file.path, column = %column, "a column is not declared and was not read");
        }
    };
    decode(read, file, decoder, warn, stores).await
}

/// The rows of one JSON file, in order. With `array`, the brackets and commas of an outermost array
/// are passed over.
pub(super) async fn read_json(
    read: &FileRead,
    file: InputFile,
    array: bool,
    columns: Arc<[Column]>,
    batch_rows: usize,
    stores: &Stores,
) -> Result<BoxStream<'static, Result<Decoded>>> {
    let decoder = Json::new(array, &columns, batch_rows)
        .and_then(|json| json.with_records(record_options(read)))
        .map_err(|error| located(&file, error))?;
    decode(read, file, decoder, |_, _| {}, stores).await
}

/// The items of DynamoDB in a file of an export, or in a segment of a table, in order.
pub(super) async fn read_items(
    read: &FileRead,
    file: InputFile,
    (whole, table): (Option<&str>, Option<&Items>),
    columns: Arc<[Column]>,
    batch_rows: usize,
    stores: &Stores,
) -> Result<BoxStream<'static, Result<Decoded>>> {
    // A table's items come as plain objects.
    let convert = table.is_none().then(export_lines);
    let options = record_options(read);
    let decoder = match whole {
        None => Decoder::new(convert, &columns, batch_rows, options),
        Some(name) => Decoder::whole(convert, name, batch_rows, options),
    };
    let decoder = decoder.map_err(|error| located(&file, error))?;
    let bytes = match table {
        Some(table) => table.read(&file)?,
        None => open(&file, read.compression, stores).await?,
    };
    Ok(decode_bytes(bytes, file, decoder, |_, _| {}))
}

/// Converts the lines of an export.
fn export_lines() -> Convert {
    let mut lines = ExportLines::new();
    Box::new(move |line, out| {
        lines.convert(line, out).map_err(|fault| NoItem {
            what: fault.to_string(),
            hint: fault.hint().to_owned(),
        })
    })
}

fn record_options(read: &FileRead) -> RecordOptions {
    RecordOptions {
        tolerant: read.is_tolerant(),
        longest: read.max_record,
        encoding: read.encoding,
        undeclared: read.undeclared,
    }
}

/// `note` may tell what the decoder has noticed, each time it has been given bytes.
async fn decode<D: Decode + Send + 'static>(
    read: &FileRead,
    file: InputFile,
    decoder: D,
    note: impl Fn(&mut D, &InputFile) + Send + 'static,
    stores: &Stores,
) -> Result<BoxStream<'static, Result<Decoded>>> {
    let bytes = open(&file, read.compression, stores).await?;
    Ok(decode_bytes(bytes, file, decoder, note))
}

fn decode_bytes<D: Decode + Send + 'static>(
    mut bytes: BoxStream<'static, Result<Bytes>>,
    file: InputFile,
    mut decoder: D,
    note: impl Fn(&mut D, &InputFile) + Send + 'static,
) -> BoxStream<'static, Result<Decoded>> {
    let stream = async_stream::try_stream! {
        let mut ended = false;
        loop {
            let decoded = decoder.batch();
            note(&mut decoder, &file);
            match decoded.map_err(|error| located(&file, error))? {
                Some(decoded) => yield decoded,
                None if ended => break,
                None => match bytes.try_next().await? {
                    Some(chunk) => decoder.push(chunk),
                    None => {
                        decoder.finish();
                        ended = true;
                    }
                },
            }
        }
    };
    stream.boxed()
}

/// A fault, with the file that it is in.
fn located(file: &InputFile, error: DecodeError) -> Error {
    match error {
        DecodeError::Fault(fault) => {
            Error::input(format!("{}: {fault}", file.path)).with_hint(fault.hint())
        }
        DecodeError::Arrow(error) => error.into(),
    }
}
