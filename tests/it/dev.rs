//! A stage tried while its plugin is written.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use weir_tests::{Ended, Scene, built};

use crate::authoring::with_tools;

/// A pipeline whose plugin lies in a folder of this repository.
fn pipeline(scene: &Scene, before: &str, more: &str) -> PathBuf {
    scene.file(
        "in/a.csv",
        "id,x,ssn\na,1,111\nb,2.5,222\nc,,333\nd,-1,444\n",
    );
    scene.file("model.csv", "feature,coefficient\n(intercept),1\nx,2\n");
    let folder = built::root().join("plugins/linear-prediction");
    scene.file(
        "pipeline.toml",
        format!(
            r#"
weir = 1
name = "predict"
[zone.raw]
sensitivity = ["phi"]
[plugins]
predict = {{ component = "{}" }}
[[step]]
name = "predict"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "string", x = "float64", ssn = {{ type = "string", sensitivity = "phi" }} }} }}
{before}
[[step.stage]]
transform = "predict"
grant = {{ columns = ["x"] }}
config = {{ prediction = "y" }}
side_inputs = {{ model = {{ files = "model.csv", format = "csv", schema = {{ feature = "string not null", coefficient = "float64 not null" }} }} }}
{more}
[[step.write]]
table = "raw.predicted"
"#,
            folder.display()
        ),
    )
}

fn once(scene: &Scene, file: &Path, more: &[&str]) -> Ended {
    let file = file.to_str().unwrap();
    let arguments: Vec<&str> = ["dev", file, "--once"]
        .iter()
        .chain(more)
        .copied()
        .collect();
    with_tools(scene.weir(&arguments)).output().unwrap().into()
}

#[test]
fn rows_stand_beside_what_the_plugin_makes_of_them() {
    let scene = Scene::new();
    let file = pipeline(
        &scene,
        "",
        "[[step.stage]]\ncheck = { range = { y = { max = 5 } } }\n",
    );
    let ended = once(&scene, &file, &["--show", "2"]).expect_code(0);
    ended.prints(&[
        "built 'predict' in ",
        "step 'predict' stage 1 (transform), plugin 'predict': 4 rows given",
        "row 0\n  x  1.0  | y  3.0\n",
        "row 1\n  x  2.5  | y  6.0\n",
        "row 2\n  x  null  | rejected  missing_feature: a feature has no finite value\n",
        "… and 1 more",
        "3 kept, 1 rejected, 0 dropped\n  rule missing_feature: 1 rows\n",
        "the whole step: 4 read, 2 accepted, 2 quarantined, 0 dropped",
        "rule range(y) of ",
    ]);
    assert!(!scene.lake().exists(), "a try writes nothing to the lake");
}

#[test]
fn stages_before_are_seen_and_sensitive_values_are_not() {
    let scene = Scene::new();
    let before =
        "[[step.stage]]\nsql = \"select id, x + 1 as x, ssn from input where id <> 'd'\"\n";
    let file = pipeline(&scene, before, "");
    once(&scene, &file, &[]).expect_code(0).prints(&[
        "stage 2 (transform)",
        "3 rows given",
        "x  2.0  | y  5.0",
    ]);

    // What is sensitive is not shown unless it is asked for.
    let text = std::fs::read_to_string(&file).unwrap();
    let sensitive = text.replace(
        "x = \"float64\"",
        "x = { type = \"float64\", sensitivity = \"phi\" }",
    );
    let file = scene.file("sensitive.toml", sensitive);
    let hidden = once(&scene, &file, &[]).expect_code(0);
    hidden.prints(&["x  (sensitive)  | y  (sensitive)"]);
    once(&scene, &file, &["--show-sensitive"])
        .expect_code(0)
        .prints(&["x  2.0  | y  5.0"]);
}

