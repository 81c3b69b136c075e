//! Bytes of Windows-1252 as UTF-8.
//!
//! Files that are called Latin-1 hold what the programs of their users wrote: the euro sign, dashes and
//! curly quotes of Windows-1252 at 0x80 to 0x9F, where ISO 8859-1 has control characters that nobody
//! means. Browsers read `latin1` the same way. The five bytes that stand for nothing become the
//! control characters of ISO 8859-1, so that no byte is a fault.

use bytes::Bytes;

/// The characters of 0x80 to 0x9F.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The same text as UTF-8; bytes of ASCII are passed on as they are.
pub(crate) fn to_utf8(bytes: Bytes) -> Bytes {
    if bytes.is_ascii() {
        return bytes;
    }
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for byte in &bytes {
        let high = byte.checked_sub(0x80).map(usize::from);
        let special = high.and_then(|index| HIGH.get(index)).copied();
        text.push(special.unwrap_or(char::from(*byte)));
    }
    text.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_character() {
        let all: Vec<u8> = (0..=255).collect();
        let text = to_utf8(all.into());
        let text = std::str::from_utf8(&text).unwrap();
        let found: Vec<char> = text.chars().collect();
        assert_eq!(found.len(), 256);
        for (byte, character) in [
            (0x41, 'A'),
            (0x80, '€'),
            (0x96, '–'),
            (0x9F, 'Ÿ'),
            (0xE9, 'é'),
        ] {
            assert_eq!(found[byte], character);
        }
        assert_eq!(found[0xFF], 'ÿ');
        assert_eq!(found[0xA0], '\u{a0}');
    }
}
