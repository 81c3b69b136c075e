//! PostgreSQL as a target: a real server, every mode, every type, and every way to be cut off.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use weir_tests::{Ended, Postgres, Scene};

use crate::lost_answers::lose_each_answer;
use crate::server_columns::{At, columns_meet};

/// A scene with a server, and a pipeline of one step.
struct Loaded {
    scene: Scene,
    server: Postgres,
}

const SCHEMA: &str = r#"{ id = "int64", state = "string", version = "int64" }"#;

fn pipeline(write: &str) -> String {
    format!(
        r#"
weir = 1
name = "load"
[zone.raw]
[connections.warehouse]
kind = "postgres"
url = {{ env = "WAREHOUSE_URL" }}
[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {SCHEMA} }}
[[step.write]]
connection = "warehouse"
{write}
"#
    )
}

impl Loaded {
    fn new(write: &str) -> Loaded {
        let loaded = Loaded {
            scene: Scene::new(),
            server: Postgres::start(),
        };
        loaded.scene.file("pipeline.toml", pipeline(write));
        loaded
    }

    fn input(&self, name: &str, rows: &str) {
        let text = format!("id,state,version\n{rows}\n");
        self.scene.file(&format!("in/{name}.csv"), text);
    }

    fn run(&self) -> Ended {
        self.run_at(self.server.port())
    }

    /// With the server behind another port.
    fn run_at(&self, port: u16) -> Ended {
        let file = self.scene.path("pipeline.toml");
        let mut command = self.scene.run_command(&file, &[]);
        command.env("WAREHOUSE_URL", self.server.url(port));
        Ended::from(command.output().unwrap())
    }

    fn rows(&self) -> Vec<String> {
        let sql = "select id, state, version from visits order by id, version";
        self.server.sql(sql)
    }
}

#[test]
fn a_table_is_made_and_replaced() {
    let loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1\n2,,\n3,\"a|\"\"b\",3");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NY|1", "2||", "3|a|\"b|3"]);
    let types = "select format_type(atttypid, atttypmod) from pg_attribute
                 where attrelid = 'visits'::regclass and attnum > 0 order by attnum";
    assert_eq!(loaded.server.sql(types), ["bigint", "text", "bigint"]);
    loaded
        .server
        .sql("grant select on visits to public; create index on visits (id)");
    loaded.input("1", "4,CA,4");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["4|CA|4"]);
    let kept = "select count(*) from pg_indexes where tablename = 'visits'";
    assert_eq!(
        loaded.server.sql(kept),
        ["1"],
        "what belongs to the table stays"
    );
    let ledger = "select count(*), max(version) from _weir_loads";
    assert_eq!(loaded.server.sql(ledger), ["1|1"]);
    // Other columns make it anew, unless something would be lost that is not the pipeline's.
    let wider =
        pipeline("table = \"visits\"").replace("version = \"int64\"", "version = \"float64\"");
    loaded.scene.file("pipeline.toml", wider);
    loaded.run().expect_code(2).says(&[
        "would lose, made anew with those, what is granted to 'public', the index 'visits_id_idx'",
    ]);
    loaded
        .server
        .sql("revoke all on visits from public; drop index visits_id_idx");
    loaded.run().expect_code(0);
    assert_eq!(
        loaded.server.sql(types),
        ["bigint", "text", "double precision"]
    );
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
        loaded.scene.file("pipeline.toml", pipeline(&write));
    };
    let rows = || {
        loaded
            .server
            .sql("select id, day, source, n from scoped order by day, source, id")
    };
    std::fs::remove_file(loaded.scene.path("in/2.csv")).unwrap();
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
            "8|2024-02-29|it's \\ a|7",
            "9|2024-02-29|it's \\ a|7",
            "1|2024-03-01|b|7"
        ]
    );
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
    let keep =
        pipeline("table = \"visits\"\nmode = \"merge\"\nkey = \"id\"\nwhen_matched = \"keep\"");
    loaded.scene.file("pipeline.toml", keep);
    loaded.input("3", "3,NEW,9\n4,NEW,9");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NJ|7", "2|CA|1", "3|TX|1", "4|NEW|9"]);
}

