//! DuckDB's driver.

use std::path::Path;
use std::sync::OnceLock;

use weir_adbc::{Connection, Database, Driver, OptionValue};

pub(crate) use crate::duckdb::library;

/// The driver, loaded once.
pub(crate) fn driver() -> &'static Driver {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    DRIVER.get_or_init(|| Driver::load(library(), None).expect("DuckDB's driver"))
}

pub(crate) fn option(name: &str, value: &str) -> (String, OptionValue) {
    (name.to_owned(), value.into())
}

/// A database in memory, of this connection only.
pub(crate) fn memory() -> Connection {
    let database = Database::open(driver(), &[]).expect("a database");
    database.connect().expect("a connection")
}

/// A database in a file.
pub(crate) fn file(path: &Path) -> Database {
    let path = path.to_str().expect("a path in UTF-8");
    Database::open(driver(), &[option("path", path)]).expect("a database")
}
