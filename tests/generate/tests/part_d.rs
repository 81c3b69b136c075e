//! Reads the generated tables back and judges their rows by rules written here a second time: sound
//! rows pass them all, faulty rows fail the one that the manifest counts.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test reports"
)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use weir_generate::part_d::{self, Dirt, Fault, Options, Table};

/// CMS's header, as it stands in its file.
const PRESCRIBER_DRUG: &str = "\
Prscrbr_NPI,Prscrbr_Last_Org_Name,Prscrbr_First_Name,Prscrbr_City,Prscrbr_State_Abrvtn,\
Prscrbr_State_FIPS,Prscrbr_Type,Prscrbr_Type_Src,Brnd_Name,Gnrc_Name,Tot_Clms,Tot_30day_Fills,\
Tot_Day_Suply,Tot_Drug_Cst,Tot_Benes,GE65_Sprsn_Flag,GE65_Tot_Clms,GE65_Tot_30day_Fills,\
GE65_Tot_Drug_Cst,GE65_Tot_Day_Suply,GE65_Bene_Sprsn_Flag,GE65_Tot_Benes";

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

fn rows(dir: &Path, table: Table) -> Vec<Row> {
    let text = fs::read_to_string(dir.join(format!("{}.csv", table.name()))).unwrap();
    let mut lines = text.lines().map(fields);
    let header = lines.next().unwrap();
    lines
        .map(|row| {
            assert_eq!(row.len(), header.len());
            header.iter().cloned().zip(row).collect()
        })
        .collect()
}

fn is_npi(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text.chars().map(|letter| letter.to_digit(10)).collect();
    digits.is_some_and(|digits| {
        let all: Vec<u32> = [8, 0, 8, 4, 0].into_iter().chain(digits).collect();
        let from_the_end = all.iter().rev().enumerate();
        let sum: u32 = from_the_end
            .map(|(place, digit)| match place % 2 {
                1 => digit * 2 / 10 + digit * 2 % 10,
                _ => *digit,
            })
            .sum();
        all.len() == 15 && sum.is_multiple_of(10)
    })
}

fn faults_of(row: &Row) -> Vec<Fault> {
    let blank = |names: &[&str]| names.iter().all(|name| row[*name].is_empty());
    let number = |name: &str| row[name].parse::<f64>().unwrap();
    let counts = [
        "GE65_Tot_Clms",
        "GE65_Tot_30day_Fills",
        "GE65_Tot_Drug_Cst",
        "GE65_Tot_Day_Suply",
    ];
    let flags = [
        (row["GE65_Sprsn_Flag"].as_str(), blank(&counts)),
        (
            row["GE65_Bene_Sprsn_Flag"].as_str(),
            blank(&["GE65_Tot_Benes"]),
        ),
    ];
    let few = |least: f64| !row["Tot_Clms"].is_empty() && number("Tot_Clms") < least;
    let fills = number("Tot_30day_Fills");
    let found = [
        (!is_npi(&row["Prscrbr_NPI"]), Fault::BadNpi),
        (
            ["ZZ", "AE", "XX", "al"].contains(&row["Prscrbr_State_Abrvtn"].as_str()),
            Fault::UnknownState,
        ),
        (few(11.0), Fault::FewClaims),
        (row["Tot_Clms"].is_empty(), Fault::MissingClaims),
        (
            !row["Tot_Clms"].is_empty() && fills < number("Tot_Clms"),
            Fault::FewFills,
        ),
        (number("Tot_Drug_Cst") < 0.0, Fault::NegativeCost),
        (
            flags.iter().any(|(flag, _)| !["", "*", "#"].contains(flag)),
            Fault::BadFlag,
        ),
        (
            flags.iter().any(|(flag, blank)| !flag.is_empty() && !blank),
            Fault::Unsuppressed,
        ),
        (row["Prscrbr_Type"].is_empty(), Fault::MissingSpecialty),
        (row["Brnd_Name"].is_empty(), Fault::MissingBrand),
        (
            row["Brnd_Name"].starts_with("Unlisted"),
            Fault::UnlistedDrug,
        ),
    ];
    let found = found.into_iter().filter(|(is_there, _)| *is_there);
    found.map(|(_, fault)| fault).collect()
}

#[test]
fn every_fault_is_where_the_manifest_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        seed: 9,
        dirt: Dirt::everywhere(0.004),
        ..Options::for_rows(10_000)
    };
    let manifest = part_d::generate(dir.path(), &options).unwrap();
    let text = fs::read_to_string(dir.path().join("prescriber_drug.csv")).unwrap();
    assert_eq!(text.lines().next(), Some(PRESCRIBER_DRUG));

    let mut found: BTreeMap<Fault, u64> = BTreeMap::new();
    let mut keys: HashMap<String, u64> = HashMap::new();
    let rows = rows(dir.path(), Table::PrescriberDrug);
    let key = |row: &Row| {
        ["Prscrbr_NPI", "Brnd_Name", "Gnrc_Name"]
            .map(|name| &*row[name])
            .join("|")
    };
    for row in &rows {
        let faults = faults_of(row);
        assert!(faults.len() < 2, "{faults:?}: {row:?}");
        if let Some(fault) = faults.first() {
            *found.entry(*fault).or_default() += 1;
        } else {
            *keys.entry(key(row)).or_default() += 1;
        }
    }
    let repeated: u64 = keys.values().filter(|rows| **rows > 1).sum();
    found.insert(Fault::RepeatedKey, repeated);
    // What a city's row says needs the other table, and is looked at in the pipeline's test.
    let mut counted = manifest.table(Table::PrescriberDrug).faults.clone();
    assert_eq!(counted.remove(&Fault::CityState), Some(40));
    assert_eq!(found, counted);
    assert!(counted.values().all(|rows| *rows == 40), "{counted:?}");
    assert!(text.contains(",\"\",") && text.contains("Núñez") && text.contains(",Hum.Rec.Anlog\""));
}

#[test]
fn clean_tables_have_no_fault_and_the_same_bytes_again() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = Options::for_rows(5_000);
    let manifest = part_d::generate(one.path(), &options).unwrap();
    part_d::generate(two.path(), &options).unwrap();
    for table in Table::ALL {
        let name = format!("{}.csv", table.name());
        let bytes = |dir: &Path| fs::read(dir.join(&name)).unwrap();
        assert_eq!(bytes(one.path()), bytes(two.path()), "{name}");
        assert_eq!(manifest.table(table).faults, BTreeMap::new());
    }
    let rows = rows(one.path(), Table::PrescriberDrug);
    assert!(rows.iter().all(|row| faults_of(row).is_empty()));
    let pairs: HashSet<_> = rows
        .iter()
        .map(|row| (&row["Brnd_Name"], &row["Gnrc_Name"]))
        .collect();
    assert_eq!(pairs.len() as u64, manifest.drugs);
}

#[test]
fn parts_are_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        dirt: Dirt::everywhere(0.002),
        ..Options::for_rows(3_000)
    };
    let whole = part_d::generate(&dir.path().join("whole"), &options).unwrap();
    let mut last = None;
    let mut rows_of_parts = Vec::new();
    for part in 0..3 {
        let folder = dir.path().join(part.to_string());
        let options = Options {
            part: (part, 3),
            ..options.clone()
        };
        last = Some(part_d::generate(&folder, &options).unwrap());
        rows_of_parts.extend(rows(&folder, Table::PrescriberDrug));
    }
    assert_eq!(last, Some(whole));
    assert_eq!(
        rows_of_parts,
        rows(&dir.path().join("whole"), Table::PrescriberDrug)
    );
}
