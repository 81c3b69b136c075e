//! Components in OCI registries.
//!
//! A pull is two requests: the manifest by its digest, and the one layer that it names. Both are
//! hashed, so the registry, its caches and the way to it need not be trusted with the content, only
//! with being there. It is code of its own on [`reqwest`], since a registry can be hostile in other
//! ways too: every answer has a bound, redirects stay on HTTPS, and the login goes to nobody who
//! speaks in the clear.
//!
//! | module | idea |
//! |---|---|
//! | `manifest` | which layer is the component, and the signature |
//! | `login` | the user's login, and the token that a registry gives for it |
//! | `client` | requests with bounds |
//! | `store` | what was fetched once, by digest |
//! | `publish` | putting a component there |

mod client;
mod login;
mod manifest;
mod publish;
mod store;

use std::path::PathBuf;
use std::time::Duration;

use weir_pipeline::OciReference;

use crate::error::{RegistryError, Result};
use crate::settings::Settings;
use client::{Client, MOST_MANIFEST};
use manifest::Manifest;
use store::Store;

pub use manifest::{COMPONENT_LAYER, SIGNATURE_ANNOTATION};
pub use publish::Publication;

/// How long a component may take, all requests together.
const PULL_TIME: Duration = Duration::from_secs(300);

/// Registries, and what was fetched from them before.
#[derive(Debug)]
pub(crate) struct Registry {
    store: Option<Store>,
    docker: Option<PathBuf>,
}

/// What a registry gave.
#[derive(Debug)]
pub(crate) struct Pulled {
    pub(crate) component: Vec<u8>,
    /// The text of the signature in the manifest.
    pub(crate) signature: Option<String>,
}

/// Gets a component by its reference, from the user's store if it is there, and the text of its signature.
///
/// # Errors
/// [`Error::Registry`].
pub async fn pull(
    settings: &Settings,
    reference: &OciReference,
) -> Result<(Vec<u8>, Option<String>)> {
    let pulled = Registry::new(settings).pull(reference).await;
    let pulled = pulled.map_err(|source| publish::failed("get", reference, source))?;
    Ok((pulled.component, pulled.signature))
}

impl Registry {
    /// With the folders and files of the user.
    pub(crate) fn new(settings: &Settings) -> Registry {
        Registry {
            store: settings.cache.as_deref().map(Store::at),
            docker: settings.docker.clone(),
        }
    }

    /// Gets a component, from the store if it is there.
    pub(crate) async fn pull(&self, reference: &OciReference) -> Result<Pulled, RegistryError> {
        let pull = self.pull_slowly(reference);
        match tokio::time::timeout(PULL_TIME, pull).await {
            Ok(pulled) => pulled,
            Err(_) => Err(RegistryError::TooSlow(PULL_TIME.as_secs())),
        }
    }

    async fn pull_slowly(&self, reference: &OciReference) -> Result<Pulled, RegistryError> {
        let mut client = None;
        let manifest = match self.kept(reference.digest(), MOST_MANIFEST) {
            Some(bytes) => bytes,
            None => {
                let client = client.insert(Client::new(reference, self.docker.as_deref(), "pull")?);
                let bytes = client.manifest().await?;
                self.keep(reference.digest(), &bytes);
                bytes
            }
        };
        let manifest = Manifest::read(&manifest)?;
        let layer = manifest.component;
        let component = match self.kept(&layer.sha256, layer.size) {
            Some(bytes) => bytes,
            None => {
                let client = match &mut client {
                    Some(client) => client,
                    None => client.insert(Client::new(reference, self.docker.as_deref(), "pull")?),
                };
                let bytes = client.blob(&layer.sha256, layer.size).await?;
                self.keep(&layer.sha256, &bytes);
                bytes
            }
        };
        Ok(Pulled {
            component,
            signature: manifest.signature,
        })
    }

    fn kept(&self, digest: &str, most: u64) -> Option<Vec<u8>> {
        self.store.as_ref()?.get(digest, most)
    }

    fn keep(&self, digest: &str, bytes: &[u8]) {
        if let Some(store) = &self.store {
            store.put(digest, bytes);
        }
    }
}

#[cfg(test)]
mod tests;
