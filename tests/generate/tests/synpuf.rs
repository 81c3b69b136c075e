//! Reads the generated files back and judges them by rules written here a second time: sound rows
//! pass them all, faulty rows fail the one that the manifest counts.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test reports"
)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use weir_generate::synpuf::{self, Dirt, Fault, Options, Table};

/// CMS's headers, as they stand in its files.
const BENEFICIARY: &str = "\
DESYNPUF_ID,BENE_BIRTH_DT,BENE_DEATH_DT,BENE_SEX_IDENT_CD,BENE_RACE_CD,BENE_ESRD_IND,\
SP_STATE_CODE,BENE_COUNTY_CD,BENE_HI_CVRAGE_TOT_MONS,BENE_SMI_CVRAGE_TOT_MONS,\
BENE_HMO_CVRAGE_TOT_MONS,PLAN_CVRG_MOS_NUM,SP_ALZHDMTA,SP_CHF,SP_CHRNKIDN,SP_CNCR,\
SP_COPD,SP_DEPRESSN,SP_DIABETES,SP_ISCHMCHT,SP_OSTEOPRS,SP_RA_OA,SP_STRKETIA,\
MEDREIMB_IP,BENRES_IP,PPPYMT_IP,MEDREIMB_OP,BENRES_OP,PPPYMT_OP,MEDREIMB_CAR,\
BENRES_CAR,PPPYMT_CAR";

const INPATIENT: &str = "\
DESYNPUF_ID,CLM_ID,SEGMENT,CLM_FROM_DT,CLM_THRU_DT,PRVDR_NUM,CLM_PMT_AMT,\
NCH_PRMRY_PYR_CLM_PD_AMT,AT_PHYSN_NPI,OP_PHYSN_NPI,OT_PHYSN_NPI,CLM_ADMSN_DT,\
ADMTNG_ICD9_DGNS_CD,CLM_PASS_THRU_PER_DIEM_AMT,NCH_BENE_IP_DDCTBL_AMT,\
NCH_BENE_PTA_COINSRNC_LBLTY_AM,NCH_BENE_BLOOD_DDCTBL_LBLTY_AM,CLM_UTLZTN_DAY_CNT,\
NCH_BENE_DSCHRG_DT,CLM_DRG_CD,ICD9_DGNS_CD_1,ICD9_DGNS_CD_2,ICD9_DGNS_CD_3,\
ICD9_DGNS_CD_4,ICD9_DGNS_CD_5,ICD9_DGNS_CD_6,ICD9_DGNS_CD_7,ICD9_DGNS_CD_8,\
ICD9_DGNS_CD_9,ICD9_DGNS_CD_10,ICD9_PRCDR_CD_1,ICD9_PRCDR_CD_2,ICD9_PRCDR_CD_3,\
ICD9_PRCDR_CD_4,ICD9_PRCDR_CD_5,ICD9_PRCDR_CD_6,HCPCS_CD_1,HCPCS_CD_2,HCPCS_CD_3,\
HCPCS_CD_4,HCPCS_CD_5,HCPCS_CD_6,HCPCS_CD_7,HCPCS_CD_8,HCPCS_CD_9,HCPCS_CD_10,\
HCPCS_CD_11,HCPCS_CD_12,HCPCS_CD_13,HCPCS_CD_14,HCPCS_CD_15,HCPCS_CD_16,HCPCS_CD_17,\
HCPCS_CD_18,HCPCS_CD_19,HCPCS_CD_20,HCPCS_CD_21,HCPCS_CD_22,HCPCS_CD_23,HCPCS_CD_24,\
HCPCS_CD_25,HCPCS_CD_26,HCPCS_CD_27,HCPCS_CD_28,HCPCS_CD_29,HCPCS_CD_30,HCPCS_CD_31,\
HCPCS_CD_32,HCPCS_CD_33,HCPCS_CD_34,HCPCS_CD_35,HCPCS_CD_36,HCPCS_CD_37,HCPCS_CD_38,\
HCPCS_CD_39,HCPCS_CD_40,HCPCS_CD_41,HCPCS_CD_42,HCPCS_CD_43,HCPCS_CD_44,HCPCS_CD_45";

