//! Where plugins come from, and whom a pipeline trusts for them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::{OciReference, Place};

/// Where a plugin's component is, and what must be true of it.
#[derive(Debug, Clone)]
pub struct PluginSource {
    /// Where it is.
    pub component: ComponentSource,
    /// The SHA-256 digest it must have, in lower-case hex.
    pub sha256: Option<String>,
    /// The name in [`Trust::keys`] of the key that must have signed it.
    pub signed_by: Option<String>,
    /// The file of its detached signature (relative to the pipeline file), where it is not
    /// beside the component or in its manifest.
    pub signature: Option<PathBuf>,
    /// Where it is named.
    pub place: Place,
}

/// Where a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// A `.wasm` file, or the folder of a plugin's crate (relative to the pipeline file).
    Path(PathBuf),
    /// In a registry.
    Oci(OciReference),
}

impl ComponentSource {
    /// The folder of the plugin, if it is one that is there; `dir` is that of the pipeline file.
    pub fn folder(&self, dir: &Path) -> Option<PathBuf> {
        match self {
            ComponentSource::Path(path) => Some(dir.join(path)).filter(|path| path.is_dir()),
            ComponentSource::Oci(_) => None,
        }
    }
}

impl fmt::Display for ComponentSource {
    /// As it is written in a pipeline file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ComponentSource::Path(path) => path.display().fmt(f),
            ComponentSource::Oci(reference) => reference.fmt(f),
        }
    }
}

/// Whom a pipeline trusts to have made its plugins.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Public keys by name.
    pub keys: BTreeMap<String, TrustedKey>,
    /// Whether every plugin must be signed by one of the keys.
    pub require_signature: bool,
    /// Further lists of revoked components (relative to the pipeline file), besides the one of
    /// the machine.
    pub revoked: Vec<PathBuf>,
}

/// A public key that a pipeline trusts.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// The key in minisign's form: 56 characters of base64.
    pub text: String,
    /// Where it is named.
    pub place: Place,
}

/// The plugins that a pipeline's steps use, with whom it trusts for them.
#[derive(Debug, Clone)]
pub struct PluginSet {
    /// The pipeline's name.
    pub pipeline: String,
    /// The folder of its file.
    pub dir: PathBuf,
    /// The plugins in use, by name.
    pub plugins: BTreeMap<String, PluginSource>,
    /// Whom it trusts.
    pub trust: Trust,
}
