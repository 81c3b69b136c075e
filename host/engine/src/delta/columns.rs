//! The columns of a commit, and of the table that it is made on.
//!
//! A table may have got other columns since the step was planned: somebody else evolves or replaces it.
//! So a commit is held against the very snapshot that it is made on, and what it adds is what that
//! snapshot lacks.

use std::collections::BTreeSet;

use arrow::datatypes::Schema;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake_core::kernel::{Action, MetadataExt, MetadataValue, StructField, StructType};
use deltalake_core::{DeltaTable, DeltaTableError};

use super::{DeltaCommit, Mode};
use crate::error::{Error, Result};
use crate::plan::{LABELS_KEY, gains_naive};
use crate::segment::EnvelopeExec;
use crate::types::type_text;

/// The columns of a table after a commit.
pub(super) struct TableColumns {
    /// All of them.
    pub(super) schema: StructType,
    /// Whether the commit has to say so.
    changed: bool,
}

impl TableColumns {
    /// Those of a table that takes the columns of a commit.
    pub(super) fn of_new(schema: StructType) -> TableColumns {
        TableColumns {
            schema,
            changed: false,
        }
    }

    /// The table's metadata with these columns, where they are not what it has.
    pub(super) fn metadata(&self, table: &DeltaTable) -> Result<Option<Action>> {
        if !self.changed {
            return Ok(None);
        }
        let metadata = table.snapshot()?.metadata().clone();
        let metadata = metadata
            .with_schema(&self.schema)
            .map_err(DeltaTableError::from)?;
        Ok(Some(Action::Metadata(metadata)))
    }
}

/// The column with the labels that the rows' has besides; none if it has them all.
fn gained(there: &StructField, own: &StructField) -> Option<StructField> {
    let labels = |field: &StructField| -> BTreeSet<String> {
        match field.metadata.get(LABELS_KEY) {
            Some(MetadataValue::String(text)) => text.split(',').map(str::to_owned).collect(),
            _ => BTreeSet::new(),
        }
    };
    let (known, new) = (labels(there), labels(own));
    if new.is_subset(&known) {
        return None;
    }
    let all: Vec<String> = known.union(&new).cloned().collect();
    Some(there.clone().add_metadata([(LABELS_KEY, all.join(","))]))
}

impl DeltaCommit {
    /// The columns that the table has after the commit is made on its snapshot; or why it cannot be made.
    pub(super) fn columns_in(&self, table: &DeltaTable) -> Result<Result<TableColumns, String>> {
        let own = self.struct_type()?;
        match self.mode {
            Mode::Replace => return Ok(Ok(TableColumns::of_new(own))),
            Mode::Append
            | Mode::ReplacePartition
            | Mode::ReplaceDynamic
            | Mode::Merge
            | Mode::Rewrite => {}
        }
        let state = table.snapshot()?;
        let there = EnvelopeExec::visible(&state.snapshot().arrow_schema());
        let ours = EnvelopeExec::visible(&arrow_of(&own)?);
        let mut reasons = Vec::new();
        let mut new = Vec::new();
        for field in ours.fields() {
            let (name, text) = (field.name(), type_text(field.data_type()));
            match there.field_with_name(name) {
                Ok(found) if type_text(found.data_type()) == text => {}
                Ok(found) => reasons.push(format!(
                    "'{name}' is {} in the table and {text} in the rows",
                    type_text(found.data_type())
                )),
                Err(_) => match self.cannot_add(table, &there, field.as_ref())? {
                    Some(reason) => reasons.push(reason),
                    None => new.push(name.clone()),
                },
            }
        }
        for field in there.fields() {
            if !field.is_nullable() && ours.field_with_name(field.name()).is_err() {
                reasons.push(format!("'{}' may not be null in the table", field.name()));
            }
        }
        if !reasons.is_empty() {
            return Ok(Err(reasons.join("; ")));
        }
        let added: Vec<StructField> = own
            .fields()
            .filter(|field| new.contains(field.name()))
            .cloned()
            .collect();
        // A column that gets sensitive values says so from now on; none is forgotten.
        let mut changed = !added.is_empty();
        let there: Vec<StructField> = state
            .schema()
            .fields()
            .map(
                |field| match own.field(field.name()).and_then(|own| gained(field, own)) {
                    Some(labelled) => {
                        changed = true;
                        labelled
                    }
                    None => field.clone(),
                },
            )
            .collect();
        let schema = StructType::try_new(there.into_iter().chain(added))
            .map_err(|error| Error::internal("Delta cannot hold a schema").with_source(error))?;
        Ok(Ok(TableColumns { schema, changed }))
    }

    /// Why the table cannot get a column, if it cannot.
    fn cannot_add(
        &self,
        table: &DeltaTable,
        there: &Schema,
        field: &arrow::datatypes::Field,
    ) -> Result<Option<String>> {
        let name = field.name();
        let mapping = table.snapshot()?.metadata().configuration().clone();
        let mapping = mapping.get("delta.columnMapping.mode").cloned();
        let alike = there
            .fields()
            .iter()
            .find(|there| there.name().eq_ignore_ascii_case(name));
        Ok(if !self.evolves {
            Some(format!("'{name}' is not in the table"))
        } else if self.partition_columns().contains(&name.as_str()) {
            Some(format!("'{name}' is no partition column of the table"))
        } else if self
            .merge
            .as_ref()
            .is_some_and(|merge| merge.key.contains(name))
        {
            Some(format!(
                "'{name}' is not in the table, and rows are merged by it"
            ))
        } else if let Some(alike) = alike {
            Some(format!(
                "'{name}' is called '{}' in the table",
                alike.name()
            ))
        } else if gains_naive(there, field.data_type()) {
            Some(format!(
                "'{name}' is a timestamp without a zone, and the table was made without one"
            ))
        } else if mapping.is_some_and(|mode| mode != "none") {
            Some(format!(
                "'{name}' is new, and the table's columns are mapped, which weir does not do"
            ))
        } else {
            None
        })
    }
}

/// The schema in Arrow's words.
pub(super) fn arrow_of(schema: &StructType) -> Result<Schema> {
    schema
        .try_into_arrow()
        .map_err(|error| Error::internal("Arrow cannot hold a schema").with_source(error))
}
