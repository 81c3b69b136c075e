use decoder_paths::testing;
use decoder_paths::testing::some;
use weir_plugin::testing::{Decoded, Harness};

use super::*;

mod mutated;
mod real_data;

fn decode(config: &str, file: &str) -> Decoded {
    Harness::new(config)
        .decode::<Fhir>(&[file.as_bytes()])
        .unwrap()
}

fn texts(decoded: &Decoded, column: &str) -> Vec<Option<String>> {
    testing::texts(&decoded.rows, column)
}

fn lists(decoded: &Decoded, column: &str) -> Vec<Option<Vec<Option<String>>>> {
    testing::lists(&decoded.rows, column)
}

fn rejected(decoded: &Decoded) -> Vec<(&str, u64, u64)> {
    let rejections = decoded.rejections.iter();
    rejections
        .map(|rejected| (rejected.rule.as_str(), rejected.offset, rejected.length))
        .collect()
}

/// Where a part of a file begins, and how long it is.
fn place(rule: &'static str, file: &str, part: &str) -> (&'static str, u64, u64) {
    (rule, file.find(part).unwrap() as u64, part.len() as u64)
}

/// What a path finds in a resource with this member.
fn one(path: &str, member: &str) -> Option<String> {
    let config = format!(r#"{{ "columns": {{ "x": "{path}" }} }}"#);
    let decoded = decode(&config, &format!(r#"{{"resourceType":"Basic",{member}}}"#));
    assert_eq!(decoded.rejections, [], "{path} {member}");
    texts(&decoded, "x").pop().unwrap()
}

fn many(path: &str, member: &str) -> Option<Vec<Option<String>>> {
    let config = format!(r#"{{ "columns": {{ "x": "{path}" }} }}"#);
    let decoded = decode(&config, &format!(r#"{{"resourceType":"Basic",{member}}}"#));
    assert_eq!(decoded.rejections, [], "{path} {member}");
    lists(&decoded, "x").pop().unwrap()
}

const ANN: &str = r#"{"resourceType":"Patient","id":"a"}"#;
const BOB: &str = r#"{"id":"b","resourceType":"Patient"}"#;
const OBS: &str = r#"{"resourceType":"Observation","valueQuantity":{"value":1.50}}"#;

#[test]
fn a_resource_on_each_line() {
    for end in ["\n", "\r\n", "\n\n", " \n\t"] {
        let file = [ANN, BOB, OBS, ""].join(end);
        for file in [
            file.as_str(),
            file.trim_end(),
            &format!("\u{feff}{file}"),
            &format!("\n{file}"),
        ] {
            let decoded = decode("{}", file);
            assert_eq!(decoded.rejections, []);
            assert_eq!(
                texts(&decoded, "resource_type"),
                some(&["Patient", "Patient", "Observation"])
            );
            assert_eq!(
                texts(&decoded, "id"),
                [Some("a".into()), Some("b".into()), None]
            );
            assert_eq!(texts(&decoded, "resource"), some(&[ANN, BOB, OBS]));
        }
    }
}

#[test]
fn a_bad_line_spoils_no_other() {
    for bad in [
        r#"{"resourceType":"Patient","id":tru}"#,
        r#"{"resourceType":"Patient","id":"c"#,
        r#"{"resourceType":"Patient"} {}"#,
        r#"{"resourceType":"Patient"},"#,
        r#"{"resourceType":"Patient",}"#,
        r#"{"resourceType":"\ud800"}"#,
        r#"{"resourceType":"Patient","id":"\ud800"}"#,
        r#"{"resourceType":"Patient","x":"\ud800"}"#,
        "noise",
    ] {
        let file = format!("{ANN}\n{bad}\n{BOB}\n");
        let decoded = decode("{}", &file);
        assert_eq!(rejected(&decoded), [place("bad_json", &file, bad)], "{bad}");
        assert_eq!(texts(&decoded, "id"), some(&["a", "b"]), "{bad}");
    }
    for bad in [
        "{}",
        "[]",
        "null",
        "1",
        r#""x""#,
        r#"{"resourceType":1}"#,
        r#"{"resourceType":""}"#,
        r#"{"resourceType":null}"#,
        r#"["Patient","a",[]]"#,
    ] {
        let file = format!("{ANN}\n {bad} \n{BOB}\n");
        let decoded = decode("{}", &file);
        assert_eq!(
            rejected(&decoded),
            [place("not_a_resource", &file, bad)],
            "{bad}"
        );
        assert_eq!(texts(&decoded, "id"), some(&["a", "b"]), "{bad}");
    }
    let file = [ANN.as_bytes(), b"\n{\"\xff\":1}\n", BOB.as_bytes()].concat();
    let decoded = Harness::new("{}").decode::<Fhir>(&[&file]).unwrap();
    assert_eq!(rejected(&decoded), [("bad_json", ANN.len() as u64 + 1, 7)]);
    assert_eq!(decoded.rows.num_rows(), 2);
}

#[test]
fn the_first_line_may_be_the_bad_one() {
    for bad in [r#"{"resourceType":"Pat"#, "noise", "{bad}", "]", r#""{""#] {
        let file = format!("{bad}\n{ANN}\n{BOB}");
        let decoded = decode("{}", &file);
        assert_eq!(
            rejected(&decoded),
            [("bad_json", 0, bad.len() as u64)].map(|expected| match bad {
                r#""{""# => ("not_a_resource", 0, 3),
                _ => expected,
            })
        );
        assert_eq!(texts(&decoded, "id"), some(&["a", "b"]), "{bad}");
    }
}

#[test]
fn resources_one_after_the_other() {
    let laid_out = ANN
        .replace(',', ",\n  ")
        .replace('{', "{\n  ")
        .replace('}', "\n}");
    for file in [
        laid_out.clone(),
        format!("{laid_out}{BOB}"),
        format!("\u{feff}\n{laid_out}\n\n{BOB}\n"),
        format!("{ANN}{BOB}"),
        format!("{ANN} {BOB}\n"),
        format!("{BOB}{laid_out}\n"),
    ] {
        let decoded = decode("{}", &file);
        assert_eq!(decoded.rejections, [], "{file}");
        let mut ids = texts(&decoded, "id");
        ids.sort();
        assert_eq!(
            ids,
            some(&["a", "b"][..file.matches("resourceType").count()]),
            "{file}"
        );
        assert!(
            texts(&decoded, "resource").contains(&Some(ANN.into())),
            "{file}"
        );
    }
    // What has its brackets in order spoils only itself; what has not, all that follows.
    let file = format!("{{\n\"a\": tru}}\n{laid_out}, {{}} x\n");
    let decoded = decode("{}", &file);
    let comma = file.rfind(',').unwrap() as u64;
    let expected = [
        ("bad_json", 0, 11),
        ("bad_json", comma, 1),
        place("not_a_resource", &file, "{}"),
        ("bad_json", file.len() as u64 - 2, 1),
    ];
    assert_eq!(rejected(&decoded), expected);
    assert_eq!(texts(&decoded, "id"), some(&["a"]));
    let file = format!("{{\n\"a\": [\n{laid_out}\n");
    let decoded = decode("{}", &file);
    assert_eq!(rejected(&decoded), [("bad_json", 0, file.len() as u64 - 1)]);
    assert_eq!(decoded.rows.num_rows(), 0);
}

#[test]
fn the_resources_of_a_bundle_are_rows() {
    let inner = format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{OBS}}}]}}"#);
    let bundle = format!(
        r#"{{ "entry": [ {{"fullUrl":"u","resource":{ANN}}}, {{"request":{{}}}}, {{"resource":null}}, {{"resource":{inner}}}, {{"resource":{BOB}}} ], "resourceType": "Bundle", "id": "z" }}"#
    );
    for file in [
        bundle.clone(),
        bundle.replace(", ", ",\n"),
        format!("{bundle}\n{bundle}\n"),
    ] {
        let count = file.matches("\"z\"").count();
        let decoded = decode("{}", &file);
        assert_eq!(decoded.rejections, []);
        let resources = some(&[ANN, OBS, BOB].repeat(count));
        assert_eq!(texts(&decoded, "resource"), resources);
        let decoded = decode(
            r#"{ "resource": "Patient", "columns": { "id": "id" } }"#,
            &file,
        );
        assert_eq!(texts(&decoded, "id"), some(&["a", "b"].repeat(count)));
    }
    for empty in [
        r#"{"resourceType":"Bundle"}"#,
        r#"{"resourceType":"Bundle","entry":null}"#,
        r#"{"resourceType":"Bundle","entry":[]}"#,
    ] {
        let decoded = decode("{}", empty);
        assert_eq!((decoded.rows.num_rows(), decoded.rejections), (0, vec![]));
    }
}

#[test]
fn a_bad_entry_spoils_no_other() {
    let entry = |resource: &str| format!(r#"{{"resource":{resource}}}"#);
    let entries = [
        entry(ANN),
        entry("{}"),
        "7".into(),
        entry("[1]"),
        entry(BOB),
        entry("{ }"),
        entry(r#"{"resourceType":"\ud800"}"#),
        entry(OBS),
    ];
    let file = format!(
        r#"{{"resourceType":"Bundle","entry":[{}]}}"#,
        entries.join(", ")
    );
    let decoded = decode("{}", &file);
    assert_eq!(texts(&decoded, "resource"), some(&[ANN, BOB, OBS]));
    // Those that follow one another are one.
    let first = file.find("{}").unwrap() as u64;
    let end = file.find("[1]").unwrap() as u64 + 3;
    let expected = [
        ("not_a_resource", first, end - first),
        place("not_a_resource", &file, "{ }"),
        place("bad_json", &file, r#"{"resourceType":"\ud800"}"#),
    ];
    assert_eq!(rejected(&decoded), expected);
    for entries in ["7", r#"{"resource":{}}"#, r#""x""#] {
        let file = format!(r#"{{"resourceType":"Bundle","entry":{entries}}}"#);
        let decoded = decode("{}", &file);
        assert_eq!(
            rejected(&decoded),
            [("not_a_resource", 0, file.len() as u64)]
        );
    }
}

#[test]
fn bundles_stand_in_one_another_only_so_deep() {
    let wrap =
        |inner: &str| format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{inner}}}]}}"#);
    let mut file = ANN.to_owned();
    for _ in 0..MAX_DEPTH {
        file = wrap(&file);
    }
    assert_eq!(texts(&decode("{}", &file), "id"), some(&["a"]));
    let inner = wrap(ANN);
    let decoded = decode("{}", &wrap(&file));
    let expected = place("too_deep", &wrap(&file), &inner);
    assert_eq!(rejected(&decoded), [expected]);
    // Other things may nest as deep as they like.
    let deep = format!(
        r#"{{"resourceType":"Basic","x":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let columns = r#"{ "columns": { "x": "x", "y": "x[*]" } }"#;
    for config in ["{}", columns] {
        let decoder = Fhir::bind(
            weir_plugin::serde_json::from_str(config).unwrap(),
            &context(),
        );
        let mut reader = decoder.unwrap().0.reader;
        let text = match &mut reader.columns {
            None => json::compact(&deep).map(drop),
            Some(tree) => walk::find(tree, &deep).map(drop),
        };
        text.unwrap();
    }
    let mut file = "[".repeat(100_000);
    file.push('\n');
    let chunks = [file.as_bytes()];
    let decoded = Harness::new("{}").decode::<Fhir>(&chunks).unwrap();
    assert_eq!(rejected(&decoded), [("bad_json", 0, 100_000)]);
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
fn resources_are_written_in_one_way() {
    let file = "{ \"resourceType\" : \"Basic\" ,\r\n\t\"z\" : [ 1.50 , -0 , 1e5, 12345678901234567890.10 ] , \"a\" : \"\\u00e9\\/\\\"\\n\\u0001 \\ud83d\\ude00\" , \"b c\" : { \"\\u0041\" : null } }";
    let decoded = decode("{}", file);
    assert_eq!(decoded.rejections, []);
    let expected = "{\"resourceType\":\"Basic\",\"z\":[1.50,-0,1e5,12345678901234567890.10],\"a\":\"é/\\\"\\n\\u0001 😀\",\"b c\":{\"A\":null}}";
    assert_eq!(texts(&decoded, "resource"), some(&[expected]));
    // The same that `serde_json` makes of it, but for its numbers.
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(expected), value(file));
}

#[test]
fn paths_lead_to_values() {
    for (path, member, expected) in [
        ("a", r#""a":"x""#, Some("x")),
        ("a", r#""a":"\u00e9\n""#, Some("é\n")),
        ("a", r#""a":"""#, Some("")),
        ("a", r#""a":null"#, None),
        ("a", r#""b":1"#, None),
        ("a", r#""a":1.50"#, Some("1.50")),
        ("a", r#""a":-1.0e-7"#, Some("-1.0e-7")),
        (
            "a",
            r#""a":123456789012345678901234567890.1230"#,
            Some("123456789012345678901234567890.1230"),
        ),
        ("a", r#""a":true"#, Some("true")),
        (
            "a",
            r#""a":{ "b" : [ 1.0 , "x" ] }"#,
            Some(r#"{"b":[1.0,"x"]}"#),
        ),
        ("a", r#""a":[ ]"#, Some("[]")),
        ("a.b", r#""a":{"c":1,"b":2}"#, Some("2")),
        ("a.b", r#""a":{"\u0062":2}"#, Some("2")),
        ("a.b", r#""a":[{"b":2}]"#, None),
        ("a.b", r#""a":"b""#, None),
        ("a.b", r#""a":1.5"#, None),
        ("a.b", r#""a":-1"#, None),
        ("a.b", r#""a":true"#, None),
        ("a.b", r#""a":null"#, None),
        ("a[1]", r#""a":[1,2]"#, Some("2")),
        ("a[2]", r#""a":[1,2]"#, None),
        ("a[0]", r#""a":{"0":1}"#, None),
        ("a[0].b[1].c", r#""a":[{"b":[0,{"c":"x"}]}]"#, Some("x")),
        ("a[0][1]", r#""a":[[1,2]]"#, Some("2")),
        ("_a.b-c", r#""_a":{"b-c":1}"#, Some("1")),
        ("resourceType", r#""a":1"#, Some("Basic")),
    ] {
        assert_eq!(one(path, member).as_deref(), expected, "{path} {member}");
    }
}

#[test]
fn paths_lead_to_lists() {
    let text = |text: &str| Some(text.to_owned());
    for (path, member, expected) in [
        (
            "a[*]",
            r#""a":["x",1,null,{"b" :1}]"#,
            Some(vec![text("x"), text("1"), None, text(r#"{"b":1}"#)]),
        ),
        ("a[*]", r#""a":"x""#, None),
        ("a[*]", r#""a":[]"#, None),
        ("a[*]", r#""b":[1]"#, None),
        // An item without a value keeps its place, so that lists line up.
        (
            "a[*].b",
            r#""a":[{"b":1},{},{"b":null},2,{"b":3}]"#,
            Some(vec![text("1"), None, None, None, text("3")]),
        ),
        (
            "a[*].b[*]",
            r#""a":[{"b":["x","y"]},{},{"b":["z"]}]"#,
            Some(vec![text("x"), text("y"), text("z")]),
        ),
        (
            "a[*].b[*].c",
            r#""a":[{"b":[{"c":1},{}]},{"b":[{"c":2}]}]"#,
            Some(vec![text("1"), None, text("2")]),
        ),
        (
            "a[*].b[0].c",
            r#""a":[{"b":[{"c":1},{"c":2}]},{}]"#,
            Some(vec![text("1"), None]),
        ),
        (
            "a[1].b[*]",
            r#""a":[{"b":[1]},{"b":[2,3]}]"#,
            Some(vec![text("2"), text("3")]),
        ),
    ] {
        assert_eq!(many(path, member), expected, "{path} {member}");
    }
}

#[test]
fn paths_may_share_their_way() {
    let config = r#"{ "columns": {
        "whole": "a", "first": "a[0]", "b": "a[0].b", "bs": "a[*].b", "cs": "a[*].c", "again": "a[0].b", "all": "a[*]"
    } }"#;
    let decoded = decode(
        config,
        r#"{"resourceType":"Basic","a":[{"b":1},{"b":2,"c":3}]}"#,
    );
    assert_eq!(decoded.rejections, []);
    assert_eq!(
        texts(&decoded, "whole"),
        some(&[r#"[{"b":1},{"b":2,"c":3}]"#])
    );
    assert_eq!(texts(&decoded, "first"), some(&[r#"{"b":1}"#]));
    assert_eq!(texts(&decoded, "b"), some(&["1"]));
    assert_eq!(texts(&decoded, "again"), some(&["1"]));
    assert_eq!(lists(&decoded, "bs"), [Some(some(&["1", "2"]))]);
    assert_eq!(lists(&decoded, "cs"), [Some(vec![None, Some("3".into())])]);
    assert_eq!(
        lists(&decoded, "all"),
        [Some(some(&[r#"{"b":1}"#, r#"{"b":2,"c":3}"#]))]
    );
}

#[test]
fn a_resource_whose_columns_cannot_be_read_is_rejected() {
    let config = r#"{ "columns": { "a": "a", "b": "b" } }"#;
    let bad = r#"{"resourceType":"Basic","a":"x","b":"\udc00"}"#;
    let file = format!("{ANN}\n{bad}\n{ANN}");
    let decoded = decode(config, &file);
    assert_eq!(rejected(&decoded), [place("bad_json", &file, bad)]);
    assert_eq!(decoded.rows.num_rows(), 2);
}

#[test]
fn what_is_too_long_is_passed_over() {
    let long = format!(
        r#"{{"resourceType":"Patient","id":"{}"}}"#,
        "x}{\\\"".repeat(20)
    );
    let config = r#"{ "max_bytes": 60 }"#;
    // On a line, the first too.
    let file = format!("{ANN}\n{long}\n{BOB}\n");
    let decoded = decode(config, &file);
    assert_eq!(rejected(&decoded), [place("too_long", &file, &long)]);
    assert_eq!(texts(&decoded, "id"), some(&["a", "b"]));
    let file = format!("{long}\n{ANN}\n{BOB}\n");
    let decoded = decode(config, &file);
    assert_eq!(rejected(&decoded), [place("too_long", &file, &long)]);
    assert_eq!(texts(&decoded, "id"), some(&["a", "b"]));
    // One after the other.
    let file = format!("{{\n}}{long} {ANN}");
    let decoded = decode(config, &file);
    assert_eq!(
        rejected(&decoded),
        [("not_a_resource", 0, 3), place("too_long", &file, &long)]
    );
    assert_eq!(texts(&decoded, "id"), some(&["a"]));
    // Up to the end of the file.
    for file in [
        long.as_str(),
        long.trim_end_matches('}'),
        &format!("{{\n{long}"),
    ] {
        let decoded = decode(config, file);
        assert_eq!(rejected(&decoded), [("too_long", 0, file.len() as u64)]);
    }
    let file = format!("{ANN}\n{long}");
    assert_eq!(
        rejected(&decode(config, &file)),
        [place("too_long", &file, &long)]
    );
}

#[test]
fn a_column_takes_only_so_many_values() {
    let values = |count: usize| {
        format!(
            r#"{{"resourceType":"Basic","x":[1{}]}}"#,
            ",1".repeat(count - 1)
        )
    };
    let config = r#"{ "columns": { "x": "x[*]", "y": "x[*].y" } }"#;
    let mut reader = Fhir::bind(serde_json::from_str(config).unwrap(), &context())
        .unwrap()
        .0
        .reader;
    let tree = reader.columns.take().unwrap();
    let most = values(walk::MAX_VALUES);
    let found = walk::find(&tree, &most).unwrap();
    assert!(!found.iter().any(Found::is_too_long));
    let more = values(walk::MAX_VALUES + 5);
    let found = walk::find(&tree, &more).unwrap();
    assert!(found.iter().all(Found::is_too_long));
    let decoded = decode(config, &more);
    assert_eq!(rejected(&decoded), [("too_long", 0, more.len() as u64)]);
}

#[test]
fn no_more_is_held_than_allowed() {
    let mut values = Values::within(1000);
    let mut taken = 0;
    for start in ["{\n", "{}\n", "x"] {
        for _ in 0..1000 {
            values.push(start.as_bytes());
            values.push("{\"x\":[1,2,3,".repeat(10).as_bytes());
            let mut take = |_: Part<'_>| {
                taken += 1;
                Ok(())
            };
            values.read(&mut take).unwrap();
            assert!(values.held() <= 1000 + 130);
        }
    }
}

#[test]
fn empty_and_cut_files() {
    for file in ["", "\n", " \r\n\t", "\u{feff}", "\u{feff}\n"] {
        let decoded = decode("{}", file);
        assert_eq!(
            (decoded.rows.num_rows(), decoded.rejections),
            (0, vec![]),
            "{file:?}"
        );
    }
    let bundle = format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{ANN}}}]}}"#);
    for file in [bundle.clone(), bundle.replace(',', ",\n")] {
        for length in 1..file.len() {
            let decoded = decode("{}", &file[..length]);
            assert_eq!(decoded.rows.num_rows(), 0, "{length}");
            let trimmed = file[..length].trim_end().len() as u64;
            assert_eq!(rejected(&decoded), [("bad_json", 0, trimmed)], "{length}");
        }
    }
    let decoded = Harness::new("{}").decode::<Fhir>(&[b"\xef\xbb"]).unwrap();
    assert_eq!(rejected(&decoded), [("bad_json", 0, 2)]);
}

#[test]
fn many_rows_come_in_several_batches() {
    let file = format!("{ANN}\n").repeat(20_000);
    assert_eq!(decode("{}", &file).rows.num_rows(), 20_000);
}

#[test]
fn a_configuration_that_cannot_be_says_what_to_write() {
    let too_far = format!(
        r#"{{ "columns": {{ "a": "{}" }} }}"#,
        vec!["a"; 33].join(".")
    );
    for (config, says) in [
        (
            r#"{ "resource": "Bundle" }"#,
            "name one of these, such as resource = \"Patient\"",
        ),
        (r#"{ "resource": "" }"#, "write it as FHIR does"),
        (r#"{ "resource": "Patient.name" }"#, "write it as FHIR does"),
        (r#"{ "columns": {} }"#, "`columns` names no column"),
        (r#"{ "columns": { "a": "" } }"#, "a path is the keys"),
        (r#"{ "columns": { "a": "a." } }"#, "a path is the keys"),
        (r#"{ "columns": { "a": "a[" } }"#, "a path is the keys"),
        (r#"{ "columns": { "a": "a[]" } }"#, "a path is the keys"),
        (r#"{ "columns": { "a": "a[-1]" } }"#, "a path is the keys"),
        (r#"{ "columns": { "a": "a[x]" } }"#, "a path is the keys"),
        (r#"{ "columns": { "a": "a[0]b" } }"#, "a path is the keys"),
        (r#"{ "columns": { "a": "[0]" } }"#, "a path is the keys"),
        (
            r#"{ "columns": { "a": "a[99999999999999999999]" } }"#,
            "a path is the keys",
        ),
        (r#"{ "columns": { "a": "a b" } }"#, "a path is the keys"),
        (&too_far, "a path is the keys"),
        (
            r#"{ "columns": { "a": "a", "a": "b" } }"#,
            "two columns are named `a`",
        ),
        (r#"{ "column": {} }"#, "unknown field `column`"),
        (
            r#"{ "max_bytes": 0 }"#,
            "`max_bytes` is a number of bytes from 1",
        ),
    ] {
        let error = Harness::new(config).decode::<Fhir>(&[]).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    let config = r#"{ "resource": "Patient", "columns": { "z": "id", "a": "name[*].given[*]" } }"#;
    let schema = decode(config, "").rows.schema();
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| (field.name().as_str(), field.data_type().clone()))
        .collect();
    assert_eq!(fields, [("z", DataType::Utf8), ("a", list_of_text())]);
}
