//! What can be wrong with a component, its lock, its signature or its registry.

use std::path::PathBuf;

use weir_pipeline::Place;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a component may not run, or cannot be had. `Display` is one line without the cause;
/// [`Error::hint`] is what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No plugin of this name is in use.
    #[error("there is no plugin '{plugin}'")]
    Unknown {
        /// The name.
        plugin: String,
    },
    /// Nothing is at the path.
    #[error("plugin '{plugin}': there is no '{}'", path.display())]
    Missing {
        /// The plugin's name.
        plugin: String,
        /// The path.
        path: PathBuf,
    },
    /// The folder of a plugin has no build.
    #[error("plugin '{plugin}': '{}' is not built", folder.display())]
    NotBuilt {
        /// The plugin's name.
        plugin: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot {what} '{}'", path.display())]
    File {
        /// `read`, `write` and so on.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder of Weir's own is not private.
    #[error("cannot use '{}': {why}", path.display())]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A component is larger than any may be.
    #[error("plugin '{plugin}': '{}' is larger than the {} MiB that a component may have", path.display(), crate::MAX_COMPONENT >> 20)]
    TooLarge {
        /// The plugin's name.
        plugin: String,
        /// The file.
        path: PathBuf,
    },
    /// The component is not the one that the pipeline file pins.
    #[error("plugin '{plugin}' has digest {found}, not the one the file demands ({expected})")]
    OtherThanFile {
        /// The plugin's name.
        plugin: String,
        /// The digest in the pipeline file.
        expected: String,
        /// The component's.
        found: String,
    },
    /// The component is not the one that was locked.
    #[error("plugin '{plugin}' has digest {found}, not the one in '{}' ({expected})", lock.display())]
    OtherThanLock {
        /// The plugin's name.
        plugin: String,
        /// The lock file.
        lock: PathBuf,
        /// The digest in it.
        expected: String,
        /// The component's.
        found: String,
    },
    /// The pipeline file names another source than the lock.
    #[error("plugin '{plugin}' comes from '{found}', but '{}' has it from '{expected}'", lock.display())]
    OtherSource {
        /// The plugin's name.
        plugin: String,
        /// The lock file.
        lock: PathBuf,
        /// The source in it.
        expected: String,
        /// The source in the pipeline file.
        found: String,
    },
    /// A lock is demanded, and there is none.
    #[error("there is no '{}', which --locked demands", lock.display())]
    NoLock {
        /// The lock file.
        lock: PathBuf,
    },
    /// A lock is demanded, and does not name the plugin.
    #[error("plugin '{plugin}' of pipeline '{pipeline}' is not in '{}', which --locked demands", lock.display())]
    NotLocked {
        /// The plugin's name.
        plugin: String,
        /// The pipeline's name.
        pipeline: String,
        /// The lock file.
        lock: PathBuf,
    },
    /// The component was revoked.
    #[error("plugin '{plugin}' is revoked: {digest}, on {date}{}", reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Revoked {
        /// The plugin's name.
        plugin: String,
        /// The digest on the list: of the component or of its manifest.
        digest: String,
        /// When it was revoked.
        date: String,
        /// Why.
        reason: Option<String>,
        /// The list.
        list: PathBuf,
    },
    /// A signature is demanded, and there is none.
    #[error("plugin '{plugin}' is not signed, and {demand}")]
    Unsigned {
        /// The plugin's name.
        plugin: String,
        /// Who demands it.
        demand: String,
        /// Where the signature was looked for.
        looked_for: String,
    },
    /// The signature was made by a key that is not trusted.
    #[error("plugin '{plugin}' is signed by key {found}, and {demand}")]
    OtherSigner {
        /// The plugin's name.
        plugin: String,
        /// The identifier of the key that signed, and its name if it has one.
        found: String,
        /// Who demands another.
        demand: String,
    },
    /// The signature is there, and wrong.
    #[error("plugin '{plugin}': the signature {where_from} is wrong: {why}")]
    WrongSignature {
        /// The plugin's name.
        plugin: String,
        /// Where it is.
        where_from: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A trusted key cannot be used.
    #[error("key '{name}' is not a minisign public key")]
    WrongKey {
        /// The key's name.
        name: String,
        /// Where it is named.
        place: Box<Place>,
    },
    /// A lock or list of revoked components cannot be used.
    #[error("cannot use '{}': {why}", path.display())]
    WrongFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        hint: &'static str,
    },
    /// The registry did not give the component.
    #[error("plugin '{plugin}': cannot get {reference}")]
    Registry {
        /// The plugin's name.
        plugin: String,
        /// The reference.
        reference: String,
        /// Why.
        source: RegistryError,
    },
    /// A registry did not give or take a component that no pipeline names.
    #[error("cannot {what} {reference}")]
    Exchange {
        /// `get` or `publish`.
        what: &'static str,
        /// The reference.
        reference: String,
        /// Why.
        source: RegistryError,
    },
}

/// Why a registry did not give a component.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No answer, or one that broke off.
    #[error("the registry cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It asks for a login, or refuses the one it got.
    #[error("the registry refuses access")]
    Denied,
    /// It does not have it.
    #[error("the registry does not have it")]
    NotFound,
    /// Another answer than success.
    #[error("the registry answers {what} with HTTP status {status}")]
    Status {
        /// What was asked for.
        what: &'static str,
        /// The status.
        status: u16,
    },
    /// An answer is larger than allowed.
    #[error("the {what} is larger than {allowed} bytes")]
    TooLarge {
        /// What was asked for.
        what: &'static str,
        /// The most that is read.
        allowed: u64,
    },
    /// An answer has another digest than the one asked for.
    #[error("the {what} that came has digest {found}, not {expected}")]
    WrongDigest {
        /// What was asked for.
        what: &'static str,
        /// The digest asked for.
        expected: String,
        /// The digest of what came.
        found: String,
    },
    /// The manifest is not that of a component.
    #[error("its manifest is not that of a WebAssembly component: {0}")]
    WrongManifest(String),
    /// It sends to an address that is not followed.
    #[error("the registry sends to '{0}', which is not followed")]
    Redirected(String),
    /// It took longer than allowed.
    #[error("it took more than {0} s")]
    TooSlow(u64),
}

