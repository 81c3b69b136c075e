//! What becomes of a row must not depend on where batches end.

use arrow::record_batch::RecordBatch;

use super::Outcome;
use crate::Error;

/// The same rows in batches that end elsewhere.
pub(super) fn moved(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, Error> {
    let mut moved = Vec::new();
    for batch in batches {
        let (rows, first) = (batch.num_rows(), batch.num_rows().div_ceil(3));
        moved.push(batch.slice(0, first));
        moved.push(batch.slice(first, rows - first));
    }
    Ok(moved)
}

/// # Errors
/// [`Error::Fatal`] if the outcomes differ in a kept row or a rejection.
pub(super) fn compare(one: &Outcome, other: &Outcome) -> Result<(), Error> {
    let sorted = |outcome: &Outcome| {
        let mut rejections = outcome.rejections.clone();
        rejections.sort();
        rejections
    };
    if sorted(one) != sorted(other) {
        return Err(Error::fatal(
            "which rows it rejects depends on where batches end",
        ));
    }
    for output in &one.outputs {
        if one.kept(&output.name)? != other.kept(&output.name)? {
            return Err(Error::fatal(format!(
                "what it emits to `{}` depends on where batches end",
                output.name
            )));
        }
    }
    Ok(())
}
