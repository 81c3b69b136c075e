//! Statements, results, parameters, transactions, cancelling.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, RecordBatchReader, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use weir_adbc::{Database, OptionValue, Table, Vendor, What};

use crate::driver::{driver, file, memory, option};
use crate::rows::{append, batch, number, numbers, reader};

#[test]
fn the_driver_says_what_it_is() {
    let mut connection = memory();
    let info = connection.info().unwrap();
    assert_eq!(info.vendor_name.as_deref(), Some("duckdb"));
    assert!(info.vendor_version.unwrap().starts_with('v'));
    assert_eq!(info.driver_name.as_deref(), Some("ADBC DuckDB Driver"));
    assert!(info.driver_version.is_some());
    assert_eq!(connection.vendor().unwrap(), Vendor::DuckDb);
}

#[test]
fn a_statement_says_how_many_rows_it_changed() {
    let mut connection = memory();
    assert_eq!(
        connection.execute("create table t (a integer)").unwrap(),
        None
    );
    let inserted = connection.execute("insert into t select * from range(7)");
    assert_eq!(inserted.unwrap(), Some(7));
    let updated = connection.execute("update t set a = -a where a > 4");
    assert_eq!(updated.unwrap(), Some(2));
}

#[test]
fn a_result_comes_in_batches_with_its_schema() {
    let mut connection = memory();
    let sql = "select range as n, range::varchar as t from range(100000) order by n";
    let rows = connection.query(sql, None).unwrap();
    let names: Vec<_> = rows
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["n", "t"]);
    let batches: Result<Vec<_>, _> = rows.collect();
    let batches = batches.unwrap();
    assert!(batches.len() > 1);
    assert_eq!(
        batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
        100_000
    );
    let nothing = connection.query("select 1 as a where false", None).unwrap();
    assert_eq!(nothing.schema().field(0).data_type(), &DataType::Int32);
    assert_eq!(
        nothing
            .map(|batch| batch.unwrap().num_rows())
            .sum::<usize>(),
        0
    );
    // A result that is left half read is in nobody's way.
    let mut rows = connection.query(sql, None).unwrap();
    assert!(rows.next().unwrap().is_ok());
    drop(rows);
    assert_eq!(number(&mut connection, "select 5"), 5);
}

#[test]
fn rows_may_take_their_connection_along_and_be_loaded_elsewhere() {
    let (mut target, mut source) = (memory(), memory());
    source
        .execute("create table s (id bigint, name varchar)")
        .unwrap();
    source
        .ingest(&append("s"), reader(vec![Ok(batch(0, 5000))]))
        .unwrap();
    target
        .execute("create table t (id bigint, name varchar)")
        .unwrap();
    let rows = source.into_query("select name, id from s", None).unwrap();
    let rows = rows.into_reader();
    assert_eq!(rows.schema().fields().len(), 2);
    assert_eq!(target.ingest(&append("t"), Box::new(rows)).unwrap(), 5000);
    assert_eq!(number(&mut target, "select sum(id) from t"), 4999 * 2500);
}

#[test]
fn batches_outlive_everything_that_made_them() {
    let batch = {
        let mut connection = memory();
        let mut rows = connection
            .query("select range::integer as n from range(9)", None)
            .unwrap();
        rows.next().unwrap().unwrap()
    };
    let numbers = batch.column(0).as_primitive::<Int32Type>();
    assert_eq!(numbers.values(), &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

fn parameters(numbers: Vec<i32>, texts: Vec<&str>) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int32Array::from(numbers));
    let texts: ArrayRef = Arc::new(StringArray::from(texts));
    RecordBatch::try_from_iter([("x", numbers), ("y", texts)]).unwrap()
}

