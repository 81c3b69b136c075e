//! Putting a component into a registry, as the CNCF's guidance for WebAssembly has it: a manifest with one layer,
//! and a configuration that names it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use weir_pipeline::{OciReference, WrongReference};

use super::client::Client;
use super::manifest::{COMPONENT_LAYER, MANIFEST, SIGNATURE_ANNOTATION};
use crate::error::{Error, RegistryError, Result};
use crate::settings::Settings;
use crate::sha256;

/// How long putting a component may take, all requests together.
const PUSH_TIME: Duration = Duration::from_secs(600);

const CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// A component as a registry keeps it. The same component with the same words is the same manifest, and so has
/// the same reference, whenever it is published.
#[derive(Debug)]
pub struct Publication {
    manifest: Vec<u8>,
    config: Vec<u8>,
    component: Vec<u8>,
}

impl Publication {
    /// Of a component, with annotations such as `org.opencontainers.image.version`, and the text of its
    /// minisign signature.
    pub fn new(
        component: Vec<u8>,
        mut annotations: BTreeMap<String, String>,
        signature: Option<String>,
    ) -> Publication {
        let layer = format!("sha256:{}", sha256(&component));
        let config = json!({ "architecture": "wasm", "os": "wasip2", "layerDigests": [layer] });
        let config = config.to_string().into_bytes();
        annotations.extend(signature.map(|text| (SIGNATURE_ANNOTATION.to_owned(), text)));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": CONFIG,
                "digest": format!("sha256:{}", sha256(&config)),
                "size": config.len(),
            },
            "layers": [{ "mediaType": COMPONENT_LAYER, "digest": layer, "size": component.len() }],
            "annotations": annotations,
        });
        Publication {
            manifest: manifest.to_string().into_bytes(),
            config,
            component,
        }
    }

    /// What a pipeline file calls it at `place`, `oci://registry/name`.
    ///
    /// # Errors
    /// What is wrong with the place.
    pub fn reference(&self, place: &str) -> Result<OciReference, WrongReference> {
        OciReference::parse(&format!("{place}@sha256:{}", sha256(&self.manifest)))
    }

    /// Puts it there, and lets `tag` name it too.
    ///
    /// # Errors
    /// [`Error::Exchange`].
    pub async fn put(
        &self,
        settings: &Settings,
        reference: &OciReference,
        tag: &str,
    ) -> Result<()> {
        let put = async {
            let mut client = Client::new(reference, settings.docker.as_deref(), "pull,push")?;
            client.upload(&self.config).await?;
            client.upload(&self.component).await?;
            // Last: whoever finds it finds all of it.
            client.put_manifest(tag, MANIFEST, &self.manifest).await
        };
        let put = match tokio::time::timeout(PUSH_TIME, put).await {
            Ok(put) => put,
            Err(_) => Err(RegistryError::TooSlow(PUSH_TIME.as_secs())),
        };
        put.map_err(|source| failed("publish", reference, source))
    }
}

pub(super) fn failed(what: &'static str, reference: &OciReference, source: RegistryError) -> Error {
    Error::Exchange {
        what,
        reference: reference.to_string(),
        source,
    }
}
