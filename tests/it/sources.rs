//! PostgreSQL as a source: every type, conditions and joins, new rows only, one moment for all tables, and
//! servers that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use weir_tests::{Ended, Postgres, Scene};

/// A scene with a server that is read.
struct Read {
    scene: Scene,
    server: Postgres,
}

const HEAD: &str = r#"
weir = 1
name = "extract"
[zone.raw]
[connections.clinic]
kind = "postgres"
url = { env = "CLINIC_URL" }
"#;

impl Read {
    fn new(sql: &str) -> Read {
        let read = Read {
            scene: Scene::new(),
            server: Postgres::start(),
        };
        read.server.sql(sql);
        read
    }

    /// A pipeline of one step that reads so, and writes `raw.out` so.
    fn pipeline(&self, read: &str, write: &str) {
        let step = format!(
            "[[step]]\nname = \"extract\"\nread = {{ {read} }}\n[[step.write]]\ntable = \"raw.out\"\n{write}\n"
        );
        self.scene.file("pipeline.toml", format!("{HEAD}{step}"));
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
        command.env("CLINIC_URL", self.server.url(self.server.port()));
        Ended::from(command.output().unwrap())
    }

    fn rows(&self, query: &str) -> Vec<String> {
        self.scene.sql_csv(query)[1..].to_vec()
    }
}

/// A type of PostgreSQL's, the type in which the lake has it, and values as SQL and as the lake has them.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const TYPES: &[Case] = &[
    ("boolean", "bool", &[("true", "true"), ("false", "false")]),
    (
        "smallint",
        "int16",
        &[("-32768", "-32768"), ("32767", "32767")],
    ),
    ("integer", "int32", &[("-2147483648", "-2147483648")]),
    (
        "bigint",
        "int64",
        &[
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775807", "9223372036854775807"),
        ],
    ),
    ("real", "float32", &[("'NaN'", "NaN"), ("-0.5", "-0.5")]),
    (
        "double precision",
        "float64",
        &[
            ("'Infinity'", "inf"),
            ("'-Infinity'", "-inf"),
            ("1e308", "1e308"),
        ],
    ),
    (
        "numeric(38,10)",
        "decimal(38,10)",
        &[
            (
                "9999999999999999999999999999.9999999999",
                "9999999999999999999999999999.9999999999",
            ),
            ("-0.0000000001", "-0.0000000001"),
            ("0", "0.0000000000"),
        ],
    ),
    ("numeric(5)", "decimal(5,0)", &[("-99999", "-99999")]),
    // What has no bounds is a text, and loses nothing.
    (
        "numeric",
        "string",
        &[
            ("1.50", "1.50"),
            ("'NaN'", "NaN"),
            ("1e40", "10000000000000000000000000000000000000000"),
        ],
    ),
    ("numeric(50,2)", "string", &[("-1.25", "-1.25")]),
    ("numeric(5,-2)", "string", &[("12345", "12300")]),
    ("money", "string", &[("12.5", "$12.50")]),
    (
        "text",
        "string",
        &[("'\u{1F600}é\\N'", "\u{1F600}é\\N"), ("'a''b'", "a'b")],
    ),
    ("varchar(3)", "string", &[("'abc'", "abc")]),
    ("char(3)", "string", &[("'a'", "a  ")]),
    ("name", "string", &[("'n'", "n")]),
    ("bytea", "binary", &[("'\\x00ff'", "00ff")]),
    (
        "json",
        "string",
        &[("'{\"a\" : 1}'", "\"{\"\"a\"\" : 1}\"")],
    ),
    (
        "jsonb",
        "string",
        &[("'{\"a\" : 1}'", "\"{\"\"a\"\": 1}\"")],
    ),
    (
        "uuid",
        "string",
        &[(
            "'0191D0A0-0000-7000-8000-00000000FFFF'",
            "0191d0a0-0000-7000-8000-00000000ffff",
        )],
    ),
    ("mood", "string", &[("'so so'", "so so")]),
    ("score", "int32", &[("7", "7")]),
    (
        "date",
        "date",
        &[
            ("'0001-01-01'", "0001-01-01"),
            ("'9999-12-31'", "9999-12-31"),
            ("'1969-12-31'", "1969-12-31"),
        ],
    ),
    (
        "timestamp",
        "timestamp",
        &[("'1969-12-31 23:59:59.999999'", "1969-12-31T23:59:59.999999")],
    ),
    (
        "timestamptz",
        "timestamptz",
        &[("'2024-02-29 12:00:00+05:30'", "2024-02-29T06:30:00Z")],
    ),
    ("interval", "string", &[("'1 day 02:00'", "1 day 02:00:00")]),
    ("timetz", "string", &[("'12:00+02'", "12:00:00+02")]),
    ("inet", "string", &[("'10.0.0.1/8'", "10.0.0.1/8")]),
    ("bit(3)", "string", &[("B'101'", "101")]),
];

