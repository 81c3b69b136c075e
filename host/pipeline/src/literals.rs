//! Small texts with a meaning: durations, sizes, shares, names.

use std::time::Duration;

/// `10m`, `1h30m`, `500ms`: whole numbers with a unit, largest first or not. Zero is none.
pub fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at_checked(letters)?;
        let number: u64 = number.parse().ok()?;
        let part = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3_600)?),
            "d" => Duration::from_secs(number.checked_mul(86_400)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = tail;
    }
    (!total.is_zero()).then_some(total)
}

/// `64MiB`: a whole number of KiB, MiB or GiB, in bytes.
pub fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor: u64 = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// `1%`, `0.5%`: a share from 0 to 1.
pub(crate) fn share(text: &str) -> Option<f64> {
    let number = text.strip_suffix('%')?;
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let percent: f64 = number.parse().ok().filter(|_| plain)?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// `[a-z_][a-z0-9_]*`: what SQL takes without quotes.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Lower-case letters, digits, `-` and `_`, a letter or digit first: what a pipeline, a step or a
/// plugin may be called, since paths are made of it.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        for wrong in [
            "",
            "0s",
            "10",
            "m",
            "1.5h",
            "10 m",
            "1w",
            "é",
            "99999999999999999d",
        ] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_and_shares() {
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("64MB"), None);
        assert_eq!(size("99999999999999GiB"), None);
        assert_eq!(share("1%"), Some(0.01));
        assert_eq!(share("0.5%"), Some(0.005));
        for wrong in ["1", "101%", "-1%", "inf%", "nan%", "1e1%", "%"] {
            assert_eq!(share(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names() {
        assert!(is_identifier("a_1") && is_identifier("_a") && is_name("visit-events"));
        for wrong in ["", "1a", "A", "a-b", "a.b", "é"] {
            assert!(!is_identifier(wrong), "{wrong}");
        }
        for wrong in ["", "-a", "A", "a/b", "..", "a b"] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }
}
