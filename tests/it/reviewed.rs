//! What a review found wrong once: each test is a fault that must not come back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use weir_tests::{Contents, Ended, Scene};

use crate::visits::{Targets, Visits};

/// A pipeline of these sections, in a file of its own.
fn run(scene: &Scene, sections: &str) -> Ended {
    let file = scene.file("more.toml", pipeline(sections));
    scene.run(&file, &[])
}

/// `weir plan` of the same, into the scene's lake.
fn plan(scene: &Scene, sections: &str) -> Ended {
    scene.file("more.toml", pipeline(sections));
    scene.call(["plan", "more.toml", "--lake", "lake"])
}

fn pipeline(sections: &str) -> String {
    format!("weir = 1\nname = \"more\"\n\n[zone.raw]\n\n{sections}")
}

/// A step that reads with a query and writes `raw.more`.
fn query(sql: &str) -> String {
    format!(
        "[[step]]\nname = \"more\"\nread = {{ sql = '''{sql}''' }}\nwrite = {{ table = \"raw.more\" }}\n"
    )
}

/// A scene whose `raw.visits` holds the rows of `in/v.csv`.
fn with_visits(rows: u64) -> Scene {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..rows));
    Visits::default().run(&scene).expect_code(0);
    scene
}

/// The values of a column of a SQLite table as `type:text`, in their order as text.
fn sqlite_values(file: &Path, table: &str, column: &str) -> Vec<String> {
    let connection = Connection::open(file).unwrap();
    let text = format!("typeof({column}) || ':' || cast({column} as text)");
    let mut statement = connection
        .prepare(&format!("select {text} from {table} order by 1"))
        .unwrap();
    let values = statement.query_map([], |row| row.get(0)).unwrap();
    values.collect::<Result<_, _>>().unwrap()
}

#[test]
fn two_scopes_of_one_step_both_hold_all_rows() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..500));
    let visits = Visits {
        partition: Some("{ k = \"one\" }"),
        more: "\n[[step.write]]\ntable = \"raw.visits\"\nmode = \"replace-partition\"\npartition = { k = \"two\" }\n",
        ..Visits::default()
    };
    let rows = || {
        scene.sql_csv(
            "select k, count(*) as n, count(distinct id) as ids from raw.visits group by 1 order by 1",
        )
    };
    let whole = ["k,n,ids", "one,500,500", "two,500,500"];
    visits.run(&scene).expect_code(0);
    assert_eq!(rows(), whole);
    let before = Contents::of(&scene);
    visits.run(&scene).expect_code(0);
    Contents::of(&scene).expect_same(&before, "a rerun changes nothing");
    // Fewer rows replace both.
    scene.file("in/v.csv", Visits::rows(0..3));
    visits.run(&scene).expect_code(0);
    assert_eq!(rows(), ["k,n,ids", "one,3,3", "two,3,3"]);
}

/// A file of which some rows were left out would count as loaded.
#[test]
fn append_takes_no_limit() {
    let scene = Scene::new();
    scene.file("in/1.csv", Visits::rows(0..10));
    let visits = Visits {
        mode: "append",
        ..Visits::default()
    };
    let limited = Visits {
        read: "format = \"csv\", limit = 1",
        ..visits.clone()
    };
    let with_option = || -> Ended {
        let mut command = scene.run_command(&visits.write(&scene), &[("landing", "in")]);
        let output = command.args(["--limit", "1"]).output();
        output.unwrap().into()
    };
    let refused = |ended: Ended| {
        ended
            .expect_code(2)
            .says(&["step 'visits'", "limit", "hint: "]);
    };
    refused(with_option());
    refused(limited.run(&scene));
    assert!(!scene.lake().join("raw/visits/_delta_log").exists());
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 10);

    scene.file("in/2.csv", Visits::rows(10..15));
    let targets = Targets::of(&scene);
    refused(with_option());
    refused(limited.run(&scene));
    targets.expect_untouched(&scene);
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 15, "nothing counts as loaded");
}

