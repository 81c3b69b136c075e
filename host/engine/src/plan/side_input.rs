//! Reference tables that a plugin is handed, bound: where they are read, and with which schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use weir_pipeline::{PluginStage, Read};
use weir_sandbox::normalise_schema;

use super::stages::{StepPlanner, distinct_names};
use super::{at, read_schema};
use crate::connections::Connections;
use crate::error::{Error, Result};

/// A reference table of which the rows are read when the step runs.
#[derive(Debug, Clone)]
pub struct PlannedSideInput {
    /// Its name.
    pub name: String,
    /// What it is read from.
    pub read: Read,
    /// Its columns.
    pub schema: SchemaRef,
    /// The labels of all that the plugin sees in it.
    pub labels: BTreeSet<String>,
}

impl PlannedSideInput {
    /// What a plugin is told of it while there are no rows.
    pub(super) fn without_rows(&self) -> weir_sandbox::SideInput {
        self.with_rows(Arc::from([]))
    }

    /// What a plugin is given of it.
    pub(crate) fn with_rows(
        &self,
        rows: Arc<[arrow::array::RecordBatch]>,
    ) -> weir_sandbox::SideInput {
        weir_sandbox::SideInput {
            name: self.name.clone(),
            schema: Arc::clone(&self.schema),
            rows,
        }
    }
}

impl StepPlanner<'_> {
    /// The reference tables that a plugin of the step is handed.
    pub(super) async fn side_inputs(&self, plugin: &PluginStage) -> Result<Vec<PlannedSideInput>> {
        let mut planned = Vec::with_capacity(plugin.side_inputs.len());
        for side in &plugin.side_inputs {
            let named = |error: Error| {
                let error = error.within(&format!("side input '{}'", side.name));
                at(error, &side.read.place)
            };
            let connections = Connections::of(self.pipeline, self.lake);
            let stores = self.lake.root().stores();
            // On the heap: a read within a read is one future more than the compiler likes to lay out.
            let read = read_schema(
                self.pipeline,
                self.context,
                &side.read,
                stores,
                &connections,
                None,
            );
            let (schema, _) = Box::pin(read).await.map_err(named)?;
            distinct_names(&schema).map_err(named)?;
            let schema = normalise_schema(&schema).map_err(|error| named(error.into()))?;
            let labels = self.read_labels(&side.read).await?;
            planned.push(PlannedSideInput {
                name: side.name.clone(),
                read: side.read.clone(),
                schema,
                labels: labels.into_values().flatten().collect(),
            });
        }
        Ok(planned)
    }
}
