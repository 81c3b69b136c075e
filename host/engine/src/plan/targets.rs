//! Targets: where each output goes, in which types, under which scope.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sha2::{Digest, Sha256};
use weir_pipeline::{
    ColumnChange, ConnectionKind, FailAction, Fault, Pipeline, ReadSource, ScopeValue, ServerKind,
    Step, TableName, Target, Write, WriteMode,
};

use super::ahead::Ahead;
use super::server_target::Columns;
use super::stages::{at_index, named_output};
use super::target_schema::{Judged, Written, stages_of};
use super::write_columns::{
    merging, partition_columns, partition_fields, scope_array, scope_folder, with_partitions,
};
use super::{Labels, PlannedSegment, PlannedStep, fingerprint, hex};
use crate::difference::SchemaDifference;
use crate::error::{Error, Result};
use crate::files::InputFile;
use crate::lake::{Lake, Location, RUN_COLUMN};
use crate::merge::Merging;
use crate::partition::PartitionColumn;
use crate::plugins::LoadedPlugin;
use crate::segment::CheckRule;
use crate::server::{self, TableOptions, TablePath};
use crate::types::{lake_schema, names_differ, scope_type, sqlite_type, type_text};

/// One target of a step.
pub struct PlannedWrite {
    /// The output written.
    pub output: usize,
    /// Where to.
    pub target: PlannedTarget,
    /// How.
    pub mode: WriteMode,
    /// Scope columns and their values.
    pub scope: Vec<(String, ScopeValue)>,
    /// Where data files are written: the table's folder, or a staging folder.
    pub root: Location,
    /// The folder below it for this scope; empty for none.
    pub folder: String,
    /// The schema of the files.
    pub file_schema: SchemaRef,
    /// For each column of the files its index in the output.
    pub columns: Vec<usize>,
    /// Scope columns that the output itself has.
    pub pinned: Vec<(usize, String, ArrayRef)>,
    /// Partition columns whose values rows have.
    pub by: Arc<[PartitionColumn]>,
    /// How rows are matched, where they are merged.
    pub merge: Option<Merging>,
    /// Columns of the output in which every row must have a value.
    pub required: Vec<(usize, String)>,
    /// The columns of the files of which values that do not fit become null.
    pub lossy: Vec<usize>,
    /// The columns that the step brings, whatever the table makes of them, scope columns included.
    pub rows_schema: SchemaRef,
    /// The columns that are written, scope columns included.
    pub written_schema: SchemaRef,
    /// The schema of the table afterwards.
    pub table_schema: SchemaRef,
    /// What is sensitive of its columns.
    pub labels: Labels,
    /// What differs between the rows and the table that is there, and what becomes of it.
    pub differences: Vec<SchemaDifference>,
    /// Whether the table may get columns by the commit.
    pub evolves: bool,
    /// Makes the target's commits this step's and these parameters'.
    pub app_id: String,
}

/// Where a target is.
pub enum PlannedTarget {
    /// A table of the lake.
    Table {
        /// Its name.
        name: TableName,
    },
    /// A table of a SQLite file.
    Sqlite {
        /// The connection's name.
        connection: String,
        /// The file.
        path: PathBuf,
        /// The table.
        table: String,
        /// Whether it takes the columns of the rows, whatever it had.
        remakes: bool,
    },
    /// A table of a server's database.
    Server {
        /// What the server is.
        kind: ServerKind,
        /// The connection's name.
        connection: String,
        /// The table.
        table: TablePath,
        /// Whether it is made anew where its columns differ from these.
        remakes: bool,
        /// The columns with which it is made.
        columns: Vec<server::Column>,
        /// What it has besides when it is made.
        options: TableOptions,
    },
}

impl PlannedTarget {
    /// How people call it.
    pub fn display(&self) -> String {
        match self {
            PlannedTarget::Table { name } => format!("{}.{}", name.zone, name.table),
            PlannedTarget::Sqlite {
                connection, table, ..
            } => format!("{connection}:{table}"),
            PlannedTarget::Server {
                connection, table, ..
            } => format!("{connection}:{table}"),
        }
    }
}

