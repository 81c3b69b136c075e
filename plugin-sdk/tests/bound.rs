//! What `weir plugin bind` generates compiles, and fits the schema that it was generated for. The file
//! `bound/rows.rs` is what the generator makes of `bound/schema.rs`, which its own test sees to.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "rows are looked at for their types; a panic is how a test reports"
)]

#[path = "bound/schema.rs"]
mod schema;

mod rows {
    #![deny(nonstandard_style)]

    include!("bound/rows.rs");

    /// The columns that are made.
    pub(super) fn made() -> arrow::datatypes::SchemaRef {
        weir_plugin::rows::schema::<OutRow>()
    }

    /// Whether rows are read of a schema.
    pub(super) fn fits(schema: &arrow::datatypes::Schema) -> Result<(), weir_plugin::Error> {
        weir_plugin::rows::Layout::of::<InRow>(schema).map(|_| ())
    }
}

#[test]
fn rows_are_read_of_what_is_given() {
    rows::fits(&schema::given()).unwrap();
}

#[test]
fn rows_make_what_is_pinned() {
    assert_eq!(*rows::made(), schema::made());
}
