//! `cargo xtask`: one command for each thing a contributor does.
//!
//! Everything it needs beside Rust itself it fetches through rustup and cargo. What it is doing
//! goes to stderr, with the time each stage took; stdout belongs to the commands it runs.
//!
//! - [`workspace`]: where things lie, and the environment commands get.
//! - [`stages`]: running commands, one after the other, in plain words.
//! - [`build`]: the wasm target, the plugins, the test guests.
//! - [`services`]: programs of others that the tests start.
//! - [`demo`], [`mod@test`], [`lint`], [`fuzz`], [`prove`], [`bench`]: the larger commands.

mod bench;
mod build;
mod demo;
mod fuzz;
mod lint;
mod prove;
mod services;
mod stages;
mod test;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "One command for each thing a contributor does"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything, generate claims, run the synpuf pipeline on them and query the result
    Demo {
        /// Folder for input, lake and warehouse [default: `demo` in cargo's target folder]
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Run all tests: host, plugins, guests, documentation
    Test,
    /// Check formatting and lints of all workspaces
    Lint,
    /// Fuzz what reads bytes from outside: emitted batches, schemas, pipeline files, CSV, JSON
    Fuzz(fuzz::Options),
    /// Fail every call of a store, kill processes at every call, let writers race; takes hours
    Prove(prove::Options),
    /// Generate input for a pipeline: `cargo xtask generate synpuf DIR …`
    #[command(disable_help_flag = true)]
    Generate {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Measure the crossing into the sandbox, and the whole pipeline
    Bench {
        /// Compile everything with all optimisation, which takes half an hour on two cores
        #[arg(long)]
        release: bool,
        /// Measure the sandbox instead, beside native code, Arrow IPC and arrow-udf-runtime
        #[arg(long, conflicts_with = "release")]
        sandbox: bool,
        /// Rounds of `--sandbox`; every case has one turn in each
        #[arg(long, requires = "sandbox", default_value_t = 101)]
        rounds: usize,
        /// Measure a whole run instead, beside Polars, DuckDB, DataFusion and PySpark, which have no sandbox
        #[arg(long, conflicts_with_all = ["release", "sandbox"])]
        speed: bool,
        /// Rows of `--speed`
        #[arg(long, requires = "speed", default_value_t = 5_000_000)]
        rows: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    match Arguments::parse().command {
        Command::Demo { dir } => demo::run(&workspace, dir),
        Command::Test => test::run(&workspace),
        Command::Lint => lint::run(&workspace),
        Command::Fuzz(options) => fuzz::run(&workspace, &options),
        Command::Prove(options) => prove::run(&workspace, &options),
        Command::Generate { arguments } => {
            let mut command =
                workspace.cargo(["run", "--quiet", "--package", "weir-generate", "--"]);
            // A folder in the arguments is relative to where the user is.
            command
                .args(arguments)
                .current_dir(std::env::current_dir()?);
            stages::succeed(&mut command)
        }
        Command::Bench {
            sandbox: true,
            rounds,
            ..
        } => bench::sandbox(&workspace, rounds),
        Command::Bench {
            speed: true, rows, ..
        } => bench::speed(&workspace, rows),
        Command::Bench { release, .. } => bench::pipeline(&workspace, release),
    }
}
