//! `cargo xtask`: one command for each thing a contributor does.
//!
//! Everything it needs beside Rust itself it fetches through rustup and cargo. What it is doing
//! goes to stderr, with the time each stage took; stdout belongs to the commands it runs.
//!
//! - [`workspace`]: where things lie, and the environment commands get.
//! - [`stages`]: running commands, one after the other, in plain words.
//! - [`build`]: the wasm target, the plugins, the test guests.
//! - [`services`]: programs of others that the tests start.
//! - [`demo`], [`mod@test`], [`lint`], [`fuzz`]: the larger commands.

mod build;
mod demo;
mod fuzz;
mod lint;
mod services;
mod stages;
mod test;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use stages::Stages;
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
    },
}

fn main() -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    match Arguments::parse().command {
        Command::Demo { dir } => demo::run(&workspace, dir),
        Command::Test => test::run(&workspace),
        Command::Lint => lint::run(&workspace),
        Command::Fuzz(options) => fuzz::run(&workspace, &options),
        Command::Generate { arguments } => {
            let mut command =
                workspace.cargo(["run", "--quiet", "--package", "weir-generate", "--"]);
            // A folder in the arguments is relative to where the user is.
            command
                .args(arguments)
                .current_dir(std::env::current_dir()?);
            stages::succeed(&mut command)
        }
        Command::Bench { release } => bench(&workspace, release),
    }
}

fn bench(workspace: &Workspace, release: bool) -> anyhow::Result<()> {
    // The profile of daily work optimises what runs per row, so its figures are near a release's.
    let profile = if release { "release" } else { "dev" };
    let bench = |package: &str, bench: &str| {
        let arguments = ["bench", "--profile", profile, "--package", package];
        let mut command = workspace.cargo(arguments);
        command.args(["--bench", bench]);
        command
    };
    let mut stages = Stages::new("bench", 6);
    stages.run("Add the wasm target, if it is missing", || {
        build::wasm_target(workspace)
    })?;
    stages.run("Build the plugins", || build::plugins(workspace))?;
    stages.command(
        "Build weir",
        &mut workspace.cargo(["build", "--profile", profile, "--package", "weir"]),
    )?;
    stages.command(
        "Measure what a crossing into the sandbox costs",
        &mut bench("weir-sandbox", "crossing"),
    )?;
    stages.command(
        "Measure a transform natively and in the sandbox",
        &mut bench("weir-sandbox", "transform"),
    )?;
    stages.command(
        "Measure the whole pipeline on a million drug events",
        &mut bench("weir-tests", "pipeline"),
    )?;
    stages.finish();
    eprintln!(
        "The figures are above. They are published in README.md, with the machine they are from."
    );
    Ok(())
}
