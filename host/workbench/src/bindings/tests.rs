//! What is generated for every type. That it compiles, `plugin-sdk/tests/bound.rs` shows, which has the
//! same file in it.

use std::path::Path;

use super::{RowSchemas, rust_rows};

#[path = "../../../../plugin-sdk/tests/bound/schema.rs"]
mod schema;

/// `BLESS=1 cargo test -p weir-workbench` writes what is generated now.
#[test]
fn every_type_has_its_field() {
    let (given, made) = (schema::given(), schema::made());
    let schemas = RowSchemas {
        given: Some(&given),
        made: Some(&made),
    };
    let text = rust_rows(schemas, &["Every type.".to_owned()]);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk/tests/bound/rows.rs");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(text, golden, "not as recorded (BLESS=1 records)");
}

#[test]
fn where_nothing_is_known_nothing_is_said() {
    assert_eq!(rust_rows(RowSchemas::default(), &[]), "");
}
