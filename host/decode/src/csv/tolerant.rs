//! Records one by one: each is a row, or a row of nulls and what is wrong with it.
//!
//! Fields are read and typed by columns as ever; what is looked at one by one is where records begin
//! and end. A bad record is found by the first of: its end, its length, its number of fields, its
//! bytes, its values in the order of the declared columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::nullif;
use arrow::datatypes::{Schema, SchemaRef};

use super::records::{Read, Span};
use super::typed::Typed;
use super::{Csv, Held, State};
use crate::fault::{DecodeError, Fault};
use crate::record::{
    Decoded, FULL_BATCH, Lines, RAW_KEPT, Reject, Rule, SKIPPED, empty, no_value, raw_text,
    too_long, undeclared,
};
use crate::types::nullable_schema;

/// What is known of the records of a batch besides their fields.
pub(super) struct Watch {
    /// Whether a bad record stays as a row of nulls; else the first ends the file.
    tolerant: bool,
    /// The most bytes of a record, without the end of its line.
    longest: usize,
    /// The declared columns, all nullable.
    schema: SchemaRef,
    lines: Lines,
    /// The first bytes of each record, one after the other.
    raw: Vec<u8>,
    /// Where those of each whole record end, and on which line it begins.
    whole: Vec<(usize, u64)>,
    /// What is wrong with the whole records, by their index.
    faults: BTreeMap<usize, (Rule, String)>,
    /// The record that is being read, once a byte of it is there.
    open: Option<Open>,
}

struct Open {
    line: u64,
    /// Its bytes so far.
    length: usize,
}

impl Watch {
    pub(super) fn new(schema: &Schema, tolerant: bool, longest: usize) -> Watch {
        Watch {
            tolerant,
            longest,
            schema: nullable_schema(schema),
            lines: Lines::default(),
            raw: Vec::new(),
            whole: Vec::new(),
            faults: BTreeMap::new(),
            open: None,
        }
    }

    /// Counts the lines of bytes that belong to no record.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        self.lines.pass(bytes);
    }

    /// How many bytes more the open record may have before it is too long; one more than that tells.
    fn room(&self) -> usize {
        let length = self.open.as_ref().map_or(0, |open| open.length);
        match self.longest.checked_sub(length) {
            Some(left) => left.saturating_add(1),
            None => SKIPPED,
        }
    }

    /// Takes bytes of the open record; whether it is too long by now.
    fn take(&mut self, bytes: &[u8]) -> bool {
        self.lines.pass(bytes);
        let Some(open) = &mut self.open else {
            return false;
        };
        let begin = self.whole.last().map_or(0, |(end, _)| *end);
        let kept = self.raw.len().saturating_sub(begin);
        // One byte more than is shown, so that it is known to be cut.
        let room = (RAW_KEPT + 1).saturating_sub(kept).min(bytes.len());
        self.raw
            .extend_from_slice(bytes.get(..room).unwrap_or_default());
        open.length = open.length.saturating_add(bytes.len());
        open.length > self.longest
    }

    /// The open record is whole.
    fn close(&mut self, fault: Option<(Rule, String)>) {
        if let Some(open) = self.open.take() {
            if let Some(fault) = fault {
                self.faults.insert(self.whole.len(), fault);
            }
            self.whole.push((self.raw.len(), open.line));
        }
    }

    /// What is said of the bad records, and none of them remembered any more.
    fn rejects(&mut self, faults: BTreeMap<usize, (Rule, String)>) -> Vec<Reject> {
        let rejects = faults.into_iter().map(|(row, (rule, what))| {
            let begin = row.checked_sub(1).and_then(|before| self.whole.get(before));
            let begin = begin.map_or(0, |(end, _)| *end);
            let (end, line) = self.whole.get(row).copied().unwrap_or_default();
            let mut raw = self.raw.get(begin..end).unwrap_or_default();
            while let Some((b'\n' | b'\r', rest)) = raw.split_last() {
                raw = rest;
            }
            Reject {
                row,
                rule,
                line,
                message: format!("line {line}: {what}"),
                raw: raw_text(raw),
            }
        });
        let rejects = rejects.collect();
        self.raw.clear();
        self.whole.clear();
        rejects
    }
}

impl Csv {
    /// Reads records until a batch is full or the bytes are used up.
    pub(super) fn records_one_by_one(&mut self) -> Result<Option<Decoded>, DecodeError> {
        loop {
            let raw = self.watch.as_ref().map_or(0, |watch| watch.raw.len());
            if self.is_full() || raw >= FULL_BATCH {
                return self.flush_rows();
            }
            let (read, open) = if self.rest.is_empty() {
                if !self.ended {
                    return Ok(None);
                }
                self.end_of_file()
            } else {
                (self.read_on(), false)
            };
            match read {
                Read::More => {}
                Read::Row(fields) => self.judge(fields, open),
                Read::End => {
                    let last = self.flush_rows()?;
                    self.state = State::Done;
                    return Ok(last);
                }
            }
        }
    }

    /// Reads to the end of a record, or of the bytes, or of what a record may have. There are bytes.
    fn read_on(&mut self) -> Read {
        let Some(watch) = &mut self.watch else {
            return Read::More;
        };
        if watch.open.is_none() {
            // Ends of lines between records are no records.
            let ends = self.rest.iter();
            let between = ends
                .take_while(|byte| matches!(byte, b'\n' | b'\r'))
                .count();
            if between > 0 {
                let ends = self.rest.split_to(between);
                watch.pass(&ends);
                return self.records.read(&mut ends.as_ref());
            }
            let line = watch.lines.line();
            watch.open = Some(Open { line, length: 0 });
        }
        let given = self.rest.slice(..watch.room().min(self.rest.len()));
        let mut input = given.as_ref();
        let read = self.records.read(&mut input);
        let used = given.len() - input.len();
        bytes::Buf::advance(&mut self.rest, used);
        let taken = given.get(..used).unwrap_or_default();
        let ended = matches!(read, Read::Row(_));
        // The byte that ends a record is not its own.
        let own = used - usize::from(ended).min(used);
        let long = watch.take(taken.get(..own).unwrap_or_default());
        watch.pass(taken.get(own..).unwrap_or_default());
        if long {
            self.records.forget();
        }
        read
    }

