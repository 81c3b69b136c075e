//! Loads that happen once.
//!
//! The ledger `_weir_loads`, beside the table, has for each application the version that was last
//! loaded. It is written in the transaction that loads the rows, so whoever comes after a crash can ask
//! it.

use arrow::array::{Array, AsArray, RecordBatchReader};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type};

use crate::connection::Connection;
use crate::error::{Doing, Error, What};
use crate::ingest::{Ingest, Mode, copied_all, staging_name};
use crate::vendor::{Table, Vendor, quote_identifier, quote_text};

/// The ledger's name.
const LEDGER: &str = "_weir_loads";

/// What is to be loaded, once.
pub struct Load<'a> {
    /// The table. The ledger is in the same catalog and schema.
    pub table: Table<'a>,
    /// Who loads: versions are counted for each application alone.
    pub application: &'a str,
    /// The run that loads, for people: the ledger says it.
    pub run: &'a str,
    /// What is loaded. It is skipped if the ledger has this version or a higher one.
    pub version: i64,
    /// A statement that creates the table if there is none, such as
    /// [`create_table_sql`](crate::create_table_sql) makes. It is run in each load that is not skipped.
    pub create: Option<&'a str>,
    /// A statement that deletes the rows which the new ones replace.
    pub delete: Option<&'a str>,
    /// The rows. They are read only if the load is not skipped.
    pub rows: Box<dyn RecordBatchReader + Send>,
    /// On which way they go.
    pub via: Via,
    /// How they meet the rows that are there; None: they are added.
    pub merge: Option<Merge<'a>>,
}

/// How rows are merged into those that are there, by `MERGE` of standard SQL. They go by way of a table of their
/// own, whatever [`Via`] says.
#[derive(Clone, Copy, Debug)]
pub struct Merge<'a> {
    /// The columns that say which row is meant.
    pub key: &'a [String],
    /// Of rows with one key the greatest in these columns stays; nulls are least, and of equal ones the one that
    /// comes in stays. Empty: a key is in the rows once.
    pub order: &'a [String],
    /// Whether a row that is there stays, whatever comes in.
    pub keep: bool,
}

/// On which way rows go into the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// [`Transaction`](Via::Transaction) where that is known to hold, which is DuckDB, SQLite and PostgreSQL,
    /// else [`Staging`](Via::Staging).
    #[default]
    Auto,
    /// The driver loads into the table, within the transaction. **Whether it does not in truth load
    /// outside of it is the driver's word.**
    Transaction,
    /// The driver loads into a table of its own, before the transaction, which then copies the rows. It
    /// needs nothing of the database but transactions of `DELETE`, `INSERT` and `UPDATE`.
    Staging,
}

/// What became of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rows are in the table, and the ledger says so.
    Loaded {
        /// How many were brought; of those that are merged, some may have been older than what is there.
        rows: u64,
        /// A staging table that could not be dropped afterwards. It harms nobody.
        left: Option<String>,
    },
    /// Nothing was done.
    AlreadyLoaded {
        /// The ledger's version, which is not lower than the load's.
        version: i64,
    },
}

/// Loads rows into a table, once for each application and version.
///
/// All of it is one transaction: the ledger is created where it is missing and asked; a load whose version
/// is there already ends here; then `delete`, the rows, the ledger's new version. Whatever fails, and
/// the process's end at any moment, leaves the table as it was. Of two loads of one application at once
/// one waits or fails with [`What::Conflict`]. Where the database does not enforce keys (Snowflake,
/// BigQuery, Databricks), that holds from an application's second load on.
///
/// # Errors
///
/// What the steps say: see [`Connection::execute`] and [`Connection::ingest`];
/// [`What::InTransaction`] if the connection is in a transaction; [`What::NotImplemented`] if the driver
/// has no transactions; [`What::LedgerUnreadable`]. After an error in which the connection broke during the
/// commit, nobody knows whether it was kept: load again, and the ledger says.
pub fn load(connection: &mut Connection, load: Load<'_>) -> Result<Outcome, Error> {
    let Load {
        table,
        application,
        run,
        version,
        create,
        delete,
        rows,
        via,
        merge,
    } = load;
    connection.usable()?;
    if connection.in_transaction() {
        return Err(Error::new(Doing::Begin, What::InTransaction));
    }
    let vendor = connection.vendor()?;
    let ledger = Ledger::new(vendor, &table, application)?;
    let steps = Steps {
        ledger,
        run,
        version,
        create,
        delete,
    };
    let in_transaction = match via {
        Via::Auto => vendor.loads_in_transaction(),
        Via::Transaction => true,
        Via::Staging => false,
    };
    if merge.is_some() && !vendor.merges() {
        return Err(Error::new(
            Doing::Ingest(table.to_string()),
            What::NotMerged,
        ));
    }
    if in_transaction && merge.is_none() {
        let target = Ingest {
            table,
            mode: Mode::Append,
            temporary: false,
        };
        return steps.apply(connection, |connection| connection.ingest(&target, rows));
    }
    staged(connection, vendor, &table, steps, rows, merge)
}

