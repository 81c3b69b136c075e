//! What can go wrong, in Weir's own words.

use std::fmt;
use std::path::PathBuf;

use arrow::error::ArrowError;

/// Why something at a warehouse did not work.
///
/// `Display` says what Weir wanted, what is wrong, the driver's status and the SQLSTATE: words of Weir,
/// names that the caller gave, and nothing else. What the driver says itself may quote values of rows
/// or of options; it is kept apart in [`driver_message`](Error::driver_message), and `Debug` does not
/// show it either.
#[derive(Debug)]
pub struct Error {
    // Large, and returned by nearly every function.
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    what: What,
    doing: Doing,
    status: Option<Status>,
    sqlstate: Option<String>,
    vendor_code: Option<i32>,
    message: Option<DriverMessage>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A driver's own words, which may quote values: `Debug` shows only how many there are.
#[derive(Clone)]
struct DriverMessage(String);

impl fmt::Debug for DriverMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// There is no file of the driver's library.
    LibraryNotFound {
        /// What was to be loaded.
        path: PathBuf,
    },
    /// There is a file, and the system's loader does not take it.
    LibraryUnusable {
        /// What was to be loaded.
        path: PathBuf,
    },
    /// The library exports no function that begins a driver.
    NoEntryPoint {
        /// The library.
        path: PathBuf,
        /// The names that were looked for.
        tried: Vec<String>,
    },
    /// The driver knows neither ADBC 1.1 nor 1.0, or could not start itself.
    DriverUnusable,
    /// The driver does not know an option, or does not take its value.
    OptionRefused {
        /// The option's name.
        option: String,
    },
    /// The database cannot be reached or opened.
    CannotConnect,
    /// The login is wrong, or its rights do not suffice.
    Unauthorised,
    /// There is no such table.
    TableMissing {
        /// Its name, where the call was about one table.
        table: Option<String>,
    },
    /// There is such a table already.
    TableExists {
        /// Its name, where the call was about one table.
        table: Option<String>,
    },
    /// A constraint of the table refuses the rows: a key, a `NOT NULL`, a check.
    ConstraintViolated,
    /// A type or a value of it has no counterpart at the other side.
    CannotConvert {
        /// The column, where it is known.
        column: Option<String>,
        /// Its Arrow type, where it is known.
        data_type: Option<String>,
    },
    /// Rows have a column that the table has not.
    ColumnMissing {
        /// The column.
        column: String,
    },
    /// The statement is not correct SQL for this database, or names something that is not there.
    StatementInvalid,
    /// Another transaction changed the same rows or tables; doing it all again helps.
    Conflict,
    /// It was cancelled.
    Cancelled,
    /// It took longer than a limit of the driver or the database.
    TimedOut,
    /// This driver cannot do it.
    NotImplemented {
        /// What it cannot do.
        feature: &'static str,
    },
    /// The rows to be loaded could not be read to their end; the source says why.
    RowsUnreadable,
    /// A name or text that is handed to the driver has a NUL in it.
    NulInText {
        /// Of what the text is.
        of: &'static str,
    },
    /// An identifier is empty.
    NameEmpty,
    /// The connection has a transaction already.
    InTransaction,
    /// The database has no `MERGE`.
    NotMerged,
    /// The connection has no transaction.
    NoTransaction,
    /// A statement of the transaction failed, and with it the transaction.
    TransactionFailed,
    /// A transaction could not be ended, so nobody knows its state: the connection takes no more calls.
    ConnectionBroken,
    /// The ledger of loads has something that no load wrote.
    LedgerUnreadable,
    /// The driver broke the rules of ADBC or of Arrow's C interfaces.
    DriverFault {
        /// Which rule.
        fault: &'static str,
    },
    /// Something else; the status says what kind, the driver's message why.
    Failed,
}

