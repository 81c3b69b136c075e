//! SQL that databases run: statements counted once, views, their order among steps, and what is refused.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use rusqlite::Connection;
use weir_tests::{Ended, MariaDb, Postgres, Scene};

/// Which database runs the SQL.
enum Database {
    Postgres(Postgres),
    Maria(Box<MariaDb>),
    Sqlite,
}

/// A scene whose pipeline loads `visits` and has SQL run.
struct Ran {
    scene: Scene,
    database: Database,
}

/// A step that loads the input into `visits`.
const LOAD: &str = r#"
[[step]]
name = "load"
read = { files = "in/*.csv", format = "csv", schema = { id = "int64", state = "string" } }
write = { connection = "mart", table = "visits" }
"#;

impl Ran {
    fn new(database: Database, steps: &str) -> Ran {
        let ran = Ran {
            scene: Scene::new(),
            database,
        };
        ran.scene.file("in/1.csv", "id,state\n1,NY\n2,CA\n3,NY\n");
        ran.pipeline(steps);
        ran
    }

    fn postgres(steps: &str) -> Ran {
        Ran::new(Database::Postgres(Postgres::start()), steps)
    }

    fn maria(steps: &str) -> Ran {
        Ran::new(Database::Maria(Box::new(MariaDb::start())), steps)
    }

    fn pipeline(&self, steps: &str) {
        let connection = match self.database {
            Database::Postgres(_) => "kind = \"postgres\"\nurl = { env = \"MART_URL\" }",
            Database::Maria(_) => "kind = \"mysql\"\nurl = { env = \"MART_URL\" }\ntls = \"off\"",
            Database::Sqlite => "kind = \"sqlite\"\npath = \"mart.sqlite\"",
        };
        self.scene.file(
            "pipeline.toml",
            format!(
                "weir = 1\nname = \"mart\"\n[zone.raw]\n[params.state]\ntype = \"string\"\ndefault = \"NY\"\n[connections.mart]\n{connection}\n{steps}"
            ),
        );
    }

    fn run(&self, more: &[&str]) -> Ended {
        self.run_at(None, more)
    }

    /// With the server behind another port.
    fn run_at(&self, port: Option<u16>, more: &[&str]) -> Ended {
        let mut command = self
            .scene
            .run_command(&self.scene.path("pipeline.toml"), &[]);
        command.args(more);
        match &self.database {
            Database::Postgres(server) => {
                command.env("MART_URL", server.url(port.unwrap_or(server.port())));
            }
            Database::Maria(server) => {
                command.env("MART_URL", server.url(port.unwrap_or(server.port())));
            }
            Database::Sqlite => {}
        }
        Ended::from(command.output().unwrap())
    }

    fn plan(&self) -> Ended {
        let mut command = self.scene.weir(["plan"]);
        command
            .arg(self.scene.path("pipeline.toml"))
            .arg("--lake")
            .arg(self.scene.lake());
        match &self.database {
            Database::Postgres(server) => {
                command.env("MART_URL", server.url(server.port()));
            }
            Database::Maria(server) => {
                command.env("MART_URL", server.url(server.port()));
            }
            Database::Sqlite => {}
        }
        Ended::from(command.output().unwrap())
    }

    /// The first column of the rows.
    fn sql(&self, sql: &str) -> Vec<String> {
        match &self.database {
            Database::Postgres(server) => server.sql(sql),
            Database::Maria(server) => server.sql(&format!("use weir; {sql}")),
            Database::Sqlite => {
                let file = Connection::open(self.scene.path("mart.sqlite")).unwrap();
                if !sql.starts_with("select") {
                    file.execute_batch(sql).unwrap();
                    return Vec::new();
                }
                let mut statement = file.prepare(sql).unwrap();
                let rows = statement.query_map([], |row| {
                    row.get_ref(0).map(|value| match value {
                        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                        other => other.as_str().unwrap().to_owned(),
                    })
                });
                rows.unwrap().map(Result::unwrap).collect()
            }
        }
    }
}

