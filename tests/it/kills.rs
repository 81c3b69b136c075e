//! `kill -9` at random moments: the rerun gives what an undisturbed run gives, and at no moment
//! does a reader see half of a commit.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weir_generate::synpuf::{self, Dirt, Options};
use weir_tests::{Contents, Ended, Scene};

/// Each test kills as often.
const KILLS: usize = 10;

fn generate(landing: &Path, seed: u64) {
    let options = Options {
        seed,
        dirt: Dirt::everywhere(0.003),
        drug_events: 120_000,
        outpatient: 20_000,
        carrier: 6_000,
        ..Options::for_beneficiaries(3_000)
    };
    synpuf::generate(landing, &options).unwrap();
}

/// SplitMix64: moments that another run of the test can have again.
struct Moments(u64);

impl Moments {
    /// A moment of a time.
    fn within(&mut self, time: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        time.mul_f64((z >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// Runs a command and kills it after `moment`; whether it was still there.
fn killed_after(mut command: Command, moment: Duration) -> bool {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // What is tested is that the moment does not matter.
    std::thread::sleep(moment);
    let ended = child.try_wait().unwrap();
    if ended.is_none() {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    status.code().is_none()
}

/// Kills runs of `scene` on `landing` and runs each again, until as many were killed as should be.
/// `reset` puts the scene into the state in which runs begin, which holds `old`; an undisturbed
/// run took `time` and left `new`.
fn kill_and_run_again(
    scene: &Scene,
    landing: &Path,
    seed: u64,
    time: Duration,
    (old, new): (&Contents, &Contents),
    reset: impl Fn(),
) {
    eprintln!("seed {seed}, an undisturbed run takes {time:?}");
    let mut moments = Moments(seed);
    let (mut kills, mut draws) = (0, 0);
    while kills < KILLS {
        draws += 1;
        assert!(draws < 10 * KILLS, "runs end before they can be killed");
        reset();
        let moment = moments.within(time);
        if !killed_after(scene.synpuf_command(landing), moment) {
            continue;
        }
        kills += 1;
        let when = format!("kill {kills}, after {moment:?}");
        no_table_is_half_written(&Contents::of(scene), old, new, &when);
        scene.run_synpuf(landing).expect_code(3);
        Contents::of(scene).expect_same(new, &when);
    }
}

fn no_table_is_half_written(now: &Contents, old: &Contents, new: &Contents, when: &str) {
    for (name, rows) in &now.0 {
        let as_before = old.0.get(name).is_some_and(|old| old == rows);
        let done = new.0.get(name).is_some_and(|new| new == rows);
        assert!(
            as_before || done,
            "{when}: {name} has {} rows, which are neither those before nor those after",
            rows.len()
        );
    }
    for name in old.0.keys() {
        assert!(now.0.contains_key(name), "{when}: {name} is gone");
    }
}

/// An undisturbed run: how long it takes and what it leaves.
fn undisturbed(scene: &Scene, landing: &Path) -> (Duration, Contents) {
    let start = Instant::now();
    scene.run_synpuf(landing).expect_code(3);
    (start.elapsed(), Contents::of(scene))
}

#[test]
fn a_first_run_survives_kills() {
    let scene = Scene::new();
    let landing = scene.path("landing");
    generate(&landing, 21);
    let (time, new) = undisturbed(&scene, &landing);
    let nothing = Contents(Default::default());
    kill_and_run_again(&scene, &landing, 2101, time, (&nothing, &new), || {
        fs::remove_dir_all(scene.lake()).unwrap();
    });
}

/// The tables hold other rows before, so that a replacement that is half done would show.
#[test]
fn a_later_run_survives_kills() {
    let scene = Scene::new();
    let (first, second) = (scene.path("first"), scene.path("second"));
    generate(&first, 22);
    generate(&second, 23);
    let landing = scene.path("landing");
    let land = |files: &Path| {
        let _ = fs::remove_dir_all(&landing);
        copy(files, &landing);
    };
    land(&first);
    let (_, old) = undisturbed(&scene, &landing);
    let kept = scene.path("lake.kept");
    copy(&scene.lake(), &kept);
    land(&second);
    let (time, new) = undisturbed(&scene, &landing);
    assert!(!old.differences(&new).is_empty());
    kill_and_run_again(&scene, &landing, 2202, time, (&old, &new), || {
        fs::remove_dir_all(scene.lake()).unwrap();
        copy(&kept, &scene.lake());
    });
}

/// Copies a folder with all below it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn an_interrupted_run_stops_at_a_batch_and_can_be_ended_later() {
    let scene = Scene::new();
    let landing = scene.path("landing");
    generate(&landing, 24);
    let retry = || {
        let mut command = scene.weir(["retry", "latest", "--lake"]);
        command.arg(scene.lake());
        command
    };
    // The rest of a run is stopped as well, and leaves a rest.
    let mut done: Vec<String> = Vec::new();
    for (signal, command, step) in [
        ("INT", scene.synpuf_command(&landing), "land-"),
        ("TERM", retry(), "cleanse-"),
    ] {
        let mut running = scene.start(command);
        assert!(running.until_says(step), "a step ends before the run does");
        running.signal(signal);
        running.end().expect_code(75).says(&[
            &format!("interrupted by SIG{signal}"),
            "nothing is half done",
            "hint: run the same command again, or what is left of it:",
            "weir retry ",
        ]);
        let latest = scene.latest();
        assert_eq!(latest["status"], "interrupted");
        for step in latest["steps"].as_array().unwrap() {
            let name = step["step"].as_str().unwrap().to_owned();
            assert!(!done.contains(&name), "{name} was done and is run again");
            match step["status"].as_str().unwrap() {
                "succeeded" | "warned" => done.push(name),
                // Stopped before it decided: nothing may have been written for it.
                status => {
                    assert_eq!(status, "interrupted", "{name}");
                    assert_eq!(step["n"], serde_json::Value::Null, "{name}");
                    assert_eq!(step["targets"], serde_json::json!([]), "{name}");
                }
            }
        }
    }
    let ended = Ended::from(retry().output().unwrap());
    ended.expect_code(3).says(&["what is left of run "]);
    let rest = scene.latest();
    let run = |record: &serde_json::Value| record["run"].as_str().unwrap().to_owned();
    assert_ne!(rest["request"]["retry_of"], serde_json::Value::Null);
    Ended::from(retry().output().unwrap())
        .expect_code(2)
        .says(&[&format!("run {} has warned", run(&rest)), "hint: "]);
    let in_two_parts = Contents::of(&scene);
    let other = Scene::new();
    other.run_synpuf(&landing).expect_code(3);
    in_two_parts.expect_same(&Contents::of(&other), "after two interruptions");
}

/// A run that was killed has no end in its record; what it had not done can be run all the same.
#[test]
fn the_rest_of_a_killed_run_can_be_run() {
    let scene = Scene::new();
    let landing = scene.path("landing");
    generate(&landing, 25);
    let mut running = scene.start(scene.synpuf_command(&landing));
    assert!(
        running.until_says("land-"),
        "a step ends before the run does"
    );
    running.signal("KILL");
    running.end();
    let killed = scene.latest();
    assert_eq!(killed["status"], "running");
    let mut retry = scene.weir(["retry", "--lake"]);
    Ended::from(retry.arg(scene.lake()).output().unwrap()).expect_code(3);
    let rest = scene.latest();
    assert_eq!(rest["request"]["retry_of"], killed["run"]);
    let names = |record: &serde_json::Value| -> Vec<String> {
        let steps = record["steps"].as_array().unwrap();
        steps.iter().map(|step| step["step"].to_string()).collect()
    };
    for step in names(&killed) {
        assert!(!names(&rest).contains(&step), "{step} was done");
    }
    let in_two_parts = Contents::of(&scene);
    let other = Scene::new();
    other.run_synpuf(&landing).expect_code(3);
    in_two_parts.expect_same(&Contents::of(&other), "after a kill");
}
