//! The nodes of a segment, bottom to top:
//!
//! ```text
//! SegmentWriterExec                       drains everything, writes files, gives a row a file
//!   PluginExec | CheckExec | MaskExec …   one for each stage; rejected rows stay in the batch
//!     EnvelopeExec                        wraps each input row
//!       whatever the step reads
//! ```
//!
//! A fold is not among them: `FoldExec` stands below, in the place of what the step reads.
//!
//! All of them keep the partitioning of their input and claim nothing else: unknown statistics,
//! no ordering, no pushdown. The optimiser has done its work below before they are put on top.

//!
//! Of one file there is one partition: so that more than one core works on it, decoding, stages and writing are tasks
//! of their own, which hand on [`AHEAD`] batches.

mod check;
mod envelope;
mod fold;
mod mask;
mod plugin;
mod writer;

use std::sync::Arc;

use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, PlanProperties};

pub use check::{CheckExec, CheckRule, FailingKeys};
pub use envelope::EnvelopeExec;
pub use fold::FoldExec;
pub use mask::MaskExec;
pub(crate) use plugin::Running;
pub use plugin::{Joining, PluginCall, PluginExec, PluginRole, PluginTally};
pub use writer::{
    FileKind, PluginName, Quarantine, SegmentOutput, SegmentResult, SegmentWriterExec, StageName,
    StageNames, WrittenFile, written,
};
pub(crate) use writer::{MESSAGE_COLUMN, RAW_COLUMN, kept};

use crate::envelope::{Envelope, EnvelopeLayout, Finding};
use crate::error::{Error, ErrorKind, Result};

/// How many batches wait between two tasks of a partition.
pub(crate) const AHEAD: usize = 1;

use weir_pipeline::FailAction;

fn properties(
    input: &Arc<dyn ExecutionPlan>,
    schema: arrow::datatypes::SchemaRef,
    emission: EmissionType,
) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        datafusion::physical_expr::Partitioning::UnknownPartitioning(
            input.output_partitioning().partition_count(),
        ),
        emission,
        Boundedness::Bounded,
    ))
}

/// A stage's place in its step, and what becomes of the rows it finds wanting.
#[derive(Debug, Clone)]
pub struct StageFate {
    /// The stage's index in the step.
    pub stage: u32,
    /// How people call it.
    pub label: Arc<str>,
    /// What becomes of the rows.
    pub action: FailAction,
}

impl StageFate {
    /// Does to the envelope what the action says.
    fn apply(&self, envelope: &mut Envelope, findings: &[Finding]) -> Result<()> {
        match (self.action, findings.first()) {
            (_, None) => Ok(()),
            (FailAction::Quarantine, _) => envelope.reject(self.stage, false, findings),
            (FailAction::Drop, _) => envelope.reject(self.stage, true, findings),
            (FailAction::Warn, _) => envelope.warn(self.stage, findings),
            (FailAction::Fail, Some(first)) => Err(Error::new(
                ErrorKind::Check,
                format!("{}: rows break the rule '{}'", self.label, first.rule),
            )
            .with_hint(
                "mend the input; or let the stage keep such rows aside with `on_fail = \"quarantine\"`",
            )),
        }
    }
}

/// The layout above and below a node.
#[derive(Debug, Clone)]
struct Layouts {
    below: Arc<EnvelopeLayout>,
    above: Arc<EnvelopeLayout>,
}
