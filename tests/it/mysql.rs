//! MySQL and MariaDB as a target: a real server, every mode, every type, and every way to be cut off.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use weir_tests::{Ended, MariaDb, Scene};

use crate::lost_answers::lose_each_answer;
use crate::server_columns::{At, columns_meet};

/// A scene with a server, and a pipeline of one step.
struct Loaded {
    scene: Scene,
    server: MariaDb,
}

const SCHEMA: &str = r#"{ id = "int64", state = "string", version = "int64" }"#;

fn pipeline(write: &str) -> String {
    format!(
        r#"
weir = 1
name = "load"
[zone.raw]
[connections.warehouse]
kind = "mysql"
url = {{ env = "WAREHOUSE_URL" }}
tls = "off"
[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {SCHEMA} }}
[[step.write]]
connection = "warehouse"
{write}
"#
    )
}

/// A pipeline whose rows have other columns.
fn pipeline_of(schema: &str, write: &str) -> String {
    pipeline(write).replace(SCHEMA, schema)
}

impl Loaded {
    fn new(write: &str) -> Loaded {
        let loaded = Loaded {
            scene: Scene::new(),
            server: MariaDb::start(),
        };
        loaded.pipeline(pipeline(write));
        loaded
    }

    fn pipeline(&self, text: String) {
        self.scene.file("pipeline.toml", text);
    }

    fn input(&self, name: &str, rows: &str) {
        let text = format!("id,state,version\n{rows}\n");
        self.scene.file(&format!("in/{name}.csv"), text);
    }

    fn forget(&self, name: &str) {
        std::fs::remove_file(self.scene.path(&format!("in/{name}.csv"))).unwrap();
    }

    fn run(&self) -> Ended {
        self.run_at(self.server.port())
    }

    /// With the server behind another port.
    fn run_at(&self, port: u16) -> Ended {
        self.run_with(&self.server.url(port))
    }

    fn run_with(&self, url: &str) -> Ended {
        let file = self.scene.path("pipeline.toml");
        let mut command = self.scene.run_command(&file, &[]);
        command.env("WAREHOUSE_URL", url);
        Ended::from(command.output().unwrap()).hides(&["canary"])
    }

    fn rows(&self) -> Vec<String> {
        let sql = "select id, state, version from visits order by id, version";
        self.server.sql(sql)
    }

    /// The types of a table's columns.
    fn types(&self, table: &str) -> Vec<String> {
        self.server.sql(&format!(
            "select data_type from information_schema.columns
             where table_schema = 'weir' and table_name = '{table}' order by ordinal_position"
        ))
    }
}

#[test]
fn a_table_is_made_and_replaced() {
    let loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1\n2,,\n3,\"a|\"\"b\",3");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NY|1", "2|NULL|NULL", "3|a|\"b|3"]);
    assert_eq!(loaded.types("visits"), ["bigint", "longtext", "bigint"]);
    loaded.server.sql("create index by_id on visits (id)");
    loaded.input("1", "4,CA,4");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["4|CA|4"]);
    let kept = "select count(*) from information_schema.statistics where table_name = 'visits'";
    assert_eq!(
        loaded.server.sql(kept),
        ["1"],
        "what belongs to the table stays"
    );
    let ledger = "select count(*), max(version) from _weir_loads";
    assert_eq!(loaded.server.sql(ledger), ["1|1"]);
    // A table that is there is not changed; one that is gone is made anew.
    let wider =
        pipeline("table = \"visits\"").replace("version = \"int64\"", "version = \"float64\"");
    loaded.pipeline(wider);
    loaded
        .run()
        .expect_code(2)
        .says(&[
            "'version' is bigint(20) in the table and float64 in the rows (read from in/*.csv): a cast is needed",
            "drop the table: it is made anew then",
        ]);
    assert_eq!(loaded.rows(), ["4|CA|4"]);
    loaded.server.sql("drop table visits");
    loaded.run().expect_code(0);
    assert_eq!(loaded.types("visits"), ["bigint", "longtext", "double"]);
    let staged = Command::new("find")
        .arg(loaded.scene.lake().join("_weir/staging"))
        .args(["-type", "f"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&staged.stdout), "");
}

#[test]
fn rows_are_appended_once_and_scopes_replaced() {
    let loaded = Loaded::new("table = \"visits\"\nmode = \"append\"");
    loaded.input("1", "1,NY,1");
    loaded.run().expect_code(0);
    loaded.run().expect_code(0);
    loaded.input("2", "1,NY,1\n2,CA,1");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NY|1", "1|NY|1", "2|CA|1"]);

    let scope = |day: &str, source: &str| {
        let partition = format!("partition = {{ day = {day}, source = \"{source}\", n = 7 }}");
        let write = format!("table = \"scoped\"\nmode = \"replace-partition\"\n{partition}");
        loaded.pipeline(pipeline(&write));
    };
    let rows = || {
        loaded
            .server
            .sql("select id, day, source, n from scoped order by day, source, id")
    };
    loaded.forget("2");
    scope("2024-02-29", "it's \\\\ a");
    loaded.run().expect_code(0);
    scope("2024-03-01", "b");
    loaded.run().expect_code(0);
    loaded.input("1", "8,NY,1\n9,NY,1");
    scope("2024-02-29", "it's \\\\ a");
    loaded.run().expect_code(0);
    assert_eq!(
        rows(),
        [
            "8|2024-02-29|it's \\\\ a|7",
            "9|2024-02-29|it's \\\\ a|7",
            "1|2024-03-01|b|7"
        ]
    );
}

