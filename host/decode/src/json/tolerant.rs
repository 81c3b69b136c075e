//! Records one by one: each is a row, or a row of nulls and what is wrong with it.
//!
//! The records of a batch are decoded together. Only if that fails are those that do not decode looked
//! for, by halves, and each of them asked for what is wrong: its bytes, its grammar, or a column.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::nullif;
use arrow::datatypes::{Field, Schema, SchemaRef};
use bytes::{Buf, Bytes};
use weir_pipeline::Undeclared;

use super::decoders::Decoders;
use super::frame::{Frame, Part, Shape};
use super::undeclared::undeclared as of_record;
use super::{NO_FIT, too_deep};
use crate::fault::{DecodeError, Fault};
use crate::record::{
    Decoded, FULL_BATCH, RAW_KEPT, RecordOptions, Reject, Rule, empty, no_value, raw_text,
    too_long, undeclared,
};
use crate::types::nullable_schema;

/// Stands for a record that is none.
const BLANK: &[u8] = b"{}\n";

/// The records of a batch, before they are rows.
pub(super) struct Watch {
    /// Whether a bad record stays as a row of nulls; else the first ends the file.
    tolerant: bool,
    /// What becomes of keys that are not declared.
    undeclared: Undeclared,
    /// The most bytes of a record, without white space around it.
    longest: usize,
    /// The declared columns.
    schema: SchemaRef,
    /// The same, all nullable.
    nullable: SchemaRef,
    batch_rows: usize,
    decoders: Decoders,
    frame: Frame,
    rest: Bytes,
    /// The whole records, each an object and the end of a line; then the open one, as far as it is
    /// kept.
    text: Vec<u8>,
    /// Where each whole record ends in `text`, and on which line it began.
    whole: Vec<(usize, u64)>,
    /// Bytes of the open record, and how many of them there are up to its last that is no white space.
    length: usize,
    solid: usize,
    /// What is wrong with whole records, by their index.
    faults: BTreeMap<usize, BadRecord>,
    /// Bytes of text in `faults`.
    raw: usize,
}

struct BadRecord {
    rule: Rule,
    what: String,
    raw: String,
}

impl Watch {
    pub(super) fn new(
        array: bool,
        schema: &SchemaRef,
        batch_rows: usize,
        options: RecordOptions,
        longest: usize,
    ) -> Result<Watch, DecodeError> {
        let nullable = nullable_schema(schema);
        Ok(Watch {
            tolerant: options.tolerant,
            undeclared: options.undeclared,
            longest,
            schema: Arc::clone(schema),
            decoders: Decoders::new(Arc::clone(&nullable), batch_rows)?,
            nullable,
            batch_rows,
            frame: Frame::new(array),
            rest: Bytes::new(),
            text: Vec::new(),
            whole: Vec::new(),
            length: 0,
            solid: 0,
            faults: BTreeMap::new(),
            raw: 0,
        })
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.rest = bytes;
    }

    pub(super) fn batch(&mut self, ended: bool) -> Result<Option<Decoded>, DecodeError> {
        loop {
            if self.whole.len() >= self.batch_rows || self.begin() + self.raw >= FULL_BATCH {
                return self.flush();
            }
            let given = self.rest.clone();
            let mut left = given.as_ref();
            let part = match self.frame.next(&mut left) {
                Part::More if ended => self.frame.finish(),
                part => part,
            };
            self.rest.advance(given.len() - left.len());
            match part {
                Part::Bytes(bytes) => self.take(bytes),
                Part::End(shape, line) => self.close(shape, line),
                Part::More if ended => return self.flush(),
                Part::More => return Ok(None),
            }
        }
    }

    /// Where the open record begins in the text.
    fn begin(&self) -> usize {
        self.whole.last().map_or(0, |(end, _)| *end)
    }

    fn take(&mut self, bytes: &[u8]) {
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        if let Some(last) = bytes.iter().rposition(|byte| !space(byte)) {
            self.solid = self.length.saturating_add(last + 1);
        }
        let most = match self.solid > self.longest {
            true => RAW_KEPT + 1,
            false => self.longest.max(RAW_KEPT + 1),
        };
        let room = most.saturating_sub(self.length).min(bytes.len());
        self.text
            .extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.text.truncate(self.begin() + most);
        self.length = self.length.saturating_add(bytes.len());
    }

