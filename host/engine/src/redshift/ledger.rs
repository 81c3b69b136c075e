//! The table `_weir_loads`, which says what has been done to the tables beside it.
//!
//! Redshift enforces no key, so the lock on the table is what makes an application's row one.

use super::session::Session;
use super::table::{literal, quoted_path};
use crate::error::Error;
use crate::server::{Failure, TablePath};

/// What a ledger says of one application.
pub(super) struct Ledger<'a> {
    /// The table, as SQL writes it.
    table: String,
    path: &'a TablePath,
    app_id: String,
}

impl Ledger<'_> {
    pub(super) fn of<'a>(path: &'a TablePath, app_id: &str) -> Ledger<'a> {
        Ledger {
            table: quoted_path(path),
            path,
            app_id: literal(app_id),
        }
    }

    /// The decision that was done last; none, too, where there is no ledger yet.
    pub(super) async fn last(&self, session: &Session) -> Result<Option<i64>, Failure> {
        match session.columns(self.path).await?.is_empty() {
            true => Ok(None),
            false => self.version(session).await,
        }
    }

    /// Makes the table if it is not there.
    pub(super) async fn make(&self, session: &Session) -> Result<(), Failure> {
        if !session.columns(self.path).await?.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "create table if not exists {} (app_id varchar(65535) not null, version bigint not null, run varchar(255) not null, loaded_at timestamp not null)",
            self.table
        );
        match session.run(&sql).await {
            Ok(()) => Ok(()),
            // Of two that make it at once, one fails.
            Err(failure) => match session.columns(self.path).await?.is_empty() {
                true => Err(failure),
                false => Ok(()),
            },
        }
    }

    /// Takes the turn of the ledger's loads until the transaction ends; gives the decision that was done last.
    /// First in a transaction: what it sees is what there was at its first look.
    pub(super) async fn take_turn(&self, session: &Session) -> Result<Option<i64>, Failure> {
        session.run(&format!("lock table {}", self.table)).await?;
        self.version(session).await
    }

    /// The decision that was done last.
    pub(super) async fn version(&self, session: &Session) -> Result<Option<i64>, Failure> {
        let sql = format!(
            "select max(version) from {} where app_id = {}",
            self.table, self.app_id
        );
        let rows = session.rows(&sql).await?;
        let Some(Some(version)) = rows.first().and_then(|row| row.first()) else {
            return Ok(None);
        };
        let version = version
            .parse()
            .map_err(|_| Error::internal("the ledger's version is no number"))?;
        Ok(Some(version))
    }

    /// Writes that `run` has done decision `n`.
    pub(super) async fn write(&self, session: &Session, n: i64, run: &str) -> Result<(), Failure> {
        let (table, app_id) = (&self.table, &self.app_id);
        session
            .run(&format!("delete from {table} where app_id = {app_id}"))
            .await?;
        session
            .run(&format!(
                "insert into {table} (app_id, version, run, loaded_at) values ({app_id}, {n}, {}, getdate())",
                literal(run)
            ))
            .await
    }
}
