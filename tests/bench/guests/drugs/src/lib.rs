//! What `cargo bench -p weir-tests --bench speed` has every tool do with the rows of CMS's prescriber-by-drug file:
//! text without spaces around it and in capitals, under shorter names, and only rows of so many claims.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use weir_plugin::kernels::{Case, clean, rows_set};
use weir_plugin::prelude::*;

/// The columns that are given, and what each is called behind it.
const COLUMNS: [(&str, &str); 8] = [
    ("prscrbr_npi", "presc_id"),
    ("prscrbr_last_org_name", "last_name"),
    ("prscrbr_state_abrvtn", "state"),
    ("prscrbr_type", "specialty"),
    ("brnd_name", "brand"),
    ("gnrc_name", "drug"),
    ("tot_clms", "claims"),
    ("tot_drug_cst", "cost"),
];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The fewest claims of a row that stays.
    least: i64,
}

struct Drugs {
    least: i64,
    places: Vec<usize>,
    claims: usize,
    output: SchemaRef,
}

impl Transform for Drugs {
    type Config = Config;

    const INFO: Info = Info {
        name: "bench-drugs",
        version: env!("CARGO_PKG_VERSION"),
        description: "Types, trims, upper-cases and filters rows of prescriber and drug.",
        columns: &[],
        rules: &[],
    };

    fn bind(config: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let places = context.positions(&COLUMNS.map(|(name, _)| name))?;
        let fields = places.iter().zip(COLUMNS).map(|(place, (_, name))| {
            let given = context.input.field(*place);
            Field::new(name, given.data_type().clone(), true)
        });
        let output: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let claims = context.positions(&["tot_clms"])?.remove(0);
        let drugs = Self {
            least: config.least,
            places,
            claims,
            output: output.clone(),
        };
        Ok((drugs, Output::only(output)))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        let claims = rows.column(self.claims).as_primitive::<Int64Type>();
        let enough: BooleanArray = claims
            .iter()
            .map(|claims| Some(claims.is_some_and(|claims| claims >= self.least)))
            .collect();
        let kept = rows_set(&enough);
        let rows = filter_record_batch(rows, &enough)?;
        let columns = self.places.iter().map(|place| {
            let column = rows.column(*place);
            match column.data_type() {
                DataType::Utf8 => Arc::new(clean(column.as_string(), Case::Upper)) as ArrayRef,
                _ => column.clone(),
            }
        });
        let batch = RecordBatch::try_new(self.output.clone(), columns.collect())?;
        out.emit_from(0, &batch, &kept);
        Ok(())
    }
}

weir_plugin::export_transform!(Drugs);
