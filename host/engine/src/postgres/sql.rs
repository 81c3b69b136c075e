//! SQL of a pipeline file that PostgreSQL runs: statements, and views.

use sha2::{Digest, Sha256};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use super::client::connect;
use super::ledger::Ledger;
use super::table::{literal, quoted, quoted_path};
use crate::connections::Connections;
use crate::delta::Applied;
use crate::error::Result;
use crate::plan::hex;
use crate::server::{Failure, TablePath, number, was_done};
use crate::sql_commit::{SqlCommit, SqlWork, View, ledger, within};

/// Whether the ledger has decision `n` or a later one.
pub(crate) async fn is_done(commit: &SqlCommit, connections: &Connections, n: u64) -> Result<bool> {
    let client = connect(&connections.get(&commit.connection)?).await?;
    let told = |failure: Failure| failure.told(&commit.target);
    let place = place(&client).await.map_err(told)?;
    let ledger = Ledger::of(&place, &commit.app_id);
    if !ledger.is_there(&client).await.map_err(told)? {
        return Ok(false);
    }
    let n = number(n)?;
    let version = ledger.version(&client).await.map_err(told)?;
    Ok(version.is_some_and(|version| version >= n))
}

/// One attempt to do decision `n`, in one transaction with the ledger.
pub(crate) async fn run(
    commit: &SqlCommit,
    connections: &Connections,
    n: i64,
) -> Result<Applied, Failure> {
    let mut client = connect(&connections.get(&commit.connection)?).await?;
    let place = place(&client).await?;
    let ledger = Ledger::of(&place, &commit.app_id);
    ledger.make(&mut client).await?;
    let transaction = client.transaction().await?;
    let version = ledger.take_turn(&transaction).await?;
    if was_done(&commit.target, n, version)? {
        return Ok(Applied::Before);
    }
    let before = number_of(&transaction).await?;
    match &commit.work {
        SqlWork::Script { statements } => {
            for (index, statement) in statements.iter().enumerate() {
                let done = transaction.batch_execute(statement).await;
                done.map_err(|error| within(error.into(), index, statements.len()))?;
            }
        }
        SqlWork::View(view) => {
            let made = make(&transaction, view).await;
            made.map_err(|failure| within(failure, 0, 1))?;
        }
    }
    // A procedure can end a transaction, too.
    if number_of(&transaction).await? != before {
        return Err(Failure::Unfit(
            "the SQL has ended the transaction that it ran in: what it did before is done, and not counted".to_owned(),
            "leave commit and rollback out of what the SQL calls, and look at what it has done",
        ));
    }
    ledger.write(&transaction, n, &commit.run).await?;
    transaction.commit().await?;
    Ok(Applied::Now(n.unsigned_abs()))
}

/// The ledger, by its schema: SQL may change where the session looks first.
async fn place(client: &Client) -> Result<TablePath, Failure> {
    let row = client
        .query_one("select current_schema()::text", &[])
        .await?;
    Ok(TablePath {
        schema: row.try_get(0)?,
        ..ledger()
    })
}

/// The transaction's number.
async fn number_of(transaction: &Transaction<'_>) -> Result<i64, Failure> {
    let row = transaction.query_one("select txid_current()", &[]).await?;
    Ok(row.try_get(0)?)
}

/// Makes a view what its query says. What says so already is not touched; a materialised one gets its rows anew.
async fn make(transaction: &Transaction<'_>, view: &View) -> Result<(), Failure> {
    let name = quoted_path(&view.view);
    let (kind, wanted) = match view.materialized {
        true => ("materialized view", "m"),
        false => ("view", "v"),
    };
    let sign = sign(view);
    let there = transaction
        .query_opt(
            "select relkind::text, obj_description(oid, 'pg_class') from pg_class where oid = to_regclass($1)",
            &[&name],
        )
        .await?;
    let there: Option<(String, Option<String>)> = match there {
        Some(row) => Some((row.try_get(0)?, row.try_get(1)?)),
        None => None,
    };
    match there {
        Some((is, comment)) if is == wanted && comment.as_deref() == Some(&sign) => {
            if view.materialized {
                transaction
                    .batch_execute(&format!("refresh materialized view {name}"))
                    .await?;
            }
            return Ok(());
        }
        Some((is, comment))
            if (is == "v" || is == "m")
                && !comment
                    .as_deref()
                    .is_some_and(|comment| comment.starts_with(SIGN)) =>
        {
            return Err(Failure::Refused(
                format!("{} is there, and Weir has not made it", view.view),
                "give the view another name, or drop the one that has it",
            ));
        }
        Some((is, _)) if is == wanted && !view.materialized => {
            replace(transaction, &name, &view.query).await?;
        }
        Some((is, _)) if is == "v" || is == "m" => {
            let old = if is == "m" {
                "materialized view"
            } else {
                "view"
            };
            transaction
                .batch_execute(&format!("drop {old} {name}"))
                .await?;
            create(transaction, kind, &name, &view.query).await?;
        }
        Some(_) => {
            return Err(Failure::Refused(
                format!("{} is there, and is no view", view.view),
                "give the view another name, or drop what has its name",
            ));
        }
        None => create(transaction, kind, &name, &view.query).await?,
    }
    let mut more = format!("comment on {kind} {name} is {}", literal(&sign));
    for role in &view.grants {
        more.push_str(&format!("; grant select on {name} to {}", quoted(role)));
    }
    transaction.batch_execute(&more).await?;
    Ok(())
}

/// Changes a view, so that what looks at it stays; where its columns change, it is made anew.
async fn replace(transaction: &Transaction<'_>, name: &str, query: &str) -> Result<(), Failure> {
    transaction.batch_execute("savepoint weir_view").await?;
    let replaced = transaction
        .batch_execute(&format!("create or replace view {name} as {query}"))
        .await;
    match replaced {
        Err(error) if error.code() == Some(&SqlState::INVALID_TABLE_DEFINITION) => {
            transaction
                .batch_execute(&format!(
                    "rollback to savepoint weir_view; drop view {name}"
                ))
                .await?;
            create(transaction, "view", name, query).await
        }
        outcome => Ok(outcome?),
    }
}

async fn create(
    transaction: &Transaction<'_>,
    kind: &str,
    name: &str,
    query: &str,
) -> Result<(), Failure> {
    let sql = format!("create {kind} {name} as {query}");
    Ok(transaction.batch_execute(&sql).await?)
}

/// What the comments of views begin with that Weir has made.
const SIGN: &str = "made by weir: ";

/// By what a view is known that says what it is to say: its comment.
fn sign(view: &View) -> String {
    let text = format!("{:?}", (&view.query, &view.grants));
    format!("{SIGN}{}", hex(&Sha256::digest(text.as_bytes()), 16))
}
