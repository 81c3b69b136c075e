//! Who and what the items are about: providers, places, patients, diseases. Each is a function of its number.

use crate::random::Random;

const PROVIDER: u64 = 85;
const PATIENT: u64 = 86;

/// How many there are of each.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub(super) providers: u64,
    pub(super) locations: u64,
    pub(super) patients: u64,
    pub(super) diseases: u64,
}

impl Scale {
    /// As many as so many items need.
    pub(super) fn of(items: u64) -> Self {
        Self {
            providers: (items / 120).max(12),
            locations: PLACES.len() as u64,
            patients: (items / 3).max(20),
            diseases: DISEASES.len() as u64,
        }
    }
}

const SPECIALITIES: [&str; 8] = [
    "Cardiology",
    "Neurology",
    "Oncology",
    "Paediatrics",
    "Psychiatry",
    "Pulmonology",
    "Infectious Diseases",
    "Orthopaedics",
];

/// Country, state, city. Cities of one name are in several states.
const PLACES: [(&str, &str, &str); 16] = [
    ("Norway", "Oslo", "Oslo"),
    ("Norway", "Vestland", "Bergen"),
    ("Norway", "Trøndelag", "Trondheim"),
    ("Denmark", "Midtjylland", "Århus"),
    ("Denmark", "Hovedstaden", "København"),
    ("Sweden", "Skåne", "Malmö"),
    ("Sweden", "Stockholm", "Stockholm"),
    ("USA", "Oregon", "Portland"),
    ("USA", "Maine", "Portland"),
    ("USA", "Illinois", "Springfield"),
    ("USA", "Missouri", "Springfield"),
    ("USA", "California", "San José"),
    ("Canada", "Québec", "Montréal"),
    ("Canada", "Ontario", "London"),
    ("United Kingdom", "England", "London"),
    ("United Kingdom", "Scotland", "Edinburgh"),
];

/// Name, kind, severity, transmission, hundredths of a per cent who die.
const DISEASES: [(&str, &str, &str, &str, u64); 10] = [
    ("Influenza", "Viral", "Moderate", "Airborne", 10),
    ("Tuberculosis", "Bacterial", "Severe", "Airborne", 1_500),
    ("Malaria", "Parasitic", "Severe", "Vector", 30),
    ("Asthma", "Chronic", "Moderate", "None", 5),
    ("Depression", "Mental", "Moderate", "None", 0),
    ("Stroke", "Vascular", "Critical", "None", 2_550),
    ("Lung cancer", "Neoplasm", "Critical", "None", 8_075),
    ("Measles", "Viral", "Moderate", "Airborne", 20),
    ("Hip fracture", "Injury", "Moderate", "None", 710),
    ("Rabies", "Viral", "Critical", "Bite", 10_000),
];

const FIRST_NAMES: [&str; 12] = [
    "Aisha",
    "Björn",
    "Carmen",
    "David",
    "Elena",
    "François",
    "Grace",
    "Inés",
    "Katarzyna",
    "Liam",
    "Noor",
    "Zoë",
];
const LAST_NAMES: [&str; 12] = [
    "Adams", "Chen", "Diaz", "Haddad", "Kowalski", "Müller", "Núñez", "O'Brien", "Roßberg",
    "St. John", "Tran", "Żuk",
];
const HOSPITALS: [&str; 6] = [
    "St. Mary's",
    "Haukeland",
    "Riks\"hospitalet\"",
    "General, North",
    "Øresund Clinic",
    "Mercy",
];

fn nth<T: Copy, const N: usize>(list: &[T; N], number: u64) -> T {
    const { assert!(N > 0) };
    let place = (number % N as u64) as usize;
    *list.get(place).expect("a number below N is an index")
}

fn speciality_id(number: u64) -> String {
    format!("S{:02}", number % SPECIALITIES.len() as u64)
}

/// Who treats.
pub(super) struct Provider {
    number: u64,
    pub(super) name: String,
    /// Identifier and name.
    pub(super) speciality: (String, &'static str),
    pub(super) hospital: String,
}

impl Provider {
    /// One in five has `moved` to another hospital by the time of the second batch.
    pub(super) fn of(seed: u64, number: u64, moved: bool) -> Self {
        let mut random = Random::of(seed, PROVIDER, number);
        let name = format!("{} {}", random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES));
        // The last speciality is that of diseases only.
        let speciality = random.below(SPECIALITIES.len() as u64 - 1);
        let at = random.below(HOSPITALS.len() as u64);
        let moves = moved && number.is_multiple_of(5);
        Self {
            number,
            name,
            speciality: (speciality_id(speciality), nth(&SPECIALITIES, speciality)),
            hospital: nth(&HOSPITALS, at + u64::from(moves)).to_owned(),
        }
    }

    pub(super) fn id(&self) -> String {
        format!("P{:05}", self.number)
    }
}

/// Where.
pub(super) struct Place {
    pub(super) id: String,
    pub(super) country: &'static str,
    pub(super) state: &'static str,
    pub(super) city: &'static str,
}

pub(super) fn location(number: u64) -> Place {
    let (country, state, city) = nth(&PLACES, number);
    Place {
        id: format!("L{number:03}"),
        country,
        state,
        city,
    }
}

/// Who is treated.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) gender: Option<&'static str>,
    pub(super) age: u64,
}

pub(super) fn patient(seed: u64, number: u64) -> Person {
    let mut random = Random::of(seed, PATIENT, number);
    Person {
        id: format!("A{number:07}"),
        name: format!("{} {}", random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES)),
        gender: random.pick(&[Some("female"), Some("male"), Some("other"), None]),
        age: random.below(100),
    }
}

/// What for.
pub(super) struct Disease {
    pub(super) id: String,
    pub(super) speciality: String,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) severity: &'static str,
    pub(super) transmission: &'static str,
    pub(super) mortality: u64,
}

impl Disease {
    pub(super) fn of(number: u64) -> Self {
        let (name, kind, severity, transmission, mortality) = nth(&DISEASES, number);
        Self {
            id: format!("D{number:03}"),
            speciality: speciality_id(number),
            name: name.to_owned(),
            kind,
            severity,
            transmission,
            mortality,
        }
    }
}
