//! Rejected rows: looked at, replayed, acknowledged, held.

use weir_tests::{Ended, Scene};

/// A pipeline of one step with `stages`, which adds files to `raw.visits` in the mode given.
fn pipeline(stages: &str, write: &str) -> String {
    format!(
        r#"
weir = 1
name = "rejects"
[params]
site = {{ type = "string", default = "a" }}
[zone.raw]
[connections.warehouse]
kind = "sqlite"
[[step]]
name = "land"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64", state = "string", amount = "int16" }} }}
{stages}
[[step.write]]
table = "raw.visits"
{write}
"#
    )
}

const STRICT: &str = r#"
[[step.stage]]
check = { range = { amount = { max = 10 } }, accepted = { state = ["NY", "NJ"] } }
"#;
const LENIENT: &str = r#"
[[step.stage]]
check = { range = { amount = { max = 100 } }, accepted = { state = ["NY", "NJ"] } }
"#;

fn weir(scene: &Scene, arguments: &[&str]) -> Ended {
    let mut command = scene.weir(arguments);
    command.arg("--lake").arg(scene.lake());
    Ended::from(command.output().unwrap())
}

fn replay(scene: &Scene, more: &[&str]) -> Ended {
    let mut arguments = vec!["replay", "pipeline.toml", "--step", "land"];
    arguments.extend(more);
    weir(scene, &arguments)
}

/// Ids in the table, and ids that are open in quarantine.
fn ids(scene: &Scene) -> (Vec<String>, Vec<String>) {
    let ids = |query: &str| scene.sql_csv(query)[1..].to_vec();
    (
        ids("select id from raw.visits order by id"),
        ids("select id from raw.visits__quarantine where _weir_state = 'open' order by id"),
    )
}

fn is(found: (Vec<String>, Vec<String>), accepted: &[&str], open: &[&str]) {
    assert_eq!(found.0, accepted);
    assert_eq!(found.1, open);
}

const ROWS: &str = "id,state,amount\n1,NY,1\n2,NJ,50\n3,NY,500\n4,XX,1\n5,NJ,60\n";

#[test]
fn rejected_rows_go_through_the_mended_step_once() {
    let scene = Scene::new();
    scene.file("in/1.csv", ROWS);
    let strict = pipeline(STRICT, "mode = \"append\"");
    let file = scene.file("pipeline.toml", strict);
    scene.run(&file, &[]).expect_code(3);
    is(ids(&scene), &["1"], &["2", "3", "4", "5"]);

    // Nothing was mended: all are rejected again, and none is doubled.
    replay(&scene, &[]).expect_code(3);
    is(ids(&scene), &["1"], &["2", "3", "4", "5"]);

    scene.file("pipeline.toml", pipeline(LENIENT, "mode = \"append\""));
    replay(&scene, &["--rule", "range(amount)"]).expect_code(3);
    is(ids(&scene), &["1", "2", "5"], &["3", "4"]);
    let step = scene.latest()["steps"][0].clone();
    assert_eq!(step["counts"]["read"], 3);
    assert_eq!(step["counts"]["accepted"], 2);
    assert_eq!(step["counts"]["quarantined"], 1);
    let run = scene.latest()["run"].as_str().unwrap().to_owned();
    let replayed = format!(
        "select count(*) from raw.visits__quarantine where _weir_state = 'replayed' and _weir_state_note = '{run}'"
    );
    assert_eq!(scene.value(&replayed), "3");
    // What is replayed says so, and where it came from stays known.
    let origin =
        "select distinct _weir_file like '%in/1.csv', _weir_segment from raw.visits__quarantine";
    assert_eq!(scene.sql_csv(origin)[1..], ["true,0"]);
    let ordinals =
        "select _weir_ordinal from raw.visits__quarantine where _weir_state = 'open' order by 1";
    assert_eq!(scene.sql_csv(ordinals)[1..], ["3", "4"]);

    // Again: the same rows fail, and nothing is added.
    replay(&scene, &["--rule", "range(amount)"]).expect_code(3);
    is(ids(&scene), &["1", "2", "5"], &["3", "4"]);
    replay(&scene, &["--rule", "no such rule"]).expect_code(0);
    assert_eq!(scene.latest()["steps"][0]["status"], "up-to-date");

    // The file has been loaded: a run does not read it again.
    scene.run(&file, &[]).expect_code(0);
    is(ids(&scene), &["1", "2", "5"], &["3", "4"]);
}

