use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::transform::same_schema;
use crate::{Error, Info, Rule, Run};

/// Reads rows from somewhere else, such as an API or a web site, page by page.
///
/// The host opens one shard of one stream, with the state that an earlier run left behind, and calls
/// [`read`](Source::read) until it says that it is done. A page counts whole or not at all: its rows are kept
/// together with the state it returns. After [`Error::Retry`] the host waits, opens another instance with the state
/// kept last, and reads on; any other error ends the run, and the next one goes on from there.
///
/// It reaches what its step grants it, through [`http`](crate::http). Exported with
/// [`export_source!`](crate::export_source).
pub trait Source: Sized + 'static {
    /// The configuration, parsed from the JSON object that the pipeline file gives.
    type Config: DeserializeOwned + JsonSchema;

    /// How far a shard has been read. It is kept as JSON, at most 64 KiB, beside the rows: a secret has no
    /// business in it, and a later version of the plugin should still be able to read it.
    type State: Serialize + DeserializeOwned;

    /// What the plugin is; `columns` stays empty.
    const INFO: Info;

    /// The streams that can be read with this configuration. Called at plan time, and when a run begins.
    ///
    /// # Errors
    /// [`Error::Config`] for a configuration that cannot be; [`Error::Retry`] if whoever is asked does not answer.
    fn discover(config: &Self::Config, run: &Run) -> Result<Vec<Stream>, Error>;

    /// Makes ready to read one of the streams: from the beginning, or behind `state`.
    ///
    /// # Errors
    /// As [`discover`](Source::discover).
    fn open(
        config: Self::Config,
        run: &Run,
        stream: &Stream,
        shard: &str,
        state: Option<Self::State>,
    ) -> Result<Self, Error>;

    /// Reads a page; emits and rejects through `out`.
    ///
    /// # Errors
    /// [`Error::Retry`] where it may work later; any other ends the run. A record that forms no row is a
    /// rejection instead.
    fn read(&mut self, out: &mut Page<'_>) -> Result<Progress<Self::State>, Error>;
}

/// A stream of rows that a source can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name, by which the pipeline file addresses it.
    pub name: String,
    /// The schema of its rows.
    pub schema: SchemaRef,
    /// The column by which it tells new rows, if there is one: for people.
    pub cursor: Option<String>,
    /// The columns that identify a row; empty if that cannot be said.
    pub primary_key: Vec<String>,
    /// Parts that may be read side by side, by names that stay the same from run to run. Empty: one part, whose
    /// name is empty.
    pub shards: Vec<String>,
}

impl Stream {
    /// A stream in one part, without cursor and key.
    pub fn new(name: impl Into<String>, schema: impl Into<SchemaRef>) -> Self {
        Self {
            name: name.into(),
            schema: schema.into(),
            cursor: None,
            primary_key: Vec::new(),
            shards: Vec::new(),
        }
    }
}

/// Where a page has come to: what [`Source::open`] takes to go on behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<S> {
    /// There is more.
    More(S),
    /// There is nothing more for now. A later run begins here.
    Done(S),
}

/// Takes the rows of a page.
///
/// Its methods never fail: another schema than the stream's or an undeclared rule ends the call as
/// [`Error::Fatal`] once it has returned.
pub struct Page<'a> {
    sink: &'a mut dyn PageSink,
    schema: &'a SchemaRef,
    rules: &'static [Rule],
    fault: Option<Error>,
}

/// Where the rows of pages go: the host, or the test harness.
pub(crate) trait PageSink {
    fn emit(&mut self, batch: &RecordBatch) -> Result<(), Error>;
    fn reject(&mut self, record: &str, rule: &str, message: &str);
}

impl Page<'_> {
    /// The schema of the stream's rows.
    pub fn schema(&self) -> &SchemaRef {
        self.schema
    }

    /// Emits rows; about 8,192 at a time serve best.
    pub fn emit(&mut self, batch: &RecordBatch) {
        let sent = same_schema(self.schema, batch.schema_ref())
            .map_err(Error::Fatal)
            .and_then(|()| self.sink.emit(batch));
        if let Err(fault) = sent {
            self.fault.get_or_insert(fault);
        }
    }

    /// Rejects a record that forms no row. `record` is what a person should see of it.
    pub fn reject(&mut self, record: &str, rule: &Rule, message: &str) {
        if self.rules.iter().any(|known| known.name == rule.name) {
            self.sink.reject(record, rule.name, message);
        } else {
            let fault = format!(
                "the rule `{}` is not among the rules of its `INFO`",
                rule.name
            );
            self.fault.get_or_insert(Error::Fatal(fault));
        }
    }
}

/// An open source: the one path on which it is asked, in a component and in tests.
pub struct OpenSource<S> {
    plugin: S,
    schema: SchemaRef,
}

impl<S: Source> OpenSource<S> {
    pub(crate) fn discover(config: &str, run: &Run) -> Result<Vec<Stream>, Error> {
        S::discover(&crate::config::parse(config)?, run)
    }

    pub(crate) fn open(
        config: &str,
        run: &Run,
        stream: &str,
        shard: &str,
        state: Option<&str>,
    ) -> Result<Self, Error> {
        let config: S::Config = crate::config::parse(config)?;
        let streams = S::discover(&config, run)?;
        let Some(stream) = streams.iter().find(|known| known.name == stream) else {
            let known: Vec<&str> = streams.iter().map(|known| known.name.as_str()).collect();
            return Err(Error::config(format!(
                "there is no stream '{stream}'; the streams are {}",
                known.join(", ")
            )));
        };
        let state = state.map(serde_json::from_str).transpose();
        let state = state.map_err(|error| {
            Error::data(format!(
                "the state of an earlier run cannot be read ({error}); run the step with --full-refresh"
            ))
        })?;
        let plugin = S::open(config, run, stream, shard, state)?;
        Ok(Self {
            plugin,
            schema: stream.schema.clone(),
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The state behind the page as JSON, and whether there is nothing more.
    pub(crate) fn read(&mut self, sink: &mut dyn PageSink) -> Result<(String, bool), Error> {
        let mut out = Page {
            sink,
            schema: &self.schema,
            rules: S::INFO.rules,
            fault: None,
        };
        let progress = self.plugin.read(&mut out)?;
        if let Some(fault) = out.fault {
            return Err(fault);
        }
        let (state, done) = match &progress {
            Progress::More(state) => (state, false),
            Progress::Done(state) => (state, true),
        };
        let state = serde_json::to_string(state)
            .map_err(|error| Error::fatal(format!("its state is no JSON: {error}")))?;
        Ok((state, done))
    }
}
