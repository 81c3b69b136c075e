//! Records that cannot be rows: how they are told from the others, and what is said of them.

use arrow::array::RecordBatch;
use arrow::datatypes::Field;
use weir_pipeline::{Encoding, Undeclared};

/// What is kept of the text of a bad record: its first bytes.
pub const RAW_KEPT: usize = 64 << 10;
/// A record of more bytes is never a row: a column's text must stay below 2 GiB.
pub(crate) const LONGEST_RECORD: usize = 1 << 30;
/// What is passed over at a time of a record that is too long.
pub(crate) const SKIPPED: usize = 64 << 10;
/// A batch ends early once its text has this many bytes, for the same reason.
pub(crate) const FULL_BATCH: usize = 64 << 20;

/// How the records of a text file are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordOptions {
    /// Whether a bad record is a row of nulls with a [`Reject`], rather than a fault of the file.
    pub tolerant: bool,
    /// The most bytes of a record, as UTF-8 and without the end of its line; at most, and if absent,
    /// 1 GiB.
    pub longest: Option<u64>,
    /// What the file's bytes stand for.
    pub encoding: Encoding,
    /// What becomes of columns that are not declared.
    pub undeclared: Undeclared,
}

impl RecordOptions {
    /// Whether records are looked at one by one, and how long each may be.
    pub(crate) fn one_by_one(&self) -> Option<usize> {
        let longest = self.longest.map(|longest| {
            usize::try_from(longest)
                .unwrap_or(LONGEST_RECORD)
                .min(LONGEST_RECORD)
        });
        match (self.tolerant, longest) {
            (false, None) => None,
            (_, longest) => Some(longest.unwrap_or(LONGEST_RECORD)),
        }
    }
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// CSV: it has more or fewer fields than the file has columns.
    RaggedRow,
    /// CSV: a quote is opened and never closed; the record is the rest of the file.
    OpenQuote,
    /// Its bytes are not UTF-8.
    BadEncoding,
    /// It has more bytes than a record may have.
    LongRecord,
    /// The declared type of a column cannot hold its value.
    BadValue,
    /// It has no value in a column that is declared `not null`.
    NullValue,
    /// JSON: it is not one object.
    BadJson,
    /// JSON: it nests too deep.
    DeepJson,
    /// It has a value in a column that is not declared.
    NewColumn,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 9] = [
        Rule::RaggedRow,
        Rule::OpenQuote,
        Rule::BadEncoding,
        Rule::LongRecord,
        Rule::BadValue,
        Rule::NullValue,
        Rule::BadJson,
        Rule::DeepJson,
        Rule::NewColumn,
    ];

    /// Its name in quarantine and run records.
    pub fn name(self) -> &'static str {
        match self {
            Rule::RaggedRow => "ragged_row",
            Rule::OpenQuote => "open_quote",
            Rule::BadEncoding => "bad_encoding",
            Rule::LongRecord => "long_record",
            Rule::BadValue => "bad_value",
            Rule::NullValue => "null_value",
            Rule::BadJson => "bad_json",
            Rule::DeepJson => "deep_json",
            Rule::NewColumn => "new_column",
        }
    }

    /// What to do about such a record, in one sentence.
    pub fn hint(self) -> &'static str {
        match self {
            Rule::RaggedRow => {
                "the row is ragged: mend it, or check `delimiter`, `quote` and `escape` of the step's `read`"
            }
            Rule::OpenQuote => "mend the file, or check `quote` and `escape` of the step's `read`",
            Rule::BadEncoding => "save the file as UTF-8, or say what it is with `encoding`",
            Rule::LongRecord => {
                "raise `max_record` of the step's `read`, or look for a quote or bracket that is never closed"
            }
            Rule::BadValue => {
                "mend the file, declare the column as string and type it in a plugin, or add what stands for nothing to `nulls`"
            }
            Rule::NullValue => {
                "mend the file, or declare the column nullable and check it with `not_null`"
            }
            Rule::BadJson => "mend the file: each record has to be one JSON object",
            Rule::DeepJson => "mend the file, or flatten it before Weir reads it",
            Rule::NewColumn => {
                "declare the column in the `schema` of the step's `read`, or leave it out with new_column = \"discard\""
            }
        }
    }
}

