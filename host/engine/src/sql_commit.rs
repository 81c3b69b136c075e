//! SQL that a step has a database run: what a decision says of it.
//!
//! It runs in one transaction with a row of the ledger `_weir_loads`, so that each decision is done once,
//! whatever is answered, or not.

use serde::{Deserialize, Serialize};
use weir_pipeline::ServerKind;

use crate::connections::Connections;
use crate::delta::Applied;
use crate::error::{Error, Result};
use crate::server::{Failure, LEDGER, TablePath, number, persist};
use crate::{mysql, postgres, redshift, sqlite};

/// What a decision says of SQL that a database runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SqlCommit {
    /// How people call it.
    pub target: String,
    /// The connection, as the pipeline names it.
    pub connection: String,
    /// The run that decided it.
    pub run: String,
    /// Whose decisions are counted.
    pub app_id: String,
    /// What is to be done.
    pub work: SqlWork,
}

/// What SQL does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "kebab-case")]
pub enum SqlWork {
    /// Statements, in their order.
    Script {
        /// Each as the database is given it.
        statements: Vec<String>,
    },
    /// A view.
    View(View),
}

/// A view that is to be what its query says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Its name.
    pub view: TablePath,
    /// The query, as the database is given it.
    pub query: String,
    /// Whether its rows are kept.
    pub materialized: bool,
    /// Roles that may read it.
    pub grants: Vec<String>,
}

impl SqlCommit {
    /// Does decision `n`, unless it has been done.
    ///
    /// # Errors
    /// Conflict, if a later decision of the same application has been done; input, if the database refuses the
    /// SQL, of which nothing is done then; storage, if the database keeps failing.
    pub(crate) async fn apply(&self, connections: &Connections, n: u64) -> Result<Applied> {
        let version = number(n)?;
        match connections.kind(&self.connection) {
            Some(ServerKind::Postgres) => {
                let run = || postgres::run(self, connections, version);
                persist(&self.target, "the SQL", run).await
            }
            Some(ServerKind::Mysql) => {
                let run = || mysql::run(self, connections, version);
                persist(&self.target, "the SQL", run).await
            }
            Some(ServerKind::Redshift) => {
                let run = || redshift::run(self, connections, version);
                persist(&self.target, "the SQL", run).await
            }
            Some(ServerKind::Adbc) => Err(Error::internal("no SQL is run through drivers")),
            None => {
                let (commit, path) = (self.clone(), self.file(connections)?);
                tokio::task::spawn_blocking(move || sqlite::run(&commit, &path, version))
                    .await
                    .map_err(|error| Error::internal("SQL was cancelled").with_source(error))?
            }
        }
    }

    /// Whether decision `n` or a later one has been done.
    pub(crate) async fn is_done(&self, connections: &Connections, n: u64) -> Result<bool> {
        match connections.kind(&self.connection) {
            Some(ServerKind::Postgres) => postgres::is_done(self, connections, n).await,
            Some(ServerKind::Mysql) => mysql::is_done(self, connections, n).await,
            Some(ServerKind::Redshift) => redshift::is_done(self, connections, n).await,
            Some(ServerKind::Adbc) => Err(Error::internal("no SQL is run through drivers")),
            None => {
                let (commit, path) = (self.clone(), self.file(connections)?);
                let n = number(n)?;
                tokio::task::spawn_blocking(move || sqlite::is_done(&commit, &path, n))
                    .await
                    .map_err(|error| {
                        Error::internal("a look-up was cancelled").with_source(error)
                    })?
            }
        }
    }

    fn file(&self, connections: &Connections) -> Result<std::path::PathBuf> {
        connections.sqlite(&self.connection).cloned().ok_or_else(|| {
            Error::usage(format!(
                "there is no database '{}' in [connections]",
                self.connection
            ))
            .with_hint("name the connection in the pipeline file, as it was when the SQL was decided, and run it")
        })
    }
}

/// The ledger of what belongs to no table: where the connection looks first.
pub(crate) fn ledger() -> TablePath {
    TablePath {
        schema: None,
        table: LEDGER.to_owned(),
    }
}

/// A failure of one of several statements, with its number.
pub(crate) fn within(failure: Failure, index: usize, of: usize) -> Failure {
    let place = |what: String| match of {
        0 | 1 => what,
        _ => format!("statement {} of {of}: {what}", index + 1),
    };
    match failure {
        // Nothing of it is done, and it will be refused again.
        Failure::Refused(what, hint) => Failure::Unfit(place(what), hint),
        Failure::Unfit(what, hint) => Failure::Unfit(place(what), hint),
        passing_or_other @ (Failure::Passing(_) | Failure::Other(_)) => passing_or_other,
    }
}