/// Which parameters a run has does not make its files other files.
#[test]
fn append_loads_each_file_once_whatever_the_parameters() {
    let scene = Scene::new();
    let file = scene.file(
        "more.toml",
        r#"weir = 1
name = "more"

[params]
day = { type = "string" }
batch = { type = "int" }

[zone.raw]

[[step]]
name = "load"
read = { files = "in/*.csv", format = "csv", schema = { id = "int64" } }

[[step.stage]]
sql = "select id, $batch as batch from input"

[[step.write]]
table = "raw.visits"
mode = "append"
"#,
    );
    let run = |day: &str, batch: &str| {
        scene
            .run(&file, &[("day", day), ("batch", batch)])
            .expect_code(0);
        scene.sql_csv("select id, batch from raw.visits order by id")
    };
    scene.file("in/1.csv", "id\n1\n");
    assert_eq!(run("monday", "1"), ["id,batch", "1,1"]);
    assert_eq!(run("tuesday", "1"), ["id,batch", "1,1"]);
    assert_eq!(run("tuesday", "2"), ["id,batch", "1,1"]);
    scene.file("in/2.csv", "id\n2\n");
    assert_eq!(run("friday", "3"), ["id,batch", "1,1", "2,3"]);
    assert_eq!(run("monday", "1"), ["id,batch", "1,1", "2,3"]);
}

#[test]
fn append_to_a_target_that_came_later_is_refused() {
    let scene = Scene::new();
    scene.file("in/1.csv", Visits::rows(0..10));
    let visits = Visits {
        mode: "append",
        ..Visits::default()
    };
    visits.run(&scene).expect_code(0);
    let targets = Targets::of(&scene);
    let both = Visits {
        more: "\n[[step.write]]\ntable = \"raw.second\"\nmode = \"append\"\n",
        ..visits.clone()
    };
    for _ in 0..2 {
        both.run(&scene).expect_code(2).says(&[
            "raw.visits",
            "raw.second",
            "hint: append to the new table",
        ]);
        targets.expect_untouched(&scene);
        scene.file("in/2.csv", Visits::rows(10..15));
    }
    assert!(!scene.lake().join("raw/second/_delta_log").exists());
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 15);
}

#[test]
fn a_partition_value_of_another_type_than_its_column() {
    let scene = Scene::new();
    scene.file("in/v.csv", "id,year\n1,2008\n");
    for kind in ["float64", "string"] {
        Visits {
            schema: &format!("{{ id = \"int64\", year = \"{kind}\" }}"),
            partition: Some("{ year = 2008 }"),
            ..Visits::default()
        }
        .run(&scene)
        .expect_code(2)
        .says(&["column 'year'", "partition value", "visits.toml:", "hint: "]);
        assert!(!scene.lake().join("raw").exists());
    }
    for kind in ["int16", "int64"] {
        let scene = Scene::new();
        scene.file("in/v.csv", "id,year\n1,2008\n");
        Visits {
            schema: &format!("{{ id = \"int64\", year = \"{kind}\" }}"),
            partition: Some("{ year = 2008 }"),
            ..Visits::default()
        }
        .run(&scene)
        .expect_code(0);
        assert_eq!(
            scene.value("select id from raw.visits where year = 2008"),
            "1"
        );
    }
}

/// A step from files into a SQLite table, whose `id` has a type.
fn into_sqlite(columns: &str, write: &str) -> String {
    format!(
        r#"[connections.db]
kind = "sqlite"

[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {{ {columns} }} }}
write = {{ connection = "db", table = "visits", {write} }}
"#
    )
}

#[test]
fn a_sqlite_table_is_replaced_with_its_types() {
    let scene = Scene::new();
    scene.file("in/v.csv", "id\n7\n8\n");
    let replace = "mode = \"replace\"";
    run(&scene, &into_sqlite("id = \"int64\"", replace)).expect_code(0);
    assert_eq!(
        sqlite_values(&scene.warehouse(), "visits", "id"),
        ["integer:7", "integer:8"]
    );
    scene.file("in/v.csv", "id\n007\n8e1\n");
    run(&scene, &into_sqlite("id = \"string\"", replace)).expect_code(0);
    assert_eq!(
        sqlite_values(&scene.warehouse(), "visits", "id"),
        ["text:007", "text:8e1"]
    );
    scene.file("in/v.csv", "id\n9\n");
    run(&scene, &into_sqlite("id = \"int64\"", replace)).expect_code(0);
    assert_eq!(
        sqlite_values(&scene.warehouse(), "visits", "id"),
        ["integer:9"]
    );
}

