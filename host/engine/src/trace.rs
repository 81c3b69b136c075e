//! From a row of a lake table to the run, the step, the plugins and the input that it comes from.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Column;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, cast, lit};
use serde::Serialize;
use weir_pipeline::TableName;

use crate::commit::{self, Applier, Decision};
use crate::delta;
use crate::error::{Error, Result};
use crate::files::FILE_COLUMN;
use crate::lake::{Lake, Location, RUN_COLUMN};
use crate::quarantine;
use crate::record::RunRecord;
use crate::session;

/// Where rows come from that one run wrote.
#[derive(Debug, Serialize)]
pub struct Origin {
    /// How many of the rows.
    pub rows: u64,
    /// The run.
    pub run: String,
    /// Its record; none, if it was taken away.
    pub record: Option<RunRecord>,
    /// The steps of the run that wrote the table.
    pub steps: Vec<OriginStep>,
}

/// What one decision of a run read to write the rows.
#[derive(Debug, Serialize)]
pub struct OriginStep {
    /// The step.
    pub step: String,
    /// The decision.
    pub n: u64,
    /// Digest of all that shaped its output.
    pub fingerprint: String,
    /// The files that it read: one of them had what became the row.
    pub files: Vec<String>,
    /// The lake tables that it read, with their versions.
    pub tables: BTreeMap<String, u64>,
}

/// Where the rows of `table` come from whose columns have the values of `key`, compared as text; the
/// latest run first. None, if there is no such row.
///
/// # Errors
/// Usage, if there is no such table or column.
pub async fn trace(
    lake: &Lake,
    table: &TableName,
    key: &[(String, String)],
    applier: &Applier,
) -> Result<Vec<Origin>> {
    let root = lake.table(table)?;
    let Some(delta) = delta::open(&root).await? else {
        return Err(Error::usage(format!("there is no table {table}"))
            .with_hint("`weir sql` lists the tables that there are; check --lake"));
    };
    let provider = delta::provider_with_file(&delta).await?;
    let context = session::session(&applier.runtime, applier.resources);
    let mut rows = context.read_table(provider)?;
    let names: Vec<String> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .filter(|name| name != FILE_COLUMN)
        .collect();
    if !names.iter().any(|name| name == RUN_COLUMN) {
        return Err(Error::usage(format!(
            "the rows of {table} do not say which run wrote them"
        ))
        .with_hint("another program wrote the table, or an older weir: run the step again"));
    }
    for (name, value) in key {
        if !names.contains(name) {
            return Err(Error::usage(format!("{table} has no column '{name}'"))
                .with_hint(format!("its columns are {}", names.join(", "))));
        }
        rows = rows.filter(cast(named(name), DataType::Utf8).eq(lit(value.clone())))?;
    }
    let counted = rows
        .aggregate(
            vec![
                cast(named(RUN_COLUMN), DataType::Utf8).alias("run"),
                cast(named(FILE_COLUMN), DataType::Utf8).alias("file"),
            ],
            vec![count(lit(1_i64)).alias("rows")],
        )?
        .collect()
        .await?;
    // For each run its rows, and the data files that they lie in.
    let mut found: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
    for batch in &counted {
        let runs = arrow::compute::cast(batch.column(0), &DataType::Utf8)?;
        let files = arrow::compute::cast(batch.column(1), &DataType::Utf8)?;
        let counts = batch.column(2).as_primitive::<Int64Type>();
        let (runs, files) = (runs.as_string::<i32>(), files.as_string::<i32>());
        for row in 0..batch.num_rows() {
            let run = match runs.is_valid(row) {
                true => runs.value(row).to_owned(),
                false => String::new(),
            };
            let (rows, lie_in) = found.entry(run).or_default();
            *rows += counts.value(row).unsigned_abs();
            lie_in.push(files.value(row).to_owned());
        }
    }
    let mut origins = Vec::new();
    for (run, (rows, files)) in found.into_iter().rev() {
        let record = RunRecord::get(&lake.weir(), &run).await?;
        let steps = match &record {
            Some(record) => steps(lake, &root, table, record, &files).await?,
            None => Vec::new(),
        };
        origins.push(Origin {
            rows,
            run,
            record,
            steps,
        });
    }
    Ok(origins)
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// The decisions of a run that wrote the table: those that name one of the data files, or all of them
/// where none does, since the files were merged or compacted.
async fn steps(
    lake: &Lake,
    root: &Location,
    table: &TableName,
    record: &RunRecord,
    files: &[String],
) -> Result<Vec<OriginStep>> {
    let display = table.to_string();
    let mut decisions = Vec::new();
    for step in &record.steps {
        if step.targets.iter().any(|target| target.target == display) {
            decisions
                .extend(commit::of_run(lake, &record.pipeline, &step.step, &record.run).await?);
        }
    }
    let names = |decision: &Decision| {
        let of_table = decision
            .targets
            .iter()
            .filter(|target| target.name() == display);
        of_table.flat_map(|target| target.files()).any(|file| {
            let url = root.file(&file.path).url().to_string();
            files
                .iter()
                .any(|lies_in| *lies_in == url || *lies_in == file.path)
        })
    };
    if decisions.iter().any(names) {
        decisions.retain(names);
    }
    Ok(decisions
        .into_iter()
        .map(|decision| OriginStep {
            step: decision.step,
            n: decision.n,
            fingerprint: decision.fingerprint,
            files: decision.input.into_iter().map(|file| file.path).collect(),
            tables: decision.tables,
        })
        .collect())
}

/// How many rows with that key lie in the quarantine beside the table; none where it has no such columns.
pub async fn in_quarantine(
    lake: &Lake,
    table: &TableName,
    key: &[(String, String)],
    applier: &Applier,
) -> Result<u64> {
    let Some(provider) = delta::provider(&lake.table(&quarantine::beside(table))?).await? else {
        return Ok(0);
    };
    let context = session::session(&applier.runtime, applier.resources);
    let mut rows = context.read_table(provider)?;
    for (name, value) in key {
        if !rows.schema().has_column_with_unqualified_name(name) {
            return Ok(0);
        }
        rows = rows.filter(cast(named(name), DataType::Utf8).eq(lit(value.clone())))?;
    }
    Ok(rows.count().await? as u64)
}
