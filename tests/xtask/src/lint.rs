//! `cargo xtask lint`: formatting and lints of all workspaces.

use crate::build::{self, WASM};
use crate::stages::Stages;
use crate::workspace::Workspace;

/// The workspaces of WebAssembly components.
const COMPONENTS: [&str; 3] = ["plugins", "tests/guests", "tests/hostile"];

/// The workspaces of the sandbox's benchmarks, which CI does not build.
const BENCHES: [&str; 3] = [
    "tests/bench/guests",
    "tests/bench/sandbox",
    "tests/bench/peers",
];

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut stages = Stages::new("lint", 5 + 2 * COMPONENTS.len() + BENCHES.len());
    stages.command(
        "Check the formatting of the host",
        &mut workspace.cargo(["fmt", "--all", "--check"]),
    )?;
    for folder in COMPONENTS.into_iter().chain(BENCHES) {
        stages.command(
            &format!("Check the formatting of {folder}"),
            &mut workspace.cargo_in(folder, ["fmt", "--all", "--check"]),
        )?;
    }
    let mut fuzz = workspace.cargo(["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"]);
    stages.command("Check the formatting of the fuzz targets", &mut fuzz)?;
    stages.run("Add the wasm target to Rust, if it is missing", || {
        build::wasm_target(workspace)
    })?;
    for folder in COMPONENTS {
        let mut command = workspace.cargo_in(
            folder,
            [
                "clippy",
                "--workspace",
                "--lib",
                "--examples",
                "--target",
                WASM,
            ],
        );
        stages.command(
            &format!("Run clippy on {folder}"),
            command.args(["--", "-D", "warnings"]),
        )?;
    }
    let mut command = workspace.cargo(["clippy", "--workspace", "--all-targets"]);
    stages.command(
        "Run clippy on the host",
        command.args(["--", "-D", "warnings"]),
    )?;
    // Without libFuzzer's main function they are checked, not linked.
    let mut command = workspace.cargo(["clippy", "--manifest-path", "fuzz/Cargo.toml"]);
    stages.command(
        "Run clippy on the fuzz targets",
        command.args(["--", "-D", "warnings"]),
    )?;
    stages.finish();
    Ok(())
}
