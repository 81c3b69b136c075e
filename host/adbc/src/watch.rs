//! Rows on their way to a driver.
//!
//! Drivers pull them through a C interface, in which an error is a number and a text, and a panic would
//! end the process. So what happened is kept on this side.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// What has become of the rows.
#[derive(Default)]
pub(crate) struct Seen {
    rows: AtomicU64,
    ended: AtomicBool,
    failure: Mutex<Option<ArrowError>>,
}

impl Seen {
    /// How many the driver was given.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Acquire)
    }

    /// The driver was told that there are no more.
    pub(crate) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Why they could not be read.
    pub(crate) fn failure(&self) -> Option<ArrowError> {
        let failure = self.failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A reader that remembers.
pub(crate) struct Watched {
    rows: Box<dyn RecordBatchReader + Send>,
    /// Of the rows, as they come.
    given: SchemaRef,
    /// Of the rows, as they are handed on.
    schema: SchemaRef,
    /// Which column of the rows is where, if not each in its own place.
    places: Option<Vec<usize>>,
    seen: Arc<Seen>,
    failed: bool,
}

impl Watched {
    /// A reader of the columns at `places`, or of all.
    pub(crate) fn new(
        rows: Box<dyn RecordBatchReader + Send>,
        places: Option<Vec<usize>>,
        seen: Arc<Seen>,
    ) -> Result<Watched, ArrowError> {
        let given = rows.schema();
        let schema = match &places {
            Some(places) => SchemaRef::new(given.project(places)?),
            None => given.clone(),
        };
        Ok(Watched {
            rows,
            given,
            schema,
            places,
            seen,
            failed: false,
        })
    }

    fn fail(&mut self, why: ArrowError) -> ArrowError {
        self.failed = true;
        let failure = self.seen.failure.lock();
        *failure.unwrap_or_else(PoisonError::into_inner) = Some(why);
        // For the driver, which may log it: no words of the rows.
        ArrowError::ComputeError("the rows cannot be read".to_owned())
    }

    /// The driver was told the schema once, and reads the buffers as that says.
    fn fits(&self, batch: &RecordBatch) -> bool {
        let columns = batch.columns().iter().map(|column| column.data_type());
        let fields = self.given.fields().iter().map(|field| field.data_type());
        columns.eq(fields)
    }
}

impl Iterator for Watched {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.seen.ended() {
            return None;
        }
        let next = catch_unwind(AssertUnwindSafe(|| self.rows.next()));
        let why = match next {
            Ok(None) => {
                self.seen.ended.store(true, Ordering::Release);
                return None;
            }
            Ok(Some(Ok(batch))) if self.fits(&batch) => {
                let arranged = match &self.places {
                    Some(places) => batch.project(places),
                    None => Ok(batch),
                };
                match arranged {
                    Ok(batch) => {
                        let rows = u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
                        self.seen.rows.fetch_add(rows, Ordering::AcqRel);
                        return Some(Ok(batch));
                    }
                    Err(why) => why,
                }
            }
            Ok(Some(Ok(_))) => ArrowError::SchemaError(
                "a batch of the rows has other types than their schema".into(),
            ),
            Ok(Some(Err(why))) => why,
            Err(_) => ArrowError::ComputeError("the reader of the rows panicked".to_owned()),
        };
        Some(Err(self.fail(why)))
    }
}

impl RecordBatchReader for Watched {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