/// What a collation takes for the same value is another one, whatever the case of the column's name.
#[test]
fn only_the_scope_itself_is_replaced() {
    let loaded = Loaded::new(
        "table = \"scoped\"\nmode = \"replace-partition\"\npartition = { source = \"b\", n = 9007199254740993 }",
    );
    loaded.input("1", "1,NY,1");
    for (column, kind) in [
        (
            "source",
            "varchar(20) character set utf8mb4 collate utf8mb4_general_ci",
        ),
        (
            "Source",
            "varchar(20) character set utf8mb4 collate utf8mb4_general_ci",
        ),
        ("source", "text character set utf16"),
        ("source", "varchar(20) character set latin1"),
    ] {
        loaded.server.sql(&format!(
            "drop table if exists scoped;
             create table scoped (id int, state text, version int, {column} {kind}, n decimal(20,0));
             insert into scoped values (100, 'x', 1, 'B', 9007199254740993), (101, 'x', 1, 'b ', 9007199254740993),
                 (102, 'x', 1, 'b', 9007199254740993), (103, 'x', 1, 'b', 9007199254740992)",
        ));
        loaded.run().expect_code(0);
        loaded.run().expect_code(0);
        assert_eq!(
            loaded
                .server
                .sql("select id, concat(source, '.') from scoped order by id"),
            ["1|b.", "100|B.", "101|b .", "103|b."],
            "{column} {kind}"
        );
    }
}

#[test]
fn rows_are_merged_by_their_key() {
    let loaded =
        Loaded::new("table = \"visits\"\nmode = \"merge\"\nkey = \"id\"\norder = \"version\"");
    loaded.input("1", "1,NY,5\n1,NJ,7\n1,NY,\n2,NY,1");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NJ|7", "2|NY|1"]);
    // A late row is older than what is there; an equal one is newer.
    loaded.input("2", "1,LATE,6\n2,CA,1\n3,TX,1");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NJ|7", "2|CA|1", "3|TX|1"]);
    loaded.pipeline(pipeline(
        "table = \"visits\"\nmode = \"merge\"\nkey = \"id\"\nwhen_matched = \"keep\"",
    ));
    loaded.input("3", "3,NEW,9\n4,NEW,9");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NJ|7", "2|CA|1", "3|TX|1", "4|NEW|9"]);
}

/// Texts that a collation takes for the same are different keys, whatever the case of the column's name.
#[test]
fn keys_that_differ_by_case_are_different() {
    let merge = |table: &str| {
        pipeline(&format!(
            "table = \"{table}\"\nmode = \"merge\"\nkey = \"state\"\norder = \"version\""
        ))
    };
    let loaded = Loaded::new("table = \"made\"");
    let rows = |table: &str| {
        loaded.server.sql(&format!(
            "select id, concat(state, '.'), version from {table} order by id"
        ))
    };
    loaded.pipeline(merge("made"));
    loaded.input("1", "1,ny,5\n2,NY,7\n3,ny ,7\n4,Ny,1");
    loaded.run().expect_code(0);
    loaded.input("2", "11,NY,8\n13,ny ,6\n15,nY,1");
    loaded.run().expect_code(0);
    let merged = ["1|ny.|5", "3|ny .|7", "4|Ny.|1", "11|NY.|8", "15|nY.|1"];
    assert_eq!(rows("made"), merged);
    loaded.forget("2");
    loaded.input("1", "11,ny,5\n12,NY,0\n13,ny ,7\n14,Ny,1\n17,é,3\n18,É,3");
    for (index, column) in [
        "state varchar(20) character set utf8mb4 collate utf8mb4_general_ci",
        "State varchar(20) character set utf8mb4 collate utf8mb4_general_ci",
        "STATE text character set utf8mb4 collate utf8mb4_general_ci",
        "state varchar(20) character set latin1",
        "state varchar(1000) character set utf16",
    ]
    .into_iter()
    .enumerate()
    {
        let table = format!("there{index}");
        loaded.server.sql(&format!(
            "create table {table} (id int, {column}, version int);
             insert into {table} values (1, 'ny', 1), (2, 'NY', 1), (7, 'é', 1)"
        ));
        loaded.pipeline(merge(&table));
        loaded.run().expect_code(0);
        let merged = [
            "2|NY.|1",
            "11|ny.|5",
            "13|ny .|7",
            "14|Ny.|1",
            "17|é.|3",
            "18|É.|3",
        ];
        assert_eq!(rows(&table), merged, "{column}");
    }
}

/// An index holds so many bytes, and a key may have more.
#[test]
fn a_key_may_have_many_columns() {
    let schema = "{ a = \"string\", b = \"string\", c = \"string\", d = \"string\", e = \"string\", n = \"int64\" }";
    let loaded = Loaded::new("table = \"visits\"");
    loaded.pipeline(pipeline_of(
        schema,
        "table = \"visits\"\nmode = \"merge\"\nkey = [\"a\", \"b\", \"c\", \"d\", \"e\"]",
    ));
    let long = "é".repeat(250);
    let head = "a,b,c,d,e,n\n";
    loaded.scene.file(
        "in/1.csv",
        format!("{head}{long},b,c,d,e,1\n{long},b,c,d,E,2\n"),
    );
    loaded.run().expect_code(0);
    loaded
        .scene
        .file("in/2.csv", format!("{head}{long},b,c,d,e,3\n"));
    loaded.run().expect_code(0);
    let rows = loaded.server.sql("select e, n from visits order by n");
    assert_eq!(rows, ["E|2", "e|3"]);
}

