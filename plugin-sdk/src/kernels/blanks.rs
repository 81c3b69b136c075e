//! ASCII whitespace at the edges of a value, found eight bytes at a time.

/// A byte of 0x01 in each place.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The value at `start..end` without the ASCII whitespace around it. `start <= end`, and both are in
/// `bytes`.
#[inline(always)]
pub(super) fn trimmed(bytes: &[u8], start: usize, end: usize) -> (usize, usize) {
    // The usual value has fewer than eight blanks on a side and eight bytes of the column after its
    // start and before its end. It is trimmed without a branch that depends on the blanks, which a
    // processor could not foresee.
    let (head, tail) = match (eight_from(bytes, start), eight_to(bytes, end)) {
        (Some(head), Some(tail)) => (!blanks(head) & HIGH, !blanks(tail) & HIGH),
        _ => (0, 0),
    };
    if head == 0 || tail == 0 {
        return trimmed_by_steps(bytes, start, end);
    }
    let leading = (head.trailing_zeros() / 8) as usize;
    let trailing = (tail.leading_zeros() / 8) as usize;
    // What was read beyond a shorter value does not count.
    let start = (start + leading).min(end);
    (start, (end - trailing.min(end)).max(start))
}

/// [`trimmed`] for values at the edges of the column, and for many blanks.
#[inline(never)]
fn trimmed_by_steps(bytes: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    let all_blank = |eight: Option<u64>| eight.is_some_and(|eight| blanks(eight) == HIGH);
    while end - start >= 8 && all_blank(eight_from(bytes, start)) {
        start += 8;
    }
    while start < end && is_blank(bytes, start) {
        start += 1;
    }
    while end - start >= 8 && all_blank(eight_to(bytes, end)) {
        end -= 8;
    }
    while start < end && is_blank(bytes, end - 1) {
        end -= 1;
    }
    (start, end)
}

/// Whether the value at `start..end` begins or ends with a blank.
#[inline(always)]
pub(super) fn is_untidy(bytes: &[u8], start: usize, end: usize) -> bool {
    start < end && (is_blank(bytes, start) | is_blank(bytes, end - 1))
}

#[inline(always)]
fn is_blank(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_whitespace)
}

#[inline(always)]
fn eight_from(bytes: &[u8], start: usize) -> Option<u64> {
    let eight = bytes.get(start..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*eight))
}

#[inline(always)]
fn eight_to(bytes: &[u8], end: usize) -> Option<u64> {
    let eight = bytes.get(..end)?.last_chunk::<8>()?;
    Some(u64::from_le_bytes(*eight))
}

/// The highest bit of each byte that is ASCII whitespace: 0x09, 0x0a, 0x0c, 0x0d or 0x20.
#[inline(always)]
fn blanks(eight: u64) -> u64 {
    let low = eight & !HIGH;
    // In each sum a byte reaches its highest bit exactly from the limit on, and none carries over.
    let at_least = |limit: u64| low + ONES * (0x80 - limit);
    let is = |byte: u64| !((low ^ (ONES * byte)) + ONES * 0x7f);
    let nine_to_thirteen = at_least(0x09) & !at_least(0x0e) & !is(0x0b);
    (nine_to_thirteen | is(0x20)) & !eight & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blank_is_found_in_every_place_and_nothing_else() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                for other in [b'x', b' ', 0x80, 0xff, 0x00] {
                    let mut eight = [other; 8];
                    eight[place] = byte;
                    let expected = eight.iter().rev().fold(0, |bits: u64, byte| {
                        bits << 8 | if byte.is_ascii_whitespace() { 0x80 } else { 0 }
                    });
                    assert_eq!(blanks(u64::from_le_bytes(eight)), expected, "{eight:x?}");
                }
            }
        }
    }

    #[test]
    fn values_of_every_length_are_trimmed_at_every_place() {
        let text = "  \t a  b \r\n\x0c c\x0b d         e          ";
        let letter = |letter: char| letter.is_ascii_whitespace();
        for start in 0..=text.len() {
            for end in start..=text.len() {
                let (from, to) = trimmed(text.as_bytes(), start, end);
                let expected = text[start..end].trim_matches(letter);
                assert_eq!(&text[from..to], expected, "{start}..{end}");
                assert!(start <= from && to <= end, "{start}..{end}: {from}..{to}");
                let untidy = expected.len() < end - start;
                assert_eq!(
                    is_untidy(text.as_bytes(), start, end),
                    untidy,
                    "{start}..{end}"
                );
            }
        }
    }
}
