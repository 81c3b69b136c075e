//! `[[step.stage]]`

use std::time::Duration;

use serde_json::{Map, Number};

use crate::fault::{Fault, Sink};
use crate::fields::{Fields, Keys};
use crate::grammar::read::not_blank;
use crate::grammar::{Context, check};
use crate::literals;
use crate::model::{
    CheckStage, FailAction, Grant, OnFail, PluginStage, Stage, StageAction, Threshold,
};
use crate::tree::{Node, Value};

pub(crate) const STAGE: Keys = Keys {
    name: "stage",
    what: "a stage",
    keys: &[
        "transform",
        "check",
        "plugin_check",
        "sql",
        "mask",
        "output",
        "config",
        "grant",
        "on_fail",
        "fail_above",
        "warn_above",
    ],
};

const ACTIONS: &[&str] = &["transform", "check", "plugin_check", "sql", "mask"];

pub(crate) const GRANT: Keys = Keys {
    name: "grant",
    what: "a grant",
    keys: &["columns", "memory", "deadline"],
};

pub(crate) const FAIL_ACTIONS: &[(&str, FailAction)] = &[
    ("quarantine", FailAction::Quarantine),
    ("drop", FailAction::Drop),
    ("warn", FailAction::Warn),
    ("fail", FailAction::Fail),
];

const DEFAULT_MEMORY: u64 = 128 << 20;
const MOST_MEMORY: u64 = 2 << 30;
/// One page of WebAssembly memory: with less no instance starts.
const LEAST_MEMORY: u64 = 64 << 10;
const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);

/// Reads the stage at `position` (from 1) of its step.
pub(crate) fn stage(position: usize, node: &Node, context: &Context<'_>) -> Option<Stage> {
    let fields = Fields::open(node, &STAGE, context.sink)?;
    let output = fields.owned("output");
    let on_fail = on_fail(&fields);
    let hint = "a stage does one thing; give each thing a [[step.stage]] of its own";
    let (key, entry) = fields.one_of(ACTIONS, hint)?;
    let action = match key {
        "transform" => plugin(&fields, key, on_fail, context).map(StageAction::Transform),
        "plugin_check" => plugin(&fields, key, on_fail, context).map(StageAction::PluginCheck),
        "check" => {
            refuse_plugin_keys(&fields);
            check::checks(&entry.node, context)
                .map(|checks| StageAction::Checks(CheckStage { checks, on_fail }))
        }
        "sql" => {
            refuse_plugin_keys(&fields);
            let why = "belongs to stages that judge rows";
            let hint = "leave it out: SQL rejects no row, it filters; a `check` stage judges";
            fields.refuse(&["on_fail", "fail_above", "warn_above"], why, hint);
            fields
                .text("sql")
                .filter(|text| not_blank(&fields, *text, "sql"))
                .map(|text| StageAction::Sql(text.text.to_owned()))
        }
        _ => {
            fields.fault(
                &entry.key,
                "`mask` is not supported yet",
                "leave the column out of `grant`, so that no plugin sees it",
            );
            None
        }
    };
    Some(Stage {
        label: format!("stage {position} ({key})"),
        output,
        action: action?,
        place: entry.node.place.clone(),
    })
}

fn refuse_plugin_keys(fields: &Fields<'_>) {
    fields.refuse(
        &["config", "grant"],
        "belongs to plugins",
        "leave it out, or name a plugin: transform = \"…\" or plugin_check = \"…\"",
    );
}

fn plugin(
    fields: &Fields<'_>,
    key: &str,
    on_fail: OnFail,
    context: &Context<'_>,
) -> Option<PluginStage> {
    let plugin = fields.text(key).map(|text| context.plugin(text));
    let config = match fields.node("config") {
        None => Some(Map::new()),
        Some(node) if node.table().is_some() => match json(node, context.sink) {
            Some(serde_json::Value::Object(map)) => Some(map),
            _ => None,
        },
        Some(node) => {
            crate::fields::wrong_kind(node, "config", "a table", context.sink);
            None
        }
    };
    let grant = fields
        .need("grant", "nothing is granted by default: write grant = { columns = [\"*\"] }, or name the columns it needs")
        .and_then(|node| grant(node, context.sink));
    Some(PluginStage {
        plugin: plugin?,
        config: config?,
        grant: grant?,
        on_fail,
    })
}

