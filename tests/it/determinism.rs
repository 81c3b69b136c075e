//! The same input gives the same output: over every plugin of the project, run after run, in one
//! partition and in two.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use weir_generate::synpuf::{self, Dirt, Options};
use weir_tests::{Contents, Scene, built};

/// Members of the plugins' workspace that this pipeline has no use for: decoders, which `decoders` tests likewise,
/// and what they share; sources, of which `source_plugins` and `synpuf` have what they read; and those of other
/// pipelines, whose every row is compared there, run after run (`billing`, `part_d`, `treatments`, `visit_events`).
const OTHERS: [&str; 15] = [
    "billing",
    "city_state",
    "cms_index",
    "decoder_paths",
    "fhir",
    "hl7v2",
    "http_json",
    "npi",
    "part_d",
    "treatments",
    "visit_events",
    "visit_tables",
    "visits_source_a",
    "visits_source_b",
    "x12",
];

/// The names of the plugins of this project, by its workspace. The member that lies elsewhere is a fixture of the
/// SDKs, whose bytes their own tests compare.
fn plugins() -> BTreeSet<String> {
    let workspace = fs::read_to_string(built::root().join("plugins/Cargo.toml")).unwrap();
    let members = workspace.split_once("members = [").unwrap().1;
    let members = members.split_once(']').unwrap().0;
    members
        .split(',')
        .map(|member| member.trim().trim_matches('"').replace('-', "_"))
        .filter(|member| !member.is_empty() && !member.contains('/'))
        .filter(|member| !OTHERS.contains(&member.as_str()))
        .collect()
}

/// What a data file holds, but for the run that wrote it.
#[derive(PartialEq)]
struct DataFile {
    /// The rows of each row group.
    groups: Vec<i64>,
    batches: Vec<RecordBatch>,
}

/// A table's data files, whatever their names.
fn data_files(scene: &Scene, table: &str) -> Vec<DataFile> {
    let folder = scene.lake().join(table.replace('.', "/"));
    let content = |path: &Path| {
        let file = fs::File::open(path).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let groups = builder.metadata().row_groups().iter();
        DataFile {
            groups: groups.map(|group| group.num_rows()).collect(),
            batches: builder
                .build()
                .unwrap()
                .map(|batch| {
                    let mut batch = batch.unwrap();
                    let run = batch.schema().index_of("_weir_run").unwrap();
                    batch.remove_column(run);
                    batch
                })
                .collect(),
        }
    };
    fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .map(|path| content(&path))
        .collect()
}

#[test]
fn every_plugin_gives_the_same_again() {
    let landing = Scene::new();
    let options = Options {
        seed: 16,
        dirt: Dirt::everywhere(0.005),
        // Several batches for each instance, and work for two partitions.
        drug_events: 40_000,
        carrier: 4_000,
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
    // To the value and the row group, where the same rows come in the same order: one file read by as many partitions.
    for table in [
        "cleansed.inpatient",
        "cleansed.outpatient",
        "cleansed.prescription_drug",
    ] {
        for [one, other] in [[0, 1], [2, 3]] {
            let files = data_files(&scenes[one], table);
            assert!(!files.is_empty(), "{table}");
            let others = data_files(&scenes[other], table);
            assert!(
                files.len() == others.len() && files.iter().all(|file| others.contains(file)),
                "{table}: other files in another run"
            );
        }
    }
}
