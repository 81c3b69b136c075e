//! Reference tables that a step hands to a plugin.

use std::path::PathBuf;

use weir_tests::{Ended, Scene, built};

const X: &str =
    "{ files = \"in/*.csv\", format = \"csv\", schema = { id = \"string\", x = \"float64\" } }";

/// A step that fits no model: what `side_inputs` says is handed to the predictor.
fn pipeline(scene: &Scene, side_inputs: &str, steps_before: &str) -> PathBuf {
    scene.file("in/a.csv", "id,x\na,1\nb,2.5\nc,\nd,-1\n");
    scene.file(
        "pipeline.toml",
        format!(
            r#"
weir = 1
name = "predict"
[params]
version = {{ type = "int", default = 1 }}
[zone.raw]
[zone.ref]
[zone.open]
sensitivity = []
[plugins]
fit = {{ component = "{}" }}
predict = {{ component = "{}" }}
{steps_before}
[[step]]
name = "predict"
read = {X}
[[step.stage]]
transform = "predict"
grant = {{ columns = ["x"] }}
config = {{ prediction = "y" }}
{side_inputs}
[[step.write]]
table = "raw.predicted"
"#,
            built::plugin("linear_regression").display(),
            built::plugin("linear_prediction").display(),
        ),
    )
}

fn model_csv(scene: &Scene, name: &str, slope: i32) {
    scene.file(
        name,
        format!("feature,coefficient,version\n(intercept),1,{slope}\nx,{slope},{slope}\n"),
    );
}

const LOADED: &str = r#"
[[step]]
name = "models"
read = { files = "models/*.csv", format = "csv", schema = { feature = "string not null", coefficient = "float64 not null", version = "int64" } }
[[step.write]]
table = "ref.models"
"#;

fn predicted(scene: &Scene) -> Vec<String> {
    scene.sql_csv("select id, y from raw.predicted order by id")[1..].to_vec()
}

#[test]
fn a_table_that_a_step_before_writes_is_handed_over() {
    let scene = Scene::new();
    let mut points = "x,y\n".to_owned();
    (0..50).for_each(|x| points.push_str(&format!("{x},{}\n", 3 * x - 7)));
    scene.file("points/p.csv", points);
    let fit = r#"
[[step]]
name = "fit"
read = { files = "points/*.csv", format = "csv", schema = { x = "float64", y = "float64" } }
[[step.stage]]
fold = "fit"
grant = { columns = ["*"] }
config = { target = "y", features = ["x"] }
[[step.write]]
table = "ref.model"
"#;
    // The step that needs the table stands first in the file.
    let file = pipeline(
        &scene,
        "side_inputs = { model = { table = \"ref.model\" } }",
        "",
    );
    let text = std::fs::read_to_string(&file).unwrap();
    scene.file("pipeline.toml", format!("{text}{fit}"));
    for (partitions, isolation) in [("1", "partition"), ("3", "batch")] {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace(
            "config = { prediction",
            &format!("isolation = \"{isolation}\"\nconfig = {{ prediction"),
        );
        let file = scene.file(&format!("{isolation}.toml"), text);
        let mut command = scene.run_command(&file, &[]);
        command.env("WEIR_PARTITIONS", partitions);
        Ended::from(command.output().unwrap()).expect_code(3);
        let rows = scene.sql_csv("select id, round(y, 6) as y from raw.predicted order by id");
        assert_eq!(rows[1..], ["a,-4.0", "b,0.5", "d,-10.0"]);
        assert_eq!(
            scene.sql_csv("select id, _weir_rule from raw.predicted__quarantine")[1..],
            ["c,missing_feature"]
        );
    }
    let record = scene.weir([
        "show",
        "latest",
        "--output",
        "json",
        "--lake",
        scene.lake().to_str().unwrap(),
    ]);
    let record = Ended::from({ record }.output().unwrap()).expect_code(0);
    record.prints(&[
        "\"model (table ref.model): feature string, coefficient float64",
        "\"ref.model\": ",
    ]);
}

#[test]
fn a_query_with_parameters_and_files_are_handed_over() {
    let scene = Scene::new();
    model_csv(&scene, "models/1.csv", 1);
    model_csv(&scene, "models/2.csv", 2);
    let query = "side_inputs = { model = { sql = \"select feature, coefficient from ref.models where version = $version\" } }";
    let file = pipeline(&scene, query, LOADED);
    scene.run(&file, &[("version", "2")]).expect_code(3);
    assert_eq!(predicted(&scene), ["a,3.0", "b,6.0", "d,-1.0"]);
    scene.run(&file, &[("version", "1")]).expect_code(3);
    assert_eq!(predicted(&scene), ["a,2.0", "b,3.5", "d,0.0"]);

    let files = "side_inputs = { model = { files = \"models/2.csv\", format = \"csv\", schema = { feature = \"string not null\", coefficient = \"float64\" } } }";
    let file = pipeline(&scene, files, "");
    scene.run(&file, &[]).expect_code(3);
    assert_eq!(predicted(&scene), ["a,3.0", "b,6.0", "d,-1.0"]);
    // A row limit of the table itself.
    let file = pipeline(&scene, &files.replace("format", "limit = 1, format"), "");
    scene.run(&file, &[]).expect_code(0);
    assert_eq!(predicted(&scene), ["a,1.0", "b,1.0", "c,1.0", "d,1.0"]);
}

