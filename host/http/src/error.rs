//! What can be wrong with a grant.

/// A cause of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why grants cannot be used. `Display` is one line without the cause; [`Error::hint`] is what to do.
/// The text of a URL is never in it: somebody may have written a password there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL of a grant cannot be used.
    #[error("the url of a grant {what}")]
    Url {
        /// What is wrong with it.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A setting of a grant cannot be used.
    #[error("the grant for {origin}: {setting} {what}")]
    Setting {
        /// Scheme, host and port of the grant.
        origin: String,
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// No client could be made.
    #[error("no HTTP client can be made")]
    Client {
        /// What it says.
        source: BoxError,
    },
}

impl Error {
    pub(crate) fn url(what: &'static str, hint: &'static str) -> Error {
        Error::Url { what, hint }
    }

    /// What to do, in one sentence.
    pub fn hint(&self) -> &str {
        match self {
            Error::Url { hint, .. } | Error::Setting { hint, .. } => hint,
            Error::Client { .. } => {
                "check that this machine has certificates of authorities: package ca-certificates, or SSL_CERT_FILE"
            }
        }
    }
}
