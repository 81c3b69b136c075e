//! Gets components, and holds them against all that is said of them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weir_pipeline::{ComponentSource, PluginSet, PluginSource};

use crate::error::{Error, Result};
use crate::lock::{Lock, Locked};
use crate::oci::Registry;
use crate::revoked::Revocations;
use crate::settings::{LockUse, Settings};
use crate::signature::{Found, Keys, MOST_BYTES, SIGNATURE_ENDING};
use crate::{file, sha256};

pub use crate::signature::Signer;

/// The components of one pipeline.
#[derive(Debug)]
pub struct Components {
    set: PluginSet,
    keys: Keys,
    revocations: Revocations,
    lock: Option<Lock>,
    lock_use: LockUse,
    registry: Registry,
}

/// A component that may run.
#[derive(Debug)]
pub struct Component {
    /// What the file holds.
    pub bytes: Vec<u8>,
    /// Where it is from.
    pub provenance: Provenance,
}

/// Where a component is from, and what vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Its source, as the pipeline file has it.
    pub source: String,
    /// Its SHA-256, 64 lower-case hex digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// The name of the trusted key that signed it, if one did.
    pub signer: Option<String>,
    /// The identifier of that key.
    pub signer_key: Option<String>,
    /// Whether `weir.lock` names it.
    pub locked: bool,
}

/// A component before it was held against anything.
struct Raw {
    bytes: Vec<u8>,
    signature: Option<Found>,
    /// Where a signature was looked for.
    looked_for: String,
}

impl Components {
    /// Reads what holds for all components of a pipeline: its lock, its keys, the lists of revoked
    /// components. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`Error::WrongKey`]; [`Error::File`] and [`Error::WrongFile`] for a lock or list that cannot
    /// be read; [`Error::NoLock`] if one is demanded and plugins are in use.
    pub fn open(set: PluginSet, settings: &Settings) -> Result<Components> {
        let named: Vec<PathBuf> = set
            .trust
            .revoked
            .iter()
            .map(|path| set.dir.join(path))
            .collect();
        let revocations = Revocations::read([&settings.system, &settings.config], &named)?;
        let keys = Keys::read(&set.trust.keys, set.trust.require_signature)?;
        let path = Lock::path_in(&set.dir);
        let lock = match settings.lock {
            LockUse::Ignore => None,
            LockUse::Follow | LockUse::Require => Lock::read(&path)?,
        };
        if settings.lock == LockUse::Require && lock.is_none() && !set.plugins.is_empty() {
            return Err(Error::NoLock { lock: path });
        }
        Ok(Components {
            set,
            keys,
            revocations,
            lock,
            lock_use: settings.lock,
            registry: Registry::new(settings),
        })
    }

    /// The plugins whose components these are.
    pub fn plugins(&self) -> &PluginSet {
        &self.set
    }

    /// Gets the component of a plugin, if it may run.
    ///
    /// # Errors
    /// Every [`Error`] that names a plugin.
    pub async fn fetch(&self, plugin: &str) -> Result<Component> {
        let source = self.set.plugins.get(plugin).ok_or_else(|| Error::Unknown {
            plugin: plugin.to_owned(),
        })?;
        let locked = self.locked(plugin, source)?;
        // What is revoked is not even fetched, where its digest is known before.
        let known = [
            source.sha256.as_deref(),
            locked.map(|locked| locked.sha256.as_str()),
            match &source.component {
                ComponentSource::Oci(reference) => Some(reference.digest()),
                ComponentSource::Path(_) => None,
            },
        ];
        for digest in known.into_iter().flatten() {
            self.revocations.check(plugin, digest)?;
        }
        let raw = self.get(plugin, source).await?;
        let digest = sha256(&raw.bytes);
        self.revocations.check(plugin, &digest)?;
        if let Some(expected) = source
            .sha256
            .as_ref()
            .filter(|expected| **expected != digest)
        {
            return Err(Error::OtherThanFile {
                plugin: plugin.to_owned(),
                expected: expected.clone(),
                found: digest,
            });
        }
        if let (Some(locked), Some(lock)) = (locked, &self.lock)
            && locked.sha256 != digest
        {
            return Err(Error::OtherThanLock {
                plugin: plugin.to_owned(),
                lock: lock.path().to_owned(),
                expected: locked.sha256.clone(),
                found: digest,
            });
        }
        let signer = self.keys.judge(
            plugin,
            source.signed_by.as_deref(),
            &raw.bytes,
            raw.signature.as_ref(),
            &raw.looked_for,
        )?;
        let (signer, signer_key) = signer.map(|signer| (signer.name, signer.key_id)).unzip();
        Ok(Component {
            provenance: Provenance {
                source: source.component.to_string(),
                sha256: digest,
                size: u64::try_from(raw.bytes.len()).unwrap_or(u64::MAX),
                signer,
                signer_key,
                locked: locked.is_some(),
            },
            bytes: raw.bytes,
        })
    }

