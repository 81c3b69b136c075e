//! Delimiter-separated text.

mod records;
mod tolerant;
mod typed;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::{Buf, Bytes};
use weir_pipeline::{Column, CsvOptions, Encoding, Undeclared};

use crate::Decode;
use crate::fault::{DecodeError, Fault};
use crate::latin1;
use crate::record::{Decoded, FULL_BATCH, LONGEST_RECORD, RecordOptions, Rule};
use crate::types::arrow_schema;
use records::{Read, Records, Span};
use tolerant::Watch;
use typed::Typed;

/// A header longer than this is no header.
const LONGEST_HEADER: usize = 1 << 20;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Decodes one file of delimiter-separated text.
///
/// Rows are decoded as text only: types come afterwards, so that a value that does not fit can be
/// reported by its place without showing it. Each field must be UTF-8 by itself: a character whose
/// bytes are on both sides of a delimiter is none.
pub struct Csv {
    options: CsvOptions,
    columns: Vec<Column>,
    schema: SchemaRef,
    batch_rows: usize,
    state: State,
    records: Records,
    rest: Bytes,
    ended: bool,
    /// Rows before the batch that is being read.
    row: u64,
    /// The last byte so far; a line's end before there is any.
    last: u8,
    undeclared: Vec<String>,
    /// What becomes of those.
    fate: Undeclared,
    encoding: Encoding,
    /// Looks at each record, where one that is bad does not simply end the file.
    watch: Option<Watch>,
}

enum State {
    /// At the beginning, where byte order marks are passed over; so many bytes of one were met.
    Mark(usize),
    /// In the first row; so many bytes of it were met.
    First(usize),
    /// In the rows.
    Rows(Layout),
    /// Nothing more comes.
    Done,
}

impl Csv {
    /// A decoder of a file with `columns`, whose batches have at most `batch_rows` rows.
    pub fn new(options: CsvOptions, columns: &[Column], batch_rows: usize) -> Csv {
        // Until the header says otherwise every field is kept.
        let width = match options.header {
            true => usize::MAX,
            false => columns.len(),
        };
        Csv {
            records: Records::new(&options, width),
            options,
            columns: columns.to_vec(),
            schema: arrow_schema(columns),
            batch_rows: batch_rows.max(1),
            state: State::Mark(0),
            rest: Bytes::new(),
            ended: false,
            row: 0,
            last: b'\n',
            undeclared: Vec::new(),
            fate: Undeclared::Discard,
            encoding: Encoding::Utf8,
            watch: None,
        }
    }

    /// The decoder, reading records as `options` say.
    pub fn with_records(mut self, options: RecordOptions) -> Csv {
        self.encoding = options.encoding;
        self.fate = options.undeclared;
        self.watch = options
            .one_by_one()
            .map(|longest| Watch::new(&self.schema, options.tolerant, longest));
        self
    }

    /// The columns of the header that were not declared and are not read. They are told once, as
    /// soon as the header is known, if nothing else becomes of them.
    pub fn take_undeclared(&mut self) -> Vec<String> {
        std::mem::take(&mut self.undeclared)
    }

    fn advance(&mut self) -> Result<Option<Decoded>, DecodeError> {
        loop {
            match &mut self.state {
                State::Done => return Ok(None),
                State::Mark(met) => {
                    let Some(byte) = self.rest.first().copied() else {
                        if !self.ended {
                            return Ok(None);
                        }
                        self.replay_mark();
                        continue;
                    };
                    if BOM.get(*met) != Some(&byte) {
                        self.replay_mark();
                        continue;
                    }
                    self.rest.advance(1);
                    *met = (*met + 1) % BOM.len();
                }
                State::First(_) => {
                    if !self.first_row()? {
                        return Ok(None);
                    }
                }
                State::Rows(_) if self.watch.is_some() => return self.records_one_by_one(),
                State::Rows(_) => {
                    let batch = self.rows()?;
                    let rejects = Vec::new();
                    return Ok(batch.map(|batch| Decoded { batch, rejects }));
                }
            }
        }
    }

