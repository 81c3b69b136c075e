//! Files that a plugin makes rows of: opened here, decoded in the sandbox.

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;
use bytes::{Bytes, BytesMut};
use datafusion::execution::memory_pool::MemoryPool;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use weir_decode::RAW_KEPT;
use weir_pipeline::{FileRead, GuestText};
use weir_sandbox::{ByteRejection, Emitted, GuestSink, Processed, Reserved, decoder_chunk};

use super::{FileRows, InputFile, fault, open};
use crate::envelope::UnreadRow;
use crate::error::{Error, Result};
use crate::segment::{PluginCall, PluginRole, PluginTally};
use crate::store::Stores;

/// Most bytes of rejected parts that are shown of one call.
const MOST_SHOWN: usize = 4 << 20;

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
    let mut running = call.running(&label, pool, &guest_log, &tally).await?;
    let outputs = running.instance.bind(&call.bind).await?;
    if let PluginRole::Decoder { schema } = &call.role {
        call.as_planned(&label, &outputs, &[schema])?;
    }
    let most = decoder_chunk(call.terms.limits.memory);
    let mut made = Made {
        tolerant: read.is_tolerant(),
        call,
        schema,
        batch_rows,
        file,
        window: Window::default(),
    };
    let stream = async_stream::try_stream! {
        let mut rest = BytesMut::new();
        let mut ended = false;
        while !ended {
            // Parts are of one size, wherever the store's chunks end: a run is like the other.
            while rest.len() < most && !ended {
                match bytes.try_next().await? {
                    Some(chunk) => rest.extend_from_slice(&chunk),
                    None => ended = true,
                }
            }
            while rest.len() >= most || (ended && !rest.is_empty()) {
                let part = rest.split_to(most.min(rest.len())).freeze();
                made.window.push(&part);
                let given = running.instance.decode(&part).await;
                let given = given.map_err(|error| Error::from(error).within(&made.file.path))?;
                let mut given = made.begin(given);
                while let Some(rows) = made.next(&mut given)? {
                    yield rows;
                }
            }
        }
        let given = running.instance.finish().await;
        let given = given.map_err(|error| Error::from(error).within(&made.file.path))?;
        let mut given = made.begin(given);
        while let Some(rows) = made.next(&mut given)? {
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

/// What one call gave, as far as no rows were made of it yet.
struct Given {
    emitted: std::vec::IntoIter<Emitted>,
    /// The batch at which it is, and its rows that were made.
    at: Option<(RecordBatch, usize)>,
    rejected: Vec<ByteRejection>,
    /// Of the rejected parts these were made rows of.
    told: usize,
    /// Bytes of rejected parts that may still be shown.
    shown: usize,
    /// What all of this takes of the run's memory.
    _reserved: Reserved,
}

impl Made {
    fn begin(&self, given: Processed) -> Given {
        Given {
            emitted: given.emitted.into_iter(),
            at: None,
            rejected: given.rejected_bytes,
            told: 0,
            shown: MOST_SHOWN,
            _reserved: given.reserved,
        }
    }

    /// The next rows, at most a batch of them: nothing is made before it is asked for.
    fn next(&self, given: &mut Given) -> Result<Option<FileRows>> {
        let most = self.batch_rows.max(1);
        loop {
            if let Some((batch, start)) = &mut given.at
                && *start < batch.num_rows()
            {
                let rows = most.min(batch.num_rows() - *start);
                let slice = batch.slice(*start, rows);
                *start += rows;
                let batch =
                    RecordBatch::try_new(Arc::clone(&self.schema), slice.columns().to_vec())?;
                return Ok(Some(FileRows {
                    batch,
                    unread: Vec::new(),
                }));
            }
            match given.emitted.next() {
                Some(emitted) => given.at = Some((emitted.batch, 0)),
                None => break,
            }
        }
        let left = given.rejected.get(given.told..).unwrap_or(&[]);
        if left.is_empty() {
            return Ok(None);
        }
        let rejected = left.get(..most).unwrap_or(left);
        let rows = self.unread(rejected, &mut given.shown)?;
        given.told += rejected.len();
        Ok(Some(rows))
    }

    /// A row of nulls for each of the rejected parts.
    fn unread(&self, rejected: &[ByteRejection], shown: &mut usize) -> Result<FileRows> {
        if let (false, Some(first)) = (self.tolerant, rejected.first()) {
            let place = self
                .place(first)
                .unwrap_or_else(|| "a part of it".to_owned());
            return Err(fault(&self.file, &place, self.demand(&first.rule)).with_hint(
                "mend the file; or let `read` keep such parts aside with `on_fail = \"quarantine\"`, where the plugin's own words stand",
            ));
        }
        let nulls = self.schema.fields().iter();
        let nulls = nulls.map(|field| new_null_array(field.data_type(), rejected.len()));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), nulls.collect())?;
        let unread = rejected.iter().enumerate().map(|(row, bytes)| {
            let said = self.call.message(&bytes.rule, &bytes.message);
            let raw = match self.call.words_kept_out {
                true => String::new(),
                false => self.window.text(bytes.offset, bytes.length, *shown),
            };
            *shown = shown.saturating_sub(raw.len());
            UnreadRow {
                row,
                rule: bytes.rule.clone().into(),
                message: match self.place(bytes) {
                    Some(place) => format!("{place}: {said}"),
                    None => said.to_owned(),
                },
                raw,
            }
        });
        Ok(FileRows {
            unread: unread.collect(),
            batch,
        })
    }

    /// Where a rejected part is. Both numbers are the plugin's: where its words are kept, they are too.
    fn place(&self, bytes: &ByteRejection) -> Option<String> {
        let told = self.call.text == GuestText::Open && !self.call.words_kept_out;
        told.then(|| format!("{} bytes from byte {} on", bytes.length, bytes.offset))
    }

    /// The rule and what it demands, in the words of `describe`: what is said of a part may hold data.
    fn demand(&self, rule: &str) -> String {
        self.call.demand(rule)
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

    /// The beginning of a rejected part, as far as it is there and at most `most` bytes; the offsets are a
    /// plugin's word.
    fn text(&self, offset: u64, length: u64, most: usize) -> String {
        let from = offset.checked_sub(self.start);
        let from = from.and_then(|from| usize::try_from(from).ok());
        let kept = from.and_then(|from| self.bytes.get(from..)).unwrap_or(&[]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let length = length.min(RAW_KEPT).min(most).min(kept.len());
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
        assert_eq!(window.text(4, 4, RAW_KEPT), "two\n");
        assert_eq!(window.text(6, u64::MAX, RAW_KEPT), "o\n");
        assert_eq!(window.text(9, 1, RAW_KEPT), "");
        window.push(&Bytes::from(vec![b'x'; RAW_KEPT]));
        assert_eq!(window.text(4, 5, RAW_KEPT), "two\nx");
        window.push(&Bytes::from_static(b"end"));
        assert_eq!(window.text(4, 4, RAW_KEPT), "", "that is gone");
        assert_eq!(window.text(8, 2, RAW_KEPT), "xx");
        assert_eq!(window.text(8 + RAW_KEPT as u64, 3, RAW_KEPT), "end");
        assert_eq!(window.text(u64::MAX, 3, RAW_KEPT), "");
        assert_eq!(window.text(8, 100, 2), "xx");
        assert_eq!(window.text(8, 100, 0), "");
    }
}
