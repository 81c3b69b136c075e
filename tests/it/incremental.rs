//! Reading only what is new in a table: by version and by cursor; and a table as it was before.

use weir_tests::{Ended, Scene};

/// A pipeline that writes `raw.visits`, and one that reads what is new in it.
struct Two {
    scene: Scene,
    reads: String,
}

const ZONES: &str = "[zone.raw]\n[zone.cleansed]";
const SCHEMA: &str = r#"{ id = "int64", state = "string", at = "timestamp" }"#;

impl Two {
    /// `writes` is how the first pipeline writes, `read` and `write` are of the second.
    fn new(writes: &str, read: &str, stage: &str, write: &str) -> Two {
        let scene = Scene::new();
        scene.file(
            "land.toml",
            format!(
                r#"
weir = 1
name = "land"
{ZONES}
[[step]]
name = "land"
read = {{ files = "in/*.csv", format = "csv", schema = {SCHEMA} }}
[[step.write]]
table = "raw.visits"
{writes}
"#
            ),
        );
        let reads = format!(
            r#"
weir = 1
name = "clean"
{ZONES}
[[step]]
name = "clean"
read = {{ {read} }}
{stage}
[[step.write]]
table = "cleansed.visits"
{write}
"#
        );
        scene.file("clean.toml", &reads);
        Two { scene, reads }
    }

    fn land(&self, name: &str, rows: &str) {
        self.scene
            .file(&format!("in/{name}.csv"), format!("id,state,at\n{rows}\n"));
        self.scene
            .run(&self.scene.path("land.toml"), &[])
            .expect_code(0);
    }

    fn clean(&self) -> Ended {
        self.scene.run(&self.scene.path("clean.toml"), &[])
    }

    /// Runs the second pipeline; how many rows it has read.
    fn reads(&self) -> u64 {
        self.clean().expect_code_of(&[0, 3]);
        let step = self.scene.latest()["steps"][0].clone();
        step["counts"]["read"].as_u64().unwrap()
    }

    fn rows(&self) -> Vec<String> {
        let query = "select id, state from cleansed.visits order by id, state";
        self.scene.sql_csv(query)[1..].to_vec()
    }

    fn lake(&self, arguments: &[&str]) {
        let mut command = self.scene.weir(["lake"]);
        command.args(arguments).arg("--lake").arg(self.scene.lake());
        Ended::from(command.output().unwrap()).expect_code(0);
    }
}

const BY_VERSION: &str = r#"table = "raw.visits", incremental = { by = "version" }"#;
const AT: &str = "2024-01-01T00:00:00";

#[test]
fn each_row_that_was_appended_is_read_once() {
    let two = Two::new("mode = \"append\"", BY_VERSION, "", "mode = \"append\"");
    two.land("1", &format!("1,NY,{AT}\n2,CA,{AT}"));
    assert_eq!(two.reads(), 2);
    assert_eq!(two.reads(), 0);
    assert_eq!(two.scene.latest()["steps"][0]["status"], "up-to-date");
    two.land("2", &format!("3,NY,{AT}"));
    two.land("3", &format!("1,NY,{AT}\n4,TX,{AT}"));
    // Files are rewritten, rows are not new: those of the first two are in one file then.
    two.lake(&["optimize", "raw.visits"]);
    assert_eq!(two.reads(), 3);
    assert_eq!(two.rows(), ["1,NY", "1,NY", "2,CA", "3,NY", "4,TX"]);
    two.lake(&["optimize", "raw.visits"]);
    assert_eq!(two.reads(), 0);
    two.land("4", &format!("5,NY,{AT}"));
    assert_eq!(two.reads(), 1);
    let from = "select distinct _weir_run is null from cleansed.visits";
    assert_eq!(two.scene.value(from), "false");

    // All of it, in place of what was written.
    let file = two.scene.path("clean.toml");
    let mut command = two.scene.run_command(&file, &[]);
    Ended::from(command.arg("--full-refresh").output().unwrap()).expect_code(0);
    assert_eq!(two.scene.latest()["steps"][0]["counts"]["read"], 6);
    assert_eq!(two.rows().len(), 6);
    assert_eq!(two.reads(), 0);
}

