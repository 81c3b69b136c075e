//! The Inpatient and Outpatient Claims files.

use std::io;
use std::path::Path;

use super::Options;
use super::columns::Table;
use super::dirt::{Fault, Flaws};
use super::manifest::{FileManifest, Shapes, rejected};
use super::people::Person;
use super::row::Row;
use super::values::{
    admitting_diagnosis, diagnoses, hcpcs, physicians, procedures, provider, rounded_amount,
};
use crate::calendar::Day;
use crate::random::Random;

const PLACES: u64 = 30;
const KEY: u64 = 31;
const SEGMENT: u64 = 32;

/// The keys of a claim.
struct Keys {
    beneficiary: u64,
    claim: u64,
    segment: u64,
}

/// Writes the claims of `table`, in the order of their beneficiaries and dates.
pub(super) fn write(
    dir: &Path,
    options: &Options,
    table: Table,
    rows: u64,
) -> io::Result<FileManifest> {
    let seed = options.seed ^ ((table as u64) << 32);
    let population = options.population();
    // CMS splits a claim of many lines into segments, and leaves the second without dates.
    let may_follow = |number: u64| {
        table == Table::Outpatient && Random::of(seed, SEGMENT, number).chance(25, 1_000)
    };
    let flaws = Flaws::place(
        &options.dirt,
        table,
        rows,
        rows,
        Random::of(seed, PLACES, 0),
        |number| !may_follow(number),
    )?;

    let name = table.file_name(0, options.sample);
    let mut file = options.create(&dir.join(&name), table)?;
    let mut shapes = Shapes::default();
    let mut accepted_cents = 0;
    let mut number = 0;
    for (beneficiary, share) in population.spread(table, rows) {
        let person = population.person(beneficiary);
        let mut last_followed = true;
        for nth in 0..share {
            let follows = !last_followed && may_follow(number);
            last_followed = follows;
            let flaw = flaws.of(number);
            let fault = flaw.map(|flaw| flaw.fault);
            let key_of = if follows && !Random::of(seed, SEGMENT, !number).chance(1, 70) {
                number - 1
            } else {
                flaw.map_or(number, |flaw| flaw.key_of)
            };
            let keys = Keys {
                beneficiary: if fault == Some(Fault::OrphanClaim) {
                    population.stranger(beneficiary)
                } else {
                    person.id
                },
                claim: claim_id(seed, table, key_of) + options.first_number(),
                segment: if follows { 2 } else { 1 },
            };
            let mut row = Row::new(&mut file, table, seed, number, fault);
            let days = (!follows).then(|| stay(&mut row, table, &person, nth, share));
            let payment = if table == Table::Inpatient {
                fill_inpatient(&mut row, &keys, &person, days)
            } else {
                fill_outpatient(&mut row, &keys, &person, days)
            };
            shapes.negative_amount += u64::from(row.has_negative);
            shapes.without_dates += u64::from(follows);
            if !fault.is_some_and(Fault::rejects) {
                accepted_cents += payment;
            }
            file.end_row()?;
            number += 1;
        }
    }
    let rows = file.finish()?;
    let faults = flaws.into_counts();
    Ok(FileManifest {
        table,
        year: None,
        name,
        cleansed: rows - rejected(&faults),
        rows,
        faults,
        shapes,
        accepted_cents,
    })
}

/// Fifteen digits, as CMS's: kind of claim, two of no meaning, a running number.
fn claim_id(seed: u64, table: Table, number: u64) -> u64 {
    let (kind, first) = if table == Table::Inpatient {
        (196, 1_176_980_000)
    } else {
        (542, 2_280_880_000)
    };
    let filler = 1 + Random::of(seed, KEY, number).below(99);
    (kind * 100 + filler) * 10_000_000_000 + first + number
}

/// First and last day of the `nth` of the person's `share` claims: the days of all ascend, and none
/// is later than the person's death.
fn stay(row: &mut Row, table: Table, person: &Person, nth: u64, share: u64) -> (Day, Day) {
    let first = Day::of(2008, 1, 1);
    let span = person.last_day().since(first) + 1;
    let (start, end) = (span * nth / share, span * (nth + 1) / share);
    let from = first.plus(start + row.random.below(end - start));
    let length = if table == Table::Inpatient {
        row.random
            .weighted(&[(1, 20), (2, 20), (3, 25), (4, 20), (7, 10), (21, 5)])
    } else {
        row.random.weighted(&[(0, 92), (1, 3), (9, 3), (20, 2)])
    };
    (from, person.last_day().min(from.plus(length)))
}

