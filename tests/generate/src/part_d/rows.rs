//! The rows of the four tables, each a function of its number.

use std::io;

use super::Options;
use super::dirt::{Fault, Flaw, Flaws};
use super::tables::Table;
use super::world::{
    City, Drugs, MOST_CITIES, MOST_PRESCRIBERS, Place, Prescriber, coprime, home, is_away, place,
};
use crate::csv::CsvFile;
use crate::random::Random;

const PLACES: u64 = 62;
const VALUES: u64 = 64;
const FAULTS: u64 = 68;
const OF_PRESCRIBER: u64 = 72;

/// Costs in cents: the end of a range in which each is as likely, and the range's weight. The mean
/// is that of the real table, 5,981 dollars.
const COSTS: [(u64, u64); 4] = [
    (20_000, 50),
    (100_000, 25),
    (1_000_000, 15),
    (10_112_300, 10),
];

/// Everything that rows are made of.
pub(super) struct Source {
    options: Options,
    /// Cities without a fault.
    cities: u64,
    drugs: Drugs,
    /// Antibiotics whose rows contradict each other.
    conflicts: u64,
    /// Prescribers, those that `prescriber` lacks at the end.
    people: u64,
    /// Prescribers stand in `prescriber_drug` in another order: so many further on each time.
    stride: u64,
    prescribers: Flaws,
    prescribed: Flaws,
}

/// What a row of `prescriber_drug` says.
pub(super) struct Prescribed {
    prescriber: u64,
    place: Place,
    pub(super) pair: u64,
    claims: u64,
    pub(super) cents: u64,
    random: Random,
}

