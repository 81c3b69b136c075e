//! `cargo xtask bench`: the figures that are published.

use crate::build::{self, WASM};
use crate::services;
use crate::stages::Stages;
use crate::workspace::Workspace;

/// The target of arrow-udf's guests.
const WASI_1: &str = "wasm32-wasip1";

/// The crossing, one real plugin, and the whole pipeline.
pub(crate) fn pipeline(workspace: &Workspace, release: bool) -> anyhow::Result<()> {
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

/// Plugins that only benchmarks have.
const GUESTS: &str = "tests/bench/guests";

/// A whole run, as it is shipped, beside tools without a sandbox.
pub(crate) fn speed(workspace: &Workspace, rows: u64) -> anyhow::Result<()> {
    let mut stages = Stages::new("bench", 5);
    stages.run("Add the wasm target, if it is missing", || {
        build::wasm_target(workspace)
    })?;
    stages.run("Install Python's venv, if it is missing", || {
        services::python(workspace)
    })?;
    stages.run("Build the measured plugins", || {
        build::components(workspace, GUESTS)
    })?;
    stages.command(
        "Build weir, with all optimisation",
        &mut workspace.cargo(["build", "--release", "--package", "weir"]),
    )?;
    let arguments = ["bench", "--profile", "dev", "--package", "weir-tests"];
    let mut measure = workspace.cargo(arguments);
    measure
        .args(["--bench", "speed"])
        .env("WEIR_BIN", workspace.target().join("release/weir"))
        .env("WEIR_BENCH_ROWS", rows.to_string());
    stages.command("Measure, each tool in turn", &mut measure)?;
    stages.finish();
    Ok(())
}

/// The sandbox beside native code, Arrow IPC and arrow-udf-runtime, in one session.
pub(crate) fn sandbox(workspace: &Workspace, rounds: usize) -> anyhow::Result<()> {
    const PEERS: &str = "tests/bench/peers";
    const HARNESS: &str = "tests/bench/sandbox";
    let built = |folder: &str, file: &str| workspace.root().join(folder).join("target").join(file);
    let mut stages = Stages::new("bench", 6);
    stages.run("Add the wasm targets, if they are missing", || {
        build::target(workspace, WASM)?;
        build::target(workspace, WASI_1)
    })?;
    stages.run("Build the measured plugins", || {
        build::components(workspace, GUESTS)
    })?;
    let mut guest = workspace.cargo_in(PEERS, ["build", "--profile", "guest"]);
    stages.command(
        "Build the same for arrow-udf",
        guest.args(["--package", "bench-udf", "--target", WASI_1]),
    )?;
    let mut peers = workspace.cargo_in(PEERS, ["build", "--release", "--package", "bench-peers"]);
    stages.command("Build arrow-udf-runtime, with its wasmtime 36", &mut peers)?;
    let mut harness = workspace.cargo_in(HARNESS, ["build", "--release"]);
    stages.command("Build the sandbox, with all optimisation", &mut harness)?;
    let mut run = workspace.command(built(HARNESS, "release/bench-sandbox"));
    run.arg("--guests")
        .arg(built(GUESTS, "wasm32-wasip2/release"));
    run.arg("--rounds").arg(rounds.to_string());
    run.arg("--peers").arg(built(PEERS, "release/bench-peers"));
    run.arg(built(PEERS, "wasm32-wasip1/guest/bench_udf.wasm"));
    stages.command("Measure, each way of running in turn", &mut run)?;
    stages.finish();
    Ok(())
}