/// A type in a pipeline file, the type of the column that Weir makes, and values as CSV texts and as `psql` shows
/// them cast to text.
pub(crate) type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// A CSV file with a column for each case, a row for each value and one of nulls, and its schema; `n` counts rows.
pub(crate) fn csv_of(cases: &[Case]) -> (String, String) {
    let rows = cases
        .iter()
        .map(|(_, _, values)| values.len())
        .max()
        .unwrap();
    let names: Vec<String> = (0..cases.len()).map(|index| format!("c{index}")).collect();
    let mut text = names.join(",") + ",n\n";
    for row in 0..=rows {
        let value = |(_, _, values): &Case| values.get(row).map_or("", |(csv, _)| csv);
        let fields: Vec<&str> = cases.iter().map(value).collect();
        text += &format!("{},{row}\n", fields.join(","));
    }
    let columns = cases.iter().zip(&names);
    let columns: Vec<String> = columns
        .map(|((data_type, ..), name)| format!("{name} = \"{data_type}\""))
        .collect();
    (text, format!("{{ {}, n = \"int64\" }}", columns.join(", ")))
}

/// That the table `visits` was made for those cases, and has their values.
pub(crate) fn expect_values(server: &Postgres, cases: &[Case]) {
    for (index, (data_type, made, values)) in cases.iter().enumerate() {
        let sql = format!(
            "select format_type(atttypid, atttypmod) from pg_attribute
             where attrelid = 'visits'::regclass and attname = 'c{index}'"
        );
        assert_eq!(server.sql(&sql), [*made], "{data_type}");
        let sql = format!("select coalesce(c{index}::text, 'null') from visits order by n");
        let shown = server.sql(&sql);
        let mut expected: Vec<&str> = values.iter().map(|(_, shown)| *shown).collect();
        expected.resize(shown.len(), "null");
        assert_eq!(shown, expected, "{data_type}");
    }
}

/// Every type, in a pipeline file and in the table that Weir makes.
const TYPES: &[Case] = &[
    ("bool", "boolean", &[("true", "true"), ("false", "false")]),
    ("int8", "smallint", &[("-128", "-128"), ("127", "127")]),
    (
        "int16",
        "smallint",
        &[("-32768", "-32768"), ("32767", "32767")],
    ),
    (
        "int32",
        "integer",
        &[("-2147483648", "-2147483648"), ("2147483647", "2147483647")],
    ),
    (
        "int64",
        "bigint",
        &[
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775807", "9223372036854775807"),
        ],
    ),
    ("uint32", "bigint", &[("4294967295", "4294967295")]),
    ("float32", "real", &[("NaN", "NaN"), ("-0.5", "-0.5")]),
    (
        "float64",
        "double precision",
        &[
            ("NaN", "NaN"),
            ("inf", "Infinity"),
            ("-inf", "-Infinity"),
            ("1e308", "1e+308"),
        ],
    ),
    (
        "decimal(38,10)",
        "numeric(38,10)",
        &[
            (
                "9999999999999999999999999999.9999999999",
                "9999999999999999999999999999.9999999999",
            ),
            ("-0.0000000001", "-0.0000000001"),
            ("0", "0.0000000000"),
        ],
    ),
    ("decimal(5,0)", "numeric(5,0)", &[("-99999", "-99999")]),
    (
        "string",
        "text",
        &[
            ("\"\"\"quoted\"\"\"", "\"quoted\""),
            ("\u{1F600}é\\N", "\u{1F600}é\\N"),
        ],
    ),
    (
        "date",
        "date",
        &[("0001-01-01", "0001-01-01"), ("9999-12-31", "9999-12-31")],
    ),
    (
        "time",
        "time without time zone",
        &[("23:59:59.999999", "23:59:59.999999")],
    ),
    (
        "timestamp",
        "timestamp without time zone",
        &[
            ("1969-12-31T23:59:59.999999", "1969-12-31 23:59:59.999999"),
            ("2024-02-29T12:00:00", "2024-02-29 12:00:00"),
        ],
    ),
    (
        "timestamptz",
        "timestamp with time zone",
        &[("2024-02-29T12:00:00+05:30", "2024-02-29 06:30:00+00")],
    ),
];

