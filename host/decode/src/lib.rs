//! Bytes of CSV and JSON files to record batches, or a fault with its place.
//!
//! Files come from outside and may be anything. What they become is decided here, by state machines
//! that are given bytes and give batches: no I/O, no query engine, nothing that panics whatever the
//! bytes are, and the same answer wherever the bytes are split (`fuzz/`, targets `csv` and `json`).
//!
//! | module | holds |
//! |---|---|
//! | `csv` | [`Csv`]: the header and where each column is; rows as text, then as declared types |
//! | `json` | [`Json`]: one object a line, or an array of objects |
//! | `items` | [`Items`]: lines that become objects once they are converted |
//! | `record` | [`Reject`]: a record that is no row, where reading is tolerant ([`RecordOptions`]) |
//! | `latin1` | bytes of Windows-1252 as UTF-8 |
//! | `types` | the Arrow types of declared columns |
//! | `fault` | [`Fault`]: what is wrong and where, without the value |
//!
//! ```
//! use weir_decode::{Csv, Decode};
//! use weir_pipeline::{Column, CsvOptions, DataType};
//!
//! let options = CsvOptions {
//!     delimiter: b',',
//!     quote: b'"',
//!     escape: None,
//!     header: true,
//!     nulls: vec![String::new()],
//! };
//! let columns = [Column {
//!     name: "n".into(),
//!     source: None,
//!     data_type: DataType::Int64,
//!     nullable: false,
//!     sensitivity: Vec::new(),
//! }];
//! let mut csv = Csv::new(options, &columns, 8192);
//! csv.push("n\n1\nseven\n".into());
//! csv.finish();
//! let error = csv.batch().unwrap_err().to_string();
//! assert_eq!(error, "row 2: column 'n' is no Int64");
//! ```

mod csv;
mod decimal;
mod fault;
mod items;
mod json;
mod latin1;
mod record;
mod types;

use bytes::Bytes;

pub use csv::Csv;
pub use decimal::decimal;
pub use fault::{DecodeError, Fault};
pub use items::{Convert, Items, NoItem, whole_column};
pub use json::Json;
pub use record::{Decoded, RAW_KEPT, RecordOptions, Reject, Rule};
pub use types::{arrow_schema, arrow_type, nullable_schema, type_text};

/// A decoder that is given a file's bytes in order and gives its rows in order.
///
/// Call [`batch`](Decode::batch) until it gives none, then [`push`](Decode::push) the next bytes or
/// [`finish`](Decode::finish), and so on; after `finish` none means that there are no more rows.
/// After an error there are none either.
pub trait Decode {
    /// Takes the next bytes of the file. Bytes not yet decoded are lost: call it after `batch` gave
    /// none.
    fn push(&mut self, bytes: Bytes);

    /// Says that the file has ended.
    fn finish(&mut self);

    /// The next batch, which has at least one row and the declared columns.
    ///
    /// Where reading is tolerant ([`RecordOptions::tolerant`]) every record is a row, in order, and a
    /// bad one is a row of nulls that a [`Reject`] speaks of.
    ///
    /// # Errors
    /// A fault of the file, or a type that text cannot be turned into.
    fn batch(&mut self) -> Result<Option<Decoded>, DecodeError>;
}
