//! Rows in quarantine: how many there are, and what became of them.
//!
//! A rejected row is `open` until it is replayed, or somebody says that it need not be. Both rewrite the
//! files that hold the row, with its new state, and put them in the place of the old ones; a row is never
//! taken away. Only a table that is replaced takes its rejected rows with it.

mod columns;

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::execution::context::SessionContext;
use datafusion::functions::string::expr_fn::starts_with;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, cast, lit, when};
use datafusion::prelude::{DataFrame, ParquetReadOptions};
use deltalake_core::DeltaTable;
use futures::TryStreamExt;
use serde::Serialize;
use std::sync::Arc;
use uuid::Uuid;
use weir_pipeline::TableName;

pub(crate) use columns::columns_for;
use columns::{is_kept, value_of};

use crate::commit::Applier;
use crate::data_file::DataFileWriter;
use crate::delta::{self, Applied, DeltaCommit, Mode};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{FILE_COLUMN, ORDINAL_COLUMN};
use crate::lake::{Lake, Location};
use crate::mask::Masks;
use crate::partition::folder;
use crate::plan::both;
use crate::query;
use crate::record::{HeldRows, RunRecord};
use crate::segment::{EnvelopeExec, WrittenFile, kept};
use crate::session;

/// The ending of the names of quarantine tables.
pub const SUFFIX: &str = "__quarantine";
/// The column that says what became of a row.
pub const STATE: &str = "_weir_state";
/// The column that says by what: a run, or somebody's words.
pub const STATE_NOTE: &str = "_weir_state_note";
/// The state of a row that waits.
pub const OPEN: &str = "open";
/// The state of a row that a run has taken up again.
pub const REPLAYED: &str = "replayed";
/// The state of a row that a run has read again, since its cursor was within `lag`.
pub const READ_AGAIN: &str = "read-again";
/// The state of a row of which somebody said that it need not be replayed.
pub const ACKNOWLEDGED: &str = "acknowledged";

/// How the application identifiers of acknowledgements begin. No pipeline has such a name.
pub(crate) const ACKNOWLEDGEMENT: &str = "weir/!acknowledged/";

/// How the note of an open row begins some of whose columns are masked.
const MASKED: &str = "masked: ";

/// The note of open rows of which `masks` took something.
pub(crate) fn masked_note(masks: &Masks) -> Option<String> {
    let names: Vec<&str> = masks.columns().map(|(name, _)| name).collect();
    (!names.is_empty()).then(|| format!("{MASKED}{}", names.join(", ")))
}

/// What is written in place of the stage of records that could not be read.
pub(crate) const READ: &str = "read";

/// The quarantine table beside a table.
pub fn beside(table: &TableName) -> TableName {
    TableName {
        zone: table.zone.clone(),
        table: format!("{}{SUFFIX}", table.table),
    }
}

/// Which rows of a quarantine table are meant; all, where nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those of this step.
    pub step: Option<String>,
    /// Those that broke this rule.
    pub rule: Option<String>,
    /// Those that this run rejected.
    pub run: Option<String>,
    /// Those in this state.
    pub state: Option<String>,
    /// Only those that have the columns of the input: not records that could not be read.
    pub readable: bool,
    /// Only those of which this is true.
    pub condition: Option<Expr>,
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

impl Selection {
    /// Open rows of a step.
    pub(crate) fn open_of(step: &str, rule: Option<&str>) -> Selection {
        Selection {
            step: Some(step.to_owned()),
            rule: rule.map(str::to_owned),
            run: None,
            state: Some(OPEN.to_owned()),
            readable: true,
            condition: None,
        }
    }

    /// True for a selected row, never null.
    fn filter(&self) -> Expr {
        let parts = [
            ("_weir_step", &self.step),
            ("_weir_rule", &self.rule),
            ("_weir_run", &self.run),
            (STATE, &self.state),
        ];
        parts
            .into_iter()
            .filter_map(|(column, wanted)| {
                let wanted = wanted.as_ref()?;
                let text = cast(named(column), DataType::Utf8);
                Some(text.clone().is_not_null().and(text.eq(lit(wanted.clone()))))
            })
            .chain(self.condition.clone().map(Expr::is_true))
            .fold(
                match self.readable {
                    true => cast(named("_weir_stage"), DataType::Utf8).not_eq(lit(READ)),
                    false => lit(true),
                },
                Expr::and,
            )
    }
}

