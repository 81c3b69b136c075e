//! A loaded component.

use std::sync::Arc;

use wasmtime::component::InstancePre;

use crate::error::SandboxError;
use crate::instance::Instance;
use crate::limits::Limits;
use crate::model::{Info, World};
use crate::sandbox::{Face, Sandbox};
use crate::state::State;
use crate::terms::{Powers, Terms};
use crate::track::Exports;

/// The interfaces by which a source makes requests begin so.
const HTTP: &str = "wasi:http/";
/// The interface by which a plugin asks for secrets, without its version.
const SECRETS: &str = "weir:plugin/secrets@";

/// A component that was compiled and found to be a plugin this build can run. Nothing of it has run
/// yet. Clones are cheap.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    sandbox: Sandbox,
    name: String,
    digest: String,
    size: u64,
    face: Face,
    exports: Exports,
    pre: InstancePre<State>,
}

impl Plugin {
    pub(crate) fn new(
        sandbox: Sandbox,
        name: &str,
        digest: String,
        size: u64,
        face: Face,
        exports: Exports,
        pre: InstancePre<State>,
    ) -> Plugin {
        let name = name.to_owned();
        Plugin {
            inner: Arc::new(Inner {
                sandbox,
                name,
                digest,
                size,
                face,
                exports,
                pre,
            }),
        }
    }

    /// Its name in the pipeline file.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// SHA-256 of the component, in hex.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// The world it exports.
    pub fn world(&self) -> World {
        self.inner.face.world
    }

    /// The version of the contract it exports, such as `0.1.0`.
    pub fn track(&self) -> &str {
        &self.inner.face.track
    }

    /// Full names of what it imports, sorted.
    pub fn imports(&self) -> &[String] {
        &self.inner.face.imports
    }

    /// Size of the component in bytes.
    pub fn size(&self) -> u64 {
        self.inner.size
    }

    /// Whether a stage with `powers` may run it: everything it imports beyond the fixed set must have
    /// been granted. Nothing of it runs.
    ///
    /// # Errors
    /// [`ForbiddenImport`](SandboxError::ForbiddenImport) names the import that was not.
    pub fn permitted(&self, powers: &Powers) -> Result<(), SandboxError> {
        let refused = self.imports().iter().find(|import| {
            (import.starts_with(SECRETS) && powers.secrets.is_empty())
                || (import.starts_with(HTTP) && powers.http.is_none())
        });
        match refused {
            None => Ok(()),
            Some(import) => Err(SandboxError::ForbiddenImport {
                plugin: self.name().to_owned(),
                import: import.clone(),
            }),
        }
    }

    /// Asks the plugin what it is, in an instance made for it and thrown away. It gets no powers; what
    /// it may import is not asked here (see [`Plugin::permitted`]), so that it can be inspected.
    ///
    /// # Errors
    /// As for any call: [`Trap`](SandboxError::Trap), [`Limit`](SandboxError::Limit) and so on.
    pub async fn describe(&self, limits: &Limits) -> Result<Info, SandboxError> {
        let terms = Terms::from(limits.clone());
        Instance::unchecked(self.clone(), "", &terms)
            .await?
            .describe()
            .await
    }

    /// Makes an instance held to `terms`. `stage` is a label for errors, such as
    /// `step 'x' stage 2`.
    ///
    /// # Errors
    /// [`ForbiddenImport`](SandboxError::ForbiddenImport) if it imports what the terms do not grant;
    /// [`Limit`](SandboxError::Limit) if the pool is full or the instance does not fit its limits;
    /// [`WrongTypes`](SandboxError::WrongTypes) if an export is not of the contract's type.
    pub async fn instantiate(&self, stage: &str, terms: &Terms) -> Result<Instance, SandboxError> {
        self.permitted(&terms.powers)?;
        Instance::unchecked(self.clone(), stage, terms).await
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.inner.sandbox
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.inner.exports
    }

    pub(crate) fn pre(&self) -> &InstancePre<State> {
        &self.inner.pre
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.inner.name)
            .field("digest", &self.inner.digest)
            .field("world", &self.inner.face.world)
            .finish_non_exhaustive()
    }
}
