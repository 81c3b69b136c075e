//! The files of the billing system: their layout, and that a row has the fault that the manifest counts and no other, by
//! rules that are written here a second time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test reports"
)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use weir_generate::billing::{self, Delivery, Dirt, Fault, Manifest, Options, Table};

type Row = Vec<String>;

fn fields(line: &str) -> Row {
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

/// Header and rows of a file.
fn read(dir: &Path, name: &str) -> (String, Vec<Row>) {
    let text = fs::read_to_string(dir.join(name)).unwrap();
    let (header, rows) = text.split_once("\r\n").unwrap();
    let rows: Vec<Row> = rows.lines().map(fields).collect();
    let columns = header.split(',').count();
    assert!(rows.iter().all(|row| row.len() == columns), "{name}");
    (header.to_owned(), rows)
}

fn generated(options: &Options) -> (tempfile::TempDir, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    let manifest = billing::generate(dir.path(), options).unwrap();
    (dir, manifest)
}

fn dirty(delivery: Delivery) -> Options {
    Options {
        seed: 9,
        dirt: Dirt::everywhere(0.02),
        delivery,
        ..Options::for_facts(5_000)
    }
}

/// An amount in cents; none where it is no amount.
fn cents(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return Some(0);
    }
    let (minus, text) = match text.strip_prefix('(').map(|rest| rest.strip_suffix(')')) {
        Some(rest) => (true, rest?),
        None => (text.starts_with('-'), text.trim_start_matches('-')),
    };
    let text = text.strip_prefix('$').unwrap_or(text);
    let (whole, part) = text.split_once('.')?;
    let groups: Vec<&str> = whole.split(',').collect();
    if part.len() != 2 || groups.iter().skip(1).any(|group| group.len() != 3) {
        return None;
    }
    let amount: i64 = format!("{}{part}", groups.concat()).parse().ok()?;
    Some(if minus { -amount } else { amount })
}

#[test]
fn names_headers_and_sizes_are_the_published_ones() {
    let (dir, manifest) = generated(&Options::for_facts(84_219));
    let files: Vec<(&str, u64)> = manifest
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.rows))
        .collect();
    assert_eq!(
        files,
        [
            ("FactTable.csv", 84_219),
            ("Dimpatient.csv", 5_117),
            ("DimPhyscian.csv", 932),
            ("Dimtrancstion.csv", 955),
            ("DimPayer.csv", 4),
            ("DimLocation.csv", 11),
            ("dimDate.csv", 224),
            ("dimCptCode.csv", 1_256),
            ("dimDiagnosisCode.csv", 4_801),
        ]
    );
    for (name, rows) in files {
        assert_eq!(read(dir.path(), name).1.len() as u64, rows, "{name}");
    }
    let header = |name| read(dir.path(), name).0;
    assert_eq!(
        header("FactTable.csv"),
        "FactTablePK,dimPatientPK,dimPhysicianPK,dimDatePostPK,dimDateServicePK,dimCPTCodePK,dimPayerPK,dimTransactionPK,dimLocationPK,PatientNumber,dimDiagnosisCodePK,CPTUnits,GrossCharge,Payment,Adjustment,AR"
    );
    assert_eq!(
        header("Dimpatient.csv"),
        "dimPatientPK,PatientNumber,FirstName,LastName,Email,PatientGender,PatientAge,City,State"
    );
    assert_eq!(
        header("dimDate.csv"),
        "dimDatePostPK,Date,Year,Month,MonthPeriod,MonthYear,Day,DayName"
    );
    assert_eq!(manifest.loaded(Table::Fact), 84_219);
    assert!(manifest.quarantined.is_empty() && manifest.warned.is_empty());
    let days = read(dir.path(), "dimDate.csv").1;
    assert_eq!(
        days[64],
        [
            "20230331",
            "03/31/2023",
            "2023",
            "March",
            "202303",
            "Mar-2023",
            "31",
            "Friday"
        ]
    );
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let [(one, first), (two, second)] = [(), ()].map(|()| generated(&dirty(Delivery::Second)));
    assert_eq!(first, second);
    for file in &first.files {
        let read = |dir: &tempfile::TempDir| fs::read(dir.path().join(&file.name)).unwrap();
        assert_eq!(read(&one), read(&two), "{}", file.name);
    }
    let (other, _) = generated(&Options {
        seed: 10,
        ..dirty(Delivery::Second)
    });
    let facts = |dir: &tempfile::TempDir| fs::read(dir.path().join("FactTable.csv")).unwrap();
    assert_ne!(facts(&one), facts(&other));
}

