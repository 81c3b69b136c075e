use weir_plugin::arrow::array::{Date32Array, Decimal128Array, StringArray};
use weir_plugin::testing::{Balance, Harness, Outcome};

use super::columns::{CARRIER_LINE, LINES};
use super::*;

pub(crate) mod real_data;

const TABLES: [(&str, Table, usize); 5] = [
    ("beneficiary", Table::Beneficiary, 32),
    ("inpatient", Table::Inpatient, 81),
    ("outpatient", Table::Outpatient, 76),
    ("prescription_drug", Table::PrescriptionDrug, 8),
    ("carrier", Table::Carrier, 142),
];

fn harness(table: &str) -> Harness {
    Harness::new(format!(r#"{{ "table": "{table}" }}"#))
}

/// Raw rows of a table: null everywhere but where `values` says otherwise.
fn raw(table: Table, rows: usize, values: &[(&str, &[&str])]) -> RecordBatch {
    let columns = columns_of(table).into_iter().map(|(name, _)| {
        let given = values.iter().find(|(column, _)| *column == name);
        let column = match given {
            Some((_, values)) => StringArray::from(values.to_vec()),
            None => StringArray::new_null(rows),
        };
        (name, Arc::new(column) as ArrayRef, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn run(table: &str, batch: RecordBatch) -> Outcome {
    harness(table).transform::<Synpuf>(&[batch]).unwrap()
}

#[test]
fn every_table_has_cms_columns() {
    for (name, table, count) in TABLES {
        let columns = columns_of(table);
        assert_eq!(columns.len(), count, "{name}");
        let schema = raw(table, 0, &[]).schema();
        let outputs = harness(name).input(schema).bind::<Synpuf>().unwrap();
        if table == Table::Carrier {
            // Lines have columns of their own.
            assert_eq!(outputs[0].schema.fields().len(), 12 + 1 + 10);
            continue;
        }
        let typed: Vec<&str> = outputs[0]
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(
            typed,
            columns
                .iter()
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn schema_files_list_the_same_columns() {
    for (name, table, _) in TABLES {
        let path = format!(
            "{}/../../pipelines/synpuf/schemas/{name}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        let file = std::fs::read_to_string(path).unwrap();
        let (_, listed) = file.split_once("[columns]\n").unwrap();
        let expected: String = columns_of(table)
            .iter()
            .map(|(name, _)| format!("{name} = \"string\"\n"))
            .collect();
        assert_eq!(listed, expected, "{name}");
    }
}

#[test]
fn values_are_typed_and_codes_keep_their_zeros() {
    let outcome = run(
        "inpatient",
        raw(
            Table::Inpatient,
            2,
            &[
                ("clm_from_dt", &["20100312", " 20100313 "]),
                ("clm_pmt_amt", &["4000.00", "-260"]),
                ("icd9_dgns_cd_1", &["0416", " v4501 "]),
                ("at_physn_npi", &["0139083564", ""]),
                ("clm_utlztn_day_cnt", &["01", ""]),
                ("segment", &["1", "2"]),
            ],
        ),
    );
    assert_eq!(
        outcome.balance(),
        Balance {
            read: 2,
            accepted: 2,
            rejected: 0,
            dropped: 0
        }
    );
    let rows = outcome.output("out").unwrap();
    let column = |name: &str| rows.column_by_name(name).unwrap().clone();
    assert_eq!(
        column("clm_from_dt").as_primitive(),
        &Date32Array::from(vec![14_680, 14_681])
    );
    let amounts = Decimal128Array::from(vec![400_000, -26_000])
        .with_precision_and_scale(12, 2)
        .unwrap();
    assert_eq!(column("clm_pmt_amt").as_primitive(), &amounts);
    assert_eq!(
        column("icd9_dgns_cd_1").as_string(),
        &StringArray::from(vec!["0416", "V4501"])
    );
    assert_eq!(
        column("at_physn_npi").as_string(),
        &StringArray::from(vec![Some("0139083564"), None])
    );
    assert_eq!(
        column("clm_utlztn_day_cnt").as_primitive(),
        &Int16Array::from(vec![1, 0])
    );
    assert_eq!(column("clm_thru_dt").null_count(), 2);
}

#[test]
fn lines_that_say_anything_become_rows() {
    let outcome = run(
        "carrier",
        raw(
            Table::Carrier,
            4,
            &[
                ("clm_id", &["1", "2", "3", "4"]),
                (
                    "clm_from_dt",
                    &["20100312", "20100313", "20100314", "20100315"],
                ),
                ("icd9_dgns_cd_1", &["0416", "v4501", "", ""]),
                ("hcpcs_cd_1", &["99213", "", "", " "]),
                ("line_nch_pmt_amt_1", &["50.00", "0.00", "0", "0.00"]),
                ("line_alowd_chrg_amt_2", &["0.00", "-7.5", "0.00", ""]),
                ("line_icd9_dgns_cd_13", &["", "", "0389", ""]),
                (
                    "line_bene_ptb_ddctbl_amt_13",
                    &["0.00", "0.00", "0.00", "0.00"],
                ),
            ],
        ),
    );
    assert_eq!(
        outcome.balance(),
        Balance {
            read: 4,
            accepted: 3,
            rejected: 0,
            dropped: 1
        }
    );
    let rows = outcome.output("out").unwrap();
    let column = |name: &str| rows.column_by_name(name).unwrap().clone();
    assert_eq!(
        column("clm_id").as_string(),
        &StringArray::from(vec!["1", "2", "3"])
    );
    assert_eq!(
        column("line_num").as_primitive(),
        &Int16Array::from(vec![1, 2, 13])
    );
    assert_eq!(
        column("icd9_dgns_cd_1").as_string(),
        &StringArray::from(vec![Some("0416"), Some("V4501"), None])
    );
    assert_eq!(
        column("hcpcs_cd").as_string(),
        &StringArray::from(vec![Some("99213"), None, None])
    );
    let amounts = Decimal128Array::from(vec![None, Some(-750), None])
        .with_precision_and_scale(12, 2)
        .unwrap();
    assert_eq!(column("line_alowd_chrg_amt").as_primitive(), &amounts);
    assert_eq!(
        column("line_icd9_dgns_cd").as_string(),
        &StringArray::from(vec![None, None, Some("0389")])
    );
}

/// A claim is believed whole or not at all.
#[test]
fn a_line_that_does_not_parse_rejects_its_claim() {
    let outcome = run(
        "carrier",
        raw(
            Table::Carrier,
            3,
            &[
                ("clm_from_dt", &["20100312", "20100230", "20100314"]),
                ("hcpcs_cd_1", &["99213", "99214", "99215"]),
                ("hcpcs_cd_2", &["99213", "", "99215"]),
                ("line_nch_pmt_amt_1", &["ten", "0.00", "10.00"]),
                ("line_nch_pmt_amt_2", &["$1", "0.00", "20.00"]),
            ],
        ),
    );
    assert_eq!(outcome.rejected("bad_amount"), [0]);
    assert_eq!(outcome.rejected("bad_date"), [1]);
    assert_eq!(
        outcome.balance(),
        Balance {
            read: 3,
            accepted: 1,
            rejected: 2,
            dropped: 0
        }
    );
    assert_eq!(outcome.output("out").unwrap().num_rows(), 2);
}

#[test]
fn what_does_not_parse_rejects_the_row_without_its_value() {
    let outcome = run(
        "prescription_drug",
        raw(
            Table::PrescriptionDrug,
            4,
            &[
                ("srvc_dt", &["20080230", "20080229", "20080229", "20080229"]),
                ("qty_dspnsd_num", &["30.000", "30.0005", "0.000", "1"]),
                ("days_suply_num", &["x", "30", "40000", "30"]),
                ("ptnt_pay_amt", &["1.00", "1.00", "1.00", "0.50"]),
            ],
        ),
    );
    assert_eq!(outcome.rejected("bad_date"), [0]);
    assert_eq!(outcome.rejected("bad_count"), [0, 2]);
    assert_eq!(outcome.rejected("bad_amount"), [1]);
    assert_eq!(outcome.rejections[0].message, "srvc_dt is no date");
    assert_eq!(
        outcome.balance(),
        Balance {
            read: 4,
            accepted: 1,
            rejected: 3,
            dropped: 0
        }
    );
}

#[test]
fn columns_that_do_not_fit_are_named() {
    let whole = raw(Table::PrescriptionDrug, 0, &[]).schema();
    let bind = |schema: Schema| {
        harness("prescription_drug")
            .input(schema)
            .bind::<Synpuf>()
            .unwrap_err()
            .to_string()
    };

    let lacking = Schema::new(whole.fields()[2..].to_vec());
    assert!(
        bind(lacking).starts_with("data: the input lacks desynpuf_id, pde_id; it has srvc_dt, ")
    );

    let mut fields = whole.fields().to_vec();
    fields.push(Arc::new(Field::new("year", DataType::Utf8, true)));
    assert!(
        bind(Schema::new(fields))
            .starts_with("data: the table has no column year\nhint: leave it out")
    );

    let mut fields = whole.fields().to_vec();
    fields[2] = Arc::new(Field::new("srvc_dt", DataType::Date32, true));
    assert_eq!(
        bind(Schema::new(fields)),
        "data: column `srvc_dt` is Date32, not raw text"
    );
}

#[test]
fn a_table_unknown_to_cms_is_a_config_error() {
    let error = harness("hospice").bind::<Synpuf>().unwrap_err();
    assert!(
        matches!(&error, Error::Config(message) if message.contains("unknown variant `hospice`")),
        "{error}"
    );
}