#[test]
fn a_scope_of_a_sqlite_table_keeps_its_columns() {
    let scene = Scene::new();
    scene.file("in/v.csv", "id,state\n7,x\n8,y\n");
    let scoped = "mode = \"replace-partition\", partition = { site = \"a\" }";
    let sound = into_sqlite("id = \"int64\"", scoped);
    run(&scene, &sound).expect_code(0);
    let bytes = || fs::read(scene.warehouse()).unwrap();
    let (targets, before) = (Targets::of(&scene), bytes());
    for changed in [
        into_sqlite("id = \"string\"", scoped),
        into_sqlite("id = \"int64\", state = \"string\"", scoped),
        into_sqlite("state = \"string\"", scoped),
        into_sqlite(
            "id = \"int64\"",
            "mode = \"replace-partition\", partition = { site = 1 }",
        ),
    ] {
        for ended in [plan(&scene, &changed), run(&scene, &changed)] {
            ended.expect_code(2).says(&[
                "'visits' has other columns or types",
                "more.toml:",
                "hint: ",
            ]);
            targets.expect_untouched(&scene);
            assert!(bytes() == before, "the file is as it was");
        }
    }
    scene.file("in/v.csv", "id,state\n9,x\n");
    run(&scene, &sound).expect_code(0);
    assert_eq!(
        sqlite_values(&scene.warehouse(), "visits", "id"),
        ["integer:9"]
    );
}

/// Runs on a file with an open quote before `secret-1`; the file behind it must not be taken for
/// its rest.
fn open_quote(bad: &str, why: &str) {
    let scene = with_visits(50);
    let targets = Targets::of(&scene);
    scene.file("in/v.csv", bad);
    scene.file("in/w.csv", "id,born,state,amount\n1,,\",1.00\n2,,\",1.00\n");
    Visits::default()
        .run(&scene)
        .expect_code(1)
        .says(&["in/v.csv: ", why, "hint: "])
        .hides(&["secret-1"]);
    targets.expect_untouched(&scene);
}

#[test]
fn a_quote_that_is_never_closed_in_the_last_column() {
    for end in ["", "\n"] {
        open_quote(
            &format!("{}20,1950-01-01,05,\"secret-1{end}", Visits::rows(0..20)),
            "a quote is never closed",
        );
    }
    // A quote that is closed may span lines.
    let scene = Scene::new();
    scene.file(
        "in/v.csv",
        "id,born,state,amount\n1,,\"a\nb\",1.00\n2,,\"c\",\"2.00\"",
    );
    Visits::default().run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 2);
}

/// The row that the quote swallows the end of has too few fields besides.
#[test]
fn a_quote_that_is_never_closed_before_the_last_column() {
    // What the quote swallowed is one field, so the row is short.
    let why = "incorrect number of fields for line ";
    open_quote(
        &format!("{}20,1950-01-01,\"secret-1,1.00\n", Visits::rows(0..20)),
        why,
    );
    open_quote(
        &Visits::rows(0..20_000).replace("\n500,", "\n500,\"secret-1"),
        why,
    );
}

#[test]
fn two_databases_with_tables_of_one_name() {
    let scene = Scene::new();
    scene.file("in/v.csv", "id\n7\n8\n");
    let sections = r#"
[connections.one]
kind = "sqlite"
path = "one.sqlite"

[connections.two]
kind = "sqlite"
path = "two.sqlite"

[[step]]
name = "load"
read = { files = "in/*.csv", format = "csv", schema = { id = "int64" } }

[[step.write]]
connection = "one"
table = "visits"

[[step.write]]
connection = "two"
table = "visits"
"#;
    for _ in 0..2 {
        run(&scene, sections).expect_code(0);
        for file in ["one.sqlite", "two.sqlite"] {
            assert_eq!(
                sqlite_values(&scene.path(file), "visits", "id"),
                ["integer:7", "integer:8"],
                "{file}"
            );
        }
    }
}

#[test]
fn json_objects_that_no_comma_sets_apart() {
    for text in [
        "[{\"id\":1}{\"id\":2}]",
        "[{\"id\":1}],{\"id\":2}]",
        "[{\"id\":1, \"state\":\"secret-2\"}\n{\"id\":2}]",
    ] {
        let scene = with_visits(5);
        let targets = Targets::of(&scene);
        scene.file("in/v.json", text);
        Visits {
            files: "*.json",
            read: "format = \"json\"",
            schema: "{ id = \"int64\", state = \"string\" }",
            ..Visits::default()
        }
        .run(&scene)
        .expect_code(1)
        .says(&["in/v.json: ", "hint: mend the file"])
        .hides(&["secret-2"]);
        targets.expect_untouched(&scene);
    }
}

