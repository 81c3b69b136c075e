//! Pipeline files and arguments that cannot be used: exit code 2, place, caret and hint.

use weir_tests::{Ended, Scene};

use crate::visits::{Targets, Visits};

/// Runs the good pipeline, then one that `edit` spoiled, with these parameters.
fn refused(edit: impl Fn(&str) -> String, params: &[(&str, &str)]) -> Ended {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    Visits::default().run(&scene).expect_code(0);
    let targets = Targets::of(&scene);
    let good = std::fs::read_to_string(scene.path("visits.toml")).unwrap();
    let bad = scene.file("visits.toml", edit(&good));
    let runs = || {
        scene
            .call(["runs", "--lake", "lake", "--output", "json"])
            .stdout
    };
    let before = runs();
    let mut all = vec![("landing", "in")];
    all.extend_from_slice(params);
    let ended = scene.run(&bad, &all).expect_code(2);
    assert!(ended.stdout.is_empty());
    assert_eq!(runs(), before, "a run that cannot begin is not recorded");
    targets.expect_untouched(&scene);
    ended.says(&["error: ", "hint: "])
}

#[test]
fn an_unknown_key() {
    let ended = refused(
        |good| good.replace("format = \"csv\"", "format = \"csv\", heador = true"),
        &[],
    );
    assert_eq!(
        ended.stderr.matches("error: ").count(),
        1,
        "{}",
        ended.stderr
    );
    ended.says(&[
        "a read has no key `heador`",
        "visits.toml:14:60",
        "  ^^^^^^\n",
        "hint: did you mean 'header'? its keys are: files, ",
    ]);
}

#[test]
fn a_cycle_of_steps() {
    refused(
        |good| {
            format!(
                "{good}
[[step]]
name  = \"one\"
read  = {{ table = \"raw.two\" }}
write = {{ table = \"raw.one\" }}

[[step]]
name  = \"two\"
read  = {{ sql = \"select * from raw.one\" }}
write = {{ table = \"raw.two\" }}
"
            )
        },
        &[],
    )
    .says(&[
        "steps wait for each other: ",
        "visits.toml:",
        "hint: a step may read only what steps before it write",
    ]);
}

#[test]
fn a_parameter_outside_its_values() {
    refused(str::to_owned, &[("site", "c")]).says(&[
        "parameter 'site' cannot be 'c'",
        "visits.toml:6:",
        "hint: ",
        "a, b",
    ]);
    refused(str::to_owned, &[("sight", "a")]).says(&[
        "this pipeline has no parameter 'sight'",
        "its parameters are: landing, site",
    ]);
}

#[test]
fn all_faults_of_a_file_are_told_at_once() {
    let ended = refused(
        |good| {
            good.replace("format = \"csv\"", "format = \"cvs\"")
                .replace("int64", "integer")
                .replace("mode = \"replace\"", "mode = \"replaced\"")
        },
        &[],
    );
    assert_eq!(
        ended.stderr.matches("error: ").count(),
        3,
        "{}",
        ended.stderr
    );
    assert_eq!(
        ended.stderr.matches("hint: ").count(),
        3,
        "{}",
        ended.stderr
    );
    ended.says(&["cvs", "integer", "replaced"]);
}

#[test]
fn what_is_not_toml_not_there_or_not_given() {
    refused(|good| format!("{good}\n[["), &[]).says(&["visits.toml:"]);
    let scene = Scene::new();
    scene
        .call(["run", "none.toml", "--lake", "lake"])
        .expect_code(2)
        .says(&["none.toml cannot be read", "hint: "]);
    Visits::default().write(&scene);
    scene
        .call(["run", "visits.toml", "--lake", "lake"])
        .expect_code(2)
        .says(&[
            "parameter 'landing' has no value",
            "hint: add --param landing=",
        ]);
    scene
        .call(["run", "visits.toml", "--param", "landing"])
        .expect_code(2)
        .says(&["NAME=VALUE"]);
    scene.call(["rum"]).expect_code(2);
    assert!(!scene.lake().exists());
}

#[test]
fn a_lake_in_no_store_is_refused_before_anything_happens() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..3));
    let pipeline = Visits::default().write(&scene);
    for (lake, says) in [
        ("ftp://host/lake", "'ftp://host/lake' cannot be used"),
        ("https://host/lake", "it names no store"),
        ("s3://", "cannot be used"),
        ("s3://bucket/lake?x=1", "it has a ? or #"),
    ] {
        let output = scene
            .weir(["run"])
            .arg(&pipeline)
            .args(["--param", "landing=in", "--lake", lake])
            .output()
            .unwrap();
        Ended::from(output).expect_code(2).says(&[says, "hint: "]);
    }
}
