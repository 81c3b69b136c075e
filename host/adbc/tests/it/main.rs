//! The crate with DuckDB's driver.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports"
)]

mod connection;
mod driver;
mod errors;
mod ingest;
mod kills;
mod loads;
mod round_trip;
mod rows;