/// Statements between a load and a step that reads what they have made of it.
fn counted_once(ran: &Ran) {
    ran.sql("create table runs (n int, state varchar(20)); insert into runs values (0, '')");
    ran.scene.file(
        "more.sql",
        "-- ; not a statement\nupdate runs set n = n + 1, state = $state;\ndelete from visits where state <> $state;\n",
    );
    let steps = r#"
[[step]]
name = "count"
run = { connection = "mart", sql = { file = "more.sql" } }
[[step]]
name = "after"
read = { sql = "select id from mart.visits order by id" }
write = { table = "raw.out" }
"#;
    ran.pipeline(&format!("{LOAD}{steps}"));
    let plan = ran.plan();
    let plan = plan.expect_code(0);
    assert!(
        plan.stdout.contains("2. count  after load"),
        "{}",
        plan.stdout
    );
    assert!(
        plan.stdout.contains("in 'mart': 2 statements"),
        "{}",
        plan.stdout
    );
    ran.run(&[]).expect_code(0);
    let out = || ran.scene.sql_csv("select id from raw.out order by id")[1..].to_vec();
    assert_eq!(out(), ["1", "3"]);
    assert_eq!(ran.sql("select state from runs"), ["NY"]);
    // Each run does it once; another parameter has decisions of its own.
    ran.run(&["--param", "state=O'N\"';--"]).expect_code(0);
    assert_eq!(ran.sql("select state from runs"), ["O'N\"';--"]);
    assert_eq!(ran.sql("select n from runs"), ["2"]);
    assert!(out().is_empty());
    let applications = "select count(*) from _weir_loads where app_id like '%(sql)%'";
    assert_eq!(ran.sql(applications), ["2"]);
    // Nothing is left of statements before one that fails, and nothing is decided for good.
    ran.scene.file(
        "more.sql",
        "update runs set n = 100; update runs set nowhere = 1",
    );
    let failed = ran.run(&[]);
    let failed = failed.expect_code(1);
    assert!(failed.stderr.contains("statement 2"), "{}", failed.stderr);
    assert!(failed.stderr.contains("nowhere"), "{}", failed.stderr);
    assert_eq!(ran.sql("select n from runs"), ["2"]);
    ran.scene.file("more.sql", "update runs set n = n + 1");
    ran.run(&[]).expect_code(0);
    assert_eq!(ran.sql("select n from runs"), ["3"]);
}

#[test]
fn statements_are_counted_once_in_postgres() {
    counted_once(&Ran::postgres(""));
}

#[test]
fn statements_are_counted_once_in_mariadb() {
    counted_once(&Ran::maria(""));
}

#[test]
fn statements_are_counted_once_in_sqlite() {
    counted_once(&Ran::new(Database::Sqlite, ""));
}

/// Lets bytes through, and cuts the connection when the client has sent `word`; what it has sent goes through,
/// and the answer does not.
fn cutting(upstream: u16, word: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut cut = false;
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", upstream)).unwrap();
            let (mut answers, mut back) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            let first = !std::mem::replace(&mut cut, true);
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = answers.read(&mut bytes) {
                    if back.write_all(&bytes[..read]).is_err() {
                        break;
                    }
                }
                let _ = back.shutdown(Shutdown::Both);
            });
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = client.read(&mut bytes) {
                    let sent = &bytes[..read];
                    let said = sent
                        .windows(word.len())
                        .any(|part| part.eq_ignore_ascii_case(word));
                    if first && said {
                        // The client is gone before the server answers.
                        let _ = client.shutdown(Shutdown::Both);
                        let _ = server.write_all(sent);
                        std::thread::sleep(std::time::Duration::from_millis(200));
                        break;
                    }
                    if server.write_all(sent).is_err() {
                        break;
                    }
                }
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    port
}

/// A commit whose answer is lost is not done again.
fn survives_a_lost_answer(ran: &Ran, port: u16) {
    ran.sql("create table runs (n int); insert into runs values (0)");
    ran.pipeline(
        "[[step]]\nname = \"count\"\nrun = { connection = \"mart\", sql = \"update runs set n = n + 1\" }\n",
    );
    ran.run_at(Some(cutting(port, b"commit")), &[])
        .expect_code(0);
    assert_eq!(ran.sql("select n from runs"), ["1"]);
    ran.run_at(Some(cutting(port, b"update runs")), &[])
        .expect_code(0);
    assert_eq!(ran.sql("select n from runs"), ["2"]);
}

#[test]
fn a_lost_answer_is_settled_in_postgres() {
    let server = Postgres::start();
    let port = server.port();
    survives_a_lost_answer(&Ran::new(Database::Postgres(server), ""), port);
}

