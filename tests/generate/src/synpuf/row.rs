//! A row in writing, with at most one fault.

use super::columns::Table;
use super::dirt::Fault;
use super::values::{BAD_AMOUNTS, BAD_COUNTS, BAD_DATES};
use crate::calendar::Day;
use crate::csv::CsvFile;
use crate::random::Random;

const VALUES: u64 = 20;
const FAULTS: u64 = 21;

/// A row in writing. Its values and its fault draw from separate numbers: a row differs from what
/// it would be without the fault in the faulty columns only.
pub(super) struct Row<'f> {
    pub(super) file: &'f mut CsvFile,
    pub(super) random: Random,
    pub(super) dirt: Random,
    /// The fault, and the one of its places where it stands.
    flaw: Option<(Fault, u64)>,
    /// Whether a negative amount was written.
    pub(super) has_negative: bool,
}

impl<'f> Row<'f> {
    pub(super) fn new(
        file: &'f mut CsvFile,
        table: Table,
        seed: u64,
        number: u64,
        fault: Option<Fault>,
    ) -> Self {
        let mut dirt = Random::of(seed, FAULTS + ((table as u64) << 8), number);
        let flaw = fault.map(|fault| (fault, dirt.below(fault.places(table))));
        Self {
            file,
            random: Random::of(seed, VALUES + ((table as u64) << 8), number),
            dirt,
            flaw,
            has_negative: false,
        }
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.flaw.is_some_and(|(present, _)| present == fault)
    }

    /// Writes one of the `bad` values where this is the place of the fault, and says so.
    pub(super) fn spoil<const N: usize>(
        &mut self,
        fault: Fault,
        place: u64,
        bad: &[&str; N],
    ) -> bool {
        let spoil = self.flaw == Some((fault, place));
        if spoil {
            self.file.text(self.dirt.pick(bad));
        }
        spoil
    }

    pub(super) fn date(&mut self, place: u64, day: Option<Day>) {
        if !self.spoil(Fault::BadDate, place, &BAD_DATES) {
            match day {
                Some(day) => self.file.date(day),
                None => self.file.empty(1),
            }
        }
    }

    pub(super) fn amount(&mut self, place: u64, cents: i64) {
        if !self.spoil(Fault::BadAmount, place, &BAD_AMOUNTS) {
            self.has_negative |= cents < 0;
            self.file.amount(cents);
        }
    }

    pub(super) fn count(&mut self, place: u64, count: Option<u64>) {
        if !self.spoil(Fault::BadCount, place, &BAD_COUNTS) {
            match count {
                Some(count) => self.file.digits(count, 1),
                None => self.file.empty(1),
            }
        }
    }
}
