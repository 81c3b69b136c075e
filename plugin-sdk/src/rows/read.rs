//! From columns to rows: a row type is fitted to a schema once, opened for each batch, and read for
//! each row.

use std::borrow::Cow;
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
    /// Those of fields with `default` and of flattened structs are not among them, though a
    /// flattened struct may need its own: list these too.
    const COLUMNS: &'static [&'static str];

    /// Whether there are values of columns that make a row unreadable: a null under a field that is
    /// neither an `Option` nor has `default`, or too long a decimal, here or further down.
    const REFUSES: bool;

    /// Looks for the columns among `fields`, and notes in `faults` what is missing or of another
    /// type.
    fn find(fields: &Fields, faults: &mut Faults) -> Fitted;

    /// Takes the columns from the arrays of a batch whose schema `find` has seen. None if the
    /// arrays are not those of that schema.
    fn columns(arrays: &'a [ArrayRef], fitted: &Fitted) -> Option<Self::Columns>;

    /// Reads a row. The number of a row that is not there reads as one of nulls.
    ///
    /// # Errors
    /// [`Unreadable`] where a value is null that may not be, or does not fit its field's type.
    fn row(columns: &Self::Columns, row: usize) -> Result<Self, Unreadable>;
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

    /// Whether a column's value can be unreadable, be it only a null. False for an `Option` of most
    /// types.
    const REFUSES: bool = true;

    /// The same, for values that are not null themselves: those that do not fit the type, and nulls
    /// in the fields of a struct or among the items of a list.
    const REFUSES_WITHIN: bool = false;

    /// How the type of the column is called in a message.
    fn expected() -> String;

    /// Holds the column's type against this one; notes in `faults` how they differ.
    fn fit(found: &DataType, faults: &mut Faults) -> Fitted;

    /// Opens a column of a type that `fit` has seen. None if it is another.
    fn column(array: &'a dyn Array, fitted: &Fitted) -> Option<Self::Column>;

    /// Reads the value of a row; none where it is null.
    ///
    /// # Errors
    /// [`Unreadable`] where the value does not fit the type, or something within it is null that may
    /// not be.
    fn get(column: &Self::Column, row: usize) -> Result<Option<Self>, Unreadable>;
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
#[derive(Clone, Debug)]
pub struct Layout {
    /// What was looked among: positions say nothing about other columns.
    schema: Fields,
    /// The name of the type that was looked for. Types with a lifetime have no other identity.
    row: &'static str,
    fitted: Fitted,
}

impl Layout {
    /// Finds the columns of `T` in a schema. Other columns may be there, in any order.
    ///
    /// # Errors
    /// [`Error::Data`] that lists every column that is missing or of another type, with the type
    /// expected and the type found.
    pub fn of<'a, T: FromRow<'a>>(schema: &Schema) -> Result<Layout, Error> {
        let mut faults = Faults::default();
        let fitted = T::find(schema.fields(), &mut faults);
        faults.into_result(schema, short_name::<T>())?;
        Ok(Layout {
            schema: schema.fields().clone(),
            row: std::any::type_name::<T>(),
            fitted,
        })
    }

    /// The rows of a batch of the schema that this layout was made for, as the same `T`. Whether
    /// columns may be null, and metadata, may differ.
    ///
    /// # Errors
    /// [`Error::Fatal`] if schema or `T` are others.
    pub fn read<'a, T: FromRow<'a>>(&self, batch: &'a RecordBatch) -> Result<Reader<'a, T>, Error> {
        let row = std::any::type_name::<T>();
        if row != self.row {
            let bound = self.row;
            return Err(Error::fatal(format!(
                "rows are read as `{row}` where `{bound}` was bound"
            )));
        }
        let columns = same_columns(&self.schema, batch.schema_ref().fields())
            .then(|| T::columns(batch.columns(), &self.fitted))
            .flatten();
        let columns = columns.ok_or_else(|| {
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
}

/// Whether columns of the same names and types stand at the same positions.
fn same_columns(left: &Fields, right: &Fields) -> bool {
    let same = |left: &Field, right: &Field| {
        left.name() == right.name() && same_type(left.data_type(), right.data_type())
    };
    std::ptr::eq(&**left, &**right)
        || (left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r)))
}

fn same_type(left: &DataType, right: &DataType) -> bool {
    match (left, right) {
        (DataType::Struct(left), DataType::Struct(right)) => same_columns(left, right),
        (DataType::List(left), DataType::List(right)) => {
            same_type(left.data_type(), right.data_type())
        }
        (left, right) => left == right,
    }
}

/// Where the columns of a row type are, or those within a column. Of a type without children:
/// the default.
#[derive(Clone, Debug, Default)]
pub struct Fitted {
    /// One for each field of the struct, in order; for a list, those of its items.
    places: Vec<Place>,
}

#[derive(Clone, Debug)]
enum Place {
    /// The column at a position, and where the columns within it are.
    At(usize, Fitted),
    /// There is none; the field has its default.
    Missing,
    /// The field's own fields are columns of the same schema.
    Flattened(Fitted),
}

impl Fitted {
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
    type Item = Result<T, Unreadable>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next().map(|row| T::row(&self.columns, row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<'a, T: FromRow<'a>> ExactSizeIterator for Reader<'a, T> {}

/// A value that its field cannot be read from: null where the field is not an `Option`, or one that
/// the field's type does not hold. Says where, by the names of columns, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(Box<Cause>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cause {
    /// Names from the innermost outwards.
    path: Vec<&'static str>,
    /// What goes on after the name of the column.
    reason: Cow<'static, str>,
}

impl Unreadable {
    /// The column or field of this name is null.
    #[cold]
    pub fn null(name: &'static str) -> Unreadable {
        Unreadable::because("is null").within(name)
    }

    /// The value does not fit its type. The reason goes on after the column's name, as in
    /// `has more than 12 digits`; the value itself is kept out of it.
    #[cold]
    pub fn because(reason: impl Into<Cow<'static, str>>) -> Unreadable {
        Unreadable(Box::new(Cause {
            path: Vec::new(),
            reason: reason.into(),
        }))
    }

    /// The same place, seen from outside the column or field of this name.
    #[cold]
    #[must_use]
    pub fn within(mut self, name: &'static str) -> Unreadable {
        self.0.path.push(name);
        self
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause { path, reason } = &*self.0;
        f.write_str("column `")?;
        for (depth, name) in path.iter().rev().enumerate() {
            if depth > 0 {
                f.write_str(".")?;
            }
            f.write_str(name)?;
        }
        write!(f, "` {reason}")
    }
}

impl std::error::Error for Unreadable {}

/// The value of a field that has none for null. For derived code.
#[inline]
pub fn required<T>(
    value: Result<Option<T>, Unreadable>,
    name: &'static str,
) -> Result<T, Unreadable> {
    match value {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Unreadable::null(name)),
        Err(fault) => Err(fault.within(name)),
    }
}

/// The value of a field with `default`. For derived code.
#[inline]
pub fn or_default<'a, T: FromColumn<'a> + Default>(
    column: Option<&T::Column>,
    row: usize,
    name: &'static str,
) -> Result<T, Unreadable> {
    match column.map(|column| T::get(column, row)) {
        Some(Ok(Some(value))) => Ok(value),
        Some(Ok(None)) | None => Ok(T::default()),
        Some(Err(fault)) => Err(fault.within(name)),
    }
}

/// What does not fit between a row type and a schema.
#[derive(Debug, Default)]
pub struct Faults {
    /// The names of the columns and fields around what is looked at.
    path: Vec<String>,
    found: Vec<String>,
    /// Whether a column is not there at all, which a grant may mend.
    missing: bool,
}

impl Faults {
    /// Notes that the column looked at has another type than `expected`.
    pub fn mismatch(&mut self, expected: &str, found: &DataType) {
        self.note(format!("{expected} expected, {found} found"));
    }

    /// Notes that the column looked at is not there.
    fn none_found(&mut self, expected: &str) {
        self.missing = true;
        self.note(format!("{expected} expected, none found"));
    }

    fn note(&mut self, fault: String) {
        self.found
            .push(format!("column `{}`: {fault}", self.path.join(".")));
    }

    /// Looks at what is within the column or field of this name.
    pub(super) fn within<T>(&mut self, name: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_owned());
        let seen = look(self);
        self.path.pop();
        seen
    }

    fn into_result(self, schema: &Schema, row: &str) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        let mut message = format!("the input does not fit `{row}`: {}", self.found.join("; "));
        if self.missing {
            let names: Vec<&str> = schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            let there = match names.as_slice() {
                [] => "no columns".to_owned(),
                names => names.join(", "),
            };
            // The host cuts long messages: what to do stands before what may be long.
            message.push_str("; name missing columns in the stage's `grant`; the input has ");
            message.push_str(&there);
        }
        Err(Error::data(message))
    }
}

/// Looks for the columns of a struct's fields, one after the other. For derived code.
pub struct Finder<'f> {
    fields: &'f Fields,
    faults: &'f mut Faults,
    fitted: Fitted,
}

impl<'f> Finder<'f> {
    /// Looks among `fields`.
    pub fn new(fields: &'f Fields, faults: &'f mut Faults) -> Finder<'f> {
        Finder {
            fields,
            faults,
            fitted: Fitted::default(),
        }
    }

    /// Looks for the column of the next field.
    pub fn column<'a, T: FromColumn<'a>>(&mut self, name: &str) {
        let place = self.place::<T>(name);
        if place.is_none() {
            self.faults
                .within(name, |faults| faults.none_found(&T::expected()));
        }
        self.fitted.places.extend(place);
    }

    /// The same, for a field that can do without.
    pub fn column_or_default<'a, T: FromColumn<'a>>(&mut self, name: &str) {
        let place = self.place::<T>(name).unwrap_or(Place::Missing);
        self.fitted.places.push(place);
    }

    /// Looks for the columns of the next field's own fields.
    pub fn flattened<'a, T: FromRow<'a>>(&mut self) {
        let fitted = T::find(self.fields, self.faults);
        self.fitted.places.push(Place::Flattened(fitted));
    }

    /// Where they are; of use only if there were no faults.
    pub fn finish(self) -> Fitted {
        self.fitted
    }

    fn place<'a, T: FromColumn<'a>>(&mut self, name: &str) -> Option<Place> {
        let (position, field) = self.fields.find(name)?;
        let within = self
            .faults
            .within(name, |faults| T::fit(field.data_type(), faults));
        Some(Place::At(position, within))
    }
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
            Place::At(position, fitted) => {
                let array: &'a ArrayRef = self.arrays.get(*position)?;
                T::column(array.as_ref(), fitted).map(Some)
            }
            Place::Missing => Some(None),
            Place::Flattened(_) => None,
        }
    }

    /// The columns of the next field's own fields.
    pub fn flattened<T: FromRow<'a>>(&mut self) -> Option<T::Columns> {
        match self.places.next()? {
            Place::Flattened(fitted) => T::columns(self.arrays, fitted),
            Place::At(..) | Place::Missing => None,
        }
    }
}

/// The name of a row type without its path and lifetime. The path may have arguments of its own, as
/// in `<Plugin as Trait>::bind::Row`.
pub(super) fn short_name<T>() -> &'static str {
    let path = std::any::type_name::<T>();
    let mut open = 0;
    let before_arguments = path.char_indices().rev().find(|(_, letter)| {
        open += match letter {
            '>' => 1,
            '<' => -1,
            _ => 0,
        };
        open == 0
    });
    let end = match before_arguments {
        Some((at, '<')) => at,
        _ => path.len(),
    };
    let name = path.get(..end).unwrap_or(path);
    name.rsplit("::").next().unwrap_or(name)
}
