use arrow::array::{Date32Array, StringArray};
use arrow::datatypes::Date32Type;

use super::numbers::digits;
use super::{Parsed, parse_each};

/// How a date is written. Every digit must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// `%Y%m%d`, such as `20100312`.
    Compact,
    /// `%Y-%m-%d`, such as `2010-03-12`.
    Iso,
    /// `%m/%d/%Y`, such as `03/12/2010`.
    UsSlashes,
}

/// Parses dates of the years 1 to 9999. A day that the calendar does not have does not parse.
pub fn parse_date(values: &StringArray, format: DateFormat) -> Parsed<Date32Array> {
    parse_each::<Date32Type>(values, |bytes, start, end| {
        let is = |at: usize, byte: u8| bytes.get(start + at) == Some(&byte);
        let part = |from: usize, to: usize| digits(bytes, start + from, start + to);
        let (year, month, day) = match (format, end - start) {
            (DateFormat::Compact, 8) => {
                let date = digits(bytes, start, end)?;
                (date / 10_000, date / 100 % 100, date % 100)
            }
            (DateFormat::Iso, 10) if is(4, b'-') && is(7, b'-') => {
                (part(0, 4)?, part(5, 7)?, part(8, 10)?)
            }
            (DateFormat::UsSlashes, 10) if is(2, b'/') && is(5, b'/') => {
                (part(6, 10)?, part(0, 2)?, part(3, 5)?)
            }
            _ => return None,
        };
        days_since_1970(year as i32, month as i32, day as i32) // At most four digits each.
    })
}

/// Days from 1970-01-01 in the Gregorian calendar, or none if there is no such day.
pub(crate) fn days_since_1970(year: i32, month: i32, day: i32) -> Option<i32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year < 1 || !(1..=days_in_month).contains(&day) {
        return None;
    }
    // Years that begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days_before_month = (153 * month + 2) / 5;
    Some(365 * year + year / 4 - year / 100 + year / 400 + days_before_month + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;

    fn parse(values: &[&str], format: DateFormat) -> Parsed<Date32Array> {
        parse_date(&StringArray::from(values.to_vec()), format)
    }

    #[test]
    fn days_follow_one_another_through_the_whole_calendar() {
        let mut expected = days_since_1970(1, 1, 1).unwrap();
        assert_eq!(expected, -719_162);
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = days_since_1970(year, month, day) {
                        assert_eq!(days, expected, "{year}-{month}-{day}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected - 1, 2_932_896, "9999-12-31");
    }

    #[test]
    fn each_format_reads_the_same_day() {
        for (text, format) in [
            ("20100312", DateFormat::Compact),
            ("2010-03-12", DateFormat::Iso),
            ("03/12/2010", DateFormat::UsSlashes),
        ] {
            assert_eq!(parse(&[text], format).array.value(0), 14_680, "{text}");
        }
        assert_eq!(
            parse(&["19700101", " 20000229 "], DateFormat::Compact)
                .array
                .values()
                .as_ref(),
            [0, 11_016]
        );
    }

    #[test]
    fn what_is_no_date_is_named() {
        let texts = [
            "20101301",
            "20100230",
            "19000229",
            "00000101",
            "2010031",
            "201003122",
            "2010-3-1",
            "2010O312",
            "",
            "20100100",
        ];
        let parsed = parse(&texts, DateFormat::Compact);
        assert_eq!(parsed.invalid, [0, 1, 2, 3, 4, 5, 6, 7, 9]);
        assert_eq!(parsed.array.null_count(), texts.len());
        assert_eq!(
            parse(&["2010/03/12", "20100312"], DateFormat::Iso).invalid,
            [0, 1]
        );
    }
}
