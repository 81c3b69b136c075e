//! What a file's bytes become, and that it does not matter where they are split.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use weir_pipeline::DataType;

use super::*;

fn options(header: bool) -> CsvOptions {
    CsvOptions {
        delimiter: b',',
        quote: b'"',
        escape: None,
        header,
        nulls: vec![String::new()],
    }
}

fn columns(declared: &[(&str, DataType)]) -> Vec<Column> {
    declared
        .iter()
        .map(|(name, data_type)| Column {
            name: (*name).to_owned(),
            source: None,
            data_type: data_type.clone(),
            nullable: true,
            sensitivity: Vec::new(),
        })
        .collect()
}

fn texts(names: &[&str]) -> Vec<Column> {
    let declared: Vec<_> = names.iter().map(|name| (*name, DataType::String)).collect();
    columns(&declared)
}

/// The batches of `text` given in chunks of `size` bytes, or the fault with its hint.
fn decode(mut csv: Csv, text: &[u8], size: usize) -> Result<Vec<RecordBatch>, String> {
    let mut out = Vec::new();
    let mut chunks = text.chunks(size);
    let mut ended = false;
    loop {
        while let Some(Decoded { batch, .. }) = csv.batch().map_err(|error| match error {
            DecodeError::Fault(fault) => format!("{fault} ({})", fault.hint()),
            DecodeError::Arrow(error) => error.to_string(),
        })? {
            out.push(batch);
        }
        match chunks.next() {
            Some(chunk) => csv.push(Bytes::copy_from_slice(chunk)),
            None if ended => return Ok(out),
            None => {
                csv.finish();
                ended = true;
            }
        }
    }
}

/// The same however it is split.
#[track_caller]
fn everywhere(new: impl Fn() -> Csv, text: &[u8]) -> Result<Vec<RecordBatch>, String> {
    let whole = decode(new(), text, text.len().max(1));
    for size in 1..=text.len().min(24) {
        assert_eq!(decode(new(), text, size), whole, "in chunks of {size}");
    }
    whole
}

#[track_caller]
fn refused(header: bool, names: &[&str], text: &[u8], part: &str) {
    let columns = texts(names);
    let fault = everywhere(|| Csv::new(options(header), &columns, 2), text).unwrap_err();
    assert!(fault.contains(part), "{fault}");
}

#[test]
fn rows_are_batched_and_typed() {
    let columns = columns(&[("n", DataType::Int64), ("s", DataType::String)]);
    let batches = everywhere(
        || Csv::new(options(true), &columns, 2),
        b"\xEF\xBB\xBFs, N \r\n\"a,\"\"b\", 7\r\n\r\n,8\r\"c\n\",",
    )
    .unwrap();
    assert_eq!(
        batches
            .iter()
            .map(RecordBatch::num_rows)
            .collect::<Vec<_>>(),
        [2, 1]
    );
    let numbers = batches[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(7), Some(8)]);
    let words = batches[0].column(1).as_string::<i32>();
    assert_eq!(words.iter().collect::<Vec<_>>(), [Some("a,\"b"), None]);
    assert!(batches[1].column(0).is_null(0));
    assert_eq!(batches[1].column(1).as_string::<i32>().value(0), "c\n");
}

#[test]
fn every_field_is_text_by_itself() {
    // Together the two bytes are a character.
    refused(
        false,
        &["a", "b"],
        b"x,y\n\xC3,\xA9\n",
        "Encountered invalid UTF-8 data for line 2 and field 1 (save the file as UTF-8)",
    );
    refused(
        true,
        &["b"],
        b"a,b\n1,x\n2,\xC3\n3,\xA9\n",
        "invalid UTF-8 data for line 3 and field 2",
    );
    refused(
        true,
        &["b"],
        b"a,b\n\xFF,x\n",
        "invalid UTF-8 data for line 2 and field 1",
    );
}

#[test]
fn ragged_rows_are_counted() {
    let part = "incorrect number of fields for line 4, expected 2 got ";
    refused(true, &["a"], b"a,b\n1,2\n3,4\n5\n", &format!("{part}1"));
    refused(
        true,
        &["a"],
        b"a,b\n1,2\n3,4\n5,6,7,8,9,,,,,\n",
        &format!("{part}10"),
    );
    refused(
        false,
        &["a", "b"],
        b"1\n",
        "line 1: 1 fields, but 2 columns are declared",
    );
}