#[test]
fn every_type_arrives_as_it_was() {
    let loaded = Loaded::new("table = \"visits\"");
    let (text, schema) = csv_of(TYPES);
    loaded.scene.file("in/1.csv", text);
    let file = pipeline("table = \"visits\"").replace(SCHEMA, &schema);
    loaded.scene.file("pipeline.toml", file);
    loaded.run().expect_code(0);
    expect_values(&loaded.server, TYPES);
}

#[test]
fn tables_that_are_there_keep_their_types() {
    let loaded = Loaded::new("table = \"care.visits\"\nmode = \"append\"");
    loaded.server.sql(
        "create schema care; create type care.states as enum ('NY', 'CA');
         create domain care.small as smallint check (value < 100);
         create table care.visits (made timestamptz default now(), id care.small not null, state care.states, version numeric(9,2));
         create function care.no() returns trigger language plpgsql as $$
             begin raise exception 'canary %', new.id; end $$;
         create trigger no before insert on care.visits for each row when (new.id = 66) execute function care.no()",
    );
    loaded.input("1", "1,NY,3\n2,,-7");
    loaded.run().expect_code(0);
    let rows = || {
        loaded
            .server
            .sql("select id, state, version, made is null from care.visits order by id")
    };
    assert_eq!(rows(), ["1|NY|3.00|f", "2||-7.00|f"]);
    // What does not fit is told without the value, and nothing of it is loaded.
    for (row, says) in [
        (
            "70000,NY,1",
            "column 'id', row 1 of those to be loaded: it is out of the range of smallint",
        ),
        ("100,NY,1", "SQLSTATE 23514"),
        (",NY,1", "column 'id'"),
        ("66,NY,1", "SQLSTATE P0001"),
        ("3,TX-canary,1", "SQLSTATE 22P02"),
        ("3,NY,12345678", "SQLSTATE 22003"),
    ] {
        loaded.input("2", row);
        loaded
            .run()
            .expect_code(1)
            .says(&["warehouse:care.visits", says])
            .hides(&["70000", "canary", "12345678"]);
        assert_eq!(rows().len(), 2, "{row}");
    }
    // What was refused is given up, and read again once it is mended.
    loaded.input("2", "3,CA,1");
    loaded.run().expect_code(0);
    assert_eq!(rows().len(), 3);
    // Types that would change values are refused before anything is read.
    for (change, says) in [
        ("alter version type numeric(9,0)", None),
        ("alter version type text", Some("int64 is no text")),
        (
            "drop version",
            Some("'version' (int64, read from in/*.csv) is new"),
        ),
    ] {
        loaded.server.sql(&format!(
            "alter table care.visits {}",
            change
                .replace("alter ", "alter column ")
                .replace("drop ", "drop column ")
        ));
        if let Some(says) = says {
            loaded.run().expect_code(2).says(&[says]);
        }
    }
}

#[test]
fn columns_that_differ_become_what_schema_change_says() {
    let loaded = Loaded::new("table = \"visits\"");
    columns_meet(&At {
        scene: &loaded.scene,
        pipeline: &|write| {
            loaded.scene.file("pipeline.toml", pipeline(write));
        },
        input: &|name, rows| loaded.input(name, rows),
        run: &|| loaded.run(),
        sql: &|sql| loaded.server.sql(sql),
        not_null: &|column| {
            loaded.server.sql(&format!(
                "alter table visits alter column {column} set not null"
            ));
        },
        varchar: "character varying(9)",
    });
    // Made anew, unless it must not be.
    loaded
        .server
        .sql("create table visits (id bigint, state text, version bigint)");
    let write = |change: &str| {
        let write = format!("table = \"visits\"\nschema_change = {change}");
        loaded.scene.file("pipeline.toml", pipeline(&write));
    };
    for (change, columns, says) in [
        (
            "{ changed_type = \"freeze\" }",
            "version type int",
            "'version' is int4 in the table and int64 in the rows (read from in/*.csv): it is made as int8",
        ),
        (
            "{ missing_column = \"freeze\" }",
            "version type bigint, add column more int",
            "'more' (int4 in the table) is missing",
        ),
        (
            "\"freeze\"",
            "state type text, drop column version",
            "'version' (int64, read from in/*.csv) is new",
        ),
    ] {
        loaded
            .server
            .sql(&format!("alter table visits alter column {columns}"));
        write(change);
        loaded.run().expect_code(2).says(&[says]);
    }
    write("{ new_column = \"discard\" }");
    loaded.run().expect_code(0);
    let columns = "select string_agg(attname, ' ' order by attnum) from pg_attribute where attrelid = 'visits'::regclass and attnum > 0";
    assert_eq!(loaded.server.sql(columns), ["id state"]);
}

