//! `json`: whatever a file holds, it becomes valid rows of the declared columns or one of a few
//! faults that quote nothing, and the same ones wherever its bytes are split.
//!
//! The first 24 bytes of an input are read as columns, the rest is the file.

use arbitrary::{Result, Unstructured};
use weir_decode::{Json, RecordOptions};
use weir_pipeline::Column;

use crate::columns::{NAMES, columns};
use crate::decoding::{HEAD, decode, same_rows, tolerant};
use crate::noise;

/// All that a fault may say after its place.
const FAULTS: [&str; 8] = [
    "a column that is declared `not null` has no value",
    "a value does not fit the type that is declared for it",
    "objects and arrays nest deeper than 128 levels",
    "the array's objects are not set apart by commas, or something stands beside them",
    "the file ends in the middle of a document",
    "the file ends in the middle of an array",
    "the text is not JSON, or a value does not fit the type that is declared for it",
    "the text is not UTF-8",
];

/// Runs the target on one input.
pub fn run(data: &[u8]) {
    let Some((head, text)) = data.split_at_checked(HEAD) else {
        return;
    };
    let Ok((array, columns, batch_rows, splits)) = setting(&mut Unstructured::new(head)) else {
        return;
    };
    if let Err(refused) = Json::new(array, &columns, batch_rows) {
        let refused = refused.to_string();
        assert_eq!(refused, "two columns of different types are read from 'B'");
        return;
    }
    let new = || Json::new(array, &columns, batch_rows).expect("every declared type");
    let strict = RecordOptions::default();
    let rows = decode(new, &columns, batch_rows, strict, text, splits);
    if let Err((fault, _)) = &rows {
        let (place, what) = fault.split_once(": ").unwrap();
        let row = place.strip_prefix("after row ").unwrap();
        assert!(row.parse::<usize>().unwrap() <= text.len());
        assert!(FAULTS.contains(&what), "{what:?}");
    }
    for records in [tolerant(splits), tolerant(1)] {
        let new = || new().with_records(records).expect("every declared type");
        let found = decode(new, &columns, batch_rows, records, text, splits);
        let found = found.expect("no JSON ends a file");
        // In lines, a record is a line, however many objects are on it.
        if array && records == tolerant(1) {
            match &rows {
                Ok(rows) => assert!(same_rows(rows, &found)),
                Err(_) => assert!(found.iter().any(|decoded| !decoded.rejects.is_empty())),
            }
        }
    }
}

fn setting(u: &mut Unstructured<'_>) -> Result<(bool, Vec<Column>, usize, u32)> {
    let splits = u.arbitrary()?;
    let batch_rows = u.int_in_range(1..=5)?;
    Ok((u.arbitrary()?, columns(u, 2)?, batch_rows, splits))
}

/// Lines and arrays of objects with values of all types, sound and faulty.
pub fn seeds() -> Vec<Vec<u8>> {
    const VALUES: [&str; 26] = [
        "null",
        "0",
        "-1",
        "1.5",
        "1e400",
        "18446744073709551615",
        "true",
        "false",
        r#""""#,
        r#""x""#,
        r#""2026-01-31""#,
        r#""2026-01-31T23:59:59.5Z""#,
        r#""23:59:59""#,
        r#""12.345""#,
        r#""00ff""#,
        r#""\u00e9\ud83d\ude00\n\"""#,
        r#""\ud800""#,
        "\"é\"",
        "[]",
        "[1,2,null]",
        r#"["a",["b"]]"#,
        "{}",
        r#"{"a":1}"#,
        r#"{"a":{"b":[]},"b":"]"}"#,
        "[[[[[[]]]]]]",
        "nul",
    ];
    (0..600)
        .map(|seed| {
            let mut input = noise(seed + 20_000, HEAD);
            let pick = noise(seed + 700, 200);
            let mut pick = pick.iter().map(|byte| usize::from(*byte));
            let mut next = |most: usize| pick.next().unwrap_or(0) % most;
            let array = next(2) == 0;
            let objects: Vec<String> = (0..next(7))
                .map(|_| {
                    let fields: Vec<String> = (0..=next(3))
                        .map(|_| format!("\"{}\": {}", NAMES[next(4)], VALUES[next(VALUES.len())]))
                        .collect();
                    format!("{{{}}}", fields.join(","))
                })
                .collect();
            let text = match array {
                true => format!("[{}]", objects.join(", ")),
                false => objects.join("\n"),
            };
            let cut = if next(8) == 0 {
                text.len() / 2
            } else {
                text.len()
            };
            input.extend_from_slice(&text.as_bytes()[..cut]);
            if next(10) == 0 {
                input.push(0xC3);
            }
            input
        })
        .collect()
}
