//! Rows as structs, for authors who think in rows.
//!
//! A [`RowTransform`] takes one row and says what becomes of it; an error rejects the row.
//! [`ByRow`] makes it a plugin:
//!
//! ```
//! use weir_plugin::prelude::*;
//! use weir_plugin::rows::{Date, Decimal, MISSING_VALUE};
//!
//! /// A row of the raw table: text borrowed from the batch.
//! #[derive(FromRow)]
//! #[row(rename_all = "SCREAMING_SNAKE_CASE")]
//! struct RawClaim<'a> {
//!     clm_id: i64,
//!     #[row(rename = "CLM_FROM_DT")]
//!     begins: Option<&'a str>,
//!     paid: &'a str,
//! }
//!
//! /// A row of the typed one. An `Option` is a column that may be null.
//! #[derive(IntoRow)]
//! struct Claim {
//!     id: i64,
//!     begins: Option<Date>,
//!     paid: Decimal<12, 2>,
//! }
//!
//! struct Claims;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Config {}
//!
//! const BAD_DATE: Rule = Rule { name: "bad_date", description: "A date is written yyyy-mm-dd." };
//! const BAD_AMOUNT: Rule = Rule { name: "bad_amount", description: "An amount is a decimal(12,2)." };
//!
//! impl RowTransform for Claims {
//!     type Config = Config;
//!     type Input<'a> = RawClaim<'a>;
//!     type Output<'a> = Option<Claim>;
//!
//!     const INFO: Info = Info {
//!         name: "claims",
//!         version: env!("CARGO_PKG_VERSION"),
//!         description: "Types the raw claims table.",
//!         columns: RawClaim::COLUMNS,
//!         rules: &[BAD_DATE, BAD_AMOUNT, MISSING_VALUE],
//!     };
//!
//!     fn bind(_: Config, _: &Context) -> Result<Self, Error> {
//!         Ok(Self)
//!     }
//!
//!     fn row(&self, raw: RawClaim<'_>) -> Result<Option<Claim>, Rejection> {
//!         if raw.paid.is_empty() {
//!             return Ok(None); // The row is dropped.
//!         }
//!         let begins = raw.begins.map(str::parse).transpose();
//!         Ok(Some(Claim {
//!             id: raw.clm_id,
//!             begins: begins.map_err(|_| Rejection::new(&BAD_DATE, "CLM_FROM_DT is no date"))?,
//!             paid: raw.paid.parse().map_err(|_| Rejection::new(&BAD_AMOUNT, "PAID is no amount"))?,
//!         }))
//!     }
//! }
//!
//! weir_plugin::export_transform!(ByRow<Claims>);
//!
//! // In a `#[test]`:
//! use std::sync::Arc;
//! use weir_plugin::arrow::array::{Int64Array, StringArray};
//! use weir_plugin::testing::Harness;
//!
//! let batch = RecordBatch::try_from_iter([
//!     ("CLM_ID", Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(4)])) as ArrayRef),
//!     ("CLM_FROM_DT", Arc::new(StringArray::from(vec![Some("2010-03-12"), None, None, None]))),
//!     ("PAID", Arc::new(StringArray::from(vec!["260.00", "n/a", "1", ""]))),
//! ])?;
//! let outcome = Harness::new("{}").transform::<ByRow<Claims>>(&[batch])?;
//!
//! assert_eq!(outcome.rejected("bad_amount"), [1]);
//! assert_eq!(outcome.rejected("missing_value"), [2]);
//! assert_eq!(outcome.rejections[1].message, "column `CLM_ID` is null");
//! assert_eq!(outcome.balance().dropped, 1);
//! assert_eq!(outcome.output("out").unwrap().num_rows(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Columns are found once, when the plugin is bound; all that are missing or of another type are
//! named together. Reading a row then costs an index and a look at the null bits for each field, and
//! allocates only what fields own: `String`, `Vec`. Whole-column [`kernels`](crate::kernels) are still
//! faster where there is one for the work; a [`Transform`](crate::Transform) over batches may use
//! [`Layout`] and [`Builder`] for the rest.
//!
//! # Types
//! | field | column |
//! |---|---|
//! | `bool`, `i8` … `i64`, `u8` … `u64`, `f32`, `f64` | the Arrow type of that name; none is widened |
//! | `&'a str`, `String` | `Utf8` |
//! | `&'a [u8]`, `Vec<u8>` | `Binary` |
//! | [`Decimal<P, S>`](Decimal) | `Decimal128(P, S)`; read from fewer digits too |
//! | [`Date`] | `Date32` |
//! | [`Time`], `Time<`[`Second`]`>` … | `Time64(Microsecond)`, or that of the unit |
//! | [`Timestamp`], `Timestamp<`[`Millisecond`]`>` … | `Timestamp` with a zone, of the unit |
//! | [`LocalTimestamp`] … | `Timestamp` without a zone |
//! | `Vec<T>` | `List`; items are of any type here but `u8` |
//! | a struct with the derive | `Struct` |
//! | `Option<T>` | the same as `T`, where null is a value |
//!
//! Rows that are written may also have `Cow<'a, str>`, for text that is changed in few rows only.
//!
//! A null under a field that is no `Option` makes the row unreadable, and so does a decimal of more
//! digits than its type says, which nothing has looked for before: [`ByRow`] rejects the row under
//! [`MISSING_VALUE`]. Whether the schema says that a column may be null does not matter, since most
//! sources say so of all columns.
//!
//! `COLUMNS` leaves out the columns of flattened structs: a plugin that needs them lists them in
//! `INFO.columns` too.
//!
//! # Attributes
//! | attribute | on | |
//! |---|---|---|
//! | `#[row(rename_all = "camelCase")]` | the struct | the names of columns are those of fields in another case: `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case`, `SCREAMING-KEBAB-CASE` |
//! | `#[row(crate = "weir::sdk")]` | the struct | where the crate `weir_plugin` is, for a crate that passes it on under another path |
//! | `#[row(rename = "PAID_AMT")]` | a field | the column's name |
//! | `#[row(default)]` | a field | where the column is missing or null, the field is `Default::default()` |
//! | `#[row(flatten)]` | a field that is a struct with the derive | its fields are columns beside the others |
//!
//! They mean the same for both derives; `default` says nothing of rows that are written.
//!
//! # Mistakes that do not compile
//! A field of a type that is no column's:
//! ```compile_fail,E0277
//! #[derive(weir_plugin::rows::FromRow)]
//! struct Claim {
//!     count: usize,
//! }
//! ```
//! A plugin whose rows can lack a value or have too long a decimal, and which has no rule for that:
//! ```compile_fail,E0080
//! # use weir_plugin::prelude::*;
//! # #[derive(FromRow, IntoRow)]
//! # struct Claim { id: i64 }
//! # struct Claims;
//! # #[derive(Deserialize, JsonSchema)]
//! # struct Config {}
//! impl RowTransform for Claims {
//!     const INFO: Info = Info { name: "claims", version: "1", description: "", columns: &[], rules: &[] };
//!     // …
//! #   type Config = Config;
//! #   type Input<'a> = Claim;
//! #   type Output<'a> = Claim;
//! #   fn bind(_: Config, _: &Context) -> Result<Self, Error> { Ok(Self) }
//! #   fn row(&self, row: Claim) -> Result<Claim, Rejection> { Ok(row) }
//! }
//! weir_plugin::export_transform!(ByRow<Claims>);
//! ```

mod builders;
mod by_row;
mod columns;
mod decimal;
mod read;
#[cfg(test)]
#[cfg(feature = "derive")] // The lints that tests may break know `cfg(test)` alone.
mod tests;
mod times;
mod values;
mod write;

pub use by_row::{ByRow, IntoRows, MISSING_VALUE, Rejection, RowTransform};
pub use decimal::{Decimal, NoDecimal};
pub use read::{FromColumn, FromItem, FromRow, Layout, Reader, Unreadable};
pub use times::{
    Date, LocalTimestamp, Microsecond, Millisecond, Nanosecond, NoTime, Second, Time, Timestamp,
    Unit,
};
#[cfg(feature = "derive")]
pub use weir_plugin_derive::{FromRow, IntoRow};
pub use write::{Builder, IntoColumn, IntoItem, IntoRow, schema};

// What traits name, and what derived code calls.
#[doc(hidden)]
pub use builders::{ListBuilder, StructBuilder};
#[doc(hidden)]
pub use by_row::Made;
#[doc(hidden)]
pub use columns::{ListColumn, StructColumn};
#[doc(hidden)]
pub use read::{Faults, Finder, Fitted, Places, or_default, required};
#[doc(hidden)]
pub use values::{ValueBuilder, Values};
