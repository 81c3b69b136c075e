//! The pipeline treatments, on generated exports and a server that speaks DynamoDB's protocol. What every table has to
//! hold is worked out in `treatments_expected`, from the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_generate::treatments::{self, Dirt, Fault, Manifest, Options};
use weir_s3::{BUCKET, Server};
use weir_tests::{DynamoDb, Ended, Scene, built};

use crate::treatments_expected::{Expected, NULL, SILVER, TABLES};
use crate::visit_events::KEY;

/// A lake, and exports beside it.
struct Clinic {
    scene: Scene,
}

/// The rows of tables, sorted lines.
type Tables = BTreeMap<&'static str, Vec<String>>;

impl Clinic {
    fn new() -> Clinic {
        Clinic {
            scene: Scene::new(),
        }
    }

    /// Writes the export of a batch; where it is.
    fn export(&self, options: &Options) -> (PathBuf, Manifest) {
        let manifest = treatments::generate(&self.scene.path("bucket"), options).unwrap();
        (self.scene.path("bucket").join(&manifest.export), manifest)
    }

    fn export_command(&self, export: &Path, more: &[(&str, &str)]) -> Command {
        let file = built::root().join("pipelines/treatments/export.toml");
        let mut params = vec![("export", export.to_str().unwrap())];
        params.extend(more);
        let mut command = self.scene.run_command(&file, &params);
        command.env("PII_KEY", KEY);
        command
    }

    fn run_export(&self, export: &Path) -> Ended {
        Ended::from(self.export_command(export, &[]).output().unwrap())
    }

    fn live_command(&self, endpoint: &str) -> Command {
        let mut command = self.scene.run_command(&built::pipeline("treatments"), &[]);
        command
            .args(["--profile", "local"])
            .env("TREATMENTS_ENDPOINT", endpoint)
            .env("AWS_ACCESS_KEY_ID", "key-canary")
            .env("AWS_SECRET_ACCESS_KEY", "secret-canary")
            .env("PII_KEY", KEY);
        command
    }

    fn run_live(&self, endpoint: &str) -> Ended {
        let ended = Ended::from(self.live_command(endpoint).output().unwrap());
        ended.hides(&["canary"])
    }

    /// The rows of silver, gold and analytics, but for the tracker's.
    #[track_caller]
    fn tables(&self) -> Tables {
        let all = TABLES
            .iter()
            .copied()
            .chain([("silver.treatments", SILVER)]);
        let queries: Vec<String> = all
            .clone()
            .map(|(table, columns)| {
                let texts = columns
                    .split_whitespace()
                    .map(|column| format!("coalesce(cast({column} as varchar), '{NULL}')"));
                let texts: Vec<String> = texts.collect();
                format!(
                    "select '{table}' as name, concat_ws('|', {}) as line from {table}",
                    texts.join(", ")
                )
            })
            .collect();
        let mut tables: Tables = all.map(|(table, _)| (table, Vec::new())).collect();
        for row in self.scene.sql(&queries.join(" union all ")) {
            let rows = tables.get_mut(row["name"].as_str().unwrap()).unwrap();
            rows.push(row["line"].as_str().unwrap().to_owned());
        }
        for rows in tables.values_mut() {
            rows.sort_unstable();
        }
        tables
    }

    /// Demands the tables that are expected, and the rejected items.
    #[track_caller]
    fn expect(&self, expected: &Expected, when: &str) {
        expect_same(&self.tables(), &expected.tables(), when);
        assert_eq!(
            self.scene.count("bronze.treatments"),
            expected.bronze,
            "{when}"
        );
        let [unreadable, rejected] = &expected.rejected;
        assert_eq!(&self.reasons("bronze.treatments"), unreadable, "{when}");
        assert_eq!(&self.reasons("silver.items"), rejected, "{when}");
    }

    /// Rows in quarantine by rule.
    #[track_caller]
    fn reasons(&self, table: &str) -> BTreeMap<String, u64> {
        let query = format!(
            "select _weir_rule as rule, count(*) as items from {table}__quarantine group by 1"
        );
        let rows = self.scene.sql(&query).into_iter();
        rows.map(|row| {
            let rule = row["rule"].as_str().unwrap().to_owned();
            (rule, row["items"].as_u64().unwrap())
        })
        .collect()
    }

