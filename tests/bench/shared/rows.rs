//! [`tidy`](crate::transforms::tidy) and [`settle`](crate::transforms::settle) as an author writes them
//! who thinks in rows: with the SDK's derives.

use weir_plugin::rows::{Builder, FromRow, IntoRow, Layout};

use crate::transforms::{cents, group_of, interest_on, owed, tidy_name};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

#[derive(FromRow)]
struct Untidy<'a> {
    id: i64,
    name: Option<&'a str>,
    amount: Option<f64>,
}

#[derive(IntoRow)]
struct Tidy {
    id: i64,
    name: Option<String>,
    amount: Option<f64>,
}

/// Gives the same rows as [`transforms::tidy`](crate::transforms::tidy).
pub(crate) fn tidy(rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    each(rows, output, |row: Untidy<'_>| Tidy {
        id: row.id,
        name: row.name.map(tidy_name),
        amount: row.amount.map(cents),
    })
}

#[derive(FromRow)]
struct Claim {
    id: i64,
    billed: f64,
    allowed: Option<f64>,
    rate: f64,
    days: f64,
}

#[derive(IntoRow)]
struct Settled {
    id: i64,
    due: Option<f64>,
    interest: Option<f64>,
    group: i64,
}

/// Gives the same rows as [`transforms::settle`](crate::transforms::settle).
pub(crate) fn settle(rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    each(rows, output, |claim: Claim| {
        let Claim {
            id,
            billed,
            allowed,
            rate,
            days,
        } = claim;
        let due = allowed.map(|allowed| owed(billed, allowed, rate));
        Settled {
            id,
            due,
            interest: due.map(|due| interest_on(due, rate, days)),
            group: group_of(id),
        }
    })
}

/// One row for each row.
fn each<'a, I: FromRow<'a>, O: IntoRow>(
    rows: &'a RecordBatch,
    output: &SchemaRef,
    mut row: impl FnMut(I) -> O,
) -> Result<RecordBatch, ArrowError> {
    let failed = |error: weir_plugin::Error| ArrowError::from_external_error(error.into());
    let input = Layout::of::<I>(rows.schema_ref())
        .and_then(|layout| layout.read::<I>(rows))
        .map_err(failed)?;
    let mut made = Builder::new(output.clone(), rows.num_rows());
    for read in input {
        let read = read.map_err(|null| ArrowError::from_external_error(null.into()))?;
        made.push(row(read));
    }
    made.finish().map_err(failed)
}
