//! The grammar of a Weir pipeline file: TOML text in, a checked [`Pipeline`] out.
//!
//! A file is read once ([`PipelineFile::load`]) and resolved with the arguments of a run
//! ([`PipelineFile::resolve`]). What comes out needs no further checks that the file alone allows;
//! what only plugins, SQL and stored tables can tell is the engine's. All faults of a file are
//! reported at once, each with its place and what to do ([`Faults`]).
//!
//! ```text
//! text ─tree→ Node (values with places) ─merge→ + includes, profile
//!      ─expand→ each unrolled, references replaced ─grammar→ Step, Read, … ─whole→ Pipeline
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`model`] | the checked pipeline |
//! | `plugin_set`, `oci` | where plugins come from, and whom a pipeline trusts for them |
//! | `place`, `fault` | where something stands, what is wrong with it, and how that is told |
//! | `tree` | TOML whose every value knows its place |
//! | `merge` | includes and profiles |
//! | `params` | declared parameters and the values given for them |
//! | `template`, `substitute` | references in strings, and what may enter which string |
//! | `expand` | step defaults and `each` |
//! | `fields`, `literals` | reads tables: known keys, types, choices, durations, sizes |
//! | `grammar` | one module for each section of a file |
//! | `whole` | what holds between steps |
//! | `file` | [`PipelineFile`], which ties these together |
//! | `toml_text`, `json_schema` | a file written out again; the grammar for editors |
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::path::Path;
//! use weir_pipeline::{LoadOptions, PipelineFile};
//!
//! let text = r#"
//! weir = 1
//! name = "claims"
//!
//! [params]
//! year = { type = "int", values = [2008, 2009] }
//!
//! [zone.curated]
//!
//! [[step]]
//! name  = "load"
//! read  = { files = "claims_${param.year}.csv", format = "csv", schema = { id = "int64 not null" } }
//! write = { table = "curated.claims", mode = "replace-partition", partition = { year = "${param.year}" } }
//! "#;
//! let options = LoadOptions { profile: None, env: &|_| None };
//! let file = PipelineFile::parse(Path::new("claims.toml"), text, &options)?;
//! file.check()?;
//!
//! let args = BTreeMap::from([("year".to_owned(), "2009".to_owned())]);
//! let pipeline = file.resolve(&args)?;
//! assert_eq!(pipeline.steps.len(), 1);
//!
//! let args = BTreeMap::from([("year".to_owned(), "2010".to_owned())]);
//! let faults = file.resolve(&args).unwrap_err().to_string();
//! assert!(faults.contains("hint: its values are: 2008, 2009"));
//! # Ok::<(), weir_pipeline::Faults>(())
//! ```

mod expand;
mod fault;
mod fields;
mod file;
mod grammar;
mod json_schema;
mod literals;
mod merge;
pub mod model;
mod oci;
mod params;
mod place;
mod plugin_set;
mod substitute;
mod template;
mod toml_text;
mod tree;
mod whole;

pub use fault::{Fault, Faults};
pub use file::{LoadOptions, PipelineFile, ReadText};
pub use json_schema::json_schema;
pub use literals::{duration, size};
pub use model::*;
pub use oci::{OciReference, WrongReference, is_sha256};
pub use params::{ParamSpec, ParamType};
pub use place::Place;
pub use plugin_set::{ComponentSource, PluginSet, PluginSource, Trust, TrustedKey};
pub use whole::find_cycle;
