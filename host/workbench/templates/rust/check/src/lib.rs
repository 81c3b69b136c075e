//! Judges the rows of a table.

use weir_plugin::arrow::datatypes::Int64Type;
use weir_plugin::prelude::*;

/// What a pipeline says after `config =`: nothing yet.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

const MISSING_ID: Rule = Rule {
    name: "missing_id",
    description: "Each row has an id.",
};

const NEGATIVE_AMOUNT: Rule = Rule {
    name: "negative_amount",
    description: "An amount is not negative.",
};

/// Where the columns stand.
struct {{Type}} {
    id: usize,
    amount: usize,
}

impl Check for {{Type}} {
    type Config = Config;

    const INFO: Info = Info {
        name: "{{name}}",
        version: env!("CARGO_PKG_VERSION"),
        description: "Judges the rows of a table.",
        columns: &["id", "amount"],
        rules: &[MISSING_ID, NEGATIVE_AMOUNT],
    };

    fn bind(_: Config, context: &Context) -> Result<Self, Error> {
        let [id, amount] = context.positions(&["id", "amount"])?[..] else {
            return Err(Error::fatal("two columns have two places"));
        };
        // A wrong type is told when the pipeline is planned, not when data moves.
        let is = |index: usize| context.input.field(index).data_type();
        if *is(id) != DataType::Utf8 || *is(amount) != DataType::Int64 {
            return Err(Error::data("`id` has to be string and `amount` int64"));
        }
        Ok(Self { id, amount })
    }

    // What is said of a row depends on that row alone: batches begin anywhere.
    fn process(&mut self, rows: &RecordBatch, out: &mut Verdict<'_>) -> Result<(), Error> {
        let ids = rows.column(self.id).as_string::<i32>();
        let amounts = rows.column(self.amount).as_primitive::<Int64Type>();
        for (row, (id, amount)) in (0..).zip(ids.iter().zip(amounts)) {
            if id.is_none_or(str::is_empty) {
                out.fail(row, &MISSING_ID, MISSING_ID.description);
            }
            if amount.is_some_and(|amount| amount < 0) {
                out.fail(row, &NEGATIVE_AMOUNT, NEGATIVE_AMOUNT.description);
            }
        }
        Ok(())
    }
}

weir_plugin::export_check!({{Type}});

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_plugin::arrow::array::{ArrayRef, Int64Array, StringArray};
    use weir_plugin::testing::Harness;

    use super::*;

    #[test]
    fn rows_without_an_id_and_negative_amounts_fail() -> Result<(), Box<dyn std::error::Error>> {
        let id: ArrayRef = Arc::new(StringArray::from(vec![Some("a1"), None]));
        let amount: ArrayRef = Arc::new(Int64Array::from(vec![-1, 1]));
        let batch = RecordBatch::try_from_iter([("id", id), ("amount", amount)])?;
        let outcome = Harness::new("{}").check::<{{Type}}>(&[batch])?;
        assert_eq!(outcome.rejected("negative_amount"), [0]);
        assert_eq!(outcome.rejected("missing_id"), [1]);
        Ok(())
    }
}
