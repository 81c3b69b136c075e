//! What the author of a plugin works with, besides the SDK: the files of a new plugin, its build, and
//! fixtures that are run in the real sandbox.
//!
//! | module | holds |
//! |---|---|
//! | `scaffold` | [`create`]: a folder that builds and whose tests pass, in Rust, Python or JavaScript |
//! | `component` | [`build`]: the component of a plugin's folder, by the tools of its language |
//! | `fixture` | [`Fixture`]: what a plugin is given and what it should make of it; [`run`], [`Fixture::compare`], [`Fixture::bless`]; [`try_out`] gives it a stage's rows |
//! | `bench` | [`measure`]: what a row costs in the sandbox |
//! | `bindings` | [`rust_rows`]: rows of a schema as Rust structs |
//! | `error` | errors with hints |
//!
//! Nothing here knows pipelines: `weir plugin new|build|test|bench|bind` and `weir dev` are thin over it.

mod bench;
mod bindings;
mod component;
mod error;
mod fixture;
mod scaffold;

pub use bench::{Measured, measure};
pub use bindings::{RowSchemas, rust_rows};
pub use component::{Built, build};
pub use error::{Error, Result};
pub use fixture::{Fixture, Heard, Outcome, Stopped, find, run, try_out};
pub use scaffold::{Created, Kind, Language, create};
