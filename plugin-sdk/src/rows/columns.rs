//! The types that a row's fields may have, as columns are read: text, bytes and flags, and what is
//! made of other columns. Those of one width are in `values`, `decimal` and `times`.

use arrow::array::{Array, BinaryArray, BooleanArray, ListArray, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;

use super::read::{Faults, Fitted, FromColumn, FromItem, FromRow, Unreadable, required};
use super::values::{Nulls, fit_leaf, items};

/// Types that are read from an Arrow array as it is.
macro_rules! arrays {
    ($($value:ty: $array:ty, $data_type:ident;)*) => {$(
        impl<'a> FromColumn<'a> for $value {
            type Column = &'a $array;

            fn expected() -> String {
                DataType::$data_type.to_string()
            }

            fn fit(found: &DataType, faults: &mut Faults) -> Fitted {
                fit_leaf(*found == DataType::$data_type, Self::expected, found, faults)
            }

            fn column(array: &'a dyn Array, _: &Fitted) -> Option<Self::Column> {
                array.as_any().downcast_ref()
            }

            #[inline]
            fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, Unreadable> {
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

items! {
    [] bool;
    [] &'a str;
    [] String;
    [] &'a [u8];
    [] Vec<u8>;
}

impl<'a, T: FromColumn<'a>> FromColumn<'a> for Option<T> {
    type Column = T::Column;

    const REFUSES: bool = T::REFUSES_WITHIN;
    const REFUSES_WITHIN: bool = T::REFUSES_WITHIN;

    fn expected() -> String {
        T::expected()
    }

    fn fit(found: &DataType, faults: &mut Faults) -> Fitted {
        T::fit(found, faults)
    }

    fn column(array: &'a dyn Array, fitted: &Fitted) -> Option<Self::Column> {
        T::column(array, fitted)
    }

    #[inline]
    fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, Unreadable> {
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

    const REFUSES_WITHIN: bool = T::REFUSES;

    fn expected() -> String {
        "Struct".into()
    }

    fn fit(found: &DataType, faults: &mut Faults) -> Fitted {
        match found {
            DataType::Struct(fields) => T::find(fields, faults),
            other => fit_leaf(false, Self::expected, other, faults),
        }
    }

    fn column(array: &'a dyn Array, fitted: &Fitted) -> Option<Self::Column> {
        let array = array.as_any().downcast_ref::<StructArray>()?;
        Some(StructColumn {
            rows: array.len(),
            nulls: Nulls::of(array),
            columns: T::columns(array.columns(), fitted)?,
        })
    }

    #[inline]
    fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, Unreadable> {
        if row >= column.rows || !column.nulls.at(row) {
            return Ok(None);
        }
        T::row(&column.columns, row).map(Some)
    }
}

impl<'a, T: FromRow<'a>> FromItem<'a> for T {}

/// How a list's items are called in a message, whatever their own field is called.
const ITEM: &str = "item";

/// An open column of lists.
#[derive(Clone, Debug)]
pub struct ListColumn<'a, C> {
    offsets: &'a OffsetBuffer<i32>,
    nulls: Nulls<'a>,
    items: C,
}

impl<'a, T: FromItem<'a>> FromColumn<'a> for Vec<T> {
    type Column = ListColumn<'a, T::Column>;

    const REFUSES_WITHIN: bool = T::REFUSES;

    fn expected() -> String {
        format!("List of {}", T::expected())
    }

    fn fit(found: &DataType, faults: &mut Faults) -> Fitted {
        match found {
            DataType::List(item) => faults.within(ITEM, |faults| T::fit(item.data_type(), faults)),
            other => fit_leaf(false, Self::expected, other, faults),
        }
    }

    fn column(array: &'a dyn Array, fitted: &Fitted) -> Option<Self::Column> {
        let array = array.as_any().downcast_ref::<ListArray>()?;
        Some(ListColumn {
            offsets: array.offsets(),
            nulls: Nulls::of(array),
            items: T::column(array.values().as_ref(), fitted)?,
        })
    }

    fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, Unreadable> {
        let Some(&[start, end, ..]) = column.offsets.get(row..) else {
            return Ok(None);
        };
        if !column.nulls.at(row) {
            return Ok(None);
        }
        let items = start as usize..end as usize; // Offsets are not negative.
        let items = items.map(|item| required(T::get(&column.items, item), ITEM));
        items.collect::<Result<Self, _>>().map(Some)
    }
}

impl<'a, T: FromItem<'a>> FromItem<'a> for Vec<T> {}
