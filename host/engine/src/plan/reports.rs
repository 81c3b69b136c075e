//! Reports, held against the tables that there are and those that a run will make.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::runtime_env::RuntimeEnv;
use weir_pipeline::{ChartKind, Pipeline, Report, TableName};

use super::Planner;
use super::sensitivity::{self, Labels};
use crate::error::Result;
use crate::lake::Lake;
use crate::segment::EnvelopeExec;
use crate::{delta, history, report, session};

/// A report, of which columns and labels are known to fit.
#[derive(Debug, Clone)]
pub struct PlannedReport {
    /// Its title.
    pub title: String,
    /// How it is drawn.
    pub chart: ChartKind,
    /// The tables that it reads.
    pub tables: BTreeSet<TableName>,
    /// The table that nobody has made yet and no step makes: until it is there the rest is not known.
    pub missing: Option<TableName>,
}

impl Planner<'_> {
    /// The reports of a pipeline, each with the tables that it reads.
    pub(super) fn shown<'p>(
        &self,
        pipeline: &'p Pipeline,
        runtime: &Arc<RuntimeEnv>,
    ) -> Result<Vec<(&'p Report, BTreeSet<TableName>)>> {
        let context = session::session(runtime, self.resources);
        let reports = pipeline.reports.iter();
        reports
            .map(|report| Ok((report, report::tables(&context, pipeline, report)?)))
            .collect()
    }

    /// Holds a report against the tables as they are and as the steps will leave them (`known`).
    pub(super) async fn report(
        &self,
        (pipeline, runtime, lake): (&Pipeline, &Arc<RuntimeEnv>, &Lake),
        (of, tables): (&Report, BTreeSet<TableName>),
        known: &BTreeMap<TableName, SchemaRef>,
        labels: &mut BTreeMap<TableName, Labels>,
    ) -> Result<PlannedReport> {
        let mut planned = PlannedReport {
            title: of.title.clone(),
            chart: of.chart,
            tables,
            missing: None,
        };
        let mut providers: BTreeMap<TableName, Arc<dyn TableProvider>> = BTreeMap::new();
        for name in &planned.tables {
            let schema = match known.get(name) {
                _ if name.zone == history::ZONE => {
                    let provider = history::provider(&lake.weir(), &name.table).await?;
                    provider.map(|provider| provider.schema())
                }
                Some(schema) => Some(Arc::clone(schema)),
                None => {
                    let schema = delta::schema(&lake.table(name)?).await?;
                    if let Some(schema) = &schema {
                        labels.insert(name.clone(), sensitivity::of_schema(schema));
                    }
                    schema.map(|schema| EnvelopeExec::visible(&schema))
                }
            };
            let Some(schema) = schema else {
                planned.missing = Some(name.clone());
                return Ok(planned);
            };
            let schema = session::read_schema(name, &schema);
            providers.insert(name.clone(), Arc::new(EmptyTable::new(schema)));
        }
        let context = session::session(runtime, self.resources);
        session::register(&context, providers)?;
        report::typed(&context, of, &pipeline.params, labels).await?;
        Ok(planned)
    }
}
