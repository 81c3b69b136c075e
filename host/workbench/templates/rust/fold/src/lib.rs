//! Counts and sums the amounts of each site.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_plugin::arrow::array::{Int64Array, StringArray};
use weir_plugin::prelude::*;

/// What a pipeline says after `config =`: nothing yet.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

struct {{Type}} {
    site: usize,
    amount: usize,
    result: SchemaRef,
}

impl Fold for {{Type}} {
    type Config = Config;
    // Of each site how many amounts, and their sum. Whole numbers: their sum is the same in whatever order rows come.
    type State = BTreeMap<String, (i64, i64)>;

    const INFO: Info = Info {
        name: "{{name}}",
        version: env!("CARGO_PKG_VERSION"),
        description: "Counts and sums the amounts of each site.",
        columns: &["site", "amount"],
        rules: &[],
    };

    fn bind(_: Config, context: &Context) -> Result<(Self, SchemaRef), Error> {
        let columns = context.positions(&["site", "amount"])?;
        for (column, wanted) in columns.iter().zip([DataType::Utf8, DataType::Int64]) {
            let field = context.input.field(*column);
            if *field.data_type() != wanted {
                return Err(Error::data(format!(
                    "column '{}' is {}, and {wanted} is needed",
                    field.name(),
                    field.data_type()
                )));
            }
        }
        let result: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("site", DataType::Utf8, false),
            Field::new("count", DataType::Int64, false),
            Field::new("total", DataType::Int64, false),
        ]));
        let plugin = Self {
            site: columns[0],
            amount: columns[1],
            result: result.clone(),
        };
        Ok((plugin, result))
    }

    fn empty(&self) -> Self::State {
        BTreeMap::new()
    }

    fn fold(&self, state: &mut Self::State, rows: &RecordBatch) -> Result<(), Error> {
        let sites = rows.column(self.site).as_string::<i32>();
        let amounts = rows.column(self.amount);
        let amounts = amounts.as_primitive::<weir_plugin::arrow::datatypes::Int64Type>();
        for (site, amount) in sites.iter().zip(amounts) {
            if let (Some(site), Some(amount)) = (site, amount) {
                let (count, total) = state.entry(site.to_owned()).or_default();
                *count += 1;
                *total += amount;
            }
        }
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<(), Error> {
        for (site, (count, total)) in other {
            let here = state.entry(site).or_default();
            here.0 += count;
            here.1 += total;
        }
        Ok(())
    }

    fn result(&self, state: Self::State) -> Result<RecordBatch, Error> {
        let sites: StringArray = state.keys().map(Some).collect();
        let counts: Int64Array = state.values().map(|(count, _)| Some(*count)).collect();
        let totals: Int64Array = state.values().map(|(_, total)| Some(*total)).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(sites), Arc::new(counts), Arc::new(totals)];
        Ok(RecordBatch::try_new(self.result.clone(), columns)?)
    }
}

weir_plugin::export_fold!({{Type}});

#[cfg(test)]
mod tests {
    use weir_plugin::testing::Harness;

    use super::*;

    #[test]
    fn amounts_are_summed_by_site() -> Result<(), Box<dyn std::error::Error>> {
        let sites: ArrayRef = Arc::new(StringArray::from(vec!["x", "y", "x"]));
        let amounts: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("site", sites), ("amount", amounts)])?;
        // Also shared out among several instances.
        let result = Harness::new("{}").fold::<{{Type}}>(&[batch], |one, other| one == other)?;
        assert_eq!(result.num_rows(), 2);
        Ok(())
    }
}
