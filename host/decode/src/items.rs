//! Lines that become JSON objects once somebody has converted them, each by itself.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use weir_pipeline::{Column, DataType, Encoding};

use crate::Decode;
use crate::fault::{DecodeError, Fault};
use crate::json::Json;
use crate::record::{Decoded, RecordOptions, Rule, raw_text, too_long};

/// Converted lines are given to the decoder in parts of about so many bytes.
const PART: usize = 1 << 18;
/// A line of more bytes is no item, unless the step says otherwise.
const LONGEST_LINE: usize = 64 << 20;
/// What takes the place of a line that is none: no JSON, so that the decoder finds it, too.
const NO_ITEM: &[u8] = b"!";

/// Why a line is no item, without a value of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoItem {
    /// What is wrong.
    pub what: String,
    /// What to do, in one sentence.
    pub hint: String,
}

/// Appends to the buffer the JSON object that a line stands for; after an error the buffer is as it was.
pub type Convert = Box<dyn FnMut(&[u8], &mut Vec<u8>) -> Result<(), NoItem> + Send>;

/// Decodes lines, each of which is converted to a JSON object. Blank lines are passed over.
pub struct Items {
    json: Json,
    convert: Option<Convert>,
    /// The column that takes each object as its text, where there is one.
    whole: Option<String>,
    options: RecordOptions,
    longest: usize,
    /// Bytes that have not been looked at.
    rest: Bytes,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// Whether the line that has begun is too long already.
    skips: bool,
    /// Lines that have ended.
    lines: u64,
    ended: bool,
    finished: bool,
    /// Lines that are no item, which the decoder has still to come to.
    bad: VecDeque<Bad>,
    failed: bool,
}

struct Bad {
    line: u64,
    rule: Rule,
    what: String,
    raw: String,
}

impl Items {
    /// A decoder of lines with `columns`, whose batches have at most `batch_rows` rows. Without `convert`
    /// lines are objects already.
    ///
    /// # Errors
    /// A column's type is none that JSON values can be turned into.
    pub fn new(
        convert: Option<Convert>,
        columns: &[Column],
        batch_rows: usize,
        options: RecordOptions,
    ) -> Result<Items, DecodeError> {
        let json = Json::new(false, columns, batch_rows)?.with_records(options)?;
        Ok(Items {
            json,
            convert,
            whole: None,
            options,
            longest: options.longest.map_or(LONGEST_LINE, |longest| {
                usize::try_from(longest).unwrap_or(LONGEST_LINE)
            }),
            rest: Bytes::new(),
            begun: Vec::new(),
            skips: false,
            lines: 0,
            ended: false,
            finished: false,
            bad: VecDeque::new(),
            failed: false,
        })
    }

    /// A decoder of lines whose rows have one column `name`, the text of each object.
    ///
    /// # Errors
    /// As [`Items::new`].
    pub fn whole(
        convert: Option<Convert>,
        name: &str,
        batch_rows: usize,
        options: RecordOptions,
    ) -> Result<Items, DecodeError> {
        let items = Items::new(convert, &[whole_column(name)], batch_rows, options)?;
        Ok(Items {
            whole: Some(name.to_owned()),
            ..items
        })
    }

    /// Gives the decoder the next lines; false if there are none yet.
    fn feed(&mut self) -> Result<bool, Fault> {
        let mut out = Vec::with_capacity(PART + PART / 4);
        while out.len() < PART {
            let Some(at) = memchr::memchr(b'\n', &self.rest) else {
                break;
            };
            let line = self.rest.split_to(at);
            self.rest.advance(1);
            self.line(&line, &mut out)?;
        }
        if out.len() < PART && memchr::memchr(b'\n', &self.rest).is_none() {
            let rest = std::mem::take(&mut self.rest);
            self.begin(&rest);
            if self.ended && (self.skips || !self.begun.is_empty()) {
                self.line(&[], &mut out)?;
            }
        }
        let some = !out.is_empty();
        if some {
            self.json.push(out.into());
        }
        Ok(some)
    }

