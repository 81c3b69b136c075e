//! Tolerant reading: good records are rows, bad ones rows of nulls with what is wrong and where, and
//! the same ones wherever the bytes are split.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports"
)]

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use weir_decode::{Csv, Decode, Json, RAW_KEPT, RecordOptions, Rule};
use weir_pipeline::{Column, CsvOptions, DataType, Encoding, Undeclared};

/// A row as `(n, s)`, or the rule, line, message and raw text of a record that is none.
#[derive(Clone, Debug, PartialEq)]
enum Record {
    Row(i64, Option<String>),
    Bad(Rule, u64, String, String),
}

fn row(n: i64, s: &str) -> Record {
    Record::Row(n, (!s.is_empty()).then(|| s.to_owned()))
}

fn bad(rule: Rule, line: u64, what: &str, raw: &str) -> Record {
    let message = format!("line {line}: {what}");
    Record::Bad(rule, line, message, raw.to_owned())
}

/// `n int64 not null, s string`.
fn columns() -> [Column; 2] {
    let column = |name: &str, data_type, nullable| Column {
        name: name.into(),
        source: None,
        data_type,
        nullable,
        sensitivity: Vec::new(),
    };
    [
        column("n", DataType::Int64, false),
        column("s", DataType::String, true),
    ]
}

const TOLERANT: RecordOptions = RecordOptions {
    tolerant: true,
    longest: None,
    encoding: Encoding::Utf8,
    undeclared: Undeclared::Discard,
};

fn at_most(longest: u64) -> RecordOptions {
    RecordOptions {
        longest: Some(longest),
        ..TOLERANT
    }
}

fn csv(header: bool, options: RecordOptions, batch_rows: usize) -> Csv {
    let csv = CsvOptions {
        delimiter: b',',
        quote: b'"',
        escape: None,
        header,
        nulls: vec![String::new()],
    };
    Csv::new(csv, &columns(), batch_rows).with_records(options)
}

fn json(array: bool, options: RecordOptions, batch_rows: usize) -> Json {
    let json = Json::new(array, &columns(), batch_rows).unwrap();
    json.with_records(options).unwrap()
}

fn decoded(
    mut decoder: impl Decode,
    text: &[u8],
    size: usize,
    batch_rows: usize,
) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    let mut chunks = text.chunks(size);
    let mut ended = false;
    loop {
        while let Some(decoded) = decoder.batch().map_err(|error| error.to_string())? {
            let batch: &RecordBatch = &decoded.batch;
            assert!((1..=batch_rows).contains(&batch.num_rows()));
            assert!(
                batch
                    .schema()
                    .fields()
                    .iter()
                    .all(|field| field.is_nullable())
            );
            let (n, s) = (batch.column(0), batch.column(1));
            let mut rejects = decoded.rejects.into_iter().peekable();
            for index in 0..batch.num_rows() {
                records.push(match rejects.next_if(|reject| reject.row == index) {
                    Some(reject) => {
                        assert!(n.is_null(index) && s.is_null(index), "a bad row is null");
                        Record::Bad(reject.rule, reject.line, reject.message, reject.raw)
                    }
                    None => Record::Row(
                        n.as_primitive::<Int64Type>().value(index),
                        s.is_valid(index)
                            .then(|| s.as_string::<i32>().value(index).to_owned()),
                    ),
                });
            }
            assert!(
                rejects.next().is_none(),
                "a reject speaks of a row that is there"
            );
        }
        match chunks.next() {
            Some(chunk) => decoder.push(Bytes::copy_from_slice(chunk)),
            None if ended => {
                assert!(decoder.batch().unwrap().is_none(), "the end stays the end");
                return Ok(records);
            }
            None => {
                decoder.finish();
                ended = true;
            }
        }
    }
}

/// The records of `text`, which are the same however it is split and however large batches are.
#[track_caller]
fn everywhere<D: Decode>(
    new: impl Fn(usize) -> D,
    text: impl AsRef<[u8]>,
) -> Result<Vec<Record>, String> {
    let text = text.as_ref();
    let whole = decoded(new(1000), text, text.len().max(1), 1000);
    for size in 1..=text.len().min(20) {
        for batch_rows in [1, 3, 1000] {
            let split = decoded(new(batch_rows), text, size, batch_rows);
            assert_eq!(split, whole, "by {size} bytes, {batch_rows} rows");
        }
    }
    whole
}

