//! The table `_weir_loads`, which says what has been done to the tables beside it.

use tokio_postgres::{Client, Transaction};

use super::table;
use crate::server::{Failure, TablePath};

/// What a ledger says of one application.
pub(super) struct Ledger<'a> {
    /// The table, as SQL writes it.
    table: String,
    app_id: &'a str,
}

impl Ledger<'_> {
    pub(super) fn of<'a>(table: &TablePath, app_id: &'a str) -> Ledger<'a> {
        Ledger {
            table: table::quoted_path(table),
            app_id,
        }
    }

    pub(super) async fn is_there(&self, client: &Client) -> Result<bool, Failure> {
        let row = client
            .query_one("select to_regclass($1) is not null", &[&self.table])
            .await?;
        Ok(row.try_get(0)?)
    }

    /// The decision that was done last.
    pub(super) async fn version(&self, client: &Client) -> Result<Option<i64>, Failure> {
        let sql = format!("select version from {} where app_id = $1", self.table);
        let row = client.query_opt(&sql, &[&self.app_id]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Makes the table if it is not there.
    pub(super) async fn make(&self, client: &mut Client) -> Result<(), Failure> {
        if self.is_there(client).await? {
            return Ok(());
        }
        let transaction = client.transaction().await?;
        // `if not exists` alone fails where two make a table at once.
        transaction
            .execute(
                "select pg_advisory_xact_lock(hashtextextended('weir/ledger', 0))",
                &[],
            )
            .await?;
        transaction
            .batch_execute(&format!(
                "create table if not exists {} (app_id text primary key, version bigint not null, run text not null, loaded_at timestamptz not null)",
                self.table
            ))
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Takes the application's turn, until the transaction ends; gives the decision that was done last.
    pub(super) async fn take_turn(
        &self,
        transaction: &Transaction<'_>,
    ) -> Result<Option<i64>, Failure> {
        transaction
            .execute(
                "select pg_advisory_xact_lock(hashtextextended($1, 0))",
                &[&self.app_id],
            )
            .await?;
        self.version(transaction.client()).await
    }

    /// Writes that `run` has done decision `n`.
    pub(super) async fn write(
        &self,
        transaction: &Transaction<'_>,
        n: i64,
        run: &str,
    ) -> Result<(), Failure> {
        transaction
            .execute(
                &format!(
                    "insert into {} (app_id, version, run, loaded_at) values ($1, $2, $3, now())
                     on conflict (app_id) do update set version = excluded.version,
                     run = excluded.run, loaded_at = excluded.loaded_at",
                    self.table
                ),
                &[&self.app_id, &n, &run],
            )
            .await?;
        Ok(())
    }
}
