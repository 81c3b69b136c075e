//! What a transform hands to the host, call by call and byte by byte.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{Harness, cross, record};
use crate::Error;
use crate::Transform;
use crate::bindings::transform::weir::plugin::types as wit;
use crate::transform::{BoundTransform, EmitSink};
use crate::wire::{Parts, assemble, disassemble};

/// A batch as it crosses the sandbox boundary. The fixtures under `plugin-sdk/conformance`, which
/// the SDKs of all languages share, hold batches in this form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Rows in the batch.
    pub rows: u32,
    /// Length and null count of each array, in preorder.
    pub nodes: Vec<(u32, u32)>,
    /// The buffers of the arrays, depth first.
    pub buffers: Vec<Vec<u8>>,
}

impl Crossing {
    /// Takes a batch apart.
    ///
    /// # Errors
    /// [`Error::Fatal`] for a type that cannot cross.
    pub fn of(batch: &RecordBatch) -> Result<Self, Error> {
        let Parts {
            rows,
            nodes,
            buffers,
        } = disassemble(batch)?;
        Ok(Self {
            rows,
            nodes: nodes
                .iter()
                .map(|node| (node.length, node.null_count))
                .collect(),
            buffers: buffers.iter().map(|buffer| buffer.to_vec()).collect(),
        })
    }

    /// Puts the batch together, and verifies it.
    ///
    /// # Errors
    /// [`Error::Fatal`] if it is no batch of `schema`.
    pub fn batch(self, schema: &SchemaRef) -> Result<RecordBatch, Error> {
        let nodes = self
            .nodes
            .into_iter()
            .map(|(length, null_count)| wit::Node { length, null_count })
            .collect();
        assemble(schema, self.rows, nodes, self.buffers)
    }
}

/// One call of a transform to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A batch was emitted.
    Emit {
        /// The place of the output in what `bind` returned.
        output: usize,
        /// The batch.
        batch: Crossing,
        /// For each of its rows, the row of the batch in process that it came from.
        origin: Option<Vec<u32>>,
    },
    /// Rows of the batch in process were rejected.
    Reject {
        /// The rows.
        rows: Vec<u32>,
        /// The name of the rule.
        rule: String,
        /// The message.
        message: String,
    },
}

impl Harness {
    /// Runs a transform from `bind` to `finish` and returns the calls that it made, in order.
    ///
    /// # Errors
    /// What the plugin returns, and [`Error::Fatal`] for each breach of the contract.
    pub fn calls<T: Transform>(&self, batches: &[RecordBatch]) -> Result<Vec<Call>, Error> {
        let context = self.context(batches)?;
        let _granted = record::start(&self.side_inputs, &self.secrets, None);
        let mut plugin = BoundTransform::<T>::bind(&self.config, &context)?;
        let mut calls = Calls(Vec::new());
        for batch in batches {
            plugin.process(&cross(&plugin.input, batch)?, &mut calls)?;
        }
        plugin.finish()?;
        Ok(calls.0)
    }
}

struct Calls(Vec<Call>);

impl EmitSink for Calls {
    fn emit(
        &mut self,
        output: usize,
        batch: &RecordBatch,
        origin: Option<&[u32]>,
    ) -> Result<(), Error> {
        self.0.push(Call::Emit {
            output,
            batch: Crossing::of(batch)?,
            origin: origin.map(<[u32]>::to_vec),
        });
        Ok(())
    }

    fn reject(&mut self, rows: &[u32], rule: &str, message: &str) {
        self.0.push(Call::Reject {
            rows: rows.to_vec(),
            rule: rule.to_owned(),
            message: message.to_owned(),
        });
    }
}