    /// The open record is whole.
    fn close(&mut self, shape: Shape, line: u64) {
        let fault = match shape {
            Shape::Endless => Some((
                Rule::BadJson,
                "the file ends before the record, or the array, does".to_owned(),
            )),
            _ if self.solid > self.longest => Some((Rule::LongRecord, too_long(self.longest))),
            Shape::Deep => Some((Rule::DeepJson, too_deep())),
            Shape::Other => Some((Rule::BadJson, NO_OBJECT.to_owned())),
            Shape::Object => None,
        };
        match fault {
            None => self.text.push(b'\n'),
            Some((rule, what)) => {
                let begin = self.begin();
                let raw = raw_of(self.text.get(begin..).unwrap_or_default());
                self.raw += raw.len();
                let row = self.whole.len();
                self.faults.insert(row, BadRecord { rule, what, raw });
                self.text.truncate(begin);
                self.text.extend_from_slice(BLANK);
            }
        }
        self.whole.push((self.text.len(), line));
        (self.length, self.solid) = (0, 0);
    }

    /// The whole records, as rows.
    fn flush(&mut self) -> Result<Option<Decoded>, DecodeError> {
        let whole = std::mem::take(&mut self.whole);
        let text = std::mem::take(&mut self.text);
        let mut faults = std::mem::take(&mut self.faults);
        self.raw = 0;
        let rows = whole.len();
        if rows == 0 {
            return Ok(None);
        }
        let records = Records {
            text: &text,
            whole: &whole,
        };
        let batch = match self.decoded(&text, rows)? {
            Some(batch) => batch,
            None => {
                let mut bad = Vec::new();
                self.failing(&records, 0..rows, &mut bad)?;
                for row in bad {
                    let fault = self.wrong_with(records.get(row..row + 1))?;
                    faults.insert(row, fault);
                }
                let mut mended = Vec::with_capacity(text.len());
                for row in 0..rows {
                    mended.extend_from_slice(match faults.contains_key(&row) {
                        true => BLANK,
                        false => records.get(row..row + 1),
                    });
                }
                self.decoded(&mended, rows)?
                    .ok_or_else(|| Fault::placed(NO_FIT).hint_at(Rule::BadValue.hint()))?
            }
        };
        for (column, declared) in batch.columns().iter().zip(self.schema.fields()) {
            if declared.is_nullable() || column.null_count() == 0 {
                continue;
            }
            for row in (0..rows).filter(|row| column.is_null(*row)) {
                faults.entry(row).or_insert_with(|| BadRecord {
                    rule: Rule::NullValue,
                    what: empty(declared),
                    raw: raw_of(records.get(row..row + 1)),
                });
            }
        }
        for (row, name) in self.undeclared(&records, rows) {
            faults.entry(row).or_insert_with(|| BadRecord {
                rule: Rule::NewColumn,
                what: undeclared(&name),
                raw: raw_of(records.get(row..row + 1)),
            });
        }
        let mut columns = batch.columns().to_vec();
        if !faults.is_empty() {
            let bad: BooleanArray = (0..rows)
                .map(|row| Some(faults.contains_key(&row)))
                .collect();
            for column in &mut columns {
                *column = nullif(column, &bad)?;
            }
        }
        let rejects: Vec<Reject> = faults
            .into_iter()
            .map(|(row, fault)| {
                let line = whole.get(row).map_or(0, |(_, line)| *line);
                Reject {
                    row,
                    rule: fault.rule,
                    line,
                    message: format!("line {line}: {}", fault.what),
                    raw: fault.raw,
                }
            })
            .collect();
        let ends_the_file = |reject: &&Reject| {
            let refused = self.undeclared == Undeclared::Freeze && reject.rule == Rule::NewColumn;
            !self.tolerant || refused
        };
        if let Some(first) = rejects.iter().find(ends_the_file) {
            return Err(Fault::placed(first.message.as_str())
                .hint_at(first.rule.hint())
                .into());
        }
        let schema = match self.tolerant {
            true => &self.nullable,
            false => &self.schema,
        };
        let batch = RecordBatch::try_new(Arc::clone(schema), columns)?;
        Ok(Some(Decoded { batch, rejects }))
    }

