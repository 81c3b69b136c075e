//! Rows into a table.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatchReader};
use arrow::datatypes::{Int64Type, SchemaRef};

use crate::connection::Connection;
use crate::error::{Doing, Error, What};
use crate::ffi::StatementHandle;
use crate::types::kept_as;
use crate::vendor::{Table, Vendor, quote_identifier};
use crate::watch::{Seen, Watched};

/// What becomes of a table that rows are loaded into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The driver creates it; it must not be there.
    Create,
    /// It must be there, and keeps its rows.
    Append,
    /// If it is there it is dropped; the driver creates it.
    Replace,
}

/// Where rows are loaded to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingest<'a> {
    /// The table.
    pub table: Table<'a>,
    /// What becomes of it.
    pub mode: Mode,
    /// The table is one of this connection only, and ends with it.
    pub temporary: bool,
}

impl Connection {
    /// Loads rows into a table, and says how many.
    ///
    /// Columns of a table that is there are matched by name, whatever the driver does: some would go by
    /// position. A column of the table that the rows have not gets its default. Outside of a transaction,
    /// rows of a load that fails may stay, but with DuckDB.
    ///
    /// DuckDB's driver loses rows that a constraint refuses and says that all went well, so there rows go by
    /// way of a temporary table, and how many have arrived is counted, in a transaction. It also changes
    /// values of some types, which are refused: those for which
    /// [`create_table_sql`](crate::create_table_sql) has none.
    ///
    /// # Errors
    ///
    /// [`What::RowsUnreadable`] if `rows` gives an error or panics, [`What::TableMissing`],
    /// [`What::TableExists`], [`What::ColumnMissing`], [`What::ConstraintViolated`],
    /// [`What::CannotConvert`]; [`What::NotImplemented`] for a catalog, schema or temporary table where the
    /// driver loads into none.
    pub fn ingest(
        &mut self,
        target: &Ingest<'_>,
        rows: Box<dyn RecordBatchReader + Send>,
    ) -> Result<u64, Error> {
        self.usable()?;
        let counts = self.vendor()? == Vendor::DuckDb;
        let doing = || Doing::Ingest(target.table.to_string());
        if counts {
            for field in rows.schema().fields() {
                let kept = kept_as(Vendor::DuckDb, &target.table, field);
                kept.map_err(|error| error.during(doing()))?;
            }
        }
        let own = counts && !self.in_transaction();
        if own {
            self.begin()?;
        }
        let ingested = match (target.mode, counts) {
            (Mode::Append, true) => self.append_counted(target, rows),
            (Mode::Create | Mode::Replace, true) => self.create_counted(target, rows),
            (Mode::Append, false) => self
                .matched(&target.table, &rows.schema())
                .and_then(|matched| self.ingest_arranged(target, Some(matched.places), rows)),
            (Mode::Create | Mode::Replace, false) => self.ingest_arranged(target, None, rows),
        };
        let ingested = self.handle.noted(ingested);
        if !own {
            return ingested;
        }
        let kept = ingested.and_then(|rows| {
            let committed = self.commit().map_err(|error| error.during(doing()));
            committed.map(|()| rows)
        });
        if kept.is_err() && self.in_transaction() {
            // What went wrong first says more; a connection that could not go back says so from now on.
            let _ = self.rollback();
        }
        kept
    }

    /// Into a temporary table, and from there by a statement, which says what a constraint refuses.
    fn append_counted(
        &mut self,
        target: &Ingest<'_>,
        rows: Box<dyn RecordBatchReader + Send>,
    ) -> Result<u64, Error> {
        let vendor = self.vendor()?;
        let doing = Doing::Ingest(target.table.to_string());
        let matched = self.matched(&target.table, &rows.schema())?;
        let name = staging_name();
        let staging = Ingest {
            table: Table::from(&*name),
            mode: Mode::Create,
            temporary: true,
        };
        let loaded = self.ingest_arranged(&staging, Some(matched.places), rows);
        let rows = loaded.map_err(|error| error.during(doing.clone()))?;
        let columns: Result<Vec<_>, _> = matched
            .names
            .iter()
            .map(|name| quote_identifier(vendor, name))
            .collect();
        // The columns of the temporary table have the rows' names, in the order of these.
        let copy = format!(
            "INSERT INTO {} ({}) SELECT * FROM temp.main.{name}",
            target.table.quoted(vendor)?,
            columns?.join(", ")
        );
        let copied = self.execute_for(&doing, &copy)?;
        self.execute_for(&doing, &format!("DROP TABLE temp.main.{name}"))?;
        copied_all(vendor, doing, rows, copied)
    }

    /// Into a table that the driver creates.
    fn create_counted(
        &mut self,
        target: &Ingest<'_>,
        rows: Box<dyn RecordBatchReader + Send>,
    ) -> Result<u64, Error> {
        let rows = self.ingest_arranged(target, None, rows)?;
        let vendor = self.vendor()?;
        let doing = Doing::Ingest(target.table.to_string());
        let sql = format!("SELECT count(*) FROM {}", target.table.quoted(vendor)?);
        let mut count = None;
        for batch in self.query(&sql, None)? {
            let batch = batch?;
            let column = batch.columns().first();
            let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
            count = column.and_then(|column| column.values().first().copied());
        }
        arrived(
            doing,
            rows,
            count.and_then(|count| u64::try_from(count).ok()),
        )
    }

