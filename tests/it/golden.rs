//! CMS's own sample files through the synpuf pipeline. The figures were computed from the files by
//! other means.

use std::path::Path;

use serde_json::Value;
use weir_tests::{Contents, Ended, Scene, built, csv};

/// Rows of a table: of the files, and of them in quarantine.
struct Rows(&'static str, u64, u64);

/// Lines of the Carrier claims, which are rows of their own.
struct Lines(u64);

/// Runs the pipeline and demands, of tables and record alike, these rows.
fn run(scene: &Scene, sample: &Path, tables: &[Rows], lines: Lines) -> Value {
    let code = if tables.iter().any(|rows| rows.2 > 0) {
        3
    } else {
        0
    };
    // A reference that finds no beneficiary is a warning too; these samples have none.
    scene.run_synpuf(sample).expect_code(code);
    let record = scene.latest();
    every_step_balances(&record);
    for Rows(table, read, quarantined) in tables {
        let cleansed = scene.count(&format!("cleansed.{table}"));
        let aside = scene.count(&format!("cleansed.{table}__quarantine"));
        let rows = match *table {
            "carrier" => lines.0,
            _ => read - quarantined,
        };
        assert_eq!((cleansed, aside), (rows, *quarantined), "{table}");
        assert_eq!(scene.count(&format!("raw.{table}")), *read, "raw.{table}");
        let step = match *table {
            "beneficiary" => "cleanse-beneficiary".to_owned(),
            "prescription_drug" => "cleanse-prescription-drug".to_owned(),
            "carrier" => "cleanse-carrier".to_owned(),
            table => format!("cleanse-claims[{table}]"),
        };
        let counts = &find(&record, &step)["counts"];
        assert_eq!(counts["read"], *read, "{step}");
        assert_eq!(counts["accepted"], read - quarantined, "{step}");
        assert_eq!(counts["quarantined"], *quarantined, "{step}");
        assert_eq!(counts["dropped"], 0, "{step}");
    }
    record
}

fn find<'r>(record: &'r Value, step: &str) -> &'r Value {
    let steps = record["steps"].as_array().unwrap();
    let found = steps.iter().find(|entry| entry["step"] == step);
    found.unwrap_or_else(|| panic!("no step {step} in {record:#}"))
}

fn every_step_balances(record: &Value) {
    let steps = record["steps"].as_array().unwrap();
    assert_eq!(
        steps.len(),
        25,
        "each step is in the record, once for each `each`"
    );
    for step in steps {
        let count = |name: &str| step["counts"][name].as_u64().unwrap();
        assert_eq!(
            count("read"),
            count("accepted") + count("quarantined") + count("dropped"),
            "{step:#}"
        );
        let by_rule = step["rejected"].as_array().unwrap().iter();
        let by_rule: u64 = by_rule.map(|rule| rule["rows"].as_u64().unwrap()).sum();
        assert_eq!(by_rule, count("quarantined") + count("dropped"), "{step:#}");
    }
}

#[test]
fn sample_b_gives_its_figures() {
    let Some(sample) = built::real_data("cms_de_synpuf_bfd/test_b") else {
        return;
    };
    let scene = Scene::new();
    let tables = [
        Rows("beneficiary", 1_477, 0),
        Rows("inpatient", 264, 0),
        Rows("outpatient", 3_454, 1),
        Rows("prescription_drug", 22_474, 0),
        Rows("carrier", 21_187, 0),
    ];
    let record = run(&scene, &sample, &tables, Lines(42_440));
    assert_eq!(record["status"], "warned");

    codes_keep_their_zeros(&scene);
    sums_are_cms_s(&scene);
    one_outpatient_row_is_in_quarantine_whole(&scene, &sample, &record);
    the_warehouse_has_every_beneficiary(&scene);

    let before = Contents::of(&scene);
    run(&scene, &sample, &tables, Lines(42_440));
    Contents::of(&scene).expect_same(&before, "a second run changes nothing");
    the_warehouse_has_every_beneficiary(&scene);
}

fn codes_keep_their_zeros(scene: &Scene) {
    for (table, condition) in [
        ("beneficiary", "sp_state_code = '05'"),
        ("beneficiary", "bene_county_cd = '020'"),
        ("outpatient", "icd9_dgns_cd_1 like '0%'"),
    ] {
        let rows = scene.value(&format!(
            "select count(*) from cleansed.{table} where {condition}"
        ));
        assert_ne!(rows, "0", "{table} where {condition}");
    }
    let codes = (1..=10).map(|number| format!("icd9_dgns_cd_{number}"));
    let any: Vec<String> = codes
        .chain(["admtng_icd9_dgns_cd".to_owned()])
        .chain((1..=6).map(|number| format!("icd9_prcdr_cd_{number}")))
        .map(|column| format!("{column} = '0416'"))
        .collect();
    for zone in ["raw", "cleansed"] {
        let query = format!(
            "select count(*) from {zone}.inpatient where {}",
            any.join(" or ")
        );
        assert_eq!(scene.value(&query), "1", "{zone}");
    }
}

