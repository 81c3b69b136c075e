//! Where something stands in a file.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A stretch of a file's text. Cheap to clone: file name and text are shared.
#[derive(Clone)]
pub struct Place {
    /// The file, as it was named when it was read.
    pub file: Arc<Path>,
    /// The whole text of the file.
    pub text: Arc<str>,
    /// The bytes meant.
    pub span: Range<usize>,
}

/// Lines longer than this are shown in part: a file can be one line of a megabyte.
const SHOWN_BEFORE: usize = 80;
const SHOWN_MARKED: usize = 80;
const SHOWN_AFTER: usize = 80;

impl Place {
    /// A stretch of `text`, which is what `file` holds.
    pub fn new(file: impl Into<Arc<Path>>, text: impl Into<Arc<str>>, span: Range<usize>) -> Place {
        Place {
            file: file.into(),
            text: text.into(),
            span,
        }
    }

    /// Another stretch of the same file.
    #[must_use]
    pub fn with_span(&self, span: Range<usize>) -> Place {
        Place {
            file: Arc::clone(&self.file),
            text: Arc::clone(&self.text),
            span,
        }
    }

    /// The first occurrence of `fragment` inside this place; the place itself if there is none
    /// (a TOML escape can make a value differ from its source).
    #[must_use]
    pub fn narrowed_to(&self, fragment: &str) -> Place {
        let (start, end) = self.bounds();
        self.text
            .get(start..end)
            .and_then(|source| source.find(fragment))
            .map_or_else(
                || self.clone(),
                |offset| self.with_span(start + offset..start + offset + fragment.len()),
            )
    }

    /// Line and column of the first byte, both from 1; columns count characters.
    pub fn line_column(&self) -> (usize, usize) {
        let (start, _) = self.bounds();
        let before = self.text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// The line with a caret underline, three lines of text with a gutter. A place that spans
    /// several lines is underlined to the end of its first.
    pub fn snippet(&self) -> String {
        let (line_number, _) = self.line_column();
        let (before, marked, after) = self.line_parts();

        let before = shown(before);
        let skipped = before.chars().count().saturating_sub(SHOWN_BEFORE);
        let mut line = String::new();
        if skipped > 0 {
            line.push('…');
        }
        line.extend(before.chars().skip(skipped));
        let indent = line.chars().count();

        let marked = shown(marked);
        let carets = marked.chars().count().clamp(1, SHOWN_MARKED);
        line.extend(marked.chars().take(SHOWN_MARKED));
        if marked.chars().count() > SHOWN_MARKED {
            line.push('…');
        } else {
            let after = shown(after);
            line.extend(after.chars().take(SHOWN_AFTER));
            if after.chars().count() > SHOWN_AFTER {
                line.push('…');
            }
        }

        let number = line_number.to_string();
        let gutter = " ".repeat(number.len());
        format!(
            "{gutter} |\n{number} | {line}\n{gutter} | {}{}",
            " ".repeat(indent),
            "^".repeat(carets)
        )
    }

    /// The span, cut to the text and to whole characters.
    fn bounds(&self) -> (usize, usize) {
        let start = self.text.floor_char_boundary(self.span.start);
        let end = self.text.floor_char_boundary(self.span.end);
        (start, end.max(start))
    }

    /// The first line of the place: before it, in it, after it.
    fn line_parts(&self) -> (&str, &str, &str) {
        let (start, end) = self.bounds();
        let (head, rest) = self.text.split_at(start);
        let line_start = head.rfind('\n').map_or(0, |newline| newline + 1);
        let before = head.get(line_start..).unwrap_or_default();
        let rest = rest.split('\n').next().unwrap_or_default();
        let rest = rest.strip_suffix('\r').unwrap_or(rest);
        let (marked, after) = rest.split_at(rest.floor_char_boundary(end - start));
        (before, marked, after)
    }
}

impl fmt::Display for Place {
    /// `file:line:column`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.file.display())
    }
}

impl fmt::Debug for Place {
    /// Not derived: the whole text of the file would be in every dump of a pipeline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

/// Text that a terminal shows as it stands: one column a character, nothing that moves the
/// cursor, colours or reverses what follows.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push_str("    "),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {
                out.push('\u{fffd}');
            }
            c if c.is_control() => {
                let _ = write!(out, "{}", char::REPLACEMENT_CHARACTER);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Range<usize>) -> Place {
        Place::new(Path::new("f.toml"), text, span)
    }

    #[test]
    fn underlines_characters_not_bytes() {
        let at = place("a = 1\nnäme = 'x'\n", 14..17);
        assert_eq!(at.to_string(), "f.toml:2:8");
        assert_eq!(at.snippet(), "  |\n2 | näme = 'x'\n  |        ^^^");
    }

    #[test]
    fn tabs_and_escapes_keep_the_caret_in_place() {
        let at = place("\t\u{1b}x", 2..3);
        assert_eq!(at.snippet(), "  |\n1 |     \u{fffd}x\n  |      ^");
    }

    #[test]
    fn any_span_can_be_rendered() {
        for text in ["", "\n", "é", "a\nb", "\r\n"] {
            for start in 0..6 {
                for end in 0..6 {
                    let at = place(text, start..end);
                    assert!(at.snippet().contains('^'));
                    assert!(!at.to_string().is_empty());
                }
            }
        }
    }

    #[test]
    fn a_long_line_is_cut() {
        let text = "x".repeat(10_000);
        assert!(place(&text, 5_000..9_000).snippet().len() < 1_000);
    }
}
