//! What can be read: each format and compression gives the same rows.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use weir_tests::Scene;

use crate::visits::Visits;

const ROWS: u64 = 20_000;

/// The rows of the table, in order of their key.
fn rows(scene: &Scene) -> Vec<String> {
    scene.sql_csv("select id, born, state, amount from raw.visits order by id")
}

/// What reading `name` with `content` gives must be the rows of plain CSV.
#[track_caller]
fn reads(name: &str, content: impl AsRef<[u8]>, read: &str) {
    let scene = Scene::new();
    scene.file(&format!("in/{name}"), content);
    let visits = Visits {
        files: "*",
        read,
        ..Visits::default()
    };
    visits.run(&scene).expect_code(0);
    let found = rows(&scene);
    let expected = Visits::rows(0..ROWS);
    assert!(
        found.iter().map(String::as_str).eq(expected.lines()),
        "{name} with {read}: {} rows, such as {:?}",
        found.len(),
        found.get(1)
    );
}

fn csv() -> String {
    Visits::rows(0..ROWS)
}

/// The rows as JSON objects.
fn json() -> Vec<String> {
    let csv = csv();
    let objects = csv.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        format!(
            "{{\"id\": {}, \"state\": \"{}\", \"other\": [1, {{\"x\": \"],[\"}}], \"born\": \"{}\", \"amount\": {}}}",
            fields[0], fields[2], fields[1], fields[3]
        )
    });
    objects.collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn csv_in_every_dialect() {
    reads("v.csv", csv(), r#"format = "csv""#);
    reads("v.csv", csv().replace('\n', "\r\n"), r#"format = "csv""#);
    reads("v.csv", csv().trim_end(), r#"format = "csv""#);
    reads("v.csv", format!("\u{feff}{}", csv()), r#"format = "csv""#);
    reads(
        "v.csv",
        csv()
            .replace(
                "id,born,state,amount",
                "\"AMOUNT\",\"more\",\"ID\",\"BORN\",\"STATE\"",
            )
            .lines()
            .enumerate()
            .map(|(index, line)| {
                if index == 0 {
                    return format!("{line}\n");
                }
                let fields: Vec<&str> = line.split(',').collect();
                format!(
                    "{},x,{},{},{}\n",
                    fields[3], fields[0], fields[1], fields[2]
                )
            })
            .collect::<String>(),
        r#"format = "csv""#,
    );
    reads(
        "v.csv",
        csv().replace(',', ";").replace(";born", ";'born'"),
        r#"format = "csv", delimiter = ";", quote = "'""#,
    );
    let (_, body) = csv()
        .split_once('\n')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    reads(
        "v.txt",
        body.replace(',', "\t"),
        r#"format = "csv", delimiter = "\t", header = false"#,
    );
}

#[test]
fn texts_that_stand_for_nothing() {
    let scene = Scene::new();
    scene.file(
        "in/v.csv",
        "id,born,state,amount\n1,NULL,\"\",n/a\n2,,05,\n3,1950-01-01,\"a, \"\"b\"\"\n c\",-0.5\n",
    );
    let visits = Visits {
        read: r#"format = "csv", nulls = ["", "NULL", "n/a"]"#,
        ..Visits::default()
    };
    visits.run(&scene).expect_code(0);
    assert_eq!(
        scene.sql(
            "select id, born, state, cast(amount as varchar) as amount from raw.visits order by id"
        ),
        [
            serde_json::json!({"id": 1}),
            serde_json::json!({"id": 2, "state": "05"}),
            serde_json::json!({"id": 3, "born": "1950-01-01", "state": "a, \"b\"\n c", "amount": "-0.50"}),
        ]
    );
}

#[test]
fn json_lines_and_json_arrays() {
    reads("v.jsonl", json().join("\n"), r#"format = "json-lines""#);
    reads(
        "v.json",
        format!("\n [{}]\n", json().join(",\n")),
        r#"format = "json""#,
    );
    // One object alone is a document too.
    let scene = Scene::new();
    scene.file("in/v.json", "[]");
    let visits = Visits {
        files: "*",
        read: r#"format = "json""#,
        ..Visits::default()
    };
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 0);
}

#[test]
fn gzip_and_zstd_by_name_or_by_word() {
    let csv = csv();
    let json = json().join("\n");
    reads("v.csv.gz", gzip(csv.as_bytes()), r#"format = "csv""#);
    reads(
        "v.csv",
        gzip(csv.as_bytes()),
        r#"format = "csv", compression = "gzip""#,
    );
    // Two members, one after the other, are one file.
    let (a, b) = csv.split_at(csv.len() / 3);
    let members = [gzip(a.as_bytes()), gzip(b.as_bytes())].concat();
    reads("v.csv.gz", members, r#"format = "csv""#);
    let packed = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    reads("v.csv.zst", &packed, r#"format = "csv""#);
    reads("v.csv", &packed, r#"format = "csv", compression = "zstd""#);
    let packed = zstd::encode_all(json.as_bytes(), 1).unwrap();
    reads("v.json.zst", packed, r#"format = "json-lines""#);
}

/// What one pipeline wrote as data files, another reads as files.
#[test]
fn parquet_with_a_schema_of_its_own_or_a_declared_one() {
    let scene = Scene::new();
    scene.file("in/v.csv", csv());
    Visits::default().run(&scene).expect_code(0);
    let written = rows(&scene);
    std::fs::create_dir(scene.path("files")).unwrap();
    for entry in std::fs::read_dir(scene.lake().join("raw/visits")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "parquet") {
            std::fs::copy(&path, scene.path("files").join(path.file_name().unwrap())).unwrap();
        }
    }
    let text = std::fs::read_to_string(scene.path("visits.toml")).unwrap();
    for schema in [
        "",
        ", schema = { id = \"string\", amount = \"decimal(12,3)\" }",
    ] {
        let start = text.find("read =").unwrap();
        let end = start + text[start..].find('\n').unwrap();
        let read = format!(
            "read = {{ files = \"${{param.landing}}/*.parquet\", format = \"parquet\"{schema} }}"
        );
        let again = scene.file("again.toml", text.replace(&text[start..end], &read));
        let other = Scene::new();
        let files = scene.path("files");
        other
            .run(&again, &[("landing", files.to_str().unwrap())])
            .expect_code(0);
        if schema.is_empty() {
            assert_eq!(rows(&other), written);
        } else {
            assert_eq!(
                other.sql_csv("select id, amount from raw.visits where id = '77'"),
                ["id,amount", "77,77.770"]
            );
        }
    }
}

#[test]
fn every_file_that_matches_below_every_folder() {
    let scene = Scene::new();
    scene.file("in/a/v.csv", Visits::rows(0..10));
    scene.file("in/b/c/v.csv", Visits::rows(10..20));
    scene.file("in/v 2 [x]%20.csv", Visits::rows(20..30));
    scene.file("in/b/v.txt", "no CSV");
    let visits = Visits {
        files: "**/*.csv",
        ..Visits::default()
    };
    visits.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 30);
    assert_eq!(scene.latest()["steps"][0]["files"], 3);
}
