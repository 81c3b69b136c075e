//! The pipeline visit-events, on generated files and a real PostgreSQL. What every table has to hold is worked out
//! here a second time, from the files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weir_generate::visit_events::{self, Dirt, FileManifest, Manifest, Options, Source};
use weir_tests::{Ended, Postgres, Scene, built, sha256};

/// The key of masks.
pub(crate) const KEY: &str = "a key of at least 16 bytes";

/// The columns of each table, by which its rows are compared.
const TABLES: [(&str, &str); 5] = [
    ("patients", "load_date, source, patient_id, name, last_seen"),
    (
        "visits",
        "load_date, source, visit_id, patient_id, visit_date, provider_notes_text, provider_notes_author",
    ),
    (
        "diagnoses",
        "load_date, source, visit_id, diagnosis_code, diagnosis_description",
    ),
    (
        "treatments",
        "load_date, source, visit_id, diagnosis_code, treatments_drug, treatments_dose",
    ),
    (
        "patient_treatment_summary",
        "treatments_drug, treatments_dose, prescribed_date, name",
    ),
];

/// A scene with a server, and files in `in`.
struct Clinic {
    scene: Scene,
    server: Postgres,
    manifest: Manifest,
    expected: Expected,
}

impl Clinic {
    fn new(options: &Options) -> Clinic {
        let scene = Scene::new();
        let manifest = visit_events::generate(&scene.path("in"), options).unwrap();
        Clinic {
            scene,
            server: Postgres::start(),
            manifest,
            expected: Expected::default(),
        }
    }

    fn command(&self, file: &FileManifest) -> Command {
        let params = [
            ("input", "in"),
            ("source", file.source.name()),
            ("date", file.date.as_str()),
        ];
        let mut command = self
            .scene
            .run_command(&built::pipeline("visit-events"), &params);
        command
            .env("WAREHOUSE_URL", self.server.url(self.server.port()))
            .env("PII_KEY", KEY);
        command
    }

    fn run(&self, file: &FileManifest) {
        let ended = Ended::from(self.command(file).output().unwrap());
        ended.expect_code(code(file));
    }

    /// Runs each file's load, one after the other.
    fn run_all(&mut self) {
        for file in &self.manifest.files {
            self.run(file);
            self.expected.load(&self.scene.path("in"), file);
        }
    }

    /// The rows of a table, as sorted arrays of JSON.
    fn rows(&self, table: &str, columns: &str) -> Vec<String> {
        let rows = self
            .server
            .sql(&format!("select json_build_array({columns}) from {table}"));
        let parsed = rows
            .iter()
            .map(|row| serde_json::from_str::<Value>(row).unwrap().to_string());
        sorted(parsed.collect())
    }

    #[track_caller]
    fn expect(&self, when: &str) {
        for (table, columns) in TABLES {
            let (found, expected) = (self.rows(table, columns), self.expected.rows(table));
            let wrong = found.iter().find(|row| !expected.contains(row));
            assert!(
                found == expected,
                "{when}: {table} has {} rows, not {}; the first that is wrong: {wrong:?}",
                found.len(),
                expected.len()
            );
        }
        for ((source, date), rejected) in &self.expected.rejected {
            let [unreadable, rejected] = rejected;
            let raw = format!("raw.{source}_{}__quarantine", date.replace('-', ""));
            let restricted = self.scene.path("restricted");
            assert_eq!(
                &self.reasons(&restricted, &raw),
                unreadable,
                "{when}: {raw}"
            );
            let split = format!(
                "(select * from cleansed.patients__quarantine where _weir_scope_source = '{source}' \
                 and _weir_scope_load_date = '{date}') q"
            );
            let found = self.reasons(&self.scene.lake(), &split);
            assert_eq!(&found, rejected, "{when}: {source} {date}");
        }
    }

    /// Rows in quarantine by rule.
    fn reasons(&self, lake: &Path, table: &str) -> BTreeMap<String, u64> {
        let query =
            format!("select _weir_rule as rule, count(*) as records from {table} group by 1");
        let mut command = self
            .scene
            .weir(["sql", &query, "--output", "json", "--lake"]);
        let ended = Ended::from(command.arg(lake).output().unwrap()).expect_code(0);
        let rows = ended.json_lines().into_iter();
        rows.map(|row| {
            let rule = row["rule"].as_str().unwrap().to_owned();
            (rule, row["records"].as_u64().unwrap())
        })
        .collect()
    }
}