    /// What the tracker says of a run, from 1: by table its status and counts.
    #[track_caller]
    fn tracked(&self, run: u64) -> BTreeMap<String, (String, [u64; 3])> {
        let query = format!(
            "select table_name, status, source_count, rejected_count, destination_count from gold.etl_tracker \
             where run_number = {run} and completed_at is not null"
        );
        let rows = self.scene.sql(&query).into_iter();
        rows.map(|row| {
            let text = |column: &str| row[column].as_str().unwrap().to_owned();
            let counts = ["source_count", "rejected_count", "destination_count"]
                .map(|column| row[column].as_u64().unwrap());
            (text("table_name"), (text("status"), counts))
        })
        .collect()
    }

    /// Demands one status of every table in a run.
    #[track_caller]
    fn expect_tracked(&self, run: u64, status: &str) {
        let tracked = self.tracked(run);
        assert_eq!(tracked.len(), 17, "{tracked:?}");
        for (table, (found, counts)) in &tracked {
            assert_eq!(found, status, "{table}: {counts:?}");
        }
    }
}

/// Demands the same rows in the same tables, and shows the first that differ.
#[track_caller]
fn expect_same(found: &Tables, expected: &Tables, when: &str) {
    for (table, expected) in expected {
        let found = &found[table];
        let differ = found.iter().zip(expected).find(|(a, b)| a != b);
        assert!(differ.is_none(), "{when}: {table}: {differ:#?}");
        assert_eq!(found.len(), expected.len(), "{when}: {table}");
        assert!(!found.is_empty(), "{when}: {table} is empty");
    }
}

fn dirty(items: u64) -> Options {
    Options {
        seed: 7,
        dirt: Dirt::everywhere(0.005),
        ..Options::for_items(items)
    }
}

/// The second batch of the same items.
fn second(options: &Options) -> Options {
    Options {
        batch: 2,
        ..options.clone()
    }
}

#[test]
fn every_row_is_foretold_and_a_batch_changes_what_it_should() {
    let clinic = Clinic::new();
    let options = dirty(3_000);
    let mut expected = Expected::new();
    let (first, manifest) = clinic.export(&options);
    clinic.run_export(&first).expect_code(3);
    expected.load(&first);
    clinic.expect(&expected, "the first batch");
    assert_eq!(
        expected.rejected,
        [false, true].map(|readable| manifest.rejected(readable))
    );
    assert_eq!(expected.bronze, manifest.readable());
    assert_eq!(expected.treatments(), manifest.accepted());
    clinic.expect_tracked(1, "MATCH");
    let (_, counts) = &clinic.tracked(1)["treatments"];
    let rejected: u64 = manifest.rejected(true).values().sum();
    assert_eq!(
        *counts,
        [manifest.readable(), rejected, manifest.accepted()]
    );

    // The same again changes nothing.
    clinic.run_export(&first).expect_code(3);
    clinic.expect(&expected, "the same export again");
    clinic.expect_tracked(2, "SKIPPED");

    let before = clinic.tables();
    let (later, manifest) = clinic.export(&second(&options));
    clinic.run_export(&later).expect_code(3);
    let known = expected.clone();
    expected.load(&later);
    clinic.expect(&expected, "the second batch");
    assert_eq!(expected.bronze, manifest.readable());
    assert_eq!(
        expected.rejected,
        [false, true].map(|readable| manifest.rejected(readable))
    );
    // What was removed from the table is still known.
    assert!(expected.treatments() > manifest.accepted());
    clinic.expect_tracked(3, "MATCH");
    // No key has moved: each that was there is there, and new ones beside it.
    let after = clinic.tables();
    for (table, rows) in before
        .iter()
        .filter(|(table, _)| table.starts_with("gold."))
    {
        let keys = |rows: &[String]| -> Vec<String> {
            rows.iter()
                .map(|row| {
                    // The type's key has the bar that stands between columns here.
                    let until = if table.contains("types") { " | " } else { "|" };
                    row.split(until).next().unwrap().to_owned()
                })
                .collect()
        };
        let after = keys(&after[table]);
        assert!(keys(rows).iter().all(|key| after.contains(key)), "{table}");
    }
    assert!(expected.keys() > known.keys());

    // The older export, come late: nothing that is newer is overwritten.
    clinic.run_export(&first).expect_code(3);
    let newest = expected.clone();
    expected.load(&first);
    clinic.expect(&expected, "the first export, late");
    expect_same(&clinic.tables(), &newest.tables(), "the first export, late");
}

