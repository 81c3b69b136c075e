//! Input that cannot be read: one clear error with place and hint, no value of the data in it, and
//! targets as they were before the run.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use weir_tests::{Ended, Scene};

use crate::visits::{Targets, Visits};

/// Runs on good input, then on `bad` (the file's name and content), which must fail.
fn fails_on(visits: &Visits<'_>, name: &str, bad: impl AsRef<[u8]>) -> Ended {
    let scene = Scene::new();
    scene.file("in/good.csv", Visits::rows(0..50));
    Visits::default().run(&scene).expect_code(0);
    let targets = Targets::of(&scene);
    std::fs::remove_file(scene.path("in/good.csv")).unwrap();
    scene.file(&format!("in/{name}"), bad);
    let ended = visits.run(&scene).expect_code(1);
    targets.expect_untouched(&scene);
    let record = scene.latest();
    assert_eq!(record["status"], "failed");
    assert_eq!(record["steps"][0]["counts"]["read"], 0);
    ended.says(&[
        "error: ",
        "hint: ",
        "raw.visits: as before this run",
        "next: weir run",
    ])
}

/// `rows` of good input with the line `line` (from 1, the header's) replaced.
fn with_line(rows: u64, line: usize, text: &str) -> String {
    let good = Visits::rows(0..rows);
    let lines = good.lines().enumerate();
    let lines = lines.map(|(index, good)| if index + 1 == line { text } else { good });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_missing_column() {
    fails_on(
        &Visits::default(),
        "v.csv",
        "id,birth,state,amount\n1,1950-01-01,05,secret-1\n",
    )
    .says(&[
        "in/v.csv: line 1: the header lacks column 'born'",
        "hint: the file has: id, birth, state, amount; mend the file, or the `schema`",
    ])
    .hides(&["secret-1"]);
}

#[test]
fn a_ragged_row() {
    for ragged in ["secret-2,1950-01-01,05", "1,1950-01-01,05,1.00,secret-2"] {
        fails_on(&Visits::default(), "v.csv", with_line(9_000, 8_500, ragged))
            .says(&["in/v.csv: ", "line 8500", "hint: the row is ragged"])
            .hides(&["secret-2"]);
    }
}

#[test]
fn a_byte_that_is_no_utf_8() {
    let mut bytes = Visits::rows(0..20).into_bytes();
    bytes.extend_from_slice(b"21,1950-01-01,secret\xff3,1.00\n");
    fails_on(&Visits::default(), "v.csv", bytes)
        .says(&[
            "in/v.csv: ",
            "UTF-8",
            "line 22",
            "hint: save the file as UTF-8",
        ])
        .hides(&["secret"]);
}

#[test]
fn a_date_that_is_none() {
    fails_on(
        &Visits::default(),
        "v.csv",
        with_line(20_000, 17_002, "17000,1999-02-30,05,1.00"),
    )
    .says(&[
        "in/v.csv: row 17001: column 'born' is no",
        "hint: mend the file, declare the column as string",
    ])
    .hides(&["1999-02-30"]);
}

#[test]
fn a_number_too_large_and_an_empty_key() {
    fails_on(
        &Visits::default(),
        "v.csv",
        with_line(10, 4, "3,1950-01-01,05,123456789.00"),
    )
    .says(&["in/v.csv: row 3: column 'amount' is no"])
    .hides(&["123456789"]);
    fails_on(
        &Visits::default(),
        "v.csv",
        with_line(10, 4, ",1950-01-01,05,1.00"),
    )
    .says(&["in/v.csv: row 3: column 'id' is empty, but declared `not null`"]);
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_truncated_gzip_file() {
    let mut bytes = gzipped(&Visits::rows(0..30_000));
    bytes.truncate(bytes.len() / 2);
    let visits = Visits {
        files: "*.csv.gz",
        ..Visits::default()
    };
    fails_on(&visits, "v.csv.gz", bytes).says(&[
        "in/v.csv.gz' cannot be read to its end",
        "hint: the file may be truncated, or compressed in another way",
    ]);
}

#[test]
fn a_file_compressed_in_another_way() {
    for compression in ["gzip", "zstd"] {
        let visits = Visits {
            read: &format!("format = \"csv\", compression = \"{compression}\""),
            ..Visits::default()
        };
        fails_on(&visits, "v.csv", Visits::rows(0..100)).says(&[
            "in/v.csv' cannot be read to its end",
            "hint: the file may be truncated, or compressed in another way",
        ]);
    }
}

#[test]
fn an_empty_file() {
    fails_on(&Visits::default(), "v.csv", "").says(&[
        "in/v.csv: line 1: the file is empty, without even a header",
        "hint: remove the file",
    ]);
}

#[test]
fn json_that_is_none() {
    for (format, text) in [
        (
            "json-lines",
            "{\"id\": 1, \"state\": \"secret\"}\n{\"id\": 2, \"state\n",
        ),
        (
            "json",
            "[{\"id\": 1, \"state\": \"secret\"}, {\"id\": \"secret\"}]",
        ),
        ("json", "[{\"id\": 1, \"state\": \"secret\"}"),
    ] {
        let visits = Visits {
            files: "*.json",
            read: &format!("format = \"{format}\""),
            ..Visits::default()
        };
        fails_on(&visits, "v.json", text)
            .says(&["in/v.json: after row ", "hint: mend the file"])
            .hides(&["secret"]);
    }
}

#[test]
fn a_file_that_is_no_parquet() {
    let visits = Visits {
        files: "*.parquet",
        read: "format = \"parquet\"",
        ..Visits::default()
    };
    fails_on(&visits, "v.parquet", "secret-4 is no parquet").hides(&["secret-4"]);
}

/// Before a run begins there is no record of it; the targets are as they were all the same.
#[test]
fn no_file_at_all() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    Visits::default().run(&scene).expect_code(0);
    let targets = Targets::of(&scene);
    std::fs::remove_file(scene.path("in/v.csv")).unwrap();
    Visits::default().run(&scene).expect_code(1).says(&[
        "no file matches ",
        "/in/*.csv",
        "hint: check the folder and the pattern",
    ]);
    targets.expect_untouched(&scene);

    let allowed = Visits {
        read: "format = \"csv\", allow_missing = true",
        ..Visits::default()
    };
    allowed.run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 0);
}

