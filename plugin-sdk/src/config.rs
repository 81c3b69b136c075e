//! A plugin's configuration: parsed from JSON, described by a JSON Schema.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::Error;

/// Parses the JSON object that the pipeline file gives; no text at all counts as `{}`.
pub(crate) fn parse<C: DeserializeOwned>(config: &str) -> Result<C, Error> {
    let config = if config.trim().is_empty() {
        "{}"
    } else {
        config
    };
    serde_json::from_str(config).map_err(Error::config)
}

/// The JSON Schema (2020-12) of a configuration.
pub(crate) fn schema<C: JsonSchema>() -> String {
    schemars::schema_for!(C).as_value().to_string()
}