/// Values as CSV texts, and as `mariadb` prints them.
type Values = &'static [(&'static str, &'static str)];

/// Every type, in a pipeline file and in the table that Weir makes.
const TYPES: &[(&str, &str, Values)] = &[
    ("bool", "tinyint(1)", &[("true", "1"), ("false", "0")]),
    ("int8", "tinyint(4)", &[("-128", "-128"), ("127", "127")]),
    (
        "int16",
        "smallint(6)",
        &[("-32768", "-32768"), ("32767", "32767")],
    ),
    (
        "int32",
        "int(11)",
        &[("-2147483648", "-2147483648"), ("2147483647", "2147483647")],
    ),
    (
        "int64",
        "bigint(20)",
        &[
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775807", "9223372036854775807"),
        ],
    ),
    ("uint8", "tinyint(3) unsigned", &[("255", "255")]),
    ("uint16", "smallint(5) unsigned", &[("65535", "65535")]),
    (
        "uint32",
        "int(10) unsigned",
        &[("4294967295", "4294967295"), ("0", "0")],
    ),
    (
        "uint64",
        "bigint(20) unsigned",
        &[("18446744073709551615", "18446744073709551615")],
    ),
    (
        "float32",
        "float",
        &[
            ("-0.5", "-0.5"),
            ("0.1", "0.1"),
            // The least and the greatest, of which six digits are printed.
            ("1e-45", "1.4013e-45"),
            ("3.4028235e38", "3.40282e38"),
        ],
    ),
    (
        "float64",
        "double",
        &[
            ("1e308", "1e308"),
            ("5e-324", "5e-324"),
            ("-0.1", "-0.1"),
            ("1.7976931348623157e308", "1.7976931348623157e308"),
        ],
    ),
    (
        "decimal(38,10)",
        "decimal(38,10)",
        &[
            (
                "9999999999999999999999999999.9999999999",
                "9999999999999999999999999999.9999999999",
            ),
            (
                "-9999999999999999999999999999.9999999999",
                "-9999999999999999999999999999.9999999999",
            ),
            ("-0.0000000001", "-0.0000000001"),
            ("0", "0.0000000000"),
        ],
    ),
    ("decimal(5,0)", "decimal(5,0)", &[("-99999", "-99999")]),
    (
        "string",
        "longtext",
        &[
            ("\"\"\"quoted\"\"\"", "\"quoted\""),
            ("\u{1F600}é\\N", "\u{1F600}é\\\\N"),
            ("\\N", "\\\\N"),
            ("\"tab\tline\nback\\\"", "tab\\tline\\nback\\\\"),
        ],
    ),
    (
        "date",
        "date",
        &[("0001-01-01", "0001-01-01"), ("9999-12-31", "9999-12-31")],
    ),
    (
        "time",
        "time(6)",
        &[
            ("23:59:59.999999", "23:59:59.999999"),
            ("00:00:00", "00:00:00.000000"),
        ],
    ),
    (
        "timestamp",
        "datetime(6)",
        &[
            ("1969-12-31T23:59:59.999999", "1969-12-31 23:59:59.999999"),
            ("2024-02-29T12:00:00", "2024-02-29 12:00:00.000000"),
            ("0001-01-01T00:00:00", "0001-01-01 00:00:00.000000"),
            ("9999-12-31T23:59:59.999999", "9999-12-31 23:59:59.999999"),
        ],
    ),
    (
        "timestamptz",
        "datetime(6)",
        &[
            ("2024-02-29T12:00:00+05:30", "2024-02-29 06:30:00.000000"),
            ("1901-01-01T00:00:00Z", "1901-01-01 00:00:00.000000"),
        ],
    ),
];

#[test]
fn every_type_arrives_as_it_was() {
    let loaded = Loaded::new("table = \"visits\"");
    let rows = TYPES
        .iter()
        .map(|(_, _, values)| values.len())
        .max()
        .unwrap();
    let name = |index: usize| format!("c{index}");
    let mut text = (0..TYPES.len()).map(name).collect::<Vec<_>>().join(",") + ",n\n";
    for row in 0..=rows {
        let fields = TYPES
            .iter()
            .map(|(_, _, values)| values.get(row).map_or("", |(csv, _)| csv));
        text += &(fields.collect::<Vec<_>>().join(",") + &format!(",{row}\n"));
    }
    loaded.scene.file("in/1.csv", text);
    let schema: Vec<String> = TYPES
        .iter()
        .enumerate()
        .map(|(index, (data_type, _, _))| format!("c{index} = \"{data_type}\""))
        .collect();
    loaded.pipeline(pipeline_of(
        &format!("{{ {}, n = \"int64\" }}", schema.join(", ")),
        "table = \"visits\"",
    ));
    loaded.run().expect_code(0);
    for (index, (data_type, made, values)) in TYPES.iter().enumerate() {
        let sql = format!(
            "select column_type from information_schema.columns
             where table_schema = 'weir' and table_name = 'visits' and column_name = 'c{index}'"
        );
        assert_eq!(loaded.server.sql(&sql), [*made], "{data_type}");
        let sql = format!("select c{index} from visits order by n");
        let mut expected: Vec<&str> = values.iter().map(|(_, shown)| *shown).collect();
        let shown = loaded.server.sql(&sql);
        expected.resize(rows + 1, "NULL");
        assert_eq!(shown, expected, "{data_type}");
    }
}

