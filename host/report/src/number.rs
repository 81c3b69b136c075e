//! Numbers as people read them.

/// Signs that stand before a number.
const CURRENCIES: &[&str] = &["$", "€", "£", "¥", "₹"];

/// The decimal text of a number with a comma between thousands, and its unit.
pub(crate) fn with_unit(digits: &str, unit: Option<&str>) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let number = thousands(digits);
    match unit {
        None => format!("{sign}{number}"),
        Some(unit) if CURRENCIES.contains(&unit) => format!("{sign}{unit}{number}"),
        Some("%") => format!("{sign}{number}%"),
        Some(unit) => format!("{sign}{number} {unit}"),
    }
}

/// Digits, with a comma between thousands of the whole part.
fn thousands(digits: &str) -> String {
    let (whole, rest) = match digits.find(|c: char| !c.is_ascii_digit()) {
        Some(end) => digits.split_at(end),
        None => (digits, ""),
    };
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text.push_str(rest);
    text
}

/// The digits of a floating-point number: two decimals, or for small ones three digits that count.
pub(crate) fn float(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let size = value.abs();
    if size >= 0.1 {
        return format!("{value:.2}");
    }
    // Digits after the point until the third that counts.
    let places = (2.0 - size.log10().floor()).clamp(2.0, 12.0) as usize;
    format!("{value:.places$}")
}

/// A number in few characters, for axes and maps: `1.2M`.
pub(crate) fn short(value: f64, unit: Option<&str>) -> String {
    let size = value.abs();
    let (scale, letter) = match size {
        _ if size >= 999.5e9 => (1e12, "T"),
        _ if size >= 999.5e6 => (1e9, "B"),
        _ if size >= 999.5e3 => (1e6, "M"),
        _ if size >= 9_999.5 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let scaled = value / scale;
    let mut digits = match scaled.abs() {
        s if scale > 1.0 && s < 99.95 => format!("{scaled:.1}"),
        s if scale > 1.0 || s >= 100.0 => format!("{scaled:.0}"),
        _ => float(scaled),
    };
    if digits.contains('.') {
        let trimmed = digits.trim_end_matches('0').trim_end_matches('.').len();
        digits.truncate(trimmed);
    }
    let unit = unit.filter(|unit| *unit == "%" || CURRENCIES.contains(unit));
    match unit {
        Some("%") => format!("{digits}{letter}%"),
        unit => format!("{}{letter}", with_unit(&digits, unit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted_and_units_stand_where_people_write_them() {
        assert_eq!(with_unit("1234567.50", Some("$")), "$1,234,567.50");
        assert_eq!(with_unit("-999", Some("$")), "-$999");
        assert_eq!(with_unit("-1000", None), "-1,000");
        assert_eq!(with_unit("12.5", Some("%")), "12.5%");
        assert_eq!(with_unit("3", Some("claims")), "3 claims");
        assert_eq!(with_unit("NaN", None), "NaN");
    }

    #[test]
    fn floats_have_the_digits_that_count() {
        assert_eq!(float(2.0), "2");
        assert_eq!(float(12.3456), "12.35");
        assert_eq!(float(-0.000_123_4), "-0.000123");
        assert_eq!(float(f64::NAN), "NaN");
    }

    #[test]
    fn axes_have_short_numbers() {
        assert_eq!(short(0.0, Some("$")), "$0");
        assert_eq!(short(9_999.0, None), "9,999");
        assert_eq!(short(12_300.0, Some("$")), "$12.3k");
        assert_eq!(short(999_960.0, None), "1M");
        assert_eq!(short(-2_500_000.0, Some("$")), "-$2.5M");
        assert_eq!(short(150_780_000_000.0, None), "151B");
        assert_eq!(short(40.0, Some("%")), "40%");
        assert_eq!(short(0.25, None), "0.25");
        assert_eq!(short(8_288.94, Some("$")), "$8,289");
        assert_eq!(short(7.0, Some("claims")), "7");
    }
}
