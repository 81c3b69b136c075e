//! MySQL, MariaDB and SQLite as sources: every type, conditions and joins, new rows only, one moment for all
//! tables, and what cannot be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use weir_tests::{Ended, MariaDb, Scene};

/// What a database is told and a pipeline reads.
enum Database {
    Maria(Box<MariaDb>),
    Sqlite,
}

/// A scene with a database that is read.
struct Read {
    scene: Scene,
    database: Database,
}

impl Read {
    fn maria(sql: &str) -> Read {
        let read = Read {
            scene: Scene::new(),
            database: Database::Maria(Box::new(MariaDb::start())),
        };
        read.sql(sql);
        read
    }

    fn sqlite(sql: &str) -> Read {
        let read = Read {
            scene: Scene::new(),
            database: Database::Sqlite,
        };
        read.sql(sql);
        read
    }

    fn sql(&self, sql: &str) {
        match &self.database {
            Database::Maria(server) => {
                server.sql(&format!("use weir; {sql}"));
            }
            Database::Sqlite => self.file().execute_batch(sql).unwrap(),
        }
    }

    fn file(&self) -> Connection {
        let file = Connection::open(self.scene.path("clinic.sqlite")).unwrap();
        file.busy_timeout(Duration::from_secs(30)).unwrap();
        file
    }

    fn head(&self) -> String {
        let connection = match self.database {
            Database::Maria(_) => "kind = \"mysql\"\nurl = { env = \"CLINIC_URL\" }\ntls = \"off\"",
            Database::Sqlite => "kind = \"sqlite\"\npath = \"clinic.sqlite\"",
        };
        format!("weir = 1\nname = \"extract\"\n[zone.raw]\n[connections.clinic]\n{connection}\n")
    }

    /// A pipeline of one step that reads so, and writes `raw.out` so.
    fn pipeline(&self, read: &str, write: &str) {
        self.steps(&format!(
            "[[step]]\nname = \"extract\"\nread = {{ {read} }}\n[[step.write]]\ntable = \"raw.out\"\n{write}\n"
        ));
    }

    fn steps(&self, steps: &str) {
        self.scene
            .file("pipeline.toml", format!("{}{steps}", self.head()));
    }

    fn run(&self) -> Ended {
        self.command("run")
    }

    fn command(&self, what: &str) -> Ended {
        let file = self.scene.path("pipeline.toml");
        let mut command = match what {
            "run" => self.scene.run_command(&file, &[]),
            other => {
                let mut command = self.scene.weir([other]);
                command.arg(&file).arg("--lake").arg(self.scene.lake());
                command
            }
        };
        if let Database::Maria(server) = &self.database {
            command.env("CLINIC_URL", server.url(server.port()));
        }
        Ended::from(command.output().unwrap())
    }

    fn rows(&self, query: &str) -> Vec<String> {
        self.scene.sql_csv(query)[1..].to_vec()
    }

    /// Reads columns of these types, and holds each value against what the lake has of it.
    fn round_trip(&self, types: &[Case]) {
        let columns: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(index, (kind, ..))| format!("c{index} {kind}"))
            .collect();
        self.sql(&format!(
            "create table visits (n int not null, {})",
            columns.join(", ")
        ));
        let most = types.iter().map(|(.., values)| values.len()).max().unwrap();
        // A row more than there are values: nulls.
        for row in 0..=most {
            let values: Vec<&str> = types
                .iter()
                .map(|(.., values)| values.get(row).map_or("null", |(sql, _)| sql))
                .collect();
            self.sql(&format!(
                "insert into visits values ({row}, {})",
                values.join(", ")
            ));
        }
        // A time of the day no lake table keeps.
        let times: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(index, (_, data_type, _))| match *data_type {
                "time" => format!("cast(c{index} as varchar) as c{index}"),
                "binary" => format!("encode(c{index}, 'hex') as c{index}"),
                _ => format!("c{index}"),
            })
            .collect();
        self.pipeline(
            &format!(
                "sql = \"select n, {} from clinic.visits\"",
                times.join(", ")
            ),
            "",
        );
        self.run().expect_code(0);
        let plan = self.command("plan").expect_code(0);
        for (index, (kind, data_type, values)) in types.iter().enumerate() {
            let found = self.rows(&format!("select c{index} from raw.out order by n"));
            assert_eq!(found.len(), most + 1);
            for (row, value) in found.iter().enumerate() {
                let expected = values.get(row).map_or("", |(_, value)| value);
                // A line of one empty field is written in quotes.
                let quoted = if value == "\"\"" { "" } else { value };
                assert_eq!(quoted, expected, "{kind} in row {row}");
            }
            let kept = match *data_type {
                "time" | "binary" => "string",
                other => other,
            };
            let shown = format!("c{index} {kept}");
            assert!(
                plan.stdout.contains(&shown) || plan.stdout.contains(&format!("c{index}: {kept}")),
                "{kind}: no {shown} in {}",
                plan.stdout
            );
        }
    }
}

