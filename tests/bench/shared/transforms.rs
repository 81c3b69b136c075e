//! The transforms that are measured, as an author of a plugin writes them who has read nothing about
//! speed: row by row. Native code, Weir's plugin, the guest that speaks Arrow IPC and the function of
//! arrow-udf compile this one file, each with its own version of Arrow.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;

/// What [`tidy`] returns: `id`, `name`, `amount`.
pub(crate) fn tidied() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
    ]))
}

/// The string-heavy one: the name without blanks around it and in capitals, the amount rounded to
/// two places.
pub(crate) fn tidy(rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let names = rows.column(1).as_string::<i32>();
    let amounts = rows.column(2).as_primitive::<Float64Type>();
    let names: StringArray = names.iter().map(|name| name.map(tidy_name)).collect();
    let amounts: Float64Array = amounts.iter().map(|amount| amount.map(cents)).collect();
    RecordBatch::try_new(
        output.clone(),
        vec![rows.column(0).clone(), Arc::new(names), Arc::new(amounts)],
    )
}

/// One name of [`tidy`].
pub(crate) fn tidy_name(name: &str) -> String {
    name.trim_ascii().to_ascii_uppercase()
}

/// One amount of [`tidy`].
pub(crate) fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

/// What [`settle`] returns: `id`, `due`, `interest`, `group`.
pub(crate) fn settled() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("due", DataType::Float64, true),
        Field::new("interest", DataType::Float64, true),
        Field::new("group", DataType::Int64, false),
    ]))
}

/// The number-heavy one: what is due on a claim, the interest on it, and the group its id falls into.
pub(crate) fn settle(rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let ids = rows.column(0).as_primitive::<Int64Type>();
    let number = |column: usize| rows.column(column).as_primitive::<Float64Type>();
    let (billed, allowed, rate, days) = (number(1), number(2), number(3), number(4));
    let mut due = Vec::with_capacity(rows.num_rows());
    let mut interest = Vec::with_capacity(rows.num_rows());
    let mut group = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let allowed = allowed.is_valid(row).then(|| allowed.value(row));
        let owed = allowed.map(|allowed| owed(billed.value(row), allowed, rate.value(row)));
        due.push(owed);
        interest.push(owed.map(|owed| interest_on(owed, rate.value(row), days.value(row))));
        group.push(group_of(ids.value(row)));
    }
    RecordBatch::try_new(
        output.clone(),
        vec![
            rows.column(0).clone(),
            Arc::new(Float64Array::from(due)),
            Arc::new(Float64Array::from(interest)),
            Arc::new(Int64Array::from(group)),
        ],
    )
}

/// What is due: the allowed part of the bill beyond a deductible, less the patient's share.
pub(crate) fn owed(billed: f64, allowed: f64, rate: f64) -> f64 {
    const DEDUCTIBLE: f64 = 135.0;
    cents((billed.min(allowed) - DEDUCTIBLE).max(0.0) * (1.0 - rate))
}

/// Compound interest over so many days, by its series to the fourth power.
pub(crate) fn interest_on(owed: f64, rate: f64, days: f64) -> f64 {
    let x = rate * days / 365.0;
    cents(owed * (x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0)))))
}

/// One of 1,000 groups, evenly.
pub(crate) fn group_of(id: i64) -> i64 {
    let mixed = id.wrapping_mul(0x2545_F491_4F6C_DD1D);
    ((mixed ^ (mixed >> 29)) & i64::MAX) % 1_000
}
