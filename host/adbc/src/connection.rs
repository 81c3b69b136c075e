//! Connections: statements, transactions, what a database has.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use arrow::array::{Array, AsArray, RecordBatch, UnionArray};
use arrow::datatypes::{Schema, UInt32Type};

use crate::error::{Doing, Error, Status, What};
use crate::ffi::{ConnectionHandle, StatementHandle};
use crate::rows::{Prepared, Rows};
use crate::vendor::{Table, Vendor};

/// A connection: one statement or result at a time, which is why nearly everything borrows it mutably.
///
/// It begins outside of transactions: each statement is one of its own. [`begin`](Connection::begin)
/// starts one that ends with [`commit`](Connection::commit) or [`rollback`](Connection::rollback); dropped
/// before, it is rolled back. Calls block.
pub struct Connection {
    pub(crate) handle: Arc<ConnectionHandle>,
    vendor: Option<Vendor>,
    broken: bool,
    /// The transaction could not be committed, and the database may have undone it by itself.
    refused: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("vendor", &self.vendor)
            .field("in_transaction", &self.in_transaction())
            .field("broken", &self.broken)
            .finish()
    }
}

/// What a driver says of itself and of its database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The database's name, such as `duckdb`.
    pub vendor_name: Option<String>,
    /// The database's version.
    pub vendor_version: Option<String>,
    /// The driver's name.
    pub driver_name: Option<String>,
    /// The driver's version.
    pub driver_version: Option<String>,
}

impl Connection {
    pub(crate) fn of(handle: Arc<ConnectionHandle>) -> Connection {
        Connection {
            handle,
            vendor: None,
            broken: false,
            refused: false,
        }
    }

    /// Runs a statement for its effect: how many rows it changed, where the driver says so.
    ///
    /// # Errors
    ///
    /// What the database says of the statement: [`What::StatementInvalid`], [`What::TableMissing`],
    /// [`What::ConstraintViolated`], [`What::Conflict`], [`What::Cancelled`] and others.
    pub fn execute(&mut self, sql: &str) -> Result<Option<u64>, Error> {
        self.statement(sql)?.execute(|| Doing::Execute)
    }

