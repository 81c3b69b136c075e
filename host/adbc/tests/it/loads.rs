//! Loads that happen once.

use arrow::error::ArrowError;
use weir_adbc::{Connection, Load, Outcome, Table, Vendor, Via, What, create_table_sql, load};

use crate::driver::{file, memory};
use crate::rows::{Batches, batch, number, numbers, reader, schema, texts};

const VIAS: [Via; 2] = [Via::Transaction, Via::Staging];

fn create(table: &str) -> String {
    create_table_sql(Vendor::DuckDb, &Table::from(table), &schema()).unwrap()
}

fn load_of<'a>(create: &'a str, version: i64, batches: Batches, via: Via) -> Load<'a> {
    Load {
        table: Table::from("claims"),
        application: "pipeline/it's \\ 'quoted' 𝄞",
        run: "run's \\",
        version,
        create: Some(create),
        delete: None,
        rows: reader(batches),
        via,
        merge: None,
    }
}

fn run(
    connection: &mut Connection,
    version: i64,
    batches: Batches,
    via: Via,
) -> Result<Outcome, weir_adbc::Error> {
    load(
        connection,
        load_of(&create("claims"), version, batches, via),
    )
}

fn loaded(rows: u64) -> Outcome {
    Outcome::Loaded { rows, left: None }
}

fn tables(connection: &mut Connection) -> Vec<String> {
    texts(
        connection,
        "select table_name from duckdb_tables() order by 1",
    )
}

#[test]
fn a_version_is_loaded_once() {
    for via in VIAS {
        let mut connection = memory();
        let rows = || vec![Ok(batch(0, 3000)), Ok(batch(3000, 10))];
        assert_eq!(run(&mut connection, 1, rows(), via).unwrap(), loaded(3010));
        for _ in 0..2 {
            let again = run(&mut connection, 1, rows(), via).unwrap();
            assert_eq!(again, Outcome::AlreadyLoaded { version: 1 });
        }
        assert_eq!(
            run(&mut connection, 5, vec![Ok(batch(9000, 1))], via).unwrap(),
            loaded(1)
        );
        for version in [5, 4, 1, -1, i64::MIN] {
            let lower = run(&mut connection, version, rows(), via).unwrap();
            assert_eq!(lower, Outcome::AlreadyLoaded { version: 5 });
        }
        assert_eq!(number(&mut connection, "select count(*) from claims"), 3011);
        assert_eq!(
            number(&mut connection, "select count(distinct id) from claims"),
            3011
        );
        assert_eq!(
            numbers(&mut connection, "select version from _weir_loads"),
            [5]
        );
        let names = texts(&mut connection, "select app_id from _weir_loads");
        assert_eq!(names, ["pipeline/it's \\ 'quoted' 𝄞"]);
        let recent = "select count(*) from _weir_loads where loaded_at between now() - interval 1 hour and now()";
        assert_eq!(number(&mut connection, recent), 1);
        assert_eq!(tables(&mut connection), ["_weir_loads", "claims"]);
        // `not null` of the schema is the table's.
        connection
            .execute("insert into claims values (null, null)")
            .unwrap_err();
    }
}

#[test]
fn applications_do_not_know_each_other() {
    let mut connection = memory();
    for application in ["a", "A", "a'; delete from _weir_loads; --"] {
        let create = create("claims");
        let mut one = load_of(&create, 3, vec![Ok(batch(0, 2))], Via::Auto);
        one.application = application;
        assert_eq!(load(&mut connection, one).unwrap(), loaded(2));
    }
    assert_eq!(
        number(&mut connection, "select count(*) from _weir_loads"),
        3
    );
    assert_eq!(number(&mut connection, "select count(*) from claims"), 6);
}

