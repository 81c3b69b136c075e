use arrow::record_batch::RecordBatch;

use crate::{Context, Error, SideInput};

/// The rows of the small reference tables that the step hands to the plugin: see [`Context::side_input`].
///
/// They come when the first batch does, never while the run is planned: `load` is where a plugin makes of them
/// what it looks up. All tables together have at most a quarter of the memory granted.
#[derive(Debug)]
pub struct SideInputs {
    /// None: read.
    tables: Vec<(String, Option<SideInput>)>,
}

impl SideInputs {
    pub(crate) fn of(context: &Context) -> Self {
        let tables = context.side_inputs.iter();
        Self {
            tables: tables
                .map(|table| (table.name.clone(), Some(table.clone())))
                .collect(),
        }
    }

    /// All rows of one table, once.
    ///
    /// # Errors
    /// [`Error::Config`] if the step has no table of this name; [`Error::Fatal`] if it has been read before.
    pub fn read(&mut self, name: &str) -> Result<RecordBatch, Error> {
        let known = (0_u32..).zip(&mut self.tables);
        let named = known.into_iter().find(|(_, (known, _))| known == name);
        let Some((index, (_, table))) = named else {
            return Err(lacking(name));
        };
        match table.take() {
            Some(table) => rows(index, &table),
            None => Err(Error::fatal(format!(
                "the side input `{name}` was read before: keep what you need of it"
            ))),
        }
    }
}

/// What is wrong where the step does not hand a table of this name.
pub(crate) fn lacking(name: &str) -> Error {
    Error::config(format!(
        "it needs the side input `{name}`: add side_inputs = {{ {name} = {{ table = \"zone.table\" }} }} beside the stage's `config`"
    ))
}

#[cfg(target_family = "wasm")]
fn rows(index: u32, table: &SideInput) -> Result<RecordBatch, Error> {
    use crate::bindings::transform::weir::plugin::side_inputs::next;
    let mut batches = Vec::new();
    while let Some(batch) = next(index) {
        batches.push(crate::wire::assemble(
            &table.schema,
            batch.rows,
            batch.nodes,
            batch.buffers,
        )?);
    }
    Ok(arrow::compute::concat_batches(&table.schema, &batches)?)
}

#[cfg(not(target_family = "wasm"))]
fn rows(_: u32, table: &SideInput) -> Result<RecordBatch, Error> {
    crate::testing::record::side_input(table)
}
