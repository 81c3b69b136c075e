//! The rows of the nine files, each a function of its number.

use std::io;

use super::dirt::{Fault, Flaw, Flaws};
use super::tables::Table;
use super::{Delivery, Options};
use crate::calendar::Day;
use crate::csv::CsvFile;
use crate::random::Random;

const PLACES: u64 = 81;
const VALUES: u64 = 91;
const FAULTS: u64 = 101;

const FIRST_NAMES: [&str; 8] = [
    "Ada", "Zoë", "Søren", "Нина", "José", "Siân", "Per-Ole", "明子",
];
const LAST_NAMES: [&str; 7] = [
    "Lovelace",
    "O'Brien",
    "Müller",
    "Иванова",
    "de la Cruz",
    "Smith, Jr.",
    "Okafor",
];
const PLACES_OF_PEOPLE: [(&str, &str); 8] = [
    ("Albuquerque", "NM"),
    ("Santa Fe", "NM"),
    ("Española", "NM"),
    ("El Paso", "TX"),
    ("Denver", "CO"),
    ("Flagstaff", "AZ"),
    ("Winston-Salem", "NC"),
    ("St. Paul", "MN"),
];
const SPECIALTIES: [&str; 12] = [
    "Anesthesiology",
    "Cardiology",
    "Critical Care",
    "Dermatology",
    "Emergency Medicine",
    "Family Medicine",
    "Gastroenterology",
    "Internal Medicine, General",
    "Neurology",
    "Oncology",
    "Orthopedics",
    "Radiology",
];
const PAYERS: [&str; 5] = [
    "Medicare",
    "Medicaid",
    "Commercial",
    "Self Pay",
    "Workers' Compensation",
];
const HOSPITALS: [&str; 11] = [
    "North Valley Hospital",
    "South Valley Hospital",
    "Lakeside Clinic",
    "Riverbend Clinic",
    "Mesa Surgery Center, East",
    "Mesa Surgery Center, West",
    "Juniper Imaging",
    "Old Town Family Practice",
    "Cottonwood Urgent Care",
    "St. Vitus General",
    "Piñon Rehabilitation",
];
const REASONS: [&str; 6] = [
    "Contractual",
    "Credentialing",
    "Charity Care",
    "Timely Filing",
    "Bad Debt, Collections",
    "Small Balance",
];
const GROUPS: [&str; 5] = [
    "Evaluation and Management",
    "Surgery",
    "Radiology",
    "Pathology and Laboratory",
    "Medicine",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 5] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"];

/// Everything that rows are made of.
pub(super) struct World {
    options: Options,
    facts: Flaws,
    later_facts: Flaws,
    dimensions: Vec<(Table, Flaws)>,
}

/// What a fact says, in cents, its format and faults of format aside.
pub(super) struct Money {
    pub(super) charge: i64,
    pub(super) payment: i64,
    pub(super) adjustment: i64,
    pub(super) ar: i64,
}