const OUTPATIENT: &str = "\
DESYNPUF_ID,CLM_ID,SEGMENT,CLM_FROM_DT,CLM_THRU_DT,PRVDR_NUM,CLM_PMT_AMT,\
NCH_PRMRY_PYR_CLM_PD_AMT,AT_PHYSN_NPI,OP_PHYSN_NPI,OT_PHYSN_NPI,\
NCH_BENE_BLOOD_DDCTBL_LBLTY_AM,ICD9_DGNS_CD_1,ICD9_DGNS_CD_2,ICD9_DGNS_CD_3,\
ICD9_DGNS_CD_4,ICD9_DGNS_CD_5,ICD9_DGNS_CD_6,ICD9_DGNS_CD_7,ICD9_DGNS_CD_8,\
ICD9_DGNS_CD_9,ICD9_DGNS_CD_10,ICD9_PRCDR_CD_1,ICD9_PRCDR_CD_2,ICD9_PRCDR_CD_3,\
ICD9_PRCDR_CD_4,ICD9_PRCDR_CD_5,ICD9_PRCDR_CD_6,NCH_BENE_PTB_DDCTBL_AMT,\
NCH_BENE_PTB_COINSRNC_AMT,ADMTNG_ICD9_DGNS_CD,HCPCS_CD_1,HCPCS_CD_2,HCPCS_CD_3,\
HCPCS_CD_4,HCPCS_CD_5,HCPCS_CD_6,HCPCS_CD_7,HCPCS_CD_8,HCPCS_CD_9,HCPCS_CD_10,\
HCPCS_CD_11,HCPCS_CD_12,HCPCS_CD_13,HCPCS_CD_14,HCPCS_CD_15,HCPCS_CD_16,HCPCS_CD_17,\
HCPCS_CD_18,HCPCS_CD_19,HCPCS_CD_20,HCPCS_CD_21,HCPCS_CD_22,HCPCS_CD_23,HCPCS_CD_24,\
HCPCS_CD_25,HCPCS_CD_26,HCPCS_CD_27,HCPCS_CD_28,HCPCS_CD_29,HCPCS_CD_30,HCPCS_CD_31,\
HCPCS_CD_32,HCPCS_CD_33,HCPCS_CD_34,HCPCS_CD_35,HCPCS_CD_36,HCPCS_CD_37,HCPCS_CD_38,\
HCPCS_CD_39,HCPCS_CD_40,HCPCS_CD_41,HCPCS_CD_42,HCPCS_CD_43,HCPCS_CD_44,HCPCS_CD_45";

const DRUG_EVENTS: &str = "\
DESYNPUF_ID,PDE_ID,SRVC_DT,PROD_SRVC_ID,QTY_DSPNSD_NUM,DAYS_SUPLY_NUM,PTNT_PAY_AMT,\
TOT_RX_CST_AMT";

/// What a Carrier claim says of each of its thirteen lines.
const CARRIER_LINE: [&str; 10] = [
    "PRF_PHYSN_NPI",
    "TAX_NUM",
    "HCPCS_CD",
    "LINE_NCH_PMT_AMT",
    "LINE_BENE_PTB_DDCTBL_AMT",
    "LINE_BENE_PRMRY_PYR_PD_AMT",
    "LINE_COINSRNC_AMT",
    "LINE_ALOWD_CHRG_AMT",
    "LINE_PRCSG_IND_CD",
    "LINE_ICD9_DGNS_CD",
];

fn carrier() -> String {
    let mut columns = "DESYNPUF_ID,CLM_ID,CLM_FROM_DT,CLM_THRU_DT".to_owned();
    for number in 1..=8 {
        columns.push_str(&format!(",ICD9_DGNS_CD_{number}"));
    }
    for column in CARRIER_LINE {
        (1..=13).for_each(|line| columns.push_str(&format!(",{column}_{line}")));
    }
    columns
}

type Row = HashMap<String, String>;

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(letter),
        }
    }
    fields.push(field);
    fields
}

fn rows(path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(fields);
    let header = lines.next().unwrap();
    lines
        .map(|row| {
            assert_eq!(row.len(), header.len(), "{}", path.display());
            header.iter().cloned().zip(row).collect()
        })
        .collect()
}

fn is_date(text: &str) -> bool {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let (year, month, day): (u32, usize, u32) = (
        text[..4].parse().unwrap(),
        text[4..6].parse().unwrap(),
        text[6..].parse().unwrap(),
    );
    let february =
        if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) {
            29
        } else {
            28
        };
    let days = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    (1..=12).contains(&month) && (1..=days[month - 1]).contains(&day)
}

fn is_amount(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.strip_prefix('-').unwrap_or(text).split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => false,
    }
}