/// How many rows of a kind a quarantine table has.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The table that the rows were meant for.
    pub table: String,
    /// The step that rejected them.
    pub step: String,
    /// The stage.
    pub stage: String,
    /// The rule.
    pub rule: String,
    /// What became of them.
    pub state: String,
    /// How many.
    pub rows: u64,
    /// The latest run among those that rejected them.
    pub latest_run: String,
}

/// What lies in the quarantine tables of a lake, largest groups first within a table.
pub async fn list(lake: &Lake, applier: &Applier) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for name in query::tables(lake).await? {
        let Some(table) = name.table.strip_suffix(SUFFIX) else {
            continue;
        };
        let text = format!(
            "select _weir_step, _weir_stage, _weir_rule, {STATE}, count(*), max(_weir_run)
             from {}.{} group by 1, 2, 3, 4 order by 5 desc, 1, 2, 3, 4",
            quoted(&name.zone),
            quoted(&name.table)
        );
        let rows = query::sql(lake, &text, applier.resources).await?;
        let batches: Vec<RecordBatch> = rows.try_collect().await?;
        for batch in &batches {
            let text = |column: usize, row: usize| -> Result<String> {
                let column = arrow::compute::cast(batch.column(column), &DataType::Utf8)?;
                let column = column.as_string::<i32>();
                Ok(match arrow::array::Array::is_null(column, row) {
                    true => String::new(),
                    false => column.value(row).to_owned(),
                })
            };
            let rows = batch.column(4).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                groups.push(Group {
                    table: format!("{}.{table}", name.zone),
                    step: text(0, row)?,
                    stage: text(1, row)?,
                    rule: text(2, row)?,
                    state: text(3, row)?,
                    rows: rows.value(row).unsigned_abs(),
                    latest_run: text(5, row)?,
                });
            }
        }
    }
    Ok(groups)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The selected rows of the quarantine table beside `table`, at most `limit`.
///
/// # Errors
/// Usage, if there is none.
pub async fn rows(
    lake: &Lake,
    table: &TableName,
    selection: &Selection,
    limit: Option<usize>,
    applier: &Applier,
) -> Result<query::Rows> {
    let context = session::session(&applier.runtime, applier.resources);
    let provider = delta::provider(&lake.table(&beside(table))?).await?;
    let provider = provider.ok_or_else(|| nothing(table))?;
    let frame = context.read_table(provider)?.filter(selection.filter())?;
    Ok(frame.limit(0, limit)?.execute_stream().await?)
}

/// The rows that a failed step has rejected: nobody's table has them, and they stay until orphaned files
/// are removed.
///
/// # Errors
/// Usage, if the run holds none.
pub async fn held(
    lake: &Lake,
    run: &RunRecord,
    step: Option<&str>,
    limit: Option<usize>,
    applier: &Applier,
) -> Result<query::Rows> {
    let named = |held: &&HeldRows| step.is_none_or(|step| step == held.step);
    let held: Vec<&HeldRows> = run
        .steps
        .iter()
        .filter_map(|step| step.held.as_ref())
        .filter(named)
        .collect();
    let [one] = held.as_slice() else {
        let steps: Vec<&str> = held.iter().map(|held| held.step.as_str()).collect();
        return Err(match steps.is_empty() {
            true => Error::usage(format!("run {} holds no rejected rows", run.run)).with_hint(
                "rows are held of steps that fail by `fail_above`; others are in quarantine tables",
            ),
            false => Error::usage(format!(
                "several steps of run {} hold rejected rows",
                run.run
            ))
            .with_hint(format!("say which with --step: {}", steps.join(", "))),
        });
    };
    let root = Location::at_url(lake.root().stores(), &one.url)?;
    root.register(&applier.runtime);
    let context = session::session(&applier.runtime, applier.resources);
    let paths: Vec<String> = one
        .files
        .iter()
        .map(|path| root.file(path).url().to_string())
        .collect();
    let frame = context
        .read_parquet(paths, ParquetReadOptions::default())
        .await?;
    Ok(frame.limit(0, limit)?.execute_stream().await?)
}

fn nothing(table: &TableName) -> Error {
    Error::usage(format!("{table} has no quarantine"))
        .with_hint("`weir quarantine list` shows what there is; check --lake")
}

