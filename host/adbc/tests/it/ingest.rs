//! Loading of rows.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchReader, StringArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use weir_adbc::{Ingest, Mode, Table, What};

use crate::driver::memory;
use crate::rows::{append, batch, number, numbers, reader, reader_of, schema, texts};

#[test]
fn columns_go_by_name() {
    let mut connection = memory();
    connection
        .execute("create table t (NAME varchar, other bigint default 7, id bigint)")
        .unwrap();
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let column = |value| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
    let rows =
        RecordBatch::try_from_iter([("id", column(1)), ("name", names), ("other", column(2))]);
    connection
        .ingest(&append("t"), reader_of(rows.unwrap()))
        .unwrap();
    assert_eq!(
        numbers(&mut connection, "select id * 10 + other from t"),
        [12]
    );
    assert_eq!(texts(&mut connection, "select name from t"), ["a"]);

    // What the rows have not gets its default, and what is of another type is cast.
    connection
        .ingest(&append("t"), reader(vec![Ok(batch(4, 1))]))
        .unwrap();
    let sql = "select other from t where name = 'row 4'";
    assert_eq!(numbers(&mut connection, sql), [7]);
    let texts_of_numbers: ArrayRef = Arc::new(StringArray::from(vec!["55"]));
    let rows = RecordBatch::try_from_iter([("id", texts_of_numbers)]).unwrap();
    connection.ingest(&append("t"), reader_of(rows)).unwrap();
    let sql = "select id from t where name is null";
    assert_eq!(numbers(&mut connection, sql), [55]);

    connection.execute("create table u (id bigint)").unwrap();
    let error = connection
        .ingest(&append("u"), reader(vec![Ok(batch(0, 1))]))
        .unwrap_err();
    let column = "name".to_owned();
    assert_eq!(error.what(), &What::ColumnMissing { column });
    assert_eq!(
        error.to_string(),
        "cannot load rows into u: the table has no column 'name'"
    );
}

#[test]
fn a_table_is_created_appended_to_and_replaced() {
    let mut connection = memory();
    connection.execute("create schema s").unwrap();
    let table = Table {
        catalog: Some("memory"),
        schema: Some("s"),
        name: "t",
    };
    let mut load = |mode, first| {
        let target = Ingest {
            table,
            mode,
            temporary: false,
        };
        let loaded =
            connection.ingest(&target, reader(vec![Ok(batch(first, 5)), Ok(batch(90, 1))]));
        loaded.map(|rows| {
            (
                rows,
                numbers(&mut connection, "select id from s.t order by id"),
            )
        })
    };
    let error = load(Mode::Append, 0).unwrap_err();
    let missing = Some("memory.s.t".to_owned());
    assert_eq!(error.what(), &What::TableMissing { table: missing });
    assert_eq!(load(Mode::Create, 0).unwrap(), (6, vec![0, 1, 2, 3, 4, 90]));
    let error = load(Mode::Create, 0).unwrap_err();
    assert!(matches!(error.what(), What::TableExists { .. }), "{error}");
    let both = vec![0, 1, 2, 3, 4, 50, 51, 52, 53, 54, 90, 90];
    assert_eq!(load(Mode::Append, 50).unwrap(), (6, both));
    assert_eq!(
        load(Mode::Replace, 7).unwrap(),
        (6, vec![7, 8, 9, 10, 11, 90])
    );
}

#[test]
fn a_temporary_table_is_the_connection_s_own() {
    let dir = tempfile::tempdir().unwrap();
    let database = crate::driver::file(&dir.path().join("t.duckdb"));
    let (mut one, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    let target = Ingest {
        table: Table::from("t"),
        mode: Mode::Create,
        temporary: true,
    };
    one.ingest(&target, reader(vec![Ok(batch(0, 3))])).unwrap();
    assert_eq!(number(&mut one, "select count(*) from t"), 3);
    assert_eq!(other.table_schema(&Table::from("t")).unwrap(), None);
}

#[test]
fn no_rows_are_loaded_as_well() {
    let mut connection = memory();
    connection
        .execute("create table t (id bigint, name varchar)")
        .unwrap();
    assert_eq!(connection.ingest(&append("t"), reader(vec![])).unwrap(), 0);
    let empty = vec![Ok(batch(0, 0)), Ok(batch(0, 2)), Ok(batch(0, 0))];
    assert_eq!(connection.ingest(&append("t"), reader(empty)).unwrap(), 2);
    assert_eq!(number(&mut connection, "select count(*) from t"), 2);
}

/// A slice has an offset in its buffers.
#[test]
fn slices_are_loaded_as_what_they_show() {
    let mut connection = memory();
    connection
        .execute("create table t (id bigint, name varchar)")
        .unwrap();
    let rows = vec![
        Ok(batch(0, 5000).slice(4321, 3)),
        Ok(batch(0, 100).slice(7, 2)),
    ];
    assert_eq!(connection.ingest(&append("t"), reader(rows)).unwrap(), 5);
    let ids = numbers(&mut connection, "select id from t order by id");
    assert_eq!(ids, [7, 8, 4321, 4322, 4323]);
    let names = texts(
        &mut connection,
        "select coalesce(name, '-') from t order by id",
    );
    assert_eq!(names, ["row 7", "row 8", "row 4321", "row 4322", "-"]);
}

type Then = fn() -> Option<Result<RecordBatch, ArrowError>>;

/// Gives a batch, then does something else.
struct Faulty {
    given: bool,
    then: Then,
}

impl Iterator for Faulty {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.given {
            return (self.then)();
        }
        self.given = true;
        Some(Ok(batch(0, 3)))
    }
}

