//! What is wrong, from what a driver says of it.
//!
//! A SQLSTATE says it best. Drivers without one use few statuses (DuckDB's has two for nearly
//! everything), so the first words of their messages are looked at: they are the database's own
//! names of kinds of errors, and no more than that is taken from them.

use crate::error::{Doing, Failure, Status, What};

/// What kind of error this is.
pub(crate) fn what(doing: &Doing, failure: &Failure) -> What {
    let status = Status::of(failure.status);
    if let Doing::SetOption(option) = doing {
        return match status {
            Status::Unauthenticated | Status::Unauthorized => What::Unauthorised,
            Status::NotImplemented
            | Status::NotFound
            | Status::AlreadyExists
            | Status::InvalidArgument
            | Status::InvalidState
            | Status::InvalidData
            | Status::Integrity
            | Status::Unknown
            | Status::Internal
            | Status::Io
            | Status::Cancelled
            | Status::Timeout
            | Status::Other(_) => What::OptionRefused {
                option: option.clone(),
            },
        };
    }
    let said = failure
        .sqlstate
        .as_deref()
        .and_then(|state| by_sqlstate(doing, state))
        .or_else(|| by_message(doing, failure.message.as_deref().unwrap_or_default()));
    let what = said.unwrap_or_else(|| by_status(doing, status));
    match (doing, &what) {
        // Whatever else it is, it keeps us out.
        (Doing::OpenDatabase | Doing::Connect, What::Failed | What::StatementInvalid) => {
            What::CannotConnect
        }
        (Doing::Load, _) => What::DriverUnusable,
        _ => what,
    }
}

fn by_sqlstate(doing: &Doing, state: &str) -> Option<What> {
    let table = doing.table();
    match state {
        "42501" => return Some(What::Unauthorised),
        "42P01" | "42S02" => return Some(What::TableMissing { table }),
        "42P07" | "42S01" => return Some(What::TableExists { table }),
        "42804" => return Some(CANNOT_CONVERT),
        "57014" => return Some(What::Cancelled),
        _ => {}
    }
    match state.get(..2)? {
        "08" => Some(What::CannotConnect),
        "0A" => Some(doing.not_implemented()),
        "22" => Some(CANNOT_CONVERT),
        "23" => Some(What::ConstraintViolated),
        "28" => Some(What::Unauthorised),
        "40" => Some(What::Conflict),
        "42" => Some(What::StatementInvalid),
        _ => None,
    }
}

const CANNOT_CONVERT: What = What::CannotConvert {
    column: None,
    data_type: None,
};

/// Databases' own names of kinds of errors, and what they are.
const KINDS: [(&str, Kind); 17] = [
    ("INTERRUPT Error", Kind::Is(What::Cancelled)),
    // DuckDB, where rows fail on their way in.
    (
        "\"exception_type\":\"INTERRUPT\"",
        Kind::Is(What::Cancelled),
    ),
    (
        "\"exception_type\":\"Conversion\"",
        Kind::Is(CANNOT_CONVERT),
    ),
    (
        "\"exception_type\":\"Constraint\"",
        Kind::Is(What::ConstraintViolated),
    ),
    (
        "Current transaction is aborted",
        Kind::Is(What::TransactionFailed),
    ),
    ("TransactionContext Error", Kind::Transaction),
    ("Constraint Error", Kind::Is(What::ConstraintViolated)),
    ("constraint failed", Kind::Is(What::ConstraintViolated)),
    ("Conversion Error", Kind::Is(CANNOT_CONVERT)),
    ("Out of Range Error", Kind::Is(CANNOT_CONVERT)),
    ("Parser Error", Kind::Is(What::StatementInvalid)),
    ("syntax error", Kind::Is(What::StatementInvalid)),
    ("Binder Error", Kind::Is(What::StatementInvalid)),
    ("Permission Error", Kind::Is(What::Unauthorised)),
    ("Not implemented Error", Kind::NotImplemented),
    ("Catalog Error", Kind::Catalog),
    ("no such table", Kind::NoTable),
];

enum Kind {
    Is(What),
    Transaction,
    NotImplemented,
    Catalog,
    NoTable,
}

