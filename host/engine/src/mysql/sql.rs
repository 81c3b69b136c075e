//! SQL of a pipeline file that MySQL or MariaDB runs: statements, and views.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::client::connect;
use super::ledger::{self, Ledger};
use super::table;
use crate::connections::Connections;
use crate::delta::Applied;
use crate::error::Result;
use crate::server::{Failure, TablePath, number, was_done};
use crate::sql_commit::{SqlCommit, SqlWork, View, ledger as ledger_path, within};

/// That a savepoint is not there.
const NO_SAVEPOINT: u16 = 1305;

/// Whether the ledger has decision `n` or a later one.
pub(crate) async fn is_done(commit: &SqlCommit, connections: &Connections, n: u64) -> Result<bool> {
    let mut conn = connect(&connections.get(&commit.connection)?).await?;
    let n = number(n)?;
    let told = |failure: Failure| failure.told(&commit.target);
    let place = place(&mut conn).await.map_err(told)?;
    let version = Ledger::of(place, &commit.app_id).version(&mut conn).await;
    let version = version.map_err(told)?;
    Ok(version.is_some_and(|version| version >= n))
}

/// One attempt to do decision `n`: statements in one transaction with the ledger, a view before it.
pub(crate) async fn run(
    commit: &SqlCommit,
    connections: &Connections,
    n: i64,
) -> Result<Applied, Failure> {
    let mut conn = connect(&connections.get(&commit.connection)?).await?;
    let place = place(&mut conn).await?;
    let ledger = Ledger::of(place, &commit.app_id);
    ledger::take_turn(&mut conn, &commit.app_id).await?;
    let version = ledger.version(&mut conn).await?;
    if was_done(&commit.target, n, version)? {
        return Ok(Applied::Before);
    }
    if version.is_none() {
        ledger.make(&mut conn).await?;
    }
    match &commit.work {
        SqlWork::Script { statements } => {
            conn.query_drop("start transaction").await?;
            script(&mut conn, statements).await?;
        }
        // To make it ends a transaction, and to make it again changes nothing.
        SqlWork::View(view) => {
            make(&mut conn, view).await?;
            conn.query_drop("start transaction").await?;
        }
    }
    ledger.write(&mut conn, n, &commit.run).await?;
    conn.query_drop("commit").await?;
    // The lock ends with the connection; that it has ended need not be waited for.
    if let Err(error) = conn.disconnect().await {
        tracing::debug!(target = %commit.target, error = %error, "a connection was not closed well");
    }
    Ok(Applied::Now(n.unsigned_abs()))
}

/// The ledger, by its database: SQL may change where the session looks first.
async fn place(conn: &mut Conn) -> Result<TablePath, Failure> {
    let database: Option<Option<String>> = conn.query_first("select database()").await?;
    Ok(TablePath {
        schema: database.flatten(),
        ..ledger_path()
    })
}

async fn script(conn: &mut Conn, statements: &[String]) -> Result<(), Failure> {
    conn.query_drop("savepoint weir_sql").await?;
    for (index, statement) in statements.iter().enumerate() {
        let done = conn.query_drop(statement).await;
        done.map_err(|error| within(error.into(), index, statements.len()))?;
    }
    // It went with the transaction, if a procedure has ended that.
    match conn.query_drop("release savepoint weir_sql").await {
        Err(mysql_async::Error::Server(error)) if error.code == NO_SAVEPOINT => {
            Err(Failure::Unfit(
                "the SQL has ended the transaction that it ran in: what it did before is done, and not counted".to_owned(),
                "leave out what commits (tables made or changed, commit, rollback), also in what the SQL calls, and look at what it has done",
            ))
        }
        outcome => Ok(outcome?),
    }
}

async fn make(conn: &mut Conn, view: &View) -> Result<(), Failure> {
    let name = table::table(&view.view);
    let sql = format!("create or replace view {name} as {}", view.query);
    let made = conn.query_drop(sql).await;
    made.map_err(|error| within(error.into(), 0, 1))
}
