//! `weir lake`: what somebody does who looks after a lake.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use weir_tests::{Ended, Scene};

use crate::visits::{Targets, Visits};

const DAY: Duration = Duration::from_secs(86_400);

fn lake(scene: &Scene, arguments: &[&str]) -> Ended {
    let mut command = scene.weir(["lake"]);
    command.args(arguments).env("WEIR_LAKE", scene.lake());
    command.output().unwrap().into()
}

/// A lake to whose table the rows 0 to 40 were added in four runs; every tenth is in quarantine.
fn begun() -> Scene {
    let scene = Scene::new();
    for file in 0..4 {
        let rows = Visits::rows(file * 10..file * 10 + 10);
        scene.file(&format!("in/{file}.csv"), rows);
        visits().run(&scene).expect_code(3);
    }
    scene
}

fn visits() -> Visits<'static> {
    Visits {
        mode: "append",
        stages: "\n[[step.stage]]\ncheck = { expression = { tenth = \"id % 10 <> 9\" } }\n",
        ..Visits::default()
    }
}

fn data_files(scene: &Scene) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(scene.lake().join("raw/visits"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "parquet"))
        .collect();
    files.sort();
    files
}

fn make_old(path: &PathBuf, age: Duration) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn history_optimize_check() {
    let scene = begun();
    let table = "raw.visits";
    lake(&scene, &["check"]).expect_code(0);
    let optimized = lake(&scene, &["optimize"]).expect_code(0);
    for line in ["raw.visits ", "raw.visits__quarantine "] {
        let line = optimized
            .stdout
            .lines()
            .find(|shown| shown.starts_with(line));
        let cells: Vec<&str> = line.unwrap().split_whitespace().collect();
        assert_eq!(cells[1..4], ["4", "4", "1"], "{optimized:?}");
    }
    assert_eq!(scene.count(table), 36);
    lake(&scene, &["optimize", table, "--output", "json"]).expect_code(0);
    let checked = lake(&scene, &["check", "--deep", "--output", "json"]).expect_code(0);
    let checked = checked.json();
    assert_eq!(checked["verdict"], "well");
    assert_eq!(checked["tables"][0]["rows_by_decisions"], 36);

    let history = lake(&scene, &["history", table, "--output", "json"]).expect_code(0);
    let history = history.json();
    assert_eq!(history.as_array().unwrap().len(), 5);
    assert_eq!(history[0]["operation"], "OPTIMIZE");
    assert_eq!(history[0]["made_by"]["command"], "optimize");
    assert_eq!(history[0]["rows_removed"], 36);
    let latest = scene.latest();
    assert_eq!(history[1]["made_by"]["run"], latest["run"]);
    assert_eq!(history[1]["made_by"]["step"], "visits");
    assert_eq!(history[1]["rows_added"], 9);
    let text = lake(&scene, &["history", table, "--last", "2"]).expect_code(0);
    assert_eq!(text.stdout.lines().count(), 3, "{text:?}");
    assert!(text.stdout.contains(latest["run"].as_str().unwrap()));
    assert!(text.stdout.contains("weir lake optimize"));

    // Runs go on.
    scene.file("in/4.csv", Visits::rows(40..50));
    visits().run(&scene).expect_code(3);
    assert_eq!(scene.count(table), 45);
    lake(&scene, &["check"]).expect_code(0);
}

