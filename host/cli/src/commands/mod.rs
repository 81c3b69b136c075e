//! One module a command.

pub(crate) mod backfill;
pub(crate) mod dev;
pub(crate) mod diff;
pub(crate) mod lake;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod quarantine;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sql;
pub(crate) mod terms;
pub(crate) mod trace;
pub(crate) mod validate;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use weir_components::{LockUse, Settings};
use weir_engine::session::Resources;
use weir_pipeline::{LoadOptions, Pipeline, PipelineFile};
use weir_sandbox::{ChildCompiler, Compiler, Sandbox, SandboxOptions};

use crate::args::{ComponentArgs, PipelineArgs};
use crate::failure::Failure;

impl PipelineArgs {
    /// Reads the file.
    pub(crate) fn load(&self) -> Result<PipelineFile, Failure> {
        let options = LoadOptions {
            profile: self.profile.as_deref(),
            env: &|name| std::env::var(name).ok(),
        };
        Ok(PipelineFile::load(&self.pipeline, &options)?)
    }

    /// The parameters; one given twice is a mistake.
    pub(crate) fn given(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut given = BTreeMap::new();
        for (name, value) in &self.params {
            if given.insert(name.clone(), value.clone()).is_some() {
                return Err(
                    Failure::usage(format!("--param {name} is given twice")).hint("give it once")
                );
            }
        }
        Ok(given)
    }

    /// The pipeline with its parameters bound.
    pub(crate) fn resolve(&self) -> Result<Pipeline, Failure> {
        Ok(self.load()?.resolve(&self.given()?)?)
    }
}

impl ComponentArgs {
    /// Where components are kept, and how a lock is used.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            lock: match self.locked {
                true => LockUse::Require,
                false => LockUse::Follow,
            },
            ..Settings::of_user()
        }
    }
}

/// What the machine and the environment allow: `WEIR_MEMORY` (such as `2GiB`) and
/// `WEIR_PARTITIONS`.
pub(crate) fn resources() -> Result<Resources, Failure> {
    let mut resources = Resources::default();
    if let Ok(text) = std::env::var("WEIR_PARTITIONS") {
        let partitions = text
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| {
                Failure::usage(format!(
                    "WEIR_PARTITIONS is '{text}', which is no number above 0"
                ))
                .hint("write the number of cores to use")
            })?;
        resources = Resources::for_partitions(partitions);
    }
    if let Ok(text) = std::env::var("WEIR_MEMORY") {
        resources.memory = bytes(&text).ok_or_else(|| {
            Failure::usage(format!("WEIR_MEMORY is '{text}', which is no size"))
                .hint("write it like 512MiB or 2GiB")
        })?;
    }
    Ok(resources)
}

fn bytes(text: &str) -> Option<usize> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    units.iter().find_map(|(unit, size)| {
        let number: usize = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*size).filter(|bytes| *bytes > 0)
    })
}

/// A sandbox that compiles plugins in a child process and keeps what it compiled in the user's cache
/// folder (`WEIR_CACHE` to choose another).
pub(crate) fn sandbox() -> Result<Sandbox, Failure> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = named("WEIR_CACHE")
        .map(PathBuf::from)
        .or_else(|| named("XDG_CACHE_HOME").map(|dir| PathBuf::from(dir).join("weir")))
        .or_else(|| named("HOME").map(|dir| PathBuf::from(dir).join(".cache/weir")));
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(format!("cannot find weir's own program: {error}"))
            .hint("start it by a path that stays where it is")
    })?;
    Ok(Sandbox::new(SandboxOptions {
        cache_dir: cache.map(|dir| dir.join("compiled")),
        compiler: Compiler::Child(ChildCompiler::new(program)),
        ..SandboxOptions::default()
    })?)
}

/// Prints a value as JSON on stdout.
pub(crate) fn print_json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    print(&format!("{text}\n"))
}

/// Writes to stdout. A reader that has enough and hangs up, such as `head`, is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    written(
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush()),
    )
}

/// The outcome of writing to stdout.
pub(crate) fn written(outcome: std::io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write: {error}")).hint("check where the output goes"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(super::bytes("512MiB"), Some(512 << 20));
        assert_eq!(super::bytes("2 GiB"), Some(2 << 30));
        for wrong in ["", "512", "MiB", "-1MiB", "0GiB", "99999999999999999GiB"] {
            assert_eq!(super::bytes(wrong), None, "{wrong}");
        }
    }
}
