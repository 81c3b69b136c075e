//! The exports of treatments: their layout, the number of faults in them, and what does not depend on them. That each
//! fault is one, and nothing else is, `tests/it/treatments.rs` sees, with rules of its own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test reports"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;
use weir_generate::treatments::{self, Dirt, Fault, Manifest, Options};

fn generated(options: &Options) -> (tempfile::TempDir, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    let manifest = treatments::generate(dir.path(), options).unwrap();
    (dir, manifest)
}

fn json(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The lines of the data files that the manifest of an export names.
fn lines(dir: &Path, manifest: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    for file in json(&dir.join(&manifest.export).join("manifest-files.json")) {
        let path = dir.join(file["dataFileS3Key"].as_str().unwrap());
        let mut text = String::new();
        GzDecoder::new(File::open(path).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(file["itemCount"], text.lines().count());
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

/// The items by key, those that are none left out.
fn items(dir: &Path, manifest: &Manifest) -> BTreeMap<String, Value> {
    let lines = lines(dir, manifest);
    let items = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    items
        .map(|mut line| {
            let item = line["Item"].take();
            let key = item["treatment_id_partition_key"]["S"].as_str().unwrap();
            (key.to_owned(), item)
        })
        .collect()
}

#[test]
fn an_export_is_laid_out_as_aws_does() {
    let (dir, manifest) = generated(&Options::for_items(500));
    let folder = dir.path().join(&manifest.export);
    let summary = &json(&folder.join("manifest-summary.json"))[0];
    assert_eq!(summary["itemCount"], 500);
    assert_eq!(summary["outputFormat"], "DYNAMODB_JSON");
    assert_eq!(summary["exportType"], "FULL_EXPORT");
    assert_eq!(
        summary["manifestFilesS3Key"],
        format!("{}/manifest-files.json", manifest.export)
    );
    assert_eq!(lines(dir.path(), &manifest).len(), 500);
    let written = fs::read_dir(folder.join("data")).unwrap().count();
    assert_eq!(json(&folder.join("manifest-files.json")).len(), written);
}

#[test]
fn faults_are_as_many_as_they_should_be_and_the_rest_does_not_depend_on_them() {
    let clean = Options {
        seed: 3,
        ..Options::for_items(1_000)
    };
    let dirty = Options {
        dirt: Dirt::everywhere(0.01).with(Fault::BadDate, 0.05),
        ..clean.clone()
    };
    let ((dir, of_clean), (other, of_dirty)) = (generated(&clean), generated(&dirty));
    for fault in Fault::ALL {
        let expected = if fault == Fault::BadDate { 50 } else { 10 };
        assert_eq!(of_dirty.faults[&fault], expected, "{fault:?}");
    }
    assert_eq!((of_clean.accepted(), of_dirty.accepted()), (1_000, 870));
    let (clean, dirty) = (items(dir.path(), &of_clean), items(other.path(), &of_dirty));
    assert_eq!(dirty.len(), 990);
    let differ = dirty.iter().filter(|(key, item)| clean[*key] != **item);
    assert_eq!(differ.count(), 1_000 - 870 - 10);
}

#[test]
fn the_second_batch_modifies_adds_and_removes() {
    let first = Options {
        dirt: Dirt::everywhere(0.01),
        ..Options::for_items(1_000)
    };
    let second = Options {
        batch: 2,
        ..first.clone()
    };
    let ((dir, of_first), (other, of_second)) = (generated(&first), generated(&second));
    assert_eq!(
        (of_second.modified, of_second.added, of_second.removed),
        (100, 50, 10)
    );
    assert_eq!(of_second.items, 1_040);
    let (before, after) = (
        items(dir.path(), &of_first),
        items(other.path(), &of_second),
    );
    let both = after
        .iter()
        .filter_map(|(key, item)| Some((item, before.get(key)?)));
    let changed: Vec<_> = both.filter(|(after, before)| after != before).collect();
    let repaired = |kind: Fault| of_first.faults[&kind] - of_second.faults.get(&kind).unwrap_or(&0);
    assert!(changed.len() as u64 >= 100 - repaired(Fault::BadJson));
    let modified = |item: &Value| {
        let at = &item["metadata"]["M"]["modified_at"]["S"];
        at.as_str().map(|text| text.replace(' ', "T"))
    };
    assert!(
        changed
            .iter()
            .all(|(after, before)| modified(after) > modified(before))
    );
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let options = Options {
        dirt: Dirt::everywhere(0.02),
        ..Options::for_items(300)
    };
    let (a, b) = (generated(&options), generated(&options));
    assert_eq!(a.1, b.1);
    assert_eq!(lines(a.0.path(), &a.1), lines(b.0.path(), &b.1));
    let seeded = generated(&Options { seed: 2, ..options });
    assert_ne!(lines(a.0.path(), &a.1), lines(seeded.0.path(), &seeded.1));
}

#[test]
fn what_cannot_be_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let too_much = Options {
        dirt: Dirt::everywhere(0.2),
        ..Options::for_items(100)
    };
    let third = Options {
        batch: 3,
        ..Options::for_items(100)
    };
    for options in [too_much, third] {
        assert!(treatments::generate(dir.path(), &options).is_err());
    }
    let far = treatments::fill("https://example.org", "t", &Options::for_items(1));
    assert!(
        far.unwrap_err()
            .to_string()
            .contains("a server of your own")
    );
}
