//! The calls of a source: `discover`, `open`, `read`.

use std::collections::HashSet;

use arrow::datatypes::SchemaRef;

use super::{Instance, MAX_LISTED, Phase, SMALL_FUEL, binding_of};
use crate::error::{Call, SandboxError};
use crate::model::{BindRequest, Page, Reading, Stream, World};
use crate::schema::{check_name, unflatten};
use crate::track::RawStream;

/// Longest state of a source, in bytes.
const MAX_STATE: usize = 64 << 10;

impl Instance {
    /// Asks a source which streams it has. The schema in `request` is not looked at. Before `open`, any number of
    /// times.
    ///
    /// # Errors
    /// [`PluginError`](SandboxError::PluginError) if the source refuses; [`BadSchema`](SandboxError::BadSchema) if
    /// what it returns cannot be.
    pub async fn discover(&mut self, request: &BindRequest) -> Result<Vec<Stream>, SandboxError> {
        self.is_source(Call::Discover, request)?;
        let binding = binding_of(request, Vec::new(), None);
        let (streams, _) = self
            .call(
                Call::Discover,
                0,
                SMALL_FUEL,
                &binding,
                |guest, store, binding| guest.discover(store, binding),
            )
            .await?;
        checked_streams(streams).map_err(|why| self.bad_schema(Call::Discover, why))
    }

    /// Makes a source ready to read one shard of a stream. Returns the schema of its rows. Once.
    ///
    /// # Errors
    /// As [`discover`](Instance::discover).
    pub async fn open(
        &mut self,
        request: &BindRequest,
        reading: &Reading,
    ) -> Result<SchemaRef, SandboxError> {
        self.is_source(Call::Open, request)?;
        let binding = binding_of(request, Vec::new(), Some(reading.clone()));
        let outputs = self.bind_guest(Call::Open, &binding).await?;
        let schema = outputs.first().map(|output| output.schema.clone());
        let Some(schema) = schema else {
            return Err(self.bad_schema(Call::Open, "no schema".to_owned()));
        };
        self.outputs = outputs;
        self.phase = Phase::Bound;
        Ok(schema)
    }

    /// Has a source read on. What it gives counts together with the state: after an error nothing of the call
    /// does, and another instance goes on from the state before. Not after a page that says it is done.
    ///
    /// # Errors
    /// [`BadCall`](SandboxError::BadCall) if it is not open, or done. Any other error ends the instance.
    pub async fn read(&mut self) -> Result<Page, SandboxError> {
        if self.plugin.world() != World::Source || self.phase != Phase::Bound {
            return Err(self.bad_call(Call::Read, "it comes after open, until it is done"));
        }
        self.batches = self.batches.saturating_add(1);
        let fuel = self.large_fuel();
        let ((state, done), given) = self
            .call(Call::Read, 0, fuel, &(), |guest, store, ()| {
                guest.read(store)
            })
            .await?;
        if state.len() > MAX_STATE {
            self.live = None;
            let why = format!(
                "a state of {} bytes; at most {MAX_STATE} are kept",
                state.len()
            );
            let at = self.site(Call::Read);
            return Err(self.keep_words(SandboxError::Contract { at, why }));
        }
        if done {
            self.phase = Phase::Finished;
        }
        Ok(Page { given, state, done })
    }

    fn is_source(&self, call: Call, request: &BindRequest) -> Result<(), SandboxError> {
        if self.plugin.world() != World::Source {
            let why = format!("a {} has no streams", self.plugin.world());
            return Err(self.bad_call(call, why));
        }
        if self.phase != Phase::New {
            return Err(self.bad_call(call, "a stream was opened before"));
        }
        match request.config.is_object() {
            true => Ok(()),
            false => Err(self.bad_call(call, "the configuration is not a JSON object")),
        }
    }
}

/// The streams a guest returned, if they can be. Whatever it lists is looked at once: no deadline holds here.
fn checked_streams(returned: Vec<RawStream>) -> Result<Vec<Stream>, String> {
    if returned.len() > MAX_LISTED {
        return Err(format!(
            "{} streams; at most {MAX_LISTED} are accepted",
            returned.len()
        ));
    }
    let mut names: HashSet<String> = HashSet::with_capacity(returned.len());
    let mut streams: Vec<Stream> = Vec::with_capacity(returned.len());
    for raw in returned {
        check_name(&raw.name)?;
        let stream = checked_stream(raw)?;
        if !names.insert(stream.name.clone()) {
            return Err(format!("two streams are named '{}'", stream.name));
        }
        streams.push(stream);
    }
    Ok(streams)
}

/// A stream whose name may be told.
fn checked_stream(raw: RawStream) -> Result<Stream, String> {
    let name = raw.name;
    let schema = unflatten(raw.schema).map_err(|why| format!("stream '{name}': {why}"))?;
    let columns: HashSet<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let has = |column: &str| match columns.contains(column) {
        true => Ok(()),
        false => {
            check_name(column)?;
            Err(format!("stream '{name}' has no column '{column}'"))
        }
    };
    if let Some(cursor) = &raw.cursor {
        has(cursor)?;
    }
    let mut key: HashSet<&str> = HashSet::new();
    for column in &raw.primary_key {
        has(column)?;
        if !key.insert(column) {
            return Err(format!(
                "the primary key of stream '{name}' names '{column}' twice"
            ));
        }
    }
    let mut shards = raw.shards;
    if shards.len() > MAX_LISTED {
        return Err(format!(
            "stream '{name}': {} shards; at most {MAX_LISTED} are accepted",
            shards.len()
        ));
    }
    for shard in &shards {
        // People see it in the place of a row: it deceives nobody. The empty one stands for all of the stream.
        if !shard.is_empty() {
            check_name(shard).map_err(|why| format!("a shard of stream '{name}': {why}"))?;
        }
    }
    let count = shards.len();
    shards.sort_unstable();
    shards.dedup();
    if shards.len() < count {
        return Err(format!("stream '{name}' names a shard twice"));
    }
    if shards.is_empty() {
        shards.push(String::new());
    }
    Ok(Stream {
        name,
        schema,
        cursor: raw.cursor,
        primary_key: raw.primary_key,
        shards,
    })
}