#[test]
fn a_header_without_rows_empties_the_table() {
    let scene = Scene::new();
    scene.file("in/v.csv", Visits::rows(0..10));
    Visits::default().run(&scene).expect_code(0);
    scene.file("in/v.csv", Visits::rows(0..0));
    Visits::default().run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 0);
    // A header may lack the end of its line.
    scene.file("in/v.csv", "id,born,state,amount");
    Visits::default().run(&scene).expect_code(0);
    assert_eq!(scene.count("raw.visits"), 0);
}

/// Rows that would lie outside the partition that a step replaces.
#[test]
fn a_row_outside_its_scope() {
    let scene = Scene::new();
    let visits = Visits {
        schema: r#"{ id = "int64", site = "string" }"#,
        partition: Some("{ site = \"${param.site}\" }"),
        ..Visits::default()
    };
    scene.file("in/v.csv", "id,site\n1,a\n2,a\n");
    visits.run(&scene).expect_code(0);
    let targets = Targets::of(&scene);
    scene.file("in/v.csv", "id,site\n1,a\n2,secret-5\n");
    visits
        .run(&scene)
        .expect_code(1)
        .says(&["site", "hint: "])
        .hides(&["secret-5"]);
    targets.expect_untouched(&scene);
    scene.file("in/v.csv", "id,site\n3,\n");
    visits.run(&scene).expect_code(1);
    targets.expect_untouched(&scene);
}
