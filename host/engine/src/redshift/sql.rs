//! SQL of a pipeline file that Redshift runs: statements, and views.

use super::ledger::Ledger;
use super::session::Session;
use super::table::{quoted, quoted_path};
use crate::connections::Connections;
use crate::delta::Applied;
use crate::error::Result;
use crate::server::{Failure, number, was_done};
use crate::sql_commit::{SqlCommit, SqlWork, View, ledger, within};

/// Whether the ledger has decision `n` or a later one.
pub(crate) async fn is_done(commit: &SqlCommit, connections: &Connections, n: u64) -> Result<bool> {
    let n = number(n)?;
    let session = Session::open(connections, &commit.connection).await?;
    let last = async {
        let path = session.placed(&ledger()).await?;
        Ledger::of(&path, &commit.app_id).last(&session).await
    };
    let last = last.await.map_err(|failure| failure.told(&commit.target))?;
    Ok(last.is_some_and(|version| version >= n))
}

/// One attempt to do decision `n`, in one transaction with the ledger.
pub(crate) async fn run(
    commit: &SqlCommit,
    connections: &Connections,
    n: i64,
) -> Result<Applied, Failure> {
    match &commit.work {
        SqlWork::Script { statements } => attempt(commit, connections, n, statements).await,
        SqlWork::View(view) => {
            let name = quoted_path(&view.view);
            let mut statements = vec![format!("create or replace view {name} as {}", view.query)];
            statements.extend(grants(&name, view));
            match attempt(commit, connections, n, &statements).await {
                // A failed statement ends the transaction, so the view is made anew in another one.
                Err(Failure::Unfit(what, _))
                    if OTHER_COLUMNS.iter().any(|say| what.contains(say)) =>
                {
                    statements.insert(0, format!("drop view {name}"));
                    attempt(commit, connections, n, &statements).await
                }
                outcome => outcome,
            }
        }
    }
}

/// What is said of a view whose columns would change: its code, and the words.
const OTHER_COLUMNS: [&str; 3] = ["SQLSTATE 42P16", "cannot change", "cannot drop columns"];

fn grants(name: &str, view: &View) -> Vec<String> {
    let grant = |role: &String| format!("grant select on {name} to role {}", quoted(role));
    view.grants.iter().map(grant).collect()
}

async fn attempt(
    commit: &SqlCommit,
    connections: &Connections,
    n: i64,
    statements: &[String],
) -> Result<Applied, Failure> {
    let session = Session::open(connections, &commit.connection).await?;
    let path = session.placed(&ledger()).await?;
    let ledger = Ledger::of(&path, &commit.app_id);
    ledger.make(&session).await?;
    session.run("begin").await?;
    let version = ledger.take_turn(&session).await?;
    if was_done(&commit.target, n, version)? {
        return Ok(Applied::Before);
    }
    let of = match commit.work {
        SqlWork::Script { .. } => statements.len(),
        SqlWork::View(_) => 1,
    };
    for (index, statement) in statements.iter().enumerate() {
        let done = session.run(statement).await;
        done.map_err(|failure| within(failure, index.min(of - 1), of))?;
    }
    ledger.write(&session, n, &commit.run).await?;
    session.run("commit").await?;
    Ok(Applied::Now(n.unsigned_abs()))
}
