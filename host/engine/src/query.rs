//! Queries over a lake, for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::physical_plan::SendableRecordBatchStream;
use weir_pipeline::TableName;

use crate::delta;
use crate::error::{Error, Result};
use crate::history;
use crate::lake::Lake;
use crate::session::{self, Resources};

/// The rows of a query, as they come.
pub type Rows = SendableRecordBatchStream;

/// Runs a query over the tables of a lake, named as `zone.table`, and over its run records
/// ([`history`]), and streams its rows.
///
/// # Errors
/// Usage, if the text is no query, or names a table that is not there.
pub async fn sql(lake: &Lake, text: &str, resources: Resources) -> Result<Rows> {
    let runtime = session::runtime(resources)?;
    let context = session::session(&runtime, resources);
    let (tables, input) = session::tables_of(&context, text)?;
    if input {
        return Err(Error::usage("'input' is no table of the lake")
            .with_hint("tables are written zone.table"));
    }
    let mut providers: BTreeMap<TableName, Arc<dyn TableProvider>> = BTreeMap::new();
    for name in tables {
        let provider = match lake.zones().contains_key(&name.zone) {
            _ if name.zone == history::ZONE => history::provider(&lake.weir(), &name.table).await?,
            true => delta::provider(&lake.table(&name)?).await?,
            false => None,
        };
        let Some(provider) = provider else {
            let there = self::tables(lake).await?;
            let mut names: Vec<String> = there
                .iter()
                .map(|name| format!("{}.{}", name.zone, name.table))
                .collect();
            if name.zone == history::ZONE {
                names = history::names()
                    .map(|table| format!("{}.{table}", history::ZONE))
                    .collect();
            }
            return Err(Error::usage(format!(
                "there is no table {}.{} in '{}'",
                name.zone,
                name.table,
                lake.root().display()
            ))
            .with_hint(match names.is_empty() {
                true => "there is no table at all there: check --lake".to_owned(),
                false => format!("the tables are {}", names.join(", ")),
            }));
        };
        providers.insert(name, provider);
    }
    session::register(&context, providers)?;
    let frame = session::query(&context, text, &BTreeMap::new()).await?;
    Ok(frame.execute_stream().await?)
}

/// The tables of a lake.
pub async fn tables(lake: &Lake) -> Result<Vec<TableName>> {
    let mut tables = Vec::new();
    for (zone, location) in lake.zones() {
        let listing = location
            .store()
            .list_with_delimiter(Some(location.path()))
            .await?;
        for folder in listing.common_prefixes {
            let Some(name) = folder.filename() else {
                continue;
            };
            let log = location.child(&[name, "_delta_log"]);
            let entries = log.store().list_with_delimiter(Some(log.path())).await?;
            if !entries.objects.is_empty() {
                tables.push(TableName {
                    zone: zone.clone(),
                    table: name.to_owned(),
                });
            }
        }
    }
    tables.sort();
    Ok(tables)
}
