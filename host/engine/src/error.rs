//! The one error of this crate.

use std::error::Error as StdError;
use std::fmt;

use datafusion::error::DataFusionError;
use weir_pipeline::{Fault, Faults};
use weir_sandbox::SandboxError;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is; the command line derives the exit code from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The pipeline file or the arguments cannot be used.
    Usage,
    /// The input cannot be read as declared.
    Input,
    /// A plugin failed, or broke its contract or a limit.
    Plugin,
    /// Rows broke a check whose `on_fail` or threshold stops the step.
    Check,
    /// A store or database failed; trying again may work.
    Storage,
    /// Another run was faster; trying again may work.
    Conflict,
    /// It was asked to stop; trying again goes on from there.
    Interrupted,
    /// DataFusion or Weir itself failed.
    Internal,
}

/// A failure, with what to do about it.
///
/// `Display` is one line without the source and without the hint; [`Error::hint`] is what to do.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    /// The decision that had been made when this happened.
    decided: Option<u64>,
    /// Whether a database has refused rows, of which it keeps none.
    refusal: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            kind,
            message: message.into(),
            hint: None,
            decided: None,
            refusal: false,
            source: None,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Usage, message)
    }

    pub(crate) fn input(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Input, message)
    }

    pub(crate) fn storage(
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Error {
        Error::new(ErrorKind::Storage, message).with_source(source)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Internal, message)
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Error {
        self.source = Some(source.into());
        self
    }

    /// Says that a database has refused rows, of which it keeps none.
    pub(crate) fn into_refusal(mut self) -> Error {
        self.refusal = true;
        self
    }

    /// Whether a database has refused rows, of which it keeps none: it would refuse them again.
    pub(crate) fn is_refusal(&self) -> bool {
        self.refusal
    }

    /// Says before the message where it happened.
    pub(crate) fn within(mut self, what: &str) -> Error {
        self.message = format!("{what}: {}", self.message);
        self
    }

    pub(crate) fn after_decision(mut self, n: u64) -> Error {
        self.decided = Some(n);
        self
    }

    /// The number of the decision that the step had made before it failed: the next run finishes
    /// it. `None`: nothing was decided, no target has changed.
    pub fn decided(&self) -> Option<u64> {
        self.decided
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do, in one sentence.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether the same command may succeed later without a change.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Storage | ErrorKind::Conflict | ErrorKind::Interrupted
        )
    }

    /// The faults of the pipeline file, where that is the cause.
    pub fn faults(&self) -> Option<&Faults> {
        self.source.as_ref()?.downcast_ref::<Faults>()
    }

    /// The sandbox's error, where that is the cause.
    pub fn sandbox(&self) -> Option<&SandboxError> {
        self.source.as_ref()?.downcast_ref::<SandboxError>()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // Faults and sandbox errors are what the message already says.
        match &self.source {
            Some(source)
                if source.downcast_ref::<Faults>().is_none()
                    && source.downcast_ref::<SandboxError>().is_none() =>
            {
                Some(source.as_ref())
            }
            // The compiler's reason, or how an item differs from the contract.
            Some(source) => source
                .downcast_ref::<SandboxError>()
                .and_then(SandboxError::source),
            None => None,
        }
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Error {
        Error::usage(faults.to_string()).with_source(faults)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Faults::from(fault).into()
    }
}

