use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::rejections::{Message, Rejections};
use crate::{Context, Error, Info, Rule, SideInputs};

/// Judges rows, row by row, and changes nothing.
///
/// Lives as a [`Transform`](crate::Transform) does. Exported with
/// [`export_check!`](crate::export_check).
pub trait Check: Sized + 'static {
    /// The configuration, parsed from the JSON object that the pipeline file gives.
    type Config: DeserializeOwned + JsonSchema;

    /// What the plugin is.
    const INFO: Info;

    /// Binds the plugin to its configuration and input. Called at plan time too.
    ///
    /// # Errors
    /// [`Error::Config`] for a configuration that cannot be, [`Error::Data`] for columns that do
    /// not fit.
    fn bind(config: Self::Config, context: &Context) -> Result<Self, Error>;

    /// Takes the reference tables that the step hands to the plugin. Called once, before the first batch, where
    /// there are rows; never while the run is planned.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn load(&mut self, side_inputs: &mut SideInputs) -> Result<(), Error> {
        let _ = side_inputs;
        Ok(())
    }

    /// Takes a batch of [`Context::input`], of at most 8,192 rows; names bad rows through `out`.
    ///
    /// # Errors
    /// Any [`Error`] ends the run. A row's problem is a failed row instead.
    fn process(&mut self, rows: &RecordBatch, out: &mut Verdict<'_>) -> Result<(), Error>;

    /// Called once after the last batch.
    ///
    /// # Errors
    /// Any [`Error`] ends the run.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Takes what a check says of the batch in process.
///
/// Its methods never fail: a row out of range or an undeclared rule ends the call as
/// [`Error::Fatal`] once `process` has returned.
pub struct Verdict<'a> {
    rejections: Rejections,
    sink: &'a mut dyn FailSink,
}

/// Where failed rows go: the host, or the test harness.
pub(crate) trait FailSink {
    fn fail(&mut self, rows: &[u32], rule: &str, message: &str);
}

impl Verdict<'_> {
    /// Says that one row breaks `rule`; the step's `on_fail` decides what becomes of it. A row
    /// may break several rules. Keep values out of the message.
    pub fn fail(&mut self, row: u32, rule: &Rule, message: impl Into<Message>) {
        self.rejections.add(&[row], rule, message.into());
    }

    /// Says that several rows break `rule` in the same way; none, if `rows` is empty.
    pub fn fail_rows(&mut self, rows: &[u32], rule: &Rule, message: impl Into<Message>) {
        self.rejections.add(rows, rule, message.into());
    }
}

/// A bound check: the one path on which batches reach the plugin, in a component and in tests.
pub struct BoundCheck<C> {
    plugin: C,
    pub(crate) input: SchemaRef,
    /// Until they are loaded.
    side_inputs: Option<SideInputs>,
}

impl<C: Check> BoundCheck<C> {
    pub(crate) fn bind(config: &str, context: &Context) -> Result<Self, Error> {
        let plugin = C::bind(crate::config::parse(config)?, context)?;
        Ok(Self {
            plugin,
            input: context.input.clone(),
            side_inputs: Some(SideInputs::of(context)),
        })
    }

    pub(crate) fn process(
        &mut self,
        rows: &RecordBatch,
        sink: &mut dyn FailSink,
    ) -> Result<(), Error> {
        if let Some(mut side_inputs) = self.side_inputs.take() {
            self.plugin.load(&mut side_inputs)?;
        }
        let rejections = Rejections::new(C::INFO.rules, rows.num_rows());
        let mut out = Verdict { rejections, sink };
        self.plugin.process(rows, &mut out)?;
        let Verdict { rejections, sink } = out;
        for group in rejections.finish()? {
            sink.fail(&group.rows, group.rule, &group.message);
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.plugin.finish()
    }
}