    /// A record is whole, with so many fields; `open` says that only the file's end has ended it.
    fn judge(&mut self, fields: usize, open: bool) {
        let (State::Rows(layout), Some(watch)) = (&self.state, &mut self.watch) else {
            return;
        };
        let length = watch.open.as_ref().map_or(0, |open| open.length);
        let fault = if open {
            Some((Rule::OpenQuote, "a quote is never closed".to_owned()))
        } else if length > watch.longest {
            Some((Rule::LongRecord, too_long(watch.longest)))
        } else if fields != layout.width {
            let what = format!("{fields} fields, expected {}", layout.width);
            Some((Rule::RaggedRow, what))
        } else {
            None
        };
        if fault.is_some() {
            self.records.blank_last(fields);
        }
        watch.close(fault);
    }

    /// The records held, as rows.
    fn flush_rows(&mut self) -> Result<Option<Decoded>, DecodeError> {
        let (State::Rows(layout), Some(watch)) = (&self.state, &mut self.watch) else {
            return Ok(None);
        };
        let rows = self.records.rows();
        if rows == 0 {
            return Ok(None);
        }
        let width = layout.width;
        let mut faults = std::mem::take(&mut watch.faults);
        let (data, spans) = self.records.held();
        let mended;
        let (text, spans) = match text_of_fields(data, spans) {
            Some(text) => (text, spans),
            None => {
                mended = without_others(data, spans, width, &mut faults);
                (mended.0.as_str(), mended.1.as_slice())
            }
        };
        let held = Held { text, spans, width };
        let mut columns = Vec::with_capacity(layout.positions.len());
        for (position, declared) in layout.positions.iter().zip(self.schema.fields()) {
            let values = held
                .whole(*position)
                .map_err(|field| self.not_utf8(field, width))?;
            let typed = Typed::of(
                values.map(|value| self.value(value)),
                held.size(),
                declared.data_type(),
            )?;
            for row in &typed.lost {
                let fault = || (Rule::BadValue, no_value(declared));
                faults.entry(*row).or_insert_with(fault);
            }
            if !declared.is_nullable() {
                for row in typed.nulls() {
                    let fault = || (Rule::NullValue, empty(declared));
                    faults.entry(row).or_insert_with(fault);
                }
            }
            columns.push(typed.array);
        }
        for (position, name) in &layout.judged {
            let values = held
                .whole(*position)
                .map_err(|field| self.not_utf8(field, width))?;
            for (row, _) in values.enumerate().filter(|(_, value)| !self.is_null(value)) {
                let fault = || (Rule::NewColumn, undeclared(name));
                faults.entry(row).or_insert_with(fault);
            }
        }
        if !faults.is_empty() {
            let bad: BooleanArray = (0..rows)
                .map(|row| Some(faults.contains_key(&row)))
                .collect();
            for column in &mut columns {
                *column = nullif(column, &bad)?;
            }
        }
        self.row += rows as u64;
        self.records.clear(width);
        let Some(watch) = &mut self.watch else {
            return Ok(None);
        };
        let rejects = watch.rejects(faults);
        let schema = match watch.tolerant {
            true => &watch.schema,
            false => &self.schema,
        };
        if let (false, Some(first)) = (watch.tolerant, rejects.first()) {
            return Err(Fault::placed(first.message.as_str())
                .hint_at(first.rule.hint())
                .into());
        }
        let batch = RecordBatch::try_new(Arc::clone(schema), columns)?;
        Ok(Some(Decoded { batch, rejects }))
    }
}

/// The text of fields, if each of them is UTF-8 by itself.
fn text_of_fields<'a>(data: &'a [u8], spans: &[Span]) -> Option<&'a str> {
    let text = std::str::from_utf8(data).ok()?;
    let whole = |span: &Span| text.is_char_boundary(span.start) && text.is_char_boundary(span.end);
    let apart = text.is_ascii() || spans.iter().all(whole);
    apart.then_some(text)
}

/// The fields of the rows whose fields are UTF-8, each by itself; of the others empty ones.
fn without_others(
    data: &[u8],
    spans: &[Span],
    width: usize,
    faults: &mut BTreeMap<usize, (Rule, String)>,
) -> (String, Vec<Span>) {
    let mut text = String::with_capacity(data.len());
    let mut kept = Vec::with_capacity(spans.len());
    for (row, of_row) in spans.chunks(width.max(1)).enumerate() {
        let before = (text.len(), kept.len());
        for (field, span) in of_row.iter().enumerate() {
            let bytes = data.get(span.start..span.end).unwrap_or_default();
            let start = text.len();
            match std::str::from_utf8(bytes) {
                Ok(value) => text.push_str(value),
                Err(_) => {
                    let fault = || {
                        (
                            Rule::BadEncoding,
                            format!("field {} is not UTF-8", field + 1),
                        )
                    };
                    faults.entry(row).or_insert_with(fault);
                }
            }
            kept.push(Span {
                start,
                end: text.len(),
            });
        }
        if faults.contains_key(&row) {
            text.truncate(before.0);
            kept.truncate(before.1);
            let empty = Span {
                start: before.0,
                end: before.0,
            };
            kept.extend(std::iter::repeat_n(empty, of_row.len()));
        }
    }
    (text, kept)
}
