//! Upkeep among runs: what it does to tables is there once or not at all, whatever fails, and whoever
//! writes meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::Utc;

use super::faulty::{Control, Faulty, Plan, Way};
use super::from_env;
use super::scene::Scene;
use crate::error::ErrorKind;
use crate::lake::Lake;
use crate::session::Resources;
use crate::store::Stores;
use crate::upkeep::check::{Verdict, check};
use crate::upkeep::history::{Maker, history};
use crate::upkeep::optimize::{self, TARGET_BYTES};
use crate::upkeep::restore::{Goal, restore};
use crate::upkeep::vacuum::{RETENTION, VacuumOptions, vacuum};

const DAY: Duration = Duration::from_secs(86_400);

impl Scene {
    async fn lake_in(&self, stores: &Stores) -> crate::Result<Lake> {
        Lake::at(&self.lake, stores).await
    }

    async fn optimize(&self, stores: &Stores) -> crate::Result<Vec<optimize::Optimized>> {
        let lake = self.lake_in(stores).await?;
        let resources = Resources::for_partitions(1);
        optimize::optimize(&lake, &[], TARGET_BYTES, resources, |_| {}).await
    }

    /// Vacuum as if it were `later`.
    async fn vacuum(&self, stores: &Stores, later: Duration) -> crate::Result<u64> {
        let lake = self.lake_in(stores).await?;
        let options = VacuumOptions {
            tables: Vec::new(),
            retention: RETENTION,
            now: Utc::now() + later,
            dry_run: false,
            force: false,
        };
        let vacuumed = vacuum(&lake, &options).await?;
        for table in &vacuumed.tables {
            assert!(table.left_alone.is_empty(), "{table:?}");
        }
        let files = vacuumed.tables.iter().map(|table| table.data.files.len());
        Ok(files.sum::<usize>() as u64)
    }

    /// Demands that every file and row is there, and no other thing is found than `verdict` allows.
    async fn expect_check(&self, verdict: Verdict, when: &str) {
        let lake = self.lake_in(&self.stores).await.unwrap();
        let checked = check(&lake, &[], true).await.unwrap();
        assert!(checked.verdict <= verdict, "{when}: {checked:#?}");
    }
}

/// A lake with the rows 0 to 30 of three files that were added one after the other.
async fn begun() -> (tempfile::TempDir, Scene) {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path(), None, &Stores::default());
    for (number, name) in ["a.csv", "b.csv", "c.csv"].into_iter().enumerate() {
        let first = number as u64 * 10;
        scene.input(name, first..first + 10);
        scene.run_undisturbed().await;
    }
    (dir, scene)
}

/// One after the other, as somebody does every week; and the next run goes on.
async fn a_week(scene: &Scene) {
    scene.expect(0..30, "before").await;
    scene.expect_check(Verdict::Well, "before").await;
    let stores = &scene.stores;
    let optimized = scene.optimize(stores).await.unwrap();
    let of = |name: &str| optimized.iter().find(|table| table.table == name).unwrap();
    assert_eq!(of("raw.visits").files_removed, 3);
    assert_eq!(of("raw.visits__quarantine").files_removed, 3);
    assert_eq!(of("curated.states").version, None);
    scene.expect(0..30, "after optimize").await;
    scene.expect_check(Verdict::Well, "after optimize").await;
    assert_eq!(scene.vacuum(stores, 6 * DAY).await.unwrap(), 0);
    // Three of each table to which rows were added, a vault and the one that takes what is new among them, in
    // each of nine partitions of the one that has some, and of the one into which they were merged; two of each
    // that was replaced, or merged with what was there, nine times of the one whose partitions were.
    let added = 3 + 3 + 3 + 9 * 3 + 3 + 3;
    let replaced = 2 + 2 + 9 * 2 + 2 + 2;
    assert_eq!(
        scene.vacuum(stores, 8 * DAY).await.unwrap(),
        added + replaced
    );
    scene.expect(0..30, "after vacuum").await;
    scene.expect_check(Verdict::Well, "after vacuum").await;

    let lake = scene.lake_in(stores).await.unwrap();
    let versions = history(&lake, "raw.visits", 10).await.unwrap();
    assert_eq!(versions.len(), 4);
    assert_eq!(
        (versions[0].rows_added, versions[0].rows_removed),
        (Some(27), Some(27))
    );
    assert!(matches!(&versions[3].made_by, Maker::Step { step, n: 0, .. } if step == "land"));

    scene.input("d.csv", 30..40);
    scene.run_undisturbed().await;
    scene.expect(0..40, "after the next run").await;
    scene
        .expect_check(Verdict::Well, "after the next run")
        .await;
    restore(&lake, "raw.visits", Goal::Version(3))
        .await
        .unwrap();
    let ids = "select count(*) from raw.visits";
    assert_eq!(scene.numbers(ids).await, [27]);
    // The next run adds nothing that was read before, and undoes nothing.
    scene.run_undisturbed().await;
    assert_eq!(scene.numbers(ids).await, [27]);
    let back = restore(&lake, "raw.visits", Goal::Version(4))
        .await
        .unwrap();
    assert_eq!(back.rows_added, Some(9));
    scene.run_undisturbed().await;
    scene
        .expect(0..40, "after it was restored and that was undone")
        .await;
}

