use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::transform::same_schema;
use crate::{Context, Error, Info, Rule, SideInputs};

/// Turns the bytes of one file into batches.
///
/// Bound for each file anew, then given the file's bytes chunk by chunk, then finished. Chunk
/// borders fall anywhere, even within a character: keep what is incomplete until the next chunk.
/// Exported with [`export_decoder!`](crate::export_decoder).
pub trait Decoder: Sized + 'static {
    /// The configuration, parsed from the JSON object that the pipeline file gives.
    type Config: DeserializeOwned + JsonSchema;

    /// What the plugin is; `columns` stays empty.
    const INFO: Info;

    /// Begins a file, and says which schema its rows have. Called at plan time too.
    ///
    /// # Errors
    /// [`Error::Config`] for a configuration that cannot be.
    fn bind(config: Self::Config, context: &Context) -> Result<(Self, SchemaRef), Error>;

    /// Takes the reference tables that the step hands to the plugin. Called once, before the first bytes of each file, where
    /// there are rows; never while the run is planned.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn load(&mut self, side_inputs: &mut SideInputs) -> Result<(), Error> {
        let _ = side_inputs;
        Ok(())
    }

    /// Takes the next bytes of the file; emits and rejects through `out`.
    ///
    /// # Errors
    /// Any [`Error`] ends the run. Bytes that form no row are a rejection instead.
    fn decode(&mut self, bytes: &[u8], out: &mut Rows<'_>) -> Result<(), Error>;

    /// The file has ended: emits what is left.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn finish(&mut self, out: &mut Rows<'_>) -> Result<(), Error>;
}

/// Takes what a decoder makes of a file.
///
/// Its methods never fail: another schema than the one bound or an undeclared rule ends the call
/// as [`Error::Fatal`] once it has returned.
pub struct Rows<'a> {
    sink: &'a mut dyn DecodeSink,
    schema: &'a SchemaRef,
    rules: &'static [Rule],
    fault: Option<Error>,
}

/// Where decoded rows go: the host, or the test harness.
pub(crate) trait DecodeSink {
    fn emit(&mut self, batch: &RecordBatch) -> Result<(), Error>;
    fn reject(&mut self, offset: u64, length: u64, rule: &str, message: &str);
}

impl Rows<'_> {
    /// Emits decoded rows; about 8,192 at a time serve best.
    pub fn emit(&mut self, batch: &RecordBatch) {
        let sent = same_schema(self.schema, batch.schema_ref())
            .map_err(Error::Fatal)
            .and_then(|()| self.sink.emit(batch));
        if let Err(fault) = sent {
            self.fault.get_or_insert(fault);
        }
    }

    /// Rejects `length` bytes that begin `offset` bytes into the file: they form no row.
    pub fn reject(&mut self, offset: u64, length: u64, rule: &Rule, message: &str) {
        if self.rules.iter().any(|known| known.name == rule.name) {
            self.sink.reject(offset, length, rule.name, message);
        } else {
            let fault = format!(
                "the rule `{}` is not among the rules of its `INFO`",
                rule.name
            );
            self.fault.get_or_insert(Error::Fatal(fault));
        }
    }
}

/// A bound decoder: the one path on which bytes reach the plugin, in a component and in tests.
pub struct BoundDecoder<D> {
    plugin: D,
    schema: SchemaRef,
    /// Until they are loaded.
    side_inputs: Option<SideInputs>,
}

impl<D: Decoder> BoundDecoder<D> {
    pub(crate) fn bind(config: &str, context: &Context) -> Result<Self, Error> {
        let (plugin, schema) = D::bind(crate::config::parse(config)?, context)?;
        Ok(Self {
            plugin,
            schema,
            side_inputs: Some(SideInputs::of(context)),
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Takes the reference tables, unless that is done.
    fn load(&mut self) -> Result<(), Error> {
        match self.side_inputs.take() {
            Some(mut side_inputs) => self.plugin.load(&mut side_inputs),
            None => Ok(()),
        }
    }

    pub(crate) fn decode(&mut self, bytes: &[u8], sink: &mut dyn DecodeSink) -> Result<(), Error> {
        self.load()?;
        let mut out = Rows {
            sink,
            schema: &self.schema,
            rules: D::INFO.rules,
            fault: None,
        };
        self.plugin.decode(bytes, &mut out)?;
        out.fault.map_or(Ok(()), Err)
    }

    pub(crate) fn finish(&mut self, sink: &mut dyn DecodeSink) -> Result<(), Error> {
        self.load()?;
        let mut out = Rows {
            sink,
            schema: &self.schema,
            rules: D::INFO.rules,
            fault: None,
        };
        self.plugin.finish(&mut out)?;
        out.fault.map_or(Ok(()), Err)
    }
}