fn code(file: &FileManifest) -> i32 {
    if file.faults.is_empty() { 0 } else { 3 }
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort_unstable();
    rows
}

/// The source and day of a load.
type Load = (String, String);

/// What the tables hold after loads, each of which replaces its own rows.
#[derive(Default)]
struct Expected {
    /// Patients of the day's file: number and name.
    today: BTreeMap<Load, BTreeMap<String, Value>>,
    tables: BTreeMap<&'static str, BTreeMap<Load, Vec<Value>>>,
    /// Records by rule: those that cannot be read, and those that break another rule.
    rejected: BTreeMap<Load, [BTreeMap<String, u64>; 2]>,
}

impl Expected {
    fn rows(&self, table: &str) -> Vec<String> {
        let rows = self
            .tables
            .get(table)
            .into_iter()
            .flat_map(BTreeMap::values);
        sorted(rows.flatten().map(Value::to_string).collect())
    }

    /// A load of this file, as it is now.
    fn load(&mut self, dir: &Path, file: &FileManifest) {
        let source = file.source;
        let load = (source.name().to_owned(), file.date.clone());
        let (date, name) = (&file.date, source.name());
        let [mut unreadable, mut rejected] = [BTreeMap::new(), BTreeMap::new()];
        let mut records = Vec::new();
        let text = fs::read_to_string(dir.join(file.path())).unwrap();
        for line in text.lines().filter(|line| !["[", "]"].contains(line)) {
            match readable(line.trim_end_matches(',')) {
                Err(rule) => *unreadable.entry(rule.to_owned()).or_default() += 1,
                Ok(record) => match broken(&record, source, date) {
                    Some(rule) => *rejected.entry(rule.to_owned()).or_default() += 1,
                    None => records.push(record),
                },
            }
        }
        // What two records share is wrong in both; a visit that has a diagnosis twice, in its record.
        let patients = uses(records.iter().map(|record| given(&record["patient_id"])));
        let visits = uses(
            records
                .iter()
                .flat_map(visits_of)
                .map(|visit| given(&visit["visit_id"])),
        );
        records.retain(|record| {
            let rule = if patients[&given(&record["patient_id"])] > 1 {
                "unique(patient_id)"
            } else if visits_of(record).any(|visit| visits[&given(&visit["visit_id"])] > 1) {
                "unique(visit_id)"
            } else if visits_of(record).any(|visit| {
                let codes = items(&visit["diagnoses"]).map(|diagnosis| given(&diagnosis["code"]));
                uses(codes).values().any(|uses| *uses > 1)
            }) {
                "unique(diagnosis_code, visit_id)"
            } else {
                return true;
            };
            *rejected.entry(rule.to_owned()).or_default() += 1;
            false
        });
        self.rejected.insert(load.clone(), [unreadable, rejected]);

        let mut rows: BTreeMap<&str, Vec<Value>> = TABLES
            .iter()
            .map(|(table, _)| (*table, Vec::new()))
            .collect();
        let mut today = BTreeMap::new();
        let [drug, dose, author] = words(source);
        let mut push = |table: &'static str, row: Value| rows.get_mut(table).unwrap().push(row);
        for record in &records {
            let patient = given(&record["patient_id"]);
            let code = match record["name"].as_str() {
                Some(name) => json!(hmac(name)),
                None => Value::Null,
            };
            for visit in visits_of(record) {
                let (visit_id, day) = (given(&visit["visit_id"]), given(&visit["date"]));
                let notes = &visit["provider_notes"];
                let (text, author) = (given(&notes["text"]), given(&notes[author]));
                push(
                    "visits",
                    json!([date, name, visit_id, patient, day, text, author]),
                );
                for diagnosis in items(&visit["diagnoses"]) {
                    let icd = given(&diagnosis["code"]);
                    let words = given(&diagnosis["description"]);
                    push("diagnoses", json!([date, name, visit_id, icd, words]));
                    for treatment in items(&diagnosis["treatments"]) {
                        let (drug, dose) = (given(&treatment[drug]), given(&treatment[dose]));
                        push("treatments", json!([date, name, visit_id, icd, drug, dose]));
                        push("patient_treatment_summary", json!([drug, dose, day, code]));
                    }
                }
            }
            today.insert(patient.unwrap(), code);
        }
        self.today.insert(load.clone(), today);
        // Yesterday's and today's, as they were last named.
        let mut known: BTreeMap<&String, (&String, &Value)> = BTreeMap::new();
        for ((of, day), patients) in &self.today {
            if of == name && day <= date {
                known.extend(patients.iter().map(|(id, code)| (id, (day, code))));
            }
        }
        rows.insert(
            "patients",
            known
                .into_iter()
                .map(|(id, (day, code))| json!([date, name, id, code, day]))
                .collect(),
        );
        for (table, rows) in rows {
            let table = TABLES.iter().find(|(name, _)| *name == table).unwrap().0;
            self.tables
                .entry(table)
                .or_default()
                .insert(load.clone(), rows);
        }
    }
}

