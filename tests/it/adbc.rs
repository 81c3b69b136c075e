//! A warehouse behind an ADBC driver: DuckDB, in every mode, with every type, killed and refused.

use std::process::Stdio;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use weir_adbc::{Database, Driver, OptionValue};
use weir_tests::{Ended, Scene, duckdb_library};

struct Mart {
    scene: Scene,
}

const SCHEMA: &str = r#"{ id = "int64", state = "string", paid = "decimal(12,2)", day = "date" }"#;

impl Mart {
    fn new(write: &str) -> Mart {
        let mart = Mart {
            scene: Scene::new(),
        };
        mart.pipeline(SCHEMA, write);
        mart
    }

    fn pipeline(&self, schema: &str, write: &str) {
        let file = self.scene.path("mart.duckdb");
        self.scene.file(
            "pipeline.toml",
            format!(
                r#"
weir = 1
name = "mart"
[zone.raw]
[params.source]
type = "string"
default = "a"
[connections.mart]
kind = "adbc"
driver = "{}"
options = {{ path = "{}" }}
[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {schema} }}
[[step.write]]
connection = "mart"
{write}
"#,
                duckdb_library().display(),
                file.display()
            ),
        );
    }

    fn input(&self, rows: &str) {
        let text = format!("id,state,paid,day\n{rows}\n");
        self.scene.file("in/1.csv", text);
    }

    fn run(&self, params: &[(&str, &str)]) -> Ended {
        let file = self.scene.path("pipeline.toml");
        let mut command = self.scene.run_command(&file, params);
        Ended::from(command.output().unwrap())
    }

    /// Rows of a query of one text column; or nothing, after a statement.
    fn sql(&self, sql: &str) -> Vec<String> {
        let driver = Driver::load(duckdb_library(), None).unwrap();
        let path = self.scene.path("mart.duckdb").display().to_string();
        let database =
            Database::open(&driver, &[("path".to_owned(), OptionValue::text(path))]).unwrap();
        let mut connection = database.connect().unwrap();
        if !sql.starts_with("select") {
            connection.execute(sql).unwrap();
            return Vec::new();
        }
        let rows = connection.query(sql, None).unwrap();
        let mut texts = Vec::new();
        for batch in rows {
            let column = cast(batch.unwrap().column(0), &DataType::Utf8).unwrap();
            let column = column.as_string::<i32>();
            texts.extend(column.iter().map(|text| text.unwrap_or("null").to_owned()));
        }
        texts
    }

    fn rows(&self) -> Vec<String> {
        self.sql("select concat_ws('|', id, state, paid, day) from visits order by id, state")
    }
}

#[test]
fn a_table_is_made_replaced_and_counted() {
    let mart = Mart::new("table = \"visits\"");
    mart.input("1,NY,1.25,2024-02-29\n2,,,\n3,\"a|é😀\",-3.00,0001-01-01");
    mart.run(&[]).expect_code(0);
    assert_eq!(
        mart.rows(),
        ["1|NY|1.25|2024-02-29", "2", "3|a|é😀|-3.00|0001-01-01"]
    );
    let types = "select data_type from information_schema.columns where table_name = 'visits' order by ordinal_position";
    assert_eq!(
        mart.sql(types),
        ["BIGINT", "VARCHAR", "DECIMAL(12,2)", "DATE"]
    );
    mart.input("4,CA,4,2024-01-01");
    mart.run(&[]).expect_code(0);
    assert_eq!(mart.rows(), ["4|CA|4.00|2024-01-01"]);
    assert_eq!(mart.sql("select version from _weir_loads"), ["1"]);
    // No rows empty it.
    mart.scene.file("in/1.csv", "id,state,paid,day\n");
    mart.run(&[]).expect_code(0);
    assert!(mart.rows().is_empty());
}

#[test]
fn files_are_appended_once_and_scopes_replaced_alone() {
    let mart = Mart::new("table = \"visits\"\nmode = \"append\"");
    mart.input("1,NY,1,2024-01-01");
    mart.run(&[]).expect_code(0);
    mart.run(&[]).expect_code(0);
    mart.scene
        .file("in/2.csv", "id,state,paid,day\n2,CA,2,2024-01-02\n");
    mart.run(&[]).expect_code(0);
    assert_eq!(
        mart.rows(),
        ["1|NY|1.00|2024-01-01", "2|CA|2.00|2024-01-02"]
    );

    let mart = Mart::new(
        "table = \"visits\"\nmode = \"replace-partition\"\npartition = { source = \"${param.source}\", year = 2024, loaded = \"2024-02-29\" }",
    );
    mart.input("1,NY,1,2024-01-01");
    mart.run(&[("source", "a")]).expect_code(0);
    mart.run(&[("source", "O'Neil")]).expect_code(0);
    mart.input("2,CA,2,2024-01-02");
    mart.run(&[("source", "O'Neil")]).expect_code(0);
    assert_eq!(
        mart.sql("select concat_ws('|', id, source, year, loaded) from visits order by id"),
        ["1|a|2024|2024-02-29", "2|O'Neil|2024|2024-02-29"]
    );
}