/// What was being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Load,
    SetOption(String),
    OpenDatabase,
    Connect,
    Execute,
    Prepare,
    Bind,
    ExecuteMany,
    Fetch,
    Ingest(String),
    /// A way of loading that only some drivers have.
    IngestOption(&'static str),
    Begin,
    Commit,
    Rollback,
    TableSchema(String),
    Info,
    Cancel,
    Quote,
    CreateTable(String),
    Ledger,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doing::Load => f.write_str("cannot load the ADBC driver"),
            Doing::SetOption(option) => write!(f, "cannot set the option '{option}'"),
            Doing::OpenDatabase => f.write_str("cannot open the database"),
            Doing::Connect => f.write_str("cannot connect to the database"),
            Doing::Execute => f.write_str("cannot run the statement"),
            Doing::Prepare => f.write_str("cannot prepare the statement"),
            Doing::Bind => f.write_str("cannot bind the parameters"),
            Doing::ExecuteMany => {
                f.write_str("cannot run the statement for several rows of parameters")
            }
            Doing::Fetch => f.write_str("cannot read the result"),
            Doing::Ingest(table) => write!(f, "cannot load rows into {table}"),
            Doing::IngestOption(feature) => write!(f, "cannot use {feature}"),
            Doing::Begin => f.write_str("cannot begin a transaction"),
            Doing::Commit => f.write_str("cannot commit the transaction"),
            Doing::Rollback => f.write_str("cannot roll the transaction back"),
            Doing::TableSchema(table) => write!(f, "cannot read the columns of {table}"),
            Doing::Info => f.write_str("cannot ask the driver for its name"),
            Doing::Cancel => f.write_str("cannot cancel"),
            Doing::Quote => f.write_str("cannot name this in SQL"),
            Doing::CreateTable(table) => write!(f, "cannot create {table}"),
            Doing::Ledger => f.write_str("cannot use the ledger of loads"),
        }
    }
}

/// The status of a driver's answer, as ADBC numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 1: no more is known.
    Unknown,
    /// 2: the driver cannot do it.
    NotImplemented,
    /// 3: something that was named is not there.
    NotFound,
    /// 4: something that was to be made is there.
    AlreadyExists,
    /// 5: an argument is wrong, SQL among them.
    InvalidArgument,
    /// 6: not now.
    InvalidState,
    /// 7: data cannot be processed.
    InvalidData,
    /// 8: a constraint is violated.
    Integrity,
    /// 9: the driver's or the database's own fault.
    Internal,
    /// 10: files or the network.
    Io,
    /// 11: cancelled.
    Cancelled,
    /// 12: a limit of time.
    Timeout,
    /// 13: the login is wrong.
    Unauthenticated,
    /// 14: rights do not suffice.
    Unauthorized,
    /// Any other number: none that ADBC knows.
    Other(u8),
}

impl Status {
    pub(crate) fn of(code: u8) -> Status {
        match code {
            1 => Status::Unknown,
            2 => Status::NotImplemented,
            3 => Status::NotFound,
            4 => Status::AlreadyExists,
            5 => Status::InvalidArgument,
            6 => Status::InvalidState,
            7 => Status::InvalidData,
            8 => Status::Integrity,
            9 => Status::Internal,
            10 => Status::Io,
            11 => Status::Cancelled,
            12 => Status::Timeout,
            13 => Status::Unauthenticated,
            14 => Status::Unauthorized,
            other => Status::Other(other),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Status::Unknown => "UNKNOWN",
            Status::NotImplemented => "NOT_IMPLEMENTED",
            Status::NotFound => "NOT_FOUND",
            Status::AlreadyExists => "ALREADY_EXISTS",
            Status::InvalidArgument => "INVALID_ARGUMENT",
            Status::InvalidState => "INVALID_STATE",
            Status::InvalidData => "INVALID_DATA",
            Status::Integrity => "INTEGRITY",
            Status::Internal => "INTERNAL",
            Status::Io => "IO",
            Status::Cancelled => "CANCELLED",
            Status::Timeout => "TIMEOUT",
            Status::Unauthenticated => "UNAUTHENTICATED",
            Status::Unauthorized => "UNAUTHORIZED",
            Status::Other(code) => return write!(f, "{code}"),
        };
        f.write_str(name)
    }
}

