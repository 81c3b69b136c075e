use arrow::array::{ArrowPrimitiveType, Decimal128Array, PrimitiveArray, StringArray};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, Decimal128Type};

use super::{Parsed, parse_each};
use crate::Error;

/// Parses whole numbers, such as `Int16Type`'s: digits after an optional sign. A number that the
/// type cannot hold does not parse.
pub fn parse_int<T>(values: &StringArray) -> Parsed<PrimitiveArray<T>>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i128>,
{
    parse_each(values, |bytes, start, end| {
        let (negative, start) = sign(bytes, start);
        let number = number(bytes, start, end)?;
        T::Native::try_from(if negative { -number } else { number }).ok()
    })
}

/// Parses decimals of `precision` digits in all, `scale` of them after the point: `-12.5`,
/// `12.50`, `12`, `.5`. Exact: nothing passes through floating point. A number with more digits
/// after the point than `scale` does not parse unless they are zeros; neither does one with more
/// than `precision - scale` before it.
///
/// # Errors
/// [`Error::Fatal`] if there is no decimal type of this precision (1 to 38) and scale.
pub fn parse_decimal(
    values: &StringArray,
    precision: u8,
    scale: u8,
) -> Result<Parsed<Decimal128Array>, Error> {
    let limit = POWERS.get(usize::from(precision));
    let (Some(&limit), 1..=DECIMAL128_MAX_PRECISION, true) = (limit, precision, scale <= precision)
    else {
        return Err(Error::fatal(format!(
            "there is no decimal({precision}, {scale})"
        )));
    };
    let scale = usize::from(scale);
    let Parsed { array, invalid } = parse_each::<Decimal128Type>(values, |bytes, start, end| {
        read_decimal(bytes, start, end, scale).filter(|value| (-limit < *value) & (*value < limit))
    });
    Ok(Parsed {
        array: array.with_precision_and_scale(precision, scale as i8)?,
        invalid,
    })
}

/// The decimal at `start..end`, in units of the last of `scale` digits after the point. Of any
/// precision.
#[inline]
pub(crate) fn read_decimal(bytes: &[u8], start: usize, end: usize, scale: usize) -> Option<i128> {
    let (negative, start) = sign(bytes, start);
    let value = scaled(bytes, start, end, scale)?;
    Some(if negative { -value } else { value })
}

/// Ten to the power of `exponent`, up to 38.
pub(crate) const fn power_of_ten(exponent: u8) -> Option<i128> {
    10_i128.checked_pow(exponent as u32)
}