#[test]
fn what_is_handed_over_is_planned_and_stands_on_the_page_to_sign() {
    let scene = Scene::new();
    model_csv(&scene, "models/1.csv", 1);
    let query =
        "side_inputs = { model = { sql = \"select feature, coefficient from ref.models\" } }";
    let file = pipeline(&scene, query, LOADED);
    let file = file.to_str().unwrap();
    let plan = |more: &[&str]| {
        let arguments: Vec<&str> = ["plan", file].iter().chain(more).copied().collect();
        scene
            .weir(&arguments)
            .output()
            .map(Ended::from)
            .unwrap()
            .expect_code(0)
    };
    plan(&[]).prints(&["side inputs model (query select feature, coefficient from ref.models): feature string, coefficient float64"]);
    let page = plan(&["--terms"]);
    page.prints(&["is handed", "all rows of model (query select feature,"]);
}

#[test]
fn what_cannot_be_handed_over_is_told() {
    let scene = Scene::new();
    model_csv(&scene, "models/1.csv", 1);
    let told = |side_inputs: &str, code: i32, says: &[&str]| {
        let file = pipeline(&scene, side_inputs, "");
        scene.run(&file, &[]).expect_code(code).says(says);
    };
    told(
        "",
        2,
        &[
            "config error: it needs the side input `model`",
            "side_inputs = { model = { table = \"zone.table\" } }",
        ],
    );
    told(
        "side_inputs = { model = { table = \"ref.nowhere\" } }",
        2,
        &["reads ref.nowhere, which is not in the lake"],
    );
    told(
        "side_inputs = { model = { sql = \"select 1 as one from input\" } }",
        2,
        &["this query has no `input`"],
    );
    told(
        "side_inputs = { model = { table = \"raw.predicted\" } }",
        2,
        &["reads a table that it writes itself"],
    );
    told(
        "side_inputs = { Model = { table = \"raw.x\" } }",
        2,
        &["a side input cannot be named 'Model'"],
    );
    let csv = |more: &str| {
        format!(
            "side_inputs = {{ model = {{ files = \"models/*.csv\", format = \"csv\", {more}schema = {{ feature = \"string not null\", coefficient = \"float64\" }} }} }}"
        )
    };
    told(
        &csv("max_files = 1, "),
        2,
        &["a side input is read whole", "leave out `incremental`"],
    );
    told(
        &csv("on_fail = \"quarantine\", "),
        2,
        &["a side input has no quarantine"],
    );
    told(
        "side_inputs = { model = { source = \"predict\", stream = \"s\" } }",
        2,
        &["a side input is a table, a query or plain files"],
    );
    told(
        &csv("").replace("float64", "date"),
        2,
        &["needs a column 'coefficient' of type Float64"],
    );
    scene.file("models/1.csv", "feature,coefficient\nx,many\n");
    told(&csv(""), 1, &["side input 'model'", "1.csv"]);
    let mut large = "feature,coefficient\n".to_owned();
    (0..60_000)
        .for_each(|row| large.push_str(&format!("a feature with a long name number {row},1\n")));
    scene.file("models/1.csv", large);
    let small = csv("").replace("side_inputs", "grant.memory = \"4MiB\"\nside_inputs");
    let file = pipeline(&scene, &small, "");
    let text = std::fs::read_to_string(&file).unwrap().replace(
        "grant = { columns = [\"x\"] }\n",
        "grant.columns = [\"x\"]\n",
    );
    let file = scene.file("pipeline.toml", text);
    scene.run(&file, &[]).expect_code(1).says(&[
        "side input 'model': it is larger than plugin 'predict' should hold",
        "raise `memory`",
    ]);
}

#[test]
fn what_a_plugin_makes_of_sensitive_tables_is_sensitive() {
    let scene = Scene::new();
    model_csv(&scene, "models/1.csv", 1);
    let files = "side_inputs = { model = { files = \"models/1.csv\", format = \"csv\", schema = { feature = \"string not null\", coefficient = { type = \"float64\", sensitivity = [\"secret\"] } } } }";
    let file = pipeline(&scene, files, "");
    let text = std::fs::read_to_string(&file).unwrap();
    let file = scene.file(
        "pipeline.toml",
        text.replace("raw.predicted", "open.predicted"),
    );
    scene
        .run(&file, &[])
        .expect_code(2)
        .says(&["y", "secret", "open"]);
}
