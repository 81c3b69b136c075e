//! Paths such as `11[2].5`: where in a segment a value stands.

/// Where a value stands in a segment. Everything is counted from 1 where it is written, and from
/// 0 here, but for the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The field (in X12: the element), from 1.
    pub field: usize,
    /// Which repetitions of it.
    pub repetition: Repetition,
    /// The component, if the path says one.
    pub component: Option<usize>,
    /// The subcomponent, if the path says one.
    pub subcomponent: Option<usize>,
}

/// One repetition of a field, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// The one with this number, from 0.
    Only(usize),
    /// All: `[*]`.
    All,
}

impl Position {
    /// Reads `field[repetition]`, and up to `parts` parts after it, each behind `separator`.
    pub fn parse(path: &str, separator: char, parts: usize) -> Option<Self> {
        let mut steps = path.split(separator);
        let first = steps.next()?;
        let (field, repetition) = match first.split_once('[') {
            None => (number(first)?, Repetition::Only(0)),
            Some((field, rest)) => {
                let repetition = match rest.strip_suffix(']')? {
                    "*" => Repetition::All,
                    nth => Repetition::Only(number(nth)? - 1),
                };
                (number(field)?, repetition)
            }
        };
        let parts = steps.by_ref().take(parts).map(number);
        let parts: Vec<usize> = parts.collect::<Option<_>>()?;
        if steps.next().is_some() {
            return None;
        }
        let part = |nth: usize| parts.get(nth).map(|number| number - 1);
        Some(Self {
            field,
            repetition,
            component: part(0),
            subcomponent: part(1),
        })
    }
}

/// The part of a text with this number, from 0. Without a separator all is the first part.
pub fn nth(text: &str, separator: Option<u8>, number: usize) -> Option<&str> {
    all(text, separator).nth(number)
}

/// The parts of a text.
pub fn all(text: &str, separator: Option<u8>) -> impl Iterator<Item = &str> {
    let separator = separator.map(char::from);
    text.split(move |character| Some(character) == separator)
}

/// A number from 1 to 65,535, written in digits alone.
fn number(text: &str) -> Option<usize> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u16>().ok().filter(|_| is_plain)?;
    (number > 0).then_some(usize::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read() {
        let read = |path| Position::parse(path, '.', 2);
        let plain = Position {
            field: 3,
            repetition: Repetition::Only(0),
            component: None,
            subcomponent: None,
        };
        assert_eq!(read("3"), Some(plain));
        let full = Position {
            repetition: Repetition::Only(1),
            component: Some(4),
            subcomponent: Some(0),
            ..plain
        };
        assert_eq!(read("3[2].5.1"), Some(full));
        let all = Position {
            repetition: Repetition::All,
            component: Some(0),
            ..plain
        };
        assert_eq!(read("3[*].1"), Some(all));
        assert_eq!(Position::parse("3[*]-1", '-', 1), Some(all));
    }

    #[test]
    fn other_texts_are_no_positions() {
        for path in [
            "", "0", "x", "3.", ".3", "3.0", "3.1.1.1", "3[", "3[]", "3[0]", "3[1", "3]", "3[**]",
            "3[1][2]", "+3", "3.+1", " 3", "65536", "-1", "3-1",
        ] {
            assert_eq!(Position::parse(path, '.', 2), None, "{path}");
        }
        assert_eq!(Position::parse("1-1-1", '-', 1), None);
        assert_eq!(Position::parse("1.1", '-', 1), None);
    }
}
