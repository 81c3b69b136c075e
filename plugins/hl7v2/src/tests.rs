use decoder_paths::testing;
use decoder_paths::testing::some;
use weir_plugin::arrow::array::{Int32Array, Int64Array};
use weir_plugin::testing::{Decoded, Harness};

use super::*;

mod mutated;
mod real_data;

const ADT: &str = "MSH|^~\\&|LAB|NORTH|||20240105||ADT^A01|m-1|P|2.5\rPID|1||77^^^MRN~88^^^SSN||ROE^ANN&B\rPV1|1|I\r";

fn decode(config: &str, file: &[u8]) -> Decoded {
    Harness::new(config).decode::<Hl7>(&[file]).unwrap()
}

/// One column of text of the rows for which the file's segment, behind an MSH, gives one.
fn column(path: &str, segment: &str) -> Option<String> {
    column_of("MSH|^~\\&|\r", path, segment)
}

fn column_of(header: &str, path: &str, segment: &str) -> Option<String> {
    let name = segment.get(..3).unwrap();
    let config = format!(r#"{{ "segment": "{name}", "columns": {{ "x": "{path}" }} }}"#);
    let decoded = decode(&config, format!("{header}{segment}").as_bytes());
    assert_eq!(decoded.rejections, []);
    texts(&decoded, "x").pop().unwrap()
}

/// The items of the only row's list.
fn list(path: &str, segment: &str) -> Option<Vec<Option<String>>> {
    let name = segment.get(..3).unwrap();
    let config = format!(r#"{{ "segment": "{name}", "columns": {{ "x": "{path}" }} }}"#);
    let decoded = decode(&config, format!("MSH|^~\\&|\r{segment}").as_bytes());
    assert_eq!(decoded.rejections, []);
    lists(&decoded, "x").pop().unwrap()
}

fn texts(decoded: &Decoded, column: &str) -> Vec<Option<String>> {
    testing::texts(&decoded.rows, column)
}

fn lists(decoded: &Decoded, column: &str) -> Vec<Option<Vec<Option<String>>>> {
    testing::lists(&decoded.rows, column)
}

fn joined(decoded: &Decoded, column: &str, separator: &str) -> Vec<String> {
    let lists = lists(decoded, column).into_iter();
    let join = |list: Option<Vec<Option<String>>>| {
        let items: Vec<String> = list.unwrap().into_iter().flatten().collect();
        items.join(separator)
    };
    lists.map(join).collect()
}

fn rejected(decoded: &Decoded) -> Vec<(&str, u64, u64)> {
    let rejections = decoded.rejections.iter();
    rejections
        .map(|rejected| (rejected.rule.as_str(), rejected.offset, rejected.length))
        .collect()
}

#[test]
fn every_segment_is_a_row() {
    let decoded = decode(
        "{}",
        format!("{ADT}{}", ADT.replace("m-1", "m-2")).as_bytes(),
    );
    assert_eq!(decoded.rejections, []);
    let message: &Int64Array = decoded.rows["message"].as_primitive();
    assert_eq!(message, &Int64Array::from(vec![1, 1, 1, 2, 2, 2]));
    let segment: &Int32Array = decoded.rows["segment"].as_primitive();
    assert_eq!(segment, &Int32Array::from(vec![1, 2, 3, 1, 2, 3]));
    let ids = texts(&decoded, "control_id");
    assert_eq!(ids, some(&["m-1", "m-1", "m-1", "m-2", "m-2", "m-2"]));
    assert_eq!(texts(&decoded, "type"), some(&["ADT^A01"; 6]));
    let names = some(&["MSH", "PID", "PV1", "MSH", "PID", "PV1"]);
    assert_eq!(texts(&decoded, "name"), names);
    // The first field of MSH is the separator itself.
    let fields = joined(&decoded, "fields", " ");
    assert_eq!(fields[0], "| ^~\\& LAB NORTH   20240105  ADT^A01 m-1 P 2.5");
    assert_eq!(fields[1], "1  77^^^MRN~88^^^SSN  ROE^ANN&B");
    assert_eq!(fields[2], "1 I");
}

#[test]
fn segments_end_in_any_of_three_ways() {
    let expected = decode("{}", ADT.as_bytes()).rows;
    for end in ["\n", "\r\n", "\r\r", "\n\n"] {
        let decoded = decode("{}", ADT.replace('\r', end).as_bytes());
        assert_eq!(
            (decoded.rows, decoded.rejections),
            (expected.clone(), vec![])
        );
    }
    let decoded = decode("{}", ADT.trim_end().as_bytes());
    assert_eq!(decoded.rows, expected, "the last end may be missing");
    let decoded = decode("{}", format!("\u{feff}{ADT}").as_bytes());
    assert_eq!(decoded.rows, expected, "a byte order mark is passed over");
}

#[test]
fn mllp_frames_messages() {
    let expected = decode("{}", ADT.repeat(2).as_bytes()).rows;
    let framed = format!("\x0b{ADT}\x1c\r");
    let decoded = decode("{}", framed.repeat(2).as_bytes());
    assert_eq!(
        (decoded.rows, decoded.rejections),
        (expected.clone(), vec![])
    );
    // Some leave out the last segment's own end.
    let framed = format!("\x0b{}\x1c\r", ADT.trim_end());
    let decoded = decode("{}", framed.repeat(2).as_bytes());
    assert_eq!((decoded.rows, decoded.rejections), (expected, vec![]));
    // Nothing belongs to a message whose frame has ended.
    let decoded = decode("{}", b"\x0bMSH|^~\\&|\r\x1c\rPID|1\r\x0bPID|1");
    assert_eq!(decoded.rows.num_rows(), 1);
    assert_eq!(rejected(&decoded), [("no_header", 13, 12)]);
    // Within a segment the byte is a vertical tab.
    assert_eq!(column("1", "NTE|a\x0bb").unwrap(), "a\x0bb");
}

#[test]
fn batches_surround_messages() {
    let file = format!("FHS|^~\\&|A\rBHS|^~\\&|B\r{ADT}BTS|1\rFTS|1\r");
    let decoded = decode("{}", file.as_bytes());
    assert_eq!(decoded.rejections, []);
    let names = ["FHS", "BHS", "MSH", "PID", "PV1", "BTS", "FTS"];
    assert_eq!(texts(&decoded, "name"), some(&names));
    assert_eq!(joined(&decoded, "fields", " ")[0], "| ^~\\& A");
    let message: Vec<_> = decoded.rows["message"]
        .as_primitive::<weir_plugin::arrow::datatypes::Int64Type>()
        .iter()
        .collect();
    assert_eq!(message, [None, None, Some(1), Some(1), Some(1), None, None]);
    assert_eq!(decoded.rows["segment"].null_count(), 4);
    let decoded = decode(
        r#"{ "segment": "BTS", "columns": { "count": "1" } }"#,
        file.as_bytes(),
    );
    assert_eq!(texts(&decoded, "count"), some(&["1"]));
    // A segment behind the batch's end, or between its begin and a message, is in no message.
    let decoded = decode("{}", b"BHS|^~\\&|\rPID|1\rMSH|^~\\&|\rBTS|1\rPID|2\r");
    assert_eq!(
        rejected(&decoded),
        [("no_header", 10, 5), ("no_header", 32, 5)]
    );
}

#[test]
fn separators_are_those_of_each_message() {
    let config = r#"{ "segment": "PID", "columns": { "family": "5.1", "second": "3[2].1", "sub": "5.2.2" } }"#;
    let file = format!("{ADT}MSH#*!%?#LAB\rPID#1##7!8##DOE*X?Y%F%Z%S%|^~\r{ADT}");
    let decoded = decode(config, file.as_bytes());
    assert_eq!(decoded.rejections, []);
    assert_eq!(texts(&decoded, "family"), some(&["ROE", "DOE", "ROE"]));
    assert_eq!(texts(&decoded, "second"), some(&["88", "8", "88"]));
    assert_eq!(texts(&decoded, "sub"), some(&["B", "Y#Z*|^~", "B"]));
}

#[test]
fn separators_of_less_use_may_be_missing() {
    assert_eq!(column_of("MSH|\r", "1.1", "NTE|a^b~c").unwrap(), "a^b~c");
    assert_eq!(column_of("MSH||\r", "1.1.1", "NTE|a^b&c").unwrap(), "a^b&c");
    assert_eq!(column_of("MSH|^|\r", "1.2", "NTE|a^b~c").unwrap(), "b~c");
    assert_eq!(
        column_of("MSH|^~|\r", "1[2].1", "NTE|a^b~c\\F\\").unwrap(),
        "c\\F\\"
    );
    assert_eq!(
        column_of("MSH|^~\\|\r", "1.1.1", "NTE|a&\\F\\").unwrap(),
        "a&|"
    );
    // Since version 2.7 there is a fifth.
    assert_eq!(
        column_of("MSH|^~\\&#|\r", "1.1.2", "NTE|a&b\\P\\").unwrap(),
        "b#"
    );
    // A doubled escape character is one.
    assert_eq!(
        column_of("MSH|^~\\\\&|\r", "1.1.2", "NTE|a&b\\T\\").unwrap(),
        "b&"
    );
    assert_eq!(
        column_of("MSH|^~\\\\|\r", "1", "NTE|a&\\E\\").unwrap(),
        "a&\\"
    );
}

#[test]
fn paths_lead_to_parts() {
    let pid = "PID|1||77^^^MRN~88^^^SSN||ROE^ANN&B^^|||W~^A~\"\"~B|\"\"|";
    for (path, expected) in [
        ("1", Some("1")),
        ("2", None),
        ("3", Some("77")),
        ("3.1", Some("77")),
        ("3.4", Some("MRN")),
        ("3[2]", Some("88")),
        ("3[2].4.1", Some("SSN")),
        ("3[3].1", None),
        ("5.2", Some("ANN")),
        ("5.2.1", Some("ANN")),
        ("5.2.2", Some("B")),
        ("5.2.3", None),
        ("5.3", None),
        ("5.9", None),
        ("8[3]", None),
        ("9", None),
        ("10", None),
        ("99.1", None),
    ] {
        assert_eq!(column(path, pid).as_deref(), expected, "{path}");
    }
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(list("3[*].4", pid).unwrap(), [some("MRN"), some("SSN")]);
    assert_eq!(list("1[*]", pid).unwrap(), [some("1")]);
    // An item without a value keeps its place; a field without any has no items.
    assert_eq!(
        list("8[*]", pid).unwrap(),
        [some("W"), None, None, some("B")]
    );
    assert_eq!(list("2[*]", pid), None);
    assert_eq!(list("9[*]", pid), None);
    assert_eq!(list("99[*]", pid), None);
}

#[test]
fn a_header_counts_its_separator_as_a_field() {
    let config = r#"{ "segment": "MSH", "columns": {
        "one": "1", "two": "2.1", "none": "2.2", "event": "9.2", "id": "10", "all": "2[*]", "second": "2[2]"
    } }"#;
    let decoded = decode(config, ADT.as_bytes());
    assert_eq!(texts(&decoded, "one"), some(&["|"]));
    assert_eq!(texts(&decoded, "two"), some(&["^~\\&"]));
    assert_eq!(texts(&decoded, "none"), [None]);
    assert_eq!(texts(&decoded, "event"), some(&["A01"]));
    assert_eq!(texts(&decoded, "id"), some(&["m-1"]));
    assert_eq!(lists(&decoded, "all"), [Some(some(&["^~\\&"]))]);
    assert_eq!(texts(&decoded, "second"), [None]);
}

