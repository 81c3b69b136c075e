//! Text as a declared type; a value that does not fit is named by its place.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field};

use crate::decimal::decimal;
use crate::fault::{DecodeError, Fault};
use crate::record::{Rule, empty, no_value};

/// Text in a type, null where it is no value of it.
pub(super) struct Typed {
    pub(super) array: ArrayRef,
    /// The text that was parsed; none where every text is a value.
    parsed: Option<StringArray>,
}

impl Typed {
    pub(super) fn new(text: &ArrayRef, data_type: &DataType) -> Result<Typed, DecodeError> {
        let options = CastOptions::default();
        let plain = |array| Typed {
            array,
            parsed: None,
        };
        Ok(match data_type {
            DataType::Utf8 => plain(Arc::clone(text)),
            DataType::Binary => plain(cast_with_options(text, &DataType::Binary, &options)?),
            other => {
                let trimmed: StringArray = text
                    .as_string::<i32>()
                    .iter()
                    .map(|value| value.map(str::trim))
                    .collect();
                // Safe: what does not parse becomes null, and shows as a null that was none before.
                let array = match other {
                    DataType::Decimal128(precision, scale) => {
                        decimals(&trimmed, *precision, *scale)?
                    }
                    _ => cast_with_options(&trimmed, other, &options)?,
                };
                Typed {
                    array,
                    parsed: Some(trimmed),
                }
            }
        })
    }

    /// The rows whose text the type does not hold in full.
    pub(super) fn lost(&self) -> impl Iterator<Item = usize> {
        let data_type = self.array.data_type();
        self.parsed.iter().flat_map(move |parsed| {
            (0..parsed.len()).filter(move |index| {
                !parsed.is_null(*index)
                    && (self.array.is_null(*index) || !exact(parsed.value(*index), data_type))
            })
        })
    }

    /// The rows without a value.
    pub(super) fn nulls(&self) -> impl Iterator<Item = usize> {
        let rows = match self.array.null_count() {
            0 => 0,
            _ => self.array.len(),
        };
        (0..rows).filter(|index| self.array.is_null(*index))
    }
}

/// `text` in the type of `field`. `row` counts the rows before it.
pub(super) fn typed_column(
    text: &ArrayRef,
    field: &Field,
    row: u64,
) -> Result<ArrayRef, DecodeError> {
    let typed = Typed::new(text, field.data_type())?;
    let place = |index: usize| format!("row {}", row + index as u64 + 1);
    if let Some(index) = typed.lost().next() {
        return Err(Fault::new(place(index), no_value(field))
            .hint_at(Rule::BadValue.hint())
            .into());
    }
    if !field.is_nullable()
        && let Some(index) = typed.nulls().next()
    {
        return Err(Fault::new(place(index), empty(field))
            .hint_at(Rule::NullValue.hint())
            .into());
    }
    Ok(typed.array)
}

/// Decimals; null for what is none. Files of text have no exponents: `1e3` there is a code as often.
fn decimals(texts: &StringArray, precision: u8, scale: i8) -> Result<ArrayRef, DecodeError> {
    let values: Decimal128Array = texts
        .iter()
        .map(|text| {
            let text = text.filter(|text| !text.contains(['e', 'E']))?;
            decimal(text, precision, scale)
        })
        .collect();
    Ok(Arc::new(values.with_precision_and_scale(precision, scale)?))
}

/// Whether the type holds all of the text: arrow takes the day of a moment for a date and cuts what is
/// finer than a microsecond.
fn exact(text: &str, data_type: &DataType) -> bool {
    let fraction = || {
        let digits = text.rsplit_once('.').map_or("", |(_, fraction)| fraction);
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        digits
            .get(..end)
            .unwrap_or_default()
            .trim_end_matches('0')
            .len()
    };
    match data_type {
        DataType::Date32 => text.len() <= 10,
        DataType::Timestamp(_, _) | DataType::Time64(_) => fraction() <= 6,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_holds_all_of_a_text_or_does_not() {
        let huge =
            "28948022309329048855892746252171976963317496166410141009864396001978282409984.000";
        for (text, holds) in [
            ("1.25", true),
            ("1.2500", true),
            ("7", true),
            ("1.259", false),
            ("1e3", false),
            (huge, false),
        ] {
            let typed = decimals(&StringArray::from(vec![text]), 10, 2).unwrap();
            assert_eq!(typed.is_valid(0), holds, "{text}");
        }
        assert!(exact("2026-01-05", &DataType::Date32));
        assert!(!exact("2026-01-05T23:00:00", &DataType::Date32));
        let moment = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        assert!(exact("2026-01-05T23:00:00.123456000", &moment));
        assert!(!exact("2026-01-05T23:00:00.123456789", &moment));
        assert!(exact("2026-01-05T23:00:00.5+02:00", &moment));
    }
}
