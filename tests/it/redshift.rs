//! Redshift as a target, as far as a stand-in can tell: every mode and type, what is said to it and in which
//! order, lost answers, and SQL that it runs. No real Redshift is asked.

use weir_s3::{BUCKET, Server};
use weir_tests::{Ended, Postgres, Scene};

use crate::lost_answers::lose_each_answer;
use crate::postgres::{Case, Proxy, csv_of, expect_values};
use crate::redshift_stand_in::StandIn;
use crate::server_columns::{At, columns_meet};

/// A scene with a stand-in, its bucket, and a pipeline of one step.
struct Loaded {
    scene: Scene,
    server: Postgres,
    bucket: Server,
    stand_in: StandIn,
}

const SCHEMA: &str = r#"{ id = "int64", state = "string", version = "int64" }"#;
const ROLE: &str = "iam_role = \"arn:aws:iam::123456789012:role/load\"";

fn pipeline_of(schema: &str, access: &str, write: &str) -> String {
    format!(
        r#"
weir = 1
name = "load"
[zone.raw]
[connections.warehouse]
kind = "redshift"
url = {{ env = "WAREHOUSE_URL" }}
staging = "s3://{BUCKET}/staging"
{access}
[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {schema} }}
[[step.write]]
connection = "warehouse"
{write}
"#
    )
}

fn pipeline(write: &str) -> String {
    pipeline_of(SCHEMA, ROLE, write)
}

impl Loaded {
    fn new(write: &str) -> Loaded {
        let (server, bucket) = (Postgres::start(), Server::start());
        let stand_in = StandIn::start(&server, (BUCKET, &bucket.bucket()));
        let loaded = Loaded {
            scene: Scene::new(),
            server,
            bucket,
            stand_in,
        };
        loaded.pipeline(&pipeline(write));
        loaded
    }

    fn pipeline(&self, text: &str) {
        self.scene.file("pipeline.toml", text);
    }

    fn input(&self, name: &str, rows: &str) {
        let text = format!("id,state,version\n{rows}\n");
        self.scene.file(&format!("in/{name}.csv"), text);
    }

    fn run(&self) -> Ended {
        self.run_at(self.stand_in.port)
    }

    /// With the stand-in behind another port.
    fn run_at(&self, port: u16) -> Ended {
        let file = self.scene.path("pipeline.toml");
        let mut command = self.scene.run_command(&file, &[]);
        command
            .env("WAREHOUSE_URL", self.server.url(port))
            .envs(self.bucket.environment());
        Ended::from(command.output().unwrap())
    }

    fn rows(&self) -> Vec<String> {
        let sql = "select id, state, version from visits order by id, version";
        self.server.sql(sql)
    }

    /// What was said since it was asked last, but for what is asked of the catalogue.
    fn said(&self) -> Vec<String> {
        let mut said = self.stand_in.heard();
        said.retain(|sql| !sql.contains("svv_columns") && !sql.contains("current_schema"));
        said
    }

    /// The files in `staging`; empty folders are none on S3.
    fn staged(&self) -> usize {
        let mut folders = vec![self.bucket.bucket().join("staging")];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else {
                continue;
            };
            for entry in entries.flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => files += 1,
                }
            }
        }
        files
    }
}