/// What a driver said of a call that failed.
#[derive(Default)]
pub(crate) struct Failure {
    pub(crate) status: u8,
    pub(crate) sqlstate: Option<String>,
    pub(crate) vendor_code: Option<i32>,
    pub(crate) message: Option<String>,
}

impl Error {
    /// An error that Weir finds itself.
    pub(crate) fn new(doing: Doing, what: What) -> Error {
        Error {
            inner: Box::new(Inner {
                what,
                doing,
                status: None,
                sqlstate: None,
                vendor_code: None,
                message: None,
                source: None,
            }),
        }
    }

    /// An error of a driver's answer.
    pub(crate) fn of(doing: Doing, failure: Failure) -> Error {
        let what = crate::classify::what(&doing, &failure);
        let mut error = Error::new(doing, what);
        error.inner.status = Some(Status::of(failure.status));
        error.inner.sqlstate = failure.sqlstate;
        error.inner.vendor_code = failure.vendor_code;
        error.inner.message = failure.message.map(DriverMessage);
        error
    }

    /// The same error, of which more is known.
    pub(crate) fn is(mut self, what: What) -> Error {
        self.inner.what = what;
        self
    }

    /// The same error, of something larger that was being done.
    pub(crate) fn during(mut self, doing: Doing) -> Error {
        self.inner.doing = doing;
        self
    }

    /// Words that are not Weir's, such as the loader's.
    pub(crate) fn saying(mut self, message: impl Into<String>) -> Error {
        self.inner.message = Some(DriverMessage(message.into()));
        self
    }

    pub(crate) fn because(mut self, source: ArrowError) -> Error {
        self.inner.source = Some(Box::new(source));
        self
    }

    /// What is wrong.
    pub fn what(&self) -> &What {
        &self.inner.what
    }

    /// The status of the driver's answer. None where the driver was not asked, or said that all is well.
    pub fn status(&self) -> Option<Status> {
        self.inner.status
    }

    /// The SQLSTATE: five letters and digits, where the driver gives one.
    pub fn sqlstate(&self) -> Option<&str> {
        self.inner.sqlstate.as_deref()
    }

    /// The database's own number of the error, where the driver gives one.
    pub fn vendor_code(&self) -> Option<i32> {
        self.inner.vendor_code
    }

    /// What the driver says, in its words. **It may quote values** of rows, of parameters and of options,
    /// so it is for whoever may see these.
    pub fn driver_message(&self) -> Option<&str> {
        self.inner.message.as_ref().map(|message| &*message.0)
    }

