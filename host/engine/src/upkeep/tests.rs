//! Each command on tables that are made by hand: decisions that are made and applied, made only, or
//! neither. [`crate::proof`] has what needs whole runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use chrono::Utc;
use futures::TryStreamExt;
use uuid::Uuid;

use super::check::{Checked, Kind, Verdict, check};
use super::history::{Maker, history};
use super::optimize::{self, TARGET_BYTES};
use super::restore::{Goal, restore};
use super::vacuum::{LEAST_RETENTION, RETENTION, VacuumOptions, Vacuumed, vacuum};
use super::*;
use crate::commit::{Applier, Counts, Decision, Decisions, TargetCommit};
use crate::data_file::DataFileWriter;
use crate::delta::{Applied, DeltaCommit, Mode};
use crate::lake::FORMAT;
use crate::record::{RunRecord, Status};
use crate::segment::WrittenFile;
use crate::session::Resources;
use crate::sqlite::SqliteCommit;
use crate::store::Stores;

const DAY: Duration = Duration::from_secs(86_400);

/// A lake in a folder, with the table `raw.visits` that the step `p/s` writes.
struct Scene {
    dir: tempfile::TempDir,
    stores: Stores,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            dir: tempfile::tempdir().unwrap(),
            stores: Stores::default(),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join("lake").join(below)
    }

    async fn lake(&self) -> Lake {
        let path = self.path("");
        std::fs::create_dir_all(path.join("raw")).unwrap();
        let lake = Lake::at(path.to_str().unwrap(), &self.stores).await;
        lake.unwrap()
    }

    fn root(&self) -> Location {
        let path = self.path("raw/visits");
        Location::parse(path.to_str().unwrap(), &self.stores).unwrap()
    }

    /// Data files of the rows `ids`, which nobody knows of.
    async fn files(&self, root: &Location, folder: &str, ids: &[i64]) -> Vec<WrittenFile> {
        let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
        let mut writer = DataFileWriter::new(root, folder, &schema);
        let column: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
        let rows = RecordBatch::try_new(schema, vec![column]).unwrap();
        writer.write(&rows).await.unwrap();
        writer.finish().await.unwrap()
    }

    fn applier(&self) -> Applier {
        let resources = Resources::for_partitions(1);
        Applier {
            connections: Default::default(),
            stores: self.stores.clone(),
            runtime: crate::session::runtime(resources).unwrap(),
            resources,
        }
    }

    fn decisions(lake: &Lake) -> Decisions {
        Decisions::of(lake, "p", "s", "all")
    }

    /// Decides that the rows `ids` of the day `day` are written, and applies nothing.
    async fn decide(&self, n: u64, mode: Mode, day: &str, ids: &[i64]) -> Decision {
        let lake = self.lake().await;
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("day", DataType::Utf8, true),
        ]);
        let files = self.files(&self.root(), &format!("day={day}"), ids).await;
        let commit = DeltaCommit {
            table: "raw.visits".to_owned(),
            url: self.root().url().to_string(),
            run: "r".to_owned(),
            since: None,
            app_id: "weir/p/s/raw.visits/all".to_owned(),
            mode,
            scope: vec![("day".to_owned(), day.to_owned())],
            by: Vec::new(),
            merge: None,
            replaces: Vec::new(),
            schema: delta::schema_json(&schema).unwrap(),
            evolves: false,
            files,
        };
        let decision = Decision {
            format: FORMAT,
            writer: Uuid::new_v4(),
            run: format!("run-{n}"),
            pipeline: "p".to_owned(),
            step: "s".to_owned(),
            params: BTreeMap::new(),
            n,
            fingerprint: String::new(),
            lake: lake.root().url().to_string(),
            decided_at: crate::run::now(),
            input: Vec::new(),
            tables: BTreeMap::new(),
            position: None,
            refresh: false,
            counts: Counts::default(),
            targets: vec![TargetCommit::Delta(commit)],
        };
        Scene::decisions(&lake).decide(&decision).await.unwrap();
        decision
    }

    async fn apply(&self, decision: &Decision) -> Applied {
        let decisions = Scene::decisions(&self.lake().await);
        let applied = decisions.apply(decision, &self.applier()).await;
        let applied = applied.unwrap();
        applied[0].1.clone()
    }

    /// Decides and applies.
    async fn write(&self, n: u64, mode: Mode, day: &str, ids: &[i64]) -> Decision {
        let decision = self.decide(n, mode, day, ids).await;
        assert!(matches!(self.apply(&decision).await, Applied::Now(_)));
        decision
    }

    /// A commit that is of no step of Weir.
    async fn foreign(&self, application: &str, n: u64, ids: &[i64]) {
        let decision = self.decide(1_000_000 + n, Mode::Append, "f", ids).await;
        let TargetCommit::Delta(commit) = &decision.targets[0] else {
            unreachable!("it is a table");
        };
        let commit = DeltaCommit {
            app_id: application.to_owned(),
            ..commit.clone()
        };
        commit.apply(&self.applier(), n, false).await.unwrap();
        let file = format!("_weir/commits/p/s/all/{:020}.json", 1_000_000 + n);
        std::fs::remove_file(self.path(&file)).unwrap();
    }

    async fn ids(&self) -> Vec<i64> {
        let lake = self.lake().await;
        let text = "select id from raw.visits order by id";
        let rows = query::sql(&lake, text, resources()).await.unwrap();
        let rows: Vec<RecordBatch> = rows.try_collect().await.unwrap();
        rows.iter()
            .flat_map(|batch| {
                batch
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec()
            })
            .collect()
    }

    /// The names of the data files that are there.
    fn there(&self) -> Vec<String> {
        let mut names: Vec<String> = walk(&self.path("raw"))
            .into_iter()
            .filter(|path| path.ends_with(".parquet") && !path.contains("_delta_log"))
            .collect();
        names.sort();
        names
    }

    fn log_files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path("raw/visits/_delta_log"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".json") || name.ends_with(".parquet"))
            .collect();
        names.sort();
        names
    }

    async fn optimize(&self) -> optimize::Optimized {
        let lake = self.lake().await;
        let all = optimize::optimize(&lake, &[], TARGET_BYTES, resources(), |_| {}).await;
        all.unwrap().remove(0)
    }

    /// Vacuum as if it were `later`.
    async fn vacuum_in(&self, later: Duration, retention: Duration) -> Vacuumed {
        let lake = self.lake().await;
        vacuum(&lake, &options(later, retention)).await.unwrap()
    }

    async fn check(&self) -> Checked {
        check(&self.lake().await, &[], true).await.unwrap()
    }

    async fn expect_well(&self) {
        let checked = self.check().await;
        assert_eq!(checked.verdict, Verdict::Well, "{checked:#?}");
    }
}

