//! What Weir's fuzz targets do with their input, and the seeds of their corpora.
//!
//! Each target is a module with `run`, which takes any bytes and panics if what it watches over does
//! not hold, and `seeds`, which makes the inputs that a corpus begins with. libFuzzer calls `run`
//! from the binaries in `fuzz/`; the test `replay` calls it with every kept input, so that
//! `cargo test` covers the corpora and what once failed.
//!
//! | target | input | watches over |
//! |---|---|---|
//! | [`batch`] | schema, nodes, buffers | `weir_verify::verify`: what a plugin emits |
//! | [`bind_schema`] | flat fields | `weir_verify::schema`: what a plugin's `bind` returns |
//! | [`pipeline_file`] | text, and the files it names | `weir_pipeline::PipelineFile` |
//! | [`csv`] | options, columns, text | `weir_decode::Csv` |
//! | [`json`] | columns, text | `weir_decode::Json` |
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: a panic is the report"
)]

pub mod batch;
pub mod bind_schema;
mod columns;
pub mod csv;
mod decoding;
mod fields;
pub mod json;
pub mod pipeline_file;

/// A fuzz target.
pub struct Target {
    /// Its name: of its binary, its corpus and its regressions.
    pub name: &'static str,
    /// Does with an input what the target does; panics if something is wrong.
    pub run: fn(&[u8]),
    /// The inputs that its corpus begins with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "batch",
        run: batch::run,
        seeds: batch::seeds,
    },
    Target {
        name: "bind_schema",
        run: bind_schema::run,
        seeds: bind_schema::seeds,
    },
    Target {
        name: "csv",
        run: csv::run,
        seeds: csv::seeds,
    },
    Target {
        name: "json",
        run: json::run,
        seeds: json::seeds,
    },
    Target {
        name: "pipeline_file",
        run: pipeline_file::run,
        seeds: pipeline_file::seeds,
    },
];

/// Bytes without a pattern, the same for the same seed: input for targets that read structure out
/// of any bytes.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect()
}