    /// The bytes that only looked like a byte order mark are the first row's.
    fn replay_mark(&mut self) {
        if let State::Mark(met) = self.state {
            let mut input = BOM.get(..met).unwrap_or_default();
            if self.watch.is_some() && !self.options.header {
                // The number of columns is known: the first record is one as any other.
                self.rest = [input, &self.rest].concat().into();
                let layout = Layout::declared(self.columns.len());
                self.state = State::Rows(layout);
                return;
            }
            if !input.is_empty() {
                self.records.read(&mut input);
            }
            self.state = State::First(met);
        }
    }

    /// Reads the first row and takes from it where the columns are; false if it is not whole yet.
    fn first_row(&mut self) -> Result<bool, Fault> {
        let State::First(met) = &mut self.state else {
            return Ok(true);
        };
        let read = if self.rest.is_empty() {
            if !self.ended {
                return Ok(false);
            }
            match self.end_of_file() {
                (_, true) if self.options.header => return Err(self.open_quote()),
                (Read::Row(fields), true) if fields == self.columns.len() => {
                    return Err(self.open_quote());
                }
                (read, _) => read,
            }
        } else {
            // Not further than a header may be long, wherever the bytes were split.
            let most = LONGEST_HEADER.saturating_sub(*met).min(self.rest.len());
            let given = self.rest.get(..most).unwrap_or_default();
            let mut input = given;
            let read = match given.is_empty() {
                true => Read::More,
                false => self.records.read(&mut input),
            };
            let used = most - input.len();
            if let Some(watch) = &mut self.watch {
                watch.pass(given.get(..used).unwrap_or_default());
            }
            *met += used;
            self.rest.advance(used);
            if read == Read::More && *met >= LONGEST_HEADER {
                return Err(Fault::new("line 1", "the first row is longer than 1 MiB")
                    .hint_at("check the delimiter, the quote, and that this is a text file"));
            }
            read
        };
        match read {
            Read::More => Ok(false),
            Read::End if self.options.header => Err(Fault::new(
                "line 1",
                "the file is empty, without even a header",
            )
            .hint_at("remove the file, or set `header = false`")),
            Read::End => {
                self.state = State::Done;
                Ok(true)
            }
            Read::Row(fields) => {
                let layout = if self.options.header {
                    let names = self.header();
                    let mut layout = Layout::by_name(&names, &self.columns)?;
                    let undeclared = layout.undeclared(&names);
                    match (self.fate, undeclared.first()) {
                        (Undeclared::Freeze, Some((_, name))) => {
                            return Err(Fault::new("line 1", crate::record::undeclared(name))
                                .hint_at(Rule::NewColumn.hint()));
                        }
                        (Undeclared::Discard, _) => {
                            self.undeclared =
                                undeclared.into_iter().map(|(_, name)| name).collect();
                        }
                        (Undeclared::Freeze | Undeclared::Quarantine, _) => {
                            layout.judged = undeclared;
                        }
                    }
                    self.records.clear(layout.width);
                    layout
                } else {
                    Layout::by_position(fields, self.columns.len())?
                };
                self.state = State::Rows(layout);
                Ok(true)
            }
        }
    }

    /// The fields of the header, trimmed.
    fn header(&self) -> Vec<String> {
        let (text, spans) = self.records.held();
        let names = spans.iter().map(|span| {
            let name = text.get(span.start..span.end).unwrap_or_default();
            String::from_utf8_lossy(name).trim().to_owned()
        });
        names.collect()
    }

