//! The Beneficiary Summary files, one per year.

use std::io;
use std::path::Path;

use super::Options;
use super::columns::Table;
use super::dirt::{Fault, Flaws};
use super::manifest::{FileManifest, Shapes, rejected};
use super::people::{Person, YEARS};
use super::row::Row;
use super::values::{BAD_COUNTIES, BAD_ESRD, BAD_FLAGS, BAD_STATES, rounded_amount};
use crate::random::Random;

const PLACES: u64 = 10;

/// Of a hundred persons, how many have each of the eleven conditions.
const CONDITIONS: [u64; 11] = [20, 30, 18, 6, 13, 22, 38, 44, 18, 18, 5];

pub(super) fn write(dir: &Path, options: &Options, year: u32) -> io::Result<FileManifest> {
    let population = options.population();
    let [first_year, second_year, _] = YEARS;
    let is_in = |number: u64| population.person(number).is_in(year);
    let rows = (0..population.size).filter(|number| is_in(*number)).count() as u64;
    // Persons of even number can have a faulty row in the first year only, the others not then: each
    // keeps a sound row, and claims lose their beneficiary only where a fault says so.
    let eligible = |number: u64| {
        let first = year == first_year;
        first == number.is_multiple_of(2)
            && is_in(number)
            && (!first || population.person(number).is_in(second_year))
    };
    let random = Random::of(options.seed, PLACES, u64::from(year));
    let flaws = Flaws::place(
        &options.dirt,
        Table::Beneficiary,
        rows,
        population.size,
        random,
        eligible,
    )?;

    let name = Table::Beneficiary.file_name(year, options.sample);
    let mut file = options.create(&dir.join(&name), Table::Beneficiary)?;
    let mut shapes = Shapes::default();
    for number in 0..population.size {
        let person = population.person(number);
        if person.is_in(year) {
            let seed = options.seed ^ u64::from(year);
            let fault = flaws.of(number).map(|flaw| flaw.fault);
            let mut row = Row::new(&mut file, Table::Beneficiary, seed, number, fault);
            fill(&mut row, &person, year);
            shapes.negative_amount += u64::from(row.has_negative);
            file.end_row()?;
        }
    }
    let rows = file.finish()?;
    let faults = flaws.into_counts();
    Ok(FileManifest {
        table: Table::Beneficiary,
        year: Some(year),
        name,
        cleansed: rows - rejected(&faults),
        rows,
        faults,
        shapes,
        accepted_cents: 0,
    })
}

fn fill(row: &mut Row, person: &Person, year: u32) {
    row.file.hex(person.id);
    row.date(0, Some(person.birth));
    if row.has(Fault::DateOrder) {
        let days = 1 + row.dirt.below(3_000);
        row.file.date(person.birth.minus(days));
    } else {
        row.date(
            1,
            person
                .death
                .filter(|death| death.yyyymmdd() / 10_000 == i64::from(year)),
        );
    }
    row.file.digits(person.sex, 1);
    row.file.digits(person.race, 1);
    let esrd = row.random.weighted(&[("0", 91), ("Y", 9)]);
    if !row.spoil(Fault::BadFlag, 0, &BAD_ESRD) {
        row.file.text(esrd);
    }
    if !row.spoil(Fault::BadCode, 0, &BAD_STATES) {
        row.file.digits(person.state, 2);
    }
    if !row.spoil(Fault::BadCode, 1, &BAD_COUNTIES) {
        row.file.digits(person.county, 3);
    }
    for (place, (usual, likely)) in (0..).zip([(12, 90), (12, 86), (0, 72)]) {
        let any = row.random.below(13);
        let months = if row.random.chance(likely, 100) {
            usual
        } else {
            any
        };
        row.count(place, Some(months));
    }
    let any = row.random.below(13);
    let months_of_plan = row.random.weighted(&[(0, 25), (12, 62), (any, 13)]);
    row.file.digits(months_of_plan, 2);
    for (place, share) in (1..).zip(CONDITIONS) {
        let flag = if row.random.chance(share, 100) {
            "1"
        } else {
            "2"
        };
        if !row.spoil(Fault::BadFlag, place, &BAD_FLAGS) {
            row.file.text(flag);
        }
    }
    let payments = [
        inpatient(&mut row.random, year),
        visits(&mut row.random),
        visits(&mut row.random),
    ];
    for (place, cents) in (0..).zip(payments.into_iter().flatten()) {
        row.amount(place, cents);
    }
}

/// What Medicare, the beneficiary and other payers paid, in cents.
fn inpatient(random: &mut Random, year: u32) -> [i64; 3] {
    let deductible = match year {
        2008 => 102_400,
        2009 => 106_800,
        _ => 110_000,
    };
    match random.weighted(&[(0, 860), (1, 100), (2, 30), (3, 10)]) {
        0 => [0; 3],
        stays => {
            let medicare = stays * (1 + random.below(15) as i64) * 100_000;
            [
                medicare,
                stays * deductible,
                random.weighted(&[(0, 40), (900_000, 1)]),
            ]
        }
    }
}

/// As [`inpatient`], for outpatient and carrier claims. Some years end with money paid back.
fn visits(random: &mut Random) -> [i64; 3] {
    let medicare = rounded_amount(random);
    let other = random.weighted(&[(0, 9), (5_000, 1)]);
    match random.below(200) {
        0 => [-medicare, 0, 0],
        1..=80 => [0; 3],
        _ => [medicare, medicare / 5_000 * 1_000, other],
    }
}
