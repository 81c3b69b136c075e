//! Flattens and types the items of treatments: six maps become columns named `map_field`, texts become dates,
//! numbers become decimals of a few digits.
//!
//! An item that cannot be made sense of is rejected whole, under the first rule that it breaks. Names of patients
//! are not asked for: what a stage does not grant stays beside the row.

mod item;
mod values;

use weir_plugin::prelude::*;
use weir_plugin::rows::MISSING_VALUE;

use item::{Flat, Item};
use values::{BAD_DATE, BAD_NUMBER, DATE_ORDER, MISSING_KEY, NEGATIVE_NUMBER, OTHER_KEY};

/// The plugin has nothing to configure.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

struct Treatments;

impl RowTransform for Treatments {
    type Config = Config;
    type Input<'a> = Item<'a>;
    type Output<'a> = Flat<'a>;

    const INFO: Info = Info {
        name: "treatments",
        version: env!("CARGO_PKG_VERSION"),
        description: "Flattens and types the items of treatments.",
        columns: Item::COLUMNS,
        rules: &[
            MISSING_KEY,
            OTHER_KEY,
            BAD_NUMBER,
            NEGATIVE_NUMBER,
            BAD_DATE,
            DATE_ORDER,
            MISSING_VALUE,
        ],
    };

    fn bind(_: Config, _: &Context) -> Result<Self, Error> {
        Ok(Self)
    }

    fn row<'a>(&'a self, item: Item<'a>) -> Result<Flat<'a>, Rejection> {
        item.flat()
    }
}

weir_plugin::export_transform!(ByRow<Treatments>);
