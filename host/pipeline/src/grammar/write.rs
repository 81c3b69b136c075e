//! `write` and `[[step.write]]`

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys, Text};
use crate::grammar::Context;
use crate::model::{ScopeValue, Target, Write, WriteMode};
use crate::tree::{Node, Value};

pub(crate) const WRITE: Keys = Keys {
    name: "write",
    what: "a write",
    keys: &["table", "connection", "mode", "output", "partition"],
};

pub(crate) const MODES: &[(&str, WriteMode)] = &[
    ("append", WriteMode::Append),
    ("replace", WriteMode::Replace),
    ("replace-partition", WriteMode::ReplacePartition),
];

/// Tables of rejected rows lie beside their targets under names with this ending.
const QUARANTINE_SUFFIX: &str = "__quarantine";

pub(crate) fn write(node: &Node, context: &Context<'_>) -> Option<Write> {
    let fields = Fields::open(node, &WRITE, context.sink)?;
    let output = fields.owned("output");
    let mode = mode(&fields);
    let connection = fields
        .text("connection")
        .map(|text| context.connection(text));
    let table_hint = if connection.is_some() {
        "write table = \"…\""
    } else {
        "write table = \"zone.table\", or connection = \"…\" with table = \"…\""
    };
    let table = fields.need_text("table", table_hint);
    let target = table.and_then(|table| target(&fields, table, connection, context));
    let partition_hint =
        "write partition = { source = \"${param.source}\" }: the rows that the step replaces";
    if mode == Some(WriteMode::ReplacePartition) {
        fields.need("partition", partition_hint);
    }
    let partition = match fields.node("partition") {
        None => Some(Vec::new()),
        Some(node) => partition(node, partition_hint, context.sink),
    };
    Some(Write {
        output,
        target: target?,
        mode: mode?,
        partition: partition?,
        place: table?.place.clone(),
    })
}

fn mode(fields: &Fields<'_>) -> Option<WriteMode> {
    match fields.node("mode").map(|node| &node.value) {
        None => Some(WriteMode::Replace),
        Some(Value::String(mode)) if mode == "merge" => {
            let place = fields
                .node("mode")
                .map_or(fields.place(), |node| &node.place);
            fields.fault(
                place,
                "mode 'merge' is not supported yet",
                "the modes are: append, replace, replace-partition",
            );
            None
        }
        Some(_) => fields.choice("mode", MODES),
    }
}

fn target(
    fields: &Fields<'_>,
    table: Text<'_>,
    connection: Option<String>,
    context: &Context<'_>,
) -> Option<Target> {
    if !table.guess && table.text.ends_with(QUARANTINE_SUFFIX) {
        fields.fault(
            table.place,
            format!("a step cannot write a table whose name ends in '{QUARANTINE_SUFFIX}'"),
            "such tables hold the rows that checks reject; choose another name",
        );
    }
    match connection {
        Some(connection) => context.is_table(table).then(|| Target::Database {
            connection,
            table: table.text.to_owned(),
        }),
        None => context.table_name(table).map(Target::Table),
    }
}

fn partition(node: &Node, hint: &str, sink: &Sink) -> Option<Vec<(String, ScopeValue)>> {
    let values: Vec<_> = fields::named(node, "partition", sink)
        .map(|(column, entry)| {
            if column.is_empty() || column.chars().any(char::is_control) {
                sink.push(
                    Fault::new("a partition column needs a name")
                        .at(&entry.key)
                        .hint("use lower-case letters, digits and _"),
                );
            }
            Some((column.to_owned(), scope_value(column, &entry.node, sink)?))
        })
        .collect();
    if values.is_empty() && node.table().is_some() {
        sink.push(
            Fault::new("`partition` has no column")
                .at(&node.place)
                .hint(hint),
        );
    }
    values.into_iter().collect()
}

fn scope_value(column: &str, node: &Node, sink: &Sink) -> Option<ScopeValue> {
    match &node.value {
        Value::String(text) => {
            if text.is_empty() || text.chars().any(char::is_control) {
                sink.push(
                    Fault::new(format!(
                        "the partition value of '{column}' is empty or holds control characters"
                    ))
                    .at(&node.place)
                    .hint("the value is part of the paths of files: give it a visible text"),
                );
                return None;
            }
            Some(ScopeValue::String(text.clone()))
        }
        Value::Int(number) => Some(ScopeValue::Int(*number)),
        Value::Datetime(_) if node.date().is_some() => node.date().map(ScopeValue::Date),
        _ => {
            fields::wrong_kind(node, column, "a string, an integer or a date", sink);
            None
        }
    }
}