/// Letters and digits only, and as many of them.
fn is_code(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The faults of a row that can be seen without any other row.
fn faults_of(row: &Row) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (column, value) in row.iter().filter(|(_, value)| !value.is_empty()) {
        let column = column.as_str();
        let fault = if column.ends_with("_DT") {
            (!is_date(value)).then_some(Fault::BadDate)
        } else if column.contains("_AMT")
            || column.ends_with("_AM")
            || ["MEDREIMB", "BENRES", "PPPYMT"]
                .iter()
                .any(|kind| column.starts_with(kind))
        {
            (!is_amount(value)).then_some(Fault::BadAmount)
        } else if column.ends_with("_CNT")
            || column.ends_with("_MONS")
            || column == "DAYS_SUPLY_NUM"
        {
            value.parse::<i16>().is_err().then_some(Fault::BadCount)
        } else if column.contains("ICD9") {
            (!is_code(value, 3..=5)).then_some(Fault::BadCode)
        } else if column.starts_with("HCPCS") {
            (!is_code(value, 5..=5)).then_some(Fault::BadCode)
        } else if column == "SP_STATE_CODE" {
            let state = value.parse::<u32>().unwrap_or(0);
            (value.len() != 2 || !(1..=54).contains(&state)).then_some(Fault::BadCode)
        } else if column == "BENE_COUNTY_CD" {
            (value.len() != 3 || value.parse::<u32>().is_err()).then_some(Fault::BadCode)
        } else if column.starts_with("TAX_NUM") {
            (value.len() != 9 || value.parse::<u64>().is_err()).then_some(Fault::BadTaxNumber)
        } else if column.contains("_NPI") {
            (value.len() != 10 || value.parse::<u64>().is_err()).then_some(Fault::BadNpi)
        } else if column == "BENE_ESRD_IND" {
            (!["0", "Y"].contains(&value.as_str())).then_some(Fault::BadFlag)
        } else if column.starts_with("SP_") {
            (!["1", "2"].contains(&value.as_str())).then_some(Fault::BadFlag)
        } else {
            None
        };
        faults.extend(fault);
    }
    let date = |column: &str| row.get(column).filter(|value| is_date(value));
    for (earlier, later) in [
        ("CLM_FROM_DT", "CLM_THRU_DT"),
        ("BENE_BIRTH_DT", "BENE_DEATH_DT"),
    ] {
        if let (Some(earlier), Some(later)) = (date(earlier), date(later))
            && earlier > later
        {
            faults.push(Fault::DateOrder);
        }
    }
    faults
}

/// Judges the files of a folder; the result says how many rows of each file have each fault. No
/// row may have two.
fn judge(dir: &Path, names: &[String]) -> BTreeMap<String, BTreeMap<Fault, u64>> {
    let mut people = HashSet::new();
    for name in names.iter().filter(|name| name.contains("Beneficiary")) {
        for row in rows(&dir.join(name)) {
            if faults_of(&row).is_empty() {
                people.insert(row["DESYNPUF_ID"].clone());
            }
        }
    }
    let mut judged = BTreeMap::new();
    for name in names {
        let rows = rows(&dir.join(name));
        let key = |row: &Row| match (row.get("PDE_ID"), row.get("CLM_ID")) {
            (Some(id), _) => id.clone(),
            (_, Some(id)) => {
                format!("{id} {}", row.get("SEGMENT").map_or("", String::as_str))
            }
            _ => row["DESYNPUF_ID"].clone(),
        };
        let mut uses = HashMap::new();
        for row in &rows {
            *uses.entry(key(row)).or_insert(0) += 1;
        }
        let counts: &mut BTreeMap<Fault, u64> = judged.entry(name.clone()).or_default();
        for row in &rows {
            let mut faults = faults_of(row);
            if uses[&key(row)] > 1 {
                faults.push(Fault::DuplicateKey);
            }
            let is_claim = row.contains_key("CLM_ID") || row.contains_key("PDE_ID");
            if is_claim && !people.contains(&row["DESYNPUF_ID"]) {
                faults.push(Fault::OrphanClaim);
            }
            assert!(faults.len() < 2, "{faults:?} in {row:?}");
            for fault in faults {
                *counts.entry(fault).or_default() += 1;
            }
        }
    }
    judged
}

fn names(manifest: &synpuf::Manifest) -> Vec<String> {
    manifest
        .files
        .iter()
        .map(|file| file.name.clone())
        .collect()
}

fn options(dirt: Dirt) -> Options {
    Options {
        seed: 42,
        dirt,
        carrier: 4_000,
        ..Options::for_beneficiaries(1_000)
    }
}