fn options(later: Duration, retention: Duration) -> VacuumOptions {
    VacuumOptions {
        tables: Vec::new(),
        retention,
        now: Utc::now() + later,
        dry_run: false,
        force: false,
    }
}

fn resources() -> Resources {
    Resources::for_partitions(1)
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(walk(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found
}

fn kinds(checked: &Checked) -> Vec<(Verdict, Kind)> {
    let tables = checked.tables.iter().flat_map(|table| &table.findings);
    tables
        .chain(&checked.decisions)
        .map(|finding| (finding.verdict, finding.kind))
        .collect()
}

#[tokio::test]
async fn small_files_become_one_a_partition() {
    let scene = Scene::new();
    for n in 0..4 {
        let id = i64::try_from(n).unwrap();
        scene.write(2 * n, Mode::Append, "1", &[id]).await;
        scene
            .write(2 * n + 1, Mode::Append, "2", &[100 + id, 200 + id])
            .await;
    }
    let before = scene.ids().await;
    let optimized = scene.optimize().await;
    assert_eq!(optimized.version, Some(8));
    assert_eq!((optimized.files_removed, optimized.files_added), (8, 2));
    assert_eq!((optimized.rows, optimized.files_lost), (12, 0));
    assert_eq!(scene.ids().await, before);

    // The new files lie with those of their partition, and have statistics as a run's.
    let table = delta::open(&scene.root()).await.unwrap().unwrap();
    let mut views = log::views(&table).await.unwrap();
    views.sort_by_key(|view| view.path().into_owned());
    let shown: Vec<_> = views
        .iter()
        .map(|view| {
            let path = view.path().into_owned();
            let day = view.partition_values_map()["day"].clone().unwrap();
            assert!(path.starts_with(&format!("day={day}/part-")), "{path}");
            (day, view.num_records(), view.stats().unwrap())
        })
        .collect();
    let said = |text: &str, of: &str| {
        let stats: serde_json::Value = serde_json::from_str(text).unwrap();
        stats[of]["id"].clone()
    };
    assert_eq!(shown[0].1, Some(4));
    assert_eq!(said(&shown[0].2, "maxValues"), 3);
    assert_eq!(shown[1].1, Some(8));
    assert_eq!(said(&shown[1].2, "minValues"), 100);
    assert_eq!(said(&shown[1].2, "nullCount"), 0);

    // Nothing is left to do, and the next run goes on.
    let again = scene.optimize().await;
    assert_eq!((again.version, again.files_removed), (None, 0));
    scene.write(8, Mode::Append, "1", &[9]).await;
    assert_eq!(scene.ids().await.len(), 13);
    scene.expect_well().await;
}

#[tokio::test]
async fn large_files_are_left_alone_and_bins_do_not_grow_beyond_the_size() {
    let scene = Scene::new();
    let many: Vec<i64> = (0..2000).map(|id| id * 7919).collect();
    scene.write(0, Mode::Append, "1", &many).await;
    for n in 1..9 {
        let ids: Vec<i64> = (0..20).map(|id| 1_000_000_000 + id * 104_729).collect();
        scene.write(n, Mode::Append, "1", &ids).await;
    }
    let size = |number: usize| {
        let mut sizes: Vec<u64> = scene
            .there()
            .iter()
            .map(|path| std::fs::metadata(path).unwrap().len())
            .collect();
        sizes.sort_unstable();
        sizes[number]
    };
    let (small, large) = (size(0), size(8));
    assert!(small * 8 < large, "{small} {large}");
    let lake = scene.lake().await;
    let target = small * 3 + small / 2;
    let names = ["raw.visits".to_owned()];
    let all = optimize::optimize(&lake, &names, target, resources(), |_| {});
    let optimized = all.await.unwrap().remove(0);
    // Eight small files, three to a bin; the large one stays.
    assert_eq!((optimized.files_removed, optimized.files_added), (8, 3));
    assert_eq!(scene.ids().await.len(), 2160);
}

/// What was applied stays applied, also when a checkpoint is all that says so.
#[tokio::test]
async fn a_decision_that_was_applied_is_so_after_optimize_and_restore_and_checkpoints() {
    let scene = Scene::new();
    let mut decisions = Vec::new();
    for n in 0..9 {
        let id = i64::try_from(n).unwrap();
        decisions.push(scene.write(n, Mode::Append, "1", &[id]).await);
    }
    assert_eq!(scene.optimize().await.version, Some(9));
    // Version 10 is the restored one, which is one with a checkpoint.
    let lake = scene.lake().await;
    let restored = restore(&lake, "raw.visits", Goal::Version(3))
        .await
        .unwrap();
    assert_eq!(restored.version, Some(10));
    assert_eq!((restored.files_added, restored.files_removed), (4, 1));
    assert_eq!(
        (restored.rows_added, restored.rows_removed),
        (Some(4), Some(9))
    );
    assert_eq!(restored.steps, ["p/s"]);
    assert_eq!(scene.ids().await, [0, 1, 2, 3]);
    let checkpoint = format!("{:020}.checkpoint.parquet", 10);
    assert!(scene.log_files().contains(&checkpoint));
    for version in 0..10 {
        let entry = scene.path(&format!("raw/visits/_delta_log/{version:020}.json"));
        std::fs::remove_file(entry).unwrap();
    }
    assert_eq!(scene.apply(&decisions[8]).await, Applied::Before);
    let error = Scene::decisions(&lake)
        .apply(&decisions[7], &scene.applier())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("decision 7 is late"), "{error}");
    // Nor does the next run undo the restore.
    let (next, rolled) = Scene::decisions(&lake)
        .recover(&scene.applier())
        .await
        .unwrap();
    assert_eq!((next, rolled.is_none()), (9, true));
    assert_eq!(scene.ids().await, [0, 1, 2, 3]);
    scene.write(9, Mode::Append, "1", &[77]).await;
    assert_eq!(scene.ids().await, [0, 1, 2, 3, 77]);
}

/// Writers between reading the small files and the commit.
#[tokio::test]
async fn what_writers_do_meanwhile_stays_done() {
    let scene = Scene::new();
    for n in 0..3 {
        scene
            .write(n, Mode::Append, "1", &[i64::try_from(n).unwrap()])
            .await;
        scene.foreign("loader", n, &[10]).await;
    }
    let lake = scene.lake().await;
    let place = super::place(&lake, "raw.visits").await.unwrap();
    let table = super::open(&place).await.unwrap();
    let rewritten = optimize::tests::rewritten(&place, &table).await;
    // One adds, one replaces the day that is being rewritten.
    scene.foreign("loader", 3, &[11]).await;
    scene.write(3, Mode::ReplacePartition, "1", &[5]).await;
    let after = scene.ids().await;
    assert_eq!(after, [5, 10, 10, 10, 11]);

    let optimized = optimize::tests::commit(&place, &rewritten).await;
    assert_eq!((optimized.files_removed, optimized.files_lost), (3, 3));
    assert!(optimized.version.is_some());
    assert_eq!(scene.ids().await, after);
    // What was made of the replaced files is gone again: the rest is what versions name.
    let checked = scene.check().await;
    let kinds = kinds(&checked);
    assert!(
        !kinds.iter().any(|(_, kind)| *kind == Kind::Orphans),
        "{checked:#?}"
    );

    // All of it is lost: nothing is committed.
    for n in 4..6 {
        scene
            .write(n, Mode::Append, "1", &[50 + i64::try_from(n).unwrap()])
            .await;
    }
    let table = super::open(&place).await.unwrap();
    let rewritten = optimize::tests::rewritten(&place, &table).await;
    scene.write(6, Mode::Replace, "1", &[6]).await;
    let latest = super::open(&place).await.unwrap().version();
    let optimized = optimize::tests::commit(&place, &rewritten).await;
    assert_eq!(optimized.version, None);
    assert_eq!(super::open(&place).await.unwrap().version(), latest);
    assert_eq!(scene.ids().await, [6]);
}

/// Two at once: one does it, the other's work comes to nothing.
#[tokio::test]
async fn of_two_that_optimize_one_wins() {
    let scene = Scene::new();
    for n in 0..3 {
        scene
            .write(n, Mode::Append, "1", &[i64::try_from(n).unwrap()])
            .await;
    }
    let lake = scene.lake().await;
    let place = super::place(&lake, "raw.visits").await.unwrap();
    let table = super::open(&place).await.unwrap();
    let one = optimize::tests::rewritten(&place, &table).await;
    let other = optimize::tests::rewritten(&place, &table).await;
    let one = optimize::tests::commit(&place, &one).await;
    let other = optimize::tests::commit(&place, &other).await;
    assert_eq!((one.files_removed, one.files_lost), (3, 0));
    assert_eq!((other.files_removed, other.files_lost), (0, 3));
    assert_eq!(scene.ids().await, [0, 1, 2]);
    assert_eq!(scene.there().len(), 4);
    scene.expect_well().await;
}

#[tokio::test]
async fn history_says_who_made_each_version() {
    let scene = Scene::new();
    scene.write(0, Mode::Append, "1", &[1, 2]).await;
    scene.write(1, Mode::Append, "1", &[3]).await;
    scene.write(2, Mode::ReplacePartition, "1", &[4]).await;
    scene.foreign("loader", 0, &[5]).await;
    scene.foreign("weir/q/t/raw.visits/all", 7, &[6]).await;
    scene.optimize().await;
    let lake = scene.lake().await;
    restore(&lake, "raw.visits", Goal::Version(1))
        .await
        .unwrap();

    let versions = history(&lake, "raw.visits", 20).await.unwrap();
    let numbers: Vec<u64> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, [6, 5, 4, 3, 2, 1, 0]);
    let step = |n| Maker::Step {
        run: format!("run-{n}"),
        pipeline: "p".to_owned(),
        step: "s".to_owned(),
        n,
    };
    let upkeep = |command: &str| Maker::Upkeep {
        command: command.to_owned(),
    };
    let made_by: Vec<&Maker> = versions.iter().map(|version| &version.made_by).collect();
    assert_eq!(*made_by[0], upkeep("restore"));
    assert_eq!(*made_by[1], upkeep("optimize"));
    let unknown = Maker::UnknownStep {
        application: "weir/q/t/raw.visits/all".to_owned(),
        n: 7,
    };
    assert_eq!(*made_by[2], unknown);
    assert!(matches!(made_by[3], Maker::Other { engine: Some(_) }));
    assert_eq!(
        [made_by[4], made_by[5], made_by[6]],
        [&step(2), &step(1), &step(0)]
    );
    let changes: Vec<_> = versions
        .iter()
        .map(|v| (v.files_added, v.files_removed, v.rows_added, v.rows_removed))
        .collect();
    let some = |a, b| (Some(a), Some(b));
    let expected = [
        (2, 2, some(3, 3)),
        (1, 2, some(2, 2)),
        (1, 0, some(1, 0)),
        (1, 0, some(1, 0)),
        (1, 2, some(1, 3)),
        (1, 0, some(1, 0)),
        (1, 0, some(2, 0)),
    ];
    let expected: Vec<_> = expected.map(|(a, b, (c, d))| (a, b, c, d)).to_vec();
    assert_eq!(changes, expected);
    assert_eq!(versions[0].operation.as_deref(), Some("RESTORE"));
    // The rows that were taken out are known from the version before those shown.
    let two = history(&lake, "raw.visits", 5).await.unwrap();
    assert_eq!(two, versions[..5]);
    let error = history(&lake, "raw.visit", 5).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.hint().unwrap().contains("raw.visits"));
}

