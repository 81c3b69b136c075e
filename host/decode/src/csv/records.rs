//! Rows of delimited text, as far as the grammar of CSV goes: fields of bytes, counted and bounded.
//!
//! Two readers take turns. A row whose line has no quote is split by its delimiters, eight bytes at a time
//! ([`Plain`]); every other row, and one that the input ends in, goes through csv-core byte by byte. Both say the
//! same of a row that either of them may read.

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

/// Where a field lies in the text that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Reads rows and holds their fields, in order, until they are taken away.
///
/// What it holds for a row grows with the row's bytes and with the fields wanted, not with the
/// fields that a faulty row has.
pub(super) struct Records {
    reader: Reader,
    plain: Option<Plain>,
    /// Whether csv-core is in a row, or may be; at first it has to see whether there is a byte order mark.
    inside: bool,
    /// How many fields of a row are kept; the others are counted.
    width: usize,
    /// The text of the fields of all rows, of which `used` bytes count.
    data: Vec<u8>,
    used: usize,
    /// Where each field of the whole rows lies in `data`, in order.
    spans: Vec<Span>,
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
            plain: Plain::of(options),
            inside: true,
            width,
            data: Vec::new(),
            used: 0,
            spans: Vec::new(),
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
        if !self.inside
            && !input.is_empty()
            && let Some(read) = self.read_plain(input)
        {
            return read;
        }
        loop {
            let kept = self.fields.min(self.width);
            if self.row_ends.len() <= kept {
                let wanted = self.row_ends.len().max(8).saturating_mul(2);
                self.row_ends
                    .resize(wanted.min(self.width.saturating_add(1)), 0);
            }
            self.make_room(1);
            let (result, read, written, ended) = self.reader.read_record(
                input,
                self.data.get_mut(self.used..).unwrap_or_default(),
                self.row_ends.get_mut(kept..).unwrap_or_default(),
            );
            *input = input.get(read..).unwrap_or_default();
            self.used += written;
            self.fields += ended;
            self.inside = true;
            match result {
                ReadRecordResult::InputEmpty => return Read::More,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::End => return Read::End,
                ReadRecordResult::Record => {
                    let (start, fields) = (self.start, self.fields);
                    let mut begin = start;
                    for end in self.row_ends.iter().take(fields.min(self.width)) {
                        let end = start + end;
                        self.spans.push(Span { start: begin, end });
                        begin = end;
                    }
                    self.inside = false;
                    return self.ended(fields);
                }
            }
        }
    }

    /// Reads a row whose line is whole and has no quote, or the ends of lines before it if there is nothing else;
    /// none if csv-core has to. There is input, and csv-core is in no row.
    fn read_plain(&mut self, input: &mut &[u8]) -> Option<Read> {
        let plain = self.plain?;
        // Lines without a byte are no rows, nor is what is between `\r` and `\n`.
        let ends = input.iter().take_while(|byte| Plain::ends(**byte)).count();
        let rest = input.get(ends..)?;
        if rest.is_empty() {
            *input = rest;
            return Some(Read::More);
        }
        let length = memchr::memchr2(b'\n', b'\r', rest)?;
        let line = rest.get(..length)?;
        if memchr::memchr(plain.quote, line).is_some() {
            return None;
        }
        self.make_room(length);
        let start = self.used;
        self.data
            .get_mut(start..start + length)?
            .copy_from_slice(line);
        self.used = start + length;
        let fields = plain.split(line, start, self.width, &mut self.spans);
        *input = rest.get(length + 1..).unwrap_or_default();
        Some(self.ended(fields))
    }

    /// A row is whole.
    fn ended(&mut self, fields: usize) -> Read {
        self.last = self.start;
        self.start = self.used;
        self.fields = 0;
        self.rows += 1;
        Read::Row(fields)
    }

    /// Room for so many bytes more of text.
    fn make_room(&mut self, bytes: usize) {
        if self.data.len() < self.used + bytes {
            let wanted = self.data.len().saturating_mul(2).max(self.used + bytes);
            self.data.resize(wanted.max(LEAST_CAPACITY), 0);
        }
    }

    /// Makes the last whole row, which had `fields` fields, one of as many empty ones as are wanted.
    pub(super) fn blank_last(&mut self, fields: usize) {
        let kept = self.spans.len().saturating_sub(fields.min(self.width));
        self.spans.truncate(kept);
        let empty = Span {
            start: self.last,
            end: self.last,
        };
        self.spans.extend(std::iter::repeat_n(empty, self.width));
        self.start = self.last;
        self.used = self.last;
    }

    /// Forgets the text so far of the row that is being read. What it will have been is useless then.
    pub(super) fn forget(&mut self) {
        self.used = self.start;
    }

    /// The text of the whole rows, and where each of their fields lies in it: in order, with nothing or a delimiter
    /// between two. Rows with fewer fields than wanted make the places useless.
    pub(super) fn held(&self) -> (&[u8], &[Span]) {
        (self.data.get(..self.start).unwrap_or_default(), &self.spans)
    }

    /// Forgets the whole rows; no row may have been begun. From here on rows have `width` fields.
    pub(super) fn clear(&mut self, width: usize) {
        debug_assert!(self.fields == 0 && self.start == self.used);
        self.width = width;
        self.used = 0;
        self.start = 0;
        self.last = 0;
        self.spans.clear();
        self.rows = 0;
    }
}

/// Splits lines in which nothing is quoted.
#[derive(Clone, Copy, Debug)]
struct Plain {
    quote: u8,
    /// The delimiter, eight times.
    delimiters: u64,
}

/// The highest bit of each of eight bytes, and the lowest.
const HIGH: u64 = 0x8080_8080_8080_8080;
const LOW: u64 = 0x0101_0101_0101_0101;

