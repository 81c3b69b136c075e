//! Rows that are merged by their key, and partitions whose values come from rows.

use weir_tests::{Ended, Scene};

const SCHEMA: &str = r#"{ id = "int64", seen = "date", state = "string", version = "int64" }"#;

/// A pipeline of one step that writes `raw.visits` in the given way.
fn pipeline(read: &str, stage: &str, write: &str) -> String {
    format!(
        r#"
weir = 1
name = "merged"
[zone.raw]
[[step]]
name = "land"
read = {{ files = "in/*.csv", format = "csv", schema = {SCHEMA}{read} }}
{stage}
[[step.write]]
table = "raw.visits"
{write}
"#
    )
}

struct Merged<'a> {
    scene: Scene,
    text: &'a str,
}

impl Merged<'_> {
    fn new(text: &str) -> Merged<'_> {
        let scene = Scene::new();
        Merged { scene, text }
    }

    fn input(&self, name: &str, rows: &str) {
        let text = format!("id,seen,state,version\n{rows}\n");
        self.scene.file(&format!("in/{name}.csv"), text);
    }

    fn run(&self) -> Ended {
        let file = self.scene.file("pipeline.toml", self.text);
        self.scene.run(&file, &[])
    }

    /// The rows of the table, in order, as lines of CSV.
    fn rows(&self) -> Vec<String> {
        let query = "select id, seen, state, version from raw.visits order by id, seen, version";
        self.scene.sql_csv(query)[1..].to_vec()
    }
}

#[test]
fn a_row_takes_the_place_of_the_row_with_its_key() {
    let text = pipeline("", "", "mode = \"merge\"\nkey = \"id\"");
    let merged = Merged::new(&text);
    merged.input("1", "1,2024-01-01,NY,1\n2,2024-01-01,NY,1\n3,2024-01-01,,1");
    merged.run().expect_code(0);
    merged.input("2", "2,2024-02-01,CA,2\n4,2024-02-01,CA,2");
    merged.run().expect_code(0);
    let expected = [
        "1,2024-01-01,NY,1",
        "2,2024-02-01,CA,2",
        "3,2024-01-01,,1",
        "4,2024-02-01,CA,2",
    ];
    assert_eq!(merged.rows(), expected);
    let record = merged.scene.latest();
    assert_eq!(
        record["steps"][0]["counts"]["read"], 2,
        "files are read once"
    );
    // Each row says which run wrote it.
    let runs = "select count(distinct _weir_run) from raw.visits";
    assert_eq!(merged.scene.value(runs), "2");
    merged.run().expect_code(0);
    assert_eq!(merged.scene.latest()["steps"][0]["status"], "up-to-date");
    assert_eq!(merged.rows(), expected);
}

/// A file that is sent again mended takes its rejected rows back; those of other files wait on.
#[test]
fn a_file_that_has_changed_brings_its_rejected_rows_anew() {
    let text = pipeline(
        ", on_fail = \"quarantine\"",
        "[[step.stage]]\ncheck = { range = { version = { min = 1 } } }",
        "mode = \"merge\"\nkey = \"id\"",
    );
    let merged = Merged::new(&text);
    merged.input(
        "1",
        "1,2024-01-01,NY,1\n2,2024-01-01,NY,0\n3,2024-01-01,NY,0\n4,2024-01-32,NY,1",
    );
    merged.input("2", "5,2024-01-01,NY,0");
    merged.run().expect_code(3);
    merged.input(
        "1",
        "1,2024-01-01,NY,1\n2,2024-01-01,NY,2\n3,2024-01-02,NY,0\n4,2024-01-31,NY,1",
    );
    merged.run().expect_code(3);
    assert_eq!(
        merged.rows(),
        [
            "1,2024-01-01,NY,1",
            "2,2024-01-01,NY,2",
            "4,2024-01-31,NY,1"
        ]
    );
    let query = "select _weir_state, _weir_rule, coalesce(cast(id as varchar), '') as id, seen
                 from raw.visits__quarantine order by 1, 2, 3, 4";
    assert_eq!(
        merged.scene.sql_csv(query)[1..],
        [
            "open,range(version),3,2024-01-02",
            "open,range(version),5,2024-01-01",
            "read-again,bad_value,,",
            "read-again,range(version),2,2024-01-01",
            "read-again,range(version),3,2024-01-01",
        ]
    );
    // Mended altogether: nothing is rejected, and nothing of the file waits.
    merged.input("1", "3,2024-01-03,NY,3");
    merged.run().expect_code(0);
    let open = "select id from raw.visits__quarantine where _weir_state = 'open'";
    assert_eq!(merged.scene.sql_csv(open)[1..], ["5"]);
}

