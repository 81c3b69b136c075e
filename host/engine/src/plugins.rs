//! Where a pipeline's plugins come from, and their loading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use weir_pipeline::{Fault, Pipeline, PluginSource};
use weir_sandbox::{Info, Limits, Plugin, Sandbox};

use crate::error::{Error, Result};

/// A plugin that was loaded, with what it says of itself.
#[derive(Clone)]
pub struct LoadedPlugin {
    /// The plugin.
    pub plugin: Plugin,
    /// What it says.
    pub info: Info,
}

/// Loads the plugins of `names`.
///
/// # Errors
/// Usage with the place in the file, if a component is not there or has another digest;
/// plugin, if the sandbox refuses it.
pub async fn load(
    sandbox: &Sandbox,
    pipeline: &Pipeline,
    names: impl IntoIterator<Item = &str>,
) -> Result<BTreeMap<String, LoadedPlugin>> {
    let mut loaded = BTreeMap::new();
    for name in names {
        if loaded.contains_key(name) {
            continue;
        }
        let source = pipeline
            .plugins
            .get(name)
            .ok_or_else(|| Error::internal(format!("there is no plugin '{name}'")))?;
        let path = component_path(&pipeline.dir, source)?;
        let bytes = tokio::fs::read(&path).await.map_err(|error| {
            Error::from(
                Fault::new(format!("cannot read '{}': {error}", path.display())).at(&source.place),
            )
        })?;
        let plugin = sandbox.load(name, bytes).await?;
        if let Some(expected) = &source.sha256
            && expected != plugin.digest()
        {
            return Err(Fault::new(format!(
                "plugin '{name}' has digest {}, not the one the file demands",
                plugin.digest()
            ))
            .at(&source.place)
            .hint("if the change was meant, write the new digest into `sha256`; if not, do not run it")
            .into());
        }
        let info = plugin.describe(&Limits::default()).await?;
        loaded.insert(name.to_owned(), LoadedPlugin { plugin, info });
    }
    Ok(loaded)
}

/// The component's file: the one named, or what building the named crate's folder leaves.
fn component_path(dir: &Path, source: &PluginSource) -> Result<PathBuf> {
    let named = dir.join(&source.component);
    if named.is_file() {
        return Ok(named);
    }
    if !named.is_dir() {
        return Err(Fault::new(format!("there is no '{}'", named.display()))
            .at(&source.place)
            .hint("`component` is a .wasm file or the folder of a plugin, relative to the pipeline file")
            .into());
    }
    // The folder's name is its crate's; the build lies in its own target folder or that of the
    // workspace above it.
    let folder = std::fs::canonicalize(&named).unwrap_or_else(|_| named.clone());
    let artefact = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
        .replace('-', "_");
    let built = format!("target/wasm32-wasip2/release/{artefact}.wasm");
    let candidates = [Some(folder.as_path()), folder.parent()];
    candidates
        .into_iter()
        .flatten()
        .map(|root| root.join(&built))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Fault::new(format!("plugin '{}' is not built", named.display()))
                .at(&source.place)
                .hint(format!(
                    "build it: cargo build --release --target wasm32-wasip2 --manifest-path {}",
                    named.join("Cargo.toml").display()
                ))
                .into()
        })
}
