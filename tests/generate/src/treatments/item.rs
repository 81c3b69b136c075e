//! One item: who was treated, by whom, where, for what, and how it went.

use std::fmt::Write as _;

use super::dirt::Fault;
use super::world::{Disease, Provider, Scale, location, patient};
use crate::calendar::Day;
use crate::random::Random;

const ITEM: u64 = 80;
const FLAW: u64 = 81;

/// The types of treatments.
const TYPES: [&str; 6] = [
    "Surgery",
    "Medication",
    "Physiotherapy",
    "Radiation | local",
    "Counselling",
    "Vaccination",
];

/// What becomes of a treatment. The first one alphabetically is no success.
const STATUSES: [(&str, u64); 4] = [
    ("Successful", 6),
    ("Partially Successful", 2),
    ("Failed", 1),
    ("Ongoing", 2),
];

/// The first day on which something happens, and the day from which items are modified.
const FIRST_DAY: (i64, i64, i64) = (2022, 1, 1);
const MODIFIED_FROM: (i64, i64, i64) = (2024, 3, 1);

/// An item as it is after the first batch, or as the second one has modified it.
pub(super) struct Item {
    pub(super) seed: u64,
    pub(super) number: u64,
    pub(super) modified: bool,
    pub(super) scale: Scale,
    pub(super) flaw: Option<Fault>,
}

/// A moment: a day and a second of it.
#[derive(Clone, Copy)]
struct Moment(Day, u64);

impl Moment {
    fn of(day: Day, random: &mut Random) -> Self {
        Self(day, random.below(86_400))
    }

