//! Visit events of two sources, day by day: `{source}/{yyyymmdd}/visit_events.json`, an array with a record for each
//! patient, in the source's own words.
//!
//! The sources number patients and visits alike, so that what joins by these alone meets the wrong rows, and half of a
//! file of `source_a` are patients of the day before. [`Dirt`] adds faults in exact numbers, one to a record; the
//! other records pass every check of the visit-events pipeline. A record is a line, unless it is told otherwise by
//! whoever formats the files anew.
//!
//! - [`Options`], [`generate`]: what to write, and writing it.
//! - [`Source`]: the sources and their words.
//! - [`Dirt`], [`Fault`]: what can be wrong, and how often.
//! - [`Manifest`]: what was written.

mod dirt;
mod manifest;
mod record;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

pub use dirt::{Dirt, Fault};
pub use manifest::{FileManifest, Manifest, Rows};

use crate::calendar::Day;
use crate::random::Random;
use dirt::Flaws;
use record::Record;

const PLACES: u64 = 50;

/// The first day of every set of files, a leap year's 28 February.
const FIRST_DAY: (i64, i64, i64) = (2024, 2, 28);

/// Where files come from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// `source_a`, which says `drug`, `dose` and `author`.
    A,
    /// `source_b`, which says `drug_test`, `dose_test` and `author_test`.
    B,
}

impl Source {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The source's name, and that of its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "source_a",
            Self::B => "source_b",
        }
    }

    /// What the source puts behind some of its keys.
    fn suffix(self) -> &'static str {
        match self {
            Self::A => "",
            Self::B => "_test",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// How many of `patients` in a file were in the file of the day before.
    fn returning(self, patients: u64) -> u64 {
        match self {
            Self::A => patients / 2,
            Self::B => 0,
        }
    }
}

/// How much a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One visit with one diagnosis and two treatments for each patient, and nothing left out.
    Plain,
    /// None, one or several of each; lists empty, null or missing; names in other alphabets; spaces around texts.
    Varied,
}

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Records of each file.
    pub patients: u64,
    /// Days, each with a file of each source, from 2024-02-28 on.
    pub days: u64,
    /// How much a record says.
    pub shape: Shape,
    /// Same options, same bytes; another seed, other bytes.
    pub seed: u64,
    /// The faults to add.
    pub dirt: Dirt,
}

impl Options {
    /// Clean files of all shapes for two days.
    pub fn for_patients(patients: u64) -> Self {
        Self {
            patients,
            days: 2,
            shape: Shape::Varied,
            seed: 1,
            dirt: Dirt::default(),
        }
    }

    /// The smallest case: two sources, two days, two patients a file, and one visit of each.
    pub fn smallest() -> Self {
        Self {
            shape: Shape::Plain,
            ..Self::for_patients(2)
        }
    }
}

/// Writes the files, and `manifest.json` with them, into `dir`, which is created if it is missing. Files of the same
/// names are replaced, others are left alone.
///
/// # Errors
///
/// `InvalidInput` where a rate of [`Dirt`] is not from 0 to 1, and where a file has fewer records than faults;
/// otherwise what the file system says.
pub fn generate(dir: &Path, options: &Options) -> io::Result<Manifest> {
    let mut files = Vec::new();
    for source in Source::ALL {
        let returning = source.returning(options.patients);
        let fresh = options.patients - returning;
        // By number: whether the patient has been in a record that is accepted.
        let mut known = vec![false; (returning + fresh * options.days) as usize];
        for day in 0..options.days {
            files.push(write(dir, options, source, day, fresh, &mut known)?);
        }
    }
    let manifest = Manifest {
        seed: options.seed,
        files,
    };
    fs::create_dir_all(dir)?;
    fs::write(dir.join("manifest.json"), manifest.to_json())?;
    Ok(manifest)
}

/// Writes the file of a source's day.
fn write(
    dir: &Path,
    options: &Options,
    source: Source,
    nth_day: u64,
    fresh: u64,
    known: &mut [bool],
) -> io::Result<FileManifest> {
    let (year, month, first) = FIRST_DAY;
    let day = Day::of(year, month, first).plus(nth_day);
    let stream = (nth_day << 1) | u64::from(source == Source::B);
    let random = Random::of(options.seed, PLACES, stream);
    let flaws = Flaws::place(&options.dirt, options.patients, random)?;
    let folder = dir.join(source.name()).join(day.yyyymmdd().to_string());
    fs::create_dir_all(&folder)?;
    let mut file = BufWriter::new(File::create(folder.join("visit_events.json"))?);
    let mut rows = Rows::default();
    file.write_all(b"[")?;
    for number in 0..options.patients {
        let record = Record {
            source,
            seed: options.seed,
            stream,
            shape: options.shape,
            day,
            nth_day,
            number,
            patient: nth_day * fresh + number,
            first_patient: nth_day * fresh,
            flaw: flaws.of(number),
        };
        let (text, has) = record.write();
        file.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        file.write_all(text.as_bytes())?;
        if record.flaw.is_none() {
            rows.visits += has.visits;
            rows.diagnoses += has.diagnoses;
            rows.treatments += has.treatments;
            if let Some(known) = known.get_mut(record.patient as usize) {
                *known = true;
            }
        }
    }
    file.write_all(b"\n]\n")?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?;
    rows.patients = known.iter().filter(|known| **known).count() as u64;
    Ok(FileManifest {
        source,
        date: day.iso(),
        records: options.patients,
        faults: flaws.into_counts(),
        rows,
    })
}