impl Plain {
    /// None where a byte has two meanings: csv-core knows which one counts.
    fn of(options: &CsvOptions) -> Option<Plain> {
        let (delimiter, quote) = (options.delimiter, options.quote);
        let apart = delimiter != quote && !Plain::ends(delimiter) && !Plain::ends(quote);
        apart.then_some(Plain {
            quote,
            delimiters: u64::from(delimiter) * LOW,
        })
    }

    fn ends(byte: u8) -> bool {
        matches!(byte, b'\n' | b'\r')
    }

    /// Adds where the first `width` fields of a line lie that begins at `start`; how many it has.
    fn split(self, line: &[u8], start: usize, width: usize, spans: &mut Vec<Span>) -> usize {
        let mut fields = 0;
        let mut begin = start;
        let mut field = |end: usize| {
            if fields < width {
                spans.push(Span { start: begin, end });
            }
            begin = end + 1;
            fields += 1;
        };
        let (words, rest) = line.as_chunks::<8>();
        let mut at = start;
        for word in words {
            let mut found = self.delimiters_of(u64::from_le_bytes(*word));
            while found != 0 {
                field(at + (found.trailing_zeros() / 8) as usize);
                found &= found - 1;
            }
            at += 8;
        }
        for byte in rest {
            if u64::from(*byte) == self.delimiters & 0xFF {
                field(at);
            }
            at += 1;
        }
        field(at);
        fields
    }

    /// The highest bit of each byte that is a delimiter: of a difference that is zero, as Warren has it in
    /// "Hacker's Delight", 6-1.
    fn delimiters_of(self, word: u64) -> u64 {
        let differ = word ^ self.delimiters;
        !(((differ & !HIGH) + !HIGH) | differ) & HIGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(delimiter: u8, quote: u8, escape: Option<u8>) -> CsvOptions {
        CsvOptions {
            delimiter,
            quote,
            escape,
            header: false,
            nulls: Vec::new(),
        }
    }

    /// The rows of a text that comes in parts of `size` bytes.
    fn rows(text: &[u8], size: usize, options: &CsvOptions, plain: bool) -> Vec<Vec<Vec<u8>>> {
        let mut records = Records::new(options, usize::MAX);
        if !plain {
            records.plain = None;
        }
        let mut rows = Vec::new();
        let mut take = |records: &mut Records, fields: usize| {
            let (data, spans) = records.held();
            let fields_of: Vec<Vec<u8>> = spans
                .iter()
                .map(|span| data[span.start..span.end].to_vec())
                .collect();
            assert_eq!(fields_of.len(), fields);
            rows.push(fields_of);
            records.clear(usize::MAX);
        };
        for mut part in text.chunks(size) {
            while !part.is_empty() {
                if let Read::Row(fields) = records.read(&mut part) {
                    take(&mut records, fields);
                }
            }
        }
        loop {
            match records.read(&mut [].as_slice()) {
                Read::Row(fields) => take(&mut records, fields),
                Read::More => {}
                Read::End => return rows,
            }
        }
    }

    #[test]
    fn both_readers_say_the_same() {
        // A byte order mark at the beginning is none of their business: `Csv` takes it away.
        let texts: [&[u8]; 13] = [
            b"a,b\n1,2\n3,4\n",
            b"a,b\r\n1,2\r\n\r\n\r\n3,4",
            b"a,b\r1,2\r\r3,4\r",
            b"a\n,\n,,\n,,,,,,,,,,,,,,,,,,\nlong enough for some words,x,yy,zzz\n",
            b"a,b\n\"1\",2\n3,\"4\n,\"\n5,6\n",
            b"a,b\n1,x\"y\n\"\"\n\"\",\n\n7,8\n",
            b"a,b\n1,\\\"2\n\"\\\"\",3\n",
            b"a,b\n1,2\n\"open\n3,4\n",
            b"a,b\n\xEF\xBB\xBF1,2\n\xEF\xBB\xBF\"3\",4\n",
            b"a;b|c\td\n1;2|3\t4\n",
            b"\n\n\r\na,b\n\n",
            b"a,\xFF\xFE,\x80,\x00,\x7F,\xAC\n\xAC\xAC\xAC\xAC\xAC\xAC\xAC\xAC,,\n",
            b"",
        ];
        for text in texts {
            for options in [
                options(b',', b'"', None),
                options(b',', b'"', Some(b'\\')),
                options(b';', b'\'', None),
                options(b'|', b'a', None),
                options(b'\t', b'"', None),
                options(b',', b',', None),
            ] {
                let whole = rows(text, usize::MAX, &options, false);
                for size in 1..=text.len().max(1) {
                    let both = rows(text, size, &options, true);
                    assert_eq!(both, whole, "{:?} by {size}", String::from_utf8_lossy(text));
                }
            }
        }
    }

    #[test]
    fn delimiters_are_found_in_any_bytes() {
        let mut bytes: Vec<u8> = (0..=u8::MAX).collect();
        bytes.extend((0..=u8::MAX).rev());
        for delimiter in [b',', b';', 0, 1, 0x7F, 0x80, 0x81, 0xFF] {
            let Some(plain) = Plain::of(&options(delimiter, b'"', None)) else {
                panic!("{delimiter} has one meaning");
            };
            for start in 0..9 {
                let line = &bytes[start..];
                let mut spans = Vec::new();
                let fields = plain.split(line, 100, usize::MAX, &mut spans);
                let expected: Vec<&[u8]> = line.split(|byte| *byte == delimiter).collect();
                let found: Vec<&[u8]> = spans
                    .iter()
                    .map(|span| &line[span.start - 100..span.end - 100])
                    .collect();
                assert_eq!((found, fields), (expected.clone(), expected.len()));
            }
        }
    }
}