/// A step whose files may be missing leaves an empty table, so that others can read it; later files come into it.
#[test]
fn a_table_whose_files_have_not_come_is_empty() {
    for mode in ["merge\"\nkey = \"id", "append"] {
        let write = format!("mode = \"{mode}\"");
        let text = pipeline(", allow_missing = true", "", &write);
        let reader = r#"
[[step]]
name = "count"
read = { sql = "select count(*) as n from raw.visits" }
write = { table = "raw.counts" }
"#;
        let text = format!("{text}{reader}");
        let merged = Merged::new(&text);
        merged.run().expect_code(0);
        assert_eq!(merged.scene.value("select n from raw.counts"), "0");
        merged.run().expect_code(0);
        assert_eq!(merged.scene.latest()["steps"][0]["status"], "up-to-date");
        merged.input("1", "1,2024-01-01,NY,1");
        merged.run().expect_code(0);
        assert_eq!(merged.scene.value("select n from raw.counts"), "1");
        merged.run().expect_code(0);
        assert_eq!(merged.scene.latest()["steps"][0]["status"], "up-to-date");
    }
}

#[test]
fn of_rows_with_one_key_the_greatest_stays_wherever_it_is() {
    let text = pipeline(
        "",
        "",
        "mode = \"merge\"\nkey = [\"id\"]\norder = \"version\"",
    );
    let merged = Merged::new(&text);
    merged.input(
        "1",
        "1,2024-01-01,NY,5\n1,2024-01-02,NJ,7\n1,2024-01-03,NY,\n2,2024-01-01,NY,1",
    );
    merged.run().expect_code(0);
    assert_eq!(merged.rows(), ["1,2024-01-02,NJ,7", "2,2024-01-01,NY,1"]);
    // A late row is older than what is there; an equal one is newer.
    merged.input("2", "1,2024-03-01,LATE,6\n2,2024-03-01,CA,1");
    merged.run().expect_code(0);
    assert_eq!(merged.rows(), ["1,2024-01-02,NJ,7", "2,2024-03-01,CA,1"]);
}

#[test]
fn without_an_order_rows_with_one_key_end_the_step() {
    let text = pipeline("", "", "mode = \"merge\"\nkey = [\"id\", \"state\"]");
    let merged = Merged::new(&text);
    merged.input(
        "1",
        "1,2024-01-01,NY,1\n1,2024-01-02,NY,2\n1,2024-01-02,NJ,2",
    );
    merged
        .run()
        .expect_code(1)
        .says(&["2 incoming rows share their key (id, state)", "order = "]);
    assert!(!merged.scene.lake().join("raw/visits/_delta_log").exists());
    // A key without a value says nothing.
    merged.input("1", "1,2024-01-01,NY,1\n,2024-01-02,NJ,2");
    merged
        .run()
        .expect_code(1)
        .says(&["1 rows of a batch have no 'id'", "not_null"]);
    merged.input("1", "1,2024-01-01,NY,1\n1,2024-01-02,NJ,2");
    merged.run().expect_code(0);
    assert_eq!(merged.rows().len(), 2);
}

#[test]
fn what_is_there_can_be_kept() {
    let text = pipeline(
        "",
        "",
        "mode = \"merge\"\nkey = \"id\"\nwhen_matched = \"keep\"\norder = \"version\"",
    );
    let merged = Merged::new(&text);
    merged.input("1", "1,2024-01-01,NY,1\n1,2024-01-01,NY,2");
    merged.run().expect_code(0);
    merged.input(
        "2",
        "1,2024-02-01,CA,9\n2,2024-02-01,CA,3\n2,2024-02-02,CA,4",
    );
    merged.run().expect_code(0);
    assert_eq!(merged.rows(), ["1,2024-01-01,NY,2", "2,2024-02-02,CA,4"]);
}

