use arrow::datatypes::{DataType, Schema, SchemaRef};

use crate::Error;

/// What a plugin is told when it is bound, besides its configuration.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where in which pipeline it runs.
    pub run: Run,
    /// The columns granted, in the order in which batches carry them. Empty for a decoder, which
    /// reads bytes.
    pub input: SchemaRef,
    /// The small reference tables that the step hands to the plugin.
    pub side_inputs: Vec<SideInput>,
}

impl Context {
    /// The reference table of this name; its rows come with `load`.
    ///
    /// # Errors
    /// [`Error::Config`] that says how the step hands it over.
    pub fn side_input(&self, name: &str) -> Result<&SideInput, Error> {
        let found = self.side_inputs.iter().find(|table| table.name == name);
        found.ok_or_else(|| crate::side_inputs::lacking(name))
    }

    /// The positions of `names` in the input.
    ///
    /// # Errors
    /// [`Error::Data`] that lists every missing column and the columns there are.
    pub fn positions(&self, names: &[&str]) -> Result<Vec<usize>, Error> {
        let mut missing = Vec::new();
        let mut positions = Vec::with_capacity(names.len());
        for name in names {
            match self.input.index_of(name) {
                Ok(position) => positions.push(position),
                Err(_) => missing.push(*name),
            }
        }
        if missing.is_empty() {
            return Ok(positions);
        }
        let there: Vec<&str> = self
            .input
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        Err(Error::data(format!(
            "the input lacks {}; it has {}; name the missing columns in the stage's `grant`",
            missing.join(", "),
            if there.is_empty() {
                "no columns".to_owned()
            } else {
                there.join(", ")
            },
        )))
    }
}

/// Where in which pipeline the plugin runs. Nothing in it differs between two runs with the same
/// parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The pipeline's name.
    pub pipeline: String,
    /// The step's name.
    pub step: String,
    /// The run's parameters and their values as text, in order of name.
    pub parameters: Vec<(String, String)>,
}

impl Run {
    /// The value of a parameter of the run.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The name and schema of a small reference table that the step hands to the plugin. Its rows are read through
/// [`SideInputs`](crate::SideInputs).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideInput {
    /// Its name in the pipeline file.
    pub name: String,
    /// Its schema.
    pub schema: SchemaRef,
}

impl SideInput {
    /// Whether it has a column of this type, which a plugin asks for in `bind`, so that the plan tells and not the run.
    ///
    /// # Errors
    /// [`Error::Data`] that names the table, the column and both types.
    pub fn has(&self, column: &str, data_type: &DataType) -> Result<(), Error> {
        let found = match self.schema.field_with_name(column) {
            Ok(field) if field.data_type() == data_type => return Ok(()),
            Ok(field) => format!("it is {}", field.data_type()),
            Err(_) => {
                let fields = self.schema.fields().iter();
                let names: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
                format!("its columns are {}", names.join(", "))
            }
        };
        Err(Error::data(format!(
            "the side input `{}` needs a column '{column}' of type {data_type}; {found}",
            self.name
        )))
    }
}

/// A named output of a transform and the schema of every batch emitted to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name, by which the pipeline file addresses it.
    pub name: String,
    /// Its schema.
    pub schema: SchemaRef,
}

impl Output {
    /// The name of the output of a transform that has only one.
    pub const ONLY: &str = "out";

    /// An output among several.
    pub fn new(name: impl Into<String>, schema: impl Into<SchemaRef>) -> Self {
        Self {
            name: name.into(),
            schema: schema.into(),
        }
    }

    /// The only output of a transform, named `out`.
    pub fn only(schema: impl Into<SchemaRef>) -> Vec<Self> {
        vec![Self::new(Self::ONLY, schema)]
    }
}

impl Default for Context {
    fn default() -> Self {
        Self {
            run: Run::default(),
            input: Schema::empty().into(),
            side_inputs: Vec::new(),
        }
    }
}