/// An empty text is no null, and every character is one.
#[test]
fn texts_are_what_they_were() {
    let loaded = Loaded::new("table = \"visits\"");
    let text = pipeline_of("{ text = \"string\", n = \"int64\" }", "table = \"visits\"")
        .replace("in/*.csv", "in/*.json")
        .replace("format = \"csv\"", "format = \"json-lines\"");
    loaded.pipeline(text);
    loaded.scene.file(
        "in/1.json",
        r#"{"text":"","n":1}
{"text":null,"n":2}
{"text":"\u0000\b\t\n\r\u001a\"'\\N\\","n":3}
{"text":" \ud83d\ude00 ","n":4}
"#,
    );
    loaded.run().expect_code(0);
    let rows = loaded.server.sql("select hex(text) from visits order by n");
    assert_eq!(rows, ["", "NULL", "0008090A0D1A22275C4E5C", "20F09F988020"]);
}

#[test]
fn what_is_no_finite_number_is_refused() {
    let loaded = Loaded::new("table = \"visits\"");
    for (data_type, value) in [
        ("float64", "NaN"),
        ("float64", "-inf"),
        ("float32", "NaN"),
        ("float32", "inf"),
    ] {
        loaded.pipeline(pipeline_of(
            &format!("{{ ratio = \"{data_type}\" }}"),
            "table = \"visits\"",
        ));
        loaded
            .scene
            .file("in/1.csv", format!("ratio\n0.5\n{value}\n"));
        loaded
            .run()
            .expect_code(1)
            .says(&["column 'ratio', row 2 of those to be loaded: it is no finite number"])
            .hides(&["NaN", "-inf"]);
    }
    let made = "select count(*) from information_schema.tables where table_name = 'visits'";
    if loaded.server.sql(made) == ["1"] {
        assert_eq!(loaded.server.sql("select count(*) from visits"), ["0"]);
    }
}

#[test]
fn tables_that_are_there_keep_their_types() {
    let loaded = Loaded::new("table = \"care.visits\"\nmode = \"append\"");
    loaded.server.sql(
        "create database care;
         create table care.visits (
             made timestamp default now(), id smallint not null unique check (id < 20000),
             state enum('NY', 'CA'), version decimal(9,2)
         )",
    );
    loaded.input("1", "1,NY,3\n2,,-7");
    loaded.run().expect_code(0);
    let rows = || {
        loaded
            .server
            .sql("select id, state, version, made is null from care.visits order by id")
    };
    assert_eq!(rows(), ["1|NY|3.00|0", "2|NULL|-7.00|0"]);
    // What does not fit is told without the value, and nothing of it is loaded.
    for (row, says) in [
        (
            "70000,NY,1",
            "column 'id', row 1 of those to be loaded: it is out of the column's range",
        ),
        ("20001,NY,1", "4025"),
        ("3,NY,1\n,NY,1", "column 'id'"),
        ("1,NY,66001", "1062"),
        ("3,NY,1\n3,NY,66001", "1062"),
        ("3,TX-canary,1", "column 'state'"),
        // Neither the place of a value nor another case of it is the value.
        ("3,2,1", "column 'state'"),
        ("3,ny,1", "column 'state'"),
        (
            "3,NY,12345678",
            "column 'version', row 1 of those to be loaded: it has more digits than the column",
        ),
    ] {
        loaded.input("2", row);
        loaded
            .run()
            .expect_code(1)
            .says(&["warehouse:care.visits", says])
            .hides(&["70000", "20001", "66001", "12345678"]);
        assert_eq!(rows().len(), 2, "{row}");
    }
    // What a trigger says may hold values.
    loaded.server.sql(
        "create trigger care.no before insert on care.visits for each row
         signal sqlstate '45000' set message_text = 'canary'",
    );
    loaded.input("2", "3,NY,1");
    loaded.run().expect_code(1).says(&["1644"]);
    assert_eq!(rows().len(), 2);
    loaded.server.sql("drop trigger care.no");
    // What was refused is given up, and read again once it is mended.
    loaded.input("2", "3,CA,1");
    loaded.run().expect_code(0);
    assert_eq!(rows().len(), 3);
    // Types that would change values are refused before anything is read.
    for (change, says) in [
        ("modify version decimal(9,0)", None),
        (
            "modify version text",
            Some("'version' is text in the table and int64 in the rows"),
        ),
        (
            "drop version",
            Some("'version' (int64, read from in/*.csv) is new"),
        ),
        (
            "add version bigint, engine = MyISAM",
            Some("whose engine has no transactions"),
        ),
    ] {
        loaded
            .server
            .sql(&format!("alter table care.visits {change}"));
        if let Some(says) = says {
            loaded.run().expect_code(2).says(&[says]);
        }
    }
    // Nor does a view hide what it shows.
    loaded.server.sql(
        "rename table care.visits to care.all_visits;
         create view care.visits as select id, state, version from care.all_visits",
    );
    loaded.input("3", "4,NY,1");
    loaded.run().expect_code(2);
    assert_eq!(
        loaded.server.sql("select count(*) from care.all_visits"),
        ["3"]
    );
}

