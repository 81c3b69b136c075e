//! The Prescription Drug Events file.

use std::io;
use std::path::Path;

use super::Options;
use super::columns::Table;
use super::dirt::{Fault, Flaws};
use super::manifest::{FileManifest, Shapes, rejected};
use super::row::Row;
use crate::calendar::Day;
use crate::random::Random;

const PLACES: u64 = 40;
const KEY: u64 = 41;

/// Dispensed units in thousandths, with their weights.
const QUANTITIES: [(i64, u64); 8] = [
    (0, 45),
    (10_000, 71),
    (20_000, 51),
    (30_000, 465),
    (60_000, 138),
    (90_000, 113),
    (120_000, 60),
    (180_000, 57),
];

/// Costs in cents, with their weights.
const COSTS: [(i64, u64); 10] = [
    (0, 100),
    (1_000, 318),
    (2_000, 125),
    (3_000, 70),
    (4_000, 42),
    (6_000, 60),
    (9_000, 60),
    (12_000, 100),
    (25_000, 90),
    (57_000, 35),
];

/// Writes the drug events, in the order of their beneficiaries and dates.
pub(super) fn write(dir: &Path, options: &Options) -> io::Result<FileManifest> {
    let table = Table::DrugEvents;
    let seed = options.seed;
    let population = options.population();
    let rows = options.drug_events;
    let random = Random::of(seed, PLACES, 0);
    let flaws = Flaws::place(&options.dirt, table, rows, rows, random, |_| true)?;

    let name = table.file_name(0, options.sample);
    let mut file = options.create(&dir.join(&name), table)?;
    let mut shapes = Shapes::default();
    let mut accepted_cents = 0;
    let mut number = 0;
    let first = Day::of(2008, 1, 1);
    for (beneficiary, share) in population.spread(table, rows) {
        let person = population.person(beneficiary);
        let span = person.last_day().since(first) + 1;
        for nth in 0..share {
            let fault = flaws.of(number).map(|flaw| flaw.fault);
            let mut row = Row::new(&mut file, table, seed, number, fault);
            row.file.hex(match fault {
                Some(Fault::OrphanClaim) => population.stranger(beneficiary),
                _ => person.id,
            });
            row.file
                .digits(event_id(seed, number) + options.first_number(), 15);
            let (start, end) = (span * nth / share, span * (nth + 1) / share);
            let day = first.plus(start + row.random.below(end - start));
            row.date(0, Some(day));
            // Product codes have leading zeros more often than chance gives them.
            let digits = if row.random.chance(1, 2) { 11 } else { 10 };
            let product = row.random.below(10_u64.pow(digits));
            row.file.digits(product, 11);
            let quantity = row.random.weighted(&QUANTITIES);
            row.file.decimal(quantity, 3);
            let days = row.random.weighted(&[
                (0, 2),
                (10, 9),
                (20, 4),
                (30, 71),
                (60, 2),
                (90, 11),
                (100, 1),
            ]);
            row.count(0, Some(days));
            // The patient can have paid more than the cost: so it is in CMS's files.
            let paid = row.random.weighted(&[
                (0, 610),
                (1_000, 230),
                (2_000, 43),
                (3_000, 35),
                (4_000, 30),
                (10_000, 52),
            ]);
            row.amount(0, paid);
            let cost = row.random.weighted(&COSTS);
            row.amount(1, cost);
            shapes.zero_quantity += u64::from(quantity == 0);
            if !fault.is_some_and(Fault::rejects) {
                accepted_cents += cost;
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

/// Fifteen digits, as CMS's: `233`, two of no meaning, a running number.
fn event_id(seed: u64, number: u64) -> u64 {
    let filler = 1 + Random::of(seed, KEY, number).below(99);
    (233 * 100 + filler) * 10_000_000_000 + 4_489_080_000 + number
}
