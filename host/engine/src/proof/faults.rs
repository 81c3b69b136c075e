//! Every call of a store fails in every way, one at a time; the next run makes it whole.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::faulty::{Control, Faulty, Plan, Way};
use super::from_env;
use super::scene::Scene;
use crate::error::Result;
use crate::run::Outcome;
use crate::store::Stores;

fn stores(control: &Arc<Control>) -> Stores {
    let control = Arc::clone(control);
    Stores::around(move |store| Arc::new(Faulty::new(store, &control)))
}

/// What is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// The run that loads the first file, into no lake.
    First,
    /// The run that loads the second.
    Second,
    /// The replay of what was rejected.
    Replay,
    /// The run that loads the second, with a column that the tables get.
    Evolving,
}

/// What runs write, in a scene's folder. Input stays: a file that is copied is another file.
const WRITTEN: [&str; 4] = [
    "lake",
    "warehouse.sqlite",
    "warehouse.sqlite-wal",
    "warehouse.sqlite-shm",
];

/// A scene in which all is done that comes before a work, to be put back to.
struct Begun {
    dir: tempfile::TempDir,
    scene: Scene,
}

impl Begun {
    /// Puts the scene back.
    fn back(&self) {
        for name in WRITTEN {
            let (kept, written) = (
                self.dir.path().join("kept").join(name),
                self.scene.dir.join(name),
            );
            match written.is_dir() {
                true => std::fs::remove_dir_all(&written).unwrap(),
                // There may be none.
                false => drop(std::fs::remove_file(&written)),
            }
            if kept.exists() {
                copy(&kept, &written);
            }
        }
    }
}

/// Copies a file, or a folder with all in it.
fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

impl Work {
    /// All before it.
    async fn begun(self) -> Begun {
        let dir = tempfile::tempdir().unwrap();
        let scene = Scene::new(&dir.path().join("scene"), None, &Stores::default());
        scene.input("a.csv", 0..30);
        match self {
            Work::First => {}
            Work::Second => {
                scene.run_undisturbed().await;
                scene.input("b.csv", 30..60);
            }
            Work::Replay => scene.run_undisturbed().await,
            Work::Evolving => {
                scene.run_undisturbed().await;
                scene.evolve();
                scene.evolved_input("b.csv", 30..60);
            }
        }
        for name in WRITTEN {
            let written = scene.dir.join(name);
            if written.exists() {
                copy(&written, &dir.path().join("kept").join(name));
            }
        }
        Begun { dir, scene }
    }

    async fn run(self, scene: &Scene, stores: &Stores) -> Result<Outcome> {
        match self {
            Work::First | Work::Second | Work::Evolving => scene.run(stores).await,
            Work::Replay => scene.replay(stores).await,
        }
    }

    async fn expect(self, scene: &Scene, when: &str) {
        match self {
            Work::First => scene.expect(0..30, when).await,
            Work::Second => scene.expect(0..60, when).await,
            Work::Replay => scene.expect_replayed(0..30, when).await,
            Work::Evolving => {
                scene.expect(0..60, when).await;
                scene.expect_evolved(30..60, when).await;
            }
        }
    }

    /// How often it calls a store.
    async fn calls(self, begun: &Begun) -> usize {
        let Begun { scene, .. } = begun;
        let control = Control::new(Plan::Count);
        let outcome = self.run(scene, &stores(&control)).await.unwrap();
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        self.expect(scene, "with no call failing").await;
        control.calls()
    }

    /// Fails `most` of its calls in one of the ways each, evenly out of all.
    async fn fail(self, most: usize) {
        let begun = self.begun().await;
        let calls = self.calls(&begun).await;
        assert!(calls > 50, "{calls} calls are too few to be all");
        let all: Vec<(usize, Way)> = (0..calls)
            .flat_map(|call| Way::ALL.map(|way| (call, way)))
            .collect();
        let most = most.min(all.len());
        let (mut failed, mut gone_through) = (0, 0);
        for number in 0..most {
            let (call, way) = all[number * all.len() / most];
            begun.back();
            let scene = &begun.scene;
            let control = Control::new(Plan::Fail(call, way));
            let outcome = self.run(scene, &stores(&control)).await;
            let name = control.names().get(call).cloned();
            let name = name.unwrap_or_else(|| panic!("call {call} was never made"));
            let when = format!("{self:?}: after call {call} ({name}) failed: {way:?}");
            match outcome {
                Ok(outcome) if outcome.error.is_none() => gone_through += 1,
                Ok(_) | Err(_) => failed += 1,
            }
            if way == Way::Late {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let again = self.run(scene, &scene.stores).await;
            let again = again.unwrap_or_else(|error| panic!("{when}: {error}"));
            if let Some(error) = again.error {
                panic!("{when}, the next run fails too: {error} ({error:?})");
            }
            self.expect(scene, &when).await;
            if (number + 1) % 100 == 0 {
                eprintln!("{self:?}: {} of {most} failures", number + 1);
            }
        }
        println!(
            "{self:?}: {most} of {} failures: {failed} runs failed, {gone_through} went on",
            all.len()
        );
        // Of a few failures all may end the run.
        assert!(failed > 0 && (gone_through > 0 || most < 30));
    }
}

// A short run takes some of the failures, evenly, and all ways: the counts are no multiples of six.

#[tokio::test]
async fn every_call_may_fail_in_every_way() {
    Work::Second.fail(from_env("WEIR_FAULTS", 11)).await;
}

#[tokio::test]
async fn every_call_of_a_first_run_may_fail_in_every_way() {
    Work::First.fail(from_env("WEIR_FAULTS_FIRST", 7)).await;
}

#[tokio::test]
async fn every_call_of_a_replay_may_fail_in_every_way() {
    Work::Replay.fail(from_env("WEIR_FAULTS_REPLAY", 7)).await;
}

#[tokio::test]
async fn every_call_of_a_run_that_adds_a_column_may_fail_in_every_way() {
    Work::Evolving
        .fail(from_env("WEIR_FAULTS_EVOLVING", 5))
        .await;
}
