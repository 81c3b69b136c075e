//! Programs of others that the tests start: each found on the machine, or installed.

use anyhow::{Context, bail};

use crate::stages::{succeed, works};
use crate::workspace::Workspace;

/// Debian's name for the OCI registry of the distribution project, package and program alike.
const REGISTRY: &str = "docker-registry";

/// Names another program to use as the registry; the tests look at it too.
const REGISTRY_VARIABLE: &str = "WEIR_REGISTRY_BIN";

/// Sees to it that there is an OCI registry to start. The tests start it themselves, each on a
/// port of its own: a service that the package may start is left alone.
pub(crate) fn registry(workspace: &Workspace) -> anyhow::Result<()> {
    if let Some(program) = std::env::var_os(REGISTRY_VARIABLE) {
        if works(workspace.command(&program).arg("--version")) {
            return Ok(());
        }
        bail!(
            "{REGISTRY_VARIABLE} is {}, which cannot be started",
            program.to_string_lossy()
        );
    }
    if works(workspace.command(REGISTRY).arg("--version")) {
        return Ok(());
    }
    let hint = format!(
        "hint: install it (Debian, Ubuntu: sudo apt-get install {REGISTRY}), or name a program of \
         https://distribution.github.io/distribution in {REGISTRY_VARIABLE}"
    );
    if !works(workspace.command("apt-get").arg("--version")) {
        bail!("the tests need an OCI registry, and there is no {REGISTRY}\n{hint}");
    }
    let apt = |arguments: &[&str]| {
        let mut command = workspace.command("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        command
    };
    let install = ["install", "--yes", "--no-install-recommends", REGISTRY];
    // The list of packages may be missing or old: then it is fetched, and only then.
    if succeed(&mut apt(&install)).is_err() {
        succeed(&mut apt(&["update"])).with_context(|| hint.clone())?;
        succeed(&mut apt(&install)).with_context(|| hint.clone())?;
    }
    if !works(workspace.command(REGISTRY).arg("--version")) {
        bail!("apt-get installed {REGISTRY}, and it cannot be started\n{hint}");
    }
    Ok(())
}