#[test]
fn a_replay_adds_to_what_a_replacement_wrote_and_a_merge_merges() {
    for write in [
        "mode = \"replace\"",
        "mode = \"replace-partition\"\npartition = { site = \"${param.site}\" }",
        "mode = \"merge\"\nkey = \"id\"",
        "mode = \"replace-partition\"\noverwrite = \"dynamic\"\npartition_by = \"state\"",
    ] {
        let scene = Scene::new();
        scene.file("in/1.csv", ROWS);
        let file = scene.file("pipeline.toml", pipeline(STRICT, write));
        scene.run(&file, &[]).expect_code(3);
        if write.contains("site") {
            // Another scope with rows of its own, which are not touched.
            scene.run(&file, &[("site", "b")]).expect_code(3);
        }
        scene.file("pipeline.toml", pipeline(LENIENT, write));
        replay(&scene, &[]).expect_code(3);
        if write.contains("site") {
            let of = |site: &str| {
                let query = format!("select id from raw.visits where site = '{site}' order by id");
                scene.sql_csv(&query)[1..].to_vec()
            };
            assert_eq!(of("a"), ["1", "2", "5"], "{write}");
            assert_eq!(of("b"), ["1"], "{write}");
        } else {
            is(ids(&scene), &["1", "2", "5"], &["3", "4"]);
        }
        replay(&scene, &[]).expect_code(3);
        let rows = scene.count("raw.visits");
        assert_eq!(rows, if write.contains("site") { 4 } else { 3 }, "{write}");
    }
}

#[test]
fn rows_before_a_query_are_not_replayed_and_rows_after_it_are() {
    let stages = format!(
        "{STRICT}\n[[step.stage]]\nsql = \"select state, sum(amount) as total, count(*) as n from input group by state\"\n[[step.stage]]\ncheck = {{ range = {{ n = {{ max = MOST }} }} }}\n"
    );
    let scene = Scene::new();
    scene.file(
        "in/1.csv",
        "id,state,amount\n1,NY,1\n2,NY,1\n3,NY,500\n4,NJ,1\n",
    );
    let text = |most: &str| pipeline(&stages.replace("MOST", most), "mode = \"append\"");
    let file = scene.file("pipeline.toml", text("1"));
    scene.run(&file, &[]).expect_code(3);
    let groups = "select state, n from raw.visits order by state";
    assert_eq!(scene.sql_csv(groups)[1..], ["NJ,1"]);
    scene.file("pipeline.toml", text("5"));
    replay(&scene, &[])
        .expect_code(2)
        .says(&["1 of the rows were rejected before a SQL stage", "--rule"]);
    replay(&scene, &["--rule", "range(n)"]).expect_code(0);
    assert_eq!(scene.sql_csv(groups)[1..], ["NJ,1", "NY,2"]);
}

