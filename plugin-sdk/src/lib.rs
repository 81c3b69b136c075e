//! What a Rust author of a Weir plugin depends on.
//!
//! A plugin is a type that implements one trait, and one line that exports it. It takes and gives
//! Arrow record batches; a row that it cannot take, it rejects with a rule and a message. The same
//! code is tested natively and runs as a WebAssembly component:
//!
//! ```
//! use std::sync::Arc;
//! use weir_plugin::prelude::*;
//!
//! /// Types the raw `claims` table.
//! struct Claims {
//!     input: usize,
//!     output: SchemaRef,
//! }
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     /// The column that holds the amount paid.
//!     amount: String,
//! }
//!
//! const BAD_AMOUNT: Rule = Rule {
//!     name: "bad_amount",
//!     description: "An amount is a decimal with at most two digits after the point.",
//! };
//!
//! impl Transform for Claims {
//!     type Config = Config;
//!
//!     const INFO: Info = Info {
//!         name: "claims",
//!         version: env!("CARGO_PKG_VERSION"),
//!         description: "Types the raw claims table.",
//!         columns: &[],
//!         rules: &[BAD_AMOUNT],
//!     };
//!
//!     fn bind(config: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
//!         let input = context.positions(&[&config.amount])?[0];
//!         let amount = Field::new(config.amount, DataType::Decimal128(12, 2), true);
//!         let output = Arc::new(Schema::new(vec![amount]));
//!         Ok((Self { input, output: output.clone() }, Output::only(output)))
//!     }
//!
//!     fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
//!         let amounts = kernels::parse_decimal(rows.column(self.input).as_string(), 12, 2)?;
//!         out.reject_rows(&amounts.invalid, &BAD_AMOUNT, "the amount is no decimal(12, 2)");
//!         out.emit(&RecordBatch::try_new(self.output.clone(), vec![Arc::new(amounts.array)])?);
//!         Ok(())
//!     }
//! }
//!
//! weir_plugin::export_transform!(Claims);
//!
//! // In a `#[test]`:
//! use weir_plugin::arrow::array::{ArrayRef, Decimal128Array, StringArray};
//! use weir_plugin::testing::{Balance, Harness};
//!
//! let paid: ArrayRef = Arc::new(StringArray::from(vec!["260.00", "n/a", "-12.5"]));
//! let batch = RecordBatch::try_from_iter([("paid", paid)])?;
//! let outcome = Harness::new(r#"{ "amount": "paid" }"#).transform::<Claims>(&[batch])?;
//!
//! assert_eq!(outcome.rejected("bad_amount"), [1]);
//! assert_eq!(outcome.balance(), Balance { read: 3, accepted: 2, rejected: 1, dropped: 0 });
//! let expected = Decimal128Array::from(vec![26000, -1250]).with_precision_and_scale(12, 2)?;
//! assert_eq!(outcome.output("out").unwrap().column(0).as_primitive(), &expected);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate's `Cargo.toml` asks for `crate-type = ["cdylib"]`, depends on `weir-plugin` and on
//! `serde` (for its derive macro), and `cargo build --release --target wasm32-wasip2` makes the
//! component.
//!
//! # Map
//! - [`Transform`], [`Check`], [`Decoder`], [`Source`], [`Fold`]: what a plugin can be, each with what it speaks
//!   through ([`Emitter`], [`Verdict`], [`Rows`], [`Page`]) and its export macro.
//! - [`Info`], [`Rule`]: what it says of itself; [`Context`], [`Output`]: what it is told and
//!   what it promises; [`Error`]: why it cannot go on.
//! - [`rows`]: rows as structs, read and made by derived code, and transforms written for one row.
//! - [`kernels`]: trimming, parsing and judging whole columns, fast in the sandbox.
//! - [`SideInputs`]: small reference tables, handed to a plugin before its first batch.
//! - [`log`], [`metric`], [`secret`]: a line in its log, an addition to a counter, a granted secret.
//! - [`http`]: requests of a source to what its step grants (feature `http`).
//! - [`testing`]: runs a plugin natively under the contract's rules.
//!
//! Components use an allocator of the SDK's (`memory`, private), made for many short strings. A plugin
//! that brings its own turns the default feature `allocator` off. The default feature `derive` brings the
//! macros of [`rows`].
//!
//! The contract itself is `wit/0.1`; `wire` (private) carries batches across as Arrow buffers.

#[cfg(test)]
extern crate self as weir_plugin;

#[doc(hidden)]
pub mod bindings;
mod check;
mod config;
mod context;
mod decoder;
mod error;
mod export;
mod fold;
#[doc(hidden)]
pub mod guest;
mod host;
#[cfg(any(feature = "http", not(target_family = "wasm")))]
pub mod http;
mod info;
pub mod kernels;
#[cfg(any(test, all(target_family = "wasm", feature = "allocator")))]
#[expect(unsafe_code, reason = "an allocator hands out raw memory")]
mod memory;
mod rejections;
pub mod rows;
mod side_inputs;
mod source;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod transform;
mod wire;

/// Components allocate with it, unless the feature `allocator` is off.
#[cfg(all(target_family = "wasm", feature = "allocator"))]
#[global_allocator]
static ALLOCATOR: memory::Bins = memory::Bins::new();

pub use arrow;
pub use schemars;
pub use serde;
pub use serde_json;

pub use check::{Check, Verdict};
pub use context::{Context, Output, Run, SideInput};
pub use decoder::{Decoder, Rows};
pub use error::Error;
pub use fold::Fold;
pub use host::{Level, log, metric, secret};
pub use info::{Info, Rule};
pub use side_inputs::SideInputs;
pub use source::{Page, Progress, Source, Stream};
pub use transform::{Emitter, Transform};

/// What nearly every plugin uses.
pub mod prelude {
    pub use arrow::array::{Array, ArrayRef, AsArray};
    pub use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
    pub use arrow::record_batch::RecordBatch;
    pub use schemars::{self, JsonSchema};
    pub use serde::Deserialize;

    pub use crate::rows::{ByRow, FromRow, IntoRow, Rejection, RowTransform};
    pub use crate::{
        Check, Context, Decoder, Emitter, Error, Fold, Info, Output, Page, Progress, Rows, Rule,
        Run, SideInputs, Source, Stream, Transform, Verdict,
    };
    pub use crate::{kernels, log, metric};
}
