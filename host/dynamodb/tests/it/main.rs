//! Exports, a client against a server that answers what a test wants, and one against moto.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports"
)]
#![allow(
    unreachable_pub,
    reason = "the servers are written as a library of tests would have them"
)]

mod agreement;
mod client;
#[path = "../../../../tests/src/dynamodb.rs"]
mod dynamodb;
mod export;
mod moto;
mod server;
