//! Which type holds the values of which other, and which values fit where not all of them do.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, can_cast_types, cast_with_options, nullif};
use arrow::datatypes::{DataType, TimeUnit};

use crate::error::{Error, Result};

/// Whether `wide` holds every value of `narrow` as it is. Types are those that a lake table keeps.
///
/// Source: Delta transaction log protocol, "Type Widening", "Supported Type Changes".
pub(crate) fn holds(wide: &DataType, narrow: &DataType) -> bool {
    match (narrow, wide) {
        (narrow, wide) if narrow == wide => true,
        (DataType::Float32, DataType::Float64) => true,
        (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, None)) => true,
        (DataType::Decimal128(p, s), DataType::Decimal128(to_p, to_s)) => {
            to_s >= s && i16::from(*to_p) - i16::from(*to_s) >= i16::from(*p) - i16::from(*s)
        }
        (narrow, wide) => match (bits(narrow), bits(wide), wide) {
            (Some(few), Some(many), _) => few < many,
            // A double has 53 bits.
            (Some(few), _, DataType::Float64) => few <= 32,
            (Some(few), _, DataType::Decimal128(precision, scale)) => {
                i16::from(*precision) - i16::from(*scale) >= digits(few)
            }
            _ => false,
        },
    }
}

/// The bits of a signed whole number.
fn bits(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Int8 => Some(8),
        DataType::Int16 => Some(16),
        DataType::Int32 => Some(32),
        DataType::Int64 => Some(64),
        _ => None,
    }
}

/// The decimal digits of a signed whole number.
fn digits(bits: u8) -> i16 {
    match bits {
        8 => 3,
        16 => 5,
        32 => 10,
        _ => 19,
    }
}

/// What values of a type are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Truth,
    Day,
    Moment { zoned: bool },
}

fn kind(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        data_type if bits(data_type).is_some() => Kind::Number,
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(_, _) => Kind::Number,
        DataType::Utf8 => Kind::Text,
        DataType::Boolean => Kind::Truth,
        DataType::Date32 => Kind::Day,
        DataType::Timestamp(_, zone) => Kind::Moment {
            zoned: zone.is_some(),
        },
        _ => return None,
    })
}

/// Whether some values of `from` can be values of `to`: numbers of numbers, days of moments without a
/// zone, and texts of all that can be written. What is left are lists, structs and bytes, and kinds of
/// which no value is one of the other.
pub(crate) fn may_fit(from: &DataType, to: &DataType) -> bool {
    let related = match (kind(from), kind(to)) {
        (Some(from), Some(to)) if from == to => true,
        (Some(Kind::Text), Some(_)) | (Some(_), Some(Kind::Text)) => true,
        (Some(Kind::Day), Some(Kind::Moment { zoned: false }))
        | (Some(Kind::Moment { zoned: false }), Some(Kind::Day)) => true,
        _ => false,
    };
    related && can_cast_types(from, to) && can_cast_types(to, from)
}

