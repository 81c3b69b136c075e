//! The types that a row's fields may have, as columns are read. Those that this SDK brings along are
//! in `decimal` and `times`.

use arrow::array::{
    Array, ArrowPrimitiveType, BinaryArray, BooleanArray, ListArray, PrimitiveArray, StringArray,
    StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowNativeType, DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::read::{Faults, FromColumn, FromItem, FromRow, Layout, NullValue, fit_field};

/// An open column of values of one width.
#[derive(Clone, Debug)]
pub struct Values<'a, N> {
    values: &'a [N],
    nulls: Nulls<'a>,
}

impl<'a, N: ArrowNativeType> Values<'a, N> {
    pub(super) fn of<T: ArrowPrimitiveType<Native = N>>(array: &'a dyn Array) -> Option<Self> {
        let array = array.as_any().downcast_ref::<PrimitiveArray<T>>()?;
        Some(Self {
            values: array.values(),
            nulls: Nulls::of(array),
        })
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<N> {
        let value = self.values.get(row)?;
        self.nulls.at(row).then_some(*value)
    }
}

/// Which rows of an open column have a value.
#[derive(Clone, Copy, Debug)]
struct Nulls<'a>(Option<&'a NullBuffer>);

impl<'a> Nulls<'a> {
    fn of(array: &'a dyn Array) -> Self {
        Self(array.nulls().filter(|nulls| nulls.null_count() > 0))
    }

    /// Whether the row, which must be one of the column's, has a value.
    #[inline]
    fn at(self, row: usize) -> bool {
        self.0.is_none_or(|nulls| nulls.is_valid(row))
    }
}

/// Holds a type without children against the one expected.
pub(super) fn fit_leaf(
    fits: bool,
    expected: impl FnOnce() -> String,
    found: &DataType,
    faults: &mut Faults,
) -> Layout {
    if !fits {
        faults.mismatch(&expected(), found);
    }
    Layout::default()
}

macro_rules! numbers {
    ($($native:ty: $arrow:ty),* $(,)?) => {$(
        impl<'a> FromColumn<'a> for $native {
            type Column = Values<'a, $native>;

            fn expected() -> String {
                <$arrow>::DATA_TYPE.to_string()
            }

            fn fit(found: &DataType, faults: &mut Faults) -> Layout {
                fit_leaf(*found == <$arrow>::DATA_TYPE, Self::expected, found, faults)
            }

            fn column(array: &'a dyn Array, _: &Layout) -> Option<Self::Column> {
                Values::of::<$arrow>(array)
            }

            #[inline]
            fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, NullValue> {
                Ok(column.get(row))
            }
        }
    )*};
}

numbers! {
    i8: Int8Type,
    i16: Int16Type,
    i32: Int32Type,
    i64: Int64Type,
    u8: UInt8Type,
    u16: UInt16Type,
    u32: UInt32Type,
    u64: UInt64Type,
    f32: Float32Type,
    f64: Float64Type,
}

/// Types that are read from an Arrow array as it is.
macro_rules! arrays {
    ($($value:ty: $array:ty, $data_type:ident;)*) => {$(
        impl<'a> FromColumn<'a> for $value {
            type Column = &'a $array;

            fn expected() -> String {
                DataType::$data_type.to_string()
            }

            fn fit(found: &DataType, faults: &mut Faults) -> Layout {
                fit_leaf(*found == DataType::$data_type, Self::expected, found, faults)
            }

            fn column(array: &'a dyn Array, _: &Layout) -> Option<Self::Column> {
                array.as_any().downcast_ref()
            }

            #[inline]
            fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, NullValue> {
                let there = row < column.len() && column.is_valid(row);
                Ok(there.then(|| column.value(row).into()))
            }
        }
    )*};
}

arrays! {
    bool: BooleanArray, Boolean;
    &'a str: StringArray, Utf8;
    String: StringArray, Utf8;
    &'a [u8]: BinaryArray, Binary;
    Vec<u8>: BinaryArray, Binary;
}

