use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::rejections::{Message, Rejections};
use crate::{Context, Error, Info, Output, Rule, SideInputs};

/// Turns batches of one schema into batches of one or more others, row by row.
///
/// A plugin is described (at any time), bound once, given any number of batches, and finished
/// once; after an error it is discarded. Several copies may run side by side, each over a part of
/// the input, so a plugin keeps nothing between batches but what `bind` gave it: what becomes of
/// a row must depend on that row alone, since batch borders fall anywhere.
///
/// Exported with [`export_transform!`](crate::export_transform).
pub trait Transform: Sized + 'static {
    /// The configuration, parsed from the JSON object that the pipeline file gives; its JSON
    /// Schema is published with the plugin. Add `#[serde(deny_unknown_fields)]`, so that a
    /// misspelt key is an error.
    type Config: DeserializeOwned + JsonSchema;

    /// What the plugin is.
    const INFO: Info;

    /// Binds the plugin to its configuration and input. Called at plan time too, before data
    /// moves: the same arguments must give the same answer.
    ///
    /// # Errors
    /// [`Error::Config`] for a configuration that cannot be, [`Error::Data`] for columns that do
    /// not fit.
    fn bind(config: Self::Config, context: &Context) -> Result<(Self, Vec<Output>), Error>;

    /// Takes the reference tables that the step hands to the plugin. Called once, before the first batch, where
    /// there are rows; never while the run is planned.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn load(&mut self, side_inputs: &mut SideInputs) -> Result<(), Error> {
        let _ = side_inputs;
        Ok(())
    }

    /// Takes a batch of [`Context::input`], of at most 8,192 rows; emits and rejects through
    /// `out`.
    ///
    /// # Errors
    /// Any [`Error`] ends the run. A row's problem is a rejection instead.
    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error>;

    /// Called once after the last batch. Emits nothing.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Takes what a transform makes of the batch in process.
///
/// Its methods never fail: a breach of the contract (an output that is not there, another schema
/// than the one bound, a row out of range, an undeclared rule) ends the call as
/// [`Error::Fatal`] once `process` has returned.
pub struct Emitter<'a> {
    sink: &'a mut dyn EmitSink,
    outputs: &'a [Output],
    batch_rows: usize,
    rejections: Rejections,
}

/// Where emitted batches go: the host, or the test harness. Batches are checked before.
pub(crate) trait EmitSink {
    fn emit(
        &mut self,
        output: usize,
        batch: &RecordBatch,
        origin: Option<&[u32]>,
    ) -> Result<(), Error>;
    fn reject(&mut self, rows: &[u32], rule: &str, message: &str);
}