#[tokio::test]
async fn vacuum_takes_what_no_young_version_names() {
    let scene = Scene::new();
    for n in 0..3 {
        scene
            .write(n, Mode::Append, "1", &[i64::try_from(n).unwrap()])
            .await;
    }
    scene.optimize().await;
    let orphan = scene.files(&scene.root(), "day=1", &[99]).await.remove(0);
    assert_eq!(scene.there().len(), 5);
    let lake = scene.lake().await;
    // All are young yet: versions can be read that name three of them.
    let vacuumed = scene.vacuum_in(6 * DAY, RETENTION).await;
    assert!(vacuumed.tables[0].data.files.is_empty(), "{vacuumed:#?}");
    let dry = VacuumOptions {
        dry_run: true,
        ..options(8 * DAY, RETENTION)
    };
    let dry = vacuum(&lake, &dry).await.unwrap();
    assert_eq!(dry.tables[0].data.files.len(), 4);
    assert_eq!(scene.there().len(), 5);
    let vacuumed = scene.vacuum_in(8 * DAY, RETENTION).await;
    assert_eq!(vacuumed.tables[0].data, dry.tables[0].data);
    assert!(vacuumed.tables[0].data.files.contains(&orphan.path));
    assert_eq!(scene.there().len(), 1);
    assert_eq!(scene.ids().await, [0, 1, 2]);
    scene.expect_well().await;
    // What the old version named is gone, and whoever wants it back is told.
    let error = restore(&lake, "raw.visits", Goal::Version(1))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is gone"), "{error}");
    assert_eq!(scene.ids().await, [0, 1, 2]);
}

