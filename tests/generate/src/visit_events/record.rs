//! One record: what a source says of a patient on a day, as JSON.

use std::fmt::Write;

use super::dirt::{Fault, Flaw};
use super::manifest::Rows;
use super::{Shape, Source};
use crate::calendar::Day;
use crate::random::Random;

const TEXT: u64 = 51;
const NAME: u64 = 52;

const FIRST_NAMES: [&str; 8] = [
    "Ada",
    "Zoë",
    "Søren",
    "Нина",
    "José",
    "明子",
    "Siân \"Sian\"",
    "Per\\Ole",
];
const LAST_NAMES: [&str; 6] = [
    "Lovelace",
    "O'Brien",
    "Müller-Łuk",
    "Иванова",
    "de la Cruz",
    "Smith, Jr.",
];
const CODES: [(&str, &str); 7] = [
    ("I10", "Essential (primary) hypertension"),
    ("E11.9", "Type 2 diabetes mellitus without complications"),
    ("J45.909", "Unspecified asthma, uncomplicated"),
    (
        "S72.001A",
        "Fracture of unspecified part of neck of right femur",
    ),
    ("M545", "Low back pain"),
    ("Z00.00", "General adult medical examination"),
    (
        "C7A.1",
        "Malignant poorly differentiated neuroendocrine tumors",
    ),
];
const DRUGS: [&str; 5] = [
    "lisinopril",
    "metformin",
    "albuterol",
    "acetaminophen/codeine",
    "insulin glargine",
];
const DOSES: [&str; 4] = ["10 mg", "500 mg", "2 puffs", "0.5 mL"];
const NOTES: [&str; 4] = [
    "Follow up in 2 weeks.",
    "Line one,\nline two",
    "\"Better\", she says",
    "Größe 1,70 m; {ok} [x]",
];

/// A record to be written.
pub(super) struct Record {
    pub(super) source: Source,
    pub(super) seed: u64,
    /// The file's number among all files.
    pub(super) stream: u64,
    pub(super) shape: Shape,
    pub(super) day: Day,
    pub(super) nth_day: u64,
    /// The record's place in its file.
    pub(super) number: u64,
    /// The patient's number at the source.
    pub(super) patient: u64,
    /// That of the patient of the file's first record.
    pub(super) first_patient: u64,
    pub(super) flaw: Option<Flaw>,
}

impl Record {
    /// The record as one line of JSON, and the rows that it would give if it had no fault.
    pub(super) fn write(&self) -> (String, Rows) {
        let mut random = Random::of(self.seed, TEXT + (self.stream << 8), self.number);
        let mut rows = Rows::default();
        let mut record = Object::default();
        let key_of = self.flaw.map_or(self.number, |flaw| flaw.key_of);
        let patient = match self.fault() {
            Some(Fault::DuplicatePatient) => self.first_patient + key_of,
            _ => self.patient,
        };
        self.needed(
            &mut record,
            "patient_id",
            &format!("P{patient:07}"),
            Fault::NoPatientId,
            &mut random,
        );
        let name = self.name(patient);
        record.text("name", name.as_deref());
        match self.fault() {
            Some(Fault::BadJson) => record.raw("name2", "Ada Lovelace"),
            Some(Fault::NewKey) => record.text("ssn", Some("000-00-0000")),
            _ => {}
        }
        if self.fault() == Some(Fault::BadValue) {
            record.text("visits", Some("none"));
        } else {
            let visits = self.how_many(&mut random, 0);
            let visits: Vec<String> = (0..visits)
                .map(|nth| self.visit(nth, key_of, &mut rows, &mut random))
                .collect();
            self.list(&mut record, "visits", &visits, &mut random);
        }
        (record.end(), rows)
    }

    fn visit(&self, nth: u64, key_of: u64, rows: &mut Rows, random: &mut Random) -> String {
        rows.visits += 1;
        let mut visit = Object::default();
        let first = nth == 0;
        let record = match self.fault() {
            Some(Fault::DuplicateVisit) if first => key_of,
            _ => self.number,
        };
        let visit_id = format!("V{}{record:07}{nth}", self.day.yyyymmdd());
        let nowhere = random.below(30) + 1;
        let back = match self.shape {
            Shape::Plain => 0,
            Shape::Varied => random.below(7),
        };
        let date = match self.fault() {
            Some(Fault::LaterDate) if first => self.day.plus(nowhere),
            _ => self.day.minus(back),
        };
        match self.fault() {
            Some(Fault::NoVisitId) if first => {
                self.needed(&mut visit, "visit_id", &visit_id, Fault::NoVisitId, random)
            }
            _ => visit.text("visit_id", Some(&visit_id)),
        }
        match self.fault() {
            Some(Fault::BadDate) if first => match random.below(4) {
                0 => visit.text("date", Some("2024-02-30")),
                1 => visit.text("date", Some("02/28/2024")),
                2 => visit.text("date", Some("UNKNOWN")),
                _ => visit.text("date", None),
            },
            _ => visit.text("date", Some(&date.iso())),
        }
        let diagnoses = self.how_many(random, nth);
        let code = random.below(CODES.len() as u64);
        let mut written = Vec::new();
        for diagnosis in 0..diagnoses {
            rows.diagnoses += 1;
            let first = first && diagnosis == 0;
            let text = self.diagnosis(first, code + diagnosis, rows, random);
            if first && self.fault() == Some(Fault::DuplicateDiagnosis) {
                written.push(text.clone());
            }
            written.push(text);
        }
        self.list(&mut visit, "diagnoses", &written, random);
        if self.shape == Shape::Plain || random.chance(4, 5) {
            let mut notes = Object::default();
            notes.text("text", Some(random.pick(&NOTES)));
            let author = format!("Dr. {}", random.pick(&LAST_NAMES));
            notes.text(&self.word("author"), Some(&author));
            visit.raw("provider_notes", &notes.end());
        } else {
            visit.raw("provider_notes", "null");
        }
        visit.end()
    }