/// The option that a database does not know, where it says so only when it is opened.
pub(crate) fn unknown_option<'a>(
    message: &str,
    mut options: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let (_, names) = message.split_once("options were not recognized:")?;
    let is_named = |option: &&str| names.split(',').any(|name| name.trim() == *option);
    options.find(is_named)
}

fn by_message(doing: &Doing, message: &str) -> Option<What> {
    // Some calls put words of the driver before the database's; values come after them.
    let (place, kind) = KINDS
        .iter()
        .filter_map(|(words, kind)| Some((message.find(words)?, kind)))
        .min_by_key(|(place, _)| *place)?;
    let rest = message.get(place..).unwrap_or_default();
    let table = doing.table();
    match kind {
        Kind::Is(what) => Some(what.clone()),
        Kind::Transaction if rest.contains("onflict") => Some(What::Conflict),
        Kind::Transaction if rest.contains("onstraint") => Some(What::ConstraintViolated),
        Kind::Transaction if rest.contains("is aborted") => Some(What::TransactionFailed),
        Kind::Transaction => None,
        Kind::NotImplemented => Some(doing.not_implemented()),
        Kind::Catalog if rest.contains("already exists") => Some(What::TableExists { table }),
        Kind::Catalog if rest.starts_with("Catalog Error: Table with name") => {
            Some(What::TableMissing { table })
        }
        Kind::Catalog => Some(What::StatementInvalid),
        Kind::NoTable => Some(What::TableMissing { table }),
    }
}

fn by_status(doing: &Doing, status: Status) -> What {
    match status {
        Status::NotImplemented => doing.not_implemented(),
        Status::NotFound => match doing.table() {
            Some(table) => What::TableMissing { table: Some(table) },
            None => What::Failed,
        },
        Status::AlreadyExists => What::TableExists {
            table: doing.table(),
        },
        Status::Integrity => What::ConstraintViolated,
        Status::InvalidData => CANNOT_CONVERT,
        Status::Cancelled => What::Cancelled,
        Status::Timeout => What::TimedOut,
        Status::Unauthenticated | Status::Unauthorized => What::Unauthorised,
        Status::InvalidArgument
        | Status::InvalidState
        | Status::Internal
        | Status::Io
        | Status::Unknown
        | Status::Other(_) => What::Failed,
    }
}

impl Doing {
    /// The table that the call is about.
    fn table(&self) -> Option<String> {
        match self {
            Doing::Ingest(table) | Doing::TableSchema(table) | Doing::CreateTable(table) => {
                Some(table.clone())
            }
            Doing::Load
            | Doing::SetOption(_)
            | Doing::OpenDatabase
            | Doing::Connect
            | Doing::Execute
            | Doing::Prepare
            | Doing::Bind
            | Doing::Fetch
            | Doing::IngestOption(_)
            | Doing::ExecuteMany
            | Doing::Begin
            | Doing::Commit
            | Doing::Rollback
            | Doing::Info
            | Doing::Cancel
            | Doing::Quote
            | Doing::Ledger => None,
        }
    }

    /// The call is one that the driver has not.
    pub(crate) fn not_implemented(&self) -> What {
        let feature = match self {
            Doing::Load => "function that begins it",
            Doing::SetOption(_) => "options of this kind",
            Doing::OpenDatabase => "databases to open",
            Doing::Connect => "connections",
            Doing::Execute => "statement of this kind",
            Doing::Prepare => "prepared statements",
            Doing::Bind => "parameters",
            Doing::Fetch => "results of this kind",
            Doing::Ingest(_) | Doing::CreateTable(_) => "loading of rows of this kind",
            Doing::IngestOption(feature) => feature,
            Doing::ExecuteMany => "several rows of parameters at once",
            Doing::Begin | Doing::Commit | Doing::Rollback => "transactions",
            Doing::TableSchema(_) => "schemas of tables",
            Doing::Info => "information about itself",
            Doing::Cancel => "cancelling",
            Doing::Quote | Doing::Ledger => "statement of this kind",
        };
        What::NotImplemented { feature }
    }
}
