//! The ways of running a transform in this process: native, in the sandbox, over IPC in the sandbox.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use arrow::array::{AsArray, BinaryArray, RecordBatch};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use tokio::runtime::Runtime;
use weir_sandbox::{
    BindRequest, Instance, Isolation, Limits, Plugin, Sandbox, SandboxOptions, Terms,
};

use crate::clock::thread_time;
use crate::data::{self, ROWS};
use crate::digest::digest;
use crate::work::Work;

/// One way of running one transform.
pub(crate) struct Case {
    /// What is done, and in which style it is written.
    pub(crate) task: String,
    /// Where it runs.
    pub(crate) place: String,
    /// Cases with the same name here must give the same rows.
    pub(crate) rows: String,
    /// Runs it so many times over its batch.
    pub(crate) run: Box<dyn FnMut(usize) -> anyhow::Result<Round>>,
}

impl Case {
    /// Task and place.
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.task, self.place)
    }
}

/// One turn of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Processor time of it all.
    pub(crate) time: Duration,
    /// Batches it took.
    pub(crate) batches: usize,
    /// Of the rows that the last batch gave.
    pub(crate) digest: u64,
}

impl Round {
    /// What a row cost.
    pub(crate) fn nanoseconds_a_row(&self) -> f64 {
        self.time.as_nanos() as f64 / (self.batches * ROWS) as f64
    }
}

/// The cases of this process whose names `wanted` picks.
pub(crate) fn all(guests: &Path, wanted: &dyn Fn(&str) -> bool) -> anyhow::Result<Vec<Case>> {
    let (texts, numbers) = (data::texts()?, data::numbers()?);
    let tasks = [
        ("crossing", "identity", Work::Identity, &texts),
        ("text, row by row", "tidy", Work::Tidy, &texts),
        ("text, kernels", "tidy", Work::TidyKernels, &texts),
        ("text, derived rows", "tidy", Work::TidyRows, &texts),
        ("numbers, row by row", "settle", Work::Settle, &numbers),
        (
            "numbers, derived rows",
            "settle",
            Work::SettleRows,
            &numbers,
        ),
    ];
    let with = Sandboxed::new(guests, true)?;
    let without = Sandboxed::new(guests, false)?;
    let (partition, batch_by_batch) = (Isolation::Partition, Isolation::Batch);
    let places = [
        ("native", None),
        ("sandbox", Some((&with, TRANSFORMS, partition))),
        (
            "sandbox, fresh for each batch",
            Some((&with, TRANSFORMS, batch_by_batch)),
        ),
        (
            "sandbox, no deadlines",
            Some((&without, TRANSFORMS, partition)),
        ),
        ("Arrow IPC", Some((&with, IPC, partition))),
        ("Arrow IPC, no deadlines", Some((&without, IPC, partition))),
    ];
    let mut cases = Vec::new();
    for (task, rows, work, batch) in tasks {
        for (place, sandbox) in &places {
            let nothing = matches!(work, Work::Identity) && sandbox.is_none();
            if nothing || !wanted(&format!("{task}: {place}")) {
                continue;
            }
            cases.push(Case {
                task: task.to_owned(),
                place: (*place).to_owned(),
                rows: rows.to_owned(),
                run: match *sandbox {
                    None => native(work, batch),
                    Some((sandbox, IPC, _)) => sandbox.over_ipc(work, batch)?,
                    Some((sandbox, _, isolation)) => sandbox.plugin(work, batch, isolation)?,
                },
            });
        }
    }
    Ok(cases)
}

/// The component that runs transforms as Weir's plugins.
const TRANSFORMS: &str = "bench_transforms.wasm";
/// The component that runs them over IPC.
const IPC: &str = "bench_ipc.wasm";

/// Times `repeats` calls, whose last result is digested.
fn timed(
    repeats: usize,
    mut call: impl FnMut() -> anyhow::Result<RecordBatch>,
) -> anyhow::Result<Round> {
    let mut last = None;
    let began = thread_time();
    for _ in 0..repeats {
        last = Some(call()?);
    }
    let time = thread_time().saturating_sub(began);
    let digest = last
        .as_ref()
        .and_then(digest)
        .context("no rows to digest")?;
    Ok(Round {
        time,
        batches: repeats,
        digest,
    })
}

fn native(work: Work, batch: &RecordBatch) -> Box<dyn FnMut(usize) -> anyhow::Result<Round>> {
    let batch = batch.clone();
    let output = work.output(batch.schema_ref());
    Box::new(move |repeats| {
        timed(repeats, || {
            Ok(work.run(std::hint::black_box(&batch), &output)?)
        })
    })
}

