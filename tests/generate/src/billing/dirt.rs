//! Faults: how many, of which kind, in which rows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;

use super::tables::Table;
use crate::random::Random;

/// A kind of fault. A row has at most one, and the billing pipeline keeps the row aside for exactly that one, but for
/// those that it [warns of](Fault::rejects).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// No key of its own.
    MissingKey,
    /// A key of its own that is no whole number as programs write it: `12A`, `1.0`.
    BadKey,
    /// One of two rows of a file with the same key, and other values.
    RepeatedKey,
    /// An amount that is none: `12.3.4`, `n/a`, a third digit after the point.
    BadAmount,
    /// A date key, or a date, that no calendar has.
    BadDate,
    /// A count or quantity that is no number.
    BadNumber,
    /// An AR that is not the sum of charge, payment and adjustment.
    Unbalanced,
    /// A payment above zero beside a charge, whose AR fits it.
    PositivePayment,
    /// No payer.
    NoPayer,
    /// A patient who is in the file of the second day only.
    LatePatient,
    /// A physician, diagnosis or location that no file has.
    Orphan,
    /// A date key that is another day than the date beside it.
    OtherDay,
    /// A CPT or diagnosis row without its code.
    MissingCode,
    /// An age that nobody has: `-3`, `214`.
    ImpossibleAge,
    /// One of two patients with one patient number: kept, and warned of.
    SharedNumber,
    /// An NPI of nine digits: kept, and warned of.
    ShortNpi,
}

impl Fault {
    /// Every kind, in the order in which faults are placed.
    pub const ALL: [Self; 16] = [
        Self::MissingKey,
        Self::BadKey,
        Self::RepeatedKey,
        Self::BadAmount,
        Self::BadDate,
        Self::BadNumber,
        Self::Unbalanced,
        Self::PositivePayment,
        Self::NoPayer,
        Self::LatePatient,
        Self::Orphan,
        Self::OtherDay,
        Self::MissingCode,
        Self::ImpossibleAge,
        Self::SharedNumber,
        Self::ShortNpi,
    ];

    /// The kind's name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingKey => "missing_key",
            Self::BadKey => "bad_key",
            Self::RepeatedKey => "repeated_key",
            Self::BadAmount => "bad_amount",
            Self::BadDate => "bad_date",
            Self::BadNumber => "bad_number",
            Self::Unbalanced => "unbalanced",
            Self::PositivePayment => "positive_payment",
            Self::NoPayer => "no_payer",
            Self::LatePatient => "late_patient",
            Self::Orphan => "orphan",
            Self::OtherDay => "other_day",
            Self::MissingCode => "missing_code",
            Self::ImpossibleAge => "impossible_age",
            Self::SharedNumber => "shared_number",
            Self::ShortNpi => "short_npi",
        }
    }

    /// Whether the row is kept aside; else it is loaded, and warned of.
    pub fn rejects(self) -> bool {
        !matches!(self, Self::SharedNumber | Self::ShortNpi)
    }

    /// The zone of the table in whose step it is found: in `raw` what concerns keys and needs the whole file.
    pub fn zone(self) -> &'static str {
        match self {
            Self::MissingKey | Self::BadKey | Self::RepeatedKey | Self::SharedNumber => "raw",
            _ => "cleansed",
        }
    }

    /// Whether two rows have the fault together.
    pub(super) fn is_of_pairs(self) -> bool {
        matches!(self, Self::RepeatedKey | Self::SharedNumber)
    }

    /// Whether rows of this file can have the fault.
    pub fn occurs_in(self, table: Table) -> bool {
        match self {
            Self::MissingKey | Self::BadKey | Self::RepeatedKey => true,
            Self::BadAmount
            | Self::Unbalanced
            | Self::PositivePayment
            | Self::NoPayer
            | Self::LatePatient
            | Self::Orphan => table == Table::Fact,
            Self::BadDate => matches!(table, Table::Fact | Table::Date),
            Self::BadNumber => matches!(table, Table::Fact | Table::Patient | Table::Physician),
            Self::OtherDay => table == Table::Date,
            Self::MissingCode => matches!(table, Table::CptCode | Table::DiagnosisCode),
            Self::ImpossibleAge | Self::SharedNumber => table == Table::Patient,
            Self::ShortNpi => table == Table::Physician,
        }
    }
}

/// How many rows of each file have a fault, as a share from 0 to 1: `0.01` puts the fault in `round(0.01 × rows)` rows
/// of every file that [can have it](Fault::occurs_in), of faults that two rows share in an even number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dirt {
    rates: BTreeMap<Fault, f64>,
}

impl Dirt {
    /// Each fault at the same rate.
    pub fn everywhere(rate: f64) -> Self {
        Self {
            rates: Fault::ALL.into_iter().map(|fault| (fault, rate)).collect(),
        }
    }

    /// The same, but for this fault.
    pub fn with(mut self, fault: Fault, rate: f64) -> Self {
        self.rates.insert(fault, rate);
        self
    }

    fn count(&self, fault: Fault, of: u64) -> io::Result<u64> {
        let rate = self.rates.get(&fault).copied().unwrap_or(0.0);
        if !(0.0..=1.0).contains(&rate) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the rate of {} is {rate}, and not from 0 to 1",
                    fault.name()
                ),
            ));
        }
        let count = (rate * of as f64).round() as u64;
        Ok(match fault.is_of_pairs() {
            true => count - count % 2,
            false => count,
        })
    }
}

/// What is wrong with a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flaw {
    pub(super) fault: Fault,
    /// The row whose key or number this one has: the first of a pair, else the row itself.
    pub(super) like: u64,
}

/// The faulty rows of a file, by their numbers.
#[derive(Default)]
pub(super) struct Flaws(BTreeMap<u64, Flaw>);

impl Flaws {
    /// Draws the faulty rows among the numbers of `rows`.
    pub(super) fn place(
        dirt: &Dirt,
        table: Table,
        rows: std::ops::Range<u64>,
        mut random: Random,
    ) -> io::Result<Self> {
        let mut flaws = Self::default();
        let count = rows.end - rows.start;
        for fault in Fault::ALL
            .into_iter()
            .filter(|fault| fault.occurs_in(table))
        {
            let mut left = dirt.count(fault, count)?;
            let mut first = None;
            let mut tries = 0;
            while left > 0 {
                tries += 1;
                if tries > 1_000 + 100 * count {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        format!(
                            "too much dirt: {count} rows of {} have no room for {}",
                            table.file(),
                            fault.name()
                        ),
                    ));
                }
                let number = rows.start + random.below(count);
                let Entry::Vacant(place) = flaws.0.entry(number) else {
                    continue;
                };
                let like = match fault.is_of_pairs() {
                    true => first.take(),
                    false => None,
                };
                if fault.is_of_pairs() && like.is_none() {
                    first = Some(number);
                }
                place.insert(Flaw {
                    fault,
                    like: like.unwrap_or(number),
                });
                left -= 1;
            }
        }
        Ok(flaws)
    }

    pub(super) fn of(&self, number: u64) -> Option<Flaw> {
        self.0.get(&number).copied()
    }
}
