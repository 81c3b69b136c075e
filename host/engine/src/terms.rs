//! The terms of a plugin's stage as they are shown, recorded and signed for.

use std::collections::BTreeMap;

use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use weir_pipeline::{GuestText, ReadSource, StageAction};

use crate::outbound::HttpAccess;
use crate::plan::{PlannedSideInput, PlannedStep, hex};
use crate::segment::{Joining, PluginCall, PluginRole, StageFate};
use crate::types::type_text;

/// What a stage gives a plugin and holds it to. Names and numbers only: no value of a secret, none of a
/// row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TermsRecord {
    /// The columns it is given, and the fields of structs, by path.
    pub columns: Vec<String>,
    /// What of its input it is not given.
    pub withheld: Vec<String>,
    /// The reference tables that it is handed whole: their names, what they are read from, and their columns.
    pub side_inputs: Vec<String>,
    /// Bytes of memory, for each instance.
    pub memory: u64,
    /// Guest time for a call, in milliseconds.
    pub deadline_ms: u64,
    /// Rows it may emit for each row given.
    pub rows_out: u32,
    /// Rows it may emit for a batch however small.
    pub rows_out_floor: u64,
    /// Bytes of log, stdout and stderr, for each instance.
    pub log_bytes: u64,
    /// The names of the secrets it is given.
    pub secrets: Vec<String>,
    /// Whether it sees the real time.
    pub clock: bool,
    /// Whether it gets real random numbers.
    pub random: bool,
    /// What its requests may reach, and which secrets the host puts into them.
    pub http: Vec<String>,
    /// `partition` or `batch`.
    pub isolation: String,
    /// The columns it may add, with their types; null where its output is not pinned.
    pub adds: Option<Vec<String>>,
    /// `any`, `at-most-one` or `one-to-one`.
    pub rows: String,
    /// The rules it may raise.
    pub rules: Vec<String>,
    /// `open` or `guest-log`.
    pub text: String,
}

impl TermsRecord {
    /// The terms of `call`.
    pub fn of(call: &PluginCall) -> TermsRecord {
        // Destructured, so that nothing is added to the terms and left out here.
        let weir_sandbox::Terms {
            limits,
            powers,
            contract,
            isolation,
            speech: _,
            budget: _,
        } = &call.terms;
        let adds = match &call.role {
            PluginRole::Transform {
                joining: Joining::Adds { fields, .. },
                ..
            } => Some(columns_of(&Schema::new(fields.clone()))),
            PluginRole::Transform { .. }
            | PluginRole::Check
            | PluginRole::Decoder { .. }
            | PluginRole::Fold { .. }
            | PluginRole::Source { .. } => None,
        };
        TermsRecord {
            columns: call.granted.given(&call.seen_of),
            withheld: call.granted.withheld(&call.seen_of),
            side_inputs: call.side_inputs.iter().map(side_input).collect(),
            memory: limits.memory,
            deadline_ms: u64::try_from(limits.deadline.as_millis()).unwrap_or(u64::MAX),
            rows_out: limits.rows_out_per_row,
            rows_out_floor: limits.rows_out_floor,
            log_bytes: limits.log_bytes,
            secrets: powers.secrets.keys().cloned().collect(),
            clock: powers.clock,
            random: powers.random,
            http: call.http.as_ref().map_or_else(Vec::new, HttpAccess::texts),
            isolation: isolation.to_string(),
            adds,
            rows: contract.rows.to_string(),
            rules: contract
                .rules
                .iter()
                .flat_map(|rules| rules.keys().cloned())
                .collect(),
            text: match call.text {
                GuestText::Open => "open".to_owned(),
                GuestText::GuestLog => "guest-log".to_owned(),
            },
        }
    }
}

/// A reference table in one line.
fn side_input(side: &PlannedSideInput) -> String {
    let from = match &side.read.source {
        ReadSource::Table(name) => format!("table {name}"),
        ReadSource::Sql(sql) => format!(
            "query {}",
            sql.split_whitespace().collect::<Vec<_>>().join(" ")
        ),
        ReadSource::Files(files) => files.glob.clone(),
        ReadSource::Nothing => "nothing".to_owned(),
    };
    format!(
        "{} ({from}): {}",
        side.name,
        columns_of(&side.schema).join(", ")
    )
}

/// Columns with their types.
fn columns_of(schema: &Schema) -> Vec<String> {
    let fields = schema.fields().iter();
    fields
        .map(|field| {
            let null = if field.is_nullable() { "" } else { " not null" };
            format!("{} {}{null}", field.name(), type_text(field.data_type()))
        })
        .collect()
}

/// What somebody signs for when they sign for the terms of the plugin `call` of a stage: hex of the
/// SHA-256 of a JSON text with all that `weir plan --terms` shows of it. It changes when any of that
/// does: the component and where it is from, its configuration, the types of what it is given and gives
/// back, the terms, and what becomes of its rows.
pub fn digest(step: &PlannedStep, fate: &StageFate, call: &PluginCall) -> String {
    let gives: Vec<Vec<String>> = match &call.role {
        PluginRole::Transform { emitted, .. } => {
            emitted.iter().map(|schema| columns_of(schema)).collect()
        }
        PluginRole::Check => Vec::new(),
        PluginRole::Decoder { schema } | PluginRole::Fold { schema } => vec![columns_of(schema)],
        PluginRole::Source { stream } => vec![columns_of(&stream.schema)],
    };
    // Where secrets are read from; their values are no part of it.
    let at = usize::try_from(fate.stage).unwrap_or(usize::MAX);
    let plugin = match (&call.role, step.step.stages.get(at).map(|s| &s.action)) {
        (PluginRole::Decoder { .. } | PluginRole::Source { .. }, _) => step.step.read.plugin(),
        (
            _,
            Some(
                StageAction::Transform(plugin)
                | StageAction::PluginCheck(plugin)
                | StageAction::Fold(plugin),
            ),
        ) => Some(plugin),
        _ => None,
    };
    let secrets: BTreeMap<&String, String> = plugin
        .into_iter()
        .flat_map(|plugin| &plugin.grant.secrets)
        .map(|(name, source)| (name, format!("{source:?}")))
        .collect();
    let writes: Vec<String> = step
        .writes
        .iter()
        .map(|write| {
            format!(
                "{} {:?} {:?}",
                write.target.display(),
                write.mode,
                write.scope
            )
        })
        .collect();
    let text = json!({
        "pipeline": call.bind.pipeline,
        "step": call.bind.step,
        "component": call.plugin.digest(),
        "source": call.provenance.source,
        "signer": call.provenance.signer,
        "config": call.bind.config,
        "is_given": columns_of(&call.bind.input),
        "gives": gives,
        "terms": TermsRecord::of(call),
        "rules": call.terms.contract.rules,
        "secrets": secrets,
        "on_fail": format!("{:?}", fate.action),
        "quarantine": step.quarantine.as_ref().map(|plan| plan.name.to_string()),
        "writes": writes,
    })
    .to_string();
    hex(&Sha256::digest(text.as_bytes()), 64)
}
