//! A transform that is written for one row.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::read::{FromRow, Layout, Unreadable};
use super::write::{Builder, IntoRow, schema};
use crate::rejections::Message;
use crate::{Context, Emitter, Error, Info, Output, Rule, SideInputs, Transform};

/// The rule under which a row is rejected from which [`RowTransform::Input`] cannot be read: a column
/// is null where the field is not an `Option`, or a [`Decimal`](crate::rows::Decimal) has too many
/// digits. A plugin with such fields lists it in `INFO.rules`.
pub const MISSING_VALUE: Rule = Rule {
    name: "missing_value",
    description: "A column that the plugin needs has a value in every row, and one that fits its type.",
};

/// A [`Transform`] that is written for one row: [`ByRow`] makes it a plugin.
///
/// What is said of [`Transform`] holds here: it is bound once, several copies run side by side, and
/// what becomes of a row depends on that row alone. The example is in the module's
/// [documentation](crate::rows).
pub trait RowTransform: Sized + 'static {
    /// The configuration, as [`Transform::Config`].
    type Config: DeserializeOwned + JsonSchema;

    /// What a row is read as: a struct with `#[derive(FromRow)]`. Borrowed for the time of the
    /// batch.
    type Input<'a>: FromRow<'a>;

    /// What becomes of a row: see [`IntoRows`].
    type Output<'a>: IntoRows;

    /// What the plugin is. [`MISSING_VALUE`] is among its rules if `Input` has fields that cannot be
    /// null, or decimals; else it does not compile.
    const INFO: Info;

    /// The names of its outputs, as many as `Output` has.
    const OUTPUTS: &'static [&'static str] = &[Output::ONLY];

    /// Binds the plugin to its configuration. That the input has the columns of `Input` is seen to
    /// by [`ByRow`], which says which schemas the outputs have.
    ///
    /// # Errors
    /// As [`Transform::bind`].
    fn bind(config: Self::Config, context: &Context) -> Result<Self, Error>;

    /// Takes the reference tables that the step hands to the plugin, as [`Transform::load`].
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn load(&mut self, side_inputs: &mut SideInputs) -> Result<(), Error> {
        let _ = side_inputs;
        Ok(())
    }

    /// Turns one row into what becomes of it. That may borrow from the row and from the plugin,
    /// which is why the plugin is not changed by rows: what `bind` and `load` made of it, such as a table of
    /// codes, is all that a row is seen with.
    ///
    /// # Errors
    /// A [`Rejection`] rejects the row, and with it all that would have been emitted from it.
    fn row<'a>(&'a self, row: Self::Input<'a>) -> Result<Self::Output<'a>, Rejection>;

    /// Called once after the last batch, as [`Transform::finish`].
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Why a row is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    rule: &'static Rule,
    message: Message,
}

impl Rejection {
    /// The row breaks a rule, which must be one of `INFO.rules`. Keep values out of the message:
    /// it stands in quarantine beside the row, and rows with the same message are rejected together.
    #[cold]
    pub fn new(rule: &'static Rule, message: impl Into<Message>) -> Rejection {
        Rejection {
            rule,
            message: message.into(),
        }
    }

    /// The rule that the row breaks.
    pub fn rule(&self) -> &'static Rule {
        self.rule
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<Unreadable> for Rejection {
    fn from(fault: Unreadable) -> Rejection {
        Rejection::new(&MISSING_VALUE, fault.to_string())
    }
}

/// What becomes of one row. `T` is a struct with `#[derive(IntoRow)]`:
///
/// | type | rows |
/// |---|---|
/// | `T` | one |
/// | `Option<T>` | one, or none: the row is dropped |
/// | `Vec<T>`, `[T; N]` | any number, or `N` |
/// | a tuple of two to six of these | the same for each of several outputs, in order |
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what becomes of a row",
    note = "it is a struct with `#[derive(IntoRow)]`, an `Option`, `Vec` or array of one, or a tuple of these"
)]
pub trait IntoRows: Sized {
    /// What is made of a batch.
    type Made;

    /// Adds the schema of each output.
    fn schemas(schemas: &mut Vec<SchemaRef>);