#[test]
fn rows_whose_files_were_vacuumed_are_found_by_their_run_or_told() {
    let vacuum = ["vacuum", "raw.visits", "--retention", "1ms", "--force"];
    let two = Two::new("mode = \"append\"", BY_VERSION, "", "mode = \"append\"");
    two.land("1", &format!("1,NY,{AT}"));
    assert_eq!(two.reads(), 1);
    two.land("2", &format!("2,NY,{AT}\n3,NY,{AT}"));
    two.lake(&["optimize", "raw.visits"]);
    two.lake(&vacuum);
    assert_eq!(two.reads(), 2);
    assert_eq!(two.rows(), ["1,NY", "2,NY", "3,NY"]);

    // Another program's rows say no run.
    two.land("3", &format!("4,NY,{AT}"));
    let log = two.scene.lake().join("raw/visits/_delta_log");
    let mut entries: Vec<_> = std::fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    entries.sort();
    let last = entries.last().unwrap();
    let text = std::fs::read_to_string(last).unwrap();
    std::fs::write(last, text.replace("weirRun", "otherRun")).unwrap();
    two.lake(&["optimize", "raw.visits"]);
    two.lake(&vacuum);
    two.clean()
        .expect_code(1)
        .says(&["the rows that version", "vacuumed", "--full-refresh"]);
    assert_eq!(two.rows(), ["1,NY", "2,NY", "3,NY"]);
}

#[test]
fn merged_rows_are_read_as_they_are_now() {
    let merge = "mode = \"merge\"\nkey = \"id\"";
    let two = Two::new(merge, BY_VERSION, "", merge);
    two.land("1", &format!("1,NY,{AT}\n2,CA,{AT}\n3,TX,{AT}"));
    assert_eq!(two.reads(), 3);
    two.land("2", &format!("2,NV,{AT}"));
    two.land("3", &format!("2,OR,{AT}\n4,WA,{AT}"));
    assert_eq!(two.reads(), 2, "the last state of the two that changed");
    assert_eq!(two.rows(), ["1,NY", "2,OR", "3,TX", "4,WA"]);
    two.lake(&["optimize", "raw.visits"]);
    assert_eq!(two.reads(), 0);
    two.land("4", &format!("1,AK,{AT}"));
    two.lake(&["optimize", "raw.visits"]);
    assert_eq!(two.reads(), 1);
    assert_eq!(two.rows(), ["1,AK", "2,OR", "3,TX", "4,WA"]);
}

#[test]
fn what_takes_rows_away_is_told_unless_it_may_stay() {
    let two = Two::new(
        "mode = \"replace\"",
        BY_VERSION,
        "",
        "mode = \"merge\"\nkey = \"id\"",
    );
    two.land("1", &format!("1,NY,{AT}\n2,CA,{AT}"));
    assert_eq!(two.reads(), 2);
    two.land("1", &format!("2,NV,{AT}"));
    let failed = two.clean().expect_code(2);
    failed.says(&[
        "has taken rows away",
        "removed = \"ignore\"",
        "--full-refresh",
    ]);
    assert_eq!(two.rows(), ["1,NY", "2,CA"]);
    let ignoring = two
        .reads
        .replace("by = \"version\"", "by = \"version\", removed = \"ignore\"");
    two.scene.file("clean.toml", ignoring);
    assert_eq!(two.reads(), 1);
    assert_eq!(two.rows(), ["1,NY", "2,NV"]);
}