impl RecordBatchReader for Faulty {
    fn schema(&self) -> SchemaRef {
        schema()
    }
}

#[test]
fn rows_that_cannot_be_read_are_an_error_of_the_rows() {
    let mut connection = memory();
    connection
        .execute("create table t (id bigint, name varchar)")
        .unwrap();
    let faults: [(Then, &str); 3] = [
        (
            || Some(Err(ArrowError::ComputeError("canary\0value".to_owned()))),
            "canary",
        ),
        (|| panic!("a reader's fault"), "panicked"),
        (
            || {
                let schema = Schema::new(vec![Field::new("id", DataType::Utf8, true)]);
                Some(Ok(RecordBatch::new_empty(Arc::new(schema))))
            },
            "other types",
        ),
    ];
    for (then, why) in faults {
        connection.begin().unwrap();
        let rows = Faulty { given: false, then };
        let error = connection.ingest(&append("t"), Box::new(rows)).unwrap_err();
        assert_eq!(error.what(), &What::RowsUnreadable);
        assert_eq!(
            error.to_string(),
            "cannot load rows into t: the rows cannot be read to their end"
        );
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(why), "{source}");
        assert_eq!(
            connection.commit().unwrap_err().what(),
            &What::TransactionFailed
        );
        connection.rollback().unwrap();
        assert_eq!(number(&mut connection, "select count(*) from t"), 0);
    }
}

#[test]
fn two_connections_load_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let database = crate::driver::file(&dir.path().join("t.duckdb"));
    let mut connection = database.connect().unwrap();
    connection
        .execute("create table t (id bigint, name varchar)")
        .unwrap();
    std::thread::scope(|scope| {
        for part in 0..4 {
            let mut connection = database.connect().unwrap();
            scope.spawn(move || {
                let batches = (0..10).map(|n| Ok(batch(part * 10_000 + n * 1000, 1000)));
                connection
                    .ingest(&append("t"), reader(batches.collect()))
                    .unwrap();
            });
        }
    });
    let mut rows = connection
        .query("select count(distinct id), count(name) from t", None)
        .unwrap();
    let counts = rows.next().unwrap().unwrap();
    let count = |column: usize| counts.column(column).as_primitive::<Int64Type>().value(0);
    assert_eq!((count(0), count(1)), (40_000, 26_666));
    assert_eq!(counts.column(0).null_count(), 0);
}

/// DuckDB's driver says that all is well here, and has lost the rows.
#[test]
fn rows_that_a_constraint_refuses_are_an_error() {
    let mut connection = memory();
    for table in [
        "t (id bigint, name varchar not null)",
        "t (id bigint check (id <> 5), name varchar)",
        "t (id bigint primary key, name varchar)",
    ] {
        connection
            .execute(&format!("create or replace table {table}"))
            .unwrap();
        for in_transaction in [false, true] {
            if in_transaction {
                connection.begin().unwrap();
            }
            let rows = vec![Ok(batch(1, 2)), Ok(batch(1, 9000))];
            let error = connection.ingest(&append("t"), reader(rows)).unwrap_err();
            assert_eq!(error.what(), &What::ConstraintViolated, "{table}");
            assert_eq!(connection.in_transaction(), in_transaction);
            if in_transaction {
                connection.rollback().unwrap();
            }
            assert_eq!(number(&mut connection, "select count(*) from t"), 0);
            let tables = "select count(*) from duckdb_tables()";
            assert_eq!(number(&mut connection, tables), 1);
        }
    }
}