/// The powers of ten that 128 bits hold.
const POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut exponent = 1;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    while exponent < 39 {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

#[inline]
fn sign(bytes: &[u8], start: usize) -> (bool, usize) {
    match bytes.get(start) {
        Some(b'-') => (true, start + 1),
        Some(b'+') => (false, start + 1),
        _ => (false, start),
    }
}

/// The unsigned decimal at `start..end`, times ten to the power of `scale`.
#[inline]
fn scaled(bytes: &[u8], start: usize, end: usize, scale: usize) -> Option<i128> {
    let usual = end.wrapping_sub(scale + 1); // Where the point of `12.50` stands at scale 2.
    let point = if usual >= start && bytes.get(usual) == Some(&b'.') {
        usual
    } else {
        let point = bytes.get(start..end)?.iter().position(|byte| *byte == b'.');
        point.map_or(end, |point| start + point)
    };
    let mut fraction_end = end;
    while fraction_end > point + 1 + scale && bytes.get(fraction_end - 1) == Some(&b'0') {
        fraction_end -= 1;
    }
    let fraction_start = (point + 1).min(fraction_end);
    let fraction_digits = fraction_end - fraction_start;
    if fraction_digits > scale || (point == start && fraction_digits == 0) {
        return None;
    }
    let whole = if point > start {
        number(bytes, start, point)?
    } else {
        0
    };
    let fraction = if fraction_digits > 0 {
        number(bytes, fraction_start, fraction_end)?
    } else {
        0
    };
    let power = |exponent: usize| POWERS.get(exponent).copied();
    match (i64::try_from(whole), i64::try_from(power(scale)?)) {
        // In 64 bits where it fits: a 128-bit product is a function call in WebAssembly.
        (Ok(whole), Ok(unit)) if fraction_digits == scale && whole < i64::MAX / unit - 1 => {
            Some(i128::from(whole * unit) + fraction)
        }
        _ => whole
            .checked_mul(power(scale)?)?
            .checked_add(fraction.checked_mul(power(scale - fraction_digits)?)?),
    }
}

/// The number that the digits at `start..end` spell; none if there are none or they are more
/// than 38 without leading zeros.
#[inline]
fn number(bytes: &[u8], mut start: usize, end: usize) -> Option<i128> {
    const EIGHT: u64 = 100_000_000;
    match end.checked_sub(start)? {
        0 => None,
        1..=8 => digits(bytes, start, end).map(i128::from),
        9..=16 => Some(i128::from(
            digits(bytes, start, end - 8)? * EIGHT + digits(bytes, end - 8, end)?,
        )),
        _ => {
            while end - start > 38 && bytes.get(start) == Some(&b'0') {
                start += 1;
            }
            if end - start > 38 {
                return None;
            }
            let mut number = 0;
            while start < end {
                let next = (start + (end - start - 1) % 8 + 1).min(end);
                number = number * i128::from(EIGHT) + i128::from(digits(bytes, start, next)?);
                start = next;
            }
            Some(number)
        }
    }
}

/// The number that 1 to 8 ASCII digits spell. All of them at once, in one 64-bit word.
#[inline]
pub(crate) fn digits(bytes: &[u8], start: usize, end: usize) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030; // "00000000"
    let before = end
        .checked_sub(8)
        .and_then(|from| bytes.get(from..end)?.first_chunk::<8>());
    let word = match before {
        Some(eight) => u64::from_le_bytes(*eight),
        None => {
            let mut eight = [b'0'; 8];
            let text = bytes.get(start..end)?;
            eight
                .get_mut(8_usize.checked_sub(text.len())?..)?
                .copy_from_slice(text);
            u64::from_le_bytes(eight)
        }
    };
    // The first character is the lowest byte: what stands before the value becomes zeros.
    let ours = u64::MAX.checked_shl(64 - 8 * (end - start) as u32)?;
    let each = (word ^ ZEROS) & ours;
    // A byte that was no digit is above 9 now, and reaches its highest bit when 0x76 is added.
    if (each.wrapping_add(0x7676_7676_7676_7676) | each) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = each.wrapping_mul(10).wrapping_add(each >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(0x000F_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(high) >> 32)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Int16Array};
    use arrow::datatypes::{Int8Type, Int16Type, Int64Type};

    use super::*;

    fn decimals(values: &[&str], precision: u8, scale: u8) -> Vec<Option<i128>> {
        let parsed = parse_decimal(&StringArray::from(values.to_vec()), precision, scale).unwrap();
        parsed.array.iter().collect()
    }

    #[test]
    fn digits_are_read_at_any_place() {
        let text = "98765432109876543210";
        for start in 0..text.len() {
            for end in start + 1..=text.len().min(start + 8) {
                let expected: u64 = text[start..end].parse().unwrap();
                assert_eq!(
                    digits(text.as_bytes(), start, end),
                    Some(expected),
                    "{start}..{end}"
                );
            }
        }
    }

    #[test]
    fn every_byte_that_is_no_digit_is_found() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut text = *b"xxxxxxxx12345678";
                text[8 + place] = byte;
                let found = digits(&text, 8, 16);
                assert_eq!(
                    found.is_some(),
                    byte.is_ascii_digit(),
                    "{byte} at {place}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(
            decimals(
                &[
                    "260.00", "-12.5", "12", "0.07", ".5", "7.", "+1.20", " 3.10 ", "-0.00"
                ],
                12,
                2
            ),
            [26000, -1250, 1200, 7, 50, 700, 120, 310, 0].map(Some)
        );
        assert_eq!(
            decimals(&["30.000", "0.0625000", "1"], 12, 3),
            [Some(30000), None, Some(1000)]
        );
        assert_eq!(decimals(&["1.2300000000"], 12, 2), [Some(123)]);
        assert_eq!(
            decimals(&["0.1", "0.3"], 38, 37),
            [Some(10_i128.pow(36)), Some(3 * 10_i128.pow(36))]
        );
    }

    #[test]
    fn what_is_no_decimal_of_the_type_is_named() {
        let texts = [
            ".",
            "-",
            "",
            "1.234",
            "1e3",
            "1,000",
            "1.2.3",
            "--1",
            "1 2",
            "9999999999.99",
            "10000000000",
            "٣",
        ];
        let parsed = parse_decimal(&StringArray::from(texts.to_vec()), 12, 2).unwrap();
        assert_eq!(parsed.invalid, [0, 1, 3, 4, 5, 6, 7, 8, 10, 11]);
        assert_eq!(parsed.array.value(9), 999_999_999_999);
        assert_eq!(parsed.array.null_count(), 11);
        for (precision, scale) in [(0, 0), (39, 0), (4, 5)] {
            assert!(parse_decimal(&StringArray::from(vec!["1"]), precision, scale).is_err());
        }
    }

    #[test]
    fn the_longest_decimals_fit() {
        let nines = "9".repeat(38);
        let zeros = format!("{}1", "0".repeat(60));
        assert_eq!(
            decimals(&[&nines, &format!("1{nines}"), &zeros], 38, 0),
            [Some(10_i128.pow(38) - 1), None, Some(1)]
        );
        assert_eq!(
            decimals(&["12345678901234567.89"], 19, 2),
            [Some(1_234_567_890_123_456_789)]
        );
        assert_eq!(
            decimals(&["99999999999999999999999999999999999999"], 38, 10),
            [None]
        );
    }

    #[test]
    fn integers_keep_to_their_type() {
        let texts = StringArray::from(vec![
            Some("00"),
            Some("12"),
            None,
            Some(" -7 "),
            Some("32768"),
            Some(""),
            Some("1.0"),
        ]);
        let parsed = parse_int::<Int16Type>(&texts);
        assert_eq!(
            parsed.array,
            Int16Array::from(vec![Some(0), Some(12), None, Some(-7), None, None, None])
        );
        assert_eq!(parsed.invalid, [4, 6]);
        assert_eq!(parse_int::<Int8Type>(&texts).invalid, [4, 6]);
        let edges = StringArray::from(vec![
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "-",
        ]);
        let parsed = parse_int::<Int64Type>(&edges);
        assert_eq!(
            (parsed.array.value(0), parsed.array.value(1)),
            (i64::MAX, i64::MIN)
        );
        assert_eq!(parsed.invalid, [2, 3]);
    }

    #[test]
    fn slices_and_empty_columns_parse() {
        let texts = StringArray::from(vec![Some("x"), Some("1"), None, Some("2"), Some("x")]);
        let parsed = parse_int::<Int16Type>(&texts.slice(1, 3));
        assert_eq!(parsed.array, Int16Array::from(vec![Some(1), None, Some(2)]));
        assert!(parsed.invalid.is_empty());
        assert_eq!(parse_int::<Int16Type>(&texts.slice(2, 0)).array.len(), 0);
        assert_eq!(
            parse_int::<Int16Type>(&StringArray::new_null(3))
                .array
                .null_count(),
            3
        );
    }
}