#[test]
fn a_table_that_is_replaced_keeps_what_is_not_the_pipelines() {
    let loaded = Loaded::new("table = \"visits\"");
    loaded.server.sql(
        "create table visits (pk bigint generated always as identity primary key, id bigint, state text, version bigint, loaded timestamptz default now())",
    );
    loaded.input("1", "1,NY,1\n2,CA,2");
    loaded.run().expect_code(0);
    loaded.run().expect_code(0);
    // Columns that the server fills are not missing, in the mode replace either.
    assert_eq!(
        loaded
            .server
            .sql("select pk, id, loaded is not null from visits order by id"),
        ["3|1|t", "4|2|t"]
    );
    // Made anew it would lose them, and more.
    loaded.server.sql(
        "alter table visits alter version type int; create index own on visits (state, id);
         alter table visits add constraint positive check (id > 0); create role reader; grant select on visits to reader;
         comment on column visits.state is 'where'",
    );
    loaded.run().expect_code(2).says(&[
        "warehouse:visits has other columns than the rows, and would lose, made anew with those,",
        "its comments",
        "the constraint 'positive'",
        "what fills 'loaded', what fills 'pk'",
        "what is granted to 'reader'",
        "the index 'own'",
        "the primary key 'visits_pkey'",
        "drop the table: it is made anew then",
    ]);
    assert_eq!(loaded.server.sql("select count(*) from visits"), ["2"]);
    // What `ddl` says is made again.
    let with_ddl = "table = \"visits\"\n[step.write.ddl]\nprimary_key = [\"id\"]\nindexes = [[\"state\", \"id\"]]\ngrants = [\"reader\"]";
    loaded.server.sql("drop table visits");
    loaded.scene.file("pipeline.toml", pipeline(with_ddl));
    loaded.run().expect_code(0);
    loaded
        .server
        .sql("alter table visits alter version type int");
    loaded.run().expect_code(0);
    assert_eq!(
        loaded
            .server
            .sql("select count(*) from pg_indexes where tablename = 'visits'"),
        ["2"]
    );
}

#[test]
fn the_ledger_is_beside_the_table_wherever_the_session_looks() {
    let loaded = Loaded::new("table = \"visits\"\nmode = \"append\"");
    loaded.input("1", "1,NY,1");
    loaded.run().expect_code(0);
    loaded.server.sql(
        "create schema src; grant all on schema src to weir;
         create table src._weir_loads (like public._weir_loads including all);
         alter role weir set search_path = src, public",
    );
    loaded.input("2", "2,CA,2");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NY|1", "2|CA|2"]);
    assert_eq!(
        loaded
            .server
            .sql("select (select count(*) from src._weir_loads), (select max(version) from public._weir_loads)"),
        ["0|1"]
    );
}

#[test]
fn hostile_names_are_names() {
    let loaded = Loaded::new("table = \"or\\\"der.se'lect; drop\"\nmode = \"append\"");
    loaded.server.sql("create schema \"or\"\"der\"");
    loaded.input("1", "1,NY,1");
    loaded.run().expect_code(0);
    let rows = loaded
        .server
        .sql("select id from \"or\"\"der\".\"se'lect; drop\"");
    assert_eq!(rows, ["1"]);
    for (table, says) in [
        ("é".repeat(32), "more than 63 bytes"),
        ("a.".to_owned(), "a name is empty"),
        ("_weir_loads".to_owned(), "are taken"),
    ] {
        let text = pipeline(&format!("table = \"{table}\"\nmode = \"append\""));
        loaded.scene.file("pipeline.toml", text);
        loaded.run().expect_code(2).says(&[says]);
    }
}