/// Rows by way of a table of their own. What creates tables ends transactions in some databases, so it is
/// all done before.
fn staged(
    connection: &mut Connection,
    vendor: Vendor,
    table: &Table<'_>,
    mut steps: Steps<'_>,
    rows: Box<dyn RecordBatchReader + Send>,
    merge: Option<Merge<'_>>,
) -> Result<Outcome, Error> {
    steps.ledger.create(connection)?;
    if let Some(version) = steps.ledger.version(connection)?
        && version >= steps.version
    {
        return Ok(Outcome::AlreadyLoaded { version });
    }
    if let Some(create) = steps.create {
        connection.execute_for(&Doing::CreateTable(table.to_string()), create)?;
    }
    // Of this attempt only: another one at the same time has its own.
    let name = staging_name();
    let staging = Table {
        name: &name,
        ..*table
    };
    let (into, from) = (table.quoted(vendor)?, staging.quoted(vendor)?);
    let names = connection.matched(table, &rows.schema())?.names;
    let merging = match &merge {
        Some(merge) => Some(merge.sql(vendor, (&into, &from), &names)?),
        None => None,
    };
    let names = quoted(vendor, &names)?.join(", ");
    let doing = Doing::Ingest(table.to_string());
    connection.execute_for(
        &doing,
        &format!("CREATE TABLE {from} AS SELECT {names} FROM {into} WHERE 1 = 0"),
    )?;
    let target = Ingest {
        table: staging,
        mode: Mode::Append,
        temporary: false,
    };
    let ingested = connection.ingest(&target, rows);
    let ingested = ingested.map_err(|error| error.during(doing.clone()));
    let loaded = ingested.and_then(|count| {
        steps.create = None;
        steps.apply(connection, |connection| {
            if let Some(merging) = &merging {
                connection.execute_for(&doing, merging)?;
                return Ok(count);
            }
            let copy = format!("INSERT INTO {into} ({names}) SELECT {names} FROM {from}");
            let copied = connection.execute_for(&doing, &copy)?;
            copied_all(vendor, doing.clone(), count, copied)
        })
    });
    let dropped = connection.execute(&format!("DROP TABLE {from}"));
    match loaded? {
        Outcome::Loaded { rows, left: _ } => Ok(Outcome::Loaded {
            rows,
            left: dropped.is_err().then(|| staging.to_string()),
        }),
        already @ Outcome::AlreadyLoaded { .. } => Ok(already),
    }
}

fn quoted(vendor: Vendor, names: &[String]) -> Result<Vec<String>, Error> {
    let quote = |name: &String| quote_identifier(vendor, name);
    names.iter().map(quote).collect()
}

impl Merge<'_> {
    /// The statement that merges the rows of one table, which have the columns `names`, into another.
    fn sql(
        &self,
        vendor: Vendor,
        (into, from): (&str, &str),
        names: &[String],
    ) -> Result<String, Error> {
        let is_key = |name: &&String| self.key.iter().any(|key| key.eq_ignore_ascii_case(name));
        let others: Vec<String> = names.iter().filter(|name| !is_key(name)).cloned().collect();
        let (key, order) = (quoted(vendor, self.key)?, quoted(vendor, self.order)?);
        let (all, others) = (quoted(vendor, names)?, quoted(vendor, &others)?);
        let list = |of: &[String], each: &dyn Fn(&String) -> String, between: &str| {
            of.iter().map(each).collect::<Vec<_>>().join(between)
        };
        let columns = all.join(", ");
        let rows = match order.is_empty() {
            true => format!("SELECT {columns} FROM {from}"),
            false => {
                let place = quote_identifier(vendor, "_weir_place")?;
                // Nulls last, in words that all have.
                let order = list(
                    &order,
                    &|name| format!("CASE WHEN {name} IS NULL THEN 1 ELSE 0 END, {name} DESC"),
                    ", ",
                );
                format!(
                    "SELECT {columns} FROM (SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {order}) AS {place} FROM {from}) r WHERE {place} = 1",
                    key.join(", ")
                )
            }
        };
        let same = list(&key, &|name| format!("t.{name} = s.{name}"), " AND ");
        let mut sql = format!("MERGE INTO {into} t USING ({rows}) s ON {same}");
        if !self.keep && !others.is_empty() {
            let set = list(&others, &|name| format!("{name} = s.{name}"), ", ");
            let newer = match order.as_slice() {
                [] => String::new(),
                order => format!(" AND {}", not_older(order)),
            };
            sql.push_str(&format!(" WHEN MATCHED{newer} THEN UPDATE SET {set}"));
        }
        let values = list(&all, &|name| format!("s.{name}"), ", ");
        sql.push_str(&format!(
            " WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
        ));
        Ok(sql)
    }
}

