//! The harness of the whole-system tests: a folder for each test, the built `weir` run in it as a
//! user would, and what the lake and the warehouse hold afterwards.
//!
//! - [`Scene`]: a test's folder, its lake, and commands in it.
//! - [`Ended`]: how a command ended, with what it printed.
//! - [`Contents`]: everything the tables of a lake and a warehouse hold, to compare.
//! - [`Postgres`], [`MariaDb`]: real servers on this machine; [`DynamoDb`]: one that does what DynamoDB does.
//! - [`azurite`]: a server of Azure's protocol for blobs.
//! - [`Web`]: a web server that answers as the test says.
//! - [`Registry`]: a real OCI registry on this machine.
//! - [`built`]: where the binary, the plugins and the guests lie.
//! - [`csv`]: plain CSV files, read without the code under test.
//!
//! ```no_run
//! use weir_tests::{Scene, built};
//!
//! let scene = Scene::new();
//! scene.file("in/a.csv", "id\n1\n");
//! scene.run(&built::pipeline("synpuf"), &[("landing", "in")]).expect_code(1);
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports"
)]

pub mod azurite;
pub mod built;
mod contents;
pub mod csv;
mod duckdb;
mod dynamodb;
mod ended;
mod mariadb;
mod postgres;
mod registry;
mod scene;
mod timed;
mod web;

pub use contents::{CommitLog, Contents, commit_logs};
pub use duckdb::library as duckdb_library;
pub use dynamodb::{DynamoDb, REGION as DYNAMODB_REGION};
pub use ended::Ended;
pub use mariadb::{MariaDb, PASSWORD as MARIADB_PASSWORD};
pub use postgres::{PASSWORD as POSTGRES_PASSWORD, Postgres};
pub use registry::{Pushed, Registry, sha256};
pub use scene::{Running, Scene};
pub use timed::{timed, try_timed};
pub use web::{Answered, Asked, Web};
