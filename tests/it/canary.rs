//! Values of rows are in tables and nowhere else: not in errors, logs, records or decisions.

use std::fs;
use std::path::Path;

use weir_tests::{Ended, Scene};

use crate::visits::Visits;

const CANARY: &str = "Kanarienvogel77";
/// A canary that is a number, and one that is a date.
const NUMBER: &str = "7777771";
const DATE: &str = "1777-07-17";

const LOG: &str =
    "warn,weir=trace,weir_engine=trace,weir_sandbox=trace,weir_pipeline=trace,weir::guest=trace";

/// All text below a folder that holds the canary.
fn holding(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, found);
        } else {
            let bytes = fs::read(&path).unwrap();
            for canary in [CANARY, NUMBER, DATE] {
                let holds = bytes
                    .windows(canary.len())
                    .any(|part| part == canary.as_bytes());
                if holds {
                    found.push(format!("{} holds {canary}", path.display()));
                }
            }
        }
    }
}

/// Runs with a log at its most talkative, and looks everywhere but in the tables.
fn stays_hidden(visits: &Visits<'_>, name: &str, content: &str, codes: &[i32]) -> Scene {
    let scene = Scene::new();
    scene.file(&format!("in/{name}"), content);
    let pipeline = visits.write(&scene);
    for format in ["text", "json"] {
        let log = format!("log/{format}.log");
        fs::create_dir_all(scene.path("log")).unwrap();
        let mut command = scene.run_command(&pipeline, &[("landing", "in")]);
        command.args(["--log", LOG, "--log-format", format, "--log-file", &log]);
        let ended: Ended = command.output().unwrap().into();
        ended.expect_code_of(codes).hides(&[CANARY, NUMBER, DATE]);
        let text = fs::read_to_string(scene.path(&log)).unwrap();
        assert!(
            text.contains("executing a segment"),
            "the log is talkative: {text}"
        );
        if format == "json" {
            for line in text.lines() {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(
                    event["level"].is_string() && event["fields"].is_object(),
                    "{line}"
                );
            }
        }
    }
    let shown = scene.call(["show", "latest", "--lake", "lake"]);
    shown.expect_code(0).hides(&[CANARY, NUMBER, DATE]);
    let mut found = Vec::new();
    holding(&scene.path("log"), &mut found);
    holding(&scene.lake().join("_weir/runs"), &mut found);
    holding(&scene.lake().join("_weir/commits"), &mut found);
    holding(&scene.lake().join("_weir/offsets"), &mut found);
    assert!(found.is_empty(), "{found:#?}");
    scene
}

#[test]
fn accepted_quarantined_and_warned_rows() {
    let rows = format!(
        "id,born,state,amount\n1,1950-01-01,{CANARY},1.00\n1,1950-01-01,{CANARY},2.00\n2,1950-01-01,{CANARY},3.00\n3,1950-01-01,05,4.00\n"
    );
    let stages = r#"
[[step.stage]]
check = { unique = [["id", "state"]] }

[[step.stage]]
check = { pattern = { state = '^\d\d$' }, expression = { "short" = "length(state) < 3" } }
on_fail = "warn"
"#;
    let scene = stays_hidden(
        &Visits {
            stages,
            ..Visits::default()
        },
        "v.csv",
        &rows,
        &[3],
    );
    // It is where it belongs.
    assert_eq!(
        scene.value(&format!(
            "select count(*) from raw.visits where state = '{CANARY}'"
        )),
        "1"
    );
    assert_eq!(
        scene.value(&format!(
            "select count(*) from raw.visits__quarantine where state = '{CANARY}'"
        )),
        "2"
    );
}

#[test]
fn values_that_do_not_fit() {
    for row in [
        format!("{CANARY},1950-01-01,05,1.00"),
        format!("{NUMBER}x,1950-01-01,05,1.00"),
        format!("1,{CANARY},05,1.00"),
        format!("1,{DATE}T,05,1.00"),
        format!("1,1950-01-01,05,{NUMBER}000000000"),
        format!("1,1950-01-01,05,1.00,{CANARY}"),
        CANARY.to_owned(),
        format!("1,1950-01-01,\"{CANARY},1.00"),
    ] {
        let rows = format!("id,born,state,amount\n{row}\n");
        stays_hidden(&Visits::default(), "v.csv", &rows, &[1]);
    }
}

#[test]
fn json_values_that_do_not_fit() {
    for (format, text) in [
        ("json-lines", format!("{{\"id\": \"{CANARY}\"}}")),
        (
            "json-lines",
            format!("{{\"id\": {{\"{CANARY}\": {NUMBER}}}}}"),
        ),
        (
            "json-lines",
            format!("{{\"id\": 1, \"amount\": {NUMBER}000000000}}"),
        ),
        (
            "json-lines",
            format!("{{\"id\": 1, \"born\": \"{CANARY}\"}}"),
        ),
        ("json-lines", format!("{{\"id\": 1, {CANARY}")),
        ("json", format!("[{{\"id\": \"{CANARY}\"}}]")),
        ("json", CANARY.to_owned()),
    ] {
        let visits = Visits {
            files: "*.json",
            read: &format!("format = \"{format}\""),
            ..Visits::default()
        };
        stays_hidden(&visits, "v.json", &text, &[1]);
    }
}

/// Casts and arithmetic in SQL and in expressions meet values too.
#[test]
fn queries_that_fail_on_values() {
    for sql in [
        "select id, cast(state as int) as state from input",
        "select id, cast(state as date) as state from input",
        "select id, cast(state as decimal(10,2)) as state from input",
        "select id, arrow_cast(state, 'Timestamp(Microsecond, None)') as state from input",
    ] {
        let rows = format!("id,born,state,amount\n1,1950-01-01,{CANARY},1.00\n");
        let stages = format!("\n[[step.stage]]\nsql = \"{sql}\"\n");
        stays_hidden(
            &Visits {
                stages: &stages,
                ..Visits::default()
            },
            "v.csv",
            &rows,
            &[1],
        );
    }
    let stages = "\n[[step.stage]]\ncheck = { expression = { \"a number\" = \"cast(state as int) > 0\" } }\n";
    let rows = format!("id,born,state,amount\n1,1950-01-01,{CANARY},1.00\n");
    stays_hidden(
        &Visits {
            stages,
            ..Visits::default()
        },
        "v.csv",
        &rows,
        &[1],
    );
}

#[test]
fn guests_do_not_talk_into_the_error() {
    let rows = Visits::rows(0..10);
    let stages = "\n[[step.stage]]\ntransform = \"guest_transform\"\nconfig = { mode = \"panic\" }\ngrant = { columns = [\"*\"] }\n";
    let scene = Scene::new();
    scene.file("in/v.csv", rows);
    Visits {
        stages,
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(1)
    .hides(&["secret-canary"]);
}
