//! The table `_weir_loads` of a SQLite file, which says what has been done to its tables.

use rusqlite::{Connection, OptionalExtension};

use super::table_columns;
use crate::server::LEDGER;

/// Makes the table if it is not there. One that has no runs gets a column for them.
pub(super) fn make(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "create table if not exists _weir_loads (
             app_id text primary key, version integer not null, run text not null,
             loaded_at text not null
         ) without rowid",
    )?;
    let columns = table_columns(connection, LEDGER)?;
    if columns.iter().all(|(name, _)| name != "run") {
        connection
            .execute_batch("alter table _weir_loads add column run text not null default ''")?;
    }
    Ok(())
}

/// The decision of an application that was done last; none where there is no ledger, too.
pub(super) fn version(connection: &Connection, app_id: &str) -> rusqlite::Result<Option<i64>> {
    // A file without a ledger was loaded by nobody.
    if table_columns(connection, LEDGER)?.is_empty() {
        return Ok(None);
    }
    connection
        .query_row(
            "select version from _weir_loads where app_id = ?1",
            [app_id],
            |row| row.get(0),
        )
        .optional()
}

/// Writes that `run` has done decision `n`.
pub(super) fn write(
    connection: &Connection,
    app_id: &str,
    n: i64,
    run: &str,
) -> rusqlite::Result<()> {
    connection.execute(
        "insert into _weir_loads (app_id, version, run, loaded_at)
         values (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%fZ'))
         on conflict (app_id) do update
         set version = excluded.version, run = excluded.run, loaded_at = excluded.loaded_at",
        rusqlite::params![app_id, n, run],
    )?;
    Ok(())
}
