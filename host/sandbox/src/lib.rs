//! Loads, limits and calls Weir plugins: Arrow in, Arrow out.
//!
//! A plugin is a WebAssembly component of the contract in `wit/`. This crate, with `weir-verify`
//! below it, is the whole of the boundary between it and the host: what a plugin may import, how much
//! it may use, and what has to be true of its output before that becomes a `RecordBatch`. It knows
//! nothing of pipelines, reads and writes no file but its compile cache, and opens no connection, so
//! that it can be audited and fuzzed alone.
//!
//! | module | holds |
//! |---|---|
//! | `sandbox` | the engine's settings, loading, which imports are allowed |
//! | `plugin`, `instance` | a loaded component; a running one and its calls |
//! | `track` | the ABI tracks: one module each that only converts |
//! | `state` | the host functions a guest calls, and what they hold back until the call returns |
//! | [`verify`], `schema` | a guest's bytes and schemas, checked: the crate `weir-verify` |
//! | `lower` | a batch's way in: unpacked, compacted, split |
//! | `terms` | what a stage gives a plugin and holds it to: powers, contract, isolation, speech |
//! | `limits`, `held`, `clock` | memory and tables; what is held of outputs; guest time and deadlines |
//! | `inert`, `guest_log` | the WASI set that gives nothing; stdout, stderr and log to `tracing` or a sink |
//! | `compile` | compiling, here or in a child that may use only so much |
//! | `cache` | compiled code on disk, authenticated; the crate's one `unsafe` |
//! | `error` | typed errors with place and hint |
//!
//! ```no_run
//! use std::sync::Arc;
//! use weir_sandbox::{BindRequest, Limits, Sandbox, SandboxOptions, Terms, split};
//! # use arrow::array::RecordBatch;
//! # async fn run(batch: RecordBatch) -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::new(SandboxOptions::default())?;
//! let plugin = sandbox.load("visits", std::fs::read("visits.wasm")?).await?;
//! let limits = Limits::default();
//! println!("{}", plugin.describe(&limits).await?.description);
//!
//! let terms = Terms::from(limits.clone());
//! let mut instance = plugin.instantiate("step 'flatten' stage 1", &terms).await?;
//! let outputs = instance
//!     .bind(&BindRequest {
//!         config: serde_json::json!({}),
//!         pipeline: "visit-events".into(),
//!         step: "flatten".into(),
//!         parameters: vec![("date".into(), "2026-01-31".into())],
//!         input: batch.schema(),
//!         side_inputs: Vec::new(),
//!     })
//!     .await?;
//! for part in split(&batch, limits.memory) {
//!     for emitted in instance.process(&part).await?.emitted {
//!         println!("{} rows to {}", emitted.batch.num_rows(), outputs[emitted.output].name);
//!     }
//! }
//! instance.finish().await?;
//! # Ok(())
//! # }
//! ```

mod cache;
mod clock;
mod compile;
mod error;
mod guest_log;
mod held;
mod inert;
mod instance;
mod limits;
mod lower;
mod model;
mod outbound;
mod plugin;
mod sandbox;
mod schema;
mod state;
mod terms;
mod track;

use weir_verify::guest_text;
pub use weir_verify::verify;

pub use compile::{COMPILER_ARGUMENT, ChildCompiler, Compiler, compiler_main};
pub use error::{Call, CallSite, LimitKind, PluginErrorKind, SandboxError, Source};
pub use guest_log::{GuestLevel, GuestLine, GuestSink, GuestStream};
pub use held::Reserved;
pub use instance::Instance;
pub use limits::{Limits, ROWS_OUT_FLOOR};
pub use lower::{MAX_BATCH_ROWS, crossing_bytes, decoder_chunk, side_input_bytes, split};
pub use model::{
    BindRequest, ByteRejection, Emitted, Finding, Info, Output, Page, Processed, Reading,
    RecordRejection, Rule, SideInput, Stream, Usage, World,
};
pub use outbound::{MAX_REQUEST_BODY, Outbound, Refused, RefusedKind, ResponseBody};
pub use plugin::Plugin;
pub use sandbox::{MAX_COMPONENT, Sandbox, SandboxOptions};
pub use schema::normalise_schema;
pub use terms::{Contract, Isolation, MemoryBudget, Powers, RowContract, Secret, Speech, Terms};