#[test]
fn a_server_that_does_not_serve_is_told_and_its_password_is_not() {
    let mut loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1");
    let url = loaded.server.url(loaded.server.port());
    let run = |url: &str| {
        let file = loaded.scene.path("pipeline.toml");
        let mut command = loaded.scene.run_command(&file, &[]);
        command.env("WAREHOUSE_URL", url);
        Ended::from(command.output().unwrap()).hides(&["canary"])
    };
    run(&url.replace("pA55word-canary", "wrong-canary"))
        .expect_code(1)
        .says(&[
            "connection 'warehouse'",
            "password authentication failed",
            "check user and password",
        ]);
    run(&url.replace("/weir?", "/nowhere?"))
        .expect_code(1)
        .says(&["database \"nowhere\" does not exist"]);
    run("mysql://weir:canary@x")
        .expect_code(2)
        .says(&["its URL cannot be read"]);
    run(&url.replace("?sslmode=disable", ""))
        .expect_code(75)
        .says(&["the server cannot be reached", "tls = \"off\""]);
    loaded
        .server
        .sql("create user reader password 'reader-canary'");
    let reader = url.replace("weir:pA55word-canary", "reader:reader-canary");
    run(&reader).expect_code(1).says(&[
        "may not make tables in the schema 'public'",
        "grant create on schema \"public\"",
    ]);
    loaded.server.sql(
        "create table visits (id bigint, state text, version bigint); grant select, insert on visits to reader",
    );
    run(&reader).expect_code(1).says(&[
        "the user of the connection may not delete in the table",
        "grant delete on \"visits\" to the user",
    ]);
    // Rights on columns are as good.
    loaded.server.sql(
        "revoke all on visits from reader; grant select, insert (id, state, version), delete on visits to reader",
    );
    run(&reader)
        .expect_code(1)
        .says(&["permission denied", "grant the user"]);
    loaded.server.sql("grant create on schema public to reader");
    run(&reader).expect_code(0);
    // Who does not own a table adds no columns to it.
    loaded.server.sql("alter table visits drop column version");
    let evolving =
        "table = \"visits\"\nmode = \"append\"\nschema_change = { new_column = \"evolve\" }";
    loaded.scene.file("pipeline.toml", pipeline(evolving));
    run(&reader).expect_code(1).says(&[
        "does not own the table, and so may not add the columns that are new",
        "alter table \"visits\" owner to",
    ]);
    loaded.scene.file(
        "pipeline.toml",
        pipeline(&evolving.replace("evolve", "discard")),
    );
    loaded
        .scene
        .file("nowhere.toml", pipeline("table = \"no_schema.visits\""));
    let nowhere = loaded.scene.path("nowhere.toml");
    let mut command = loaded.scene.run_command(&nowhere, &[]);
    command.env("WAREHOUSE_URL", &url);
    Ended::from(command.output().unwrap())
        .expect_code(1)
        .says(&["the schema is not there", "create schema"]);
    loaded.input("2", "2,NY,2");
    loaded
        .server
        .sql("alter database weir set default_transaction_read_only = on");
    run(&url)
        .expect_code(1)
        .says(&["read-only", "connect to a server that can be written"]);
    loaded.server.crash();
    run(&url)
        .expect_code(75)
        .says(&["the server cannot be reached"]);
    loaded.server.up();
    let text = std::fs::read_to_string(loaded.scene.path("pipeline.toml")).unwrap();
    let plain = text.replace(
        "{ env = \"WAREHOUSE_URL\" }",
        "\"postgres://weir:canary@x/y\"",
    );
    loaded.scene.file("pipeline.toml", plain);
    loaded
        .run()
        .expect_code(2)
        .says(&["never written into the file"])
        .hides(&["canary"]);
}

/// Stands between Weir and the server, and cuts connections.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// Messages of the server that pass before the connection is cut, over all connections.
    pub(crate) left: Arc<AtomicUsize>,
    pub(crate) seen: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn start(server: u16, messages: usize) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicUsize::new(messages));
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

