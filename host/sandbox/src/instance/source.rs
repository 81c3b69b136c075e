//! The calls of a source: `discover`, `open`, `read`.

use arrow::datatypes::SchemaRef;

use super::{Instance, MAX_LISTED, MAX_OUTPUTS, Phase, SMALL_FUEL, binding_of};
use crate::error::{Call, SandboxError};
use crate::model::{BindRequest, Page, Reading, Stream, World};
use crate::schema::{check_name, unflatten};
use crate::track::RawStream;

/// Longest state of a source, in bytes.
const MAX_STATE: usize = 64 << 10;
/// Longest name of a shard, in bytes.
const MAX_SHARD: usize = 256;

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

/// The streams a guest returned, if they can be.
fn checked_streams(returned: Vec<RawStream>) -> Result<Vec<Stream>, String> {
    if returned.len() > MAX_LISTED {
        return Err(format!(
            "{} streams; at most {MAX_LISTED} are accepted",
            returned.len()
        ));
    }
    let mut streams: Vec<Stream> = Vec::with_capacity(returned.len().min(MAX_OUTPUTS));
    for raw in returned {
        check_name(&raw.name)?;
        let name = raw.name;
        if streams.iter().any(|stream| stream.name == name) {
            return Err(format!("two streams are named '{name}'"));
        }
        let schema = unflatten(raw.schema).map_err(|why| format!("stream '{name}': {why}"))?;
        let named = raw.cursor.iter().chain(&raw.primary_key);
        for column in named {
            if schema.column_with_name(column).is_none() {
                check_name(column)?;
                return Err(format!("stream '{name}' has no column '{column}'"));
            }
        }
        let mut shards = raw.shards;
        if shards.len() > MAX_LISTED || shards.iter().any(|shard| shard.len() > MAX_SHARD) {
            return Err(format!(
                "stream '{name}': more than {MAX_LISTED} shards, or a shard's name of more than {MAX_SHARD} bytes"
            ));
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
        streams.push(Stream {
            name,
            schema,
            cursor: raw.cursor,
            primary_key: raw.primary_key,
            shards,
        });
    }
    Ok(streams)
}
