//! Types the rows of a billing system's star schema: text in; keys, days, counts and amounts out, codes kept as text.
//!
//! `config = { table = "fact_table" | "dim_patient" | … }`. The input is the table's columns, all text, in any order;
//! the output has the same columns in the same order, one row for each row. `columns` says what each column is; a value
//! that is not what its column should be rejects the row. What needs more than one column, such as a balance, is left to
//! declared checks: in the pipeline, where everybody can read it.

mod amounts;
mod columns;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use weir_plugin::arrow::array::{ArrowPrimitiveType, Date32Array, Decimal128Array, PrimitiveArray};
use weir_plugin::arrow::datatypes::{Int16Type, Int32Type, Int64Type};
use weir_plugin::kernels::{Case, DateFormat, Parsed};
use weir_plugin::prelude::*;

use amounts::plain;
use columns::{Kind, columns_of};

/// Which of the tables a stage reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Table {
    /// Charges, payments and adjustments.
    #[serde(rename = "fact_table")]
    Fact,
    /// Patients.
    DimPatient,
    /// Physicians.
    DimPhysician,
    /// Kinds of transactions.
    DimTransaction,
    /// Payers.
    DimPayer,
    /// Locations.
    DimLocation,
    /// Days.
    DimDate,
    /// Procedures.
    DimCptCode,
    /// Diagnoses.
    DimDiagnosisCode,
}

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The table that the stage reads.
    table: Table,
}

const BAD_KEY: Rule = Rule {
    name: "bad_key",
    description: "A key is a whole number of 64 bits.",
};
const BAD_DATE: Rule = Rule {
    name: "bad_date",
    description: "A date is a day of the calendar, written mm/dd/yyyy; the key of a day, yyyymmdd.",
};
const BAD_NUMBER: Rule = Rule {
    name: "bad_number",
    description: "A count is a whole number of 16 bits; a share is a decimal(5,2), units are a decimal(12,2).",
};
const BAD_AMOUNT: Rule = Rule {
    name: "bad_amount",
    description: "An amount is a decimal(12,2); it may have a dollar sign, commas between thousands, and parentheses in place of a minus sign.",
};

/// The transform: what each input column is, in order, and the output's schema.
pub(crate) struct Billing {
    kinds: Vec<Kind>,
    output: SchemaRef,
}

impl Transform for Billing {
    type Config = Config;

    const INFO: Info = Info {
        name: "billing",
        version: env!("CARGO_PKG_VERSION"),
        description: "Types the rows of a billing system's star schema.",
        columns: &[],
        rules: &[BAD_KEY, BAD_DATE, BAD_NUMBER, BAD_AMOUNT],
    };

    fn bind(config: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let expected = columns_of(config.table);
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
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
                    "column `{name}` is {}, not text",
                    field.data_type()
                )));
            }
            kinds.push(*kind);
            fields.push(Field::new(*name, kind.data_type(), true));
        }
        if !unknown.is_empty() {
            return Err(Error::data(format!(
                "the table has no column {}\nhint: leave it out of the stage's `grant`; it then passes by unchanged",
                unknown.join(", ")
            )));
        }
        let output = Arc::new(Schema::new(fields));
        Ok((
            Self {
                kinds,
                output: output.clone(),
            },
            Output::only(output),
        ))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        let mut columns = Vec::with_capacity(self.kinds.len());
        for ((kind, field), column) in self
            .kinds
            .iter()
            .zip(self.output.fields())
            .zip(rows.columns())
        {
            let text = column.as_string::<i32>();
            let name = field.name();
            let typed: ArrayRef = match kind {
                Kind::Text => Arc::new(kernels::clean(text, Case::Keep)),
                Kind::Code => Arc::new(kernels::clean(text, Case::Upper)),
                Kind::Key => {
                    let keys = kernels::parse_int::<Int64Type>(text);
                    accepted(keys, out, &BAD_KEY, || format!("{name} is no whole number"))
                }
                Kind::DateKey => {
                    let days = kernels::parse_date(text, DateFormat::Compact);
                    out.reject_rows(
                        &days.invalid,
                        &BAD_DATE,
                        format!("{name} is no day, written yyyymmdd"),
                    );
                    // Where there is a day, its eight digits are a number.
                    Arc::new(kernels::parse_int::<Int32Type>(text).array)
                }
                Kind::Date => {
                    let days: Parsed<Date32Array> =
                        kernels::parse_date(text, DateFormat::UsSlashes);
                    accepted(days, out, &BAD_DATE, || {
                        format!("{name} is no day, written mm/dd/yyyy")
                    })
                }
                Kind::Count => {
                    let counts = kernels::parse_int::<Int16Type>(text);
                    accepted(counts, out, &BAD_NUMBER, || {
                        format!("{name} is no 16-bit count")
                    })
                }
                Kind::Share => {
                    let shares = kernels::parse_decimal(text, 5, 2)?;
                    accepted(shares, out, &BAD_NUMBER, || {
                        format!("{name} is no decimal(5,2)")
                    })
                }
                Kind::Units => {
                    let units = none_as_zero(kernels::parse_decimal(text, 12, 2)?);
                    accepted(units, out, &BAD_NUMBER, || {
                        format!("{name} is no decimal(12,2)")
                    })
                }
                Kind::Amount => {
                    let amounts = kernels::parse_decimal(&plain(text), 12, 2)?;
                    accepted(none_as_zero(amounts), out, &BAD_AMOUNT, || {
                        format!("{name} is no amount")
                    })
                }
            };
            columns.push(typed);
        }
        // Rejected rows stay as placeholders; the host takes them out.
        out.emit(&RecordBatch::try_new(self.output.clone(), columns)?);
        Ok(())
    }
}

/// The values read; the rows whose value could not be read are rejected.
fn accepted<T: ArrowPrimitiveType>(
    parsed: Parsed<PrimitiveArray<T>>,
    out: &mut Emitter<'_>,
    rule: &Rule,
    message: impl FnOnce() -> String,
) -> ArrayRef {
    if !parsed.invalid.is_empty() {
        out.reject_rows(&parsed.invalid, rule, message());
    }
    Arc::new(parsed.array)
}

/// What is blank is none. (Kernels leave 0 under nulls.)
fn none_as_zero(parsed: Parsed<Decimal128Array>) -> Parsed<Decimal128Array> {
    let (data_type, values, _) = parsed.array.into_parts();
    Parsed {
        array: Decimal128Array::new(values, None).with_data_type(data_type),
        ..parsed
    }
}

weir_plugin::export_transform!(Billing);
