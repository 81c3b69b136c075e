//! The types that a row's fields may have, as columns are made of them. Those that this SDK brings
//! along are in `decimal` and `times`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryBuilder, BooleanBuilder, ListArray, PrimitiveArray,
    StringBuilder, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Field, Fields, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::write::{IntoColumn, IntoItem, IntoRow};
use crate::Error;

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
        self.nulls.0.push(self.values.len());
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
struct NullRows(Vec<usize>);

impl NullRows {
    fn finish(self, rows: usize) -> Option<NullBuffer> {
        if self.0.is_empty() {
            return None;
        }
        let mut bits = vec![u8::MAX; rows.div_ceil(8)];
        for row in self.0 {
            if let Some(byte) = bits.get_mut(row / 8) {
                *byte &= !(1 << (row % 8));
            }
        }
        let bits = BooleanBuffer::new(Buffer::from_vec(bits), 0, rows);
        Some(NullBuffer::new(bits))
    }
}

macro_rules! numbers {
    ($($native:ty: $arrow:ty),* $(,)?) => {$(
        impl IntoColumn for $native {
            type Builder = ValueBuilder<$arrow>;

            fn data_type() -> DataType {
                <$arrow>::DATA_TYPE
            }

            fn builder(capacity: usize) -> Self::Builder {
                ValueBuilder::new(capacity)
            }

            #[inline]
            fn append(self, builder: &mut Self::Builder) {
                builder.push(self);
            }

            #[inline]
            fn append_null(builder: &mut Self::Builder) {
                builder.push_null();
            }

            fn finish(builder: Self::Builder) -> Result<ArrayRef, Error> {
                builder.finish(Self::data_type())
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

/// Bytes to make room for with each text: room for more is made when it is needed.
const USUAL_BYTES: usize = 16;

macro_rules! arrays {
    ($([$($lifetime:lifetime)?] $value:ty: $builder:ty, $data_type:ident, $new:expr;)*) => {$(
        impl<$($lifetime)?> IntoColumn for $value {
            type Builder = $builder;

            fn data_type() -> DataType {
                DataType::$data_type
            }

            fn builder(capacity: usize) -> Self::Builder {
                $new(capacity)
            }

            #[inline]
            fn append(self, builder: &mut Self::Builder) {
                builder.append_value(self);
            }

            #[inline]
            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }

            fn finish(mut builder: Self::Builder) -> Result<ArrayRef, Error> {
                Ok(Arc::new(builder.finish()))
            }
        }
    )*};
}

fn strings(capacity: usize) -> StringBuilder {
    StringBuilder::with_capacity(capacity, capacity * USUAL_BYTES)
}

fn binaries(capacity: usize) -> BinaryBuilder {
    BinaryBuilder::with_capacity(capacity, capacity * USUAL_BYTES)
}

arrays! {
    [] bool: BooleanBuilder, Boolean, BooleanBuilder::with_capacity;
    ['a] &'a str: StringBuilder, Utf8, strings;
    [] String: StringBuilder, Utf8, strings;
    ['a] std::borrow::Cow<'a, str>: StringBuilder, Utf8, strings;
    ['a] &'a [u8]: BinaryBuilder, Binary, binaries;
    [] Vec<u8>: BinaryBuilder, Binary, binaries;
}

macro_rules! items {
    ($($value:ty),* $(,)?) => {$(
        impl IntoItem for $value {}
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
    &str,
    String,
    std::borrow::Cow<'_, str>,
    &[u8],
    Vec<u8>
);

impl<T: IntoColumn> IntoColumn for Option<T> {
    type Builder = T::Builder;

    const NULLABLE: bool = true;

    fn data_type() -> DataType {
        T::data_type()
    }

    fn builder(capacity: usize) -> Self::Builder {
        T::builder(capacity)
    }

    #[inline]
    fn append(self, builder: &mut Self::Builder) {
        match self {
            Some(value) => value.append(builder),
            None => T::append_null(builder),
        }
    }

    #[inline]
    fn append_null(builder: &mut Self::Builder) {
        T::append_null(builder);
    }

    fn finish(builder: Self::Builder) -> Result<ArrayRef, Error> {
        T::finish(builder)
    }
}

impl<T: IntoColumn> IntoItem for Option<T> {}

/// Builds a column of structs.
pub struct StructBuilder<B> {
    builders: B,
    rows: usize,
    nulls: NullRows,
}

impl<T: IntoRow> IntoColumn for T {
    type Builder = StructBuilder<T::Builders>;

    fn data_type() -> DataType {
        DataType::Struct(T::fields().into())
    }

    fn builder(capacity: usize) -> Self::Builder {
        StructBuilder {
            builders: T::builders(capacity),
            rows: 0,
            nulls: NullRows::default(),
        }
    }

    #[inline]
    fn append(self, builder: &mut Self::Builder) {
        T::append(self, &mut builder.builders);
        builder.rows += 1;
    }

    fn append_null(builder: &mut Self::Builder) {
        T::append_null(&mut builder.builders);
        builder.nulls.0.push(builder.rows);
        builder.rows += 1;
    }

    fn finish(builder: Self::Builder) -> Result<ArrayRef, Error> {
        let fields = Fields::from(T::fields());
        let mut arrays = Vec::with_capacity(fields.len());
        T::finish(builder.builders, &mut arrays)?;
        let nulls = builder.nulls.finish(builder.rows);
        Ok(Arc::new(StructArray::try_new(fields, arrays, nulls)?))
    }
}

impl<T: IntoRow> IntoItem for T {}

/// Builds a column of lists.
pub struct ListBuilder<B> {
    items: B,
    count: usize,
    /// Where each list ends.
    ends: Vec<usize>,
    nulls: NullRows,
}

impl<T: IntoItem> IntoColumn for Vec<T> {
    type Builder = ListBuilder<T::Builder>;

    fn data_type() -> DataType {
        DataType::List(Arc::new(item_field::<T>()))
    }

    fn builder(capacity: usize) -> Self::Builder {
        ListBuilder {
            items: T::builder(capacity),
            count: 0,
            ends: Vec::with_capacity(capacity),
            nulls: NullRows::default(),
        }
    }

    fn append(self, builder: &mut Self::Builder) {
        builder.count += self.len();
        for item in self {
            item.append(&mut builder.items);
        }
        builder.ends.push(builder.count);
    }

    fn append_null(builder: &mut Self::Builder) {
        builder.nulls.0.push(builder.ends.len());
        builder.ends.push(builder.count);
    }

    fn finish(builder: Self::Builder) -> Result<ArrayRef, Error> {
        let nulls = builder.nulls.finish(builder.ends.len());
        let offsets = std::iter::once(0)
            .chain(builder.ends)
            .map(i32::try_from)
            .collect::<Result<Vec<i32>, _>>()
            .map_err(|_| Error::fatal("a batch's lists have more items than 31 bits count"))?;
        let list = ListArray::try_new(
            Arc::new(item_field::<T>()),
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            T::finish(builder.items)?,
            nulls,
        )?;
        Ok(Arc::new(list))
    }
}

impl<T: IntoItem> IntoItem for Vec<T> {}

fn item_field<T: IntoColumn>() -> Field {
    Field::new_list_field(T::data_type(), T::NULLABLE)
}