#[test]
fn what_is_deleted_and_what_is_loaded_is_one() {
    for via in VIAS {
        let mut connection = memory();
        run(&mut connection, 1, vec![Ok(batch(0, 10))], via).unwrap();
        let create = create("claims");
        let mut replace = load_of(&create, 2, vec![Ok(batch(100, 2))], via);
        replace.delete = Some("delete from claims where id < 8");
        assert_eq!(load(&mut connection, replace).unwrap(), loaded(2));
        let ids = numbers(&mut connection, "select id from claims order by id");
        assert_eq!(ids, [8, 9, 100, 101]);
        // A skipped load deletes nothing.
        let mut skipped = load_of(&create, 2, vec![], via);
        skipped.delete = Some("delete from claims");
        load(&mut connection, skipped).unwrap();
        assert_eq!(number(&mut connection, "select count(*) from claims"), 4);
        // A failed one neither.
        let rows = vec![Ok(batch(7, 1)), Err(ArrowError::ComputeError("x".into()))];
        let mut failed = load_of(&create, 3, rows, via);
        failed.delete = Some("delete from claims");
        load(&mut connection, failed).unwrap_err();
        assert_eq!(number(&mut connection, "select count(*) from claims"), 4);
        assert_eq!(
            numbers(&mut connection, "select version from _weir_loads"),
            [2]
        );
    }
}

#[test]
fn rows_of_the_same_keys_are_replaced() {
    for via in VIAS {
        let mut connection = memory();
        let create = "create table if not exists claims (id bigint primary key, name varchar)";
        for version in 1..4 {
            let mut one = load_of(create, version, vec![Ok(batch(0, 5000))], via);
            one.delete = Some("delete from claims");
            let outcome = load(&mut connection, one);
            assert_eq!(outcome.unwrap(), loaded(5000), "{via:?} {version}");
        }
        assert_eq!(number(&mut connection, "select count(*) from claims"), 5000);
    }
}

#[test]
fn a_failure_leaves_nothing() {
    for via in VIAS {
        let mut connection = memory();
        // Enough for DuckDB to have written some of it.
        let mut rows: Batches = (0..60).map(|n| Ok(batch(n * 10_000, 10_000))).collect();
        rows.push(Err(ArrowError::ComputeError("canary".into())));
        let error = run(&mut connection, 1, rows, via).unwrap_err();
        assert_eq!(error.what(), &What::RowsUnreadable);
        assert!(!connection.in_transaction());
        if via == Via::Transaction {
            assert_eq!(tables(&mut connection), Vec::<String>::new());
        } else {
            assert_eq!(number(&mut connection, "select count(*) from claims"), 0);
            assert_eq!(
                number(&mut connection, "select count(*) from _weir_loads"),
                0
            );
            assert_eq!(tables(&mut connection), ["_weir_loads", "claims"]);
        }
        // The connection is as good as before.
        assert_eq!(
            run(&mut connection, 1, vec![Ok(batch(0, 4))], via).unwrap(),
            loaded(4)
        );
        // Rows that a key refuses, after others that it does not.
        connection
            .execute("create unique index one on claims (id)")
            .unwrap();
        let rows = vec![Ok(batch(50, 10)), Ok(batch(0, 1))];
        let error = run(&mut connection, 2, rows, via).unwrap_err();
        assert_eq!(
            error.what(),
            &What::ConstraintViolated,
            "{via:?} {:?}",
            error.driver_message()
        );
        assert_eq!(number(&mut connection, "select count(*) from claims"), 4);
        assert_eq!(
            numbers(&mut connection, "select version from _weir_loads"),
            [1]
        );
        assert_eq!(tables(&mut connection), ["_weir_loads", "claims"]);
    }
}

/// The ledger's row is the last that is written, and the rows are not kept without it.
#[test]
fn rows_are_not_kept_without_the_ledger_s_row() {
    for via in VIAS {
        let mut connection = memory();
        let ledger = "create table _weir_loads (app_id varchar primary key, \
                      version bigint check (version <> 5), run varchar, loaded_at timestamptz)";
        connection.execute(ledger).unwrap();
        for (version, count) in [(4, 3), (5, 3), (6, 6)] {
            let outcome = run(&mut connection, version, vec![Ok(batch(0, 3))], via);
            if version == 5 {
                let error = outcome.unwrap_err();
                assert_eq!(error.what(), &What::ConstraintViolated);
                assert!(
                    error
                        .to_string()
                        .starts_with("cannot use the ledger of loads: ")
                );
            } else {
                assert_eq!(outcome.unwrap(), loaded(3));
            }
            let there = number(&mut connection, "select count(*) from claims");
            assert_eq!(there, count, "{via:?} {version}");
        }
    }
}