#[test]
fn a_fold_shows_its_result_and_a_source_what_it_reads() {
    let scene = Scene::new();
    scene.file("in/p.csv", "x,y\n0,1\n1,3\n2,5\n3,7\n");
    let file = scene.file(
        "fold.toml",
        format!(
            "weir = 1\nname = \"fit\"\n[zone.raw]\n[plugins]\nfit = {{ component = \"{}\" }}\n[[step]]\nname = \"fit\"\nread = {{ files = \"in/*.csv\", format = \"csv\", schema = {{ x = \"float64\", y = \"float64\" }} }}\n[[step.stage]]\nfold = \"fit\"\ngrant = {{ columns = [\"*\"] }}\nconfig = {{ target = \"y\", features = [\"x\"] }}\n[[step.write]]\ntable = \"raw.model\"\n",
            built::root().join("plugins/linear-regression").display()
        ),
    );
    once(&scene, &file, &["--step", "fit"])
        .expect_code(0)
        .prints(&[
            "step 'fit' stage 1 (fold), plugin 'fit': 4 rows given",
            "its result\n",
            "rows given\n",
            "feature      x\n",
            "coefficient  2.0\n",
        ]);
}

#[test]
fn what_goes_wrong_is_told_with_its_rows_and_words() {
    let scene = Scene::new();
    let file = pipeline(&scene, "", "");
    let text = std::fs::read_to_string(&file).unwrap();
    scene.file("model.csv", "feature,coefficient\nx,2\n");
    once(&scene, &file, &[])
        .expect_code(1)
        .says(&["the model has no row '(intercept)'", "in rows 0 to 3"]);
    let file = scene.file("two.toml", format!("{text}\n[[step]]\nname = \"again\"\nread = {{ table = \"raw.predicted\" }}\n[[step.stage]]\ntransform = \"predict\"\ngrant = {{ columns = [\"x\"] }}\n[[step.write]]\ntable = \"raw.again\"\n"));
    once(&scene, &file, &[]).expect_code(2).says(&[
        "2 steps have plugins that lie in folders",
        "--step: predict, again",
    ]);
    once(&scene, &file, &["--step", "nowhere"])
        .expect_code(2)
        .says(&["there is no step 'nowhere'"]);
    let file = scene.file(
        "none.toml",
        text.replace(
            &built::root()
                .join("plugins/linear-prediction")
                .display()
                .to_string(),
            &built::plugin("linear_prediction").display().to_string(),
        ),
    );
    once(&scene, &file, &[]).expect_code(2).says(&[
        "no step has a plugin whose component is a folder",
        "--step NAME",
    ]);
}

#[test]
fn a_changed_file_begins_another_try() {
    let scene = Scene::new();
    let file = pipeline(&scene, "", "");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut command = with_tools(scene.weir(["dev", file.to_str().unwrap()]));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (say, said) = mpsc::channel();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let also = say.clone();
    std::thread::spawn(move || {
        BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .for_each(|line| drop(say.send(line)))
    });
    std::thread::spawn(move || {
        BufReader::new(stderr)
            .lines()
            .map_while(Result::ok)
            .for_each(|line| drop(also.send(line)))
    });
    let mut heard = Vec::new();
    let mut until = |wanted: &str| {
        loop {
            let line = said
                .recv_timeout(Duration::from_secs(300))
                .unwrap_or_else(|_| panic!("no '{wanted}' in {heard:#?}"));
            heard.push(line.clone());
            if line.contains(wanted) {
                return;
            }
        }
    };
    until("waiting for a change");
    // The grant is a fault of the file, which is told, and waited for to be mended.
    scene.file(
        "pipeline.toml",
        text.replace("columns = [\"x\"]", "colums = [\"x\"]"),
    );
    until("a grant has no key `colums`");
    until("waiting for a change");
    scene.file(
        "pipeline.toml",
        text.replace("prediction = \"y\"", "prediction = \"z\""),
    );
    until("since the last try: 3 rows changed (was | is)");
    until("  y  3.0  | z  3.0");
    until("waiting for a change");
    let done = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(done.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
