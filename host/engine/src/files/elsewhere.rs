//! Rows that a plugin reads somewhere else, page by page. Each shard of its stream counts as a file, so that rows
//! have an origin, and records that form no row go where bad records of files go.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;
use datafusion::execution::memory_pool::MemoryPool;
use futures::StreamExt;
use futures::stream::BoxStream;
use weir_pipeline::FileRead;
use weir_sandbox::{
    GuestSink, LimitKind, Page, PluginErrorKind, Reading, RecordRejection, SandboxError, Stream,
};

use super::{FileRows, InputFile, fault};
use crate::commit::Position;
use crate::envelope::UnreadRow;
use crate::error::{Error, ErrorKind, Result};
use crate::segment::{PluginCall, PluginRole, PluginTally, Running};

/// How often a page is asked for again, and how long is waited before the first time; each wait is twice the one
/// before, in all half a minute.
const ATTEMPTS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Most pages of a shard, one behind the other, that give neither a row nor a rejected record. A plugin that finds
/// nothing may look on within one page; one that gives page after page of nothing would be read for ever.
const MOST_EMPTY: u32 = 10_000;
/// After how many of them somebody is told, each time.
const EMPTY_TOLD: u32 = 1_000;

/// A plugin that reads a stream.
#[derive(Clone)]
pub struct Elsewhere {
    /// The plugin, with what it is called with.
    pub(crate) call: Arc<PluginCall>,
    /// How people call the read.
    pub(crate) label: Arc<str>,
    /// What its instances use.
    pub(crate) tally: Arc<Mutex<PluginTally>>,
    /// Takes its words, where they are kept.
    pub(crate) guest_log: Arc<dyn GuestSink>,
    /// How far the stream is read.
    pub(crate) progress: Arc<Progress>,
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere")
            .field("plugin", &self.call.plugin.name())
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// How far one batch of a step reads a stream: where each shard begins, and where it has come to.
pub(crate) struct Progress {
    /// The stream, as people call it.
    stream: String,
    /// The states that earlier batches have kept, by shard.
    before: BTreeMap<String, String>,
    /// The most rows of a batch, where states are kept with the rows; absent: all is read, from the beginning.
    most: Option<u64>,
    /// Whether rows may come again: where they are merged, a source whose filter lets the last ones through once
    /// more does no harm.
    again: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The state behind the last page of each shard.
    states: BTreeMap<String, String>,
    rows: u64,
    /// Whether a shard has stopped before its end, since the batch is full.
    stopped: bool,
    /// Why a shard has stopped, if not for that: what was read before is kept all the same.
    failed: Option<Error>,
}

/// What a batch has come to.
pub(crate) enum Outcome {
    /// Nothing is new.
    Nothing,
    /// This is how far it has come, and whether there is more to read.
    Read {
        /// The states to be kept with the rows.
        position: Position,
        /// Whether another batch has something to read.
        more: bool,
    },
}

impl Progress {
    /// All of the stream, from the beginning; nothing is kept of how far that was.
    pub(crate) fn whole(stream: &str) -> Progress {
        Progress {
            stream: stream.to_owned(),
            before: BTreeMap::new(),
            most: None,
            again: true,
            seen: Mutex::default(),
        }
    }

    /// What is behind `before`, until a batch of `most` rows is full. `again`: whether rows may come that have come
    /// before.
    ///
    /// # Errors
    /// Usage, if what the step has read so far is something else.
    pub(crate) fn behind(
        stream: &str,
        before: Option<Position>,
        most: u64,
        again: bool,
    ) -> Result<Progress> {
        let before = match before {
            None => BTreeMap::new(),
            Some(Position::Source {
                stream: known,
                states,
            }) if known == stream => states,
            Some(_) => {
                return Err(Error::usage(format!(
                    "so far the step has not read the stream {stream}"
                ))
                .with_hint("run the step with --full-refresh: it reads all rows, in place of those that it has written"));
            }
        };
        Ok(Progress {
            stream: stream.to_owned(),
            before,
            most: Some(most),
            again,
            seen: Mutex::default(),
        })
    }

