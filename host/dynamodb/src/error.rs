//! What can be wrong with a connection, a table or a reply.

use std::time::Duration;

use crate::fault::Wrong;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a table cannot be read. `Display` is one line without the cause; [`Error::hint`] is what to do.
/// None of it holds credentials, keys of items or values; the server's own words are left out for
/// that reason, but for its errors' codes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting, or a part of a [`ScanSpec`](crate::ScanSpec), cannot be used.
    #[error("{setting} {what}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What is wrong with it.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// There is no such table.
    #[error("there is no table '{table}' at {place}")]
    NoTable {
        /// The table.
        table: String,
        /// The endpoint or the region.
        place: String,
    },
    /// The credentials are good, and do not allow this.
    #[error("the credentials do not allow {action} of table '{table}'")]
    Denied {
        /// The action, as policies name it: `dynamodb:Scan`.
        action: &'static str,
        /// The table.
        table: String,
    },
    /// There are no credentials.
    #[error("there are no usable credentials for DynamoDB")]
    NoCredentials {
        /// What the chain of places said.
        source: BoxError,
    },
    /// The server does not accept the credentials.
    #[error("the server does not accept the credentials ({code})")]
    BadCredentials {
        /// The code of the server's error.
        code: String,
    },
    /// The credentials were good for a time that is over.
    #[error("the credentials have expired ({code})")]
    ExpiredCredentials {
        /// The code of the server's error.
        code: String,
    },
    /// No connection could be made, or each one broke or took too long.
    #[error("cannot reach DynamoDB at {place} ({attempts} attempts in {:.1} s)", took.as_secs_f64())]
    Unreachable {
        /// The endpoint or the region.
        place: String,
        /// How many times it was tried.
        attempts: u32,
        /// In what time.
        took: Duration,
        /// What happened at the last attempt.
        source: BoxError,
    },
    /// The server had too many requests at each attempt.
    #[error("table '{table}' is throttled ({code}, {attempts} attempts in {:.1} s)", took.as_secs_f64())]
    Throttled {
        /// The table.
        table: String,
        /// The code of the server's last error.
        code: String,
        /// How many times it was tried.
        attempts: u32,
        /// In what time.
        took: Duration,
    },
    /// The server failed at each attempt.
    #[error("DynamoDB at {place} fails with status {status} ({attempts} attempts in {:.1} s)", took.as_secs_f64())]
    Failing {
        /// The endpoint or the region.
        place: String,
        /// The HTTP status of its last reply.
        status: u16,
        /// How many times it was tried.
        attempts: u32,
        /// In what time.
        took: Duration,
    },
    /// The server refuses the request.
    #[error("DynamoDB refuses {action} of table '{table}' ({code})")]
    Refused {
        /// The action, as policies name it: `dynamodb:Scan`.
        action: &'static str,
        /// The table.
        table: String,
        /// The code of the server's error.
        code: String,
    },
    /// The reply is none that DynamoDB gives.
    #[error("{place} answered {action} with something that is no reply of DynamoDB: {what}")]
    Reply {
        /// The endpoint or the region.
        place: String,
        /// The action, as policies name it: `dynamodb:Scan`.
        action: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The reply does not say what the page cost, and a limit has to hold.
    #[error("{place} does not say how many units a page took, and a limit is set")]
    NoCapacity {
        /// The endpoint or the region.
        place: String,
    },
    /// A segment comes round to a key where it was before: it would never end.
    #[error("segment {segment} of table '{table}' goes round in circles after {pages} pages")]
    Circle {
        /// The table.
        table: String,
        /// The segment.
        segment: u32,
        /// How many pages were read.
        pages: u64,
    },
    /// An item cannot be written as JSON.
    #[error("item {item} of page {page} of segment {segment} of table '{table}': {wrong}")]
    Item {
        /// The table.
        table: String,
        /// The segment.
        segment: u32,
        /// The segment's page, counted from 1.
        page: u64,
        /// The page's item, counted from 1.
        item: u64,
        /// What is wrong.
        wrong: Wrong,
    },
}

impl Error {
    pub(crate) fn setting(setting: &'static str, what: &'static str, hint: &'static str) -> Error {
        Error::Setting {
            setting,
            what,
            hint,
        }
    }

    /// What to do, in one sentence.
    pub fn hint(&self) -> String {
        match self {
            Error::Setting { hint, .. } => (*hint).to_owned(),
            Error::NoTable { .. } => {
                "check the table's name, the region, the endpoint and the account of the credentials".to_owned()
            }
            Error::Denied { action, .. } => format!(
                "let the owner of the table's account add {action} on the table to the policy of these credentials"
            ),
            Error::NoCredentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with a profile that has keys, a role or a credential_process; for a login by SSO: eval \"$(aws configure export-credentials --format env)\"".to_owned()
            }
            Error::BadCredentials { .. } => {
                "check the key id, its secret, the session token, the region, and this machine's clock".to_owned()
            }
            Error::ExpiredCredentials { .. } => {
                "get new ones, and check this machine's clock; credentials that renew themselves come from a role or a credential_process".to_owned()
            }
            Error::Unreachable { .. } => {
                "check the region, the endpoint and the network: name resolution, proxy, firewall, certificates".to_owned()
            }
            Error::Throttled { .. } => {
                "set a lower limit of units per second or fewer segments, raise the table's read capacity, or read an export of it".to_owned()
            }
            Error::Failing { .. } => {
                "run it again later; if it stays, check the endpoint and AWS's health dashboard".to_owned()
            }
            Error::Refused { code, .. } if code == "ValidationException" => {
                "check the names of table and attributes, and how many segments there are".to_owned()
            }
            Error::Refused { .. } => {
                "look up the code in DynamoDB's list of errors; the server's log or CloudTrail has the request".to_owned()
            }
            Error::Reply { .. } => {
                "check that the endpoint is DynamoDB's, and that no proxy answers in its place".to_owned()
            }
            Error::NoCapacity { .. } => {
                "read from this server without a limit of units per second".to_owned()
            }
            Error::Circle { .. } => {
                "the server is at fault: read an export of the table, or report it to whoever runs the endpoint".to_owned()
            }
            Error::Item { wrong, .. } => wrong.hint().to_owned(),
        }
    }
}
