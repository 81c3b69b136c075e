//! Every call of a store fails in every way, one at a time; the next run makes it whole.

use std::sync::Arc;
use std::time::Duration;

use super::faulty::{Control, Faulty, Plan, Way};
use super::from_env;
use super::scene::Scene;
use crate::store::Stores;

fn stores(control: &Arc<Control>) -> Stores {
    let control = Arc::clone(control);
    Stores::around(move |store| Arc::new(Faulty::new(store, &control)))
}

/// A lake that holds the rows 0 to 30, and a file with 30 to 60 that is not loaded.
async fn begun() -> (tempfile::TempDir, Scene) {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path(), None, &Stores::default());
    scene.input("a.csv", 0..30);
    scene.run_undisturbed().await;
    scene.input("b.csv", 30..60);
    (dir, scene)
}

/// How often the run that loads the second file calls a store.
async fn calls() -> usize {
    let (_dir, scene) = begun().await;
    let control = Control::new(Plan::Count);
    let outcome = scene.run(&stores(&control)).await.unwrap();
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    scene.expect(0..60, "with no call failing").await;
    control.calls()
}

#[tokio::test]
async fn every_call_may_fail_in_every_way() {
    let calls = calls().await;
    assert!(calls > 100, "{calls} calls are too few to be all");
    let all: Vec<(usize, Way)> = (0..calls)
        .flat_map(|call| Way::ALL.map(|way| (call, way)))
        .collect();
    // A short run takes some of them, evenly, and all ways: the count is no multiple of six.
    let most = from_env("WEIR_FAULTS", 97).min(all.len());
    let (mut failed, mut gone_through) = (0, 0);
    for number in 0..most {
        let (call, way) = all[number * all.len() / most];
        let (_dir, scene) = begun().await;
        let control = Control::new(Plan::Fail(call, way));
        let outcome = scene.run(&stores(&control)).await;
        let name = control.names().get(call).cloned();
        let name = name.unwrap_or_else(|| panic!("call {call} was never made"));
        let when = format!("after call {call} ({name}) failed: {way:?}");
        match outcome {
            Ok(outcome) if outcome.error.is_none() => gone_through += 1,
            Ok(_) | Err(_) => failed += 1,
        }
        if way == Way::Late {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let again = scene.run(&scene.stores).await;
        let again = again.unwrap_or_else(|error| panic!("{when}: {error}"));
        if let Some(error) = again.error {
            panic!("{when}, the next run fails too: {error} ({error:?})");
        }
        scene.expect(0..60, &when).await;
    }
    println!(
        "{most} of {} failures: {failed} runs failed, {gone_through} went on",
        all.len()
    );
    assert!(failed > 0 && gone_through > 0);
}