#[test]
fn only_files_with_matching_rows_are_written_anew() {
    let write = "mode = \"merge\"\nkey = [\"id\", \"seen\"]\npartition_by = [\"month(seen)\"]";
    let text = pipeline("", "", write);
    let merged = Merged::new(&text);
    merged.input(
        "1",
        "1,2024-01-01,NY,1\n2,2024-01-09,NY,1\n3,2024-02-01,NY,1\n4,,NY,1",
    );
    // A part of the key is null.
    merged.run().expect_code(1);
    merged.input(
        "1",
        "1,2024-01-01,NY,1\n2,2024-01-09,NY,1\n3,2024-02-01,NY,1",
    );
    merged.run().expect_code(0);
    let files = |month: &str| {
        let folder = merged
            .scene
            .lake()
            .join(format!("raw/visits/seen_month={month}"));
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        files.sort();
        files
    };
    let february = files("2024-02");
    merged.input("2", "2,2024-01-09,NJ,2\n5,2024-01-31,NJ,2");
    merged.run().expect_code(0);
    assert_eq!(files("2024-02"), february);
    let expected = [
        "1,2024-01-01,NY,1",
        "2,2024-01-09,NJ,2",
        "3,2024-02-01,NY,1",
        "5,2024-01-31,NJ,2",
    ];
    assert_eq!(merged.rows(), expected);
    let months = "select distinct seen_month from raw.visits order by 1";
    assert_eq!(merged.scene.sql_csv(months)[1..], ["2024-01", "2024-02"]);
    // The files that came in and were merged are nobody's, and gone: two of January are left.
    assert_eq!(files("2024-01").len(), 2);
}

#[test]
fn merges_say_what_they_need_before_data_moves() {
    let refused = |write: &str, says: &[&str]| {
        let text = pipeline("", "", write);
        let merged = Merged::new(&text);
        merged.input("1", "1,2024-01-01,NY,1");
        merged.run().expect_code(2).says(says);
    };
    refused("mode = \"merge\"", &["a write needs `key`"]);
    refused("mode = \"merge\"\nkey = []", &["`key` names no column"]);
    refused(
        "mode = \"merge\"\nkey = [\"id\", \"id\"]",
        &["names 'id' twice"],
    );
    refused("mode = \"merge\"\nkey = \"nr\"", &["nr"]);
    refused(
        "mode = \"merge\"\nkey = \"id\"\npartition_by = \"state\"",
        &["rows with one key could be in several partitions: 'state'"],
    );
    refused(
        "mode = \"append\"\nkey = \"id\"",
        &["`key` belongs to mode = \"merge\""],
    );
    refused(
        "mode = \"replace-partition\"\noverwrite = \"dynamic\"",
        &["a write needs `partition_by`"],
    );
    refused(
        "mode = \"append\"\npartition_by = [\"week(seen)\"]",
        &["'week(seen)' is no partition column", "month(column)"],
    );
    refused(
        "mode = \"append\"\npartition_by = [\"year(state)\"]",
        &["'state' is string", "a date or a timestamp"],
    );
}

#[test]
fn the_partitions_that_rows_are_in_are_replaced_and_no_others() {
    let text = pipeline(
        "",
        "[[step.stage]]\ncheck = { range = { version = { max = 8 } } }",
        "mode = \"replace-partition\"\noverwrite = \"dynamic\"\npartition_by = [\"state\", \"year(seen)\"]",
    );
    let merged = Merged::new(&text);
    merged.input(
        "1",
        "1,2024-01-01,NY,1\n2,2023-01-01,NY,1\n3,2024-01-01,,1\n9,2024-01-01,NY,9",
    );
    merged.run().expect_code(3);
    assert_eq!(merged.rows().len(), 3);
    assert_eq!(merged.scene.count("raw.visits__quarantine"), 1);
    std::fs::remove_file(merged.scene.path("in/1.csv")).unwrap();
    merged.input(
        "2",
        "4,2024-06-01,NY,2\n5,2024-06-01,,2\n6,2024-06-01,\"a/../b\",2",
    );
    merged.run().expect_code(0);
    let expected = [
        "2,2023-01-01,NY,1",
        "4,2024-06-01,NY,2",
        "5,2024-06-01,,2",
        "6,2024-06-01,a/../b,2",
    ];
    assert_eq!(merged.rows(), expected);
    assert_eq!(merged.scene.count("raw.visits__quarantine"), 0);
    let query = "select count(*) from raw.visits where seen_year = 2024 and state = 'NY'";
    assert_eq!(merged.scene.value(query), "1");
    // An empty text cannot be a partition's value: Delta takes it for null.
    let blank = pipeline(
        ", nulls = [\"-\"]",
        "",
        "mode = \"replace-partition\"\noverwrite = \"dynamic\"\npartition_by = [\"state\", \"year(seen)\"]",
    );
    let merged = Merged {
        text: &blank,
        ..merged
    };
    merged.input("2", "4,2024-06-01,,2");
    merged.run().expect_code(1).says(&["'state' is empty"]);
    assert_eq!(merged.rows(), expected);
}