#[test]
fn a_lost_answer_is_settled_in_mariadb() {
    let server = MariaDb::start();
    let port = server.port();
    survives_a_lost_answer(&Ran::new(Database::Maria(Box::new(server)), ""), port);
}

fn view(sql: &str, more: &str) -> String {
    format!("{LOAD}[[view]]\nname = \"by_state\"\nconnection = \"mart\"\nsql = \"{sql}\"\n{more}\n")
}

/// A view that is made, left, changed, and changed in its columns.
fn views(ran: &Ran) {
    let of = |sql: &str| ran.pipeline(&view(sql, ""));
    of("select state, count(*) as n from visits group by state");
    ran.run(&[]).expect_code(0);
    let rows = || ran.sql("select n from by_state order by n");
    assert_eq!(rows(), ["1", "2"]);
    ran.run(&[]).expect_code(0);
    assert_eq!(rows(), ["1", "2"]);
    of("select state, count(*) + 10 as n from visits where state = $state group by state");
    ran.run(&[]).expect_code(0);
    assert_eq!(rows(), ["12"]);
    // Other columns.
    of("select count(*) as n from visits");
    ran.run(&[]).expect_code(0);
    assert_eq!(rows(), ["3"]);
    let failed = {
        of("select nowhere from visits");
        ran.run(&[])
    };
    let failed = failed.expect_code(1);
    assert!(failed.stderr.contains("nowhere"), "{}", failed.stderr);
    assert_eq!(rows(), ["3"], "the view stays as it was");
}

#[test]
fn views_in_postgres() {
    let ran = Ran::postgres("");
    views(&ran);
    // What looks at a view keeps it from getting other columns, and is told.
    ran.sql("create view above as select n from by_state");
    ran.pipeline(&view("select n, n as m from (select 1::bigint as n) x", ""));
    ran.run(&[]).expect_code(0);
    ran.pipeline(&view("select 1 as m", ""));
    let failed = ran.run(&[]);
    let failed = failed.expect_code(1);
    assert!(failed.stderr.contains("2BP01"), "{}", failed.stderr);
}

#[test]
fn views_in_mariadb() {
    let ran = Ran::maria("");
    ran.sql("grant create view, drop on weir.* to 'weir'@'%'");
    views(&ran);
}

