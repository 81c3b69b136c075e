//! The digest of all that shapes a step's output.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use weir_pipeline::{FileFormat, PluginStage, Read, ReadSource, StageAction, Step};

use super::{PlannedWrite, hex};
use crate::plugins::LoadedPlugin;
use crate::types::scope_text;

/// Hex of the SHA-256 of a JSON text that names everything that matters: how input is read (not
/// from where: the decision names its files),
/// each stage with component digests, configuration, grants, checks and queries, and the schemas
/// of the targets. Deadlines, row contracts and rule lists do not matter: they stop a step, they do not
/// change what it writes.
pub(super) fn of(
    step: &Step,
    writes: &[PlannedWrite],
    plugins: &BTreeMap<String, LoadedPlugin>,
) -> String {
    let stages: Vec<Value> = step
        .stages
        .iter()
        .filter_map(|stage| {
            Some(match &stage.action {
                StageAction::Transform(plugin)
                | StageAction::PluginCheck(plugin)
                | StageAction::Fold(plugin) => {
                    let mut called = called(plugin, plugins);
                    if let Some(called) = called.as_object_mut() {
                        called.insert("output".to_owned(), json!(stage.output));
                    }
                    called
                }
                StageAction::Sql(sql) => json!({ "sql": sql }),
                StageAction::Checks(checks) => json!({
                    "output": stage.output,
                    "on_fail": format!("{:?}", checks.on_fail.action),
                    "checks": checks
                        .checks
                        .iter()
                        .map(|check| format!("{}: {:?}", check.rule, check.kind))
                        .collect::<Vec<_>>(),
                }),
                StageAction::Mask(masks) => json!({
                    "output": stage.output,
                    // Where a key comes from; never the key.
                    "masks": masks
                        .iter()
                        .map(|mask| format!("{}: {:?}", mask.column, mask.method))
                        .collect::<Vec<_>>(),
                }),
                StageAction::Declassify(_) => return None,
            })
        })
        .collect();
    let writes: Vec<Value> = step
        .writes
        .iter()
        .zip(writes)
        .map(|(wanted, write)| {
            let change = &wanted.schema_change;
            json!({
                "schema_change": format!(
                    "{:?} {:?} {:?}",
                    change.new_column, change.changed_type, change.missing_column
                ),
                "target": write.target.display(),
                "mode": format!("{:?}", write.mode),
                "by": write
                    .by
                    .iter()
                    .map(|column| format!("{} {:?}", column.name, column.part))
                    .collect::<Vec<_>>(),
                "merge": write.merge,
                "scope": write
                    .scope
                    .iter()
                    .map(|(name, value)| format!("{name}={}", scope_text(value)))
                    .collect::<Vec<_>>(),
                "schema": write
                    .rows_schema
                    .fields()
                    .iter()
                    .map(|field| format!("{} {}", field.name(), field.data_type()))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    let text = json!({
        "limit": step.read.limit,
        "incremental": step.read.incremental.as_ref().map(|new| format!("{} {:?}", new.table, new.by)),
        "as_of": step.read.own.as_ref().map(|own| format!("{:?}", own.as_of)),
        "read": read(&step.read, plugins),
        "stages": stages,
        "writes": writes,
    })
    .to_string();
    hex(&Sha256::digest(text.as_bytes()), 64)
}

/// What matters of a read.
fn read(read: &Read, plugins: &BTreeMap<String, LoadedPlugin>) -> Value {
    match &read.source {
        ReadSource::Files(files) => json!({
            "format": match &files.format {
                FileFormat::Decoder(plugin) => called(plugin, plugins),
                FileFormat::Source(source) => json!({
                    "source": called(&source.plugin, plugins),
                    "stream": source.stream,
                }),
                format => json!(format!("{format:?}")),
            },
            "compression": format!("{:?}", files.compression),
            "schema": format!("{:?}", files.schema),
            "encoding": format!("{:?}", files.encoding),
            "max_record": files.max_record,
            "new_column": format!("{:?}", files.undeclared),
            "on_fail": format!("{:?}", files.on_fail.action),
        }),
        ReadSource::Table(name) => json!({ "table": format!("{}.{}", name.zone, name.table) }),
        ReadSource::Sql(sql) => json!({ "sql": sql }),
        ReadSource::Nothing => Value::Null,
    }
}

/// What matters of a plugin at work. Where no stage stands it has no output.
fn called(plugin: &PluginStage, plugins: &BTreeMap<String, LoadedPlugin>) -> Value {
    json!({
        "plugin": plugins.get(&plugin.plugin).map(|loaded| loaded.plugin.digest()),
        "config": plugin.config,
        "columns": plugin.grant.columns,
        // A batch is cut to fit into it, and a plugin sees where.
        "memory": plugin.grant.memory,
        "clock": plugin.grant.clock,
        "random": plugin.grant.random,
        "secrets": plugin.grant.secrets.keys().collect::<Vec<_>>(),
        "side_inputs": plugin
            .side_inputs
            .iter()
            .map(|side| json!({ "name": side.name, "read": read(&side.read, plugins), "limit": side.read.limit }))
            .collect::<Vec<_>>(),
        "isolation": format!("{:?}", plugin.isolation),
        "adds": format!("{:?}", plugin.contract.adds),
        "text": format!("{:?}", plugin.contract.text),
        "on_fail": format!("{:?}", plugin.on_fail.action),
    })
}
