//! What the `[[report]]` entries of a file show: queries over tables of the lake, held against the labels of the
//! columns that they are made of, and the rows that they give.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SessionContext;
use futures::TryStreamExt;
use weir_pipeline::{ChartKind, Fault, ParamValue, Pipeline, Report, TableName};

use crate::delta;
use crate::error::{Error, Result};
use crate::history;
use crate::lake::Lake;
use crate::plan::{self, Labels};
use crate::segment::EnvelopeExec;
use crate::session::{self, Resources};

/// Which columns of a report's rows are what: indices of its query's columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// Along the axis, or the states.
    pub x: Option<usize>,
    /// The values.
    pub y: Vec<usize>,
    /// Whose values are lines or colours of their own.
    pub series: Option<usize>,
    /// For how many people a row stands.
    pub count: Option<usize>,
}

/// The rows of a report.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Which columns are what.
    pub columns: Columns,
    /// The rows, in the order of the query.
    pub rows: RecordBatch,
    /// Whether there are more of them.
    pub more: bool,
}

/// The rows that `report` shows of `lake`, at most so many of them.
///
/// # Errors
/// Usage, with the place in the file, if a table is not there, a column is not there or is no number, or a column has
/// a label that the report does not allow.
pub async fn answer(
    pipeline: &Pipeline,
    report: &Report,
    lake: &Lake,
    resources: Resources,
    most: usize,
) -> Result<Answer> {
    let runtime = session::runtime(resources)?;
    let named = tables(&session::session(&runtime, resources), pipeline, report)?;
    let context = session::session(&runtime, resources);
    let mut labels = BTreeMap::new();
    let mut empty: BTreeMap<TableName, Arc<dyn TableProvider>> = BTreeMap::new();
    let mut full = BTreeMap::new();
    for name in named {
        let found = match name.zone == history::ZONE {
            true => history::provider(&lake.weir(), &name.table).await?,
            false => {
                let table = delta::open(&lake.table(&name)?).await?;
                match &table {
                    Some(table) => {
                        let schema = delta::schema_of(table)?;
                        labels.insert(name.clone(), plan::of_schema(&schema));
                        Some(delta::provider_of(table).await?)
                    }
                    None => None,
                }
            }
        };
        let Some(provider) = found else {
            return Err(
                fault(report, format!("reads {name}, which is not in the lake"))
                    .hint("run the pipeline first; or check the name, or the lake (--lake)")
                    .into(),
            );
        };
        let schema = session::read_schema(&name, &EnvelopeExec::visible(&provider.schema()));
        empty.insert(name.clone(), Arc::new(EmptyTable::new(schema)));
        let table = session::read_table(&context, &name, provider)?;
        full.insert(name, table);
    }
    // A table that is read is a view without Weir's own columns, through which labels are not seen: what the query
    // is made of is found in a session whose tables have no rows.
    let typing = session::session(&runtime, resources);
    session::register(&typing, empty)?;
    let columns = typed(&typing, report, &pipeline.params, &labels).await?;
    session::register(&context, full)?;
    let frame = session::query(&context, &report.sql, &pipeline.params)
        .await
        .map_err(|error| within(error, report))?;
    let some = frame.limit(0, Some(most.saturating_add(1)))?;
    let stream = some.execute_stream().await?;
    let schema = stream.schema();
    let batches: Vec<RecordBatch> = stream.try_collect().await?;
    let all = concat_batches(&schema, &batches)?;
    Ok(Answer {
        columns,
        rows: all.slice(0, all.num_rows().min(most)),
        more: all.num_rows() > most,
    })
}

/// The tables that a report's query names.
pub(crate) fn tables(
    context: &SessionContext,
    pipeline: &Pipeline,
    report: &Report,
) -> Result<BTreeSet<TableName>> {
    let (named, input) =
        session::tables_of(context, &report.sql).map_err(|error| within(error, report))?;
    let outside = named
        .iter()
        .find(|name| name.zone != history::ZONE && !pipeline.zones.contains_key(&name.zone));
    let fault = |what: String, hint: &str| -> Result<BTreeSet<TableName>> {
        Err(fault(report, what).hint(hint).into())
    };
    match outside {
        _ if input => fault(
            "reads `input`, which only a `sql` stage has".to_owned(),
            "name tables of the lake as zone.table",
        ),
        Some(name) if pipeline.connections.contains_key(&name.zone) => fault(
            format!("reads {name}, a table of a database"),
            "show the lake table from which it is written, or load it with a step",
        ),
        Some(name) => fault(
            format!("reads {name}, and there is no zone '{}'", name.zone),
            "name tables as zone.table, with a zone of the file",
        ),
        None => Ok(named.into_iter().collect()),
    }
}