#[test]
fn wrong_sql_leaves_nothing_either() {
    let mut connection = memory();
    let create = create("claims");
    run(&mut connection, 1, vec![Ok(batch(0, 4))], Via::Auto).unwrap();
    let mut wrong = load_of(&create, 2, vec![Ok(batch(0, 4))], Via::Auto);
    wrong.delete = Some("delete from nowhere");
    let error = load(&mut connection, wrong).unwrap_err();
    assert!(matches!(error.what(), What::TableMissing { .. }));
    let wrong = load_of("create table", 2, vec![Ok(batch(0, 4))], Via::Auto);
    let error = load(&mut connection, wrong).unwrap_err();
    assert_eq!(error.what(), &What::StatementInvalid);
    assert!(error.to_string().starts_with("cannot create claims: "));
    assert_eq!(number(&mut connection, "select count(*) from claims"), 4);
    connection.begin().unwrap();
    let error = run(&mut connection, 2, vec![], Via::Auto).unwrap_err();
    assert_eq!(error.what(), &What::InTransaction);
}

#[test]
fn the_ledger_is_beside_the_table() {
    let mut connection = memory();
    connection.execute("create schema \"my schema\"").unwrap();
    let table = Table {
        catalog: Some("memory"),
        schema: Some("my schema"),
        name: "select",
    };
    for via in VIAS {
        let create = create_table_sql(Vendor::DuckDb, &table, &schema()).unwrap();
        let mut one = load_of(&create, 1, vec![Ok(batch(0, 4))], via);
        one.table = table;
        one.application = if via == Via::Staging { "s" } else { "t" };
        assert_eq!(load(&mut connection, one).unwrap(), loaded(4));
    }
    assert_eq!(
        number(
            &mut connection,
            "select count(*) from \"my schema\"._weir_loads"
        ),
        2
    );
    assert_eq!(
        number(
            &mut connection,
            "select count(*) from \"my schema\".\"select\""
        ),
        8
    );
    assert_eq!(tables(&mut connection), ["_weir_loads", "select"]);
}

#[test]
fn a_ledger_that_others_wrote_to_is_not_believed() {
    let mut connection = memory();
    connection
        .execute(
            "create table _weir_loads (app_id varchar, version varchar, run varchar, loaded_at timestamp)",
        )
        .unwrap();
    for version in ["'canary'", "null"] {
        connection.execute("delete from _weir_loads").unwrap();
        let row = format!("insert into _weir_loads select 'a', {version}, 'run', now()");
        connection.execute(&row).unwrap();
        let create = create("claims");
        let mut one = load_of(&create, 1, vec![Ok(batch(0, 4))], Via::Auto);
        one.application = "a";
        let error = load(&mut connection, one).unwrap_err();
        assert_eq!(error.what(), &What::LedgerUnreadable);
        assert!(!error.to_string().contains("canary"));
    }
}

/// Many load the same versions at once: each version comes in once, whoever was faster.
#[test]
fn loads_at_once_take_turns() {
    for via in VIAS {
        let dir = tempfile::tempdir().unwrap();
        let database = file(&dir.path().join("t.duckdb"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut connection = database.connect().unwrap();
                scope.spawn(move || {
                    for version in 1..=10 {
                        loop {
                            let rows = vec![Ok(batch(version * 1000, 100))];
                            match run(&mut connection, version, rows, via) {
                                Ok(_) => break,
                                // The key keeps the second of two first loads out.
                                Err(error) => assert!(
                                    matches!(
                                        error.what(),
                                        What::Conflict | What::ConstraintViolated
                                    ),
                                    "{error:?} {:?}",
                                    error.driver_message()
                                ),
                            }
                        }
                    }
                });
            }
        });
        let mut connection = database.connect().unwrap();
        let versions = "select version from _weir_loads";
        assert_eq!(numbers(&mut connection, versions), [10]);
        // A version that was overtaken is skipped; none comes in twice.
        let twice = "select count(*) from (select id from claims group by id having count(*) > 1)";
        assert_eq!(number(&mut connection, twice), 0);
        let whole = "select count(*) from (select id // 1000 from claims group by 1 having count(*) <> 100)";
        assert_eq!(number(&mut connection, whole), 0);
    }
}
