//! Arbitrary fields of Arrow schemas.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

const UNITS: [TimeUnit; 4] = [
    TimeUnit::Second,
    TimeUnit::Millisecond,
    TimeUnit::Microsecond,
    TimeUnit::Nanosecond,
];

/// A type without children that crosses.
pub(crate) fn leaf(u: &mut Unstructured<'_>) -> Result<DataType> {
    use DataType as T;
    Ok(match u.int_in_range(0..=22)? {
        0 => T::Boolean,
        1 => T::Int8,
        2 => T::Int16,
        3 => T::Int32,
        4 => T::Int64,
        5 => T::UInt8,
        6 => T::UInt16,
        7 => T::UInt32,
        8 => T::UInt64,
        9 => T::Float16,
        10 => T::Float32,
        11 => T::Float64,
        12..=14 => T::Utf8,
        15 => T::Binary,
        16 => T::Date32,
        17 => T::Date64,
        18 => T::Time32(*u.choose(&UNITS[..2])?),
        19 => T::Time64(*u.choose(&UNITS[2..])?),
        20 => {
            let zone = [None, Some("UTC"), Some("+02:00"), Some("Europe/Berlin")];
            T::Timestamp(*u.choose(&UNITS)?, u.choose(&zone)?.map(Into::into))
        }
        _ => {
            let precision = u.int_in_range(1..=38)?;
            let scale = u.int_in_range(-38..=i8::try_from(precision).unwrap())?;
            T::Decimal128(precision, scale)
        }
    })
}

/// A type that does not cross.
pub(crate) fn foreign(u: &mut Unstructured<'_>) -> Result<DataType> {
    use DataType as T;
    Ok(match u.int_in_range(0..=7)? {
        0 => T::Null,
        1 => T::Utf8View,
        2 => T::LargeBinary,
        3 => T::Dictionary(Box::new(T::Int8), Box::new(T::Utf8)),
        4 => T::FixedSizeBinary(u.int_in_range(-1..=9)?),
        5 => T::Duration(*u.choose(&UNITS)?),
        6 => T::Decimal256(u.arbitrary()?, u.arbitrary()?),
        _ => T::FixedSizeList(Arc::new(Field::new("item", T::Int8, true)), u.arbitrary()?),
    })
}

/// A field of a type that crosses, with fewer than `depth` levels below it.
pub(crate) fn field(u: &mut Unstructured<'_>, name: &str, depth: u8) -> Result<FieldRef> {
    let kind = match depth {
        0 => 0,
        _ => u.int_in_range(0..=5)?,
    };
    let data_type = match kind {
        0..=3 => leaf(u)?,
        4 => DataType::List(field(u, "item", depth - 1)?),
        _ => {
            let children = (0..u.int_in_range(1..=3)?)
                .map(|child| field(u, ["a", "b", "c"][child], depth - 1))
                .collect::<Result<Vec<_>>>()?;
            DataType::Struct(children.into())
        }
    };
    Ok(Arc::new(Field::new(name, data_type, u.ratio(2, 3)?)))
}
