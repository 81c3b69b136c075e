//! Input with records that cannot be read: where a step says so they are kept aside, each with its line
//! and its text, and the rest of the file is read as it is.

use std::fmt::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use weir_tests::Scene;

use crate::visits::{Targets, Visits};

const KEPT: &str = r#"format = "csv", on_fail = "quarantine""#;

const WHY: &str = "select _weir_rule, _weir_message, _weir_stage, _weir_ordinal, \
     id is null and born is null and state is null and amount is null as nulls \
     from raw.visits__quarantine order by _weir_ordinal";

/// Ten good rows between bad ones of every kind; lines end as Windows ends them.
fn dirty() -> Vec<u8> {
    let mut text = Vec::new();
    let mut line = |bytes: &[u8]| {
        text.extend_from_slice(bytes);
        text.extend_from_slice(b"\r\n");
    };
    line(b"\xEF\xBB\xBFid,born,state,amount");
    line(b"1,1950-01-01,05,1.00");
    line(b"canary-1,1950-01-01,05,1.00");
    line(b"2,1950-01-01,\"two\r\nlines\",1.00");
    line(b"3,1950-01-01,canary-2");
    line(b"");
    line(b"4,1950-01-01,canary-3,1.00,x");
    line(b"5,canary-4,05,1.00");
    line(b",1950-01-01,canary-5,1.00");
    line(b"6,1950-01-01,canary-6\xE9,1.00");
    line(b"7,1950-01-01,05,1.00");
    line(b"8,1950-01-01,\"canary-7,1.00");
    line(b"9,1950-01-01,05,1.00");
    text
}

#[test]
fn bad_records_of_csv_go_to_quarantine() {
    let scene = Scene::new();
    scene.file("in/v.csv", dirty());
    let strict = Visits::default().run(&scene).expect_code(1);
    strict.says(&["in/v.csv: ", "hint: "]).hides(&["canary"]);

    let kept = Visits {
        read: KEPT,
        ..Visits::default()
    };
    let plan = scene
        .weir(["plan", "--lake"])
        .arg(scene.lake())
        .arg(kept.write(&scene))
        .args(["--param", "landing=in"])
        .output()
        .unwrap();
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.contains("bad records → quarantine"), "{plan}");

    for _ in 0..2 {
        kept.run(&scene).expect_code(3).hides(&["canary"]);
        let rows = scene.sql_csv("select id, state from raw.visits order by id");
        assert_eq!(rows, ["id,state", "1,05", "2,\"two", "lines\"", "7,05"]);
        let message = |line: u64, what: &str| format!("line {line}: {what}");
        let null = "column 'id' is empty, but declared `not null`";
        let expected = [
            ("bad_value", message(3, "column 'id' is no Int64"), 2),
            ("ragged_row", message(6, "3 fields, expected 4"), 4),
            ("ragged_row", message(8, "5 fields, expected 4"), 5),
            ("bad_value", message(9, "column 'born' is no Date32"), 6),
            ("null_value", message(10, null), 7),
            ("bad_encoding", message(11, "field 3 is not UTF-8"), 8),
            ("open_quote", message(13, "a quote is never closed"), 10),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(rule, message, ordinal)| {
                json!({
                    "_weir_rule": rule,
                    "_weir_message": message,
                    "_weir_stage": "read",
                    "_weir_ordinal": ordinal,
                    "nulls": true,
                })
            })
            .collect();
        assert_eq!(scene.sql(WHY), expected);
    }
    let raw = scene.sql("select _weir_raw from raw.visits__quarantine order by _weir_ordinal");
    let raw: Vec<&str> = raw
        .iter()
        .map(|row| row["_weir_raw"].as_str().unwrap())
        .collect();
    assert_eq!(
        raw,
        [
            "canary-1,1950-01-01,05,1.00",
            "3,1950-01-01,canary-2",
            "4,1950-01-01,canary-3,1.00,x",
            "5,canary-4,05,1.00",
            ",1950-01-01,canary-5,1.00",
            "6,1950-01-01,canary-6\u{fffd},1.00",
            "8,1950-01-01,\"canary-7,1.00\r\n9,1950-01-01,05,1.00",
        ]
    );
    let files = scene.sql("select distinct _weir_file from raw.visits__quarantine");
    assert!(
        files[0]["_weir_file"]
            .as_str()
            .unwrap()
            .ends_with("/in/v.csv")
    );

    let record = scene.latest();
    let step = &record["steps"][0];
    assert_eq!(step["status"], "warned");
    let counts = &step["counts"];
    assert_eq!(
        (
            &counts["read"],
            &counts["accepted"],
            &counts["quarantined"],
            &counts["dropped"]
        ),
        (&json!(10), &json!(3), &json!(7), &json!(0))
    );
    assert_eq!(
        step["rejected"],
        json!([
            { "stage": "read", "rule": "bad_encoding", "rows": 1 },
            { "stage": "read", "rule": "bad_value", "rows": 2 },
            { "stage": "read", "rule": "null_value", "rows": 1 },
            { "stage": "read", "rule": "open_quote", "rows": 1 },
            { "stage": "read", "rule": "ragged_row", "rows": 2 },
        ])
    );
    assert!(!record.to_string().contains("canary"));

    // Mended, nothing is left in quarantine.
    scene.file("in/v.csv", Visits::rows(0..5));
    kept.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits__quarantine"), 0);
}

