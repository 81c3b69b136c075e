//! The same input gives the same output: over every plugin of the project, run after run, in one
//! partition and in two.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use weir_generate::synpuf::{self, Dirt, Options};
use weir_tests::{Contents, Scene, built};

/// The names of the plugins of this project, by its workspace.
fn plugins() -> BTreeSet<String> {
    let workspace = fs::read_to_string(built::root().join("plugins/Cargo.toml")).unwrap();
    let members = workspace.split_once("members = [").unwrap().1;
    let members = members.split_once(']').unwrap().0;
    members
        .split(',')
        .map(|member| member.trim().trim_matches('"').replace('-', "_"))
        .filter(|member| !member.is_empty())
        .collect()
}

/// The bytes of a table's data files, whatever their names.
fn data_files(scene: &Scene, table: &str) -> BTreeSet<Vec<u8>> {
    let folder = scene.lake().join(table.replace('.', "/"));
    let files = |folder: &Path| -> Vec<_> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
            .collect()
    };
    files(&folder)
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect()
}

#[test]
fn every_plugin_gives_the_same_bytes_again() {
    let landing = Scene::new();
    let options = Options {
        seed: 16,
        dirt: Dirt::everywhere(0.005),
        // Several batches for each instance, and work for two partitions.
        drug_events: 40_000,
        ..Options::for_beneficiaries(500)
    };
    synpuf::generate(&landing.path("landing"), &options).unwrap();
    let run = |partitions: &str| {
        let scene = Scene::new();
        let mut command = scene.synpuf_command(&landing.path("landing"));
        command.env("WEIR_PARTITIONS", partitions);
        let ended: weir_tests::Ended = command.output().expect("weir starts").into();
        ended.expect_code(3);
        scene
    };
    let scenes = [run("1"), run("1"), run("2"), run("2")];

    let latest = scenes[0].latest();
    let used: BTreeSet<String> = latest["steps"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|step| step["plugins"].as_array().unwrap())
        .map(|plugin| plugin["plugin"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        used,
        plugins(),
        "every plugin of the project is put to this test"
    );

    let first = Contents::of(&scenes[0]);
    for scene in &scenes {
        Contents::of(scene).expect_same(&first, "rows of another run");
    }
    // To the byte, where the same rows come in the same order: one file read by as many partitions.
    for table in [
        "cleansed.inpatient",
        "cleansed.outpatient",
        "cleansed.prescription_drug",
    ] {
        for [one, other] in [[0, 1], [2, 3]] {
            let files = data_files(&scenes[one], table);
            assert!(!files.is_empty(), "{table}");
            assert!(
                files == data_files(&scenes[other], table),
                "{table}: other bytes in another run"
            );
        }
    }
}