#[test]
fn parameters_are_values_and_never_sql() {
    let mut connection = memory();
    let hostile = "'; drop table t; --";
    let row = parameters(vec![5], vec![hostile]);
    let mut rows = connection.query("select $1 + 1, $2", Some(row)).unwrap();
    let batch = rows.next().unwrap().unwrap();
    assert_eq!(batch.column(1).as_string::<i32>().value(0), hostile);
    drop(rows);

    connection
        .execute("create table t (a integer, b varchar)")
        .unwrap();
    let mut insert = connection.prepare("insert into t values ($1, $2)").unwrap();
    for number in 0..3 {
        insert
            .bind(parameters(vec![number], vec![hostile]))
            .unwrap();
        assert_eq!(insert.execute().unwrap(), Some(1));
    }
    drop(insert);
    assert_eq!(
        numbers(&mut connection, "select a from t order by a"),
        [0, 1, 2]
    );

    let mut select = connection
        .prepare("select a from t where a = $1 and b = $2")
        .unwrap();
    select.bind(parameters(vec![2], vec![hostile])).unwrap();
    assert_eq!(
        select
            .query()
            .unwrap()
            .map(|rows| rows.unwrap().num_rows())
            .sum::<usize>(),
        1
    );
}

#[test]
fn what_the_driver_cannot_do_is_named() {
    let mut connection = memory();
    connection
        .execute("create table t (a integer, b varchar)")
        .unwrap();
    let mut insert = connection.prepare("insert into t values ($1, $2)").unwrap();
    let error = insert
        .bind(parameters(vec![1, 2], vec!["a", "b"]))
        .and_then(|()| insert.execute())
        .unwrap_err();
    let feature = "several rows of parameters at once";
    assert_eq!(error.what(), &What::NotImplemented { feature });
    assert_eq!(
        error.to_string(),
        "cannot run the statement for several rows of parameters: this driver has no several rows of \
         parameters at once (status NOT_IMPLEMENTED)"
    );
}

#[test]
fn the_columns_of_a_table() {
    let mut connection = memory();
    connection.execute("create schema \"S x\"").unwrap();
    connection
        .execute("create table \"S x\".\"t\"\"q\" (a decimal(5,2), b varchar)")
        .unwrap();
    let table = Table {
        catalog: None,
        schema: Some("S x"),
        name: "t\"q",
    };
    let schema = connection.table_schema(&table).unwrap().unwrap();
    assert_eq!(schema.field(0).data_type(), &DataType::Decimal128(5, 2));
    assert_eq!(connection.table_schema(&Table::from("t\"q")).unwrap(), None);
    let table = Table {
        schema: Some("nowhere"),
        ..table
    };
    assert_eq!(connection.table_schema(&table).unwrap(), None);
}

#[test]
fn a_transaction_is_kept_or_undone_as_a_whole() {
    let mut connection = memory();
    connection
        .execute("create table t (id bigint, name varchar)")
        .unwrap();
    connection.begin().unwrap();
    assert!(connection.in_transaction());
    assert_eq!(connection.begin().unwrap_err().what(), &What::InTransaction);
    connection
        .execute("insert into t values (1, null)")
        .unwrap();
    connection
        .ingest(&append("t"), reader(vec![Ok(batch(2, 9))]))
        .unwrap();
    connection.rollback().unwrap();
    assert_eq!(number(&mut connection, "select count(*) from t"), 0);
    connection.begin().unwrap();
    connection
        .ingest(&append("t"), reader(vec![Ok(batch(2, 9))]))
        .unwrap();
    connection.commit().unwrap();
    assert!(!connection.in_transaction());
    assert_eq!(number(&mut connection, "select count(*) from t"), 9);
    assert_eq!(
        connection.commit().unwrap_err().what(),
        &What::NoTransaction
    );
    assert_eq!(
        connection.rollback().unwrap_err().what(),
        &What::NoTransaction
    );
    // And after it each statement is one of its own.
    connection
        .execute("insert into t values (1, null)")
        .unwrap();
    drop(connection);
}