/// Whether the incoming row `s` is not older than `t`, by columns that are quoted.
fn not_older(order: &[String]) -> String {
    let Some((name, rest)) = order.split_first() else {
        return "1 = 1".to_owned();
    };
    format!(
        "(s.{name} > t.{name} OR (s.{name} IS NOT NULL AND t.{name} IS NULL) \
         OR ((s.{name} = t.{name} OR (s.{name} IS NULL AND t.{name} IS NULL)) AND {}))",
        not_older(rest)
    )
}

/// What is done in the transaction.
struct Steps<'a> {
    ledger: Ledger,
    run: &'a str,
    version: i64,
    create: Option<&'a str>,
    delete: Option<&'a str>,
}

impl Steps<'_> {
    fn apply(
        &self,
        connection: &mut Connection,
        load: impl FnOnce(&mut Connection) -> Result<u64, Error>,
    ) -> Result<Outcome, Error> {
        connection.begin()?;
        let outcome = self.within(connection, load).and_then(|outcome| {
            if let Outcome::Loaded { .. } = outcome {
                connection.commit()?;
            }
            Ok(outcome)
        });
        if connection.in_transaction() {
            let rolled_back = connection.rollback();
            // What went wrong first says more.
            if outcome.is_ok() {
                rolled_back?;
            }
        }
        outcome
    }

    fn within(
        &self,
        connection: &mut Connection,
        load: impl FnOnce(&mut Connection) -> Result<u64, Error>,
    ) -> Result<Outcome, Error> {
        self.ledger.create(connection)?;
        let before = self.ledger.locked(connection)?;
        if let Some(version) = before
            && version >= self.version
        {
            return Ok(Outcome::AlreadyLoaded { version });
        }
        if let Some(create) = self.create {
            let doing = Doing::CreateTable(self.ledger.table.clone());
            connection.execute_for(&doing, create)?;
        }
        if let Some(delete) = self.delete {
            connection.execute(delete)?;
        }
        let rows = load(connection)?;
        self.ledger
            .write(connection, (self.version, self.run), before.is_some())?;
        Ok(Outcome::Loaded { rows, left: None })
    }
}

/// The ledger's row of one application.
struct Ledger {
    vendor: Vendor,
    /// The table that is loaded, for messages.
    table: String,
    /// The ledger's name, and the application as a text, as SQL has them.
    name: String,
    application: String,
    /// Its columns.
    columns: [String; 4],
}

/// The version that was last loaded into a table for an application, by the ledger beside it. None if there was
/// no load, or there is no ledger.
///
/// # Errors
///
/// As [`Connection::table_schema`] and [`Connection::query`]; [`What::LedgerUnreadable`].
pub fn loaded(
    connection: &mut Connection,
    table: Table<'_>,
    application: &str,
) -> Result<Option<i64>, Error> {
    let vendor = connection.vendor()?;
    let ledger = Table {
        name: LEDGER,
        ..table
    };
    if connection.table_schema(&ledger)?.is_none() {
        return Ok(None);
    }
    Ledger::new(vendor, &table, application)?.version(connection)
}

impl Ledger {
    fn new(vendor: Vendor, table: &Table<'_>, application: &str) -> Result<Ledger, Error> {
        let ledger = Table {
            name: LEDGER,
            ..*table
        };
        let column = |name| quote_identifier(vendor, name);
        Ok(Ledger {
            vendor,
            table: table.to_string(),
            name: ledger.quoted(vendor)?,
            application: quote_text(vendor, application)?,
            columns: [
                column("app_id")?,
                column("version")?,
                column("run")?,
                column("loaded_at")?,
            ],
        })
    }

