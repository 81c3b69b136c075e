//! The CSV files of CMS's DE-SynPUF (Data Entrepreneurs' Synthetic Public Use File): beneficiaries
//! of 2008, 2009 and 2010, inpatient, outpatient and Carrier claims, prescription drug events.
//!
//! Headers, file names, code shapes and peculiarities are CMS's: leading zeros, SSA state codes,
//! second segments without dates, pseudo-diagnoses, negative payments, nothing dispensed. No person
//! or row is. [`Dirt`] adds faults in exact numbers, one to a row; the other rows pass every check
//! of the synpuf pipeline.
//!
//! - [`Options`], [`generate`]: what to write, and writing it.
//! - [`Table`]: the tables and their columns.
//! - [`Dirt`], [`Fault`]: what can be wrong, and how often.
//! - [`Manifest`]: what was written.

mod beneficiary;
mod carrier;
mod claims;
mod columns;
mod dirt;
mod drug_events;
mod manifest;
mod people;
mod row;
mod values;

use std::fs;
use std::io;
use std::path::Path;

pub use columns::Table;
pub use dirt::{Dirt, Fault};
pub use manifest::{FileManifest, Manifest, Shapes};

use crate::csv::CsvFile;
use people::{Population, YEARS};

/// How many running numbers a sample has for each kind of claim.
const SAMPLE_NUMBERS: u64 = 100_000_000;

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Persons in the file of 2008; those who die are missing from the next year on.
    pub beneficiaries: u64,
    /// Rows of inpatient claims.
    pub inpatient: u64,
    /// Rows of outpatient claims, second segments included.
    pub outpatient: u64,
    /// Rows of drug events.
    pub drug_events: u64,
    /// Rows of Carrier claims, in both files together.
    pub carrier: u64,
    /// Which sample, from 1: it is in the files' names, and its persons and claims are no other's.
    pub sample: u64,
    /// Same options, same bytes; another seed, other bytes.
    pub seed: u64,
    /// Lines end in CR LF, as CMS's do, or in LF.
    pub crlf: bool,
    /// Whether the names in the header stand in quotes.
    pub quoted_header: bool,
    /// The faults to add.
    pub dirt: Dirt,
}

impl Options {
    /// Clean files of a sample 1 in about CMS's proportions: per 2 beneficiaries 1 inpatient claim, 6
    /// outpatient claims, 50 drug events and 40 Carrier claims.
    pub fn for_beneficiaries(beneficiaries: u64) -> Self {
        Self {
            beneficiaries,
            inpatient: beneficiaries / 2,
            outpatient: beneficiaries * 3,
            drug_events: beneficiaries * 25,
            carrier: beneficiaries * 20,
            sample: 1,
            seed: 1,
            crlf: true,
            quoted_header: false,
            dirt: Dirt::default(),
        }
    }

    /// What is added to the running numbers of claims: no two samples have one in common.
    fn first_number(&self) -> u64 {
        (self.sample.max(1) - 1) * SAMPLE_NUMBERS
    }

    fn population(&self) -> Population {
        Population {
            seed: self.seed,
            size: self.beneficiaries,
        }
    }

    fn create(&self, path: &Path, table: Table) -> io::Result<CsvFile> {
        CsvFile::create(path, &table.columns(), self.crlf, self.quoted_header)
    }
}

/// Writes the eight files, and `manifest.json` with them, into `dir`, which is created if it is
/// missing. Files of the same names are replaced, others are left alone.
///
/// # Errors
///
/// `InvalidInput` where there are rows but no beneficiaries to have them, where a rate of
/// [`Dirt`] is not from 0 to 1, and where a file has fewer rows than faults; otherwise what the
/// file system says.
pub fn generate(dir: &Path, options: &Options) -> io::Result<Manifest> {
    let rows = [
        options.inpatient,
        options.outpatient,
        options.drug_events,
        options.carrier,
    ];
    if options.beneficiaries == 0 && rows.into_iter().any(|rows| rows > 0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "claims and drug events need at least one beneficiary",
        ));
    }
    fs::create_dir_all(dir)?;
    let seed = options.seed;
    // Each sample has numbers of its own.
    let options = &Options {
        seed: seed ^ (options.sample.max(1) - 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        ..options.clone()
    };
    let mut files = Vec::new();
    for year in YEARS {
        files.push(beneficiary::write(dir, options, year)?);
    }
    files.push(claims::write(
        dir,
        options,
        Table::Inpatient,
        options.inpatient,
    )?);
    files.push(claims::write(
        dir,
        options,
        Table::Outpatient,
        options.outpatient,
    )?);
    files.push(drug_events::write(dir, options)?);
    for part in [0, 1] {
        files.push(carrier::write(dir, options, part)?);
    }
    let manifest = Manifest { seed, files };
    fs::write(dir.join("manifest.json"), manifest.to_json())?;
    Ok(manifest)
}
