//! Servers in trouble while rows are loaded: a full disk, a statement that takes too long, a deadlock. Each is told,
//! nothing is half done, and every row is there once in the end.

use std::time::{Duration, Instant};

use weir_tests::{Ended, MariaDb, Postgres, Scene};

/// A scene whose one step appends `id,state` to `visits`.
struct Appending<'a> {
    scene: Scene,
    url: &'a dyn Fn() -> String,
}

impl<'a> Appending<'a> {
    fn new(kind: &str, more: &str, mode: &str, url: &'a dyn Fn() -> String) -> Appending<'a> {
        let scene = Scene::new();
        scene.file(
            "pipeline.toml",
            format!(
                r#"
weir = 1
name = "load"
[connections.warehouse]
kind = "{kind}"
url = {{ env = "WAREHOUSE_URL" }}
tls = "off"
{more}
[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64", state = "string" }} }}
write = {{ connection = "warehouse", table = "visits", mode = "{mode}" }}
"#
            ),
        );
        Appending { scene, url }
    }

    fn input(&self, name: &str, rows: &str) {
        let text = format!("id,state\n{rows}\n");
        self.scene.file(&format!("in/{name}.csv"), text);
    }

    fn run(&self) -> Ended {
        let file = self.scene.path("pipeline.toml");
        let mut command = self.scene.run_command(&file, &[]);
        command.env("WAREHOUSE_URL", (self.url)());
        Ended::from(command.output().unwrap()).hides(&["canary"])
    }
}

/// Waits until `sql` gives this one value.
fn until(sql: impl Fn() -> Vec<String>, value: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    while sql() != [value] {
        assert!(Instant::now() < until, "it is never {value}: {:?}", sql());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs while another session holds what `held` locks: that it does, `is_held` says with a 1.
fn run_beside(
    sql: &(dyn Fn(&str) -> Vec<String> + Sync),
    held: &str,
    is_held: &str,
    run: impl FnOnce() -> Ended,
) -> Ended {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| sql(held));
        until(|| sql(is_held), "1");
        let ended = run();
        other.join().unwrap();
        ended
    })
}

#[test]
fn a_full_disk_of_postgresql_is_told_and_the_load_goes_on_once_there_is_room() {
    let server = std::cell::RefCell::new(Postgres::start());
    let url = || server.borrow().url(server.borrow().port());
    let loaded = Appending::new("postgres", "", "append", &url);
    loaded.input("1", "1,NY");
    loaded.run().expect_code(0);
    // Nothing of the table is in what the server reads again after a crash.
    server.borrow().sql("checkpoint");
    let file = server.borrow().sql("select pg_relation_filepath('visits')");
    let file = server.borrow().data().join(&file[0]);
    let kept = file.with_extension("kept");
    server.borrow_mut().crash();
    std::fs::rename(&file, &kept).unwrap();
    // A disk on which there is never room.
    std::os::unix::fs::symlink("/dev/full", &file).unwrap();
    server.borrow_mut().up();
    loaded.input("2", "2,CA\n3,TX");
    loaded.run().expect_code(75).says(&[
        "warehouse:visits: the load did not go through",
        "No space left on device",
        "run the same command again",
    ]);
    server.borrow_mut().crash();
    std::fs::remove_file(&file).unwrap();
    std::fs::rename(&kept, &file).unwrap();
    server.borrow_mut().up();
    loaded.run().expect_code(0);
    let rows = server
        .borrow()
        .sql("select id, state from visits order by id");
    assert_eq!(rows, ["1|NY", "2|CA", "3|TX"]);
}

#[test]
fn a_full_disk_of_mariadb_is_told_and_the_load_goes_on_once_there_is_room() {
    // All tables in one file, which does not grow.
    let file = |grows: &str| {
        [
            "--innodb-file-per-table=0".to_owned(),
            format!("--innodb-data-file-path=ibdata1:12M{grows}"),
        ]
    };
    let server = std::cell::RefCell::new(MariaDb::start());
    let url = || server.borrow().url(server.borrow().port());
    let loaded = Appending::new("mysql", "", "append", &url);
    server.borrow_mut().restart_with(&file(""));
    loaded.input("1", "1,NY");
    loaded.run().expect_code(0);
    let long = "x".repeat(400);
    let rows: Vec<String> = (2..60_000).map(|id| format!("{id},{long}")).collect();
    loaded.input("2", &rows.join("\n"));
    loaded.run().expect_code(75).says(&[
        "warehouse:visits: the load did not go through",
        "The table 'visits' is full",
        "run the same command again",
    ]);
    assert_eq!(
        server.borrow().sql("select id, state from visits"),
        ["1|NY"]
    );
    server.borrow_mut().restart_with(&file(":autoextend"));
    loaded.run().expect_code(0);
    let counted = "select count(*), count(distinct id), max(id) from visits";
    assert_eq!(server.borrow().sql(counted), ["59999|59999|59999"]);
}

#[test]
fn a_statement_of_postgresql_that_takes_too_long_is_stopped() {
    let server = Postgres::start();
    let url = || server.url(server.port());
    let loaded = Appending::new("postgres", "statement_timeout = \"500ms\"", "append", &url);
    loaded.input("1", "1,NY");
    loaded.run().expect_code(0);
    loaded.input("2", "2,CA");
    run_beside(
        &|sql| server.sql(sql),
        "begin; lock table visits in access exclusive mode; select pg_sleep(8); commit",
        "select count(*) from pg_locks where relation = 'visits'::regclass and granted and mode = 'AccessExclusiveLock'",
        || loaded.run(),
    )
    .expect_code(1)
    .says(&[
        "statement timeout (SQLSTATE 57014)",
        "raise `statement_timeout`",
        "the next run finishes it",
    ]);
    loaded.run().expect_code(0);
    let rows = server.sql("select id, state from visits order by id");
    assert_eq!(rows, ["1|NY", "2|CA"]);
}

#[test]
fn a_statement_of_mariadb_that_takes_too_long_is_stopped() {
    let server = MariaDb::start();
    let url = || server.url(server.port());
    let loaded = Appending::new("mysql", "statement_timeout = \"500ms\"", "append", &url);
    loaded.input("1", "1,NY");
    loaded.run().expect_code(0);
    loaded.input("2", "2,CA");
    run_beside(
        &|sql| server.sql(sql),
        "lock tables visits write; do sleep(8)",
        "select count(*) from information_schema.processlist where info like 'do sleep(8)%'",
        || loaded.run(),
    )
    .expect_code(1)
    .says(&["(error 1969", "raise `statement_timeout`"]);
    loaded.run().expect_code(0);
    let rows = server.sql("select id, state from visits order by id");
    assert_eq!(rows, ["1|NY", "2|CA"]);
}

#[test]
fn a_load_into_postgresql_that_ends_in_a_deadlock_is_made_again() {
    let server = Postgres::start();
    let url = || server.url(server.port());
    let loaded = Appending::new("postgres", "", "append", &url);
    loaded.input("1", "1,NY");
    loaded.run().expect_code(0);
    // The load looks last, so that it is the one that is ended.
    server.sql("alter role weir set deadlock_timeout = '8s'");
    loaded.input("2", "2,CA");
    run_beside(
        &|sql| server.sql(sql),
        "begin; set local deadlock_timeout = '1h';
         lock table visits in access exclusive mode; select pg_sleep(5);
         select pg_advisory_xact_lock(hashtextextended(app_id, 0)) from _weir_loads; commit",
        "select count(*) from pg_locks where relation = 'visits'::regclass and granted and mode = 'AccessExclusiveLock'",
        || loaded.run(),
    )
    .expect_code(0);
    let rows = server.sql("select id, state from visits order by id");
    assert_eq!(rows, ["1|NY", "2|CA"]);
    let deadlocks = "select deadlocks from pg_stat_database where datname = 'weir'";
    until(|| server.sql(deadlocks), "1");
}

#[test]
fn a_load_into_mariadb_that_ends_in_a_deadlock_is_made_again() {
    let server = MariaDb::start();
    let url = || server.url(server.port());
    let loaded = Appending::new("mysql", "", "replace", &url);
    loaded.input("1", "1,NY\n2,CA");
    loaded.run().expect_code(0);
    server.sql("create table others (n int); alter table visits add index (id)");
    loaded.input("1", "3,TX\n4,WA");
    // Who has changed fewer rows is the one that is ended.
    run_beside(
        &|sql| server.sql(sql),
        "start transaction;
         insert into others with recursive n as (select 1 as i union all select i + 1 from n where i < 900) select i from n;
         select id from visits where id = 2 for update; do sleep(5);
         select id from visits where id = 1 for update; commit",
        "select count(*) from information_schema.processlist where info like 'do sleep(5)%'",
        || loaded.run(),
    )
    .expect_code(0);
    let rows = server.sql("select id, state from visits order by id");
    assert_eq!(rows, ["3|TX", "4|WA"]);
    let deadlocks = "select variable_value from information_schema.global_status where variable_name = 'INNODB_DEADLOCKS'";
    assert_eq!(server.sql(deadlocks), ["1"]);
}
