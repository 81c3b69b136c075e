//! Declared checks, and what becomes of the rows that fail them.

use serde_json::Value;
use weir_tests::{Ended, Scene};

use crate::visits::{Targets, Visits};

/// Twelve rows: 3 breaks the pattern, 4 the range, 5 and 6 share a key, 7 has no state, 8 breaks
/// the expression, 9 is not accepted.
const ROWS: &str = "\
id,born,state,amount
1,1950-01-01,05,1.00
2,1950-01-01,06,2.00
3,1950-01-01,5,3.00
4,1950-01-01,05,4000.00
5,1950-01-01,05,5.00
5,1951-01-01,05,6.00
7,1950-01-01,,7.00
8,2050-01-01,05,8.00
9,1950-01-01,99,9.00
10,1950-01-01,05,10.00
11,1950-01-01,05,11.00
12,1950-01-01,05,12.00
";

fn run(scene: &Scene, checks: &[(&str, &str)]) -> Ended {
    let stages: String = checks
        .iter()
        .map(|(check, more)| format!("\n[[step.stage]]\ncheck = {{ {check} }}\n{more}\n"))
        .collect();
    scene.file("in/v.csv", ROWS);
    Visits {
        stages: &stages,
        ..Visits::default()
    }
    .run(scene)
}

const EVERY: &str = r#"pattern = { state = '^\d\d$' }, range = { amount = { min = 0, max = 100 } }, unique = ["id"], not_null = ["state"], expression = { "born before today" = "born < date '2026-01-01'" }, accepted = { state = ["05", "06", "5"] }"#;

fn counts(record: &Value) -> [u64; 4] {
    let counts = &record["steps"][0]["counts"];
    ["read", "accepted", "quarantined", "dropped"].map(|name| counts[name].as_u64().unwrap())
}

#[test]
fn expressions_have_the_functions_of_queries() {
    let scene = Scene::new();
    let demands = r#"expression = { "known or cheap" = "coalesce(state, '99') <> '99' and nvl(amount, 0) < 1000 and nullif(id, 11) is not null" }"#;
    run(&scene, &[(demands, "")]).expect_code(3);
    assert_eq!(
        scene.sql_csv("select id from raw.visits__quarantine order by _weir_ordinal"),
        ["id", "4", "7", "9", "11"]
    );
}

#[test]
fn each_check_finds_its_rows() {
    let scene = Scene::new();
    run(&scene, &[(EVERY, "")]).expect_code(3);
    assert_eq!(
        scene.sql_csv(
            "select id, _weir_rule as rule, _weir_ordinal as place from raw.visits__quarantine order by 3"
        ),
        [
            "id,rule,place",
            "3,pattern(state),3",
            "4,range(amount),4",
            "5,unique(id),5",
            "5,unique(id),6",
            "7,not_null(state),7",
            "8,born before today,8",
            "9,accepted(state),9",
        ]
    );
    assert_eq!(
        scene.sql_csv("select id from raw.visits order by id"),
        ["id", "1", "2", "10", "11", "12"]
    );
    let record = scene.latest();
    assert_eq!(counts(&record), [12, 5, 7, 0]);
    assert_eq!(record["steps"][0]["rejected"].as_array().unwrap().len(), 6);
    // The message says what the rule demands, and not the value.
    for row in scene.sql("select _weir_message as m, _weir_stage as s from raw.visits__quarantine")
    {
        assert!(!row["m"].as_str().unwrap().contains("4000"), "{row}");
        assert_eq!(row["s"], "stage 1 (check)");
    }
}

#[test]
fn a_file_row_in_quarantine_names_its_file() {
    let scene = Scene::new();
    run(&scene, &[(EVERY, "")]).expect_code(3);
    let rows = scene.sql("select _weir_file as file, * from raw.visits__quarantine");
    for row in rows {
        assert!(
            row["file"].as_str().unwrap().ends_with("/in/v.csv"),
            "{row}"
        );
        assert!(
            row.get("_weir_plugin").is_none(),
            "a declared check is no plugin"
        );
    }
}

#[test]
fn dropped_rows_are_counted_and_gone() {
    let scene = Scene::new();
    run(&scene, &[(EVERY, "on_fail = \"drop\"")]).expect_code(0);
    assert_eq!(counts(&scene.latest()), [12, 5, 0, 7]);
    assert_eq!(scene.count("raw.visits"), 5);
    assert!(!scene.lake().join("raw/visits__quarantine").exists());
}

