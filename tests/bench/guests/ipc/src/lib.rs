//! The measured transforms behind Arrow IPC: what a host pays that sends batches as a stream of bytes
//! and takes one back, in the same engine, under the same limits.
//!
//! The plugin's one column is binary and its one row an IPC stream of one batch; so does it answer.

use std::sync::Arc;

use arrow::array::BinaryArray;
use arrow::buffer::OffsetBuffer;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use weir_plugin::prelude::*;

#[path = "../../../shared/kernels.rs"]
mod kernels;
#[path = "../../../shared/rows.rs"]
mod rows;
#[path = "../../../shared/transforms.rs"]
mod transforms;
#[path = "../../../shared/work.rs"]
mod work;

use work::Work;

struct OverIpc {
    work: Work,
    streams: SchemaRef,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What to do with each batch of the streams.
    work: Work,
}

impl Transform for OverIpc {
    type Config = Config;

    const INFO: Info = Info {
        name: "bench-ipc",
        version: env!("CARGO_PKG_VERSION"),
        description: "The transforms that Weir's benchmarks measure, over Arrow IPC.",
        columns: &["stream"],
        rules: &[],
    };

    fn bind(config: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let plugin = Self {
            work: config.work,
            streams: context.input.clone(),
        };
        Ok((plugin, Output::only(context.input.clone())))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        let streams = rows.column(0).as_binary::<i32>();
        let mut given = streams.values().clone();
        // As Weir's SDK does with its buffers, so that IPC is as fast as it can be.
        // SAFETY: the stream comes from the benchmark's host, which wrote it from a valid batch.
        let mut decoder = unsafe { StreamDecoder::new().with_skip_validation(true) };
        let room = given.len() + given.len() / 2;
        let batch = decoder
            .decode(&mut given)?
            .ok_or_else(|| Error::data("a stream without a batch"))?;
        let output = self.work.output(&batch.schema());
        let batch = self.work.run(&batch, &output)?;
        let mut writer = StreamWriter::try_new(Vec::with_capacity(room), &output)?;
        writer.write(&batch)?;
        let answer = writer.into_inner()?;
        let offsets = OffsetBuffer::from_lengths([answer.len()]);
        let streams = BinaryArray::try_new(offsets, answer.into(), None)?;
        out.emit(&RecordBatch::try_new(
            self.streams.clone(),
            vec![Arc::new(streams)],
        )?);
        Ok(())
    }
}

weir_plugin::export_transform!(OverIpc);
