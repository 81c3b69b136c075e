//! Faults: how many, of which kind, in which rows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;

use super::columns::Table;
use crate::random::Random;

/// A kind of fault. A row has at most one, and a pipeline that judges as CMS's field definitions
/// do turns the row away for exactly that one; [`Fault::OrphanClaim`] is worth a warning only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// A date that is none: `20090230`, `UNKNOWN`.
    BadDate,
    /// An amount that is no number: `$100.00`, `"1,000.00"`.
    BadAmount,
    /// A count that is no whole number: `1.5`, `twelve`.
    BadCount,
    /// A claim that ends before it starts, a person who died before birth.
    DateOrder,
    /// A code of an impossible shape: diagnosis, HCPCS code, state or county.
    BadCode,
    /// A physician's NPI that is not ten digits.
    BadNpi,
    /// An ESRD indicator other than `0` and `Y`, or a condition flag other than `1` and `2`.
    BadFlag,
    /// One of two rows with the same `CLM_ID` and, but for Carrier claims, `SEGMENT`. Both count.
    DuplicateKey,
    /// A claim or drug event of a person whom no beneficiary file knows.
    OrphanClaim,
    /// A provider's tax number that is not nine digits.
    BadTaxNumber,
}

impl Fault {
    /// Every kind, in the order in which faults are placed.
    pub const ALL: [Self; 10] = [
        Self::BadDate,
        Self::BadAmount,
        Self::BadCount,
        Self::DateOrder,
        Self::BadCode,
        Self::BadNpi,
        Self::BadFlag,
        Self::DuplicateKey,
        Self::OrphanClaim,
        Self::BadTaxNumber,
    ];

    /// The kind's name in the manifest, that of its rate in [`Dirt`].
    pub fn name(self) -> &'static str {
        match self {
            Self::BadDate => "bad_date",
            Self::BadAmount => "bad_amount",
            Self::BadCount => "bad_count",
            Self::DateOrder => "date_order",
            Self::BadCode => "bad_code",
            Self::BadNpi => "bad_npi",
            Self::BadFlag => "bad_flag",
            Self::DuplicateKey => "duplicate_key",
            Self::OrphanClaim => "orphan_claim",
            Self::BadTaxNumber => "bad_tax_number",
        }
    }

    /// The rule of the synpuf pipeline that finds the fault. Declared checks append their columns
    /// to it: `unique(clm_id, segment)`.
    pub fn rule(self) -> &'static str {
        match self {
            Self::BadDate => "bad_date",
            Self::BadAmount => "bad_amount",
            Self::BadCount => "bad_count",
            Self::DateOrder => "date_order",
            Self::BadCode => "code_shape",
            Self::BadNpi => "npi_shape",
            Self::BadFlag => "accepted",
            Self::DuplicateKey => "unique",
            Self::OrphanClaim => "references",
            Self::BadTaxNumber => "tax_number_shape",
        }
    }

    /// Whether rows with this fault go to quarantine.
    pub fn rejects(self) -> bool {
        self != Self::OrphanClaim
    }

    /// Whether rows of this table can have the fault.
    pub fn occurs_in(self, table: Table) -> bool {
        self.places(table) > 0
    }

    /// In how many columns of the table's rows the fault can stand.
    pub(super) fn places(self, table: Table) -> u64 {
        use Table::{Beneficiary, Carrier, DrugEvents, Inpatient, Outpatient};
        match (self, table) {
            (Self::BadDate, Inpatient) => 4,
            (Self::BadDate, Beneficiary | Outpatient | Carrier) => 2,
            (Self::BadDate, DrugEvents) => 1,
            (Self::BadAmount, Beneficiary) => 9,
            (Self::BadAmount, Inpatient) => 6,
            (Self::BadAmount, Outpatient | Carrier) => 5,
            (Self::BadAmount, DrugEvents) => 2,
            (Self::BadCount, Beneficiary) => 3,
            (Self::BadCount, Inpatient | DrugEvents) => 1,
            (Self::BadCount, Outpatient | Carrier) => 0,
            (Self::BadCode, Beneficiary | Outpatient) => 2,
            (Self::BadCode, Carrier) => 3,
            (Self::DateOrder | Self::BadCode, DrugEvents) => 0,
            (Self::DateOrder | Self::BadCode, _) => 1,
            (Self::BadNpi | Self::DuplicateKey, Inpatient | Outpatient | Carrier) => 1,
            (Self::BadNpi | Self::DuplicateKey, Beneficiary | DrugEvents) => 0,
            (Self::BadFlag, Beneficiary) => 12,
            (Self::BadFlag, _) => 0,
            (Self::OrphanClaim, Beneficiary) => 0,
            (Self::OrphanClaim, _) => 1,
            (Self::BadTaxNumber, Carrier) => 1,
            (Self::BadTaxNumber, _) => 0,
        }
    }
}

