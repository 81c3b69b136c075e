//! Rows of delimited text, as far as the grammar of CSV goes: fields of bytes, counted and bounded.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use weir_pipeline::CsvOptions;

/// Fewest bytes that the buffers grow to.
const LEAST_CAPACITY: usize = 1 << 10;

/// What became of some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A row is whole; it has this many fields.
    Row(usize),
    /// The input ended before the row did.
    More,
    /// The file ended, and no row was begun.
    End,
}

/// Reads rows and holds their fields, one after the other, until they are taken away.
///
/// What it holds for a row grows with the row's bytes and with the fields wanted, not with the
/// fields that a faulty row has.
pub(super) struct Records {
    reader: Reader,
    /// How many fields of a row are kept; the others are counted.
    width: usize,
    /// The text of the fields of all rows, of which `used` bytes count.
    data: Vec<u8>,
    used: usize,
    /// Where each field of the whole rows ends in `data`.
    ends: Vec<usize>,
    /// Where the last whole row begins in `data`.
    last: usize,
    /// Where the row that is being read begins in `data`.
    start: usize,
    /// The ends of its fields so far, counted from `start`: the first `width`, and one to overwrite.
    row_ends: Vec<usize>,
    /// How many fields it has so far.
    fields: usize,
    rows: usize,
}

impl Records {
    pub(super) fn new(options: &CsvOptions, width: usize) -> Records {
        let reader = ReaderBuilder::new()
            .delimiter(options.delimiter)
            .quote(options.quote)
            .escape(options.escape)
            .build();
        Records {
            reader,
            width,
            data: Vec::new(),
            used: 0,
            ends: Vec::new(),
            last: 0,
            start: 0,
            row_ends: Vec::new(),
            fields: 0,
            rows: 0,
        }
    }

    /// Whole rows held.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes held: of the whole rows, and of the one that is being read.
    pub(super) fn bytes(&self) -> (usize, usize) {
        (self.start, self.used.saturating_sub(self.start))
    }

    /// Reads to the end of a row, or of the input, and moves `input` on. An empty input says that
    /// the file has ended; an open row ends with it.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Read {
        loop {
            let kept = self.fields.min(self.width);
            if self.row_ends.len() <= kept {
                let wanted = self.row_ends.len().max(8).saturating_mul(2);
                self.row_ends
                    .resize(wanted.min(self.width.saturating_add(1)), 0);
            }
            if self.data.len() <= self.used {
                let wanted = self.data.len().saturating_mul(2);
                self.data.resize(wanted.max(LEAST_CAPACITY), 0);
            }
            let (result, read, written, ended) = self.reader.read_record(
                input,
                self.data.get_mut(self.used..).unwrap_or_default(),
                self.row_ends.get_mut(kept..).unwrap_or_default(),
            );
            *input = input.get(read..).unwrap_or_default();
            self.used += written;
            self.fields += ended;
            match result {
                ReadRecordResult::InputEmpty => return Read::More,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::End => return Read::End,
                ReadRecordResult::Record => {
                    let (start, fields) = (self.start, self.fields);
                    let ends = self.row_ends.iter().take(fields.min(self.width));
                    self.ends.extend(ends.map(|end| start + end));
                    self.last = start;
                    self.start = self.used;
                    self.fields = 0;
                    self.rows += 1;
                    return Read::Row(fields);
                }
            }
        }
    }

    /// Makes the last whole row, which had `fields` fields, one of as many empty ones as are wanted.
    pub(super) fn blank_last(&mut self, fields: usize) {
        let kept = self.ends.len().saturating_sub(fields.min(self.width));
        self.ends.truncate(kept);
        self.ends.extend(std::iter::repeat_n(self.last, self.width));
        self.start = self.last;
        self.used = self.last;
    }

    /// Forgets the text so far of the row that is being read. What it will have been is useless then.
    pub(super) fn forget(&mut self) {
        self.used = self.start;
    }

    /// The text of the whole rows, and where each of their fields ends in it. Rows with fewer
    /// fields than wanted make the ends useless.
    pub(super) fn held(&self) -> (&[u8], &[usize]) {
        (self.data.get(..self.start).unwrap_or_default(), &self.ends)
    }

    /// Forgets the whole rows; no row may have been begun. From here on rows have `width` fields.
    pub(super) fn clear(&mut self, width: usize) {
        debug_assert!(self.fields == 0 && self.start == self.used);
        self.width = width;
        self.used = 0;
        self.start = 0;
        self.last = 0;
        self.ends.clear();
        self.rows = 0;
    }
}