#[test]
fn columns_that_differ_become_what_schema_change_says() {
    let loaded = Loaded::new("table = \"visits\"");
    loaded.server.sql("grant alter on weir.* to 'weir'@'%'");
    columns_meet(&At {
        scene: &loaded.scene,
        pipeline: &|write| loaded.pipeline(pipeline(write)),
        input: &|name, rows| loaded.input(name, rows),
        run: &|| loaded.run(),
        sql: &|sql| loaded.server.sql(sql),
        not_null: &|column| {
            loaded.server.sql(&format!(
                "alter table visits modify {column} integer not null"
            ));
        },
        varchar: "varchar(9)",
    });
}

/// What a column makes of a value: the value as `mariadb` prints it, or the exit code and what is said.
type Taken = Result<&'static str, (i32, &'static str)>;

/// A column, the type of the rows, a value as CSV, and what becomes of it.
const COLUMNS: &[(&str, &str, &str, Taken)] = &[
    (
        "int unsigned",
        "int32",
        "-1",
        Err((1, "out of the column's range")),
    ),
    ("tinyint unsigned", "int64", "255", Ok("255")),
    (
        "smallint",
        "uint64",
        "18446744073709551615",
        Err((1, "out of the column's range")),
    ),
    (
        "bigint unsigned",
        "uint64",
        "18446744073709551615",
        Ok("18446744073709551615"),
    ),
    ("longtext", "int64", "1", Err((2, "a cast is needed"))),
    ("varchar(3)", "string", "éé\u{1F600}", Ok("éé\u{1F600}")),
    (
        "varchar(3)",
        "string",
        "abcd-canary",
        Err((
            1,
            "column 'c', row 1 of those to be loaded: it is longer than the column",
        )),
    ),
    // Spaces at the end are cut off there.
    ("char(3)", "string", "\"a \"", Err((1, ""))),
    ("varchar(3) character set latin1", "string", "éÿ", Ok("éÿ")),
    (
        "varchar(9) character set latin1",
        "string",
        "canary\u{4F60}",
        Err((1, "1366")),
    ),
    (
        "varchar(9) character set utf8mb3",
        "string",
        "canary\u{1F600}",
        Err((1, "1366")),
    ),
    (
        "varchar(9) character set utf16",
        "string",
        "é\u{1F600}",
        Ok("é\u{1F600}"),
    ),
    ("json", "string", r#""{""a"": ""é""}""#, Ok(r#"{"a": "é"}"#)),
    ("json", "string", "{canary", Err((1, "4025"))),
    (
        "enum('é', 'y') character set latin1",
        "string",
        "é",
        Ok("é"),
    ),
    ("enum('1', '2')", "string", "2", Ok("2")),
    ("enum('it''s', 'a,b')", "string", "it's", Ok("it's")),
    ("enum('it''s', 'a,b')", "string", "\"a,b\"", Ok("a,b")),
    ("enum('x', 'y')", "string", "canary", Err((1, ""))),
    ("enum('x', 'y')", "string", "2", Err((1, ""))),
    ("enum('x', 'y')", "string", "X", Err((1, ""))),
    ("set('a', 'b')", "string", "a", Err((2, "a cast is needed"))),
    (
        "uuid",
        "string",
        "123e4567-e89b-12d3-a456-426614174000",
        Ok("123e4567-e89b-12d3-a456-426614174000"),
    ),
    ("uuid", "string", "canary", Err((1, ""))),
    (
        "decimal(9,2)",
        "decimal(9,3)",
        "1.125",
        Err((2, "more digits after the point")),
    ),
    (
        "decimal(3,2)",
        "decimal(9,2)",
        "10.00",
        Err((1, "more digits than the column")),
    ),
    (
        "decimal(65,30)",
        "decimal(3,1)",
        "-12.5",
        Ok("-12.500000000000000000000000000000"),
    ),
    (
        "decimal(5,2) unsigned",
        "decimal(5,2)",
        "-1.00",
        Err((1, "")),
    ),
    ("double", "float32", "0.5", Ok("0.5")),
    ("float", "float64", "0.1", Err((2, "a cast is needed"))),
    // Such columns round.
    ("double(7,2)", "float64", "0.125", Err((2, ""))),
    (
        "datetime",
        "timestamp",
        "2024-01-01T00:00:00",
        Err((2, "make it datetime(6)")),
    ),
    (
        "datetime(3)",
        "timestamp",
        "2024-01-01T00:00:00",
        Err((2, "make it datetime(6)")),
    ),
    ("time", "time", "01:02:03", Err((2, "make it time(6)"))),
    (
        "timestamp(6) null",
        "timestamp",
        "2024-01-01T00:00:00",
        Err((2, "in which zone")),
    ),
    (
        "timestamp(6) null",
        "timestamptz",
        "2024-01-01T00:00:00+01:00",
        Ok("2023-12-31 23:00:00.000000"),
    ),
    ("timestamp(6) null", "timestamptz", "", Ok("NULL")),
    (
        "timestamp(6) null",
        "timestamptz",
        "1969-12-31T23:59:59Z",
        Err((1, "no moment between 1970 and 2038")),
    ),
    // Of a null such a column makes the moment of the load.
    (
        "timestamp(6) not null",
        "timestamptz",
        "",
        Err((1, "column 'c'")),
    ),
    ("bigint not null", "int64", "", Err((1, "column 'c'"))),
    // Of a null such a column makes a number.
    (
        "bigint auto_increment unique",
        "int64",
        "",
        Err((1, "column 'c'")),
    ),
    ("bigint auto_increment unique", "int64", "0", Ok("0")),
    ("varchar(9) default 'x'", "string", "", Ok("NULL")),
    // Such a column takes no value.
    ("varchar(9) as ('x')", "string", "a", Err((2, ""))),
];

#[test]
fn columns_take_values_as_they_are_or_not_at_all() {
    let loaded = Loaded::new("table = \"visits\"");
    for (index, (column, data_type, value, taken)) in COLUMNS.iter().enumerate() {
        let what = format!("{column}, {data_type}, {value}");
        let table = format!("t{index}");
        loaded
            .server
            .sql(&format!("create table {table} (c {column}, n int)"));
        loaded.pipeline(pipeline_of(
            &format!("{{ c = \"{data_type}\", n = \"int32\" }}"),
            &format!("table = \"{table}\"\nmode = \"append\""),
        ));
        loaded.scene.file("in/1.csv", format!("c,n\n{value},1\n"));
        let ended = loaded.run();
        let rows = loaded
            .server
            .sql(&format!("set time_zone = '+00:00'; select c from {table}"));
        match taken {
            Ok(shown) => {
                assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
                assert_eq!(rows, [*shown], "{what}");
            }
            Err((code, says)) => {
                assert_eq!(ended.code, Some(*code), "{what}: {}", ended.stderr);
                assert!(rows.is_empty(), "{what}: {rows:?}");
                ended.says(&[*says]);
            }
        }
    }
}

#[test]
fn hostile_names_are_names() {
    let loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1");
    let longest = "é".repeat(64);
    let longest_quoted = format!("`{longest}`");
    loaded
        .server
        .sql("create database `or\"``der`; create database `a:x?`; create database `select`");
    for (table, name) in [
        ("or\\\"`der.se'lect; drop", "`or\"``der`.`se'lect; drop`"),
        ("a:x?.b.c:d?", "`a:x?`.`b.c:d?`"),
        ("select.table", "`select`.`table`"),
        ("a\\\\b", "`a\\b`"),
        (longest.as_str(), longest_quoted.as_str()),
    ] {
        for mode in ["mode = \"append\"", "mode = \"merge\"\nkey = \"id\""] {
            loaded.pipeline(pipeline(&format!("table = \"{table}\"\n{mode}")));
            loaded.run().expect_code(0);
        }
        let rows = loaded
            .server
            .sql(&format!("select distinct id from {name}"));
        assert_eq!(rows, ["1"], "{name}");
    }
    let schema = format!(
        "{{ \"or`der\" = \"int64\", \"sel'ect\\\"x\" = \"string\", null = \"string\", \"@weir0\" = \"int64\", \":x\" = \"int64\", \"?\" = \"int64\", {longest:?} = \"int64\" }}"
    );
    loaded.pipeline(pipeline_of(
        &schema,
        "table = \"names\"\nmode = \"merge\"\nkey = [\"or`der\", \"null\"]\norder = \"?\"",
    ));
    loaded.scene.file(
        "in/1.csv",
        format!(
            "or`der,\"sel'ect\"\"x\",null,@weir0,:x,?,{longest}\n1,a,b,2,3,4,5\n1,a,b,2,3,4,6\n"
        ),
    );
    loaded.run().expect_code(0);
    assert_eq!(loaded.server.sql("select * from names"), ["1|a|b|2|3|4|6"]);
    let too_long = "é".repeat(65);
    for (table, says) in [
        (too_long.as_str(), "more than 64 characters"),
        ("a.", "a name is empty"),
        ("a ", "ends with a space"),
        ("\u{1F600}", "a character that MySQL's names cannot"),
        ("_weir_loads", "are taken"),
    ] {
        let text = pipeline(&format!("table = \"{table}\"\nmode = \"append\""));
        loaded.pipeline(text);
        loaded.run().expect_code(2).says(&[says]);
    }
    loaded.pipeline(pipeline_of(
        &format!("{{ {too_long:?} = \"int64\" }}"),
        "table = \"long\"",
    ));
    loaded
        .run()
        .expect_code(2)
        .says(&["more than 64 characters"]);
}

/// Merging has columns of its own; rows may not have them.
#[test]
fn columns_of_merging_are_not_those_of_rows() {
    let loaded = Loaded::new("table = \"visits\"");
    for name in ["_weir_is_there", "_weir_id", "_WEIR_ID"] {
        loaded.pipeline(pipeline_of(
            &format!("{{ id = \"int64\", {name} = \"int64\" }}"),
            "table = \"visits\"\nmode = \"merge\"\nkey = \"id\"",
        ));
        loaded
            .scene
            .file("in/1.csv", format!("id,{name}\n1,5\n2,5\n"));
        let ended = loaded.run().expect_code_of(&[0, 2]);
        if ended.code == Some(0) {
            let rows = loaded.server.sql("select * from visits order by id");
            assert_eq!(rows, ["1|5", "2|5"], "{name}");
            loaded.server.sql("drop table visits");
        }
    }
}

/// Rows are sent in parts that the server takes, however long their texts are.
#[test]
fn long_texts_are_loaded() {
    let loaded = Loaded::new("table = \"visits\"\nmode = \"append\"");
    loaded.server.sql("set global max_allowed_packet = 1048576");
    // A batch of rows is longer than a packet may be, and so is one text.
    let rows: String = (0..400)
        .map(|id| format!("{id},{},1\n", "x".repeat(50_000)))
        .collect();
    loaded.input("1", rows.trim_end());
    loaded.run().expect_code(0);
    loaded.input("2", &format!("400,{},1", "y".repeat(3_000_000)));
    loaded.run().expect_code(0);
    let sums = "select count(*), sum(length(state)), max(length(state)) from visits";
    assert_eq!(loaded.server.sql(sums), ["401|23000000|3000000"]);
}

#[test]
fn a_server_that_does_not_serve_is_told_and_its_password_is_not() {
    let mut loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1");
    let url = loaded.server.url(loaded.server.port());
    let run = |url: &str| loaded.run_with(url);
    run(&url.replace("pA55word-canary", "wrong-canary"))
        .expect_code(1)
        .says(&[
            "connection 'warehouse'",
            "Access denied for user 'weir'",
            "check user and password",
        ]);
    run(&url
        .replace("/weir", "/nowhere")
        .replace("//nowhere", "//weir"))
    .expect_code(1)
    .says(&["Unknown database 'nowhere'", "check the database"]);
    run("postgres://weir:canary@x")
        .expect_code(2)
        .says(&["its URL cannot be read"]);
    loaded
        .server
        .sql("create user reader identified by 'reader-canary'; grant select on weir.* to reader");
    run(&url.replace("weir:pA55word-canary", "reader:reader-canary"))
        .expect_code(1)
        .says(&["command denied to user", "grant the user"]);
    loaded.server.sql("set global read_only = 1");
    run(&url)
        .expect_code(1)
        .says(&["--read-only", "connect to a server that can be written"]);
    loaded
        .server
        .sql("set global read_only = 0; set global local_infile = 0");
    run(&url).expect_code(1).says(&["local_infile = ON"]);
    loaded.server.sql("set global local_infile = 1");
    let text = std::fs::read_to_string(loaded.scene.path("pipeline.toml")).unwrap();
    for tls in ["verify", "require"] {
        loaded.pipeline(text.replace("tls = \"off\"", &format!("tls = \"{tls}\"")));
        loaded
            .run_with(&url)
            .expect_code(75)
            .says(&["the server cannot be reached", "tls = \"off\""]);
    }
    loaded.pipeline(text.clone());
    loaded.server.crash();
    loaded
        .run_with(&url)
        .expect_code(75)
        .says(&["the server cannot be reached"]);
    loaded.server.up();
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NY|1"]);
    let plain = text.replace("{ env = \"WAREHOUSE_URL\" }", "\"mysql://weir:canary@x/y\"");
    loaded.pipeline(plain);
    loaded
        .run()
        .expect_code(2)
        .says(&["never written into the file"]);
}

#[test]
fn connections_are_encrypted_unless_that_is_off() {
    let mut loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1");
    let certificate = loaded.server.with_tls();
    loaded
        .server
        .sql("create user careful identified by 'careful-canary' require ssl; grant all on weir.* to careful");
    let url = loaded.server.url(loaded.server.port());
    let url = url.replace("weir:pA55word-canary", "careful:careful-canary");
    let named = url.replace("127.0.0.1", "localhost");
    let text = std::fs::read_to_string(loaded.scene.path("pipeline.toml")).unwrap();
    let known = format!("tls = \"verify\"\nca = \"{}\"", certificate.display());
    for (tls, url, code, says) in [
        (known.as_str(), &named, 0, ""),
        // It is not known by this name.
        (known.as_str(), &url, 75, "certificate"),
        ("tls = \"verify\"", &named, 75, "certificate"),
        ("", &named, 75, "certificate"),
        ("tls = \"require\"", &url, 0, ""),
        ("tls = \"off\"", &url, 1, "Access denied"),
    ] {
        loaded.pipeline(text.replace("tls = \"off\"", tls));
        loaded.run_with(url).expect_code(code).says(&[says]);
    }
    assert_eq!(loaded.rows(), ["1|NY|1"]);
}

/// The rights that a hint names are all that Weir needs.
#[test]
fn a_user_needs_the_rights_that_are_named() {
    let loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1\n2,CA,1");
    loaded.server.sql(
        "create user loader identified by 'loader-canary';
         grant select, insert, update, delete, create on weir.* to loader",
    );
    let url = loaded.server.url(loaded.server.port());
    let url = url.replace("weir:pA55word-canary", "loader:loader-canary");
    let partition = "mode = \"replace-partition\"\npartition = { day = 2024-02-29 }";
    for (table, mode) in [
        ("replaced", "mode = \"replace\""),
        ("appended", "mode = \"append\""),
        ("scoped", partition),
    ] {
        loaded.pipeline(pipeline(&format!("table = \"{table}\"\n{mode}")));
        loaded.run_with(&url).expect_code(0);
    }
    let merge = "table = \"merged\"\nmode = \"merge\"\nkey = \"id\"\norder = \"version\"";
    loaded.pipeline(pipeline(merge));
    loaded
        .run_with(&url)
        .expect_code(1)
        .says(&["create temporary tables to merge"]);
    loaded
        .server
        .sql("grant create temporary tables on weir.* to loader");
    loaded.run_with(&url).expect_code(0);
    for table in ["replaced", "appended", "scoped", "merged"] {
        let count = format!("select count(*) from {table}");
        assert_eq!(loaded.server.sql(&count), ["2"], "{table}");
    }
}

/// Stands between Weir and the server, and cuts connections.
struct Proxy {
    port: u16,
    /// Packets of the server that pass before the connection is cut, over all connections.
    left: Arc<AtomicUsize>,
    seen: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(server: u16, packets: usize) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicUsize::new(packets));
        let seen = Arc::new(AtomicUsize::new(0));
        let (counter, counted) = (Arc::clone(&left), Arc::clone(&seen));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                let both = Arc::new(Mutex::new((
                    client.try_clone().unwrap(),
                    upstream.try_clone().unwrap(),
                )));
                let (left, seen) = (Arc::clone(&counter), Arc::clone(&counted));
                let (mut from_client, mut to_server) =
                    (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from_client, &mut to_server);
                    let _ = to_server.shutdown(Shutdown::Write);
                });
                std::thread::spawn(move || {
                    let _ = pass(upstream, client, &left, &seen);
                    let both = both.lock().unwrap();
                    let _ = both.0.shutdown(Shutdown::Both);
                    let _ = both.1.shutdown(Shutdown::Both);
                });
            }
        });
        Proxy { port, left, seen }
    }
}