/// A record that is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The row of the batch that stands for it; all its columns are null.
    pub row: usize,
    /// What is wrong.
    pub rule: Rule,
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// The line and what is wrong there, without a value.
    pub message: String,
    /// The beginning of the record, at most [`RAW_KEPT`] bytes; what is not UTF-8 is replaced. It is
    /// data: not for logs or errors.
    pub raw: String,
}

/// Rows of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// At least one row, with the declared columns; all of them nullable where reading is tolerant.
    pub batch: RecordBatch,
    /// The rows that are none, in order. Always empty where reading is not tolerant.
    pub rejects: Vec<Reject>,
}

/// A value that a column's type does not hold.
pub(crate) fn no_value(field: &Field) -> String {
    format!("column '{}' is no {}", field.name(), field.data_type())
}

/// A value that is missing in a column.
pub(crate) fn empty(field: &Field) -> String {
    format!(
        "column '{}' is empty, but declared `not null`",
        field.name()
    )
}

/// The most characters of a name that files give, in what is said of it.
const NAME_SHOWN: usize = 100;

/// A column that is not declared. Its name comes from the file, and may be anything.
pub(crate) fn undeclared(name: &str) -> String {
    let shown: String = name.chars().take(NAME_SHOWN).collect();
    let more = if shown.len() < name.len() { "…" } else { "" };
    format!("column '{}{more}' is not declared", shown.escape_debug())
}

/// A record that is too long.
pub(crate) fn too_long(longest: usize) -> String {
    format!("the record is longer than {longest} bytes")
}

/// The beginning of a record as text.
pub(crate) fn raw_text(record: &[u8]) -> String {
    let cut = record.len() > RAW_KEPT;
    let kept = record.get(..RAW_KEPT).unwrap_or(record);
    let mut text = String::from_utf8_lossy(kept).into_owned();
    // Half a character at the cut is no fault of the record's.
    if cut && text.ends_with(char::REPLACEMENT_CHARACTER) {
        text.pop();
    }
    text
}

/// Counts the lines of a text that may come in any parts; `\n`, `\r\n` and `\r` end one.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    ended: u64,
    after_return: bool,
}

impl Lines {
    /// The line on which the next byte is, from 1, unless it ends the line before with a `\r`.
    pub(crate) fn line(&self) -> u64 {
        self.ended + 1
    }

    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        let mut next = 0;
        for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
            let returns = bytes.get(at) == Some(&b'\r');
            // With nothing between, `\r\n` is one end, be it in two parts.
            if returns || !(self.after_return && at == next) {
                self.ended += 1;
            }
            self.after_return = returns;
            next = at + 1;
        }
        if next < bytes.len() {
            self.after_return = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_three_ways_wherever_they_are_split() {
        for (text, line) in [
            ("", 1),
            ("a", 1),
            ("a\n", 2),
            ("a\r\nb\r\n", 3),
            ("a\rb\rc", 3),
            ("\n\r\n\r\r\n", 5),
            ("\r\n\n\r", 4),
        ] {
            for size in 1..=text.len().max(1) {
                let mut lines = Lines::default();
                text.as_bytes()
                    .chunks(size)
                    .for_each(|part| lines.pass(part));
                assert_eq!(lines.line(), line, "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn raw_text_is_cut_between_characters() {
        assert_eq!(raw_text(b"a\xFFb"), "a\u{fffd}b");
        let long = format!("x{}", "é".repeat(RAW_KEPT));
        let kept = raw_text(long.as_bytes());
        assert_eq!(kept.len(), RAW_KEPT - 1);
        assert!(long.starts_with(&kept));
    }
}
