//! What goes to and comes from a plugin, whatever ABI track it speaks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::held::Reserved;

/// Which world a plugin exports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum World {
    /// Batches in, batches out.
    Transform,
    /// Batches in, findings out.
    Check,
    /// Bytes in, batches out.
    Decoder,
    /// Batches out, of what it reads elsewhere.
    Source,
    /// Batches in, few rows out at the end.
    Fold,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            World::Transform => "transform",
            World::Check => "check",
            World::Decoder => "decoder",
            World::Source => "source",
            World::Fold => "fold",
        })
    }
}

/// What `bind` is given. The same request gives the same answer, at plan time and at run time.
#[derive(Clone, Debug)]
pub struct BindRequest {
    /// The stage's configuration: a JSON object.
    pub config: serde_json::Value,
    /// The pipeline's name.
    pub pipeline: String,
    /// The step's name.
    pub step: String,
    /// The run's parameters as (name, text); sorted by name before they cross.
    pub parameters: Vec<(String, String)>,
    /// The schema of the columns granted; normalised before it crosses. A decoder and a source ignore it.
    pub input: SchemaRef,
    /// The reference tables handed to the plugin, names distinct. A source ignores them.
    pub side_inputs: Vec<SideInput>,
}

/// A small reference table that is handed to a plugin.
#[derive(Clone, Debug)]
pub struct SideInput {
    /// Its name.
    pub name: String,
    /// Its schema; normalised before it crosses.
    pub schema: SchemaRef,
    /// Its rows, of that schema or encodings of it: every instance is given all of them. None at plan time.
    pub rows: Arc<[RecordBatch]>,
}

/// What of a source is read, and from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The stream's name.
    pub stream: String,
    /// The shard's name; empty where the stream has none.
    pub shard: String,
    /// What the source said last of how far it had come; none: from the beginning.
    pub state: Option<String>,
}

/// A stream that a source offers. Names are the guest's: bounded, and columns of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// The schema of its rows.
    pub schema: SchemaRef,
    /// The column by which the source tells new rows, if it says one.
    pub cursor: Option<String>,
    /// The columns that identify a row; empty if the source does not say.
    pub primary_key: Vec<String>,
    /// The parts that can be read side by side; one, with an empty name, where the source names none.
    pub shards: Vec<String>,
}

/// One call of a source's `read`.
#[derive(Clone, Debug)]
pub struct Page {
    /// What it emitted and rejected.
    pub given: Processed,
    /// What `open` takes to go on behind that.
    pub state: String,
    /// Whether there is nothing more for now.
    pub done: bool,
}

/// A named output of a transform (or the one output, `out`, of a decoder, a source or a fold).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// The schema of every batch emitted to it.
    pub schema: SchemaRef,
}

/// What a plugin says of itself. All text is the guest's: bounded and escaped, except
/// `config_schema` and `columns`, which are bounded only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence on what it does.
    pub description: String,
    /// A JSON Schema of its configuration, as text that nobody has parsed yet.
    pub config_schema: String,
    /// The columns it wants; empty if that depends on the configuration.
    pub columns: Vec<String>,
    /// Every rule it can raise.
    pub rules: Vec<Rule>,
}

/// A reason for which a plugin may reject or fail a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its short name.
    pub name: String,
    /// What it demands.
    pub description: String,
}

/// Everything one call gave: held back until the call returned, since a rejection withdraws what was
/// emitted from the row.
#[derive(Clone, Debug, Default)]
pub struct Processed {
    /// The batches, in the order emitted.
    pub emitted: Vec<Emitted>,
    /// The rows rejected (transform) or failed (check), in the order raised.
    pub findings: Vec<Finding>,
    /// The bytes rejected (decoder), in the order raised.
    pub rejected_bytes: Vec<ByteRejection>,
    /// The records rejected (source), in the order raised.
    pub rejected_records: Vec<RecordRejection>,
    /// What all of this takes of the run's memory: to be kept as long as any of it is.
    pub reserved: Reserved,
}

/// One verified batch.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// Index into what `bind` returned.
    pub output: usize,
    /// The rows, of that output's schema.
    pub batch: RecordBatch,
    /// For each row the input row it came from, each less than the input's rows. None: row `i` came
    /// from row `i`, and there are as many rows as came in. Those of a decoder or source have none either.
    pub origin: Option<Vec<u32>>,
}

/// Rows that a plugin rejects or fails, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Rows of the input batch, ascending, each once, each less than the input's rows.
    pub rows: Vec<u32>,
    /// The rule's name, escaped and cut at 64 bytes.
    pub rule: String,
    /// The message, escaped and cut at 1 KiB. May hold data: it belongs in quarantine, not in a log.
    pub message: String,
}

/// Bytes of a file that form no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteRejection {
    /// Where they begin in the file. The guest's word: not checked against the file.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
    /// The rule's name, escaped and cut at 64 bytes.
    pub rule: String,
    /// The message, escaped and cut at 1 KiB.
    pub message: String,
}

/// A record of a source that forms no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRejection {
    /// The beginning of what the guest shows of it, escaped and cut at 1 KiB; empty where words are kept.
    pub record: String,
    /// The rule's name, escaped and cut at 64 bytes.
    pub rule: String,
    /// The message, escaped and cut at 1 KiB.
    pub message: String,
}

/// What an instance has used since it was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor time inside calls.
    pub guest_time: Duration,
    /// Highest sum of linear memory, in bytes.
    pub peak_memory: u64,
    /// Calls made.
    pub calls: u64,
    /// Bytes of batches and chunks given.
    pub bytes_in: u64,
    /// Bytes of batches emitted.
    pub bytes_out: u64,
    /// Log lines dropped for want of budget.
    pub log_lines_dropped: u64,
    /// The sums of the plugin's metrics, by escaped name.
    pub metrics: BTreeMap<String, f64>,
}

impl Processed {
    /// The rows of the input batch that some finding names, ascending, each once.
    pub fn rows_found(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = self
            .findings
            .iter()
            .flat_map(|finding| finding.rows.iter().copied())
            .collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }
}