    /// Reads rows until a batch is full or the bytes are used up.
    fn rows(&mut self) -> Result<Option<RecordBatch>, DecodeError> {
        loop {
            if self.is_full() {
                return self.flush();
            }
            if self.records.bytes().1 > LONGEST_RECORD {
                let row = self.row + self.records.rows() as u64 + 1;
                return Err(Fault::new(format!("row {row}"), "it is longer than 1 GiB")
                    .hint_at("check `quote` and `escape` of the step's `read`: a quote may never be closed")
                    .into());
            }
            let read = if self.rest.is_empty() {
                if !self.ended {
                    return Ok(None);
                }
                match (self.end_of_file(), &self.state) {
                    ((Read::Row(fields), true), State::Rows(layout)) if fields == layout.width => {
                        return Err(self.open_quote().into());
                    }
                    ((read, _), _) => read,
                }
            } else {
                // A part at a time, so that a row's length is looked at while it grows.
                let given = self.rest.slice(..self.rest.len().min(FULL_BATCH));
                let mut input = given.as_ref();
                let read = self.sound_rows(&mut input);
                self.rest.advance(given.len() - input.len());
                read
            };
            match (read, &self.state) {
                (Read::Row(fields), State::Rows(layout)) if fields != layout.width => {
                    return Err(self.ragged(fields, layout.width).into());
                }
                (Read::Row(_) | Read::More, _) => {}
                (Read::End, _) => {
                    let last = self.flush()?;
                    self.state = State::Done;
                    return Ok(last);
                }
            }
        }
    }

    /// Reads rows as long as they have the fields that they should, up to a full batch. There is input.
    fn sound_rows(&mut self, input: &mut &[u8]) -> Read {
        let State::Rows(Layout { width, .. }) = self.state else {
            return Read::More;
        };
        loop {
            let read = self.records.read(input);
            let on = read == Read::Row(width) && !input.is_empty() && !self.is_full();
            if !on {
                return read;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.records.rows() >= self.batch_rows || self.records.bytes().0 >= FULL_BATCH
    }

    /// Ends the last row, or none. The flag says that it was still open: a quote is.
    fn end_of_file(&mut self) -> (Read, bool) {
        // After the end of a line only an open quote can still hold a row.
        if self.last != b'\n' {
            self.last = b'\n';
            match self.records.read(&mut b"\n".as_slice()) {
                Read::More => {}
                whole => return (whole, false),
            }
        }
        let end = self.records.read(&mut [].as_slice());
        (end, end != Read::End)
    }

    fn open_quote(&self) -> Fault {
        Fault::new(format!("after row {}", self.row), "a quote is never closed")
            .hint_at("mend the file, or check `quote` and `escape` of the step's `read`")
    }

    /// The line of the row `index` of the batch, if no field holds the end of one.
    fn line(&self, index: usize) -> u64 {
        self.row + index as u64 + 1 + u64::from(self.options.header)
    }

    fn ragged(&self, fields: usize, width: usize) -> Fault {
        let line = self.line(self.records.rows().saturating_sub(1));
        Fault::placed(format!(
            "incorrect number of fields for line {line}, expected {width} got {fields}"
        ))
        .hint_at("the row is ragged: mend it, or check `delimiter`, `quote` and `escape` of the step's `read`")
    }

    fn not_utf8(&self, field: usize, width: usize) -> Fault {
        let (line, field) = (self.line(field / width), field % width + 1);
        Fault::placed(format!(
            "Encountered invalid UTF-8 data for line {line} and field {field}"
        ))
        .hint_at("save the file as UTF-8")
    }

    /// The rows held, as declared.
    fn flush(&mut self) -> Result<Option<RecordBatch>, DecodeError> {
        let State::Rows(layout) = &self.state else {
            return Ok(None);
        };
        if self.records.rows() == 0 {
            return Ok(None);
        }
        let width = layout.width;
        let (data, spans) = self.records.held();
        let text = std::str::from_utf8(data).map_err(|error| {
            // The field that holds the first byte that is none; empty fields before it end there.
            let field = spans.partition_point(|span| span.end <= error.valid_up_to());
            self.not_utf8(field, width)
        })?;
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
            columns.push(typed::column(typed, declared, self.row)?);
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        self.row += batch.num_rows() as u64;
        self.records.clear(width);
        Ok(Some(batch))
    }

    /// A text that stands for something.
    fn value<'a>(&self, text: &'a str) -> Option<&'a str> {
        (!self.is_null(text)).then_some(text)
    }

    fn is_null(&self, value: &str) -> bool {
        // Lengths first, and no comparison of nothing, which is slow out of all proportion.
        let same = |null: &String| null.len() == value.len() && (value.is_empty() || null == value);
        self.options.nulls.iter().any(same)
    }
}