    /// Runs a query with a row of parameters, if it has any. Rows are read while the connection is
    /// borrowed.
    ///
    /// # Errors
    ///
    /// As [`execute`](Connection::execute); [`What::NotImplemented`] if the driver takes no parameters.
    pub fn query(&mut self, sql: &str, parameters: Option<RecordBatch>) -> Result<Rows<'_>, Error> {
        let statement = self.statement(sql)?;
        Rows::of(statement, parameters)
    }

    /// As [`query`](Connection::query), for rows that outlive the borrow: they take the connection along.
    ///
    /// # Errors
    ///
    /// As [`query`](Connection::query).
    pub fn into_query(
        self,
        sql: &str,
        parameters: Option<RecordBatch>,
    ) -> Result<Rows<'static>, Error> {
        let statement = self.statement(sql)?;
        Rows::of(statement, parameters)
    }

    /// Prepares a statement, to run it with one set of parameters after another.
    ///
    /// # Errors
    ///
    /// As [`execute`](Connection::execute); [`What::NotImplemented`] if the driver prepares none.
    pub fn prepare(&mut self, sql: &str) -> Result<Prepared<'_>, Error> {
        let statement = self.statement(sql)?;
        statement.prepare()?;
        Ok(Prepared::of(statement))
    }

    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// [`What::InTransaction`]; [`What::NotImplemented`] if the driver has none.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.usable()?;
        if self.in_transaction() {
            return Err(Error::new(Doing::Begin, What::InTransaction));
        }
        self.handle
            .set_option(|| Doing::Begin, AUTOCOMMIT, "false")?;
        self.handle.failed.store(false, Ordering::Relaxed);
        self.refused = false;
        self.handle.in_transaction.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Keeps what the transaction did, and ends it.
    ///
    /// # Errors
    ///
    /// [`What::NoTransaction`]; [`What::TransactionFailed`] if a call of the transaction failed, since
    /// databases differ in what is left of it; [`What::Conflict`], [`What::ConstraintViolated`] and others
    /// if the database refuses. In all these cases the transaction is to be rolled back. Where the connection broke while it was told,
    /// nobody knows whether it was kept.
    pub fn commit(&mut self) -> Result<(), Error> {
        self.usable()?;
        if !self.in_transaction() {
            return Err(Error::new(Doing::Commit, What::NoTransaction));
        }
        if self.handle.failed.load(Ordering::Relaxed) {
            return Err(Error::new(Doing::Commit, What::TransactionFailed));
        }
        self.refused = true;
        self.handle.noted(self.handle.commit())?;
        self.ended();
        Ok(())
    }

    /// Undoes what the transaction did, and ends it.
    ///
    /// # Errors
    ///
    /// [`What::NoTransaction`]. After any other error the connection takes no more calls
    /// ([`What::ConnectionBroken`]): to go on could keep what was to be undone.
    pub fn rollback(&mut self) -> Result<(), Error> {
        self.usable()?;
        if !self.in_transaction() {
            return Err(Error::new(Doing::Rollback, What::NoTransaction));
        }
        match self.handle.rollback() {
            Ok(()) => {}
            // By ADBC: there is no transaction. After a commit that failed there need be none.
            Err(error) if self.refused && error.status() == Some(Status::InvalidState) => {}
            Err(error) => {
                self.broken = true;
                return Err(error);
            }
        }
        self.ended();
        Ok(())
    }

    /// Statements are transactions of their own again.
    fn ended(&mut self) {
        self.handle.in_transaction.store(false, Ordering::Relaxed);
        // The transaction has ended well; that the connection cannot go on is for its next call to say.
        self.broken = self
            .handle
            .set_option(|| Doing::Begin, AUTOCOMMIT, "true")
            .is_err();
    }

    /// There is a transaction that has not ended.
    pub fn in_transaction(&self) -> bool {
        self.handle.in_transaction.load(Ordering::Relaxed)
    }

    /// The columns of a table. None if there is no such table.
    ///
    /// # Errors
    ///
    /// [`What::NotImplemented`] and what else the driver says.
    pub fn table_schema(&mut self, table: &Table<'_>) -> Result<Option<Schema>, Error> {
        self.usable()?;
        let schema = self
            .handle
            .table_schema(table.catalog, table.schema, table.name);
        let asked = match schema {
            Ok(schema) => Ok(Some(schema)),
            Err(error) if matches!(error.what(), What::TableMissing { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        let harmless = match asked {
            Ok(Some(_)) => true,
            // Where the driver asks by a statement that fails, a transaction may have failed with it.
            Ok(None) if self.in_transaction() => {
                matches!(self.vendor()?, Vendor::DuckDb | Vendor::Sqlite)
            }
            Ok(None) => true,
            Err(_) => false,
        };
        if !harmless {
            self.handle.failed.store(true, Ordering::Relaxed);
        }
        asked
    }

    /// What the driver says of itself and of its database.
    ///
    /// # Errors
    ///
    /// [`What::NotImplemented`]; [`What::DriverFault`] if the answer is none.
    pub fn info(&mut self) -> Result<Info, Error> {
        self.usable()?;
        let mut stream = self.handle.info()?;
        let mut info = Info::default();
        while let Some(batch) = stream.next(|| Doing::Info) {
            read_info(&batch?, &mut info).ok_or_else(|| {
                let fault = "what it says of itself has another schema than ADBC's";
                Error::new(Doing::Info, What::DriverFault { fault })
            })?;
        }
        Ok(info)
    }

    /// Whose SQL it is, by what the driver says of itself. The driver is asked once.
    ///
    /// # Errors
    ///
    /// As [`info`](Connection::info); a driver that says nothing of itself speaks standard SQL.
    pub fn vendor(&mut self) -> Result<Vendor, Error> {
        if let Some(vendor) = self.vendor {
            return Ok(vendor);
        }
        let name = match self.info() {
            Ok(info) => info.vendor_name,
            Err(error) if error.status() == Some(Status::NotImplemented) => None,
            Err(error) => return Err(error),
        };
        let vendor = name.map_or(Vendor::Ansi, |name| Vendor::named(&name));
        self.vendor = Some(vendor);
        Ok(vendor)
    }

    /// What cancels this connection's work from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller {
            handle: Arc::downgrade(&self.handle),
        }
    }

    /// As [`execute`](Connection::execute), for something that has its own words.
    pub(crate) fn execute_for(&mut self, doing: &Doing, sql: &str) -> Result<Option<u64>, Error> {
        self.execute(sql)
            .map_err(|error| error.during(doing.clone()))
    }

    fn statement(&self, sql: &str) -> Result<StatementHandle, Error> {
        self.usable()?;
        let statement = StatementHandle::new(Arc::clone(&self.handle), || Doing::Execute)?;
        statement.set_sql(|| Doing::Execute, sql)?;
        Ok(statement)
    }

    pub(crate) fn usable(&self) -> Result<(), Error> {
        if self.broken {
            return Err(Error::new(Doing::Execute, What::ConnectionBroken));
        }
        Ok(())
    }
}

/// The option that tells whether each statement is a transaction of its own.
const AUTOCOMMIT: &str = "adbc.connection.autocommit";

/// A row for each code and its value, in a union.
fn read_info(batch: &RecordBatch, info: &mut Info) -> Option<()> {
    let codes = batch.column_by_name("info_name")?;
    let codes = codes.as_primitive_opt::<UInt32Type>()?;
    let values = batch.column_by_name("info_value")?;
    let values = values.as_any().downcast_ref::<UnionArray>()?;
    for (row, code) in codes.iter().enumerate() {
        let place = match code? {
            0 => &mut info.vendor_name,
            1 => &mut info.vendor_version,
            100 => &mut info.driver_name,
            101 => &mut info.driver_version,
            _ => continue,
        };
        let value = values.value(row);
        if let Some(text) = value.as_string_opt::<i32>() {
            *place = (!text.is_empty() && text.is_valid(0)).then(|| text.value(0).to_owned());
        }
    }
    Some(())
}

/// Cancels what a connection does, from any thread. It does not keep the connection open.
#[derive(Clone)]
pub struct Canceller {
    handle: Weak<ConnectionHandle>,
}

impl Canceller {
    /// Cancels the statement or result that the connection is at, whose call then ends with
    /// [`What::Cancelled`], if the driver is fast enough. Harmless where there is nothing to cancel.
    ///
    /// # Errors
    ///
    /// [`What::NotImplemented`] if the driver cannot.
    pub fn cancel(&self) -> Result<(), Error> {
        match self.handle.upgrade() {
            Some(handle) => handle.cancel(),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canceller")
    }
}