impl Source {
    pub(super) fn of(options: &Options) -> io::Result<Self> {
        let wrong = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text);
        let dirt = &options.dirt;
        let cities = options.cities - dirt.count(Fault::UnknownState, options.cities)?;
        let people = options.prescribers * 1_000 / (1_000 - options.strangers.min(999));
        if cities == 0 || cities > MOST_CITIES {
            return Err(wrong("there are no, or too many, cities"));
        }
        if options.pairs == 0 || options.drugs < 2 * options.pairs {
            return Err(wrong("each drug needs at least two rows"));
        }
        if options.prescribers == 0 || people > MOST_PRESCRIBERS {
            return Err(wrong("there are no, or too many, prescribers"));
        }
        if options.prescriber_drugs.div_ceil(people) > options.pairs {
            return Err(wrong("a prescriber has more rows than there are drugs"));
        }
        if options.part.0 >= options.part.1 {
            return Err(wrong("parts are counted from 0, and are fewer than all"));
        }
        let seed = options.seed;
        let mut stride = (people * 618 / 1_000).max(1);
        while !coprime(stride, people) {
            stride += 1;
        }
        let drugs = Drugs {
            pairs: options.pairs,
        };
        let mut source = Self {
            options: options.clone(),
            cities,
            drugs,
            conflicts: dirt.count(Fault::FlagConflict, drugs.antibiotics())?,
            people,
            stride,
            prescribers: Flaws::default(),
            prescribed: Flaws::default(),
        };
        source.prescribers = Flaws::place(
            dirt,
            Table::Prescriber,
            options.prescribers,
            Random::of(seed, PLACES, 0),
            |fault, row, flaws| match fault {
                Fault::CityState => !is_away(seed, row),
                // The row before is that of the same prescriber, and sound.
                Fault::RepeatedPrescriber => {
                    let repeats = flaws.of(row + 1);
                    row > 0
                        && flaws.of(row - 1).is_none()
                        && repeats.is_none_or(|flaw| flaw.fault != Fault::RepeatedPrescriber)
                }
                _ => true,
            },
        )?;
        source.prescribed = Flaws::place(
            dirt,
            Table::PrescriberDrug,
            options.prescriber_drugs,
            Random::of(seed, PLACES, 1),
            |fault, row, _| fault != Fault::CityState || !is_away(seed, source.prescriber(row)),
        )?;
        Ok(source)
    }

    /// The rows of the part: the first, and the one behind the last.
    pub(super) fn part_of(&self, table: Table) -> (u64, u64) {
        let (part, parts) = self.options.part;
        let of = |rows: u64| (rows * part / parts, rows * (part + 1) / parts);
        let whole = |rows: u64| if part == 0 { (0, rows) } else { (rows, rows) };
        match table {
            Table::State => whole(self.options.cities),
            Table::Drug => whole(self.options.drugs),
            Table::Prescriber => of(self.options.prescribers),
            Table::PrescriberDrug => of(self.options.prescriber_drugs),
        }
    }

    /// What is wrong with a row, as far as the part's rows and those before it show.
    pub(super) fn fault(&self, table: Table, number: u64) -> Option<Fault> {
        match table {
            Table::State => (number >= self.cities).then_some(Fault::UnknownState),
            Table::Drug => {
                let (pair, nth) = self.drug(number);
                if self.lacks_brand(number) {
                    Some(Fault::MissingBrand)
                } else {
                    (nth == 0 && self.is_conflict(pair)).then_some(Fault::FlagConflict)
                }
            }
            Table::Prescriber => self.prescribers.of(number).map(|flaw| flaw.fault),
            Table::PrescriberDrug => {
                let flaw = self.prescribed.of(number)?;
                let (_, end) = self.part_of(table);
                (flaw.partner < end).then_some(flaw.fault)
            }
        }
    }

    pub(super) fn write(&self, file: &mut CsvFile, table: Table, number: u64) -> io::Result<()> {
        match table {
            Table::State => self.write_state(file, number),
            Table::Drug => self.write_drug(file, number),
            Table::Prescriber => self.write_prescriber(file, number),
            Table::PrescriberDrug => self.write_prescribed(file, number),
        }
        file.end_row()
    }

    fn values(&self, table: Table, number: u64) -> Random {
        Random::of(self.options.seed, VALUES + table as u64, number)
    }

    fn faults(&self, table: Table, number: u64) -> Random {
        Random::of(self.options.seed, FAULTS + table as u64, number)
    }

    // ---- state ----------------------------------------------------------------------------------

    fn write_state(&self, file: &mut CsvFile, number: u64) {
        let mut random = self.values(Table::State, number);
        let (name, ascii, state) = if number < self.cities {
            let city = City(number);
            let (name, ascii) = city.names();
            (name, ascii, city.state())
        } else {
            let name = format!("Nowhere {number}");
            (name.clone(), name, ("XX", "99", "Nowhere"))
        };
        file.text(&name);
        file.text(&ascii);
        file.text(state.0);
        file.text(state.2);
        let county = random.below(200) * 2 + 1;
        file.text(&format!("{}{county:03}", state.1));
        file.text(&format!("County {county}"));
        file.decimal(250_000 + random.below(240_000) as i64, 4);
        file.decimal(-1_240_000 + random.below(570_000) as i64, 4);
        file.digits(random.below(1_000) * (1 + random.below(1_000)), 1);
        file.decimal(random.below(50_000) as i64, 1);
        file.text("America/New_York");
        let zip = 501 + random.below(99_000);
        file.text(&format!("{zip:05} {:05}", zip + 1));
    }

    // ---- drug -----------------------------------------------------------------------------------

    /// The pair of a row of `drug`, and which of its rows it is: the first is that for the nation.
    fn drug(&self, number: u64) -> (u64, u64) {
        let (rows, pairs) = (self.options.drugs, self.options.pairs);
        let pair = number * pairs / rows;
        (pair, number - (pair * rows).div_ceil(pairs))
    }

    pub(super) fn brand_number(&self, pair: u64) -> u64 {
        self.drugs.brand_number(pair)
    }

    pub(super) fn is_antibiotic(&self, pair: u64) -> bool {
        self.drugs.antibiotic(pair).is_some()
    }

    fn is_conflict(&self, pair: u64) -> bool {
        let antibiotic = self.drugs.antibiotic(pair);
        antibiotic.is_some_and(|which| which < self.conflicts)
    }

    /// Rows without a brand are the last ones of their pairs.
    fn lacks_brand(&self, number: u64) -> bool {
        let rows = self.options.drugs;
        let faulty = self.options.dirt.count(Fault::MissingBrand, rows);
        let faulty = faulty.unwrap_or(0).min(self.options.pairs);
        let (pair, _) = self.drug(number);
        let last = number + 1 == rows || self.drug(number + 1).0 != pair;
        last && pair * faulty / self.options.pairs != (pair + 1) * faulty / self.options.pairs
    }

    fn write_drug(&self, file: &mut CsvFile, number: u64) {
        let mut random = self.values(Table::Drug, number);
        let (pair, nth) = self.drug(number);
        if nth == 0 {
            file.text("National");
            file.empty(1);
            file.text("National");
        } else {
            let state = City(nth - 1).state();
            file.text("State");
            file.text(state.1);
            file.text(state.2);
        }
        if self.lacks_brand(number) {
            missing(file, &mut self.faults(Table::Drug, number));
        } else {
            file.text(&self.drugs.brand(pair));
        }
        file.text(&self.drugs.generic(pair));
        let claims = 11 + random.below(100_000);
        file.digits(1 + claims / 9, 1);
        counts(file, &mut random, claims);
        file.decimal(random.below(10_000_000) as i64, 2);
        file.decimal(random.below(90_000_000) as i64, 2);
        flag(file, pair % 40 == 7);
        flag(file, pair % 80 == 7);
        flag(
            file,
            self.is_antibiotic(pair) && (nth == 0 || !self.is_conflict(pair)),
        );
        flag(file, pair % 50 == 9);
    }

    // ---- prescriber -----------------------------------------------------------------------------

    fn write_prescriber(&self, file: &mut CsvFile, number: u64) {
        let seed = self.options.seed;
        let mut random = self.values(Table::Prescriber, number);
        let mut dirt = self.faults(Table::Prescriber, number);
        let fault = self.prescribers.of(number).map(|flaw| flaw.fault);
        let repeated = fault == Some(Fault::RepeatedPrescriber);
        let who = if repeated { number - 1 } else { number };
        let prescriber = Prescriber::of(seed, who);
        let mut place = match repeated {
            true => place(&mut random, self.cities),
            false => home(seed, who, self.cities),
        };
        if fault == Some(Fault::CityState) {
            place = place.misplaced(&mut dirt);
        }
        npi(file, prescriber.npi, fault, &mut dirt);
        file.text(&prescriber.last);
        first_name(file, &prescriber, &mut random);
        file.empty(1);
        file.text(if prescriber.first.is_some() {
            "M.D."
        } else {
            ""
        });
        file.text(if prescriber.first.is_some() { "I" } else { "O" });
        file.text(&format!("{} Main St", 1 + random.below(9_000)));
        file.quoted("");
        file.text(&place.city);
        state(file, &place, fault, &mut dirt);
        file.digits(501 + random.below(99_000), 5);
        file.text("1");
        file.text("Metropolitan area core: primary flow within an urbanized area");
        file.text("US");
        file.text(prescriber.specialty);
        file.text("S");
        let claims = 11 + random.below(5_000);
        file.digits(claims, 1);
        file.decimal((claims * 15) as i64, 1);
        file.amount(random.below(100_000_000) as i64);
        file.digits(claims * 40, 1);
        file.digits(11 + claims / 10, 1);
    }

    // ---- prescriber_drug ------------------------------------------------------------------------

    /// Of whom the rows around this one are, and how many of them stand before it.
    fn slot(&self, number: u64) -> (u64, u64) {
        let rows = self.options.prescriber_drugs;
        let slot = (u128::from(number) * u128::from(self.people) / u128::from(rows)) as u64;
        let first = (u128::from(slot) * u128::from(rows)).div_ceil(u128::from(self.people));
        (slot, number - first as u64)
    }

    fn prescriber(&self, number: u64) -> u64 {
        let (slot, _) = self.slot(number);
        (u128::from(slot) * u128::from(self.stride) % u128::from(self.people)) as u64
    }

    /// What a row says, faults aside but for what concerns its key and place.
    pub(super) fn prescribed(&self, number: u64) -> Prescribed {
        let seed = self.options.seed;
        let flaw = self.prescribed.of(number);
        let key = flaw.filter(|flaw| flaw.second);
        let key = key.map_or(number, |flaw| flaw.partner);
        let prescriber = self.prescriber(key);
        let (_, nth) = self.slot(key);
        let mut of_prescriber = Random::of(seed, OF_PRESCRIBER, prescriber);
        let mut place = home(seed, prescriber, self.cities);
        if flaw.is_some_and(|flaw| flaw.fault == Fault::CityState) {
            place = place.misplaced(&mut self.faults(Table::PrescriberDrug, number));
        }
        let mut random = self.values(Table::PrescriberDrug, number);
        let top = random.weighted(&COSTS);
        Prescribed {
            prescriber,
            place,
            pair: self.drugs.of(&mut of_prescriber, nth),
            claims: 11 + random.below(30) * random.below(10),
            cents: random.below(top),
            random,
        }
    }

    /// Whether the prescriber report has the row, which is sound.
    pub(super) fn joins(&self, row: &Prescribed) -> bool {
        let (_, prescribers) = self.part_of(Table::Prescriber);
        let flaw = self.prescribers.of(row.prescriber);
        row.place.listed()
            && row.prescriber < prescribers
            && flaw.is_none_or(|flaw| flaw.fault == Fault::CityState)
    }

    fn write_prescribed(&self, file: &mut CsvFile, number: u64) {
        let mut row = self.prescribed(number);
        let mut dirt = self.faults(Table::PrescriberDrug, number);
        let fault = self.prescribed.of(number).map(|Flaw { fault, .. }| fault);
        let has = |wanted| fault == Some(wanted);
        let prescriber = Prescriber::of(self.options.seed, row.prescriber);
        npi(file, prescriber.npi, fault, &mut dirt);
        file.text(&prescriber.last);
        first_name(file, &prescriber, &mut row.random);
        file.text(&row.place.city);
        state(file, &row.place, fault, &mut dirt);
        if has(Fault::MissingSpecialty) {
            missing(file, &mut dirt);
        } else {
            file.text(prescriber.specialty);
        }
        file.text(row.random.pick(&["S", "T"]));
        match fault {
            Some(Fault::MissingBrand) => missing(file, &mut dirt),
            Some(Fault::UnlistedDrug) => file.text(&format!("Unlisted {number}")),
            _ => file.text(&self.drugs.brand(row.pair)),
        }
        file.text(&self.drugs.generic(row.pair));
        let claims = match fault {
            Some(Fault::FewClaims) => 1 + dirt.below(10),
            _ => row.claims,
        };
        if has(Fault::MissingClaims) {
            file.empty(1);
        } else {
            file.digits(claims, 1);
        }
        let fills = claims * 10 + row.random.below(claims * 10);
        let fills = match fault {
            Some(Fault::FewFills) => claims * 10 - 1,
            _ => fills,
        };
        file.decimal(fills as i64, 1);
        file.digits(claims * 30, 1);
        let cents = row.cents as i64;
        file.amount(if has(Fault::NegativeCost) {
            -1 - cents
        } else {
            cents
        });
        benes(file, &mut row.random, claims);
        match fault {
            Some(Fault::BadFlag) => {
                file.text(dirt.pick(&["X", "0", "**"]));
                file.empty(4);
            }
            Some(Fault::Unsuppressed) => {
                file.text(dirt.pick(&["*", "#"]));
                over_65(file, claims, fills, cents, true);
            }
            _ => {
                let flag = row.random.weighted(&[("", 60), ("*", 25), ("#", 15)]);
                match flag {
                    "" if row.random.chance(1, 2) => file.quoted(""),
                    flag => file.text(flag),
                }
                match flag {
                    "" => over_65(file, claims, fills, cents, true),
                    _ => file.empty(4),
                }
            }
        }
        let flag = row.random.weighted(&[("", 30), ("*", 50), ("#", 20)]);
        file.text(flag);
        match flag {
            "" => file.digits(11 + row.random.below(claims), 1),
            _ => file.empty(1),
        }
    }
}

