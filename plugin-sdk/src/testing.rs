//! Runs a plugin natively, under the contract's rules, without WebAssembly.
//!
//! A [`Harness`] takes the plugin through its whole life on the same path as in a component:
//! configuration parsed from JSON, batches carried over in the form in which they cross the
//! sandbox, everything emitted checked. It runs every input a second time with other batch
//! borders, and says so if the results differ.

mod borders;
mod calls;
mod fold;
pub(crate) mod record;
mod source;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use arrow::array::UInt32Array;
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

pub use self::calls::{Call, Crossing};
pub use self::source::{Answer, Read, RejectedRecord};

use self::record::Recorded;
use crate::check::{BoundCheck, FailSink};
use crate::decoder::{BoundDecoder, DecodeSink};
use crate::host::Level;
use crate::transform::{BoundTransform, EmitSink};
use crate::wire::{Parts, assemble, disassemble, schema_from_wit, schema_to_wit};
use crate::{Check, Context, Decoder, Error, Output, Run, SideInput, Transform};

/// How a plugin is to be run: configuration and run context. The batches come last.
#[derive(Clone, Debug, Default)]
pub struct Harness {
    config: String,
    run: Run,
    side_inputs: BTreeMap<String, RecordBatch>,
    input: Option<SchemaRef>,
    secrets: BTreeMap<String, String>,
    responder: Option<source::Responder>,
}

impl Harness {
    /// A harness for a plugin with this configuration, such as `serde_json::json!({…})` or JSON
    /// text.
    pub fn new(config: impl ToString) -> Self {
        let run = Run {
            pipeline: "test".into(),
            step: "test".into(),
            parameters: Vec::new(),
        };
        Self {
            config: config.to_string(),
            run,
            ..Self::default()
        }
    }