#[test]
fn what_nobody_needs_is_found_and_removed() {
    let scene = begun();
    let files = data_files(&scene);
    // A file that a run wrote which was killed: a copy under a name of its own.
    let orphan = files[0].with_file_name("part-01900000-0000-7000-8000-000000000000.zstd.parquet");
    fs::copy(&files[0], &orphan).unwrap();
    let name = orphan.file_name().unwrap().to_str().unwrap();
    let found = lake(&scene, &["check"]).expect_code(3);
    assert!(found.stdout.contains(name), "{found:?}");
    assert!(found.stdout.ends_with("nothing is lost\n"), "{found:?}");
    // It is young, and could be of a run at work.
    lake(&scene, &["vacuum"]).expect_code(0);
    assert!(orphan.exists());
    make_old(&orphan, 8 * DAY);
    let dry = lake(&scene, &["vacuum", "--dry-run", "--output", "json"]).expect_code(0);
    let dry = dry.json();
    assert_eq!(dry["tables"][0]["data"]["files"], serde_json::json!([name]));
    assert!(orphan.exists());
    lake(&scene, &["vacuum", "raw.visits"])
        .expect_code(0)
        .says(&["removed what was older than"]);
    assert!(!orphan.exists());
    assert_eq!(data_files(&scene), files);
    lake(&scene, &["check"]).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 36);

    // A file that is needed and gone is damage.
    fs::remove_file(&files[1]).unwrap();
    let damaged = lake(&scene, &["check", "raw.visits", "--output", "json"]).expect_code(1);
    let damaged = damaged.json();
    assert_eq!(damaged["verdict"], "damaged");
    assert_eq!(damaged["tables"][0]["findings"][0]["kind"], "missing-files");
    let gone = files[1].file_name().unwrap().to_str().unwrap();
    assert_eq!(damaged["tables"][0]["findings"][0]["files"][0], gone);
    lake(&scene, &["restore", "raw.visits", "--version", "2"])
        .expect_code(1)
        .says(&[gone, "is gone", "hint: "]);
}

#[test]
fn restore_and_what_runs_do_then() {
    let scene = begun();
    let restored = lake(&scene, &["restore", "raw.visits", "--version", "1"]).expect_code(0);
    for text in [
        "what it was in version 1, as version 4",
        "taken out: 2 files, 18 rows",
        "weir lake restore raw.visits --version 3",
        "these steps wrote: visits/visits",
        "raw.visits__quarantine, if there is one",
    ] {
        assert!(restored.stdout.contains(text), "{text}: {restored:?}");
    }
    assert_eq!(scene.count("raw.visits"), 18);
    assert_eq!(scene.count("raw.visits__quarantine"), 4);
    // What was read counts as read, until a file is another.
    visits().run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 18);
    let checked = lake(&scene, &["check", "--output", "json"]).expect_code(0);
    assert_eq!(
        checked.json()["tables"][0]["findings"][0]["kind"],
        "restored"
    );
    lake(
        &scene,
        &[
            "restore",
            "raw.visits",
            "--version",
            "3",
            "--output",
            "json",
        ],
    )
    .expect_code(0);
    assert_eq!(scene.count("raw.visits"), 36);
    lake(&scene, &["restore", "raw.visits", "--version", "1"]).expect_code(0);
    fs::rename(scene.path("in/3.csv"), scene.path("in/three.csv")).unwrap();
    visits().run(&scene).expect_code(3);
    assert_eq!(scene.count("raw.visits"), 27);
}

#[test]
fn what_cannot_be_meant_changes_nothing() {
    let scene = begun();
    let targets = Targets::of(&scene);
    for (arguments, says) in [
        (
            &["history", "raw.visit"] as &[&str],
            "the tables are raw.visits, raw.visits__quarantine",
        ),
        (&["optimize", "visits"], "there is no table visits"),
        (&["optimize", "--target-size", "0MiB"], "64MiB"),
        (
            &["vacuum", "--retention", "59m"],
            "--force, if no run is at work",
        ),
        (&["vacuum", "--retention", "7"], "7d, 36h"),
        (&["restore", "raw.visits"], "--version"),
        (
            &["restore", "raw.visits", "--version", "9"],
            "versions 0 to 3 can be read",
        ),
        (
            &[
                "restore",
                "raw.visits",
                "--version",
                "1",
                "--time",
                "2026-01-05T10:00:00Z",
            ],
            "cannot be used with",
        ),
        (
            &["restore", "raw.visits", "--time", "2000-01-01T00:00:00Z"],
            "it begins at",
        ),
        (
            &["restore", "raw.visits", "--time", "yesterday"],
            "2026-01-05T10:00:00Z",
        ),
        (&["check", "raw.nothing"], "there is no table raw.nothing"),
        (&["check", "--param", "a=b"], "--pipeline"),
    ] {
        lake(&scene, arguments).expect_code(2).says(&[says]);
        targets.expect_untouched(&scene);
    }
}

