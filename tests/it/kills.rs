//! `kill -9` at random moments: the rerun gives what an undisturbed run gives, and at no moment
//! does a reader see half of a commit.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weir_generate::synpuf::{self, Dirt, Options};
use weir_tests::{Contents, Scene};

/// Each test kills as often.
const KILLS: usize = 10;

fn generate(landing: &Path, seed: u64) {
    let options = Options {
        seed,
        dirt: Dirt::everywhere(0.003),
        drug_events: 120_000,
        outpatient: 20_000,
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
fn an_interrupted_run_says_how_to_go_on() {
    let scene = Scene::new();
    let landing = scene.path("landing");
    generate(&landing, 24);
    for signal in ["INT", "TERM"] {
        let mut running = scene.start(scene.synpuf_command(&landing));
        assert!(
            running.until_says("land-"),
            "a step ends before the run does"
        );
        running.signal(signal);
        running.end().expect_code(75).says(&[
            &format!("interrupted by SIG{signal}"),
            "hint: run the same command again",
        ]);
    }
    scene.run_synpuf(&landing).expect_code(3);
    let interrupted = Contents::of(&scene);
    let other = Scene::new();
    other.run_synpuf(&landing).expect_code(3);
    interrupted.expect_same(&Contents::of(&other), "after two interruptions");
}
