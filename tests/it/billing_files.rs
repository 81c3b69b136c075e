//! The pipeline billing at work: a folder in which files arrive, a lake, a real PostgreSQL, and what PostgreSQL computes
//! of the same files by itself (`billing.sql`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_generate::billing::{self, Delivery, Dirt, Manifest, Options, Table};
use weir_tests::{Contents, Ended, Postgres, Scene, built};

const KEY: &str = "a key of at least 16 bytes";

/// Each table with its columns, as the pipeline has it in the zone and in the warehouse, and where PostgreSQL has what
/// it has to hold.
const TABLES: [(&str, &str, &str); 16] = [
    (
        "cleansed",
        "fact_table",
        "fact_table_pk, dim_patient_pk, dim_physician_pk, dim_date_post_pk, dim_date_service_pk, dim_cpt_code_pk, dim_payer_pk, dim_transaction_pk, dim_location_pk, patient_number, dim_diagnosis_code_pk, cpt_units, gross_charge, payment, adjustment, ar",
    ),
    (
        "cleansed",
        "dim_patient",
        "dim_patient_pk, patient_number, first_name, last_name, email, patient_gender, patient_age, city, state",
    ),
    (
        "cleansed",
        "dim_physician",
        "dim_physician_pk, provider_npi, provider_name, provider_specialty, provider_fte",
    ),
    (
        "cleansed",
        "dim_transaction",
        "dim_transaction_pk, transaction_type, transaction, adjustment_reason",
    ),
    ("cleansed", "dim_payer", "dim_payer_pk, payer_name"),
    ("cleansed", "dim_location", "dim_location_pk, location_name"),
    (
        "cleansed",
        "dim_date",
        "dim_date_pk, calendar_date, year, month, month_period, month_year, day, day_name",
    ),
    (
        "cleansed",
        "dim_cpt_code",
        "dim_cpt_code_pk, cpt_code, cpt_desc, cpt_grouping",
    ),
    (
        "cleansed",
        "dim_diagnosis_code",
        "dim_diagnosis_code_pk, diagnosis_code, diagnosis_code_description, diagnosis_code_group",
    ),
    ("cleansed", "shared_patient_numbers", "patient_number, keys"),
    (
        "curated",
        "daily_billing",
        "post_date, facts, patients, gross_charge, payment, adjustment, ar",
    ),
    (
        "curated",
        "monthly_billing",
        "post_month, facts, patients, gross_charge, payment, adjustment, ar",
    ),
    (
        "curated",
        "collected_by_payer",
        "dim_payer_pk, payer_name, facts, patients, gross_charge, collected, adjusted, pending, collected_percent",
    ),
    (
        "curated",
        "collected_by_location",
        "dim_location_pk, location_name, facts, patients, gross_charge, collected, adjusted, pending, collected_percent",
    ),
    (
        "curated",
        "collected_by_physician",
        "dim_physician_pk, provider_npi, provider_name, provider_specialty, facts, patients, gross_charge, collected, adjusted, pending, collected_percent",
    ),
    (
        "curated",
        "collected_by_specialty",
        "provider_specialty, facts, patients, gross_charge, collected, adjusted, pending, collected_percent",
    ),
];

/// A folder in which files arrive, a warehouse, and a lake between them.
pub(crate) struct Billing {
    pub(crate) scene: Scene,
    pub(crate) server: Postgres,
}

impl Billing {
    pub(crate) fn new() -> Self {
        let server = Postgres::start();
        let padded = |with: u8| -> String {
            let key = KEY.bytes().chain(std::iter::repeat(0)).take(64);
            key.map(|byte| format!("{:02x}", byte ^ with)).collect()
        };
        let sql = include_str!("billing.sql");
        let sql = sql
            .replace("$IPAD", &padded(0x36))
            .replace("$OPAD", &padded(0x5c));
        server.sql(&sql);
        Self {
            scene: Scene::new(),
            server,
        }
    }

    /// Writes the files of a delivery aside, in a folder of this name.
    pub(crate) fn generate(&self, name: &str, options: &Options) -> Manifest {
        billing::generate(&self.scene.path(name), options).unwrap()
    }

    /// A file arrives.
    pub(crate) fn arrives(&self, from: &Path, name: &str) {
        fs::create_dir_all(self.landing()).unwrap();
        fs::copy(from.join(name), self.landing().join(name)).unwrap();
    }

    pub(crate) fn all_arrive(&self, folder: &str, manifest: &Manifest) {
        for file in &manifest.files {
            self.arrives(&self.scene.path(folder), &file.name);
        }
    }

    pub(crate) fn landing(&self) -> PathBuf {
        self.scene.path("landing")
    }

    /// PostgreSQL takes a file as it should be taken.
    pub(crate) fn take(&self, path: &Path, table: Table) {
        let name = table.name();
        self.server
            .sql(&format!("create table sent.incoming (like sent.{name})"));
        let copied = self
            .server
            .client()
            .args([
                "-c",
                "copy sent.incoming from stdin with (format csv, header)",
            ])
            .stdin(File::open(path).unwrap())
            .status()
            .unwrap();
        assert!(copied.success());
        self.server.sql(&format!("call sent.take('{name}')"));
    }