    /// Gets all components and says what a lock has to say of them.
    ///
    /// # Errors
    /// As [`Components::fetch`].
    pub async fn lock_entries(&self) -> Result<Vec<Locked>> {
        let mut entries = Vec::with_capacity(self.set.plugins.len());
        for plugin in self.set.plugins.keys() {
            let Provenance {
                source,
                sha256,
                size,
                signer: _,
                signer_key,
                locked: _,
            } = self.fetch(plugin).await?.provenance;
            entries.push(Locked {
                pipeline: self.set.pipeline.clone(),
                plugin: plugin.clone(),
                source,
                sha256,
                bytes: size,
                signer: signer_key,
            });
        }
        Ok(entries)
    }

    /// What the lock says of a plugin.
    fn locked(&self, plugin: &str, source: &PluginSource) -> Result<Option<&Locked>> {
        let Some(lock) = &self.lock else {
            return Ok(None);
        };
        let Some(locked) = lock.entry(&self.set.pipeline, plugin) else {
            return match self.lock_use {
                LockUse::Require => Err(Error::NotLocked {
                    plugin: plugin.to_owned(),
                    pipeline: self.set.pipeline.clone(),
                    lock: lock.path().to_owned(),
                }),
                LockUse::Follow => {
                    tracing::warn!(
                        plugin,
                        lock = %lock.path().display(),
                        "the lock file does not name this plugin: run `weir plugin lock` to pin it"
                    );
                    Ok(None)
                }
                LockUse::Ignore => Ok(None),
            };
        };
        let found = source.component.to_string();
        if locked.source != found {
            return Err(Error::OtherSource {
                plugin: plugin.to_owned(),
                lock: lock.path().to_owned(),
                expected: locked.source.clone(),
                found,
            });
        }
        Ok(Some(locked))
    }

    async fn get(&self, plugin: &str, source: &PluginSource) -> Result<Raw> {
        let named = source
            .signature
            .as_ref()
            .map(|path| self.set.dir.join(path));
        match &source.component {
            ComponentSource::Path(path) => {
                let path = file::component_file(plugin, &self.set.dir.join(path))?;
                let bytes = {
                    let (plugin, path) = (plugin.to_owned(), path.clone());
                    blocking(move || file::component(&plugin, &path)).await?
                };
                let beside = named.unwrap_or_else(|| signature_beside(&path));
                Ok(Raw {
                    bytes,
                    signature: signature_file(&beside, source.signature.is_some())?,
                    looked_for: format!("at '{}'", beside.display()),
                })
            }
            ComponentSource::Oci(reference) => {
                let pulled =
                    self.registry
                        .pull(reference)
                        .await
                        .map_err(|error| Error::Registry {
                            plugin: plugin.to_owned(),
                            reference: reference.to_string(),
                            source: error,
                        })?;
                let (signature, looked_for) = match &named {
                    Some(path) => (
                        signature_file(path, true)?,
                        format!("at '{}'", path.display()),
                    ),
                    None => (
                        pulled.signature.map(|text| Found {
                            text,
                            place: "in its manifest".to_owned(),
                        }),
                        "in its manifest, and `signature` names no file".to_owned(),
                    ),
                };
                Ok(Raw {
                    bytes: pulled.component,
                    signature,
                    looked_for,
                })
            }
        }
    }
}

/// The file of a component's signature, where no other is named: `x.wasm.minisig`.
pub(crate) fn signature_beside(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(".");
    name.push(SIGNATURE_ENDING);
    name.into()
}

/// A signature's file; one that is named must be there.
fn signature_file(path: &Path, named: bool) -> Result<Option<Found>> {
    const HINT: &str =
        "get the signature anew from the plugin's author, or sign with `weir plugin sign`";
    let text = file::text(path, MOST_BYTES, HINT)?;
    if named && text.is_none() {
        return Err(Error::WrongFile {
            path: path.to_owned(),
            why: "`signature` names it, and it is not there".to_owned(),
            hint: HINT,
        });
    }
    Ok(text.map(|text| Found {
        text,
        place: format!("'{}'", path.display()),
    }))
}

/// Reads on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(read).await {
        Ok(result) => result,
        // Nothing here panics, and the runtime ends tasks only when it ends itself.
        Err(error) => Err(Error::File {
            what: "read",
            path: PathBuf::new(),
            source: std::io::Error::other(error),
        }),
    }
}

#[cfg(test)]
#[path = "fetch/tests.rs"]
mod tests;
