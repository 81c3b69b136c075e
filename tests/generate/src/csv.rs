//! A CSV file, written field by field.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::calendar::Day;

/// A CSV file in writing. Fields are appended to the row at hand, [`CsvFile::end_row`] ends it.
pub(crate) struct CsvFile {
    file: BufWriter<Box<dyn Write>>,
    line_end: &'static [u8],
    row: Vec<u8>,
    fields: usize,
    columns: usize,
    rows: u64,
}

impl CsvFile {
    pub(crate) fn create(
        path: &Path,
        columns: &[String],
        crlf: bool,
        quoted_header: bool,
    ) -> io::Result<Self> {
        let file = Box::new(File::create(path)?);
        Self::to(file, columns, crlf, quoted_header)
    }

    /// Writes into anything that takes bytes: a file, the input of a program.
    pub(crate) fn to(
        file: Box<dyn Write>,
        columns: &[String],
        crlf: bool,
        quoted_header: bool,
    ) -> io::Result<Self> {
        let mut file = Self {
            file: BufWriter::with_capacity(1 << 18, file),
            line_end: if crlf { b"\r\n" } else { b"\n" },
            row: Vec::with_capacity(1 << 10),
            fields: 0,
            columns: columns.len(),
            rows: 0,
        };
        for column in columns {
            if quoted_header {
                file.quoted(column);
            } else {
                file.text(column);
            }
        }
        file.end_row()?;
        file.rows = 0;
        Ok(file)
    }

    fn separate(&mut self) {
        if self.fields > 0 {
            self.row.push(b',');
        }
        self.fields += 1;
    }

    /// A field in quotes, also where it is empty: `""`.
    pub(crate) fn quoted(&mut self, text: &str) {
        self.separate();
        self.row.push(b'"');
        self.row.extend_from_slice(text.as_bytes());
        self.row.push(b'"');
    }

    /// A field as it stands; in quotes where it holds a comma. No generator writes quotes.
    pub(crate) fn text(&mut self, text: &str) {
        if text.contains(',') {
            return self.quoted(text);
        }
        self.separate();
        self.row.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn empty(&mut self, fields: usize) {
        for _ in 0..fields {
            self.separate();
        }
    }

    /// A number in at least `width` digits, zeros in front.
    pub(crate) fn digits(&mut self, number: u64, width: usize) {
        self.separate();
        self.push_digits(number, width);
    }

    /// A number with `scale` decimals, given in its smallest unit.
    pub(crate) fn decimal(&mut self, units: i64, scale: u32) {
        self.separate();
        if units < 0 {
            self.row.push(b'-');
        }
        let one = 10_u64.pow(scale);
        self.push_digits(units.unsigned_abs() / one, 1);
        self.row.push(b'.');
        self.push_digits(units.unsigned_abs() % one, scale as usize);
    }

    /// An amount of money, given in cents.
    pub(crate) fn amount(&mut self, cents: i64) {
        self.decimal(cents, 2);
    }

    pub(crate) fn date(&mut self, day: Day) {
        self.digits(day.yyyymmdd().unsigned_abs(), 8);
    }

    /// A number in 16 hexadecimal digits.
    pub(crate) fn hex(&mut self, number: u64) {
        self.separate();
        for nibble in (0..16).rev() {
            let digit = (number >> (nibble * 4)) as u8 & 15;
            self.row.push(if digit < 10 {
                b'0' + digit
            } else {
                b'A' + digit - 10
            });
        }
    }

    fn push_digits(&mut self, mut number: u64, width: usize) {
        let start = self.row.len();
        while number > 0 || self.row.len() < start + width {
            self.row.push(b'0' + (number % 10) as u8);
            number /= 10;
        }
        if let Some(digits) = self.row.get_mut(start..) {
            digits.reverse();
        }
    }

    pub(crate) fn end_row(&mut self) -> io::Result<()> {
        debug_assert_eq!(self.fields, self.columns, "each column has a field");
        self.row.extend_from_slice(self.line_end);
        self.file.write_all(&self.row)?;
        self.row.clear();
        self.fields = 0;
        self.rows += 1;
        Ok(())
    }

    /// Writes what is left and returns the number of rows, the header not counted.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.file.flush()?;
        Ok(self.rows)
    }
}