#[test]
fn checks_over_all_rows_know_the_partition_columns() {
    let text = pipeline(
        "",
        "[[step.stage]]\ncheck = { unique = [\"id\", \"state\"] }",
        "mode = \"append\"\npartition_by = \"state\"",
    );
    let merged = Merged::new(&text);
    merged.input(
        "1",
        "1,2024-01-01,NY,1\n1,2024-01-01,NJ,1\n2,2024-01-01,NY,1\n2,2024-01-01,NY,2",
    );
    merged.run().expect_code(3);
    assert_eq!(merged.rows(), ["1,2024-01-01,NJ,1", "1,2024-01-01,NY,1"]);
}

#[test]
fn steps_do_not_see_which_run_wrote_a_row() {
    let mut text = pipeline("", "", "mode = \"append\"");
    text.push_str(
        r#"
[[step]]
name = "whole"
read = { table = "raw.visits" }
write = { table = "raw.whole" }
[[step]]
name = "query"
read = { sql = "select * from raw.visits" }
write = { table = "raw.query" }
"#,
    );
    let merged = Merged::new(&text);
    merged.input("1", "1,2024-01-01,NY,1");
    merged.run().expect_code(0);
    merged.run().expect_code(0);
    for table in ["visits", "whole", "query"] {
        let run = format!("select _weir_run from raw.{table}");
        assert_eq!(merged.scene.value(&run).len(), 36, "{table}");
    }
}

/// A pipeline that merges the same rows into a lake table and into one of a SQLite file.
fn both(write: &str) -> String {
    format!(
        r#"
weir = 1
name = "merged"
[zone.raw]
[connections.file]
kind = "sqlite"
path = "file.sqlite"
[[step]]
name = "land"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "string", at = "timestamptz", state = "string", version = "int64" }} }}
[[step.write]]
table = "raw.visits"
mode = "merge"
key = "id"
{write}
[[step.write]]
connection = "file"
table = "visits"
mode = "merge"
key = "id"
{write}
"#
    )
}

/// The rows of both, the file's first.
fn rows_of_both(scene: &Scene) -> [Vec<String>; 2] {
    let file = rusqlite::Connection::open(scene.path("file.sqlite")).unwrap();
    let in_file: rusqlite::Result<Vec<String>> = file
        .prepare("select id, at, state, version from visits order by id collate binary")
        .unwrap()
        .query_map([], |row| {
            let text = |index| row.get::<_, Option<String>>(index);
            Ok(format!(
                "{},{},{},{}",
                text(0)?.unwrap_or_default(),
                text(1)?.unwrap_or_default(),
                text(2)?.unwrap_or_default(),
                row.get::<_, Option<i64>>(3)?
                    .map_or(String::new(), |version| version.to_string())
            ))
        })
        .unwrap()
        .collect();
    let in_lake = scene.sql_csv("select id, at, state, version from raw.visits order by id");
    [in_file.unwrap(), in_lake[1..].to_vec()]
}