#[test]
fn a_query_sees_new_rows_of_one_table_and_all_of_others() {
    let two = Two::new(
        "mode = \"append\"",
        r#"sql = """
            select v.id, v.state || (select cast(count(*) as varchar) from raw.visits2) as state
            from raw.visits v
        """, incremental = { by = "version", of = "raw.visits" }"#,
        "",
        "mode = \"append\"",
    );
    two.scene.file(
        "other.toml",
        format!(
            r#"
weir = 1
name = "other"
{ZONES}
[[step]]
name = "other"
read = {{ files = "in/*.csv", format = "csv", schema = {SCHEMA} }}
write = {{ table = "raw.visits2" }}
"#
        ),
    );
    let other = two.scene.path("other.toml");
    two.land("1", &format!("1,NY,{AT}\n2,CA,{AT}"));
    two.scene.run(&other, &[]).expect_code(0);
    assert_eq!(two.reads(), 2);
    two.land("2", &format!("3,NY,{AT}"));
    two.scene.run(&other, &[]).expect_code(0);
    assert_eq!(two.reads(), 1);
    assert_eq!(two.rows(), ["1,NY2", "2,CA2", "3,NY3"]);
}

#[test]
fn a_cursor_reads_what_is_above_it_and_late_rows_within_its_lag() {
    let read = |lag: &str| {
        format!(r#"table = "raw.visits", incremental = {{ by = "cursor", column = "at"{lag} }}"#)
    };
    let check = "[[step.stage]]\ncheck = { accepted = { state = [\"NY\", \"CA\"] } }";
    let merge = "mode = \"merge\"\nkey = \"id\"";
    let two = Two::new("mode = \"append\"", &read(", lag = \"2h\""), check, merge);
    two.land("1", "1,NY,2024-01-01T10:00:00\n2,XX,2024-01-01T12:00:00");
    let file = two.scene.path("clean.toml");
    let mut plan = two.scene.weir(["plan"]);
    plan.arg(&file).arg("--lake").arg(two.scene.lake());
    let plan = Ended::from(plan.output().unwrap()).expect_code(0);
    let what = "table raw.visits; of raw.visits what is new, above the highest at less 7200 s";
    assert!(plan.stdout.contains(what), "{}", plan.stdout);
    assert_eq!(two.reads(), 2);
    assert_eq!(two.reads(), 0, "the table has not changed");
    // Late by an hour, by three hours, and new.
    two.land(
        "2",
        "3,CA,2024-01-01T11:00:00\n4,CA,2024-01-01T09:00:00\n5,NY,2024-01-01T12:30:00",
    );
    assert_eq!(two.reads(), 3, "of the first file the row at noon again");
    assert_eq!(two.rows(), ["1,NY", "3,CA", "5,NY"]);
    let states =
        "select _weir_state, count(*) from cleansed.visits__quarantine group by 1 order by 1";
    assert_eq!(
        two.scene.sql_csv(states)[1..],
        ["open,1", "read-again,1"],
        "one row is rejected, and it was read twice"
    );

    let two = Two::new("mode = \"append\"", &read(""), "", "mode = \"append\"");
    two.land("1", "1,NY,2024-01-01T10:00:00\n2,CA,2024-01-01T12:00:00");
    assert_eq!(two.reads(), 2);
    two.land(
        "2",
        "3,CA,2024-01-01T11:00:00\n5,NY,2024-01-01T12:00:00.000001",
    );
    assert_eq!(two.reads(), 1);
    assert_eq!(two.rows(), ["1,NY", "2,CA", "5,NY"]);
    two.land("3", "6,NY,");
    two.clean()
        .expect_code(1)
        .says(&["1 rows of raw.visits have no 'at'", "by = \"version\""]);
}

#[test]
fn what_cannot_be_compared_with_what_was_read_is_told() {
    let two = Two::new("mode = \"append\"", BY_VERSION, "", "mode = \"append\"");
    two.land("1", &format!("1,NY,{AT}"));
    assert_eq!(two.reads(), 1);
    let other = two
        .reads
        .replace("by = \"version\"", "by = \"cursor\", column = \"at\"");
    two.scene.file("clean.toml", other);
    two.land("2", &format!("2,NY,{AT}"));
    two.clean()
        .expect_code(2)
        .says(&["so far it has not read this table by this cursor"]);
    // A target more would get new rows only.
    let more = format!(
        "{}[[step.write]]\ntable = \"cleansed.more\"\nmode = \"append\"\n",
        two.reads
    );
    two.scene.file("clean.toml", more);
    two.clean()
        .expect_code(2)
        .says(&["cleansed.more has not been given the rows"]);
    // The table is another one.
    two.scene.file("clean.toml", &two.reads);
    std::fs::remove_dir_all(two.scene.lake().join("raw")).unwrap();
    let decided = two.scene.lake().join("_weir/commits/land");
    std::fs::remove_dir_all(decided).unwrap();
    two.land("3", &format!("3,NY,{AT}"));
    two.clean()
        .expect_code(2)
        .says(&["raw.visits has been made anew", "--full-refresh"]);
    assert_eq!(two.rows(), ["1,NY"]);
}

#[test]
fn plans_refuse_what_cannot_be_read_so() {
    let with = |read: &str, stage: &str, write: &str| {
        let two = Two::new("mode = \"append\"", read, stage, write);
        two.land("1", &format!("1,NY,{AT}"));
        two.clean().expect_code(2)
    };
    let append = "mode = \"append\"";
    let merge = "mode = \"merge\"\nkey = \"id\"";
    let cursor =
        |more: &str| format!(r#"table = "raw.visits", incremental = {{ by = "cursor", {more} }}"#);
    with(&cursor("column = \"seen\""), "", append).says(&["seen"]);
    with(&cursor("column = \"state\", lag = \"1h\""), "", merge)
        .says(&["'state' is string, and `lag` a duration"]);
    with(&cursor("column = \"at\", lag = 3"), "", merge)
        .says(&["'at' is timestamp, and `lag` a number"]);
    with(&cursor("column = \"at\", lag = \"1h\""), "", append)
        .says(&["'append' would double them"]);
    with(BY_VERSION, "", "mode = \"replace\"").says(&["cannot replace"]);
    with(
        BY_VERSION,
        "[[step.stage]]\nsql = \"select id from input where id in (select id from raw.visits)\"",
        append,
    )
    .says(&["the step reads only new rows of it"]);
    with(
        r#"sql = "select id from raw.visits", incremental = { by = "version", of = "raw.other" }"#,
        "",
        append,
    )
    .says(&["the query does not read raw.other"]);
    with(
        &cursor("column = \"at\", lag = \"1h\""),
        "[[step.stage]]\nsql = \"select id, state from input\"\n[[step.stage]]\ncheck = { not_null = [\"id\"] }",
        merge,
    )
    .says(&["rows are rejected where they have no column 'at'"]);
}

/// Keys that stay what they are: a row keeps the number that it has once been given.
const KEYS: &str = r#"
weir = 1
name = "keys"
[zone.raw]
[zone.curated]
[[step]]
name = "land"
read = { files = "in/*.csv", format = "csv", schema = { name = "string" } }
write = { table = "raw.names" }
[[step]]
name = "keys"
write = { table = "curated.keys" }
[step.read]
as_of = "before-run"
schema = { name = "string", key = "int64" }
sql = """
  select coalesce(k.name, n.name) as name,
         coalesce(k.key, row_number() over (partition by k.name is null order by n.name)
                         + (select coalesce(max(key), 0) from curated.keys)) as key
  from raw.names n full join curated.keys k on k.name = n.name
"""
"#;

#[test]
fn a_step_reads_its_own_table_as_it_was_before() {
    let scene = Scene::new();
    let file = scene.file("pipeline.toml", KEYS);
    let keys = || scene.sql_csv("select name, key from curated.keys order by key")[1..].to_vec();
    scene.file("in/1.csv", "name\nb\nd\n");
    scene.run(&file, &[]).expect_code(0);
    assert_eq!(keys(), ["b,1", "d,2"]);
    scene.file("in/1.csv", "name\na\nc\nd\n");
    scene.run(&file, &[]).expect_code(0);
    assert_eq!(keys(), ["b,1", "d,2", "a,3", "c,4"]);
    let tables = &scene.latest()["steps"][1]["tables"];
    assert_eq!(tables["curated.keys"], 0, "{tables}");
    scene.run(&file, &[]).expect_code(0);
    assert_eq!(keys(), ["b,1", "d,2", "a,3", "c,4"]);

    // Without the words it is a cycle, and without columns nobody knows what there is to read.
    let scene = Scene::new();
    scene.file("in/1.csv", "name\nb\n");
    let file = scene.file(
        "pipeline.toml",
        KEYS.replace(
            "as_of = \"before-run\"\nschema = { name = \"string\", key = \"int64\" }\n",
            "",
        ),
    );
    scene.run(&file, &[]).expect_code(2).says(&[
        "reads a table that it writes itself",
        "as_of = \"before-run\"",
    ]);
    let file = scene.file(
        "pipeline.toml",
        KEYS.replace("schema = { name = \"string\", key = \"int64\" }\n", ""),
    );
    scene
        .run(&file, &[])
        .expect_code(2)
        .says(&["it is not in the lake yet", "say in `schema`"]);
}

#[test]
fn of_two_that_read_a_table_before_they_write_it_one_gives_way() {
    let scene = Scene::new();
    let counter = |name: &str| {
        let text = format!(
            r#"
weir = 1
name = "{name}"
[zone.raw]
[[step]]
name = "count"
write = {{ table = "raw.counter" }}
[step.read]
as_of = "before-run"
schema = {{ n = "int64" }}
sql = "select coalesce(max(n), 0) + 1 as n from raw.counter"
"#
        );
        scene.file(&format!("{name}.toml"), text)
    };
    let files: Vec<_> = (0..6).map(|n| counter(&format!("p{n}"))).collect();
    let running: Vec<_> = files
        .iter()
        .map(|file| scene.start(scene.run_command(file, &[])))
        .collect();
    let mut counted = 0;
    for run in running {
        let ended = run.end();
        match ended.code {
            Some(0) => counted += 1,
            _ => {
                ended
                    .expect_code(75)
                    .says(&["changed by another run meanwhile"]);
            }
        }
    }
    assert!(counted >= 1);
    let n = || scene.value("select n from raw.counter");
    assert_eq!(n(), counted.to_string(), "no count is lost");
    // What gave way is given up for good, and the step runs again.
    for file in &files {
        scene.run(file, &[]).expect_code(0);
    }
    assert_eq!(n(), (counted + 6).to_string());
}