/// Marks the selected open rows as acknowledged, with `note`; gives how many there were.
///
/// # Errors
/// Conflict, if the table keeps changing meanwhile.
pub async fn acknowledge(
    lake: &Lake,
    table: &TableName,
    selection: &Selection,
    note: &str,
    applier: &Applier,
) -> Result<u64> {
    let name = beside(table);
    let root = lake.table(&name)?;
    let selection = Selection {
        state: Some(OPEN.to_owned()),
        ..selection.clone()
    };
    for _ in 0..3 {
        let delta = delta::open(&root).await?.ok_or_else(|| nothing(table))?;
        let context = session::session(&applier.runtime, applier.resources);
        let found = Found::of(&context, &delta, &root, &selection, &[]).await?;
        if found.rows == 0 {
            return Ok(0);
        }
        let files = found.marked(&context, ACKNOWLEDGED, note).await?;
        let app_id = format!("{ACKNOWLEDGEMENT}{}", Uuid::new_v4());
        let commit = found.commit(&name, app_id, "", files, &Schema::empty())?;
        match commit.apply(applier, 0, false).await? {
            Applied::Now(_) | Applied::Before => return Ok(found.rows),
            // Somebody was faster: look again.
            Applied::Stale | Applied::Gone | Applied::Unfit(_) => {}
        }
    }
    Err(Error::new(
        ErrorKind::Conflict,
        format!("{name} was changed by others again and again"),
    )
    .with_hint("run the same command again once they are done"))
}

/// The files of a quarantine table that have selected rows.
pub(crate) struct Found {
    table: DeltaTable,
    root: Location,
    selection: Selection,
    /// Their paths, by partition.
    files: BTreeMap<Vec<Option<String>>, Vec<String>>,
    partition_columns: Vec<String>,
    /// How many rows are selected.
    pub(crate) rows: u64,
}

impl Found {
    /// Looks in the partitions whose first columns have the values of `scope`.
    pub(crate) async fn of(
        context: &SessionContext,
        table: &DeltaTable,
        root: &Location,
        selection: &Selection,
        scope: &[(String, String)],
    ) -> Result<Found> {
        let state = table.snapshot()?;
        let partition_columns = state.metadata().partition_columns().to_vec();
        let views: Vec<_> = state
            .snapshot()
            .file_views(&table.log_store(), None)
            .try_collect()
            .await?;
        let mut there: BTreeMap<String, (Vec<Option<String>>, String)> = BTreeMap::new();
        for view in &views {
            let values = view.partition_values_map();
            let inside = scope
                .iter()
                .all(|(name, wanted)| values.get(name).and_then(Option::as_ref) == Some(wanted));
            if inside {
                let values = partition_columns
                    .iter()
                    .map(|name| values.get(name).cloned().flatten())
                    .collect();
                let path = view.path().into_owned();
                there.insert(root.file(&path).url().to_string(), (values, path));
            }
        }
        let mut found = Found {
            table: table.clone(),
            root: root.clone(),
            selection: selection.clone(),
            files: BTreeMap::new(),
            partition_columns,
            rows: 0,
        };
        if there.is_empty() {
            return Ok(found);
        }
        let paths = there.values().map(|(_, path)| path.clone()).collect();
        let counted = found
            .read(context, paths)
            .await?
            .filter(selection.filter())?
            .aggregate(
                vec![cast(named(FILE_COLUMN), DataType::Utf8).alias(FILE_COLUMN)],
                vec![count(lit(1_i64)).alias("rows")],
            )?
            .collect()
            .await?;
        for batch in &counted {
            let names = arrow::compute::cast(batch.column(0), &DataType::Utf8)?;
            let rows = batch.column(1).as_primitive::<Int64Type>();
            for (name, rows) in names.as_string::<i32>().iter().zip(rows.values()) {
                let (values, path) = name.and_then(|name| there.get(name)).ok_or_else(|| {
                    Error::internal("a row lies in a file that is not its table's")
                })?;
                found.rows += rows.unsigned_abs();
                found
                    .files
                    .entry(values.clone())
                    .or_default()
                    .push(path.clone());
            }
        }
        Ok(found)
    }

    async fn read(&self, context: &SessionContext, paths: Vec<String>) -> Result<DataFrame> {
        let provider = delta::provider_of_files(&self.table, paths).await?;
        Ok(context.read_table(provider)?)
    }

    /// The selected rows, with all columns of the table.
    pub(crate) async fn selected(&self, context: &SessionContext) -> Result<DataFrame> {
        let paths = self.files.values().flatten().cloned().collect();
        let rows = self.read(context, paths).await?;
        Ok(rows.filter(self.selection.filter())?)
    }

