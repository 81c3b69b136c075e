//! The one module that calls drivers, and so the one with `unsafe`.
//!
//! What is kept here, and relied upon by the `SAFETY` comments:
//!
//! - A library is never unloaded: functions of a driver may be called as long as the process lives, by
//!   batches that outlive their connection too.
//! - A struct that a driver filled in is in a place that does not move, is released once, by the `Drop`
//!   of its handle, and only after all that was made from it: a statement holds its connection, a
//!   connection its database, a database its driver.
//! - ADBC allows one call at a time on a connection and all that belongs to it, from any thread, but for
//!   cancelling. The lock `ConnectionHandle::turn` sees to it.
//! - What a driver hands over is looked at before it is used (`check`): null pointers, counts, offsets,
//!   text that is no UTF-8. That a pointer which is not null points to as much as the driver says
//!   cannot be checked in C.

#![allow(unsafe_code)]

mod abi;
mod check;
mod connection;
mod database;
mod driver;
mod statement;
mod stream;
#[cfg(test)]
mod tests;

use std::ffi::{CString, c_char};
use std::ptr::null;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Doing, Error, What};

pub(crate) use connection::ConnectionHandle;
pub(crate) use database::DatabaseHandle;
pub(crate) use driver::DriverHandle;
pub(crate) use statement::StatementHandle;
pub(crate) use stream::Stream;

/// A text for C.
fn text(text: &str, doing: impl FnOnce() -> Doing, of: &'static str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::new(doing(), What::NulInText { of }))
}

fn pointer(text: Option<&CString>) -> *const c_char {
    text.map_or(null(), |text| text.as_ptr())
}

/// A lock whose holder panicked has protected nothing that could be half done: calls are whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
