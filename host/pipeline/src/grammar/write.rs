//! `write` and `[[step.write]]`

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys, Text};
use crate::grammar::Context;
use crate::grammar::ddl::ddl;
use crate::grammar::schema_change::{self, Wanted};
use crate::model::{
    Merge, PartitionBy, PartitionPart, ScopeValue, ServerKind, Target, WhenMatched, Write,
    WriteMode,
};
use crate::tree::{Node, Value};

pub(crate) const WRITE: Keys = Keys {
    name: "write",
    what: "a write",
    keys: &[
        "table",
        "connection",
        "mode",
        "output",
        "partition",
        "partition_by",
        "overwrite",
        "key",
        "when_matched",
        "order",
        "schema_change",
        "ddl",
    ],
};

/// Keys that belong to `mode = "merge"`.
const MERGE_KEYS: &[&str] = &["key", "when_matched", "order"];

pub(crate) const MODES: &[(&str, WriteMode)] = &[
    ("append", WriteMode::Append),
    ("replace", WriteMode::Replace),
    ("replace-partition", WriteMode::ReplacePartition),
    ("merge", WriteMode::Merge),
];

/// Which partitions `replace-partition` replaces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwrite {
    /// The one that the file names.
    Static,
    /// Those that the rows are in.
    Dynamic,
}

pub(crate) const OVERWRITES: &[(&str, Overwrite)] = &[
    ("static", Overwrite::Static),
    ("dynamic", Overwrite::Dynamic),
];

pub(crate) const WHEN_MATCHED: &[(&str, WhenMatched)] =
    &[("update", WhenMatched::Update), ("keep", WhenMatched::Keep)];

const PARTS: &[(&str, PartitionPart)] = &[
    ("year", PartitionPart::Year),
    ("month", PartitionPart::Month),
    ("day", PartitionPart::Day),
];

/// Tables of rejected rows lie beside their targets under names with this ending.
const QUARANTINE_SUFFIX: &str = "__quarantine";

/// Reads a target; `step` is what its step says of changed schemas, for a write that says nothing.
pub(crate) fn write(node: &Node, step: &Wanted, context: &Context<'_>) -> Option<Write> {
    let fields = Fields::open(node, &WRITE, context.sink)?;
    let wanted = match fields.node("schema_change") {
        None => Some(step.clone()),
        Some(node) => schema_change::schema_change(node, context.sink),
    };
    let output = fields.owned("output");
    let mode = mode(&fields);
    let connection = fields.text("connection").map(|text| context.database(text));
    let in_database = connection.is_some();
    let server = connection.as_ref().and_then(|name| context.server(name));
    let on_server = server.is_some();
    let table_hint = if connection.is_some() {
        "write table = \"…\""
    } else {
        "write table = \"zone.table\", or connection = \"…\" with table = \"…\""
    };
    let table = fields.need_text("table", table_hint);
    let target = table.and_then(|table| target(&fields, table, connection, on_server, context));
    let partition_hint =
        "write partition = { source = \"${param.source}\" }: the rows that the step replaces";
    let partition = match fields.node("partition") {
        None => Some(Vec::new()),
        Some(node) => partition(node, partition_hint, context.sink),
    };
    let partition_by = match fields.node("partition_by") {
        None => Some(Vec::new()),
        Some(_) => partition_by(&fields),
    };
    let mode = match overwrite(&fields, mode) {
        Overwrite::Dynamic => {
            fields.need(
                "partition_by",
                "write partition_by = [\"visit_date\"]: the partitions that rows are in are replaced",
            );
            mode.map(|_| WriteMode::ReplaceDynamic)
        }
        Overwrite::Static => {
            if mode == Some(WriteMode::ReplacePartition) {
                fields.need("partition", partition_hint);
            }
            mode
        }
    };
    let merge = merge(&fields, mode);
    if server == Some(ServerKind::Adbc) {
        fields.refuse(
            &["schema_change"],
            "does not belong to tables that an ADBC driver loads",
            "leave it out: a table that lacks a column, or cannot take its values, stops the plan",
        );
    }
    let made = match fields.node("ddl") {
        Some(node) if on_server => Some(Some(ddl(node, context)?)),
        _ => Some(None),
    };
    if !on_server {
        fields.refuse(
            &["ddl"],
            "belongs to tables of servers",
            "leave it out: lake tables and SQLite have the types of the rows, and no indexes",
        );
    }
    if in_database {
        let hint = "leave it out: partitions that rows are in are of lake tables";
        fields.refuse(&["partition_by"], "belongs to lake tables", hint);
        if !on_server && wanted.as_ref().is_some_and(Wanted::judges_values) {
            let own = fields.node("schema_change");
            fields.fault(
                own.map_or(fields.place(), |node| &node.place),
                "values cannot be held against the types of a SQLite file's columns",
                "write schema_change = { changed_type = \"freeze\" } for this target; or cast the column in a query",
            );
        }
    }
    if let (Some(partition), Some(by)) = (&partition, &partition_by)
        && let Some(twice) = by
            .iter()
            .find(|by| partition.iter().any(|(name, _)| *name == by.name()))
    {
        let place = fields
            .node("partition_by")
            .map_or(fields.place(), |node| &node.place);
        fields.fault(
            place,
            format!("'{}' has its value in `partition` already", twice.name()),
            "name it in one of the two: in `partition` with the value of all rows, or in `partition_by`",
        );
    }
    Some(Write {
        output,
        target: target?,
        mode: mode?,
        partition: partition?,
        partition_by: partition_by?,
        merge: merge?,
        schema_change: wanted?.of_mode(mode?),
        ddl: made?,
        place: table?.place.clone(),
    })
}

