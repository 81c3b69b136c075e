//! Columns of values of one width, read and made, and the types that Arrow has numbers for. Decimals,
//! dates and times go through the same code from `decimal` and `times`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowNativeType, DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::read::{Faults, Fitted};
use crate::Error;
use crate::kernels::Validity;

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
pub(super) struct Nulls<'a>(Option<&'a NullBuffer>);

impl<'a> Nulls<'a> {
    pub(super) fn of(array: &'a dyn Array) -> Self {
        Self(array.nulls().filter(|nulls| nulls.null_count() > 0))
    }

    /// Whether the row, which must be one of the column's, has a value.
    #[inline]
    pub(super) fn at(self, row: usize) -> bool {
        self.0.is_none_or(|nulls| nulls.is_valid(row))
    }
}

/// Builds a column of values of one width. (Arrow's builders write a bit for each value as soon as
/// there is one null, which costs more than the value.)
pub struct ValueBuilder<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    nulls: NullRows,
}

impl<T: ArrowPrimitiveType> ValueBuilder<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            values: Vec::with_capacity(capacity),
            nulls: NullRows::default(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, value: T::Native) {
        self.values.push(value);
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        self.nulls.push(self.values.len());
        self.values.push(T::Native::default());
    }

    /// The column, of a type that may say more than its values do.
    pub(super) fn finish(self, data_type: DataType) -> Result<ArrayRef, Error> {
        let nulls = self.nulls.finish(self.values.len());
        let array = PrimitiveArray::<T>::try_new(self.values.into(), nulls)?;
        Ok(Arc::new(array.with_data_type(data_type)))
    }
}

/// The rows that are null, ascending.
#[derive(Default)]
pub(super) struct NullRows(Vec<usize>);

impl NullRows {
    #[inline]
    pub(super) fn push(&mut self, row: usize) {
        self.0.push(row);
    }

    pub(super) fn finish(self, rows: usize) -> Option<NullBuffer> {
        let mut validity = Validity::of_rows(rows);
        self.0.into_iter().for_each(|row| validity.clear(row));
        validity.finish()
    }
}

/// Holds a type without children against the one expected.
pub(super) fn fit_leaf(
    fits: bool,
    expected: impl FnOnce() -> String,
    found: &DataType,
    faults: &mut Faults,
) -> Fitted {
    if !fits {
        faults.mismatch(&expected(), found);
    }
    Fitted::default()
}

/// Columns of a type whose values are those of Arrow's `$arrow`. The generics of the type stand in
/// front; `$refuses` says whether `$read` may fail.
macro_rules! value_columns {
    ($([$($generics:tt)*] $value:ty: $arrow:ty, $data_type:expr, $found:ident => $fits:expr,
        $native:ident => $read:expr, $refuses:literal, $written:ident => $write:expr;)*) => {$(
        impl<'a, $($generics)*> $crate::rows::FromColumn<'a> for $value {
            type Column = $crate::rows::Values<
                'a,
                <$arrow as ::arrow::array::ArrowPrimitiveType>::Native,
            >;

            const REFUSES_WITHIN: bool = $refuses;

            fn expected() -> String {
                <Self as $crate::rows::IntoColumn>::data_type().to_string()
            }

            fn fit(
                $found: &::arrow::datatypes::DataType,
                faults: &mut $crate::rows::Faults,
            ) -> $crate::rows::Fitted {
                $crate::rows::values::fit_leaf(
                    $fits,
                    <Self as $crate::rows::FromColumn>::expected,
                    $found,
                    faults,
                )
            }

            fn column(
                array: &'a dyn ::arrow::array::Array,
                _: &$crate::rows::Fitted,
            ) -> Option<Self::Column> {
                $crate::rows::Values::of::<$arrow>(array)
            }

            #[inline]
            fn get(
                column: &Self::Column,
                row: usize,
            ) -> Result<Option<Self>, $crate::rows::Unreadable> {
                match column.get(row) {
                    Some($native) => $read.map(Some),
                    None => Ok(None),
                }
            }
        }

        impl<$($generics)*> $crate::rows::IntoColumn for $value {
            type Builder = $crate::rows::ValueBuilder<$arrow>;

            fn data_type() -> ::arrow::datatypes::DataType {
                $data_type
            }

            fn builder(capacity: usize) -> Self::Builder {
                $crate::rows::ValueBuilder::new(capacity)
            }

            #[inline]
            fn append(self, builder: &mut Self::Builder) {
                let $written = self;
                builder.push($write);
            }

            #[inline]
            fn append_null(builder: &mut Self::Builder) {
                builder.push_null();
            }

            fn finish(
                builder: Self::Builder,
            ) -> Result<::arrow::array::ArrayRef, $crate::Error> {
                builder.finish(<Self as $crate::rows::IntoColumn>::data_type())
            }
        }
    )*};
}
pub(super) use value_columns;

/// Types that may be items of a `Vec`, read and written.
macro_rules! items {
    ($([$($generics:tt)*] $value:ty;)*) => {$(
        impl<'a, $($generics)*> $crate::rows::FromItem<'a> for $value {}
        impl<'a, $($generics)*> $crate::rows::IntoItem for $value {}
    )*};
}
pub(super) use items;

macro_rules! numbers {
    ($($native:ty: $arrow:ty),* $(,)?) => {
        value_columns! {$(
            [] $native: $arrow, <$arrow>::DATA_TYPE, found => *found == <$arrow>::DATA_TYPE,
                native => Ok(native), false, number => number;
        )*}
    };
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

// Not `u8`: a `Vec` of these is bytes.
items! {
    [] i8;
    [] i16;
    [] i32;
    [] i64;
    [] u16;
    [] u32;
    [] u64;
    [] f32;
    [] f64;
}
