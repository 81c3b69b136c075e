//! What is wrong with a file, and where.

use std::fmt;

use arrow::error::ArrowError;

/// Why a file's bytes are not rows of the declared columns. It names places, columns and counts,
/// never a value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    place: Option<String>,
    what: String,
    hint: String,
}

impl Fault {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Fault {
        Fault {
            place: Some(place.into()),
            what: what.into(),
            hint: String::new(),
        }
    }

    /// A fault whose text says where it is.
    pub(crate) fn placed(what: impl Into<String>) -> Fault {
        Fault {
            place: None,
            what: what.into(),
            hint: String::new(),
        }
    }

    pub(crate) fn hint_at(self, hint: impl Into<String>) -> Fault {
        Fault {
            hint: hint.into(),
            ..self
        }
    }

    /// What to do, in one sentence.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Fault {
    /// The place in the file and what is wrong there; whoever knows the file's name writes it before.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

/// Why a file cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The file is at fault.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// A column's type is none that the format's values can be turned into.
    #[error("a column cannot be decoded")]
    Arrow(#[from] ArrowError),
}