    /// Sets a parameter of the run.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.run.parameters.push((name.into(), value.into()));
        self.run.parameters.sort();
        self
    }

    /// Grants a secret.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.into(), value.into());
        self
    }

    /// Hands over a reference table.
    #[must_use]
    pub fn side_input(mut self, name: &str, rows: RecordBatch) -> Self {
        self.side_inputs.insert(name.into(), rows);
        self
    }

    /// Binds to this schema; otherwise to that of the first batch, or to none.
    #[must_use]
    pub fn input(mut self, schema: impl Into<SchemaRef>) -> Self {
        self.input = Some(schema.into());
        self
    }

    /// Binds a transform as the planner does, and returns its outputs.
    ///
    /// # Errors
    /// What the plugin returns, and [`Error::Fatal`] for a type that cannot cross and for names that
    /// are empty or not distinct.
    pub fn bind<T: Transform>(&self) -> Result<Vec<Output>, Error> {
        let _granted = record::start(&self.side_inputs, &self.secrets, None);
        let plugin = BoundTransform::<T>::bind(&self.config, &self.context(&[])?)?;
        plugin
            .outputs()
            .iter()
            .try_for_each(|output| schema_to_wit(&output.schema).map(drop))?;
        Ok(plugin.outputs().to_vec())
    }

    /// Runs a transform from `bind` to `finish`.
    ///
    /// # Errors
    /// What the plugin returns, and [`Error::Fatal`] for each breach of the contract.
    pub fn transform<T: Transform>(&self, batches: &[RecordBatch]) -> Result<Outcome, Error> {
        let outcome = self.transform_once::<T>(batches)?;
        borders::compare(
            &outcome,
            &self.transform_once::<T>(&borders::moved(batches)?)?,
        )?;
        Ok(outcome)
    }

    /// How long `process` takes for `batch` outside the sandbox: the median of `rounds` calls of
    /// one bound instance, with what is emitted dropped at once. Compile with optimisation.
    ///
    /// # Errors
    /// What the plugin returns.
    pub fn time_transform<T: Transform>(
        &self,
        batch: &RecordBatch,
        rounds: usize,
    ) -> Result<Duration, Error> {
        struct Dropped;
        impl EmitSink for Dropped {
            fn emit(
                &mut self,
                _: usize,
                batch: &RecordBatch,
                _: Option<&[u32]>,
            ) -> Result<(), Error> {
                std::hint::black_box(batch);
                Ok(())
            }
            fn reject(&mut self, _: &[u32], _: &str, _: &str) {}
        }
        let context = self.context(std::slice::from_ref(batch))?;
        let _granted = record::start(&self.side_inputs, &self.secrets, None);
        let mut plugin = BoundTransform::<T>::bind(&self.config, &context)?;
        let mut times = Vec::with_capacity(rounds.max(1));
        for _ in 0..rounds.max(1) {
            let began = Instant::now();
            plugin.process(batch, &mut Dropped)?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        Ok(times.get(times.len() / 2).copied().unwrap_or_default())
    }

    /// Runs a check from `bind` to `finish`. The outcome has no outputs.
    ///
    /// # Errors
    /// What the plugin returns, and [`Error::Fatal`] for each breach of the contract.
    pub fn check<C: Check>(&self, batches: &[RecordBatch]) -> Result<Outcome, Error> {
        let outcome = self.check_once::<C>(batches)?;
        borders::compare(&outcome, &self.check_once::<C>(&borders::moved(batches)?)?)?;
        Ok(outcome)
    }

    /// Runs a decoder over one file that comes in these chunks.
    ///
    /// # Errors
    /// What the plugin returns, and [`Error::Fatal`] for each breach of the contract.
    pub fn decode<D: Decoder>(&self, chunks: &[&[u8]]) -> Result<Decoded, Error> {
        let decoded = self.decode_once::<D>(chunks)?;
        let bytes = chunks.concat();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let again = self.decode_once::<D>(&single)?;
        if decoded.rows != again.rows || decoded.rejections != again.rejections {
            return Err(Error::fatal("what it decodes depends on where chunks end"));
        }
        Ok(decoded)
    }

    fn context(&self, batches: &[RecordBatch]) -> Result<Context, Error> {
        let schema = self
            .input
            .clone()
            .or_else(|| batches.first().map(RecordBatch::schema));
        let schema = schema.unwrap_or_else(|| Schema::empty().into());
        let input = schema_from_wit(schema_to_wit(&schema)?)?;
        let side_inputs = self.side_inputs.iter().map(|(name, rows)| {
            Ok(SideInput {
                name: name.clone(),
                schema: schema_from_wit(schema_to_wit(&rows.schema())?)?,
            })
        });
        Ok(Context {
            run: self.run.clone(),
            input,
            side_inputs: side_inputs.collect::<Result<_, Error>>()?,
        })
    }

    fn transform_once<T: Transform>(&self, batches: &[RecordBatch]) -> Result<Outcome, Error> {
        let context = self.context(batches)?;
        let recording = record::start(&self.side_inputs, &self.secrets, None);
        let mut plugin = BoundTransform::<T>::bind(&self.config, &context)?;
        let again = BoundTransform::<T>::bind(&self.config, &context)?;
        if plugin.outputs() != again.outputs() {
            return Err(Error::fatal(
                "`bind` gives different outputs for the same arguments",
            ));
        }
        let mut outputs = Vec::new();
        for output in plugin.outputs() {
            let schema = schema_from_wit(schema_to_wit(&output.schema)?)?;
            outputs.push(Emitted {
                name: output.name.clone(),
                schema,
                batches: Vec::new(),
            });
        }
        let mut sink = Collected {
            outputs,
            ..Collected::default()
        };
        for batch in batches {
            plugin.process(&cross(&plugin.input, batch)?, &mut sink)?;
            sink.end_batch(batch.num_rows());
        }
        plugin.finish()?;
        sink.outcome(recording)
    }

    fn check_once<C: Check>(&self, batches: &[RecordBatch]) -> Result<Outcome, Error> {
        let context = self.context(batches)?;
        let recording = record::start(&self.side_inputs, &self.secrets, None);
        let mut plugin = BoundCheck::<C>::bind(&self.config, &context)?;
        let mut sink = Collected::default();
        for batch in batches {
            plugin.process(&cross(&plugin.input, batch)?, &mut sink)?;
            sink.end_batch(batch.num_rows());
        }
        plugin.finish()?;
        sink.outcome(recording)
    }

    fn decode_once<D: Decoder>(&self, chunks: &[&[u8]]) -> Result<Decoded, Error> {
        let context = self.context(&[])?;
        let recording = record::start(&self.side_inputs, &self.secrets, None);
        let mut plugin = BoundDecoder::<D>::bind(&self.config, &context)?;
        let schema = schema_from_wit(schema_to_wit(plugin.schema())?)?;
        let mut sink = DecodedRows {
            schema,
            batches: Vec::new(),
            rejections: Vec::new(),
        };
        for chunk in chunks {
            plugin.decode(chunk, &mut sink)?;
        }
        plugin.finish(&mut sink)?;
        let Recorded { logs, metrics } = recording.end();
        let rows = concat_batches(&sink.schema, &sink.batches)?;
        Ok(Decoded {
            rows,
            rejections: sink.rejections,
            logs,
            metrics,
        })
    }
}

