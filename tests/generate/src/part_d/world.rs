//! Who and what the rows are about: places, drugs, prescribers. Each is a function of its number.

use crate::random::Random;

const HOME: u64 = 60;
const PERSON: u64 = 61;

/// A state: its code, its number (FIPS), its name.
pub(super) type State = (&'static str, &'static str, &'static str);

/// The states whose cities the `state` table lists: 50, the District of Columbia and Puerto Rico.
pub(super) const STATES: [State; 52] = [
    ("AL", "01", "Alabama"),
    ("AK", "02", "Alaska"),
    ("AZ", "04", "Arizona"),
    ("AR", "05", "Arkansas"),
    ("CA", "06", "California"),
    ("CO", "08", "Colorado"),
    ("CT", "09", "Connecticut"),
    ("DE", "10", "Delaware"),
    ("DC", "11", "District of Columbia"),
    ("FL", "12", "Florida"),
    ("GA", "13", "Georgia"),
    ("HI", "15", "Hawaii"),
    ("ID", "16", "Idaho"),
    ("IL", "17", "Illinois"),
    ("IN", "18", "Indiana"),
    ("IA", "19", "Iowa"),
    ("KS", "20", "Kansas"),
    ("KY", "21", "Kentucky"),
    ("LA", "22", "Louisiana"),
    ("ME", "23", "Maine"),
    ("MD", "24", "Maryland"),
    ("MA", "25", "Massachusetts"),
    ("MI", "26", "Michigan"),
    ("MN", "27", "Minnesota"),
    ("MS", "28", "Mississippi"),
    ("MO", "29", "Missouri"),
    ("MT", "30", "Montana"),
    ("NE", "31", "Nebraska"),
    ("NV", "32", "Nevada"),
    ("NH", "33", "New Hampshire"),
    ("NJ", "34", "New Jersey"),
    ("NM", "35", "New Mexico"),
    ("NY", "36", "New York"),
    ("NC", "37", "North Carolina"),
    ("ND", "38", "North Dakota"),
    ("OH", "39", "Ohio"),
    ("OK", "40", "Oklahoma"),
    ("OR", "41", "Oregon"),
    ("PA", "42", "Pennsylvania"),
    ("RI", "44", "Rhode Island"),
    ("SC", "45", "South Carolina"),
    ("SD", "46", "South Dakota"),
    ("TN", "47", "Tennessee"),
    ("TX", "48", "Texas"),
    ("UT", "49", "Utah"),
    ("VT", "50", "Vermont"),
    ("VA", "51", "Virginia"),
    ("WA", "53", "Washington"),
    ("WV", "54", "West Virginia"),
    ("WI", "55", "Wisconsin"),
    ("WY", "56", "Wyoming"),
    ("PR", "72", "Puerto Rico"),
];

/// A territory of which the `state` table has no city.
const GUAM: State = ("GU", "66", "Guam");

const STATE_COUNT: u64 = STATES.len() as u64;
/// Cities of the same name are in states whose places in the list differ by a multiple of this.
const NAMESAKES: u64 = 7;

const BEGINNINGS: [(&str, &str); 32] = [
    ("Ash", "Ash"),
    ("Bay", "Bay"),
    ("Birch", "Birch"),
    ("Brook", "Brook"),
    ("Cañon ", "Canon "),
    ("Cedar", "Cedar"),
    ("Clear", "Clear"),
    ("Cold", "Cold"),
    ("Deer", "Deer"),
    ("East", "East"),
    ("Elm", "Elm"),
    ("Fair", "Fair"),
    ("Glen", "Glen"),
    ("Green", "Green"),
    ("Haw", "Haw"),
    ("Iron", "Iron"),
    ("Lake", "Lake"),
    ("Linden", "Linden"),
    ("Maple", "Maple"),
    ("Mill", "Mill"),
    ("New", "New"),
    ("North", "North"),
    ("Oak", "Oak"),
    ("Peña ", "Pena "),
    ("Pine", "Pine"),
    ("Red", "Red"),
    ("River", "River"),
    ("Rock", "Rock"),
    ("South", "South"),
    ("Spring", "Spring"),
    ("West", "West"),
    ("White", "White"),
];
const ENDINGS: [&str; 32] = [
    "ton", "ville", "field", "burg", "ford", "dale", "wood", "port", "view", "land", "mont",
    "side", "brook", "haven", "crest", "ridge", "gate", "moor", "hill", "well", "stead", "worth",
    "by", "ham", "mere", "shore", "bend", "cliff", "bridge", "grove", "hurst", "vale",
];
/// What tells cities apart for which beginnings and endings do not suffice.
const WORDS: [&str; 4] = ["", " Park", " Heights", " Junction"];

/// A city of the `state` table.
#[derive(Clone, Copy)]
pub(super) struct City(pub(super) u64);

impl City {
    pub(super) fn state_number(self) -> u64 {
        self.0 % STATE_COUNT
    }

    pub(super) fn state(self) -> State {
        state(self.state_number())
    }

    /// The name, and the name in ASCII. No state has two cities of one name; others have, but only
    /// those that are a multiple of [`NAMESAKES`] apart.
    pub(super) fn names(self) -> (String, String) {
        let name = self.0 / STATE_COUNT * NAMESAKES + self.state_number() % NAMESAKES;
        let (beginning, ascii) = nth(&BEGINNINGS, name / 32);
        let ending = nth(&ENDINGS, name);
        let word = nth(&WORDS, name / 1_024);
        (
            format!("{beginning}{ending}{word}"),
            format!("{ascii}{ending}{word}"),
        )
    }
}

/// The most cities whose names differ as [`City::names`] says.
pub(super) const MOST_CITIES: u64 = 32 * 32 * 4 / NAMESAKES * STATE_COUNT;

fn state(number: u64) -> State {
    nth(&STATES, number)
}

/// The entry of a list with that number, which begins again behind its end.
fn nth<T: Copy, const N: usize>(list: &[T; N], number: u64) -> T {
    const { assert!(N > 0) };
    let place = (number % N as u64) as usize;
    *list.get(place).expect("a number below N is an index")
}

/// Where somebody is, as CMS writes it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) city: String,
    pub(super) state: State,
    /// Where the city is in the list, the list's number.
    number: Option<u64>,
}