/// How many rows of each file have a fault, as a share from 0 to 1: `0.01` puts the fault in
/// `round(0.01 × rows)` rows of every file whose table [can have it](Fault::occurs_in).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dirt {
    /// Rate of [`Fault::BadDate`].
    pub bad_date: f64,
    /// Rate of [`Fault::BadAmount`].
    pub bad_amount: f64,
    /// Rate of [`Fault::BadCount`].
    pub bad_count: f64,
    /// Rate of [`Fault::DateOrder`].
    pub date_order: f64,
    /// Rate of [`Fault::BadCode`].
    pub bad_code: f64,
    /// Rate of [`Fault::BadNpi`].
    pub bad_npi: f64,
    /// Rate of [`Fault::BadFlag`].
    pub bad_flag: f64,
    /// Rate of [`Fault::DuplicateKey`]; the number of rows is rounded down to an even one, for
    /// they come in pairs.
    pub duplicate_key: f64,
    /// Rate of [`Fault::OrphanClaim`].
    pub orphan_claim: f64,
    /// Rate of [`Fault::BadTaxNumber`].
    pub bad_tax_number: f64,
}

impl Dirt {
    /// Every fault at the same rate.
    pub fn everywhere(rate: f64) -> Self {
        Self {
            bad_date: rate,
            bad_amount: rate,
            bad_count: rate,
            date_order: rate,
            bad_code: rate,
            bad_npi: rate,
            bad_flag: rate,
            duplicate_key: rate,
            orphan_claim: rate,
            bad_tax_number: rate,
        }
    }

    fn rate(&self, fault: Fault) -> f64 {
        match fault {
            Fault::BadDate => self.bad_date,
            Fault::BadAmount => self.bad_amount,
            Fault::BadCount => self.bad_count,
            Fault::DateOrder => self.date_order,
            Fault::BadCode => self.bad_code,
            Fault::BadNpi => self.bad_npi,
            Fault::BadFlag => self.bad_flag,
            Fault::DuplicateKey => self.duplicate_key,
            Fault::OrphanClaim => self.orphan_claim,
            Fault::BadTaxNumber => self.bad_tax_number,
        }
    }

    /// The number of rows with the fault in a file of `rows` rows.
    fn count(&self, fault: Fault, table: Table, rows: u64) -> io::Result<u64> {
        let rate = self.rate(fault);
        if !(0.0..=1.0).contains(&rate) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the rate of {} is {rate}; a rate is from 0 to 1",
                    fault.name()
                ),
            ));
        }
        if !fault.occurs_in(table) {
            return Ok(0);
        }
        let count = (rate * rows as f64).round() as u64;
        Ok(if fault == Fault::DuplicateKey {
            count - count % 2
        } else {
            count
        })
    }
}

/// What is wrong with a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flaw {
    pub(super) fault: Fault,
    /// The row whose key this row has: its own, unless the row is the second of a duplicated pair.
    pub(super) key_of: u64,
}

/// The faulty rows of one file.
pub(super) struct Flaws {
    rows: BTreeMap<u64, Flaw>,
    counts: BTreeMap<Fault, u64>,
}

impl Flaws {
    /// Draws the faulty rows of a file of `rows` rows, whose numbers run from 0 to `numbers - 1`;
    /// only `eligible` numbers are drawn.
    pub(super) fn place(
        dirt: &Dirt,
        table: Table,
        rows: u64,
        numbers: u64,
        mut random: Random,
        eligible: impl Fn(u64) -> bool,
    ) -> io::Result<Self> {
        let mut counts = BTreeMap::new();
        for fault in Fault::ALL {
            counts.insert(fault, dirt.count(fault, table, rows)?);
        }
        counts.retain(|_, count| *count > 0);
        let wanted: u64 = counts.values().sum();
        if wanted > 0 {
            let room = (0..numbers).filter(|number| eligible(*number)).count() as u64;
            if wanted > room {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "too much dirt: {wanted} faults wanted in {} of {rows} rows, of which {room} may have one",
                        table.name()
                    ),
                ));
            }
        }
        let mut placed = BTreeMap::new();
        for (fault, count) in &counts {
            let mut first_of_pair = None;
            let mut left = *count;
            while left > 0 {
                let number = random.below(numbers);
                if !eligible(number) {
                    continue;
                }
                let Entry::Vacant(place) = placed.entry(number) else {
                    continue;
                };
                let key_of = match (fault, first_of_pair.take()) {
                    (Fault::DuplicateKey, Some(first)) => first,
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
            rows: placed,
            counts,
        })
    }

    pub(super) fn of(&self, number: u64) -> Option<Flaw> {
        if self.rows.is_empty() {
            None
        } else {
            self.rows.get(&number).copied()
        }
    }

    pub(super) fn into_counts(self) -> BTreeMap<Fault, u64> {
        self.counts
    }
}