#[test]
fn every_type_is_read_as_it_is() {
    let read = Read::new(
        "create type mood as enum ('so so'); create domain score as int check (value > 0)",
    );
    let columns: Vec<String> = TYPES
        .iter()
        .enumerate()
        .map(|(index, (kind, ..))| format!("c{index} {kind}"))
        .collect();
    read.server.sql(&format!(
        "create table visits (row int not null, {}, at time, tags text[], sizes numeric(6,2)[])",
        columns.join(", ")
    ));
    let most = TYPES.iter().map(|(.., values)| values.len()).max().unwrap();
    // A row more than there are values: nulls.
    for row in 0..=most {
        let values: Vec<&str> = TYPES
            .iter()
            .map(|(.., values)| values.get(row).map_or("null", |(sql, _)| sql))
            .collect();
        let lists = match row {
            0 => "'23:59:59.999999', '{a,NULL,\"b c\"}', '{1.5,-2}'",
            1 => "'00:00', '{}', '{}'",
            _ => "null, null, null",
        };
        let insert = format!(
            "insert into visits values ({row}, {}, {lists})",
            values.join(", ")
        );
        read.server.sql(&insert);
    }
    read.pipeline(
        r#"sql = "select * except (at), cast(at as varchar) as at from clinic.visits""#,
        "",
    );
    read.run().expect_code(0);
    let plan = read.command("plan").expect_code(0);
    for (index, (kind, data_type, values)) in TYPES.iter().enumerate() {
        let column = match *data_type {
            "binary" => format!("encode(c{index}, 'hex')"),
            _ => format!("c{index}"),
        };
        let found = read.rows(&format!("select {column} from raw.out order by row"));
        for (row, value) in found.iter().enumerate() {
            let expected = values.get(row).map_or("", |(_, value)| value);
            let quotes = |text: &str| match text.is_empty() {
                true => "\"\"".to_owned(),
                false => text.to_owned(),
            };
            // A line of one empty field is written in quotes.
            assert!(
                value == expected || *value == quotes(expected),
                "{kind} in row {row}: {value} is not {expected}"
            );
        }
    }
    let lists = read.rows("select at, tags[1], tags[2], tags[3], sizes[2], cardinality(tags) from raw.out order by row limit 3");
    assert_eq!(
        lists,
        ["23:59:59.999999,a,,b c,-2.00,3", "00:00:00,,,,,0", ",,,,,"]
    );
    for data_type in ["decimal(38,10)", "timestamptz", "list<decimal(6,2)>"] {
        assert!(
            plan.stdout.contains(data_type),
            "{data_type}: {}",
            plan.stdout
        );
    }
}