#[test]
fn the_live_table_and_its_export_give_the_same_and_one_goes_on_where_the_other_ended() {
    let server = DynamoDb::start();
    let options = Options {
        dirt: Dirt::everywhere(0.01).with(Fault::BadJson, 0.0),
        ..dirty(400)
    };
    let (live, exported) = (Clinic::new(), Clinic::new());
    let mut expected = Expected::new();
    for options in [options.clone(), second(&options)] {
        let manifest = treatments::fill(&server.url(), "treatments", &options).unwrap();
        let (export, of_export) = exported.export(&options);
        assert_eq!(manifest, of_export);
        live.run_live(&server.url()).expect_code(3);
        exported.run_export(&export).expect_code(3);
        expected.load(&export);
        live.expect(&expected, "live");
        exported.expect(&expected, "export");
        // The lake of the live table has a run of the export after each.
        let (run, beside) = (2 * manifest.batch - 1, manifest.batch);
        assert_eq!(live.tracked(run), exported.tracked(beside));
        assert_eq!(names(&live), Vec::<String>::new(), "names of patients");
        // The other door to the same lake: nothing is new.
        live.run_export(&export).expect_code(3);
        live.expect(&expected, "export after live");
    }

    // Both at once: whoever is overtaken says so, and one more run settles it.
    let (export, _) = live.export(&second(&options));
    for round in 0..2 {
        let commands = [
            live.live_command(&server.url()),
            live.export_command(&export, &[]),
        ];
        let running = commands.map(|command| live.scene.start(command));
        let ended = running.map(|running| running.end().expect_code_of(&[3, 75]).code);
        if ended.contains(&Some(75)) {
            live.run_export(&export).expect_code(3);
        }
        live.expect(&expected, &format!("both at once, round {round}"));
    }
}

/// Names of patients that are no codes, and texts of items that may have them.
fn names(clinic: &Clinic) -> Vec<String> {
    let texts = "select patient_full_name as text from bronze.treatments where patient_full_name is not null \
                 union select full_name from gold.dim_patients where full_name is not null \
                 union select _weir_raw from bronze.treatments__quarantine where _weir_raw is not null";
    let rows = clinic.scene.sql(texts).into_iter();
    let is_code =
        |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    rows.map(|row| row["text"].as_str().unwrap().to_owned())
        .filter(|text| !is_code(text))
        .collect()
}

#[test]
fn what_cannot_be_reached_or_is_half_there_changes_nothing() {
    let clinic = Clinic::new();
    let options = Options {
        dirt: Dirt::default(),
        ..dirty(600)
    };
    let mut expected = Expected::new();
    let (first, _) = clinic.export(&options);
    clinic.run_export(&first).expect_code(0);
    expected.load(&first);
    let before = clinic.tables();

    clinic
        .run_live("http://127.0.0.1:1")
        .expect_code(75)
        .says(&["cannot reach DynamoDB", "127.0.0.1:1"]);
    expect_same(&clinic.tables(), &before, "no server");

    // A file of which the second half has not arrived yet.
    let (later, _) = clinic.export(&second(&options));
    let file = fs::read_dir(later.join("data")).unwrap().next().unwrap();
    let file = file.unwrap().path();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    clinic.run_export(&later).expect_code(1).says(&[name]);
    expect_same(&clinic.tables(), &before, "half a file");

    fs::write(&file, whole).unwrap();
    clinic.run_export(&later).expect_code(0);
    expected.load(&later);
    expect_same(&clinic.tables(), &expected.tables(), "the whole file");

    // Nothing there at all.
    let nowhere = clinic.scene.path("bucket/AWSDynamoDB/nowhere");
    clinic
        .run_export(&nowhere)
        .expect_code_of(&[1, 2])
        .says(&["nowhere"]);
    expect_same(&clinic.tables(), &expected.tables(), "no export");
}

