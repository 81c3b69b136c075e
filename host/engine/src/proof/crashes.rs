//! A process is killed, with SIGKILL, before and after each call of a store, and at moments of chance;
//! the next run makes it whole. On the local disk and on S3.

use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::faulty::{Control, Faulty, Plan};
use super::from_env;
use super::scene::Scene;
use crate::store::Stores;

/// Names the folder of the scene to the process that is killed.
const SCENE: &str = "WEIR_PROOF_SCENE";
/// Where the lake is.
const LAKE: &str = "WEIR_PROOF_LAKE";
/// The number of the call at which it dies, and whether after it.
const AT: &str = "WEIR_PROOF_AT";

/// What the process does that is killed: it is this test, in another process.
#[tokio::test]
async fn the_process_that_is_killed() {
    let Ok(dir) = std::env::var(SCENE) else {
        return;
    };
    let lake = std::env::var(LAKE).ok();
    let at = std::env::var(AT).ok();
    let plan = match at.as_deref().and_then(|at| at.split_once(' ')) {
        Some((call, side)) => Plan::Kill(call.parse().unwrap(), side == "after"),
        None => Plan::Count,
    };
    let control = Control::new(plan);
    let around = Arc::clone(&control);
    let stores = Stores::around(move |store| Arc::new(Faulty::new(store, &around)));
    let scene = Scene::new(Path::new(&dir), lake.as_deref(), &stores);
    let outcome = scene.run(&stores).await.unwrap();
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    std::fs::write(Path::new(&dir).join("calls"), control.calls().to_string()).unwrap();
}

/// Where lakes are.
struct Place {
    stores: Stores,
    /// The URL of the lake of a number, where it is not in the folder of its scene.
    lake: Box<dyn Fn(usize) -> Option<String>>,
    /// What a process needs to find it.
    environment: Vec<(&'static str, String)>,
}

fn process(scene: &Scene, place: &Place, lake: Option<&str>, at: Option<(usize, bool)>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "proof::crashes::the_process_that_is_killed"])
        .env(SCENE, &scene.dir)
        .envs(place.environment.iter().cloned())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(lake) = lake {
        command.env(LAKE, lake);
    }
    if let Some((call, after)) = at {
        let side = if after { "after" } else { "before" };
        command.env(AT, format!("{call} {side}"));
    }
    command
}

/// Whether the process was killed, and did not end by itself.
fn killed(status: std::process::ExitStatus) -> bool {
    assert_ne!(status.code(), Some(101), "the run itself failed");
    status.code().is_none()
}

/// Kills runs at places of these numbers: every second one at a call, every second one at a moment. Gives how
/// many died, and how many calls a run makes.
async fn kill(numbers: RangeInclusive<usize>, place: Place) -> (usize, usize) {
    let fresh = |number: usize| {
        let dir = tempfile::tempdir().unwrap();
        let lake = (place.lake)(number);
        let scene = Scene::new(dir.path(), lake.as_deref(), &place.stores);
        (dir, scene, lake)
    };
    // How long an undisturbed run takes, and how many calls it makes.
    let (_dir, scene, lake) = fresh(0);
    scene.input("a.csv", 0..30);
    scene.run_undisturbed().await;
    scene.input("b.csv", 30..60);
    let began = std::time::Instant::now();
    let status = process(&scene, &place, lake.as_deref(), None)
        .status()
        .unwrap();
    let took = began.elapsed();
    assert!(!killed(status));
    scene.expect(0..60, "with nobody killed").await;
    let calls: usize = std::fs::read_to_string(scene.dir.join("calls"))
        .unwrap()
        .parse()
        .unwrap();

    let mut died = 0;
    for number in numbers {
        let (_dir, scene, lake) = fresh(number);
        scene.input("a.csv", 0..30);
        // Every fourth lake is killed in its first run, in which tables are made.
        let first = number % 4 == 0;
        if !first {
            scene.run_undisturbed().await;
            scene.input("b.csv", 30..60);
        }
        let ids = if first { 0..30 } else { 0..60 };
        let when = if number % 2 == 0 {
            let at = (number / 2 * 7919) % (calls * 2);
            let at = (at / 2, at % 2 == 1);
            let status = process(&scene, &place, lake.as_deref(), Some(at))
                .status()
                .unwrap();
            died += usize::from(killed(status));
            format!("after a kill at call {at:?}")
        } else {
            // The golden ratio: moments that are spread evenly however many there are.
            let share = (number as f64 * 0.618_033_988_75).fract();
            let moment = took.mul_f64(share);
            let mut child = process(&scene, &place, lake.as_deref(), None)
                .spawn()
                .unwrap();
            std::thread::sleep(moment);
            // It may have ended by itself.
            let _ = child.kill();
            died += usize::from(killed(child.wait().unwrap()));
            format!("after a kill at {moment:?} of {took:?}")
        };
        // A remote store may still be at what the process sent before it died.
        if lake.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        scene.run_undisturbed().await;
        scene.expect(ids, &when).await;
        if number % 50 == 0 {
            eprintln!("{number} kills");
        }
    }
    (died, calls)
}

fn tell(died: usize, kills: usize, calls: usize) {
    println!("{died} of {kills} processes were killed, a run makes {calls} calls");
    assert!(died * 2 > kills, "only {died} of {kills} were killed");
}

#[tokio::test]
async fn kills_on_the_local_disk() {
    let place = Place {
        stores: Stores::default(),
        lake: Box::new(|_| None),
        environment: Vec::new(),
    };
    let kills = from_env("WEIR_KILLS", 6);
    let (died, calls) = kill(1..=kills, place).await;
    tell(died, kills, calls);
}

/// So many lakes one server has: it looks at all of its objects for each list of some.
const LAKES_OF_A_SERVER: usize = 20;

#[tokio::test]
async fn kills_on_s3() {
    let kills = from_env("WEIR_KILLS_S3", 2);
    let (mut died, mut calls) = (0, 0);
    for first in (1..=kills).step_by(LAKES_OF_A_SERVER) {
        let server = weir_s3::Server::start();
        let url = format!("s3://{}", weir_s3::BUCKET);
        let settings = server
            .environment()
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let place = Place {
            stores: Stores::new([(url.clone(), settings)].into()),
            lake: Box::new(move |number| Some(format!("{url}/{number}"))),
            environment: server.environment(),
        };
        let last = kills.min(first + LAKES_OF_A_SERVER - 1);
        let (of_them, of_a_run) = kill(first..=last, place).await;
        died += of_them;
        calls = of_a_run;
    }
    tell(died, kills, calls);
}