    pub(crate) fn take_all(&self, folder: &str, manifest: &Manifest) {
        for file in &manifest.files {
            self.take(&self.scene.path(folder).join(&file.name), file.table);
        }
    }

    pub(crate) fn with_environment(&self, mut command: Command) -> Command {
        command
            .env("BILLING_LANDING", self.landing())
            .env("WAREHOUSE_URL", self.server.url(self.server.port()))
            .env("PII_KEY", KEY);
        command
    }

    pub(crate) fn command(&self) -> Command {
        let command = self.scene.run_command(&built::pipeline("billing"), &[]);
        self.with_environment(command)
    }

    pub(crate) fn run(&self) -> Ended {
        Ended::from(self.command().output().unwrap()).hides(&["@mail.example"])
    }

    /// The rows of all tables of the lake, as lines: one query, for each takes a program to start.
    fn in_lake(&self) -> BTreeMap<String, Vec<String>> {
        let tables = TABLES.map(|(zone, table, columns)| {
            let texts = columns.replace(", ", " as varchar), ''), coalesce(cast(");
            format!(
                "select '{table}' as name, concat_ws('|', coalesce(cast({texts} as varchar), '')) as line from {zone}.{table}"
            )
        });
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.scene.sql(&tables.join(" union all ")) {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            lines.entry(text("name")).or_default().push(text("line"));
        }
        lines
    }

    pub(crate) fn in_warehouse(&self, query: &str) -> Vec<String> {
        sorted(self.server.sql(query))
    }

    /// Demands that the lake and the warehouse hold what PostgreSQL says.
    #[track_caller]
    pub(crate) fn expect_tables(&self, when: &str) {
        let mut in_lake = self.in_lake();
        for (zone, table, columns) in TABLES {
            let expected = self.in_warehouse(&format!("select * from good.{table}"));
            let found = sorted(in_lake.remove(table).unwrap_or_default());
            assert_same(&found, &expected, &format!("{when}: {zone}.{table}"));
            if table != "shared_patient_numbers" {
                let found = self.in_warehouse(&format!("select {columns} from public.{table}"));
                assert_same(&found, &expected, &format!("{when}: {table}"));
            }
        }
    }

    /// Open rows in quarantine by table and rule.
    pub(crate) fn quarantined(&self) -> BTreeMap<(String, String), u64> {
        let mut queries = Vec::new();
        for table in Table::ALL.map(Table::name) {
            for zone in ["raw", "cleansed"] {
                let folder = format!("{zone}/{table}__quarantine");
                if self.scene.lake().join(folder).exists() {
                    queries.push(format!(
                        "select '{zone}.{table}' as name, _weir_rule as rule, count(*) as n
                         from {zone}.{table}__quarantine where _weir_state = 'open' group by _weir_rule"
                    ));
                }
            }
        }
        let mut found = BTreeMap::new();
        if !queries.is_empty() {
            for row in self.scene.sql(&queries.join(" union all ")) {
                let text = |key: &str| row[key].as_str().unwrap().to_owned();
                found.insert((text("name"), text("rule")), row["n"].as_u64().unwrap());
            }
        }
        found
    }

    /// What the latest run says of a step.
    pub(crate) fn step(&self, name: &str) -> serde_json::Value {
        let record = self.scene.latest();
        let steps = record["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["step"] == name);
        step.unwrap_or_else(|| panic!("the run has no step {name}"))
            .clone()
    }

    /// Rows that the latest run warned of, by step and rule.
    pub(crate) fn warned(&self) -> BTreeMap<(String, String), u64> {
        let mut found = BTreeMap::new();
        for step in self.scene.latest()["steps"].as_array().unwrap() {
            for rule in step["warned"].as_array().unwrap() {
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                found.insert(
                    (text(&step["step"]), text(&rule["rule"])),
                    rule["rows"].as_u64().unwrap(),
                );
            }
        }
        found
    }

    /// All that people see: the lake, and the warehouse's tables.
    pub(crate) fn everything(&self) -> (Contents, Vec<String>) {
        let mut rows = Vec::new();
        for (zone, table, columns) in TABLES {
            if zone == "cleansed" && table != "shared_patient_numbers" {
                rows.extend(self.in_warehouse(&format!("select {columns} from public.{table}")));
            }
        }
        (Contents::of(&self.scene), rows)
    }
}

/// Demands the same lines, and shows the first that differ.
#[track_caller]
fn assert_same(found: &[String], expected: &[String], what: &str) {
    let differ = found.iter().zip(expected).find(|(a, b)| a != b);
    assert!(differ.is_none(), "{what}: {differ:?}");
    assert_eq!(found.len(), expected.len(), "{what}");
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort_unstable();
    rows
}

pub(crate) fn dirty(facts: u64, delivery: Delivery) -> Options {
    Options {
        seed: 5,
        dirt: Dirt::everywhere(0.02),
        delivery,
        ..Options::for_facts(facts)
    }
}

pub(crate) fn clean(facts: u64) -> Options {
    Options {
        seed: 6,
        ..Options::for_facts(facts)
    }
}