#[test]
fn a_run_that_is_killed_between_two_steps_is_finished_by_the_next() {
    let options = dirty(900);
    let clinic = Clinic::new();
    let (first, _) = clinic.export(&options);
    let (later, _) = clinic.export(&second(&options));
    let mut expected = Expected::new();
    clinic.run_export(&first).expect_code(3);
    expected.load(&first);
    expected.load(&later);
    let kept = clinic.scene.path("kept");
    copy(&clinic.scene.lake(), &kept);
    for step in ["bronze", "dim-providers", "monthly-treatment-trends"] {
        fs::remove_dir_all(clinic.scene.lake()).unwrap();
        copy(&kept, &clinic.scene.lake());
        let mut running = clinic.scene.start(clinic.export_command(&later, &[]));
        assert!(running.until_says(step), "{step}");
        running.signal("KILL");
        running.end();
        clinic.run_export(&later).expect_code(3);
        clinic.expect(&expected, step);
    }
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.expect("`cp` is there").success());
}

/// Facts that are lost behind the pipeline's back are counted, until they are loaded again.
#[test]
fn the_tracker_counts_what_is_there() {
    let clinic = Clinic::new();
    let options = Options {
        dirt: Dirt::default(),
        ..dirty(800)
    };
    let (first, of_first) = clinic.export(&options);
    clinic.run_export(&first).expect_code(0);
    let (later, of_second) = clinic.export(&second(&options));
    clinic.run_export(&later).expect_code(0);
    clinic.expect_tracked(2, "MATCH");

    let restored = clinic
        .scene
        .weir([
            "lake",
            "restore",
            "gold.fact_treatments",
            "--version",
            "0",
            "--lake",
        ])
        .arg(clinic.scene.lake())
        .output()
        .unwrap();
    Ended::from(restored).expect_code(0);
    clinic.run_export(&later).expect_code(0);
    let mut tracked = clinic.tracked(3);
    let all = of_first.accepted() + of_second.added;
    let known = of_first.accepted() - of_second.modified;
    assert_eq!(
        tracked.remove("fact_treatments").unwrap(),
        ("MISMATCH".to_owned(), [all, 0, known])
    );
    // The tables that are made of the facts have what these have.
    let facts = of_first.accepted();
    for table in ["provider_treatment_rank", "summary_avg_treatment_cost"] {
        let expected = ("MATCH".to_owned(), [facts, 0, facts]);
        assert_eq!(tracked.remove(table).unwrap(), expected, "{table}");
    }
    assert_eq!(tracked["dim_patients"].0, "SKIPPED");

    let mut command = clinic.export_command(&later, &[]);
    let healed = command.args(["--full-refresh"]).output().unwrap();
    Ended::from(healed).expect_code(0);
    let (status, counts) = &clinic.tracked(4)["fact_treatments"];
    assert_eq!((status.as_str(), counts), ("MATCH", &[all, 0, all]));
}

/// And an export may lie in an object store.
#[test]
fn success_is_what_the_parameter_names() {
    let (clinic, server) = (Clinic::new(), Server::start());
    let mut expected = Expected::new();
    let manifest = treatments::generate(&server.bucket(), &dirty(700)).unwrap();
    let export = format!("s3://{BUCKET}/{}", manifest.export);
    let run = |success| {
        let mut command = clinic.export_command(Path::new(&export), &[("success_status", success)]);
        command.envs(server.environment());
        Ended::from(command.output().unwrap()).expect_code(3);
    };
    run(expected.success);
    expected.load(&server.bucket().join(&manifest.export));
    clinic.expect(&expected, "Successful");
    expected.success = "Partially Successful";
    run(expected.success);
    expect_same(&clinic.tables(), &expected.tables(), expected.success);
}
