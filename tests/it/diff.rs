//! What another component of a plugin would change, and rows of a stage as structs: `weir diff` and
//! `weir plugin bind`.

use weir_tests::{Contents, Ended, Scene, built};

/// A pipeline with the guest `transform`, which gives back what it is given. The guest `revised` does as
/// `revision` says, of which the other knows nothing.
struct Scores {
    scene: Scene,
    /// What the stage says besides.
    stage: String,
    /// What the write says besides.
    write: &'static str,
    /// The column that a test makes sensitive.
    points: &'static str,
}

impl Scores {
    fn new(revision: &str) -> Scores {
        let scene = Scene::new();
        let rows = "id,points,name\n1,10,ada\n2,20,ben\n3,30,cem\n4,40,dia\n5,50,\n";
        scene.file("in/a.csv", rows);
        Scores {
            scene,
            stage: format!("config = {{ revision = \"{revision}\" }}\n{GRANT}"),
            write: "",
            points: "\"int64 not null\"",
        }
    }

    /// Writes the pipeline file.
    fn file(&self) {
        let text = format!(
            r#"weir = 1
name = "scores"

[zone.raw]
sensitivity = ["pii"]

[plugins]
keep = {{ component = {:?} }}

[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64 not null", points = {}, name = "string" }} }}

[[step.stage]]
check = {{ not_null = ["id"] }}

[[step.stage]]
transform = "keep"
{}

[[step.write]]
table = "raw.scores"
{}

[[step]]
name = "count"
read = {{ sql = "select count(*) as scores from raw.scores" }}
write = {{ table = "raw.counts" }}
"#,
            built::guest("transform"),
            self.points,
            self.stage,
            self.write
        );
        self.scene.file("scores.toml", text);
    }

    /// `weir diff` with `guest` in the plugin's place.
    fn diff(&self, guest: &str, more: &[&str]) -> Ended {
        self.file();
        let plugin = format!("keep={}", built::guest(guest).display());
        let mut command = self
            .scene
            .weir(["diff", "scores.toml", "--plugin", &plugin]);
        command.args(more).arg("--lake").arg(self.scene.lake());
        Ended::from(command.output().unwrap())
    }
}

const GRANT: &str = "grant = { columns = [\"id\", \"points\"] }";

#[test]
fn the_same_component_differs_in_nothing_but_cost() {
    let scores = Scores::new("value");
    scores.diff("transform", &[]).expect_code(0).prints(&[
        "step load: 5 rows read",
        "raw.scores: the same columns and rows",
        "ns a row",
        "MiB of memory",
        "nothing differs",
    ]);
    // Another component with the same outcome.
    let scores = Scores::new("none");
    scores.diff("revised", &[]).expect_code(0).prints(&[
        "old  version 1.2.3, sha256 ",
        "new  version 1.3.0, sha256 ",
        "nothing differs",
    ]);
    // Nothing was written anywhere.
    assert!(!scores.scene.lake().exists());
    let left = std::fs::read_dir(scores.scene.path("tmp")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_value_that_changes_is_shown_with_its_row() {
    let scores = Scores::new("value");
    scores.diff("revised", &[]).expect_code(3).prints(&[
        "1 row only in the old one",
        "id=3, points=30, name=cem",
        "1 row only in the new one",
        "id=3, points=7777103, name=cem",
        "there are differences",
    ]);
    let keyed = ["--key", "id"];
    scores
        .diff("revised", &keyed)
        .expect_code(3)
        .prints(&[
            "1 row of one key differ: points in 1",
            "id=3: points: 30 → 7777103",
        ])
        .hides(&["only in the"]);
    // The key of a merge does as well.
    let merged = Scores {
        write: "mode = \"merge\"\nkey = \"id\"",
        ..Scores::new("value")
    };
    merged
        .diff("revised", &[])
        .expect_code(3)
        .prints(&["id=3: points: 30 → 7777103"]);
    let json = scores
        .diff("revised", &["--key", "id", "--output", "json"])
        .expect_code(3)
        .json();
    let rows = &json["steps"][0]["outputs"][0]["rows"];
    assert_eq!(
        (&json["differs"], &rows["changed"]),
        (&true.into(), &1.into())
    );
    assert_eq!(rows["changed_examples"][0]["values"][0]["new"], "7777103");
    // Rows that are not read do not differ.
    scores
        .diff("revised", &["--limit", "2"])
        .expect_code(0)
        .prints(&["step load: the first 2 rows read"]);
    scores
        .diff("revised", &["--key", "id,colour"])
        .expect_code(2)
        .says(&[
            "no target has all columns of the key id, colour",
            "hint: the columns that both sides have are id, name, points",
        ]);
}

#[test]
fn a_row_that_is_rejected_is_shown_with_its_rule() {
    let scores = Scores::new("reject");
    scores.diff("revised", &[]).expect_code(3).prints(&[
        "accepted: 5 → 4 rows",
        "quarantined: 0 → 1 rows",
        "rule odd of stage 2 (",
        "): 0 → 1 rows rejected",
        "quarantine\n    1 row only in the new one\n      _weir_rule=odd, _weir_message=it is three",
        "_weir_ordinal=3",
    ]);
    // A step that it would end.
    let scores = Scores {
        stage: format!("{}\non_fail = \"fail\"", Scores::new("reject").stage),
        ..Scores::new("reject")
    };
    scores
        .diff("revised", &[])
        .expect_code(3)
        .prints(&["with the new one the step fails: ", "break the rule 'odd'"]);
    let dropped = Scores::new("drops");
    dropped
        .diff("revised", &["--show", "1"])
        .expect_code(3)
        .prints(&["5 rows only in the old one"]);
}

#[test]
fn a_column_that_is_new_is_no_row_that_differs() {
    Scores::new("adds")
        .diff("revised", &[])
        .expect_code(3)
        .prints(&[
            "column checked int64 is new",
            "rows are the same in the other columns",
        ])
        .hides(&["only in the"]);
}

#[test]
fn what_is_sensitive_is_not_shown() {
    let scores = Scores {
        points: r#"{ type = "int64 not null", sensitivity = "pii" }"#,
        ..Scores::new("value")
    };
    // What a plugin gives carries the labels of all that it was given.
    scores
        .diff("revised", &["--key", "id"])
        .expect_code(3)
        .prints(&["id=(sensitive): points differs"])
        .hides(&["7777103"]);
    scores
        .diff("revised", &["--output", "json"])
        .expect_code(3)
        .prints(&["\"withheld\": true"])
        .hides(&["7777103"]);
}

#[test]
fn a_component_that_asks_for_more_says_so() {
    let scores = Scores {
        stage: "grant = { columns = [\"id\", \"points\"], secrets = { pii = { file = \"pii.txt\" } } }\nconfig = { secret = \"hush\" }".to_owned(),
        ..Scores::new("")
    };
    scores.scene.file("pii.txt", "hush");
    scores.diff("secret", &[]).expect_code(3).prints(&[
        "the new one imports weir:plugin/secrets@0.1.0, the old one does not",
        "raw.scores: the same columns and rows",
    ]);
    // Under the grants that there are.
    Scores::new("").diff("secret", &[]).expect_code(2).says(&[
        "with the other component of plugin 'keep':",
        "imports `weir:plugin/secrets@0.1.0`, which it is not granted",
    ]);
}

#[test]
fn what_cannot_be_compared_says_why() {
    let scores = Scores::new("trap");
    scores.diff("revised", &[]).expect_code(1).says(&[
        "with the other component of plugin 'keep':",
        "step 'load' stage 2",
    ]);
    scores
        .diff("check", &[])
        .expect_code(2)
        .says(&["plugin 'keep' is of world transform, the other component of world check"]);
    let call = |more: &[&str]| {
        let mut command = scores.scene.weir(["diff", "scores.toml"]);
        Ended::from(command.args(more).output().unwrap())
    };
    scores.scene.file("text.wasm", "no component");
    call(&["--plugin", "keep=text.wasm"])
        .expect_code(1)
        .says(&["is not a WebAssembly component"]);
    call(&["--plugin", "keep=nowhere.wasm"])
        .expect_code(2)
        .says(&["nowhere.wasm"]);
    call(&["--plugin", "other=text.wasm"])
        .expect_code(2)
        .says(&[
            "no step has a plugin 'other'",
            "hint: the plugins that steps have are keep",
        ]);
    call(&["--plugin", "keep=text.wasm", "--step", "count"])
        .expect_code(2)
        .says(&[
            "step 'count' has no plugin 'keep'",
            "hint: the steps with plugin 'keep' are load",
        ]);
    call(&["--plugin", "keep=text.wasm", "--step", "lod"])
        .expect_code(2)
        .says(&["there is no step 'lod'"]);
}

/// A step whose input is a table reads it as it is in the lake, and leaves all as it was.
#[test]
fn tables_are_read_where_they_are_and_stay_as_they_are() {
    let scene = Scene::new();
    scene.file("in/a.csv", "id,points\n1,10\n3,30\n");
    let text = format!(
        r#"weir = 1
name = "scores"
[zone.raw]
[zone.cleansed]
[plugins]
keep = {{ component = {:?} }}
[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64", points = "int64" }} }}
write = {{ table = "raw.scores" }}
[[step]]
name = "cleanse"
read = {{ table = "raw.scores" }}
[[step.stage]]
transform = "keep"
config = {{ revision = "value" }}
grant = {{ columns = ["*"] }}
[[step.write]]
table = "cleansed.scores"
"#,
        built::guest("transform")
    );
    let file = scene.file("scores.toml", text);
    let diff = || {
        let plugin = format!("keep={}", built::guest("revised").display());
        let mut command = scene.weir(["diff", "scores.toml", "--plugin", &plugin]);
        command.args(["--key", "id", "--lake"]).arg(scene.lake());
        Ended::from(command.output().unwrap())
    };
    diff().expect_code(2).says(&[
        "step 'cleanse' reads raw.scores, which is not in the lake",
        "hint: run the steps before it first",
    ]);
    scene.run(&file, &[]).expect_code(0);
    let before = Contents::of(&scene);
    diff()
        .expect_code(3)
        .prints(&["step cleanse: 2 rows read", "id=3: points: 30 → 7777103"]);
    Contents::of(&scene).expect_same(&before, "the tables are as before the comparison");
}

#[test]
fn rows_of_a_stage_are_printed_as_structs() {
    let scores = Scores {
        stage: format!(
            "{GRANT}\nconfig = {{ mode = \"adds\" }}\ncontract = {{ adds = {{ raf = \"int64 not null\", type = \"string\" }} }}"
        ),
        ..Scores::new("")
    };
    scores.file();
    let bind = |more: &[&str]| {
        let mut command = scores.scene.weir(["plugin", "bind", "scores.toml"]);
        Ended::from(command.args(more).output().unwrap())
    };
    // The component need not be there, nor bind.
    let structs = bind(&["--step", "load"]).expect_code(0).prints(&[
        "// Rows of plugin 'keep' in step 'load' stage 2",
        "use std::borrow::Cow;\n",
        "use weir_plugin::rows::{FromRow, IntoRow};\n",
        "#[derive(FromRow)]\nstruct InRow {\n    id: i64,\n    points: i64,\n}\n",
        "#[derive(IntoRow)]\nstruct OutRow<'a> {\n    raf: i64,\n    #[row(rename = \"type\")]\n    type_: Option<Cow<'a, str>>,\n}\n",
    ]);
    let named = bind(&["--step", "load", "--stage", "2"]).expect_code(0);
    assert_eq!(structs.stdout, named.stdout);
    bind(&["--step", "load", "--stage", "1"])
        .expect_code(2)
        .says(&[
            "stage 1 of step 'load' has no plugin",
            "hint: there is --stage 2 ('keep')",
        ]);
    bind(&["--step", "count"])
        .expect_code(2)
        .says(&["no stage of step 'count' has a plugin"]);
    bind(&["--step", "lod"])
        .expect_code(2)
        .says(&["there is no step 'lod'", "hint: the steps are load, count"]);
}

#[test]
fn a_stage_that_is_not_clear_is_asked_for() {
    let again = "[[step.stage]]\ntransform = \"keep\"\ngrant = { columns = [\"name\"] }";
    let scores = Scores {
        stage: format!("{GRANT}\n\n{again}"),
        ..Scores::new("")
    };
    scores.file();
    let bind = |more: &[&str]| {
        let mut command = scores.scene.weir(["plugin", "bind", "scores.toml"]);
        Ended::from(
            command
                .args(["--step", "load"])
                .args(more)
                .output()
                .unwrap(),
        )
    };
    bind(&[]).expect_code(2).says(&[
        "step 'load' has 2 plugins",
        "hint: say which: --stage 2 ('keep'), --stage 3 ('keep')",
    ]);
    bind(&["--stage", "3"])
        .expect_code(0)
        .prints(&["struct InRow<'a> {\n    name: Option<&'a str>,\n}\n"]);
}