    /// Begins a batch of so many rows. Takes its outputs from `outputs`; none if they are too few.
    fn begin(outputs: &mut std::slice::Iter<'_, Output>, rows: usize) -> Option<Self::Made>;

    /// Adds what became of a row.
    fn add(self, origin: u32, made: &mut Self::Made);

    /// Emits what was made of a batch of so many rows, beginning with the output at `output`, and
    /// counts that up.
    ///
    /// # Errors
    /// [`Error::Fatal`] for what Arrow cannot hold.
    fn emit(
        made: Self::Made,
        output: &mut usize,
        rows: usize,
        out: &mut Emitter<'_>,
    ) -> Result<(), Error>;
}

/// The rows of one output, made of one batch.
pub struct Made<T: IntoRow> {
    schema: SchemaRef,
    /// How many rows to make room for.
    expected: usize,
    /// None before the first row: an output to which nothing goes takes no memory.
    rows: Option<Builder<T>>,
    origin: Vec<u32>,
}

impl<T: IntoRow> Made<T> {
    fn begin(outputs: &mut std::slice::Iter<'_, Output>, rows: usize) -> Option<Self> {
        Some(Self {
            schema: outputs.next()?.schema.clone(),
            expected: rows,
            rows: None,
            origin: Vec::new(),
        })
    }

    #[inline]
    fn add(&mut self, row: T, origin: u32) {
        let begun = self
            .rows
            .get_or_insert_with(|| make_room(&self.schema, self.expected, &mut self.origin));
        begun.push(row);
        self.origin.push(origin);
    }

    fn emit(self, output: &mut usize, rows: usize, out: &mut Emitter<'_>) -> Result<(), Error> {
        let at = *output;
        *output += 1;
        let Some(made) = self.rows else {
            return Ok(());
        };
        let batch = made.finish()?;
        // One row for each, in order, is what is meant where no origin is given.
        let in_order = self
            .origin
            .iter()
            .zip(0..)
            .all(|(origin, row)| *origin == row);
        if self.origin.len() == rows && in_order {
            out.emit_to(at, &batch);
        } else {
            out.emit_from(at, &batch, &self.origin);
        }
        Ok(())
    }
}

/// Once a batch: kept out of the loop over rows.
#[cold]
fn make_room<T: IntoRow>(schema: &SchemaRef, rows: usize, origin: &mut Vec<u32>) -> Builder<T> {
    origin.reserve(rows);
    Builder::new(schema.clone(), rows)
}

/// Types that are rows of one output.
macro_rules! one_output {
    ($([$($count:tt)*] $rows:ty: $self:ident, $row:ident => $each:expr;)*) => {$(
        impl<T: IntoRow $($count)*> IntoRows for $rows {
            type Made = Made<T>;

            fn schemas(schemas: &mut Vec<SchemaRef>) {
                schemas.push(schema::<T>());
            }

            fn begin(
                outputs: &mut std::slice::Iter<'_, Output>,
                rows: usize,
            ) -> Option<Self::Made> {
                Made::begin(outputs, rows)
            }

            #[inline]
            fn add($self, origin: u32, made: &mut Self::Made) {
                for $row in $each {
                    made.add($row, origin);
                }
            }

            fn emit(
                made: Self::Made,
                output: &mut usize,
                rows: usize,
                out: &mut Emitter<'_>,
            ) -> Result<(), Error> {
                made.emit(output, rows, out)
            }
        }
    )*};
}

one_output! {
    [] T: self, row => [self];
    [] Option<T>: self, row => self.into_iter();
    [] Vec<T>: self, row => self;
    [, const N: usize] [T; N]: self, row => self;
}

/// Tuples: rows of several outputs.
macro_rules! several_outputs {
    ($(($($rows:ident $place:tt),*);)*) => {$(
        impl<$($rows: IntoRows),*> IntoRows for ($($rows,)*) {
            type Made = ($($rows::Made,)*);

            fn schemas(schemas: &mut Vec<SchemaRef>) {
                $($rows::schemas(schemas);)*
            }

            fn begin(
                outputs: &mut std::slice::Iter<'_, Output>,
                rows: usize,
            ) -> Option<Self::Made> {
                Some(($($rows::begin(outputs, rows)?,)*))
            }

            #[inline]
            fn add(self, origin: u32, made: &mut Self::Made) {
                $(self.$place.add(origin, &mut made.$place);)*
            }

            fn emit(
                made: Self::Made,
                output: &mut usize,
                rows: usize,
                out: &mut Emitter<'_>,
            ) -> Result<(), Error> {
                $($rows::emit(made.$place, output, rows, out)?;)*
                Ok(())
            }
        }
    )*};
}

several_outputs! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}

