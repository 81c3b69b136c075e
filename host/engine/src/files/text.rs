//! Files of text, CSV and JSON: opened here, decoded by `weir-decode`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use weir_decode::{Csv, Decode, DecodeError, Json};
use weir_pipeline::{Column, Compression, CsvOptions};

use super::{InputFile, open};
use crate::error::{Error, Result};
use crate::store::Stores;

/// The rows of one CSV file, in order.
pub(super) async fn read_csv(
    file: InputFile,
    compression: Compression,
    options: CsvOptions,
    columns: Arc<[Column]>,
    batch_rows: usize,
    stores: &Stores,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let decoder = Csv::new(options, &columns, batch_rows);
    let warn = |decoder: &mut Csv, file: &InputFile| {
        for column in decoder.take_undeclared() {
            tracing::warn!(file = %file.path, column = %column, "a column is not declared and was not read");
        }
    };
    read(file, compression, decoder, warn, stores).await
}

/// The rows of one JSON file, in order. With `array`, the brackets and commas of an outermost array
/// are passed over.
pub(super) async fn read_json(
    file: InputFile,
    compression: Compression,
    array: bool,
    columns: Arc<[Column]>,
    batch_rows: usize,
    stores: &Stores,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let decoder = Json::new(array, &columns, batch_rows).map_err(|error| located(&file, error))?;
    read(file, compression, decoder, |_, _| {}, stores).await
}

/// `note` may tell what the decoder has noticed, each time it has been given bytes.
async fn read<D: Decode + Send + 'static>(
    file: InputFile,
    compression: Compression,
    mut decoder: D,
    note: impl Fn(&mut D, &InputFile) + Send + 'static,
    stores: &Stores,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let mut bytes = open(&file, compression, stores).await?;
    let stream = async_stream::try_stream! {
        let mut ended = false;
        loop {
            let batch = decoder.batch();
            note(&mut decoder, &file);
            match batch.map_err(|error| located(&file, error))? {
                Some(batch) => yield batch,
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
    Ok(stream.boxed())
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
