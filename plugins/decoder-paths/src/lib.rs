//! What the decoders beside it share.
//!
//! - [`Columns`]: columns that a configuration names by paths.
//! - [`Position`]: the path of a value in a segment of fields, repetitions and components.
//! - [`Unread`]: the bytes of a file that form no whole piece yet, within a bound.
//! - [`Stray`]: bytes that are rejected as one.
//! - [`Table`]: rows on their way into batches.
//! - `testing`: what their tests need.

mod columns;
mod position;
mod stray;
mod table;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod unread;

pub use columns::{Columns, max_bytes};
pub use position::{Position, Repetition, all, nth};
pub use stray::Stray;
pub use table::{Row, Table, list_of_text};
pub use unread::{Piece, Unread};
