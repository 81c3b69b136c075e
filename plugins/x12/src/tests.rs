use decoder_paths::testing;
use decoder_paths::testing::some;
use weir_plugin::arrow::array::Int32Array;
use weir_plugin::testing::{Decoded, Harness};

use super::*;

mod mutated;
mod real_data;

/// An ISA with these separators of elements, repetitions and components, and this end.
fn isa(control: &str, element: char, repetition: char, component: char, end: char) -> String {
    let written = format!(
        "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *240105*1200*^*00501*{control:0>9}*0*P*:"
    );
    let separated = written.chars().map(|character| match character {
        '*' => element,
        '^' => repetition,
        ':' => component,
        other => other,
    });
    separated.chain([end]).collect()
}

/// An interchange of one group of one 835 with these segments in it.
fn interchange(segments: &[&str]) -> String {
    let count = segments.len() + 2;
    let segments: String = segments
        .iter()
        .map(|segment| format!("{segment}~\n"))
        .collect();
    let isa = isa("7", '*', '^', ':', '~');
    format!(
        "{isa}\nGS*HP*S*R*20240105*1200*42*X*005010X221A1~\nST*835*0001~\n{segments}SE*{count}*0001~\nGE*1*42~\nIEA*1*000000007~\n"
    )
}

fn decode(config: &str, file: &str) -> Decoded {
    Harness::new(config)
        .decode::<X12>(&[file.as_bytes()])
        .unwrap()
}

fn texts(decoded: &Decoded, column: &str) -> Vec<Option<String>> {
    testing::texts(&decoded.rows, column)
}

fn lists(decoded: &Decoded, column: &str) -> Vec<Option<Vec<Option<String>>>> {
    testing::lists(&decoded.rows, column)
}

fn places(decoded: &Decoded) -> Vec<Option<i32>> {
    let places: &Int32Array = decoded.rows["segment"].as_primitive();
    places.iter().collect()
}

fn rejected(decoded: &Decoded) -> Vec<(&str, u64, u64)> {
    let rejections = decoded.rejections.iter();
    rejections
        .map(|rejected| (rejected.rule.as_str(), rejected.offset, rejected.length))
        .collect()
}

/// Where a part of a file begins.
fn at(file: &str, part: &str) -> u64 {
    file.find(part).unwrap() as u64
}

#[test]
fn every_segment_is_a_row_and_knows_its_envelope() {
    let file = interchange(&["BPR*I*945.00**", "CLP*A1*1*800"]);
    let decoded = decode("{}", &file);
    assert_eq!(decoded.rejections, []);
    let names = ["ISA", "GS", "ST", "BPR", "CLP", "SE", "GE", "IEA"];
    assert_eq!(texts(&decoded, "name"), some(&names));
    assert_eq!(texts(&decoded, "interchange"), some(&["000000007"; 8]));
    let group = Some("42".to_owned());
    let groups = [
        None,
        group.clone(),
        group.clone(),
        group.clone(),
        group.clone(),
        group.clone(),
        group,
        None,
    ];
    assert_eq!(texts(&decoded, "group"), groups);
    let in_set = |text: &str| {
        let text = Some(text.to_owned());
        vec![
            None,
            None,
            text.clone(),
            text.clone(),
            text.clone(),
            text,
            None,
            None,
        ]
    };
    assert_eq!(texts(&decoded, "set"), in_set("835"));
    assert_eq!(texts(&decoded, "control"), in_set("0001"));
    assert_eq!(
        places(&decoded),
        [None, None, Some(1), Some(2), Some(3), Some(4), None, None]
    );
    let elements = lists(&decoded, "elements");
    let isa = elements[0].as_ref().unwrap();
    assert_eq!(
        (isa.len(), isa[12].as_deref(), isa[15].as_deref()),
        (16, Some("000000007"), Some(":"))
    );
    assert_eq!(elements[3], Some(some(&["I", "945.00", "", ""])));
    assert_eq!(elements[5], Some(some(&["4", "0001"])));
}