    fn diagnosis(&self, first: bool, code: u64, rows: &mut Rows, random: &mut Random) -> String {
        let mut diagnosis = Object::default();
        let (code, description) = CODES
            .get((code % CODES.len() as u64) as usize)
            .copied()
            .unwrap_or_default();
        match self.fault() {
            Some(Fault::NoDiagnosisCode) if first => {
                self.needed(&mut diagnosis, "code", code, Fault::NoDiagnosisCode, random);
            }
            Some(Fault::BadCode) if first => {
                diagnosis.text(
                    "code",
                    Some(random.pick(&["i10", "E11.", "10I", "I1", "S72.001AXY"])),
                );
            }
            // Space around a text is no part of it.
            _ if self.shape == Shape::Varied && random.chance(1, 10) => {
                diagnosis.text("code", Some(&format!(" {code}\t")));
            }
            _ => diagnosis.text("code", Some(code)),
        }
        diagnosis.text("description", Some(description));
        let treatments = match self.shape {
            Shape::Plain => 2,
            Shape::Varied => self.how_many(random, u64::from(!first)),
        };
        let mut written = Vec::new();
        for treatment in 0..treatments {
            rows.treatments += 1;
            let mut object = Object::default();
            let (drug, dose) = (random.pick(&DRUGS), random.pick(&DOSES));
            let word = self.word("drug");
            if first && treatment == 0 && self.fault() == Some(Fault::NoDrug) {
                self.needed(&mut object, &word, drug, Fault::NoDrug, random);
            } else {
                object.text(&word, Some(drug));
            }
            let known = self.shape == Shape::Plain || random.chance(9, 10);
            object.text(&self.word("dose"), known.then_some(dose));
            written.push(object.end());
        }
        self.list(&mut diagnosis, "treatments", &written, random);
        diagnosis.end()
    }

    /// A name: another one every third day, so that the latest is not the first.
    fn name(&self, patient: u64) -> Option<String> {
        let source = u64::from(self.source == Source::B);
        let mut random = Random::of(self.seed, NAME + (source << 8), patient);
        if self.shape == Shape::Varied && random.chance(1, 50) {
            return None;
        }
        let first = random.pick(&FIRST_NAMES);
        let marries = random.below(3);
        for _ in 0..(self.nth_day + marries) / 3 {
            random.next();
        }
        Some(format!("{first} {}", random.pick(&LAST_NAMES)))
    }

    /// A value that has to be there, unless `fault` is this record's: then it is null, missing or blank.
    fn needed(
        &self,
        object: &mut Object,
        key: &str,
        value: &str,
        fault: Fault,
        random: &mut Random,
    ) {
        if self.fault() != Some(fault) {
            object.text(key, Some(value));
            return;
        }
        match random.below(3) {
            0 => object.text(key, None),
            1 => object.text(key, Some("  ")),
            _ => {}
        }
    }

    /// How many items a list has. A fault lies in the first of all of them, for which there has to be room.
    fn how_many(&self, random: &mut Random, nth: u64) -> u64 {
        let drawn = random.weighted(&[(0, 1), (1, 5), (2, 3), (3, 1)]);
        match self.shape {
            Shape::Plain => 1,
            Shape::Varied if self.flaw.is_some() && nth == 0 => drawn.max(1),
            Shape::Varied => drawn,
        }
    }

    fn list(&self, object: &mut Object, key: &str, items: &[String], random: &mut Random) {
        match (items.is_empty(), random.below(3)) {
            (true, 0) => object.raw(key, "null"),
            (true, 1) => {}
            _ => object.raw(key, &format!("[{}]", items.join(","))),
        }
    }

    /// The source's word for one of ours.
    fn word(&self, ours: &str) -> String {
        let source = match self.fault() {
            Some(Fault::OtherWords) => self.source.other(),
            _ => self.source,
        };
        format!("{ours}{}", source.suffix())
    }

    fn fault(&self) -> Option<Fault> {
        self.flaw.map(|flaw| flaw.fault)
    }
}

/// A JSON object under way.
#[derive(Default)]
struct Object(String);

impl Object {
    fn raw(&mut self, key: &str, value: &str) {
        self.0.push_str(if self.0.is_empty() { "{" } else { "," });
        let _ = write!(self.0, "\"{key}\":{value}");
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        let value = value.map_or_else(|| "null".to_owned(), quoted);
        self.raw(key, &value);
    }

    fn end(self) -> String {
        if self.0.is_empty() {
            "{}".to_owned()
        } else {
            self.0 + "}"
        }
    }
}

/// A text as JSON, with some characters beyond ASCII escaped and others not, as different programs write them.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            'ë' | 'ø' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
