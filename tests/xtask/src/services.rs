//! Programs of others that the tests start: each found on the machine, or installed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::stages::{succeed, works};
use crate::workspace::Workspace;

/// Debian's name for the OCI registry of the distribution project, package and program alike.
const REGISTRY: &str = "docker-registry";

/// Names another program to use as the registry; the tests look at it too.
const REGISTRY_VARIABLE: &str = "WEIR_REGISTRY_BIN";

/// Debian's name for the server, its programs and `psql`, in the version that it has.
const POSTGRES: &str = "postgresql";

/// Names another folder of the server's programs; the tests look at it too.
const POSTGRES_VARIABLE: &str = "WEIR_POSTGRES_BIN";

/// Where Debian keeps the server's programs, by version.
const POSTGRES_PROGRAMS: &str = "/usr/lib/postgresql";

/// Debian's names for the server's programs, and for its client.
const MARIADB: [&str; 2] = ["mariadb-server-core", "mariadb-client-core"];

/// Names another folder of both; the tests look at it too.
const MARIADB_VARIABLE: &str = "WEIR_MARIADB_BIN";

/// Names a library of DuckDB; the tests look at it too.
const DUCKDB_VARIABLE: &str = "WEIR_DUCKDB_LIB";

/// Names a Python that has moto; the tests look at it too.
const MOTO_VARIABLE: &str = "WEIR_MOTO_PYTHON";

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
    let there = || works(workspace.command(REGISTRY).arg("--version"));
    let hint = format!(
        "hint: install it (Debian, Ubuntu: sudo apt-get install {REGISTRY}), or name a program of \
         https://distribution.github.io/distribution in {REGISTRY_VARIABLE}"
    );
    package(workspace, REGISTRY, "an OCI registry", &hint, there)
}

/// Sees to it that there are the programs of a PostgreSQL server, likewise.
pub(crate) fn postgres(workspace: &Workspace) -> anyhow::Result<()> {
    if let Some(folder) = std::env::var_os(POSTGRES_VARIABLE) {
        if works(
            workspace
                .command(Path::new(&folder).join("postgres"))
                .arg("--version"),
        ) {
            return Ok(());
        }
        bail!(
            "{POSTGRES_VARIABLE} is {}, in which there is no `postgres` that can be started",
            folder.to_string_lossy()
        );
    }
    let there = || {
        let versions = std::fs::read_dir(POSTGRES_PROGRAMS).into_iter().flatten();
        versions
            .flatten()
            .any(|version| version.path().join("bin/postgres").is_file())
    };
    let hint = format!(
        "hint: install it (Debian, Ubuntu: sudo apt-get install {POSTGRES}), or name the folder of \
         its programs in {POSTGRES_VARIABLE}"
    );
    package(workspace, POSTGRES, "a PostgreSQL server", &hint, there)
}

/// Sees to it that there are the programs of a MariaDB server and its client, likewise.
pub(crate) fn mariadb(workspace: &Workspace) -> anyhow::Result<()> {
    if let Some(folder) = std::env::var_os(MARIADB_VARIABLE) {
        let there = ["mariadbd", "mariadb"].into_iter().all(|program| {
            works(
                workspace
                    .command(Path::new(&folder).join(program))
                    .args(["--no-defaults", "--version"]),
            )
        });
        if there {
            return Ok(());
        }
        bail!(
            "{MARIADB_VARIABLE} is {}, in which there is no `mariadbd` or no `mariadb` that can be started",
            folder.to_string_lossy()
        );
    }
    let [server, client] = MARIADB;
    let hint = format!(
        "hint: install it (Debian, Ubuntu: sudo apt-get install {server} {client}), or name the \
         folder of its programs in {MARIADB_VARIABLE}"
    );
    let is_there = |path: &str| Path::new(path).is_file();
    package(workspace, server, "a MariaDB server", &hint, || {
        is_there("/usr/sbin/mariadbd") && is_there("/usr/bin/mariadb-install-db")
    })?;
    package(workspace, client, "a client of MariaDB", &hint, || {
        is_there("/usr/bin/mariadb")
    })
}

/// Sees to it that npm is there, by which the tests fetch DuckDB's library.
pub(crate) fn npm(workspace: &Workspace) -> anyhow::Result<()> {
    if std::env::var_os(DUCKDB_VARIABLE).is_some() {
        return Ok(());
    }
    let hint = format!(
        "hint: install it (Debian, Ubuntu: sudo apt-get install npm), or name a libduckdb of DuckDB's \
         releases in {DUCKDB_VARIABLE}"
    );
    package(workspace, "npm", "npm", &hint, || {
        works(workspace.command("npm").arg("--version"))
    })
}

/// Sees to it that Python can make environments, in one of which the tests have a server like DynamoDB.
pub(crate) fn python(workspace: &Workspace) -> anyhow::Result<()> {
    if std::env::var_os(MOTO_VARIABLE).is_some() {
        return Ok(());
    }
    let hint = format!(
        "hint: install it (Debian, Ubuntu: sudo apt-get install python3-venv), or name a Python that \
         has moto and flask in {MOTO_VARIABLE}"
    );
    package(workspace, "python3-venv", "Python", &hint, || {
        works(
            workspace
                .command("python3")
                .args(["-c", "import ensurepip, venv"]),
        )
    })
}

/// What runs the tests of the Python SDK.
pub(crate) fn python_tests(workspace: &Workspace) -> anyhow::Result<Command> {
    const NEW_ENOUGH: &str = "import sys; sys.exit(sys.version_info < (3, 11))";
    if !works(workspace.command("python3").args(["-c", NEW_ENOUGH])) {
        bail!("python3 is older than 3.11\nhint: install a newer one, and put it first in PATH");
    }
    let mut command = workspace.command("python3");
    command.args(["-m", "unittest"]);
    Ok(command)
}

/// What runs the tests of the JavaScript SDK: the machine's Node.js where it is new enough, else one that npm
/// brings.
pub(crate) fn node_tests(workspace: &Workspace) -> Command {
    const NEW_ENOUGH: &str =
        "process.exit(Number(process.versions.node.split('.')[0]) < 20 ? 1 : 0)";
    if works(workspace.command("node").args(["-e", NEW_ENOUGH])) {
        let mut command = workspace.command("node");
        command.arg("--test");
        return command;
    }
    let mut command = workspace.command("npx");
    command.args(["--yes", "node@20", "--test"]);
    command
}

/// Installs a package of Debian's unless what it holds is `there`.
fn package(
    workspace: &Workspace,
    name: &str,
    what: &str,
    hint: &str,
    there: impl Fn() -> bool,
) -> anyhow::Result<()> {
    if there() {
        return Ok(());
    }
    if !works(workspace.command("apt-get").arg("--version")) {
        bail!("the tests need {what}, and there is no {name}\n{hint}");
    }
    let apt = |arguments: &[&str]| {
        let mut command = workspace.command("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        command
    };
    let install = ["install", "--yes", "--no-install-recommends", name];
    // The list of packages may be missing or old: then it is fetched, and only then.
    if succeed(&mut apt(&install)).is_err() {
        succeed(&mut apt(&["update"])).with_context(|| hint.to_owned())?;
        succeed(&mut apt(&install)).with_context(|| hint.to_owned())?;
    }
    if !there() {
        bail!("apt-get installed {name}, and it cannot be started\n{hint}");
    }
    Ok(())
}