/// Passes the server's packets one by one; the one after the last is read, and cut.
fn pass(
    mut server: TcpStream,
    mut client: TcpStream,
    left: &AtomicUsize,
    seen: &AtomicUsize,
) -> std::io::Result<()> {
    loop {
        // Three bytes of the length of what follows, and the packet's number.
        let mut head = [0; 4];
        server.read_exact(&mut head)?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
        let mut body = vec![0; length as usize];
        server.read_exact(&mut body)?;
        seen.fetch_add(1, Ordering::SeqCst);
        let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        match before {
            Ok(1) => return Ok(()),
            // Only one is cut: those after it pass.
            Ok(_) | Err(_) => {
                client.write_all(&head)?;
                client.write_all(&body)?;
            }
        }
    }
}

fn whichever_answer_is_lost(write: &str) {
    let loaded = Loaded::new(write);
    let proxy = Proxy::start(loaded.server.port(), usize::MAX);
    lose_each_answer(
        (&proxy.left, &proxy.seen),
        |name, row| loaded.input(name, row),
        || loaded.run_at(proxy.port),
        || loaded.server.sql("select id from visits order by id"),
    );
}

#[test]
fn whichever_answer_is_lost_rows_are_loaded_once() {
    whichever_answer_is_lost("table = \"visits\"\nmode = \"append\"");
}

