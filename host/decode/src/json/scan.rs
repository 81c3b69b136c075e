//! What has to hold of the brackets of a JSON text before it is parsed.

use bytes::Bytes;
use memchr::memchr2;

/// Objects and arrays nested deeper than this are refused: arrow's message about a value that does
/// not fit walks the value by recursion, and would use up the stack. No declared type comes near.
pub(super) const DEEPEST: usize = 128;

/// What is wrong with the brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// The outermost array holds something other than objects set apart by commas.
    Array,
    /// A value nests deeper than [`DEEPEST`].
    Deep,
}

/// Follows the brackets through a text that may come in any parts.
///
/// With an outermost array it blanks out the array's brackets and commas, so that what is left is
/// one object after the other, and says whether they stood where they must. A text without one is
/// passed through: objects one after the other.
pub(super) struct Scan {
    /// Brackets and braces open, the outermost array's not counted.
    depth: usize,
    in_string: bool,
    escaped: bool,
    place: Place,
}

/// What the outermost level may go on with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing has been seen.
    Start,
    /// There is no outermost array.
    Bare,
    /// An element, or the array's end where there is no element yet.
    First,
    /// An element.
    Element,
    /// A comma, or the array's end.
    Comma,
    /// Nothing but white space.
    End,
}

impl Scan {
    /// A scan of objects one after the other.
    pub(super) fn of_lines() -> Scan {
        Scan {
            depth: 0,
            in_string: false,
            escaped: false,
            place: Place::Bare,
        }
    }

    /// A scan of an array of objects, or of objects one after the other.
    pub(super) fn of_array() -> Scan {
        Scan {
            place: Place::Start,
            ..Scan::of_lines()
        }
    }

    /// Whether an array was begun and has not ended.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.place, Place::First | Place::Element | Place::Comma)
    }

    /// The bytes to decode, which end before what is wrong.
    pub(super) fn pass(&mut self, chunk: Bytes) -> (Bytes, Option<Bad>) {
        let mut blanks = Vec::new();
        let mut at = 0;
        let mut bad = None;
        while let Some(byte) = chunk.get(at).copied() {
            if self.in_string {
                at = self.string(&chunk, at);
                continue;
            }
            if self.depth > 0 || self.place == Place::Bare {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' if self.depth >= DEEPEST => {
                        bad = Some(Bad::Deep);
                        break;
                    }
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                at += 1;
                continue;
            }
            self.place = match (self.place, byte) {
                (place, b' ' | b'\t' | b'\r' | b'\n') => place,
                (Place::Start, b'[') => {
                    blanks.push(at);
                    Place::First
                }
                // Looked at once more, as what it is.
                (Place::Start, _) => {
                    self.place = Place::Bare;
                    continue;
                }
                (Place::First | Place::Element, b'{') => {
                    self.depth = 1;
                    Place::Comma
                }
                (Place::Comma, b',') => {
                    blanks.push(at);
                    Place::Element
                }
                (Place::First | Place::Comma, b']') => {
                    blanks.push(at);
                    Place::End
                }
                _ => {
                    bad = Some(Bad::Array);
                    break;
                }
            };
            at += 1;
        }
        let passed = chunk.slice(..at.min(chunk.len()));
        if blanks.is_empty() {
            return (passed, bad);
        }
        let mut blanked = passed.to_vec();
        for blank in blanks {
            if let Some(byte) = blanked.get_mut(blank) {
                *byte = b' ';
            }
        }
        (Bytes::from(blanked), bad)
    }

    /// Goes on in a string from `at`; where what comes after begins.
    fn string(&mut self, chunk: &[u8], at: usize) -> usize {
        if self.escaped {
            self.escaped = false;
            return at + 1;
        }
        let rest = chunk.get(at..).unwrap_or_default();
        match memchr2(b'"', b'\\', rest) {
            Some(found) => {
                self.escaped = rest.get(found) == Some(&b'\\');
                self.in_string = self.escaped;
                at + found + 1
            }
            None => chunk.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed of `text` in parts of `size`, and what is wrong.
    fn pass(mut scan: Scan, text: &str, size: usize) -> (String, Option<Bad>, bool) {
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            let (passed, bad) = scan.pass(Bytes::copy_from_slice(chunk));
            out.extend_from_slice(&passed);
            if bad.is_some() {
                return (String::from_utf8(out).unwrap(), bad, scan.is_open());
            }
        }
        (String::from_utf8(out).unwrap(), None, scan.is_open())
    }

    #[track_caller]
    fn everywhere(new: fn() -> Scan, text: &str) -> (String, Option<Bad>, bool) {
        let whole = pass(new(), text, text.len());
        for size in 1..text.len() {
            assert_eq!(pass(new(), text, size), whole, "in parts of {size}");
        }
        whole
    }

    #[test]
    fn an_array_is_peeled() {
        let text = r#" [{"a": "x],[\"y"}, {"b": [1, {"c": 2}]}] "#;
        let (passed, bad, open) = everywhere(Scan::of_array, text);
        assert_eq!(passed.trim(), r#"{"a": "x],[\"y"}  {"b": [1, {"c": 2}]}"#);
        assert!(bad.is_none() && !open);
        assert_eq!(passed.len(), text.len());
    }

    #[test]
    fn an_array_with_more_or_less_than_objects_and_commas_is_none() {
        for (text, fine) in [
            (r#"[{"a":1}{"a":2}]"#, r#" {"a":1}"#),
            (r#"[{"a":1}],{"a":2}]"#, r#" {"a":1} "#),
            (r#"[{"a":1},]"#, r#" {"a":1} "#),
            (r#"[,{"a":1}]"#, " "),
            ("[1]", " "),
        ] {
            let (passed, bad, _) = everywhere(Scan::of_array, text);
            assert_eq!((passed.as_str(), bad), (fine, Some(Bad::Array)), "{text}");
        }
        for text in ["[]", r#" [ {"a":[1,2]} , {} ] "#, r#"{"a":1} {"a":2}"#, "1"] {
            let (_, bad, open) = everywhere(Scan::of_array, text);
            assert!(bad.is_none() && !open, "{text}");
        }
        for text in ["[", "[{", "[{}", r#"[{},{"a":"]"#] {
            let (_, bad, open) = everywhere(Scan::of_array, text);
            assert!(bad.is_none() && open, "{text}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let line = |depth| format!(r#"{{"[[":"{{",  "a":{}}}"#, nested(depth));
        assert_eq!(everywhere(Scan::of_lines, &line(DEEPEST - 1)).1, None);
        assert_eq!(
            everywhere(Scan::of_lines, &line(DEEPEST)).1,
            Some(Bad::Deep)
        );
        let array = |depth| format!("[{}]", line(depth));
        assert_eq!(everywhere(Scan::of_array, &array(DEEPEST - 1)).1, None);
        assert_eq!(
            everywhere(Scan::of_array, &array(DEEPEST)).1,
            Some(Bad::Deep)
        );
    }
}