/// Passes the server's messages one by one; the one after the last is read, and cut.
fn pass(
    mut server: TcpStream,
    mut client: TcpStream,
    left: &AtomicUsize,
    seen: &AtomicUsize,
) -> std::io::Result<()> {
    loop {
        let mut head = [0; 5];
        server.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; length as usize - 4];
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

#[test]
fn whichever_answer_is_lost_rows_are_loaded_once() {
    let loaded = Loaded::new("table = \"visits\"\nmode = \"append\"");
    let proxy = Proxy::start(loaded.server.port(), usize::MAX);
    lose_each_answer(
        (&proxy.left, &proxy.seen),
        |name, row| loaded.input(name, row),
        || loaded.run_at(proxy.port),
        || loaded.server.sql("select id from visits order by id"),
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
    let at_work = "select count(*) from pg_stat_activity where query like 'copy%'";
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
    let ddl = "ddl = { types = { state = \"varchar(2)\", version = \"integer\" }, primary_key = \"id\", indexes = [\"state\", [\"state\", \"version\"]], grants = [\"reporting\"] }";
    let loaded = Loaded::new(&format!("table = \"visits\"\n{ddl}"));
    loaded.server.sql("create role reporting");
    loaded.input("1", "1,NY,1\n2,CA,2");
    loaded.run().expect_code(0);
    let types = "select format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end
                 from pg_attribute where attrelid = 'visits'::regclass and attnum > 0 order by attnum";
    let made = ["bigint not null", "character varying(2)", "integer"];
    assert_eq!(loaded.server.sql(types), made);
    let indexes = "select count(*) from pg_indexes where tablename = 'visits'";
    assert_eq!(loaded.server.sql(indexes), ["3"]);
    let may = "select has_table_privilege('reporting', 'visits', 'select'), has_table_privilege('reporting', 'visits', 'insert')";
    assert_eq!(loaded.server.sql(may), ["t|f"]);
    // The same columns by other names: the table stays.
    let before = loaded.server.sql("select 'visits'::regclass::oid");
    loaded.input("1", "1,NJ,5");
    loaded.run().expect_code(0);
    assert_eq!(loaded.server.sql("select 'visits'::regclass::oid"), before);
    assert_eq!(loaded.rows(), ["1|NJ|5"]);
    // Rows break what the file says of the table.
    loaded.input("1", "1,NJ,5\n1,NY,6");
    loaded.run().expect_code(1).says(&["23505"]);
    loaded.input("1", "1,NJ,99999999999");
    loaded
        .run()
        .expect_code(1)
        .says(&["column 'version'", "out of the range of integer"]);
    assert_eq!(loaded.rows(), ["1|NJ|5"]);
    for (ddl, says) in [
        (
            "{ primary_key = \"nobody\" }",
            "`ddl` names a column 'nobody'",
        ),
        (
            "{ types = { id = \"bigserial; drop table visits\" } }",
            "is no type of a column",
        ),
        (
            "{ types = { id = \"nonsense\" } }",
            "type \"nonsense\" does not exist",
        ),
        (
            "{ types = { state = \"integer\" } }",
            "column 'state' is string in the rows",
        ),
        ("{ indexes = [[]] }", "an index has no column"),
    ] {
        let text = pipeline(&format!("table = \"other\"\nddl = {ddl}"));
        loaded.scene.file("pipeline.toml", text);
        loaded.run().expect_code_of(&[1, 2]).says(&[says]);
    }
}

/// A table by month and source, loaded for days and sources at once.
#[test]
fn partitions_are_made_as_rows_need_them() {
    let loaded = Loaded::new("");
    loaded.scene.file(
        "pipeline.toml",
        r#"
weir = 1
name = "visits"
[zone.raw]
[params.day]
type = "date"
[params.source]
type = "string"
[connections.warehouse]
kind = "postgres"
url = { env = "WAREHOUSE_URL" }
[[step]]
name = "load"
read = { files = "in/*.csv", format = "csv", schema = { id = "int64", state = "string", version = "int64" } }
[[step.write]]
connection = "warehouse"
table = "visits"
mode = "replace-partition"
partition = { day = "${param.day}", source = "${param.source}" }
[step.write.ddl]
partition_by = ["month(day)", "source"]
primary_key = ["id", "day", "source"]
indexes = ["state"]
"#,
    );
    loaded.input("1", "1,NY,1\n2,CA,2");
    let run = |day: &str, source: &str| {
        let file = loaded.scene.path("pipeline.toml");
        let params = [("day", day), ("source", source)];
        let mut command = loaded.scene.run_command(&file, &params);
        command.env("WAREHOUSE_URL", loaded.server.url(loaded.server.port()));
        Ended::from(command.output().unwrap())
    };
    run("2024-01-31", "source_a").expect_code(0);
    let days = ["2024-01-01", "2024-02-01", "2024-02-29"];
    std::thread::scope(|scope| {
        let runs: Vec<_> = days
            .iter()
            .flat_map(|day| ["source_a", "Source B'"].map(|source| (day, source)))
            .map(|(day, source)| scope.spawn(move || run(day, source)))
            .collect();
        for run in runs {
            run.join().unwrap().expect_code(0);
        }
    });
    run("2024-01-31", "source_a").expect_code(0);
    let counts = "select day, source, count(*) from visits group by day, source order by day, source collate \"C\"";
    assert_eq!(
        loaded.server.sql(counts),
        [
            "2024-01-01|Source B'|2",
            "2024-01-01|source_a|2",
            "2024-01-31|source_a|2",
            "2024-02-01|Source B'|2",
            "2024-02-01|source_a|2",
            "2024-02-29|Source B'|2",
            "2024-02-29|source_a|2",
        ]
    );
    let tree = "select relid::text, pg_get_expr(relpartbound, oid) from pg_partition_tree('visits')
                join pg_class on oid = relid where isleaf order by 2, 1";
    let leaves = loaded.server.sql(tree);
    assert_eq!(leaves.len(), 4, "{leaves:?}");
    for leaf in [
        "visits_202401_source_a|FOR VALUES IN ('source_a')",
        "visits_202402_source_a|FOR VALUES IN ('source_a')",
    ] {
        assert!(leaves.iter().any(|found| found == leaf), "{leaves:?}");
    }
    let indexes = "select count(*) from pg_indexes where tablename like 'visits%'";
    assert_eq!(
        loaded.server.sql(indexes),
        ["14"],
        "each partition has both"
    );
}

/// Values that no name can have, no value, and a partition that somebody has made.
#[test]
fn partitions_follow_the_values_of_rows() {
    let loaded = Loaded::new("table = \"visits\"\nddl = { partition_by = \"state\" }");
    loaded.input("1", "1,NY,1\n2,,2\n3,a|b,3\n4,NY,4");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NY|1", "2||2", "3|a|b|3", "4|NY|4"]);
    let leaves = "select count(*) from pg_partition_tree('visits') where isleaf";
    assert_eq!(loaded.server.sql(leaves), ["3"]);
    loaded
        .server
        .sql("create table west partition of visits for values in ('CA', 'OR')");
    loaded.input("1", "5,OR,5\n6,WA,6\n7,,7");
    loaded.run().expect_code(0);
    assert_eq!(loaded.server.sql("select id from west"), ["5"]);
    assert_eq!(loaded.rows(), ["5|OR|5", "6|WA|6", "7||7"]);
    assert_eq!(loaded.server.sql(leaves), ["5"]);
    // A table of somebody else's with the name of a partition.
    loaded.server.sql("create table visits_nv (n int)");
    loaded.input("1", "8,nv,8");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["8|nv|8"]);
    // A key that is not kept apart over partitions is refused, and so are other types.
    for (ddl, what) in [
        (
            "{ partition_by = \"state\", primary_key = \"id\" }",
            "the primary key does not have 'state'",
        ),
        (
            "{ partition_by = \"month(id)\" }",
            "partition by dates or timestamps",
        ),
        ("{ partition_by = \"nowhere\" }", "which is not written"),
    ] {
        loaded.scene.file(
            "pipeline.toml",
            pipeline(&format!("table = \"visits\"\nddl = {ddl}")),
        );
        let refused = loaded.run().expect_code(2);
        assert!(refused.stderr.contains(what), "{}", refused.stderr);
    }
}