#[test]
fn escape_sequences_are_decoded_in_columns() {
    for (written, expected) in [
        ("a\\F\\b\\S\\c\\R\\d\\T\\e\\E\\f", "a|b^c~d&e\\f"),
        ("\\X41\\\\X0D0a\\", "A\r\n"),
        ("\\XC3A9\\", "é"),
        ("one\\.br\\two", "one\ntwo"),
        ("\\H\\F\\N\\", "\\H\\F\\N\\"),
        ("\\.sp2\\x", "\\.sp2\\x"),
        ("\\C2842\\\\Z1\\", "\\C2842\\\\Z1\\"),
        // What is no sequence stays as it is.
        ("\\X4\\", "\\X4\\"),
        ("\\XC3\\", "\\XC3\\"),
        ("\\X\\", "\\X\\"),
        ("\\Xzz\\", "\\Xzz\\"),
        ("c:\\temp\\F\\", "c:\\temp|"),
        ("a\\r", "a\\r"),
        ("\\", "\\"),
        ("\\\\", "\\\\"),
        ("é\\é\\F\\", "é\\é|"),
    ] {
        let segment = format!("NTE|{written}");
        assert_eq!(
            column("1", &segment).as_deref(),
            Some(expected),
            "{written}"
        );
        let as_written = decode("{}", format!("MSH|^~\\&|\r{segment}").as_bytes());
        assert_eq!(joined(&as_written, "fields", "|")[1], written);
    }
    // An escaped separator separates nothing.
    assert_eq!(column("1.2", "NTE|a\\S\\b^c").unwrap(), "c");
}