/// A type of the database's, the type in which the lake has it, and values as SQL and as the lake has them.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const MARIA_TYPES: &[Case] = &[
    ("tinyint(1)", "bool", &[("1", "true"), ("0", "false")]),
    ("bit(1)", "bool", &[("b'1'", "true"), ("b'0'", "false")]),
    ("tinyint", "int8", &[("-128", "-128"), ("127", "127")]),
    ("tinyint unsigned", "int16", &[("255", "255")]),
    ("smallint", "int16", &[("-32768", "-32768")]),
    ("smallint unsigned", "int32", &[("65535", "65535")]),
    ("mediumint", "int32", &[("-8388608", "-8388608")]),
    ("mediumint unsigned", "int32", &[("16777215", "16777215")]),
    ("int", "int32", &[("-2147483648", "-2147483648")]),
    ("int unsigned", "int64", &[("4294967295", "4294967295")]),
    (
        "bigint",
        "int64",
        &[
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775807", "9223372036854775807"),
        ],
    ),
    (
        "bigint unsigned",
        "decimal(20,0)",
        &[("18446744073709551615", "18446744073709551615"), ("0", "0")],
    ),
    ("year", "int16", &[("2024", "2024"), ("1901", "1901")]),
    (
        "float",
        "float32",
        &[("0.1", "0.1"), ("-1.5e38", "-1.5e38")],
    ),
    (
        "double",
        "float64",
        &[
            ("0.1", "0.1"),
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
            ("-0.0000000001", "-0.0000000001"),
        ],
    ),
    ("decimal(5)", "decimal(5,0)", &[("-99999", "-99999")]),
    (
        "varchar(9) character set utf8mb4",
        "string",
        &[("'\u{1F600}é\\\\N'", "\u{1F600}é\\N"), ("''", "")],
    ),
    ("varchar(9) character set latin1", "string", &[("'é'", "é")]),
    ("char(3)", "string", &[("'a'", "a")]),
    ("longtext", "string", &[("'a''b'", "a'b")]),
    ("enum('so so','b')", "string", &[("'so so'", "so so")]),
    ("set('a','b')", "string", &[("'a,b'", "\"a,b\"")]),
    ("json", "string", &[("'[1, 2]'", "\"[1, 2]\"")]),
    (
        "uuid",
        "string",
        &[(
            "'0191d0a0-0000-7000-8000-00000000ffff'",
            "0191d0a0-0000-7000-8000-00000000ffff",
        )],
    ),
    ("inet6", "string", &[("'::1'", "::1")]),
    ("varbinary(9)", "binary", &[("x'00ff'", "00ff")]),
    ("blob", "binary", &[("x'5c27'", "5c27")]),
    (
        "date",
        "date",
        &[
            ("'1000-01-01'", "1000-01-01"),
            ("'9999-12-31'", "9999-12-31"),
        ],
    ),
    (
        "time(6)",
        "time",
        &[("'23:59:59.999999'", "23:59:59.999999")],
    ),
    (
        "datetime(6)",
        "timestamp",
        &[("'1969-12-31 23:59:59.999999'", "1969-12-31T23:59:59.999999")],
    ),
    (
        "timestamp(6) null",
        "timestamptz",
        &[(
            "'2024-02-29 12:00:00.000001'",
            "2024-02-29T12:00:00.000001Z",
        )],
    ),
];

