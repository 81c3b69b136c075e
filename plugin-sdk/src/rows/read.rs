//! From columns to rows: a row type is fitted to a schema once, opened for each batch, and read for
//! each row.

use std::fmt;
use std::ops::Range;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::record_batch::RecordBatch;

use crate::Error;

/// A struct that a row of a batch is read as. Derived.
///
/// The names of the fields are the columns' names; their types implement [`FromColumn`]. The struct
/// may have a lifetime, that of the batch, and borrow text and bytes from it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no row type",
    note = "put `#[derive(FromRow)]` on the struct"
)]
pub trait FromRow<'a>: Sized {
    /// The columns of one batch, by which its rows are read.
    type Columns: Clone;

    /// The columns without which there is no row: for [`Info::columns`](crate::Info::columns).
    /// Those of fields with `default` and of flattened structs are not among them.
    const COLUMNS: &'static [&'static str];

    /// Whether there are nulls that make a row unreadable: a field that is neither an `Option` nor
    /// has `default`, here or further down.
    const REFUSES_NULL: bool;

    /// Looks for the columns among `fields`, and notes in `faults` what is missing or of another
    /// type.
    fn find(fields: &Fields, faults: &mut Faults) -> Layout;

    /// Takes the columns from the arrays of a batch whose schema `find` has seen. None if the
    /// arrays are not those of that schema.
    fn columns(arrays: &'a [ArrayRef], layout: &Layout) -> Option<Self::Columns>;

    /// Reads a row. The number of a row that is not there reads as one of nulls.
    ///
    /// # Errors
    /// [`NullValue`] where a value is null that may not be.
    fn row(columns: &Self::Columns, row: usize) -> Result<Self, NullValue>;
}

/// A type that a column's values are read as: the types of [a row's fields](crate::rows#types).
#[diagnostic::on_unimplemented(
    message = "no column is read as `{Self}`",
    label = "no column is read as this type",
    note = "types of fields are listed in the documentation of `weir_plugin::rows`; a struct of one's own needs `#[derive(FromRow)]`"
)]
pub trait FromColumn<'a>: Sized {
    /// What is kept of a column for the time of a batch: slices of its buffers.
    type Column: Clone;

    /// Whether a null makes the value unreadable. False for an `Option` of a plain value.
    const REFUSES_NULL: bool = true;

    /// The same, for nulls below the value itself: in the fields of a struct, in the items of a
    /// list.
    const REFUSES_NULL_WITHIN: bool = false;

    /// How the type of the column is called in a message.
    fn expected() -> String;

    /// Holds the column's type against this one; notes in `faults` how they differ.
    fn fit(found: &DataType, faults: &mut Faults) -> Layout;

    /// Opens a column of a type that `fit` has seen. None if it is another.
    fn column(array: &'a dyn Array, layout: &Layout) -> Option<Self::Column>;

    /// Reads the value of a row; none where it is null.
    ///
    /// # Errors
    /// [`NullValue`] where something within the value is null that may not be.
    fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, NullValue>;
}

/// A type that may be the item of a `Vec`: every [`FromColumn`] but `u8`, since `Vec<u8>` is bytes.
pub trait FromItem<'a>: FromColumn<'a> {}

/// Where in a schema the columns of a row type are. Made once, when a plugin is bound.
///
/// ```
/// use std::sync::Arc;
/// use weir_plugin::arrow::array::{ArrayRef, Int64Array, StringArray};
/// use weir_plugin::prelude::*;
/// use weir_plugin::rows::Layout;
///
/// #[derive(FromRow)]
/// struct Claim<'a> {
///     id: i64,
///     #[row(rename = "PRVDR_NM")]
///     provider: Option<&'a str>,
/// }
///
/// let batch = RecordBatch::try_from_iter([
///     ("PRVDR_NM", Arc::new(StringArray::from(vec![Some("Li"), None])) as ArrayRef),
///     ("id", Arc::new(Int64Array::from(vec![7, 8]))),
/// ])?;
/// let layout = Layout::of::<Claim>(&batch.schema())?;
/// let mut found = Vec::new();
/// for claim in layout.read::<Claim>(&batch)? {
///     let Claim { id, provider } = claim?;
///     found.push((id, provider));
/// }
/// assert_eq!(found, [(7, Some("Li")), (8, None)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// One for each field of the struct, in order; for a list, those of its items.
    places: Vec<Place>,
}

