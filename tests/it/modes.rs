//! How what is written meets what is there: append, replace, replace-partition.

use weir_tests::{Ended, Scene};

use crate::visits::{Targets, Visits};

#[test]
fn append_loads_each_file_once() {
    let scene = Scene::new();
    let visits = Visits {
        mode: "append",
        ..Visits::default()
    };
    scene.file("in/1.csv", Visits::rows(0..10));
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 10);

    scene.file("in/2.csv", Visits::rows(10..15));
    visits.run(&scene).expect_code(0);
    let record = scene.latest();
    assert_eq!(record["steps"][0]["counts"]["read"], 5, "only the new file");
    assert_eq!(record["steps"][0]["files"], 1);
    assert_eq!(scene.count("raw.visits"), 15);
    assert_eq!(
        scene.value("select count(distinct id) from raw.visits"),
        "15"
    );

    let targets = Targets::of(&scene);
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.latest()["steps"][0]["status"], "up-to-date");
    targets.expect_untouched(&scene);

    // A file that fails stays to be loaded, and does not keep what was loaded from staying.
    scene.file("in/3.csv", "id,born,state,amount\nx,,,\n");
    visits.run(&scene).expect_code(1);
    targets.expect_untouched(&scene);
    scene.file("in/3.csv", Visits::rows(15..18));
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 18);
}

#[test]
fn the_rest_of_a_run_is_run_where_the_run_was_started() {
    let scene = Scene::new();
    scene.file("in/1.csv", "id,born,state,amount\nx,,,\n");
    Visits::default().run(&scene).expect_code(1);
    scene.file("in/1.csv", Visits::rows(0..3));
    // The same relative path, from elsewhere, is another file.
    scene.file("elsewhere/in/1.csv", Visits::rows(0..7));
    let mut retry = scene.weir(["retry", "latest", "--lake", "../lake"]);
    retry.current_dir(scene.path("elsewhere"));
    Ended::from(retry.output().unwrap()).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 3);
}

#[test]
fn new_files_are_added_batch_by_batch() {
    let scene = Scene::new();
    let visits = Visits {
        mode: "append",
        read: "format = \"csv\", max_files = 2",
        stages: "\n[[step.stage]]\ncheck = { range = { id = { max = 47 } } }\n",
        ..Visits::default()
    };
    for file in 0..5 {
        scene.file(
            &format!("in/{file}.csv"),
            Visits::rows(file * 10..file * 10 + 10),
        );
    }
    visits.run(&scene).expect_code(3);
    assert_eq!(scene.count("raw.visits"), 48);
    assert_eq!(scene.count("raw.visits__quarantine"), 2);
    let step = scene.latest()["steps"][0].clone();
    assert_eq!(step["counts"]["read"], 50);
    assert_eq!(step["counts"]["quarantined"], 2);
    assert_eq!(step["files"], 5);
    assert_eq!(step["n"], 2, "three batches, from 0");
    assert_eq!(step["targets"][0]["rows"], 48);
    // A fault in a later batch leaves those before it.
    scene.file("in/5.csv", Visits::rows(20..22));
    scene.file("in/6.csv", Visits::rows(22..24));
    scene.file("in/7.csv", "id,born,state,amount\nx,,,\n");
    visits.run(&scene).expect_code(1);
    assert_eq!(scene.count("raw.visits"), 52);
    let step = scene.latest()["steps"][0].clone();
    assert_eq!(step["status"], "failed");
    assert_eq!(step["counts"]["read"], 4, "what was done is on record");
    assert_eq!(step["targets"][0]["rows"], 4);
    scene.file("in/7.csv", Visits::rows(24..27));
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.latest()["steps"][0]["counts"]["read"], 3);
    assert_eq!(scene.count("raw.visits"), 55);

    let refused = |visits: Visits<'_>| {
        let ended = visits.run(&scene).expect_code(2);
        ended.says(&["belong to a step that only appends", "hint: "]);
    };
    refused(Visits {
        mode: "replace",
        ..visits.clone()
    });
    // A table beside it that each batch would replace.
    refused(Visits {
        more: "[[step.write]]\ntable = \"raw.latest\"\nmode = \"replace\"\n",
        ..visits
    });
}

#[test]
fn append_keeps_what_it_quarantined_before() {
    let scene = Scene::new();
    let visits = Visits {
        mode: "append",
        stages: "\n[[step.stage]]\ncheck = { range = { id = { max = 8 } } }\n",
        ..Visits::default()
    };
    scene.file("in/1.csv", Visits::rows(0..10));
    visits.run(&scene).expect_code(3);
    scene.file("in/2.csv", Visits::rows(5..12));
    visits.run(&scene).expect_code(3);
    assert_eq!(scene.count("raw.visits"), 9 + 4);
    assert_eq!(scene.count("raw.visits__quarantine"), 1 + 3);
}