#[test]
fn sqlite_merges_as_the_lake_does() {
    for write in [
        "order = \"version\"",
        "order = [\"at\", \"version\"]",
        "order = \"version\"\nwhen_matched = \"keep\"",
    ] {
        let scene = Scene::new();
        let file = scene.file("pipeline.toml", both(write));
        // A table of others: two keys that it takes for one are two.
        let own = rusqlite::Connection::open(scene.path("file.sqlite")).unwrap();
        own.execute_batch("create table visits (id TEXT collate nocase, at TIMESTAMPTZ, state TEXT, version INTEGER); create index by_id on visits (id)")
            .unwrap();
        drop(own);
        let mut seed = 7_u64;
        let mut next = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % most
        };
        for number in 0..4 {
            let mut text = String::from("id,at,state,version\n");
            let mut versions = std::collections::BTreeSet::new();
            for _ in 0..40 {
                let id = ["a", "A", "b", "\u{e9}", "B'", "c", "C"][next(7) as usize];
                let version = next(1000);
                // Whichever of equal rows stays, nothing says.
                if !versions.insert((id, version)) {
                    continue;
                }
                let fraction = ["", ".5", ".500001"][next(3) as usize];
                text += &match next(8) {
                    0 => format!("{id},,none{number},{version}\n"),
                    _ => format!(
                        "{id},2024-01-0{}T00:00:00{fraction}Z,s{number},{version}\n",
                        next(3) + 1
                    ),
                };
            }
            scene.file(&format!("in/{number}.csv"), text);
            scene.run(&file, &[]).expect_code(0);
            let [in_file, in_lake] = rows_of_both(&scene);
            assert_eq!(in_file.len(), 7);
            assert_eq!(in_file, in_lake, "{write} after file {number}");
        }
    }
}

/// Rows of another scope are other rows, and a column may be called as SQLite calls its own number of a row.
#[test]
fn sqlite_merges_within_a_scope() {
    let scene = Scene::new();
    let file = scene.file(
        "pipeline.toml",
        r#"
weir = 1
name = "merged"
[params.source]
type = "string"
[connections.file]
kind = "sqlite"
path = "file.sqlite"
[[step]]
name = "land"
read = { files = "${param.source}/*.csv", format = "csv", schema = { id = "int64", version = "int64", rowid = "int64" } }
[[step.write]]
connection = "file"
table = "visits"
mode = "merge"
key = "id"
order = "version"
partition = { source = "${param.source}" }
"#,
    );
    scene.file("a/1.csv", "id,version,rowid\n1,1,7\n1,2,8\n2,1,7\n");
    scene.file("b/1.csv", "id,version,rowid\n1,3,9\n");
    for source in ["a", "b"] {
        scene.run(&file, &[("source", source)]).expect_code(0);
    }
    let own = rusqlite::Connection::open(scene.path("file.sqlite")).unwrap();
    let rows: rusqlite::Result<Vec<String>> = own
        .prepare("select source, id, version, \"rowid\" from visits order by 1, 2")
        .unwrap()
        .query_map([], |row| {
            let number = |index| row.get::<_, i64>(index);
            Ok(format!(
                "{},{},{},{}",
                row.get::<_, String>(0)?,
                number(1)?,
                number(2)?,
                number(3)?
            ))
        })
        .unwrap()
        .collect();
    assert_eq!(rows.unwrap(), ["a,1,2,8", "a,2,1,7", "b,1,3,9"]);
}

#[test]
fn what_sqlite_cannot_merge_is_told() {
    let scene = Scene::new();
    let told = |write: &str, schema: &str, words: &[&str], code: i32| {
        let text = format!(
            "weir = 1\nname = \"merged\"\n[zone.raw]\n[connections.file]\nkind = \"sqlite\"\npath = \"file.sqlite\"\n[[step]]\nname = \"land\"\nread = {{ files = \"in/*.csv\", format = \"csv\", schema = {schema} }}\n[[step.write]]\nconnection = \"file\"\ntable = \"visits\"\nmode = \"merge\"\n{write}\n"
        );
        let file = scene.file("pipeline.toml", text);
        let ended = scene.run(&file, &[]).expect_code(code);
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
    };
    scene.file("in/1.csv", "id,amount\n1,2\n1,3\n");
    told(
        "key = \"id\"\norder = \"amount\"",
        r#"{ id = "int64", amount = "decimal(20,2)" }"#,
        &["'amount' as a text", "at most 15 digits"],
        2,
    );
    // Two rows of one key, and nothing that says which of them stays.
    told(
        "key = \"id\"",
        r#"{ id = "int64", amount = "int64" }"#,
        &["id", "order"],
        1,
    );
    assert!(!scene.path("file.sqlite").exists());
}