#[track_caller]
fn csv_gives(text: impl AsRef<[u8]>, records: &[Record]) {
    let found = everywhere(|rows| csv(true, TOLERANT, rows), text);
    assert_eq!(found, Ok(records.to_vec()));
}

const NO_INT: &str = "column 'n' is no Int64";
const EMPTY: &str = "column 'n' is empty, but declared `not null`";

#[test]
fn each_kind_of_bad_csv_record_is_told_wherever_it_stands() {
    let kinds: [(&[u8], Rule, &str, &str); 7] = [
        (b"1", Rule::RaggedRow, "1 fields, expected 2", "1"),
        (b"1,a,b", Rule::RaggedRow, "3 fields, expected 2", "1,a,b"),
        (
            b"1,\"a\n,b\",c",
            Rule::RaggedRow,
            "3 fields, expected 2",
            "1,\"a\n,b\",c",
        ),
        (
            b"1,a\xFF",
            Rule::BadEncoding,
            "field 2 is not UTF-8",
            "1,a\u{fffd}",
        ),
        (
            b"x\xC3,\xA9",
            Rule::BadEncoding,
            "field 1 is not UTF-8",
            "x\u{fffd},\u{fffd}",
        ),
        (b"one,\"a\"", Rule::BadValue, NO_INT, "one,\"a\""),
        (b",a", Rule::NullValue, EMPTY, ",a"),
    ];
    for (text, rule, what, raw) in kinds {
        for end in ["\n", "\r\n", "\r"] {
            let first = bad(rule, 2, what, raw);
            let lines = 1 + raw.matches('\n').count() as u64;
            for closed in [true, false] {
                let join = |parts: &[&[u8]]| {
                    let mut text = parts.join(end.as_bytes());
                    if closed {
                        text.extend_from_slice(end.as_bytes());
                    }
                    text
                };
                csv_gives(join(&[b"n,s", text, b"2,b"]), &[first.clone(), row(2, "b")]);
                csv_gives(
                    join(&[b"n,s", b"1,\"x\"\"\ny\"", b"", text, b"2,b"]),
                    &[row(1, "x\"\ny"), bad(rule, 5, what, raw), row(2, "b")],
                );
                csv_gives(
                    join(&[b"\xEF\xBB\xBFn,s", b"1,a", text]),
                    &[row(1, "a"), bad(rule, 3, what, raw)],
                );
                csv_gives(
                    join(&[b"n,\"s\"", text, text, b"7,"]),
                    &[first.clone(), bad(rule, 2 + lines, what, raw), row(7, "")],
                );
            }
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_takes_the_rest_of_the_file() {
    for (text, line, raw) in [
        ("n,s\n1,a\n2,\"b\n3,c\n4,d\n", 3, "2,\"b\n3,c\n4,d"),
        ("n,s\n1,a\n2,\"b", 3, "2,\"b"),
        ("n,s\r\n1,a\r\n\r\n\"2,b\r\n", 4, "\"2,b"),
    ] {
        csv_gives(
            text,
            &[
                row(1, "a"),
                bad(Rule::OpenQuote, line, "a quote is never closed", raw),
            ],
        );
    }
}

#[test]
fn nul_is_data_like_any_other() {
    csv_gives(
        "n,s\n1,a\0b\n2\0,c\n",
        &[row(1, "a\0b"), bad(Rule::BadValue, 3, NO_INT, "2\0,c")],
    );
}

#[test]
fn without_a_header_the_first_record_may_be_bad_too() {
    let new = |rows| csv(false, TOLERANT, rows);
    let ragged = "1 fields, expected 2";
    let found = everywhere(new, "\u{feff}1\n2,b\n");
    assert_eq!(
        found,
        Ok(vec![bad(Rule::RaggedRow, 1, ragged, "1"), row(2, "b")])
    );
    // What only begins like a byte order mark is the record's.
    let found = everywhere(new, b"\xEF\xBB,a\n2,b");
    let what = "field 1 is not UTF-8";
    let raw = "\u{fffd},a";
    assert_eq!(
        found,
        Ok(vec![bad(Rule::BadEncoding, 1, what, raw), row(2, "b")])
    );
    assert_eq!(everywhere(new, b"\xEF\xBB").unwrap().len(), 1);
    assert_eq!(everywhere(new, "\n\r\n"), Ok(Vec::new()));
}

#[test]
fn a_header_that_is_none_ends_the_file_all_the_same() {
    for (text, why) in [
        ("", "line 1: the file is empty"),
        ("s\n1\n", "line 1: the header lacks column 'n'"),
        ("n,\"s\n1,a\n", "after row 0: a quote is never closed"),
    ] {
        let fault = everywhere(|rows| csv(true, TOLERANT, rows), text).unwrap_err();
        assert!(fault.starts_with(why), "{fault}");
    }
}

#[test]
fn a_record_may_be_so_long_and_no_longer() {
    let long = "the record is longer than 5 bytes";
    for end in ["\n", "\r\n"] {
        let text = [
            "n,s",
            "1,abc",
            "2,abcd",
            "3,\"a\"",
            "4,\"ab\nc",
            "5\"",
            "5,x",
        ]
        .join(end);
        let found = everywhere(|rows| csv(true, at_most(5), rows), &text);
        let broken = format!("4,\"ab\nc{end}5\"");
        assert_eq!(
            found,
            Ok(vec![
                row(1, "abc"),
                bad(Rule::LongRecord, 3, long, "2,abcd"),
                row(3, "a"),
                bad(Rule::LongRecord, 5, long, &broken),
                row(5, "x"),
            ])
        );
    }
    let text = "{\"n\":1}\n{\"n\":12}\n{\"n\":3} \t\n  {\"n\": 4}\n{\"n\":5}";
    let long = "the record is longer than 7 bytes";
    let found = everywhere(|rows| json(false, at_most(7), rows), text);
    assert_eq!(
        found,
        Ok(vec![
            row(1, ""),
            bad(Rule::LongRecord, 2, long, "{\"n\":12}"),
            row(3, ""),
            bad(Rule::LongRecord, 4, long, "{\"n\": 4}"),
            row(5, ""),
        ])
    );
}

/// Strict reading with a bound is strict.
#[test]
fn without_tolerance_the_first_bad_record_ends_the_file() {
    let strict = RecordOptions {
        tolerant: false,
        ..at_most(6)
    };
    let good = "n,s\n1,a\n2,b\n";
    assert_eq!(decoded_strict(csv(true, strict, 10), good), Ok(2));
    let text = format!("{good}3,abcdef\n4\n");
    assert_eq!(
        decoded_strict(csv(true, strict, 10), &text),
        Err("line 4: the record is longer than 6 bytes".to_owned())
    );
    let strict = RecordOptions {
        tolerant: false,
        ..at_most(9)
    };
    assert_eq!(
        decoded_strict(json(true, strict, 10), "[{\"n\":1},\n{\"n\":\"x\"}]"),
        Err("line 2: column 'n' is no Int64".to_owned())
    );
}

fn decoded_strict(mut decoder: impl Decode, text: &str) -> Result<usize, String> {
    decoder.push(Bytes::copy_from_slice(text.as_bytes()));
    let mut rows = 0;
    for end in [false, true] {
        if end {
            decoder.finish();
        }
        while let Some(decoded) = decoder.batch().map_err(|error| error.to_string())? {
            assert!(!decoded.batch.schema().field(0).is_nullable());
            rows += decoded.batch.num_rows();
        }
    }
    Ok(rows)
}

/// A record of 100 MB is passed over without being held: what the process has grown by is far less.
#[test]
fn a_long_record_is_not_held() {
    fn read(mut decoder: impl Decode, before: &str, after: &str) -> Vec<(Rule, u64, usize)> {
        let chunk = Bytes::from(vec![b'x'; 1 << 20]);
        let mut parts = vec![Bytes::copy_from_slice(before.as_bytes())];
        parts.extend(std::iter::repeat_n(chunk, 100));
        parts.push(Bytes::copy_from_slice(after.as_bytes()));
        let mut rejects = Vec::new();
        let mut rows = 0;
        let mut take = |decoder: &mut dyn Decode| {
            while let Some(decoded) = decoder.batch().unwrap() {
                rows += decoded.batch.num_rows();
                let told = decoded.rejects.into_iter();
                rejects.extend(told.map(|reject| (reject.rule, reject.line, reject.raw.len())));
            }
        };
        for part in parts {
            decoder.push(part);
            take(&mut decoder);
        }
        decoder.finish();
        take(&mut decoder);
        assert_eq!(rows, 3);
        rejects
    }
    let before = peak();
    let told = [(Rule::LongRecord, 3, RAW_KEPT)];
    let bound = at_most(1 << 20);
    let found = read(csv(true, bound, 100), "n,s\n1,a\n2,", "\n3,c\n");
    assert_eq!(found, told);
    let found = read(
        json(false, bound, 100),
        "{\"n\":1}\n\n{\"s\":\"",
        "\"}\n{\"n\":3}",
    );
    assert_eq!(found, told);
    let found = read(
        json(true, bound, 100),
        "[{\"n\":1},\n\n{\"s\":\"",
        "\"},{\"n\":3}]",
    );
    assert_eq!(found, told);
    let grown = peak().saturating_sub(before);
    assert!(grown < 40 << 20, "{grown} bytes more");
}

/// The most memory that the process has had, where the system tells; nextest gives a test its own.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

const NO_OBJECT: &str = "the text is not one JSON object";
const ENDLESS: &str = "the file ends before the record, or the array, does";

#[test]
fn each_kind_of_bad_json_record_is_told_wherever_it_stands() {
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(128), "]".repeat(128));
    let too_deep = "objects and arrays nest deeper than 128 levels";
    let kinds: [(&[u8], Rule, &str); 12] = [
        (b"{\"n\":\"x\"}", Rule::BadValue, NO_INT),
        (
            b"{\"n\":1,\"s\":[]}",
            Rule::BadValue,
            "column 's' is no Utf8",
        ),
        (b"{\"s\":\"x\"}", Rule::NullValue, EMPTY),
        (b"{\"n\":null}", Rule::NullValue, EMPTY),
        (
            b"{\"n\":1,\"s\":\"\xFF\"}",
            Rule::BadEncoding,
            "the text is not UTF-8",
        ),
        (b"{\"n\" 1}", Rule::BadJson, NO_OBJECT),
        (b"{n:1}", Rule::BadJson, NO_OBJECT),
        (b"{\"n\":1}}", Rule::BadJson, NO_OBJECT),
        (b"{\"n\":1]", Rule::BadJson, NO_OBJECT),
        (b"{\"n\":1} {\"n\":2}", Rule::BadJson, NO_OBJECT),
        (b"\"n\"", Rule::BadJson, NO_OBJECT),
        (deep.as_bytes(), Rule::DeepJson, too_deep),
    ];
    for (text, rule, what) in kinds {
        let raw = String::from_utf8_lossy(text);
        for end in ["\n", "\r\n"] {
            let one: &[u8] = b"{\"n\":1,\"s\":\"a\\n}\"}";
            let lines = [
                b"\xEF\xBB\xBF{\"n\":0}",
                one,
                b"",
                text,
                b"  ",
                text,
                b"{\"n\":2}",
            ];
            let found = everywhere(
                |rows| json(false, TOLERANT, rows),
                lines.join(end.as_bytes()),
            );
            assert_eq!(
                found,
                Ok(vec![
                    row(0, ""),
                    row(1, "a\n}"),
                    bad(rule, 4, what, &raw),
                    bad(rule, 6, what, &raw),
                    row(2, ""),
                ])
            );
            let comma = format!(",{end}");
            let elements = [text, one, b"{\"n\":\n 2}", text].join(comma.as_bytes());
            let array = [b" [", elements.as_slice(), b"] "].concat();
            let found = everywhere(|rows| json(true, TOLERANT, rows), array);
            assert_eq!(
                found,
                Ok(vec![
                    bad(rule, 1, what, &raw),
                    row(1, "a\n}"),
                    row(2, ""),
                    bad(rule, 5, what, &raw),
                ])
            );
        }
    }
}

#[test]
fn a_line_that_is_cut_costs_only_itself() {
    let text = "{\"n\":1}\n{\"n\":2,\"s\":\"ab\n{\"n\":3}\n{\"n\":";
    let found = everywhere(|rows| json(false, TOLERANT, rows), text);
    let cut = "{\"n\":2,\"s\":\"ab";
    assert_eq!(
        found,
        Ok(vec![
            row(1, ""),
            bad(Rule::BadJson, 2, NO_OBJECT, cut),
            row(3, ""),
            bad(Rule::BadJson, 4, NO_OBJECT, "{\"n\":"),
        ])
    );
}

#[test]
fn what_is_no_array_is_told() {
    let new = |rows| json(true, TOLERANT, rows);
    let other = |line, raw: &str| bad(Rule::BadJson, line, NO_OBJECT, raw);
    let endless = |line, raw: &str| bad(Rule::BadJson, line, ENDLESS, raw);
    for (text, records) in [
        (
            "[{\"n\":1}{\"n\":2},{\"n\":3}]",
            vec![other(1, "{\"n\":1}{\"n\":2}"), row(3, "")],
        ),
        (
            "[{\"n\":1},\n,{\"n\":3},\n]",
            vec![row(1, ""), other(2, ""), row(3, ""), other(3, "")],
        ),
        (
            "[{\"n\":1}]\n, {\"n\":2}]\n",
            vec![row(1, ""), other(2, ", {\"n\":2}]")],
        ),
        (
            "[{\"n\":1},\n{\"n\":[2,\n{\"n\":3}]",
            vec![row(1, ""), endless(2, "{\"n\":[2,\n{\"n\":3}]")],
        ),
        ("[{\"n\":1}\n", vec![row(1, ""), endless(2, "")]),
        ("[{\"n\":1},\n", vec![row(1, ""), endless(2, "")]),
        ("[", vec![endless(1, "")]),
        ("[]", vec![]),
        ("", vec![]),
        (
            "\u{feff} [1, \"a,]\", [{\"n\":1}]]",
            vec![other(1, "1"), other(1, "\"a,]\""), other(1, "[{\"n\":1}]")],
        ),
        (
            "{\"n\":1}\n{\"n\":\n2} {\"n\":3}x {\"n\":4}\n{\"n\":5}",
            vec![
                row(1, ""),
                row(2, ""),
                row(3, ""),
                other(3, "x {\"n\":4}"),
                row(5, ""),
            ],
        ),
        (
            "{\"n\":1}\n\"a {\n{\"n\":3}",
            vec![row(1, ""), other(2, "\"a {"), row(3, "")],
        ),
        (
            "{\"n\":1}\n{\"n\":{\n{\"n\":3}",
            vec![row(1, ""), endless(2, "{\"n\":{\n{\"n\":3}")],
        ),
    ] {
        let found = everywhere(new, text);
        assert_eq!(found, Ok(records), "{text}");
    }
    // The two bytes are no byte order mark, and nothing is lost without a word.
    let found = everywhere(new, b"\xEF\xBB").unwrap();
    assert_eq!(found, [other(1, "")]);
    let found = everywhere(new, b"\xEF\xBB{\"n\":1}\n{\"n\":2}").unwrap();
    assert_eq!(found, [other(1, "\u{fffd}{\"n\":1}"), row(2, "")]);
}

#[test]
fn latin_1_is_read_as_its_users_wrote_it() {
    let latin = RecordOptions {
        encoding: Encoding::Latin1,
        ..TOLERANT
    };
    let found = everywhere(
        |rows| csv(true, latin, rows),
        b"n,s\n1,M\xFCller \x96 5 \x80\nzw\xF6lf,x\n",
    );
    assert_eq!(
        found,
        Ok(vec![
            row(1, "Müller – 5 €"),
            bad(Rule::BadValue, 3, NO_INT, "zwölf,x"),
        ])
    );
    let found = everywhere(|rows| json(false, latin, rows), b"{\"n\":1,\"s\":\"\xE9\"}");
    assert_eq!(found, Ok(vec![row(1, "é")]));
}

/// Pseudo-random numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most
    }
}