/// A text that is missing: null, or the empty text.
fn missing(file: &mut CsvFile, random: &mut Random) {
    if random.chance(1, 2) {
        file.quoted("");
    } else {
        file.empty(1);
    }
}

fn flag(file: &mut CsvFile, set: bool) {
    file.text(if set { "Y" } else { "N" });
}

fn first_name(file: &mut CsvFile, prescriber: &Prescriber, random: &mut Random) {
    match prescriber.first {
        Some(first) => file.text(first),
        None => missing(file, random),
    }
}

fn npi(file: &mut CsvFile, npi: u64, fault: Option<Fault>, dirt: &mut Random) {
    if fault != Some(Fault::BadNpi) {
        return file.digits(npi, 10);
    }
    match dirt.below(3) {
        0 => file.digits(npi / 10, 9),
        // Another check digit.
        1 => file.digits(npi - npi % 10 + (npi + 1 + dirt.below(9)) % 10, 10),
        _ => file.text(&format!("{}O{:02}", npi / 1_000, npi % 100)),
    }
}

fn state(file: &mut CsvFile, place: &Place, fault: Option<Fault>, dirt: &mut Random) {
    file.text(match fault {
        Some(Fault::UnknownState) => dirt.pick(&["ZZ", "AE", "XX", "al"]),
        _ => place.state.0,
    });
    file.text(place.state.1);
}

