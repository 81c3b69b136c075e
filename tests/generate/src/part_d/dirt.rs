//! Faults: how many, of which kind, in which rows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;

use super::tables::Table;
use crate::random::Random;

/// A kind of fault. A row has at most one, and the part-d pipeline turns the row away for exactly
/// that one, but for those that do not [reject](Fault::rejects).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// An NPI that is not ten digits, or whose check digit is another one.
    BadNpi,
    /// A state code of no state, district or territory: `ZZ`, `AE`.
    UnknownState,
    /// Fewer than 11 claims: CMS leaves such rows out.
    FewClaims,
    /// No number of claims.
    MissingClaims,
    /// Fewer 30-day fills than claims.
    FewFills,
    /// A cost below zero.
    NegativeCost,
    /// A suppression flag other than `*` and `#`.
    BadFlag,
    /// A suppression flag, and the counts that it suppresses beside it.
    Unsuppressed,
    /// No specialty: null or `""`.
    MissingSpecialty,
    /// No brand: null or `""`.
    MissingBrand,
    /// One of two rows with the same prescriber, brand and drug, and other counts. Both count.
    RepeatedKey,
    /// A city that is known in another state and not in this one: kept, and warned of.
    CityState,
    /// A brand that the drug table lacks: the row is sound, its line of the drug report has no type.
    UnlistedDrug,
    /// A second row for the prescriber of the row before, in another city: the later one counts.
    RepeatedPrescriber,
    /// A drug whose antibiotic flag is set in the row for the nation only.
    FlagConflict,
}

impl Fault {
    /// Every kind, in the order in which faults are placed.
    pub const ALL: [Self; 15] = [
        Self::BadNpi,
        Self::UnknownState,
        Self::FewClaims,
        Self::MissingClaims,
        Self::FewFills,
        Self::NegativeCost,
        Self::BadFlag,
        Self::Unsuppressed,
        Self::MissingSpecialty,
        Self::MissingBrand,
        Self::RepeatedKey,
        Self::CityState,
        Self::UnlistedDrug,
        Self::RepeatedPrescriber,
        Self::FlagConflict,
    ];

    /// The kind's name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadNpi => "bad_npi",
            Self::UnknownState => "unknown_state",
            Self::FewClaims => "few_claims",
            Self::MissingClaims => "missing_claims",
            Self::FewFills => "few_fills",
            Self::NegativeCost => "negative_cost",
            Self::BadFlag => "bad_flag",
            Self::Unsuppressed => "unsuppressed",
            Self::MissingSpecialty => "missing_specialty",
            Self::MissingBrand => "missing_brand",
            Self::RepeatedKey => "repeated_key",
            Self::CityState => "city_state",
            Self::UnlistedDrug => "unlisted_drug",
            Self::RepeatedPrescriber => "repeated_prescriber",
            Self::FlagConflict => "flag_conflict",
        }
    }

    /// The rule of the part-d pipeline that finds the fault in a row of the table; none where no
    /// rule does.
    pub fn rule(self, table: Table) -> Option<&'static str> {
        let cleansed = table == Table::State;
        match self {
            Self::BadNpi => Some("npi"),
            Self::UnknownState if cleansed => Some("accepted(state_code)"),
            Self::UnknownState => Some("accepted(prscrbr_state_abrvtn)"),
            Self::FewClaims => Some("range(tot_clms)"),
            Self::MissingClaims => Some("not_null(tot_clms)"),
            Self::FewFills => Some("fills_cover_claims"),
            Self::NegativeCost => Some("range(tot_drug_cst)"),
            Self::BadFlag => Some("accepted(ge65_sprsn_flag)"),
            Self::Unsuppressed => Some("suppressed_counts_are_blank"),
            Self::MissingSpecialty => Some("not_null(presc_specialty)"),
            Self::MissingBrand => Some("not_null(drug_brand_name)"),
            Self::RepeatedKey => Some("unique(presc_id, drug_brand_name, drug)"),
            Self::CityState => Some("city_state"),
            Self::UnlistedDrug | Self::RepeatedPrescriber | Self::FlagConflict => None,
        }
    }

    /// Whether the row goes to quarantine.
    pub fn rejects(self) -> bool {
        !matches!(
            self,
            Self::CityState | Self::UnlistedDrug | Self::RepeatedPrescriber | Self::FlagConflict
        )
    }

    /// Whether rows of this table can have the fault.
    pub fn occurs_in(self, table: Table) -> bool {
        match table {
            Table::State => self == Self::UnknownState,
            Table::Drug => matches!(self, Self::MissingBrand | Self::FlagConflict),
            Table::Prescriber => matches!(
                self,
                Self::BadNpi | Self::UnknownState | Self::CityState | Self::RepeatedPrescriber
            ),
            Table::PrescriberDrug => !matches!(self, Self::RepeatedPrescriber | Self::FlagConflict),
        }
    }
}

/// How many rows of each table have a fault, as a share from 0 to 1: `0.01` puts the fault in
/// `round(0.01 × rows)` rows of every table that [can have it](Fault::occurs_in). Of
/// [`Fault::RepeatedKey`] there is an even number, and of [`Fault::FlagConflict`] that share of the
/// antibiotics.
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

    /// `round(rate × of)`.
    pub(super) fn count(&self, fault: Fault, of: u64) -> io::Result<u64> {
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
        Ok((rate * of as f64).round() as u64)
    }
}

/// What is wrong with a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flaw {
    pub(super) fault: Fault,
    /// The other row of a repeated key; else the row itself.
    pub(super) partner: u64,
    /// Whether the row has the key of its partner, and not its own.
    pub(super) second: bool,
}

/// The faulty rows of `prescriber` or `prescriber_drug`. Those of the small tables follow from their
/// numbers.
#[derive(Default)]
pub(super) struct Flaws(BTreeMap<u64, Flaw>);

impl Flaws {
    /// Draws the faulty rows among the numbers from 0 to `rows - 1`; only `eligible` ones are drawn.
    pub(super) fn place(
        dirt: &Dirt,
        table: Table,
        rows: u64,
        mut random: Random,
        eligible: impl Fn(Fault, u64, &Self) -> bool,
    ) -> io::Result<Self> {
        let mut flaws = Self::default();
        for fault in Fault::ALL {
            if !fault.occurs_in(table) {
                continue;
            }
            let mut left = dirt.count(fault, rows)?;
            if fault == Fault::RepeatedKey {
                left -= left % 2;
            }
            let mut first = None;
            let mut tries = 0;
            while left > 0 {
                tries += 1;
                if tries > 1_000 + 100 * rows {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        format!(
                            "too much dirt: {rows} rows of {} have no room for {}",
                            table.name(),
                            fault.name()
                        ),
                    ));
                }
                let number = random.below(rows);
                if !eligible(fault, number, &flaws) {
                    continue;
                }
                let Entry::Vacant(place) = flaws.0.entry(number) else {
                    continue;
                };
                let mut flaw = Flaw {
                    fault,
                    partner: number,
                    second: false,
                };
                if fault == Fault::RepeatedKey {
                    match first.take() {
                        None => first = Some(number),
                        Some(other) => {
                            flaw.partner = other;
                            flaw.second = true;
                        }
                    }
                }
                place.insert(flaw);
                if flaw.second
                    && let Some(other) = flaws.0.get_mut(&flaw.partner)
                {
                    other.partner = number;
                }
                left -= 1;
            }
        }
        Ok(flaws)
    }

    pub(super) fn of(&self, number: u64) -> Option<Flaw> {
        self.0.get(&number).copied()
    }
}