macro_rules! items {
    ($($value:ty),* $(,)?) => {$(
        impl<'a> FromItem<'a> for $value {}
    )*};
}

items!(
    i8,
    i16,
    i32,
    i64,
    u16,
    u32,
    u64,
    f32,
    f64,
    bool,
    &'a str,
    String,
    &'a [u8],
    Vec<u8>
);

impl<'a, T: FromColumn<'a>> FromColumn<'a> for Option<T> {
    type Column = T::Column;

    const REFUSES_NULL: bool = T::REFUSES_NULL_WITHIN;
    const REFUSES_NULL_WITHIN: bool = T::REFUSES_NULL_WITHIN;

    fn expected() -> String {
        T::expected()
    }

    fn fit(found: &DataType, faults: &mut Faults) -> Layout {
        T::fit(found, faults)
    }

    fn column(array: &'a dyn Array, layout: &Layout) -> Option<Self::Column> {
        T::column(array, layout)
    }

    #[inline]
    fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, NullValue> {
        T::get(column, row).map(Some)
    }
}

impl<'a, T: FromColumn<'a>> FromItem<'a> for Option<T> {}

/// An open column of structs.
#[derive(Clone, Debug)]
pub struct StructColumn<'a, C> {
    rows: usize,
    nulls: Nulls<'a>,
    columns: C,
}

impl<'a, T: FromRow<'a>> FromColumn<'a> for T {
    type Column = StructColumn<'a, T::Columns>;

    const REFUSES_NULL_WITHIN: bool = T::REFUSES_NULL;

    fn expected() -> String {
        "Struct".into()
    }

    fn fit(found: &DataType, faults: &mut Faults) -> Layout {
        match found {
            DataType::Struct(fields) => T::find(fields, faults),
            other => fit_leaf(false, Self::expected, other, faults),
        }
    }

    fn column(array: &'a dyn Array, layout: &Layout) -> Option<Self::Column> {
        let array = array.as_any().downcast_ref::<StructArray>()?;
        Some(StructColumn {
            rows: array.len(),
            nulls: Nulls::of(array),
            columns: T::columns(array.columns(), layout)?,
        })
    }

    #[inline]
    fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, NullValue> {
        if row >= column.rows || !column.nulls.at(row) {
            return Ok(None);
        }
        T::row(&column.columns, row).map(Some)
    }
}

impl<'a, T: FromRow<'a>> FromItem<'a> for T {}

/// An open column of lists.
#[derive(Clone, Debug)]
pub struct ListColumn<'a, C> {
    offsets: &'a OffsetBuffer<i32>,
    nulls: Nulls<'a>,
    items: C,
}

impl<'a, T: FromItem<'a>> FromColumn<'a> for Vec<T> {
    type Column = ListColumn<'a, T::Column>;

    const REFUSES_NULL_WITHIN: bool = T::REFUSES_NULL;

    fn expected() -> String {
        format!("List of {}", T::expected())
    }

    fn fit(found: &DataType, faults: &mut Faults) -> Layout {
        match found {
            DataType::List(item) => fit_field::<T>(item, faults),
            other => fit_leaf(false, Self::expected, other, faults),
        }
    }

    fn column(array: &'a dyn Array, layout: &Layout) -> Option<Self::Column> {
        let array = array.as_any().downcast_ref::<ListArray>()?;
        Some(ListColumn {
            offsets: array.offsets(),
            nulls: Nulls::of(array),
            items: T::column(array.values().as_ref(), layout)?,
        })
    }

    fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, NullValue> {
        let ends = (column.offsets.get(row), column.offsets.get(row + 1));
        let (Some(&start), Some(&end)) = ends else {
            return Ok(None);
        };
        if !column.nulls.at(row) {
            return Ok(None);
        }
        let items = start as usize..end as usize; // Offsets are not negative.
        let items = items.map(|item| match T::get(&column.items, item)? {
            Some(value) => Ok(value),
            None => Err(NullValue::at("item")),
        });
        items.collect::<Result<Self, NullValue>>().map(Some)
    }
}

impl<'a, T: FromItem<'a>> FromItem<'a> for Vec<T> {}