#[test]
fn headers_are_those_of_cms() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = synpuf::generate(dir.path(), &Options::for_beneficiaries(3)).unwrap();
    assert_eq!(
        names(&manifest),
        [
            "DE1_0_2008_Beneficiary_Summary_File_Sample_1.csv",
            "DE1_0_2009_Beneficiary_Summary_File_Sample_1.csv",
            "DE1_0_2010_Beneficiary_Summary_File_Sample_1.csv",
            "DE1_0_2008_to_2010_Inpatient_Claims_Sample_1.csv",
            "DE1_0_2008_to_2010_Outpatient_Claims_Sample_1.csv",
            "DE1_0_2008_to_2010_Prescription_Drug_Events_Sample_1.csv",
            "DE1_0_2008_to_2010_Carrier_Claims_Sample_1A.csv",
            "DE1_0_2008_to_2010_Carrier_Claims_Sample_1B.csv",
        ]
    );
    let carrier = carrier();
    for file in &manifest.files {
        let expected = match file.table {
            Table::Beneficiary => BENEFICIARY,
            Table::Inpatient => INPATIENT,
            Table::Outpatient => OUTPATIENT,
            Table::DrugEvents => DRUG_EVENTS,
            Table::Carrier => &carrier,
        };
        let text = fs::read_to_string(dir.path().join(&file.name)).unwrap();
        assert_eq!(text.split("\r\n").next().unwrap(), expected);
    }
}

#[test]
fn real_files_have_the_same_headers_and_pass_the_same_rules() {
    let Some(real) = std::env::var_os("WEIR_REAL_DATA") else {
        eprintln!("skipped: WEIR_REAL_DATA is not set");
        return;
    };
    let dir = Path::new(&real).join("cms_de_synpuf_bfd/test_b");
    let carrier = carrier();
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let header = match &name {
            name if name.contains("Beneficiary") => BENEFICIARY,
            name if name.contains("Inpatient") => INPATIENT,
            name if name.contains("Outpatient") => OUTPATIENT,
            name if name.contains("Prescription") => DRUG_EVENTS,
            name if name.contains("Carrier") => &carrier,
            _ => continue,
        };
        let text = fs::read_to_string(dir.join(&name)).unwrap();
        assert_eq!(text.lines().next().unwrap(), header);
        names.push(name);
    }
    assert_eq!(names.len(), 10);
    let judged = judge(&dir, &names);
    let faults: u64 = judged.values().flat_map(BTreeMap::values).sum();
    // One outpatient row has a HCPCS code of four digits.
    assert_eq!(faults, 1, "{judged:?}");
}