#[test]
fn a_load_is_a_copy_and_one_transaction_that_begins_with_the_lock() {
    let loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1\n2,,\n3,\"a|\"\"b\\\",3");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NY|1", "2||", "3|a|\"b\\|3"]);
    let all = loaded.said();
    let begin = all.iter().position(|sql| sql == "begin").unwrap();
    let (before, transaction) = all.split_at(begin);
    let copy = before.last().unwrap();
    assert!(
        copy.starts_with(&format!("copy _weir_stage from 's3://{BUCKET}/staging/"))
            && copy.ends_with(
                "/manifest.json' iam_role 'arn:aws:iam::123456789012:role/load' format as parquet manifest"
            ),
        "{copy}"
    );
    let made = "create temp table _weir_stage (c0 bigint, c1 varchar(65535), c2 bigint)";
    assert_eq!(before[before.len() - 2], made);
    let starts = [
        "begin",
        "lock table \"public\".\"_weir_loads\"",
        "select max(version) from \"public\".\"_weir_loads\" where app_id = 'weir/load/load/",
        "create table \"public\".\"visits\" (\"id\" bigint, \"state\" varchar(65535), \"version\" bigint)",
        "insert into \"public\".\"visits\" (\"id\", \"state\", \"version\") select c0 as \"id\", c1 as \"state\", c2 as \"version\" from _weir_stage",
        "delete from \"public\".\"_weir_loads\" where app_id = ",
        "insert into \"public\".\"_weir_loads\" (app_id, version, run, loaded_at) values (",
        "commit",
    ];
    assert_eq!(transaction.len(), starts.len(), "{transaction:#?}");
    for (said, start) in transaction.iter().zip(starts) {
        assert!(said.starts_with(start), "{said}\nis not\n{start}");
    }
    // Loaded, the files have served.
    assert_eq!(loaded.staged(), 0);
    // The same input is the same decision.
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows().len(), 3);
    loaded.input("1", "4,CA,1");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["4|CA|1"]);
    let said = loaded.said().join("\n");
    assert!(
        said.contains("delete from \"public\".\"visits\"\n"),
        "{said}"
    );
    assert!(!said.contains("truncate"), "{said}");
    // No rows are none, and nothing is copied.
    loaded.input("1", "");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), [""; 0]);
    assert!(!loaded.said().join("\n").contains("copy"));
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
        loaded.pipeline(&pipeline(&write));
    };
    std::fs::remove_file(loaded.scene.path("in/2.csv")).unwrap();
    scope("2024-02-29", "it's \\\\ a");
    loaded.run().expect_code(0);
    scope("2024-03-01", "b");
    loaded.run().expect_code(0);
    loaded.input("1", "8,NY,1\n9,NY,1");
    scope("2024-02-29", "it's \\\\ a");
    loaded.run().expect_code(0);
    let sql = "select id, day, source, n from scoped order by day, source, id";
    assert_eq!(
        loaded.server.sql(sql),
        [
            "8|2024-02-29|it's \\ a|7",
            "9|2024-02-29|it's \\ a|7",
            "1|2024-03-01|b|7"
        ]
    );
    let types = "select format_type(atttypid, atttypmod) from pg_attribute
                 where attrelid = 'scoped'::regclass and attname in ('day', 'source', 'n') order by attname";
    assert_eq!(
        loaded.server.sql(types),
        ["date", "bigint", "character varying(65535)"]
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
    let keep = "table = \"visits\"\nmode = \"merge\"\nkey = \"id\"\nwhen_matched = \"keep\"";
    loaded.pipeline(&pipeline(keep));
    loaded.input("3", "3,NEW,9\n4,NEW,9");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NJ|7", "2|CA|1", "3|TX|1", "4|NEW|9"]);
}

