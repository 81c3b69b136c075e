//! What goes wrong at the workbench, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// An error with a hint.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name, folder or file that cannot be used.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A file or folder that cannot be read or written.
    #[error("cannot {what} '{}'", .path.display())]
    File {
        /// What was tried: `read`, `write`, `make`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A tool that ended with an error. Its own words were printed.
    #[error("{tool} ended with {status}; its words stand above")]
    Tool {
        /// The command, without its arguments.
        tool: String,
        /// How it ended.
        status: String,
    },
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Usage {
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::File { what, path, source }
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Error::Usage { hint, .. } => hint,
            Error::File { .. } => "check the path and its rights",
            Error::Tool { .. } => "mend what it names, and build again",
        }
    }
}