fn words(source: Source) -> [&'static str; 3] {
    match source {
        Source::A => ["drug", "dose", "author"],
        Source::B => ["drug_test", "dose_test", "author_test"],
    }
}

/// A text without the space around it; none where nothing is left.
fn given(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn visits_of(record: &Value) -> impl Iterator<Item = &Value> {
    items(&record["visits"])
}

fn uses<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, u64> {
    let mut uses = BTreeMap::new();
    for key in keys {
        *uses.entry(key).or_default() += 1;
    }
    uses
}

/// A record, or the rule that it breaks before anybody can judge it.
fn readable(line: &str) -> Result<Value, &'static str> {
    let record: Value = serde_json::from_str(line).map_err(|_| "bad_json")?;
    let keys = record.as_object().unwrap().keys();
    let known = ["patient_id", "name", "visits"];
    if keys.into_iter().any(|key| !known.contains(&key.as_str())) {
        return Err("new_column");
    }
    match &record["visits"] {
        Value::Null | Value::Array(_) => Ok(record),
        _ => Err("bad_value"),
    }
}

/// The rule that a record breaks by itself.
fn broken(record: &Value, source: Source, load_date: &str) -> Option<&'static str> {
    if given(&record["patient_id"]).is_none() {
        return Some("no_patient_id");
    }
    for visit in visits_of(record) {
        if given(&visit["visit_id"]).is_none() {
            return Some("no_visit_id");
        }
        // Every date that is generated is of February or March 2024.
        match given(&visit["date"]) {
            Some(date) if date == "2024-02-30" || !date.starts_with("2024-0") => {
                return Some("bad_date");
            }
            None => return Some("bad_date"),
            Some(date) if date.as_str() > load_date => return Some("not_later_than_load"),
            Some(_) => {}
        }
        for diagnosis in items(&visit["diagnoses"]) {
            match given(&diagnosis["code"]) {
                None => return Some("no_diagnosis_code"),
                Some(code) if !is_icd_10(&code) => return Some("pattern(diagnosis_code)"),
                Some(_) => {}
            }
            let [drug, ..] = words(source);
            if items(&diagnosis["treatments"]).any(|treatment| given(&treatment[drug]).is_none()) {
                return Some("no_drug");
            }
        }
    }
    None
}

/// A capital, a digit, a capital or digit, and up to four more of these, before which a point may stand.
fn is_icd_10(code: &str) -> bool {
    let capital = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let Some((category, rest)) = code.as_bytes().split_at_checked(3) else {
        return false;
    };
    let more = rest.strip_prefix(b".").unwrap_or(rest);
    category[0].is_ascii_uppercase()
        && category[1].is_ascii_digit()
        && capital(&category[2])
        && more.iter().all(capital)
        && more.len() <= 4
        && (rest.is_empty() || !more.is_empty())
}

/// HMAC-SHA-256 under [`KEY`], by its definition (RFC 2104).
pub(crate) fn hmac(text: &str) -> String {
    let padded = |with: u8| -> Vec<u8> {
        let key = KEY.bytes().chain(std::iter::repeat(0)).take(64);
        key.map(|byte| byte ^ with).collect()
    };
    let inner = sha256(&[padded(0x36), text.as_bytes().to_vec()].concat());
    let inner: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(&inner[at..at + 2], 16).unwrap())
        .collect();
    sha256(&[padded(0x5c), inner].concat())
}

