//! What the macros say of structs that are no rows, and where.

use proc_macro2::Span;
use syn::DeriveInput;

use crate::row::{Row, Source};

/// The messages for a struct, each with its line and column (of the source text).
fn faults(source: &str) -> Vec<(String, (usize, usize))> {
    let input: DeriveInput = syn::parse_str(source).unwrap();
    let Err(errors) = Row::parse(input) else {
        panic!("a row: {source}")
    };
    let place = |span: Span| (span.start().line, span.start().column);
    errors
        .into_iter()
        .map(|error| (error.to_string(), place(error.span())))
        .collect()
}

fn row(source: &str) -> Row {
    Row::parse(syn::parse_str(source).unwrap()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn faults_stand_where_they_are_and_are_told_together() {
    let source = r#"
#[row(renamed(all), crate = "a b")]
#[row(rename_all = "camelCase", rename_all = "lowercase")]
struct Claim<'a, 'b, T> {
    #[row(renamed = "ID", rename = "")]
    id: i64,
    #[row(rename = "paid")]
    amount: i64,
    paid: i64,
    #[row(flatten, rename = "x", default)]
    inner: Inner,
    #[row(default, default, other)]
    twice: i64,
    #[row(rename)]
    #[row(another)]
    nothing: i64,
}"#;
    let told = faults(source);
    let expected = [
        ("a row borrows from one batch", (4, 17)),
        ("a row's columns have one type each", (4, 21)),
        ("a struct has the attributes `rename_all", (2, 6)),
        ("the path of the crate `weir_plugin`", (2, 28)),
        ("given twice", (3, 32)),
        (
            "a field has the attributes `rename = \"…\"`, `default` and `flatten`",
            (5, 10),
        ),
        ("a column has a name", (5, 35)),
        ("the column `paid` is the field `amount` already", (9, 4)),
        ("a flattened field has no column of its own", (10, 19)),
        ("a flattened field has no column of its own", (10, 33)),
        ("given twice", (12, 19)),
        ("a field has the attributes", (12, 28)),
        ("expected `=`", (14, 16)),
        ("a field has the attributes", (15, 10)),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for ((message, place), (begins, expected)) in told.iter().zip(expected) {
        assert!(message.starts_with(begins), "{message}");
        assert_eq!(*place, expected, "{message}");
    }
}

/// Which columns there are twice, only a case that exists can say.
#[test]
fn a_case_that_does_not_exist_makes_no_other_faults() {
    let told = faults(
        r#"
#[row(rename_all = "upper")]
struct Claim {
    #[row(rename = "id")]
    old: i64,
    id: i64,
}"#,
    );
    let [(message, place)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(message.contains("`camelCase`, `snake_case`"), "{message}");
    assert_eq!(*place, (2, 19));
}

#[test]
fn a_column_without_a_name_is_a_fault() {
    let told = faults("#[row(rename_all = \"camelCase\")] struct Row { __: i64 }");
    let [(message, place)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(message.starts_with("a column has a name"), "{message}");
    assert_eq!(*place, (1, 46));
}

#[test]
fn the_sdk_may_have_another_path() {
    let source = |attribute: &str| {
        format!(
            "{attribute} struct Row<'a> {{ a: &'a str, #[row(default)] b: i64, #[row(flatten)] c: C }}"
        )
    };
    let code = |source: &str| {
        let row = row(source);
        [crate::from_row::expand(&row), crate::into_row::expand(&row)].map(|code| code.to_string())
    };
    for code in code(&source("")) {
        assert!(code.contains(":: weir_plugin :: rows"), "{code}");
    }
    for code in code(&source("#[row(crate = \"weir::sdk\")]")) {
        assert!(!code.contains("weir_plugin"), "{code}");
        assert!(code.contains("weir :: sdk :: rows"), "{code}");
    }
}

#[test]
fn only_structs_with_named_fields_are_rows() {
    for source in [
        "enum Row { A }",
        "struct Row;",
        "struct Row(i64);",
        "struct Row {}",
        "union Row { a: i64 }",
    ] {
        let told = faults(source);
        assert_eq!(told.len(), 1, "{source}");
        assert!(told[0].0.starts_with("a row is a struct with named fields"));
        assert_eq!(told[0].1.0, 1);
    }
    let lifetimes = faults("struct Row<'a, 'b> { a: &'a str, b: &'b str }");
    assert!(lifetimes[0].0.contains("one lifetime at most"));
    assert_eq!(lifetimes[0].1, (1, 15));
    let generic = faults("struct Row<T> { a: T }");
    assert!(generic[0].0.contains("no parameters but a lifetime"));
    assert_eq!(generic[0].1, (1, 11));
    let attribute = faults("#[row(rename = \"x\")] struct Row { a: i64 }");
    assert!(attribute[0].0.contains("`rename_all"), "{attribute:?}");
}

#[test]
fn a_rename_is_stronger_than_a_case() {
    let row = row(r#"
        #[serde(rename_all = "lowercase")]
        #[row(rename_all = "UPPERCASE")]
        struct Row<'b> {
            r#type: &'b str,
            #[row(rename = "as it is")]
            #[row(default)]
            other: i64,
            #[row(flatten)]
            more: More,
        }"#);
    let columns: Vec<_> = row
        .fields
        .iter()
        .map(|field| match &field.source {
            Source::Column(column) => column.as_str(),
            Source::ColumnOrDefault(_) => "or default",
            Source::Flattened => "flattened",
        })
        .collect();
    assert_eq!(columns, ["TYPE", "or default", "flattened"]);
    assert!(
        matches!(&row.fields[1].source, Source::ColumnOrDefault(column) if column == "as it is")
    );
    assert_eq!(row.lifetime.unwrap().ident, "b");
}

/// What the compiler finds wrong with a field's type, it reports there.
#[test]
fn code_about_a_type_has_its_place() {
    let source = "struct Row {\n    id: i64,\n    count: Odd,\n}";
    let row = row(source);
    for code in [crate::from_row::expand(&row), crate::into_row::expand(&row)] {
        let mut places = Vec::new();
        collect(code, "Odd", &mut places);
        assert!(places.len() >= 5, "{places:?}");
    }

    /// The places of the calls that name a type: that of the path before it.
    fn collect(code: proc_macro2::TokenStream, name: &str, places: &mut Vec<(usize, usize)>) {
        let tokens: Vec<_> = code.into_iter().collect();
        for pair in tokens.windows(2) {
            if let [before, proc_macro2::TokenTree::Ident(ident)] = pair
                && ident == name
            {
                let start = before.span().start();
                assert_eq!((start.line, start.column), (3, 11), "before {name}");
                places.push((start.line, start.column));
            }
        }
        for token in tokens {
            if let proc_macro2::TokenTree::Group(group) = token {
                collect(group.stream(), name, places);
            }
        }
    }
}
