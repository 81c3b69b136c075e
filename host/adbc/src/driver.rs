//! Drivers and the databases that they open.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::connection::Connection;
use crate::error::Error;
use crate::ffi::{ConnectionHandle, DatabaseHandle, DriverHandle};
use crate::options::OptionValue;

/// A driver's library, loaded and started. Clones are the same driver.
#[derive(Clone)]
pub struct Driver {
    handle: Arc<DriverHandle>,
}

impl Driver {
    /// Loads a library and starts the driver in it, for ADBC 1.1 or else 1.0.
    ///
    /// A path of one name only is looked up as the system's loader does. Without an `entry_point` the
    /// function that starts the driver is looked for under the names that are usual for the file, then
    /// `AdbcDriverInit`. The library stays loaded until the process ends.
    ///
    /// **A driver is native code that may do whatever this process may.** Load none that you would not run.
    ///
    /// # Errors
    ///
    /// [`What::LibraryNotFound`](crate::What::LibraryNotFound), [`What::LibraryUnusable`](crate::What::LibraryUnusable), [`What::NoEntryPoint`](crate::What::NoEntryPoint),
    /// [`What::DriverUnusable`](crate::What::DriverUnusable).
    pub fn load(path: impl AsRef<Path>, entry_point: Option<&str>) -> Result<Driver, Error> {
        let handle = DriverHandle::load(path.as_ref(), entry_point)?;
        Ok(Driver { handle })
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

/// A database that a driver opened. Clones are the same database; connections keep it open.
#[derive(Clone)]
pub struct Database {
    handle: Arc<DatabaseHandle>,
}

impl Database {
    /// Opens a database. Which options there are, and in which order they are to be set, is the driver's
    /// to say; most know `uri`, `username` and `password`, DuckDB's `path`.
    ///
    /// # Errors
    ///
    /// [`What::OptionRefused`](crate::What::OptionRefused) with the option's name, [`What::CannotConnect`](crate::What::CannotConnect), [`What::Unauthorised`](crate::What::Unauthorised).
    pub fn open(driver: &Driver, options: &[(String, OptionValue)]) -> Result<Database, Error> {
        let handle = DatabaseHandle::open(Arc::clone(&driver.handle), options)?;
        Ok(Database { handle })
    }

    /// A new connection. Connections of one database may be used at once.
    ///
    /// # Errors
    ///
    /// [`What::CannotConnect`](crate::What::CannotConnect), [`What::Unauthorised`](crate::What::Unauthorised).
    pub fn connect(&self) -> Result<Connection, Error> {
        self.connect_with(&[])
    }

    /// A new connection with options of its own, which are texts.
    ///
    /// # Errors
    ///
    /// As [`connect`](Database::connect), and [`What::OptionRefused`](crate::What::OptionRefused).
    pub fn connect_with(&self, options: &[(String, String)]) -> Result<Connection, Error> {
        let handle = ConnectionHandle::connect(Arc::clone(&self.handle), options)?;
        Ok(Connection::of(handle))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database")
    }
}
