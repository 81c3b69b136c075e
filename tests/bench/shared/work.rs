//! Which of the measured transforms a guest or a native call is to run.

use serde::{Deserialize, Serialize};
use weir_plugin::schemars::{self, JsonSchema};

use crate::{kernels, rows, transforms};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// A transform, as the guest's configuration names it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// Gives the batch back.
    Identity,
    /// Trims and upper-cases a name and rounds an amount, row by row.
    Tidy,
    /// The same with the SDK's kernels over whole columns.
    TidyKernels,
    /// The same with the SDK's derives for rows.
    TidyRows,
    /// Settles claims, row by row.
    Settle,
    /// The same with the SDK's derives for rows.
    SettleRows,
}

impl Work {
    /// The schema of what it returns, for rows of schema `input`.
    pub(crate) fn output(self, input: &SchemaRef) -> SchemaRef {
        match self {
            Work::Identity => input.clone(),
            Work::Tidy | Work::TidyKernels | Work::TidyRows => transforms::tidied(),
            Work::Settle | Work::SettleRows => transforms::settled(),
        }
    }

    /// Does it.
    pub(crate) fn run(
        self,
        batch: &RecordBatch,
        output: &SchemaRef,
    ) -> Result<RecordBatch, ArrowError> {
        match self {
            Work::Identity => Ok(batch.clone()),
            Work::Tidy => transforms::tidy(batch, output),
            Work::TidyKernels => kernels::tidy(batch, output),
            Work::TidyRows => rows::tidy(batch, output),
            Work::Settle => transforms::settle(batch, output),
            Work::SettleRows => rows::settle(batch, output),
        }
    }
}
