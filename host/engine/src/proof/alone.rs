//! What delta-rs does by itself where Weir must not: each test shows both.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use futures::TryStreamExt;

use super::faulty::{Control, Faulty, Plan, Way};
use crate::commit::Applier;
use crate::data_file::DataFileWriter;
use crate::delta::{self, Applied, DeltaCommit, Mode};
use crate::error::ErrorKind;
use crate::lake::Location;
use crate::session::{self, Resources};
use crate::store::Stores;

/// A table and what is written to it.
struct Table {
    dir: tempfile::TempDir,
    applier: Applier,
}

impl Table {
    fn new(stores: Stores) -> Table {
        let resources = Resources::for_partitions(1);
        Table {
            dir: tempfile::tempdir().unwrap(),
            applier: Applier {
                connections: Default::default(),
                stores,
                runtime: session::runtime(resources).unwrap(),
                resources,
            },
        }
    }

    fn root(&self) -> Location {
        let path = self.dir.path().join("table");
        Location::parse(path.to_str().unwrap(), &self.applier.stores).unwrap()
    }

    /// A commit of the rows `ids`, in a file that is there, for the day `day`.
    async fn commit(&self, app: &str, mode: Mode, day: &str, ids: &[i64]) -> DeltaCommit {
        let file_schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
        let mut writer = DataFileWriter::new(&self.root(), &format!("day={day}"), &file_schema);
        let column: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
        let rows = RecordBatch::try_new(Arc::clone(&file_schema), vec![column]).unwrap();
        writer.write(&rows).await.unwrap();
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("day", DataType::Utf8, true),
        ]);
        DeltaCommit {
            table: "raw.visits".to_owned(),
            url: self.root().url().to_string(),
            run: "r".to_owned(),
            since: None,
            app_id: app.to_owned(),
            mode,
            scope: vec![("day".to_owned(), day.to_owned())],
            by: Vec::new(),
            merge: None,
            replaces: Vec::new(),
            schema: delta::schema_json(&schema).unwrap(),
            evolves: false,
            files: writer.finish().await.unwrap(),
        }
    }

    /// What delta-rs makes of a commit: one attempt on the latest snapshot.
    async fn alone(&self, commit: &DeltaCommit, n: i64) -> Result<(), String> {
        let root = self.root();
        let table = delta::open(&root).await.unwrap().unwrap();
        let made = commit.commit(&table, &root, n, &self.applier).await;
        made.map(|_| ()).map_err(|error| error.to_string())
    }

    async fn ids(&self) -> Vec<i64> {
        let stores = Stores::default();
        let path = self.dir.path().join("table");
        let root = Location::parse(path.to_str().unwrap(), &stores).unwrap();
        let provider = delta::provider(&root).await.unwrap().unwrap();
        let resources = Resources::for_partitions(1);
        let context = session::session(&session::runtime(resources).unwrap(), resources);
        let frame = context.read_table(provider).unwrap();
        let rows = frame.execute_stream().await.unwrap();
        let rows: Vec<RecordBatch> = rows.try_collect().await.unwrap();
        let mut ids: Vec<i64> = rows
            .iter()
            .flat_map(|batch| {
                let ids = batch.column_by_name("id").unwrap();
                ids.as_primitive::<Int64Type>().values().to_vec()
            })
            .collect();
        ids.sort_unstable();
        ids
    }
}

#[tokio::test]
async fn the_same_version_twice() {
    for fenced in [false, true] {
        let table = Table::new(Stores::default());
        let first = table.commit("a", Mode::Append, "1", &[1]).await;
        first.apply(&table.applier, 0, false).await.unwrap();
        let again = table.commit("a", Mode::Append, "1", &[2]).await;
        if fenced {
            let applied = again.apply(&table.applier, 0, false).await.unwrap();
            assert_eq!(applied, Applied::Before);
            assert_eq!(table.ids().await, [1]);
        } else {
            table.alone(&again, 0).await.unwrap();
            assert_eq!(table.ids().await, [1, 2], "delta-rs takes it twice");
        }
    }
}