fn grant(node: &Node, sink: &Sink) -> Option<Grant> {
    let fields = Fields::open(node, &GRANT, sink)?;
    let hint = "nothing is granted by default: write grant = { columns = [\"*\"] }, or name the columns it needs";
    let columns_node = fields.need("columns", hint);
    let columns = fields.texts("columns").unwrap_or_default();
    if let Some(node) = columns_node
        && matches!(&node.value, Value::Array(nodes) if nodes.is_empty())
    {
        fields.fault(&node.place, "this grant has no column", hint);
    }
    for text in &columns {
        if text.text.trim_start_matches('!').is_empty() {
            fields.fault(
                text.place,
                "this column pattern is empty",
                "write a name, a glob such as \"sp_*\", or \"!name\" to take a column out",
            );
        }
    }
    let memory = match fields.text("memory") {
        None => DEFAULT_MEMORY,
        Some(text) => {
            let size = literals::size(text.text);
            if !text.guess && size.is_none_or(|size| !(LEAST_MEMORY..=MOST_MEMORY).contains(&size))
            {
                fields.fault(
                    text.place,
                    format!("memory cannot be '{}'", text.text),
                    "write a number of KiB, MiB or GiB from \"64KiB\" to \"2GiB\"",
                );
            }
            size.unwrap_or(DEFAULT_MEMORY)
        }
    };
    let deadline = fields.duration("deadline").unwrap_or(DEFAULT_DEADLINE);
    Some(Grant {
        columns: columns.iter().map(|text| text.text.to_owned()).collect(),
        memory,
        deadline,
    })
}

fn on_fail(fields: &Fields<'_>) -> OnFail {
    OnFail {
        action: fields
            .choice("on_fail", FAIL_ACTIONS)
            .unwrap_or(FailAction::Quarantine),
        fail_above: threshold(fields, "fail_above"),
        warn_above: threshold(fields, "warn_above"),
    }
}

fn threshold(fields: &Fields<'_>, key: &str) -> Option<Threshold> {
    let node = fields.node(key)?;
    let threshold = match &node.value {
        Value::Int(rows) => u64::try_from(*rows).ok().map(Threshold::Rows),
        Value::String(text) => literals::share(text).map(Threshold::Share),
        _ => None,
    };
    if threshold.is_none() && !node.guess {
        fields.fault(
            &node.place,
            format!("`{key}` is neither a share nor a number of rows"),
            "write a share from \"0%\" to \"100%\", or a number of rows such as 10",
        );
    }
    threshold
}

/// A plugin's configuration as JSON, which has neither dates nor infinite numbers.
fn json(node: &Node, sink: &Sink) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match &node.value {
        Value::String(text) => Json::String(text.clone()),
        Value::Int(number) => Json::Number(Number::from(*number)),
        Value::Float(number, written) => {
            let Some(number) = Number::from_f64(*number) else {
                sink.push(
                    Fault::new(format!("a plugin's configuration cannot hold '{written}'"))
                        .at(&node.place)
                        .hint("configuration becomes JSON, whose numbers are finite"),
                );
                return None;
            };
            Json::Number(number)
        }
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Datetime(datetime) => Json::String(datetime.to_string()),
        Value::Array(nodes) => {
            let values: Vec<_> = nodes.iter().map(|node| json(node, sink)).collect();
            Json::Array(values.into_iter().collect::<Option<_>>()?)
        }
        Value::Table(table) => {
            let entries: Vec<_> = table
                .iter()
                .map(|(key, entry)| Some((key.to_owned(), json(&entry.node, sink)?)))
                .collect();
            Json::Object(entries.into_iter().collect::<Option<_>>()?)
        }
    })
}