#[test]
fn append_to_what_would_double_is_refused() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..3));
    Visits {
        more: "\n[[step]]\nname = \"again\"\nread = { table = \"raw.visits\" }\nwrite = { table = \"raw.again\", mode = \"append\" }\n",
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(2)
    .says(&["a rerun would double the rows", "hint: use mode = \"replace\""]);
}

#[test]
fn a_replaced_partition_leaves_the_others() {
    let scene = Scene::new();
    let visits = Visits {
        partition: Some("{ site = \"${param.site}\" }"),
        stages: "\n[[step.stage]]\ncheck = { range = { id = { max = 100 } } }\n",
        ..Visits::default()
    };
    let pipeline = visits.write(&scene);
    let run = |site: &str, rows: std::ops::Range<u64>, code: i32| {
        scene.file("in/v.csv", Visits::rows(rows));
        scene
            .run(&pipeline, &[("landing", "in"), ("site", site)])
            .expect_code(code);
    };
    run("a", 0..10, 0);
    run("b", 99..104, 3);
    let (visits_now, quarantined) = rows_by_site(&scene);
    assert_eq!(visits_now, ["site,n", "a,10", "b,2"]);
    assert_eq!(quarantined, ["site,n", "b,3"]);
    run("a", 0..4, 0);
    run("b", 50..51, 0);
    let (visits_now, _) = rows_by_site(&scene);
    assert_eq!(visits_now, ["site,n", "a,4", "b,1"]);
    assert_eq!(scene.count("raw.visits__quarantine"), 0);
    // No rows at all empty the partition, and the quarantine of it.
    run("b", 0..0, 0);
    run("a", 99..104, 3);
    let (visits_now, quarantined) = rows_by_site(&scene);
    assert_eq!(visits_now, ["site,n", "a,2"]);
    assert_eq!(quarantined, ["site,n", "a,3"]);
}

fn rows_by_site(scene: &Scene) -> (Vec<String>, Vec<String>) {
    (
        scene.sql_csv("select site, count(*) as n from raw.visits group by 1 order by 1"),
        scene.sql_csv(
            "select _weir_scope_site as site, count(*) as n from raw.visits__quarantine group by 1 order by 1",
        ),
    )
}