/// The columns that both kinds of claims begin with.
fn begin(row: &mut Row, keys: &Keys, person: &Person, days: Option<(Day, Day)>, payment: i64) {
    row.file.hex(keys.beneficiary);
    row.file.digits(keys.claim, 15);
    row.file.digits(keys.segment, 1);
    match days {
        Some((_, thru)) if row.has(Fault::DateOrder) => {
            let days = 1 + row.dirt.below(30);
            row.file.date(thru.plus(days));
            row.file.date(thru);
        }
        days => {
            row.date(0, days.map(|(from, _)| from));
            row.date(1, days.map(|(_, thru)| thru));
        }
    }
    provider(row, person.state);
    row.amount(0, payment);
    let primary = row.random.weighted(&[(0, 120), (20_000, 1), (200_000, 1)]);
    row.amount(1, primary);
}

/// Fills an inpatient row and returns its payment in cents.
fn fill_inpatient(row: &mut Row, keys: &Keys, person: &Person, days: Option<(Day, Day)>) -> i64 {
    let payment = row.random.weighted(&[
        (0, 2),
        (300_000, 10),
        (400_000, 11),
        (500_000, 12),
        (600_000, 10),
        (1_000_000, 7),
        (2_600_000, 2),
        (5_700_000, 1),
    ]);
    begin(row, keys, person, days, payment);
    physicians(row, [99, 60, 15]);
    row.date(2, days.map(|(from, _)| from));
    admitting_diagnosis(row, 100);
    let per_diem = row
        .random
        .weighted(&[(0, 75), (1_000, 10), (20_000, 5), (30_000, 10)]);
    row.amount(2, per_diem);
    let deductible = match days.map_or(2008, |(from, _)| from.yyyymmdd() / 10_000) {
        2008 => 102_400,
        2009 => 106_800,
        _ => 110_000,
    };
    row.amount(3, deductible);
    let coinsurance = row
        .random
        .weighted(&[(0, 97), (200_000, 2), (3_400_000, 1)]);
    row.amount(4, coinsurance);
    let blood = row.random.weighted(&[(0, 250), (20_000, 1)]);
    row.amount(5, blood);
    let length = days.map_or(0, |(from, thru)| thru.since(from)).max(1);
    let known = !row.random.chance(1, 200);
    row.count(0, known.then_some(length));
    row.date(3, days.map(|(_, thru)| thru));
    let drg = 1 + row.random.below(999);
    row.file.digits(drg, 3);
    let count = row
        .random
        .weighted(&[(2, 1), (4, 6), (6, 12), (8, 10), (9, 60), (10, 11)]);
    diagnoses(row, count, 10);
    let count = row
        .random
        .weighted(&[(0, 41), (1, 28), (2, 14), (3, 7), (4, 4), (6, 6)]);
    procedures(row, count);
    row.file.empty(45);
    payment
}

/// Fills an outpatient row and returns its payment in cents.
fn fill_outpatient(row: &mut Row, keys: &Keys, person: &Person, days: Option<(Day, Day)>) -> i64 {
    let payment = match row.random.below(1_000) {
        0..=1 => -rounded_amount(&mut row.random),
        2..=40 => 0,
        _ => rounded_amount(&mut row.random),
    };
    begin(row, keys, person, days, payment);
    let second_segment = days.is_none();
    physicians(row, if second_segment { [0; 3] } else { [98, 18, 30] });
    let blood = row.random.weighted(&[(0, 3_000), (10_000, 1)]);
    row.amount(2, blood);
    let count = match row.random.below(100) {
        _ if second_segment => row.random.weighted(&[(0, 5), (1, 5)]),
        0..=36 => 1,
        37..=58 => 2,
        59..=74 => 3,
        75..=89 => 4,
        _ => 5 + row.random.below(6) as usize,
    };
    diagnoses(row, count, 10);
    let count = row.random.weighted(&[(0, 997), (1, 2), (3, 1)]);
    procedures(row, count);
    let deductible = row.random.weighted(&[(0, 96), (5_000, 3), (10_000, 1)]);
    row.amount(3, deductible);
    let coinsurance = row
        .random
        .weighted(&[(0, 33), (1_000, 30), (2_000, 25), (20_000, 12)]);
    row.amount(4, coinsurance);
    admitting_diagnosis(row, if second_segment { 0 } else { 25 });
    // An impossible code needs a place.
    let least = usize::from(row.has(Fault::BadCode));
    let count = match row.random.below(100) {
        0..=3 => 0,
        4..=33 => 1,
        34..=54 => 2,
        55..=63 => 3,
        64..=83 => 4 + row.random.below(4) as usize,
        84..=95 => 8 + row.random.below(13) as usize,
        _ => 21 + row.random.below(25) as usize,
    };
    hcpcs(row, count.max(least));
    payment
}