/// Which columns of a report's query are what, over the tables that a session knows.
pub(crate) async fn typed(
    context: &SessionContext,
    report: &Report,
    params: &BTreeMap<String, ParamValue>,
    labels: &BTreeMap<TableName, Labels>,
) -> Result<Columns> {
    let frame = session::query(context, &report.sql, params)
        .await
        .map_err(|error| within(error, report))?;
    let schema = frame.schema().as_arrow();
    plan::distinct_names(schema).map_err(|error| within(error, report))?;
    let found = plan::marks(frame.logical_plan(), &|table, column| {
        let of_table = session::table_of(table).and_then(|name| labels.get(&name));
        let of_column = of_table.and_then(|labels| labels.get(column));
        of_column.cloned().unwrap_or_default()
    });
    bind(report, schema, &found)
}

/// Which columns are what, if all of them may be shown.
fn bind(report: &Report, schema: &Schema, labels: &Labels) -> Result<Columns> {
    let fault = |what: String, hint: String| Error::from(fault(report, what).hint(hint));
    for (column, carried) in labels {
        let refused: BTreeSet<&str> = carried
            .iter()
            .map(String::as_str)
            .filter(|label| !report.sensitivity.iter().any(|allowed| allowed == label))
            .collect();
        if let Some(label) = refused.first() {
            return Err(fault(
                format!("shows column '{column}', which is labelled {label}"),
                format!(
                    "leave the column out; or say that the page may have it: sensitivity = [\"{label}\"]"
                ),
            ));
        }
    }
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let named = |name: &str| -> Result<usize> {
        names
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| {
                fault(
                    format!("has no column '{name}'"),
                    format!("its query gives: {}", names.join(", ")),
                )
            })
    };
    let number = |index: usize| -> Result<usize> {
        let field = schema.field(index);
        match field.data_type().is_numeric() {
            true => Ok(index),
            false => Err(fault(
                format!("draws column '{}', which is no number", field.name()),
                "name the columns of values in `y`, or cast it in the query".to_owned(),
            )),
        }
    };
    let series = report.series.as_deref().map(named).transpose()?;
    let count = match &report.suppress {
        None => None,
        Some(suppress) => Some(number(named(&suppress.count)?)?),
    };
    let others = |taken: &[Option<usize>]| -> Vec<usize> {
        (0..names.len())
            .filter(|index| !taken.contains(&Some(*index)))
            .collect()
    };
    let x = match (report.chart, report.x.as_deref()) {
        (_, Some(name)) => Some(named(name)?),
        (ChartKind::Table | ChartKind::Number, None) => None,
        (ChartKind::Bars | ChartKind::Line | ChartKind::Map, None) => {
            others(&[series, count]).first().copied()
        }
    };
    if x.is_some() && x == count {
        return Err(fault(
            "has the column of `suppress` along its axis".to_owned(),
            "name another column in `x`: a place on the axis would tell how few people there are"
                .to_owned(),
        ));
    }
    let y = match (report.chart, report.y.is_empty()) {
        (_, false) => report
            .y
            .iter()
            .map(|name| named(name))
            .collect::<Result<_>>()?,
        (ChartKind::Table, true) => others(&[])
            .into_iter()
            .filter(|index| schema.field(*index).data_type().is_numeric())
            .collect(),
        (_, true) => others(&[x, series, count]),
    };
    if report.chart != ChartKind::Table {
        if report.chart != ChartKind::Number {
            for index in &y {
                number(*index)?;
            }
        }
        if y.is_empty() {
            return Err(fault(
                "has no column of values".to_owned(),
                format!("its query gives only: {}", names.join(", ")),
            ));
        }
    }
    if matches!(report.chart, ChartKind::Map) && y.len() > 1 || series.is_some() && y.len() > 1 {
        return Err(fault(
            "has more than one column of values".to_owned(),
            "name one in `y`".to_owned(),
        ));
    }
    Ok(Columns {
        x,
        y,
        series,
        count,
    })
}

fn within(error: Error, report: &Report) -> Error {
    plan::at(
        error.within(&format!("report '{}'", report.title)),
        &report.place,
    )
}

fn fault(report: &Report, what: String) -> Fault {
    Fault::new(format!("report '{}' {what}", report.title)).at(&report.place)
}