pub(super) struct StepTargets<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) lake: &'a Lake,
    pub(super) known: &'a BTreeMap<TableName, SchemaRef>,
    pub(super) ahead: &'a Ahead,
    pub(super) plugins: &'a BTreeMap<String, LoadedPlugin>,
    pub(super) params_hash: &'a str,
    /// Whether the lake is one of its own, in which nothing is yet.
    pub(super) isolated: bool,
    /// Whether steps that add files replace what they have added.
    pub(super) full_refresh: bool,
    /// Whether quarantine is needed though the step may reject no row.
    pub(super) replay: bool,
}

impl StepTargets<'_> {
    pub(super) async fn plan(
        &self,
        step: Step,
        depends_on: BTreeSet<usize>,
        (tables, own): (BTreeSet<TableName>, Option<(TableName, SchemaRef)>),
        input: SchemaRef,
        files: Option<Vec<InputFile>>,
        mut segments: Vec<PlannedSegment>,
    ) -> Result<PlannedStep> {
        let last = segments
            .last_mut()
            .ok_or_else(|| Error::internal("a step has no segment"))?;
        let mut writes = Vec::with_capacity(step.writes.len());
        let mut judged = Vec::with_capacity(step.writes.len());
        for write in &step.writes {
            let (planned, rules) = self.write(&step, write, last).await?;
            judged.push(Judged {
                output: planned.output,
                target: planned.target.display(),
                rules,
            });
            writes.push(planned);
        }
        let judging = stages_of(&step, last, judged);
        last.stages.extend(judging);
        for (index, segment) in segments.iter().enumerate() {
            for check in &segment.whole {
                let written = index + 1 < segments.len()
                    || writes.iter().any(|write| write.output == check.output);
                if !written {
                    return Err(Fault::new(format!(
                        "'{}' judges an output that is not written",
                        check.rule
                    ))
                    .at(&check.place)
                    .hint("write the output, or check it in a step that does")
                    .into());
                }
            }
        }
        let quarantine = self.quarantine(&step, &segments, &writes).await?;
        let fingerprint = fingerprint::of(&step, &writes, self.plugins);
        Ok(PlannedStep {
            step,
            depends_on,
            tables,
            files,
            reader: None,
            own,
            input,
            segments,
            writes,
            sql: None,
            quarantine,
            fingerprint,
        })
    }

    /// Whose commits a target counts. A step may write one table twice, under two scopes.
    pub(super) fn app_id(
        &self,
        step: &Step,
        target: &str,
        output: usize,
        scope: &[(String, ScopeValue)],
    ) -> String {
        let mut id = format!(
            "weir/{}/{}/{target}/{}",
            self.pipeline.name,
            step.name,
            sequence(step, self.params_hash)
        );
        if step.writes.len() > 1 {
            let part = format!("{output} {scope:?}");
            id.push_str(&format!("/{}", hex(&Sha256::digest(part.as_bytes()), 8)));
        }
        id
    }

    async fn write(
        &self,
        step: &Step,
        write: &Write,
        segment: &PlannedSegment,
    ) -> Result<(PlannedWrite, Vec<(FailAction, CheckRule)>)> {
        let output = named_output(&segment.outputs, write.output.as_deref(), &write.place)?;
        let (_, schema) = at_index(&segment.outputs, output)?;
        let fault = |error: Error| super::at(error, &write.place);
        let mut columns = Vec::new();
        let mut kept = Vec::new();
        let mut pinned = Vec::new();
        let by = partition_columns(write, schema)?;
        let (merge, required) = merging(write, schema)?;
        for (index, field) in schema.fields().iter().enumerate() {
            if by.iter().any(|column| column.name == *field.name()) {
                continue;
            }
            match write
                .partition
                .iter()
                .find(|(name, _)| name == field.name())
            {
                Some((name, value)) => {
                    let wanted = scope_type(value);
                    let fits = field.data_type() == &wanted
                        || (field.data_type().is_integer() && wanted.is_integer());
                    if !fits {
                        return Err(Fault::new(format!(
                            "column '{name}' is {}, its partition value {}",
                            type_text(field.data_type()),
                            type_text(&wanted)
                        ))
                        .at(&write.place)
                        .hint("write the value in the column's type (a date without quotes), cast the column in a query, or take it out of the output")
                        .into());
                    }
                    pinned.push((index, name.clone(), scope_array(value).map_err(fault)?));
                }
                None => {
                    columns.push(index);
                    kept.push(Arc::clone(field));
                }
            }
        }
        if columns.is_empty() {
            return Err(
                Fault::new("all columns are partition columns, no data is left to write")
                    .at(&write.place)
                    .hint("write at least one column besides the partition's")
                    .into(),
            );
        }
        match &write.target {
            Target::Table(name) => {
                if kept.iter().any(|field| field.name() == RUN_COLUMN) {
                    return Err(Fault::new(format!(
                        "'{RUN_COLUMN}' is added to each row by weir, and the rows have one"
                    ))
                    .at(&write.place)
                    .hint("give the column another name in a query")
                    .into());
                }
                kept.push(Arc::new(Field::new(RUN_COLUMN, DataType::Utf8, true)));
                let kept = Schema::new(kept);
                let display = format!("{}.{}", name.zone, name.table);
                let rows = lake_schema(&kept, &display).map_err(fault)?;
                let rows_schema = with_partitions(&rows, &write.partition, &by);
                names_differ(&rows_schema).map_err(fault)?;
                let root = self.lake.table(name).map_err(fault)?;
                let existing = self.existing(&root, name).await?;
                let found = Written {
                    step,
                    write,
                    segment,
                    output,
                    rows: &rows,
                    columns: &columns,
                    partitions: partition_fields(&write.partition, &by),
                    merge: merge.as_ref(),
                    target: &display,
                };
                let found = self.in_lake(&found, existing.as_ref())?;
                let planned = PlannedWrite {
                    output,
                    app_id: self.app_id(step, &display, output, &write.partition),
                    target: PlannedTarget::Table { name: name.clone() },
                    mode: write.mode,
                    folder: scope_folder(&write.partition),
                    scope: write.partition.clone(),
                    root,
                    file_schema: found.file_schema,
                    columns: found.columns,
                    lossy: found.lossy,
                    pinned,
                    by,
                    merge,
                    required,
                    rows_schema,
                    written_schema: found.written,
                    table_schema: found.table_schema,
                    differences: found.differences,
                    evolves: write.schema_change.new_column == ColumnChange::Evolve,
                    labels: Labels::new(),
                };
                Ok((planned, found.rules))
            }
            Target::Database { connection, table } => {
                let kept = Schema::new(kept);
                if let Some(kind) = self.server(connection) {
                    let rows = Columns {
                        file_schema: Arc::new(kept),
                        columns,
                        pinned,
                        by,
                        merge,
                        required,
                    };
                    return self
                        .on_server(
                            (step, write),
                            (segment, output),
                            (kind, connection, table),
                            rows,
                        )
                        .await;
                }
                let path = self.sqlite_path(connection)?;
                if ["_weir_", "sqlite_"]
                    .iter()
                    .any(|prefix| table.starts_with(prefix))
                {
                    return Err(Fault::new(format!("a table cannot be called '{table}'"))
                        .at(&write.place)
                        .hint("names that begin with _weir_ or sqlite_ are taken")
                        .into());
                }
                for field in kept.fields() {
                    let orders = |merging: &Merging| merging.order.contains(field.name());
                    if let DataType::Decimal128(16.., _) = field.data_type()
                        && merge.as_ref().is_some_and(orders)
                    {
                        return Err(fault(Error::usage(format!(
                            "SQLite keeps '{}' as a text, which says nothing about the order of its rows",
                            field.name()
                        ))
                        .with_hint("cast it to a decimal of at most 15 digits, or order by another column")));
                    }
                    sqlite_type(field.data_type()).map_err(|why| {
                        fault(Error::usage(format!(
                            "column '{}' cannot be kept in {connection}:{table}: {why}",
                            field.name()
                        )))
                    })?;
                }
                let rows_schema = with_partitions(&Arc::new(kept.clone()), &write.partition, &by);
                names_differ(&rows_schema).map_err(fault)?;
                let display = format!("{connection}:{table}");
                let found = Written {
                    step,
                    write,
                    segment,
                    output,
                    rows: &kept,
                    columns: &columns,
                    partitions: partition_fields(&write.partition, &by),
                    merge: merge.as_ref(),
                    target: &display,
                };
                let found = self.in_sqlite(&found, (connection, &path, table)).map_err(
                    |error| match error.faults() {
                        Some(_) => error,
                        None => fault(error),
                    },
                )?;
                let planned = PlannedWrite {
                    output,
                    app_id: self.app_id(step, &display, output, &write.partition),
                    target: PlannedTarget::Sqlite {
                        connection: connection.clone(),
                        path,
                        table: table.clone(),
                        remakes: self.replaces(step, write.mode),
                    },
                    mode: write.mode,
                    scope: write.partition.clone(),
                    root: self.lake.weir().child(&["staging", &self.pipeline.name]),
                    folder: String::new(),
                    file_schema: found.file_schema,
                    columns: found.columns,
                    lossy: found.lossy,
                    pinned,
                    by,
                    merge,
                    required,
                    rows_schema,
                    table_schema: Arc::clone(&found.written),
                    written_schema: found.written,
                    differences: found.differences,
                    evolves: write.schema_change.new_column == ColumnChange::Evolve,
                    labels: Labels::new(),
                };
                Ok((planned, found.rules))
            }
        }
    }

    /// What the server of a connection is; none if it is a file.
    fn server(&self, connection: &str) -> Option<ServerKind> {
        self.pipeline.connections.get(connection)?.kind.server()
    }

    fn sqlite_path(&self, connection: &str) -> Result<PathBuf> {
        let found = self
            .pipeline
            .connections
            .get(connection)
            .ok_or_else(|| Error::internal("a connection is not there"))?;
        match &found.kind {
            ConnectionKind::Server(..)
            | ConnectionKind::Redshift(_)
            | ConnectionKind::Dynamodb(_)
            | ConnectionKind::Adbc(_) => {
                Err(Error::internal("a server is taken for a SQLite file"))
            }
            ConnectionKind::Sqlite { path: Some(path) } => Ok(PathBuf::from(path)),
            ConnectionKind::Sqlite { path: None } => self.lake.warehouse().ok_or_else(|| {
                Fault::new("the lake is remote, so its warehouse file needs a path")
                    .at(&found.place)
                    .hint("give `path` in the connection")
                    .into()
            }),
        }
    }
}