#[test]
fn what_a_table_does_not_take_is_told_and_nothing_is_loaded() {
    let mart = Mart::new("table = \"visits\"");
    mart.sql("create table visits (id integer, state varchar, paid decimal(12,2), day date)");
    mart.input("1,NY,1,2024-01-01");
    let refused = mart.run(&[]).expect_code(1);
    assert!(
        refused.stderr.contains("column 'id' is int64 in the rows"),
        "{}",
        refused.stderr
    );
    mart.sql("drop table visits");
    mart.sql("create table visits (id bigint primary key, state varchar, paid decimal(12,2), day date, more varchar)");
    mart.sql("insert into visits values (9, 'old', 0, null, 'x')");
    mart.input("1,NY,1,2024-01-01\n1,canary,1,2024-01-01");
    let refused = mart.run(&[]).expect_code(1);
    assert!(!refused.stderr.contains("canary"), "{}", refused.stderr);
    assert_eq!(mart.sql("select state from visits"), ["old"]);
    mart.input("1,NY,1,2024-01-01");
    mart.run(&[]).expect_code(0);
    assert_eq!(mart.rows(), ["1|NY|1.00|2024-01-01"]);

    for (write, what) in [
        (
            "table = \"visits\"\nddl = { primary_key = \"id\" }",
            "belongs to PostgreSQL, MySQL and Redshift",
        ),
        ("table = \"a..b\"", "does not name a table"),
    ] {
        mart.pipeline(SCHEMA, write);
        let refused = mart.run(&[]).expect_code(2);
        assert!(refused.stderr.contains(what), "{}", refused.stderr);
    }
    mart.pipeline(SCHEMA, "table = \"visits\"");
    let text = std::fs::read_to_string(mart.scene.path("pipeline.toml")).unwrap();
    let driver = duckdb_library().display().to_string();
    mart.scene.file(
        "pipeline.toml",
        text.replace(&driver, "/nowhere/libduckdb.so"),
    );
    let refused = mart.run(&[]).expect_code(1);
    assert!(
        refused
            .stderr
            .contains("there is no library /nowhere/libduckdb.so"),
        "{}",
        refused.stderr
    );
}

/// Killed in the middle, a load leaves nothing, and the next run makes it once.
#[test]
fn a_killed_load_is_made_once() {
    let mart = Mart::new("table = \"visits\"\nmode = \"append\"");
    let rows: String = (0..200_000)
        .map(|n| format!("{n},NY,1.00,2024-01-01\n"))
        .collect();
    mart.scene
        .file("in/1.csv", format!("id,state,paid,day\n{rows}"));
    let file = mart.scene.path("pipeline.toml");
    for wait in [150, 300, 450, 600, 900] {
        let mut command = mart.scene.run_command(&file, &[]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let _ = child.kill();
        child.wait().unwrap();
    }
    mart.run(&[]).expect_code(0);
    assert_eq!(
        mart.sql("select concat_ws('|', count(*), count(distinct id)) from visits"),
        ["200000|200000"]
    );
}

#[test]
fn rows_are_merged_by_their_key() {
    let mart = Mart::new("table = \"visits\"\nmode = \"merge\"\nkey = \"id\"\norder = \"day\"");
    mart.input("1,NY,5,2024-01-05\n1,NJ,7,2024-01-07\n1,NY,9,\n2,NY,1,2024-01-01");
    mart.run(&[]).expect_code(0);
    assert_eq!(
        mart.rows(),
        ["1|NJ|7.00|2024-01-07", "2|NY|1.00|2024-01-01"]
    );
    // A late row is older than what is there; an equal one is newer. Columns that the rows have not stay.
    mart.sql("alter table visits add column seen integer default 4");
    mart.input("1,LATE,6,2024-01-06\n2,CA,2,2024-01-01\n3,TX,1,");
    mart.run(&[]).expect_code(0);
    let merged = ["1|NJ|7.00|2024-01-07", "2|CA|2.00|2024-01-01", "3|TX|1.00"];
    assert_eq!(mart.rows(), merged);
    let seen = "select concat_ws('|', id, coalesce(seen, -1)) from visits order by id";
    assert_eq!(mart.sql(seen), ["1|4", "2|4", "3|4"]);
    // The same input again is the same decision.
    mart.run(&[]).expect_code(0);
    assert_eq!(mart.rows(), merged);
    mart.pipeline(
        SCHEMA,
        "table = \"visits\"\nmode = \"merge\"\nkey = \"id\"\nwhen_matched = \"keep\"",
    );
    mart.input("3,NEW,9,\n4,NEW,9,");
    mart.run(&[]).expect_code(0);
    assert_eq!(
        mart.rows(),
        [
            "1|NJ|7.00|2024-01-07",
            "2|CA|2.00|2024-01-01",
            "3|TX|1.00",
            "4|NEW|9.00"
        ]
    );
    let left = "select table_name from information_schema.tables where table_name not in ('visits', '_weir_loads')";
    assert_eq!(mart.sql(left), [""; 0]);
}
