//! A statement.

use std::cell::UnsafeCell;
use std::sync::Arc;

use arrow::array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow::array::ffi_stream::FFI_ArrowArrayStream;
use arrow::array::{Array, RecordBatch, RecordBatchReader, StructArray};

use super::connection::{ConnectionHandle, Current};
use super::driver::DriverHandle;
use super::{Stream, abi, lock, text};
use crate::error::{Doing, Error, What};

/// A statement. A connection has one at a time: what makes them borrows the connection.
pub(crate) struct StatementHandle {
    raw: Box<UnsafeCell<abi::Statement>>,
    connection: Arc<ConnectionHandle>,
}

// SAFETY: a statement may be used from any thread, one call at a time, which its connection's turn sees to.
unsafe impl Send for StatementHandle {}

impl StatementHandle {
    pub(crate) fn new(
        connection: Arc<ConnectionHandle>,
        doing: impl FnOnce() -> Doing,
    ) -> Result<StatementHandle, Error> {
        let turn = lock(&connection.turn);
        let raw = Box::new(UnsafeCell::new(abi::Statement {
            private_data: std::ptr::null_mut(),
            private_driver: connection.driver().pointer(),
        }));
        connection.driver().call(
            doing,
            connection.driver().functions.statement_new,
            // SAFETY: the struct is empty, as the function needs it, and the turn is ours.
            |new, error| unsafe { new(connection.raw.get(), raw.get(), error) },
        )?;
        drop(turn);
        *lock(&connection.current) = Some(Current(raw.get()));
        Ok(StatementHandle { raw, connection })
    }

    fn driver(&self) -> &DriverHandle {
        self.connection.driver()
    }

    pub(crate) fn set_sql(&self, doing: impl Fn() -> Doing, sql: &str) -> Result<(), Error> {
        let _turn = lock(&self.connection.turn);
        let sql = text(sql, &doing, "the statement")?;
        self.driver().call(
            doing,
            self.driver().functions.statement_set_sql_query,
            // SAFETY: the text lives through the call, and the turn is ours.
            |set, error| unsafe { set(self.raw.get(), sql.as_ptr(), error) },
        )
    }

    pub(crate) fn set_option(
        &self,
        doing: impl Fn() -> Doing,
        name: &str,
        value: &str,
    ) -> Result<(), Error> {
        let _turn = lock(&self.connection.turn);
        let name = text(name, &doing, "the option's name")?;
        let value = text(value, &doing, "the option's value")?;
        self.driver().call(
            doing,
            self.driver().functions.statement_set_option,
            // SAFETY: both texts live through the call, and the turn is ours.
            |set, error| unsafe { set(self.raw.get(), name.as_ptr(), value.as_ptr(), error) },
        )
    }

    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let _turn = lock(&self.connection.turn);
        let prepared = self.driver().call(
            || Doing::Prepare,
            self.driver().functions.statement_prepare,
            // SAFETY: the turn is ours.
            |prepare, error| unsafe { prepare(self.raw.get(), error) },
        );
        self.connection.noted(prepared)
    }

    pub(crate) fn bind(&self, parameters: RecordBatch) -> Result<(), Error> {
        let _turn = lock(&self.connection.turn);
        let rows = StructArray::from(parameters).to_data();
        let mut schema = FFI_ArrowSchema::try_from(rows.data_type()).map_err(|error| {
            Error::new(
                Doing::Bind,
                What::CannotConvert {
                    column: None,
                    data_type: None,
                },
            )
            .because(error)
        })?;
        let mut array = FFI_ArrowArray::new(&rows);
        self.driver().call(
            || Doing::Bind,
            self.driver().functions.statement_bind,
            // SAFETY: the driver takes array and schema over by leaving them released, else they are
            // released here; the turn is ours.
            |bind, error| unsafe { bind(self.raw.get(), &mut array, &mut schema, error) },
        )
    }

    pub(crate) fn bind_stream(
        &self,
        doing: impl FnOnce() -> Doing,
        rows: Box<dyn RecordBatchReader + Send>,
    ) -> Result<(), Error> {
        let _turn = lock(&self.connection.turn);
        let mut stream = FFI_ArrowArrayStream::new(rows);
        self.driver().call(
            doing,
            self.driver().functions.statement_bind_stream,
            // SAFETY: the driver takes the stream over by leaving it released, else it is released here;
            // the turn is ours.
            |bind, error| unsafe { bind(self.raw.get(), &mut stream, error) },
        )
    }

    /// Runs the statement for its effect: how many rows it changed, where the driver says so.
    pub(crate) fn execute(&self, doing: impl FnOnce() -> Doing) -> Result<Option<u64>, Error> {
        let _turn = lock(&self.connection.turn);
        let mut rows = -1;
        let executed = self.driver().call(
            doing,
            self.driver().functions.statement_execute_query,
            // SAFETY: ADBC takes a null for the results, which are then dropped; the turn is ours.
            |execute, error| unsafe {
                execute(self.raw.get(), std::ptr::null_mut(), &mut rows, error)
            },
        );
        self.connection.noted(executed)?;
        Ok(u64::try_from(rows).ok())
    }

    /// Runs the statement for its result.
    pub(crate) fn query(&self, doing: impl FnOnce() -> Doing) -> Result<Stream, Error> {
        let turn = lock(&self.connection.turn);
        let mut stream = FFI_ArrowArrayStream::empty();
        let mut rows = -1;
        let executed = self.driver().call(
            doing,
            self.driver().functions.statement_execute_query,
            // SAFETY: `stream` is empty, and the turn is ours.
            |execute, error| unsafe { execute(self.raw.get(), &mut stream, &mut rows, error) },
        );
        drop(turn);
        self.connection.noted(executed)?;
        Stream::open(stream, Arc::clone(&self.connection), || Doing::Fetch)
    }
}

impl Drop for StatementHandle {
    fn drop(&mut self) {
        // First, so that nobody cancels what is no more. It waits for one who does.
        *lock(&self.connection.current) = None;
        let _turn = lock(&self.connection.turn);
        let _ = self.driver().call(
            || Doing::Execute,
            self.driver().functions.statement_release,
            // SAFETY: results hold the statement, so there are none left, and the turn is ours.
            |release, error| unsafe { release(self.raw.get(), error) },
        );
    }
}