impl Place {
    /// The same city in a state that has none of that name.
    pub(super) fn misplaced(&self, random: &mut Random) -> Self {
        let number = self.number.expect("only a city of the list is misplaced");
        let other = loop {
            let other = random.below(STATE_COUNT);
            if other % NAMESAKES != number % STATE_COUNT % NAMESAKES {
                break other;
            }
        };
        Self {
            state: state(other),
            ..self.clone()
        }
    }

    /// Whether the `state` table has the state.
    pub(super) fn listed(&self) -> bool {
        self.number.is_some()
    }
}

/// The place of a prescriber; one in 500 is in Guam.
pub(super) fn home(seed: u64, prescriber: u64, cities: u64) -> Place {
    let mut random = Random::of(seed, HOME, prescriber);
    place(&mut random, cities)
}

/// Any place.
pub(super) fn place(random: &mut Random, cities: u64) -> Place {
    if random.chance(1, 500) {
        return Place {
            city: "Hagatna".to_owned(),
            state: GUAM,
            number: None,
        };
    }
    let city = City(random.below(cities));
    let (_, mut name) = city.names();
    if random.chance(1, 4) {
        name = name.to_uppercase();
    }
    Place {
        city: name,
        state: city.state(),
        number: Some(city.0),
    }
}

/// Whether this prescriber is in Guam: the draw of [`home`] alone.
pub(super) fn is_away(seed: u64, prescriber: u64) -> bool {
    Random::of(seed, HOME, prescriber).chance(1, 500)
}

const LAST_NAMES: [&str; 24] = [
    "Adams",
    "Baker",
    "Chen",
    "Diaz",
    "Evans",
    "Foster",
    "Garcia",
    "Haddad",
    "Ito",
    "Johnson",
    "Kowalski",
    "Lee",
    "Müller",
    "Núñez",
    "O'Brien",
    "Peña",
    "Quinn",
    "Roßberg",
    "St. John",
    "Tran",
    "Ueda",
    "Van De Beek",
    "Żuk",
    "Yılmaz",
];
const FIRST_NAMES: [&str; 16] = [
    "Aisha",
    "Björn",
    "Carmen",
    "David",
    "Elena",
    "François",
    "Grace",
    "Hiro",
    "Inés",
    "James",
    "Katarzyna",
    "Liam",
    "Mary",
    "Noor",
    "Olga",
    "Zoë",
];
const SPECIALTIES: [&str; 12] = [
    "Internal Medicine",
    "Family Practice",
    "Nurse Practitioner",
    "Physician Assistant",
    "Cardiology",
    "Dentist",
    "Emergency Medicine",
    "Psychiatry",
    "Ophthalmology",
    "Neurology",
    "Obstetrics & Gynecology",
    "Hematology-Oncology",
];

/// A prescriber.
pub(super) struct Prescriber {
    pub(super) npi: u64,
    pub(super) last: String,
    /// None for organisations.
    pub(super) first: Option<&'static str>,
    pub(super) specialty: &'static str,
}

impl Prescriber {
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut random = Random::of(seed, PERSON, number);
        let organisation = random.chance(1, 50);
        let last = random.pick(&LAST_NAMES);
        Self {
            npi: npi(number),
            last: if organisation {
                format!("{last} Clinic, Inc.")
            } else {
                last.to_owned()
            },
            first: (!organisation).then(|| random.pick(&FIRST_NAMES)),
            specialty: random.pick(&SPECIALTIES),
        }
    }
}

/// The NPI of a prescriber: a nine-digit number, no two alike, and its check digit.
fn npi(number: u64) -> u64 {
    // The factor has no divisor in common with the modulus.
    let nine = 100_000_000 + number.wrapping_mul(7_654_321) % 100_000_000;
    nine * 10 + check_digit(nine)
}

