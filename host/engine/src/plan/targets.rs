//! Targets: where each output goes, in which types, under which scope.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use weir_pipeline::{
    ColumnChange, ConnectionKind, FailAction, Fault, PartitionPart, Pipeline, ReadSource,
    ScopeValue, ServerKind, Step, TableName, Target, WhenMatched, Write, WriteMode,
};

use super::ahead::Ahead;
use super::stages::{at_index, named_output};
use super::target_schema::{Existing, Judged, KeptColumns, Written, stages_of};
use super::{Labels, PlannedSegment, PlannedStep, SegmentSource, fingerprint, hex, incremental};
use crate::adbc;
use crate::connections::Connections;
use crate::difference::SchemaDifference;
use crate::error::{Error, Result};
use crate::files::InputFile;
use crate::lake::{Lake, Location, RUN_COLUMN};
use crate::merge::Merging;
use crate::partition::{self, PartitionColumn};
use crate::plugins::LoadedPlugin;
use crate::quarantine;
use crate::redshift;
use crate::segment::{CheckRule, Quarantine};
use crate::server::{self, Incoming, TableOptions, TablePath};
use crate::types::{
    lake_schema, lake_type, names_differ, scope_text, scope_type, sqlite_type, type_text,
};
use sha2::{Digest, Sha256};

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

/// Where a step's rejected rows go.
pub struct QuarantinePlan {
    /// The table.
    pub name: TableName,
    /// Its folder.
    pub root: Location,
    /// The folder below it for this scope; empty for none.
    pub folder: String,
    /// For each segment the schema of its rejected rows' files; all are columns of the table.
    pub file_schemas: Vec<SchemaRef>,
    /// The columns that are written, scope columns included.
    pub written_schema: SchemaRef,
    /// The schema of the table afterwards.
    pub table_schema: SchemaRef,
    /// What is sensitive of its columns.
    pub labels: Labels,
    /// Scope columns and their values.
    pub scope: Vec<(String, ScopeValue)>,
    /// How its rows meet those that are there.
    pub mode: WriteMode,
    /// Makes its commits this step's and these parameters'.
    pub app_id: String,
}

