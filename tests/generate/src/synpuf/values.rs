//! Values as they stand in CMS's files, and values that must not.

use std::borrow::Cow;

use super::dirt::Fault;
use super::row::Row;
use crate::random::Random;

/// Common ICD-9 diagnoses, some with a zero in front.
const DIAGNOSES: [&str; 24] = [
    "4019", "25000", "2724", "42731", "41401", "4280", "2720", "53081", "2449", "496", "486",
    "V5869", "V5861", "E9330", "0416", "0389", "00845", "07054", "78650", "5990", "2859", "71590",
    "V4501", "311",
];

const PROCEDURES: [&str; 10] = [
    "9904", "8154", "9671", "4516", "3893", "0066", "0331", "3722", "966", "7936",
];

const HCPCS: [&str; 16] = [
    "36415", "85025", "80053", "85610", "99213", "A4657", "97110", "80061", "G0008", "77052",
    "00142", "J1100", "71020", "93005", "82962", "Q0091",
];

/// Each is no date whichever way it is read.
pub(super) const BAD_DATES: [&str; 5] =
    ["20081345", "20090230", "2009-02-03", "UNKNOWN", "00000000"];
pub(super) const BAD_AMOUNTS: [&str; 6] =
    ["12.3.4", "$100.00", "1,000.00", "N/A", "ten", "--50.00"];
pub(super) const BAD_COUNTS: [&str; 5] = ["1.5", "twelve", "3x", "?", "1-2"];
pub(super) const BAD_DIAGNOSES: [&str; 5] = ["4", "416.0", "123456", "04#6", "V1"];
pub(super) const BAD_HCPCS: [&str; 4] = ["9921", "992133", "992-3", "A46.7"];
pub(super) const BAD_STATES: [&str; 5] = ["00", "55", "99", "5", "XX"];
pub(super) const BAD_COUNTIES: [&str; 4] = ["20", "0200", "A20", "2.0"];
pub(super) const BAD_NPIS: [&str; 4] = ["12345", "123456789X", "31390835640", "3139-08356"];
pub(super) const BAD_TAX_NUMBERS: [&str; 4] = ["17191654", "01-7191654", "0171916540", "N/A"];
pub(super) const BAD_ESRD: [&str; 4] = ["N", "1", "2", "X"];
pub(super) const BAD_FLAGS: [&str; 4] = ["0", "3", "9", "Y"];

fn diagnosis(row: &mut Row) {
    let code = any_diagnosis(&mut row.random);
    row.file.text(&code);
}

/// A diagnosis: a common one in half of all cases, else one of the right shape.
pub(super) fn any_diagnosis(random: &mut Random) -> Cow<'static, str> {
    if random.chance(1, 2) {
        return random.pick(&DIAGNOSES).into();
    }
    let width = random.weighted(&[(3, 5), (4, 45), (5, 50)]);
    let code = random.below(10_u64.pow(width));
    format!("{code:0width$}", width = width as usize).into()
}

/// Fills ten diagnosis columns, or as many as there are. The pseudo-diagnoses of CMS's files come
/// first or not at all.
pub(super) fn diagnoses(row: &mut Row, count: usize, columns: usize) {
    let pseudo = row.random.weighted(&[("", 98), ("OTHER", 1), ("XX000", 1)]);
    for number in 0..count {
        if number == 0 && row.spoil(Fault::BadCode, 0, &BAD_DIAGNOSES) {
            continue;
        }
        if number == 0 && !pseudo.is_empty() {
            row.file.text(pseudo);
        } else {
            diagnosis(row);
        }
    }
    row.file.empty(columns - count);
}

/// Fills the admitting diagnosis in `part` of 100 cases.
pub(super) fn admitting_diagnosis(row: &mut Row, part: u64) {
    if row.random.chance(part, 100) {
        diagnosis(row);
    } else {
        row.file.empty(1);
    }
}

/// Fills the six procedure columns: as in CMS's files, diagnoses follow the first procedure.
pub(super) fn procedures(row: &mut Row, count: usize) {
    for number in 0..count {
        if number == 0 {
            row.file.text(row.random.pick(&PROCEDURES));
        } else {
            diagnosis(row);
        }
    }
    row.file.empty(6 - count);
}

/// An HCPCS code: a common one in three of five cases, else one of the right shape.
pub(super) fn any_hcpcs(random: &mut Random) -> Cow<'static, str> {
    if random.chance(3, 5) {
        return random.pick(&HCPCS).into();
    }
    format!("{:05}", random.below(100_000)).into()
}

/// Fills the 45 HCPCS columns.
pub(super) fn hcpcs(row: &mut Row, count: usize) {
    for number in 0..count {
        if number == 0 && row.spoil(Fault::BadCode, 1, &BAD_HCPCS) {
            continue;
        }
        let code = any_hcpcs(&mut row.random);
        row.file.text(&code);
    }
    row.file.empty(45 - count);
}

/// Fills a provider number: state, digits, letters.
pub(super) fn provider(row: &mut Row, state: u64) {
    let letters = row.random.pick(&["0S", "GU", "HM", "SD", "VS", "YC"]);
    let number = row.random.below(100);
    row.file.text(&format!("{state:02}{number:02}{letters}"));
}

/// Fills a physician's NPI in `part` of 100 cases; leading zeros occur.
fn npi(row: &mut Row, part: u64) {
    if row.random.chance(part, 100) {
        let npi = row.random.below(10_000_000_000);
        row.file.digits(npi, 10);
    } else {
        row.file.empty(1);
    }
}

/// Fills the attending, operating and other physician.
pub(super) fn physicians(row: &mut Row, parts: [u64; 3]) {
    let [attending, operating, other] = parts;
    if !row.spoil(Fault::BadNpi, 0, &BAD_NPIS) {
        npi(row, attending);
    }
    npi(row, operating);
    npi(row, other);
}

/// Cents of an amount as CMS rounds it: to tens of dollars up to 100, to hundreds up to 1,000, to
/// thousands above. Small ones are the most common.
pub(super) fn rounded_amount(random: &mut Random) -> i64 {
    let (unit, most) = random.weighted(&[((10, 10), 55), ((100, 10), 33), ((1_000, 9), 12)]);
    let units = 1 + random.below(most).min(random.below(most)) as i64;
    unit * units * 100
}
