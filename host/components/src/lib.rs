//! Where a pipeline's components come from, and whether they may run.
//!
//! A pipeline names each plugin's component: a file, or a reference to an OCI registry. This crate
//! gets its bytes and holds them against all that is said of them, before anything compiles them:
//!
//! | what is said | by whom | module |
//! |---|---|---|
//! | this digest | `sha256` in the pipeline file, `@sha256:` in a reference | [`fetch`](Components::fetch) |
//! | this source and digest | `weir.lock`, beside the pipeline file | [`lock`] |
//! | signed, by this key | `[trust]` and `signed_by` in the pipeline file | [`signature`] |
//! | not this digest, whatever else is said | lists of revoked components | [`revoked`] |
//!
//! It knows neither Arrow nor WebAssembly: a component is bytes with a digest. What they do is the
//! sandbox's concern, and what a signature does not say: that code is signed makes it somebody's,
//! not harmless.
//!
//! ```no_run
//! # async fn example(pipeline: weir_pipeline::Pipeline) -> Result<(), weir_components::Error> {
//! use weir_components::{Components, Settings};
//!
//! let components = Components::open(pipeline.plugin_set(), &Settings::of_user())?;
//! let component = components.fetch("claims").await?;
//! println!("{} from {}", component.provenance.sha256, component.provenance.source);
//! # Ok(())
//! # }
//! ```

mod error;
mod fetch;
mod file;
mod listed;
pub mod lock;
mod oci;
mod private;
pub mod revoked;
mod settings;
pub mod signature;

pub use error::{Error, RegistryError, Result};
pub use fetch::{Component, Components, Provenance, Signer};
pub use file::component_file;
pub use oci::{COMPONENT_LAYER, Publication, SIGNATURE_ANNOTATION, pull};
pub use settings::{LockUse, Settings};

use sha2::{Digest, Sha256};

/// The largest component that is read, in bytes: what the sandbox takes.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// SHA-256 of `bytes`: 64 lower-case hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