#[test]
fn a_table_with_lists_and_structs_is_read_by_a_later_step() {
    let rows = [
        r#"{"id":1,"tags":["a","b"],"place":{"city":"x","code":"01"}}"#,
        r#"{"id":2,"tags":[],"place":{"city":null,"code":"02"}}"#,
        r#"{"id":3,"tags":null,"place":null}"#,
    ];
    for stage in ["", "\n[[step.stage]]\ncheck = { not_null = [\"id\"] }\n"] {
        let scene = Scene::new();
        scene.file("in/v.json", format!("[{}]", rows.join(",")));
        let more = format!(
            "\n[[step]]\nname = \"again\"\nread = {{ table = \"raw.visits\" }}\n{stage}\n[[step.write]]\ntable = \"raw.again\"\n"
        );
        Visits {
            files: "*.json",
            read: "format = \"json\"",
            schema: r#"{ id = "int64", tags = "list<string>", place = "struct<city: string, code: string>" }"#,
            more: &more,
            ..Visits::default()
        }
        .run(&scene)
        .expect_code(0);
        let of = |table: &str| {
            scene.sql(&format!(
                "select id, tags, place from raw.{table} order by id"
            ))
        };
        let again = of("again");
        assert_eq!(again, of("visits"));
        assert_eq!(again.len(), 3);
        assert_eq!(again[0]["tags"], serde_json::json!(["a", "b"]));
        assert_eq!(again[0]["place"]["code"], "01");
        assert_eq!(again[1]["place"]["code"], "02");
    }
}

/// Six rows of a hundred share a key, have no state and are too dear: they break both rules of a
/// `check`, and count once each.
fn counts_once(check: &str, rules: [&str; 2]) {
    let mut text = String::from("id,born,state,amount\n");
    for id in 0..100 {
        text.push_str(&match id {
            0..6 => "1,1950-01-01,,4000.00\n".to_owned(),
            _ => format!("{id},1950-01-01,{id},1.00\n"),
        });
    }
    for (above, code) in [("\"10%\"", 3), ("6", 3), ("\"5%\"", 1), ("5", 1)] {
        let scene = Scene::new();
        scene.file("in/v.csv", &text);
        let stages = format!(
            "\n[[step.stage]]\ncheck = {{ {check} }}\non_fail = \"warn\"\nfail_above = {above}\n"
        );
        let ended = Visits {
            stages: &stages,
            ..Visits::default()
        }
        .run(&scene);
        assert_eq!(
            ended.code,
            Some(code),
            "{check}, above {above}\n{}",
            ended.stderr
        );
        if code == 1 {
            continue;
        }
        assert_eq!(scene.count("raw.visits"), 100);
        let record = scene.latest();
        let warned = record["steps"][0]["warned"].as_array().unwrap();
        assert!(!warned.is_empty());
        for entry in warned {
            let rule = entry["rule"].as_str().unwrap();
            assert!(rules.contains(&rule), "{rule:?} is no rule of {check}");
            assert_eq!(entry["rows"], 6, "{rule}");
        }
    }
}

#[test]
fn a_row_that_breaks_two_rules_counts_once() {
    counts_once(
        "not_null = [\"state\"], range = { amount = { max = 100 } }",
        ["not_null(state)", "range(amount)"],
    );
}

#[test]
fn sql_runs_only_queries() {
    let scene = with_visits(3);
    let targets = Targets::of(&scene);
    for statement in [
        "create table x (a int)",
        "drop table raw.visits",
        "insert into raw.visits select * from raw.visits",
    ] {
        let ended = scene
            .call(["sql", statement, "--lake", "lake"])
            .expect_code(2)
            .says(&["only queries"]);
        assert_eq!(ended.stdout, "");
        targets.expect_untouched(&scene);
    }
}

/// A query, read or as a stage, is refused by `plan` and by `run`, and says why.
fn refused_names(queries: &[(&str, &str)]) {
    let scene = with_visits(3);
    let targets = Targets::of(&scene);
    for (sql, said) in queries {
        let as_stage = format!(
            "[[step]]\nname = \"more\"\nread = {{ table = \"raw.visits\" }}\n\n[[step.stage]]\nsql = '''{}'''\n\n[[step.write]]\ntable = \"raw.more\"\n",
            sql.replace("raw.visits", "input")
        );
        for sections in [query(sql), as_stage] {
            for ended in [plan(&scene, &sections), run(&scene, &sections)] {
                ended.expect_code(2).says(&[said, "hint: "]);
            }
            targets.expect_untouched(&scene);
        }
    }
}

#[test]
fn names_of_columns_that_a_table_cannot_have() {
    refused_names(&[
        ("select 1 as b, 2 as \"B\"", "but for case"),
        (
            "select id as b, state as \"B\" from raw.visits",
            "but for case",
        ),
        (
            "select id as \"Patient Name\" from raw.visits",
            "'Patient Name'",
        ),
    ]);
}

#[test]
fn names_of_columns_that_are_weirs_own() {
    refused_names(&[
        (
            "select id as __weir_other from raw.visits",
            "'__weir_other'",
        ),
        ("select id as __weir_file from raw.visits", "'__weir_file'"),
        (
            "select id, state as __weir_file from raw.visits",
            "'__weir_file'",
        ),
        (
            "select id, id as __weir_ordinal from raw.visits",
            "'__weir_ordinal'",
        ),
    ]);
}

