//! The two Carrier Claims files.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use super::Options;
use super::columns::{LINES, Table};
use super::dirt::{Fault, Flaws};
use super::manifest::{FileManifest, Shapes};
use super::row::Row;
use super::values::{
    BAD_DIAGNOSES, BAD_HCPCS, BAD_NPIS, BAD_TAX_NUMBERS, any_diagnosis, any_hcpcs, diagnoses,
    rounded_amount,
};
use crate::calendar::Day;
use crate::random::Random;

const PLACES: u64 = 50;
const KEY: u64 = 51;

/// A line of a claim: its codes, and its amounts in cents.
#[derive(Default)]
struct Line {
    npi: Option<u64>,
    tax_number: Option<u64>,
    hcpcs: Cow<'static, str>,
    payment: i64,
    deductible: i64,
    primary: i64,
    coinsurance: i64,
    indicator: &'static str,
    diagnosis: Cow<'static, str>,
}

/// Writes one of the two files, 0 or 1: half of the claims, in the order of their beneficiaries and
/// dates.
pub(super) fn write(dir: &Path, options: &Options, part: u32) -> io::Result<FileManifest> {
    let table = Table::Carrier;
    let seed = options.seed;
    let population = options.population();
    let half = options.carrier.div_ceil(2);
    let numbers = match part {
        0 => 0..half,
        _ => half..options.carrier,
    };
    let count = numbers.end - numbers.start;
    let random = Random::of(seed, PLACES, u64::from(part));
    let flaws = Flaws::place(&options.dirt, table, count, count, random, |_| true)?;

    let name = table.file_name(part, options.sample);
    let mut file = options.create(&dir.join(&name), table)?;
    let (mut cleansed, mut accepted_cents) = (0, 0);
    let mut number = 0;
    let first = Day::of(2008, 1, 1);
    for (beneficiary, share) in population.spread(table, options.carrier) {
        let person = population.person(beneficiary);
        let span = person.last_day().since(first) + 1;
        for nth in 0..share {
            if numbers.contains(&number) {
                let flaw = flaws.of(number - numbers.start);
                let fault = flaw.map(|flaw| flaw.fault);
                let mut row = Row::new(&mut file, table, seed, number, fault);
                row.file.hex(match fault {
                    Some(Fault::OrphanClaim) => population.stranger(beneficiary),
                    _ => person.id,
                });
                let key_of = flaw.map_or(number, |flaw| numbers.start + flaw.key_of);
                row.file
                    .digits(claim_id(seed, key_of) + options.first_number(), 15);
                let (start, end) = (span * nth / share, span * (nth + 1) / share);
                let from = first.plus(start + row.random.below(end - start));
                let length = row.random.weighted(&[(0, 97), (1, 1), (6, 1), (29, 1)]);
                dates(&mut row, from, person.last_day().min(from.plus(length)));
                let (lines, payment) = lines(&mut row);
                if !fault.is_some_and(Fault::rejects) {
                    cleansed += lines;
                    accepted_cents += payment;
                }
                file.end_row()?;
            }
            number += 1;
        }
    }
    Ok(FileManifest {
        table,
        year: None,
        cleansed,
        name,
        rows: file.finish()?,
        faults: flaws.into_counts(),
        shapes: Shapes::default(),
        accepted_cents,
    })
}

/// Fifteen digits, as CMS's: `887`, two of no meaning, a running number.
fn claim_id(seed: u64, number: u64) -> u64 {
    let filler = 1 + Random::of(seed, KEY, number).below(99);
    (887 * 100 + filler) * 10_000_000_000 + 3_386_600_000 + number
}

fn dates(row: &mut Row, from: Day, thru: Day) {
    if row.has(Fault::DateOrder) {
        let days = 1 + row.dirt.below(30);
        row.file.date(thru.plus(days));
        row.file.date(thru);
    } else {
        row.date(0, Some(from));
        row.date(1, Some(thru));
    }
}

/// Fills the diagnoses and the lines; gives how many lines there are and what was paid, in cents.
fn lines(row: &mut Row) -> (u64, i64) {
    let count = row
        .random
        .weighted(&[(1, 40), (2, 25), (3, 15), (4, 12), (5, 4), (6, 2), (8, 2)]);
    diagnoses(row, count, 8);
    let any = 6 + row.random.below(8) as usize;
    let count = row
        .random
        .weighted(&[(1, 62), (2, 17), (3, 9), (4, 5), (5, 3), (any, 4)]);
    let npi = row.random.below(10_000_000_000);
    let tax_number = row.random.below(1_000_000_000);
    let lines: [Option<Line>; LINES] = std::array::from_fn(|number| {
        (number < count).then(|| line(&mut row.random, npi, tax_number))
    });
    let said = || lines.iter().map(Option::as_ref);

    for (number, line) in said().enumerate() {
        if number > 0 || !row.spoil(Fault::BadNpi, 0, &BAD_NPIS) {
            digits(row, line.and_then(|line| line.npi), 10);
        }
    }
    for (number, line) in said().enumerate() {
        if number > 0 || !row.spoil(Fault::BadTaxNumber, 0, &BAD_TAX_NUMBERS) {
            digits(row, line.and_then(|line| line.tax_number), 9);
        }
    }
    for (number, line) in said().enumerate() {
        if number > 0 || !row.spoil(Fault::BadCode, 1, &BAD_HCPCS) {
            row.file.text(line.map_or("", |line| &line.hcpcs));
        }
    }
    let amounts: [fn(&Line) -> i64; 5] = [
        |line| line.payment,
        |line| line.deductible,
        |line| line.primary,
        |line| line.coinsurance,
        |line| line.payment + line.deductible + line.coinsurance,
    ];
    for (place, amount) in (0..).zip(amounts) {
        for (number, line) in said().enumerate() {
            let cents = line.map_or(0, amount);
            match number {
                0 => row.amount(place, cents),
                _ => row.file.amount(cents),
            }
        }
    }
    for line in said() {
        row.file.text(line.map_or("", |line| line.indicator));
    }
    for (number, line) in said().enumerate() {
        if number > 0 || !row.spoil(Fault::BadCode, 2, &BAD_DIAGNOSES) {
            row.file.text(line.map_or("", |line| &line.diagnosis));
        }
    }
    let payments = said().flatten().map(|line| line.payment);
    (count as u64, payments.sum())
}

fn digits(row: &mut Row, number: Option<u64>, width: usize) {
    match number {
        Some(number) => row.file.digits(number, width),
        None => row.file.empty(1),
    }
}

/// A line of a claim of this physician. Some lines lack a code, and one in seven is not paid.
fn line(random: &mut Random, npi: u64, tax_number: u64) -> Line {
    let is_paid = random.chance(6, 7);
    let payment = if is_paid { rounded_amount(random) } else { 0 };
    Line {
        npi: (!random.chance(1, 500)).then_some(npi),
        tax_number: Some(tax_number),
        hcpcs: match random.chance(1, 18) {
            true => "".into(),
            false => any_hcpcs(random),
        },
        payment,
        deductible: random.weighted(&[(0, 96), (2_000, 2), (6_000, 2)]),
        primary: random.weighted(&[(0, 995), (1_000, 3), (20_000, 2)]),
        coinsurance: payment / 5_000 * 1_000,
        indicator: random.weighted(&[
            ("A", 860),
            ("O", 65),
            ("C", 40),
            ("M", 10),
            ("N", 10),
            ("S", 10),
            ("R", 3),
            ("<", 1),
            ("!", 1),
        ]),
        diagnosis: match random.chance(1, 33) {
            true => "".into(),
            false => any_diagnosis(random),
        },
    }
}