/// The values of `column` as `to`, null where they do not fit, and which those are. A value fits if it
/// comes back as it was.
///
/// # Errors
/// As casts fail that [`may_fit`] does not allow.
pub(crate) fn fitting(column: &ArrayRef, to: &DataType) -> Result<(ArrayRef, BooleanBuffer)> {
    // What cannot be cast is null.
    let options = CastOptions::default();
    let there = cast_with_options(column, to, &options)?;
    let back = cast_with_options(&there, column.data_type(), &options)?;
    let (misfits, nulls) = distinct(&back, column)?.into_parts();
    if nulls.is_some() {
        return Err(Error::internal("two values are neither alike nor distinct"));
    }
    if misfits.count_set_bits() == 0 {
        return Ok((there, misfits));
    }
    let kept = nullif(&there, &BooleanArray::new(misfits.clone(), None))?;
    Ok((kept, misfits))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        AsArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
        TimestampMicrosecondArray,
    };
    use arrow::datatypes::{Float32Type, Int32Type};

    use super::*;

    const NAIVE: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

    #[test]
    fn a_type_holds_those_that_are_narrower() {
        let decimal = DataType::Decimal128;
        let pairs = [
            (DataType::Int64, DataType::Int32),
            (DataType::Int16, DataType::Int8),
            (DataType::Float64, DataType::Float32),
            (DataType::Float64, DataType::Int32),
            (decimal(12, 2), decimal(10, 2)),
            (decimal(13, 3), decimal(12, 2)),
            (decimal(10, 0), DataType::Int32),
            (decimal(22, 3), DataType::Int64),
        ];
        for (wide, narrow) in pairs {
            assert!(holds(&wide, &narrow), "{wide} {narrow}");
            assert!(!holds(&narrow, &wide), "{narrow} {wide}");
            assert!(may_fit(&wide, &narrow), "{wide} {narrow}");
        }
        assert!(!holds(&DataType::Float64, &DataType::Int64));
        assert!(!holds(&DataType::Float32, &DataType::Int32));
        assert!(!holds(&decimal(10, 1), &DataType::Int32));
        assert!(!holds(&DataType::Utf8, &DataType::Int32));
        assert!(holds(&NAIVE, &DataType::Date32));
        assert!(holds(&decimal(12, 4), &decimal(10, 2)));
        assert!(!holds(&decimal(11, 4), &decimal(10, 2)));
    }

    #[test]
    fn only_values_that_come_back_fit() {
        let misfits = |column: ArrayRef, to: &DataType| {
            let (_, misfits) = fitting(&column, to).unwrap();
            misfits.set_indices().collect::<Vec<_>>()
        };
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![
            Some(1),
            None,
            Some(1 << 40),
            Some((1 << 53) + 1),
            Some(i64::MAX),
        ]));
        let (kept, found) = fitting(&numbers, &DataType::Int32).unwrap();
        assert_eq!(found.set_indices().collect::<Vec<_>>(), [2, 3, 4]);
        let kept: Vec<_> = kept.as_primitive::<Int32Type>().iter().collect();
        assert_eq!(kept, [Some(1), None, None, None, None]);
        assert_eq!(misfits(Arc::clone(&numbers), &DataType::Float64), [3, 4]);

        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1.5, f64::NAN, 0.1, 1e300]));
        assert_eq!(misfits(Arc::clone(&floats), &DataType::Int64), [1, 2, 3, 4]);
        let (kept, found) = fitting(&floats, &DataType::Float32).unwrap();
        assert_eq!(found.set_indices().collect::<Vec<_>>(), [3, 4]);
        assert!(kept.as_primitive::<Float32Type>().value(2).is_nan());

        let texts: ArrayRef = Arc::new(StringArray::from(vec!["12", "012", "x", "-7", " 1"]));
        assert_eq!(misfits(texts, &DataType::Int32), [1, 2, 4]);

        let decimals = Decimal128Array::from(vec![123_400, 123_450, 999_999_990_000])
            .with_precision_and_scale(14, 4)
            .unwrap();
        assert_eq!(
            misfits(Arc::new(decimals), &DataType::Decimal128(8, 2)),
            [1, 2]
        );

        let moments = TimestampMicrosecondArray::from(vec![0, 86_400_000_000, 1, -1]);
        assert_eq!(misfits(Arc::new(moments), &DataType::Date32), [2, 3]);
        let days = Date32Array::from(vec![0, -1, 20_000]);
        assert!(misfits(Arc::new(days), &NAIVE).is_empty());
    }

    #[test]
    fn kinds_that_have_no_value_in_common() {
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for (a, b) in [
            (&NAIVE, &zoned),
            (&DataType::Date32, &DataType::Int32),
            (&DataType::Boolean, &DataType::Int8),
            (&DataType::Binary, &DataType::Utf8),
        ] {
            assert!(!may_fit(a, b) && !may_fit(b, a), "{a} {b}");
        }
        let list = DataType::new_list(DataType::Int32, true);
        assert!(!may_fit(&list, &DataType::Utf8));
        assert!(may_fit(&zoned, &DataType::Utf8));
    }
}