/// A sandbox, and where its plugins lie.
struct Sandboxed {
    runtime: Arc<Runtime>,
    sandbox: Sandbox,
    guests: PathBuf,
    loaded: RefCell<BTreeMap<&'static str, Plugin>>,
}

impl Sandboxed {
    fn new(guests: &Path, deadlines: bool) -> anyhow::Result<Sandboxed> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let sandbox = Sandbox::new(SandboxOptions {
            deadlines,
            max_instances: 32,
            max_memory: Limits::default().memory,
            ..SandboxOptions::default()
        })?;
        Ok(Sandboxed {
            runtime: Arc::new(runtime),
            sandbox,
            guests: guests.to_owned(),
            loaded: RefCell::default(),
        })
    }

    /// Compiles a component when it is first asked for.
    fn load(&self, file: &'static str) -> anyhow::Result<Plugin> {
        if let Some(plugin) = self.loaded.borrow().get(file) {
            return Ok(plugin.clone());
        }
        let path = self.guests.join(file);
        let component =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let plugin = self.runtime.block_on(self.sandbox.load(file, component))?;
        self.loaded.borrow_mut().insert(file, plugin.clone());
        Ok(plugin)
    }

    /// An instance bound to do `work` on batches like `batch`.
    fn instance(
        &self,
        file: &'static str,
        work: Work,
        batch: &RecordBatch,
        isolation: Isolation,
    ) -> anyhow::Result<Instance> {
        let plugin = self.load(file)?;
        let terms = Terms {
            isolation,
            ..Terms::default()
        };
        self.runtime.block_on(async {
            let mut instance = plugin.instantiate("bench", &terms).await?;
            instance
                .bind(&BindRequest {
                    config: serde_json::json!({ "work": work }),
                    pipeline: "bench".into(),
                    step: "bench".into(),
                    parameters: Vec::new(),
                    input: batch.schema(),
                    side_inputs: Vec::new(),
                })
                .await?;
            Ok(instance)
        })
    }

    /// `work` as a plugin of Weir's.
    fn plugin(
        &self,
        work: Work,
        batch: &RecordBatch,
        isolation: Isolation,
    ) -> anyhow::Result<Box<dyn FnMut(usize) -> anyhow::Result<Round>>> {
        let mut instance = self.instance(TRANSFORMS, work, batch, isolation)?;
        let (runtime, batch) = (self.runtime.clone(), batch.clone());
        Ok(Box::new(move |repeats| {
            timed(repeats, || runtime.block_on(process(&mut instance, &batch)))
        }))
    }

    /// `work` in a guest that takes an IPC stream and gives one back.
    fn over_ipc(
        &self,
        work: Work,
        batch: &RecordBatch,
    ) -> anyhow::Result<Box<dyn FnMut(usize) -> anyhow::Result<Round>>> {
        let streams = Arc::new(Schema::new(vec![Field::new(
            "stream",
            DataType::Binary,
            false,
        )]));
        let wrap = move |stream: Vec<u8>| -> anyhow::Result<RecordBatch> {
            let offsets = OffsetBuffer::from_lengths([stream.len()]);
            let column = BinaryArray::try_new(offsets, stream.into(), None)?;
            Ok(RecordBatch::try_new(
                streams.clone(),
                vec![Arc::new(column)],
            )?)
        };
        let mut instance =
            self.instance(IPC, work, &wrap(encode(batch)?)?, Isolation::Partition)?;
        let (runtime, batch) = (self.runtime.clone(), batch.clone());
        Ok(Box::new(move |repeats| {
            timed(repeats, || {
                let stream = wrap(encode(&batch)?)?;
                let answer = runtime.block_on(process(&mut instance, &stream))?;
                decode(answer.column(0).as_binary::<i32>().values().clone())
            })
        }))
    }
}

/// One batch through a plugin that gives one back.
async fn process(instance: &mut Instance, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let mut processed = instance.process(batch).await?;
    match (processed.emitted.pop(), processed.emitted.len()) {
        (Some(emitted), 0) => Ok(emitted.batch),
        _ => bail!("one batch in, one batch out"),
    }
}

fn encode(batch: &RecordBatch) -> anyhow::Result<Vec<u8>> {
    let room = batch.get_array_memory_size() + 4_096;
    let mut writer = StreamWriter::try_new(Vec::with_capacity(room), batch.schema_ref())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// The batch of a stream. It comes from a guest, so it is validated.
fn decode(mut stream: Buffer) -> anyhow::Result<RecordBatch> {
    let mut decoder = StreamDecoder::new();
    decoder
        .decode(&mut stream)?
        .context("a stream without a batch")
}
