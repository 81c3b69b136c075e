//! `cargo xtask test`: everything for the tests, and the tests.

use std::env;
use std::process::Command;

use crate::build;
use crate::services;
use crate::stages::{Stages, works};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let nextest = works(&mut workspace.cargo(["nextest", "--version"]));
    let mut stages = Stages::new("test", if nextest { 14 } else { 13 });
    stages.run("Add the wasm target to Rust, if it is missing", || {
        build::wasm_target(workspace)
    })?;
    stages.run(
        "Install an OCI registry for the tests, if there is none",
        || services::registry(workspace),
    )?;
    stages.run("Install a PostgreSQL server, if there is none", || {
        services::postgres(workspace)
    })?;
    stages.run("Install a MariaDB server, if there is none", || {
        services::mariadb(workspace)
    })?;
    stages.run("Install npm and Python's venv, if they are missing", || {
        services::npm(workspace)?;
        services::python(workspace)
    })?;
    stages.run("Build the plugins", || build::plugins(workspace))?;
    stages.run("Build the test guests", || build::guests(workspace))?;
    stages.run("Build the hostile guests", || build::hostile(workspace))?;
    stages.command(
        "Test the plugins natively, outside of the sandbox",
        &mut workspace.cargo_in("plugins", ["test"]),
    )?;
    stages.command(
        "Test the Python SDK",
        services::python_tests(workspace)?.current_dir(workspace.root().join("plugin-sdk/python")),
    )?;
    stages.command(
        "Test the JavaScript SDK",
        services::node_tests(workspace).current_dir(workspace.root().join("plugin-sdk/js")),
    )?;
    // One call, so that binaries and tests share the features of their dependencies: `--package
    // weir` alone would compile some of them twice.
    stages.command(
        "Build weir and the tests",
        &mut with_real_data(
            workspace,
            workspace.cargo(["build", "--workspace", "--bins", "--tests"]),
        ),
    )?;
    if nextest {
        stages.command(
            "Test the documentation's examples",
            &mut with_real_data(workspace, workspace.cargo(["test", "--doc", "--workspace"])),
        )?;
        stages.command(
            "Run the tests with nextest",
            &mut with_real_data(
                workspace,
                workspace.cargo(["nextest", "run", "--workspace"]),
            ),
        )?;
    } else {
        stages.command(
            "Run the tests, and the documentation's examples",
            &mut with_real_data(workspace, workspace.cargo(["test", "--workspace"])),
        )?;
    }
    stages.finish();
    Ok(())
}

/// Tests on real public samples read them from `WEIR_REAL_DATA`; without it they say that they are
/// skipped. Where the samples lie beside the checkout they are used.
fn with_real_data(workspace: &Workspace, mut command: Command) -> Command {
    // The sandbox's tests use the guests that were built before them.
    command.env(
        "WEIR_GUESTS_TARGET",
        workspace.root().join("tests/guests/target"),
    );
    if env::var_os("WEIR_REAL_DATA").is_none() {
        let beside = workspace.root().join("../shared/data");
        if let Ok(data) = beside.canonicalize() {
            command.env("WEIR_REAL_DATA", data);
        }
    }
    command
}
