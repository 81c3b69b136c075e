//! Where a step's rejected rows go.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use weir_pipeline::{FailAction, Fault, ReadSource, ScopeValue, Step, TableName, WriteMode};

use super::target_schema::Existing;
use super::targets::{PlannedTarget, PlannedWrite, StepTargets, both, is_incremental};
use super::write_columns::{scope_folder, with_partitions};
use super::{Labels, PlannedSegment, SegmentSource, incremental};
use crate::error::Result;
use crate::lake::Location;
use crate::quarantine;
use crate::segment::Quarantine;
use crate::types::{lake_schema, names_differ};

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

impl StepTargets<'_> {
    /// The plan of the step's quarantine; none if it cannot reject a row.
    pub(super) async fn quarantine(
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
            SegmentSource::Sql(_) | SegmentSource::Fold(_) => false,
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