#[test]
fn interchanges_follow_one_another_each_with_its_separators() {
    let config =
        r#"{ "segment": "CLP", "columns": { "claim": "1", "code": "3-2", "notes": "4[*]" } }"#;
    let body = |element: char, repetition: char, component: char, end: &str| {
        let isa = isa(
            "9",
            element,
            repetition,
            component,
            end.chars().next().unwrap(),
        );
        let rest = end.get(1..).unwrap();
        let text = "GS*HP*S*R*1*1*5*X*V~ST*835*1~CLP*A*1*x:y*p^q~SE*3*1~GE*1*5~IEA*1*9~";
        let text = text.replace('~', end);
        let text: String = text
            .chars()
            .map(|character| match character {
                '*' => element,
                '^' => repetition,
                ':' => component,
                other => other,
            })
            .collect();
        format!("{isa}{rest}{text}")
    };
    let file = [
        body('*', '^', ':', "~"),
        body('|', '!', '>', "\n"),
        body('*', '^', ':', "~\r\n"),
        body('\x1d', '\x1f', '\x1e', "\r\n"),
        body('*', '^', ':', "\r"),
        // Before 00402 ISA11 is a letter, and nothing repeats.
        body('*', 'U', ':', "~"),
    ];
    let decoded = decode(config, &file.concat());
    assert_eq!(decoded.rejections, []);
    assert_eq!(texts(&decoded, "claim"), some(&["A"; 6]));
    assert_eq!(texts(&decoded, "code"), some(&["y"; 6]));
    let mut notes = vec![Some(some(&["p", "q"])); 5];
    notes.push(Some(some(&["pUq"])));
    assert_eq!(lists(&decoded, "notes"), notes);
    assert_eq!(places(&decoded), [Some(2); 6]);
}