    fn ingest_arranged(
        &self,
        target: &Ingest<'_>,
        places: Option<Vec<usize>>,
        rows: Box<dyn RecordBatchReader + Send>,
    ) -> Result<u64, Error> {
        let Ingest {
            table,
            mode,
            temporary,
        } = target;
        let doing = || Doing::Ingest(table.to_string());
        let unreadable = |why| Error::new(doing(), What::RowsUnreadable).because(why);
        let seen = Arc::new(Seen::default());
        let rows = Watched::new(rows, places, Arc::clone(&seen)).map_err(unreadable)?;
        let statement = StatementHandle::new(Arc::clone(&self.handle), doing)?;
        statement.set_option(doing, "adbc.ingest.target_table", table.name)?;
        let mode = match mode {
            Mode::Create => "adbc.ingest.mode.create",
            Mode::Append => "adbc.ingest.mode.append",
            Mode::Replace => "adbc.ingest.mode.replace",
        };
        let feature = || Doing::IngestOption("this mode of loading");
        statement.set_option(feature, "adbc.ingest.mode", mode)?;
        if let Some(catalog) = table.catalog {
            let feature = || Doing::IngestOption("loading into a catalog");
            statement.set_option(feature, "adbc.ingest.target_catalog", catalog)?;
        }
        if let Some(schema) = table.schema {
            let feature = || Doing::IngestOption("loading into a schema");
            statement.set_option(feature, "adbc.ingest.target_db_schema", schema)?;
        }
        if *temporary {
            let feature = || Doing::IngestOption("loading into a temporary table");
            statement.set_option(feature, "adbc.ingest.temporary", "true")?;
        }
        let bound = statement.bind_stream(doing, Box::new(rows));
        let loaded = bound.and_then(|()| statement.execute(doing));
        // What the rows say comes first: some drivers take an error for the end.
        if let Some(why) = seen.failure() {
            return Err(unreadable(why));
        }
        let counted = loaded?;
        if !seen.ended() {
            let fault = "it did not read the rows to their end";
            return Err(Error::new(doing(), What::DriverFault { fault }));
        }
        // Some drivers give 0 where they do not count.
        match counted {
            None | Some(0) => Ok(seen.rows()),
            Some(_) => arrived(doing(), seen.rows(), counted),
        }
    }

    /// Which columns of rows go where in a table.
    pub(crate) fn matched(
        &mut self,
        table: &Table<'_>,
        rows: &SchemaRef,
    ) -> Result<Matched, Error> {
        let doing = || Doing::Ingest(table.to_string());
        let vendor = self.vendor()?;
        // Portable, and it sees what the transaction has done; it reads no row.
        let sql = format!("SELECT * FROM {} WHERE 1 = 0", table.quoted(vendor)?);
        let columns = match self.query(&sql, None) {
            Ok(none) => SchemaRef::clone(none.schema()),
            Err(error) if matches!(error.what(), What::TableMissing { .. }) => {
                let table = Some(table.to_string());
                return Err(error.during(doing()).is(What::TableMissing { table }));
            }
            Err(error) => return Err(error.during(doing())),
        };
        let is_same = |name: &str, other: &str| {
            name == other || (vendor == Vendor::DuckDb && name.eq_ignore_ascii_case(other))
        };
        let mut matched = Matched {
            places: Vec::new(),
            names: Vec::new(),
        };
        for column in columns.fields() {
            let place = rows
                .fields()
                .iter()
                .position(|field| is_same(field.name(), column.name()));
            if let Some(place) = place {
                matched.places.push(place);
                matched.names.push(column.name().clone());
            }
        }
        let unmatched = (0..rows.fields().len()).find(|place| !matched.places.contains(place));
        if let Some(field) = unmatched.and_then(|place| rows.fields().get(place)) {
            let column = field.name().clone();
            return Err(Error::new(doing(), What::ColumnMissing { column }));
        }
        Ok(matched)
    }
}

/// How the names of tables begin that rows are staged in. One that a crash left behind may be dropped.
pub const STAGING_PREFIX: &str = "_weir_staging_";

/// A name that nobody else has, of letters that need no quotes.
pub(crate) fn staging_name() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{STAGING_PREFIX}{random:016x}")
}

/// A statement that copies rows must have copied all.
pub(crate) fn copied_all(
    vendor: Vendor,
    doing: Doing,
    given: u64,
    copied: Option<u64>,
) -> Result<u64, Error> {
    match (copied, vendor) {
        (Some(_), _) => arrived(doing, given, copied),
        // DuckDB's driver always counts, and has no other way to say 0.
        (None, Vendor::DuckDb) => arrived(doing, given, Some(0)),
        (None, _) => Ok(given),
    }
}

/// As many rows as were given must be there.
fn arrived(doing: Doing, given: u64, there: Option<u64>) -> Result<u64, Error> {
    if there == Some(given) {
        return Ok(given);
    }
    let fault = "it kept another number of rows than it was given";
    Err(Error::new(doing, What::DriverFault { fault }))
}

/// Which columns of rows go where in a table, in the table's order.
pub(crate) struct Matched {
    /// Where they are among the rows' columns.
    pub(crate) places: Vec<usize>,
    /// What they are called in the table.
    pub(crate) names: Vec<String>,
}