fn mode(fields: &Fields<'_>) -> Option<WriteMode> {
    match fields.node("mode") {
        None => Some(WriteMode::Replace),
        Some(_) => fields.choice("mode", MODES),
    }
}

fn overwrite(fields: &Fields<'_>, mode: Option<WriteMode>) -> Overwrite {
    if mode != Some(WriteMode::ReplacePartition) {
        fields.refuse(
            &["overwrite"],
            "belongs to mode = \"replace-partition\"",
            "leave it out, or write mode = \"replace-partition\"",
        );
        return Overwrite::Static;
    }
    fields
        .choice("overwrite", OVERWRITES)
        .unwrap_or(Overwrite::Static)
}

/// The outer `None` is a fault.
fn merge(fields: &Fields<'_>, mode: Option<WriteMode>) -> Option<Option<Merge>> {
    if mode != Some(WriteMode::Merge) {
        fields.refuse(
            MERGE_KEYS,
            "belongs to mode = \"merge\"",
            "leave it out, or write mode = \"merge\"",
        );
        return Some(None);
    }
    let hint = "write key = [\"id\"]: the columns that say which row is meant";
    fields.need("key", hint);
    let key = names(fields, "key")?;
    if key.is_empty() {
        fields.fault(fields.place(), "`key` names no column", hint);
    }
    let when_matched = fields
        .choice("when_matched", WHEN_MATCHED)
        .unwrap_or(WhenMatched::Update);
    let order = match fields.node("order") {
        None => Vec::new(),
        Some(_) => names(fields, "order")?,
    };
    Some(Some(Merge {
        key,
        when_matched,
        order,
    }))
}

/// Distinct names of columns, one as a text or several as a list.
pub(crate) fn names(fields: &Fields<'_>, key: &str) -> Option<Vec<String>> {
    let texts = match &fields.node(key)?.value {
        Value::String(_) => vec![fields.text(key)?],
        _ => fields.texts(key)?,
    };
    for (index, text) in texts.iter().enumerate() {
        let before = texts.iter().take(index);
        if text.text.is_empty() || before.clone().any(|before| before.text == text.text) {
            fields.fault(
                text.place,
                format!("`{key}` names '{}' twice, or nothing", text.text),
                "name each column once",
            );
        }
    }
    Some(texts.iter().map(|text| text.text.to_owned()).collect())
}

/// Partition columns, with what is taken of each.
pub(crate) fn partition_by(fields: &Fields<'_>) -> Option<Vec<PartitionBy>> {
    let names = names(fields, "partition_by")?;
    let node = fields.node("partition_by")?;
    let mut all: Vec<PartitionBy> = Vec::new();
    for name in names {
        let by = match name
            .split_once('(')
            .map(|(part, rest)| (part, rest.strip_suffix(')')))
        {
            None => Some(PartitionBy {
                column: name.clone(),
                part: PartitionPart::Whole,
            }),
            Some((part, column)) => PARTS
                .iter()
                .find(|(known, _)| *known == part.trim())
                .zip(column.map(str::trim).filter(|column| !column.is_empty()))
                .map(|((_, part), column)| PartitionBy {
                    column: column.to_owned(),
                    part: *part,
                }),
        };
        match by {
            Some(by) => all.push(by),
            None if node.guess => {}
            None => fields.fault(
                &node.place,
                format!("'{name}' is no partition column"),
                "write the column's name, or year(column), month(column) or day(column)",
            ),
        }
    }
    Some(all)
}

fn target(
    fields: &Fields<'_>,
    table: Text<'_>,
    connection: Option<String>,
    on_server: bool,
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
        // What a server takes for a name, it says itself.
        Some(connection) => (on_server || context.is_table(table)).then(|| Target::Database {
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
