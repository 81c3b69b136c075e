//! Tables of SQLite files as targets: what they keep of rows, and what is told where they cannot.

use rusqlite::Connection;
use weir_tests::{Ended, Scene};

fn run(scene: &Scene, schema: &str, writes: &str) -> Ended {
    let pipeline = scene.file(
        "pipeline.toml",
        format!(
            r#"
weir = 1
name = "load"
[zone.raw]
[connections.mart]
kind = "sqlite"
path = "{}"
[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {{ {schema} }} }}
{writes}
"#,
            scene.path("mart.sqlite").display()
        ),
    );
    scene.run(&pipeline, &[])
}

fn open(scene: &Scene) -> Connection {
    Connection::open(scene.path("mart.sqlite")).unwrap()
}

const APPEND: &str = "[[step.write]]\nconnection = \"mart\"\ntable = \"t\"\nmode = \"append\"";

#[test]
fn other_words_for_the_same_types_are_taken() {
    let scene = Scene::new();
    open(&scene)
        .execute_batch(
            "create table t (a int, b varchar(5), c date, d datetime, e decimal(20, 4), f boolean, g double, h text)",
        )
        .unwrap();
    let schema = "a = \"int64\", b = \"string\", c = \"date\", d = \"timestamp\", e = \"decimal(10,2)\", f = \"bool\", g = \"float64\", h = \"string\"";
    scene.file(
        "in/1.csv",
        "a,b,c,d,e,f,g,h\n7,0012,2026-01-05,2026-01-05T10:00:00,12.50,true,1.5,x\n",
    );
    run(&scene, schema, APPEND).expect_code(0);
    let row: (i64, String, String, String, f64, i64, f64) = open(&scene)
        .query_row("select a, b, c, d, e, f, g from t", [], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
                row.get(6)?,
            ))
        })
        .unwrap();
    assert_eq!(
        row,
        (
            7,
            "0012".to_owned(),
            "2026-01-05".to_owned(),
            "2026-01-05T10:00:00".to_owned(),
            12.5,
            1,
            1.5
        )
    );
    // What would make other values of them is not: SQLite takes 0012 for a number there, or has fewer digits.
    for (declared, column) in [("json", "b"), ("decimal(10, 1)", "e"), ("text", "a")] {
        let scene = Scene::new();
        scene.file("in/1.csv", format!("{column}\n1\n"));
        open(&scene)
            .execute_batch(&format!("create table t ({column} {declared})"))
            .unwrap();
        let one = schema
            .split(", ")
            .find(|one| one.starts_with(column))
            .unwrap();
        run(&scene, one, APPEND)
            .expect_code(2)
            .says(&["has other columns or types than the step writes"]);
    }
}

#[test]
fn values_that_sqlite_has_not_are_told_and_those_of_triggers_are_not() {
    let scene = Scene::new();
    scene.file("in/1.csv", "a,g\nSECRETVAL,1.5\nx,NaN\n");
    let schema = "a = \"string\", g = \"float64\"";
    run(&scene, schema, APPEND).expect_code(1).says(&[
        "mart:t: column 'g' is NaN in row 2 of those that are loaded, and SQLite has none",
    ]);
    let count = |scene: &Scene| -> i64 {
        open(scene)
            .query_row("select count(*) from t", [], |row| row.get(0))
            .unwrap_or(0)
    };
    assert_eq!(count(&scene), 0);
    let scene = Scene::new();
    scene.file("in/1.csv", "a,g\nSECRETVAL,1.5\n");
    open(&scene)
        .execute_batch(
            "create table t (a text, g real);
             create trigger no before insert on t begin select raise(abort, 'no ' || new.a); end",
        )
        .unwrap();
    run(&scene, schema, APPEND)
        .expect_code(1)
        .says(&["a trigger of the table refuses a row"])
        .hides(&["SECRETVAL"]);
    assert_eq!(count(&scene), 0);
}

#[test]
fn targets_of_new_files_are_all_added_to() {
    let scene = Scene::new();
    scene.file("in/1.csv", "a\n1\n");
    let replace = "[[step.write]]\nconnection = \"mart\"\ntable = \"t\"\nmode = \"replace\"";
    let lake = "[[step.write]]\ntable = \"raw.t\"\nmode = \"append\"";
    run(&scene, "a = \"int64\"", &format!("{lake}\n{replace}"))
        .expect_code(2)
        .says(&[
            "a step that appends or merges reads new files only, and this target would be left with their rows alone",
            "or in a step of its own",
        ]);
    run(&scene, "a = \"int64\"", &format!("{lake}\n{APPEND}")).expect_code(0);
}
