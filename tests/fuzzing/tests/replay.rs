//! Every kept input of every fuzz target, without libFuzzer: the corpora, and what once failed.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use weir_fuzzing::{TARGETS, Target};

fn folder(kind: &str, target: &Target) -> PathBuf {
    fuzz().join(kind).join(target.name)
}

/// Asked of cargo as this runs: checkouts may share a target folder.
fn fuzz() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    Path::new(&package).join("../../fuzz")
}

/// Runs the target on every file of a folder and names those that fail; gives their number.
fn replay(target: &Target, folder: &Path) -> usize {
    let mut files: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => panic!("{}: {error}", folder.display()),
    };
    files.sort();
    let failed: Vec<&PathBuf> = files
        .iter()
        .filter(|file| {
            let input = fs::read(file).unwrap();
            catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err()
        })
        .collect();
    assert!(failed.is_empty(), "{} fails on {failed:#?}", target.name);
    files.len()
}

fn corpus_and_regressions(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let kept = replay(target, &folder("corpus", target));
    assert!(kept >= 20, "the corpus of {name} is missing: {kept} files");
    replay(target, &folder("regressions", target));
}

#[test]
fn batch() {
    corpus_and_regressions("batch");
}

#[test]
fn bind_schema() {
    corpus_and_regressions("bind_schema");
}

#[test]
fn csv() {
    corpus_and_regressions("csv");
}

#[test]
fn json() {
    corpus_and_regressions("json");
}

#[test]
fn pipeline_file() {
    corpus_and_regressions("pipeline_file");
}

#[test]
fn every_target_has_a_binary_and_no_folder_is_forgotten() {
    let mut names: Vec<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    names.sort();
    let in_fuzz = fuzz();
    for kind in ["corpus", "fuzz_targets"] {
        let mut found: Vec<String> = fs::read_dir(in_fuzz.join(kind))
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                path.file_stem().unwrap().to_str().unwrap().to_owned()
            })
            .collect();
        found.sort();
        assert_eq!(found, names, "fuzz/{kind}");
    }
}

/// The seeds are sound input, not only noise: a target that refused all of them would watch over
/// nothing.
#[test]
fn seeds_pass() {
    for target in TARGETS {
        for seed in (target.seeds)() {
            (target.run)(&seed);
        }
    }
}