    fn written(self, between: char) -> String {
        let Self(day, second) = self;
        format!(
            "{}{between}{:02}:{:02}:{:02}",
            day.iso(),
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

impl Item {
    /// The key.
    pub(super) fn key(&self) -> String {
        format!("T{:08}", self.number)
    }

    /// The item in DynamoDB's JSON, `{"id":{"S":"…"}, …}`.
    pub(super) fn json(&self) -> String {
        let mut random = Random::of(self.seed, ITEM + u64::from(self.modified), self.number);
        // Who, where and what for stays the same, whatever is modified.
        let mut fixed = Random::of(self.seed, ITEM, self.number);
        let mut flaw = Random::of(self.seed, FLAW, self.number);
        let provider = Provider::of(self.seed, fixed.below(self.scale.providers), self.modified);
        let place = location(fixed.below(self.scale.locations));
        let person = patient(self.seed, fixed.below(self.scale.patients));
        let disease = Disease::of(fixed.below(self.scale.diseases));
        let kind = fixed.pick(&TYPES);
        let first = Day::of(FIRST_DAY.0, FIRST_DAY.1, FIRST_DAY.2);
        let start = Moment::of(first.plus(fixed.below(700)), &mut fixed);

        let status = random.weighted(&STATUSES);
        let days = random.below(60) + 1;
        let ended = (status != "Ongoing").then(|| Moment::of(start.0.plus(days), &mut random));
        let cost = random.below(2_000_000);
        let between = if random.chance(1, 8) { ' ' } else { 'T' };
        let added = Moment::of(start.0.plus(random.below(3)), &mut random);
        let changed = match self.modified {
            false => added.0.plus(random.below(40) + 1),
            true => {
                let from = Day::of(MODIFIED_FROM.0, MODIFIED_FROM.1, MODIFIED_FROM.2);
                from.plus(random.below(20))
            }
        };
        let changed = Moment::of(changed, &mut random);

        let mut treatment = Map::default();
        let own_key = match self.flaw {
            Some(Fault::OtherKey) => format!("T{:08}", self.number + 1_000_000),
            _ => self.key(),
        };
        treatment.text("id", &own_key);
        let bad_start = match self.flaw {
            Some(Fault::BadDate) if flaw.chance(1, 2) => {
                Some(flaw.pick(&["2023-02-30T10:00:00", "03/15/2023", "UNKNOWN", ""]))
            }
            _ => None,
        };
        let no_modification = self.flaw == Some(Fault::BadDate) && bad_start.is_none();
        match bad_start {
            Some(bad) => treatment.text("start_date", bad),
            None => treatment.text("start_date", &start.written(between)),
        }
        let late = self.flaw == Some(Fault::DateOrder);
        match ended {
            _ if late => treatment.text(
                "completion_date",
                &Moment(start.0.minus(1), start.1).written('T'),
            ),
            Some(ended) => treatment.text("completion_date", &ended.written(between)),
            None if random.chance(1, 2) => treatment.null("completion_date"),
            None => {}
        }
        let missing = match self.flaw {
            Some(Fault::MissingKey) => Some(flaw.below(7)),
            _ => None,
        };
        treatment.key("outcome_status", status, missing == Some(0), &mut flaw);
        match ended {
            Some(ended) if !late => treatment.text("outcome_date", &ended.written(between)),
            _ => treatment.null("outcome_date"),
        }
        let wrong = self.flaw == Some(Fault::BadNumber);
        match (self.flaw, flaw.below(2)) {
            (Some(Fault::NegativeNumber), 0) => treatment.number("duration_in_days", "-3"),
            _ if ended.is_none() => treatment.null("duration_in_days"),
            _ => treatment.number("duration_in_days", &days.to_string()),
        }
        let negative = self.flaw == Some(Fault::NegativeNumber) && !treatment.0.contains("\"-3\"");
        let wrong_cost = wrong.then(|| flaw.pick(&["0.005", "123456789.5", ""]));
        match wrong_cost {
            _ if negative => treatment.number("cost", "-0.01"),
            Some(cost) if !cost.is_empty() => treatment.number("cost", cost),
            // DynamoDB cuts zeros at the end, and a number may be written as a text.
            _ if random.chance(1, 50) => treatment.null("cost"),
            _ if random.chance(1, 50) => treatment.text("cost", &money(cost)),
            _ => treatment.number("cost", &money(cost)),
        }
        treatment.key("type", kind, missing == Some(1), &mut flaw);

        let mut providers = Map::default();
        providers.key("id", &provider.id(), missing == Some(2), &mut flaw);
        let bad_value = match self.flaw {
            Some(Fault::BadValue) => Some(flaw.below(4)),
            _ => None,
        };
        match bad_value {
            Some(0) => providers.raw("full_name", "{\"BOOL\":true}"),
            _ => providers.text("full_name", &provider.name),
        }
        providers.text("speciality_id", &provider.speciality.0);
        providers.text("speciality_name", provider.speciality.1);
        providers.text("affiliated_hospital", &provider.hospital);
        providers.raw(
            "accepts_patients",
            if random.chance(1, 2) {
                "{\"BOOL\":true}"
            } else {
                "{\"BOOL\":false}"
            },
        );

        let mut places = Map::default();
        places.key("id", &place.id, missing == Some(3), &mut flaw);
        places.text("country", place.country);
        places.text("state", place.state);
        match bad_value {
            Some(1) => places.raw("city", "{\"L\":[{\"S\":\"Oslo\"}]}"),
            _ => places.text("city", place.city),
        }

        let mut people = Map::default();
        people.key("id", &person.id, missing == Some(4), &mut flaw);
        people.text("full_name", &person.name);
        match person.gender {
            Some(gender) => people.text("gender", gender),
            None => people.null("gender"),
        }
        match (self.flaw, bad_value) {
            (_, Some(2)) => people.text("age", "unknown"),
            (Some(Fault::OutOfRange), _) => people.number("age", "151"),
            (Some(Fault::BadNumber), _) if wrong_cost == Some("") => people.number("age", "41.5"),
            _ => people.number("age", &person.age.to_string()),
        }
        people.raw(
            "allergies",
            "{\"L\":[{\"S\":\"penicillin\"},{\"NULL\":true}]}",
        );

        let mut diseases = Map::default();
        diseases.key("id", &disease.id, missing == Some(5), &mut flaw);
        diseases.text("speciality_id", &disease.speciality);
        diseases.text("name", &disease.name);
        diseases.text("type", disease.kind);
        diseases.text("severity", disease.severity);
        diseases.text("transmission_mode", disease.transmission);
        match bad_value {
            Some(3) => diseases.raw("mortality_rate", "{\"BOOL\":false}"),
            _ => diseases.number("mortality_rate", &money(disease.mortality)),
        }

        let mut metadata = Map::default();
        metadata.text("added_at", &added.written('T'));
        match self.flaw {
            _ if no_modification => metadata.null("modified_at"),
            _ => metadata.text("modified_at", &changed.written(between)),
        }

        let mut item = Map::default();
        item.text("treatment_id_partition_key", &self.key());
        item.map("treatment", treatment);
        if missing != Some(6) {
            item.map("provider", providers);
        }
        item.map("location", places);
        item.map("patient", people);
        item.map("disease", diseases);
        item.map("metadata", metadata);
        item.end()
    }
}

/// Hundredths as DynamoDB writes them: without zeros at the end.
fn money(hundredths: u64) -> String {
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match (rest, rest % 10) {
        (0, _) => whole.to_string(),
        (_, 0) => format!("{whole}.{}", rest / 10),
        _ => format!("{whole}.{rest:02}"),
    }
}

/// A map of attributes under way, in DynamoDB's JSON.
#[derive(Default)]
struct Map(String);

impl Map {
    fn raw(&mut self, key: &str, value: &str) {
        self.0.push_str(if self.0.is_empty() { "{" } else { "," });
        let _ = write!(self.0, "\"{key}\":{value}");
    }

    fn text(&mut self, key: &str, text: &str) {
        self.raw(key, &format!("{{\"S\":{}}}", quoted(text)));
    }

    fn number(&mut self, key: &str, digits: &str) {
        self.raw(key, &format!("{{\"N\":\"{digits}\"}}"));
    }

    fn null(&mut self, key: &str) {
        self.raw(key, "{\"NULL\":true}");
    }

    /// A text that has to be there, unless it is to be `missing`: then it is `NULL`, blank or not there.
    fn key(&mut self, key: &str, text: &str, missing: bool, random: &mut Random) {
        match (missing, random.below(3)) {
            (false, _) => self.text(key, text),
            (true, 0) => self.null(key),
            (true, 1) => self.text(key, "  "),
            (true, _) => {}
        }
    }

    fn map(&mut self, key: &str, map: Map) {
        self.raw(key, &format!("{{\"M\":{}}}", map.end()));
    }

    fn end(self) -> String {
        if self.0.is_empty() {
            "{}".to_owned()
        } else {
            self.0 + "}"
        }
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}