impl Emitter<'_> {
    /// Emits a batch to the first output: one row out for each row in, in order. Rejected rows
    /// stay in it as placeholders, which the host removes.
    pub fn emit(&mut self, batch: &RecordBatch) {
        self.send(0, batch, None);
    }

    /// [`emit`](Self::emit), to the output at `output` in what `bind` returned.
    pub fn emit_to(&mut self, output: usize, batch: &RecordBatch) {
        self.send(output, batch, None);
    }

    /// Emits a batch of any number of rows. `origin` gives, for each of them, the row of the
    /// batch in process that it came from: the host traces and withdraws rows by it, and
    /// re-attaches the columns that were not granted.
    pub fn emit_from(&mut self, output: usize, batch: &RecordBatch, origin: &[u32]) {
        self.send(output, batch, Some(origin));
    }

    /// Rejects one row: all that was or will be emitted from it is withdrawn, and the step's
    /// `on_fail` decides what becomes of it. Keep values out of the message.
    pub fn reject(&mut self, row: u32, rule: &Rule, message: impl Into<Message>) {
        self.rejections.add(&[row], rule, message.into());
    }

    /// Rejects several rows for the same reason; none, if `rows` is empty.
    pub fn reject_rows(&mut self, rows: &[u32], rule: &Rule, message: impl Into<Message>) {
        self.rejections.add(rows, rule, message.into());
    }

    fn send(&mut self, output: usize, batch: &RecordBatch, origin: Option<&[u32]>) {
        let sent = self.check(output, batch, origin).and_then(|()| {
            self.sink
                .emit(output, batch, origin)
                .map_err(|error| error.to_string())
        });
        if let Err(fault) = sent {
            self.rejections.fault(fault);
        }
    }

    fn check(
        &self,
        output: usize,
        batch: &RecordBatch,
        origin: Option<&[u32]>,
    ) -> Result<(), String> {
        let Some(bound) = self.outputs.get(output) else {
            let outputs = self.outputs.len();
            return Err(format!(
                "it emitted to output {output}, but `bind` returned {outputs}"
            ));
        };
        let fault = |fault: String| Err(format!("output `{}`: {fault}", bound.name));
        if let Err(mismatch) = same_schema(&bound.schema, batch.schema_ref()) {
            return fault(mismatch);
        }
        match origin {
            None if batch.num_rows() != self.batch_rows => fault(format!(
                "{} rows emitted for {} read; give each row's origin with `emit_from`",
                batch.num_rows(),
                self.batch_rows
            )),
            Some(origin) if origin.len() != batch.num_rows() => fault(format!(
                "{} origins for {} rows",
                origin.len(),
                batch.num_rows()
            )),
            Some(origin) => match origin.iter().find(|row| **row as usize >= self.batch_rows) {
                Some(row) => fault(format!(
                    "origin {row} in a batch of {} rows",
                    self.batch_rows
                )),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }
}

/// Whether a batch may be sent where `bound` was promised.
pub(crate) fn same_schema(bound: &SchemaRef, given: &SchemaRef) -> Result<(), String> {
    if Arc::ptr_eq(bound, given) {
        return Ok(());
    }
    let (bound, given): (&Schema, &Schema) = (bound, given);
    if bound.fields().len() != given.fields().len() {
        let (promised, emitted) = (bound.fields().len(), given.fields().len());
        return Err(format!("{emitted} columns emitted, {promised} bound"));
    }
    for (bound, given) in bound.fields().iter().zip(given.fields()) {
        let fits = bound.name() == given.name()
            && bound.data_type() == given.data_type()
            && (bound.is_nullable() || !given.is_nullable());
        if !fits {
            return Err(format!("column {given} emitted where {bound} was bound"));
        }
    }
    Ok(())
}

/// A bound transform: the one path on which batches reach the plugin, in a component and in
/// tests.
pub struct BoundTransform<T> {
    plugin: T,
    outputs: Vec<Output>,
    pub(crate) input: SchemaRef,
    /// Until they are loaded.
    side_inputs: Option<SideInputs>,
}

impl<T: Transform> BoundTransform<T> {
    pub(crate) fn bind(config: &str, context: &Context) -> Result<Self, Error> {
        let (plugin, outputs) = T::bind(crate::config::parse(config)?, context)?;
        if outputs.is_empty() {
            return Err(Error::fatal("`bind` returned no output"));
        }
        Ok(Self {
            plugin,
            outputs,
            input: context.input.clone(),
            side_inputs: Some(SideInputs::of(context)),
        })
    }

    pub(crate) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    pub(crate) fn process(
        &mut self,
        rows: &RecordBatch,
        sink: &mut dyn EmitSink,
    ) -> Result<(), Error> {
        if let Some(mut side_inputs) = self.side_inputs.take() {
            self.plugin.load(&mut side_inputs)?;
        }
        let mut out = Emitter {
            sink,
            outputs: &self.outputs,
            batch_rows: rows.num_rows(),
            rejections: Rejections::new(T::INFO.rules, rows.num_rows()),
        };
        self.plugin.process(rows, &mut out)?;
        let Emitter {
            sink, rejections, ..
        } = out;
        for group in rejections.finish()? {
            sink.reject(&group.rows, group.rule, &group.message);
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.plugin.finish()
    }
}
