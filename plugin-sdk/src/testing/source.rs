//! Running a source natively: its requests answered by the test, and every state gone on from.

use std::fmt;
use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::record::{self, Recorded};
use super::{Harness, cross};
use crate::host::Level;
use crate::http::Request;
use crate::source::{OpenSource, PageSink, Stream};
use crate::wire::{schema_from_wit, schema_to_wit};
use crate::{Error, Source};

/// Most pages that a harness reads before it says that the source does not end.
const MOST_PAGES: usize = 10_000;

/// What a test answers to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// 200 with these bytes.
    pub fn bytes(body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// 200 with this JSON.
    pub fn json(body: &serde_json::Value) -> Answer {
        Answer::bytes(body.to_string()).header("content-type", "application/json")
    }

    /// No body and this status.
    pub fn status(status: u16) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }
}

/// How a test answers requests.
#[derive(Clone)]
pub(crate) struct Responder(pub(crate) Arc<dyn Fn(&Request) -> Answer + Send + Sync>);

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder(…)")
    }
}

/// What was read of one shard of a stream.
#[derive(Clone, Debug)]
pub struct Read {
    /// All rows, in order.
    pub rows: RecordBatch,
    /// The records that formed no row, in order.
    pub rejections: Vec<RejectedRecord>,
    /// The state behind each page, as JSON.
    pub states: Vec<String>,
    /// The requests made, in order.
    pub requests: Vec<Request>,
    /// What was logged.
    pub logs: Vec<(Level, String)>,
    /// The sum of each counter, by name.
    pub metrics: Vec<(String, f64)>,
}

/// A record that formed no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// What is shown of it.
    pub record: String,
    /// The name of the rule it breaks.
    pub rule: String,
    /// The message.
    pub message: String,
}

impl Harness {
    /// Answers the plugin's requests; without, each is an [`Error::Config`].
    #[must_use]
    pub fn respond(
        mut self,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Harness {
        self.responder = Some(Responder(Arc::new(answer)));
        self
    }

    /// The streams of a source.
    ///
    /// # Errors
    /// What the plugin returns, and [`Error::Fatal`] for each breach of the contract.
    pub fn discover<S: Source>(&self) -> Result<Vec<Stream>, Error> {
        let _granted = record::start(&self.side_inputs, &self.secrets, self.responder.clone());
        let streams = OpenSource::<S>::discover(&self.config, &self.run)?;
        for stream in &streams {
            schema_to_wit(&stream.schema)?;
        }
        Ok(streams)
    }

    /// Reads a stream from the beginning to its end. Then again from every state that was returned, which must give
    /// the rows behind it: as a run that begins where another ended.
    ///
    /// # Errors
    /// What the plugin returns, and [`Error::Fatal`] for each breach of the contract.
    pub fn read<S: Source>(&self, stream: &str, shard: &str) -> Result<Read, Error> {
        let (read, ends) = self.read_once::<S>(stream, shard, None)?;
        for (state, (rows, rejections)) in read.states.iter().zip(ends) {
            let (again, _) = self.read_once::<S>(stream, shard, Some(state))?;
            let behind = read.rows.slice(rows, read.rows.num_rows() - rows);
            let rejected = read.rejections.get(rejections..).unwrap_or(&[]);
            if again.rows != behind || again.rejections != rejected {
                return Err(Error::fatal(format!(
                    "a run that begins with the state {state} reads other rows than those behind it: {} rows and {} rejections, not {} and {}",
                    again.rows.num_rows(),
                    again.rejections.len(),
                    behind.num_rows(),
                    rejected.len()
                )));
            }
        }
        Ok(read)
    }

    /// Reads a stream behind a state, to its end.
    ///
    /// # Errors
    /// What the plugin returns, and [`Error::Fatal`] for each breach of the contract.
    pub fn read_behind<S: Source>(
        &self,
        stream: &str,
        shard: &str,
        state: &str,
    ) -> Result<Read, Error> {
        let (read, _) = self.read_once::<S>(stream, shard, Some(state))?;
        Ok(read)
    }

    /// What is read, and where each page ends in it: rows and rejections.
    fn read_once<S: Source>(
        &self,
        stream: &str,
        shard: &str,
        state: Option<&str>,
    ) -> Result<(Read, Vec<(usize, usize)>), Error> {
        let recording = record::start(&self.side_inputs, &self.secrets, self.responder.clone());
        let mut plugin = OpenSource::<S>::open(&self.config, &self.run, stream, shard, state)?;
        let schema = schema_from_wit(schema_to_wit(plugin.schema())?)?;
        let mut pages = Pages {
            schema,
            batches: Vec::new(),
            rejections: Vec::new(),
        };
        let (mut states, mut ends) = (Vec::new(), Vec::new());
        loop {
            let (state, done) = plugin.read(&mut pages)?;
            states.push(state);
            let rows = pages.batches.iter().map(RecordBatch::num_rows).sum();
            ends.push((rows, pages.rejections.len()));
            if done {
                break;
            }
            if states.len() == MOST_PAGES {
                return Err(Error::fatal(format!(
                    "{MOST_PAGES} pages were read, and it does not say that it is done"
                )));
            }
        }
        let requests = record::take_requests();
        let Recorded { logs, metrics } = recording.end();
        let read = Read {
            rows: concat_batches(&pages.schema, &pages.batches)?,
            rejections: pages.rejections,
            states,
            requests,
            logs,
            metrics,
        };
        Ok((read, ends))
    }
}

/// Stands in for the host.
struct Pages {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    rejections: Vec<RejectedRecord>,
}

impl PageSink for Pages {
    fn emit(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.batches.push(cross(&self.schema, batch)?);
        Ok(())
    }

    fn reject(&mut self, record: &str, rule: &str, message: &str) {
        self.rejections.push(RejectedRecord {
            record: record.to_owned(),
            rule: rule.to_owned(),
            message: message.to_owned(),
        });
    }
}