#[test]
fn paths_lead_to_parts() {
    let file = interchange(&["SVC*HC:99211:25*800**a:b^c:d^:e*^"]);
    for (path, expected) in [
        ("1", Some("HC:99211:25")),
        ("1-1", Some("HC")),
        ("1-3", Some("25")),
        ("1-4", None),
        ("2", Some("800")),
        ("2-1", Some("800")),
        ("2-2", None),
        ("3", None),
        ("4", Some("a:b")),
        ("4[2]-2", Some("d")),
        ("4[3]-1", None),
        ("4[4]", None),
        ("5", None),
        ("99", None),
    ] {
        let config = format!(r#"{{ "segment": "SVC", "columns": {{ "x": "{path}" }} }}"#);
        assert_eq!(
            texts(&decode(&config, &file), "x"),
            [expected.map(str::to_owned)],
            "{path}"
        );
    }
    let some = |text: &str| Some(text.to_owned());
    for (path, expected) in [
        ("4[*]-1", Some(vec![some("a"), some("c"), None])),
        ("4[*]", Some(vec![some("a:b"), some("c:d"), some(":e")])),
        ("2[*]", Some(vec![some("800")])),
        ("3[*]", None),
        ("5[*]", Some(vec![None, None])),
        ("99[*]", None),
    ] {
        let config = format!(r#"{{ "segment": "SVC", "columns": {{ "x": "{path}" }} }}"#);
        assert_eq!(lists(&decode(&config, &file), "x"), [expected], "{path}");
    }
    // The elements of an ISA are the separators.
    let config = r#"{ "segment": "ISA", "columns": { "x": "16", "y": "11[*]-1", "z": "16-2" } }"#;
    let decoded = decode(config, &file);
    assert_eq!(texts(&decoded, "x"), [some(":")]);
    assert_eq!(lists(&decoded, "y"), [Some(vec![some("^")])]);
    assert_eq!(texts(&decoded, "z"), [None]);
}

#[test]
fn segments_and_sets_may_be_chosen() {
    let file = interchange(&["CLP*1"]) + &interchange(&["CLP*2"]).replace("ST*835", "ST*837");
    let chosen = |config: &str| {
        let decoded = decode(config, &file);
        assert_eq!(decoded.rejections, []);
        decoded.rows.num_rows()
    };
    assert_eq!(chosen("{}"), 14);
    assert_eq!(chosen(r#"{ "segment": "CLP" }"#), 2);
    assert_eq!(chosen(r#"{ "set": "837" }"#), 3);
    assert_eq!(
        chosen(r#"{ "set": "837", "segment": "CLP", "columns": { "claim": "1" } }"#),
        1
    );
    assert_eq!(chosen(r#"{ "set": "820" }"#), 0);
}

#[test]
fn what_stands_outside_of_interchanges_is_rejected() {
    let one = interchange(&[]);
    let file = format!(" \r\nHDR 1\r\nVISAGE\n{one}\n\tnoise IS {one}IS");
    let decoded = decode("{}", &file);
    assert_eq!(decoded.rows.num_rows(), 12);
    let expected = [
        ("no_envelope", 3, 13),
        ("no_envelope", at(&file, "noise"), 8),
        ("no_envelope", file.len() as u64 - 2, 2),
    ];
    assert_eq!(rejected(&decoded), expected);
    let decoded = decode("{}", "ST*835*1~\nSE*2*1~\n");
    assert_eq!(rejected(&decoded), [("no_envelope", 0, 17)]);
}

#[test]
fn an_isa_that_is_none_loses_all_up_to_the_next() {
    let one = interchange(&[]);
    let good = isa("7", '*', '^', ':', '~');
    for bad in [
        good.replace("SENDER ", "SENDER"),
        good.replace("*P*", "*P-"),
        good.replace(":~", "*~"),
        good.replace(":~", ":A"),
        good.replace(":~", "~~"),
        good.replace('~', " "),
        good.replace('*', "é"),
    ] {
        let lost = one.replace(&good, &bad);
        let file = format!("{lost}{one}");
        let decoded = decode("{}", &file);
        assert_eq!(decoded.rows.num_rows(), 6, "{bad}");
        let rule = if bad.contains('é') {
            "no_envelope"
        } else {
            "bad_isa"
        };
        assert_eq!(
            rejected(&decoded),
            [(rule, 0, lost.len() as u64 - 1)],
            "{bad}"
        );
    }
    for length in [4, 40, 105] {
        let decoded = decode("{}", &good[..length]);
        assert_eq!(rejected(&decoded), [("bad_isa", 0, length as u64)]);
    }
}

#[test]
fn a_bad_segment_counts_in_its_set() {
    let file = interchange(&["C*1", "CLAIM*1", "CLP", "C P*1", "*1"]);
    let decoded = decode("{}", &file);
    let expected = [
        ("bad_segment", at(&file, "C*1"), 3),
        ("bad_segment", at(&file, "CLAIM"), 7),
        ("bad_segment", at(&file, "CLP"), 3),
        ("bad_segment", at(&file, "C P"), 5),
        ("bad_segment", at(&file, "\n*1") + 1, 2),
    ];
    assert_eq!(rejected(&decoded), expected);
    assert_eq!(places(&decoded)[3], Some(7), "SE");
    // Nothing at all between two ends is no segment.
    let file = interchange(&["CLP*1"]).replace("CLP*1~", "CLP*1~~\r\n~");
    assert_eq!(decode("{}", &file).rejections, []);
    let long = "9".repeat(65);
    let file = interchange(&[]).replace(
        "GS*HP*S*R*20240105*1200*42",
        &format!("GS*HP*S*R*20240105*1200*{long}"),
    );
    let decoded = decode("{}", &file);
    assert_eq!(rejected(&decoded), [("bad_segment", at(&file, "GS*"), 104)]);
    assert_eq!(texts(&decoded, "group"), [const { None }; 5]);
}

#[test]
fn a_segment_that_is_not_utf8_is_rejected_where_it_is_wanted() {
    let file = interchange(&["N1*PR*E", "CLP*1"]).replace("SENDER ", "SEND?R ");
    let mut file = file.into_bytes();
    let place = file.iter().position(|byte| *byte == b'?').unwrap();
    file[place] = 0xe9;
    let name = file
        .windows(7)
        .position(|bytes| bytes == b"N1*PR*E")
        .unwrap();
    file[name + 6] = 0xe9;
    let decode = |config: &str| Harness::new(config).decode::<X12>(&[&file]).unwrap();
    let decoded = decode("{}");
    assert_eq!(
        rejected(&decoded),
        [("not_utf8", 0, 105), ("not_utf8", name as u64, 7)]
    );
    assert_eq!(texts(&decoded, "interchange"), some(&["000000007"; 6]));
    assert_eq!(decode(r#"{ "segment": "CLP" }"#).rejections, []);
}

#[test]
fn a_segment_that_is_too_long_is_passed_over() {
    let long = format!("NTE*{}", "x".repeat(200));
    let file = interchange(&[&long, "CLP*1"]);
    let decoded = decode(r#"{ "max_bytes": 60 }"#, &file);
    assert_eq!(rejected(&decoded), [("too_long", at(&file, "NTE"), 204)]);
    assert_eq!(places(&decoded)[3], Some(3));
    // What begins or ends with such a segment does so still, whatever it is called.
    let file = file.replace("ST*835*0001", &format!("ST*835*0001*{}", "x".repeat(60)));
    let decoded = decode(r#"{ "max_bytes": 60 }"#, &file);
    let expected = [
        ("too_long", at(&file, "ST*"), 72),
        ("too_long", at(&file, "NTE"), 204),
    ];
    assert_eq!(rejected(&decoded), expected);
    assert_eq!(texts(&decoded, "set"), [const { None }; 6]);
    let cut = at(&file, "NTE") as usize + 100;
    let decoded = decode(r#"{ "max_bytes": 60 }"#, &file[..cut]);
    assert_eq!(rejected(&decoded)[1], ("unclosed", at(&file, "NTE"), 100));
    let file = interchange(&[&format!("NTE*{}", "x".repeat(MAX_BYTES))]);
    let decoded = decode("{}", &file);
    assert_eq!(
        rejected(&decoded),
        [("too_long", at(&file, "NTE"), 4 + MAX_BYTES as u64)]
    );
}

#[test]
fn a_count_that_is_wrong_rejects_the_end_of_the_set() {
    for said in ["SE*4*", "SE*2*", "SE**", "SE*x*", "SE*-3*"] {
        let file = interchange(&["CLP*1"]).replace("SE*3*", said);
        let decoded = decode("{}", &file);
        let length = said.len() as u64 + 4;
        assert_eq!(
            rejected(&decoded),
            [("wrong_count", at(&file, "SE*"), length)],
            "{said}"
        );
        assert_eq!(decoded.rows.num_rows(), 6);
        // It is a fault of the file, whichever rows are wanted of it.
        assert_eq!(decode(r#"{ "segment": "CLP" }"#, &file).rejections.len(), 1);
    }
    assert_eq!(
        decode("{}", &interchange(&["CLP*1"]).replace("SE*3*", "SE*03*")).rejections,
        []
    );
}

#[test]
fn what_is_not_closed_is_said() {
    let one = interchange(&["CLP*1"]);
    // The file ends between segments, or within one.
    let cut = &one[..at(&one, "SE*") as usize];
    assert_eq!(
        rejected(&decode("{}", cut)),
        [("unclosed", cut.len() as u64, 0)]
    );
    let cut = &one[..at(&one, "SE*") as usize + 4];
    assert_eq!(
        rejected(&decode("{}", cut)),
        [("unclosed", cut.len() as u64 - 4, 4)]
    );
    let cut = &one[..at(&one, "IEA*") as usize + 2];
    assert_eq!(
        rejected(&decode("{}", cut)),
        [("unclosed", cut.len() as u64 - 2, 2)]
    );
    // The end of the last segment may be missing.
    let decoded = decode("{}", one.trim_end().trim_end_matches('~'));
    assert_eq!((decoded.rows.num_rows(), decoded.rejections), (7, vec![]));
    let decoded = decode("{}", &one.replace("0007~\n", "0007\r\n"));
    assert_eq!((decoded.rows.num_rows(), decoded.rejections), (7, vec![]));
    // Another begins.
    let without = one.replace("IEA*1*000000007~\n", "");
    let file = format!("{without}{one}");
    assert_eq!(
        rejected(&decode("{}", &file)),
        [("unclosed", without.len() as u64, 0)]
    );
    let file = interchange(&["CLP*1"]).replace("SE*3*0001~\n", "");
    assert_eq!(
        rejected(&decode("{}", &file)),
        [("unclosed", at(&file, "GE*"), 0)]
    );
    let file = interchange(&["ST*835*2", "CLP*1"]).replace("SE*4", "SE*3");
    assert_eq!(
        rejected(&decode("{}", &file)),
        [("unclosed", at(&file, "ST*835*2"), 0)]
    );
    let file = one.replace("GE*1*42~\n", "");
    assert_eq!(
        rejected(&decode("{}", &file)),
        [("unclosed", at(&file, "IEA"), 0)]
    );
    let file = one.replace("SE*3*0001~\nGE*1*42~\n", "GS*HP~\n");
    let place = at(&file, "GS*HP~");
    assert_eq!(
        rejected(&decode("{}", &file))[..2],
        [("unclosed", place, 0); 2]
    );
}

#[test]
fn empty_and_cut_files() {
    for file in ["", "\r\n", "  \t"] {
        let decoded = decode("{}", file);
        assert_eq!(
            (decoded.rows.num_rows(), decoded.rejections),
            (0, vec![]),
            "{file:?}"
        );
    }
    let one = interchange(&["CLP*1"]);
    for length in 1..at(&one, "IEA") as usize {
        let decoded = decode("{}", &one[..length]);
        assert_eq!(decoded.rejections.len(), 1, "{length}");
    }
}

#[test]
fn many_rows_come_in_several_batches() {
    let file = interchange(&vec!["CLP*1"; 20_000]);
    let decoded = decode("{}", &file);
    assert_eq!(
        (decoded.rows.num_rows(), decoded.rejections),
        (20_006, vec![])
    );
}

#[test]
fn a_configuration_that_cannot_be_says_what_to_write() {
    for (config, says) in [
        (
            r#"{ "columns": { "a": "1" } }"#,
            "say which, such as segment = \"CLP\"",
        ),
        (
            r#"{ "set": "835", "columns": { "a": "1" } }"#,
            "say which, such as segment = \"CLP\"",
        ),
        (r#"{ "segment": "C" }"#, "write its two or three characters"),
        (
            r#"{ "segment": "CLP*" }"#,
            "write its two or three characters",
        ),
        (r#"{ "set": "" }"#, "write its number"),
        (r#"{ "set": "8 5" }"#, "write its number"),
        (
            r#"{ "segment": "CLP", "columns": {} }"#,
            "`columns` names no column",
        ),
        (
            r#"{ "segment": "CLP", "columns": { "a": "1.1" } }"#,
            "a path is an element",
        ),
        (
            r#"{ "segment": "CLP", "columns": { "a": "1-1-1" } }"#,
            "a path is an element",
        ),
        (
            r#"{ "segment": "CLP", "columns": { "a": "CLP01" } }"#,
            "a path is an element",
        ),
        (
            r#"{ "segment": "CLP", "columns": { "a": "1", "a": "2" } }"#,
            "two columns are named `a`",
        ),
        (
            r#"{ "segment": "CLP", "columns": { "control": "1" } }"#,
            "the decoder itself gives a column `control`",
        ),
        (r#"{ "segments": "CLP" }"#, "unknown field `segments`"),
        (
            r#"{ "max_bytes": 0 }"#,
            "`max_bytes` is a number of bytes from 1",
        ),
    ] {
        let error = Harness::new(config).decode::<X12>(&[]).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    let config = r#"{ "segment": "CLP", "columns": { "z": "1", "name": "2" } }"#;
    let schema = decode(config, "").rows.schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(
        names,
        [
            "interchange",
            "group",
            "set",
            "control",
            "segment",
            "z",
            "name"
        ]
    );
}
