//! Types the amounts of a table.

use weir_plugin::prelude::*;
use weir_plugin::rows::{Decimal, MISSING_VALUE};

/// What a pipeline says after `config =`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The least amount that is taken, such as "0.50".
    minimum: Option<String>,
}

const BAD_AMOUNT: Rule = Rule {
    name: "bad_amount",
    description: "An amount is a decimal with at most ten digits before and two after the point.",
};

const BELOW_MINIMUM: Rule = Rule {
    name: "below_minimum",
    description: "An amount is not below the minimum of the configuration.",
};

/// A row as it comes.
#[derive(FromRow)]
struct Raw<'a> {
    id: Option<&'a str>,
    amount: Option<&'a str>,
}

/// A row as it leaves.
#[derive(IntoRow)]
struct Typed<'a> {
    id: Option<&'a str>,
    amount: Option<Decimal<12, 2>>,
}

struct {{Type}} {
    minimum: Option<Decimal<12, 2>>,
}

impl RowTransform for {{Type}} {
    type Config = Config;
    type Input<'a> = Raw<'a>;
    type Output<'a> = Typed<'a>;

    const INFO: Info = Info {
        name: "{{name}}",
        version: env!("CARGO_PKG_VERSION"),
        description: "Types the amounts of a table.",
        columns: Raw::COLUMNS,
        rules: &[BAD_AMOUNT, BELOW_MINIMUM, MISSING_VALUE],
    };

    fn bind(config: Config, _: &Context) -> Result<Self, Error> {
        let minimum = config.minimum.map(|minimum| minimum.parse()).transpose();
        let minimum = minimum.map_err(|_| Error::config("`minimum` is no amount"))?;
        Ok(Self { minimum })
    }

    // What becomes of a row depends on that row alone: batches begin anywhere.
    fn row<'a>(&'a self, raw: Raw<'a>) -> Result<Typed<'a>, Rejection> {
        let text = raw.amount.map(str::trim_ascii).filter(|text| !text.is_empty());
        let amount: Option<Decimal<12, 2>> = match text.map(str::parse).transpose() {
            Ok(amount) => amount,
            Err(_) => return Err(Rejection::new(&BAD_AMOUNT, BAD_AMOUNT.description)),
        };
        if amount.is_some() && amount < self.minimum {
            return Err(Rejection::new(&BELOW_MINIMUM, BELOW_MINIMUM.description));
        }
        Ok(Typed { id: raw.id, amount })
    }
}

weir_plugin::export_transform!(ByRow<{{Type}}>);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_plugin::arrow::array::{ArrayRef, StringArray};
    use weir_plugin::testing::Harness;

    use super::*;

    #[test]
    fn amounts_are_typed_or_rejected() -> Result<(), Box<dyn std::error::Error>> {
        let id: ArrayRef = Arc::new(StringArray::from(vec!["a1", "a2", "a3"]));
        let amount: ArrayRef = Arc::new(StringArray::from(vec!["12.5", "n/a", "-1"]));
        let batch = RecordBatch::try_from_iter([("id", id), ("amount", amount)])?;
        let outcome = Harness::new(r#"{ "minimum": "0" }"#).transform::<ByRow<{{Type}}>>(&[batch])?;
        assert_eq!(outcome.rejected("bad_amount"), [1]);
        assert_eq!(outcome.rejected("below_minimum"), [2]);
        Ok(())
    }
}
