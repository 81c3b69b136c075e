//! The crate with DuckDB's driver.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports"
)]
#![allow(
    unreachable_pub,
    reason = "the library's place is found as a library of tests would do it"
)]

mod connection;
mod driver;
#[path = "../../../../tests/src/duckdb.rs"]
mod duckdb;
mod errors;
mod ingest;
mod kills;
mod loads;
mod round_trip;
mod rows;