#[test]
fn bad_records_of_json_go_to_quarantine() {
    let deep = format!(
        "{{\"id\": 6, \"x\": {}{}}}",
        "[".repeat(200),
        "]".repeat(200)
    );
    let records = [
        r#"{"id": 1, "born": "1950-01-01"}"#,
        r#"{"id": "canary-1"}"#,
        r#"{"id": 2, "state": "x", "amount": 1.50}"#,
        r#"{"state": "canary-2"}"#,
        r#"{"id": canary-3}"#,
        r#"{"id": 3, "amount": 1.505}"#,
        deep.as_str(),
        r#"{"id": 4}"#,
    ];
    for (format, text) in [
        ("json-lines", records.join("\n")),
        ("json", format!("[{}]\n", records.join(",\n"))),
        ("json", records.join("\n")),
    ] {
        let scene = Scene::new();
        scene.file("in/v.json", text);
        let visits = |on_fail: &str| {
            let visits = Visits {
                files: "*.json",
                read: &format!("format = \"{format}\"{on_fail}"),
                ..Visits::default()
            };
            visits.run(&scene)
        };
        visits("").expect_code(1).hides(&["canary"]);
        visits(", on_fail = \"quarantine\"")
            .expect_code(3)
            .hides(&["canary"]);
        assert_eq!(
            scene.sql_csv("select id, amount from raw.visits order by id"),
            ["id,amount", "1,", "2,1.50", "4,"]
        );
        assert_eq!(
            scene.sql_csv("select _weir_rule, _weir_ordinal, _weir_message from raw.visits__quarantine order by _weir_ordinal"),
            [
                "_weir_rule,_weir_ordinal,_weir_message",
                "bad_value,2,line 2: column 'id' is no Int64",
                "null_value,4,\"line 4: column 'id' is empty, but declared `not null`\"",
                "bad_json,5,line 5: the text is not one JSON object",
                "bad_value,6,\"line 6: column 'amount' is no Decimal128(10, 2)\"",
                "deep_json,7,line 7: objects and arrays nest deeper than 128 levels",
            ]
        );
        let raw = "select _weir_raw from raw.visits__quarantine where _weir_ordinal = 5";
        assert_eq!(scene.sql(raw)[0]["_weir_raw"], records[4]);
    }
}

#[test]
fn bad_records_may_be_dropped() {
    let scene = Scene::new();
    scene.file("in/v.csv", dirty());
    let dropped = Visits {
        read: r#"format = "csv", on_fail = "drop""#,
        ..Visits::default()
    };
    dropped.run(&scene).expect_code(0).hides(&["canary"]);
    assert_eq!(scene.count("raw.visits"), 3);
    assert!(!scene.lake().join("raw/visits__quarantine").exists());
    let counts = &scene.latest()["steps"][0]["counts"];
    assert_eq!(
        (&counts["read"], &counts["dropped"]),
        (&json!(10), &json!(7))
    );
    let warned = Visits {
        read: r#"format = "csv", on_fail = "drop", warn_above = 6"#,
        ..Visits::default()
    };
    warned.run(&scene).expect_code(3);
}

#[test]
fn too_many_bad_records_fail_the_step() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    Visits::default().run(&scene).expect_code(0);
    let targets = Targets::of(&scene);
    scene.file("in/v.csv", dirty());
    for (above, code) in [("6", 1), ("\"69%\"", 1), ("7", 3), ("\"70%\"", 3)] {
        let visits = Visits {
            read: &format!("{KEPT}, fail_above = {above}"),
            ..Visits::default()
        };
        let ended = visits.run(&scene).expect_code(code);
        if code == 1 {
            ended
                .says(&[
                    "step 'visits' read: 7 of 10 rows break its rules, more than `fail_above` allows",
                    "ragged_row 2",
                    "raw.visits: as before this run",
                ])
                .hides(&["canary"]);
            targets.expect_untouched(&scene);
        }
    }
}