const TYPES: &[Case] = &[
    ("bool", "boolean", &[("true", "true"), ("false", "false")]),
    ("int8", "smallint", &[("-128", "-128"), ("127", "127")]),
    ("uint8", "smallint", &[("255", "255")]),
    ("int16", "smallint", &[("-32768", "-32768")]),
    ("uint16", "integer", &[("65535", "65535")]),
    ("int32", "integer", &[("-2147483648", "-2147483648")]),
    ("uint32", "bigint", &[("4294967295", "4294967295")]),
    (
        "int64",
        "bigint",
        &[
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775807", "9223372036854775807"),
        ],
    ),
    (
        "uint64",
        "numeric(20,0)",
        &[("18446744073709551615", "18446744073709551615")],
    ),
    ("float32", "real", &[("NaN", "NaN"), ("-0.5", "-0.5")]),
    (
        "float64",
        "double precision",
        &[
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
        ],
    ),
    ("decimal(5,2)", "numeric(5,2)", &[("-999.99", "-999.99")]),
    (
        "string",
        "character varying(65535)",
        &[
            ("\"\"\"q\"\"\"", "\"q\""),
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
    loaded.scene.file("in/1.csv", &text);
    loaded.pipeline(&pipeline_of(&schema, ROLE, "table = \"visits\""));
    loaded.run().expect_code(0);
    expect_values(&loaded.server, TYPES);
    // The table that is there takes them again.
    loaded.scene.file("in/2.csv", &text);
    let append = "table = \"visits\"\nmode = \"append\"";
    loaded.pipeline(&pipeline_of(&schema, ROLE, append));
    loaded.run().expect_code(0);
    let rows = text.lines().count() - 1;
    let counted = loaded.server.sql("select count(*) from visits");
    assert_eq!(counted, [(2 * rows).to_string()]);
}

#[test]
fn a_table_is_made_as_the_file_says() {
    let loaded = Loaded::new(
        r#"table = "visits"
ddl = { types = { state = "varchar(2)" }, primary_key = "id", dist_key = "id", sort_key = ["state", "version"], grants = "readers" }"#,
    );
    loaded.server.sql("create role readers");
    loaded.input("1", "1,NY,1");
    loaded.run().expect_code(0);
    let made = "create table \"public\".\"visits\" (\"id\" bigint, \"state\" varchar(2), \"version\" bigint, primary key (\"id\")) diststyle key distkey (\"id\") sortkey (\"state\", \"version\")";
    let said = loaded.said();
    assert!(said.iter().any(|sql| sql == made), "{said:#?}");
    let granted = "grant select on \"public\".\"visits\" to role \"readers\"";
    assert!(said.iter().any(|sql| sql == granted), "{said:#?}");
    // A value that is too long for the column is refused whole.
    loaded.input("1", "1,New York,1");
    loaded
        .run()
        .expect_code(1)
        .says(&["warehouse:visits"])
        .hides(&["New York"]);
    assert_eq!(loaded.rows(), ["1|NY|1"]);
    assert_eq!(loaded.staged(), 0);
    let with = |ddl: &str| {
        let write = format!("table = \"other\"\nddl = {{ {ddl} }}");
        loaded.pipeline(&pipeline(&write));
        loaded.run().expect_code(2)
    };
    with("dist_style = \"even\", dist_key = \"id\"").says(&["`dist_key` already"]);
    with("dist_style = \"any\"").says(&["it is one of: even, all"]);
    with("dist_key = \"nobody\"").says(&["`ddl` names a column 'nobody'"]);
    with("indexes = [\"id\"]").says(&["Redshift has no indexes", "sort_key"]);
    with("partition_by = \"id\"").says(&["`partition_by` belongs to PostgreSQL"]);
}

#[test]
fn hostile_names_are_names() {
    let loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1");
    loaded
        .server
        .sql("create schema \"or\"\"der\"; create schema \"select\"");
    for (table, name) in [
        ("or\\\"der.se'lect; drop", "\"or\"\"der\".\"se'lect; drop\""),
        ("select.table", "\"select\".\"table\""),
        ("a\\\\b", "\"a\\b\""),
    ] {
        for mode in ["mode = \"append\"", "mode = \"merge\"\nkey = \"id\""] {
            loaded.pipeline(&pipeline(&format!("table = \"{table}\"\n{mode}")));
            loaded.run().expect_code(0);
        }
        let rows = loaded
            .server
            .sql(&format!("select distinct id from {name}"));
        assert_eq!(rows, ["1"], "{name}");
    }
    let longest = "é".repeat(63);
    for (table, says) in [
        (format!("{longest}éé"), "more than 127 bytes"),
        ("a.".to_owned(), "a name is empty"),
        ("_weir_loads".to_owned(), "are taken"),
    ] {
        loaded.pipeline(&pipeline(&format!("table = \"{table}\"")));
        loaded.run().expect_code(2).says(&[says]);
    }
}

#[test]
fn whichever_answer_is_lost_rows_are_loaded_once() {
    let loaded = Loaded::new("table = \"visits\"\nmode = \"append\"");
    let proxy = Proxy::start(loaded.stand_in.port, usize::MAX);
    lose_each_answer(
        (&proxy.left, &proxy.seen),
        |name, row| loaded.input(name, row),
        || loaded.run_at(proxy.port),
        || loaded.server.sql("select id from visits order by id"),
    );
}

#[test]
fn what_cannot_be_loaded_is_told_and_nothing_is_half_done() {
    let loaded = Loaded::new("table = \"visits\"\nmode = \"append\"");
    loaded.input("1", &format!("1,{},1", "x".repeat(65_536)));
    loaded.run().expect_code(1).says(&[
        "column 'state'",
        "has 65536 bytes, and Redshift keeps 65535 at most",
    ]);
    loaded.input("1", "1,NY,1");
    // With a key in the statement, what the server says of it is not told.
    let keys = "access_key_id = { env = \"KEY_ID\" }\nsecret_access_key = { env = \"KEY_SECRET\" }";
    let other = pipeline_of(SCHEMA, keys, "table = \"visits\"\nmode = \"append\"")
        .replace("/staging\"", "/other\"");
    loaded.pipeline(&other);
    let with_keys = |secret: &str| {
        let file = loaded.scene.path("pipeline.toml");
        let mut command = loaded.scene.run_command(&file, &[]);
        command
            .env("WAREHOUSE_URL", loaded.server.url(loaded.stand_in.port))
            .envs(loaded.bucket.environment())
            .env("KEY_ID", "AKIACANARY")
            .env("KEY_SECRET", secret);
        Ended::from(command.output().unwrap())
    };
    loaded.said();
    with_keys("s3cr'et\\canary").expect_code(0);
    let said = loaded.said().join("\n");
    let words = "access_key_id 'AKIACANARY' secret_access_key ('s3cr''et' || chr(92) || 'canary')";
    assert!(said.contains(words), "{said}");
    loaded.input("2", "2,NY,1");
    loaded
        .stand_in
        .deny("Access Denied for AKIACANARY with s3cr''et\\canary");
    with_keys("s3cr'et\\canary")
        .expect_code(1)
        .says(&["the copy from S3 is refused", "may read `staging`"])
        .hides(&["AKIACANARY", "s3cr", "canary"]);
    assert_eq!(loaded.rows(), ["1|NY|1"]);
    loaded.pipeline(&pipeline("table = \"visits\"\nmode = \"append\""));
    loaded
        .run()
        .expect_code(1)
        .says(&["Access Denied", "may read `staging`"]);
    loaded.stand_in.deny("");
    loaded.run().expect_code(0);
    assert_eq!(loaded.rows(), ["1|NY|1", "2|NY|1"]);
    assert_eq!(loaded.staged(), 0);

    loaded
        .server
        .sql("create table narrow (id int, state varchar, version bigint)");
    loaded.pipeline(&pipeline("table = \"narrow\"\nmode = \"append\""));
    loaded
        .run()
        .expect_code(2)
        .says(&["'id' is integer in the table and int64 in the rows (read from in/*.csv): it does not hold all of them"]);
    let text = pipeline("table = \"visits\"");
    for (from, to, says) in [
        (ROLE, "", "needs `iam_role`"),
        (ROLE, "iam_role = \"load\"", "no ARN of a role"),
        ("s3://lake/staging", "/staging", "no URL of S3"),
        (
            "kind = \"redshift\"",
            "kind = \"postgres\"",
            "belongs to kind = \"redshift\"",
        ),
    ] {
        loaded.pipeline(&text.replace(from, to));
        loaded.run().expect_code(2).says(&[says]);
    }
    let schema = "{ id = \"int64\", tags = \"list<string>\" }";
    loaded.pipeline(&pipeline_of(schema, ROLE, "table = \"tagged\"").replace("csv", "json"));
    loaded
        .scene
        .file("in/1.json", "{\"id\": 1, \"tags\": []}\n");
    loaded
        .run()
        .expect_code(2)
        .says(&["column 'tags' cannot be kept", "Redshift tables take no"]);
}

#[test]
fn columns_that_differ_become_what_schema_change_says() {
    let loaded = Loaded::new("table = \"visits\"");
    columns_meet(&At {
        scene: &loaded.scene,
        pipeline: &|write| loaded.pipeline(&pipeline(write)),
        input: &|name, rows| loaded.input(name, rows),
        run: &|| loaded.run(),
        sql: &|sql| loaded.server.sql(sql),
        not_null: &|column| {
            loaded.server.sql(&format!(
                "alter table visits alter column {column} set not null"
            ));
        },
        varchar: "character varying",
    });
    let said = loaded.said();
    let added = "alter table \"public\".\"visits\" add column \"state\" varchar(65535)";
    assert!(said.iter().any(|sql| sql == added), "{said:?}");
}

#[test]
fn redshift_runs_sql_and_has_views() {
    let loaded = Loaded::new("table = \"visits\"");
    loaded.input("1", "1,NY,1\n2,CA,1\n3,NY,1");
    let with = |more: &str| loaded.pipeline(&format!("{}{more}", pipeline("table = \"visits\"")));
    let view = |query: &str| {
        format!(
            "\n[[view]]\nname = \"by_state\"\nconnection = \"warehouse\"\ngrants = \"readers\"\nsql = \"{query}\"\n"
        )
    };
    loaded
        .server
        .sql("create role readers; create table log (n bigint)");
    let step = "\n[[step]]\nname = \"count\"\nrun = { connection = \"warehouse\", sql = \"insert into log select count(*) from visits; delete from visits where state = 'CA'\" }\n";
    with(&format!(
        "{step}{}",
        view("select state, count(*) as n from visits group by state")
    ));
    loaded.run().expect_code(0);
    assert_eq!(loaded.server.sql("select n from log"), ["3"]);
    assert_eq!(loaded.server.sql("select * from by_state"), ["NY|2"]);
    // Other columns: the view is made anew.
    with(&format!(
        "{step}{}",
        view("select count(*) as all_of_them from visits")
    ));
    loaded.run().expect_code(0);
    assert_eq!(loaded.server.sql("select * from by_state"), ["2"]);
    let may = "select has_table_privilege('readers', 'by_state', 'select')";
    assert_eq!(loaded.server.sql(may), ["t"]);
    for (sql, says) in [
        (
            "truncate visits",
            "`truncate` does not run within a transaction",
        ),
        (
            "vacuum visits",
            "`vacuum` does not run within a transaction",
        ),
        ("commit", "`commit` is not for the SQL to say"),
    ] {
        with(&format!(
            "\n[[step]]\nname = \"more\"\nrun = {{ connection = \"warehouse\", sql = \"{sql}\" }}\n"
        ));
        loaded.run().expect_code(2).says(&[says]);
    }
    with(
        "\n[[step]]\nname = \"read\"\nread = { sql = \"select * from warehouse.visits\" }\nwrite = { table = \"raw.visits\" }\n",
    );
    loaded
        .run()
        .expect_code(2)
        .says(&["written to Redshift is not read back"]);
}
