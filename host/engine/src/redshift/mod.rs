//! Amazon Redshift: rows are copied from S3 into a table of the session, and a load is one transaction.
//!
//! What is staged in the lake is written to S3 in types that Redshift reads as they are, with a manifest that
//! names each file; `copy` reads it. Then, in one transaction: the lock of the ledger, the look whether the
//! decision has been loaded, the delete of the scope's rows, the insert, the ledger's row. Redshift checks no
//! key and lets two transactions see the same state, so the lock comes first, and stays to the end.
//!
//! The statements are checked against what Amazon documents, and run in the tests by a PostgreSQL that stands in
//! for Redshift; they have not been run by a real Redshift.

mod ledger;
mod session;
mod sql;
mod staging;
mod table;

use weir_pipeline::S3Access;

pub(crate) use sql::{is_done, run};
pub(crate) use table::{literal, made, path};

use ledger::Ledger;
use session::Session;
use staging::{Staged, Staging};
use table::{Rows, There, add_columns, create, create_stage, delete, quoted_path};

use crate::commit::Applier;
use crate::connections::Connections;
use crate::delta::Applied;
use crate::error::{Error, Result};
use crate::lake::Location;
use crate::server::{Failure, FoundColumn, Incoming, ServerCommit, TablePath, number, was_done};
use crate::store::Stores;

/// The columns of the table, as rows meet them; none if there is no table. For a step that is planned.
///
/// # Errors
/// Storage, if the server cannot be reached; input, if it does not let the user in.
pub(crate) async fn found(
    connections: &Connections,
    connection: &str,
    table: &TablePath,
    incoming: &Incoming<'_>,
) -> Result<Option<Vec<FoundColumn>>> {
    let session = Session::open(connections, connection).await?;
    let there = async {
        let placed = session.placed(table).await?;
        session.columns(&placed).await
    };
    let there = there.await;
    let there = there.map_err(|failure| failure.told(&format!("{connection}:{table}")))?;
    let find = |name: &str| table::find(&there, name).map(|found| found.name.as_str());
    let found = |column: &There| {
        let name = incoming.named(&column.name, find);
        let taken = incoming
            .data_type(name)
            .is_none_or(|data_type| table::takes(column, data_type));
        FoundColumn {
            name: name.to_owned(),
            told: column.data_type.clone(),
            natural: column.natural(),
            misfit: (!taken).then(|| "it does not hold all of them".to_owned()),
            nullable: column.nullable,
            filled: column.filled,
        }
    };
    Ok((!there.is_empty()).then(|| there.iter().map(found).collect()))
}

/// Whether the ledger has decision `n` or a later one.
pub(crate) async fn is_loaded(
    commit: &ServerCommit,
    connections: &Connections,
    n: u64,
) -> Result<bool> {
    let n = number(n)?;
    let session = Session::open(connections, &commit.connection).await?;
    let last = async {
        let placed = session.placed(&commit.table).await?;
        Ledger::of(&placed.ledger(), &commit.app_id)
            .last(&session)
            .await
    };
    let last = last.await.map_err(|failure| failure.told(&commit.target))?;
    Ok(last.is_some_and(|version| version >= n))
}

/// One attempt to load decision `n`.
pub(crate) async fn load(
    commit: &ServerCommit,
    applier: &Applier,
    n: i64,
) -> Result<Applied, Failure> {
    let connections = &applier.connections;
    let session = Session::open(connections, &commit.connection).await?;
    let placed = session.placed(&commit.table).await?;
    let ledger_path = placed.ledger();
    let ledger = Ledger::of(&ledger_path, &commit.app_id);
    ledger.make(&session).await?;
    // What has been loaded need not be copied; the transaction looks again.
    if was_done(&commit.target, n, ledger.version(&session).await?)? {
        return Ok(Applied::Before);
    }
    if commit.evolves {
        // Before the transaction, to whose end others would wait.
        let there = session.columns(&placed).await?;
        if !there.is_empty() {
            for (column, statement) in add_columns(&quoted_path(&placed), &there, &commit.columns) {
                if let Err(failure) = session.run(&statement).await {
                    // Another load may have added it meanwhile.
                    let there = session.columns(&placed).await?;
                    if table::find(&there, &column.name).is_none() {
                        return Err(failure);
                    }
                }
            }
        }
    }
    let url = &connections.redshift(&commit.connection)?.0.staging;
    let staging = Staging::of(commit, &applier.stores, url)?;
    let place = (&placed, &ledger);
    let loaded = settle(&session, commit, applier, &staging, place, n).await;
    // Loaded, the files have served; else the next attempt writes its own.
    if !commit.files.is_empty()
        && let Err(error) = staging.remove().await
    {
        tracing::warn!(target = %commit.target, error = %error, "files in `staging` were not removed");
    }
    loaded
}