#[tokio::test]
async fn a_lower_version_after_a_higher() {
    for fenced in [false, true] {
        let table = Table::new(Stores::default());
        let newer = table.commit("a", Mode::ReplacePartition, "1", &[5]).await;
        newer.apply(&table.applier, 5, false).await.unwrap();
        let late = table.commit("a", Mode::ReplacePartition, "1", &[3]).await;
        if fenced {
            let error = late.apply(&table.applier, 3, false).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            assert_eq!(table.ids().await, [5]);
        } else {
            table.alone(&late, 3).await.unwrap();
            assert_eq!(table.ids().await, [3], "delta-rs lets the late one win");
        }
    }
}

#[tokio::test]
async fn a_put_that_is_applied_and_answered_with_an_error() {
    // The call that writes the log entry of version 1.
    let entry = {
        let control = Control::new(Plan::Count);
        let (table, second) = begun(&control).await;
        second.apply(&table.applier, 1, false).await.unwrap();
        let is_entry = |name: &String| name.starts_with("put") && name.ends_with("01.json");
        control.names().iter().position(is_entry).unwrap()
    };
    for fenced in [false, true] {
        let control = Control::new(Plan::Fail(entry, Way::After));
        let (table, second) = begun(&control).await;
        if fenced {
            second.apply(&table.applier, 1, false).await.unwrap();
            assert_eq!(table.ids().await, [1, 2]);
        } else {
            let error = table.alone(&second, 1).await.unwrap_err();
            assert!(!error.is_empty());
            // Whoever takes an error for nothing done, does it again.
            table.alone(&second, 1).await.unwrap();
            assert_eq!(
                table.ids().await,
                [1, 2],
                "the file is one, so its rows are"
            );
            let anew = table.commit("a", Mode::Append, "1", &[2]).await;
            table.alone(&anew, 1).await.unwrap();
            assert_eq!(table.ids().await, [1, 2, 2], "a rerun writes another file");
        }
    }

    /// A table with the row 1, and a commit that adds 2.
    async fn begun(control: &Arc<Control>) -> (Table, DeltaCommit) {
        let around = Arc::clone(control);
        let table = Table::new(Stores::around(move |store| {
            Arc::new(Faulty::new(store, &around))
        }));
        let first = table.commit("a", Mode::Append, "1", &[1]).await;
        first.apply(&table.applier, 0, false).await.unwrap();
        let second = table.commit("a", Mode::Append, "1", &[2]).await;
        (table, second)
    }
}

#[tokio::test]
async fn two_days_at_once_from_one_snapshot() {
    let table = Table::new(Stores::default());
    let root = table.root();
    let first = table.commit("a", Mode::Append, "0", &[0]).await;
    first.apply(&table.applier, 0, false).await.unwrap();
    let stale = delta::open(&root).await.unwrap().unwrap();
    let one = table.commit("one", Mode::ReplacePartition, "1", &[1]).await;
    let two = table.commit("two", Mode::ReplacePartition, "2", &[2]).await;
    one.commit(&stale, &root, 0, &table.applier).await.unwrap();
    let error = two
        .commit(&stale, &root, 0, &table.applier)
        .await
        .unwrap_err();
    assert!(!error.to_string().is_empty(), "one attempt is not enough");
    two.apply(&table.applier, 0, false).await.unwrap();
    // As one after the other; and again, it is nothing.
    assert_eq!(table.ids().await, [0, 1, 2]);
    let applied = two.apply(&table.applier, 0, false).await.unwrap();
    assert_eq!(applied, Applied::Before);
    assert_eq!(table.ids().await, [0, 1, 2]);
}

#[tokio::test]
async fn a_rerun_whose_rows_are_all_rejected_empties_its_partition() {
    let table = Table::new(Stores::default());
    let day = table
        .commit("a", Mode::ReplacePartition, "1", &[1, 2])
        .await;
    day.apply(&table.applier, 0, false).await.unwrap();
    let other = table.commit("b", Mode::ReplacePartition, "2", &[3]).await;
    other.apply(&table.applier, 0, false).await.unwrap();
    let nothing = DeltaCommit {
        files: Vec::new(),
        ..day
    };
    nothing.apply(&table.applier, 1, false).await.unwrap();
    assert_eq!(table.ids().await, [3]);
}
