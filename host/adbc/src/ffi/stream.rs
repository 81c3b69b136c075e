//! Results of a driver as record batches.

use std::ffi::CStr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow::array::ffi_stream::FFI_ArrowArrayStream;
use arrow::datatypes::SchemaRef;

use super::connection::ConnectionHandle;
use super::driver::read;
use super::{abi, check, lock};
use crate::error::{Doing, Error, Failure, What};

/// A result that a driver gives batch by batch. Whatever made it must outlive it.
pub(crate) struct Stream {
    /// In a place of its own: drivers may keep its address.
    raw: Box<FFI_ArrowArrayStream>,
    schema: SchemaRef,
    done: bool,
    connection: Arc<ConnectionHandle>,
}

impl Stream {
    pub(super) fn open(
        stream: FFI_ArrowArrayStream,
        connection: Arc<ConnectionHandle>,
        doing: impl Fn() -> Doing,
    ) -> Result<Stream, Error> {
        let fault = |fault| Error::new(doing(), What::DriverFault { fault });
        if stream.release.is_none() {
            return Err(fault("it gave no result and no error"));
        }
        let mut opened = Stream {
            raw: Box::new(stream),
            schema: SchemaRef::new(arrow::datatypes::Schema::empty()),
            done: false,
            connection,
        };
        let Some(get_schema) = opened.raw.get_schema else {
            return Err(fault("its result has no function for the schema"));
        };
        if opened.raw.get_next.is_none() {
            return Err(fault("its result has no function for batches"));
        }
        let mut schema = FFI_ArrowSchema::empty();
        let turn = lock(&opened.connection.turn);
        // SAFETY: the stream was not released, and `schema` is empty; the turn is ours.
        let code = unsafe { get_schema(&mut *opened.raw, &mut schema) };
        drop(turn);
        if code != 0 {
            return Err(opened.failure(code, &doing));
        }
        opened.schema = SchemaRef::new(check::schema(&schema, &doing)?);
        Ok(opened)
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next batch. After an error there is none.
    pub(crate) fn next(&mut self, doing: impl Fn() -> Doing) -> Option<Result<RecordBatch, Error>> {
        if self.done {
            return None;
        }
        let next = self.batch(&doing);
        let next = self.connection.noted(next).transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }

    fn batch(&mut self, doing: &impl Fn() -> Doing) -> Result<Option<RecordBatch>, Error> {
        let Some(get_next) = self.raw.get_next else {
            return Ok(None);
        };
        let mut array = FFI_ArrowArray::empty();
        let turn = lock(&self.connection.turn);
        // SAFETY: the stream was not released, and `array` is empty; the turn is ours.
        let code = unsafe { get_next(&mut *self.raw, &mut array) };
        drop(turn);
        if code != 0 {
            return Err(self.failure(code, doing));
        }
        if array.is_released() {
            return Ok(None);
        }
        check::batch(array, &self.schema, doing).map(Some)
    }

    /// Why a function of the stream failed.
    fn failure(&mut self, code: i32, doing: &impl Fn() -> Doing) -> Error {
        let connection = Arc::clone(&self.connection);
        let _turn = lock(&connection.turn);
        let message = self.raw.get_last_error.and_then(|last_error| {
            // SAFETY: the stream was not released, and its last call failed, as the function needs it.
            let message = unsafe { last_error(&mut *self.raw) };
            (!message.is_null()).then(|| {
                // SAFETY: a message that is not null ends with a NUL, and lives until the next call.
                let message = unsafe { CStr::from_ptr(message) };
                message.to_string_lossy().into_owned()
            })
        });
        let driver = connection.driver();
        let mut failure = None;
        if let Some(error_of) = driver
            .functions
            .error_from_array_stream
            .filter(|_| driver.extended)
        {
            let mut status = abi::OK;
            // SAFETY: the stream is one of this driver's, and was not released.
            let error = unsafe { error_of(&mut *self.raw, &mut status) };
            // SAFETY: by ADBC an error that is not null lives until the stream's release; it stays the
            // driver's own.
            failure = unsafe { error.as_ref() }.map(|error| read(status, error));
        }
        let mut failure = failure
            .filter(|failure| failure.status != abi::OK)
            .unwrap_or_else(|| Failure {
                status: status_of(code),
                ..Failure::default()
            });
        if failure.message.is_none() {
            failure.message = message;
        }
        Error::of(doing(), failure)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _turn = lock(&self.connection.turn);
        if let Some(release) = self.raw.release {
            // SAFETY: the stream was not released; the turn is ours.
            unsafe { release(&mut *self.raw) };
            // Whatever the driver left there, it is released once.
            self.raw.release = None;
        }
    }
}

/// ADBC's status for a number of `errno`, as Linux and others have them: these are the same everywhere.
fn status_of(errno: i32) -> u8 {
    match errno {
        2 => 3,   // ENOENT: not found
        5 => 10,  // EIO
        13 => 14, // EACCES: unauthorized
        22 => 5,  // EINVAL: an argument
        _ if errno == ECANCELED => 11,
        _ => 1,
    }
}

/// The number of `errno` for what was cancelled.
const ECANCELED: i32 = if cfg!(target_os = "macos") { 89 } else { 125 };