/// The case of the original: two sources, two days, two patients a file.
#[test]
fn the_smallest_case_gives_its_figures() {
    let mut clinic = Clinic::new(&Options::smallest());
    clinic.run_all();
    clinic.expect("all four loads");
    let counts = "select (select count(*) from patients), (select count(*) from visits), \
                  (select count(*) from diagnoses), (select count(*) from treatments), \
                  (select count(*) from patient_treatment_summary)";
    assert_eq!(clinic.server.sql(counts), ["11|8|8|16|16"]);
    let snapshots = "select source, load_date, count(*) from patients group by 1, 2 order by 1, 2";
    assert_eq!(
        clinic.server.sql(snapshots),
        [
            "source_a|2024-02-28|2",
            "source_a|2024-02-29|3",
            "source_b|2024-02-28|2",
            "source_b|2024-02-29|4",
        ]
    );
    // A range of dates for each day, and in it a list for each source; indexes in all of them.
    for (table, index) in [
        ("patients", "(patient_id)"),
        ("visits", "(visit_id, patient_id)"),
        ("diagnoses", "(diagnosis_code, visit_id)"),
        ("treatments", "(treatments_drug, diagnosis_code)"),
    ] {
        let keys = format!(
            "select distinct level, pg_get_partkeydef(relid) from pg_partition_tree('{table}')
             where not isleaf order by level"
        );
        assert_eq!(
            clinic.server.sql(&keys),
            ["0|RANGE (load_date)", "1|LIST (source)"],
            "{table}"
        );
        let indexes = format!(
            "select count(*) from pg_partition_tree('{table}') t join pg_indexes i on i.tablename = t.relid::text
             where t.isleaf and i.indexdef like '%{index}'"
        );
        assert_eq!(clinic.server.sql(&indexes), ["4"], "{table}");
    }
}

/// Faults of every kind in numbers that are known, in both sources, over the end of a month.
#[test]
fn every_row_and_every_fault_is_found() {
    let mut clinic = Clinic::new(&Options {
        days: 3,
        seed: 7,
        dirt: Dirt::everywhere(0.01),
        ..Options::for_patients(400)
    });
    clinic.run_all();
    clinic.expect("all six loads");
    for file in &clinic.manifest.files {
        let load = (file.source.name().to_owned(), file.date.clone());
        let counted = [false, true].map(|readable| file.rejected(readable));
        assert_eq!(clinic.expected.rejected[&load], counted, "{load:?}");
        for (table, rows) in [
            ("patients", file.rows.patients),
            ("visits", file.rows.visits),
            ("diagnoses", file.rows.diagnoses),
            ("treatments", file.rows.treatments),
            ("patient_treatment_summary", file.rows.treatments),
        ] {
            let found = clinic.expected.tables[table][&load].len() as u64;
            assert_eq!(found, rows, "{load:?} {table}");
        }
    }
    // Each again, in another order.
    for file in clinic.manifest.files.iter().rev() {
        clinic.run(file);
    }
    clinic.expect("all six loads again");

    // What is kept aside is masked too.
    let names = "select count(*) as all, count(name) as named, sum(length(name)) as digits from cleansed.patients__quarantine";
    let counts = &clinic.scene.sql(names)[0];
    let [all, named, digits] =
        ["all", "named", "digits"].map(|count| counts[count].as_u64().unwrap());
    assert!(all >= named && named > all / 2, "{counts}");
    assert_eq!(digits, 64 * named);
}

