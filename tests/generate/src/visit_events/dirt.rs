//! Faults: how many, of which kind, in which records.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;

use crate::random::Random;

/// A kind of fault. A record has at most one, and the visit-events pipeline turns it away for exactly that one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// A record that is no JSON.
    BadJson,
    /// A text where the list of visits should be.
    BadValue,
    /// A key that no source has.
    NewKey,
    /// No `patient_id`: null, missing or blank.
    NoPatientId,
    /// No `visit_id`.
    NoVisitId,
    /// A date that is missing or none: `2024-02-30`, `02/28/2024`.
    BadDate,
    /// A visit after the day of the file.
    LaterDate,
    /// A diagnosis without a code.
    NoDiagnosisCode,
    /// A code of an impossible shape: `i10`, `E11.`.
    BadCode,
    /// A treatment without a drug.
    NoDrug,
    /// A record in the words of the other source.
    OtherWords,
    /// One of two records with the same `patient_id`. Both count.
    DuplicatePatient,
    /// One of two records with a visit of the same `visit_id`. Both count.
    DuplicateVisit,
    /// A visit that has a diagnosis twice.
    DuplicateDiagnosis,
}

impl Fault {
    /// Every kind, in the order in which faults are placed.
    pub const ALL: [Self; 14] = [
        Self::BadJson,
        Self::BadValue,
        Self::NewKey,
        Self::NoPatientId,
        Self::NoVisitId,
        Self::BadDate,
        Self::LaterDate,
        Self::NoDiagnosisCode,
        Self::BadCode,
        Self::NoDrug,
        Self::OtherWords,
        Self::DuplicatePatient,
        Self::DuplicateVisit,
        Self::DuplicateDiagnosis,
    ];

    /// The kind's name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadValue => "bad_value",
            Self::NewKey => "new_key",
            Self::NoPatientId => "no_patient_id",
            Self::NoVisitId => "no_visit_id",
            Self::BadDate => "bad_date",
            Self::LaterDate => "later_date",
            Self::NoDiagnosisCode => "no_diagnosis_code",
            Self::BadCode => "bad_code",
            Self::NoDrug => "no_drug",
            Self::OtherWords => "other_words",
            Self::DuplicatePatient => "duplicate_patient",
            Self::DuplicateVisit => "duplicate_visit",
            Self::DuplicateDiagnosis => "duplicate_diagnosis",
        }
    }

    /// The rule of the pipeline that finds the fault.
    pub fn rule(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadValue => "bad_value",
            Self::NewKey => "new_column",
            Self::NoPatientId => "no_patient_id",
            Self::NoVisitId => "no_visit_id",
            Self::BadDate => "bad_date",
            Self::LaterDate => "not_later_than_load",
            Self::NoDiagnosisCode => "no_diagnosis_code",
            Self::BadCode => "pattern(diagnosis_code)",
            // In the words of the other source there is no drug that this one would know.
            Self::NoDrug | Self::OtherWords => "no_drug",
            Self::DuplicatePatient => "unique(patient_id)",
            Self::DuplicateVisit => "unique(visit_id)",
            Self::DuplicateDiagnosis => "unique(diagnosis_code, visit_id)",
        }
    }

    /// Whether the record can be read at all: those that cannot never reach the raw table.
    pub fn is_readable(self) -> bool {
        !matches!(self, Self::BadJson | Self::BadValue | Self::NewKey)
    }

    fn comes_in_pairs(self) -> bool {
        matches!(self, Self::DuplicatePatient | Self::DuplicateVisit)
    }
}

/// How many records of each file have a fault, as a share from 0 to 1: `0.01` puts the fault in `round(0.01 × records)`
/// of them; of faults that come in pairs, in an even number not above that.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dirt(BTreeMap<Fault, f64>);

impl Dirt {
    /// Every fault at the same rate.
    pub fn everywhere(rate: f64) -> Self {
        Self(Fault::ALL.into_iter().map(|fault| (fault, rate)).collect())
    }

    /// With this rate of a fault.
    #[must_use]
    pub fn with(mut self, fault: Fault, rate: f64) -> Self {
        self.0.insert(fault, rate);
        self
    }

    fn count(&self, fault: Fault, records: u64) -> io::Result<u64> {
        let rate = self.0.get(&fault).copied().unwrap_or_default();
        if !(0.0..=1.0).contains(&rate) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the rate of {} is {rate}; a rate is from 0 to 1",
                    fault.name()
                ),
            ));
        }
        let count = (rate * records as f64).round() as u64;
        Ok(if fault.comes_in_pairs() {
            count - count % 2
        } else {
            count
        })
    }
}

/// What is wrong with a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flaw {
    pub(super) fault: Fault,
    /// The record whose key this one has: its own, unless it is the second of a pair.
    pub(super) key_of: u64,
}

/// The faulty records of one file.
pub(super) struct Flaws {
    records: BTreeMap<u64, Flaw>,
    counts: BTreeMap<Fault, u64>,
}

impl Flaws {
    /// Draws the faulty records of a file, whose numbers run from 0 to `records - 1`.
    pub(super) fn place(dirt: &Dirt, records: u64, mut random: Random) -> io::Result<Self> {
        let mut counts = BTreeMap::new();
        for fault in Fault::ALL {
            counts.insert(fault, dirt.count(fault, records)?);
        }
        counts.retain(|_, count| *count > 0);
        let wanted: u64 = counts.values().sum();
        if wanted > records {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("too much dirt: {wanted} faults wanted in {records} records"),
            ));
        }
        let mut placed = BTreeMap::new();
        for (fault, count) in &counts {
            let mut first_of_pair = None;
            let mut left = *count;
            while left > 0 {
                let number = random.below(records);
                let Entry::Vacant(place) = placed.entry(number) else {
                    continue;
                };
                let key_of = match first_of_pair.take() {
                    Some(first) if fault.comes_in_pairs() => first,
                    _ => {
                        first_of_pair = Some(number);
                        number
                    }
                };
                place.insert(Flaw {
                    fault: *fault,
                    key_of,
                });
                left -= 1;
            }
        }
        Ok(Self {
            records: placed,
            counts,
        })
    }

    pub(super) fn of(&self, number: u64) -> Option<Flaw> {
        self.records.get(&number).copied()
    }

    pub(super) fn into_counts(self) -> BTreeMap<Fault, u64> {
        self.counts
    }
}