    /// The rows with a key that is not declared, and may not be there, with the key.
    fn undeclared(&self, records: &Records<'_>, rows: usize) -> Vec<(usize, String)> {
        let or_null = match self.undeclared {
            Undeclared::Discard => return Vec::new(),
            Undeclared::Freeze => true,
            Undeclared::Quarantine => false,
        };
        (0..rows)
            .filter_map(|row| {
                let record = records.get(row..row + 1);
                Some((row, of_record(record, &self.schema, or_null)?))
            })
            .collect()
    }

    /// `text` as so many rows; none if it is something else.
    fn decoded(&mut self, text: &[u8], rows: usize) -> Result<Option<RecordBatch>, DecodeError> {
        let decoded = decoded(&mut self.decoders, text, rows);
        if decoded.is_none() {
            self.decoders = Decoders::new(Arc::clone(&self.nullable), self.batch_rows)?;
        }
        Ok(decoded)
    }

    /// The records of `range` that do not decode, of which there is one at least.
    fn failing(
        &mut self,
        records: &Records<'_>,
        range: Range<usize>,
        bad: &mut Vec<usize>,
    ) -> Result<(), DecodeError> {
        if range.len() <= 1 {
            bad.extend(range);
            return Ok(());
        }
        let middle = range.start + range.len() / 2;
        for half in [range.start..middle, middle..range.end] {
            let text = records.get(half.clone());
            if self.decoded(text, half.len())?.is_none() {
                self.failing(records, half, bad)?;
            }
        }
        Ok(())
    }

    /// What is wrong with a record that does not decode.
    fn wrong_with(&self, record: &[u8]) -> Result<BadRecord, DecodeError> {
        let raw = raw_of(record);
        let fault = |rule, what| BadRecord { rule, what, raw };
        if std::str::from_utf8(record).is_err() {
            return Ok(fault(Rule::BadEncoding, "the text is not UTF-8".to_owned()));
        }
        let alone = |fields: Vec<Arc<Field>>| Decoders::new(Arc::new(Schema::new(fields)), 1);
        let mut none = alone(Vec::new())?;
        if none.decode(record).is_err() || !none.hold(1) {
            return Ok(fault(Rule::BadJson, NO_OBJECT.to_owned()));
        }
        for (field, declared) in self.nullable.fields().iter().zip(self.schema.fields()) {
            if decoded(&mut alone(vec![Arc::clone(field)])?, record, 1).is_none() {
                return Ok(fault(Rule::BadValue, no_value(declared)));
            }
        }
        Ok(fault(Rule::BadValue, NO_FIT.to_owned()))
    }
}

const NO_OBJECT: &str = "the text is not one JSON object";

/// Whole records, one after the other.
struct Records<'a> {
    text: &'a [u8],
    whole: &'a [(usize, u64)],
}

impl<'a> Records<'a> {
    fn get(&self, range: Range<usize>) -> &'a [u8] {
        let end = |index: Option<usize>| {
            index
                .and_then(|index| self.whole.get(index))
                .map_or(0, |(end, _)| *end)
        };
        let (start, end) = (
            end(range.start.checked_sub(1)),
            end(range.end.checked_sub(1)),
        );
        self.text.get(start..end).unwrap_or_default()
    }
}

fn decoded(decoders: &mut Decoders, text: &[u8], rows: usize) -> Option<RecordBatch> {
    decoders.decode(text).ok()?;
    if !decoders.hold(rows) {
        return None;
    }
    let batch = decoders.flush().ok()??;
    (batch.num_rows() == rows).then_some(batch)
}

/// The beginning of a record, without the white space after it.
fn raw_of(record: &[u8]) -> String {
    raw_text(record.trim_ascii_end())
}