#[test]
fn clean_files_pass_every_rule_and_show_every_peculiarity() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = synpuf::generate(dir.path(), &options(Dirt::default())).unwrap();
    for (name, faults) in judge(dir.path(), &names(&manifest)) {
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
    let [first, second, third] =
        [0, 1, 2].map(|year| rows(&dir.path().join(&manifest.files[year].name)));
    assert!(first.len() == 1_000 && first.len() > second.len() && second.len() > third.len());
    let ids: HashSet<&String> = first.iter().map(|row| &row["DESYNPUF_ID"]).collect();
    assert_eq!(ids.len(), first.len());
    assert!(
        second
            .iter()
            .chain(&third)
            .all(|row| ids.contains(&row["DESYNPUF_ID"]))
    );
    let has = |rows: &[Row], column: &str, value: &str| rows.iter().any(|row| row[column] == value);
    assert!(has(&first, "SP_STATE_CODE", "05") && has(&first, "SP_STATE_CODE", "54"));
    assert!(has(&first, "BENE_COUNTY_CD", "020") && has(&first, "PLAN_CVRG_MOS_NUM", "00"));
    assert!(has(&first, "BENE_ESRD_IND", "0") && has(&first, "BENE_ESRD_IND", "Y"));

    let [inpatient, outpatient, drugs] =
        [3, 4, 5].map(|file| rows(&dir.path().join(&manifest.files[file].name)));
    assert_eq!(
        [inpatient.len(), outpatient.len(), drugs.len()],
        [500, 3_000, 25_000]
    );
    assert!(
        inpatient
            .iter()
            .all(|row| (1..=45).all(|n| row[&format!("HCPCS_CD_{n}")].is_empty()))
    );
    assert!(has(&outpatient, "ICD9_DGNS_CD_1", "0416"));
    assert!(has(&outpatient, "ICD9_DGNS_CD_1", "OTHER"));
    assert!(has(&outpatient, "ICD9_DGNS_CD_1", "XX000"));

    let count = |rows: &[Row], test: &dyn Fn(&Row) -> bool| {
        rows.iter().filter(|row| test(row)).count() as u64
    };
    let second_segments = count(&outpatient, &|row| row["SEGMENT"] == "2");
    assert!((40..90).contains(&second_segments), "{second_segments}");
    let without_dates = count(&outpatient, &|row| {
        row["SEGMENT"] == "2" && row["CLM_FROM_DT"].is_empty() && row["CLM_THRU_DT"].is_empty()
    });
    assert_eq!(second_segments, without_dates);
    let shapes = |file: usize| manifest.files[file].shapes;
    assert_eq!(shapes(4).without_dates, second_segments);
    let negative = count(&outpatient, &|row| row["CLM_PMT_AMT"].starts_with('-'));
    assert!(negative > 0);
    assert_eq!(shapes(4).negative_amount, negative);
    let negative = count(&first, &|row| {
        row.values().any(|value| value.starts_with('-'))
    });
    assert!(negative > 0);
    assert_eq!(shapes(0).negative_amount, negative);
    let zero = count(&drugs, &|row| row["QTY_DSPNSD_NUM"] == "0.000");
    assert!(zero > 0);
    assert_eq!(shapes(5).zero_quantity, zero);

    let claims = [6, 7].map(|file| rows(&dir.path().join(&manifest.files[file].name)));
    assert_eq!(claims.each_ref().map(Vec::len), [2_000, 2_000]);
    for (file, claims) in [6, 7].into_iter().zip(&claims) {
        let (lines, cents) = lines_of(claims);
        assert_eq!(manifest.files[file].cleansed, lines);
        assert_eq!(manifest.files[file].accepted_cents, cents);
        assert!((3_600..4_400).contains(&lines), "about CMS's: {lines}");
        assert!(has(claims, "LINE_NCH_PMT_AMT_13", "0.00"));
        assert!(has(claims, "HCPCS_CD_1", "") && has(claims, "LINE_ICD9_DGNS_CD_1", "0416"));
    }
}

/// The lines that say anything, and what was paid for them, in cents.
fn lines_of(claims: &[Row]) -> (u64, i64) {
    let (mut lines, mut cents) = (0, 0);
    for claim in claims {
        for line in 1..=13 {
            let says = |column: &str| claim[&format!("{column}_{line}")].as_str();
            if CARRIER_LINE
                .iter()
                .any(|column| !["", "0.00"].contains(&says(column)))
            {
                lines += 1;
                cents += says("LINE_NCH_PMT_AMT")
                    .replace('.', "")
                    .parse::<i64>()
                    .unwrap();
            }
        }
    }
    (lines, cents)
}

#[test]
fn samples_have_nothing_in_common() {
    let ids = |sample: u64| {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            sample,
            ..options(Dirt::default())
        };
        let manifest = synpuf::generate(dir.path(), &options).unwrap();
        let name = format!("DE1_0_2008_to_2010_Carrier_Claims_Sample_{sample}B.csv");
        assert_eq!(manifest.files[7].name, name);
        let mut ids = HashSet::new();
        for name in names(&manifest) {
            for row in rows(&dir.path().join(name)) {
                ids.insert(row["DESYNPUF_ID"].clone());
                ids.extend(
                    ["CLM_ID", "PDE_ID"]
                        .iter()
                        .filter_map(|key| row.get(*key).cloned()),
                );
            }
        }
        ids
    };
    assert!(ids(1).is_disjoint(&ids(2)));
}