/// Whatever mixture of good and bad records a file is, the good ones come out as they are and in
/// order, and the bad ones with their rule and line.
#[test]
fn mixtures_come_apart() {
    for seed in 1..=150_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let end = ["\n", "\r\n"][dice.roll(2)];
        let (mut csv_text, mut csv_records) = (format!("n,s{end}").into_bytes(), Vec::new());
        let (mut lines_text, mut lines_records) = (Vec::new(), Vec::new());
        let (mut array_text, mut array_records) = (b"[".to_vec(), Vec::new());
        let ends = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            text.replace("\r\n", "\n").matches('\n').count() as u64
        };
        for n in 0..dice.roll(30) {
            let n = i64::try_from(n).unwrap();
            let text = ["", "a", "é\t", "x,y", "q\"q", "two\nlines", "{[}"][dice.roll(7)];
            let good = row(n, text);
            // CSV.
            let line = 1 + ends(&csv_text);
            let quoted = format!("{n},\"{}\"", text.replace('"', "\"\""));
            let (record, expected): (Vec<u8>, Record) = match dice.roll(9) {
                0 => (
                    format!("{quoted},more").into(),
                    bad(
                        Rule::RaggedRow,
                        line,
                        "3 fields, expected 2",
                        &format!("{quoted},more"),
                    ),
                ),
                1 => (
                    b"x,\"y\n\"".to_vec(),
                    bad(Rule::BadValue, line, NO_INT, "x,\"y\n\""),
                ),
                2 => (b",".to_vec(), bad(Rule::NullValue, line, EMPTY, ",")),
                3 => (
                    b"1,\xC3(".to_vec(),
                    bad(
                        Rule::BadEncoding,
                        line,
                        "field 2 is not UTF-8",
                        "1,\u{fffd}(",
                    ),
                ),
                4 => (
                    vec![b'z'; 90],
                    bad(
                        Rule::LongRecord,
                        line,
                        "the record is longer than 80 bytes",
                        &"z".repeat(90),
                    ),
                ),
                _ => (quoted.into(), good.clone()),
            };
            csv_text.extend_from_slice(&record);
            csv_text.extend_from_slice(end.repeat(1 + dice.roll(2)).as_bytes());
            csv_records.push(expected);
            // JSON.
            let escaped = text
                .replace('"', "\\\"")
                .replace('\n', "\\n")
                .replace('\t', "\\t");
            let object = match text {
                "" => format!("{{\"n\":{n}}}"),
                _ => format!("{{\"s\":\"{escaped}\", \"n\":{n}}}"),
            };
            let (record, rule, what): (Vec<u8>, Rule, &str) = match dice.roll(9) {
                0 => (b"{\"n\":true}".to_vec(), Rule::BadValue, NO_INT),
                1 => (b"{}".to_vec(), Rule::NullValue, EMPTY),
                2 => (
                    b"{\"n\":1,\"\xC3\":2}".to_vec(),
                    Rule::BadEncoding,
                    "the text is not UTF-8",
                ),
                3 => (b"{\"n\":nil}".to_vec(), Rule::BadJson, NO_OBJECT),
                4 => (
                    vec![b'z'; 90],
                    Rule::LongRecord,
                    "the record is longer than 80 bytes",
                ),
                _ => (object.into(), Rule::BadJson, ""),
            };
            let expect = |line: u64| match what {
                "" => good.clone(),
                _ => bad(rule, line, what, &String::from_utf8_lossy(&record)),
            };
            lines_records.push(expect(1 + ends(&lines_text)));
            lines_text.extend_from_slice(&record);
            lines_text.extend_from_slice(end.repeat(1 + dice.roll(2)).as_bytes());
            if n > 0 {
                array_text.extend_from_slice(b",");
            }
            array_text.extend_from_slice(end.repeat(dice.roll(2)).as_bytes());
            array_records.push(expect(1 + ends(&array_text)));
            array_text.extend_from_slice(&record);
        }
        array_text.extend_from_slice(b"]");
        let options = at_most(80);
        for (batch_rows, sizes) in [(4, [1, 7]), (1000, [3, 100_000])] {
            for size in sizes {
                let found = decoded(csv(true, options, batch_rows), &csv_text, size, batch_rows);
                assert_eq!(found.as_ref(), Ok(&csv_records), "seed {seed}");
                let new = || json(false, options, batch_rows);
                let found = decoded(new(), &lines_text, size, batch_rows);
                assert_eq!(found.as_ref(), Ok(&lines_records), "seed {seed}");
                let new = || json(true, options, batch_rows);
                let found = decoded(new(), &array_text, size, batch_rows);
                assert_eq!(found.as_ref(), Ok(&array_records), "seed {seed}");
            }
        }
    }
}