/// Names the sequence of a step's decisions. What replaces or extends a whole table is one sequence
/// whatever the parameters: a decision of other parameters must not be rolled over it later, nor a
/// file be added once for each. Under a static scope each set of parameters has its own.
pub(crate) fn sequence<'a>(step: &Step, params_hash: &'a str) -> &'a str {
    let scoped = |write: &Write| match write.mode {
        WriteMode::ReplacePartition => true,
        WriteMode::Append | WriteMode::Replace | WriteMode::ReplaceDynamic | WriteMode::Merge => {
            false
        }
    };
    if step.writes.iter().all(scoped) {
        params_hash
    } else {
        "all"
    }
}

/// Whether the step reads only what it has not read before.
pub fn is_incremental(step: &Step) -> bool {
    let adds = |write: &Write| match write.mode {
        WriteMode::Append | WriteMode::Merge => true,
        WriteMode::Replace | WriteMode::ReplacePartition | WriteMode::ReplaceDynamic => false,
    };
    // A table of DynamoDB is read whole each time.
    let files = matches!(&step.read.source, ReadSource::Files(files) if files.items.is_none())
        && step.writes.iter().any(adds);
    files || step.read.incremental.is_some()
}

/// The columns of `there`, and behind them those that only `more` has.
pub(crate) fn both(there: &Schema, more: &Schema) -> SchemaRef {
    let new = more.fields().iter();
    let new = new.filter(|field| there.field_with_name(field.name()).is_err());
    let fields = there.fields().iter().chain(new).cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
