//! Running a fold natively: over all rows at once, and in parts whose states are merged.

use arrow::record_batch::RecordBatch;

use super::{Harness, cross, record};
use crate::fold::BoundFold;
use crate::wire::{schema_from_wit, schema_to_wit};
use crate::{Error, Fold};

/// The parts of the second run.
const PARTS: usize = 3;

impl Harness {
    /// Runs a fold over batches, and gives its result. Then once more over single rows in several instances, whose
    /// states are merged: `same` says whether two results are the same (floating-point sums differ in their last
    /// digits).
    ///
    /// # Errors
    /// What the plugin returns, and [`Error::Fatal`] for each breach of the contract.
    pub fn fold<F: Fold>(
        &self,
        batches: &[RecordBatch],
        same: impl Fn(&RecordBatch, &RecordBatch) -> bool,
    ) -> Result<RecordBatch, Error> {
        let whole = self.fold_parts::<F>(&[batches.to_vec()])?;
        let mut parts = vec![Vec::new(); PARTS];
        let rows = batches.iter().flat_map(|batch| {
            let rows = 0..batch.num_rows();
            rows.map(|row| batch.slice(row, 1))
        });
        for (row, part) in rows.zip((0..PARTS).cycle()) {
            if let Some(part) = parts.get_mut(part) {
                part.push(row);
            }
        }
        let merged = self.fold_parts::<F>(&parts)?;
        match same(&whole, &merged) {
            true => Ok(whole),
            false => Err(Error::fatal(
                "its result depends on how rows are shared out among instances",
            )),
        }
    }

    fn fold_parts<F: Fold>(&self, parts: &[Vec<RecordBatch>]) -> Result<RecordBatch, Error> {
        let batches: Vec<RecordBatch> = parts.iter().flatten().cloned().collect();
        let context = self.context(&batches)?;
        let _granted = record::start(&self.side_inputs, &self.secrets, None);
        let mut last = BoundFold::<F>::bind(&self.config, &context)?;
        for part in parts {
            let mut plugin = BoundFold::<F>::bind(&self.config, &context)?;
            for batch in part {
                plugin.process(&cross(&plugin.input, batch)?)?;
            }
            last.merge(&plugin.snapshot()?)?;
        }
        let schema = schema_from_wit(schema_to_wit(last.schema())?)?;
        cross(&schema, &last.result()?)
    }
}