const SQLITE_TYPES: &[Case] = &[
    (
        "INTEGER",
        "int64",
        &[("-9223372036854775808", "-9223372036854775808")],
    ),
    ("BOOLEAN", "bool", &[("1", "true"), ("0", "false")]),
    (
        "TEXT",
        "string",
        &[("'\u{1F600}é'", "\u{1F600}é"), ("''", ""), ("'007'", "007")],
    ),
    ("VARCHAR(3)", "string", &[("'longer'", "longer")]),
    ("JSON", "string", &[("'[1]'", "[1]"), ("7", "7")]),
    (
        "REAL",
        "float64",
        &[("0.1", "0.1"), ("3", "3.0"), ("9e999", "inf")],
    ),
    ("NUMERIC", "float64", &[("0.5", "0.5"), ("2", "2.0")]),
    (
        "DECIMAL(10,2)",
        "decimal(10,2)",
        &[
            ("12.34", "12.34"),
            ("-7", "-7.00"),
            ("1e5", "100000.00"),
            ("0.1", "0.10"),
        ],
    ),
    ("BLOB", "binary", &[("x'00ff'", "00ff")]),
    (
        "DATE",
        "date",
        &[
            ("'0001-01-01'", "0001-01-01"),
            ("'9999-12-31'", "9999-12-31"),
        ],
    ),
    (
        "DATETIME",
        "timestamp",
        &[
            ("'1969-12-31 23:59:59.999999'", "1969-12-31T23:59:59.999999"),
            ("'2024-02-29T12:00:00'", "2024-02-29T12:00:00"),
        ],
    ),
    (
        "TIMESTAMPTZ",
        "timestamptz",
        &[
            ("'2024-02-29T12:00:00+05:30'", "2024-02-29T06:30:00Z"),
            ("'2024-02-29T12:00:00Z'", "2024-02-29T12:00:00Z"),
        ],
    ),
    ("INT GENERATED ALWAYS AS (n + 1) VIRTUAL", "int64", &[]),
];

#[test]
fn every_type_of_mariadb_is_read_as_it_is() {
    Read::maria("select 1").round_trip(MARIA_TYPES);
}

