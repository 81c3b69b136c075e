//! The derives where names are not what they are elsewhere.

#![deny(non_snake_case)]

use crate::rows::{Builder, FromRow, IntoRow, Layout, schema};

/// What stands beside a struct hides what the prelude brings.
#[derive(Clone, Debug, PartialEq, FromRow, IntoRow)]
struct Result {
    code: i32,
}

#[derive(Clone, Debug, Default, PartialEq, FromRow, IntoRow)]
struct Option {
    code: i32,
}

#[derive(Clone, Debug, PartialEq, FromRow, IntoRow)]
struct Vec<'a> {
    code: &'a str,
}

#[derive(Clone, Debug, PartialEq, FromRow, IntoRow)]
struct String {
    result: Result,
    #[row(default)]
    option: Option,
    #[row(flatten)]
    vec: Box,
}

#[derive(Clone, Debug, PartialEq, FromRow, IntoRow)]
struct Box {
    some: i64,
}

/// The names of columns as they are, and the SDK under a path of the crate's own.
#[derive(Clone, Debug, PartialEq, FromRow, IntoRow)]
#[row(crate = "crate")]
#[allow(non_snake_case)]
struct Raw {
    CLM_ID: i64,
    #[row(default)]
    PAID: i64,
    #[row(flatten)]
    REST: Box,
}

fn there_and_back<T>(row: T) -> T
where
    T: IntoRow + for<'a> FromRow<'a>,
{
    let mut batch = Builder::new(schema::<T>(), 1);
    batch.push(row);
    let batch = batch.finish().unwrap();
    let layout = Layout::of::<T>(batch.schema_ref()).unwrap();
    let row = layout.read::<T>(&batch).unwrap().next();
    row.unwrap().unwrap()
}

#[test]
fn types_may_be_named_as_those_of_the_prelude() {
    let row = String {
        result: Result { code: 1 },
        option: Option { code: 2 },
        vec: Box { some: 3 },
    };
    assert_eq!(there_and_back(row.clone()), row);
    let mut batch = Builder::new(schema::<Vec>(), 1);
    batch.push(Vec { code: "a" });
    let batch = batch.finish().unwrap();
    let layout = Layout::of::<Vec>(batch.schema_ref()).unwrap();
    let rows = layout.read::<Vec>(&batch).unwrap();
    assert!(rows.eq([Ok(Vec { code: "a" })]));
}

#[test]
fn fields_may_be_named_as_their_columns() {
    let row = Raw {
        CLM_ID: 1,
        PAID: 2,
        REST: Box { some: 3 },
    };
    assert_eq!(Raw::COLUMNS, ["CLM_ID"]);
    assert_eq!(there_and_back(row.clone()), row);
}