/// Patients: left blank where they are fewer than 11.
fn benes(file: &mut CsvFile, random: &mut Random, claims: u64) {
    match random.below(claims) {
        few if few < 11 => file.empty(1),
        benes => file.digits(benes, 1),
    }
}

/// The columns from the claims to the number of patients of 65 and more, in the order of `drug`.
fn counts(file: &mut CsvFile, random: &mut Random, claims: u64) {
    let fills = claims * 15;
    let cents = (claims * random.below(90_000)) as i64;
    file.digits(claims, 1);
    file.decimal(fills as i64, 1);
    file.decimal(cents, 2);
    benes(file, random, claims);
    let flag = random.weighted(&[("", 80), ("*", 10), ("#", 10)]);
    file.text(flag);
    match flag {
        "" => over_65(file, claims, fills, cents, false),
        _ => file.empty(3),
    }
    let flag = random.weighted(&[("", 80), ("*", 20)]);
    file.text(flag);
    match flag {
        "" => file.digits(11 + random.below(claims), 1),
        _ => file.empty(1),
    }
}

/// What patients of 65 and more have of claims, fills, cost and, where `days`, days.
fn over_65(file: &mut CsvFile, claims: u64, fills: u64, cents: i64, days: bool) {
    file.digits(claims, 1);
    file.decimal(fills as i64, 1);
    file.decimal(cents, 2);
    if days {
        file.digits(claims * 30, 1);
    }
}
