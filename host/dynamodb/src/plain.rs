//! How strings, numbers and bytes are written as JSON: in one way only, so that an item has one text
//! wherever it comes from.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::fault::Wrong;

/// How deep lists and maps may lie within one another in an item. DynamoDB allows 32 levels.
pub const DEEPEST: usize = 40;

/// How many digits a number may have, without zeros before and after them.
const DIGITS: usize = 38;
/// The powers of ten that a number's first digit may stand for.
const MAGNITUDES: std::ops::RangeInclusive<i64> = -130..=125;

/// Whether JSON takes the byte in a string as it is.
#[inline]
pub(crate) fn stands_for_itself(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// Writes a string. Only what JSON demands is escaped.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|byte| !stands_for_itself(*byte)) {
        let (plain, from) = rest.split_at(place);
        out.extend_from_slice(plain);
        let Some((byte, after)) = from.split_first() else {
            break;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => {
                out.extend_from_slice(b"\\u00");
                for half in [control >> 4, control & 0xf] {
                    out.push(if half < 10 {
                        b'0' + half
                    } else {
                        b'a' + half - 10
                    });
                }
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Writes bytes as a string of base64.
pub(crate) fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let place = out.get_mut(start..).unwrap_or_default();
    let written = STANDARD.encode_slice(bytes, place);
    written.expect("four characters hold three bytes");
    out.push(b'"');
}

/// Writes base64 text as a string, if it is what [`binary`] would have written.
pub(crate) fn base64(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Wrong> {
    if !is_base64(text) {
        return Err(Wrong::NotBase64);
    }
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
    Ok(())
}

/// Whether a text is base64 of the standard alphabet with padding and no stray bits, which is the
/// only text that stands for its bytes.
fn is_base64(text: &[u8]) -> bool {
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=');
    let padding = padding.count();
    let Some((last, body)) = text
        .len()
        .checked_sub(padding)
        .and_then(|end| text.get(..end))
        .map(|digits| {
            digits
                .split_last()
                .map_or((b'A', digits), |(last, body)| (*last, body))
        })
    else {
        return false;
    };
    // The last digit's bits beyond the last byte are zero.
    let stray = match padding {
        0 => 0,
        1 => 0b11,
        _ => 0b1111,
    };
    text.len().is_multiple_of(4)
        && body.iter().all(|byte| digit(*byte).is_some())
        && digit(last).is_some_and(|value| value & stray == 0)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Writes a number digit for digit. Only what JSON forbids is left out or put in: a plus before it,
/// zeros before it, a point without digits on one of its sides.
pub(crate) fn number(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Wrong> {
    let (negative, rest) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let (whole, rest) = digits(rest);
    let (fraction, rest) = match rest.split_first() {
        Some((b'.', rest)) => digits(rest),
        _ => (&[][..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Wrong::NotNumber);
    }
    let exponent = match rest.split_first() {
        None => 0,
        Some((b'e' | b'E', power)) => exponent(power)?,
        Some(_) => return Err(Wrong::NotNumber),
    };
    if !holds(whole, fraction, exponent) {
        return Err(Wrong::NotNumber);
    }

    if negative {
        out.push(b'-');
    }
    let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
    match whole.get(zeros..) {
        None | Some([]) => out.push(b'0'),
        Some(whole) => out.extend_from_slice(whole),
    }
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
    out.extend_from_slice(rest);
    Ok(())
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(end)
}

/// The number after an `E`.
fn exponent(text: &[u8]) -> Result<i64, Wrong> {
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let (power, rest) = digits(text);
    if power.is_empty() || !rest.is_empty() {
        return Err(Wrong::NotNumber);
    }
    // Far less than what an i64 holds, and far more than any text of digits can make up for.
    let power = power.iter().fold(0_i64, |power, digit| {
        (power * 10 + i64::from(digit - b'0')).min(1 << 48)
    });
    Ok(if negative { -power } else { power })
}

/// Whether DynamoDB can hold the number.
fn holds(whole: &[u8], fraction: &[u8], exponent: i64) -> bool {
    let all = || whole.iter().chain(fraction);
    let Some(first) = all().position(|digit| *digit != b'0') else {
        return true;
    };
    let last =
        whole.len() + fraction.len() - all().rev().take_while(|digit| **digit == b'0').count();
    // Lengths of texts in memory fit.
    let magnitude = whole.len() as i64 - first as i64 - 1 + exponent;
    last - first <= DIGITS && MAGNITUDES.contains(&magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_what_json_says() {
        for text in [
            "",
            "a",
            "\"\\/",
            "\u{0}\u{1f}\u{7f}\n\r\t\u{8}\u{c}",
            "å😀\u{2028}",
            "a\"",
            "\"a",
        ] {
            let json = written(|out| string(out, text));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            assert_eq!(json, serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let nines = "9".repeat(38);
        let huge = format!("1{}", "0".repeat(125));
        let kept = [
            "0",
            "-0",
            "1",
            "-1",
            "12.50",
            "0.000",
            "1E+5",
            "1e5",
            "1E-130",
            "9.9E+125",
            "-1.5E-7",
            "0E+999999999999999999999999",
            "100",
            &nines,
            &huge,
            "-0.00000000000000000000000000000000000001",
        ];
        for text in kept {
            assert_eq!(written(|out| number(out, text.as_bytes()).unwrap()), text);
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
        for (text, json) in [
            ("+5", "5"),
            ("007", "7"),
            ("-000", "-0"),
            ("00.5", "0.5"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("5.", "5"),
            ("5.E+2", "5E+2"),
            ("1E+007", "1E+007"),
        ] {
            assert_eq!(written(|out| number(out, text.as_bytes()).unwrap()), json);
            serde_json::from_str::<serde_json::Value>(json).unwrap();
        }
    }

    #[test]
    fn what_dynamodb_cannot_hold_is_no_number() {
        let long = "1".repeat(39);
        let wide = format!("1.{}1", "0".repeat(37));
        for text in [
            "",
            "-",
            "+",
            ".",
            "-.",
            "e5",
            "E",
            "1E",
            "1E+",
            "1e+-5",
            "1 ",
            " 1",
            "1,5",
            "0x1",
            "1_0",
            "NaN",
            "Infinity",
            "-Infinity",
            "--1",
            "1..2",
            "1E5E5",
            "1E+126",
            "1E-131",
            "0.1E-130",
            "10E+125",
            "1E+99999999999999999999999999",
            "1E-99999999999999999999999999",
            "١",
            &long,
            &wide,
        ] {
            let mut out = Vec::new();
            assert_eq!(
                number(&mut out, text.as_bytes()),
                Err(Wrong::NotNumber),
                "{text}"
            );
            assert!(out.is_empty(), "{text}");
        }
    }

    #[test]
    fn base64_is_taken_where_it_is_the_only_way_to_write_its_bytes() {
        for length in 0..=70_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(151)).collect();
            let json = written(|out| binary(out, &bytes));
            assert_eq!(json, format!("\"{}\"", STANDARD.encode(&bytes)));
            let text = json.trim_matches('"');
            assert_eq!(written(|out| base64(out, text.as_bytes()).unwrap()), json);
        }
        for text in [
            "A", "AA", "AAA", "A===", "====", "=AAA", "AA=A", "AB==", "AAB=", "AA\n=", "AA-_",
            "AAA=AAA=",
        ] {
            assert_eq!(
                base64(&mut Vec::new(), text.as_bytes()),
                Err(Wrong::NotBase64),
                "{text}"
            );
        }
    }
}