/// A version that was the latest less than the retention ago keeps its files, however old they are.
#[tokio::test]
async fn old_files_of_a_young_version_stay() {
    let scene = Scene::new();
    scene.write(0, Mode::Replace, "1", &[1]).await;
    let first = scene.there();
    scene.write(1, Mode::Replace, "1", &[2]).await;
    // The first version was replaced "today"; its file is ten days old.
    let old = std::time::SystemTime::now() - 10 * DAY;
    let set = |path: &str| {
        let file = std::fs::File::options().append(true).open(path).unwrap();
        file.set_modified(old).unwrap();
    };
    set(&first[0]);
    set(scene
        .path(&format!("raw/visits/_delta_log/{:020}.json", 0))
        .to_str()
        .unwrap());
    let vacuumed = scene.vacuum_in(Duration::ZERO, RETENTION).await;
    assert!(vacuumed.tables[0].data.files.is_empty());
    let lake = scene.lake().await;
    restore(&lake, "raw.visits", Goal::Version(0))
        .await
        .unwrap();
    assert_eq!(scene.ids().await, [1]);
}

/// What a decision names that was not applied stays however old it is, and is applied then.
#[tokio::test]
async fn vacuum_keeps_what_is_decided_and_not_applied() {
    let scene = Scene::new();
    scene.write(0, Mode::Append, "1", &[0]).await;
    let pending = scene.decide(1, Mode::Append, "1", &[1]).await;
    let vacuumed = scene.vacuum_in(400 * DAY, RETENTION).await;
    assert!(vacuumed.tables[0].data.files.is_empty(), "{vacuumed:#?}");
    assert_eq!(vacuumed.tables[0].kept_for_decisions, 1);
    let checked = scene.check().await;
    assert_eq!(kinds(&checked), [(Verdict::Look, Kind::Pending)]);

    let lake = scene.lake().await;
    let (next, rolled) = Scene::decisions(&lake)
        .recover(&scene.applier())
        .await
        .unwrap();
    assert_eq!((next, rolled.unwrap().writer), (2, pending.writer));
    assert_eq!(scene.ids().await, [0, 1]);
    scene.expect_well().await;
    // Once applied, its file is one of the table, and goes with it.
    scene.write(2, Mode::Replace, "1", &[2]).await;
    let vacuumed = scene.vacuum_in(400 * DAY, RETENTION).await;
    assert_eq!(vacuumed.tables[0].data.files.len(), 2);
    assert_eq!(vacuumed.tables[0].kept_for_decisions, 0);
}

