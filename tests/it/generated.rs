//! Generated files, whose faults were counted when they were made.

use std::collections::BTreeMap;

use weir_generate::synpuf::{self, Dirt, Fault, Manifest, Options, Table};
use weir_tests::Scene;

/// Rows in quarantine by rule. Declared checks name their columns; the column does not matter here.
fn by_rule(scene: &Scene, table: Table) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for row in scene.sql(&format!(
        "select _weir_rule as rule, count(*) as rows from cleansed.{}__quarantine group by 1",
        table.name()
    )) {
        let rule = row["rule"].as_str().unwrap();
        let rule = rule.split('(').next().unwrap().to_owned();
        *found.entry(rule).or_default() += row["rows"].as_u64().unwrap();
    }
    found
}

fn expected(manifest: &Manifest, table: Table) -> BTreeMap<String, u64> {
    let faults = Fault::ALL.into_iter().filter(|fault| fault.rejects());
    faults
        .map(|fault| (fault.rule().to_owned(), manifest.faults(table, fault)))
        .filter(|(_, rows)| *rows > 0)
        .collect()
}

fn expect_as_counted(options: &Options) {
    let scene = Scene::new();
    let landing = scene.path("landing");
    let manifest = synpuf::generate(&landing, options).unwrap();
    let dirty = options.dirt != Dirt::default();
    scene
        .run_synpuf(&landing)
        .expect_code(if dirty { 3 } else { 0 });
    let record = scene.latest();
    for table in Table::ALL {
        let name = table.name();
        assert_eq!(scene.count(&format!("raw.{name}")), manifest.rows(table));
        assert_eq!(
            scene.count(&format!("cleansed.{name}")),
            manifest.cleansed(table),
            "{name}"
        );
        assert_eq!(by_rule(&scene, table), expected(&manifest, table), "{name}");
        let money = match table {
            Table::Beneficiary => continue,
            Table::Inpatient | Table::Outpatient => "clm_pmt_amt",
            Table::DrugEvents => "tot_rx_cst_amt",
            Table::Carrier => "line_nch_pmt_amt",
        };
        let cents = manifest.accepted_cents(table);
        let sign = if cents < 0 { "-" } else { "" };
        let cents = cents.unsigned_abs();
        assert_eq!(
            scene.value(&format!("select sum({money}) from cleansed.{name}")),
            format!("{sign}{}.{:02}", cents / 100, cents % 100),
            "{name}"
        );
        let warned: u64 = record["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|step| step["step"].as_str().unwrap().starts_with("cleanse-"))
            .filter(|step| step["targets"][0]["target"] == format!("cleansed.{name}"))
            .flat_map(|step| step["warned"].as_array().unwrap())
            .map(|rule| {
                assert_eq!(rule["rule"], "references(desynpuf_id)");
                rule["rows"].as_u64().unwrap()
            })
            .sum();
        let orphans = manifest.faults(table, Fault::OrphanClaim);
        if table == Table::Carrier {
            // Each line is a row that is warned of, and the fault is the claim's.
            let strays = "from cleansed.carrier where desynpuf_id not in (select desynpuf_id from cleansed.beneficiary)";
            let count = |what: &str| scene.value(&format!("select count({what}) {strays}"));
            assert_eq!(count("distinct clm_id"), orphans.to_string());
            assert_eq!(count("*"), warned.to_string());
        } else {
            assert_eq!(warned, orphans, "{name}");
        }
    }
}

#[test]
fn every_fault_is_found_and_nothing_else() {
    expect_as_counted(&Options {
        seed: 7,
        dirt: Dirt::everywhere(0.01),
        carrier: 3_000,
        ..Options::for_beneficiaries(600)
    });
}

/// The faults of many batches, in another dialect, at rates that differ.
#[test]
fn faults_of_many_batches_are_found() {
    expect_as_counted(&Options {
        seed: 11,
        crlf: false,
        quoted_header: true,
        dirt: Dirt {
            bad_amount: 0.0003,
            bad_code: 0.02,
            duplicate_key: 0.004,
            orphan_claim: 0.05,
            ..Dirt::default()
        },
        drug_events: 60_000,
        carrier: 9_000,
        ..Options::for_beneficiaries(1_500)
    });
}

#[test]
fn clean_files_are_accepted_whole() {
    expect_as_counted(&Options {
        seed: 3,
        ..Options::for_beneficiaries(300)
    });
}
