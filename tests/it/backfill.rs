//! A run for each value of a parameter, and everything read anew.

use weir_tests::{Ended, Scene};

const PIPELINE: &str = r#"
weir = 1
name = "daily"
[params]
date = { type = "date" }
[zone.raw]
[[step]]
name = "land"
read = { files = "in/${param.date:%Y-%m-%d}.csv", format = "csv", schema = { id = "int64" }, allow_missing = true }
[[step.stage]]
check = { range = { id = { max = 99 } } }
[[step.write]]
table = "raw.visits"
mode = "replace-partition"
partition = { date = "${param.date}" }
"#;

fn backfill(scene: &Scene, more: &[&str]) -> Ended {
    let mut command = scene.weir(["backfill", "pipeline.toml", "--lake"]);
    command.arg(scene.lake()).args(more);
    Ended::from(command.output().unwrap())
}

fn days(scene: &Scene) -> Vec<String> {
    let query = "select date, count(*) from raw.visits group by date order by date";
    scene.sql_csv(query)[1..].to_vec()
}

#[test]
fn a_pipeline_is_run_for_each_day_and_goes_on_where_it_failed() {
    let scene = Scene::new();
    scene.file("pipeline.toml", PIPELINE);
    for day in 1..=5 {
        let rows: String = (0..day).map(|id| format!("{id}\n")).collect();
        scene.file(&format!("in/2024-02-2{day}.csv"), format!("id\n{rows}"));
    }
    scene.file("in/2024-02-23.csv", "id\nx\n");
    let range = ["--param", "date=2024-02-21..2024-02-25"];
    let ended = backfill(&scene, &[range[0], range[1], "--parallel", "3"]).expect_code(1);
    ended.says(&["2024-02-23: failed", "1 of 5 are not done"]);
    let expected = [
        "2024-02-21,1",
        "2024-02-22,2",
        "2024-02-24,4",
        "2024-02-25,5",
    ];
    assert_eq!(days(&scene), expected);

    scene.file("in/2024-02-23.csv", "id\n1\n2\n100\n");
    let ended = backfill(&scene, &[range[0], range[1], "--output", "json"]).expect_code(3);
    let windows = ended.json();
    let status = |index: usize| windows[index]["status"].as_str().unwrap().to_owned();
    assert_eq!(status(0), "done-before");
    assert_eq!(status(2), "warned");
    assert_eq!(windows[2]["read"], 3);
    assert_eq!(windows[2]["quarantined"], 1);
    assert_eq!(days(&scene).len(), 5);
    let runs = scene.value("select count(*) from weir.runs");
    assert_eq!(runs, "6");

    // Changed, all of it is run again.
    scene.file("pipeline.toml", PIPELINE.replace("max = 99", "max = 999"));
    backfill(&scene, &[range[0], range[1], "--parallel", "5"]).expect_code(0);
    assert_eq!(days(&scene)[2], "2024-02-23,3");
    assert_eq!(scene.value("select count(*) from weir.runs"), "11");

    for (params, says) in [
        (
            vec!["--param", "date=2024-02-21"],
            "no parameter has a range",
        ),
        (
            vec!["--param", "date=2024-02-25..2024-02-21"],
            "has no value",
        ),
        (vec!["--param", "date=a..b"], "'a..b' is no range"),
    ] {
        backfill(&scene, &params).expect_code(2).says(&[says]);
    }
}

#[test]
fn a_full_refresh_reads_everything_and_replaces_what_was_added() {
    for write in [
        "mode = \"append\"",
        "mode = \"merge\"\nkey = \"id\"\norder = \"state\"",
    ] {
        let scene = Scene::new();
        let text = format!(
            r#"
weir = 1
name = "refreshed"
[zone.raw]
[[step]]
name = "land"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64", state = "string" }}, max_files = 1 }}
[[step.stage]]
check = {{ accepted = {{ state = ["NY", "NJ"] }} }}
[[step.write]]
table = "raw.visits"
{write}
"#
        );
        let file = scene.file("pipeline.toml", &text);
        scene.file("in/1.csv", "id,state\n1,NY\n2,XX\n");
        scene.file("in/2.csv", "id,state\n3,NJ\n");
        scene.run(&file, &[]).expect_code(3);
        let ids = |table: &str| {
            let query = format!("select id, state from raw.{table} order by id");
            scene.sql_csv(&query)[1..].to_vec()
        };
        assert_eq!(ids("visits"), ["1,NY", "3,NJ"]);
        // A file was mended, one is gone and one is new: without a refresh the old rows stay.
        scene.file("in/1.csv", "id,state\n1,NJ\n1,NY\n2,NY\n");
        std::fs::remove_file(scene.path("in/2.csv")).unwrap();
        scene.file("in/3.csv", "id,state\n4,NJ\n5,YY\n");
        let refresh = || {
            let mut command = scene.run_command(&file, &[]);
            command.arg("--full-refresh");
            Ended::from(command.output().unwrap())
        };
        refresh().expect_code(3);
        let expected: &[&str] = match write.contains("merge") {
            true => &["1,NY", "2,NY", "4,NJ"],
            false => &["1,NJ", "1,NY", "2,NY", "4,NJ"],
        };
        let found = || {
            let mut rows = ids("visits");
            rows.sort();
            rows
        };
        assert_eq!(found(), expected, "{write}");
        assert_eq!(ids("visits__quarantine"), ["5,YY"]);
        // What was read is known again.
        scene.run(&file, &[]).expect_code(0);
        assert_eq!(scene.latest()["steps"][0]["status"], "up-to-date");
        refresh().expect_code(3);
        assert_eq!(found(), expected, "{write}");
        assert_eq!(ids("visits__quarantine"), ["5,YY"]);
        // Nothing to read is nothing in the table.
        for file in ["1", "3"] {
            std::fs::remove_file(scene.path(&format!("in/{file}.csv"))).unwrap();
        }
        let none = text.replace("max_files = 1", "max_files = 1, allow_missing = true");
        scene.file("pipeline.toml", none);
        refresh().expect_code(0);
        assert!(found().is_empty());
    }
}

#[test]
fn a_table_to_which_others_add_is_not_refreshed() {
    let scene = Scene::new();
    let step = |name: &str| {
        format!(
            r#"
[[step]]
name = "{name}"
read = {{ files = "in/{name}.csv", format = "csv", schema = {{ id = "int64" }} }}
write = {{ table = "raw.visits", mode = "append" }}
"#
        )
    };
    let text = format!(
        "weir = 1\nname = \"two\"\n[zone.raw]\n{}{}",
        step("one"),
        step("other")
    );
    let file = scene.file("pipeline.toml", text);
    scene.file("in/one.csv", "id\n1\n");
    scene.file("in/other.csv", "id\n2\n");
    scene.run(&file, &[]).expect_code(0);
    let mut command = scene.run_command(&file, &[]);
    command.args(["--full-refresh", "--step", "one"]);
    Ended::from(command.output().unwrap())
        .expect_code(2)
        .says(&[
            "step 'one' cannot be refreshed",
            "'other' adds to raw.visits too",
        ]);
    assert_eq!(scene.count("raw.visits"), 2);
}