#[test]
fn segments_may_be_chosen_without_columns() {
    let decoded = decode(r#"{ "segment": "PV1" }"#, ADT.as_bytes());
    assert_eq!(texts(&decoded, "name"), some(&["PV1"]));
    let segment: &Int32Array = decoded.rows["segment"].as_primitive();
    assert_eq!(segment.values(), &[3]);
}

#[test]
fn what_stands_outside_of_messages_is_rejected_as_one() {
    let file = format!("\r\nnoise\rPID|1\r\r{ADT}");
    let decoded = decode("{}", file.as_bytes());
    assert_eq!(decoded.rows.num_rows(), 3);
    assert_eq!(rejected(&decoded), [("no_header", 2, 11)]);
    let decoded = decode("{}", b"BTS|1\rMSHIP|x\rFTS");
    assert_eq!(rejected(&decoded), [("no_header", 0, 17)]);
}

#[test]
fn a_header_without_its_separators_is_rejected_and_so_is_its_message() {
    for header in [
        "MSH",
        "MSH|^~\\&#!|",
        "MSH|^^\\&|",
        "MSH|abc|",
        "MSH|^~\\\u{e9}|",
        "BHS|^~~&|",
    ] {
        let file = format!("{header}\rPID|1\r{ADT}");
        let decoded = decode("{}", file.as_bytes());
        let length = header.len() as u64;
        let expected = [("bad_header", 0, length), ("no_header", length + 1, 5)];
        assert_eq!(rejected(&decoded), expected, "{header}");
        let message: &Int64Array = decoded.rows["message"].as_primitive();
        assert_eq!(message, &Int64Array::from(vec![1, 1, 1]), "{header}");
    }
    let long = "x".repeat(201);
    for file in [ADT.replace("m-1", &long), ADT.replace("A01", &long)] {
        let decoded = decode("{}", file.as_bytes());
        let rules: Vec<_> = rejected(&decoded)
            .iter()
            .map(|rejected| rejected.0)
            .collect();
        assert_eq!(rules, ["bad_header", "no_header"]);
    }
}

#[test]
fn a_bad_segment_keeps_its_place() {
    let decoded = decode(
        "{}",
        b"MSH|^~\\&|\rplain text\rP-1|\rPID\rPI|\rPID^1\rNTE|1\r",
    );
    let expected = [
        ("bad_segment", 10, 10),
        ("bad_segment", 21, 4),
        ("bad_segment", 26, 3),
        ("bad_segment", 30, 3),
        ("bad_segment", 34, 5),
    ];
    assert_eq!(rejected(&decoded), expected);
    let segment: &Int32Array = decoded.rows["segment"].as_primitive();
    assert_eq!(segment, &Int32Array::from(vec![1, 7]));
}

#[test]
fn a_segment_that_is_not_utf8_is_rejected_where_it_is_wanted() {
    let file = b"MSH|^~\\&|\xff||||||ADT|m-1\rNTE|\xe9\rPID|1\r";
    let decoded = decode("{}", file);
    assert_eq!(
        rejected(&decoded),
        [("not_utf8", 0, 23), ("not_utf8", 24, 5)]
    );
    assert_eq!(texts(&decoded, "control_id"), some(&["m-1"]));
    let decoded = decode(r#"{ "segment": "PID" }"#, file);
    assert_eq!(decoded.rejections, []);
    let file = b"MSH|^~\\&|||||||A\xff|m\xff\rPID|1\r";
    let decoded = decode(r#"{ "segment": "PID" }"#, file);
    assert_eq!(
        (texts(&decoded, "type"), texts(&decoded, "control_id")),
        (vec![None], vec![None])
    );
}

#[test]
fn a_segment_that_is_too_long_is_passed_over() {
    let config = r#"{ "max_bytes": 30 }"#;
    let long = "x".repeat(40);
    let file = format!("MSH|^~\\&|\rOBX|{long}\rNTE|{}\r", &long[..26]);
    let decoded = decode(config, file.as_bytes());
    assert_eq!(rejected(&decoded), [("too_long", 10, 44)]);
    let segment: &Int32Array = decoded.rows["segment"].as_primitive();
    assert_eq!(segment, &Int32Array::from(vec![1, 3]));
    // What follows a header that is too long is not of the message before it.
    let file = format!("MSH|^~\\&|\rMSH|^~\\&|{long}\rNTE|1\r");
    let decoded = decode(config, file.as_bytes());
    assert_eq!(
        rejected(&decoded),
        [("too_long", 10, 49), ("no_header", 60, 5)]
    );
    // The last, the first and the only one.
    let decoded = decode(config, long.as_bytes());
    assert_eq!(rejected(&decoded), [("no_header", 0, 40)]);
}

#[test]
fn the_usual_bound_is_a_mebibyte() {
    let file = format!("MSH|^~\\&|\rOBX|{}\rNTE|1\r", "x".repeat(MAX_BYTES));
    let mut decoder = Hl7::bind(weir_plugin::serde_json::from_str("{}").unwrap(), &context())
        .unwrap()
        .0;
    for chunk in file.as_bytes().chunks(100_000) {
        decoder.unread.push(chunk);
        let end = |bytes: &[u8]| {
            bytes
                .iter()
                .position(|byte| *byte == b'\r')
                .map(|end| end..end + 1)
        };
        while decoder.unread.next(decoder.max, end).is_some() {}
        assert!(decoder.unread.rest().len() <= MAX_BYTES);
    }
    let decoded = Harness::new("{}")
        .decode::<Hl7>(&[file.as_bytes()])
        .unwrap();
    assert_eq!(rejected(&decoded), [("too_long", 10, 4 + MAX_BYTES as u64)]);
    assert_eq!(decoded.rows.num_rows(), 2);
}

fn context() -> Context {
    Context {
        run: weir_plugin::Run {
            pipeline: String::new(),
            step: String::new(),
            parameters: Vec::new(),
        },
        input: Arc::new(Schema::empty()),
        side_inputs: Vec::new(),
    }
}

#[test]
fn empty_and_cut_files() {
    for file in ["", "\r\n", "\x0b\x1c\r", "\u{feff}"] {
        let decoded = decode("{}", file.as_bytes());
        assert_eq!(
            (decoded.rows.num_rows(), decoded.rejections),
            (0, vec![]),
            "{file:?}"
        );
    }
    for length in 0..ADT.len() {
        let decoded = decode("{}", &ADT.as_bytes()[..length]);
        assert!(decoded.rejections.len() <= 1, "{length}");
    }
}

#[test]
fn many_rows_come_in_several_batches() {
    let file = format!("MSH|^~\\&|\r{}", "NTE|1\r".repeat(20_000));
    assert_eq!(decode("{}", file.as_bytes()).rows.num_rows(), 20_001);
}

#[test]
fn a_configuration_that_cannot_be_says_what_to_write() {
    for (config, says) in [
        (
            r#"{ "columns": { "a": "1" } }"#,
            "say which, such as segment = \"PID\"",
        ),
        (r#"{ "segment": "P" }"#, "write its three characters"),
        (r#"{ "segment": "P-D" }"#, "write its three characters"),
        (
            r#"{ "segment": "PID", "columns": {} }"#,
            "`columns` names no column",
        ),
        (
            r#"{ "segment": "PID", "columns": { "a": "0" } }"#,
            "a path is a field",
        ),
        (
            r#"{ "segment": "PID", "columns": { "a": "3[0]" } }"#,
            "all from 1",
        ),
        (
            r#"{ "segment": "PID", "columns": { "a": "PID-3" } }"#,
            "a path is a field",
        ),
        (
            r#"{ "segment": "PID", "columns": { "a": "1", "a": "2" } }"#,
            "two columns are named `a`",
        ),
        (
            r#"{ "segment": "PID", "columns": { "message": "1" } }"#,
            "the decoder itself gives a column `message`",
        ),
        (
            r#"{ "segment": "PID", "column": {} }"#,
            "unknown field `column`",
        ),
        (
            r#"{ "max_bytes": 0 }"#,
            "`max_bytes` is a number of bytes from 1",
        ),
    ] {
        let error = Harness::new(config).decode::<Hl7>(&[]).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    let config = r#"{ "segment": "PID", "columns": { "type": "1", "name": "5.1" } }"#;
    let schema = decode(config, b"").rows.schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["message", "control_id", "segment", "type", "name"]);
}
