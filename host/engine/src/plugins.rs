//! The loading of a pipeline's plugins.

use std::collections::BTreeMap;
use std::error::Error as _;

use weir_components::{Components, Provenance, Settings};
use weir_pipeline::{Fault, Pipeline, PluginSet};
use weir_sandbox::{Info, Limits, Plugin, Sandbox};

use crate::error::{Error, Result};

/// A plugin that was loaded, with what it says of itself.
#[derive(Clone)]
pub struct LoadedPlugin {
    /// The plugin.
    pub plugin: Plugin,
    /// What it says.
    pub info: Info,
    /// Where its component is from, and what vouches for it.
    pub provenance: Provenance,
}

/// Loads the plugins that the steps of `pipeline` use.
///
/// # Errors
/// Usage with the place in the file, if a component is not there, is not the one that the file or
/// its lock pins, is not signed as demanded, or was revoked; storage, if a registry cannot be
/// reached; plugin, if the sandbox refuses it.
pub async fn load(
    sandbox: &Sandbox,
    pipeline: &Pipeline,
    settings: &Settings,
) -> Result<BTreeMap<String, LoadedPlugin>> {
    let set = pipeline.plugin_set();
    let refused = |error| refusal(error, &set);
    let components = Components::open(set.clone(), settings).map_err(refused)?;
    let mut loaded = BTreeMap::new();
    for name in set.plugins.keys() {
        let component = components.fetch(name).await.map_err(refused)?;
        let plugin = sandbox.load(name, component.bytes).await?;
        let info = plugin.describe(&Limits::default()).await?;
        let plugin = LoadedPlugin {
            plugin,
            info,
            provenance: component.provenance,
        };
        loaded.insert(name.clone(), plugin);
    }
    Ok(loaded)
}

/// A component that cannot be used, with the plugin's place in the file.
pub fn refusal(error: weir_components::Error, set: &PluginSet) -> Error {
    let hint = error.hint();
    if error.is_retryable() {
        return Error::storage(error.to_string(), error).with_hint(hint);
    }
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        message.push_str(": ");
        message.push_str(&current.to_string());
        cause = current.source();
    }
    let fault = Fault::new(message).hint(hint);
    let place = match &error {
        weir_components::Error::WrongKey { place, .. } => Some(place.as_ref()),
        error => error
            .plugin()
            .and_then(|plugin| set.plugins.get(plugin))
            .map(|source| &source.place),
    };
    match place {
        Some(place) => fault.at(place).into(),
        None => fault.into(),
    }
}