impl From<SandboxError> for Error {
    fn from(error: SandboxError) -> Error {
        let hint = error.hint();
        let kind = if error.retryable() {
            ErrorKind::Storage
        } else {
            ErrorKind::Plugin
        };
        let mut out = Error::new(kind, error.to_string()).with_source(error);
        out.hint = hint;
        out
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Error {
        Error::storage("the object store failed", error)
            .with_hint("look at the cause; run the same command again once the store answers")
    }
}

impl From<deltalake_core::DeltaTableError> for Error {
    fn from(error: deltalake_core::DeltaTableError) -> Error {
        Error::storage("the Delta table could not be read or written", error)
            .with_hint("look at the cause; run the same command again once the store answers")
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Error {
        match find_own(error) {
            Ok(own) => own,
            Err(DataFusionError::ResourcesExhausted(what)) => Error::new(
                ErrorKind::Internal,
                format!("the query ran out of memory: {what}"),
            )
            .with_hint("raise WEIR_MEMORY (such as 1GiB), or make the step's SQL smaller"),
            Err(error) => failed_query(error),
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> DataFusionError {
        DataFusionError::External(Box::new(error))
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Error {
        match error {
            arrow::error::ArrowError::ExternalError(inner) => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(inner) => Error::internal("a batch could not be computed").with_source(inner),
            },
            error => failed_on_a_value(&error),
        }
    }
}

/// A query that failed. What failed while it ran may quote values of rows, which must not reach
/// a terminal or a log: only the class of the failure is kept. What failed before is about the
/// query's text, and is kept.
fn failed_query(error: DataFusionError) -> Error {
    match error {
        DataFusionError::Plan(_)
        | DataFusionError::SchemaError(_, _)
        | DataFusionError::SQL(_, _)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Diagnostic(_, _)
        | DataFusionError::Collection(_) => Error::internal("the query failed").with_source(error),
        DataFusionError::ObjectStore(cause) => Error::from(*cause),
        DataFusionError::Context(_, inner) => failed_query(*inner),
        other => failed_on_rows(&other),
    }
}

fn failed_on_rows(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::ArrowError(error, _) => failed_on_a_value(error),
        DataFusionError::Shared(inner) => failed_on_rows(inner),
        DataFusionError::Context(_, inner) => failed_on_rows(inner),
        _ => Error::input("a query failed on the rows it read")
            .with_hint("run the query on fewer rows with `weir sql` to find the one"),
    }
}

fn failed_on_a_value(error: &arrow::error::ArrowError) -> Error {
    use arrow::error::ArrowError;
    match error {
        ArrowError::CastError(_) | ArrowError::ParseError(_) => Error::input(
            "a value cannot be turned into the type that is asked for",
        )
        .with_hint("use try_cast, which gives null, or keep such rows aside with a check before"),
        ArrowError::DivideByZero => {
            Error::input("a query divides by zero").with_hint("use nullif(divisor, 0)")
        }
        ArrowError::ArithmeticOverflow(_) => {
            Error::input("a query's result is too large for its type")
                .with_hint("cast the operands to a larger type")
        }
        ArrowError::CsvError(_)
        | ArrowError::JsonError(_)
        | ArrowError::InvalidArgumentError(_)
        | ArrowError::ComputeError(_) => Error::internal("a batch could not be computed")
            .with_hint("look at the query and the rows it reads"),
        other => Error::internal(format!("a batch could not be computed: {other}")),
    }
}

/// Our own error, if DataFusion merely carried it.
fn find_own(error: DataFusionError) -> Result<Error, DataFusionError> {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => Ok(*own),
            Err(inner) => match inner.downcast::<DataFusionError>() {
                Ok(nested) => find_own(*nested),
                Err(inner) => Err(DataFusionError::External(inner)),
            },
        },
        DataFusionError::Context(text, inner) => {
            find_own(*inner).map_err(|inner| inner.context(text))
        }
        DataFusionError::ArrowError(inner, trace) => match *inner {
            arrow::error::ArrowError::ExternalError(inner) => match inner.downcast::<Error>() {
                Ok(own) => Ok(*own),
                Err(inner) => Err(DataFusionError::External(inner)),
            },
            inner => Err(DataFusionError::ArrowError(Box::new(inner), trace)),
        },
        // A failure that several partitions saw; what it says is kept, its parts cannot be moved.
        DataFusionError::Shared(shared) => match own_of_shared(&shared) {
            Some(error) => Ok(error),
            None => Err(DataFusionError::Shared(shared)),
        },
        other => Err(other),
    }
}

fn own_of_shared(error: &DataFusionError) -> Option<Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(own) = current.downcast_ref::<Error>() {
            let mut copy = Error::new(own.kind, own.message.clone());
            copy.hint = own.hint.clone();
            return Some(copy);
        }
        cause = current.source();
    }
    None
}
