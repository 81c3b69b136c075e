//! Lines of exports: what they become, and what is wrong with those that are none.

use serde_json::Value;
use weir_dynamodb::{DEEPEST, ExportLines, Fault, Wrong};

fn convert(line: impl AsRef<[u8]>) -> Result<String, Fault> {
    // What is there already stays as it is, whatever happens.
    let mut out = b"before".to_vec();
    let converted = ExportLines::new().convert(line.as_ref(), &mut out);
    let json = out.strip_prefix(b"before").expect("what was there stays");
    if converted.is_err() {
        assert!(json.is_empty(), "a line at fault leaves nothing");
    }
    converted.map(|()| {
        let json = String::from_utf8(json.to_vec()).unwrap();
        serde_json::from_str::<Value>(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
        json
    })
}

/// An item with one attribute `a`.
fn with(value: &str) -> String {
    format!(r#"{{"Item":{{"a":{value}}}}}"#)
}

#[test]
fn every_type_has_its_json() {
    for (value, json) in [
        (r#"{"S":""}"#, r#""""#),
        (r#"{"S":"x"}"#, r#""x""#),
        (r#"{"S":"å😀"}"#, r#""å😀""#),
        (r#"{"S":"\u00e5\ud83d\ude00\/\u0041"}"#, r#""å😀/A""#),
        (
            r#"{"S":"\"\\\b\f\n\r\t\u0001\u007f"}"#,
            "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\u{7f}\"",
        ),
        (r#"{"N":"0"}"#, "0"),
        (r#"{"N":"12.50"}"#, "12.50"),
        (r#"{"N":"-1E+5"}"#, "-1E+5"),
        (r#"{"N":"1\u0045-7"}"#, "1E-7"),
        (r#"{"N":"+007"}"#, "7"),
        (
            r#"{"N":"99999999999999999999999999999999999999"}"#,
            "99999999999999999999999999999999999999",
        ),
        (
            r#"{"N":"9.9999999999999999999999999999999999999E+125"}"#,
            "9.9999999999999999999999999999999999999E+125",
        ),
        (r#"{"BOOL":true}"#, "true"),
        (r#"{"BOOL":false}"#, "false"),
        (r#"{"NULL":true}"#, "null"),
        (r#"{"B":""}"#, r#""""#),
        (r#"{"B":"AP8="}"#, r#""AP8=""#),
        (r#"{"B":"\/\/8="}"#, r#""//8=""#),
        (r#"{"M":{}}"#, "{}"),
        (
            r#"{"M":{"b":{"N":"1"},"a":{"M":{"z":{"S":"1"},"y":{"S":"2"}}}}}"#,
            r#"{"a":{"y":"2","z":"1"},"b":1}"#,
        ),
        (r#"{"L":[]}"#, "[]"),
        (
            r#"{"L":[{"N":"1"},{"L":[{"S":"x"}]},{"M":{"k":{"NULL":true}}}]}"#,
            r#"[1,["x"],{"k":null}]"#,
        ),
        (r#"{"SS":["b","a","\u0062c"]}"#, r#"["b","a","bc"]"#),
        (r#"{"NS":["2","1E+3","-0.5"]}"#, "[2,1E+3,-0.5]"),
        (r#"{"BS":["AA==","AAA="]}"#, r#"["AA==","AAA="]"#),
        (r#"{"SS":[]}"#, "[]"),
    ] {
        assert_eq!(
            convert(with(value)).unwrap(),
            format!(r#"{{"a":{json}}}"#),
            "{value}"
        );
    }
}

#[test]
fn blanks_and_ends_of_lines_do_not_matter() {
    for line in [
        "{\"Item\":{\"a\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}}}\n",
        "{\"Item\":{\"a\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}}}\r\n",
        " \t{ \"Item\" : { \"a\" : { \"L\" : [ { \"N\" : \"1\" } , { \"N\" : \"2\" } ] } } } ",
    ] {
        assert_eq!(convert(line).unwrap(), r#"{"a":[1,2]}"#);
    }
    assert_eq!(convert(r#"{"Item":{}}"#).unwrap(), "{}");
    assert_eq!(convert(r#"{"Item":{ }}"#).unwrap(), "{}");
}

#[test]
fn attributes_are_sorted_by_their_names_as_they_are() {
    // By the characters and not by how they are escaped: a quote comes before a letter.
    let line = r#"{"Item":{"b":{"N":"1"},"\"":{"N":"2"},"a":{"N":"3"},"\\":{"N":"4"},"å":{"N":"5"},"":{"N":"6"},"ab":{"N":"7"},"\u0061a":{"N":"8"},"A":{"N":"9"}}}"#;
    assert_eq!(
        convert(line).unwrap(),
        r#"{"":6,"\"":2,"A":9,"\\":4,"a":3,"aa":8,"ab":7,"b":1,"å":5}"#
    );
}

#[test]
fn a_converter_forgets_the_lines_before() {
    let mut lines = ExportLines::new();
    let mut out = Vec::new();
    let good = r#"{"Item":{"b":{"S":"\t"},"a":{"M":{"d":{"N":"1"},"c":{"N":"2"}}}}}"#;
    for _ in 0..3 {
        lines.convert(good.as_bytes(), &mut out).unwrap();
        lines
            .convert(br#"{"Item":{"z":{"M":{"y":{"N":"1"},"x":"#, &mut out)
            .unwrap_err();
    }
    assert_eq!(
        out,
        r#"{"a":{"c":2,"d":1},"b":"\t"}"#.repeat(3).into_bytes()
    );
}

/// Lists within one another.
fn nested(depth: usize) -> String {
    with(&format!(
        "{}{{\"N\":\"1\"}}{}",
        r#"{"L":["#.repeat(depth),
        "]}".repeat(depth)
    ))
}

#[test]
fn nesting_has_a_bound() {
    let json = convert(nested(DEEPEST)).unwrap();
    assert_eq!(
        json,
        format!(r#"{{"a":{}1{}}}"#, "[".repeat(DEEPEST), "]".repeat(DEEPEST))
    );
    for depth in [DEEPEST + 1, 1_000_000] {
        assert_eq!(convert(nested(depth)).unwrap_err().wrong(), Wrong::Deep);
    }
    let maps = r#"{"M":{"a":"#.repeat(1_000_000);
    assert_eq!(convert(with(&maps)).unwrap_err().wrong(), Wrong::Deep);
}

#[test]
fn what_is_no_line_of_an_export_is_told_with_its_place() {
    let table: &[(&str, Wrong, usize)] = &[
        ("", Wrong::NotObject, 0),
        ("  \n", Wrong::NotObject, 3),
        ("[]", Wrong::NotObject, 0),
        ("\"canary\"", Wrong::NotObject, 0),
        ("null", Wrong::NotObject, 0),
        ("canary", Wrong::NotObject, 0),
        ("$ion_1_0 {Item:{a:\"canary\"}}", Wrong::Ion, 0),
        ("{}", Wrong::NoItem, 0),
        (r#"{"canary":"canary"}"#, Wrong::NoItem, 1),
        (r#"{"item":{}}"#, Wrong::NoItem, 1),
        (r#"{"\u0049tem":{}}"#, Wrong::NoItem, 1),
        (
            r#"{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{}}"#,
            Wrong::Incremental,
            1,
        ),
        (
            r#"{"Keys":{"a":{"S":"canary"}},"NewImage":{}}"#,
            Wrong::Incremental,
            1,
        ),
        (r#"{"NewImage":{}}"#, Wrong::Incremental, 1),
        (r#"{"OldImage":{}}"#, Wrong::Incremental, 1),
        (r#"{"Item":{},"Keys":{}}"#, Wrong::Incremental, 11),
        (r#"{"Item":{},"canary":{}}"#, Wrong::BesideItem, 11),
        (r#"{"Item":{},"Item":{}}"#, Wrong::Twice, 11),
        (r#"{"Item":{}} {}"#, Wrong::Trailing, 12),
        (r#"{"Item":{}},"#, Wrong::Trailing, 11),
        (r#"{"Item":{"#, Wrong::CutShort, 9),
        (r#"{"Item":{}"#, Wrong::CutShort, 10),
        (r#"{"Item""#, Wrong::CutShort, 7),
        (r#"{"Item":"#, Wrong::CutShort, 8),
        (r#"{"Item"#, Wrong::CutShort, 6),
        (r#"{"Item":{"a":{"S":"canary"#, Wrong::CutShort, 25),
        (r#"{"Item":{"a":{"S":"\"#, Wrong::CutShort, 20),
        (r#"{"Item":{"a":{"S":"x"}"#, Wrong::CutShort, 22),
        (r#"{"Item":[]}"#, Wrong::OtherType, 8),
        (r#"{"Item":"canary"}"#, Wrong::OtherType, 8),
        (r#"{"Item":{,}}"#, Wrong::NotJson, 9),
        (r#"{"Item":{"a":{"S":"x"},}}"#, Wrong::NotJson, 23),
        (r#"{"Item":{"a":{"S":"x"};}}"#, Wrong::NotJson, 22),
        (r#"{"Item":{"a" {"S":"x"}}}"#, Wrong::NotJson, 13),
        (r#"{"Item":{a:{"S":"x"}}}"#, Wrong::NotJson, 9),
        ("{\"Item\":{\"a\":{\"S\":\"x\ty\"}}}", Wrong::NotJson, 20),
        ("{\"Item\":{\"a\":{\"S\":\"x\ny\"}}}", Wrong::NotJson, 20),
        (r#"{"Item":{"a":{"S":"\x"}}}"#, Wrong::Escape, 19),
        (r#"{"Item":{"a":{"S":"\å"}}}"#, Wrong::Escape, 20),
        (r#"{"Item":{"a":{"S":"ab\u12"}}}"#, Wrong::Escape, 21),
        (r#"{"Item":{"a":{"S":"\u+123"}}}"#, Wrong::Escape, 19),
        (r#"{"Item":{"a":{"S":"\ud800"}}}"#, Wrong::Escape, 19),
        (r#"{"Item":{"a":{"S":"\ud800\u0041"}}}"#, Wrong::Escape, 19),
        (r#"{"Item":{"a":{"S":"\udc00\ud800"}}}"#, Wrong::Escape, 19),
        (r#"{"Item":{"\q":{"S":"x"}}}"#, Wrong::Escape, 10),
        (r#"{"Item":{"a":{}}}"#, Wrong::NoType, 14),
        (
            r#"{"Item":{"a":{"canary":"canary"}}}"#,
            Wrong::UnknownType,
            14,
        ),
        (r#"{"Item":{"a":{"s":"x"}}}"#, Wrong::UnknownType, 14),
        (r#"{"Item":{"a":{"\u0053":"x"}}}"#, Wrong::UnknownType, 14),
        (
            r#"{"Item":{"a":{"S":"x","N":"1"}}}"#,
            Wrong::SeveralTypes,
            22,
        ),
        (
            r#"{"Item":{"a":{"S":"x","S":"x"}}}"#,
            Wrong::SeveralTypes,
            22,
        ),
        (r#"{"Item":{"a":"canary"}}"#, Wrong::OtherType, 13),
        (r#"{"Item":{"a":1}}"#, Wrong::OtherType, 13),
        (r#"{"Item":{"a":null}}"#, Wrong::OtherType, 13),
        (r#"{"Item":{"a":{"S":1}}}"#, Wrong::OtherType, 18),
        (r#"{"Item":{"a":{"S":null}}}"#, Wrong::OtherType, 18),
        (r#"{"Item":{"a":{"S":["canary"]}}}"#, Wrong::OtherType, 18),
        (r#"{"Item":{"a":{"N":1}}}"#, Wrong::OtherType, 18),
        (r#"{"Item":{"a":{"BOOL":"true"}}}"#, Wrong::OtherType, 21),
        (r#"{"Item":{"a":{"BOOL":truce}}}"#, Wrong::OtherType, 21),
        (r#"{"Item":{"a":{"BOOL":trueish}}}"#, Wrong::NotJson, 25),
        (r#"{"Item":{"a":{"NULL":false}}}"#, Wrong::OtherType, 21),
        (r#"{"Item":{"a":{"NULL":null}}}"#, Wrong::OtherType, 21),
        (r#"{"Item":{"a":{"M":[]}}}"#, Wrong::OtherType, 18),
        (r#"{"Item":{"a":{"L":{}}}}"#, Wrong::OtherType, 18),
        (r#"{"Item":{"a":{"L":["x"]}}}"#, Wrong::OtherType, 19),
        (r#"{"Item":{"a":{"L":[{"N":"1"},]}}}"#, Wrong::NotJson, 29),
        (r#"{"Item":{"a":{"SS":"x"}}}"#, Wrong::OtherType, 19),
        (r#"{"Item":{"a":{"SS":["x",1]}}}"#, Wrong::OtherType, 24),
        (r#"{"Item":{"a":{"NS":["1","x"]}}}"#, Wrong::NotNumber, 24),
        (
            r#"{"Item":{"a":{"BS":["AA==","canary!"]}}}"#,
            Wrong::NotBase64,
            27,
        ),
        (r#"{"Item":{"a":{"N":""}}}"#, Wrong::NotNumber, 18),
        (r#"{"Item":{"a":{"N":"canary"}}}"#, Wrong::NotNumber, 18),
        (r#"{"Item":{"a":{"N":"NaN"}}}"#, Wrong::NotNumber, 18),
        (r#"{"Item":{"a":{"N":"1 "}}}"#, Wrong::NotNumber, 18),
        (r#"{"Item":{"a":{"N":"1E+126"}}}"#, Wrong::NotNumber, 18),
        (
            r#"{"Item":{"a":{"N":"999999999999999999999999999999999999999"}}}"#,
            Wrong::NotNumber,
            18,
        ),
        (r#"{"Item":{"a":{"B":"canary"}}}"#, Wrong::NotBase64, 18),
        (
            r#"{"Item":{"a":{"S":"1"},"b":{"S":"2"},"a":{"S":"3"}}}"#,
            Wrong::Twice,
            37,
        ),
        (
            r#"{"Item":{"a":{"S":"1"},"\u0061":{"S":"2"}}}"#,
            Wrong::Twice,
            23,
        ),
        (
            r#"{"Item":{"a":{"M":{"b":{"S":"1"},"b":{"S":"1"}}}}}"#,
            Wrong::Twice,
            33,
        ),
    ];
    for (line, wrong, at) in table {
        let fault = convert(line).expect_err(line);
        assert_eq!((fault.wrong(), fault.at()), (*wrong, *at), "{line}");
        let told = format!("{fault} {} {fault:?}", fault.hint());
        assert!(!told.contains("canary"), "{told}");
        assert!(
            fault.to_string().starts_with(&format!("byte {}: ", at + 1)),
            "{fault}"
        );
        assert!(!fault.hint().is_empty(), "{fault}");
    }
    let fault = convert(b"{\"Item\":{\"a\":{\"S\":\"\xff\"}}}").unwrap_err();
    assert_eq!((fault.wrong(), fault.at()), (Wrong::NotUtf8, 19));
}

#[test]
fn an_incremental_export_is_told_what_to_do() {
    let fault = convert(r#"{"Metadata":{},"Keys":{}}"#).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "byte 2: the line is of an incremental export"
    );
    assert!(fault.hint().contains("full export"), "{}", fault.hint());
}
