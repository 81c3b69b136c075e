//! Arbitrary declared columns of files.

use arbitrary::{Result, Unstructured};
use weir_pipeline::{Column, DataType};

/// The names that columns have here, and that seeds use in files.
pub(crate) const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// One to four columns, of types with fewer than `depth` levels below them.
pub(crate) fn columns(u: &mut Unstructured<'_>, depth: u8) -> Result<Vec<Column>> {
    (0..u.int_in_range(1..=NAMES.len())?)
        .map(|index| {
            Ok(Column {
                name: NAMES[index].to_owned(),
                source: u.ratio(1, 16)?.then(|| "B".to_owned()),
                data_type: data_type(u, depth)?,
                nullable: u.ratio(3, 4)?,
                sensitivity: Vec::new(),
            })
        })
        .collect()
}

fn data_type(u: &mut Unstructured<'_>, depth: u8) -> Result<DataType> {
    use DataType as T;
    let most = if depth == 0 { 19 } else { 23 };
    Ok(match u.int_in_range(0..=most)? {
        0 => T::Bool,
        1 => T::Int8,
        2 => T::Int16,
        3 => T::Int32,
        4 => T::Int64,
        5 => T::UInt8,
        6 => T::UInt16,
        7 => T::UInt32,
        8 => T::UInt64,
        9 => T::Float32,
        10 => T::Float64,
        11 | 12 => T::String,
        13 => T::Binary,
        14 => T::Date,
        15 => T::Time,
        16 => T::Timestamp,
        17 => T::TimestampTz,
        18 | 19 => {
            let precision = u.int_in_range(1..=38)?;
            let scale = u.int_in_range(0..=precision)?;
            T::Decimal(precision, i8::try_from(scale).unwrap())
        }
        20 | 21 => T::List(Box::new(data_type(u, depth - 1)?)),
        _ => T::Struct(
            (0..u.int_in_range(1..=2)?)
                .map(|index| Ok((NAMES[index].to_owned(), data_type(u, depth - 1)?)))
                .collect::<Result<_>>()?,
        ),
    })
}
