//! The table `_weir_loads`, which says what has been done to the tables beside it, and the locks by which loads
//! take turns.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sha2::{Digest, Sha256};

use super::table;
use crate::error::{Error, ErrorKind};
use crate::plan::hex;
use crate::server::{Failure, TablePath};

/// Seconds that a load waits for another one into the same table.
const TURN: u32 = 30;

/// What a ledger says of one application.
pub(super) struct Ledger<'a> {
    path: TablePath,
    /// The table, as SQL writes it.
    table: String,
    app_id: &'a str,
}

impl Ledger<'_> {
    pub(super) fn of(path: TablePath, app_id: &str) -> Ledger<'_> {
        Ledger {
            table: table::table(&path),
            path,
            app_id,
        }
    }

    /// The decision that was done last; none where there is no ledger, too.
    pub(super) async fn version(&self, conn: &mut Conn) -> Result<Option<i64>, Failure> {
        let there = table::columns(conn, &self.path).await?;
        if there.is_empty() {
            return Ok(None);
        }
        let sql = format!("select version from {} where app_id = ?", self.table);
        Ok(conn.exec_first(sql, (self.app_id,)).await?)
    }

    /// Makes the table if it is not there: that ends a transaction.
    pub(super) async fn make(&self, conn: &mut Conn) -> Result<(), Failure> {
        let there = table::columns(conn, &self.path).await?;
        if !there.is_empty() {
            return Ok(());
        }
        conn.query_drop(format!(
            "create table if not exists {} (
                 app_id varchar(700) character set utf8mb4 collate utf8mb4_bin not null primary key,
                 version bigint not null, run varchar(64) not null, loaded_at datetime(6) not null
             ) engine = InnoDB",
            self.table
        ))
        .await?;
        Ok(())
    }

    /// Writes that `run` has done decision `n`.
    pub(super) async fn write(&self, conn: &mut Conn, n: i64, run: &str) -> Result<(), Failure> {
        conn.exec_drop(
            format!(
                "insert into {} (app_id, version, run, loaded_at) values (?, ?, ?, utc_timestamp(6))
                 on duplicate key update version = values(version), run = values(run), loaded_at = values(loaded_at)",
                self.table
            ),
            (self.app_id, n, run),
        )
        .await?;
        Ok(())
    }
}

/// Takes the turn at `what`. The lock is the session's: it ends with the connection.
pub(super) async fn take_turn(conn: &mut Conn, what: &str) -> Result<(), Failure> {
    // Names of locks have 64 characters at most.
    let lock = format!("weir:{}", hex(&Sha256::digest(what.as_bytes()), 48));
    let taken: Option<Option<i64>> = conn
        .exec_first("select get_lock(?, ?)", (lock, TURN))
        .await?;
    match taken.flatten() {
        Some(1) => Ok(()),
        _ => Err(Failure::Passing(
            Error::new(ErrorKind::Storage, "another load into the table is at work")
                .with_hint("run the same command again once it is done"),
        )),
    }
}
