//! Turns a row of CMS's "Medicare Part D Prescribers by Provider and Drug" into one of the cleansed
//! table: other names, one full name of two, and null where CMS writes `""`.
//!
//! It rejects nothing that a declared check can: what must have a value says the pipeline.

use std::borrow::Cow;

use weir_plugin::prelude::*;
use weir_plugin::rows::{Decimal, MISSING_VALUE};

/// The plugin's configuration: there is nothing to say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

/// What is read of a row. Columns that are granted and not named here end with it.
#[derive(FromRow)]
struct Published<'a> {
    prscrbr_npi: Option<&'a str>,
    prscrbr_last_org_name: Option<&'a str>,
    prscrbr_first_name: Option<&'a str>,
    prscrbr_state_abrvtn: Option<&'a str>,
    prscrbr_type: Option<&'a str>,
    brnd_name: Option<&'a str>,
    gnrc_name: Option<&'a str>,
    tot_clms: Option<i32>,
    tot_drug_cst: Option<Decimal<14, 2>>,
}

/// What becomes of it.
#[derive(IntoRow)]
struct Cleansed<'a> {
    presc_id: Option<&'a str>,
    presc_fullname: Option<Cow<'a, str>>,
    presc_state_code: Option<&'a str>,
    presc_specialty: Option<&'a str>,
    drug_brand_name: Option<&'a str>,
    drug: Option<&'a str>,
    total_claims: Option<i32>,
    total_drug_cost: Option<Decimal<14, 2>>,
}

struct PartD;

impl RowTransform for PartD {
    type Config = Config;
    type Input<'a> = Published<'a>;
    type Output<'a> = Cleansed<'a>;

    const INFO: Info = Info {
        name: "part-d",
        version: env!("CARGO_PKG_VERSION"),
        description: "Cleanses Medicare Part D prescriber-drug rows.",
        columns: Published::COLUMNS,
        rules: &[MISSING_VALUE],
    };

    fn bind(_: Config, _: &Context) -> Result<Self, Error> {
        Ok(Self)
    }

    fn row<'a>(&'a self, row: Published<'a>) -> Result<Cleansed<'a>, Rejection> {
        Ok(Cleansed {
            presc_id: text(row.prscrbr_npi),
            presc_fullname: full_name(
                text(row.prscrbr_first_name),
                text(row.prscrbr_last_org_name),
            ),
            presc_state_code: text(row.prscrbr_state_abrvtn),
            presc_specialty: text(row.prscrbr_type),
            drug_brand_name: text(row.brnd_name),
            drug: text(row.gnrc_name),
            total_claims: row.tot_clms,
            total_drug_cost: row.tot_drug_cst,
        })
    }
}

/// A text without the space around it; none where nothing is left.
fn text(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// First and last name with a space between; an organisation has the latter only.
fn full_name<'a>(first: Option<&'a str>, last: Option<&'a str>) -> Option<Cow<'a, str>> {
    match (first, last) {
        (Some(first), Some(last)) => Some(Cow::Owned(format!("{first} {last}"))),
        (first, last) => first.or(last).map(Cow::Borrowed),
    }
}

weir_plugin::export_transform!(ByRow<PartD>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_and_missing_ones_skipped() {
        let name = |first, last| full_name(text(first), text(last));
        assert_eq!(
            name(Some("Zoë"), Some("Núñez")).as_deref(),
            Some("Zoë Núñez")
        );
        assert_eq!(
            name(Some(""), Some("Clinic, Inc.")).as_deref(),
            Some("Clinic, Inc.")
        );
        assert_eq!(name(Some("Zoë"), None).as_deref(), Some("Zoë"));
        assert_eq!(name(None, Some(" ")), None);
    }
}