impl World {
    pub(super) fn of(options: &Options) -> io::Result<Self> {
        let wrong = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text);
        let some = |table: &Table| options.rows(*table) > 0;
        if !Table::ALL.iter().all(some) {
            return Err(wrong("each file needs a row"));
        }
        if options.dates > 5_000 {
            return Err(wrong("there are too many dates"));
        }
        let seed = options.seed;
        let (facts, all) = (options.facts, options.facts + options.later_facts());
        let place = |table: Table, rows, nth| {
            Flaws::place(
                &options.dirt,
                table,
                rows,
                Random::of(seed, PLACES + table as u64, nth),
            )
        };
        let mut dimensions = Vec::new();
        for table in Table::ALL {
            if table != Table::Fact {
                let flaws = place(table, 0..options.rows(table), 0)?;
                let sound = (0..options.rows(table))
                    .any(|row| flaws.of(row).is_none_or(|flaw| !flaw.fault.rejects()));
                if !sound {
                    return Err(wrong("too much dirt: a dimension has no sound row"));
                }
                dimensions.push((table, flaws));
            }
        }
        Ok(Self {
            options: options.clone(),
            facts: place(Table::Fact, 0..facts, 0)?,
            later_facts: place(Table::Fact, facts..all, 1)?,
            dimensions,
        })
    }

    /// What is wrong with a row, as it is delivered.
    pub(super) fn flaw(&self, table: Table, number: u64, delivery: Delivery) -> Option<Flaw> {
        if table != Table::Fact {
            let flaws = self.dimensions.iter().find(|(other, _)| *other == table);
            return flaws?.1.of(number);
        }
        let flaw = match number < self.options.facts {
            true => self.facts.of(number),
            false => self.later_facts.of(number),
        }?;
        let second = delivery == Delivery::Second;
        match flaw.fault {
            // What the second delivery mends: the amounts it sends anew, the patients it brings.
            Fault::BadAmount if second && number < self.options.facts => None,
            Fault::LatePatient if second => None,
            _ => Some(flaw),
        }
    }

    /// The rule of the billing pipeline that finds the fault in the row.
    pub(super) fn rule(&self, table: Table, number: u64, fault: Fault) -> String {
        let key = match table {
            Table::Fact => "fact_table_pk".to_owned(),
            _ => format!("{}_pk", table.name()),
        };
        match fault {
            Fault::MissingKey => format!("not_null({key})"),
            Fault::BadKey => format!("pattern({key})"),
            Fault::RepeatedKey => format!("unique({key})"),
            Fault::BadAmount => "bad_amount".to_owned(),
            Fault::BadDate => "bad_date".to_owned(),
            Fault::BadNumber => "bad_number".to_owned(),
            Fault::Unbalanced => "ar_is_the_sum".to_owned(),
            Fault::PositivePayment => "payment_is_negative".to_owned(),
            Fault::NoPayer => "not_null(dim_payer_pk)".to_owned(),
            Fault::LatePatient => "references(dim_patient_pk)".to_owned(),
            Fault::Orphan => format!("references({}_pk)", self.stranger(number).name()),
            Fault::OtherDay => "key_is_its_date".to_owned(),
            Fault::MissingCode if table == Table::CptCode => "not_null(cpt_code)".to_owned(),
            Fault::MissingCode => "not_null(diagnosis_code)".to_owned(),
            Fault::ImpossibleAge => "range(patient_age)".to_owned(),
            Fault::SharedNumber => "unique(patient_number)".to_owned(),
            Fault::ShortNpi => "npi".to_owned(),
        }
    }

    pub(super) fn write(
        &self,
        file: &mut CsvFile,
        table: Table,
        number: u64,
        delivery: Delivery,
    ) -> io::Result<()> {
        match table {
            Table::Fact => self.write_fact(file, number, delivery),
            Table::Patient => self.write_patient(file, number, delivery),
            Table::Physician => self.write_physician(file, number),
            Table::Transaction => self.write_transaction(file, number),
            Table::Payer => {
                self.write_key(file, table, number);
                file.text(PAYERS.get(number as usize % PAYERS.len()).unwrap_or(&""));
            }
            Table::Location => {
                self.write_key(file, table, number);
                file.text(
                    HOSPITALS
                        .get(number as usize % HOSPITALS.len())
                        .unwrap_or(&""),
                );
            }
            Table::Date => self.write_date(file, number),
            Table::CptCode => self.write_cpt_code(file, number),
            Table::DiagnosisCode => self.write_diagnosis_code(file, number),
        }
        file.end_row()
    }

    fn values(&self, table: Table, number: u64) -> Random {
        Random::of(self.options.seed, VALUES + table as u64, number)
    }

    fn faults(&self, table: Table, number: u64) -> Random {
        Random::of(self.options.seed, FAULTS + table as u64, number)
    }

    fn fault(&self, table: Table, number: u64) -> Option<Fault> {
        Some(self.flaw(table, number, Delivery::First)?.fault)
    }

    // ---- keys -----------------------------------------------------------------------------------

    fn key(&self, table: Table, number: u64) -> u64 {
        match table {
            Table::Fact => number + 1,
            Table::Patient => 757_001 + number,
            Table::Physician => 2_001 + number,
            Table::Transaction => 101 + number,
            Table::Payer | Table::Location => 1 + number,
            Table::Date => day(number).yyyymmdd().unsigned_abs(),
            Table::CptCode => 30_001 + number,
            Table::DiagnosisCode => 60_001 + number,
        }
    }

    /// The row's own key, the first column.
    fn write_key(&self, file: &mut CsvFile, table: Table, number: u64) {
        let flaw = self.flaw(table, number, Delivery::First);
        let key = self.key(table, number);
        match flaw.map(|flaw| flaw.fault) {
            Some(Fault::MissingKey) => file.empty(1),
            Some(Fault::BadKey) => {
                let bad = self
                    .faults(table, number)
                    .pick(&["12A", "1.0", "n/a", "007"]);
                file.text(bad);
            }
            Some(Fault::RepeatedKey) => {
                let like = flaw.map_or(number, |flaw| flaw.like);
                file.digits(self.key(table, like), 1);
            }
            Some(Fault::OtherDay) => {
                let other = day(self.options.dates + number);
                file.digits(other.yyyymmdd().unsigned_abs(), 1);
            }
            _ => file.digits(key, 1),
        }
    }

    /// A row of a dimension that facts may name.
    fn sound(&self, table: Table, rows: u64, random: &mut Random) -> u64 {
        loop {
            let number = random.below(rows);
            if self
                .fault(table, number)
                .is_none_or(|fault| !fault.rejects())
            {
                return number;
            }
        }
    }

    /// Of which dimension an orphan lacks the row.
    fn stranger(&self, number: u64) -> Table {
        self.faults(Table::Fact, number).pick(&[
            Table::Physician,
            Table::Location,
            Table::DiagnosisCode,
        ])
    }

    // ---- facts ----------------------------------------------------------------------------------

    /// Whether the second delivery says another payment of the fact than the first.
    pub(super) fn is_paid_later(&self, number: u64) -> bool {
        number < self.options.facts && number % 50 == 7 && self.fault(Table::Fact, number).is_none()
    }

    /// The amounts of a fact, from the numbers that are its own.
    pub(super) fn money(&self, number: u64, delivery: Delivery) -> Money {
        let mut random = Random::of(self.options.seed, VALUES + 20, number);
        let fault = self.fault(Table::Fact, number);
        let charge = (1 + random.below(4)) as i64 * (2_000 + random.below(60_000) as i64);
        let paid = charge * random.below(101) as i64 / 100;
        let adjusted = (charge - paid) * random.below(101) as i64 / 100;
        let (mut paid, adjusted) = match random.below(4) {
            0 => (0, 0),
            _ => (paid, adjusted),
        };
        let reversal = random.chance(1, 40) && fault != Some(Fault::PositivePayment);
        if fault == Some(Fault::PositivePayment) {
            paid = -paid - 100;
        }
        let sign = if reversal { -1 } else { 1 };
        let (charge, payment, adjustment) = (sign * charge, -sign * paid, -sign * adjusted);
        let mut money = Money {
            charge,
            payment,
            adjustment,
            ar: charge + payment + adjustment,
        };
        if delivery == Delivery::Second && self.is_paid_later(number) {
            money.payment -= money.ar;
            money.ar = 0;
        }
        if fault == Some(Fault::Unbalanced) {
            money.ar += 100 + random.below(10_000) as i64;
        }
        money
    }

    fn write_fact(&self, file: &mut CsvFile, row: u64, delivery: Delivery) {
        let (options, table) = (&self.options, Table::Fact);
        let mut random = self.values(table, row);
        let mut dirt = self.faults(table, row);
        let fault = self
            .flaw(table, row, delivery)
            .map(|flaw| flaw.fault)
            // A patient who comes late is named by the fact all the same.
            .or_else(|| {
                self.fault(table, row)
                    .filter(|fault| *fault == Fault::LatePatient)
            });
        let later = row >= options.facts;
        let mut of = |table: Table| {
            let number = self.sound(table, options.rows(table), &mut random);
            match fault == Some(Fault::Orphan) && self.stranger(row) == table {
                true => self.key(table, options.rows(table) + 1_000 + number),
                false => self.key(table, number),
            }
        };
        let physician = of(Table::Physician);
        let cpt = of(Table::CptCode);
        let transaction = of(Table::Transaction);
        let location = of(Table::Location);
        let diagnosis = of(Table::DiagnosisCode);
        let patient = match fault {
            Some(Fault::LatePatient) => options.patients + row % options.later_patients(),
            _ if later && random.chance(1, 3) => {
                options.patients + random.below(options.later_patients())
            }
            _ => self.sound(Table::Patient, options.patients, &mut random),
        };
        let payer = match later && random.chance(1, 5) {
            true => options.payers,
            false => self.sound(Table::Payer, options.payers, &mut random),
        };
        let posted = self.sound(Table::Date, options.dates, &mut random);
        let served = loop {
            let served = posted.saturating_sub(random.below(12));
            if self.fault(Table::Date, served).is_none() {
                break served;
            }
        };

        self.write_key(file, table, row);
        file.digits(self.key(Table::Patient, patient), 1);
        file.digits(physician, 1);
        let bad_day = (fault == Some(Fault::BadDate)).then(|| dirt.below(2));
        for (nth, date) in [posted, served].into_iter().enumerate() {
            match bad_day == Some(nth as u64) {
                true => file.text(dirt.pick(&["20230230", "20231301", "0", "01/02/2023"])),
                false => file.digits(self.key(Table::Date, date), 8),
            }
        }
        file.digits(cpt, 1);
        match fault {
            Some(Fault::NoPayer) => file.empty(1),
            _ => file.digits(self.key(Table::Payer, payer), 1),
        }
        file.digits(transaction, 1);
        file.digits(location, 1);
        file.digits(self.patient_number(patient), 8);
        file.digits(diagnosis, 1);
        match fault {
            Some(Fault::BadNumber) => file.text(dirt.pick(&["two", "1,5", "1x"])),
            _ => file.digits(1 + random.below(4), 1),
        }
        let money = self.money(row, delivery);
        let bad = (fault == Some(Fault::BadAmount)).then(|| dirt.below(4));
        let amounts = [money.charge, money.payment, money.adjustment, money.ar];
        for (nth, cents) in amounts.into_iter().enumerate() {
            match bad == Some(nth as u64) {
                true => file.text(dirt.pick(&["12.3.4", "n/a", "1,23", "10.005", "(5", "$"])),
                false => amount(file, cents, random.below(60)),
            }
        }
    }

    // ---- dimensions -----------------------------------------------------------------------------

    fn patient_number(&self, number: u64) -> u64 {
        let flaw = self.flaw(Table::Patient, number, Delivery::First);
        let of = flaw.filter(|flaw| flaw.fault == Fault::SharedNumber);
        // A step that is prime to 10^8, so that no two numbers are the same.
        40_000_003 + of.map_or(number, |flaw| flaw.like) * 7 % 50_000_000
    }

    /// Whether the second delivery says another city of the patient than the first.
    pub(super) fn has_moved(&self, number: u64) -> bool {
        number < self.options.patients
            && number % 100 == 13
            && self.fault(Table::Patient, number).is_none()
    }

    fn write_patient(&self, file: &mut CsvFile, number: u64, delivery: Delivery) {
        let table = Table::Patient;
        let mut random = self.values(table, number);
        let mut dirt = self.faults(table, number);
        let fault = self.fault(table, number);
        self.write_key(file, table, number);
        file.digits(self.patient_number(number), 8);
        file.text(random.pick(&FIRST_NAMES));
        file.text(random.pick(&LAST_NAMES));
        file.text(&format!("patient{number}@mail.example"));
        file.text(random.pick(&["Female", "Male"]));
        match fault {
            Some(Fault::BadNumber) => file.text(dirt.pick(&["forty", "4O", "12.5"])),
            Some(Fault::ImpossibleAge) => file.text(dirt.pick(&["-3", "214"])),
            _ => file.digits(random.below(99), 1),
        }
        let home = random.below(PLACES_OF_PEOPLE.len() as u64);
        let moved = u64::from(delivery == Delivery::Second && self.has_moved(number));
        let home = (home + moved) as usize % PLACES_OF_PEOPLE.len();
        let (city, state) = PLACES_OF_PEOPLE.get(home).copied().unwrap_or_default();
        file.text(city);
        match random.below(30) {
            // Space around a code, and its case, are no part of it.
            0 => file.text(&format!(" {} ", state.to_lowercase())),
            _ => file.text(state),
        }
    }

    fn write_physician(&self, file: &mut CsvFile, number: u64) {
        let table = Table::Physician;
        let mut random = self.values(table, number);
        let mut dirt = self.faults(table, number);
        let fault = self.fault(table, number);
        self.write_key(file, table, number);
        match fault {
            Some(Fault::ShortNpi) => file.digits(npi(number) / 10, 9),
            _ => file.digits(npi(number), 10),
        }
        let name = format!(
            "{}, {}",
            random.pick(&LAST_NAMES),
            random.pick(&FIRST_NAMES)
        );
        file.text(&name);
        file.text(random.pick(&SPECIALTIES));
        match fault {
            Some(Fault::BadNumber) => file.text(dirt.pick(&["full", "0.5x", "1.005"])),
            _ => file.decimal(random.pick(&[100, 80, 50, 25]), 2),
        }
    }

    fn write_transaction(&self, file: &mut CsvFile, number: u64) {
        self.write_key(file, Table::Transaction, number);
        let mut random = self.values(Table::Transaction, number);
        match number % 3 {
            0 => {
                file.text("Charge");
                file.text(&format!("Charge {number}"));
                file.empty(1);
            }
            1 => {
                file.text("Payment");
                file.text(&format!("Payment {number}"));
                file.empty(1);
            }
            _ => {
                file.text("Adjustment");
                file.text(&format!("Adjustment {number}"));
                file.text(random.pick(&REASONS));
            }
        }
    }

    fn write_date(&self, file: &mut CsvFile, number: u64) {
        let mut dirt = self.faults(Table::Date, number);
        self.write_key(file, Table::Date, number);
        let date = day(number).yyyymmdd().unsigned_abs();
        let (year, month, of_month) = (date / 10_000, date / 100 % 100, date % 100);
        match self.fault(Table::Date, number) {
            Some(Fault::BadDate) => {
                file.text(dirt.pick(&["02/30/2023", "2023-01-02", "31/01/2023", "UNKNOWN"]));
            }
            _ => file.text(&format!("{month:02}/{of_month:02}/{year}")),
        }
        let name = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
        file.digits(year, 4);
        file.text(name);
        file.digits(date / 100, 6);
        file.text(&format!("{}-{year}", name.get(..3).unwrap_or(name)));
        file.digits(of_month, 1);
        file.text(DAYS.get(number as usize % 5).unwrap_or(&""));
    }

    fn write_cpt_code(&self, file: &mut CsvFile, number: u64) {
        self.write_key(file, Table::CptCode, number);
        match self.fault(Table::CptCode, number) {
            Some(Fault::MissingCode) => file.empty(1),
            _ => file.digits(100 + number * 79 % 99_000, 5),
        }
        file.text(&format!("Procedure {number}, limited"));
        file.text(GROUPS.get(number as usize % GROUPS.len()).unwrap_or(&""));
    }

    fn write_diagnosis_code(&self, file: &mut CsvFile, number: u64) {
        self.write_key(file, Table::DiagnosisCode, number);
        let letter = char::from(b'A' + (number % 26) as u8);
        match self.fault(Table::DiagnosisCode, number) {
            Some(Fault::MissingCode) => file.empty(1),
            _ => file.text(&format!(
                "{letter}{:02}.{}",
                number / 26 % 100,
                number / 2_600
            )),
        }
        file.text(&format!("Disorder {number}, unspecified"));
        file.text(&format!("Chapter {letter}"));
    }
}