    /// The selected rows as a segment with the input `input` reads them, with file and ordinal.
    ///
    /// # Errors
    /// Usage, if they have been rejected in another segment than `segment`, or lack a column of the input.
    pub(crate) async fn input(
        &self,
        context: &SessionContext,
        input: &Schema,
        segment: i32,
    ) -> Result<DataFrame> {
        let rows = self.selected(context).await?;
        let elsewhere = rows
            .clone()
            .filter(named("_weir_segment").not_eq(lit(segment)))?
            .count()
            .await?;
        if elsewhere > 0 {
            return Err(Error::usage(format!(
                "{elsewhere} of the rows were rejected before a SQL stage, which makes other rows of all of its rows"
            ))
            .with_hint("mend the step and run it again; or replay one rule of a later stage with --rule"));
        }
        let masked = rows
            .clone()
            .filter(starts_with(named(STATE_NOTE), lit(MASKED)))?
            .count()
            .await?;
        if masked > 0 {
            return Err(Error::usage(format!(
                "{masked} of the rows have been masked in quarantine, and what they were is not there any more"
            ))
            .with_hint("run the step again on its input; where it appends or merges files, with --full-refresh"));
        }
        let there = EnvelopeExec::visible(rows.schema().as_arrow());
        let missing: Vec<&str> = input
            .fields()
            .iter()
            .filter(|field| !is_kept(field, &there))
            .map(|field| field.name().as_str())
            .collect();
        if !missing.is_empty() {
            return Err(Error::usage(format!(
                "the rows in quarantine lack columns that the step reads now: {}",
                missing.join(", ")
            ))
            .with_hint("run the step again on its input"));
        }
        let mut columns = Vec::with_capacity(input.fields().len() + 2);
        for field in input.fields() {
            let value = value_of(&rows, &there, field).await?;
            columns.push(value.alias(field.name()));
        }
        columns.push(cast(named("_weir_file"), DataType::Utf8).alias(FILE_COLUMN));
        columns.push(cast(named("_weir_ordinal"), DataType::UInt64).alias(ORDINAL_COLUMN));
        Ok(rows.select(columns)?)
    }

    /// The schema of the data files: the table's without the partition columns.
    fn schema(&self) -> Result<SchemaRef> {
        let table = self.table.snapshot()?.snapshot().arrow_schema();
        let table = crate::segment::EnvelopeExec::visible(&table);
        let fields = table.fields().iter();
        let fields = fields.filter(|field| !self.partition_columns.contains(field.name()));
        Ok(Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>())))
    }

    /// Writes the files anew, with the selected rows in another state.
    pub(crate) async fn marked(
        &self,
        context: &SessionContext,
        state: &str,
        note: &str,
    ) -> Result<Vec<WrittenFile>> {
        let schema = self.schema()?;
        let mut all = Vec::new();
        for (values, paths) in &self.files {
            let columns = schema
                .fields()
                .iter()
                .map(|field| {
                    let name = field.name().as_str();
                    let column = cast(named(name), field.data_type().clone());
                    let new = match name {
                        STATE => state,
                        STATE_NOTE => note,
                        _ => return Ok(column.alias(name)),
                    };
                    let marked = when(self.selection.filter(), lit(new)).otherwise(column)?;
                    Ok(marked.alias(name))
                })
                .collect::<Result<Vec<Expr>>>()?;
            let rows = self.read(context, paths.clone()).await?.select(columns)?;
            let names = self.partition_columns.iter().map(String::as_str);
            let below = folder(names.zip(values.iter().map(Option::as_deref)));
            let mut writer = DataFileWriter::new(&self.root, &below, &schema);
            let mut batches = rows.execute_stream().await?;
            while let Some(batch) = batches.try_next().await? {
                let batch = kept(&schema, batch.columns().to_vec())?;
                writer.write(&batch).await?;
            }
            all.extend(writer.finish().await?.into_iter().map(|file| WrittenFile {
                partition: values.clone(),
                ..file
            }));
        }
        Ok(all)
    }

    /// A commit that puts `files` in the place of those that were found; some of them may have the columns
    /// `more` besides.
    pub(crate) fn commit(
        &self,
        name: &TableName,
        app_id: String,
        run: &str,
        files: Vec<WrittenFile>,
        more: &Schema,
    ) -> Result<DeltaCommit> {
        let there = self.table.snapshot()?.snapshot().arrow_schema();
        Ok(DeltaCommit {
            table: name.to_string(),
            url: self.root.url().to_string(),
            run: run.to_owned(),
            app_id,
            mode: Mode::Rewrite,
            scope: Vec::new(),
            by: self.partition_columns.clone(),
            merge: None,
            replaces: self.files.values().flatten().cloned().collect(),
            since: None,
            evolves: true,
            schema: delta::schema_json(&both(&there, more))?,
            files,
        })
    }
}