    /// What the batch has come to, once all of it is written.
    ///
    /// # Errors
    /// Why nothing could be read.
    pub(crate) fn outcome(&self) -> Result<Outcome> {
        let mut seen = self.seen();
        let mut states = self.before.clone();
        states.extend(seen.states.clone());
        // Without a row the error is not put off: a plugin that moves its state and fails would be asked for ever.
        if seen.rows == 0 && (states == self.before || seen.failed.is_some()) {
            return match seen.failed.take() {
                Some(error) => Err(error),
                None => Ok(Outcome::Nothing),
            };
        }
        // Page by page it moved, and ended where it began: the same rows would come in the next batch.
        if states == self.before && (seen.stopped || !self.again) {
            return Err(standstill(&self.stream, seen.rows));
        }
        if let Some(error) = &seen.failed {
            tracing::warn!(
                stream = %self.stream, error = %error,
                "a shard could not be read to its end; what was read is kept, and it is tried once more"
            );
        }
        Ok(Outcome::Read {
            position: Position::Source {
                stream: self.stream.clone(),
                states,
            },
            more: seen.stopped || seen.failed.is_some(),
        })
    }

    /// That nothing of the stream is read.
    pub(crate) fn beginning(&self) -> Position {
        Position::Source {
            stream: self.stream.clone(),
            states: BTreeMap::new(),
        }
    }

    fn state(&self, shard: &str) -> Option<String> {
        self.before.get(shard).cloned()
    }

    /// Whether the batch takes no more pages, which the shard that asks is told.
    fn is_full(&self) -> bool {
        let mut seen = self.seen();
        let full = self.most.is_some_and(|most| seen.rows >= most);
        seen.stopped |= full;
        full
    }

    fn passed(&self, shard: &str, state: &str, rows: u64) {
        let mut seen = self.seen();
        seen.rows += rows;
        seen.states.insert(shard.to_owned(), state.to_owned());
    }