#[test]
fn a_transaction_of_which_a_call_failed_is_not_kept() {
    let mut connection = memory();
    connection
        .execute("create table t (a integer primary key)")
        .unwrap();
    connection.begin().unwrap();
    connection.execute("insert into t values (1)").unwrap();
    connection.execute("insert into t values (1)").unwrap_err();
    // DuckDB itself undoes it all here, and says that it did well.
    let error = connection.commit().unwrap_err();
    assert_eq!(error.what(), &What::TransactionFailed);
    assert!(connection.in_transaction());
    connection.rollback().unwrap();
    connection.begin().unwrap();
    // That a table is missing can be asked.
    assert_eq!(connection.table_schema(&Table::from("nope")).unwrap(), None);
    connection.execute("insert into t values (2)").unwrap();
    connection.commit().unwrap();
    assert_eq!(numbers(&mut connection, "select a from t"), [2]);
}

/// The database undoes such a transaction by itself, and then has none to roll back.
#[test]
fn a_commit_that_is_refused_can_be_rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let database = file(&dir.path().join("t.duckdb"));
    let (mut one, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    one.execute("create table t (a integer primary key)")
        .unwrap();
    one.begin().unwrap();
    other.begin().unwrap();
    one.execute("insert into t values (1)").unwrap();
    other.execute("insert into t values (1), (2)").unwrap();
    one.commit().unwrap();
    let error = other.commit().unwrap_err();
    assert_eq!(error.what(), &What::ConstraintViolated);
    let error = other.commit().unwrap_err();
    assert_eq!(error.what(), &What::TransactionFailed);
    other.rollback().unwrap();
    // And the connection is as good as before.
    other.execute("insert into t values (3)").unwrap();
    other.begin().unwrap();
    other.execute("insert into t values (4)").unwrap();
    other.commit().unwrap();
    assert_eq!(numbers(&mut one, "select a from t order by a"), [1, 3, 4]);
}

#[test]
fn a_transaction_ends_with_its_connection() {
    let dir = tempfile::tempdir().unwrap();
    let database = file(&dir.path().join("t.duckdb"));
    let mut one = database.connect().unwrap();
    one.execute("create table t (a integer)").unwrap();
    one.begin().unwrap();
    one.execute("insert into t values (1)").unwrap();
    let mut other = database.connect().unwrap();
    assert_eq!(number(&mut other, "select count(*) from t"), 0);
    drop(one);
    assert_eq!(number(&mut other, "select count(*) from t"), 0);
    other.execute("insert into t values (2)").unwrap();
    assert_eq!(numbers(&mut other, "select a from t"), [2]);
}

#[test]
fn a_call_can_be_cancelled_from_another_thread() {
    let mut connection = memory();
    let canceller = connection.canceller();
    // There is nothing to cancel.
    canceller.cancel().unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let thread = std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            // At the first the call may not have begun.
            while !ended.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                canceller.cancel().unwrap();
            }
            canceller
        }
    });
    let error = connection
        .execute(
            "select count(*) from range(1000000000) a, range(1000000000) b \
             where a.range + b.range = 3",
        )
        .unwrap_err();
    ended.store(true, Ordering::Relaxed);
    assert_eq!(error.what(), &What::Cancelled);
    let canceller = thread.join().unwrap();
    assert_eq!(number(&mut connection, "select 5"), 5);
    drop(connection);
    // It keeps nothing open.
    canceller.cancel().unwrap();
}

#[test]
fn values_of_options_are_never_shown() {
    let options = vec![
        option("path", "canary-path"),
        ("b".to_owned(), OptionValue::bytes(*b"canary")),
        ("n".to_owned(), OptionValue::int(4711)),
        ("d".to_owned(), OptionValue::double(47.11)),
    ];
    let shown = format!("{options:?}");
    assert!(
        !shown.contains("canary") && !shown.contains("47"),
        "{shown}"
    );
    assert!(shown.contains("<text>"));
    let database = Database::open(driver(), &[]).unwrap();
    assert_eq!(format!("{database:?}"), "Database");
}
