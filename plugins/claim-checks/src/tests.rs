use std::sync::Arc;

use weir_plugin::arrow::array::{Date32Array, Decimal128Array, StringArray};
use weir_plugin::testing::{Harness, Outcome};

use super::*;
use synpuf::tests::real_data;

/// The transform whose output is judged here. A component crate cannot be depended on, so its
/// source is taken in; natively its export line makes nothing.
#[path = "../../synpuf/src/lib.rs"]
mod synpuf;

fn check(table: &str, batch: RecordBatch) -> Result<Outcome, Error> {
    Harness::new(format!(r#"{{ "table": "{table}" }}"#)).check::<ClaimChecks>(&[batch])
}

/// Cleansed rows with nulls everywhere but in the columns given.
fn cleansed(table: Table, rows: usize, values: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (name, demand) in demands_of(table) {
        let names = demand
            .other_column()
            .map(str::to_owned)
            .into_iter()
            .chain([name]);
        for name in names {
            let given = values
                .iter()
                .find(|(column, _)| *column == name)
                .map(|(_, values)| values.clone());
            columns.push((
                name,
                given.unwrap_or_else(|| match demand {
                    Demand::NotBefore(_) => Arc::new(Date32Array::new_null(rows)) as ArrayRef,
                    Demand::Amount => amounts(vec![None; rows]),
                    _ => Arc::new(StringArray::new_null(rows)),
                }),
            ));
        }
    }
    RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

fn dates(days: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Date32Array::from(days))
}

fn amounts(cents: Vec<Option<i128>>) -> ArrayRef {
    Arc::new(
        Decimal128Array::from(cents)
            .with_precision_and_scale(12, 2)
            .unwrap(),
    )
}

fn codes(codes: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(StringArray::from(codes))
}

#[test]
fn dates_out_of_order_fail_and_null_passes() {
    let batch = cleansed(
        Table::Inpatient,
        4,
        vec![
            (
                "clm_from_dt",
                dates(vec![Some(10), Some(10), Some(10), None]),
            ),
            ("clm_thru_dt", dates(vec![Some(9), Some(10), None, Some(9)])),
            ("clm_admsn_dt", dates(vec![Some(10), Some(11), None, None])),
            (
                "nch_bene_dschrg_dt",
                dates(vec![Some(10), Some(10), Some(1), None]),
            ),
        ],
    );
    let outcome = check("inpatient", batch).unwrap();
    assert_eq!(outcome.rejected("date_order"), [0, 1]);
    assert_eq!(
        outcome.rejections[0].message,
        "clm_thru_dt is before clm_from_dt"
    );
    assert_eq!(
        outcome.rejections[1].message,
        "nch_bene_dschrg_dt is before clm_admsn_dt"
    );
}

#[test]
fn codes_and_npis_of_a_wrong_shape_fail() {
    let batch = cleansed(
        Table::Outpatient,
        3,
        vec![
            (
                "hcpcs_cd_36",
                codes(vec![Some("0851"), Some("99213"), None]),
            ),
            (
                "icd9_dgns_cd_10",
                codes(vec![Some("OTHER"), Some("1"), Some("V4501")]),
            ),
            (
                "at_physn_npi",
                codes(vec![None, Some("0139083564"), Some("426619309")]),
            ),
        ],
    );
    let outcome = check("outpatient", batch).unwrap();
    assert_eq!(outcome.rejected("code_shape"), [0, 1]);
    assert_eq!(outcome.rejected("npi_shape"), [2]);
    assert_eq!(outcome.rejections.len(), 3);
}

#[test]
fn negative_amounts_are_counted_and_too_large_ones_fail() {
    let batch = cleansed(
        Table::PrescriptionDrug,
        4,
        vec![
            (
                "ptnt_pay_amt",
                amounts(vec![Some(-1), Some(0), None, Some(MOST_CENTS)]),
            ),
            (
                "tot_rx_cst_amt",
                amounts(vec![Some(-500), Some(MOST_CENTS + 1), None, None]),
            ),
        ],
    );
    let outcome = check("prescription_drug", batch).unwrap();
    assert_eq!(outcome.rejected("amount_range"), [1]);
    assert_eq!(outcome.rejections.len(), 1);
    assert_eq!(outcome.metric("negative_amounts"), 2.0);
}

#[test]
fn columns_that_do_not_fit_are_named() {
    let error = check("beneficiary", cleansed(Table::PrescriptionDrug, 0, vec![])).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("data: the input lacks bene_death_dt, sp_state_code, "),
        "{error}"
    );

    let raw = cleansed(
        Table::Beneficiary,
        1,
        vec![("bene_birth_dt", codes(vec![Some("19201001")]))],
    );
    let error = check("beneficiary", raw).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("data: column `bene_birth_dt` is Utf8, not as"),
        "{error}"
    );
}

/// What the rules find in real files. Each is a fault that is really there: a revenue code among
/// the HCPCS codes; and, in a sample whose makers stripped zeros, a state and an NPI cut short.
const KNOWN: [&str; 5] = [
    "test_b/2008_to_2010_Outpatient_Claims_Sample_TestB.csv row 610: code_shape (hcpcs_cd_36 is no HCPCS code)",
    "DE_0/2008_Beneficiary_Summary_File_Sample_0.csv row 1: code_shape (sp_state_code is no SSA state code)",
    "DE_0/2008_to_2010_Inpatient_Claims_Sample_0.csv row 1: npi_shape (at_physn_npi is no NPI)",
    "DE_0/2009_Beneficiary_Summary_File_Sample_0.csv row 1: code_shape (sp_state_code is no SSA state code)",
    "DE_0/2010_Beneficiary_Summary_File_Sample_0.csv row 1: code_shape (sp_state_code is no SSA state code)",
];

#[test]
fn real_data_breaks_only_the_known_rules() {
    let mut broken = Vec::new();
    let mut negative = Vec::new();
    for sample in real_data::SAMPLES {
        let Some(files) = real_data::files(sample) else {
            return;
        };
        for (name, table, raw) in files {
            let outcome = check(table, real_data::cleansed(table, &raw)).unwrap();
            let (sample, file) = (
                sample.rsplit('/').next().unwrap(),
                name.trim_start_matches("DE1_0_"),
            );
            for fault in &outcome.rejections {
                broken.push(format!(
                    "{sample}/{file} row {}: {} ({})",
                    fault.row, fault.rule, fault.message
                ));
            }
            if outcome.metric("negative_amounts") > 0.0 {
                negative.push((sample, table, outcome.metric("negative_amounts")));
            }
        }
    }
    assert_eq!(broken, KNOWN);
    assert_eq!(negative, [("test_b", "outpatient", 7.0)]);
}
