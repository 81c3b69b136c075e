//! Results, and statements that are run more than once.

use std::fmt;
use std::marker::PhantomData;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::connection::Connection;
use crate::error::{Doing, Error};
use crate::ffi::{StatementHandle, Stream};

/// A prepared statement.
pub struct Prepared<'c> {
    statement: StatementHandle,
    /// There are parameters for several runs.
    many: bool,
    connection: PhantomData<&'c mut Connection>,
}

impl<'c> Prepared<'c> {
    pub(crate) fn of(statement: StatementHandle) -> Prepared<'c> {
        Prepared {
            statement,
            many: false,
            connection: PhantomData,
        }
    }

    /// Sets the parameters: a column for each, in their order. With several rows the statement is run for
    /// each, where the driver does that; DuckDB's does not.
    ///
    /// # Errors
    ///
    /// [`What::NotImplemented`](crate::What::NotImplemented) if the driver takes no parameters, or none of these types.
    pub fn bind(&mut self, parameters: RecordBatch) -> Result<(), Error> {
        self.many = parameters.num_rows() > 1;
        self.statement.bind(parameters)
    }

    /// Runs the statement for its effect: how many rows it changed, where the driver says so.
    ///
    /// # Errors
    ///
    /// As [`Connection::execute`].
    pub fn execute(&mut self) -> Result<Option<u64>, Error> {
        self.statement.execute(executing(self.many))
    }

    /// Runs the statement for its result.
    ///
    /// # Errors
    ///
    /// As [`Connection::query`].
    pub fn query(&mut self) -> Result<Rows<'_>, Error> {
        Ok(Rows {
            stream: self.statement.query(executing(self.many))?,
            _statement: None,
            connection: PhantomData,
        })
    }
}

/// What is being done, for one row of parameters or several.
fn executing(many: bool) -> impl FnOnce() -> Doing {
    move || {
        if many {
            Doing::ExecuteMany
        } else {
            Doing::Execute
        }
    }
}

impl fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

/// The rows of a query, batch by batch. What is not read is left with the database when it is dropped.
///
/// Each batch was validated in full: whatever the driver gave, it is well-formed Arrow.
pub struct Rows<'c> {
    // In this order: what made the result outlives it.
    stream: Stream,
    _statement: Option<StatementHandle>,
    connection: PhantomData<&'c mut Connection>,
}

impl<'c> Rows<'c> {
    pub(crate) fn of(
        statement: StatementHandle,
        parameters: Option<RecordBatch>,
    ) -> Result<Rows<'c>, Error> {
        let mut many = false;
        if let Some(parameters) = parameters {
            many = parameters.num_rows() > 1;
            statement.prepare()?;
            statement.bind(parameters)?;
        }
        Ok(Rows {
            stream: statement.query(executing(many))?,
            _statement: Some(statement),
            connection: PhantomData,
        })
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        self.stream.schema()
    }

    /// The same rows as a reader of Arrow's, whose errors are [`Error`] within
    /// [`ArrowError::ExternalError`].
    pub fn into_reader(self) -> RowsReader<'c> {
        RowsReader { rows: self }
    }
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("schema", self.schema())
            .finish()
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.stream.next(|| Doing::Fetch)
    }
}

/// [`Rows`] as a [`RecordBatchReader`].
#[derive(Debug)]
pub struct RowsReader<'c> {
    rows: Rows<'c>,
}

impl Iterator for RowsReader<'_> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.rows.next()?;
        Some(next.map_err(|error| ArrowError::ExternalError(Box::new(error))))
    }
}

impl RecordBatchReader for RowsReader<'_> {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(self.rows.schema())
    }
}