    /// Keeps the beginning of a line, unless it is too long.
    fn begin(&mut self, part: &[u8]) {
        if self.begun.len() + part.len() <= self.longest {
            self.begun.extend_from_slice(part);
        } else {
            // What quarantine shows is its beginning.
            self.skips = true;
            let room = self.longest.saturating_sub(self.begun.len());
            self.begun
                .extend_from_slice(part.get(..room).unwrap_or(part));
        }
    }

    /// Converts a line that has ended, of which `end` is what has not been kept.
    fn line(&mut self, end: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let kept = match self.begun.is_empty() && end.len() <= self.longest {
            true => None,
            false => {
                self.begin(end);
                Some(std::mem::take(&mut self.begun))
            }
        };
        let line = kept.as_deref().unwrap_or(end);
        self.lines += 1;
        let skipped = std::mem::take(&mut self.skips);
        if line.iter().all(u8::is_ascii_whitespace) && !skipped {
            out.push(b'\n');
            return Ok(());
        }
        let begin = out.len();
        let converted = match (skipped, &mut self.convert) {
            (true, _) => Err((
                Rule::LongRecord,
                NoItem {
                    what: too_long(self.longest),
                    hint: Rule::LongRecord.hint().to_owned(),
                },
            )),
            (false, None) => {
                out.extend_from_slice(line);
                Ok(())
            }
            (false, Some(convert)) => convert(line, out).map_err(|why| (Rule::BadJson, why)),
        };
        match (converted, &self.whole) {
            (Ok(()), None) => {}
            (Ok(()), Some(name)) => {
                let text = out.split_off(begin);
                as_value(name, &text, out);
            }
            (Err((_, why)), _) if !self.options.tolerant => {
                return Err(Fault::new(format!("line {}", self.lines), why.what).hint_at(why.hint));
            }
            (Err((rule, why)), _) => {
                out.truncate(begin);
                out.extend_from_slice(NO_ITEM);
                self.bad.push_back(Bad {
                    line: self.lines,
                    rule,
                    what: why.what,
                    raw: raw_text(line),
                });
            }
        }
        out.push(b'\n');
        Ok(())
    }

    /// Says of rejected lines what was found before the decoder came to them.
    fn told(&mut self, mut decoded: Decoded) -> Decoded {
        for reject in &mut decoded.rejects {
            if let Some(bad) = self.bad.pop_front_if(|bad| bad.line == reject.line) {
                reject.rule = bad.rule;
                reject.message = format!("line {}: {}", bad.line, bad.what);
                reject.raw = bad.raw;
            }
        }
        decoded
    }
}

/// The column that takes whole objects.
pub fn whole_column(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        source: None,
        data_type: DataType::String,
        nullable: false,
        sensitivity: Vec::new(),
    }
}

/// `{"name":"text"}`, with what a JSON string may not hold escaped.
fn as_value(name: &str, text: &[u8], out: &mut Vec<u8>) {
    out.push(b'{');
    quote(name.as_bytes(), out);
    out.push(b':');
    quote(text, out);
    out.push(b'}');
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => out.push(*other),
        }
    }
    out.push(b'"');
}

impl Decode for Items {
    fn push(&mut self, bytes: Bytes) {
        debug_assert!(!self.ended);
        debug_assert_eq!(self.options.encoding, Encoding::Utf8);
        self.rest = bytes;
    }

    fn finish(&mut self) {
        self.ended = true;
    }

