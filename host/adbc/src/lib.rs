//! Warehouses through their ADBC drivers: queries, loads, and loads that happen once.
//!
//! ADBC is Arrow's API of database drivers: shared libraries that take SQL and give and take record
//! batches. This crate loads such a library and calls it; calls block. It knows nothing of pipelines.
//!
//! | module | holds |
//! |---|---|
//! | `driver` | [`Driver`] → [`Database`] |
//! | `connection` | [`Connection`], [`Canceller`], [`Info`]: statements, transactions |
//! | `rows` | [`Rows`], [`Prepared`]: results, and statements that are run more than once |
//! | `ingest` | [`Connection::ingest`]: rows into a table |
//! | `load` | [`load()`]: rows, a ledger and one transaction |
//! | `types` | [`create_table_sql`]: the SQL types that keep Arrow's |
//! | `vendor` | [`Vendor`], [`Table`], [`quote_identifier`]: how databases differ |
//! | `options` | [`OptionValue`]: what may be a secret |
//! | `watch` | rows on their way to a driver |
//! | `error`, `classify` | [`Error`]: what is wrong, without the driver's words |
//! | `ffi` | the C API, and all `unsafe` |
//!
//! A connection is used by one thread at a time; several connections of a database at once. What a driver
//! says in its own words may quote values: [`Error`] keeps it apart.
//!
//! ```
//! use arrow::datatypes::{DataType, Field, Schema};
//! use weir_adbc::{Driver, Table, Vendor, What, create_table_sql};
//!
//! let schema = Schema::new(vec![
//!     Field::new("id", DataType::Int64, false),
//!     Field::new("it's \"quoted\"", DataType::Decimal128(12, 2), true),
//! ]);
//! let sql = create_table_sql(Vendor::DuckDb, &Table::from("claims"), &schema)?;
//! assert_eq!(
//!     sql,
//!     r#"CREATE TABLE IF NOT EXISTS "claims" ("id" BIGINT NOT NULL, "it's ""quoted""" DECIMAL(12, 2))"#
//! );
//!
//! let error = Driver::load("/nowhere/libduckdb.so", None).unwrap_err();
//! assert!(matches!(error.what(), What::LibraryNotFound { .. }));
//! assert_eq!(
//!     error.to_string(),
//!     "cannot load the ADBC driver: there is no library /nowhere/libduckdb.so"
//! );
//! # Ok::<(), weir_adbc::Error>(())
//! ```
//!
//! With a driver:
//!
//! ```no_run
//! use weir_adbc::{Database, Driver};
//!
//! let driver = Driver::load("/usr/lib/libduckdb.so", None)?;
//! let database = Database::open(&driver, &[("path".to_owned(), "claims.duckdb".into())])?;
//! let mut connection = database.connect()?;
//! for batch in connection.query("select * from claims", None)? {
//!     println!("{} rows", batch?.num_rows());
//! }
//! # Ok::<(), weir_adbc::Error>(())
//! ```

mod classify;
mod connection;
mod driver;
mod error;
mod ffi;
mod ingest;
mod load;
mod options;
mod rows;
mod types;
mod vendor;
mod watch;

pub use connection::{Canceller, Connection, Info};
pub use driver::{Database, Driver};
pub use error::{Error, Status, What};
pub use ingest::{Ingest, Mode, STAGING_PREFIX};
pub use load::{Load, Merge, Outcome, Via, load, loaded};
pub use options::OptionValue;
pub use rows::{Prepared, Rows, RowsReader};
pub use types::{column_type, create_table_sql};
pub use vendor::{Table, Vendor, quote_identifier, quote_text};