#[test]
fn warned_rows_are_counted_and_kept() {
    let scene = Scene::new();
    run(&scene, &[(EVERY, "on_fail = \"warn\"")]).expect_code(3);
    let record = scene.latest();
    assert_eq!(counts(&record), [12, 12, 0, 0]);
    let warned = record["steps"][0]["warned"].as_array().unwrap();
    let rows = |rule: &str| {
        let found = warned.iter().find(|entry| entry["rule"] == rule);
        found.unwrap_or_else(|| panic!("no {rule} in {warned:?}"))["rows"].clone()
    };
    assert_eq!(rows("unique(id)"), 2);
    assert_eq!(rows("pattern(state)"), 1);
    assert_eq!(rows("range(amount)"), 1);
    assert_eq!(scene.count("raw.visits"), 12);

    // A threshold that is not passed is no warning.
    run(
        &scene,
        &[(EVERY, "on_fail = \"warn\"\nwarn_above = \"90%\"")],
    )
    .expect_code(0);
    run(&scene, &[(EVERY, "on_fail = \"warn\"\nwarn_above = 3")]).expect_code(3);
}

/// `fail` stops at the first bad row, `fail_above` at too many; no target changes, and no file of
/// such a run is left.
#[test]
fn failing_checks_leave_the_targets_alone() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..5));
    Visits::default().run(&scene).expect_code(0);
    let targets = Targets::of(&scene);
    let files = || {
        let entries = std::fs::read_dir(scene.lake().join("raw/visits")).unwrap();
        entries.count()
    };
    let before = files();
    for (check, more) in [
        (
            r#"range = { amount = { max = 100 } }"#,
            "on_fail = \"fail\"",
        ),
        (r#"unique = ["id"]"#, "on_fail = \"fail\""),
        (EVERY, "on_fail = \"fail\""),
        (EVERY, "fail_above = \"58%\""),
        (EVERY, "fail_above = 6"),
        (EVERY, "on_fail = \"drop\"\nfail_above = 6"),
        (EVERY, "on_fail = \"warn\"\nfail_above = 6"),
    ] {
        run(&scene, &[(check, more)])
            .expect_code(1)
            .says(&[
                "error: step 'visits' stage 1 (check)",
                "hint: ",
                "as before this run",
            ])
            .hides(&["4000", "2050-01-01"]);
        targets.expect_untouched(&scene);
        assert!(
            !scene
                .lake()
                .join("raw/visits__quarantine/_delta_log")
                .exists()
        );
    }
    assert_eq!(files(), before, "files of failed runs are removed");
    for more in ["fail_above = \"59%\"", "fail_above = 7"] {
        run(&scene, &[(EVERY, more)]).expect_code(3);
    }
}

/// Fates are per stage: a row that an earlier stage dropped is not judged again.
#[test]
fn stages_judge_one_after_the_other() {
    let scene = Scene::new();
    run(
        &scene,
        &[
            (
                r#"accepted = { state = ["05", "06", "5"] }"#,
                "on_fail = \"drop\"",
            ),
            (
                r#"pattern = { state = '^\d\d$' }"#,
                "on_fail = \"quarantine\"",
            ),
            (
                r#"range = { amount = { max = 100 } }"#,
                "on_fail = \"warn\"",
            ),
            (r#"unique = ["id"]"#, "on_fail = \"warn\""),
        ],
    )
    .expect_code(3);
    let record = scene.latest();
    let [read, accepted, quarantined, dropped] = counts(&record);
    assert_eq!((read, quarantined), (12, 1));
    assert_eq!(read, accepted + quarantined + dropped);
    assert_eq!(scene.count("raw.visits"), accepted);
}

/// A query between stages: checks before it judge its input, checks after it its output.
#[test]
fn a_query_between_stages() {
    let scene = Scene::new();
    scene.file("in/v.csv", ROWS);
    let stages = r#"
[[step.stage]]
check = { not_null = ["state"] }

[[step.stage]]
sql = "select state, cast(sum(amount) as decimal(12,2)) as total, count(*) as visits from input group by state"

[[step.stage]]
check = { range = { visits = { max = 3 } } }
"#;
    Visits {
        stages,
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(3);
    assert_eq!(
        scene.sql_csv("select state, total, visits from raw.visits order by state"),
        ["state,total,visits", "06,2.00,1", "5,3.00,1", "99,9.00,1"]
    );
    assert_eq!(
        scene.sql_csv(
            "select _weir_rule as rule, id, state, visits from raw.visits__quarantine order by rule"
        ),
        [
            "rule,id,state,visits",
            "not_null(state),7,,",
            "range(visits),,05,8"
        ]
    );
    assert_eq!(counts(&scene.latest()), [12, 11, 1, 0]);
}

/// Named sets serve several steps.
#[test]
fn named_sets_of_checks() {
    let scene = Scene::new();
    scene.file("in/v.csv", ROWS);
    Visits {
        stages: "\n[[step.stage]]\ncheck = [\"shape\", \"money\"]\n",
        more: "\n[checks.shape]\npattern = { state = '^\\d\\d$' }\n[checks.money]\nrange = { amount = { max = 100 } }\n",
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(3);
    assert_eq!(counts(&scene.latest()), [12, 10, 2, 0]);
}
