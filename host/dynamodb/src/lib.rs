//! Items of DynamoDB tables and of their exports, as ordinary JSON text.
//!
//! DynamoDB tags each value with its type (`{"n":{"N":"1"}}`). Everything after this crate sees plain
//! JSON (`{"n":1}`), a line for each item: from the lines of an export ([`ExportLines`]) or from a
//! running table ([`Client::scan`]). Both give the same bytes for the same item.
//!
//! | module | holds |
//! |---|---|
//! | `plain` | how strings, numbers and bytes are written as JSON |
//! | `export` | [`ExportLines`]: a line of an export → JSON; knows nothing of AWS's client |
//! | `fault` | [`Wrong`] and [`Fault`]: why something is no item, and where, without the value |
//! | `item` | [`item_json`]: an item as the client gives it → JSON |
//! | `settings` | [`Settings`], [`Credentials`], [`Retry`]: how a client connects |
//! | `client` | [`Client`]: connects, describes a table ([`Table`]), asks again after failures |
//! | `attempts` | which failures are tried again, how often, and after what time |
//! | `reply` | no reply is read without a bound |
//! | `scan` | [`ScanSpec`] → [`Pages`] of one segment of a table |
//! | `rate` | [`RateLimit`]: what all segments of a scan may use together |
//! | `error` | [`Error`] |
//!
//! ```
//! use weir_dynamodb::ExportLines;
//!
//! let mut json = Vec::new();
//! let line = br#"{"Item":{"paid":{"N":"12.50"},"id":{"S":"a"},"tags":{"SS":["x","y"]}}}"#;
//! ExportLines::new().convert(line, &mut json)?;
//! assert_eq!(json, br#"{"id":"a","paid":12.50,"tags":["x","y"]}"#);
//! # Ok::<(), weir_dynamodb::Fault>(())
//! ```
//!
//! A table is read in segments, each a stream of its own, which may share a limit:
//!
//! ```no_run
//! use futures::TryStreamExt;
//! use weir_dynamodb::{Client, Credentials, RateLimit, ScanSpec, Settings};
//!
//! # async fn read() -> Result<(), weir_dynamodb::Error> {
//! let client = Client::connect(Settings::new("eu-north-1", Credentials::Chain)).await?;
//! let limit = RateLimit::new(200.0)?;
//! for segment in 0..4 {
//!     let spec = ScanSpec { segments: 4, segment, ..ScanSpec::of("orders") };
//!     let mut pages = client.scan(spec, Some(limit.clone()))?;
//!     while let Some(page) = pages.try_next().await? {
//!         println!("{} items, {} bytes", page.items, page.lines.len());
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod attempts;
mod client;
mod error;
mod export;
mod fault;
mod item;
mod plain;
mod rate;
mod reply;
mod scan;
mod settings;

/// An attribute's value as AWS's client gives it: what [`item_json`] takes.
pub use aws_sdk_dynamodb::types::AttributeValue;
pub use client::{Billing, Client, KeyAttribute, KeyRole, KeyType, Table, TableStatus};
pub use error::{BoxError, Error, Result};
pub use export::ExportLines;
pub use fault::{Fault, Wrong};
pub use item::item_json;
pub use plain::DEEPEST;
pub use rate::RateLimit;
pub use scan::{Page, Pages, ScanSpec};
pub use settings::{Credentials, Retry, Settings};