#[test]
fn every_type_of_sqlite_is_read_as_it_is() {
    let (generated, types) = SQLITE_TYPES.split_last().unwrap();
    let read = Read::sqlite("select 1");
    read.round_trip(types);
    read.sql(&format!(
        "create table made (n int, twice {}); insert into made (n) values (1)",
        generated.0
    ));
    read.pipeline(r#"table = "clinic.made""#, "");
    read.run().expect_code(0);
    assert_eq!(read.rows("select n, twice from raw.out"), ["1,2"]);
}

fn told(read: &Read, of: &str, words: &[&str], code: i32) {
    read.pipeline(of, "");
    let ended = read.run().expect_code(code).hides(&["canary"]);
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
}

#[test]
fn what_mariadb_has_and_arrow_has_not_is_told() {
    let read = Read::maria(
        "create table places (id int, at point); create view flat as select id, st_astext(at) as at from places;
         insert into places values (1, point(1, 2));
         create table days (id int, day date, span time, flag tinyint(1));
         create user reader@'%' identified by 'reader-canary'; grant select on weir.days to reader@'%'",
    );
    told(
        &read,
        r#"table = "clinic.places""#,
        &["column 'at' is point", "view", "pipeline.toml"],
        2,
    );
    told(
        &read,
        r#"table = "clinic.plases""#,
        &[
            "no table clinic:plases",
            "the tables are days, flat, places",
        ],
        2,
    );
    read.pipeline(r#"table = "clinic.flat""#, "");
    read.run().expect_code(0);
    assert_eq!(read.rows("select id, at from raw.out"), ["1,POINT(1 2)"]);
    // The server would take 70 for 1970.
    read.sql("create table old (founded year); insert into old values (1905), (1980)");
    read.pipeline(
        r#"sql = "select count(*) as n from clinic.old where founded > 70""#,
        "",
    );
    read.run().expect_code(0);
    assert_eq!(read.rows("select n from raw.out"), ["2"]);
    for (insert, column, why) in [
        ("(1, '0000-00-00', null, null)", "day", "no day"),
        ("(1, null, '-00:00:01', null)", "span", "below 0"),
        ("(1, null, '25:00:00', null)", "span", "24 hours"),
        ("(1, null, null, 2)", "flag", "neither 0 nor 1"),
    ] {
        read.sql(&format!(
            "set sql_mode = ''; truncate days; insert into days values {insert}"
        ));
        told(
            &read,
            r#"sql = "select id, day, cast(span as varchar) as span, flag from clinic.days""#,
            &["clinic:days", column, why],
            1,
        );
    }
    // Who may not read a table is told before anything is read.
    let Database::Maria(server) = &read.database else {
        panic!("it is a server");
    };
    let url = server.url(server.port()).replace("weir:", "reader:");
    let url = url.replace(weir_tests::MARIADB_PASSWORD, "reader-canary");
    read.pipeline(r#"table = "clinic.flat""#, "");
    let mut command = read
        .scene
        .run_command(&read.scene.path("pipeline.toml"), &[]);
    command.env("CLINIC_URL", url);
    let ended = Ended::from(command.output().unwrap())
        .expect_code_of(&[1, 2])
        .hides(&["canary"]);
    assert!(ended.stderr.contains("flat"), "{}", ended.stderr);
}

#[test]
fn what_sqlite_has_and_a_column_does_not_say_is_told() {
    let read = Read::sqlite(
        "create table loose (id int, what); create table days (id int, day date, at timestamp, amount decimal(5,2), flag bool, note text);
         create view tight as select id, cast(what as text) as what from loose;
         insert into loose values (1, 'canary')",
    );
    told(
        &read,
        r#"table = "clinic.loose""#,
        &["column 'what' has no declared type", "view"],
        2,
    );
    told(
        &read,
        r#"table = "clinic.lose""#,
        &["no table clinic:lose", "the tables are days, loose, tight"],
        2,
    );
    for (insert, column, why) in [
        ("('canary', null, null, null, null, null)", "id", "a text"),
        ("(1.5, null, null, null, null, null)", "id", "a float"),
        ("(1, 'canary', null, null, null, null)", "day", "YYYY-MM-DD"),
        ("(1, 19782, null, null, null, null)", "day", "is a number"),
        (
            "(1, null, '2024-01-01T00:00:00Z', null, null, null)",
            "at",
            "TIMESTAMPTZ",
        ),
        (
            "(1, null, null, 1.005, null, null)",
            "amount",
            "more digits",
        ),
        (
            "(1, null, null, 'canary', null, null)",
            "amount",
            "no number",
        ),
        ("(1, null, null, null, 7, null)", "flag", "neither 0 nor 1"),
        ("(1, null, null, null, null, x'ff')", "note", "a blob"),
        (
            "(1, null, null, null, null, cast(x'ff' as text))",
            "note",
            "UTF-8",
        ),
    ] {
        read.sql(&format!(
            "delete from days; insert into days values {insert}"
        ));
        told(
            &read,
            r#"table = "clinic.days""#,
            &["clinic:days", column, why],
            1,
        );
    }
    read.pipeline(r#"table = "clinic.tight""#, "");
    read.run().expect_code(0);
    assert_eq!(read.rows("select id, what from raw.out"), ["1,canary"]);
    // A file that is not there, and one that is something else.
    std::fs::remove_file(read.scene.path("clinic.sqlite")).unwrap();
    told(
        &read,
        r#"table = "clinic.days""#,
        &["no file", "clinic.sqlite", "path"],
        1,
    );
    read.scene.file(
        "clinic.sqlite",
        "this is not a database, whatever its name says",
    );
    told(
        &read,
        r#"table = "clinic.days""#,
        &["cannot be read", "SQLite file"],
        1,
    );
}

const PEOPLE: &str = "create table people (id int primary key, name varchar(20));
     insert into people values (1, 'Ada'), (2, 'Bob'), (3, 'it''s');
     create table visits (id bigint, person int, day date, note text);";

/// Two tables of one database and one of the lake, joined and filtered; some rows twice as large as a batch.
fn joins(read: &Read) {
    read.scene
        .file("in/rates.csv", "name,rate\nAda,2\nit's,3\n");
    read.steps(
        r#"
[[step]]
name = "rates"
read = { files = "in/rates.csv", format = "csv", schema = { name = "string", rate = "int64" } }
[[step.write]]
table = "raw.rates"
[[step]]
name = "extract"
[step.read]
sql = """
select p.name, r.rate, count(*) as visits, sum(v.id) as ids
from clinic.visits v
join clinic.people p on p.id = v.person
join clinic.people same on same.id = p.id
left join raw.rates r on r.name = p.name
where v.day >= date '2024-02-01' and v.id <= 59000 and p.name in ('Ada', 'it''s') and p.name > 'AD' and p.name < 'j'
group by p.name, r.rate
"""
[[step.write]]
table = "raw.out"
[[step]]
name = "pairs"
read = { sql = "select a.id, b.id as next from (select id from clinic.visits order by id) a join (select id from clinic.visits order by id) b on b.id = a.id + 1" }
[[step.write]]
table = "raw.pairs"
[[step]]
name = "all"
read = { connection = "clinic", table = "visits" }
[[step.stage]]
check = { unique = ["id"] }
on_fail = "fail"
[[step.write]]
table = "raw.visits"
"#,
    );
    read.run().expect_code(0);
    let days = |n: u64| n % 60 >= 31;
    let expected: Vec<String> = [(0_u64, "Ada", 2), (2, "it's", 3)]
        .iter()
        .map(|(person, name, rate)| {
            let ids: Vec<u64> = (1..=59_000)
                .filter(|n| days(*n) && n % 3 == *person)
                .collect();
            format!("{name},{rate},{},{}", ids.len(), ids.iter().sum::<u64>())
        })
        .collect();
    assert_eq!(
        read.rows("select name, rate, visits, ids from raw.out order by name"),
        expected
    );
    assert_eq!(
        read.rows("select count(*), count(distinct id), sum(id) from raw.visits"),
        ["60000,60000,1800030000"]
    );
    assert_eq!(read.rows("select count(*) from raw.pairs"), ["59999"]);
}

#[test]
fn queries_join_mariadb_with_the_lake() {
    let read = Read::maria(PEOPLE);
    read.sql("insert into visits select seq, seq % 3 + 1, date '2024-01-01' + interval (seq % 60) day, repeat('x', 200) from seq_1_to_60000");
    joins(&read);
}

#[test]
fn queries_join_sqlite_with_the_lake() {
    let read = Read::sqlite(PEOPLE);
    read.sql("with recursive seq(n) as (select 1 union all select n + 1 from seq where n < 60000) insert into visits select n, n % 3 + 1, date('2024-01-01', (n % 60) || ' days'), printf('%.200c', 'x') from seq");
    joins(&read);
}

fn by_a_cursor(read: &Read) {
    read.pipeline(
        r#"connection = "clinic", table = "visits", incremental = { by = "cursor", column = "at", lag = "2h" }"#,
        "mode = \"merge\"\nkey = \"id\"",
    );
    let reads = || {
        read.run().expect_code(0);
        read.scene.latest()["steps"][0]["counts"]["read"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(reads(), 2);
    read.sql(
        "insert into visits values (3, 'TX', '2024-01-01 12:00:00'), (4, 'WA', '2024-01-01 09:30:00'), (5, 'OR', '2024-01-01 08:00:00');
         update visits set state = 'NJ', at = '2024-01-01 12:30:00' where id = 1",
    );
    assert_eq!(reads(), 4);
    assert_eq!(
        read.rows("select id, state from raw.out order by id"),
        ["1,NJ", "2,CA", "3,TX", "4,WA"]
    );
    read.sql("delete from visits");
    read.run().expect_code(0);
    assert_eq!(read.scene.latest()["steps"][0]["status"], "up-to-date");
}

const VISITS: &str =
    "create table visits (id int primary key, state varchar(9), at datetime not null);
     insert into visits values (1, 'NY', '2024-01-01 10:00:00'), (2, 'CA', '2024-01-01 11:00:00')";

#[test]
fn new_rows_of_mariadb_are_read_by_a_cursor() {
    by_a_cursor(&Read::maria(VISITS));
}

#[test]
fn new_rows_of_sqlite_are_read_by_a_cursor() {
    by_a_cursor(&Read::sqlite(VISITS));
}

/// Rows move between two tables all the while: a run sees each of them once.
fn at_one_moment(read: &Read, moves: [&str; 2]) {
    read.pipeline(
        r#"sql = "select id from clinic.a union all select id from clinic.b""#,
        "",
    );
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let stopped = Arc::clone(&stop);
        scope.spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                for sql in moves {
                    read.sql(sql);
                }
            }
        });
        for _ in 0..4 {
            let ended = read.run();
            let found = match ended.code {
                Some(0) => read.rows("select count(*), count(distinct id) from raw.out"),
                _ => Vec::new(),
            };
            if found != ["20000,20000"] {
                stop.store(true, Ordering::SeqCst);
            }
            assert_eq!(found, ["20000,20000"], "{}", ended.stderr);
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn all_tables_of_mariadb_are_read_at_one_moment() {
    let read = Read::maria(
        "create table a (id int primary key); create table b (id int primary key); insert into a select seq from seq_1_to_20000",
    );
    let moved = |from: &str, to: &str, rows: u32| {
        format!(
            "start transaction; create temporary table moved as select id from {from} order by id limit {rows} for update;
             insert into {to} select id from moved; delete f from {from} f join moved m on m.id = f.id; commit; drop temporary table moved"
        )
    };
    at_one_moment(&read, [&moved("a", "b", 500), &moved("b", "a", 450)]);
}

#[test]
fn all_tables_of_sqlite_are_read_at_one_moment() {
    for journal in ["delete", "wal"] {
        let read = Read::sqlite(&format!(
            "pragma journal_mode = {journal}; create table a (id integer primary key); create table b (id integer primary key);
             with recursive seq(n) as (select 1 union all select n + 1 from seq where n < 20000) insert into a select n from seq"
        ));
        let moved = |from: &str, to: &str, rows: u32| {
            format!(
                "begin immediate; insert into {to} select id from {from} order by id limit {rows};
                 delete from {from} where id in (select id from {to}); commit"
            )
        };
        at_one_moment(&read, [&moved("a", "b", 500), &moved("b", "a", 450)]);
    }
}

#[test]
fn a_step_reads_and_writes_one_file() {
    let read = Read::sqlite(
        "create table visits (id integer, fee decimal(8,2), at timestamptz); insert into visits values (1, 2.5, '2024-01-01T00:00:00Z'), (2, 3, null)",
    );
    read.steps(
        r#"
[[step]]
name = "back"
read = { sql = "select id, fee, at, day from clinic.totals" }
[[step.write]]
table = "raw.out"
[[step]]
name = "totals"
read = { sql = "select id, fee, at, cast('2024-02-29' as date) as day from clinic.visits" }
[[step.write]]
connection = "clinic"
table = "totals"
[[step]]
name = "kept"
read = { sql = "select id from clinic.totals", incremental = { by = "cursor", of = "clinic.totals", column = "id" } }
[[step.write]]
connection = "clinic"
table = "kept"
mode = "append"
"#,
    );
    read.run().expect_code(0);
    assert_eq!(
        read.rows("select id, fee, at, day from raw.out order by id"),
        [
            "1,2.50,2024-01-01T00:00:00Z,2024-02-29",
            "2,3.00,,2024-02-29"
        ]
    );
    // Now it is there before the run is planned.
    read.sql("insert into visits values (3, 1, null)");
    read.run().expect_code(0);
    assert_eq!(read.rows("select count(*) from raw.out"), ["3"]);
    let kept: i64 = read
        .file()
        .query_row("select count(*) from kept", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 3);
}

#[test]
fn a_mariadb_that_crashes_is_read_again() {
    let mut read = Read::maria(
        "create table visits (id bigint, note text); insert into visits select seq, repeat('x', 100) from seq_1_to_300000",
    );
    read.pipeline(r#"connection = "clinic", table = "visits""#, "");
    let file = read.scene.path("pipeline.toml");
    let mut command = read.scene.run_command(&file, &[]);
    let Database::Maria(server) = &mut read.database else {
        panic!("it is a server");
    };
    command.env("CLINIC_URL", server.url(server.port()));
    let running = read.scene.start(command);
    let at_work = "select count(*) from information_schema.processlist where user = 'weir' and info like 'select %'";
    let until = Instant::now() + Duration::from_secs(20);
    while server.sql(at_work) == ["0"] && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    server.crash();
    server.up();
    // It may have been too fast to be caught.
    running.end().expect_code_of(&[0, 75]);
    read.run().expect_code(0);
    assert_eq!(
        read.rows("select count(*), count(distinct id) from raw.out"),
        ["300000,300000"]
    );
}
