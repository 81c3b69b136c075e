//! The glue between the exports of a component and the plugin's trait: what the export macros
//! call. Not for use by hand.

use std::cell::RefCell;
use std::thread::LocalKey;

use arrow::record_batch::RecordBatch;
use schemars::JsonSchema;

use crate::bindings::check::weir::plugin::judging;
use crate::bindings::decoder::weir::plugin::decoding;
use crate::bindings::fold::weir::plugin::folding;
use crate::bindings::source::weir::plugin::sourcing;
use crate::bindings::transform::weir::plugin::{emitting, types as wit};
use crate::check::FailSink;
use crate::decoder::DecodeSink;
use crate::source::PageSink;
use crate::transform::EmitSink;
use crate::wire::{Parts, assemble, disassemble, schema_from_wit, schema_to_wit};
use crate::{Check, Context, Decoder, Error, Fold, Info, Run, SideInput, Source, Transform};

pub use crate::check::BoundCheck;
pub use crate::decoder::BoundDecoder;
pub use crate::fold::BoundFold;
pub use crate::source::OpenSource;
pub use crate::transform::BoundTransform;

/// Holds the one bound plugin of an instance; a component has one thread.
pub type Slot<P> = RefCell<Option<P>>;

/// Answers `describe`.
pub fn describe<C: JsonSchema>(info: &Info) -> wit::Info {
    wit::Info {
        name: info.name.to_owned(),
        version: info.version.to_owned(),
        description: info.description.to_owned(),
        config_schema: crate::config::schema::<C>(),
        columns: info.columns.iter().map(|name| (*name).to_owned()).collect(),
        rules: info
            .rules
            .iter()
            .map(|rule| wit::Rule {
                name: rule.name.to_owned(),
                description: rule.description.to_owned(),
            })
            .collect(),
    }
}

fn context(
    run: wit::Run,
    input: Vec<wit::Field>,
    side_inputs: Vec<wit::SideInput>,
) -> Result<Context, Error> {
    let side_inputs = side_inputs
        .into_iter()
        .map(|side| {
            Ok(SideInput {
                name: side.name,
                schema: schema_from_wit(side.schema)?,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Context {
        run: told_run(run),
        input: schema_from_wit(input)?,
        side_inputs,
    })
}

fn told_run(run: wit::Run) -> Run {
    let wit::Run {
        pipeline,
        step,
        parameters,
    } = run;
    let parameters = parameters
        .into_iter()
        .map(|parameter| (parameter.name, parameter.value))
        .collect();
    Run {
        pipeline,
        step,
        parameters,
    }
}

impl From<Error> for wit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Config(message) => Self::Config(message),
            Error::Data(message) => Self::Data(message),
            Error::Retry(message) => Self::Retry(message),
            Error::Fatal(message) => Self::Fatal(message),
        }
    }
}

fn bound<P: 'static, R>(
    slot: &'static LocalKey<Slot<P>>,
    call: impl FnOnce(&mut P) -> Result<R, Error>,
) -> Result<R, wit::Error> {
    slot.with_borrow_mut(|plugin| match plugin {
        Some(plugin) => Ok(call(plugin)?),
        None => Err(Error::fatal("called before `bind`").into()),
    })
}

