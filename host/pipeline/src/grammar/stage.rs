//! `[[step.stage]]`

use crate::fields::{Fields, Keys};
use crate::grammar::sql::sql;
use crate::grammar::{Context, check, mask, plugin_stage};
use crate::literals;
use crate::model::{CheckStage, FailAction, OnFail, Stage, StageAction, Threshold};
use crate::tree::{Node, Value};

pub(crate) const STAGE: Keys = Keys {
    name: "stage",
    what: "a stage",
    keys: &[
        "transform",
        "check",
        "plugin_check",
        "fold",
        "sql",
        "mask",
        "declassify",
        "output",
        "config",
        "grant",
        "side_inputs",
        "isolation",
        "contract",
        "on_fail",
        "fail_above",
        "warn_above",
    ],
};

const ACTIONS: &[&str] = &[
    "transform",
    "check",
    "plugin_check",
    "fold",
    "sql",
    "mask",
    "declassify",
];

pub(crate) const FAIL_ACTIONS: &[(&str, FailAction)] = &[
    ("quarantine", FailAction::Quarantine),
    ("drop", FailAction::Drop),
    ("warn", FailAction::Warn),
    ("fail", FailAction::Fail),
];

/// Reads the stage at `position` (from 1) of its step.
pub(crate) fn stage(position: usize, node: &Node, context: &Context<'_>) -> Option<Stage> {
    let fields = Fields::open(node, &STAGE, context.sink)?;
    let output = fields.owned("output");
    let on_fail = on_fail(&fields);
    let hint = "a stage does one thing; give each thing a [[step.stage]] of its own";
    let (key, entry) = fields.one_of(ACTIONS, hint)?;
    let action = match key {
        "transform" => {
            plugin_stage::plugin(&fields, key, on_fail, context).map(StageAction::Transform)
        }
        "plugin_check" => {
            plugin_stage::plugin(&fields, key, on_fail, context).map(StageAction::PluginCheck)
        }
        "fold" => {
            refuse_judging_keys(
                &fields,
                "leave it out: a fold rejects no row; a `check` stage before it judges",
            );
            fields.refuse(
                &["isolation"],
                "does not apply to a fold",
                "leave it out: what it keeps from batch to batch is what it is for",
            );
            plugin_stage::plugin(&fields, key, on_fail, context).map(StageAction::Fold)
        }
        "check" => {
            refuse_plugin_keys(&fields);
            check::checks(&entry.node, context)
                .map(|checks| StageAction::Checks(CheckStage { checks, on_fail }))
        }
        "sql" => {
            refuse_plugin_keys(&fields);
            refuse_judging_keys(
                &fields,
                "leave it out: SQL rejects no row, it filters; a `check` stage judges",
            );
            sql(&fields, context).map(StageAction::Sql)
        }
        "mask" => {
            refuse_plugin_keys(&fields);
            refuse_judging_keys(&fields, "leave it out: a mask rejects no row");
            mask::masks(&entry.node, context).map(StageAction::Mask)
        }
        _ => {
            refuse_plugin_keys(&fields);
            refuse_judging_keys(&fields, "leave it out: no row is looked at");
            mask::declassified(&entry.node, context).map(StageAction::Declassify)
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
        &["config", "grant", "side_inputs", "isolation", "contract"],
        "belongs to plugins",
        "leave it out, or name a plugin: transform = \"…\" or plugin_check = \"…\"",
    );
}

fn refuse_judging_keys(fields: &Fields<'_>, hint: &str) {
    let why = "belongs to stages that judge rows";
    fields.refuse(&["on_fail", "fail_above", "warn_above"], why, hint);
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

pub(crate) fn threshold(fields: &Fields<'_>, key: &str) -> Option<Threshold> {
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