/// The first run of a table was cut off: there is a folder, and no table.
#[tokio::test]
async fn vacuum_of_a_folder_without_a_table() {
    let scene = Scene::new();
    let pending = scene.decide(0, Mode::Append, "1", &[0]).await;
    scene.files(&scene.root(), "", &[1]).await;
    // Not ours, and perhaps not even Delta's.
    for name in [
        "data.parquet",
        "part-00000.c000.snappy.parquet",
        "notes.txt",
    ] {
        std::fs::write(scene.path("raw/visits").join(name), "x").unwrap();
    }
    let checked = scene.check().await;
    let expected = [
        (Verdict::Look, Kind::Orphans),
        (Verdict::Look, Kind::Pending),
    ];
    assert_eq!(kinds(&checked), expected);
    let vacuumed = scene.vacuum_in(8 * DAY, RETENTION).await;
    assert_eq!(vacuumed.tables[0].data.files.len(), 1);
    assert_eq!(vacuumed.tables[0].kept_for_decisions, 1);
    assert!(scene.path("raw/visits/notes.txt").exists());
    assert_eq!(scene.there().len(), 3);
    scene.apply(&pending).await;
    assert_eq!(scene.ids().await, [0]);
}

/// A run at work: it has staged files and written data files, and decided nothing.
#[tokio::test]
async fn vacuum_leaves_what_a_run_at_work_has_written() {
    let scene = Scene::new();
    scene.write(0, Mode::Append, "1", &[0]).await;
    let lake = scene.lake().await;
    let mut record = RunRecord {
        format: FORMAT,
        run: Uuid::now_v7().to_string(),
        pipeline: "p".to_owned(),
        owner: None,
        params: BTreeMap::new(),
        status: Status::Running,
        started_at: crate::run::now(),
        finished_at: None,
        weir: String::new(),
        request: None,
        usage: None,
        steps: Vec::new(),
    };
    record.save(&lake.weir()).await.unwrap();
    let staging = lake
        .weir()
        .child(&["staging", &record.run, "s", "segment-0"]);
    scene.files(&staging, "", &[1]).await;
    let written = scene.files(&scene.root(), "day=1", &[1]).await;
    for (later, retention) in [(DAY * 6, RETENTION), (LEAST_RETENTION / 2, LEAST_RETENTION)] {
        let vacuumed = scene.vacuum_in(later, retention).await;
        assert!(vacuumed.tables[0].data.files.is_empty(), "{vacuumed:#?}");
        assert!(vacuumed.staged.files.is_empty());
    }
    // The run's step goes on: it decides, and its files are there.
    let root = scene.root();
    assert!(delta::files_are_there(&root, &written).await.unwrap());

    // It was killed, and a week has passed.
    let vacuumed = scene.vacuum_in(DAY * 8, RETENTION).await;
    assert_eq!(vacuumed.staging, [record.run.clone()]);
    assert_eq!(vacuumed.tables[0].data.files.len(), 1);
    assert!(!delta::files_are_there(&root, &written).await.unwrap());
    assert!(
        !scene
            .path(&format!("_weir/staging/{}", record.run))
            .exists()
    );

    // Of a run that has ended staged files go at once.
    scene.files(&staging, "", &[1]).await;
    record.finished_at = Some(crate::run::now());
    record.status = Status::Failed;
    record.save(&lake.weir()).await.unwrap();
    let vacuumed = scene.vacuum_in(Duration::ZERO, RETENTION).await;
    assert_eq!(vacuumed.staged.files.len(), 1);
}

/// What is staged for a database stays while a decision needs it.
#[tokio::test]
async fn vacuum_keeps_what_is_staged_for_a_database() {
    let scene = Scene::new();
    scene.write(0, Mode::Append, "1", &[0]).await;
    let mut decision = scene.decide(1, Mode::Append, "1", &[1]).await;
    let lake = scene.lake().await;
    let staging = lake.weir().child(&["staging", &decision.run, "s", "db"]);
    let files = scene.files(&staging, "", &[1]).await;
    let other = lake
        .weir()
        .child(&["staging", &decision.run, "s", "segment-0"]);
    scene.files(&other, "", &[1]).await;
    decision.targets.push(TargetCommit::Sqlite(SqliteCommit {
        merge: None,
        connection: None,
        target: "db:visits".to_owned(),
        path: scene.dir.path().join("db.sqlite"),
        table: "visits".to_owned(),
        run: "0".to_owned(),
        app_id: "weir/p/s/db:visits/all".to_owned(),
        mode: Mode::Append,
        evolves: false,
        columns: vec![("id".to_owned(), "INTEGER".to_owned())],
        scope: Vec::new(),
        staging: staging.url().to_string(),
        files,
    }));
    let text = serde_json::to_string(&decision).unwrap();
    let place = format!("_weir/commits/p/s/all/{:020}.json", 1);
    std::fs::write(scene.path(&place), text).unwrap();
    let vacuumed = scene.vacuum_in(400 * DAY, RETENTION).await;
    assert_eq!(vacuumed.staged.files.len(), 1, "{vacuumed:#?}");
    assert!(vacuumed.staged.files[0].contains("segment-0"));
    let checked = scene.check().await;
    let pending = (Verdict::Look, Kind::Pending);
    assert_eq!(kinds(&checked), [pending, pending]);
    Scene::decisions(&lake)
        .recover(&scene.applier())
        .await
        .unwrap();
    scene.expect_well().await;
    // From a machine that does not have the database nothing can be said of it, and nothing is.
    std::fs::remove_file(scene.dir.path().join("db.sqlite")).unwrap();
    let checked = scene.check().await;
    assert_eq!(kinds(&checked), [(Verdict::Well, Kind::NotSeen)]);
}

