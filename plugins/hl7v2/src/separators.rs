//! The characters that a header names: what separates fields and their parts, and what escapes.

use std::borrow::Cow;

use decoder_paths::nth;

/// How a message says that a value is to be emptied.
pub(crate) const EMPTIED: &str = "\"\"";

/// What separates, as a header's first two fields say. Those of less use may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Separators {
    pub(crate) field: u8,
    component: Option<u8>,
    pub(crate) repetition: Option<u8>,
    escape: Option<u8>,
    subcomponent: Option<u8>,
    /// What marks a text that was cut; since version 2.7.
    truncation: Option<u8>,
}

/// Whether the segment's first two fields are separators.
pub(crate) fn is_header(name: &str) -> bool {
    matches!(name, "MSH" | "BHS" | "FHS")
}

impl Separators {
    /// Reads them from a header segment.
    pub(crate) fn read(segment: &[u8]) -> Result<Self, &'static str> {
        let field = *segment.get(3).ok_or("a header names no separators")?;
        let rest = segment.get(4..).unwrap_or_default();
        let named = rest.split(|byte| *byte == field).next().unwrap_or_default();
        // Some senders double the escape character, as the source of a program would.
        let is_doubled = named.get(2).is_some() && named.get(2) == named.get(3);
        let mut named = named
            .iter()
            .enumerate()
            .filter(|(nth, _)| !(is_doubled && *nth == 3))
            .map(|(_, byte)| *byte);
        let parts: [Option<u8>; 5] = std::array::from_fn(|_| named.next());
        let all = || parts.iter().flatten().chain(std::iter::once(&field));
        if named.next().is_some()
            || !all().all(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric())
        {
            return Err("a header's second field is not the four or five separators");
        }
        if all().any(|byte| all().filter(|other| *other == byte).count() > 1) {
            return Err("a header names the same separator twice");
        }
        let [component, repetition, escape, subcomponent, truncation] = parts;
        Ok(Self {
            field,
            component,
            repetition,
            escape,
            subcomponent,
            truncation,
        })
    }

    /// The text of a part of a repetition; none where it is empty, or is to be emptied.
    pub(crate) fn value<'a>(
        &self,
        repetition: &'a str,
        component: usize,
        subcomponent: usize,
    ) -> Option<Cow<'a, str>> {
        let component = nth(repetition, self.component, component)?;
        let part = nth(component, self.subcomponent, subcomponent)?;
        (!part.is_empty() && part != EMPTIED).then(|| self.unescape(part))
    }

    /// Puts characters in the place of their escape sequences. Those that say how text looks or
    /// which character set it is in stay as they are, and so does a character that escapes nothing.
    fn unescape<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(escape) = self.escape.map(char::from) else {
            return text.into();
        };
        if !text.contains(escape) {
            return text.into();
        }
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once(escape) {
            plain.push_str(before);
            let sequence = behind.split_once(escape);
            rest = match sequence.filter(|(sequence, _)| self.append(&mut plain, sequence)) {
                Some((_, behind)) => behind,
                None => {
                    plain.push(escape);
                    behind
                }
            };
        }
        plain.push_str(rest);
        plain.into()
    }

    /// Appends what an escape sequence stands for, if it is one.
    fn append(&self, plain: &mut String, sequence: &str) -> bool {
        let character = match sequence {
            "F" => self.field,
            "S" => self.component.unwrap_or(b'^'),
            "R" => self.repetition.unwrap_or(b'~'),
            "T" => self.subcomponent.unwrap_or(b'&'),
            "P" => self.truncation.unwrap_or(b'#'),
            "E" => self.escape.unwrap_or(b'\\'),
            ".br" => b'\n',
            _ => match sequence.as_bytes() {
                [b'X', digits @ ..] => {
                    let text = hexadecimal(digits).and_then(|bytes| String::from_utf8(bytes).ok());
                    plain.push_str(text.as_deref().unwrap_or_default());
                    return text.is_some();
                }
                [b'H' | b'N'] | [b'.' | b'C' | b'M' | b'Z', _, ..] => {
                    let escape = self.escape.map_or('\\', char::from);
                    plain.push(escape);
                    plain.push_str(sequence);
                    plain.push(escape);
                    return true;
                }
                _ => return false,
            },
        };
        plain.push(char::from(character));
        true
    }
}

/// The bytes that pairs of hexadecimal digits stand for; none of other text.
fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    (!digits.is_empty()).then_some(())?;
    digits.chunks(2).map(byte).collect()
}