/// Copies the rows, and does what the decision says in one transaction.
async fn settle(
    session: &Session,
    commit: &ServerCommit,
    applier: &Applier,
    staging: &Staging,
    (placed, ledger): (&TablePath, &Ledger<'_>),
    n: i64,
) -> Result<Applied, Failure> {
    let staged = match commit.files.is_empty() {
        true => None,
        false => Some(staging.write(commit, &applier.stores).await?),
    };
    if let Some(staged) = &staged {
        session.run(&create_stage(&staged.schema)?).await?;
        let copy = staged.copy(&applier.connections, &commit.connection)?;
        let copied = session.run(&copy).await;
        copied.map_err(|failure| uncopied(failure, &applier.connections, &commit.connection))?;
    }
    session.run("begin").await?;
    let version = ledger.take_turn(session).await?;
    if was_done(&commit.target, n, version)? {
        return Ok(Applied::Before);
    }
    change(session, commit, placed, staged.as_ref()).await?;
    ledger.write(session, n, &commit.run).await?;
    // Whether a commit that was not answered was made, the ledger says at the next attempt.
    session.run("commit").await?;
    Ok(Applied::Now(n.unsigned_abs()))
}

/// What the transaction does to the table.
async fn change(
    session: &Session,
    commit: &ServerCommit,
    placed: &TablePath,
    staged: Option<&Staged>,
) -> Result<(), Failure> {
    let table = quoted_path(placed);
    if session.columns(placed).await?.is_empty() {
        for statement in create(&table, &commit.columns, &commit.options) {
            session.run(&statement).await?;
        }
    } else if let Some(delete) = delete(&table, commit) {
        session.run(&delete).await?;
    }
    let Some(staged) = staged else {
        return Ok(());
    };
    let rows = Rows::of(&staged.rows, commit);
    match &commit.merge {
        None => session.run(&rows.add(&table)).await,
        Some(merging) => {
            for statement in rows.merge(&table, merging) {
                session.run(&statement).await?;
            }
            Ok(())
        }
    }
}

/// Why files were not copied. The statement holds the key, if there is one, and Redshift may quote the statement:
/// then its words are not said.
fn uncopied(failure: Failure, connections: &Connections, connection: &str) -> Failure {
    let by_role = connections
        .redshift(connection)
        .is_ok_and(|(redshift, _)| matches!(redshift.access, S3Access::Role(_)));
    let words = |what: String| {
        match by_role {
        true => what,
        false => "the copy from S3 is refused, in words that are not repeated since they may quote the key".to_owned(),
    }
    };
    match failure {
        Failure::Refused(what, _) => Failure::Refused(
            words(what),
            "see to it that the role or key of the connection may read `staging`, and look into stl_load_errors and sys_load_error_detail",
        ),
        Failure::Unfit(what, hint) => Failure::Unfit(words(what), hint),
        Failure::Passing(error) if !by_role => Failure::Passing(
            Error::new(error.kind(), "the copy from S3 did not go through")
                .with_hint("run the same command again once the server is well"),
        ),
        other @ (Failure::Passing(_) | Failure::Other(_)) => other,
    }
}

/// That the folder of files can be opened.
///
/// # Errors
/// Usage, if it cannot.
pub(crate) fn staging_opens(
    connections: &Connections,
    connection: &str,
    stores: &Stores,
) -> Result<()> {
    let staging = &connections.redshift(connection)?.0.staging;
    Location::at_url(stores, staging).map(|_| ())
}
