//! Decimals out of text, exactly or not at all.
//!
//! arrow's own parser counts digits and exponents in small integers that overflow: text that is long
//! enough became another number.

/// `text` as `digits × 10^-scale` with at most `precision` digits; none if it is no number, or has
/// more digits than that holds. Zeros at the end of a fraction are no digits. An exponent is allowed.
pub fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent = exponent.map_or(Some(0), |text| {
        let plain = text.strip_prefix(['+', '-']).unwrap_or(text);
        let number = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
        // Too large for an integer is too large for everything but zero.
        let size = plain.parse::<i64>().unwrap_or(i64::from(i32::MAX));
        number.then_some(if text.starts_with('-') { -size } else { size })
    })?;
    let mut value = 0_i128;
    // Zeros that may yet turn out to be the end of the number.
    let mut zeros = 0_i64;
    for byte in digits() {
        match byte - b'0' {
            0 => zeros += i64::from(value != 0),
            digit => {
                value = shifted(value, zeros + 1)?.checked_add(i128::from(digit))?;
                zeros = 0;
            }
        }
    }
    if value == 0 {
        return Some(0);
    }
    let fraction = i64::try_from(fraction.len()).ok()?;
    let places = zeros
        .checked_sub(fraction)?
        .checked_add(exponent)?
        .checked_add(i64::from(scale))?;
    let value = shifted(value, places)?;
    let fits = value < shifted(1, i64::from(precision))?;
    fits.then_some(if negative { -value } else { value })
}

/// `value × 10^places`; none if that is no integer, or too large.
fn shifted(value: i128, places: i64) -> Option<i128> {
    let power = 10_i128.checked_pow(u32::try_from(places).ok()?)?;
    value.checked_mul(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_exact() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0.000000", Some(0)),
            ("0e99999999999999999999", Some(0)),
            ("12", Some(1200)),
            ("+12.5", Some(1250)),
            ("-12.34", Some(-1234)),
            (
                "12.3400000000000000000000000000000000000000000000",
                Some(1234),
            ),
            (
                "000000000000000000000000000000000000000000000000000000000001",
                Some(100),
            ),
            (".5", Some(50)),
            ("5.", Some(500)),
            ("1e3", Some(100_000)),
            ("1.5E-1", Some(15)),
            ("1500e-3", Some(150)),
            ("99999999.99", Some(9_999_999_999)),
            ("1e7", Some(1_000_000_000)),
            // Another number, or none.
            ("12.345", None),
            ("1e-3", None),
            ("100000000", None),
            ("1e8", None),
            ("18464744073e0055161073705", None),
            ("1e-99999999999999999999", None),
            ("", None),
            ("-", None),
            (".", None),
            ("e1", None),
            ("1e", None),
            ("1e+", None),
            ("1e+-1", None),
            ("--1", None),
            ("1.2.3", None),
            ("1 ", None),
            ("٣", None),
            ("true", None),
        ] {
            assert_eq!(decimal(text, 10, 2), value, "{text}");
        }
        // As many digits as overflow eight bits, the first of them more than one.
        assert_eq!(decimal(&format!("1{}", "0".repeat(256)), 38, 0), None);
        assert_eq!(decimal(&"9".repeat(38), 38, 0), Some(10_i128.pow(38) - 1));
        assert_eq!(decimal(&"9".repeat(39), 38, 0), None);
        assert_eq!(decimal("1200", 2, -2), Some(12));
        assert_eq!(decimal("1250", 2, -2), None);
    }
}