/// The facts that are sound by rules of this test are those that the manifest says are loaded, to the cent.
#[test]
fn a_fact_has_one_fault_or_none() {
    let options = dirty(Delivery::First);
    let (dir, manifest) = generated(&options);
    let keys: HashMap<Table, HashSet<String>> = Table::ALL
        .into_iter()
        .filter(|table| *table != Table::Fact)
        .map(|table| {
            let (_, rows) = read(dir.path(), &format!("{}.csv", table.file()));
            (table, rows.into_iter().map(|row| row[0].clone()).collect())
        })
        .collect();
    let (_, rows) = read(dir.path(), "FactTable.csv");
    let mut uses: HashMap<&str, u64> = HashMap::new();
    for row in &rows {
        *uses.entry(&row[0]).or_default() += 1;
    }
    let dates = &keys[&Table::Date];
    let mut found: BTreeMap<Fault, u64> = BTreeMap::new();
    let (mut sums, mut reversals, mut loaded) = ([0; 4], 0, 0);
    for row in &rows {
        let money: Vec<Option<i64>> = row[12..].iter().map(|amount| cents(amount)).collect();
        let sum: Option<i64> = money[..3].iter().copied().sum();
        let is_key = row[0]
            .parse()
            .is_ok_and(|key: i64| key.to_string() == row[0]);
        let a_date =
            |key: &String| key.len() == 8 && key.starts_with("20230") || dates.contains(key);
        let strange = |table: Table, column: usize| !keys[&table].contains(&row[column]);
        let faults: Vec<Fault> = [
            (Fault::MissingKey, row[0].is_empty()),
            (Fault::BadKey, !row[0].is_empty() && !is_key),
            (Fault::RepeatedKey, is_key && uses[row[0].as_str()] > 1),
            (Fault::BadAmount, money.contains(&None)),
            (
                Fault::BadDate,
                !row[3..5].iter().all(a_date) || row[3..5].iter().any(|key| key == "20230230"),
            ),
            (Fault::BadNumber, row[11].parse::<u64>().is_err()),
            (
                Fault::Unbalanced,
                sum.is_some() && money[3].is_some() && sum != money[3],
            ),
            (
                Fault::PositivePayment,
                money[1] > Some(0) && money[0] >= Some(0),
            ),
            (Fault::NoPayer, row[6].is_empty()),
            (Fault::LatePatient, strange(Table::Patient, 1)),
            (
                Fault::Orphan,
                strange(Table::Physician, 2)
                    || strange(Table::Location, 8)
                    || strange(Table::DiagnosisCode, 10),
            ),
        ]
        .into_iter()
        .filter_map(|(fault, found)| found.then_some(fault))
        .collect();
        assert!(faults.len() <= 1, "{row:?} has {faults:?}");
        assert!(!strange(Table::CptCode, 5) && !strange(Table::Transaction, 7));
        match faults.first() {
            Some(fault) => *found.entry(*fault).or_default() += 1,
            None => {
                loaded += 1;
                reversals += u64::from(money[0] < Some(0));
                for (sum, cents) in sums.iter_mut().zip(&money) {
                    *sum += cents.unwrap();
                }
            }
        }
    }
    assert_eq!(found, manifest.files[0].faults);
    let each: Vec<u64> = found.values().copied().collect();
    assert_eq!(each, [100; 11], "each at its rate");
    assert_eq!(loaded, manifest.loaded(Table::Fact));
    assert_eq!(sums, manifest.cents);
    assert_eq!(reversals, manifest.reversals);
    assert!(reversals > 0);
}

/// What is written anew differs in what it says it does, and in nothing else.
#[test]
fn the_second_delivery_changes_what_it_says() {
    let (first, before) = generated(&dirty(Delivery::First));
    let (second, after) = generated(&dirty(Delivery::Second));
    let [old, new] = [&first, &second].map(|dir| read(dir.path(), "FactTable.csv").1);
    let changed: Vec<usize> = (0..old.len())
        .filter(|row| old[*row] != new[*row])
        .collect();
    let bad = |row: &Row| row[12..].iter().any(|amount| cents(amount).is_none());
    let (mended, paid): (Vec<usize>, Vec<usize>) = changed.iter().partition(|row| bad(&old[**row]));
    assert_eq!(mended.len(), 100);
    assert!(mended.iter().all(|row| !bad(&new[*row])));
    assert!(!paid.is_empty());
    for row in paid {
        assert_eq!(row % 50, 7);
        assert_eq!(cents(&new[row][15]), Some(0), "paid in full");
        assert_eq!(old[row][..13], new[row][..13]);
    }
    let [old, new] = [&first, &second].map(|dir| read(dir.path(), "Dimpatient.csv").1);
    assert_eq!(new.len(), old.len() + (old.len() / 50).max(1));
    for (old, new) in old.iter().zip(&new) {
        assert_eq!(old[..7], new[..7]);
    }
    assert_eq!(read(second.path(), "DimPayer.csv").1.len(), 5);
    let late = (
        "cleansed.fact_table".to_owned(),
        "references(dim_patient_pk)".to_owned(),
    );
    assert_eq!(before.quarantined[&late], 100);
    assert!(!after.quarantined.contains_key(&late));
}

#[test]
fn what_cannot_be_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let told = |options: Options| {
        billing::generate(dir.path(), &options)
            .unwrap_err()
            .to_string()
    };
    let options = Options::for_facts(100);
    assert!(
        told(Options {
            dirt: Dirt::everywhere(1.5),
            ..options.clone()
        })
        .contains("not from 0 to 1")
    );
    assert!(
        told(Options {
            dirt: Dirt::everywhere(0.3),
            ..options.clone()
        })
        .contains("too much dirt")
    );
    assert!(
        told(Options {
            payers: 0,
            ..options
        })
        .contains("each file needs a row")
    );
}
