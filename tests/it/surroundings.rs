//! Where `weir` stands: the shell's folder, its pipes, the environment, the machine.

use weir_generate::synpuf::{self, Options};
use weir_tests::{Ended, Scene, built};

use crate::visits::Visits;

/// `weir … | head` ends as any command of a pipe does: without a word.
#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..3));
    let pipeline = Visits::default().write(&scene);
    Visits::default().run(&scene).expect_code(0);
    let pipeline = pipeline.to_str().unwrap();
    for arguments in [
        vec!["validate", "--schema", pipeline],
        vec!["plan", pipeline, "--param", "landing=in", "--lake", "lake"],
        vec!["sql", "select * from raw.visits", "--lake", "lake"],
        vec![
            "sql",
            "select * from raw.visits",
            "--lake",
            "lake",
            "--output",
            "csv",
        ],
        vec!["runs", "--lake", "lake"],
        vec!["show", "latest", "--lake", "lake"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = scene.weir(&arguments).stdout(writer).output().unwrap();
        assert_ne!(output.status.code(), Some(101), "{arguments:?} panics");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

/// A path given on the command line starts where the shell is, wherever the file lies.
#[test]
fn paths_start_where_the_user_is() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..3));
    let text = std::fs::read_to_string(Visits::default().write(&scene)).unwrap();
    scene.file("pipelines/visits.toml", text);
    scene.file("elsewhere/file", "");
    for (from, pipeline, landing, lake) in [
        ("", "pipelines/visits.toml", "in", "lake"),
        ("elsewhere", "../pipelines/visits.toml", "../in", "../lake2"),
        (
            "",
            "pipelines/../pipelines/visits.toml",
            "elsewhere/../in/",
            "./elsewhere/../lake3/",
        ),
    ] {
        let output = scene
            .weir([
                "run",
                pipeline,
                "--param",
                &format!("landing={landing}"),
                "--lake",
                lake,
            ])
            .current_dir(scene.path(from))
            .output()
            .unwrap();
        Ended::from(output).expect_code(0);
    }
    for lake in ["lake", "lake2", "lake3"] {
        assert!(
            scene.path(lake).join("raw/visits/_delta_log").is_dir(),
            "{lake}"
        );
    }
}

#[test]
fn the_environment_names_lake_and_warehouse() {
    let scene = Scene::new();
    let landing = scene.path("landing");
    synpuf::generate(&landing, &Options::for_beneficiaries(60)).unwrap();
    let landing = landing.to_str().unwrap();
    let output = scene
        .weir(["run"])
        .arg(built::pipeline("synpuf"))
        .arg("--param")
        .arg(format!("landing={landing}"))
        .env("WEIR_LAKE", scene.path("other"))
        .env("WEIR_WAREHOUSE", scene.path("house/w.sqlite"))
        .output()
        .unwrap();
    Ended::from(output).expect_code(0);
    assert!(scene.path("other/cleansed/beneficiary/_delta_log").is_dir());
    assert!(scene.path("house/w.sqlite").is_file());
    assert!(!scene.path("other/warehouse.sqlite").exists());
}

#[test]
fn resources_are_checked() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..30_000));
    let pipeline = Visits::default().write(&scene);
    for (name, value, code) in [
        ("WEIR_MEMORY", "much", 2),
        ("WEIR_PARTITIONS", "0", 2),
        ("WEIR_PARTITIONS", "1", 0),
        ("WEIR_PARTITIONS", "7", 0),
        ("WEIR_MEMORY", "64MiB", 0),
    ] {
        let mut command = scene.run_command(&pipeline, &[("landing", "in")]);
        let ended = Ended::from(command.env(name, value).output().unwrap());
        let ended = ended.expect_code(code);
        if code == 2 {
            ended.says(&[name, "hint: "]);
        }
    }
    assert_eq!(scene.count("raw.visits"), 30_000);
}