#[tokio::test]
async fn a_week_on_the_local_disk() {
    let (_dir, scene) = begun().await;
    a_week(&scene).await;
}

#[tokio::test]
async fn a_week_on_s3() {
    let server = weir_s3::Server::start();
    let url = format!("s3://{}", weir_s3::BUCKET);
    let settings = server
        .environment()
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let stores = Stores::new([(url.clone(), settings)].into());
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path(), Some(&format!("{url}/week")), &stores);
    for (number, name) in ["a.csv", "b.csv", "c.csv"].into_iter().enumerate() {
        let first = number as u64 * 10;
        scene.input(name, first..first + 10);
        scene.run_undisturbed().await;
    }
    a_week(&scene).await;
}

/// What is done while one call of a store fails.
#[derive(Debug, Clone, Copy)]
enum Work {
    Optimize,
    Vacuum,
    Restore,
}

impl Work {
    async fn run(self, scene: &Scene, stores: &Stores) -> crate::Result<()> {
        match self {
            Work::Optimize => scene.optimize(stores).await.map(|_| ()),
            Work::Vacuum => scene.vacuum(stores, 8 * DAY).await.map(|_| ()),
            // To what it is already, by way of what it was.
            Work::Restore => {
                let lake = scene.lake_in(stores).await?;
                restore(&lake, "raw.visits", Goal::Version(1)).await?;
                restore(&lake, "raw.visits", Goal::Version(2)).await?;
                Ok(())
            }
        }
    }
}

/// Every call that the work makes fails in every way, one at a time.
async fn every_call(work: Work) {
    let stores = |control: &Arc<Control>| {
        let control = Arc::clone(control);
        Stores::around(move |store| Arc::new(Faulty::new(store, &control)))
    };
    let begun = async || {
        let (dir, scene) = begun().await;
        if matches!(work, Work::Vacuum) {
            scene.optimize(&scene.stores).await.unwrap();
        }
        (dir, scene)
    };
    let calls = {
        let (_dir, scene) = begun().await;
        let control = Control::new(Plan::Count);
        work.run(&scene, &stores(&control)).await.unwrap();
        control.calls()
    };
    let all: Vec<(usize, Way)> = (0..calls)
        .flat_map(|call| Way::ALL.map(|way| (call, way)))
        .collect();
    let most = from_env("WEIR_FAULTS", 3).min(all.len());
    let (mut failed, mut gone_through) = (0, 0);
    for number in 0..most {
        let (call, way) = all[number * all.len() / most];
        let (_dir, scene) = begun().await;
        let control = Control::new(Plan::Fail(call, way));
        let outcome = work.run(&scene, &stores(&control)).await;
        let name = control.names().get(call).cloned();
        let when = format!("{work:?} after call {call} ({name:?}) failed: {way:?}");
        match outcome {
            Ok(()) => gone_through += 1,
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::Internal, "{when}: {error}");
                failed += 1;
            }
        }
        if way == Way::Late {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match work {
            // Nothing is lost or there twice, and the same again does it.
            Work::Optimize | Work::Vacuum => scene.expect(0..30, &when).await,
            Work::Restore => {}
        }
        if number % 4 == 0 {
            scene.expect_check(Verdict::Look, &when).await;
        }
        let again = work.run(&scene, &scene.stores).await;
        again.unwrap_or_else(|error| panic!("{when}, and the next one too: {error}"));
        scene.expect(0..30, &when).await;
        scene.vacuum(&scene.stores, 8 * DAY).await.unwrap();
        scene.expect_check(Verdict::Well, &when).await;
        scene.input("d.csv", 30..40);
        scene.run_undisturbed().await;
        scene.expect(0..40, &when).await;
    }
    println!(
        "{most} of {} failures: {failed} failed, {gone_through} went on",
        all.len()
    );
    // Of a few failures all may end the work.
    assert!(failed > 0 && (gone_through > 0 || most < 13));
}

#[tokio::test]
async fn every_call_of_optimize_may_fail() {
    every_call(Work::Optimize).await;
}

