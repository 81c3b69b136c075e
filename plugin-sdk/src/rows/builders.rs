//! The types that a row's fields may have, as columns are made of them: text, bytes and flags, and
//! what is made of other columns. Those of one width are in `values`, `decimal` and `times`.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, ListArray, StringBuilder, StructArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};

use super::values::NullRows;
use super::write::{IntoColumn, IntoItem, IntoRow};
use crate::Error;

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
    ['a] Cow<'a, str>: StringBuilder, Utf8, strings;
    ['a] &'a [u8]: BinaryBuilder, Binary, binaries;
    [] Vec<u8>: BinaryBuilder, Binary, binaries;
}

impl IntoItem for Cow<'_, str> {}

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
        builder.nulls.push(builder.rows);
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
        builder.nulls.push(builder.ends.len());
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