#[test]
fn open_quotes_are_told() {
    for end in ["", "\n"] {
        let last = format!("a,b\n1,\"2{end}");
        refused(
            true,
            &["a"],
            last.as_bytes(),
            "after row 0: a quote is never closed",
        );
        let short = format!("a,b\n\"1,2{end}");
        refused(
            true,
            &["a"],
            short.as_bytes(),
            "for line 2, expected 2 got 1",
        );
        let header = format!("a,\"b\nsecret{end}");
        refused(
            true,
            &["a"],
            header.as_bytes(),
            "after row 0: a quote is never closed (mend",
        );
        let first = format!("1,\"2{end}");
        refused(
            false,
            &["a", "b"],
            first.as_bytes(),
            "after row 0: a quote is never closed",
        );
    }
}

#[test]
fn a_file_may_be_empty() {
    for text in ["", "\n\r\n", "\u{feff}", "\u{feff}\n"] {
        refused(
            true,
            &["a"],
            text.as_bytes(),
            "line 1: the file is empty, without even a header",
        );
        let columns = texts(&["a"]);
        let none = everywhere(|| Csv::new(options(false), &columns, 2), text.as_bytes());
        assert_eq!(none, Ok(Vec::new()));
    }
    let columns = texts(&["a"]);
    let none = everywhere(|| Csv::new(options(true), &columns, 2), b"a");
    assert_eq!(none, Ok(Vec::new()));
}

#[test]
fn byte_order_marks_are_passed_over() {
    let columns = texts(&["a"]);
    for mark in ["\u{feff}", "\u{feff}\u{feff}"] {
        let text = format!("{mark}a\n1\n");
        let batches = everywhere(|| Csv::new(options(true), &columns, 2), text.as_bytes());
        assert_eq!(batches.unwrap().len(), 1);
    }
    // What only begins like one is data.
    refused(false, &["a"], b"\xEF\xBB,\n", "line 1: 2 fields");
}

#[test]
fn undeclared_columns_are_told_once() {
    let mut csv = Csv::new(options(true), &texts(&["b"]), 2);
    csv.push("a,b,c\n".into());
    assert!(csv.batch().unwrap().is_none());
    assert_eq!(csv.take_undeclared(), ["a", "c"]);
    assert!(csv.take_undeclared().is_empty());
}

#[test]
fn nulls_are_whole_values() {
    let columns = texts(&["a"]);
    let values = |nulls: &[&str]| {
        let options = CsvOptions {
            nulls: nulls.iter().map(|null| (*null).to_owned()).collect(),
            ..options(true)
        };
        let text = b"a\nNA\n\"\"\nNAN\n.\n";
        let batches = everywhere(|| Csv::new(options.clone(), &columns, 9), text).unwrap();
        let column = batches[0].column(0).as_string::<i32>();
        column
            .iter()
            .map(|value| value.map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(values(&[]), [text("NA"), text(""), text("NAN"), text(".")]);
    assert_eq!(values(&[""]), [text("NA"), None, text("NAN"), text(".")]);
    assert_eq!(values(&["NA", "."]), [None, text(""), text("NAN"), None]);
}

#[test]
fn a_header_ends_within_a_mebibyte() {
    let long = "x".repeat(LONGEST_HEADER);
    for (text, fine) in [
        (format!("a,{}\n", &long[3..]), true),
        (format!("a,{}\n", &long[2..]), false),
    ] {
        for size in [text.len(), 1000] {
            let columns = texts(&["a"]);
            let result = decode(Csv::new(options(true), &columns, 2), text.as_bytes(), size);
            match result {
                Ok(_) => assert!(fine),
                Err(fault) => assert!(!fine && fault.contains("longer than 1 MiB"), "{fault}"),
            }
        }
    }
}

#[test]
fn a_batch_ends_early_where_its_text_is_long() {
    let columns = texts(&["a"]);
    let row = format!("{}\n", "x".repeat(FULL_BATCH / 2));
    let text = format!("short\n{}", row.repeat(5));
    let batches = decode(
        Csv::new(options(false), &columns, 100),
        text.as_bytes(),
        1 << 20,
    );
    let rows: Vec<usize> = batches.unwrap().iter().map(RecordBatch::num_rows).collect();
    assert_eq!(rows, [3, 2, 1]);
}