#[tokio::test]
async fn vacuum_cleans_the_log_before_an_old_checkpoint() {
    let scene = Scene::new();
    let mut last = None;
    for n in 0..25 {
        let id = i64::try_from(n).unwrap();
        // A second step of its own, which has been quiet since.
        if n == 3 {
            scene.foreign("loader", 4, &[100]).await;
        }
        last = Some(scene.write(n, Mode::Append, "1", &[id]).await);
    }
    let ids = scene.ids().await;
    assert!(scene.log_files().len() > 25);
    let vacuumed = scene.vacuum_in(29 * DAY, RETENTION).await;
    assert!(vacuumed.tables[0].log.files.is_empty());
    let dry = VacuumOptions {
        dry_run: true,
        ..options(31 * DAY, RETENTION)
    };
    let lake = scene.lake().await;
    let dry = vacuum(&lake, &dry).await.unwrap();
    let vacuumed = scene.vacuum_in(31 * DAY, RETENTION).await;
    assert_eq!(vacuumed.tables[0].log, dry.tables[0].log);
    // Entries 0 to 19 and the checkpoint of 10.
    assert_eq!(vacuumed.tables[0].log.files.len(), 21, "{vacuumed:#?}");
    assert_eq!(
        scene.log_files()[0],
        format!("{:020}.checkpoint.parquet", 20)
    );
    assert_eq!(scene.ids().await, ids);
    // What was applied is known: of the step, and of the one that has only the checkpoint to say it.
    assert_eq!(scene.apply(&last.unwrap()).await, Applied::Before);
    let table = delta::open(&scene.root()).await.unwrap().unwrap();
    let loader = table.snapshot().unwrap();
    let loader = loader
        .transaction_version(&table.log_store(), "loader")
        .await;
    assert_eq!(loader.unwrap(), Some(4));
    // Again there is nothing to do; and what is left can be read.
    let again = scene.vacuum_in(31 * DAY, RETENTION).await;
    assert!(again.tables[0].log.files.is_empty());
    let versions = history(&lake, "raw.visits", 100).await.unwrap();
    assert_eq!(versions.len(), 6);
    assert_eq!(versions[5].version, 20);
    assert_eq!(versions[5].rows_removed, Some(0));
    let error = restore(&lake, "raw.visits", Goal::Version(19))
        .await
        .unwrap_err();
    assert!(
        error.hint().unwrap().contains("versions 20 to 25"),
        "{error:?}"
    );
    // The loader's row is no decision's, and the log does not say any more that it was there.
    let checked = scene.check().await;
    assert_eq!(kinds(&checked), [(Verdict::Look, Kind::RowsDiffer)]);
    let restored = restore(&lake, "raw.visits", Goal::Version(20))
        .await
        .unwrap();
    assert_eq!(restored.files_removed, 5);
}

/// A checkpoint that has forgotten what was applied would let it be applied again.
#[tokio::test]
async fn the_log_is_kept_where_a_checkpoint_does_not_know_what_was_applied() {
    let scene = Scene::new();
    for n in 0..11 {
        scene.write(n, Mode::Append, "1", &[1]).await;
    }
    // Another program has set this; from then on checkpoints forget.
    let entry = scene.path(&format!("raw/visits/_delta_log/{:020}.json", 0));
    let text = std::fs::read_to_string(&entry).unwrap();
    let retention = "\"delta.setTransactionRetentionDuration\":\"interval 1 seconds\"";
    let text = text.replace(
        "\"configuration\":{}",
        &format!("\"configuration\":{{{retention}}}"),
    );
    assert!(text.contains(retention), "{text}");
    std::fs::write(&entry, text).unwrap();
    std::fs::remove_file(scene.path(&format!(
        "raw/visits/_delta_log/{:020}.checkpoint.parquet",
        10
    )))
    .unwrap();
    let _ = std::fs::remove_file(scene.path("raw/visits/_delta_log/_last_checkpoint"));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    delta::checkpoint("raw.visits", &scene.root(), 10).await;
    let vacuumed = scene.vacuum_in(31 * DAY, RETENTION).await;
    assert!(vacuumed.tables[0].log.files.is_empty(), "{vacuumed:#?}");
    assert!(
        vacuumed.tables[0].left_alone[0].contains("does not know"),
        "{vacuumed:#?}"
    );
}

#[tokio::test]
async fn what_writes_that_were_cut_off_left_on_the_disk() {
    let scene = Scene::new();
    scene.write(0, Mode::Append, "1", &[0]).await;
    let left = [
        "raw/visits/day=1/part-x.zstd.parquet#1",
        "raw/visits/_delta_log/00000000000000000001.json#170141183460469231731687303715884105727",
        "_weir/commits/p/s/all/00000000000000000001.json#5",
    ];
    let kept = ["raw/visits/day=1/notes#", "raw/visits/day=1/a#b1"];
    for name in left.iter().chain(&kept) {
        std::fs::write(scene.path(name), "half").unwrap();
    }
    let vacuumed = scene.vacuum_in(6 * DAY, RETENTION).await;
    assert!(vacuumed.torn.files.is_empty());
    let vacuumed = scene.vacuum_in(8 * DAY, RETENTION).await;
    assert_eq!((vacuumed.torn.files.len(), vacuumed.torn.bytes), (3, 12));
    assert!(left.iter().all(|name| !scene.path(name).exists()));
    assert!(kept.iter().all(|name| scene.path(name).exists()));
    scene.expect_well().await;
}

