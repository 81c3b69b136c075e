//! Text as a declared type; a value that does not fit is named by its place.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, Decimal128Array, PrimitiveBuilder, StringArray, StringBuilder,
};
use arrow::compute::kernels::cast_utils::Parser;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::decimal::decimal;
use crate::fault::{DecodeError, Fault};
use crate::record::{Rule, empty, no_value};

/// Text in a type, null where it is no value of it.
pub(super) struct Typed {
    pub(super) array: ArrayRef,
    /// The rows whose text the type does not hold in full, in order.
    pub(super) lost: Vec<usize>,
}

impl Typed {
    /// `values` are the texts of the rows, none where a text stands for nothing; there are `rows` of them, and about
    /// `bytes` of text.
    pub(super) fn of<'a>(
        values: impl Iterator<Item = Option<&'a str>>,
        (rows, bytes): (usize, usize),
        data_type: &DataType,
    ) -> Result<Typed, DecodeError> {
        let array: ArrayRef = match data_type {
            DataType::Utf8 => {
                let mut builder = StringBuilder::with_capacity(rows, bytes);
                values.for_each(|value| builder.append_option(value));
                Arc::new(builder.finish())
            }
            DataType::Binary => Arc::new(values.collect::<BinaryArray>()),
            DataType::Int8 => return Ok(parsed::<Int8Type>(values, rows)),
            DataType::Int16 => return Ok(parsed::<Int16Type>(values, rows)),
            DataType::Int32 => return Ok(parsed::<Int32Type>(values, rows)),
            DataType::Int64 => return Ok(parsed::<Int64Type>(values, rows)),
            DataType::UInt8 => return Ok(parsed::<UInt8Type>(values, rows)),
            DataType::UInt16 => return Ok(parsed::<UInt16Type>(values, rows)),
            DataType::UInt32 => return Ok(parsed::<UInt32Type>(values, rows)),
            DataType::UInt64 => return Ok(parsed::<UInt64Type>(values, rows)),
            DataType::Float32 => return Ok(parsed::<Float32Type>(values, rows)),
            DataType::Float64 => return Ok(parsed::<Float64Type>(values, rows)),
            DataType::Date32 => return Ok(parsed::<Date32Type>(values, rows)),
            DataType::Decimal128(precision, scale) => {
                return decimals(values, *precision, *scale);
            }
            other => return cast(values, other),
        };
        Ok(Typed {
            array,
            lost: Vec::new(),
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

/// `typed` as the column of `field`, if it is one. `row` counts the rows before it.
pub(super) fn column(typed: Typed, field: &Field, row: u64) -> Result<ArrayRef, DecodeError> {
    let place = |index: usize| format!("row {}", row + index as u64 + 1);
    if let Some(index) = typed.lost.first() {
        return Err(Fault::new(place(*index), no_value(field))
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

/// Numbers and days, as arrow casts text to them.
fn parsed<'a, T: Parser>(values: impl Iterator<Item = Option<&'a str>>, rows: usize) -> Typed {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(rows);
    let mut lost = Vec::new();
    for (row, value) in values.enumerate() {
        let Some(text) = value.map(str::trim) else {
            builder.append_null();
            continue;
        };
        let value = T::parse(text).filter(|_| exact(text, &T::DATA_TYPE));
        if value.is_none() {
            lost.push(row);
        }
        builder.append_option(value);
    }
    Typed {
        array: Arc::new(builder.finish()),
        lost,
    }
}

/// Decimals; null for what is none. Files of text have no exponents: `1e3` there is a code as often.
fn decimals<'a>(
    values: impl Iterator<Item = Option<&'a str>>,
    precision: u8,
    scale: i8,
) -> Result<Typed, DecodeError> {
    let mut lost = Vec::new();
    let values: Decimal128Array = values
        .enumerate()
        .map(|(row, value)| {
            let text = value?.trim();
            let plain = Some(text).filter(|text| !text.bytes().any(|b| matches!(b, b'e' | b'E')));
            let value = plain.and_then(|text| decimal(text, precision, scale));
            if value.is_none() {
                lost.push(row);
            }
            value
        })
        .collect();
    Ok(Typed {
        array: Arc::new(values.with_precision_and_scale(precision, scale)?),
        lost,
    })
}

/// Other types, as arrow casts text to them.
fn cast<'a>(
    values: impl Iterator<Item = Option<&'a str>>,
    data_type: &DataType,
) -> Result<Typed, DecodeError> {
    let texts: StringArray = values.map(|value| value.map(str::trim)).collect();
    // Safe: what does not parse becomes null, and shows as a null that was none before.
    let array = cast_with_options(&texts, data_type, &CastOptions::default())?;
    let lost = (0..texts.len())
        .filter(|row| {
            !texts.is_null(*row) && (array.is_null(*row) || !exact(texts.value(*row), data_type))
        })
        .collect();
    Ok(Typed { array, lost })
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
            let typed = decimals([Some(text)].into_iter(), 10, 2).unwrap();
            assert_eq!(typed.array.is_valid(0), holds, "{text}");
            assert_eq!(typed.lost.is_empty(), holds, "{text}");
        }
        assert!(exact("2026-01-05", &DataType::Date32));
        assert!(!exact("2026-01-05T23:00:00", &DataType::Date32));
        let moment = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        assert!(exact("2026-01-05T23:00:00.123456000", &moment));
        assert!(!exact("2026-01-05T23:00:00.123456789", &moment));
        assert!(exact("2026-01-05T23:00:00.5+02:00", &moment));
    }

    /// What is parsed here is what arrow's cast makes of it.
    #[test]
    fn text_is_what_a_cast_makes_of_it() {
        let texts = [
            Some("7"),
            Some(" -7 "),
            Some("+7"),
            Some("128"),
            Some("-129"),
            Some("1.5"),
            Some("1e3"),
            Some(""),
            Some("x"),
            Some("7x"),
            Some("inf"),
            Some("NaN"),
            Some("0x1F"),
            Some("2026-01-05"),
            Some("2026-1-5"),
            Some("99999999999999999999"),
            None,
        ];
        for data_type in [
            DataType::Int8,
            DataType::Int64,
            DataType::UInt8,
            DataType::UInt64,
            DataType::Float32,
            DataType::Float64,
            DataType::Date32,
        ] {
            let (here, there) = (
                Typed::of(texts.into_iter(), (texts.len(), 100), &data_type).unwrap(),
                cast(texts.into_iter(), &data_type).unwrap(),
            );
            assert_eq!(here.array.to_data(), there.array.to_data(), "{data_type}");
            assert_eq!(here.lost, there.lost, "{data_type}");
        }
    }
}
