//! The CSV files of a billing system: `FactTable` and eight dimensions, under the names and with the columns that the
//! files have, misspelt ones too, and a second delivery.
//!
//! Keys are whole numbers, those of dates `20230102`; dates are `01/02/2023`; payments and adjustments are negative; a
//! negative charge is a reversal, which takes payment and adjustment back; AR is the sum of the three. Amounts are
//! written as different programs do: plain, with a dollar sign and commas, in parentheses, blank for none. [`Dirt`] adds
//! faults in exact numbers, one to a row. Rows of dimensions that are kept aside are named by no fact, so that each
//! fact has the fault that it was given and no other.
//!
//! - [`Options`], [`generate`]: what to write, and where.
//! - [`Delivery`]: the nine files, or what comes on the day after.
//! - [`Table`]: the kinds of file and their columns.
//! - [`Dirt`], [`Fault`]: what can be wrong, and how often.
//! - [`Manifest`]: what a pipeline must find.

mod dirt;
mod manifest;
mod rows;
mod tables;

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

pub use dirt::{Dirt, Fault};
pub use manifest::{FileManifest, Manifest, Reason};
pub use tables::Table;

use crate::csv::CsvFile;
use rows::World;

/// Which files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// All nine.
    First,
    /// `FactTable.csv` once more, with the amounts that were none mended and every fiftieth sound fact paid in full;
    /// `FactTable_2.csv` with new facts, a twentieth; `Dimpatient.csv` once more, with new patients, a fiftieth, and
    /// every hundredth sound one moved to another city; `DimPayer.csv` once more, with a new payer.
    Second,
}

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Rows of `FactTable`.
    pub facts: u64,
    /// Rows of `Dimpatient`.
    pub patients: u64,
    /// Rows of `DimPhyscian`.
    pub physicians: u64,
    /// Rows of `Dimtrancstion`.
    pub transactions: u64,
    /// Rows of `DimPayer`.
    pub payers: u64,
    /// Rows of `DimLocation`.
    pub locations: u64,
    /// Rows of `dimDate`.
    pub dates: u64,
    /// Rows of `dimCptCode`.
    pub cpt_codes: u64,
    /// Rows of `dimDiagnosisCode`.
    pub diagnosis_codes: u64,
    /// Same options, same bytes; another seed, other bytes.
    pub seed: u64,
    /// The faults to add.
    pub dirt: Dirt,
    /// Which files to write.
    pub delivery: Delivery,
}

impl Options {
    /// The first delivery, clean, in the proportions of the real files, for so many facts.
    pub fn for_facts(facts: u64) -> Self {
        let share = |of: u64| of * facts / 84_219;
        Self {
            facts,
            patients: share(5_117).max(40),
            physicians: share(932).max(40),
            transactions: share(955).clamp(40, 955),
            payers: 4,
            locations: 11,
            dates: 224,
            cpt_codes: share(1_256).clamp(40, 1_256),
            diagnosis_codes: share(4_801).clamp(40, 4_801),
            seed: 1,
            dirt: Dirt::default(),
            delivery: Delivery::First,
        }
    }

    /// Rows of a file of the first delivery.
    pub fn rows(&self, table: Table) -> u64 {
        match table {
            Table::Fact => self.facts,
            Table::Patient => self.patients,
            Table::Physician => self.physicians,
            Table::Transaction => self.transactions,
            Table::Payer => self.payers,
            Table::Location => self.locations,
            Table::Date => self.dates,
            Table::CptCode => self.cpt_codes,
            Table::DiagnosisCode => self.diagnosis_codes,
        }
    }

    fn later_facts(&self) -> u64 {
        (self.facts / 20).max(1)
    }

    fn later_patients(&self) -> u64 {
        (self.patients / 50).max(1)
    }

    /// The files of the delivery, by the ending of their names, each with its rows.
    fn files(&self) -> Vec<(Table, &'static str, Range<u64>)> {
        let all = self.facts + self.later_facts();
        match self.delivery {
            Delivery::First => Table::ALL
                .map(|table| (table, "", 0..self.rows(table)))
                .to_vec(),
            Delivery::Second => vec![
                (Table::Fact, "", 0..self.facts),
                (Table::Fact, "_2", self.facts..all),
                (Table::Patient, "", 0..self.patients + self.later_patients()),
                (Table::Payer, "", 0..self.payers + 1),
            ],
        }
    }
}

/// Writes the files of the delivery, and `manifest.json` with them, into `dir`, which is created if it is missing. Files
/// of the same names are replaced, others are left alone.
///
/// # Errors
///
/// `InvalidInput` where a rate of [`Dirt`] is not from 0 to 1, where rows have no room for their faults, and where a file
/// would have no row; otherwise what the file system says.
pub fn generate(dir: &Path, options: &Options) -> io::Result<Manifest> {
    let world = World::of(options)?;
    let delivery = options.delivery;
    fs::create_dir_all(dir)?;
    let mut manifest = Manifest {
        seed: options.seed,
        ..Manifest::default()
    };
    for (table, ending, rows) in options.files() {
        let mut of_file = FileManifest {
            name: format!("{}{ending}.csv", table.file()),
            table,
            rows: rows.end - rows.start,
            faults: Default::default(),
        };
        let path = dir.join(&of_file.name);
        let mut file = CsvFile::create(&path, &table.columns(), true, false)?;
        for number in rows {
            world.write(&mut file, table, number, delivery)?;
            if let Some(flaw) = world.flaw(table, number, delivery) {
                *of_file.faults.entry(flaw.fault).or_default() += 1;
            }
        }
        file.finish()?;
        manifest.files.push(of_file);
    }
    foretell(&world, options, &mut manifest);
    fs::write(dir.join("manifest.json"), manifest.to_json())?;
    Ok(manifest)
}

/// What there is once the delivery, and those before it, have been loaded.
fn foretell(world: &World, options: &Options, manifest: &mut Manifest) {
    let delivery = options.delivery;
    for table in Table::ALL {
        let more = match (delivery, table) {
            (Delivery::First, _) => 0,
            (Delivery::Second, Table::Fact) => options.later_facts(),
            (Delivery::Second, Table::Patient) => options.later_patients(),
            (Delivery::Second, Table::Payer) => 1,
            (Delivery::Second, _) => 0,
        };
        for number in 0..options.rows(table) + more {
            let fault = world.flaw(table, number, delivery).map(|flaw| flaw.fault);
            if let Some(fault) = fault {
                let reason = (
                    format!("{}.{}", fault.zone(), table.name()),
                    world.rule(table, number, fault),
                );
                if fault.rejects() {
                    *manifest.quarantined.entry(reason).or_default() += 1;
                    continue;
                }
                if options.files().iter().any(|(of, ..)| *of == table) {
                    *manifest.warned.entry(reason).or_default() += 1;
                }
            }
            *manifest.loaded.entry(table).or_default() += 1;
            if table == Table::Fact {
                let money = world.money(number, delivery);
                let amounts = [money.charge, money.payment, money.adjustment, money.ar];
                for (sum, cents) in manifest.cents.iter_mut().zip(amounts) {
                    *sum += cents;
                }
                manifest.reversals += u64::from(money.charge < 0);
            }
        }
    }
}
