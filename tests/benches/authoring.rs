//! What authors wait for: from `weir plugin new` to a passing test, how long a plugin takes to start, and what a row
//! costs, of the same transform in Rust, Python and JavaScript. It measures and prints; it asserts nothing but that
//! the tests pass.
//!
//! ```text
//! cargo bench -p weir-tests --bench authoring
//! # WEIR_BIN=… for another binary
//! ```
//!
//! The first plugin of a language is made where its packages have been fetched once, and nothing is built; the second
//! where another one of the language has been built: for Rust in the same target folder. Starts are by the code that
//! the first start has compiled and kept. The middle one of three counts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot measure has nothing to say"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use weir_tests::Scene;
use weir_tests::built;

/// A language, and what a folder of it needs before the first test.
struct Language {
    name: &'static str,
    install: Option<&'static str>,
}

const LANGUAGES: [Language; 3] = [
    Language {
        name: "rust",
        install: None,
    },
    Language {
        name: "python",
        install: Some("python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt"),
    },
    Language {
        name: "js",
        install: Some("npm install --silent"),
    },
];

fn program() -> PathBuf {
    std::env::var_os("WEIR_BIN").map_or_else(built::weir, PathBuf::from)
}

/// Runs a command to its end, and gives what it prints.
fn done(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn weir(folder: &Path, target: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env("WEIR_CACHE", target.with_file_name("compiled"));
    done(command)
}

/// Seconds from `weir plugin new` to a test that passes.
fn to_a_passing_test(scene: &Scene, language: &Language, name: &str, target: &Path) -> f64 {
    let folder = scene.path(name);
    let began = Instant::now();
    weir(
        &scene.path(""),
        target,
        &["plugin", "new", name, "--lang", language.name],
    );
    if let Some(install) = language.install {
        let mut shell = Command::new("sh");
        shell.args(["-c", install]).current_dir(&folder);
        done(shell);
    }
    let said = weir(&folder, target, &["plugin", "test"]);
    assert!(said.contains("1 passed, 0 failed"), "{said}");
    began.elapsed().as_secs_f64()
}

/// The number before `unit` in what `weir plugin bench` prints.
fn figure(text: &str, unit: &str) -> f64 {
    let line = text.lines().find(|line| line.contains(unit)).unwrap();
    let number = line.split(unit).next().unwrap().trim().replace(',', "");
    number.parse().unwrap()
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    println!(
        "{:<8} {:>10} {:>10} {:>10} {:>10} {:>9} {:>10}",
        "", "first, s", "next, s", "start, ms", "ns a row", "MiB", "component"
    );
    for language in &LANGUAGES {
        let scene = Scene::new();
        // Packages are fetched, and what they bring is in the tools' caches.
        to_a_passing_test(&scene, language, "before", &scene.path("before-target"));
        let mut first = Vec::new();
        let mut next = Vec::new();
        for round in 0..3 {
            let target = scene.path(&format!("target-{round}"));
            let made = |name: &str| to_a_passing_test(&scene, language, name, &target);
            first.push(made(&format!("first-{round}")));
            next.push(made(&format!("next-{round}")));
        }
        let target = scene.path("target-0");
        let folder = scene.path("first-0");
        let rounds = (0..3).map(|_| weir(&folder, &target, &["plugin", "bench", "--rounds", "20"]));
        let rounds: Vec<String> = rounds.collect();
        let middle_of = |unit: &str| middle(rounds.iter().map(|text| figure(text, unit)).collect());
        let built = weir(&folder, &target, &["plugin", "build"]);
        let bytes = figure(built.rsplit(": ").next().unwrap(), " bytes");
        println!(
            "{:<8} {:>10.1} {:>10.1} {:>10.1} {:>10.0} {:>9.1} {:>7.1} MB",
            language.name,
            middle(first),
            middle(next),
            middle_of(" ms to start"),
            middle_of(" ns for each"),
            middle_of(" MiB of memory"),
            bytes / 1e6
        );
    }
}