/// The fields of the rows held.
struct Held<'a> {
    text: &'a str,
    spans: &'a [Span],
    /// How many fields a row has.
    width: usize,
}

impl<'a> Held<'a> {
    /// The fields at one position, row by row; the error is the field whose bytes are not text by themselves, counted
    /// through the batch.
    fn whole(&self, position: usize) -> Result<impl Iterator<Item = &'a str>, usize> {
        let (text, width) = (self.text, self.width);
        let spans = self.spans.iter().skip(position).step_by(width);
        if !text.is_ascii() {
            let split = spans.clone().position(|span| {
                !text.is_char_boundary(span.start) || !text.is_char_boundary(span.end)
            });
            if let Some(row) = split {
                return Err(row * width + position);
            }
        }
        Ok(spans.map(move |span| text.get(span.start..span.end).unwrap_or_default()))
    }

    /// How many rows there are, and bytes of text for each column, about.
    fn size(&self) -> (usize, usize) {
        (self.spans.len() / self.width, self.text.len() / self.width)
    }
}

/// Where each declared column is in a file.
struct Layout {
    /// How many fields a row has; at least one.
    width: usize,
    /// For each declared column its position.
    positions: Vec<usize>,
    /// The positions and names of others in which no record may have a value.
    judged: Vec<(usize, String)>,
}

impl Layout {
    fn by_position(fields: usize, columns: usize) -> Result<Layout, Fault> {
        if fields != columns {
            return Err(Fault::new(
                "line 1",
                format!("{fields} fields, but {columns} columns are declared"),
            )
            .hint_at("columns are matched by position where `header = false`: declare all of them, in order"));
        }
        Ok(Layout::declared(columns))
    }

    /// As the columns are declared.
    fn declared(columns: usize) -> Layout {
        Layout {
            width: columns,
            positions: (0..columns).collect(),
            judged: Vec::new(),
        }
    }

    fn by_name(names: &[String], columns: &[Column]) -> Result<Layout, Fault> {
        let mut positions = Vec::with_capacity(columns.len());
        let mut missing = Vec::new();
        for column in columns {
            let wanted = column.source.as_ref().unwrap_or(&column.name);
            let exact = names.iter().position(|name| name == wanted);
            let folded = || {
                names
                    .iter()
                    .position(|name| name.eq_ignore_ascii_case(wanted))
            };
            match exact.or_else(folded) {
                Some(position) => positions.push(position),
                None => missing.push(wanted.as_str()),
            }
        }
        if !missing.is_empty() {
            return Err(Fault::new(
                "line 1",
                format!(
                    "the header lacks {} '{}'",
                    if missing.len() == 1 {
                        "column"
                    } else {
                        "columns"
                    },
                    missing.join("', '")
                ),
            )
            .hint_at(format!(
                "the file has: {}; mend the file, or the `schema` of the step's `read`",
                names.join(", ")
            )));
        }
        Ok(Layout {
            width: names.len(),
            positions,
            judged: Vec::new(),
        })
    }

    /// The positions and names of the fields that are not read.
    fn undeclared(&self, names: &[String]) -> Vec<(usize, String)> {
        let named = names.iter().cloned().enumerate();
        named
            .filter(|(position, _)| !self.positions.contains(position))
            .collect()
    }
}

impl Decode for Csv {
    fn push(&mut self, bytes: Bytes) {
        debug_assert!(self.rest.is_empty() && !self.ended);
        self.last = bytes.last().copied().unwrap_or(self.last);
        self.rest = match self.encoding {
            Encoding::Utf8 => bytes,
            Encoding::Latin1 => latin1::to_utf8(bytes),
        };
    }

    fn finish(&mut self) {
        self.ended = true;
    }

    fn batch(&mut self) -> Result<Option<Decoded>, DecodeError> {
        let batch = self.advance();
        if batch.is_err() {
            self.state = State::Done;
        }
        batch
    }
}

#[cfg(test)]
mod tests;