/// The columns of a write.
struct Columns {
    file_schema: SchemaRef,
    columns: Vec<usize>,
    pinned: Vec<(usize, String, ArrayRef)>,
    by: Arc<[PartitionColumn]>,
    merge: Option<Merging>,
    required: Vec<(usize, String)>,
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
    fn app_id(
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

    /// A write to a table of a server's database.
    async fn on_server(
        &self,
        (step, write): (&Step, &Write),
        (segment, output): (&PlannedSegment, usize),
        (kind, connection, table): (ServerKind, &str, &str),
        of: Columns,
    ) -> Result<(PlannedWrite, Vec<(FailAction, CheckRule)>)> {
        let fault = |error: Error| super::at(error, &write.place);
        let path = server::path(kind, table).map_err(fault)?;
        if path.table.starts_with("_weir_") {
            return Err(Fault::new(format!("a table cannot be called '{table}'"))
                .at(&write.place)
                .hint("names that begin with _weir_ are taken")
                .into());
        }
        let display = format!("{connection}:{path}");
        let rows_schema = with_partitions(&of.file_schema, &write.partition, &of.by);
        names_differ(&rows_schema).map_err(fault)?;
        let ddl = write.ddl.as_ref();
        if let Some(ddl) = ddl {
            server::check(kind, &rows_schema, ddl)?;
        }
        let written = Written {
            step,
            write,
            segment,
            output,
            rows: &of.file_schema,
            columns: &of.columns,
            partitions: partition_fields(&write.partition, &of.by),
            merge: of.merge.as_ref(),
            target: &display,
        };
        let connections = Connections::of(self.pipeline, self.lake);
        let evolves = write.schema_change.new_column == ColumnChange::Evolve;
        let keys = server::keys(&write.partition, of.merge.as_ref(), ddl);
        // The types of the file are for the rows as they come, not for what a table keeps of them.
        let types = ddl.map(|ddl| &ddl.types);
        let said = |field: &Field| {
            let as_it_comes = rows_schema.field_with_name(field.name()).ok()?;
            let is_same = as_it_comes.data_type() == field.data_type();
            types.filter(|_| is_same)?.get(field.name()).cloned()
        };
        let made = |schema: &Schema| {
            let made = server::made(kind, schema, &keys, &said);
            made.map_err(|error| fault(error.within(&display)))
        };
        // Only in PostgreSQL a table can be made anew within the load.
        let remakes = kind == ServerKind::Postgres && self.replaces(step, write.mode);
        let (found, columns) = match kind {
            ServerKind::Adbc => {
                let merges = of.merge.is_some();
                let planned = adbc::plan(&connections, connection, &path, &rows_schema, merges);
                (KeptColumns::all(&written), planned.await.map_err(fault)?)
            }
            ServerKind::Postgres | ServerKind::Mysql | ServerKind::Redshift => {
                if kind == ServerKind::Redshift {
                    let stores = self.lake.root().stores();
                    redshift::staging_opens(&connections, connection, stores).map_err(fault)?;
                }
                // What may be left out need not have a type there.
                let leaves_out = match write.schema_change.new_column {
                    ColumnChange::Quarantine | ColumnChange::Discard => true,
                    ColumnChange::Evolve | ColumnChange::Freeze => false,
                };
                let alone = |field: &Arc<Field>| Schema::new(vec![Arc::clone(field)]);
                let offered = rows_schema
                    .fields()
                    .iter()
                    .filter(|field| !leaves_out || made(&alone(field)).is_ok())
                    .cloned();
                let offered = Schema::new(offered.collect::<Vec<_>>());
                let incoming = Incoming {
                    schema: &offered,
                    columns: &made(&offered)?,
                    mode: write.mode.into(),
                    remakes,
                    evolves,
                };
                let ahead = self.ahead.table(connection, &path.to_string());
                let there = match ahead {
                    // Whether it may be made has been asked for the step that makes it.
                    Some(ahead) if ahead.is_made => None,
                    _ => {
                        let there = server::found(kind, &connections, connection, &path, &incoming);
                        there.await.map_err(fault)?
                    }
                };
                let there = match ahead {
                    Some(ahead) => {
                        Some(ahead.on_server(kind, there.unwrap_or_default(), &incoming))
                    }
                    None => there,
                };
                let found = self.at_server(&written, there.as_deref(), remakes)?;
                if let Some(ddl) = ddl.filter(|_| remakes) {
                    server::has_named(&found.written, ddl)?;
                }
                let columns = made(&found.written)?;
                (found, columns)
            }
        };
        let planned = PlannedWrite {
            output,
            app_id: self.app_id(step, &display, output, &write.partition),
            target: PlannedTarget::Server {
                kind,
                connection: connection.to_owned(),
                table: path,
                remakes,
                columns,
                options: TableOptions::of(ddl),
            },
            mode: write.mode,
            scope: write.partition.clone(),
            root: self.lake.weir().child(&["staging", &self.pipeline.name]),
            folder: String::new(),
            file_schema: found.file_schema,
            columns: found.columns,
            lossy: found.lossy,
            pinned: of.pinned,
            by: of.by,
            merge: of.merge,
            required: of.required,
            rows_schema,
            table_schema: Arc::clone(&found.written),
            written_schema: found.written,
            differences: found.differences,
            evolves,
            labels: Labels::new(),
        };
        Ok((planned, found.rules))
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

    async fn quarantine(
        &self,
        step: &Step,
        segments: &[PlannedSegment],
        writes: &[PlannedWrite],
    ) -> Result<Option<QuarantinePlan>> {
        let quarantines = |action: FailAction| action == FailAction::Quarantine;
        let read_action = match &step.read.source {
            ReadSource::Files(read) => read.on_fail.action,
            ReadSource::Table(_) | ReadSource::Sql(_) | ReadSource::Nothing => FailAction::Fail,
        };
        let keeps_records = |segment: &PlannedSegment| match &segment.source {
            SegmentSource::Read => quarantines(read_action),
            SegmentSource::Sql(_) => false,
        };
        let rejecting: Vec<&PlannedSegment> = segments
            .iter()
            .filter(|segment| {
                keeps_records(segment)
                    || segment
                        .stages
                        .iter()
                        .any(|stage| quarantines(stage.fate.action))
                    || segment
                        .whole
                        .iter()
                        .any(|check| quarantines(check.fate.action))
            })
            .collect();
        if rejecting.is_empty() && !self.replay {
            return Ok(None);
        }
        incremental::keeps_cursor(step, rejecting.iter().copied())?;
        let beside = writes.iter().find_map(|write| match &write.target {
            PlannedTarget::Table { name, .. } => Some((write, name)),
            PlannedTarget::Sqlite { .. } | PlannedTarget::Server { .. } => None,
        });
        let Some((write, table)) = beside else {
            if rejecting.is_empty() {
                return Ok(None);
            }
            return Err(Fault::new(
                "the step can reject rows but writes no lake table, beside which quarantine lies",
            )
            .at(&step.place)
            .hint("write a lake table too, or use on_fail = \"drop\", \"warn\" or \"fail\"")
            .into());
        };
        let name = quarantine::beside(table);
        let display = format!("{}.{}", name.zone, name.table);
        let mut file_schemas = Vec::with_capacity(segments.len());
        let mut all: Vec<Arc<Field>> = Vec::new();
        for segment in segments {
            let schema = lake_schema(
                &Quarantine::schema(segment.kept.schema(), keeps_records(segment)),
                &display,
            )?;
            if segments.len() == 1 || rejecting.iter().any(|other| std::ptr::eq(*other, segment)) {
                for field in schema.fields() {
                    match all.iter().find(|known| known.name() == field.name()) {
                        None => all.push(Arc::clone(field)),
                        Some(known) if known.data_type() == field.data_type() => {}
                        Some(_) => {
                            return Err(Fault::new(format!(
                                "rows are rejected before and after a query, and '{}' has two types there",
                                field.name()
                            ))
                            .at(&step.place)
                            .hint("give the column another name in the query, or use two steps")
                            .into());
                        }
                    }
                }
            }
            file_schemas.push(schema);
        }
        // Prefixed: the input row may have a column of that name, with a value of its own.
        let mut scope: Vec<(String, ScopeValue)> = write
            .scope
            .iter()
            .map(|(name, value)| (format!("_weir_scope_{name}"), value.clone()))
            .collect();
        let mode = match write.mode {
            WriteMode::Append | WriteMode::Replace | WriteMode::ReplacePartition => write.mode,
            // New files bring new rows, and new rejects.
            WriteMode::Merge if is_incremental(step) => WriteMode::Append,
            // Rejected rows have no partition that could be relied upon, and other parameters bring other
            // rows: each set of parameters replaces its own.
            WriteMode::Merge | WriteMode::ReplaceDynamic => {
                let params = ScopeValue::String(self.params_hash.to_owned());
                scope.push(("_weir_scope_params".to_owned(), params));
                WriteMode::ReplacePartition
            }
        };
        let taken = segments.iter().flat_map(|segment| segment.input.fields());
        if let Some(field) = taken
            .into_iter()
            .find(|field| field.name().starts_with("_weir_"))
        {
            return Err(Fault::new(format!(
                "column '{}' has a name that quarantine needs",
                field.name()
            ))
            .at(&step.place)
            .hint("give the column another name in a query before")
            .into());
        }
        let root = self.lake.table(&name)?;
        let table = self.existing(&root, &name).await?;
        if rejecting.is_empty() && table.is_none() {
            return Ok(None);
        }
        let all = Arc::new(Schema::new(all));
        let (written_schema, table_schema) = match &table {
            Some(table) => {
                let whole = self.replaces(step, mode);
                if !whole {
                    scoped_alike(&display, &scope, table, step)?;
                }
                for schema in &mut file_schemas {
                    *schema = quarantine::columns_for(schema, &table.schema, whole)?;
                }
                let written = quarantine::columns_for(&all, &table.schema, whole)?;
                let written = with_partitions(&written, &scope, &[]);
                match whole {
                    true => (Arc::clone(&written), written),
                    false => {
                        let after = both(&table.schema, &written);
                        (written, after)
                    }
                }
            }
            None => {
                let written = with_partitions(&all, &scope, &[]);
                (Arc::clone(&written), written)
            }
        };
        names_differ(&table_schema)?;
        Ok(Some(QuarantinePlan {
            root,
            app_id: self.app_id(step, &display, 0, &write.scope),
            folder: scope_folder(&scope),
            file_schemas,
            written_schema,
            table_schema,
            labels: Labels::new(),
            scope,
            mode,
            name,
        }))
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
pub(crate) fn is_incremental(step: &Step) -> bool {
    let adds = |write: &Write| match write.mode {
        WriteMode::Append | WriteMode::Merge => true,
        WriteMode::Replace | WriteMode::ReplacePartition | WriteMode::ReplaceDynamic => false,
    };
    // A table of DynamoDB is read whole each time.
    let files = matches!(&step.read.source, ReadSource::Files(files) if files.items.is_none())
        && step.writes.iter().any(adds);
    files || step.read.incremental.is_some()
}

/// The schema with the partition columns behind.
fn with_partitions(
    schema: &SchemaRef,
    scope: &[(String, ScopeValue)],
    by: &[PartitionColumn],
) -> SchemaRef {
    let fields = schema.fields().iter().cloned();
    let fields = fields.chain(partition_fields(scope, by));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The partition columns, as a table has them.
fn partition_fields(scope: &[(String, ScopeValue)], by: &[PartitionColumn]) -> Vec<Arc<Field>> {
    let scope = scope
        .iter()
        .map(|(name, value)| Arc::new(Field::new(name, scope_type(value), true)));
    let by = by.iter().map(|column| Arc::new(column.field()));
    scope.chain(by).collect()
}

/// The columns of `there`, and behind them those that only `more` has.
pub(crate) fn both(there: &Schema, more: &Schema) -> SchemaRef {
    let new = more.fields().iter();
    let new = new.filter(|field| there.field_with_name(field.name()).is_err());
    let fields = there.fields().iter().chain(new).cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A quarantine table's scope columns are those of its step's target, and cannot change.
fn scoped_alike(
    display: &str,
    scope: &[(String, ScopeValue)],
    table: &Existing,
    step: &Step,
) -> Result<()> {
    let own: Vec<&str> = scope.iter().map(|(name, _)| name.as_str()).collect();
    match &table.partitions {
        Some(partitions) if *partitions != own => Err(Fault::new(format!(
            "{display} is partitioned by ({}), the step's scope is ({})",
            partitions.join(", "),
            own.join(", ")
        ))
        .at(&step.place)
        .hint("keep the partition columns, or write another table")
        .into()),
        _ => Ok(()),
    }
}

/// A column of the output that a write names.
fn named_column(schema: &Schema, name: &str, write: &Write) -> Result<usize> {
    super::stages::column_index(schema, name, &write.place)
}

/// The partition columns whose values the rows of an output have.
fn partition_columns(write: &Write, schema: &Schema) -> Result<Arc<[PartitionColumn]>> {
    let mut columns = Vec::with_capacity(write.partition_by.len());
    for by in &write.partition_by {
        let index = named_column(schema, &by.column, write)?;
        let source = schema.field(index).data_type();
        let fault = |why: String, hint: &str| -> Error {
            Fault::new(why).at(&write.place).hint(hint).into()
        };
        let kept = lake_type(source).map_err(|why| {
            fault(
                format!("'{}' cannot be a partition column: {why}", by.column),
                "partition by another column",
            )
        })?;
        let data_type = PartitionColumn::data_type(by.part, &kept).map_err(|able| {
            fault(
                format!(
                    "'{}' is {}, and this partition column needs {able}",
                    by.column,
                    type_text(source)
                ),
                "partition by another column, or cast it in a query",
            )
        })?;
        let name = by.name();
        if by.part != PartitionPart::Whole && schema.field_with_name(&name).is_ok() {
            return Err(fault(
                format!("the rows have a column '{name}', the name of the partition column"),
                "partition by that column, or give it another name in a query",
            ));
        }
        columns.push(PartitionColumn {
            name,
            index,
            part: by.part,
            data_type,
        });
    }
    Ok(columns.into())
}

/// How a write merges, and the columns in which its rows must have a value.
#[expect(clippy::type_complexity, reason = "a pair of two lists")]
fn merging(write: &Write, schema: &Schema) -> Result<(Option<Merging>, Vec<(usize, String)>)> {
    let Some(merge) = &write.merge else {
        return Ok((None, Vec::new()));
    };
    let fault =
        |why: String, hint: &str| -> Error { Fault::new(why).at(&write.place).hint(hint).into() };
    let mut required = Vec::with_capacity(merge.key.len());
    for name in merge.key.iter().chain(&merge.order) {
        let index = named_column(schema, name, write)?;
        let data_type = schema.field(index).data_type();
        let ordered = merge.order.contains(name);
        if data_type.is_nested() || (data_type.is_floating() && !ordered) {
            return Err(fault(
                format!(
                    "'{name}' is {}, by which rows cannot be told apart",
                    type_text(data_type)
                ),
                "name a text, number, date or timestamp; cast floats to decimals in a query",
            ));
        }
        if write.partition.iter().any(|(scope, _)| scope == name) {
            return Err(fault(
                format!("'{name}' has one value in all rows, by `partition`"),
                "leave it out of `key` and `order`",
            ));
        }
        if merge.key.contains(name) {
            required.push((index, name.clone()));
        }
    }
    if let Some(by) = write
        .partition_by
        .iter()
        .find(|by| !merge.key.contains(&by.column))
    {
        return Err(fault(
            format!(
                "rows with one key could be in several partitions: '{}' is not part of the key",
                by.column
            ),
            "add the column to `key`, or leave it out of `partition_by`",
        ));
    }
    let merging = Merging {
        key: merge.key.clone(),
        order: merge.order.clone(),
        keep: match merge.when_matched {
            WhenMatched::Update => false,
            WhenMatched::Keep => true,
        },
    };
    Ok((Some(merging), required))
}

/// The scope's value as an array of one.
fn scope_array(value: &ScopeValue) -> Result<ArrayRef> {
    let text = scope_text(value);
    let scalar = match scope_type(value) {
        DataType::Utf8 => ScalarValue::Utf8(Some(text)),
        data_type => ScalarValue::try_from_string(text, &data_type)?,
    };
    Ok(scalar.to_array()?)
}

/// The folder of a scope's files.
fn scope_folder(scope: &[(String, ScopeValue)]) -> String {
    let texts: Vec<(&str, String)> = scope
        .iter()
        .map(|(name, value)| (name.as_str(), scope_text(value)))
        .collect();
    partition::folder(
        texts
            .iter()
            .map(|(name, value)| (*name, Some(value.as_str()))),
    )
}
