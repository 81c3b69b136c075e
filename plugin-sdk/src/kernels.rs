//! Work over whole columns.
//!
//! In the sandbox every turn of a loop pays for a deadline check, so code that goes through a
//! column byte by byte or builds a `String` for each row is slow there. These kernels read
//! offsets and bytes directly, several bytes at a time, and give a column back unchanged (and
//! uncopied) where there is nothing to do.
//!
//! All parsers agree on three things: ASCII whitespace around a value does not count, null and
//! blank give null, and a value that does not parse gives null and its row in
//! [`Parsed::invalid`].

mod blanks;
mod dates;
mod floats;
mod numbers;
mod rows;
mod text;

pub use dates::{DateFormat, parse_date};
pub use floats::round;
pub use numbers::{parse_decimal, parse_int};
pub use rows::{rows_breaking, rows_set, rows_where, rows_where_both};
pub use text::{Case, clean, empty_to_null, trim, upper};

pub(crate) use dates::days_since_1970;
pub(crate) use numbers::{digits, power_of_ten, read_decimal};

use arrow::array::{Array, ArrowPrimitiveType, PrimitiveArray, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};

use self::blanks::trimmed;

/// What a parser makes of a column of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<A> {
    /// The values, as many as the text had; null where it was null, blank or unreadable.
    pub array: A,
    /// The rows that did not parse, ascending.
    pub invalid: Vec<u32>,
}

/// Parses each value that is neither null nor blank. `read` gets all bytes of the column, and
/// where the trimmed value begins and ends in them.
fn parse_each<T: ArrowPrimitiveType>(
    values: &StringArray,
    mut read: impl FnMut(&[u8], usize, usize) -> Option<T::Native>,
) -> Parsed<PrimitiveArray<T>> {
    let rows = values.len();
    if values.null_count() == rows {
        return Parsed {
            array: PrimitiveArray::new_null(rows),
            invalid: Vec::new(),
        };
    }
    let bytes = values.value_data();
    let mut parsed = Vec::with_capacity(rows);
    let mut validity = Validity::of(values);
    let mut invalid = Vec::new();
    for (row, (start, end)) in spans(values).enumerate() {
        let (start, end) = trimmed(bytes, start, end);
        let value = if start == end || values.is_null(row) {
            validity.clear(row);
            None
        } else {
            let value = read(bytes, start, end);
            if value.is_none() {
                validity.clear(row);
                invalid.push(row as u32); // Arrow's offsets keep rows below 2^31.
            }
            value
        };
        parsed.push(value.unwrap_or_default());
    }
    Parsed {
        array: PrimitiveArray::new(parsed.into(), validity.finish()),
        invalid,
    }
}

/// Where each value, null or not, begins and ends in the column's bytes.
fn spans(values: &StringArray) -> impl Iterator<Item = (usize, usize)> {
    values.value_offsets().windows(2).map(|pair| match pair {
        &[start, end] => (start as usize, end as usize), // Offsets are not negative.
        _ => (0, 0),
    })
}

/// A column's validity, copied only once a row that was valid is cleared.
pub(crate) struct Validity<'a> {
    before: Option<&'a NullBuffer>,
    rows: usize,
    bits: Option<Vec<u8>>,
}

impl<'a> Validity<'a> {
    /// The validity of a column in which so many rows have a value.
    pub(crate) fn of_rows(rows: usize) -> Self {
        Self {
            before: None,
            rows,
            bits: None,
        }
    }

    fn of(values: &'a StringArray) -> Self {
        Self {
            before: values.nulls(),
            rows: values.len(),
            bits: None,
        }
    }

    pub(crate) fn clear(&mut self, row: usize) {
        if self.bits.is_none() && self.before.is_some_and(|nulls| nulls.is_null(row)) {
            return;
        }
        let bits = self.bits.get_or_insert_with(|| match self.before {
            Some(nulls) => nulls.inner().sliced().to_vec(),
            None => vec![u8::MAX; self.rows.div_ceil(8)],
        });
        if let Some(byte) = bits.get_mut(row / 8) {
            *byte &= !(1 << (row % 8));
        }
    }

    pub(crate) fn finish(self) -> Option<NullBuffer> {
        match self.bits {
            Some(bits) => Some(NullBuffer::new(BooleanBuffer::new(
                Buffer::from_vec(bits),
                0,
                self.rows,
            ))),
            None => self.before.cloned(),
        }
    }
}