const LOCK: &str = "if the change was meant, run `weir plugin lock PIPELINE` and commit the new weir.lock; if not, do not run it";

impl Error {
    /// The plugin that cannot be used, where it is one.
    pub fn plugin(&self) -> Option<&str> {
        match self {
            Error::Unknown { plugin }
            | Error::Missing { plugin, .. }
            | Error::NotBuilt { plugin, .. }
            | Error::TooLarge { plugin, .. }
            | Error::OtherThanFile { plugin, .. }
            | Error::OtherThanLock { plugin, .. }
            | Error::OtherSource { plugin, .. }
            | Error::NotLocked { plugin, .. }
            | Error::Revoked { plugin, .. }
            | Error::Unsigned { plugin, .. }
            | Error::OtherSigner { plugin, .. }
            | Error::WrongSignature { plugin, .. }
            | Error::Registry { plugin, .. } => Some(plugin),
            Error::File { .. }
            | Error::Exchange { .. }
            | Error::NotPrivate { .. }
            | Error::NoLock { .. }
            | Error::WrongKey { .. }
            | Error::WrongFile { .. } => None,
        }
    }

    /// What to do, in one line.
    pub fn hint(&self) -> String {
        match self {
            Error::Unknown { .. } => "this is a fault of Weir: please report it".to_owned(),
            Error::Missing { .. } => {
                "`component` is a .wasm file or the folder of a plugin, relative to the pipeline file".to_owned()
            }
            Error::NotBuilt { folder, .. } => {
                format!("build it: weir plugin build {}", folder.display())
            }
            Error::File { .. } => "check that the path is right and that you may use it".to_owned(),
            Error::NotPrivate { path, .. } => format!(
                "make it yours alone: chmod 700 {0}; or remove it, it is made anew",
                path.display()
            ),
            Error::TooLarge { .. } => {
                "strip the component, or leave out data that it carries".to_owned()
            }
            Error::OtherThanFile { .. } => {
                "if the change was meant, write the new digest into `sha256`; if not, do not run it".to_owned()
            }
            Error::OtherThanLock { .. } | Error::OtherSource { .. } => LOCK.to_owned(),
            Error::NoLock { .. } | Error::NotLocked { .. } => {
                "run `weir plugin lock PIPELINE` and commit weir.lock, or run without --locked".to_owned()
            }
            Error::Revoked { list, digest, .. } => format!(
                "use another version of the plugin; who is sure that it may run takes it off '{}': weir plugin revoke --undo {digest} --file {0}",
                list.display()
            ),
            Error::Unsigned { looked_for, .. } => format!(
                "no signature was found {looked_for}: get it from the plugin's author, or sign with `weir plugin sign`"
            ),
            Error::OtherSigner { .. } => {
                "if you trust that key, add it to keys of [trust], or name it in `signed_by`; if not, do not run it".to_owned()
            }
            Error::WrongSignature { why, .. } if *why == LEGACY => {
                "sign again with `weir plugin sign` or a minisign of version 0.10 or later".to_owned()
            }
            Error::WrongSignature { .. } => {
                "the component or its signature was changed: get both anew from the plugin's author; do not run it".to_owned()
            }
            Error::WrongKey { .. } => {
                "write the second line of the .pub file that `weir plugin keygen` or `minisign -G` made".to_owned()
            }
            Error::WrongFile { hint, .. } => (*hint).to_owned(),
            Error::Registry { source, .. } | Error::Exchange { source, .. } => {
                source.hint().to_owned()
            }
        }
    }

    /// Whether the same command may succeed later without a change.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Registry { source, .. } | Error::Exchange { source, .. } if source.is_retryable())
    }
}

/// Why a signature of old minisign versions is refused.
pub(crate) const LEGACY: &str = "it is of minisign's old form, which does not hash the file first";

impl RegistryError {
    fn hint(&self) -> &'static str {
        match self {
            RegistryError::Unreachable(_) => {
                "check the name, the network and HTTPS_PROXY, and try again; registries other than on this machine must speak HTTPS"
            }
            RegistryError::Denied => {
                "log in with `docker login REGISTRY`, with an account that may pull, and check the name"
            }
            RegistryError::NotFound => {
                "check registry, name and digest; `oras manifest fetch` shows what is there"
            }
            RegistryError::Status { status, .. } if *status >= 500 || *status == 429 => {
                "try again later"
            }
            RegistryError::Status { .. } => "check registry, name and digest",
            RegistryError::TooLarge { .. } => {
                "nothing was kept; a component may have 64 MiB, and a manifest 4 MiB"
            }
            RegistryError::WrongDigest { .. } => {
                "the registry, or something on the way, gives other content than was asked for: do not trust it"
            }
            RegistryError::WrongManifest(_) => {
                "push the component as one layer of type application/wasm, as `wkg oci push` does"
            }
            RegistryError::Redirected(_) => {
                "only HTTPS is followed, at most five times; ask whoever runs the registry"
            }
            RegistryError::TooSlow(_) => {
                "try again, or get the component by other means and name its file"
            }
        }
    }

    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            RegistryError::Unreachable(_) | RegistryError::TooSlow(_) => true,
            RegistryError::Status { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}