/// Records with a value in a column that nobody declared.
#[test]
fn a_column_that_is_not_declared_keeps_records_aside() {
    let judging = RecordOptions {
        undeclared: Undeclared::Quarantine,
        ..TOLERANT
    };
    let found = everywhere(
        |rows| csv(true, judging, rows),
        "n,tax,s\n1,,a\n2,5,b\n3,\"\",c\nx,6,d\n",
    )
    .unwrap();
    let bad = |rule, line, what: &str, raw: &str| {
        Record::Bad(rule, line, format!("line {line}: {what}"), raw.to_owned())
    };
    let row = |n, s: &str| Record::Row(n, Some(s.to_owned()));
    assert_eq!(
        found,
        [
            row(1, "a"),
            bad(Rule::NewColumn, 3, "column 'tax' is not declared", "2,5,b"),
            row(3, "c"),
            bad(Rule::BadValue, 5, "column 'n' is no Int64", "x,6,d"),
        ]
    );
    let found = everywhere(
        |rows| json(true, judging, rows),
        r#"[{"n":1,"s":"a"},
{"n":2,"s":"b","t\u0061x":{"rate":5}},
{"n":3,"s":"c","tax":null}]"#,
    )
    .unwrap();
    let raw = r#"{"n":2,"s":"b","t\u0061x":{"rate":5}}"#;
    assert_eq!(
        found,
        [
            row(1, "a"),
            bad(Rule::NewColumn, 2, "column 'tax' is not declared", raw),
            row(3, "c"),
        ]
    );
}