#[tokio::test]
async fn vacuum_refuses_what_it_cannot_know() {
    let scene = Scene::new();
    scene.write(0, Mode::Append, "1", &[0]).await;
    scene.foreign("weir/q/t/raw.visits/all", 0, &[1]).await;
    scene.files(&scene.root(), "", &[2]).await;
    let lake = scene.lake().await;
    let short = options(DAY, Duration::from_secs(3_599));
    let error = vacuum(&lake, &short).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    // Another lake's step writes into the table: what it has decided is not to be seen.
    let vacuumed = scene.vacuum_in(8 * DAY, RETENTION).await;
    assert!(
        vacuumed.tables[0].left_alone[0].contains("weir/q/t"),
        "{vacuumed:#?}"
    );
    assert!(vacuumed.tables[0].data.files.is_empty());
    let forced = VacuumOptions {
        force: true,
        ..short
    };
    let vacuumed = vacuum(&lake, &forced).await.unwrap();
    assert_eq!(vacuumed.tables[0].data.files.len(), 1);
    assert_eq!(scene.ids().await, [0, 1]);
    let unknown = VacuumOptions {
        tables: vec!["raw.nothing".to_owned()],
        ..options(DAY, RETENTION)
    };
    let error = vacuum(&lake, &unknown).await.unwrap_err();
    assert!(
        error.to_string().contains("no table raw.nothing"),
        "{error}"
    );
}

#[tokio::test]
async fn restore_by_time_and_back() {
    let scene = Scene::new();
    scene.write(0, Mode::Replace, "1", &[1]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let between = Utc::now();
    tokio::time::sleep(Duration::from_millis(5)).await;
    scene.write(1, Mode::Replace, "1", &[2, 3]).await;
    let lake = scene.lake().await;
    let restored = restore(&lake, "raw.visits", Goal::Time(between))
        .await
        .unwrap();
    assert_eq!((restored.restored, restored.before), (0, 1));
    assert_eq!(scene.ids().await, [1]);
    // Once more there is nothing to do; back again, as it says.
    let again = restore(&lake, "raw.visits", Goal::Version(0))
        .await
        .unwrap();
    assert_eq!(again.version, None);
    let back = restore(&lake, "raw.visits", Goal::Version(restored.before))
        .await
        .unwrap();
    assert_eq!(back.version, Some(3));
    assert_eq!(scene.ids().await, [2, 3]);
    for goal in [Goal::Version(4), Goal::Time(between - DAY)] {
        let error = restore(&lake, "raw.visits", goal).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.hint().is_some());
    }
    // A step that replaces does it again.
    scene.write(2, Mode::Replace, "1", &[4]).await;
    assert_eq!(scene.ids().await, [4]);
}

/// A table whose columns were changed gets the old ones again.
#[tokio::test]
async fn restore_brings_columns_back() {
    let scene = Scene::new();
    scene.write(0, Mode::Replace, "1", &[1]).await;
    let mut decision = scene.decide(1, Mode::Replace, "1", &[2]).await;
    let TargetCommit::Delta(commit) = &mut decision.targets[0] else {
        unreachable!("it is a table");
    };
    let other = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("more", DataType::Utf8, true),
        Field::new("day", DataType::Utf8, true),
    ]);
    commit.schema = delta::schema_json(&other).unwrap();
    scene.apply(&decision).await;
    let columns = async || {
        let schema = delta::schema(&scene.root()).await.unwrap().unwrap();
        schema.fields().len()
    };
    assert_eq!(columns().await, 3);
    let lake = scene.lake().await;
    restore(&lake, "raw.visits", Goal::Version(0))
        .await
        .unwrap();
    assert_eq!(columns().await, 2);
    assert_eq!(scene.ids().await, [1]);
}

/// Takes all files away, once; a writer comes between the look at the table and the commit.
struct Removal<'a> {
    scene: &'a Scene,
    first: bool,
}

#[async_trait]
impl Proposal for Removal<'_> {
    async fn on(&mut self, table: &DeltaTable) -> Result<Option<(Vec<Action>, DeltaOperation)>> {
        if !std::mem::take(&mut self.first) {
            return Ok(None);
        }
        self.scene.write(2, Mode::Append, "1", &[3]).await;
        let files = log::views(table).await?;
        let removes = files
            .iter()
            .map(|view| Action::Remove(view.remove_action(true)));
        let operation = DeltaOperation::Restore {
            version: Some(0),
            datetime: None,
        };
        Ok(Some((removes.collect(), operation)))
    }
}

#[tokio::test]
async fn restore_loses_against_a_writer() {
    let scene = Scene::new();
    scene.write(0, Mode::Replace, "1", &[1]).await;
    scene.write(1, Mode::Replace, "1", &[2]).await;
    let lake = scene.lake().await;
    let place = super::place(&lake, "raw.visits").await.unwrap();
    let mut removal = Removal {
        scene: &scene,
        first: true,
    };
    let settled = settle(&place, "restore", &mut removal).await;
    assert_eq!(settled.unwrap(), Settled::Lost);
    assert_eq!(scene.ids().await, [2, 3]);
}

#[tokio::test]
async fn check_of_files() {
    let scene = Scene::new();
    for n in 0..4 {
        let ids: Vec<i64> = (0..50)
            .map(|id| i64::try_from(n).unwrap() * 100 + id)
            .collect();
        scene.write(n, Mode::Append, "1", &ids).await;
    }
    scene.expect_well().await;
    let checked = scene.check().await;
    assert_eq!(checked.tables[0].rows, Some(200));
    assert_eq!(checked.tables[0].rows_by_decisions, Some(200));
    assert_eq!(
        (checked.tables[0].files, checked.tables[0].version),
        (4, Some(3))
    );

    let orphan = scene.files(&scene.root(), "day=1", &[1]).await.remove(0);
    let checked = scene.check().await;
    assert_eq!(kinds(&checked), [(Verdict::Look, Kind::Orphans)]);
    let finding = &checked.tables[0].findings[0];
    assert_eq!(
        (finding.files.as_slice(), finding.bytes),
        ([orphan.path.clone()].as_slice(), orphan.bytes)
    );
    scene.root().file(&orphan.path).remove().await.unwrap();

    let files = scene.there();
    // A page that was damaged on the disk: only reading it tells.
    let whole = std::fs::read(&files[0]).unwrap();
    let mut broken = whole.clone();
    broken[4..40].fill(0xff);
    std::fs::write(&files[0], &broken).unwrap();
    let lake = scene.lake().await;
    let shallow = check(&lake, &[], false).await.unwrap();
    assert_eq!(shallow.verdict, Verdict::Well);
    let checked = scene.check().await;
    assert_eq!(kinds(&checked), [(Verdict::Damaged, Kind::OtherRows)]);
    // A file that is another.
    std::fs::write(&files[0], &whole[..whole.len() - 1]).unwrap();
    let checked = check(&lake, &[], false).await.unwrap();
    assert_eq!(kinds(&checked), [(Verdict::Damaged, Kind::OtherSize)]);
    std::fs::write(&files[0], &whole).unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    let checked = check(&lake, &["raw.visits".to_owned()], true)
        .await
        .unwrap();
    assert_eq!(kinds(&checked), [(Verdict::Damaged, Kind::MissingFiles)]);
    assert!(files[1].ends_with(&checked.tables[0].findings[0].files[0]));
}