/// Only a whole replacement may change a table's columns.
#[test]
fn changed_columns() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    let scoped = Visits {
        partition: Some("{ site = \"${param.site}\" }"),
        ..Visits::default()
    };
    scoped.run(&scene).expect_code(0);
    let targets = Targets::of(&scene);
    for schema in [
        r#"{ id = "string", born = "date", state = "string", amount = "decimal(10,2)" }"#,
        r#"{ id = "int64 not null", born = "date", state = "string", amount = "decimal(12,2)" }"#,
        r#"{ id = "int64 not null", state = "string", amount = "decimal(10,2)" }"#,
    ] {
        Visits {
            schema,
            ..scoped.clone()
        }
        .run(&scene)
        .expect_code(2)
        .says(&[
            "raw.visits has other columns than the step writes: ",
            "visits.toml:",
            "hint: write another table, or replace the whole table",
        ]);
        targets.expect_untouched(&scene);
    }
    Visits {
        partition: Some("{ place = \"${param.site}\" }"),
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(2)
    .says(&["raw.visits is partitioned by (site), the write by (place)"]);
    targets.expect_untouched(&scene);

    Visits {
        schema: r#"{ id = "string", state = "string" }"#,
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(0);
    assert_eq!(
        scene.sql_csv("select * except (_weir_run) from raw.visits where id = '3'"),
        ["id,state", "3,04"]
    );
}

/// What a target cannot hold is an error before data moves.
#[test]
fn types_that_a_target_cannot_hold() {
    let scene = Scene::new();
    scene.file("in/v.csv", "id,born,state,amount\n1,,,\n");
    for kind in ["uint64", "time"] {
        Visits {
            schema: &format!("{{ id = \"{kind}\" }}"),
            ..Visits::default()
        }
        .run(&scene)
        .expect_code(2)
        .says(&["'id'", "Delta Lake has no", "visits.toml:", "hint: "]);
    }
    assert!(!scene.lake().join("raw").exists());
}

/// Every type that can be declared comes back as it went in.
#[test]
fn every_type_of_the_grammar() {
    let scene = Scene::new();
    let values = [
        ("bool", "true", "true"),
        ("int8", "-128", "-128"),
        ("int16", "-32768", "-32768"),
        ("int32", "-2147483648", "-2147483648"),
        ("int64", "-9223372036854775808", "-9223372036854775808"),
        ("uint8", "255", "255"),
        ("uint16", "65535", "65535"),
        ("uint32", "4294967295", "4294967295"),
        ("float32", "0.5", "0.5"),
        ("float64", "1.25e10", "12500000000.0"),
        ("string", " é ", " é "),
        ("date", "2024-02-29", "2024-02-29"),
        (
            "timestamp",
            "2024-02-29T23:59:59.999999",
            "2024-02-29T23:59:59.999999",
        ),
        (
            "timestamptz",
            "2024-02-29T23:59:59.5+02:00",
            "2024-02-29T21:59:59.500Z",
        ),
        (
            "decimal(38,10)",
            "-1234567890123456789012345678.0123456789",
            "-1234567890123456789012345678.0123456789",
        ),
    ];
    let columns: Vec<String> = (0..values.len()).map(|index| format!("c{index}")).collect();
    let join = |parts: Vec<&str>| parts.join(",");
    scene.file(
        "in/v.csv",
        format!(
            "{}\n{}\n{}\n",
            columns.join(","),
            join(values.iter().map(|(_, value, _)| *value).collect()),
            ",".repeat(values.len() - 1),
        ),
    );
    let schema: Vec<String> = columns
        .iter()
        .zip(values)
        .map(|(column, (kind, _, _))| format!("{column} = \"{kind}\""))
        .collect();
    Visits {
        schema: &format!("{{ {} }}", schema.join(", ")),
        more: "\n[connections.db]\nkind = \"sqlite\"\n\n[[step]]\nname = \"publish\"\nread = { table = \"raw.visits\" }\nwrite = { connection = \"db\", table = \"visits\" }\n",
        ..Visits::default()
    }
    .run(&scene)
    .expect_code(0);
    let rows = scene.sql_csv("select * except (_weir_run) from raw.visits where c0 is not null");
    assert_eq!(
        rows[1],
        join(values.iter().map(|(_, _, value)| *value).collect())
    );
    let empty = scene.sql("select * except (_weir_run) from raw.visits where c0 is null");
    assert_eq!(empty, [serde_json::json!({})], "what is empty is null");
    let kept: (i64, String, String) = scene
        .sqlite()
        .query_row("select c4, c11, c14 from visits where c0 = 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(
        kept,
        (
            i64::MIN,
            "2024-02-29".to_owned(),
            "-1234567890123456789012345678.0123456789".to_owned()
        )
    );
}

/// Decisions are numbered in each lake: those of two lakes that write one table are not taken for each other.
#[test]
fn lakes_that_write_one_table_each_load_their_own_rows() {
    let scene = Scene::new();
    let shared = scene.path("shared");
    let pipeline = format!(
        r#"
weir = 1
name = "land"
[zone.pub]
url = "{}"
[connections.w]
kind = "sqlite"
path = "{}"
[[step]]
name = "land"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64" }} }}
[[step.write]]
table = "pub.t"
mode = "append"
[[step.write]]
connection = "w"
table = "t"
mode = "append"
"#,
        shared.display(),
        scene.path("w.sqlite").display()
    );
    scene.file("pipeline.toml", pipeline);
    scene.file("in/1.csv", "id\n1\n2\n");
    let run = |lake: &str| {
        let mut command = scene.weir(["run"]);
        command
            .arg(scene.path("pipeline.toml"))
            .arg("--lake")
            .arg(scene.path(lake));
        Ended::from(command.output().unwrap()).expect_code(0);
    };
    let counted = || {
        let database = rusqlite::Connection::open(scene.path("w.sqlite")).unwrap();
        let loaded: i64 = database
            .query_row("select count(*) from t", [], |row| row.get(0))
            .unwrap();
        let mut sql = scene.weir(["sql"]);
        sql.args([
            "select count(*) as n from shared.t",
            "--output",
            "csv",
            "--lake",
        ])
        .arg(scene.path(""));
        let ended = Ended::from(sql.output().unwrap()).expect_code(0);
        let lake: i64 = ended.stdout.lines().nth(1).unwrap().parse().unwrap();
        (loaded, lake)
    };
    run("a");
    assert_eq!(counted(), (2, 2));
    run("a");
    run("b");
    assert_eq!(counted(), (4, 4), "each lake has read the file");
    scene.file("in/2.csv", "id\n3\n");
    run("b");
    run("b");
    run("a");
    assert_eq!(counted(), (6, 6));
}