/// Lends a batch to the host for the length of a call.
fn lend(batch: &RecordBatch, call: impl FnOnce(wit::BatchParam<'_>)) -> Result<(), Error> {
    let Parts {
        rows,
        nodes,
        buffers,
    } = disassemble(batch)?;
    let buffers: Vec<&[u8]> = buffers.iter().map(|buffer| buffer.as_slice()).collect();
    call(wit::BatchParam {
        rows,
        nodes: &nodes,
        buffers: &buffers,
    });
    Ok(())
}

/// The host's imports.
struct Host;

impl EmitSink for Host {
    fn emit(
        &mut self,
        output: usize,
        batch: &RecordBatch,
        origin: Option<&[u32]>,
    ) -> Result<(), Error> {
        let output = u32::try_from(output).map_err(Error::fatal)?;
        lend(batch, |batch| emitting::emit(output, batch, origin))
    }

    fn reject(&mut self, rows: &[u32], rule: &str, message: &str) {
        emitting::reject(rows, rule, message);
    }
}

impl FailSink for Host {
    fn fail(&mut self, rows: &[u32], rule: &str, message: &str) {
        judging::fail(rows, rule, message);
    }
}

impl DecodeSink for Host {
    fn emit(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        lend(batch, decoding::emit)
    }

    fn reject(&mut self, offset: u64, length: u64, rule: &str, message: &str) {
        decoding::reject(offset, length, rule, message);
    }
}

impl PageSink for Host {
    fn emit(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        lend(batch, sourcing::emit)
    }

    fn reject(&mut self, record: &str, rule: &str, message: &str) {
        sourcing::reject(record, rule, message);
    }
}

/// Answers a transform's `bind`.
pub fn bind_transform<T: Transform>(
    slot: &'static LocalKey<Slot<BoundTransform<T>>>,
    config: &str,
    run: wit::Run,
    input: Vec<wit::Field>,
    side_inputs: Vec<wit::SideInput>,
) -> Result<Vec<wit::Output>, wit::Error> {
    let plugin = BoundTransform::<T>::bind(config, &context(run, input, side_inputs)?)?;
    let outputs = plugin
        .outputs()
        .iter()
        .map(|output| {
            Ok(wit::Output {
                name: output.name.clone(),
                schema: schema_to_wit(&output.schema)?,
            })
        })
        .collect::<Result<_, Error>>()?;
    slot.set(Some(plugin));
    Ok(outputs)
}

/// Answers a transform's `process`.
pub fn process_transform<T: Transform>(
    slot: &'static LocalKey<Slot<BoundTransform<T>>>,
    batch: wit::BatchResult,
) -> Result<(), wit::Error> {
    bound(slot, |plugin| {
        let batch = assemble(&plugin.input, batch.rows, batch.nodes, batch.buffers)?;
        plugin.process(&batch, &mut Host)
    })
}

/// Answers a transform's `finish`.
pub fn finish_transform<T: Transform>(
    slot: &'static LocalKey<Slot<BoundTransform<T>>>,
) -> Result<(), wit::Error> {
    bound(slot, BoundTransform::finish)
}

/// Answers a check's `bind`.
pub fn bind_check<C: Check>(
    slot: &'static LocalKey<Slot<BoundCheck<C>>>,
    config: &str,
    run: wit::Run,
    input: Vec<wit::Field>,
    side_inputs: Vec<wit::SideInput>,
) -> Result<(), wit::Error> {
    slot.set(Some(BoundCheck::bind(
        config,
        &context(run, input, side_inputs)?,
    )?));
    Ok(())
}

/// Answers a check's `process`.
pub fn process_check<C: Check>(
    slot: &'static LocalKey<Slot<BoundCheck<C>>>,
    batch: wit::BatchResult,
) -> Result<(), wit::Error> {
    bound(slot, |plugin| {
        let batch = assemble(&plugin.input, batch.rows, batch.nodes, batch.buffers)?;
        plugin.process(&batch, &mut Host)
    })
}

/// Answers a check's `finish`.
pub fn finish_check<C: Check>(
    slot: &'static LocalKey<Slot<BoundCheck<C>>>,
) -> Result<(), wit::Error> {
    bound(slot, BoundCheck::finish)
}

/// Answers a decoder's `bind`.
pub fn bind_decoder<D: Decoder>(
    slot: &'static LocalKey<Slot<BoundDecoder<D>>>,
    config: &str,
    run: wit::Run,
    side_inputs: Vec<wit::SideInput>,
) -> Result<Vec<wit::Field>, wit::Error> {
    let plugin = BoundDecoder::<D>::bind(config, &context(run, Vec::new(), side_inputs)?)?;
    let schema = schema_to_wit(plugin.schema())?;
    slot.set(Some(plugin));
    Ok(schema)
}

/// Answers a decoder's `decode`.
pub fn decode<D: Decoder>(
    slot: &'static LocalKey<Slot<BoundDecoder<D>>>,
    bytes: &[u8],
) -> Result<(), wit::Error> {
    bound(slot, |plugin| plugin.decode(bytes, &mut Host))
}

/// Answers a decoder's `finish`.
pub fn finish_decoder<D: Decoder>(
    slot: &'static LocalKey<Slot<BoundDecoder<D>>>,
) -> Result<(), wit::Error> {
    bound(slot, |plugin| plugin.finish(&mut Host))
}

/// Answers a source's `discover`.
pub fn discover<S: Source>(
    config: &str,
    run: wit::Run,
) -> Result<Vec<wit::StreamInfo>, wit::Error> {
    let streams = OpenSource::<S>::discover(config, &told_run(run))?;
    let streams = streams.into_iter().map(|stream| {
        Ok(wit::StreamInfo {
            schema: schema_to_wit(&stream.schema)?,
            name: stream.name,
            cursor: stream.cursor,
            primary_key: stream.primary_key,
            shards: stream.shards,
        })
    });
    Ok(streams.collect::<Result<_, Error>>()?)
}

/// Answers a source's `open`.
pub fn open<S: Source>(
    slot: &'static LocalKey<Slot<OpenSource<S>>>,
    config: &str,
    run: wit::Run,
    (stream, shard): (&str, &str),
    state: Option<&str>,
) -> Result<Vec<wit::Field>, wit::Error> {
    let plugin = OpenSource::<S>::open(config, &told_run(run), stream, shard, state)?;
    let schema = schema_to_wit(plugin.schema())?;
    slot.set(Some(plugin));
    Ok(schema)
}

/// Answers a source's `read`.
pub fn read<S: Source>(
    slot: &'static LocalKey<Slot<OpenSource<S>>>,
) -> Result<wit::Page, wit::Error> {
    let (state, done) = bound(slot, |plugin| plugin.read(&mut Host))?;
    Ok(wit::Page { state, done })
}

/// Answers a fold's `bind`.
pub fn bind_fold<F: Fold>(
    slot: &'static LocalKey<Slot<BoundFold<F>>>,
    config: &str,
    run: wit::Run,
    input: Vec<wit::Field>,
    side_inputs: Vec<wit::SideInput>,
) -> Result<Vec<wit::Field>, wit::Error> {
    let plugin = BoundFold::<F>::bind(config, &context(run, input, side_inputs)?)?;
    let schema = schema_to_wit(plugin.schema())?;
    slot.set(Some(plugin));
    Ok(schema)
}

/// Answers a fold's `process`.
pub fn process_fold<F: Fold>(
    slot: &'static LocalKey<Slot<BoundFold<F>>>,
    batch: wit::BatchResult,
) -> Result<(), wit::Error> {
    bound(slot, |plugin| {
        let batch = assemble(&plugin.input, batch.rows, batch.nodes, batch.buffers)?;
        plugin.process(&batch)
    })
}

/// Answers a fold's `snapshot`.
pub fn snapshot<F: Fold>(
    slot: &'static LocalKey<Slot<BoundFold<F>>>,
) -> Result<Vec<u8>, wit::Error> {
    bound(slot, BoundFold::snapshot)
}

/// Answers a fold's `merge`.
pub fn merge<F: Fold>(
    slot: &'static LocalKey<Slot<BoundFold<F>>>,
    snapshot: &[u8],
) -> Result<(), wit::Error> {
    bound(slot, |plugin| plugin.merge(snapshot))
}

/// Answers a fold's `finish`.
pub fn finish_fold<F: Fold>(slot: &'static LocalKey<Slot<BoundFold<F>>>) -> Result<(), wit::Error> {
    bound(slot, |plugin| {
        let rows = plugin.result()?;
        lend(&rows, folding::emit)
    })
}
