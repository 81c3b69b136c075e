//! Declared checks: in a stage, or as a named set in `[checks]`.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::fields::{self, Fields, Keys, Text};
use crate::grammar::Context;
use crate::model::{Check, CheckKind};
use crate::tree::{Node, Value};

pub(crate) const CHECK: Keys = Keys {
    name: "check",
    what: "a set of checks",
    keys: &[
        "not_null",
        "unique",
        "accepted",
        "range",
        "pattern",
        "expression",
        "references",
    ],
};

pub(crate) const RANGE: Keys = Keys {
    name: "range",
    what: "a range",
    keys: &["min", "max"],
};

/// `[checks]`; a faulty set is there but empty.
pub(crate) fn named_sets(
    node: Option<&Node>,
    context: &Context<'_>,
) -> BTreeMap<String, Vec<Check>> {
    node.into_iter()
        .flat_map(|node| fields::named(node, "checks", context.sink))
        .map(|(name, entry)| {
            let checks = set(&entry.node, context).unwrap_or_default();
            (name.to_owned(), checks)
        })
        .collect()
}

/// The checks of a stage: an inline set, the name of a set, or several names.
pub(crate) fn checks(node: &Node, context: &Context<'_>) -> Option<Vec<Check>> {
    match &node.value {
        Value::Table(_) => set(node, context),
        Value::String(_) => named(fields::text(node, "check", context.sink)?, context),
        Value::Array(_) => {
            let names = fields::texts(node, "check", context.sink)?;
            if names.is_empty() {
                empty(node, "check", context);
            }
            let sets: Vec<_> = names.into_iter().map(|name| named(name, context)).collect();
            Some(sets.into_iter().collect::<Option<Vec<_>>>()?.concat())
        }
        _ => {
            let expected = "a table of checks, the name of a set, or a list of names";
            fields::wrong_kind(node, "check", expected, context.sink);
            None
        }
    }
}

fn named(name: Text<'_>, context: &Context<'_>) -> Option<Vec<Check>> {
    context.known("set of checks", "[checks]", name, context.checks.keys());
    context.checks.get(name.text).cloned()
}

fn set(node: &Node, context: &Context<'_>) -> Option<Vec<Check>> {
    let fields = Fields::open(node, &CHECK, context.sink)?;
    let table = node.table()?;
    let mut checks = Vec::new();
    // In the order of the file: a row's rule is the first it fails.
    for (key, entry) in table.iter().filter(|(key, _)| CHECK.keys.contains(key)) {
        let node = &entry.node;
        match key {
            "not_null" => {
                for text in column_list(node, key, context).unwrap_or_default() {
                    let column = text.text.to_owned();
                    checks.push(Check {
                        rule: format!("not_null({column})"),
                        kind: CheckKind::NotNull { column },
                        place: text.place.clone(),
                    });
                }
            }
            "unique" => unique(node, context, &mut checks),
            _ => per_column(key, node, context, &mut checks),
        }
    }
    if table.iter().next().is_none() {
        fields.fault(
            &node.place,
            "this set has no check",
            format!("it may have: {}", CHECK.keys.join(", ")),
        );
    }
    Some(checks)
}

/// One key, or a list of keys.
fn unique(node: &Node, context: &Context<'_>, checks: &mut Vec<Check>) {
    let several = matches!(&node.value, Value::Array(nodes)
        if nodes.iter().any(|node| matches!(node.value, Value::Array(_))));
    let keys = if several {
        node.elements()
    } else {
        std::slice::from_ref(node)
    };
    for key in keys {
        if let Some(texts) = column_list(key, "unique", context) {
            let columns: Vec<String> = texts.iter().map(|text| text.text.to_owned()).collect();
            checks.push(Check {
                rule: format!("unique({})", columns.join(", ")),
                kind: CheckKind::Unique { columns },
                place: key.place.clone(),
            });
        }
    }
}

/// Checks that are a table of columns (or, for expressions, of rules).
fn per_column(key: &str, node: &Node, context: &Context<'_>, checks: &mut Vec<Check>) {
    let mut any = false;
    for (name, entry) in fields::named(node, key, context.sink) {
        any = true;
        let node = &entry.node;
        let column = name.to_owned();
        if !is_plain(name) {
            context.sink.push(
                Fault::new(
                    "this name is empty, longer than 128 characters or holds control characters",
                )
                .at(&entry.key)
                .hint("it is shown beside every row that fails"),
            );
        }
        let kind = match key {
            "accepted" => accepted(column, node, context),
            "range" => range(column, node, context),
            "pattern" => pattern(column, node, context),
            "references" => references(column, node, context),
            _ => expression(node, context),
        };
        let rule = if key == "expression" {
            name.to_owned()
        } else {
            format!("{key}({name})")
        };
        if let Some(kind) = kind {
            checks.push(Check {
                rule,
                kind,
                place: node.place.clone(),
            });
        }
    }
    if !any && node.table().is_some() {
        empty(node, key, context);
    }
}

