//! A write to a table of a server's database.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Schema, SchemaRef};
use weir_pipeline::{ColumnChange, FailAction, Fault, ServerKind, Step, Write};

use super::target_schema::{KeptColumns, Written};
use super::targets::{PlannedTarget, PlannedWrite, StepTargets};
use super::write_columns::{partition_fields, with_partitions};
use super::{Labels, PlannedSegment};
use crate::adbc;
use crate::connections::Connections;
use crate::difference::SchemaDifference;
use crate::error::{Error, Result};
use crate::merge::Merging;
use crate::partition::PartitionColumn;
use crate::postgres;
use crate::redshift;
use crate::segment::CheckRule;
use crate::server::{self, Incoming, TableOptions};
use crate::types::names_differ;

/// The columns of a write.
pub(super) struct Columns {
    pub(super) file_schema: SchemaRef,
    pub(super) columns: Vec<usize>,
    pub(super) pinned: Vec<(usize, String, ArrayRef)>,
    pub(super) by: Arc<[PartitionColumn]>,
    pub(super) merge: Option<Merging>,
    pub(super) required: Vec<(usize, String)>,
}

impl StepTargets<'_> {
    /// A write to a table of a server's database.
    pub(super) async fn on_server(
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
            let made = server::made(kind, schema, &keys, said);
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
                let is_made_anew = remakes
                    && there.is_some()
                    && found
                        .differences
                        .iter()
                        .any(SchemaDifference::changes_table);
                if is_made_anew && ahead.is_none() {
                    let options = TableOptions::of(ddl);
                    let lost = postgres::loses(&connections, connection, &path, &options);
                    self.may_be_made_anew(&display, write, lost.await.map_err(fault)?)?;
                }
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

    /// A table is made anew only where nothing is lost that the pipeline does not say.
    fn may_be_made_anew(&self, display: &str, write: &Write, lost: Vec<String>) -> Result<()> {
        if lost.is_empty() {
            return Ok(());
        }
        Err(Fault::new(format!(
            "{display} has other columns than the rows, and would lose, made anew with those, {}",
            lost.join(", ")
        ))
        .at(&write.place)
        .hint("give the table the columns at the server (alter table), leave the step's own to it with schema_change, say in `ddl` what is to be there, or drop the table: it is made anew then")
        .into())
    }
}
