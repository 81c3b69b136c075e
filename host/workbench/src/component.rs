//! The component of a plugin's folder, built by the tools of its language.

use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::scaffold::Language;

const TARGET: &str = "wasm32-wasip2";

/// A component that was built.
#[derive(Debug)]
pub struct Built {
    /// Where it lies.
    pub component: PathBuf,
    /// The plugin's name by its manifest.
    pub name: String,
}

/// Builds the component of the plugin in `folder`. What the tools say goes to stderr.
///
/// # Errors
/// [`Error::Usage`] for a folder that is none of a plugin, and for a tool that is missing, with the command that
/// installs it; [`Error::Tool`] if the build fails.
pub fn build(folder: &Path) -> Result<Built> {
    let language = language_of(folder)?;
    let (name, component) = match language {
        Language::Rust => rust(folder)?,
        Language::Python => python(folder)?,
        Language::Js => js(folder)?,
    };
    Ok(Built { component, name })
}

/// The language of a plugin, by the manifest in its folder.
pub(crate) fn language_of(folder: &Path) -> Result<Language> {
    let has = |name: &str| folder.join(name).is_file();
    if has("Cargo.toml") {
        Ok(Language::Rust)
    } else if has("pyproject.toml") {
        Ok(Language::Python)
    } else if has("package.json") {
        Ok(Language::Js)
    } else {
        Err(Error::usage(
            format!(
                "'{}' has no Cargo.toml, pyproject.toml or package.json",
                folder.display()
            ),
            "name the folder of a plugin, or make one: weir plugin new NAME",
        ))
    }
}

/// With cargo, for a crate that may be of a workspace.
fn rust(folder: &Path) -> Result<(String, PathBuf)> {
    let no_rust = "install Rust: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";
    let mut asks = Command::new("rustc");
    asks.args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(folder)
        .stderr(Stdio::null());
    let libraries = asks
        .output()
        .map_err(|error| missing("rustc", error, no_rust))?;
    let place = String::from_utf8_lossy(&libraries.stdout);
    if !libraries.status.success() || !Path::new(place.trim()).is_dir() {
        return Err(Error::usage(
            format!("Rust cannot build for {TARGET} yet"),
            format!("rustup target add {TARGET}"),
        ));
    }
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(folder)
        .stdout(Stdio::piped());
    let mut cargo_runs = cargo
        .spawn()
        .map_err(|error| missing("cargo", error, no_rust))?;
    let manifest = std::fs::canonicalize(folder.join("Cargo.toml"))
        .map_err(Error::file("read", &folder.join("Cargo.toml")))?;
    let mut built = None;
    if let Some(messages) = cargo_runs.stdout.take() {
        for line in BufReader::new(messages).lines() {
            let line = line.map_err(Error::file("read the messages of cargo in", folder))?;
            built = artefact(&line, &manifest).or(built);
        }
    }
    let status = cargo_runs
        .wait()
        .map_err(Error::file("wait for cargo in", folder))?;
    if !status.success() {
        return Err(tool("cargo", status));
    }
    built.ok_or_else(|| {
        Error::usage(
            format!("the crate in '{}' gives no component", folder.display()),
            "let it be one: [lib] crate-type = [\"cdylib\"]",
        )
    })
}

/// The component that a message of cargo's says was built for the crate of `manifest`, and the crate's name.
fn artefact(message: &str, manifest: &Path) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    if message.get("reason")? != "compiler-artifact" {
        return None;
    }
    if Path::new(message.get("manifest_path")?.as_str()?) != manifest {
        return None;
    }
    let files = message.get("filenames")?.as_array()?.iter();
    let mut files = files.filter_map(|file| file.as_str());
    let component = files.find(|file| file.ends_with(".wasm"))?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.replace('_', "-"), PathBuf::from(component)))
}