#[test]
fn faults_are_in_exactly_as_many_rows_as_the_manifest_says() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = synpuf::generate(dir.path(), &options(Dirt::everywhere(0.013))).unwrap();
    let judged = judge(dir.path(), &names(&manifest));
    for file in &manifest.files {
        assert_eq!(judged[&file.name], file.faults, "{}", file.name);
        for fault in Fault::ALL
            .into_iter()
            .filter(|fault| fault.occurs_in(file.table))
        {
            let mut expected = (0.013 * file.rows as f64).round() as u64;
            if fault == Fault::DuplicateKey {
                expected -= expected % 2;
            }
            assert_eq!(
                file.faults[&fault],
                expected,
                "{} {}",
                file.name,
                fault.name()
            );
        }
    }
    assert_eq!(manifest.rows(Table::DrugEvents), 25_000);
    assert_eq!(manifest.rejected(Table::DrugEvents), 3 * 325);
    assert_eq!(manifest.accepted(Table::DrugEvents), 25_000 - 3 * 325);

    let events = rows(&dir.path().join(&manifest.files[5].name));
    let cents: i64 = events
        .iter()
        .filter(|row| faults_of(row).is_empty())
        .map(|row| {
            row["TOT_RX_CST_AMT"]
                .replace('.', "")
                .parse::<i64>()
                .unwrap()
        })
        .sum();
    assert_eq!(manifest.accepted_cents(Table::DrugEvents), cents);

    // Of a duplicated key both rows are out, and an orphan stays.
    let claims = rows(&dir.path().join(&manifest.files[6].name));
    let mut uses = HashMap::new();
    for row in &claims {
        *uses.entry(&row["CLM_ID"]).or_insert(0) += 1;
    }
    let sound = claims
        .iter()
        .filter(|row| faults_of(row).is_empty() && uses[&row["CLM_ID"]] == 1);
    let sound: Vec<Row> = sound.cloned().collect();
    assert_eq!(
        lines_of(&sound),
        (manifest.files[6].cleansed, manifest.files[6].accepted_cents)
    );
}

#[test]
fn rows_without_a_fault_are_as_they_were_without_dirt() {
    let [clean, dirty] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    synpuf::generate(clean.path(), &options(Dirt::default())).unwrap();
    let manifest = synpuf::generate(dirty.path(), &options(Dirt::everywhere(0.02))).unwrap();
    for file in &manifest.files {
        let [before, after] =
            [&clean, &dirty].map(|dir| fs::read_to_string(dir.path().join(&file.name)).unwrap());
        let changed = before
            .lines()
            .zip(after.lines())
            .filter(|(before, after)| before != after);
        // The first row of a duplicated key is as it was.
        let unchanged = file.faults.get(&Fault::DuplicateKey).unwrap_or(&0) / 2;
        let faults: u64 = file.faults.values().sum();
        assert_eq!(changed.count() as u64, faults - unchanged, "{}", file.name);
        assert_eq!(before.lines().count(), after.lines().count());
    }
}

#[test]
fn same_seed_same_bytes() {
    let bytes = |options: &Options| {
        let dir = tempfile::tempdir().unwrap();
        let manifest = synpuf::generate(dir.path(), options).unwrap();
        let mut names = names(&manifest);
        names.push("manifest.json".to_owned());
        names
            .iter()
            .map(|name| fs::read(dir.path().join(name)).unwrap())
            .collect::<Vec<_>>()
    };
    let options = options(Dirt::everywhere(0.01));
    let first = bytes(&options);
    assert_eq!(first, bytes(&options));
    let other = bytes(&Options {
        seed: 43,
        ..options
    });
    for (first, other) in first.iter().zip(&other) {
        assert_ne!(first, other);
    }
}

#[test]
fn line_ends_and_header_quotes_are_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::for_beneficiaries(10);
    let manifest = synpuf::generate(dir.path(), &options).unwrap();
    let read = || fs::read_to_string(dir.path().join(&manifest.files[5].name)).unwrap();
    let cms = read();
    assert_eq!(cms.matches('\n').count(), cms.matches("\r\n").count());
    assert!(cms.starts_with("DESYNPUF_ID,PDE_ID,"));
    options.crlf = false;
    options.quoted_header = true;
    synpuf::generate(dir.path(), &options).unwrap();
    assert!(read().starts_with("\"DESYNPUF_ID\",\"PDE_ID\","));
    assert_eq!(read().replace('"', ""), cms.replace('\r', ""));
}

#[test]
fn impossible_options_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refuse = |options: Options| {
        synpuf::generate(dir.path(), &options)
            .unwrap_err()
            .to_string()
    };
    assert!(
        refuse(Options {
            beneficiaries: 0,
            ..options(Dirt::default())
        })
        .contains("at least one")
    );
    assert!(
        refuse(options(Dirt {
            bad_date: 1.5,
            ..Dirt::default()
        }))
        .contains("from 0 to 1")
    );
    assert!(refuse(options(Dirt::everywhere(0.2))).contains("too much dirt"));
}

#[test]
fn empty_tables_have_a_header_only() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = synpuf::generate(dir.path(), &Options::for_beneficiaries(0)).unwrap();
    assert!(manifest.files.iter().all(|file| file.rows == 0));
    let text = fs::read_to_string(dir.path().join(&manifest.files[0].name)).unwrap();
    assert_eq!(text.lines().count(), 1);
}