fn sums_are_cms_s(scene: &Scene) {
    for (query, sum) in [
        ("sum(benres_ip) from cleansed.beneficiary", "316428.00"),
        ("sum(clm_pmt_amt) from cleansed.inpatient", "2463400.00"),
        ("sum(clm_utlztn_day_cnt) from cleansed.inpatient", "1462"),
        (
            "sum(qty_dspnsd_num) from cleansed.prescription_drug",
            "1153720.000",
        ),
        (
            "sum(tot_rx_cst_amt) from cleansed.prescription_drug",
            "1387400.00",
        ),
        (
            "sum(cast(clm_pmt_amt as decimal(12,2))) from raw.outpatient",
            "1100390.00",
        ),
        (
            "sum(drug_cost) from curated.beneficiary_costs",
            "1387400.00",
        ),
        ("sum(drug_events) from curated.beneficiary_costs", "22474"),
        ("count(distinct year) from cleansed.beneficiary", "3"),
    ] {
        assert_eq!(scene.value(&format!("select {query}")), sum, "{query}");
    }
}

fn one_outpatient_row_is_in_quarantine_whole(scene: &Scene, sample: &Path, record: &Value) {
    let rows = scene.sql("select * from cleansed.outpatient__quarantine");
    let [row] = rows.as_slice() else {
        panic!("not one row: {rows:?}");
    };
    assert_eq!(row["_weir_rule"], "code_shape");
    let message = row["_weir_message"].as_str().unwrap();
    assert!(
        message.contains(" is no ") && message.contains("_cd_"),
        "{message}"
    );
    assert_eq!(row["_weir_stage"], "stage 2 (plugin_check)");
    // The step reads a table, so the file is one of the table's.
    let file = row["_weir_file"].as_str().unwrap();
    assert!(
        file.contains("raw/outpatient/") && file.ends_with(".parquet"),
        "{file}"
    );
    assert_eq!(row["_weir_run"], record["run"]);
    let step = find(record, "cleanse-claims[outpatient]");
    let plugin = &step["plugins"].as_array().unwrap()[1];
    assert_eq!(plugin["plugin"], "claim_checks");
    assert_eq!(row["_weir_plugin"], "claim_checks");
    assert_eq!(row["_weir_plugin_version"], "0.1.0");
    assert_eq!(row["_weir_plugin_digest"], plugin["digest"]);
    assert_eq!(plugin["digest"].as_str().unwrap().len(), 64);

    let file = &csv::files(sample, "Outpatient_Claims")[0];
    let key = |row: &csv::Row| (row["clm_id"].clone(), row["segment"].clone());
    let wanted = (
        row["clm_id"].as_str().unwrap().to_owned(),
        row["segment"].as_str().unwrap().to_owned(),
    );
    let sent: Vec<csv::Row> = csv::rows(file)
        .into_iter()
        .filter(|row| key(row) == wanted)
        .collect();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].len(), 76);
    for (column, value) in &sent[0] {
        let kept = row.get(column).and_then(Value::as_str).unwrap_or_default();
        assert_eq!(kept, value, "{column}");
    }
    let columns = row.as_object().unwrap().keys();
    let own = columns.filter(|name| !name.starts_with("_weir_"));
    let filled = sent[0].values().filter(|value| !value.is_empty());
    assert_eq!(
        own.count(),
        filled.count(),
        "no column besides CMS's: {row:#}"
    );
}

fn the_warehouse_has_every_beneficiary(scene: &Scene) {
    let warehouse = scene.sqlite();
    for table in ["beneficiary_summary", "beneficiary_costs"] {
        let query = format!("select count(*) from {table}");
        let rows: i64 = warehouse.query_row(&query, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1_477, "{table}");
    }
    let state: String = warehouse
        .query_row(
            "select sp_state_code from beneficiary_summary where sp_state_code like '0%' limit 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(state.len(), 2);
}

#[test]
fn sample_a_is_accepted_whole() {
    let Some(sample) = built::real_data("cms_de_synpuf_bfd/test_a") else {
        return;
    };
    let rows = |part: &str| -> u64 {
        let files = csv::files(&sample, part);
        files.iter().map(|file| csv::rows(file).len() as u64).sum()
    };
    let scene = Scene::new();
    run(
        &scene,
        &sample,
        &[
            Rows("beneficiary", rows("Beneficiary"), 0),
            Rows("inpatient", rows("Inpatient"), 0),
            Rows("outpatient", rows("Outpatient"), 0),
            Rows("prescription_drug", rows("Prescription_Drug"), 0),
            Rows("carrier", rows("Carrier"), 0),
        ],
        Lines(563),
    );
}

/// Quoted headers, lines that end in LF, amounts without decimals, codes without leading zeros.
#[test]
fn another_dialect_is_read_and_its_codes_judged() {
    let Some(sample) = built::real_data("ohdsi_etl_cms/DE_0") else {
        return;
    };
    let scene = Scene::new();
    run(
        &scene,
        &sample,
        &[
            Rows("beneficiary", 6, 3),
            Rows("inpatient", 2, 1),
            Rows("outpatient", 2, 0),
            Rows("prescription_drug", 2, 0),
            Rows("carrier", 2, 0),
        ],
        Lines(4),
    );
    let rules = |table: &str| {
        scene.sql_csv(&format!(
            "select _weir_rule, count(*) as rows from cleansed.{table}__quarantine group by 1"
        ))
    };
    assert_eq!(rules("beneficiary"), ["_weir_rule,rows", "code_shape,3"]);
    assert_eq!(rules("inpatient"), ["_weir_rule,rows", "npi_shape,1"]);
}

#[test]
fn the_cause_of_exit_code_3_is_said() {
    let Some(sample) = built::real_data("ohdsi_etl_cms/DE_0") else {
        return;
    };
    let scene = Scene::new();
    let ended: Ended = scene.run_synpuf(&sample);
    ended
        .expect_code(3)
        .says(&["4 rows in quarantine", "weir show "]);
}