/// Makes a [`RowTransform`] a [`Transform`]: `weir_plugin::export_transform!(ByRow<Claims>);`.
///
/// It finds the columns once, when it is bound, and opens them for each batch; it rejects the rows
/// that the plugin rejects and those with a value that cannot be read; and it gives each row that is
/// emitted the origin that it has.
pub struct ByRow<T> {
    plugin: T,
    layout: Layout,
    outputs: Vec<Output>,
}

impl<T: RowTransform> Transform for ByRow<T> {
    type Config = T::Config;

    const INFO: Info = {
        assert!(
            !<T::Input<'static> as FromRow<'static>>::REFUSES
                || has_rule(T::INFO.rules, MISSING_VALUE.name),
            "`Input` has fields that not every row has a value for, those that cannot be null or are decimals: add `weir_plugin::rows::MISSING_VALUE` to `INFO.rules`",
        );
        T::INFO
    };

    fn bind(config: T::Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let layout = Layout::of::<T::Input<'static>>(&context.input)?;
        let mut schemas = Vec::new();
        <T::Output<'static> as IntoRows>::schemas(&mut schemas);
        if schemas.len() != T::OUTPUTS.len() {
            return Err(Error::fatal(format!(
                "`OUTPUTS` names {} outputs, and `Output` has {}",
                T::OUTPUTS.len(),
                schemas.len()
            )));
        }
        let named = T::OUTPUTS.iter().copied().zip(schemas);
        let outputs: Vec<Output> = named
            .map(|(name, schema)| Output::new(name, schema))
            .collect();
        let bound = Self {
            plugin: T::bind(config, context)?,
            layout,
            outputs: outputs.clone(),
        };
        Ok((bound, outputs))
    }

    fn load(&mut self, side_inputs: &mut SideInputs) -> Result<(), Error> {
        self.plugin.load(side_inputs)
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        process(self, rows, out)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.plugin.finish()
    }
}

/// Input and output borrow from the batch, output from the plugin too.
fn process<'a, T: RowTransform>(
    bound: &'a ByRow<T>,
    rows: &'a RecordBatch,
    out: &mut Emitter<'_>,
) -> Result<(), Error> {
    let count = rows.num_rows();
    let input = bound.layout.read::<T::Input<'a>>(rows)?;
    let mut made = <T::Output<'a> as IntoRows>::begin(&mut bound.outputs.iter(), count)
        .ok_or_else(|| Error::fatal("`Output` has more outputs than were bound"))?;
    for (row, origin) in input.zip(0..) {
        let became = match row {
            Ok(row) => bound.plugin.row(row),
            Err(fault) => Err(fault.into()),
        };
        match became {
            Ok(rows) => rows.add(origin, &mut made),
            Err(Rejection { rule, message }) => out.reject(origin, rule, message),
        }
    }
    <T::Output<'a> as IntoRows>::emit(made, &mut 0, count, out)
}

const fn has_rule(mut rules: &[Rule], name: &str) -> bool {
    while let [rule, others @ ..] = rules {
        if equal(rule.name.as_bytes(), name.as_bytes()) {
            return true;
        }
        rules = others;
    }
    false
}

/// Slices are not compared in constants otherwise.
const fn equal(mut left: &[u8], mut right: &[u8]) -> bool {
    while let ([l, left_rest @ ..], [r, right_rest @ ..]) = (left, right) {
        if *l != *r {
            return false;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.is_empty() && right.is_empty()
}