/// Zones that lie elsewhere are seen by the pipeline file that says so, and from there only.
#[test]
fn zones_that_lie_elsewhere() {
    let scene = Scene::new();
    let elsewhere = scene.path("elsewhere");
    let text = format!(
        r#"
weir = 1
name = "visits"
[params]
landing = {{ type = "path", default = "in" }}
[lake]
url = "lake"
[zone.raw]
url = "{}/raw"
[[step]]
name = "visits"
read = {{ files = "${{param.landing}}/*.csv", format = "csv", schema = {{ id = "int64" }} }}
write = {{ table = "raw.visits", mode = "append" }}
"#,
        elsewhere.display()
    );
    let pipeline = scene.file("visits.toml", text);
    for file in 0..3 {
        scene.file(&format!("in/{file}.csv"), format!("id\n{file}\n"));
        let ended: Ended = scene.weir(["run", "visits.toml"]).output().unwrap().into();
        ended.expect_code(0);
    }
    lake(&scene, &["check", "raw.visits"])
        .expect_code(2)
        .says(&["there is no table at all there"]);
    let pipeline = pipeline.to_str().unwrap();
    let checked = lake(
        &scene,
        &["check", "--pipeline", pipeline, "--output", "json"],
    );
    assert_eq!(
        checked.expect_code(0).json()["tables"][0]["rows_by_decisions"],
        3
    );
    lake(
        &scene,
        &["optimize", "--pipeline", pipeline, "-p", "landing=other"],
    )
    .expect_code(0);
    let history = lake(&scene, &["history", "raw.visits", "--pipeline", pipeline]).expect_code(0);
    assert!(history.stdout.contains("visits/visits 2"), "{history:?}");

    // From the zone itself nobody sees what is decided.
    let url = elsewhere.to_str().unwrap();
    lake(&scene, &["vacuum", "--lake", url])
        .expect_code(3)
        .says(&["raw.visits was left alone: 'weir/visits/visits/raw.visits/all@"]);
    lake(&scene, &["vacuum", "--pipeline", pipeline]).expect_code(0);
}

/// Every command that opens a lake refuses one that a newer weir has written.
#[test]
fn a_lake_of_a_newer_weir() {
    let scene = begun();
    let format = scene.lake().join("_weir/format.json");
    let said: serde_json::Value = serde_json::from_slice(&fs::read(&format).unwrap()).unwrap();
    assert_eq!(said["format"], 1);
    assert!(said["lake"].is_string());
    scene.file("in/4.csv", Visits::rows(40..50));
    let targets = Targets::of(&scene);
    fs::write(&format, "{\"format\": 2}").unwrap();
    let at = scene.lake();
    let at = at.to_str().unwrap();
    for arguments in [
        &["sql", "select 1"] as &[&str],
        &["runs"],
        &["show", "latest"],
        &["logs", "latest"],
        &["retry"],
        &["lake", "history", "raw.visits"],
        &["lake", "optimize"],
        &["lake", "vacuum"],
        &["lake", "restore", "raw.visits", "--version", "1"],
        &["lake", "check"],
    ] {
        let mut command = scene.weir(arguments);
        command.args(["--lake", at]);
        let ended: Ended = command.output().unwrap().into();
        ended.expect_code(2).says(&[
            "by a newer weir (format 2, this one knows 1)",
            "hint: use the newer weir",
        ]);
    }
    visits()
        .run(&scene)
        .expect_code(2)
        .says(&["by a newer weir (format 2, this one knows 1)"]);
    // A lake from before the file is one of the first format.
    fs::remove_file(&format).unwrap();
    targets.expect_untouched(&scene);
    visits().run(&scene).expect_code(3);
    assert!(format.exists());
}
