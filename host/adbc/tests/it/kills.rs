//! Loads by a process that is killed.
//!
//! The process is this test program again, which runs one test only and finds in its environment what to
//! load.

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use weir_adbc::{Load, Outcome, Table, Vendor, Via, create_table_sql, load};

use crate::driver::file;
use crate::rows::{batch, number, numbers, schema};

const DATABASE: &str = "WEIR_TEST_KILLED_DATABASE";
const VIA: &str = "WEIR_TEST_KILLED_VIA";
const STOP_AFTER: &str = "WEIR_TEST_KILLED_STOP_AFTER";

/// Of each load.
const BATCHES: u64 = 40;
const ROWS: i64 = 10_000;

/// Batches, and a halt after some of them, of which a file tells.
struct Halting<'a> {
    version: i64,
    given: u64,
    halt: Option<(u64, &'a Path)>,
}

impl Iterator for Halting<'_> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((after, mark)) = self.halt
            && self.given == after
        {
            std::fs::write(mark, "halted").unwrap();
            std::thread::sleep(Duration::from_secs(600));
        }
        if self.given == BATCHES {
            return None;
        }
        let first = self.version * 1_000_000 + i64::try_from(self.given).unwrap() * ROWS;
        self.given += 1;
        Some(Ok(batch(first, ROWS)))
    }
}

impl RecordBatchReader for Halting<'_> {
    fn schema(&self) -> SchemaRef {
        schema()
    }
}

fn load_version(
    database: &Path,
    version: i64,
    halt: Option<(u64, &'static Path)>,
    via: Via,
) -> Outcome {
    let mut connection = file(database).connect().unwrap();
    let table = Table::from("t");
    let create = create_table_sql(Vendor::DuckDb, &table, &schema()).unwrap();
    let rows = Halting {
        version,
        given: 0,
        halt,
    };
    let one = Load {
        table,
        application: "killed",
        run: "run",
        version,
        create: Some(&create),
        delete: None,
        rows: Box::new(rows),
        via,
        merge: None,
    };
    load(&mut connection, one).unwrap()
}

/// Not a test by itself: what the killed process does.
#[test]
fn killed_process() {
    let Some(database) = env::var_os(DATABASE) else {
        return;
    };
    let via = if env::var(VIA).unwrap() == "staging" {
        Via::Staging
    } else {
        Via::Transaction
    };
    let mark: &'static Path = Box::leak(Path::new(&database).with_extension("mark").into());
    let halt = env::var(STOP_AFTER)
        .ok()
        .map(|after| (after.parse().unwrap(), mark));
    for version in 1.. {
        load_version(Path::new(&database), version, halt, via);
    }
}

fn spawn(database: &Path, via: Via, stop_after: Option<u64>) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "kills::killed_process",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DATABASE, database)
        .env(
            VIA,
            if via == Via::Staging {
                "staging"
            } else {
                "transaction"
            },
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(after) = stop_after {
        command.env(STOP_AFTER, after.to_string());
    }
    command.spawn().unwrap()
}

/// What is in the table, against the ledger: each version up to the ledger's once, and nothing else.
fn check(database: &Path) -> i64 {
    let mut connection = file(database).connect().unwrap();
    if connection
        .table_schema(&Table::from("t"))
        .unwrap()
        .is_none()
    {
        return 0;
    }
    let version = numbers(&mut connection, "select version from _weir_loads");
    assert!(version.len() <= 1);
    let version = version.first().copied().unwrap_or(0);
    let each = i64::try_from(BATCHES).unwrap() * ROWS;
    assert_eq!(
        number(&mut connection, "select count(*) from t"),
        version * each
    );
    assert_eq!(
        number(&mut connection, "select count(distinct id) from t"),
        version * each
    );
    version
}

#[test]
fn a_process_killed_among_the_rows_leaves_nothing() {
    for via in [Via::Transaction, Via::Staging] {
        for after in [0, 1, BATCHES / 2, BATCHES] {
            let dir = tempfile::tempdir().unwrap();
            let database = dir.path().join("t.duckdb");
            let mut child = spawn(&database, via, Some(after));
            let until = Instant::now() + Duration::from_secs(120);
            while !database.with_extension("mark").is_file() {
                assert!(
                    child.try_wait().unwrap().is_none(),
                    "the process ended by itself"
                );
                assert!(Instant::now() < until, "the process did not come so far");
                std::thread::sleep(Duration::from_millis(10));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(check(&database), 0);
            let rows = BATCHES * u64::try_from(ROWS).unwrap();
            let again = load_version(&database, 1, None, via);
            assert_eq!(again, Outcome::Loaded { rows, left: None });
            assert_eq!(check(&database), 1);
            let thrice = load_version(&database, 1, None, via);
            assert_eq!(thrice, Outcome::AlreadyLoaded { version: 1 });
            assert_eq!(check(&database), 1);
        }
    }
}

#[test]
fn processes_killed_at_any_moment_leave_each_version_once() {
    for via in [Via::Transaction, Via::Staging] {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("t.duckdb");
        let mut reached = 0;
        for round in 0..8_u64 {
            let mut child = spawn(&database, via, None);
            // Moments that lie unevenly in a load, which takes some tenths of a second.
            std::thread::sleep(Duration::from_millis(200 + round * 137 % 700));
            child.kill().unwrap();
            child.wait().unwrap();
            let version = check(&database);
            assert!(version >= reached);
            reached = version;
        }
        load_version(&database, reached + 1, None, via);
        assert_eq!(check(&database), reached + 1);
    }
}