#[test]
fn quarantine_is_listed_shown_exported_and_acknowledged() {
    let scene = Scene::new();
    scene.file("in/1.csv", ROWS);
    let file = scene.file("pipeline.toml", pipeline(STRICT, "mode = \"append\""));
    scene.run(&file, &[]).expect_code(3);
    let listed = weir(&scene, &["quarantine", "list"]).expect_code(0).stdout;
    let line = |rule: &str| listed.lines().find(|line| line.contains(rule)).unwrap();
    let words: Vec<&str> = line("range(amount)").split_whitespace().collect();
    assert_eq!(words[..2], ["raw.visits", "land"]);
    assert_eq!(words[words.len() - 3..words.len() - 1], ["open", "3"]);
    let json = weir(&scene, &["quarantine", "list", "--output", "json"]).expect_code(0);
    assert_eq!(json.json()[0]["rows"], 3);

    let shown = weir(
        &scene,
        &["quarantine", "show", "raw.visits", "--limit", "1"],
    )
    .expect_code(0);
    assert_eq!(
        shown.stdout.matches("range(amount)").count(),
        1,
        "{}",
        shown.stdout
    );
    let exported = weir(
        &scene,
        &[
            "quarantine",
            "export",
            "raw.visits",
            "--rule",
            "accepted(state)",
        ],
    )
    .expect_code(0);
    assert_eq!(exported.stdout.lines().count(), 2);
    assert!(exported.stdout.lines().nth(1).unwrap().ends_with("4,XX,1"));

    let ack = [
        "quarantine",
        "ack",
        "raw.visits",
        "--rule",
        "accepted(state)",
        "--note",
        "known at the source",
    ];
    weir(&scene, &ack)
        .expect_code(0)
        .says(&["1 row of raw.visits is acknowledged"]);
    weir(&scene, &ack)
        .expect_code(0)
        .says(&["no open row is meant by that"]);
    is(ids(&scene), &["1"], &["2", "3", "5"]);
    let note =
        "select _weir_state_note from raw.visits__quarantine where _weir_state = 'acknowledged'";
    assert_eq!(scene.value(note), "known at the source");
    // What is acknowledged is not replayed; a later run goes on as ever.
    replay(&scene, &[]).expect_code(3);
    assert_eq!(scene.latest()["steps"][0]["counts"]["read"], 3);
    scene.file("in/2.csv", "id,state,amount\n6,NY,1\n7,YY,1\n");
    scene.run(&file, &[]).expect_code(3);
    is(ids(&scene), &["1", "6"], &["2", "3", "5", "7"]);

    for wrong in ["visits", "raw.", "raw.visits.x"] {
        weir(&scene, &["quarantine", "show", wrong])
            .expect_code(2)
            .says(&["names no table", "zone.table"]);
    }
    weir(&scene, &["quarantine", "show", "raw.other"])
        .expect_code(2)
        .says(&["raw.other has no quarantine"]);
}

#[test]
fn what_a_failed_step_rejected_can_be_seen() {
    let scene = Scene::new();
    scene.file("in/1.csv", ROWS);
    let stages = format!("{STRICT}fail_above = \"10%\"\n");
    let file = scene.file("pipeline.toml", pipeline(&stages, "mode = \"append\""));
    scene
        .run(&file, &[])
        .expect_code(1)
        .says(&["4 of 5 rows break its rules", "weir quarantine held"]);
    assert!(!scene.lake().join("raw/visits/_delta_log").exists());
    let step = scene.latest()["steps"][0].clone();
    assert_eq!(step["held"]["rows"], 4);
    let held = weir(&scene, &["quarantine", "held", "--output", "csv"]).expect_code(0);
    let rows: Vec<&str> = held.stdout.lines().collect();
    assert_eq!(rows.len(), 5);
    assert!(
        rows[1].contains("range(amount)") && rows[1].ends_with("2,NJ,50"),
        "{}",
        rows[1]
    );
    // Of a run that holds none.
    let file = scene.file("pipeline.toml", pipeline(LENIENT, "mode = \"append\""));
    scene.run(&file, &[]).expect_code(3);
    weir(&scene, &["quarantine", "held"])
        .expect_code(2)
        .says(&["holds no rejected rows"]);
}

#[test]
fn a_step_that_keeps_no_rows_has_none_to_replay() {
    let scene = Scene::new();
    scene.file("in/1.csv", ROWS);
    let file = scene.file("pipeline.toml", pipeline("", "mode = \"append\""));
    scene.run(&file, &[]).expect_code(0);
    replay(&scene, &[])
        .expect_code(2)
        .says(&["step 'land' keeps no rows in quarantine"]);
    weir(&scene, &["retry"])
        .expect_code(2)
        .says(&["replayed rejected rows"]);
    let listed = weir(&scene, &["quarantine", "list"]).expect_code(0);
    listed.says(&["no row is in quarantine"]);
}