#[derive(Clone, Debug)]
enum Place {
    /// The column at a position, and where the columns within it are.
    At(usize, Layout),
    /// There is none; the field has its default.
    Missing,
    /// The field's own fields are columns of the same schema.
    Flattened(Layout),
}

impl Layout {
    /// Finds the columns of `T` in a schema. Other columns may be there, in any order.
    ///
    /// # Errors
    /// [`Error::Data`] that lists every column that is missing or of another type, with the type
    /// expected and the type found.
    pub fn of<'a, T: FromRow<'a>>(schema: &Schema) -> Result<Layout, Error> {
        let mut faults = Faults::default();
        let layout = T::find(schema.fields(), &mut faults);
        faults.into_result(schema, short_name::<T>())?;
        Ok(layout)
    }

    /// The rows of a batch of the schema that this layout was made for, as the same `T`.
    ///
    /// # Errors
    /// [`Error::Fatal`] if schema or `T` are others.
    pub fn read<'a, T: FromRow<'a>>(&self, batch: &'a RecordBatch) -> Result<Reader<'a, T>, Error> {
        let columns = T::columns(batch.columns(), self).ok_or_else(|| {
            let row = short_name::<T>();
            Error::fatal(format!(
                "a batch does not have the columns that `{row}` was bound to"
            ))
        })?;
        Ok(Reader {
            columns,
            rows: 0..batch.num_rows(),
        })
    }

    /// Goes through the places, together with the arrays that they are positions in. For derived
    /// code.
    pub fn places<'a, 'l>(&'l self, arrays: &'a [ArrayRef]) -> Places<'a, 'l> {
        Places {
            places: self.places.iter(),
            arrays,
        }
    }
}

/// The rows of one batch, in order: an iterator over values of `T`, or why they cannot be read.
pub struct Reader<'a, T: FromRow<'a>> {
    columns: T::Columns,
    rows: Range<usize>,
}

impl<'a, T: FromRow<'a>> Iterator for Reader<'a, T> {
    type Item = Result<T, NullValue>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next().map(|row| T::row(&self.columns, row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<'a, T: FromRow<'a>> ExactSizeIterator for Reader<'a, T> {}

/// A value is null where a field is not an `Option`. Says where, by the names of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NullValue(Box<Path>);

/// Names from the innermost outwards.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Path(Vec<&'static str>);

impl NullValue {
    /// In the column or field of this name.
    #[cold]
    pub fn at(name: &'static str) -> NullValue {
        NullValue(Box::new(Path(vec![name])))
    }

    /// The same place, seen from outside the column or field of this name.
    #[cold]
    #[must_use]
    pub fn within(mut self, name: &'static str) -> NullValue {
        self.0.0.push(name);
        self
    }
}

impl fmt::Display for NullValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("column `")?;
        for (depth, name) in self.0.0.iter().rev().enumerate() {
            if depth > 0 {
                f.write_str(".")?;
            }
            f.write_str(name)?;
        }
        f.write_str("` is null")
    }
}

impl std::error::Error for NullValue {}

/// The value of a field that has none for null. For derived code.
#[inline]
pub fn required<T>(
    value: Result<Option<T>, NullValue>,
    name: &'static str,
) -> Result<T, NullValue> {
    match value {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(NullValue::at(name)),
        Err(null) => Err(null.within(name)),
    }
}

/// The value of a field with `default`. For derived code.
#[inline]
pub fn or_default<'a, T: FromColumn<'a> + Default>(
    column: Option<&T::Column>,
    row: usize,
    name: &'static str,
) -> Result<T, NullValue> {
    match column.map(|column| T::get(column, row)) {
        Some(Ok(Some(value))) => Ok(value),
        Some(Ok(None)) | None => Ok(T::default()),
        Some(Err(null)) => Err(null.within(name)),
    }
}

/// What does not fit between a row type and a schema.
#[derive(Debug, Default)]
pub struct Faults {
    /// The names of the columns and fields around what is looked at.
    path: Vec<String>,
    found: Vec<String>,
}

impl Faults {
    /// Notes that the column looked at has another type than `expected`.
    pub fn mismatch(&mut self, expected: &str, found: &DataType) {
        self.note(format!("{expected} expected, {found} found"));
    }