    fn batch(&mut self) -> Result<Option<Decoded>, DecodeError> {
        if self.failed {
            return Ok(None);
        }
        loop {
            let decoded = self.json.batch();
            self.failed = decoded.is_err();
            if let Some(decoded) = decoded? {
                return Ok(Some(self.told(decoded)));
            }
            let fed = self.feed();
            self.failed = fed.is_err();
            if fed? {
                continue;
            }
            if !self.ended || self.finished {
                return Ok(None);
            }
            self.finished = true;
            self.json.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;

    fn columns() -> [Column; 1] {
        [Column {
            name: "a".into(),
            source: None,
            data_type: DataType::Int64,
            nullable: true,
            sensitivity: Vec::new(),
        }]
    }

    /// `x7` is the object `{"a":7}`; all else is no item.
    fn convert() -> Option<Convert> {
        Some(Box::new(|line, out| match line.strip_prefix(b"x") {
            Some(number) => {
                out.extend_from_slice(b"{\"a\":");
                out.extend_from_slice(number);
                out.push(b'}');
                Ok(())
            }
            None => Err(NoItem {
                what: "no x".into(),
                hint: "write x".into(),
            }),
        }))
    }

    fn tolerant() -> RecordOptions {
        RecordOptions {
            tolerant: true,
            longest: Some(20),
            ..RecordOptions::default()
        }
    }

    fn all(mut items: Items, text: &str, size: usize) -> Result<Vec<Decoded>, String> {
        let mut out = Vec::new();
        let mut chunks = text.as_bytes().chunks(size);
        loop {
            while let Some(decoded) = items.batch().map_err(|error| error.to_string())? {
                out.push(decoded);
            }
            match chunks.next() {
                Some(chunk) => items.push(Bytes::copy_from_slice(chunk)),
                None if items.ended => return Ok(out),
                None => items.finish(),
            }
        }
    }

    #[test]
    fn lines_become_rows_wherever_they_are_split() {
        let text = "x1\n\n x2\nx3\r\nx4";
        for size in 1..=text.len() {
            let items = Items::new(convert(), &columns(), 2, tolerant()).unwrap();
            let batches = all(items, text, size).unwrap();
            let rows: Vec<Option<i64>> = batches
                .iter()
                .flat_map(|decoded| decoded.batch.column(0).as_primitive::<Int64Type>().iter())
                .collect();
            assert_eq!(rows, [Some(1), None, Some(3), Some(4)], "by {size}");
            let rejects: Vec<(u64, String, String)> = batches
                .into_iter()
                .flat_map(|decoded| decoded.rejects)
                .map(|reject| (reject.line, reject.message, reject.raw))
                .collect();
            let expected = (3, "line 3: no x".to_owned(), " x2".to_owned());
            assert_eq!(rejects, [expected], "by {size}");
        }
    }

    #[test]
    fn bad_lines_are_told_apart_by_what_is_wrong() {
        let long = "x".repeat(30);
        let text = format!("y\nx1\nx\"\"\n{long}\nx2\nx}}\n{long}");
        for size in [1, 7, 1000] {
            let items = Items::new(convert(), &columns(), 100, tolerant()).unwrap();
            let batches = all(items, &text, size).unwrap();
            let rules: Vec<(u64, &str)> = batches
                .iter()
                .flat_map(|decoded| &decoded.rejects)
                .map(|reject| (reject.line, reject.rule.name()))
                .collect();
            assert_eq!(
                rules,
                [
                    (1, "bad_json"),
                    (3, "bad_value"),
                    (4, "long_record"),
                    (6, "bad_json"),
                    (7, "long_record"),
                ],
                "by {size}"
            );
        }
        let strict = Items::new(convert(), &columns(), 100, RecordOptions::default()).unwrap();
        assert_eq!(all(strict, &text, 3).unwrap_err(), "line 1: no x");
    }

    #[test]
    fn whole_objects_are_kept_as_they_are() {
        let text = "{\"a\":\"\\\\ \\\"\\u0001é\"}\n{}\n";
        for size in [1, 1000] {
            let items = Items::whole(None, "item", 100, RecordOptions::default()).unwrap();
            let batches = all(items, text, size).unwrap();
            let rows: Vec<&str> = batches
                .iter()
                .flat_map(|decoded| decoded.batch.column(0).as_string::<i32>().iter().flatten())
                .collect();
            assert_eq!(rows, text.lines().collect::<Vec<_>>());
        }
    }
}
