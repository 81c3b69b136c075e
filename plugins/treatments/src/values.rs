//! What a leaf of an item has to be, and how it is typed.

use weir_plugin::prelude::*;
use weir_plugin::rows::{Date, Decimal, LocalTimestamp, Time, Timestamp};

/// A row can be told from others, and joined.
pub(crate) const MISSING_KEY: Rule = Rule {
    name: "missing_key",
    description: "A treatment has an id, a type and an outcome status, and names its provider, the provider's \
                  speciality, its location, patient and disease.",
};
/// An item says once which treatment it is.
pub(crate) const OTHER_KEY: Rule = Rule {
    name: "other_key",
    description: "The treatment's own id is the item's key.",
};
/// A number keeps its digits.
pub(crate) const BAD_NUMBER: Rule = Rule {
    name: "bad_number",
    description: "A cost fits decimal(10,2), a mortality rate decimal(5,2); an age and a duration are whole.",
};
/// Nothing costs or lasts less than nothing.
pub(crate) const NEGATIVE_NUMBER: Rule = Rule {
    name: "negative_number",
    description: "A cost, a duration, an age and a mortality rate are not below 0.",
};
/// A date is a day of the calendar.
pub(crate) const BAD_DATE: Rule = Rule {
    name: "bad_date",
    description: "A treatment has a start, and an item says when it was modified; dates are yyyy-mm-dd, with or \
                  without a time of day.",
};
/// Time goes on.
pub(crate) const DATE_ORDER: Rule = Rule {
    name: "date_order",
    description: "A treatment is not completed before it starts, and has no outcome before; an item is not \
                  modified before it is added.",
};

/// A number as DynamoDB has it.
pub(crate) type Number = Decimal<38, 10>;

/// The text without the space around it; none where nothing is left.
pub(crate) fn text(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A text that must be there.
pub(crate) fn key<'a>(of: Option<&'a str>, message: &'static str) -> Result<&'a str, Rejection> {
    text(of).ok_or_else(|| Rejection::new(&MISSING_KEY, message))
}

/// A number of so many digits, not below 0.
pub(crate) fn decimal<const P: u8, const S: u8>(
    number: Option<Number>,
    message: &'static str,
) -> Result<Option<Decimal<P, S>>, Rejection> {
    let Some(number) = number else {
        return Ok(None);
    };
    if number.units() < 0 {
        return Err(Rejection::new(&NEGATIVE_NUMBER, message));
    }
    let fits = number.rescale();
    fits.map(Some)
        .ok_or_else(|| Rejection::new(&BAD_NUMBER, message))
}

/// A whole number, not below 0.
pub(crate) fn whole(
    number: Option<Number>,
    message: &'static str,
) -> Result<Option<i32>, Rejection> {
    let whole: Option<Decimal<9, 0>> = decimal(number, message)?;
    let whole = whole.map(|whole| i32::try_from(whole.units()));
    whole
        .transpose()
        .map_err(|_| Rejection::new(&BAD_NUMBER, message))
}

/// A moment, with or without a time of day; one with an offset is brought to UTC.
pub(crate) fn moment(
    of: Option<&str>,
    message: &'static str,
) -> Result<Option<LocalTimestamp>, Rejection> {
    let Some(text) = text(of) else {
        return Ok(None);
    };
    let in_utc = || {
        let moment: Timestamp = text.parse().ok()?;
        Some(LocalTimestamp::from_count(moment.count()))
    };
    let midnight = || {
        let date: Date = text.parse().ok()?;
        LocalTimestamp::new(date, Time::default())
    };
    let moment = text.parse().ok().or_else(midnight).or_else(in_utc);
    moment
        .map(Some)
        .ok_or_else(|| Rejection::new(&BAD_DATE, message))
}

/// A moment that must be there.
pub(crate) fn needed_moment(
    of: Option<&str>,
    message: &'static str,
) -> Result<LocalTimestamp, Rejection> {
    moment(of, message)?.ok_or_else(|| Rejection::new(&BAD_DATE, message))
}

/// That `later` is not before `earlier`, where both are known.
pub(crate) fn in_order(
    earlier: Option<LocalTimestamp>,
    later: Option<LocalTimestamp>,
    message: &'static str,
) -> Result<(), Rejection> {
    match (earlier, later) {
        (Some(earlier), Some(later)) if later < earlier => {
            Err(Rejection::new(&DATE_ORDER, message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<Number> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn numbers_keep_every_digit_or_are_rejected() {
        let cost = |text| decimal::<10, 2>(number(text), "");
        assert_eq!(cost("1200.5").unwrap(), Decimal::new(120_050));
        assert_eq!(cost("99999999.99").unwrap(), Decimal::new(9_999_999_999));
        assert_eq!(cost("100000000").unwrap_err().rule().name, "bad_number");
        assert_eq!(cost("0.005").unwrap_err().rule().name, "bad_number");
        assert_eq!(cost("-0.01").unwrap_err().rule().name, "negative_number");
        assert_eq!(whole(number("41.0"), "").unwrap(), Some(41));
        assert_eq!(
            whole(number("41.5"), "").unwrap_err().rule().name,
            "bad_number"
        );
        assert_eq!(whole(None, "").unwrap(), None);
    }

    #[test]
    fn a_date_is_written_in_one_of_a_few_ways() {
        let written = |text| Some(moment(Some(text), "").ok()??.to_string());
        let noon = Some("2024-02-29T12:00:00.000000".to_owned());
        assert_eq!(written("2024-02-29T12:00:00"), noon);
        assert_eq!(written("2024-02-29 12:00:00"), noon);
        assert_eq!(written("2024-02-29T14:00:00+02:00"), noon);
        assert_eq!(written(" 2024-02-29T12:00:00Z "), noon);
        assert_eq!(
            written("2024-02-29"),
            Some("2024-02-29T00:00:00.000000".to_owned())
        );
        for wrong in ["2024-02-30", "02/29/2024", "UNKNOWN", "20240229"] {
            assert!(moment(Some(wrong), "").is_err(), "{wrong}");
        }
        assert_eq!(moment(Some(" "), "").unwrap(), None);
        assert!(needed_moment(None, "").is_err());
    }
}