/// What a transform or a check made of its input.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Input rows.
    pub rows: usize,
    /// Every rejected or failed row, in order of batches.
    pub rejections: Vec<Rejection>,
    /// What was logged.
    pub logs: Vec<(Level, String)>,
    /// The sum of each counter, by name.
    pub metrics: Vec<(String, f64)>,
    outputs: Vec<Emitted>,
}

/// A row that was rejected or failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// The row, counted over all batches.
    pub row: usize,
    /// The name of the rule it breaks.
    pub rule: String,
    /// The message.
    pub message: String,
}

/// How the rows of the input balance: read = accepted + rejected + dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Input rows.
    pub read: usize,
    /// Those from which a row was emitted and kept.
    pub accepted: usize,
    /// Those that were rejected.
    pub rejected: usize,
    /// Those from which nothing came.
    pub dropped: usize,
}

#[derive(Clone, Debug)]
struct Emitted {
    name: String,
    schema: SchemaRef,
    /// Each batch, and the input row (counted over all batches) of each of its rows.
    batches: Vec<(RecordBatch, Vec<usize>)>,
}

impl Outcome {
    /// The rows of the output `name` that are kept: emitted from a row that was not rejected.
    /// None if the plugin has no such output.
    pub fn output(&self, name: &str) -> Option<RecordBatch> {
        self.kept(name).ok().flatten().map(|(batch, _)| batch)
    }

    /// The rejected rows under one rule, counted over all batches.
    pub fn rejected(&self, rule: &str) -> Vec<usize> {
        self.rejections
            .iter()
            .filter(|rejection| rejection.rule == rule)
            .map(|rejection| rejection.row)
            .collect()
    }

    /// The value of a counter; 0 if it was never added to.
    pub fn metric(&self, name: &str) -> f64 {
        self.metrics
            .iter()
            .find(|(known, _)| known == name)
            .map_or(0.0, |(_, value)| *value)
    }

    /// What became of the input rows.
    pub fn balance(&self) -> Balance {
        let rejected = self.rejected_rows();
        let emitted: BTreeSet<usize> = self
            .outputs
            .iter()
            .flat_map(|output| &output.batches)
            .flat_map(|(_, origin)| origin.iter().copied())
            .collect();
        let accepted = emitted.difference(&rejected).count();
        let rejected = rejected.len();
        Balance {
            read: self.rows,
            accepted,
            rejected,
            dropped: self.rows - accepted - rejected,
        }
    }

    fn rejected_rows(&self) -> BTreeSet<usize> {
        self.rejections
            .iter()
            .map(|rejection| rejection.row)
            .collect()
    }

