//! A connection.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::ffi::FFI_ArrowSchema;
use arrow::array::ffi_stream::FFI_ArrowArrayStream;
use arrow::datatypes::Schema;

use super::database::DatabaseHandle;
use super::driver::{DriverHandle, missing};
use super::{Stream, abi, check, lock, pointer, text};
use crate::error::{Doing, Error};

/// The codes of what a driver may be asked about itself.
pub(crate) const INFO_CODES: [u32; 4] = [0, 1, 100, 101];

/// A statement that may be cancelled. The pointer is valid while it is in its connection's `current`.
pub(super) struct Current(pub(super) *mut abi::Statement);

// SAFETY: it is only handed to the driver's function for cancelling, which may be called from any thread.
unsafe impl Send for Current {}

/// A connection.
pub(crate) struct ConnectionHandle {
    pub(super) raw: Box<UnsafeCell<abi::Connection>>,
    /// Held during each call on the connection, on its statement and on its results.
    pub(super) turn: Mutex<()>,
    /// The statement that there is. Held while it is cancelled, so that it is not released then.
    pub(super) current: Mutex<Option<Current>>,
    /// A transaction has begun and not ended.
    pub(crate) in_transaction: AtomicBool,
    /// A call of that transaction failed. Some databases undo it then, and say that a commit did well.
    pub(crate) failed: AtomicBool,
    database: Arc<DatabaseHandle>,
}

// SAFETY: a connection may be used from any thread, one call at a time, which `turn` sees to; cancelling
// needs no turn, by ADBC.
unsafe impl Send for ConnectionHandle {}
// SAFETY: as above.
unsafe impl Sync for ConnectionHandle {}

impl ConnectionHandle {
    pub(crate) fn connect(
        database: Arc<DatabaseHandle>,
        options: &[(String, String)],
    ) -> Result<Arc<ConnectionHandle>, Error> {
        let driver = Arc::clone(&database.driver);
        let _turn = lock(&database.turn);
        let raw = Box::new(UnsafeCell::new(abi::Connection {
            private_data: std::ptr::null_mut(),
            private_driver: driver.pointer(),
        }));
        driver.call(
            || Doing::Connect,
            driver.functions.connection_new,
            // SAFETY: the struct is empty, as the function needs it.
            |new, error| unsafe { new(raw.get(), error) },
        )?;
        // From here on it is released, whatever comes.
        let connection = ConnectionHandle {
            raw,
            turn: Mutex::new(()),
            current: Mutex::new(None),
            in_transaction: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            database: Arc::clone(&database),
        };
        for (name, value) in options {
            connection.set_option(|| Doing::SetOption(name.clone()), name, value)?;
        }
        driver.call(
            || Doing::Connect,
            driver.functions.connection_init,
            // SAFETY: the driver made both structs; the database's turn is ours.
            |init, error| unsafe { init(connection.raw.get(), database.raw.get(), error) },
        )?;
        Ok(Arc::new(connection))
    }

    pub(super) fn driver(&self) -> &DriverHandle {
        &self.database.driver
    }

    /// Keeps in mind that a call failed.
    pub(crate) fn noted<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    pub(crate) fn set_option(
        &self,
        doing: impl Fn() -> Doing,
        name: &str,
        value: &str,
    ) -> Result<(), Error> {
        let _turn = lock(&self.turn);
        let name = text(name, &doing, "the option's name")?;
        let value = text(value, &doing, "the option's value")?;
        self.driver().call(
            doing,
            self.driver().functions.connection_set_option,
            // SAFETY: both texts live through the call, and the turn is ours.
            |set, error| unsafe { set(self.raw.get(), name.as_ptr(), value.as_ptr(), error) },
        )
    }

    pub(crate) fn commit(&self) -> Result<(), Error> {
        let _turn = lock(&self.turn);
        self.driver().call(
            || Doing::Commit,
            self.driver().functions.connection_commit,
            // SAFETY: the turn is ours.
            |commit, error| unsafe { commit(self.raw.get(), error) },
        )
    }

    pub(crate) fn rollback(&self) -> Result<(), Error> {
        let _turn = lock(&self.turn);
        self.driver().call(
            || Doing::Rollback,
            self.driver().functions.connection_rollback,
            // SAFETY: the turn is ours.
            |rollback, error| unsafe { rollback(self.raw.get(), error) },
        )
    }

    pub(crate) fn table_schema(
        &self,
        catalog: Option<&str>,
        schema: Option<&str>,
        table: &str,
    ) -> Result<Schema, Error> {
        let _turn = lock(&self.turn);
        let doing = || Doing::TableSchema(table.to_owned());
        let catalog = catalog.map(|name| text(name, doing, "the catalog's name"));
        let schema = schema.map(|name| text(name, doing, "the schema's name"));
        let (catalog, schema) = (catalog.transpose()?, schema.transpose()?);
        let name = text(table, doing, "the table's name")?;
        let mut columns = FFI_ArrowSchema::empty();
        self.driver().call(
            doing,
            self.driver().functions.connection_get_table_schema,
            // SAFETY: the texts live through the call, `columns` is empty, and the turn is ours.
            |get, error| unsafe {
                get(
                    self.raw.get(),
                    pointer(catalog.as_ref()),
                    pointer(schema.as_ref()),
                    name.as_ptr(),
                    &mut columns,
                    error,
                )
            },
        )?;
        check::schema(&columns, doing)
    }

    /// What the driver says of itself, for [`INFO_CODES`].
    pub(crate) fn info(self: &Arc<Self>) -> Result<Stream, Error> {
        let turn = lock(&self.turn);
        let mut stream = FFI_ArrowArrayStream::empty();
        self.driver().call(
            || Doing::Info,
            self.driver().functions.connection_get_info,
            // SAFETY: the codes live through the call, `stream` is empty, and the turn is ours.
            |get, error| unsafe {
                get(
                    self.raw.get(),
                    INFO_CODES.as_ptr(),
                    INFO_CODES.len(),
                    &mut stream,
                    error,
                )
            },
        )?;
        drop(turn);
        Stream::open(stream, Arc::clone(self), || Doing::Info)
    }

    /// Cancels the statement that there is, or else what the connection does. From any thread.
    pub(crate) fn cancel(&self) -> Result<(), Error> {
        let functions = &self.driver().functions;
        if !self.driver().extended {
            return Err(missing(Doing::Cancel));
        }
        // Held through the call: the statement cannot be released meanwhile.
        let current = lock(&self.current);
        match &*current {
            Some(Current(statement)) => self.driver().call(
                || Doing::Cancel,
                functions.statement_cancel,
                // SAFETY: a statement leaves `current` before its release, and cancelling may run beside
                // any other call.
                |cancel, error| unsafe { cancel(*statement, error) },
            ),
            None => self.driver().call(
                || Doing::Cancel,
                functions.connection_cancel,
                // SAFETY: cancelling may run beside any other call, and `self` keeps the connection.
                |cancel, error| unsafe { cancel(self.raw.get(), error) },
            ),
        }
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        if self.in_transaction.load(Ordering::Relaxed) {
            // What a driver does with an open transaction at the end is not said anywhere.
            let _ = self.rollback();
        }
        let _ = self.driver().call(
            || Doing::Connect,
            self.driver().functions.connection_release,
            // SAFETY: statements and results hold the connection, so there are none left.
            |release, error| unsafe { release(self.raw.get(), error) },
        );
    }
}
