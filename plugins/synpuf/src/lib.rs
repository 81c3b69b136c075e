//! Types and normalises the raw tables of CMS DE-SynPUF: text in, dates, counts and amounts out,
//! codes kept as text with their leading zeros.
//!
//! `config = { table = "beneficiary" | "inpatient" | "outpatient" | "prescription_drug" | "carrier" }`.
//! The input is the raw table's columns, all text, in any order; the output has the same columns in
//! the same order, one row for each row. Of Carrier claims `lines` makes a row for each line.
//! `columns` says what each column is; a value that is not what its column should be rejects the row.

mod columns;
mod lines;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use weir_plugin::arrow::array::{ArrowPrimitiveType, Int16Array, PrimitiveArray};
use weir_plugin::arrow::datatypes::Int16Type;
use weir_plugin::kernels::{Case, DateFormat, Parsed};
use weir_plugin::prelude::*;

use columns::{Kind, columns_of};
use lines::Lines;

/// Which of the tables a stage reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Table {
    /// Beneficiary Summary: one row for each beneficiary and year.
    Beneficiary,
    /// Inpatient Claims: one row for each claim segment.
    Inpatient,
    /// Outpatient Claims: one row for each claim segment.
    Outpatient,
    /// Prescription Drug Events.
    PrescriptionDrug,
    /// Carrier Claims: one row for each claim, of thirteen lines at most.
    Carrier,
}

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The table that the stage reads.
    table: Table,
}

const BAD_DATE: Rule = Rule {
    name: "bad_date",
    description: "A date is a day of the calendar, written yyyymmdd.",
};
const BAD_COUNT: Rule = Rule {
    name: "bad_count",
    description: "A count is a whole number of 16 bits.",
};
const BAD_AMOUNT: Rule = Rule {
    name: "bad_amount",
    description: "An amount is a decimal(12,2); a quantity dispensed is a decimal(12,3).",
};

/// The transform: what becomes of a row, and the output's schema.
pub(crate) struct Synpuf {
    shape: Shape,
    output: SchemaRef,
}

/// What becomes of a row.
enum Shape {
    /// A row: what each of its columns is, in order.
    Row(Vec<Kind>),
    /// A row for each line of a claim.
    Lines(Lines),
}

impl Transform for Synpuf {
    type Config = Config;

    const INFO: Info = Info {
        name: "synpuf",
        version: env!("CARGO_PKG_VERSION"),
        description: "Types and normalises the raw tables of CMS DE-SynPUF.",
        columns: &[],
        rules: &[BAD_DATE, BAD_COUNT, BAD_AMOUNT],
    };

    fn bind(config: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let expected = columns_of(config.table);
        let names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        context.positions(&names)?;

        let mut kinds = Vec::with_capacity(expected.len());
        let mut fields = Vec::with_capacity(expected.len());
        let mut unknown = Vec::new();
        for field in context.input.fields() {
            let Some((name, kind)) = expected.iter().find(|(name, _)| name == field.name()) else {
                unknown.push(field.name().as_str());
                continue;
            };
            if field.data_type() != &DataType::Utf8 {
                return Err(Error::data(format!(
                    "column `{name}` is {}, not raw text",
                    field.data_type()
                )));
            }
            kinds.push(*kind);
            fields.push(Field::new(name, kind.data_type(), true));
        }
        if !unknown.is_empty() {
            return Err(Error::data(format!(
                "the table has no column {}\nhint: leave it out of the stage's `grant`; it then passes by unchanged",
                unknown.join(", ")
            )));
        }
        let (shape, output) = match config.table {
            Table::Carrier => {
                let (lines, output) = Lines::of(context)?;
                (Shape::Lines(lines), output)
            }
            _ => (Shape::Row(kinds), Arc::new(Schema::new(fields))),
        };
        Ok((
            Self {
                shape,
                output: output.clone(),
            },
            Output::only(output),
        ))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        let kinds = match &self.shape {
            Shape::Row(kinds) => kinds,
            Shape::Lines(lines) => return lines.process(rows, &self.output, out),
        };
        let mut columns = Vec::with_capacity(kinds.len());
        for ((kind, field), column) in kinds.iter().zip(self.output.fields()).zip(rows.columns()) {
            columns.push(typed(*kind, field.name(), column, None, out)?);
        }
        // Rejected rows stay as placeholders; the host takes them out.
        out.emit(&RecordBatch::try_new(self.output.clone(), columns)?);
        Ok(())
    }
}

/// A column of text as what it is. Where a value cannot be read, the row is rejected that it is of:
/// the one that `origin` names for it, or the one in the same place.
fn typed(
    kind: Kind,
    name: &str,
    column: &ArrayRef,
    origin: Option<&[u32]>,
    out: &mut Emitter<'_>,
) -> Result<ArrayRef, Error> {
    let text = column.as_string::<i32>();
    Ok(match kind {
        Kind::Text => Arc::new(kernels::clean(text, Case::Keep)),
        Kind::Code => Arc::new(kernels::clean(text, Case::Upper)),
        Kind::Date => {
            let dates = kernels::parse_date(text, DateFormat::Compact);
            accepted(dates, origin, out, &BAD_DATE, || {
                format!("{name} is no date")
            })
        }
        Kind::Count => {
            let counts = kernels::parse_int::<Int16Type>(text);
            accepted(counts, origin, out, &BAD_COUNT, || {
                format!("{name} is no 16-bit count")
            })
        }
        Kind::Days => {
            let counts = kernels::parse_int::<Int16Type>(text);
            accepted(none_as_zero(counts), origin, out, &BAD_COUNT, || {
                format!("{name} is no 16-bit count")
            })
        }
        Kind::Amount | Kind::Quantity => {
            let scale = if kind == Kind::Amount { 2 } else { 3 };
            let amounts = kernels::parse_decimal(text, 12, scale)?;
            accepted(amounts, origin, out, &BAD_AMOUNT, || {
                format!("{name} is no decimal(12,{scale})")
            })
        }
    })
}

/// The values read; the rows whose value could not be read are rejected.
fn accepted<T: ArrowPrimitiveType>(
    parsed: Parsed<PrimitiveArray<T>>,
    origin: Option<&[u32]>,
    out: &mut Emitter<'_>,
    rule: &Rule,
    message: impl FnOnce() -> String,
) -> ArrayRef {
    if !parsed.invalid.is_empty() {
        let rows = match origin {
            None => parsed.invalid,
            Some(origin) => lines::rows_of(&parsed.invalid, origin),
        };
        out.reject_rows(&rows, rule, message());
    }
    Arc::new(parsed.array)
}

/// A stay without a count of days took none. (Kernels leave 0 under nulls.)
fn none_as_zero(counts: Parsed<Int16Array>) -> Parsed<Int16Array> {
    let (_, values, _) = counts.array.into_parts();
    Parsed {
        array: Int16Array::new(values, None),
        ..counts
    }
}

weir_plugin::export_transform!(Synpuf);