#[test]
fn whichever_answer_is_lost_rows_are_merged_once() {
    whichever_answer_is_lost(
        "table = \"visits\"\nmode = \"merge\"\nkey = \"id\"\norder = \"version\"",
    );
}

#[test]
fn a_server_that_crashes_has_all_or_nothing() {
    let mut loaded = Loaded::new("table = \"visits\"\nmode = \"append\"");
    let rows: String = (0..200_000).map(|id| format!("{id},NY,1\n")).collect();
    loaded.input("1", rows.trim_end());
    let file = loaded.scene.path("pipeline.toml");
    let mut command = loaded.scene.run_command(&file, &[]);
    command.env("WAREHOUSE_URL", loaded.server.url(loaded.server.port()));
    let running = loaded.scene.start(command);
    // Once the load is at work.
    let at_work =
        "select count(*) from information_schema.processlist where info like 'load data%'";
    // It may have been too fast to be seen: then the server crashes afterwards.
    let until = Instant::now() + Duration::from_secs(20);
    while loaded.server.sql(at_work) == ["0"] && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    loaded.server.crash();
    loaded.server.up();
    running.end().expect_code_of(&[0, 75]);
    loaded.run().expect_code(0);
    let counted = loaded
        .server
        .sql("select count(*), count(distinct id) from visits");
    assert_eq!(counted, ["200000|200000"]);
}

