//! Judges the cleansed tables of CMS DE-SynPUF: dates in order, codes and NPIs of the right
//! shape, amounts within reason.
//!
//! `config = { table = "beneficiary" | "inpatient" | "outpatient" | "prescription_drug" | "carrier" }`. The
//! input is the table as the `synpuf` plugin types it; grant the columns that `columns` lists for
//! it (others are not looked at). Null passes every rule: SynPUF leaves most codes empty, and the
//! second segments of outpatient claims have no dates.

mod columns;
mod shapes;
#[cfg(test)]
mod tests;

use weir_plugin::arrow::datatypes::{Date32Type, Decimal128Type};
use weir_plugin::kernels::{rows_breaking, rows_where, rows_where_both};
use weir_plugin::prelude::*;

use columns::{Demand, demands_of};

/// Which of the tables a stage reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Table {
    /// Beneficiary Summary: one row for each beneficiary and year.
    Beneficiary,
    /// Inpatient Claims: one row for each claim segment.
    Inpatient,
    /// Outpatient Claims: one row for each claim segment.
    Outpatient,
    /// Prescription Drug Events.
    PrescriptionDrug,
    /// Carrier Claims: one row for each line of a claim.
    Carrier,
}

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The table that the stage reads.
    table: Table,
}

const DATE_ORDER: Rule = Rule {
    name: "date_order",
    description: "A claim ends no earlier than it begins, a stay likewise, and nobody dies before birth.",
};
const CODE_SHAPE: Rule = Rule {
    name: "code_shape",
    description: "Diagnosis, procedure, HCPCS, state and county codes have their code set's shape.",
};
const NPI_SHAPE: Rule = Rule {
    name: "npi_shape",
    description: "An NPI has ten digits.",
};
const TAX_NUMBER_SHAPE: Rule = Rule {
    name: "tax_number_shape",
    description: "A tax number has nine digits.",
};
const AMOUNT_RANGE: Rule = Rule {
    name: "amount_range",
    description: "No amount is above 9,999,999.99. Negative amounts are kept, and counted in the metric `negative_amounts`.",
};

/// 9,999,999.99 in cents.
const MOST_CENTS: i128 = 999_999_999;

/// The check: what is demanded of which input column.
struct ClaimChecks {
    demands: Vec<Bound>,
}

/// A demand, and where its column is.
struct Bound {
    column: usize,
    name: String,
    demand: BoundDemand,
}

enum BoundDemand {
    /// Not before the date in that column.
    NotBefore(usize, &'static str),
    /// Text of a shape: what it is called, and whether it has it.
    Shape(&'static Rule, &'static str, fn(&[u8]) -> bool),
    /// Dollars and cents.
    Amount,
}

impl Check for ClaimChecks {
    type Config = Config;

    const INFO: Info = Info {
        name: "claim-checks",
        version: env!("CARGO_PKG_VERSION"),
        description: "Judges the cleansed tables of CMS DE-SynPUF.",
        columns: &[],
        rules: &[
            DATE_ORDER,
            CODE_SHAPE,
            NPI_SHAPE,
            TAX_NUMBER_SHAPE,
            AMOUNT_RANGE,
        ],
    };

    fn bind(config: Config, context: &Context) -> Result<Self, Error> {
        let demands = demands_of(config.table);
        let mut names: Vec<&str> = demands.iter().map(|(name, _)| name.as_str()).collect();
        names.extend(
            demands
                .iter()
                .filter_map(|(_, demand)| demand.other_column()),
        );
        context.positions(&names)?;

        let demands = demands.into_iter().map(|(name, demand)| {
            let column = typed(context, &name, &demand)?;
            let demand = match demand {
                Demand::NotBefore(earlier) => {
                    BoundDemand::NotBefore(typed(context, earlier, &demand)?, earlier)
                }
                Demand::Amount => BoundDemand::Amount,
                Demand::Diagnosis => {
                    BoundDemand::Shape(&CODE_SHAPE, "ICD-9 diagnosis code", shapes::diagnosis)
                }
                Demand::Procedure => {
                    BoundDemand::Shape(&CODE_SHAPE, "ICD-9 procedure code", shapes::procedure)
                }
                Demand::Hcpcs => BoundDemand::Shape(&CODE_SHAPE, "HCPCS code", shapes::hcpcs),
                Demand::State => BoundDemand::Shape(&CODE_SHAPE, "SSA state code", shapes::state),
                Demand::County => {
                    BoundDemand::Shape(&CODE_SHAPE, "SSA county code", shapes::county)
                }
                Demand::Npi => BoundDemand::Shape(&NPI_SHAPE, "NPI", shapes::npi),
                Demand::TaxNumber => {
                    BoundDemand::Shape(&TAX_NUMBER_SHAPE, "tax number", shapes::tax_number)
                }
            };
            Ok(Bound {
                column,
                name,
                demand,
            })
        });
        Ok(Self {
            demands: demands.collect::<Result<_, Error>>()?,
        })
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Verdict<'_>) -> Result<(), Error> {
        let mut negative = 0;
        for Bound {
            column,
            name,
            demand,
        } in &self.demands
        {
            let column = rows.column(*column);
            match demand {
                BoundDemand::NotBefore(earlier, earlier_name) => {
                    let later = column.as_primitive::<Date32Type>();
                    let earlier = rows.column(*earlier).as_primitive::<Date32Type>();
                    let broken = rows_where_both(later, earlier, |later, earlier| later < earlier);
                    out.fail_rows(
                        &broken,
                        &DATE_ORDER,
                        format!("{name} is before {earlier_name}"),
                    );
                }
                BoundDemand::Shape(rule, shape, holds) => {
                    let broken = rows_breaking(column.as_string(), holds);
                    out.fail_rows(&broken, rule, format!("{name} is no {shape}"));
                }
                BoundDemand::Amount => {
                    let amounts = column.as_primitive::<Decimal128Type>();
                    let above = rows_where(amounts, |cents| cents > MOST_CENTS);
                    out.fail_rows(
                        &above,
                        &AMOUNT_RANGE,
                        format!("{name} is above 9,999,999.99"),
                    );
                    negative += rows_where(amounts, |cents| cents < 0).len();
                }
            }
        }
        if negative > 0 {
            metric("negative_amounts", negative as f64);
        }
        Ok(())
    }
}

/// Where a column is, once its type is known to be the one that the demand needs.
fn typed(context: &Context, name: &str, demand: &Demand) -> Result<usize, Error> {
    let column = context.input.index_of(name)?;
    let found = context.input.field(column).data_type();
    let fits = match demand {
        Demand::NotBefore(_) => found == &DataType::Date32,
        Demand::Amount => matches!(found, DataType::Decimal128(_, 2)),
        _ => found == &DataType::Utf8,
    };
    if fits {
        return Ok(column);
    }
    Err(Error::data(format!(
        "column `{name}` is {found}, not as the `synpuf` plugin types it\nhint: put this check after that transform"
    )))
}

weir_plugin::export_check!(ClaimChecks);