fn accepted(column: String, node: &Node, context: &Context<'_>) -> Option<CheckKind> {
    let Value::Array(nodes) = &node.value else {
        fields::wrong_kind(node, &column, "a list of values", context.sink);
        return None;
    };
    if nodes.is_empty() {
        empty(node, &column, context);
    }
    let values: Vec<_> = nodes
        .iter()
        .map(|node| literal(node, &column, context))
        .collect();
    Some(CheckKind::Accepted {
        column,
        values: values.into_iter().collect::<Option<_>>()?,
    })
}

fn range(column: String, node: &Node, context: &Context<'_>) -> Option<CheckKind> {
    let fields = Fields::open(node, &RANGE, context.sink)?;
    let bound = |key: &str| fields.node(key).map(|node| literal(node, key, context));
    let (min, max) = (bound("min"), bound("max"));
    if min.is_none() && max.is_none() {
        // Unknown keys are told already; they were meant to be bounds.
        if node
            .table()
            .is_some_and(|table| table.iter().next().is_none())
        {
            fields.fault(
                fields.place(),
                "this range has no bound",
                "give it min, max or both",
            );
        }
        return None;
    }
    let number = |key: &str| match fields.node(key).map(|node| &node.value) {
        #[expect(clippy::cast_precision_loss, reason = "only compared")]
        Some(Value::Int(number)) => Some(*number as f64),
        Some(Value::Float(number, _)) => Some(*number),
        _ => None,
    };
    if let (Some(least), Some(greatest)) = (number("min"), number("max"))
        && least > greatest
    {
        fields.fault(
            fields.place(),
            "no value lies in this range: min is above max",
            "swap the bounds",
        );
    }
    let (min, max) = (flatten(min)?, flatten(max)?);
    Some(CheckKind::Range { column, min, max })
}

/// A bound that is there and faulty spoils the check; one that is not there does not.
#[expect(
    clippy::option_option,
    reason = "absent, faulty and given are three things"
)]
fn flatten(bound: Option<Option<String>>) -> Option<Option<String>> {
    match bound {
        None => Some(None),
        Some(bound) => bound.map(Some),
    }
}

fn pattern(column: String, node: &Node, context: &Context<'_>) -> Option<CheckKind> {
    let text = fields::text(node, &column, context.sink)?;
    if let Err(error) = regex::Regex::new(text.text) {
        // The last line says what is wrong, those before it draw the pattern.
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default();
        context.sink.push(
            Fault::new(format!("this is not a regular expression: {}", why.trim_start_matches("error: ")))
                .at(text.place)
                .hint("the syntax is that of https://docs.rs/regex; write it in single quotes, so that \\ stays \\"),
        );
        return None;
    }
    Some(CheckKind::Pattern {
        column,
        regex: text.text.to_owned(),
    })
}

fn expression(node: &Node, context: &Context<'_>) -> Option<CheckKind> {
    let text = fields::text(node, "expression", context.sink)?;
    if text.text.trim().is_empty() {
        context.sink.push(
            Fault::new("this expression is empty")
                .at(text.place)
                .hint("write SQL that is true for good rows: \"amount >= 0\""),
        );
    }
    Some(CheckKind::Expression {
        sql: text.text.to_owned(),
    })
}

fn references(column: String, node: &Node, context: &Context<'_>) -> Option<CheckKind> {
    let text = fields::text(node, &column, context.sink)?;
    let Some((table, key)) = text
        .text
        .rsplit_once('.')
        .filter(|(table, key)| table.contains('.') && !key.is_empty())
    else {
        if !text.guess {
            context.sink.push(
                Fault::new(format!("'{}' does not name a column of a table", text.text))
                    .at(text.place)
                    .hint("write \"zone.table.column\""),
            );
        }
        return None;
    };
    Some(CheckKind::References {
        column,
        table: context.source_table(Text {
            text: table,
            ..text
        })?,
        key: key.to_owned(),
    })
}

fn column_list<'a>(node: &'a Node, key: &str, context: &Context<'_>) -> Option<Vec<Text<'a>>> {
    let texts = fields::texts(node, key, context.sink)?;
    if texts.is_empty() {
        empty(node, key, context);
        return None;
    }
    for text in &texts {
        if !is_plain(text.text) {
            context.sink.push(
                Fault::new("this column's name is empty, too long or holds control characters")
                    .at(text.place)
                    .hint("name a column of the stage's input"),
            );
        }
    }
    Some(texts)
}

fn literal(node: &Node, what: &str, context: &Context<'_>) -> Option<String> {
    let text = node.scalar_text();
    if text.is_none() {
        fields::wrong_kind(node, what, "a string, a number or a date", context.sink);
    }
    text
}

fn empty(node: &Node, key: &str, context: &Context<'_>) {
    context.sink.push(
        Fault::new(format!("`{key}` lists nothing"))
            .at(&node.place)
            .hint(format!("leave `{key}` out, or fill it")),
    );
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && !name.chars().any(char::is_control)
}