    /// What to do, in one sentence.
    pub fn hint(&self) -> &'static str {
        match &self.inner.what {
            What::LibraryNotFound { .. } => {
                "install the driver, and give the path of its shared library"
            }
            What::LibraryUnusable { .. } => {
                "take the driver's library for this system and processor, and see that the libraries \
                 that it needs are installed"
            }
            What::NoEntryPoint { .. } => {
                "name the function that begins the driver, as its documentation does"
            }
            What::DriverUnusable => "take a version of the driver for ADBC 1.0 or 1.1",
            What::OptionRefused { .. } => {
                "look at the driver's documentation for its options and their values"
            }
            What::CannotConnect => {
                "see that the database is there and can be reached, and that no other process has locked it"
            }
            What::Unauthorised => "check the login and its rights at the database",
            What::TableMissing { .. } => "create the table, or check its name, schema and catalog",
            What::TableExists { .. } => "append to the table, replace it, or take another name",
            What::ConstraintViolated => {
                "take away the rows that the table's keys, checks or NOT NULL refuse, or mend the table"
            }
            What::CannotConvert { .. } => {
                "cast the column to a type that the database has and whose values fit"
            }
            What::ColumnMissing { .. } => {
                "add the column to the table, or leave it out of the rows"
            }
            What::StatementInvalid => "mend the statement",
            What::Conflict => "do it again",
            What::Cancelled => "run it again, if it was not cancelled on purpose",
            What::TimedOut => {
                "raise the limit at the driver or the database, or ask for less at once"
            }
            What::NotImplemented { .. } => "take a newer version of the driver, or another driver",
            What::RowsUnreadable => "see why the rows cannot be read; nothing of them was kept",
            What::NulInText { .. } => "take the NUL out of it",
            What::NameEmpty => "give it a name",
            What::InTransaction => "commit the transaction or roll it back first",
            What::NotMerged => {
                "use another way of writing there (append, replace), or a connection that is not by a driver"
            }
            What::NoTransaction => "begin a transaction first",
            What::TransactionFailed => {
                "roll the transaction back, and do it again from its beginning"
            }
            What::ConnectionBroken => "connect again",
            What::LedgerUnreadable => {
                "see who else writes to the ledger `_weir_loads`: it has one row for each application"
            }
            What::DriverFault { .. } => {
                "take another version of the driver, and tell its authors about it"
            }
            What::Failed => "look at the driver's own message",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::LibraryNotFound { path } => write!(f, "there is no library {}", path.display()),
            What::LibraryUnusable { path } => {
                write!(f, "the system cannot load the library {}", path.display())
            }
            What::NoEntryPoint { path, tried } => write!(
                f,
                "the library {} has no function {}",
                path.display(),
                tried.join(" or ")
            ),
            What::DriverUnusable => f.write_str("it does not start"),
            What::OptionRefused { .. } => {
                f.write_str("the driver does not know it or does not take its value")
            }
            What::CannotConnect => f.write_str("the database cannot be opened or reached"),
            What::Unauthorised => f.write_str("the login or its rights do not suffice"),
            What::TableMissing { table: Some(table) } => write!(f, "there is no table {table}"),
            What::TableMissing { table: None } => f.write_str("there is no such table"),
            What::TableExists { table: Some(table) } => write!(f, "there is a table {table}"),
            What::TableExists { table: None } => f.write_str("there is such a table already"),
            What::ConstraintViolated => f.write_str("a constraint of the table is violated"),
            What::CannotConvert { column, data_type } => {
                f.write_str("a value or type cannot be converted")?;
                if let Some(column) = column {
                    write!(f, ": column '{column}'")?;
                }
                if let Some(data_type) = data_type {
                    write!(f, " of type {data_type}")?;
                }
                Ok(())
            }
            What::ColumnMissing { column } => write!(f, "the table has no column '{column}'"),
            What::StatementInvalid => f.write_str("the database does not take the SQL"),
            What::Conflict => f.write_str("another transaction was faster"),
            What::Cancelled => f.write_str("it was cancelled"),
            What::TimedOut => f.write_str("it took too long"),
            What::NotImplemented { feature } => write!(f, "this driver has no {feature}"),
            What::RowsUnreadable => f.write_str("the rows cannot be read to their end"),
            What::NulInText { of } => write!(f, "there is a NUL in {of}"),
            What::NameEmpty => f.write_str("the name is empty"),
            What::InTransaction => f.write_str("the connection is in a transaction"),
            What::NotMerged => f.write_str("the database cannot merge rows: it has no MERGE"),
            What::NoTransaction => f.write_str("the connection is in no transaction"),
            What::TransactionFailed => {
                f.write_str("a call of the transaction failed, so it cannot be kept")
            }
            What::ConnectionBroken => {
                f.write_str("a transaction of this connection could not be ended")
            }
            What::LedgerUnreadable => {
                f.write_str("it does not hold one whole number for each application")
            }
            What::DriverFault { fault } => write!(f, "the driver is faulty: {fault}"),
            What::Failed => f.write_str("the driver says that it failed"),
        }
    }
}

impl fmt::Display for Error {
    /// One line, of words that are Weir's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        write!(f, "{}: {}", inner.doing, inner.what)?;
        match (inner.status, &inner.sqlstate) {
            (Some(status), Some(state)) => write!(f, " (status {status}, SQLSTATE {state})"),
            (Some(status), None) => write!(f, " (status {status})"),
            (None, Some(state)) => write!(f, " (SQLSTATE {state})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    /// Why rows could not be read, where they came from the caller. Such an error is in the words of
    /// whoever made the rows.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.inner.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}