#[tokio::test]
async fn every_call_of_vacuum_may_fail() {
    every_call(Work::Vacuum).await;
}

#[tokio::test]
async fn every_call_of_restore_may_fail() {
    every_call(Work::Restore).await;
}

/// A store that fails is no damage.
#[tokio::test]
async fn every_call_of_check_may_fail() {
    let (_dir, scene) = begun().await;
    let stores = |control: &Arc<Control>| {
        let control = Arc::clone(control);
        Stores::around(move |store| Arc::new(Faulty::new(store, &control)))
    };
    let run = async |control: &Arc<Control>| {
        let lake = scene.lake_in(&stores(control)).await?;
        check(&lake, &[], true).await
    };
    let control = Control::new(Plan::Count);
    run(&control).await.unwrap();
    let all: Vec<(usize, Way)> = (0..control.calls())
        .flat_map(|call| Way::ALL.map(|way| (call, way)))
        .collect();
    let most = from_env("WEIR_FAULTS", 7).min(all.len());
    for number in 0..most {
        let (call, way) = all[number * all.len() / most];
        let control = Control::new(Plan::Fail(call, way));
        let name = control.names().get(call).cloned();
        match run(&control).await {
            Ok(checked) => assert_eq!(
                checked.verdict,
                Verdict::Well,
                "call {call} ({name:?}) failed: {way:?}: {checked:#?}"
            ),
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// A commit that is done and whose answer is lost is found, not done again, and not given up.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_again() {
    let stores = |control: &Arc<Control>| {
        let control = Arc::clone(control);
        Stores::around(move |store| Arc::new(Faulty::new(store, &control)))
    };
    let work = async |scene: &Scene, stores: &Stores, restores: bool| {
        let lake = scene.lake_in(stores).await.unwrap();
        let resources = Resources::for_partitions(1);
        let names = ["raw.visits".to_owned()];
        let version = match restores {
            true => {
                let goal = Goal::Version(1);
                let restored = restore(&lake, "raw.visits", goal).await.unwrap();
                restored.version
            }
            false => {
                let all = optimize::optimize(&lake, &names, TARGET_BYTES, resources, |_| {}).await;
                all.unwrap()[0].version
            }
        };
        assert_eq!(version, Some(3));
    };
    for restores in [false, true] {
        let entry = {
            let (_dir, scene) = begun().await;
            let control = Control::new(Plan::Count);
            work(&scene, &stores(&control), restores).await;
            let is_entry = |name: &String| name.starts_with("put") && name.ends_with("03.json");
            control.names().iter().position(is_entry).unwrap()
        };
        for way in [Way::After, Way::Conflict, Way::Late] {
            let (_dir, scene) = begun().await;
            let control = Control::new(Plan::Fail(entry, way));
            work(&scene, &stores(&control), restores).await;
            let lake = scene.lake_in(&scene.stores).await.unwrap();
            let versions = history(&lake, "raw.visits", 10).await.unwrap();
            assert_eq!(versions.len(), 4, "{way:?}: {versions:#?}");
            scene
                .expect_check(Verdict::Well, "after an answer was lost")
                .await;
        }
    }
}

/// Files are added, and tables replaced, while somebody optimizes and removes all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_and_upkeep_at_once() {
    let (_dir, scene) = begun().await;
    let scene = Arc::new(scene);
    let done = Arc::new(AtomicBool::new(false));
    let keeper = {
        let (scene, done) = (Arc::clone(&scene), Arc::clone(&done));
        tokio::spawn(async move {
            let mut rewritten = 0;
            while !done.load(Ordering::SeqCst) {
                let all = scene.optimize(&scene.stores).await.unwrap();
                rewritten += all.iter().map(|table| table.files_removed).sum::<u64>();
                // As of now: what runs have written is younger than the retention.
                scene.vacuum(&scene.stores, Duration::ZERO).await.unwrap();
            }
            rewritten
        })
    };
    let runs = from_env("WEIR_RACES", 7) as u64;
    for run in 0..runs {
        let first = 30 + run * 10;
        scene.input(&format!("r{run:03}.csv"), first..first + 10);
        scene.run_undisturbed().await;
    }
    done.store(true, Ordering::SeqCst);
    let rewritten = keeper.await.unwrap();
    assert!(
        rewritten > 0,
        "nothing was optimized while runs were at work"
    );
    let last = i64::try_from(30 + runs * 10).unwrap();
    scene.expect(0..last, "after all").await;
    scene.optimize(&scene.stores).await.unwrap();
    scene.vacuum(&scene.stores, 8 * DAY).await.unwrap();
    scene.expect(0..last, "after the last upkeep").await;
    scene
        .expect_check(Verdict::Well, "after the last upkeep")
        .await;
}