/// With the SDK's own command, in the folder's environment.
fn python(folder: &Path) -> Result<(String, PathBuf)> {
    let manifest = folder.join("pyproject.toml");
    let text = std::fs::read_to_string(&manifest).map_err(Error::file("read", &manifest))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Error::usage(format!("{}: {error}", manifest.display()), "mend the file")
    })?;
    let name = table
        .get("project")
        .and_then(|project| project.get("name")?.as_str());
    let name = named(name, &manifest)?;
    let own = folder.join(".venv/bin/python");
    let python = match own.is_file() {
        // Relative to the folder in which it runs.
        true => PathBuf::from(".venv/bin/python"),
        false => PathBuf::from("python3"),
    };
    let install = Language::Python.install().unwrap_or_default();
    let mut asks = Command::new(&python);
    asks.args(["-c", "import weir_plugin, componentize_py"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let has_tools = asks.status().map_err(|error| {
        missing(
            "python3",
            error,
            "install Python 3.11 or newer, such as: apt install python3 python3-venv",
        )
    })?;
    if !has_tools.success() {
        return Err(Error::usage(
            "the SDK and componentize-py are not installed for this plugin",
            in_folder(folder, install),
        ));
    }
    let component = format!("{name}.wasm");
    let mut build = Command::new(&python);
    build
        .args(["-m", "weir_plugin", "build", "-o", &component])
        .arg(format!("{}.py", name.replace('-', "_")))
        .current_dir(folder);
    run("python", build)?;
    Ok((name, folder.join(component)))
}

/// With the SDK's own command, in the folder's packages.
fn js(folder: &Path) -> Result<(String, PathBuf)> {
    let manifest = folder.join("package.json");
    let text = std::fs::read_to_string(&manifest).map_err(Error::file("read", &manifest))?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        Error::usage(format!("{}: {error}", manifest.display()), "mend the file")
    })?;
    let name = named(json.get("name").and_then(|name| name.as_str()), &manifest)?;
    let command = "node_modules/weir-plugin/bin/weir-plugin.js";
    if !folder.join(command).is_file() {
        return Err(Error::usage(
            "the packages of this plugin are not installed",
            in_folder(folder, Language::Js.install().unwrap_or_default()),
        ));
    }
    let component = format!("{name}.wasm");
    let mut build = Command::new("node");
    build
        .args([command, "build", "-o", &component])
        .arg(format!("{}.js", name.replace('-', "_")))
        .current_dir(folder);
    run("node", build)?;
    Ok((name, folder.join(component)))
}

/// A name that can be a file's.
fn named(name: Option<&str>, manifest: &Path) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match name {
        Some(name) if !name.is_empty() && name.chars().all(plain) => Ok(name.to_owned()),
        _ => Err(Error::usage(
            format!("{} gives the plugin no name", manifest.display()),
            "name it, with letters, digits and hyphens",
        )),
    }
}

/// Runs a tool to its end; what it says goes to stderr.
fn run(name: &str, mut command: Command) -> Result<()> {
    // Stdout is for what `weir` says.
    command.stdout(std::io::stderr());
    let status = command.status().map_err(|error| {
        let install = match name {
            "node" => "install Node.js 20 or newer, such as: apt install nodejs npm",
            _ => "install Python 3.11 or newer, such as: apt install python3 python3-venv",
        };
        missing(name, error, install)
    });
    match status? {
        status if status.success() => Ok(()),
        status => Err(tool(name, status)),
    }
}

fn tool(name: &str, status: std::process::ExitStatus) -> Error {
    Error::Tool {
        tool: name.to_owned(),
        status: status.to_string(),
    }
}

fn missing(name: &str, error: std::io::Error, install: &str) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::usage(format!("{name} is not installed"), install),
        _ => Error::usage(format!("{name} cannot be started: {error}"), install),
    }
}

/// A command as it is typed outside of the folder.
fn in_folder(folder: &Path, command: &str) -> String {
    match folder == Path::new(".") || folder == Path::new("") {
        true => command.to_owned(),
        false => format!("cd {} && {command}", folder.display()),
    }
}
