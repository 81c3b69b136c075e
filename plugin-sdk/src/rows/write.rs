//! From rows to columns: each column has a builder, and each row appends a value to each of them.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::read::short_name;
use crate::Error;

/// A struct that becomes a row of a batch. Derived.
///
/// The fields become columns in their order and by their names; their types implement
/// [`IntoColumn`]. An `Option` makes a column that may have nulls, anything else one that has none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not become a row",
    note = "put `#[derive(IntoRow)]` on the struct"
)]
pub trait IntoRow: Sized {
    /// What the columns are built with.
    type Builders;

    /// The columns' names and types.
    fn fields() -> Vec<Field>;

    /// Builders with room for so many rows.
    fn builders(capacity: usize) -> Self::Builders;

    /// Appends the row.
    fn append(self, builders: &mut Self::Builders);

    /// Appends a row that stands below a struct that is null: it has no values of its own.
    fn append_null(builders: &mut Self::Builders);

    /// Appends the finished columns to `arrays`, in the order of `fields`.
    ///
    /// # Errors
    /// [`Error::Fatal`] for what Arrow cannot hold, such as a list of more than 2³¹ items.
    fn finish(builders: Self::Builders, arrays: &mut Vec<ArrayRef>) -> Result<(), Error>;
}

/// A type whose values make a column: the types of [a row's fields](crate::rows#types).
#[diagnostic::on_unimplemented(
    message = "no column is made of `{Self}`",
    label = "no column is made of this type",
    note = "types of fields are listed in the documentation of `weir_plugin::rows`; a struct of one's own needs `#[derive(IntoRow)]`"
)]
pub trait IntoColumn: Sized {
    /// What the column is built with.
    type Builder;

    /// Whether values may be null.
    const NULLABLE: bool = false;

    /// The column's type.
    fn data_type() -> DataType;

    /// A builder with room for so many values.
    fn builder(capacity: usize) -> Self::Builder;

    /// Appends the value.
    fn append(self, builder: &mut Self::Builder);

    /// Appends a null: the value itself is an `Option`, or stands below a struct that is null.
    fn append_null(builder: &mut Self::Builder);

    /// The column.
    ///
    /// # Errors
    /// [`Error::Fatal`] for what Arrow cannot hold.
    fn finish(builder: Self::Builder) -> Result<ArrayRef, Error>;
}

/// A type that may be the item of a `Vec`: every [`IntoColumn`] but `u8`, since `Vec<u8>` is bytes.
pub trait IntoItem: IntoColumn {}

/// The schema of the batches that rows of type `T` make: what `bind` returns as an output's.
pub fn schema<T: IntoRow>() -> SchemaRef {
    Arc::new(Schema::new(T::fields()))
}

/// Makes a batch of rows, one by one. [`ByRow`](crate::rows::ByRow) does so by itself; a decoder, or
/// a transform over whole batches, uses it directly.
///
/// ```
/// use weir_plugin::prelude::*;
/// use weir_plugin::rows::{Builder, schema};
///
/// #[derive(IntoRow)]
/// struct Line<'a> {
///     number: u32,
///     text: &'a str,
/// }
///
/// let output = schema::<Line>();
/// let mut lines = Builder::new(output, 2);
/// for (text, number) in "one\ntwo".lines().zip(1..) {
///     lines.push(Line { number, text });
/// }
/// assert_eq!(lines.finish()?.num_rows(), 2);
/// # Ok::<(), Error>(())
/// ```
pub struct Builder<T: IntoRow> {
    schema: SchemaRef,
    builders: T::Builders,
}

impl<T: IntoRow> Builder<T> {
    /// No rows yet, and room for `capacity` of them. The schema is that of [`schema`]; made once, it
    /// is shared by all batches.
    pub fn new(schema: SchemaRef, capacity: usize) -> Self {
        Self {
            schema,
            builders: T::builders(capacity),
        }
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, row: T) {
        row.append(&mut self.builders);
    }

    /// The batch.
    ///
    /// # Errors
    /// [`Error::Fatal`] if the schema's columns have other names or types than those of `T`, and for
    /// what Arrow cannot hold.
    pub fn finish(self) -> Result<RecordBatch, Error> {
        let own = T::fields();
        let given = self.schema.fields();
        let same = given.len() == own.len()
            && given.iter().zip(&own).all(|(given, own)| {
                given.name() == own.name() && given.data_type() == own.data_type()
            });
        if !same {
            let row = short_name::<T>();
            return Err(Error::fatal(format!(
                "a batch of `{row}` has a schema with other columns than `{row}`"
            )));
        }
        let mut arrays = Vec::with_capacity(own.len());
        T::finish(self.builders, &mut arrays)?;
        Ok(RecordBatch::try_new(self.schema, arrays)?)
    }
}
