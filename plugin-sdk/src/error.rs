use std::fmt;

use arrow::error::ArrowError;

/// Why a call could not be done.
///
/// The variant says who mends it. One row's problem is a rejection
/// ([`Emitter::reject`](crate::Emitter::reject)), never an error: an error ends the run.
/// Messages carry names, counts and places, never values of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The configuration does not fit; the pipeline's author mends it.
    Config(String),
    /// The input as a whole cannot be used, such as a column that is missing.
    Data(String),
    /// It may work if tried again later.
    Retry(String),
    /// It will not work; the plugin's author mends it.
    Fatal(String),
}

impl Error {
    /// The configuration does not fit.
    pub fn config(message: impl fmt::Display) -> Self {
        Self::Config(message.to_string())
    }

    /// The input as a whole cannot be used.
    pub fn data(message: impl fmt::Display) -> Self {
        Self::Data(message.to_string())
    }

    /// It may work if tried again later.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self::Retry(message.to_string())
    }

    /// It will not work as the plugin is written.
    pub fn fatal(message: impl fmt::Display) -> Self {
        Self::Fatal(message.to_string())
    }

    /// The message, without the kind.
    pub fn message(&self) -> &str {
        match self {
            Self::Config(message)
            | Self::Data(message)
            | Self::Retry(message)
            | Self::Fatal(message) => message,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Config(_) => "config",
            Self::Data(_) => "data",
            Self::Retry(_) => "retry",
            Self::Fatal(_) => "fatal",
        };
        write!(f, "{kind}: {}", self.message())
    }
}

impl std::error::Error for Error {}

/// An Arrow operation that fails on a batch the host has verified is the plugin's fault.
impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::fatal(error)
    }
}
