//! The derive macros of `weir-plugin`, which re-exports them and says in its module `rows` how they
//! are used.
//!
//! - `row`: a struct and its attributes → `Row`, or what is wrong with them, each on its span.
//! - `case`: names of fields in the case that `rename_all` asks for.
//! - `from_row`, `into_row`: `Row` → the code of one trait.
//!
//! The code that comes out names columns and types and calls `weir_plugin::rows`; all that is the
//! same for every struct is there.

mod case;
mod from_row;
mod into_row;
mod row;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

use row::Row;

/// Reads rows of a batch as values of the struct.
///
/// For a struct with named fields and at most one lifetime, whose field types implement
/// `FromColumn`. Attributes: `#[row(rename_all = "…")]` and `#[row(crate = "…")]` on the struct;
/// `#[row(rename = "…")]`, `#[row(default)]` and `#[row(flatten)]` on its fields.
#[proc_macro_derive(FromRow, attributes(row))]
pub fn from_row(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input), from_row::expand)
}

/// Makes columns of values of the struct.
///
/// For a struct with named fields, whose field types implement `IntoColumn`. Takes the attributes
/// of `FromRow`, of which `#[row(default)]` says nothing here.
#[proc_macro_derive(IntoRow, attributes(row))]
pub fn into_row(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input), into_row::expand)
}

fn expand(input: DeriveInput, code: fn(&Row) -> proc_macro2::TokenStream) -> TokenStream {
    match Row::parse(input) {
        Ok(row) => code(&row).into(),
        Err(error) => error.into_compile_error().into(),
    }
}
