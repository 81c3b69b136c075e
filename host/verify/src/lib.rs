//! What has to be true of a guest's bytes before the host takes them for Arrow.
//!
//! Whatever a plugin hands over passes through here: the batches it emits, the schemas its `bind`
//! returns, the text it writes. All of it is pure functions of bytes and counts, without
//! WebAssembly, `unsafe` or I/O, so that the whole of what is believed of a guest can be audited,
//! and fuzzed in seconds (`fuzz/`, targets `batch` and `bind_schema`).
//!
//! | module | holds |
//! |---|---|
//! | [`verify`] | a guest's nodes and buffers to a `RecordBatch`, or the reason why not |
//! | [`schema`] | which types cross; a guest's schema, checked |
//! | [`guest_text`] | guest text made harmless for whoever reads it |
//!
//! ```
//! use arrow::datatypes::{DataType, Field, Schema};
//! use weir_verify::schema::normalise_schema;
//! use weir_verify::verify::{Node, verify};
//!
//! let schema = Schema::new(vec![Field::new("n", DataType::Int8, false)]);
//! let schema = normalise_schema(&schema)?;
//! let nodes = [Node { length: 3, null_count: 0 }];
//! let batch = verify(&schema, 3, &nodes, &[&[], &[1, 2, 3]])?;
//! assert_eq!(batch.num_rows(), 3);
//!
//! let short = verify(&schema, 3, &nodes, &[&[], &[1, 2]]).unwrap_err();
//! assert_eq!(short.to_string(), "column 'n': a buffer of 2 bytes where 3 are needed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod guest_text;
pub mod schema;
pub mod verify;
