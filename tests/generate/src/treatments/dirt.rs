//! Faults: how many, of which kind, in which items.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;

use crate::random::Random;

/// A kind of fault. An item has at most one, and the treatments pipeline turns it away for exactly that one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// A line of an export that is no JSON. A table has no such item.
    BadJson,
    /// A list, a truth or a text where a text or a number should be.
    BadValue,
    /// No `provider.id`, `location.id`, `patient.id`, `disease.id`, outcome status or type: `NULL`, missing or
    /// blank, or the whole map is missing.
    MissingKey,
    /// A `treatment.id` that is not the item's key.
    OtherKey,
    /// A cost of a tenth of a cent or of nine digits, half a year of age.
    BadNumber,
    /// A cost or a duration below 0.
    NegativeNumber,
    /// A date that is none: `2023-02-30`, `03/15/2023`; no start, no time of modification.
    BadDate,
    /// A completion before the start, a modification before the addition.
    DateOrder,
    /// An age that nobody reaches.
    OutOfRange,
}

impl Fault {
    /// Every kind, in the order in which faults are placed.
    pub const ALL: [Self; 9] = [
        Self::BadJson,
        Self::BadValue,
        Self::MissingKey,
        Self::OtherKey,
        Self::BadNumber,
        Self::NegativeNumber,
        Self::BadDate,
        Self::DateOrder,
        Self::OutOfRange,
    ];

    /// The kind's name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadValue => "bad_value",
            Self::MissingKey => "missing_key",
            Self::OtherKey => "other_key",
            Self::BadNumber => "bad_number",
            Self::NegativeNumber => "negative_number",
            Self::BadDate => "bad_date",
            Self::DateOrder => "date_order",
            Self::OutOfRange => "out_of_range",
        }
    }

    /// The rule of the pipeline that finds the fault.
    pub fn rule(self) -> &'static str {
        match self {
            Self::OutOfRange => "range(patient_age)",
            _ => self.name(),
        }
    }

    /// Whether the item can be read at all: those that cannot never reach the bronze table.
    pub fn is_readable(self) -> bool {
        !matches!(self, Self::BadJson | Self::BadValue)
    }
}

/// How many of the items have a fault, as a share from 0 to 1: `0.01` puts the fault in `round(0.01 × items)` of them.
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

    fn count(&self, fault: Fault, items: u64) -> io::Result<u64> {
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
        Ok((rate * items as f64).round() as u64)
    }
}

/// The faulty items among those of the first batch, by number.
pub(super) struct Flaws(BTreeMap<u64, Fault>);

impl Flaws {
    /// Draws them.
    pub(super) fn place(dirt: &Dirt, items: u64, mut random: Random) -> io::Result<Self> {
        let mut placed = BTreeMap::new();
        for fault in Fault::ALL {
            let mut left = dirt.count(fault, items)?;
            if placed.len() as u64 + left > items {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("too much dirt: more faults than the {items} items are wanted"),
                ));
            }
            while left > 0 {
                if let Entry::Vacant(place) = placed.entry(random.below(items)) {
                    place.insert(fault);
                    left -= 1;
                }
            }
        }
        Ok(Self(placed))
    }

    pub(super) fn of(&self, number: u64) -> Option<Fault> {
        self.0.get(&number).copied()
    }
}