    fn create(&self, connection: &mut Connection) -> Result<(), Error> {
        let [application, version, run, loaded_at] = &self.columns;
        let (text, key, moment) = match self.vendor {
            Vendor::DuckDb | Vendor::Snowflake => {
                ("VARCHAR", " PRIMARY KEY", "TIMESTAMP WITH TIME ZONE")
            }
            Vendor::PostgreSql => ("TEXT", " PRIMARY KEY", "TIMESTAMP WITH TIME ZONE"),
            Vendor::Sqlite => ("TEXT", " PRIMARY KEY", "TIMESTAMP"),
            Vendor::Ansi => ("VARCHAR(1024)", " PRIMARY KEY", "TIMESTAMP"),
            Vendor::MySql => ("VARCHAR(512)", " PRIMARY KEY", "DATETIME"),
            Vendor::BigQuery | Vendor::Databricks => ("STRING", "", "TIMESTAMP"),
        };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {} ({application} {text} NOT NULL{key}, \
             {version} BIGINT NOT NULL, {run} {text} NOT NULL, {loaded_at} {moment} NOT NULL)",
            self.name
        );
        connection.execute_for(&Doing::Ledger, &sql)?;
        Ok(())
    }

    /// The application's version, after its row has been locked where databases lock rows; where they
    /// do not, another who changes it is a conflict.
    fn locked(&self, connection: &mut Connection) -> Result<Option<i64>, Error> {
        let [application, version, ..] = &self.columns;
        let sql = format!(
            "UPDATE {} SET {version} = {version} WHERE {application} = {}",
            self.name, self.application
        );
        connection.execute_for(&Doing::Ledger, &sql)?;
        self.version(connection)
    }

    /// The application's version. None if nothing was loaded yet.
    fn version(&self, connection: &mut Connection) -> Result<Option<i64>, Error> {
        let [application, version, ..] = &self.columns;
        let sql = format!(
            "SELECT {version} FROM {} WHERE {application} = {}",
            self.name, self.application
        );
        let unreadable = || Error::new(Doing::Ledger, What::LedgerUnreadable);
        let mut found = None;
        let rows = connection.query(&sql, None);
        for batch in rows.map_err(|error| error.during(Doing::Ledger))? {
            let batch = batch.map_err(|error| error.during(Doing::Ledger))?;
            let column = batch.columns().first().ok_or_else(unreadable)?;
            // Some databases count in decimals.
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            let versions = cast_with_options(column, &DataType::Int64, &options)
                .map_err(|error| unreadable().because(error))?;
            let versions = versions.as_primitive::<Int64Type>();
            if versions.null_count() > 0 || versions.len() > 1 {
                return Err(unreadable());
            }
            if let Some(version) = versions.values().first()
                && found.replace(*version).is_some()
            {
                return Err(unreadable());
            }
        }
        Ok(found)
    }

    fn write(
        &self,
        connection: &mut Connection,
        (new, by): (i64, &str),
        is_there: bool,
    ) -> Result<(), Error> {
        let [application, version, run, loaded_at] = &self.columns;
        let (name, key) = (&self.name, &self.application);
        let by = quote_text(self.vendor, by)?;
        let sql = if is_there {
            format!(
                "UPDATE {name} SET {version} = {new}, {run} = {by}, {loaded_at} = CURRENT_TIMESTAMP \
                 WHERE {application} = {key}"
            )
        } else {
            format!(
                "INSERT INTO {name} ({application}, {version}, {run}, {loaded_at}) \
                 VALUES ({key}, {new}, {by}, CURRENT_TIMESTAMP)"
            )
        };
        // A driver that counts must have changed the one row.
        match connection.execute_for(&Doing::Ledger, &sql)? {
            None | Some(1) => Ok(()),
            Some(_) => Err(Error::new(Doing::Ledger, What::LedgerUnreadable)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_is_one_statement_of_standard_sql() {
        let texts = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let (key, order, all) = (texts(&["id"]), texts(&["at"]), texts(&["id", "at", "n"]));
        let mut merge = Merge {
            key: &key,
            order: &order,
            keep: false,
        };
        let sql = merge
            .sql(Vendor::Snowflake, ("\"t\"", "\"w\""), &all)
            .unwrap();
        assert_eq!(
            sql,
            "MERGE INTO \"t\" t USING (SELECT \"id\", \"at\", \"n\" FROM (SELECT \"id\", \"at\", \"n\", \
             ROW_NUMBER() OVER (PARTITION BY \"id\" ORDER BY CASE WHEN \"at\" IS NULL THEN 1 ELSE 0 END, \"at\" DESC) \
             AS \"_weir_place\" FROM \"w\") r WHERE \"_weir_place\" = 1) s ON t.\"id\" = s.\"id\" \
             WHEN MATCHED AND (s.\"at\" > t.\"at\" OR (s.\"at\" IS NOT NULL AND t.\"at\" IS NULL) \
             OR ((s.\"at\" = t.\"at\" OR (s.\"at\" IS NULL AND t.\"at\" IS NULL)) AND 1 = 1)) \
             THEN UPDATE SET \"at\" = s.\"at\", \"n\" = s.\"n\" \
             WHEN NOT MATCHED THEN INSERT (\"id\", \"at\", \"n\") VALUES (s.\"id\", s.\"at\", s.\"n\")"
        );
        merge.keep = true;
        merge.order = &[];
        let sql = merge.sql(Vendor::BigQuery, ("`t`", "`w`"), &all).unwrap();
        assert_eq!(
            sql,
            "MERGE INTO `t` t USING (SELECT `id`, `at`, `n` FROM `w`) s ON t.`id` = s.`id` \
             WHEN NOT MATCHED THEN INSERT (`id`, `at`, `n`) VALUES (s.`id`, s.`at`, s.`n`)"
        );
    }
}