/// The days are those of weeks from Monday to Friday, from 2 January 2023 on.
fn day(number: u64) -> Day {
    Day::of(2023, 1, 2).plus(number / 5 * 7 + number % 5)
}

/// A National Provider Identifier: a number of nine digits and its check digit.
fn npi(number: u64) -> u64 {
    let body = 100_000_000 + number * 7_919;
    let mut sum = 24;
    let mut rest = body;
    for place in 0..9 {
        let digit = rest % 10;
        rest /= 10;
        sum += match place % 2 {
            0 => digit * 2 / 10 + digit * 2 % 10,
            _ => digit,
        };
    }
    body * 10 + (10 - sum % 10) % 10
}

/// An amount as one of the programs writes it that the files come from.
fn amount(file: &mut CsvFile, cents: i64, style: u64) {
    let (whole, part) = (
        (cents.unsigned_abs() / 100).to_string(),
        cents.unsigned_abs() % 100,
    );
    let minus = if cents < 0 { "-" } else { "" };
    let thousands = match whole.split_at_checked(whole.len().saturating_sub(3)) {
        Some((thousands, rest)) if !thousands.is_empty() => format!("{thousands},{rest}"),
        _ => whole.clone(),
    };
    match style {
        0 => file.text(&format!("{minus}${thousands}.{part:02}")),
        1 if cents < 0 => file.text(&format!("(${thousands}.{part:02})")),
        2 if cents < 0 => file.text(&format!("({thousands}.{part:02})")),
        3 => file.text(&format!(" {minus}{whole}.{part:02} ")),
        4..=9 if cents == 0 => file.empty(1),
        _ => file.amount(cents),
    }
}