/// A file that is sent once more with other records replaces what it gave, and nothing else.
#[test]
fn a_load_replaces_its_own_partition() {
    let options = Options {
        seed: 3,
        dirt: Dirt::everywhere(0.01),
        ..Options::for_patients(200)
    };
    let mut clinic = Clinic::new(&options);
    clinic.run_all();
    clinic.expect("all four loads");
    let others = visit_events::generate(
        &clinic.scene.path("others"),
        &Options { seed: 4, ..options },
    )
    .unwrap();
    // The second day of one source, then the first of the other, whose second keeps its snapshot until it is run.
    for file in [&others.files[1], &others.files[2], &others.files[3]] {
        let (from, to) = ("others", "in");
        fs::copy(
            clinic.scene.path(from).join(file.path()),
            clinic.scene.path(to).join(file.path()),
        )
        .unwrap();
        let before: BTreeMap<&str, BTreeSet<String>> = TABLES[..4]
            .iter()
            .map(|(table, columns)| (*table, clinic.rows(table, columns).into_iter().collect()))
            .collect();
        clinic.run(file);
        let dir = clinic.scene.path("in");
        clinic.expected.load(&dir, file);
        clinic.expect(&file.path());
        let own = format!("[\"{}\",\"{}\",", file.date, file.source.name());
        for (table, columns) in &TABLES[..4] {
            let now: BTreeSet<String> = clinic.rows(table, columns).into_iter().collect();
            let changed: Vec<&String> = now.symmetric_difference(&before[table]).collect();
            assert!(!changed.is_empty(), "{table}");
            assert!(
                changed.iter().all(|row| row.starts_with(&own)),
                "{table}: {changed:?}"
            );
        }
    }
}

/// First loads of both sources, then those of another day beside loads of the first once more.
#[test]
fn loads_of_other_days_and_sources_do_not_disturb_each_other() {
    let mut clinic = Clinic::new(&Options {
        seed: 5,
        dirt: Dirt::everywhere(0.005),
        ..Options::for_patients(400)
    });
    let [a1, a2, b1, b2] = [0, 1, 2, 3].map(|file| clinic.manifest.files[file].clone());
    for at_once in [vec![&a1, &b1], vec![&a2, &b2, &a1, &b1], vec![&a1, &a2]] {
        let running: Vec<_> = at_once
            .iter()
            .map(|file| clinic.scene.start(clinic.command(file)))
            .collect();
        for running in running {
            running.end().expect_code(3);
        }
        let dir = clinic.scene.path("in");
        for file in at_once {
            clinic.expected.load(&dir, file);
        }
        clinic.expect("loads at once");
    }
}

/// Killed after each of its steps, a load is finished by the next run; no other load is touched.
#[test]
fn a_load_that_is_killed_is_finished_by_the_next_run() {
    let mut clinic = Clinic::new(&Options {
        days: 3,
        seed: 6,
        dirt: Dirt::everywhere(0.01),
        ..Options::for_patients(200)
    });
    let steps = [
        "land",
        "normalise",
        "split",
        "publish-visits",
        "publish-treatments",
    ];
    let files = clinic.manifest.files.clone();
    for (file, step) in files.iter().zip(steps) {
        let mut running = clinic.scene.start(clinic.command(file));
        assert!(running.until_says(&format!("{step} ")), "{step} ends");
        running.signal("KILL");
        running.end();
        assert_eq!(
            clinic.scene.latest()["status"],
            "running",
            "killed after {step}"
        );
        clinic.run(file);
        let dir = clinic.scene.path("in");
        clinic.expected.load(&dir, file);
        clinic.expect(&format!("killed after {step}"));
    }
}

/// Without the mask names would reach the raw zone, which is told before anything is read.
#[test]
fn names_go_nowhere_without_the_mask() {
    let scene = Scene::new();
    let folder = built::root().join("pipelines/visit-events");
    for part in ["schemas", "sql"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            scene.file(&format!("{part}/{name}"), fs::read(&path).unwrap());
        }
    }
    let text = fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    let plugins = built::root().join("plugins");
    let text = text.replace("../../plugins", plugins.to_str().unwrap());
    let mask =
        "[[step.stage]]\nmask = { name = { method = \"hmac\", key = { env = \"PII_KEY\" } } }\n";
    assert!(text.contains(mask));
    let file = scene.file("pipeline.toml", text.replace(mask, ""));
    visit_events::generate(&scene.path("in"), &Options::smallest()).unwrap();
    let params = [
        ("input", "in"),
        ("source", "source_a"),
        ("date", "2024-02-28"),
    ];
    let mut command = scene.run_command(&file, &params);
    command.env("WAREHOUSE_URL", "postgres://nobody@127.0.0.1:1/nothing");
    let ended = Ended::from(command.output().unwrap()).expect_code(2);
    ended.says(&["pii", "name"]);
    assert!(!scene.path("restricted").exists());
}