    /// Takes an error, if what was read before it can be kept without what comes behind.
    fn failed(&self, error: Error) -> Result<()> {
        match self.most {
            None => Err(error),
            Some(_) => {
                self.seen().failed.get_or_insert(error);
                Ok(())
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shards of a stream, each as a file.
pub(crate) fn shards(plugin: &str, stream: &Stream) -> Vec<InputFile> {
    stream
        .shards
        .iter()
        .map(|shard| InputFile {
            path: shard_path(plugin, stream, shard),
            size: 0,
            etag: None,
        })
        .collect()
}

fn shard_path(plugin: &str, stream: &Stream, shard: &str) -> String {
    match shard {
        "" => format!("source://{plugin}/{}", stream.name),
        shard => format!("source://{plugin}/{}/{shard}", stream.name),
    }
}

/// The rows of one shard, in order, in batches of at most `batch_rows`. `schema` is the planned one, with nulls where
/// reading is tolerant.
pub(super) fn read_elsewhere(
    read: &FileRead,
    file: InputFile,
    elsewhere: &Elsewhere,
    schema: SchemaRef,
    batch_rows: usize,
    pool: &Arc<dyn MemoryPool>,
) -> Result<BoxStream<'static, Result<FileRows>>> {
    let PluginRole::Source { stream } = &elsewhere.call.role else {
        return Err(Error::internal("a source was not planned as one"));
    };
    let plugin = elsewhere.call.plugin.name();
    let shard = stream
        .shards
        .iter()
        .find(|shard| shard_path(plugin, stream, shard) == file.path)
        .ok_or_else(|| Error::internal("a shard that is not of the stream"))?
        .clone();
    let made = Made {
        tolerant: read.is_tolerant(),
        call: Arc::clone(&elsewhere.call),
        schema,
        batch_rows: batch_rows.max(1),
        file,
    };
    let (elsewhere, pool) = (elsewhere.clone(), Arc::clone(pool));
    let rows = async_stream::try_stream! {
        let progress = &elsewhere.progress;
        let mut pages = Pages {
            state: progress.state(&shard),
            running: None,
            empty: 0,
            shard: &shard,
            elsewhere: &elsewhere,
            pool: &pool,
        };
        while !progress.is_full() {
            let page = match pages.next().await {
                Ok(page) => page,
                Err(error) => {
                    progress.failed(error.within(&made.file.path))?;
                    break;
                }
            };
            let mut rows = 0;
            for next in made.rows(&page)? {
                let next = next?;
                rows += next.batch.num_rows() as u64;
                yield next;
            }
            pages.keep(&page, rows)?;
            if page.done {
                break;
            }
        }
    };
    Ok(rows.boxed())
}

/// The pages of a shard, each asked for again where that may help.
struct Pages<'a> {
    /// The state behind the last page.
    state: Option<String>,
    /// None before the first page and after an error.
    running: Option<Running>,
    /// How many pages gave nothing since one did.
    empty: u32,
    shard: &'a str,
    elsewhere: &'a Elsewhere,
    pool: &'a Arc<dyn MemoryPool>,
}

impl Pages<'_> {
    async fn next(&mut self) -> Result<Page> {
        let mut wait = FIRST_WAIT;
        let mut attempt = 0;
        loop {
            let error = match self.attempt().await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            // The instance is gone, and with it what it had emitted since the last page.
            self.running = None;
            attempt += 1;
            let Failed::Later(error) = error else {
                return Err(error.into());
            };
            if attempt == ATTEMPTS {
                return Err(Error::from(error));
            }
            tracing::warn!(
                read = %self.elsewhere.label, shard = self.shard, attempt, error = %error,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "the source asks for another try"
            );
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    async fn attempt(&mut self) -> std::result::Result<Page, Failed> {
        let running = match &mut self.running {
            Some(running) => running,
            none => none.insert(
                self.elsewhere
                    .open(self.shard, self.state.clone(), self.pool)
                    .await?,
            ),
        };
        Ok(running.instance.read().await?)
    }

    /// Takes note of a page whose rows were passed on.
    fn keep(&mut self, page: &Page, rows: u64) -> Result<()> {
        let progress = &self.elsewhere.progress;
        let stands = self.state.as_ref() == Some(&page.state);
        let harms = !(progress.again && page.done);
        if stands && progress.most.is_some() && rows > 0 && harms {
            let plugin = self.elsewhere.call.plugin.name();
            let whose = format!("{}: plugin '{plugin}'", self.elsewhere.label);
            return Err(standstill(&whose, rows));
        }
        if stands && rows == 0 && !page.done {
            return Err(Error::new(
                ErrorKind::Plugin,
                format!(
                    "{}: plugin '{}' gave a page without rows and with the state before: it would never end",
                    self.elsewhere.label,
                    self.elsewhere.call.plugin.name()
                ),
            )
            .with_hint("tell the plugin's author: a page moves on, or is the last"));
        }
        self.empty = match rows {
            0 => self.empty.saturating_add(1),
            _ => 0,
        };
        if self.empty >= MOST_EMPTY && !page.done {
            return Err(Error::new(
                ErrorKind::Plugin,
                format!(
                    "{}: plugin '{}' gave {MOST_EMPTY} pages without rows, one behind the other, and does not say that it is done",
                    self.elsewhere.label,
                    self.elsewhere.call.plugin.name()
                ),
            )
            .with_hint("tell the plugin's author: a page may look on until it finds a row, and where there is none it is the last"));
        }
        if self.empty > 0 && self.empty.is_multiple_of(EMPTY_TOLD) {
            tracing::warn!(
                read = %self.elsewhere.label, shard = self.shard, pages = self.empty,
                "the source gives pages without rows"
            );
        }
        progress.passed(self.shard, &page.state, rows);
        self.state = Some(page.state.clone());
        Ok(())
    }
}

/// A source that gives rows and does not move.
fn standstill(whose: &str, rows: u64) -> Error {
    Error::new(
        ErrorKind::Plugin,
        format!(
            "{whose} gave {rows} rows, and its state is the one before: the next run would read them again"
        ),
    )
    .with_hint("merge the rows by their key, if whoever is asked gives the last ones again; else tell the plugin's author. Mode \"replace\" needs no state")
}

/// Why there is no page.
enum Failed {
    /// It may come later.
    Later(SandboxError),
    /// It will not.
    Now(Error),
}

impl From<SandboxError> for Failed {
    fn from(error: SandboxError) -> Failed {
        let later = match &error {
            SandboxError::PluginError { kind, .. } => *kind == PluginErrorKind::Retry,
            SandboxError::Limit { which, .. } => *which == LimitKind::WallClock,
            _ => false,
        };
        match later {
            true => Failed::Later(error),
            false => Failed::Now(Error::from(error)),
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Now(error)
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Error {
        match failed {
            Failed::Later(error) => Error::from(error),
            Failed::Now(error) => error,
        }
    }
}

impl Elsewhere {
    async fn open(
        &self,
        shard: &str,
        state: Option<String>,
        pool: &Arc<dyn MemoryPool>,
    ) -> std::result::Result<Running, Failed> {
        let PluginRole::Source { stream } = &self.call.role else {
            return Err(Error::internal("a source was not planned as one").into());
        };
        let (label, log) = (&self.label, &self.guest_log);
        let mut running = self.call.running(label, pool, log, &self.tally).await?;
        let reading = Reading {
            stream: stream.name.clone(),
            shard: shard.to_owned(),
            state,
        };
        let schema = running.instance.open(&self.call.bind, &reading).await?;
        match schema.fields() == stream.schema.fields() {
            true => Ok(running),
            false => Err(Error::new(
                ErrorKind::Plugin,
                format!(
                    "{}: plugin '{}' opened '{}' with other columns than it had when the run was planned",
                    self.label,
                    self.call.plugin.name(),
                    stream.name
                ),
            )
            .with_hint("run the same command again, if what it reads has changed meanwhile")
            .into()),
        }
    }
}

/// Makes rows of the step of what a page gives.
struct Made {
    tolerant: bool,
    call: Arc<PluginCall>,
    schema: SchemaRef,
    batch_rows: usize,
    file: InputFile,
}

impl Made {
    /// The rows of a page, and behind them a row of nulls for each of its rejected records: in batches, of which
    /// none is made before it is asked for.
    fn rows<'a>(&'a self, page: &'a Page) -> Result<impl Iterator<Item = Result<FileRows>> + 'a> {
        let rejected = page.given.rejected_records.as_slice();
        if let (false, Some(first)) = (self.tolerant, rejected.first()) {
            return Err(fault(&self.file, "a record", self.call.demand(&first.rule)).with_hint(
                "mend what is read; or let `read` keep such records aside with `on_fail = \"quarantine\"`, where the plugin's own words stand",
            ));
        }
        let emitted = page.given.emitted.iter().flat_map(move |emitted| {
            let rows = emitted.batch.num_rows();
            let starts = (0..rows).step_by(self.batch_rows);
            starts.map(move |start| {
                let slice = emitted
                    .batch
                    .slice(start, self.batch_rows.min(rows - start));
                let columns = slice.columns().to_vec();
                Ok(FileRows {
                    batch: RecordBatch::try_new(Arc::clone(&self.schema), columns)?,
                    unread: Vec::new(),
                })
            })
        });
        let unread = rejected.chunks(self.batch_rows);
        Ok(emitted.chain(unread.map(move |rejected| self.unread(rejected))))
    }

    fn unread(&self, rejected: &[RecordRejection]) -> Result<FileRows> {
        let nulls = self.schema.fields().iter();
        let nulls = nulls.map(|field| new_null_array(field.data_type(), rejected.len()));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), nulls.collect())?;
        let unread = rejected.iter().enumerate().map(|(row, record)| UnreadRow {
            row,
            rule: record.rule.clone().into(),
            message: self.call.message(&record.rule, &record.message).to_owned(),
            raw: match self.call.words_kept_out {
                true => String::new(),
                false => record.record.clone(),
            },
        });
        Ok(FileRows {
            unread: unread.collect(),
            batch,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(of: &Progress) -> (BTreeMap<String, String>, bool) {
        match of.outcome().unwrap() {
            Outcome::Read {
                position: Position::Source { states, .. },
                more,
            } => (states, more),
            _ => panic!("nothing was read"),
        }
    }

    #[test]
    fn a_batch_ends_with_the_page_that_fills_it() {
        let progress = Progress::behind("p:s", None, 10, false).unwrap();
        assert!(!progress.is_full());
        progress.passed("", "1", 9);
        assert!(!progress.is_full());
        progress.passed("", "2", 9);
        assert!(progress.is_full());
        let (states, more) = states(&progress);
        assert_eq!(states.get("").unwrap(), "2");
        assert!(more, "the shard did not come to its end");
    }

    #[test]
    fn what_was_read_before_an_error_is_kept_and_the_error_comes_with_the_next_batch() {
        let fails = || Error::input("no answer");
        let progress = Progress::behind("p:s", None, 10, false).unwrap();
        progress.passed("a", "1", 1);
        progress.failed(fails()).unwrap();
        let (kept, more) = states(&progress);
        assert!(more);
        let position = Position::Source {
            stream: "p:s".to_owned(),
            states: kept,
        };
        let next = Progress::behind("p:s", Some(position), 10, false).unwrap();
        assert_eq!(next.state("a").unwrap(), "1");
        next.failed(fails()).unwrap();
        let error = next.outcome().err().unwrap();
        assert!(error.to_string().contains("no answer"), "{error}");
    }

    #[test]
    fn a_state_that_moves_without_a_row_puts_no_error_off() {
        let progress = Progress::behind("p:s", None, 10, false).unwrap();
        progress.passed("a", "1", 0);
        progress.failed(Error::input("no answer")).unwrap();
        let error = progress.outcome().err().unwrap();
        assert!(error.to_string().contains("no answer"), "{error}");
        // Without an error it is kept.
        let progress = Progress::behind("p:s", None, 10, false).unwrap();
        progress.passed("a", "1", 0);
        assert_eq!(states(&progress).0.get("a").unwrap(), "1");
    }

    #[test]
    fn rows_are_not_lost_where_a_source_ends_where_it_began() {
        let at = |state: &str, again| {
            let states = BTreeMap::from([("a".to_owned(), state.to_owned())]);
            let stream = "p:s".to_owned();
            let position = Position::Source { stream, states };
            Progress::behind("p:s", Some(position), 10, again).unwrap()
        };
        // Merged, they are kept; added, they would come again with each run.
        let merged = at("1", true);
        merged.passed("a", "2", 3);
        merged.passed("a", "1", 2);
        let (kept, more) = states(&merged);
        assert_eq!((kept.get("a").unwrap().as_str(), more), ("1", false));
        let added = at("1", false);
        added.passed("a", "2", 3);
        added.passed("a", "1", 2);
        let error = added.outcome().err().unwrap();
        assert!(error.hint().unwrap().contains("merge the rows"), "{error}");
        // A batch that is full there would be followed by the same one.
        let full = at("1", true);
        full.passed("a", "1", 10);
        assert!(full.is_full() && full.outcome().is_err());
        // Nothing is nothing.
        let nothing = at("1", true);
        nothing.passed("a", "1", 0);
        assert!(matches!(nothing.outcome(), Ok(Outcome::Nothing)));
    }

    #[test]
    fn all_is_read_or_nothing_where_no_state_is_kept() {
        let progress = Progress::whole("p:s");
        progress.passed("", "1", u64::MAX / 2);
        assert!(!progress.is_full());
        assert!(progress.failed(Error::input("no answer")).is_err());
    }

    #[test]
    fn a_state_of_something_else_is_refused() {
        let other = Position::Source {
            stream: "p:other".to_owned(),
            states: BTreeMap::new(),
        };
        let error = Progress::behind("p:s", Some(other), 1, false)
            .err()
            .unwrap();
        assert!(error.hint().unwrap().contains("--full-refresh"));
    }
}