    fn note(&mut self, fault: String) {
        self.found
            .push(format!("column `{}`: {fault}", self.path.join(".")));
    }

    /// Looks at what is within the column or field of this name.
    fn within<T>(&mut self, name: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_owned());
        let seen = look(self);
        self.path.pop();
        seen
    }

    fn into_result(self, schema: &Schema, row: &str) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        let mut message = format!("the input does not fit `{row}`");
        for fault in &self.found {
            message.push_str("\n  ");
            message.push_str(fault);
        }
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let there = match names.as_slice() {
            [] => "no columns".to_owned(),
            names => names.join(", "),
        };
        Err(Error::data(format!(
            "{message}\nit has {there}; name missing columns in the stage's `grant`"
        )))
    }
}

/// Looks for the columns of a struct's fields, one after the other. For derived code.
pub struct Finder<'f> {
    fields: &'f Fields,
    faults: &'f mut Faults,
    layout: Layout,
}

impl<'f> Finder<'f> {
    /// Looks among `fields`.
    pub fn new(fields: &'f Fields, faults: &'f mut Faults) -> Finder<'f> {
        Finder {
            fields,
            faults,
            layout: Layout::default(),
        }
    }

    /// Looks for the column of the next field.
    pub fn column<'a, T: FromColumn<'a>>(&mut self, name: &str) {
        let place = self.place::<T>(name);
        if place.is_none() {
            let missing = format!("{} expected, none found", T::expected());
            self.faults.within(name, |faults| faults.note(missing));
        }
        self.layout.places.extend(place);
    }

    /// The same, for a field that can do without.
    pub fn column_or_default<'a, T: FromColumn<'a>>(&mut self, name: &str) {
        let place = self.place::<T>(name).unwrap_or(Place::Missing);
        self.layout.places.push(place);
    }

    /// Looks for the columns of the next field's own fields.
    pub fn flattened<'a, T: FromRow<'a>>(&mut self) {
        let layout = T::find(self.fields, self.faults);
        self.layout.places.push(Place::Flattened(layout));
    }

    /// Where they are; of use only if there were no faults.
    pub fn finish(self) -> Layout {
        self.layout
    }

    fn place<'a, T: FromColumn<'a>>(&mut self, name: &str) -> Option<Place> {
        let (position, field) = self.fields.find(name)?;
        let within = fit_field::<T>(field, self.faults);
        Some(Place::At(position, within))
    }
}

/// Holds a column, a struct's field or a list's item against a type.
pub(super) fn fit_field<'a, T: FromColumn<'a>>(field: &Field, faults: &mut Faults) -> Layout {
    faults.within(field.name(), |faults| T::fit(field.data_type(), faults))
}

/// The columns of a struct's fields in one batch, one after the other. For derived code.
pub struct Places<'a, 'l> {
    places: std::slice::Iter<'l, Place>,
    arrays: &'a [ArrayRef],
}

impl<'a> Places<'a, '_> {
    /// The next field's column.
    pub fn column<T: FromColumn<'a>>(&mut self) -> Option<T::Column> {
        self.column_or_default::<T>()?
    }

    /// The next field's column, or none if the field has its default.
    pub fn column_or_default<T: FromColumn<'a>>(&mut self) -> Option<Option<T::Column>> {
        match self.places.next()? {
            Place::At(position, layout) => {
                let array: &'a ArrayRef = self.arrays.get(*position)?;
                T::column(array.as_ref(), layout).map(Some)
            }
            Place::Missing => Some(None),
            Place::Flattened(_) => None,
        }
    }

    /// The columns of the next field's own fields.
    pub fn flattened<T: FromRow<'a>>(&mut self) -> Option<T::Columns> {
        match self.places.next()? {
            Place::Flattened(layout) => T::columns(self.arrays, layout),
            Place::At(..) | Place::Missing => None,
        }
    }
}

/// The name of a row type without its path and lifetime.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}