/// Stages judge the rows that could be read, and only those.
#[test]
fn stages_see_no_bad_record() {
    let scene = Scene::new();
    scene.file("in/v.csv", dirty());
    let visits = Visits {
        read: KEPT,
        stages: r#"
[[step.stage]]
check = { not_null = ["id"], accepted = { state = ["05"] } }
fail_above = 1

[[step.stage]]
check = { unique = ["state"] }

[[step.stage]]
sql = "select id, state, sum(amount) as total from input group by id, state"

[[step.stage]]
check = { range = { id = { max = 6 } } }
"#,
        ..Visits::default()
    };
    visits.run(&scene).expect_code(3);
    assert_eq!(scene.count("raw.visits"), 0);
    assert_eq!(
        scene.sql_csv(
            "select _weir_stage, count(*), count(_weir_raw), count(id) from raw.visits__quarantine group by 1 order by 1"
        )[1..],
        ["read,7,7,0", "stage 1 (check),1,0,1", "stage 2 (check),2,0,2"]
    );
    let plugged = Visits {
        read: KEPT,
        stages: r#"
[[step.stage]]
transform = "guest_transform"
grant = { columns = ["id", "state"] }
"#,
        ..Visits::default()
    };
    let scene = Scene::new();
    scene.file("in/v.csv", dirty());
    plugged.run(&scene).expect_code(3);
    assert_eq!(scene.count("raw.visits"), 3);
    assert_eq!(scene.count("raw.visits__quarantine"), 7);
}

#[test]
fn long_records_are_passed_over() {
    let scene = Scene::new();
    let mut text = Visits::rows(0..3);
    writeln!(text, "3,1950-01-01,{},1.00", "canary".repeat(500_000)).unwrap();
    text.push_str("4,1950-01-01,05,1.00\n");
    scene.file("in/v.csv", text);
    let strict = Visits {
        read: r#"format = "csv", max_record = "1MiB""#,
        ..Visits::default()
    };
    strict
        .run(&scene)
        .expect_code(1)
        .says(&[
            "in/v.csv: line 5: the record is longer than 1048576 bytes",
            "hint: raise `max_record`",
        ])
        .hides(&["canary"]);
    let kept = Visits {
        read: &format!("{KEPT}, max_record = \"1MiB\""),
        ..Visits::default()
    };
    kept.run(&scene).expect_code(3).hides(&["canary"]);
    assert_eq!(scene.count("raw.visits"), 4);
    assert_eq!(
        scene.sql_csv("select _weir_rule, length(_weir_raw) as kept from raw.visits__quarantine"),
        ["_weir_rule,kept", "long_record,65536"]
    );
    Visits::default().run(&scene).expect_code(0);
}

#[test]
fn files_may_be_latin_1() {
    let scene = Scene::new();
    scene.file(
        "in/v.csv",
        b"id,born,state,amount\n1,1950-01-01,M\xFCnster \x96 5 \x80,1.00\n",
    );
    Visits::default().run(&scene).expect_code(1);
    let latin = Visits {
        read: r#"format = "csv", encoding = "latin-1""#,
        ..Visits::default()
    };
    latin.run(&scene).expect_code(0);
    assert_eq!(scene.value("select state from raw.visits"), "Münster – 5 €");
}

/// New files are added batch by batch, and each batch keeps its bad records.
#[test]
fn appended_files_may_be_dirty() {
    let scene = Scene::new();
    let visits = Visits {
        read: &format!("{KEPT}, max_files = 1"),
        mode: "append",
        ..Visits::default()
    };
    scene.file("in/a.csv", dirty());
    scene.file("in/b.csv", Visits::rows(0..5));
    visits.run(&scene).expect_code(3);
    scene.file("in/c.csv", dirty());
    visits.run(&scene).expect_code(3);
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 11);
    assert_eq!(scene.count("raw.visits__quarantine"), 14);
}

/// What is wrong with a file as a whole fails the step, however tolerant it is.
#[test]
fn a_file_that_is_none_fails_all_the_same() {
    let scene = Scene::new();
    let visits = Visits {
        files: "*.csv*",
        read: KEPT,
        ..Visits::default()
    };
    scene.file("in/v.csv", "id,birth,state,amount\n1,1950-01-01,05,1.00\n");
    visits
        .run(&scene)
        .expect_code(1)
        .says(&["line 1: the header lacks column 'born'"]);
    std::fs::remove_file(scene.path("in/v.csv")).unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut encoder, Visits::rows(0..30_000).as_bytes()).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(bytes.len() / 2);
    scene.file("in/v.csv.gz", bytes);
    visits
        .run(&scene)
        .expect_code(1)
        .says(&["cannot be read to its end"]);
}