#[test]
fn views_in_sqlite() {
    let ran = Ran::new(Database::Sqlite, "");
    views(&ran);
    ran.pipeline(&view("select 1", "materialized = true"));
    let refused = ran.plan();
    let refused = refused.expect_code(2);
    assert!(
        refused.stderr.contains("belongs to PostgreSQL"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_materialized_view_gets_its_rows_anew() {
    let ran = Ran::postgres("");
    ran.sql("create role reporting");
    let sql = "select state, count(*) as n from visits group by state";
    let kept = "materialized = true\ngrants = [\"reporting\"]";
    ran.pipeline(&view(sql, kept));
    ran.run(&[]).expect_code(0);
    let rows = || ran.sql("select n from by_state order by n");
    assert_eq!(rows(), ["1", "2"]);
    let made = ran.sql("select 'by_state'::regclass::oid");
    ran.scene.file("in/1.csv", "id,state\n1,NY\n");
    ran.run(&[]).expect_code(0);
    assert_eq!(rows(), ["1"]);
    assert_eq!(
        ran.sql("select 'by_state'::regclass::oid"),
        made,
        "it is refreshed"
    );
    let may = "select has_table_privilege('reporting', 'by_state', 'select')";
    assert_eq!(ran.sql(may), ["t"]);
    // It becomes a view, and back.
    for (more, kind) in [("", "v"), (kept, "m")] {
        ran.pipeline(&view(sql, more));
        ran.run(&[]).expect_code(0);
        assert_eq!(
            ran.sql("select relkind from pg_class where relname = 'by_state'"),
            [kind]
        );
    }
    ran.sql("drop materialized view by_state; create table by_state (n int)");
    let failed = ran.run(&[]);
    let failed = failed.expect_code(1);
    assert!(failed.stderr.contains("is no view"), "{}", failed.stderr);
}

/// A place without a value would be null in SQLite; and what it says of SQL quotes none of it.
#[test]
fn sqlite_gives_no_nulls_and_no_values_away() {
    let ran = Ran::new(Database::Sqlite, "");
    ran.sql("create table runs (n int, state text); insert into runs values (1, 'x')");
    for (sql, what) in [
        ("update runs set n = :n", "have no value here"),
        (
            "update runs set nowhere = 'canary'",
            "no such column: nowhere",
        ),
    ] {
        ran.pipeline(&format!(
            "[[step]]\nname = \"count\"\nrun = {{ connection = \"mart\", sql = \"{sql}\" }}\n"
        ));
        let refused = ran.run(&[]).expect_code(1);
        assert!(refused.stderr.contains(what), "{}", refused.stderr);
        assert!(!refused.stderr.contains("canary"), "{}", refused.stderr);
    }
    assert_eq!(ran.sql("select n from runs"), ["1"]);
}

/// SQL that moves the session elsewhere does not move the ledger, and a server's clock does not move partitions.
#[test]
fn the_ledger_stays_where_it_is() {
    let ran = Ran::postgres(
        "[[step]]\nname = \"count\"\nrun = { connection = \"mart\", sql = \"set search_path = other; update runs set n = n + 1\" }\n",
    );
    ran.sql(
        "create schema other; create table other.runs (n int); insert into other.runs values (0)",
    );
    ran.run(&[]).expect_code(0);
    ran.run(&[]).expect_code(0);
    assert_eq!(ran.sql("select n from other.runs"), ["2"]);
    assert_eq!(ran.sql("select version from public._weir_loads"), ["1"]);
}

/// SQL that is refused before anything is done.
#[test]
fn what_a_transaction_does_not_allow_is_told_with_its_place() {
    let ran = Ran::new(Database::Sqlite, "");
    let cases = [
        (
            "select 1; commit",
            "`commit` is not for the SQL to say",
            "line 1, column 11",
        ),
        (
            "select $stat",
            "$stat, which is no parameter",
            "the parameters are $state",
        ),
        (
            "select 'a",
            "the SQL cannot be read",
            "close what was opened",
        ),
        ("-- nothing", "the SQL says nothing", "write a statement"),
    ];
    for (sql, what, hint) in cases {
        ran.pipeline(&format!(
            "[[step]]\nname = \"count\"\nrun = {{ connection = \"mart\", sql = \"{sql}\" }}\n"
        ));
        let refused = ran.plan();
        let refused = refused.expect_code(2);
        assert!(refused.stderr.contains(what), "{sql}: {}", refused.stderr);
        assert!(refused.stderr.contains(hint), "{sql}: {}", refused.stderr);
    }
    assert!(!ran.scene.path("mart.sqlite").exists());
}

/// What ends the transaction where no plan can see it is told, since some of it is done.
#[test]
fn a_procedure_that_commits_is_told() {
    let ran = Ran::postgres("");
    ran.sql(
        "create table runs (n int);
         create procedure sneak() language plpgsql as $$ begin insert into runs values (1); end $$",
    );
    let call =
        "[[step]]\nname = \"count\"\nrun = { connection = \"mart\", sql = \"call sneak()\" }\n";
    ran.pipeline(call);
    ran.run(&[]).expect_code(0);
    assert_eq!(ran.sql("select count(*) from runs"), ["1"]);
    let maria = Ran::maria(call);
    maria.sql(
        "create table runs (n int); grant execute on weir.* to 'weir'@'%';\ndelimiter //\ncreate procedure sneak() begin insert into runs values (1); commit; end//\n",
    );
    let told = maria.run(&[]);
    let told = told.expect_code(1);
    assert!(
        told.stderr.contains("has ended the transaction"),
        "{}",
        told.stderr
    );
    // Mended, it runs: the decision of the old SQL is not in the way.
    maria.pipeline(
        "[[step]]\nname = \"count\"\nrun = { connection = \"mart\", sql = \"insert into runs values (2)\" }\n",
    );
    maria.run(&[]).expect_code(0);
    assert_eq!(maria.sql("select n from runs order by n"), ["1", "2"]);
}

/// A dry run has no database run anything.
#[test]
fn a_dry_run_runs_no_sql() {
    let ran = Ran::new(
        Database::Sqlite,
        "[[step]]\nname = \"make\"\nrun = { connection = \"mart\", sql = \"create table made (n int)\" }\n",
    );
    ran.run(&["--dry-run"]).expect_code(0);
    assert!(!ran.scene.path("mart.sqlite").exists());
    ran.run(&[]).expect_code(0);
    assert_eq!(ran.sql("select count(*) from made"), ["0"]);
}
