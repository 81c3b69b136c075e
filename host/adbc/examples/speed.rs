//! How fast rows go into DuckDB and out of it, beside DuckDB's own `COPY`.
//!
//! `cargo run --release -p weir-adbc --example speed -- LIBRARY [ROWS]`, where LIBRARY is DuckDB's shared
//! library. Everything is written to a temporary folder, which is removed.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::SchemaRef;
use weir_adbc::{
    Connection, Database, Driver, Ingest, Load, Mode, Table, Vendor, Via, create_table_sql, load,
};

const ROWS: i64 = 5_000_000;
/// Rows of a batch, as an engine has them.
const BATCH: i64 = 8192;

/// Eight columns, as of claims.
fn batch(first: i64, count: i64) -> Result<RecordBatch, Box<dyn Error>> {
    let rows = first..first + count;
    let columns: [(&str, ArrayRef); 8] = [
        ("id", Arc::new(Int64Array::from_iter_values(rows.clone()))),
        (
            "code",
            Arc::new(Int32Array::from_iter(
                rows.clone().map(|n| i32::try_from(n * 7919 % 99_991).ok()),
            )),
        ),
        (
            "amount",
            Arc::new(
                Decimal128Array::from_iter_values(
                    rows.clone().map(|n| i128::from(n * 31 % 9_999_999)),
                )
                .with_precision_and_scale(12, 2)?,
            ),
        ),
        (
            "score",
            Arc::new(Float64Array::from_iter_values(
                rows.clone().map(|n| 1.0 / (n + 1) as f64),
            )),
        ),
        (
            "name",
            Arc::new(StringArray::from_iter(rows.clone().map(|n| {
                (n % 11 != 0).then(|| format!("beneficiary {}", n % 50_021))
            }))),
        ),
        (
            "paid",
            Arc::new(BooleanArray::from_iter(
                rows.clone().map(|n| Some(n % 3 == 0)),
            )),
        ),
        (
            "day",
            Arc::new(Date32Array::from_iter(
                rows.clone().map(|n| i32::try_from(14_000 + n % 1000).ok()),
            )),
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                rows.map(|n| 1_600_000_000_000_000 + n * 1_000_003),
            )),
        ),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn timed<T>(
    what: &str,
    rows: i64,
    work: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let start = Instant::now();
    let done = work()?;
    let took = start.elapsed();
    println!(
        "{what:<52} {:>7.2} s {:>6.2} million rows a second",
        took.as_secs_f64(),
        rows as f64 / took.as_secs_f64() / 1e6
    );
    Ok(done)
}

fn connect(driver: &Driver, folder: &Path, name: &str) -> Result<Connection, Box<dyn Error>> {
    let path = folder.join(name);
    let path = path.to_str().ok_or("a path that is no UTF-8")?;
    Ok(Database::open(driver, &[("path".to_owned(), path.into())])?.connect()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let library = arguments.next().ok_or("usage: speed LIBRARY [ROWS]")?;
    let rows: i64 = arguments.next().map_or(Ok(ROWS), |rows| rows.parse())?;
    let driver = Driver::load(&library, None)?;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();

    let firsts = (0..rows).step_by(usize::try_from(BATCH)?);
    let batches: Result<Vec<_>, _> = firsts
        .map(|first| batch(first, BATCH.min(rows - first)))
        .collect();
    let batches = batches?;
    let schema = batches.first().ok_or("no rows")?.schema();
    let reader = || -> Box<dyn RecordBatchReader + Send> {
        let batches: Vec<_> = batches.iter().cloned().map(Ok).collect();
        Box::new(RecordBatchIterator::new(batches, SchemaRef::clone(&schema)))
    };
    let table = Table::from("t");
    let create = create_table_sql(Vendor::DuckDb, &table, &schema)?;
    println!("{rows} rows of {} columns", schema.fields().len());

    let mut source = connect(&driver, folder, "ingest.duckdb")?;
    source.execute(&create)?;
    let target = Ingest {
        table,
        mode: Mode::Append,
        temporary: false,
    };
    timed("Connection::ingest, append", rows, || {
        Ok(source.ingest(&target, reader())?)
    })?;
    let mut connection = connect(&driver, folder, "create.duckdb")?;
    let created = Ingest {
        mode: Mode::Create,
        ..target
    };
    timed("Connection::ingest, create", rows, || {
        Ok(connection.ingest(&created, reader())?)
    })?;
    for (what, via) in [
        ("load, all in the transaction", Via::Transaction),
        ("load, staged before the transaction", Via::Staging),
    ] {
        let mut connection = connect(&driver, folder, &format!("{via:?}.duckdb"))?;
        timed(what, rows, || {
            Ok(load(
                &mut connection,
                Load {
                    table,
                    application: "speed",
                    run: "speed",
                    version: 1,
                    create: Some(&create),
                    delete: None,
                    rows: reader(),
                    via,
                    merge: None,
                },
            )?)
        })?;
    }

    for format in ["csv", "parquet"] {
        let file = folder.join(format!("t.{format}"));
        let file = file.display();
        timed(&format!("DuckDB: COPY TO {format}"), rows, || {
            Ok(source.execute(&format!("COPY t TO '{file}' (FORMAT {format})"))?)
        })?;
        let mut connection = connect(&driver, folder, &format!("{format}.duckdb"))?;
        connection.execute(&create)?;
        timed(&format!("DuckDB: COPY FROM {format}"), rows, || {
            Ok(connection.execute(&format!("COPY t FROM '{file}' (FORMAT {format})"))?)
        })?;
    }
    let mut seen = 0;
    timed("Connection::query of all rows", rows, || {
        for batch in source.query("select * from t", None)? {
            seen += batch?.num_rows();
        }
        Ok(())
    })?;
    assert_eq!(i64::try_from(seen)?, rows);
    Ok(())
}
