use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::transform::same_schema;
use crate::{Context, Error, Info, SideInputs};

/// Makes few rows of many: sums, statistics, models.
///
/// Many instances fold side by side, each its part of the rows; one takes the states of all others and emits the
/// result. Rows come in any order, and so do states, so that the result must not depend on it. Exported with
/// [`export_fold!`](crate::export_fold).
pub trait Fold: Sized + 'static {
    /// The configuration, parsed from the JSON object that the pipeline file gives.
    type Config: DeserializeOwned + JsonSchema;

    /// What was made of rows so far. It crosses as JSON, at most a quarter of the memory granted.
    type State: Serialize + DeserializeOwned;

    /// What the plugin is; `rules` stays empty, since a fold rejects nothing.
    const INFO: Info;

    /// Takes the schema of the columns granted, and says which schema the result has. Called at plan time too.
    ///
    /// # Errors
    /// [`Error::Config`] for a configuration that cannot be, [`Error::Data`] for columns that are missing.
    fn bind(config: Self::Config, context: &Context) -> Result<(Self, SchemaRef), Error>;

    /// Takes the reference tables that the step hands to the plugin. Called once, before the first batch or state, where
    /// there are rows; never while the run is planned.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn load(&mut self, side_inputs: &mut SideInputs) -> Result<(), Error> {
        let _ = side_inputs;
        Ok(())
    }

    /// The state of no row.
    fn empty(&self) -> Self::State;

    /// Takes a batch into a state.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn fold(&self, state: &mut Self::State, rows: &RecordBatch) -> Result<(), Error>;

    /// Takes another state into this one.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<(), Error>;

    /// The result of the state of all rows.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn result(&self, state: Self::State) -> Result<RecordBatch, Error>;
}

/// A bound fold: the one path on which rows reach the plugin, in a component and in tests.
pub struct BoundFold<F: Fold> {
    plugin: F,
    pub(crate) input: SchemaRef,
    schema: SchemaRef,
    state: F::State,
    /// Until they are loaded.
    side_inputs: Option<SideInputs>,
}

impl<F: Fold> BoundFold<F> {
    pub(crate) fn bind(config: &str, context: &Context) -> Result<Self, Error> {
        let (plugin, schema) = F::bind(crate::config::parse(config)?, context)?;
        Ok(Self {
            state: plugin.empty(),
            plugin,
            input: context.input.clone(),
            schema,
            side_inputs: Some(SideInputs::of(context)),
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Takes the reference tables, unless that is done.
    fn load(&mut self) -> Result<(), Error> {
        match self.side_inputs.take() {
            Some(mut side_inputs) => self.plugin.load(&mut side_inputs),
            None => Ok(()),
        }
    }

    pub(crate) fn process(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        self.load()?;
        self.plugin.fold(&mut self.state, rows)
    }

    pub(crate) fn snapshot(&mut self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(&self.state)
            .map_err(|error| Error::fatal(format!("its state is no JSON: {error}")))
    }

    pub(crate) fn merge(&mut self, snapshot: &[u8]) -> Result<(), Error> {
        self.load()?;
        let other = serde_json::from_slice(snapshot)
            .map_err(|error| Error::fatal(format!("a state cannot be read: {error}")))?;
        self.plugin.merge(&mut self.state, other)
    }

    pub(crate) fn result(&mut self) -> Result<RecordBatch, Error> {
        self.load()?;
        let state = std::mem::replace(&mut self.state, self.plugin.empty());
        let rows = self.plugin.result(state)?;
        same_schema(&self.schema, rows.schema_ref()).map_err(Error::Fatal)?;
        Ok(rows)
    }
}
