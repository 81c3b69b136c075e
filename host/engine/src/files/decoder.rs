//! Files that a plugin makes rows of: opened here, decoded in the sandbox.

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::execution::memory_pool::MemoryPool;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use weir_decode::RAW_KEPT;
use weir_pipeline::FileRead;
use weir_sandbox::{ByteRejection, GuestSink, Instance, Processed};

use super::{FileRows, InputFile, fault, open};
use crate::envelope::UnreadRow;
use crate::error::{Error, Result};
use crate::segment::{PluginCall, PluginRole, PluginTally};
use crate::store::Stores;

/// Most bytes that a plugin is given at once.
const CHUNK: u64 = 1 << 20;

/// A plugin that decodes the files of a step.
#[derive(Clone)]
pub struct Decoding {
    /// The plugin, with what it is called with.
    pub(crate) call: Arc<PluginCall>,
    /// How people call the read.
    pub(crate) label: Arc<str>,
    /// What its instances use.
    pub(crate) tally: Arc<Mutex<PluginTally>>,
    /// Takes its words, where they are kept.
    pub(crate) guest_log: Arc<dyn GuestSink>,
}

impl fmt::Debug for Decoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoding")
            .field("plugin", &self.call.plugin.name())
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// An instance at work on one file. What it has used is counted however it ends.
struct Running {
    instance: Instance,
    tally: Arc<Mutex<PluginTally>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(mut tally) = self.tally.lock() {
            tally.count(&self.instance);
        }
    }
}

/// The rows of one file, in order, in batches of at most `batch_rows`. What forms no row comes behind the rows of
/// the call in which the plugin said so. `schema` is the planned one, with nulls where reading is tolerant.
pub(super) async fn read_decoded(
    read: &FileRead,
    file: InputFile,
    decoding: &Decoding,
    schema: SchemaRef,
    batch_rows: usize,
    (pool, stores): (&Arc<dyn MemoryPool>, &Stores),
) -> Result<BoxStream<'static, Result<FileRows>>> {
    let mut bytes = open(&file, read.compression, stores).await?;
    let Decoding {
        call,
        label,
        tally,
        guest_log,
    } = decoding.clone();
    let (instance, reservation) = call.instance(&label, pool, &guest_log).await?;
    let mut running = Running { instance, tally };
    let outputs = running.instance.bind(&call.bind).await?;
    if let PluginRole::Decoder { schema } = &call.role {
        call.as_planned(&label, &outputs, &[schema])?;
    }
    let most = usize::try_from(CHUNK.min(call.terms.limits.memory / 4)).unwrap_or(usize::MAX);
    let mut made = Made {
        tolerant: read.is_tolerant(),
        call,
        schema,
        batch_rows,
        file,
        window: Window::default(),
    };
    let stream = async_stream::try_stream! {
        // Held as long as the instance is.
        let _reservation = reservation;
        while let Some(mut chunk) = bytes.try_next().await? {
            while !chunk.is_empty() {
                let part = chunk.split_to(most.min(chunk.len()));
                made.window.push(&part);
                let given = running.instance.decode(&part).await;
                let given = given.map_err(|error| Error::from(error).within(&made.file.path))?;
                let _reserved = given.reserved.clone();
                for rows in made.rows(given)? {
                    yield rows;
                }
            }
        }
        let given = running.instance.finish().await;
        let given = given.map_err(|error| Error::from(error).within(&made.file.path))?;
        let _reserved = given.reserved.clone();
        for rows in made.rows(given)? {
            yield rows;
        }
    };
    Ok(stream.boxed())
}

/// Makes rows of the step of what a plugin gives.
struct Made {
    tolerant: bool,
    call: Arc<PluginCall>,
    schema: SchemaRef,
    batch_rows: usize,
    file: InputFile,
    window: Window,
}

impl Made {
    fn rows(&self, given: Processed) -> Result<Vec<FileRows>> {
        let mut all = Vec::new();
        for emitted in given.emitted {
            let batch =
                RecordBatch::try_new(Arc::clone(&self.schema), emitted.batch.columns().to_vec())?;
            let mut start = 0;
            while start < batch.num_rows() {
                let rows = self.batch_rows.max(1).min(batch.num_rows() - start);
                all.push(FileRows {
                    batch: batch.slice(start, rows),
                    unread: Vec::new(),
                });
                start += rows;
            }
        }
        for rejected in given.rejected_bytes.chunks(self.batch_rows.max(1)) {
            all.push(self.unread(rejected)?);
        }
        Ok(all)
    }

    /// A row of nulls for each of the rejected parts.
    fn unread(&self, rejected: &[ByteRejection]) -> Result<FileRows> {
        if let (false, Some(first)) = (self.tolerant, rejected.first()) {
            let place = format!("{} bytes from byte {} on", first.length, first.offset);
            let message = self.call.message(&first.rule, &first.message);
            let told = match message.is_empty() {
                true => first.rule.clone(),
                false => format!("{} ({})", message, first.rule),
            };
            return Err(fault(&self.file, &place, told).with_hint(
                "mend the file; or let `read` keep such parts aside with `on_fail = \"quarantine\"`",
            ));
        }
        let nulls = self.schema.fields().iter();
        let nulls = nulls.map(|field| new_null_array(field.data_type(), rejected.len()));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), nulls.collect())?;
        let unread = rejected.iter().enumerate().map(|(row, bytes)| UnreadRow {
            row,
            rule: bytes.rule.clone().into(),
            message: format!(
                "{} bytes from byte {} on: {}",
                bytes.length,
                bytes.offset,
                self.call.message(&bytes.rule, &bytes.message)
            ),
            raw: self.window.text(bytes.offset, bytes.length),
        });
        Ok(FileRows {
            unread: unread.collect(),
            batch,
        })
    }
}

/// The bytes of a file that were given last, of which rejected ones are shown.
#[derive(Default)]
struct Window {
    /// Where they begin in the file.
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn push(&mut self, part: &Bytes) {
        // What began before this part may be rejected with it.
        let passed = self.bytes.len().saturating_sub(RAW_KEPT);
        self.bytes.drain(..passed);
        self.start += passed as u64;
        self.bytes.extend_from_slice(part);
    }

    /// The beginning of a rejected part, as far as it is there; the offsets are a plugin's word.
    fn text(&self, offset: u64, length: u64) -> String {
        let from = offset.checked_sub(self.start);
        let from = from.and_then(|from| usize::try_from(from).ok());
        let kept = from.and_then(|from| self.bytes.get(from..)).unwrap_or(&[]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let length = length.min(RAW_KEPT).min(kept.len());
        String::from_utf8_lossy(kept.get(..length).unwrap_or(&[])).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_what_was_given_last() {
        let mut window = Window::default();
        window.push(&Bytes::from_static(b"one\ntwo\n"));
        assert_eq!(window.text(4, 4), "two\n");
        assert_eq!(window.text(6, u64::MAX), "o\n");
        assert_eq!(window.text(9, 1), "");
        window.push(&Bytes::from(vec![b'x'; RAW_KEPT]));
        assert_eq!(window.text(4, 5), "two\nx");
        window.push(&Bytes::from_static(b"end"));
        assert_eq!(window.text(4, 4), "", "that is gone");
        assert_eq!(window.text(8, 2), "xx");
        assert_eq!(window.text(8 + RAW_KEPT as u64, 3), "end");
        assert_eq!(window.text(u64::MAX, 3), "");
    }
}
