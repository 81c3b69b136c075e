//! Stages that make few rows of many.

use std::path::PathBuf;

use weir_tests::{Ended, Scene, built};

fn pipeline(scene: &Scene, read: &str, stages: &str) -> PathBuf {
    scene.file(
        "pipeline.toml",
        format!(
            r#"
weir = 1
name = "model"
[zone.raw]
[plugins]
fit = {{ component = "{}" }}
keep = {{ component = "{}" }}
[[step]]
name = "fit"
read = {read}
{stages}
[[step.write]]
table = "raw.model"
"#,
            built::plugin("linear_regression").display(),
            built::guest("transform").display(),
        ),
    )
}

const CSV: &str = "{ files = \"in/*.csv\", format = \"csv\", schema = { x = \"int64\", z = \"float64\", y = \"decimal(12,2)\" } }";
const FIT: &str = "[[step.stage]]\nfold = \"fit\"\ngrant = { columns = [\"*\"], deadline = \"20s\" }\nconfig = { target = \"y\", features = [\"x\", \"z\"] }\n";

/// Rows of y = 3 + 2x - z / 2 in several files.
fn planes(scene: &Scene) {
    for file in 0..4 {
        let mut text = "x,z,y\n".to_owned();
        for row in 0..500 {
            let x = file * 500 + row;
            let z = f64::from(x * x % 97);
            text.push_str(&format!(
                "{x},{z},{:.2}\n",
                3.0 + 2.0 * f64::from(x) - z / 2.0
            ));
        }
        scene.file(&format!("in/{file}.csv"), text);
    }
}

fn model(scene: &Scene) -> Vec<String> {
    let rows = scene.sql_csv(
        "select feature, round(coefficient, 4), rows, round(r2, 6) from raw.model order by feature",
    );
    rows[1..].to_vec()
}

#[test]
fn all_rows_make_one_model_however_they_are_shared_out() {
    let scene = Scene::new();
    planes(&scene);
    let file = pipeline(&scene, CSV, FIT);
    for partitions in ["1", "2", "5"] {
        let mut command = scene.run_command(&file, &[]);
        command.env("WEIR_PARTITIONS", partitions);
        Ended::from(command.output().unwrap()).expect_code(0);
        assert_eq!(
            model(&scene),
            [
                "(intercept),3.0,2000,1.0",
                "x,2.0,2000,1.0",
                "z,-0.5,2000,1.0"
            ],
            "{partitions} partitions"
        );
    }
    let record = scene.latest();
    let step = &record["steps"][0];
    assert_eq!(step["counts"]["read"], 2000);
    let plugin = &step["plugins"][0];
    assert_eq!(plugin["plugin"], "fit");
    assert!(plugin["peak_memory"].as_u64().unwrap() > 0);
}

#[test]
fn stages_stand_before_and_after_a_fold() {
    let scene = Scene::new();
    scene.file("in/a.csv", "x,z,y\n0,1,1\n1,0,3\n2,5,5\n3,1,7\n-1,1,50\n");
    let before = "[[step.stage]]\ncheck = { range = { x = { min = 0 } } }\n";
    let after = "[[step.stage]]\nsql = \"select feature, coefficient * 2 as coefficient, rows, r2 from input\"\n";
    let file = pipeline(&scene, CSV, &format!("{before}{FIT}{after}"));
    scene.run(&file, &[]).expect_code(3);
    assert_eq!(
        model(&scene),
        ["(intercept),2.0,4,1.0", "x,4.0,4,1.0", "z,0.0,4,1.0"]
    );
    let rejected = scene.sql_csv("select x, _weir_rule from raw.model__quarantine");
    assert_eq!(rejected[1..], ["-1,range(x)"]);
}

#[test]
fn what_does_not_fit_is_told() {
    let scene = Scene::new();
    planes(&scene);
    for (stages, code, says) in [
        (
            FIT.replace("\"z\"]", "\"x\"]"),
            1,
            "feature 'x' says nothing that those before it do not say",
        ),
        (
            FIT.replace("fold = \"fit\"", "fold = \"keep\""),
            2,
            "plugin 'keep' is of world transform, one of world fold is needed here",
        ),
        (
            FIT.replace("fold = \"fit\"", "transform = \"fit\""),
            2,
            "plugin 'fit' is of world fold, one of world transform is needed here",
        ),
        (
            FIT.replace("config =", "on_fail = \"drop\"\nconfig ="),
            2,
            "`on_fail` belongs to stages that judge rows",
        ),
        (
            FIT.replace("columns = [\"*\"]", "columns = [\"x\"]"),
            2,
            "the input lacks z, y",
        ),
    ] {
        let file = pipeline(&scene, CSV, &stages);
        scene.run(&file, &[]).expect_code(code).says(&[says]);
    }
    // Sensitive values stay sensitive in what is made of them.
    let labelled = CSV.replace(
        "y = \"decimal(12,2)\"",
        "y = { type = \"decimal(12,2)\", sensitivity = \"cost\" }",
    );
    let file = pipeline(&scene, &labelled, FIT);
    scene.run(&file, &[]).expect_code(2).says(&["cost"]);
}
