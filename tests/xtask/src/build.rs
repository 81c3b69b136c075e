//! The wasm target, the plugins, the test guests.

use std::path::Path;

use anyhow::{Context, bail};

use crate::stages::{succeed, works};
use crate::workspace::Workspace;

pub(crate) const WASM: &str = "wasm32-wasip2";

/// Adds the plugins' target to the toolchain, if it is missing.
pub(crate) fn wasm_target(workspace: &Workspace) -> anyhow::Result<()> {
    target(workspace, WASM)
}

/// Adds a target to the toolchain, if it is missing.
pub(crate) fn target(workspace: &Workspace, target: &str) -> anyhow::Result<()> {
    let output = workspace
        .command("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .context("cannot start rustc")?;
    let libraries = String::from_utf8(output.stdout)?;
    if output.status.success() && Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    if !works(workspace.command("rustup").arg("--version")) {
        bail!(
            "this Rust has no target {target}, and rustup, which could add it, is not installed\n\
             hint: install Rust from https://rustup.rs, or the target by the means Rust came with"
        );
    }
    succeed(workspace.command("rustup").args(["target", "add", target]))
}

/// Builds the plugins to `plugins/target/wasm32-wasip2/release/*.wasm`.
pub(crate) fn plugins(workspace: &Workspace) -> anyhow::Result<()> {
    components(workspace, "plugins")
}

/// Builds the test guests, likewise.
pub(crate) fn guests(workspace: &Workspace) -> anyhow::Result<()> {
    components(workspace, "tests/guests")
}

/// Builds the hostile guests to `tests/hostile/target/wasm32-wasip2/release/examples/*.wasm`.
pub(crate) fn hostile(workspace: &Workspace) -> anyhow::Result<()> {
    let arguments = ["build", "--release", "--target", WASM, "--examples"];
    succeed(&mut workspace.cargo_in("tests/hostile", arguments))
}

/// Builds the components of a workspace.
pub(crate) fn components(workspace: &Workspace, folder: &str) -> anyhow::Result<()> {
    succeed(&mut workspace.cargo_in(folder, ["build", "--release", "--target", WASM]))
}
