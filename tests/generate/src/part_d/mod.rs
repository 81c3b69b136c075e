//! The tables of Medicare Part D prescribers: cities by state, drugs by geography, prescribers, and
//! what each of them prescribed. As CSV files in CMS's layout, or straight into PostgreSQL.
//!
//! Column names, their order and their peculiarities are those of CMS's files: counts below 11 left
//! blank, `*` and `#` where counts for patients of 65 and more are suppressed, generics with commas,
//! `""` beside null, names beyond ASCII. No person, city or drug is. About one prescriber in twenty
//! has rows in `prescriber_drug` and none in `prescriber`, so that joins lose what they lose in the
//! real tables. [`Dirt`] adds faults in exact numbers, one to a row.
//!
//! Rows are functions of the seed and their number, so a source can grow: [`Options::part`] writes
//! the next rows of the same tables, as a later load would.
//!
//! - [`Options`], [`generate`], [`fill_postgres`]: what to write, and where.
//! - [`Table`]: the tables and their columns.
//! - [`Dirt`], [`Fault`]: what can be wrong, and how often.
//! - [`Manifest`]: what the source holds then.

mod dirt;
mod manifest;
mod postgres;
mod rows;
mod tables;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

pub use dirt::{Dirt, Fault};
pub use manifest::{Manifest, TableManifest};
pub use postgres::fill as fill_postgres;
pub use tables::Table;

use crate::csv::CsvFile;
use rows::Source;

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Rows of `state`.
    pub cities: u64,
    /// Pairs of a brand and a drug.
    pub pairs: u64,
    /// Rows of `drug`, at least two for each pair.
    pub drugs: u64,
    /// Rows of `prescriber`.
    pub prescribers: u64,
    /// Rows of `prescriber_drug`.
    pub prescriber_drugs: u64,
    /// Prescribers that `prescriber_drug` has and `prescriber` has not, of 1,000.
    pub strangers: u64,
    /// Same options, same bytes; another seed, other bytes.
    pub seed: u64,
    /// The faults to add.
    pub dirt: Dirt,
    /// Which part of how many, from 0: rows of `prescriber` and `prescriber_drug` are written part
    /// by part, the other tables with the first.
    pub part: (u64, u64),
}

impl Options {
    /// Clean tables in the proportions of the real ones, for so many rows of `prescriber_drug`.
    pub fn for_rows(rows: u64) -> Self {
        let share = |of: u64| of * rows / 25_209_729;
        let pairs = share(3_117 * 200).clamp(60, 3_117);
        Self {
            cities: share(28_338 * 50).clamp(520, 28_338),
            pairs,
            drugs: pairs * 115_410 / 3_117,
            prescribers: share(1_255_175).max(10),
            prescriber_drugs: rows,
            strangers: 48,
            seed: 1,
            dirt: Dirt::default(),
            part: (0, 1),
        }
    }
}

/// Writes a CSV file for each table into `dir`, which is created if it is missing, and with them
/// `schema.sql`, `load.sql` (for `psql`, in that folder) and `manifest.json`.
///
/// # Errors
///
/// `InvalidInput` where the options do not fit each other, where a rate of [`Dirt`] is not from 0
/// to 1 and where rows have no room for their faults; otherwise what the file system says.
pub fn generate(dir: &Path, options: &Options) -> io::Result<Manifest> {
    fs::create_dir_all(dir)?;
    let create: String = Table::ALL.into_iter().map(Table::create).collect();
    fs::write(dir.join("schema.sql"), create)?;
    let file_name = |table: Table| format!("{}.csv", table.name());
    let load = Table::ALL.map(|table| format!("\\{}\n", table.copy(&file_name(table))));
    fs::write(dir.join("load.sql"), load.concat())?;
    let manifest = write(options, |table| {
        Ok(Box::new(fs::File::create(dir.join(file_name(table)))?))
    })?;
    fs::write(dir.join("manifest.json"), manifest.to_json())?;
    Ok(manifest)
}

/// Writes each table to what `open` gives for it.
fn write(
    options: &Options,
    mut open: impl FnMut(Table) -> io::Result<Box<dyn Write>>,
) -> io::Result<Manifest> {
    let source = Source::of(options)?;
    let mut manifest = Manifest {
        seed: options.seed,
        ..Manifest::default()
    };
    let mut pairs = BTreeSet::new();
    for table in Table::ALL {
        let (begin, end) = source.part_of(table);
        let mut file = CsvFile::to(open(table)?, &table.columns(), false, false)?;
        let of_table = manifest.tables.entry(table).or_default();
        for number in 0..end {
            let fault = source.fault(table, number);
            of_table.rows += 1;
            if let Some(fault) = fault {
                *of_table.faults.entry(fault).or_default() += 1;
            }
            if number >= begin {
                source.write(&mut file, table, number)?;
            }
            if table == Table::PrescriberDrug && !fault.is_some_and(Fault::rejects) {
                let row = source.prescribed(number);
                manifest.cents += row.cents;
                manifest.joined += u64::from(source.joins(&row));
                if fault != Some(Fault::UnlistedDrug) {
                    pairs.insert(row.pair);
                }
            }
        }
        file.finish()?;
    }
    manifest.drugs = pairs.len() as u64;
    let brands: BTreeSet<u64> = pairs
        .iter()
        .map(|pair| source.brand_number(*pair))
        .collect();
    manifest.brands = brands.len() as u64;
    let antibiotics = pairs.iter().filter(|pair| source.is_antibiotic(**pair));
    manifest.antibiotics = antibiotics.count() as u64;
    Ok(manifest)
}