#[test]
fn what_cannot_be_read_is_told_before_anything_is() {
    let read = Read::new(
        "create table places (id int, at point); create view flat as select id, at::text from places;
         insert into places values (1, '(1,2)');
         create schema private; create table private.salaries (id int);
         create table days (id int, day date, at timestamptz, amount numeric(5,2));
         create role reader login password 'reader-canary'; grant select on days to reader",
    );
    let told = |of: &str, words: &[&str], code: i32| {
        read.pipeline(of, "");
        let ended = read.run().expect_code(code);
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
    };
    told(
        r#"connection = "clinic", table = "places""#,
        &["column 'at' is point", "view", "pipeline.toml"],
        2,
    );
    told(
        r#"connection = "clinic", table = "plases""#,
        &[
            "there is no table clinic:plases",
            "the tables are days, flat, places, private.salaries",
        ],
        2,
    );
    told(
        r#"table = "clinic.public.nothing""#,
        &["no table clinic:public.nothing"],
        2,
    );
    told(r#"table = "nowhere.visits""#, &["no zone 'nowhere'"], 2);
    told(
        r#"table = "clinic.days", incremental = { by = "version" }"#,
        &["tables of databases have no versions", "by = \"cursor\""],
        2,
    );
    told(
        r#"connection = "clinic", sql = "select 1""#,
        &["`connection` belongs to `table`", "connection.table"],
        2,
    );
    read.pipeline(r#"table = "clinic.flat""#, "");
    read.run().expect_code(0);
    assert_eq!(read.rows("select id, at from raw.out"), ["1,\"(1,2)\""]);
    // Values that Arrow has not, by the column and without the value.
    for (insert, column, why) in [
        ("(1, 'infinity', null, null)", "day", "infinite"),
        ("(1, null, '-infinity', null)", "at", "infinite"),
        ("(1, null, null, 'NaN')", "amount", "NaN"),
    ] {
        read.server
            .sql(&format!("truncate days; insert into days values {insert}"));
        told(r#"table = "clinic.days""#, &["clinic:days", column, why], 1);
    }
    // Nobody's table but its owner's.
    let file = read.scene.path("pipeline.toml");
    read.pipeline(r#"table = "clinic.places""#, "");
    let mut command = read.scene.run_command(&file, &[]);
    let url = read.server.url(read.server.port());
    let url = url
        .replace("weir:", "reader:")
        .replace(weir_tests::POSTGRES_PASSWORD, "reader-canary");
    command.env("CLINIC_URL", url);
    let ended = Ended::from(command.output().unwrap())
        .expect_code(1)
        .hides(&["canary"]);
    assert!(ended.stderr.contains("grant it select"), "{}", ended.stderr);
}

#[test]
fn queries_join_databases_with_the_lake() {
    let read = Read::new(
        "create schema hr; create table hr.\"People\" (id int primary key, name text);
         insert into hr.\"People\" values (1, 'Ada'), (2, 'Bob'), (3, 'it''s');
         create table visits (id bigint, person int, day date, fee numeric(8,2), note text);
         insert into visits select n, n % 3 + 1, date '2024-01-01' + (n % 60)::int, n * 0.25, repeat('x', 200)
         from generate_series(1, 60000) n",
    );
    read.scene
        .file("in/rates.csv", "name,rate\nAda,2\nit's,3\n");
    read.scene.file(
        "pipeline.toml",
        format!(
            r#"{HEAD}
[[step]]
name = "rates"
read = {{ files = "in/rates.csv", format = "csv", schema = {{ name = "string", rate = "int64" }} }}
[[step.write]]
table = "raw.rates"
[[step]]
name = "extract"
[step.read]
sql = """
select p.name, r.rate, count(*) as visits, sum(v.fee) as fees
from clinic.visits v
join clinic.hr."People" p on p.id = v.person
left join raw.rates r on r.name = p.name
where v.day >= date '2024-02-01' and v.id <= 59000 and p.name in ('Ada', 'it''s')
group by p.name, r.rate
"""
[[step.write]]
table = "raw.out"
[[step]]
name = "all"
read = {{ connection = "clinic", table = "visits" }}
[[step.stage]]
check = {{ references = {{ person = "raw.people.id" }}, unique = ["id"] }}
on_fail = "fail"
[[step.write]]
table = "raw.visits"
[[step]]
name = "people"
read = {{ connection = "clinic", table = "hr.People" }}
[[step.write]]
table = "raw.people"
"#
        ),
    );
    read.run().expect_code(0);
    let expected = read.server.sql(
        "select name, count(*), sum(fee) from visits v join hr.\"People\" p on p.id = person
         where day >= '2024-02-01' and v.id <= 59000 and name in ('Ada', 'it''s') group by 1 order by 1",
    );
    let found = read.rows("select name, visits, fees from raw.out order by name");
    let found: Vec<String> = found.iter().map(|row| row.replace(',', "|")).collect();
    assert_eq!(found, expected);
    assert_eq!(
        read.rows("select name, rate from raw.out order by name"),
        ["Ada,2", "it's,3"]
    );
    // More than 8 MiB: read in ranges of pages, each row once.
    assert_eq!(
        read.rows("select count(*), count(distinct id), sum(id) from raw.visits"),
        ["60000,60000,1800030000"]
    );
    let counted = read.server.sql("select relpages > 1024 or pg_relation_size('visits') > 1024 * 8192 from pg_class where relname = 'visits'");
    assert_eq!(counted, ["t"]);
}

#[test]
fn new_rows_are_read_by_a_cursor() {
    let read = Read::new(
        "create table visits (id int primary key, state text, at timestamptz not null);
         insert into visits values (1, 'NY', '2024-01-01 10:00Z'), (2, 'CA', '2024-01-01 11:00Z')",
    );
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
    let rows = || read.rows("select id, state from raw.out order by id");
    assert_eq!(reads(), 2);
    // One that is new, one that has changed, one that came late, and one that came too late.
    read.server.sql(
        "insert into visits values (3, 'TX', '2024-01-01 12:00Z'), (4, 'WA', '2024-01-01 09:30Z'), (5, 'OR', '2024-01-01 08:00Z');
         update visits set state = 'NJ', at = '2024-01-01 12:30Z' where id = 1",
    );
    assert_eq!(reads(), 4);
    assert_eq!(rows(), ["1,NJ", "2,CA", "3,TX", "4,WA"]);
    let mut command = read
        .scene
        .run_command(&read.scene.path("pipeline.toml"), &[]);
    command.arg("--full-refresh");
    command.env("CLINIC_URL", read.server.url(read.server.port()));
    Ended::from(command.output().unwrap()).expect_code(0);
    assert_eq!(rows(), ["1,NJ", "2,CA", "3,TX", "4,WA", "5,OR"]);
    // Without a row that could be new nothing is done.
    read.server.sql("delete from visits");
    read.run().expect_code(0);
    assert_eq!(read.scene.latest()["steps"][0]["status"], "up-to-date");
}

/// Rows move between two tables all the while: a run sees each of them once.
#[test]
fn all_tables_are_read_at_one_moment() {
    let read = Read::new(
        "create table a (id int); create table b (id int);
         insert into a select generate_series(1, 20000)",
    );
    read.pipeline(
        r#"sql = "select id from clinic.a union all select id from clinic.b""#,
        "",
    );
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (stopped, server) = (Arc::clone(&stop), &read.server);
        scope.spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                server.sql("with moved as (delete from a where id in (select id from a limit 500) returning id) insert into b select id from moved");
                server.sql("with moved as (delete from b where id in (select id from b limit 450) returning id) insert into a select id from moved");
            }
        });
        for _ in 0..4 {
            read.run().expect_code(0);
            let found = read.rows("select count(*), count(distinct id) from raw.out");
            if found != ["20000,20000"] {
                stop.store(true, Ordering::SeqCst);
            }
            assert_eq!(found, ["20000,20000"]);
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_server_that_crashes_is_read_again() {
    let mut read = Read::new(
        "create table visits (id bigint, note text);
         insert into visits select n, repeat('x', 100) from generate_series(1, 300000) n",
    );
    read.pipeline(r#"connection = "clinic", table = "visits""#, "");
    let file = read.scene.path("pipeline.toml");
    let mut command = read.scene.run_command(&file, &[]);
    command.env("CLINIC_URL", read.server.url(read.server.port()));
    let running = read.scene.start(command);
    let at_work = "select count(*) from pg_stat_activity where query like 'copy (%'";
    let until = Instant::now() + Duration::from_secs(20);
    while read.server.sql(at_work) == ["0"] && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    read.server.crash();
    read.server.up();
    // It may have been too fast to be caught.
    running.end().expect_code_of(&[0, 75]);
    read.run().expect_code(0);
    assert_eq!(
        read.rows("select count(*), count(distinct id) from raw.out"),
        ["300000,300000"]
    );
}

#[test]
fn what_a_connection_may_hold_is_in_all_that_is_read_from_it() {
    let read = Read::new(
        "create table people (id int, ssn text); insert into people values (1, '123-45-6789')",
    );
    let pipeline = |stage: &str| {
        let head = HEAD.replace(
            "[connections.clinic]",
            "[connections.clinic]\nsensitivity = [\"phi\"]",
        );
        let step = format!(
            "[[step]]\nname = \"extract\"\nread = {{ table = \"clinic.people\" }}\n{stage}\n[[step.write]]\ntable = \"raw.out\"\n"
        );
        read.scene.file("pipeline.toml", format!("{head}{step}"));
        read.run()
    };
    let refused = pipeline("").expect_code(2);
    assert!(refused.stderr.contains("'ssn'"), "{}", refused.stderr);
    assert!(refused.stderr.contains("phi"), "{}", refused.stderr);
    pipeline("[[step.stage]]\nmask = { ssn = { method = \"partial\", keep = 4 } }\n[[step.stage]]\ndeclassify = [\"id\"]").expect_code(0);
    assert_eq!(read.rows("select id, ssn from raw.out"), ["1,*******6789"]);
}

#[test]
fn a_step_reads_what_a_step_before_wrote() {
    let read = Read::new(
        "create table visits (id int, fee numeric(8,2)); insert into visits values (1, 2.5), (2, 3)",
    );
    read.scene.file(
        "pipeline.toml",
        format!(
            r#"{HEAD}
[[step]]
name = "back"
read = {{ sql = "select id, fee, tags from clinic.totals" }}
[[step.write]]
table = "raw.out"
[[step]]
name = "totals"
read = {{ sql = "select cast(id as bigint) as id, fee, make_array('a', cast(id as varchar)) as tags from clinic.visits" }}
[[step.write]]
connection = "clinic"
table = "totals"
"#
        ),
    );
    read.run().expect_code(0);
    assert_eq!(
        read.rows("select id, fee, tags[2] from raw.out order by id"),
        ["1,2.50,1", "2,3.00,2"]
    );
    // Now it is there before the run is planned.
    read.server.sql("insert into visits values (3, 1)");
    read.run().expect_code(0);
    assert_eq!(read.rows("select count(*) from raw.out"), ["3"]);
}