#[test]
fn a_column_that_is_not_declared_ends_the_file() {
    for tolerant in [true, false] {
        let strict = RecordOptions {
            tolerant,
            undeclared: Undeclared::Freeze,
            ..TOLERANT
        };
        let ends = |decoder: Result<Vec<Record>, String>, what: &str| {
            assert_eq!(decoder.unwrap_err(), what);
        };
        let text = "n,s,tax\n1,a,\n";
        ends(
            decoded_any(csv(true, strict, 10), text),
            "line 1: column 'tax' is not declared",
        );
        let text = "{\"n\":1,\"s\":\"a\"}\n{\"n\":2,\"tax\":null}\n";
        ends(
            decoded_any(json(false, strict, 10), text),
            "line 2: column 'tax' is not declared",
        );
    }
    let long = format!("n,s,{}\u{7}\n", "x".repeat(300));
    let strict = RecordOptions {
        undeclared: Undeclared::Freeze,
        ..TOLERANT
    };
    let fault = decoded_any(csv(true, strict, 10), &long).unwrap_err();
    assert!(fault.contains("xxx…'") && fault.len() < 160, "{fault}");
}

/// All of a text at once.
fn decoded_any(mut decoder: impl Decode, text: &str) -> Result<Vec<Record>, String> {
    decoder.push(Bytes::copy_from_slice(text.as_bytes()));
    decoder.finish();
    while let Some(_batch) = decoder.batch().map_err(|error| error.to_string())? {}
    Ok(Vec::new())
}