    /// The kept rows of an output in order of the input rows they came from, and these.
    fn kept(&self, name: &str) -> Result<Option<(RecordBatch, Vec<usize>)>, Error> {
        let Some(output) = self.outputs.iter().find(|output| output.name == name) else {
            return Ok(None);
        };
        let rejected = self.rejected_rows();
        let all = concat_batches(
            &output.schema,
            output.batches.iter().map(|(batch, _)| batch),
        )?;
        let mut kept: Vec<(usize, u32)> = output
            .batches
            .iter()
            .flat_map(|(_, origin)| origin.iter().copied())
            .zip(0..)
            .filter(|(origin, _)| !rejected.contains(origin))
            .collect();
        kept.sort_by_key(|(origin, _)| *origin);
        let positions: UInt32Array = kept
            .iter()
            .map(|(_, position)| *position)
            .collect::<Vec<_>>()
            .into();
        let origins = kept.into_iter().map(|(origin, _)| origin).collect();
        Ok(Some((take_record_batch(&all, &positions)?, origins)))
    }
}

/// What a decoder made of a file.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// All rows, in order.
    pub rows: RecordBatch,
    /// The bytes that formed no row.
    pub rejections: Vec<RejectedBytes>,
    /// What was logged.
    pub logs: Vec<(Level, String)>,
    /// The sum of each counter, by name.
    pub metrics: Vec<(String, f64)>,
}

/// Bytes of a file that formed no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedBytes {
    /// Where in the file they begin.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
    /// The name of the rule they break.
    pub rule: String,
    /// The message.
    pub message: String,
}

/// Carries a batch over in the form in which it crosses the sandbox.
fn cross(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let Parts {
        rows,
        nodes,
        buffers,
    } = disassemble(batch)?;
    let buffers = buffers.iter().map(|buffer| buffer.to_vec()).collect();
    assemble(schema, rows, nodes, buffers)
}

/// Stands in for the host.
#[derive(Default)]
struct Collected {
    outputs: Vec<Emitted>,
    rejections: Vec<Rejection>,
    rows_before: usize,
    rejections_before: usize,
}

impl Collected {
    fn end_batch(&mut self, rows: usize) {
        if let Some(of_batch) = self.rejections.get_mut(self.rejections_before..) {
            of_batch.sort_by_key(|rejection| rejection.row);
        }
        self.rejections_before = self.rejections.len();
        self.rows_before += rows;
    }

    fn add(&mut self, rows: &[u32], rule: &str, message: &str) {
        self.rejections.extend(rows.iter().map(|row| Rejection {
            row: self.rows_before + *row as usize,
            rule: rule.to_owned(),
            message: message.to_owned(),
        }));
    }

    fn outcome(self, recording: record::Recording) -> Result<Outcome, Error> {
        let Recorded { logs, metrics } = recording.end();
        let Self {
            outputs,
            rejections,
            rows_before: rows,
            ..
        } = self;
        Ok(Outcome {
            rows,
            rejections,
            logs,
            metrics,
            outputs,
        })
    }
}

impl EmitSink for Collected {
    fn emit(
        &mut self,
        output: usize,
        batch: &RecordBatch,
        origin: Option<&[u32]>,
    ) -> Result<(), Error> {
        let rows_before = self.rows_before;
        let Some(output) = self.outputs.get_mut(output) else {
            return Err(Error::fatal("no such output"));
        };
        let batch = cross(&output.schema, batch)?;
        let origin = match origin {
            Some(origin) => origin
                .iter()
                .map(|row| rows_before + *row as usize)
                .collect(),
            None => (rows_before..rows_before + batch.num_rows()).collect(),
        };
        output.batches.push((batch, origin));
        Ok(())
    }

    fn reject(&mut self, rows: &[u32], rule: &str, message: &str) {
        self.add(rows, rule, message);
    }
}

impl FailSink for Collected {
    fn fail(&mut self, rows: &[u32], rule: &str, message: &str) {
        self.add(rows, rule, message);
    }
}

struct DecodedRows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    rejections: Vec<RejectedBytes>,
}

impl DecodeSink for DecodedRows {
    fn emit(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.batches.push(cross(&self.schema, batch)?);
        Ok(())
    }

    fn reject(&mut self, offset: u64, length: u64, rule: &str, message: &str) {
        let (rule, message) = (rule.to_owned(), message.to_owned());
        self.rejections.push(RejectedBytes {
            offset,
            length,
            rule,
            message,
        });
    }
}
