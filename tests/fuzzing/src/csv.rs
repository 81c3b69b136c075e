//! `csv`: whatever a file holds, it becomes valid rows of the declared columns or a fault, and the
//! same ones wherever its bytes are split.
//!
//! The first 24 bytes of an input are read as options and columns, the rest is the file.

use arbitrary::{Result, Unstructured};
use weir_decode::{Csv, RecordOptions};
use weir_pipeline::{Column, CsvOptions};

use crate::columns::{NAMES, columns};
use crate::decoding::{HEAD, decode, same_rows, tolerant};
use crate::noise;

struct Setting {
    options: CsvOptions,
    columns: Vec<Column>,
    batch_rows: usize,
    splits: u32,
}

/// Runs the target on one input.
pub fn run(data: &[u8]) {
    let Some((head, text)) = data.split_at_checked(HEAD) else {
        return;
    };
    let Ok(setting) = setting(&mut Unstructured::new(head)) else {
        return;
    };
    let Setting {
        options,
        columns,
        batch_rows,
        splits,
    } = setting;
    let new = || Csv::new(options.clone(), &columns, batch_rows);
    // Whether it is rows or a fault is the file's; both are checked.
    let strict = RecordOptions::default();
    let rows = decode(new, &columns, batch_rows, strict, text, splits);
    for records in [tolerant(splits), tolerant(1)] {
        let new = || new().with_records(records);
        match decode(new, &columns, batch_rows, records, text, splits) {
            // Tolerant reading is about records; undeclared fields count there too.
            Ok(found) if records == tolerant(1) && text.is_ascii() => {
                if let Ok(rows) = &rows {
                    assert!(same_rows(rows, &found));
                }
            }
            Ok(_) => {}
            // Only a header can end a file.
            Err((fault, _)) => {
                assert!(options.header);
                let places = ["line 1: ", "after row 0: a quote is never closed"];
                assert!(
                    places.iter().any(|place| fault.starts_with(place)),
                    "{fault}"
                );
                if records == tolerant(1) {
                    assert_eq!(rows.as_ref().unwrap_err().0, fault);
                }
            }
        }
    }
}

fn setting(u: &mut Unstructured<'_>) -> Result<Setting> {
    let splits = u.arbitrary()?;
    let batch_rows = u.int_in_range(1..=5)?;
    let header = u.ratio(2, 3)?;
    let delimiter = *u.choose(b",,,;\t| ax")?;
    let quote = *u.choose(b"\"\"\"'a")?;
    let escape = *u.choose(&[None, None, Some(b'\\'), Some(b'"'), Some(b',')])?;
    let nulls: &[&str] = u.choose(&[&[""] as &[&str], &[], &["NA"], &["", "0", "é"]])?;
    Ok(Setting {
        options: CsvOptions {
            delimiter,
            // The grammar of pipeline files refuses the same character for both.
            quote: if quote == delimiter { b'"' } else { quote },
            escape,
            header,
            nulls: nulls.iter().map(|null| (*null).to_owned()).collect(),
        },
        columns: columns(u, 0)?,
        batch_rows,
        splits,
    })
}

/// Files with values of all types, sound and faulty, under many options.
pub fn seeds() -> Vec<Vec<u8>> {
    const VALUES: [&str; 28] = [
        "",
        "0",
        "-1",
        "255",
        "9223372036854775808",
        "1.5",
        "-0.0",
        "1e3",
        "1e999",
        "NaN",
        "inf",
        "true",
        "FALSE",
        "2026-01-31",
        "2026-01-31T23:59:59.123456",
        "2026-01-31 23:59:59.123456789+02:00",
        "-262143-01-01",
        "23:59:60",
        "12:00 PM",
        "NA",
        " x ",
        "é",
        "\"a,b\"",
        "\"a\"\"b\"",
        "\"a\nb\"",
        "'q'",
        "99999999999999999999999999999999999999",
        "0.00000000000000000000000000000000000001",
    ];
    const ENDS: [&str; 4] = ["\n", "\r\n", "\r", "\n\n"];
    (0..600)
        .map(|seed| {
            let mut input = noise(seed, HEAD);
            let pick = noise(seed + 500, 200);
            let mut pick = pick.iter().map(|byte| usize::from(*byte));
            let mut next = |most: usize| pick.next().unwrap_or(0) % most;
            let delimiter = [",", ",", ";", "\t", "|"][next(5)];
            let end = ENDS[next(4)];
            let width = next(4) + 1;
            let mut text = String::new();
            if next(8) == 0 {
                text.push('\u{feff}');
            }
            text.push_str(&NAMES[..width].join(delimiter));
            for _ in 0..next(7) {
                text.push_str(end);
                let width = if next(12) == 0 { width + 1 } else { width };
                let row: Vec<&str> = (0..width).map(|_| VALUES[next(VALUES.len())]).collect();
                text.push_str(&row.join(delimiter));
            }
            if next(2) == 0 {
                text.push_str(end);
            }
            input.extend_from_slice(text.as_bytes());
            if next(10) == 0 {
                input.extend_from_slice(b"\"\xC3");
            }
            input
        })
        .collect()
}