#[tokio::test]
async fn check_of_decisions_and_commits() {
    let scene = Scene::new();
    for n in 0..3 {
        scene.write(n, Mode::Append, "1", &[1, 2]).await;
    }
    // One is gone, whose files would be added again; and the rows say so.
    let decision = scene.path(&format!("_weir/commits/p/s/all/{:020}.json", 1));
    let text = std::fs::read(&decision).unwrap();
    std::fs::remove_file(&decision).unwrap();
    let checked = scene.check().await;
    let expected = [
        (Verdict::Damaged, Kind::RowsDiffer),
        (Verdict::Damaged, Kind::MissingDecision),
    ];
    assert_eq!(kinds(&checked), expected);
    std::fs::write(&decision, text).unwrap();
    scene.expect_well().await;

    // Of another program's commit, and of a restore, rows are told apart.
    scene.foreign("loader", 0, &[5]).await;
    let checked = scene.check().await;
    assert_eq!(kinds(&checked), [(Verdict::Look, Kind::ForeignCommits)]);
    assert_eq!(checked.tables[0].rows_by_decisions, None);
    let lake = scene.lake().await;
    restore(&lake, "raw.visits", Goal::Version(0))
        .await
        .unwrap();
    let checked = scene.check().await;
    let expected = [
        (Verdict::Look, Kind::ForeignCommits),
        (Verdict::Well, Kind::Restored),
    ];
    assert_eq!(kinds(&checked), expected);

    // A decision whose files are gone before it was applied.
    let pending = scene.decide(3, Mode::Append, "1", &[7]).await;
    let TargetCommit::Delta(commit) = &pending.targets[0] else {
        unreachable!("it is a table");
    };
    scene
        .root()
        .file(&commit.files[0].path)
        .remove()
        .await
        .unwrap();
    let checked = scene.check().await;
    assert_eq!(checked.verdict, Verdict::Damaged);
    assert_eq!(checked.decisions[0].kind, Kind::PendingFilesGone);
    // One that was given up.
    std::fs::write(
        scene.path(&format!("_weir/commits/p/s/all/{:020}.abandoned", 3)),
        "\"x\"",
    )
    .unwrap();
    let checked = scene.check().await;
    assert_eq!(checked.decisions[0].kind, Kind::Abandoned);
    assert_eq!(checked.verdict, Verdict::Look);
}

#[tokio::test]
async fn check_of_a_broken_log() {
    let scene = Scene::new();
    for n in 0..3 {
        scene.write(n, Mode::Append, "1", &[1]).await;
    }
    let entry = scene.path(&format!("raw/visits/_delta_log/{:020}.json", 1));
    let text = std::fs::read(&entry).unwrap();
    std::fs::write(&entry, "{\"add\":").unwrap();
    let checked = scene.check().await;
    assert_eq!(checked.verdict, Verdict::Damaged, "{checked:#?}");
    assert_eq!(checked.tables[0].findings[0].kind, Kind::UnreadableTable);
    // The others are looked after all the same.
    let left_alone = scene.optimize().await.left_alone;
    assert!(left_alone.unwrap().contains("weir lake check"));
    let vacuumed = scene.vacuum_in(8 * DAY, RETENTION).await;
    assert!(vacuumed.tables[0].left_alone[0].contains("weir lake check"));
    assert_eq!(scene.there().len(), 3);
    std::fs::write(&entry, text).unwrap();
    scene.expect_well().await;
}

/// A lake that a newer weir wrote is not touched.
#[tokio::test]
async fn a_newer_lake_is_refused() {
    let scene = Scene::new();
    let lake = scene.lake().await;
    // One that does not say its format has the first.
    lake.check_format().await.unwrap();
    lake.claim_format().await.unwrap();
    let said: serde_json::Value =
        serde_json::from_slice(&std::fs::read(scene.path("_weir/format.json")).unwrap()).unwrap();
    assert_eq!(said["format"], FORMAT);
    let id = lake.claim_format().await.unwrap();
    assert_eq!(said["lake"], id.to_string());
    // One of an earlier weir gets a name, and keeps it.
    let nameless = serde_json::json!({ "format": FORMAT });
    std::fs::write(scene.path("_weir/format.json"), nameless.to_string()).unwrap();
    let id = lake.claim_format().await.unwrap();
    assert_eq!(lake.claim_format().await.unwrap(), id);
    let newer = serde_json::json!({ "format": FORMAT + 1, "more": true });
    std::fs::write(scene.path("_weir/format.json"), newer.to_string()).unwrap();
    let at = Lake::at(scene.path("").to_str().unwrap(), &scene.stores).await;
    for error in [lake.claim_format().await.unwrap_err(), at.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert_eq!(error.hint(), Some("use the newer weir"));
    }
}