/// The keys are judged in one pass, the rows written in another: both must see the same rows.
#[test]
fn unique_over_a_query_that_gives_other_rows_each_time() {
    let scene = with_visits(2_000);
    let targets = Targets::of(&scene);
    for on_fail in ["quarantine", "drop"] {
        let sections = format!(
            r#"[[step]]
name = "more"
read = {{ sql = "select cast(random() * 2000 as bigint) as k from raw.visits" }}

[[step.stage]]
check = {{ unique = ["k"] }}
on_fail = "{on_fail}"

[[step.write]]
table = "raw.more"
"#
        );
        run(&scene, &sections)
            .expect_code(1)
            .says(&["unique(k)", "hint: "]);
        targets.expect_untouched(&scene);
    }
    // A query that gives the same rows passes.
    let sound = query("select id % 1500 as k from raw.visits").replace(
        "write =",
        "stage = [{ check = { unique = [\"k\"] } }]\nwrite =",
    );
    run(&scene, &sound).expect_code(3);
    assert_eq!(scene.count("raw.more"), 1_000);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs the pipeline into the copy of a lake.
fn run_on_copy(scene: &Scene) -> Ended {
    scene
        .call(["run", "more.toml", "--lake", "copy"])
        .expect_code(0)
}

#[test]
fn a_copy_of_a_lake_leaves_its_warehouse_alone() {
    let scene = Scene::new();
    scene.file("in/v.csv", "id\n7\n");
    let sections = into_sqlite("id = \"int64\"", "mode = \"replace\"");
    run(&scene, &sections).expect_code(0);
    copy(&scene.lake(), &scene.path("copy"));
    let before = fs::read(scene.warehouse()).unwrap();
    let in_copy = scene.path("copy/warehouse.sqlite");
    // The decision is applied, then its place in the copy lost, then there is another.
    for round in 0..3 {
        if round == 1 {
            fs::remove_file(&in_copy).unwrap();
        }
        scene.file("in/v.csv", format!("id\n{}\n", 8 + round));
        run_on_copy(&scene);
        assert!(
            fs::read(scene.warehouse()).unwrap() == before,
            "round {round}: the original's warehouse has changed"
        );
        assert_eq!(
            sqlite_values(&in_copy, "visits", "id"),
            [format!("integer:{}", 8 + round)]
        );
    }
}

/// The run is killed when it has decided, while somebody else has the database.
#[test]
fn a_copy_of_an_interrupted_lake_leaves_its_warehouse_alone() {
    let scene = Scene::new();
    scene.file("in/v.csv", "id\n7\n");
    let sections = into_sqlite("id = \"int64\"", "mode = \"replace\"");
    run(&scene, &sections).expect_code(0);

    scene.file("in/v.csv", "id\n8\n");
    let lock = Connection::open(scene.warehouse()).unwrap();
    lock.execute_batch("begin immediate").unwrap();
    let running = scene.start(scene.run_command(&scene.path("more.toml"), &[]));
    let decided = || decisions(&scene.lake().join("_weir/commits")) == 2;
    let start = Instant::now();
    while !decided() {
        assert!(start.elapsed() < Duration::from_secs(20), "no decision");
        std::thread::sleep(Duration::from_millis(5));
    }
    running.signal("KILL");
    assert_eq!(running.end().code, None, "the run was killed");
    lock.execute_batch("rollback").unwrap();
    drop(lock);
    assert_eq!(
        sqlite_values(&scene.warehouse(), "visits", "id"),
        ["integer:7"]
    );

    copy(&scene.lake(), &scene.path("copy"));
    let before = fs::read(scene.warehouse()).unwrap();
    scene.file("in/v.csv", "id\n9\n");
    run_on_copy(&scene);
    assert!(
        fs::read(scene.warehouse()).unwrap() == before,
        "the original's warehouse has changed"
    );
    assert_eq!(
        sqlite_values(&scene.path("copy/warehouse.sqlite"), "visits", "id"),
        ["integer:9"]
    );
    // What the original has decided can still be applied to it.
    run(&scene, &sections).expect_code(0);
    assert_eq!(
        sqlite_values(&scene.warehouse(), "visits", "id"),
        ["integer:9"]
    );
}

/// The decisions below a folder.
fn decisions(dir: &Path) -> usize {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| match path.is_dir() {
            true => decisions(&path),
            false => usize::from(path.extension().is_some_and(|kind| kind == "json")),
        })
        .sum()
}
