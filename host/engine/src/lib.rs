//! Weir's engine: from a checked pipeline to committed tables.
//!
//! ```text
//! Pipeline ─plan→ Plan ─run→ per step: files ─→ decision ─→ targets ─→ record
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`lake`] | where zones, tables and Weir's own files lie |
//! | [`types`] | types of files, Arrow, Delta and SQLite |
//! | [`files`] | CSV, JSON and Parquet as record batches with their origin |
//! | [`plugins`] | loading the plugins of a pipeline |
//! | [`plan`] | steps with bound plugins and known schemas |
//! | [`envelope`], [`segment`] | the batch that flows through row-wise stages, and the nodes |
//! | [`history`] | run records as tables |
//! | [`difference`] | what differs between the columns of rows and of their table |
//! | [`granted`], [`terms`], [`guest_log`] | which columns a plugin is given; what it works under; where its words are kept |
//! | [`mask`], [`vault`] | values replaced by others that tell less, and the tokens that stand for some |
//! | [`data_file`], [`partition`] | Parquet files with statistics, and rows by partition |
//! | [`delta`], [`sqlite`], [`sql_commit`], [`commit`] | targets, and the decisions that change them once |
//! | [`quarantine`], [`trace`] | rejected rows, and what became of them; where a row comes from |
//! | [`run`], [`record`] | running a plan, and what is kept of a run |
//! | [`compare`] | what another component of a plugin would change |
//! | [`upkeep`] | the commands of `weir lake`: history, optimize, vacuum, restore, check |
//! | [`session`], [`query`], [`report`] | DataFusion sessions, queries for people, and those of a file's reports |
//!
//! ```no_run
//! use std::{collections::BTreeMap, path::Path, sync::Arc};
//! use weir_engine::{plan::Planner, run, session::Resources};
//! use weir_components::Settings;
//! use weir_pipeline::{LoadOptions, PipelineFile};
//! use weir_sandbox::{Sandbox, SandboxOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let env = |name: &str| std::env::var(name).ok();
//! let options = LoadOptions { profile: None, env: &env };
//! let file = PipelineFile::load(Path::new("pipeline.toml"), &options)?;
//! let sandbox = Sandbox::new(SandboxOptions::default())?;
//! let planner = Planner {
//!     sandbox: &sandbox,
//!     components: Settings::of_user(),
//!     stores: None,
//!     lake: None,
//!     isolate: false,
//!     full_refresh: false,
//!     replay: false,
//!     aside: None,
//!     resources: Resources::default(),
//! };
//! let plan = planner.plan(file.resolve(&BTreeMap::new())?).await?;
//! let outcome = run::run(Arc::new(plan), run::RunOptions::default(), |_| {}).await?;
//! println!("{}", outcome.record.status);
//! # Ok(())
//! # }
//! ```

mod adbc;
mod changes;
pub mod commit;
pub mod compare;
pub mod connections;
pub mod data_file;
mod database;
pub mod delta;
pub mod difference;
mod dynamodb;
pub mod envelope;
mod error;
pub mod files;
pub mod granted;
pub mod guest_log;
pub mod history;
pub mod lake;
pub mod mask;
mod merge;
mod mysql;
pub mod outbound;
mod parquet_io;
pub mod partition;
pub mod plan;
pub mod plugins;
mod postgres;
#[cfg(test)]
mod proof;
pub mod quarantine;
pub mod query;
pub mod record;
mod redshift;
pub mod rehearsal;
pub mod report;
pub mod run;
mod secret;
pub mod segment;
pub mod server;
pub mod session;
pub mod sql_commit;
pub mod sqlite;
pub mod store;
pub mod terms;
pub mod trace;
pub mod types;
pub mod upkeep;
pub mod vault;
mod widening;

pub use error::{Error, ErrorKind, Result};
