//! A loaded component.

use std::sync::Arc;

use wasmtime::component::InstancePre;

use crate::error::SandboxError;
use crate::instance::Instance;
use crate::limits::Limits;
use crate::model::{Info, World};
use crate::sandbox::{Face, Sandbox};
use crate::state::State;
use crate::track::Exports;

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

    /// Asks the plugin what it is, in an instance made for it and thrown away.
    ///
    /// # Errors
    /// As for any call: [`Trap`](SandboxError::Trap), [`Limit`](SandboxError::Limit) and so on.
    pub async fn describe(&self, limits: &Limits) -> Result<Info, SandboxError> {
        self.instantiate("", limits).await?.describe().await
    }

    /// Makes an instance held to `limits`. `stage` is a label for errors, such as
    /// `step 'x' stage 2`.
    ///
    /// # Errors
    /// [`Limit`](SandboxError::Limit) if the pool is full or the instance does not fit its limits;
    /// [`WrongTypes`](SandboxError::WrongTypes) if an export is not of the contract's type.
    pub async fn instantiate(
        &self,
        stage: &str,
        limits: &Limits,
    ) -> Result<Instance, SandboxError> {
        Instance::new(self.clone(), stage, limits).await
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
