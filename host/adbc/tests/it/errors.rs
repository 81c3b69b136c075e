//! Errors: what they are, and that they show no values.

use weir_adbc::{Database, Driver, Error, Status, Table, What};

use crate::driver::{driver, library, memory, option};
use crate::rows::{append, batch, reader};

/// Whatever the driver says, the values are in its words only.
fn shows_no_canary(error: &Error) {
    for shown in [
        error.to_string(),
        format!("{error:?}"),
        error.hint().to_owned(),
    ] {
        assert!(!shown.to_lowercase().contains("canary"), "{shown}");
    }
}

#[test]
fn a_library_that_is_none() {
    let error = Driver::load("/nowhere/libcanary-driver.so", None).unwrap_err();
    assert!(
        matches!(error.what(), What::LibraryNotFound { path } if path.ends_with("libcanary-driver.so"))
    );
    let error = Driver::load("libweir_there_is_no_such_driver.so", None).unwrap_err();
    assert!(
        matches!(error.what(), What::LibraryNotFound { .. }),
        "{error}"
    );
    let text = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(text.path(), "no library").unwrap();
    let error = Driver::load(text.path(), None).unwrap_err();
    assert!(
        matches!(error.what(), What::LibraryUnusable { .. }),
        "{error}"
    );
    assert!(error.driver_message().is_some());
}

#[test]
fn a_library_without_the_function() {
    let error = Driver::load(library(), Some("no_such_init")).unwrap_err();
    let What::NoEntryPoint { tried, .. } = error.what() else {
        panic!("{error}");
    };
    assert_eq!(tried, &["no_such_init"]);
    assert!(error.to_string().ends_with("has no function no_such_init"));
    for name in ["", "a\0b"] {
        let error = Driver::load(library(), Some(name)).unwrap_err();
        assert!(matches!(error.what(), What::NoEntryPoint { .. }));
    }
}

#[test]
fn an_option_that_is_none() {
    let options = [
        option("memory_limit", "1GB"),
        option("no_such_option", "canary"),
    ];
    let error = Database::open(driver(), &options).unwrap_err();
    let refused = |name: &str| What::OptionRefused {
        option: name.to_owned(),
    };
    assert_eq!(error.what(), &refused("no_such_option"));
    shows_no_canary(&error);
    let error = Database::open(driver(), &[option("threads", "canary")]).unwrap_err();
    assert_eq!(error.what(), &refused("threads"));
    assert_eq!(
        error.to_string(),
        "cannot set the option 'threads': the driver does not know it or does not take its value \
         (status INTERNAL)"
    );
    let error = Database::open(driver(), &[option("path", "canary\0")]).unwrap_err();
    assert_eq!(
        error.what(),
        &What::NulInText {
            of: "the option's value"
        }
    );
    shows_no_canary(&error);
}

#[test]
fn a_database_that_cannot_be_opened() {
    let no_database = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(no_database.path(), "no database ".repeat(1000)).unwrap();
    for path in [
        "/nowhere/canary.duckdb",
        no_database.path().to_str().unwrap(),
    ] {
        let error = Database::open(driver(), &[option("path", path)]).unwrap_err();
        assert_eq!(error.what(), &What::CannotConnect, "{path}");
        assert!(error.driver_message().unwrap().contains(path));
        shows_no_canary(&error);
    }
}

#[test]
fn statements_fail_with_what_is_wrong() {
    let mut connection = memory();
    connection
        .execute("create table t (a integer not null, b varchar check (b <> 'canary'))")
        .unwrap();
    connection
        .execute("create table k (a varchar primary key)")
        .unwrap();
    connection
        .execute("insert into k values ('canary')")
        .unwrap();
    let cannot_convert = What::CannotConvert {
        column: None,
        data_type: None,
    };
    let cases = [
        ("selec 'canary'", What::StatementInvalid),
        ("select canary from t", What::StatementInvalid),
        ("select canary(1)", What::StatementInvalid),
        ("select * from canary", What::TableMissing { table: None }),
        (
            "create table t (a integer)",
            What::TableExists { table: None },
        ),
        ("select cast('canary' as integer)", cannot_convert.clone()),
        ("select 'canary Constraint Error'::date", cannot_convert),
        (
            "insert into t values (null, 'canary')",
            What::ConstraintViolated,
        ),
        (
            "insert into t values (1, 'canary')",
            What::ConstraintViolated,
        ),
        ("insert into k values ('canary')", What::ConstraintViolated),
        ("select error('canary')", What::Failed),
    ];
    for (sql, what) in cases {
        let error = connection.execute(sql).unwrap_err();
        assert_eq!(error.what(), &what, "{sql}");
        assert!(error.status().is_some());
        assert!(error.driver_message().is_some());
        shows_no_canary(&error);
        let error = connection
            .query(sql, None)
            .and_then(|rows| rows.collect::<Result<Vec<_>, _>>());
        assert_eq!(error.unwrap_err().what(), &what, "{sql}");
    }
    let error = connection.execute("select 1\0").unwrap_err();
    assert_eq!(
        error.what(),
        &What::NulInText {
            of: "the statement"
        }
    );
    assert_eq!(error.status(), None);
}

/// An error after the first batches, which comes with the result.
#[test]
fn a_result_that_breaks_off_ends_with_the_error() {
    let mut connection = memory();
    let sql =
        "select case when range = 150000 then error('canary') else range end from range(200000)";
    match connection.query(sql, None) {
        Ok(rows) => {
            let batches: Vec<_> = rows.collect();
            let (last, before) = batches.split_last().unwrap();
            assert!(before.iter().all(Result::is_ok));
            let error = last.as_ref().unwrap_err();
            // Of an error in one thread DuckDB now and then says only that it stopped the others.
            assert!(
                matches!(error.what(), What::Failed | What::Cancelled),
                "{error} {:?}",
                error.driver_message()
            );
            shows_no_canary(error);
        }
        Err(error) => shows_no_canary(&error),
    }
}

#[test]
fn rows_that_the_table_refuses() {
    let mut connection = memory();
    connection
        .execute("create table t (id bigint primary key, name varchar not null)")
        .unwrap();
    let error = connection
        .ingest(&append("t"), reader(vec![Ok(batch(0, 1))]))
        .unwrap_err();
    assert_eq!(error.what(), &What::ConstraintViolated);
    connection
        .execute("create table u (id bigint, name integer)")
        .unwrap();
    let error = connection
        .ingest(&append("u"), reader(vec![Ok(batch(1, 1))]))
        .unwrap_err();
    assert!(
        matches!(error.what(), What::CannotConvert { .. }),
        "{error:?}: {:?}",
        error.driver_message()
    );
    let error = connection
        .ingest(&append("none"), reader(vec![Ok(batch(1, 1))]))
        .unwrap_err();
    let table = Some("none".to_owned());
    assert_eq!(error.what(), &What::TableMissing { table });
    assert_eq!(error.status(), Some(Status::Internal));
    let nul = Table::from("a\0b");
    assert!(matches!(
        connection.table_schema(&nul).unwrap_err().what(),
        What::NulInText { .. }
    ));
}
