//! CMS's own files, where `WEIR_REAL_DATA` names the folder that holds them. Nothing in them is
//! to be rejected.

use std::path::PathBuf;

use weir_plugin::arrow::array::StringArray;
use weir_plugin::arrow::datatypes::Decimal128Type;

use super::*;

/// The folders under `WEIR_REAL_DATA`, each a set of tables.
pub(crate) const SAMPLES: [&str; 3] = [
    "cms_de_synpuf_bfd/test_a",
    "cms_de_synpuf_bfd/test_b",
    "ohdsi_etl_cms/DE_0",
];

/// What a file name of CMS's says of its table.
const MARKS: [(&str, &str); 5] = [
    ("_Beneficiary_Summary_", "beneficiary"),
    ("_Inpatient_Claims_", "inpatient"),
    ("_Outpatient_Claims_", "outpatient"),
    ("_Prescription_Drug_Events_", "prescription_drug"),
    ("_Carrier_Claims_", "carrier"),
];

/// Most Carrier claims of a file that are looked at here: the harness runs each several times, and
/// whole files are for the whole-system tests.
const MOST_CLAIMS: usize = 1_000;

/// Every file of a sample: its name, its table, its rows as text. None, with a
/// note, where the sample is not there.
pub(crate) fn files(sample: &str) -> Option<Vec<(String, &'static str, RecordBatch)>> {
    let Some(root) = std::env::var_os("WEIR_REAL_DATA") else {
        eprintln!("skipped {sample}: WEIR_REAL_DATA is not set");
        return None;
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(PathBuf::from(root).join(sample))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let files = paths.into_iter().filter_map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (_, table) = MARKS.iter().find(|(mark, _)| name.contains(mark))?;
        let rows = read(&std::fs::read_to_string(path).unwrap());
        let most = match *table {
            "carrier" => rows.num_rows().min(MOST_CLAIMS),
            _ => rows.num_rows(),
        };
        Some((name, *table, rows.slice(0, most)))
    });
    Some(files.collect())
}

/// CMS quotes nothing but, in one dialect, the header; so lines split at commas.
fn read(text: &str) -> RecordBatch {
    let mut lines = text
        .lines()
        .map(|line| line.trim_end_matches('\r').split(','));
    let header: Vec<String> = lines
        .next()
        .unwrap()
        .map(|name| name.trim_matches('"').to_lowercase())
        .collect();
    let rows: Vec<Vec<&str>> = lines.map(Iterator::collect).collect();
    assert!(rows.iter().all(|row| row.len() == header.len()));
    RecordBatch::try_from_iter_with_nullable(header.iter().enumerate().map(|(column, name)| {
        let values: StringArray = rows
            .iter()
            .map(|row| Some(row[column]).filter(|value| !value.is_empty()))
            .collect();
        (name, Arc::new(values) as ArrayRef, true)
    }))
    .unwrap()
}

/// What the transform makes of a file, all of whose rows it accepts.
pub(crate) fn cleansed(table: &str, raw: &RecordBatch) -> RecordBatch {
    let outcome = harness(table)
        .transform::<Synpuf>(std::slice::from_ref(raw))
        .unwrap();
    assert_eq!(outcome.rejections, []);
    outcome.output("out").unwrap()
}

#[test]
fn nothing_real_is_rejected() {
    for sample in SAMPLES {
        for (name, table, batch) in files(sample).into_iter().flatten() {
            let typed = cleansed(table, &batch);
            if table == "carrier" {
                lines_are_those_of(&batch, &typed, &format!("{sample}/{name}"));
                continue;
            }
            assert_eq!(typed.num_rows(), batch.num_rows(), "{sample}/{name}");
            for (raw, (typed, field)) in batch
                .columns()
                .iter()
                .zip(typed.columns().iter().zip(typed.schema().fields()))
            {
                let filled = if field.name() == "clm_utlztn_day_cnt" {
                    raw.null_count()
                } else {
                    0
                };
                assert_eq!(
                    typed.null_count(),
                    raw.null_count() - filled,
                    "{sample}/{name}: {}",
                    field.name()
                );
                if field.data_type() == &DataType::Utf8 {
                    assert_eq!(typed, raw, "{sample}/{name}: codes change in nothing");
                }
            }
        }
    }
}

/// Each line that says anything is a row, and its codes are those of its claim's columns.
fn lines_are_those_of(claims: &RecordBatch, lines: &RecordBatch, name: &str) {
    let column = |rows: &RecordBatch, name: &str| -> StringArray {
        rows.column_by_name(name).unwrap().as_string().clone()
    };
    let of_claim = |name: String| column(claims, &name);
    let codes: Vec<(StringArray, Vec<StringArray>)> = CARRIER_LINE
        .iter()
        .filter(|(_, kind)| *kind != Kind::Amount)
        .map(|(name, _)| {
            let by_line = (1..=LINES).map(|line| of_claim(format!("{name}_{line}")));
            (column(lines, name), by_line.collect())
        })
        .collect();
    let ids = (column(lines, "clm_id"), column(claims, "clm_id"));
    let mut row = 0;
    for claim in 0..claims.num_rows() {
        for line in 0..LINES {
            // In these files whoever has an amount has a code.
            if codes
                .iter()
                .all(|(_, by_line)| by_line[line].is_null(claim))
            {
                continue;
            }
            assert_eq!(ids.0.value(row), ids.1.value(claim), "{name}");
            for (found, by_line) in &codes {
                let code = |codes: &StringArray, row: usize| {
                    codes.is_valid(row).then(|| codes.value(row).to_owned())
                };
                assert_eq!(
                    code(found, row),
                    code(&by_line[line], claim),
                    "{name}: line {line} of claim {claim}"
                );
            }
            row += 1;
        }
    }
    assert_eq!(row, lines.num_rows(), "{name}");
}

/// Figures that were computed from the files by other means (Python's `csv` and `decimal`).
#[test]
fn the_figures_of_sample_b_hold() {
    let Some(files) = files("cms_de_synpuf_bfd/test_b") else {
        return;
    };
    let figures = |wanted: &str, column: &str| -> (usize, i128) {
        let typed = files
            .iter()
            .filter(|(_, table, _)| *table == wanted)
            .map(|(_, _, raw)| cleansed(wanted, raw));
        typed.fold((0, 0), |(rows, sum), typed| {
            let column = typed.column_by_name(column).unwrap();
            let total: i128 = match column.data_type() {
                DataType::Int16 => column
                    .as_primitive::<Int16Type>()
                    .iter()
                    .flatten()
                    .map(i128::from)
                    .sum(),
                _ => column
                    .as_primitive::<Decimal128Type>()
                    .iter()
                    .flatten()
                    .sum(),
            };
            (rows + typed.num_rows(), sum + total)
        })
    };
    assert_eq!(figures("beneficiary", "benres_ip"), (1_477, 31_642_800));
    assert_eq!(figures("inpatient", "clm_pmt_amt"), (264, 246_340_000));
    assert_eq!(figures("inpatient", "clm_utlztn_day_cnt"), (264, 1_462));
    assert_eq!(figures("outpatient", "clm_pmt_amt"), (3_454, 110_039_000));
    assert_eq!(
        figures("prescription_drug", "qty_dspnsd_num"),
        (22_474, 1_153_720_000)
    );
    assert_eq!(
        figures("prescription_drug", "tot_rx_cst_amt"),
        (22_474, 138_740_000)
    );
}