/// The Luhn check digit of the nine digits behind the prefix 80840, which adds 24.
fn check_digit(nine: u64) -> u64 {
    let (mut rest, mut sum, mut double) = (nine, 24, true);
    while rest > 0 {
        let digit = rest % 10 * if double { 2 } else { 1 };
        sum += digit / 10 + digit % 10;
        double = !double;
        rest /= 10;
    }
    (10 - sum % 10) % 10
}

/// How many prescribers there can be with an NPI each.
pub(super) const MOST_PRESCRIBERS: u64 = 100_000_000;

const SYLLABLES: [&str; 16] = [
    "ba", "ce", "do", "fi", "ga", "lu", "me", "no", "pri", "ra", "sta", "ti", "vo", "xa", "zi",
    "tro",
];

/// The drugs: pairs of a brand and a generic. Some brands have two generics, some generics several
/// brands.
#[derive(Clone, Copy)]
pub(super) struct Drugs {
    pub(super) pairs: u64,
}

/// CMS's figures, which smaller lists keep in proportion.
const PAIRS: u64 = 3_117;
const BRANDS: u64 = 2_990;
const ANTIBIOTICS: u64 = 148;

impl Drugs {
    pub(super) fn brands(self) -> u64 {
        (self.pairs * BRANDS).div_ceil(PAIRS)
    }

    pub(super) fn antibiotics(self) -> u64 {
        self.pairs * ANTIBIOTICS / PAIRS
    }

    /// The brand, by its number.
    pub(super) fn brand_number(self, pair: u64) -> u64 {
        pair % self.brands()
    }

    pub(super) fn brand(self, pair: u64) -> String {
        word(self.brand_number(pair), "nda")
    }

    pub(super) fn generic(self, pair: u64) -> String {
        // A pair beyond the brands has the brand of another one, and a generic of its own.
        let generic = word(pair / 2 + 5_000 * (pair / self.brands()), "mab");
        match pair % 9 {
            0 => format!("{generic},Hum.Rec.Anlog"),
            1 => format!("{generic}/Hydrochlorothiazide"),
            _ => generic,
        }
    }

    /// Which antibiotic it is; none if it is another drug.
    pub(super) fn antibiotic(self, pair: u64) -> Option<u64> {
        let before = |pair| pair * self.antibiotics() / self.pairs;
        (before(pair) != before(pair + 1)).then(|| before(pair))
    }

    /// The drug of the `nth` row of a prescriber: another one for each.
    pub(super) fn of(self, random: &mut Random, nth: u64) -> u64 {
        // One that has no divisor in common with the number of pairs, so that none comes twice.
        let step = loop {
            let step = 1 + random.below(self.pairs);
            if coprime(step, self.pairs) {
                break step;
            }
        };
        (random.below(self.pairs) + nth * step) % self.pairs
    }
}

pub(super) fn coprime(a: u64, b: u64) -> bool {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

/// A word for a number: no two numbers below 65,536 have the same.
fn word(number: u64, ending: &str) -> String {
    let mut word = String::new();
    for place in 0..4 {
        word.push_str(nth(&SYLLABLES, number >> (4 * (3 - place))));
    }
    word.push_str(ending);
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_check_digit_is_that_of_the_standard() {
        // The example of the NPI standard: 1234567893.
        assert_eq!(check_digit(123_456_789), 3);
    }

    #[test]
    fn the_list_of_drugs_has_the_figures_of_the_original() {
        let drugs = Drugs { pairs: PAIRS };
        let pairs: HashSet<_> = (0..PAIRS)
            .map(|pair| (drugs.brand(pair), drugs.generic(pair)))
            .collect();
        let brands: HashSet<_> = (0..PAIRS).map(|pair| drugs.brand(pair)).collect();
        let antibiotics = (0..PAIRS).filter(|pair| drugs.antibiotic(*pair).is_some());
        assert_eq!(
            (pairs.len(), brands.len(), antibiotics.count()),
            (3_117, 2_990, 148)
        );
    }

    #[test]
    fn a_prescriber_has_each_drug_once() {
        let drugs = Drugs { pairs: 30 };
        for prescriber in 0..100 {
            let mut of = HashSet::new();
            for nth in 0..30 {
                let mut random = Random::of(1, 2, prescriber);
                assert!(of.insert(drugs.of(&mut random, nth)));
            }
        }
    }

    #[test]
    fn cities_differ_within_their_state_and_beyond_their_namesakes() {
        let mut seen = HashSet::new();
        let mut by_name = std::collections::HashMap::new();
        for city in 0..28_338 {
            let city = City(city);
            let (_, ascii) = city.names();
            assert!(seen.insert((city.state_number(), ascii.clone())), "{ascii}");
            let place = city.state_number() % NAMESAKES;
            assert_eq!(*by_name.entry(ascii).or_insert(place), place);
        }
    }
}
