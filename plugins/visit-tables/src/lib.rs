//! Makes rows of four tables of visit events: patients, visits, diagnoses and treatments.
//!
//! This is the one writer for all sources: their plugins bring records to the words of [`visit_events`], and the
//! rules are here, so that no source can forget one. A record that breaks a rule is rejected whole: no table has a
//! row whose parent is in quarantine.

mod rows;

use serde::Deserialize;
use weir_plugin::prelude::*;

use rows::{OUTPUTS, RULES, Record, Tables};

/// The plugin has nothing to configure.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

struct VisitTables;

impl RowTransform for VisitTables {
    type Config = Config;
    type Input<'a> = Record<'a>;
    type Output<'a> = Tables<'a>;

    const INFO: Info = Info {
        name: "visit-tables",
        version: env!("CARGO_PKG_VERSION"),
        description: "Makes rows of patients, visits, diagnoses and treatments of visit events.",
        columns: Record::COLUMNS,
        rules: RULES,
    };

    const OUTPUTS: &'static [&'static str] = OUTPUTS;

    fn bind(_: Config, _: &Context) -> Result<Self, Error> {
        Ok(Self)
    }

    fn row<'a>(&'a self, record: Record<'a>) -> Result<Tables<'a>, Rejection> {
        record.tables()
    }
}

weir_plugin::export_transform!(ByRow<VisitTables>);
