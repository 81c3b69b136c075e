//! The files of visit events: their layout, the number of faults in them, and what does not depend on them. That each
//! fault is one, and nothing else is, `tests/it/visit_events.rs` sees, with rules of its own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test reports"
)]

use std::fs;
use std::path::Path;

use weir_generate::visit_events::{self, Dirt, Fault, Manifest, Options, Rows, Source};

fn generated(options: &Options) -> (tempfile::TempDir, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    let manifest = visit_events::generate(dir.path(), options).unwrap();
    (dir, manifest)
}

/// The records of a file, a line each.
fn records(dir: &Path, path: &str) -> Vec<String> {
    let text = fs::read_to_string(dir.join(path)).unwrap();
    let lines = text
        .strip_prefix("[\n")
        .unwrap()
        .strip_suffix("\n]\n")
        .unwrap();
    lines.split(",\n").map(str::to_owned).collect()
}

fn dirty(rate: f64) -> Options {
    Options {
        days: 3,
        seed: 42,
        dirt: Dirt::everywhere(rate),
        ..Options::for_patients(300)
    }
}

#[test]
fn the_smallest_case_is_that_of_the_original() {
    let (dir, manifest) = generated(&Options::smallest());
    let paths: Vec<String> = manifest.files.iter().map(|file| file.path()).collect();
    assert_eq!(
        paths,
        [
            "source_a/20240228/visit_events.json",
            "source_a/20240229/visit_events.json",
            "source_b/20240228/visit_events.json",
            "source_b/20240229/visit_events.json",
        ]
    );
    let patients: Vec<u64> = manifest
        .files
        .iter()
        .map(|file| file.rows.patients)
        .collect();
    assert_eq!(patients, [2, 3, 2, 4]);
    for file in &manifest.files {
        let rows = Rows {
            patients: file.rows.patients,
            visits: 2,
            diagnoses: 2,
            treatments: 4,
        };
        assert_eq!(file.rows, rows);
        let suffix = if file.source == Source::B {
            "_test"
        } else {
            ""
        };
        for record in records(dir.path(), &file.path()) {
            let keys = [
                "patient_id",
                "name",
                "visits",
                "visit_id",
                "date",
                "diagnoses",
                "code",
                "description",
                "treatments",
                "provider_notes",
                "text",
            ];
            for key in keys {
                assert_eq!(
                    record.matches(&format!("\"{key}\":")).count(),
                    1,
                    "{record}"
                );
            }
            for (key, times) in [("drug", 2), ("dose", 2), ("author", 1)] {
                let key = format!("\"{key}{suffix}\":");
                assert_eq!(record.matches(&key).count(), times, "{record}");
            }
        }
    }
}

#[test]
fn faults_are_as_many_as_their_rates_say() {
    let (dir, manifest) = generated(&dirty(0.03));
    for file in &manifest.files {
        let records = records(dir.path(), &file.path());
        assert_eq!(records.len() as u64, file.records);
        for fault in Fault::ALL {
            let pairs = matches!(fault, Fault::DuplicatePatient | Fault::DuplicateVisit);
            assert_eq!(file.faults[&fault], if pairs { 8 } else { 9 }, "{fault:?}");
        }
        assert_eq!(file.accepted(), 300 - 12 * 9 - 2 * 8);
        assert_eq!(file.rejected(false).values().sum::<u64>(), 3 * 9);
        assert_eq!(file.rejected(true)["no_drug"], 2 * 9);
        let has = |text: &str| {
            records
                .iter()
                .filter(|record| record.contains(text))
                .count()
        };
        assert_eq!(has("Ada Lovelace,"), 9);
        assert_eq!(has("\"ssn\""), 9);
        assert_eq!(has("\"visits\":\"none\""), 9);
    }
}

#[test]
fn records_without_a_fault_are_as_they_were_without_dirt() {
    let (clean, _) = generated(&dirty(0.0));
    let (dirt, manifest) = generated(&dirty(0.02));
    for file in &manifest.files {
        let [before, after] = [&clean, &dirt].map(|dir| records(dir.path(), &file.path()));
        let changed = before
            .iter()
            .zip(&after)
            .filter(|(before, after)| before != after);
        let faults: u64 = file.faults.values().sum();
        assert!(changed.count() as u64 <= faults, "{}", file.path());
    }
}

#[test]
fn same_seed_same_bytes() {
    let bytes = |options: &Options| {
        let (dir, manifest) = generated(options);
        let mut paths: Vec<String> = manifest.files.iter().map(|file| file.path()).collect();
        paths.push("manifest.json".to_owned());
        let read = paths
            .iter()
            .map(|path| fs::read(dir.path().join(path)).unwrap());
        read.collect::<Vec<_>>()
    };
    let options = dirty(0.01);
    let first = bytes(&options);
    assert_eq!(first, bytes(&options));
    let other = bytes(&Options {
        seed: 43,
        ..options
    });
    for (first, other) in first.iter().zip(&other) {
        assert_ne!(first, other);
    }
}

#[test]
fn impossible_rates_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |options| {
        visit_events::generate(dir.path(), &options)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(dirty(0.2)).contains("too much dirt"));
    let options = Options {
        dirt: Dirt::default().with(Fault::BadDate, 1.5),
        ..Options::smallest()
    };
    assert!(refused(options).contains("from 0 to 1"));
}

#[test]
fn a_file_may_be_empty() {
    let (dir, manifest) = generated(&Options::for_patients(0));
    let text = fs::read_to_string(dir.path().join(manifest.files[0].path())).unwrap();
    assert_eq!(text, "[\n]\n");
}