#[test]
fn a_table_is_made_as_the_file_says() {
    let ddl = "ddl = { types = { version = \"int unsigned\" }, primary_key = [\"id\", \"state\"], indexes = [\"version\"] }";
    let loaded = Loaded::new(&format!("table = \"visits\"\n{ddl}"));
    loaded.input("1", "1,NY,1\n1,CA,2");
    loaded.run().expect_code(0);
    let columns =
        "select column_name, data_type, is_nullable, column_key from information_schema.columns
                   where table_name = 'visits' order by ordinal_position";
    assert_eq!(
        loaded.server.sql(columns),
        [
            "id|bigint|NO|PRI",
            "state|varchar|NO|PRI",
            "version|int|YES|MUL"
        ]
    );
    loaded.input("1", "1,NY,-1");
    loaded.run().expect_code(1).says(&["column 'version'"]);
    loaded.input("1", "1,,1");
    loaded
        .run()
        .expect_code(1)
        .says(&["column 'state'", "null"]);
    loaded.input("1", "1,NY,1\n1,NY,2");
    loaded.run().expect_code(1);
    assert_eq!(loaded.server.sql("select count(*) from visits"), ["2"]);
    loaded.pipeline(pipeline(
        "table = \"other\"\nddl = { grants = \"reporting\" }",
    ));
    loaded
        .run()
        .expect_code(2)
        .says(&["`grants` belongs to PostgreSQL"]);
}
