//! What the run record says of a step.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use weir_pipeline::GuestText;

use super::step::StepRun;
use super::work::Work;
use crate::commit::Counts;
use crate::difference::SchemaDifference;
use crate::envelope::{ANY_RULE, READ_STAGE};
use crate::plan::{Plan, PlannedSql, PlannedStep};
use crate::record::{PluginRecord, RuleCount, Status, StepRecord, TargetRecord};
use crate::segment::{PluginName, PluginTally, StageName, StageNames};
use crate::terms::{self, TermsRecord};

impl StepRun {
    /// The record of what the step has done in one batch.
    pub(super) fn record(&self, planned: &PlannedStep, work: &Work, warned: bool) -> StepRecord {
        let stages = stage_names(&self.plan, planned);
        let rules = |counts: &BTreeMap<(u32, String), u64>| {
            counts
                .iter()
                .filter(|((_, rule), _)| rule != ANY_RULE)
                .map(|((stage, rule), rows)| RuleCount {
                    stage: stages
                        .get(*stage)
                        .map(|name| name.label.to_string())
                        .unwrap_or_default(),
                    rule: rule.clone(),
                    rows: *rows,
                })
                .collect()
        };
        let status = if warned || work.counts.quarantined > 0 {
            Status::Warned
        } else {
            Status::Succeeded
        };
        StepRecord {
            counts: work.counts,
            rejected: rules(&work.rejected_by),
            warned: rules(&work.warned_by),
            plugins: plugin_records(planned, &work.tallies),
            tables: work.tables.clone(),
            ..blank_record(planned, status)
        }
    }
}

/// The record of a step whose decision `n` a database has done.
pub(super) fn sql_record(planned: &PlannedStep, sql: &PlannedSql, n: u64) -> StepRecord {
    StepRecord {
        n: Some(n),
        targets: vec![TargetRecord {
            target: sql.target.clone(),
            rows: 0,
            bytes: 0,
            version: None,
            schema_changes: Vec::new(),
        }],
        ..blank_record(planned, Status::Succeeded)
    }
}

/// The record of a step that did nothing yet.
pub(super) fn blank_record(planned: &PlannedStep, status: Status) -> StepRecord {
    StepRecord {
        step: planned.step.name.clone(),
        status,
        n: None,
        fingerprint: planned.fingerprint.clone(),
        counts: Counts::default(),
        rejected: Vec::new(),
        warned: Vec::new(),
        targets: Vec::new(),
        files: 0,
        bytes_read: 0,
        tables: BTreeMap::new(),
        held: None,
        plugins: plugin_records(planned, &BTreeMap::new()),
        seconds: 0.0,
        error: None,
        hint: None,
    }
}

/// The plugins of a step with their terms, and what they used by stage.
fn plugin_records(
    planned: &PlannedStep,
    tallies: &BTreeMap<u32, Arc<Mutex<PluginTally>>>,
) -> Vec<PluginRecord> {
    let mut records = Vec::new();
    for (fate, call) in planned.plugins() {
        let tally = tallies
            .get(&fate.stage)
            .and_then(|tally| tally.lock().ok().map(|tally| tally.clone()))
            .unwrap_or_default();
        records.push(PluginRecord {
            plugin: call.plugin.name().to_owned(),
            digest: call.plugin.digest().to_owned(),
            source: call.provenance.source.clone(),
            signer: call.provenance.signer.clone(),
            stage: fate.label.to_string(),
            terms: TermsRecord::of(call),
            terms_digest: terms::digest(planned, &fate, call),
            guest_ms: u64::try_from(tally.guest_time.as_millis()).unwrap_or(u64::MAX),
            peak_memory: tally.peak_memory,
            log_lines_dropped: tally.log_lines_dropped,
            metrics: tally.metrics,
            requests: call.http.as_ref().map(|http| match call.text {
                GuestText::Open => http.record(),
                GuestText::GuestLog => http.record().without_words(),
            }),
        });
    }
    records
}

/// How the rows met the target that they went to.
pub(super) fn differences(planned: &PlannedStep, target: &str) -> Vec<SchemaDifference> {
    let mut writes = planned.writes.iter();
    let write = writes.find(|write| write.target.display() == target);
    write.map_or_else(Vec::new, |write| write.differences.clone())
}

/// The stages of the step.
pub(super) fn stage_names(plan: &Plan, planned: &PlannedStep) -> Arc<StageNames> {
    let version = |name: &str| {
        let loaded = plan.plugins.get(name);
        loaded.map_or("", |loaded| loaded.info.version.as_str())
    };
    let mut plugins: BTreeMap<u32, PluginName> = planned
        .plugins()
        .into_iter()
        .map(|(fate, call)| {
            let name = PluginName {
                name: call.plugin.name().into(),
                version: version(call.plugin.name()).into(),
                digest: call.plugin.digest().into(),
            };
            (fate.stage, name)
        })
        .collect();
    let decoder = plugins.remove(&READ_STAGE);
    let stages = (0_u32..).zip(&planned.step.stages);
    let names = stages.map(|(index, stage)| StageName {
        label: stage.label.as_str().into(),
        plugin: plugins.get(&index).cloned(),
    });
    let targets: Vec<String> = planned
        .writes
        .iter()
        .map(|write| write.target.display())
        .collect();
    Arc::new(StageNames::new(names.collect(), decoder, &targets))
}
