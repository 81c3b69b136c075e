//! SQL of a pipeline file that SQLite runs: statements, and views.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{connect, ledger, load_error, quoted};
use crate::delta::Applied;
use crate::error::{Error, ErrorKind, Result};
use crate::server::was_done;
use crate::sql_commit::{SqlCommit, SqlWork, View};

/// Whether the ledger of the file has decision `n` or a later one.
pub(crate) fn is_done(commit: &SqlCommit, path: &Path, n: i64) -> Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    let version = ledger::version(&connect(path)?, &commit.app_id).map_err(|error| {
        load_error(
            format!("{}: the ledger cannot be read", commit.target),
            error,
        )
    })?;
    Ok(version.is_some_and(|version| version >= n))
}

/// Does decision `n`, in one transaction with the ledger.
pub(crate) fn run(commit: &SqlCommit, path: &Path, n: i64) -> Result<Applied> {
    let failed = |what: &str| {
        let text = format!("{}: {what}", commit.target);
        move |error: rusqlite::Error| load_error(text.clone(), error)
    };
    let mut connection = connect(path)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("the database is busy"))?;
    ledger::make(&transaction).map_err(failed("the ledger cannot be made"))?;
    let version = ledger::version(&transaction, &commit.app_id)
        .map_err(failed("the ledger cannot be read"))?;
    if was_done(&commit.target, n, version)? {
        return Ok(Applied::Before);
    }
    match &commit.work {
        SqlWork::Script { statements } => {
            for (index, statement) in statements.iter().enumerate() {
                run_one(&transaction, statement).map_err(|error| {
                    refused(commit, &format!("statement {}: ", index + 1), error)
                })?;
            }
        }
        SqlWork::View(view) => {
            make(&transaction, view).map_err(|error| refused(commit, "", error))?;
        }
    }
    ledger::write(&transaction, &commit.app_id, n, &commit.run)
        .map_err(failed("the ledger cannot be written"))?;
    transaction
        .commit()
        .map_err(failed("the SQL cannot be committed"))?;
    Ok(Applied::Now(n.unsigned_abs()))
}

/// Runs one statement. One that has a place for a value, to which SQLite would give none, is refused.
fn run_one(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    if connection.prepare(statement)?.parameter_count() > 0 {
        let what = "?, :name and @name have no value here; write $name, which is a parameter";
        return Err(rusqlite::Error::InvalidParameterName(what.to_owned()));
    }
    connection.execute_batch(statement)
}

/// What SQLite says of SQL names tables, columns and rules, and never values.
fn refused(commit: &SqlCommit, place: &str, error: rusqlite::Error) -> Error {
    if super::may_pass(&error) {
        return load_error(format!("{}: the SQL cannot be run", commit.target), error);
    }
    // With where it is, the statement would be quoted, and values of parameters in it.
    let what = match &error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::InvalidParameterName(what) => what.clone(),
        other => other.to_string(),
    };
    Error::new(
        ErrorKind::Input,
        format!("{}: {place}SQLite says: {what}", commit.target),
    )
    .into_refusal()
    .with_hint(
        "mend the SQL in the pipeline file, and run the same command again: nothing of it was done",
    )
}

fn make(connection: &Connection, view: &View) -> rusqlite::Result<()> {
    let name = quoted(&view.view.table);
    connection.execute_batch(&format!(
        "drop view if exists {name}; create view {name} as {}",
        view.query
    ))?;
    // SQLite looks at what a view says when it is read.
    connection.prepare(&format!("select * from {name}"))?;
    Ok(())
}
